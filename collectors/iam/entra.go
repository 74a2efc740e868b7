package iam

import (
	"cmp"
	"errors"
	"regexp"
	"slices"
	"strings"

	"github.com/changevouch/changevouch/engine"
)

// entraRule reads one activity. target and permission name resource types.
type entraRule struct {
	activity   string
	kind       string
	operation  string
	target     string
	permission string
	privileged string
}

// entraRules lists activities by how their display name begins, longest first.
// An eligible role (PIM) is a right to activate, not the role itself.
var entraRules = []entraRule{
	{"add eligible member to role", "role_grant", opAdd, "User", "Role", ""},
	{"remove eligible member from role", "role_revoke", opRemove, "User", "Role", ""},
	{"add member to role in pim requested", "role_grant", opAdd, "User", "Role", ""},
	{"add member to role", "role_grant", opAdd, "User", "Role", ""},
	{"remove member from role", "role_revoke", opRemove, "User", "Role", ""},
	{"add member to group", "group_membership_add", opAdd, "User", "Group", ""},
	{"remove member from group", "group_membership_remove", opRemove, "User", "Group", ""},
	{"add owner to group", "group_membership_add", opAdd, "User", "Group", ""},
	{"add group", "group_create", opAdd, "Group", "", ""},
	{"delete group", "group_delete", opRemove, "Group", "", ""},
	{"invite external user", "account_create", opAdd, "User", "", ""},
	{"add user", "account_create", opAdd, "User", "", ""},
	{"enable account", "account_create", opAdd, "User", "", ""},
	{"delete user", "account_delete", opRemove, "User", "", ""},
	{"hard delete user", "account_delete", opRemove, "User", "", ""},
	{"disable account", "account_disable", opRemove, "User", "", ""},
	{"update user", "account_update", opChange, "User", "", ""},
	{"reset user password", "credential_change", opChange, "User", "", ""},
	{"reset password", "credential_change", opChange, "User", "", ""},
	{"change user password", "credential_change", opChange, "User", "", ""},
	{"user registered security info", "mfa_enable", opAdd, "User", "", ""},
	{"user deleted security info", "mfa_disable", opRemove, "User", "", ""},
	{"disable strong authentication", "mfa_disable", opRemove, "User", "", ""},
	{"enable strong authentication", "mfa_enable", opAdd, "User", "", ""},
	{"add conditional access policy", "policy_change", opAdd, "Policy", "", "conditional access"},
	{"update conditional access policy", "policy_change", opChange, "Policy", "", "conditional access"},
	{"delete conditional access policy", "policy_change", opRemove, "Policy", "", "conditional access"},
	{"add policy", "policy_change", opAdd, "Policy", "", ""},
	{"update policy", "policy_change", opChange, "Policy", "", ""},
	{"delete policy", "policy_change", opRemove, "Policy", "", ""},
	{"add service principal credentials", "credential_create", opAdd, "ServicePrincipal", "", "credential of an application"},
	{"remove service principal credentials", "credential_revoke", opRemove, "ServicePrincipal", "", ""},
	{"update application – certificates and secrets management", "credential_create", opChange, "Application", "", "credential of an application"},
	{"update application - certificates and secrets management", "credential_create", opChange, "Application", "", "credential of an application"},
	{"consent to application", "app_assignment_add", opAdd, "ServicePrincipal", "", ""},
	{"add app role assignment", "app_assignment_add", opAdd, "ServicePrincipal", "", ""},
	{"remove app role assignment", "app_assignment_remove", opRemove, "ServicePrincipal", "", ""},
	{"add delegated permission grant", "app_assignment_add", opAdd, "ServicePrincipal", "", ""},
	{"remove delegated permission grant", "app_assignment_remove", opRemove, "ServicePrincipal", "", ""},
	{"set domain authentication", "trust_change", opChange, "Domain", "", "domain federation"},
	{"set federation settings on domain", "trust_change", opChange, "Domain", "", "domain federation"},
	{"add domain federation settings", "trust_change", opAdd, "Domain", "", "domain federation"},
	{"update domain federation settings", "trust_change", opChange, "Domain", "", "domain federation"},
	{"user has elevated their access to user access administrator", "role_grant", opAdd, "", "", "User Access Administrator on all Azure resources"},
}

var entraAdminRole = regexp.MustCompile(`(?i)^((global|privileged role|privileged authentication|user|application|cloud application|conditional access|exchange|security|hybrid identity) administrator|company administrator)$`)

const globalAdministrator = "62e90394-69f5-4237-9190-012177145e10"

// entraAudit maps one directory audit record, of Graph or in the envelope of
// Azure Monitor, where it lies under properties, sometimes as text.
func (b *builder) entraAudit(rec node) {
	if inner := rec.get("properties"); inner.v != nil {
		if text := inner.str(""); text != "" {
			parsed, err := parse([]byte(text))
			if err != nil {
				b.fault(b.where+"/properties", errors.New("not JSON"))
				return
			}
			inner = parsed
		}
		if category := rec.str("category"); category != "" && category != "AuditLogs" {
			b.rec.Ignore("entra " + category)
			return
		}
		rec = inner
	}
	id, activity := rec.str("id"), rec.first("activityDisplayName", "operationName")
	at, err := rec.instant("activityDateTime")
	if id == "" || activity == "" || err != nil {
		b.fault(b.where, incomplete("no directory audit: id, activityDisplayName or activityDateTime is absent", err))
		return
	}
	low := strings.ToLower(activity)
	i := slices.IndexFunc(entraRules, func(r entraRule) bool { return strings.HasPrefix(low, r.activity) })
	if i < 0 {
		b.rec.Ignore("entra " + activity)
		return
	}
	rule, r := entraRules[i], entraRecord{rec}
	var changes []change
	for _, t := range r.targets(rule) {
		f := engine.AccessFact{
			Kind: rule.kind, Change: activity, Target: t, TransactionID: rec.str("correlationId"),
			Permission: &engine.AccessFactPermission{Operation: rule.operation, ID: r.permission(rule), Scope: r.detail("Scope")},
			SourceIP:   cmp.Or(rec.str("initiatedBy.user.ipAddress"), r.detail("ipaddr")),
		}
		f.Outcome, f.Error = r.outcome(low)
		r.judge(rule, low, &f)
		changes = append(changes, change{provider: "entra", id: "entra:audit:" + id, at: at, actor: r.actor(), fact: f})
	}
	b.changed(changes...)
}

