package app_test

import (
	"database/sql"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/changevouch/changevouch/cmd/vouch/internal/app"
	"github.com/changevouch/changevouch/engine"
	"github.com/changevouch/changevouch/engine/ledger"
	"github.com/changevouch/changevouch/engine/store"
)

func pullRequest(id string) engine.Subject {
	return engine.Subject{Type: "change", ID: "acme/shop#" + id}
}

// TestServerFindsWhatWasMissed loses a webhook, and has GitHub list the pull request
// only when polls have gone on beyond it: the reading of the last days finds it.
func TestServerFindsWhatWasMissed(t *testing.T) {
	t.Parallel()
	c := newClock("2026-11-02T09:00:00Z")
	h := newHub(t, c)
	h.pull(1, c.now().Add(-4*time.Hour), "One")
	s := prepared(t, c, func(config *app.Config) {
		h.token(config)
		config.GitHub.Repositories = []string{"acme/shop"}
	})
	s.options.Pace.Watch = 100 * time.Millisecond
	s.start()
	judged := func(number string) func() bool {
		return func() bool { return len(s.history(pullRequest(number))) > 0 }
	}
	done := func(task string) int {
		return strings.Count(s.log.text(), `"msg":"job done","task":"`+task+`","subject":"1`)
	}
	const missed = "events that neither webhooks nor polls had brought"
	eventually(t, "a decision on what is there", judged("1"))
	eventually(t, "the first reading, and the one of the last days", func() bool { return done("poll") > 0 && done("reconcile") > 0 })

	c.pass(3 * time.Hour)
	before := done("poll")
	h.pull(2, c.now().Add(-5*time.Hour), "Two")
	s.deliver("d-3", "pull_request", pullDelivery(3, c.now(), "Three"))
	eventually(t, "a decision on what was delivered", judged("3"))
	eventually(t, "another reading", func() bool { return done("poll") > before })
	if judged("2")() || strings.Contains(s.log.text(), missed) {
		t.Fatal("nothing was to be found yet")
	}

	s.stop()
	s.start() // what is done once a day is done at the start too
	eventually(t, "a decision on what was missed", judged("2"))
	eventually(t, "word of it", func() bool { return done("reconcile") > 1 })
	if n := strings.Count(s.log.text(), missed); n != 1 || !strings.Contains(s.log.text(), `/acme/shop","events":2}`) {
		t.Errorf("word of missed events came %d times, want two events once", n)
	}
}

// raw is the journal as somebody sees it who may write the file and has no key.
type raw struct {
	t *testing.T
	*sql.DB
}

func (s *served) raw() raw {
	s.t.Helper()
	db, err := sql.Open("sqlite", "file:"+strings.TrimPrefix(s.options.Config.Store, "sqlite:")+"?_pragma=busy_timeout(20000)")
	if err != nil {
		s.t.Fatal(err)
	}
	s.t.Cleanup(func() { _ = db.Close() })
	return raw{s.t, db}
}

func (r raw) exec(query string, args ...any) {
	r.t.Helper()
	if _, err := r.ExecContext(r.t.Context(), query, args...); err != nil {
		r.t.Fatalf("%s: %v", query, err)
	}
}

func (r raw) number(query string, args ...any) (n int64) {
	r.t.Helper()
	if err := r.QueryRowContext(r.t.Context(), query, args...).Scan(&n); err != nil {
		r.t.Fatalf("%s: %v", query, err)
	}
	return n
}

// verified holds the journal to its key and to the checkpoints that it remembers.
func (s *served) verified() (report store.Report) {
	s.t.Helper()
	key, err := ledger.OpenKey(strings.TrimPrefix(s.options.Config.Store, "sqlite:") + ".key")
	if err != nil {
		s.t.Fatal(err)
	}
	s.journal(func(j *store.Store) {
		if report, err = j.Verify(s.t.Context(), store.Verification{Keys: []ledger.PublicKey{key.Public()}}); err != nil {
			s.t.Fatal(err)
		}
	})
	return report
}

// handIn has a change judged by what its commit message says.
func (s *served) handIn(number int, at time.Time, says string) engine.Decision {
	s.t.Helper()
	return s.evaluate(fmt.Sprintf(`{"schema":"dossier/v1","evaluated_at":%q,"subject":{"type":"change","id":"acme/shop#%d"},"sources":{},"people":[],
		"change":{"kind":"pull_request","commit_message":%q}}`, at.UTC().Format(time.RFC3339), number, says))
}

func (s *served) evaluate(dossier string) (d engine.Decision) {
	s.t.Helper()
	status, text := s.call(http.MethodPost, "/v1/evaluate", http.Header{"Content-Type": {"application/json"}}, dossier)
	if err := json.Unmarshal([]byte(text), &d); err != nil || status != http.StatusOK {
		s.t.Fatalf("%d %s", status, text)
	}
	return d
}

