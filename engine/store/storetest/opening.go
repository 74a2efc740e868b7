package storetest

import (
	"bytes"
	"crypto/rand"
	"crypto/sha256"
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/mod/sumdb/tlog"

	"github.com/changevouch/changevouch/engine"
	"github.com/changevouch/changevouch/engine/ledger"
	"github.com/changevouch/changevouch/engine/store"
	"github.com/changevouch/changevouch/schemas"
)

func testOpening(t *testing.T, d Database) {
	ctx := t.Context()
	address, key := d.Fresh(t), Key(t)
	if _, err := store.Open(ctx, address, store.Options{}); err == nil {
		t.Error("opened, to read, what is no journal yet")
	}
	s := Open(t, address, store.Options{Key: key})
	if head, _, err := s.Head(ctx); err != nil || head.Size != 0 || head.Origin != key.Name() {
		t.Errorf("%+v, %v", head, err)
	}
	if public, err := s.PublicKey(ctx); err != nil || public.String() != key.Public().String() {
		t.Errorf("%v, %v", public, err)
	}
	if report, err := s.Verify(ctx, store.Verification{Keys: []ledger.PublicKey{key.Public()}}); err != nil || !report.Sound() {
		t.Errorf("the empty journal: %+v, %v", report, err)
	}
	if _, err := store.Open(ctx, address, store.Options{Key: Key(t)}); !errors.Is(err, store.ErrKey) {
		t.Errorf("opened with another key: %v", err)
	}
	reader := reading(t, address)
	if _, err := reader.AddEvents(ctx, []engine.Event{Event(1)}, nil); !errors.Is(err, store.ErrKey) {
		t.Errorf("wrote without a key: %v", err)
	}
	if _, err := s.AddEvents(ctx, []engine.Event{Event(1)}, nil); err != nil {
		t.Fatal(err)
	}
	if note, err := reader.Checkpoint(ctx); err != nil {
		t.Error(err)
	} else if _, err := ledger.OpenCheckpoint(note, key.Public()); err != nil {
		t.Error(err)
	}
	for name, err := range map[string]error{
		"decision": second(reader.Decision(ctx, "dec_x")), "dossier": second(reader.Dossier(ctx, engine.Digest(nil))),
		"history": second(reader.History(ctx, engine.Subject{Type: "change", ID: "x"})), "judge": second(reader.JudgeOf(ctx, "x")),
		"entry": second(reader.Entry(ctx, 99)), "proof": second(reader.ProveInclusion(ctx, 99)),
	} {
		if !errors.Is(err, engine.ErrNotFound) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func second[T any](_ T, err error) error { return err }

// reading opens a journal without a key.
func reading(t *testing.T, address string) *store.Store {
	t.Helper()
	s, err := store.Open(t.Context(), address, store.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return s
}

func testNewerSchema(t *testing.T, d Database) {
	address, key := d.Fresh(t), Key(t)
	Open(t, address, store.Options{Key: key})
	insert := "INSERT INTO goose_db_version (version_id, is_applied) VALUES (99999, %s)"
	applied := "1"
	if _, ok := d.(*Server); ok {
		applied = "true"
	}
	vandal{t, raw(t, address)}.exec(fmt.Sprintf(insert, applied))
	for name, options := range map[string]store.Options{"to write": {Key: key}, "to read": {}} {
		if _, err := store.Open(t.Context(), address, options); !errors.Is(err, store.ErrNewerSchema) || !strings.Contains(err.Error(), "use a newer vouch") {
			t.Errorf("%s: %v", name, err)
		}
	}
	vandal{t, raw(t, address)}.exec("DELETE FROM goose_db_version WHERE version_id > 0")
	if _, err := store.Open(t.Context(), address, store.Options{}); !errors.Is(err, store.ErrOlderSchema) || !strings.Contains(err.Error(), "bring it up to date") {
		t.Errorf("read with an older schema: %v", err)
	}
}

func testRotation(t *testing.T, d Database) {
	ctx := t.Context()
	address, key := d.Fresh(t), Key(t)
	s := Open(t, address, store.Options{Key: key})
	other := Open(t, address, store.Options{Key: key})
	if _, err := s.AddEvents(ctx, []engine.Event{Event(1)}, nil); err != nil {
		t.Fatal(err)
	}
	before, err := s.Checkpoint(ctx)
	if err != nil {
		t.Fatal(err)
	}
	next, err := ledger.NewKey(rand.Reader, key.Name())
	if err != nil {
		t.Fatal(err)
	}
	if err := next.Save(filepath.Join(t.TempDir(), "next")); err != nil {
		t.Fatal(err)
	}
	if err := s.Rotate(ctx, Key(t)); err == nil {
		t.Error("took a key of another log")
	}
	if err := s.Rotate(ctx, key); err == nil {
		t.Error("took the same key")
	}
	if err := s.Rotate(ctx, next); err != nil {
		t.Fatal(err)
	}
	rotated, err := s.Checkpoint(ctx)
	if err != nil {
		t.Fatal(err)
	}
	for _, one := range []*ledger.Key{key, next} {
		if _, err := ledger.OpenCheckpoint(rotated, one.Public()); err != nil {
			t.Errorf("the checkpoint of the rotation: %v", err)
		}
	}
	if _, err := s.AddEvents(ctx, []engine.Event{Event(2)}, nil); err != nil {
		t.Fatal(err)
	}
	if _, err := other.AddEvents(ctx, []engine.Event{Event(3)}, nil); !errors.Is(err, store.ErrKey) {
		t.Errorf("a process with the old key: %v", err)
	}
	both := []ledger.PublicKey{key.Public(), next.Public()}
	report, err := s.Verify(ctx, store.Verification{Keys: both, Earlier: [][]byte{before, rotated}})
	if err != nil || !report.Sound() {
		t.Errorf("%+v, %v", report, err)
	}
	proof, err := s.ProveConsistency(ctx, before, both...)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := ledger.Check(encode(t, proof), both...); err != nil {
		t.Error(err)
	}
}

// testProofs proves records with nothing but the public key, and follows the log
// by its tiles as a witness does.
func testProofs(t *testing.T, d Database, j sound) {
	ctx := t.Context()
	key := j.key
	s := Open(t, d.Copy(t, j.address), store.Options{Key: key})
	for _, index := range []int64{0, 3, j.victim.Index, 255, 256, size - 1} {
		proof, err := s.ProveInclusion(ctx, index)
		if err != nil {
			t.Fatal(err)
		}
		checked, err := ledger.Check(encode(t, proof), key.Public())
		if err != nil || checked.Index != index {
			t.Errorf("%+v, %v", checked, err)
		}
		if index == j.victim.Index && checked.Entry.Ref != j.victim.ID {
			t.Errorf("proof of %s", checked.Entry.Ref)
		}
	}
	proof, err := s.ProveConsistency(ctx, j.earlier, key.Public())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := ledger.Check(encode(t, proof), key.Public()); err != nil {
		t.Error(err)
	}
	files := map[string][]byte{}
	if err := s.Export(ctx, func(path string, content []byte) error { files[path] = content; return nil }); err != nil {
		t.Fatal(err)
	}
	if len(files) != 4 { // two tiles of leaves, one above, the checkpoint
		t.Errorf("files: %v", len(files))
	}
	head, err := ledger.OpenCheckpoint(files["checkpoint"], key.Public())
	if err != nil {
		t.Fatal(err)
	}
	root, err := tlog.TreeHash(head.Size, tlog.TileHashReader(tlog.Tree{N: head.Size, Hash: head.Root}, mirror(files)))
	if err != nil || root != head.Root {
		t.Errorf("the tiles lead to %s, %v; the checkpoint says %s", root, err, head.Root)
	}
	// Nothing is proven or backed up that somebody changed, nor signed.
	for name, rehash := range map[string]bool{"content": false, "content and hash": true} {
		t.Run(name, func(t *testing.T) {
			address := d.Copy(t, j.address)
			changed := Open(t, address, store.Options{Key: key})
			vandal{t, raw(t, address)}.rewrite(j.victim.Index, `"severity":"medium"`, `"severity":"low"`, rehash)
			if _, err := changed.ProveInclusion(ctx, j.victim.Index); err == nil {
				t.Error("proved what was changed")
			}
			if _, err := changed.Backup(ctx, &bytes.Buffer{}); err == nil {
				t.Error("backed up what was changed")
			}
		})
	}
}

// testLaundering changes an entry and everything that follows from it, but for the
// signature, and waits for the store to sign it with its next entry.
func testLaundering(t *testing.T, d Database, j sound) {
	ctx := t.Context()
	for name, change := range map[string]func(v vandal){
		"entry and head": func(v vandal) {
			v.rewrite(size-2, `"severity":"medium"`, `"severity":"low"`, true)
			v.moveHead(size)
		},
		"tail cut": func(v vandal) {
			v.exec("DELETE FROM entries WHERE idx = $1", size-1)
			v.moveHead(size - 1)
		},
		"origin": func(v vandal) { v.exec("UPDATE ledger SET origin = 'example.com/other'") },
		"signature": func(v vandal) {
			note := j.head(v)
			v.exec("UPDATE ledger SET checkpoint = $1", append(note[:len(note)-10:len(note)-10], []byte("AAAAAAAA=\n")...))
		},
	} {
		t.Run(name, func(t *testing.T) {
			address := d.Copy(t, j.address)
			change(vandal{t, raw(t, address)})
			s := Open(t, address, store.Options{Key: j.key})
			if _, err := s.AddEvents(ctx, []engine.Event{Event(5000)}, nil); err == nil || !strings.Contains(err.Error(), "verify the journal") {
				t.Errorf("the store went on from a head that it had not signed: %v", err)
			}
		})
	}
}

// mirror reads the tiles of tlog-tiles.
type mirror map[string][]byte

func (mirror) Height() int                     { return 8 }
func (mirror) SaveTiles([]tlog.Tile, [][]byte) {}
func (m mirror) ReadTiles(tiles []tlog.Tile) ([][]byte, error) {
	var out [][]byte
	for _, tile := range tiles {
		content, there := m[ledger.TilePath(tile.L, tile.N, tile.W)]
		if !there {
			return nil, fmt.Errorf("no file %s", ledger.TilePath(tile.L, tile.N, tile.W))
		}
		out = append(out, content)
	}
	return out, nil
}

// testDue says what has to be judged again.
func testDue(t *testing.T, d Database) {
	ctx := t.Context()
	s := Open(t, d.Fresh(t), store.Options{})
	j := journal(t, s)
	due := func(j *store.Journal, dossier []byte, want bool, why string) {
		t.Helper()
		if got, err := j.Due(ctx, dossier); err != nil || got != want {
			t.Errorf("%s: due is %v, %v", why, got, err)
		}
	}
	settled := Judged(Judge(), 0, 0, 0)
	if settled.Decision.NextEvaluationAt != "" {
		t.Fatal("the story has changed")
	}
	due(j, settled.Dossier, true, "never judged")
	if err := j.Append(ctx, settled.Dossier, settled.Decision); err != nil {
		t.Fatal(err)
	}
	due(j, settled.Dossier, false, "judged")
	due(j, Judged(Judge(), 0, 300, 0).Dossier, false, "a year later, nothing new")
	if _, err := j.Due(ctx, Judged(Judge(), 0, -1, 0).Dossier); !errors.Is(err, engine.ErrSuperseded) {
		t.Errorf("at an earlier moment: %v", err)
	}
	due(j, Judged(Judge(), 0, 1, 1).Dossier, true, "content changed")
	open := pending(t)
	var n int
	if _, err := fmt.Sscanf(open.Decision.Subject.ID[strings.Index(open.Decision.Subject.ID, "#"):], "#%d", &n); err != nil {
		t.Fatal(err)
	}
	if err := j.Append(ctx, open.Dossier, open.Decision); err != nil {
		t.Fatal(err)
	}
	due(j, Judged(Judge(), n, 2, 0).Dossier, false, "before the deadline")
	due(j, Judged(Judge(), n, 3, 0).Dossier, true, "at the deadline")
	stricter := Judge()
	stricter[0].Settings = []byte(`{"min_approvals":2}`)
	other, err := s.Journal(ctx, stricter)
	if err != nil {
		t.Fatal(err)
	}
	due(other, settled.Dossier, true, "judged by another policy")
	for _, window := range []struct {
		to, status, subject string
		want                bool
	}{
		{"2026-10-01T09:00:00Z", "complete", "change", false},
		{"2026-10-01T09:00:00Z", "incomplete", "change", true},
		{"2026-10-01T09:00:00Z", "complete", "period", true},
		{"2026-10-01T08:00:00Z", "complete", "period", false},
	} {
		polled := covered(t, Judged(Judge(), 700, 0, 0), "2026-10-01T08:00:00Z", "complete", window.subject)
		if err := j.Append(ctx, polled.Dossier, polled.Decision); err != nil {
			t.Fatal(err)
		}
		again := covered(t, Judged(Judge(), 700, 1, 0), window.to, window.status, window.subject)
		due(j, again.Dossier, window.want, fmt.Sprintf("polled again: %v", window))
	}
	if err := other.Append(ctx, settled.Dossier, settled.Decision); err == nil {
		t.Error("recorded a decision of another judge")
	}
}

// testFirstContent has a row as the first journals wrote it: with the windows in the
// digest of the content.
func testFirstContent(t *testing.T, d Database) {
	ctx := t.Context()
	address, key := d.Fresh(t), Key(t)
	s := Open(t, address, store.Options{Key: key})
	j := journal(t, s)
	one := covered(t, Judged(Judge(), 0, 0, 0), "2026-10-01T08:00:00Z", "complete", "change")
	if err := j.Append(ctx, one.Dossier, one.Decision); err != nil {
		t.Fatal(err)
	}
	doc, _ := schemas.Parse(one.Dossier)
	dossier, ok := doc.Value().(map[string]any)
	if !ok {
		t.Fatal("no object")
	}
	delete(dossier, "evaluated_at")
	text, err := schemas.Canonical(dossier)
	if err != nil {
		t.Fatal(err)
	}
	sum := sha256.Sum256(text)
	vandal{t, raw(t, address)}.exec("UPDATE decisions SET content = $1 WHERE content <> $1", sum[:])
	how := store.Verification{Keys: []ledger.PublicKey{key.Public()}}
	if report, err := s.Verify(ctx, how); err != nil || !report.Sound() {
		t.Errorf("%+v, %v", report, err)
	}
	for to, want := range map[string]bool{"2026-10-01T08:00:00Z": false, "2026-10-01T09:00:00Z": true} {
		again := covered(t, Judged(Judge(), 0, 1, 0), to, "complete", "change")
		if due, err := j.Due(ctx, again.Dossier); err != nil || due != want {
			t.Errorf("window to %s: %v, %v", to, due, err)
		}
	}
}

// covered says of a made-up judgement's dossier how far a source was read, and in
// what state it was.
func covered(t *testing.T, j engine.Judgement, to, status, subject string) engine.Judgement {
	t.Helper()
	doc, faults := schemas.Parse(j.Dossier)
	dossier, ok := doc.Value().(map[string]any)
	if len(faults) > 0 || !ok {
		t.Fatal(faults)
	}
	dossier["sources"] = map[string]any{"github": map[string]any{"status": status, "from": "2026-01-01T00:00:00Z", "to": to}}
	dossier["subject"] = map[string]any{"type": subject, "id": j.Decision.Subject.ID}
	text, err := schemas.Canonical(dossier)
	if err != nil {
		t.Fatal(err)
	}
	j.Dossier = text
	j.Decision.Subject.Type, j.Decision.InputDigest = subject, engine.Digest(text)
	j.Decision.ID = "dec_" + strings.TrimPrefix(j.Decision.InputDigest, "sha256:")[:32]
	return j
}

func testJournalOf(t *testing.T, d Database) {
	ctx := t.Context()
	s := Open(t, d.Fresh(t), store.Options{})
	for name, bad := range map[string]engine.Judge{
		"nobody": nil, "no bundle": {{Version: "1", BundleDigest: "sha256:x", Settings: []byte("{}")}},
		"no digest": {{Version: "1", Bundle: []byte("b"), Settings: []byte("{}")}}, "no settings": {{Version: "1", BundleDigest: "sha256:x", Bundle: []byte("b")}},
	} {
		if _, err := s.Journal(ctx, bad); err == nil {
			t.Errorf("%s: taken for a judge", name)
		}
	}
	history := engine.Judge{Judge()[0], Judge()[0]}
	history[0].EffectiveFrom, history[1].EffectiveFrom = Epoch, Epoch.AddDate(0, 1, 0)
	history[1].Version, history[1].Settings = "1.1.0", []byte(`{"min_approvals":2}`)
	j, err := s.Journal(ctx, history)
	if err != nil {
		t.Fatal(err)
	}
	if again, err := s.Journal(ctx, history); err != nil || again.Judge() != j.Judge() {
		t.Error(again, err)
	}
	back, err := s.JudgeOf(ctx, j.Judge())
	if diff := cmp.Diff(history, back); diff != "" || err != nil {
		t.Errorf("%s, %v", diff, err)
	}
	if head, _, err := s.Head(ctx); err != nil || head.Size != 4 { // one bundle, two settings, the judge
		t.Errorf("%+v, %v", head, err)
	}
	one := Judged(Judge(), 1, 0, 0)
	for name, spoil := range map[string]func(d *engine.Decision){
		"no id": func(d *engine.Decision) { d.ID = "" }, "schema": func(d *engine.Decision) { d.Schema = "x" },
		"time": func(d *engine.Decision) { d.EvaluatedAt = "yesterday" }, "deadline": func(d *engine.Decision) { d.NextEvaluationAt = "soon" },
		"digest": func(d *engine.Decision) { d.InputDigest = "sha256:1" }, "NUL": func(d *engine.Decision) { d.Subject.ID = "a\x00b" },
	} {
		bad := one
		spoil(&bad.Decision)
		good := Judged(Judge(), 2, 0, 0)
		if err := j.AppendAll(ctx, []engine.Judgement{good, bad}); err == nil {
			t.Errorf("%s: recorded", name)
		}
		if _, err := s.Decision(ctx, good.Decision.ID); !errors.Is(err, engine.ErrNotFound) {
			t.Errorf("%s: half of them is recorded: %v", name, err)
		}
	}
	// A newer program that decides the same is no conflict.
	if err := j.Append(ctx, one.Dossier, one.Decision); err != nil {
		t.Fatal(err)
	}
	newer := Judged(Judge(), 1, 0, 0)
	newer.Decision.Policy[0].Engine.Version = "2.0.0"
	if err := j.Append(ctx, newer.Dossier, newer.Decision); err != nil {
		t.Error(err)
	}
}
