package cli

import (
	"errors"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"github.com/changevouch/changevouch/cmd/vouch/internal/app"
)

const initNext = `
What to do next:
  Fill in directory.yaml: people with all their accounts, repositories, services.
  Create the labels that the forms set, once: %s.
  Commit the files to the default branch: only there GitHub finds the forms.
  Then judge what is there:
    vouch collect git --repo . --out events.ndjson
    vouch directory check directory.yaml --events events.ndjson
    vouch assemble --events events.ndjson --directory directory.yaml | vouch eval -
`

func newInitCommand(sys System) *cobra.Command {
	var force bool
	cmd := &cobra.Command{
		Use:   "init [FOLDER]",
		Short: "Begin in a repository: templates, issue forms, directory and settings",
		Long: `Begin in a repository: write a template of pull requests, issue forms (change
request, incident, emergency review, post-incident review, access request, access
review) and starters of the directory and the settings. What people write into
them is what the collectors and the policy read.

Nothing that exists is ever touched. Where something does, it is named and nothing
is written; with --force the rest is.`,
		Example: `  vouch init
  vouch init ../shop --force`,
		RunE: func(cmd *cobra.Command, args []string) error {
			folder := "."
			switch {
			case len(args) > 1:
				return errors.New("give one folder, or none for this one")
			case len(args) == 1 && args[0] == "":
				return errors.New("the name of the folder is empty")
			case len(args) == 1:
				folder = args[0]
			}
			starters, err := app.Starters(cmd.Context())
			if err != nil {
				return err
			}
			written, kept, err := app.Initialise(folder, starters, force)
			for _, path := range written {
				if _, err := fmt.Fprintln(sys.Stdout, path); err != nil {
					return err
				}
			}
			if err != nil {
				return err
			}
			for _, path := range kept {
				sys.tell("exists: %s", path)
			}
			if len(kept) > 0 && !force {
				return fmt.Errorf("%s already: nothing was written; --force writes the rest and leaves what exists as it is", counted(len(kept), "file exists", "files exist"))
			}
			if len(written) == 0 {
				sys.tell("all of it exists: nothing was written")
				return nil
			}
			sys.tell(initNext, strings.Join(app.FormLabels(), ", "))
			return nil
		},
	}
	cmd.Flags().BoolVar(&force, "force", false, "write what is missing, although other files exist; those stay as they are")
	return cmd
}
