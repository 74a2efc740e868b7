package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"

	"github.com/changevouch/changevouch/engine"
	"github.com/changevouch/changevouch/engine/ledger"
	"github.com/changevouch/changevouch/engine/store/rows"
)

// writing is a transaction that holds the head of the log: nobody else writes
// until it ends, and what it appends follows what was there.
type writing struct {
	*rows.Queries
	tx      rows.DBTX
	origin  string
	tree    ledger.Tree
	before  int64 // size at the beginning
	now     int64 // recorded_at: never before that of an entry before
	signers []*ledger.Key
}

func newWriting(tx rows.DBTX) *writing { return &writing{Queries: rows.New(tx), tx: tx} }

// write runs one transaction, whole or not at all, and signs the new head with
// it. do may run several times; it must depend on nothing that it did before. An
// error of the database while it commits may mean that it did commit: do then
// finds its records there.
func (s *Store) write(ctx context.Context, do func(w *writing) error) error {
	if s.key == nil {
		return s.fits("")
	}
	return s.patiently(ctx, func(ctx context.Context) error {
		tx, err := s.db.BeginTx(ctx, nil)
		if err != nil {
			return err
		}
		defer func() { _ = tx.Rollback() }() // after a commit it does nothing
		w := newWriting(s.statements(tx))
		w.signers = []*ledger.Key{s.key}
		head, err := w.LockLedger(ctx)
		if err != nil {
			return fmt.Errorf("lock the head of the log: %w", err)
		}
		if err := s.fits(head.PublicKey); err != nil {
			return err
		}
		if w.tree, err = s.trusted(head); err != nil {
			return err
		}
		w.origin, w.before, w.now = head.Origin, head.Size, max(micros(s.clock()), head.RecordedAt)
		if err := do(w); err != nil {
			return err
		}
		if err := w.sign(ctx); err != nil {
			return err
		}
		return tx.Commit()
	})
}

// trusted is the right edge of the log, if it is what our key signed. To build on
// anything else would be to sign what somebody else wrote.
func (s *Store) trusted(head rows.LockLedgerRow) (ledger.Tree, error) {
	tree, err := ledger.ParseTree(head.Size, head.Edge)
	if err != nil {
		return tree, fmt.Errorf("the head of the log is damaged, verify the journal: %w", err)
	}
	signed, err := ledger.OpenCheckpoint(head.Checkpoint, s.key.Public())
	if err != nil {
		return tree, fmt.Errorf("the head of the log was changed, verify the journal: %w", err)
	}
	if signed != (ledger.Checkpoint{Origin: head.Origin, Size: tree.Size(), Root: tree.Root()}) {
		return tree, errors.New("the head of the log is not the one that was signed: somebody changed it, verify the journal")
	}
	return tree, nil
}

// append adds an entry; RecordedAt is set here. It returns the number of the leaf.
func (w *writing) append(ctx context.Context, e ledger.Entry) (int64, error) {
	e.RecordedAt = fromMicros(w.now)
	leaf, err := e.Leaf()
	if err != nil {
		return 0, err
	}
	body, err := deflate(e.Body)
	if err != nil {
		return 0, err
	}
	index, hash := w.tree.Size(), ledger.LeafHash(leaf)
	err = w.InsertEntry(ctx, rows.InsertEntryParams{
		Idx: index, Kind: e.Kind, Ref: e.Ref, RecordedAt: w.now,
		Supersedes: nullable(e.Supersedes), Judge: nullable(e.Judge), Hash: hash[:], Body: body,
	})
	if err != nil {
		return 0, err
	}
	for _, node := range w.tree.Append(hash) {
		err := w.InsertNode(ctx, int64(node.Level), node.Index, node.Hash[:])
		if err != nil {
			return 0, err
		}
	}
	return index, nil
}

// sign writes the head that the entries of this transaction lead to.
func (w *writing) sign(ctx context.Context) error {
	if w.tree.Size() == w.before {
		return nil
	}
	note, err := ledger.Checkpoint{Origin: w.origin, Size: w.tree.Size(), Root: w.tree.Root()}.Sign(w.signers...)
	if err != nil {
		return err
	}
	last := w.signers[len(w.signers)-1]
	return w.UpdateLedger(ctx, rows.UpdateLedgerParams{
		Size: w.tree.Size(), Edge: w.tree.Edge(), Checkpoint: note, PublicKey: last.Public().String(), RecordedAt: w.now,
	})
}

