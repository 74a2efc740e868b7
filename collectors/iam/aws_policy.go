package iam

import (
	"net/url"
	"path"
	"regexp"
	"slices"
	"strings"

	"github.com/changevouch/changevouch/engine"
)

// document is the policy document that a call carries: a JSON string, a
// URL-encoded one or an object, by service.
func (c awsCall) document() node {
	for _, key := range []string{"policyDocument", "assumeRolePolicyDocument", "bucketPolicy", "policy", "inlinePolicy", "content"} {
		if doc := policyDocument(c.get("requestParameters." + key)); doc.has("Statement") {
			return doc
		}
	}
	return node{}
}

func policyDocument(n node) node {
	text, isText := n.v.(string)
	if !isText {
		return n
	}
	if doc, err := parse([]byte(text)); err == nil {
		return doc
	}
	if decoded, err := url.QueryUnescape(text); err == nil {
		if doc, err := parse([]byte(decoded)); err == nil {
			return doc
		}
	}
	return node{}
}

// judge says whether the call gives high privilege, where the record itself
// shows it. What only a name or a reference could tell stays open.
func (c awsCall) judge(f *engine.AccessFact) {
	widens := f.Permission.Operation != opRemove
	for _, key := range []string{"policyArn", "managedPolicyArn"} {
		if arn := c.str("requestParameters." + key); privilegedPolicies[arn] {
			why(f, "managed policy "+lastPart(arn))
		}
	}
	doc := c.document()
	switch {
	case doc.v == nil:
	case trustDocument(c):
		verdict(f, trustReasons(doc, c.account))
	case resourceDocument(c):
		verdict(f, publicReasons(doc, c.account))
	case widens:
		verdict(f, policyReasons(doc))
	}
	switch f.Kind {
	case "audit_log_change":
		if c.name != "StartLogging" && c.name != "CreateTrail" {
			why(f, "audit logging weakened")
		}
	case "group_membership_add", "group_membership_remove":
		privilegedGroup(f, c.str("requestParameters.groupName"))
	}
	if c.service == "lambda" && c.name == "AddPermission" {
		if p := c.str("requestParameters.principal"); p == "*" || foreignAccount(p, c.account) {
			why(f, "callable by "+p)
		}
	}
}

func verdict(f *engine.AccessFact, reasons []string) {
	f.Privileged = ptr(len(reasons) > 0 || f.Privileged != nil && *f.Privileged)
	f.PrivilegedWhy = append(f.PrivilegedWhy, reasons...)
}

func trustDocument(c awsCall) bool {
	return c.name == "CreateRole" || c.name == "UpdateAssumeRolePolicy"
}

func resourceDocument(c awsCall) bool {
	return c.service == "s3" || c.service == "kms" || strings.HasSuffix(c.name, "ResourcePolicy")
}

// policyReasons judges an identity policy. Actions match without regard to
// case and with the wildcards * and ?.
func policyReasons(doc node) []string {
	var reasons []string
	add := func(r string) {
		if !slices.Contains(reasons, r) {
			reasons = append(reasons, r)
		}
	}
	for _, s := range doc.list("Statement") {
		if s.str("Effect") != "Allow" {
			continue
		}
		everywhere := slices.Contains(s.strs("Resource"), "*") || s.has("NotResource")
		if s.has("NotAction") && everywhere {
			add("allows everything but " + strings.Join(actions(s, "NotAction"), ", "))
		}
		if own(s) {
			continue
		}
		given := s.strs("Action")
		for _, action := range given {
			switch low := strings.ToLower(action); {
			case (low == "*" || low == "*:*" || low == "iam:*") && everywhere:
				add("allows " + low + " on every resource")
			case low == "sts:assumerole" && everywhere:
				add("allows sts:AssumeRole on every role")
			case low == "*" || low == "*:*":
				add("allows " + low)
			default:
				for _, e := range escalations {
					if matches(low, e) && (e != "iam:PassRole" || passesToCompute(given)) {
						add("allows " + e)
					}
				}
			}
		}
	}
	return reasons
}

// own tells a statement that reaches no further than the caller's own user.
func own(s node) bool {
	resources := s.strs("Resource")
	return len(resources) > 0 && !slices.ContainsFunc(resources, func(r string) bool { return !strings.Contains(r, "${aws:username}") })
}

