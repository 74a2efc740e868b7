package tests.cm_7_1

import data.tests.dossier

_id := "CM-7.1"

_pull := "/change/pull_request"

_approval := dossier.normal.change.pull_request.reviews[0]

# risky: a destructive migration that Bob approved and Alice merged.
_risky := dossier.put(dossier.normal, "/change/files", [{"path": "migrations/0042_drop.sql", "status": "added", "effects": ["destructive_migration"]}])

_by(users) := dossier.put(_risky, $"{_pull}/reviews", [object.union(_approval, {"user": user}) | some user in users])

_deployed(base, changes) := dossier.put(dossier.without(base, "/change/deployments/0"), "/change/deployments/-", object.union(base.change.deployments[0], changes))

_pressed(base, user) := _deployed(base, {"trigger": "manual", "user": user})

_merged_by(base, account) := dossier.put(base, $"{_pull}/merged_by", account)

_missing(base, facts) := dossier.put(base, "/sources/github", {"status": "incomplete", "missing": facts})

_at(base, now) := dossier.put(base, "/evaluated_at", now)

_request(approvals) := dossier.put(dossier.grant, "/change/issue/approvals", approvals)

_agent := {"id": "pilot", "kind": "agent", "owner": "bob", "registered": true, "accounts": {"render": ["key-1"]}}

_second := object.union(dossier.normal.change.deployments[0], {"id": "dep-w", "service": "web", "trigger": "manual", "user": "bob@acme.example", "started_at": "2026-11-10T12:00:00Z", "live_at": "2026-11-10T12:05:00Z"})

# Nothing of it is deployed: it rules from the merge on.
_workflow := dossier.put(dossier.put(dossier.normal, "/change/files", [{"path": ".github/workflows/ci.yml", "status": "modified"}]), "/change/deployments", [])

_blank := json.patch(dossier.grant, [
	{"op": "replace", "path": "/change/kind", "value": "platform_config"},
	{"op": "replace", "path": "/change/issue/approvals", "value": []},
	{"op": "replace", "path": "/change/event", "value": {"system": "render", "actor": "alice@acme.example", "at": "2026-11-11T09:00:00Z"}},
])

