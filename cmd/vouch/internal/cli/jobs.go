package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/changevouch/changevouch/cmd/vouch/internal/app"
	"github.com/changevouch/changevouch/engine/jobs"
	"github.com/changevouch/changevouch/engine/report"
	"github.com/changevouch/changevouch/engine/store"
)

func newJobsCommand(sys System) *cobra.Command {
	return newGroup("jobs", "See the server's background work, and try again what failed", newJobsListCommand(sys), newJobsRetryCommand(sys))
}

// withJobs opens the queue of a journal that exists.
func withJobs(ctx context.Context, c app.JournalConfig, do func(*jobs.Queue) error) error {
	return reading(ctx, c, func(*store.Store) error {
		address, err := c.Address()
		if err != nil {
			return err
		}
		q, err := jobs.Open(ctx, jobs.Config{Address: address})
		if err != nil {
			return err
		}
		defer q.Close()
		return do(q)
	})
}

func newJobsListCommand(sys System) *cobra.Command {
	var journal app.JournalConfig
	var only, outputs []string
	var limit int
	cmd := &cobra.Command{
		Use:   "list",
		Short: "List jobs, the newest first",
		Long: `List the jobs of the server's background work, the newest first. A job that failed is
retrying: it is done again at the time in NEXT, after pauses that grow to half an hour.
One that failed too often, or cannot succeed, is dead until vouch jobs retry. Jobs that
are done are kept for an hour.`,
		Example: "  vouch jobs list --state dead\n  vouch jobs list -o json",
		Args:    noArguments,
		RunE: func(cmd *cobra.Command, _ []string) error {
			for _, state := range only {
				if err := knownWord("state", state, jobs.States()); err != nil {
					return err
				}
			}
			if err := checkLimit(limit); err != nil {
				return err
			}
			out, err := openSinks(sys, outputs, gridFormats)
			if err != nil {
				return err
			}
			defer out.discard()
			return withJobs(cmd.Context(), journal, func(q *jobs.Queue) error {
				list, err := q.List(cmd.Context(), only, limit)
				if err != nil {
					return err
				}
				return out.write(func(w io.Writer, format string) error {
					if format == "json" {
						return writeJSON(w, list)
					}
					return writeGrid(sys, w, format, jobsGrid(list))
				})
			})
		},
	}
	cmd.Flags().StringSliceVar(&only, "state", nil, "only in this state ("+strings.Join(jobs.States(), ", ")+"); repeatable")
	cmd.Flags().IntVar(&limit, "limit", store.DefaultLimit, "how many at most")
	addStoreFlag(cmd, &journal)
	addSinkFlag(cmd, &outputs, gridFormats)
	return cmd
}

func jobsGrid(list []jobs.Job) report.Grid {
	grid := report.Grid{Headings: []string{"Job", "State", "Task", "Subject", "Attempt", "Added", "Next", "Last error"}, Outcome: -1, Gives: 7}
	for _, j := range list {
		next := ""
		if !j.Next.IsZero() && j.State == jobs.StateRetrying {
			next = j.Next.Format(time.RFC3339)
		}
		grid.Rows = append(grid.Rows, []string{
			strconv.FormatInt(j.ID, 10), j.State, j.Task, j.Subject, fmt.Sprintf("%d of %d", j.Attempt, j.Attempts), j.AddedAt.Format(time.RFC3339), next, j.Error,
		})
	}
	return grid
}

func newJobsRetryCommand(sys System) *cobra.Command {
	var journal app.JournalConfig
	cmd := &cobra.Command{
		Use:     "retry JOB",
		Short:   "Have a job done again now, whatever became of it",
		Long:    "Have a job done again now, whatever became of it, with one attempt more. The server\nthat runs does it, or the next one that starts.",
		Example: "  vouch jobs retry 17",
		Args:    oneArgument("the number of a job, as vouch jobs list shows it"),
		RunE: func(cmd *cobra.Command, args []string) error {
			id, err := strconv.ParseInt(args[0], 10, 64)
			if err != nil {
				return fmt.Errorf("job %q: it is a number, as vouch jobs list shows it", args[0])
			}
			return withJobs(cmd.Context(), journal, func(q *jobs.Queue) error {
				j, err := q.Retry(cmd.Context(), id)
				if errors.Is(err, jobs.ErrNotFound) {
					return fmt.Errorf("there is no job %d: vouch jobs list shows them", id)
				}
				if err != nil {
					return err
				}
				_, err = fmt.Fprintf(sys.Stdout, "job %d (%s) is %s\n", j.ID, report.Printable(j.Task), j.State)
				return err
			})
		},
	}
	addStoreFlag(cmd, &journal)
	return cmd
}
