package app

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/changevouch/changevouch/engine"
	"github.com/changevouch/changevouch/engine/httpapi"
	"github.com/changevouch/changevouch/schemas"
)

// route is an operation of the OpenAPI document.
type route struct {
	method, path string
	roles        []engine.Role
	open         bool // takes no token
}

// apiRoutes reads the OpenAPI document that a server serves, so that a new route is
// tested without being named here.
func apiRoutes(t *testing.T, a *apiServer) []route {
	t.Helper()
	var document struct {
		Paths map[string]map[string]struct {
			Roles    []engine.Role         `json:"x-roles"`
			Security []map[string][]string `json:"security"`
		}
	}
	a.send(engine.RoleAdmin, "GET", "/openapi.json", "").want(t, http.StatusOK).into(t, &document)
	var routes []route
	for path, methods := range document.Paths {
		for method, op := range methods {
			for _, parameter := range []string{"{id}", "{version}", "{path}", "{level}", "{n}"} {
				path = strings.ReplaceAll(path, parameter, "0")
			}
			if strings.Contains(path, "{") {
				t.Fatalf("a parameter that this test does not know: %s", path)
			}
			routes = append(routes, route{method: strings.ToUpper(method), path: path, roles: op.Roles, open: len(op.Security) == 0})
		}
	}
	if len(routes) < 30 {
		t.Fatalf("%d routes", len(routes))
	}
	slices.SortFunc(routes, func(a, b route) int { return strings.Compare(a.path+a.method, b.path+b.method) })
	return routes
}

// TestAPIAccess tries every route with every token that must not do.
func TestAPIAccess(t *testing.T) {
	a := newAPIServer(t, nil)
	soon, past := apiNow.Add(time.Hour), apiNow.Add(-time.Second)
	expired := a.token(engine.Token{ID: "expired", Name: "expired", Role: engine.RoleAdmin, CreatedAt: past, ExpiresAt: &past})
	now := apiNow
	expiring := a.token(engine.Token{ID: "expiring", Name: "expiring", Role: engine.RoleAdmin, CreatedAt: past, ExpiresAt: &now})
	revoked := a.token(engine.Token{ID: "revoked", Name: "revoked", Role: engine.RoleAdmin, CreatedAt: past, ExpiresAt: &soon})
	if err := a.store.RevokeToken(t.Context(), "revoked", past); err != nil {
		t.Fatal(err)
	}
	unheard := a.token(engine.Token{ID: "unheard", Name: "unheard", Role: "janitor", CreatedAt: past})
	good := a.tokens[engine.RoleAdmin]
	refused := map[string]string{
		"none":          "",
		"empty":         "Bearer ",
		"wrong":         "Bearer " + httpapi.NewToken(),
		"short":         "Bearer vouch_",
		"cut":           "Bearer " + good[:len(good)-1],
		"other case":    "Bearer " + strings.ToUpper(good),
		"hash":          "Bearer " + httpapi.TokenHash(good),
		"expired":       "Bearer " + expired,
		"expiring now":  "Bearer " + expiring,
		"revoked":       "Bearer " + revoked,
		"basic":         "Basic " + base64.StdEncoding.EncodeToString([]byte("admin:"+good)),
		"no scheme":     good,
		"not encrypted": "Bearer eyJhbGciOiJub25lIn0.eyJzdWIiOiJhZG1pbiIsInJvbGUiOiJhZG1pbiJ9.",
		"too long":      "Bearer vouch_" + strings.Repeat("x", 20<<10),
	}
	send := func(r route, authorization string) apiReply {
		request, err := http.NewRequestWithContext(t.Context(), r.method, a.url+r.path, nil)
		if err != nil {
			t.Fatal(err)
		}
		if authorization != "" {
			request.Header.Set("Authorization", authorization)
		}
		return a.do(request)
	}
	for _, r := range apiRoutes(t, a) {
		if r.open {
			if !strings.HasPrefix(r.path, "/v1/webhooks/") && !strings.HasPrefix(r.path, "/health/") {
				t.Errorf("%s %s takes no token", r.method, r.path)
			}
			continue
		}
		for name, authorization := range refused {
			got := send(r, authorization)
			if got.StatusCode != http.StatusUnauthorized || got.Header.Get("WWW-Authenticate") == "" {
				t.Errorf("%s %s with token %q: %d\n%s", r.method, r.path, name, got.StatusCode, got.body)
			}
		}
		if got := send(r, "Bearer "+unheard); got.StatusCode != http.StatusForbidden {
			t.Errorf("%s %s as a janitor: %d", r.method, r.path, got.StatusCode)
		}
		for _, role := range httpapi.Roles() {
			got := send(r, "Bearer "+a.tokens[role])
			may := slices.Contains(r.roles, role)
			if may == (got.StatusCode == http.StatusForbidden) || got.StatusCode == http.StatusUnauthorized {
				t.Errorf("%s %s as %s: %d, and x-roles is %v", r.method, r.path, role, got.StatusCode, r.roles)
			}
		}
		if !slices.Contains(r.roles, engine.RoleAdmin) {
			t.Errorf("%s %s: an admin may not", r.method, r.path)
		}
	}
	for _, r := range []route{{method: "GET", path: "/"}, {method: "GET", path: "/v1/none"}, {method: "DELETE", path: "/v1/decisions"}, {method: "GET", path: "/metrics"}, {method: "GET", path: "/debug/pprof/"}} {
		if got := send(r, ""); got.StatusCode != http.StatusUnauthorized {
			t.Errorf("%s %s without a token: %d", r.method, r.path, got.StatusCode)
		}
		want := http.StatusNotFound
		if r.method == "DELETE" {
			want = http.StatusMethodNotAllowed
		}
		if got := send(r, "Bearer "+good); got.StatusCode != want {
			t.Errorf("%s %s: %d, want %d", r.method, r.path, got.StatusCode, want)
		}
	}
}

