package collectors_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/changevouch/changevouch/collectors"
	"github.com/changevouch/changevouch/engine"
)

// counter is a collector of two stages: each reads the hours of the window, one
// a step, and notes what it read.
type counter struct {
	read  []string
	fail  string // the step at which it breaks off
	gaps  []collectors.Gap
	clock time.Time
}

func (c *counter) Name() string { return "counter" }

func (c *counter) Collect(ctx context.Context, w collectors.Window, cursor json.RawMessage, commit func(collectors.Batch) error) error {
	stage := func(name string) collectors.Stage {
		return collectors.Stage{Name: name, Read: func(_ context.Context, w collectors.Window, position string, commit func(collectors.Step) error) error {
			at := w.Since
			if position != "" {
				n, err := strconv.ParseInt(position, 10, 64)
				if err != nil {
					return err
				}
				at = time.Unix(n, 0).UTC()
			}
			for ; at.Before(w.Until); at = at.Add(time.Hour) {
				id := name + at.Format("150405")
				if id == c.fail {
					return errors.New("broken off")
				}
				c.read = append(c.read, id)
				step := collectors.Step{Position: fmt.Sprint(at.Add(time.Hour).Unix()), Gaps: c.gaps}
				step.Batch.Step = at.Format(time.RFC3339)
				m := toy(collectors.Payload{Path: id, Bytes: engine.Facts(record{ID: id, At: at.Format(time.RFC3339), State: "read"}), ObservedAt: c.clock, Trust: engine.TrustAPIRead})
				step.Add(m)
				if err := commit(step); err != nil {
					return err
				}
			}
			return nil
		}}
	}
	return collectors.Stages{Sources: []string{"github"}, Repository: "a/b", Overlap: time.Hour, All: []collectors.Stage{stage("x"), stage("y")}}.Collect(ctx, w, cursor, commit)
}

func hours(from, to int) collectors.Window {
	midnight := time.Date(2026, 3, 2, 0, 0, 0, 0, time.UTC)
	return collectors.Window{Since: midnight.Add(time.Duration(from) * time.Hour), Until: midnight.Add(time.Duration(to) * time.Hour)}
}

func TestStagesGoOn(t *testing.T) {
	f := open(t, t.TempDir())
	runs := []struct {
		name     string
		window   collectors.Window
		fail     string
		want     string // read
		coverage string
	}{
		{"broken off", hours(0, 3), "y010000", "x000000 x010000 x020000 y000000", ""},
		{"goes on", hours(0, 3), "", "y010000 y020000", "00-03"},
		{"nothing new but the overlap", hours(0, 3), "", "x020000 y020000", "02-03"},
		{"later, with an overlap", hours(1, 5), "", "x020000 x030000 x040000 y020000 y030000 y040000", "02-05"},
		{"broken off again", hours(4, 7), "x060000", "x040000 x050000", ""},
		{"goes on, and further", hours(4, 8), "", "x060000 y040000 y050000 y060000 x060000 x070000 y060000 y070000", "04-07 06-08"},
		{"an earlier beginning", hours(-1, 1), "", "x230000 x000000 y230000 y000000", "23-01"},
		{"a hole before it", hours(12, 13), "", "x120000 y120000", "12-13"},
		{"after the hole, over again", hours(11, 14), "", "x110000 x120000 x130000 y110000 y120000 y130000", "11-14"},
		{"broken off once more", hours(20, 24), "x210000", "x200000", ""},
		{"less is asked for", hours(20+26, 20+28), "", "x220000 x230000 y220000 y230000", "22-00"},
	}
	for _, run := range runs {
		t.Run(run.name, func(t *testing.T) {
			c := &counter{fail: run.fail, clock: run.window.Until.Add(time.Hour)}
			s, err := collectors.Run(t.Context(), c, run.window, f, nil)
			if (err != nil) != (run.fail != "") {
				t.Fatal(err)
			}
			if diff := cmp.Diff(run.want, strings.Join(c.read, " ")); diff != "" {
				t.Error(diff)
			}
			var covered []string
			for _, one := range s.Coverage {
				covered = append(covered, one.From.Format("15")+"-"+one.To.Format("15"))
				if one.Status != "complete" || one.Source != "github" || one.Repository != "a/b" {
					t.Errorf("coverage %+v", one)
				}
			}
			if got := strings.Join(covered, " "); got != run.coverage {
				t.Errorf("covers %s, want %s", got, run.coverage)
			}
		})
	}
}

// What was read reaches to the server's instant: our clock may be ahead of it.
func TestStagesTrustTheServersClock(t *testing.T) {
	f := open(t, t.TempDir())
	c := &counter{clock: hours(0, 2).Until}
	s, err := collectors.Run(t.Context(), c, hours(0, 4), f, nil)
	if err != nil || len(s.Coverage) != 1 || !s.Coverage[0].To.Equal(c.clock) {
		t.Fatalf("coverage %+v, error %v", s.Coverage, err)
	}
	c = &counter{clock: hours(0, 4).Until}
	if _, err = collectors.Run(t.Context(), c, hours(0, 4), f, nil); err != nil {
		t.Fatal(err)
	}
	if got := strings.Join(c.read, " "); got != "x010000 x020000 x030000 y010000 y020000 y030000" {
		t.Errorf("then read %s", got)
	}
}

