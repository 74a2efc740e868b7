package tests.cm_4_b_1

import data.tests.dossier

_id := "CM-4.B.1"

_pull := "/change/pull_request"

_approval := dossier.normal.change.pull_request.reviews[0]

_reviewed(reviews) := dossier.put(dossier.normal, $"{_pull}/reviews", reviews)

_review(changes) := _reviewed([object.union(_approval, changes)])

_also(changes) := _reviewed([_approval, object.union(_approval, changes)])

_without(field) := _reviewed([object.remove(_approval, [field])])

_missing(base, facts) := dossier.put(base, "/sources/github", {"status": "incomplete", "missing": facts})

_at(base, now) := dossier.put(base, "/evaluated_at", now)

_objection := {"user": "carol", "state": "CHANGES_REQUESTED", "submitted_at": "2026-11-10T10:40:00Z"}

_open(base) := json.patch(base, [
	{"op": "remove", "path": $"{_pull}/merged_at"},
	{"op": "remove", "path": $"{_pull}/merged_by"},
	{"op": "remove", "path": "/change/deployments"},
])

# --- Who approved, when, and on what standing ---------------------------------

test_approval[note] if {
	some note, case in {
		"approved": [dossier.normal, "pass", []],
		"approved in small letters": [_review({"state": "approved"}), "pass", []],
		"approved at the merge": [_review({"submitted_at": "2026-11-10T11:00:00Z"}), "pass", []],
		"approved at the merge, by another offset": [_review({"submitted_at": "2026-11-10T12:30:00+01:30"}), "pass", []],
		"approved a second later": [_review({"submitted_at": "2026-11-10T11:00:01Z"}), "fail", ["rev.after_merge", "rev.none"]],
		"approved earlier in words, later in fact": [_review({"submitted_at": "2026-11-10T10:30:00-01:00"}), "fail", ["rev.after_merge", "rev.none"]],
		"nobody": [_reviewed([]), "fail", ["rev.none"]],
		"no reviews on record": [dossier.without(dossier.normal, $"{_pull}/reviews"), "fail", ["rev.none"]],
		"a comment": [_review({"state": "COMMENTED"}), "fail", ["rev.none"]],
		"a comment after the approval": [_also({"state": "COMMENTED", "submitted_at": "2026-11-10T10:45:00Z"}), "pass", []],
		"a review of unknown word": [_also({"user": "carol", "state": "REJECTED"}), "unknown", ["rev.incomplete"]],
		"a review without a word": [_without("state"), "unknown", ["rev.incomplete"]],
		"an approval without a time": [_without("submitted_at"), "unknown", ["rev.incomplete"]],
		"an approval without a time beside a good one": [_reviewed([_approval, object.remove(object.union(_approval, {"user": "carol"}), ["submitted_at"])]), "pass", []],
		"the author's approval without a time": [_reviewed([object.remove(object.union(_approval, {"user": "alice"}), ["submitted_at"])]), "fail", ["rev.none", "rev.self"]],
		"an approval by nobody": [_without("user"), "fail", ["rev.none", "rev.not_authorised"]],
		"an approval by nobody, directory unread": [dossier.unread(_without("user"), "iam"), "unknown", ["rev.incomplete"]],
		"reading only": [_review({"permission": "read"}), "fail", ["rev.no_permission", "rev.none"]],
		"triage only": [_review({"permission": "triage"}), "fail", ["rev.no_permission", "rev.none"]],
		"maintaining": [_review({"permission": "Maintain"}), "pass", []],
		"an unknown permission": [_without("permission"), "unknown", ["rev.incomplete"]],
		"the author": [_review({"user": "alice"}), "fail", ["rev.none", "rev.self"]],
		"the author's second account": [dossier.put(_review({"user": "alice-personal"}), "/people/0/accounts/github", ["alice", "Alice-Personal"]), "fail", ["rev.none", "rev.self"]],
		"somebody nobody knows": [_review({"user": "zoe"}), "fail", ["rev.none", "rev.not_authorised"]],
		"somebody nobody knows, directory unread": [dossier.unread(_review({"user": "zoe"}), "iam"), "unknown", ["rev.incomplete"]],
		"what is left of an account": [_review({"user": "ghost"}), "unknown", ["actor.unresolved"]],
		"an account of several": [dossier.put(dossier.normal, "/people/2/accounts/github", ["carol", "bob"]), "unknown", ["actor.unresolved"]],
		"a bot": [dossier.put(dossier.normal, "/people/1/kind", "bot"), "fail", ["rev.bot", "rev.none"]],
		"an agent": [dossier.put(dossier.normal, "/people/1/kind", "agent"), "fail", ["rev.bot", "rev.none"]],
		"a contractor": [dossier.put(dossier.normal, "/people/1/kind", "contractor"), "pass", []],
		"somebody who had left": [dossier.put(dossier.normal, "/people/1/authorised", [{"from": "2025-01-01T00:00:00Z", "until": "2026-11-10T10:29:59Z"}]), "fail", ["rev.none", "rev.not_authorised"]],
		"somebody who left between review and merge": [dossier.put(dossier.normal, "/people/1/authorised", [{"from": "2025-01-01T00:00:00Z", "until": "2026-11-10T10:45:00Z"}]), "pass", []],
		"a second approval does not hurt": [_also({"user": "carol"}), "pass", []],
		"the author and somebody else": [_also({"user": "alice"}), "pass", []],
	}
	dossier.says(_id, case[0], case[1], case[2])
}

