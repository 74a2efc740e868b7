package git_test

import (
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/changevouch/changevouch/collectors"
	"github.com/changevouch/changevouch/collectors/git"
)

const fakeToken = "ghp_fake-token-of-the-tests"

// object is a JSON object of the fake server.
type object map[string]any

// fake behaves like GitHub's REST API for one repository and its organisation:
// pages with Link headers, cursors, ETags, refusals with the permission to grant.
type fake struct {
	t      testing.TB
	server *httptest.Server

	lock     sync.Mutex
	clock    time.Time
	single   map[string]object   // by path
	lists    map[string][]object // by path
	field    map[string]string   // of lists that are an object's field
	refuse   map[string]refusal  // by path or its start
	asked    []*http.Request
	tokens   []string
	trouble  func(w http.ResponseWriter, r *http.Request, n int) bool // answers instead
	modified func(r *http.Request)                                    // changes data before an answer
}

type refusal struct {
	status  int
	message string
	grant   string
}

func newFake(t testing.TB) *fake {
	f := &fake{t: t, clock: day(30), single: map[string]object{}, lists: map[string][]object{}, field: map[string]string{}, refuse: map[string]refusal{}}
	f.server = httptest.NewServer(f)
	t.Cleanup(f.server.Close)
	return f
}

func day(n int) time.Time { return time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC).AddDate(0, 0, n) }

func (f *fake) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	f.lock.Lock()
	defer f.lock.Unlock()
	f.asked = append(f.asked, r)
	w.Header().Set("Date", f.clock.Format(http.TimeFormat))
	w.Header().Set("Content-Type", "application/json; charset=utf-8")
	if f.trouble != nil && f.trouble(w, r, len(f.asked)) {
		return
	}
	if f.modified != nil {
		f.modified(r)
	}
	if got := r.Header.Get("Authorization"); got != "Bearer "+fakeToken && !slices.Contains(f.tokens, got) {
		f.answer(w, r, http.StatusUnauthorized, object{"message": "Bad credentials", "documentation_url": "https://docs.github.com/rest", "status": "401"})
		return
	}
	p := strings.TrimPrefix(r.URL.Path, "/")
	p = strings.TrimPrefix(p, "api/v3/")
	for start, no := range f.refuse {
		if p == start || strings.HasSuffix(start, "*") && strings.HasPrefix(p, strings.TrimSuffix(start, "*")) {
			if no.grant != "" {
				w.Header().Set("X-Accepted-GitHub-Permissions", no.grant)
			}
			f.answer(w, r, no.status, object{"message": no.message, "documentation_url": "https://docs.github.com/rest", "status": strconv.Itoa(no.status)})
			return
		}
	}
	if r.URL.Path == "/api/graphql" && r.Method == http.MethodPost {
		f.graphql(w, r)
		return
	}
	if o, ok := f.single[p]; ok {
		f.answer(w, r, http.StatusOK, o)
		return
	}
	list, ok := f.lists[p]
	if !ok {
		f.answer(w, r, http.StatusNotFound, object{"message": "Not Found", "documentation_url": "https://docs.github.com/rest", "status": "404"})
		return
	}
	f.list(w, r, p, slices.Clone(list))
}

// list answers one page, sorted and filtered as GitHub does.
func (f *fake) list(w http.ResponseWriter, r *http.Request, p string, list []object) {
	q := r.URL.Query()
	if since := q.Get("since"); since != "" {
		list = slices.DeleteFunc(list, func(o object) bool { return o["updated_at"].(string) < since })
	}
	if state := q.Get("state"); state != "" && state != "all" {
		list = slices.DeleteFunc(list, func(o object) bool { return o["state"] != state })
	}
	if role := q.Get("role"); role != "" {
		list = slices.DeleteFunc(list, func(o object) bool { return (o["login"] == "ann") != (role == "admin") })
	}
	if q.Get("sort") == "updated" {
		slices.SortStableFunc(list, func(a, b object) int {
			c := strings.Compare(a["updated_at"].(string), b["updated_at"].(string))
			if q.Get("direction") == "desc" {
				c = -c
			}
			return c
		})
	}
	size, page := 30, 1
	if n, err := strconv.Atoi(q.Get("per_page")); err == nil {
		size = min(n, 100)
	}
	cursor := strings.HasSuffix(p, "/activity") || strings.HasSuffix(p, "/audit-log") || strings.HasSuffix(p, "dependabot/alerts")
	name := "page"
	if cursor {
		name = "after"
	}
	if n, err := strconv.Atoi(strings.TrimPrefix(q.Get(name), "c")); err == nil {
		page = n
	}
	from := min((page-1)*size, len(list))
	to := min(from+size, len(list))
	if to < len(list) {
		next := url.Values{}
		maps.Copy(next, q)
		if cursor {
			next.Set("after", "c"+strconv.Itoa(page+1))
		} else {
			next.Set("page", strconv.Itoa(page+1))
		}
		w.Header().Set("Link", fmt.Sprintf(`<%s%s?%s>; rel="next", <%s>; rel="last"`, f.server.URL, r.URL.EscapedPath(), next.Encode(), f.server.URL))
	}
	total := len(list)
	list = list[from:to]
	if list == nil {
		list = []object{}
	}
	if field := f.field[p]; field != "" {
		f.answer(w, r, http.StatusOK, object{"total_count": total, field: list})
		return
	}
	f.answer(w, r, http.StatusOK, list)
}

