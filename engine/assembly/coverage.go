package assembly

import (
	"cmp"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/changevouch/changevouch/engine"
)

// scope is what the completeness of one dossier depends on.
type scope struct {
	repositories []string
	pulls        []string // keys
	shas         []string
	services     []string
	from, to     time.Time // from the first to the last instant of the subject
	open         bool      // not over: the sources must reach up to At
	runs         []string  // production deployments that carry it
	seen         []string  // runs already attached
	names        []string  // under which waivers and records may name it
	missing      map[string]map[string]string
}

// miss says that a fact of a source could not be read, and why.
func (s *scope) miss(source, name, why string) {
	if s.missing == nil {
		s.missing = map[string]map[string]string{}
	}
	if s.missing[source] == nil {
		s.missing[source] = map[string]string{}
	}
	if old, ok := s.missing[source][name]; !ok || why < old {
		s.missing[source][name] = why
	}
}

// span widens the scope to an instant.
func (s *scope) span(t time.Time) {
	if s.from.IsZero() || t.Before(s.from) {
		s.from = t
	}
	if t.After(s.to) {
		s.to = t
	}
}

func (s *scope) service(name string) {
	if name != "" && !slices.Contains(s.services, name) {
		s.services = append(s.services, name)
	}
}

func (s *scope) join(o scope) {
	s.repositories = append(s.repositories, o.repositories...)
	s.pulls, s.shas, s.services = append(s.pulls, o.pulls...), append(s.shas, o.shas...), append(s.services, o.services...)
	s.names, s.open = append(s.names, o.names...), s.open || o.open
	if !o.from.IsZero() {
		s.span(o.from)
		s.span(o.to)
	}
	for source, facts := range o.missing {
		for name, why := range facts {
			s.miss(source, name, why)
		}
	}
}

// only reports whether the subject concerns that one repository.
func (s *scope) only(repository string) bool {
	return len(s.repositories) > 0 && !slices.ContainsFunc(s.repositories, func(r string) bool { return r != repository })
}

// sourceNames are the sources that every dossier accounts for.
var sourceNames = []string{"attestations", "github", "iam", "issues", "render", "scanner"}

// essential are the facts without which a source that nobody covered for a window
// says nothing about a subject.
var essential = map[string][]string{
	"github":       {"pull_request", "reviews", "commits", "files", "checks", "branch_protection", "timeline", "activity"},
	"git":          {"pull_request", "reviews", "commits", "files", "checks", "branch_protection", "timeline", "activity"},
	"render":       {"deploys", "events", "audit_log"},
	"iam":          {"access_events"},
	"issues":       {"issues"},
	"attestations": {"attestations"},
	"scanner":      {"vulnerabilities"},
}

// sources says of each source how completely it was read for a subject: its window
// must be covered, and no answer about the subject may have failed.
func (a *assembler) sources(s scope) map[string]engine.SourceStatus {
	out := map[string]engine.SourceStatus{}
	for _, name := range sourceNames {
		out[name] = a.source(name, s)
	}
	// Validations are told in comments of the tracker, or stand in the directory:
	// where nobody says how completely attestations were read, the tracker's reading
	// does.
	if !a.covered("attestations") && a.covered("issues") {
		status := out["issues"]
		if status.Status == "incomplete" {
			status.Missing = essential["attestations"]
		}
		out["attestations"] = status
	}
	if a.code(s) == "git" {
		s.missing = maps.Clone(s.missing)
		s.missing["git"] = s.missing["github"]
		delete(out, "github")
	}
	if a.covered("git") {
		out["git"] = a.source("git", s)
	}
	return out
}

// covered reports whether any collector recorded what it read of a source.
func (a *assembler) covered(source string) bool {
	_, some := slices.BinarySearch(a.coveredSources, source)
	return some
}

