package iam

import (
	"cmp"
	"regexp"
	"strings"

	"github.com/changevouch/changevouch/engine"
)

// oktaRule reads one event type. target and permission name the type of the
// target that is meant: order and number of targets vary.
type oktaRule struct {
	kind       string
	operation  string
	target     string
	permission string
}

// oktaRules maps System Log event types (Okta catalogue 2026.08) to what they
// change. A name that ends in a dot stands for all that begin with it.
var oktaRules = map[string]oktaRule{
	"user.account.privilege.grant":              {"role_grant", opAdd, "User", ""},
	"user.account.privilege.revoke":             {"role_revoke", opRemove, "User", ""},
	"group.privilege.grant":                     {"role_grant", opAdd, "UserGroup", "ROLE"},
	"group.privilege.revoke":                    {"role_revoke", opRemove, "UserGroup", "ROLE"},
	"app.oauth2.client.privilege.grant":         {"role_grant", opAdd, "PublicClientApp", "ROLE"},
	"app.oauth2.client.privilege.revoke":        {"role_revoke", opRemove, "PublicClientApp", "ROLE"},
	"iam.resourceset.bindings.add":              {"role_grant", opAdd, "User", "ROLE"},
	"iam.resourceset.bindings.delete":           {"role_revoke", opRemove, "User", "ROLE"},
	"iam.role.create":                           {"policy_change", opAdd, "ROLE", ""},
	"iam.role.update":                           {"policy_change", opChange, "ROLE", ""},
	"iam.role.delete":                           {"policy_change", opRemove, "ROLE", ""},
	"iam.role.permissions.add":                  {"policy_change", opAdd, "ROLE", ""},
	"iam.role.permissions.delete":               {"policy_change", opRemove, "ROLE", ""},
	"group.user_membership.add":                 {"group_membership_add", opAdd, "User", "UserGroup"},
	"group.user_membership.remove":              {"group_membership_remove", opRemove, "User", "UserGroup"},
	"group.application_assignment.add":          {"app_assignment_add", opAdd, "UserGroup", "AppInstance"},
	"group.application_assignment.remove":       {"app_assignment_remove", opRemove, "UserGroup", "AppInstance"},
	"group.application_assignment.update":       {"app_assignment_add", opChange, "UserGroup", "AppInstance"},
	"application.user_membership.add":           {"app_assignment_add", opAdd, "User", "AppInstance"},
	"application.user_membership.remove":        {"app_assignment_remove", opRemove, "User", "AppInstance"},
	"application.user_membership.update":        {"app_assignment_add", opChange, "User", "AppInstance"},
	"application.user_membership.show_password": {"secret_view", "", "User", "AppInstance"},
	"application.lifecycle.":                    {"config_change", opChange, "AppInstance", ""},
	"group.lifecycle.create":                    {"group_create", opAdd, "UserGroup", ""},
	"group.lifecycle.delete":                    {"group_delete", opRemove, "UserGroup", ""},
	"user.lifecycle.create":                     {"account_create", opAdd, "User", ""},
	"user.lifecycle.activate":                   {"account_create", opAdd, "User", ""},
	"user.lifecycle.reactivate":                 {"account_create", opAdd, "User", ""},
	"user.lifecycle.unsuspend":                  {"account_create", opAdd, "User", ""},
	"user.lifecycle.deactivate":                 {"account_disable", opRemove, "User", ""},
	"user.lifecycle.suspend":                    {"account_disable", opRemove, "User", ""},
	"user.lifecycle.delete.initiated":           {"account_delete", opRemove, "User", ""},
	"user.lifecycle.delete.completed":           {"account_delete", opRemove, "User", ""},
	"user.account.unlock_by_admin":              {"account_update", opChange, "User", ""},
	"user.account.reset_password":               {"credential_change", opChange, "User", ""},
	"user.account.update_password":              {"credential_change", opChange, "User", ""},
	"system.api_token.create":                   {"credential_create", opAdd, "Token", ""},
	"system.api_token.enable":                   {"credential_create", opAdd, "Token", ""},
	"system.api_token.update":                   {"credential_change", opChange, "Token", ""},
	"system.api_token.revoke":                   {"credential_revoke", opRemove, "Token", ""},
	"app.oauth2.client.lifecycle.":              {"credential_change", opChange, "PublicClientApp", ""},
	"user.mfa.factor.activate":                  {"mfa_enable", opAdd, "User", ""},
	"user.mfa.factor.update":                    {"mfa_enable", opChange, "User", ""},
	"user.mfa.factor.deactivate":                {"mfa_disable", opRemove, "User", ""},
	"user.mfa.factor.suspend":                   {"mfa_disable", opRemove, "User", ""},
	"user.mfa.factor.reset_all":                 {"mfa_disable", opRemove, "User", ""},
	"user.mfa.attempt_bypass":                   {"break_glass_use", "", "User", ""},
	"system.mfa.factor.activate":                {"policy_change", opAdd, "", ""},
	"system.mfa.factor.deactivate":              {"policy_change", opRemove, "", ""},
	"security.authenticator.lifecycle.":         {"policy_change", opChange, "", ""},
	"policy.lifecycle.":                         {"policy_change", opChange, "PolicyEntity", ""},
	"policy.rule.add":                           {"policy_change", opAdd, "PolicyEntity", "PolicyRule"},
	"policy.rule.update":                        {"policy_change", opChange, "PolicyEntity", "PolicyRule"},
	"policy.rule.activate":                      {"policy_change", opChange, "PolicyEntity", "PolicyRule"},
	"policy.rule.deactivate":                    {"policy_change", opRemove, "PolicyEntity", "PolicyRule"},
	"policy.rule.delete":                        {"policy_change", opRemove, "PolicyEntity", "PolicyRule"},
	"application.policy.sign_on.":               {"policy_change", opChange, "AppInstance", ""},
	"app.policy.sign_on.update":                 {"policy_change", opChange, "AppInstance", ""},
	"zone.":                                     {"network_rule_change", opChange, "", ""},
	"system.idp.lifecycle.":                     {"trust_change", opChange, "", ""},
	"system.agent.ad.":                          {"trust_change", opChange, "", ""},
	"user.session.impersonation.":               {"break_glass_use", "", "User", ""},
	"support.org.update":                        {"break_glass_use", "", "", ""},
	"user.session.start":                        {"sign_in", "", "User", ""},
	"user.session.access_admin_app":             {"sign_in", "", "User", ""},
	"certification.campaign.create":             {"access_review_start", "", "CERTIFICATION_CAMPAIGN", ""},
	"certification.campaign.launch":             {"access_review_start", "", "CERTIFICATION_CAMPAIGN", ""},
	"certification.campaign.close":              {"access_review_close", "", "CERTIFICATION_CAMPAIGN", ""},
	"certification.campaign.item.decide":        {"access_review_decision", "", "User", ""},
	"certification.campaign.item.remediate":     {"access_review_remediation", "", "User", ""},
	"certification.remediation.open":            {"access_review_remediation", "", "User", ""},
	"access.review.create":                      {"access_review_start", "", "", ""},
	"access.review.start":                       {"access_review_start", "", "", ""},
	"access.review.action":                      {"access_review_decision", "", "User", ""},
	"access.review.remediate":                   {"access_review_remediation", "", "User", ""},
	"access.review.close":                       {"access_review_close", "", "", ""},
}

