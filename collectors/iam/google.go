package iam

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/changevouch/changevouch/engine"
)

// googleRule reads one Workspace event name. target and permission name parameters.
type googleRule struct {
	kind       string
	operation  string
	targetKind string
	target     string
	permission string
	privileged string
}

// googleRules maps event names of the Admin SDK reports (applications admin,
// user_accounts, login, token, groups_enterprise) to what they change.
var googleRules = map[string]googleRule{
	"ASSIGN_ROLE":                       {"role_grant", opAdd, "user", "USER_EMAIL", "ROLE_NAME", ""},
	"UNASSIGN_ROLE":                     {"role_revoke", opRemove, "user", "USER_EMAIL", "ROLE_NAME", ""},
	"GRANT_ADMIN_PRIVILEGE":             {"role_grant", opAdd, "user", "USER_EMAIL", "", "super administrator"},
	"REVOKE_ADMIN_PRIVILEGE":            {"role_revoke", opRemove, "user", "USER_EMAIL", "", "super administrator"},
	"GRANT_DELEGATED_ADMIN_PRIVILEGES":  {"role_grant", opAdd, "user", "USER_EMAIL", "", "delegated administrator"},
	"REVOKE_DELEGATED_ADMIN_PRIVILEGES": {"role_revoke", opRemove, "user", "USER_EMAIL", "", "delegated administrator"},
	"CREATE_ROLE":                       {"policy_change", opAdd, "role", "ROLE_NAME", "", ""},
	"DELETE_ROLE":                       {"policy_change", opRemove, "role", "ROLE_NAME", "", ""},
	"RENAME_ROLE":                       {"policy_change", opChange, "role", "ROLE_NAME", "", ""},
	"UPDATE_ROLE":                       {"policy_change", opChange, "role", "ROLE_NAME", "", ""},
	"ADD_PRIVILEGE":                     {"policy_change", opAdd, "role", "ROLE_NAME", "PRIVILEGE_NAME", ""},
	"REMOVE_PRIVILEGE":                  {"policy_change", opRemove, "role", "ROLE_NAME", "PRIVILEGE_NAME", ""},
	"ADD_GROUP_MEMBER":                  {"group_membership_add", opAdd, "user", "USER_EMAIL", "GROUP_EMAIL", ""},
	"REMOVE_GROUP_MEMBER":               {"group_membership_remove", opRemove, "user", "USER_EMAIL", "GROUP_EMAIL", ""},
	"UPDATE_GROUP_MEMBER":               {"group_membership_add", opChange, "user", "USER_EMAIL", "GROUP_EMAIL", ""},
	"CREATE_GROUP":                      {"group_create", opAdd, "group", "GROUP_EMAIL", "", ""},
	"DELETE_GROUP":                      {"group_delete", opRemove, "group", "GROUP_EMAIL", "", ""},
	"add_member":                        {"group_membership_add", opAdd, "user", "member_id", "group_id", ""},
	"remove_member":                     {"group_membership_remove", opRemove, "user", "member_id", "group_id", ""},
	"CREATE_USER":                       {"account_create", opAdd, "user", "USER_EMAIL", "", ""},
	"UNSUSPEND_USER":                    {"account_create", opAdd, "user", "USER_EMAIL", "", ""},
	"DELETE_USER":                       {"account_delete", opRemove, "user", "USER_EMAIL", "", ""},
	"SUSPEND_USER":                      {"account_disable", opRemove, "user", "USER_EMAIL", "", ""},
	"RENAME_USER":                       {"account_update", opChange, "user", "USER_EMAIL", "NEW_VALUE", ""},
	"CHANGE_PASSWORD":                   {"credential_change", opChange, "user", "USER_EMAIL", "", ""},
	"account_disabled_password_leak":    {"account_disable", opRemove, "user", "affected_email_address", "", ""},
	"account_disabled_spamming":         {"account_disable", opRemove, "user", "affected_email_address", "", ""},
	"account_disabled_hijacked":         {"account_disable", opRemove, "user", "affected_email_address", "", ""},
	"2sv_enroll":                        {"mfa_enable", opAdd, "user", "", "=2-step verification", ""},
	"2sv_disable":                       {"mfa_disable", opRemove, "user", "", "=2-step verification", ""},
	"titanium_enroll":                   {"mfa_enable", opAdd, "user", "", "=advanced protection", ""},
	"titanium_unenroll":                 {"mfa_disable", opRemove, "user", "", "=advanced protection", ""},
	"recovery_email_edit":               {"credential_change", opChange, "user", "", "=recovery e-mail", ""},
	"recovery_phone_edit":               {"credential_change", opChange, "user", "", "=recovery phone", ""},
	"password_edit":                     {"credential_change", opChange, "user", "", "=password", ""},
	"UNENROLL_USER_FROM_STRONG_AUTH":    {"mfa_disable", opRemove, "user", "USER_EMAIL", "=2-step verification", ""},
	"TURN_OFF_2_STEP_VERIFICATION":      {"mfa_disable", opRemove, "user", "USER_EMAIL", "=2-step verification", ""},
	"ENFORCE_STRONG_AUTHENTICATION":     {"policy_change", opChange, "organisation", "", "NEW_VALUE", "2-step verification policy"},
	"ALLOW_STRONG_AUTHENTICATION":       {"policy_change", opChange, "organisation", "", "NEW_VALUE", "2-step verification policy"},
	"authorize":                         {"credential_create", opAdd, "app", "app_name", "scope", ""},
	"revoke":                            {"credential_revoke", opRemove, "app", "app_name", "scope", ""},
	"AUTHORIZE_API_CLIENT_ACCESS":       {"trust_change", opAdd, "app", "API_CLIENT_NAME", "API_SCOPES", "domain-wide delegation"},
	"REMOVE_API_CLIENT_ACCESS":          {"trust_change", opRemove, "app", "API_CLIENT_NAME", "API_SCOPES", "domain-wide delegation"},
	"TOGGLE_SSO_ENABLED":                {"trust_change", opChange, "organisation", "", "NEW_VALUE", "single sign-on changed"},
	"CHANGE_SSO_SETTINGS":               {"trust_change", opChange, "organisation", "", "", "single sign-on changed"},
	"INBOUND_SSO_PROFILE_CREATED":       {"trust_change", opAdd, "identity_provider", "INBOUND_SSO_PROFILE_NAME", "", "single sign-on changed"},
	"INBOUND_SSO_PROFILE_UPDATED":       {"trust_change", opChange, "identity_provider", "INBOUND_SSO_PROFILE_NAME", "", "single sign-on changed"},
	"INBOUND_SSO_PROFILE_DELETED":       {"trust_change", opRemove, "identity_provider", "INBOUND_SSO_PROFILE_NAME", "", "single sign-on changed"},
	"ADD_TRUSTED_DOMAINS":               {"trust_change", opAdd, "domain", "DOMAIN_NAME", "", ""},
	"REMOVE_TRUSTED_DOMAINS":            {"trust_change", opRemove, "domain", "DOMAIN_NAME", "", ""},
	"ADD_APPLICATION":                   {"app_assignment_add", opAdd, "app", "APPLICATION_NAME", "", ""},
	"REMOVE_APPLICATION":                {"app_assignment_remove", opRemove, "app", "APPLICATION_NAME", "", ""},
	"CHANGE_APPLICATION_SETTING":        {"config_change", opChange, "app", "APPLICATION_NAME", "SETTING_NAME", ""},
	"CREATE_APPLICATION_SETTING":        {"config_change", opAdd, "app", "APPLICATION_NAME", "SETTING_NAME", ""},
	"login_success":                     {"sign_in", "", "user", "", "", ""},
	"login_failure":                     {"sign_in", "", "user", "", "", ""},
}

