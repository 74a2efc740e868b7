package iam_test

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/changevouch/changevouch/collectors"
	"github.com/changevouch/changevouch/collectors/collectorstest"
	"github.com/changevouch/changevouch/collectors/iam"
	"github.com/changevouch/changevouch/engine"
)

const oktaToken = "00testtoken-of-a-reader"

// organisation is a service that behaves like Okta's API.
type organisation struct {
	lock     sync.Mutex
	now      time.Time
	address  string
	lists    map[string][]row
	before   trouble
	requests []string
	page     int
}

func newOrganisation() *organisation {
	o := &organisation{now: window.Until.Add(time.Hour), page: 3, lists: map[string][]row{}}
	for i := range 7 {
		id := fmt.Sprintf("00u%d", i)
		o.lists["users"] = append(o.lists["users"], row{"id": id, "status": "ACTIVE", "created": "2026-01-01T00:00:00.000Z", "lastLogin": "2026-09-01T00:00:00.000Z",
			"profile": row{"login": fmt.Sprintf("u%d@acme.example", i), "email": fmt.Sprintf("u%d@acme.example", i)}, "credentials": row{"password": row{"value": planted}, "recovery_question": row{"answer": planted}}})
	}
	o.lists["users/00u1/roles"] = []row{{"id": "ra1", "label": "Super Administrator", "type": "SUPER_ADMIN", "status": "ACTIVE", "created": "2026-01-01T00:00:00.000Z", "assignmentType": "USER"}}
	o.lists["users/00u1/factors"] = []row{{"id": "f1", "factorType": "token:software:totp", "status": "ACTIVE", "_embedded": row{"activation": row{"sharedSecret": planted}}, "_links": row{"user": row{"href": "https://acme.okta.com/api/v1/users/00u1"}}}}
	o.lists["users/00u2/roles"] = []row{{"id": "ra2", "label": "Read-only Administrator", "type": "READ_ONLY_ADMIN", "status": "ACTIVE", "created": "2026-01-01T00:00:00.000Z", "assignmentType": "USER"}}
	o.lists["users/00u2/factors"] = []row{}
	o.lists["iam/assignees/users"] = []row{{"id": "00u1"}, {"id": "00u2"}}
	o.lists["api-tokens"] = []row{{"id": "00T1", "name": planted, "userId": "00u1", "tokenWindow": "P30D", "created": "2026-02-01T00:00:00.000Z"}}
	o.lists["groups"] = []row{
		{"id": "00g1", "type": "OKTA_GROUP", "objectClass": []string{"okta:user_group"}, "profile": row{"name": "aws-admins", "description": planted}},
		{"id": "00g2", "type": "OKTA_GROUP", "objectClass": []string{"okta:user_group"}, "profile": row{"name": "Engineering"}},
	}
	o.lists["groups/00g1/users"] = o.lists["users"][1:2]
	o.lists["groups/00g2/users"] = o.lists["users"][:5]
	o.lists["apps"] = []row{{"id": "0oa1", "label": "AWS production", "signOnMode": "SAML_2_0", "credentials": row{"signing": planted}}}
	o.lists["apps/0oa1/users"] = []row{
		{"id": "00u1", "scope": "USER", "status": "PROVISIONED", "credentials": row{"userName": "another-name", "password": row{"value": planted}}, "profile": row{"email": "u1@elsewhere.example", "secret": planted}, "_links": row{"app": row{"href": "https://acme.okta.com/api/v1/apps/0oa1"}}, "_embedded": row{"user": o.lists["users"][1]}},
		{"id": "00u3", "scope": "GROUP", "status": "ACTIVE", "credentials": row{"userName": "u3"}, "_links": row{"app": row{"href": "https://acme.okta.com/api/v1/apps/0oa1"}}},
		{"id": "00u4", "scope": "USER", "status": "DEPROVISIONED", "credentials": row{"userName": "u4"}, "_links": row{"app": row{"href": "https://acme.okta.com/api/v1/apps/0oa1"}}},
	}
	for i := range 12 {
		o.grant(fmt.Sprintf("grant-%02d", i), window.Since.Add(time.Duration(i)*40*time.Hour))
	}
	return o
}

func (o *organisation) grant(id string, at time.Time) {
	o.lists["logs"] = append(o.lists["logs"], row{
		"uuid": id, "published": at.UTC().Format("2006-01-02T15:04:05.000Z"), "eventType": "group.user_membership.add", "outcome": row{"result": "SUCCESS"},
		"actor":        row{"id": "00u1", "type": "User", "alternateId": "u1@acme.example", "displayName": "U One"},
		"target":       []row{{"id": "00g1", "type": "UserGroup", "displayName": "aws-admins"}, {"id": "00u3", "type": "User", "alternateId": "u3@acme.example"}},
		"debugContext": row{"debugData": row{"url": "/x?token=" + planted}}, "transaction": row{"id": "tx-" + id, "type": "WEB"},
	})
}

