package app_test

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/changevouch/changevouch/cmd/vouch/internal/app"
	"github.com/changevouch/changevouch/engine"
	"github.com/changevouch/changevouch/engine/httpapi"
	"github.com/changevouch/changevouch/engine/ledger"
	"github.com/changevouch/changevouch/engine/notify"
	"github.com/changevouch/changevouch/engine/store"
)

const hookSecret = "a-secret-of-the-test"

// clock is one that tests move.
type clock struct{ atomic.Pointer[time.Time] }

func newClock(text string) *clock {
	at, err := time.Parse(time.RFC3339, text)
	if err != nil {
		panic(err)
	}
	c := &clock{}
	c.Store(&at)
	return c
}

func (c *clock) now() time.Time { return *c.Load() }

func (c *clock) pass(d time.Duration) {
	at := c.now().Add(d)
	c.Store(&at)
}

// receiver takes notices, and refuses the first ones of each id.
type receiver struct {
	*httptest.Server
	lock    sync.Mutex
	refuse  int
	tries   map[string]int
	notices []notify.Notice
}

func newReceiver(t *testing.T, refuse int) *receiver {
	r := &receiver{refuse: refuse, tries: map[string]int{}}
	r.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, q *http.Request) {
		body, err := io.ReadAll(q.Body)
		if err != nil {
			t.Error(err)
		}
		id := q.Header.Get("webhook-id")
		mac := hmac.New(sha256.New, []byte(hookSecret))
		mac.Write([]byte(id + "." + q.Header.Get("webhook-timestamp") + "." + string(body)))
		if want := "v1," + base64.StdEncoding.EncodeToString(mac.Sum(nil)); q.Header.Get("webhook-signature") != want {
			t.Errorf("signature %q, want %q", q.Header.Get("webhook-signature"), want)
		}
		var n notify.Notice
		if err := json.Unmarshal(body, &n); err != nil || n.ID != id {
			t.Errorf("notice %s: %v", body, err)
		}
		r.lock.Lock()
		defer r.lock.Unlock()
		if r.tries[id]++; r.tries[id] <= r.refuse {
			w.WriteHeader(http.StatusServiceUnavailable)
			return
		}
		r.notices = append(r.notices, n)
	}))
	t.Cleanup(r.Close)
	return r
}

func (r *receiver) got() []notify.Notice {
	r.lock.Lock()
	defer r.lock.Unlock()
	return append([]notify.Notice{}, r.notices...)
}

// served is a server of a test, with an HTTP client that has a token for everything.
type served struct {
	t       *testing.T
	options app.ServerOptions
	server  *app.Server
	http    *httptest.Server
	log     *lines
}

type lines struct {
	lock sync.Mutex
	bytes.Buffer
}

func (l *lines) Write(p []byte) (int, error) {
	l.lock.Lock()
	defer l.lock.Unlock()
	return l.Buffer.Write(p)
}

func (l *lines) text() string {
	l.lock.Lock()
	defer l.lock.Unlock()
	return l.String()
}

// newServed starts a server that judges by the policy of testdata/deadline.
func newServed(t *testing.T, c *clock, change func(*app.Config)) *served {
	t.Helper()
	s := prepared(t, c, change)
	s.start()
	return s
}

// prepared is a server that is to be started.
func prepared(t *testing.T, c *clock, change func(*app.Config)) *served {
	t.Helper()
	dir := t.TempDir()
	config := app.Config{Store: "sqlite:" + filepath.Join(dir, "journal.db")}
	config.Policy.Bundles = []string{"../../testdata/deadline"}
	config.GitHub.WebhookSecretFiles = []string{write(t, dir, "hook.secret", hookSecret)}
	config.Directory = write(t, dir, "directory.yaml", "complete: true\npeople:\n  - id: alice\n    kind: employee\n    accounts: {github: [alice]}\n")
	change(&config)
	s := &served{t: t, log: &lines{}, options: app.ServerOptions{
		Config: config, Version: "test", LookupEnv: func(string) (string, bool) { return "", false }, Clock: c.now,
		Pace: app.Pace{Watch: 20 * time.Millisecond, JudgeAfter: 200 * time.Millisecond, PollAfter: 20 * time.Millisecond},
	}}
	s.options.Log = slog.New(slog.NewJSONHandler(s.log, &slog.HandlerOptions{Level: slog.LevelDebug}))
	t.Cleanup(func() {
		if s.server != nil {
			s.stop()
		}
		if t.Failed() {
			for line := range strings.Lines(s.log.text()) {
				if !strings.Contains(line, `"msg":"request"`) {
					t.Log(line)
				}
			}
		}
	})
	return s
}

const testToken = "vouch_of-the-test"

func (s *served) start() {
	s.t.Helper()
	ctx := s.t.Context()
	var err error
	if s.server, err = app.OpenServer(ctx, s.options); err != nil {
		s.t.Fatal(err)
	}
	s.grant()
	handler, err := s.server.Handler(ctx)
	if err != nil {
		s.t.Fatal(err)
	}
	s.http = httptest.NewServer(handler)
	if err := s.server.Start(ctx); err != nil {
		s.t.Fatal(err)
	}
}

