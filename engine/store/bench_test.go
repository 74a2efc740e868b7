package store_test

import (
	"context"
	"database/sql"
	"fmt"
	"net/url"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/changevouch/changevouch/engine"
	"github.com/changevouch/changevouch/engine/ledger"
	"github.com/changevouch/changevouch/engine/store"
	"github.com/changevouch/changevouch/engine/store/storetest"
)

// kinds are the databases, in the order of the reports.
func kinds(b *testing.B) []struct {
	name string
	storetest.Database
} {
	b.Helper()
	return []struct {
		name string
		storetest.Database
	}{{"sqlite", storetest.Files{}}, {"postgres", postgres(b)}}
}

// percentiles reports how long single operations took.
func percentiles(b *testing.B, took []time.Duration) {
	b.Helper()
	if len(took) == 0 {
		return
	}
	slices.Sort(took)
	b.ReportMetric(float64(took[len(took)/2].Microseconds()), "p50-µs")
	b.ReportMetric(float64(took[len(took)*99/100].Microseconds()), "p99-µs")
}

// BenchmarkAppend records decisions, one or a hundred a transaction, and beside it
// inserts the same bytes into a plain table of the same database: the price of
// index, log and signature.
func BenchmarkAppend(b *testing.B) {
	for _, kind := range kinds(b) {
		for _, size := range []int{1, 100} {
			b.Run(fmt.Sprintf("%s/%d", kind.name, size), func(b *testing.B) { benchmarkAppend(b, kind.Database, size) })
			b.Run(fmt.Sprintf("%s/%d/bare", kind.name, size), func(b *testing.B) { benchmarkBare(b, kind.Database, size) })
		}
	}
}

func benchmarkAppend(b *testing.B, d storetest.Database, size int) {
	s := storetest.Open(b, d.Fresh(b), store.Options{})
	j, err := s.Journal(b.Context(), storetest.Judge())
	if err != nil {
		b.Fatal(err)
	}
	var took []time.Duration
	n := 0
	for b.Loop() {
		b.StopTimer()
		list := make([]engine.Judgement, size)
		for i := range list {
			list[i] = storetest.Judged(storetest.Judge(), n, 0, 0)
			n++
		}
		b.StartTimer()
		began := time.Now()
		if err := j.AppendAll(b.Context(), list); err != nil {
			b.Fatal(err)
		}
		took = append(took, time.Since(began))
	}
	percentiles(b, took)
	b.ReportMetric(float64(n)/b.Elapsed().Seconds(), "decisions/s")
}

func benchmarkBare(b *testing.B, d storetest.Database, size int) {
	s := storetest.Open(b, d.Fresh(b), store.Options{})
	bytes := "BLOB"
	if _, ok := d.(*storetest.Server); ok {
		bytes = "BYTEA"
	}
	if _, err := s.DB().ExecContext(b.Context(), "CREATE TABLE bare (id TEXT PRIMARY KEY, decision "+bytes+", dossier "+bytes+")"); err != nil {
		b.Fatal(err)
	}
	var took []time.Duration
	n := 0
	for b.Loop() {
		b.StopTimer()
		type row struct {
			id                string
			decision, dossier []byte
		}
		list := make([]row, size)
		for i := range list {
			one := storetest.Judged(storetest.Judge(), n, 0, 0)
			text, err := one.Decision.Record()
			if err != nil {
				b.Fatal(err)
			}
			list[i] = row{one.Decision.ID, text, one.Dossier}
			n++
		}
		b.StartTimer()
		began := time.Now()
		tx, err := s.DB().BeginTx(b.Context(), nil)
		if err != nil {
			b.Fatal(err)
		}
		for _, one := range list {
			if _, err := tx.ExecContext(b.Context(), "INSERT INTO bare VALUES ($1, $2, $3)", one.id, one.decision, one.dossier); err != nil {
				b.Fatal(err)
			}
		}
		if err := tx.Commit(); err != nil {
			b.Fatal(err)
		}
		took = append(took, time.Since(began))
	}
	percentiles(b, took)
	b.ReportMetric(float64(n)/b.Elapsed().Seconds(), "decisions/s")
}

