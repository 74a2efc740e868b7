package tests.cm_4_b_2

import data.tests.dossier

_id := "CM-4.B.2"

_pull := "/change/pull_request"

_approval := dossier.normal.change.pull_request.reviews[0]

# session: a change of session handling, approved by Bob.
_session := dossier.put(dossier.normal, "/change/files/0/path", "src/auth/session.py")

_by(users) := dossier.put(_session, $"{_pull}/reviews", [object.union(_approval, {"user": user}) | some user in users])

_touching(file) := dossier.put(dossier.normal, "/change/files", [file])

_effect(effect) := _touching({"path": "src/x.py", "effects": [effect]})

_missing(base, facts) := dossier.put(base, "/sources/github", {"status": "incomplete", "missing": facts})

_at(base, now) := dossier.put(base, "/evaluated_at", now)

_hotfix := dossier.put(dossier.emergency, "/change/files/0/path", "src/auth/session.py")

_retro(reviewer) := dossier.put(_hotfix, "/change/retrospective_review/reviewer", reviewer)

_unreviewed := dossier.without(_hotfix, "/change/retrospective_review")

test_applies[note] if {
	some note, case in {
		"application code": [dossier.normal, "not_applicable"],
		"session handling": [_session, "fail"],
		"TLS": [_touching({"path": "infra/tls/edge.yaml"}), "fail"],
		"IAM": [_touching({"path": "infra/iam/roles.tf"}), "fail"],
		"network rules": [_touching({"path": "infra/network/rules.yaml"}), "fail"],
		"a workflow": [_touching({"path": ".github/workflows/deploy.yml"}), "fail"],
		"owners of code": [_touching({"path": "CODEOWNERS"}), "fail"],
		"an allow list in the blueprint": [_touching({"path": "render.yaml", "patch": "+    ipAllowList: []"}), "fail"],
		"moved out of the watched folder": [_touching({"path": "src/session_helper.py", "previous_path": "src/auth/session.py", "status": "renamed"}), "fail"],
		"a tool of an agent": [_touching({"path": "agents/tools.yaml"}), "fail"],
		"a guardrail removed": [_touching({"path": "guardrails/pii.yaml", "status": "removed"}), "fail"],
		"a prompt": [_touching({"path": "prompts/interview.md"}), "not_applicable"],
		"a model swapped": [_touching({"path": "llm/client.py", "patch": "+model: other"}), "not_applicable"],
		"write access for somebody else": [_effect("third_party_access"), "fail"],
		"data for somebody else": [_effect("third_party_data"), "not_applicable"],
		"a destructive migration": [_effect("destructive_migration"), "not_applicable"],
		"documentation of the session": [_touching({"path": "docs/auth/session.md"}), "not_applicable"],
		"a rollback": [dossier.put(dossier.rollback, "/change/event", {"effects": ["iam"]}), "not_applicable"],
	}
	dossier.status(_id, case[0]) == case[1]
	dossier.sound(dossier.finding(_id, case[0]), case[0])
}