// passesToCompute tells that a role can be handed to something that runs code.
func passesToCompute(given []string) bool {
	for _, a := range given {
		for _, create := range []string{"ec2:RunInstances", "lambda:CreateFunction", "ecs:RunTask", "ecs:RegisterTaskDefinition", "cloudformation:CreateStack", "glue:CreateJob", "sagemaker:CreateNotebookInstance"} {
			if matches(strings.ToLower(a), create) {
				return true
			}
		}
	}
	return false
}

func matches(pattern, action string) bool {
	ok, err := path.Match(strings.ReplaceAll(pattern, "[", "\\["), strings.ToLower(action))
	return err == nil && ok
}

// trustReasons judges who may take a role.
func trustReasons(doc node, home string) []string {
	var reasons []string
	for _, s := range doc.list("Statement") {
		if s.str("Effect") != "Allow" {
			continue
		}
		for _, p := range principals(s) {
			switch {
			case p == "*":
				reasons = append(reasons, "trusts everybody")
			case foreignAccount(p, home):
				reasons = append(reasons, "trusts another account: "+p)
			case strings.Contains(p, ":oidc-provider/") && !namesSubject(s):
				reasons = append(reasons, "trusts an OIDC provider without a sub condition: "+p)
			}
		}
	}
	return reasons
}

// publicReasons judges a policy on a resource.
func publicReasons(doc node, home string) []string {
	var reasons []string
	for _, s := range doc.list("Statement") {
		if s.str("Effect") != "Allow" {
			continue
		}
		for _, p := range principals(s) {
			if p == "*" && !s.has("Condition") {
				reasons = append(reasons, "open to everybody")
			} else if foreignAccount(p, home) {
				reasons = append(reasons, "open to another account: "+p)
			}
		}
	}
	return reasons
}

// principals reads Principal: "*", or AWS, Federated and CanonicalUser lists. A
// service is no foreign principal.
func principals(s node) []string {
	p := s.get("Principal")
	if text := p.str(""); text != "" {
		return []string{text}
	}
	return slices.Concat(p.strs("AWS"), p.strs("Federated"))
}

var accountNumber = regexp.MustCompile(`^(?:arn:aws[a-z-]*:(?:iam|sts)::)?(\d{12})(?::|$)`)

func foreignAccount(principal, home string) bool {
	m := accountNumber.FindStringSubmatch(principal)
	return m != nil && home != "" && m[1] != home
}

func namesSubject(s node) bool {
	conditions, _ := s.get("Condition").v.(map[string]any)
	for _, c := range conditions {
		keys, _ := c.(map[string]any)
		for k := range keys {
			if strings.HasSuffix(strings.ToLower(k), ":sub") {
				return true
			}
		}
	}
	return false
}

var actionName = regexp.MustCompile(`^(\*|[A-Za-z0-9-]+:[A-Za-z0-9*?]+)$`)

// actions are the names of actions in a statement; anything else a document may
// hold there stays out.
func actions(s node, key string) []string {
	var out []string
	for _, a := range s.strs(key) {
		if actionName.MatchString(a) && !slices.Contains(out, a) {
			out = append(out, a)
		}
	}
	return out
}

// shownActions bounds how many actions of a document an event names.
const shownActions = 12

func actionList(doc node) string {
	var all []string
	for _, s := range doc.list("Statement") {
		if s.str("Effect") == "Allow" {
			all = append(all, actions(s, "Action")...)
		}
	}
	if len(all) == 0 {
		return ""
	}
	if len(all) > shownActions {
		all = append(all[:shownActions:shownActions], "…")
	}
	return " (" + strings.Join(all, ", ") + ")"
}

// adminName recognises groups and roles that carry administration in their name.
var adminName = regexp.MustCompile(`(?i)(^|[^a-z])(admins?|administrators?|owners?|root|superusers?|break-?glass)($|[^a-z])`)

// privilegedGroup marks a group whose name says administration. Another name
// proves nothing: what the group may do is in a snapshot, not in the record.
func privilegedGroup(f *engine.AccessFact, name string) {
	if adminName.MatchString(name) {
		why(f, "group "+name)
	}
}
