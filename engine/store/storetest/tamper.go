package storetest

import (
	"bytes"
	"compress/flate"
	"context"
	"database/sql"
	"fmt"
	"io"
	"strings"
	"testing"
	"time"

	_ "modernc.org/sqlite" // the driver sqlite

	"github.com/changevouch/changevouch/engine"
	"github.com/changevouch/changevouch/engine/ledger"
	"github.com/changevouch/changevouch/engine/store"
)

// raw opens a database as somebody does who goes around the store.
func raw(t testing.TB, address string) *sql.DB {
	t.Helper()
	driver, source := "pgx", address
	if path, ok := strings.CutPrefix(address, "sqlite:"); ok {
		driver, source = "sqlite", "file:"+path+"?_pragma=busy_timeout(5000)"
	}
	db, err := sql.Open(driver, source)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := db.Close(); err != nil {
			t.Error(err)
		}
	})
	return db
}

// vandal edits a database directly.
type vandal struct {
	t  *testing.T
	db *sql.DB
}

func (v vandal) exec(query string, args ...any) {
	v.t.Helper()
	result, err := v.db.ExecContext(context.Background(), query, args...)
	if err != nil {
		v.t.Fatalf("%s: %v", query, err)
	}
	if n, err := result.RowsAffected(); err != nil || n == 0 {
		v.t.Fatalf("%s: changed %d rows, %v", query, n, err)
	}
}

func (v vandal) row(query string, args []any, into ...any) {
	v.t.Helper()
	if err := v.db.QueryRowContext(context.Background(), query, args...).Scan(into...); err != nil {
		v.t.Fatalf("%s: %v", query, err)
	}
}

// rewrite changes the body of an entry, and with rehash its hash with it.
func (v vandal) rewrite(index int64, from, to string, rehash bool) {
	v.t.Helper()
	var e ledger.Entry
	var packed []byte
	var at int64
	var supersedes, judge sql.NullString
	v.row("SELECT kind, ref, recorded_at, supersedes, judge, body FROM entries WHERE idx = $1", []any{index}, &e.Kind, &e.Ref, &at, &supersedes, &judge, &packed)
	body, err := io.ReadAll(flate.NewReader(bytes.NewReader(packed)))
	if err != nil {
		v.t.Fatal(err)
	}
	e.Body = bytes.Replace(body, []byte(from), []byte(to), 1)
	if bytes.Equal(e.Body, body) {
		v.t.Fatalf("entry %d has no %q", index, from)
	}
	v.exec("UPDATE entries SET body = $1 WHERE idx = $2", pack(v.t, e.Body), index)
	if !rehash {
		return
	}
	e.RecordedAt, e.Supersedes, e.Judge = time.UnixMicro(at).UTC(), supersedes.String, judge.String
	leaf, err := e.Leaf()
	if err != nil {
		v.t.Fatal(err)
	}
	hash := ledger.LeafHash(leaf)
	v.exec("UPDATE entries SET hash = $1 WHERE idx = $2", hash[:], index)
}

