package collectors_test

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/changevouch/changevouch/collectors"
	"github.com/changevouch/changevouch/engine"
)

// toyEvents are events of the toy source, one for each id.
func toyEvents(t testing.TB, ids ...string) []engine.Event {
	t.Helper()
	var all []engine.Event
	for _, id := range ids {
		text := engine.Facts(record{ID: id, At: "2026-03-01T00:00:00Z", State: "read"})
		all = append(all, toy(collectors.Payload{Path: id, Bytes: text, ObservedAt: noon, Trust: engine.TrustAPIRead}).Events...)
	}
	return all
}

var noon = time.Date(2026, 3, 10, 12, 0, 0, 0, time.UTC)

func ids(events []engine.Event) string {
	var all []string
	for _, e := range events {
		all = append(all, strings.TrimPrefix(e.ID, "toy:"))
	}
	return strings.Join(all, " ")
}

func open(t testing.TB, dir string) *collectors.Folder {
	t.Helper()
	f, err := collectors.OpenFolder(dir)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.Close() })
	return f
}

func TestFolderReplacesSteps(t *testing.T) {
	dir := t.TempDir()
	f := open(t, dir)
	commit := func(name, step, cursor string, events ...string) {
		t.Helper()
		if err := f.Commit(t.Context(), name, collectors.Batch{Step: step, Events: toyEvents(t, events...), Cursor: json.RawMessage(cursor)}); err != nil {
			t.Fatal(err)
		}
	}
	commit("shop", "pulls/1", `{"at":1}`, "a", "b")
	commit("shop", "pulls/2", `{"at":2}`, "c", "b") // b twice
	commit("shop/pulls", "1", `{"at":7}`, "d")      // no neighbour of the first
	commit("SHOP", "pulls/1", `{"at":8}`, "e")      // nor is this, on any file system
	commit("shop", "pulls/1", `{"at":3}`, "b")      // read again: a is gone
	r, err := collectors.ReadEvents(t.Context(), dir)
	if err != nil || ids(r.Events) != "b c d e" || len(r.Faults)+len(r.Conflicts) > 0 {
		t.Errorf("read %q, faults %v, conflicts %v, error %v", ids(r.Events), r.Faults, r.Conflicts, err)
	}
	commit("shop", "pulls/2", `{"at":4}`) // found nothing this time
	if r, err = collectors.ReadEvents(t.Context(), dir); err != nil || ids(r.Events) != "b d e" {
		t.Errorf("read %q, error %v", ids(r.Events), err)
	}
	for name, want := range map[string]string{"shop": `{"at":4}`, "shop/pulls": `{"at":7}`, "SHOP": `{"at":8}`, "other": ""} {
		if got, err := f.Cursor(t.Context(), name); err != nil || string(got) != want {
			t.Errorf("cursor of %s is %s, want %s (%v)", name, got, want, err)
		}
	}
}

func TestFolderHasOneWriter(t *testing.T) {
	dir := t.TempDir()
	f := open(t, dir)
	if second, err := collectors.OpenFolder(dir); err == nil || !strings.Contains(err.Error(), "another process collects into it") {
		t.Errorf("opened %v, error %v", second, err)
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	open(t, dir)
}

// What a kill leaves behind, a half-written file, is nobody's event or cursor.
func TestFolderAfterAKill(t *testing.T) {
	dir := t.TempDir()
	f := open(t, dir)
	if err := f.Commit(t.Context(), "shop", collectors.Batch{Step: "1", Events: toyEvents(t, "a"), Cursor: json.RawMessage(`1`)}); err != nil {
		t.Fatal(err)
	}
	segments, err := filepath.Glob(filepath.Join(dir, "shop-*"))
	if err != nil || len(segments) != 1 {
		t.Fatalf("folders %v, error %v", segments, err)
	}
	for _, half := range []string{filepath.Join(segments[0], ".new-1"), filepath.Join(dir, ".cursors", ".new-2")} {
		if err := os.WriteFile(half, []byte(`{"schema":`), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	r, err := collectors.ReadEvents(t.Context(), dir)
	if err != nil || ids(r.Events) != "a" || len(r.Faults) > 0 {
		t.Errorf("read %q, faults %v, error %v", ids(r.Events), r.Faults, err)
	}
	// A cursor that the disk damaged is said to be, not guessed.
	cursors, err := filepath.Glob(filepath.Join(dir, ".cursors", "shop-*"))
	if err != nil || len(cursors) != 1 {
		t.Fatalf("cursors %v, error %v", cursors, err)
	}
	if err := os.WriteFile(cursors[0], []byte(`{"version":`), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := f.Cursor(t.Context(), "shop"); err == nil || !strings.Contains(err.Error(), "damaged") {
		t.Errorf("error %v", err)
	}
}

func TestFolderNames(t *testing.T) {
	dir := t.TempDir()
	f := open(t, dir)
	for i, name := range []string{"..", "/etc/passwd", "", strings.Repeat("x", 500), "CON", "a:b\\c*?", "日本"} {
		if err := f.Commit(t.Context(), name, collectors.Batch{Step: name, Events: toyEvents(t, fmt.Sprint(i)), Cursor: json.RawMessage(`1`)}); err != nil {
			t.Errorf("%q: %v", name, err)
		}
	}
	if r, err := collectors.ReadEvents(t.Context(), dir); err != nil || len(r.Events) != 7 {
		t.Errorf("%d events, error %v", len(r.Events), err)
	}
}