// TestAPIRoles holds the table to what each role is for, in words of its own.
func TestAPIRoles(t *testing.T) {
	a := newAPIServer(t, nil)
	changes := map[string][]engine.Role{
		"POST /v1/evaluate":           {engine.RoleSubmitter, engine.RoleOperator, engine.RoleAdmin},
		"POST /v1/evaluate/batch":     {engine.RoleSubmitter, engine.RoleOperator, engine.RoleAdmin},
		"POST /v1/events":             {engine.RoleSubmitter, engine.RoleOperator, engine.RoleAdmin},
		"POST /v1/waivers":            {engine.RoleOperator, engine.RoleAdmin},
		"POST /v1/attestations":       {engine.RoleOperator, engine.RoleAdmin},
		"GET /v1/decisions":           {engine.RoleViewer, engine.RoleAuditor, engine.RoleOperator, engine.RoleAdmin},
		"GET /v1/decisions/0/proof":   {engine.RoleAuditor, engine.RoleAdmin},
		"GET /v1/ledger/tile/0/0":     {engine.RoleAuditor, engine.RoleAdmin},
		"POST /v1/decisions/0/replay": {engine.RoleAuditor, engine.RoleAdmin},
	}
	for _, r := range apiRoutes(t, a) {
		if want, ok := changes[r.method+" "+r.path]; ok {
			if !slices.Equal(r.roles, want) {
				t.Errorf("%s %s: %v, want %v", r.method, r.path, r.roles, want)
			}
			delete(changes, r.method+" "+r.path)
		}
	}
	if len(changes) > 0 {
		t.Errorf("not in the document: %v", changes)
	}
}

// TestAPIAnswersAreSafe: every answer, good or bad, has the headers that keep a
// browser from making something of it.
func TestAPIAnswersAreSafe(t *testing.T) {
	a := newAPIServer(t, nil)
	for _, r := range apiRoutes(t, a) {
		for _, role := range []engine.Role{"", engine.RoleViewer, engine.RoleAdmin} {
			got := a.send(role, r.method, r.path, "", "Origin", "https://evil.example")
			for name, want := range map[string]string{
				"X-Content-Type-Options": "nosniff", "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'", "Referrer-Policy": "no-referrer",
			} {
				if got.Header.Get(name) != want {
					t.Errorf("%s %s: %s is %q", r.method, r.path, name, got.Header.Get(name))
				}
			}
			if got.Header.Get("Cache-Control") == "" || got.Header.Get("X-Request-Id") == "" {
				t.Errorf("%s %s: %v", r.method, r.path, got.Header)
			}
			for name := range got.Header {
				if strings.HasPrefix(name, "Access-Control-") {
					t.Errorf("%s %s: %s", r.method, r.path, name)
				}
			}
		}
	}
}

