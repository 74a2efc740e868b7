# METADATA
# title: Approval is enforced by repository protections
# description: At the merge the branch demanded a pull request with at least one approval, from administrators too, and nobody bypassed the rules or lowered them for the occasion.
# scope: package
# custom:
#   id: CM-4.B.3
#   clause: "4.b-3"
#   remediation: Require pull requests with approvals on the production branch, without exception for administrators.
package controls.cm_4_b_3

import data.classification
import data.lib.change
import data.lib.clock
import data.lib.evidence
import data.lib.review

decisive_at := review.decisive

not_applicable := "No branch is involved." if not change.from_git

not_applicable := "An emergency may use the logged bypass." if {
	change.from_git
	classification.type == "emergency"
}

not_applicable := "Nothing was merged." if {
	change.from_git
	classification.type != "emergency"
	not change.merged_at
	not change.merge_unread
}

_rules := input.change.branch_protection

_state_evidence := {"/change/branch_protection"} if {
	_rules
} else := change.pointers

_fix := "Require pull requests with at least one approval on the production branch, for administrators too."

problems contains {
	"status": "fail",
	"reason": "prot.bypassed",
	"message": $"{object.get(input.change.push, "actor", "Somebody")} could push {change.short(object.get(input.change.push, "after", ""))} straight to {object.get(input.change, "base_branch", "the branch")}.",
	"evidence": {"/change/push"},
	"remediation": _fix,
} if {
	input.change.push
	not change.has_pull_request
	not change.in_flight
	evidence.complete(evidence.code, "pull_requests")
}

problems contains {
	"status": "unknown",
	"reason": "prot.bypassed",
	"message": $"Whether {change.name} went around the protections cannot be told, because its pull request may not have been read: {evidence.gap(evidence.code)}.",
	"evidence": evidence.pointer(evidence.code),
	"remediation": "Read the repository completely and evaluate again.",
} if {
	input.change.push
	not change.has_pull_request
	not change.in_flight
	not evidence.complete(evidence.code, "pull_requests")
}

problems contains {
	"status": "pending",
	"reason": "prot.bypassed",
	"message": $"Whether {change.name} went around the protections is known at {clock.text(change.settled_at)}, when its pull request can no longer be on its way.",
	"evidence": {"/change/push"},
	"remediation": "Wait until the source has settled.",
	"due_at": change.settled_at,
} if {
	input.change.push
	not change.has_pull_request
	change.in_flight
}

problems contains {
	"status": "fail",
	"reason": "prot.bypassed",
	"message": $"{object.get(_rules, "bypass_actor", "Somebody")} bypassed the protections of {object.get(input.change, "base_branch", "the branch")}.",
	"evidence": {"/change/branch_protection/bypassed"},
	"remediation": "Take the right to bypass away, or keep it for logged emergencies.",
} if {
	_rules.bypassed == true
}

problems contains {
	"status": "fail",
	"reason": "prot.admin_exempt",
	"message": $"The protections of {object.get(input.change, "base_branch", "the branch")} did not apply to administrators.",
	"evidence": {"/change/branch_protection/applies_to_admins"},
	"remediation": _fix,
} if {
	_rules.applies_to_admins == false
}

problems contains {
	"status": "fail",
	"reason": "prot.zero",
	"message": $"{object.get(input.change, "base_branch", "The branch")} demanded no approval.",
	"evidence": {"/change/branch_protection/required_approvals"},
	"remediation": _fix,
} if {
	_rules.required_approvals == 0
}

problems contains {
	"status": "fail",
	"reason": "prot.absent",
	"message": $"{object.get(input.change, "base_branch", "The branch")} did not demand a pull request.",
	"evidence": {"/change/branch_protection/pull_request_required"},
	"remediation": _fix,
} if {
	_rules.pull_request_required == false
}

problems contains {
	"status": "fail",
	"reason": "prot.absent",
	"message": $"{object.get(input.change, "base_branch", "The branch")} had no protection at the merge.",
	"evidence": change.pointers,
	"remediation": _fix,
} if {
	change.has_pull_request
	not _rules
	evidence.complete(evidence.code, "protection")
}

problems contains {
	"status": "unknown",
	"reason": "prot.absent",
	"message": $"The protections at the merge could not be read: {evidence.gap(evidence.code)}.",
	"evidence": evidence.pointer(evidence.code),
	"remediation": "Grant the collector the right to read branch protection and rulesets.",
} if {
	change.has_pull_request
	not evidence.complete(evidence.code, "protection")
}

problems contains {
	"status": "unknown",
	"reason": "prot.absent",
	"message": $"The protections on record do not say {field}.",
	"evidence": {"/change/branch_protection"},
	"remediation": "Read the branch protection completely and evaluate again.",
} if {
	change.has_pull_request
	some key, field in {
		"required_approvals": "how many approvals were required",
		"applies_to_admins": "whether they applied to administrators",
		"bypassed": "whether somebody bypassed them",
	}
	_rules
	object.get(_rules, key, "absent") == "absent"
}

