package store

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"context"
	"crypto/sha256"
	"database/sql"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"hash"
	"io"

	"github.com/changevouch/changevouch/engine"
	"github.com/changevouch/changevouch/engine/ledger"
	"github.com/changevouch/changevouch/engine/store/rows"
)

// A backup is a gzipped sequence of JSON lines, the same for both databases:
//
//	{"backup":"changevouch/v1","head":{…}}
//	{"checkpoint":{…}} {"cursor":{…}} {"token":{…}} {"notice":{…}} {"delivery":{…}}
//	{"dossier":{…}}                                     each as often as there are
//	{"entry":{…}}                                       all, in their order
//	{"end":{"entries":…,"sha256":"…"}}                  of all lines before
//
// Bytes are base64, bodies compressed as in the database. What can be derived is
// not in it, nor are deliveries whose events are recorded: a server made out of a
// backup takes the same requests, does the work that waits, and tells nobody twice.
type backupLine struct {
	Backup     string           `json:"backup,omitempty"`
	Head       *rows.LedgerRow  `json:"head,omitempty"`
	Checkpoint *rows.Checkpoint `json:"checkpoint,omitempty"`
	Cursor     *rows.Cursor     `json:"cursor,omitempty"`
	Token      *backupToken     `json:"token,omitempty"`
	Notice     *rows.Notice     `json:"notice,omitempty"`
	Delivery   *backupDelivery  `json:"delivery,omitempty"`
	Dossier    *rows.Dossier    `json:"dossier,omitempty"`
	Entry      *backupEntry     `json:"entry,omitempty"`
	End        *backupEnd       `json:"end,omitempty"`
}

type backupEntry struct {
	Index      int64  `json:"index"`
	Kind       string `json:"kind"`
	Ref        string `json:"ref"`
	RecordedAt int64  `json:"recorded_at"`
	Supersedes string `json:"supersedes,omitempty"`
	Judge      string `json:"judge,omitempty"`
	Hash       []byte `json:"hash"`
	Body       []byte `json:"body,omitempty"`
	PrunedBy   *int64 `json:"pruned_by,omitempty"`
}

type backupToken struct {
	engine.Token
	Hash string `json:"hash"`
}

type backupDelivery struct {
	Source      string `json:"source"`
	ID          string `json:"id"`
	Event       string `json:"event"`
	ReceivedAt  int64  `json:"received_at"`
	Digest      []byte `json:"digest"`
	ProcessedAt *int64 `json:"processed_at,omitempty"`
	Fault       string `json:"fault,omitempty"`
	Body        []byte `json:"body"`
}

type backupEnd struct {
	Entries int64  `json:"entries"`
	SHA256  string `json:"sha256"`
}

const backupFormat = "changevouch/v1"

// Backup writes the journal as it is at one moment, whatever is written meanwhile.
// Leaves are hashed again on the way and must lead to the head: a damaged journal
// gives an error, not a backup. It returns the checkpoint of that moment.
func (s *Store) Backup(ctx context.Context, w io.Writer) (ledger.Checkpoint, error) {
	var head ledger.Checkpoint
	// Half a backup cannot be taken back, so this is not tried again.
	tx, err := s.read.BeginTx(ctx, &sql.TxOptions{ReadOnly: true, Isolation: s.isolation()})
	if err == nil {
		defer func() { _ = tx.Rollback() }() // after a commit it does nothing
		head, err = backup(ctx, rows.New(tx), w)
	}
	if errors.Is(err, sql.ErrNoRows) {
		err = errEmpty
	}
	if err != nil {
		return ledger.Checkpoint{}, fmt.Errorf("back up the journal: %w", s.explained(err))
	}
	return head, nil
}

func backup(ctx context.Context, q *rows.Queries, w io.Writer) (ledger.Checkpoint, error) {
	head, err := q.Ledger(ctx)
	if err != nil {
		return ledger.Checkpoint{}, err
	}
	checkpoint, err := headOf(head)
	if err != nil {
		return ledger.Checkpoint{}, err
	}
	zip, err := gzip.NewWriterLevel(w, gzip.BestSpeed)
	if err != nil {
		return ledger.Checkpoint{}, err
	}
	out := &backupWriter{buffer: bufio.NewWriterSize(zip, 1<<16), sum: sha256.New()}
	if err := out.write(backupLine{Backup: backupFormat, Head: &head}); err != nil {
		return ledger.Checkpoint{}, err
	}
	for _, part := range []func(context.Context, *rows.Queries) error{out.small, out.deliveries, out.dossiers} {
		if err := part(ctx, q); err != nil {
			return ledger.Checkpoint{}, err
		}
	}
	tree, err := out.entries(ctx, q, head.Size)
	if err != nil {
		return ledger.Checkpoint{}, err
	}
	if tree.Size() != head.Size || tree.Root() != checkpoint.Root {
		return ledger.Checkpoint{}, errors.New("the entries do not lead to the head of the log: verify the journal")
	}
	end := backupLine{End: &backupEnd{Entries: tree.Size(), SHA256: hex.EncodeToString(out.sum.Sum(nil))}}
	return checkpoint, errors.Join(out.write(end), out.buffer.Flush(), zip.Close())
}

