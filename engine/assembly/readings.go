package assembly

import (
	"slices"
	"strings"

	"github.com/changevouch/changevouch/engine"
)

// Whoever reads sources every few minutes records every few minutes what was read. What
// follows makes few records of the many, of which every subject hears the same.

// joinWindows makes one window of those that touch and say the same.
func joinWindows(windows []fact[engine.CoverageFact]) []fact[engine.CoverageFact] {
	says := func(c engine.CoverageFact) string {
		return strings.Join(append([]string{c.Source, c.System, c.Status, c.Repository, c.Service, c.Reason}, c.Missing...), "\x00")
	}
	alike := map[string][]fact[engine.CoverageFact]{}
	for _, f := range windows {
		key := says(f.Data)
		alike[key] = append(alike[key], f)
	}
	var out []fact[engine.CoverageFact]
	for _, key := range sortedKeys(alike) {
		list := alike[key]
		slices.SortStableFunc(list, func(x, y fact[engine.CoverageFact]) int { return x.Data.From.Compare(*y.Data.From) })
		for i, f := range list {
			if i > 0 && touch(out[len(out)-1].Data, f.Data) {
				out[len(out)-1] = widened(out[len(out)-1], f)
			} else {
				out = append(out, f)
			}
		}
	}
	return out
}

// touch: two windows have an instant in common.
func touch(x, y engine.CoverageFact) bool { return !x.From.After(*y.To) && !y.From.After(*x.To) }

// widened is a reading whose window holds that of another, too.
func widened(f, other fact[engine.CoverageFact]) fact[engine.CoverageFact] {
	f.Data.From, f.Data.To = earlier(f.Data.From, other.Data.From), later(f.Data.To, other.Data.To)
	return f
}

// question is what a reading answers: one fact about a pull request, a commit, or
// neither.
type question struct{ fact, system, repository, service, about string }

// questionOf is the question of a reading of one fact.
func questionOf(f fact[engine.CoverageFact], about string) question {
	c := f.Data
	return question{slices.Concat(c.Facts, c.Missing)[0], c.System, c.Repository, c.Service, about}
}

// answersAbout files the readings of single facts by source and by what they are
// about, without those that others have replaced for every subject.
func answersAbout(coverage []fact[engine.CoverageFact]) map[string][]fact[engine.CoverageFact] {
	out := map[string][]fact[engine.CoverageFact]{}
	for _, f := range coverage {
		c := f.Data
		key := c.Source + " "
		switch {
		case isWindow(c) && c.Repository == "" && c.Service == "":
			continue
		case c.Number != nil:
			key += numbered(c.Repository, *c.Number)
		case c.SHA != "":
			key += c.SHA
		}
		out[key] = append(out[key], split(f)...)
	}
	for key, list := range out {
		out[key] = standing(list)
	}
	return out
}

// standing leaves out the readings that a later one of the same fact replaces. What
// could not be read of a stretch of time replaces nothing: it may not concern a
// subject. See elsewhen.
func standing(list []fact[engine.CoverageFact]) []fact[engine.CoverageFact] {
	slices.SortStableFunc(list, func(x, y fact[engine.CoverageFact]) int { return x.ObservedAt.Compare(y.ObservedAt) })
	byQuestion := map[question][]fact[engine.CoverageFact]{}
	var order []question
	for _, f := range list {
		key := questionOf(f, "")
		before := byQuestion[key]
		if before == nil {
			order = append(order, key)
		}
		passing := isWindow(f.Data) && f.Data.Status != "complete"
		if n := len(before); n > 0 && passing && sameFailure(before[n-1].Data, f.Data) {
			f = widened(f, before[n-1])
			before = before[:n-1]
		} else if !passing {
			before = nil
		}
		byQuestion[key] = append(before, f)
	}
	var out []fact[engine.CoverageFact]
	for _, key := range order {
		out = append(out, byQuestion[key]...)
	}
	return out
}

// sameFailure: both say of windows that touch that they could not be read, for one
// reason.
func sameFailure(x, y engine.CoverageFact) bool {
	return isWindow(x) && x.Status == y.Status && x.Reason == y.Reason && touch(x, y)
}

// split gives every fact that a reading names a reading of its own.
func split(f fact[engine.CoverageFact]) []fact[engine.CoverageFact] {
	c := f.Data
	names := slices.Concat(c.Facts, c.Missing)
	if len(names) == 0 && c.Status != "complete" {
		names = []string{"unnamed"} // something failed, and nobody says what
	}
	var out []fact[engine.CoverageFact]
	for _, name := range names {
		one := f
		one.Data.Facts, one.Data.Missing = []string{name}, nil
		if c.Status != "complete" {
			one.Data.Facts, one.Data.Missing = nil, []string{name}
		}
		out = append(out, one)
	}
	return out
}