type entraRecord struct{ node }

func (r entraRecord) outcome(activity string) (outcome, reason string) {
	switch result := strings.ToLower(r.str("result")); {
	case result == "success" || result == "" && r.has("operationType"):
		if strings.Contains(activity, "requested") {
			return "in_progress", ""
		}
		return "success", ""
	case result == "failure" || result == "failed":
		return "failed", result
	case result == "timeout":
		return "failed", result
	default:
		return "unknown", result
	}
}

func (r entraRecord) actor() actor {
	if u := r.get("initiatedBy.user"); u.isObject() {
		a := account("entra", u.first("userPrincipalName", "id"), u.str("id"))
		if a == nil {
			return actor{}
		}
		return actor{account: person(a), kind: "human", confidence: "immutable_id"}
	}
	if app := r.get("initiatedBy.app"); app.isObject() {
		return actor{account: account("entra", app.first("displayName", "appId"), app.first("servicePrincipalId", "appId")), kind: "workload", confidence: "immutable_id"}
	}
	return actor{}
}

// targets are the resources that gain or lose: every one of the type that the
// activity is about. A documentation example writes the key Type in capitals.
func (r entraRecord) targets(rule entraRule) []*engine.AccessFactTarget {
	var out []*engine.AccessFactTarget
	for _, n := range r.list("targetResources") {
		if kind := n.first("type", "Type"); rule.target != "" && kind == rule.target {
			out = append(out, entraTarget(n, kind))
		}
	}
	if len(out) > 0 {
		return out
	}
	if rule.target == "" || rule.target == "User" {
		if u := r.get("initiatedBy.user"); rule.target == "" && u.isObject() {
			return []*engine.AccessFactTarget{entraTarget(u, "User")}
		}
	}
	for _, n := range r.list("targetResources") {
		return []*engine.AccessFactTarget{entraTarget(n, n.first("type", "Type"))}
	}
	return []*engine.AccessFactTarget{{Kind: strings.ToLower(rule.target), Name: "unknown"}}
}

func entraTarget(n node, kind string) *engine.AccessFactTarget {
	t := &engine.AccessFactTarget{
		Kind: strings.ToLower(kind), Account: n.first("userPrincipalName", "displayName", "id"),
		ID: n.str("id"), Name: n.str("displayName"),
	}
	if t.Account == "" {
		t.Name = "unknown"
	}
	return t
}

// property reads a new (or, where it was taken away, old) value: JSON inside a string.
func (r entraRecord) property(name string) string {
	for _, t := range r.list("targetResources") {
		for _, p := range t.list("modifiedProperties") {
			if p.str("displayName") != name {
				continue
			}
			for _, key := range []string{"newValue", "oldValue"} {
				raw := p.str(key)
				if v, err := parse([]byte(raw)); err == nil {
					raw = v.str("")
				}
				if raw != "" {
					return raw
				}
			}
		}
	}
	return ""
}

func (r entraRecord) detail(key string) string {
	for _, d := range r.list("additionalDetails") {
		if strings.EqualFold(d.str("key"), key) {
			return d.str("value")
		}
	}
	return ""
}

func (r entraRecord) permission(rule entraRule) string {
	switch rule.permission {
	case "Role":
		if name := r.property("Role.DisplayName"); name != "" {
			return name
		}
	case "Group":
		if name := r.property("Group.DisplayName"); name != "" {
			return name
		}
	case "":
		if strings.HasPrefix(rule.privileged, "User Access Administrator") {
			return "User Access Administrator"
		}
		return ""
	}
	for _, t := range r.list("targetResources") {
		if t.first("type", "Type") == rule.permission {
			return t.first("displayName", "id")
		}
	}
	return ""
}

func (r entraRecord) judge(rule entraRule, activity string, f *engine.AccessFact) {
	p := f.Permission
	switch {
	case rule.privileged != "":
		why(f, rule.privileged)
	case rule.permission == "Role":
		var reasons []string
		if entraAdminRole.MatchString(p.ID) || r.property("Role.TemplateId") == globalAdministrator {
			reasons = append(reasons, p.ID)
		}
		if p.ID != "" {
			verdict(f, reasons)
		}
	case rule.permission == "Group":
		privilegedGroup(f, p.ID)
	}
	if strings.Contains(activity, "eligible") {
		p.Condition = "eligible: takes effect only when activated"
	}
	for _, key := range []string{"ExpirationTime", "EndTime", "EndDateTime"} {
		if f.ExpiresAt == nil {
			f.ExpiresAt = node{r.detail(key)}.when("")
		}
	}
	f.Request = cmp.Or(r.detail("TicketNumber"), r.detail("ticketNumber"))
}
