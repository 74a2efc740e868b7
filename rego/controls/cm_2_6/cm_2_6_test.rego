package tests.cm_2_6

import data.tests.dossier

_id := "CM-2.6"

_pull := "/change/pull_request"

_review(field, value) := dossier.put(dossier.normal, $"{_pull}/reviews/0/{field}", value)

_bot(extra) := object.union({"id": "mergebot", "kind": "bot", "accounts": {"github": ["mergebot[bot]"]}}, extra)

_with(person) := dossier.put(dossier.normal, "/people/-", person)

_merged_by(base, account) := dossier.put(base, $"{_pull}/merged_by", account)

_until(person, at) := dossier.put(dossier.normal, $"/people/{person}/authorised", [{"from": "2025-03-03T00:00:00Z", "until": at}])

_from(person, at) := dossier.put(dossier.normal, $"/people/{person}/authorised", [{"from": at}])

_pushed := dossier.push

test_status[note] if {
	some note, case in {
		"a commit without an author": [dossier.without(dossier.normal, "/change/pull_request/commits/0/author"), "unknown", ["actor.missing"]],
		"a pull request that nobody opened": [dossier.without(dossier.normal, "/change/pull_request/author"), "unknown", ["actor.missing"]],
		"everybody known": [dossier.normal, "pass", []],
		"accounts compare without case": [_review("user", "BOB"), "pass", []],
		"a push": [_pushed, "pass", []],
		"a grant": [dossier.grant, "pass", []],
		"an account nobody has": [_review("user", "zoe"), "fail", ["actor.unresolved"]],
		"an account nobody has, directory unread": [dossier.unread(_review("user", "zoe"), "iam"), "unknown", ["actor.unresolved"]],
		"everybody known, directory unread": [dossier.unread(dossier.normal, "iam"), "pass", []],
		"a comment of a stranger": [dossier.put(dossier.normal, $"{_pull}/reviews/-", {"user": "zoe", "state": "COMMENTED", "submitted_at": "2026-11-10T10:31:00Z"}), "pass", []],
		"an objection of a stranger": [dossier.put(dossier.normal, $"{_pull}/reviews/-", {"user": "zoe", "state": "changes_requested", "submitted_at": "2026-11-10T10:31:00Z"}), "fail", ["actor.unresolved"]],
		"a deleted account": [_merged_by(dossier.normal, "ghost"), "unknown", ["actor.unresolved"]],
		"a shared account": [dossier.put(dossier.normal, "/people/2/accounts/github", ["carol", "bob"]), "unknown", ["actor.unresolved"]],
		"the platform merged": [_merged_by(dossier.normal, "github-merge-queue[bot]"), "unknown", ["actor.missing"]],
		"the queue merged for somebody": [dossier.put(_merged_by(dossier.normal, "github-merge-queue[bot]"), $"{_pull}/enqueued_by", "carol"), "pass", []],
		"the queue merged for a stranger": [dossier.put(_merged_by(dossier.normal, "github-merge-queue[bot]"), $"{_pull}/enqueued_by", "zoe"), "fail", ["actor.unresolved"]],
		"a registered bot merged": [_merged_by(_with(_bot({"registered": true, "owner": "carol"})), "mergebot[bot]"), "pass", []],
		"a bot that nobody registered": [_merged_by(_with(_bot({})), "mergebot[bot]"), "fail", ["bot.unregistered"]],
		"a bot whose registration was withdrawn": [_merged_by(_with(_bot({"registered": false})), "mergebot[bot]"), "fail", ["bot.unregistered"]],
		"a tool in a trailer": [dossier.put(dossier.normal, $"{_pull}/commits/0/co_authors", ["Claude <noreply@anthropic.com>"]), "pass", []],
		"a stranger as co-author": [dossier.put(dossier.normal, $"{_pull}/commits/0/co_authors", ["Zoe <zoe@else.example>"]), "fail", ["actor.unresolved"]],
		"a co-author by the address GitHub lends": [dossier.put(dossier.normal, $"{_pull}/commits/0/co_authors", ["Carol <42+carol@users.noreply.github.com>"]), "pass", []],
		"left a second before the review": [_until(1, "2026-11-10T10:29:59Z"), "fail", ["actor.not_authorised_at_time"]],
		"left at the second of the review": [_until(1, "2026-11-10T10:30:00Z"), "pass", []],
		"left after the review": [_until(1, "2026-11-12T00:00:00Z"), "pass", []],
		"left after the review, by another offset": [_until(1, "2026-11-10T11:30:00+01:00"), "pass", []],
		"not started yet": [_from(1, "2026-11-10T10:30:01Z"), "fail", ["actor.not_authorised_at_time"]],
		"started at that second": [_from(1, "2026-11-10T10:30:00Z"), "pass", []],
		"never authorised": [dossier.put(dossier.normal, "/people/1/authorised", []), "fail", ["actor.not_authorised_at_time"]],
		"without periods": [dossier.without(dossier.normal, "/people/1/authorised"), "fail", ["actor.not_authorised_at_time"]],
		"a period without a start": [dossier.put(dossier.normal, "/people/1/authorised", [{"until": "2027-01-01T00:00:00Z"}]), "fail", ["actor.not_authorised_at_time"]],
		"two periods, listed twice": [dossier.put(_until(1, "2025-12-31T00:00:00Z"), "/people/-", object.union(dossier.bob, {"authorised": [{"from": "2026-06-01T00:00:00Z"}]})), "pass", []],
		"authorised elsewhere": [dossier.put(dossier.normal, "/people/1/authorised", [{"from": "2025-03-03T00:00:00Z", "systems": ["render"]}]), "fail", ["actor.not_authorised_at_time"]],
		"authorised here": [dossier.put(dossier.normal, "/people/1/authorised", [{"from": "2025-03-03T00:00:00Z", "systems": ["render", "github"]}]), "pass", []],
		"left between review and now, review undated": [dossier.without(_until(1, "2026-11-10T10:59:59Z"), $"{_pull}/reviews/0/submitted_at"), "fail", ["actor.not_authorised_at_time"]],
		"an approver of a request had left": [dossier.put(dossier.grant, "/people/2/authorised", [{"from": "2024-09-02T00:00:00Z", "until": "2026-11-10T14:59:59Z"}]), "fail", ["actor.not_authorised_at_time"]],
		"who gains need be nobody yet": [dossier.put(dossier.grant, "/change/event/beneficiary", "newcomer@acme.example"), "pass", []],
		"who asked is nobody": [dossier.put(dossier.grant, "/change/event/requested_by", "zoe"), "fail", ["actor.unresolved"]],
		"reviews unread": [dossier.put(dossier.normal, "/sources/github", {"status": "incomplete", "missing": ["reviews"]}), "unknown", ["actor.missing"]],
		"commits unread": [dossier.put(dossier.normal, "/sources/github", {"status": "incomplete", "missing": ["commits"]}), "unknown", ["actor.missing"]],
		"checks unread": [dossier.put(dossier.normal, "/sources/github", {"status": "incomplete", "missing": ["checks"]}), "pass", []],
		"a stranger, though reviews unread": [dossier.put(_merged_by(dossier.normal, "zoe"), "/sources/github", {"status": "incomplete", "missing": ["reviews"]}), "fail", ["actor.unresolved"]],
		"nobody merged": [dossier.without(dossier.normal, $"{_pull}/merged_by"), "unknown", ["actor.missing"]],
		"nobody wrote": [json.patch(dossier.normal, [{"op": "remove", "path": $"{_pull}/author"}, {"op": "remove", "path": $"{_pull}/commits/0/author"}, {"op": "remove", "path": $"{_pull}/commits/0/committer"}]), "unknown", ["actor.missing"]],
		"nobody applied": [dossier.without(dossier.grant, "/change/event/actor"), "unknown", ["actor.missing"]],
		"nobody pushed": [dossier.without(_pushed, "/change/push/actor"), "unknown", ["actor.missing"]],
		"nobody rolled back": [dossier.without(dossier.rollback, "/change/deployments/0/user"), "unknown", ["actor.missing"]],
		"a rollback by somebody": [dossier.rollback, "pass", []],
		"a rollback by the actor of its event": [dossier.put(dossier.without(dossier.rollback, "/change/deployments/0/user"), "/change/event", {"actor": "alice@acme.example"}), "pass", []],
		"a hook that nobody registered": [dossier.put(dossier.normal, "/change/deployments/0/trigger", "deploy_hook"), "unknown", ["actor.missing"]],
		"a registered hook": [dossier.patched(dossier.normal, [{"op": "add", "path": "/change/deployments/0/trigger", "value": "deploy_hook"}, {"op": "add", "path": "/change/deployments/0/hook_registered", "value": true}]), "pass", []],
		"pressed by nobody on record": [dossier.put(dossier.normal, "/change/deployments/0/trigger", "manual"), "unknown", ["actor.missing"]],
		"pressed by a stranger": [dossier.put(dossier.normal, "/change/deployments/0/user", "zoe@else.example"), "fail", ["actor.unresolved"]],
		"live since nobody knows when": [json.patch(dossier.put(dossier.normal, "/change/deployments/0/user", "zoe@else.example"), [{"op": "remove", "path": "/change/deployments/0/live_at"}, {"op": "remove", "path": "/change/deployments/0/started_at"}]), "fail", ["actor.unresolved"]],
		"an event without a time": [dossier.without(dossier.put(dossier.grant, "/change/event/actor", "zoe"), "/change/event/at"), "fail", ["actor.unresolved"]],
		"waived": [dossier.waived(_review("user", "zoe"), _id, {}), "waived", ["actor.unresolved"]],
	}
	dossier.says(_id, case[0], case[1], case[2])
}

test_message if {
	found := dossier.finding(_id, _until(1, "2026-11-10T10:29:59Z"))
	contains(found.message, "bob reviewed the change at 2026-11-10T10:30:00Z, outside every period of authorisation (2025-03-03T00:00:00Z to 2026-11-10T10:29:59Z)")
	found.evidence == ["/change/pull_request/reviews/0"]
}

test_order_does_not_matter if {
	base := dossier.put(dossier.normal, $"{_pull}/reviews/-", {"user": "zoe", "state": "APPROVED", "submitted_at": "2026-11-10T10:31:00Z", "commit_id": dossier.head, "permission": "read"})
	turned := dossier.put(base, $"{_pull}/reviews", array.reverse(base.change.pull_request.reviews))
	every field in ["status", "message", "reasons"] {
		dossier.finding(_id, base)[field] == dossier.finding(_id, turned)[field]
	}
}
