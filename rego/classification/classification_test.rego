package tests.classification

import data.classification
import data.tests.dossier

_files(base, files) := dossier.put(base, "/change/files", files)

_declared(base, type) := dossier.put(base, "/change/declared", {"type": type})

_labelled(base, labels) := json.patch(base, [
	{"op": "replace", "path": "/change/declared", "value": {}},
	{"op": "replace", "path": "/change/pull_request/labels", "value": labels},
])

_runs(runs) := dossier.put(dossier.normal, "/change/deployments", runs)

_production := dossier.normal.change.deployments[0]

_staging := dossier.normal.change.deployments[1]

_failed := object.union(object.remove(_production, ["live_at"]), {"status": "build_failed"})

_at(base, now) := dossier.put(base, "/evaluated_at", now)

_unread(base, missing) := dossier.put(base, "/sources/render", {"status": "incomplete", "missing": missing})

_documents := _files(dossier.without(dossier.normal, "/change/deployments"), [{"path": "docs/a.md"}])

_workflow(base) := _files(base, [{"path": ".github/workflows/ci.yml"}])

_unmerged(base) := json.patch(base, [
	{"op": "remove", "path": "/change/pull_request/merged_at"},
	{"op": "remove", "path": "/change/pull_request/merged_by"},
])

_redeploy(changes) := json.patch(_runs([object.union(_production, changes)]), [{"op": "replace", "path": "/change/kind", "value": "manual_deploy"}])

_event(event) := json.patch(dossier.grant, [{"op": "replace", "path": "/change/kind", "value": "platform_config"}, {"op": "replace", "path": "/change/event", "value": event}])

_place(name) := dossier.put(dossier.grant, "/change/environment", name)

