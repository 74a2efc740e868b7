package iam

import (
	"cmp"
	"strings"
	"time"

	"github.com/changevouch/changevouch/engine"
)

// facts says what the call changes: usually one thing, several for a record
// that carries several rules or beneficiaries.
func (c awsCall) facts(rule awsRule) []engine.AccessFact {
	switch c.service + ":" + c.name {
	case "sts:AssumeRole", "sts:AssumeRoleWithSAML", "sts:AssumeRoleWithWebIdentity", "sts:AssumeRoot", "sts:GetFederationToken", "sts:GetSessionToken":
		return []engine.AccessFact{c.assumption()}
	case "signin:ConsoleLogin", "signin:CheckMfa", "signin:UserAuthentication", "signin:CredentialVerification", "signin:ExternalIdPDirectoryLogin":
		return []engine.AccessFact{c.signIn()}
	case "sso:GetRoleCredentials", "sso:Federate":
		return []engine.AccessFact{c.permissionSetUse()}
	case "ec2:AuthorizeSecurityGroupIngress", "ec2:AuthorizeSecurityGroupEgress", "ec2:RevokeSecurityGroupIngress", "ec2:RevokeSecurityGroupEgress", "ec2:ModifySecurityGroupRules":
		return c.securityGroup(rule)
	case "ec2:ModifySnapshotAttribute", "ec2:ModifyImageAttribute", "rds:ModifyDBSnapshotAttribute":
		return c.sharing(rule)
	}
	if rule.kind == "" { // an unlisted call of the root user
		return []engine.AccessFact{{Kind: "root_use", Target: &engine.AccessFactTarget{Kind: "account", Account: "account " + c.account}}}
	}
	f := c.fact(rule)
	switch c.service + ":" + c.name {
	case "iam:UpdateAccessKey":
		if c.str("requestParameters.status") == "Active" {
			f.Kind, f.Permission.Operation = "credential_create", opAdd
		}
	case "iam:CreatePolicyVersion":
		if set := c.flag("requestParameters.setAsDefault"); set == nil || !*set {
			f.Permission.Condition = "not the default version: in force only after SetDefaultPolicyVersion"
		}
	case "iam:DeleteUserPermissionsBoundary", "iam:DeleteRolePermissionsBoundary":
		why(&f, "permissions boundary removed")
	case "elasticloadbalancing:ModifyListener":
		if f.Permission.ID == "" && c.has("requestParameters.certificates") {
			f.Permission.ID = "certificates"
		}
	case "ec2:ModifyInstanceAttribute":
		if !c.has("requestParameters.groupSet") {
			f.Kind = "config_change"
		}
	case "ec2:CreateNetworkAclEntry", "ec2:ReplaceNetworkAclEntry":
		aclEntry(c, &f)
	case "signin:PasswordUpdated", "signin:PasswordRecoveryRequested", "signin:PasswordRecoveryCompleted":
		f.Target = c.self("account")
	}
	c.judge(&f)
	return []engine.AccessFact{f}
}

// fact reads a rule that names its target and permission.
func (c awsCall) fact(rule awsRule) engine.AccessFact {
	target := &engine.AccessFactTarget{Kind: rule.targetKind, Account: c.pick(rule.target)}
	if target.Account == "" && rule.target == "userName" {
		target = c.self("user") // absent means the caller himself
	}
	permission := &engine.AccessFactPermission{ID: c.pick(rule.permission), Operation: rule.operation, Scope: c.scope()}
	switch {
	case c.service == "iam" && target.Kind == "user":
		if id := c.str("responseElements.user.userId"); id != "" {
			target.ID = id
		}
	case c.service == "iam" && target.Kind == "role":
		target.ID = c.str("responseElements.role.roleId")
	case c.service == "sso":
		if rule.target == "principalId" {
			target.Kind = strings.ToLower(c.str("requestParameters.principalType"))
		}
		if at := c.str("requestParameters.targetId"); at != "" {
			permission.Scope = "account " + at
		}
		target.Name = c.str("requestParameters.name")
	}
	if strings.HasSuffix(c.name, "MFADevice") && target.Account == "AWS ROOT USER" {
		target.Kind, target.Account = "root", "arn:aws:iam::"+c.account+":root"
	}
	if doc := c.document(); doc.v != nil && permission.Operation != "" {
		permission.ID = strings.TrimSpace(permission.ID + actionList(doc))
	}
	return engine.AccessFact{
		Kind: rule.kind, Target: target, Permission: permission,
		IssuedID: c.str("responseElements.accessKey.accessKeyId"),
	}
}

func (c awsCall) scope() string {
	if c.account == "" {
		return ""
	}
	return "account " + c.account
}

// pick reads the first path that holds something; "=text" stands for itself.
func (c awsCall) pick(paths string) string {
	if text, ok := strings.CutPrefix(paths, "="); ok {
		return text
	}
	for path := range strings.FieldsSeq(paths) {
		full, whole := strings.CutPrefix(path, "/")
		if !whole {
			full = "requestParameters." + path
		}
		value := c.get(full)
		if value.has("items") {
			value = value.get("items")
		}
		var words []string
		for _, e := range value.list("") {
			if s := cmp.Or(e.str(""), e.first("groupId", "id", "arn")); s != "" {
				words = append(words, s)
			}
		}
		if len(words) > 0 {
			return strings.Join(words, ", ")
		}
	}
	return ""
}