test_distinct_persons[note] if {
	some note, case in {
		"two demanded, one came": [dossier.normal, "fail"],
		"two demanded, two came": [_also({"user": "carol"}), "pass"],
		"two demanded, one came twice": [_also({"submitted_at": "2026-11-10T10:31:00Z"}), "fail"],
		"two demanded, one with two accounts": [dossier.put(_also({"user": "bob2"}), "/people/1/accounts/github", ["bob", "bob2"]), "fail"],
	}
	dossier.status(_id, case[0]) == case[1] with data.settings.min_approvals as 2
}

# --- Objections and dismissals --------------------------------------------------

test_objection[note] if {
	some note, case in {
		"an objection stands": [_reviewed([_approval, _objection]), "fail", ["rev.changes_requested_open"]],
		"an objection in small letters": [_reviewed([_approval, object.union(_objection, {"state": "changes_requested"})]), "fail", ["rev.changes_requested_open"]],
		"an objection at the merge": [_reviewed([_approval, object.union(_objection, {"submitted_at": "2026-11-10T11:00:00Z"})]), "fail", ["rev.changes_requested_open"]],
		"an objection a second later": [_reviewed([_approval, object.union(_objection, {"submitted_at": "2026-11-10T11:00:01Z"})]), "pass", []],
		"an objection without a time": [_reviewed([_approval, object.remove(_objection, ["submitted_at"])]), "unknown", ["rev.incomplete"]],
		"withdrawn by an approval": [_reviewed([_approval, _objection, object.union(_approval, {"user": "carol", "submitted_at": "2026-11-10T10:50:00Z"})]), "pass", []],
		"withdrawn from the other account": [dossier.put(_reviewed([_approval, _objection, object.union(_approval, {"user": "carol2", "submitted_at": "2026-11-10T10:50:00Z"})]), "/people/2/accounts/github", ["carol", "carol2"]), "pass", []],
		"the approver objects later": [_also({"state": "CHANGES_REQUESTED", "submitted_at": "2026-11-10T10:45:00Z"}), "fail", ["rev.changes_requested_open", "rev.none"]],
		"approval and objection in one second": [_also({"state": "CHANGES_REQUESTED"}), "fail", ["rev.changes_requested_open", "rev.none"]],
		"dismissed": [_reviewed([_approval, object.union(_objection, {"state": "DISMISSED", "dismissed_at": "2026-11-10T10:50:00Z"})]), "pass", []],
		"a machine objects": [dossier.put(_reviewed([_approval, object.union(_objection, {"user": "lint[bot]"})]), "/people/-", {"id": "lint", "kind": "bot", "registered": true, "accounts": {"github": ["lint[bot]"]}}), "pass", []],
		"a stranger objects": [_reviewed([_approval, object.union(_objection, {"user": "zoe"})]), "pass", []],
		"somebody unknown objects, directory unread": [dossier.unread(_reviewed([_approval, object.union(_objection, {"user": "zoe"})]), "iam"), "unknown", ["rev.incomplete"]],
		"the second account of somebody objects": [dossier.put(_reviewed([_approval, object.union(_objection, {"user": "duo"})]), "/people/2/accounts/github", ["carol", "duo"]), "fail", ["rev.changes_requested_open"]],
		"a deleted account objects": [_reviewed([_approval, object.union(_objection, {"user": "ghost"})]), "unknown", ["rev.incomplete"]],
		"an account that two share objects": [json.patch(_reviewed([_approval, object.union(_objection, {"user": "duo"})]), [{"op": "add", "path": "/people/2/accounts/github", "value": ["carol", "duo"]}, {"op": "add", "path": "/people/3/accounts/github", "value": ["erin", "duo"]}]), "unknown", ["rev.incomplete"]],
		"an objection, reviews unread": [_missing(_reviewed([_approval, _objection]), ["reviews"]), "unknown", ["rev.incomplete"]],
		"the approval was dismissed before": [_review({"dismissed_at": "2026-11-10T10:59:59Z", "dismissed_by": "alice"}), "fail", ["rev.dismissed", "rev.none"]],
		"the approval was dismissed at the merge": [_review({"dismissed_at": "2026-11-10T11:00:00Z"}), "fail", ["rev.dismissed", "rev.none"]],
		"the approval was dismissed afterwards": [_review({"dismissed_at": "2026-11-10T11:00:01Z"}), "pass", []],
		"dismissed, nobody knows when": [_review({"state": "DISMISSED"}), "fail", ["rev.dismissed", "rev.none"]],
		"dismissed afterwards, and what it said is gone": [_review({"state": "DISMISSED", "dismissed_at": "2026-11-10T11:00:01Z"}), "unknown", ["rev.incomplete"]],
		"dismissed afterwards, an objection perhaps": [_also({"user": "carol", "state": "DISMISSED", "dismissed_at": "2026-11-10T11:00:01Z"}), "unknown", ["rev.incomplete"]],
		"approved again after the dismissal": [_reviewed([object.union(_approval, {"dismissed_at": "2026-11-10T10:40:00Z"}), object.union(_approval, {"submitted_at": "2026-11-10T10:50:00Z"})]), "pass", []],
	}
	dossier.says(_id, case[0], case[1], case[2])
}

