package iam_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/changevouch/changevouch/collectors"
	"github.com/changevouch/changevouch/collectors/iam"
	"github.com/changevouch/changevouch/engine"
)

// trail wraps one CloudTrail record: a human's by default, with fields replaced.
func trail(t *testing.T, name string, fields map[string]any) collectors.Payload {
	t.Helper()
	source := "iam.amazonaws.com"
	if before, after, ok := strings.Cut(name, ":"); ok {
		source, name = before+".amazonaws.com", after
	}
	rec := map[string]any{
		"eventID": "e-1", "eventTime": "2026-03-01T10:00:00Z", "eventSource": source, "eventName": name,
		"recipientAccountId": "111122223333", "readOnly": false,
		"userIdentity": map[string]any{"type": "IAMUser", "userName": "ada", "principalId": "AIDAADA", "accessKeyId": "AKIAADA"},
	}
	maps.Copy(rec, fields)
	return list(t, "Records", rec)
}

func list(t *testing.T, key string, records ...map[string]any) collectors.Payload {
	t.Helper()
	b, err := json.Marshal(map[string]any{key: records})
	if err != nil {
		t.Fatal(err)
	}
	return collectors.Payload{Path: "iam/record.json", Bytes: b}
}

type object = map[string]any

// changes maps a payload and gives its access changes, all valid.
func changes(t *testing.T, p collectors.Payload) ([]engine.Event, []engine.AccessFact) {
	t.Helper()
	m := iam.Map(p)
	for _, f := range m.Faults {
		t.Error(f)
	}
	var events []engine.Event
	var facts []engine.AccessFact
	for _, e := range m.Events {
		valid(t, e)
		if e.Type == "access.changed" {
			events, facts = append(events, e), append(facts, access(t, e))
		}
	}
	return events, facts
}

func only(t *testing.T, p collectors.Payload) (engine.Event, engine.AccessFact) {
	t.Helper()
	events, facts := changes(t, p)
	if len(events) != 1 {
		t.Fatalf("%d changes, want 1", len(events))
	}
	return events[0], facts[0]
}

// TestFiles: traps 1 and 5, through the reader as a user meets them.
func TestFiles(t *testing.T) {
	s3 := filepath.Join(payloads, "aws-cloudtrail", "s3")
	r, err := collectors.Read(context.Background(), []string{s3}, iam.Map)
	if err != nil {
		t.Fatal(err)
	}
	if len(r.Faults)+len(r.Conflicts) > 0 {
		t.Errorf("faults %v, conflicts %v", r.Faults, r.Conflicts)
	}
	if r.Ignored["cloudtrail digest"] != 1 {
		t.Errorf("the digest was not skipped: %v", r.Ignored)
	}
	count := 0
	for _, e := range r.Events {
		if e.Type == "access.changed" {
			count++
			if f := access(t, e); f.Permission != nil && strings.HasPrefix(f.Permission.Scope, "account ") && !strings.Contains(f.Permission.Scope, "123837392027") && f.Change[:3] == "iam" {
				t.Errorf("%s: %s is the file's account, not the record's", e.ID, f.Permission.Scope)
			}
		}
	}
	redelivered := iam.Map(payload(t, "aws-cloudtrail/s3/AWSLogs/123837392027/CloudTrail/us-east-1/2023/07/10/123837392027_CloudTrail_us-east-1_20230710T1210Z_RedeliverAAAAAA1.json.gz"))
	if len(redelivered.Events) < 2 || count < 30 {
		t.Fatalf("%d redelivered, %d in all", len(redelivered.Events), count)
	}
	seen := map[string]int{}
	for _, e := range r.Events {
		seen[e.ID]++
	}
	for _, e := range redelivered.Events {
		if e.Type == "access.changed" && seen[e.ID] != 1 {
			t.Errorf("%s counts %d times", e.ID, seen[e.ID])
		}
	}
}

// The same records read from S3 files and from LookupEvents are the same facts.
func TestLookupEventsAreTheSameFacts(t *testing.T) {
	r, err := collectors.Read(context.Background(), []string{filepath.Join(payloads, "aws-cloudtrail", "s3"), filepath.Join(payloads, "aws-cloudtrail", "lookup-events")}, iam.Map)
	if err != nil {
		t.Fatal(err)
	}
	if len(r.Conflicts) > 0 {
		t.Errorf("conflicts: %v", r.Conflicts)
	}
}

