package tests.cm_4_c_1

import data.tests.dossier

_id := "CM-4.C.1"

_check := dossier.normal.change.checks[0]

_checked(checks) := dossier.put(dossier.normal, "/change/checks", checks)

_ran(changes) := _checked([object.union(_check, changes)])

_unsaid(field) := _checked([object.remove(_check, [field])])

_also(changes) := _checked([_check, object.union(_check, changes)])

_required(base, names) := dossier.put(base, "/change/branch_protection/required_checks", names)

_missing(base, facts) := dossier.put(base, "/sources/github", {"status": "incomplete", "missing": facts})

_at(base, now) := dossier.put(base, "/evaluated_at", now)

_startless(base) := dossier.without(base, "/change/deployments/0/started_at")

_undeployed(base) := dossier.without(base, "/change/deployments")

_earlier(fields) := dossier.put(dossier.normal, "/change/checks/1", object.union({"name": "ci/integration", "sha": dossier.other, "conclusion": "success", "completed_at": "2026-11-10T09:10:00Z"}, fields))

# The deployment started at 11:01:00; with the skew tests may end until 11:02:00.
test_checks[note] if {
	some note, case in {
		"an image of something else": [dossier.put(dossier.without(dossier.normal, "/change/deployments/0/on_protected_branch"), "/change/deployments/0/image", {"ref": "api:1", "provenance": dossier.other}), "fail", ["test.other_revision"]],
		"one of two ran on an earlier revision only": [_earlier({}), "fail", ["test.other_revision"]],
		"one of two failed on an earlier revision only": [_earlier({"conclusion": "failure"}), "fail", ["test.other_revision"]],
		"one of two ran on an earlier revision, and is not required": [_earlier({"required": false}), "pass", []],
		"one of two ran elsewhere after the deployment": [_earlier({"completed_at": "2026-11-11T02:00:00Z"}), "pass", []],
		"succeeded": [dossier.normal, "pass", []],
		"succeeded in capitals": [_ran({"conclusion": "SUCCESS"}), "pass", []],
		"succeeded on the merge commit": [_ran({"sha": dossier.merge}), "pass", []],
		"succeeded in the merge queue": [dossier.put(dossier.put(dossier.without(_ran({"sha": "group1"}), "/change/merged_content_shas"), "/change/merge_group", {"head_sha": "group1"}), "/change/checks/0/sha", "group1"), "pass", []],
		"ended as the deployment started": [_ran({"completed_at": "2026-11-10T11:01:00Z"}), "pass", []],
		"ended within the skew": [_ran({"completed_at": "2026-11-10T11:02:00Z"}), "pass", []],
		"ended a second later": [_ran({"completed_at": "2026-11-10T11:02:01Z"}), "fail", ["test.after_deploy"]],
		"ended there, by another offset": [_ran({"completed_at": "2026-11-10T06:02:00-05:00"}), "pass", []],
		"failed": [_ran({"conclusion": "failure"}), "fail", ["test.failed"]],
		"timed out": [_ran({"conclusion": "timed_out"}), "fail", ["test.failed"]],
		"skipped": [_ran({"conclusion": "skipped"}), "fail", ["test.skipped"]],
		"neutral": [_ran({"conclusion": "neutral"}), "fail", ["test.skipped"]],
		"on another commit": [_ran({"sha": dossier.other}), "fail", ["test.other_revision"]],
		"no check": [_checked([]), "fail", ["test.missing"]],
		"checks not on record": [dossier.without(dossier.normal, "/change/checks"), "fail", ["test.missing"]],
		"checks unread": [_missing(dossier.without(dossier.normal, "/change/checks"), ["check_runs"]), "unknown", ["test.missing"]],
		"succeeded, others unread": [_missing(dossier.normal, ["statuses"]), "unknown", ["test.missing"]],
		"all required succeeded, others unread": [_missing(_required(dossier.normal, ["ci/test"]), ["statuses"]), "pass", []],
		"failed, others unread": [_missing(_ran({"conclusion": "failure"}), ["checks"]), "unknown", ["test.failed"]],
		"still running": [_ran({"conclusion": "success", "completed_at": "2026-11-10T12:00:00Z"}), "fail", ["test.after_deploy"]],
		"no conclusion": [_unsaid("conclusion"), "unknown", ["test.missing"]],
		"still running, as far as is known": [_checked([{"name": "ci/test", "sha": dossier.head}]), "fail", ["test.missing"]],
		"no time": [_unsaid("completed_at"), "unknown", ["test.missing"]],
		"no commit": [_unsaid("sha"), "unknown", ["test.other_revision"]],
		"failed at no known time": [_checked([{"name": "ci/test", "sha": dossier.head, "conclusion": "failure"}]), "fail", ["test.missing"]],
		"failed, then succeeded": [_also({"conclusion": "failure", "completed_at": "2026-11-10T09:30:00Z"}), "pass", []],
		"succeeded, then failed": [_also({"conclusion": "failure", "completed_at": "2026-11-10T09:50:00Z"}), "fail", ["test.failed"]],
		"succeeded, failed after the deployment": [_also({"conclusion": "failure", "completed_at": "2026-11-10T12:00:00Z"}), "pass", []],
		"both in one second": [_also({"conclusion": "failure"}), "fail", ["test.failed"]],
		"both in one second, turned round": [_checked([object.union(_check, {"conclusion": "failure"}), _check]), "fail", ["test.failed"]],
		"one of two failed": [_also({"name": "ci/lint", "conclusion": "failure"}), "fail", ["test.failed"]],
		"one of two failed, not required": [_required(_also({"name": "ci/lint", "conclusion": "failure"}), ["ci/test"]), "pass", []],
		"one required is missing": [_required(dossier.normal, ["ci/test", "ci/e2e"]), "fail", ["test.missing"]],
		"one required ran elsewhere": [_required(_also({"name": "ci/e2e", "sha": dossier.other}), ["ci/test", "ci/e2e"]), "fail", ["test.other_revision"]],
		"marked as required": [_checked([object.union(_check, {"required": true}), object.union(_check, {"name": "ci/lint", "conclusion": "failure"})]), "pass", []],
		"a push": [dossier.push, "pass", []],
		"a push without tests": [dossier.put(dossier.push, "/change/checks", []), "fail", ["test.missing"]],
		"waived by its alias": [dossier.waived(_checked([]), "CM-3.B.2", {}), "waived", ["test.missing"]],
	}
	dossier.says(_id, case[0], case[1], case[2])
}

