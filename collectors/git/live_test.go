package git_test

import (
	"bytes"
	"context"
	"encoding/json"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/changevouch/changevouch/collectors"
	"github.com/changevouch/changevouch/engine"
)

func noSleep(ctx context.Context, _ time.Duration) error { return ctx.Err() }

var march = collectors.Window{Since: day(0), Until: day(20)}

// collect runs a collector into a folder and reads the folder back.
func collect(t testing.TB, c collectors.Collector, w collectors.Window, dir string) (collectors.Summary, collectors.Result) {
	t.Helper()
	folder, err := collectors.OpenFolder(dir)
	if err != nil {
		t.Fatal(err)
	}
	s, err := collectors.Run(t.Context(), c, w, folder, nil)
	if err != nil {
		t.Fatal(err)
	}
	if err := folder.Close(); err != nil {
		t.Fatal(err)
	}
	r, err := collectors.ReadEvents(t.Context(), dir)
	if err != nil {
		t.Fatal(err)
	}
	if len(r.Faults) > 0 || len(r.Conflicts) > 0 {
		t.Fatalf("faults %v, conflicts %v", r.Faults, r.Conflicts)
	}
	return s, r
}

func repository(t testing.TB, f *fake) collectors.Collector {
	t.Helper()
	c, err := f.connect(t, nil).Repository("acme/shop")
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func ndjson(t testing.TB, events []engine.Event) string {
	t.Helper()
	var b bytes.Buffer
	if err := collectors.WriteNDJSON(&b, events); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

func countTypes(events []engine.Event) map[string]int {
	n := map[string]int{}
	for _, e := range events {
		n[e.Type]++
	}
	return n
}

func TestLiveRepository(t *testing.T) {
	f := newFake(t)
	f.shop(12)
	s, r := collect(t, repository(t, f), march, t.TempDir())
	if s.Broken > 0 {
		t.Errorf("faults: %v", s.Faults)
	}
	got := countTypes(r.Events)
	for kind, want := range map[string]int{
		"change.created": 12, "change.reviewed": 12, "change.commits_listed": 12, "change.files_listed": 12, "change.noted": 36,
		"check.completed": 24, "branch.pushed": 14, "commits.compared": 13, "commit.associated": 13,
		"deployment.requested": 12, "deployment.finished": 12, "deployment.approved": 12,
		"incident.detected": 12, "issue.commented": 12, "vulnerability.observed": 2, "protection.bypassed": 1,
		"permission.observed": 2, "environment.observed": 1,
	} {
		if got[kind] != want {
			t.Errorf("%d × %s, want %d", got[kind], kind, want)
		}
	}
	text := ndjson(t, r.Events)
	if strings.Contains(text, fakeToken) || strings.Contains(text, "PLANTED") {
		t.Error("a secret came into an event")
	}
	var sources []string
	for _, c := range s.Coverage {
		sources = append(sources, c.Source+" "+c.Status+" "+c.Repository)
		if !c.From.Equal(march.Since) || !c.To.Equal(march.Until) {
			t.Errorf("%s covers %s to %s", c.Source, c.From, c.To)
		}
	}
	slices.Sort(sources)
	if want := []string{"github complete acme/shop", "issues complete acme/shop", "scanner complete acme/shop"}; !slices.Equal(sources, want) {
		t.Errorf("coverage %v, want %v", sources, want)
	}
	histories := 0
	for _, e := range r.Events {
		if c := (engine.CoverageFact{}); e.Type == "coverage.recorded" && json.Unmarshal(e.Data, &c) == nil && c.Number != nil && slices.Contains(c.Facts, "body_history") {
			histories++
		}
	}
	if histories != 12 {
		t.Errorf("of %d descriptions it is known that nobody edited them, want 12", histories)
	}
	// The state of the rules three days into the window, and the one before it.
	var states []string
	for _, e := range r.Events {
		var p engine.ProtectionStateFact
		if e.Type == "protection.observed" && json.Unmarshal(e.Data, &p) == nil && p.Kind == "ruleset" {
			states = append(states, e.OccurredAt.Format("01-02"))
		}
	}
	if !slices.Equal(states, []string{"01-30", "01-30", "03-04"}) {
		t.Errorf("states of the ruleset at %v", states)
	}
}