test_status[note] if {
	some note, case in {
		"one approval": [_session, "fail", ["sec.single_approval"]],
		"two approvals": [_by(["bob", "erin"]), "pass", []],
		"two approvals of one person": [dossier.put(_by(["bob", "bob2"]), "/people/1/accounts/github", ["bob", "bob2"]), "fail", ["sec.single_approval"]],
		"one and the author": [_by(["bob", "alice"]), "fail", ["sec.single_approval"]],
		"a security reviewer alone": [_by(["carol"]), "pass", []],
		"a security reviewer who wrote it": [dossier.put(_by(["carol"]), $"{_pull}/author", "carol"), "fail", ["sec.no_security_reviewer"]],
		"a security reviewer, after the merge": [dossier.put(_by(["carol"]), $"{_pull}/reviews/0/submitted_at", "2026-11-10T11:00:01Z"), "fail", ["sec.no_security_reviewer"]],
		"a security reviewer, stale": [dossier.put(_by(["carol"]), $"{_pull}/reviews/0/commit_id", dossier.other), "fail", ["sec.no_security_reviewer"]],
		"nobody": [_by([]), "fail", ["sec.no_security_reviewer"]],
		"nobody, reviews unread": [_missing(_by([]), ["reviews"]), "unknown", ["rev.incomplete"]],
		"enough, reviews unread": [_missing(_by(["carol"]), ["reviews"]), "unknown", ["rev.incomplete"]],
		"enough, commits unread": [_missing(_by(["carol"]), ["commits"]), "unknown", ["rev.incomplete"]],
		"too few, commits unread": [_missing(_session, ["commits"]), "fail", ["sec.single_approval"]],
		"perhaps enough": [dossier.without(_by(["carol"]), $"{_pull}/reviews/0/permission"), "unknown", ["rev.incomplete"]],
		"perhaps two": [dossier.without(_by(["bob", "erin"]), $"{_pull}/reviews/1/commit_id"), "unknown", ["rev.incomplete"]],
		"perhaps another, and still too few": [dossier.put(dossier.without(_by(["bob"]), $"{_pull}/reviews/0/permission"), $"{_pull}/reviews/-", {"user": "zoe", "state": "APPROVED", "submitted_at": "2026-11-10T10:30:00Z", "commit_id": dossier.head, "permission": "write"}), "fail", ["sec.no_security_reviewer"]],
		"files unread": [_missing(dossier.normal, ["files"]), "unknown", ["sec.no_security_reviewer"]],
		"files cut": [dossier.put(dossier.normal, "/change/files_truncated", true), "unknown", ["sec.no_security_reviewer"]],
		"no files on record": [dossier.without(dossier.normal, "/change/files"), "unknown", ["sec.no_security_reviewer"]],
		"files unread, but a security reviewer approved": [_missing(dossier.put(dossier.normal, $"{_pull}/reviews/0/user", "carol"), ["files"]), "pass", []],
		"files unread, but enough is known": [_missing(_session, ["files"]), "fail", ["sec.single_approval"]],
		"still open": [json.patch(_session, [{"op": "remove", "path": $"{_pull}/merged_at"}, {"op": "remove", "path": $"{_pull}/merged_by"}, {"op": "remove", "path": "/change/deployments"}]), "pending", ["sec.no_security_reviewer"]],
		"still open, enough": [json.patch(_by(["carol"]), [{"op": "remove", "path": $"{_pull}/merged_at"}, {"op": "remove", "path": $"{_pull}/merged_by"}, {"op": "remove", "path": "/change/deployments"}]), "pass", []],
		"deployed unmerged, approved later": [
			json.patch(_by(["carol"]), [
				{"op": "remove", "path": $"{_pull}/merged_at"}, {"op": "remove", "path": $"{_pull}/merged_by"},
				{"op": "replace", "path": $"{_pull}/reviews/0/submitted_at", "value": "2026-11-10T12:00:00Z"},
			]),
			"fail", ["sec.no_security_reviewer"],
		],
		"a grant the security reviewer approved": [dossier.grant, "pass", []],
		"a grant somebody else approved": [dossier.put(dossier.grant, "/change/issue/approvals/0/by", "erin"), "fail", ["sec.single_approval"]],
		"a grant, tracker unread": [dossier.unread(dossier.grant, "issues"), "pass", []],
		"a grant somebody else approved, tracker unread": [dossier.unread(dossier.put(dossier.grant, "/change/issue/approvals/0/by", "erin"), "issues"), "unknown", ["rev.incomplete"]],
		"a grant at no known time": [dossier.without(dossier.grant, "/change/event/at"), "unknown", ["rev.incomplete"]],
		"an emergency, reviewed by the security reviewer": [_retro("carol"), "pass", []],
		"an emergency, reviewed by somebody else": [_retro("bob"), "fail", ["sec.single_approval"]],
		"an emergency, approved and reviewed by two": [dossier.put(_retro("bob"), $"{_pull}/reviews", [object.union(_approval, {"user": "erin"})]), "pass", []],
		"an emergency, time left": [_at(_unreviewed, "2026-11-13T11:06:00Z"), "pending", ["sec.no_security_reviewer"]],
		"an emergency, a second later": [_at(_unreviewed, "2026-11-13T11:06:01Z"), "fail", ["sec.no_security_reviewer"]],
		"an emergency, reviewed at the deadline": [dossier.put(_retro("carol"), "/change/retrospective_review/completed_at", "2026-11-13T11:06:00Z"), "pass", []],
		"an emergency, reviewed a second late": [dossier.put(_retro("carol"), "/change/retrospective_review/completed_at", "2026-11-13T11:06:01Z"), "fail", ["sec.no_security_reviewer"]],
		"an emergency, reviewed before": [dossier.put(_retro("carol"), "/change/retrospective_review/completed_at", "2026-11-10T10:00:00Z"), "fail", ["sec.no_security_reviewer"]],
		"an emergency, rejected": [dossier.put(_retro("carol"), "/change/retrospective_review/decision", "rejected"), "fail", ["sec.no_security_reviewer"]],
		"an emergency, reviewed by who deployed": [dossier.put(_retro("carol"), $"{_pull}/merged_by", "carol"), "fail", ["sec.no_security_reviewer"]],
		"an emergency, records unread": [dossier.unread(_unreviewed, "attestations"), "unknown", ["rev.incomplete"]],
		"an emergency, reviewed, pull request reviews unread": [_missing(_retro("carol"), ["reviews"]), "pass", []],
		"waived": [dossier.waived(_session, _id, {}), "waived", ["sec.single_approval"]],
	}
	dossier.says(_id, case[0], case[1], case[2])
}

test_due if {
	dossier.finding(_id, _at(_unreviewed, "2026-11-12T00:00:00Z")).due_at == "2026-11-13T11:06:00Z"
}

test_settings_decide if {
	dossier.status(_id, _by(["bob", "erin"])) == "fail" with data.settings.security_approvals as 3
	dossier.status(_id, _by(["erin"])) == "pass" with data.settings.security_reviewer_role as "cto"
}
