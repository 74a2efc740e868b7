package report

import (
	"bytes"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/changevouch/changevouch/engine"
)

// Difference is one thing on which two decisions on a subject do not agree: the
// outcome, the class, the risk, the policy, or what a control says. Reasons are those
// of a control, without those that both give.
type Difference struct {
	What          string   `json:"what"` // outcome, class, risk, policy, or the id of a control
	Before        string   `json:"before"`
	After         string   `json:"after"`
	ReasonsBefore []string `json:"reasons_before,omitempty"`
	ReasonsAfter  []string `json:"reasons_after,omitempty"`
}

// Differences compares two decisions on one subject. A control that one of them does
// not have has no status there.
func Differences(before, after engine.Decision) []Difference {
	var out []Difference
	note := func(what, a, b string) {
		if a != b {
			out = append(out, Difference{What: what, Before: a, After: b})
		}
	}
	note("outcome", before.Outcome, after.Outcome)
	note("class", before.Classification.Type, after.Classification.Type)
	note("risk", before.Risk.Level, after.Risk.Level)
	note("policy", policies(before), policies(after))
	was, is := findingsByControl(before), findingsByControl(after)
	var controls []string
	for _, f := range slices.Concat(before.Findings, after.Findings) {
		controls = insert(controls, f.Control)
	}
	for _, control := range controls {
		a, b := was[control], is[control]
		lost, gained := without(a.Reasons, b.Reasons), without(b.Reasons, a.Reasons)
		if a.Status != b.Status || len(lost)+len(gained) > 0 {
			out = append(out, Difference{What: control, Before: a.Status, After: b.Status, ReasonsBefore: lost, ReasonsAfter: gained})
		}
	}
	return out
}

func findingsByControl(d engine.Decision) map[string]engine.Finding {
	out := map[string]engine.Finding{}
	for _, f := range d.Findings {
		out[f.Control] = f
	}
	return out
}

func policies(d engine.Decision) string {
	var all []string
	for _, ref := range d.Policy {
		all = append(all, strings.TrimSpace(ref.Name+" "+ref.Version)+", bundle "+shortDigest(ref.BundleDigest)+", settings "+shortDigest(ref.SettingsDigest))
	}
	return strings.Join(all, "; ")
}

// without returns what of a is not in b.
func without(a, b []string) []string {
	return slices.DeleteFunc(slices.Clone(a), func(s string) bool { return slices.Contains(b, s) })
}

// WriteDifferences lists differences, a line each.
func WriteDifferences(w io.Writer, list []Difference, opt Options) error {
	p := page{w: w, opt: opt}
	var b bytes.Buffer
	for _, d := range list {
		line := fmt.Sprintf("%s: %s → %s", Printable(d.What), p.said(d.What, d.Before, d.ReasonsBefore), p.said(d.What, d.After, d.ReasonsAfter))
		p.wrap(&b, "    ", "      ", line)
	}
	return write(w, b.Bytes())
}

// said is one side of a difference.
func (p *page) said(what, value string, reasons []string) string {
	switch {
	case value == "":
		return "nothing"
	case what == "policy":
		return Printable(value)
	}
	return p.token(value, because(label(value), reasons))
}