test_status[note] if {
	some note, case in {
		"a workflow, merged by its sole approver": [_merged_by(_workflow, "bob"), "fail", ["sod.sole_approver_deployed"]],
		"a workflow, merged by its author": [_workflow, "pass", []],
		"an event of which nothing is known": [_blank, "unknown", ["sod.risk_unknown"]],
		"an event that says what it was": [dossier.put(_blank, "/change/event/type", "plan_changed"), "not_applicable", []],
		"not risky": [dossier.normal, "not_applicable", []],
		"one approved, another merged": [_risky, "pass", []],
		"risky by claim": [dossier.put(dossier.normal, "/change/declared/risk", "high"), "pass", []],
		"risky by label": [dossier.put(_merged_by(dossier.normal, "bob"), $"{_pull}/labels", ["risk:high"]), "fail", ["sod.sole_approver_deployed"]],
		"the sole approver merged": [_merged_by(_risky, "bob"), "fail", ["sod.sole_approver_deployed"]],
		"the sole approver enqueued": [dossier.put(_merged_by(_risky, "github-merge-queue[bot]"), $"{_pull}/enqueued_by", "bob"), "fail", ["sod.sole_approver_deployed"]],
		"the queue merged, for nobody known": [_merged_by(_risky, "github-merge-queue[bot]"), "unknown", ["sod.deployer_unknown"]],
		"the queue merged, for nobody known, after two approvals": [_merged_by(_by(["bob", "carol"]), "github-merge-queue[bot]"), "pass", []],
		"the sole approver pressed deploy": [_pressed(_risky, "bob@acme.example"), "fail", ["sod.sole_approver_deployed"]],
		"the sole approver merged, the author deployed": [_pressed(_merged_by(_risky, "bob"), "alice@acme.example"), "pass", []],
		"two approved, one of them deployed": [_pressed(_by(["bob", "carol"]), "bob@acme.example"), "pass", []],
		"the author deployed": [_pressed(_risky, "alice@acme.example"), "pass", []],
		"the approver deployed one of two services": [dossier.put(_risky, "/change/deployments/-", _second), "fail", ["sod.sole_approver_deployed"]],
		"a third person deployed": [_pressed(_risky, "erin@acme.example"), "pass", []],
		"nobody approved": [_by([]), "fail", ["sod.no_approver"]],
		"the author approved": [_by(["alice"]), "fail", ["sod.self"]],
		"a co-author approved": [dossier.put(_risky, $"{_pull}/commits/0/co_authors", ["bob"]), "fail", ["sod.self"]],
		"approved after the merge": [dossier.put(_risky, $"{_pull}/reviews/0/submitted_at", "2026-11-10T11:00:01Z"), "fail", ["sod.no_approver"]],
		"deployed by nobody on record": [_deployed(_risky, {"trigger": "manual"}), "unknown", ["sod.deployer_unknown"]],
		"deployed by nobody on record, after two approvals": [_deployed(_by(["bob", "carol"]), {"trigger": "manual"}), "pass", []],
		"deployed by nobody on record, and nobody approved": [_deployed(_by([]), {"trigger": "manual"}), "fail", ["sod.no_approver"]],
		"deployed by an unregistered hook": [_deployed(_risky, {"trigger": "deploy_hook"}), "unknown", ["sod.deployer_unknown"]],
		"deployed by a registered hook": [_deployed(_risky, {"trigger": "deploy_hook", "hook_registered": true}), "pass", []],
		"redeployed by the platform": [_deployed(_risky, {"trigger": "deployed_by_render"}), "pass", []],
		"deployed by a deleted user": [_pressed(_risky, "Deleted User ID#usr-9"), "unknown", ["sod.deployer_unknown"]],
		"deployed by an account of two": [dossier.put(dossier.put(_pressed(_risky, "ops@acme.example"), "/people/2/accounts/render", ["ops@acme.example"]), "/people/1/accounts/render", ["ops@acme.example"]), "unknown", ["sod.deployer_unknown"]],
		"deployed by a stranger, directory unread": [dossier.unread(_pressed(_risky, "zoe@else.example"), "iam"), "unknown", ["sod.deployer_unknown"]],
		"the approver's agent deployed": [dossier.put(_pressed(_risky, "key-1"), "/people/-", _agent), "fail", ["sod.sole_approver_deployed"]],
		"somebody else's agent deployed": [dossier.put(_pressed(_risky, "key-1"), "/people/-", object.union(_agent, {"owner": "erin"})), "pass", []],
		"an agent of an owner nobody lists": [dossier.put(_pressed(_risky, "key-1"), "/people/-", object.union(_agent, {"owner": "zoe"})), "pass", []],
		"nobody's agent deployed": [dossier.put(_pressed(_risky, "key-1"), "/people/-", object.remove(_agent, ["owner"])), "unknown", ["sod.deployer_unknown"]],
		"merged by a bot": [dossier.put(_merged_by(_risky, "merge[bot]"), "/people/-", {"id": "merge", "kind": "bot", "registered": true, "accounts": {"github": ["merge[bot]"]}}), "pass", []],
		"merged by nobody on record": [dossier.without(_risky, $"{_pull}/merged_by"), "unknown", ["sod.deployer_unknown"]],
		"reviews unread": [_missing(_risky, ["reviews"]), "unknown", ["rev.incomplete"]],
		"nobody approved, reviews unread": [_missing(_by([]), ["reviews"]), "unknown", ["rev.incomplete"]],
		"commits unread": [_missing(_risky, ["commits"]), "unknown", ["rev.incomplete"]],
		"nobody approved, commits unread": [_missing(_by([]), ["commits"]), "fail", ["sod.no_approver"]],
		"an approval that may count": [dossier.without(_risky, $"{_pull}/reviews/0/permission"), "unknown", ["rev.incomplete"]],
		"an approval that may count, of who deployed": [_merged_by(dossier.without(_risky, $"{_pull}/reviews/0/permission"), "bob"), "fail", ["sod.no_approver"]],
		"files unread": [_missing(dossier.normal, ["files"]), "pass", []],
		"files unread, nobody approved": [_missing(dossier.put(dossier.normal, $"{_pull}/reviews", []), ["files"]), "unknown", ["sod.risk_unknown"]],
		"files cut, the approver merged": [dossier.put(_merged_by(dossier.normal, "bob"), "/change/files_truncated", true), "unknown", ["sod.risk_unknown"]],
		"files unread, and high anyway": [_missing(_merged_by(_risky, "bob"), ["files"]), "fail", ["sod.sole_approver_deployed"]],
		"not deployed": [dossier.without(_risky, "/change/deployments"), "pending", ["sod.no_approver"]],
		"not deployed, nobody approved": [dossier.without(_by([]), "/change/deployments"), "pending", ["sod.no_approver"]],
		"deployments unread": [dossier.unread(dossier.without(_risky, "/change/deployments"), "render"), "unknown", ["sod.deployer_unknown"]],
		"deployments unread, nobody approved": [dossier.unread(dossier.without(_by([]), "/change/deployments"), "render"), "fail", ["sod.no_approver"]],
		"deployments unread, two approved": [dossier.unread(dossier.without(_by(["bob", "carol"]), "/change/deployments"), "render"), "pass", []],
		"live at no known time": [json.patch(_risky, [{"op": "remove", "path": "/change/deployments/0/live_at"}, {"op": "remove", "path": "/change/deployments/0/started_at"}]), "pass", []],
		"a granted role": [dossier.grant, "pass", []],
		"a granted role, the granter approved": [_request([{"by": "alice", "at": "2026-11-10T15:00:00Z"}]), "fail", ["sod.sole_approver_deployed"]],
		"a granted role, granter and another approved": [_request([{"by": "alice", "at": "2026-11-10T15:00:00Z"}, {"by": "carol", "at": "2026-11-10T15:00:00Z"}]), "pass", []],
		"a granted role, the beneficiary approved": [_request([{"by": "bob", "at": "2026-11-10T15:00:00Z"}]), "fail", ["sod.self"]],
		"a role granted by nobody on record": [dossier.without(dossier.grant, "/change/event/actor"), "unknown", ["sod.deployer_unknown"]],
		"a role granted at no known time": [dossier.without(dossier.grant, "/change/event/at"), "unknown", ["rev.incomplete"]],
		"a role granted, tracker unread": [dossier.unread(dossier.grant, "issues"), "pass", []],
		"a role nobody approved, tracker unread": [dossier.unread(_request([]), "issues"), "unknown", ["rev.incomplete"]],
		"a rollback called risky": [dossier.put(dossier.rollback, "/change/declared", {"risk": "high"}), "unknown", ["rev.incomplete"]],
		"a risky rollback to what was not reviewed": [json.patch(dossier.rollback, [{"op": "add", "path": "/change/declared", "value": {"risk": "high"}}, {"op": "replace", "path": "/change/rollback/target_review", "value": "non_compliant"}]), "fail", ["sod.no_approver"]],
		"a grant of one's own before it": [dossier.put(_risky, "/change/related_grants", [{"actor": "alice", "beneficiary": "alice", "at": "2026-11-10T08:00:00Z", "approved_by": "alice", "approved_at": "2026-11-10T07:00:00Z"}]), "fail", ["sod.self_granted"]],
		"an approved grant before it": [dossier.put(_risky, "/change/related_grants", [{"actor": "erin", "beneficiary": "alice", "at": "2026-11-10T08:00:00Z", "approved_by": "carol", "approved_at": "2026-11-10T07:00:00Z"}]), "pass", []],
		"a grant of one's own before something harmless": [dossier.put(dossier.normal, "/change/related_grants", [{"actor": "alice", "beneficiary": "alice", "at": "2026-11-10T08:00:00Z"}]), "not_applicable", []],
		"waived": [dossier.waived(_by([]), _id, {}), "waived", ["sod.no_approver"]],
	}
	dossier.says(_id, case[0], case[1], case[2])
}