# --- Which revision ---------------------------------------------------------------

_commit(sha, changes) := object.union({"sha": sha, "author": "alice", "committer": "alice", "co_authors": []}, changes)

_update(sha, changes) := object.union({"sha": sha, "author": "alice", "committer": "web-flow", "merge_from_base": true, "conflicts": false}, changes)

# grown: the approved commit is the first of several.
_grown(commits) := json.patch(dossier.normal, [
	{"op": "replace", "path": $"{_pull}/commits", "value": commits},
	{"op": "replace", "path": $"{_pull}/head_sha", "value": commits[count(commits) - 1].sha},
])

_parent(sha, of) := object.union(_commit(sha, {}), {"parents": [of]})

# family: commits that name their parents, in any order: head is the last.
_family(order) := json.patch(dossier.normal, [
	{"op": "replace", "path": $"{_pull}/commits", "value": [family[index] | some index in order]},
	{"op": "replace", "path": $"{_pull}/head_sha", "value": "c3"},
]) if {
	family := [
		_parent("c1", "b0"),
		object.union(_parent(dossier.head, "c1"), {}),
		object.union(_update("c3", {}), {"parents": [dossier.head, "b9"]}),
	]
}

test_revision[note] if {
	some note, case in {
		"another commit approved": [_review({"commit_id": dossier.other}), "fail", ["rev.none", "rev.stale"]],
		"no commit named": [_without("commit_id"), "unknown", ["rev.incomplete"]],
		"the head is not on record": [dossier.without(dossier.normal, $"{_pull}/head_sha"), "unknown", ["rev.incomplete"]],
		"a commit after the approval": [_grown([_commit(dossier.head, {}), _commit("c2", {})]), "fail", ["rev.none", "rev.stale"]],
		"an update merge after it": [_grown([_commit(dossier.head, {}), _update("c2", {})]), "pass", []],
		"an update merge that somebody made at home": [_grown([_commit(dossier.head, {}), _update("c2", {"committer": "alice"})]), "fail", ["rev.none", "rev.stale"]],
		"an update merge made nobody knows where": [_grown([_commit(dossier.head, {}), object.remove(_update("c2", {}), ["committer"])]), "unknown", ["rev.incomplete"]],
		"an update merge by the approver": [_grown([_commit(dossier.head, {}), _update("c2", {"author": "bob"})]), "pass", []],
		"an update merge with conflicts": [_grown([_commit(dossier.head, {}), _update("c2", {"conflicts": true})]), "fail", ["rev.none", "rev.stale"]],
		"an update merge, conflicts not on record": [_grown([_commit(dossier.head, {}), object.remove(_update("c2", {}), ["conflicts"])]), "unknown", ["rev.incomplete"]],
		"an update merge before, by the approver, conflicts not on record": [_grown([object.remove(_update("c2", {"author": "bob"}), ["conflicts"]), _commit(dossier.head, {})]), "unknown", ["rev.incomplete"]],
		"an update merge with conflicts, by the approver": [_grown([_update("c2", {"author": "bob", "conflicts": true}), _commit(dossier.head, {})]), "fail", ["rev.none", "rev.self"]],
		"two update merges after it": [_grown([_commit(dossier.head, {}), _update("c2", {}), _update("c3", {})]), "pass", []],
		"an update merge and a commit after it": [_grown([_commit(dossier.head, {}), _update("c2", {}), _commit("c3", {})]), "fail", ["rev.none", "rev.stale"]],
		"a commit and an update merge after it": [_grown([_commit(dossier.head, {}), _commit("c2", {}), _update("c3", {})]), "fail", ["rev.none", "rev.stale"]],
		"rebased, the same patch": [json.patch(_review({"commit_id": dossier.other}), [{"op": "add", "path": $"{_pull}/patch_equivalent_shas", "value": [dossier.other]}]), "pass", []],
		"rebased, another patch": [json.patch(_review({"commit_id": dossier.other}), [{"op": "add", "path": $"{_pull}/patch_equivalent_shas", "value": ["c9"]}]), "fail", ["rev.none", "rev.stale"]],
		"another commit approved, commits unread": [_missing(_review({"commit_id": dossier.other}), ["commits"]), "unknown", ["rev.incomplete"]],
		"a commit after the approval, commits unread": [_missing(_grown([_commit(dossier.head, {}), _commit("c2", {})]), ["commits"]), "fail", ["rev.none", "rev.stale"]],
		"by parentage, in order": [_family([0, 1, 2]), "pass", []],
		"by parentage, turned round": [_family([2, 1, 0]), "pass", []],
		"by parentage, mixed": [_family([1, 2, 0]), "pass", []],
		"by parentage, twice": [_family([0, 1, 2, 0, 1, 2]), "pass", []],
		"by parentage, the first approved": [dossier.put(_family([2, 0, 1]), $"{_pull}/reviews/0/commit_id", "c1"), "fail", ["rev.none", "rev.stale"]],
		"the list does not reach the head": [json.patch(dossier.normal, [{"op": "replace", "path": $"{_pull}/head_sha", "value": "c9"}]), "unknown", ["rev.incomplete"]],
	}
	dossier.says(_id, case[0], case[1], case[2])
}

