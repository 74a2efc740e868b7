//go:build live

package git_test

import (
	"net/http"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/changevouch/changevouch/collectors"
	"github.com/changevouch/changevouch/collectors/git"
)

// What the fake server pins must hold at GitHub itself: `make live` reads the
// repository VOUCH_LIVE_GITHUB (OWNER/NAME) of the server VOUCH_LIVE_GITHUB_URL
// (default github.com) with VOUCH_GITHUB_TOKEN, a week of it.
func TestRealRepository(t *testing.T) {
	name, token := os.Getenv("VOUCH_LIVE_GITHUB"), os.Getenv("VOUCH_GITHUB_TOKEN")
	if name == "" || token == "" {
		t.Fatal("set VOUCH_LIVE_GITHUB=OWNER/NAME and VOUCH_GITHUB_TOKEN")
	}
	written, err := os.ReadFile("testdata/contract.golden")
	if err != nil {
		t.Fatal(err)
	}
	transport := &http.Transport{Proxy: http.ProxyFromEnvironment, ForceAttemptHTTP2: true}
	defer transport.CloseIdleConnections()
	c := &tap{RoundTripper: transport, answers: map[string][]byte{}}
	g, err := git.Connect(git.Options{BaseURL: os.Getenv("VOUCH_LIVE_GITHUB_URL"), Token: token,
		Service: collectors.Service{Transport: c, Notice: func(s string) { t.Log(s) }}})
	if err != nil {
		t.Fatal(err)
	}
	one, err := g.Repository(name)
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	now := time.Now().UTC()
	s, first := collect(t, one, collectors.Window{Since: now.AddDate(0, 0, -7), Until: now}, dir)
	for _, f := range s.Faults {
		t.Errorf("GitHub answered what is not understood: %v", f)
	}
	for _, c := range s.Coverage {
		t.Logf("%s %s %v: %s", c.Source, c.Status, c.Missing, c.Reason)
	}
	if len(first.Events) == 0 || len(s.Coverage) < 3 {
		t.Errorf("%d events, coverage %+v", len(first.Events), s.Coverage)
	}
	for _, r := range c.requests {
		asked := strings.NewReplacer("/api/v3/", "/", "repos/"+name, "repos/acme/shop").Replace(r.URL.String())
		pinned, err := http.NewRequestWithContext(t.Context(), http.MethodGet, asked, nil)
		if err != nil {
			t.Fatal(err)
		}
		kind, _, _ := strings.Cut(strings.TrimPrefix(endpoint(pinned), "GET /"), "?")
		if kind = strings.TrimPrefix(kind, "GET "); !strings.Contains(kind, "branches/") && !strings.Contains(string(written), "GET "+kind) {
			t.Errorf("the contract does not pin %s", kind)
		}
	}
	again, second := collect(t, one, collectors.Window{Since: now.AddDate(0, 0, -7), Until: time.Now().UTC()}, dir)
	var ids []string
	for _, e := range second.Events {
		ids = append(ids, e.ID)
	}
	slices.Sort(ids)
	for _, e := range first.Events {
		if _, kept := slices.BinarySearch(ids, e.ID); !kept {
			t.Errorf("the second run lost %s", e.ID)
		}
	}
	if again.Steps > s.Steps {
		t.Errorf("the second run took %d steps, the first %d", again.Steps, s.Steps)
	}
	if strings.Contains(ndjson(t, second.Events), token) {
		t.Error("the token came into an event")
	}
}
