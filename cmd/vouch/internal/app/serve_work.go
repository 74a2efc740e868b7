package app

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/changevouch/changevouch/engine"
	"github.com/changevouch/changevouch/engine/assembly"
	"github.com/changevouch/changevouch/engine/jobs"
	"github.com/changevouch/changevouch/engine/report"
)

// Tasks of a server.
const (
	taskDeliveries = "deliveries" // record what webhooks delivered
	taskSources    = "sources"    // find out what is to be read, and have it read
	taskPoll       = "poll"       // read one source
	taskReconcile  = "reconcile"  // read the last days of a source again
	taskJudge      = "judge"      // judge what changed, and what is due
	taskFollow     = "follow"     // tell of what was recorded
	taskReport     = "report"     // show the decision on a pull request there
	taskNotify     = "notify"     // send one notice
	taskRemind     = "remind"     // find the deadlines that come due
	taskRetain     = "retain"     // remove what was kept long enough
	taskCheckpoint = "checkpoint" // have the journal remember its head
)

// queues keep slow work from holding up quick work.
func queues() map[string]int {
	return map[string]int{"intake": 2, "judge": 1, "sources": 4, "messages": 4}
}

// tasks is all that is done in the background.
func (s *Server) tasks() []jobs.Task {
	pace := s.options.Pace
	all := []jobs.Task{
		{Name: taskDeliveries, Queue: "intake", Alone: true, Do: plainly(s.intake), Due: when(s.hasDeliveries)},
		{Name: taskFollow, Queue: "intake", Alone: true, Do: plainly(s.follow), Due: when(s.behind)},
		// Every hour, because time alone overtakes decisions that name no deadline.
		{Name: taskJudge, Queue: "judge", Alone: true, Settle: pace.JudgeAfter, Do: plainly(s.judge), Due: when(s.hasOverdue), Every: time.Hour},
		{Name: taskPoll, Queue: "sources", Settle: pace.PollAfter, Do: s.poll},
		{Name: taskReport, Queue: "messages", Do: s.reportGate},
		{Name: taskNotify, Queue: "messages", Do: s.notify},
		{Name: taskCheckpoint, Queue: "intake", Do: plainly(s.checkpoint), Every: time.Hour},
	}
	if s.sources.configured() {
		every := s.config.Poll.Every.Duration
		if every <= 0 {
			every = 15 * time.Minute
		}
		all = append(all,
			jobs.Task{Name: taskSources, Queue: "sources", Alone: true, Every: every, Do: plainly(s.pollAll)},
			jobs.Task{Name: taskReconcile, Queue: "sources", Every: 24 * time.Hour, Do: s.reconcile})
	}
	if s.notices.deadlines() {
		all = append(all, jobs.Task{Name: taskRemind, Queue: "intake", Alone: true, Do: plainly(s.remind), Due: when(s.hasReminders)})
	}
	if every := s.config.Retention.Every.Duration; every > 0 {
		all = append(all, jobs.Task{Name: taskRetain, Queue: "judge", Alone: true, Every: every, Do: plainly(s.retain)})
	}
	return all
}

// plainly is the work of a task without subjects.
func plainly(do func(context.Context) error) func(context.Context, jobs.Job) error {
	return func(ctx context.Context, _ jobs.Job) error { return do(ctx) }
}

// when says that a task without subjects is due.
func when(due func(context.Context) (bool, error)) func(context.Context) ([]string, error) {
	return func(ctx context.Context) ([]string, error) {
		yes, err := due(ctx)
		if err != nil || !yes {
			return nil, err
		}
		return []string{""}, nil
	}
}

func (s *Server) hasDeliveries(ctx context.Context) (bool, error) {
	pending, err := s.store.PendingDeliveries(ctx, 1)
	return len(pending) > 0, err
}

// pollAll has every source read.
func (s *Server) pollAll(ctx context.Context) error {
	names, err := s.sources.names(ctx)
	for _, name := range names {
		err = errors.Join(err, s.queue.Add(ctx, taskPoll, name))
	}
	return err
}

func (s *Server) poll(ctx context.Context, job jobs.Job) error {
	if err := s.known(ctx, job.Subject); err != nil {
		return err
	}
	_, err := s.sources.poll(ctx, job.Subject)
	return err
}

// known makes sure that this process knows a source, since another may have asked for it.
func (s *Server) known(ctx context.Context, name string) error {
	if s.sources.find(name) != nil {
		return nil
	}
	_, err := s.sources.names(ctx)
	if s.sources.find(name) != nil {
		return nil
	}
	return err
}

// reconcile reads again what webhooks and polls should have brought.
func (s *Server) reconcile(ctx context.Context, job jobs.Job) error {
	if job.Subject == "" {
		names, err := s.sources.names(ctx)
		for _, name := range names {
			err = errors.Join(err, s.queue.Add(ctx, taskReconcile, name))
		}
		return err
	}
	if err := s.known(ctx, job.Subject); err != nil {
		return err
	}
	missed, err := s.sources.reconcile(ctx, job.Subject)
	if missed > 0 {
		s.log.WarnContext(ctx, "events that neither webhooks nor polls had brought", "source", job.Subject, "events", missed)
	}
	return err
}

