package iam

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/changevouch/changevouch/engine"
)

// githubHooks reads the webhooks that tell of access: event and action to kind.
// Owner promotion, two-factor and single sign-on settings have no webhook.
var githubHooks = map[string]githubRule{
	"organization.member_added":             {"role_grant", opAdd, "user", "membership.user", ""},
	"organization.member_removed":           {"role_revoke", opRemove, "user", "membership.user", ""},
	"organization.member_invited":           {"role_grant", opAdd, "invitee", "user", ""},
	"membership.added":                      {"group_membership_add", opAdd, "user", "member", ""},
	"membership.removed":                    {"group_membership_remove", opRemove, "user", "member", ""},
	"member.added":                          {"role_grant", opAdd, "user", "member", ""},
	"member.edited":                         {"role_grant", opChange, "user", "member", ""},
	"member.removed":                        {"role_revoke", opRemove, "user", "member", ""},
	"team.created":                          {"group_create", opAdd, "team", "team", ""},
	"team.deleted":                          {"group_delete", opRemove, "team", "team", ""},
	"team.edited":                           {"policy_change", opChange, "team", "team", ""},
	"team.added_to_repository":              {"role_grant", opAdd, "team", "team", ""},
	"team.removed_from_repository":          {"role_revoke", opRemove, "team", "team", ""},
	"deploy_key.created":                    {"credential_create", opAdd, "key", "key", ""},
	"deploy_key.deleted":                    {"credential_revoke", opRemove, "key", "key", ""},
	"installation.created":                  {"app_assignment_add", opAdd, "app", "installation", ""},
	"installation.deleted":                  {"app_assignment_remove", opRemove, "app", "installation", ""},
	"installation.suspend":                  {"app_assignment_remove", opRemove, "app", "installation", ""},
	"installation.unsuspend":                {"app_assignment_add", opAdd, "app", "installation", ""},
	"installation.new_permissions_accepted": {"app_assignment_add", opChange, "app", "installation", ""},
	"org_block.blocked":                     {"account_disable", opRemove, "user", "blocked_user", ""},
	"org_block.unblocked":                   {"account_update", opAdd, "user", "blocked_user", ""},
}

// hookShapes infers the event of a bare webhook body from what it carries.
var hookShapes = []struct{ event, needs string }{
	{"organization", "membership"}, {"membership", "scope"}, {"member", "member"}, {"deploy_key", "key"},
	{"installation", "installation"}, {"org_block", "blocked_user"}, {"team", "team"},
}

func isGithubWebhook(doc node) bool { return doc.has("action") && doc.get("sender").isObject() }

func hookEvent(doc node) string {
	for _, s := range hookShapes {
		if doc.has(s.needs) && (s.event != "installation" || doc.has("installation.app_id")) {
			return s.event
		}
	}
	return ""
}

// githubDelivery maps a recorded delivery, which knows its event and instant.
func (b *builder) githubDelivery(doc node) {
	id := cmp.Or(doc.str("guid"), doc.str("id"))
	b.githubWebhook(doc.get("request.payload"), doc.str("event"), id, doc.str("delivered_at"))
}

// githubWebhook maps one webhook body. id is the delivery's; a bare body is
// known by its digest. Most bodies carry no instant of their own: then the
// payload's counts.
func (b *builder) githubWebhook(doc node, event, id, delivered string) {
	event = cmp.Or(event, hookEvent(doc))
	name := event + "." + doc.str("action")
	rule, known := githubHooks[name]
	if !known {
		b.rec.Ignore("github webhook " + name)
		return
	}
	at, err := node{delivered}.instant("")
	if err != nil {
		at = time.Time{}
		if t := doc.when("key.created_at"); t != nil {
			at = *t
		}
	}
	target := doc.get(rule.target)
	login := target.first("login", "slug", "title", "app_slug", "app_id", "name")
	f := engine.AccessFact{
		Kind: rule.kind, Outcome: "success", Change: name,
		Target:     &engine.AccessFactTarget{Kind: rule.targetKind, Account: login, ID: target.str("id")},
		Permission: &engine.AccessFactPermission{Operation: rule.operation, Scope: hookScope(doc)},
	}
	if login == "" {
		f.Target.Name = "unknown"
	}
	p := f.Permission
	switch event {
	case "organization":
		p.ID = doc.str("membership.role")
		if doc.str("membership.state") == "pending" {
			f.Outcome = "in_progress"
		}
		if p.ID == "admin" {
			why(&f, "organisation owner")
		}
	case "membership":
		p.ID, p.Scope = doc.str("team.slug"), hookScope(doc)
		privilegedGroup(&f, p.ID)
	case "member", "team":
		p.ID = doc.first("changes.role_name.to", "changes.permission.to", "team.permission")
		p.Before = doc.first("changes.role_name.from", "changes.permission.from")
		if rank := githubRank(p.ID); p.Before != "" && rank < githubRank(p.Before) && rule.kind == "role_grant" {
			f.Kind, p.Operation = "role_revoke", opRemove
		}
		if slices.Contains([]string{"admin", "maintain"}, p.ID) {
			why(&f, p.ID+" on a repository")
		}
	case "deploy_key":
		p.ID = "read"
		if doc.str("key.read_only") == "false" {
			p.ID = "write"
			why(&f, "deploy key that can push")
		}
	case "installation":
		held := installation(doc.get("installation"))
		p.ID = strings.TrimSpace(held.Permission + " repositories " + strings.Join(held.Permissions, ","))
		f.Privileged, f.PrivilegedWhy = held.Privileged, held.PrivilegedWhy
	}
	if id == "" {
		id = recordDigest(doc)
	}
	sender := actor{account: account("github", doc.str("sender.login"), doc.str("sender.id")), confidence: "immutable_id"}
	if doc.str("sender.type") == "Bot" {
		sender.kind = "workload"
	}
	b.changed(change{provider: "github", id: fmt.Sprintf("github:delivery:%s:access", id), at: at, actor: sender, fact: f})
}

func hookScope(doc node) string {
	if repo := doc.str("repository.full_name"); repo != "" {
		return "repository " + repo
	}
	return strings.TrimSpace("organisation " + doc.first("organization.login", "installation.account.login"))
}
