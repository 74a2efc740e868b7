package app_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
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

func TestGateClient(t *testing.T) {
	question := engine.GateQuestion{PullRequest: "acme/shop#1"}
	const compliant = `{"outcome":"compliant","decisions":[{"outcome":"compliant"}]}`
	for _, test := range []struct {
		name        string
		status      int
		body        string
		outcome     string
		fault       string
		unreachable bool
	}{
		{"answer", 200, compliant, "compliant", "", false},
		{"nothing was judged", 200, `{"outcome":"unknown","decisions":[],"problems":["x"]}`, "unknown", "", false},
		{"a sum that its parts do not give", 200, `{"outcome":"compliant","decisions":[{"outcome":"non_compliant"}]}`, "", "the answer says compliant, its decisions say non_compliant", false},
		{"no decisions, yet compliant", 200, `{"outcome":"compliant","decisions":[]}`, "", "its decisions say unknown", false},
		{"something not judged, yet compliant", 200, `{"outcome":"compliant","decisions":[{"outcome":"compliant"}],"problems":["x"]}`, "", "its decisions say unknown", false},
		{"no JSON", 200, `<html>`, "", "no answer of a gate", false},
		{"token refused", 401, `{"detail":"the token has expired"}`, "", "refused: 401 Unauthorized: the token has expired", false},
		{"role refused", 403, `{}`, "", "refused: 403", false},
		{"redirected", 302, compliant, "", "refused: 302", false},
		{"not built for it", 501, `{"detail":"this server answers no gates"}`, "", "refused: 501", false},
		{"broken", 500, `{"detail":"the log has the reason"}`, "", "answered 500 Internal Server Error: the log has the reason", true},
		{"busy", 429, `{}`, "", "answered 429", true},
	} {
		t.Run(test.name, func(t *testing.T) {
			var asked int
			server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				asked++
				body, err := io.ReadAll(r.Body)
				var got engine.GateQuestion
				if err != nil || json.Unmarshal(body, &got) != nil || got != question || r.Method != http.MethodPost || r.URL.Path != "/base/v1/gate" || r.Header.Get("Authorization") != "Bearer t0ken" {
					t.Errorf("asked %s %s %s %q", r.Method, r.URL, body, r.Header)
				}
				w.Header().Set("Location", "/elsewhere")
				w.WriteHeader(test.status)
				fmt.Fprint(w, test.body)
			}))
			defer server.Close()
			client, err := app.NewGateClient(server.URL+"/base", "t0ken")
			if err != nil {
				t.Fatal(err)
			}
			answer, err := client.Ask(t.Context(), question)
			switch {
			case test.fault == "" && (err != nil || answer.Outcome != test.outcome):
				t.Errorf("%+v, %v", answer, err)
			case test.fault != "" && (err == nil || !strings.Contains(err.Error(), test.fault)):
				t.Errorf("error %v, want %q", err, test.fault)
			case errors.Is(err, app.ErrUnreachable) != test.unreachable || asked != 1:
				t.Errorf("unreachable %v after %d requests: %v", !test.unreachable, asked, err)
			}
			if err != nil && strings.Contains(err.Error(), "t0ken") {
				t.Errorf("the token stands in %v", err)
			}
		})
	}
}

func TestGateClientWithoutServer(t *testing.T) {
	for _, address := range []string{"http://vouch.example.com", "vouch.example.com", "https://user:pw@vouch.example.com", ""} {
		if _, err := app.NewGateClient(address, "t"); err == nil {
			t.Errorf("the token would go to %q", address)
		}
	}
	if _, err := app.NewGateClient("https://vouch.example.com", ""); err == nil || !strings.Contains(err.Error(), "VOUCH_TOKEN") {
		t.Errorf("without a token: %v", err)
	}
	release := make(chan struct{})
	server := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		select {
		case <-r.Context().Done():
		case <-release:
		}
	}))
	defer server.Close()
	defer close(release)
	client, err := app.NewGateClient(server.URL, "t")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	if _, err := client.Ask(ctx, engine.GateQuestion{PullRequest: "a/b#1"}); !errors.Is(err, app.ErrUnreachable) {
		t.Errorf("a server that does not answer: %v", err)
	}
}

