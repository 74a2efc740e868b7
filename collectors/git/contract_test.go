package git_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/changevouch/changevouch/collectors"
	"github.com/changevouch/changevouch/collectors/git"
	"github.com/changevouch/changevouch/engine"
)

// tap passes requests on, keeps the answers by endpoint, and can take a field
// out of those of one endpoint.
type tap struct {
	http.RoundTripper
	requests []*http.Request
	answers  map[string][]byte // the first with a body that holds something
	endpoint string
	field    string
}

func (c *tap) RoundTrip(r *http.Request) (*http.Response, error) {
	resp, err := c.RoundTripper.RoundTrip(r)
	if err != nil {
		return nil, err
	}
	body, err := io.ReadAll(resp.Body)
	resp.Body.Close()
	if err != nil {
		return nil, err
	}
	name := endpoint(r)
	c.requests = append(c.requests, r)
	if len(body) > len(c.answers[name]) && resp.StatusCode == http.StatusOK {
		c.answers[name] = body
	}
	if name == c.endpoint {
		body = without(body, c.field)
	}
	resp.Body = io.NopCloser(bytes.NewReader(body))
	return resp, nil
}

var (
	shaInPath    = regexp.MustCompile(`[0-9a-f]{40}`)
	numberInPath = regexp.MustCompile(`/\d+(/|$)`)
	branchInPath = regexp.MustCompile(`branches/(main|release/1)`)
)

// endpoint is a request without what is different in each repository.
func endpoint(r *http.Request) string {
	p := strings.TrimPrefix(r.URL.Path, "/api/v3/")
	p = strings.Replace(strings.Replace(p, "repos/acme/shop", "repos/{owner}/{repo}", 1), "orgs/acme", "orgs/{org}", 1)
	p = shaInPath.ReplaceAllString(p, "{sha}")
	p = branchInPath.ReplaceAllString(p, "branches/{branch}")
	p = numberInPath.ReplaceAllString(numberInPath.ReplaceAllString(p, "/{id}$1"), "/{id}$1")
	q := r.URL.Query()
	for k, v := range q {
		if k == "after" || k == "since" || k == "phrase" || k == "page" {
			v[0] = "{" + k + "}"
		}
		q[k] = v
	}
	query := ""
	for _, k := range slices.Sorted(maps.Keys(q)) {
		query += "&" + k + "=" + q.Get(k)
	}
	return strings.TrimSuffix(r.Method+" "+p+"?"+strings.TrimPrefix(query, "&"), "?")
}

// fields lists the leaves of a document; an element of a list is [].
func fields(raw []byte) []string {
	var doc any
	if json.Unmarshal(raw, &doc) != nil {
		return nil
	}
	found := map[string]bool{}
	var walk func(at string, v any)
	walk = func(at string, v any) {
		switch v := v.(type) {
		case map[string]any:
			for k, member := range v {
				walk(strings.TrimPrefix(at+"."+k, "."), member)
			}
		case []any:
			for _, member := range v {
				walk(at+"[]", member)
			}
		default:
			found[at] = true
		}
	}
	walk("", doc)
	return slices.Sorted(maps.Keys(found))
}

// without is a document without one leaf.
func without(raw []byte, field string) []byte {
	dec := json.NewDecoder(bytes.NewReader(raw))
	dec.UseNumber()
	var doc any
	if dec.Decode(&doc) != nil {
		return raw
	}
	var drop func(at string, v any)
	drop = func(at string, v any) {
		switch v := v.(type) {
		case map[string]any:
			for k, member := range v {
				if one := strings.TrimPrefix(at+"."+k, "."); one == field {
					delete(v, k)
				} else {
					drop(one, member)
				}
			}
		case []any:
			for _, member := range v {
				drop(at+"[]", member)
			}
		}
	}
	drop("", doc)
	b, err := json.Marshal(doc)
	if err != nil {
		return raw
	}
	return b
}

// nobody is a spool that keeps the facts in memory.
type nobody struct{ events []engine.Event }

func (*nobody) Cursor(context.Context, string) (json.RawMessage, error) { return nil, nil }

