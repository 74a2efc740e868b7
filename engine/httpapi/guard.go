package httpapi

import (
	"bytes"
	"compress/gzip"
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"regexp"
	"runtime/debug"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/go-chi/httprate"

	"github.com/changevouch/changevouch/engine"
)

// call is what the guard knows of a request.
type call struct {
	id        string
	route     string // as the access table has it
	principal Principal
	body      []byte
	target    string // the id of what was made, for the audit
	decisions []string
}

type callKey struct{}

func callOf(ctx context.Context) *call {
	c, ok := ctx.Value(callKey{}).(*call)
	if !ok {
		return &call{}
	}
	return c
}

func requestID(ctx context.Context) string { return callOf(ctx).id }

// sane is what a request id of a client may be: it goes into logs and headers.
var sane = regexp.MustCompile(`^[0-9A-Za-z._-]{1,64}$`)

// streams are routes that read their bodies for themselves.
var streams = map[string]bool{
	"POST /v1/evaluate/batch": true, "POST /v1/webhooks/github": true, "POST /v1/webhooks/render": true,
}

// guarded lets nothing through that may not be: it names the request, refuses paths
// that mean another, asks who calls and whether they may, and bounds what it costs.
func (s *server) guarded() http.Handler {
	return http.HandlerFunc(func(plain http.ResponseWriter, r *http.Request) {
		began := time.Now()
		c := &call{id: r.Header.Get("X-Request-Id")}
		if !sane.MatchString(c.id) {
			c.id = newRequestID()
		}
		w := newAnswer(plain, r)
		if r.ContentLength != 0 { // also that of a request that is refused unread
			_ = http.NewResponseController(w).SetReadDeadline(began.Add(s.Limits.BodyTimeout)) // where there is a connection
		}
		secure(w.Header(), r, c.id)
		r = r.WithContext(context.WithValue(r.Context(), callKey{}, c))
		defer func() {
			fault := recover()
			if fault == http.ErrAbortHandler { //nolint:errorlint // net/http's own signal, never wrapped
				s.finish(r, c, w.status, time.Since(began))
				panic(fault)
			}
			if fault != nil {
				s.Log.ErrorContext(r.Context(), "request failed", "request_id", c.id, "panic", fmt.Sprint(fault), "stack", string(debug.Stack()))
				if !w.begun() {
					fail(w, problemOf(http.StatusInternalServerError, "the log has the reason, under this request id"))
				}
			}
			w.end()
			s.finish(r, c, w.status, time.Since(began))
		}()
		s.admit(w, r, c)
	})
}

func newRequestID() string {
	b := make([]byte, 12)
	_, _ = rand.Read(b) // never fails, see crypto/rand
	return hex.EncodeToString(b)
}

// secure sets the headers of every answer. Nothing here is for a browser to show, and
// no other site may ask: there is no CORS.
func secure(h http.Header, r *http.Request, id string) {
	h.Set("X-Request-Id", id)
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Content-Security-Policy", "default-src 'none'; frame-ancestors 'none'")
	h.Set("Referrer-Policy", "no-referrer")
	h.Set("Cache-Control", "no-store")
	if r.TLS != nil {
		h.Set("Strict-Transport-Security", "max-age=31536000")
	}
}

// finish writes the one log record of a request.
func (s *server) finish(r *http.Request, c *call, status int, took time.Duration) {
	s.measure(c.route, status, took)
	attrs := []any{"request_id", c.id, "method", r.Method, "route", c.route, "status", status, "took", took}
	if c.principal.Name != "" {
		attrs = append(attrs, "principal", c.principal.Name, "role", c.principal.Role)
	}
	if len(c.decisions) > 0 {
		attrs = append(attrs, "decisions", c.decisions)
	}
	s.Log.InfoContext(r.Context(), "request", attrs...)
}

// admit takes a request through the gates, in this order.
func (s *server) admit(w *answer, r *http.Request, c *call) {
	if !clean(r.URL.Path) || !clean(r.URL.EscapedPath()) {
		fail(w, problemOf(http.StatusBadRequest, "the path has empty elements or dots, or is no UTF-8: write it as it is meant"))
		return
	}
	_, pattern := s.mux.Handler(r)
	c.route = strings.Replace(pattern, "...}", "}", 1)
	may := access[c.route]
	if may&anybody == 0 {
		principal, err := s.authenticate(r)
		if err != nil {
			s.unauthenticated(w, r, err)
			return
		}
		c.principal = principal
		switch {
		case c.route == "":
			s.unknown(w, r)
			return
		case !may.includes(principal.Role):
			fail(w, problemOf(http.StatusForbidden, fmt.Sprintf("a %s may not do this; it takes one of: %s", principal.Role, names(may))))
			return
		}
	}
	s.limit(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { s.serve(w, r, c) })).ServeHTTP(w, r)
}

// limiter counts the requests of each principal. Whoever needs no token is not
// counted: one source's deliveries must not be refused for their number.
func (s *server) limiter() func(http.Handler) http.Handler {
	counted := httprate.NewRateLimiter(s.Limits.RequestsPerMinute, time.Minute,
		httprate.WithKeyFuncs(func(r *http.Request) (string, error) { return callOf(r.Context()).principal.Name, nil }),
		httprate.WithLimitHandler(func(w http.ResponseWriter, _ *http.Request) {
			fail(w, problemOf(http.StatusTooManyRequests, fmt.Sprintf("more than %d requests a minute: Retry-After says when to go on", s.Limits.RequestsPerMinute)))
		}))
	return func(next http.Handler) http.Handler {
		limited := counted.Handler(next)
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if callOf(r.Context()).principal.Name == "" {
				next.ServeHTTP(w, r)
				return
			}
			limited.ServeHTTP(w, r)
		})
	}
}

