package iam

import (
	"cmp"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/changevouch/changevouch/engine"
)

// gcpRule reads one method, recognised by how its name ends.
type gcpRule struct {
	method     string
	kind       string
	operation  string
	targetKind string
	privileged string
}

// gcpRules lists audited methods, most specific first.
var gcpRules = []gcpRule{
	{"google.iam.admin.v1.CreateRole", "policy_change", opAdd, "role", ""},
	{"google.iam.admin.v1.UpdateRole", "policy_change", opChange, "role", ""},
	{"google.iam.admin.v1.DeleteRole", "policy_change", opRemove, "role", ""},
	{"CreateServiceAccountKey", "credential_create", opAdd, "service_account", "key of a service account"},
	{"UploadServiceAccountKey", "credential_create", opAdd, "service_account", "key of a service account"},
	{"DeleteServiceAccountKey", "credential_revoke", opRemove, "service_account", ""},
	{"DisableServiceAccountKey", "credential_revoke", opRemove, "service_account", ""},
	{"EnableServiceAccountKey", "credential_create", opAdd, "service_account", "key of a service account"},
	{"CreateServiceAccount", "account_create", opAdd, "service_account", ""},
	{"DeleteServiceAccount", "account_delete", opRemove, "service_account", ""},
	{"DisableServiceAccount", "account_disable", opRemove, "service_account", ""},
	{"EnableServiceAccount", "account_create", opAdd, "service_account", ""},
	{"InsertProjectOwnershipInvite", "role_grant", opAdd, "user", "roles/owner by invitation"},
	{"CreateWorkloadIdentityPoolProvider", "trust_change", opAdd, "identity_provider", "outside identities trusted"},
	{"UpdateWorkloadIdentityPoolProvider", "trust_change", opChange, "identity_provider", "outside identities trusted"},
	{"DeleteWorkloadIdentityPoolProvider", "trust_change", opRemove, "identity_provider", ""},
	{"CreateWorkloadIdentityPool", "trust_change", opAdd, "identity_provider", ""},
	{"UpdateWorkloadIdentityPool", "trust_change", opChange, "identity_provider", ""},
	{"DeleteWorkloadIdentityPool", "trust_change", opRemove, "identity_provider", ""},
	{"CreateWorkforcePoolProvider", "trust_change", opAdd, "identity_provider", "outside identities trusted"},
	{"UpdateWorkforcePoolProvider", "trust_change", opChange, "identity_provider", "outside identities trusted"},
	{"CreateWorkforcePool", "trust_change", opAdd, "identity_provider", ""},
	{"UpdateWorkforcePool", "trust_change", opChange, "identity_provider", ""},
	{"DeleteWorkforcePool", "trust_change", opRemove, "identity_provider", ""},
	{"ApiKeys.CreateKey", "credential_create", opAdd, "api_key", ""},
	{"ApiKeys.DeleteKey", "credential_revoke", opRemove, "api_key", ""},
	{"GenerateAccessToken", "role_assumption", "", "service_account", ""},
	{"GenerateIdToken", "role_assumption", "", "service_account", ""},
	{"SignJwt", "role_assumption", "", "service_account", ""},
	{"SignBlob", "role_assumption", "", "service_account", ""},
	{"CreateIngressRule", "network_rule_add", opAdd, "firewall", ""},
	{"UpdateIngressRule", "network_rule_change", opChange, "firewall", ""},
	{"DeleteIngressRule", "network_rule_remove", opRemove, "firewall", ""},
	{"compute.firewalls.insert", "network_rule_add", opAdd, "firewall", ""},
	{"compute.firewalls.patch", "network_rule_change", opChange, "firewall", ""},
	{"compute.firewalls.update", "network_rule_change", opChange, "firewall", ""},
	{"compute.firewalls.delete", "network_rule_remove", opRemove, "firewall", ""},
	{"compute.sslPolicies.insert", "tls_policy_change", opAdd, "tls_policy", ""},
	{"compute.sslPolicies.patch", "tls_policy_change", opChange, "tls_policy", ""},
	{"compute.sslPolicies.delete", "tls_policy_change", opRemove, "tls_policy", ""},
	{"compute.targetHttpsProxies.setSslPolicy", "tls_policy_change", opChange, "tls_policy", ""},
	{"compute.sslCertificates.insert", "certificate_add", opAdd, "certificate", ""},
	{"compute.sslCertificates.delete", "certificate_remove", opRemove, "certificate", ""},
	{"ConfigServiceV2.CreateSink", "audit_log_change", opAdd, "sink", ""},
	{"ConfigServiceV2.UpdateSink", "audit_log_change", opChange, "sink", "audit logging weakened"},
	{"ConfigServiceV2.DeleteSink", "audit_log_change", opRemove, "sink", "audit logging weakened"},
	{"ConfigServiceV2.CreateExclusion", "audit_log_change", opChange, "sink", "audit logging weakened"},
	{"ConfigServiceV2.UpdateExclusion", "audit_log_change", opChange, "sink", "audit logging weakened"},
	{"ConfigServiceV2.DeleteExclusion", "audit_log_change", opAdd, "sink", ""},
	{"ConfigServiceV2.UpdateBucket", "audit_log_change", opChange, "log_bucket", "audit logging weakened"},
	{"ConfigServiceV2.DeleteBucket", "audit_log_change", opRemove, "log_bucket", "audit logging weakened"},
}

