package tests.cm_3_a

import data.tests.dossier

_id := "CM-3.A"

_update(changes) := dossier.put(dossier.standard, "/change/dependency_updates/0", object.union(dossier.standard.change.dependency_updates[0], changes))

_file(file) := dossier.put(dossier.standard, "/change/files/-", file)

_procedure(changes) := dossier.put(dossier.standard, "/change/procedure", object.union(dossier.standard.change.procedure, changes))

_declared(base, type) := dossier.put(base, "/change/declared", {"type": type})

# config: one setting in a blueprint.
_config(lines) := json.patch(dossier.standard, [
	{"op": "remove", "path": "/change/dependency_updates"},
	{"op": "replace", "path": "/change/procedure/id", "value": "STD-CONFIG"},
	{"op": "replace", "path": "/change/files", "value": [{"path": "render.yaml", "status": "modified", "patch": concat("\n", lines)}]},
])

_set(key, from, to) := _config(["@@ -1,3 +1,3 @@", " services:", $"-    {key}: {from}", $"+    {key}: {to}"])

_dashboard(event) := {
	"schema": "dossier/v1",
	"evaluated_at": "2026-11-20T09:00:00Z",
	"subject": {"type": "change", "id": "render:aud-7"},
	"sources": dossier.sources,
	"people": dossier.normal.people,
	"change": {
		"kind": "platform_config", "channel": "dashboard", "declared": {"type": "standard"},
		"event": object.union({"system": "render", "type": "UpdateEnvVarsEvent", "actor": "alice@acme.example", "at": "2026-11-11T09:00:00Z", "git_expressible": false}, event),
		"procedure": object.union(dossier.standard.change.procedure, {"id": "STD-CONFIG"}),
		"issue": dossier.grant.change.issue,
	},
}