func pack(t *testing.T, body []byte) []byte {
	t.Helper()
	var b bytes.Buffer
	w, err := flate.NewWriter(&b, flate.BestSpeed)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := w.Write(body); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// sound is the journal that the vandals meet.
type sound struct {
	address string
	key     *ledger.Key
	earlier []byte // a checkpoint that was kept elsewhere
	victim  engine.DecisionSummary
}

// What is in that journal: bundle, settings, judge, release, waiver, attestation,
// then these.
const (
	firstEvents    = 6   // the number of the entry
	firstDecisions = 12  // how many, from entry 7 on
	singleEvents   = 244 // entries of one event, so that nodes of the tree are stored
	lastDecisions  = 8   // how many, each of which supersedes another
	victim         = 9   // the decision that is wronged most
	size           = 7 + firstDecisions + singleEvents + lastDecisions
)

func build(t *testing.T, address string, key *ledger.Key) sound {
	t.Helper()
	ctx := t.Context()
	now := Epoch
	s, err := store.Open(ctx, address, store.Options{Key: key, Clock: func() time.Time { now = now.Add(time.Second); return now }})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	check := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	j := journal(t, s)
	_, err = s.AddRelease(ctx, engine.JudgePolicy{Version: "1.0.0", EffectiveFrom: Epoch, BundleDigest: Judge()[0].BundleDigest, Bundle: Judge()[0].Bundle, Settings: Judge()[0].Settings}, "mia")
	check(err)
	expires := Epoch.Add(time.Hour)
	check(s.AddWaiver(ctx, engine.Waiver{ID: "w1", Controls: []string{"CM-1.1"}, Subject: "acme/repo1#1", ApprovedBy: "ada", ExpiresAt: &expires}, ""))
	check(s.AddAttestation(ctx, engine.Attestation{ID: "a1", Control: "CM-1.2", Subject: "acme/repo2#2"}, ""))
	_, err = s.AddEvents(ctx, []engine.Event{Event(0), Event(1), Event(2), Event(3)}, nil)
	check(err)
	var batch []engine.Judgement
	for n := range firstDecisions {
		batch = append(batch, Judged(Judge(), n, 0, 0))
	}
	check(j.AppendAll(ctx, batch[:victim]))
	check(j.AppendAll(ctx, batch[victim:]))
	for n := range singleEvents {
		_, err = s.AddEvents(ctx, []engine.Event{Event(10 + n)}, nil)
		check(err)
	}
	out := sound{address: address, key: key}
	_, out.earlier, err = s.Head(ctx)
	check(err)
	for n := range lastDecisions {
		one := Judged(Judge(), n, 1, 0) // supersedes the first on its subject
		check(j.Append(ctx, one.Dossier, one.Decision))
	}
	record, err := s.Decision(ctx, batch[victim].Decision.ID)
	check(err)
	out.victim = record.DecisionSummary
	head, _, err := s.Head(ctx)
	check(err)
	if head.Size != size {
		t.Fatalf("the journal has %d entries, not %d", head.Size, size)
	}
	return out
}

// verify verifies with the key and checkpoints of the journal's owner.
func (j sound) verify(t *testing.T, address string, earlier ...[]byte) store.Report {
	t.Helper()
	s, err := store.Open(t.Context(), address, store.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	report, err := s.Verify(t.Context(), store.Verification{Keys: []ledger.PublicKey{j.key.Public()}, Earlier: earlier})
	if err != nil {
		t.Fatal(err)
	}
	return report
}

// tampering is one way of changing what was recorded, and what must be said of it.
type tampering struct {
	name    string
	do      func(v vandal, j sound)
	table   string
	id      string
	index   int64
	message string
}

// ofVictim stands for the number of the victim's entry.
const ofVictim = -2

func tamperings() []tampering {
	event := func(n int) string { return fmt.Sprintf("github:review:%d", n) }
	rowOf := func(table, key string) string { return "UPDATE " + table + " SET %s WHERE " + key + " = $1" }
	decision := rowOf("decisions", "id")
	return []tampering{
		{"row changed: outcome of a decision", func(v vandal, j sound) {
			v.exec(fmt.Sprintf(decision, "outcome = 'out_of_scope'"), j.victim.ID)
		}, "decisions", "dec_", ofVictim, "column outcome was changed"},
		{"row changed: time of a decision", func(v vandal, j sound) {
			v.exec(fmt.Sprintf(decision, "evaluated_at = evaluated_at - 1"), j.victim.ID)
		}, "decisions", "dec_", ofVictim, "column evaluated_at was changed"},
		{"row changed: deadline of a decision", func(v vandal, j sound) {
			v.exec(fmt.Sprintf(decision, "next_evaluation_at = 1"), j.victim.ID)
		}, "decisions", "dec_", ofVictim, "column next_evaluation_at was changed"},
		{"row changed: content digest of a decision", func(v vandal, j sound) {
			v.exec("UPDATE decisions SET content = dossier WHERE id = $1", j.victim.ID)
		}, "decisions", "dec_", ofVictim, "column content was changed"},
		{"row changed: content of an entry", func(v vandal, j sound) {
			v.rewrite(j.victim.Index, `"severity":"medium"`, `"severity":"low"`, false)
		}, "entries", "decision dec_", ofVictim, "its content is not what its hash says"},
		{"row changed: bytes of an entry", func(v vandal, j sound) {
			v.exec("UPDATE entries SET body = $1 WHERE idx = $2", []byte("nothing"), j.victim.Index)
		}, "entries", "decision dec_", ofVictim, "its body was changed"},
		{"row changed: content and hash of an entry", func(v vandal, j sound) {
			v.rewrite(j.victim.Index, `"severity":"medium"`, `"severity":"low"`, true)
		}, "nodes", "level 1, number 0", 0, "one of the entries 0 to 255 was replaced"},
		{"row changed: content and hash of a young entry", func(v vandal, j sound) {
			v.rewrite(size-2, `"severity":"medium"`, `"severity":"low"`, true)
		}, "entries", "", size - 3, "of the entries 268 to 269 at least one was replaced"},
		{"row changed: when an entry was recorded", func(v vandal, j sound) {
			v.exec("UPDATE entries SET recorded_at = recorded_at - 1 WHERE idx = $1", j.victim.Index)
		}, "entries", "decision dec_", ofVictim, "its content is not what its hash says"},
		{"row changed: what a decision supersedes", func(v vandal, j sound) {
			v.exec("UPDATE entries SET supersedes = NULL WHERE idx = $1", size-1)
		}, "entries", "decision dec_", size - 1, "its content is not what its hash says"},
		{"row changed: settings", func(v vandal, j sound) {
			v.rewrite(1, `"min_approvals":1`, `"min_approvals":0`, false)
		}, "entries", "settings sha256:", 1, "its content is not what its hash says"},
		{"row changed: bundle", func(v vandal, j sound) {
			v.rewrite(0, "bundle", "bungle", false)
		}, "entries", "bundle sha256:", 0, "its content is not what its hash says"},
		{"row changed: waiver", func(v vandal, j sound) {
			v.rewrite(4, `"ada"`, `"eve"`, false)
		}, "entries", "waiver w1", 4, "its content is not what its hash says"},
		{"row changed: attestation", func(v vandal, j sound) {
			v.rewrite(5, "CM-1.2", "CM-1.3", false)
		}, "entries", "attestation a1", 5, "its content is not what its hash says"},
		{"row changed: dossier", func(v vandal, j sound) {
			v.exec("UPDATE dossiers SET body = $1 WHERE digest = (SELECT dossier FROM decisions WHERE id = $2)", pack(v.t, []byte("{}")), j.victim.ID)
		}, "dossiers", "sha256:", ofVictim, "was changed: its digest is"},
		{"row changed: event", func(v vandal, j sound) {
			v.exec("UPDATE events SET occurred_at = 0 WHERE id = $1", event(2))
		}, "events", event(2), 6, "the row was changed"},
		{"row changed: an event points into another", func(v vandal, j sound) {
			v.exec("UPDATE events SET start = start + 1 WHERE id = $1", event(3))
		}, "events", event(3), 6, "the row was changed"},
		{"row changed: release", func(v vandal, j sound) {
			v.exec("UPDATE releases SET effective_from = 0")
		}, "releases", "1.0.0", 3, "the row was changed"},
		{"row changed: what a decision is found by", func(v vandal, j sound) {
			v.exec("UPDATE tags SET tag = tag + 1 WHERE leaf = $1", j.victim.Index)
		}, "tags", "dec_", ofVictim, "tags by which lists find the decision were changed"},
		{"row changed: latest decision on a subject", func(v vandal, j sound) {
			v.exec("UPDATE subjects SET leaf = (SELECT min(leaf) FROM decisions WHERE subject_id = $1) WHERE id = $1", "acme/repo1#1")
		}, "subjects", "change acme/repo1#1", 8, "does not name the latest decision"},
		{"row changed: outcome of a subject", func(v vandal, j sound) {
			v.exec("UPDATE subjects SET outcome = 'x' WHERE id = $1", j.victim.Subject.ID)
		}, "subjects", "change acme/repo", ofVictim, "does not name the latest decision"},
		{"row changed: time of a subject", func(v vandal, j sound) {
			v.exec("UPDATE subjects SET evaluated_at = evaluated_at + 1 WHERE id = $1", j.victim.Subject.ID)
		}, "subjects", "change acme/repo", ofVictim, "does not name the latest decision"},
		{"row changed: node", func(v vandal, j sound) {
			v.exec("UPDATE nodes SET hash = $1 WHERE level = 1", make([]byte, 32))
		}, "nodes", "level 1, number 0", 0, "or the node was changed"},
		{"row changed: right edge", func(v vandal, j sound) {
			v.exec("UPDATE ledger SET edge = (SELECT hash FROM entries WHERE idx = 0)")
		}, "ledger", "changevouch/", -1, "the head of the log was changed"},
		{"row changed: a hash of the right edge", func(v vandal, j sound) {
			var edge []byte
			v.row("SELECT edge FROM ledger", nil, &edge)
			edge[40] ^= 1
			v.exec("UPDATE ledger SET edge = $1", edge)
		}, "ledger", "changevouch/", -1, "the right edge of the tree was changed"},
		{"row changed: head", func(v vandal, j sound) {
			v.exec("UPDATE ledger SET checkpoint = $1", bytes.Replace(j.head(v), []byte("\n271\n"), []byte("\n272\n"), 1))
		}, "ledger", "changevouch/", -1, "the head of the log was changed"},
		{"row changed: key of the head", func(v vandal, j sound) {
			v.exec("UPDATE ledger SET public_key = $1", Key(v.t).Public().String())
		}, "ledger", "changevouch/", -1, "which is not among those that are trusted"},
		{"row changed: time of the head", func(v vandal, j sound) {
			v.exec("UPDATE ledger SET recorded_at = recorded_at + 1")
		}, "ledger", "changevouch/", -1, "column recorded_at was changed"},
		{"row changed: size of a checkpoint given away", func(v vandal, j sound) {
			v.exec("INSERT INTO checkpoints (size, note, recorded_at) VALUES (9, $1, 0)", j.earlier)
		}, "checkpoints", "checkpoint of 9", -1, "column size was changed"},
		{"row changed: a checkpoint given away", func(v vandal, j sound) {
			v.exec("INSERT INTO checkpoints (size, note, recorded_at) VALUES (9, $1, 0)", []byte("nine\n"))
		}, "checkpoints", "checkpoint of 9", -1, "no signed note"},

		{"row deleted: decision", func(v vandal, j sound) {
			v.exec("DELETE FROM decisions WHERE id = $1", j.victim.ID)
		}, "decisions", "dec_", ofVictim, "the row was deleted"},
		{"row deleted: entry", func(v vandal, j sound) {
			v.exec("DELETE FROM entries WHERE idx = $1", j.victim.Index)
		}, "entries", "", ofVictim, "the entry was deleted"},
		{"row deleted: all of a decision", func(v vandal, j sound) {
			for _, table := range []string{"tags", "decisions"} {
				v.exec("DELETE FROM "+table+" WHERE leaf = $1", j.victim.Index)
			}
			v.exec("DELETE FROM subjects WHERE leaf = $1", j.victim.Index)
			v.exec("DELETE FROM entries WHERE idx = $1", j.victim.Index)
		}, "entries", "", ofVictim, "the entry was deleted"},
		{"row deleted: all of a decision, and the log closed behind it", func(v vandal, j sound) {
			v.exec("DELETE FROM entries WHERE idx = $1", j.victim.Index)
			for i := j.victim.Index + 1; i < int64(size); i++ {
				v.exec("UPDATE entries SET idx = $1 WHERE idx = $2", i-1, i)
			}
		}, "entries", "", size - 1, "the entry was deleted"},
		{"row deleted: body, as if by retention", func(v vandal, j sound) {
			v.exec("UPDATE entries SET body = NULL WHERE idx = $1", j.victim.Index)
		}, "entries", "decision dec_", ofVictim, "no retention says so"},
		{"row deleted: body, by a retention that never was", func(v vandal, j sound) {
			v.exec("UPDATE entries SET body = NULL, pruned_by = $1 WHERE idx = $2", size-1, j.victim.Index)
		}, "entries", "decision dec_", ofVictim, "does not say so"},
		{"row deleted: dossier", func(v vandal, j sound) {
			v.exec("DELETE FROM dossiers WHERE digest = (SELECT dossier FROM decisions WHERE id = $1)", j.victim.ID)
		}, "dossiers", "sha256:", ofVictim, "was deleted"},
		{"row deleted: event", func(v vandal, j sound) {
			v.exec("DELETE FROM events WHERE id = $1", event(1))
		}, "events", event(1), 6, "the row was deleted"},
		{"row deleted: release", func(v vandal, j sound) {
			v.exec("DELETE FROM releases")
		}, "releases", "1.0.0", 3, "the row was deleted"},
		{"row deleted: what a decision is found by", func(v vandal, j sound) {
			v.exec("DELETE FROM tags WHERE leaf = $1", j.victim.Index)
		}, "tags", "dec_", ofVictim, "tags by which lists find the decision were changed"},
		{"row deleted: subject", func(v vandal, j sound) {
			v.exec("DELETE FROM subjects WHERE id = $1", j.victim.Subject.ID)
		}, "subjects", "change acme/repo", ofVictim, "the row was deleted"},
		{"row deleted: node", func(v vandal, j sound) {
			v.exec("DELETE FROM nodes")
		}, "nodes", "level 1, number 0", 0, "or the node was changed"},

		{"row inserted: decision without entry", func(v vandal, j sound) {
			v.exec("INSERT INTO decisions SELECT $1, 'dec_eve', subject_type, 'acme/eve#1', outcome, class, risk, evaluated_at, recorded_at, next_evaluation_at, dossier, content FROM decisions WHERE id = $2", size+4, j.victim.ID)
		}, "decisions", "dec_eve", size + 4, "the row was inserted"},
		{"row inserted: decision over another entry", func(v vandal, j sound) {
			v.exec("INSERT INTO decisions SELECT 6, 'dec_eve', subject_type, 'acme/eve#1', outcome, class, risk, evaluated_at, recorded_at, next_evaluation_at, dossier, content FROM decisions WHERE id = $1", j.victim.ID)
		}, "decisions", "dec_eve", 6, "that entry is no decision"},
		{"row inserted: entry behind the log", func(v vandal, j sound) {
			v.exec("INSERT INTO entries SELECT $1, kind, 'dec_eve', recorded_at, supersedes, judge, hash, body, pruned_by FROM entries WHERE idx = $2", int64(size), j.victim.Index)
		}, "entries", "decision dec_eve", size, "the row was inserted"},
		{"row inserted: entry behind the log, head moved along", func(v vandal, j sound) {
			v.exec("INSERT INTO entries SELECT $1, kind, ref, recorded_at, supersedes, judge, hash, body, pruned_by FROM entries WHERE idx = $2", int64(size), size-1)
			v.moveHead(int64(size) + 1)
		}, "ledger", "changevouch/", -1, "the head says 272 entries"},
		{"row inserted: dossier", func(v vandal, j sound) {
			v.exec("INSERT INTO dossiers (digest, body) VALUES ($1, $2)", make([]byte, 32), pack(v.t, []byte("{}")))
		}, "dossiers", "sha256:0000", -1, "no decision is on this dossier"},
		{"row inserted: event", func(v vandal, j sound) {
			v.exec("INSERT INTO events SELECT 'eve', leaf, start + 1, length, source, type, subject_type, subject_id, occurred_at, payload FROM events WHERE id = $1", event(1))
		}, "events", "eve", 6, "the entry has no such event"},
		{"row inserted: event over another entry", func(v vandal, j sound) {
			v.exec("INSERT INTO events SELECT 'eve', $2, start, length, source, type, subject_type, subject_id, occurred_at, payload FROM events WHERE id = $1", event(1), j.victim.Index)
		}, "events", "eve", ofVictim, "that entry holds no events"},
		{"row inserted: release", func(v vandal, j sound) {
			v.exec("INSERT INTO releases (version, effective_from, leaf) VALUES ('0.9.0', 1, 2)")
		}, "releases", "0.9.0", 2, "that entry is no release"},
		{"row inserted: what a decision is found by", func(v vandal, j sound) {
			v.exec("INSERT INTO tags (tag, evaluated_at, leaf) VALUES (1, 1, $1)", j.victim.Index)
		}, "tags", "dec_", ofVictim, "tags by which lists find the decision were changed"},
		{"row inserted: tags of nothing", func(v vandal, j sound) {
			v.exec("INSERT INTO tags (tag, evaluated_at, leaf) VALUES (1, 1, -7)")
		}, "tags", "", -7, "for a decision that is not there"},
		{"row inserted: subject", func(v vandal, j sound) {
			v.exec("INSERT INTO subjects (type, id, leaf, outcome) VALUES ('change', 'eve', $1, 'compliant')", j.victim.Index)
		}, "subjects", "change eve", ofVictim, "does not name the latest decision"},
		{"row inserted: node", func(v vandal, j sound) {
			v.exec("INSERT INTO nodes (level, idx, hash) VALUES (2, 0, $1)", make([]byte, 32))
		}, "nodes", "", -1, "there are 2 nodes, and there should be 1"},

		{"reordered: two entries", func(v vandal, j sound) {
			v.swap(j.victim.Index, j.victim.Index+1)
		}, "nodes", "level 1, number 0", 0, "one of the entries 0 to 255 was replaced"},
		{"reordered: two young entries", func(v vandal, j sound) {
			v.swap(size-3, size-2)
		}, "entries", "", size - 3, "of the entries 268 to 269 at least one was replaced"},
		{"reordered: two decisions, with everything that belongs to them", func(v vandal, j sound) {
			a, b := int64(size-3), int64(size-2)
			v.swap(a, b)
			for _, table := range []string{"decisions", "tags", "subjects"} {
				v.exec("UPDATE "+table+" SET leaf = -1 - leaf WHERE leaf = $1 OR leaf = $2", a, b)
				v.exec("UPDATE "+table+" SET leaf = $1 WHERE leaf = $2", b, -1-a)
				v.exec("UPDATE "+table+" SET leaf = $1 WHERE leaf = $2", a, -1-b)
			}
		}, "ledger", "changevouch/", -1, "do not lead to the root that was signed"},
	}
}

// head is the signed head as it stands.
func (j sound) head(v vandal) (note []byte) {
	v.row("SELECT checkpoint FROM ledger", nil, &note)
	return note
}

// moveHead makes the head fit the entries, but for the signature.
func (v vandal) moveHead(size int64) {
	v.t.Helper()
	var tree ledger.Tree
	for i := range size {
		var hash []byte
		v.row("SELECT hash FROM entries WHERE idx = $1", []any{i}, &hash)
		tree.Append(ledger.Hash(hash))
	}
	v.exec("UPDATE ledger SET size = $1, edge = $2", size, tree.Edge())
}

// swap exchanges two entries.
func (v vandal) swap(a, b int64) {
	v.t.Helper()
	v.exec("UPDATE entries SET idx = -1 WHERE idx = $1", a)
	v.exec("UPDATE entries SET idx = $1 WHERE idx = $2", a, b)
	v.exec("UPDATE entries SET idx = $1 WHERE idx = -1", b)
}

func testTampering(t *testing.T, d Database, j sound) {
	again := copies(t, d, j.address)
	if report := j.verify(t, j.address, j.earlier); !report.Sound() || report.Entries != int64(size) {
		t.Fatalf("a journal that nobody touched: %+v", report)
	}
	for _, tampering := range tamperings() {
		t.Run(tampering.name, func(t *testing.T) {
			address := again(t)
			db := raw(t, address)
			tampering.do(vandal{t, db}, j)
			if err := db.Close(); err != nil {
				t.Fatal(err)
			}
			want := tampering.index
			if want == ofVictim {
				want = j.victim.Index
			}
			expect(t, j.verify(t, address, j.earlier), tampering.table, tampering.id, want, tampering.message)
		})
	}
	t.Run("tail cut", func(t *testing.T) { testTailCut(t, d, j) })
	t.Run("rewritten with another key", func(t *testing.T) {
		// Somebody who owns the machine makes a journal of his own in its place.
		address := d.Fresh(t)
		his := Open(t, address, store.Options{Key: Key(t)})
		one := Judged(Judge(), 1, 0, 0)
		if err := journal(t, his).Append(t.Context(), one.Dossier, one.Decision); err != nil {
			t.Fatal(err)
		}
		expect(t, j.verify(t, address), "ledger", "changevouch/", -1, "not signed by a trusted key")
		expect(t, j.verify(t, address, j.earlier), "ledger", "changevouch/", -1, "not signed by a trusted key")
	})
	t.Run("rewritten with the right key", func(t *testing.T) {
		// Who has the key too can sign anything, but not undo what was given away.
		address := d.Fresh(t)
		s := Open(t, address, store.Options{Key: j.key})
		for n := range size {
			if _, err := s.AddEvents(t.Context(), []engine.Event{Event(n)}, nil); err != nil {
				t.Fatal(err)
			}
		}
		if report := j.verify(t, address); !report.Sound() {
			t.Fatalf("without an earlier checkpoint: %+v", report)
		}
		expect(t, j.verify(t, address, j.earlier), "ledger", "checkpoint 1", -1, "the log was rewritten")
	})
}

// copies returns what makes a copy of a journal, one after another. Making a
// database of PostgreSQL takes long, so there the same one is filled again.
func copies(t *testing.T, d Database, address string) func(*testing.T) string {
	t.Helper()
	if _, ok := d.(*Server); !ok {
		return func(t *testing.T) string { return d.Copy(t, address) }
	}
	scratch := d.Copy(t, address)
	v := vandal{t, raw(t, scratch)}
	run := func(query string) {
		t.Helper()
		if _, err := v.db.ExecContext(context.Background(), query); err != nil {
			t.Fatalf("%s: %v", query, err)
		}
	}
	run("CREATE SCHEMA kept")
	refill := "TRUNCATE " + strings.Join(tables, ", ")
	for _, table := range tables {
		run("CREATE TABLE kept." + table + " AS TABLE " + table)
		refill += "; INSERT INTO " + table + " SELECT * FROM kept." + table
	}
	return func(*testing.T) string {
		run(refill)
		return scratch
	}
}

// testTailCut removes the newest entries and puts the head back in place that was
// signed before them.
func testTailCut(t *testing.T, d Database, j sound) {
	address := d.Copy(t, j.address)
	db := raw(t, address)
	v := vandal{t, db}
	last := j.head(v)
	before, err := ledger.OpenCheckpoint(j.earlier, j.key.Public())
	if err != nil {
		t.Fatal(err)
	}
	v.exec("DELETE FROM subjects WHERE leaf >= $1", before.Size)
	v.exec("INSERT INTO subjects SELECT subject_type, subject_id, leaf, outcome, next_evaluation_at, evaluated_at FROM decisions d WHERE leaf < $1 AND NOT EXISTS (SELECT 1 FROM subjects s WHERE s.id = d.subject_id)", before.Size)
	v.exec("DELETE FROM dossiers WHERE digest IN (SELECT dossier FROM decisions WHERE leaf >= $1)", before.Size)
	for _, table := range []string{"tags", "decisions"} {
		v.exec("DELETE FROM "+table+" WHERE leaf >= $1", before.Size)
	}
	v.exec("DELETE FROM entries WHERE idx >= $1", before.Size)
	v.moveHead(before.Size)
	v.exec("UPDATE ledger SET checkpoint = $1, recorded_at = (SELECT MAX(recorded_at) FROM entries)", j.earlier)
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	if report := j.verify(t, address, j.earlier); !report.Sound() {
		t.Errorf("the log of an earlier day is sound, but: %+v", report)
	}
	expect(t, j.verify(t, address, last), "ledger", "checkpoint 1", before.Size, "its tail was cut")
}

// expect asks for one fault among those reported.
func expect(t *testing.T, report store.Report, table, id string, index int64, message string) {
	t.Helper()
	for _, f := range report.Faults {
		if f.Table == table && strings.HasPrefix(f.ID, id) && (id == "") == (f.ID == "") && f.Index == index && strings.Contains(f.Message, message) {
			return
		}
	}
	t.Errorf("no fault in %s, %s, entry %d: %s; faults are:", table, id, index, message)
	for _, f := range report.Faults[:min(len(report.Faults), 10)] {
		t.Errorf("  %s", f)
	}
}
