package app_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/changevouch/changevouch/cmd/vouch/internal/app"
	"github.com/changevouch/changevouch/engine"
)

// TestServerReleases adds a release while the server runs: it judges from the moment on
// from which it is in force, without a restart.
func TestServerReleases(t *testing.T) {
	c := newClock("2026-11-02T09:00:00Z")
	release := func(config app.Config, name string, from time.Time, settings string) {
		t.Helper()
		j := writing(t, config, c.now)
		policy := app.PolicyConfig{Bundles: []string{"../../testdata/deadline"}, Settings: write(t, t.TempDir(), "settings.yaml", settings)}
		_, err := app.AddRelease(t.Context(), j, policy, name, "test", from, "test")
		if err := errors.Join(err, j.Close()); err != nil {
			t.Fatal(err)
		}
	}
	s := newServed(t, c, func(config *app.Config) {
		config.Policy.Bundles = nil
		config.Policy.Releases = app.ReleasesInJournal
		release(*config, "one", c.now().AddDate(-1, 0, 0), "vuln_sla_days: {high: 30}\n")
	})
	dossier := func(id string) string {
		return fmt.Sprintf(`{"schema":"dossier/v1","evaluated_at":%q,"subject":{"type":"finding","id":%q},"sources":{},"people":[],
			"finding":{"id":"CVE-1","package":"left-pad","severity":"high","first_detected_at":%[1]q}}`, c.now().Format(time.RFC3339), id)
	}
	due := func(id string) string {
		status, text := s.call(http.MethodPost, "/v1/evaluate", http.Header{"Content-Type": {"application/json"}}, dossier(id))
		if status != http.StatusOK {
			t.Fatalf("%d %s", status, text)
		}
		_, rest, _ := strings.Cut(text, `"next_evaluation_at":"`)
		at, _, _ := strings.Cut(rest, `"`)
		return at
	}
	if got := due("a"); got != "2026-12-02T09:00:00Z" {
		t.Errorf("by release one it is due %s", got)
	}
	release(s.options.Config, "two", c.now().Add(time.Hour), "vuln_sla_days: {high: 7}\n")
	time.Sleep(10 * s.options.Pace.Watch)
	if got := due("b"); got != "2026-12-02T09:00:00Z" {
		t.Errorf("before release two is in force it is due %s", got)
	}
	c.pass(2 * time.Hour)
	eventually(t, "release two in force", func() bool { return strings.Contains(s.log.text(), `"version":"two"`) })
	if got := due("c"); got != "2026-11-09T11:00:00Z" {
		t.Errorf("by release two it is due %s", got)
	}
}

// TestServerReleasesOfAFile edits the file of releases while the server runs.
func TestServerReleasesOfAFile(t *testing.T) {
	t.Parallel()
	c := newClock("2026-11-02T09:00:00Z")
	bundle, err := filepath.Abs("../../testdata/deadline")
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	release := func(version, from string, days int) string {
		return fmt.Sprintf("- {version: %s, effective_from: %s, bundle: %q, settings: {vuln_sla_days: {high: %d}}}\n", version, from, bundle, days)
	}
	one, two := release("one", "2026-01-01T00:00:00Z", 30), release("two", "2026-11-02T10:00:00Z", 7)
	s := prepared(t, c, func(config *app.Config) {
		config.Policy.Bundles = nil
		config.Policy.Releases = write(t, dir, "releases.yaml", one)
	})
	s.options.Pace.Watch = 50 * time.Millisecond
	s.start()
	judges := func(when, due string, days int) {
		t.Helper()
		d := s.evaluate(fmt.Sprintf(`{"schema":"dossier/v1","evaluated_at":%q,"subject":{"type":"finding","id":%q},"sources":{},"people":[],
			"finding":{"id":"CVE-1","package":"left-pad","severity":"high","first_detected_at":%[1]q}}`, c.now().Format(time.RFC3339), when))
		if d.NextEvaluationAt != due {
			t.Errorf("%s it is due %s, want %s", when, d.NextEvaluationAt, due)
		}
		// Whoever asks the policy about itself hears of the release in force.
		if _, text := s.call(http.MethodGet, "/v1/data/settings/vuln_sla_days/high", nil, ""); text != fmt.Sprintf("{\"result\":%d}\n", days) {
			t.Errorf("%s the policy says %s, want %d", when, text, days)
		}
	}
	loaded := func(what string) func() bool {
		before := strings.Count(s.log.text(), what)
		return func() bool { return strings.Count(s.log.text(), what) > before }
	}
	judges("at first", "2026-12-02T09:00:00Z", 30)

	again := loaded(`"msg":"policy loaded"`)
	write(t, dir, "releases.yaml", two+one)
	s.server.Reload()
	eventually(t, "the file is read", again)
	judges("before release two is in force", "2026-12-02T09:00:00Z", 30)

	again = loaded(`"version":"two"`)
	c.pass(2 * time.Hour)
	eventually(t, "release two in force", again)
	judges("then", "2026-11-09T11:00:00Z", 7)

	for name, text := range map[string]string{"no list": "one: two", "no bundle": one + strings.ReplaceAll(release("three", "2027-01-01T00:00:00Z", 1), bundle, bundle+"-gone"), "none in force": release("four", "2027-01-01T00:00:00Z", 1)} {
		again = loaded("the one before goes on")
		write(t, dir, "releases.yaml", text)
		s.server.Reload()
		eventually(t, name, again)
	}
	judges("with a broken file", "2026-11-09T11:00:00Z", 7)

	again = loaded(`"version":"five"`)
	write(t, dir, "releases.yaml", one+two+release("five", "2026-11-02T11:00:00Z", 3))
	s.server.Reload()
	eventually(t, "the next release", again)
	judges("by the next release", "2026-11-05T11:00:00Z", 3)
}

