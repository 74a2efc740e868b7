package app

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/changevouch/changevouch/engine"
)

func TestReadSources(t *testing.T) {
	day := func(d int) *time.Time {
		t := time.Date(2026, 11, d, 0, 0, 0, 0, time.UTC)
		return &t
	}
	serial := 0
	cover := func(c engine.CoverageFact) engine.Event {
		serial++
		e := happening("coverage.recorded", "collector", fmt.Sprint(serial), c)
		e.Source, e.Actor, e.Subject = "git", nil, engine.Subject{Type: "source", ID: c.Source}
		e.ObservedAt = e.ObservedAt.Add(time.Duration(serial) * time.Second)
		return e
	}
	window := func(status string, from, to int, records int, missing ...string) engine.CoverageFact {
		c := engine.CoverageFact{Source: "github", Status: status, From: day(from), To: day(to), Missing: missing}
		if records > 0 {
			c.Counts = &engine.CoverageFactCounts{Records: &records}
		}
		if len(missing) > 0 {
			c.Reason = "grant read:org"
		}
		return c
	}
	number := 412
	asked := func(status string, facts, missing []string, reason string) engine.CoverageFact {
		return engine.CoverageFact{Source: "github", Status: status, Repository: "acme/shop", Number: &number, Facts: facts, Missing: missing, Reason: reason}
	}
	stretch := func(from, to, runs, records int) Stretch {
		return Stretch{From: *day(from), To: *day(to), Runs: runs, Records: records}
	}
	for name, test := range map[string]struct {
		facts []engine.CoverageFact
		want  []Coverage
	}{
		"one window": {[]engine.CoverageFact{window("complete", 1, 3, 5)}, []Coverage{{Source: "github", Status: "complete", Windows: []Stretch{stretch(1, 3, 1, 5)}}}},
		"windows that join": {[]engine.CoverageFact{window("complete", 3, 5, 2), window("complete", 1, 3, 5), window("complete", 2, 4, 1)}, []Coverage{
			{Source: "github", Status: "complete", Windows: []Stretch{stretch(1, 5, 3, 8)}}}},
		"a hole": {[]engine.CoverageFact{window("complete", 1, 3, 0), window("complete", 5, 6, 0)}, []Coverage{
			{Source: "github", Status: "incomplete", Windows: []Stretch{stretch(1, 3, 1, 0), stretch(5, 6, 1, 0)}, Gaps: []Stretch{{From: *day(3), To: *day(5)}}}}},
		"unavailable": {[]engine.CoverageFact{{Source: "github", Status: "unavailable", From: day(3), To: day(5), Reason: "502"}, window("complete", 1, 3, 0)}, []Coverage{
			{Source: "github", Status: "incomplete", Windows: []Stretch{stretch(1, 3, 1, 0)}, Gaps: []Stretch{{From: *day(3), To: *day(5), Reason: "502"}}}}},
		"unavailable, read again": {[]engine.CoverageFact{{Source: "github", Status: "unavailable", From: day(3), To: day(5), Reason: "502"}, window("complete", 1, 6, 0)}, []Coverage{
			{Source: "github", Status: "complete", Windows: []Stretch{stretch(1, 6, 1, 0)}}}},
		"never read": {[]engine.CoverageFact{{Source: "github", Status: "unavailable", From: day(3), To: day(5), Reason: "502"}}, []Coverage{
			{Source: "github", Status: "unavailable", Gaps: []Stretch{{From: *day(3), To: *day(5), Reason: "502"}}}}},
		"forbidden": {[]engine.CoverageFact{window("incomplete", 1, 3, 0, "audit_log"), window("incomplete", 3, 5, 0, "audit_log")}, []Coverage{
			{Source: "github", Status: "incomplete", Windows: []Stretch{stretch(1, 5, 2, 0)}, Missing: []Unseen{{Fact: "audit_log", Reason: "grant read:org", From: day(1), To: day(5)}}}}},
		"forbidden, seen by another run": {[]engine.CoverageFact{window("incomplete", 1, 3, 0, "audit_log"), window("complete", 1, 3, 0)}, []Coverage{
			{Source: "github", Status: "complete", Windows: []Stretch{stretch(1, 3, 2, 0)}}}},
		"two systems": {[]engine.CoverageFact{{Source: "render", System: "render:tea-2", Status: "complete", From: day(1), To: day(2)}, {Source: "render", System: "render:tea-1", Status: "complete", From: day(4), To: day(5)}}, []Coverage{
			{Source: "render", System: "render:tea-1", Status: "complete", Windows: []Stretch{stretch(4, 5, 1, 0)}}, {Source: "render", System: "render:tea-2", Status: "complete", Windows: []Stretch{stretch(1, 2, 1, 0)}}}},
		"answers": {[]engine.CoverageFact{asked("complete", []string{"reviews", "commits"}, nil, ""), asked("incomplete", nil, []string{"files"}, "cut at 3000")}, []Coverage{
			{Source: "github", Repository: "acme/shop", Status: "incomplete", Answers: AnswerCount{Read: 2, Unread: 1}, Missing: []Unseen{{Fact: "files", Reason: "cut at 3000", About: 1, Example: "acme/shop#412"}}}}},
		"the last answer counts": {[]engine.CoverageFact{asked("incomplete", nil, []string{"reviews"}, "403"), asked("complete", []string{"reviews"}, nil, "")}, []Coverage{
			{Source: "github", Repository: "acme/shop", Status: "complete", Answers: AnswerCount{Read: 1}}}},
	} {
		var events []engine.Event
		for _, c := range test.facts {
			events = append(events, cover(c))
		}
		events = append(events, events[0]) // a duplicate
		got, err := ReadSources(t.Context(), eventsFile(t, events...), func(fault string) { t.Error(name, fault) })
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(test.want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
	none := happening("access.observed", "github", "x", engine.HolderFact{System: "github", Holder: engine.Account{System: "github", Account: "x"}})
	if _, err := ReadSources(t.Context(), eventsFile(t, none), func(string) {}); err == nil || !strings.Contains(err.Error(), "none of the 1 events says what was read") {
		t.Errorf("without coverage: %v", err)
	}
}
