package policy

import (
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/changevouch/changevouch/engine"
)

// verdict holds a document to what a decision promises, so that a gap in the
// rules is an error and never looks like a pass:
//   - it speaks of this dossier, at this moment;
//   - every control of the catalogue that applies to the subject type answers
//     exactly once, or is listed as unevaluated with its reason;
//   - no rule came to no verdict (reason rule.no_verdict): in stock OPA such a
//     control is unknown, here it is an error;
//   - statuses and outcome are known, and the outcome follows from the statuses;
//   - every evidence pointer leads to something in the dossier.
//
// A subject that is out of scope needs no findings.
func (p *Policy) verdict(dossier any, d engine.Decision) error {
	kind, id := lookup(dossier, []string{"subject", "type"}), lookup(dossier, []string{"subject", "id"})
	said, _ := lookup(dossier, []string{"evaluated_at"}).(string)
	switch {
	case d.Schema != engine.DecisionSchema:
		return undecided("schema is %q, not %q", d.Schema, engine.DecisionSchema)
	case d.ID != "" || d.InputDigest != "" || len(d.Policy) > 0:
		return undecided("id, policy and input_digest are not for the rules to say")
	case d.Subject.Type != kind || d.Subject.ID != id:
		return undecided("the verdict is on %s %s, the dossier on %v %v", d.Subject.Type, d.Subject.ID, kind, id)
	case !sameInstant(d.EvaluatedAt, said):
		return undecided("the verdict is of %s, the dossier of %s", d.EvaluatedAt, said)
	}
	if d.NextEvaluationAt != "" && !isInstant(d.NextEvaluationAt) {
		return undecided("next_evaluation_at %q is no RFC 3339 instant", d.NextEvaluationAt)
	}
	answered := map[string]bool{}
	for _, f := range d.Findings {
		switch _, known := p.index[f.Control]; {
		case !known:
			return undecided("a finding of %q, which is not in the catalogue", f.Control)
		case answered[f.Control]:
			return undecided("control %s answered more than once", f.Control)
		case !slices.Contains(statuses, f.Status):
			return undecided("control %s answered %q, which is no status", f.Control, f.Status)
		case slices.Contains(f.Reasons, noVerdict):
			return undecided("control %s did not answer: its rule came to no verdict on this dossier", f.Control)
		case f.DecisiveAt != "" && !isInstant(f.DecisiveAt), f.DueAt != "" && !isInstant(f.DueAt):
			return undecided("control %s names a time that is no RFC 3339 instant: %q, %q", f.Control, f.DecisiveAt, f.DueAt)
		case f.Message == "":
			return undecided("control %s gave no message", f.Control)
		}
		answered[f.Control] = true
		if err := evidence(dossier, "control "+f.Control, f.Evidence); err != nil {
			return err
		}
	}
	for _, o := range d.Observations {
		if err := evidence(dossier, "observation "+o.Reason, o.Evidence); err != nil {
			return err
		}
	}
	for _, u := range d.Unevaluated {
		switch _, known := p.index[u.Control]; {
		case !known:
			return undecided("unevaluated names %q, which is not in the catalogue", u.Control)
		case answered[u.Control]:
			return undecided("control %s answered and is listed as unevaluated", u.Control)
		case u.Reason == "":
			return undecided("control %s is unevaluated without a reason", u.Control)
		}
		answered[u.Control] = true
	}
	if d.Outcome == engine.OutcomeOutOfScope {
		if slices.ContainsFunc(d.Findings, func(f engine.Finding) bool { return f.Status == engine.StatusFail }) {
			return undecided("the outcome is %s although a control fails", d.Outcome)
		}
		return nil
	}
	return p.total(d, answered)
}

// total checks that nothing in scope stayed silent and that the outcome is the
// worst status.
func (p *Policy) total(d engine.Decision, answered map[string]bool) error {
	if len(d.Findings) == 0 {
		return undecided("not one control answered")
	}
	var silent []string
	for _, control := range p.controls {
		if slices.Contains(control.Subjects, d.Subject.Type) && !answered[control.ID] {
			silent = append(silent, control.ID)
		}
	}
	if len(silent) > 0 {
		return undecided("controls that did not answer: %s", strings.Join(silent, ", "))
	}
	if want := outcome(d.Findings); d.Outcome != want {
		return undecided("the outcome is %q although the findings make it %q", d.Outcome, want)
	}
	return nil
}

// noVerdict is the reason that the decision gives for a control that found
// neither a problem nor a pass.
const noVerdict = "rule.no_verdict"

var statuses = []string{
	engine.StatusPass, engine.StatusFail, engine.StatusPending,
	engine.StatusUnknown, engine.StatusNotApplicable, engine.StatusWaived,
}

// outcome takes the worst status: a proven violation outranks
// missing evidence, which outranks a running deadline.
func outcome(findings []engine.Finding) string {
	seen := map[string]bool{}
	for _, f := range findings {
		seen[f.Status] = true
	}
	switch {
	case seen[engine.StatusFail]:
		return engine.OutcomeNonCompliant
	case seen[engine.StatusUnknown]:
		return engine.OutcomeUnknown
	case seen[engine.StatusPending]:
		return engine.OutcomePending
	case seen[engine.StatusWaived]:
		return engine.OutcomeCompliantWithWaiver
	}
	return engine.OutcomeCompliant
}

func isInstant(text string) bool {
	_, err := time.Parse(time.RFC3339Nano, text)
	return err == nil
}

func sameInstant(a, b string) bool {
	x, errX := time.Parse(time.RFC3339Nano, a)
	y, errY := time.Parse(time.RFC3339Nano, b)
	return errX == nil && errY == nil && x.Equal(y)
}

// evidence follows JSON pointers into the dossier.
func evidence(dossier any, who string, pointers []string) error {
	for _, pointer := range pointers {
		if !resolves(dossier, pointer) {
			return undecided("%s cites %q, which is not in the dossier", who, pointer)
		}
	}
	return nil
}

func resolves(v any, pointer string) bool {
	if pointer == "" {
		return true
	}
	if pointer[0] != '/' {
		return false
	}
	for token := range strings.SplitSeq(pointer[1:], "/") {
		switch node := v.(type) {
		case map[string]any:
			if strings.Contains(token, "~") {
				token = strings.ReplaceAll(strings.ReplaceAll(token, "~1", "/"), "~0", "~")
			}
			sub, ok := node[token]
			if !ok {
				return false
			}
			v = sub
		case []any:
			i, err := strconv.Atoi(token)
			if err != nil || i < 0 || i >= len(node) || strconv.Itoa(i) != token {
				return false
			}
			v = node[i]
		default:
			return false
		}
	}
	return true
}