// serve takes a slot, reads the body, and hands over to the route.
func (s *server) serve(w *answer, r *http.Request, c *call) {
	slots := s.slots
	switch {
	case strings.HasSuffix(c.route, "/health/live"), strings.HasSuffix(c.route, "/health/ready"):
		slots = nil // a server that is busy is not dead
	case strings.HasPrefix(c.route, "POST /v1/webhooks/"):
		slots = s.inbox
	}
	if slots != nil {
		select {
		case slots <- struct{}{}:
			defer func() { <-slots }()
		default:
			w.Header().Set("Retry-After", "1")
			fail(w, problemOf(http.StatusServiceUnavailable, "too many requests at once"))
			return
		}
	}
	if !streams[c.route] {
		if err := s.readBody(w, r, c); err != nil {
			s.unreadable(w, r, err)
			return
		}
		ctx, cancel := context.WithTimeout(r.Context(), s.Limits.Timeout)
		defer cancel()
		r = r.WithContext(ctx)
	}
	s.mux.ServeHTTP(w, r)
}

// readBody reads the whole body, in time and within bounds, also when it is packed.
func (s *server) readBody(w *answer, r *http.Request, c *call) error {
	if r.Method != http.MethodPost {
		return nil
	}
	body, err := unpacked(r, http.MaxBytesReader(w, r.Body, s.Limits.BodyBytes))
	if err != nil {
		return err
	}
	text, err := io.ReadAll(io.LimitReader(body, s.Limits.BodyBytes+1))
	if err != nil {
		return err
	}
	if int64(len(text)) > s.Limits.BodyBytes {
		return &http.MaxBytesError{Limit: s.Limits.BodyBytes}
	}
	c.body = text
	r.Body = io.NopCloser(bytes.NewReader(nil))
	_ = http.NewResponseController(w).SetReadDeadline(time.Time{}) // else it would end the evaluation, too
	return nil
}

// errEncoding is a body that is packed in a way nobody here can unpack.
var errEncoding = errors.New("a body may be packed with gzip, or not at all")

// unpacked undoes Content-Encoding.
func unpacked(r *http.Request, body io.Reader) (io.Reader, error) {
	switch strings.ToLower(r.Header.Get("Content-Encoding")) {
	case "", "identity":
		return body, nil
	case "gzip":
		return gzip.NewReader(body)
	}
	return nil, errEncoding
}

// unreadable answers for a body that could not be read.
func (s *server) unreadable(w http.ResponseWriter, r *http.Request, err error) {
	var slow net.Error
	var large *http.MaxBytesError
	switch {
	case errors.As(err, &large):
		fail(w, s.problem(r.Context(), large))
	case errors.As(err, &slow) && slow.Timeout():
		w.Header().Set("Connection", "close")
		fail(w, problemOf(http.StatusRequestTimeout, "the body did not come in time"))
	case errors.Is(err, errEncoding):
		fail(w, problemOf(http.StatusUnsupportedMediaType, err.Error()))
	default:
		fail(w, problemOf(http.StatusBadRequest, "the body cannot be read: "+err.Error()))
	}
}

// unauthenticated answers whoever could not say who they are.
func (s *server) unauthenticated(w http.ResponseWriter, r *http.Request, err error) {
	var refused refusal
	if !errors.As(err, &refused) {
		fail(w, s.problem(r.Context(), err)) // the journal, not the token
		return
	}
	w.Header().Set("WWW-Authenticate", `Bearer realm="changevouch"`)
	fail(w, problemOf(http.StatusUnauthorized, refused.Error()))
}

// unknown answers for a path or a method that there is not.
func (s *server) unknown(w http.ResponseWriter, r *http.Request) {
	var allowed []string
	for _, method := range []string{http.MethodGet, http.MethodPost} {
		other := r.Clone(r.Context())
		other.Method = method
		if _, pattern := s.mux.Handler(other); pattern != "" {
			allowed = append(allowed, method)
		}
	}
	if len(allowed) == 0 {
		fail(w, problemOf(http.StatusNotFound, "there is nothing at this path: GET /openapi.yaml lists what there is"))
		return
	}
	w.Header().Set("Allow", strings.Join(allowed, ", "))
	fail(w, problemOf(http.StatusMethodNotAllowed, "this path takes "+strings.Join(allowed, " and ")))
}

// clean reports whether a path says plainly what it means.
func clean(path string) bool {
	if !strings.HasPrefix(path, "/") || !utf8.ValidString(path) {
		return false
	}
	elements := strings.Split(path[1:], "/")
	for i, element := range elements {
		empty := element == "" && i < len(elements)-1
		if empty || element == "." || element == ".." || strings.ContainsAny(element, "\x00\\\r\n") {
			return false
		}
	}
	return true
}

func names(g grant) string {
	var out []string
	for _, role := range g.names() {
		out = append(out, string(role))
	}
	return strings.Join(out, ", ")
}

// audit records a change that was made through the API, once it is durable. When the
// entry cannot be written the caller is told: what was done stays done.
func (s *server) audit(r context.Context, status int) error {
	c := callOf(r)
	method, route, _ := strings.Cut(c.route, " ")
	err := s.Journal.AddAction(r, engine.Action{
		At: s.Clock().UTC(), Principal: c.principal.Name, Role: c.principal.Role,
		Method: method, Route: route, Target: c.target, Request: c.id, Status: status,
	})
	if err != nil {
		return fmt.Errorf("it was done, but its audit entry could not be written: %w", err)
	}
	return nil
}
