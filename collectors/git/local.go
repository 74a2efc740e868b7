package git

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/changevouch/changevouch/collectors"
	"github.com/changevouch/changevouch/engine"
)

// Local reads a clone with the git command: what landed on its branches, commit by
// commit. It needs no account and no remote. It implements collectors.Collector.
//
// Whoever can write to the clone decides what it says: names and dates are
// self-asserted, and of pull requests, reviews, checks and deployments it knows
// nothing. The coverage that ends a collection says so.
type Local struct {
	git        clone
	repository string
	heads      []Head
	lacks      []lack
	partial    bool
	verify     bool
	whole      bool
	at         time.Time
	boundary   map[string]bool // commits whose parents a shallow clone leaves out
}

// Head is a branch of a clone as it was found. Ref is where it was read, such as
// refs/remotes/origin/main.
type Head struct {
	Branch, Ref, SHA string
	Default          bool
}

// LocalOptions say what of a clone is read.
type LocalOptions struct {
	// Branches are names of branches, or refs. Without any it is the default branch.
	Branches []string
	// At is when the clone is read.
	At time.Time
	// Whole is all of its history, whenever the window begins.
	Whole bool
	// Signatures has Git verify signed commits with the keys on this machine.
	Signatures bool
}

// lack is a fact that this clone cannot tell, and why.
type lack struct{ fact, why string }

// unknown are the facts that no clone can tell.
var unknown = []string{
	"activity", "body", "branch_protection", "checks", "deployments", "permissions", "pull_request", "reviews",
	"rule_suites", "rulesets", "statuses", "timeline",
}

const unknownWhy = "a clone knows no pull requests, reviews, checks, branch rules, pushes and deployments"

// OpenLocal finds the clone at a path, its name and its branches. The error says
// what is wrong with it and what to do.
func OpenLocal(ctx context.Context, path string, o LocalOptions) (*Local, error) {
	g, err := openClone(ctx, path)
	if err != nil {
		return nil, err
	}
	l := &Local{git: g, verify: o.Signatures, whole: o.Whole, at: collectors.Instant(o.At)}
	l.repository = g.repositoryName(ctx)
	if l.heads, err = g.heads(ctx, o.Branches); err != nil {
		return nil, fmt.Errorf("repository %s: %w", path, err)
	}
	if l.boundary, err = g.shallow(ctx); err != nil {
		return nil, fmt.Errorf("repository %s: %w", path, err)
	}
	if len(l.boundary) > 0 {
		l.lacks = append(l.lacks, lack{"commits", "the clone is shallow: git fetch --unshallow brings the rest of its history"})
	}
	if l.partial = g.partial(ctx); l.partial {
		l.lacks = append(l.lacks, lack{"patches", "the clone is partial and holds no contents: git fetch --refetch --no-filter brings them"})
	}
	return l, nil
}

// Name is "clone:" and the repository's name.
func (l *Local) Name() string { return "clone:" + l.repository }

// Repository is owner/name as the remote has it, else the name of the folder.
func (l *Local) Repository() string { return l.repository }

// Heads are the branches that are read.
func (l *Local) Heads() []Head { return l.heads }

// batchSize is how many commits make a step: some megabytes at most.
const batchSize = 250

// stall is how long Git may work on one answer.
const stall = 10 * time.Minute

// progress is the cursor of a clone: the window in which its branches were read, and
// up to where.
type progress struct {
	Since time.Time         `json:"since"`
	Until time.Time         `json:"until"`
	Heads map[string]string `json:"heads"`
}

// Collect reads what landed on the branches in the window, the newest first. A
// commit landed with the commit of the branch's own line that brought it; the date
// that decides is that commit's, and every commit above it belongs to the window
// too, whatever date it bears. A window that ends no earlier than the reading ends
// with the branch. Merges are compared with their first parent.
func (l *Local) Collect(ctx context.Context, window collectors.Window, cursor json.RawMessage, commit func(collectors.Batch) error) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	if l.whole {
		window.Since = time.Time{}
	}
	watch := time.AfterFunc(stall, func() { cancel(fmt.Errorf("git did not answer for %v", stall)) })
	defer watch.Stop()
	var before progress
	if len(cursor) > 0 {
		if err := json.Unmarshal(cursor, &before); err != nil {
			return fmt.Errorf("repository %s: cursor: %w", l.git.dir, err)
		}
	}
	w, err := l.writer(ctx, window, commit)
	if err != nil {
		return fmt.Errorf("repository %s: %w", l.git.dir, err)
	}
	defer w.close()
	w.alive = func() { watch.Reset(stall) }
	err = w.all(ctx, before)
	if cause := context.Cause(ctx); err != nil && cause != nil {
		err = cause
	}
	if err != nil {
		return fmt.Errorf("repository %s: %w", l.git.dir, err)
	}
	return nil
}

