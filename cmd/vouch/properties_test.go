package main_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/changevouch/changevouch/engine"
)

// document is a dossier as decoded JSON.
type document = map[string]any

// unordered lists of a dossier have no order; a star stands for every element.
var unordered = [][]string{
	{"people"}, {"people", "*", "roles"}, {"people", "*", "authorised"}, {"waivers"}, {"attestations"},
	{"change", "pull_request", "labels"}, {"change", "pull_request", "reviews"}, {"change", "pull_request", "agent_operators"},
	{"change", "merged_content_shas"}, {"change", "files"}, {"change", "dependency_updates"}, {"change", "checks"},
	{"change", "protection_events"}, {"change", "deployments"}, {"change", "issue", "approvals"}, {"change", "concurrent_incidents"},
	{"change", "validations"}, {"change", "components"}, {"change", "related_grants"}, {"change", "event", "effects"}, {"change", "event", "scopes"},
	{"access_review", "entries"}, {"access_review", "unreviewed_holders"}, {"policy_review", "significant_changes"},
	{"posture", "shared_accounts"}, {"period", "gaps"}, {"period", "missing_in_ledger"}, {"finding", "severity_history"},
}

// orderAndDuplicates: permuting and duplicating lists that have no order
// changes nothing but the places that pointers name.
func (b *caseBook) orderAndDuplicates(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		c := b.draw(t)
		mixed := c.document()
		for _, path := range unordered {
			change(mixed, path, func(list []any) []any {
				if len(list) > 0 && rapid.Bool().Draw(t, "duplicate") {
					list = append(slices.Clone(list), clone(rapid.SampledFrom(list).Draw(t, "element")))
				}
				if len(list) < 2 {
					return list
				}
				return rapid.Permutation(list).Draw(t, strings.Join(path, "/"))
			})
		}
		same(t, resolved(b.verdict(t, c), c.document()), resolved(b.judge(t, c, mixed), mixed))
	})
}

// position is where a pointer goes into a list.
var position = regexp.MustCompile(`/\d+`)

// wholeWeeks: a case in UTC, moved by whole weeks, keeps every status.
func (b *caseBook) wholeWeeks(t *testing.T) {
	inUTC := b.only(t, func(c judgedCase) bool {
		settings := string(c.Settings)
		return !strings.Contains(settings, "timezone") && !strings.Contains(settings, "holidays") && c.Releases == nil
	})
	rapid.Check(t, func(t *rapid.T) {
		c := rapid.SampledFrom(inUTC).Draw(t, "case")
		weeks := rapid.IntRange(-60, 60).Draw(t, "weeks")
		moved := rewritten(c.document(), func(s string) string {
			at, err := time.Parse(time.RFC3339Nano, s)
			if err != nil {
				return s
			}
			return at.AddDate(0, 0, 7*weeks).Format(time.RFC3339Nano)
		}).(document)
		same(t, statuses(b.verdict(t, c)), statuses(b.judge(t, c, moved)))
	})
}

// removalNeverHelps: without an approval, a successful check, an attestation or
// a source nothing becomes compliant.
func (b *caseBook) removalNeverHelps(t *testing.T) {
	removals := map[string]func(*rapid.T, document){
		"approval": func(t *rapid.T, d document) {
			drop(t, d, []string{"change", "pull_request", "reviews"}, func(m document) bool { return m["state"] == "APPROVED" })
			drop(t, d, []string{"change", "issue", "approvals"}, func(document) bool { return true })
		},
		"check": func(t *rapid.T, d document) {
			drop(t, d, []string{"change", "checks"}, func(m document) bool { return m["conclusion"] == "success" })
		},
		"attestation": func(t *rapid.T, d document) {
			drop(t, d, []string{"attestations"}, func(document) bool { return true })
			drop(t, d, []string{"change", "validations"}, func(m document) bool { return strings.HasPrefix(fmt.Sprint(m["result"]), "pass") })
			if change, ok := d["change"].(document); ok {
				delete(change, "retrospective_review")
			}
		},
		"source": func(t *rapid.T, d document) {
			sources, _ := d["sources"].(document)
			if len(sources) > 0 {
				delete(sources, rapid.SampledFrom(slices.Sorted(maps.Keys(sources))).Draw(t, "source"))
			}
		},
	}
	wanting := b.only(t, func(c judgedCase) bool { return !compliant(b.verdict(t, c)) })
	rapid.Check(t, func(t *rapid.T) {
		c := rapid.SampledFrom(wanting).Draw(t, "case")
		before := b.verdict(t, c)
		poorer := c.document()
		what := rapid.SampledFrom(slices.Sorted(maps.Keys(removals))).Draw(t, "what")
		removals[what](t, poorer)
		// Whoever is not authorised and acts breaks CM-2.6 by acting.
		after := b.judge(t, c, poorer)
		if compliant(after) && !failsOnly(before, "CM-2.6") {
			t.Fatalf("%s: %s without %s, %s before", c.ID, after.Outcome, what, before.Outcome)
		}
	})
}