func TestPullRequestQuestion(t *testing.T) {
	event := func(text string) string {
		path := filepath.Join(t.TempDir(), "event.json")
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	for _, test := range []struct {
		name, said string
		env        map[string]string
		want       string
		fault      string
	}{
		{"whole", "acme/shop#12", nil, "acme/shop#12", ""},
		{"whole, in a workflow of another", "acme/shop#12", map[string]string{"GITHUB_REPOSITORY": "acme/web"}, "acme/shop#12", ""},
		{"number", "12", map[string]string{"GITHUB_REPOSITORY": "acme/shop"}, "acme/shop#12", ""},
		{"number of nothing", "#12", nil, "", "of which repository? Say OWNER/NAME#12"},
		{"event of a pull request", "", map[string]string{"GITHUB_REPOSITORY": "acme/shop", "GITHUB_EVENT_PATH": event(`{"number":7,"pull_request":{"number":7}}`)}, "acme/shop#7", ""},
		{"head of a pull request", "", map[string]string{"GITHUB_REPOSITORY": "acme/shop", "GITHUB_EVENT_PATH": event(`{"number":7,"pull_request":{"number":7,"head":{"sha":"` + strings.Repeat("c", 40) + `"}}}`)}, "acme/shop#7 " + strings.Repeat("c", 40), ""},
		{"head of a pull request that is named", "7", map[string]string{"GITHUB_REPOSITORY": "acme/shop", "GITHUB_EVENT_PATH": event(`{"number":7,"pull_request":{"number":7,"head":{"sha":"` + strings.Repeat("c", 40) + `"}}}`)}, "acme/shop#7 " + strings.Repeat("c", 40), ""},
		{"head of another pull request", "Acme/Shop#8", map[string]string{"GITHUB_REPOSITORY": "acme/shop", "GITHUB_EVENT_PATH": event(`{"number":7,"pull_request":{"number":7,"head":{"sha":"` + strings.Repeat("c", 40) + `"}}}`)}, "Acme/Shop#8", ""},
		{"head that lies", "", map[string]string{"GITHUB_REPOSITORY": "acme/shop", "GITHUB_EVENT_PATH": event(`{"number":7,"pull_request":{"number":7,"head":{"sha":"main"}}}`)}, "", "the full id of the commit"},
		{"event of a review", "", map[string]string{"GITHUB_REPOSITORY": "acme/shop", "GITHUB_EVENT_PATH": event(`{"pull_request":{"number":8}}`)}, "acme/shop#8", ""},
		{"merge queue", "", map[string]string{"GITHUB_REPOSITORY": "acme/shop", "GITHUB_EVENT_PATH": event(`{"merge_group":{}}`), "GITHUB_REF": "refs/heads/gh-readonly-queue/main/pr-9-" + strings.Repeat("a", 40)}, "acme/shop#9", ""},
		{"ref", "", map[string]string{"GITHUB_REPOSITORY": "acme/shop", "GITHUB_REF": "refs/pull/10/merge"}, "acme/shop#10", ""},
		{"push", "", map[string]string{"GITHUB_REPOSITORY": "acme/shop", "GITHUB_REF": "refs/heads/main", "GITHUB_EVENT_PATH": event(`{"ref":"x"}`)}, "", "which pull request?"},
		{"event that lies", "", map[string]string{"GITHUB_REPOSITORY": "acme/shop", "GITHUB_EVENT_PATH": event(`{"number":-1}`)}, "", "which pull request?"},
		{"no JSON", "", map[string]string{"GITHUB_EVENT_PATH": event(`{`)}, "", "GITHUB_EVENT_PATH"},
		{"nothing", "", nil, "", "which pull request?"},
		{"nonsense", "acme", nil, "", "is no pull request"},
	} {
		t.Run(test.name, func(t *testing.T) {
			q, err := app.PullRequestQuestion(test.said, lookup(test.env))
			if test.fault == "" && (err != nil || strings.TrimSpace(q.PullRequest+" "+q.Head) != test.want) || test.fault != "" && (err == nil || !strings.Contains(err.Error(), test.fault)) {
				t.Errorf("%+v, %v", q, err)
			}
		})
	}
}

func lookup(env map[string]string) func(string) (string, bool) {
	return func(name string) (string, bool) { v, ok := env[name]; return v, ok }
}

func TestRenderQuestion(t *testing.T) {
	sha := strings.Repeat("aB", 20)
	env := map[string]string{"RENDER_SERVICE_ID": "srv-1", "RENDER_GIT_COMMIT": sha, "RENDER_GIT_BRANCH": "main", "RENDER_GIT_REPO_SLUG": "acme/shop", "IS_PULL_REQUEST": "false"}
	q, err := app.RenderQuestion(lookup(env))
	want := engine.PlannedDeployment{System: "render", Service: "srv-1", Commit: strings.ToLower(sha), Repository: "acme/shop", Branch: "main"}
	if err != nil || *q.Deployment != want {
		t.Errorf("%+v, %v", q.Deployment, err)
	}
	// Without a key nobody is asked, and what is not known stays so.
	if same, err := app.FindDeploy(t.Context(), q, "", "", nil); err != nil || *same.Deployment != want {
		t.Errorf("%+v, %v", same.Deployment, err)
	}
	env["IS_PULL_REQUEST"] = "true"
	if _, err := app.RenderQuestion(lookup(env)); !errors.Is(err, app.ErrPreview) {
		t.Errorf("a preview: %v", err)
	}
	delete(env, "IS_PULL_REQUEST")
	delete(env, "RENDER_GIT_COMMIT") // of an image
	if _, err := app.RenderQuestion(lookup(env)); err == nil || !strings.Contains(err.Error(), "RENDER_GIT_COMMIT not set") {
		t.Errorf("an image: %v", err)
	}
}

func TestFindDeploy(t *testing.T) {
	sha := strings.Repeat("ab", 20)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		if strings.HasSuffix(r.URL.Path, "/deploys") {
			fmt.Fprintf(w, `[{"deploy":{"id":"dep-1","trigger":"manual","commit":{"id":%q}}}]`, sha)
			return
		}
		fmt.Fprint(w, `[{"event":{"details":{"deployId":"dep-1","trigger":{"user":{"email":"bob@acme.example"}}}}}]`)
	}))
	defer server.Close()
	q := engine.GateQuestion{Deployment: &engine.PlannedDeployment{System: "render", Service: "srv-1", Commit: sha, Repository: "acme/shop", Branch: "main"}}
	key, err := app.RenderKey("", lookup(map[string]string{"RENDER_API_KEY": "rnd_1"}))
	if err != nil {
		t.Fatal(err)
	}
	got, err := app.FindDeploy(t.Context(), q, key, server.URL, nil)
	want := engine.PlannedDeployment{System: "render", ID: "dep-1", Service: "srv-1", Commit: sha, Repository: "acme/shop", Branch: "main", Trigger: "manual", User: "bob@acme.example"}
	if err != nil || *got.Deployment != want {
		t.Errorf("%+v, %v", got.Deployment, err)
	}
}
