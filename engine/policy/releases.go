package policy

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/changevouch/changevouch/engine"
	"github.com/changevouch/changevouch/schemas"
)

// Releases is a history of policy versions. It judges every control by the
// release that was in force at the control's decisive moment, so that a new
// rule never rewrites what was right when it was done. It is immutable and
// safe for concurrent use.
type Releases struct {
	history []release // by effective_from
}

type release struct {
	engine.Release
	policy *Policy
	ref    engine.PolicyRef
}

var _ engine.Policy = (*Releases)(nil)

// ParseReleases reads a releases file (YAML or JSON, schemas/releases.json).
// The error is a *SettingsError with every fault.
func ParseReleases(text []byte) ([]engine.Release, error) {
	doc, faults := schemas.ParseYAML(text)
	if len(faults) == 0 {
		faults = doc.Validate(schemas.Releases)
	}
	if len(faults) > 0 {
		return nil, &SettingsError{Faults: faults}
	}
	canonical := doc.Canonical()
	var list []engine.Release
	if err := json.Unmarshal(canonical, &list); err != nil {
		return nil, fmt.Errorf("releases: %w", err)
	}
	return list, nil
}

// NewReleases loads every release. open loads a release's bundle with its
// settings; the version of the release then stands in findings and references.
func NewReleases(list []engine.Release, open func(bundle string, settings []byte) (*Policy, error)) (*Releases, error) {
	if len(list) == 0 {
		return nil, errors.New("releases: there is none")
	}
	list = slices.Clone(list)
	slices.SortStableFunc(list, func(a, b engine.Release) int { return a.EffectiveFrom.Compare(b.EffectiveFrom) })
	r := &Releases{}
	for i, one := range list {
		if i > 0 && one.EffectiveFrom.Equal(list[i-1].EffectiveFrom) {
			return nil, fmt.Errorf("releases: %s and %s take effect at the same moment", list[i-1].Version, one.Version)
		}
		if slices.ContainsFunc(list[:i], func(other engine.Release) bool { return other.Version == one.Version }) {
			return nil, fmt.Errorf("releases: version %s appears twice", one.Version)
		}
		var settings []byte
		if one.Settings != nil {
			text, err := json.Marshal(one.Settings)
			if err != nil {
				return nil, fmt.Errorf("release %s: settings: %w", one.Version, err)
			}
			settings = text
		}
		p, err := open(one.Bundle, settings)
		if err != nil {
			return nil, fmt.Errorf("release %s: %w", one.Version, err)
		}
		ref := p.Ref()
		ref.Version = one.Version
		r.history = append(r.history, release{Release: one, policy: p, ref: ref})
	}
	return r, nil
}

// Evaluate implements engine.Policy, with the errors of Policy.Evaluate.
//
// Classification, risk, parties and observations are those of the release in
// force at the earliest decisive moment, when it was settled how the change had
// to be treated. A control that the release of its decisive moment does not
// have is not asked.
func (r *Releases) Evaluate(ctx context.Context, dossier []byte) (engine.Decision, error) {
	doc, err := read(dossier)
	if err != nil {
		return engine.Decision{}, err
	}
	verdicts := make([]engine.Decision, len(r.history))
	for i, one := range r.history {
		if verdicts[i], err = one.policy.judge(ctx, doc); err != nil {
			return engine.Decision{}, fmt.Errorf("release %s: %w", one.Version, err)
		}
	}
	lead := r.lead(verdicts)
	decision := verdicts[lead]
	if decision.Outcome == engine.OutcomeOutOfScope {
		decision.Findings = r.stamped(lead, decision.Findings)
		return sealed(decision, doc, r.history[lead].ref), nil
	}
	used := make([]bool, len(r.history))
	decision.Findings, decision.Unevaluated, decision.NextEvaluationAt = nil, nil, ""
	for _, id := range controlIDs(verdicts) {
		i, answer := r.answer(id, verdicts)
		switch {
		case answer.finding != nil:
			decision.Findings = append(decision.Findings, r.stamped(i, []engine.Finding{*answer.finding})...)
		case answer.unevaluated != nil:
			decision.Unevaluated = append(decision.Unevaluated, *answer.unevaluated)
		default:
			continue
		}
		used[i] = true
	}
	var refs []engine.PolicyRef
	for i, one := range r.history {
		if !used[i] {
			continue
		}
		refs = append(refs, one.ref)
		if next := verdicts[i].NextEvaluationAt; next != "" && (decision.NextEvaluationAt == "" || instant(next).Before(instant(decision.NextEvaluationAt))) {
			decision.NextEvaluationAt = next
		}
	}
	if len(decision.Findings) == 0 {
		return engine.Decision{}, undecided("not one control was in force at its decisive moment")
	}
	decision.Outcome = outcome(decision.Findings)
	return sealed(decision, doc, refs...), nil
}