func (f *fake) answer(w http.ResponseWriter, r *http.Request, status int, body any) {
	b, err := json.Marshal(body)
	if err != nil {
		panic(err)
	}
	etag := fmt.Sprintf(`"%x"`, sha256.Sum256(append(b, r.Header.Get("Authorization")...)))
	if status == http.StatusOK {
		w.Header().Set("ETag", etag)
		if r.Header.Get("If-None-Match") == etag {
			w.WriteHeader(http.StatusNotModified)
			return
		}
	}
	w.WriteHeader(status)
	if _, err := w.Write(b); err != nil && f.trouble == nil {
		f.t.Logf("answer %s: %v", r.URL, err)
	}
}

// connect opens the fake as a collector does, without waiting.
func (f *fake) connect(t testing.TB, notices *[]string) *git.GitHub {
	t.Helper()
	g, err := git.Connect(git.Options{BaseURL: f.server.URL, Token: fakeToken, Service: impatient(notices)})
	if err != nil {
		t.Fatal(err)
	}
	return g
}

// impatient waits for nothing, and notes every wait.
func impatient(notices *[]string) collectors.Service {
	transport := http.DefaultTransport.(*http.Transport).Clone()
	transport.DisableKeepAlives = true
	return collectors.Service{
		Transport: transport, Timeout: 2 * time.Second,
		Notice: func(s string) {
			if notices != nil {
				*notices = append(*notices, s)
			}
		},
		Sleep: noSleep,
	}
}

func sum(parts ...any) string {
	return fmt.Sprintf("%x", sha256.Sum256(fmt.Append(nil, parts...)))[:40]
}

func at(t time.Time) string { return t.UTC().Format(time.RFC3339) }

func person(login string) object {
	return object{"login": login, "id": len(login) * 1000, "type": "User"}
}

