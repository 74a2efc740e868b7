package cli

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/changevouch/changevouch/cmd/vouch/internal/app"
	"github.com/changevouch/changevouch/engine"
	"github.com/changevouch/changevouch/engine/report"
	"github.com/changevouch/changevouch/engine/store"
)

// subjectFlags choose subjects, a page at a time.
type subjectFlags struct {
	journal app.JournalConfig
	filter  engine.SubjectFilter
	due     string
	limit   int
	cursor  string
	outputs []string
}

func (f *subjectFlags) declare(cmd *cobra.Command) {
	flags := cmd.Flags()
	flags.StringVar(&f.filter.Type, "type", "", "only of this type ("+strings.Join(subjectWords, ", ")+")")
	flags.StringVar(&f.filter.Outcome, "outcome", "", "only with this outcome now ("+strings.Join(outcomeWords, ", ")+")")
	flags.StringVar(&f.due, "due-before", "", "only what is due before this instant (RFC 3339)")
	flags.IntVar(&f.limit, "limit", store.DefaultLimit, "how many at most")
	flags.StringVar(&f.cursor, "cursor", "", "go on where the page before ended")
	addStoreFlag(cmd, &f.journal)
	addSinkFlag(cmd, &f.outputs, gridFormats)
}

func (f *subjectFlags) check() error {
	if f.filter.Type != "" {
		if err := knownWord("type", f.filter.Type, subjectWords); err != nil {
			return err
		}
	}
	if f.filter.Outcome != "" {
		if err := knownWord("outcome", f.filter.Outcome, outcomeWords); err != nil {
			return err
		}
	}
	var err error
	if f.filter.DueBefore, err = instant("due-before", f.due); err != nil {
		return err
	}
	return checkLimit(f.limit)
}

func newSubjectsCommand(sys System) *cobra.Command {
	var f subjectFlags
	cmd := &cobra.Command{
		Use:   "subjects",
		Short: "List what the journal has decisions on, as it stands",
		Long: `List every subject that the journal has a decision on, with the newest one: changes,
deployments, findings, access reviews and so on.`,
		Example: `  vouch subjects --outcome unknown
  vouch subjects --type change --limit 1000 -o csv=changes.csv`,
		Args: noArguments,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return f.answer(cmd.Context(), sys, func(s *store.Store, sinks sinks) error {
				after, err := readCursor(f.cursor, 2)
				if err != nil {
					return err
				}
				list, err := s.Subjects(cmd.Context(), f.filter, engine.Subject{Type: after[0], ID: after[1]}, f.limit)
				if err != nil {
					return err
				}
				if err := writeSummaries(sys, sinks, list, true); err != nil {
					return err
				}
				if len(list) == f.limit {
					last := list[len(list)-1].Subject
					sys.tell("next: --cursor %s", cursorOf(last.Type, last.ID))
				}
				return nothing(len(list), "no subject in the journal matches")
			})
		},
	}
	f.declare(cmd)
	return cmd
}

// deadline is when a decision will change by itself, and what then is due.
type deadline struct {
	engine.DecisionSummary
	Due []dueControl `json:"due"`
}

type dueControl struct {
	Control string `json:"control"`
	Title   string `json:"title"`
	DueAt   string `json:"due_at,omitempty"`
	Todo    string `json:"remediation,omitempty"`
}

