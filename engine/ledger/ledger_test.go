package ledger_test

import (
	"bytes"
	"encoding/hex"
	"fmt"
	"testing"
	"time"

	"golang.org/x/mod/sumdb/tlog"
	"pgregory.net/rapid"

	"github.com/changevouch/changevouch/engine/ledger"
)

// The leaves and roots of the trees of 0 to 8 leaves that Certificate
// Transparency implementations share (RFC 6962, section 2.1; the vectors of
// google/certificate-transparency, merkle_tree_test).
var (
	rfcLeaves = []string{"", "00", "10", "2021", "3031", "40414243", "5051525354555657", "606162636465666768696a6b6c6d6e6f"}
	rfcRoots  = []string{
		"e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
		"6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
		"fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
		"aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
		"d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
		"4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
		"76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
		"ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
		"5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
	}
)

func TestRFC6962(t *testing.T) {
	var tree ledger.Tree
	for n, want := range rfcRoots {
		root := tree.Root()
		if got := hex.EncodeToString(root[:]); got != want {
			t.Errorf("root of %d leaves = %s, want %s", n, got, want)
		}
		if n < len(rfcLeaves) {
			leaf, err := hex.DecodeString(rfcLeaves[n])
			if err != nil {
				t.Fatal(err)
			}
			tree.Append(ledger.LeafHash(leaf))
		}
	}
}

// log is a whole log in memory.
type log struct {
	tree   ledger.Tree
	leaves []ledger.Hash
	nodes  map[[2]int64]ledger.Hash
}

func newLog(n int) *log {
	l := &log{nodes: map[[2]int64]ledger.Hash{}}
	for i := range n {
		l.append(leafOf(i))
	}
	return l
}

func leafOf(i int) []byte {
	leaf, err := ledger.Entry{Kind: ledger.KindDecision, Ref: fmt.Sprintf("dec_%d", i), RecordedAt: time.Unix(int64(i), 0), Body: fmt.Appendf(nil, `{"n":%d}`, i)}.Leaf()
	if err != nil {
		panic(err)
	}
	return leaf
}

func (l *log) append(leaf []byte) {
	hash := ledger.LeafHash(leaf)
	l.leaves = append(l.leaves, hash)
	for _, node := range l.tree.Append(hash) {
		l.nodes[[2]int64{int64(node.Level), node.Index}] = node.Hash
	}
}

func (l *log) tiles(level int, index int64, width int) ([]byte, error) {
	var out []byte
	for i := index * ledger.TileWidth; i < index*ledger.TileWidth+int64(width); i++ {
		if level == 0 {
			out = append(out, l.leaves[i][:]...)
			continue
		}
		hash, there := l.nodes[[2]int64{int64(level), i}]
		if !there {
			return nil, fmt.Errorf("no node %d of level %d", i, level)
		}
		out = append(out, hash[:]...)
	}
	return out, nil
}

func (l *log) head(origin string) ledger.Checkpoint {
	return ledger.Checkpoint{Origin: origin, Size: l.tree.Size(), Root: l.tree.Root()}
}

// Our tree must be that of tlog, which computes from all stored hashes.
func TestTreeIsThatOfTlog(t *testing.T) {
	const most = 70_000 // more than 256*256: two levels of tiles
	var stored []tlog.Hash
	read := tlog.HashReaderFunc(func(indexes []int64) ([]tlog.Hash, error) {
		out := make([]tlog.Hash, len(indexes))
		for i, x := range indexes {
			out[i] = stored[x]
		}
		return out, nil
	})
	l := newLog(0)
	for n := range int64(most) {
		leaf := fmt.Appendf(nil, "leaf %d", n)
		hashes, err := tlog.StoredHashes(n, leaf, read)
		if err != nil {
			t.Fatal(err)
		}
		stored = append(stored, hashes...)
		l.append(leaf)
		if n > 2000 && n%997 != 0 && n != most-1 {
			continue
		}
		want, err := tlog.TreeHash(n+1, read)
		if err != nil {
			t.Fatal(err)
		}
		if got := l.tree.Root(); got != want {
			t.Fatalf("root of %d leaves = %s, tlog has %s", n+1, got, want)
		}
		again, err := ledger.ParseTree(l.tree.Size(), l.tree.Edge())
		if err != nil || again.Root() != want {
			t.Fatalf("read again, the root of %d leaves is %s, %v", n+1, again.Root(), err)
		}
	}
	for key, hash := range l.nodes {
		if want := stored[tlog.StoredHashIndex(int(key[0])*8, key[1])]; hash != want {
			t.Errorf("node %v = %s, tlog has %s", key, hash, want)
		}
	}
	if len(l.nodes) != most/256+most/65536 {
		t.Errorf("%d nodes", len(l.nodes))
	}
}

