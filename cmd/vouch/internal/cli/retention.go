package cli

import (
	"fmt"
	"io"
	"time"

	"github.com/spf13/cobra"

	"github.com/changevouch/changevouch/cmd/vouch/internal/app"
	"github.com/changevouch/changevouch/engine/store"
)

func newRetentionCommand(sys System) *cobra.Command {
	return newGroup("retention", "Remove what need not be kept any longer", newRetentionApplyCommand(sys))
}

// removalView is a removal and whether it was carried out.
type removalView struct {
	store.Removal
	DryRun bool   `json:"dry_run"`
	Keep   string `json:"keep"`
}

func newRetentionApplyCommand(sys System) *cobra.Command {
	var journal app.JournalConfig
	var policy app.PolicyConfig
	var before string
	var dryRun bool
	var outputs []string
	cmd := &cobra.Command{
		Use:   "apply",
		Short: "Remove events and decisions that are older than the settings demand",
		Long: `Remove the bodies of events and of decisions with their dossiers that were recorded
longer ago than the setting retention_days of the policy, never younger ones. Their
hashes stay, so that the log stays provable, and what was removed is an entry of the
ledger. Webhook deliveries that were processed so long ago go with them. Policies,
releases, waivers, attestations and actions are always kept, and so is the newest
decision on a subject while a deadline is ahead. Look with --dry-run first.`,
		Example: `  vouch retention apply --dry-run
  vouch retention apply --before 2023-01-01T00:00:00Z`,
		Args: noArguments,
		RunE: func(cmd *cobra.Command, _ []string) error {
			sinks, err := openSinks(sys, outputs, valueFormats)
			if err != nil {
				return err
			}
			defer sinks.discard()
			now := sys.Now().UTC()
			apply := func(s *store.Store) error {
				p, err := app.OpenStandingPolicy(cmd.Context(), s, policy, now, sys.Version)
				if err != nil {
					return err
				}
				keep, err := p.Retention()
				if err != nil {
					return err
				}
				end := now.Add(-keep)
				if before != "" {
					if end, err = moment("before", before, now); err != nil {
						return err
					}
				}
				removal, err := s.Retain(cmd.Context(), end, keep, dryRun)
				if err != nil {
					return err
				}
				view := removalView{removal, dryRun, fmt.Sprintf("%g days", keep.Hours()/24)}
				return sinks.write(func(w io.Writer, format string) error { return view.write(sys, w, format) })
			}
			if dryRun {
				return reading(cmd.Context(), journal, apply)
			}
			return changing(cmd.Context(), journal, apply)
		},
	}
	flags := cmd.Flags()
	flags.BoolVar(&dryRun, "dry-run", false, "say what would be removed, and remove nothing")
	flags.StringVar(&before, "before", "", "remove what was recorded before this instant, RFC 3339 or so long ago (default: all that the setting allows)")
	addBundleFlags(cmd, &policy)
	addJournalFlags(cmd, &journal)
	addSinkFlag(cmd, &outputs, valueFormats)
	return cmd
}

func (v removalView) write(sys System, w io.Writer, format string) error {
	switch format {
	case "json":
		return writeJSON(w, v)
	case "yaml":
		return writeYAML(w, v)
	}
	verb := "removed"
	if v.DryRun {
		verb = "would be removed"
	}
	var b paragraphs
	b.add(0, fmt.Sprintf("%d events, %d decisions and %d dossiers recorded before %s %s (%d bytes)",
		v.Events, v.Decisions, v.Dossiers, v.Before.Format(time.RFC3339), verb, v.Bytes))
	if v.Deliveries > 0 {
		b.add(0, fmt.Sprintf("%d webhook deliveries processed before then %s", v.Deliveries, verb))
	}
	if v.Kept > 0 {
		b.add(0, fmt.Sprintf("%d decisions as old are kept: their deadline is ahead", v.Kept))
	}
	if v.Index >= 0 && !v.DryRun {
		b.add(0, fmt.Sprintf("entry %d of the ledger says so", v.Index))
	}
	return b.write(w, sys.width(w))
}
