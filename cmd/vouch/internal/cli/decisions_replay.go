package cli

import (
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"github.com/changevouch/changevouch/cmd/vouch/internal/app"
	"github.com/changevouch/changevouch/engine"
	"github.com/changevouch/changevouch/engine/report"
	"github.com/changevouch/changevouch/engine/store"
)

// replayed is the answer of a replay.
type replayed struct {
	Replayed int                 `json:"replayed"`
	Same     int                 `json:"same"`
	Removed  int                 `json:"removed"` // by retention: their dossiers are gone
	Other    []replayedOtherwise `json:"different"`
}

// replayedOtherwise is a decision that came out otherwise. Bytes says where, for the
// policy that judged; Changed says it in the words of a history, for another.
type replayedOtherwise struct {
	ID      string              `json:"id"`
	Subject engine.Subject      `json:"subject"`
	Outcome string              `json:"outcome"` // recorded
	Again   string              `json:"again"`
	Bytes   []string            `json:"bytes,omitempty"`
	Changed []report.Difference `json:"changed,omitempty"`
}

type replayFlags struct {
	journal app.JournalConfig
	with    app.PolicyConfig
	all     bool
	outputs []string
}

var replayFormats = []string{"table", "json"}

func newDecisionsReplayCommand(sys System) *cobra.Command {
	var f replayFlags
	cmd := &cobra.Command{
		Use:   "replay ID|--all",
		Short: "Make recorded decisions again, and compare",
		Long: `Judge the stored dossier again, under the bundle and the settings that the journal
keeps, and compare the bytes with those recorded. Any difference is shown and makes
the exit code 2. Versions of vouch and OPA are not compared.

With --with BUNDLE (and --with-settings FILE) the dossier is judged by another
policy: what it would have said otherwise is shown, and is no fault (exit code 0).`,
		Example: `  vouch decisions replay dec_4216476b25949cc3122ccc45d4ebf188
  vouch decisions replay --all
  vouch decisions replay --all --with my-policy -o json=what-if.json`,
		Args: func(cmd *cobra.Command, args []string) error {
			switch {
			case f.all && len(args) > 0:
				return errors.New("--all replays every decision: leave the id out")
			case f.all:
				return nil
			}
			return oneArgument("the id of a decision, or --all")(cmd, args)
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			sinks, err := openSinks(sys, f.outputs, replayFormats)
			if err != nil {
				return err
			}
			defer sinks.discard()
			return reading(cmd.Context(), f.journal, func(s *store.Store) error {
				return f.run(cmd.Context(), sys, s, sinks, args)
			})
		},
	}
	flags := cmd.Flags()
	flags.BoolVar(&f.all, "all", false, "replay every decision of the journal")
	flags.StringSliceVar(&f.with.Bundles, "with", nil, "judge by this policy bundle instead; repeatable")
	flags.StringVar(&f.with.Settings, "with-settings", "", "judge by these settings instead, over the bundle's own")
	addStoreFlag(cmd, &f.journal)
	addSinkFlag(cmd, &f.outputs, replayFormats)
	return cmd
}

func (f replayFlags) run(ctx context.Context, sys System, s *store.Store, sinks sinks, args []string) error {
	again := app.Replay{Store: s, Version: sys.Version}
	other := len(f.with.Bundles) > 0 || f.with.Settings != ""
	if other {
		p, err := app.OpenPolicy(ctx, f.with, sys.Version)
		if err != nil {
			return err
		}
		again.With = p
	}
	sum := replayed{Other: []replayedOtherwise{}}
	failed := 0
	judging := startProgress(sys, "replayed", false)
	defer judging.end()
	take := func(r app.Replayed) error {
		judging.step()
		switch {
		case r.Err == nil:
			sum.add(r, other)
		case errors.Is(r.Err, engine.ErrRemoved):
			sum.Removed++
		case ctx.Err() == nil:
			failed++
			judging.println(r.Err.Error())
		}
		return ctx.Err()
	}
	if f.all {
		if err := again.All(ctx, take); err != nil {
			return err
		}
	} else {
		r, err := again.One(ctx, args[0])
		if err != nil {
			return err
		}
		if err := take(r); err != nil {
			return err
		}
	}
	judging.end()
	err := sinks.write(func(w io.Writer, format string) error {
		if format == "json" {
			return writeJSON(w, sum)
		}
		return sum.table(sys, w, other)
	})
	switch {
	case err != nil:
		return err
	case failed > 0:
		return fmt.Errorf("%s could not be replayed", plural(failed, "decision"))
	case sum.Replayed+sum.Removed == 0:
		return errors.New("the journal holds no decision")
	case len(sum.Other) > 0 && !other:
		return exit(exitNonCompliant)
	}
	return nil
}

// add counts one replay. Under another policy only what the decision says counts, not
// which policy said it.
func (sum *replayed) add(r app.Replayed, other bool) {
	sum.Replayed++
	one := replayedOtherwise{ID: r.ID, Subject: r.Recorded.Subject, Outcome: r.Recorded.Outcome, Again: r.Again.Outcome}
	same := r.Same
	if other {
		recorded := r.Recorded
		recorded.Policy = r.Again.Policy
		one.Changed = report.Differences(recorded, r.Again)
		same = len(one.Changed) == 0
	} else {
		one.Bytes = r.Diff
	}
	if same {
		sum.Same++
		return
	}
	sum.Other = append(sum.Other, one)
}

func (sum replayed) table(sys System, w io.Writer, other bool) error {
	opt := report.Options{Colour: sys.colour(w), Width: sys.width(w)}
	for _, one := range sum.Other {
		fmt.Fprintf(w, "%s on %s %s\n", one.ID, report.Printable(one.Subject.Type), report.Printable(one.Subject.ID))
		for _, line := range one.Bytes {
			fmt.Fprintf(w, "    %s\n", report.Printable(line))
		}
		if err := report.WriteDifferences(w, one.Changed, opt); err != nil {
			return err
		}
	}
	if len(sum.Other) > 0 {
		fmt.Fprintln(w)
	}
	same, differ := "came out byte for byte", "differ"
	if other {
		same, differ = "would have been the same", "would have been otherwise"
	}
	line := fmt.Sprintf("%s: %d %s, %d %s", plural(sum.Replayed, "decision"), sum.Same, same, len(sum.Other), differ)
	if sum.Removed > 0 {
		line += fmt.Sprintf("; %d removed by retention", sum.Removed)
	}
	_, err := fmt.Fprintln(w, line)
	return err
}
