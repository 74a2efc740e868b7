package tests.decision

import data.decision
import data.lib.catalogue
import data.tests.dossier

_document(base) := document if {
	document := decision.document with input as base
}

# --- Statuses and outcome: the worst wins ------------------------------------------

_problem(status, reason) := {"status": status, "reason": reason, "message": $"It is {status} ({reason}).", "evidence": {"/retention"}}

_retention := dossier.subject("retention", {"hash_chain": "intact", "oldest_complete_record_at": "2025-01-06T00:00:00Z", "program_started_at": "2025-01-06T00:00:00Z"})

# _judged is the decision on a subject whose one control has these problems.
_judged(problems) := document if {
	document := decision.document with input as _retention with data.controls.cm_6_4.problems as problems
}

test_worst_problem_decides[note] if {
	some note, case in {
		"none": [set(), "pass", "compliant"],
		"pending": [{"pending"}, "pending", "pending"],
		"unknown outranks pending": [{"pending", "unknown"}, "unknown", "unknown"],
		"fail outranks unknown": [{"pending", "unknown", "fail"}, "fail", "non_compliant"],
		"fail outranks pending": [{"pending", "fail"}, "fail", "non_compliant"],
	}
	document := _judged({_problem(status, $"r.{status}") | some status in case[0]})
	document.outcome == case[2]
	document.findings[0].status == case[1]
	document.findings[0].reasons == [reason | some reason in [$"r.{case[1]}"]; case[1] != "pass"]
}

test_says_everything_of_the_worst_and_nothing_else if {
	document := _judged({
		object.union(_problem("fail", "r.b"), {"remediation": "Do this.", "evidence": {"/retention/hash_chain"}}),
		object.union(_problem("fail", "r.a"), {"remediation": "Do that."}),
		object.union(_problem("pending", "r.c"), {"remediation": "Wait."}),
	})
	found := document.findings[0]
	found.message == "It is fail (r.a). It is fail (r.b)."
	found.remediation == "Do that. Do this."
	found.evidence == ["/retention", "/retention/hash_chain"]
	found.reasons == ["r.a", "r.b"]
	not document.next_evaluation_at
}

test_equal_sentences_are_said_once if {
	document := _judged({
		object.union(_problem("fail", "r.a"), {"message": "Alike."}),
		object.union(_problem("fail", "r.b"), {"message": "Alike."}),
	})
	document.findings[0].message == "Alike."
}

# Deadlines compare as instants: half a second comes after none.
test_earliest_deadline_counts if {
	document := _judged({
		object.union(_problem("pending", "r.a"), {"due_at": 1795338000500000000}),
		object.union(_problem("pending", "r.b"), {"due_at": 1795338000000000000}),
	})
	document.findings[0].due_at == "2026-11-22T09:00:00Z"
	document.next_evaluation_at == "2026-11-22T09:00:01Z"
}

test_pending_without_a_deadline_waits_for_nothing if {
	not _judged({_problem("pending", "r.a")}).next_evaluation_at
}

test_points_at_the_body_where_a_problem_points_at_nothing if {
	_judged({object.union(_problem("fail", "r.a"), {"evidence": set()})}).findings[0].evidence == ["/retention"]
}

test_no_verdict_is_unknown if {
	document := decision.document with input as _retention with data.controls.cm_6_4.passed as null
	document.outcome == "unknown"
	document.findings[0].reasons == ["rule.no_verdict"]
	dossier.sound(document.findings[0], _retention)
}

test_what_does_not_apply_is_out_of_scope if {
	staging := _document(dossier.subject("posture", {"system": "render", "service": "api", "environment": "staging"}))
	staging.outcome == "out_of_scope"
	{finding.status | some finding in staging.findings} == {"not_applicable"}
}

test_not_applicable_comes_first if {
	document := decision.document with input as _retention with data.controls.cm_6_4.problems as {_problem("fail", "r.a")}
		with data.controls.cm_6_4.not_applicable as "It does not concern this."
	document.findings[0].status == "not_applicable"
	document.findings[0].message == "It does not concern this."
	document.findings[0].reasons == []
}

test_waived_is_worse_than_pass_and_better_than_the_rest if {
	unstaged := dossier.without(dossier.normal, "/change/deployments/1")
	waived := dossier.waived(unstaged, "CM-4.C.2", {})
	_document(unstaged).outcome == "non_compliant"
	_document(waived).outcome == "compliant_with_waiver"
	_document(dossier.unread(waived, "github")).outcome == "unknown"
	_document(dossier.put(waived, "/change/checks/0/conclusion", "failure")).outcome == "non_compliant"
}

