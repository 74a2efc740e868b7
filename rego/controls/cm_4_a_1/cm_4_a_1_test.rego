package tests.cm_4_a_1

import data.tests.dossier

_id := "CM-4.A.1"

_image(changes) := json.patch(dossier.without(dossier.normal, "/change/pull_request"), [
	{"op": "replace", "path": "/change/kind", "value": "image_deploy"},
	{"op": "remove", "path": "/change/files"},
	{"op": "add", "path": "/change/deployments/0/image", "value": object.union({"ref": "ghcr.io/acme/api:1.4", "digest": "sha256:aa", "provenance": {"commit": dossier.merge}}, changes)},
])

_bare_image := dossier.without(_image({}), "/change/deployments/0/image/provenance")

# loose: a deployment of a commit that no pull request or push explains.
_loose(on_branch) := json.patch(dossier.without(dossier.normal, "/change/pull_request"), [
	{"op": "replace", "path": "/change/kind", "value": "manual_deploy"},
	{"op": "replace", "path": "/change/deployments/0/on_protected_branch", "value": on_branch},
])

_config(changes) := json.patch(dossier.grant, [
	{"op": "replace", "path": "/change/kind", "value": "platform_config"},
	{"op": "replace", "path": "/change/event", "value": object.union(
		{
			"system": "render", "type": "UpdateEnvVarsEvent", "actor": "alice@acme.example", "at": "2026-11-11T09:00:00Z", "keys": ["LOG_LEVEL"], "git_expressible": false,
		},
		changes,
	)},
])

_opened(base, at) := dossier.put(base, "/change/issue/created_at", at)

_unrequested := dossier.without(_config({}), "/change/issue")

_urgent(base) := json.patch(base, [
	{"op": "add", "path": "/change/declared", "value": {"type": "emergency"}},
	{"op": "add", "path": "/change/emergency_trigger", "value": object.union(dossier.emergency.change.emergency_trigger, {"started_at": "2026-11-11T08:00:00Z", "recorded_at": "2026-11-11T08:05:00Z", "resolved_at": "2026-11-11T10:00:00Z"})},
])

_at(base, now) := dossier.put(base, "/evaluated_at", now)

_missing(base, facts) := dossier.put(base, "/sources/github", {"status": "incomplete", "missing": facts})