# --- Who wrote it -------------------------------------------------------------------

_coauthors(names) := dossier.put(dossier.normal, $"{_pull}/commits/0/co_authors", names)

_agent := {"id": "copilot", "kind": "agent", "owner": "carol", "registered": true, "accounts": {"github": ["copilot[bot]"]}}

_agent_wrote(changes) := json.patch(dossier.normal, array.concat(
	[
		{"op": "add", "path": "/people/-", "value": _agent},
		{"op": "replace", "path": $"{_pull}/author", "value": "copilot[bot]"},
		{"op": "replace", "path": $"{_pull}/commits/0/author", "value": "copilot[bot]"},
		{"op": "replace", "path": $"{_pull}/commits/0/committer", "value": "copilot[bot]"},
	],
	[{"op": "add", "path": $"{_pull}/{field}", "value": value} | some field, value in changes],
))

test_author[note] if {
	some note, case in {
		"the approver is co-author": [_coauthors(["bob"]), "fail", ["rev.coauthor", "rev.none"]],
		"the approver is co-author by mail": [dossier.put(_coauthors(["Bob <Bob@acme.example>"]), "/people/1/accounts/git", ["bob@acme.example"]), "fail", ["rev.coauthor", "rev.none"]],
		"the approver is co-author by GitHub's mail": [_coauthors(["Bob B. <583231+Bob@users.noreply.github.com>"]), "fail", ["rev.coauthor", "rev.none"]],
		"a tool is co-author": [_coauthors(["Claude <noreply@anthropic.com>", "223556219+Copilot@users.noreply.github.com"]), "pass", []],
		"the approver committed": [dossier.put(dossier.normal, $"{_pull}/commits/0/committer", "bob"), "fail", ["rev.committer", "rev.none"]],
		"the forge committed": [dossier.put(dossier.normal, $"{_pull}/commits/0/committer", "web-flow"), "pass", []],
		"the approver wrote one of the commits": [json.patch(dossier.normal, [{"op": "add", "path": $"{_pull}/commits/0", "value": _commit("c0", {"author": "bob"})}]), "fail", ["rev.none", "rev.self"]],
		"an unknown co-author": [_coauthors(["zoe@else.example"]), "pass", []],
		"an unknown co-author, directory unread": [dossier.unread(_coauthors(["zoe@else.example"]), "iam"), "unknown", ["rev.incomplete"]],
		"an agent wrote, the operator approved": [_agent_wrote({"agent_operators": ["bob"]}), "fail", ["rev.none", "rev.operator"]],
		"an agent wrote, who assigned it approved": [_agent_wrote({"assigned_by": "bob"}), "fail", ["rev.none", "rev.operator"]],
		"an agent wrote, who prompted it approved": [_agent_wrote({"operator_events": [{"kind": "prompt", "actor": "bob"}], "agent_operators": ["alice"]}), "fail", ["rev.none", "rev.operator"]],
		"an agent wrote, somebody else approved": [_agent_wrote({"agent_operators": ["alice"]}), "pass", []],
		"an agent wrote for nobody known": [_agent_wrote({}), "unknown", ["rev.operator"]],
		"an agent wrote for somebody unknown": [_agent_wrote({"agent_operators": ["zoe"]}), "unknown", ["rev.operator"]],
		"an agent wrote for nobody known, nobody approved": [_agent_wrote({"reviews": []}), "fail", ["rev.none"]],
		"an agent wrote for one of two operators": [_agent_wrote({"agent_operators": ["alice", "bob"]}), "fail", ["rev.none", "rev.operator"]],
		"assigned, but no agent": [dossier.put(dossier.normal, $"{_pull}/assigned_by", "bob"), "pass", []],
		"a bot wrote": [json.patch(_agent_wrote({}), [{"op": "replace", "path": "/people/4/kind", "value": "bot"}]), "pass", []],
		"no commits on record": [dossier.put(dossier.normal, $"{_pull}/commits", []), "unknown", ["rev.incomplete"]],
		"commits missing": [dossier.without(dossier.normal, $"{_pull}/commits"), "unknown", ["rev.incomplete"]],
		"commits missing, nobody approved": [dossier.without(_reviewed([]), $"{_pull}/commits"), "fail", ["rev.none"]],
		"commits unread": [_missing(dossier.normal, ["commits"]), "unknown", ["rev.incomplete"]],
		"fewer commits than there are": [dossier.put(dossier.normal, $"{_pull}/commit_count", 2), "unknown", ["rev.incomplete"]],
		"as many commits as there are": [dossier.put(dossier.normal, $"{_pull}/commit_count", 1), "pass", []],
		"a list as long as the forge gives": [_grown(array.concat([_commit($"c{n}", {}) | some n in numbers.range(1, 249)], [_commit(dossier.head, {})])), "unknown", ["rev.incomplete"]],
		"a list as long as there is": [dossier.put(_grown(array.concat([_commit($"c{n}", {}) | some n in numbers.range(1, 249)], [_commit(dossier.head, {})])), $"{_pull}/commit_count", 250), "pass", []],
	}
	dossier.says(_id, case[0], case[1], case[2])
}

