package storetest

import (
	"context"
	"errors"
	"github.com/changevouch/changevouch/engine"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/changevouch/changevouch/engine/ledger"
	"github.com/changevouch/changevouch/engine/store"
)

// kills is how often a writer is killed: 200 times where nothing but the file
// survives, fewer where a server does, or as VOUCH_TEST_KILLS says.
func kills(t *testing.T, d Database) int {
	t.Helper()
	text := os.Getenv("VOUCH_TEST_KILLS")
	if _, ok := d.(*Server); ok && text == "" {
		return 50
	}
	if text == "" {
		return 200
	}
	n, err := strconv.Atoi(text)
	if err != nil {
		t.Fatalf("VOUCH_TEST_KILLS: %v", err)
	}
	return n
}

// testKill kills a writing process at random moments. Whatever it acknowledged is
// there, nothing is there by halves, and the next process goes on.
func testKill(t *testing.T, d Database) {
	address, path := d.Fresh(t), filepath.Join(t.TempDir(), "key")
	key, err := ledger.OpenKey(path)
	if err != nil {
		t.Fatal(err)
	}
	var acknowledged []string
	next, empty := 0, 0
	for i := range kills(t, d) {
		w := start(t, address, path, next, 1000)
		// In the first commit or one of the next, in uneven steps.
		ids, fault := w.kill(t, i%4, time.Duration(i*7919%4999)*time.Microsecond)
		if fault != "" {
			t.Fatalf("kill %d: the writer failed by itself: %s", i, fault)
		}
		if acknowledged = append(acknowledged, ids...); len(ids) == 0 {
			empty++
		}
		// The decision at which it was killed may be there or not: the next writer
		// begins with it.
		next += len(ids)
	}
	if len(acknowledged) < kills(t, d) || empty == 0 {
		t.Errorf("%d decisions were acknowledged, %d times none: the moments were not random", len(acknowledged), empty)
	}
	s := Open(t, address, store.Options{Key: key})
	for _, id := range acknowledged {
		if _, err := s.Decision(t.Context(), id); err != nil {
			t.Errorf("acknowledged, and lost: %v", err)
		}
	}
	report, err := s.Verify(t.Context(), store.Verification{Keys: []ledger.PublicKey{key.Public()}})
	if err != nil || !report.Sound() {
		t.Errorf("%+v, %v", report, err)
	}
	// At most the last one was recorded and not acknowledged.
	if got := report.Kinds[ledger.KindDecision]; got < int64(len(acknowledged)) || got > int64(len(acknowledged))+1 {
		t.Errorf("%d decisions, %d were acknowledged", got, len(acknowledged))
	}
}

// testTogether lets processes and goroutines write at once: one order, no gap.
func testTogether(t *testing.T, d Database) {
	address, path := d.Fresh(t), filepath.Join(t.TempDir(), "key")
	key, err := ledger.OpenKey(path)
	if err != nil {
		t.Fatal(err)
	}
	const each = 40
	// All begin at once, with the schema and the head of the log still to be made.
	writers := []*writer{start(t, address, path, 0, each), start(t, address, path, 1000, each), start(t, address, path, 1000, each)}
	s := Open(t, address, store.Options{Key: key})
	j := journal(t, s)
	var all sync.WaitGroup
	for i := range 4 {
		all.Go(func() {
			for n := range each / 4 {
				one := Judged(Judge(), 2000+100*i+n, 0, 0)
				if err := j.Append(t.Context(), one.Dossier, one.Decision); err != nil {
					t.Error(err)
				}
			}
		})
	}
	all.Wait()
	for _, w := range writers {
		if ids, fault := w.finish(); fault != "" || len(ids) != each {
			t.Errorf("%d decisions, %s", len(ids), fault)
		}
	}
	report, err := s.Verify(t.Context(), store.Verification{Keys: []ledger.PublicKey{key.Public()}})
	if err != nil || !report.Sound() {
		t.Errorf("%+v, %v", report, err)
	}
	// Two of the writers wrote the same decisions, which are there once.
	if got := report.Kinds[ledger.KindDecision]; got != 3*each {
		t.Errorf("%d decisions, want %d", got, 3*each)
	}
	if report.Entries != 3*each+3 {
		t.Errorf("%d entries: bundle, settings and judge are there more than once", report.Entries)
	}
}

// testLocked keeps the database locked by somebody else.
func testLocked(t *testing.T, d Database) {
	address, key := d.Fresh(t), Key(t)
	s := Open(t, address, store.Options{Key: key, Patience: 200 * time.Millisecond})
	j := journal(t, s)
	db := raw(t, address)
	lock := func() (unlock func()) {
		t.Helper()
		conn, err := db.Conn(context.Background())
		if err != nil {
			t.Fatal(err)
		}
		begin := "BEGIN IMMEDIATE"
		if _, ok := d.(*Server); ok {
			begin = "BEGIN; SELECT * FROM ledger FOR UPDATE"
		}
		if _, err := conn.ExecContext(context.Background(), begin); err != nil {
			t.Fatal(err)
		}
		return func() {
			if _, err := conn.ExecContext(context.Background(), "ROLLBACK"); err != nil {
				t.Error(err)
			}
			if err := conn.Close(); err != nil {
				t.Error(err)
			}
		}
	}
	one := Judged(Judge(), 1, 0, 0)
	unlock := lock()
	err := j.Append(t.Context(), one.Dossier, one.Decision)
	if err == nil || !strings.Contains(err.Error(), "another process keeps the database locked") {
		t.Errorf("locked for longer than we wait: %v", err)
	}
	if list := listAll(t, s, engine.DecisionFilter{}, 10); len(list) != 0 {
		t.Errorf("locked, and yet there is %v", list)
	}
	short, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if err := j.Append(short, one.Dossier, one.Decision); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("locked for longer than the caller waits: %v", err)
	}
	unlock()
	if err := j.Append(t.Context(), one.Dossier, one.Decision); err != nil {
		t.Errorf("after that: %v", err)
	}
	patient := Open(t, address, store.Options{Key: key})
	unlock = lock()
	time.AfterFunc(300*time.Millisecond, unlock)
	two := Judged(Judge(), 2, 0, 0)
	if err := journal(t, patient).Append(t.Context(), two.Dossier, two.Decision); err != nil {
		t.Errorf("locked for a while: %v", err)
	}
}
