// Package iam maps what identity and access systems record (AWS, GitHub, Okta,
// Google Workspace, Google Cloud, Entra ID, Render) to events.
//
// Map is pure: one payload in, events out. An event holds only what its own
// record says, so that the same record gives the same event from whichever file
// or page it was read; Link joins records of several payloads afterwards.
//
// Only named fields are copied, none wholesale: session credentials, token
// hashes, SAML assertions, policy documents, environment variables and URL
// queries stay behind.
package iam

import (
	"bytes"
	"errors"
	"fmt"
	"path"
	"strings"

	"github.com/changevouch/changevouch/collectors"
	"github.com/changevouch/changevouch/engine"
)

// Map recognises one payload by content, and by path where the content does not
// say what it is, and gives its events. Bytes are plain: the reader has
// uncompressed them. What it does not know is counted in Ignored.
func Map(p collectors.Payload) collectors.Mapping { return mapNamed(p, "") }

// mapNamed maps the list of one group or application, whose name stands in no
// answer about its users.
func mapNamed(p collectors.Payload, name string) collectors.Mapping {
	b := &builder{rec: collectors.NewRecorder(p, "iam", "iam"), path: p.Path, name: name, seen: map[string]bool{}}
	if skipped := skippedName(p.Path); skipped != "" {
		b.rec.Ignore(skipped)
		return b.rec.Mapping()
	}
	body := bytes.TrimSpace(collectors.Text(p.Bytes))
	switch {
	case len(body) == 0:
		b.rec.Ignore("empty file")
	case body[0] == '{' || body[0] == '[':
		b.json(body)
	case isCredentialReport(body):
		b.awsCredentialReport(body)
	case isAccessReview(body):
		b.accessReview(body)
	default:
		b.rec.Ignore("unknown text")
	}
	return b.rec.Mapping()
}

// skippedName names the objects that lie beside log files and hold none.
func skippedName(file string) string {
	file = strings.ReplaceAll(file, "\\", "/")
	switch {
	case strings.Contains(file, "/CloudTrail-Digest/") || strings.Contains(path.Base(file), "_CloudTrail-Digest_"):
		return "cloudtrail digest"
	case strings.Contains(file, "/CloudTrail-Insight/") || strings.Contains(path.Base(file), "_CloudTrail-Insight_"):
		return "cloudtrail insight"
	case path.Base(file) == "_check":
		return "audit log stream check"
	}
	return ""
}

// json reads one JSON document, or one JSON record a line.
func (b *builder) json(body []byte) {
	doc, err := parse(body)
	if err == nil {
		b.document(doc)
		return
	}
	lines := bytes.Split(body, []byte("\n"))
	if _, lineErr := parse(lines[0]); len(lines) == 1 || lineErr != nil {
		b.fault("", fmt.Errorf("not JSON: %w; the file may be cut off, fetch it again", err))
		return
	}
	for i, line := range lines {
		if line = bytes.TrimSpace(line); len(line) == 0 {
			continue
		}
		rec, err := parse(line)
		if err != nil {
			b.fault(fmt.Sprintf("line %d", i+1), fmt.Errorf("not JSON: %w", err))
			continue
		}
		b.where = fmt.Sprintf("line %d", i+1)
		b.record(rec)
	}
}

