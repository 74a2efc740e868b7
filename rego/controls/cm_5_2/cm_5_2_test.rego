package tests.cm_5_2

import data.tests.dossier

_id := "CM-5.2"

_emergency := dossier.emergency

_review(path, value) := dossier.put(_emergency, concat("", ["/change/retrospective_review/", path]), value)

_unnamed(path) := dossier.without(_emergency, concat("", ["/change/retrospective_review/", path]))

_unreviewed := dossier.without(_emergency, "/change/retrospective_review")

_at(base, now) := dossier.put(base, "/evaluated_at", now)

# live on Tuesday 11:06:00: due on Friday 11:06:00.
test_status[note] if {
	some note, case in {
		"no emergency": [dossier.normal, "not_applicable", []],
		"reviewed": [_emergency, "pass", []],
		"rejected is reviewed too": [_review("decision", "rejected"), "pass", []],
		"a second early": [_review("completed_at", "2026-11-13T11:05:59Z"), "pass", []],
		"at the last second": [_review("completed_at", "2026-11-13T11:06:00Z"), "pass", []],
		"at the last second, written elsewhere": [_review("completed_at", "2026-11-13T13:06:00+02:00"), "pass", []],
		"a second late": [_review("completed_at", "2026-11-13T11:06:01Z"), "fail", ["retro.late"]],
		"not reviewed": [_unreviewed, "fail", ["retro.missing"]],
		"not reviewed, at the deadline": [_at(_unreviewed, "2026-11-13T11:06:00Z"), "pending", ["retro.missing"]],
		"not reviewed, a second later": [_at(_unreviewed, "2026-11-13T11:06:01Z"), "fail", ["retro.missing"]],
		"planned for tomorrow": [_at(_review("completed_at", "2026-11-12T10:00:00Z"), "2026-11-11T10:00:00Z"), "pending", ["retro.missing"]],
		"without a decision": [_unnamed("decision"), "fail", ["retro.missing"]],
		"decision pending": [_review("decision", "Pending"), "fail", ["retro.missing"]],
		"without a time": [_unnamed("completed_at"), "fail", ["retro.missing"]],
		"before the change": [_review("completed_at", "2026-11-10T10:00:00Z"), "fail", ["retro.missing"]],
		"as the change took effect, within the tolerance of clocks": [_review("completed_at", "2026-11-10T11:05:00Z"), "pass", []],
		"a second before that tolerance": [_review("completed_at", "2026-11-10T11:04:59Z"), "fail", ["retro.missing"]],
		"before the change, still time": [_at(_review("completed_at", "2026-11-10T10:00:00Z"), "2026-11-11T10:00:00Z"), "pending", ["retro.missing"]],
		"by the author": [_review("reviewer", "alice"), "fail", ["retro.not_independent"]],
		"by the author's other account": [_review("reviewer", "alice@acme.example"), "fail", ["retro.not_independent"]],
		"by the author, still time": [_at(_review("reviewer", "alice"), "2026-11-12T10:00:00Z"), "pending", ["retro.not_independent"]],
		"by who merged": [dossier.put(_emergency, "/change/pull_request/merged_by", "bob"), "fail", ["retro.not_independent"]],
		"by who deployed": [dossier.put(_emergency, "/change/deployments/0/user", "bob@acme.example"), "fail", ["retro.not_independent"]],
		"by a co-author": [dossier.put(_emergency, "/change/pull_request/commits/0/co_authors", ["bob"]), "fail", ["retro.not_independent"]],
		"by a bot": [dossier.put(_emergency, "/people/1/kind", "bot"), "fail", ["retro.not_independent"]],
		"by somebody who had left": [dossier.put(_emergency, "/people/1/authorised", [{"from": "2025-03-03T00:00:00Z", "until": "2026-11-11T09:59:59Z"}]), "fail", ["retro.not_independent"]],
		"by somebody who left at that second": [dossier.put(_emergency, "/people/1/authorised", [{"from": "2025-03-03T00:00:00Z", "until": "2026-11-11T10:00:00Z"}]), "pass", []],
		"by a stranger": [_review("reviewer", "zoe"), "fail", ["retro.not_independent"]],
		"by a stranger, directory unread": [dossier.unread(_review("reviewer", "zoe"), "iam"), "unknown", ["retro.not_independent"]],
		"by nobody in particular": [_unnamed("reviewer"), "fail", ["retro.not_independent"]],
		"by nobody in particular, still time": [_at(_unnamed("reviewer"), "2026-11-12T10:00:00Z"), "pending", ["retro.not_independent"]],
		"by nobody in particular, records unread": [dossier.unread(_unnamed("reviewer"), "issues"), "unknown", ["retro.not_independent"]],
		"late and dependent": [json.patch(_emergency, [{"op": "replace", "path": "/change/retrospective_review/reviewer", "value": "alice"}, {"op": "replace", "path": "/change/retrospective_review/completed_at", "value": "2026-11-16T11:06:01Z"}]), "fail", ["retro.late", "retro.not_independent"]],
		"late and by nobody in particular": [json.patch(_emergency, [{"op": "remove", "path": "/change/retrospective_review/reviewer"}, {"op": "replace", "path": "/change/retrospective_review/completed_at", "value": "2026-11-16T11:06:01Z"}]), "fail", ["retro.late", "retro.not_independent"]],
		"attestations unread": [dossier.unread(_unreviewed, "attestations"), "unknown", ["retro.missing"]],
		"tracker unread": [dossier.unread(_unreviewed, "issues"), "unknown", ["retro.missing"]],
		"reviewed, though records unread": [dossier.unread(_emergency, "attestations"), "pass", []],
		"commits unread": [dossier.put(_emergency, "/sources/github", {"status": "incomplete", "missing": ["commits"]}), "unknown", ["retro.not_independent"]],
		"late, though commits unread": [dossier.put(_review("completed_at", "2026-11-16T11:06:01Z"), "/sources/github", {"status": "incomplete", "missing": ["commits"]}), "fail", ["retro.late"]],
		"deployed by hand, by whom is unknown": [dossier.put(_emergency, "/change/deployments/0/trigger", "manual"), "unknown", ["retro.not_independent"]],
		"deployed by a deleted account": [dossier.put(_emergency, "/change/deployments/0/user", "Deleted User ID#123"), "unknown", ["retro.not_independent"]],
		"deployed by an account nobody has": [dossier.put(_emergency, "/change/deployments/0/user", "x@acme.example"), "pass", []],
		"deployed by an account, directory unread": [dossier.unread(dossier.put(_emergency, "/change/deployments/0/user", "x@acme.example"), "iam"), "unknown", ["retro.not_independent"]],
		"reviewer is no second person": [dossier.put(_emergency, "/change/pull_request/author", "bob"), "fail", ["retro.not_independent"]],
	}
	dossier.says(_id, case[0], case[1], case[2])
}