test_type[note] if {
	some note, case in {
		"a pull request": [dossier.normal, "normal"],
		"a push": [dossier.push, "normal"],
		"a grant": [dossier.grant, "normal"],
		"an emergency": [dossier.emergency, "emergency"],
		"an emergency by label": [_labelled(dossier.emergency, ["change:emergency"]), "emergency"],
		"an emergency without a trigger": [dossier.without(dossier.emergency, "/change/emergency_trigger"), "normal"],
		"an emergency, trigger pending": [_at(dossier.without(dossier.emergency, "/change/emergency_trigger"), "2026-11-10T12:00:00Z"), "emergency"],
		"an emergency, tracker unread": [dossier.unread(dossier.without(dossier.emergency, "/change/emergency_trigger"), "issues"), "emergency"],
		"in the middle of an incident": [dossier.put(dossier.normal, "/change/emergency_trigger", dossier.emergency.change.emergency_trigger), "normal"],
		"standard": [dossier.standard, "standard"],
		"standard, though nobody said so": [_labelled(dossier.standard, []), "standard"],
		"standard, said in another word": [_declared(dossier.standard, "routine"), "standard"],
		"normal by claim": [_declared(dossier.standard, "normal"), "normal"],
		"normal by label": [_labelled(dossier.standard, ["change:normal", "change:standard"]), "normal"],
		"called standard and no such thing": [_declared(dossier.normal, "standard"), "normal"],
		"standard, lapsed": [dossier.put(dossier.standard, "/change/procedure/approved_until", "2026-11-10T10:59:59Z"), "normal"],
		"standard, risky by claim": [dossier.put(dossier.standard, "/change/declared/risk", "medium"), "normal"],
		"standard, not registered": [dossier.without(dossier.standard, "/change/procedure"), "normal"],
		"a rollback": [dossier.rollback, "standard"],
		"a rollback to what was not reviewed": [dossier.put(dossier.rollback, "/change/rollback/target_review", "failed"), "normal"],
		"a rollback of unknown review": [dossier.without(dossier.rollback, "/change/rollback/target_review"), "normal"],
		"only previews": [_runs([_staging]), "out_of_scope"],
		"only previews, deployments unread": [_unread(_runs([_staging]), ["deploys"]), "normal"],
		"only previews, events unread": [_unread(_runs([_staging]), ["events"]), "out_of_scope"],
		"only previews, merged a moment ago": [_at(_runs([_staging]), "2026-11-10T11:15:00Z"), "normal"],
		"only previews, a second later": [_at(_runs([_staging]), "2026-11-10T11:15:01Z"), "out_of_scope"],
		"only previews, merged at no known time": [dossier.without(_runs([_staging]), "/change/pull_request/merged_at"), "normal"],
		"only previews of an open one": [_unmerged(_runs([_staging])), "normal"],
		"only previews of a workflow": [_workflow(_runs([_staging])), "normal"],
		"a failed build": [_runs([_failed]), "out_of_scope"],
		"a failed build of a workflow": [_workflow(_runs([_failed])), "normal"],
		"a failed build of an open pull request": [_unmerged(_workflow(_runs([_failed]))), "normal"],
		"a failed build, deployments unread": [_unread(_runs([_failed]), ["deploys"]), "normal"],
		"a failed and a good build": [_runs([_failed, _production]), "normal"],
		"a build under way": [_runs([object.union(_failed, {"status": "build_in_progress"})]), "normal"],
		"a build put out of use": [_runs([object.union(_failed, {"status": "inactive"})]), "normal"],
		"documents": [_documents, "out_of_scope"],
		"documents, deployed": [_files(dossier.normal, [{"path": "docs/a.md"}]), "normal"],
		"documents, files unread": [dossier.put(_documents, "/change/files_truncated", true), "normal"],
		"documents, deployments unread": [dossier.unread(_documents, "render"), "normal"],
		"a prompt": [_files(_documents, [{"path": "prompts/a.md"}]), "normal"],
		"a document that an analyser warns of": [_files(_documents, [{"path": "docs/a.md", "effects": ["tls"]}]), "normal"],
		"closed": [dossier.put(dossier.without(_unmerged(dossier.normal), "/change/deployments"), "/change/pull_request/closed_at", "2026-11-10T12:00:00Z"), "out_of_scope"],
		"closed, yet live": [dossier.put(_unmerged(dossier.normal), "/change/pull_request/closed_at", "2026-11-10T12:00:00Z"), "normal"],
		"the platform deploys again": [_redeploy({"trigger": "deployed_by_render"}), "out_of_scope"],
		"the platform deploys another commit": [_redeploy({"trigger": "deployed_by_render", "previous_live_commit": dossier.other}), "normal"],
		"a service resumed with the same": [_redeploy({"trigger": "service_resumed", "previous_live_commit": dossier.merge}), "out_of_scope"],
		"a service resumed with nobody knows what": [_redeploy({"trigger": "service_resumed"}), "normal"],
		"somebody deploys again": [_redeploy({"trigger": "manual", "previous_live_commit": dossier.merge}), "normal"],
		"a merge that the platform deployed": [_runs([object.union(_production, {"trigger": "deployed_by_render"})]), "normal"],
		"a grant in staging": [_place("staging"), "out_of_scope"],
		"a grant in a preview": [_place("preview/pr-12"), "out_of_scope"],
		"a grant in production": [_place("Production EU"), "normal"],
		"a grant somewhere": [_place("latest"), "normal"],
		"a grant nobody says where": [dossier.without(dossier.grant, "/change/environment"), "normal"],
		"scaling by itself": [_event({"type": "autoscaling_started", "at": "2026-11-11T09:00:00Z"}), "out_of_scope"],
		"scaling by somebody": [_event({"type": "autoscaling_config_changed", "at": "2026-11-11T09:00:00Z"}), "normal"],
		"a shell": [_event({"type": "StartShellEvent", "at": "2026-11-11T09:00:00Z"}), "out_of_scope"],
		"a shell in which something was done": [_event({"type": "StartShellEvent", "at": "2026-11-11T09:00:00Z", "effects": ["ddl"]}), "normal"],
		"a shell of which something is told": [_event({"type": "StartShellEvent", "at": "2026-11-11T09:00:00Z", "detail": "rm"}), "normal"],
	}
	type := classification.type with input as case[0]
	type == case[1]
}

test_reasons[note] if {
	some note, case in {
		"normal": [dossier.normal, ["neither standard nor an emergency"]],
		"emergency": [dossier.emergency, ["declared an emergency; trigger: pass"]],
		"standard": [dossier.standard, ["meets procedure STD-DEP"]],
		"called standard": [dossier.put(dossier.standard, "/change/dependency_updates/0/to", "5.0.0"), ["declared standard, but lodash goes from 4.17.20 to 5.0.0: a major version", "declared standard, but the risk is medium"]],
		"called standard, lapsed": [dossier.put(dossier.standard, "/change/procedure/approved_until", "2026-11-10T10:59:59Z"), ["declared standard, but the pre-approval of procedure STD-DEP lapsed at 2026-11-10T10:59:59Z"]],
		"called standard, unread": [dossier.put(dossier.standard, "/change/files_truncated", true), ["declared standard, but the list of changed files is not complete", "declared standard, but the risk is medium"]],
		"out of scope": [_documents, ["only files that are not deployed changed, and nothing was deployed"]],
	}
	document := classification.document with input as case[0]
	document.reasons == case[1]
}

test_document if {
	pending := classification.document with input as _at(dossier.without(dossier.emergency, "/change/emergency_trigger"), "2026-11-10T12:00:00Z")
	pending.provisional == true
	pending.declared == "emergency"
	settled := classification.document with input as dossier.emergency
	not settled.provisional
	silent := classification.document with input as _labelled(dossier.normal, [])
	not silent.declared
	outside := classification.document with input as _documents
	outside.scopes == []
}