// lowerClaimsNeverHelp: who claims less risk, or a class with less to do, gets
// nothing for it that the facts do not give.
func (b *caseBook) lowerClaimsNeverHelp(t *testing.T) {
	changes := b.only(t, func(c judgedCase) bool { return c.document()["change"] != nil })
	rapid.Check(t, func(t *rapid.T) {
		c := rapid.SampledFrom(changes).Draw(t, "case")
		claimed := c.document()
		body := claimed["change"].(document)
		declared, _ := body["declared"].(document)
		if declared == nil {
			declared = document{}
			body["declared"] = declared
		}
		// A higher claim may itself be what made the risk.
		if declared["risk"] == nil && rapid.Bool().Draw(t, "risk") {
			declared["risk"] = "low"
		} else {
			declared["type"] = rapid.SampledFrom([]string{"standard", "emergency"}).Draw(t, "type")
		}
		before, after := b.verdict(t, c), b.judge(t, c, claimed)
		inferred := after.Classification.Type == "standard" || passes(after, "CM-3.C")
		if compliant(after) && !compliant(before) && !inferred {
			t.Fatalf("%s: %s as %v, %s before", c.ID, after.Outcome, declared, before.Outcome)
		}
	})
}

// strangersChangeNothing: a person and an incident that have nothing to do with
// the subject leave every finding as it was.
func (b *caseBook) strangersChangeNothing(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		c := b.draw(t)
		more := c.document()
		people, _ := more["people"].([]any)
		if len(people) > 0 { // names stand for persons only where nobody is listed
			login := "stranger-" + strconv.Itoa(rapid.IntRange(1, 99).Draw(t, "login"))
			more["people"] = append(people, document{
				"id": login, "kind": "employee", "accounts": document{"github": []any{login}, "render": []any{login + "@elsewhere.example"}},
				"roles": []any{"security-reviewer"}, "authorised": []any{document{"from": "2020-01-01T00:00:00Z"}},
			})
		}
		if body, ok := more["change"].(document); ok {
			incidents, _ := body["concurrent_incidents"].([]any)
			body["concurrent_incidents"] = append(incidents, document{"id": "INC-9999", "kind": "incident", "started_at": "2020-01-01T00:00:00Z", "recorded_at": "2020-01-01T00:00:00Z", "resolved_at": "2020-01-02T00:00:00Z", "title": "Elsewhere"})
		}
		same(t, resolved(b.verdict(t, c), c.document()), resolved(b.judge(t, c, more), more))
	})
}

// goldenDecisions: a version of OPA that decides anything otherwise, or a rule
// that does so by accident, shows here. After a change on purpose: -update.
func (b *caseBook) goldenDecisions(t *testing.T) {
	var got bytes.Buffer
	for _, c := range b.all {
		d := b.verdict(t, c)
		d.ID, d.Policy = "", nil
		text, err := json.Marshal(d)
		if err != nil {
			t.Fatal(err)
		}
		fmt.Fprintf(&got, "%s %s %s %s %s", c.ID, d.Classification.Type, d.Risk.Level, d.Outcome, strings.TrimPrefix(engine.Digest(text), "sha256:")[:12])
		for _, f := range d.Findings {
			if f.Status != engine.StatusPass && f.Status != engine.StatusNotApplicable {
				fmt.Fprintf(&got, " %s=%s(%s)", f.Control, f.Status, strings.Join(f.Reasons, ","))
			}
		}
		got.WriteByte('\n')
	}
	goldenLines(t, filepath.Join("testdata", "cases.golden"), got.String())
}