# --- What the change is -----------------------------------------------------------------

_unmerged(reviews) := json.patch(dossier.normal, [
	{"op": "remove", "path": $"{_pull}/merged_at"},
	{"op": "remove", "path": $"{_pull}/merged_by"},
	{"op": "replace", "path": "/change/kind", "value": "manual_deploy"},
	{"op": "replace", "path": "/change/deployments/0/on_protected_branch", "value": false},
	{"op": "replace", "path": $"{_pull}/reviews", "value": reviews},
])

_request(approvals) := dossier.put(dossier.grant, "/change/issue/approvals", approvals)

_untriggered := dossier.without(dossier.emergency, "/change/emergency_trigger")

# The head went to production, then it was merged.
_ran(at) := dossier.put(dossier.normal, "/change/deployments/2", {"service": "api", "environment": "production", "environment_kind": "production", "commit": dossier.head, "trigger": "manual", "user": "alice@acme.example", "started_at": at, "live_at": at, "status": "live"})

test_kind[note] if {
	some note, case in {
		"reviews unread": [_missing(dossier.normal, ["reviews"]), "unknown", ["rev.incomplete"]],
		"nobody approved, reviews unread": [_missing(_reviewed([]), ["reviews"]), "unknown", ["rev.incomplete"]],
		"an unnamed fact missing": [_missing(dossier.normal, ["something"]), "unknown", ["rev.incomplete"]],
		"checks missing": [_missing(dossier.normal, ["checks"]), "pass", []],
		"incomplete, and nobody knows in what": [dossier.put(dossier.normal, "/sources/github", {"status": "incomplete"}), "unknown", ["rev.incomplete"]],
		"source not read": [dossier.without(dossier.normal, "/sources/github"), "unknown", ["rev.incomplete"]],
		"merged at no known time": [dossier.without(dossier.normal, $"{_pull}/merged_at"), "unknown", ["rev.incomplete"]],
		"merged at no known time, nobody approved": [dossier.without(_reviewed([]), $"{_pull}/merged_at"), "fail", ["rev.none"]],
		"open, not approved": [_open(_reviewed([])), "pending", ["rev.none"]],
		"open, approved": [_open(dossier.normal), "pending", ["rev.none"]],
		"closed, deployments unread": [dossier.unread(dossier.put(_open(dossier.normal), $"{_pull}/closed_at", "2026-11-10T12:00:00Z"), "render"), "unknown", ["rev.incomplete"]],
		"deployed unmerged": [_unmerged([]), "fail", ["rev.unmerged"]],
		"deployed unmerged, though approved": [_unmerged([_approval]), "fail", ["rev.unmerged"]],
		"deployed unmerged, reviews unread": [_missing(_unmerged([]), ["reviews"]), "unknown", ["rev.incomplete"]],
		"not yet deployed by hand": [json.patch(_unmerged([]), [{"op": "remove", "path": "/change/deployments/0/live_at"}, {"op": "replace", "path": "/change/deployments/0/status", "value": "build_in_progress"}]), "pending", ["rev.unmerged"]],
		"a push": [dossier.push, "fail", ["rev.none"]],
		"a push a moment ago": [_at(dossier.push, "2026-11-10T11:21:00Z"), "pending", ["rev.none"]],
		"a push a second longer ago": [_at(dossier.push, "2026-11-10T11:21:01Z"), "fail", ["rev.none"]],
		"a push, pull requests unread": [_missing(dossier.push, ["pull_requests"]), "unknown", ["rev.incomplete"]],
		"a push at no known time": [dossier.without(dossier.push, "/change/push/at"), "fail", ["rev.none"]],
		"an emergency": [dossier.emergency, "not_applicable", []],
		"an emergency, trigger still open": [_at(_untriggered, "2026-11-11T11:06:00Z"), "pending", ["rev.none"]],
		"an emergency, tracker unread": [dossier.unread(_untriggered, "issues"), "unknown", ["rev.none"]],
		"an emergency without a trigger": [_untriggered, "fail", ["rev.none"]],
		"a standard change is reviewed too": [dossier.put(dossier.standard, $"{_pull}/reviews", []), "fail", ["rev.none"]],
		"a standard change, reviewed": [dossier.standard, "pass", []],
		"a grant": [dossier.grant, "pass", []],
		"a grant nobody approved": [_request([]), "fail", ["rev.none"]],
		"a grant the beneficiary approved": [_request([{"by": "bob", "at": "2026-11-10T15:00:00Z"}]), "fail", ["rev.none", "rev.self"]],
		"a grant a stranger approved": [_request([{"by": "zoe", "at": "2026-11-10T15:00:00Z"}]), "fail", ["rev.none", "rev.not_authorised"]],
		"a grant a stranger approved, directory unread": [dossier.unread(_request([{"by": "zoe", "at": "2026-11-10T15:00:00Z"}]), "iam"), "unknown", ["rev.incomplete"]],
		"a grant approved by several at one address": [json.patch(_request([{"by": "ops@acme.example", "at": "2026-11-10T15:00:00Z"}]), [{"op": "add", "path": "/people/2/accounts/mail", "value": ["ops@acme.example"]}, {"op": "add", "path": "/people/3/accounts/mail", "value": ["ops@acme.example"]}]), "unknown", ["actor.unresolved"]],
		"a grant a bot approved": [dossier.put(dossier.grant, "/people/2/kind", "bot"), "fail", ["rev.bot", "rev.none"]],
		"a grant somebody approved who had left": [dossier.put(dossier.grant, "/people/2/authorised", [{"from": "2024-01-01T00:00:00Z", "until": "2026-11-01T00:00:00Z"}]), "fail", ["rev.none", "rev.not_authorised"]],
		"a grant approved within the skew": [_request([{"by": "carol", "at": "2026-11-11T09:01:00Z"}]), "pass", []],
		"a grant approved a second later": [_request([{"by": "carol", "at": "2026-11-11T09:01:01Z"}]), "fail", ["rev.after_merge", "rev.none"]],
		"a grant approved at no known time": [_request([{"by": "carol"}]), "unknown", ["rev.incomplete"]],
		"a grant the beneficiary approved at no known time": [_request([{"by": "bob"}]), "fail", ["rev.none", "rev.self"]],
		"a grant approved twice, once in time": [_request([{"by": "carol"}, {"by": "carol", "at": "2026-11-10T15:00:00Z"}]), "pass", []],
		"a grant made at no known time": [dossier.without(dossier.grant, "/change/event/at"), "unknown", ["rev.incomplete"]],
		"a grant nobody approved, made at no known time": [dossier.without(_request([]), "/change/event/at"), "fail", ["rev.none"]],
		"a grant, tracker unread": [dossier.unread(dossier.grant, "issues"), "pass", []],
		"a grant nobody approved, tracker unread": [dossier.unread(_request([]), "issues"), "unknown", ["rev.incomplete"]],
		"a setting approved by who asked": [json.patch(_request([{"by": "bob", "at": "2026-11-10T15:00:00Z"}]), [{"op": "replace", "path": "/change/kind", "value": "platform_config"}, {"op": "remove", "path": "/change/event/beneficiary"}]), "fail", ["rev.none", "rev.self"]],
		"a setting approved by who wrote the issue": [json.patch(dossier.grant, [{"op": "replace", "path": "/change/kind", "value": "platform_config"}, {"op": "add", "path": "/change/issue/author", "value": "carol"}]), "fail", ["rev.none", "rev.self"]],
		"a setting nobody asked for, approved by who made it": [json.patch(_request([{"by": "alice", "at": "2026-11-10T15:00:00Z"}]), [{"op": "remove", "path": "/change/event/requested_by"}, {"op": "remove", "path": "/change/event/beneficiary"}]), "fail", ["rev.none", "rev.self"]],
		"a setting approved on issue and pull request": [json.patch(dossier.grant, [{"op": "add", "path": "/change/pull_request", "value": object.union(dossier.normal.change.pull_request, {"reviews": [object.union(_approval, {"user": "carol", "commit_id": dossier.other})]})}]), "pass", []],
		"a setting objected to on its pull request": [json.patch(dossier.grant, [{"op": "add", "path": "/change/pull_request", "value": object.union(dossier.normal.change.pull_request, {"reviews": [object.union(_objection, {"user": "erin"})]})}]), "fail", ["rev.changes_requested_open"]],
		"a rollback": [dossier.rollback, "pass", []],
		"a rollback to what was not reviewed": [dossier.put(dossier.rollback, "/change/rollback/target_review", "non_compliant"), "fail", ["rev.other_context"]],
		"a rollback to what was never live": [dossier.put(dossier.rollback, "/change/rollback/previously_live", false), "fail", ["rev.other_context"]],
		"a rollback of unknown review": [dossier.put(dossier.rollback, "/change/rollback/target_review", "unknown"), "unknown", ["rev.incomplete"]],
		"a rollback of which nothing is known": [dossier.without(dossier.rollback, "/change/rollback"), "unknown", ["rev.incomplete"]],
		"a copy, approved before it was opened": [json.patch(_review({"submitted_at": "2026-11-10T08:59:59Z"}), [{"op": "add", "path": $"{_pull}/cherry_pick_of", "value": dossier.other}]), "fail", ["rev.none", "rev.other_context"]],
		"a copy, approved as it was opened": [json.patch(_review({"submitted_at": "2026-11-10T09:00:00Z"}), [{"op": "add", "path": $"{_pull}/cherry_pick_of", "value": dossier.other}]), "pass", []],
		"a bot approved, nobody knows when": [dossier.put(_without("submitted_at"), "/people/1/kind", "bot"), "fail", ["rev.bot", "rev.none"]],
		"a cherry-pick is reviewed anew": [dossier.put(_review({"commit_id": dossier.other}), $"{_pull}/cherry_pick_of", dossier.other), "fail", ["rev.none", "rev.stale"]],
		"waived": [dossier.waived(_reviewed([]), _id, {}), "waived", ["rev.none"]],
		"waived by its alias": [dossier.waived(_reviewed([]), "CM-3.B.1", {}), "waived", ["rev.none"]],
		"waived after the merge": [dossier.waived(_reviewed([]), _id, {"approved_at": "2026-11-10T11:00:01Z"}), "fail", ["rev.none", "waiver.late"]],
	}
	dossier.says(_id, case[0], case[1], case[2])
}

