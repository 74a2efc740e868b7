package git_test

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/changevouch/changevouch/collectors"
	"github.com/changevouch/changevouch/collectors/git"
	"github.com/changevouch/changevouch/engine"
)

const shop = "repos/acme/shop"

func coverageOf(t *testing.T, s collectors.Summary, source string) engine.CoverageFact {
	t.Helper()
	for _, c := range s.Coverage {
		if c.Source == source {
			return c
		}
	}
	t.Fatalf("no coverage of %s in %+v", source, s.Coverage)
	return engine.CoverageFact{}
}

// What may not be read is named, with the permission that opens it; the rest is
// read all the same.
func TestLiveTellsMissingPermissions(t *testing.T) {
	tests := []struct {
		refuse string
		with   refusal
		source string
		fact   string
		reason string
	}{
		{shop + "/branches/*", refusal{404, "Not Found", ""}, "github", "branch_protection", "Grant Administration: read"},
		{shop + "/branches/main/protection", refusal{403, "Resource not accessible by integration", "administration=read"}, "github", "branch_protection", "Grant administration: read"},
		{shop + "/pulls", refusal{403, "Resource not accessible by personal access token", "pull_requests=read"}, "github", "pull_request", "Grant pull_requests: read"},
		{shop + "/pulls/401/reviews", refusal{403, "Resource not accessible by integration", "pull_requests=read; contents=read"}, "github", "reviews", "Grant pull_requests: read or contents: read"},
		{shop + "/issues/401/timeline", refusal{403, "Resource not accessible by integration", ""}, "github", "timeline", "Grant Issues: read (a classic token: repo)"},
		{shop + "/commits/*", refusal{403, "Resource not accessible by integration", ""}, "github", "checks", "Grant Checks: read"},
		{shop + "/activity", refusal{403, "Resource not accessible by integration", ""}, "github", "activity", "Grant Contents: read"},
		{shop + "/rulesets", refusal{404, "Not Found", ""}, "github", "rulesets", "Grant Metadata: read"},
		{shop + "/rulesets/rule-suites", refusal{404, "Not Found", ""}, "github", "rule_suites", "Administration: write (GitHub offers no less)"},
		{shop + "/deployments", refusal{403, "Resource not accessible by integration", ""}, "github", "deployments", "Grant Deployments: read"},
		{shop + "/deployments/8001/statuses", refusal{403, "Resource not accessible by integration", ""}, "github", "deployment_status", "Grant Deployments: read"},
		{shop + "/actions/*", refusal{403, "Resource not accessible by integration", ""}, "github", "run_approval", "Grant Actions: read"},
		{shop + "/environments", refusal{403, "Resource not accessible by integration", ""}, "github", "environments", "Grant Actions: read"},
		{shop + "/collaborators", refusal{403, "Must have push access to view repository collaborators.", ""}, "github", "permissions", "push"},
		{shop + "/issues", refusal{403, "Resource not accessible by integration", ""}, "issues", "issues", "Grant Issues: read"},
		{shop + "/issues/comments", refusal{403, "Resource not accessible by integration", ""}, "issues", "comments", "Grant Issues: read"},
		{shop + "/dependabot/alerts", refusal{403, "Resource not accessible by integration", ""}, "scanner", "vulnerabilities", "Grant Dependabot alerts: read (a classic token: security_events)"},
	}
	for _, tc := range tests {
		t.Run(tc.refuse, func(t *testing.T) {
			t.Parallel()
			f := newFake(t)
			f.shop(1)
			f.refuse[tc.refuse] = tc.with
			s, r := collect(t, repository(t, f), march, t.TempDir())
			c := coverageOf(t, s, tc.source)
			if c.Status != "incomplete" || !slices.Contains(c.Missing, tc.fact) {
				t.Fatalf("coverage %+v", c)
			}
			for _, want := range []string{tc.reason, tc.with.message} {
				if !strings.Contains(c.Reason, want) {
					t.Errorf("reason %q lacks %q", c.Reason, want)
				}
			}
			if len(r.Events) < 20 {
				t.Errorf("only %d events came out beside the gap", len(r.Events))
			}
		})
	}
}

