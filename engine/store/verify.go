package store

import (
	"context"
	"crypto/sha256"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"hash"
	"maps"
	"slices"

	"github.com/changevouch/changevouch/engine"
	"github.com/changevouch/changevouch/engine/ledger"
	"github.com/changevouch/changevouch/engine/store/rows"
)

// Verification says what a journal is held to.
type Verification struct {
	// Keys are the public keys that are trusted, of which one must have signed the
	// head. They must come from outside the database.
	Keys []ledger.PublicKey
	// Earlier are signed checkpoints that were kept elsewhere: what they commit to
	// must still be there. Without one, nobody can see that a tail was cut.
	Earlier [][]byte
	// Progress, if given, is told how many of the entries are checked.
	Progress func(done, total int64)
}

// Report is what a verification found. The journal is sound when there are no
// faults.
type Report struct {
	Checkpoint ledger.Checkpoint `json:"checkpoint"`
	Entries    int64             `json:"entries"` // that were checked
	Removed    int64             `json:"removed"` // of them, without body, by retention
	Kinds      map[string]int64  `json:"kinds"`
	Faults     []Fault           `json:"faults"`
	Unlisted   int64             `json:"unlisted"` // faults beyond those in the list
}

// Sound reports whether there are no faults.
func (r Report) Sound() bool { return len(r.Faults) == 0 }

// Fault is one thing that is wrong: in which table, with which record, at which
// entry of the log (-1: none).
type Fault struct {
	Table   string `json:"table"`
	ID      string `json:"id,omitempty"`
	Index   int64  `json:"index"`
	Message string `json:"message"`
}

func (f Fault) String() string {
	text := "table " + f.Table
	if f.ID != "" {
		text += ", " + f.ID
	}
	if f.Index >= 0 {
		text += fmt.Sprintf(", entry %d", f.Index)
	}
	return text + ": " + f.Message
}

// maxFaults bounds the list of a report.
const maxFaults = 1000

// Verify reads the whole journal as it is at one moment, whatever is written
// meanwhile: every leaf is hashed again, the tree built again, the signature of the
// head checked, and every other table derived again and compared. The error says
// that this could not be done, not that something is wrong. Memory does not grow
// with the journal.
func (s *Store) Verify(ctx context.Context, how Verification) (Report, error) {
	var report Report
	err := s.snapshot(ctx, func(tx *sql.Tx) (err error) {
		report, err = verify(ctx, s.statements(tx), how)
		return err
	})
	if errors.Is(err, sql.ErrNoRows) {
		err = errEmpty
	}
	if err != nil {
		return Report{}, fmt.Errorf("verify the journal: %w", err)
	}
	return report, nil
}

func verify(ctx context.Context, tx rows.DBTX, how Verification) (Report, error) {
	v := &verifier{Queries: rows.New(tx), tx: tx, how: how, judges: map[string]bool{}, retentions: map[int64]*retentionBody{}, headers: map[[2]int64]hash.Hash{}, roots: map[int64]ledger.Hash{}}
	v.report.Kinds = map[string]int64{}
	err := v.run(ctx)
	return v.report, err
}

type verifier struct {
	*rows.Queries
	tx         rows.DBTX
	how        Verification
	report     Report
	tree       ledger.Tree
	nodes      []ledger.Node // completed since the last comparison
	nodeCount  int64
	last       int64 // recorded_at of the entry before
	broken     bool  // an entry is missing, so the tree cannot be built
	judges     map[string]bool
	retentions map[int64]*retentionBody
	headers    map[[2]int64]hash.Hash // of what is left, by retention entry and stretch
	sizes      []int64                // at which the root matters, sorted
	roots      map[int64]ledger.Hash  // at those sizes
	releases   map[int64]rows.Release
	tags       tagSums
}

func (v *verifier) fault(table, id string, index int64, format string, args ...any) {
	if len(v.report.Faults) >= maxFaults {
		v.report.Unlisted++
		return
	}
	v.report.Faults = append(v.report.Faults, Fault{Table: table, ID: id, Index: index, Message: fmt.Sprintf(format, args...)})
}

// window is how many entries are in memory at once.
const window = 64

func (v *verifier) run(ctx context.Context) error {
	head, err := v.Ledger(ctx)
	if err != nil {
		return err
	}
	earlier, err := v.earlier(ctx, head)
	if err != nil {
		return err
	}
	v.tags.begin(head.Size)
	if err := v.readReleases(ctx, head.Size); err != nil {
		return err
	}
	for next := int64(0); next < head.Size; {
		list, err := v.Entries(ctx, next, window)
		if err != nil {
			return err
		}
		to := head.Size
		if len(list) == window {
			to = min(to, list[len(list)-1].Idx+1)
		}
		if err := v.window(ctx, list, next, to); err != nil {
			return err
		}
		if next = to; v.how.Progress != nil {
			v.how.Progress(next, head.Size)
		}
	}
	if err := v.beyond(ctx, head.Size); err != nil {
		return err
	}
	if err := v.tables(ctx); err != nil {
		return err
	}
	v.leftHeaders()
	v.head(head)
	v.compare(earlier)
	return nil
}