test_template_procedures_stand_for_the_review if {
	unreviewed := dossier.put(dossier.standard, $"{_pull}/reviews", [])
	dossier.status(_id, unreviewed) == "not_applicable" with data.settings.standard_peer_review as "template"
	dossier.status(_id, _reviewed([])) == "fail" with data.settings.standard_peer_review as "template"
}

# --- Order and repetition -----------------------------------------------------------------

test_order_does_not_matter if {
	reviews := [
		_approval, _objection,
		object.union(_approval, {"user": "carol", "submitted_at": "2026-11-10T10:50:00Z"}),
		object.union(_approval, {"user": "zoe", "permission": "read"}),
	]
	base := dossier.finding(_id, _reviewed(reviews))
	base.status == "pass"
	every turned in [array.reverse(reviews), array.concat(reviews, reviews), [reviews[2], reviews[0], reviews[3], reviews[1]]] {
		found := dossier.finding(_id, _reviewed(turned))
		found.status == base.status
		found.message == base.message
	}
}

test_order_of_a_failure_does_not_matter if {
	reviews := [object.union(_approval, {"user": "zoe"}), object.union(_approval, {"user": "alice"}), _objection]
	base := dossier.finding(_id, _reviewed(reviews))
	base.reasons == ["rev.changes_requested_open", "rev.none", "rev.not_authorised", "rev.self"]
	every turned in [array.reverse(reviews), array.concat(reviews, reviews)] {
		dossier.finding(_id, _reviewed(turned)).message == base.message
	}
}

test_says_who_and_what if {
	found := dossier.finding(_id, _review({"user": "alice"}))
	contains(found.message, "alice wrote, requested or gains by the change")
	contains(found.remediation, "not alice")
	found.decisive_at == "2026-11-10T11:00:00Z"
	found.evidence == ["/change/pull_request", "/change/pull_request/reviews/0"]
}
