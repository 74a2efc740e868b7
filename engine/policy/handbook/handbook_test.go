package handbook_test

import (
	"flag"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/google/go-cmp/cmp"

	"github.com/changevouch/changevouch/engine"
	"github.com/changevouch/changevouch/engine/policy"
	"github.com/changevouch/changevouch/engine/policy/handbook"
)

var update = flag.Bool("update", false, "rewrite the golden files")

// folder is a small policy.
var folder = fstest.MapFS{
	".manifest": {Data: []byte(`{"rego_version": 1, "metadata": {"name": "small", "version": "1.0"}}`)},
	"catalogue/data.yaml": {Data: []byte(`
policy: {name: small, version: "1.0"}
frameworks: {soc2: SOC 2}
clauses: {"1": "Nobody pushes.", "2": Nobody answers this.}
controls:
  PUSH: {rule: push, title: No push | ever, clause: "1, mostly", severity: high, subjects: [change], aliases: [P.1], frameworks: {soc2: [CC8.1], own: [x]}}
  BARE: {rule: bare, title: Bare, clause: "1", severity: low, subjects: [alert]}
`)},
	"settings/data.yaml": {Data: []byte("allowed: [acme/shop]\nmin_approvals: 1\n")},
	"controls/push/push.rego": {Data: []byte(`# METADATA
# title: No push | ever
# description: A change arrives by *pull request*.
# custom:
#   remediation: Open a pull request.
package controls.push

import data.lib.given

problems contains {
	"status": "fail",
	"reason": "push.made",
	"message": $"{input.change.kind} to {input.change.repository}.",
} if {
	not input.change.repository in data.settings.allowed
	given.enough
}

passed := {"message": "fine"}
`)},
	"controls/push/push_test.rego": {Data: []byte(`package tests.push

import data.controls.push

test_table[note] if {
	some note, case in {"a": 1, "b|c": 2}
	case > 0
	push.passed
}

test_plain if push.passed
`)},
	"controls/bare/bare.rego": {Data: []byte("package controls.bare\n\nx := 1\n")},
	"lib/given.rego":          {Data: []byte("package lib.given\n\nenough if data.settings.min_approvals > 0\n")},
	"decision/decision.rego":  {Data: []byte("package decision\n\ndocument := {}\n")},
}

func small(t *testing.T) *policy.Catalogue {
	t.Helper()
	b, err := policy.ReadFolder(t.Context(), folder)
	if err != nil {
		t.Fatal(err)
	}
	c, err := policy.ReadCatalogue(t.Context(), []policy.Bundle{b}, nil)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func decision(control, status, message string, reasons ...string) engine.Decision {
	return engine.Decision{Findings: []engine.Finding{{Control: control, Status: status, Message: message, Reasons: reasons}}}
}

func TestPages(t *testing.T) {
	var examples handbook.Examples
	examples.Add("E-1", decision("PUSH", "fail", "direct_push to <b>|acme.", "push.made"))
	examples.Add("E-2", decision("PUSH", "pass", "fine"))
	pages := handbook.Pages(small(t), examples, folder)
	want := []string{"catalogue/README.md", "controls/bare/README.md", "controls/push/README.md"}
	if len(pages) != len(want) {
		t.Fatalf("%d pages", len(pages))
	}
	for i, page := range pages {
		if page.Name != want[i] {
			t.Errorf("page %s, want %s", page.Name, want[i])
		}
		golden := filepath.Join("testdata", strings.ReplaceAll(page.Name, "/", "_"))
		if *update {
			if err := os.WriteFile(golden, page.Text, 0o600); err != nil {
				t.Fatal(err)
			}
		}
		text, err := os.ReadFile(golden)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(string(text), string(page.Text)); diff != "" {
			t.Errorf("%s; -update rewrites it:\n%s", golden, diff)
		}
	}
	elsewhere := handbook.Pages(small(t), examples, fstest.MapFS{})
	if strings.Contains(string(elsewhere[2].Text), "](push") {
		t.Error("a rule that is not beside the page is linked")
	}
}

// TestExamples: the shortest example of the most frequent reasons is shown, in
// whatever order they come.
func TestExamples(t *testing.T) {
	all := []struct {
		origin string
		d      engine.Decision
	}{
		{"E-1", decision("PUSH", "fail", "short", "a.c")},
		{"E-2", decision("PUSH", "fail", "a bit longer", "a.b")},
		{"E-3", decision("PUSH", "fail", "the simplest", "a.b")},
		{"E-4", decision("PUSH", "fail", "a bit longer", "a.b")},
	}
	var first []handbook.Page
	for range all {
		all = append(all[1:], all[0])
		var examples handbook.Examples
		for _, one := range all {
			examples.Add(one.origin, one.d)
		}
		pages := handbook.Pages(small(t), examples, folder)
		if first == nil {
			first = pages
		}
		if diff := cmp.Diff(first, pages); diff != "" {
			t.Error(diff)
		}
	}
	if !strings.Contains(string(first[2].Text), "| `fail` | a bit longer | E-2 |") {
		t.Errorf("%s", first[2].Text)
	}
}

func TestGaps(t *testing.T) {
	want := []string{
		"clause 2 has no control: Nobody answers this.",
		"control BARE has no test: none is in package tests.bare or controls.bare_test",
		"control PUSH fails in no example",
	}
	if diff := cmp.Diff(want, handbook.Gaps(small(t), handbook.Examples{})); diff != "" {
		t.Error(diff)
	}
	var examples handbook.Examples
	examples.Add("E-1", decision("PUSH", "fail", "no"))
	if gaps := handbook.Gaps(small(t), examples); slices.Contains(gaps, want[2]) {
		t.Error(gaps)
	}
}
