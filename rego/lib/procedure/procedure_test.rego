package tests.lib_procedure

import data.lib.clock
import data.lib.procedure
import data.tests.dossier

test_id[note] if {
	some note, case in {
		"claimed": [dossier.standard, "STD-DEP"],
		"by its updates": [dossier.without(dossier.standard, "/change/procedure"), "STD-DEP"],
		"by its kind": [dossier.rollback, "STD-ROLLBACK"],
		"otherwise": [dossier.normal, "STD-CONFIG"],
	}
	id := procedure.id with input as case[0]
	id == case[1]
}

test_rollback_review[note] if {
	some note, case in {
		"compliant": ["compliant", "good"],
		"with a waiver": ["Compliant_with_waiver", "good"],
		"passed": ["pass", "good"],
		"not compliant": ["non_compliant", "bad"],
		"not reviewed": ["not_reviewed", "bad"],
		"unreviewed": ["unreviewed", "bad"],
		"failed": ["failed", "bad"],
		"none": ["none", "bad"],
		"unknown": ["unknown", "unknown"],
		"pending": ["pending", "unknown"],
		"a word nobody knows": ["green", "unknown"],
	}
	review := procedure.rollback_review with input as dossier.put(dossier.rollback, "/change/rollback/target_review", case[0])
	review == case[1]
}

test_rollback_review_absent if {
	review := procedure.rollback_review with input as dossier.without(dossier.rollback, "/change/rollback/target_review")
	review == "unknown"
}

test_lapse[note] if {
	some note, case in {
		"in force": [dossier.standard, "2026-11-10T11:00:00Z", "none"],
		"at its end": [dossier.standard, "2027-02-02T10:00:00Z", "none"],
		"after its end": [dossier.standard, "2027-02-02T10:00:01Z", "the pre-approval of procedure STD-DEP lapsed at 2027-02-02T10:00:00Z"],
		"before its approval": [dossier.standard, "2026-02-02T09:59:59Z", "procedure STD-DEP was approved only at 2026-02-02T10:00:00Z"],
		"not registered": [dossier.without(dossier.standard, "/change/procedure"), "2026-11-10T11:00:00Z", "procedure STD-DEP is not registered"],
		"a rollback needs none": [dossier.rollback, "2026-11-10T11:00:00Z", "none"],
		"no end": [dossier.without(dossier.standard, "/change/procedure/approved_until"), "2027-02-03T10:00:00Z", "none"],
		"no end, a second after twelve months": [dossier.without(dossier.standard, "/change/procedure/approved_until"), "2027-02-03T10:00:01Z", "the pre-approval of procedure STD-DEP lapsed at 2027-02-03T10:00:00Z"],
	}
	_lapse(case[0], case[1]) == case[2]
}

_lapse(given, at) := why if {
	why := procedure.lapse(clock.instant(at)) with input as given
} else := "none"

test_fits if {
	procedure.fits with input as dossier.standard
	procedure.fits with input as dossier.rollback
	not procedure.fits with input as dossier.normal
	not procedure.fits with input as dossier.put(dossier.standard, "/change/files_truncated", true)
}

test_decisive if {
	merged := procedure.decisive with input as dossier.standard
	clock.text(merged) == "2026-11-10T11:00:00Z"
	effective := procedure.decisive with input as dossier.rollback
	clock.text(effective) == "2026-11-12T14:01:00Z"
	open := procedure.decisive with input as json.patch(dossier.standard, [{"op": "remove", "path": "/change/pull_request/merged_at"}, {"op": "remove", "path": "/change/deployments"}])
	clock.text(open) == "2026-11-20T09:00:00Z"
}
