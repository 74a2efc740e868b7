package report

import (
	"bytes"
	"encoding/json"
	"errors"
	"flag"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"

	"github.com/changevouch/changevouch/engine"
)

var update = flag.Bool("update", false, "rewrite golden files")

var policyRef = engine.PolicyRefs{{
	Name: "acme-change-policy", Version: "1.4.0",
	BundleDigest:   "sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef",
	SettingsDigest: "sha256:fedcba9876543210fedcba9876543210fedcba9876543210fedcba9876543210",
	Engine:         engine.EngineInfo{Name: "changevouch", Version: "0.1.0", OPAVersion: "1.22.2"},
}}

func decision(id, outcome string, findings ...engine.Finding) engine.Decision {
	return engine.Decision{
		Schema: engine.DecisionSchema, ID: "sha256:" + id, EvaluatedAt: "2026-11-20T09:00:00Z", Outcome: outcome,
		Subject:        engine.Subject{Type: "change", ID: id},
		Classification: engine.Classification{Type: "normal", Scopes: []string{}, Reasons: []string{"default"}},
		Risk:           engine.Risk{Level: "medium", Reasons: []string{"application_code"}},
		Findings:       findings, Policy: policyRef, InputDigest: "sha256:00",
	}
}

func finding(control, status string, reasons ...string) engine.Finding {
	if reasons == nil {
		reasons = []string{}
	}
	return engine.Finding{
		Control: control, Status: status, Severity: "high", Title: "Title of " + control, Clause: "4.b",
		Message: "What " + control + " found.", Reasons: reasons, Evidence: []string{}, PolicyVersion: "1.4.0",
	}
}

// samples holds one judgement of each outcome, the failing one in full.
func samples() []Judgement {
	failed := finding("CM-4.B.1", engine.StatusFail, "self_approval")
	failed.Title = "Peer review before merge"
	failed.Message = "Alice approved her own change from alice-personal at 2026-11-10T10:30:00Z; nobody else reviewed commit 7a35085."
	failed.Evidence = []string{"/change/pull_request/reviews/0", "/change/pull_request/merged_at", "/change/retrospective_review"}
	failed.Remediation = "Ask somebody other than Alice to review the merged change and record it in an issue."
	failed.DecisiveAt = "2026-11-10T11:00:00Z"
	failed.Aliases = []string{"CM-7.2"}
	nonCompliant := decision("acme/shop#412", engine.OutcomeNonCompliant,
		finding("CM-4.A.1", engine.StatusPass), finding("CM-7.1", engine.StatusNotApplicable), failed,
		finding("CM-4.C.1", engine.StatusUnknown, "source_incomplete"))
	nonCompliant.Classification.Declared = "standard"
	nonCompliant.Parties = &engine.Parties{Authors: []string{"alice"}, Deployers: []string{"alice"}}
	nonCompliant.Observations = []engine.Observation{{Control: "CM-4.A.5", Reason: "declared_lower", Message: "The label says standard; it was judged as normal.", Evidence: []string{"/change/declared/type"}}}
	nonCompliant.Unevaluated = []engine.Unevaluated{{Control: "CM-9.1", Reason: "no_rule"}, {Control: "CM-8.2", Reason: "no_rule"}}

	pending := finding("CM-5.2", engine.StatusPending, "review_open")
	pending.DueAt = "2026-11-25T09:00:00Z"
	waiting := decision("acme/shop#415", engine.OutcomePending, pending)
	waiting.Classification = engine.Classification{Type: "emergency", Provisional: true, Scopes: []string{}, Reasons: []string{"incident"}}
	waiting.NextEvaluationAt = "2026-11-25T09:00:01Z"
	waiting.Parties = &engine.Parties{Authors: []string{"bob"}, Approvers: []string{"carol"}, Deployers: []string{"bob"}}

	waived := finding("CM-4.C.2", engine.StatusWaived, "no_staging")
	waived.Waiver = &engine.Waived{ID: "W-7", ApprovedBy: "dana", Reason: "staging is being rebuilt", ExpiresAt: "2026-12-31T00:00:00Z"}

	outside := decision("acme/docs@be203678e75409ef41a25d3fd800d092e8c05579", engine.OutcomeOutOfScope)
	outside.Classification = engine.Classification{Type: "out_of_scope", Scopes: []string{}, Reasons: []string{"preview_only"}}
	outside.Risk = engine.Risk{Level: "n/a", Reasons: []string{}}
	vulnerability := decision("GHSA-2026-1", engine.OutcomeUnknown, finding("CM-6.2", engine.StatusUnknown, "source_unavailable"))
	vulnerability.Subject.Type = "finding"

	dossier := []byte(`{"change":{"declared":{"type":"standard"},"pull_request":{"title":"Cap the page size","merged_at":"2026-11-10T11:00:00Z",
	  "reviews":[{"user":"alice-personal","state":"APPROVED","submitted_at":"2026-11-10T10:30:00Z","meta":{"a":1}}]}}}`)
	return []Judgement{
		{Decision: decision("acme/shop#411", engine.OutcomeCompliant, finding("CM-4.B.1", engine.StatusPass))},
		{Decision: nonCompliant, Dossier: dossier},
		{Decision: waiting},
		{Decision: decision("acme/shop#416", engine.OutcomeCompliantWithWaiver, waived)},
		{Decision: outside},
		{Decision: vulnerability, Dossier: []byte(`{"finding":{"package":"left-pad"}}`)},
	}
}

