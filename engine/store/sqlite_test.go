package store_test

import (
	"bytes"
	"errors"
	"github.com/changevouch/changevouch/engine"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/changevouch/changevouch/engine/ledger"
	"github.com/changevouch/changevouch/engine/store"
	"github.com/changevouch/changevouch/engine/store/storetest"
)

// fill records made-up decisions from a number on until one fails.
func fill(t *testing.T, s *store.Store, from int) (recorded []engine.Judgement, failed engine.Judgement, fault error) {
	t.Helper()
	j, err := s.Journal(t.Context(), storetest.Judge())
	if err != nil {
		t.Fatal(err)
	}
	for n := from; n < from+5000; n++ {
		one := storetest.Judged(storetest.Judge(), n, 0, 0)
		if err := j.Append(t.Context(), one.Dossier, one.Decision); err != nil {
			return recorded, one, err
		}
		recorded = append(recorded, one)
	}
	t.Fatal("nothing ever failed")
	return nil, engine.Judgement{}, nil
}

// intact makes sure that everything acknowledged is there, the rest is not, and
// that work goes on.
func intact(t *testing.T, s *store.Store, key *ledger.Key, recorded []engine.Judgement, failed engine.Judgement) {
	t.Helper()
	for _, one := range recorded {
		if _, err := s.Decision(t.Context(), one.Decision.ID); err != nil {
			t.Errorf("acknowledged, and lost: %v", err)
		}
	}
	if _, err := s.Decision(t.Context(), failed.Decision.ID); !errors.Is(err, engine.ErrNotFound) {
		t.Errorf("refused, and yet there: %v", err)
	}
	j, err := s.Journal(t.Context(), storetest.Judge())
	if err != nil {
		t.Fatal(err)
	}
	if err := j.Append(t.Context(), failed.Dossier, failed.Decision); err != nil {
		t.Errorf("work does not go on: %v", err)
	}
	report, err := s.Verify(t.Context(), store.Verification{Keys: []ledger.PublicKey{key.Public()}})
	if err != nil || !report.Sound() || report.Kinds[ledger.KindDecision] != int64(len(recorded)+1) {
		t.Errorf("%+v, %v", report, err)
	}
}

func TestSQLiteDiskFull(t *testing.T) {
	key := storetest.Key(t)
	s := storetest.Open(t, storetest.Files{}.Fresh(t), store.Options{Key: key})
	if _, err := s.DB().ExecContext(t.Context(), "PRAGMA max_page_count = 120"); err != nil {
		t.Fatal(err)
	}
	recorded, failed, err := fill(t, s, 0)
	if !strings.Contains(err.Error(), "no space left for") || len(recorded) == 0 {
		t.Errorf("after %d: %v", len(recorded), err)
	}
	if _, err := s.DB().ExecContext(t.Context(), "PRAGMA max_page_count = 100000"); err != nil {
		t.Fatal(err)
	}
	intact(t, s, key, recorded, failed)
}

// A disk that refuses to write at some point, as with a quota.
func TestSQLiteDiskFails(t *testing.T) {
	address, path := storetest.Files{}.Fresh(t), filepath.Join(t.TempDir(), "key")
	ids, fault := storetest.Write(t, address, path, storetest.Limit(300_000))
	if !strings.Contains(fault, "the disk failed to read or write") || len(ids) == 0 {
		t.Errorf("after %d: %s", len(ids), fault)
	}
	key, err := ledger.ReadKey(path)
	if err != nil {
		t.Fatal(err)
	}
	var recorded []engine.Judgement
	for n := range ids {
		recorded = append(recorded, storetest.Judged(storetest.Judge(), n, 0, 0))
	}
	intact(t, storetest.Open(t, address, store.Options{Key: key}), key, recorded, storetest.Judged(storetest.Judge(), len(ids), 0, 0))
}

func TestSQLiteReadOnlyFolder(t *testing.T) {
	folder := t.TempDir()
	address, keys := "sqlite:"+filepath.Join(folder, "journal.db"), filepath.Join(t.TempDir(), "key")
	key, err := ledger.OpenKey(keys)
	if err != nil {
		t.Fatal(err)
	}
	s, err := store.Open(t.Context(), address, store.Options{Key: key})
	if err != nil {
		t.Fatal(err)
	}
	j, err := s.Journal(t.Context(), storetest.Judge())
	if err != nil {
		t.Fatal(err)
	}
	one := storetest.Judged(storetest.Judge(), 1000, 0, 0)
	if err := errors.Join(j.Append(t.Context(), one.Dossier, one.Decision), s.Close()); err != nil {
		t.Fatal(err)
	}
	chmod := func(file, dir os.FileMode) {
		t.Helper()
		if err := errors.Join(os.Chmod(filepath.Join(folder, "journal.db"), file), os.Chmod(folder, dir)); err != nil {
			t.Fatal(err)
		}
	}
	t.Cleanup(func() { chmod(0o600, 0o700) })
	chmod(0o444, 0o555)
	ids, fault := storetest.Write(t, address, keys, storetest.Powerless())
	if !strings.Contains(fault, "cannot be written") && !strings.Contains(fault, "in a folder that may be written") || len(ids) != 0 {
		t.Errorf("after %d: %s", len(ids), fault)
	}
	// A folder in which nothing can be made.
	empty := t.TempDir()
	if err := os.Chmod(empty, 0o555); err != nil {
		t.Fatal(err)
	}
	if ids, fault := storetest.Write(t, "sqlite:"+filepath.Join(empty, "journal.db"), keys, storetest.Powerless()); !strings.Contains(fault, "permission denied") || len(ids) != 0 {
		t.Errorf("after %d: %s", len(ids), fault)
	}
	chmod(0o600, 0o700)
	s = storetest.Open(t, address, store.Options{Key: key})
	intact(t, s, key, []engine.Judgement{one}, storetest.Judged(storetest.Judge(), 1001, 0, 0))
}

func TestSQLiteNoDatabase(t *testing.T) {
	path := filepath.Join(t.TempDir(), "journal.db")
	if err := os.WriteFile(path, bytes.Repeat([]byte("no database "), 1000), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := store.Open(t.Context(), "sqlite:"+path, store.Options{Key: storetest.Key(t)}); err == nil || !strings.Contains(err.Error(), "no SQLite database") {
		t.Errorf("%v", err)
	}
	if _, err := store.Open(t.Context(), "sqlite:"+filepath.Join(t.TempDir(), "journal.db"), store.Options{}); err == nil || !strings.Contains(err.Error(), "there is no journal yet") {
		t.Errorf("%v", err)
	}
	for _, address := range []string{"", "sqlite:", "mysql://x", "journal.db"} {
		if _, err := store.Open(t.Context(), address, store.Options{}); err == nil {
			t.Errorf("%q: opened", address)
		}
	}
}

// Names that mean something in the address of a file.
func TestSQLitePath(t *testing.T) {
	for _, name := range []string{"a b.db", "50%.db", "what?.db", "#1.db", "ümläut.db", "a&b=c.db"} {
		path := filepath.Join(t.TempDir(), "new", name)
		storetest.Open(t, "sqlite:"+path, store.Options{})
		info, err := os.Stat(path)
		if err != nil || info.Mode().Perm() != 0o600 {
			t.Errorf("%s: %v, %v", name, info, err)
		}
	}
}
