package policy_test

import (
	"context"
	"encoding/json"
	"errors"
	"strings"
	"sync"
	"testing"
	"testing/fstest"
	"time"

	"github.com/changevouch/changevouch/engine"
	"github.com/changevouch/changevouch/engine/policy"
	"github.com/changevouch/changevouch/schemas"
)

func mustLoad(t testing.TB, fsys fstest.MapFS, options policy.Options) *policy.Policy {
	t.Helper()
	p, err := policy.Load(t.Context(), fsys, options)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func TestEvaluate(t *testing.T) {
	p := mustLoad(t, tiny(), policy.Options{EngineVersion: "0.1.0"})
	d, err := p.Evaluate(t.Context(), []byte(dossier))
	if err != nil {
		t.Fatal(err)
	}
	text, err := json.Marshal(d)
	if err != nil {
		t.Fatal(err)
	}
	for _, fault := range schemas.Validate(schemas.Decision, text) {
		t.Error(fault)
	}
	if d.Outcome != engine.OutcomeCompliant || len(d.Findings) != 2 || d.Findings[0].Message != "T-1 says pass." {
		t.Errorf("decision %s", text)
	}
	ref := d.Policy[0]
	if ref.Name != "tiny" || ref.Version != "1.2.3" || ref.Engine.Version != "0.1.0" || ref.Engine.OPAVersion == "" || ref != p.Ref() {
		t.Errorf("policy %+v", ref)
	}

	// Layout and key order are not facts: the same dossier, the same decision.
	var loose any
	if err := json.Unmarshal([]byte(dossier), &loose); err != nil {
		t.Fatal(err)
	}
	compact, err := json.Marshal(loose)
	if err != nil {
		t.Fatal(err)
	}
	again, err := mustLoad(t, tiny(), policy.Options{EngineVersion: "0.1.0"}).Evaluate(t.Context(), compact)
	if err != nil {
		t.Fatal(err)
	}
	if same, _ := json.Marshal(again); string(same) != string(text) {
		t.Errorf("not deterministic:\n%s\n%s", text, same)
	}
}

func TestIdentityFollowsContent(t *testing.T) {
	base := mustLoad(t, tiny(), policy.Options{}).Ref()
	for name, test := range map[string]struct {
		fsys     fstest.MapFS
		options  policy.Options
		bundle   bool // digest differs
		settings bool
	}{
		"same":          {tiny(), policy.Options{}, false, false},
		"test changed":  {tiny(map[string]string{"controls/t_1/t_1_test.rego": "package x_test\n"}), policy.Options{}, false, false},
		"other file":    {tiny(map[string]string{"README.md": "x", "rego.go": "package x", ".git/data.json": "{}"}), policy.Options{}, false, false},
		"rule changed":  {tiny(map[string]string{"controls/t_2/t_2.rego": "package controls.t_2\n\nstatus := \"pass\"\n"}), policy.Options{}, true, false},
		"default":       {tiny(map[string]string{"settings/data.yaml": "min_approvals: 2\n"}), policy.Options{}, true, true},
		"settings":      {tiny(), policy.Options{Settings: []byte("min_approvals: 2")}, false, true},
		"settings same": {tiny(), policy.Options{Settings: []byte(`{"min_approvals": 1.0}`)}, false, false},
		"overlay":       {tiny(), policy.Options{Overlays: bundles(t, overlay())}, true, false},
	} {
		t.Run(name, func(t *testing.T) {
			got := mustLoad(t, test.fsys, test.options).Ref()
			if (got.BundleDigest != base.BundleDigest) != test.bundle {
				t.Errorf("bundle digest %s, base %s", got.BundleDigest, base.BundleDigest)
			}
			if (got.SettingsDigest != base.SettingsDigest) != test.settings {
				t.Errorf("settings digest %s, base %s", got.SettingsDigest, base.SettingsDigest)
			}
		})
	}
}

func TestLoadRefuses(t *testing.T) {
	hermetic := func(call string) map[string]string {
		return map[string]string{"controls/t_2/t_2.rego": "package controls.t_2\n\nstatus := \"pass\" if " + call + "\n"}
	}
	tests := []struct {
		name  string
		files map[string]string
		want  []string
	}{
		{"misspelt input", map[string]string{"controls/t_2/t_2.rego": "package controls.t_2\n\nstatus := \"pass\" if input.chnage.kind == \"pull_request\"\n"},
			[]string{"controls/t_2/t_2.rego:3", "input.chnage", "undefined ref"}},
		{"misspelt input, deep", map[string]string{"controls/t_2/t_2.rego": "package controls.t_2\n\nstatus := \"pass\" if {\n\tsome r in input.change.pull_request.reviews\n\tr.sate == \"approved\"\n}\n"},
			[]string{"controls/t_2/t_2.rego:5", "sate"}},
		{"http", hermetic(`http.send({"method": "get", "url": "https://example.com"}).status_code == 200`), []string{"t_2.rego:3", "undefined function http.send"}},
		{"clock", hermetic(`time.now_ns() > 0`), []string{"undefined function time.now_ns"}},
		{"chance", hermetic(`rand.intn("x", 2) == 1`), []string{"undefined function rand.intn"}},
		{"uuid", hermetic(`uuid.rfc4122("x") != ""`), []string{"undefined function uuid.rfc4122"}},
		{"environment", hermetic(`opa.runtime().env.HOME != ""`), []string{"undefined function opa.runtime"}},
		{"lookup", hermetic(`count(net.lookup_ip_addr("example.com")) > 0`), []string{"undefined function net.lookup_ip_addr"}},
		{"schema from the network", map[string]string{"controls/t_2/t_2.rego": "# METADATA\n# schemas:\n# - input: {\"$ref\": \"https://example.com/x.json\"}\npackage controls.t_2\n\nstatus := \"pass\" if input.x\n"}, []string{"example.com"}},
		{"strict: unused variable", map[string]string{"controls/t_2/t_2.rego": "package controls.t_2\n\nstatus := \"pass\" if {\n\tx := 1\n\ttrue\n}\n"}, []string{"t_2.rego:4", "assigned var x unused"}},
		{"syntax", map[string]string{"controls/t_2/t_2.rego": "package controls.t_2\n\nstatus := {\n"}, []string{"t_2.rego:", "rego_parse_error"}},
		{"old syntax", map[string]string{"controls/t_2/t_2.rego": "package controls.t_2\n\nstatus = \"pass\" { true }\n"}, []string{"t_2.rego:3", "`if` keyword is required"}},
		{"no entrypoint", map[string]string{"decision/decision.rego": "package decision\n\nverdict := true\n"}, []string{"no rule data.decision.document"}},
		{"no manifest", map[string]string{".manifest": ""}, []string{".manifest has no metadata.name"}},
		{"versions disagree", map[string]string{".manifest": `{"metadata": {"name": "tiny", "version": "1.2.4"}}`}, []string{"data.catalogue.policy.version is 1.2.3", `"1.2.4"`}},
		{"outside the roots", map[string]string{".manifest": `{"roots": ["decision"], "metadata": {"name": "tiny", "version": "1.2.3"}}`}, []string{"roots"}},
		{"empty catalogue", map[string]string{"catalogue/data.yaml": "policy: {name: tiny, version: 1.2.3}\n"}, []string{"data.catalogue.controls is empty"}},
		{"control without row", map[string]string{"controls/t_3/t_3.rego": "package controls.t_3\n\nstatus := \"fail\"\n"}, []string{"t_3.rego", "no row in data.catalogue.controls"}},
		{"row for nothing", map[string]string{"catalogue/data.yaml": "policy: {name: tiny, version: 1.2.3}\ncontrols: {T-1: {rule: t_1, title: x, clause: x, severity: low, subjects: []}}\n"}, []string{"T-1", "names no subjects"}},
		{"rule and data in one place", map[string]string{"settings/settings.rego": "package settings\n\nmin_approvals := 0\n"}, []string{"conflicting rule"}},
		{"broken data", map[string]string{"settings/data.yaml": "a: [\n"}, []string{"settings/data.yaml"}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			_, err := policy.Load(t.Context(), tiny(test.files), policy.Options{})
			wantError(t, err, test.want...)
		})
	}
	t.Run("empty folder", func(t *testing.T) {
		_, err := policy.Load(t.Context(), fstest.MapFS{"README.md": {}}, policy.Options{})
		wantError(t, err, "neither rego nor data")
	})
}

