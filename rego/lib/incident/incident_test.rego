package tests.lib_incident

import data.tests.dossier

# The three sections of the post-incident review, by the control that asks.
_sections := {"CM-5.4": "root_cause", "CM-5.5": "actions_taken", "CM-5.6": "preventive_controls"}

_emergency := dossier.emergency

_unreviewed := dossier.without(_emergency, "/change/post_incident_review")

_review(path, value) := dossier.put(_emergency, concat("", ["/change/post_incident_review/", path]), value)

_at(base, now) := dossier.put(base, "/evaluated_at", now)

_kind(kind) := dossier.put(_unreviewed, "/change/emergency_trigger/kind", kind)

# resolved on Tuesday 12:00:00: due on Tuesday 12:00:00.
test_status[sprintf("%s: %s", [id, note])] if {
	some id, section in _sections
	some note, case in {
		"no emergency": [dossier.normal, "not_applicable", []],
		"stated": [_emergency, "pass", []],
		"vulnerability": [_kind("vulnerability"), "not_applicable", []],
		"misconfiguration": [_kind("misconfiguration"), "not_applicable", []],
		"alert": [_kind("alert"), "not_applicable", []],
		"trigger of no kind counts as incident": [dossier.without(_unreviewed, "/change/emergency_trigger/kind"), "fail", ["pir.missing"]],
		"no trigger yet": [_at(dossier.without(_emergency, "/change/emergency_trigger"), "2026-11-10T12:00:00Z"), "not_applicable", []],
		"a second early": [_review("completed_at", "2026-11-17T11:59:59Z"), "pass", []],
		"at the last second": [_review("completed_at", "2026-11-17T12:00:00Z"), "pass", []],
		"a second late": [_review("completed_at", "2026-11-17T12:00:01Z"), "fail", ["pir.late"]],
		"not reviewed": [_unreviewed, "fail", ["pir.missing"]],
		"at the deadline": [_at(_unreviewed, "2026-11-17T12:00:00Z"), "pending", ["pir.missing"]],
		"a second past the deadline": [_at(_unreviewed, "2026-11-17T12:00:01Z"), "fail", ["pir.missing"]],
		"without a time": [dossier.without(_emergency, "/change/post_incident_review/completed_at"), "fail", ["pir.missing"]],
		"reviewed this second": [_at(_emergency, "2026-11-13T15:00:00Z"), "pass", []],
		"planned": [_at(_emergency, "2026-11-12T12:00:00Z"), "pending", ["pir.missing"]],
		"section absent": [dossier.without(_emergency, concat("", ["/change/post_incident_review/", section])), "fail", ["pir.missing"]],
		"section empty": [_review(section, "  "), "fail", ["pir.missing"]],
		"section a placeholder": [_review(section, "TBD"), "fail", ["pir.missing"]],
		"section only a comment": [_review(section, "<!-- why -->"), "fail", ["pir.missing"]],
		"other sections empty": [json.patch(_emergency, [{"op": "replace", "path": concat("", ["/change/post_incident_review/", other]), "value": ""} | some other in ({"root_cause", "actions_taken", "preventive_controls"} - {section})]), "pass", []],
		"unresolved": [dossier.without(_unreviewed, "/change/emergency_trigger/resolved_at"), "pending", ["pir.unresolved"]],
		"reviewed before it is resolved": [dossier.without(_emergency, "/change/emergency_trigger/resolved_at"), "pass", []],
		"tracker unread": [dossier.unread(_unreviewed, "issues"), "unknown", ["pir.missing"]],
		"late, though unread": [dossier.unread(_review("completed_at", "2026-11-17T12:00:01Z"), "issues"), "fail", ["pir.late"]],
		"incident without an id": [dossier.without(_unreviewed, "/change/emergency_trigger/id"), "fail", ["pir.missing"]],
	}
	dossier.says(id, case[0], case[1], case[2])
}

test_due_in_business_days[note] if {
	some note, case in {
		"UTC": ["UTC", [], "2026-11-17T12:00:00Z"],
		"a holiday": ["UTC", ["2026-11-11"], "2026-11-18T12:00:00Z"],
		"Sydney": ["Australia/Sydney", [], "2026-11-17T12:00:00Z"],
	}
	found := dossier.finding("CM-5.4", _at(_unreviewed, "2026-11-11T12:00:00Z")) with data.settings.business_timezone as case[0]
		with data.settings.holidays as case[1]
	found.due_at == case[2]
}

test_named_by_its_record if {
	named := json.patch(_unreviewed, [
		{"op": "move", "from": "/change/emergency_trigger", "path": "/change/concurrent_incidents"},
	])
	listed := dossier.put(named, "/change/concurrent_incidents", [object.union(dossier.emergency.change.emergency_trigger, {"mentions_commit": true})])
	found := dossier.finding("CM-5.4", listed)
	found.status == "fail"
	found.evidence == ["/change/concurrent_incidents/0"]
}

test_waiver[note] if {
	some note, case in {
		"valid": [{}, "waived"],
		"late": [{"approved_at": "2026-11-17T12:00:01Z"}, "fail"],
	}
	dossier.status("CM-5.4", dossier.waived(_unreviewed, "CM-5.4", case[0])) == case[1]
}
