package cli

import (
	"errors"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"github.com/changevouch/changevouch/cmd/vouch/internal/app"
	"github.com/changevouch/changevouch/engine/policy"
)

func newPolicyNewCommand(sys System) *cobra.Command {
	var (
		control policy.NewControl
		folder  string
	)
	cmd := &cobra.Command{
		Use:   "new ID --title TITLE",
		Short: "Begin a control of your own",
		Long: `Begin a control of your own: a rule with its METADATA, a test, and a row of the
catalogue, which pass check, fmt and test as they are. ID begins with a prefix of
your own, such as ACME-1. DIR, a folder of that name unless you say otherwise,
can hold many controls; vouch eval --bundle DIR judges by them too.`,
		Example: `  vouch policy new ACME-1 --title "Changes name their work item"
  vouch policy test acme
  vouch eval --bundle acme dossiers/`,
		RunE: func(cmd *cobra.Command, args []string) error {
			switch {
			case len(args) != 1:
				return errors.New("give one id, such as ACME-1")
			case control.Title == "":
				return errors.New("no title: give --title \"What the control wants\"")
			}
			control.ID = args[0]
			if folder == "" {
				folder = strings.ToLower(control.Prefix())
			}
			written, err := app.BeginControl(cmd.Context(), control, folder)
			if err != nil {
				return err
			}
			_, err = fmt.Fprintln(sys.Stdout, strings.Join(written, "\n"))
			return err
		},
	}
	flags := cmd.Flags()
	flags.StringVar(&control.Title, "title", "", "what the control wants, in a few words")
	flags.StringVar(&control.Clause, "clause", "", "clause that it answers (default: the id)")
	flags.StringVar(&control.Severity, "severity", "medium", "critical, high, medium or low")
	flags.StringVar(&folder, "dir", "", "folder of your own controls (default: the prefix of the id)")
	return cmd
}
