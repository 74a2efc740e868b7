package ledger

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"

	"golang.org/x/mod/sumdb/tlog"
)

// Formats of proof files.
const (
	inclusionFormat   = "changevouch/inclusion/v1"
	consistencyFormat = "changevouch/consistency/v1"
)

// Inclusion proves that a leaf is in the log of a checkpoint. Its JSON form is a
// proof file.
type Inclusion struct {
	Format     string `json:"format"`
	Index      int64  `json:"index"`
	Leaf       []byte `json:"leaf"`
	Hashes     []Hash `json:"hashes"`
	Checkpoint string `json:"checkpoint"`
}

// Consistency proves that the log of New continues the log of Old: every entry
// is still there, unchanged and in its place. Its JSON form is a proof file.
type Consistency struct {
	Format string `json:"format"`
	Old    string `json:"old"`
	New    string `json:"new"`
	Hashes []Hash `json:"hashes"`
}

// Checked is what a valid proof file proves.
type Checked struct {
	Index      int64       // of an inclusion: the number of the entry
	Entry      *Entry      // of an inclusion: what the log holds there
	Old        *Checkpoint // of a consistency: the head before
	Checkpoint Checkpoint  // the head that the proof leads to
}

// Check verifies a proof file with nothing but public keys.
func Check(file []byte, keys ...PublicKey) (Checked, error) {
	var kind struct {
		Format string `json:"format"`
	}
	if err := json.Unmarshal(file, &kind); err != nil {
		return Checked{}, fmt.Errorf("ledger: this is no proof file: %w", err)
	}
	switch kind.Format {
	case inclusionFormat:
		var p Inclusion
		if err := strictly(file, &p); err != nil {
			return Checked{}, err
		}
		return p.check(keys)
	case consistencyFormat:
		var p Consistency
		if err := strictly(file, &p); err != nil {
			return Checked{}, err
		}
		return p.check(keys)
	default:
		return Checked{}, fmt.Errorf("ledger: a proof file has the format %q or %q, this one %q", inclusionFormat, consistencyFormat, kind.Format)
	}
}

func strictly(file []byte, v any) error {
	dec := json.NewDecoder(bytes.NewReader(file))
	dec.DisallowUnknownFields()
	if err := dec.Decode(v); err != nil {
		return fmt.Errorf("ledger: read proof file: %w", err)
	}
	return nil
}

func (p Inclusion) check(keys []PublicKey) (Checked, error) {
	head, err := OpenCheckpoint([]byte(p.Checkpoint), keys...)
	if err != nil {
		return Checked{}, err
	}
	if p.Index < 0 || p.Index >= head.Size {
		return Checked{}, fmt.Errorf("ledger: the log has %d entries, so none numbered %d", head.Size, p.Index)
	}
	if err := tlog.CheckRecord(p.Hashes, head.Size, head.Root, p.Index, LeafHash(p.Leaf)); err != nil {
		return Checked{}, fmt.Errorf("ledger: entry %d is not what the checkpoint commits to: the record was changed, or the proof is of another", p.Index)
	}
	entry, err := ParseLeaf(p.Leaf)
	if err != nil {
		return Checked{}, err
	}
	return Checked{Index: p.Index, Entry: &entry, Checkpoint: head}, nil
}

func (p Consistency) check(keys []PublicKey) (Checked, error) {
	before, err := OpenCheckpoint([]byte(p.Old), keys...)
	if err != nil {
		return Checked{}, fmt.Errorf("the old one: %w", err)
	}
	after, err := OpenCheckpoint([]byte(p.New), keys...)
	if err != nil {
		return Checked{}, fmt.Errorf("the new one: %w", err)
	}
	if err := Continues(before, after, p.Hashes); err != nil {
		return Checked{}, err
	}
	return Checked{Old: &before, Checkpoint: after}, nil
}