// gcpAdminRoles give a project, its service accounts or its policy away.
var gcpAdminRoles = []string{
	"roles/owner", "roles/editor", "roles/iam.securityAdmin", "roles/iam.organizationRoleAdmin",
	"roles/resourcemanager.organizationAdmin", "roles/resourcemanager.projectIamAdmin",
	"roles/iam.serviceAccountTokenCreator", "roles/iam.serviceAccountKeyAdmin", "roles/iam.serviceAccountUser",
	"roles/iam.serviceAccountAdmin", "roles/iam.workloadIdentityPoolAdmin",
}

var setsPolicy = regexp.MustCompile(`(?i)(^|\.)setIam(Policy|Permissions)$`)

// gcpEntry maps one LogEntry that carries an AuditLog.
func (b *builder) gcpEntry(rec node) {
	p := rec.get("protoPayload")
	method := p.str("methodName")
	if method == "" {
		b.rec.Ignore("gcp entry without audit log")
		return
	}
	at, err := rec.instant("timestamp")
	insert := rec.str("insertId")
	if err != nil || insert == "" {
		b.fault(b.where, incomplete("no log entry: timestamp or insertId is absent", err))
		return
	}
	r := gcpRecord{node: p}
	project, _, _ := strings.Cut(rec.str("logName"), "/logs/")
	// One insertId stands for one entry within a log and instant.
	id := strings.Join([]string{"gcp:audit", cmp.Or(project, "-"), rec.str("timestamp"), insert}, ":")
	who := r.actor()
	outcome, code := r.outcome()
	if op := rec.get("operation"); outcome == "success" && op.str("first") == "true" && op.str("last") != "true" {
		outcome = "in_progress" // a long operation writes a second entry when it is done: that one counts
	}
	var changes []change
	for _, f := range b.gcpFacts(r, who) {
		f.Change, f.Outcome, f.Error = method, outcome, code
		f.SourceIP = p.str("requestMetadata.callerIp")
		f.TransactionID = rec.str("operation.id")
		f.CredentialID = lastPart(p.str("authenticationInfo.serviceAccountKeyName"))
		changes = append(changes, change{provider: "gcp", id: id, at: at, actor: who, fact: f})
	}
	b.changed(changes...)
}

type gcpRecord struct{ node }