// shop fills the fake with a repository of n pull requests, of which each is
// merged, reviewed, deployed and has an issue.
func (f *fake) shop(n int) {
	const repo = "repos/acme/shop"
	f.single[repo] = object{"id": 1, "full_name": "acme/shop", "default_branch": "main", "has_issues": true, "url": "https://api.github.com/repos/acme/shop"}
	f.single[repo+"/branches/main"] = object{"name": "main", "protected": true, "commit": object{"sha": sum("merge", n)}}
	f.lists[repo+"/branches"] = []object{{"name": "main", "protected": true}, {"name": "release/1", "protected": true}}
	f.lists[repo+"/environments"], f.field[repo+"/environments"] = []object{{"id": 1, "name": "production", "protection_rules": []object{}, "updated_at": at(day(-20))}}, "environments"
	f.lists[repo+"/collaborators"] = []object{{"login": "ann", "id": 3000, "type": "User", "role_name": "admin"}, {"login": "bob", "id": 3001, "type": "User", "role_name": "write"}}
	for _, b := range []string{"main", "release/1"} {
		f.single[repo+"/branches/"+b+"/protection"] = object{"required_pull_request_reviews": object{"required_approving_review_count": 1}, "enforce_admins": object{"enabled": true}}
		f.lists[repo+"/rules/branches/"+b] = []object{{"type": "pull_request", "ruleset_id": 9, "parameters": object{"required_approving_review_count": 1}}, {"type": "merge_queue"}}
	}
	ruleset := object{"id": 9, "name": "main", "target": "branch", "source_type": "Repository", "source": "acme/shop", "enforcement": "active",
		"conditions": object{"ref_name": object{"include": []string{"~DEFAULT_BRANCH"}, "exclude": []string{}}},
		"rules":      []object{{"type": "pull_request", "parameters": object{"required_approving_review_count": 1}}}, "updated_at": at(day(-30))}
	f.lists[repo+"/rulesets"] = []object{{"id": 9, "name": "main", "target": "branch", "source_type": "Repository", "source": "acme/shop", "enforcement": "active"}}
	f.single[repo+"/rulesets/9"] = ruleset
	f.lists[repo+"/rulesets/9/history"] = []object{{"version_id": 2, "updated_at": at(day(3))}, {"version_id": 1, "updated_at": at(day(-30))}, {"version_id": 0, "updated_at": at(day(-300))}}
	weak := object{}
	maps.Copy(weak, ruleset)
	weak["rules"] = []object{}
	f.single[repo+"/rulesets/9/history/2"] = object{"version_id": 2, "updated_at": at(day(3)), "actor": object{"id": 3000, "type": "User"}, "state": ruleset}
	f.single[repo+"/rulesets/9/history/1"] = object{"version_id": 1, "updated_at": at(day(-30)), "state": weak}
	f.single[repo+"/rulesets/9/history/0"] = object{"version_id": 0, "updated_at": at(day(-300)), "state": ruleset}
	suite := object{"id": 70, "actor_id": 3000, "actor_name": "ann", "before_sha": sum("merge", 0), "after_sha": sum("direct", 1), "ref": "refs/heads/main", "pushed_at": at(day(2)), "result": "bypass"}
	f.lists[repo+"/rulesets/rule-suites"] = []object{suite}
	detail := object{"rule_evaluations": []object{{"result": "fail", "enforcement": "active", "rule_type": "pull_request"}}}
	maps.Copy(detail, suite)
	f.single[repo+"/rulesets/rule-suites/70"] = detail
	f.lists[repo+"/dependabot/alerts"] = []object{{"number": 1, "state": "open", "created_at": at(day(-100)), "updated_at": at(day(-100)), "dependency": object{"package": object{"name": "left-pad"}}, "security_advisory": object{"ghsa_id": "GHSA-x", "severity": "high"}}}
	f.lists[repo+"/code-scanning/alerts"] = []object{}
	f.lists[repo+"/secret-scanning/alerts"] = []object{{"number": 4, "state": "open", "created_at": at(day(1)), "updated_at": at(day(1)), "secret_type": "token", "secret": "PLANTED"}}
	f.lists[repo+"/pulls"], f.lists[repo+"/issues"], f.lists[repo+"/issues/comments"] = []object{}, []object{}, []object{}
	f.lists[repo+"/deployments"], f.lists[repo+"/activity"] = []object{}, []object{}
	for i := 1; i <= n; i++ {
		f.addPull(i, day(1).Add(time.Duration(i)*time.Minute))
	}
	f.direct()
	f.organization()
}