// TestAPIPaths: a path that means another is refused, before anything is looked up.
func TestAPIPaths(t *testing.T) {
	a := newAPIServer(t, nil)
	d := a.send(engine.RoleSubmitter, "POST", "/v1/evaluate", apiDossier("acme/shop#1", "pass")).want(t, http.StatusOK)
	for _, path := range []string{
		"/v1//decisions", "//v1/decisions", "/v1/./decisions", "/v1/webhooks/../decisions", "/health/live/../../v1/decisions", "/v1/decisions/..",
		"/health/%2e%2e/v1/decisions", "/health/live/%2e%2e/%2e%2e/v1/decisions", "/v1/decisions/%00", "/v1/decisions/a%0d%0aX-Evil:1", "/v1/decisions/%5c..%5c",
		"/v1/subjects/%2e%2e/%2e%2e/x", "/v1/ledger/tile/0/%2e%2e/%2e%2e/%2e%2e/etc/passwd", "/V1/decisions", "/v1/decisions/", "/v1/decisions;x=1", "/v1/decisions%2f" + strings.TrimPrefix(d.Header.Get("Location"), "/v1/decisions/"),
	} {
		for _, role := range []engine.Role{"", engine.RoleAdmin} {
			got := a.raw(fmt.Sprintf("GET %s HTTP/1.1\r\nHost: x\r\nConnection: close\r\n%s\r\n", path, a.header(role)))
			status := statusOf(t, got)
			if status < 400 || status >= 500 || strings.Contains(got, "X-Evil") && !strings.Contains(got, "%") || strings.Contains(got, "Location:") {
				t.Errorf("%s as %q:\n%s", path, role, got)
			}
		}
	}
}

// TestAPIHeaders: what a client sends never becomes a header or a log line of ours.
func TestAPIHeaders(t *testing.T) {
	var log bytes.Buffer
	a := newAPIServer(t, func(c *httpapi.Config) { c.Log = slog.New(slog.NewJSONHandler(&log, nil)) })
	if got := a.send("", "GET", "/health/live", "", "X-Request-Id", "abc-123.x_Y"); got.Header.Get("X-Request-Id") != "abc-123.x_Y" {
		t.Errorf("a sane request id: %v", got.Header)
	}
	for _, id := range []string{"a b", "<script>", strings.Repeat("x", 65), `a"b`, "ü", "a;b"} {
		if got := a.send("", "GET", "/health/live", "", "X-Request-Id", id); got.Header.Get("X-Request-Id") == id || got.Header.Get("X-Request-Id") == "" {
			t.Errorf("request id %q: %v", id, got.Header)
		}
	}
	got := a.raw("GET /health/live HTTP/1.1\r\nHost: x\r\nConnection: close\r\nX-Request-Id: a\rX-Evil: 1\r\n\r\n")
	if strings.Contains(got, "X-Evil") {
		t.Errorf("%s", got)
	}
	token := a.tokens[engine.RoleViewer]
	a.send(engine.RoleViewer, "GET", "/v1/decisions?text=payload-word", "").want(t, http.StatusOK)
	a.send(engine.RoleSubmitter, "POST", "/v1/evaluate", apiDossier("payload-word#1", "pass")).want(t, http.StatusOK)
	if text := log.String(); strings.Contains(text, token) || strings.Contains(text, httpapi.TokenHash(token)) || strings.Contains(text, "payload-word") || !strings.Contains(text, `"decisions":["dec_`) || !strings.Contains(text, `"principal":"a viewer"`) {
		t.Errorf("log:\n%s", text)
	}
	two := fmt.Sprintf("GET /v1/decisions HTTP/1.1\r\nHost: x\r\nConnection: close\r\n%sAuthorization: Bearer x\r\n\r\n", a.header(engine.RoleAdmin))
	if got := a.raw(two); statusOf(t, got) != http.StatusUnauthorized {
		t.Errorf("two tokens:\n%s", got)
	}
	smuggled := "POST /v1/evaluate HTTP/1.1\r\nHost: x\r\nConnection: close\r\n" + a.header(engine.RoleSubmitter) + "Content-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\nGET /v1/decisions HTTP/1.1\r\n\r\n"
	if got := a.raw(smuggled); strings.Count(got, "HTTP/1.1") != 1 {
		t.Errorf("two answers:\n%s", got)
	}
	large := "GET /v1/decisions HTTP/1.1\r\nHost: x\r\nX-Large: " + strings.Repeat("x", 2<<20) + "\r\n\r\n"
	if got := a.raw(large); !strings.Contains(got, "431") {
		t.Errorf("a large header:\n%.200s", got)
	}
}

