// Package ledger is a Merkle log as pure functions: what an entry is, how a tree
// of entries grows, how its head is signed, and how anybody proves with the
// public key alone that an entry is in the log or that one log continues
// another. It keeps nothing; a store does.
//
// # Entries
//
// A leaf is the exact bytes of one entry: a header line and the body, which is
// the record as it is stored.
//
//	{"entry":"changevouch/v1","kind":"decision","ref":"dec_…","recorded_at":"2026-11-22T18:00:00.000000Z"}
//	<body, to the end>
//
// The header is one line of JSON without spaces, members in the order of Entry's
// fields, absent members left out; it ends with the first line feed. The body
// may be any bytes. Kind says how the body is to be read.
//
// # Tree
//
// Hashes are those of RFC 6962: SHA-256 of 0x00 and the leaf, SHA-256 of 0x01
// and the two children. Leaves are numbered from 0.
//
// # Checkpoints
//
// A checkpoint is a C2SP tlog-checkpoint in a signed note: three lines (origin,
// size, root in base64), an empty line, and signatures by Ed25519 keys whose name
// is the origin.
//
// A key is replaced by a checkpoint that the old and the new key sign: whoever
// trusts the old key sees that it vouches for the log that the new key goes on
// with. Old checkpoints stay valid under the old key, so keep its public half.
//
// # Proof files
//
// A proof is one JSON object. Hashes, leaf and root are in base64; checkpoints
// are signed notes as texts.
//
//	{"format":"changevouch/inclusion/v1","index":5,"leaf":"…","hashes":["…"],"checkpoint":"…"}
//	{"format":"changevouch/consistency/v1","old":"…","new":"…","hashes":["…"]}
//
// Hashes are the paths of RFC 6962, sections 2.1.1 and 2.1.2, in their order.
// testdata/ledger at the top of the project holds examples, good and bad.
//
// # Tiles
//
// TilePath and tiles of 256 hashes follow C2SP tlog-tiles, so that witnesses and
// mirrors can follow a log. Entry bundles are not part of it: they hold at most
// 65,535 bytes an entry, and records are not for everybody. A single record is
// shown by its proof file.
package ledger

import (
	"crypto/sha256"
	"fmt"
	"math/bits"

	"golang.org/x/mod/sumdb/tlog"
)

// Hash is a node of the tree; as text and in JSON it is base64.
type Hash = tlog.Hash

// LeafHash returns the hash of a leaf.
func LeafHash(leaf []byte) Hash { return tlog.RecordHash(leaf) }

// tileHeight is the height of tiles: each spans 2^8 hashes.
const tileHeight = 8

// TileWidth is the number of hashes of a full tile.
const TileWidth = 1 << tileHeight

// Tree is the right edge of a log: enough to append to it and to know its root.
// The zero Tree is the empty log. It is not safe for concurrent use.
type Tree struct {
	size  int64
	peaks []Hash // roots of the complete subtrees, left to right
}

// Node is a hash that Append completed: entry Index of the tiles of Level. Level
// 1 stands above 256 leaves, level 2 above 65,536.
type Node struct {
	Level int
	Index int64
	Hash  Hash
}

// ParseTree reads what Edge wrote for a log of that size.
func ParseTree(size int64, edge []byte) (Tree, error) {
	if size < 0 || len(edge) != peakCount(size)*tlog.HashSize {
		return Tree{}, fmt.Errorf("ledger: %d bytes are no right edge of a log of %d entries", len(edge), size)
	}
	t := Tree{size: size}
	for ; len(edge) > 0; edge = edge[tlog.HashSize:] {
		t.peaks = append(t.peaks, Hash(edge[:tlog.HashSize]))
	}
	return t, nil
}

func peakCount(size int64) int {
	n := 0
	for ; size > 0; size &= size - 1 {
		n++
	}
	return n
}

// Size is the number of entries.
func (t *Tree) Size() int64 { return t.size }

// Edge writes the right edge for ParseTree.
func (t *Tree) Edge() []byte {
	out := make([]byte, 0, len(t.peaks)*tlog.HashSize)
	for _, p := range t.peaks {
		out = append(out, p[:]...)
	}
	return out
}

// Append adds a leaf and returns the nodes above level 0 that tiles hold and that
// it completed, lowest first.
func (t *Tree) Append(leaf Hash) []Node {
	var done []Node
	h, level := leaf, 0
	for ; t.size>>level&1 == 1; level++ {
		last := len(t.peaks) - 1
		h = tlog.NodeHash(t.peaks[last], h)
		t.peaks = t.peaks[:last]
		if (level+1)%tileHeight == 0 {
			done = append(done, Node{Level: (level + 1) / tileHeight, Index: t.size >> (level + 1), Hash: h})
		}
	}
	t.peaks = append(t.peaks, h)
	t.size++
	return done
}

// Root is the root hash.
func (t *Tree) Root() Hash {
	if t.size == 0 {
		return Hash(sha256.Sum256(nil))
	}
	last := len(t.peaks) - 1
	h := t.peaks[last]
	for i := last - 1; i >= 0; i-- {
		h = tlog.NodeHash(t.peaks[i], h)
	}
	return h
}

// Differs names the first stretch of entries, both ends included, in which two
// right edges of one size show another content.
func (t *Tree) Differs(other Tree) (from, to int64, differ bool) {
	if t.size != other.size {
		return min(t.size, other.size), max(t.size, other.size) - 1, true
	}
	for i, peak := range t.peaks {
		width := int64(1) << (bits.Len64(uint64(t.size-from)) - 1) // the largest power of two
		if peak != other.peaks[i] {
			return from, from + width - 1, true
		}
		from += width
	}
	return 0, 0, false
}
