package assembly

import (
	"cmp"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/changevouch/changevouch/engine"
)

// Span is a reporting period: From is in it, To is not.
type Span struct{ From, To time.Time }

// String names the period by its two instants.
func (s Span) String() string {
	return s.From.UTC().Format(time.RFC3339) + "/" + s.To.UTC().Format(time.RFC3339)
}

// periodDossiers says of every period that was asked for how completely it was
// observed, and which production deployments of it no change accounts for.
func (a *assembler) periodDossiers(drafts []*draft) []engine.Dossier {
	carried := map[string]bool{}
	for _, d := range drafts {
		for _, key := range d.scope.runs {
			carried[key] = true
		}
	}
	var out []engine.Dossier
	for _, span := range a.opts.Periods {
		from, to := span.From.UTC(), span.To.UTC()
		body := &engine.Period{Start: &from, End: &to, Gaps: a.gaps(from, to)}
		d := a.envelope("period", span.String(), newCast(a.roster), scope{from: from, to: to, open: to.After(a.opts.At)})
		if render := d.Sources["render"]; !slices.Contains(render.Missing, "deploys") {
			body.MissingInLedger = []any{}
			for _, r := range a.runs {
				if r.kind == production && r.liveAt != nil && !r.liveAt.Before(from) && r.liveAt.Before(to) && !carried[r.key] {
					body.MissingInLedger = append(body.MissingInLedger, r.id)
				}
			}
		}
		for name, status := range d.Sources {
			d.Sources[name] = within(status, from, to)
		}
		d.Period = body
		out = append(out, d)
	}
	return out
}

// within leaves of what was read the part that a period asks about, so that reading
// on changes nothing of a period that is over.
func within(s engine.SourceStatus, from, to time.Time) engine.SourceStatus {
	if s.From != nil && s.From.Before(from) {
		s.From = &from
	}
	if s.To != nil && s.To.After(to) {
		s.To = &to
	}
	return s
}

// vital are the facts without which a run of a source saw nothing of what was
// changed.
var vital = map[string][]string{
	"github": {"pull_request", "activity"}, "git": {"commits"}, "render": {"deploys"}, "iam": {"access_events"},
}

// gaps are the stretches of a period that no run covers, for every system and
// repository that a source was ever read from. What lies after the last reading
// that At can expect is no gap yet.
func (a *assembler) gaps(from, to time.Time) []engine.Gap {
	if last := a.opts.At.Add(-a.opts.Freshness); to.After(last) {
		to = last
	}
	var out []engine.Gap
	for _, s := range a.streams() {
		reached, why := from, ""
		for _, c := range a.readings(s) {
			start, end := c.From.UTC(), c.To.UTC()
			if !sawChanges(c) {
				if start.Before(to) && end.After(from) {
					why = first(why, c.Reason)
				}
				continue
			}
			if start.After(reached) && reached.Before(to) {
				out = append(out, s.gap(reached, earliest(start, to), why))
			}
			if end.After(reached) {
				reached, why = end, ""
			}
		}
		if reached.Before(to) {
			out = append(out, s.gap(reached, to, why))
		}
	}
	return out
}

// stream is what runs of a collector read one after another.
type stream struct{ source, system, repository string }

// streams are those that ever were read, in order. Deployments are read in any
// case. A window that names no repository covers every repository of its system.
func (a *assembler) streams() []stream {
	named := map[stream]bool{}
	for _, f := range a.windows {
		if c := f.Data; vital[c.Source] != nil && c.Service == "" {
			named[stream{c.Source, c.System, c.Repository}] = true
		}
	}
	var out []stream
	for s := range named {
		finer := func(other stream) bool {
			return other.source == s.source && other.system == s.system && other.repository != ""
		}
		if s.repository != "" || !slices.ContainsFunc(slices.Collect(maps.Keys(named)), finer) {
			out = append(out, s)
		}
	}
	if !slices.ContainsFunc(out, func(s stream) bool { return s.source == "render" }) {
		out = append(out, stream{source: "render"})
	}
	slices.SortFunc(out, func(x, y stream) int {
		return cmp.Or(strings.Compare(x.source, y.source), strings.Compare(x.system, y.system), strings.Compare(x.repository, y.repository))
	})
	return out
}

// readings are the windows of a stream, those that begin first before the others.
func (a *assembler) readings(s stream) []engine.CoverageFact {
	var out []engine.CoverageFact
	for _, f := range a.windows {
		if c := f.Data; c.Source == s.source && c.System == s.system && c.Service == "" && (c.Repository == "" || c.Repository == s.repository) {
			out = append(out, c)
		}
	}
	slices.SortStableFunc(out, func(x, y engine.CoverageFact) int { return x.From.Compare(*y.From) })
	return out
}

func (s stream) gap(from, to time.Time, why string) engine.Gap {
	return engine.Gap{Source: s.String(), Start: &from, End: &to, Reason: why}
}

// String is the source, and in brackets what of it.
func (s stream) String() string {
	switch {
	case s.repository != "":
		return s.source + " (" + s.repository + ")"
	case s.system != "":
		return s.source + " (" + s.system + ")"
	}
	return s.source
}

// sawChanges: the run read at least what tells of changes.
func sawChanges(c engine.CoverageFact) bool {
	if c.Status == "complete" {
		return true
	}
	return c.Status == "incomplete" && len(c.Missing) > 0 && !slices.ContainsFunc(vital[c.Source], func(name string) bool { return slices.Contains(c.Missing, name) })
}
