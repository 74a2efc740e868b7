package iam

import (
	"bytes"
	"encoding/base64"
	"errors"
	"fmt"
	"strings"

	"github.com/changevouch/changevouch/engine"
)

func isCredentialReport(body []byte) bool { return bytes.HasPrefix(body, []byte("user,arn,")) }

// awsReportAnswer maps the answer of GetCredentialReport, which carries the
// report as base64.
func (b *builder) awsReportAnswer(doc node) {
	content := doc.str("Content")
	report, err := base64.StdEncoding.DecodeString(content)
	if err != nil {
		report = []byte(content) // some tools write the report as it is
	}
	if !isCredentialReport(report) {
		b.fault("/Content", errors.New("no credential report"))
		return
	}
	b.awsCredentialReport(report)
}

// awsCredentialReport maps a credential report: one row a user and one for root.
// Columns were added over the years: they are read by name.
func (b *builder) awsCredentialReport(report []byte) {
	if lost := b.table(report, b.awsReportRow); lost > 0 {
		b.unread("credentials", "", fmt.Sprintf("%d rows could not be read", lost))
		return
	}
	b.covered("credentials", "")
}

func (b *builder) awsReportRow(r node) error {
	name, arn := r.str("user"), r.str("arn")
	if name == "" || arn == "" {
		return errors.New("no user: user or arn is absent")
	}
	f := engine.HolderFact{
		System: "aws", Holder: engine.Account{System: "aws", Account: name}, Scope: arnScope(arn),
		MFA: r.flag("mfa_active"), CreatedAt: r.when("user_creation_time"),
	}
	active := r.str("password_enabled") == "true"
	for _, key := range []string{"access_key_1", "access_key_2"} {
		if r.str(key+"_active") == "true" {
			active = true
			f.Permissions = append(f.Permissions, key)
		}
	}
	for _, used := range []string{"password_last_used", "access_key_1_last_used_date", "access_key_2_last_used_date"} {
		if t := r.when(used); t != nil && (f.LastUsedAt == nil || t.After(*f.LastUsedAt)) {
			f.LastUsedAt = t
		}
	}
	if r.str("password_enabled") == "true" {
		f.Permissions = append([]string{"console password"}, f.Permissions...)
	}
	f.Active = &active
	if name == "<root_account>" {
		f.Holder = engine.Account{System: "aws", Account: arn, Kind: "root"}
		f.Privileged, f.PrivilegedWhy, f.Shared = ptr(true), []string{"root user"}, ptr(true)
		f.Active = ptr(true)
		if len(f.Permissions) > 0 {
			f.PrivilegedWhy = append(f.PrivilegedWhy, "root access key")
		}
	}
	b.holds("credential", arn, f)
	return nil
}

// arnScope is the account number of an ARN.
func arnScope(arn string) string {
	if parts := strings.SplitN(arn, ":", 6); len(parts) == 6 && parts[4] != "" {
		return "account " + parts[4]
	}
	return ""
}

// awsAuthorizationDetails maps GetAccountAuthorizationDetails: users and roles
// with what they hold, directly and through groups.
func (b *builder) awsAuthorizationDetails(doc node) {
	documents := map[string]node{}
	for _, p := range doc.list("Policies") {
		for _, v := range p.list("PolicyVersionList") {
			if v.str("IsDefaultVersion") == "true" {
				documents[p.str("Arn")] = policyDocument(v.get("Document"))
			}
		}
	}
	groups := map[string]node{}
	for _, g := range doc.list("GroupDetailList") {
		groups[g.str("GroupName")] = g
	}
	for i, u := range doc.list("UserDetailList") {
		b.where = fmt.Sprintf("/UserDetailList/%d", i)
		h := holdings{documents: documents}
		h.take("", u, "UserPolicyList")
		for _, name := range u.strs("GroupList") {
			if _, known := groups[name]; !known {
				h.unknown = true
			}
			h.permissions = append(h.permissions, "group "+name)
			h.take("group "+name+": ", groups[name], "GroupPolicyList")
		}
		b.awsHolder("user", u, u.str("UserName"), u.str("UserId"), h)
	}
	for i, r := range doc.list("RoleDetailList") {
		b.where = fmt.Sprintf("/RoleDetailList/%d", i)
		h := holdings{documents: documents}
		h.take("", r, "RolePolicyList")
		home := strings.TrimPrefix(arnScope(r.str("Arn")), "account ")
		h.why = append(h.why, trustReasons(policyDocument(r.get("AssumeRolePolicyDocument")), home)...)
		b.awsHolder("role", r, r.str("RoleName"), r.str("RoleId"), h)
	}
	if doc.str("IsTruncated") == "true" && !doc.has("Marker") {
		b.unread("credentials", "", "the answer is cut off and names no marker to go on from")
		return
	}
	b.covered("credentials", "")
}

func (b *builder) awsHolder(noun string, n node, name, id string, h holdings) {
	if name == "" {
		b.fault(b.where, errors.New("no name"))
		return
	}
	f := engine.HolderFact{
		System: "aws", Holder: engine.Account{System: "aws", Account: name, ID: id}, Permissions: h.permissions,
		Scope: arnScope(n.str("Arn")), CreatedAt: n.when("CreateDate"), LastUsedAt: n.when("RoleLastUsed.LastUsedDate"),
		PrivilegedWhy: h.why,
	}
	if noun == "role" {
		f.Holder.Kind = "workload"
	}
	for _, tag := range n.list("Tags") { // the agreed way to name the person behind an account
		if key := tag.str("Key"); strings.EqualFold(key, "Email") || strings.EqualFold(key, "Owner") {
			if v := tag.str("Value"); emailLike.MatchString(v) {
				f.Holder.Email = strings.ToLower(v)
			}
		}
	}
	switch {
	case len(h.why) > 0:
		f.Privileged = ptr(true)
	case !h.unknown:
		f.Privileged = ptr(false)
	}
	b.holds(noun, n.str("Arn"), f)
}

// holdings gathers what one user or role may do. unknown means that a policy is
// attached whose document is not in the answer.
type holdings struct {
	documents   map[string]node
	permissions []string
	why         []string
	unknown     bool
}

func (h *holdings) take(through string, n node, inline string) {
	for _, p := range n.list("AttachedManagedPolicies") {
		arn := p.str("PolicyArn")
		h.permissions = append(h.permissions, through+arn)
		doc, known := h.documents[arn]
		switch {
		case privilegedPolicies[arn]:
			h.why = append(h.why, through+"managed policy "+lastPart(arn))
		case known:
			h.judge(through+lastPart(arn), doc)
		default:
			h.unknown = true
		}
	}
	for _, p := range n.list(inline) {
		name := "inline " + p.str("PolicyName")
		h.permissions = append(h.permissions, through+name)
		h.judge(through+name, policyDocument(p.get("PolicyDocument")))
	}
}

func (h *holdings) judge(name string, doc node) {
	for _, reason := range policyReasons(doc) {
		h.why = append(h.why, name+" "+reason)
	}
}
