package tests.cm_7_2

import data.tests.dossier

_id := "CM-7.2"

_grant := dossier.grant

_event(path, value) := dossier.put(_grant, concat("", ["/change/event/", path]), value)

_without(path) := dossier.without(_grant, concat("", ["/change/event/", path]))

_approved(by, at) := dossier.put(_grant, "/change/issue/approvals", [{"by": by, "at": at}])

# _elevated: granted at 09:00, to end at 13:00.
_elevated(elevation) := _event("elevation", elevation)

_ends := "2026-11-11T13:00:00Z"

_at(base, now) := dossier.put(base, "/evaluated_at", now)

_used := {"actor": "alice@acme.example", "beneficiary": "carol", "at": "2026-11-10T10:00:00Z", "approvals": []}

test_status[note] if {
	some note, case in {
		"no grant": [dossier.normal, "not_applicable", []],
		"approved": [_grant, "pass", []],
		"approved at that second": [_approved("carol", "2026-11-11T09:00:00Z"), "pass", []],
		"approved within the tolerance of clocks": [_approved("carol", "2026-11-11T09:01:00Z"), "pass", []],
		"approved afterwards": [_approved("carol", "2026-11-11T09:01:01Z"), "fail", ["acc.grant_unapproved"]],
		"not approved": [dossier.put(_grant, "/change/issue/approvals", []), "fail", ["acc.grant_unapproved"]],
		"no request": [dossier.without(_grant, "/change/issue"), "fail", ["acc.grant_unapproved"]],
		"request unread": [dossier.unread(dossier.without(_grant, "/change/issue"), "issues"), "unknown", ["acc.grant_unapproved"]],
		"approved by who asked": [_approved("bob", "2026-11-10T15:00:00Z"), "fail", ["acc.grant_unapproved"]],
		"approved by who asked, other account": [_approved("bob@acme.example", "2026-11-10T15:00:00Z"), "fail", ["acc.grant_unapproved"]],
		"approved by who gains": [dossier.put(_approved("erin", "2026-11-10T15:00:00Z"), "/change/event/beneficiary", "erin"), "fail", ["acc.grant_unapproved"]],
		"approved by a stranger": [_approved("zoe", "2026-11-10T15:00:00Z"), "fail", ["acc.grant_unapproved"]],
		"approved by a stranger, directory unread": [dossier.unread(_approved("zoe", "2026-11-10T15:00:00Z"), "iam"), "unknown", ["acc.grant_unapproved"]],
		"approved by nobody in particular": [dossier.put(_grant, "/change/issue/approvals", [{"at": "2026-11-10T15:00:00Z"}]), "fail", ["acc.grant_unapproved"]],
		"self-granted": [
			json.patch(_grant, [
				{"op": "replace", "path": "/change/event/requested_by", "value": "alice"},
				{"op": "replace", "path": "/change/event/beneficiary", "value": "alice"},
				{"op": "replace", "path": "/change/issue/approvals", "value": [{"by": "alice", "at": "2026-11-10T15:00:00Z"}]},
			]),
			"fail", ["acc.grant_unapproved"],
		],
		"beneficiary has left": [dossier.put(_grant, "/people/1/authorised", [{"from": "2025-03-03T00:00:00Z", "until": "2026-11-11T08:59:59Z"}]), "fail", ["acc.unauthorised"]],
		"beneficiary leaves at that second": [dossier.put(_grant, "/people/1/authorised", [{"from": "2025-03-03T00:00:00Z", "until": "2026-11-11T09:00:00Z"}]), "pass", []],
		"beneficiary starts a second later": [dossier.put(_grant, "/people/1/authorised", [{"from": "2026-11-11T09:00:01Z"}]), "fail", ["acc.unauthorised"]],
		"contractor for another system": [json.patch(_grant, [{"op": "replace", "path": "/people/1/kind", "value": "contractor"}, {"op": "replace", "path": "/people/1/authorised", "value": [{"from": "2025-03-03T00:00:00Z", "systems": ["github"]}]}]), "fail", ["acc.unauthorised"]],
		"contractor for this system": [json.patch(_grant, [{"op": "replace", "path": "/people/1/kind", "value": "contractor"}, {"op": "replace", "path": "/people/1/authorised", "value": [{"from": "2025-03-03T00:00:00Z", "systems": ["render"]}]}]), "pass", []],
		"granter has left": [dossier.put(_grant, "/people/0/authorised", [{"from": "2025-01-06T00:00:00Z", "until": "2026-11-01T00:00:00Z"}]), "fail", ["acc.unauthorised"]],
		"granted to a stranger": [_event("beneficiary", "zoe"), "fail", ["acc.unauthorised"]],
		"granted to a stranger, directory unread": [dossier.unread(_event("beneficiary", "zoe"), "iam"), "unknown", ["acc.unauthorised"]],
		"granted by a deleted account": [_event("actor", "Deleted User ID#77"), "unknown", ["acc.unauthorised"]],
		"granted by the platform": [_event("actor", "render"), "pass", []],
		"granted to an unregistered bot": [dossier.put(_event("beneficiary", "deploy-bot"), "/people/4", {"id": "deploy-bot", "kind": "bot", "accounts": {"render": ["deploy-bot"]}}), "fail", ["acc.unauthorised"]],
		"granted to a registered bot": [dossier.put(_event("beneficiary", "deploy-bot"), "/people/4", {"id": "deploy-bot", "kind": "bot", "accounts": {"render": ["deploy-bot"]}, "owner": "erin", "registered": true}), "pass", []],
		"nobody made it": [_without("actor"), "unknown", ["acc.untold"]],
		"nobody gains by it": [_without("beneficiary"), "unknown", ["acc.untold"]],
		"a role gains by it": [dossier.put(_without("beneficiary"), "/change/event/target", "deploy-role"), "pass", []],
		"at an unknown time": [_without("at"), "unknown", ["acc.untold"]],
		"nothing known of it": [dossier.without(_grant, "/change/event"), "unknown", ["acc.untold"]],
		"nothing known, nothing approved": [json.patch(_grant, [{"op": "remove", "path": "/change/event"}, {"op": "remove", "path": "/change/issue"}]), "fail", ["acc.grant_unapproved"]],
		"elevation revoked at its end": [_elevated({"expires_at": _ends, "revoked_at": _ends}), "pass", []],
		"revoked at the last second of grace": [_elevated({"expires_at": _ends, "revoked_at": "2026-11-11T13:15:00Z"}), "pass", []],
		"revoked a second later": [_elevated({"expires_at": _ends, "revoked_at": "2026-11-11T13:15:01Z"}), "fail", ["acc.elevation_expired"]],
		"in force": [_at(_elevated({"expires_at": _ends}), "2026-11-11T13:15:00Z"), "pending", ["acc.elevation_expired"]],
		"in force a second too long": [_at(_elevated({"expires_at": _ends}), "2026-11-11T13:15:01Z"), "fail", ["acc.elevation_expired"]],
		"revocation unread": [dossier.put(_elevated({"expires_at": _ends}), "/sources/iam", {"status": "incomplete", "missing": ["audit_log"]}), "unknown", ["acc.elevation_expired"]],
		"eight hours to the second": [_elevated({"expires_at": "2026-11-11T17:00:00Z", "revoked_at": "2026-11-11T12:00:00Z"}), "pass", []],
		"eight hours and a second": [_elevated({"expires_at": "2026-11-11T17:00:01Z", "revoked_at": "2026-11-11T12:00:00Z"}), "fail", ["acc.elevation_too_long"]],
		"its own beginning": [_elevated({"started_at": "2026-11-11T09:00:01Z", "expires_at": "2026-11-11T17:00:01Z", "revoked_at": "2026-11-11T12:00:00Z"}), "pass", []],
		"without an end": [_elevated({}), "fail", ["acc.elevation_too_long"]],
		"revoked without an end of its own": [_elevated({"revoked_at": "2026-11-11T17:00:00Z"}), "pass", []],
		"revoked too late, without an end of its own": [_elevated({"revoked_at": "2026-11-11T17:00:01Z"}), "fail", ["acc.elevation_too_long"]],
		"elevation at an unknown time": [dossier.without(_elevated({"expires_at": _ends, "revoked_at": _ends}), "/change/event/at"), "unknown", ["acc.untold"]],
		"elevation on other platform changes": [dossier.put(_elevated({"expires_at": _ends, "revoked_at": _ends}), "/change/kind", "platform_config"), "pass", []],
		"elevation on other platform changes, at an unknown time": [dossier.without(dossier.put(_elevated({"expires_at": _ends, "revoked_at": _ends}), "/change/kind", "platform_config"), "/change/event/at"), "unknown", ["acc.untold"]],
		"used a grant nobody approved": [dossier.put(dossier.normal, "/change/related_grants", [_used]), "fail", ["acc.grant_unapproved"]],
		"used an approved grant": [dossier.put(dossier.normal, "/change/related_grants", [object.union(_used, {"approvals": [{"by": "erin", "at": "2026-11-10T09:00:00Z"}]})]), "pass", []],
		"used a grant, request unread": [dossier.unread(dossier.put(dossier.normal, "/change/related_grants", [_used]), "issues"), "unknown", ["acc.grant_unapproved"]],
		"no grants used": [dossier.put(dossier.normal, "/change/related_grants", []), "not_applicable", []],
	}
	dossier.says(_id, case[0], case[1], case[2])
}

