package render_test

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"

	"github.com/changevouch/changevouch/collectors"
	"github.com/changevouch/changevouch/collectors/collectorstest"
	"github.com/changevouch/changevouch/collectors/render"
	"github.com/changevouch/changevouch/engine"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// planted is a secret in every field of the fake service that may hold one.
const planted = "s3cr3t-VALUE-never-to-be-seen"

const apiKey = "rnd_testkey0123456789"

var window = collectors.Window{
	Since: time.Date(2026, 8, 1, 0, 0, 0, 0, time.UTC),
	Until: time.Date(2026, 9, 10, 6, 0, 0, 0, time.UTC),
}

type row = map[string]any

var (
	collect = collectorstest.Collect
	facts   = collectorstest.Facts
	count   = collectorstest.Count
)

// workspace is a service that behaves like Render's API for one workspace.
type workspace struct {
	lock     sync.Mutex
	now      time.Time
	lists    map[string][]row // by path below /v1
	before   func(w http.ResponseWriter, r *http.Request) bool
	requests []string
	answers  map[string][]byte // as a recording holds them
	page     int               // records of a page at most, 0 for what is asked
}

func newWorkspace() *workspace {
	s := &workspace{now: window.Until, answers: map[string][]byte{}, lists: map[string][]row{}, page: 3}
	for i := range 2 {
		id := fmt.Sprintf("srv-%020d", i)
		s.lists["services"] = append(s.lists["services"], row{"service": row{
			"id": id, "name": fmt.Sprintf("api-%d", i), "ownerId": "tea-1", "type": "web_service", "createdAt": "2026-01-01T00:00:00Z", "updatedAt": "2026-08-02T00:00:00Z",
			"repo": "https://github.com/acme/shop", "branch": "main", "autoDeploy": "yes", "autoDeployTrigger": "checksPass", "suspended": "not_suspended", "environmentId": "evm-1",
			"serviceDetails": row{
				"plan": "standard", "numInstances": 2, "region": "oregon", "ipAllowList": []row{{"cidrBlock": "0.0.0.0/0", "description": planted}},
				"envSpecificDetails": row{"buildCommand": "npm ci", "startCommand": "TOKEN=" + planted + " npm start", "preDeployCommand": "./gate"},
			},
		}})
		for d := range 5 {
			at := window.Since.Add(time.Duration(d)*190*time.Hour + time.Duration(i)*time.Minute)
			deploy := fmt.Sprintf("dep-%d-%03d", i, d)
			s.lists["services/"+id+"/deploys"] = append(s.lists["services/"+id+"/deploys"], row{"deploy": row{
				"id": deploy, "status": map[bool]string{true: "live", false: "deactivated"}[d == 4], "trigger": "new_commit", "commit": row{"id": fmt.Sprintf("%040x", d+1), "message": "change"},
				"createdAt": stamp(at), "startedAt": stamp(at), "finishedAt": stamp(at.Add(2 * time.Minute)), "updatedAt": stamp(at.Add(3 * time.Minute)),
			}})
			s.lists["services/"+id+"/events"] = append(s.lists["services/"+id+"/events"],
				row{"event": row{"id": "evt-s" + deploy, "serviceId": id, "type": "deploy_started", "timestamp": stamp(at), "details": row{"deployId": deploy, "trigger": row{"newCommit": fmt.Sprintf("%040x", d+1), "manual": false, "user": row{"id": "usr-1", "email": "dana@acme.example"}}}}},
				row{"event": row{"id": "evt-e" + deploy, "serviceId": id, "type": "deploy_ended", "timestamp": stamp(at.Add(2 * time.Minute)), "details": row{"deployId": deploy, "deployStatus": "succeeded", "reason": row{}}}})
		}
		s.lists["services/"+id+"/jobs"] = []row{{"job": row{"id": fmt.Sprintf("job-%d", i), "serviceId": id, "startCommand": "PASSWORD=" + planted + " psql", "createdAt": "2026-09-01T10:00:00Z", "status": "succeeded"}}}
		s.lists["services/"+id+"/custom-domains"] = []row{{"customDomain": row{"id": fmt.Sprintf("cdm-%d", i), "name": fmt.Sprintf("shop%d.example", i), "createdAt": "2026-08-03T00:00:00Z", "server": row{"id": id, "name": "api"}}}}
	}
	s.lists["services"] = append(s.lists["services"], row{"service": row{"id": "srv-preview", "name": "api PR #1", "type": "web_service", "updatedAt": "2026-08-02T00:00:00Z", "serviceDetails": row{"parentServer": row{"id": "srv-1"}}}})
	s.lists["projects"] = []row{{"project": row{"id": "prj-1", "name": "shop"}}}
	s.lists["environments"] = []row{{"environment": row{"id": "evm-1", "name": "Production", "projectId": "prj-1", "protectedStatus": "protected", "networkIsolationEnabled": true, "ipAllowList": []row{}}}}
	s.lists["owners/tea-1/members"] = []row{
		{"userId": "usr-1", "name": "Dana", "email": "dana@acme.example", "status": "active", "role": "ADMIN", "mfaEnabled": true},
		{"userId": "usr-2", "name": "Devon", "email": "devon@acme.example", "status": "active", "role": "DEVELOPER", "mfaEnabled": true},
	}
	s.lists["env-groups"] = []row{{"id": "evg-1", "name": "shared", "ownerId": "tea-1", "createdAt": "2026-01-01T00:00:00Z", "updatedAt": "2026-08-20T00:00:00Z",
		"serviceLinks": []row{{"id": "srv-1", "name": planted}}, "envVars": []row{{"key": "STRIPE_KEY", "value": planted}}}}
	s.lists["postgres"] = []row{{"postgres": row{"id": "dpg-1-a", "name": "db", "plan": "pro", "suspended": "not_suspended", "ipAllowList": []row{}, "updatedAt": "2026-08-01T00:00:00Z", "databaseUser": planted}}}
	s.lists["key-value"] = []row{}
	s.lists["blueprints"] = []row{{"blueprint": row{"id": "exs-1", "name": "shop", "autoSync": true, "branch": "main", "path": "render.yaml", "repo": "https://github.com/acme/shop", "status": "in_sync"}}}
	s.lists["blueprints/exs-1/syncs"] = []row{{"sync": row{"id": "exe-1", "commit": row{"id": fmt.Sprintf("%040x", 7)}, "state": "success", "startedAt": "2026-09-01T12:00:00Z", "completedAt": "2026-09-01T12:01:00Z"}}}
	for i := range 5 {
		s.lists["owners/tea-1/audit-logs"] = append(s.lists["owners/tea-1/audit-logs"], row{"auditLog": row{
			"id": fmt.Sprintf("aud-%03d", i), "timestamp": stamp(window.Since.Add(time.Duration(i) * 190 * time.Hour)), "event": "UpdateEnvVarsEvent", "status": "success",
			"actor": row{"type": "user", "email": "dana@acme.example", "id": "usr-1"}, "metadata": row{"service": "srv-1", "environment_variable": "STRIPE_KEY", "value": planted, "source_ip": "203.0.113.9"},
		}})
	}
	return s
}

