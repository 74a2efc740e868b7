package tests.cm_4_d_1

import data.tests.dossier

_id := "CM-4.D.1"

_run(changes) := dossier.put(dossier.without(dossier.normal, "/change/deployments/0"), "/change/deployments/-", object.union(dossier.normal.change.deployments[0], changes))

_unsaid(field) := dossier.without(dossier.normal, $"/change/deployments/0/{field}")

_image(changes) := dossier.put(_run({"image": object.union({"ref": "ghcr.io/acme/api:1.4"}, changes)}), "/change/kind", "image_deploy")

test_status[note] if {
	some note, case in {
		"under way": [json.patch(dossier.normal, [{"op": "remove", "path": "/change/deployments/0/live_at"}, {"op": "replace", "path": "/change/deployments/0/status", "value": "update_in_progress"}]), "pending", ["dep.underway"]],
		"by the merge": [dossier.normal, "pass", []],
		"by the blueprint": [_run({"trigger": "blueprint_sync"}), "pass", []],
		"by hand, from the branch": [_run({"trigger": "manual", "user": "alice@acme.example"}), "pass", []],
		"by hand, off the branch": [_run({"trigger": "manual", "user": "alice@acme.example", "on_protected_branch": false}), "fail", ["dep.off_branch"]],
		"off the branch": [_run({"on_protected_branch": false}), "fail", ["dep.off_branch"]],
		"another off the branch that failed": [dossier.put(dossier.normal, "/change/deployments/-", {"service": "web", "environment": "production", "commit": dossier.other, "on_protected_branch": false, "status": "build_failed", "started_at": "2026-11-10T12:00:00Z"}), "pass", []],
		"off the branch, replaced since": [json.patch(_run({"on_protected_branch": false, "status": "deactivated"}), [{"op": "remove", "path": "/change/deployments/1/live_at"}]), "fail", ["dep.off_branch"]],
		"off the branch, deployments unread": [dossier.unread(_run({"on_protected_branch": false}), "render"), "fail", ["dep.off_branch"]],
		"the branch not on record": [_unsaid("on_protected_branch"), "unknown", ["dep.off_branch"]],
		"a platform that redeploys": [_run({"trigger": "deployed_by_render"}), "pass", []],
		"a rollback of the platform": [_run({"trigger": "rollback", "user": "alice@acme.example"}), "pass", []],
		"a registered hook": [_run({"trigger": "deploy_hook", "hook_registered": true}), "pass", []],
		"a hook nobody registered": [_run({"trigger": "deploy_hook", "hook_registered": false}), "unknown", ["dep.unknown_trigger"]],
		"a hook of which nobody says": [_run({"trigger": "deploy_hook"}), "unknown", ["dep.unknown_trigger"]],
		"a call by somebody": [_run({"trigger": "api", "user": "alice@acme.example"}), "pass", []],
		"a call by nobody": [_run({"trigger": "rest_api"}), "unknown", ["dep.unknown_trigger"]],
		"another trigger": [_run({"trigger": "other"}), "unknown", ["dep.unknown_trigger"]],
		"no trigger": [_unsaid("trigger"), "unknown", ["dep.unknown_trigger"]],
		"no trigger, off the branch": [json.patch(_unsaid("trigger"), [{"op": "replace", "path": "/change/deployments/0/on_protected_branch", "value": false}]), "fail", ["dep.off_branch"]],
		"no commit, no times": [json.patch(_unsaid("commit"), [{"op": "replace", "path": "/change/deployments/0/on_protected_branch", "value": false}, {"op": "remove", "path": "/change/deployments/0/started_at"}, {"op": "remove", "path": "/change/deployments/0/live_at"}]), "fail", ["dep.off_branch"]],
		"one of two off the branch": [dossier.put(dossier.normal, "/change/deployments/-", object.union(dossier.normal.change.deployments[0], {"service": "web", "on_protected_branch": false})), "fail", ["dep.off_branch"]],
		"a preview off the branch": [dossier.put(dossier.normal, "/change/deployments/-", {"environment": "pr-1", "environment_kind": "preview", "on_protected_branch": false, "live_at": "2026-11-10T10:00:00Z"}), "pass", []],
		"deployments unread": [dossier.unread(dossier.normal, "render"), "unknown", ["dep.unknown_trigger"]],
		"users unread": [dossier.put(dossier.normal, "/sources/render", {"status": "incomplete", "missing": ["users"]}), "pass", []],
		"nothing deployed": [dossier.without(dossier.normal, "/change/deployments"), "not_applicable", []],
		"nothing deployed, deployments unread": [dossier.unread(dossier.without(dossier.normal, "/change/deployments"), "render"), "unknown", ["dep.unknown_trigger"]],
		"an image with provenance": [_image({"provenance": {"commit": dossier.merge}}), "pass", []],
		"an image without": [_image({}), "fail", ["dep.no_provenance"]],
		"an image without, repository unread": [dossier.unread(_image({}), "github"), "unknown", ["dep.no_provenance"]],
		"an image whose provenance failed": [_image({"provenance": {"commit": dossier.merge, "verified": false}}), "fail", ["dep.no_provenance"]],
		"an image in place of a commit": [dossier.without(_run({"image": {"ref": "x"}}), "/change/deployments/1/commit"), "fail", ["dep.no_provenance"]],
		"a push": [dossier.push, "pass", []],
		"an emergency": [dossier.emergency, "pass", []],
		"a grant": [dossier.grant, "not_applicable", []],
		"a rollback": [dossier.rollback, "pass", []],
		"a rollback, the branch not on record": [dossier.without(dossier.rollback, "/change/deployments/0/on_protected_branch"), "pass", []],
		"waived by its alias": [dossier.waived(_run({"on_protected_branch": false}), "CM-3.B.3", {}), "waived", ["dep.off_branch"]],
	}
	dossier.says(_id, case[0], case[1], case[2])
}

test_names_who_and_what if {
	found := dossier.finding(_id, _run({"trigger": "manual", "user": "alice@acme.example", "on_protected_branch": false}))
	found.message == "alice@acme.example deployed 3942be5c to production at 2026-11-10T11:01:00Z, which is not on the protected branch."
	found.decisive_at == "2026-11-10T11:01:00Z"
}

test_observation if {
	{"dep.manual"} == {note.reason | some note in data.controls.cm_4_d_1.observations} with input as _run({"trigger": "manual", "user": "alice@acme.example"})
	count(data.controls.cm_4_d_1.observations) == 0 with input as dossier.normal
}

test_order_does_not_matter if {
	deployments := array.concat(dossier.normal.change.deployments, [object.union(dossier.normal.change.deployments[0], {"service": "web", "on_protected_branch": false})])
	base := dossier.finding(_id, dossier.put(dossier.normal, "/change/deployments", deployments))
	every turned in [array.reverse(deployments), array.concat(deployments, deployments)] {
		dossier.finding(_id, dossier.put(dossier.normal, "/change/deployments", turned)).message == base.message
	}
}
