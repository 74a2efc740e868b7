package tests.cm_5_1

import data.tests.dossier

_id := "CM-5.1"

_emergency := dossier.emergency

_untriggered := dossier.without(_emergency, "/change/emergency_trigger")

_at(base, now) := dossier.put(base, "/evaluated_at", now)

# live at 11:06:00, so that the record is due a day later.
test_status[note] if {
	some note, case in {
		"no emergency": [dossier.normal, "not_applicable", []],
		"on record": [_emergency, "pass", []],
		"a push on record": [
			json.patch(dossier.push, [
				{"op": "add", "path": "/change/declared/type", "value": "emergency"},
				{"op": "add", "path": "/change/emergency_trigger", "value": _emergency.change.emergency_trigger},
			]),
			"pass", [],
		],
		"no trigger yet": [_at(_untriggered, "2026-11-11T11:05:59Z"), "pending", ["em.not_traceable"]],
		"at the deadline": [_at(_untriggered, "2026-11-11T11:06:00Z"), "pending", ["em.not_traceable"]],
		"tracker unread": [dossier.unread(_untriggered, "issues"), "unknown", ["em.not_traceable"]],
		"scanner unread": [dossier.unread(_untriggered, "scanner"), "unknown", ["em.not_traceable"]],
		"nobody made it": [
			json.patch(_emergency, [
				{"op": "remove", "path": "/change/pull_request/author"},
				{"op": "replace", "path": "/change/pull_request/commits", "value": []},
			]),
			"fail", ["em.not_traceable"],
		],
		"no commit": [
			json.patch(_emergency, [
				{"op": "remove", "path": "/change/pull_request/head_sha"},
				{"op": "remove", "path": "/change/pull_request/merge_commit_sha"},
				{"op": "remove", "path": "/change/merged_content_shas"},
			]),
			"fail", ["em.not_traceable"],
		],
		"trigger without an id": [dossier.without(_emergency, "/change/emergency_trigger/id"), "pass", []],
		"no time": [
			json.patch(_emergency, [
				{"op": "remove", "path": "/change/pull_request/merged_at"},
				{"op": "remove", "path": "/change/deployments"},
				{"op": "replace", "path": "/evaluated_at", "value": "2026-11-10T11:30:00Z"},
			]),
			"pending", ["em.not_traceable"],
		],
	}
	dossier.says(_id, case[0], case[1], case[2])
}

# Without a trigger in time it is no emergency any more.
test_over if dossier.status(_id, _at(_untriggered, "2026-11-11T11:06:01Z")) == "not_applicable"

test_names_what_is_missing_and_when_it_is_due if {
	found := dossier.finding(_id, _at(_untriggered, "2026-11-10T12:00:00Z"))
	found.due_at == "2026-11-11T11:06:00Z"
	contains(found.message, "which incident it answers")
}

test_grant_in_an_emergency if {
	granted := json.patch(dossier.grant, [
		{"op": "add", "path": "/change/declared", "value": {"type": "emergency"}},
		{"op": "add", "path": "/change/emergency_trigger", "value": {"id": "INC-9", "kind": "incident", "started_at": "2026-11-11T08:00:00Z", "recorded_at": "2026-11-11T08:05:00Z"}},
	])
	dossier.says(_id, granted, "pass", [])
	dossier.says(_id, dossier.without(granted, "/change/event/type"), "fail", ["em.not_traceable"])
}

test_waiver if {
	untraceable := json.patch(_emergency, [
		{"op": "remove", "path": "/change/pull_request/author"},
		{"op": "replace", "path": "/change/pull_request/commits", "value": []},
	])
	dossier.status(_id, dossier.waived(untraceable, _id, {"requested_by": "bob"})) == "waived"
	dossier.status(_id, dossier.waived(untraceable, _id, {"requested_by": "bob", "approved_at": "2026-11-11T11:06:01Z"})) == "fail"
}
