package report

import (
	"bytes"
	"fmt"
	"slices"
	"strings"

	"github.com/changevouch/changevouch/engine"
)

// Modes of a gate: what a decision against a change does.
const (
	ModeObserve = "observe" // says what it sees
	ModeWarn    = "warn"    // warns of what would be stopped
	ModeEnforce = "enforce" // stops it
)

// Modes lists them, the mildest first.
func Modes() []string { return []string{ModeObserve, ModeWarn, ModeEnforce} }

// GateReport is an answer of a gate as it is shown.
type GateReport struct {
	Mode    string
	About   string // what was asked about
	Ahead   bool   // the decisions are on what would be if it went ahead, not on what is
	Outcome string
	// Decisions, with their dossiers where they are at hand.
	Decisions []Judgement
	Problems  []string // what could not be judged
	Link      string   // where more is to be read; empty for nowhere
}

// Opens tells whether the gate lets through what it was asked about: what is compliant
// and what owes something only later, but not what fails and not what nobody knows. In
// the modes that stop nothing it lets everything through.
func (g GateReport) Opens() bool { return g.Mode == ModeObserve || g.Mode == ModeWarn || g.Sound() }

// Sound is Opens as it would be if the gate stopped anything.
func (g GateReport) Sound() bool {
	switch g.Outcome {
	case engine.OutcomeCompliant, engine.OutcomeCompliantWithWaiver, engine.OutcomeOutOfScope, engine.OutcomePending:
		return len(g.Problems) == 0
	}
	return false
}

// Conclusion is that of a check run. One that needs somebody to act has a place that
// says more; GitHub lets a merge pass that is neutral.
func (g GateReport) Conclusion() string {
	switch {
	case g.Sound() && g.Outcome == engine.OutcomePending && !g.Ahead:
		return "neutral"
	case g.Sound():
		return "success"
	case g.Opens():
		return "neutral"
	case g.Outcome == engine.OutcomeNonCompliant || g.Link == "":
		return "failure"
	}
	return "action_required"
}

// Title is one line: the verdict and the controls that decide it.
func (g GateReport) Title() string {
	var controls []string
	for _, j := range g.Decisions {
		for _, f := range byWeight(j.Decision.Findings) {
			if blocks(f) && !slices.Contains(controls, f.Control) {
				controls = append(controls, f.Control)
			}
		}
	}
	title := label(g.Outcome)
	switch {
	case g.Sound() && g.Ahead && g.Outcome == engine.OutcomePending:
		title = "may go ahead, and owes something afterwards"
	case g.Sound() && g.Ahead:
		title = "may go ahead: " + title
	case !g.Sound() && len(controls) > 0:
		title += ": " + Printable(strings.Join(controls, ", "))
	case !g.Sound() && len(g.Problems) > 0:
		title += ": could not be judged"
	}
	if g.Opens() && !g.Sound() {
		title += " (" + g.Mode + " only, nothing is stopped)"
	}
	return title
}

// blocks reports whether a finding keeps a gate shut.
func blocks(f engine.Finding) bool {
	switch f.Status {
	case engine.StatusPass, engine.StatusNotApplicable, engine.StatusWaived, engine.StatusPending:
		return false
	}
	return true
}

// Markdown is the report for a check run or a job summary, at most limit bytes: what is
// missing, who can provide it, and by when. What does not fit is counted.
func (g GateReport) Markdown(limit int) string {
	var b bytes.Buffer
	fmt.Fprintf(&b, "**%s**\n\n", markdownText(capital(g.Title())))
	if g.Ahead {
		fmt.Fprintf(&b, "Judged as if %s went ahead now; nothing has happened yet.\n\n", markdownText(g.About))
	}
	for _, problem := range g.Problems {
		fmt.Fprintf(&b, "- Could not be judged: %s\n", markdownText(problem))
	}
	if len(g.Problems) > 0 {
		b.WriteString("\n")
	}
	tail := g.tail()
	var rows []string
	for _, j := range g.Decisions {
		for _, f := range byWeight(j.Decision.Findings) {
			if open(f) {
				rows = append(rows, g.row(j.Decision, f))
			}
		}
	}
	if len(rows) > 0 {
		head := "| | Control | What is missing | Who can provide it, and how | Due |\n| --- | --- | --- | --- | --- |\n"
		b.WriteString(head)
		room := limit - b.Len() - len(tail) - 100
		shown := 0
		for _, row := range rows {
			if room -= len(row); room < 0 {
				break
			}
			b.WriteString(row)
			shown++
		}
		if left := len(rows) - shown; left > 0 {
			fmt.Fprintf(&b, "\n%s more: see the decision.\n", plural(left, "finding"))
		}
		b.WriteString("\n")
	}
	b.WriteString(tail)
	return b.String()
}