func nullable(text string) sql.NullString { return sql.NullString{String: text, Valid: text != ""} }

// errEmpty is the answer about a journal into which nobody ever wrote.
var errEmpty = fmt.Errorf("%w: nothing was ever written", engine.ErrNotFound)

// Head is the newest signed checkpoint. It is read, not checked: see Verify.
func (s *Store) Head(ctx context.Context) (ledger.Checkpoint, []byte, error) {
	var head rows.LedgerRow
	err := s.patiently(ctx, func(ctx context.Context) (err error) {
		head, err = rows.New(s.read).Ledger(ctx)
		return err
	})
	if errors.Is(err, sql.ErrNoRows) {
		return ledger.Checkpoint{}, nil, errEmpty
	}
	if err != nil {
		return ledger.Checkpoint{}, nil, fmt.Errorf("read the head of the log: %w", err)
	}
	checkpoint, err := headOf(head)
	return checkpoint, head.Checkpoint, err
}

// headOf is what the row of the head says, which its checkpoint must agree with.
func headOf(head rows.LedgerRow) (ledger.Checkpoint, error) {
	tree, err := ledger.ParseTree(head.Size, head.Edge)
	if err != nil {
		return ledger.Checkpoint{}, fmt.Errorf("the head of the log is damaged: %w", err)
	}
	return ledger.Checkpoint{Origin: head.Origin, Size: head.Size, Root: tree.Root()}, nil
}

// PublicKey is the key that the journal names as its own. Whoever checks the
// journal must have it from elsewhere.
func (s *Store) PublicKey(ctx context.Context) (ledger.PublicKey, error) {
	head, err := rows.New(s.read).Ledger(ctx)
	if errors.Is(err, sql.ErrNoRows) {
		return ledger.PublicKey{}, errEmpty
	}
	if err != nil {
		return ledger.PublicKey{}, fmt.Errorf("read the head of the log: %w", s.explained(err))
	}
	return ledger.ParsePublicKey(head.PublicKey)
}

// Checkpoint is Head, and with a key the journal remembers that it was given
// away, so that later verifications are held to it.
func (s *Store) Checkpoint(ctx context.Context) ([]byte, error) {
	if s.key == nil {
		_, note, err := s.Head(ctx)
		return note, err
	}
	var note []byte
	err := s.write(ctx, func(w *writing) error {
		head, err := w.Ledger(ctx)
		if err != nil {
			return err
		}
		note = head.Checkpoint
		return w.InsertCheckpoint(ctx, head.Size, note, w.now)
	})
	if err != nil {
		return nil, fmt.Errorf("issue a checkpoint: %w", err)
	}
	return note, nil
}

// tiles reads tiles out of a transaction: level 0 are the leaves.
func tiles(ctx context.Context, q *rows.Queries) ledger.Tiles {
	return func(level int, index int64, width int) ([]byte, error) {
		from := index * ledger.TileWidth
		to := from + int64(width)
		var hashes [][]byte
		var err error
		if level == 0 {
			hashes, err = q.LeafHashes(ctx, from, to)
		} else {
			hashes, err = q.NodeHashes(ctx, int64(level), from, to)
		}
		if err != nil {
			return nil, err
		}
		var out []byte
		for _, h := range hashes {
			out = append(out, h...)
		}
		return out, nil
	}
}

// ProveInclusion makes the proof that entry index is in the log, under the
// newest checkpoint. What it reads is checked on the way.
func (s *Store) ProveInclusion(ctx context.Context, index int64) (ledger.Inclusion, error) {
	var proof ledger.Inclusion
	err := s.snapshot(ctx, func(tx *sql.Tx) error {
		q := rows.New(tx)
		head, err := q.Ledger(ctx)
		if err != nil {
			return err
		}
		checkpoint, err := headOf(head)
		if err != nil {
			return err
		}
		row, err := q.Entry(ctx, index)
		if errors.Is(err, sql.ErrNoRows) {
			return fmt.Errorf("entry %d: %w: the log has %d", index, engine.ErrNotFound, head.Size)
		}
		if err != nil {
			return err
		}
		entry, err := entryOf(row)
		if err != nil {
			return err
		}
		leaf, err := entry.Leaf()
		if err != nil {
			return err
		}
		proof, err = ledger.ProveInclusion(checkpoint, tiles(ctx, q), head.Size, head.Checkpoint, index, leaf)
		return err
	})
	if err != nil {
		return ledger.Inclusion{}, fmt.Errorf("prove entry %d: %w", index, err)
	}
	return proof, nil
}