// TestServerRemovesWhatIsOld has the server remove what the settings no longer promise to
// keep, and then somebody cut off the end of the log.
func TestServerRemovesWhatIsOld(t *testing.T) {
	t.Parallel()
	c := newClock("2026-01-02T09:00:00Z")
	s := prepared(t, c, func(config *app.Config) {
		config.Policy.Bundles = []string{"../../testdata/titled"} // it keeps records for 400 days
		config.Retention.Every = app.Duration{Duration: 300 * time.Millisecond}
	})
	s.options.Pace.Watch = 100 * time.Millisecond
	s.start()
	old := s.handIn(1, c.now(), "pass")
	s.deliver("d-2", "pull_request", pullDelivery(2, c.now(), "Good"))
	eventually(t, "a decision on what was delivered", func() bool { return len(s.history(pullRequest("2"))) > 0 })
	c.pass(200 * 24 * time.Hour)
	young := s.handIn(3, c.now(), "pass")
	db := s.raw()
	oldest := func() int64 { return db.number("SELECT count(*) FROM entries WHERE body IS NULL") }
	if n := oldest(); n != 0 {
		t.Fatalf("%d entries were removed too early", n)
	}
	place := db.number("SELECT leaf FROM decisions WHERE id = $1", old.ID)
	db.exec("CREATE TABLE leaves AS SELECT idx, hash FROM entries")

	c.pass(250 * 24 * time.Hour)
	eventually(t, "what is old is gone", func() bool {
		status, _ := s.call(http.MethodGet, "/v1/decisions/"+old.ID, nil, "")
		return status == http.StatusNotFound
	})
	eventually(t, "the deliveries too", func() bool { return db.number("SELECT count(*) FROM deliveries") == 0 })
	if status, text := s.call(http.MethodGet, "/v1/decisions/"+young.ID, nil, ""); status != http.StatusOK || !strings.Contains(text, young.ID) {
		t.Errorf("what is younger is gone as well: %d %s", status, text)
	}
	s.journal(func(j *store.Store) {
		for e := range j.Events(t.Context(), store.EventFilter{}) {
			t.Errorf("event %s was kept", e.ID)
		}
		removed, err := j.Entry(t.Context(), db.number("SELECT pruned_by FROM entries WHERE idx = $1", place))
		if err != nil || removed.Kind != ledger.KindRetention || !strings.Contains(string(removed.Body), `"before":"2026-02-`) {
			t.Errorf("the entry that says so: %+v, %v", removed, err)
		}
	})
	if n := db.number("SELECT count(*) FROM leaves l JOIN entries e ON e.idx = l.idx AND e.hash <> l.hash"); n > 0 || db.number("SELECT count(*) FROM leaves") == 0 {
		t.Errorf("%d leaf hashes are others", n)
	}
	if report := s.verified(); !report.Sound() || report.Removed == 0 {
		t.Errorf("%d entries without body; faults: %v", report.Removed, report.Faults)
	}

	// The server has the journal remember its head, at every start too.
	db.exec("CREATE TABLE kept AS SELECT * FROM ledger")
	last := s.handIn(4, c.now(), "fail")
	s.stop()
	s.start()
	remembered := "SELECT count(*) FROM checkpoints WHERE size > $1"
	size := db.number("SELECT size FROM kept")
	eventually(t, "a checkpoint", func() bool { return db.number(remembered, size) > 0 })
	s.stop()
	for _, table := range []string{"decisions", "subjects", "tags"} {
		db.exec("DELETE FROM "+table+" WHERE leaf >= $1", size)
	}
	db.exec("DELETE FROM dossiers WHERE digest NOT IN (SELECT dossier FROM decisions)")
	db.exec("DELETE FROM entries WHERE idx >= $1", size)
	db.exec("UPDATE ledger SET (size, edge, checkpoint, recorded_at) = (SELECT size, edge, checkpoint, recorded_at FROM kept)")
	report := s.verified()
	if !slices.ContainsFunc(report.Faults, func(f store.Fault) bool {
		return strings.HasPrefix(f.ID, "checkpoint of ") && strings.Contains(f.Message, "its tail was cut")
	}) {
		t.Errorf("decision %s was cut off, and nobody sees it: %v", last.ID, report.Faults)
	}
	// Nothing but that checkpoint tells of it.
	db.exec("DELETE FROM checkpoints WHERE size > $1", size)
	if report := s.verified(); !report.Sound() {
		t.Errorf("the tail was cut badly: %v", report.Faults)
	}
}