// header is the Authorization line of a role.
func (a *apiServer) header(role engine.Role) string {
	if role == "" {
		return ""
	}
	return "Authorization: Bearer " + a.tokens[role] + "\r\n"
}

// raw sends bytes as they are and returns what comes until the connection closes.
func (a *apiServer) raw(text string) string {
	a.t.Helper()
	c, err := (&net.Dialer{}).DialContext(a.t.Context(), "tcp", strings.TrimPrefix(a.url, "http://"))
	if err != nil {
		a.t.Fatal(err)
	}
	defer c.Close()
	if err := c.SetDeadline(time.Now().Add(20 * time.Second)); err != nil {
		a.t.Fatal(err)
	}
	io.WriteString(c, text) // refused input may be cut off
	answer, _ := io.ReadAll(c)
	return string(answer)
}

func statusOf(t *testing.T, answer string) int {
	t.Helper()
	response, err := http.ReadResponse(bufio.NewReader(strings.NewReader(answer)), nil)
	if err != nil {
		t.Fatalf("%v\n%s", err, answer)
	}
	response.Body.Close()
	return response.StatusCode
}

// TestAPIBombs: what is small and becomes large is refused before it does.
func TestAPIBombs(t *testing.T) {
	a := newAPIServer(t, func(c *httpapi.Config) { c.Limits.BodyBytes = 1 << 20 })
	var zipped bytes.Buffer
	z := gzip.NewWriter(&zipped)
	for range 64 {
		z.Write(make([]byte, 1<<20))
	}
	z.Close()
	deep := strings.Repeat("[", 100_000) + strings.Repeat("]", 100_000)
	for _, path := range []string{"/v1/evaluate", "/v1/evaluate/batch", "/v1/events", "/v1/waivers", "/v1/attestations", "/v1/data/decision/document"} {
		for name, tt := range map[string]struct{ body, encoding string }{
			"deep":                {`{"input":` + deep + `}`, ""},
			"deep list":           {deep, ""},
			"number":              {`{"input":1e999999999,"schema":1e999999999,"id":1e999999999}`, ""},
			"digits":              {`{"input":` + strings.Repeat("9", 100_000) + `,"id":` + strings.Repeat("9", 100_000) + `}`, ""},
			"large":               {`"` + strings.Repeat("x", 1<<20) + `"`, ""},
			"gzip bomb":           {zipped.String(), "gzip"},
			"no gzip":             {"{}", "gzip"},
			"another compression": {"{}", "br"},
			"no UTF-8":            {"{\"\xff\xfe\":1}", ""},
		} {
			began := time.Now()
			headers := []string{"Content-Type", "application/json"}
			if tt.encoding != "" {
				headers = append(headers, "Content-Encoding", tt.encoding)
			}
			got := a.send(engine.RoleAdmin, "POST", path, tt.body, headers...)
			batch := path == "/v1/evaluate/batch" && got.StatusCode == http.StatusOK && bytes.Contains(got.body, []byte(`"error"`)) && !bytes.Contains(got.body, []byte(`"decision"`))
			data := strings.HasPrefix(path, "/v1/data") && got.StatusCode == http.StatusOK && name == "no UTF-8"
			if (got.StatusCode < 400 || got.StatusCode >= 500) && !batch && !data {
				t.Errorf("%s to %s: %d %.300s", name, path, got.StatusCode, got.body)
			}
			if took := time.Since(began); took > 30*time.Second {
				t.Errorf("%s to %s took %s", name, path, took)
			}
		}
	}
	// What is unpacked is not kept first: 64 MiB would show.
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	a.send(engine.RoleAdmin, "POST", "/v1/evaluate", zipped.String(), "Content-Encoding", "gzip").want(t, http.StatusRequestEntityTooLarge)
	runtime.ReadMemStats(&after)
	if grown := after.TotalAlloc - before.TotalAlloc; grown > 32<<20 {
		t.Errorf("%d bytes were allocated for a body of at most 1 MiB", grown)
	}
	// A small dossier may come packed.
	zipped.Reset()
	z.Reset(&zipped)
	io.WriteString(z, apiDossier("acme/shop#1", "pass"))
	z.Close()
	a.send(engine.RoleSubmitter, "POST", "/v1/evaluate", zipped.String(), "Content-Encoding", "gzip").want(t, http.StatusOK)
	a.send(engine.RoleSubmitter, "POST", "/v1/evaluate/batch", zipped.String(), "Content-Encoding", "gzip").want(t, http.StatusOK)
}

