package tests.cm_4_a_4

import data.tests.dossier

_id := "CM-4.A.4"

_body := "/change/pull_request/body_at_merge"

_says(text) := dossier.put(dossier.normal, $"{_body}/description", text)

# raw: a text that nobody took apart.
_raw(text) := dossier.put(dossier.normal, _body, {"raw": text})

_silent := dossier.without(dossier.normal, $"{_body}/description")

_at(base, now) := dossier.put(base, "/evaluated_at", now)

_missing(base, facts) := dossier.put(base, "/sources/github", {"status": "incomplete", "missing": facts})

_issue(at) := {"id": "INC-77", "created_at": at, "body": dossier.normal.change.pull_request.body_at_merge}

_open(base) := json.patch(base, [
	{"op": "remove", "path": "/change/pull_request/merged_at"},
	{"op": "remove", "path": "/change/pull_request/merged_by"},
	{"op": "remove", "path": "/change/deployments"},
])

_mute_emergency := dossier.without(dossier.emergency, _body)

test_status[note] if {
	some note, case in {
		"described": [dossier.normal, "pass", []],
		"no description": [_silent, "fail", ["doc.empty"]],
		"an empty one": [_says(""), "fail", ["doc.empty"]],
		"only a comment": [_says("<!-- why -->"), "fail", ["doc.empty"]],
		"a comment that never ends": [_says("<!-- why"), "fail", ["doc.empty"]],
		"only a heading": [_says("## Description\n"), "fail", ["doc.empty"]],
		"only headings, written on Windows": [_says("## Description\r\n\r\n### Why\r\n- Reason:\r\n"), "fail", ["doc.empty"]],
		"only boxes that nobody ticked": [_says("- [ ] I tested it\n- [ ] I told support"), "fail", ["doc.empty"]],
		"a ticked box": [_says("- [x] Caps pagination at 100 rows"), "pass", []],
		"a placeholder": [_says(" TBD. "), "fail", ["doc.empty"]],
		"no response": [_says("_No response_"), "fail", ["doc.empty"]],
		"none": [_says("None"), "fail", ["doc.empty"]],
		"n/a with a reason": [_says("N/A: only a comment in the code"), "pass", []],
		"a heading and a sentence": [_says("## Description\n<!-- why -->\nCaps pagination."), "pass", []],
		"a text that nobody took apart": [_raw("Caps pagination at 100 rows."), "pass", []],
		"a template that nobody touched": [_raw("## Description\n<!-- why -->\n## Rollback\n"), "fail", ["doc.template_untouched"]],
		"no text at all": [dossier.without(dossier.normal, _body), "fail", ["doc.empty"]],
		"added after the merge": [dossier.put(_silent, "/change/pull_request/body_edited_at", "2026-11-10T11:00:01Z"), "fail", ["doc.added_after_merge"]],
		"edited at the merge": [dossier.put(_silent, "/change/pull_request/body_edited_at", "2026-11-10T11:00:00Z"), "fail", ["doc.empty"]],
		"described, and edited later": [dossier.put(dossier.normal, "/change/pull_request/body_edited_at", "2026-11-12T11:00:00Z"), "pass", []],
		"texts unread": [_missing(_silent, ["body_history"]), "unknown", ["doc.empty"]],
		"checks unread": [_missing(_silent, ["checks"]), "fail", ["doc.empty"]],
		"described, though texts unread": [_missing(dossier.normal, ["body_history"]), "pass", []],
		"still open": [_open(_silent), "pending", ["doc.empty"]],
		"a normal change with an issue that says it": [dossier.put(_silent, "/change/issue", _issue("2026-11-10T08:00:00Z")), "fail", ["doc.empty"]],
		"an emergency": [dossier.emergency, "pass", []],
		"an emergency without a word": [_mute_emergency, "fail", ["doc.empty"]],
		"an emergency without a word, window open": [_at(_mute_emergency, "2026-11-11T11:06:00Z"), "pending", ["doc.empty"]],
		"an emergency without a word, a second later": [_at(_mute_emergency, "2026-11-11T11:06:01Z"), "fail", ["doc.empty"]],
		"an emergency without a word, tracker unread": [dossier.unread(_mute_emergency, "issues"), "unknown", ["doc.empty"]],
		"an emergency that its issue describes": [dossier.put(_mute_emergency, "/change/issue", _issue("2026-11-11T11:06:00Z")), "pass", []],
		"an emergency that its issue describes too late": [dossier.put(_mute_emergency, "/change/issue", _issue("2026-11-11T11:06:01Z")), "fail", ["doc.empty"]],
		"an emergency whose issue has no time": [dossier.without(dossier.put(_mute_emergency, "/change/issue", _issue("2026-11-11T11:06:00Z")), "/change/issue/created_at"), "unknown", ["doc.empty"]],
		"a grant": [dossier.grant, "pass", []],
		"a grant without a word": [dossier.without(dossier.grant, "/change/issue/body/description"), "fail", ["doc.empty"]],
		"a grant described within the skew": [dossier.put(dossier.grant, "/change/issue/created_at", "2026-11-11T09:01:00Z"), "pass", []],
		"a grant described a second later": [dossier.put(dossier.grant, "/change/issue/created_at", "2026-11-11T09:01:01Z"), "fail", ["doc.empty"]],
		"a grant without a time": [dossier.without(dossier.grant, "/change/event/at"), "unknown", ["doc.empty"]],
		"a request without a time": [dossier.without(dossier.grant, "/change/issue/created_at"), "unknown", ["doc.empty"]],
		"a grant without a request, tracker unread": [dossier.unread(dossier.without(dossier.grant, "/change/issue"), "issues"), "unknown", ["doc.empty"]],
		"a push": [dossier.push, "fail", ["doc.empty"]],
		"a push a moment ago": [_at(dossier.push, "2026-11-10T11:21:00Z"), "pending", ["doc.empty"]],
		"a standard change": [dossier.standard, "pass", []],
		"a standard change without a word": [dossier.without(dossier.standard, $"{_body}/description"), "fail", ["doc.empty"]],
		"a rollback": [dossier.rollback, "not_applicable", []],
		"a rollback to what was not reviewed": [dossier.put(dossier.rollback, "/change/rollback/target_review", "failed"), "fail", ["doc.empty"]],
		"waived": [dossier.waived(_silent, _id, {}), "waived", ["doc.empty"]],
	}
	dossier.says(_id, case[0], case[1], case[2])
}

test_due[note] if {
	some note, case in {
		"window": [_at(_mute_emergency, "2026-11-11T09:00:00Z"), "2026-11-11T11:06:00Z"],
		"settling": [_at(dossier.push, "2026-11-10T11:10:00Z"), "2026-11-10T11:21:00Z"],
	}
	dossier.finding(_id, case[0]).due_at == case[1]
}

test_open_is_due_at_no_time if not dossier.finding(_id, _open(_silent)).due_at

test_names_the_late_edit if {
	contains(dossier.finding(_id, dossier.put(_silent, "/change/pull_request/body_edited_at", "2026-11-10T11:00:01Z")).message, "edited at 2026-11-10T11:00:01Z, after the merge")
}
