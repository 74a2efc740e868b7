package cli_test

import (
	"database/sql"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/changevouch/changevouch/engine"
	"github.com/changevouch/changevouch/engine/ledger"
	"github.com/changevouch/changevouch/engine/store"
	"github.com/changevouch/changevouch/engine/store/storetest"
)

// ends runs vouch, which must end with a code and say something.
func ends(t *testing.T, code int, want string, args ...string) string {
	t.Helper()
	got, shown, said := vouch(t, args...)
	if got != code || !strings.Contains(shown+said, want) {
		t.Errorf("vouch %s: exit code %d, want %d and %q:\n%s%s", strings.Join(args, " "), got, code, want, shown, said)
	}
	return shown
}

// aged makes a journal to which things were added at two moments long ago and one
// just now.
func aged(t *testing.T, address string) {
	t.Helper()
	key, err := ledger.OpenKey(strings.TrimPrefix(address, "sqlite:") + ".key")
	if err != nil {
		t.Fatal(err)
	}
	now := time.Date(2015, 3, 1, 0, 0, 0, 0, time.UTC)
	s, err := store.Open(t.Context(), address, store.Options{Key: key, Clock: func() time.Time { now = now.Add(time.Second); return now }})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	j, err := s.Journal(t.Context(), storetest.Judge())
	if err != nil {
		t.Fatal(err)
	}
	for n, at := range []time.Time{now, now.AddDate(1, 0, 0), time.Now()} {
		now = at
		one := storetest.Judged(storetest.Judge(), n, 0, 0)
		_, added := s.AddEvents(t.Context(), []engine.Event{storetest.Event(n)}, nil)
		_, delivered := s.AddDelivery(t.Context(), storetest.Delivery(n))
		err := errors.Join(added, delivered, j.Append(t.Context(), one.Dossier, one.Decision), s.FinishDelivery(t.Context(), "github", storetest.Delivery(n).ID, ""))
		if err != nil {
			t.Fatal(err)
		}
	}
}

