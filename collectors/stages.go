package collectors

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"path"
	"slices"
	"strings"
	"time"

	"github.com/changevouch/changevouch/engine"
)

// Stages is a collection in parts, one after the other: what most collectors
// are made of. It keeps the cursor, goes on after a kill where the last step
// ended, reads what overlaps with the run before again, and ends each pass in one
// coverage record for each source.
type Stages struct {
	// Sources are the dossier's names of the sources that are read.
	Sources []string
	// Repository narrows the coverage to one repository, Service to one service.
	Repository, Service string
	// System is the one that is read where several may feed a source: see
	// engine.CoverageFact.
	System string
	// Overlap is how much of the run before is read again: records may arrive late.
	Overlap time.Duration
	// All are the parts. The first must give events, which tell the server's clock.
	All []Stage
}

// Stage is one part of a collection. Read reads the window from a position on,
// "" at first, and hands every finished step to commit. It may be called with any
// position that it committed.
type Stage struct {
	Name string
	Read func(ctx context.Context, w Window, position string, commit func(Step) error) error
}

// Step is one step of a Stage. Batch.Step is unique within the stage, and the
// same whenever the same is read; Batch.Cursor is left to Stages.
type Step struct {
	Batch
	Position string // from which to go on
	Gaps     []Gap
}

// Gap is a fact that nobody can see for want of a permission or a feature, up to
// an instant if there is one. Reason says what to do about it.
type Gap struct {
	Source string    `json:"source"`
	Fact   string    `json:"fact"`
	Reason string    `json:"reason"`
	Until  time.Time `json:"until,omitzero"`
}

// course is the cursor: which stretch the finished passes cover without a hole,
// and how far an unfinished one is.
type course struct {
	Version int       `json:"version"`
	From    time.Time `json:"from,omitzero"`
	Through time.Time `json:"through,omitzero"`
	Pass    *pass     `json:"pass,omitempty"`
}

type pass struct {
	Since    time.Time `json:"since"`
	Until    time.Time `json:"until"`
	Began    time.Time `json:"began,omitzero"` // by the server's clock
	Stage    string    `json:"stage"`
	Position string    `json:"position,omitempty"`
	Gaps     []Gap     `json:"gaps,omitempty"`
	tally
	// Settled is the tally at Position, where it has gone on since: a run that
	// starts there again finds the rest again.
	Settled *tally `json:"settled,omitempty"`
}

// tally counts what was found.
type tally struct {
	Events map[string]int `json:"events,omitempty"` // by source of the event
	Broken int            `json:"broken,omitempty"`
	Cuts   []cut          `json:"cuts,omitempty"`
}

// cut counts the subjects of which a fact was read in part.
type cut struct {
	Source string `json:"source"`
	Fact   string `json:"fact"`
	Count  int    `json:"count"`
	First  string `json:"first"`
	Reason string `json:"reason"`
}

const courseVersion = 1

// lateness is how much later a window may start than an unfinished pass and still
// mean that one: "the last 30 days" moves on with the clock.
const lateness = 25 * time.Hour

// Collect implements Collector.Collect: it finishes the pass that was cut off,
// then reads what the window asks beyond it.
func (s Stages) Collect(ctx context.Context, w Window, cursor json.RawMessage, commit func(Batch) error) error {
	c := course{Version: courseVersion}
	if cursor != nil {
		dec := json.NewDecoder(bytes.NewReader(cursor))
		dec.DisallowUnknownFields()
		if err := dec.Decode(&c); err != nil || c.Version != courseVersion {
			return errors.New("the cursor of the run before is of another version of vouch: collect into a new folder")
		}
	}
	if c.Pass != nil && w.Since.After(c.Pass.Since.Add(lateness)) {
		c.Pass = nil // less is asked for now
	}
	if p := c.Pass; p != nil {
		if err := s.finish(ctx, &c, commit); err != nil {
			return err
		}
		if !w.Until.After(p.Until) && !w.Since.Before(c.From) {
			return nil
		}
	}
	c.begin(w, s.Overlap)
	return s.finish(ctx, &c, commit)
}

// begin starts a pass over what is not covered yet, and the overlap.
func (c *course) begin(w Window, overlap time.Duration) {
	since := w.Since.UTC()
	if covered := !c.From.IsZero() && !since.Before(c.From) && !since.After(c.Through); covered {
		reached := c.Through
		if w.Until.Before(reached) {
			reached = w.Until
		}
		since = last(since, reached.Add(-overlap))
	}
	c.Pass = &pass{Since: Instant(since), Until: Instant(w.Until)}
}

// end notes what the finished pass covered.
func (c *course) end(through time.Time) {
	p := c.Pass
	joins := !c.From.IsZero() && !p.Since.After(c.Through) && !through.Before(c.From)
	if !joins {
		c.From, c.Through = p.Since, through
	} else {
		if p.Since.Before(c.From) {
			c.From = p.Since
		}
		c.Through = last(c.Through, through)
	}
	c.Pass = nil
}

// finish goes through the stages that the pass has before it.
func (s Stages) finish(ctx context.Context, c *course, commit func(Batch) error) error {
	p := c.Pass
	from := 0
	if p.Stage != "" {
		if from = slices.IndexFunc(s.All, func(one Stage) bool { return one.Name == p.Stage }); from < 0 {
			return fmt.Errorf("the cursor stands in stage %q, which this version of vouch does not have: collect into a new folder", p.Stage)
		}
	}
	if p.Settled != nil {
		p.tally, p.Settled = *p.Settled, nil
	}
	w := Window{Since: p.Since, Until: p.Until}
	for _, stage := range s.All[from:] {
		if p.Stage != stage.Name {
			p.Stage, p.Position, p.Settled = stage.Name, "", nil
		}
		err := stage.Read(ctx, w, p.Position, func(step Step) error {
			step.Batch.Step = path.Join(stage.Name, step.Batch.Step)
			step.check()
			next := p.with(step)
			cursor, err := c.at(next)
			if err != nil {
				return err
			}
			step.Cursor = cursor
			if err := commit(step.Batch); err != nil {
				return err
			}
			*p = next
			return nil
		})
		if err != nil {
			return err
		}
	}
	return s.cover(c, commit)
}

