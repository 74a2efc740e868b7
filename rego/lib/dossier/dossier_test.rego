# METADATA
# title: Dossiers for tests
# description: A compliant pull request and what else tests start from. Tests change it by JSON patch.
package tests.dossier

import data.decision

head := "7a35085f2e9cd1cd02a8df82bab8a6ead839549d"

merge := "3942be5c363ff083fcf256bd2dc9c87e0343ecc4"

other := "72069b3a09016096f2245427b7ae8c0727eaaaf5"

# patched applies JSON patches to a dossier, one after another.
patched(dossier, patches) := json.patch(dossier, patches)

# finding is what a control says of a dossier.
finding(control, dossier) := found if {
	found := decision.own[control] with input as dossier
}

status(control, dossier) := finding(control, dossier).status

sources := {name: {"status": "complete"} |
	some name in ["github", "render", "iam", "issues", "attestations", "scanner"]
}

alice := {
	"id": "alice", "kind": "employee", "roles": ["engineer"],
	"accounts": {"github": ["alice"], "render": ["alice@acme.example"], "iam": ["alice@acme.example"]},
	"authorised": [{"from": "2025-01-06T00:00:00Z"}],
}

bob := {
	"id": "bob", "kind": "employee", "roles": ["engineer"],
	"accounts": {"github": ["bob"], "render": ["bob@acme.example"], "iam": ["bob@acme.example"]},
	"authorised": [{"from": "2025-03-03T00:00:00Z"}],
}

carol := {
	"id": "carol", "kind": "employee", "roles": ["engineer", "security-reviewer"],
	"accounts": {"github": ["carol"], "render": ["carol@acme.example"], "iam": ["carol@acme.example"]},
	"authorised": [{"from": "2024-09-02T00:00:00Z"}],
}

erin := {
	"id": "erin", "kind": "employee", "roles": ["cto"],
	"accounts": {"github": ["erin"], "render": ["erin@acme.example"], "iam": ["erin@acme.example"]},
	"authorised": [{"from": "2024-01-08T00:00:00Z"}],
}

# normal: a reviewed, tested, staged and deployed pull request.
normal := {
	"schema": "dossier/v1",
	"evaluated_at": "2026-11-20T09:00:00Z",
	"subject": {"type": "change", "id": "acme/app#412"},
	"sources": sources,
	"people": [alice, bob, carol, erin],
	"change": {
		"kind": "pull_request",
		"declared": {"type": "normal"},
		"repository": "acme/app",
		"base_branch": "main",
		"pull_request": {
			"number": 412, "author": "alice", "created_at": "2026-11-10T09:00:00Z", "head_sha": head,
			"body_at_merge": {
				"description": "Cap pagination at 100 rows so that the export stops timing out.",
				"risk": {"availability": "low: read path only", "security": "none: no change to access", "data": "none: nothing is written"},
				"rollback": "Revert the merge commit; the previous build is deployed again.",
			},
			"labels": ["change:normal"],
			"commits": [{"sha": head, "author": "alice", "committer": "alice", "co_authors": []}],
			"reviews": [{"user": "bob", "state": "APPROVED", "submitted_at": "2026-11-10T10:30:00Z", "commit_id": head, "permission": "write"}],
			"merged_at": "2026-11-10T11:00:00Z", "merged_by": "alice", "merge_commit_sha": merge,
		},
		"merged_content_shas": [head, merge],
		"files": [{"path": "src/export/paginate.py", "status": "modified", "additions": 18, "deletions": 6}],
		"deployments": [
			{
				"id": "dep-1", "service": "api", "environment": "production", "environment_kind": "production", "commit": merge, "trigger": "new_commit",
				"started_at": "2026-11-10T11:01:00Z", "live_at": "2026-11-10T11:06:00Z", "status": "live", "on_protected_branch": true,
			},
			{"environment": "staging", "environment_kind": "staging", "commit": head, "status": "live", "live_at": "2026-11-10T10:00:00Z"},
		],
		"checks": [{"name": "ci/test", "sha": head, "conclusion": "success", "completed_at": "2026-11-10T09:40:00Z"}],
		"branch_protection": {"required_approvals": 1, "dismiss_stale_reviews": true, "applies_to_admins": true, "bypassed": false},
	},
}

