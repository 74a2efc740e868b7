package iam

import (
	"cmp"
	"encoding/json"
	"fmt"
	"strings"

	"github.com/changevouch/changevouch/engine"
)

// githubAudit maps one audit-log record: API page, stream line or web export.
// The export lacks _document_id, and puts some fields under data.
func (b *builder) githubAudit(rec node) {
	action := rec.str("action")
	at, err := cmp.Or(rec.key("@timestamp"), rec.get("created_at")).instant("")
	if action == "" || err != nil {
		b.fault(b.where, incomplete("no audit-log record: action or created_at is absent", err))
		return
	}
	rule, known := githubRules[action]
	if !known {
		b.rec.Ignore("github " + action)
		return
	}
	r := githubRecord{rec}
	id := rec.str("_document_id")
	if id == "" {
		id = recordDigest(rec)
	}
	f := engine.AccessFact{
		Kind: rule.kind, Change: action, Outcome: cmp.Or(githubRefused[action], "success"),
		Target: r.target(rule), Permission: r.permission(action, rule),
		SourceIP: rec.str("actor_ip"), TransactionID: rec.str("request_id"), CredentialID: r.field("token_id"),
	}
	if f.Outcome == "success" || rule.privileged == "" {
		r.judge(action, rule, &f)
	}
	c := change{provider: "github", id: "github:audit:" + id, at: at, actor: r.actor(), fact: f}
	if f.Target.Kind == "branch" {
		branch := cmp.Or(r.field("branch"), r.field("name"))
		f.Target.Name = branch
		if branch != "" {
			f.Target.Account += "#" + branch
		}
	}
	b.changed(c)
}

// recordDigest identifies a record that has no id of its own.
func recordDigest(rec node) string {
	canonical, err := json.Marshal(rec.v) // map keys come out sorted
	if err != nil {
		return "unknown"
	}
	return strings.TrimPrefix(engine.Digest(canonical), "sha256:")[:32]
}

type githubRecord struct{ node }

// field reads a field that the web export keeps under data, and that is a list
// of at most one in some actions.
func (r githubRecord) field(name string) string {
	for _, path := range []string{name, "data." + name} {
		if s := r.strs(path); len(s) > 0 {
			return s[0]
		}
	}
	return ""
}

func (r githubRecord) actor() actor {
	login := r.field("actor")
	a := actor{account: account("github", login, r.str("actor_id")), kind: "unknown", confidence: "none"}
	name := r.field("external_identity_nameid")
	switch {
	case a.account == nil:
		a.kind = "service" // GitHub itself
		return a
	case a.account.ID != "":
		a.confidence = "immutable_id"
	case emailLike.MatchString(name):
		a.confidence = "verified_email"
	}
	if emailLike.MatchString(name) {
		a.account.Email, a.kind = strings.ToLower(name), "human"
	}
	switch {
	case login == "github-team-synchronization[bot]":
		a.kind, a.via = "service", "team synchronisation"
	case r.str("actor_is_bot") == "true" || strings.HasSuffix(login, "[bot]"):
		a.kind = "workload"
	case r.str("actor_is_agent") == "true":
		a.kind, a.via = "workload", "agent"
	}
	// The token that a call comes from, not the one it grants.
	if with := r.field("programmatic_access_type"); with != "" && !strings.HasPrefix(r.str("action"), "personal_access_token.") {
		a.kind, a.via = "workload", with
	}
	return a
}

func (r githubRecord) target(rule githubRule) *engine.AccessFactTarget {
	t := &engine.AccessFactTarget{Kind: rule.targetKind}
	for field := range strings.FieldsSeq(cmp.Or(rule.target, "user")) {
		if t.Account = r.field(field); t.Account == "" {
			continue
		}
		if field == "user" {
			t.ID = r.field("user_id")
		}
		if field == "team" && t.Kind == "user" {
			t.Kind = "team"
		}
		break
	}
	if t.Account == "" {
		t.Account = cmp.Or(r.field("invitee_email"), r.field("email"))
	}
	if t.Account == "" {
		t.Name = "unknown"
	}
	return t
}

