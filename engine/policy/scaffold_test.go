package policy_test

import (
	"bytes"
	"os"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/changevouch/changevouch/engine/policy"
)

// begin writes a control's beginnings to a folder in memory.
func begin(t testing.TB, folder fstest.MapFS, control policy.NewControl) {
	t.Helper()
	files, err := control.Scaffold(folder)
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range files {
		folder[file.Name] = &fstest.MapFile{Data: file.Text}
	}
}

// TestScaffold: two controls begun in one folder are laid out, check, and pass
// their tests, beside the built-in policy.
func TestScaffold(t *testing.T) {
	folder := fstest.MapFS{}
	begin(t, folder, policy.NewControl{ID: "ACME-1", Title: `A "quoted": title # with marks`, Clause: "4.b-1"})
	begin(t, folder, policy.NewControl{ID: "ACME-SEC.2", Title: "Second", Severity: "critical"})
	for name, file := range folder {
		if laid, err := policy.Format(name, file.Data); strings.HasSuffix(name, ".rego") && (err != nil || !bytes.Equal(laid, file.Data)) {
			t.Errorf("%s is not laid out: %v\n%s", name, err, file.Data)
		}
	}
	draft := policy.Draft{Sources: []policy.Source{{Name: "acme", FS: folder}}, Base: bundles(t, os.DirFS(builtIn))}
	if err := draft.Check(t.Context()); err != nil {
		t.Error(err)
	}
	report, err := draft.Test(t.Context(), policy.TestOptions{Coverage: true})
	if err != nil || !report.Passed() || len(report.Results) != 8 || report.Coverage.Percent < 100 {
		t.Errorf("%+v, %v", report, err)
	}
	c := catalogue(t, bundles(t, os.DirFS(builtIn), folder)...)
	found, err := c.Find("acme-1")
	if err != nil {
		t.Fatal(err)
	}
	if e := found[0]; e.Title != `A "quoted": title # with marks` || e.Severity != "medium" || len(e.Tests) != 1 || len(e.Reasons) != 2 || e.Clauses[0] != "4.b-1" {
		t.Errorf("%+v", e)
	}
	// Its verdicts stand beside the built-in ones.
	p, err := policy.New(t.Context(), bundles(t, os.DirFS(builtIn))[0], policy.Options{Overlays: bundles(t, folder)})
	if err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile("testdata/dossiers/nr-01.json")
	if err != nil {
		t.Fatal(err)
	}
	decision, err := p.Evaluate(t.Context(), text)
	if err != nil {
		t.Fatal(err)
	}
	if f := decision.Findings[0]; f.Control != "ACME-1" || f.Status != "fail" || f.Reasons[0] != "acme_1.missing" || len(decision.Findings) < 20 {
		t.Errorf("%+v", f)
	}
}

func TestScaffoldRefuses(t *testing.T) {
	begun := func(changes map[string]string) fstest.MapFS {
		folder := fstest.MapFS{}
		begin(t, folder, policy.NewControl{ID: "ACME-1", Title: "First"})
		for name, text := range changes {
			folder[name] = &fstest.MapFile{Data: []byte(text)}
		}
		return folder
	}
	for name, test := range map[string]struct {
		control policy.NewControl
		folder  fstest.MapFS
		want    string
	}{
		"no id":          {policy.NewControl{ID: "ACME", Title: "x"}, nil, `"ACME" is no id`},
		"path":           {policy.NewControl{ID: "../x-1", Title: "x"}, nil, "is no id of a control"},
		"reserved":       {policy.NewControl{ID: "Policy-1", Title: "x"}, nil, "a word of the catalogue"},
		"no title":       {policy.NewControl{ID: "ACME-1", Title: " "}, nil, "needs a title"},
		"two lines":      {policy.NewControl{ID: "ACME-1", Title: "x\npackage y"}, nil, "in one line"},
		"severity":       {policy.NewControl{ID: "ACME-1", Title: "x", Severity: "big"}, nil, `severity "big": it is one of critical, high`},
		"there already":  {policy.NewControl{ID: "ACME-1", Title: "x"}, begun(nil), "controls/acme_1/acme_1.rego is there already"},
		"row is there":   {policy.NewControl{ID: "ACME-2", Title: "x"}, begun(map[string]string{"catalogue/acme/data.yaml": "controls:\n  ACME-2: {rule: x}\n"}), "catalogue/acme/data.yaml: the row cannot be added"},
		"other list end": {policy.NewControl{ID: "ACME-2", Title: "x"}, begun(map[string]string{"catalogue/acme/data.yaml": "controls: {}\nclauses:\n  A: B\n"}), "the row is\n  ACME-2:"},
		"bad manifest":   {policy.NewControl{ID: "ACME-2", Title: "x"}, begun(map[string]string{".manifest": `{"rots": []}`}), `.manifest: json: unknown field "rots"`},
		"whole policy":   {policy.NewControl{ID: "ACME-2", Title: "x"}, begun(map[string]string{".manifest": `{"roots": ["decision"]}`}), "a whole policy"},
	} {
		t.Run(name, func(t *testing.T) {
			folder := test.folder
			if folder == nil {
				folder = fstest.MapFS{}
			}
			_, err := test.control.Scaffold(folder)
			wantError(t, err, test.want)
		})
	}
}

// TestDraftReplaces: a draft of a package that the base has takes its place, and
// its tests may start from what the tests of the base share.
func TestDraftReplaces(t *testing.T) {
	base := tiny(map[string]string{".manifest": `{"rego_version": 1, "metadata": {"name": "tiny", "version": "1.2.3"}}`, "lib/given_test.rego": "package tests.given\n\napproved := {\"change\": {\"pull_request\": {\"reviews\": [{\"state\": \"approved\"}]}}}\n"})
	draft := policy.Draft{Base: bundles(t, base), Sources: []policy.Source{{Name: "controls", FS: fstest.MapFS{
		"t_1/t_1.rego":      {Data: []byte("package controls.t_1\n\nstatus := \"changed\"\n")},
		"t_1/t_1_test.rego": {Data: []byte("package tests.t_1\n\nimport data.controls.t_1\nimport data.tests.given\n\ntest_changed if t_1.status == \"changed\" with input as given.approved\n")},
	}}}}
	report, err := draft.Test(t.Context(), policy.TestOptions{})
	if err != nil || !report.Passed() || len(report.Results) != 1 {
		t.Errorf("%+v, %v", report, err)
	}
}
