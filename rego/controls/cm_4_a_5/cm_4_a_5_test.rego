package tests.cm_4_a_5

import data.tests.dossier

_id := "CM-4.A.5"

_risk := "/change/pull_request/body_at_merge/risk"

_axis(axis, text) := dossier.put(dossier.normal, $"{_risk}/{axis}", text)

_mute_emergency := dossier.put(dossier.emergency, _risk, {})

_raw(text) := dossier.put(dossier.normal, "/change/pull_request/body_at_merge", {"raw": text})

test_status[note] if {
	some note, case in {
		"assessed": [dossier.normal, "pass", []],
		"a level each": [dossier.put(dossier.normal, _risk, {"availability": "low", "security": "none", "data": "none"}), "pass", []],
		"no availability": [dossier.without(dossier.normal, $"{_risk}/availability"), "fail", ["doc.risk_axis_missing"]],
		"no security": [dossier.without(dossier.normal, $"{_risk}/security"), "fail", ["doc.risk_axis_missing"]],
		"no data": [dossier.without(dossier.normal, $"{_risk}/data"), "fail", ["doc.risk_axis_missing"]],
		"nothing": [dossier.without(dossier.normal, _risk), "fail", ["doc.risk_axis_missing"]],
		"an empty axis": [_axis("data", ""), "fail", ["doc.risk_axis_missing"]],
		"a comment": [_axis("data", "<!-- low, medium or high -->"), "fail", ["doc.risk_axis_missing"]],
		"a placeholder": [_axis("data", "n/a"), "fail", ["doc.risk_axis_missing"]],
		"a placeholder with a reason": [_axis("data", "n/a: nothing is written"), "pass", []],
		"a label": [_axis("data", "Data:"), "fail", ["doc.risk_axis_missing"]],
		"texts unread": [dossier.put(_axis("data", ""), "/sources/github", {"status": "incomplete", "missing": ["pull_request"]}), "unknown", ["doc.risk_axis_missing"]],
		"an emergency, window open": [dossier.put(_mute_emergency, "/evaluated_at", "2026-11-11T11:06:00Z"), "pending", ["doc.risk_axis_missing"]],
		"an emergency, a second later": [dossier.put(_mute_emergency, "/evaluated_at", "2026-11-11T11:06:01Z"), "fail", ["doc.risk_axis_missing"]],
		"in a text that nobody took apart": [_raw("## Risk\n- **Availability**: low\n* security - none, access stays\nData: none\n"), "pass", []],
		"in one line of it": [_raw("Risk: availability: low; security: none; data: none"), "pass", []],
		"not in it": [_raw("## Risk (availability / security / data)\n- Availability: low\n- Security:\n<!-- data: which? -->"), "fail", ["doc.risk_axis_missing"]],
		"a grant": [dossier.grant, "pass", []],
		"a grant without an axis": [dossier.without(dossier.grant, "/change/issue/body/risk/security"), "fail", ["doc.risk_axis_missing"]],
		"pull request and issue of an emergency together": [dossier.put(_mute_emergency, "/change/issue", {"id": "INC-77", "created_at": "2026-11-10T08:35:00Z", "body": {"risk": dossier.normal.change.pull_request.body_at_merge.risk}}), "pass", []],
		"a standard change": [dossier.standard, "pass", []],
		"called standard, and none": [dossier.put(dossier.standard, "/change/dependency_updates/0/to", "5.0.0"), "fail", ["doc.risk_axis_missing"]],
		"a rollback": [dossier.rollback, "pass", []],
		"waived": [dossier.waived(_axis("data", ""), _id, {}), "waived", ["doc.risk_axis_missing"]],
	}
	dossier.says(_id, case[0], case[1], case[2])
}

test_points_at_the_text if {
	found := dossier.finding(_id, _raw("Availability: low\nSecurity: none\nData: none"))
	found.evidence == ["/change/pull_request/body_at_merge/raw"]
}

test_names_the_axes if {
	found := dossier.finding(_id, dossier.put(dossier.normal, _risk, {"security": "none"}))
	found.message == "Pull request #412 has no risk assessment for availability, data."
	found.evidence == ["/change/pull_request/body_at_merge"]
}
