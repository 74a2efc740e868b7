package jobs

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/riverqueue/river"
	"github.com/riverqueue/river/rivertype"
)

// args is what River keeps of a job. Turn tells the job that waits behind a running
// one from it.
type args struct {
	Subject string `json:"subject,omitempty"`
	Turn    int    `json:"turn,omitempty"`
	task    Task
}

// Kind implements river.JobArgs.
func (a args) Kind() string { return a.task.Name }

// InsertOpts implements river.JobArgsWithInsertOpts.
func (a args) InsertOpts() river.InsertOpts {
	attempts := a.task.Attempts
	if attempts <= 0 {
		attempts = DefaultAttempts
	}
	return river.InsertOpts{
		Queue: a.task.Queue, MaxAttempts: attempts,
		UniqueOpts: river.UniqueOpts{ByArgs: true, ByState: []rivertype.JobState{
			rivertype.JobStateAvailable, rivertype.JobStatePending, rivertype.JobStateRetryable, rivertype.JobStateRunning, rivertype.JobStateScheduled,
		}},
	}
}

func (q *Queue) args(t Task, subject string, turn int) args {
	return args{Subject: subject, Turn: turn, task: t}
}

// config is that of River.
func (q *Queue) config(c Config) (*river.Config, error) {
	config := &river.Config{
		Logger: slog.New(quiet{q.log.Handler()}), JobTimeout: -1, RetryPolicy: pauses{},
		CompletedJobRetentionPeriod: time.Hour, DiscardedJobRetentionPeriod: 90 * 24 * time.Hour, CancelledJobRetentionPeriod: 90 * 24 * time.Hour,
	}
	if len(c.Tasks) == 0 {
		return config, nil
	}
	config.Workers, config.Queues = river.NewWorkers(), map[string]river.QueueConfig{}
	for _, t := range c.Tasks {
		most := c.Queues[t.Queue]
		if most <= 0 {
			return nil, fmt.Errorf("background work: %s: the queue %q runs nothing", t.Name, t.Queue)
		}
		config.Queues[t.Queue] = river.QueueConfig{MaxWorkers: most}
		river.AddWorkerArgs(config.Workers, q.args(t, "", 0), &worker{queue: q, task: t})
		if t.Every <= 0 {
			continue
		}
		subjects := t.Subjects
		if len(subjects) == 0 {
			subjects = []string{""}
		}
		for _, subject := range subjects {
			config.PeriodicJobs = append(config.PeriodicJobs, river.NewPeriodicJob(river.PeriodicInterval(t.Every),
				func() (river.JobArgs, *river.InsertOpts) { return q.args(t, subject, 0), nil }, &river.PeriodicJobOpts{RunOnStart: true}))
		}
	}
	return config, nil
}

// pauses between attempts: 2, 4, 8 … seconds, at most half an hour.
type pauses struct{}

// NextRetry implements river.ClientRetryPolicy.
func (pauses) NextRetry(job *rivertype.JobRow) time.Time {
	return time.Now().UTC().Add(min(time.Second<<min(len(job.Errors)+1, 20), 30*time.Minute))
}

// worker does the jobs of one task.
type worker struct {
	river.WorkerDefaults[args]
	queue *Queue
	task  Task
}

// Work implements river.Worker.
func (w *worker) Work(ctx context.Context, job *river.Job[args]) error {
	w.queue.running.Store(job.ID, nil)
	defer w.queue.running.Delete(job.ID)
	if w.task.Settle > 0 {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(w.task.Settle):
		}
	}
	if w.task.Alone {
		release, err := w.queue.hold(ctx, w.task.Name)
		if errors.Is(err, errHeld) {
			return river.JobSnooze(time.Second)
		}
		if err != nil {
			return err
		}
		defer release()
	}
	began := time.Now()
	err := w.task.Do(ctx, jobOf(job.JobRow))
	log := w.queue.log.With("task", w.task.Name, "subject", job.Args.Subject, "job", job.ID, "attempt", job.Attempt)
	var last finalError
	switch {
	case err == nil:
		log.DebugContext(ctx, "job done", "seconds", time.Since(began).Seconds())
	case errors.As(err, &last):
		log.ErrorContext(ctx, "job given up", "error", err.Error())
		return river.JobCancel(err)
	case ctx.Err() != nil:
		log.InfoContext(ctx, "job broken off", "error", err.Error())
	default:
		log.WarnContext(ctx, "job failed", "error", err.Error(), "attempts", job.MaxAttempts)
	}
	return err
}

// errHeld: another job of the task runs.
var errHeld = errors.New("another one runs")

// hold has a task run alone until it is released. A process that dies lets go.
func (q *Queue) hold(ctx context.Context, task string) (release func(), err error) {
	if _, held := q.alone.LoadOrStore(task, nil); held {
		return nil, errHeld
	}
	let := func() { q.alone.Delete(task) }
	if q.lock == nil {
		return let, nil
	}
	everywhere, err := q.lock(ctx, task)
	if err != nil {
		let()
		return nil, err
	}
	return func() { everywhere(); let() }, nil
}

// Final makes an error the last of its job: it is not tried again by itself.
func Final(err error) error { return finalError{err} }

type finalError struct{ error }

func (e finalError) Unwrap() error { return e.error }

// Died is the Error of a job whose last attempt ended with its process.
const Died = "the process that ran it died"

// faultOf is what a job that was taken over shows of the attempt before.
func faultOf(job *rivertype.JobRow, at time.Time) ([]byte, error) {
	b, err := json.Marshal(rivertype.AttemptError{At: at, Attempt: job.Attempt, Error: Died})
	if err != nil {
		return nil, fmt.Errorf("job %d: %w", job.ID, err)
	}
	return b, nil
}

// quiet lets through what River warns of.
type quiet struct{ slog.Handler }

// Enabled implements slog.Handler.
func (h quiet) Enabled(ctx context.Context, level slog.Level) bool {
	return level >= slog.LevelWarn && h.Handler.Enabled(ctx, level)
}

// WithAttrs implements slog.Handler.
func (h quiet) WithAttrs(a []slog.Attr) slog.Handler { return quiet{h.Handler.WithAttrs(a)} }

// WithGroup implements slog.Handler.
func (h quiet) WithGroup(name string) slog.Handler { return quiet{h.Handler.WithGroup(name)} }
