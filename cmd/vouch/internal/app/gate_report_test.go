package app_test

import (
	"context"
	"encoding/json"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/changevouch/changevouch/cmd/vouch/internal/app"
	"github.com/changevouch/changevouch/engine"
)

// recordedChange is a dossier of the sample company with the decision on it.
func recordedChange(t *testing.T, g app.Gate, name string) (engine.Decision, []byte) {
	t.Helper()
	dossier, err := os.ReadFile(filepath.Join("../../testdata/acme/dossiers", name))
	if err != nil {
		t.Fatal(err)
	}
	decision, err := g.Policy.Evaluate(t.Context(), dossier)
	if err != nil {
		t.Fatal(err)
	}
	return decision, dossier
}

// checks is a GitHub that takes the check runs of an app, and statuses.
type checks struct {
	server *httptest.Server
	runs   []map[string]any
	states []map[string]any
	paths  []string
}

func newChecks(t *testing.T) *checks {
	c := &checks{}
	c.server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		body, err := io.ReadAll(r.Body)
		sent := map[string]any{}
		if err == nil && len(body) > 0 {
			err = json.Unmarshal(body, &sent)
		}
		if err != nil {
			t.Error(err)
		}
		path := strings.TrimPrefix(r.URL.Path, "/api/v3")
		c.paths = append(c.paths, r.Method+" "+path)
		var answer any
		switch {
		case strings.HasSuffix(path, "/access_tokens"):
			w.WriteHeader(http.StatusCreated)
			answer = map[string]any{"token": "ghs_1", "expires_at": "2099-01-01T00:00:00Z"}
		case strings.HasPrefix(path, "/orgs/acme/installation"):
			answer = map[string]any{"id": 4}
		case r.Method == http.MethodGet && strings.HasSuffix(path, "/check-runs"):
			answer = map[string]any{"check_runs": c.runs}
		case r.Method == http.MethodGet:
			answer = c.states
		case strings.Contains(path, "/statuses/"):
			c.states = append([]map[string]any{sent}, c.states...)
			answer = sent
		case r.Method == http.MethodPatch:
			maps.Copy(c.runs[0], sent)
			answer = c.runs[0]
		default:
			sent["id"], sent["app"] = 1, map[string]any{"id": 77}
			c.runs = append(c.runs, sent)
			answer = sent
		}
		if err := json.NewEncoder(w).Encode(answer); err != nil {
			t.Error(err)
		}
	}))
	t.Cleanup(c.server.Close)
	return c
}

func TestCheckRunOfAnOpenPullRequest(t *testing.T) {
	github := newChecks(t)
	key := filepath.Join(t.TempDir(), "app.pem")
	if err := os.WriteFile(key, []byte(appKey(t)), 0o600); err != nil {
		t.Fatal(err)
	}
	config := app.Config{PublicURL: "https://vouch.example.com/", GitHub: app.GitHubConfig{
		URL: github.server.URL, App: app.GitHubAppConfig{ID: "77", PrivateKeyFile: key}, Report: "check_run", CheckName: "changevouch", Mode: "enforce",
	}}
	gate := acmeGate(t)
	reporter := app.NewGateReporter(config, lookup(nil), func(context.Context) (app.Gate, error) { return gate, nil })
	decision, dossier := recordedChange(t, gate, "acme_survey_440.json")
	report := func() map[string]any {
		t.Helper()
		if err := reporter.Report(t.Context(), decision, dossier); err != nil {
			t.Fatal(err)
		}
		if len(github.runs) != 1 {
			t.Fatalf("%d check runs", len(github.runs))
		}
		return github.runs[0]
	}
	text := func(run map[string]any, key string) string { return run["output"].(map[string]any)[key].(string) }

	run := report()
	if run["conclusion"] != "failure" || run["head_sha"] != head440 || run["external_id"] != decision.ID ||
		run["details_url"] != "https://vouch.example.com/v1/subjects/acme%2Fsurvey%23440?type=change" || text(run, "title") != "non-compliant: CM-4.B.1" {
		t.Errorf("nobody approved: %v", run)
	}
	if summary := text(run, "summary"); !strings.Contains(summary, `Have one independent person \(not alice\) approve the final revision.`) {
		t.Errorf("summary:\n%s", summary)
	}

	gate = acmeGate(t, reviewOf440("bob-acme", head440))
	if run = report(); run["conclusion"] != "success" || text(run, "title") != "may go ahead, and owes something afterwards" {
		t.Errorf("somebody approved: %v", run)
	}

	// Asked for again with nothing new, it is left as it is.
	before := len(github.paths)
	report()
	for _, path := range github.paths[before:] {
		if !strings.HasPrefix(path, "GET ") {
			t.Errorf("written again: %s", path)
		}
	}

	// What is decided of a newer head says nothing of this one.
	pushed, at := strings.Repeat("b", 40), gate.At.Add(-time.Minute)
	newer := reviewOf440("bob-acme", pushed)
	newer.ID, newer.Type, newer.OccurredAt = "github:pull_request:440:updated:b", "change.updated", at
	newer.Data = engine.Facts(engine.PullRequestFact{Repository: "acme/survey", Number: 440, Title: "Let teams share studies", State: "open", BaseBranch: "main", HeadSHA: pushed, CreatedAt: &at, UpdatedAt: &at})
	gate = acmeGate(t, newer, reviewOf440("bob-acme", head440), reviewOf440("bob-acme", pushed))
	if run = report(); run["conclusion"] == "success" || !strings.Contains(text(run, "summary"), "bbbbbbbbbbbb is on record as its head, not e794582ac919") {
		t.Errorf("of another head: %v", run)
	}
}