func wantError(t *testing.T, err error, parts ...string) {
	t.Helper()
	if err == nil {
		t.Fatal("no error")
	}
	for _, part := range parts {
		if !strings.Contains(err.Error(), part) {
			t.Errorf("error %q lacks %q", err, part)
		}
	}
}

func TestSettings(t *testing.T) {
	tests := []struct{ name, settings, want string }{
		{"unknown, schema knows the nearest", "min_aprovals: 2", "1:1: /min_aprovals: unknown field, did you mean min_approvals?"},
		{"unknown, deep", "vuln_sla_days:\n  hihg: 2", "2:3: /vuln_sla_days/hihg: unknown field, did you mean high?"},
		{"unknown, the bundle knows the nearest", "limtis: {}", "1:1: /limtis: unknown field, did you mean limits?"},
		{"unknown in the bundle's own", "limits: {own_limt: 3}", "/limits/own_limt: unknown field, did you mean own_limit?"},
		{"wrong kind", "min_approvals: two", `/min_approvals: a whole number is expected, found "two"`},
		{"wrong kind in the bundle's own", "limits: 3", "/limits: an object is expected, as in the default; found a number"},
		{"below the floor", "min_approvals: 0", "/min_approvals: the number 0 is less than 1"},
		{"no YAML", "a: [", "no valid YAML"},
		{"a list", "[1]", "an object is expected, found a list"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			_, err := policy.Load(t.Context(), tiny(), policy.Options{Settings: []byte(test.settings)})
			wantError(t, err, test.want)
			if _, ok := errors.AsType[*policy.SettingsError](err); !ok {
				t.Errorf("%T is no SettingsError", err)
			}
		})
	}
	t.Run("merged", func(t *testing.T) {
		p := mustLoad(t, tiny(), policy.Options{Settings: []byte("min_approvals: 2\nholidays: ['2026-12-25']\nvuln_sla_days: {high: 14}\nlimits: {own_limit: 4}\n")})
		const want = `{"holidays":["2026-12-25"],"limits":{"own_limit":4},"min_approvals":2,"vuln_sla_days":{"critical":7,"high":14}}`
		if got := string(p.Settings()); got != want {
			t.Errorf("settings %s", got)
		}
		d, err := p.Evaluate(t.Context(), []byte(dossier))
		if err != nil || d.Outcome != engine.OutcomeNonCompliant {
			t.Errorf("outcome %q (%v): the settings did not reach the rules", d.Outcome, err)
		}
	})
}

