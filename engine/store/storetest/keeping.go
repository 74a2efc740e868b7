package storetest

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/changevouch/changevouch/engine"
	"github.com/changevouch/changevouch/engine/ledger"
	"github.com/changevouch/changevouch/engine/store"
)

// clock is a clock that tests turn.
type clock struct{ now time.Time }

func (c *clock) read() time.Time {
	c.now = c.now.Add(time.Microsecond)
	return c.now
}

func testRetention(t *testing.T, d Database) {
	ctx := t.Context()
	key := Key(t)
	at := &clock{Epoch}
	address := d.Fresh(t)
	s := Open(t, address, store.Options{Key: key, Clock: at.read})
	j := journal(t, s)
	add := func(n, evaluation int) engine.Judgement {
		t.Helper()
		one := Judged(Judge(), n, evaluation, 0)
		if err := j.Append(ctx, one.Dossier, one.Decision); err != nil {
			t.Fatal(err)
		}
		return one
	}
	// Old: events, a decision with and one without a successor, and one with a deadline ahead.
	if _, err := s.AddEvents(ctx, []engine.Event{Event(0), Event(1), Event(2)}, nil); err != nil {
		t.Fatal(err)
	}
	superseded, settled := add(0, 0), add(1, 0)
	open := pending(t)
	if err := j.Append(ctx, open.Dossier, open.Decision); err != nil {
		t.Fatal(err)
	}
	// Two deliveries of one payload, of which one waits, and one that could not be read.
	again, pendingToo := Delivery(1), Delivery(2)
	again.ID, pendingToo.Payload, pendingToo.Digest = "again", again.Payload, again.Digest
	for _, one := range []engine.Delivery{Delivery(1), again, pendingToo, Delivery(3)} {
		if _, err := s.AddDelivery(ctx, one); err != nil {
			t.Fatal(err)
		}
	}
	finish := func(one engine.Delivery, fault string) {
		t.Helper()
		if err := s.FinishDelivery(ctx, one.Source, one.ID, fault); err != nil {
			t.Fatal(err)
		}
	}
	finish(Delivery(1), "")
	finish(Delivery(3), "no JSON")
	if _, err := s.ClaimNotice(ctx, "old"); err != nil {
		t.Fatal(err)
	}
	_, before, err := s.Head(ctx)
	if err != nil {
		t.Fatal(err)
	}
	at.now = Epoch.Add(24 * time.Hour)
	finish(again, "")
	young := add(0, 1)
	if _, err := s.AddEvents(ctx, []engine.Event{Event(3)}, nil); err != nil {
		t.Fatal(err)
	}
	cut := at.now.Add(-time.Hour)

	if _, err := s.Retain(ctx, cut, 48*time.Hour, false); err == nil {
		t.Error("removed what is younger than the setting")
	}
	plan, err := s.Retain(ctx, cut, time.Hour/2, true)
	if err != nil {
		t.Fatal(err)
	}
	want := store.Removal{Before: cut, Decisions: 2, Dossiers: 2, Events: 3, Deliveries: 2, Kept: 1, Entries: [][2]int64{{3, 5}}, Bytes: plan.Bytes, Index: -1}
	if diff := cmp.Diff(want, plan); diff != "" || plan.Bytes == 0 {
		t.Errorf("plan: %s", diff)
	}
	if _, err := s.Decision(ctx, settled.Decision.ID); err != nil {
		t.Errorf("a dry run removed something: %v", err)
	}
	done, err := s.Retain(ctx, cut, time.Hour/2, false)
	if err != nil {
		t.Fatal(err)
	}
	want.Index = 10
	if diff := cmp.Diff(want, done); diff != "" {
		t.Errorf("done: %s", diff)
	}
	for _, gone := range []engine.Judgement{superseded, settled} {
		if _, err := s.Decision(ctx, gone.Decision.ID); !errors.Is(err, engine.ErrNotFound) {
			t.Errorf("decision that was removed: %v", err)
		}
		if _, err := s.Dossier(ctx, gone.Decision.InputDigest); !errors.Is(err, engine.ErrNotFound) {
			t.Errorf("dossier that was removed: %v", err)
		}
	}
	for _, kept := range []engine.Judgement{open, young} {
		if _, err := s.Decision(ctx, kept.Decision.ID); err != nil {
			t.Error(err)
		}
	}
	if _, err := s.ProveInclusion(ctx, 4); !errors.Is(err, engine.ErrRemoved) {
		t.Errorf("proof of what was removed: %v", err)
	}
	keys := []ledger.PublicKey{key.Public()}
	report, err := s.Verify(ctx, store.Verification{Keys: keys, Earlier: [][]byte{before}})
	if err != nil || !report.Sound() || report.Removed != 3 {
		t.Errorf("after retention: %+v, %v", report, err)
	}
	v := vandal{t, raw(t, address)}
	v.exec("UPDATE entries SET kind = 'waiver' WHERE idx = 4")
	if report, err = s.Verify(ctx, store.Verification{Keys: keys}); err != nil {
		t.Fatal(err)
	}
	expect(t, report, "entries", "waiver", 4, "its kind was changed")
	v.exec("UPDATE entries SET kind = 'decision' WHERE idx = 4")
	for _, column := range []string{"ref", "recorded_at", "supersedes", "judge"} {
		other := map[string]string{"recorded_at": "recorded_at + 1"}[column]
		if other == "" {
			other = "'" + settled.Decision.ID + "x'"
		}
		var was any
		v.row("SELECT "+column+" FROM entries WHERE idx = 4", nil, &was)
		v.exec("UPDATE entries SET " + column + " = " + other + " WHERE idx = 4")
		if report, err = s.Verify(ctx, store.Verification{Keys: keys}); err != nil {
			t.Fatal(err)
		}
		expect(t, report, "entries", "entries 3 to 5", 3, "the header of one was changed")
		v.exec("UPDATE entries SET "+column+" = $1 WHERE idx = 4", was)
	}
	if report, err = s.Verify(ctx, store.Verification{Keys: keys}); err != nil || !report.Sound() {
		t.Errorf("put right again: %+v, %v", report, err)
	}
	if _, err := s.ProveConsistency(ctx, before, keys...); err != nil {
		t.Errorf("the log before retention: %v", err)
	}
	nothing, err := s.Retain(ctx, cut, time.Hour/2, false)
	if err != nil || nothing.Index != -1 || len(nothing.Entries) != 0 || nothing.Deliveries != 0 {
		t.Errorf("again: %+v, %v", nothing, err)
	}
	// What waits is there with its payload, what is done is forgotten when it is old.
	if list, err := s.PendingDeliveries(ctx, 10); err != nil || len(list) != 1 || cmp.Diff(pendingToo, list[0]) != "" {
		t.Errorf("pending: %+v, %v", list, err)
	}
	for one, want := range map[string]bool{Delivery(1).ID: true, Delivery(3).ID: true, again.ID: false} {
		d := Delivery(1)
		d.ID = one
		if added, err := s.AddDelivery(ctx, d); err != nil || added != want {
			t.Errorf("delivery %s again: %v, %v", one, added, err)
		}
	}
	if first, err := s.ClaimNotice(ctx, "old"); err != nil || !first {
		t.Errorf("the old notice: %v, %v", first, err)
	}
}

