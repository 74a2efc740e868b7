package cli

import (
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/changevouch/changevouch/cmd/vouch/internal/app"
	"github.com/changevouch/changevouch/engine/store"
)

func newBackupCommand(sys System) *cobra.Command {
	var f ledgerFlags
	cmd := &cobra.Command{
		Use:   "backup FILE",
		Short: "Write the journal to a file, while others go on writing",
		Long: `Write the journal as it is at one moment to a file, whatever is written meanwhile. The
file appears when it was restored to a temporary place and found sound. It holds
everything but the signing key: keep a copy of that elsewhere.`,
		Example: `  vouch backup /backups/vouch-2026-11-22.gz`,
		Args:    oneArgument("a file"),
		RunE: func(cmd *cobra.Command, args []string) error {
			keys, err := f.journal.PublicKeys(f.publicKey)
			if err != nil {
				return err
			}
			return reading(cmd.Context(), f.journal, func(s *store.Store) error {
				head, found, err := app.Backup(cmd.Context(), s, args[0], keys)
				if err != nil {
					tellFaults(sys, found)
					return err
				}
				sys.tell("%s: %d entries of %s, verified", args[0], head.Size, head.Origin)
				return nil
			})
		},
	}
	addJournalFlags(cmd, &f.journal)
	f.declareKeys(cmd)
	return cmd
}

func newRestoreCommand(sys System) *cobra.Command {
	var f ledgerFlags
	cmd := &cobra.Command{
		Use:   "restore FILE",
		Short: "Make a journal out of a backup",
		Long: `Make a journal out of a backup, in a database that has none, of either kind. It is
verified before it is kept: a backup that is not sound is not restored, and makes the
exit code 2.`,
		Example: `  vouch restore /backups/vouch-2026-11-22.gz --store sqlite:/srv/vouch/journal.db --key journal.key
  vouch restore vouch.gz --store postgres://vouch@db/vouch --public-key acme.pub --checkpoint last.checkpoint`,
		Args: oneArgument("a backup file"),
		RunE: func(cmd *cobra.Command, args []string) error {
			how, err := f.held()
			if err != nil {
				return err
			}
			address, err := f.journal.Address()
			if err != nil {
				return err
			}
			found, err := app.Restore(cmd.Context(), address, args[0], how)
			if errors.Is(err, store.ErrUnsound) {
				tellFaults(sys, found)
				sys.tell("vouch: %v: nothing was restored", err)
				return exit(exitNonCompliant)
			}
			if err != nil {
				return fmt.Errorf("restore %s: %w", args[0], err)
			}
			sys.tell("restored and verified: %d entries of %s", found.Entries, found.Checkpoint.Origin)
			return nil
		},
	}
	addJournalFlags(cmd, &f.journal)
	f.declareKeys(cmd)
	f.declareCheckpoints(cmd)
	return cmd
}

func tellFaults(sys System, r store.Report) {
	for _, fault := range r.Faults {
		sys.tell("✗ %v", fault)
	}
}
