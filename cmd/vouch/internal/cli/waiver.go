package cli

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/changevouch/changevouch/cmd/vouch/internal/app"
	"github.com/changevouch/changevouch/engine"
	"github.com/changevouch/changevouch/engine/ledger"
	"github.com/changevouch/changevouch/engine/report"
	"github.com/changevouch/changevouch/engine/store"
	"github.com/changevouch/changevouch/schemas"
)

func newWaiverCommand(sys System) *cobra.Command {
	return newGroup("waiver", "Keep exceptions that somebody approved, for a time",
		newWaiverAddCommand(sys), newWaiverRevokeCommand(sys), newWaiverListCommand(sys))
}

// waiverFlags describe a waiver.
type waiverFlags struct {
	statementFlags
	waiver           engine.Waiver
	approved, expiry string
}

func newWaiverAddCommand(sys System) *cobra.Command {
	var f waiverFlags
	cmd := &cobra.Command{
		Use:   "add --control ID... --subject SUBJECT --reason TEXT --requested-by PERSON --approved-by PERSON --expires-at INSTANT",
		Short: "Record a waiver: the next decide takes it into account",
		Long: `Record an exception to controls for one subject or a pattern of them. It never hides a
finding: a fail becomes waived, with who approved it and until when. What could never
count is refused with the reason: a control that is unknown or cannot be waived, an
approver who asked for it, took part in the change or is no authorised person in the
directory, no end, or one that is further away than the setting waiver_max_days. A
waiver has no effect on what was decided before it was approved.

Who added it and when is an entry of the ledger. Under the id of another it takes the
place of that one, which stays in the ledger.`,
		Example: `  vouch waiver add --control CM-4.C.2 --subject acme/shop#414 --reason 'staging is being rebuilt' \
    --requested-by alice --approved-by erin --expires-at 7d --directory directory.yaml
  vouch waiver add --file waivers.yaml --directory directory.yaml`,
		Args: noArguments,
		RunE: func(cmd *cobra.Command, _ []string) error {
			err := f.own(cmd.Flags(), "id", "control", "subject", "reason", "compensating-control", "requested-by", "approved-by", "approved-at", "expires-at")
			if err != nil {
				return err
			}
			list, err := f.waivers(sys)
			if err != nil {
				return err
			}
			return f.record(cmd.Context(), sys, list)
		},
	}
	flags := cmd.Flags()
	flags.StringVar(&f.waiver.ID, "id", "", "its id (default: one is made up)")
	flags.StringSliceVar(&f.waiver.Controls, "control", nil, "control that is waived, by id or alias; repeatable")
	flags.StringVar(&f.waiver.Subject, "subject", "", "what it is for, such as acme/shop#414, or a pattern, acme/shop#*")
	flags.StringVar(&f.waiver.Reason, "reason", "", "why this is acceptable")
	flags.StringVar(&f.waiver.CompensatingControl, "compensating-control", "", "what is done in its place")
	flags.StringVar(&f.waiver.RequestedBy, "requested-by", "", "who asked for it")
	flags.StringVar(&f.waiver.ApprovedBy, "approved-by", "", "who approved it, another person")
	flags.StringVar(&f.approved, "approved-at", "", "instant (RFC 3339) at which it was approved (default: now)")
	flags.StringVar(&f.expiry, "expires-at", "", "instant (RFC 3339) at which it ends, or how long after its approval, such as 30d")
	f.declare(cmd, "waivers")
	return cmd
}

// waivers are those of the file, or the one of the flags.
func (f *waiverFlags) waivers(sys System) ([]engine.Waiver, error) {
	if f.file != "" {
		list, err := app.ReadWaivers(f.file)
		return list, badFile(sys, f.file, err)
	}
	w := f.waiver
	var err error
	if w.ApprovedAt, err = atOr("approved-at", f.approved, sys.Now()); err != nil {
		return nil, err
	}
	if w.ExpiresAt, err = later("expires-at", f.expiry, *w.ApprovedAt); err != nil {
		return nil, err
	}
	if w.ID == "" {
		w.ID = nameOf("w-", *w.ApprovedAt, append(slices.Clone(w.Controls), w.Subject, w.ApprovedBy)...)
	}
	return []engine.Waiver{w}, nil
}