// TestRetentionApply removes what is older than the setting says, and no more.
func TestRetentionApply(t *testing.T) {
	address := "sqlite:" + filepath.Join(t.TempDir(), "journal.db")
	aged(t, address)
	settings := filepath.Join(t.TempDir(), "settings.yaml")
	if err := os.WriteFile(settings, []byte("retention_days: 1095\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	apply := []string{"retention", "apply", "--store", address, "--settings", settings}
	ends(t, 0, "1 events, 1 decisions and 1 dossiers recorded before 2016-01-01T00:00:00Z would be removed", append(apply, "--dry-run", "--before", "2016-01-01T00:00:00Z")...)
	ends(t, 1, "records are kept for 26280h0m0s, so nothing recorded after", append(apply, "--before", "24h")...)
	ends(t, 0, "2 events, 2 decisions and 2 dossiers recorded before", append(apply, "--dry-run")...)
	ends(t, 0, "2 webhook deliveries processed before then would be removed", append(apply, "--dry-run")...)
	ends(t, 0, "3 decision", "ledger", "verify", "--store", address)
	shown := ends(t, 0, `"dry_run": false`, append(apply, "-o", "json")...)
	var removal struct {
		Events, Decisions, Deliveries, Index int64
	}
	if err := json.Unmarshal([]byte(shown), &removal); err != nil || removal.Events != 2 || removal.Decisions != 2 || removal.Deliveries != 2 || removal.Index < 0 {
		t.Errorf("%+v, %v", removal, err)
	}
	ends(t, 0, "0 events, 0 decisions and 0 dossiers recorded before", apply...)
	ends(t, 0, "4 without body by retention", "ledger", "verify", "--store", address)
	if lines := strings.Count(ends(t, 0, "", "decisions", "list", "--store", address, "-o", "csv"), "\n"); lines != 2 {
		t.Errorf("%d lines are listed, not a heading and the youngest decision", lines)
	}
	ends(t, 1, "removed by retention", "ledger", "prove", "4", "--store", address)
}

// meddle changes a SQLite journal directly.
func meddle(t *testing.T, address string, queries ...string) {
	t.Helper()
	db, err := sql.Open("sqlite", strings.TrimPrefix(address, "sqlite:"))
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	for _, query := range queries {
		if _, err := db.ExecContext(t.Context(), query); err != nil {
			t.Fatalf("%s: %v", query, err)
		}
	}
}

// TestSchemas opens journals of other programs: a newer one is refused, an older one
// is brought up to date by whatever writes.
func TestSchemas(t *testing.T) {
	address := "sqlite:" + filepath.Join(t.TempDir(), "journal.db")
	aged(t, address)
	meddle(t, address, "INSERT INTO goose_db_version (version_id, is_applied) VALUES (99999, 1)")
	const newer = "the database was written by a newer program: its schema is version 99999"
	ends(t, 1, newer, "decisions", "list", "--store", address)
	ends(t, 1, newer, "ledger", "checkpoint", "--store", address)
	ends(t, 1, newer, "retention", "apply", "--store", address)
	meddle(t, address, "DELETE FROM goose_db_version WHERE version_id > 1", "DROP INDEX entries_actions",
		"DROP INDEX subjects_time", "ALTER TABLE subjects DROP COLUMN evaluated_at", "DROP TABLE deliveries", "DROP TABLE payloads", "DROP TABLE tokens", "DROP TABLE notices")
	ends(t, 1, "vouch ledger checkpoint, given the key, does that", "decisions", "list", "--store", address)
	ends(t, 0, "", "ledger", "checkpoint", "--store", address)
	ends(t, 0, "OUTCOME", "decisions", "list", "--store", address)
}

// TestRestoreFails leaves nothing behind, so that it can be tried again.
func TestRestoreFails(t *testing.T) {
	from, to := "sqlite:"+filepath.Join(t.TempDir(), "journal.db"), filepath.Join(t.TempDir(), "new", "journal.db")
	aged(t, from)
	backup, key := filepath.Join(t.TempDir(), "backup.gz"), strings.TrimPrefix(from, "sqlite:")+".key"
	ends(t, 0, "verified", "backup", backup, "--store", from)
	whole, err := os.ReadFile(backup)
	if err != nil {
		t.Fatal(err)
	}
	cut := filepath.Join(t.TempDir(), "cut.gz")
	if err := os.WriteFile(cut, whole[:len(whole)/2], 0o600); err != nil {
		t.Fatal(err)
	}
	other, err := ledger.OpenKey(filepath.Join(t.TempDir(), "other.key"))
	if err != nil {
		t.Fatal(err)
	}
	public := filepath.Join(t.TempDir(), "other.pub")
	if err := os.WriteFile(public, []byte(other.Public().String()+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	ends(t, 1, "cut off or damaged", "restore", cut, "--store", "sqlite:"+to, "--key", key)
	ends(t, 2, "nothing was restored", "restore", backup, "--store", "sqlite:"+to, "--public-key", public)
	if left, err := filepath.Glob(to + "*"); err != nil || len(left) > 0 {
		t.Errorf("left behind: %v, %v", left, err)
	}
	ends(t, 0, "restored and verified", "restore", backup, "--store", "sqlite:"+to, "--key", key)
	ends(t, 1, "there is a journal already", "restore", backup, "--store", "sqlite:"+to, "--key", key)
	ends(t, 0, "sound", "ledger", "verify", "--store", "sqlite:"+to, "--key", key)
}

// TestPostgres decides, lists and verifies in the other database.
func TestPostgres(t *testing.T) {
	server, err := storetest.StartServer()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := server.Close(); err != nil {
			t.Error(err)
		}
	})
	key := filepath.Join(t.TempDir(), "journal.key")
	journal := []string{"--store", server.Fresh(t), "--key", key}
	decide := append([]string{"decide", "--sample", "--bundle", "../../testdata/deadline"}, journal...)
	ends(t, 3, "53 decided, 0 unchanged", decide...)
	ends(t, 3, "0 decided, 53 unchanged", decide...)
	if lines := strings.Count(ends(t, 0, "", append([]string{"decisions", "list", "--limit", "100", "-o", "csv"}, journal[:2]...)...), "\n"); lines != 54 {
		t.Errorf("%d lines are listed", lines)
	}
	ends(t, 0, "came out byte for byte, 0 differ", append([]string{"decisions", "replay", "--all"}, journal[:2]...)...)
	ends(t, 0, "sound", append([]string{"ledger", "verify"}, journal...)...)
	backup := filepath.Join(t.TempDir(), "backup.gz")
	ends(t, 0, "verified", append([]string{"backup", backup}, journal...)...)
	restored := "sqlite:" + filepath.Join(t.TempDir(), "journal.db")
	ends(t, 0, "restored and verified", "restore", backup, "--store", restored, "--key", key)
	ends(t, 0, "acme/survey#435", "subjects", "--store", restored)
}