// A gap is a missing fact; one that ends inside the window splits it.
func TestStagesTellGaps(t *testing.T) {
	f := open(t, t.TempDir())
	border := hours(0, 2).Until
	c := &counter{clock: noon, gaps: []collectors.Gap{
		{Source: "github", Fact: "checks", Reason: "Grant Checks: read"},
		{Source: "github", Fact: "rule_suites", Reason: "kept for a month", Until: border},
		{Source: "iam", Fact: "members", Reason: "of another source"},
		{Source: "github", Fact: "checks", Reason: "Grant it there too"},
	}}
	s, err := collectors.Run(t.Context(), c, hours(0, 3), f, nil)
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, one := range s.Coverage {
		got = append(got, fmt.Sprintf("%s-%s %s %v: %s", one.From.Format("15"), one.To.Format("15"), one.Status, one.Missing, one.Reason))
	}
	want := []string{
		"00-02 incomplete [checks rule_suites]: checks: Grant Checks: read; rule_suites: kept for a month; checks: Grant it there too",
		"02-03 incomplete [checks]: checks: Grant Checks: read; checks: Grant it there too",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

// parted commits one long step in parts, and may be broken off between them.
type parted struct{ broken bool }

func (parted) Name() string { return "parted" }

func (c *parted) Collect(ctx context.Context, w collectors.Window, cursor json.RawMessage, commit func(collectors.Batch) error) error {
	return collectors.Stages{Sources: []string{"github"}, All: []collectors.Stage{{Name: "x", Read: func(_ context.Context, w collectors.Window, position string, commit func(collectors.Step) error) error {
		if position != "" {
			return nil
		}
		for i := range 5 {
			id := fmt.Sprint(i)
			step := collectors.Step{Position: position}
			step.Batch.Step = "part-" + id
			step.Add(toy(collectors.Payload{Path: id, Bytes: engine.Facts(record{ID: id, At: w.Since.Format(time.RFC3339), State: "read"}), ObservedAt: noon}))
			step.Faults = []collectors.Fault{{Path: "x", Record: id, Err: errors.New("odd")}}
			if i == 4 {
				step.Position = "done"
			}
			if c.broken && i == 3 {
				return errors.New("broken off")
			}
			if err := commit(step); err != nil {
				return err
			}
		}
		return nil
	}}}}.Collect(ctx, w, cursor, commit)
}

// Whatever of a long step was found before it was broken off counts once.
func TestStagesCountOnce(t *testing.T) {
	f := open(t, t.TempDir())
	c := &parted{broken: true}
	for range 2 {
		if s, err := collectors.Run(t.Context(), c, hours(0, 3), f, nil); err == nil || s.Steps == 0 {
			t.Fatalf("%d parts are safe, error %v", s.Steps, err)
		}
	}
	c.broken = false
	s, err := collectors.Run(t.Context(), c, hours(0, 3), f, nil)
	if err != nil || len(s.Coverage) != 1 {
		t.Fatalf("coverage %+v, error %v", s.Coverage, err)
	}
	if n := s.Coverage[0].Counts; *n.Events != 5 || *n.Broken != 5 {
		t.Errorf("%d events and %d broken, want 5 and 5", *n.Events, *n.Broken)
	}
}

func TestStagesRefuseForeignCursors(t *testing.T) {
	for _, cursor := range []string{`{"version":2}`, `{"version":1,"pass":{"stage":"gone","since":"2026-03-02T00:00:00Z","until":"2026-03-03T00:00:00Z"}}`, `[]`, `{"version":1,"later":true}`} {
		c := &counter{clock: noon}
		err := c.Collect(t.Context(), hours(0, 1), json.RawMessage(cursor), func(collectors.Batch) error { return nil })
		if err == nil || !strings.Contains(err.Error(), "new folder") {
			t.Errorf("%s: error %v", cursor, err)
		}
	}
}

// An event that no schema allows is a fault, and the others are kept.
func TestRunChecksEvents(t *testing.T) {
	f := open(t, t.TempDir())
	events := append(toyEvents(t, "b", "a", "a"), engine.Event{ID: "odd", Type: "no.such"})
	events[1].Subject.ID = "seen differently" // no fault: one of the two is kept, and it is said
	c := once{batch: collectors.Batch{Step: "1", Events: events}}
	s, err := collectors.Run(t.Context(), c, hours(0, 1), f, nil)
	if err != nil || s.Events != 2 || s.Broken != 1 || len(s.Faults) != 1 || s.Faults[0].Record != "odd" || len(s.Conflicts) != 1 || s.Conflicts[0].Record != "toy:a" {
		t.Errorf("summary %+v, error %v", s, err)
	}
	if _, err := collectors.Run(t.Context(), c, hours(1, 0), f, nil); err == nil || !strings.Contains(err.Error(), "ends") {
		t.Errorf("error %v", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := collectors.Run(ctx, c, hours(0, 1), f, nil); !errors.Is(err, context.Canceled) {
		t.Errorf("error %v", err)
	}
}

type once struct{ batch collectors.Batch }

func (once) Name() string { return "once" }

func (o once) Collect(_ context.Context, _ collectors.Window, _ json.RawMessage, commit func(collectors.Batch) error) error {
	return commit(o.batch)
}
