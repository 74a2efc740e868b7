package tests.lib_waiver

import data.lib.clock
import data.lib.waiver
import data.tests.dossier

_control := "CM-4.C.2"

_failed(control) := {"control": control, "status": "fail", "message": "It was not staged.", "reasons": ["stg.missing"], "evidence": ["/change/kind"]}

_moments := {"decisive": clock.instant("2026-11-10T11:01:00Z"), "until": clock.instant("2026-11-10T11:01:00Z")}

_applied(input_, control, moments) := found if {
	found := waiver.applied(_failed(control), moments) with input as input_
}

_with(changes) := dossier.put(dossier.normal, "/waivers", [dossier.waiver(_control, "acme/app#412", changes)])

_people(people) := dossier.put(_with({}), "/people", people)

# alice with a second account, listed as one person.
_erin_too := object.union(dossier.erin, {"accounts": {"github": ["erin", "erin-admin"], "directory": ["erin@acme.example"]}})

_deployed_by_hand := json.patch(_with({}), [
	{"op": "replace", "path": "/change/deployments/0/trigger", "value": "manual"},
	{"op": "add", "path": "/change/deployments/0/user", "value": "alice@acme.example"},
])

test_counts[note] if {
	some note, case in {
		"exact subject": [_with({}), _control],
		"pattern": [_with({"subject": "acme/app#*"}), _control],
		"pattern over organisations": [_with({"subject": "*/app#412"}), _control],
		"everything": [_with({"subject": "*"}), _control],
		"several controls": [_with({"controls": ["CM-9.9", _control]}), _control],
		"alias": [_with({"controls": ["CM-3.B.1"]}), "CM-4.B.1"],
		"alias of rollback": [_with({"controls": ["CM-4.E.1"]}), "CM-4.A.6"],
		"approved at the decisive second": [_with({"approved_at": "2026-11-10T11:01:00Z"}), _control],
		"expires at the decisive second": [_with({"approved_at": "2026-11-01T00:00:00Z", "expires_at": "2026-11-10T11:01:00Z"}), _control],
		"ninety days to the second": [_with({"approved_at": "2026-11-01T00:00:00Z", "expires_at": "2027-01-30T00:00:00Z"}), _control],
		"offset in the approval": [_with({"approved_at": "2026-11-10T13:01:00+02:00"}), _control],
		"revoked afterwards": [_with({"revoked_at": "2026-11-10T11:01:01Z"}), _control],
		"no reason given": [json.patch(_with({}), [{"op": "remove", "path": "/waivers/0/reason"}]), _control],
		"beside one that does not count": [dossier.put(_with({}), "/waivers/0", dossier.waiver(_control, "acme/app#412", {"id": "W-0", "approved_by": "alice"})), _control],
		"second account of somebody else": [dossier.put(dossier.put(_with({"approved_by": "erin@acme.example"}), "/people/3", _erin_too), "/subject/id", "acme/app#412"), _control],
		"nobody in the directory, different names": [_people([]), _control],
		"the change's own id": [dossier.put(_with({"subject": "change-9"}), "/change/id", "change-9"), _control],
		"repository and number": [dossier.put(_with({}), "/subject/id", "elsewhere"), _control],
	}
	found := _applied(case[0], case[1], _moments)
	found.status == "waived"
	contains(found.message, "Waived by W-1")
	found.waiver.id == "W-1"
	some pointer in found.evidence
	startswith(pointer, "/waivers/")
	dossier.sound(found, case[0])
}

test_leaves_open_who_approved[note] if {
	some note, case in {
		"somebody unknown, directory unread": [_unread({"approved_by": "zoe"}), "unknown", "waiver.unresolved"],
		"somebody unknown and late": [_unread({"approved_by": "zoe", "approved_at": "2026-11-10T11:01:01Z"}), "fail", "waiver.late"],
		"somebody unknown and too long": [_unread({"approved_by": "zoe", "approved_at": "2026-11-01T00:00:00Z", "expires_at": "2027-01-30T00:00:01Z"}), "fail", "waiver.too_long"],
		"the author, directory unread": [_unread({"approved_by": "alice"}), "fail", "waiver.self"],
	}
	found := _applied(case[0], _control, _moments)
	found.status == case[1]
	case[2] in found.reasons
}

_unread(changes) := dossier.unread(_with(changes), "iam")