# The last change of the rules before the merge lowered them: a snapshot taken
# another day does not show it.
problems contains {
	"status": "fail",
	"reason": "prot.toggled",
	"message": $"The protections were lowered at {clock.text(last.at)}, before the merge at {clock.text(change.merged_at)}{_restored}.",
	"evidence": {$"/change/protection_events/{last.index}"},
	"remediation": "Have the change reviewed again, and find out who lowered the protections and why.",
} if {
	last := _last_event
	last.lowered == true
}

# What the last event did to the rules is not understood.
problems contains {
	"status": "unknown",
	"reason": "prot.toggled",
	"message": $"The protections were changed at {clock.text(last.at)}, before the merge, and what that did to them is not on record.",
	"evidence": {$"/change/protection_events/{last.index}"},
	"remediation": "Find out what was changed, and evaluate again.",
} if {
	last := _last_event
	last.lowered == "unclear"
}

# A merge past the rules, as the history has it.
problems contains {
	"status": "fail",
	"reason": "prot.bypassed",
	"message": $"{object.get(event, "actor", "Somebody")} bypassed the protections of {object.get(input.change, "base_branch", "the branch")} at the merge.",
	"evidence": {$"/change/protection_events/{index}"},
	"remediation": "Take the right to bypass away, or keep it for logged emergencies.",
} if {
	not _rules.bypassed == true
	some index, event in input.change.protection_events
	_is_bypass(event)
	_of_this_merge(event)
}

_is_bypass(event) if regex.match(`(bypass|override)`, _words(event))

_of_this_merge(event) if event.after in change.content_shas

_of_this_merge(event) if {
	not _names_commit(event)
	abs(_event_at(event) - change.merged_at) <= clock.skew
}

_names_commit(event) if is_string(event.after)

_events contains {"at": _event_at(event), "index": index, "lowered": _effect(event)} if {
	some index, event in input.change.protection_events
	not _is_bypass(event)
}

_effect(event) := _lowers(event) if {
	is_boolean(_lowers(event))
} else := "unclear"

_event_at(event) := clock.instant([event[field] |
	some field in ["at", "occurred_at", "created_at", "timestamp"]
	is_string(event[field])
][0])

# A lowering whose time is not on record may have been in force at the merge.
problems contains {
	"status": "unknown",
	"reason": "prot.toggled",
	"message": "The protections were lowered, and whether that was in force at the merge is not on record.",
	"evidence": {$"/change/protection_events/{index}"},
	"remediation": "Find out when the protections were lowered and restored, and evaluate again.",
} if {
	some index, event in input.change.protection_events
	_lowers(event) == true
	not _placed(event)
}

_placed(event) if {
	_event_at(event)
	change.merged_at
}

_last_event := ranked[count(ranked) - 1][2] if {
	ranked := sort([[event.at, event.index, event] |
		some event in _events
		event.at <= change.merged_at
	])
	count(ranked) > 0
}

_restored := $" and restored at {clock.text(min(later))}" if {
	later := {event.at | some event in _events; event.at > change.merged_at; event.lowered == false}
	count(later) > 0
}

default _restored := ""

_words(event) := lower(concat(" ", [value |
	some key in ["action", "change", "detail", "event", "kind", "state", "status", "type", "what"]
	value := event[key]
	is_string(value)
]))

_lowers(event) := false if {
	regex.match(`(restor|re-?enabl|enabled|created|raised|strengthen|reinstat|turned on)`, _words(event))
} else if {
	regex.match(`(disabl|delet|remov|lower|weaken|destroy|turned off|relax|suspend|zero)`, _words(event))
} else if {
	_rule_after(event, "required_approvals") == 0
} else if {
	some key in ["applies_to_admins", "enabled", "pull_request_required"]
	_rule_after(event, key) == false
} else if {
	lower(_rule_after(event, "enforcement")) in {"disabled", "evaluate"}
} else := false if {
	_rule_after(event, "required_approvals") > 0
} else := false if {
	_rule_after(event, "enabled") == true
} else := false if {
	lower(_rule_after(event, "enforcement")) == "active"
}

# What a rule was after the event: in a state beside it, in the event itself, or
# as the field that changed.
_rule_after(event, key) := event.after[key] if {
	is_object(event.after)
} else := event.to[key] if {
	is_object(event.to)
} else := event[key] if {
	key in object.keys(event)
} else := event.to if {
	event.field == key
} else := event.after if {
	event.field == key
}

# Worth knowing, no violation: approvals may outlive what they approved.
observations contains {
	"reason": reason,
	"message": $"{object.get(input.change, "base_branch", "The branch")} {text}.",
	"evidence": {$"/change/branch_protection/{key}"},
} if {
	not not_applicable
	some key, [reason, text] in {
		"dismiss_stale_reviews": ["prot.stale_kept", "keeps approvals when further commits are pushed"],
		"require_last_push_approval": ["prot.last_push", "does not demand an approval of the last push by somebody else"],
	}
	_rules[key] == false
}

_demanded := "one approval" if {
	_rules.required_approvals == 1
} else := $"{_rules.required_approvals} approvals"

passed := {
	"message": $"{object.get(input.change, "base_branch", "The branch")} demanded a pull request with {_demanded}, from administrators too, and nobody bypassed it.",
	"evidence": _state_evidence,
}