// document takes the envelope off and maps what is inside.
func (b *builder) document(doc node) {
	switch {
	case doc.isList():
		b.answer(doc.list(""))
	case b.errorAnswer(doc):
	case doc.get("Records").isList():
		b.records("/Records", "cloudtrail", doc.list("Records"), b.awsRecord)
	case doc.get("Events").isList():
		b.records("/Events", "cloudtrail", doc.list("Events"), b.awsLookup)
	case doc.has("Content") && (doc.has("ReportFormat") || doc.has("GeneratedTime")):
		b.awsReportAnswer(doc)
	case doc.has("UserDetailList") || doc.has("RoleDetailList"):
		b.awsAuthorizationDetails(doc)
	case doc.get("entries").isList():
		b.records("/entries", "audit_log", doc.list("entries"), b.gcpEntry)
	case strings.HasPrefix(doc.str("kind"), "admin#reports#activit") && !doc.has("events"):
		b.records("/items", "audit_log", doc.list("items"), b.googleActivity)
	case doc.str("kind") == "admin#directory#users":
		b.googleUsers(doc)
	case doc.get("records").isList():
		b.records("/records", "audit_log", doc.list("records"), b.entraAudit)
	case doc.get("value").isList() && len(doc.list("value")) > 0 && isEntraDecision(doc.list("value")[0]):
		b.entraReview(doc, doc.list("value"))
	case strings.Contains(doc.key("@odata.context").str(""), "directoryAudits"), doc.get("value").isList() && len(doc.list("value")) > 0 && doc.list("value")[0].has("activityDateTime"):
		b.records("/value", "audit_log", doc.list("value"), b.entraAudit)
	case doc.str("eventType") == "com.okta.event_hook":
		b.records("/data/events", "", doc.list("data.events"), b.oktaEvent)
	case doc.has("data.organization"):
		b.githubGraph(doc.get("data.organization"))
	case doc.get("members").isList() && doc.has("org"):
		b.githubMembers(doc)
	case doc.get("installations").isList():
		b.githubInstallations(doc)
	case doc.has("request.payload") && doc.has("event"):
		b.githubDelivery(doc)
	case isGithubWebhook(doc):
		b.githubWebhook(doc, "", "", "")
	case doc.has("schema") && doc.str("schema") == engine.EventSchema:
		b.rec.Ignore("event")
	default:
		b.where = ""
		b.record(doc)
	}
}

// record maps one record that stands alone or on a line of its own.
func (b *builder) record(rec node) {
	switch {
	case rec.has("eventSource") && rec.has("eventName"):
		b.awsRecord(rec)
	case rec.has("CloudTrailEvent"):
		b.awsLookup(rec)
	case rec.has("protoPayload") || rec.has("logName"):
		b.gcpEntry(rec)
	case rec.has("uuid") && rec.has("eventType"):
		b.oktaEvent(rec)
	case rec.has("action") && (rec.has("created_at") || rec.key("@timestamp").v != nil):
		b.githubAudit(rec)
	case rec.get("id").isObject() && rec.get("events").isList():
		b.googleActivity(rec)
	case rec.has("activityDateTime") || rec.has("properties") && rec.has("category"):
		b.entraAudit(rec)
	case rec.has("auditLog"):
		b.renderAudit(rec)
	default:
		b.rec.Ignore("unknown JSON")
	}
}

// answer maps a bare JSON array, told apart by its first element, or by the
// path when it is empty.
func (b *builder) answer(items []node) {
	if len(items) == 0 {
		b.emptyAnswer()
		return
	}
	first := items[0]
	switch {
	case first.has("auditLog"):
		b.records("", "audit_log", items, b.renderAudit)
	case first.has("userId") && first.has("role") && first.has("email"):
		b.renderMembers(items)
	case first.has("uuid") && first.has("eventType"):
		b.records("", "audit_log", items, b.oktaEvent)
	case first.has("action"):
		b.records("", "audit_log", items, b.githubAudit)
	case isEntraDecision(first):
		b.entraReview(node{}, items)
	case first.has("profile.login"):
		b.oktaUsers(items)
	case first.has("profile.name") && first.has("objectClass"):
		b.rec.Ignore("okta list of groups")
	case first.has("signOnMode") && first.has("label"):
		b.rec.Ignore("okta list of applications")
	case first.has("assignmentType"):
		b.oktaRoles(items)
	case first.has("tokenWindow"):
		b.oktaTokens(items)
	case first.has("factorType"):
		b.oktaFactors(items)
	case first.has("credentials.userName") && first.has("scope"):
		b.oktaAppUsers(items)
	case first.has("app_id") && first.has("permissions"):
		b.githubInstallationList(items)
	case first.has("login") && first.has("inviter"):
		b.githubInvitations(items)
	case first.has("login"):
		b.githubAccounts(items)
	default:
		b.rec.Ignore("unknown JSON list")
	}
}

// records maps every element on its own: a broken one becomes a fault and the
// rest still comes out. fact "" means that this is no list answer.
func (b *builder) records(pointer, fact string, items []node, mapOne func(node)) {
	before := b.broken
	for i, rec := range items {
		b.where = fmt.Sprintf("%s/%d", pointer, i)
		if !rec.isObject() {
			b.fault(b.where, errors.New("not an object"))
			continue
		}
		mapOne(rec)
	}
	switch broken := b.broken - before; {
	case fact == "":
	case broken > 0:
		b.unread(fact, "", fmt.Sprintf("%d of %d records could not be read", broken, len(items)))
	default:
		b.covered(fact, "")
	}
}
