package collectors_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/changevouch/changevouch/collectors"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// service is an HTTP server whose answers a test writes down, and a client of it
// that notes its waits instead of waiting.
type service struct {
	*httptest.Server
	client  *http.Client
	waits   []time.Duration
	notices []string
	asked   atomic.Int32
}

func newService(t *testing.T, answer func(w http.ResponseWriter, r *http.Request, n int)) *service {
	t.Helper()
	s := &service{}
	s.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Date", "Mon, 02 Mar 2026 12:00:00 GMT")
		answer(w, r, int(s.asked.Add(1)))
	}))
	t.Cleanup(s.Close)
	base, err := url.Parse(s.URL)
	if err != nil {
		t.Fatal(err)
	}
	transport := http.DefaultTransport.(*http.Transport).Clone()
	t.Cleanup(transport.CloseIdleConnections)
	s.client = collectors.NewClient(collectors.Service{
		Base: base, Transport: transport, Timeout: 200 * time.Millisecond,
		Authorize: func(r *http.Request) error { r.Header.Set("Authorization", "Bearer secret"); return nil },
		Notice:    func(text string) { s.notices = append(s.notices, text) },
		Sleep:     func(ctx context.Context, d time.Duration) error { s.waits = append(s.waits, d); return ctx.Err() },
	})
	return s
}

func (s *service) get(t *testing.T, path string) (reply, string, error) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, s.URL+path, nil)
	if err != nil {
		t.Fatal(err)
	}
	resp, err := s.client.Do(r)
	if err != nil {
		return reply{}, "", err
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	return reply{StatusCode: resp.StatusCode, Header: resp.Header}, string(b), err
}

// reply is what came back, its body read.
type reply struct {
	StatusCode int
	Header     http.Header
}

func TestClientWaitsForLimits(t *testing.T) {
	reset := fmt.Sprint(time.Date(2026, 3, 2, 12, 7, 0, 0, time.UTC).Unix())
	tests := []struct {
		name   string
		status int
		header map[string]string
		body   string
		want   []time.Duration
	}{
		{"429 with seconds", 429, map[string]string{"Retry-After": "17"}, "", []time.Duration{17 * time.Second}},
		{"429 with a date", 429, map[string]string{"Retry-After": "Mon, 02 Mar 2026 12:00:09 GMT"}, "", []time.Duration{9 * time.Second}},
		{"429 that says nothing", 429, nil, "", []time.Duration{time.Minute}},
		{"GitHub's primary limit", 403, map[string]string{"X-RateLimit-Remaining": "0", "X-RateLimit-Reset": reset}, "{}", []time.Duration{7*time.Minute + time.Second}},
		{"GitHub's primary limit, 429", 429, map[string]string{"X-RateLimit-Remaining": "0", "X-RateLimit-Reset": reset}, "{}", []time.Duration{7*time.Minute + time.Second}},
		{"GitHub's secondary limit", 403, map[string]string{"Retry-After": "60"}, "{}", []time.Duration{time.Minute}},
		{"GitHub's secondary limit in words", 403, map[string]string{"X-RateLimit-Remaining": "4000"}, `{"message":"You have exceeded a secondary rate limit."}`, []time.Duration{time.Minute}},
		{"GraphQL's primary limit", 200, map[string]string{"X-RateLimit-Remaining": "0", "X-RateLimit-Reset": reset}, `{"errors":[{"type":"RATE_LIMITED"}]}`, []time.Duration{7*time.Minute + time.Second}},
		{"seconds to a reset", 429, map[string]string{"RateLimit-Remaining": "0", "RateLimit-Reset": "30"}, "", []time.Duration{31 * time.Second}},
		{"a reset in the past", 429, map[string]string{"X-Rate-Limit-Remaining": "0", "X-Rate-Limit-Reset": "1700000000"}, "", []time.Duration{time.Second}},
	}
	for _, tc := range tests {
		t.Run(tc.name, func(t *testing.T) {
			s := newService(t, func(w http.ResponseWriter, _ *http.Request, n int) {
				if n > 1 {
					fmt.Fprint(w, "done")
					return
				}
				for k, v := range tc.header {
					w.Header().Set(k, v)
				}
				w.WriteHeader(tc.status)
				fmt.Fprint(w, tc.body)
			})
			if _, body, err := s.get(t, "/"); err != nil || body != "done" {
				t.Fatalf("body %q, error %v", body, err)
			}
			if !slices.Equal(s.waits, tc.want) {
				t.Errorf("waited %v, want %v", s.waits, tc.want)
			}
			if len(s.notices) != 1 || !strings.Contains(s.notices[0], "limits requests: waiting "+tc.want[0].String()) {
				t.Errorf("told %q", s.notices)
			}
		})
	}
}