// gcpFacts says what the call changes: one fact for every delta.
func (b *builder) gcpFacts(r gcpRecord, who actor) []engine.AccessFact {
	method, resource := r.str("methodName"), r.str("resourceName")
	if strings.HasPrefix(method, "google.admin.AdminService.") {
		var out []engine.AccessFact
		for _, e := range r.list("metadata.event") {
			if c, ok := b.googleChange(e, "eventName", "parameter", who); ok {
				out = append(out, c.fact)
			}
		}
		return out
	}
	if setsPolicy.MatchString(method) {
		return r.policy(resource)
	}
	i := slices.IndexFunc(gcpRules, func(rule gcpRule) bool { return strings.HasSuffix(method, rule.method) })
	if i < 0 {
		b.rec.Ignore("gcp " + method)
		return nil
	}
	rule := gcpRules[i]
	f := engine.AccessFact{
		Kind:       rule.kind,
		Target:     &engine.AccessFactTarget{Kind: rule.targetKind, Account: cmp.Or(resource, "unknown")},
		Permission: &engine.AccessFactPermission{Operation: rule.operation},
	}
	switch {
	case rule.method == "InsertProjectOwnershipInvite":
		member := r.str("request.member")
		f.Target = gcpMember(member)
		f.Permission.ID, f.Permission.Scope = "roles/owner", resource
	case strings.HasPrefix(rule.method, "google.iam.admin.v1."):
		added, removed := r.strs("serviceData.permissionDelta.addedPermissions"), r.strs("serviceData.permissionDelta.removedPermissions")
		f.Permission.ID = strings.Join(limited(added), ", ")
		f.Permission.Before = strings.Join(limited(removed), ", ")
	case rule.method == "CreateServiceAccount":
		if email := r.first("response.email", "request.service_account.email"); email != "" {
			f.Target.Account, f.Target.ID = email, r.str("response.unique_id")
		}
		f.Permission.Scope = resource
	case rule.targetKind == "service_account":
		if name := lastPart(r.str("request.name")); name != "" {
			f.Target.Account = name
		}
		f.Permission.Scope = resource
	}
	if rule.privileged != "" {
		why(&f, rule.privileged)
	}
	return []engine.AccessFact{f}
}

func limited(all []string) []string {
	if len(all) > shownActions {
		return append(all[:shownActions:shownActions], "…")
	}
	return all
}

// policy reads SetIamPolicy: the deltas where the service gives them. Some give
// only the whole new policy: then what changed is unknown.
func (r gcpRecord) policy(resource string) []engine.AccessFact {
	var out []engine.AccessFact
	for _, data := range []string{"serviceData", "metadata"} {
		for _, d := range r.list(data + ".policyDelta.bindingDeltas") {
			f := engine.AccessFact{Kind: "role_grant", Target: gcpMember(d.str("member")), Permission: &engine.AccessFactPermission{
				ID: d.str("role"), Operation: opAdd, Scope: resource, Condition: d.first("condition.expression", "condition.title"),
			}}
			if d.str("action") == "REMOVE" {
				f.Kind, f.Permission.Operation = "role_revoke", opRemove
			}
			judgeBinding(&f, resource)
			f.ExpiresAt = conditionEnd(f.Permission.Condition)
			out = append(out, f)
		}
		for _, d := range r.list(data + ".policyDelta.auditConfigDeltas") {
			f := engine.AccessFact{Kind: "audit_log_change",
				Target:     &engine.AccessFactTarget{Kind: "audit_config", Account: cmp.Or(resource, "unknown")},
				Permission: &engine.AccessFactPermission{ID: strings.TrimSpace(d.str("service") + " " + d.str("logType")), Operation: opAdd, Scope: resource},
			}
			if d.str("action") == "REMOVE" || d.has("exemptedMember") {
				f.Permission.Operation = opRemove
				why(&f, "audit logging weakened")
			}
			out = append(out, f)
		}
	}
	if len(out) > 0 {
		return out
	}
	f := engine.AccessFact{
		Kind: "role_grant", Target: &engine.AccessFactTarget{Kind: "resource", Account: cmp.Or(resource, "unknown")},
		Permission: &engine.AccessFactPermission{Operation: opChange, Scope: resource, Condition: "the record does not say what changed"},
	}
	// Whatever the change was: who holds what afterwards is known, and what of it is high privilege.
	for _, binding := range r.list("request.policy.bindings") {
		for _, member := range binding.strs("members") {
			probe := engine.AccessFact{Target: gcpMember(member), Permission: &engine.AccessFactPermission{ID: binding.str("role")}}
			judgeBinding(&probe, resource)
			for _, reason := range probe.PrivilegedWhy {
				f.PrivilegedWhy = append(f.PrivilegedWhy, "afterwards "+member+": "+reason)
			}
		}
	}
	if len(f.PrivilegedWhy) > 0 {
		f.Privileged = ptr(true)
		f.PrivilegedWhy = limited(f.PrivilegedWhy)
	}
	return []engine.AccessFact{f}
}