// window checks the entries numbered from until to, to excluded, and the rows
// that belong to them.
func (v *verifier) window(ctx context.Context, list []rows.Entry, from, to int64) error {
	decisions, err := v.DecisionsIn(ctx, from, to)
	if err != nil {
		return err
	}
	events, err := v.EventsIn(ctx, from, to)
	if err != nil {
		return err
	}
	byLeaf := map[int64]rows.DecisionsInRow{}
	for _, d := range decisions {
		byLeaf[d.Leaf] = d
	}
	eventsOf := map[int64][]rows.Event{}
	for _, e := range events {
		eventsOf[e.Leaf] = append(eventsOf[e.Leaf], e)
	}
	next := from
	for _, row := range list {
		if row.Idx >= to {
			break
		}
		v.missing(next, row.Idx)
		next = row.Idx + 1
		entry, whole, err := v.entry(ctx, row)
		if err != nil {
			return err
		}
		if decision, there := byLeaf[row.Idx]; there || whole && row.Kind == ledger.KindDecision {
			v.decision(row, entry, whole, decision, there)
		}
		if list := eventsOf[row.Idx]; len(list) > 0 || whole && row.Kind == ledger.KindEvents {
			v.events(row, entry, whole, list)
		}
		if whole {
			v.record(row, entry)
		}
		delete(byLeaf, row.Idx)
		delete(eventsOf, row.Idx)
	}
	v.missing(next, to)
	for leaf, d := range byLeaf {
		v.fault("decisions", d.ID, leaf, "the row has no entry in the log")
	}
	for leaf, list := range eventsOf {
		v.fault("events", list[0].ID, leaf, "%d rows have no entry in the log", len(list))
	}
	return v.compareNodes(ctx)
}

// missing reports the entries from until to, to excluded.
func (v *verifier) missing(from, to int64) {
	if from >= to {
		return
	}
	v.broken = true
	if from+1 == to {
		v.fault("entries", "", from, "the entry was deleted")
	} else {
		v.fault("entries", "", from, "the entries %d to %d were deleted", from, to-1)
	}
}

// entry checks one entry against the hash of its leaf, and puts it into the tree.
// It reports whether the entry has a body that is what the log commits to.
func (v *verifier) entry(ctx context.Context, row rows.Entry) (ledger.Entry, bool, error) {
	name := row.Kind + " " + row.Ref
	v.report.Entries++
	v.report.Kinds[row.Kind]++
	if row.RecordedAt < v.last {
		v.fault("entries", name, row.Idx, "it says that it was recorded before the entry in front of it")
	}
	v.last = row.RecordedAt
	if len(row.Hash) != sha256.Size {
		v.fault("entries", name, row.Idx, "its hash has %d bytes", len(row.Hash))
		v.broken = true
		return ledger.Entry{}, false, nil
	}
	hash := ledger.Hash(row.Hash)
	v.grow(hash)
	if row.Body == nil {
		v.report.Removed++
		if row.Kind != ledger.KindDecision && row.Kind != ledger.KindEvents {
			v.fault("entries", name, row.Idx, "its body was deleted, or its kind was changed: retention removes decisions and events alone")
		}
		return ledger.Entry{}, false, v.removed(ctx, row, name)
	}
	if row.PrunedBy.Valid {
		v.fault("entries", name, row.Idx, "it has a body and yet says that retention removed it")
	}
	entry, err := entryOf(row)
	if err != nil {
		v.fault("entries", name, row.Idx, "its body was changed: %v", err)
		return entry, false, nil
	}
	leaf, err := entry.Leaf()
	whole := err == nil && ledger.LeafHash(leaf) == hash
	if !whole {
		v.fault("entries", name, row.Idx, "its content is not what its hash says: the row was changed")
	}
	return entry, whole, nil
}

// grow appends a leaf to the tree.
func (v *verifier) grow(hash ledger.Hash) {
	v.mark()
	v.nodes = append(v.nodes, v.tree.Append(hash)...)
}

// mark keeps the root if a checkpoint speaks of this size.
func (v *verifier) mark() {
	if size := v.tree.Size(); len(v.sizes) > 0 && !v.broken {
		if _, wanted := slices.BinarySearch(v.sizes, size); wanted {
			v.roots[size] = v.tree.Root()
		}
	}
}

