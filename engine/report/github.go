package report

import (
	"bytes"
	"fmt"
	"io"
	"strings"

	"github.com/changevouch/changevouch/engine"
)

// workflow writes workflow commands, by which a step of GitHub Actions annotates its
// run (https://docs.github.com/en/actions/reference/workflow-commands-for-github-actions):
// an error for each finding that failed, a warning for one that is unknown, a notice for
// one that is pending or waived. Lines that are no commands tell what is counted.
type workflow struct {
	w    io.Writer
	mode string
	told map[string]int // annotations by level
}

// maxOfLevel is how many annotations of one level GitHub shows of one step.
const maxOfLevel = 10

func (g *workflow) Add(j Judgement) error {
	var b bytes.Buffer
	d := j.Decision
	fmt.Fprintf(&b, "%s %s: %s\n", symbol(d.Outcome), Printable(d.Subject.ID), label(d.Outcome))
	for _, f := range byWeight(d.Findings) {
		if !open(f) {
			continue
		}
		level := g.level(annotationLevel(f.Status))
		title := strings.TrimSpace(Printable(d.Subject.ID) + ": " + Printable(f.Control) + " " + Printable(f.Title))
		message := label(f.Status) + ": " + Printable(f.Message)
		if f.Remediation != "" && f.Status != engine.StatusWaived {
			message += " To do: " + Printable(f.Remediation)
		}
		if w := f.Waiver; w != nil {
			message += Printable(fmt.Sprintf(" Waiver %s, approved by %s, expires %s.", w.ID, w.ApprovedBy, w.ExpiresAt))
		}
		if g.told[level]++; g.told[level] > maxOfLevel-1 {
			// A log line, and not a command that GitHub would drop without a word.
			fmt.Fprintf(&b, "  %s: %s: %s\n", level, title, message)
			continue
		}
		properties := "title=" + commandProperty(title)
		if path := changedFile(j.Dossier, f.Evidence); path != "" {
			properties = "file=" + commandProperty(path) + "," + properties
		}
		fmt.Fprintf(&b, "::%s %s::%s\n", level, properties, commandData(message))
	}
	return write(g.w, b.Bytes())
}

// level is the one at which a gate that stops nothing says it.
func (g *workflow) level(level string) string {
	switch {
	case g.mode == ModeObserve:
		return "notice"
	case g.mode == ModeWarn && level == "error":
		return "warning"
	}
	return level
}

func annotationLevel(status string) string {
	switch status {
	case engine.StatusFail:
		return "error"
	case engine.StatusPending, engine.StatusWaived:
		return "notice"
	default:
		return "warning"
	}
}

func (g *workflow) End(s Summary) error {
	var b bytes.Buffer
	for _, level := range []string{"error", "warning", "notice"} {
		if more := g.told[level] - (maxOfLevel - 1); more > 0 {
			fmt.Fprintf(&b, "::%s title=Changevouch::%s\n", level, commandData(fmt.Sprintf("%d more of this kind: see the log of this step", more)))
		}
	}
	if s.Undecided > 0 {
		fmt.Fprintf(&b, "::%s title=Changevouch::%s\n", g.level("error"), commandData(plural(s.Undecided, "dossier")+" could not be decided"))
	}
	fmt.Fprintf(&b, "%s\n", Printable(s.String()))
	return write(g.w, b.Bytes())
}

// commandData and commandProperty escape text as the runner reads it back
// (actions/toolkit, packages/core/src/command.ts).
func commandData(s string) string {
	return strings.NewReplacer("%", "%25", "\r", "%0D", "\n", "%0A").Replace(s)
}

func commandProperty(s string) string {
	return strings.NewReplacer("%", "%25", "\r", "%0D", "\n", "%0A", ":", "%3A", ",", "%2C").Replace(s)
}
