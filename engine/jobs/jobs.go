// Package jobs does work in the background, durably, on the database of the
// journal: what was asked for is done after a crash too, failures are tried again
// with growing pauses, and several processes on one PostgreSQL share the work.
//
// What is done comes in as Tasks. Work on one subject is never queued twice: while
// it waits, asking for it again changes nothing, and while it runs, it is done once
// more afterwards.
package jobs

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/riverqueue/river"
	"github.com/riverqueue/river/riverdriver"
	"github.com/riverqueue/river/rivertype"
)

// Task is one kind of work. Do must be safe to repeat: after a crash it is.
type Task struct {
	Name string // lower-case letters and underscores
	Do   func(ctx context.Context, job Job) error
	// Queue is shared by tasks that take turns: see Config.Queues.
	Queue string
	// Alone: of this task one job runs at a time, in all processes on one database.
	Alone bool
	// Settle is how long a job waits before it begins, for more of the same to come.
	Settle time.Duration
	// Attempts after which a job is given up; 0 is DefaultAttempts.
	Attempts int
	// Every makes a job for each of Subjects (for "" if there are none) by itself,
	// at the start too.
	Every    time.Duration
	Subjects []string
	// Due is asked every Config.Watch in every process for the subjects that need
	// this work, nil for never.
	Due func(ctx context.Context) ([]string, error)
}

// DefaultAttempts is how often a job is tried; with the pauses between, that takes
// some hours.
const DefaultAttempts = 20

// Config of a Queue.
type Config struct {
	Address string         // of the journal: sqlite:PATH or postgres://…
	Tasks   []Task         // none: the Queue only lists and retries
	Queues  map[string]int // how many jobs of a queue run at once in this process
	Watch   time.Duration  // how often Due is asked; 0 is two seconds
	Logger  *slog.Logger   // nil for none
}

// A process tells every beat that its jobs live. A job that was not told of for
// lifeless belongs to a process that is dead, and is taken over.
const (
	beat     = 5 * time.Second
	lifeless = 20 * time.Second
)

// Queue is the work of one process. It is safe for concurrent use.
type Queue struct {
	client  client
	exec    riverdriver.Executor
	close   func()
	tasks   map[string]Task
	watch   time.Duration
	log     *slog.Logger
	wake    map[string]chan struct{} // of tasks that are asked whether they are due
	running sync.Map                 // ids of jobs that run here
	alone   sync.Map                 // names of tasks that run alone, here
	lock    func(ctx context.Context, task string) (release func(), err error)
	only    func(ctx context.Context) (release func(), err error) // keeps other processes from working; nil: they may
	stop    context.CancelFunc
	group   sync.WaitGroup
}

// client is what is used of a River client, which is a type for each database.
type client interface {
	Start(ctx context.Context) error
	Stop(ctx context.Context) error
	StopAndCancel(ctx context.Context) error
	Insert(ctx context.Context, args river.JobArgs, opts *river.InsertOpts) (*rivertype.JobInsertResult, error)
	JobList(ctx context.Context, params *river.JobListParams) (*river.JobListResult, error)
	JobRetry(ctx context.Context, id int64) (*rivertype.JobRow, error)
}

// Open prepares the tables of the queue; nothing runs yet.
func Open(ctx context.Context, c Config) (*Queue, error) {
	q := &Queue{tasks: map[string]Task{}, wake: map[string]chan struct{}{}, watch: c.Watch, log: c.Logger, stop: func() {}}
	if q.log == nil {
		q.log = slog.New(slog.DiscardHandler)
	}
	if q.watch <= 0 {
		q.watch = 2 * time.Second
	}
	for _, t := range c.Tasks {
		q.tasks[t.Name] = t
		q.wake[t.Name] = make(chan struct{}, 1)
	}
	config, err := q.config(c)
	if err != nil {
		return nil, err
	}
	if err := q.connect(ctx, c.Address, config); err != nil {
		return nil, fmt.Errorf("background work: %w", err)
	}
	return q, nil
}

// Start begins to work. Cancelling ctx does not stop it: see Stop.
func (q *Queue) Start(ctx context.Context) error {
	ctx = context.WithoutCancel(ctx)
	release := func() {}
	if q.only != nil {
		var err error
		if release, err = q.only(ctx); err != nil {
			return fmt.Errorf("background work: %w", err)
		}
	}
	if err := q.client.Start(ctx); err != nil {
		release()
		return fmt.Errorf("background work: %w", err)
	}
	ctx, stop := context.WithCancel(ctx)
	q.stop = func() { stop(); release() }
	q.every(ctx, beat, nil, q.live)
	for _, t := range q.tasks {
		if t.Due != nil {
			q.every(ctx, q.watch, q.wake[t.Name], func(ctx context.Context) error { return q.ask(ctx, t) })
		}
	}
	return nil
}

