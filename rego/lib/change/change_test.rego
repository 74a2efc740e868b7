package tests.lib_change

import data.lib.change
import data.lib.clock
import data.tests.dossier

_run(changes) := object.union({"id": "d", "commit": dossier.merge}, changes)

_is_production(run) if {
	change.is_production(run)
} else := false

test_production[note] if {
	some note, case in {
		"its kind": [{"environment_kind": "production", "environment": "preview"}, true],
		"its kind in short": [{"environment_kind": "prod"}, true],
		"its kind in capitals": [{"environment_kind": "Staging"}, false],
		"a preview": [{"environment_kind": "preview"}, false],
		"its name": [{"environment": "Production"}, true],
		"its name with a region": [{"environment": "prod-eu"}, true],
		"its name with a part": [{"environment": "Production – web"}, true],
		"a name that only contains one": [{"environment": "latest"}, true],
		"staging by name": [{"environment": "staging"}, false],
		"before production": [{"environment": "pre-production"}, false],
		"before production, in short": [{"environment": "preprod-eu"}, false],
		"a pull request's": [{"environment": "preview/pr-12"}, false],
		"the test of production": [{"environment": "production-test"}, true],
		"a name nobody knows": [{"environment": "blue"}, true],
		"nothing said": [{}, true],
	}
	_is_production(case[0]) == case[1]
}

_runs(runs) := dossier.put(dossier.normal, "/change/deployments", runs)

test_live[note] if {
	some note, case in {
		"with its time": [{"live_at": "2026-11-10T11:06:00Z"}, "live"],
		"by its status": [{"status": "live"}, "live"],
		"replaced since": [{"status": "deactivated"}, "live"],
		"failed": [{"status": "build_failed"}, "dead"],
		"cancelled": [{"status": "Canceled"}, "dead"],
		"under way": [{"status": "build_in_progress"}, "neither"],
		"put out of use, nobody knows when": [{"status": "inactive"}, "neither"],
		"nothing said": [{}, "neither"],
	}
	_fate(_runs([_run(case[0])])) == case[1]
}

_fate(given) := "live" if {
	count(change.live) == 1 with input as given
} else := "dead" if {
	count(change.dead) == 1 with input as given
} else := "neither"

test_first_live[note] if {
	some note, case in {
		"the earlier of one service": [[_run({"live_at": "2026-11-10T12:00:00Z"}), _run({"live_at": "2026-11-10T11:00:00Z"})], {1}],
		"one each of two services": [[_run({"service": "a", "live_at": "2026-11-10T12:00:00Z"}), _run({"service": "b", "live_at": "2026-11-10T11:00:00Z"})], {0, 1}],
		"of two at once the first listed": [[_run({"live_at": "2026-11-10T11:00:00Z"}), _run({"live_at": "2026-11-10T11:00:00Z"})], {0}],
		"one without a time may have been the first": [[_run({"live_at": "2026-11-10T11:00:00Z"}), _run({"status": "live"})], {1}],
		"one by when it started": [[_run({"live_at": "2026-11-10T11:00:00Z"}), _run({"status": "live", "started_at": "2026-11-10T10:59:00Z"})], {1}],
	}
	found := change.first_live with input as _runs(case[0])
	found == case[1]
}

test_effective_at[note] if {
	some note, case in {
		"live": [dossier.normal, "2026-11-10T11:06:00Z"],
		"live by status, since it started": [dossier.without(dossier.normal, "/change/deployments/0/live_at"), "2026-11-10T11:01:00Z"],
		"an event": [dossier.grant, "2026-11-11T09:00:00Z"],
		"an event that restarted a service": [dossier.put(dossier.grant, "/change/deployments", [_run({"live_at": "2026-11-11T08:00:00Z"})]), "2026-11-11T09:00:00Z"],
		"a rollback, once live": [dossier.rollback, "2026-11-12T14:01:00Z"],
		"a rollback, as recorded": [dossier.without(dossier.rollback, "/change/deployments"), "2026-11-12T14:00:00Z"],
		"not live": [dossier.without(dossier.normal, "/change/deployments"), "never"],
		"an event without a time": [dossier.without(dossier.grant, "/change/event/at"), "never"],
	}
	_effective(case[0]) == case[1]
}

