# METADATA
# title: A pull request, or an issue in its place, exists before the change
# description: Code reaches production through a pull request opened before the merge; what Git cannot hold through an issue opened before the change. In an emergency the record may follow within the documentation window.
# scope: package
# custom:
#   id: CM-4.A.2
#   clause: "4.a-2"
#   remediation: Open the pull request or issue before the change.
package controls.cm_4_a_2

import data.classification
import data.lib.change
import data.lib.clock
import data.lib.emergency
import data.lib.evidence
import data.lib.procedure

decisive_at := change.merged_at if {
	change.from_git
	change.merged_at
} else := change.effective_at if {
	change.effective_at
} else := clock.now

not_applicable := "A rollback to a reviewed build needs no pull request of its own." if {
	change.is_rollback
	classification.type == "standard"
}

_is_emergency if classification.type == "emergency"

# The moment before which the record has to exist.
_deadline := emergency.documentation_due if {
	_is_emergency
} else := min(_moments) if {
	change.from_git
	count(_moments) > 0
} else := change.effective_at + clock.skew

# The merge is the forge's own time; when it took effect another system says.
_moments contains change.merged_at

_moments contains change.effective_at + clock.skew

# record: what was opened for the change: pull request, documenting pull request, issue.
records contains {"pointer": "/change/pull_request", "name": change.name, "at": clock.instant(change.pull_request.created_at)} if {
	change.pull_request.created_at
}

records contains {"pointer": "/change/issue", "name": $"issue {object.get(input.change.issue, "id", "of unknown id")}", "at": clock.instant(input.change.issue.created_at)} if {
	_issue_stands_in
	input.change.issue.created_at
}

records contains {"pointer": "/change/documenting_pull_request", "name": $"documenting pull request #{object.get(input.change.documenting_pull_request, "number", "?")}", "at": clock.instant(input.change.documenting_pull_request.created_at)} if {
	input.change.documenting_pull_request.created_at
}

_issue_stands_in if not change.from_git

_issue_stands_in if _is_emergency

_in_time contains record if {
	some record in records
	record.at <= _deadline
}

# Nothing took effect yet.
_in_time contains record if {
	not _deadline
	not change.effect_unread
	not change.merge_unread
	some record in records
}

# A pull request that was merged was opened before its merge, also where the
# times are not on record.
_in_time contains {"pointer": "/change/pull_request", "name": change.name} if {
	change.pull_request.merged_at
	not change.pull_request.created_at
}

_in_time contains {"pointer": "/change/pull_request", "name": change.name} if {
	change.pull_request.merged_by
	not change.pull_request.merged_at
}

problems contains _missing if {
	count(_in_time) == 0
}

# Records that say not when they were opened.
_undated contains "/change/pull_request" if {
	change.has_pull_request
	not change.pull_request.created_at
}

_undated contains "/change/issue" if {
	_issue_stands_in
	input.change.issue
	not input.change.issue.created_at
}

_undated contains "/change/documenting_pull_request" if {
	input.change.documenting_pull_request
	not input.change.documenting_pull_request.created_at
}

_missing := {
	"status": "pending",
	"reason": "pr.missing",
	"message": $"No pull request or issue documents {change.name} yet; it is due by {clock.text(emergency.documentation_due)}.",
	"evidence": change.pointers,
	"remediation": $"Open a documenting pull request or issue by {clock.text(emergency.documentation_due)}.",
	"due_at": emergency.documentation_due,
} if {
	_is_emergency
	not clock.passed(emergency.documentation_due)
} else := {
	"status": "pending",
	"reason": "pr.missing",
	"message": $"No pull request is on record for {change.name}; it may still be on its way until {clock.text(change.settled_at)}.",
	"evidence": change.pointers,
	"remediation": "Wait until the source has settled.",
	"due_at": change.settled_at,
} if {
	count(records) == 0
	change.in_flight
} else := {
	"status": "unknown",
	"reason": "pr.missing",
	"message": $"Whether a record stood behind {change.name} in time cannot be told: {concat("; ", sort({evidence.gap(source) | some source in _unread}))}.",
	"evidence": {pointer | some source in _unread; some pointer in evidence.pointer(source)},
	"remediation": "Read the source completely and evaluate again.",
} if {
	count(_unread) > 0
} else := {
	"status": "unknown",
	"reason": "pr.missing",
	"message": $"When the record of {change.name} was opened is not on record.",
	"evidence": _undated,
	"remediation": "Read the record completely and evaluate again.",
} if {
	count(_undated) > 0
} else := {
	"status": "unknown",
	"reason": "pr.after_the_fact",
	"message": $"When {change.name} took effect is not on record, so whether its record came first cannot be told.",
	"evidence": {record.pointer | some record in records},
	"remediation": "Find out when the change was made and evaluate again.",
} if {
	count(records) > 0
	not _deadline
} else := _owed

# What is owed once everything was read: nothing, by a rollback that its procedure
# may cover.
_owed := {
	"status": "unknown",
	"reason": "pr.missing",
	"message": $"Whether {change.name} needed a pull request or issue of its own cannot be told: {concat("; ", sort({doubt.text | some doubt in procedure.doubts}))}.",
	"evidence": change.pointers,
	"remediation": "Collect the missing facts and evaluate again.",
} if {
	change.is_rollback
	classification.may_be_standard
} else := {
	"status": "fail",
	"reason": "pr.missing",
	"message": $"{change.leading_name} by {_who} reached production without a pull request or an issue in its place.",
	"evidence": change.pointers,
	"remediation": "Open a pull request that documents the change and have it reviewed; protect the branch against direct pushes.",
} if {
	count(records) == 0
} else := {
	"status": "fail",
	"reason": "pr.after_the_fact",
	"message": $"{concat(", ", sort({record.name | some record in records}))} was opened at {clock.text(min([record.at | some record in records]))}, after the change at {clock.text(_deadline)}.",
	"evidence": {record.pointer | some record in records},
	"remediation": "Open the record before the change; only an emergency may be documented afterwards.",
}

# The sources in which a record may be that was not read. A pull request that is
# on record came too late, whatever other there may be; not so an issue.
_unread contains evidence.code if {
	change.from_git
	not change.has_pull_request
	not evidence.complete(evidence.code, "pull_requests")
}

_unread contains "issues" if {
	_issue_stands_in
	not input.change.issue
	not evidence.complete("issues", "records")
}

_who := input.change.push.actor if {
	input.change.push.actor
} else := input.change.event.actor if {
	input.change.event.actor
} else := input.change.deployments[0].user if {
	input.change.deployments[0].user
} else := "an unknown actor"

passed := {
	"message": $"{concat(", ", sort({record.name | some record in _in_time}))} was opened in time.",
	"evidence": {record.pointer | some record in _in_time},
}
