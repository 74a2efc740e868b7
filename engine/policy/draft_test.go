package policy_test

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/changevouch/changevouch/engine/policy"
)

// own is a package of one's own with tests, to be laid over the tiny bundle.
func own(t testing.TB, rego, test string) policy.Draft {
	t.Helper()
	fsys := fstest.MapFS{"acme.rego": {Data: []byte(rego)}}
	if test != "" {
		fsys["acme_test.rego"] = &fstest.MapFile{Data: []byte(test)}
	}
	return policy.Draft{Sources: []policy.Source{{Name: "acme", FS: fsys}}, Base: bundles(t, tiny())}
}

const ownRego = `package acme

import data.controls.t_1

small if input.change.kind == "pull_request"

reviewed if t_1.status == "pass"

never if {
	input.change.kind == "x"
	reviewed
}
`

func TestTest(t *testing.T) {
	draft := own(t, ownRego, `package acme_test

import data.acme

test_small if acme.small with input as {"change": {"kind": "pull_request"}}

test_wrong if {
	not acme.small with input as {"change": {"kind": "direct_push"}}
	print("here")
	acme.small with input as {"change": {"kind": "other"}}
}

test_table[name] if {
	some name, kind in {"good": "pull_request", "bad": "y"}
	acme.small with input as {"change": {"kind": kind}}
}

test_empty[name] if {
	some name in []
	acme.small
}

test_error if sprintf("%d", [to_number("x")]) == "1"

todo_test_later if false

test_imports_the_base if acme.reviewed with input as {"change": {"pull_request": {"reviews": [{"state": "approved"}]}}}
`)
	report, err := draft.Test(t.Context(), policy.TestOptions{Coverage: true})
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, r := range report.Results {
		got = append(got, r.FullName()+" "+string(r.Status)+" "+r.Message)
		if r.File != "acme/acme_test.rego" || r.Line == 0 {
			t.Errorf("%s stands at %s:%d", r.Name, r.File, r.Line)
		}
	}
	want := []string{
		"data.acme_test.test_empty fail the table has no cases",
		"data.acme_test.test_error error acme/acme_test.rego:23: eval_builtin_error: to_number",
		"data.acme_test.test_imports_the_base pass",
		"data.acme_test.test_small pass",
		"data.acme_test.test_table[bad] fail",
		"data.acme_test.test_table[good] pass",
		"data.acme_test.test_wrong fail line 10 does not hold: acme.small with input as",
		"data.acme_test.todo_test_later skip the name begins with todo_",
	}
	if len(got) != len(want) {
		t.Fatalf("got\n%s", strings.Join(got, "\n"))
	}
	for i := range want {
		if !strings.HasPrefix(got[i], want[i]) {
			t.Errorf("got  %s\nwant %s", got[i], want[i])
		}
	}
	if report.Passed() || report.Count(policy.TestPassed) != 3 {
		t.Errorf("passed %v, %d", report.Passed(), report.Count(policy.TestPassed))
	}
	if c := report.Coverage; len(c.Files) != 1 || c.Files[0].File != "acme/acme.rego" || len(c.Files[0].NotCovered) != 3 || c.Percent != 40 {
		t.Errorf("coverage %+v", report.Coverage)
	}
	if _, err := json.Marshal(report); err != nil {
		t.Error(err)
	}
}

func TestTestFilter(t *testing.T) {
	draft := own(t, ownRego, "package acme_test\n\nimport data.acme\n\ntest_a if not acme.never with input as {}\n\ntest_b if false\n")
	report, err := draft.Test(t.Context(), policy.TestOptions{Run: "test_a$"})
	if err != nil || !report.Passed() || len(report.Results) != 1 {
		t.Errorf("%+v, %v", report, err)
	}
	for name, test := range map[string]struct {
		draft policy.Draft
		run   string
		want  string
	}{
		"filter matches nothing": {draft, "test_c", `no test ran: none matches "test_c"`},
		"no tests":               {own(t, ownRego, ""), "", "no test ran: there is no rule test_…"},
		"bad filter":             {draft, "(", "which tests to run"},
		"does not compile":       {own(t, "package acme\n\nx if input.chnage\n", "package acme_test\n\ntest_x if true\n"), "", "acme/acme.rego:3"},
		"test does not compile":  {own(t, ownRego, "package acme_test\n\ntest_x if http.send({}).body\n"), "", "acme/acme_test.rego:3"},
		"no rego":                {policy.Draft{Sources: []policy.Source{{Name: "docs", FS: fstest.MapFS{"a.md": {}}}}}, "", "no rego in docs"},
		"no such file":           {policy.Draft{Sources: []policy.Source{{Name: "acme", FS: tiny(), Only: "b.md"}}}, "", "acme/b.md: neither rego nor data"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := test.draft.Test(t.Context(), policy.TestOptions{Run: test.run})
			wantError(t, err, test.want)
			if errors.Is(err, policy.ErrNoTests) != strings.HasPrefix(test.want, "no test ran") {
				t.Errorf("error %v", err)
			}
		})
	}
}

