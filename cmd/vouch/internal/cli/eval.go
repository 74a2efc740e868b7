package cli

import (
	"context"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"github.com/changevouch/changevouch/cmd/vouch/internal/app"
	"github.com/changevouch/changevouch/engine"
	"github.com/changevouch/changevouch/engine/policy"
	"github.com/changevouch/changevouch/engine/report"
	"github.com/changevouch/changevouch/schemas"
)

// evalFlags are the flags of every command that judges.
type evalFlags struct {
	policy       app.PolicyConfig
	outputs      []string
	at           string
	explain      bool
	allowPending bool
	allowUnknown bool
	noColour     bool
}

func newEvalCommand(sys System) *cobra.Command {
	var f evalFlags
	var releases string
	cmd := &cobra.Command{
		Use:   "eval [FILE|DIR|-]...",
		Short: "Judge dossiers",
		Long: `Judge dossiers: JSON files, folders of them (.json, .ndjson, .jsonl, names that
begin with a dot left out), or - for standard input. All are checked first: when
one is wrong, every fault of every file is listed and nothing is decided.`,
		Example: `  vouch eval dossiers/
  vouch eval --explain dossier.json
  vouch assemble --events events.ndjson --directory directory.yaml | vouch eval -
  vouch eval dossiers/ -o table -o json=decisions.json`,
		RunE: func(cmd *cobra.Command, args []string) error {
			at, err := instant("at", f.at)
			if err != nil {
				return err
			}
			dossiers, err := app.OpenDocuments(cmd.Context(), schemas.Dossier, args, sys.Stdin, at)
			if err != nil {
				return err
			}
			defer dossiers.Close()
			policy, err := app.OpenJudge(cmd.Context(), f.policy, releases, sys.Version)
			if err != nil {
				return err
			}
			summary, err := judge(cmd.Context(), sys, policy, dossiers, f)
			if err != nil {
				return err
			}
			return f.verdict(summary)
		},
	}
	f.declare(cmd)
	cmd.Flags().StringVar(&releases, "releases", "", "releases of the policy, YAML or JSON: each control is judged by the one in force at its decisive moment")
	cmd.Flags().StringVar(&f.at, "at", "", "instant (RFC 3339) at which to judge dossiers that name none")
	return cmd
}

func (f *evalFlags) declare(cmd *cobra.Command) {
	flags := cmd.Flags()
	addBundleFlags(cmd, &f.policy)
	flags.DurationVar(&f.policy.Timeout, "timeout", policy.DefaultTimeout, "longest time to judge one dossier")
	addOutputFlag(cmd, &f.outputs)
	flags.BoolVar(&f.explain, "explain", false, "show every control with its reasons and evidence")
	flags.BoolVar(&f.allowPending, "allow-pending", false, "exit 0 although something is pending")
	flags.BoolVar(&f.allowUnknown, "allow-unknown", false, "exit 0 although something is unknown")
	flags.BoolVar(&f.noColour, "no-color", false, "no colours (NO_COLOR does the same)")
}

// addBundleFlags declares what chooses a policy.
func addBundleFlags(cmd *cobra.Command, c *app.PolicyConfig) {
	cmd.Flags().StringSliceVar(&c.Bundles, "bundle", nil, "policy bundle, a folder or a tarball, repeatable: controls of your own over the built-in policy, or a whole policy")
	cmd.Flags().StringVar(&c.Settings, "settings", "", "settings, YAML or JSON, over the bundle's own")
}

// judge checks all dossiers, then judges them and shows the result. An error
// means that the result is not complete.
func judge(ctx context.Context, sys System, policy engine.Policy, dossiers *app.Documents, f evalFlags) (report.Summary, error) {
	out, err := openOutputs(sys, f.outputs, f.noColour, f.explain)
	if err != nil {
		return report.Summary{}, err
	}
	defer out.discard()

	checking := startProgress(sys, "checked", false)
	faults := 0
	count, err := dossiers.Check(ctx, func(found []string) {
		checking.step()
		for _, fault := range found {
			faults++
			checking.println(fault)
		}
	})
	checking.end()
	if err != nil {
		return report.Summary{}, err
	}
	if faults > 0 {
		return report.Summary{}, fmt.Errorf("%s in %s: nothing was decided", plural(faults, "fault"), plural(count, "document"))
	}

	judging := startProgress(sys, "judged", isTerminal(sys.Stdout))
	err = app.Judge(ctx, policy, dossiers, func(j report.Judgement) error {
		judging.step()
		return out.add(j)
	}, func(err error) {
		out.summary.Undecided++
		judging.println(err.Error())
	})
	judging.end()
	if err != nil {
		return out.summary, err
	}
	if err := out.end(); err != nil {
		return out.summary, err
	}
	if out.silent {
		sys.tell("%v", out.summary)
	}
	return out.summary, nil
}

// verdict turns the counts into the exit code.
func (f evalFlags) verdict(s report.Summary) error {
	known := s.Outcomes[engine.OutcomeCompliant] + s.Outcomes[engine.OutcomeCompliantWithWaiver] +
		s.Outcomes[engine.OutcomeOutOfScope] + s.Outcomes[engine.OutcomePending] +
		s.Outcomes[engine.OutcomeUnknown] + s.Outcomes[engine.OutcomeNonCompliant]
	switch {
	case s.Undecided > 0:
		return fmt.Errorf("%s could not be decided", plural(s.Undecided, "dossier"))
	case known < s.Total() || known == 0:
		return fmt.Errorf("the policy gave an outcome that vouch does not know: %s", s)
	case s.Outcomes[engine.OutcomeNonCompliant] > 0:
		return exit(exitNonCompliant)
	case s.Outcomes[engine.OutcomeUnknown] > 0 && !f.allowUnknown,
		s.Outcomes[engine.OutcomePending] > 0 && !f.allowPending:
		return exit(exitOpen)
	default:
		return nil
	}
}

// instant reads an optional RFC 3339 flag; empty is the zero time.
func instant(flag, value string) (time.Time, error) {
	if value == "" {
		return time.Time{}, nil
	}
	t, err := time.Parse(time.RFC3339, value)
	if err != nil {
		return time.Time{}, fmt.Errorf("--%s %q is no RFC 3339 instant, such as 2026-11-02T09:30:00Z", flag, value)
	}
	return t, nil
}

func plural(n int, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return fmt.Sprintf("%d %ss", n, noun)
}