func (r githubRecord) permission(action string, rule githubRule) *engine.AccessFactPermission {
	p := &engine.AccessFactPermission{Operation: rule.operation, Scope: r.scope(action)}
	switch {
	case rule.kind == "group_membership_add" || rule.kind == "group_membership_remove":
		p.ID = r.field("team")
	case strings.HasPrefix(action, "organization_role.") && (rule.kind == "role_grant" || rule.kind == "role_revoke"):
		p.ID = r.field("organization_role_name")
	case rule.kind == "credential_create" || rule.kind == "credential_revoke" || strings.HasPrefix(action, "integration_installation."):
		p.ID = cmp.Or(r.field("repository_selection"), r.field("user_programmatic_access_name"), r.field("fingerprint"))
		if p.ID == "all" {
			p.ID = "all repositories"
		}
	case action == "repo.access":
		p.ID, p.Before = r.field("visibility"), r.field("previous_visibility")
	case strings.HasPrefix(action, "ip_allow_list_entry."):
		p.ID = r.field("ip_allow_list_entry")
	case rule.kind == "policy_change" || rule.kind == "trust_change":
		p.ID, p.Before = cmp.Or(r.field("permission"), action), r.field("old_permission")
	default:
		p.ID = cmp.Or(r.field("new_repo_permission"), r.field("permission"), r.field("new_repo_base_role"))
		p.Before = cmp.Or(r.field("old_repo_permission"), r.field("old_permission"), r.field("old_repo_base_role"))
	}
	return p
}

func (r githubRecord) scope(action string) string {
	repo := cmp.Or(r.field("repo"), r.field("repository"))
	switch org := r.field("org"); {
	case repo != "" && !strings.HasPrefix(action, "org."):
		return "repository " + repo
	case org != "":
		return "organisation " + org
	case r.field("business") != "":
		return "enterprise " + r.field("business")
	}
	return ""
}

// judge turns a role that went up or down into a grant or a revoke, and says
// whether it is one that matters.
func (r githubRecord) judge(action string, rule githubRule, f *engine.AccessFact) {
	p := f.Permission
	if rule.privileged != "" {
		why(f, rule.privileged)
	}
	if rule.operation == opChange && rule.kind == "role_grant" && p.ID != "" && p.Before != "" && githubRank(p.ID) < githubRank(p.Before) {
		f.Kind, p.Operation = "role_revoke", opRemove
	}
	organisation := strings.HasPrefix(p.Scope, "organisation ") && strings.HasPrefix(action, "org.")
	for _, level := range []string{p.ID, p.Before} {
		switch {
		case f.Kind != "role_grant" && f.Kind != "role_revoke":
		case level == "admin" && organisation:
			why(f, "organisation owner")
		case level == "admin" || level == "maintain":
			why(f, fmt.Sprintf("%s on a repository", level))
		case strings.Contains(level, "all_repo_admin") || strings.Contains(level, "security_manager"):
			why(f, "organisation role "+level)
		}
	}
	switch {
	case (f.Kind == "credential_create" || f.Kind == "app_assignment_add") && p.ID == "all repositories":
		why(f, "reaches all repositories")
	case strings.HasPrefix(action, "public_key.") && r.field("read_only") == "false":
		why(f, "deploy key that can push")
	case strings.HasPrefix(f.Kind, "group_membership"):
		privilegedGroup(f, p.ID)
	case action == "repo.access" && p.ID == "public":
		why(f, "repository made public")
	case action == "org.update_default_repository_permission" && (p.ID == "admin" || p.ID == "write"):
		why(f, "every member may "+p.ID)
	}
	if f.Privileged == nil && p.ID != "" && (f.Kind == "role_grant" || f.Kind == "role_revoke") {
		f.Privileged = ptr(false)
	}
}

// githubRank orders the permission words of repositories and organisations.
func githubRank(permission string) int {
	for i, p := range []string{"none", "read", "pull", "triage", "write", "push", "maintain", "admin"} {
		if p == permission {
			return i
		}
	}
	return 0
}
