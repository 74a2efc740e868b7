package git

import (
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/changevouch/changevouch/collectors"
	"github.com/changevouch/changevouch/engine"
)

// Forms are the labels and headings by which an organisation's issues say what
// they are. Keys are compared in lower case with everything but letters and
// digits turned to single spaces.
type Forms struct {
	Kinds    map[string]string // label or issue type → kind of the record
	Headings map[string]string // heading → section
}

// kindOrder settles which kind counts when several labels name one: the record
// that follows an incident often carries the label of the incident, too.
var kindOrder = []string{"post_incident_review", "retrospective_review", "access_review", "policy_review",
	"waiver", "access_request", "change_request", "alert", "incident"}

// DefaultForms are the names of the kinds themselves and their usual synonyms.
func DefaultForms() Forms {
	return Forms{
		Kinds: map[string]string{
			"incident": "incident", "outage": "incident",
			"post incident review": "post_incident_review", "postmortem": "post_incident_review", "post mortem": "post_incident_review",
			"retrospective review": "retrospective_review", "emergency review": "retrospective_review",
			"change request": "change_request", "access request": "access_request", "access review": "access_review",
			"waiver": "waiver", "risk acceptance": "waiver", "policy review": "policy_review", "alert": "alert",
		},
		Headings: map[string]string{
			"description": "description", "summary": "description", "what happened": "description",
			"risk": "risk", "risk assessment": "risk",
			"risk availability": "risk_availability", "availability": "risk_availability", "availability risk": "risk_availability",
			"risk security": "risk_security", "security": "risk_security", "security risk": "risk_security",
			"risk data": "risk_data", "data": "risk_data", "data risk": "risk_data",
			"rollback": "rollback", "rollback plan": "rollback", "severity": "severity",
			"affected components": "affected_components", "started at": "started_at", "resolved at": "resolved_at",
			"root cause": "root_cause", "actions taken": "actions_taken", "preventive controls": "preventive_controls",
			"decision": "decision", "limited to the issue": "limited_to_issue", "limited to issue": "limited_to_issue",
			"reviewer": "reviewer", "completed at": "completed_at", "commits": "commits", "commit": "commits",
			"pull request": "pull_request", "requested by": "requested_by", "beneficiary": "beneficiary",
			"expires at": "expires_at", "environment": "environment", "service": "service", "subject": "subject",
		},
	}
}

var (
	comment      = regexp.MustCompile(`(?s)<!--.*?(?:-->|$)`)
	heading      = regexp.MustCompile(`^ {0,3}#{1,6}[ \t]+(.*?)[ \t]*#*[ \t]*$`)
	fence        = regexp.MustCompile("^ {0,3}(```+|~~~+)")
	words        = regexp.MustCompile(`[^\p{L}\p{N}]+`)
	noAnswer     = regexp.MustCompile(`(?m)^[ \t]*_No response_[ \t]*$`)
	riskLine     = regexp.MustCompile(`(?i)^[\s>*+-]*[*_]*(availability|security|data)[*_]*\s*[:–—-]\s*[*_]*\s*(.*)$`)
	checkbox     = regexp.MustCompile(`^\s*[-*+]\s+\[([ xX])\]\s*(.*)$`)
	fullSHA      = regexp.MustCompile(`\b[0-9a-f]{40}(?:[0-9a-f]{24})?\b`)
	pullAddress  = regexp.MustCompile(`https?://[^/\s]+/([\w.-]+/[\w.-]+)/pull/(\d{1,9})\b`)
	issueAddress = regexp.MustCompile(`https?://[^/\s]+/([\w.-]+/[\w.-]+)/issues/(\d{1,9})\b`)
	reference    = regexp.MustCompile(`(?:^|[\s(\[,;:])((?:[\w.-]+/[\w.-]+)?)#(\d{1,9})\b`)
)

// plain is s in lower case, with single spaces for everything but letters and
// digits.
func plain(s string) string {
	return strings.TrimSpace(words.ReplaceAllString(strings.ToLower(s), " "))
}

// kind says what an issue records by its labels and type.
func (f Forms) kind(labels []string) string {
	found := map[string]bool{}
	for _, l := range labels {
		name := plain(l)
		for _, prefix := range []string{"", "type ", "kind "} {
			if kind, ok := f.Kinds[strings.TrimPrefix(name, prefix)]; ok {
				found[kind] = true
			}
		}
	}
	for _, kind := range kindOrder {
		if found[kind] {
			return kind
		}
	}
	for _, kind := range slices.Sorted(mapKeys(found)) {
		return kind // one of the organisation's own
	}
	return "issue"
}