func oktaRuleOf(eventType string) (oktaRule, bool) {
	if r, ok := oktaRules[eventType]; ok {
		return r, true
	}
	for family := eventType; ; {
		i := strings.LastIndexByte(family, '.')
		if i < 0 {
			return oktaRule{}, false
		}
		family = family[:i]
		if r, ok := oktaRules[family+"."]; ok {
			return r, true
		}
	}
}

// oktaAdmin recognises administrator roles, as types and as the texts of the
// log, whose spelling varies. Reading and reporting roles are not among them.
var (
	oktaAdmin    = regexp.MustCompile(`(?i)super|org(anization)?[ _]admin|app(lication)?[ _]admin|user[ _]admin|group[ _](membership[ _])?admin|api[ _]access[ _]management|help[ _]desk|^custom$|mobile[ _]admin`)
	oktaReadOnly = regexp.MustCompile(`(?i)read[ _-]?only|report`)
)

// oktaEvent maps one LogEvent of the System Log API or of an event hook.
func (b *builder) oktaEvent(rec node) {
	id, eventType := rec.str("uuid"), rec.str("eventType")
	at, err := rec.instant("published")
	if id == "" || eventType == "" || err != nil {
		b.fault(b.where, incomplete("no LogEvent: uuid, eventType or published is absent", err))
		return
	}
	rule, known := oktaRuleOf(eventType)
	if !known {
		b.rec.Ignore("okta " + eventType)
		return
	}
	r := oktaRecord{rec}
	f := engine.AccessFact{
		Kind: rule.kind, Change: eventType, Target: r.target(rule), SourceIP: rec.str("client.ipAddress"),
		Permission:    &engine.AccessFactPermission{Operation: rule.operation},
		TransactionID: rec.str("transaction.id"), CredentialID: rec.str("transaction.detail.requestApiTokenId"),
	}
	f.Outcome, f.Error = r.outcome(eventType)
	f.Permission.ID = r.permission(rule)
	r.judge(eventType, &f)
	b.changed(change{provider: "okta", id: "okta:log:" + id, at: at, actor: r.actor(eventType), fact: f})
}

type oktaRecord struct{ node }