// small is a workspace of one service with a short history.
func small() *workspace {
	s := newWorkspace()
	s.page = 2
	s.lists["services"] = s.lists["services"][:1]
	for path, list := range s.lists {
		s.lists[path] = list[:min(len(list), 3)]
	}
	return s
}

func stamp(t time.Time) string { return t.UTC().Format(time.RFC3339Nano) }

// valuable are the places that return secrets: nobody may ask there.
func valuable(path string) bool {
	return strings.Contains(path, "env-vars") || strings.Contains(path, "secret-files") || strings.Contains(path, "connection-info") ||
		strings.Contains(path, "credentials") || strings.HasPrefix(path, "webhooks") || strings.HasPrefix(path, "env-groups/")
}

func (s *workspace) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s.lock.Lock()
	defer s.lock.Unlock()
	s.requests = append(s.requests, r.Method+" "+r.URL.RequestURI())
	w.Header().Set("Date", s.now.Format(http.TimeFormat))
	w.Header().Set("Content-Type", "application/json; charset=utf-8")
	path := strings.TrimPrefix(r.URL.Path, "/v1/")
	switch {
	case r.Header.Get("Authorization") != "Bearer "+apiKey || r.Header.Get("Accept") != "application/json" || r.Method != http.MethodGet || valuable(path):
		http.Error(w, `{"message":"test: no such request may be made"}`, http.StatusBadRequest)
		return
	case s.before != nil && s.before(w, r):
		return
	}
	var body []byte
	switch id := strings.TrimPrefix(path, "services/"); {
	case path == "owners/tea-1":
		body = encode(row{"id": "tea-1", "name": "Acme", "email": "ops@acme.example", "type": "team"})
	case path == "blueprints/exs-1":
		body = encode(row{"id": "exs-1", "name": "shop", "resources": []row{{"id": "srv-" + strings.Repeat("0", 20), "name": "api-0", "type": "web_service"}}})
	case strings.HasPrefix(path, "services/") && !strings.Contains(id, "/"):
		i := slices.IndexFunc(s.lists["services"], func(o row) bool { return o["service"].(row)["id"] == id })
		if i < 0 {
			http.Error(w, `{"message":"not found: `+id+`"}`, http.StatusNotFound)
			return
		}
		body = encode(s.lists["services"][i]["service"])
	default:
		list, ok := s.lists[path]
		if !ok && strings.Contains(path, "/") && path != "organizations/org-1/audit-logs" {
			list, ok = []row{}, true
		}
		if !ok {
			http.Error(w, `{"message":"not found"}`, http.StatusNotFound)
			return
		}
		body = encode(s.answer(list, r.URL.Query()))
	}
	s.answers[recordedPath(path, s.answers)] = body
	_, _ = w.Write(body)
}

