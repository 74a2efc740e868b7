package assembly

import (
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/changevouch/changevouch/engine"
)

// bodyAt finds the description in force at an instant. proven is false when the
// evidence does not exclude an edit on the wrong side of it.
//
// In this order: the state that a merge delivery carried; a later snapshot whose
// edit history ends before the instant; the text that the first later edit
// replaced; the last snapshot before, which a later one of the same text proves;
// a later snapshot alone, which proves nothing.
func (a *assembler) bodyAt(p *pull, at time.Time) (body string, known, proven bool) {
	var before, after *engine.PullRequestFact
	for _, f := range p.snapshots {
		d := f.Data
		switch {
		case f.Type == "change.merged" && complete(f):
			return d.Body, true, true
		case !complete(f) && f.Type != "change.created":
		case f.Type == "change.created" && d.Body == "":
		case !f.OccurredAt.After(at):
			before = &d
		default:
			if d.BodyEditedAt != nil && !d.BodyEditedAt.After(at) {
				return d.Body, true, true
			}
			if d.Action == "edited" && d.BodyBefore != "" {
				return d.BodyBefore, true, true
			}
			if after == nil {
				after = &d
			}
		}
	}
	never := a.readFact("github", "body_history", p.repository, p.number)
	switch {
	case after != nil && never && after.BodyEditedAt == nil:
		return after.Body, true, true
	case before != nil && (p.mergedAt == nil || after == nil || after.Body == before.Body):
		return before.Body, true, true
	case before != nil:
		return before.Body, true, false
	case after != nil:
		return after.Body, true, false
	}
	return "", false, false
}

// documentation is the body in force when the pull request was merged.
func (a *assembler) documentation(p *pull) string {
	body, _, _ := a.bodyAt(p, a.closing(p))
	return body
}

// body fills the description as of the merge.
func (a *assembler) body(p *pull, out *engine.PullRequest, d *draft) {
	for _, f := range p.snapshots {
		out.BodyEditedAt = later(out.BodyEditedAt, utc(f.Data.BodyEditedAt))
		if f.Data.Action == "edited" && f.Data.BodyBefore != "" {
			out.BodyEditedAt = later(out.BodyEditedAt, ptr(f.OccurredAt))
		}
	}
	body, known, proven := a.bodyAt(p, a.closing(p))
	if !known {
		d.scope.miss("github", "body", "the description of "+p.key+" was not read")
		return
	}
	doc := a.dir.Documentation.describe(body).doc
	out.BodyAtMerge = &doc
	if !proven {
		d.scope.miss("github", "body_history", "whether the description of "+p.key+" was edited after the merge is not known")
	}
}

var (
	typeTrailer = regexp.MustCompile(`(?mi)^Change-Type:\s*(\w+)\s*$`)
	riskTrailer = regexp.MustCompile(`(?mi)^(?:Change-)?Risk:\s*(\w+)\s*$`)
	types       = []string{"standard", "normal", "emergency"}
	risks       = []string{"low", "medium", "high"}
)

// declare states what the change claims to be: by label, else by a field of its
// description, else by a commit trailer. Claims that contradict each other make
// it normal. Later labels and edits are no declaration.
func (a *assembler) declare(p *pull, shas []string, d *draft) {
	out := engine.Declared{}
	if p != nil {
		var kinds []string
		for _, label := range a.labels(p) {
			name, value, _ := strings.Cut(strings.ToLower(label), ":")
			value = strings.TrimSpace(value)
			switch {
			case name == "change" && slices.Contains(types, value):
				kinds = append(kinds, value)
				out.At = later(out.At, a.labelled(p, label))
			case name == "risk" && slices.Contains(risks, value):
				out.Risk = higher(out.Risk, value)
			}
		}
		out.Type = agreed(kinds)
		if out.Type != "" {
			out.Source = "label"
		}
		body := a.dir.Documentation.describe(a.documentation(p))
		if kind := word(body.kind, types...); out.Type == "" && kind != "" {
			out.Type, out.Source = kind, "pull request"
		}
		out.Risk = higher(out.Risk, word(body.riskLevel, risks...))
	}
	var kinds []string
	for _, sha := range shas {
		c := a.commits[sha].Data
		if m := typeTrailer.FindStringSubmatch(c.Message); m != nil && slices.Contains(types, strings.ToLower(m[1])) {
			kinds = append(kinds, strings.ToLower(m[1]))
		}
		if m := riskTrailer.FindStringSubmatch(c.Message); m != nil && slices.Contains(risks, strings.ToLower(m[1])) {
			out.Risk = higher(out.Risk, strings.ToLower(m[1]))
		}
	}
	if kind := agreed(kinds); out.Type == "" && kind != "" {
		out.Type, out.Source = kind, "commit trailer"
	}
	if out != (engine.Declared{}) {
		d.change.Declared = &out
	}
}

// agreed is the one type that all claims name; contradictory claims make none of
// the lenient ones.
func agreed(kinds []string) string {
	slices.Sort(kinds)
	kinds = slices.Compact(kinds)
	switch len(kinds) {
	case 0:
		return ""
	case 1:
		return kinds[0]
	}
	return "normal"
}

func higher(a, b string) string {
	if slices.Index(risks, b) > slices.Index(risks, a) {
		return b
	}
	return a
}

// labelled is when a label was last put on before the merge, where that is known.
func (a *assembler) labelled(p *pull, label string) *time.Time {
	var out *time.Time
	for _, n := range a.notes[p.key] {
		if n.Data.Kind == "labeled" && n.Data.Label == label && !n.OccurredAt.After(a.closing(p)) {
			out = ptr(n.OccurredAt)
		}
	}
	return out
}
