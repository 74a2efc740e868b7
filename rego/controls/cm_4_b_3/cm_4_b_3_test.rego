package tests.cm_4_b_3

import data.tests.dossier

_id := "CM-4.B.3"

_rule(key, value) := dossier.put(dossier.normal, $"/change/branch_protection/{key}", value)

_ruleless(key) := dossier.without(dossier.normal, $"/change/branch_protection/{key}")

_events(events) := dossier.put(dossier.normal, "/change/protection_events", events)

_missing(base, facts) := dossier.put(base, "/sources/github", {"status": "incomplete", "missing": facts})

_at(base, now) := dossier.put(base, "/evaluated_at", now)

_lowered := {"type": "branch_protection_rule.deleted", "actor": "alice", "at": "2026-11-10T10:58:00Z"}

_restored := {"type": "branch_protection_rule.created", "actor": "alice", "at": "2026-11-10T11:02:00Z"}

test_status[note] if {
	some note, case in {
		"protected": [dossier.normal, "pass", []],
		"no rules": [dossier.without(dossier.normal, "/change/branch_protection"), "fail", ["prot.absent"]],
		"no rules, protections unread": [_missing(dossier.without(dossier.normal, "/change/branch_protection"), ["branch_protection"]), "unknown", ["prot.absent"]],
		"no rules, checks unread": [_missing(dossier.without(dossier.normal, "/change/branch_protection"), ["checks"]), "fail", ["prot.absent"]],
		"rules, log unread": [_missing(dossier.normal, ["audit_log"]), "unknown", ["prot.absent"]],
		"bypassed, log unread": [_missing(_rule("bypassed", true), ["audit_log"]), "fail", ["prot.bypassed"]],
		"no approval demanded": [_rule("required_approvals", 0), "fail", ["prot.zero"]],
		"two approvals demanded": [_rule("required_approvals", 2), "pass", []],
		"no pull request demanded": [_rule("pull_request_required", false), "fail", ["prot.absent"]],
		"administrators exempt": [_rule("applies_to_admins", false), "fail", ["prot.admin_exempt"]],
		"bypassed": [_rule("bypassed", true), "fail", ["prot.bypassed"]],
		"bypassed by somebody": [dossier.put(_rule("bypassed", true), "/change/branch_protection/bypass_actor", "alice"), "fail", ["prot.bypassed"]],
		"nobody says how many approvals": [_ruleless("required_approvals"), "unknown", ["prot.absent"]],
		"nobody says about administrators": [_ruleless("applies_to_admins"), "unknown", ["prot.absent"]],
		"nobody says about bypasses": [_ruleless("bypassed"), "unknown", ["prot.absent"]],
		"nobody says about stale approvals": [_ruleless("dismiss_stale_reviews"), "pass", []],
		"no approval demanded, and nobody says about bypasses": [dossier.put(_ruleless("bypassed"), "/change/branch_protection/required_approvals", 0), "fail", ["prot.zero"]],
		"everything wrong": [dossier.put(dossier.normal, "/change/branch_protection", {"required_approvals": 0, "applies_to_admins": false, "bypassed": true, "pull_request_required": false}), "fail", ["prot.absent", "prot.admin_exempt", "prot.bypassed", "prot.zero"]],
		"lowered, merged, restored": [_events([_lowered, _restored]), "fail", ["prot.toggled"]],
		"in another order": [_events([_restored, _lowered]), "fail", ["prot.toggled"]],
		"recorded twice": [_events([_lowered, _restored, _lowered, _restored]), "fail", ["prot.toggled"]],
		"lowered at the merge": [_events([object.union(_lowered, {"at": "2026-11-10T11:00:00Z"})]), "fail", ["prot.toggled"]],
		"lowered a second later": [_events([object.union(_lowered, {"at": "2026-11-10T11:00:01Z"})]), "pass", []],
		"lowered and restored before": [_events([object.union(_lowered, {"at": "2026-11-10T10:00:00Z"}), object.union(_restored, {"at": "2026-11-10T10:59:00Z"})]), "pass", []],
		"lowered in numbers": [_events([{"type": "edited", "at": "2026-11-10T10:58:00Z", "after": {"required_approvals": 0}}]), "fail", ["prot.toggled"]],
		"exempted in numbers": [_events([{"type": "edited", "at": "2026-11-10T10:58:00Z", "after": {"applies_to_admins": false}}]), "fail", ["prot.toggled"]],
		"raised in numbers": [_events([{"type": "edited", "at": "2026-11-10T10:58:00Z", "after": {"required_approvals": 2}}]), "pass", []],
		"edited, and nobody says how": [_events([{"type": "edited", "at": "2026-11-10T10:58:00Z"}]), "unknown", ["prot.toggled"]],
		"edited, nobody says how, and restored": [_events([{"type": "edited", "at": "2026-11-10T10:58:00Z"}, object.union(_restored, {"at": "2026-11-10T10:59:00Z"})]), "pass", []],
		"raised, as the field that changed": [_events([{"type": "edited", "at": "2026-11-10T10:58:00Z", "field": "required_approvals", "to": 2}]), "pass", []],
		"lowered, as the field that changed": [_events([{"type": "edited", "at": "2026-11-10T10:58:00Z", "field": "required_approvals", "to": 0}]), "fail", ["prot.toggled"]],
		"lowered, in the event itself": [_events([{"type": "edited", "at": "2026-11-10T10:58:00Z", "required_approvals": 0}]), "fail", ["prot.toggled"]],
		"a ruleset put aside": [_events([{"type": "edited", "at": "2026-11-10T10:58:00Z", "to": {"enforcement": "evaluate"}}]), "fail", ["prot.toggled"]],
		"a ruleset in force again": [_events([{"type": "edited", "at": "2026-11-10T10:58:00Z", "to": {"enforcement": "active"}}]), "pass", []],
		"a rule in force again": [_events([{"type": "edited", "at": "2026-11-10T10:58:00Z", "after": {"enabled": true}}]), "pass", []],
		"bypassed, as the history has it": [_events([{"type": "protected_branch.policy_override", "at": "2026-11-10T11:00:30Z"}]), "fail", ["prot.bypassed"]],
		"another merge bypassed them": [_events([{"type": "protected_branch.policy_override", "at": "2026-11-10T10:00:00Z"}]), "pass", []],
		"this commit bypassed them": [_events([{"type": "protected_branch.policy_override", "at": "2026-11-10T10:00:00Z", "after": dossier.merge}]), "fail", ["prot.bypassed"]],
		"another commit bypassed them": [_events([{"type": "protected_branch.policy_override", "at": "2026-11-10T11:00:00Z", "after": dossier.other}]), "pass", []],
		"lowered at no known time": [_events([object.remove(_lowered, ["at"])]), "unknown", ["prot.toggled"]],
		"lowered, by another name of the time": [_events([object.union(object.remove(_lowered, ["at"]), {"occurred_at": "2026-11-10T10:58:00Z"})]), "fail", ["prot.toggled"]],
		"lowered before a merge at no known time": [dossier.without(_events([_lowered]), "/change/pull_request/merged_at"), "unknown", ["prot.toggled"]],
		"a push": [dossier.push, "fail", ["prot.bypassed"]],
		"a push a moment ago": [_at(dossier.push, "2026-11-10T11:21:00Z"), "pending", ["prot.bypassed"]],
		"a push a second longer ago": [_at(dossier.push, "2026-11-10T11:21:01Z"), "fail", ["prot.bypassed"]],
		"a push, pull requests unread": [_missing(dossier.push, ["pull_requests"]), "unknown", ["prot.bypassed"]],
		"a push at no known time": [dossier.without(dossier.push, "/change/push/at"), "fail", ["prot.bypassed"]],
		"still open": [json.patch(dossier.normal, [{"op": "remove", "path": "/change/pull_request/merged_at"}, {"op": "remove", "path": "/change/pull_request/merged_by"}, {"op": "remove", "path": "/change/deployments"}]), "not_applicable", []],
		"an emergency": [dossier.emergency, "not_applicable", []],
		"an emergency without a trigger": [dossier.without(dossier.emergency, "/change/emergency_trigger"), "fail", ["prot.bypassed"]],
		"a grant": [dossier.grant, "not_applicable", []],
		"a rollback": [dossier.rollback, "not_applicable", []],
		"waived": [dossier.waived(_rule("bypassed", true), _id, {}), "waived", ["prot.bypassed"]],
	}
	dossier.says(_id, case[0], case[1], case[2])
}

test_says_when_restored if {
	message := dossier.finding(_id, _events([_lowered, _restored])).message
	contains(message, "lowered at 2026-11-10T10:58:00Z, before the merge at 2026-11-10T11:00:00Z and restored at 2026-11-10T11:02:00Z")
}

test_observations[note] if {
	some note, case in {
		"stale approvals kept": [_rule("dismiss_stale_reviews", false), {"prot.stale_kept"}],
		"last push unapproved": [_rule("require_last_push_approval", false), {"prot.last_push"}],
		"nothing to remark": [dossier.normal, set()],
		"an emergency": [dossier.put(dossier.emergency, "/change/branch_protection/dismiss_stale_reviews", false), set()],
	}
	case[1] == {note.reason | some note in data.controls.cm_4_b_3.observations} with input as case[0]
}