// addPull adds a merged pull request that was last updated at an instant.
func (f *fake) addPull(i int, updated time.Time) {
	const repo = "repos/acme/shop"
	number := 400 + i
	head, merge, before := sum("head", i), sum("merge", i), sum("merge", i-1)
	created, merged := updated.Add(-3*time.Hour), updated.Add(-time.Minute)
	pr := object{"id": 9000 + i, "number": number, "state": "closed", "title": fmt.Sprintf("Change %d", i), "body": "## Description\nIt.", "user": person("ann"),
		"created_at": at(created), "updated_at": at(updated), "closed_at": at(merged), "merged_at": at(merged), "merge_commit_sha": merge,
		"head": object{"ref": "feature", "sha": head}, "base": object{"ref": "main", "sha": before, "repo": object{"full_name": "acme/shop"}},
		"url": fmt.Sprintf("https://api.github.com/repos/acme/shop/pulls/%d", number)}
	f.lists[repo+"/pulls"] = append(f.lists[repo+"/pulls"], pr)
	full := object{"merged": true, "merged_by": person("bob"), "commits": 1, "changed_files": 1}
	maps.Copy(full, pr)
	path := func(format string, args ...any) string { return repo + "/" + fmt.Sprintf(format, args...) }
	f.single[path("pulls/%d", number)] = full
	f.lists[path("pulls/%d/reviews", number)] = []object{{"id": 100 + i, "user": person("bob"), "state": "APPROVED", "commit_id": head, "submitted_at": at(created.Add(time.Hour))}}
	f.lists[path("pulls/%d/commits", number)] = []object{commitObject(head, before, created)}
	f.lists[path("pulls/%d/files", number)] = []object{{"filename": fmt.Sprintf("f%d.go", i), "status": "modified", "additions": 1, "deletions": 0, "patch": "+x"}}
	labeled := object{"id": 5000 + i, "event": "labeled", "actor": person("ann"), "created_at": at(created.Add(time.Minute)), "label": object{"name": "standard"}}
	based := object{"id": 6000 + i, "event": "base_ref_changed", "actor": person("ann"), "created_at": at(created.Add(2 * time.Minute))}
	f.lists[path("issues/%d/timeline", number)] = []object{labeled}
	f.lists[path("issues/%d/events", number)] = []object{labeled, based}
	for _, c := range []string{head, merge} {
		f.lists[path("commits/%s/check-runs", c)], f.field[path("commits/%s/check-runs", c)] = []object{{"id": i, "name": "test", "head_sha": c, "status": "completed", "conclusion": "success",
			"started_at": at(created), "completed_at": at(created.Add(time.Hour))}}, "check_runs"
		f.lists[path("commits/%s/statuses", c)] = []object{}
	}
	f.single[path("commits/%s", merge)] = commitObject(merge, before, merged)
	f.lists[path("commits/%s/pulls", merge)] = []object{pr}
	f.single[path("compare/%s...%s", before, merge)] = object{"status": "ahead", "total_commits": 1, "base_commit": commitObject(before, before, created), "commits": []object{commitObject(merge, before, merged)}}
	f.push(object{"id": 7000 + i, "before": before, "after": merge, "ref": "refs/heads/main", "timestamp": at(merged), "activity_type": "pr_merge", "actor": person("bob")})
	f.lists[repo+"/deployments"] = append([]object{{"id": 8000 + i, "sha": merge, "ref": "main", "environment": "production", "production_environment": true, "creator": person("bob"), "created_at": at(updated)}}, f.lists[repo+"/deployments"]...)
	f.lists[path("deployments/%d/statuses", 8000+i)] = []object{{"id": 8500 + i, "state": "success", "creator": person("bob"), "created_at": at(updated.Add(time.Minute)), "environment": "production",
		"log_url": fmt.Sprintf("https://github.com/acme/shop/actions/runs/%d/job/1", 90+i), "deployment_url": fmt.Sprintf("https://api.github.com/repos/acme/shop/deployments/%d", 8000+i)}}
	f.lists[path("actions/runs/%d/approvals", 90+i)] = []object{{"state": "approved", "user": person("bob"), "environments": []object{{"id": 1, "name": "production"}}}}
	f.addIssue(1000+i, updated)
	f.lists[repo+"/issues/comments"] = append(f.lists[repo+"/issues/comments"],
		object{"id": 2000 + i, "body": "/approve", "user": person("bob"), "created_at": at(created), "updated_at": at(updated), "issue_url": fmt.Sprintf("https://api.github.com/repos/acme/shop/issues/%d", 1000+i)})
}

func commitObject(sha, parent string, when time.Time) object {
	who := object{"name": "Ann", "email": "ann@acme.example", "date": at(when)}
	return object{"sha": sha, "url": "https://api.github.com/repos/acme/shop/commits/" + sha, "author": person("ann"), "committer": person("ann"),
		"commit": object{"message": "Change\n\nIt.", "author": who, "committer": who, "tree": object{"sha": sum("tree", sha)}}, "parents": []object{{"sha": parent}}}
}

func (f *fake) push(move object) {
	f.lists["repos/acme/shop/activity"] = append([]object{move}, f.lists["repos/acme/shop/activity"]...)
}

