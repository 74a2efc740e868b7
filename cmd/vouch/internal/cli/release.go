package cli

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"github.com/changevouch/changevouch/engine"
	"io"
	"os/user"
	"time"

	"github.com/spf13/cobra"

	"github.com/changevouch/changevouch/cmd/vouch/internal/app"
	"github.com/changevouch/changevouch/engine/report"
	"github.com/changevouch/changevouch/engine/store"
)

func newReleaseCommand(sys System) *cobra.Command {
	return newGroup("release", "Keep the versions of the policy that judge",
		newReleaseAddCommand(sys), newReleaseListCommand(sys), newReleaseShowCommand(sys))
}

// releaseView is a release as it is shown.
type releaseView struct {
	engine.ReleaseRecord
	AddedAt  time.Time       `json:"added_at"`
	Index    int64           `json:"index"`
	Settings json.RawMessage `json:"settings,omitempty"`
}

func viewOf(r engine.ReleaseRecord) releaseView {
	return releaseView{ReleaseRecord: r, AddedAt: r.AddedAt, Index: r.Index}
}

func newReleaseAddCommand(sys System) *cobra.Command {
	var journal app.JournalConfig
	var policy app.PolicyConfig
	var version, from, by string
	cmd := &cobra.Command{
		Use:   "add --version VERSION --effective-from INSTANT",
		Short: "Add a version of the policy, in force from an instant on",
		Long: `Add a version of the policy with its bundle and settings, in force from an instant on.
It never changes again, and who added it and when is an entry of the ledger. From then
on vouch decide judges each control by the release in force at the control's decisive
moment. A release that would change the past is refused: only the first of a journal
may begin before now.`,
		Example: `  vouch release add --version 1.0 --effective-from 2026-01-01T00:00:00Z
  vouch release add --version 2.0 --effective-from 2027-01-01T00:00:00Z --settings strict.yaml --by 'change board'`,
		Args: noArguments,
		RunE: func(cmd *cobra.Command, _ []string) error {
			at, err := instant("effective-from", from)
			switch {
			case err != nil:
				return err
			case version == "":
				return errors.New("the release has no version: --version says it")
			case at.IsZero():
				return errors.New("the release has no beginning: --effective-from names the instant from which it is in force")
			}
			if by == "" {
				if by, err = currentUser(); err != nil {
					return err
				}
			}
			return writing(cmd.Context(), journal, func(s *store.Store) error {
				r, err := app.AddRelease(cmd.Context(), s, policy, version, by, at, sys.Version)
				if err != nil {
					return err
				}
				_, err = fmt.Fprintf(sys.Stdout, "release %s, in force from %s on, added by %s: entry %d\n",
					report.Printable(r.Version), r.EffectiveFrom.Format(time.RFC3339), report.Printable(r.AddedBy), r.Index)
				return err
			})
		},
	}
	flags := cmd.Flags()
	flags.StringVar(&version, "version", "", "name of the version")
	flags.StringVar(&from, "effective-from", "", "instant (RFC 3339) from which it is in force")
	flags.StringVar(&by, "by", "", "who adds it (default: the user of this system)")
	addBundleFlags(cmd, &policy)
	addJournalFlags(cmd, &journal)
	return cmd
}

func currentUser() (string, error) {
	u, err := user.Current()
	if err != nil || u.Username == "" {
		return "", errors.New("this system does not say who you are: name it with --by")
	}
	return u.Username, nil
}

func newReleaseListCommand(sys System) *cobra.Command {
	return newListCommand(sys, "List the releases, by the instant from which they are in force", `  vouch release list -o json`, "no release: vouch decide judges by the built-in policy, or by --bundle and --settings",
		func(ctx context.Context, s *store.Store) (report.Grid, any, error) {
			list, err := s.Releases(ctx)
			if err != nil {
				return report.Grid{}, nil, err
			}
			g := report.Grid{Headings: []string{"VERSION", "EFFECTIVE FROM", "ADDED BY", "ADDED AT", "BUNDLE", "SETTINGS"}, Outcome: -1, Gives: -1}
			views := []releaseView{}
			for _, r := range list {
				views = append(views, viewOf(r))
				g.Rows = append(g.Rows, []string{r.Version, r.EffectiveFrom.Format(time.RFC3339), r.AddedBy, r.AddedAt.Format(time.RFC3339), brief12(r.BundleDigest), brief12(r.SettingsDigest)})
			}
			return g, views, nil
		})
}

// brief12 is the beginning of a digest.
func brief12(digest string) string { return digest[:min(len(digest), len("sha256:")+12)] }

func newReleaseShowCommand(sys System) *cobra.Command {
	var journal app.JournalConfig
	var outputs []string
	var archive string
	formats := []string{"yaml", "json"}
	cmd := &cobra.Command{
		Use:   "show VERSION",
		Short: "Show a release with its settings, and take its bundle out",
		Example: `  vouch release show 1.0
  vouch release show 1.0 --archive policy-1.0.tar`,
		Args: oneArgument("the version of a release"),
		RunE: func(cmd *cobra.Command, args []string) error {
			sinks, err := openSinks(sys, outputs, formats)
			if err != nil {
				return err
			}
			defer sinks.discard()
			return reading(cmd.Context(), journal, func(s *store.Store) error {
				list, err := s.Releases(cmd.Context())
				if err != nil {
					return err
				}
				for _, r := range list {
					if r.Version != args[0] {
						continue
					}
					kept, err := s.Policy(cmd.Context(), r)
					if err != nil {
						return err
					}
					if archive != "" {
						err = writeTo(sys, archive, func(w io.Writer) error {
							_, err := w.Write(kept.Bundle)
							return err
						})
						if err != nil {
							return err
						}
					}
					view := viewOf(r)
					view.Settings = kept.Settings
					return sinks.write(func(w io.Writer, format string) error {
						if format == "json" {
							return writeJSON(w, view)
						}
						return writeYAML(w, view)
					})
				}
				return fmt.Errorf("release %q: %w", args[0], engine.ErrNotFound)
			})
		},
	}
	addStoreFlag(cmd, &journal)
	cmd.Flags().StringVar(&archive, "archive", "", "write the bundle to this file, a tar archive")
	cmd.Flags().StringSliceVarP(&outputs, "output", "o", []string{"yaml"}, "how to show it, FORMAT[=PATH]; repeatable (yaml, json)")
	return cmd
}