# --- The document ------------------------------------------------------------------

test_compliant if {
	document := _document(dossier.normal)
	document.schema == "decision/v1"
	document.subject == dossier.normal.subject
	document.evaluated_at == dossier.normal.evaluated_at
	document.outcome == "compliant"
	document.classification.type == "normal"
	document.parties == {"approvers": ["bob"], "authors": ["alice"], "deployers": ["alice"]}
	not document.next_evaluation_at
	not document.unevaluated
}

test_findings_are_sorted_and_carry_their_row if {
	document := _document(dossier.normal)
	controls := [finding.control | some finding in document.findings]
	controls == sort(controls)
	some found in document.findings
	found.control == "CM-4.B.1"
	found.severity == "high"
	found.clause == "4.b-1, 3.b-1"
	found.aliases == ["CM-3.B.1"]
	found.decisive_at == "2026-11-10T11:00:00Z"
	found.policy_version == data.catalogue.policy.version
}

# Documents only; whether something was deployed was not read.
test_what_may_be_out_of_scope_is_not_failed if {
	documents := json.patch(dossier.normal, [
		{"op": "replace", "path": "/change/files", "value": [{"path": "docs/a.md", "status": "modified"}]},
		{"op": "replace", "path": "/change/pull_request/reviews", "value": []},
		{"op": "remove", "path": "/change/deployments"},
	])
	review := dossier.finding("CM-4.B.1", dossier.unread(documents, "render"))
	review.status == "unknown"
	"/sources/render" in review.evidence
	dossier.sound(review, dossier.unread(documents, "render"))
	read := decision.document with input as documents
	read.outcome == "out_of_scope"
}

test_out_of_scope_keeps_its_reasons if {
	staged := json.patch(dossier.normal, [{"op": "remove", "path": "/change/deployments/0"}])
	document := _document(staged)
	document.outcome == "out_of_scope"
	document.findings == []
	document.risk == {"level": "n/a", "reasons": []}
	document.classification.scopes == []
	count(document.classification.reasons) == 1
}

test_controls_without_a_rule_are_named if {
	document := decision.document with input as _retention with data.catalogue.controls as {
		"CM-6.4": object.union(data.catalogue.controls["CM-6.4"], {}),
		"X-1": {"rule": "x_1", "subjects": ["retention"], "title": "X", "clause": "x", "severity": "low"},
		"X-2": {"rule": "x_2", "subjects": ["alert"], "title": "X", "clause": "x", "severity": "low"},
	}
	document.unevaluated == [{"control": "X-1", "reason": "this bundle has no rule for the control"}]
	[finding.control | some finding in document.findings] == ["CM-6.4"]
}

test_no_rule_at_all_is_unknown if {
	document := decision.document with input as _retention with data.catalogue.controls as {"X-1": {"rule": "x_1", "subjects": ["retention"], "title": "X", "clause": "x", "severity": "low"}}
	document.outcome == "unknown"
	document.findings == []
}

# --- Observations ------------------------------------------------------------------

_notes(base) := {note.reason | some note in object.get(_document(base), "observations", [])}

test_observations[note] if {
	some note, case in {
		"grant without an issue": [dossier.without(dossier.grant, "/change/issue"), "issue.not_linked"],
		"high risk without an issue": [dossier.put(dossier.normal, "/change/declared/risk", "high"), "issue.not_linked"],
		"AI-assisted": [dossier.put(dossier.normal, "/change/pull_request/commits/0/co_authors", ["noreply@anthropic.com"]), "ai.assisted"],
	}
	case[1] in _notes(case[0])
}

test_no_observation[note] if {
	some note, case in {
		"plain change": [dossier.normal, "issue.not_linked"],
		"grant with an issue": [dossier.grant, "issue.not_linked"],
		"emergency with its incident": [dossier.emergency, "issue.not_linked"],
		"a person as co-author": [dossier.put(dossier.normal, "/change/pull_request/commits/0/co_authors", ["carol"]), "ai.assisted"],
	}
	not case[1] in _notes(case[0])
}

test_observations_never_change_the_outcome if {
	assisted := dossier.put(dossier.normal, "/change/pull_request/commits/0/co_authors", ["noreply@anthropic.com"])
	_document(assisted).outcome == "compliant"
}