test_moment[note] if {
	some note, case in {
		"start not on record": [_startless(dossier.normal), "unknown", ["test.after_deploy"]],
		"start not on record, failed": [_startless(_ran({"conclusion": "failure"})), "fail", ["test.failed"]],
		"start not on record, succeeded and failed": [_startless(_also({"conclusion": "failure", "completed_at": "2026-11-10T11:05:00Z"})), "unknown", ["test.failed"]],
		"start not on record, after it was live": [_startless(_ran({"completed_at": "2026-11-10T11:07:01Z"})), "fail", ["test.after_deploy"]],
		"not deployed yet, succeeded": [_undeployed(dossier.normal), "pass", []],
		"not deployed yet, nothing ran": [_undeployed(_checked([])), "pending", ["test.missing"]],
		"not deployed yet, others unread": [_missing(_undeployed(dossier.normal), ["statuses"]), "pending", ["test.missing"]],
		"not deployed yet, failed": [_undeployed(_ran({"conclusion": "failure"})), "pending", ["test.failed"]],
		"deployments unread, over before the merge": [dossier.unread(_undeployed(dossier.normal), "render"), "pass", []],
		"deployments unread, over after the merge": [dossier.unread(_undeployed(_ran({"completed_at": "2026-11-10T11:00:30Z"})), "render"), "unknown", ["test.after_deploy"]],
		"deployments unread, failed": [dossier.unread(_undeployed(_ran({"conclusion": "failure"})), "render"), "unknown", ["test.failed"]],
		"two services, the first counts": [dossier.put(_ran({"completed_at": "2026-11-10T11:05:00Z"}), "/change/deployments/-", object.union(dossier.normal.change.deployments[0], {"service": "web", "started_at": "2026-11-10T11:10:00Z", "live_at": "2026-11-10T11:12:00Z"})), "fail", ["test.after_deploy"]],
		"deployed again, the first counts": [dossier.put(_ran({"completed_at": "2026-11-10T11:05:00Z"}), "/change/deployments/0", object.union(dossier.normal.change.deployments[0], {"id": "dep-9", "started_at": "2026-11-10T11:10:00Z", "live_at": "2026-11-10T11:12:00Z"})), "fail", ["test.after_deploy"]],
		"live, and nobody knows when": [dossier.without(_startless(dossier.normal), "/change/deployments/0/live_at"), "unknown", ["test.after_deploy"]],
		"an emergency": [dossier.emergency, "pass", []],
		"an emergency, tested until its review is due": [dossier.put(dossier.emergency, "/change/checks/0/completed_at", "2026-11-13T11:06:00Z"), "pass", []],
		"an emergency, a second later": [dossier.put(dossier.emergency, "/change/checks/0/completed_at", "2026-11-13T11:06:01Z"), "fail", ["test.after_deploy"]],
		"an emergency, not tested, time left": [_at(dossier.put(dossier.emergency, "/change/checks", []), "2026-11-13T11:06:00Z"), "pending", ["test.missing"]],
		"an emergency, not tested, a second later": [_at(dossier.put(dossier.emergency, "/change/checks", []), "2026-11-13T11:06:01Z"), "fail", ["test.missing"]],
		"only documents": [dossier.put(dossier.normal, "/change/files/0/path", "docs/export.md"), "not_applicable", []],
		"only documents, files unread": [_missing(dossier.put(_checked([]), "/change/files/0/path", "docs/export.md"), ["files"]), "fail", ["test.missing"]],
		"tested, files unread": [_missing(dossier.normal, ["files"]), "unknown", ["eval.missing"]],
		"tested, files cut": [dossier.put(dossier.normal, "/change/files_truncated", true), "unknown", ["eval.missing"]],
		"tested, no files on record": [dossier.without(dossier.normal, "/change/files"), "unknown", ["eval.missing"]],
		"code that became a document": [dossier.put(_checked([]), "/change/files/0", {"path": "docs/export.md", "previous_path": "src/export.py", "status": "renamed"}), "fail", ["test.missing"]],
		"a workflow, in force by its merge": [_undeployed(dossier.put(_ran({"completed_at": "2026-11-10T11:00:01Z"}), "/change/files/0/path", ".github/workflows/ci.yml")), "fail", ["test.after_deploy"]],
		"a workflow, tested by then": [_undeployed(dossier.put(dossier.normal, "/change/files/0/path", ".github/workflows/ci.yml")), "pass", []],
		"deployed unmerged": [
			json.patch(dossier.normal, [
				{"op": "remove", "path": "/change/pull_request/merged_at"}, {"op": "remove", "path": "/change/pull_request/merged_by"},
				{"op": "replace", "path": "/change/merged_content_shas", "value": []}, {"op": "replace", "path": "/change/deployments/0/commit", "value": dossier.head},
			]),
			"pass", [],
		],
		"a grant": [dossier.grant, "not_applicable", []],
		"a rollback": [dossier.rollback, "not_applicable", []],
	}
	dossier.says(_id, case[0], case[1], case[2])
}

