package engine_test

import (
	"encoding/json"
	"testing"

	"github.com/changevouch/changevouch/engine"
	"github.com/changevouch/changevouch/schemas"
)

const digest = "sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"

// fullDecision has every field set, so that a field that the schema does not
// know, or knows by another type, shows.
func fullDecision() engine.Decision {
	ref := engine.PolicyRef{Name: "changevouch", Version: "1.0.0", BundleDigest: digest, SettingsDigest: digest,
		Engine: engine.EngineInfo{Name: "changevouch", Version: "0.1.0", OPAVersion: "1.22.2"}}
	const at = "2026-11-02T09:30:00Z"
	return engine.Decision{
		Schema: engine.DecisionSchema, ID: "dec_0123456789abcdef0123456789abcdef",
		Subject: engine.Subject{Type: "change", ID: "acme/shop#412"}, EvaluatedAt: at, Outcome: engine.OutcomePending,
		Classification: engine.Classification{Type: "normal", Declared: "standard", Provisional: true, Scopes: []string{"application_code"}, Reasons: []string{"x"}},
		Risk:           engine.Risk{Level: "high", Declared: "low", Reasons: []string{"H1"}},
		Parties:        &engine.Parties{Authors: []string{"ana"}, Approvers: []string{"ben"}, Deployers: []string{"cy"}},
		Findings: []engine.Finding{{Control: "CM-4.B.1", Status: engine.StatusWaived, Severity: "high", Title: "Peer review", Clause: "4.b",
			Message: "m", Reasons: []string{"r"}, Evidence: []string{"", "/change/kind"}, DueAt: at, Remediation: "do",
			Waiver:     &engine.Waived{ID: "W-1", ApprovedBy: "dan", Reason: "why", ExpiresAt: at},
			DecisiveAt: at, PolicyVersion: "1.0.0", Aliases: []string{"CM-3.B.1"}}},
		Observations:     []engine.Observation{{Control: "CM-2.6", Reason: "r", Message: "m", Evidence: []string{"/people"}}},
		Unevaluated:      []engine.Unevaluated{{Control: "CM-9.1", Reason: "no rule"}},
		NextEvaluationAt: at, Policy: engine.PolicyRefs{ref, ref}, InputDigest: digest,
	}
}

func TestDecisionAgreesWithSchema(t *testing.T) {
	for _, several := range []bool{true, false} {
		d := fullDecision()
		if !several {
			d.Policy = d.Policy[:1]
		}
		text, err := json.Marshal(d)
		if err != nil {
			t.Fatal(err)
		}
		for _, fault := range schemas.Validate(schemas.Decision, text) {
			t.Error(fault)
		}
		var back engine.Decision
		if err := json.Unmarshal(text, &back); err != nil || len(back.Policy) != len(d.Policy) {
			t.Errorf("read back %+v, %v", back.Policy, err)
		}
	}
}
