package tests.cm_4_a_2

import data.tests.dossier

_id := "CM-4.A.2"

_opened(at) := dossier.put(dossier.normal, "/change/pull_request/created_at", at)

_at(base, now) := dossier.put(base, "/evaluated_at", now)

_missing(base, facts) := dossier.put(base, "/sources/github", {"status": "incomplete", "missing": facts})

_issue(base, at) := dossier.put(base, "/change/issue/created_at", at)

_unrequested := dossier.without(dossier.grant, "/change/issue")

_urgent := json.patch(dossier.push, [
	{"op": "add", "path": "/change/declared", "value": {"type": "emergency", "source": "incident timeline INC-77", "at": "2026-11-10T11:10:00Z"}},
	{"op": "add", "path": "/change/emergency_trigger", "value": dossier.emergency.change.emergency_trigger},
])

_documented(at) := dossier.put(_urgent, "/change/documenting_pull_request", {"number": 419, "created_at": at})

# unmerged: a commit of an open pull request, deployed by hand at 16:00:00.
_unmerged(at) := json.patch(dossier.normal, [
	{"op": "remove", "path": "/change/pull_request/merged_at"},
	{"op": "remove", "path": "/change/pull_request/merged_by"},
	{"op": "replace", "path": "/change/kind", "value": "manual_deploy"},
	{"op": "replace", "path": "/change/pull_request/created_at", "value": at},
	{"op": "replace", "path": "/change/deployments/0/live_at", "value": "2026-11-10T16:00:00Z"},
])

test_status[note] if {
	some note, case in {
		"a rollback to a build of unknown review": [dossier.without(dossier.rollback, "/change/rollback/target_review"), "unknown", ["pr.missing"]],
		"a pull request": [dossier.normal, "pass", []],
		"an open one": [json.patch(dossier.normal, [{"op": "remove", "path": "/change/pull_request/merged_at"}, {"op": "remove", "path": "/change/pull_request/merged_by"}, {"op": "remove", "path": "/change/deployments"}]), "pass", []],
		"opened at the merge": [_opened("2026-11-10T11:00:00Z"), "pass", []],
		"opened a second after the merge": [_opened("2026-11-10T11:00:01Z"), "fail", ["pr.after_the_fact"]],
		"opened at no known time, but merged": [dossier.without(dossier.normal, "/change/pull_request/created_at"), "pass", []],
		"merged at no known time": [dossier.without(dossier.normal, "/change/pull_request/merged_at"), "pass", []],
		"opened at no known time, deployed unmerged": [dossier.without(_unmerged("2026-11-10T09:00:00Z"), "/change/pull_request/created_at"), "unknown", ["pr.missing"]],
		"opened before an unmerged deployment": [_unmerged("2026-11-10T09:00:00Z"), "pass", []],
		"opened within the skew of it": [_unmerged("2026-11-10T16:01:00Z"), "pass", []],
		"opened a second later": [_unmerged("2026-11-10T16:01:01Z"), "fail", ["pr.after_the_fact"]],
		"a push": [dossier.push, "fail", ["pr.missing"]],
		"a push, pull requests unread": [_missing(dossier.push, ["pull_requests"]), "unknown", ["pr.missing"]],
		"a push, texts unread": [_missing(dossier.push, ["body_history"]), "fail", ["pr.missing"]],
		"a push a moment ago": [_at(dossier.push, "2026-11-10T11:21:00Z"), "pending", ["pr.missing"]],
		"a push a second longer ago": [_at(dossier.push, "2026-11-10T11:21:01Z"), "fail", ["pr.missing"]],
		"a push with an issue": [dossier.put(dossier.push, "/change/issue", dossier.grant.change.issue), "fail", ["pr.missing"]],
		"a push documented afterwards": [dossier.put(dossier.push, "/change/documenting_pull_request", {"number": 419, "created_at": "2026-11-10T12:00:00Z"}), "fail", ["pr.after_the_fact"]],
		"a push documented at no known time": [dossier.put(dossier.push, "/change/documenting_pull_request", {"number": 419}), "unknown", ["pr.missing"]],
		"an emergency documented at the end of the window": [_documented("2026-11-11T11:06:00Z"), "pass", []],
		"an emergency documented a second later": [_documented("2026-11-11T11:06:01Z"), "fail", ["pr.after_the_fact"]],
		"an emergency documented by its issue": [dossier.put(_urgent, "/change/issue", {"id": "INC-77", "created_at": "2026-11-10T08:35:00Z"}), "pass", []],
		"an emergency documented late, window open": [_at(dossier.put(_urgent, "/change/declared", {"type": "emergency"}), "2026-11-11T11:06:00Z"), "pending", ["pr.missing"]],
		"an emergency not documented": [_urgent, "fail", ["pr.missing"]],
		"an emergency not documented, tracker unread": [dossier.unread(_urgent, "issues"), "unknown", ["pr.missing"]],
		"an emergency not documented, repository unread": [dossier.unread(_urgent, "github"), "unknown", ["pr.missing"]],
		"an issue for what Git cannot hold": [dossier.grant, "pass", []],
		"no issue": [_unrequested, "fail", ["pr.missing"]],
		"no issue a moment ago": [_at(_unrequested, "2026-11-11T09:15:00Z"), "pending", ["pr.missing"]],
		"no issue, tracker unread": [dossier.unread(_unrequested, "issues"), "unknown", ["pr.missing"]],
		"an issue within the skew": [_issue(dossier.grant, "2026-11-11T09:01:00Z"), "pass", []],
		"an issue a second later": [_issue(dossier.grant, "2026-11-11T09:01:01Z"), "fail", ["pr.after_the_fact"]],
		"an issue a second later, tracker unread": [dossier.unread(_issue(dossier.grant, "2026-11-11T09:01:01Z"), "issues"), "fail", ["pr.after_the_fact"]],
		"an issue without a time": [dossier.without(dossier.grant, "/change/issue/created_at"), "unknown", ["pr.missing"]],
		"an issue for a change without a time": [dossier.without(dossier.grant, "/change/event/at"), "unknown", ["pr.after_the_fact"]],
		"a rollback to a reviewed build": [dossier.rollback, "not_applicable", []],
		"a rollback to another": [dossier.put(dossier.rollback, "/change/rollback/target_review", "non_compliant"), "fail", ["pr.missing"]],
		"a rollback to another, with an issue": [json.patch(dossier.rollback, [{"op": "replace", "path": "/change/rollback/target_review", "value": "non_compliant"}, {"op": "add", "path": "/change/issue", "value": dossier.grant.change.issue}]), "pass", []],
		"nothing but an id": [dossier.without(dossier.without(dossier.push, "/change/push"), "/change/deployments"), "fail", ["pr.missing"]],
		"waived": [dossier.waived(dossier.push, _id, {}), "waived", ["pr.missing"]],
	}
	dossier.says(_id, case[0], case[1], case[2])
}

test_due[note] if {
	some note, case in {
		"settling": [_at(dossier.push, "2026-11-10T11:10:00Z"), "2026-11-10T11:21:00Z"],
		"window": [_at(_urgent, "2026-11-11T09:00:00Z"), "2026-11-11T11:06:00Z"],
	}
	dossier.finding(_id, case[0]).due_at == case[1]
}

test_names_who_pushed if {
	contains(dossier.finding(_id, dossier.push).message, "The push of 3942be5c by carol reached production")
}
