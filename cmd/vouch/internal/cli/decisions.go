package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/changevouch/changevouch/cmd/vouch/internal/app"
	"github.com/changevouch/changevouch/engine"
	"github.com/changevouch/changevouch/engine/report"
	"github.com/changevouch/changevouch/engine/store"
	"github.com/changevouch/changevouch/schemas"
)

// Words that filters take.
var (
	outcomeWords = []string{
		engine.OutcomeCompliant, engine.OutcomeCompliantWithWaiver, engine.OutcomePending, engine.OutcomeUnknown,
		engine.OutcomeNonCompliant, engine.OutcomeOutOfScope,
	}
	statusWords = []string{
		engine.StatusPass, engine.StatusFail, engine.StatusPending, engine.StatusUnknown, engine.StatusNotApplicable, engine.StatusWaived,
	}
	classWords   = []string{"standard", "normal", "emergency", "out_of_scope", "n/a"}
	riskWords    = []string{"low", "medium", "high", "n/a"}
	subjectWords = []string{"change", "deployment", "finding", "access_review", "alert", "policy_review", "posture", "retention", "period"}
)

// gridFormats are the ways to show a list.
var gridFormats = []string{"table", "json", "csv"}

// mostListed bounds a page.
const mostListed = 10_000

func newDecisionsCommand(sys System) *cobra.Command {
	return newGroup("decisions", "Ask the journal what was decided",
		newDecisionsListCommand(sys), newDecisionsGetCommand(sys), newDecisionsExplainCommand(sys),
		newDecisionsHistoryCommand(sys), newDecisionsReplayCommand(sys))
}

type listFlags struct {
	filter       engine.DecisionFilter
	since, until string
	cursor       string
	limit        int
}

func newDecisionsListCommand(sys System) *cobra.Command {
	var journal app.JournalConfig
	var f listFlags
	var outputs []string
	cmd := &cobra.Command{
		Use:   "list",
		Short: "List decisions, newest evaluation first",
		Long: `List decisions, newest evaluation first, a page at a time. Filters are joined by
and, several values of one filter by or; --control with --status chooses that status
of that control. When there is more, standard error names the cursor of the next
page. A filter that matches nothing is an error.`,
		Example: `  vouch decisions list --outcome non_compliant --latest
  vouch decisions list --control CM-4.B.1 --status fail --since 30d -o csv=failed.csv
  vouch decisions list --person alice --repository acme/survey --limit 200 -o json`,
		Args: noArguments,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := f.check(sys.Now()); err != nil {
				return err
			}
			sinks, err := openSinks(sys, outputs, gridFormats)
			if err != nil {
				return err
			}
			defer sinks.discard()
			return reading(cmd.Context(), journal, func(s *store.Store) error {
				page, err := s.List(cmd.Context(), f.filter, f.cursor, f.limit)
				if err != nil {
					return err
				}
				if err := writeSummaries(sys, sinks, page.Decisions, false); err != nil {
					return err
				}
				if page.Next != "" {
					sys.tell("next: --cursor %s", page.Next)
				}
				return nothing(len(page.Decisions), "no decision in the journal matches")
			})
		},
	}
	flags := cmd.Flags()
	flags.StringSliceVar(&f.filter.Outcomes, "outcome", nil, "outcome ("+strings.Join(outcomeWords, ", ")+"); repeatable")
	flags.StringSliceVar(&f.filter.Controls, "control", nil, "control that said something, by id or alias; repeatable")
	flags.StringSliceVar(&f.filter.Statuses, "status", nil, "status of a control ("+strings.Join(statusWords, ", ")+"); repeatable")
	flags.StringSliceVar(&f.filter.Classes, "class", nil, "class of the change ("+strings.Join(classWords, ", ")+"); repeatable")
	flags.StringSliceVar(&f.filter.Risks, "risk", nil, "risk ("+strings.Join(riskWords, ", ")+"); repeatable")
	flags.StringSliceVar(&f.filter.Types, "type", nil, "type of the subject ("+strings.Join(subjectWords, ", ")+"); repeatable")
	flags.StringSliceVar(&f.filter.Persons, "person", nil, "person who wrote, approved or deployed; repeatable")
	flags.StringSliceVar(&f.filter.Repositories, "repository", nil, "repository, OWNER/NAME; repeatable")
	flags.StringSliceVar(&f.filter.Services, "service", nil, "service; repeatable")
	flags.StringVar(&f.since, "since", "", "judged at this instant or later: RFC 3339, or so long ago, such as 30d or 12h")
	flags.StringVar(&f.until, "until", "", "judged before this instant")
	flags.StringVar(&f.filter.Text, "text", "", "words that all appear in subject, titles, persons, repositories, services, packages or reasons")
	flags.BoolVar(&f.filter.Latest, "latest", false, "only the newest decision on each subject")
	flags.IntVar(&f.limit, "limit", store.DefaultLimit, "how many at most")
	flags.StringVar(&f.cursor, "cursor", "", "go on where the page before ended")
	addStoreFlag(cmd, &journal)
	addSinkFlag(cmd, &outputs, gridFormats)
	return cmd
}

