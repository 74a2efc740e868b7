// Package collectorstest is what the tests of live collectors share: a service to
// reach a fake with, running into a folder, reading what it then holds, killing at
// random points, measuring memory.
package collectorstest

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io/fs"
	"maps"
	"net/http"
	"net/http/httptest"
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

	"github.com/changevouch/changevouch/collectors"
	"github.com/changevouch/changevouch/engine"
)

// Serve starts a fake service until the test ends, and says how to reach the API
// below path: without ever waiting.
func Serve(t testing.TB, h http.Handler, path string) collectors.Service {
	t.Helper()
	server := httptest.NewServer(h)
	t.Cleanup(server.Close)
	base, err := url.Parse(server.URL + path)
	if err != nil {
		t.Fatal(err)
	}
	transport := &http.Transport{}
	t.Cleanup(transport.CloseIdleConnections)
	return collectors.Service{Base: base, Transport: transport, Sleep: func(ctx context.Context, _ time.Duration) error { return ctx.Err() }}
}

// Collect runs into a folder and reads what it then holds. The error is that of
// the run.
func Collect(t testing.TB, c collectors.Collector, w collectors.Window, dir string) ([]engine.Event, error) {
	t.Helper()
	_, runErr := run(t.Context(), t, c, w, dir, nil)
	r, err := collectors.ReadEvents(t.Context(), dir)
	if err != nil && !strings.Contains(err.Error(), "no recorded payload") {
		t.Fatal(err)
	}
	if len(r.Faults)+len(r.Conflicts) > 0 {
		t.Errorf("faults %v, conflicts %v", r.Faults, r.Conflicts)
	}
	return r.Events, runErr
}

func run(ctx context.Context, t testing.TB, c collectors.Collector, w collectors.Window, dir string, step func(collectors.Batch)) (collectors.Summary, error) {
	t.Helper()
	spool, err := collectors.OpenFolder(dir)
	if err != nil {
		t.Fatal(err)
	}
	s, runErr := collectors.Run(ctx, c, w, spool, step)
	if err := spool.Close(); err != nil {
		t.Fatal(err)
	}
	return s, runErr
}

// lines reads what a folder holds without checking every event again.
func lines(t testing.TB, dir string) []engine.Event {
	t.Helper()
	byID := map[string]engine.Event{}
	files, err := filepath.Glob(filepath.Join(dir, "*", "*.ndjson"))
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for line := range bytes.Lines(text) {
			var e engine.Event
			if err := json.Unmarshal(line, &e); err != nil {
				t.Fatal(err)
			}
			byID[e.ID] = e
		}
	}
	return slices.Collect(maps.Values(byID))
}

// Files are the contents of every file below a folder.
func Files(t testing.TB, dir string) []string {
	t.Helper()
	var texts []string
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		b, err := os.ReadFile(path)
		texts = append(texts, string(b))
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return texts
}

// Facts are events without how they were received, sorted.
func Facts(events []engine.Event) []string {
	var out []string
	for _, e := range events {
		e.Evidence = engine.Evidence{}
		out = append(out, string(engine.Facts(e)))
	}
	slices.Sort(out)
	return out
}

// Windows are the coverage records of stretches of time, by their beginning.
func Windows(t testing.TB, events []engine.Event) (out []engine.CoverageFact) {
	t.Helper()
	for _, e := range events {
		var c engine.CoverageFact
		if e.Type != "coverage.recorded" {
			continue
		}
		if err := e.Decode(&c); err != nil {
			t.Fatal(err)
		}
		if c.From != nil {
			out = append(out, c)
		}
	}
	slices.SortStableFunc(out, func(a, b engine.CoverageFact) int { return a.From.Compare(*b.From) })
	return out
}

// Count is how many events are of a type.
func Count(events []engine.Event, kind string) (n int) {
	for _, e := range events {
		if e.Type == kind {
			n++
		}
	}
	return n
}

// Survives collects fifty times with runs that end at random requests, or after
// random steps, until one ends well, and wants the same events of each. start gives
// a collector of a fake service of its own, which calls request at each of about so
// many requests; tell gives the events in the form of want.
func Survives(t *testing.T, w collectors.Window, requests int, want []string, start func(t *testing.T, request func()) (c collectors.Collector, tell func([]engine.Event) []string)) {
	t.Helper()
	for seed := range uint64(50) {
		t.Run(strconv.FormatUint(seed, 10), func(t *testing.T) {
			t.Parallel()
			random := func() int { // a linear congruential generator: the same points every time
				seed = seed*6364136223846793005 + 1442695040888963407
				return int(seed>>33) % requests
			}
			steps := seed%2 == 1
			var lock sync.Mutex
			left, kill := 0, func() {}
			count := func() {
				lock.Lock()
				defer lock.Unlock()
				if left--; left == 0 {
					kill()
				}
			}
			request, step := count, func(collectors.Batch) {}
			if steps {
				request, step = func() {}, func(collectors.Batch) { count() }
			}
			c, tell := start(t, request)
			dir := t.TempDir()
			for killed := true; killed; {
				ctx, cancel := context.WithCancel(t.Context())
				lock.Lock()
				left, kill = random()+1, cancel
				lock.Unlock()
				_, err := run(ctx, t, c, w, dir, step)
				cancel()
				if killed = err != nil; killed && !errors.Is(err, context.Canceled) {
					t.Fatal(err)
				}
			}
			if diff := cmp.Diff(want, tell(lines(t, dir))); diff != "" {
				t.Fatalf("(-undisturbed +killed):\n%s", diff)
			}
		})
	}
}

// Measure collects into a folder of its own, and tells how many events came out,
// and the most memory in use after any step.
func Measure(t testing.TB, c collectors.Collector, w collectors.Window) (events int, most uint64) {
	t.Helper()
	s, err := run(t.Context(), t, c, w, t.TempDir(), func(collectors.Batch) {
		runtime.GC()
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		most = max(most, m.HeapAlloc)
	})
	if err != nil || s.Broken > 0 {
		t.Fatalf("faults %v, error %v", s.Faults, err)
	}
	return s.Events, most
}
