package jobs

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/riverqueue/river"
	"github.com/riverqueue/river/riverdriver"
	"github.com/riverqueue/river/rivertype"
)

// States of a job.
const (
	StateWaiting  = "waiting"  // to be done as soon as somebody is free
	StateRunning  = "running"  // now
	StateRetrying = "retrying" // failed, and is tried again at Next
	StateDone     = "done"     // kept for an hour
	StateDead     = "dead"     // given up: somebody must look
)

var states = map[string][]rivertype.JobState{
	StateWaiting:  {rivertype.JobStateAvailable, rivertype.JobStatePending, rivertype.JobStateScheduled},
	StateRunning:  {rivertype.JobStateRunning},
	StateRetrying: {rivertype.JobStateRetryable, rivertype.JobStateAvailable, rivertype.JobStateScheduled},
	StateDone:     {rivertype.JobStateCompleted},
	StateDead:     {rivertype.JobStateDiscarded, rivertype.JobStateCancelled},
}

// States lists them, in the order of a job's life.
func States() []string {
	return []string{StateWaiting, StateRunning, StateRetrying, StateDone, StateDead}
}

// Job is one piece of work.
type Job struct {
	ID       int64     `json:"id"`
	Task     string    `json:"task"`
	Subject  string    `json:"subject,omitempty"`
	State    string    `json:"state"`
	Attempt  int       `json:"attempt"` // 1 for the first
	Attempts int       `json:"attempts"`
	AddedAt  time.Time `json:"added_at"`
	Next     time.Time `json:"next,omitzero"`
	EndedAt  time.Time `json:"ended_at,omitzero"`
	Error    string    `json:"error,omitempty"` // of the last attempt that failed
}

func jobOf(row *rivertype.JobRow) Job {
	j := Job{ID: row.ID, Task: row.Kind, Attempt: row.Attempt, Attempts: row.MaxAttempts, AddedAt: row.CreatedAt.UTC()}
	j.State = stateOf(row)
	var a args
	if json.Unmarshal(row.EncodedArgs, &a) == nil {
		j.Subject = a.Subject
	}
	if j.State == StateWaiting || j.State == StateRetrying {
		j.Next = row.ScheduledAt.UTC()
	}
	if row.FinalizedAt != nil {
		j.EndedAt = row.FinalizedAt.UTC()
	}
	if n := len(row.Errors); n > 0 {
		j.Error = row.Errors[n-1].Error
	}
	return j
}

// stateOf names the state in our words. A failed job whose pause is short is available
// already, to River.
func stateOf(row *rivertype.JobRow) string {
	if len(row.Errors) > 0 && slices.Contains(states[StateRetrying], row.State) {
		return StateRetrying
	}
	for _, name := range []string{StateWaiting, StateRunning, StateDone, StateDead} {
		if slices.Contains(states[name], row.State) {
			return name
		}
	}
	return StateRetrying
}

// ErrNotFound says that there is no such job.
var ErrNotFound = errors.New("no such job")

// List returns jobs of some states (none: of all), the newest first.
func (q *Queue) List(ctx context.Context, only []string, limit int) ([]Job, error) {
	var wanted []rivertype.JobState
	for _, name := range only {
		wanted = append(wanted, states[name]...)
	}
	params := river.NewJobListParams().First(limit).OrderBy(river.JobListOrderByID, river.SortOrderDesc)
	if len(wanted) > 0 {
		params = params.States(wanted...)
	}
	list, err := q.client.JobList(ctx, params)
	if err != nil {
		return nil, fmt.Errorf("background work: %w", err)
	}
	out := make([]Job, 0, len(list.Jobs))
	for _, row := range list.Jobs {
		if j := jobOf(row); len(only) == 0 || slices.Contains(only, j.State) {
			out = append(out, j)
		}
	}
	return out, nil
}

// Retry has a job done again, whatever became of it, with one attempt more.
func (q *Queue) Retry(ctx context.Context, id int64) (Job, error) {
	row, err := q.client.JobRetry(ctx, id)
	switch {
	case errors.Is(err, rivertype.ErrNotFound):
		return Job{}, fmt.Errorf("%w: %d", ErrNotFound, id)
	case err != nil:
		return Job{}, fmt.Errorf("background work: job %d: %w", id, err)
	}
	return jobOf(row), nil
}

// Count counts the jobs in every state; those that failed and are tried again within
// seconds count as waiting.
func (q *Queue) Count(ctx context.Context) (map[string]int, error) {
	counts, err := q.exec.JobCountByAllStates(ctx, &riverdriver.JobCountByAllStatesParams{})
	if err != nil {
		return nil, fmt.Errorf("background work: %w", err)
	}
	out := map[string]int{}
	for state, n := range counts {
		out[stateOf(&rivertype.JobRow{State: state})] += n
	}
	return out, nil
}

// Oldest is when the job that has waited longest could have begun; zero when none waits.
func (q *Queue) Oldest(ctx context.Context) (time.Time, error) {
	list, err := q.client.JobList(ctx, river.NewJobListParams().States(rivertype.JobStateAvailable).
		OrderBy(river.JobListOrderByScheduledAt, river.SortOrderAsc).First(1))
	if err != nil || len(list.Jobs) == 0 {
		return time.Time{}, err
	}
	return list.Jobs[0].ScheduledAt.UTC(), nil
}
