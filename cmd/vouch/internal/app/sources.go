package app

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/changevouch/changevouch/engine"
	"github.com/changevouch/changevouch/engine/store"
)

// Coverage is what collectors recorded of one source: of one system that feeds it,
// and of one repository or service, where they say so.
type Coverage struct {
	Source     string      `json:"source"`
	System     string      `json:"system,omitempty"`
	Repository string      `json:"repository,omitempty"`
	Service    string      `json:"service,omitempty"`
	Status     string      `json:"status"` // complete only where nothing is missing
	Windows    []Stretch   `json:"windows,omitempty"`
	Gaps       []Stretch   `json:"gaps,omitempty"`
	Missing    []Unseen    `json:"missing,omitempty"`
	Answers    AnswerCount `json:"answers,omitzero"`
}

// Stretch is a time that was read, by one or several runs that leave no hole; or a
// hole between two, in which nobody read.
type Stretch struct {
	From    time.Time `json:"from"`
	To      time.Time `json:"to"`
	Runs    int       `json:"runs,omitempty"`
	Events  int       `json:"events,omitempty"`
	Records int       `json:"records,omitempty"`
	Broken  int       `json:"broken,omitempty"`
	Reason  string    `json:"reason,omitempty"`
}

// Unseen is a fact that was not read, and why; where a permission is lacking, the
// reason names what to grant. About counts the pull requests, commits or issues
// that it concerns; with none it is the whole window.
type Unseen struct {
	Fact    string     `json:"fact"`
	Reason  string     `json:"reason,omitempty"`
	From    *time.Time `json:"from,omitempty"`
	To      *time.Time `json:"to,omitempty"`
	About   int        `json:"about,omitempty"`
	Example string     `json:"example,omitempty"`
}

// AnswerCount counts questions about single pull requests, commits and the like:
// the last answer to each counts.
type AnswerCount struct {
	Read   int `json:"read"`
	Unread int `json:"unread"`
}

// ReadSources tells what the events say of how completely each source was read.
// Faults are handed over, see ReadEvents.
func ReadSources(ctx context.Context, docs *Documents, fault func(string)) ([]Coverage, error) {
	r := reckoning{records: map[string]*sourceBook{}, seen: map[string]bool{}}
	if err := eachEvent(ctx, docs, fault, r.take); err != nil {
		return nil, err
	}
	switch {
	case r.events == 0:
		return nil, errors.New("there are no events")
	case len(r.records) == 0:
		return nil, fmt.Errorf("none of the %d events says what was read: collectors record it as coverage.recorded", r.events)
	}
	return r.coverage(), nil
}

// JournalSources is ReadSources of the events in a journal; it may have none.
func JournalSources(ctx context.Context, s *store.Store) ([]Coverage, error) {
	r := reckoning{records: map[string]*sourceBook{}, seen: map[string]bool{}}
	for e, err := range s.Events(ctx, store.EventFilter{Type: "coverage.recorded"}) {
		if err != nil {
			return nil, err
		}
		r.take(e)
	}
	return r.coverage(), nil
}

// reckoning sorts coverage by what it is of.
type reckoning struct {
	records map[string]*sourceBook
	events  int
	seen    map[string]bool // ids
}

// coverage is what was found, sorted.
func (r *reckoning) coverage() []Coverage {
	out := []Coverage{}
	for _, of := range r.records {
		out = append(out, of.coverage())
	}
	slices.SortFunc(out, func(a, b Coverage) int {
		return cmp.Or(strings.Compare(a.Source, b.Source), strings.Compare(a.System, b.System),
			strings.Compare(a.Repository, b.Repository), strings.Compare(a.Service, b.Service))
	})
	return out
}

// sourceBook is what is on record of one source.
type sourceBook struct {
	of      Coverage
	windows []engine.CoverageFact
	answers map[string]answer // the last by question
}

type answer struct {
	at     time.Time
	id     string
	fact   string
	about  string
	read   bool
	reason string
}

func (r *reckoning) take(e engine.Event) {
	r.events++
	var c engine.CoverageFact
	if e.Type != "coverage.recorded" || r.seen[e.ID] || e.Decode(&c) != nil {
		return
	}
	r.seen[e.ID] = true
	key := strings.Join([]string{c.Source, c.System, c.Repository, c.Service}, "\x00")
	of := r.records[key]
	if of == nil {
		of = &sourceBook{of: Coverage{Source: c.Source, System: c.System, Repository: c.Repository, Service: c.Service}, answers: map[string]answer{}}
		r.records[key] = of
	}
	if c.From != nil && c.To != nil && c.Number == nil && c.SHA == "" {
		of.windows = append(of.windows, c)
		return
	}
	about := c.SHA
	if c.Number != nil {
		about = c.Repository + "#" + strconv.Itoa(*c.Number)
	}
	read := c.Status == "complete"
	facts := c.Facts
	if !read {
		facts = slices.Concat(c.Missing, c.Facts)
	}
	for _, name := range facts {
		a := answer{at: e.ObservedAt, id: e.ID, fact: name, about: about, read: read, reason: c.Reason}
		question := name + "\x00" + about
		if old, asked := of.answers[question]; !asked || cmp.Or(a.at.Compare(old.at), strings.Compare(a.id, old.id)) > 0 {
			of.answers[question] = a
		}
	}
}

