package cli

import (
	"errors"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"github.com/changevouch/changevouch/cmd/vouch/internal/app"
)

func newPolicyDocsCommand(sys System) *cobra.Command {
	var (
		c        app.PolicyConfig
		folder   string
		examples []string
		check    bool
	)
	cmd := &cobra.Command{
		Use:   "docs --out DIR",
		Short: "Write the handbook of a policy, from its rules",
		Long: `Write the handbook of a policy as Markdown: DIR/controls/<rule>/README.md for
each control, and DIR/catalogue/README.md with the index and the trace from each
clause of the written policy to controls, rules, tests and frameworks. All but
the catalogue's own texts is read out of the compiled rules; the messages are
those of examples, judged with the settings as they are.

--check writes nothing: it is an error when a page is out of date, a clause has
no control, or a control has no test or no example in which it fails.`,
		Example: `  vouch policy docs --bundle rego --out rego --examples testdata/cases
  vouch policy docs --bundle acme --out handbook --examples dossiers`,
		Args: noArguments,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if folder == "" {
				return errors.New("no folder for the pages: give --out DIR")
			}
			book, err := app.OpenHandbook(cmd.Context(), c, folder, examples)
			if err != nil {
				return err
			}
			if check {
				return checkHandbook(sys, book)
			}
			written, err := book.Write()
			if err != nil {
				return err
			}
			for _, gap := range book.Gaps {
				sys.tell("%s", gap)
			}
			_, err = fmt.Fprintf(sys.Stdout, "%s in %s, %d written\n", plural(len(book.Pages), "page"), folder, len(written))
			return err
		},
	}
	addBundleFlags(cmd, &c)
	cmd.Flags().StringVar(&folder, "out", "", "folder of the pages")
	cmd.Flags().StringSliceVar(&examples, "examples", nil, "file or folder of dossiers, or of cases with an id and a dossier, repeatable")
	cmd.Flags().BoolVar(&check, "check", false, "only look whether the pages are up to date and complete")
	return cmd
}

func checkHandbook(sys System, book *app.Handbook) error {
	problems, err := book.Stale()
	if err != nil {
		return err
	}
	if len(problems) > 0 {
		problems = append(problems, "Write the pages again, without --check.")
	}
	problems = append(problems, book.Gaps...)
	if len(problems) > 0 {
		return errors.New(strings.Join(problems, "\n"))
	}
	_, err = fmt.Fprintf(sys.Stdout, "%s in %s, all up to date\n", plural(len(book.Pages), "page"), book.Folder)
	return err
}