func encode(v any) []byte {
	b, err := json.Marshal(v)
	if err != nil {
		panic(err)
	}
	return b
}

// recordedPath is where a recording keeps the next answer of a path.
func recordedPath(path string, have map[string][]byte) string {
	name := "v1/" + path + ".json"
	for n := 2; have[name] != nil; n++ {
		name = fmt.Sprintf("v1/%s.page-%d.json", path, n)
	}
	return name
}

// answer is a page of a list: as Render gives it, newest first unless asked
// otherwise, only what lies in the window asked for.
func (s *workspace) answer(list []row, query url.Values) []row {
	var fit []row
	for _, o := range list {
		if inside(body(o), query) {
			fit = append(fit, o)
		}
	}
	if query.Get("direction") != "forward" {
		slices.Reverse(fit)
	}
	size, _ := strconv.Atoi(query.Get("limit"))
	if size == 0 {
		size = 20
	}
	if s.page > 0 {
		size = min(size, s.page)
	}
	if after := query.Get("cursor"); after != "" {
		at := slices.IndexFunc(fit, func(o row) bool { return cursorOf(o) == after })
		fit = fit[at+1:]
	}
	page := []row{}
	for _, o := range fit[:min(size, len(fit))] {
		if o["id"] != nil || o["userId"] != nil { // lists without wrapper
			page = append(page, o)
			continue
		}
		withCursor := row{"cursor": cursorOf(o)}
		maps.Copy(withCursor, o)
		page = append(page, withCursor)
	}
	return page
}

func body(o row) row {
	for _, v := range o {
		if inner, ok := v.(row); ok && len(o) == 1 {
			return inner
		}
	}
	return o
}

func cursorOf(o row) string {
	return base64.StdEncoding.EncodeToString([]byte(fmt.Sprint(body(o)["id"])))
}

func inside(o row, query url.Values) bool {
	for key, field := range map[string]string{"startTime": "timestamp", "updatedAfter": "updatedAt", "createdAfter": "createdAt"} {
		if from := query.Get(key); from != "" && instant(o[field]).Before(instant(from)) {
			return false
		}
	}
	for key, field := range map[string]string{"endTime": "timestamp", "createdBefore": "createdAt"} {
		if to := query.Get(key); to != "" && instant(o[field]).After(instant(to)) {
			return false
		}
	}
	return true
}

func instant(v any) time.Time {
	t, err := time.Parse(time.RFC3339Nano, fmt.Sprint(v))
	if err != nil {
		panic(err)
	}
	return t
}

// live starts the fake service and gives a collector of it.
func live(t testing.TB, s http.Handler, change func(*collectors.Service)) render.Live {
	t.Helper()
	service := collectorstest.Serve(t, s, "/v1")
	if change != nil {
		change(&service)
	}
	client, err := render.NewClient(apiKey, service)
	if err != nil {
		t.Fatal(err)
	}
	return render.Live{Client: client, Owner: "tea-1"}
}

// coverage is the last window of each source.
func coverage(t *testing.T, events []engine.Event) map[string]engine.CoverageFact {
	t.Helper()
	out := map[string]engine.CoverageFact{}
	for _, c := range collectorstest.Windows(t, events) {
		out[c.Source] = c
	}
	return out
}