// Continues checks that the log of after continues the log of before.
func Continues(before, after Checkpoint, hashes []Hash) error {
	empty := Tree{}
	switch {
	case before.Origin != after.Origin:
		return fmt.Errorf("ledger: the checkpoints are of two logs, %s and %s", before.Origin, after.Origin)
	case before.Size > after.Size:
		return fmt.Errorf("ledger: the log had %d entries and has %d: its tail was cut", before.Size, after.Size)
	case before.Size == 0 && before.Root == empty.Root() && len(hashes) == 0:
		return nil
	case before.Size == 0 || tlog.CheckTree(hashes, after.Size, after.Root, before.Size, before.Root) != nil:
		return fmt.Errorf("ledger: the log of %d entries does not continue the log of %d entries: it was rewritten, or the proof is of another", after.Size, before.Size)
	}
	return nil
}

// Tiles reads width hashes of a tile, one after another in the order of the
// tree. The tile has at least that many.
type Tiles func(level int, index int64, width int) ([]byte, error)

// ProveInclusion makes the proof for a leaf, under a signed checkpoint of at most
// the size of head. Tiles are of the log of head, and what they say is checked
// against it.
func ProveInclusion(head Checkpoint, tiles Tiles, size int64, signed []byte, index int64, leaf []byte) (Inclusion, error) {
	if index < 0 || index >= size || size > head.Size {
		return Inclusion{}, fmt.Errorf("ledger: no entry %d in a log of %d entries", index, size)
	}
	hashes, err := tlog.ProveRecord(size, index, reader(head, tiles))
	if err != nil {
		return Inclusion{}, fmt.Errorf("ledger: prove entry %d: %w", index, err)
	}
	root, err := RootAt(head, tiles, size)
	if err != nil {
		return Inclusion{}, err
	}
	if tlog.CheckRecord(hashes, size, root, index, LeafHash(leaf)) != nil {
		return Inclusion{}, fmt.Errorf("ledger: entry %d is not what the log commits to: the record was changed", index)
	}
	return Inclusion{Format: inclusionFormat, Index: index, Leaf: leaf, Hashes: orEmpty(hashes), Checkpoint: string(signed)}, nil
}

// ProveConsistency makes the proof that the log of head, whose signed form is
// given too, continues the log of before.
func ProveConsistency(head Checkpoint, tiles Tiles, signed []byte, before Checkpoint, signedBefore []byte) (Consistency, error) {
	proof := Consistency{Format: consistencyFormat, Old: string(signedBefore), New: string(signed), Hashes: []Hash{}}
	if before.Size > 0 && before.Size <= head.Size {
		hashes, err := tlog.ProveTree(head.Size, before.Size, reader(head, tiles))
		if err != nil {
			return Consistency{}, fmt.Errorf("ledger: prove that %d entries continue %d: %w", head.Size, before.Size, err)
		}
		proof.Hashes = orEmpty(hashes)
	}
	return proof, Continues(before, head, proof.Hashes)
}

func orEmpty(hashes []Hash) []Hash {
	if hashes == nil {
		return []Hash{}
	}
	return hashes
}

// RootAt computes the root that the log of head had at a size.
func RootAt(head Checkpoint, tiles Tiles, size int64) (Hash, error) {
	if size < 0 || size > head.Size {
		return Hash{}, fmt.Errorf("ledger: a log of %d entries had no size %d", head.Size, size)
	}
	if size == 0 {
		empty := Tree{}
		return empty.Root(), nil
	}
	root, err := tlog.TreeHash(size, reader(head, tiles))
	if err != nil {
		return Hash{}, fmt.Errorf("ledger: root at %d: %w", size, err)
	}
	return root, nil
}

// reader reads hashes out of tiles and checks them against the head.
func reader(head Checkpoint, tiles Tiles) tlog.HashReader {
	return tlog.TileHashReader(tlog.Tree{N: head.Size, Hash: head.Root}, tileReader{tiles})
}

type tileReader struct{ tiles Tiles }

func (tileReader) Height() int                     { return tileHeight }
func (tileReader) SaveTiles([]tlog.Tile, [][]byte) {}

func (r tileReader) ReadTiles(tiles []tlog.Tile) ([][]byte, error) {
	data := make([][]byte, len(tiles))
	for i, tile := range tiles {
		content, err := r.tiles(tile.L, tile.N, tile.W)
		if err != nil {
			return nil, err
		}
		if len(content) != tile.W*tlog.HashSize {
			return nil, errors.New("hashes of the tree are missing in " + TilePath(tile.L, tile.N, tile.W))
		}
		data[i] = content
	}
	return data, nil
}
