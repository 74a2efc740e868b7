package tests.cm_6_1

import data.tests.dossier

_id := "CM-6.1"

_fix := dossier.put(dossier.normal, "/change/pull_request/labels", ["Security-Fix"])

_vulnerability := json.patch(dossier.emergency, [
	{"op": "replace", "path": "/change/emergency_trigger/kind", "value": "vulnerability"},
	{"op": "replace", "path": "/change/emergency_trigger/id", "value": "CVE-2026-1234"},
])

_described(text) := dossier.put(_fix, "/change/pull_request/body_at_merge/description", text)

test_status[note] if {
	some note, case in {
		"no security fix": [dossier.normal, "not_applicable", []],
		"emergency for an incident": [dossier.emergency, "not_applicable", []],
		"names no finding": [_fix, "fail", ["vuln.no_finding"]],
		"names a CVE": [_described("Fixes CVE-2026-1234 in urllib3."), "pass", []],
		"names an advisory": [_described("Fixes ghsa-abcd-1234-efgh."), "pass", []],
		"names half a CVE": [_described("Fixes CVE-2026."), "fail", ["vuln.no_finding"]],
		"names it in the title": [dossier.put(_fix, "/change/pull_request/title", "Update urllib3 (CVE-2026-12345)"), "pass", []],
		"names it in the text": [dossier.put(_fix, "/change/pull_request/body_at_merge/raw", "CVE-2026-12345"), "pass", []],
		"linked issue": [dossier.put(_fix, "/change/links", ["acme/app#77"]), "pass", []],
		"issue": [dossier.put(_fix, "/change/issue", {"id": "SEC-7"}), "pass", []],
		"no labels": [dossier.without(dossier.normal, "/change/pull_request/labels"), "not_applicable", []],
		"triggered by a vulnerability": [_vulnerability, "pass", []],
		"vulnerability without a severity": [dossier.without(_vulnerability, "/change/emergency_trigger/severity"), "unknown", ["vuln.no_finding"]],
		"vulnerability without an id": [dossier.without(_vulnerability, "/change/emergency_trigger/id"), "fail", ["vuln.no_finding"]],
		"scanner unread": [dossier.unread(_fix, "scanner"), "unknown", ["vuln.no_finding"]],
		"description unread": [dossier.put(_fix, "/sources/github", {"status": "incomplete", "missing": ["body"]}), "unknown", ["vuln.no_finding"]],
		"named, though the scanner is unread": [dossier.unread(_described("CVE-2026-1234"), "scanner"), "pass", []],
		"open pull request": [json.patch(_fix, [{"op": "remove", "path": "/change/pull_request/merged_at"}, {"op": "remove", "path": "/change/pull_request/merged_by"}, {"op": "remove", "path": "/change/pull_request/merge_commit_sha"}, {"op": "remove", "path": "/change/deployments"}]), "pending", ["vuln.no_finding"]],
	}
	dossier.says(_id, case[0], case[1], case[2])
}

test_points_at_what_names_the_finding if {
	found := dossier.finding(_id, _described("Fixes CVE-2026-1234"))
	found.evidence == ["/change/pull_request/body_at_merge/description"]
	contains(found.message, "CVE-2026-1234")
}

test_waiver[note] if {
	some note, case in {
		"valid": [{}, "waived"],
		"after the merge": [{"approved_at": "2026-11-10T11:00:01Z"}, "fail"],
	}
	dossier.status(_id, dossier.waived(_fix, _id, case[0])) == case[1]
}