// Stop takes no new work, lets what runs end until ctx does, and then breaks it off;
// what was broken off is done again by whoever starts next.
func (q *Queue) Stop(ctx context.Context) error {
	err := q.client.Stop(ctx)
	if err != nil {
		last, cancel := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
		defer cancel()
		err = q.client.StopAndCancel(last)
	}
	q.stop()
	q.stop = func() {}
	q.group.Wait()
	if err != nil {
		return fmt.Errorf("background work: %w", err)
	}
	return nil
}

// Close gives the connections back.
func (q *Queue) Close() { q.close() }

// turns are how many jobs of one subject there may be.
const turns = 4

// Add asks for the work of a task on a subject, "" if the task has none. It returns
// when that is durable.
func (q *Queue) Add(ctx context.Context, task, subject string) error {
	t, ok := q.tasks[task]
	if !ok {
		return fmt.Errorf("background work: there is no task %q", task)
	}
	// The job that runs may have read already what this call is about: then another
	// waits behind it. One may also belong to a dead process and not be taken over yet.
	for turn := range turns {
		done, err := q.client.Insert(ctx, q.args(t, subject, turn), nil)
		if err != nil {
			return fmt.Errorf("background work: %s: %w", task, err)
		}
		if !done.UniqueSkippedAsDuplicate || done.Job.State != rivertype.JobStateRunning {
			return nil
		}
	}
	return nil
}

// Nudge has a task asked now whether it is due. It never waits, and however often it is
// called, the task is asked few times a second.
func (q *Queue) Nudge(task string) {
	select {
	case q.wake[task] <- struct{}{}:
	default: // it will be asked already
	}
}

// gap is the least time between two questions.
const gap = 100 * time.Millisecond

// every calls do at an interval and whenever it is woken, the first time at once, until
// the queue stops.
func (q *Queue) every(ctx context.Context, interval time.Duration, wake <-chan struct{}, do func(context.Context) error) {
	q.group.Go(func() {
		ticker := time.NewTicker(interval)
		defer ticker.Stop()
		for {
			if err := do(ctx); err != nil && ctx.Err() == nil {
				q.log.ErrorContext(ctx, "background work", "error", err.Error())
			}
			select {
			case <-ctx.Done():
				return
			case <-time.After(min(gap, interval)):
			}
			select {
			case <-ctx.Done():
				return
			case <-ticker.C:
			case <-wake:
			}
		}
	})
}

// ask adds what a task says is due.
func (q *Queue) ask(ctx context.Context, t Task) error {
	subjects, err := t.Due(ctx)
	if err != nil {
		return fmt.Errorf("%s: %w", t.Name, err)
	}
	var faults []error
	for _, subject := range subjects {
		faults = append(faults, q.Add(ctx, t.Name, subject))
	}
	return errors.Join(faults...)
}

// live tells that the jobs of this process live, and takes over those of dead ones.
func (q *Queue) live(ctx context.Context) error {
	var faults []error
	q.running.Range(func(key, _ any) bool {
		id, _ := key.(int64)
		now := time.Now().UTC()
		_, err := q.exec.JobUpdateFull(ctx, &riverdriver.JobUpdateFullParams{ID: id, AttemptedAtDoUpdate: true, AttemptedAt: &now})
		faults = append(faults, err)
		return true
	})
	return errors.Join(append(faults, q.rescue(ctx))...)
}

func (q *Queue) rescue(ctx context.Context) error {
	const page = 100
	horizon := time.Now().UTC().Add(-lifeless)
	stuck, err := q.exec.JobGetStuck(ctx, &riverdriver.JobGetStuckParams{Max: page, StuckHorizon: horizon})
	if err != nil || len(stuck) == 0 {
		return err
	}
	take := riverdriver.JobRescueManyParams{StuckHorizon: horizon}
	for _, job := range stuck {
		if _, mine := q.running.Load(job.ID); mine {
			continue
		}
		at := time.Now().UTC()
		fault, err := faultOf(job, at)
		if err != nil {
			return err
		}
		state, end := rivertype.JobStateAvailable, (*time.Time)(nil)
		if job.Attempt >= job.MaxAttempts {
			state, end = rivertype.JobStateDiscarded, &at
		}
		take.ID = append(take.ID, job.ID)
		take.Error = append(take.Error, fault)
		take.FinalizedAt = append(take.FinalizedAt, end)
		take.ScheduledAt = append(take.ScheduledAt, at)
		take.State = append(take.State, string(state))
		q.log.WarnContext(ctx, "job taken over from a process that died", "task", job.Kind, "job", job.ID)
	}
	if len(take.ID) == 0 {
		return nil
	}
	_, err = q.exec.JobRescueMany(ctx, &take)
	return err
}