func TestParseTreeRefuses(t *testing.T) {
	l := newLog(5)
	edge := l.tree.Edge()
	for name, bad := range map[string]struct {
		size int64
		edge []byte
	}{"negative": {-1, nil}, "short": {5, edge[:32]}, "long": {4, edge}, "odd": {5, edge[:63]}} {
		if _, err := ledger.ParseTree(bad.size, bad.edge); err == nil {
			t.Errorf("%s: read", name)
		}
	}
}

func TestProofs(t *testing.T) {
	key := testKey(t)
	l := newLog(1000)
	head := l.head(key.Name())
	signed, err := head.Sign(key)
	if err != nil {
		t.Fatal(err)
	}
	rapid.Check(t, func(t *rapid.T) {
		size := rapid.Int64Range(1, head.Size).Draw(t, "size")
		index := rapid.Int64Range(0, size-1).Draw(t, "index")
		root, err := ledger.RootAt(head, l.tiles, size)
		if err != nil {
			t.Fatal(err)
		}
		before := ledger.Checkpoint{Origin: key.Name(), Size: size, Root: root}
		signedBefore, err := before.Sign(key)
		if err != nil {
			t.Fatal(err)
		}
		inclusion, err := ledger.ProveInclusion(head, l.tiles, size, signedBefore, index, leafOf(int(index)))
		if err != nil {
			t.Fatal(err)
		}
		checked, err := ledger.Check(encode(t, inclusion), key.Public())
		if err != nil || checked.Index != index || checked.Entry.Ref != fmt.Sprintf("dec_%d", index) {
			t.Fatalf("%+v, %v", checked, err)
		}
		consistency, err := ledger.ProveConsistency(head, l.tiles, signed, before, signedBefore)
		if err != nil {
			t.Fatal(err)
		}
		if checked, err := ledger.Check(encode(t, consistency), key.Public()); err != nil || *checked.Old != before || checked.Checkpoint != head {
			t.Fatalf("%+v, %v", checked, err)
		}
		// Nothing else is proven by the same hashes.
		inclusion.Leaf = leafOf(int(index) + 1)
		if _, err := ledger.Check(encode(t, inclusion), key.Public()); err == nil {
			t.Fatal("another leaf was proven")
		}
		inclusion.Leaf, inclusion.Index = leafOf(int(index)), (index+1)%head.Size
		if _, err := ledger.Check(encode(t, inclusion), key.Public()); err == nil && size > 1 {
			t.Fatal("another place was proven")
		}
		before.Root = ledger.LeafHash([]byte("another log"))
		if signedBefore, err = before.Sign(key); err != nil {
			t.Fatal(err)
		}
		consistency.Old = string(signedBefore)
		if _, err := ledger.Check(encode(t, consistency), key.Public()); err == nil {
			t.Fatal("another log was proven")
		}
	})
}

// What tiles say is checked against the head, so a proof never rests on a hash
// that somebody changed.
func TestProofsRefuseChangedTiles(t *testing.T) {
	key := testKey(t)
	l := newLog(600)
	head := l.head(key.Name())
	l.leaves[3][0] ^= 1
	if _, err := ledger.ProveInclusion(head, l.tiles, head.Size, nil, 4, leafOf(4)); err == nil {
		t.Error("proven over a changed hash")
	}
}

func TestContinues(t *testing.T) {
	small, big := newLog(3).head("o"), newLog(5).head("o")
	other := small
	other.Origin = "p"
	for name, pair := range map[string][2]ledger.Checkpoint{
		"cut":             {big, small},
		"two logs":        {other, big},
		"same size":       {small, {Origin: "o", Size: 3, Root: big.Root}},
		"empty, not ours": {{Origin: "o", Root: big.Root}, big},
	} {
		if err := ledger.Continues(pair[0], pair[1], nil); err == nil {
			t.Errorf("%s: taken", name)
		}
	}
	if err := ledger.Continues(newLog(0).head("o"), big, nil); err != nil {
		t.Errorf("everything continues the empty log: %v", err)
	}
	if err := ledger.Continues(small, small, nil); err != nil {
		t.Errorf("a log continues itself: %v", err)
	}
}