// judge judges what changed since it was judged last, and what is due.
func (s *Server) judge(ctx context.Context) error {
	began := time.Now()
	now := s.rules.current()
	at := s.clock().UTC()
	defer func() { s.metrics.judged.Observe(time.Since(began).Seconds()) }()
	done, err := s.decide(ctx, now, at)
	if err != nil && !errors.Is(err, ErrNothing) {
		return err
	}
	again, err := s.judgePassed(ctx, now, at)
	if err != nil {
		return err
	}
	if done.Judged+again > 0 {
		s.queue.Nudge(taskFollow)
		s.log.InfoContext(ctx, "judged", "decisions", done.Judged+again, "unchanged", done.Unchanged, "seconds", time.Since(began).Seconds())
	}
	return nil
}

// decide judges what the journal's events say. Without a directory nobody in them would
// be known and everything unknown, so they are left as they were judged.
func (s *Server) decide(ctx context.Context, now *ruling, at time.Time) (Decided, error) {
	if s.config.Directory == "" {
		return Decided{}, nil
	}
	// The month before is over, and what collectors say of it does not change with
	// every reading.
	month := time.Date(at.Year(), at.Month(), 0, 0, 0, 0, 0, time.UTC).Format("2006-01")
	decide := Decide{Record: s.record, Policy: now.Standing, Directory: now.Directory, At: at, Periods: []string{month}}
	return decide.Run(ctx, Deciding{
		Judged: func(j report.Judgement) error {
			s.decided(j.Decision)
			return nil
		},
		Undecided: func(err error) {
			s.metrics.undecided.Inc()
			s.log.ErrorContext(ctx, "could not decide", "error", err.Error())
		},
		Problem: func(p assembly.Problem) { s.log.DebugContext(ctx, "look at", "problem", p.Error()) },
	})
}

// decided notes one decision that was recorded.
func (s *Server) decided(d engine.Decision) {
	s.log.Info("decision", "decision", d.ID, "type", d.Subject.Type, "subject", d.Subject.ID, "outcome", d.Outcome)
}

// overdue remembers the deadlines that stayed passed although they were judged, so
// that they are not judged again and again.
type overdue struct {
	sync.Mutex
	stuck map[string]time.Time // decision → when to try it again
}

// overdueRetry is how long a deadline that stays passed waits.
const overdueRetry = 10 * time.Minute

func (s *Server) hasOverdue(ctx context.Context) (bool, error) {
	list, err := s.passed(ctx)
	return len(list) > 0, err
}

// passed lists decisions that time has overtaken.
func (s *Server) passed(ctx context.Context) ([]engine.DecisionSummary, error) {
	now := s.clock().UTC()
	var out []engine.DecisionSummary
	var after *engine.DecisionSummary
	s.overdue.Lock()
	defer s.overdue.Unlock()
	for {
		page, err := s.store.Deadlines(ctx, engine.SubjectFilter{DueBefore: now}, after, subjectsPage)
		if err != nil {
			return nil, err
		}
		for _, one := range page {
			if until, stuck := s.overdue.stuck[one.ID]; !stuck || !now.Before(until) {
				out = append(out, one)
			}
		}
		if len(page) < subjectsPage {
			return out, nil
		}
		after = &page[len(page)-1]
	}
}

// judgePassed judges on their kept dossiers the subjects whose deadline passed and that no
// event speaks of: those that were handed in to be evaluated.
func (s *Server) judgePassed(ctx context.Context, now *ruling, at time.Time) (int, error) {
	list, err := s.passed(ctx)
	if err != nil {
		return 0, err
	}
	judged := 0
	for _, one := range list {
		err := s.rejudge(ctx, now, one, at)
		if err != nil && ctx.Err() != nil {
			return judged, err
		}
		if err != nil {
			s.metrics.undecided.Inc()
			s.log.ErrorContext(ctx, "could not judge again what is due", "decision", one.ID, "subject", one.Subject.ID, "error", err.Error())
		} else {
			judged++
		}
	}
	if list, err = s.passed(ctx); err != nil {
		return judged, err
	}
	s.overdue.Lock()
	defer s.overdue.Unlock()
	s.overdue.stuck = map[string]time.Time{}
	for _, one := range list {
		s.overdue.stuck[one.ID] = at.Add(overdueRetry)
	}
	return judged, nil
}

// rejudge judges the dossier of a decision at another instant.
func (s *Server) rejudge(ctx context.Context, now *ruling, one engine.DecisionSummary, at time.Time) error {
	record, err := s.store.Decision(ctx, one.ID)
	if err != nil {
		return err
	}
	text, err := s.store.Dossier(ctx, record.Dossier)
	if err != nil {
		return err
	}
	if text, err = datedAt(text, at); err != nil {
		return fmt.Errorf("dossier %s: %w", record.Dossier, err)
	}
	decision, err := engine.Engine{Policy: now.Standing, Journal: now.Journal}.Decide(ctx, text)
	if err != nil {
		return err
	}
	s.decided(decision)
	return nil
}

// retain removes what was kept for as long as the settings promise.
func (s *Server) retain(ctx context.Context) error {
	keep, err := s.rules.current().Standing.Retention()
	if err != nil {
		return err
	}
	removed, err := s.store.Retain(ctx, s.clock().UTC().Add(-keep), keep, false)
	if err == nil && removed.Index >= 0 {
		s.log.InfoContext(ctx, "records removed that were kept long enough", "decisions", removed.Decisions, "events", removed.Events, "before", removed.Before)
	}
	return err
}

func (s *Server) checkpoint(ctx context.Context) error {
	_, err := s.store.Checkpoint(ctx)
	return err
}
