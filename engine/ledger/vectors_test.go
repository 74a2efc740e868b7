package ledger_test

import (
	"bytes"
	"encoding/json"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/changevouch/changevouch/engine/ledger"
)

var update = flag.Bool("update", false, "write the vectors in testdata/ledger again")

const vectors = "../../testdata/ledger"

// TestVectors checks the proof files that other implementations can test with:
// good ones prove something, bad ones nothing.
func TestVectors(t *testing.T) {
	if *update {
		writeVectors(t)
	}
	text, err := os.ReadFile(filepath.Join(vectors, "keys.txt"))
	if err != nil {
		t.Fatal(err)
	}
	keys, err := ledger.ParsePublicKeys(text)
	if err != nil {
		t.Fatal(err)
	}
	good, bad := 0, 0
	files, err := filepath.Glob(filepath.Join(vectors, "*.json"))
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range files {
		file, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		checked, err := ledger.Check(file, keys...)
		if strings.HasPrefix(filepath.Base(path), "good-") {
			if good++; err != nil {
				t.Errorf("%s: %v", path, err)
			}
		} else if bad++; err == nil {
			t.Errorf("%s: proves %+v", path, checked)
		}
	}
	if good < 5 || bad < 8 {
		t.Errorf("%d good and %d bad files", good, bad)
	}
	leaf, err := os.ReadFile(filepath.Join(vectors, "leaf.txt"))
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(leaf, vectorLeaf(t, 3)) {
		t.Error("leaf.txt is not the leaf of entry 3")
	}
}

func vectorLeaf(t testing.TB, i int) []byte {
	t.Helper()
	entry := ledger.Entry{
		Kind: ledger.KindDecision, Ref: "dec_" + string(rune('a'+i)), RecordedAt: time.Date(2026, 11, 22, 18, 0, i, 0, time.UTC),
		Body: []byte(`{"schema":"decision/v1","outcome":"compliant"}`),
	}
	if i > 0 {
		entry.Supersedes = "dec_" + string(rune('a'+i-1))
	}
	leaf, err := entry.Leaf()
	if err != nil {
		t.Fatal(err)
	}
	return leaf
}

func writeVectors(t *testing.T) {
	old := testKey(t)
	next, err := ledger.NewKey(chance(8), old.Name())
	if err != nil {
		t.Fatal(err)
	}
	stranger, err := ledger.NewKey(chance(9), old.Name())
	if err != nil {
		t.Fatal(err)
	}
	write := func(name string, content []byte) {
		t.Helper()
		if err := os.WriteFile(filepath.Join(vectors, name), content, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	proof := func(name string, v any) {
		t.Helper()
		text, err := json.MarshalIndent(v, "", "  ")
		if err != nil {
			t.Fatal(err)
		}
		write(name+".json", append(text, '\n'))
	}
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	if err := os.MkdirAll(vectors, 0o755); err != nil {
		t.Fatal(err)
	}
	l := newLog(0)
	for i := range 4 {
		l.append(vectorLeaf(t, i))
	}
	before := l.head(old.Name())
	for i := 4; i < 7; i++ {
		l.append(vectorLeaf(t, i))
	}
	head := l.head(old.Name())
	signedBefore, err := before.Sign(old)
	must(err)
	rotated, err := head.Sign(old, next)
	must(err)
	signed, err := head.Sign(next)
	must(err)
	foreign, err := head.Sign(stranger)
	must(err)

	write("keys.txt", []byte("# The key of the log, and the one that took its place.\n"+old.Public().String()+"\n"+next.Public().String()+"\n"))
	write("leaf.txt", vectorLeaf(t, 3))
	write("checkpoint.txt", rotated)

	inclusion, err := ledger.ProveInclusion(head, l.tiles, head.Size, signed, 3, vectorLeaf(t, 3))
	must(err)
	proof("good-inclusion", inclusion)
	last, err := ledger.ProveInclusion(head, l.tiles, head.Size, signed, 6, vectorLeaf(t, 6))
	must(err)
	proof("good-inclusion-last", last)
	rotation := inclusion
	rotation.Checkpoint = string(rotated)
	proof("good-inclusion-rotation", rotation)
	consistency, err := ledger.ProveConsistency(head, l.tiles, signed, before, signedBefore)
	must(err)
	proof("good-consistency", consistency)
	same, err := ledger.ProveConsistency(head, l.tiles, signed, head, rotated)
	must(err)
	proof("good-consistency-same", same)

	bad := inclusion
	bad.Leaf = vectorLeaf(t, 2)
	proof("bad-inclusion-leaf", bad)
	bad = inclusion
	bad.Index = 2
	proof("bad-inclusion-index", bad)
	bad = inclusion
	bad.Index = 7
	proof("bad-inclusion-beyond", bad)
	bad = inclusion
	bad.Hashes = bad.Hashes[:len(bad.Hashes)-1]
	proof("bad-inclusion-short", bad)
	bad = inclusion
	bad.Checkpoint = string(foreign)
	proof("bad-inclusion-key", bad)
	bad = inclusion
	bad.Checkpoint = strings.Replace(bad.Checkpoint, "\n7\n", "\n8\n", 1)
	proof("bad-inclusion-size", bad)
	bad = inclusion
	bad.Format = "changevouch/inclusion/v2"
	proof("bad-inclusion-format", bad)
	cut, err := before.Sign(next)
	must(err)
	proof("bad-consistency-cut", ledger.Consistency{Format: consistency.Format, Old: string(signed), New: string(cut), Hashes: []ledger.Hash{}})
	other := newLog(4).head(old.Name())
	signedOther, err := other.Sign(old)
	must(err)
	rewritten := consistency
	rewritten.Old = string(signedOther)
	proof("bad-consistency-rewritten", rewritten)
}

func FuzzCheck(f *testing.F) {
	key := testKey(f).Public()
	files, err := filepath.Glob(filepath.Join(vectors, "*.json"))
	if err != nil {
		f.Fatal(err)
	}
	for _, path := range files {
		file, err := os.ReadFile(path)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(file)
	}
	f.Fuzz(func(t *testing.T, file []byte) {
		checked, err := ledger.Check(file, key)
		if err == nil && checked.Checkpoint.Origin != key.Name() {
			t.Errorf("proves %+v of another log", checked)
		}
	})
}

func FuzzParseLeaf(f *testing.F) {
	f.Add(vectorLeaf(f, 0))
	f.Add(vectorLeaf(f, 1))
	f.Add([]byte("{}\n"))
	f.Fuzz(func(t *testing.T, leaf []byte) {
		entry, err := ledger.ParseLeaf(leaf)
		if err != nil {
			return
		}
		if again, err := entry.Leaf(); err != nil || !bytes.Equal(again, leaf) {
			t.Errorf("%q is written as %q, %v", leaf, again, err)
		}
	})
}

func FuzzOpenCheckpoint(f *testing.F) {
	key := testKey(f)
	c := newLog(2).head(key.Name())
	signed, err := c.Sign(key)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(signed)
	f.Add([]byte("a\n1\nAAAA\n\n— a AAAA\n"))
	f.Fuzz(func(t *testing.T, note []byte) {
		if got, err := ledger.OpenCheckpoint(note, key.Public()); err == nil && got != c {
			t.Errorf("signed: %+v", got)
		}
	})
}

func FuzzParsePublicKey(f *testing.F) {
	f.Add(testKey(f).Public().String())
	f.Add("a+b+c")
	f.Fuzz(func(t *testing.T, text string) {
		key, err := ledger.ParsePublicKey(text)
		if err == nil && key.Name() == "" {
			t.Errorf("%q has no name", text)
		}
	})
}