test_names_the_fault[note] if {
	some note, case in {
		"approved a second late": [_with({"approved_at": "2026-11-10T11:01:01Z"}), "waiver.late"],
		"expired a second early": [_with({"approved_at": "2026-11-01T00:00:00Z", "expires_at": "2026-11-10T11:00:59Z"}), "waiver.expired"],
		"a second over ninety days": [_with({"approved_at": "2026-11-01T00:00:00Z", "expires_at": "2027-01-30T00:00:01Z"}), "waiver.too_long"],
		"revoked before": [_with({"revoked_at": "2026-11-10T11:01:00Z"}), "waiver.revoked"],
		"self-approved": [_with({"approved_by": "alice"}), "waiver.self"],
		"self-approved in other letters": [_with({"approved_by": "Alice"}), "waiver.self"],
		"self-approved from another account": [_with({"approved_by": "alice@acme.example"}), "waiver.self"],
		"second account, nobody else in the directory": [_with({"requested_by": "carol@acme.example", "approved_by": "carol"}), "waiver.self"],
		"self-approved, no directory": [dossier.put(_with({"approved_by": "alice"}), "/people", []), "waiver.self"],
		"approved by the reviewer": [_with({"approved_by": "bob"}), "waiver.self"],
		"approved by the author for somebody": [_with({"requested_by": "bob", "approved_by": "alice"}), "waiver.self"],
		"approved by whoever merged what somebody else deployed": [dossier.put(_deployed_by_hand, "/change/pull_request/merged_by", "erin"), "waiver.self"],
		"approved by whoever enqueued what somebody else deployed": [dossier.put(_deployed_by_hand, "/change/pull_request/enqueued_by", "erin"), "waiver.self"],
		"approved by the retrospective reviewer": [dossier.put(_with({}), "/change/retrospective_review", {"reviewer": "erin"}), "waiver.self"],
		"approved by whoever applied it": [dossier.put(_with({}), "/change/event", {"actor": "erin", "requested_by": "bob"}), "waiver.self"],
		"approved by who approved the request": [dossier.put(_with({}), "/change/issue", {"approvals": [{"by": "erin"}]}), "waiver.self"],
		"approved by who dismissed the finding": [dossier.put(_with({}), "/finding", {"id": "GHSA-1", "dismissed_by": "erin"}), "waiver.self"],
		"approver not in the directory": [_with({"approved_by": "zoe"}), "waiver.unauthorised"],
		"approver has left": [dossier.put(_with({}), "/people/3/authorised", [{"from": "2024-01-08T00:00:00Z", "until": "2026-11-01T00:00:00Z"}]), "waiver.unauthorised"],
		"approver was never authorised": [dossier.put(_with({}), "/people/3/authorised", []), "waiver.unauthorised"],
		"approver is a bot": [dossier.put(_with({}), "/people/3/kind", "bot"), "waiver.unauthorised"],
		"nobody approved": [json.patch(_with({}), [{"op": "remove", "path": "/waivers/0/approved_by"}]), "waiver.incomplete"],
		"no time of approval": [json.patch(_with({}), [{"op": "remove", "path": "/waivers/0/approved_at"}]), "waiver.incomplete"],
		"no end": [json.patch(_with({}), [{"op": "remove", "path": "/waivers/0/expires_at"}]), "waiver.incomplete"],
		"nobody requested": [json.patch(_with({}), [{"op": "remove", "path": "/waivers/0/requested_by"}]), "waiver.incomplete"],
		"no id, self-approved": [json.patch(_with({"approved_by": "alice"}), [{"op": "remove", "path": "/waivers/0/id"}]), "waiver.self"],
	}
	found := _applied(case[0], _control, _moments)
	found.status == "fail"
	found.reasons == sort(["stg.missing", case[1]])
	"/waivers/0" in found.evidence
	dossier.sound(found, case[0])
}

test_says_nothing[note] if {
	some note, case in {
		"of other controls": _with({"controls": ["CM-4.C.1"]}),
		"of other subjects": _with({"subject": "acme/app#413"}),
		"of subjects that begin alike": _with({"subject": "acme/app#41"}),
		"without waivers": dossier.normal,
		"without controls": _with({"controls": []}),
		"of a folder that the id lies in": dossier.put(_with({"subject": "acme"}), "/subject/id", "acme/412"),
	}
	_applied(case, _control, _moments) == _failed(_control)
}

test_unwaivable[note] if {
	some note, case in {
		"by id": ["CM-5.2", "CM-5.2"],
		"by alias": ["CM-3.C.2", "CM-5.2"],
		"tracked": ["CM-4.A.1", "CM-4.A.1"],
		"retained": ["CM-6.4", "CM-6.4"],
		"logged": ["CM-8.2", "CM-8.2"],
	}
	found := _applied(_with({"controls": [case[0]]}), case[1], _moments)
	found.status == "fail"
	"waiver.unwaivable" in found.reasons
}

test_leaves_other_statuses_alone if {
	every status in ["pass", "pending", "unknown", "not_applicable"] {
		finding := object.union(_failed(_control), {"status": status})
		found := waiver.applied(finding, _moments) with input as _with({})
		found == finding
	}
}

test_lasts_as_long_as_needed if {
	moments := object.union(_moments, {"until": clock.instant("2027-02-01T00:00:00Z")})
	found := _applied(_with({}), _control, moments)
	found.reasons == ["stg.missing", "waiver.expired"]
}

test_speaks_of_a_sla_by_its_own_reasons[note] if {
	some note, changes in {
		"sla.waiver_late": {"approved_at": "2026-11-10T11:01:01Z"},
		"sla.waiver_self": {"approved_by": "alice"},
		"sla.waiver_expired": {"approved_at": "2026-11-01T00:00:00Z", "expires_at": "2026-11-10T11:00:59Z"},
		"waiver.too_long": {"expires_at": "2027-03-01T00:00:00Z"},
	}
	found := _applied(_with(object.union(changes, {"controls": ["CM-6.2"]})), "CM-6.2", _moments)
	note in found.reasons
}

test_approver_of_a_request_took_part if {
	granted := dossier.put(dossier.grant, "/waivers", [dossier.waiver("CM-7.2", "render:aud-1", {"requested_by": "bob", "approved_by": "carol"})])
	found := _applied(granted, "CM-7.2", _moments)
	"waiver.self" in found.reasons
}

test_owner_of_a_finding_took_part if {
	owned := object.union(dossier.subject("finding", {"id": "F-1", "owner": "erin"}), {
		"people": [dossier.alice, dossier.erin],
		"waivers": [dossier.waiver("CM-6.2", "F-1", {})],
	})
	found := _applied(owned, "CM-6.2", _moments)
	"sla.waiver_self" in found.reasons
}

test_names_a_waiver_without_id if {
	nameless := json.patch(_with({}), [{"op": "remove", "path": "/waivers/0/id"}])
	found := _applied(nameless, _control, _moments)
	found.status == "waived"
	found.waiver.id == "without an id"
}