func goldenLines(t *testing.T, file, got string) {
	t.Helper()
	if *update {
		if err := os.WriteFile(file, []byte(got), 0o600); err != nil {
			t.Fatal(err)
		}
		return
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	was, is := strings.Split(string(want), "\n"), strings.Split(got, "\n")
	for i := range max(len(was), len(is)) {
		switch {
		case i >= len(was):
			t.Errorf("new:  %s", is[i])
		case i >= len(is):
			t.Errorf("gone: %s", was[i])
		case was[i] != is[i]:
			t.Errorf("was:  %s\n  is:   %s", was[i], is[i])
		}
	}
}

// only are the cases that qualify; there are some.
func (b *caseBook) only(t *testing.T, qualifies func(judgedCase) bool) []judgedCase {
	t.Helper()
	some := slices.DeleteFunc(slices.Clone(b.all), func(c judgedCase) bool { return !qualifies(c) })
	if len(some) == 0 {
		t.Fatal("no case qualifies")
	}
	return some
}

func compliant(d engine.Decision) bool {
	return d.Outcome == engine.OutcomeCompliant || d.Outcome == engine.OutcomeCompliantWithWaiver
}

func passes(d engine.Decision, control string) bool {
	return slices.ContainsFunc(d.Findings, func(f engine.Finding) bool { return f.Control == control && f.Status == engine.StatusPass })
}

// failsOnly: nothing but this control stands in the way.
func failsOnly(d engine.Decision, control string) bool {
	return !slices.ContainsFunc(d.Findings, func(f engine.Finding) bool {
		return f.Control != control && f.Status != engine.StatusPass && f.Status != engine.StatusNotApplicable && f.Status != engine.StatusWaived
	})
}

func statuses(d engine.Decision) []string {
	out := []string{d.Outcome, d.Classification.Type, d.Risk.Level}
	for _, f := range d.Findings {
		out = append(out, f.Control+" "+f.Status+" "+strings.Join(f.Reasons, ","))
	}
	return out
}

// resolved is a decision with, instead of pointers, what they point at.
func resolved(d engine.Decision, dossier document) string {
	d.ID, d.InputDigest = "", ""
	d.Findings = slices.Clone(d.Findings)
	for i, f := range d.Findings {
		d.Findings[i].Evidence = pointed(f.Evidence, dossier)
	}
	d.Observations = slices.Clone(d.Observations)
	for i, o := range d.Observations {
		d.Observations[i].Evidence = pointed(o.Evidence, dossier)
	}
	text, err := json.MarshalIndent(d, "", " ")
	if err != nil {
		panic(err)
	}
	return string(text)
}

func pointed(pointers []string, dossier document) []string {
	var out []string
	for _, pointer := range pointers {
		var at any = dossier
		for key := range strings.SplitSeq(strings.TrimPrefix(pointer, "/"), "/") {
			switch container := at.(type) {
			case document:
				at = container[key]
			case []any:
				index, _ := strconv.Atoi(key)
				at = container[index]
			}
		}
		if strings.Count(pointer, "/") == 1 {
			out = append(out, pointer) // a whole body: its place says enough
			continue
		}
		text, _ := json.Marshal(at)
		// A list that was permuted holds the same as before.
		letters := bytes.ReplaceAll(text, []byte(","), nil)
		slices.Sort(letters)
		out = append(out, position.ReplaceAllString(pointer, "/*")+" "+string(slices.Compact(letters)))
	}
	slices.Sort(out)
	return slices.Compact(out)
}

func same[T any](t rapid.TB, want, got T) {
	t.Helper()
	if diff := cmp.Diff(want, got); diff != "" {
		t.Fatalf("-before +after\n%s", diff)
	}
}

// change replaces the list at a path; a star stands for every element on the way.
func change(at any, path []string, edit func([]any) []any) {
	switch container := at.(type) {
	case document:
		if list, ok := container[path[0]].([]any); ok && len(path) == 1 {
			container[path[0]] = edit(list)
		} else if len(path) > 1 {
			change(container[path[0]], path[1:], edit)
		}
	case []any:
		for _, element := range container {
			change(element, path[1:], edit)
		}
	}
}

// drop takes one element that qualifies out of the list at a path.
func drop(t *rapid.T, d document, path []string, qualifies func(document) bool) {
	change(d, path, func(list []any) []any {
		var found []int
		for i, element := range list {
			if m, ok := element.(document); ok && qualifies(m) {
				found = append(found, i)
			}
		}
		if len(found) == 0 {
			return list
		}
		i := rapid.SampledFrom(found).Draw(t, path[len(path)-1])
		return slices.Delete(slices.Clone(list), i, i+1)
	})
}

// rewritten returns a copy with every string edited.
func rewritten(v any, edit func(string) string) any {
	switch v := v.(type) {
	case string:
		return edit(v)
	case []any:
		out := make([]any, len(v))
		for i, element := range v {
			out[i] = rewritten(element, edit)
		}
		return out
	case document:
		out := document{}
		for key, member := range v {
			out[key] = rewritten(member, edit)
		}
		return out
	}
	return v
}

func clone(v any) any { return rewritten(v, func(s string) string { return s }) }
