package tests.risk

import data.risk
import data.tests.dossier

_files(files) := dossier.put(dossier.normal, "/change/files", files)

_claimed(word) := dossier.put(dossier.normal, "/change/declared/risk", word)

_labelled(labels) := dossier.put(dossier.normal, "/change/pull_request/labels", labels)

test_level[note] if {
	some note, case in {
		"code": [dossier.normal, "medium"],
		"a push": [dossier.push, "medium"],
		"a role": [dossier.grant, "high"],
		"a standard update": [dossier.standard, "low"],
		"a standard update whose approval lapsed": [dossier.put(dossier.standard, "/change/procedure/approved_until", "2026-01-01T00:00:00Z"), "low"],
		"a major update": [dossier.put(dossier.standard, "/change/dependency_updates/0/to", "5.0.0"), "medium"],
		"a rollback": [dossier.rollback, "low"],
		"a rollback to what was not reviewed": [dossier.put(dossier.rollback, "/change/rollback/target_review", "failed"), "medium"],
		"styles": [_files([{"path": "web/main.css"}]), "low"],
		"documents": [_files([{"path": "docs/a.md"}]), "low"],
		"documents, files unread": [dossier.put(_files([{"path": "docs/a.md"}]), "/change/files_truncated", true), "medium"],
		"a dropped table": [_files([{"path": "migrations/1.sql", "patch": "+DROP TABLE a;"}]), "high"],
		"styles and a workflow": [_files([{"path": "web/main.css"}, {"path": ".github/workflows/ci.yml"}]), "high"],
		"claimed high": [_claimed("High"), "high"],
		"claimed critical": [_claimed("critical"), "high"],
		"claimed low": [_claimed("low"), "medium"],
		"claimed medium, found low": [dossier.put(_files([{"path": "web/main.css"}]), "/change/declared/risk", "medium"), "medium"],
		"claimed low, found high": [dossier.put(_files([{"path": "infra/tls/a.yaml"}]), "/change/declared/risk", "low"), "high"],
		"a word nobody knows": [_claimed("enormous"), "medium"],
		"labelled high": [_labelled(["risk:high"]), "high"],
		"labelled high otherwise": [_labelled(["Risk: High"]), "high"],
		"labelled twice": [_labelled(["risk:low", "risk:high"]), "high"],
		"claimed low, labelled high": [dossier.put(_claimed("low"), "/change/pull_request/labels", ["risk/high"]), "high"],
		"labelled with something else": [_labelled(["risk:none-at-all", "brisk:high"]), "medium"],
		"nothing": [{"change": {"kind": "manual_deploy"}}, "medium"],
	}
	level := risk.level with input as case[0]
	level == case[1]
}

test_reasons[note] if {
	some note, case in {
		"code": [dossier.normal, ["production code or configuration"]],
		"a role": [dossier.grant, ["H1: iam"]],
		"a standard update": [dossier.standard, ["meets the conditions of STD-DEP"]],
		"styles": [_files([{"path": "web/main.css"}]), ["only static files changed"]],
		"documents": [_files([{"path": "docs/a.md"}]), ["only files that are not deployed changed"]],
		"claimed high": [_claimed("high"), ["H8: declared high", "production code or configuration"]],
		"claimed low": [_claimed("low"), ["declared low", "production code or configuration"]],
	}
	document := risk.document with input as case[0]
	document.reasons == case[1]
}

test_declared if {
	document := risk.document with input as _claimed("LOW")
	document.declared == "low"
	silent := risk.document with input as dossier.normal
	not silent.declared
}