# emergency: a hotfix alone at night, reviewed afterwards.
emergency := patched(normal, [
	{"op": "replace", "path": "/change/declared/type", "value": "emergency"},
	{"op": "replace", "path": "/change/pull_request/reviews", "value": []},
	{"op": "replace", "path": "/change/branch_protection/bypassed", "value": true},
	{"op": "remove", "path": "/change/deployments/1"},
	{"op": "add", "path": "/change/components", "value": ["api"]},
	{"op": "add", "path": "/change/emergency_trigger", "value": {
		"id": "INC-77", "kind": "incident", "severity": "SEV-2", "started_at": "2026-11-10T08:30:00Z",
		"recorded_at": "2026-11-10T08:35:00Z", "resolved_at": "2026-11-10T12:00:00Z", "affected_components": ["api"],
	}},
	{"op": "add", "path": "/change/retrospective_review", "value": {"reviewer": "bob", "completed_at": "2026-11-11T10:00:00Z", "decision": "accepted", "limited_to_issue": true}},
	{"op": "add", "path": "/change/post_incident_review", "value": {
		"completed_at": "2026-11-13T15:00:00Z", "root_cause": "An index was dropped", "actions_taken": "Restored it", "preventive_controls": "A test of the query plan",
	}},
])

# push: a commit pushed straight to the production branch.
push := patched(normal, [
	{"op": "remove", "path": "/change/pull_request"},
	{"op": "remove", "path": "/change/branch_protection"},
	{"op": "remove", "path": "/change/declared/type"},
	{"op": "replace", "path": "/change/kind", "value": "direct_push"},
	{"op": "replace", "path": "/change/merged_content_shas", "value": [merge]},
	{"op": "replace", "path": "/change/checks/0/sha", "value": merge},
	{"op": "remove", "path": "/change/deployments/1"},
	{"op": "add", "path": "/change/push", "value": {"actor": "carol", "at": "2026-11-10T11:00:00Z", "before": other, "after": merge, "forced": false}},
])

# grant: a role granted on the platform after an approved request.
grant := {
	"schema": "dossier/v1",
	"evaluated_at": "2026-11-20T09:00:00Z",
	"subject": {"type": "change", "id": "render:aud-1"},
	"sources": sources,
	"people": [alice, bob, carol, erin],
	"change": {
		"kind": "iam_grant",
		"channel": "dashboard",
		"environment": "production",
		"event": {
			"system": "render", "type": "ChangeTeamMemberRoleEvent", "actor": "alice@acme.example", "requested_by": "bob", "beneficiary": "bob",
			"at": "2026-11-11T09:00:00Z", "detail": "bob DEVELOPER -> ADMIN", "scopes": ["security_config"], "effects": ["iam"], "git_expressible": false,
		},
		"issue": {
			"id": "ACC-31", "created_at": "2026-11-10T09:00:00Z",
			"body": {
				"description": "Bob needs ADMIN to manage the new database.",
				"risk": {"availability": "low", "security": "medium: admin rights", "data": "medium: database access"},
				"rollback": "Set the role back to DEVELOPER",
			},
			"approvals": [{"by": "carol", "at": "2026-11-10T15:00:00Z"}],
		},
		"validations": [{"kind": "access_check", "at": "2026-11-11T09:30:00Z", "result": "pass", "by": "carol"}],
	},
}