func TestDiffers(t *testing.T) {
	a, b := newLog(13), newLog(0) // stretches of 8, 4 and 1
	for i := range 13 {
		leaf := leafOf(i)
		if i == 10 {
			leaf = []byte("another")
		}
		b.append(leaf)
	}
	if from, to, differ := a.tree.Differs(b.tree); from != 8 || to != 11 || !differ {
		t.Errorf("differ from %d to %d, %v", from, to, differ)
	}
	if _, _, differ := a.tree.Differs(newLog(13).tree); differ {
		t.Error("equal logs differ")
	}
}

func TestEntry(t *testing.T) {
	at := time.Date(2026, 11, 22, 18, 0, 0, 123456789, time.FixedZone("", 3600))
	entry := ledger.Entry{Kind: ledger.KindDecision, Ref: "dec_<1>", RecordedAt: at, Supersedes: "dec_0", Judge: "sha256:x", Body: []byte("{}\nmore\n")}
	leaf, err := entry.Leaf()
	if err != nil {
		t.Fatal(err)
	}
	const want = `{"entry":"changevouch/v1","kind":"decision","ref":"dec_<1>","recorded_at":"2026-11-22T17:00:00.123456Z","supersedes":"dec_0","judge":"sha256:x"}` + "\n{}\nmore\n"
	if string(leaf) != want {
		t.Errorf("leaf = %s", leaf)
	}
	back, err := ledger.ParseLeaf(leaf)
	if err != nil || back.Ref != entry.Ref || !bytes.Equal(back.Body, entry.Body) || !back.RecordedAt.Equal(at.Truncate(time.Microsecond)) {
		t.Errorf("back = %+v, %v", back, err)
	}
	for name, bad := range map[string]ledger.Entry{
		"no kind": {Ref: "x", RecordedAt: at}, "no ref": {Kind: "x", RecordedAt: at}, "NUL": {Kind: "x", Ref: "a\x00", RecordedAt: at},
		"not UTF-8": {Kind: "x", Ref: "\xff", RecordedAt: at}, "year": {Kind: "x", Ref: "y", RecordedAt: time.Date(10000, 1, 1, 0, 0, 0, 0, time.UTC)},
		"long": {Kind: "x", Ref: string(make([]byte, 5000)), RecordedAt: at},
	} {
		if leaf, err := bad.Leaf(); err == nil {
			t.Errorf("%s: written as %s", name, leaf)
		}
	}
	for name, bad := range map[string]string{
		"no header": "", "no line feed": `{"entry":"changevouch/v1"}`, "format": `{"entry":"other/v1","kind":"x","ref":"y","recorded_at":"2026-11-22T17:00:00.123456Z"}` + "\n",
		"spaces":  `{ "entry":"changevouch/v1","kind":"x","ref":"y","recorded_at":"2026-11-22T17:00:00.123456Z"}` + "\n",
		"unknown": `{"entry":"changevouch/v1","kind":"x","ref":"y","recorded_at":"2026-11-22T17:00:00.123456Z","z":1}` + "\n",
		"time":    `{"entry":"changevouch/v1","kind":"x","ref":"y","recorded_at":"2026-11-22"}` + "\n",
	} {
		if e, err := ledger.ParseLeaf([]byte(bad)); err == nil {
			t.Errorf("%s: read as %+v", name, e)
		}
	}
}

func TestTilePath(t *testing.T) {
	for _, one := range []struct {
		level, width int
		index        int64
		want         string
	}{
		{0, 256, 0, "tile/0/000"}, {0, 3, 5, "tile/0/005.p/3"}, {1, 256, 1234067, "tile/1/x001/x234/067"}, {2, 255, 1000, "tile/2/x001/000.p/255"},
	} {
		if got := ledger.TilePath(one.level, one.index, one.width); got != one.want {
			t.Errorf("%+v: %s", one, got)
		}
	}
	var paths []string
	err := ledger.EachTile(256*256+256+5, func(level int, index int64, width int) error {
		if index > 254 || level > 0 {
			paths = append(paths, ledger.TilePath(level, index, width))
		}
		return nil
	})
	if got := fmt.Sprint(paths); err != nil || got != "[tile/0/255 tile/0/256 tile/0/257.p/5 tile/1/000 tile/1/001.p/1 tile/2/000.p/1]" {
		t.Errorf("%s, %v", got, err)
	}
}