// JobSummary is Markdown below a heading, as a step of a workflow adds it to the summary
// of its run.
func (g GateReport) JobSummary(verdict, note string, limit int) string {
	head := fmt.Sprintf("## Changevouch: %s, %s\n\n", markdownText(g.About), markdownText(verdict))
	foot := "\n"
	if note != "" {
		foot = "\n" + markdownText(note) + "\n\n"
	}
	return head + g.Markdown(limit-len(head)-len(foot)) + foot
}

func (g GateReport) row(d engine.Decision, f engine.Finding) string {
	message := f.Message
	if len(g.Decisions) > 1 {
		message = d.Subject.ID + ": " + message
	}
	if w := f.Waiver; w != nil {
		message += fmt.Sprintf(" Waiver %s, approved by %s, expires %s.", w.ID, w.ApprovedBy, w.ExpiresAt)
	}
	todo := f.Remediation
	if f.Status == engine.StatusWaived {
		todo = ""
	}
	return fmt.Sprintf("| %s %s | %s %s | %s | %s | %s |\n", symbol(f.Status), markdownText(label(f.Status)),
		markdownText(f.Control), markdownText(f.Title), markdownText(shorten(message, 1500)), markdownText(shorten(todo, 1000)), markdownText(f.DueAt))
}

// tail says what passed, and what judged.
func (g GateReport) tail() string {
	var b bytes.Buffer
	var p page
	passed := 0
	for _, j := range g.Decisions {
		p.note(j.Decision)
		for _, f := range j.Decision.Findings {
			if f.Status == engine.StatusPass {
				passed++
			}
		}
	}
	if len(g.Decisions) > 0 {
		d := g.Decisions[0].Decision
		verb := " hold"
		if passed == 1 {
			verb = " holds"
		}
		fmt.Fprintf(&b, "%s%s. Class %s, risk %s, judged as of %s.\n", plural(passed, "control"), verb, markdownText(class(d.Classification)), markdownText(d.Risk.Level), markdownText(d.EvaluatedAt))
	}
	for i, line := range p.bundles {
		if i < 3 {
			fmt.Fprintf(&b, "\nPolicy %s\n", markdownText(shorten(line, 300)))
		}
	}
	if g.Link != "" {
		fmt.Fprintf(&b, "\n[All decisions on it](<%s>)\n", strings.NewReplacer("<", "%3C", ">", "%3E", "\n", "").Replace(g.Link))
	}
	return b.String()
}

func capital(s string) string {
	if s == "" {
		return s
	}
	return strings.ToUpper(s[:1]) + s[1:]
}

// Remark is a remark on a file of a change.
type Remark struct {
	Path    string
	Level   string // failure, warning, notice
	Title   string
	Message string
}

// Remarks are the open findings whose evidence is a changed file.
func (g GateReport) Remarks() []Remark {
	var out []Remark
	for _, j := range g.Decisions {
		for _, f := range byWeight(j.Decision.Findings) {
			path := changedFile(j.Dossier, f.Evidence)
			if !open(f) || path == "" {
				continue
			}
			level := strings.ReplaceAll(annotationLevel(f.Status), "error", "failure")
			if g.Mode == ModeObserve {
				level = "notice"
			}
			out = append(out, Remark{Path: path, Level: level, Title: strings.TrimSpace(Printable(f.Control) + " " + Printable(f.Title)), Message: Printable(strings.TrimSpace(f.Message + " " + f.Remediation))})
		}
	}
	return out
}
