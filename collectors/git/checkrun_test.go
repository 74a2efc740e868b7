package git_test

import (
	"context"
	"crypto/rand"
	"crypto/rsa"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/changevouch/changevouch/collectors"
	"github.com/changevouch/changevouch/collectors/git"
)

const checkedCommit = "7a350857a350857a350857a350857a350857a350"

// board is GitHub as far as verdicts go: check runs and statuses of one commit of
// acme/shop. The app 77 is ours; another wrote a check run of the same name.
type board struct {
	server *httptest.Server

	lock     sync.Mutex
	runs     []object
	statuses []object
	asked    []string // METHOD path
	trouble  func(w http.ResponseWriter, r *http.Request, n int) bool
}

func newBoard(t *testing.T) *board {
	b := &board{runs: []object{{"id": 900, "name": "changevouch", "status": "completed", "conclusion": "success", "app": object{"id": 5, "client_id": "Iv1.other"}, "output": object{}}}}
	b.server = httptest.NewServer(b)
	t.Cleanup(b.server.Close)
	return b
}

func (b *board) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	b.lock.Lock()
	defer b.lock.Unlock()
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Date", day(0).Format(http.TimeFormat))
	path := strings.TrimPrefix(r.URL.Path, "/api/v3/")
	b.asked = append(b.asked, r.Method+" "+path)
	if b.trouble != nil && b.trouble(w, r, len(b.asked)) {
		return
	}
	body, err := io.ReadAll(r.Body)
	var sent object
	if err != nil || len(body) > 0 && json.Unmarshal(body, &sent) != nil {
		w.WriteHeader(http.StatusBadRequest)
		return
	}
	answer := func(status int, v any) {
		w.WriteHeader(status)
		_ = json.NewEncoder(w).Encode(v)
	}
	switch {
	case path == "app/installations/4/access_tokens":
		answer(http.StatusCreated, object{"token": "ghs_installed", "expires_at": day(0).Add(time.Hour).Format(time.RFC3339)})
	case r.Header.Get("Authorization") != "Bearer ghs_installed" && r.Header.Get("Authorization") != "Bearer "+fakeToken:
		answer(http.StatusUnauthorized, object{"message": "Bad credentials"})
	case r.Method == http.MethodGet && path == "repos/acme/shop/commits/"+checkedCommit+"/check-runs":
		answer(http.StatusOK, object{"total_count": len(b.runs), "check_runs": b.runs})
	case r.Method == http.MethodPost && path == "repos/acme/shop/check-runs":
		sent["id"], sent["app"] = 1000+len(b.runs), object{"id": 77}
		b.runs = append(b.runs, sent)
		answer(http.StatusCreated, sent)
	case r.Method == http.MethodPatch:
		for _, run := range b.runs {
			if path == fmt.Sprint("repos/acme/shop/check-runs/", run["id"]) {
				maps.Copy(run, sent)
				answer(http.StatusOK, run)
				return
			}
		}
		answer(http.StatusNotFound, object{"message": "Not Found"})
	case r.Method == http.MethodGet && path == "repos/acme/shop/commits/"+checkedCommit+"/statuses":
		newest := slices.Clone(b.statuses)
		slices.Reverse(newest)
		answer(http.StatusOK, newest)
	case r.Method == http.MethodPost && path == "repos/acme/shop/statuses/"+checkedCommit:
		b.statuses = append(b.statuses, sent)
		sent["id"] = len(b.statuses)
		answer(http.StatusCreated, sent)
	default:
		answer(http.StatusNotFound, object{"message": "Not Found"})
	}
}

// writes are the requests that changed something.
func (b *board) writes() []string {
	b.lock.Lock()
	defer b.lock.Unlock()
	return slices.DeleteFunc(slices.Clone(b.asked), func(s string) bool {
		return strings.HasPrefix(s, "GET ") || strings.HasSuffix(s, "/access_tokens")
	})
}

func (b *board) app(t *testing.T) *git.Reporter {
	t.Helper()
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	return b.reporter(t, git.Options{App: &git.App{ID: "77", Key: key, Owner: "acme", Installation: 4, Now: func() time.Time { return day(0) }}})
}

