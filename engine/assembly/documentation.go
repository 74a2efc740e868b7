package assembly

import (
	"regexp"
	"slices"
	"strings"

	"github.com/changevouch/changevouch/engine"
)

// headings are the usual headings of each part of a description, in lower case.
// A directory may add to them.
var headings = map[string][]string{
	"description":  {"description", "summary", "what", "what changed", "what does this change", "what and why", "change", "changes", "why"},
	"risk":         {"risk", "risks", "risk assessment", "risk and impact", "impact"},
	"availability": {"availability", "availability risk", "risk: availability", "risk (availability)"},
	"security":     {"security", "security risk", "risk: security", "risk (security)"},
	"data":         {"data", "data risk", "data sensitivity", "privacy", "data protection", "risk: data", "risk (data)"},
	"rollback":     {"rollback", "roll back", "rollback plan", "rollback considerations", "backout", "backout plan", "how to roll back"},
	"type":         {"change type", "type of change", "type", "declared type"},
	"risk_level":   {"risk level", "declared risk", "overall risk"},
}

var (
	comment  = regexp.MustCompile(`(?s)<!--.*?(?:-->|$)`)
	heading  = regexp.MustCompile(`^ {0,3}(#{1,6})\s+(.*?)\s*#*\s*$`)
	boldLine = regexp.MustCompile(`^\s*(?:\*\*|__)([^*_]{1,60}?):?(?:\*\*|__):?\s*$`)
	field    = regexp.MustCompile(`^\s*(?:[-*+]\s+|\|\s*)?(?:\[[ xX]\]\s+)?(?:\*\*|__)?([A-Za-z][A-Za-z ()/&-]{1,40}?)(?:\*\*|__)?\s*(?::|\|)\s*(?:\*\*|__)?\s*(.*?)\s*\|?\s*$`)
	unticked = regexp.MustCompile(`^\s*[-*+]\s+\[ \]`)
	ticked   = regexp.MustCompile(`^\s*[-*+]\s+\[[xX]\]\s*`)
	rule     = regexp.MustCompile(`^\s*(?:-{3,}|\*{3,}|_{3,}|\|?[\s:|-]+\|)\s*$`)
)

// described is a pull-request body taken apart.
type described struct {
	doc       engine.Documentation
	kind      string // what the type field says
	riskLevel string
}

// describe takes a body apart by its headings. Comments, _No response_, unticked
// boxes and lines of the template are no content. raw keeps the text as written.
func (d Documentation) describe(body string) described {
	out := described{doc: engine.Documentation{Raw: body}}
	text := comment.ReplaceAllString(strings.ReplaceAll(body, "\r\n", "\n"), "")
	boiler := map[string]bool{}
	for line := range strings.Lines(comment.ReplaceAllString(d.Template, "")) {
		boiler[strings.TrimSpace(line)] = true
	}
	parts, other, part := map[string][]string{}, []string{}, "preface"
	for line := range strings.Lines(text) {
		line = strings.TrimRight(line, "\r\n")
		if name, isHeading := headingOf(line); isHeading {
			part = d.part(name, part)
			continue
		}
		if skip := strings.TrimSpace(line); skip == "" || boiler[skip] || skip == "_No response_" || rule.MatchString(line) || unticked.MatchString(line) {
			continue
		}
		if name, value, isField := d.field(line, part); isField {
			if value != "" && !boiler[value] {
				parts[name] = append(parts[name], value)
			}
			continue
		}
		line = ticked.ReplaceAllString(line, "")
		if part == "other" {
			other = append(other, line)
		}
		parts[part] = append(parts[part], line)
	}
	join := func(lines []string) string { return strings.TrimSpace(strings.Join(lines, "\n")) }
	out.doc.Description = join(parts["description"])
	if out.doc.Description == "" {
		out.doc.Description = join(parts["preface"])
	}
	if out.doc.Description == "" {
		out.doc.Description = join(other)
	}
	risk := engine.RiskText{Availability: join(parts["availability"]), Security: join(parts["security"]), Data: join(parts["data"])}
	if risk != (engine.RiskText{}) {
		out.doc.Risk = &risk
	}
	out.doc.Rollback = join(parts["rollback"])
	out.kind, out.riskLevel = join(parts["type"]), join(parts["risk_level"])
	return out
}

func headingOf(line string) (string, bool) {
	if m := heading.FindStringSubmatch(line); m != nil {
		return m[2], true
	}
	if m := boldLine.FindStringSubmatch(line); m != nil {
		return m[1], true
	}
	return "", false
}

// part names the part that a heading opens. Inside the risk part a heading may
// also be one of the axes.
func (d Documentation) part(name, inside string) string {
	name = strings.ToLower(strings.Trim(name, " :*_?."))
	for _, part := range sortedKeys(headings) {
		if slices.Contains(headings[part], name) || slices.ContainsFunc(d.Headings[part], func(h string) bool { return strings.EqualFold(h, name) }) {
			return part
		}
	}
	if inside == "risk" || axes[inside] {
		for _, axis := range sortedKeys(axes) {
			if strings.HasPrefix(name, axis) {
				return axis
			}
		}
	}
	return "other"
}

var axes = map[string]bool{"availability": true, "data": true, "security": true}

// field reads "Availability: low", as a line, list item or table row. Anywhere
// else than under Risk only the declared type and the risk level are fields.
func (d Documentation) field(line, inside string) (part, value string, ok bool) {
	m := field.FindStringSubmatch(line)
	if m == nil {
		return "", "", false
	}
	part = d.part(m[1], inside)
	switch {
	case axes[part] && (inside == "risk" || axes[inside]):
	case part == "risk_level" || (part == "type" && inside != "description"):
	case part == "rollback" && inside == "risk":
	default:
		return "", "", false
	}
	if m[2] == "_No response_" {
		m[2] = ""
	}
	return part, m[2], true
}

// word finds the one of the words that a declaration names; "" when it names none
// or contradicts itself.
func word(text string, words ...string) string {
	found := ""
	for _, w := range words {
		if regexp.MustCompile(`(?i)\b` + w + `\b`).MatchString(text) {
			if found != "" {
				return ""
			}
			found = w
		}
	}
	return found
}
