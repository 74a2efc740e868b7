package cli

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"github.com/changevouch/changevouch/cmd/vouch/internal/app"
	"github.com/changevouch/changevouch/engine/store"
)

// addStoreFlag declares what names a journal.
func addStoreFlag(cmd *cobra.Command, c *app.JournalConfig) {
	cmd.Flags().StringVar(&c.Store, "store", "", "journal, sqlite:PATH or postgres://USER@HOST/DATABASE (default: journal.db in your state directory)")
}

// addJournalFlags declares what names a journal and its key.
func addJournalFlags(cmd *cobra.Command, c *app.JournalConfig) {
	addStoreFlag(cmd, c)
	cmd.Flags().StringVar(&c.Key, "key", "", "file with the key that signs the journal; made when there is no journal yet (default: beside it, PATH.key)")
}

// reading opens a journal for a command that only reads it.
func reading(ctx context.Context, c app.JournalConfig, do func(*store.Store) error) error {
	s, err := c.Read(ctx)
	if err != nil {
		return err
	}
	return errors.Join(do(s), s.Close())
}

// writing opens a journal for a command that records something in it.
func writing(ctx context.Context, c app.JournalConfig, do func(*store.Store) error) error {
	s, err := c.Write(ctx)
	if err != nil {
		return err
	}
	return errors.Join(do(s), s.Close())
}

// oneArgument is for commands that take exactly one.
func oneArgument(what string) cobra.PositionalArgs {
	return func(cmd *cobra.Command, args []string) error {
		switch {
		case len(args) == 0 || strings.TrimSpace(args[0]) == "":
			return fmt.Errorf("%s needs %s", cmd.CommandPath(), what)
		case len(args) > 1:
			return fmt.Errorf("%s takes one argument, %s; found %q too", cmd.CommandPath(), what, args[1])
		}
		return nil
	}
}