func (f *waiverFlags) record(ctx context.Context, sys System, list []engine.Waiver) error {
	return f.add(ctx, sys, func(s app.Statements) error {
		id := func(w engine.Waiver) string { return w.ID }
		check := func(w engine.Waiver) ([]schemas.Fault, error) { return s.CheckWaiver(ctx, w) }
		if err := checkAll(sys, f.statementFlags, "waiver", list, id, check); err != nil {
			return err
		}
		for _, w := range list {
			if err := s.AddWaiver(ctx, w, f.by); err != nil {
				return err
			}
			if _, err := fmt.Fprintf(sys.Stdout, "waiver %s of %s for %s, approved by %s, until %s\n", report.Printable(w.ID),
				report.Printable(strings.Join(w.Controls, ", ")), report.Printable(w.Subject), report.Printable(w.ApprovedBy), instantOf(w.ExpiresAt)); err != nil {
				return err
			}
		}
		return nil
	})
}

func newWaiverRevokeCommand(sys System) *cobra.Command {
	var journal app.JournalConfig
	var by string
	cmd := &cobra.Command{
		Use:   "revoke ID",
		Short: "End a waiver of the journal now",
		Long: `End a waiver of the journal now: what it was to cover later is not waived. It stays on
record, with who revoked it. A waiver of the directory file is ended there.`,
		Example: `  vouch waiver revoke w-20261122-4f3a21`,
		Args:    oneArgument("the id of a waiver"),
		RunE: func(cmd *cobra.Command, args []string) error {
			if by == "" {
				var err error
				if by, err = currentUser(); err != nil {
					return err
				}
			}
			return changing(cmd.Context(), journal, func(s *store.Store) error {
				list, err := s.Waivers(cmd.Context())
				if err != nil {
					return err
				}
				i := slices.IndexFunc(list, func(w engine.Waiver) bool { return w.ID == args[0] })
				if i < 0 {
					return fmt.Errorf("waiver %q: %w", args[0], engine.ErrNotFound)
				}
				w := list[i]
				if w.RevokedAt == nil {
					at := sys.Now().UTC().Truncate(time.Second)
					w.RevokedAt = &at
					if err := s.AddWaiver(cmd.Context(), w, by); err != nil {
						return err
					}
				}
				_, err = fmt.Fprintf(sys.Stdout, "waiver %s, revoked at %s\n", report.Printable(w.ID), instantOf(w.RevokedAt))
				return err
			})
		},
	}
	cmd.Flags().StringVar(&by, "by", "", "who revokes it (default: the user of this system)")
	addJournalFlags(cmd, &journal)
	return cmd
}

// addedBy is who added a statement, and when, where the ledger says so.
type addedBy struct {
	By string     `json:"added_by,omitempty"`
	At *time.Time `json:"added_at,omitempty"`
}

func addedOf(actions map[string]engine.Action, id string) addedBy {
	a, known := actions[id]
	if !known {
		return addedBy{}
	}
	return addedBy{a.Principal, &a.At}
}

type waiverView struct {
	engine.Waiver
	State string `json:"state"`
	addedBy
}

// stateOf is what a waiver is at an instant.
func stateOf(w engine.Waiver, now time.Time) string {
	switch {
	case w.RevokedAt != nil && !w.RevokedAt.After(now):
		return "revoked"
	case w.ExpiresAt != nil && w.ExpiresAt.Before(now):
		return "expired"
	}
	return "in force"
}

func newWaiverListCommand(sys System) *cobra.Command {
	return newListCommand(sys, "List the waivers of the journal, as they stand", `  vouch waiver list -o json`, "no waiver: vouch waiver add records one",
		func(ctx context.Context, s *store.Store) (report.Grid, any, error) {
			list, err := s.Waivers(ctx)
			if err != nil {
				return report.Grid{}, nil, err
			}
			actions, err := app.Added(ctx, s, ledger.KindWaiver)
			if err != nil {
				return report.Grid{}, nil, err
			}
			g := report.Grid{Headings: []string{"ID", "STATE", "CONTROLS", "SUBJECT", "REQUESTED BY", "APPROVED BY", "UNTIL", "ADDED BY", "REASON"}, Outcome: -1, Gives: 8}
			views := []waiverView{}
			for _, w := range list {
				v := waiverView{w, stateOf(w, sys.Now()), addedOf(actions, w.ID)}
				views = append(views, v)
				g.Rows = append(g.Rows, []string{w.ID, v.State, strings.Join(w.Controls, " "), w.Subject, w.RequestedBy, w.ApprovedBy, instantOf(w.ExpiresAt), v.By, w.Reason})
			}
			return g, views, nil
		})
}