func TestLive(t *testing.T) {
	s := newWorkspace()
	events, err := collect(t, live(t, s, nil), window, t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	for kind, want := range map[string]int{
		"deployment.observed": 10, "service.deployed": 10, "deployment.started": 10, "deployment.finished": 10,
		"service.observed": 4, "environment.observed": 1, "access.observed": 2, "config.changed": 2 + 2 + 1 + 1 + 5, // jobs, domains, group, sync, log
	} {
		if n := count(events, kind); n != want {
			t.Errorf("%d %s, want %d", n, kind, want)
		}
	}
	c := coverage(t, events)
	for _, source := range []string{"render", "iam"} {
		if c[source].Status != "complete" || c[source].System != "render:tea-1" || !c[source].From.Equal(window.Since) || !c[source].To.Equal(window.Until) {
			t.Errorf("coverage of %s: %s", source, engine.Facts(c[source]))
		}
	}
	for _, e := range events {
		var f engine.DeploymentFact
		if e.Type == "deployment.started" && (e.Decode(&f) != nil || f.User == nil || f.User.Email != "dana@acme.example") {
			t.Fatalf("nobody behind %s", e.ID)
		}
		if e.Evidence.Trust != engine.TrustAPIRead {
			t.Errorf("%s has trust %q", e.ID, e.Evidence.Trust)
		}
	}
}

// TestContract pins every request: method, path, parameters.
func TestContract(t *testing.T) {
	s := newWorkspace()
	if _, err := collect(t, live(t, s, nil), window, t.TempDir()); err != nil {
		t.Fatal(err)
	}
	const since, until, middle = "2026-08-01T00%3A00%3A00Z", "2026-09-10T06%3A00%3A00Z", "2026-08-31T00%3A00%3A00Z"
	want := []string{
		"GET /v1/owners/tea-1",
		"GET /v1/services?limit=100&ownerId=tea-1",
		"GET /v1/projects?limit=100&ownerId=tea-1",
		"GET /v1/owners/tea-1/members?limit=100",
		"GET /v1/env-groups?limit=100&ownerId=tea-1",
		"GET /v1/postgres?limit=100&ownerId=tea-1",
		"GET /v1/key-value?limit=100&ownerId=tea-1",
		"GET /v1/blueprints?limit=100&ownerId=tea-1",
		"GET /v1/environments?limit=100&projectId=prj-1",
		"GET /v1/blueprints/exs-1",
	}
	ids := []string{fmt.Sprintf("srv-%020d", 0), fmt.Sprintf("srv-%020d", 1)}
	want = append(want,
		"GET /v1/owners/tea-1/audit-logs?direction=forward&endTime="+middle+"&limit=1000&startTime="+since,
		"GET /v1/owners/tea-1/audit-logs?direction=forward&endTime="+until+"&limit=1000&startTime="+middle,
		"GET /v1/blueprints/exs-1/syncs?limit=100")
	for _, id := range ids {
		want = append(want,
			"GET /v1/services/"+id+"/custom-domains?limit=100",
			"GET /v1/services/"+id+"/deploys?limit=100&updatedAfter="+since,
			"GET /v1/services/"+id+"/events?endTime="+middle+"&limit=100&startTime="+since,
			"GET /v1/services/"+id+"/events?endTime="+until+"&limit=100&startTime="+middle,
			"GET /v1/services/"+id+"/jobs?createdAfter="+since+"&createdBefore="+until+"&limit=100")
	}
	slices.Sort(want)
	var first []string
	following := 0
	for _, r := range s.requests {
		if at, err := url.Parse(strings.TrimPrefix(r, "GET ")); err == nil && at.Query().Has("cursor") { // the same again, with the cursor of the last record
			query := at.Query()
			query.Del("cursor")
			if following++; !slices.Contains(want, "GET "+at.Path+"?"+query.Encode()) {
				t.Errorf("a page of another list: %s", r)
			}
			continue
		}
		first = append(first, r)
	}
	slices.Sort(first)
	if following < 20 { // every list with cursors is read to an empty page
		t.Errorf("only %d following pages", following)
	}
	if diff := cmp.Diff(want, first); diff != "" {
		t.Errorf("requests differ (-want +got):\n%s", diff)
	}
}

// TestLiveIsRecorded: the same answers, recorded as files, give the same events.
func TestLiveIsRecorded(t *testing.T) {
	s := newWorkspace()
	events, err := collect(t, live(t, s, nil), window, t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	for name, body := range s.answers {
		file := filepath.Join(dir, filepath.FromSlash(name))
		if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, body, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	recorded, err := collectors.Read(t.Context(), []string{dir}, render.Map)
	if err != nil {
		t.Fatal(err)
	}
	// What is read anew each time is named by the instant of reading, which files do not hold.
	lasting := func(events []engine.Event) (out []string) {
		for _, e := range events {
			if e.Type != "coverage.recorded" && e.Type != "access.observed" && e.Type != "environment.observed" {
				e.ObservedAt = e.OccurredAt
				out = append(out, facts([]engine.Event{e})...)
			}
		}
		return out
	}
	if diff := cmp.Diff(lasting(recorded.Events), lasting(events)); diff != "" {
		t.Errorf("live differs from recorded (-recorded +live):\n%s", diff)
	}
}

// TestKilled: whenever a run ends, before a request or a commit, the next one
// goes on, and in the end the folder holds what an undisturbed run gives.
func TestKilled(t *testing.T) {
	s := small()
	want, err := collect(t, live(t, s, nil), window, t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	requests := len(s.requests)
	collectorstest.Survives(t, window, requests, facts(want), func(t *testing.T, request func()) (collectors.Collector, func([]engine.Event) []string) {
		s := small()
		s.before = func(http.ResponseWriter, *http.Request) bool { request(); return false }
		return live(t, s, nil), facts
	})
}

// TestTrouble: what a network and a busy service do to requests changes nothing.
func TestTrouble(t *testing.T) {
	quiet := small()
	want, err := collect(t, live(t, quiet, nil), window, t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	fail := func(status int, header map[string]string) func(http.ResponseWriter, *http.Request) bool {
		return func(w http.ResponseWriter, _ *http.Request) bool {
			for k, v := range header {
				w.Header().Set(k, v)
			}
			w.WriteHeader(status)
			_, _ = io.WriteString(w, `{"message":"later"}`)
			return true
		}
	}
	for name, trouble := range map[string]func(http.ResponseWriter, *http.Request) bool{
		"500":                    fail(500, nil),
		"503":                    fail(503, map[string]string{"Retry-After": "2"}),
		"429 with Retry-After":   fail(429, map[string]string{"Retry-After": "7"}),
		"429 with Ratelimit":     fail(429, map[string]string{"Ratelimit-Remaining": "0", "Ratelimit-Reset": "45", "Ratelimit-Limit": "400"}),
		"connection cut at once": func(http.ResponseWriter, *http.Request) bool { panic(http.ErrAbortHandler) },
		"connection cut midway": func(w http.ResponseWriter, _ *http.Request) bool {
			w.Header().Set("Content-Length", "100")
			_, _ = io.WriteString(w, `[{"cursor":`)
			w.(http.Flusher).Flush()
			panic(http.ErrAbortHandler)
		},
		"slow body": func(w http.ResponseWriter, r *http.Request) bool {
			_, _ = io.WriteString(w, `[`)
			w.(http.Flusher).Flush()
			<-r.Context().Done()
			return true
		},
	} {
		t.Run(name, func(t *testing.T) {
			s := small()
			n := 0
			s.before = func(w http.ResponseWriter, r *http.Request) bool {
				if n++; n%5 == 0 && (name != "slow body" || n == 5) {
					return trouble(w, r)
				}
				return false
			}
			var waits []string
			var slept time.Duration
			events, err := collect(t, live(t, s, func(c *collectors.Service) {
				c.Notice = func(text string) { waits = append(waits, text) }
				c.Sleep = func(ctx context.Context, d time.Duration) error { slept = max(slept, d); return ctx.Err() }
				if name == "slow body" {
					c.Timeout = 200 * time.Millisecond
				}
			}), window, t.TempDir())
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(facts(want), facts(events)); diff != "" {
				t.Error(diff)
			}
			if len(waits) == 0 && name != "connection cut at once" { // Go's own transport asks again
				t.Error("nobody was told of the wait")
			}
			if name == "429 with Ratelimit" && slept < 45*time.Second {
				t.Errorf("waited %s, not until the limit's reset", slept)
			}
			if name == "429 with Retry-After" && slept < 7*time.Second {
				t.Errorf("waited %s, not as long as asked", slept)
			}
		})
	}
}

// TestDown: a service that stays down ends the run; nothing is claimed.
func TestDown(t *testing.T) {
	s := newWorkspace()
	s.before = func(w http.ResponseWriter, r *http.Request) bool {
		if strings.HasSuffix(r.URL.Path, "/audit-logs") {
			w.WriteHeader(http.StatusBadGateway)
			return true
		}
		return false
	}
	dir := t.TempDir()
	events, err := collect(t, live(t, s, nil), window, dir)
	if err == nil || !strings.Contains(err.Error(), "502") {
		t.Errorf("error %v", err)
	}
	if c := coverage(t, events); len(c) > 0 {
		t.Errorf("claimed %v", c)
	}
	s.before = nil
	if events, err = collect(t, live(t, s, nil), window, dir); err != nil || coverage(t, events)["render"].Status != "complete" {
		t.Errorf("not healed: %v", err)
	}
}

func TestRefusals(t *testing.T) {
	const audit = "/v1/owners/tea-1/audit-logs"
	for name, c := range map[string]struct {
		path    string
		status  int
		source  string
		missing []string
		words   []string
	}{
		"no audit log on this plan":   {audit, 402, "render", []string{"audit_log"}, []string{"402", "plan", "Enterprise"}},
		"audit log of access":         {audit, 403, "iam", []string{"audit_log"}, []string{"403", "role ADMIN"}},
		"audit log not there":         {audit, 404, "render", []string{"audit_log"}, []string{"404", "ADMIN"}},
		"members":                     {"/v1/owners/tea-1/members", 403, "iam", []string{"members"}, []string{"role ADMIN"}},
		"services":                    {"/v1/services", 403, "render", []string{"services", "deploys", "events"}, []string{"any member"}},
		"one service's deploys":       {fmt.Sprintf("/v1/services/srv-%020d/deploys", 1), 404, "render", []string{"deploys"}, []string{fmt.Sprintf("srv-%020d", 1)}},
		"environments":                {"/v1/environments", 403, "render", []string{"environments"}, []string{"any member"}},
		"key of another day (nobody)": {"/v1/owners/tea-1", 401, "render", nil, []string{"401", "not accepted"}},
	} {
		t.Run(name, func(t *testing.T) {
			s := newWorkspace()
			s.before = func(w http.ResponseWriter, r *http.Request) bool {
				if r.URL.Path != c.path {
					return false
				}
				w.WriteHeader(c.status)
				_, _ = io.WriteString(w, `{"message":"`+planted+`"}`)
				return true
			}
			dir := t.TempDir()
			events, err := collect(t, live(t, s, nil), window, dir)
			got := coverage(t, events)[c.source]
			if c.missing == nil {
				if err == nil || got.Status != "unavailable" || strings.Contains(err.Error(), planted) {
					t.Errorf("status %q, error %v", got.Status, err)
				}
			} else if err != nil || got.Status != "incomplete" || !slices.Equal(got.Missing, c.missing) {
				t.Errorf("status %q, missing %v, error %v", got.Status, got.Missing, err)
			}
			for _, word := range c.words {
				if !strings.Contains(got.Reason, word) {
					t.Errorf("reason %q does not say %q", got.Reason, word)
				}
			}
			s.before = nil
			later := window
			later.Until = later.Until.Add(time.Hour)
			s.now = later.Until
			if events, err = collect(t, live(t, s, nil), later, dir); err != nil {
				t.Fatal(err)
			}
			if got := coverage(t, events)[c.source]; got.Status != "complete" {
				t.Errorf("once allowed: %s", engine.Facts(got))
			}
		})
	}
}

// TestHoleCloses: an audit log that could not be read is read from the start of
// the window once it opens.
func TestHoleCloses(t *testing.T) {
	s := newWorkspace()
	s.before = func(w http.ResponseWriter, r *http.Request) bool {
		if strings.HasSuffix(r.URL.Path, "/audit-logs") {
			w.WriteHeader(http.StatusForbidden)
			return true
		}
		return false
	}
	dir := t.TempDir()
	if _, err := collect(t, live(t, s, nil), window, dir); err != nil {
		t.Fatal(err)
	}
	s.before = nil
	later := window
	later.Until = later.Until.Add(time.Hour)
	s.now = later.Until
	events, err := collect(t, live(t, s, nil), later, dir)
	if err != nil {
		t.Fatal(err)
	}
	if n := count(events, "config.changed"); n != 11 {
		t.Errorf("%d changes, want 11 with all 5 of the audit log", n)
	}
	if c := coverage(t, events)["render"]; c.Status != "complete" || !c.From.Equal(window.Since) {
		t.Errorf("coverage %s", engine.Facts(c))
	}
}

// TestShiftedPages: pages of any size, and lists that grow at the front or shift while
// they are read, lose nothing and double nothing.
func TestShiftedPages(t *testing.T) {
	quiet := newWorkspace()
	want, err := collect(t, live(t, quiet, nil), window, t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	s := newWorkspace()
	s.before = func(w http.ResponseWriter, r *http.Request) bool {
		query := r.URL.Query()
		query.Set("limit", "2") // the server's own idea of a page
		list, ok := s.lists[strings.TrimPrefix(r.URL.Path, "/v1/")]
		if !ok || r.URL.Query().Get("limit") == "" || strings.HasSuffix(r.URL.Path, "members") || strings.HasSuffix(r.URL.Path, "env-groups") {
			return false
		}
		page := s.answer(list, query)
		if query.Get("cursor") != "" && len(page) > 1 { // records slip onto the next page and come twice, out of order
			page = append(s.answer(list, url.Values{"limit": {"2"}, "startTime": query["startTime"], "endTime": query["endTime"]}), page...)
			slices.Reverse(page[:len(page)-1])
		}
		_, _ = w.Write(encode(page))
		return true
	}
	events, err := collect(t, live(t, s, nil), window, t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	without := func(events []engine.Event) []string {
		return facts(slices.DeleteFunc(slices.Clone(events), func(e engine.Event) bool { return e.Type == "coverage.recorded" }))
	}
	if diff := cmp.Diff(without(want), without(events)); diff != "" {
		t.Error(diff)
	}
	circle := newWorkspace()
	circle.before = func(w http.ResponseWriter, r *http.Request) bool {
		if !strings.HasSuffix(r.URL.Path, "/deploys") {
			return false
		}
		var page []row
		for range 100 {
			page = append(page, row{"cursor": "same", "deploy": row{"id": "dep-1", "status": "live", "finishedAt": "2026-08-02T00:00:00Z", "updatedAt": "2026-08-02T00:00:00Z"}})
		}
		_, _ = w.Write(encode(page))
		return true
	}
	if _, err := collect(t, live(t, circle, nil), window, t.TempDir()); err == nil || !strings.Contains(err.Error(), "circles") {
		t.Errorf("pages that go round: %v", err)
	}
}

// TestClockSkew: nothing is claimed beyond the server's clock, and the next run
// reads what came in between.
func TestClockSkew(t *testing.T) {
	s := newWorkspace()
	s.now = window.Until.Add(-20 * time.Minute)
	dir := t.TempDir()
	events, err := collect(t, live(t, s, nil), window, dir)
	if err != nil {
		t.Fatal(err)
	}
	if c := coverage(t, events)["render"]; !c.To.Equal(s.now) {
		t.Errorf("claims to have read until %s, the server's clock shows %s", c.To, s.now)
	}
	id := fmt.Sprintf("srv-%020d", 0)
	s.lists["services/"+id+"/deploys"] = append(s.lists["services/"+id+"/deploys"], row{"deploy": row{
		"id": "dep-late", "status": "live", "trigger": "manual", "commit": row{"id": fmt.Sprintf("%040x", 99)},
		"createdAt": stamp(s.now.Add(-time.Minute)), "finishedAt": stamp(s.now.Add(time.Minute)), "updatedAt": stamp(s.now.Add(time.Minute)),
	}})
	s.now = window.Until.Add(time.Hour)
	events, err = collect(t, live(t, s, nil), collectors.Window{Since: window.Since, Until: s.now}, dir)
	if err != nil || !slices.ContainsFunc(events, func(e engine.Event) bool { return e.ID == "render:deploy:dep-late:live" }) {
		t.Errorf("the late deploy is lost: %v", err)
	}
	if c := coverage(t, events)["render"]; c.Status != "incomplete" || !slices.Equal(c.Missing, []string{"events"}) {
		t.Errorf("nobody is known to have started the late deploy, yet: %s", engine.Facts(c))
	}
}

// TestForgottenEvents: where events do not go back as far as deploys, who
// started these is a gap.
func TestForgottenEvents(t *testing.T) {
	s := newWorkspace()
	path := fmt.Sprintf("services/srv-%020d/events", 0)
	s.lists[path] = s.lists[path][6:] // of five deploys the first three
	events, err := collect(t, live(t, s, nil), window, t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	c := coverage(t, events)["render"]
	if c.Status != "incomplete" || !slices.Equal(c.Missing, []string{"events"}) || !strings.Contains(c.Reason, "3 deploys") {
		t.Errorf("coverage %s", engine.Facts(c))
	}
}

// BenchmarkLive reads workspaces of different sizes over HTTP into a folder: the
// memory at its highest must not grow with the number of records.
func BenchmarkLive(b *testing.B) {
	for _, deploys := range []int{300, 3_000, 30_000} {
		b.Run(fmt.Sprintf("%d records", 3*deploys), func(b *testing.B) {
			s := newWorkspace()
			s.page = 100
			id := fmt.Sprintf("srv-%020d", 0)
			s.lists["services"] = s.lists["services"][:1]
			deployList, eventList := s.lists["services/"+id+"/deploys"][:0], s.lists["services/"+id+"/events"][:0]
			for d := range deploys {
				at := window.Since.Add(time.Duration(d) * time.Minute)
				deploy := fmt.Sprintf("dep-%07d", d)
				deployList = append(deployList, row{"deploy": row{"id": deploy, "status": "deactivated", "trigger": "new_commit", "commit": row{"id": fmt.Sprintf("%040x", d)}, "createdAt": stamp(at), "finishedAt": stamp(at), "updatedAt": stamp(at)}})
				eventList = append(eventList,
					row{"event": row{"id": "evt-s" + deploy, "serviceId": id, "type": "deploy_started", "timestamp": stamp(at), "details": row{"deployId": deploy, "trigger": row{}}}},
					row{"event": row{"id": "evt-e" + deploy, "serviceId": id, "type": "deploy_ended", "timestamp": stamp(at), "details": row{"deployId": deploy, "deployStatus": "succeeded"}}})
			}
			s.lists["services/"+id+"/deploys"], s.lists["services/"+id+"/events"] = deployList, eventList
			answers := map[string][]byte{}
			s.before = func(w http.ResponseWriter, r *http.Request) bool { // a cursor is a place here, so that the service costs little
				path := strings.TrimPrefix(r.URL.Path, "/v1/")
				list := s.lists[path]
				if len(list) < 200 || strings.Contains(path, "events") && r.URL.Query().Get("startTime") != stamp(window.Since) {
					s.answers = answers
					return false
				}
				from, _ := strconv.Atoi(r.URL.Query().Get("cursor"))
				page := []row{}
				for i, o := range list[min(from, len(list)):min(from+100, len(list))] {
					with := row{"cursor": strconv.Itoa(from + i + 1)}
					maps.Copy(with, o)
					page = append(page, with)
				}
				_, _ = w.Write(encode(page))
				return true
			}
			var m runtime.MemStats
			runtime.GC()
			runtime.ReadMemStats(&m) // with what the fake service holds
			events, peak := 0, m.HeapAlloc
			for b.Loop() {
				found, most := collectorstest.Measure(b, live(b, s, nil), window)
				events += found
				peak = max(peak, most)
				s.requests = nil
			}
			b.ReportMetric(float64(events)/b.Elapsed().Seconds(), "events/s")
			b.ReportMetric(float64(peak-m.HeapAlloc)/(1<<20), "peak-MiB")
		})
	}
}

// TestSecrets: what the service tells of secrets comes out nowhere.
func TestSecrets(t *testing.T) {
	s := newWorkspace()
	dir := t.TempDir()
	var said []string
	l := live(t, s, func(c *collectors.Service) { c.Notice = func(text string) { said = append(said, text) } })
	spool, err := collectors.OpenFolder(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer spool.Close()
	for range 2 {
		summary, err := collectors.Run(t.Context(), l, window, spool, nil)
		if err != nil {
			t.Fatal(err)
		}
		said = append(said, fmt.Sprintf("%+v", summary))
		s.now = s.now.Add(time.Hour)
		window := &s.lists["services"][0]
		(*window)["service"].(row)["serviceDetails"].(row)["envSpecificDetails"].(row)["startCommand"] = "TOKEN=" + planted + "2"
	}
	s.before = func(w http.ResponseWriter, _ *http.Request) bool {
		w.WriteHeader(http.StatusTeapot)
		_, _ = io.WriteString(w, planted+apiKey)
		return true
	}
	_, err = collectors.Run(t.Context(), l, collectors.Window{Since: window.Since, Until: s.now}, spool, nil)
	if err == nil {
		t.Fatal("an unknown status is no error")
	}
	said = append(said, err.Error())
	said = append(said, collectorstest.Files(t, dir)...)
	if len(said) < 10 {
		t.Fatal("too little was written")
	}
	for _, text := range said {
		for _, secret := range []string{planted, apiKey} {
			if strings.Contains(text, secret) {
				t.Errorf("%q came out: %.300s", secret, text)
			}
		}
	}
}

func TestOneService(t *testing.T) {
	s := newWorkspace()
	l := live(t, s, nil)
	l.Owner, l.Service = "", fmt.Sprintf("srv-%020d", 1)
	events, err := collect(t, l, window, t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	c := coverage(t, events)["render"]
	if count(events, "service.deployed") != 5 || c.Status != "incomplete" || c.Service != l.Service || !strings.Contains(c.Reason, "audit log of its workspace") {
		t.Errorf("%d deployments, coverage %s", count(events, "service.deployed"), engine.Facts(c))
	}
}

func BenchmarkMap(b *testing.B) {
	s := newWorkspace()
	p := collectors.Payload{Path: "v1/services/srv-1/events.json", Bytes: encode(s.answer(s.lists[fmt.Sprintf("services/srv-%020d/events", 0)], url.Values{"limit": {"100"}})), ObservedAt: window.Until}
	events := 0
	for b.Loop() {
		events += len(render.Map(p).Events)
	}
	b.ReportMetric(float64(events)/b.Elapsed().Seconds(), "events/s")
}