_prompt(checks) := dossier.put(dossier.put(dossier.normal, "/change/files/0/path", "prompts/interview.md"), "/change/checks", checks)

_evaluation := {"name": "eval/interview", "sha": dossier.head, "conclusion": "success", "completed_at": "2026-11-10T09:45:00Z"}

_model(validations) := json.patch(dossier.grant, [
	{"op": "replace", "path": "/change/kind", "value": "platform_config"},
	{"op": "replace", "path": "/change/event", "value": {
		"system": "render", "type": "UpdateEnvVarsEvent", "actor": "alice@acme.example", "requested_by": "bob",
		"at": "2026-11-11T09:00:00Z", "keys": ["openai_model"], "git_expressible": false,
	}},
	{"op": "replace", "path": "/change/validations", "value": validations},
])

_trial := {"kind": "evaluation", "at": "2026-11-11T08:00:00Z", "result": "pass", "by": "carol"}

test_ai[note] if {
	some note, case in {
		"evaluated": [_prompt([_check, _evaluation]), "pass", []],
		"evaluated, files unread": [_missing(_checked([_check, _evaluation]), ["files"]), "pass", []],
		"not evaluated, files unread, and AI anyway": [_missing(_prompt([_check]), ["files"]), "fail", ["eval.missing"]],
		"not evaluated": [_prompt([_check]), "fail", ["eval.missing"]],
		"evaluation failed": [_prompt([_check, object.union(_evaluation, {"conclusion": "failure"})]), "fail", ["eval.missing", "test.failed"]],
		"evaluation skipped": [_prompt([_check, object.union(_evaluation, {"conclusion": "skipped"})]), "fail", ["eval.missing", "test.skipped"]],
		"an older prompt evaluated": [_required(_prompt([_check, object.union(_evaluation, {"sha": dossier.other})]), ["ci/test"]), "fail", ["eval.missing"]],
		"evaluated within the skew": [_prompt([_check, object.union(_evaluation, {"completed_at": "2026-11-10T11:02:00Z"})]), "pass", []],
		"evaluated a second later": [_prompt([_check, object.union(_evaluation, {"completed_at": "2026-11-10T11:02:01Z"})]), "fail", ["eval.missing", "test.after_deploy"]],
		"evaluated at no known time": [_required(_prompt([_check, object.remove(_evaluation, ["completed_at"])]), ["ci/test"]), "unknown", ["eval.missing"]],
		"evaluations unread": [_missing(_prompt([_check]), ["checks"]), "unknown", ["eval.missing", "test.missing"]],
		"tool files of developers": [dossier.put(dossier.normal, "/change/files/0/path", "AGENTS.md"), "not_applicable", []],
		"a model swapped elsewhere": [dossier.put(dossier.normal, "/change/files/0/effects", ["model_swap"]), "fail", ["eval.missing"]],
		"a model in the blueprint": [dossier.put(dossier.normal, "/change/files/0", {"path": "render.yaml", "patch": "       - key: OPENAI_MODEL\n-        value: a\n+        value: b"}), "fail", ["eval.missing"]],
		"a model in the dashboard, evaluated": [_model([_trial]), "pass", []],
		"a model in the dashboard, evaluated as it changed": [_model([object.union(_trial, {"at": "2026-11-11T09:00:00Z"})]), "pass", []],
		"a model in the dashboard, evaluated a second later": [_model([object.union(_trial, {"at": "2026-11-11T09:00:01Z"})]), "fail", ["eval.missing"]],
		"a model in the dashboard, evaluation failed": [_model([object.union(_trial, {"result": "fail"})]), "fail", ["eval.missing"]],
		"a model in the dashboard, evaluated at no known time": [_model([object.remove(_trial, ["at"])]), "unknown", ["eval.missing"]],
		"a model in the dashboard, changed at no known time": [dossier.without(_model([_trial]), "/change/event/at"), "unknown", ["eval.missing"]],
		"a model in the dashboard, not evaluated": [_model([]), "fail", ["eval.missing"]],
		"a model in the dashboard, evaluations unread": [dossier.unread(_model([]), "attestations"), "unknown", ["eval.missing"]],
	}
	dossier.says(_id, case[0], case[1], case[2])
}