func (n *nobody) Commit(_ context.Context, _ string, b collectors.Batch) error {
	n.events = append(n.events, b.Events...)
	return nil
}

// contract runs the collectors of a repository and its organisation through a tap.
func contract(t *testing.T, f *fake, c *tap) (string, error) {
	t.Helper()
	service := impatient(nil)
	c.RoundTripper, c.answers = service.Transport, map[string][]byte{}
	service.Transport = c
	g, err := git.Connect(git.Options{BaseURL: f.server.URL, Token: fakeToken, Service: service})
	if err != nil {
		t.Fatal(err)
	}
	repo, err := g.Repository("acme/shop")
	if err != nil {
		t.Fatal(err)
	}
	org, err := g.Organization("acme", func(collectors.Payload) collectors.Mapping { return collectors.Mapping{} })
	if err != nil {
		t.Fatal(err)
	}
	var kept nobody
	for _, one := range []collectors.Collector{repo, org} {
		if one == org && c.field != "" {
			continue // its answers say nothing of what to ask next
		}
		if _, err := collectors.Run(t.Context(), one, march, &kept, nil); err != nil {
			return "", err
		}
	}
	if _, err := g.Repositories(t.Context(), "acme"); err != nil {
		return "", err
	}
	return ndjson(t, facts(collectors.Mapping{Events: kept.events})), nil
}

// Every endpoint that is asked, with its query, and every field of its answers
// that changes an event or the course of the collection, is written down in
// testdata/contract.golden: nothing is read by chance.
func TestContract(t *testing.T) {
	f := newFake(t)
	f.shop(1)
	c := &tap{}
	if _, err := contract(t, f, c); err != nil {
		t.Fatal(err)
	}
	want, err := contract(t, f, &tap{field: "none"})
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range c.requests {
		for header, value := range map[string]string{"Accept": "application/vnd.github.v3+json", "X-Github-Api-Version": "2022-11-28",
			"User-Agent": "changevouch", "Authorization": "Bearer " + fakeToken} {
			if got := r.Header.Get(header); got != value {
				t.Errorf("%s: %s is %q, want %q", endpoint(r), header, got, value)
			}
		}
	}
	var b strings.Builder
	for _, name := range slices.Sorted(maps.Keys(c.answers)) {
		fmt.Fprintln(&b, name)
		address := f.server.URL + "/api/v3/"
		for _, r := range c.requests {
			if endpoint(r) == name {
				address = r.URL.String()
			}
		}
		mapped := git.Map(collectors.Payload{URL: address, Bytes: c.answers[name], ObservedAt: day(30), LastPage: true})
		for _, field := range fields(c.answers[name]) {
			lacking := git.Map(collectors.Payload{URL: address, Bytes: without(c.answers[name], field), ObservedAt: day(30), LastPage: true})
			used := !onlyNavigates(name) && !cmp.Equal(facts(mapped), facts(lacking))
			if !used && navigates(name) {
				got, err := contract(t, f, &tap{endpoint: name, field: field})
				used = err != nil || got != want
			}
			if used {
				fmt.Fprintln(&b, "  "+field)
			}
		}
	}
	const golden = "testdata/contract.golden"
	if *update {
		if err := os.WriteFile(golden, []byte(b.String()), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	written, err := os.ReadFile(golden)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(strings.Split(string(written), "\n"), strings.Split(b.String(), "\n")); diff != "" {
		t.Errorf("what is asked of GitHub changed (-update accepts it):\n%s", diff)
	}
}

// onlyNavigates tells endpoints that say what to ask next, and nothing else.
func onlyNavigates(endpoint string) bool {
	return slices.ContainsFunc([]string{"{repo}/pulls?", "{repo}/rulesets?", "history?", "rule-suites?", "{repo}/branches?", "{org}/repos?"},
		func(part string) bool { return strings.Contains(endpoint, part) })
}

func navigates(endpoint string) bool {
	return onlyNavigates(endpoint) || strings.Contains(endpoint, "{repo}/deployments?") || strings.Contains(endpoint, "deployments/{id}/statuses?")
}
