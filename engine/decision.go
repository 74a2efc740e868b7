package engine

import (
	"encoding/json"
	"time"
)

// DecisionSchema is the value of Decision.Schema.
const DecisionSchema = "decision/v1"

// Outcomes of a decision, best first; controls.md 1.2 gives the precedence.
const (
	OutcomeCompliant           = "compliant"
	OutcomeCompliantWithWaiver = "compliant_with_waiver"
	OutcomePending             = "pending"
	OutcomeUnknown             = "unknown"
	OutcomeNonCompliant        = "non_compliant"
	OutcomeOutOfScope          = "out_of_scope"
)

// Statuses of a finding.
const (
	StatusPass          = "pass"
	StatusFail          = "fail"
	StatusPending       = "pending"
	StatusUnknown       = "unknown"
	StatusNotApplicable = "not_applicable"
	StatusWaived        = "waived"
)

// Decision is the verdict on one dossier, control by control. Its JSON form is
// schemas/decision.json. It is a function of (dossier, bundle, settings) and
// nothing else; ID is derived from the three digests.
type Decision struct {
	Schema           string         `json:"schema"`
	ID               string         `json:"id"`
	Subject          Subject        `json:"subject"`
	EvaluatedAt      string         `json:"evaluated_at"`
	Outcome          string         `json:"outcome"`
	Classification   Classification `json:"classification"`
	Risk             Risk           `json:"risk"`
	Parties          *Parties       `json:"parties,omitempty"`
	Findings         []Finding      `json:"findings"`
	Observations     []Observation  `json:"observations,omitempty"`
	Unevaluated      []Unevaluated  `json:"unevaluated,omitempty"`
	NextEvaluationAt string         `json:"next_evaluation_at,omitempty"`
	Policy           PolicyRefs     `json:"policy"`
	InputDigest      string         `json:"input_digest"`
}

// Classification says how the change is treated and why.
type Classification struct {
	Type        string   `json:"type"`
	Declared    string   `json:"declared,omitempty"`
	Provisional bool     `json:"provisional,omitempty"`
	Scopes      []string `json:"scopes"`
	Reasons     []string `json:"reasons"`
}

// Risk is the level that counts, the higher of inferred and declared.
type Risk struct {
	Level    string   `json:"level"`
	Declared string   `json:"declared,omitempty"`
	Reasons  []string `json:"reasons"`
}

// Parties names the persons (or unresolved accounts) behind a change.
type Parties struct {
	Authors   []string `json:"authors,omitempty"`
	Approvers []string `json:"approvers,omitempty"`
	Deployers []string `json:"deployers,omitempty"`
}

// Finding is the answer of one control. Evidence holds JSON pointers into the
// dossier; DueAt and DecisiveAt are
// RFC 3339 instants in UTC; Aliases are other control ids that the same finding
// answers.
type Finding struct {
	Control       string   `json:"control"`
	Status        string   `json:"status"`
	Severity      string   `json:"severity"`
	Title         string   `json:"title"`
	Clause        string   `json:"clause"`
	Message       string   `json:"message"`
	Reasons       []string `json:"reasons"`
	Evidence      []string `json:"evidence"`
	DueAt         string   `json:"due_at,omitempty"`
	Remediation   string   `json:"remediation,omitempty"`
	Waiver        *Waived  `json:"waiver,omitempty"`
	DecisiveAt    string   `json:"decisive_at,omitempty"`
	PolicyVersion string   `json:"policy_version"`
	Aliases       []string `json:"aliases,omitempty"`
}

// Waived names the waiver that covers a finding.
type Waived struct {
	ID         string `json:"id"`
	ApprovedBy string `json:"approved_by"`
	Reason     string `json:"reason,omitempty"`
	ExpiresAt  string `json:"expires_at"`
}

// Observation is worth knowing and never changes an outcome.
type Observation struct {
	Control  string   `json:"control,omitempty"`
	Reason   string   `json:"reason"`
	Message  string   `json:"message"`
	Evidence []string `json:"evidence"`
}

// Unevaluated is a control of the catalogue that applies to the subject type
// and has no rule in this bundle: nothing is said about it.
type Unevaluated struct {
	Control string `json:"control"`
	Reason  string `json:"reason"`
}

// PolicyRef identifies what judged: the bundle, its settings and the engine.
type PolicyRef struct {
	Name           string     `json:"name"`
	Version        string     `json:"version"`
	BundleDigest   string     `json:"bundle_digest"`
	SettingsDigest string     `json:"settings_digest"`
	Engine         EngineInfo `json:"engine"`
}

// EngineInfo names the program that evaluated the policy.
type EngineInfo struct {
	Name       string `json:"name"`
	Version    string `json:"version"`
	OPAVersion string `json:"opa_version"`
}

// PolicyRefs is one reference, or several when several releases were in force
// at the decisive moments; in JSON an object or a list.
type PolicyRefs []PolicyRef

// MarshalJSON writes a single reference as an object.
func (p PolicyRefs) MarshalJSON() ([]byte, error) {
	if len(p) == 1 {
		return json.Marshal(p[0])
	}
	return json.Marshal([]PolicyRef(p))
}

// UnmarshalJSON reads an object or a list.
func (p *PolicyRefs) UnmarshalJSON(b []byte) error {
	if len(b) > 0 && b[0] == '{' {
		var one PolicyRef
		if err := json.Unmarshal(b, &one); err != nil {
			return err
		}
		*p = PolicyRefs{one}
		return nil
	}
	var many []PolicyRef
	if err := json.Unmarshal(b, &many); err != nil {
		return err
	}
	*p = many
	return nil
}

// Release is an immutable policy version: a bundle, its settings and the
// moment from which it is in force.
type Release struct {
	Version       string    `json:"version"`
	EffectiveFrom time.Time `json:"effective_from"`
	Bundle        string    `json:"bundle,omitempty"`
	Settings      any       `json:"settings,omitempty"`
}