func (a *assembler) source(name string, s scope) engine.SourceStatus {
	missing, reasons := map[string]bool{}, map[string]bool{}
	for factName, why := range s.missing[name] {
		missing[factName] = true
		reasons[why] = true
	}
	read := map[string]bool{}
	for _, f := range a.answers(name, s) {
		for _, factName := range f.Data.Facts {
			read[factName] = true
		}
		if f.Data.Status == "complete" {
			continue
		}
		for _, factName := range first2(f.Data.Missing, f.Data.Facts) {
			missing[factName] = true
		}
		reasons[first(f.Data.Reason, "an answer of "+name+" could not be read")] = true
	}
	from, to := s.from, s.to
	if from.IsZero() {
		from = a.opts.At.Add(-a.opts.Freshness)
		to = from
	}
	// When somebody asked is no part of the words, else every dossier were a new one.
	words := "for all of " + from.Format(time.RFC3339) + " to " + to.Format(time.RFC3339)
	if s.open || a.opts.Imagined || name == "issues" || name == "attestations" || name == "scanner" {
		words = "for all of the time since " + from.Format(time.RFC3339)
		to = a.opts.At.Add(-a.opts.Freshness)
		if to.Before(from) {
			to = from
		}
	}
	if s.from.IsZero() {
		words = "within the last " + a.opts.Freshness.String()
	}
	status := engine.SourceStatus{}
	read["branch_protection"] = read["branch_protection"] || read["rulesets"]
	gap := a.window(name, s, extent{from, to, words}, &status, missing, reasons)
	if gap != "" {
		for _, factName := range essential[name] {
			if !read[factName] {
				missing[factName] = true
				reasons[gap] = true
			}
		}
	}
	if name == "iam" && !a.dir.Complete {
		missing["directory"] = true
		reasons["the directory does not claim to list everybody"] = true
	}
	status.Status, status.Missing, status.Reason = "complete", sortedKeys(missing), strings.Join(sortedKeys(reasons), "; ")
	if len(missing) > 0 {
		status.Status = "incomplete"
	}
	if len(status.Missing) == 0 {
		status.Missing, status.Reason = nil, ""
	}
	return status
}

func first2[T any](a, b []T) []T {
	if len(a) > 0 {
		return a
	}
	return b
}

// isWindow: the record covers a stretch of time, not one answer.
func isWindow(c engine.CoverageFact) bool {
	return c.From != nil && c.To != nil && c.Number == nil && c.SHA == ""
}

// concerns: a window that names a repository or a service covers only that.
func concerns(c engine.CoverageFact, s scope) bool {
	return (c.Repository == "" || slices.Contains(s.repositories, c.Repository)) && (c.Service == "" || slices.Contains(s.services, c.Service))
}

// extent is the stretch of time that is to be covered, also in words.
type extent struct {
	from, to time.Time
	words    string
}

// window checks that complete runs cover an extent. Where several systems feed a
// source, each of them must be covered: what one saw says nothing about another.
// It returns what is not covered, in words.
func (a *assembler) window(name string, s scope, of extent, status *engine.SourceStatus, missing, reasons map[string]bool) string {
	systems := map[string]bool{}
	for _, f := range a.stretches {
		if isAbout(f.Data, name, f.Data.System, s) {
			systems[f.Data.System] = true
		}
	}
	if len(systems) == 0 {
		systems[""] = true
	}
	var gaps []string
	whole := true
	for _, system := range sortedKeys(systems) {
		part := engine.SourceStatus{}
		if gap := a.systemWindow(name, system, s, of, &part, missing, reasons); gap != "" {
			gaps = append(gaps, gap)
		}
		whole = whole && part.From != nil
		status.From, status.To = earlier(status.From, part.From), later(status.To, part.To)
	}
	if !whole {
		status.From, status.To = nil, nil
	}
	return strings.Join(gaps, "; ")
}

// isAbout: the record covers a window of the source in that system, and not only
// what the subject has nothing to do with.
func isAbout(c engine.CoverageFact, source, system string, s scope) bool {
	return c.Source == source && c.System == system && c.Service == "" && (c.Repository == "" || s.only(c.Repository))
}

