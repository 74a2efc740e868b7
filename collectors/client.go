package collectors

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"
)

// How a service is asked: patience is bounded everywhere.
const (
	maxAnswer   = MaxFileSize      // bytes of one answer
	maxAttempts = 6                // of one request that fails for no fault of its own
	maxLimits   = 8                // waits for a rate limit, for one request
	maxWait     = 75 * time.Minute // for a rate limit; GitHub's hour, and some
	firstPause  = time.Second      // doubled with each attempt
	longPause   = 30 * time.Second
	maxAttempt  = 90 * time.Second // one attempt, with its body
)

// Service says how the HTTP client of one service behaves.
type Service struct {
	// Base is the service's address. Credentials go to its scheme, host and port
	// only, wherever an answer redirects to.
	Base *url.URL
	// Authorize sets the credentials of one attempt; nil for none.
	Authorize func(*http.Request) error
	// Notice is told, in a sentence, whenever a request has to wait; nil for nobody.
	Notice func(string)
	// Transport reaches the network; nil is one with timeouts of its own.
	Transport http.RoundTripper
	// Sleep waits; nil is a timer. An error ends the request.
	Sleep func(context.Context, time.Duration) error
	// Timeout of one attempt with its body; zero is 90 seconds.
	Timeout time.Duration
}

// NewClient returns a client that reads the whole of a bounded answer before it
// hands it on, tries again when a connection breaks or a service falters, waits
// for rate limits as the service asks, and revalidates by ETag what it read
// before. It follows no redirect to a lesser scheme. Requests with a body must
// have GetBody; all requests must be safe to repeat.
func NewClient(s Service) *http.Client {
	if s.Transport == nil {
		// Each attempt has a time limit of its own.
		s.Transport = &http.Transport{Proxy: http.ProxyFromEnvironment, ForceAttemptHTTP2: true, IdleConnTimeout: longPause}
	}
	if s.Sleep == nil {
		s.Sleep = sleep
	}
	if s.Notice == nil {
		s.Notice = func(string) {}
	}
	if s.Timeout == 0 {
		s.Timeout = maxAttempt
	}
	return &http.Client{Transport: &transport{service: s, known: newAnswers(knownBytes)}, CheckRedirect: checkRedirect}
}

func checkRedirect(r *http.Request, via []*http.Request) error {
	if len(via) >= 5 {
		return errors.New("more than five redirects")
	}
	if via[0].URL.Scheme == "https" && r.URL.Scheme != "https" {
		return fmt.Errorf("redirected from https to %s: not followed", r.URL.Scheme)
	}
	return nil
}

func sleep(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-t.C:
		return nil
	}
}

// transport is safe for concurrent use.
type transport struct {
	service Service
	known   *answers
}

// RoundTrip implements http.RoundTripper. A status that stays after all
// attempts is an answer; the caller judges it.
func (t *transport) RoundTrip(r *http.Request) (*http.Response, error) {
	ctx, host := r.Context(), r.URL.Host
	for attempts, limits := 1, 0; ; {
		resp, err := t.attempt(r)
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
		var pause time.Duration
		switch wait, limited := limitOf(resp); {
		case errors.As(err, new(refusal)):
			return nil, err
		case err == nil && limited:
			if limits++; limits > maxLimits {
				return nil, fmt.Errorf("%s still limits requests after %d waits: run again later; what was read is kept", host, maxLimits)
			}
			if wait == 0 { // none named: at least a minute, then longer
				wait = time.Minute << min(limits-1, 4)
			}
			if wait > maxWait {
				return nil, fmt.Errorf("%s limits requests for another %s: run again then; what was read is kept", host, wait.Round(time.Second))
			}
			t.service.Notice(fmt.Sprintf("%s limits requests: waiting %s", host, wait.Round(time.Second)))
			pause = wait
		case err == nil && !falters(resp.StatusCode):
			return resp, nil
		case attempts == maxAttempts && err != nil:
			return nil, fmt.Errorf("gave up after %d attempts: %w", attempts, err)
		case attempts == maxAttempts:
			return resp, nil
		default:
			pause = max(min(firstPause<<(attempts-1), longPause), min(retryAfter(resp), maxWait))
			t.service.Notice(fmt.Sprintf("%s %s: trying again in %s", host, failure(resp, err), pause))
			attempts++
		}
		if err := t.service.Sleep(ctx, pause); err != nil {
			return nil, err
		}
	}
}

// refusal is an error that no further attempt would change.
type refusal struct{ error }

func (r refusal) Unwrap() error { return r.error }