func TestInvalidDossier(t *testing.T) {
	p := mustLoad(t, tiny(), policy.Options{})
	text := strings.Replace(dossier, `"kind": "pull_request"`, `"kid": "pull_request", "pussh": {}`, 1)
	_, err := p.Evaluate(t.Context(), []byte(text))
	if !errors.Is(err, engine.ErrInvalidInput) || errors.Is(err, engine.ErrUndecided) {
		t.Fatalf("error %v", err)
	}
	wantError(t, err, "5:3: /change: kind is missing", "5:14: /change/kid: unknown field, did you mean id?", "/change/pussh: unknown field, did you mean push?")
	for _, text := range []string{"", "{", "null", dossier + "x", strings.Repeat("[", 1000)} {
		if _, err := p.Evaluate(t.Context(), []byte(text)); !errors.Is(err, engine.ErrInvalidInput) {
			t.Errorf("%.20q: error %v", text, err)
		}
	}
}

// TestUndecided: whatever the rules leave open is an error, never a decision.
func TestUndecided(t *testing.T) {
	tests := []struct {
		name  string
		files map[string]string
		want  string
	}{
		{"undefined", document("document := {} if input.change.kind == \"direct_push\""), "data.decision.document is undefined"},
		{"no object", document("document := true"), "has not the shape of a decision"},
		{"empty", document("document := {}"), "schema is"},
		{"unknown field", spoilt(`{"verdict": "fine"}`), `unknown field "verdict"`},
		{"unknown field of a finding", spoilt(`{"findings": [object.union(finding("T-1", "pass"), {"stauts": 1})]}`), `unknown field "stauts"`},
		{"two answers", document("document := good if true\n\ndocument := object.union(good, {\"outcome\": \"pending\"}) if true\n" + good), "data.decision.document produced conflicting values"},
		{"built-in error", document("document := object.union(good, {\"outcome\": x}) if x := sprintf(\"%d\", [to_number(input.change.kind)])\n" + good), "to_number"},
		{"silent control", spoilt(`{"findings": [finding("T-2", "pass")]}`), "controls that did not answer: T-1"},
		{"nothing answered", spoilt(`{"findings": []}`), "not one control answered"},
		{"all listed as unevaluated", spoilt(`{"findings": [], "unevaluated": [{"control": "T-1", "reason": "r"}, {"control": "T-2", "reason": "r"}]}`), "not one control answered"},
		{"answered twice", spoilt(`{"findings": [finding("T-1", "pass"), finding("T-1", "fail")]}`), "T-1 answered more than once"},
		{"unknown control", spoilt(`{"findings": [finding("T-9", "pass")]}`), `"T-9", which is not in the catalogue`},
		{"unknown status", spoilt(`{"findings": [finding("T-1", "ok"), finding("T-2", "pass")]}`), `"ok", which is no status`},
		{"unevaluated without reason", spoilt(`{"findings": [finding("T-2", "pass")], "unevaluated": [{"control": "T-1", "reason": ""}]}`), "without a reason"},
		{"unevaluated and answered", spoilt(`{"unevaluated": [{"control": "T-1", "reason": "r"}]}`), "answered and is listed as unevaluated"},
		{"outcome too good", spoilt(`{"findings": [finding("T-1", "fail"), finding("T-2", "pass")]}`), `the findings make it "non_compliant"`},
		{"outcome hides unknown", spoilt(`{"outcome": "pending", "findings": [finding("T-1", "unknown"), finding("T-2", "pending")]}`), `the findings make it "unknown"`},
		{"unknown outcome", spoilt(`{"outcome": "great"}`), `the outcome is "great"`},
		{"out of scope hides a failure", spoilt(`{"outcome": "out_of_scope", "findings": [finding("T-1", "fail")]}`), "although a control fails"},
		{"other subject", spoilt(`{"subject": {"type": "change", "id": "other"}}`), "the verdict is on change other"},
		{"other moment", spoilt(`{"evaluated_at": "2026-11-02T09:30:01Z"}`), "the verdict is of 2026-11-02T09:30:01Z"},
		{"own id", spoilt(`{"id": "dec_1"}`), "not for the rules to say"},
		{"no time", spoilt(`{"findings": [object.union(finding("T-1", "pass"), {"decisive_at": "soon"}), finding("T-2", "pass")]}`), "no RFC 3339 instant"},
		{"no next time", spoilt(`{"next_evaluation_at": "soon"}`), `next_evaluation_at "soon"`},
		{"evidence from nowhere", spoilt(`{"findings": [object.union(finding("T-1", "pass"), {"evidence": ["/change/push"]}), finding("T-2", "pass")]}`), `cites "/change/push"`},
		{"evidence beyond a list", spoilt(`{"observations": [{"reason": "r", "message": "m", "evidence": ["/people/1"]}]}`), `observation r cites "/people/1"`},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			d, err := mustLoad(t, tiny(test.files), policy.Options{}).Evaluate(t.Context(), []byte(dossier))
			if !errors.Is(err, engine.ErrUndecided) || errors.Is(err, engine.ErrInvalidInput) || d.Outcome != "" {
				t.Fatalf("decision %+v, error %v", d, err)
			}
			wantError(t, err, test.want)
		})
	}
	t.Run("well-behaved", func(t *testing.T) { // the base that the others spoil
		if _, err := mustLoad(t, tiny(spoilt(`{}`)), policy.Options{}).Evaluate(t.Context(), []byte(dossier)); err != nil {
			t.Error(err)
		}
	})
}