// self is the caller as the target of his own call.
func (c awsCall) self(kind string) *engine.AccessFactTarget {
	a := c.actor.account
	if a == nil {
		return &engine.AccessFactTarget{Kind: kind, Name: "unknown"}
	}
	if c.root {
		kind = "root"
	}
	return &engine.AccessFactTarget{Kind: kind, Account: a.Account, ID: a.ID}
}

const refusedRole = "is not authorized to perform: "

// assumption reads a call that gives out session credentials. Of these only
// the key id is read, so that later calls lead back here.
func (c awsCall) assumption() engine.AccessFact {
	arn := c.first("requestParameters.roleArn", "requestParameters.taskPolicyArn.arn")
	if arn == "" { // a refused call keeps its parameters to itself
		if _, rest, ok := strings.Cut(c.str("errorMessage"), refusedRole); ok {
			if _, resource, ok := strings.Cut(rest, " on resource: "); ok {
				arn, _, _ = strings.Cut(resource, " ")
			}
		}
	}
	f := engine.AccessFact{
		Kind: "role_assumption", IssuedID: c.str("responseElements.credentials.accessKeyId"),
		Permission: &engine.AccessFactPermission{ID: lastPart(arn), Scope: c.scope()},
	}
	switch c.name {
	case "GetFederationToken":
		f.Target = &engine.AccessFactTarget{Kind: "federated_user", Account: c.first("responseElements.federatedUser.arn", "requestParameters.name")}
	case "GetSessionToken":
		f.Target = c.self("user")
	case "AssumeRoot":
		f.Kind = "break_glass_use"
		f.Target = &engine.AccessFactTarget{Kind: "root", Account: cmp.Or(c.str("requestParameters.targetPrincipal"), "root")}
		why(&f, "root session of a member account")
	default:
		role, _, _ := strings.Cut(c.str("responseElements.assumedRoleUser.assumedRoleId"), ":")
		f.Target = &engine.AccessFactTarget{Kind: "role", Account: arn, ID: role, Name: lastPart(arn)}
	}
	if name := f.Target.Name; breakGlass.MatchString(name) {
		f.Kind = "break_glass_use"
		why(&f, "emergency role "+name)
	}
	f.ExpiresAt = awsExpiry(c.str("responseElements.credentials.expiration"))
	return f
}

// awsExpiry reads the dates inside answers: "Feb 10, 2026, 3:14:07 AM", with or
// without the second comma.
func awsExpiry(s string) *time.Time {
	for _, layout := range []string{"Jan 2, 2006, 3:04:05 PM", "Jan 2, 2006 3:04:05 PM", time.RFC3339} {
		if t, err := time.Parse(layout, s); err == nil && t.Year() > 1970 && t.Year() < 2200 {
			t = t.UTC()
			return &t
		}
	}
	return nil
}

func (c awsCall) signIn() engine.AccessFact {
	f := engine.AccessFact{Kind: "sign_in", Target: &engine.AccessFactTarget{Kind: "account", Account: "account " + c.account}}
	if c.root {
		f.Kind = "root_use"
	}
	return f
}

func (c awsCall) permissionSetUse() engine.AccessFact {
	set := c.str("serviceEventDetails.role_name")
	f := engine.AccessFact{Kind: "role_assumption", Target: &engine.AccessFactTarget{Kind: "permission_set", Account: set}}
	if at := c.str("serviceEventDetails.account_id"); at != "" {
		f.Permission = &engine.AccessFactPermission{Scope: "account " + at}
	}
	if breakGlass.MatchString(set) {
		f.Kind = "break_glass_use"
		why(&f, "emergency permission set "+set)
	}
	return f
}

// sharing reads who may use a snapshot or image from now on.
func (c awsCall) sharing(rule awsRule) []engine.AccessFact {
	var out []engine.AccessFact
	add := func(operation, who string) {
		f := c.fact(rule)
		f.Permission.Operation, f.Permission.ID = operation, cmp.Or(c.str("requestParameters.attributeType"), c.str("requestParameters.attributeName"), "attribute")
		f.Permission.Scope = who
		if operation == opAdd {
			f.Kind = "role_grant"
			why(&f, "shared with "+who)
		} else {
			f.Kind = "role_revoke"
		}
		out = append(out, f)
	}
	for _, attribute := range []string{"createVolumePermission", "launchPermission"} {
		for _, operation := range []string{opAdd, opRemove} {
			for _, e := range c.list("requestParameters." + attribute + "." + operation + ".items") {
				if user := e.str("userId"); user != "" {
					add(operation, "account "+user)
				}
				if group := e.str("group"); group != "" {
					add(operation, "everybody ("+group+")")
				}
			}
		}
	}
	for _, who := range c.strs("requestParameters.valuesToAdd") {
		add(opAdd, "account "+who)
	}
	for _, who := range c.strs("requestParameters.valuesToRemove") {
		add(opRemove, "account "+who)
	}
	if len(out) == 0 {
		out = append(out, c.fact(rule))
	}
	return out
}

// why marks a change as privileged and says why.
func why(f *engine.AccessFact, reason string) {
	f.Privileged = ptr(true)
	f.PrivilegedWhy = append(f.PrivilegedWhy, reason)
}

func lastPart(s string) string { return s[strings.LastIndexAny(s, "/:")+1:] }