_emergency(fields) := object.union(
	json.patch(dossier.put(_grant, "/change/issue/approvals", []), [
		{"op": "add", "path": "/change/declared", "value": {"type": "emergency"}},
		{"op": "add", "path": "/change/emergency_trigger", "value": {"id": "INC-9", "kind": "incident", "started_at": "2026-11-11T08:00:00Z", "recorded_at": "2026-11-11T08:05:00Z"}},
	]),
	fields,
)

_reviewed(by) := _emergency({"change": {"retrospective_review": {"reviewer": by, "completed_at": "2026-11-12T09:00:00Z", "decision": "accepted", "limited_to_issue": true}}})

test_emergency[note] if {
	some note, case in {
		"reviewed by somebody independent": [_reviewed("carol"), "pass", []],
		"reviewed by who gains": [_reviewed("bob"), "fail", ["acc.grant_unapproved"]],
		"reviewed by the granter": [_reviewed("alice"), "fail", ["acc.grant_unapproved"]],
		"not reviewed, in time": [_emergency({"evaluated_at": "2026-11-16T09:00:00Z"}), "pending", ["acc.grant_unapproved"]],
		"not reviewed": [_emergency({"evaluated_at": "2026-11-16T09:00:01Z"}), "fail", ["acc.grant_unapproved"]],
	}
	dossier.says(_id, case[0], case[1], case[2])
}

test_emergency_names_the_deadline if {
	dossier.finding(_id, _emergency({"evaluated_at": "2026-11-12T09:00:00Z"})).due_at == "2026-11-16T09:00:00Z"
}

test_names_the_revocation_due if {
	dossier.finding(_id, _at(_elevated({"expires_at": _ends}), "2026-11-11T12:00:00Z")).due_at == "2026-11-11T13:15:00Z"
}

test_waiver[note] if {
	some note, case in {
		"valid": [{"requested_by": "bob"}, "waived"],
		"a second late": [{"requested_by": "bob", "approved_at": "2026-11-11T09:00:01Z"}, "fail"],
		"by the granter": [{"requested_by": "bob", "approved_by": "alice"}, "fail"],
		"by who gains": [{"requested_by": "carol", "approved_by": "bob"}, "fail"],
	}
	dossier.status(_id, dossier.waived(dossier.put(_grant, "/change/issue/approvals", []), _id, case[0])) == case[1]
}