// BenchmarkEvents records a hundred new events a transaction.
func BenchmarkEvents(b *testing.B) {
	for _, kind := range kinds(b) {
		b.Run(kind.name, func(b *testing.B) {
			s := storetest.Open(b, kind.Fresh(b), store.Options{})
			n := 0
			for b.Loop() {
				list := make([]engine.Event, 100)
				for i := range list {
					list[i] = storetest.Event(n)
					n++
				}
				if _, err := s.AddEvents(b.Context(), list, nil); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(float64(n)/b.Elapsed().Seconds(), "events/s")
		})
	}
}

// sizes are the numbers of decisions at which questions are measured: ten and a
// hundred thousand, or as VOUCH_BENCH_DECISIONS says.
func sizes(b *testing.B) []int {
	b.Helper()
	text := os.Getenv("VOUCH_BENCH_DECISIONS")
	if text == "" {
		text = "10000,100000"
	}
	var list []int
	for one := range strings.SplitSeq(text, ",") {
		n, err := strconv.Atoi(one)
		if err != nil {
			b.Fatalf("VOUCH_BENCH_DECISIONS: %v", err)
		}
		list = append(list, n)
	}
	return list
}

// filled keeps large journals for all benchmarks of a run.
var filled struct {
	sync.Mutex
	journals map[string]*journal
	folder   string
}

type journal struct {
	*store.Store
	key       *ledger.Key
	decisions int
	bytes     int64
}

// kept is where journals of some kind stay between runs, since a million decisions
// take a while to record: VOUCH_BENCH_SQLITE names a folder, VOUCH_BENCH_POSTGRES a
// server. Empty is nowhere.
func kept(b *testing.B, kind string, decisions int) string {
	b.Helper()
	place := os.Getenv("VOUCH_BENCH_" + strings.ToUpper(kind))
	if place == "" || kind == "sqlite" {
		return place
	}
	name := fmt.Sprintf("vouch_bench_%d", decisions)
	server, err := url.Parse(place)
	if err != nil {
		b.Fatal(err)
	}
	db, err := sql.Open("pgx", place)
	if err != nil {
		b.Fatal(err)
	}
	defer db.Close()
	if _, err := db.ExecContext(context.Background(), "CREATE DATABASE "+name); err != nil && !strings.Contains(err.Error(), "already exists") {
		b.Fatal(err)
	}
	server.Path = "/" + name
	return server.String()
}

// large returns a journal of so many decisions.
func large(b *testing.B, kind string, d storetest.Database, decisions int) *journal {
	b.Helper()
	filled.Lock()
	defer filled.Unlock()
	name := fmt.Sprintf("%s/%d", kind, decisions)
	if j, there := filled.journals[name]; there {
		return j
	}
	key, err := ledger.NewKey(zeros{}, "example.com/bench")
	if err != nil {
		b.Fatal(err)
	}
	var address string
	if place := kept(b, kind, decisions); place != "" && kind == "sqlite" {
		address = fmt.Sprintf("sqlite:%s/%d.db", place, decisions)
	} else if place != "" {
		address = place
	} else if server, ok := d.(*storetest.Server); ok {
		address = server.Lasting(b)
	} else {
		if filled.folder == "" {
			if filled.folder, err = os.MkdirTemp("", "vouch-bench-"); err != nil { //nolint:usetesting // lives as long as the process
				b.Fatal(err)
			}
		}
		address = fmt.Sprintf("sqlite:%s/%d.db", filled.folder, decisions)
	}
	ctx := context.Background()
	s, err := store.Open(ctx, address, store.Options{Key: key})
	if err != nil {
		b.Fatal(err)
	}
	records, err := s.Journal(ctx, storetest.Judge())
	if err != nil {
		b.Fatal(err)
	}
	var there int
	if err := s.DB().QueryRowContext(ctx, "SELECT COUNT(*) FROM decisions").Scan(&there); err != nil {
		b.Fatal(err)
	}
	if kind == "sqlite" && kept(b, kind, decisions) != "" { // of the one connection that writes: questions are asked by others
		for _, pragma := range []string{"cache_size = -2000000", "synchronous = OFF"} {
			if _, err := s.DB().ExecContext(ctx, "PRAGMA "+pragma); err != nil {
				b.Fatal(err)
			}
		}
	}
	for n := there; n < decisions; n += 1000 {
		var list []engine.Judgement
		for i := n; i < min(n+1000, decisions); i++ {
			list = append(list, storetest.Judged(storetest.Judge(), i, 0, 0))
		}
		if err := records.AppendAll(ctx, list); err != nil {
			b.Fatal(err)
		}
	}
	j := &journal{Store: s, key: key, decisions: decisions}
	size := "SELECT page_count * page_size FROM pragma_page_count(), pragma_page_size()"
	if kind == "postgres" {
		size = "SELECT pg_database_size(current_database())"
	}
	analyze(b, kind, s.DB())
	if err := s.DB().QueryRowContext(ctx, size).Scan(&j.bytes); err != nil {
		b.Fatal(err)
	}
	if filled.journals == nil {
		filled.journals = map[string]*journal{}
	}
	filled.journals[name] = j
	return j
}

// each runs a benchmark on journals of every kind and of some sizes, and makes only
// those that were asked for.
func each(b *testing.B, sizes []int, run func(b *testing.B, j *journal)) {
	b.Helper()
	for _, kind := range kinds(b) {
		b.Run(kind.name, func(b *testing.B) {
			for _, size := range sizes {
				b.Run(strconv.Itoa(size), func(b *testing.B) { run(b, large(b, kind.name, kind.Database, size)) })
			}
		})
	}
}

// analyze does what servers of PostgreSQL do by themselves, but those of tests.
// Nobody does it to SQLite.
func analyze(b *testing.B, kind string, db *sql.DB) {
	b.Helper()
	if kind != "postgres" {
		return
	}
	if _, err := db.ExecContext(context.Background(), "VACUUM ANALYZE"); err != nil {
		b.Fatal(err)
	}
}

type zeros struct{}

func (zeros) Read(p []byte) (int, error) { clear(p); return len(p), nil }

// closeLarge ends what large began.
func closeLarge() error {
	for _, j := range filled.journals {
		if err := j.Close(); err != nil {
			return err
		}
	}
	if filled.folder == "" {
		return nil
	}
	return os.RemoveAll(filled.folder)
}

// BenchmarkList asks for the first page by each filter, at several sizes.
func BenchmarkList(b *testing.B) {
	middle := func(j *journal) time.Time { return storetest.Epoch.Add(time.Duration(j.decisions/2) * time.Minute) }
	each(b, sizes(b), func(b *testing.B, j *journal) {
		for _, one := range []struct {
			name   string
			filter engine.DecisionFilter
		}{
			{"all", engine.DecisionFilter{}},
			{"latest", engine.DecisionFilter{Latest: true}},
			{"outcome", engine.DecisionFilter{Outcomes: []string{"unknown"}}},
			{"control", engine.DecisionFilter{Controls: []string{"CM-1.1"}}},
			{"control-status", engine.DecisionFilter{Controls: []string{"CM-1.1"}, Statuses: []string{"fail"}}},
			{"status", engine.DecisionFilter{Statuses: []string{"fail"}}},
			{"class", engine.DecisionFilter{Classes: []string{"emergency"}}},
			{"risk", engine.DecisionFilter{Risks: []string{"high"}}},
			{"person", engine.DecisionFilter{Persons: []string{"mia"}}},
			{"repository", engine.DecisionFilter{Repositories: []string{"acme/repo7"}}},
			{"service", engine.DecisionFilter{Services: []string{"srv-api"}}},
			{"time", engine.DecisionFilter{From: middle(j), To: middle(j).Add(24 * time.Hour)}},
			{"text-rare", engine.DecisionFilter{Text: fmt.Sprintf("renewal repo7 %d", 7)}},
			{"text-common", engine.DecisionFilter{Text: "renewal part"}},
			{"several", engine.DecisionFilter{Outcomes: []string{"non_compliant"}, Persons: []string{"mia"}, Classes: []string{"normal"}, From: middle(j)}},
		} {
			b.Run(one.name, func(b *testing.B) {
				for b.Loop() {
					page, err := j.List(b.Context(), one.filter, "", 50)
					if err != nil || len(page.Decisions) == 0 {
						b.Fatal(page, err)
					}
				}
			})
		}
	})
}

// BenchmarkGet reads one decision with its dossier, the latest on a subject, and
// the size of the database for each decision.
func BenchmarkGet(b *testing.B) {
	each(b, sizes(b), func(b *testing.B, j *journal) {
		b.Run("decision", func(b *testing.B) {
			n := 0
			for b.Loop() {
				b.StopTimer()
				n = (n*31 + 17) % j.decisions
				id := storetest.Judged(storetest.Judge(), n, 0, 0).Decision.ID
				b.StartTimer()
				record, err := j.Decision(b.Context(), id)
				if err != nil {
					b.Fatal(err)
				}
				if _, err := j.Dossier(b.Context(), record.Dossier); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(float64(j.bytes)/float64(j.decisions), "bytes/decision")
		})
		b.Run("deadlines", func(b *testing.B) {
			for b.Loop() {
				if list, err := j.Deadlines(b.Context(), engine.SubjectFilter{}, nil, 50); err != nil || len(list) != 50 {
					b.Fatal(list, err)
				}
			}
		})
		b.Run("subjects", func(b *testing.B) {
			for b.Loop() {
				after := engine.Subject{Type: "change", ID: "acme/repo15"}
				if list, err := j.Subjects(b.Context(), engine.SubjectFilter{Outcome: "unknown"}, after, 50); err != nil || len(list) != 50 {
					b.Fatal(list, err)
				}
			}
		})
	})
}

// BenchmarkVerify verifies a whole journal.
func BenchmarkVerify(b *testing.B) {
	each(b, sizes(b)[:1], func(b *testing.B, j *journal) { // it takes as long for each entry at any size
		b.Run("entries", func(b *testing.B) {
			for b.Loop() {
				report, err := j.Verify(b.Context(), store.Verification{Keys: []ledger.PublicKey{j.key.Public()}})
				if err != nil || !report.Sound() {
					b.Fatal(report, err)
				}
			}
			b.ReportMetric(float64(j.decisions)*float64(b.N)/b.Elapsed().Seconds(), "entries/s")
		})
	})
}

// BenchmarkProve makes and checks proofs of inclusion.
func BenchmarkProve(b *testing.B) {
	each(b, sizes(b), func(b *testing.B, j *journal) {
		b.Run("inclusion", func(b *testing.B) {
			n := 0
			for b.Loop() {
				n = (n*31 + 17) % j.decisions
				if _, err := j.ProveInclusion(b.Context(), int64(n)); err != nil {
					b.Fatal(err)
				}
			}
		})
	})
}
