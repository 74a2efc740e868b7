package iam

import (
	"regexp"
	"strings"

	"github.com/changevouch/changevouch/engine"
)

// awsErrorAnswer reads the error body of the AWS JSON protocols.
func awsErrorAnswer(doc node) string {
	kind := doc.key("__type").str("")
	if kind == "" {
		return ""
	}
	_, code, found := strings.Cut(kind, "#")
	if !found {
		code = kind
	}
	return strings.TrimSuffix(code, ":")
}

// errorAnswer takes a recorded refusal: the fact is unknown, not empty.
func (b *builder) errorAnswer(doc node) bool {
	fields, _ := doc.v.(map[string]any)
	var reason string
	switch {
	case awsErrorAnswer(doc) != "":
		reason = "aws answered " + awsErrorAnswer(doc)
	case doc.has("message") && doc.has("documentation_url"):
		reason = strings.TrimSpace("github answered " + doc.str("status"))
	case strings.HasPrefix(doc.str("errorCode"), "E00"):
		reason = "okta answered " + doc.str("errorCode")
	case doc.get("error").isObject() && doc.has("error.code"):
		reason = "answered " + doc.str("error.code")
	case doc.has("message") && !doc.has("id") && !doc.has("eventID") && len(fields) <= 3:
		reason = "answered an error"
	default:
		return false
	}
	fact, repository := factOfPath(b.path)
	b.unread(fact, repository, reason)
	return true
}

var repoPath = regexp.MustCompile(`(?:^|/)repos/([^/]+/[^/]+)/(collaborators|keys|invitations)`)

// factOfPath says which fact an API path stands for.
func factOfPath(p string) (fact, repository string) {
	if m := repoPath.FindStringSubmatch(p); m != nil {
		return "permissions", m[1]
	}
	if oktaPathOwner(p, "groups", "users") != "" || oktaPathOwner(p, "apps", "users") != "" {
		return "permissions", ""
	}
	low := strings.ToLower(p)
	for _, f := range []struct{ word, fact string }{
		{"cloudtrail", "cloudtrail"}, {"lookup-events", "cloudtrail"}, {"credential", "credentials"},
		{"authorization-details", "credentials"}, {"api-tokens", "credentials"}, {"factors", "credentials"},
		{"audit", "audit_log"}, {"logs", "audit_log"}, {"activit", "audit_log"}, {"entries", "audit_log"},
	} {
		if strings.Contains(low, f.word) {
			return f.fact, ""
		}
	}
	return "members", ""
}

// emptyAnswer takes a list that was read and holds nothing: only its path says of what.
func (b *builder) emptyAnswer() {
	if owner := oktaPathOwner(b.path, "users", "factors"); owner != "" { // nobody's second factor: he has none
		b.holds("factors", owner, engine.HolderFact{
			System: "okta", Holder: engine.Account{System: "okta", Account: owner, ID: owner}, MFA: ptr(false),
		})
	}
	b.covered(factOfPath(b.path))
}
