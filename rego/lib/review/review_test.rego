package tests.lib_review

import data.lib.clock
import data.lib.review
import data.tests.dossier

_approval := dossier.normal.change.pull_request.reviews[0]

_reviewed(reviews) := dossier.put(dossier.normal, "/change/pull_request/reviews", reviews)

_unmerged := json.patch(dossier.normal, [
	{"op": "remove", "path": "/change/pull_request/merged_at"},
	{"op": "remove", "path": "/change/pull_request/merged_by"},
])

test_decisive[note] if {
	some note, case in {
		"the merge": [dossier.normal, "2026-11-10T11:00:00Z"],
		"the push": [dossier.push, "2026-11-10T11:00:00Z"],
		"the event": [dossier.grant, "2026-11-11T09:00:00Z"],
		"the deployment of what was not merged": [_unmerged, "2026-11-10T11:01:00Z"],
		"its going live, where the start is not on record": [dossier.without(_unmerged, "/change/deployments/0/started_at"), "2026-11-10T11:06:00Z"],
		"now, while it is open": [dossier.without(_unmerged, "/change/deployments"), "2026-11-20T09:00:00Z"],
		"now, where no time is on record": [dossier.without(dossier.normal, "/change/pull_request/merged_at"), "2026-11-20T09:00:00Z"],
	}
	at := review.decisive with input as case[0]
	clock.text(at) == case[1]
}

test_approvers[note] if {
	some note, case in {
		"one": [dossier.normal, {"bob"}, set()],
		"two": [_reviewed([_approval, object.union(_approval, {"user": "erin"})]), {"bob", "erin"}, set()],
		"one perhaps": [_reviewed([object.remove(_approval, ["permission"])]), set(), {"bob"}],
		"one whose time is not on record": [_reviewed([object.remove(_approval, ["submitted_at"])]), set(), {"bob"}],
		"the author": [_reviewed([object.union(_approval, {"user": "alice"})]), set(), set()],
		"a request": [dossier.grant, {"carol"}, set()],
		"a rollback": [dossier.rollback, set(), set()],
	}
	approvers := review.approvers with input as case[0]
	possible := review.possible_approvers with input as case[0]
	approvers == case[1]
	possible == case[2]
}

test_late if {
	late := review.late with input as _reviewed([_approval, object.union(_approval, {"user": "erin", "submitted_at": "2026-11-10T11:00:01Z"})])
	late == {{"label": "erin", "at": "2026-11-10T11:00:01Z", "evidence": "/change/pull_request/reviews/1"}}
}

test_doubts[note] if {
	some note, case in {
		"none": [dossier.normal, set()],
		"reviews": [dossier.put(dossier.normal, "/sources/github", {"status": "incomplete", "missing": ["reviews"]}), {"reviews"}],
		"commits": [dossier.put(dossier.normal, "/sources/github", {"status": "incomplete", "missing": ["commits"]}), {"commits"}],
		"a push, pull requests": [dossier.put(dossier.push, "/sources/github", {"status": "incomplete", "missing": ["pull_requests"]}), {"reviews"}],
		"a request": [dossier.unread(dossier.grant, "issues"), {"approvals"}],
		"its time": [dossier.without(dossier.grant, "/change/event/at"), {"commits"}],
		"a deployment without any time": [json.patch(_unmerged, [{"op": "remove", "path": "/change/deployments/0/started_at"}, {"op": "remove", "path": "/change/deployments/0/live_at"}]), {"commits"}],
	}
	doubts := review.doubts with input as case[0]
	{doubt.about | some doubt in doubts} == case[1]
}