// Whoever stays limited is told to come back, after waits that grow.
func TestClientGivesUpOnLimits(t *testing.T) {
	s := newService(t, func(w http.ResponseWriter, _ *http.Request, _ int) { w.WriteHeader(http.StatusTooManyRequests) })
	if _, _, err := s.get(t, "/"); err == nil || !strings.Contains(err.Error(), "run again later") {
		t.Errorf("error %v", err)
	}
	if len(s.waits) != 8 || s.waits[1] != 2*time.Minute || s.waits[7] != 16*time.Minute {
		t.Errorf("waited %v", s.waits)
	}
	s = newService(t, func(w http.ResponseWriter, _ *http.Request, _ int) {
		w.Header().Set("Retry-After", "86400")
		w.WriteHeader(http.StatusTooManyRequests)
	})
	if _, _, err := s.get(t, "/"); err == nil || !strings.Contains(err.Error(), "limits requests for another 24h0m0s") {
		t.Errorf("error %v", err)
	}
}

// A missing permission is no limit: nobody waits for it.
func TestClientTakesRefusalsForAnswers(t *testing.T) {
	for _, status := range []int{http.StatusForbidden, http.StatusNotFound, http.StatusUnauthorized, http.StatusGone} {
		s := newService(t, func(w http.ResponseWriter, _ *http.Request, _ int) {
			w.Header().Set("X-RateLimit-Remaining", "4999")
			w.WriteHeader(status)
			fmt.Fprint(w, `{"message":"Resource not accessible by integration"}`)
		})
		resp, body, err := s.get(t, "/")
		if err != nil || resp.StatusCode != status || !strings.Contains(body, "not accessible") || s.asked.Load() != 1 {
			t.Errorf("%d: response %v, body %q, error %v, asked %d times", status, resp, body, err, s.asked.Load())
		}
	}
}

func TestClientTriesAgain(t *testing.T) {
	burst := func(w http.ResponseWriter) { w.WriteHeader(http.StatusBadGateway) }
	cut := func(w http.ResponseWriter) {
		w.Header().Set("Content-Length", "100")
		fmt.Fprint(w, "half")
		w.(http.Flusher).Flush()
		panic(http.ErrAbortHandler)
	}
	slow := func(w http.ResponseWriter) {
		fmt.Fprint(w, "half")
		w.(http.Flusher).Flush()
		time.Sleep(300 * time.Millisecond) // longer than an attempt may take
	}
	for name, fail := range map[string]func(http.ResponseWriter){"5xx": burst, "cut connection": cut, "slow body": slow} {
		t.Run(name, func(t *testing.T) {
			s := newService(t, func(w http.ResponseWriter, _ *http.Request, n int) {
				if n <= 3 {
					fail(w)
					return
				}
				fmt.Fprint(w, "whole")
			})
			if _, body, err := s.get(t, "/"); err != nil || body != "whole" {
				t.Fatalf("body %q, error %v", body, err)
			}
			if len(s.waits) != 3 || s.waits[0] != time.Second || s.waits[2] != 4*time.Second {
				t.Errorf("waited %v", s.waits)
			}
		})
	}
	t.Run("for ever 5xx", func(t *testing.T) {
		s := newService(t, func(w http.ResponseWriter, _ *http.Request, _ int) { burst(w) })
		if resp, _, err := s.get(t, "/"); err != nil || resp.StatusCode != http.StatusBadGateway || s.asked.Load() != 6 {
			t.Errorf("response %v, error %v, asked %d times", resp, err, s.asked.Load())
		}
	})
	t.Run("unreachable", func(t *testing.T) {
		s := newService(t, nil)
		s.Close()
		if _, _, err := s.get(t, "/repos"); err == nil || !strings.Contains(err.Error(), "gave up after 6 attempts") || strings.Contains(err.Error(), "secret") {
			t.Errorf("error %v", err)
		}
	})
}

func TestClientStopsWithItsContext(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	s := newService(t, func(w http.ResponseWriter, _ *http.Request, _ int) {
		cancel()
		w.WriteHeader(http.StatusServiceUnavailable)
	})
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, s.URL, nil)
	if err != nil {
		t.Fatal(err)
	}
	resp, err := s.client.Do(r)
	if err == nil {
		resp.Body.Close()
	}
	if !errors.Is(err, context.Canceled) || s.asked.Load() != 1 {
		t.Errorf("error %v, asked %d times", err, s.asked.Load())
	}
}