// writer turns commits into batches.
type writer struct {
	*Local
	window  collectors.Window
	commit  func(collectors.Batch) error
	objects *dialogue
	diffs   *dialogue
	alive   func()
	batch   collectors.Batch
	done    int
	ids     []string // of the commits in the batch
	oldest  time.Time
	from    time.Time       // up to when earlier collections read
	people  map[string]bool // "Name <e-mail>"
	signed  []string
	broken  bool // a commit could not be read
}

func (l *Local) writer(ctx context.Context, window collectors.Window, commit func(collectors.Batch) error) (*writer, error) {
	objects, err := l.git.talk(ctx, "cat-file", "--batch")
	if err != nil {
		return nil, err
	}
	diffs, err := l.git.talk(ctx, diffArguments(l.partial)...)
	if err != nil {
		objects.close()
		return nil, err
	}
	return &writer{Local: l, window: window, commit: commit, objects: objects, diffs: diffs, people: map[string]bool{}}, nil
}

func (w *writer) close() {
	w.objects.close()
	w.diffs.close()
}

func (w *writer) all(ctx context.Context, before progress) error {
	var above []string
	after := progress{Since: w.window.Since, Until: w.window.Until, Heads: map[string]string{}}
	until := w.window.Until
	if !until.Before(w.at) {
		until = time.Time{}
	}
	for _, head := range w.heads {
		since, seen := w.window.Since, before.Heads[head.Branch]
		goOn := !since.Before(before.Since) && w.git.beneath(ctx, seen, head.SHA)
		if goOn {
			since = time.Time{}
		}
		top, base, err := w.git.span(ctx, head.SHA, since, until, w.at)
		if err != nil {
			return err
		}
		if goOn {
			base, w.from = seen, before.Until
		}
		if after.Heads[head.Branch] = orElse(top, seen); top == "" {
			continue
		}
		if err := w.branch(ctx, head, top, append(above, base)); err != nil {
			return err
		}
		above = append(above, top)
	}
	if err := w.signatures(ctx); err != nil {
		return err
	}
	if err := w.mailmap(ctx); err != nil {
		return err
	}
	w.cover()
	w.batch.Cursor = engine.Facts(after)
	return w.flush("up to " + w.window.Until.Format(time.RFC3339Nano))
}

// branch reads the commits that top holds and none of without does.
func (w *writer) branch(ctx context.Context, head Head, top string, without []string) error {
	list, err := w.git.list(ctx, top, without)
	if err != nil {
		return err
	}
	defer list.close()
	line := top // the next commit of the branch's own line
	for {
		id, err := list.line()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return err
		}
		onLine := id == line
		parents, err := w.record(ctx, id, onLine)
		if err != nil {
			return err
		}
		if onLine && len(parents) > 0 {
			line = parents[0]
		}
		w.alive()
		w.done++
		if w.ids = append(w.ids, id); len(w.ids) == batchSize {
			if err := w.commits(); err != nil {
				return err
			}
		}
	}
	if err := w.commits(); err != nil {
		return err
	}
	r := w.recorder([]byte(head.Ref + " " + top))
	fact := engine.BranchHeadFact{Repository: w.repository, Branch: head.Branch, SHA: top}
	if head.Default {
		fact.DefaultBranch = &head.Default
	}
	r.Add(engine.Event{
		ID: "git:branch:" + w.repository + ":" + head.Branch + ":" + r.Stamp() + ":" + short(engine.Facts(fact)), Type: "branch.observed",
		Subject: branchSubject(w.repository, head.Branch), Data: engine.Facts(fact),
	})
	w.take(r)
	return nil
}

// record reads one commit; with its files where it is one of the branch's own line.
func (w *writer) record(ctx context.Context, id string, onLine bool) (parents []string, err error) {
	raw, err := w.objects.object(id)
	if _, large := errors.AsType[*tooLarge](err); large {
		w.broken = true
		w.batch.Faults = append(w.batch.Faults, collectors.Fault{Path: w.git.dir, Record: id, Err: err})
		return w.git.parents(ctx, id)
	}
	if err != nil {
		return nil, err
	}
	o := parseObject(raw)
	fact := o.fact(w.repository, id)
	at := collectors.Instant(o.committer.at)
	if at.After(w.at) {
		at = w.at // it cannot have been read before it was made
	}
	if w.oldest.IsZero() || !at.IsZero() && at.Before(w.oldest) {
		w.oldest = at
	}
	r := w.recorder(raw)
	r.Add(engine.Event{ID: "git:commit:" + w.repository + ":" + id, Type: "commit.recorded", OccurredAt: at, Subject: commitSubject(id), Data: engine.Facts(fact)})
	if o.signature != "" {
		w.signed = append(w.signed, id)
	}
	for _, s := range []engine.SignatureFacts{fact.Author, *fact.Committer} {
		w.people[s.Name+" <"+s.Email+">"] = true
	}
	if onLine && !(w.boundary[id] && len(fact.Parents) > 0) {
		list := engine.FileListFact{Repository: w.repository, SHA: id}
		if list.Files, list.Complete, err = w.diffs.files(id, fact.Parents); err != nil {
			return nil, err
		}
		if list.Complete {
			list.DependencyUpdates = patchedUpdates(list.Files)
		}
		data := engine.Facts(list)
		r.Add(engine.Event{ID: "git:files:" + w.repository + ":" + id + ":" + short(data), Type: "change.files_listed", OccurredAt: at, Subject: commitSubject(id), Data: data})
	}
	w.take(r)
	return fact.Parents, nil
}