# Deadlines in the company's calendar: live Friday afternoon before clocks go back.
_friday := json.patch(_unreviewed, [
	{"op": "replace", "path": "/change/deployments/0/started_at", "value": "2026-10-23T15:25:00Z"},
	{"op": "replace", "path": "/change/deployments/0/live_at", "value": "2026-10-23T15:30:00Z"},
	{"op": "replace", "path": "/change/pull_request/merged_at", "value": "2026-10-23T15:20:00Z"},
	{"op": "replace", "path": "/change/emergency_trigger/started_at", "value": "2026-10-23T15:00:00Z"},
	{"op": "replace", "path": "/change/emergency_trigger/recorded_at", "value": "2026-10-23T15:00:00Z"},
	{"op": "replace", "path": "/evaluated_at", "value": "2026-10-24T09:00:00Z"},
])

test_due[note] if {
	some note, case in {
		"UTC": ["UTC", [], "2026-10-28T15:30:00Z"],
		"Berlin": ["Europe/Berlin", [], "2026-10-28T16:30:00Z"],
		"a holiday": ["UTC", ["2026-10-26"], "2026-10-29T15:30:00Z"],
		"Saturday already": ["Asia/Tokyo", [], "2026-10-28T15:00:00Z"],
	}
	found := dossier.finding(_id, _friday) with data.settings.business_timezone as case[0]
		with data.settings.holidays as case[1]
	found.status == "pending"
	found.due_at == case[2]
}

test_prior_approval_is_no_retrospective if {
	approved := dossier.put(_unreviewed, "/change/pull_request/reviews", dossier.normal.change.pull_request.reviews)
	dossier.says(_id, approved, "fail", ["retro.missing"])
}

test_cannot_be_waived[note] if {
	some note, control in {"by id": "CM-5.2", "by alias": "CM-3.C.2"}
	waived := dossier.put(_unreviewed, "/waivers", [dossier.waiver(control, "acme/app#412", {})])
	found := dossier.finding(_id, waived)
	found.status == "fail"
	"waiver.unwaivable" in found.reasons
}

test_alias_is_named if dossier.finding(_id, _emergency).aliases == ["CM-3.C.2"]

# A grant in an emergency whose maker is not on record may be the reviewer's own.
test_maker_unknown if {
	granted := json.patch(dossier.grant, [
		{"op": "add", "path": "/change/declared", "value": {"type": "emergency"}},
		{"op": "add", "path": "/change/emergency_trigger", "value": {"id": "INC-9", "kind": "incident", "started_at": "2026-11-11T08:00:00Z", "recorded_at": "2026-11-11T08:05:00Z"}},
		{"op": "add", "path": "/change/retrospective_review", "value": {"reviewer": "carol", "completed_at": "2026-11-12T09:00:00Z", "decision": "accepted"}},
	])
	dossier.says(_id, granted, "pass", [])
	dossier.says(_id, dossier.without(granted, "/change/event/actor"), "unknown", ["retro.not_independent"])
}