// googleAdminRoles are the built-in roles that administer.
var googleAdminRoles = []string{
	"_SEED_ADMIN_ROLE", "_USER_MANAGEMENT_ADMIN_ROLE", "_GROUPS_ADMIN_ROLE", "_SERVICE_ADMIN_ROLE", "_HELP_DESK_ADMIN_ROLE",
}

// googleActivity maps one item of activities.list; it may hold several events.
func (b *builder) googleActivity(rec node) {
	at, err := rec.instant("id.time")
	qualifier := rec.str("id.uniqueQualifier")
	if err != nil || qualifier == "" {
		b.fault(b.where, incomplete("no activity: id.time or id.uniqueQualifier is absent", err))
		return
	}
	id := strings.Join([]string{"google", rec.str("id.applicationName"), rec.str("id.time"), qualifier}, ":")
	who := googleActor(rec.get("actor"))
	var changes []change
	for _, e := range rec.list("events") {
		if c, ok := b.googleChange(e, "name", "parameters", who); ok {
			c.provider, c.id, c.at = "google", id, at
			c.fact.SourceIP = rec.str("ipAddress")
			changes = append(changes, c)
		}
	}
	b.changed(changes...)
}

// googleChange reads one event of an activity, also where Google Cloud carries it.
func (b *builder) googleChange(e node, nameKey, parametersKey string, who actor) (change, bool) {
	name := e.str(nameKey)
	rule, known := googleRules[name]
	if !known {
		b.rec.Ignore("google " + name)
		return change{}, false
	}
	param := func(key string) string {
		if text, ok := strings.CutPrefix(key, "="); ok || key == "" {
			return text
		}
		for _, p := range e.list(parametersKey) {
			if p.str("name") == key {
				return strings.Join(append(p.strs("value"), append(p.strs("multiValue"), append(p.strs("intValue"), p.strs("boolValue")...)...)...), ", ")
			}
		}
		return ""
	}
	f := engine.AccessFact{
		Kind: rule.kind, Outcome: "success", Change: name, System: "google",
		Target:     &engine.AccessFactTarget{Kind: rule.targetKind, Account: param(rule.target)},
		Permission: &engine.AccessFactPermission{ID: param(rule.permission), Operation: rule.operation},
	}
	if unit := param("ORG_UNIT_NAME"); unit != "" {
		f.Permission.Scope = "organisational unit " + unit
	}
	if name == "login_failure" {
		f.Outcome = "denied"
	}
	switch {
	case f.Target.Account != "":
	case rule.targetKind == "user" && rule.target == "" && who.account != nil:
		f.Target.Account, f.Target.ID = who.account.Account, who.account.ID
	default:
		f.Target.Name = "unknown"
	}
	switch {
	case rule.privileged != "":
		why(&f, rule.privileged)
	case slices.Contains(googleAdminRoles, f.Permission.ID):
		why(&f, f.Permission.ID)
	case rule.kind == "group_membership_add" || rule.kind == "group_membership_remove":
		group, _, _ := strings.Cut(f.Permission.ID, "@")
		privilegedGroup(&f, group)
	}
	return change{actor: who, fact: f}, true
}

