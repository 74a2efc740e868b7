package tests.cm_6_4

import data.tests.dossier

_id := "CM-6.4"

# Evaluated on 20 November 2026 at 09:00; 1095 days before is 21 November 2023.
_retention(fields) := dossier.subject("retention", object.union({"program_started_at": "2025-01-06T00:00:00Z", "oldest_complete_record_at": "2025-01-06T00:00:00Z", "hash_chain": "intact"}, fields))

_old := "2020-01-01T00:00:00Z"

test_status[note] if {
	some note, case in {
		"since the programme started": [_retention({}), "pass", []],
		"a second after it started": [_retention({"oldest_complete_record_at": "2025-01-06T00:00:01Z"}), "fail", ["ret.incomplete"]],
		"older than needed": [_retention({"oldest_complete_record_at": _old}), "pass", []],
		"as far as the retention, to the second": [_retention({"program_started_at": _old, "oldest_complete_record_at": "2023-11-21T09:00:00Z"}), "pass", []],
		"a second less than the retention": [_retention({"program_started_at": _old, "oldest_complete_record_at": "2023-11-21T09:00:01Z"}), "fail", ["ret.incomplete"]],
		"start of the programme not on record": [dossier.without(_retention({}), "/retention/program_started_at"), "unknown", ["ret.incomplete"]],
		"start not on record, retention met": [dossier.without(_retention({"oldest_complete_record_at": "2023-11-21T09:00:00Z"}), "/retention/program_started_at"), "pass", []],
		"oldest record unknown": [dossier.without(_retention({}), "/retention/oldest_complete_record_at"), "unknown", ["ret.incomplete"]],
		"chain broken": [_retention({"hash_chain": "broken at 1234"}), "fail", ["ret.chain_broken"]],
		"chain verified": [_retention({"hash_chain": "Verified"}), "pass", []],
		"chain not verified": [_retention({"hash_chain": "unverified"}), "unknown", ["ret.chain_broken"]],
		"nothing said of the chain": [dossier.without(_retention({}), "/retention/hash_chain"), "unknown", ["ret.chain_broken"]],
		"an empty word of the chain": [_retention({"hash_chain": ""}), "unknown", ["ret.chain_broken"]],
		"chain unknown, records missing": [_retention({"hash_chain": "unverified", "oldest_complete_record_at": "2025-02-06T00:00:00Z"}), "fail", ["ret.incomplete"]],
		"nothing known": [dossier.subject("retention", {}), "unknown", ["ret.chain_broken", "ret.incomplete"]],
	}
	dossier.says(_id, case[0], case[1], case[2])
}

test_never_below_twelve_months if {
	found := dossier.finding(_id, _retention({"program_started_at": _old, "oldest_complete_record_at": "2025-11-20T09:00:01Z"})) with data.settings.retention_days as 30
	found.status == "fail"
	kept := dossier.finding(_id, _retention({"program_started_at": _old, "oldest_complete_record_at": "2025-11-20T09:00:00Z"})) with data.settings.retention_days as 30
	kept.status == "pass"
}

test_longer_where_duties_ask if {
	found := dossier.finding(_id, _retention({"program_started_at": _old, "oldest_complete_record_at": "2023-11-21T09:00:00Z"})) with data.settings.retention_days as 2555
	found.status == "fail"
}

test_cannot_be_waived if {
	found := dossier.finding(_id, dossier.waived(_retention({"hash_chain": "broken"}), _id, {}))
	found.status == "fail"
	found.reasons == ["ret.chain_broken", "waiver.unwaivable"]
}