// signatures asks Git what it makes of the signatures, with the keys on this
// machine: another may see it differently, so it is a reading of its own.
func (w *writer) signatures(ctx context.Context) error {
	if !w.verify || len(w.signed) == 0 {
		return nil
	}
	found, err := w.git.verify(ctx, w.signed, w.alive)
	if err != nil {
		return err
	}
	for _, s := range found {
		r := w.recorder([]byte(s.id + " " + s.status + " " + s.signer))
		fact := engine.CommitFact{Repository: w.repository, SHA: s.id, Verified: s.verified(), Verification: s.words(), Signer: s.signer}
		r.Add(engine.Event{ID: "git:commit:" + w.repository + ":" + s.id + ":signature:" + r.Stamp() + ":" + short(engine.Facts(fact)), Type: "commit.recorded", Subject: commitSubject(s.id), Data: engine.Facts(fact)})
		w.take(r)
	}
	return nil
}

// mailmap records which names the repository's own .mailmap takes for others. Its
// committers write it, so it is a hint for people and resolves nobody.
func (w *writer) mailmap(ctx context.Context) error {
	if len(w.heads) == 0 {
		return nil
	}
	mapped, err := w.git.mailmap(ctx, w.heads[0].SHA, w.people)
	if err != nil {
		return err
	}
	for _, f := range mapped {
		f.Repository = w.repository
		r := w.recorder([]byte(f.Name + " <" + f.Email + "> " + f.MappedName + " <" + f.MappedEmail + ">"))
		r.Add(engine.Event{
			ID: "git:mailmap:" + w.repository + ":" + r.Stamp() + ":" + short(engine.Facts(f)), Type: "identity.mapped",
			Subject: engine.Subject{Type: "identity", ID: orElse(f.Email, f.Name)}, Data: engine.Facts(f),
		})
		w.take(r)
	}
	return nil
}

// cover says what was read and what no clone can tell.
func (w *writer) cover() {
	from, to := w.window.Since, w.window.Until
	if from.IsZero() {
		from = w.from
	}
	if from.IsZero() || len(w.boundary) > 0 && from.Before(w.oldest) {
		from = w.oldest
	}
	if from.IsZero() {
		from = to
	}
	c := engine.CoverageFact{Source: "git", Status: "incomplete", From: &from, To: &to,
		Missing: append([]string{}, unknown...), Repository: w.repository, Counts: &engine.CoverageFactCounts{Records: &w.done}}
	reasons := []string{unknownWhy}
	lacks := w.lacks
	if w.broken {
		lacks = append(lacks, lack{"commits", "a commit could not be read"})
	}
	for _, l := range lacks {
		c.Missing, reasons = append(c.Missing, l.fact), append(reasons, l.why)
	}
	c.Reason = strings.Join(reasons, "; ")
	r := w.recorder(engine.Facts(c))
	r.Cover(c)
	w.take(r)
}

// recorder is for what was read as these bytes.
func (w *writer) recorder(raw []byte) *collectors.Recorder {
	return collectors.NewRecorder(collectors.Payload{
		Path: w.git.dir, Bytes: raw, ObservedAt: w.at, MediaType: "text/plain", Trust: engine.TrustFile,
	}, "git", "git")
}

func (w *writer) take(r *collectors.Recorder) {
	m := r.Mapping()
	w.batch.Events, w.batch.Faults = append(w.batch.Events, m.Events...), append(w.batch.Faults, m.Faults...)
}

// commits ends a step of commits. Steps of one name hold the same commits.
func (w *writer) commits() error {
	if len(w.ids) == 0 {
		return nil
	}
	step := fmt.Sprintf("%d commits from %s", len(w.ids), w.ids[0])
	w.ids = w.ids[:0]
	return w.flush(step)
}

func (w *writer) flush(step string) error {
	w.batch.Step, w.batch.Done = step, w.done
	err := w.commit(w.batch)
	w.batch = collectors.Batch{}
	return err
}

func short(data []byte) string { return strings.TrimPrefix(engine.Digest(data), "sha256:")[:8] }

func orElse(a, b string) string {
	if a != "" {
		return a
	}
	return b
}
