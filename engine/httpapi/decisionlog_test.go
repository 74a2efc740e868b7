package httpapi

import (
	"compress/gzip"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// sink is where decision logs go.
type sink struct {
	*httptest.Server
	lock   sync.Mutex
	fail   int // so many requests are refused first
	got    []DecisionLogEntry
	tokens []string
}

func newSink(t *testing.T, fail int) *sink {
	s := &sink{fail: fail}
	s.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s.lock.Lock()
		defer s.lock.Unlock()
		if s.fail > 0 {
			s.fail--
			w.WriteHeader(http.StatusBadGateway)
			return
		}
		var list []DecisionLogEntry
		z, err := gzip.NewReader(r.Body)
		if err == nil {
			err = json.NewDecoder(z).Decode(&list)
		}
		if err != nil || r.Header.Get("Content-Encoding") != "gzip" {
			t.Errorf("the sink got %v, %v", r.Header, err)
		}
		s.got = append(s.got, list...)
		s.tokens = append(s.tokens, r.Header.Get("Authorization"))
	}))
	t.Cleanup(s.Close)
	return s
}

func (s *sink) ids() []string {
	s.lock.Lock()
	defer s.lock.Unlock()
	var ids []string
	for _, e := range s.got {
		ids = append(ids, e.DecisionID)
	}
	return ids
}

func logTo(t *testing.T, address, folder string, set func(*DecisionLogConfig)) *DecisionLog {
	t.Helper()
	client := &http.Client{Timeout: 10 * time.Second, Transport: &http.Transport{}}
	t.Cleanup(client.CloseIdleConnections)
	c := DecisionLogConfig{Address: address, Folder: folder, Token: "t", Labels: map[string]string{"id": "x"}, Client: client, Every: 5 * time.Millisecond, RetryAfter: time.Millisecond}
	if set != nil {
		set(&c)
	}
	l, err := OpenDecisionLog(c)
	if err != nil {
		t.Fatal(err)
	}
	return l
}

func entries(l *DecisionLog, from, to int) (ids []string) {
	for i := from; i < to; i++ {
		ids = append(ids, fmt.Sprintf("d%04d", i))
		l.Add(DecisionLogEntry{DecisionID: ids[len(ids)-1], Path: "decision/document", Input: json.RawMessage(`{"a":1}`), Result: json.RawMessage(`true`)})
	}
	return ids
}

// TestDecisionLog: everything arrives in order, also when the sink refuses at first.
func TestDecisionLog(t *testing.T) {
	s := newSink(t, 3)
	folder := t.TempDir()
	l := logTo(t, s.URL, folder, func(c *DecisionLogConfig) { c.SegmentBytes = 2000 })
	want := entries(l, 0, 500)
	if err := l.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	if got := s.ids(); !slices.Equal(got, want) || l.Lost() != 0 {
		t.Errorf("%d of %d arrived, %d are lost", len(got), len(want), l.Lost())
	}
	if e := s.got[0]; s.tokens[0] != "Bearer t" || e.Labels["id"] != "x" || string(e.Input) != `{"a":1}` || string(e.Result) != "true" {
		t.Errorf("%+v, %v", e, s.tokens[0])
	}
	if files, _ := os.ReadDir(folder); len(files) != 0 {
		t.Errorf("%v stay", files)
	}
}

// TestDecisionLogResumes: what waits is sent by the next process, also out of a file
// that a crash left open.
func TestDecisionLogResumes(t *testing.T) {
	folder := t.TempDir()
	away := newSink(t, 1<<30)
	l := logTo(t, away.URL, folder, nil)
	want := entries(l, 0, 50)
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	if err := l.Close(ended); err != nil {
		t.Fatal(err)
	}
	cut := `{"labels":{},"decision_id":"d0050","timestamp":"2026-11-22T00:00:00Z"}` + "\n" + `{"labels":{},"decis`
	if err := os.WriteFile(filepath.Join(folder, "00000000000000009999.open"), []byte(cut), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(folder, "README"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	s := newSink(t, 0)
	l = logTo(t, s.URL, folder, nil)
	want = append(want, "d0050")
	want = append(want, entries(l, 51, 60)...)
	if err := l.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	if got := s.ids(); !slices.Equal(got, want) {
		t.Errorf("arrived\n%v, want\n%v", got, want)
	}
	if files, _ := os.ReadDir(folder); len(files) != 1 || files[0].Name() != "README" {
		t.Errorf("%v stay", files)
	}
}

// TestDecisionLogIsBounded: the oldest go when the sink is away for too long, and are
// counted. Nothing waits for it.
func TestDecisionLogIsBounded(t *testing.T) {
	folder := t.TempDir()
	s := newSink(t, 1<<30)
	registry := prometheus.NewRegistry()
	l := logTo(t, s.URL, folder, func(c *DecisionLogConfig) {
		c.MostBytes, c.SegmentBytes, c.Registry = 4000, 500, registry
	})
	entries(l, 0, 300)
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	if err := l.Close(ended); err != nil {
		t.Fatal(err)
	}
	segments, total := l.segments()
	var kept int
	for _, one := range segments {
		text, err := os.ReadFile(one.path)
		if err != nil {
			t.Fatal(err)
		}
		for _, b := range text {
			if b == '\n' {
				kept++
			}
		}
	}
	if total > 4000 || kept == 0 || int64(kept)+l.Lost() != 300 {
		t.Errorf("%d bytes, %d kept, %d lost", total, kept, l.Lost())
	}
	metrics, err := registry.Gather()
	if err != nil || len(metrics) != 1 || metrics[0].Metric[0].Counter.GetValue() != float64(l.Lost()) {
		t.Errorf("%v, %v", metrics, err)
	}
}

func TestDecisionLogFaults(t *testing.T) {
	for _, c := range []DecisionLogConfig{{Address: "http://x"}, {Folder: t.TempDir()}, {Address: "http://x", Folder: filepath.Join(os.DevNull, "x")}} {
		if _, err := OpenDecisionLog(c); err == nil {
			t.Errorf("%+v is taken", c)
		}
	}
}
