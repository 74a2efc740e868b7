package tests.lib_retrospective

import data.lib.retrospective
import data.tests.dossier

_with(changes) := dossier.put(dossier.emergency, "/change/retrospective_review", object.union(dossier.emergency.change.retrospective_review, changes))

_without(field) := dossier.without(dossier.emergency, $"/change/retrospective_review/{field}")

test_reviewers[note] if {
	some note, case in {
		"in time": [dossier.emergency, {"bob"}],
		"at the deadline": [_with({"completed_at": "2026-11-13T11:06:00Z"}), {"bob"}],
		"a second late": [_with({"completed_at": "2026-11-13T11:06:01Z"}), set()],
		"as it took effect": [_with({"completed_at": "2026-11-10T11:05:00Z"}), {"bob"}],
		"before": [_with({"completed_at": "2026-11-10T11:04:59Z"}), set()],
		"tomorrow": [dossier.put(_with({"completed_at": "2026-11-12T00:00:00Z"}), "/evaluated_at", "2026-11-11T00:00:00Z"), set()],
		"rejected": [_with({"decision": "Rejected"}), set()],
		"undecided": [_with({"decision": "open"}), set()],
		"without a decision": [_without("decision"), set()],
		"without a time": [_without("completed_at"), set()],
		"without a reviewer": [_without("reviewer"), set()],
		"by the author": [_with({"reviewer": "alice"}), set()],
		"by a stranger": [_with({"reviewer": "zoe"}), set()],
		"by an address": [_with({"reviewer": "bob@acme.example"}), {"bob"}],
		"none": [dossier.without(dossier.emergency, "/change/retrospective_review"), set()],
	}
	reviewers := retrospective.reviewers with input as case[0]
	reviewers == case[1]
}

test_dependence[note] if {
	some note, case in {
		"nobody": [_without("reviewer"), "the reviewer is not on record"],
		"a stranger": [_with({"reviewer": "zoe"}), "zoe is not in the directory"],
		"a bot": [dossier.put(dossier.emergency, "/people/1/kind", "bot"), "bob is no human"],
		"somebody gone": [dossier.put(dossier.emergency, "/people/1/authorised", []), "bob was not authorised at 2026-11-11T10:00:00Z"],
		"an author": [_with({"reviewer": "alice"}), "alice had a part in the change"],
		"the deployer": [dossier.put(dossier.emergency, "/change/deployments/0/user", "bob@acme.example"), "bob deployed the change"],
	}
	why := retrospective.dependence with input as case[0]
	why == case[1]
}

test_unread[note] if {
	some note, case in {
		"on record": [dossier.unread(dossier.emergency, "attestations"), false],
		"not on record": [dossier.without(dossier.emergency, "/change/retrospective_review"), false],
		"not on record, attestations unread": [dossier.unread(dossier.without(dossier.emergency, "/change/retrospective_review"), "attestations"), true],
		"not on record, tracker unread": [dossier.unread(dossier.without(dossier.emergency, "/change/retrospective_review"), "issues"), true],
		"by a stranger, directory unread": [dossier.unread(_with({"reviewer": "zoe"}), "iam"), true],
	}
	_is_unread(case[0]) == case[1]
}

_is_unread(given) if {
	retrospective.unread with input as given
} else := false