func TestAPIPacks(t *testing.T) {
	a := newAPIServer(t, nil)
	for i := range 20 {
		a.send(engine.RoleSubmitter, "POST", "/v1/evaluate", apiDossier(fmt.Sprintf("acme/shop#%d", i), "pass")).want(t, http.StatusOK)
	}
	plain := a.send(engine.RoleViewer, "GET", "/v1/decisions", "", "Accept-Encoding", "identity").want(t, http.StatusOK)
	packed := a.send(engine.RoleViewer, "GET", "/v1/decisions", "", "Accept-Encoding", "br;q=1, gzip;q=0.5").want(t, http.StatusOK)
	if packed.Header.Get("Content-Encoding") != "gzip" || packed.Header.Get("Vary") != "Accept-Encoding" || len(packed.body) >= len(plain.body) {
		t.Fatalf("%v", packed.Header)
	}
	z, err := gzip.NewReader(bytes.NewReader(packed.body))
	if err != nil {
		t.Fatal(err)
	}
	text, err := io.ReadAll(z)
	if err != nil || !bytes.Equal(text, plain.body) {
		t.Errorf("unpacked it is another: %v", err)
	}
	for _, header := range []string{"identity", "gzip;q=0", ""} {
		if got := a.send(engine.RoleViewer, "GET", "/v1/decisions", "", "Accept-Encoding", header); got.Header.Get("Content-Encoding") != "" {
			t.Errorf("Accept-Encoding: %q: %v", header, got.Header)
		}
	}
	if got := a.send(engine.RoleViewer, "GET", "/health/live", "", "Accept-Encoding", "gzip"); got.Header.Get("Content-Encoding") != "" {
		t.Errorf("a few bytes are packed")
	}
	one := a.send(engine.RoleViewer, "GET", "/openapi.json", "", "Accept-Encoding", "gzip").want(t, http.StatusOK)
	if tag := one.Header.Get("ETag"); !strings.HasPrefix(tag, "W/") {
		t.Errorf("other bytes have the same strong tag %s", tag)
	} else if got := a.send(engine.RoleViewer, "GET", "/openapi.json", "", "Accept-Encoding", "gzip", "If-None-Match", tag); got.StatusCode != http.StatusNotModified || len(got.body) > 0 {
		t.Errorf("%d", got.StatusCode)
	}
}

func TestAPIRateLimit(t *testing.T) {
	a := newAPIServer(t, func(c *httpapi.Config) { c.Limits.RequestsPerMinute = 5 })
	limited := 0
	for range 20 { // two windows at most
		if got := a.send(engine.RoleViewer, "GET", "/v1/controls", ""); got.StatusCode == http.StatusTooManyRequests {
			limited++
			if got.Header.Get("Retry-After") == "" {
				t.Errorf("%v", got.Header)
			}
			got.want(t, http.StatusTooManyRequests)
		}
	}
	if limited < 10 {
		t.Errorf("%d of 20 were refused", limited)
	}
	a.send(engine.RoleAuditor, "GET", "/v1/controls", "").want(t, http.StatusOK) // somebody else
	a.send("", "GET", "/health/live", "").want(t, http.StatusOK)
}

