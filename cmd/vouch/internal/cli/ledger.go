package cli

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/changevouch/changevouch/cmd/vouch/internal/app"
	"github.com/changevouch/changevouch/engine/ledger"
	"github.com/changevouch/changevouch/engine/store"
)

func newLedgerCommand(sys System) *cobra.Command {
	return newGroup("ledger", "Prove that the journal was not edited",
		newLedgerVerifyCommand(sys), newLedgerCheckpointCommand(sys), newLedgerProveCommand(sys), newLedgerConsistencyCommand(sys),
		newLedgerCheckCommand(sys), newLedgerExportCommand(sys), newLedgerPublicKeyCommand(sys), newLedgerRotateCommand(sys))
}

// ledgerFlags name a journal and what it is held to.
type ledgerFlags struct {
	journal     app.JournalConfig
	publicKey   string
	checkpoints []string
}

func (f *ledgerFlags) declareKeys(cmd *cobra.Command) {
	cmd.Flags().StringVar(&f.publicKey, "public-key", "", "file with the public keys that are trusted, one a line (default: that of the signing key)")
}

// declareCheckpoints is for commands that look back.
func (f *ledgerFlags) declareCheckpoints(cmd *cobra.Command) {
	cmd.Flags().StringSliceVar(&f.checkpoints, "checkpoint", nil, "file with a checkpoint that was kept elsewhere: what it commits to must still be there; repeatable")
}

func (f *ledgerFlags) held() (store.Verification, error) {
	var how store.Verification
	var err error
	if how.Keys, err = f.journal.PublicKeys(f.publicKey); err != nil {
		return how, err
	}
	for _, path := range f.checkpoints {
		text, err := os.ReadFile(path)
		if err != nil {
			return how, fmt.Errorf("checkpoint: %w", err)
		}
		how.Earlier = append(how.Earlier, text)
	}
	return how, nil
}

func newLedgerVerifyCommand(sys System) *cobra.Command {
	var f ledgerFlags
	var outputs []string
	cmd := &cobra.Command{
		Use:   "verify",
		Short: "Hash everything again, check signatures, and compare every row with its leaf",
		Long: `Read the whole journal: hash every leaf again, build the tree again, check the
signature of its head, and compare every row of every table with the leaf that it came
from. Whatever is wrong is named with its table, record and entry, and makes the exit
code 2. That a tail was cut off can be seen only with a checkpoint that was kept
elsewhere (vouch ledger checkpoint).`,
		Example: `  vouch ledger verify
  vouch ledger verify --public-key auditor.pub --checkpoint january.checkpoint -o json`,
		Args: noArguments,
		RunE: func(cmd *cobra.Command, _ []string) error {
			sinks, err := openSinks(sys, outputs, valueFormats)
			if err != nil {
				return err
			}
			defer sinks.discard()
			how, err := f.held()
			if err != nil {
				return err
			}
			return reading(cmd.Context(), f.journal, func(s *store.Store) error {
				found, err := s.Verify(cmd.Context(), how)
				if err != nil {
					return err
				}
				if err := sinks.write(func(w io.Writer, format string) error { return writeReport(sys, w, format, found) }); err != nil {
					return err
				}
				if !found.Sound() {
					return exit(exitNonCompliant)
				}
				if len(how.Earlier) == 0 {
					sys.tell("no earlier checkpoint was named: a tail that was cut off would not be seen")
				}
				return nil
			})
		},
	}
	addJournalFlags(cmd, &f.journal)
	f.declareKeys(cmd)
	f.declareCheckpoints(cmd)
	addSinkFlag(cmd, &outputs, valueFormats)
	return cmd
}

// writeReport shows what a verification found.
func writeReport(sys System, w io.Writer, format string, r store.Report) error {
	switch format {
	case "json":
		return writeJSON(w, r)
	case "yaml":
		return writeYAML(w, r)
	}
	var b paragraphs
	for _, fault := range r.Faults {
		b.add(0, "✗ "+fault.String())
	}
	if r.Unlisted > 0 {
		b.add(0, fmt.Sprintf("✗ and %d more", r.Unlisted))
	}
	if r.Sound() {
		b.add(0, fmt.Sprintf("✓ sound: %d entries, %d without body by retention", r.Entries, r.Removed))
	} else {
		b.add(0, fmt.Sprintf("✗ not sound: %s in %d entries", plural(len(r.Faults)+int(r.Unlisted), "fault"), r.Entries))
	}
	var kinds []string
	for _, kind := range slices.Sorted(maps.Keys(r.Kinds)) {
		kinds = append(kinds, fmt.Sprintf("%d %s", r.Kinds[kind], kind))
	}
	if len(kinds) > 0 {
		b.labelled(2, "entries", strings.Join(kinds, ", "))
	}
	b.labelled(2, "log", fmt.Sprintf("%s, %d entries, root %s", r.Checkpoint.Origin, r.Checkpoint.Size, r.Checkpoint.Root))
	return b.write(w, sys.width(w))
}

