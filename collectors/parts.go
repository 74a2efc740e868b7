package collectors

import (
	"fmt"
	"slices"

	"github.com/changevouch/changevouch/engine"
)

// partEvents is how many events of one step are held before a part of it is
// committed.
const partEvents = 2000

// Parts commits one step of a Stage in parts of bounded size, so that memory
// stays flat however much a list holds. Only the last part moves the position: a
// step that was broken off is read again from its start, and replaces itself.
type Parts struct {
	name, position string
	number         int
	step           Step
	commit         func(Step) error
}

// NewParts starts the step of that name; position is where the stage stands
// before it.
func NewParts(name, position string, commit func(Step) error) *Parts {
	p := &Parts{name: name, position: position, commit: commit}
	p.next()
	return p
}

func (p *Parts) next() {
	p.number++
	p.step = Step{Batch: Batch{Step: p.name}, Position: p.position}
	if p.number > 1 {
		p.step.Batch.Step = fmt.Sprintf("%s/part-%d", p.name, p.number)
	}
}

// Take adds what was read.
func (p *Parts) Take(m Mapping, gaps ...Gap) error {
	p.step.Add(m)
	p.step.Gaps = append(p.step.Gaps, gaps...)
	if len(p.step.Events) < partEvents {
		return nil
	}
	if err := p.commit(p.step); err != nil {
		return err
	}
	p.next()
	return nil
}

// TakeWindow adds one page of a list that was read for a window only. The
// mapping's own word that the list was read would claim more, so it is left out:
// the coverage of the whole run stands for it. Records that could not be read
// leave a gap in that fact of those sources.
func (p *Parts) TakeWindow(m Mapping, fact string, sources ...string) error {
	m.Events = slices.DeleteFunc(m.Events, func(e engine.Event) bool {
		return e.Type == "coverage.recorded" && e.Subject.Type != "event"
	})
	var gaps []Gap
	if len(m.Faults) > 0 {
		for _, source := range sources {
			gaps = append(gaps, Gap{Source: source, Fact: fact, Reason: "records could not be read, first " + m.Faults[0].Error()})
		}
	}
	return p.Take(m, gaps...)
}

// End commits what is left and moves on to position.
func (p *Parts) End(position string) error {
	p.step.Position = position
	return p.commit(p.step)
}
