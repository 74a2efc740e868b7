package cli

import (
	"fmt"
	"runtime"
	"runtime/debug"

	"github.com/spf13/cobra"

	"github.com/changevouch/changevouch/cmd/vouch/internal/app"
)

func newVersionCommand(sys System) *cobra.Command {
	return &cobra.Command{
		Use:   "version",
		Short: "Say what this program and its policy are",
		Args:  noArguments,
		RunE: func(cmd *cobra.Command, _ []string) error {
			policy, err := app.OpenPolicy(cmd.Context(), app.PolicyConfig{}, sys.Version)
			if err != nil {
				return err
			}
			ref := policy.Ref()
			_, err = fmt.Fprintf(sys.Stdout, `vouch     %s
commit    %s
go        %s %s/%s
opa       %s
bundle    %s %s (built in)
digest    %s
settings  %s
`, sys.Version, commit(), runtime.Version(), runtime.GOOS, runtime.GOARCH, ref.Engine.OPAVersion,
				ref.Name, ref.Version, ref.BundleDigest, ref.SettingsDigest)
			return err
		},
	}
}

// commit is what the Go toolchain recorded of the source.
func commit() string {
	revision, modified := "unknown", ""
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return revision
	}
	for _, s := range info.Settings {
		switch {
		case s.Key == "vcs.revision":
			revision = s.Value
		case s.Key == "vcs.modified" && s.Value == "true":
			modified = " and uncommitted changes"
		}
	}
	return revision + modified
}
