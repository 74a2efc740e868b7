package tests.cm_9_2

import data.tests.dossier

_id := "CM-9.2"

# A new sub-processor on 1 October: due on 31 October.
_change := {"kind": "new sub-processor", "at": "2026-10-01T09:00:00Z"}

_reviewed(at, changes) := dossier.subject("policy_review", {"last_reviewed_at": at, "significant_changes": changes})

_before := "2026-06-01T09:00:00Z"

_with(fields) := _reviewed(_before, [object.union(_change, fields)])

_at(base, now) := dossier.put(base, "/evaluated_at", now)

test_status[note] if {
	some note, case in {
		"no significant change": [_reviewed(_before, []), "not_applicable", []],
		"no word of any": [dossier.subject("policy_review", {"last_reviewed_at": _before}), "not_applicable", []],
		"reviewed at the last second": [_reviewed("2026-10-31T09:00:00Z", [_change]), "pass", []],
		"reviewed at once": [_reviewed("2026-10-01T09:00:00Z", [_change]), "pass", []],
		"last review later": [_reviewed("2026-10-31T09:00:01Z", [_change]), "fail", ["pol.late"]],
		"last review later, earlier ones unread": [dossier.unread(_reviewed("2026-10-31T09:00:01Z", [_change]), "issues"), "unknown", ["pol.late"]],
		"reviewed before only": [_with({}), "fail", ["pol.not_reviewed"]],
		"never reviewed": [dossier.without(_with({}), "/policy_review/last_reviewed_at"), "fail", ["pol.not_reviewed"]],
		"at the deadline": [_at(_with({}), "2026-10-31T09:00:00Z"), "pending", ["pol.not_reviewed"]],
		"a second past it": [_at(_with({}), "2026-10-31T09:00:01Z"), "fail", ["pol.not_reviewed"]],
		"its own review in time": [_with({"reviewed_at": "2026-10-31T09:00:00Z"}), "pass", []],
		"its own review a second late": [_with({"reviewed_at": "2026-10-31T09:00:01Z"}), "fail", ["pol.late"]],
		"its own review before it happened": [_with({"reviewed_at": "2026-09-30T09:00:00Z"}), "fail", ["pol.not_reviewed"]],
		"its own review planned": [_at(_with({"reviewed_at": "2026-10-20T09:00:00Z"}), "2026-10-10T09:00:00Z"), "pending", ["pol.not_reviewed"]],
		"its own review as it happened": [_with({"reviewed_at": "2026-10-01T09:00:00Z"}), "pass", []],
		"its own review this second": [_at(_with({"reviewed_at": "2026-10-20T09:00:00Z"}), "2026-10-20T09:00:00Z"), "pass", []],
		"the policy's review this second": [_at(_reviewed("2026-10-20T09:00:00Z", [_change]), "2026-10-20T09:00:00Z"), "pass", []],
		"happens this second": [_at(_with({}), "2026-10-01T09:00:00Z"), "pending", ["pol.not_reviewed"]],
		"undated": [_reviewed(_before, [{"kind": "region move"}]), "unknown", ["pol.undated"]],
		"of no kind": [_reviewed(_before, [{"at": "2026-10-01T09:00:00Z"}]), "fail", ["pol.not_reviewed"]],
		"to come": [_reviewed(_before, [{"kind": "region move", "at": "2026-12-01T09:00:00Z"}]), "pass", []],
		"one in time, one not": [_reviewed("2026-09-10T09:00:00Z", [{"kind": "SSO change", "at": "2026-09-01T09:00:00Z"}, _change]), "fail", ["pol.not_reviewed"]],
		"records unread": [dossier.unread(_with({}), "attestations"), "unknown", ["pol.not_reviewed"]],
		"tracker unread": [dossier.unread(_with({}), "issues"), "unknown", ["pol.not_reviewed"]],
		"late, though unread": [dossier.unread(_with({"reviewed_at": "2026-11-10T09:00:00Z"}), "issues"), "fail", ["pol.late"]],
	}
	dossier.says(_id, case[0], case[1], case[2])
}

test_points_at_the_change_and_its_deadline if {
	found := dossier.finding(_id, _at(_reviewed("2026-09-10T09:00:00Z", [{"kind": "SSO change", "at": "2026-09-01T09:00:00Z"}, _change]), "2026-10-10T09:00:00Z"))
	found.evidence == ["/policy_review/significant_changes/1"]
	found.due_at == "2026-10-31T09:00:00Z"
}

test_waiver if dossier.status(_id, dossier.waived(_with({}), _id, {})) == "waived"
