package cli

import (
	"bytes"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/changevouch/changevouch/cmd/vouch/internal/app"
	"github.com/changevouch/changevouch/collectors"
	"github.com/changevouch/changevouch/engine"
	"github.com/changevouch/changevouch/schemas"
)

// gitHub knows one repository with two issues, and forbids everything else.
func gitHub(t *testing.T) *httptest.Server {
	t.Helper()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Date", "Sun, 22 Nov 2026 12:00:00 GMT")
		body := ""
		switch strings.TrimPrefix(r.URL.Path, "/api/v3/") {
		case "repos/acme/shop":
			body = `{"full_name":"acme/shop","default_branch":"main","has_issues":true}`
		case "repos/acme/shop/issues":
			body = `[{"id":1,"number":1,"title":"One","state":"open","user":{"login":"ann","id":3},"created_at":"2026-11-20T10:00:00Z","updated_at":"2026-11-20T10:00:00Z"},
				{"id":2,"number":2,"title":"Two","state":"open","user":{"login":"bob","id":4},"created_at":"2026-11-21T10:00:00Z","updated_at":"2026-11-21T10:00:00Z"}]`
		}
		switch {
		case r.Header.Get("Authorization") != "Bearer the-secret-token":
			w.WriteHeader(http.StatusUnauthorized)
			body = `{"message":"Bad credentials","documentation_url":"x"}`
		case body == "":
			w.WriteHeader(http.StatusForbidden)
			body = `{"message":"Resource not accessible by personal access token","documentation_url":"x"}`
		}
		fmt.Fprint(w, body)
	}))
	t.Cleanup(server.Close)
	return server
}

// collectFrom runs vouch collect git on that server.
func collectFrom(t *testing.T, server *httptest.Server, token string, args ...string) (code int, stdout, stderr string) {
	t.Helper()
	var out, told bytes.Buffer
	sys := System{
		Stdin: strings.NewReader(""), Stdout: &out, Stderr: &told, Version: "test",
		Now: func() time.Time { return time.Date(2026, 11, 22, 11, 0, 0, 0, time.UTC) },
		LookupEnv: func(name string) (string, bool) {
			v := map[string]string{"VOUCH_GITHUB_TOKEN": token}[name]
			return v, v != ""
		},
	}
	args = append([]string{"collect", "git", "--github", "acme/shop", "--base-url", server.URL}, args...)
	code = Run(t.Context(), sys, args)
	if token != "" && strings.Contains(out.String()+told.String(), token) {
		t.Errorf("the token came out:\n%s%s", out.String(), told.String())
	}
	return code, out.String(), told.String()
}

func TestCollectLive(t *testing.T) {
	server := gitHub(t)
	code, stdout, stderr := collectFrom(t, server, "the-secret-token")
	if code != 0 || strings.Count(stdout, `"type":"issue.recorded"`) != 2 {
		t.Fatalf("exit code %d, output:\n%s%s", code, stdout, stderr)
	}
	for _, want := range []string{
		"127.0.0.1", "/acme/shop: ", "issues incomplete, 2026-08-24T11:00:00Z to 2026-11-22T11:00:00Z", "comments: GitHub answered: Resource not accessible",
		"github incomplete", "Grant Pull requests: read (a classic token: repo)", "scanner incomplete", "Grant Dependabot alerts: read (a classic token: security_events)",
	} {
		if !strings.Contains(stderr, want) {
			t.Errorf("standard error lacks %q:\n%s", want, stderr)
		}
	}
}

func TestCollectLiveInto(t *testing.T) {
	server := gitHub(t)
	dir := filepath.Join(t.TempDir(), "events")
	if code, stdout, stderr := collectFrom(t, server, "the-secret-token", "--into", dir, "--dry-run"); code != 0 || stdout != "" || !strings.Contains(stderr, "none kept") {
		t.Fatalf("dry run: exit code %d, output:\n%s%s", code, stdout, stderr)
	}
	if r, err := collectors.ReadEvents(t.Context(), dir); err == nil {
		t.Fatalf("a dry run kept %d events", len(r.Events))
	}
	for _, since := range []string{"30d", "2026-11-01T00:00:00Z"} { // the second goes on from the first
		if code, stdout, stderr := collectFrom(t, server, "the-secret-token", "--into", dir, "--since", since); code != 0 || stdout != "" {
			t.Fatalf("exit code %d, output:\n%s%s", code, stdout, stderr)
		}
	}
	docs, err := app.OpenDocuments(t.Context(), schemas.Event, []string{dir}, nil, time.Time{})
	if err != nil {
		t.Fatal(err)
	}
	defer docs.Close()
	events, err := app.ReadEvents(t.Context(), docs, func(fault string) { t.Error(fault) })
	if err != nil {
		t.Fatal(err)
	}
	issues := map[string]bool{} // what overlaps is there twice
	for _, e := range events {
		if e.Type == "issue.recorded" {
			issues[e.ID] = true
		}
	}
	if len(issues) != 2 {
		t.Errorf("the folder holds %d issues, want 2", len(issues))
	}
}