type backupWriter struct {
	buffer *bufio.Writer
	sum    hash.Hash
}

func (b *backupWriter) write(line backupLine) error {
	text, err := json.Marshal(line)
	if err != nil {
		return err
	}
	text = append(text, '\n')
	b.sum.Write(text)
	_, err = b.buffer.Write(text)
	return err
}

// small writes checkpoints, cursors, tokens and notices.
func (b *backupWriter) small(ctx context.Context, q *rows.Queries) error {
	checkpoints, err := q.Checkpoints(ctx)
	if err != nil {
		return err
	}
	for _, c := range checkpoints {
		if err := b.write(backupLine{Checkpoint: &c}); err != nil {
			return err
		}
	}
	cursors, err := q.Cursors(ctx)
	if err != nil {
		return err
	}
	for _, c := range cursors {
		if err := b.write(backupLine{Cursor: &c}); err != nil {
			return err
		}
	}
	tokens, err := q.Tokens(ctx)
	if err != nil {
		return err
	}
	for _, t := range tokens {
		if err := b.write(backupLine{Token: &backupToken{tokenOf(t), t.Hash}}); err != nil {
			return err
		}
	}
	notices, err := q.Notices(ctx)
	if err != nil {
		return err
	}
	for _, n := range notices {
		if err := b.write(backupLine{Notice: &n}); err != nil {
			return err
		}
	}
	return nil
}

// deliveries writes those of which nothing came yet.
func (b *backupWriter) deliveries(ctx context.Context, q *rows.Queries) error {
	for source, id := "", ""; ; {
		list, err := q.OpenDeliveries(ctx, source, id, window)
		if err != nil || len(list) == 0 {
			return err
		}
		for _, d := range list {
			line := backupDelivery{Source: d.Source, ID: d.ID, Event: d.Event, ReceivedAt: d.ReceivedAt, Digest: d.Digest, Fault: d.Fault.String, Body: d.Body}
			if d.ProcessedAt.Valid {
				line.ProcessedAt = &d.ProcessedAt.Int64
			}
			if err := b.write(backupLine{Delivery: &line}); err != nil {
				return err
			}
			source, id = d.Source, d.ID
		}
	}
}

func (b *backupWriter) dossiers(ctx context.Context, q *rows.Queries) error {
	for last := []byte{}; ; {
		list, err := q.DossiersAfter(ctx, last, window)
		if err != nil || len(list) == 0 {
			return err
		}
		for _, d := range list {
			if err := b.write(backupLine{Dossier: &d}); err != nil {
				return err
			}
			last = d.Digest
		}
	}
}

func (b *backupWriter) entries(ctx context.Context, q *rows.Queries, size int64) (ledger.Tree, error) {
	var tree ledger.Tree
	for tree.Size() < size {
		list, err := q.Entries(ctx, tree.Size(), window)
		if err != nil || len(list) == 0 {
			return tree, err
		}
		for _, row := range list {
			if row.Idx != tree.Size() || row.Idx >= size {
				return tree, nil // what is missing is missed in the tree
			}
			hash, err := leafHash(row)
			if err != nil {
				return tree, err
			}
			tree.Append(hash)
			line := backupEntry{
				Index: row.Idx, Kind: row.Kind, Ref: row.Ref, RecordedAt: row.RecordedAt, Supersedes: row.Supersedes.String,
				Judge: row.Judge.String, Hash: row.Hash, Body: row.Body,
			}
			if row.PrunedBy.Valid {
				line.PrunedBy = &row.PrunedBy.Int64
			}
			if err := b.write(backupLine{Entry: &line}); err != nil {
				return tree, err
			}
		}
	}
	return tree, nil
}