// compareNodes holds the stored nodes against the tree, as far as it is built.
func (v *verifier) compareNodes(ctx context.Context) error {
	for _, node := range v.nodes {
		v.nodeCount++
		stored, err := v.NodeHashes(ctx, int64(node.Level), node.Index, node.Index+1)
		if err != nil {
			return err
		}
		if (len(stored) != 1 || string(stored[0]) != string(node.Hash[:])) && !v.broken {
			span := int64(1) << (8 * node.Level)
			v.fault("nodes", fmt.Sprintf("level %d, number %d", node.Level, node.Index), node.Index*span,
				"one of the entries %d to %d was replaced together with its hash, or the node was changed", node.Index*span, (node.Index+1)*span-1)
		}
	}
	v.nodes = v.nodes[:0]
	return nil
}

// removed makes sure that an entry without body was removed by retention.
func (v *verifier) removed(ctx context.Context, row rows.Entry, name string) error {
	if !row.PrunedBy.Valid {
		v.fault("entries", name, row.Idx, "its body was deleted, and no retention says so")
		return nil
	}
	by := row.PrunedBy.Int64
	removal, known := v.retentions[by]
	if !known {
		var err error
		if removal, err = v.retention(ctx, by); err != nil {
			return err
		}
		v.retentions[by] = removal
	}
	if removal == nil || by <= row.Idx || removal.stretch(row.Idx) < 0 {
		v.fault("entries", name, row.Idx, "its body was deleted, and entry %d, which it names as its retention, does not say so", by)
		return nil
	}
	line, err := headerLine(rows.HeadersRow{Idx: row.Idx, Kind: row.Kind, Ref: row.Ref, RecordedAt: row.RecordedAt, Supersedes: row.Supersedes, Judge: row.Judge})
	if err != nil {
		v.fault("entries", name, row.Idx, "its header was changed: %v", err)
		return nil
	}
	key := [2]int64{by, int64(removal.stretch(row.Idx))}
	if v.headers[key] == nil {
		v.headers[key] = sha256.New()
	}
	v.headers[key].Write(line)
	return nil
}

// leftHeaders compares what is left of removed entries with what there was then.
func (v *verifier) leftHeaders() {
	for _, by := range slices.Sorted(maps.Keys(v.retentions)) {
		removal := v.retentions[by]
		if removal == nil || len(removal.Headers) != len(removal.Removed) {
			continue
		}
		for i, span := range removal.Removed {
			if sum := v.headers[[2]int64{by, int64(i)}]; sum == nil || digestText(sum) != removal.Headers[i] {
				v.fault("entries", fmt.Sprintf("entries %d to %d", span[0], span[1]), span[0], "the header of one was changed, or one was deleted, after entry %d removed their bodies", by)
			}
		}
	}
}

// retention reads a retention entry; nil when it is none. That it is what the log
// commits to is checked when its turn comes.
func (v *verifier) retention(ctx context.Context, index int64) (*retentionBody, error) {
	row, err := v.Entry(ctx, index)
	if errors.Is(err, sql.ErrNoRows) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	entry, err := entryOf(row)
	var body retentionBody
	if err == nil && entry.Kind == ledger.KindRetention {
		err = json.Unmarshal(entry.Body, &body)
	}
	if err != nil || entry.Kind != ledger.KindRetention {
		return nil, nil //nolint:nilerr // what is wrong with that entry is reported with it
	}
	return &body, nil
}

// record checks what the kinds promise that no table repeats.
func (v *verifier) record(row rows.Entry, entry ledger.Entry) {
	name := row.Kind + " " + row.Ref
	switch row.Kind {
	case ledger.KindSettings, ledger.KindJudge, ledger.KindEvents:
		if engine.Digest(entry.Body) != row.Ref {
			v.fault("entries", name, row.Idx, "its ref is not the digest of its body")
		}
		if row.Kind == ledger.KindJudge {
			v.judges[row.Ref] = true
		}
	case ledger.KindDecision:
		if !v.judges[row.Judge.String] {
			v.fault("entries", name, row.Idx, "what judged it, %s, is not in the log before it", row.Judge.String)
		}
	case ledger.KindRelease:
		v.release(row, entry)
	}
}

// beyond reports what stands after the end of the log.
func (v *verifier) beyond(ctx context.Context, size int64) error {
	entries, err := v.EntriesBeyond(ctx, size, maxFaults)
	if err != nil {
		return err
	}
	for _, e := range entries {
		v.fault("entries", e.Kind+" "+e.Ref, e.Idx, "the row was inserted: the log ends at %d entries", size)
	}
	decisions, err := v.DecisionsBeyond(ctx, size, maxFaults)
	if err != nil {
		return err
	}
	for _, d := range decisions {
		v.fault("decisions", d.ID, d.Leaf, "the row was inserted: the log ends at %d entries", size)
	}
	events, err := v.EventsBeyond(ctx, size, maxFaults)
	if err != nil {
		return err
	}
	for _, e := range events {
		v.fault("events", e.ID, e.Leaf, "the row was inserted: the log ends at %d entries", size)
	}
	count, err := v.CountNodes(ctx)
	if err == nil && count != v.nodeCount && !v.broken {
		v.fault("nodes", "", -1, "there are %d nodes, and there should be %d", count, v.nodeCount)
	}
	return err
}