// outcome: a change happened only with SUCCESS; ALLOW is that of an evaluation.
func (r oktaRecord) outcome(eventType string) (outcome, reason string) {
	switch result := r.str("outcome.result"); result {
	case "SUCCESS", "ALLOW":
		return "success", ""
	case "DENY":
		return "denied", result
	case "FAILURE":
		if strings.HasPrefix(eventType, "user.session.") {
			return "denied", cmp.Or(r.str("outcome.reason"), result)
		}
		return "failed", result
	case "SKIPPED":
		if strings.HasPrefix(eventType, "certification.") {
			return "success", "" // a review item handed on
		}
		return "failed", result
	case "SCHEDULED", "DEFERRED":
		return "in_progress", result
	case "":
		return "unknown", ""
	default:
		return "unknown", result
	}
}

func (r oktaRecord) actor(eventType string) actor {
	n := r.get("actor")
	a := actor{account: account("okta", oktaName(n), n.str("id")), kind: "unknown", confidence: "immutable_id"}
	if a.account == nil {
		return actor{}
	}
	if a.account.ID == "" {
		a.confidence = "none"
	}
	person(a.account)
	switch n.str("type") {
	case "User":
		a.kind = "human"
	case "SystemPrincipal":
		a.kind, a.account.Email = "service", ""
	case "PublicClientApp", "ServiceAccount", "OAuthClient":
		a.kind = "workload"
	}
	switch {
	case strings.HasPrefix(eventType, "user.session.impersonation.") && strings.HasSuffix(strings.ToLower(a.account.Account), "@okta.com"):
		a.kind = "vendor_support"
	case r.has("transaction.detail.requestApiTokenId"):
		a.kind, a.via = "workload", "api token of this person"
	}
	return a
}

// oktaName is the login of a target or actor; groups and policies have none.
func oktaName(n node) string {
	if name := n.str("alternateId"); name != "" && name != "unknown" {
		return name
	}
	return n.first("displayName", "id")
}

// find is the target of one type.
func (r oktaRecord) find(kind string) node {
	for _, t := range r.list("target") {
		if kind == "" || t.str("type") == kind {
			return t
		}
	}
	return node{}
}

func (r oktaRecord) target(rule oktaRule) *engine.AccessFactTarget {
	n := r.find(rule.target)
	if n.v == nil && rule.kind != "sign_in" {
		n = r.find("")
	}
	t := &engine.AccessFactTarget{Kind: oktaKind(n.str("type")), Account: oktaName(n), ID: n.str("id"), Name: n.str("displayName")}
	if t.Account == "" {
		if a := r.get("actor"); rule.target == "User" {
			return &engine.AccessFactTarget{Kind: "user", Account: oktaName(a), ID: a.str("id"), Name: a.str("displayName")}
		}
		t.Kind, t.Name = "organisation", "unknown"
	}
	return t
}

func oktaKind(t string) string {
	switch t {
	case "User", "AppUser":
		return "user"
	case "UserGroup":
		return "group"
	case "AppInstance":
		return "app"
	case "CERTIFICATION_CAMPAIGN":
		return "access_review"
	}
	return strings.ToLower(t)
}

// debug reads debugData, whose keys are spelled in camelCase or snake_case.
func (r oktaRecord) debug(camel, snake string) string {
	data := r.get("debugContext.debugData")
	return cmp.Or(data.str(camel), data.str(snake))
}

func (r oktaRecord) permission(rule oktaRule) string {
	if granted := r.debug("privilegeGranted", "privilege_granted"); granted != "" {
		return granted // every privilege that is held now, not only the new one
	}
	switch rule.kind {
	case "access_review_decision", "access_review_remediation":
		resource := r.debug("campaignItemResourceName", "campaign_item_resource_name")
		decision := r.debug("campaignItemDecision", "campaign_item_decision")
		return strings.TrimSpace(decision + " " + resource)
	case "mfa_disable", "mfa_enable":
		return "second factor"
	}
	if rule.permission == "" {
		return ""
	}
	n := r.find(rule.permission)
	if name := n.str("displayName"); name != "" {
		return name
	}
	return oktaName(n)
}

func (r oktaRecord) judge(eventType string, f *engine.AccessFact) {
	p := f.Permission
	switch f.Kind {
	case "role_grant", "role_revoke":
		if r.debug("privilegeGranted", "privilege_granted") != "" {
			p.Condition = "lists every privilege held, not only the new one"
		}
		var whys []string
		for role := range strings.SplitSeq(p.ID, ",") {
			if role = strings.TrimSpace(role); oktaAdmin.MatchString(role) && !oktaReadOnly.MatchString(role) {
				whys = append(whys, role)
			}
		}
		if p.ID != "" {
			verdict(f, whys)
		}
	case "group_membership_add", "group_membership_remove":
		privilegedGroup(f, p.ID)
	case "policy_change":
		why(f, "sign-on or administration policy")
	case "trust_change":
		why(f, "identity provider")
	case "break_glass_use":
		why(f, "emergency or vendor access: "+eventType)
	case "access_review_decision", "access_review_remediation":
		p.Scope = strings.TrimSpace("review " + r.debug("campaignId", "campaign_id"))
		privilegedGroup(f, r.debug("campaignItemResourceName", "campaign_item_resource_name"))
	}
}