// direct adds a push without a pull request.
func (f *fake) direct() {
	const repo = "repos/acme/shop"
	before, after := sum("merge", 0), sum("direct", 1)
	f.push(object{"id": 7999, "before": before, "after": after, "ref": "refs/heads/main", "timestamp": at(day(2)), "activity_type": "push", "actor": person("ann")})
	f.push(object{"id": 7998, "before": strings.Repeat("0", 40), "after": after, "ref": "refs/heads/side", "timestamp": at(day(2)), "activity_type": "branch_creation", "actor": person("ann")})
	f.single[repo+"/compare/"+before+"..."+after] = object{"status": "ahead", "total_commits": 1, "commits": []object{commitObject(after, before, day(2))}}
	f.lists[repo+"/commits/"+after+"/pulls"] = []object{}
	f.lists[repo+"/commits/"+after+"/check-runs"], f.field[repo+"/commits/"+after+"/check-runs"] = []object{}, "check_runs"
	f.lists[repo+"/commits/"+after+"/statuses"] = []object{}
}

func (f *fake) organization() {
	f.lists["orgs/acme/members"] = []object{person("ann"), person("bob")}
	f.lists["orgs/acme/outside_collaborators"], f.lists["orgs/acme/invitations"] = []object{}, []object{}
	f.lists["orgs/acme/installations"], f.field["orgs/acme/installations"] = []object{{"id": 5, "app_id": 6, "app_slug": "deployer", "permissions": object{"contents": "write"}, "account": object{"login": "acme"}}}, "installations"
	f.lists["orgs/acme/audit-log"] = []object{}
	for i := range 120 {
		f.lists["orgs/acme/audit-log"] = append(f.lists["orgs/acme/audit-log"], object{"_document_id": fmt.Sprintf("doc%d", i), "action": "org.add_member",
			"actor": "ann", "actor_id": 3000, "user": "bob", "user_id": 3001, "org": "acme", "created_at": day(1).Add(time.Duration(i) * time.Minute).UnixMilli(), "@timestamp": day(1).UnixMilli()})
	}
	f.lists["orgs/acme/repos"] = []object{{"full_name": "acme/shop"}, {"full_name": "acme/attic", "archived": true}}
}

// addIssue adds an incident that was last updated at an instant.
func (f *fake) addIssue(number int, updated time.Time) {
	f.lists["repos/acme/shop/issues"] = append(f.lists["repos/acme/shop/issues"], object{"id": 30000 + number, "number": number, "title": "Incident",
		"body": "### Severity\n\nhigh", "user": person("ann"), "state": "open", "labels": []object{{"name": "incident"}},
		"created_at": at(updated.Add(-3 * time.Hour)), "updated_at": at(updated), "url": fmt.Sprintf("https://api.github.com/repos/acme/shop/issues/%d", number)})
}

// graphql tells of a pull request what REST does not: it was never edited, unless
// its object has edited_at.
func (f *fake) graphql(w http.ResponseWriter, r *http.Request) {
	var q struct {
		Query     string
		Variables struct {
			Owner, Name string
			Number      int
		}
	}
	if err := json.NewDecoder(r.Body).Decode(&q); err != nil || !strings.HasPrefix(q.Query, "query(") || q.Variables.Owner+"/"+q.Variables.Name != "acme/shop" {
		f.answer(w, r, http.StatusOK, object{"errors": []object{{"message": "no such thing"}}})
		return
	}
	pr := f.single[fmt.Sprintf("repos/acme/shop/pulls/%d", q.Variables.Number)]
	node := object{"number": q.Variables.Number, "state": "MERGED", "title": pr["title"], "body": pr["body"], "author": object{"login": "ann", "__typename": "User"},
		"createdAt": pr["created_at"], "updatedAt": pr["updated_at"], "mergedAt": pr["merged_at"], "lastEditedAt": pr["edited_at"],
		"baseRefName": "main", "headRefName": "feature", "userContentEdits": object{"nodes": []object{}},
		"closingIssuesReferences": object{"nodes": []object{{"number": 1001, "repository": object{"nameWithOwner": "acme/shop"}}}},
		"timelineItems": object{"pageInfo": object{"hasNextPage": false}, "nodes": []object{{"__typename": "HeadRefForcePushedEvent", "createdAt": pr["created_at"],
			"actor": object{"login": "ann", "__typename": "User"}, "beforeCommit": object{"oid": sum("before", 1)}, "afterCommit": object{"oid": sum("head", 1)}}}}}
	f.answer(w, r, http.StatusOK, object{"data": object{"repository": object{"nameWithOwner": "acme/shop", "pullRequest": node}}})
}