// A scanner that does not run finds nothing; one that may not be read might have.
func TestLiveTellsScannersApart(t *testing.T) {
	f := newFake(t)
	f.shop(1)
	f.refuse[shop+"/code-scanning/alerts"] = refusal{403, "Advanced Security must be enabled for this repository to use code scanning.", ""}
	f.refuse[shop+"/secret-scanning/alerts"] = refusal{404, "Secret scanning is disabled on this repository.", ""}
	s, _ := collect(t, repository(t, f), march, t.TempDir())
	if c := coverageOf(t, s, "scanner"); c.Status != "complete" || s.Ignored["code-scanning is switched off"] != 1 || s.Ignored["secret-scanning is switched off"] != 1 {
		t.Errorf("coverage %+v, ignored %v", c, s.Ignored)
	}
	f.refuse[shop+"/dependabot/alerts"] = refusal{403, "Dependabot alerts are disabled for this repository.", ""}
	s, _ = collect(t, repository(t, f), march, t.TempDir())
	if c := coverageOf(t, s, "scanner"); c.Status != "incomplete" || !slices.Contains(c.Missing, "vulnerabilities") || !strings.Contains(c.Reason, "no scanner") {
		t.Errorf("without any scanner: %+v", c)
	}
}

// GitHub cuts long lists without a word.
func TestLiveTellsCutLists(t *testing.T) {
	f := newFake(t)
	f.shop(2)
	var commits, files []object
	for i := range 250 {
		commits = append(commits, commitObject(sum("long", i), sum("long", i-1), day(1)))
	}
	for i := range 3000 {
		files = append(files, object{"filename": fmt.Sprint("f", i), "status": "added"})
	}
	f.lists[shop+"/pulls/402/commits"], f.lists[shop+"/pulls/402/files"] = commits, files
	s, r := collect(t, repository(t, f), march, t.TempDir())
	c := coverageOf(t, s, "github")
	for _, want := range []string{"commits incomplete for 1, first acme/shop#402: GitHub lists at most 250", "files incomplete for 1, first acme/shop#402: GitHub lists at most 3000"} {
		if !strings.Contains(c.Reason, want) {
			t.Errorf("reason %q lacks %q", c.Reason, want)
		}
	}
	incomplete := 0
	for _, e := range r.Events {
		if e.Type == "coverage.recorded" && e.Subject.ID == "acme/shop#402" && strings.Contains(string(e.Data), `"incomplete"`) {
			incomplete++
		}
	}
	if incomplete != 2 {
		t.Errorf("%d incomplete answers about the pull request, want 2", incomplete)
	}
}

// A list whose last page is full is no cut list: the server says where it ends.
func TestLiveReadsFullLastPages(t *testing.T) {
	f := newFake(t)
	f.shop(1)
	var reviews []object
	for i := range 200 {
		reviews = append(reviews, object{"id": 100 + i, "user": person("bob"), "state": "COMMENTED", "commit_id": sum("head", 1), "submitted_at": at(day(1))})
	}
	f.lists[shop+"/pulls/401/reviews"] = reviews
	s, r := collect(t, repository(t, f), march, t.TempDir())
	if c := coverageOf(t, s, "github"); c.Status != "complete" || c.Reason != "" || countTypes(r.Events)["change.reviewed"] != 200 {
		t.Errorf("coverage %+v, %d reviews", c, countTypes(r.Events)["change.reviewed"])
	}
}

// GitHub keeps rule suites for a month: what lies before is not known.
func TestLiveTellsWhatGitHubForgot(t *testing.T) {
	f := newFake(t)
	f.shop(1)
	s, _ := collect(t, repository(t, f), collectors.Window{Since: day(-60), Until: day(30)}, t.TempDir())
	var got []string
	for _, c := range s.Coverage {
		if c.Source == "github" {
			got = append(got, fmt.Sprint(c.From.Format("01-02"), " ", c.To.Format("01-02"), " ", c.Missing))
		}
	}
	slices.Sort(got)
	if want := []string{"03-01 03-31 []", "12-31 03-01 [rule_suites]"}; !slices.Equal(got, want) {
		t.Errorf("coverage %v, want %v", got, want)
	}
}