func (b *board) reporter(t *testing.T, o git.Options) *git.Reporter {
	t.Helper()
	o.BaseURL = b.server.URL
	o.Service = collectors.Service{Sleep: func(context.Context, time.Duration) error { return nil }}
	r, err := git.ConnectReporter(o)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func verdict(conclusion string) git.CheckRun {
	return git.CheckRun{Name: "changevouch", HeadSHA: checkedCommit, Conclusion: conclusion, Title: "non-compliant", Summary: "| a |", DetailsURL: "https://vouch.example.com/x", ExternalID: "dec_1"}
}

func TestCheckRunIsOneHoweverOftenItIsJudged(t *testing.T) {
	b := newBoard(t)
	r := b.app(t)
	write := func(c git.CheckRun) {
		t.Helper()
		if err := r.WriteCheckRun(t.Context(), "acme/shop", c); err != nil {
			t.Fatal(err)
		}
	}
	write(verdict("failure"))
	write(verdict("failure")) // says the same: nothing to write
	better := verdict("success")
	better.ExternalID, better.Title = "dec_2", strings.Repeat("ü", 200)
	write(better)
	if got, want := b.writes(), []string{"POST repos/acme/shop/check-runs", "PATCH repos/acme/shop/check-runs/1001"}; !slices.Equal(got, want) {
		t.Errorf("writes %q, want %q", got, want)
	}
	if b.runs[0]["conclusion"] != "success" || b.runs[0]["id"] != 900 {
		t.Errorf("the check run of another app was touched: %v", b.runs[0])
	}
	ours := b.runs[1]
	title := ours["output"].(map[string]any)["title"].(string)
	if ours["conclusion"] != "success" || ours["external_id"] != "dec_2" || ours["details_url"] != "https://vouch.example.com/x" || len(title) > 255 || !strings.HasSuffix(title, "ü…") {
		t.Errorf("check run %v", ours)
	}
}

func TestCheckRunKeepsGitHubsLimits(t *testing.T) {
	b := newBoard(t)
	c := verdict("failure")
	c.Summary = strings.Repeat("€", 40000)
	for i := range 120 {
		c.Annotations = append(c.Annotations, git.Annotation{Path: fmt.Sprintf("f%d", i), Level: "failure", Title: "t", Message: "m"})
	}
	var counts []int
	b.trouble = func(_ http.ResponseWriter, r *http.Request, _ int) bool {
		if r.Method == http.MethodGet || strings.HasSuffix(r.URL.Path, "access_tokens") {
			return false
		}
		body, err := io.ReadAll(r.Body)
		if err != nil {
			t.Error(err)
		}
		r.Body = io.NopCloser(strings.NewReader(string(body)))
		var sent struct {
			Output struct {
				Summary     string
				Annotations []object
			}
		}
		if err := json.Unmarshal(body, &sent); err != nil {
			t.Error(err)
		}
		if len(sent.Output.Summary) > 65535 || !strings.HasSuffix(sent.Output.Summary, "€…") {
			t.Errorf("summary of %d bytes", len(sent.Output.Summary))
		}
		counts = append(counts, len(sent.Output.Annotations))
		return false
	}
	if err := b.app(t).WriteCheckRun(t.Context(), "acme/shop", c); err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(counts, []int{50, 50, 20}) {
		t.Errorf("annotations %v", counts)
	}
}

func TestCheckRunWaitsAndTriesAgain(t *testing.T) {
	b := newBoard(t)
	tries := 0
	b.trouble = func(w http.ResponseWriter, r *http.Request, _ int) bool {
		if r.Method != http.MethodPost || strings.HasSuffix(r.URL.Path, "access_tokens") {
			return false
		}
		tries++
		switch tries {
		case 1:
			w.WriteHeader(http.StatusBadGateway)
		case 2:
			w.Header().Set("Retry-After", "30")
			w.WriteHeader(http.StatusForbidden)
			fmt.Fprint(w, `{"message":"You have exceeded a secondary rate limit"}`)
		}
		return tries < 3
	}
	if err := b.app(t).WriteCheckRun(t.Context(), "acme/shop", verdict("neutral")); err != nil || tries != 3 {
		t.Errorf("after %d tries: %v", tries, err)
	}
}

func TestReporterRefusals(t *testing.T) {
	b := newBoard(t)
	user := b.reporter(t, git.Options{Token: fakeToken})
	tests := []struct {
		name string
		do   func() error
		want string
	}{
		{"no app", func() error { return user.WriteCheckRun(t.Context(), "acme/shop", verdict("success")) }, "only a GitHub App may write check runs"},
		{"no repository", func() error { return user.WriteStatus(t.Context(), "acme/../x", verdict("success")) }, `repository "acme/../x"`},
		{"no commit", func() error {
			c := verdict("success")
			c.HeadSHA = "main"
			return user.WriteStatus(t.Context(), "acme/shop", c)
		}, `commit "main" of acme/shop is no full commit id`},
		{"not there", func() error { return user.WriteStatus(t.Context(), "acme/other", verdict("success")) }, "GitHub refuses (HTTP 404): Not Found"},
		{"bad token", func() error {
			return b.reporter(t, git.Options{Token: "stolen"}).WriteStatus(t.Context(), "acme/shop", verdict("success"))
		}, "does not accept the credentials"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			if err := test.do(); err == nil || !strings.Contains(err.Error(), test.want) || strings.Contains(err.Error(), "stolen") {
				t.Errorf("error %v, want %q", err, test.want)
			}
		})
	}
	if writes := b.writes(); len(writes) > 0 {
		t.Errorf("written: %q", writes)
	}
}

func TestStatusIsWrittenWhenItChanges(t *testing.T) {
	b := newBoard(t)
	b.statuses = []object{{"state": "success", "context": "ci", "description": "built"}}
	r := b.reporter(t, git.Options{Token: fakeToken})
	for _, conclusion := range []string{"action_required", "failure", "neutral", "success", "surprise"} {
		c := verdict(conclusion)
		c.Title = strings.Repeat("x", 300)
		if err := r.WriteStatus(t.Context(), "acme/shop", c); err != nil {
			t.Fatal(err)
		}
	}
	var states []string
	for _, s := range b.statuses[1:] {
		states = append(states, s["state"].(string))
		if description := s["description"].(string); len(description) > 140 || s["context"] != "changevouch" || s["target_url"] != "https://vouch.example.com/x" {
			t.Errorf("status %v", s)
		}
	}
	if want := []string{"failure", "success", "error"}; !slices.Equal(states, want) {
		t.Errorf("states %q, want %q: one for each change", states, want)
	}
}
