package tests.cm_5_6

import data.tests.dossier

# What the three controls share is tested with lib/incident.
_id := "CM-5.6"

_section := "/change/post_incident_review/preventive_controls"

test_status[note] if {
	some note, case in {
		"stated": [dossier.emergency, "pass", []],
		"not stated": [dossier.without(dossier.emergency, _section), "fail", ["pir.missing"]],
		"no emergency": [dossier.normal, "not_applicable", []],
	}
	dossier.says(_id, case[0], case[1], case[2])
}

test_names_the_section if {
	found := dossier.finding(_id, dossier.put(dossier.emergency, _section, "n/a"))
	contains(found.message, "INC-77 did not state the preventive controls")
	contains(found.remediation, "preventive controls")
}

test_waiver[note] if {
	some note, case in {
		"valid": [{}, "waived"],
		"self-approved": [{"approved_by": "alice"}, "fail"],
		"too long": [{"expires_at": "2027-03-01T00:00:00Z"}, "fail"],
	}
	dossier.status(_id, dossier.waived(dossier.without(dossier.emergency, _section), _id, case[0])) == case[1]
}
