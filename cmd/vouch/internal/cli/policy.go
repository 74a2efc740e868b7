package cli

import (
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"github.com/changevouch/changevouch/cmd/vouch/internal/app"
)

func newPolicyCommand(sys System) *cobra.Command {
	return newGroup("policy", "Read, write, check and test policies",
		newPolicyExplainCommand(sys),
		newPolicySettingsCommand(sys),
		newPolicyNewCommand(sys),
		newPolicyCheckCommand(sys),
		newPolicyTestCommand(sys),
		newPolicyFmtCommand(sys),
		newPolicyDocsCommand(sys),
	)
}

func newPolicyCheckCommand(sys System) *cobra.Command {
	var c app.DraftConfig
	cmd := &cobra.Command{
		Use:   "check [PATH]...",
		Short: "Compile policies as strictly as they are judged with",
		Long: `Compile policies, tests included, as strictly as they are judged with: a
misspelt field of the dossier, an unused variable, the clock, the network and
chance are errors, and every control is described. Without PATH the built-in
bundle is checked.

` + layering,
		Example: `  vouch policy check rego
  vouch policy check acme/rego --settings settings.yaml`,
		RunE: func(cmd *cobra.Command, args []string) error {
			c.Paths = args
			draft, err := app.OpenDraft(cmd.Context(), c)
			if err != nil {
				return err
			}
			if err := draft.Check(cmd.Context()); err != nil {
				return err
			}
			checked := strings.Join(args, ", ")
			if checked == "" {
				checked = "the built-in bundle"
			}
			_, err = fmt.Fprintf(sys.Stdout, "%s: no problems\n", checked)
			return err
		},
	}
	addDraftFlags(cmd, &c)
	return cmd
}

const layering = `A folder of packages and data is laid over the built-in bundle, so that it can
import data.lib, and over those that --bundle (repeatable) names besides. A
bundle with a package decision is a whole policy and stands alone.`

func addDraftFlags(cmd *cobra.Command, c *app.DraftConfig) {
	cmd.Flags().StringSliceVar(&c.Bundles, "bundle", nil, "folder or tarball to lay PATH over, repeatable")
	cmd.Flags().StringVar(&c.Settings, "settings", "", "settings, YAML or JSON, over the bundle's own")
}