// check refuses what could match nothing, and reads the instants.
func (f *listFlags) check(now time.Time) error {
	for _, words := range []struct {
		flag         string
		given, known []string
	}{
		{"outcome", f.filter.Outcomes, outcomeWords},
		{"status", f.filter.Statuses, statusWords},
		{"class", f.filter.Classes, classWords},
		{"risk", f.filter.Risks, riskWords},
		{"type", f.filter.Types, subjectWords},
	} {
		for _, word := range words.given {
			if err := knownWord(words.flag, word, words.known); err != nil {
				return err
			}
		}
	}
	if err := checkLimit(f.limit); err != nil {
		return err
	}
	for _, bound := range []struct {
		flag, value string
		into        *time.Time
	}{{"since", f.since, &f.filter.From}, {"until", f.until, &f.filter.To}} {
		if bound.value == "" {
			continue
		}
		at, err := moment(bound.flag, bound.value, now)
		if err != nil {
			return err
		}
		*bound.into = at
	}
	if from, to := f.filter.From, f.filter.To; !from.IsZero() && !to.IsZero() && !from.Before(to) {
		return fmt.Errorf("--since %s is not before --until %s", f.since, f.until)
	}
	return nil
}

func knownWord(flag, word string, known []string) error {
	if slices.Contains(known, word) {
		return nil
	}
	hint := ""
	if near := schemas.Nearest(word, known); near != "" {
		hint = fmt.Sprintf("; did you mean %q?", near)
	}
	return fmt.Errorf("--%s %q is none of %s%s", flag, word, strings.Join(known, ", "), hint)
}

func checkLimit(limit int) error {
	if limit < 1 || limit > mostListed {
		return fmt.Errorf("--limit %d: it is from 1 to %d", limit, mostListed)
	}
	return nil
}

// nothing makes an error of an empty answer.
func nothing(found int, message string) error {
	if found == 0 {
		return errors.New(message)
	}
	return nil
}

// writeSummaries shows decisions in a list.
func writeSummaries(sys System, sinks sinks, list []engine.DecisionSummary, latest bool) error {
	g := report.Grid{Headings: []string{"OUTCOME", "TYPE", "SUBJECT", "CLASS", "RISK", "EVALUATED", "NEXT", "DECISION"}, Outcome: 0, Gives: 2}
	for _, d := range list {
		next := instantOf(d.NextEvaluationAt)
		if !latest && !d.Latest {
			next = "superseded"
		}
		g.Rows = append(g.Rows, []string{d.Outcome, d.Subject.Type, d.Subject.ID, d.Class, d.Risk, d.EvaluatedAt.Format(time.RFC3339), next, d.ID})
	}
	return sinks.write(func(w io.Writer, format string) error {
		if format == "json" {
			return writeJSON(w, append([]engine.DecisionSummary{}, list...))
		}
		return writeGrid(sys, w, format, g)
	})
}