// TestAPIConcurrency: beyond the bound a request is refused at once, and health still
// answers.
func TestAPIConcurrency(t *testing.T) {
	inside, release := make(chan struct{}), make(chan struct{})
	a := newAPIServer(t, func(c *httpapi.Config) {
		c.Limits.Concurrent = 2
		c.Sources = func(context.Context) (any, error) { inside <- struct{}{}; <-release; return []string{}, nil }
	})
	done := make(chan int, 2)
	for range 2 {
		go func() { done <- a.send(engine.RoleAuditor, "GET", "/v1/sources", "").StatusCode }()
		<-inside
	}
	if got := a.send(engine.RoleAuditor, "GET", "/v1/controls", "").want(t, http.StatusServiceUnavailable); got.Header.Get("Retry-After") == "" {
		t.Errorf("%v", got.Header)
	}
	a.send("", "GET", "/health/live", "").want(t, http.StatusOK)
	a.send("", "GET", "/health/ready", "").want(t, http.StatusOK)
	close(release)
	for range 2 {
		if status := <-done; status != http.StatusOK {
			t.Errorf("a request that was let in: %d", status)
		}
	}
	a.send(engine.RoleAuditor, "GET", "/v1/controls", "").want(t, http.StatusOK)
}

func TestAPIPanic(t *testing.T) {
	var log bytes.Buffer
	a := newAPIServer(t, func(c *httpapi.Config) {
		c.Sources = func(context.Context) (any, error) { panic("at the disco") }
		c.Log = slog.New(slog.NewJSONHandler(&log, nil))
	})
	got := a.send(engine.RoleAuditor, "GET", "/v1/sources", "").want(t, http.StatusInternalServerError)
	if bytes.Contains(got.body, []byte("disco")) || !strings.Contains(log.String(), "at the disco") {
		t.Errorf("%s\n%s", got.body, log.String())
	}
	a.send(engine.RoleAuditor, "GET", "/v1/controls", "").want(t, http.StatusOK)
}