// head holds the tree against the head and its signature.
func (v *verifier) head(head rows.LedgerRow) {
	signed, err := ledger.OpenCheckpoint(head.Checkpoint, v.how.Keys...)
	switch {
	case errors.Is(err, ledger.ErrUntrusted):
		v.fault("ledger", head.Origin, -1, "the head of the log is %v: the log was written, or rewritten, with another key, or the right key was not given", err)
		return
	case err != nil:
		v.fault("ledger", head.Origin, -1, "the head of the log was changed: %v", err)
		return
	}
	v.report.Checkpoint = signed
	stored, err := ledger.ParseTree(head.Size, head.Edge)
	switch {
	case err != nil:
		v.fault("ledger", head.Origin, -1, "the head of the log was changed: %v", err)
	case signed.Size != head.Size || signed.Origin != head.Origin:
		v.fault("ledger", head.Origin, -1, "the head says %d entries of %s, its signature %d of %s", head.Size, head.Origin, signed.Size, signed.Origin)
	case v.broken:
		// what is missing was reported
	case v.tree.Root() != signed.Root:
		v.fault("ledger", head.Origin, -1, "the %d entries do not lead to the root that was signed: entries were changed, exchanged or reordered together with their hashes", signed.Size)
		if from, to, differ := v.tree.Differs(stored); differ && stored.Root() == signed.Root {
			v.fault("entries", "", from, "of the entries %d to %d at least one was replaced together with its hash", from, to)
		}
	case stored.Root() != signed.Root:
		v.fault("ledger", head.Origin, -1, "the right edge of the tree was changed: appending would not continue this log")
	}
	v.unsigned(head)
}

// unsigned checks what the head says beside its signature. What is written next is
// recorded no earlier than the head says, so a wrong time would go on into the log.
func (v *verifier) unsigned(head rows.LedgerRow) {
	named := func(key ledger.PublicKey) bool { return key.String() == head.PublicKey }
	if !slices.ContainsFunc(v.how.Keys, named) {
		v.fault("ledger", head.Origin, -1, "the head names the key %.100q, which is not among those that are trusted: it was changed, or the newest key was not given", head.PublicKey)
	}
	if head.RecordedAt != v.last && head.Size > 0 && !v.broken {
		v.fault("ledger", head.Origin, -1, "column recorded_at was changed: it is not that of the last entry")
	}
}

// known is a checkpoint that the log must continue.
type known struct {
	ledger.Checkpoint
	from string
}

// earlier opens all checkpoints that the log is held to.
func (v *verifier) earlier(ctx context.Context, head rows.LedgerRow) ([]known, error) {
	var list []known
	add := func(note []byte, table, from string) (size int64, ok bool) {
		c, err := ledger.OpenCheckpoint(note, v.how.Keys...)
		if err != nil {
			v.fault(table, from, -1, "%v", err)
			return 0, false
		}
		list = append(list, known{c, from})
		v.sizes = append(v.sizes, c.Size)
		return c.Size, true
	}
	for i, note := range v.how.Earlier {
		add(note, "ledger", fmt.Sprintf("checkpoint %d that was given", i+1))
	}
	stored, err := v.Checkpoints(ctx)
	if err != nil {
		return nil, err
	}
	for _, c := range stored {
		from := fmt.Sprintf("checkpoint of %d entries", c.Size)
		if size, ok := add(c.Note, "checkpoints", from); ok && size != c.Size {
			v.fault("checkpoints", from, -1, "column size was changed: it commits to %d entries", size)
		}
	}
	v.sizes = append(v.sizes, head.Size)
	slices.Sort(v.sizes)
	v.sizes = slices.Compact(v.sizes)
	return list, nil
}

// compare holds the log against checkpoints that were given away.
func (v *verifier) compare(earlier []known) {
	v.mark()
	for _, c := range earlier {
		root, reached := v.roots[c.Size]
		switch {
		case v.report.Checkpoint.Origin != "" && c.Origin != v.report.Checkpoint.Origin:
			v.fault("ledger", c.from, -1, "it is of another log, %s", c.Origin)
		case c.Size > v.tree.Size() && !v.broken:
			v.fault("ledger", c.from, v.tree.Size(), "it commits to %d entries, the log has %d: its tail was cut", c.Size, v.tree.Size())
		case reached && root != c.Root:
			v.fault("ledger", c.from, -1, "the first %d entries are not those that it commits to: the log was rewritten", c.Size)
		}
	}
}