func newLedgerCheckpointCommand(sys System) *cobra.Command {
	var f ledgerFlags
	var out string
	cmd := &cobra.Command{
		Use:   "checkpoint",
		Short: "Give out the signed head of the log",
		Long: `Give out the signed head of the log: a few lines of text that commit to everything
recorded so far. Keep it where whoever writes the journal cannot reach it. With the
signing key at hand the journal remembers that it was given out, and is held to it.`,
		Example: `  vouch ledger checkpoint -o 2026-11.checkpoint`,
		Args:    noArguments,
		RunE: func(cmd *cobra.Command, _ []string) error {
			give := func(s *store.Store) error {
				signed, err := s.Checkpoint(cmd.Context())
				if err != nil {
					return err
				}
				return writeTo(sys, out, func(w io.Writer) error {
					_, err := w.Write(signed)
					return err
				})
			}
			if _, err := f.journal.SigningKey(); errors.Is(err, fs.ErrNotExist) {
				return reading(cmd.Context(), f.journal, give)
			}
			return changing(cmd.Context(), f.journal, give)
		},
	}
	addJournalFlags(cmd, &f.journal)
	cmd.Flags().StringVarP(&out, "out", "o", "", "write it to a file instead of standard output")
	return cmd
}

func newLedgerProveCommand(sys System) *cobra.Command {
	var f ledgerFlags
	var out string
	cmd := &cobra.Command{
		Use:   "prove DECISION|ENTRY",
		Short: "Prove that a decision, or an entry of the log, is in the journal",
		Long: `Write a proof that a decision, or the entry of that number, is in the log. Whoever
has the public key checks it without the journal: vouch ledger check FILE. The proof
holds the record itself.`,
		Example: `  vouch ledger prove dec_4216476b25949cc3122ccc45d4ebf188 -o proof.json
  vouch ledger prove 17`,
		Args: oneArgument("the id of a decision or the number of an entry"),
		RunE: func(cmd *cobra.Command, args []string) error {
			return reading(cmd.Context(), f.journal, func(s *store.Store) error {
				index, err := strconv.ParseInt(args[0], 10, 64)
				if err != nil {
					record, err := s.Decision(cmd.Context(), args[0])
					if err != nil {
						return err
					}
					index = record.Index
				}
				proof, err := s.ProveInclusion(cmd.Context(), index)
				if err != nil {
					return err
				}
				return writeProof(sys, out, proof)
			})
		},
	}
	addStoreFlag(cmd, &f.journal)
	cmd.Flags().StringVarP(&out, "out", "o", "", "write it to a file instead of standard output")
	return cmd
}

func newLedgerConsistencyCommand(sys System) *cobra.Command {
	var f ledgerFlags
	var from, out string
	cmd := &cobra.Command{
		Use:   "consistency --from FILE",
		Short: "Prove that the journal continues the log of an earlier checkpoint",
		Long: `Write a proof that the log of today continues that of an earlier checkpoint: nothing
that was in it then was changed, removed or reordered. It is checked with vouch ledger
check FILE.`,
		Example: `  vouch ledger consistency --from january.checkpoint -o since-january.json`,
		Args:    noArguments,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if from == "" {
				return errors.New("no earlier checkpoint named: --from FILE, as vouch ledger checkpoint wrote it")
			}
			earlier, err := os.ReadFile(from)
			if err != nil {
				return fmt.Errorf("checkpoint: %w", err)
			}
			keys, err := f.journal.PublicKeys(f.publicKey)
			if err != nil {
				return err
			}
			return reading(cmd.Context(), f.journal, func(s *store.Store) error {
				proof, err := s.ProveConsistency(cmd.Context(), earlier, keys...)
				if err != nil {
					return fmt.Errorf("checkpoint %s: %w", from, err)
				}
				return writeProof(sys, out, proof)
			})
		},
	}
	addJournalFlags(cmd, &f.journal)
	f.declareKeys(cmd)
	cmd.Flags().StringVar(&from, "from", "", "file with the earlier checkpoint")
	cmd.Flags().StringVarP(&out, "out", "o", "", "write it to a file instead of standard output")
	return cmd
}

func writeProof(sys System, out string, proof any) error {
	text, err := json.Marshal(proof)
	if err != nil {
		return err
	}
	return writeTo(sys, out, func(w io.Writer) error {
		_, err := w.Write(append(text, '\n'))
		return err
	})
}

