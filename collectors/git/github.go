package git

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/google/go-github/v60/github"

	"github.com/changevouch/changevouch/collectors"
	"github.com/changevouch/changevouch/engine"
)

// publicAPI is where github.com answers.
const publicAPI = "https://api.github.com/"

// Options say which GitHub is read, and as whom.
type Options struct {
	// BaseURL is the address of an Enterprise Server or of a ghe.com tenant; empty
	// is github.com.
	BaseURL string
	// Token is a personal or installation token; App is a GitHub App instead.
	Token string
	App   *App
	// Settings of the mapping; zero is DefaultSettings.
	Settings *Settings
	// Service is how the server is asked; Base and Authorize are set here.
	Service collectors.Service
}

// GitHub reads one GitHub server as one user or installation. It only reads:
// whatever could change something is refused.
type GitHub struct {
	api      *github.Client
	settings Settings
}

// Connect prepares to read. It reaches no network yet.
func Connect(o Options) (*GitHub, error) {
	return connect(o, func(r *http.Request) bool {
		return r.Method == http.MethodGet || r.Method == http.MethodPost && strings.HasSuffix(r.URL.Path, "/graphql")
	})
}

// connect prepares to make such requests as are allowed.
func connect(o Options, allowed func(*http.Request) bool) (*GitHub, error) {
	base, err := apiBase(o.BaseURL)
	if err != nil {
		return nil, err
	}
	g := &GitHub{settings: DefaultSettings()}
	if o.Settings != nil {
		g.settings = *o.Settings
	}
	o.Service.Base = base
	switch {
	case o.App != nil && o.Token != "":
		return nil, errors.New("a token and an app are both given: one of them says who reads")
	case o.App != nil:
		o.Service.Authorize = o.App.authorize(o.Service)
	case o.Token != "":
		o.Service.Authorize = bearer(o.Token)
	}
	client := collectors.NewClient(o.Service)
	client.Transport = restrained{client.Transport, allowed}
	g.api = github.NewClient(client)
	g.api.BaseURL = base
	g.api.UserAgent = "changevouch"
	return g, nil
}

// apiBase is the address below which the REST API lies, with a slash at its end.
func apiBase(address string) (*url.URL, error) {
	if address == "" {
		address = publicAPI
	}
	u, err := url.Parse(address)
	switch {
	case err != nil:
		return nil, fmt.Errorf("base URL: %w", err)
	case u.Scheme != "https" && (u.Scheme != "http" || !isLoopback(u.Hostname())):
		return nil, fmt.Errorf("base URL %q: only https is safe for credentials", u.Redacted())
	case u.Host == "" || u.User != nil || u.RawQuery != "":
		return nil, fmt.Errorf("base URL %q: name scheme and host only, such as https://github.example.com", u.Redacted())
	case u.Hostname() == "github.com" || u.Hostname() == "www.github.com":
		return url.Parse(publicAPI)
	case strings.HasSuffix(u.Hostname(), ".ghe.com") && !strings.HasPrefix(u.Host, "api."):
		u.Host = "api." + u.Host
	}
	client, err := github.NewClient(nil).WithEnterpriseURLs(u.String(), u.String())
	if err != nil {
		return nil, fmt.Errorf("base URL: %w", err)
	}
	return client.BaseURL, nil
}

func isLoopback(host string) bool { return host == "127.0.0.1" || host == "::1" || host == "localhost" }

func bearer(token string) func(*http.Request) error {
	return func(r *http.Request) error {
		r.Header.Set("Authorization", "Bearer "+token)
		return nil
	}
}

// restrained refuses whatever else could change something: go-github offers merging
// next to reading.
type restrained struct {
	http.RoundTripper
	allowed func(*http.Request) bool
}

func (t restrained) RoundTrip(r *http.Request) (*http.Response, error) {
	if !t.allowed(r) {
		return nil, fmt.Errorf("%s %s: not what this client is for", r.Method, r.URL.Path)
	}
	resp, err := t.RoundTripper.RoundTrip(r)
	if err == nil {
		// The client below waits for limits; go-github would keep count on its own
		// and refuse to ask, unless it takes the answer for a cached one.
		resp.Header.Set("X-From-Cache", "1")
	}
	return resp, err
}

