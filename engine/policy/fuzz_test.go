package policy_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"testing"

	"github.com/changevouch/changevouch/engine"
	"github.com/changevouch/changevouch/engine/policy"
	"github.com/changevouch/changevouch/schemas"
)

// FuzzEvaluate: whatever bytes arrive, the answer is a valid decision or one of
// the two errors, and the same bytes get the same answer.
func FuzzEvaluate(f *testing.F) {
	p := mustLoad(f, tiny(), policy.Options{})
	f.Add([]byte(dossier))
	f.Add([]byte(`{"schema":"dossier/v1","evaluated_at":"2026-11-02T09:30:00+14:00","subject":{"type":"change","id":"\u0000"},"sources":{},"people":[],"change":{"kind":"direct_push"}}`))
	f.Add([]byte("{"))
	f.Fuzz(func(t *testing.T, text []byte) {
		d, err := p.Evaluate(t.Context(), text)
		if err != nil {
			if errors.Is(err, engine.ErrInvalidInput) == errors.Is(err, engine.ErrUndecided) {
				t.Fatalf("untyped error %v", err)
			}
			return
		}
		out, err := json.Marshal(d)
		if err != nil {
			t.Fatal(err)
		}
		for _, fault := range schemas.Validate(schemas.Decision, out) {
			t.Error(fault)
		}
		if again, err := p.Evaluate(t.Context(), text); err != nil || again.ID != d.ID {
			t.Errorf("%v, %q after %q", err, again.ID, d.ID)
		}
	})
}

// FuzzDecode: whatever a policy answers, decoding and judging the answer ends
// in a decision or in ErrUndecided.
func FuzzDecode(f *testing.F) {
	f.Add(`{"findings": [finding("T-1", "pass"), finding("T-2", "fail")], "outcome": "non_compliant"}`)
	f.Add(`{"findings": {"a": null}, "risk": [1e300]}`)
	f.Fuzz(func(t *testing.T, answer string) {
		var object map[string]any
		if json.Unmarshal([]byte(answer), &object) != nil {
			return // what is no JSON object tests the compiler, not us
		}
		literal, err := json.Marshal(object)
		if err != nil {
			t.Fatal(err)
		}
		p, err := policy.Load(t.Context(), tiny(spoilt(string(literal))), policy.Options{})
		if err != nil {
			return
		}
		if _, err := p.Evaluate(t.Context(), []byte(dossier)); err != nil && !errors.Is(err, engine.ErrUndecided) {
			t.Errorf("untyped error %v", err)
		}
	})
}

func FuzzSettings(f *testing.F) {
	f.Add([]byte("min_approvals: 2\nlimits: {own_limit: 1}\n"))
	f.Add([]byte("vuln_sla_days: {hihg: 1}"))
	f.Fuzz(func(t *testing.T, text []byte) {
		p, err := policy.Load(t.Context(), tiny(), policy.Options{Settings: text})
		var settings *policy.SettingsError
		if err != nil && !errors.As(err, &settings) {
			t.Fatalf("untyped error %v", err)
		}
		if err == nil && !json.Valid(p.Settings()) {
			t.Errorf("settings %s", p.Settings())
		}
	})
}

func FuzzReadArchive(f *testing.F) {
	f.Add(pack(f, map[string]string{"/decision/decision.rego": "package decision\n\ndocument := 1\n", "/.manifest": "{}"}, true))
	f.Add(pack(f, map[string]string{"data.json": `{"a": 1}`}, false))
	f.Fuzz(func(t *testing.T, archive []byte) {
		b, err := policy.ReadArchive(t.Context(), bytes.NewReader(archive))
		if err != nil {
			return
		}
		if p, err := policy.New(t.Context(), b, policy.Options{}); (p == nil) != (err != nil) {
			t.Errorf("%v, %v", p, err)
		}
	})
}