// sealed is seal with the versions of the releases in the id.
func sealed(d engine.Decision, doc *schemas.Document, refs ...engine.PolicyRef) engine.Decision {
	d = seal(d, doc, refs...)
	var versions []string
	for _, ref := range refs {
		versions = append(versions, ref.Version)
	}
	d.ID = decisionID(d, versions...)
	return d
}

// answer is what one release says of one control; both nil when it does not
// have the control.
type answer struct {
	finding     *engine.Finding
	unevaluated *engine.Unevaluated
}

func say(id string, d *engine.Decision) answer {
	for i := range d.Findings {
		if d.Findings[i].Control == id {
			return answer{finding: &d.Findings[i]}
		}
	}
	for i := range d.Unevaluated {
		if d.Unevaluated[i].Control == id {
			return answer{unevaluated: &d.Unevaluated[i]}
		}
	}
	return answer{}
}

// answer picks the release that judges a control: the newest that was in force
// at the decisive moment it names itself. Where releases disagree on the moment
// so that none is, the newest release names the moment.
func (r *Releases) answer(id string, verdicts []engine.Decision) (int, answer) {
	inForce := -1
	for i := len(verdicts) - 1; i >= 0; i-- {
		said := say(id, &verdicts[i])
		if said == (answer{}) {
			continue
		}
		then := r.at(moment(said, verdicts[i]))
		if then == i {
			return i, said
		}
		if inForce < 0 {
			inForce = then
		}
	}
	return inForce, say(id, &verdicts[inForce])
}

// at is the release in force at a moment: the first one before all history.
func (r *Releases) at(t time.Time) int {
	for i := len(r.history) - 1; i > 0; i-- {
		if !r.history[i].EffectiveFrom.After(t) {
			return i
		}
	}
	return 0
}

// lead is the release in force at the earliest decisive moment that the newest
// release names.
func (r *Releases) lead(verdicts []engine.Decision) int {
	newest := verdicts[len(verdicts)-1]
	first := instant(newest.EvaluatedAt)
	for _, f := range newest.Findings {
		if t := moment(answer{finding: &f}, newest); t.Before(first) {
			first = t
		}
	}
	return r.at(first)
}

// stamped copies findings with the version of the release that judged them.
func (r *Releases) stamped(i int, findings []engine.Finding) []engine.Finding {
	out := slices.Clone(findings)
	for j := range out {
		out[j].PolicyVersion = r.history[i].Version
	}
	return out
}

// moment is when a control was decided; without one it is being decided now.
func moment(a answer, d engine.Decision) time.Time {
	if a.finding != nil && a.finding.DecisiveAt != "" {
		return instant(a.finding.DecisiveAt)
	}
	return instant(d.EvaluatedAt)
}

// instant reads a time that verdict has checked.
func instant(text string) time.Time {
	t, _ := time.Parse(time.RFC3339Nano, text)
	return t
}

// controlIDs lists every control that some release speaks of.
func controlIDs(verdicts []engine.Decision) []string {
	var ids []string
	for _, d := range verdicts {
		for _, f := range d.Findings {
			ids = append(ids, f.Control)
		}
		for _, u := range d.Unevaluated {
			ids = append(ids, u.Control)
		}
	}
	slices.SortFunc(ids, strings.Compare)
	return slices.Compact(ids)
}
