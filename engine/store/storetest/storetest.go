// Package storetest is the one suite that every database of the store passes, and
// the PostgreSQL server for it. It tests with real databases and real processes.
package storetest

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"path/filepath"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/changevouch/changevouch/engine"
	"github.com/changevouch/changevouch/engine/ledger"
	"github.com/changevouch/changevouch/engine/store"
)

// Database is a kind of database to test with.
type Database interface {
	// Fresh makes an empty database and returns its address.
	Fresh(t testing.TB) string
	// Copy makes a copy of a database that nobody uses.
	Copy(t testing.TB, address string) string
}

// Run tests a kind of database; backups also go to another kind.
func Run(t *testing.T, d, other Database) {
	j := build(t, d.Fresh(t), Key(t))
	t.Run("Opening", func(t *testing.T) { testOpening(t, d) })
	t.Run("Migration", func(t *testing.T) { testMigration(t, d) })
	t.Run("NewerSchema", func(t *testing.T) { testNewerSchema(t, d) })
	t.Run("Rotation", func(t *testing.T) { testRotation(t, d) })
	t.Run("Proofs", func(t *testing.T) { testProofs(t, d, j) })
	t.Run("Laundering", func(t *testing.T) { testLaundering(t, d, j) })
	t.Run("Judges", func(t *testing.T) { testJournalOf(t, d) })
	t.Run("Due", func(t *testing.T) { testDue(t, d) })
	t.Run("FirstContent", func(t *testing.T) { testFirstContent(t, d) })
	t.Run("Append", func(t *testing.T) { testAppend(t, d) })
	t.Run("Events", func(t *testing.T) { testEvents(t, d) })
	t.Run("Questions", func(t *testing.T) { testQuestions(t, d) })
	t.Run("Indexes", func(t *testing.T) { testIndexes(t, d) })
	t.Run("Releases", func(t *testing.T) { testReleases(t, d) })
	t.Run("Statements", func(t *testing.T) { testStatements(t, d) })
	t.Run("Deliveries", func(t *testing.T) { testDeliveries(t, d) })
	t.Run("RetainMeanwhile", func(t *testing.T) { testRetainMeanwhile(t, d) })
	t.Run("Tokens", func(t *testing.T) { testTokens(t, d) })
	t.Run("Actions", func(t *testing.T) { testActions(t, d) })
	t.Run("Notices", func(t *testing.T) { testNotices(t, d) })
	t.Run("Kill", func(t *testing.T) { testKill(t, d) })
	t.Run("Together", func(t *testing.T) { testTogether(t, d) })
	t.Run("Locked", func(t *testing.T) { testLocked(t, d) })
	t.Run("Tampering", func(t *testing.T) { testTampering(t, d, j) })
	t.Run("Retention", func(t *testing.T) { testRetention(t, d) })
	t.Run("Backup", func(t *testing.T) { testBackup(t, d, other, j) })
}

// Open opens a journal with a key of its own beside the test.
func Open(t testing.TB, address string, options store.Options) *store.Store {
	t.Helper()
	if options.Key == nil {
		options.Key = Key(t)
	}
	s, err := store.Open(context.Background(), address, options)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Errorf("close: %v", err)
		}
	})
	return s
}

// Key makes a signing key.
func Key(t testing.TB) *ledger.Key {
	t.Helper()
	key, err := ledger.OpenKey(filepath.Join(t.TempDir(), "key"))
	if err != nil {
		t.Fatal(err)
	}
	return key
}

// encode writes a proof file.
func encode(t *testing.T, proof any) []byte {
	t.Helper()
	text, err := json.Marshal(proof)
	if err != nil {
		t.Fatal(err)
	}
	return text
}

// journal opens the journal of the made-up judge.
func journal(t testing.TB, s *store.Store) *store.Journal {
	t.Helper()
	j, err := s.Journal(context.Background(), Judge())
	if err != nil {
		t.Fatal(err)
	}
	return j
}

