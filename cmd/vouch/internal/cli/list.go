package cli

import (
	"context"
	"io"

	"github.com/spf13/cobra"

	"github.com/changevouch/changevouch/cmd/vouch/internal/app"
	"github.com/changevouch/changevouch/engine/report"
	"github.com/changevouch/changevouch/engine/store"
)

// newListCommand is a command that lists what a journal keeps of one kind: list gives
// the rows of the table and, as a list too, what JSON shows. none is what a person is
// told when there is nothing.
func newListCommand(sys System, short, example, none string, list func(context.Context, *store.Store) (report.Grid, any, error)) *cobra.Command {
	var journal app.JournalConfig
	var outputs []string
	cmd := &cobra.Command{
		Use:     "list",
		Short:   short,
		Example: example,
		Args:    noArguments,
		RunE: func(cmd *cobra.Command, _ []string) error {
			sinks, err := openSinks(sys, outputs, gridFormats)
			if err != nil {
				return err
			}
			defer sinks.discard()
			return reading(cmd.Context(), journal, func(s *store.Store) error {
				g, views, err := list(cmd.Context(), s)
				if err != nil {
					return err
				}
				if len(g.Rows) == 0 {
					sys.tell("%s", none)
				}
				return sinks.write(func(w io.Writer, format string) error {
					if format == "json" {
						return writeJSON(w, views)
					}
					return writeGrid(sys, w, format, g)
				})
			})
		},
	}
	addStoreFlag(cmd, &journal)
	addSinkFlag(cmd, &outputs, gridFormats)
	return cmd
}