func (o *organisation) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	o.lock.Lock()
	defer o.lock.Unlock()
	o.requests = append(o.requests, r.Method+" "+r.URL.RequestURI())
	w.Header().Set("Date", o.now.Format(http.TimeFormat))
	w.Header().Set("Content-Type", "application/json")
	list, known := o.lists[strings.TrimPrefix(r.URL.Path, "/api/v1/")]
	switch {
	case r.Method != http.MethodGet || r.Header.Get("Authorization") != "SSWS "+oktaToken || r.Header.Get("Accept") != "application/json" || !known:
		http.Error(w, `{"errorCode":"E0000007","errorSummary":"test: no such request may be made"}`, http.StatusBadRequest)
		return
	case o.before != nil && o.before(w, r):
		return
	}
	query := r.URL.Query()
	var fit []row
	for _, e := range list {
		at := fmt.Sprint(e["published"])
		if query.Get("since") == "" || at >= query.Get("since") && at < query.Get("until") {
			fit = append(fit, e)
		}
	}
	from, _ := strconv.Atoi(query.Get("after"))
	limit, _ := strconv.Atoi(query.Get("limit"))
	if limit == 0 {
		limit = 100
	}
	to := min(from+min(limit, o.page), len(fit))
	w.Header().Add("Link", `<`+o.address+r.URL.RequestURI()+`>; rel="self"`)
	if to < len(fit) && query.Get("limit") != "1" {
		query.Set("after", strconv.Itoa(to))
		w.Header().Add("Link", `<`+o.address+r.URL.Path+"?"+query.Encode()+`>; rel="next"`)
	}
	var answer any = append([]row{}, fit[from:to]...)
	if strings.HasSuffix(r.URL.Path, "assignees/users") {
		answer = row{"value": answer}
	}
	if err := json.NewEncoder(w).Encode(answer); err != nil {
		panic(err)
	}
}