// Without the repository itself nothing can be read, and that is an error.
func TestLiveNeedsTheRepository(t *testing.T) {
	f := newFake(t)
	c, err := f.connect(t, nil).Repository("acme/shop")
	if err != nil {
		t.Fatal(err)
	}
	folder, err := collectors.OpenFolder(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	defer folder.Close()
	if _, err := collectors.Run(t.Context(), c, march, folder, nil); err == nil || !strings.Contains(err.Error(), "Grant Metadata: read") {
		t.Errorf("error %v", err)
	}
	g, err := git.Connect(git.Options{BaseURL: f.server.URL, Token: "wrong-token", Service: impatient(nil)})
	if err != nil {
		t.Fatal(err)
	}
	if c, err = g.Repository("acme/shop"); err != nil {
		t.Fatal(err)
	}
	if _, err := collectors.Run(t.Context(), c, march, folder, nil); err == nil || !strings.Contains(err.Error(), "does not accept the credentials") || strings.Contains(err.Error(), "wrong-token") {
		t.Errorf("error %v", err)
	}
	for _, name := range []string{"shop", "acme/", "acme/sh op", "acme/shop/../../orgs", "../x", "acme/.."} {
		if _, err := g.Repository(name); err == nil {
			t.Errorf("took %q for a repository", name)
		}
	}
}

// An unreliable server changes nothing but the time it takes.
func TestLiveSurvivesTrouble(t *testing.T) {
	f := newFake(t)
	f.shop(5)
	_, want := collect(t, repository(t, f), march, t.TempDir())
	var notices []string
	f.trouble = func(w http.ResponseWriter, _ *http.Request, n int) bool {
		switch n % 7 {
		case 1:
			w.WriteHeader(http.StatusBadGateway)
		case 2:
			w.Header().Set("Retry-After", "60")
			w.WriteHeader(http.StatusForbidden)
			fmt.Fprint(w, `{"message":"You have exceeded a secondary rate limit","documentation_url":"https://docs.github.com/rest/overview/rate-limits-for-the-rest-api#about-secondary-rate-limits"}`)
		case 3:
			w.Header().Set("X-RateLimit-Remaining", "0")
			w.Header().Set("X-RateLimit-Reset", fmt.Sprint(f.clock.Add(10*time.Minute).Unix()))
			w.WriteHeader(http.StatusTooManyRequests)
		case 4:
			w.Header().Set("Content-Length", "1000")
			fmt.Fprint(w, "[")
			w.(http.Flusher).Flush()
			panic(http.ErrAbortHandler)
		default:
			// The last request before the limit: go-github must not refuse the next.
			w.Header().Set("X-RateLimit-Remaining", "0")
			w.Header().Set("X-RateLimit-Reset", fmt.Sprint(time.Now().Add(time.Hour).Unix()))
			return false
		}
		return true
	}
	c, err := f.connect(t, &notices).Repository("acme/shop")
	if err != nil {
		t.Fatal(err)
	}
	_, got := collect(t, c, march, t.TempDir())
	if ndjson(t, want.Events) != ndjson(t, got.Events) {
		t.Error("trouble changed the events")
	}
	for _, word := range []string{"502", "waiting 1m0s", "waiting 10m1s", "unexpected EOF"} {
		if !slices.ContainsFunc(notices, func(s string) bool { return strings.Contains(s, word) }) {
			t.Errorf("nobody was told of %q", word)
		}
	}
}

// Records that move between pages while they are being read are not lost.
func TestLiveReadsMovingLists(t *testing.T) {
	f := newFake(t)
	f.shop(0)
	for i := 1; i <= 140; i++ {
		f.addIssue(i, day(1).Add(time.Duration(i)*time.Minute))
	}
	for i := 1; i <= 110; i++ {
		number := 9000 + i
		o := object{"id": number, "number": number, "state": "open", "user": person("ann"), "created_at": at(day(1)), "updated_at": at(day(2).Add(time.Duration(i) * time.Minute)),
			"head": object{"ref": "x", "sha": ""}, "base": object{"ref": "main"}, "merged": false}
		f.lists[shop+"/pulls"] = append(f.lists[shop+"/pulls"], o)
		f.single[fmt.Sprint(shop, "/pulls/", number)] = o
		for _, list := range []string{"pulls/%d/reviews", "pulls/%d/commits", "pulls/%d/files", "issues/%d/timeline", "issues/%d/events"} {
			f.lists[shop+"/"+fmt.Sprintf(list, number)] = nil
		}
	}
	moved := 0
	f.modified = func(r *http.Request) {
		if r.URL.Path != "/api/v3/"+shop+"/pulls" && r.URL.Path != "/api/v3/"+shop+"/issues" || moved >= 30 {
			return
		}
		// Before each page somebody comments on one of the oldest issues and pull
		// requests: the ones have been shown, the others have not.
		moved++
		now := at(day(5).Add(time.Duration(moved) * time.Minute))
		f.lists[shop+"/issues"][moved]["updated_at"] = now
		f.lists[shop+"/pulls"][moved]["updated_at"] = now
	}
	_, r := collect(t, repository(t, f), march, t.TempDir())
	seen := map[string]bool{}
	for _, e := range r.Events {
		if e.Type == "change.created" || e.Type == "incident.detected" {
			seen[e.Type+e.Subject.ID] = true
		}
	}
	if len(seen) != 250 || moved < 4 {
		t.Errorf("saw %d of 250 records, of which %d moved", len(seen), moved)
	}
}

// The next run reads what is new and what overlaps, no more, and loses nothing of
// what it saw before.
func TestLiveGoesOn(t *testing.T) {
	f := newFake(t)
	f.shop(8)
	dir := t.TempDir()
	f.clock = day(10)
	_, first := collect(t, repository(t, f), collectors.Window{Since: day(0), Until: day(10)}, dir)
	f.addPull(20, day(12))
	approved := f.lists[shop+"/pulls/408/reviews"][0]
	approved["state"] = "DISMISSED"
	f.lists[shop+"/pulls"][7]["updated_at"] = at(day(11))
	f.single[shop+"/pulls/408"]["updated_at"] = at(day(11))
	f.clock = day(15)
	before := len(f.asked)
	s, r := collect(t, repository(t, f), collectors.Window{Since: day(0), Until: day(15)}, dir)
	var pulls []string
	for _, r := range f.asked[before:] {
		if number, ok := strings.CutPrefix(r.URL.Path, "/api/v3/"+shop+"/pulls/4"); ok && !strings.Contains(number, "/") {
			pulls = append(pulls, "4"+number)
		}
	}
	if !slices.Equal(pulls, []string{"408", "420"}) {
		t.Errorf("read the pull requests %v, want the two that are new", pulls)
	}
	if c := coverageOf(t, s, "github"); !c.From.Equal(day(10).Add(-time.Hour)) || !c.To.Equal(day(15)) {
		t.Errorf("covers %s to %s", c.From, c.To)
	}
	states, kept := map[string]bool{}, map[string]bool{}
	for _, e := range r.Events {
		kept[e.ID] = true
		if e.Type == "change.reviewed" && e.Subject.ID == "acme/shop#408" {
			states[e.ID] = true
		}
	}
	if !states["github:review:108"] || !states["github:review:108:dismissed"] {
		t.Errorf("of the dismissed approval there is %v", states)
	}
	for _, e := range first.Events {
		if !kept[e.ID] {
			t.Errorf("the second run lost %s", e.ID)
		}
	}
}

// Only of a description that nobody edited it is known what it was; where GraphQL
// does not answer, of none. Nothing else is lost for that.
func TestLiveTellsEditedDescriptions(t *testing.T) {
	f := newFake(t)
	f.shop(2)
	f.single[shop+"/pulls/402"]["edited_at"] = at(day(4))
	known := func() (subjects []string) {
		_, r := collect(t, repository(t, f), march, t.TempDir())
		for _, e := range r.Events {
			if e.Type == "coverage.recorded" && strings.Contains(string(e.Data), `"body_history"`) {
				subjects = append(subjects, e.Subject.ID)
			}
		}
		if n := countTypes(r.Events)["change.reviewed"]; n != 2 {
			t.Errorf("%d reviews, want 2", n)
		}
		return subjects
	}
	if got := known(); !slices.Equal(got, []string{"acme/shop#401"}) {
		t.Errorf("known of %v", got)
	}
	f.refuse["api/graphql"] = refusal{404, "Not Found", ""}
	if got := known(); len(got) != 0 {
		t.Errorf("without GraphQL known of %v", got)
	}
}