test_status[note] if {
	some note, case in {
		"neither declared nor meant": [dossier.normal, "not_applicable", []],
		"an emergency": [dossier.emergency, "not_applicable", []],
		"declared nothing, a procedure fits": [dossier.without(dossier.put(dossier.standard, "/change/pull_request/labels", []), "/change/declared"), "pass", []],
		"declared normal, a procedure fits": [_declared(dossier.standard, "normal"), "not_applicable", []],
		"a patch release": [dossier.standard, "pass", []],
		"a minor release": [_update({"to": "4.18.0", "update": "minor"}), "pass", []],
		"a major release": [_update({"to": "5.0.0", "update": "major"}), "fail", ["std.major"]],
		"a major release called a patch": [_update({"to": "5.0.0", "update": "patch"}), "fail", ["std.major"]],
		"a minor release before 1.0": [_update({"from": "0.4.1", "to": "0.5.0", "update": "minor"}), "fail", ["std.major"]],
		"a patch before 1.0": [_update({"from": "0.4.1", "to": "0.4.2"}), "fail", ["std.major"]],
		"an update of no known kind": [_update({"update": "digest"}), "fail", ["std.major"]],
		"a kind of update that nobody names": [dossier.without(dossier.standard, "/change/dependency_updates/0/update"), "pass", []],
		"whole numbers": [_update({"from": "4", "to": "5", "update": "minor"}), "fail", ["std.major"]],
		"before 1.0, from nobody knows where": [dossier.put(dossier.standard, "/change/dependency_updates/0", {"name": "lodash", "to": "0.4.2", "update": "patch"}), "fail", ["std.major"]],
		"versions that nobody names": [dossier.put(dossier.standard, "/change/dependency_updates/0", {"name": "lodash", "update": "patch"}), "unknown", ["std.major"]],
		"no updates on record": [dossier.without(dossier.standard, "/change/dependency_updates"), "unknown", ["std.new_dependency"]],
		"a new package": [_update({"new": true}), "fail", ["std.new_dependency"]],
		"a package added": [_update({"update": "added"}), "fail", ["std.new_dependency"]],
		"another registry": [_update({"source_changed": true}), "fail", ["std.new_dependency"]],
		"an install script": [_update({"install_script": true}), "fail", ["std.new_dependency"]],
		"another host in the lockfile": [dossier.put(dossier.standard, "/change/files/1/patch", "-      \"resolved\": \"https://registry.npmjs.org/lodash.tgz\",\n+      \"resolved\": \"https://evil.example/lodash.tgz\","), "fail", ["std.new_dependency"]],
		"the same host in the lockfile": [dossier.put(dossier.standard, "/change/files/1/patch", "-      \"resolved\": \"https://registry.npmjs.org/a.tgz\",\n+      \"resolved\": \"https://registry.npmjs.org/b.tgz\","), "pass", []],
		"a script in the manifest": [dossier.put(dossier.standard, "/change/files/0/patch", "+    \"postinstall\": \"node x.js\","), "fail", ["std.new_dependency"]],
		"a payment package": [_update({"name": "stripe"}), "fail", ["std.sensitive_key"]],
		"an SDK of a language model": [_update({"name": "@anthropic-ai/sdk"}), "fail", ["std.sensitive_key"]],
		"code in a bump": [_file({"path": "src/export/paginate.py", "status": "modified"}), "fail", ["std.paths"]],
		"a workflow in a bump": [_file({"path": ".github/workflows/ci.yml", "status": "modified"}), "fail", ["std.paths", "std.risk"]],
		"files cut": [dossier.put(dossier.standard, "/change/files_truncated", true), "unknown", ["std.paths"]],
		"files unread": [dossier.put(dossier.standard, "/sources/github", {"status": "incomplete", "missing": ["files"]}), "unknown", ["std.paths"]],
		"a major release, though files unread": [dossier.put(_update({"to": "5.0.0", "update": "major"}), "/sources/github", {"status": "incomplete", "missing": ["files"]}), "fail", ["std.major"]],
		"no files on record": [dossier.without(dossier.standard, "/change/files"), "unknown", ["std.paths"]],
		"not registered": [dossier.without(dossier.standard, "/change/procedure"), "fail", ["std.template_expired"]],
		"never approved": [dossier.without(dossier.standard, "/change/procedure/approved_by"), "fail", ["std.template_expired"]],
		"approved at no known time": [dossier.without(dossier.standard, "/change/procedure/approved_at"), "fail", ["std.template_expired"]],
		"lapsed a second before the merge": [_procedure({"approved_until": "2026-11-10T10:59:59Z"}), "fail", ["std.template_expired"]],
		"lapsing at the merge": [_procedure({"approved_until": "2026-11-10T11:00:00Z"}), "pass", []],
		"approved at the merge": [_procedure({"approved_at": "2026-11-10T11:00:00Z"}), "pass", []],
		"approved a second later": [_procedure({"approved_at": "2026-11-10T11:00:01Z"}), "fail", ["std.template_expired"]],
		"approved without an end": [dossier.without(dossier.standard, "/change/procedure/approved_until"), "pass", []],
		"approved long ago without an end": [dossier.without(_procedure({"approved_at": "2025-11-09T10:59:59Z"}), "/change/procedure/approved_until"), "fail", ["std.template_expired"]],
		"approved for too long": [_procedure({"approved_at": "2024-01-02T10:00:00Z", "approved_until": "2029-01-02T10:00:00Z"}), "fail", ["std.template_expired"]],
		"a procedure nobody knows": [_procedure({"id": "STD-ANY"}), "fail", ["std.paths"]],
		"high risk": [dossier.put(dossier.standard, "/change/declared/risk", "high"), "fail", ["std.risk"]],
		"medium risk": [dossier.put(dossier.standard, "/change/declared/risk", "medium"), "fail", ["std.risk"]],
		"high risk, though updates are not on record": [dossier.put(dossier.without(dossier.standard, "/change/dependency_updates"), "/change/declared/risk", "high"), "fail", ["std.risk"]],
		"a setting within bounds": [_set("numInstances", "2", "3"), "pass", []],
		"a setting at its bound": [_set("numInstances", "2", "10"), "pass", []],
		"a setting outside its bounds": [_set("numInstances", "2", "11"), "fail", ["std.bounds"]],
		"a setting of words": [_set("LOG_LEVEL", "info", "DEBUG"), "pass", []],
		"a setting of no such word": [_set("LOG_LEVEL", "info", "everything"), "fail", ["std.bounds"]],
		"a number that is none": [_set("timeout", "10", "1e9"), "fail", ["std.bounds"]],
		"a setting nobody allowed": [_set("plan", "starter", "pro"), "fail", ["std.bounds"]],
		"a setting of access": [_set("cors_origins", "a", "b"), "fail", ["std.sensitive_key"]],
		"a line that sets nothing": [_config(["+    - one", "+    numInstances: 3"]), "fail", ["std.bounds"]],
		"only a comment": [_config(["+    # more instances later"]), "unknown", ["std.bounds"]],
		"no patch": [dossier.put(_set("numInstances", "2", "3"), "/change/files/0", {"path": "render.yaml", "status": "modified"}), "unknown", ["std.bounds"]],
		"code beside the setting": [dossier.put(_set("numInstances", "2", "3"), "/change/files/-", {"path": "src/a.py", "patch": "+x = 1"}), "fail", ["std.bounds", "std.paths"]],
		"a key in the dashboard": [_dashboard({"keys": ["LOG_LEVEL"], "after": "debug"}), "pass", []],
		"a number in the dashboard": [_dashboard({"keys": ["WEB_CONCURRENCY"], "after": 4}), "pass", []],
		"a key in the dashboard, set to nobody knows what": [_dashboard({"keys": ["LOG_LEVEL"]}), "fail", ["std.bounds"]],
		"a secret in the dashboard": [_dashboard({"keys": ["STRIPE_SECRET"], "after": "x"}), "fail", ["std.sensitive_key"]],
		"no key in the dashboard": [_dashboard({"type": "plan_changed"}), "unknown", ["std.bounds"]],
		"a rollback": [dossier.rollback, "pass", []],
		"a rollback to what was not reviewed": [_declared(dossier.put(dossier.rollback, "/change/rollback/target_review", "non_compliant"), "standard"), "fail", ["std.risk"]],
		"a rollback to what was never live": [_declared(dossier.put(dossier.rollback, "/change/rollback/previously_live", false), "standard"), "fail", ["std.paths"]],
		"a rollback across an irreversible migration": [_declared(dossier.put(dossier.rollback, "/change/rollback/irreversible_migration", true), "standard"), "fail", ["std.risk"]],
		"a rollback of unknown review": [_declared(dossier.without(dossier.rollback, "/change/rollback/target_review"), "standard"), "unknown", ["std.risk"]],
		"a rollback to a build of unknown past": [_declared(dossier.without(dossier.rollback, "/change/rollback/previously_live"), "standard"), "unknown", ["std.paths"]],
		"a pull request that calls itself a rollback": [_procedure({"id": "STD-ROLLBACK"}), "fail", ["std.paths"]],
		"waived": [dossier.waived(_update({"new": true}), _id, {}), "waived", ["std.new_dependency"]],
		"waived too late": [dossier.waived(_update({"new": true}), _id, {"approved_at": "2026-11-10T11:00:01Z"}), "fail", ["std.new_dependency", "waiver.late"]],
	}
	dossier.says(_id, case[0], case[1], case[2])
}

test_order_does_not_matter if {
	base := dossier.put(_update({"new": true}), "/change/dependency_updates/-", {"name": "left-pad", "from": "1.0.0", "to": "2.0.0", "update": "major"})
	turned := dossier.put(base, "/change/dependency_updates", array.reverse(base.change.dependency_updates))
	doubled := dossier.put(base, "/change/dependency_updates", array.concat(base.change.dependency_updates, base.change.dependency_updates))
	every other in [turned, doubled] {
		dossier.finding(_id, base).message == dossier.finding(_id, other).message
	}
}
