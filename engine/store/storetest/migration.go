package storetest

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"flag"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/pressly/goose/v3"

	"github.com/changevouch/changevouch/engine"
	"github.com/changevouch/changevouch/engine/ledger"
	"github.com/changevouch/changevouch/engine/store"
)

var update = flag.Bool("update-journal", false, "write the journal of the newest schema in testdata again")

// chance is no chance at all, so that the key of stored journals is known.
type chance struct{}

func (chance) Read(p []byte) (int, error) {
	for i := range p {
		p[i] = 42
	}
	return len(p), nil
}

// tables in which a journal of any version may have rows.
var tables = []string{"ledger", "entries", "nodes", "checkpoints", "dossiers", "decisions", "tags", "subjects", "events", "releases", "cursors", "payloads", "deliveries", "tokens", "notices"}

// testMigration brings a journal of every earlier version up to date. What older
// programs wrote is kept in testdata/journal-v<version>.json, one file for both
// databases; it is written once, by the program of that version, and never again.
func testMigration(t *testing.T, d Database) {
	key, err := ledger.NewKey(chance{}, "changevouch/test")
	if err != nil {
		t.Fatal(err)
	}
	_, isServer := d.(*Server)
	dialect, folder := goose.DialectSQLite3, "migrations/sqlite"
	if isServer {
		dialect, folder = goose.DialectPostgres, "migrations/postgres"
	}
	all, err := filepath.Glob(folder + "/*.sql")
	if err != nil || len(all) == 0 {
		t.Fatalf("no migrations: %v", err)
	}
	if *update && !isServer {
		dump(t, d, key, fmt.Sprintf("testdata/journal-v%d.json", len(all)))
	}
	for version := int64(1); version <= int64(len(all)); version++ {
		t.Run(fmt.Sprintf("from version %d", version), func(t *testing.T) {
			address := d.Fresh(t)
			db := raw(t, address)
			old, err := goose.NewProvider(dialect, db, os.DirFS(folder))
			if err != nil {
				t.Fatal(err)
			}
			if _, err := old.UpTo(t.Context(), version); err != nil {
				t.Fatal(err)
			}
			entries := load(t, vandal{t, db}, fmt.Sprintf("testdata/journal-v%d.json", version))
			if err := db.Close(); err != nil {
				t.Fatal(err)
			}
			if version < int64(len(all)) {
				if _, err := store.Open(t.Context(), address, store.Options{}); err == nil {
					t.Error("read with an older schema")
				}
			}
			s := Open(t, address, store.Options{Key: key})
			report, err := s.Verify(t.Context(), store.Verification{Keys: []ledger.PublicKey{key.Public()}})
			if err != nil || !report.Sound() || report.Entries != entries || entries < 10 {
				t.Errorf("%+v, %v", report, err)
			}
			if list := listAll(t, s, engine.DecisionFilter{Persons: []string{"jonas"}}, 10); len(list) != 1 {
				t.Errorf("decisions: %v", list)
			}
			if version >= 2 {
				kept(t, s)
			}
			// Work goes on, with all that the newest schema knows.
			one := Judged(Judge(), 7, 0, 0)
			if err := journal(t, s).Append(t.Context(), one.Dossier, one.Decision); err != nil {
				t.Error(err)
			}
			if added, err := s.AddDelivery(t.Context(), Delivery(9)); err != nil || !added {
				t.Errorf("%v, %v", added, err)
			}
		})
	}
}