// leafHash is the hash of an entry's leaf, made again where there is a body.
func leafHash(row rows.Entry) (ledger.Hash, error) {
	if len(row.Hash) != sha256.Size {
		return ledger.Hash{}, fmt.Errorf("entry %d: its hash has %d bytes: verify the journal", row.Idx, len(row.Hash))
	}
	if row.Body == nil {
		return ledger.Hash(row.Hash), nil
	}
	entry, err := entryOf(row)
	if err != nil {
		return ledger.Hash{}, err
	}
	leaf, err := entry.Leaf()
	if err != nil {
		return ledger.Hash{}, err
	}
	if hash := ledger.LeafHash(leaf); hash == ledger.Hash(row.Hash) {
		return hash, nil
	}
	return ledger.Hash{}, fmt.Errorf("entry %d, %s %s, is not what its hash says: verify the journal", row.Idx, row.Kind, row.Ref)
}

// ErrUnsound says that a backup is complete and yet no sound journal.
var ErrUnsound = errors.New("the journal is not sound")

// Restore makes a journal out of a backup, in a database that has none. It is
// verified before it is committed: with an error, nothing was restored. With
// ErrUnsound the report says what is wrong.
func Restore(ctx context.Context, address string, r io.Reader, how Verification) (Report, error) {
	s := &Store{restores: true}
	if err := s.connect(address); err != nil {
		return Report{}, err
	}
	report, err := s.restore(ctx, r, how)
	if err = errors.Join(err, s.Close()); err != nil {
		err = errors.Join(err, s.unmake())
		return report, fmt.Errorf("restore into %s: %w", s.place, s.explained(err))
	}
	return report, nil
}

func (s *Store) restore(ctx context.Context, r io.Reader, how Verification) (Report, error) {
	if err := s.patiently(ctx, s.migrate); err != nil {
		return Report{}, err
	}
	tx, err := s.db.BeginTx(ctx, nil)
	if err != nil {
		return Report{}, err
	}
	defer func() { _ = tx.Rollback() }() // after a commit it does nothing
	db := s.statements(tx)
	w := &restoring{writing: newWriting(db), sum: sha256.New()}
	switch _, err := w.Ledger(ctx); {
	case err == nil:
		return Report{}, fmt.Errorf("%w: there is a journal already", engine.ErrConflict)
	case !errors.Is(err, sql.ErrNoRows):
		return Report{}, err
	}
	if err := w.read(ctx, r); err != nil {
		return Report{}, err
	}
	report, err := verify(ctx, db, how)
	if err != nil {
		return Report{}, err
	}
	if !report.Sound() {
		return report, fmt.Errorf("%w: %s", ErrUnsound, report.Faults[0])
	}
	return report, tx.Commit()
}

// restoring writes what a backup holds, and derives the rest.
type restoring struct {
	*writing
	sum hash.Hash
	end *backupEnd
}

func (w *restoring) read(ctx context.Context, r io.Reader) error {
	zip, err := gzip.NewReader(r)
	if err != nil {
		return fmt.Errorf("this is no backup: %w", err)
	}
	in := bufio.NewReaderSize(zip, 1<<16)
	for number := 1; ; number++ {
		text, err := in.ReadBytes('\n')
		if errors.Is(err, io.EOF) && len(text) == 0 {
			break
		}
		if err != nil {
			return fmt.Errorf("the backup is cut off or damaged at line %d: %w", number, err)
		}
		if err := w.line(ctx, text, number); err != nil {
			return fmt.Errorf("line %d of the backup: %w", number, err)
		}
		if err := ctx.Err(); err != nil {
			return err
		}
	}
	if w.end == nil {
		return errors.New("the backup is cut off: its last line is missing")
	}
	return nil
}

func (w *restoring) line(ctx context.Context, text []byte, number int) error {
	var line backupLine
	dec := json.NewDecoder(bytes.NewReader(text))
	dec.DisallowUnknownFields()
	if err := dec.Decode(&line); err != nil {
		return err
	}
	if (number == 1) != (line.Backup == backupFormat && line.Head != nil) {
		return fmt.Errorf("a backup begins with its format, %q", backupFormat)
	}
	if w.end != nil {
		return errors.New("there is something behind its end")
	}
	if line.End != nil {
		w.end = line.End
		if w.end.SHA256 != hex.EncodeToString(w.sum.Sum(nil)) || w.end.Entries != w.tree.Size() {
			return errors.New("the backup was changed, or is damaged")
		}
		return nil
	}
	w.sum.Write(text)
	switch {
	case line.Head != nil:
		return w.CreateLedger(ctx, rows.CreateLedgerParams(*line.Head))
	case line.Checkpoint != nil:
		return w.InsertCheckpoint(ctx, line.Checkpoint.Size, line.Checkpoint.Note, line.Checkpoint.RecordedAt)
	case line.Cursor != nil:
		return w.SetCursor(ctx, line.Cursor.Name, line.Cursor.Cursor, line.Cursor.RecordedAt)
	case line.Token != nil:
		line.Token.Token.Hash = line.Token.Hash
		row, err := tokenRow(line.Token.Token)
		if err != nil {
			return err
		}
		return w.InsertToken(ctx, row)
	case line.Notice != nil:
		return w.InsertNotice(ctx, line.Notice.Name, line.Notice.Claim, line.Notice.ClaimedAt)
	case line.Delivery != nil:
		return w.delivery(ctx, *line.Delivery)
	case line.Dossier != nil:
		return w.InsertDossier(ctx, line.Dossier.Digest, line.Dossier.Body)
	case line.Entry != nil:
		return w.entry(ctx, *line.Entry)
	}
	return errors.New("it says nothing")
}