// grant makes the token of the test one of the journal's.
func (s *served) grant() {
	s.t.Helper()
	ctx := s.t.Context()
	journal := writing(s.t, s.options.Config, s.options.Clock)
	_, err := journal.TokenByHash(ctx, httpapi.TokenHash(testToken))
	if errors.Is(err, engine.ErrNotFound) {
		err = journal.AddToken(ctx, engine.Token{ID: "t1", Name: "test", Role: engine.RoleAdmin, Hash: httpapi.TokenHash(testToken), CreatedAt: s.options.Clock()})
	}
	if err := errors.Join(err, journal.Close()); err != nil {
		s.t.Fatal(err)
	}
}

func (s *served) stop() {
	s.http.Close()
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	if err := errors.Join(s.server.Stop(ctx), s.server.Close()); err != nil {
		s.t.Error(err)
	}
	s.server = nil
}

// writing opens the journal from aside, with the clock of the test.
func writing(t *testing.T, config app.Config, now func() time.Time) *store.Store {
	t.Helper()
	key, err := ledger.OpenKey(strings.TrimPrefix(config.Store, "sqlite:") + ".key")
	if err != nil {
		t.Fatal(err)
	}
	j, err := store.Open(t.Context(), config.Store, store.Options{Key: key, Clock: now})
	if err != nil {
		t.Fatal(err)
	}
	return j
}