// at is the cursor with another state of the pass.
func (c *course) at(p pass) (json.RawMessage, error) {
	copied := *c
	copied.Pass = &p
	b, err := json.Marshal(copied)
	if err != nil {
		return nil, fmt.Errorf("write the cursor: %w", err)
	}
	return b, nil
}

// with is the pass after one more step.
func (p *pass) with(s Step) pass {
	next := *p
	switch {
	case s.Position != p.Position:
		next.Position, next.Settled = s.Position, nil
	case p.Settled == nil:
		settled := p.tally
		next.Settled = &settled
	}
	next.Broken += len(s.Faults)
	next.Events = maps.Clone(p.Events)
	if next.Events == nil {
		next.Events = map[string]int{}
	}
	next.Gaps, next.Cuts = slices.Clone(p.Gaps), slices.Clone(p.Cuts)
	for _, g := range s.Gaps {
		next.gap(g)
	}
	for _, e := range s.Events {
		next.Events[e.Source]++
		if next.Began.IsZero() || e.ObservedAt.Before(next.Began) {
			next.Began = e.ObservedAt
		}
		var c engine.CoverageFact
		if e.Type == "coverage.recorded" && json.Unmarshal(e.Data, &c) == nil && c.Status != "complete" {
			next.cut(c, e.Subject.ID)
		}
	}
	return next
}

// maxReasons bounds the reasons that are kept for one missing fact.
const maxReasons = 50

// gap keeps every reason of a gap once.
func (p *pass) gap(g Gap) {
	reasons := 0
	for _, o := range p.Gaps {
		if o.Source != g.Source || o.Fact != g.Fact || !o.Until.Equal(g.Until) {
			continue
		}
		if reasons++; o.Reason == g.Reason || reasons == maxReasons {
			return
		}
	}
	p.Gaps = append(p.Gaps, g)
}

func (p *pass) cut(c engine.CoverageFact, subject string) {
	for _, fact := range c.Missing {
		i := slices.IndexFunc(p.Cuts, func(o cut) bool { return o.Source == c.Source && o.Fact == fact })
		if i < 0 {
			p.Cuts = append(p.Cuts, cut{Source: c.Source, Fact: fact, First: subject, Reason: c.Reason})
			i = len(p.Cuts) - 1
		}
		p.Cuts[i].Count++
	}
}

// cover ends the pass in one coverage record for each source. What was read
// reaches to the server's instant at the beginning, not to ours.
func (s Stages) cover(c *course, commit func(Batch) error) error {
	p := c.Pass
	until := p.Until
	if !p.Began.IsZero() && p.Began.Before(until) {
		until = p.Began
	}
	until = last(until, p.Since)
	step := Batch{Step: "coverage/" + p.Since.Format(time.RFC3339) + "/" + until.Format(time.RFC3339)}
	for _, source := range s.Sources {
		// A gap that ends inside the window splits it.
		from := p.Since
		for _, to := range p.borders(source, until) {
			fact := p.covered(source, from, to)
			fact.Repository, fact.Service, fact.System = s.Repository, s.Service, s.System
			step.Add(mapCoverage(Payload{Path: path.Join(s.Repository, s.Service, coverageFile), Bytes: engine.Facts(fact),
				Trust: engine.TrustAPIRead, ObservedAt: until}))
			from = to
		}
	}
	c.end(until)
	cursor, err := json.Marshal(c)
	if err != nil {
		return fmt.Errorf("write the cursor: %w", err)
	}
	step.Cursor = cursor
	return commit(step)
}

// borders are where stretches of a source end that lack the same.
func (p *pass) borders(source string, until time.Time) []time.Time {
	all := []time.Time{until}
	for _, g := range p.Gaps {
		if g.Source == source && g.Until.After(p.Since) && g.Until.Before(until) {
			all = append(all, g.Until)
		}
	}
	slices.SortFunc(all, time.Time.Compare)
	return slices.CompactFunc(all, time.Time.Equal)
}

// covered says how completely a source was read from one instant to another.
func (p *pass) covered(source string, from, to time.Time) engine.CoverageFact {
	n, broken := p.Events[eventSource(source)], p.Broken
	fact := engine.CoverageFact{Source: source, Status: "complete", From: &from, To: &to,
		Counts: &engine.CoverageFactCounts{Events: &n, Broken: &broken}}
	var reasons []string
	for _, g := range p.Gaps {
		if g.Source == source && (g.Until.IsZero() || g.Until.After(from)) {
			fact.Status = "incomplete"
			if !slices.Contains(fact.Missing, g.Fact) {
				fact.Missing = append(fact.Missing, g.Fact)
			}
			reasons = append(reasons, g.Fact+": "+g.Reason)
		}
	}
	for _, cut := range p.Cuts {
		if cut.Source == source && !slices.Contains(fact.Missing, cut.Fact) {
			reasons = append(reasons, fmt.Sprintf("%s incomplete for %d, first %s: %s", cut.Fact, cut.Count, cut.First, cut.Reason))
		}
	}
	fact.Reason = strings.Join(reasons, "; ")
	return fact
}
