// Package assembly turns events into dossiers: it correlates pull requests,
// commits, deployments, platform and access events, incidents and issues, resolves
// accounts to persons, and says of every subject how completely its sources were
// read. It states facts and judges nothing.
//
// Start with Assemble. Everything here is a pure function: no clock, no network,
// no order of the input matters, and duplicates change nothing.
package assembly

import (
	"cmp"
	"encoding/json"
	"slices"
	"strings"
	"time"

	"github.com/changevouch/changevouch/engine"
)

// Options are what Assemble needs besides the evidence.
type Options struct {
	// At becomes evaluated_at. What happened later is left out.
	At time.Time
	// Freshness is how far before At a source may end and still count as read up
	// to At. Zero means 24 hours.
	Freshness time.Duration
	// Skew is the tolerance between the clocks of two systems. Zero means a minute.
	Skew time.Duration
	// Documentation is how long after an emergency its record may be written,
	// Sequence how long before a change a privileged grant may have been given for
	// it. Zero means 24 hours.
	Documentation, Sequence time.Duration
	// Review judges the review of the change that a rollback returns to and gives an
	// outcome, or "" where it cannot: see ReviewOutcome. It must depend on the
	// dossier alone. Without it target_review stays out.
	Review func(engine.Dossier) string
	// Imagined says that the newest events have not happened: somebody asks what would
	// follow if they did. What was read up to Freshness before At is then enough.
	Imagined bool
	// Periods are the reporting periods that get a dossier of their own.
	Periods []Span
}

// ReviewOutcome is what a decision says of the review of a change: of CM-4.B.1 or,
// for an emergency, of the review afterwards. "" = the decision says nothing of it.
func ReviewOutcome(d engine.Decision) string {
	outcomes := map[string]string{
		engine.StatusPass: engine.OutcomeCompliant, engine.StatusWaived: engine.OutcomeCompliantWithWaiver, engine.StatusFail: engine.OutcomeNonCompliant,
		engine.StatusPending: engine.OutcomePending, engine.StatusUnknown: engine.OutcomeUnknown,
	}
	for _, control := range []string{"CM-4.B.1", "CM-5.2"} {
		for _, f := range d.Findings {
			if f.Control == control && outcomes[f.Status] != "" {
				return outcomes[f.Status]
			}
		}
	}
	return ""
}

// Problem is something in the evidence that people should look at: an event that
// cannot be read, two versions of one event, an environment nobody classified.
// No problem ever stops an assembly.
type Problem struct {
	// Subject is the event id or the name of what the problem is about.
	Subject string
	Message string
}

// Error names the subject first.
func (p Problem) Error() string { return p.Subject + ": " + p.Message }

// Assemble builds one dossier for every subject that the events speak of, sorted
// by subject type and id. The input is not changed.
func Assemble(events []engine.Event, dir Directory, opts Options) ([]engine.Dossier, []Problem) {
	a := newAssembler(events, dir, opts)
	var out []engine.Dossier
	drafts := a.changes()
	for _, d := range drafts {
		out = append(out, a.changeDossier(d))
	}
	out = append(out, a.deploymentDossiers(drafts)...)
	out = append(out, a.findingDossiers(drafts)...)
	out = append(out, a.accessReviewDossiers()...)
	out = append(out, a.alertDossiers()...)
	out = append(out, a.policyReviewDossiers()...)
	out = append(out, a.postureDossiers()...)
	out = append(out, a.periodDossiers(drafts)...)
	slices.SortStableFunc(out, func(x, y engine.Dossier) int {
		return cmp.Or(strings.Compare(x.Subject.Type, y.Subject.Type), strings.Compare(x.Subject.ID, y.Subject.ID))
	})
	return out, a.sortedProblems()
}

// assembler holds the indexed evidence of one Assemble call.
type assembler struct {
	*facts
	dir            Directory
	opts           Options
	roster         roster
	history        map[string]*history
	pushesTo       map[string][]fact[engine.PushFact] // by the commit pushed
	runs           []*run
	byCommit       map[string][]*run
	landings       map[string]*landing
	depth          map[string]int // see depths
	records        map[string]*record
	byKind         map[string][]*record // oldest first; by several kinds, too
	said           map[string]mentions  // of comments, by event id
	validating     []fact[engine.IssueCommentFact]
	windows        []fact[engine.CoverageFact] // as they were recorded
	stretches      []fact[engine.CoverageFact] // the same, joined
	answered       map[string][]fact[engine.CoverageFact]
	coveredSources []string
	readOf         map[string]map[string]bool // source -> repositories, "" for those that name none
	pulls          map[string]*pull
	pullsBySHA     map[string][]*pull
	problems       map[Problem]bool
}