// pending is a decision with a deadline that is days ahead.
func pending(t *testing.T) engine.Judgement {
	t.Helper()
	for n := 2; n < 100; n++ {
		if one := Judged(Judge(), n, 0, 0); one.Decision.NextEvaluationAt != "" {
			return one
		}
	}
	t.Fatal("no made-up decision is pending")
	return engine.Judgement{}
}

func testBackup(t *testing.T, d, other Database, j sound) {
	ctx := t.Context()
	key := j.key
	j.address = d.Copy(t, j.address)
	s := Open(t, j.address, store.Options{Key: key})
	if _, err := s.Checkpoint(ctx); err != nil {
		t.Fatal(err)
	}
	if _, err := s.AddEvents(ctx, []engine.Event{Event(2000)}, &store.Cursor{Name: "c", Value: []byte("1")}); err != nil {
		t.Fatal(err)
	}
	keep(t, s)
	records := journal(t, s)
	// Somebody writes meanwhile.
	written := make(chan error)
	go func() {
		defer close(written)
		for n := range 16 {
			one := Judged(Judge(), 3000+n, 0, 0)
			if err := records.Append(ctx, one.Dossier, one.Decision); err != nil {
				written <- err
				return
			}
			if n%8 == 0 {
				written <- nil
			}
		}
	}()
	how := store.Verification{Keys: []ledger.PublicKey{key.Public()}, Earlier: [][]byte{j.earlier}}
	var archive bytes.Buffer
	var head ledger.Checkpoint
	var archives [][]byte
	for err := range written {
		if err != nil {
			t.Fatal(err)
		}
		archive.Reset()
		if head, err = s.Backup(ctx, &archive); err != nil {
			t.Fatal(err)
		}
		archives = append(archives, bytes.Clone(archive.Bytes()))
	}
	for _, one := range archives { // each must be of one moment
		if _, err := store.Restore(ctx, Files{}.Fresh(t), bytes.NewReader(one), how); err != nil {
			t.Fatal(err)
		}
	}
	for name, to := range map[string]Database{"same kind": d, "other kind": other} {
		t.Run(name, func(t *testing.T) {
			address := to.Fresh(t)
			report, err := store.Restore(ctx, address, bytes.NewReader(archive.Bytes()), how)
			if err != nil || report.Checkpoint != head || report.Entries != head.Size {
				t.Fatalf("%+v, %v; the backup was of %+v", report, err, head)
			}
			restored := Open(t, address, store.Options{Key: key})
			if diff := cmp.Diff(everything(t, s, head.Size), everything(t, restored, head.Size)); diff != "" {
				t.Error(diff)
			}
			if cursor, err := restored.Cursor(ctx, "c"); err != nil || string(cursor) != "1" {
				t.Errorf("cursor = %s, %v", cursor, err)
			}
			kept(t, restored)
			// A delivery that was done is not in the backup, and would be taken again.
			if added, err := restored.AddDelivery(ctx, Delivery(3)); err != nil || !added {
				t.Errorf("%v, %v", added, err)
			}
			// Work goes on.
			one := Judged(Judge(), 500, 0, 0)
			if err := journal(t, restored).Append(ctx, one.Dossier, one.Decision); err != nil {
				t.Fatal(err)
			}
			if report := j.verify(t, address, j.earlier); !report.Sound() {
				t.Errorf("%+v", report)
			}
			if _, err := store.Restore(ctx, address, bytes.NewReader(archive.Bytes()), how); !errors.Is(err, engine.ErrConflict) {
				t.Errorf("restore over a journal: %v", err)
			}
		})
	}
	t.Run("cut off", func(t *testing.T) {
		for _, n := range []int{0, archive.Len() / 2, archive.Len() - 1} {
			address := Files{}.Fresh(t)
			if _, err := store.Restore(ctx, address, io.LimitReader(bytes.NewReader(archive.Bytes()), int64(n)), how); err == nil {
				t.Errorf("restored %d of %d bytes", n, archive.Len())
			}
			path := strings.TrimPrefix(address, "sqlite:")
			if left, err := filepath.Glob(path + "*"); err != nil || len(left) > 0 {
				t.Errorf("left behind: %v, %v", left, err)
			}
		}
	})
	t.Run("without its end", func(t *testing.T) {
		whole, err := gzip.NewReader(bytes.NewReader(archive.Bytes()))
		if err != nil {
			t.Fatal(err)
		}
		text, err := io.ReadAll(whole)
		if err != nil {
			t.Fatal(err)
		}
		lines := bytes.SplitAfter(text, []byte("\n"))
		for name, left := range map[string][][]byte{
			"last line": lines[:len(lines)-2], "last entry": append(slices.Clone(lines[:len(lines)-3]), lines[len(lines)-2]),
			"first entry": append(slices.Clone(lines[:len(lines)-int(head.Size)-2]), lines[len(lines)-int(head.Size)-1:]...),
			"head":        lines[1:], "nothing after the end": append(slices.Clone(lines), []byte("{}\n")),
		} {
			var b bytes.Buffer
			zip := gzip.NewWriter(&b)
			if _, err := zip.Write(bytes.Join(left, nil)); err != nil {
				t.Fatal(err)
			}
			if err := zip.Close(); err != nil {
				t.Fatal(err)
			}
			if _, err := store.Restore(ctx, Files{}.Fresh(t), &b, how); err == nil {
				t.Errorf("%s is missing: restored", name)
			}
		}
	})
	t.Run("another key", func(t *testing.T) {
		address := d.Fresh(t)
		report, err := store.Restore(ctx, address, bytes.NewReader(archive.Bytes()), store.Verification{Keys: []ledger.PublicKey{Key(t).Public()}})
		if !errors.Is(err, store.ErrUnsound) {
			t.Errorf("%+v, %v", report, err)
		}
		// Nothing was restored, so the place is free.
		if _, err := store.Restore(ctx, address, bytes.NewReader(archive.Bytes()), how); err != nil {
			t.Error(err)
		}
	})
}