func newLedgerCheckCommand(sys System) *cobra.Command {
	var f ledgerFlags
	var body bool
	cmd := &cobra.Command{
		Use:   "check FILE --public-key FILE",
		Short: "Check a proof file, offline, with the public key alone",
		Long: `Check a proof that vouch ledger prove or consistency wrote. Nothing but the file and
the public key is read. A proof that does not hold is an error.`,
		Example: `  vouch ledger check proof.json --public-key acme.pub
  vouch ledger check proof.json --public-key acme.pub --body > decision.json`,
		Args: oneArgument("a proof file"),
		RunE: func(_ *cobra.Command, args []string) error {
			if f.publicKey == "" {
				return errors.New("no public key named: --public-key FILE, as vouch ledger public-key wrote it")
			}
			file, err := os.ReadFile(args[0])
			if err != nil {
				return fmt.Errorf("proof: %w", err)
			}
			keys, err := f.journal.PublicKeys(f.publicKey)
			if err != nil {
				return err
			}
			checked, err := ledger.Check(file, keys...)
			if err != nil {
				return fmt.Errorf("%s: %w", args[0], err)
			}
			if body {
				if checked.Entry == nil {
					return fmt.Errorf("%s proves that one log continues another: it holds no record", args[0])
				}
				_, err := sys.Stdout.Write(checked.Entry.Body)
				return err
			}
			return writeChecked(sys, checked)
		},
	}
	cmd.Flags().StringVar(&f.publicKey, "public-key", "", "file with the public keys that are trusted, one a line")
	cmd.Flags().BoolVar(&body, "body", false, "show the record that the proof holds, in its exact bytes")
	return cmd
}

func writeChecked(sys System, c ledger.Checked) error {
	var b paragraphs
	if c.Entry != nil {
		b.add(0, fmt.Sprintf("✓ entry %d of the log is the %s %s, recorded at %s", c.Index, c.Entry.Kind, c.Entry.Ref, c.Entry.RecordedAt.Format(time.RFC3339Nano)))
	}
	if c.Old != nil {
		b.add(0, fmt.Sprintf("✓ the log of %d entries continues that of %d", c.Checkpoint.Size, c.Old.Size))
	}
	b.labelled(2, "log", fmt.Sprintf("%s, %d entries, root %s", c.Checkpoint.Origin, c.Checkpoint.Size, c.Checkpoint.Root))
	return b.write(sys.Stdout, sys.width(sys.Stdout))
}

func newLedgerExportCommand(sys System) *cobra.Command {
	var f ledgerFlags
	cmd := &cobra.Command{
		Use:   "export FOLDER",
		Short: "Write the log as tiles, so that outside witnesses can follow",
		Long: `Write the hashes of the log into a folder as C2SP tlog-tiles, with the checkpoint they
lead to: files for any web server, which hold no record. A later export into the same
folder brings it up to date.`,
		Example: `  vouch ledger export /srv/www/vouch-log`,
		Args:    oneArgument("a folder"),
		RunE: func(cmd *cobra.Command, args []string) error {
			return reading(cmd.Context(), f.journal, func(s *store.Store) error {
				files, err := app.ExportTiles(cmd.Context(), s, args[0])
				if err != nil {
					return err
				}
				sys.tell("%s written to %s", plural(files, "file"), args[0])
				return nil
			})
		},
	}
	addStoreFlag(cmd, &f.journal)
	return cmd
}

func newLedgerPublicKeyCommand(sys System) *cobra.Command {
	var f ledgerFlags
	cmd := &cobra.Command{
		Use:   "public-key",
		Short: "Show the public keys of the journal",
		Long: `Show the public half of the signing key and, after a rotation, those of the keys
before it, one a line, the newest first. Give them to whoever is to check the journal,
on another way than the journal.`,
		Example: `  vouch ledger public-key > acme.pub`,
		Args:    noArguments,
		RunE: func(*cobra.Command, []string) error {
			keys, err := f.journal.PublicKeys("")
			if err != nil {
				return err
			}
			return writeKeys(sys, keys)
		},
	}
	addJournalFlags(cmd, &f.journal)
	return cmd
}

func newLedgerRotateCommand(sys System) *cobra.Command {
	var f ledgerFlags
	cmd := &cobra.Command{
		Use:   "rotate-key",
		Short: "Sign with a new key from now on",
		Long: `Make a new signing key and record the change in the log, signed by both keys. The old
key file is kept beside the new one, under a name that ends with the instant: take it
away. The public halves are kept in KEY.pub and shown, the newest first: old checkpoints
stay valid under the old ones. Other processes that write to the journal need the new
key.`,
		Example: `  vouch ledger rotate-key > acme.pub`,
		Args:    noArguments,
		RunE: func(cmd *cobra.Command, _ []string) error {
			keys, err := app.RotateKey(cmd.Context(), f.journal, sys.Now())
			if err != nil {
				return err
			}
			return writeKeys(sys, keys)
		},
	}
	addJournalFlags(cmd, &f.journal)
	return cmd
}

// writeKeys shows public keys, one a line.
func writeKeys(sys System, keys []ledger.PublicKey) error {
	for _, key := range keys {
		if _, err := fmt.Fprintln(sys.Stdout, key); err != nil {
			return err
		}
	}
	return nil
}

// changing opens a journal that exists for a command that records something in it.
func changing(ctx context.Context, c app.JournalConfig, do func(*store.Store) error) error {
	s, err := c.Change(ctx)
	if err != nil {
		return err
	}
	return errors.Join(do(s), s.Close())
}
