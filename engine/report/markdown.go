package report

import (
	"bytes"
	"fmt"
	"io"
	"strings"
)

// markdown writes a table in GitHub's dialect and, when asked to explain, the
// findings of each decision below a heading of its own. The counts come last,
// since they are known last.
type markdown struct {
	w    io.Writer
	opt  Options
	page page
	any  bool
}

func (m *markdown) Add(j Judgement) error {
	m.page.note(j.Decision)
	var b bytes.Buffer
	if m.opt.Explain {
		m.section(&b, j)
	} else {
		m.row(&b, j)
	}
	m.any = true
	return write(m.w, b.Bytes())
}

func (m *markdown) End(s Summary) error {
	var b bytes.Buffer
	if m.any && !m.opt.Explain {
		b.WriteString("\n")
	}
	fmt.Fprintf(&b, "**%s**\n", markdownText(s.String()))
	if len(m.page.silent) > 0 {
		fmt.Fprintf(&b, "\nNo rule in this bundle, so nothing is said about: %s\n", markdownText(strings.Join(m.page.silent, ", ")))
	}
	for _, line := range m.page.bundles {
		fmt.Fprintf(&b, "\nPolicy %s\n", markdownText(line))
	}
	return write(m.w, b.Bytes())
}

func (m *markdown) row(b *bytes.Buffer, j Judgement) {
	if !m.any {
		b.WriteString("| Outcome | Class | Risk | Subject | Wrote | Approved | Deployed | Why |\n")
		b.WriteString("| --- | --- | --- | --- | --- | --- | --- | --- |\n")
	}
	d := j.Decision
	subject := markdownText(d.Subject.ID)
	if d.Subject.Type != "change" {
		subject = markdownText(label(d.Subject.Type)) + " " + subject
	}
	if h := headline(j.Dossier); h != "" {
		subject += "<br>" + markdownText(shorten(h, 80))
	}
	var wrote, approved, deployed string
	if p := d.Parties; p != nil {
		wrote, approved, deployed = persons(p.Authors), persons(p.Approvers), persons(p.Deployers)
	}
	var why []string
	for _, f := range byWeight(d.Findings) {
		if open(f) {
			why = append(why, symbol(f.Status)+" "+markdownText(strings.TrimSpace(f.Control+" "+strings.Join(f.Reasons, ", "))))
		}
	}
	fmt.Fprintf(b, "| %s %s | %s | %s | %s | %s | %s | %s | %s |\n",
		symbol(d.Outcome), markdownText(label(d.Outcome)), markdownText(class(d.Classification)),
		markdownText(d.Risk.Level), subject, markdownText(wrote), markdownText(approved), markdownText(deployed), strings.Join(why, "<br>"))
}

func (m *markdown) section(b *bytes.Buffer, j Judgement) {
	d := j.Decision
	fmt.Fprintf(b, "## %s %s: %s\n\n", symbol(d.Outcome), markdownText(d.Subject.ID), markdownText(label(d.Outcome)))
	if h := headline(j.Dossier); h != "" {
		fmt.Fprintf(b, "%s\n\n", markdownText(h))
	}
	fmt.Fprintf(b, "Class %s, risk %s, judged as of %s.\n\n",
		markdownText(class(d.Classification)), markdownText(d.Risk.Level), markdownText(d.EvaluatedAt))
	b.WriteString("| Status | Control | Clause | What was found | Reasons | Due | To do |\n| --- | --- | --- | --- | --- | --- | --- |\n")
	for _, f := range byWeight(d.Findings) {
		todo := ""
		if open(f) {
			todo = f.Remediation
		}
		message := f.Message
		if w := f.Waiver; w != nil {
			message += fmt.Sprintf(" Waiver %s, approved by %s, expires %s.", w.ID, w.ApprovedBy, w.ExpiresAt)
		}
		fmt.Fprintf(b, "| %s %s | %s %s | %s | %s | %s | %s | %s |\n",
			symbol(f.Status), markdownText(label(f.Status)), markdownText(f.Control), markdownText(f.Title), markdownText(f.Clause),
			markdownText(message), markdownText(strings.Join(f.Reasons, ", ")), markdownText(f.DueAt), markdownText(todo))
	}
	b.WriteString("\n")
	for _, o := range d.Observations {
		fmt.Fprintf(b, "- Worth knowing, changes no outcome: %s: %s\n", markdownText(o.Reason), markdownText(o.Message))
	}
	for _, u := range d.Unevaluated {
		fmt.Fprintf(b, "- %s: no rule in this bundle, nothing is said about it\n", markdownText(u.Control))
	}
	if len(d.Observations)+len(d.Unevaluated) > 0 {
		b.WriteString("\n")
	}
}

// markdownText makes foreign text a plain run of characters: no markup, HTML,
// link, mention of a person or end of a table cell.
func markdownText(s string) string {
	var b strings.Builder
	for _, r := range Printable(s) {
		switch r {
		case '\\', '`', '*', '_', '{', '}', '[', ']', '(', ')', '#', '+', '!', '|', '~', '$':
			b.WriteRune('\\')
			b.WriteRune(r)
		case '<':
			b.WriteString("&lt;")
		case '>':
			b.WriteString("&gt;")
		case '&':
			b.WriteString("&amp;")
		case '@':
			b.WriteString("@<!-- -->")
		default:
			b.WriteRune(r)
		}
	}
	return b.String()
}