// judgeBinding says whether a role or a member is one that matters.
func judgeBinding(f *engine.AccessFact, resource string) {
	role := f.Permission.ID
	var reasons []string
	if slices.Contains(gcpAdminRoles, role) {
		reasons = append(reasons, role)
	} else if strings.HasPrefix(resource, "organizations/") && strings.HasSuffix(strings.ToLower(role), "admin") {
		reasons = append(reasons, role+" on the organisation")
	}
	if f.Target.Account == "allUsers" || f.Target.Account == "allAuthenticatedUsers" {
		reasons = append(reasons, "open to "+f.Target.Account)
	}
	if role != "" {
		verdict(f, reasons)
	}
}

var endsAt = regexp.MustCompile(`request\.time\s*<=?\s*timestamp\(["']([^"']+)["']\)`)

// gcpMember reads a member of a binding: user:, serviceAccount:, group:,
// domain:, principal://…, allUsers, deleted:user:a@b?uid=1.
func gcpMember(member string) *engine.AccessFactTarget {
	rest, deleted := strings.CutPrefix(member, "deleted:")
	t := &engine.AccessFactTarget{Kind: "member", Account: rest}
	if kind, name, ok := strings.Cut(rest, ":"); ok && !strings.HasPrefix(name, "//") {
		t.Account = name
		switch kind {
		case "serviceAccount":
			t.Kind = "service_account"
		default:
			t.Kind = kind
		}
	}
	if name, uid, ok := strings.Cut(t.Account, "?uid="); ok {
		t.Account, t.ID = name, uid
	}
	if deleted {
		t.Name = "deleted"
	}
	if t.Account == "" {
		t.Name = "unknown"
	}
	return t
}

// outcome: no status, an empty one or code 0 is success; 7 is a refusal.
func (r gcpRecord) outcome() (outcome, code string) {
	switch code := r.str("status.code"); code {
	case "", "0":
	case "7":
		return "denied", "PERMISSION_DENIED"
	default:
		return "failed", "code " + code
	}
	for _, a := range r.list("authorizationInfo") {
		if a.str("granted") == "false" {
			return "denied", "PERMISSION_DENIED"
		}
	}
	return "success", ""
}

// actor reads authenticationInfo; behind an impersonated service account stands
// who delegated to it.
func (r gcpRecord) actor() actor {
	info := r.get("authenticationInfo")
	email, subject := strings.ToLower(info.str("principalEmail")), info.str("principalSubject")
	for _, d := range info.list("serviceAccountDelegationInfo") {
		behind := d.str("firstPartyPrincipal.principalEmail")
		if kind, name, ok := strings.Cut(d.str("principalSubject"), ":"); ok && behind == "" && kind == "user" {
			behind = name
		}
		if behind = strings.ToLower(behind); behind == "" || strings.HasSuffix(behind, ".gserviceaccount.com") {
			continue
		}
		return actor{
			account: &engine.Account{System: "gcp", Account: behind, Email: behind},
			kind:    "human", confidence: "verified_email", via: cmp.Or(email, subject),
		}
	}
	a := actor{account: account("gcp", cmp.Or(email, subject), ""), kind: "unknown", confidence: "none"}
	if a.account == nil {
		return a
	}
	switch {
	case strings.HasSuffix(email, ".gserviceaccount.com"), strings.HasPrefix(subject, "serviceAccount:"), strings.Contains(subject, "/workloadIdentityPools/"):
		a.kind, a.confidence = "workload", "verified_email"
		if email == "" {
			a.confidence = "immutable_id"
		}
	case email != "":
		a.account.Email, a.confidence = email, "verified_email"
		if strings.HasPrefix(subject, "user:") {
			a.kind = "human"
		}
	case strings.Contains(subject, "/workforcePools/"):
		a.kind, a.confidence = "human", "immutable_id"
	}
	return a
}

// conditionEnd is the end that a conditional binding carries within itself.
func conditionEnd(expression string) *time.Time {
	m := endsAt.FindStringSubmatch(expression)
	if m == nil {
		return nil
	}
	return node{m[1]}.when("")
}