// writeGrid shows a grid as text or CSV.
func writeGrid(sys System, w io.Writer, format string, g report.Grid) error {
	if format == "csv" {
		return g.CSV(w)
	}
	return g.Write(w, report.Options{Colour: sys.colour(w), Width: sys.width(w)})
}

func instantOf(t *time.Time) string {
	if t == nil {
		return ""
	}
	return t.Format(time.RFC3339)
}

func newDecisionsGetCommand(sys System) *cobra.Command {
	var journal app.JournalConfig
	var dossier bool
	cmd := &cobra.Command{
		Use:   "get ID",
		Short: "Show a decision, or its dossier, in the exact bytes that are recorded",
		Long: `Show a decision in the exact bytes that are recorded: JSON on one line, without a
line break at its end (a terminal gets one). With --dossier it is the dossier, whose
SHA-256 is the input_digest of the decision.`,
		Example: `  vouch decisions get dec_4216476b25949cc3122ccc45d4ebf188
  vouch decisions get dec_4216476b25949cc3122ccc45d4ebf188 --dossier | vouch eval -`,
		Args: oneArgument("the id of a decision"),
		RunE: func(cmd *cobra.Command, args []string) error {
			return reading(cmd.Context(), journal, func(s *store.Store) error {
				record, err := s.Decision(cmd.Context(), args[0])
				if err != nil {
					return err
				}
				text := record.Bytes
				if dossier {
					if text, err = s.Dossier(cmd.Context(), record.Dossier); err != nil {
						return err
					}
				}
				if isTerminal(sys.Stdout) {
					text = append(text, '\n')
				}
				_, err = sys.Stdout.Write(text)
				return err
			})
		},
	}
	cmd.Flags().BoolVar(&dossier, "dossier", false, "show the dossier that was judged")
	addStoreFlag(cmd, &journal)
	return cmd
}

func newDecisionsExplainCommand(sys System) *cobra.Command {
	var journal app.JournalConfig
	var outputs []string
	var noColour bool
	cmd := &cobra.Command{
		Use:   "explain ID",
		Short: "Explain a decision control by control, with its evidence",
		Example: `  vouch decisions explain dec_4216476b25949cc3122ccc45d4ebf188
  vouch decisions explain dec_4216476b25949cc3122ccc45d4ebf188 -o markdown=why.md`,
		Args: oneArgument("the id of a decision"),
		RunE: func(cmd *cobra.Command, args []string) error {
			out, err := openOutputs(sys, outputs, noColour, true)
			if err != nil {
				return err
			}
			defer out.discard()
			return reading(cmd.Context(), journal, func(s *store.Store) error {
				record, err := s.Decision(cmd.Context(), args[0])
				if err != nil {
					return err
				}
				decision, err := record.Decode()
				if err != nil {
					return err
				}
				dossier, err := s.Dossier(cmd.Context(), record.Dossier)
				if err != nil {
					return err
				}
				if err := out.add(report.Judgement{Decision: decision, Dossier: dossier}); err != nil {
					return err
				}
				if !record.Latest {
					sys.tell("superseded: the newest decision on %s %s is another, see vouch decisions history", record.Subject.Type, record.Subject.ID)
				}
				return out.end()
			})
		},
	}
	addStoreFlag(cmd, &journal)
	addOutputFlag(cmd, &outputs)
	cmd.Flags().BoolVar(&noColour, "no-color", false, "no colours (NO_COLOR does the same)")
	return cmd
}

// past is one decision of a history, and what it changed.
type past struct {
	engine.DecisionSummary
	Supersedes string              `json:"supersedes,omitempty"`
	Changed    []report.Difference `json:"changed"`
}