test_settings[note] if {
	some note, case in {
		"a check demanded by the company": [dossier.normal, {"required": ["ci/e2e"]}, "fail"],
		"a check it has": [_also({"name": "ci/lint", "conclusion": "failure"}), {"required": ["ci/test"]}, "pass"],
		"our own verdict, which it does not ignore": [_also({"name": "Changevouch", "conclusion": "failure"}), {"ignored": []}, "pass"],
		"a check it ignores": [_also({"name": "ci/lint", "conclusion": "failure"}), {"ignored": ["ci/lint*"]}, "pass"],
		"a check it ignores, required": [_also({"name": "ci/lint", "conclusion": "failure", "required": true}), {"ignored": ["ci/lint*"]}, "pass"],
		"a check it ignores, required by the branch": [_required(dossier.normal, ["ci/test", "ci/lint"]), {"ignored": ["ci/lint*"]}, "pass"],
		"our own verdict": [_also({"name": "changevouch", "conclusion": "neutral", "required": true}), {}, "pass"],
		"our own verdict and no test": [_checked([object.union(_check, {"name": "changevouch"})]), {}, "fail"],
	}
	dossier.status(_id, case[0]) == case[2] with data.settings.checks as object.union(data.settings.checks, case[1])
}

test_order_does_not_matter if {
	checks := [_check, object.union(_check, {"name": "ci/lint", "conclusion": "failure"}), object.union(_check, {"name": "ci/lint", "completed_at": "2026-11-10T09:50:00Z"}), object.union(_check, {"name": "ci/e2e", "conclusion": "skipped"})]
	base := dossier.finding(_id, _checked(checks))
	base.reasons == ["test.skipped"]
	every turned in [array.reverse(checks), array.concat(checks, checks)] {
		dossier.finding(_id, _checked(turned)).message == base.message
	}
}
