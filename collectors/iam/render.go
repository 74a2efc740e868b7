package iam

import (
	"cmp"
	"errors"
	"fmt"
	"strings"

	"github.com/changevouch/changevouch/engine"
)

// renderRules maps the audit events of Render that are about people and keys.
// The others are the platform's own and are read elsewhere.
var renderRules = map[string]githubRule{
	"InviteToTeamEvent":                  {"role_grant", opAdd, "invitee", "", ""},
	"AcceptTeamInviteEvent":              {"role_grant", opAdd, "user", "", ""},
	"JoinTeamEvent":                      {"role_grant", opAdd, "user", "", ""},
	"RemoveUserFromTeamEvent":            {"role_revoke", opRemove, "user", "", ""},
	"ChangeTeamMemberRoleEvent":          {"role_grant", opChange, "user", "", ""},
	"InviteToOrgEvent":                   {"role_grant", opAdd, "invitee", "", ""},
	"AcceptOrgInviteEvent":               {"role_grant", opAdd, "user", "", ""},
	"AddOrgMemberEvent":                  {"role_grant", opAdd, "user", "", ""},
	"RemoveOrgMemberEvent":               {"role_revoke", opRemove, "user", "", ""},
	"ChangeOrgRoleEvent":                 {"role_grant", opChange, "user", "", ""},
	"ChangeTeam2FAEnforcementEvent":      {"policy_change", opChange, "workspace", "", "two-factor enforcement"},
	"ChangeOrg2FAEnforcementEvent":       {"policy_change", opChange, "workspace", "", "two-factor enforcement"},
	"ChangeTeamAllowedLoginMethodsEvent": {"trust_change", opChange, "workspace", "", "login methods"},
	"ChangeOrgAllowedLoginMethodsEvent":  {"trust_change", opChange, "workspace", "", "login methods"},
	"CreateSSOConnectionEvent":           {"trust_change", opAdd, "workspace", "", "single sign-on"},
	"UpdateSSOConnectionEvent":           {"trust_change", opChange, "workspace", "", "single sign-on"},
	"DeleteSSOConnectionEvent":           {"trust_change", opRemove, "workspace", "", "single sign-on"},
	"ProvisionOrganizationSCIMToken":     {"credential_create", opAdd, "workspace", "", "provisioning token"},
	"RevokeOrganizationSCIMToken":        {"credential_revoke", opRemove, "workspace", "", "provisioning token"},
	"VerifyOrgDomainEvent":               {"trust_change", opAdd, "workspace", "", ""},
	"DeleteOrgDomainEvent":               {"trust_change", opRemove, "workspace", "", ""},
	"GrantOAuthAccessEvent":              {"credential_create", opAdd, "app", "", ""},
	"RevokeOAuthAccessEvent":             {"credential_revoke", opRemove, "app", "", ""},
	"LoginEvent":                         {"sign_in", "", "user", "", ""},
	"StartShellEvent":                    {"break_glass_use", "", "service", "service", "production shell"},
	"ViewEnvVarValuesEvent":              {"secret_view", "", "service", "service", "secrets seen"},
	"ViewConnectionInfoEvent":            {"secret_view", "", "database", "postgres redis service", "database credentials seen"},
	"DownloadDatabaseBackupEvent":        {"secret_view", "", "database", "postgres", "database downloaded"},
	"UpdateIPAllowListEvent":             {"network_rule_change", opChange, "allow_list", "postgres redis service environment", ""},
	"CreatePrivateLinkEvent":             {"network_rule_add", opAdd, "private_link", "", ""},
	"DeletePrivateLinkEvent":             {"network_rule_remove", opRemove, "private_link", "", ""},
	"CreateCustomDomainEvent":            {"certificate_add", opAdd, "domain", "domain service", ""},
	"DeleteCustomDomainEvent":            {"certificate_remove", opRemove, "domain", "domain service", ""},
	"UpdateEnvVarsEvent":                 {"config_change", opChange, "service", "service", ""},
	"CreateEnvVarsEvent":                 {"config_change", opAdd, "service", "service", ""},
	"DeleteEnvVarsEvent":                 {"config_change", opRemove, "service", "service", ""},
}

