package tests.lib_deployer

import data.lib.deployer
import data.tests.dossier

_run(changes) := dossier.put(dossier.without(dossier.normal, "/change/deployments/0"), "/change/deployments/0", object.union(dossier.normal.change.deployments[0], changes))

_persons(given) := persons if {
	persons := deployer.persons with input as given
}

_unresolved(given) := accounts if {
	accounts := deployer.unresolved with input as given
}

_agent := {"id": "pilot", "kind": "agent", "owner": "carol@acme.example", "registered": true, "accounts": {"render": ["key-1"]}}

test_persons[note] if {
	some note, case in {
		"who merged": [dossier.normal, {"alice"}],
		"who enqueued": [dossier.put(dossier.normal, "/change/pull_request/enqueued_by", "erin"), {"erin"}],
		"who pushed": [dossier.push, {"carol"}],
		"who pressed deploy": [_run({"trigger": "manual", "user": "bob@acme.example"}), {"bob"}],
		"who pressed deploy, not who merged": [_run({"user": "bob@acme.example"}), {"bob"}],
		"who deployed a service each": [dossier.put(_run({"user": "bob@acme.example"}), "/change/deployments/-", object.union(dossier.normal.change.deployments[0], {"service": "web"})), {"alice", "bob"}],
		"who deployed first": [dossier.put(dossier.normal, "/change/deployments/-", object.union(dossier.normal.change.deployments[0], {"live_at": "2026-11-12T00:00:00Z", "user": "bob@acme.example"})), {"alice"}],
		"nobody, for it failed": [json.patch(_run({"user": "bob@acme.example", "status": "build_failed"}), [{"op": "remove", "path": "/change/deployments/0/live_at"}]), set()],
		"nobody, for staging": [dossier.without(dossier.put(dossier.normal, "/change/deployments/1/user", "bob@acme.example"), "/change/deployments/0"), set()],
		"who merged, for a registered hook goes on from there": [_run({"trigger": "deploy_hook", "hook_registered": true}), {"alice"}],
		"nobody, for a hook": [_run({"trigger": "deploy_hook"}), set()],
		"nobody, for the platform": [_run({"trigger": "deployed_by_render"}), set()],
		"nobody, for the queue": [dossier.put(dossier.normal, "/change/pull_request/merged_by", "github-merge-queue[bot]"), set()],
		"the owner of an agent": [dossier.put(_run({"trigger": "api", "user": "key-1"}), "/people/-", _agent), {"carol"}],
		"who granted": [dossier.grant, {"alice"}],
		"who rolled back": [dossier.rollback, {"alice"}],
		"who rolled back, by the event": [dossier.put(dossier.without(dossier.rollback, "/change/deployments/0/user"), "/change/event", {"actor": "bob@acme.example"}), {"bob"}],
	}
	_persons(case[0]) == case[1]
}

test_unresolved[note] if {
	some note, case in {
		"nobody": [dossier.normal, set()],
		"a stranger": [_run({"user": "zoe@else.example"}), {"zoe@else.example"}],
		"the platform": [_run({"user": "render"}), set()],
		"nobody's agent": [dossier.put(_run({"user": "key-1"}), "/people/-", object.remove(_agent, ["owner"])), {"key-1"}],
		"somebody's agent": [dossier.put(_run({"user": "key-1"}), "/people/-", _agent), set()],
	}
	_unresolved(case[0]) == case[1]
}

test_anonymous[note] if {
	some note, case in {
		"a merge": [{}, 0],
		"a button": [{"trigger": "manual"}, 1],
		"a registered hook": [{"trigger": "deploy_hook", "hook_registered": true}, 0],
		"a hook": [{"trigger": "deploy_hook"}, 1],
		"the platform": [{"trigger": "service_resumed"}, 0],
		"nothing said": [{"trigger": "other"}, 1],
	}
	indexes := deployer.anonymous with input as _run(case[0])
	count(indexes) == case[1]
}

test_unrecorded if {
	deployer.unrecorded with input as dossier.without(dossier.grant, "/change/event/actor")
	deployer.unrecorded with input as dossier.without(dossier.rollback, "/change/deployments/0/user")
	not deployer.unrecorded with input as dossier.grant
	not deployer.unrecorded with input as dossier.normal
}