func newDecisionsHistoryCommand(sys System) *cobra.Command {
	var journal app.JournalConfig
	var kind string
	var outputs []string
	formats := []string{"table", "json"}
	cmd := &cobra.Command{
		Use:   "history SUBJECT",
		Short: "Show all decisions on one subject, and what changed between them",
		Long: `Show all decisions on one subject, oldest first, and what changed from each to the
next: outcome, class, risk, policy, and what each control says.`,
		Example: `  vouch decisions history acme/survey#411
  vouch decisions history --type finding GHSA-1 -o json`,
		Args: oneArgument("the id of a subject, such as acme/survey#411"),
		RunE: func(cmd *cobra.Command, args []string) error {
			if kind != "" {
				if err := knownWord("type", kind, subjectWords); err != nil {
					return err
				}
			}
			sinks, err := openSinks(sys, outputs, formats)
			if err != nil {
				return err
			}
			defer sinks.discard()
			return reading(cmd.Context(), journal, func(s *store.Store) error {
				records, err := historyOf(cmd.Context(), s, kind, args[0])
				if err != nil {
					return err
				}
				list, err := changes(records)
				if err != nil {
					return err
				}
				return sinks.write(func(w io.Writer, format string) error {
					if format == "json" {
						return writeJSON(w, list)
					}
					return writeHistory(sys, w, list)
				})
			})
		},
	}
	cmd.Flags().StringVar(&kind, "type", "", "type of the subject ("+strings.Join(subjectWords, ", ")+"; default: the one that has this id)")
	addStoreFlag(cmd, &journal)
	addSinkFlag(cmd, &outputs, formats)
	return cmd
}

// historyOf finds a subject by its id and, when one is given, its type.
func historyOf(ctx context.Context, s *store.Store, kind, id string) ([]engine.DecisionRecord, error) {
	kinds := subjectWords
	if kind != "" {
		kinds = []string{kind}
	}
	var found []engine.DecisionRecord
	for _, one := range kinds {
		records, err := s.History(ctx, engine.Subject{Type: one, ID: id})
		switch {
		case errors.Is(err, engine.ErrNotFound):
		case err != nil:
			return nil, err
		case found != nil:
			return nil, fmt.Errorf("%s is a %s and a %s: say which with --type", id, found[0].Subject.Type, one)
		default:
			found = records
		}
	}
	if found == nil {
		return nil, fmt.Errorf("subject %q: %w (vouch subjects lists those that are)", id, engine.ErrNotFound)
	}
	return found, nil
}

// changes compares each decision with the one before.
func changes(records []engine.DecisionRecord) ([]past, error) {
	var before engine.Decision
	var list []past
	for i, r := range records {
		d, err := r.Decode()
		if err != nil {
			return nil, err
		}
		one := past{DecisionSummary: r.DecisionSummary, Supersedes: r.Supersedes, Changed: []report.Difference{}}
		if i > 0 {
			one.Changed = append(one.Changed, report.Differences(before, d)...)
		}
		list, before = append(list, one), d
	}
	return list, nil
}

func writeHistory(sys System, w io.Writer, list []past) error {
	opt := report.Options{Colour: sys.colour(w), Width: sys.width(w)}
	for i, one := range list {
		g := report.Grid{Headings: []string{"OUTCOME", "EVALUATED", "RECORDED", "DECISION"}, Outcome: 0, Gives: -1}
		g.Rows = [][]string{{one.Outcome, one.EvaluatedAt.Format(time.RFC3339), one.RecordedAt.Format(time.RFC3339), one.ID}}
		if i == 0 {
			fmt.Fprintf(w, "%s %s: %s\n\n", report.Printable(one.Subject.Type), report.Printable(one.Subject.ID), plural(len(list), "decision"))
		} else {
			fmt.Fprintln(w)
		}
		if err := g.Write(w, opt); err != nil {
			return err
		}
		if i > 0 && len(one.Changed) == 0 {
			fmt.Fprintln(w, "    the same verdict on a dossier that changed")
		}
		if err := report.WriteDifferences(w, one.Changed, opt); err != nil {
			return err
		}
	}
	return nil
}
