package policy_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/google/go-cmp/cmp"

	"github.com/changevouch/changevouch/engine/policy"
)

func catalogue(t testing.TB, list ...policy.Bundle) *policy.Catalogue {
	t.Helper()
	c, err := policy.ReadCatalogue(t.Context(), list, nil)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// described is an own control that borrows reasons and settings from a library.
func described() fstest.MapFS {
	return fstest.MapFS{
		"catalogue/acme/data.yaml": {Data: []byte(`
clauses: {A-1: First., A-2: Second.}
controls:
  ACME-1: {rule: acme_1, title: Own, clause: "A-1, in part", severity: low, subjects: [alert], aliases: [A.1]}
  ACME-2: {rule: acme_2, title: Other, clause: elsewhere, severity: low, subjects: [alert]}
`)},
		"acme/lib.rego": {Data: []byte(`package lib.acme

doubts contains {"reason": "acme.doubt", "text": $"{input.alert.id} is doubtful"} if data.settings.limits.own_limit > 1

doubts contains {"reason": _other, "text": "x"} if input.alert

_other := "acme.other"

unrelated := {"reason": "acme.unrelated"} if count(data.settings.holidays) > 0
`)},
		"controls/acme_1/acme_1.rego": {Data: []byte(`# METADATA
# title: Own
# description: Checks.
# custom:
#   remediation: Do it.
package controls.acme_1

import data.lib.acme

not_applicable := "No." if input.alert.severity == "none"

problems contains {
	"status": "fail",
	"reason": "acme.first",
	"message": $"{input.alert.id} is wrong.",
} if {
	not input.alert.severity in object.keys(data.settings.vuln_sla_days)
}

problems contains {"status": _status, "reason": doubt.reason, "message": doubt.text} if {
	some doubt in acme.doubts
	acme.unrelated
}

_status := "pending"

passed := {"message": "fine"}
`)},
		"controls/acme_2/acme_2.rego": {Data: []byte("package controls.acme_2\n\npassed := {\"message\": \"fine\"}\n")},
		"controls/acme_1/acme_1_test.rego": {Data: []byte(`package controls.acme_1_test

import data.controls.acme_1

test_plain if acme_1.passed

test_table[name] if {
	some name, case in {"one": 1, "two": 2}
	case > 0
}

helper := 1
`)},
	}
}

func TestReadCatalogue(t *testing.T) {
	c := catalogue(t, bundles(t, tiny(), described())...)
	var got policy.Entry
	for _, entry := range c.Controls {
		if entry.ID == "ACME-1" {
			got = entry
		}
	}
	got.Control = policy.Control{}
	want := policy.Entry{
		Clauses: []string{"A-1"}, Remediation: "Do it.",
		Statuses: []string{"pass", "fail", "pending", "unknown", "not_applicable", "waived"},
		Reasons: []policy.Reason{
			{Code: "acme.doubt", Says: []string{"… is doubtful"}},
			{Code: "acme.first", Statuses: []string{"fail"}, Says: []string{"… is wrong."}},
			{Code: "acme.other"},
		},
		Settings: []policy.Reading{
			{Package: "controls.acme_1", Keys: []string{"vuln_sla_days"}},
			{Package: "lib.acme", Keys: []string{"holidays", "limits.own_limit"}},
		},
		Tests: []policy.TestPackage{{Package: "controls.acme_1_test", File: "controls/acme_1/acme_1_test.rego", Tests: []policy.TestRule{
			{Name: "test_plain"}, {Name: "test_table", Cases: []string{"one", "two"}},
		}}},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	wantClauses := []policy.Clause{{ID: "A-1", Text: "First.", Controls: []string{"ACME-1"}}, {ID: "A-2", Text: "Second."}}
	if diff := cmp.Diff(wantClauses, c.Clauses); diff != "" {
		t.Error(diff)
	}
	wantGaps := []string{
		"clause A-2 has no control: Second.",
		`control ACME-2: its clause "elsewhere" is not among those of the catalogue`,
		"control ACME-2 has no test: none is in package tests.acme_2 or controls.acme_2_test",
		"control T-1 has no test: none is in package tests.t_1 or controls.t_1_test",
		"control T-2 has no test: none is in package tests.t_2 or controls.t_2_test",
	}
	wantGaps = slices.DeleteFunc(wantGaps, func(gap string) bool { return strings.Contains(gap, "T-1") }) // the tiny bundle tests it
	if diff := cmp.Diff(wantGaps, c.Gaps()); diff != "" {
		t.Error(diff)
	}
}

func TestReadCatalogueRefuses(t *testing.T) {
	for name, test := range map[string]struct{ data, want string }{
		"clause twice":       {"clauses: {A-1: Again.}", `data.catalogue.other.clauses["A-1"]: the catalogue has this clause already`},
		"clause that is odd": {"clauses: {B-1: [x]}", `data.catalogue.other.clauses["B-1"]: a clause is a text`},
	} {
		t.Run(name, func(t *testing.T) {
			more := fstest.MapFS{"catalogue/other/data.yaml": {Data: []byte(test.data)}}
			_, err := policy.ReadCatalogue(t.Context(), bundles(t, tiny(), described(), more), nil)
			wantError(t, err, test.want)
		})
	}
	_, err := policy.ReadCatalogue(t.Context(), bundles(t, tiny()), []byte("min_aprovals: 1"))
	wantError(t, err, "did you mean min_approvals")
}

func TestFind(t *testing.T) {
	c := catalogue(t, bundles(t, tiny(), described())...)
	for name, want := range map[string]string{"t-1": "T-1", "T-2.B": "T-2", "a.1": "ACME-1", "ACME-2": "ACME-2"} {
		found, err := c.Find(name)
		if err != nil || len(found) != 1 || found[0].ID != want {
			t.Errorf("Find(%q) = %v, %v; want %s", name, found, err, want)
		}
	}
	_, err := c.Find("acme-3")
	wantError(t, err, `no control "acme-3" in the catalogue, did you mean ACME-`)
	if found, err := catalogue(t, bundles(t, os.DirFS(builtIn))...).Find("cm-3.a.2"); err != nil || len(found) != 2 {
		t.Errorf("an alias of two controls found %d, %v", len(found), err)
	}
}

// TestDerivedIsWhatIsGiven: no decision names a status or a reason that the
// catalogue does not know of its control, but for those that the decision
// itself adds.
func TestDerivedIsWhatIsGiven(t *testing.T) {
	c := catalogue(t, bundles(t, os.DirFS(builtIn))...)
	known := map[string]policy.Entry{}
	for _, entry := range c.Controls {
		known[entry.ID] = entry
	}
	reasons := 0
	for origin, dossier := range exampleDossiers(t) {
		decision, err := c.Policy.Evaluate(t.Context(), dossier)
		if err != nil {
			t.Errorf("%s: %v", origin, err)
			continue
		}
		for _, f := range decision.Findings {
			entry := known[f.Control]
			if !slices.Contains(entry.Statuses, f.Status) {
				t.Errorf("%s: %s is %s, the catalogue knows %v", origin, f.Control, f.Status, entry.Statuses)
			}
			for _, reason := range f.Reasons {
				reasons++
				added := strings.Contains(reason, "waiver") || reason == "rule.no_verdict" || reason == "dep.no_changes"
				if !added && !slices.ContainsFunc(entry.Reasons, func(r policy.Reason) bool { return r.Code == reason }) {
					t.Errorf("%s: %s gives %s, which the catalogue does not know", origin, f.Control, reason)
				}
			}
		}
	}
	if reasons == 0 {
		t.Error("no example gave a reason")
	}
}

// exampleDossiers are those of this package and the cases of the project, by id.
func exampleDossiers(t testing.TB) map[string][]byte {
	t.Helper()
	out := map[string][]byte{}
	for _, file := range dossierFiles(t) {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		out[filepath.Base(file)] = text
	}
	files, err := filepath.Glob("../../testdata/cases/*.json")
	if err != nil || len(files) == 0 {
		t.Fatalf("no cases: %v", err)
	}
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		var cases []struct {
			ID      string
			Dossier json.RawMessage
		}
		if err := json.Unmarshal(text, &cases); err != nil {
			t.Fatalf("%s: %v", file, err)
		}
		for _, c := range cases {
			out[c.ID] = c.Dossier
		}
	}
	return out
}

// TestBuiltInReadings looks at two controls whose settings and reasons are known.
func TestBuiltInReadings(t *testing.T) {
	c := catalogue(t, bundles(t, os.DirFS(builtIn))...)
	for id, want := range map[string]struct{ setting, reason string }{
		"CM-4.B.1": {"min_approvals", "rev.self"},
		"CM-9.1":   {"policy_review_days", "pol.overdue"},
	} {
		found, err := c.Find(id)
		if err != nil {
			t.Fatal(err)
		}
		own := found[0].Settings[0]
		if own.Package != "controls."+found[0].Rule || !slices.Contains(own.Keys, want.setting) {
			t.Errorf("%s reads %v", id, own)
		}
		if !slices.ContainsFunc(found[0].Reasons, func(r policy.Reason) bool { return r.Code == want.reason }) {
			t.Errorf("%s gives %v", id, found[0].Reasons)
		}
	}
	if gaps := c.Gaps(); slices.ContainsFunc(gaps, func(gap string) bool { return strings.HasPrefix(gap, "clause") }) {
		t.Error(gaps)
	}
}

func TestParameters(t *testing.T) {
	settings := "min_approvals: 1\nvuln_sla_days: {high: 14}\nlimits: {own_limit: 4}\n"
	p := mustLoad(t, tiny(), policy.Options{Settings: []byte(settings)})
	got := map[string]policy.Parameter{}
	for _, parameter := range p.Parameters() {
		got[parameter.Key] = parameter
	}
	want := map[string]struct {
		value, standard any
		changed         bool
		unit            string
	}{
		"holidays":               {[]any{}, nil, false, "dates, such as 2026-12-25"},
		"limits.own_limit":       {json.Number("4"), json.Number("3"), true, ""},
		"min_approvals":          {json.Number("1"), json.Number("1"), true, "approvals"},
		"vuln_sla_days.critical": {json.Number("7"), nil, false, "days of 24 hours"},
		"vuln_sla_days.high":     {json.Number("14"), json.Number("30"), true, "days of 24 hours"},
	}
	if len(got) != len(want) {
		t.Errorf("parameters %v", got)
	}
	for key, w := range want {
		g := got[key]
		if text(t, g.Value) != text(t, w.value) || text(t, g.Default) != text(t, w.standard) || g.Changed != w.changed || g.Unit != w.unit {
			t.Errorf("%s: %+v, want %+v", key, g, w)
		}
	}
}

func text(t testing.TB, v any) string {
	t.Helper()
	out, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return string(out)
}

// TestSettingsSayTheirUnit: every parameter of the built-in bundle has a
// description and a unit in schemas/settings.json.
func TestSettingsSayTheirUnit(t *testing.T) {
	for _, p := range builtInPolicy(t).Parameters() {
		if p.Unit == "" || !strings.HasSuffix(p.Description, ".") {
			t.Errorf("%s: unit %q, description %q", p.Key, p.Unit, p.Description)
		}
	}
}
