package tests.cm_4_a_6

import data.tests.dossier

_id := "CM-4.A.6"

_rollback := "/change/pull_request/body_at_merge/rollback"

_says(text) := dossier.put(dossier.normal, _rollback, text)

_risky(text) := dossier.put(_says(text), "/change/files/0", {"path": "migrations/0042_drop.sql", "status": "added", "patch": "+DROP TABLE answers;"})

_mute_emergency := dossier.without(dossier.emergency, _rollback)

_raw(text) := dossier.put(dossier.normal, "/change/pull_request/body_at_merge", {"raw": text})

test_status[note] if {
	some note, case in {
		"a rollback to a build of unknown review": [dossier.without(dossier.rollback, "/change/rollback/target_review"), "unknown", ["doc.rollback_missing"]],
		"a rollback to a build of bad review": [dossier.put(dossier.rollback, "/change/rollback/target_review", "non_compliant"), "fail", ["doc.rollback_missing"]],
		"called standard, files unread": [dossier.put(dossier.without(dossier.standard, "/change/files"), "/sources/github", {"status": "incomplete", "missing": ["files"]}), "unknown", ["doc.rollback_missing"]],
		"in a text that nobody took apart": [_raw("## Rollback plan\r\nRevert the merge commit.\r\n## Notes\r\n"), "pass", []],
		"not in it": [_raw("Rollback is easy.\n## Rollback\n<!-- how -->\n## Notes\nRevert it."), "fail", ["doc.rollback_missing"]],
		"considered": [dossier.normal, "pass", []],
		"two words": [_says("Revert it."), "pass", []],
		"not a word": [dossier.without(dossier.normal, _rollback), "fail", ["doc.rollback_missing"]],
		"none": [_says("none"), "fail", ["doc.rollback_missing"]],
		"a placeholder": [_says("n/a"), "fail", ["doc.rollback_missing"]],
		"why it cannot be": [_says("Cannot be taken back: the column is gone."), "pass", []],
		"high risk, a procedure": [_risky("Restore table answers from the snapshot of 10:00."), "pass", []],
		"high risk, two words": [_risky("Revert it."), "fail", ["doc.rollback_missing"]],
		"high risk, not a word": [_risky(""), "fail", ["doc.rollback_missing"]],
		"high risk by label, two words": [dossier.put(_says("Revert it."), "/change/pull_request/labels", ["risk:high"]), "fail", ["doc.rollback_missing"]],
		"texts unread": [dossier.put(_says(""), "/sources/github", {"status": "incomplete", "missing": ["description"]}), "unknown", ["doc.rollback_missing"]],
		"an emergency, window open": [dossier.put(_mute_emergency, "/evaluated_at", "2026-11-11T11:06:00Z"), "pending", ["doc.rollback_missing"]],
		"an emergency, a second later": [dossier.put(_mute_emergency, "/evaluated_at", "2026-11-11T11:06:01Z"), "fail", ["doc.rollback_missing"]],
		"a grant": [dossier.grant, "pass", []],
		"a grant without a word": [dossier.without(dossier.grant, "/change/issue/body/rollback"), "fail", ["doc.rollback_missing"]],
		"a standard change": [dossier.standard, "pass", []],
		"a rollback": [dossier.rollback, "pass", []],
		"waived by its alias": [dossier.waived(_says(""), "CM-4.E.1", {}), "waived", ["doc.rollback_missing"]],
	}
	dossier.says(_id, case[0], case[1], case[2])
}

test_alias if dossier.finding(_id, dossier.normal).aliases == ["CM-4.E.1"]