func (w *restoring) delivery(ctx context.Context, d backupDelivery) error {
	row := rows.RestoreDeliveryParams{Source: d.Source, ID: d.ID, Event: d.Event, ReceivedAt: d.ReceivedAt, Digest: d.Digest, Fault: nullable(d.Fault)}
	if d.ProcessedAt != nil {
		row.ProcessedAt = sql.NullInt64{Int64: *d.ProcessedAt, Valid: true}
	}
	if err := w.RestoreDelivery(ctx, row); err != nil {
		return err
	}
	return w.InsertPayload(ctx, d.Digest, d.Body)
}

// entry writes an entry as it was, and what is derived from it.
func (w *restoring) entry(ctx context.Context, e backupEntry) error {
	row := rows.RestoreEntryParams{
		Idx: e.Index, Kind: e.Kind, Ref: e.Ref, RecordedAt: e.RecordedAt, Supersedes: nullable(e.Supersedes), Judge: nullable(e.Judge), Hash: e.Hash, Body: e.Body,
	}
	if e.PrunedBy != nil {
		row.PrunedBy = sql.NullInt64{Int64: *e.PrunedBy, Valid: true}
	}
	if e.Index != w.tree.Size() || len(e.Hash) != sha256.Size {
		return fmt.Errorf("entry %d is out of order, or its hash is damaged", e.Index)
	}
	if err := w.RestoreEntry(ctx, row); err != nil {
		return err
	}
	for _, node := range w.tree.Append(ledger.Hash(e.Hash)) {
		if err := w.InsertNode(ctx, int64(node.Level), node.Index, node.Hash[:]); err != nil {
			return err
		}
	}
	if e.Body == nil {
		return nil
	}
	body, err := inflate(e.Body)
	if err != nil {
		return fmt.Errorf("entry %d: %w", e.Index, err)
	}
	switch e.Kind {
	case ledger.KindDecision:
		err = w.decision(ctx, e, body)
	case ledger.KindEvents:
		err = w.events(ctx, e, body)
	case ledger.KindRelease:
		var release engine.ReleaseRecord
		if err = json.Unmarshal(body, &release); err == nil {
			err = w.InsertRelease(ctx, release.Version, micros(release.EffectiveFrom), e.Index)
		}
	}
	if err != nil {
		return fmt.Errorf("entry %d, %s %s: %w", e.Index, e.Kind, e.Ref, err)
	}
	return nil
}

func (w *restoring) decision(ctx context.Context, e backupEntry, body []byte) error {
	var d engine.Decision
	if err := json.Unmarshal(body, &d); err != nil {
		return err
	}
	digest, err := rawDigest(d.InputDigest)
	if err != nil {
		return err
	}
	packed, err := w.Dossier(ctx, digest)
	if err != nil {
		return fmt.Errorf("its dossier %s: %w", d.InputDigest, err)
	}
	dossier, err := inflate(packed)
	if err != nil {
		return err
	}
	_, content, err := readDossier(dossier)
	if err != nil {
		return err
	}
	facts, err := index(d, dossier, content.now)
	if err != nil {
		return err
	}
	return w.indexDecision(ctx, facts, e.Index, e.RecordedAt)
}

func (w *restoring) events(ctx context.Context, e backupEntry, body []byte) error {
	start := int64(0)
	for line := range bytes.Lines(body) {
		event, err := indexEvent(bytes.TrimSuffix(line, []byte("\n")))
		if err != nil {
			return err
		}
		event.row.Leaf, event.row.Start = e.Index, start
		start += int64(len(line))
		if err := w.InsertEvent(ctx, event.row); err != nil {
			return err
		}
	}
	return nil
}