// attempt asks once and reads the answer to its end.
func (t *transport) attempt(original *http.Request) (*http.Response, error) {
	ctx, cancel := context.WithTimeout(original.Context(), t.service.Timeout)
	defer cancel()
	r := original.Clone(ctx)
	if original.Body != nil && original.Body != http.NoBody {
		if original.GetBody == nil {
			return nil, refusal{errors.New("a request whose body cannot be sent again")}
		}
		body, err := original.GetBody()
		if err != nil {
			return nil, refusal{fmt.Errorf("request body: %w", err)}
		}
		r.Body = body
	}
	if b := t.service.Base; t.service.Authorize != nil && b != nil && r.URL.Scheme == b.Scheme && r.URL.Host == b.Host {
		if err := t.service.Authorize(r); err != nil {
			return nil, refusal{err}
		}
	}
	known, revalidates := t.known.ask(r)
	resp, err := t.service.Transport.RoundTrip(r)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(io.LimitReader(resp.Body, maxAnswer+1))
	switch {
	case err != nil:
		return nil, fmt.Errorf("read the answer: %w", err)
	case len(body) > maxAnswer:
		return nil, refusal{fmt.Errorf("an answer larger than %d MiB", maxAnswer>>20)}
	}
	if revalidates && resp.StatusCode == http.StatusNotModified {
		resp.StatusCode, resp.Status, body = http.StatusOK, "200 OK", known.body
		for _, key := range []string{"Link", "Content-Type"} {
			if values := known.header.Values(key); len(values) > 0 {
				resp.Header[http.CanonicalHeaderKey(key)] = values
			}
		}
	}
	t.known.keep(r, resp, body)
	resp.Body, resp.ContentLength, resp.Request = io.NopCloser(bytes.NewReader(body)), int64(len(body)), original
	return resp, nil
}

func failure(r *http.Response, err error) string {
	if err != nil {
		return "cannot be reached: " + err.Error()
	}
	return "answered " + r.Status
}

func falters(status int) bool {
	switch status {
	case http.StatusInternalServerError, http.StatusBadGateway, http.StatusServiceUnavailable, http.StatusGatewayTimeout:
		return true
	}
	return false
}

// limitOf tells whether an answer is about a rate limit, and how long the
// service asks to wait: zero where it does not say. A 403 is about a limit only
// with a word of it; else a permission is missing.
func limitOf(r *http.Response) (time.Duration, bool) {
	if r == nil || r.StatusCode != http.StatusTooManyRequests && r.StatusCode != http.StatusForbidden && !spent(r) {
		return 0, false
	}
	if wait := retryAfter(r); wait > 0 {
		return wait, true
	}
	if first(r.Header, "X-RateLimit-Remaining", "RateLimit-Remaining", "X-Rate-Limit-Remaining") == "0" {
		return reset(r), true
	}
	return 0, r.StatusCode == http.StatusTooManyRequests || secondary(r)
}

// spent recognises GraphQL's word for the primary limit, which comes with status 200.
func spent(r *http.Response) bool {
	return r.StatusCode == http.StatusOK && r.Header.Get("X-RateLimit-Remaining") == "0" && strings.Contains(textOf(r), `"rate_limited"`)
}

// textOf is the body in lower case; it can be read again.
func textOf(r *http.Response) string {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return ""
	}
	r.Body = io.NopCloser(bytes.NewReader(body))
	return strings.ToLower(string(body))
}

// secondary recognises GitHub's secondary limit by its text: it may come without
// any header that says so.
func secondary(r *http.Response) bool {
	text := textOf(r)
	return strings.Contains(text, "secondary rate limit") || strings.Contains(text, "#abuse-rate-limits") ||
		strings.Contains(text, "secondary-rate-limits")
}

// retryAfter reads seconds or a date (RFC 9110, 10.2.3).
func retryAfter(r *http.Response) time.Duration {
	if r == nil {
		return 0
	}
	value := r.Header.Get("Retry-After")
	if n, err := strconv.Atoi(value); err == nil && n > 0 {
		return time.Duration(n) * time.Second
	}
	if at, err := http.ParseTime(value); err == nil && !ServerTime(r).IsZero() {
		return max(at.Sub(ServerTime(r)), time.Second)
	}
	return 0
}

// reset reads when a limit ends: seconds from now, or since 1970. A moment is
// added, since clocks cut off.
func reset(r *http.Response) time.Duration {
	n, err := strconv.ParseInt(first(r.Header, "X-RateLimit-Reset", "RateLimit-Reset", "X-Rate-Limit-Reset"), 10, 64)
	switch {
	case err != nil || n < 0 || n > 1e9 && ServerTime(r).IsZero():
		return 0
	case n > 1e9:
		return max(time.Unix(n, 0).Sub(ServerTime(r)), 0) + time.Second
	default:
		return time.Duration(n)*time.Second + time.Second
	}
}

func first(h http.Header, names ...string) string {
	for _, name := range names {
		if v := h.Get(name); v != "" {
			return v
		}
	}
	return ""
}

// ServerTime is when an answer was given, by the clock of the server; zero where
// it does not say.
func ServerTime(r *http.Response) time.Time {
	at, err := http.ParseTime(r.Header.Get("Date"))
	if err != nil {
		return time.Time{}
	}
	return at.UTC()
}