const slow = `document := object.union(good, {"outcome": "compliant"}) if {
	some i in numbers.range(1, 10000)
	some j in numbers.range(1, 10000)
	i + j < 0
}
`

func TestTimeout(t *testing.T) {
	start := time.Now()
	p := mustLoad(t, tiny(document(slow+good)), policy.Options{Timeout: 50 * time.Millisecond})
	_, err := p.Evaluate(t.Context(), []byte(dossier))
	if !errors.Is(err, engine.ErrUndecided) || !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("error %v", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := p.Evaluate(ctx, []byte(dossier)); !errors.Is(err, engine.ErrUndecided) || !errors.Is(err, context.Canceled) {
		t.Errorf("error %v", err)
	}
	if took := time.Since(start); took > 20*time.Second {
		t.Errorf("took %s", took)
	}
}

func TestConcurrentEvaluations(t *testing.T) {
	p := mustLoad(t, tiny(), policy.Options{})
	want, err := p.Evaluate(t.Context(), []byte(dossier))
	if err != nil {
		t.Fatal(err)
	}
	var group sync.WaitGroup
	for range 8 {
		group.Go(func() {
			for range 20 {
				if d, err := p.Evaluate(t.Context(), []byte(dossier)); err != nil || d.ID != want.ID {
					t.Errorf("%q, %v", d.ID, err)
				}
			}
		})
	}
	group.Wait()
}

func TestControls(t *testing.T) {
	controls := mustLoad(t, tiny(), policy.Options{}).Controls()
	if len(controls) != 2 {
		t.Fatalf("%d controls", len(controls))
	}
	one, two := controls[0], controls[1]
	if one.ID != "T-1" || one.Description != "Somebody else has read it." || one.Custom["owner"] != "platform" || !strings.HasSuffix(one.File, "t_1.rego") {
		t.Errorf("%+v", one)
	}
	if two.ID != "T-2" || two.Severity != "low" || len(two.Aliases) != 1 || two.Frameworks["soc2"][0] != "CC8.1" {
		t.Errorf("%+v", two)
	}
}