// host names the server in a collector's name.
func (g *GitHub) host() string {
	if host := g.api.BaseURL.Host; host != "api.github.com" {
		return strings.TrimPrefix(host, "api.")
	}
	return "github.com"
}

// answer is one answer of the API, a refusal included.
type answer struct {
	collectors.Payload
	next   string // where the next page is, as get takes it; "" at the end
	status int
}

func (a answer) refused() bool { return a.status >= 400 }

// get reads one address below the API's base, such as "repos/o/r/pulls/7?page=2".
// An answer that the thing is absent, or not for us, is an answer.
func (g *GitHub) get(ctx context.Context, ref string) (answer, error) {
	req, err := g.api.NewRequest(http.MethodGet, ref, nil)
	if err != nil {
		return answer{}, fmt.Errorf("address %s: %w", ref, err)
	}
	return g.ask(ctx, req, ref, recordedPath(ref))
}

// query asks GraphQL; path is where a recording would keep the answer.
func (g *GitHub) query(ctx context.Context, path, query string, variables map[string]any) (answer, error) {
	// Beside the REST API on every server, which lies below api/v3/ on some.
	req, err := g.api.NewRequest(http.MethodPost, "../graphql", map[string]any{"query": query, "variables": variables})
	if err != nil {
		return answer{}, fmt.Errorf("address of GraphQL: %w", err)
	}
	return g.ask(ctx, req, "graphql", path)
}

// ask gets one answer; ref names it in errors.
func (g *GitHub) ask(ctx context.Context, req *http.Request, ref, path string) (answer, error) {
	var body bytes.Buffer
	resp, err := g.api.Do(ctx, req, &body)
	a := answer{Payload: collectors.Payload{
		Path: path, URL: req.URL.String(), MediaType: "application/json", Trust: engine.TrustAPIRead,
	}}
	switch refusal, refused := errors.AsType[*github.ErrorResponse](err); {
	case refused && refusal.Response.StatusCode == http.StatusUnauthorized:
		return a, fmt.Errorf("%s does not accept the credentials (%s): give a valid token", g.host(), refusal.Message)
	case refused && refusal.Response.StatusCode < 500:
		resp = &github.Response{Response: refusal.Response}
		if _, err := body.ReadFrom(refusal.Response.Body); err != nil {
			return a, fmt.Errorf("read %s: %w", ref, err)
		}
		a.Bytes = refusalBody(body.Bytes(), refusal.Response)
		a.Grant = grant(routeOfURL(a.URL).kind, a.URL, refusal.Response.Header)
	case err != nil:
		return a, fmt.Errorf("read %s: %w", ref, err)
	default:
		a.Bytes = body.Bytes()
	}
	a.status, a.ObservedAt = resp.StatusCode, collectors.ServerTime(resp.Response)
	if a.next, err = g.following(resp.Response); err != nil {
		return a, fmt.Errorf("read %s: %w", ref, err)
	}
	a.NextPage, a.LastPage = a.next != "", a.next == ""
	return a, nil
}

// refusalBody is the error answer as JSON; a proxy's page becomes what GitHub
// would have said.
func refusalBody(body []byte, r *http.Response) []byte {
	var o struct {
		Message string `json:"message"`
	}
	if json.Unmarshal(body, &o) == nil && o.Message != "" {
		return body
	}
	return engine.Facts(map[string]string{"message": r.Status, "status": fmt.Sprint(r.StatusCode)})
}

// following is the next page of a list (RFC 8288), as get takes it.
func (g *GitHub) following(r *http.Response) (string, error) {
	for link := range strings.SplitSeq(strings.Join(r.Header.Values("Link"), ","), ",") {
		address, params, ok := strings.Cut(link, ";")
		if !ok || !strings.Contains(params, `rel="next"`) {
			continue
		}
		address = strings.Trim(strings.TrimSpace(address), "<>")
		u, err := g.api.BaseURL.Parse(address)
		if err != nil || u.Host != g.api.BaseURL.Host || !strings.HasPrefix(u.Path, g.api.BaseURL.Path) {
			return "", fmt.Errorf("the next page lies elsewhere: %s", clip(address))
		}
		return strings.TrimPrefix(u.RequestURI(), g.api.BaseURL.Path), nil
	}
	return "", nil
}