// ProveConsistency makes the proof that the journal continues the log of an
// earlier checkpoint. The keys are those that may have signed it.
func (s *Store) ProveConsistency(ctx context.Context, earlier []byte, keys ...ledger.PublicKey) (ledger.Consistency, error) {
	before, err := ledger.OpenCheckpoint(earlier, keys...)
	if err != nil {
		return ledger.Consistency{}, fmt.Errorf("the earlier checkpoint: %w", err)
	}
	var proof ledger.Consistency
	err = s.snapshot(ctx, func(tx *sql.Tx) error {
		q := rows.New(tx)
		head, err := q.Ledger(ctx)
		if err != nil {
			return err
		}
		checkpoint, err := headOf(head)
		if err != nil {
			return err
		}
		proof, err = ledger.ProveConsistency(checkpoint, tiles(ctx, q), head.Checkpoint, before, earlier)
		return err
	})
	if err != nil {
		return ledger.Consistency{}, fmt.Errorf("prove consistency: %w", err)
	}
	return proof, nil
}

// Export hands over every file of a mirror by C2SP tlog-tiles: the tiles, and
// last the checkpoint that they lead to.
func (s *Store) Export(ctx context.Context, file func(path string, content []byte) error) error {
	err := s.snapshot(ctx, func(tx *sql.Tx) error {
		q := rows.New(tx)
		head, err := q.Ledger(ctx)
		if err != nil {
			return err
		}
		read := tiles(ctx, q)
		err = ledger.EachTile(head.Size, func(level int, index int64, width int) error {
			content, err := read(level, index, width)
			if err != nil {
				return err
			}
			return file(ledger.TilePath(level, index, width), content)
		})
		if err != nil {
			return err
		}
		return file("checkpoint", head.Checkpoint)
	})
	if errors.Is(err, sql.ErrNoRows) {
		err = errEmpty
	}
	if err != nil {
		return fmt.Errorf("export tiles: %w", err)
	}
	return nil
}

// Entry is what the log holds at a number, and the hash of its leaf. The error is
// ErrRemoved when retention removed its body.
func (s *Store) Entry(ctx context.Context, index int64) (ledger.Entry, error) {
	row, err := rows.New(s.read).Entry(ctx, index)
	if errors.Is(err, sql.ErrNoRows) {
		return ledger.Entry{}, fmt.Errorf("entry %d: %w", index, engine.ErrNotFound)
	}
	if err != nil {
		return ledger.Entry{}, fmt.Errorf("entry %d: %w", index, s.explained(err))
	}
	return entryOf(row)
}

// entryOf unpacks an entry.
func entryOf(row rows.Entry) (ledger.Entry, error) {
	e := ledger.Entry{
		Kind: row.Kind, Ref: row.Ref, RecordedAt: fromMicros(row.RecordedAt),
		Supersedes: row.Supersedes.String, Judge: row.Judge.String,
	}
	if row.Body == nil {
		return e, fmt.Errorf("entry %d, %s %s: %w", row.Idx, row.Kind, row.Ref, engine.ErrRemoved)
	}
	var err error
	if e.Body, err = inflate(row.Body); err != nil {
		return e, fmt.Errorf("entry %d, %s %s: %w", row.Idx, row.Kind, row.Ref, err)
	}
	return e, nil
}

// Rotate makes next the key of the journal. The entry and the checkpoint of the
// rotation are signed by both keys. From then on the Store signs with next; other
// processes get ErrKey until they are given it.
func (s *Store) Rotate(ctx context.Context, next *ledger.Key) error {
	if s.key == nil {
		return s.fits("")
	}
	if next.Public() == s.key.Public() {
		return errors.New("rotate the signing key: the new key is the old one")
	}
	err := s.write(ctx, func(w *writing) error {
		old := w.signers[0].Public().String()
		_, err := w.append(ctx, ledger.Entry{
			Kind: ledger.KindKey, Ref: next.Public().String(), Body: []byte(old + "\n" + next.Public().String() + "\n"),
		})
		if err != nil {
			return err
		}
		w.signers = append(w.signers, next)
		if err := w.sign(ctx); err != nil {
			return err
		}
		head, err := w.Ledger(ctx)
		if err != nil {
			return err
		}
		return w.InsertCheckpoint(ctx, head.Size, head.Checkpoint, w.now)
	})
	if err != nil {
		return fmt.Errorf("rotate the signing key: %w", err)
	}
	s.key = next
	return nil
}