func newDeadlinesCommand(sys System) *cobra.Command {
	var f subjectFlags
	cmd := &cobra.Command{
		Use:   "deadlines",
		Short: "List what is due when, oldest first",
		Long: `List the subjects whose decision will change by itself unless something is done,
with the controls that wait for it: what is due first comes first. Run vouch decide
when a deadline has passed.`,
		Example: `  vouch deadlines
  vouch deadlines --due-before 2026-12-01T00:00:00Z -o csv=due.csv`,
		Args: noArguments,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return f.answer(cmd.Context(), sys, func(s *store.Store, sinks sinks) error {
				after, err := f.deadlineBefore()
				if err != nil {
					return err
				}
				list, err := s.Deadlines(cmd.Context(), f.filter, after, f.limit)
				if err != nil {
					return err
				}
				due, err := dueOf(cmd.Context(), s, list)
				if err != nil {
					return err
				}
				if err := writeDeadlines(sys, sinks, due); err != nil {
					return err
				}
				switch {
				case len(list) == 0:
					sys.tell("nothing is due")
				case len(list) == f.limit:
					last := list[len(list)-1]
					sys.tell("next: --cursor %s", cursorOf(last.NextEvaluationAt.Format(time.RFC3339Nano), last.Subject.Type, last.Subject.ID))
				}
				return nil
			})
		},
	}
	f.declare(cmd)
	return cmd
}

func (f *subjectFlags) answer(ctx context.Context, sys System, do func(*store.Store, sinks) error) error {
	if err := f.check(); err != nil {
		return err
	}
	sinks, err := openSinks(sys, f.outputs, gridFormats)
	if err != nil {
		return err
	}
	defer sinks.discard()
	return reading(ctx, f.journal, func(s *store.Store) error { return do(s, sinks) })
}

// deadlineBefore is the last of the page before.
func (f *subjectFlags) deadlineBefore() (*engine.DecisionSummary, error) {
	if f.cursor == "" {
		return nil, nil
	}
	parts, err := readCursor(f.cursor, 3)
	if err != nil {
		return nil, err
	}
	at, err := time.Parse(time.RFC3339Nano, parts[0])
	if err != nil {
		return nil, errCursor
	}
	return &engine.DecisionSummary{NextEvaluationAt: &at, Subject: engine.Subject{Type: parts[1], ID: parts[2]}}, nil
}

// dueOf reads which controls wait.
func dueOf(ctx context.Context, s *store.Store, list []engine.DecisionSummary) ([]deadline, error) {
	due := []deadline{}
	for _, one := range list {
		record, err := s.Decision(ctx, one.ID)
		if err != nil {
			return nil, err
		}
		d, err := record.Decode()
		if err != nil {
			return nil, err
		}
		line := deadline{DecisionSummary: one, Due: []dueControl{}}
		for _, f := range d.Findings {
			if f.Status == engine.StatusPending {
				line.Due = append(line.Due, dueControl{f.Control, f.Title, f.DueAt, f.Remediation})
			}
		}
		due = append(due, line)
	}
	return due, nil
}

func writeDeadlines(sys System, sinks sinks, list []deadline) error {
	g := report.Grid{Headings: []string{"DUE", "TYPE", "SUBJECT", "WAITS FOR", "OUTCOME", "DECISION"}, Outcome: 4, Gives: 3}
	for _, d := range list {
		var waits []string
		for _, c := range d.Due {
			waits = append(waits, strings.TrimSpace(c.Control+" "+c.Title))
		}
		g.Rows = append(g.Rows, []string{instantOf(d.NextEvaluationAt), d.Subject.Type, d.Subject.ID, strings.Join(waits, "; "), d.Outcome, d.ID})
	}
	return sinks.write(func(w io.Writer, format string) error {
		if format == "json" {
			return writeJSON(w, list)
		}
		return writeGrid(sys, w, format, g)
	})
}

var errCursor = errors.New("this is no cursor of a list: give the one that the page before named")

// cursorOf is a place in a list as one word.
func cursorOf(parts ...string) string {
	return base64.RawURLEncoding.EncodeToString([]byte(strings.Join(parts, "\x00")))
}

// readCursor undoes cursorOf; an empty cursor has empty parts.
func readCursor(cursor string, parts int) ([]string, error) {
	if cursor == "" {
		return make([]string, parts), nil
	}
	text, err := base64.RawURLEncoding.DecodeString(cursor)
	out := strings.Split(string(text), "\x00")
	if err != nil || len(out) != parts {
		return nil, fmt.Errorf("--cursor %.80q: %w", cursor, errCursor)
	}
	return out, nil
}