func TestCheck(t *testing.T) {
	row := func(id string) string {
		return "controls: {ACME-1: {rule: acme_1, title: Own, clause: \"1\", severity: low, subjects: [alert]}}"
	}
	control := func(meta string) policy.Draft {
		return policy.Draft{Base: bundles(t, tiny()), Sources: []policy.Source{{Name: "acme", FS: fstest.MapFS{
			"catalogue/data.yaml": {Data: []byte(row("ACME-1"))},
			"acme.rego":           {Data: []byte(meta + "package controls.acme_1\n\nstatus := \"pass\"\n")},
		}}}}
	}
	const whole = "# METADATA\n# title: Own\n# description: Own.\n# custom:\n#   id: ACME-1\n#   clause: \"1\"\n#   remediation: Do it.\n"
	for name, test := range map[string]struct {
		draft policy.Draft
		want  []string
	}{
		"package of one's own": {own(t, ownRego, ""), nil},
		"control of one's own": {control(whole), nil},
		"no metadata":          {control(""), []string{"acme/acme.rego:1: control ACME-1 has no METADATA"}},
		"poor metadata": {control("# METADATA\n# scope: package\n# custom:\n#   id: ACME-2\n#   clause: \"2\"\n"), []string{
			"control ACME-1 has no title", "has no description", `has custom.id "ACME-2" in its METADATA, "ACME-1" in the catalogue`,
			`has custom.clause "2" in its METADATA, "1" in the catalogue`, "has no custom.remediation"}},
		"other title": {control(strings.Replace(whole, "Own", "Other", 1)), []string{`has title "Other" in its METADATA, "Own" in the catalogue`}},
		"number":      {control(strings.Replace(whole, "\"1\"", "1", 1)), []string{"has custom.clause 1 in its METADATA, which is no text"}},
		"no package": {policy.Draft{Sources: []policy.Source{{Name: "b", FS: tiny(map[string]string{"controls/t_1/t_1.rego": "", "controls/t_1/t_1_test.rego": ""})}}}, []string{
			"control T-1: there is no package controls.t_1"}},
		"ids alike": {policy.Draft{Sources: []policy.Source{{Name: "b", FS: tiny(map[string]string{"catalogue/acme/data.yaml": "controls: {t-1: {rule: x, title: X, clause: \"1\", severity: low, subjects: [alert], aliases: [t-2]}}"})}}}, []string{
			"control t-1: the id differs from T-1 in case alone", "control t-1: its alias t-2 is the id of control T-2"}},
		"misspelt":         {own(t, "package acme\n\nx if input.change.pull_request.hed_sha\n", ""), []string{"acme/acme.rego:3", "hed_sha"}},
		"clock":            {own(t, "package acme\n\nx := time.now_ns()\n", ""), []string{"undefined function time.now_ns"}},
		"whole bundle":     {policy.Draft{Sources: []policy.Source{{Name: "b", FS: tiny()}}, Base: bundles(t, tiny())}, []string{"b/controls/t_1/t_1.rego:6: control T-1 has no custom.id", "b/controls/t_2/t_2.rego:1: control T-2 has no METADATA"}},
		"syntax in a test": {own(t, ownRego, "package acme_test\n\ntest_x if {\n"), []string{"acme/acme_test.rego:"}},
	} {
		t.Run(name, func(t *testing.T) {
			err := test.draft.Check(t.Context())
			if test.want == nil {
				if err != nil {
					t.Error(err)
				}
				return
			}
			wantError(t, err, test.want...)
		})
	}
}

func TestFormat(t *testing.T) {
	got, err := policy.Format("x.rego", []byte("package x\nallow   if   input.change\n"))
	if err != nil || string(got) != "package x\n\nallow if input.change\n" {
		t.Errorf("%q, %v", got, err)
	}
	_, err = policy.Format("x.rego", []byte("package x\n\nallow if {\n"))
	wantError(t, err, "x.rego:")
}