func render(t *testing.T, format string, opt Options, judgements []Judgement) string {
	t.Helper()
	var out bytes.Buffer
	r, err := New(format, &out, opt)
	if err != nil {
		t.Fatal(err)
	}
	var s Summary
	for _, j := range judgements {
		if err := r.Add(j); err != nil {
			t.Fatal(err)
		}
		s.Add(j.Decision)
	}
	if err := r.End(s); err != nil {
		t.Fatal(err)
	}
	return out.String()
}

func TestGolden(t *testing.T) {
	for name, tc := range map[string]struct {
		format string
		opt    Options
	}{
		"table.txt":           {"table", Options{Width: 120}},
		"table-colour.txt":    {"table", Options{Width: 120, Colour: true}},
		"table-narrow.txt":    {"table", Options{Width: 60}},
		"table-unlimited.txt": {"table", Options{}},
		"explain.txt":         {"table", Options{Width: 100, Explain: true}},
		"explain-colour.txt":  {"table", Options{Width: 100, Explain: true, Colour: true}},
		"decisions.json":      {"json", Options{}},
		"decisions.ndjson":    {"ndjson", Options{}},
		"decisions.yaml":      {"yaml", Options{}},
		"decisions.md":        {"markdown", Options{}},
		"explain.md":          {"markdown", Options{Explain: true}},
		"decisions.sarif":     {"sarif", Options{}},
		"decisions.junit.xml": {"junit", Options{}},
		"decisions.github":    {"github", Options{}},
	} {
		t.Run(name, func(t *testing.T) {
			got := render(t, tc.format, tc.opt, samples())
			file := filepath.Join("testdata", name)
			if *update {
				if err := os.WriteFile(file, []byte(got), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			if got != string(want) {
				t.Errorf("differs from %s (go test -update shows how):\n%s", file, got)
			}
		})
	}
}

// The structured formats say the same thing, and all of it.
func TestStructuredFormatsAgree(t *testing.T) {
	hostile := decision("a\u009b31m\u202eb\U000e0041", engine.OutcomePending, finding("CM-1", engine.StatusPending, "yes", "1.0", "null", "- x: |\n  y"))
	var want []engine.Decision
	judgements := append(samples(), Judgement{Decision: hostile})
	for _, j := range judgements {
		want = append(want, j.Decision)
	}
	fromJSON := render(t, "json", Options{}, judgements)
	var got []engine.Decision
	if err := json.Unmarshal([]byte(fromJSON), &got); err != nil {
		t.Fatal(err)
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("json lost something:\n%s", fromJSON)
	}
	got = nil
	for line := range strings.Lines(render(t, "ndjson", Options{}, judgements)) {
		var d engine.Decision
		if err := json.Unmarshal([]byte(line), &d); err != nil {
			t.Fatal(err)
		}
		got = append(got, d)
	}
	if !reflect.DeepEqual(got, want) {
		t.Error("ndjson lost something")
	}
	var tree any
	fromYAML := render(t, "yaml", Options{}, judgements)
	if err := yaml.Unmarshal([]byte(fromYAML), &tree); err != nil {
		t.Fatal(err)
	}
	again, err := json.Marshal(tree)
	if err != nil {
		t.Fatal(err)
	}
	got = nil
	if err := json.Unmarshal(again, &got); err != nil {
		t.Fatal(err)
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("yaml lost something:\n%s", fromYAML)
	}
}

func TestYAMLNumbers(t *testing.T) {
	dec := json.NewDecoder(strings.NewReader(`{"i":12345678901234567,"f":1.5,"b":true,"s":"1.5"}`))
	dec.UseNumber()
	n, err := node(dec)
	if err != nil {
		t.Fatal(err)
	}
	got, err := yaml.Marshal(n)
	if want := "i: 12345678901234567\nf: 1.5\nb: true\ns: \"1.5\"\n"; err != nil || string(got) != want {
		t.Errorf("%s (%v), want %s", got, err, want)
	}
}

func TestEmptyStreams(t *testing.T) {
	for format, want := range map[string]string{"json": "[]\n", "ndjson": "", "yaml": "[]\n", "table": "0 decisions\n", "markdown": "**0 decisions**\n"} {
		if got := render(t, format, Options{}, nil); got != want {
			t.Errorf("%s: %q, want %q", format, got, want)
		}
	}
}

// Names are foreign text: none of it may steer a terminal, break a row or
// become markup.
func TestForeignTextIsHarmless(t *testing.T) {
	evil := "x\x1b[2J\x07\r\nrow|cell `code` <script> [l](http://e) \u202e @team \xff\u2028=cmd"
	d := decision(evil, engine.OutcomeNonCompliant, finding(evil, engine.StatusFail, evil))
	d.Subject.Type, d.Classification.Type, d.Risk.Level = evil, evil, evil
	d.Classification.Declared, d.Risk.Declared = evil+"2", evil+"2"
	d.Classification.Scopes, d.Classification.Reasons, d.Risk.Reasons = []string{evil}, []string{evil}, []string{evil}
	d.Parties = &engine.Parties{Authors: []string{evil}, Approvers: []string{evil}, Deployers: []string{evil}}
	f := &d.Findings[0]
	f.Title, f.Message, f.Remediation, f.Clause, f.DueAt, f.Severity, f.DecisiveAt = evil, evil, evil, evil, evil, evil, evil
	f.Evidence, f.Aliases = []string{"/" + evil}, []string{evil}
	f.Waiver = &engine.Waived{ID: evil, ApprovedBy: evil, Reason: evil, ExpiresAt: evil}
	d.Observations = []engine.Observation{{Control: evil, Reason: evil, Message: evil, Evidence: []string{evil}}}
	d.Unevaluated = []engine.Unevaluated{{Control: evil, Reason: evil}}
	d.Policy = engine.PolicyRefs{{Name: evil, Version: evil, BundleDigest: evil}}
	key, _ := json.Marshal(evil)
	dossier := []byte(`{"change":{"pull_request":{"title":` + string(key) + `}},` + string(key) + `:{"a":` + string(key) + `}}`)
	for _, tc := range []struct {
		format string
		opt    Options
	}{{"table", Options{Width: 100}}, {"table", Options{Explain: true}}, {"markdown", Options{}}, {"markdown", Options{Explain: true}}} {
		got := render(t, tc.format, tc.opt, []Judgement{{d, dossier}})
		for _, r := range got {
			if r != '\n' && hidden(r) {
				t.Errorf("%s %+v lets %U through", tc.format, tc.opt, r)
			}
		}
		if strings.Contains(got, "\xff") {
			t.Errorf("%s lets broken UTF-8 through", tc.format)
		}
		if tc.format == "markdown" {
			for _, markup := range []string{"<script", " `", " [l]", "w|c", " @team"} {
				if strings.Contains(got, markup) {
					t.Errorf("markdown %+v lets %q through:\n%s", tc.opt, markup, got)
				}
			}
		}
	}
	for _, format := range []string{"json", "ndjson", "yaml"} {
		for _, r := range render(t, format, Options{}, []Judgement{{d, dossier}}) {
			if r != '\n' && r < 0x20 || r >= 0x7f && r < 0xa0 {
				t.Errorf("%s lets %U through", format, r)
			}
		}
	}
}

func TestUnheardOfOutcomeLooksDoubtful(t *testing.T) {
	got := render(t, "table", Options{}, []Judgement{{Decision: decision("a", "fine_really", finding("CM-1", "excellent", "why"))}})
	if !strings.Contains(got, "? fine really") || !strings.Contains(got, "? CM-1 Title of CM-1: why") || strings.Contains(got, "✓") {
		t.Errorf("shown as:\n%s", got)
	}
}

func TestPagesKeepEveryRow(t *testing.T) {
	var many []Judgement
	for range 2*rowsPerPage + 1 {
		many = append(many, samples()[0])
	}
	got := render(t, "table", Options{Width: 120}, many)
	if n := strings.Count(got, "acme/shop#411"); n != len(many) {
		t.Errorf("%d rows, want %d", n, len(many))
	}
	if n := strings.Count(got, "OUTCOME"); n != 3 {
		t.Errorf("%d headings, want 3", n)
	}
}

func TestTableKeepsToTheWidth(t *testing.T) {
	long := samples()
	long[1].Decision.Subject.ID = strings.Repeat("long-subject/", 20)
	long[1].Decision.Parties.Authors = []string{strings.Repeat("somebody", 20)}
	for _, width := range []int{60, 80, 90, 100, 120, 160, 200} {
		for line := range strings.SplitSeq(render(t, "table", Options{Width: width}, long), "\n") {
			if n := len([]rune(line)); n > width {
				t.Errorf("width %d: %d columns: %s", width, n, line)
			}
		}
	}
}

func TestSummary(t *testing.T) {
	var s Summary
	for _, j := range samples() {
		s.Add(j.Decision)
	}
	s.Undecided = 1
	want := "6 decisions: 1 non-compliant, 1 unknown, 1 pending, 1 compliant with waiver, 1 compliant, 1 out of scope; 1 dossier could not be decided"
	if got := s.String(); got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
}

func TestFact(t *testing.T) {
	dossier := []byte(`{"a/b":{"x~y":[10,{"user":"bob","at":"now","deep":{"k":1},"list":[1,2],"none":[]}]},"s":"t","e":"","list":["p","q"],"objects":[{"a":1}],"o":{}}`)
	for pointer, want := range map[string]string{
		"/a~1b/x~0y/0":   "10",
		"/a~1b/x~0y/1":   "user=bob at=now deep={1} list=2 items none=[]",
		"/s":             "t",
		"/e":             `""`,
		"/list":          "[p, q]",
		"/objects":       "1 item",
		"/o":             "{}",
		"/missing":       "",
		"/list/2":        "",
		"/list/-1":       "",
		"/s/x":           "",
		"no-slash":       "",
		"/a~1b/x~0y/1/k": "",
	} {
		got, ok := Fact(dossier, pointer)
		if got != want || ok != (want != "") {
			t.Errorf("%s: %q %v, want %q", pointer, got, ok, want)
		}
	}
}

func TestHeadline(t *testing.T) {
	for dossier, want := range map[string]string{
		`{"change":{"kind":"pull_request","pull_request":{"title":"Cap the page"},"event":{"type":"x"}}}`:       "Cap the page",
		`{"change":{"kind":"direct_push","commit_message":"quick fix\n\nmore"}}`:                                "direct push: quick fix",
		`{"change":{"kind":"platform_rollback","deployments":[{"service":"api"}],"event":{"type":"rollback"}}}`: "platform rollback of api: rollback",
		`{"change":{"kind":"iam_grant","event":{"type":"T","detail":"role_grant carol \u001b[1m"}}}`:            `iam grant: role_grant carol \u001b[1m`,
		`{"finding":{"package":"left-pad"}}`: "left-pad",
		`{"deployment":{"service":"api"}}`:   "api",
		`{"posture":{"environment":"prod"}}`: "prod",
		`{"period":{}}`:                      "",
		``:                                   "",
	} {
		if got := headline([]byte(dossier)); got != want {
			t.Errorf("%s: %q, want %q", dossier, got, want)
		}
	}
}

func FuzzFact(f *testing.F) {
	f.Add([]byte(`{"a":[{"b":"c"}]}`), "/a/0")
	f.Add([]byte(`[`), "/0")
	f.Add([]byte(``), "")
	f.Fuzz(func(t *testing.T, doc []byte, pointer string) {
		if fact, _ := Fact(doc, pointer); !isPrintable(fact) {
			t.Errorf("%q at %q is not printable: %q", doc, pointer, fact)
		}
	})
}

func TestUnknownFormat(t *testing.T) {
	_, err := New("xml", nil, Options{})
	if err == nil || !strings.Contains(err.Error(), "ndjson") {
		t.Errorf("error %v names no known format", err)
	}
}

type broken struct{}

func (broken) Write([]byte) (int, error) { return 0, errors.New("disk full") }

func TestWriteErrorsSurface(t *testing.T) {
	for _, format := range Formats() {
		r, err := New(format, broken{}, Options{})
		if err != nil {
			t.Fatal(err)
		}
		err = r.Add(samples()[0])
		if err == nil {
			err = r.End(Summary{})
		}
		if err == nil {
			t.Errorf("%s hides the write error", format)
		}
	}
}