// renderAudit maps one entry of a Render audit log. Whose role changed stands in
// metadata under keys that Render does not document: where they are absent, the
// target is unknown and the members snapshot tells.
func (b *builder) renderAudit(item node) {
	rec := item.get("auditLog")
	id, event := rec.str("id"), rec.str("event")
	at, err := rec.instant("timestamp")
	if id == "" || event == "" || err != nil {
		b.fault(b.where, errors.Join(errors.New("no audit entry: id, event or timestamp is absent"), err))
		return
	}
	rule, known := renderRules[event]
	if !known {
		b.rec.Ignore("render " + event)
		return
	}
	meta := rec.get("metadata")
	f := engine.AccessFact{
		Kind: rule.kind, Outcome: "success", Change: event, SourceIP: meta.str("source_ip"),
		Target:     &engine.AccessFactTarget{Kind: rule.targetKind},
		Permission: &engine.AccessFactPermission{Operation: rule.operation},
	}
	if status := rec.str("status"); status != "success" {
		f.Outcome, f.Error = "failed", cmp.Or(status, "status absent")
	}
	who := actor{account: account("render", rec.first("actor.email", "actor.id"), rec.str("actor.id")), kind: "unknown", confidence: "none"}
	switch kind := rec.str("actor.type"); kind {
	case "user":
		who.kind, who.confidence = "human", "immutable_id"
	case "rest_api":
		who.kind, who.via = "workload", "api key"
	case "system":
		who.kind = "service"
	}
	if who.account != nil {
		person(who.account)
	}
	for key := range strings.FieldsSeq(cmp.Or(rule.target, "user email member")) {
		if f.Target.Account = meta.str(key); f.Target.Account != "" {
			break
		}
	}
	if f.Target.Account == "" {
		f.Target.Name = "unknown"
		if rule.kind == "sign_in" && who.account != nil {
			f.Target = &engine.AccessFactTarget{Kind: "user", Account: who.account.Account, ID: who.account.ID}
		}
	}
	if rule.kind == "role_grant" || rule.kind == "role_revoke" {
		f.Permission.ID, f.Permission.Before = meta.first("to", "role"), meta.str("from")
		if rule.operation == opChange && f.Permission.Before == "ADMIN" && f.Permission.ID != "" && f.Permission.ID != "ADMIN" {
			f.Kind, f.Permission.Operation = "role_revoke", opRemove
		}
		if f.Permission.ID == "ADMIN" || f.Permission.Before == "ADMIN" {
			why(&f, "workspace ADMIN")
		}
	}
	if rule.privileged != "" {
		why(&f, rule.privileged)
	}
	b.changed(change{provider: "render", id: "render:" + id, at: at, actor: who, fact: f})
}

// renderMembers maps GET /owners/{ownerId}/members.
func (b *builder) renderMembers(items []node) {
	for i, n := range items {
		b.where = fmt.Sprintf("/%d", i)
		email := strings.ToLower(n.str("email"))
		if email == "" {
			b.fault(b.where, errors.New("no member: email is absent"))
			continue
		}
		f := engine.HolderFact{
			System: "render", Holder: engine.Account{System: "render", Account: email, ID: n.str("userId"), Email: email},
			Permission: n.str("role"), MFA: n.flag("mfaEnabled"), Active: ptr(strings.EqualFold(n.str("status"), "active")),
			Privileged: ptr(n.str("role") == "ADMIN"),
		}
		if *f.Privileged {
			f.PrivilegedWhy = []string{"workspace ADMIN"}
		}
		b.holds("member", n.str("userId"), f)
	}
	b.covered("members", "")
}