// dump writes the journal of the newest schema.
func dump(t *testing.T, d Database, key *ledger.Key, path string) {
	t.Helper()
	ctx := t.Context()
	address := d.Fresh(t)
	at := &clock{Epoch}
	s, err := store.Open(ctx, address, store.Options{Key: key, Clock: at.read})
	if err != nil {
		t.Fatal(err)
	}
	expires := Epoch.Add(time.Hour)
	_, added := s.AddEvents(ctx, []engine.Event{Event(1), Event(4)}, &store.Cursor{Name: "c", Value: []byte("{}")})
	_, released := s.AddRelease(ctx, engine.JudgePolicy{Version: "1.0.0", EffectiveFrom: Epoch, BundleDigest: Judge()[0].BundleDigest, Bundle: Judge()[0].Bundle, Settings: Judge()[0].Settings}, "mia")
	waived := s.AddWaiver(ctx, engine.Waiver{ID: "w1", Controls: []string{"CM-1.1"}, Subject: "acme/repo1#1", ApprovedBy: "ada", ExpiresAt: &expires}, "")
	attested := s.AddAttestation(ctx, engine.Attestation{ID: "a1", Control: "CM-1.2"}, "")
	for _, err := range []error{added, released, waived, attested} {
		if err != nil {
			t.Fatal(err)
		}
	}
	j := journal(t, s)
	for _, one := range []engine.Judgement{Judged(Judge(), 1, 0, 0), Judged(Judge(), 5, 0, 0), Judged(Judge(), 5, 1, 0)} {
		if err := j.Append(ctx, one.Dossier, one.Decision); err != nil {
			t.Fatal(err)
		}
	}
	keep(t, s)
	if _, err := s.Checkpoint(ctx); err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	content := map[string][]map[string]any{}
	for _, table := range tables {
		content[table] = dumpTable(t, vandal{t, raw(t, address)}, table)
	}
	text, err := json.MarshalIndent(content, "", " ")
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, append(text, '\n'), 0o644); err != nil { //nolint:gosec // it is public
		t.Fatal(err)
	}
}

func dumpTable(t *testing.T, v vandal, table string) (list []map[string]any) {
	t.Helper()
	rows, err := v.db.QueryContext(context.Background(), "SELECT * FROM "+table)
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	columns, err := rows.Columns()
	if err != nil {
		t.Fatal(err)
	}
	for rows.Next() {
		values, into := make([]any, len(columns)), make([]any, len(columns))
		for i := range values {
			into[i] = &values[i]
		}
		if err := rows.Scan(into...); err != nil {
			t.Fatal(err)
		}
		row := map[string]any{}
		for i, column := range columns {
			switch value := values[i].(type) {
			case nil:
			case []byte:
				row[column] = map[string]string{"base64": base64.StdEncoding.EncodeToString(value)}
			default:
				row[column] = value
			}
		}
		list = append(list, row)
	}
	if err := rows.Err(); err != nil {
		t.Fatal(err)
	}
	return list
}

// load writes the rows of a file, and returns how many entries there are.
func load(t *testing.T, v vandal, path string) int64 {
	t.Helper()
	f, err := os.Open(path)
	if err != nil {
		t.Fatalf("the journal that the program of this version wrote is missing: %v", err)
	}
	defer f.Close()
	var content map[string][]map[string]any
	dec := json.NewDecoder(f)
	dec.UseNumber()
	if err := dec.Decode(&content); err != nil {
		t.Fatal(err)
	}
	for _, table := range tables {
		for _, row := range content[table] {
			var columns, marks []string
			var args []any
			for _, column := range slices.Sorted(maps.Keys(row)) {
				columns = append(columns, column)
				marks = append(marks, fmt.Sprintf("$%d", len(columns)))
				args = append(args, loaded(t, row[column]))
			}
			v.exec("INSERT INTO "+table+" ("+strings.Join(columns, ", ")+") VALUES ("+strings.Join(marks, ", ")+")", args...)
		}
	}
	return int64(len(content["entries"]))
}

func loaded(t *testing.T, value any) any {
	t.Helper()
	switch value := value.(type) {
	case json.Number:
		n, err := value.Int64()
		if err != nil {
			t.Fatal(err)
		}
		return n
	case map[string]any:
		text, _ := value["base64"].(string)
		raw, err := base64.StdEncoding.DecodeString(text)
		if err != nil {
			t.Fatal(err)
		}
		return raw
	default:
		return value
	}
}