// everything is what can be asked of the first entries of a journal that build made.
func everything(t *testing.T, s *store.Store, size int64) string {
	t.Helper()
	ctx := t.Context()
	var b strings.Builder
	for after := ""; ; {
		page, err := s.List(ctx, engine.DecisionFilter{}, after, 50)
		if err != nil {
			t.Fatal(err)
		}
		for _, one := range page.Decisions {
			if one.Index >= size {
				continue
			}
			record, err := s.Decision(ctx, one.ID)
			if err != nil {
				t.Fatal(err)
			}
			dossier, err := s.Dossier(ctx, record.Dossier)
			if err != nil {
				t.Fatal(err)
			}
			fmt.Fprintf(&b, "%+v %s %s\n", one, record.Bytes, dossier)
		}
		if after = page.Next; after == "" {
			break
		}
	}
	subjects, err := s.Subjects(ctx, engine.SubjectFilter{}, engine.Subject{}, 100_000)
	if err != nil {
		t.Fatal(err)
	}
	deadlines, err := s.Deadlines(ctx, engine.SubjectFilter{}, nil, 100_000)
	if err != nil {
		t.Fatal(err)
	}
	later := func(one engine.DecisionSummary) bool { return one.Index >= size }
	subjects, deadlines = slices.DeleteFunc(subjects, later), slices.DeleteFunc(deadlines, later)
	releases, err := s.Releases(ctx)
	if err != nil {
		t.Fatal(err)
	}
	waivers, err := s.Waivers(ctx)
	if err != nil {
		t.Fatal(err)
	}
	attestations, err := s.Attestations(ctx)
	if err != nil {
		t.Fatal(err)
	}
	rest, err := json.Marshal([]any{subjects, deadlines, releases, waivers, attestations})
	if err != nil {
		t.Fatal(err)
	}
	b.Write(rest)
	n := 0
	for e, err := range s.Events(ctx, store.EventFilter{}) {
		if err != nil {
			t.Fatal(err)
		}
		if n++; n > singleEvents {
			break
		}
		text, err := e.Record()
		if err != nil {
			t.Fatal(err)
		}
		b.Write(text)
	}
	return b.String()
}