// TestAPIWebhooks sends what GitHub and Render send, and what others might.
func TestAPIWebhooks(t *testing.T) {
	secrets := []string{"old secret", "new secret"}
	renderSecrets := []string{"whsec_" + base64.StdEncoding.EncodeToString([]byte("old")), "whsec_" + base64.StdEncoding.EncodeToString([]byte("new"))}
	hook, err := renderWebhook(renderSecrets)
	if err != nil {
		t.Fatal(err)
	}
	nudges := 0
	a := newAPIServer(t, func(c *httpapi.Config) {
		c.Webhooks = map[string]httpapi.Webhook{"github": githubWebhook(secrets), "render": hook}
		c.Delivered = func(context.Context) error { nudges++; return fmt.Errorf("the queue is down") }
		c.Limits.DeliveryBytes = 1 << 20
	})
	github := func(id, body, secret string, headers ...string) apiReply {
		mac := hmac.New(sha256.New, []byte(secret))
		io.WriteString(mac, body)
		headers = append([]string{"X-GitHub-Delivery", id, "X-GitHub-Event", "pull_request", "Content-Type", "application/json", "X-Hub-Signature-256", "sha256=" + hex.EncodeToString(mac.Sum(nil))}, headers...)
		return a.send("", "POST", "/v1/webhooks/github", body, headers...)
	}
	render := func(id, body, secret string, at time.Time) apiReply {
		stamp := fmt.Sprint(at.Unix())
		mac := hmac.New(sha256.New, []byte(secret))
		io.WriteString(mac, id+"."+stamp+"."+body)
		return a.send("", "POST", "/v1/webhooks/render", body, "webhook-id", id, "webhook-timestamp", stamp, "webhook-signature", "v1,"+base64.StdEncoding.EncodeToString(mac.Sum(nil)))
	}
	pending := func() []engine.Delivery {
		list, err := a.store.PendingDeliveries(t.Context(), 100)
		if err != nil {
			t.Fatal(err)
		}
		return list
	}
	body := `{"action":"opened", "number": 1}`

	// Good ones, under both secrets; again is the same answer, and nothing new.
	first := github("d-1", body, "old secret").want(t, http.StatusAccepted)
	again := github("d-1", body, "old secret").want(t, http.StatusAccepted)
	if !bytes.Equal(first.body, again.body) || nudges != 1 {
		t.Errorf("again it is %s, nudged %d times", again.body, nudges)
	}
	github("d-2", body, "new secret").want(t, http.StatusAccepted)
	render("evt-1", `{"type":"deploy_ended","data":{"id":"evt-1"}}`, "old", apiNow).want(t, http.StatusAccepted)
	render("evt-2", `{"type":"deploy_ended","data":{"id":"evt-2"}}`, "new", apiNow.Add(-4*time.Minute)).want(t, http.StatusAccepted)
	kept := pending()
	if len(kept) != 4 || string(kept[0].Payload) != body || kept[0].Digest != engine.Digest([]byte(body)) || !kept[0].ReceivedAt.Equal(apiNow) || kept[0].Event != "pull_request" {
		t.Fatalf("kept %+v", kept)
	}

	// Bad ones leave nothing behind.
	for name, got := range map[string]apiReply{
		"forged":                   github("d-3", body, "guessed"),
		"without secret":           github("d-3", body, ""),
		"another body":             github("d-3", body+" ", "old secret", "X-Hub-Signature-256", "sha256="+strings.Repeat("0", 64)),
		"no signature":             a.send("", "POST", "/v1/webhooks/github", body, "X-GitHub-Delivery", "d-3", "X-GitHub-Event", "push"),
		"SHA-1 only":               a.send("", "POST", "/v1/webhooks/github", body, "X-GitHub-Delivery", "d-3", "X-GitHub-Event", "push", "X-Hub-Signature", "sha1="+strings.Repeat("0", 40)),
		"no id":                    github("", body, "old secret"),
		"an id that is a path":     github("../../x", body, "old secret"),
		"render forged":            render("evt-3", `{}`, "guessed", apiNow),
		"render stale":             render("evt-3", `{}`, "old", apiNow.Add(-6*time.Minute)),
		"render ahead":             render("evt-3", `{}`, "old", apiNow.Add(6*time.Minute)),
		"render replayed as other": render("evt-9", `{"type":"deploy_ended","data":{"id":"evt-1"}}`, "old", apiNow),
		"a token in place":         a.send(engine.RoleAdmin, "POST", "/v1/webhooks/github", body, "X-GitHub-Delivery", "d-3", "X-GitHub-Event", "push"),
	} {
		if got.StatusCode != http.StatusUnauthorized {
			t.Errorf("%s: %d %s", name, got.StatusCode, got.body)
		}
	}
	github("d-4", strings.Repeat("x", 1<<20+1), "old secret").want(t, http.StatusRequestEntityTooLarge)
	a.send(engine.RoleAdmin, "GET", "/v1/webhooks/github", "").want(t, http.StatusMethodNotAllowed)
	if n := len(pending()); n != 4 {
		t.Errorf("%d deliveries are kept, want 4", n)
	}
	b := newAPIServer(t, nil)
	b.send("", "POST", "/v1/webhooks/github", body).want(t, http.StatusNotFound)
}