# --- Deployments -------------------------------------------------------------------

_deployment(changes) := object.union(object.remove(dossier.normal, ["change"]), {
	"subject": {"type": "deployment", "id": "render:dep-1"},
	"deployment": {"changes": changes},
})

_good := dossier.normal.change

_pushed := dossier.push.change

_staging := json.patch(_good, [{"op": "remove", "path": "/deployments/0"}])

_found(base, id) := found if {
	some found in _document(base).findings
	found.control == id
}

test_deployment_of_good_changes if {
	document := _document(_deployment([_good, _good]))
	document.outcome == "compliant"
	document.classification.type == "normal"
	document.parties == {"approvers": ["bob"], "authors": ["alice"], "deployers": ["alice"]}
	every found in document.findings {
		dossier.sound(found, _deployment([_good, _good]))
	}
}

test_one_bad_change_decides if {
	base := _deployment([_good, _pushed])
	found := _found(base, "CM-4.A.2")
	found.status == "fail"
	startswith(found.message, "Change 2: ")
	every pointer in found.evidence {
		startswith(pointer, "/deployment/changes/1/")
	}
	dossier.sound(found, base)
	_document(base).outcome == "non_compliant"
	_document(base).parties.authors == ["alice", "carol"]
}

test_both_bad_changes_are_named if {
	base := _deployment([_pushed, _pushed])
	found := _found(base, "CM-4.A.2")
	contains(found.message, "Change 1: ")
	contains(found.message, "Change 2: ")
	dossier.sound(found, base)
}

test_a_lone_change_needs_no_number if {
	not contains(_found(_deployment([_pushed]), "CM-4.A.2").message, "Change 1")
}

test_changes_out_of_scope_are_left_out if {
	document := _document(_deployment([_staging, _pushed]))
	document.outcome == "non_compliant"
	startswith(_found(_deployment([_staging, _pushed]), "CM-4.A.2").message, "Change 2: ")
	some reason in document.classification.reasons
	startswith(reason, "Change 1: ")
}

test_nothing_in_scope if {
	document := _document(_deployment([_staging, _staging]))
	document.outcome == "out_of_scope"
	document.findings == []
	document.risk.level == "n/a"
	count(document.classification.reasons) == 2
}

test_strictest_type_and_highest_risk_count if {
	high := dossier.put(_good, "/declared/risk", "high")
	_document(_deployment([_good, high])).risk.level == "high"
	_document(_deployment([dossier.emergency.change, _good])).classification.type == "normal"
	_document(_deployment([dossier.emergency.change, _staging])).classification.type == "emergency"
}

test_no_changes_prove_nothing if {
	base := _deployment([])
	document := _document(base)
	document.outcome == "unknown"
	document.classification == {"type": "n/a", "scopes": [], "reasons": []}
	{found.control | some found in document.findings} == {id | some id, row in catalogue.controls; "change" in row.subjects}
	every found in document.findings {
		dossier.sound(found, base)
	}
}

_unstaged := json.patch(_good, [{"op": "remove", "path": "/deployments/1"}])

# A waiver may name the change or the deployment that carries it.
test_waivers_inside_deployments[note] if {
	some note, case in {
		"of the deployment": ["render:dep-1", "waived"],
		"of the change": ["acme/app#412", "waived"],
		"of the place in it": ["render:dep-1/1", "waived"],
		"of another place": ["render:dep-1/0", "fail"],
		"of another deployment": ["render:dep-2", "fail"],
	}
	base := dossier.put(_deployment([_good, _unstaged]), "/waivers", [dossier.waiver("CM-4.C.2", case[0], {})])
	found := _found(base, "CM-4.C.2")
	found.status == case[1]
	dossier.sound(found, base)
}

test_waiver_of_one_change_leaves_the_other if {
	base := dossier.put(_deployment([_unstaged, _unstaged]), "/waivers", [dossier.waiver("CM-4.C.2", "render:dep-1/1", {})])
	_found(base, "CM-4.C.2").status == "fail"
}

test_earliest_deadline_of_the_changes if {
	later := json.patch(dossier.emergency.change, [
		{"op": "remove", "path": "/retrospective_review"},
		{"op": "replace", "path": "/deployments/0/live_at", "value": "2026-11-10T11:06:00.5Z"},
	])
	sooner := json.patch(later, [{"op": "replace", "path": "/deployments/0/live_at", "value": "2026-11-10T11:06:00Z"}])
	base := dossier.put(_deployment([later, sooner]), "/evaluated_at", "2026-11-12T09:00:00Z")
	_found(base, "CM-5.2").due_at == "2026-11-13T11:06:00Z"
	_document(base).next_evaluation_at == "2026-11-13T11:06:01Z"
}