func TestStatusOfAMergedPullRequest(t *testing.T) {
	github := newChecks(t)
	token := filepath.Join(t.TempDir(), "token")
	if err := os.WriteFile(token, []byte("ghp_1"), 0o600); err != nil {
		t.Fatal(err)
	}
	config := app.Config{GitHub: app.GitHubConfig{
		URL: github.server.URL, TokenConfig: app.TokenConfig{TokenFile: token}, Report: "status", CheckName: "changevouch", Mode: "enforce",
	}}
	gate := acmeGate(t)
	decision, dossier := recordedChange(t, gate, "acme_survey_405.json")
	for _, mode := range []string{"enforce", "observe"} {
		config.GitHub.Mode = mode
		reporter := app.NewGateReporter(config, lookup(nil), func(context.Context) (app.Gate, error) {
			t.Error("what happened is not imagined")
			return gate, nil
		})
		long := decision
		long.EvaluatedAt = "2027-03-01T00:00:00Z" // nobody looks at it any more
		for _, d := range []engine.Decision{decision, long} {
			if err := reporter.Report(t.Context(), d, dossier); err != nil {
				t.Fatal(err)
			}
		}
	}
	if len(github.states) != 2 || github.states[1]["state"] != "failure" || github.states[0]["state"] != "success" ||
		!strings.HasSuffix(github.states[0]["description"].(string), "(observe only, nothing is stopped)") {
		t.Errorf("statuses %v", github.states)
	}
	if app.NewGateReporter(app.Config{GitHub: app.GitHubConfig{Report: "none"}}, nil, nil) != nil {
		t.Error("a reporter of nothing")
	}
}

// What has no commit on GitHub is left alone.
func TestReportOfOtherChanges(t *testing.T) {
	reporter := app.NewGateReporter(app.Config{GitHub: app.GitHubConfig{Report: "status"}}, lookup(nil), nil)
	for _, dossier := range []string{`{}`, `{"change":{"repository":"a/b"}}`, `{"change":{"repository":"a/b","pull_request":{}}}`, `{"change":{"pull_request":{"head_sha":"x"}}}`} {
		if err := reporter.Report(t.Context(), engine.Decision{}, []byte(dossier)); err != nil {
			t.Errorf("%s: %v", dossier, err)
		}
	}
	if err := reporter.Report(t.Context(), engine.Decision{ID: "dec_1"}, []byte(`[`)); err == nil || !strings.Contains(err.Error(), "dec_1") {
		t.Errorf("no dossier: %v", err)
	}
}