func TestCollectLiveRefuses(t *testing.T) {
	server := gitHub(t)
	busy, err := collectors.OpenFolder(filepath.Join(t.TempDir(), "busy"))
	if err != nil {
		t.Fatal(err)
	}
	defer busy.Close()
	empty := filepath.Join(t.TempDir(), "token")
	if err := os.WriteFile(empty, []byte(" \n"), 0o600); err != nil {
		t.Fatal(err)
	}
	tests := []struct {
		name, token string
		args        []string
		want        string
	}{
		{"no credentials", "", nil, "no credentials for GitHub: set VOUCH_GITHUB_TOKEN"},
		{"wrong credentials", "wrong", nil, "does not accept the credentials (Bad credentials)"},
		{"empty token file", "", []string{"--token-file", empty}, "token is empty"},
		{"half an app", "", []string{"--app-id", "7"}, "both its id and its private key file"},
		{"no key", "", []string{"--app-id", "7", "--app-key", empty}, "key of GitHub App 7"},
		{"no repository", "x-token", []string{"--github", "shop"}, `repository "shop": expected OWNER/NAME`},
		{"no instant", "x-token", []string{"--since", "yesterday"}, `--since "yesterday" is neither`},
		{"backwards", "the-secret-token", []string{"--until", "100d"}, "the window ends"},
		{"two places", "x-token", []string{"--into", "a", "--out", "b"}, "not both"},
		{"recordings into a folder", "x-token", []string{"--into", "a", "--from", "b"}, "--into: for live systems, not for recordings"},
	}
	for _, tc := range tests {
		t.Run(tc.name, func(t *testing.T) {
			code, stdout, stderr := collectFrom(t, server, tc.token, tc.args...)
			if code != 1 || stdout != "" || !strings.Contains(stderr, tc.want) {
				t.Errorf("exit code %d, output %q, want %q in:\n%s", code, stdout, tc.want, stderr)
			}
		})
	}
}

func TestMoment(t *testing.T) {
	now := time.Date(2026, 11, 22, 11, 0, 0, 0, time.UTC)
	for value, want := range map[string]string{"": "2026-11-22T11:00:00Z", "30d": "2026-10-23T11:00:00Z", "12h": "2026-11-21T23:00:00Z",
		"2026-11-01T01:00:00+01:00": "2026-11-01T00:00:00Z", "-1d": "", "1y": "", "d": "", "99999999d": "", "2026-11-01": ""} {
		got, err := moment("since", value, now)
		if want == "" && err == nil || want != "" && (err != nil || got.Format(time.RFC3339) != want) {
			t.Errorf("%q is %s (%v), want %s", value, got, err, want)
		}
	}
}

func TestFollowing(t *testing.T) {
	f := &following{}
	events := func(n int) []engine.Event { return make([]engine.Event, n) }
	for _, c := range []struct {
		batch collectors.Batch
		want  string
	}{
		{collectors.Batch{}, "connecting"},
		{collectors.Batch{Step: "repository", Events: events(1)}, "github.com/acme/shop 1 step, 1 event, last repository"},
		{collectors.Batch{Step: "pulls/412", Events: events(40), Done: 3, Total: 12}, "github.com/acme/shop [#####---------------] 3 of 12, 41 events, last pulls/412"},
		{collectors.Batch{Step: "pulls/415", Done: 13, Total: 12}, "github.com/acme/shop [####################] 13 of 12, 41 events, last pulls/415"},
		{collectors.Batch{Step: "issues"}, "github.com/acme/shop 4 steps, 41 events, last issues"},
	} {
		if c.batch.Step != "" {
			f.step("github.com/acme/shop", c.batch)
		}
		if got := f.text(); got != c.want {
			t.Errorf("shows %q, want %q", got, c.want)
		}
	}
}