test_observations_of_changes_are_rebased if {
	assisted := dossier.put(_good, "/pull_request/commits/0/co_authors", ["noreply@anthropic.com"])
	some note in _document(_deployment([_good, assisted])).observations
	note.reason == "ai.assisted"
	note.evidence == ["/deployment/changes/1/pull_request/commits"]
}

# --- Totality: every control that applies answers once, whatever the dossier -------

_bare(body) := object.union(object.remove(dossier.normal, ["change"]), {"change": body})

_kinds := ["pull_request", "direct_push", "manual_deploy", "image_deploy", "platform_rollback", "platform_config", "iam_grant", "database_change", "app_install"]

_instant := "2026-11-10T11:00:00Z"

# Bodies that say next to nothing, for every kind of change.
_odd := {
	"alone": {},
	"declared an emergency": {"declared": {"type": "emergency"}},
	"declared standard": {"declared": {"type": "standard"}},
	"declared something else": {"declared": {"type": "whatever", "risk": "whatever"}},
	"empty parts": {"pull_request": {}, "event": {}, "rollback": {}, "push": {}, "emergency_trigger": {}, "retrospective_review": {}, "post_incident_review": {}, "procedure": {}, "branch_protection": {}, "documenting_pull_request": {}},
	"empty lists": {"files": [], "checks": [], "deployments": [], "validations": [], "components": [], "related_grants": [], "dependency_updates": [], "merged_content_shas": [], "protection_events": []},
	"lists of nothing": {"files": [{"path": "a"}], "checks": [{}], "deployments": [{}], "validations": [{}], "related_grants": [{}], "dependency_updates": [{}], "protection_events": [{}], "concurrent_incidents": [{}]},
	"a merge and nothing else": {"pull_request": {"merged_at": _instant}},
	"a deployment and nothing else": {"deployments": [{"live_at": _instant}]},
	"an event and nothing else": {"event": {"at": _instant}},
	"an emergency that says nothing": {"declared": {"type": "emergency"}, "emergency_trigger": {}, "retrospective_review": {}, "post_incident_review": {}, "event": {"at": _instant}},
	"an elevation and nothing else": {"event": {"elevation": {}}},
	"an issue that says nothing": {"issue": {"id": "X-1", "body": {}, "approvals": [{}]}},
	"reviews and commits that say nothing": {"pull_request": {"number": 1, "commits": [{}], "reviews": [{}], "merged_at": _instant}},
}

_bodies[sprintf("%s, %s", [kind, note])] := object.union(odd, {"kind": kind}) if {
	some kind in _kinds
	some note, odd in _odd
}

# In one rule each: reported case by case they take many times as long.
test_every_change_is_answered if {
	every body in _bodies {
		_total(_bare(body), "change")
	}
}

test_every_change_is_answered_without_sources if {
	every body in _bodies {
		_total(object.union(object.remove(_bare(body), ["sources"]), {"sources": {}, "people": []}), "change")
	}
}

test_every_change_in_a_deployment_is_answered if {
	every kind in _kinds {
		_total(_deployment([object.union(_odd[note], {"kind": kind}) | some note in ["alone", "empty parts", "lists of nothing"]]), "change")
	}
}

# _total: the document is defined, says all there is to say, and calls nothing
# compliant on no evidence.
_total(base, type) if {
	document := _document(base)
	not document.unevaluated
	_answered(document, type)
	not document.outcome in {"compliant", "compliant_with_waiver"}
	every found in document.findings {
		_speaks(found, base)
	}
}

_answered(document, _) if document.outcome == "out_of_scope"

_answered(document, type) if {
	[found.control | some found in document.findings] == sort([id | some id, row in catalogue.controls; type in row.subjects])
}

_speaks(found, base) if {
	found.message != ""
	every pointer in found.evidence {
		dossier.resolves(base, pointer)
	}
}

test_every_subject_is_answered[type] if {
	some type in ["finding", "access_review", "alert", "policy_review", "posture", "retention", "period"]
	_total(dossier.subject(type, {}), type)
	_total(object.union(object.remove(dossier.subject(type, {}), ["sources"]), {"sources": {}}), type)
}