func TestCutOffFile(t *testing.T) {
	dir := t.TempDir()
	whole, err := os.ReadFile(filepath.Join(payloads, "linked-scenario/aws-s3/AWSLogs/111122223333/CloudTrail/us-east-1/2026/02/18/111122223333_CloudTrail_us-east-1_20260218T1611Z_MRO6U4O5B67HFD4R.json.gz"))
	if err != nil {
		t.Fatal(err)
	}
	for name, b := range map[string][]byte{"cut.json.gz": whole[:len(whole)/2], "whole.json.gz": whole, "cut.json": []byte(`{"Records":[{"eventID":`)} {
		if err := os.WriteFile(filepath.Join(dir, name), b, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	r, err := collectors.Read(context.Background(), []string{dir}, iam.Map)
	if err != nil {
		t.Fatal(err)
	}
	if len(r.Faults) != 2 || len(r.Events) == 0 {
		t.Errorf("%d events, faults %v", len(r.Events), r.Faults)
	}
}

func TestBrokenRecordLeavesTheOthers(t *testing.T) {
	p := collectors.Payload{Path: "iam/trail.json", Bytes: []byte(`{"Records":[42,{"eventID":"x","eventSource":"iam.amazonaws.com","eventName":"CreateUser","eventTime":"soon"},
		{"eventID":"y","eventSource":"iam.amazonaws.com","eventName":"CreateUser","eventTime":"2026-03-01T10:00:00Z","requestParameters":{"userName":"bob"}}]}`)}
	m := iam.Map(p)
	if len(m.Faults) != 2 || m.Faults[0].Path != "iam/trail.json" || m.Faults[0].Record != "/Records/0" || m.Faults[1].Record != "/Records/1" {
		t.Errorf("faults %v", m.Faults)
	}
	if len(m.Events) != 2 || m.Events[0].ID != "aws:cloudtrail:y" {
		t.Fatalf("events %+v", m.Events)
	}
	var c engine.CoverageFact
	if err := m.Events[1].Decode(&c); err != nil || c.Status != "incomplete" || !slices.Equal(c.Missing, []string{"cloudtrail"}) {
		t.Errorf("coverage %+v %v", c, err)
	}
}

// TestAWSTraps: traps 2 to 15 of the reference, one record each.
func TestAWSTraps(t *testing.T) {
	sg := func(name string, params object) collectors.Payload {
		return trail(t, "ec2:"+name, object{"requestParameters": params})
	}
	session := func(role, name string, more object) object {
		id := object{
			"type": "AssumedRole", "principalId": "AROAX:" + name, "arn": "arn:aws:sts::111122223333:assumed-role/" + role + "/" + name,
			"sessionContext": object{"sessionIssuer": object{"userName": role}, "attributes": object{"mfaAuthenticated": "false"}},
		}
		maps.Copy(id, more)
		return id
	}
	admin := `{"Statement":{"Effect":"Allow","Action":["iam:*"],"Resource":"*"}}`
	for _, c := range []struct {
		name  string
		p     collectors.Payload
		check func(e engine.Event, f engine.AccessFact) bool
	}{
		{"2: AssumeRole is read-only and counts", trail(t, "sts:AssumeRole", object{"readOnly": true, "requestParameters": object{"roleArn": "arn:aws:iam::111122223333:role/break-glass-db"}}),
			func(_ engine.Event, f engine.AccessFact) bool {
				return f.Kind == "break_glass_use" && *f.ReadOnly && *f.Privileged
			}},
		{"3: a denied AssumeRole keeps its parameters to itself", trail(t, "sts:AssumeRole", object{
			"errorCode": "AccessDenied", "requestParameters": nil,
			"errorMessage": "User: arn:aws:iam::111122223333:user/ada is not authorized to perform: sts:AssumeRole on resource: arn:aws:iam::111122223333:role/Emergency because no policy allows it"}),
			func(_ engine.Event, f engine.AccessFact) bool {
				return f.Outcome == "denied" && f.Target.Account == "arn:aws:iam::111122223333:role/Emergency"
			}},
		{"4: an identity without type", trail(t, "CreateUser", object{"userIdentity": object{"accountId": "1", "invokedBy": "health.amazonaws.com"}, "requestParameters": object{"userName": "x"}}),
			func(e engine.Event, f engine.AccessFact) bool {
				return f.ActorKind == "service" && e.Actor.Account == "health.amazonaws.com"
			}},
		{"6: a key made active again is a new credential", trail(t, "UpdateAccessKey", object{"requestParameters": object{"userName": "bob", "accessKeyId": "AKIABOB", "status": "Active"}}),
			func(_ engine.Event, f engine.AccessFact) bool { return f.Kind == "credential_create" }},
		{"6: a key made inactive", trail(t, "UpdateAccessKey", object{"requestParameters": object{"userName": "bob", "accessKeyId": "AKIABOB", "status": "Inactive"}}),
			func(_ engine.Event, f engine.AccessFact) bool {
				return f.Kind == "credential_revoke" && f.Permission.ID == "AKIABOB"
			}},
		{"7: a removed boundary widens", trail(t, "DeleteUserPermissionsBoundary", object{"requestParameters": object{"userName": "bob"}}),
			func(_ engine.Event, f engine.AccessFact) bool { return *f.Privileged }},
		{"8: a policy version that is not the default", trail(t, "CreatePolicyVersion", object{"requestParameters": object{"policyArn": "arn:p", "setAsDefault": false, "policyDocument": admin}}),
			func(_ engine.Event, f engine.AccessFact) bool {
				return strings.HasPrefix(f.Permission.Condition, "not the default")
			}},
		{"8: an old version activated", trail(t, "SetDefaultPolicyVersion", object{"requestParameters": object{"policyArn": "arn:p", "versionId": "v1"}}),
			func(_ engine.Event, f engine.AccessFact) bool {
				return f.Kind == "policy_change" && f.Permission.ID == "v1" && f.Privileged == nil
			}},
		{"9: a document as text, action as list", trail(t, "PutUserPolicy", object{"requestParameters": object{"userName": "bob", "policyName": "p", "policyDocument": admin}}),
			func(_ engine.Event, f engine.AccessFact) bool { return *f.Privileged }},
		{"9: a URL-encoded document, action as text", trail(t, "PutUserPolicy", object{"requestParameters": object{"userName": "bob", "policyName": "p",
			"policyDocument": "%7B%22Statement%22%3A%5B%7B%22Effect%22%3A%22Allow%22%2C%22Action%22%3A%22*%22%2C%22Resource%22%3A%22*%22%7D%5D%7D"}}),
			func(_ engine.Event, f engine.AccessFact) bool { return *f.Privileged }},
		{"9: a document as object", trail(t, "s3:PutBucketPolicy", object{"requestParameters": object{"bucketName": "b",
			"bucketPolicy": object{"Statement": []any{object{"Effect": "Allow", "Principal": "*", "Action": "s3:GetObject", "Resource": "*"}}}}}),
			func(_ engine.Event, f engine.AccessFact) bool { return *f.Privileged }},
		{"9: NotAction allows nearly everything", trail(t, "PutUserPolicy", object{"requestParameters": object{"userName": "bob", "policyName": "p",
			"policyDocument": `{"Statement":[{"Effect":"Allow","NotAction":"s3:*","Resource":"*"}]}`}}),
			func(_ engine.Event, f engine.AccessFact) bool { return *f.Privileged }},
		{"9: NotAction with Deny allows nothing", trail(t, "PutUserPolicy", object{"requestParameters": object{"userName": "bob", "policyName": "p",
			"policyDocument": `{"Statement":[{"Effect":"Deny","NotAction":"s3:*","Resource":"*"}]}`}}),
			func(_ engine.Event, f engine.AccessFact) bool { return !*f.Privileged }},
		{"9: wildcards and case", trail(t, "PutUserPolicy", object{"requestParameters": object{"userName": "bob", "policyName": "p",
			"policyDocument": `{"Statement":[{"Effect":"Allow","Action":"IAM:create*key","Resource":"*"}]}`}}),
			func(_ engine.Event, f engine.AccessFact) bool { return *f.Privileged }},
		{"9: a read policy", trail(t, "PutUserPolicy", object{"requestParameters": object{"userName": "bob", "policyName": "p",
			"policyDocument": `{"Statement":[{"Effect":"Allow","Action":["s3:Get*","iam:Get*"],"Resource":"*"}]}`}}),
			func(_ engine.Event, f engine.AccessFact) bool { return !*f.Privileged }},
		{"9: managing one's own keys", trail(t, "PutUserPolicy", object{"requestParameters": object{"userName": "bob", "policyName": "p",
			"policyDocument": `{"Statement":[{"Effect":"Allow","Action":"iam:CreateAccessKey","Resource":"arn:aws:iam::111122223333:user/${aws:username}"}]}`}}),
			func(_ engine.Event, f engine.AccessFact) bool { return !*f.Privileged }},
		{"a policy with a promising name proves nothing", trail(t, "AttachUserPolicy", object{"requestParameters": object{"userName": "bob", "policyArn": "arn:aws:iam::111122223333:policy/AdministratorAccess"}}),
			func(_ engine.Event, f engine.AccessFact) bool { return f.Privileged == nil }},
		{"10: rule in a list, range of ports", sg("AuthorizeSecurityGroupIngress", object{"groupId": "sg-1", "ipPermissions": object{"items": []any{
			object{"ipProtocol": "tcp", "fromPort": 20, "toPort": 30, "ipRanges": object{"items": []any{object{"cidrIp": "1.2.3.4/0"}}}}}}}),
			func(_ engine.Event, f engine.AccessFact) bool {
				return f.Permission.ID == "tcp/20-30 from 1.2.3.4/0" && f.Permission.Condition == "open to the world"
			}},
		{"10: flat rule", sg("AuthorizeSecurityGroupIngress", object{"groupId": "sg-1", "ipProtocol": "tcp", "fromPort": 22, "toPort": 22, "cidrIp": "10.0.0.0/8", "ipPermissions": object{}}),
			func(_ engine.Event, f engine.AccessFact) bool {
				return f.Permission.ID == "tcp/22 from 10.0.0.0/8" && f.Permission.Condition == ""
			}},
		{"10: protocol -1 has no ports and means all", sg("AuthorizeSecurityGroupIngress", object{"groupId": "sg-1", "ipPermissions": object{"items": []any{
			object{"ipProtocol": "-1", "ipv6Ranges": object{"items": []any{object{"cidrIpv6": "::/0"}}}}}}}),
			func(_ engine.Event, f engine.AccessFact) bool {
				return f.Permission.ID == "all traffic from ::/0" && f.Permission.Condition == "open to the world"
			}},
		{"10: closing is no exposure", sg("RevokeSecurityGroupIngress", object{"groupId": "sg-1", "ipProtocol": "tcp", "fromPort": 22, "toPort": 22, "cidrIp": "0.0.0.0/0"}),
			func(_ engine.Event, f engine.AccessFact) bool {
				return f.Kind == "network_rule_remove" && f.Permission.Condition == ""
			}},
		{"10: edited in place", sg("ModifySecurityGroupRules", object{"ModifySecurityGroupRulesRequest": object{"GroupId": "sg-1",
			"SecurityGroupRule": object{"SecurityGroupRuleId": "sgr-1", "SecurityGroupRule": object{"IpProtocol": "tcp", "FromPort": 22, "ToPort": 22, "CidrIpv4": "0.0.0.0/0"}}}}),
			func(_ engine.Event, f engine.AccessFact) bool {
				return f.Kind == "network_rule_change" && f.Permission.ID == "tcp/22 from 0.0.0.0/0" && f.Target.Account == "sg-1"
			}},
		{"11: Unknown with onBehalfOf is the Identity Center user", trail(t, "signin:UserAuthentication", object{
			"userIdentity":        object{"type": "Unknown", "onBehalfOf": object{"userId": "u-1", "identityStoreArn": "arn:store"}},
			"serviceEventDetails": object{"UserAuthentication": "Success"}}),
			func(e engine.Event, f engine.AccessFact) bool {
				return e.Actor.ID == "u-1" && f.Confidence == "immutable_id" && f.Outcome == "success"
			}},
		{"11: a hidden group name is no name", trail(t, "sso-directory:CreateGroup", object{"requestParameters": object{"displayName": "HIDDEN_DUE_TO_SECURITY_REASONS"},
			"responseElements": object{"group": object{"groupId": "g-1", "displayName": "HIDDEN_DUE_TO_SECURITY_REASONS"}}}),
			func(e engine.Event, f engine.AccessFact) bool {
				return f.Target.Account == "g-1" && !bytes.Contains(e.Data, []byte("HIDDEN"))
			}},
		{"11: an assignment that failed", trail(t, "sso:CreateAccountAssignment", object{"requestParameters": object{"principalType": "USER", "principalId": "u-1", "permissionSetArn": "arn:ps", "targetId": "1"},
			"responseElements": object{"accountAssignmentCreationStatus": object{"status": "FAILED"}}}),
			func(_ engine.Event, f engine.AccessFact) bool {
				return f.Outcome == "failed" && f.Target.Kind == "user"
			}},
		{"12: mfaAuthenticated false says nothing of a federated session", trail(t, "CreateUser", object{
			"userIdentity": session("AWSReservedSSO_Admin_0123456789abcdef", "ada@acme.example", nil), "requestParameters": object{"userName": "x"}}),
			func(e engine.Event, f engine.AccessFact) bool {
				return f.MFA == nil && f.ActorKind == "human" && f.Confidence == "session_name" && e.Actor.Email == "ada@acme.example"
			}},
		{"13: a free session name proves nothing", trail(t, "CreateUser", object{"userIdentity": session("deploy", "GitHubActions", nil), "requestParameters": object{"userName": "x"}}),
			func(e engine.Event, f engine.AccessFact) bool {
				return f.ActorKind == "unknown" && f.Confidence == "none" && e.Actor.Account == "deploy/GitHubActions"
			}},
		{"13: an address as session name is no verified address", trail(t, "CreateUser", object{"userIdentity": session("deploy", "ada@acme.example", nil), "requestParameters": object{"userName": "x"}}),
			func(e engine.Event, f engine.AccessFact) bool {
				return f.ActorKind == "unknown" && f.Confidence == "session_name" && e.Actor.Email == ""
			}},
		{"an instance is a workload", trail(t, "CreateUser", object{"userIdentity": session("web", "i-0abc", nil), "requestParameters": object{"userName": "x"}}),
			func(_ engine.Event, f engine.AccessFact) bool { return f.ActorKind == "workload" }},
		{"14: root by a service is not the root user", trail(t, "CreateUser", object{"userIdentity": object{"type": "Root", "invokedBy": "cloudformation.amazonaws.com", "arn": "arn:aws:iam::111122223333:root"}, "requestParameters": object{"userName": "x"}}),
			func(_ engine.Event, f engine.AccessFact) bool { return f.ActorKind == "service" && f.Privileged == nil }},
		{"14: any root call counts", trail(t, "s3:CreateBucket", object{"userIdentity": object{"type": "Root", "arn": "arn:aws:iam::111122223333:root"}}),
			func(_ engine.Event, f engine.AccessFact) bool {
				return f.Kind == "root_use" && f.ActorKind == "root" && *f.Privileged
			}},
		{"15: a user is known by id, not by name", trail(t, "CreateUser", object{"requestParameters": object{"userName": "ada"}, "responseElements": object{"user": object{"userId": "AIDANEW", "userName": "ada"}}}),
			func(e engine.Event, f engine.AccessFact) bool {
				return f.Target.ID == "AIDANEW" && e.Actor.ID == "AIDAADA"
			}},
		{"24: a stopped trail is privileged", trail(t, "cloudtrail:StopLogging", object{"requestParameters": object{"name": "main"}}),
			func(_ engine.Event, f engine.AccessFact) bool {
				return f.Kind == "audit_log_change" && f.Permission.Operation == "remove" && *f.Privileged
			}},
		{"an IAM user is not human by default", trail(t, "CreateAccessKey", object{}),
			func(_ engine.Event, f engine.AccessFact) bool {
				return f.ActorKind == "unknown" && f.Target.Account == "ada"
			}},
		{"a failed revoke leaves access in place", trail(t, "DeleteUser", object{"errorCode": "DeleteConflictException", "requestParameters": object{"userName": "bob"}}),
			func(_ engine.Event, f engine.AccessFact) bool { return f.Outcome == "failed" }},
		{"names carry an API version", trail(t, "lambda:AddPermission20150331v2", object{"requestParameters": object{"functionName": "f", "principal": "*"}}),
			func(_ engine.Event, f engine.AccessFact) bool { return f.Kind == "policy_change" && *f.Privileged }},
		{"a trust policy for another account", trail(t, "UpdateAssumeRolePolicy", object{"requestParameters": object{"roleName": "r", "policyDocument": `{"Statement":[{"Effect":"Allow","Principal":{"AWS":"arn:aws:iam::999988887777:root"},"Action":"sts:AssumeRole"}]}`}}),
			func(_ engine.Event, f engine.AccessFact) bool { return f.Kind == "trust_change" && *f.Privileged }},
		{"an OIDC trust without a subject", trail(t, "CreateRole", object{"requestParameters": object{"roleName": "r", "assumeRolePolicyDocument": `{"Statement":[{"Effect":"Allow","Principal":{"Federated":"arn:aws:iam::111122223333:oidc-provider/token.actions.githubusercontent.com"},"Action":"sts:AssumeRoleWithWebIdentity","Condition":{"StringEquals":{"token.actions.githubusercontent.com:aud":"sts.amazonaws.com"}}}]}`}}),
			func(_ engine.Event, f engine.AccessFact) bool { return *f.Privileged }},
		{"an OIDC trust with a subject", trail(t, "CreateRole", object{"requestParameters": object{"roleName": "r", "assumeRolePolicyDocument": `{"Statement":[{"Effect":"Allow","Principal":{"Federated":"arn:aws:iam::111122223333:oidc-provider/token.actions.githubusercontent.com"},"Action":"sts:AssumeRoleWithWebIdentity","Condition":{"StringLike":{"token.actions.githubusercontent.com:sub":"repo:acme/shop:ref:refs/heads/main"}}}]}`}}),
			func(_ engine.Event, f engine.AccessFact) bool { return !*f.Privileged }},
	} {
		t.Run(c.name, func(t *testing.T) {
			e, f := only(t, c.p)
			if !c.check(e, f) {
				t.Errorf("got %s by %+v", e.Data, e.Actor)
			}
		})
	}
}

func TestSeveralRulesInOneRecord(t *testing.T) {
	events, facts := changes(t, trail(t, "ec2:AuthorizeSecurityGroupIngress", object{"requestParameters": object{"groupId": "sg-1", "ipPermissions": object{"items": []any{
		object{"ipProtocol": "tcp", "fromPort": 443, "toPort": 443, "ipRanges": object{"items": []any{object{"cidrIp": "0.0.0.0/0"}}}},
		object{"ipProtocol": "tcp", "fromPort": 22, "toPort": 22, "ipRanges": object{"items": []any{object{"cidrIp": "10.0.0.0/8"}}}},
	}}}}))
	if len(events) != 2 || events[0].ID != "aws:cloudtrail:e-1#0" || events[1].ID != "aws:cloudtrail:e-1#1" {
		t.Fatalf("events %+v", events)
	}
	if facts[0].Permission.Condition == "" || facts[1].Permission.Condition != "" {
		t.Errorf("port and range of different rules were mixed: %+v %+v", facts[0].Permission, facts[1].Permission)
	}
}

// TestIdentityCenter: one grant, three records, one change.
func TestIdentityCenter(t *testing.T) {
	m := iam.Map(payload(t, "aws-cloudtrail/events/identity-center-and-network.json"))
	assignments, consequences := map[string]engine.AccessFact{}, 0
	for _, e := range iam.Link(m.Events) {
		if e.Type != "access.changed" {
			continue
		}
		f := access(t, e)
		if strings.HasSuffix(f.Change, "AccountAssignment") {
			assignments[e.ID] = f
		}
	}
	for _, e := range iam.Link(m.Events) {
		if e.Type != "access.changed" {
			continue
		}
		f := access(t, e)
		if !strings.HasPrefix(f.Change, "iam.amazonaws.com:") {
			continue
		}
		consequences++
		cause, known := assignments[f.CausedBy]
		if !known || cause.Permission.Scope != f.Permission.Scope {
			t.Errorf("%s in %s is caused by %q", f.Change, f.Permission.Scope, f.CausedBy)
		}
		if deleted := strings.HasSuffix(cause.Change, "DeleteAccountAssignment"); deleted != (f.Permission.Operation == "remove") {
			t.Errorf("%s is caused by %s", f.Change, cause.Change)
		}
	}
	if len(assignments) != 3 || consequences != 6 {
		t.Errorf("%d assignments, %d consequences", len(assignments), consequences)
	}
}

func TestConsequenceWithoutCauseStandsForItself(t *testing.T) {
	p := trail(t, "AttachRolePolicy", object{
		"userIdentity":      object{"type": "AssumedRole", "invokedBy": "sso.amazonaws.com", "arn": "arn:aws:sts::111122223333:assumed-role/AWSServiceRoleForSSO/AWS-SSO"},
		"requestParameters": object{"roleName": "AWSReservedSSO_Admin_0123456789abcdef", "policyArn": "arn:aws:iam::aws:policy/AdministratorAccess"},
	})
	e, f := only(t, p)
	if f.CausedBy == "" {
		t.Error("Identity Center's own work is not marked")
	}
	if f = access(t, iam.Link([]engine.Event{e})[0]); f.CausedBy != "" {
		t.Errorf("caused by %q, which nobody has seen", f.CausedBy)
	}
}

func TestSessionKeysLeadBack(t *testing.T) {
	user := object{"type": "IAMUser", "userName": "ada", "principalId": "AIDAADA", "accessKeyId": "AKIAADA"}
	first := trail(t, "sts:AssumeRole", object{"eventID": "a", "userIdentity": user, "requestParameters": object{"roleArn": "arn:aws:iam::1:role/one"},
		"responseElements": object{"credentials": object{"accessKeyId": "ASIAONE", "sessionToken": "never"}}})
	second := trail(t, "sts:AssumeRole", object{"eventID": "b", "eventTime": "2026-03-01T10:01:00Z", "requestParameters": object{"roleArn": "arn:aws:iam::1:role/two"},
		"userIdentity":     object{"type": "AssumedRole", "arn": "arn:aws:sts::1:assumed-role/one/whoever", "accessKeyId": "ASIAONE"},
		"responseElements": object{"credentials": object{"accessKeyId": "ASIATWO"}}})
	third := trail(t, "CreateUser", object{"eventID": "c", "eventTime": "2026-03-01T10:02:00Z", "requestParameters": object{"userName": "x"},
		"userIdentity": object{"type": "AssumedRole", "arn": "arn:aws:sts::1:assumed-role/two/whoever", "accessKeyId": "ASIATWO"}})
	var events []engine.Event
	for _, p := range []collectors.Payload{third, first, second} {
		e, _ := changes(t, p)
		events = append(events, e...)
	}
	before := string(engine.Facts(events))
	linked := iam.Link(events)
	if string(engine.Facts(events)) != before {
		t.Error("Link changed its argument")
	}
	slices.Reverse(events)
	again := iam.Link(events)
	slices.Reverse(again)
	if string(engine.Facts(linked)) != string(engine.Facts(again)) {
		t.Error("Link depends on the order of events")
	}
	if f := access(t, linked[0]); linked[0].Actor.ID != "AIDAADA" || f.Confidence != "correlated" {
		t.Errorf("the chain ends at %+v (%s)", linked[0].Actor, f.Confidence)
	}
}

// TestGitHubTraps: trap 16.
func TestGitHubTraps(t *testing.T) {
	record := func(fields string) collectors.Payload {
		return collectors.Payload{Path: "audit-log.json", Bytes: []byte(`[{"@timestamp":1772471040123,"created_at":1772471040123,"_document_id":"d1","actor":"ada","actor_id":7,` + fields + `}]`)}
	}
	e, f := only(t, record(`"action":"org.update_member","org":["acme"],"org_id":[1],"user":"bob","permission":"admin","old_permission":"read"`))
	if f.Permission.Scope != "organisation acme" || f.Kind != "role_grant" || !*f.Privileged {
		t.Errorf("%s", e.Data)
	}
	if got := e.OccurredAt.Format("2006-01-02T15:04:05.000Z"); got != "2026-03-02T17:04:00.123Z" {
		t.Errorf("milliseconds read as %s", got)
	}
	if _, f = only(t, record(`"action":"org.update_member","org":[],"user":"bob","permission":"read","old_permission":"admin"`)); f.Kind != "role_revoke" || f.Permission.Operation != "remove" {
		t.Errorf("a demotion is %s %s", f.Kind, f.Permission.Operation)
	}
	if _, f = only(t, record(`"action":"org.integration_manager_added","org":"acme","manager":"bob"`)); f.Target.Account != "bob" {
		t.Errorf("target %+v", f.Target)
	}
	if _, f = only(t, record(`"action":"personal_access_token.request_denied","org":"acme","user":"bob"`)); f.Outcome != "denied" {
		t.Errorf("outcome %s", f.Outcome)
	}
	if _, f = only(t, record(`"action":"personal_access_token.auto_approve_grant_requests_disabled","org":"acme"`)); f.Privileged == nil || !*f.Privileged {
		t.Error("the inverted name was read the other way round")
	}
	if _, f = only(t, record(`"action":"repo.add_member","org":"acme","repo":"acme/shop","user":"bob","permission":"write","programmatic_access_type":"GitHub App"`)); f.ActorKind != "workload" {
		t.Errorf("a tool acts as %s", f.ActorKind)
	}
	export := func(user string) string {
		e, _ := only(t, collectors.Payload{Bytes: []byte(`[{"action":"team.add_member","created_at":1772471040123,"actor":"ada","user":"` + user + `","org":"acme","data":{"team":"acme/ops"}}]`)})
		if _, f := only(t, collectors.Payload{Bytes: []byte(`[{"user":"` + user + `","action":"team.add_member","created_at":1772471040123,"org":"acme","actor":"ada","data":{"team":"acme/ops"}}]`)}); f.Permission.ID != "acme/ops" {
			t.Errorf("team %q", f.Permission.ID)
		}
		return e.ID
	}
	bob, eve, again := export("bob"), export("eve"), export("bob")
	if bob == eve || bob != again {
		t.Error("records of the web export are not told apart")
	}
	stream := collectors.Payload{Path: "stream.json", Bytes: []byte(`{"action":"org.add_member","created_at":1772471040123,"_document_id":"a","actor":"ada","user":"bob","org":"acme"}
{"action":"org.remove_member","created_at":1772471040124,"_document_id":"b","actor":"ada","user":"bob","org":"acme"}
`)}
	if events, _ := changes(t, stream); len(events) != 2 {
		t.Errorf("%d records of a stream", len(events))
	}
	if m := iam.Map(collectors.Payload{Path: "logs/_check", Bytes: []byte("audit log streaming check")}); m.Ignored["audit log stream check"] != 1 {
		t.Errorf("%v", m.Ignored)
	}
}

// TestOktaTraps: trap 17.
func TestOktaTraps(t *testing.T) {
	event := func(fields string) collectors.Payload {
		return collectors.Payload{Bytes: []byte(`[{"uuid":"u1","published":"2026-03-01T10:00:00.000Z","outcome":{"result":"SUCCESS"},"actor":{"id":"00u1","type":"User","alternateId":"ada@acme.example"},` + fields + `}]`)}
	}
	target := `"target":[{"type":"UserGroup","id":"00g","displayName":"aws-admin"},{"type":"User","id":"00u2","alternateId":"bob@acme.example"}]`
	_, f := only(t, event(`"eventType":"group.user_membership.add",`+target))
	if f.Target.ID != "00u2" || f.Permission.ID != "aws-admin" || !*f.Privileged {
		t.Errorf("targets were taken by place: %+v %+v", f.Target, f.Permission)
	}
	e, f := only(t, event(`"eventType":"group.user_membership.add","transaction":{"id":"t","detail":{"requestApiTokenId":"00T"}},`+target))
	if f.ActorKind != "workload" || e.Actor.ID != "00u1" || f.Via == "" {
		t.Errorf("a token acts as %s", f.ActorKind)
	}
	if _, f = only(t, event(`"eventType":"user.account.privilege.grant","debugContext":{"debugData":{"privilegeGranted":"Read Only Administrator, Super administrator"}},`+target)); !strings.Contains(f.Permission.Condition, "every privilege") {
		t.Errorf("the full list passes for the grant: %+v", f.Permission)
	}
	for _, key := range []string{"campaignItemDecision", "campaign_item_decision"} {
		if _, f = only(t, event(`"eventType":"certification.campaign.item.decide","debugContext":{"debugData":{"`+key+`":"REVOKE"}},`+target)); f.Kind != "access_review_decision" || f.Permission.ID != "REVOKE" {
			t.Errorf("%s: %+v", key, f.Permission)
		}
	}
	hook, _ := only(t, payload(t, "okta/system-log/event-hook.json"))
	polled, _ := changes(t, payload(t, "okta/system-log/page-1.json"))
	if !slices.ContainsFunc(polled, func(e engine.Event) bool { return e.ID == hook.ID && bytes.Equal(e.Data, hook.Data) }) {
		t.Error("the pushed event is another fact than the polled one")
	}
}

// TestGCPTraps: trap 18.
func TestGCPTraps(t *testing.T) {
	entry := func(fields, payload string) collectors.Payload {
		return collectors.Payload{Bytes: []byte(`{"entries":[{"insertId":"i","logName":"projects/p/logs/l","timestamp":"2026-03-01T10:00:00Z",` + fields + `"protoPayload":{"methodName":"SetIamPolicy","resourceName":"projects/p",` + payload + `}}]}`)}
	}
	events, facts := changes(t, entry("", `"serviceData":{"policyDelta":{"bindingDeltas":[{"action":"ADD","role":"roles/viewer","member":"deleted:user:a@b.example?uid=12"},
		{"action":"REMOVE","role":"roles/owner","member":"allUsers"}]}}`))
	if len(events) != 2 || !strings.HasSuffix(events[1].ID, "#1") || facts[0].Target.Account != "a@b.example" || facts[0].Target.ID != "12" || facts[1].Kind != "role_revoke" {
		t.Errorf("%+v", facts)
	}
	if _, f := only(t, entry("", `"request":{"policy":{"bindings":[{"role":"roles/run.invoker","members":["allUsers"]}]}}`)); f.Permission.Condition == "" || !*f.Privileged {
		t.Errorf("a whole policy passes for a change: %+v", f)
	}
	if _, f := only(t, entry(`"operation":{"id":"o","first":true},`, `"status":{}`)); f.Outcome != "in_progress" {
		t.Errorf("the first entry of an operation is %s", f.Outcome)
	}
	if _, f := only(t, entry(`"operation":{"id":"o","first":true,"last":true},`, `"status":{}`)); f.Outcome != "success" {
		t.Errorf("a finished operation is %s", f.Outcome)
	}
	e, f := only(t, entry("", `"authenticationInfo":{"principalEmail":"ci@p.iam.gserviceaccount.com","serviceAccountDelegationInfo":[{"firstPartyPrincipal":{"principalEmail":"Ada@acme.example"}}]}`))
	if e.Actor.Account != "ada@acme.example" || f.Via != "ci@p.iam.gserviceaccount.com" {
		t.Errorf("behind the service account stands %+v via %s", e.Actor, f.Via)
	}
	if _, f = only(t, entry("", `"status":{"code":7}`)); f.Outcome != "denied" {
		t.Errorf("outcome %s", f.Outcome)
	}
	if _, f = only(t, entry("", `"serviceData":{"policyDelta":{"bindingDeltas":[{"action":"ADD","role":"roles/owner","member":"user:a@b.example","condition":{"expression":"request.time < timestamp(\"2026-03-01T18:00:00Z\")"}}]}}`)); f.ExpiresAt == nil {
		t.Error("the end built into the binding is lost")
	}
}

// TestEntraTraps: trap 19.
func TestEntraTraps(t *testing.T) {
	audit := func(activity, properties string) collectors.Payload {
		return collectors.Payload{Bytes: []byte(`{"value":[{"id":"a","activityDisplayName":"` + activity + `","activityDateTime":"2026-03-01T10:00:00.1234567Z","result":"success",
			"initiatedBy":{"user":{"id":"u","userPrincipalName":"ada@acme.example"}},"targetResources":[{"type":"User","id":"b","userPrincipalName":"bob@acme.example","modifiedProperties":[` + properties + `]}]}]}`)}
	}
	role := `{"displayName":"Role.DisplayName","oldValue":null,"newValue":"\"Global Administrator\""}`
	if _, f := only(t, audit("Add member to role", role)); f.Permission.ID != "Global Administrator" || !*f.Privileged || f.Permission.Condition != "" {
		t.Errorf("%+v", f.Permission)
	}
	if _, f := only(t, audit("Add eligible member to role in PIM completed (permanent)", role)); !strings.HasPrefix(f.Permission.Condition, "eligible") {
		t.Errorf("eligible passes for active: %+v", f.Permission)
	}
	graph, monitor := iam.Map(payload(t, "entra/graph-directoryaudits.json")), iam.Map(payload(t, "entra/diagnostic-setting-auditlogs.json"))
	same := 0
	for _, a := range graph.Events {
		for _, b := range monitor.Events {
			if a.ID == b.ID && a.Type == "access.changed" {
				same++
				if !bytes.Equal(a.Data, b.Data) {
					t.Errorf("%s differs between the two forms", a.ID)
				}
			}
		}
	}
	if same == 0 {
		t.Error("no record in both forms")
	}
}

// TestGoogleSeveralEvents: trap 20.
func TestGoogleSeveralEvents(t *testing.T) {
	events, facts := changes(t, collectors.Payload{Bytes: []byte(`{"kind":"admin#reports#activities","items":[{"id":{"time":"2026-03-01T10:00:00Z","uniqueQualifier":"-1","applicationName":"admin","customerId":"C"},
		"actor":{"callerType":"USER","email":"ada@acme.example","profileId":"1"},"events":[
		{"name":"ADD_GROUP_MEMBER","parameters":[{"name":"USER_EMAIL","value":"bob@acme.example"},{"name":"GROUP_EMAIL","value":"admins@acme.example"}]},
		{"name":"SOMETHING_ELSE"},
		{"name":"ASSIGN_ROLE","parameters":[{"name":"USER_EMAIL","value":"bob@acme.example"},{"name":"ROLE_NAME","value":"_SEED_ADMIN_ROLE"}]}]}]}`)})
	if len(events) != 2 || !strings.HasSuffix(events[0].ID, "#0") || !*facts[0].Privileged || !*facts[1].Privileged || facts[1].ActorKind != "human" {
		t.Errorf("%+v", facts)
	}
}

// TestSystemActor: trap 21. A provisioning robot is no person.
func TestSystemActor(t *testing.T) {
	for _, e := range scenario(t) {
		if e.Type == "access.changed" && e.Actor != nil && (strings.HasSuffix(e.Actor.Account, "[bot]") || e.Actor.Account == "system@okta.com") {
			if f := access(t, e); f.ActorKind == "human" || e.Actor.Kind == "human" {
				t.Errorf("%s acts as a person", e.Actor.Account)
			}
		}
	}
}

// TestRefusedAnswer: traps 22 and 23. What could not be read removes nobody.
func TestRefusedAnswer(t *testing.T) {
	for path, c := range map[string]struct{ body, fact string }{
		"github/orgs/acme/members.json":             {`{"message":"Must have admin rights","documentation_url":"https://docs.github.com","status":"403"}`, "members"},
		"github/repos/acme/shop/collaborators.json": {`{"message":"Forbidden","documentation_url":"https://docs.github.com","status":"403"}`, "permissions"},
		"okta/api/v1/logs.json":                     {`{"errorCode":"E0000006","errorSummary":"no permission"}`, "audit_log"},
		"google/admin/reports/v1/activity.json":     {`{"error":{"code":403,"message":"Not Authorized"}}`, "audit_log"},
		"aws/lookup-events.json":                    {`{"__type":"com.amazonaws#AccessDeniedException","message":"no"}`, "cloudtrail"},
		"entra/v1.0/auditLogs/directoryAudits.json": {`{"error":{"code":"Authorization_RequestDenied","message":"Insufficient privileges"}}`, "audit_log"},
	} {
		m := iam.Map(collectors.Payload{Path: path, Bytes: []byte(c.body)})
		if len(m.Events) != 1 || m.Events[0].Type != "coverage.recorded" {
			t.Errorf("%s: %+v %v", path, m.Events, m.Faults)
			continue
		}
		var f engine.CoverageFact
		if err := m.Events[0].Decode(&f); err != nil || f.Status != "incomplete" || !slices.Equal(f.Missing, []string{c.fact}) {
			t.Errorf("%s: %+v", path, f)
		}
	}
	m := iam.Map(collectors.Payload{Path: "github/orgs/acme/outside_collaborators.json", Bytes: []byte(`[]`)})
	var f engine.CoverageFact
	if len(m.Events) != 1 || m.Events[0].Decode(&f) != nil || f.Status != "complete" {
		t.Errorf("an empty list is a fact too: %+v", m)
	}
}

// TestSnapshotHasNoActor: trap 23.
func TestSnapshotHasNoActor(t *testing.T) {
	for _, name := range recorded(t) {
		for _, e := range iam.Map(payload(t, name)).Events {
			if e.Type == "access.observed" && e.Actor != nil {
				t.Errorf("%s: who read a list is not who changed it", e.ID)
			}
		}
	}
}

// TestNoSecrets: trap 25. Values planted wherever sources put secrets must not
// come out anywhere.
func TestNoSecrets(t *testing.T) {
	const secret = "PLANTED-SECRET"
	plant := func(n int) string { return fmt.Sprintf("%s-%d", secret, n) }
	aws := []collectors.Payload{
		trail(t, "CreateAccessKey", object{"requestParameters": object{"userName": "bob"}, "responseElements": object{"accessKey": object{"accessKeyId": "AKIABOB", "secretAccessKey": plant(1)}}}),
		trail(t, "CreateLoginProfile", object{"requestParameters": object{"userName": "bob", "password": plant(2)}}),
		trail(t, "ChangePassword", object{"requestParameters": object{"oldPassword": plant(3), "newPassword": plant(4)}}),
		trail(t, "sts:AssumeRole", object{"requestParameters": object{"roleArn": "arn:aws:iam::1:role/r", "externalId": plant(5), "tokenCode": plant(6)},
			"responseElements": object{"credentials": object{"accessKeyId": "ASIA1", "secretAccessKey": plant(7), "sessionToken": plant(8)}}}),
		trail(t, "sts:AssumeRoleWithSAML", object{"requestParameters": object{"roleArn": "arn:aws:iam::1:role/r", "sAMLAssertion": plant(9), "sAMLAssertionID": plant(10)}}),
		trail(t, "sts:AssumeRoleWithWebIdentity", object{"requestParameters": object{"roleArn": "arn:aws:iam::1:role/r", "webIdentityToken": plant(11)}}),
		trail(t, "lambda:UpdateFunctionConfiguration20150331v2", object{"requestParameters": object{"functionName": "f", "environment": object{"variables": object{"KEY": plant(12)}}}}),
		trail(t, "lambda:AddPermission20150331v2", object{"requestParameters": object{"functionName": "f", "principal": "s3.amazonaws.com", "eventSourceToken": plant(13)}}),
		trail(t, "secretsmanager:GetSecretValue", object{"requestParameters": object{"secretId": "s"}, "responseElements": object{"secretString": plant(14)}}),
		trail(t, "PutUserPolicy", object{"requestParameters": object{"userName": "bob", "policyName": "p", "policyDocument": `{"Statement":[{"Effect":"Allow","Action":["s3:GetObject","` + plant(15) + `"],"Resource":"*","Condition":{"StringEquals":{"aws:Referer":"` + plant(16) + `"}}}]}`}}),
		trail(t, "signin:ConsoleLogin", object{"additionalEventData": object{"LoginTo": "https://console/?state=" + plant(17)}, "responseElements": object{"ConsoleLogin": "Success"}}),
		trail(t, "CreateServiceSpecificCredential", object{"requestParameters": object{"userName": "bob", "serviceName": "codecommit"}, "responseElements": object{"serviceSpecificCredential": object{"servicePassword": plant(18)}}}),
		trail(t, "CreateVirtualMFADevice", object{"responseElements": object{"virtualMFADevice": object{"base32StringSeed": plant(19)}}}),
		trail(t, "UploadServerCertificate", object{"requestParameters": object{"serverCertificateName": "c", "privateKey": plant(20), "certificateBody": plant(21)}}),
		trail(t, "ssm:SendCommand", object{"requestParameters": object{"documentName": "AWS-RunShellScript", "instanceIds": []any{"i-1"}, "parameters": object{"commands": []any{plant(22)}}}}),
		trail(t, "CreateSAMLProvider", object{"requestParameters": object{"name": "n", "sAMLMetadataDocument": plant(23)}}),
		trail(t, "ec2:ModifyInstanceAttribute", object{"requestParameters": object{"instanceId": "i-1", "userData": object{"value": plant(24)}}}),
	}
	others := []collectors.Payload{
		{Bytes: []byte(`[{"@timestamp":1772471040123,"_document_id":"d","action":"oauth_access.create","actor":"a","user":"b","hashed_token":"` + plant(30) + `","token_scopes":"repo","config":{"secret":"` + plant(31) + `"}}]`)},
		{Bytes: []byte(`[{"@timestamp":1772471040123,"_document_id":"d","action":"hook.config_changed","actor":"a","repo":"a/b","config":{"url":"https://x/?t=` + plant(32) + `","secret":"` + plant(33) + `"}}]`)},
		{Bytes: []byte(`[{"uuid":"u","published":"2026-03-01T10:00:00Z","eventType":"system.api_token.create","outcome":{"result":"SUCCESS"},"actor":{"id":"1","type":"User","alternateId":"a"},
			"debugContext":{"debugData":{"url":"/api?token=` + plant(34) + `","dtHash":"` + plant(35) + `"}},"authenticationContext":{"externalSessionId":"` + plant(36) + `"}}]`)},
		{Bytes: []byte(`[{"id":"f","factorType":"token:software:totp","status":"ACTIVE","_embedded":{"activation":{"sharedSecret":"` + plant(37) + `"}},"_links":{"user":{"href":"https://o/api/v1/users/00u1"}}}]`)},
		{Bytes: []byte(`{"entries":[{"insertId":"i","logName":"projects/p/logs/l","timestamp":"2026-03-01T10:00:00Z","protoPayload":{"methodName":"google.iam.admin.v1.CreateServiceAccountKey","resourceName":"r","response":{"private_key_data":"` + plant(38) + `"}}}]}`)},
		{Bytes: []byte(`{"value":[{"id":"a","activityDisplayName":"Add service principal credentials","activityDateTime":"2026-03-01T10:00:00Z","result":"success","targetResources":[{"type":"ServicePrincipal","id":"b","displayName":"app","modifiedProperties":[{"displayName":"KeyDescription","newValue":"\"` + plant(39) + `\""}]}]}]}`)},
		{Bytes: []byte(`[{"auditLog":{"id":"aud-1","timestamp":"2026-03-01T10:00:00Z","event":"ChangeTeamMemberRoleEvent","status":"success","actor":{"type":"user","email":"a@b.example"},"metadata":{"user":"c@b.example","to":"ADMIN","token":"` + plant(40) + `"}}}]`)},
		{Bytes: []byte(`{"action":"created","key":{"id":1,"title":"k","key":"ssh-rsa ` + plant(41) + `","read_only":true,"created_at":"2026-03-01T10:00:00Z"},"repository":{"full_name":"a/b"},"sender":{"login":"a","id":1}}`)},
		{Bytes: []byte(`[{"id":"00u","status":"ACTIVE","created":"2026-03-01T10:00:00Z","profile":{"login":"a@b.example"},"credentials":{"password":{"value":"` + plant(42) + `"},"recovery_question":{"answer":"` + plant(43) + `"}}}]`)},
	}
	events := 0
	for i, p := range slices.Concat(aws, others) {
		m := iam.Map(p)
		events += len(m.Events)
		text := string(engine.Facts(m.Events)) + fmt.Sprint(m.Ignored)
		for _, f := range m.Faults {
			text += f.Error()
		}
		if at := strings.Index(text, secret); at >= 0 {
			t.Errorf("payload %d lets %q out", i, text[max(0, at-80):at+len(secret)+3])
		}
	}
	if events < 25 {
		t.Errorf("only %d events: the test looks at nothing", events)
	}
}