_hotfix := dossier.put(dossier.emergency, "/change/files", _risky.change.files)

_unreviewed := dossier.without(_hotfix, "/change/retrospective_review")

_retro(field, value) := dossier.put(_hotfix, $"/change/retrospective_review/{field}", value)

# live on Tuesday 11:06:00: reviewed until Friday 11:06:00.
test_emergency[note] if {
	some note, case in {
		"reviewed": [_hotfix, "pass", []],
		"reviewed at the deadline": [_retro("completed_at", "2026-11-13T11:06:00Z"), "pass", []],
		"reviewed a second late": [_retro("completed_at", "2026-11-13T11:06:01Z"), "fail", ["sod.no_approver"]],
		"time left": [_at(_unreviewed, "2026-11-13T11:06:00Z"), "pending", ["sod.no_approver"]],
		"a second later": [_at(_unreviewed, "2026-11-13T11:06:01Z"), "fail", ["sod.no_approver"]],
		"records unread": [dossier.unread(_unreviewed, "attestations"), "unknown", ["rev.incomplete"]],
		"tracker unread": [dossier.unread(_unreviewed, "issues"), "unknown", ["rev.incomplete"]],
		"reviewed by the author": [_retro("reviewer", "alice"), "fail", ["sod.no_approver"]],
		"reviewed by who deployed": [_pressed(_hotfix, "bob@acme.example"), "fail", ["sod.no_approver"]],
		"rejected": [_retro("decision", "rejected"), "fail", ["sod.no_approver"]],
		"undecided": [_retro("decision", "pending"), "fail", ["sod.no_approver"]],
		"reviewed by somebody nobody knows": [_retro("reviewer", "zoe"), "fail", ["sod.no_approver"]],
		"reviewed by somebody nobody knows, directory unread": [dossier.unread(_retro("reviewer", "zoe"), "iam"), "unknown", ["rev.incomplete"]],
		"reviewed by nobody on record": [dossier.without(_hotfix, "/change/retrospective_review/reviewer"), "fail", ["sod.no_approver"]],
		"reviewed at no known time": [dossier.without(_hotfix, "/change/retrospective_review/completed_at"), "fail", ["sod.no_approver"]],
		"reviewed before it was live": [_retro("completed_at", "2026-11-10T10:00:00Z"), "fail", ["sod.no_approver"]],
		"reviewed, though reviews unread": [_missing(_hotfix, ["reviews"]), "pass", []],
		"reviewed, commits unread": [_missing(_hotfix, ["commits"]), "unknown", ["rev.incomplete"]],
		"approved beforehand by another": [dossier.put(_unreviewed, $"{_pull}/reviews", [_approval]), "pass", []],
		"without a trigger": [dossier.without(_hotfix, "/change/emergency_trigger"), "fail", ["sod.no_approver"]],
	}
	dossier.says(_id, case[0], case[1], case[2])
}

test_due if dossier.finding(_id, _at(_unreviewed, "2026-11-12T00:00:00Z")).due_at == "2026-11-13T11:06:00Z"

test_severity if dossier.finding(_id, _risky).severity == "critical"

test_order_does_not_matter if {
	base := dossier.put(_risky, "/change/deployments/-", _second)
	turned := dossier.put(base, "/change/deployments", array.reverse(base.change.deployments))
	doubled := dossier.put(base, "/change/deployments", array.concat(base.change.deployments, base.change.deployments))
	every other in [turned, doubled] {
		dossier.finding(_id, base).message == dossier.finding(_id, other).message
	}
}
