package policy_test

import "testing/fstest"

// tiny is a bundle of two controls: one for changes, one for alerts. Its
// document can be bent by the commit message of the dossier, so that tests can
// make it misbehave in one way at a time.
func tiny(changes ...map[string]string) fstest.MapFS {
	files := map[string]string{
		".manifest": `{"revision": "1.2.3", "rego_version": 1, "roots": ["catalogue", "controls", "decision", "settings"],
			"metadata": {"name": "tiny", "version": "1.2.3"}}`,
		"catalogue/data.yaml": `
policy: {name: tiny, version: 1.2.3}
controls:
  T-1: {rule: t_1, title: Reviewed, clause: 4.b, severity: high, subjects: [change]}
  T-2: {rule: t_2, title: Answered, clause: "5", severity: low, subjects: [change, alert], aliases: [T-2.b], frameworks: {soc2: [CC8.1]}}
`,
		"settings/data.yaml": "min_approvals: 1\nholidays: []\nvuln_sla_days: {critical: 7, high: 30}\nlimits: {own_limit: 3}\n",
		"controls/t_1/t_1.rego": `# METADATA
# title: Reviewed
# description: Somebody else has read it.
# custom:
#   owner: platform
package controls.t_1

status := "pass" if count(approvals) >= data.settings.min_approvals

status := "fail" if count(approvals) < data.settings.min_approvals

approvals := [r | some r in input.change.pull_request.reviews; r.state == "approved"]
`,
		"controls/t_1/t_1_test.rego": `package controls.t_1_test

import data.controls.t_1

test_passes if t_1.status == "pass" with input as {"change": {"pull_request": {"reviews": [{"state": "approved"}]}}}
`,
		"controls/t_2/t_2.rego": "package controls.t_2\n\nstatus := \"not_applicable\"\n",
		"decision/decision.rego": `package decision

_outcomes := {"pass": "compliant", "fail": "non_compliant", "not_applicable": "compliant"}

document := {
	"schema": "decision/v1",
	"subject": input.subject,
	"evaluated_at": input.evaluated_at,
	"outcome": _outcomes[data.controls.t_1.status],
	"classification": {"type": "normal", "scopes": [], "reasons": []},
	"risk": {"level": "low", "reasons": []},
	"findings": [_finding("T-1", data.controls.t_1.status), _finding("T-2", data.controls.t_2.status)],
}

_finding(id, status) := {
	"control": id,
	"status": status,
	"severity": data.catalogue.controls[id].severity,
	"title": data.catalogue.controls[id].title,
	"clause": data.catalogue.controls[id].clause,
	"message": $"{id} says {status}.",
	"reasons": [],
	"evidence": ["/change/kind"],
	"policy_version": data.catalogue.policy.version,
}
`,
	}
	fsys := fstest.MapFS{}
	for _, change := range append([]map[string]string{files}, changes...) {
		for name, text := range change {
			if text == "" {
				delete(fsys, name)
				continue
			}
			fsys[name] = &fstest.MapFile{Data: []byte(text)}
		}
	}
	return fsys
}

// document replaces the tiny bundle's entrypoint.
func document(rego string) map[string]string {
	return map[string]string{"decision/decision.rego": "package decision\n\n" + rego}
}

// good is a whole document, to be spoilt field by field.
const good = `
good := {
	"schema": "decision/v1",
	"subject": input.subject,
	"evaluated_at": input.evaluated_at,
	"outcome": "compliant",
	"classification": {"type": "normal", "scopes": [], "reasons": []},
	"risk": {"level": "low", "reasons": []},
	"findings": [finding("T-1", "pass"), finding("T-2", "pass")],
}

finding(id, status) := {
	"control": id, "status": status, "severity": "low", "title": "t", "clause": "c", "message": "m",
	"reasons": [], "evidence": [], "policy_version": "1.2.3",
}
`

func spoilt(with string) map[string]string {
	return document("document := object.union(good, " + with + ")\n" + good)
}

// dossier is a valid one about a pull request with one approval.
const dossier = `{
  "schema": "dossier/v1", "evaluated_at": "2026-11-02T09:30:00Z",
  "subject": {"type": "change", "id": "acme/shop#412"},
  "sources": {"github": {"status": "complete"}}, "people": [{"id": "ana", "kind": "employee"}],
  "change": {"kind": "pull_request", "pull_request": {"reviews": [{"user": "ben", "state": "approved"}]}}
}`
