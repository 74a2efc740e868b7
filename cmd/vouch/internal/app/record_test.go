package app_test

import (
	"bytes"
	"path/filepath"
	"testing"
	"time"

	"github.com/changevouch/changevouch/cmd/vouch/internal/app"
	"github.com/changevouch/changevouch/engine"
	"github.com/changevouch/changevouch/engine/assembly"
	"github.com/changevouch/changevouch/engine/ledger"
	"github.com/changevouch/changevouch/engine/report"
	"github.com/changevouch/changevouch/engine/store"
)

var recordedAt = time.Date(2026, 11, 20, 9, 0, 0, 0, time.UTC)

// recorded is a journal of two pull requests, and who judges it.
func recorded(t *testing.T, now *time.Time) (*store.Store, app.Decide) {
	t.Helper()
	key, err := ledger.OpenKey(filepath.Join(t.TempDir(), "journal.key"))
	if err != nil {
		t.Fatal(err)
	}
	s, err := store.Open(t.Context(), "sqlite:"+filepath.Join(t.TempDir(), "journal.db"), store.Options{Key: key, Clock: func() time.Time { return *now }})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	if _, err := s.AddEvents(t.Context(), shipped(2), nil); err != nil {
		t.Fatal(err)
	}
	p, err := app.OpenStandingPolicy(t.Context(), s, app.PolicyConfig{Bundles: []string{"../../testdata/deadline"}}, *now, "test")
	if err != nil {
		t.Fatal(err)
	}
	dir := assembly.Directory{People: []engine.Person{{ID: "alice", Kind: "employee"}, {ID: "bob", Kind: "employee"}}, Complete: true}
	return s, app.Decide{Record: app.NewRecord(s), Policy: p, Directory: dir, At: *now}
}

func run(t *testing.T, d app.Decide) app.Decided {
	t.Helper()
	done, err := d.Run(t.Context(), app.Deciding{
		Judged: func(report.Judgement) error { return nil }, Undecided: func(err error) { t.Error(err) }, Problem: func(assembly.Problem) {},
	})
	if err != nil {
		t.Fatal(err)
	}
	return done
}

func expect(t *testing.T, what string, done app.Decided, judged, unchanged int) {
	t.Helper()
	if done.Judged != judged || done.Unchanged != unchanged {
		t.Errorf("%s: judged %d, unchanged %d; want %d and %d", what, done.Judged, done.Unchanged, judged, unchanged)
	}
}

// A process that judges again and again judges what a new one would.
func TestDecideAgain(t *testing.T) {
	now := recordedAt
	s, decide := recorded(t, &now)
	expect(t, "first", run(t, decide), 2, 0)
	for range 3 { // looked up, then remembered
		decide.At = decide.At.Add(time.Minute)
		expect(t, "again", run(t, decide), 0, 2)
	}

	review := shipped(2)[13]
	review.ID += ":again"
	review.Data = bytes.Replace(review.Data, []byte(`"review_id":"2"`), []byte(`"review_id":"3"`), 1)
	if _, err := s.AddEvents(t.Context(), []engine.Event{review}, nil); err != nil {
		t.Fatal(err)
	}
	expect(t, "with another review", run(t, decide), 1, 1)
	expect(t, "with it", run(t, decide), 0, 2)
	expect(t, "remembered", run(t, decide), 0, 2)

	// Another process knows another directory, and judges both otherwise.
	other := decide
	other.Record, other.Directory.People = app.NewRecord(s), nil
	other.At = decide.At.Add(time.Minute)
	expect(t, "by another", run(t, other), 2, 0)
	decide.At = other.At.Add(time.Minute)
	expect(t, "after another", run(t, decide), 2, 0)
	expect(t, "after that", run(t, decide), 0, 2)

	found := decide.At.Add(-time.Hour)
	alert := engine.Event{
		Schema: engine.EventSchema, ID: "github:alert:1", Source: "scanner", Provider: "github", Type: "vulnerability.observed", OccurredAt: found, ObservedAt: found,
		Subject:  engine.Subject{Type: "finding", ID: "acme/shop#alert-1"},
		Data:     engine.Facts(engine.VulnerabilityFact{FindingID: "acme/shop#alert-1", Repository: "acme/shop", Severity: "high", State: "open", FirstDetectedAt: &found}),
		Evidence: review.Evidence,
	}
	if _, err := s.AddEvents(t.Context(), []engine.Event{alert}, nil); err != nil {
		t.Fatal(err)
	}
	expect(t, "with a finding", run(t, decide), 1, 2)
	expect(t, "with it", run(t, decide), 0, 3)
	decide.At = found.AddDate(0, 0, 30)
	expect(t, "in its last second", run(t, decide), 1, 2)
	decide.At = decide.At.Add(time.Second)
	expect(t, "after its deadline", run(t, decide), 1, 2)
	expect(t, "after that", run(t, decide), 0, 3)
}

// What retention removed is no longer on record.
func TestRecordAfterRetention(t *testing.T) {
	now := recordedAt
	s, decide := recorded(t, &now)
	run(t, decide)
	count := func() int {
		events, err := decide.Record.Events(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		return len(events)
	}
	if n := count(); n != 18 {
		t.Fatalf("%d events", n)
	}
	if _, err := s.AddEvents(t.Context(), shipped(3)[18:], nil); err != nil {
		t.Fatal(err)
	}
	if n := count(); n != 27 {
		t.Fatalf("%d events with those of a third pull request", n)
	}
	now = now.Add(48 * time.Hour)
	if _, err := s.Retain(t.Context(), now.Add(-24*time.Hour), 24*time.Hour, false); err != nil {
		t.Fatal(err)
	}
	fresh, err := app.NewRecord(s).Events(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if n := count(); n != len(fresh) || n == 27 {
		t.Errorf("%d events after retention, a new process finds %d", n, len(fresh))
	}
}
