package tests.cm_5_3

import data.tests.dossier

_id := "CM-5.3"

_emergency := dossier.emergency

_review(path, value) := dossier.put(_emergency, concat("", ["/change/retrospective_review/", path]), value)

_unnamed(path) := dossier.without(_emergency, concat("", ["/change/retrospective_review/", path]))

_unreviewed := dossier.without(_emergency, "/change/retrospective_review")

_at(base, now) := dossier.put(base, "/evaluated_at", now)

# The security reviewer says so in an attestation, without a review.
_attested(at) := object.union(_unreviewed, {"attestations": [{"id": "att-1", "control": "CM-5.3", "subject": _unreviewed.subject.id, "made_by": "erin", "made_at": at}], "people": [object.union(person, {"roles": array.concat(person.roles, ["security-reviewer"])}) | some person in _unreviewed.people]})

test_status[note] if {
	some note, case in {
		"no emergency": [dossier.normal, "not_applicable", []],
		"limited": [_emergency, "pass", []],
		"components in other letters": [dossier.put(_emergency, "/change/components", ["API"]), "pass", []],
		"a component more": [dossier.put(_emergency, "/change/components", ["api", "billing"]), "fail", ["em.scope_creep"]],
		"a component more, still time": [_at(dossier.put(_emergency, "/change/components", ["api", "billing"]), "2026-11-11T12:00:00Z"), "fail", ["em.scope_creep"]],
		"the incident affects more": [dossier.put(_emergency, "/change/emergency_trigger/affected_components", ["api", "billing"]), "pass", []],
		"affected components not on record": [dossier.without(_emergency, "/change/emergency_trigger/affected_components"), "pass", []],
		"components not on record": [dossier.without(_emergency, "/change/components"), "pass", []],
		"found to go beyond": [_review("limited_to_issue", false), "fail", ["em.scope_creep"]],
		"found to go beyond in a draft": [_at(_unnamed("completed_at"), "2026-11-11T12:00:00Z"), "pending", ["em.not_attested"]],
		"draft that says it goes beyond": [_at(dossier.put(_unnamed("completed_at"), "/change/retrospective_review/limited_to_issue", false), "2026-11-11T12:00:00Z"), "pending", ["em.not_attested"]],
		"draft that says it goes beyond, too late": [dossier.put(_unnamed("decision"), "/change/retrospective_review/limited_to_issue", false), "fail", ["em.not_attested"]],
		"not attested": [_unnamed("limited_to_issue"), "fail", ["em.not_attested"]],
		"attested by nobody": [_unnamed("reviewer"), "fail", ["em.not_attested"]],
		"not reviewed": [_unreviewed, "fail", ["em.not_attested"]],
		"at the deadline": [_at(_unreviewed, "2026-11-13T11:06:00Z"), "pending", ["em.not_attested"]],
		"a second later": [_at(_unreviewed, "2026-11-13T11:06:01Z"), "fail", ["em.not_attested"]],
		"attested late": [_review("completed_at", "2026-11-17T11:06:01Z"), "pass", []],
		"attested by somebody else": [_attested("2026-11-13T11:06:00Z"), "pass", []],
		"attested by somebody else a second late": [_attested("2026-11-13T11:06:01Z"), "fail", ["em.not_attested"]],
		"attestations unread": [dossier.unread(_unreviewed, "attestations"), "unknown", ["em.not_attested"]],
		"tracker unread": [dossier.unread(_unreviewed, "issues"), "unknown", ["em.not_attested"]],
		"scope creep, though unread": [dossier.unread(dossier.put(_unreviewed, "/change/components", ["billing"]), "issues"), "fail", ["em.scope_creep"]],
		"trigger without an id": [dossier.without(dossier.put(_emergency, "/change/components", ["billing"]), "/change/emergency_trigger/id"), "fail", ["em.scope_creep"]],
	}
	dossier.says(_id, case[0], case[1], case[2])
}

test_names_the_component_that_does_not_belong if {
	found := dossier.finding(_id, dossier.put(_emergency, "/change/components", ["api", "billing"]))
	contains(found.message, "touched billing, which INC-77 does not affect (api)")
	found.evidence == ["/change/components", "/change/emergency_trigger"]
}

test_trigger_not_on_record_yet if {
	pending := _at(dossier.without(_emergency, "/change/emergency_trigger"), "2026-11-11T10:30:00Z")
	dossier.says(_id, pending, "pass", [])
}

test_waiver[note] if {
	some note, case in {
		"valid": [{}, "waived"],
		"late": [{"approved_at": "2026-11-13T11:06:01Z"}, "fail"],
	}
	dossier.status(_id, dossier.waived(_unreviewed, _id, case[0])) == case[1]
}