// TestServerReadsMore has a delivery bring the server to read the repository that it is
// about, once for many.
func TestServerReadsMore(t *testing.T) {
	var opened atomic.Int32
	github := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Date", "Mon, 02 Nov 2026 09:00:00 GMT")
		switch strings.TrimPrefix(r.URL.Path, "/api/v3/") {
		case "repos/acme/shop":
			opened.Add(1)
			fmt.Fprint(w, `{"full_name":"acme/shop","default_branch":"main","has_issues":false}`)
		case "repos/acme/shop/pulls":
			fmt.Fprint(w, `[]`)
		default:
			http.Error(w, `{"message":"Resource not accessible by personal access token"}`, http.StatusForbidden)
		}
	}))
	t.Cleanup(github.Close) // after the server, which would wait for it
	c := newClock("2026-11-02T09:00:00Z")
	s := newServed(t, c, func(config *app.Config) {
		config.GitHub.URL, config.GitHub.Repositories = github.URL, []string{"acme/shop"}
		config.GitHub.TokenFile = write(t, t.TempDir(), "token", "the-secret-token")
	})
	eventually(t, "the first reading", func() bool { return opened.Load() > 0 && strings.Contains(s.log.text(), `"msg":"source read"`) })
	first := opened.Load()
	for i := range 20 {
		s.deliver(fmt.Sprint("d-", i), "pull_request", pullDelivery(i+1, c.now(), "One"))
	}
	eventually(t, "another reading", func() bool { return strings.Count(s.log.text(), `"msg":"source read"`) > 1 })
	eventually(t, "a decision on each", func() bool {
		return len(s.history(engine.Subject{Type: "change", ID: "acme/shop#20"})) > 0
	})
	if n := opened.Load() - first; n > 10 {
		t.Errorf("20 deliveries had the repository read %d times", n)
	}
	if status, text := s.call(http.MethodGet, "/v1/sources", nil, ""); status != http.StatusOK || !strings.Contains(text, "acme/shop") || !strings.Contains(text, "incomplete") {
		t.Errorf("what could not be read is not told: %d %s", status, text)
	}
	for provider, want := range map[string]int{"github": 422, "elsewhere": 422, "coverage": 422, "iam": 422, "jira": 200} {
		e := shipped(1)[4]
		switch e.ID, e.Provider = provider, provider; provider {
		case "coverage":
			e = shipped(1)[8]
			e.Source, e.Provider = "collector", "vouch"
		case "iam":
			e.Source = "iam"
		case "jira":
			e.Source, e.Type = "issues", "issue.recorded"
			e.Data = engine.Facts(engine.IssueFact{Key: "OPS-1", Kind: "change_request", CreatedAt: c.now(), Description: "Please."})
		}
		e.Evidence.Trust = engine.TrustDeclared
		text, err := json.Marshal(e)
		if err != nil {
			t.Fatal(err)
		}
		if status, text := s.call(http.MethodPost, "/v1/events", http.Header{"Content-Type": {"application/json"}}, string(text)); status != want {
			t.Errorf("what somebody says of %s: %d %s", provider, status, text)
		}
	}
	if strings.Contains(s.log.text(), "the-secret-token") {
		t.Error("the token stands in the log")
	}
}