func okta(t testing.TB, o *organisation, change func(*collectors.Service)) *iam.Okta {
	t.Helper()
	service := collectorstest.Serve(t, o, "")
	o.address = service.Base.String()
	if change != nil {
		change(&service)
	}
	c, err := iam.NewOkta(oktaToken, service)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// sameHost makes the facts of two fake organisations comparable.
func sameHost(c *iam.Okta, facts []string) []string {
	host := strings.TrimPrefix(c.Name(), "okta/")
	for i := range facts {
		facts[i] = strings.ReplaceAll(facts[i], host, "acme.okta.com")
	}
	return facts
}

// lasting are facts without coverage, whose id depends on the host's name.
func lasting(events []engine.Event) []engine.Event {
	return slices.DeleteFunc(slices.Clone(events), func(e engine.Event) bool { return e.Type == "coverage.recorded" })
}

func TestOkta(t *testing.T) {
	o := newOrganisation()
	c := okta(t, o, nil)
	events, err := collect(t, c, window, t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	if count(events, "access.changed") != 12 || count(events, "access.observed") != 7+2+2+1+1+5+2 {
		t.Errorf("%d changes, %d holders", count(events, "access.changed"), count(events, "access.observed"))
	}
	got := windows(t, events)
	if len(got) != 1 || got[0].Status != "complete" || got[0].System != "okta:"+strings.TrimPrefix(c.Name(), "okta/") || !got[0].To.Equal(window.Until) {
		t.Errorf("coverage %s", engine.Facts(got))
	}
	without := 0
	for _, e := range events {
		var f engine.HolderFact
		if e.Type == "access.observed" && e.Decode(&f) == nil && f.MFA != nil && !*f.MFA && f.Holder.ID == "00u2" {
			without++
		}
	}
	if without != 1 {
		t.Error("an administrator without a second factor is not seen")
	}
}

// TestOktaHoldings: groups and applications are told by name, and by the id of the
// user, since an application may know him by another name.
func TestOktaHoldings(t *testing.T) {
	events, err := collect(t, okta(t, newOrganisation(), nil), window, t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, e := range events {
		var f engine.HolderFact
		if e.Type == "access.observed" && e.Decode(&f) == nil && (f.Holder.ID == "00u1" || f.Holder.ID == "00u3") && f.Scope != "" {
			got = append(got, fmt.Sprintf("%s %s, %s, %s %v", f.Holder.ID, f.Holder.Account, f.Permission, f.Scope, f.PrivilegedWhy))
		}
	}
	slices.Sort(got)
	want := []string{
		"00u1 u1@acme.example, app assignment, app AWS production []",
		"00u1 u1@acme.example, group Engineering, group 00g2 []",
		"00u1 u1@acme.example, group aws-admins, group 00g1 [group aws-admins]",
		"00u3 00u3, app assignment through a group, app AWS production []",
		"00u3 u3@acme.example, group Engineering, group 00g2 []",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

// TestOktaGone: a group that is deleted between two questions stops no other.
func TestOktaGone(t *testing.T) {
	o := newOrganisation()
	o.before = func(w http.ResponseWriter, r *http.Request) bool {
		gone := r.URL.Path == "/api/v1/groups/00g1/users"
		if gone {
			w.WriteHeader(http.StatusNotFound)
		}
		return gone
	}
	events, err := collect(t, okta(t, o, nil), window, t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	members := 0
	for _, e := range events {
		if strings.HasPrefix(e.ID, "okta:member:00g2/") {
			members++
		}
	}
	if members != 5 {
		t.Errorf("%d members of the other group, want 5", members)
	}
}

// TestOktaContract pins paths and parameters.
func TestOktaContract(t *testing.T) {
	o := newOrganisation()
	o.page = 1000
	if _, err := collect(t, okta(t, o, nil), window, t.TempDir()); err != nil {
		t.Fatal(err)
	}
	want := []string{
		"GET /api/v1/users?limit=1",
		"GET /api/v1/users?limit=200",
		"GET /api/v1/iam/assignees/users?limit=100",
		"GET /api/v1/users/00u1/roles",
		"GET /api/v1/users/00u1/factors",
		"GET /api/v1/users/00u2/roles",
		"GET /api/v1/users/00u2/factors",
		"GET /api/v1/api-tokens?limit=200",
		"GET /api/v1/groups?limit=200",
		"GET /api/v1/groups/00g1/users?limit=200",
		"GET /api/v1/groups/00g2/users?limit=200",
		"GET /api/v1/apps?limit=200",
		"GET /api/v1/apps/0oa1/users?expand=user&limit=200",
		"GET /api/v1/logs?limit=1000&since=2026-08-20T00%3A00%3A00.000Z&sortOrder=ASCENDING&until=2026-08-27T00%3A00%3A00.000Z",
		"GET /api/v1/logs?limit=1000&since=2026-08-27T00%3A00%3A00.000Z&sortOrder=ASCENDING&until=2026-09-03T00%3A00%3A00.000Z",
		"GET /api/v1/logs?limit=1000&since=2026-09-03T00%3A00%3A00.000Z&sortOrder=ASCENDING&until=2026-09-10T00%3A00%3A00.000Z",
		"GET /api/v1/logs?limit=1000&since=2026-09-10T00%3A00%3A00.000Z&sortOrder=ASCENDING&until=2026-09-10T06%3A00%3A00.000Z",
	}
	if diff := cmp.Diff(want, o.requests); diff != "" {
		t.Errorf("requests differ (-want +got):\n%s", diff)
	}
}

func TestOktaTrouble(t *testing.T) {
	c := okta(t, newOrganisation(), nil)
	events, err := collect(t, c, window, t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	want := sameHost(c, facts(lasting(events)))
	for name, trouble := range map[string]trouble{
		"429 with X-Rate-Limit-Reset": func(w http.ResponseWriter, _ *http.Request) bool {
			w.Header().Set("X-Rate-Limit-Remaining", "0")
			w.Header().Set("X-Rate-Limit-Reset", strconv.FormatInt(window.Until.Add(time.Hour+33*time.Second).Unix(), 10))
			w.WriteHeader(http.StatusTooManyRequests)
			return true
		},
		"502": func(w http.ResponseWriter, _ *http.Request) bool { w.WriteHeader(http.StatusBadGateway); return true },
		"cut midway": func(w http.ResponseWriter, _ *http.Request) bool {
			_, _ = io.WriteString(w, `[{"uuid":`)
			w.(http.Flusher).Flush()
			panic(http.ErrAbortHandler)
		},
	} {
		t.Run(name, func(t *testing.T) {
			o := newOrganisation()
			n, slept := 0, time.Duration(0)
			o.before = func(w http.ResponseWriter, r *http.Request) bool { n++; return n%4 == 0 && trouble(w, r) }
			c := okta(t, o, func(s *collectors.Service) {
				s.Sleep = func(ctx context.Context, d time.Duration) error { slept = max(slept, d); return ctx.Err() }
			})
			events, err := collect(t, c, window, t.TempDir())
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(want, sameHost(c, facts(lasting(events)))); diff != "" {
				t.Error(diff)
			}
			if strings.HasPrefix(name, "429") && (slept < 33*time.Second || slept > 40*time.Second) {
				t.Errorf("waited %s, the limit ends in 33 s", slept)
			}
		})
	}
}

func TestOktaRefusals(t *testing.T) {
	for path, c := range map[string]struct {
		status  int
		missing []string
		words   string
	}{
		"/api/v1/logs":                {403, []string{"access_events"}, "Read-only"},
		"/api/v1/api-tokens":          {403, []string{"credentials"}, "API tokens"},
		"/api/v1/iam/assignees/users": {404, []string{"permissions"}, "okta.iam.read"},
		"/api/v1/groups":              {403, []string{"permissions"}, "okta.groups.read"},
		"/api/v1/groups/00g1/users":   {403, []string{"permissions"}, "okta.groups.read"},
		"/api/v1/apps":                {403, []string{"permissions"}, "okta.apps.read"},
		"/api/v1/apps/0oa1/users":     {404, []string{"permissions"}, "okta.apps.read"},
		"/api/v1/users/00u1/roles":    {403, []string{"permissions"}, "okta.roles.read"},
		"/api/v1/users":               {401, nil, "not accepted"},
	} {
		t.Run(path, func(t *testing.T) {
			o := newOrganisation()
			o.before = func(w http.ResponseWriter, r *http.Request) bool {
				if r.URL.Path != path {
					return false
				}
				w.WriteHeader(c.status)
				_, _ = io.WriteString(w, `{"errorCode":"E0000006","errorSummary":"`+planted+`"}`)
				return true
			}
			events, err := collect(t, okta(t, o, nil), window, t.TempDir())
			got := windows(t, events)
			if len(got) != 1 || !strings.Contains(got[0].Reason, c.words) {
				t.Fatalf("coverage %s", engine.Facts(got))
			}
			if c.missing == nil {
				if err == nil || got[0].Status != "unavailable" {
					t.Errorf("status %s, error %v", got[0].Status, err)
				}
				return
			}
			if err != nil || got[0].Status != "incomplete" || !slices.Equal(got[0].Missing, c.missing) {
				t.Errorf("coverage %s, %v", engine.Facts(got), err)
			}
		})
	}
}

// TestOktaElsewhere: the token goes nowhere else, whatever a Link header says.
func TestOktaElsewhere(t *testing.T) {
	reached := false
	other := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { reached = true }))
	defer other.Close()
	o := newOrganisation()
	o.before = func(w http.ResponseWriter, r *http.Request) bool {
		if r.URL.Path == "/api/v1/logs" {
			w.Header().Set("Link", `<`+other.URL+`/api/v1/logs>; rel="next"`)
			_, _ = io.WriteString(w, `[]`)
			return true
		}
		return false
	}
	if _, err := collect(t, okta(t, o, nil), window, t.TempDir()); err == nil || reached {
		t.Errorf("followed to another host: %v", err)
	}
}

func TestOktaLate(t *testing.T) {
	o := newOrganisation()
	dir := t.TempDir()
	c := okta(t, o, nil)
	if _, err := collect(t, c, window, dir); err != nil {
		t.Fatal(err)
	}
	o.grant("late", window.Until.Add(-time.Hour))
	later := window
	later.Until = window.Until.Add(30 * time.Minute)
	events, err := collect(t, c, later, dir)
	if err != nil || count(events, "access.changed") != 13 {
		t.Errorf("%d changes, %v", count(events, "access.changed"), err)
	}
}

func TestOktaKilled(t *testing.T) {
	o := newOrganisation()
	undisturbed := okta(t, o, nil)
	want, err := collect(t, undisturbed, window, t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	requests := len(o.requests)
	collectorstest.Survives(t, window, requests, sameHost(undisturbed, facts(lasting(want))), func(t *testing.T, request func()) (collectors.Collector, func([]engine.Event) []string) {
		o := newOrganisation()
		c := okta(t, o, nil)
		o.before = func(http.ResponseWriter, *http.Request) bool { request(); return false }
		return c, func(events []engine.Event) []string { return sameHost(c, facts(lasting(events))) }
	})
}

func TestOktaSecrets(t *testing.T) {
	o := newOrganisation()
	dir := t.TempDir()
	c := okta(t, o, nil)
	if _, err := collect(t, c, window, dir); err != nil {
		t.Fatal(err)
	}
	o.before = func(w http.ResponseWriter, _ *http.Request) bool {
		w.WriteHeader(http.StatusTeapot)
		_, _ = io.WriteString(w, planted)
		return true
	}
	_, err := collect(t, c, window, t.TempDir())
	if err == nil {
		t.Fatal("no error")
	}
	secret(t, dir, err.Error())
}

func BenchmarkOkta(b *testing.B) {
	text, err := os.ReadFile(filepath.Join(payloads, "okta", "system-log", "page-1.json"))
	if err != nil {
		b.Fatal(err)
	}
	p := collectors.Payload{Path: "okta/logs.json", Bytes: text, ObservedAt: window.Until}
	n := 0
	for b.Loop() {
		n += len(iam.Map(p).Events)
	}
	b.ReportMetric(float64(n)/b.Elapsed().Seconds(), "events/s")
}