// recordedPath is where a recording would keep the answer. Filters that say whom
// a list is about are part of it.
func recordedPath(ref string) string {
	p, query, _ := strings.Cut(ref, "?")
	q, err := url.ParseQuery(query)
	if err != nil {
		return p + ".json"
	}
	for _, filter := range []string{"role", "filter"} {
		if v := q.Get(filter); v != "" {
			p += "." + filter + "-" + v
		}
	}
	if n := q.Get("page"); n != "" && n != "1" {
		p += ".page-" + n
	}
	return p + ".json"
}

// take reads one address into a step. A refusal that concerns more than one
// subject is a gap of the whole source.
func (g *GitHub) take(ctx context.Context, step *collectors.Step, m collectors.Mapper, ref string) (answer, error) {
	a, err := g.get(ctx, ref)
	if err != nil {
		return a, err
	}
	g.add(step, m, a)
	return a, nil
}

// addWindow is add for a page of a list that was read for a window only: that
// the list was read to its end would claim more than is so.
func (g *GitHub) addWindow(step *collectors.Step, m collectors.Mapper, a answer) {
	g.add(step, func(p collectors.Payload) collectors.Mapping {
		mapping := m(p)
		mapping.Events = slices.DeleteFunc(mapping.Events, func(e engine.Event) bool {
			c, ok := coverageOf(e)
			return ok && c.Status == "complete"
		})
		return mapping
	}, a)
}

func coverageOf(e engine.Event) (c engine.CoverageFact, ok bool) {
	return c, e.Type == "coverage.recorded" && json.Unmarshal(e.Data, &c) == nil
}

// add maps an answer into a step.
func (g *GitHub) add(step *collectors.Step, m collectors.Mapper, a answer) {
	mapping := m(a.Payload)
	step.Add(mapping)
	if !a.refused() {
		return
	}
	for _, e := range mapping.Events {
		c, ok := coverageOf(e)
		if !ok || c.Status == "complete" {
			continue
		}
		one := c.Number != nil || c.SHA != ""
		if one && a.status != http.StatusForbidden && a.status != http.StatusUnavailableForLegalReasons {
			continue
		}
		reason := c.Reason
		if !strings.Contains(reason, a.Grant) {
			reason += ". " + a.Grant
		}
		for _, fact := range c.Missing {
			step.Gaps = append(step.Gaps, collectors.Gap{Source: c.Source, Fact: fact, Reason: reason})
		}
	}
}

// takeAll reads a list to its end.
func (g *GitHub) takeAll(ctx context.Context, step *collectors.Step, m collectors.Mapper, ref string) error {
	_, err := g.each(ctx, ref, func(a answer) (bool, error) {
		g.add(step, m, a)
		return true, nil
	})
	return err
}

// each hands over page after page until one is refused, the last was read or
// visit wants no more. It returns the last answer.
func (g *GitHub) each(ctx context.Context, ref string, visit func(answer) (bool, error)) (answer, error) {
	for {
		a, err := g.get(ctx, ref)
		if err != nil {
			return a, err
		}
		more, err := visit(a)
		if err != nil || !more || a.refused() || a.next == "" {
			return a, err
		}
		ref = a.next
	}
}

// elements decodes a list answer as far as it is needed; one that is refused has
// none.
func elements[T any](a answer, field string) ([]T, error) {
	if a.refused() {
		return nil, nil
	}
	raw := json.RawMessage(a.Bytes)
	if field != "" {
		var o map[string]json.RawMessage
		if err := json.Unmarshal(raw, &o); err != nil {
			return nil, fmt.Errorf("%s: %w", a.Path, err)
		}
		raw = o[field]
	}
	var all []T
	if err := json.Unmarshal(raw, &all); err != nil {
		return nil, fmt.Errorf("%s: %w", a.Path, err)
	}
	return all, nil
}

func stamp(t time.Time) string { return t.UTC().Format(time.RFC3339) }
