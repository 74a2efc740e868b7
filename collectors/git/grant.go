package git

import (
	"cmp"
	"net/http"
	"strings"
)

// right is the least permission that opens an endpoint: of a GitHub App or a
// fine-grained token, and the scope of a classic token.
type right struct{ permission, scope string }

// rights by the kind of route, as GitHub documents them (2022-11-28). Two need
// more than reading; without them the answer is a gap, and nothing else breaks.
func rights() map[string]right {
	pulls, contents := right{"Pull requests: read", "repo"}, right{"Contents: read", "repo"}
	issues, actions := right{"Issues: read", "repo"}, right{"Actions: read", "repo"}
	administration := right{"Administration: read", "repo"}
	return map[string]right{
		"repository": {"Metadata: read", "repo"}, "branch": contents, "commit": contents, "comparison": contents, "activity": contents,
		"commit pull": pulls, "pull": pulls, "review": pulls, "pull commit": pulls, "pull file": pulls,
		"timeline event": issues, "issue": issues, "comment": issues,
		"check run": {"Checks: read", "repo"}, "status": {"Commit statuses: read", "repo"},
		"deployment": {"Deployments: read", "repo_deployment"}, "deployment status": {"Deployments: read", "repo_deployment"},
		"environment": actions, "run approval": actions,
		"protection": administration, "branch rule": {"Metadata: read", "repo"}, "ruleset": {"Metadata: read", "repo"},
		"rule suite": {"Administration: write (GitHub offers no less)", "repo"}, "ruleset version": {"Administration: write (GitHub offers no less)", "repo"},
		"collaborator":     {"Metadata: read, for an account that may push", "repo"},
		"dependabot alert": {"Dependabot alerts: read", "security_events"}, "code-scanning alert": {"Code scanning alerts: read", "security_events"},
		"secret-scanning alert": {"Secret scanning alerts: read", "security_events"},
	}
}

// orgRights by what follows orgs/NAME/.
func orgRights() map[string]right {
	members := right{"Organisation members: read", "read:org"}
	return map[string]right{
		"members": members, "outside_collaborators": members, "invitations": members,
		"installations": {"Organisation administration: read", "admin:read"},
		"audit-log":     {"Organisation administration: read, on GitHub Enterprise", "read:audit_log"},
	}
}

// grant says in a sentence what would open an answer that was refused. The
// server's own word goes before ours.
func grant(kind, address string, h http.Header) string {
	if strings.HasPrefix(h.Get("X-GitHub-SSO"), "required") {
		return "Authorise the token for the organisation's single sign-on"
	}
	r := rights()[kind]
	if _, rest, ok := strings.Cut(address, "/orgs/"); ok && kind == "" {
		_, rest, _ = strings.Cut(rest, "/")
		noun, _, _ := strings.Cut(rest, "?")
		r = orgRights()[noun]
	}
	if accepted := h.Get("X-Accepted-GitHub-Permissions"); accepted != "" {
		r.permission = strings.NewReplacer("=", ": ", "; ", " or ", ";", " or ").Replace(clip(accepted))
	}
	if scopes := h.Get("X-Accepted-OAuth-Scopes"); scopes != "" {
		r.scope = clip(scopes)
	}
	if r.permission == "" {
		return "Grant the permission to read it"
	}
	return "Grant " + r.permission + " (a classic token: " + cmp.Or(r.scope, "repo") + ")"
}
