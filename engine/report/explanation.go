package report

import (
	"bytes"
	"fmt"
	"strings"

	"github.com/changevouch/changevouch/engine"
)

// explanation writes each decision control by control.
type explanation struct{ page }

func (e *explanation) Add(j Judgement) error {
	e.note(j.Decision)
	var b bytes.Buffer
	e.heading(&b, j)
	for _, f := range byWeight(j.Decision.Findings) {
		e.finding(&b, f, j.Dossier)
	}
	if len(j.Decision.Findings) > 0 {
		b.WriteString("\n")
	}
	e.observations(&b, j)
	e.unevaluated(&b, j.Decision.Unevaluated)
	return write(e.w, b.Bytes())
}

func (e *explanation) End(s Summary) error { return e.footer(s) }

func (e *explanation) heading(b *bytes.Buffer, j Judgement) {
	d := j.Decision
	subject := label(d.Subject.Type) + " " + Printable(d.Subject.ID)
	fmt.Fprintf(b, "%s  %s\n", e.token(d.Outcome, symbol(d.Outcome)+" "+label(d.Outcome)), e.bold(subject))
	if h := headline(j.Dossier); h != "" {
		e.line(b, "what", h)
	}
	e.line(b, "class", because(class(d.Classification), d.Classification.Reasons))
	if len(d.Classification.Scopes) > 0 {
		e.line(b, "scopes", Printable(strings.Join(d.Classification.Scopes, ", ")))
	}
	level := Printable(d.Risk.Level)
	if d.Risk.Declared != "" && d.Risk.Declared != d.Risk.Level {
		level += ", declared " + Printable(d.Risk.Declared)
	}
	e.line(b, "risk", because(level, d.Risk.Reasons))
	if p := d.Parties; p != nil {
		e.line(b, "people", fmt.Sprintf("wrote: %s; approved: %s; deployed: %s", persons(p.Authors), persons(p.Approvers), persons(p.Deployers)))
	}
	e.line(b, "judged", Printable("as of "+d.EvaluatedAt))
	if d.NextEvaluationAt != "" {
		e.line(b, "next", Printable("may change by itself at "+d.NextEvaluationAt))
	}
	e.line(b, "decision", Printable(d.ID))
	b.WriteString("\n")
}

func because(what string, reasons []string) string {
	if len(reasons) == 0 {
		return what
	}
	return what + ": " + Printable(strings.Join(reasons, ", "))
}

func (e *explanation) line(b *bytes.Buffer, name, s string) {
	e.wrap(b, fmt.Sprintf("  %-9s ", name), strings.Repeat(" ", 12), s)
}

func (e *explanation) finding(b *bytes.Buffer, f engine.Finding, dossier []byte) {
	title := strings.TrimSpace(Printable(f.Control) + "  " + Printable(f.Title))
	status := e.token(f.Status, fmt.Sprintf("%s %-14s", symbol(f.Status), label(f.Status)))
	e.wrap(b, "  "+status+" ", strings.Repeat(" ", 19), title)
	if f.Message != "" {
		e.wrap(b, "      ", "      ", Printable(f.Message))
	}
	if f.Status == engine.StatusNotApplicable {
		return
	}
	var facts []string
	if f.Clause != "" {
		facts = append(facts, "clause "+Printable(f.Clause))
	}
	if f.Severity != "" {
		facts = append(facts, "severity "+Printable(f.Severity))
	}
	if len(f.Aliases) > 0 {
		facts = append(facts, "also "+Printable(strings.Join(f.Aliases, ", ")))
	}
	if len(facts) > 0 {
		e.detail(b, "policy", strings.Join(facts, ", "))
	}
	if len(f.Reasons) > 0 {
		e.detail(b, "reasons", Printable(strings.Join(f.Reasons, ", ")))
	}
	e.evidence(b, f.Evidence, dossier)
	if f.DecisiveAt != "" {
		e.detail(b, "decided", Printable("by what held at "+f.DecisiveAt))
	}
	if f.DueAt != "" {
		e.detail(b, "due", Printable(f.DueAt))
	}
	if w := f.Waiver; w != nil {
		s := fmt.Sprintf("%s, approved by %s, expires %s", w.ID, w.ApprovedBy, w.ExpiresAt)
		if w.Reason != "" {
			s += ": " + w.Reason
		}
		e.detail(b, "waiver", Printable(s))
	}
	if f.Remediation != "" && open(f) {
		e.detail(b, "to do", Printable(f.Remediation))
	}
}

func (e *explanation) detail(b *bytes.Buffer, name, s string) {
	e.wrap(b, "      "+e.paint(dim, fmt.Sprintf("%-9s", name))+" ", strings.Repeat(" ", 16), s)
}

// evidence lists pointers with the facts they point to.
func (e *explanation) evidence(b *bytes.Buffer, pointers []string, dossier []byte) {
	for i, pointer := range pointers {
		name := "evidence"
		if i > 0 {
			name = ""
		}
		s := Printable(pointer)
		if dossier != nil {
			fact, ok := Fact(dossier, pointer)
			if !ok {
				fact = "(not in the dossier)"
			}
			s += " = " + shorten(fact, 160)
		}
		e.detail(b, name, s)
	}
}

func (e *explanation) observations(b *bytes.Buffer, j Judgement) {
	if len(j.Decision.Observations) == 0 {
		return
	}
	b.WriteString("  " + e.bold("Worth knowing") + " (changes no outcome)\n")
	for _, o := range j.Decision.Observations {
		s := Printable(strings.TrimSpace(o.Control + " " + o.Reason))
		e.wrap(b, "    ", "      ", s+": "+Printable(o.Message))
		e.evidence(b, o.Evidence, j.Dossier)
	}
	b.WriteString("\n")
}

func (e *explanation) unevaluated(b *bytes.Buffer, controls []engine.Unevaluated) {
	if len(controls) == 0 {
		return
	}
	b.WriteString("  " + e.bold("No rule in this bundle") + " (nothing is said about these controls)\n")
	for _, u := range controls {
		e.wrap(b, "    ", "      ", because(Printable(u.Control), []string{u.Reason}))
	}
	b.WriteString("\n")
}
