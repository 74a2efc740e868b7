package collectors

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"sync"

	"github.com/changevouch/changevouch/engine"
)

// maxFaults bounds the faults that a Summary lists.
const maxFaults = 100

// Summary is what a collection came to. Broken counts all faults, Faults lists
// the first hundred. Conflicts lists, likewise, ids of which one step saw two
// versions: see Result. Coverage is what it says of its sources: the records of
// whole windows.
type Summary struct {
	Name      string
	Steps     int
	Events    int
	Ignored   map[string]int
	Broken    int
	Faults    []Fault
	Conflicts []Fault
	Coverage  []engine.CoverageFact
}

// Run collects into the spool from where the last run under this name ended.
// Events of a step are sorted, each id once; what no schema allows becomes a
// Fault. step is told of every step that is safe, nil for nobody. When it fails,
// what was kept so far stays, and another run goes on from there.
func Run(ctx context.Context, c Collector, w Window, spool Spool, step func(Batch)) (Summary, error) {
	s := Summary{Name: c.Name(), Ignored: map[string]int{}}
	if !w.Until.After(w.Since) {
		return s, fmt.Errorf("the window ends (%s) before it starts (%s)", w.Until.Format(timeLayout), w.Since.Format(timeLayout))
	}
	cursor, err := spool.Cursor(ctx, c.Name())
	if err != nil {
		return s, err
	}
	err = c.Collect(ctx, w, cursor, func(b Batch) error {
		if err := ctx.Err(); err != nil {
			return err
		}
		b.check()
		if err := spool.Commit(ctx, c.Name(), b); err != nil {
			return err
		}
		s.add(b)
		if step != nil {
			step(b)
		}
		return nil
	})
	if err != nil {
		return s, fmt.Errorf("%s: %w", c.Name(), err)
	}
	return s, nil
}

const timeLayout = "2006-01-02T15:04:05Z07:00"

// check leaves the valid events, sorted, each id once.
func (b *Batch) check() {
	if b.checked {
		return
	}
	b.checked = true
	var valid []found
	for _, e := range b.Events {
		if err := validate(e); err != nil {
			b.Faults = append(b.Faults, Fault{Path: b.Step, Record: e.ID, Err: err})
			continue
		}
		valid = append(valid, found{Event: e, Path: b.Step})
	}
	b.Events, b.conflicts = merge(valid)
}

func (s *Summary) add(b Batch) {
	s.Steps++
	s.Events += len(b.Events)
	s.Broken += len(b.Faults)
	s.Faults = append(s.Faults, b.Faults[:min(len(b.Faults), maxFaults-len(s.Faults))]...)
	s.Conflicts = append(s.Conflicts, b.conflicts[:min(len(b.conflicts), maxFaults-len(s.Conflicts))]...)
	for kind, n := range b.Ignored {
		s.Ignored[kind] += n
	}
	for _, e := range b.Events {
		var c engine.CoverageFact
		if e.Type == "coverage.recorded" && json.Unmarshal(e.Data, &c) == nil && c.From != nil && c.To != nil {
			s.Coverage = append(s.Coverage, c)
		}
	}
}

// Add takes a mapping into the batch.
func (b *Batch) Add(m Mapping) {
	b.Events = append(b.Events, m.Events...)
	b.Faults = append(b.Faults, m.Faults...)
	if b.Ignored == nil {
		b.Ignored = maps.Clone(m.Ignored)
		return
	}
	for kind, n := range m.Ignored {
		b.Ignored[kind] += n
	}
}

// Stream is a Spool that writes events as they come, one a line, and remembers
// nothing.
type Stream struct {
	lock sync.Mutex
	w    io.Writer
}

// NewStream writes to w.
func NewStream(w io.Writer) *Stream { return &Stream{w: w} }

// Cursor implements Spool: there is none.
func (s *Stream) Cursor(context.Context, string) (json.RawMessage, error) { return nil, nil }

// Commit implements Spool.
func (s *Stream) Commit(_ context.Context, _ string, b Batch) error {
	s.lock.Lock()
	defer s.lock.Unlock()
	return WriteNDJSON(s.w, b.Events)
}
