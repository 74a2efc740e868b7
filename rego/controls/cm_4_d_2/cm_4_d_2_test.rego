package tests.cm_4_d_2

import data.tests.dossier

_id := "CM-4.D.2"

_posture := dossier.subject("posture", {"system": "render", "environment": "production", "environment_protected": true, "shared_accounts": [], "admins": ["alice", "erin"]})

_put(path, value) := dossier.put(_posture, concat("", ["/posture/", path]), value)

_without(path) := dossier.without(_posture, concat("", ["/posture/", path]))

test_status[note] if {
	some note, case in {
		"protected and personal": [_posture, "pass", []],
		"not protected": [_put("environment_protected", false), "fail", ["acc.unprotected_env"]],
		"protection not on record": [_without("environment_protected"), "unknown", ["acc.unprotected_env"]],
		"shared account": [_put("shared_accounts", ["ops@acme.example"]), "fail", ["acc.shared"]],
		"as many administrators as allowed": [_put("admins", ["a", "b", "c"]), "pass", []],
		"one administrator too many": [_put("admins", ["a", "b", "c", "d"]), "fail", ["acc.too_many_admins"]],
		"one administrator too many, counted": [dossier.without(_put("admin_count", 4), "/posture/admins"), "fail", ["acc.too_many_admins"]],
		"the larger of list and count": [_put("admin_count", 4), "fail", ["acc.too_many_admins"]],
		"everything wrong": [json.patch(_posture, [{"op": "replace", "path": "/posture/environment_protected", "value": false}, {"op": "replace", "path": "/posture/shared_accounts", "value": ["x"]}]), "fail", ["acc.shared", "acc.unprotected_env"]],
		"platform unread": [dossier.unread(_posture, "render"), "unknown", ["acc.unprotected_env"]],
		"proven, though unread": [dossier.unread(_put("shared_accounts", ["x"]), "render"), "fail", ["acc.shared"]],
		"cloud system unread": [dossier.unread(_put("system", "aws"), "iam"), "unknown", ["acc.unprotected_env"]],
		"no system, identity source unread": [dossier.unread(_without("system"), "iam"), "unknown", ["acc.unprotected_env"]],
		"nothing known": [dossier.subject("posture", {}), "unknown", ["acc.unprotected_env"]],
		"only a system": [dossier.subject("posture", {"system": "render"}), "unknown", ["acc.unprotected_env"]],
		"administrators of a system": [dossier.subject("posture", {"system": "github", "admins": ["a"], "shared_accounts": []}), "pass", []],
		"staging": [_put("environment", "Staging"), "not_applicable", []],
		"test environment": [_put("environment", "eu-test-2"), "not_applicable", []],
		"latest is no test": [_put("environment", "production-latest"), "pass", []],
		"device is not dev": [_put("environment", "devices"), "pass", []],
		"a service, not its access": [dossier.subject("posture", {"system": "render", "service": "api", "environment": "production"}), "not_applicable", []],
		"a service with its access": [_put("service", "api"), "pass", []],
	}
	dossier.says(_id, case[0], case[1], case[2])
}

test_says_what_it_did_not_judge if {
	document := data.decision.document with input as dossier.subject("posture", {"system": "render", "environment": "production", "environment_protected": true})
	some note in document.observations
	note.reason == "acc.untold"
	contains(note.message, "shared accounts, the number of administrators")
}

test_waiver[note] if {
	some note, case in {
		"valid": [{}, "waived"],
		"expired": [{"expires_at": "2026-11-20T08:59:59Z"}, "fail"],
		"from tomorrow": [{"approved_at": "2026-11-20T09:00:01Z"}, "fail"],
	}
	dossier.status(_id, dossier.waived(_put("environment_protected", false), _id, case[0])) == case[1]
}