// call makes a request and returns its answer.
func (s *served) call(method, path string, header http.Header, body string) (int, string) {
	s.t.Helper()
	r, err := http.NewRequestWithContext(s.t.Context(), method, s.http.URL+path, strings.NewReader(body))
	if err != nil {
		s.t.Fatal(err)
	}
	r.Header = http.Header{"Authorization": {"Bearer " + testToken}}
	maps.Copy(r.Header, header)
	resp, err := http.DefaultClient.Do(r)
	if err != nil {
		s.t.Fatal(err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		s.t.Fatal(err)
	}
	return resp.StatusCode, string(text)
}

// deliver hands in a delivery of GitHub.
func (s *served) deliver(id, event, body string) {
	s.t.Helper()
	if status, text := s.call(http.MethodPost, "/v1/webhooks/github", gitHubHeader(id, event, body), body); status != http.StatusAccepted {
		s.t.Fatalf("delivery %s: %d %s", id, status, text)
	}
}

func gitHubHeader(id, event, body string) http.Header {
	mac := hmac.New(sha256.New, []byte(hookSecret))
	mac.Write([]byte(body))
	return http.Header{"X-Github-Delivery": {id}, "X-Github-Event": {event}, "X-Hub-Signature-256": {"sha256=" + hex.EncodeToString(mac.Sum(nil))}, "Content-Type": {"application/json"}}
}

// pullDelivery is a pull request as GitHub delivers it when something about it changed.
func pullDelivery(number int, updated time.Time, title string) string {
	sha := fmt.Sprintf("%040x", 0xabc000+number)
	return fmt.Sprintf(`{"action":"edited","number":%[1]d,"sender":{"login":"alice","id":101,"type":"User"},
		"repository":{"id":77,"full_name":"acme/shop","default_branch":"main"},
		"pull_request":{"id":%[1]d001,"number":%[1]d,"url":"https://api.github.com/repos/acme/shop/pulls/%[1]d","state":"open","title":%[4]q,"body":"## Description\nIt.",
		"user":{"login":"alice","id":101,"type":"User"},"created_at":"2026-11-01T10:00:00Z","updated_at":%[3]q,
		"head":{"ref":"feature","sha":%[2]q},"base":{"ref":"main","sha":%[2]q,"repo":{"id":77,"full_name":"acme/shop","default_branch":"main"}}}}`,
		number, sha, updated.UTC().Format(time.RFC3339), title)
}

// journal reads the journal of the server from aside.
func (s *served) journal(read func(*store.Store)) {
	s.t.Helper()
	j, err := s.options.Config.Journal().Read(s.t.Context())
	if err != nil {
		s.t.Fatal(err)
	}
	defer j.Close()
	read(j)
}

// history are the outcomes of a subject's decisions, oldest first.
func (s *served) history(subject engine.Subject) (out []string) {
	s.t.Helper()
	s.journal(func(j *store.Store) {
		list, err := j.History(s.t.Context(), subject)
		if err != nil && !errors.Is(err, engine.ErrNotFound) {
			s.t.Fatal(err)
		}
		for _, d := range list {
			out = append(out, d.Outcome)
		}
	})
	return out
}

func eventually(t *testing.T, what string, holds func() bool) {
	t.Helper()
	for range 1200 {
		if holds() {
			return
		}
		time.Sleep(100 * time.Millisecond)
	}
	t.Fatal("waited in vain: " + what)
}

func write(t *testing.T, dir, name, text string) string {
	t.Helper()
	path := filepath.Join(dir, name)
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// TestServerDeadline hands in a finding, lets its deadline come near and pass, and
// expects one notice of each, although the receiver is away at first and the server
// starts anew in between.
func TestServerDeadline(t *testing.T) {
	c := newClock("2026-11-02T09:00:00Z")
	to := newReceiver(t, 1)
	s := newServed(t, c, func(config *app.Config) {
		config.PublicURL = "https://vouch.example.com/"
		config.Notifications = []app.NotificationConfig{{Name: "the team", Type: "webhook", URL: to.URL, SecretFile: config.GitHub.WebhookSecretFiles[0],
			DeadlineWithin: app.Duration{Duration: 48 * time.Hour}}}
	})
	subject := engine.Subject{Type: "finding", ID: "acme/shop:CVE-1"}
	dossier := `{"schema":"dossier/v1","evaluated_at":"2026-11-02T09:00:00Z","subject":{"type":"finding","id":"acme/shop:CVE-1"},"sources":{},"people":[],
		"finding":{"id":"CVE-1","package":"left-pad","severity":"high","first_detected_at":"2026-11-01T09:00:00Z"}}`
	if status, text := s.call(http.MethodPost, "/v1/evaluate", http.Header{"Content-Type": {"application/json"}}, dossier); status != http.StatusOK || !strings.Contains(text, `"outcome":"pending"`) {
		t.Fatalf("%d %s", status, text)
	}
	c.pass(28 * 24 * time.Hour)
	eventually(t, "a notice of the deadline", func() bool { return len(to.got()) == 1 })
	n := to.got()[0]
	if n.Kind != "deadline" || n.DueAt != "2026-12-01T09:00:00Z" || n.Subject != subject || n.Link != "https://vouch.example.com/v1/decisions/"+n.Decision {
		t.Errorf("notice: %+v", n)
	}
	s.stop()
	c.pass(2 * 24 * time.Hour)
	s.start()
	eventually(t, "a notice of the violation", func() bool { return len(to.got()) == 2 })
	if n := to.got()[1]; n.Kind != "violation" || n.Outcome != engine.OutcomeNonCompliant || len(n.Findings) != 1 || n.Findings[0].Control != "T-1" {
		t.Errorf("notice: %+v", n)
	}
	if got := strings.Join(s.history(subject), " "); got != "pending non_compliant" {
		t.Errorf("decisions: %s", got)
	}
	c.pass(30 * 24 * time.Hour)
	s.deliver("d-1", "pull_request", pullDelivery(1, c.now(), "One"))
	eventually(t, "a decision on something else", func() bool {
		return len(s.history(engine.Subject{Type: "change", ID: "acme/shop#1"})) > 0
	})
	if len(to.got()) != 2 {
		t.Errorf("%d notices, want 2: %+v", len(to.got()), to.got())
	}
	if strings.Contains(s.log.text(), hookSecret) || strings.Contains(s.log.text(), testToken) {
		t.Error("a secret stands in the log")
	}
}

// TestServerThousandDeliveries counts what a thousand deliveries about one pull request
// cost, broken ones among them.
func TestServerThousandDeliveries(t *testing.T) {
	c := newClock("2026-11-02T09:00:00Z")
	s := newServed(t, c, func(*app.Config) {})
	updated := c.now().Add(-24 * time.Hour)
	var group sync.WaitGroup
	for worker := range 4 {
		group.Go(func() {
			for i := range 250 {
				n := worker*250 + i
				body := pullDelivery(7, updated.Add(time.Duration(n)*time.Second), fmt.Sprint("Title ", n))
				if n%100 == 50 {
					body = `{"action":"edited","sender":{"login":"alice"},"pull_request":{"number":7}}`
				}
				s.deliver(fmt.Sprintf("d-%d", n), "pull_request", body)
			}
		})
	}
	group.Wait()
	eventually(t, "all deliveries taken", func() bool {
		empty := false
		s.journal(func(j *store.Store) {
			pending, err := j.PendingDeliveries(t.Context(), 1)
			empty = err == nil && len(pending) == 0
		})
		return empty
	})
	subject := engine.Subject{Type: "change", ID: "acme/shop#7"}
	eventually(t, "the last title judged", func() bool {
		last := false
		s.journal(func(j *store.Store) {
			list, err := j.History(t.Context(), subject)
			if err != nil {
				return
			}
			dossier, err := j.Dossier(t.Context(), list[len(list)-1].Dossier)
			last = err == nil && bytes.Contains(dossier, []byte(`"Title 999"`))
		})
		return last
	})
	if n := len(s.history(subject)); n > 60 {
		t.Errorf("a thousand deliveries cost %d evaluations", n)
	} else {
		t.Logf("a thousand deliveries cost %d evaluations", n)
	}
	if n := strings.Count(s.log.text(), "delivery not readable"); n != 10 {
		t.Errorf("%d broken deliveries were noted, want 10", n)
	}
}
