package tests.cm_9_1

import data.tests.dossier

_id := "CM-9.1"

_reviewed(at) := dossier.subject("policy_review", {"last_reviewed_at": at, "significant_changes": []})

_never := dossier.subject("policy_review", {})

test_status[note] if {
	some note, case in {
		"365 days to the second": [_reviewed("2025-11-20T09:00:00Z"), "pass", []],
		"a second more": [_reviewed("2025-11-20T08:59:59Z"), "fail", ["pol.overdue"]],
		"366 days": [_reviewed("2025-11-19T09:00:00Z"), "fail", ["pol.overdue"]],
		"364 days": [_reviewed("2025-11-21T09:00:00Z"), "pass", []],
		"never": [_never, "fail", ["pol.never"]],
		"reviewed this second": [_reviewed("2026-11-20T09:00:00Z"), "pass", []],
		"planned": [_reviewed("2026-11-20T09:00:01Z"), "fail", ["pol.never"]],
		"never, attestations unread": [dossier.unread(_never, "attestations"), "unknown", ["pol.never"]],
		"never, tracker unread": [dossier.unread(_never, "issues"), "unknown", ["pol.never"]],
		"overdue, though unread": [dossier.unread(_reviewed("2025-01-01T00:00:00Z"), "attestations"), "fail", ["pol.overdue"]],
		"reviewed, though unread": [dossier.unread(_reviewed("2026-01-01T00:00:00Z"), "issues"), "pass", []],
	}
	dossier.says(_id, case[0], case[1], case[2])
}

test_waiver[note] if {
	some note, case in {
		"valid": [{"approved_at": "2026-11-19T09:00:00Z"}, "waived"],
		"a second late": [{"approved_at": "2026-11-19T09:00:01Z"}, "fail"],
		"expired since": [{"approved_at": "2026-11-19T09:00:00Z", "expires_at": "2026-11-20T08:59:59Z"}, "fail"],
	}
	dossier.status(_id, dossier.waived(_reviewed("2025-11-19T09:00:00Z"), _id, case[0])) == case[1]
}