_effective(given) := clock.text(at) if {
	at := change.effective_at with input as given
} else := "never"

test_effect_unread[note] if {
	some note, case in {
		"live": [dossier.normal, false],
		"not live": [dossier.without(dossier.normal, "/change/deployments"), false],
		"not live, deployments unread": [dossier.unread(dossier.without(dossier.normal, "/change/deployments"), "render"), true],
		"live at no time": [_runs([_run({"status": "live"})]), true],
		"an event": [dossier.grant, false],
		"an event without a time": [dossier.without(dossier.grant, "/change/event/at"), true],
		"a rollback without a time": [dossier.without(dossier.without(dossier.rollback, "/change/deployments"), "/change/rollback/at"), true],
	}
	_is_effect_unread(case[0]) == case[1]
}

_is_effect_unread(given) if {
	change.effect_unread with input as given
} else := false

_closed := json.patch(dossier.normal, [
	{"op": "remove", "path": "/change/pull_request/merged_at"},
	{"op": "remove", "path": "/change/pull_request/merged_by"},
	{"op": "remove", "path": "/change/deployments"},
])

test_is_open[note] if {
	some note, case in {
		"merged": [dossier.normal, false],
		"open": [_closed, true],
		"closed": [dossier.put(_closed, "/change/pull_request/closed_at", "2026-11-10T12:00:00Z"), false],
		"merged at no known time": [dossier.without(dossier.normal, "/change/pull_request/merged_at"), false],
		"deployed unmerged": [dossier.put(_closed, "/change/deployments", dossier.normal.change.deployments), false],
	}
	_is_open(case[0]) == case[1]
}

_is_open(given) if {
	change.is_open with input as given
} else := false

test_name[note] if {
	some note, case in {
		"a pull request": [dossier.normal, "pull request #412"],
		"a push": [dossier.push, "the push of 3942be5c"],
		"an event": [dossier.grant, "ChangeTeamMemberRoleEvent at 2026-11-11T09:00:00Z"],
		"an event without a time": [dossier.without(dossier.grant, "/change/event/at"), "ChangeTeamMemberRoleEvent at an unknown time"],
		"a rollback": [dossier.rollback, "the rollback to 72069b3a"],
		"a deployment": [dossier.without(dossier.push, "/change/push"), "the deployment of 3942be5c to api"],
		"the deployment of an image": [{"change": {"kind": "image_deploy", "deployments": [{"service": "api", "image": {"ref": "api:1"}}]}}, "the deployment of image api:1 to api"],
		"nothing but a kind": [{"change": {"kind": "manual_deploy"}}, "manual_deploy"],
		"nothing": [{}, "the change"],
	}
	name := change.name with input as case[0]
	name == case[1]
}

test_leading_name[note] if {
	some note, case in {
		"words": [dossier.normal, "Pull request #412"],
		"an article": [dossier.push, "The push of 3942be5c"],
		"an event keeps its spelling": [dossier.put(dossier.grant, "/change/event/type", "plan_changed"), "plan_changed at 2026-11-11T09:00:00Z"],
	}
	name := change.leading_name with input as case[0]
	name == case[1]
}

test_content[note] if {
	some note, case in {
		"as listed": [dossier.normal, {dossier.head, dossier.merge}],
		"head and merge": [dossier.put(dossier.without(dossier.normal, "/change/merged_content_shas"), "/change/merge_group", {"head_sha": "g"}), {dossier.head, dossier.merge, "g"}],
		"a push": [dossier.without(dossier.push, "/change/merged_content_shas"), {dossier.merge}],
	}
	shas := change.content_shas with input as case[0]
	shas == case[1]
}

test_in_flight[note] if {
	some note, case in {
		"long ago": [dossier.push, false],
		"at the end of the window": [dossier.put(dossier.push, "/evaluated_at", "2026-11-10T11:21:00Z"), true],
		"a second later": [dossier.put(dossier.push, "/evaluated_at", "2026-11-10T11:21:01Z"), false],
		"nothing has a time": [{"evaluated_at": "2026-11-10T11:21:01Z", "change": {"kind": "direct_push"}}, false],
	}
	_is_in_flight(case[0]) == case[1]
}

_is_in_flight(given) if {
	change.in_flight with input as given
} else := false