// systemWindow is window for one system. What a run could not see is missing
// unless another run saw it.
func (a *assembler) systemWindow(name, system string, s scope, of extent, status *engine.SourceStatus, missing, reasons map[string]bool) string {
	type stretch struct{ from, to time.Time }
	from, to := of.from, of.to
	var whole, partial []stretch
	var lacks []engine.CoverageFact
	for _, f := range a.stretches {
		c := f.Data
		if !isAbout(c, name, system, s) {
			continue
		}
		w := stretch{c.From.UTC(), c.To.UTC()}
		switch {
		case c.Status == "complete":
			whole = append(whole, w)
			status.From, status.To = earlier(status.From, &w.from), later(status.To, &w.to)
		case c.Status == "incomplete" && len(c.Missing) > 0:
			partial = append(partial, w)
			lacks = append(lacks, c)
		case !w.from.After(to) && !w.to.Before(from):
			lacks = append(lacks, c)
		}
	}
	until := func(stretches []stretch) time.Time {
		slices.SortFunc(stretches, func(x, y stretch) int { return cmp.Or(x.from.Compare(y.from), x.to.Compare(y.to)) })
		at := from
		for _, w := range stretches {
			if !w.from.After(at) && w.to.After(at) {
				at = w.to
			}
		}
		return at
	}
	inside := func(stretches []stretch) bool {
		reached := until(stretches)
		started := slices.ContainsFunc(stretches, func(w stretch) bool { return !w.from.After(from) && !w.to.Before(from) })
		return started && !reached.Before(to)
	}
	if inside(whole) {
		return ""
	}
	status.From, status.To = nil, nil
	ok := inside(append(slices.Clone(whole), partial...))
	for _, c := range lacks {
		if c.From.After(to) || c.To.Before(from) {
			continue
		}
		for _, factName := range c.Missing {
			missing[factName] = true
		}
		if len(c.Missing) > 0 {
			reasons[first(c.Reason, "the collector of "+name+" could not read "+strings.Join(c.Missing, ", "))] = true
		}
	}
	if ok {
		return ""
	}
	if !a.covered(name) {
		return "no collector recorded what it read of " + name
	}
	if system != "" {
		name += " (" + system + ")"
	}
	return name + " was not read " + of.words
}

// windowCovers reports whether a complete run of a source covers an instant.
func (a *assembler) windowCovers(source string, at time.Time) bool {
	if last := a.opts.At.Add(-a.opts.Freshness); a.opts.Imagined && at.After(last) {
		at = last
	}
	return slices.ContainsFunc(a.stretches, func(f fact[engine.CoverageFact]) bool {
		c := f.Data
		return c.Source == source && c.Status == "complete" && !c.From.After(at) && !c.To.Before(at)
	})
}

// answers are the last readings of each fact that concern the subject: a failed
// answer counts until the same question was answered.
func (a *assembler) answers(source string, s scope) []fact[engine.CoverageFact] {
	last := map[question]fact[engine.CoverageFact]{}
	for _, about := range append(compact(slices.Concat(s.pulls, s.shas)), "") {
		for _, one := range a.answered[source+" "+about] {
			if about == "" && (!concerns(one.Data, s) || elsewhen(one.Data, s)) {
				continue
			}
			key := questionOf(one, about)
			if old, seen := last[key]; !seen || !one.ObservedAt.Before(old.ObservedAt) {
				last[key] = one
			}
		}
	}
	return slices.Collect(maps.Values(last))
}

// elsewhen: the record says that a stretch of time could not be read in which the
// subject was not yet, or no longer.
func elsewhen(c engine.CoverageFact, s scope) bool {
	return isWindow(c) && c.Status != "complete" && !s.from.IsZero() && (c.To.Before(s.from) || (!s.open && c.From.After(s.to)))
}

// readFact reports whether one fact of a repository, or of one pull request of it,
// was read completely.
func (a *assembler) readFact(source, name, repository string, number int) bool {
	s := scope{repositories: []string{repository}, pulls: []string{numbered(repository, number)}}
	return slices.ContainsFunc(a.answers(source, s), func(f fact[engine.CoverageFact]) bool {
		return f.Data.Status == "complete" && slices.Contains(f.Data.Facts, name)
	})
}