func TestClientBoundsAnswers(t *testing.T) {
	s := newService(t, func(w http.ResponseWriter, r *http.Request, _ int) {
		chunk := make([]byte, 1<<20)
		for range collectors.MaxFileSize>>20 + 1 {
			if _, err := w.Write(chunk); err != nil {
				return
			}
		}
	})
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, s.URL, nil)
	if err != nil {
		t.Fatal(err)
	}
	client := collectors.NewClient(collectors.Service{Transport: s.Server.Client().Transport})
	resp, err := client.Do(r)
	if err == nil {
		resp.Body.Close()
	}
	if err == nil || !strings.Contains(err.Error(), "larger than 64 MiB") || s.asked.Load() != 1 {
		t.Errorf("error %v, asked %d times", err, s.asked.Load())
	}
}

// Credentials stay with their host, whereto an answer may point.
func TestClientKeepsCredentialsAtHome(t *testing.T) {
	var foreign []string
	other := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		foreign = append(foreign, r.Header.Get("Authorization"))
	}))
	defer other.Close()
	var own []string
	s := newService(t, func(w http.ResponseWriter, r *http.Request, _ int) {
		own = append(own, r.Header.Get("Authorization"))
		switch r.URL.Path {
		case "/away":
			http.Redirect(w, r, other.URL, http.StatusFound)
		case "/renamed":
			http.Redirect(w, r, "/here", http.StatusMovedPermanently)
		}
	})
	for _, path := range []string{"/away", "/renamed"} {
		if _, _, err := s.get(t, path); err != nil {
			t.Fatal(err)
		}
	}
	if !slices.Equal(foreign, []string{""}) {
		t.Errorf("another host got %q", foreign)
	}
	if !slices.Equal(own, []string{"Bearer secret", "Bearer secret", "Bearer secret"}) {
		t.Errorf("the own host got %q", own)
	}
}

func TestClientRevalidates(t *testing.T) {
	var sent int
	s := newService(t, func(w http.ResponseWriter, r *http.Request, _ int) {
		w.Header().Set("ETag", `"1"`)
		if r.Header.Get("If-None-Match") == `"1"` {
			w.WriteHeader(http.StatusNotModified)
			return
		}
		sent++
		w.Header().Set("Link", `<x>; rel="next"`)
		fmt.Fprint(w, "page "+r.URL.RawQuery)
	})
	for range 3 {
		for _, q := range []string{"1", "2"} {
			resp, body, err := s.get(t, "/list?"+q)
			if err != nil || resp.StatusCode != http.StatusOK || body != "page "+q || resp.Header.Get("Link") == "" {
				t.Fatalf("response %v, body %q, error %v", resp, body, err)
			}
		}
	}
	if sent != 2 {
		t.Errorf("sent %d bodies, want each once", sent)
	}
}

// What is kept for revalidation is bounded: the least used goes first.
func TestClientForgets(t *testing.T) {
	known := 0
	s := newService(t, func(w http.ResponseWriter, r *http.Request, _ int) {
		if r.Header.Get("If-None-Match") != "" {
			known++
		}
		w.Header().Set("ETag", `"1"`)
		_, _ = w.Write(make([]byte, 1<<20))
	})
	for i := range 40 {
		if _, _, err := s.get(t, fmt.Sprint("/", i)); err != nil {
			t.Fatal(err)
		}
	}
	for i := range 40 {
		if _, _, err := s.get(t, fmt.Sprint("/", 39-i)); err != nil {
			t.Fatal(err)
		}
	}
	if known != 16 {
		t.Errorf("%d answers were known, want the last 16", known)
	}
}

func TestClientRefusesBodiesItCannotRepeat(t *testing.T) {
	s := newService(t, func(http.ResponseWriter, *http.Request, int) {})
	for body, want := range map[io.Reader]bool{strings.NewReader("{}"): true, io.MultiReader(strings.NewReader("{}")): false} {
		r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, s.URL, body)
		if err != nil {
			t.Fatal(err)
		}
		resp, err := s.client.Do(r)
		if err == nil {
			resp.Body.Close()
		}
		if (err == nil) != want {
			t.Errorf("error %v", err)
		}
	}
}