// coverage reckons up one source.
func (l *sourceBook) coverage() Coverage {
	c := l.of
	slices.SortFunc(l.windows, func(a, b engine.CoverageFact) int {
		return cmp.Or(a.From.Compare(*b.From), a.To.Compare(*b.To), strings.Compare(a.Status, b.Status), strings.Compare(a.Reason, b.Reason))
	})
	for _, w := range l.windows {
		if w.Status == "unavailable" {
			c.Gaps = append(c.Gaps, Stretch{From: w.From.UTC(), To: w.To.UTC(), Reason: w.Reason})
			continue
		}
		if w.To.After(*w.From) { // else it tells of one instant
			c.read(w)
		}
	}
	c.Gaps = slices.DeleteFunc(c.Gaps, func(g Stretch) bool { // read again since
		return g.Reason != "" && slices.ContainsFunc(c.Windows, func(w Stretch) bool { return !w.From.After(g.From) && !w.To.Before(g.To) })
	})
	if len(c.Gaps) == 0 {
		c.Gaps = nil
	}
	slices.SortFunc(c.Gaps, func(a, b Stretch) int { return cmp.Or(a.From.Compare(b.From), a.To.Compare(b.To)) })
	for _, w := range l.windows {
		for _, name := range w.Missing {
			if w.Status == "incomplete" && !l.seen(name, w) {
				c.miss(Unseen{Fact: name, Reason: w.Reason, From: utc(w.From), To: utc(w.To)})
			}
		}
	}
	for _, a := range l.answers {
		if a.read {
			c.Answers.Read++
			continue
		}
		c.Answers.Unread++
		u := Unseen{Fact: a.fact, Reason: a.reason, Example: a.about}
		if a.about != "" {
			u.About = 1
		}
		c.miss(u)
	}
	slices.SortFunc(c.Missing, func(a, b Unseen) int {
		return cmp.Or(strings.Compare(a.Fact, b.Fact), strings.Compare(a.Reason, b.Reason), a.About-b.About)
	})
	c.Status = "complete"
	switch {
	case len(c.Windows) == 0 && c.Answers.Read == 0 && len(c.Missing) == 0:
		c.Status = "unavailable"
	case len(c.Gaps) > 0 || len(c.Missing) > 0:
		c.Status = "incomplete"
	}
	return c
}

// read adds a window that was read, in the order of their beginnings, and notes
// the hole before it.
func (c *Coverage) read(w engine.CoverageFact) {
	s := Stretch{From: w.From.UTC(), To: w.To.UTC(), Runs: 1}
	if n := w.Counts; n != nil {
		s.Events, s.Records, s.Broken = number(n.Events), number(n.Records), number(n.Broken)
	}
	if len(c.Windows) > 0 {
		last := &c.Windows[len(c.Windows)-1]
		if !s.From.After(last.To) {
			if s.To.After(last.To) {
				last.To = s.To
			}
			last.Runs, last.Events, last.Records, last.Broken = last.Runs+1, last.Events+s.Events, last.Records+s.Records, last.Broken+s.Broken
			return
		}
		c.Gaps = append(c.Gaps, Stretch{From: last.To, To: s.From})
	}
	c.Windows = append(c.Windows, s)
}

// seen reports whether another run saw, in the same window, what this one missed.
func (l *sourceBook) seen(name string, missed engine.CoverageFact) bool {
	return slices.ContainsFunc(l.windows, func(w engine.CoverageFact) bool {
		return w.Status == "complete" && !w.From.After(*missed.From) && !w.To.Before(*missed.To) || w.Status == "incomplete" &&
			len(w.Missing) > 0 && !slices.Contains(w.Missing, name) && !w.From.After(*missed.From) && !w.To.Before(*missed.To)
	})
}

// miss adds a fact that was not read to those of the same reason.
func (c *Coverage) miss(u Unseen) {
	i := slices.IndexFunc(c.Missing, func(have Unseen) bool {
		return have.Fact == u.Fact && have.Reason == u.Reason && (have.About > 0) == (u.About > 0)
	})
	if i < 0 {
		c.Missing = append(c.Missing, u)
		return
	}
	have := &c.Missing[i]
	have.About += u.About
	have.Example = min(have.Example, u.Example)
	if u.From != nil && (have.From == nil || u.From.Before(*have.From)) {
		have.From = u.From
	}
	if u.To != nil && (have.To == nil || u.To.After(*have.To)) {
		have.To = u.To
	}
}

func number(n *int) int {
	if n == nil {
		return 0
	}
	return *n
}

func utc(t *time.Time) *time.Time {
	u := t.UTC()
	return &u
}