func testAppend(t *testing.T, d Database) {
	ctx := t.Context()
	now := Epoch
	s := Open(t, d.Fresh(t), store.Options{Clock: func() time.Time { now = now.Add(time.Second); return now }})
	j := journal(t, s)
	first, second := Judged(Judge(), 1, 0, 0), Judged(Judge(), 1, 1, 0)
	for _, one := range []engine.Judgement{first, second, first} {
		if err := j.Append(ctx, one.Dossier, one.Decision); err != nil {
			t.Fatal(err)
		}
	}
	got, err := s.Decision(ctx, second.Decision.ID)
	if err != nil {
		t.Fatal(err)
	}
	want, err := second.Decision.Record()
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got.Bytes, want) || got.Supersedes != first.Decision.ID || !got.Latest || got.Judge != j.Judge() {
		t.Errorf("decision came back as %+v", got)
	}
	history, err := s.History(ctx, engine.Subject{Type: "change", ID: "acme/repo1#1"})
	if err != nil || len(history) != 2 || history[0].ID != first.Decision.ID || history[0].Latest {
		t.Errorf("history = %v, %v", history, err)
	}
	dossier, err := s.Dossier(ctx, got.Dossier)
	if err != nil || !bytes.Equal(dossier, second.Dossier) {
		t.Errorf("dossier = %s, %v", dossier, err)
	}
	judge, err := s.JudgeOf(ctx, got.Judge)
	if err != nil || cmp.Diff(Judge(), judge) != "" {
		t.Errorf("judge = %v, %v", judge, err)
	}
	changed := first
	changed.Decision.Outcome = engine.OutcomeOutOfScope
	if err := j.Append(ctx, changed.Dossier, changed.Decision); !errors.Is(err, engine.ErrConflict) {
		t.Errorf("another decision under the same id: %v", err)
	}
	older := Judged(Judge(), 1, 0, 1)
	if err := j.AppendAll(ctx, []engine.Judgement{Judged(Judge(), 2, 0, 0), older}); !errors.Is(err, engine.ErrSuperseded) {
		t.Errorf("a decision of an earlier moment: %v", err)
	}
	if err := j.Append(ctx, second.Dossier, first.Decision); err == nil {
		t.Error("a decision on another dossier was recorded")
	}
	page, err := s.List(ctx, engine.DecisionFilter{}, "", 0)
	if err != nil || len(page.Decisions) != 2 {
		t.Errorf("list = %v, %v", page, err)
	}
}

func testEvents(t *testing.T, d Database) {
	ctx := t.Context()
	s := Open(t, d.Fresh(t), store.Options{})
	var batch []engine.Event
	for n := range 10 {
		batch = append(batch, Event(n))
	}
	for i, want := range []int{10, 0} {
		added, err := s.AddEvents(ctx, batch, &store.Cursor{Name: "github.com/acme/shop", Value: []byte(`{"page":2}`)})
		if err != nil || added != want {
			t.Fatalf("call %d added %d events, %v; want %d", i, added, err, want)
		}
	}
	var back []engine.Event
	for e, err := range s.Events(ctx, store.EventFilter{}) {
		if err != nil {
			t.Fatal(err)
		}
		back = append(back, e)
	}
	if diff := cmp.Diff(batch, back); diff != "" {
		t.Error(diff)
	}
	coverage := 0
	for e, err := range s.Events(ctx, store.EventFilter{Type: "coverage.recorded", Source: "render"}) {
		if err != nil || e.Type != "coverage.recorded" {
			t.Fatal(e, err)
		}
		coverage++
	}
	if coverage != 2 {
		t.Errorf("%d coverage records, want 2", coverage)
	}
	cursor, err := s.Cursor(ctx, "github.com/acme/shop")
	if err != nil || string(cursor) != `{"page":2}` {
		t.Errorf("cursor = %s, %v", cursor, err)
	}
	head, _, err := s.Head(ctx)
	if err != nil || head.Size != 1 {
		t.Errorf("head = %+v, %v", head, err)
	}
}
