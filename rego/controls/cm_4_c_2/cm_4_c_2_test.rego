package tests.cm_4_c_2

import data.tests.dossier

_id := "CM-4.C.2"

_staging(changes) := dossier.put(dossier.without(dossier.normal, "/change/deployments/1"), "/change/deployments/-", object.union(dossier.normal.change.deployments[1], changes))

_unsaid(field) := dossier.without(dossier.normal, $"/change/deployments/1/{field}")

_unstaged := dossier.without(dossier.normal, "/change/deployments/1")

_unproduced := dossier.without(dossier.normal, "/change/deployments/0")

_startless(base) := dossier.without(base, "/change/deployments/0/started_at")

_at(base, now) := dossier.put(base, "/evaluated_at", now)

# Production started at 11:01:00. Both are the platform's own times.
test_status[note] if {
	some note, case in {
		"staged": [dossier.normal, "pass", []],
		"staged as production started": [_staging({"live_at": "2026-11-10T11:01:00Z"}), "pass", []],
		"staged a second later": [_staging({"live_at": "2026-11-10T11:01:01Z"}), "fail", ["stg.late"]],
		"staged there, by another offset": [_staging({"live_at": "2026-11-10T12:01:00+01:00"}), "pass", []],
		"the merge commit staged": [_staging({"commit": dossier.merge}), "pass", []],
		"a preview": [_staging({"environment": "pr-412", "environment_kind": "preview"}), "pass", []],
		"an environment by its name": [object.union(_unstaged, {"change": {"deployments": array.concat(_unstaged.change.deployments, [{"environment": "Staging EU", "commit": dossier.head, "live_at": "2026-11-10T10:00:00Z"}])}}), "pass", []],
		"another production": [_staging({"environment": "production-eu", "environment_kind": "production", "service": "web"}), "fail", ["stg.missing"]],
		"another commit staged": [_staging({"commit": dossier.other}), "fail", ["stg.other_revision"]],
		"nothing staged": [_unstaged, "fail", ["stg.missing"]],
		"nothing staged, deployments unread": [dossier.unread(_unstaged, "render"), "unknown", ["stg.missing"]],
		"nothing staged, events unread": [dossier.put(_unstaged, "/sources/render", {"status": "incomplete", "missing": ["events"]}), "fail", ["stg.missing"]],
		"staged, deployments unread": [dossier.unread(dossier.normal, "render"), "pass", []],
		"staging failed": [json.patch(_unsaid("live_at"), [{"op": "replace", "path": "/change/deployments/1/status", "value": "build_failed"}]), "fail", ["stg.missing"]],
		"staged at no known time": [_unsaid("live_at"), "unknown", ["stg.late"]],
		"staged without a known commit": [_unsaid("commit"), "unknown", ["stg.late"]],
		"start not on record": [_startless(dossier.normal), "unknown", ["stg.late"]],
		"start not on record, staged after it was live": [_startless(_staging({"live_at": "2026-11-10T11:06:01Z"})), "fail", ["stg.late"]],
		"live at no known time": [dossier.without(_startless(dossier.normal), "/change/deployments/0/live_at"), "unknown", ["stg.late"]],
		"live at no known time, staged after the merge": [dossier.put(dossier.without(_startless(dossier.normal), "/change/deployments/0/live_at"), "/change/deployments/1/live_at", "2026-11-10T11:00:01Z"), "unknown", ["stg.late"]],
		"a push a moment ago": [_at(dossier.push, "2026-11-10T11:21:00Z"), "pending", ["stg.missing"]],
		"not in production, evaluated at once": [_at(_unproduced, "2026-11-10T11:10:00Z"), "pass", []],
		"not deployed at all": [dossier.without(dossier.normal, "/change/deployments"), "pending", ["stg.missing"]],
		"production unread, staged before the merge": [dossier.unread(_unproduced, "render"), "pass", []],
		"production unread, staged after the merge": [dossier.unread(dossier.put(_unproduced, "/change/deployments/0/live_at", "2026-11-10T11:00:01Z"), "render"), "unknown", ["stg.missing"]],
		"a push": [dossier.push, "fail", ["stg.missing"]],
		"a push, its commit staged": [dossier.put(dossier.push, "/change/deployments/-", {"environment": "staging", "environment_kind": "staging", "commit": dossier.merge, "live_at": "2026-11-10T11:00:30Z"}), "pass", []],
		"only documents": [dossier.put(_unstaged, "/change/files/0/path", "docs/export.md"), "not_applicable", []],
		"only a workflow": [dossier.put(dossier.without(_unstaged, "/change/deployments"), "/change/files/0/path", ".github/workflows/ci.yml"), "not_applicable", []],
		"a workflow that moved out of code": [dossier.put(dossier.without(_unstaged, "/change/deployments"), "/change/files/0", {"path": ".github/workflows/ci.yml", "previous_path": "src/ci.py"}), "pending", ["stg.missing"]],
		"an image": [dossier.put(_unstaged, "/change/kind", "image_deploy"), "not_applicable", []],
		"a standard change": [dossier.without(dossier.standard, "/change/deployments/1"), "not_applicable", []],
		"called standard, and none": [dossier.put(dossier.without(dossier.standard, "/change/deployments/1"), "/change/dependency_updates/0/to", "5.0.0"), "fail", ["stg.missing"]],
		"an emergency": [dossier.emergency, "not_applicable", []],
		"an emergency without a trigger": [dossier.without(dossier.emergency, "/change/emergency_trigger"), "fail", ["stg.missing"]],
		"a grant": [dossier.grant, "not_applicable", []],
		"a rollback": [dossier.rollback, "not_applicable", []],
		"a rollback to what was not reviewed": [dossier.put(dossier.rollback, "/change/rollback/target_review", "failed"), "not_applicable", []],
		"waived": [dossier.waived(_unstaged, _id, {}), "waived", ["stg.missing"]],
		"waived from the deployment on": [dossier.waived(_unstaged, _id, {"approved_at": "2026-11-10T11:01:00Z"}), "waived", ["stg.missing"]],
		"waived a second later": [dossier.waived(_unstaged, _id, {"approved_at": "2026-11-10T11:01:01Z"}), "fail", ["stg.missing", "waiver.late"]],
	}
	dossier.says(_id, case[0], case[1], case[2])
}

test_order_does_not_matter if {
	deployments := array.concat(dossier.normal.change.deployments, [{"environment": "staging", "environment_kind": "staging", "commit": dossier.other, "live_at": "2026-11-10T10:30:00Z"}])
	base := dossier.finding(_id, dossier.put(dossier.normal, "/change/deployments", deployments))
	base.status == "pass"
	every turned in [array.reverse(deployments), array.concat(deployments, deployments)] {
		dossier.finding(_id, dossier.put(dossier.normal, "/change/deployments", turned)).message == base.message
	}
}