func googleActor(n node) actor {
	a := actor{account: account("google", n.first("email", "key"), n.str("profileId")), kind: "unknown", confidence: "none"}
	if a.account == nil {
		return actor{kind: "service"}
	}
	a.account.Email = strings.ToLower(n.str("email"))
	if a.account.ID != "" {
		a.confidence = "immutable_id"
	} else if a.account.Email != "" {
		a.confidence = "verified_email"
	}
	switch n.str("callerType") {
	case "USER":
		a.kind = "human"
	case "APPLICATION", "KEY":
		a.kind, a.via = "workload", strings.ToLower(n.str("callerType"))
	}
	return a
}

// googleUsers maps the Directory API's users.list.
func (b *builder) googleUsers(doc node) {
	for i, n := range doc.list("users") {
		b.where = fmt.Sprintf("/users/%d", i)
		email := strings.ToLower(n.str("primaryEmail"))
		if email == "" {
			b.fault(b.where, errors.New("no user: primaryEmail is absent"))
			continue
		}
		f := engine.HolderFact{
			System: "google", Holder: engine.Account{System: "google", Account: email, ID: n.str("id"), Email: email},
			Permission: "user", MFA: n.flag("isEnrolledIn2Sv"), CreatedAt: n.when("creationTime"), LastUsedAt: n.when("lastLoginTime"),
			Active: ptr(n.str("suspended") != "true" && n.str("archived") != "true"), Privileged: ptr(false),
		}
		switch {
		case n.str("isAdmin") == "true":
			f.Permission, f.Privileged, f.PrivilegedWhy = "super_admin", ptr(true), []string{"super administrator"}
		case n.str("isDelegatedAdmin") == "true":
			f.Permission, f.Privileged, f.PrivilegedWhy = "delegated_admin", ptr(true), []string{"delegated administrator"}
		}
		b.holds("user", n.str("id"), f)
	}
	b.covered("members", "")
}