func newAssembler(events []engine.Event, dir Directory, opts Options) *assembler {
	opts.Freshness = cmp.Or(opts.Freshness, 24*time.Hour)
	opts.Skew = cmp.Or(opts.Skew, time.Minute)
	opts.Documentation = cmp.Or(opts.Documentation, 24*time.Hour)
	opts.Sequence = cmp.Or(opts.Sequence, 24*time.Hour)
	opts.At = opts.At.UTC()
	a := &assembler{dir: dir, opts: opts, problems: map[Problem]bool{}}
	a.facts = a.index(events)
	a.answered = answersAbout(a.coverage)
	a.readOf = map[string]map[string]bool{}
	for _, f := range a.coverage {
		a.coveredSources = append(a.coveredSources, f.Data.Source)
		if a.readOf[f.Data.Source] == nil {
			a.readOf[f.Data.Source] = map[string]bool{}
		}
		a.readOf[f.Data.Source][f.Data.Repository] = true
		if isWindow(f.Data) {
			a.windows = append(a.windows, f)
		}
	}
	a.stretches = joinWindows(a.windows)
	a.coveredSources = compact(a.coveredSources)
	a.pushesTo = map[string][]fact[engine.PushFact]{}
	for _, f := range a.pushes {
		a.pushesTo[f.Data.After] = append(a.pushesTo[f.Data.After], f)
	}
	a.roster = newRoster(dir)
	a.pulls = a.readPulls()
	a.pullsBySHA = map[string][]*pull{}
	for _, key := range sortedKeys(a.pulls) {
		for sha := range a.pulls[key].shas {
			a.pullsBySHA[sha] = append(a.pullsBySHA[sha], a.pulls[key])
		}
	}
	a.history = a.readHistory()
	a.runs = a.readRuns()
	a.byCommit = map[string][]*run{}
	for _, r := range a.runs {
		if r.commit != "" {
			a.byCommit[r.commit] = append(a.byCommit[r.commit], r)
		}
	}
	a.records = a.readRecords()
	a.sortRecords()
	return a
}

func (a *assembler) problem(subject, message string) {
	a.problems[Problem{Subject: subject, Message: message}] = true
}

func (a *assembler) sortedProblems() []Problem {
	var out []Problem
	for p := range a.problems {
		out = append(out, p)
	}
	slices.SortFunc(out, func(x, y Problem) int {
		return cmp.Or(strings.Compare(x.Subject, y.Subject), strings.Compare(x.Message, y.Message))
	})
	return out
}

// draft is a change under construction, with what its dossier needs beside it:
// who appears in it, which repository facts concern it and when it happened.
type draft struct {
	change engine.Change
	cast   *cast
	scope  scope
}

// changeDossier is the dossier of one change.
func (a *assembler) changeDossier(d *draft) engine.Dossier {
	change := d.change
	dossier := a.envelope("change", change.ID, d.cast, d.scope)
	dossier.Change = &change
	return dossier
}

// deploymentDossiers is one dossier for every production deployment that carries
// several changes.
func (a *assembler) deploymentDossiers(drafts []*draft) []engine.Dossier {
	carried := map[string][]*draft{}
	for _, d := range drafts {
		for _, key := range d.scope.runs {
			carried[key] = append(carried[key], d)
		}
	}
	var out []engine.Dossier
	for _, r := range a.runs {
		changes := carried[r.key]
		if r.kind != production || r.liveAt == nil || len(changes) < 2 {
			continue
		}
		people, reach := newCast(a.roster), scope{}
		subject := engine.DeploymentSubject{
			ID: r.id, Service: r.service, Commit: r.commit, PreviousLiveCommit: r.previous, LiveAt: r.liveAt,
		}
		for _, d := range changes {
			people.join(d.cast)
			reach.join(d.scope)
			subject.Changes = append(subject.Changes, d.change)
		}
		dossier := a.envelope("deployment", r.key, people, reach)
		dossier.Deployment = &subject
		out = append(out, dossier)
	}
	return out
}

// envelope is a dossier without its body.
func (a *assembler) envelope(kind, id string, people *cast, reach scope) engine.Dossier {
	d := engine.Dossier{
		Schema: engine.DossierSchema, EvaluatedAt: a.opts.At,
		Subject: engine.Subject{Type: kind, ID: id},
		Sources: a.sources(reach),
	}
	names := append([]string{id}, reach.names...)
	for _, w := range a.waivers() {
		if matchesAny(w.Subject, names) {
			people.member(w.RequestedBy)
			people.member(w.ApprovedBy)
			d.Waivers = append(d.Waivers, w)
		}
	}
	for _, s := range a.dir.Attestations {
		if s.MadeAt != nil && s.MadeAt.After(a.opts.At) {
			continue
		}
		if s.Subject != "" && matchesAny(s.Subject, names) {
			people.member(s.MadeBy)
			d.Attestations = append(d.Attestations, s)
		}
	}
	d.People = people.list()
	return d
}

// clone copies v through JSON, so that no dossier shares memory with another.
func clone[T any](v T) T {
	var out T
	text, err := json.Marshal(v)
	if err == nil {
		err = json.Unmarshal(text, &out)
	}
	if err != nil {
		return v
	}
	return out
}

func ptr[T any](v T) *T { return &v }

// first returns the first value that is not zero.
func first[T comparable](values ...T) T { return cmp.Or(values...) }

// utc copies an instant in UTC; nil stays nil.
func utc(t *time.Time) *time.Time {
	if t == nil || t.IsZero() {
		return nil
	}
	return ptr(t.UTC())
}

// earlier and later return the earlier or later of two instants, nil being none.
func earlier(a, b *time.Time) *time.Time {
	if a == nil || (b != nil && b.Before(*a)) {
		return b
	}
	return a
}

func later(a, b *time.Time) *time.Time {
	if a == nil || (b != nil && b.After(*a)) {
		return b
	}
	return a
}

// matchesAny reports whether a subject pattern covers one of the names. A pattern
// is an exact name or holds * for any run of characters.
func matchesAny(pattern string, names []string) bool {
	return slices.ContainsFunc(names, func(name string) bool { return name != "" && matches(pattern, name) })
}

func matches(pattern, name string) bool {
	parts := strings.Split(pattern, "*")
	if len(parts) == 1 {
		return pattern == name
	}
	if !strings.HasPrefix(name, parts[0]) {
		return false
	}
	rest := name[len(parts[0]):]
	for _, part := range parts[1 : len(parts)-1] {
		at := strings.Index(rest, part)
		if at < 0 {
			return false
		}
		rest = rest[at+len(part):]
	}
	return strings.HasSuffix(rest, parts[len(parts)-1])
}