# standard: a patch release of a package, under a procedure in force.
standard := patched(normal, [
	{"op": "replace", "path": "/change/declared/type", "value": "standard"},
	{"op": "replace", "path": "/change/pull_request/labels", "value": ["change:standard"]},
	{"op": "replace", "path": "/change/pull_request/body_at_merge", "value": {"description": "Bumps lodash from 4.17.20 to 4.17.21.", "risk": {}, "rollback": ""}},
	{"op": "replace", "path": "/change/files", "value": [{"path": "package.json", "status": "modified"}, {"path": "package-lock.json", "status": "modified"}]},
	{"op": "add", "path": "/change/dependency_updates", "value": [{"name": "lodash", "from": "4.17.20", "to": "4.17.21", "update": "patch"}]},
	{"op": "add", "path": "/change/procedure", "value": {"id": "STD-DEP", "approved_by": "carol", "approved_at": "2026-02-02T10:00:00Z", "approved_until": "2027-02-02T10:00:00Z"}},
])

# rollback: back to the build before, whose change had been reviewed.
rollback := {
	"schema": "dossier/v1",
	"evaluated_at": "2026-11-20T09:00:00Z",
	"subject": {"type": "change", "id": "render:dep-2"},
	"sources": sources,
	"people": [alice, bob, carol, erin],
	"change": {
		"kind": "platform_rollback",
		"rollback": {"at": "2026-11-12T14:00:00Z", "to_commit": other, "target_deploy_id": "dep-0", "target_review": "compliant", "previously_live": true},
		"deployments": [{
			"id": "dep-2", "service": "api", "environment": "production", "environment_kind": "production", "commit": other, "trigger": "rollback",
			"user": "alice@acme.example", "started_at": "2026-11-12T14:00:00Z", "live_at": "2026-11-12T14:01:00Z", "status": "live", "on_protected_branch": true,
		}],
	},
}

# subject is a dossier of any other type.
subject(type, body) := {
	"schema": "dossier/v1",
	"evaluated_at": "2026-11-20T09:00:00Z",
	"subject": {"type": type, "id": sprintf("%s-1", [type])},
	"sources": sources,
	"people": [],
	type: body,
}

# put is a dossier with one value set, without one with a value taken away.
put(dossier, path, value) := json.patch(dossier, [{"op": "add", "path": path, "value": value}])

without(dossier, path) := json.patch(dossier, [{"op": "remove", "path": path}])

unread(dossier, source) := put(dossier, $"/sources/{source}", {"status": "unavailable", "reason": "503"})

# sound: what a finding says is complete, and what it points at is there.
sound(found, dossier) if {
	not contains(found.message, "<undefined>")
	not contains(object.get(found, "remediation", ""), "<undefined>")
	count(found.evidence) >= _least[found.status]
	every pointer in found.evidence {
		resolves(dossier, pointer)
	}
}

_least := {"not_applicable": 0, "pass": 1, "fail": 1, "unknown": 1, "pending": 1, "waived": 1}

resolves(dossier, pointer) if {
	keys := [_key(token) | some token in split(trim_prefix(pointer, "/"), "/")]
	object.get(dossier, keys, _nowhere) != _nowhere
}

_nowhere := {"nowhere": true}

_key(token) := to_number(token) if {
	regex.match(`^[0-9]+$`, token)
} else := token

# says: a control gives this status for these reasons, in full sentences.
says(control, dossier, status, reasons) if {
	found := finding(control, dossier)
	found.status == status
	found.reasons == reasons
	sound(found, dossier)
}

# waiver is a valid one for a control of a subject, changed as told.
waiver(control, subject, changes) := object.union(
	{
		"id": "W-1", "controls": [control], "subject": subject, "reason": "Accepted for a while",
		"requested_by": "alice", "approved_by": "erin", "approved_at": "2026-11-09T09:00:00Z", "expires_at": "2027-01-31T00:00:00Z",
	},
	changes,
)

waived(dossier, control, changes) := put(dossier, "/waivers", [waiver(control, dossier.subject.id, changes)])
