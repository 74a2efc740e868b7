package app

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"runtime"
	"slices"
	"time"

	"github.com/changevouch/changevouch/engine"
	"github.com/changevouch/changevouch/engine/assembly"
	"github.com/changevouch/changevouch/engine/report"
	"github.com/changevouch/changevouch/engine/store"
)

// Decide judges what a journal's events say, and records it.
type Decide struct {
	Record    *Record
	Policy    StandingPolicy
	Directory assembly.Directory // its waivers and attestations beside those of the journal
	At        time.Time
	Periods   []string // a month, a year or FROM/TO: each gets a decision of its own
}

// Decided counts what a Decide did. Later are subjects that it left alone because the
// journal holds a decision of a later moment. Standing is what holds now of every
// subject that the events speak of, judged this time or before.
type Decided struct {
	Judged, Unchanged, Later int
	Standing                 report.Summary
}

// Deciding is told what happens. Judged gets a decision when its record is durable.
type Deciding struct {
	Judged    func(report.Judgement) error
	Undecided func(error)
	Problem   func(assembly.Problem)
}

// recordStep is how many decisions are recorded in one transaction.
const recordStep = 64

// Run assembles dossiers from all events of the journal, judges those that are due
// (see store.Journal.Due) and records the decisions. A dossier on which there is no
// decision does not keep the others from being judged.
func (d Decide) Run(ctx context.Context, tell Deciding) (Decided, error) {
	var done Decided
	dossiers, err := d.assemble(ctx, tell.Problem)
	if err != nil {
		return done, err
	}
	journal, err := d.Record.store.Journal(ctx, d.Policy.Judge)
	if err != nil {
		return done, err
	}
	latest, err := d.Record.latest(ctx)
	if err != nil {
		return done, err
	}
	type answer struct {
		judged engine.Judgement
		due    bool
		err    error
	}
	decide := func(ctx context.Context, dossier engine.Dossier) answer {
		content, err := contentOf(dossier)
		if err != nil {
			return answer{err: err}
		}
		again := periodic[dossier.Subject.Type]
		if !again && d.Record.isSettled(dossier, content, journal.Judge(), latest) {
			return answer{}
		}
		text, err := encodeDossier(dossier, "")
		if err != nil {
			return answer{err: err}
		}
		due, err := journal.Due(ctx, text)
		if err != nil {
			return answer{err: err}
		}
		if !due && !again {
			d.Record.settle(dossier.Subject, content, journal.Judge(), latest)
			return answer{}
		}
		decision, err := d.Policy.Evaluate(ctx, text)
		if err != nil {
			err = fmt.Errorf("%s %s: %w", dossier.Subject.Type, dossier.Subject.ID, err)
		} else if !due {
			if due, err = d.turned(ctx, decision); err != nil || !due {
				return answer{err: err}
			}
		}
		return answer{judged: engine.Judgement{Dossier: text, Decision: decision}, due: true, err: err}
	}
	var batch []engine.Judgement
	record := func() error {
		recorded, err := recorded(ctx, journal, batch)
		if err != nil {
			return fmt.Errorf("record decisions: %w", err)
		}
		done.Later += len(batch) - len(recorded)
		for _, j := range recorded {
			done.Judged++
			if err := tell.Judged(report.Judgement{Decision: j.Decision, Dossier: j.Dossier}); err != nil {
				return err
			}
		}
		batch = batch[:0]
		return nil
	}
	err = ordered(ctx, slices.Values(dossiers), runtime.GOMAXPROCS(0), decide, func(a answer) error {
		switch {
		case errors.Is(a.err, engine.ErrSuperseded):
			done.Later++
		case a.err != nil && (!a.due || ctx.Err() != nil):
			return a.err
		case a.err != nil:
			done.Standing.Undecided++
			tell.Undecided(a.err)
		case !a.due:
			done.Unchanged++
		default:
			batch = append(batch, a.judged)
		}
		if len(batch) < recordStep {
			return nil
		}
		return record()
	})
	if err == nil {
		err = record()
	}
	if err != nil {
		return done, err
	}
	return done, d.stand(ctx, dossiers, &done.Standing)
}

// recorded records decisions, and returns those that it did record: all, unless
// somebody judged the same subject as of a later moment meanwhile.
func recorded(ctx context.Context, journal *store.Journal, batch []engine.Judgement) ([]engine.Judgement, error) {
	err := journal.AppendAll(ctx, batch)
	if err == nil || !errors.Is(err, engine.ErrSuperseded) {
		return batch, err
	}
	var list []engine.Judgement
	for _, j := range batch {
		err := journal.Append(ctx, j.Dossier, j.Decision)
		if errors.Is(err, engine.ErrSuperseded) {
			continue
		}
		if err != nil {
			return list, err
		}
		list = append(list, j)
	}
	return list, nil
}

// periodic are the subjects whose verdict time alone can turn from pass to fail: what
// has to be done again and again falls overdue although nothing happened.
var periodic = map[string]bool{"access_review": true, "policy_review": true}

// turned reports whether a decision says of any control something else than the
// latest on its subject.
func (d Decide) turned(ctx context.Context, now engine.Decision) (bool, error) {
	history, err := d.Record.store.History(ctx, now.Subject)
	if err != nil {
		return false, err
	}
	before, err := history[len(history)-1].Decode()
	if err != nil {
		return false, err
	}
	status := func(d engine.Decision) map[string]string {
		out := map[string]string{}
		for _, f := range d.Findings {
			out[f.Control] = f.Status
		}
		return out
	}
	return now.Outcome != before.Outcome || !maps.Equal(status(now), status(before)), nil
}

// assemble makes the dossiers of everything that the journal has events of.
func (d Decide) assemble(ctx context.Context, problem func(assembly.Problem)) ([]engine.Dossier, error) {
	events, err := d.Record.Events(ctx)
	if err != nil {
		return nil, err
	}
	if len(events) == 0 {
		return nil, nothing(fmt.Errorf("the journal %s holds no events yet: name some with --events, or recordings of a source", d.Record.store.Place()))
	}
	dir, err := d.Record.Directory(ctx, d.Directory)
	if err != nil {
		return nil, err
	}
	dossiers, problems, err := assemble(ctx, events, dir, d.Policy.settings, d.Policy, d.At, d.Periods)
	for _, p := range problems {
		problem(p)
	}
	return dossiers, err
}

// stand counts what holds of the subjects of dossiers.
func (d Decide) stand(ctx context.Context, dossiers []engine.Dossier, sum *report.Summary) error {
	subjects := map[engine.Subject]bool{}
	for _, dossier := range dossiers {
		subjects[dossier.Subject] = true
	}
	return EachSubject(ctx, d.Record.store, engine.SubjectFilter{}, func(s engine.DecisionSummary) error {
		if subjects[s.Subject] {
			sum.Add(engine.Decision{Outcome: s.Outcome})
		}
		return nil
	})
}

// subjectsPage is how many subjects are read at once.
const subjectsPage = 500

// EachSubject hands over the latest decision on each subject that a filter chooses.
func EachSubject(ctx context.Context, s *store.Store, filter engine.SubjectFilter, take func(engine.DecisionSummary) error) error {
	var after engine.Subject
	for {
		page, err := s.Subjects(ctx, filter, after, subjectsPage)
		if err != nil {
			return err
		}
		for _, one := range page {
			if err := take(one); err != nil {
				return err
			}
			after = one.Subject
		}
		if len(page) < subjectsPage {
			return nil
		}
	}
}