func mapKeys(m map[string]bool) func(yield func(string) bool) {
	return func(yield func(string) bool) {
		for k := range m {
			if !yield(k) {
				return
			}
		}
	}
}

// content is what a person wrote: without template comments and unanswered
// questions of a form.
func content(s string) string {
	s = comment.ReplaceAllString(strings.ReplaceAll(s, "\r\n", "\n"), "")
	return strings.TrimSpace(noAnswer.ReplaceAllString(s, ""))
}

// sections splits a body at its headings and returns the non-empty texts by
// section name. Headings that Forms does not name keep their own words with
// underscores. Text before the first heading is the description where no
// heading says so. Headings inside code are none.
func (f Forms) sections(body string) map[string]string {
	all := map[string]string{}
	name, text := "", strings.Builder{}
	flush := func() {
		if s := content(text.String()); s != "" {
			if before, ok := all[name]; ok {
				s = before + "\n\n" + s
			}
			all[name] = s
		}
		text.Reset()
	}
	fenced := ""
	for line := range strings.SplitSeq(comment.ReplaceAllString(strings.ReplaceAll(body, "\r\n", "\n"), ""), "\n") {
		if mark := fence.FindStringSubmatch(line); mark != nil {
			switch {
			case fenced == "":
				fenced = mark[1]
			case strings.HasPrefix(mark[1], fenced):
				fenced = ""
			}
		} else if match := heading.FindStringSubmatch(line); match != nil && fenced == "" {
			flush()
			words := plain(match[1])
			if name = f.Headings[words]; name == "" {
				name = strings.ReplaceAll(words, " ", "_")
			}
			continue
		}
		text.WriteString(line + "\n")
	}
	flush()
	if lead, ok := all[""]; ok {
		delete(all, "")
		if all["description"] == "" {
			all["description"] = lead
		}
	}
	for key, text := range riskAxes(all["risk"]) {
		if all[key] == "" {
			all[key] = text
		}
	}
	return all
}

// riskAxes reads lines such as "- Security: none, no new input" in one section.
func riskAxes(text string) map[string]string {
	axes := map[string]string{}
	for line := range strings.SplitSeq(text, "\n") {
		if match := riskLine.FindStringSubmatch(line); match != nil {
			if s := strings.TrimSpace(match[2]); s != "" {
				axes["risk_"+strings.ToLower(match[1])] = s
			}
		}
	}
	return axes
}

// formInstants are how people write an instant into a form. Without a zone it
// could be any, and is none.
var formInstants = []string{time.RFC3339, "2006-01-02T15:04Z07:00", "2006-01-02 15:04Z07:00", "2006-01-02 15:04:05Z07:00",
	"2006-01-02 15:04 UTC", "2006-01-02 15:04:05 UTC", "2006-01-02 15:04 -07:00", "2006-01-02 15:04:05 -07:00"}

func formInstant(s string) *time.Time {
	s = strings.Trim(strings.TrimSpace(s), "`*_")
	for _, layout := range formInstants {
		if t, err := time.Parse(layout, s); err == nil {
			if t = collectors.Instant(t); !t.IsZero() {
				return &t
			}
		}
	}
	return nil
}

// items splits an answer with several values: lines, commas, bullets; of
// checkboxes the ticked ones.
func items(s string) []string {
	var all []string
	for line := range strings.SplitSeq(s, "\n") {
		if box := checkbox.FindStringSubmatch(line); box != nil {
			if box[1] == " " {
				continue
			}
			line = box[2]
		}
		for part := range strings.SplitSeq(line, ",") {
			if part = strings.Trim(strings.TrimSpace(strings.TrimLeft(strings.TrimSpace(part), "-*+ ")), "`"); part != "" {
				all = append(all, part)
			}
		}
	}
	return all
}

// yes reads a yes-or-no answer or a checkbox; nil if it is neither.
func yes(s string) *bool {
	if box := checkbox.FindStringSubmatch(strings.SplitN(s, "\n", 2)[0]); box != nil {
		v := box[1] != " "
		return &v
	}
	first, _, _ := strings.Cut(plain(s), " ")
	switch first {
	case "yes", "true":
		v := true
		return &v
	case "no", "false":
		v := false
		return &v
	}
	return nil
}

// login reads an account name such as @alice.
func login(s string) *engine.Account {
	s = strings.TrimPrefix(strings.Trim(strings.TrimSpace(s), "`*_"), "@")
	if s == "" || strings.ContainsAny(s, " \n\t/") {
		return nil
	}
	a := engine.Account{System: "github", Account: s}
	if strings.Contains(s, "@") {
		a = engine.Account{System: "email", Account: s, Email: s}
	}
	return &a
}