test_status[note] if {
	some note, case in {
		"a pull request": [dossier.normal, "pass", []],
		"a push": [dossier.push, "pass", []],
		"a pull request, though commits unread": [_missing(dossier.normal, ["commits"]), "pass", []],
		"a deployed commit of the branch": [_loose(true), "pass", []],
		"a deployed commit of no branch": [_loose(false), "fail", ["track.no_commit"]],
		"a deployed commit of no known branch": [dossier.without(_loose(true), "/change/deployments/0/on_protected_branch"), "unknown", ["track.no_commit"]],
		"a deployed commit, pushes unread": [_missing(_loose(false), ["activity"]), "unknown", ["track.no_commit"]],
		"a deployed commit, pull requests unread": [_missing(_loose(false), ["pull_request"]), "unknown", ["track.no_commit"]],
		"nothing on record": [dossier.without(_loose(true), "/change/deployments"), "unknown", ["track.no_commit"]],
		"an image with provenance": [_image({}), "pass", []],
		"an image with provenance of another spelling": [_image({"provenance": "verified"}), "pass", []],
		"an image with provenance that failed": [_image({"provenance": {"commit": dossier.merge, "verified": false}}), "fail", ["track.image_no_provenance"]],
		"an image without provenance": [_bare_image, "fail", ["track.image_no_provenance"]],
		"an image whose provenance is none": [_image({"provenance": "none"}), "fail", ["track.image_no_provenance"]],
		"an image without provenance, attestations unread": [dossier.unread(_bare_image, "attestations"), "unknown", ["track.image_no_provenance"]],
		"an image whose provenance is none, attestations unread": [dossier.unread(_image({"provenance": "none"}), "attestations"), "fail", ["track.image_no_provenance"]],
		"no image at all": [dossier.without(_image({}), "/change/deployments/0/image"), "fail", ["track.image_no_provenance"]],
		"an image not live": [json.patch(_image({}), [{"op": "remove", "path": "/change/deployments/0/live_at"}, {"op": "replace", "path": "/change/deployments/0/status", "value": "queued"}]), "not_applicable", []],
		"an image, deployments unread": [dossier.unread(dossier.without(_image({}), "/change/deployments"), "render"), "unknown", ["track.no_commit"]],
		"a grant with a request": [dossier.grant, "pass", []],
		"a setting Git could hold, made by hand": [_config({"git_expressible": true}), "fail", ["track.dashboard_not_in_git"]],
		"a setting Git could hold, repository unread": [dossier.unread(_config({"git_expressible": true}), "github"), "unknown", ["track.dashboard_not_in_git"]],
		"a setting from the blueprint": [_config({"git_expressible": true, "blueprint_commit": dossier.merge}), "pass", []],
		"a setting brought back into Git": [dossier.put(_config({"git_expressible": true}), "/change/pull_request", dossier.normal.change.pull_request), "pass", []],
		"a setting Git cannot hold, with an issue": [_config({}), "pass", []],
		"a setting of which nobody knows": [dossier.without(_config({}), "/change/event/git_expressible"), "unknown", ["track.dashboard_not_in_git"]],
		"a setting of which nobody knows, without an issue": [dossier.without(_unrequested, "/change/event/git_expressible"), "fail", ["track.no_issue"]],
		"no issue": [_unrequested, "fail", ["track.no_issue"]],
		"no issue, tracker unread": [dossier.unread(_unrequested, "issues"), "unknown", ["track.no_issue"]],
		"an issue, tracker unread": [dossier.unread(_config({}), "issues"), "pass", []],
		"an issue of the same second": [_opened(_config({}), "2026-11-11T09:00:00Z"), "pass", []],
		"an issue within the skew": [_opened(_config({}), "2026-11-11T09:01:00Z"), "pass", []],
		"an issue a second later": [_opened(_config({}), "2026-11-11T09:01:01Z"), "fail", ["track.no_issue"]],
		"an issue by another offset": [_opened(_config({}), "2026-11-11T10:30:00+02:00"), "pass", []],
		"an issue without a time": [dossier.without(_config({}), "/change/issue/created_at"), "unknown", ["track.no_issue"]],
		"an issue without an id": [dossier.without(_config({}), "/change/issue/id"), "pass", []],
		"an issue for a change without a time": [dossier.without(_config({}), "/change/event/at"), "unknown", ["track.no_issue"]],
		"no issue for a change without a time": [dossier.without(_unrequested, "/change/event/at"), "fail", ["track.no_issue"]],
		"an emergency without an issue": [_urgent(_unrequested), "fail", ["track.no_issue"]],
		"an emergency without an issue, window open": [_at(_urgent(_unrequested), "2026-11-12T09:00:00Z"), "pending", ["track.no_issue"]],
		"an emergency without an issue, a second later": [_at(_urgent(_unrequested), "2026-11-12T09:00:01Z"), "fail", ["track.no_issue"]],
		"an emergency with an issue at the end of the window": [_opened(_urgent(_config({})), "2026-11-12T09:00:00Z"), "pass", []],
		"an emergency with an issue a second later": [_opened(_urgent(_config({})), "2026-11-12T09:00:01Z"), "fail", ["track.no_issue"]],
		"a rollback": [dossier.rollback, "pass", []],
		"a rollback off the branch": [dossier.put(dossier.rollback, "/change/deployments/0/on_protected_branch", false), "fail", ["track.no_commit"]],
		"a rollback to a commit of which only the record tells": [dossier.without(dossier.rollback, "/change/deployments"), "pass", []],
		"a rollback to a commit of which only the deployment tells": [dossier.without(dossier.without(dossier.rollback, "/change/rollback/to_commit"), "/change/deployments/0/on_protected_branch"), "pass", []],
		"a rollback to no known commit": [dossier.without(dossier.without(dossier.rollback, "/change/rollback/to_commit"), "/change/deployments/0/commit"), "unknown", ["track.no_commit"]],
		"cannot be waived": [dossier.waived(_unrequested, _id, {}), "fail", ["track.no_issue", "waiver.unwaivable"]],
	}
	dossier.says(_id, case[0], case[1], case[2])
}

test_due if {
	dossier.finding(_id, _at(_urgent(_unrequested), "2026-11-12T08:00:00Z")).due_at == "2026-11-12T09:00:00Z"
}

test_alias if "CM-3.A.2" in dossier.finding(_id, dossier.normal).aliases