// TestAPISlowClients: whoever sends a byte now and then is cut off.
func TestAPISlowClients(t *testing.T) {
	a := newAPIServer(t, func(c *httpapi.Config) { c.Limits.BodyTimeout = 300 * time.Millisecond })
	handler, err := httpapi.New(a.config)
	if err != nil {
		t.Fatal(err)
	}
	listener, err := httpapi.Listen(t.Context(), httpapi.Listening{Address: "127.0.0.1:0"})
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	served := make(chan error, 1)
	go func() {
		served <- httpapi.Serve(ctx, listener, handler, httpapi.Serving{Header: 300 * time.Millisecond, Idle: 300 * time.Millisecond})
	}()
	address := listener.Addr().String()
	for name, tt := range map[string]struct{ at, then string }{
		"header":       {"GET /health/live HTTP/1.1\r\nHost: x\r\n", "X-A: b\r\n"},
		"first line":   {"", "G"},
		"body":         {"POST /v1/evaluate HTTP/1.1\r\nHost: x\r\n" + a.header(engine.RoleSubmitter) + "Content-Length: 1000\r\n\r\n", " "},
		"webhook":      {"POST /v1/webhooks/github HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\n", " "},
		"batch":        {"POST /v1/evaluate/batch HTTP/1.1\r\nHost: x\r\n" + a.header(engine.RoleSubmitter) + "Content-Length: 1000\r\n\r\n", " "},
		"next request": {"GET /health/live HTTP/1.1\r\nHost: x\r\n\r\n", ""},
	} {
		t.Run(name, func(t *testing.T) {
			c, err := (&net.Dialer{}).DialContext(t.Context(), "tcp", address)
			if err != nil {
				t.Fatal(err)
			}
			defer c.Close()
			io.WriteString(c, tt.at)
			cut := make(chan struct{})
			go func() { io.Copy(io.Discard, c); close(cut) }()
			limit, tick := time.After(15*time.Second), time.NewTicker(50*time.Millisecond)
			defer tick.Stop()
			for {
				select {
				case <-cut:
					return
				case <-limit:
					t.Fatal("it is still connected")
				case <-tick.C:
					io.WriteString(c, tt.then)
				}
			}
		})
	}
	stop()
	if err := <-served; err != nil {
		t.Error(err)
	}
}

// TestAPIShutdown: what was accepted is finished, and nothing more is taken.
func TestAPIShutdown(t *testing.T) {
	inside, release := make(chan struct{}), make(chan struct{})
	a := newAPIServer(t, func(c *httpapi.Config) {
		c.Sources = func(context.Context) (any, error) { close(inside); <-release; return []string{"finished"}, nil }
	})
	handler, err := httpapi.New(a.config)
	if err != nil {
		t.Fatal(err)
	}
	listener, err := httpapi.Listen(t.Context(), httpapi.Listening{Address: "127.0.0.1:0"})
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	served := make(chan error, 1)
	go func() { served <- httpapi.Serve(ctx, listener, handler, httpapi.Serving{}) }()
	a.url = "http://" + listener.Addr().String()
	done := make(chan apiReply, 1)
	go func() { done <- a.send(engine.RoleAuditor, "GET", "/v1/sources", "") }()
	<-inside
	stop()
	for { // until nobody listens any more
		c, err := (&net.Dialer{}).DialContext(t.Context(), "tcp", listener.Addr().String())
		if err != nil {
			break
		}
		c.Close()
	}
	close(release)
	if got := <-done; got.StatusCode != http.StatusOK || !bytes.Contains(got.body, []byte("finished")) {
		t.Errorf("%d %s", got.StatusCode, got.body)
	}
	if err := <-served; err != nil {
		t.Error(err)
	}
}

// TestAPIFaultsAreDocuments: faults of a schema come with a pointer that leads to them.
func TestAPIFaultsAreDocuments(t *testing.T) {
	a := newAPIServer(t, nil)
	body := apiDossier("acme/shop#1", "pass")
	body = strings.Replace(body, `"kind":"pull_request"`, `"kind":"pull_request","checks":[{"name":"a"},{"nam":"b"}]`, 1)
	var got struct {
		Errors []struct{ Location string }
	}
	a.send(engine.RoleSubmitter, "POST", "/v1/evaluate", body).want(t, http.StatusUnprocessableEntity).into(t, &got)
	var want []string
	for _, fault := range schemas.Validate(schemas.Dossier, []byte(body)) {
		want = append(want, "body"+fault.Pointer)
	}
	var locations []string
	for _, e := range got.Errors {
		locations = append(locations, e.Location)
	}
	if !slices.Equal(locations, want) || len(want) == 0 {
		text, _ := json.Marshal(got)
		t.Errorf("%s, want %v", text, want)
	}
}
