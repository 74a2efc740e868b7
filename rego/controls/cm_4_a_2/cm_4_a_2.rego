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

_moments contains change.merged_at

_moments contains change.effective_at

# record: what was opened for the change: pull request, documenting pull request, issue.
records contains {"pointer": "/change/pull_request", "name": change.name, "at": clock.instant(change.pull_request.created_at)} if {
	change.pull_request.created_at
}

records contains {"pointer": "/change/issue", "name": $"issue {input.change.issue.id}", "at": clock.instant(input.change.issue.created_at)} if {
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

_in_time contains record if {
	change.is_open
	some record in records
}

# A pull request whose time is not on record: still a pull request from before its merge.
_in_time contains {"pointer": "/change/pull_request", "name": change.name} if {
	change.has_pull_request
	not change.pull_request.created_at
	change.pull_request.merged_at
}

problems contains problem if {
	count(_in_time) == 0
	problem := _missing
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
	"message": $"Whether a record stands behind {change.name} cannot be told: {evidence.gap(_source)}.",
	"evidence": evidence.pointer(_source),
	"remediation": "Read the source completely and evaluate again.",
} if {
	count(records) == 0
	not evidence.complete(_source, _fact)
} else := {
	"status": "fail",
	"reason": "pr.missing",
	"message": $"{change.name} by {_who} reached production without a pull request or an issue in its place.",
	"evidence": _pointers,
	"remediation": "Open a pull request that documents the change and have it reviewed; protect the branch against direct pushes.",
} if {
	count(records) == 0
} else := {
	"status": "fail",
	"reason": "pr.after_the_fact",
	"message": $"{concat(", ", sort([record.name | some record in records]))} was opened at {clock.text(min([record.at | some record in records]))}, after the change at {clock.text(_deadline)}.",
	"evidence": {record.pointer | some record in records},
	"remediation": "Open the record before the change; only an emergency may be documented afterwards.",
}

_source := evidence.code if {
	change.from_git
} else := "issues"

_fact := "description" if {
	change.from_git
} else := "records"

_who := input.change.push.actor if {
	input.change.push.actor
} else := input.change.event.actor if {
	input.change.event.actor
} else := input.change.deployments[0].user if {
	input.change.deployments[0].user
} else := "an unknown actor"

_pointers := change.pointers if {
	count(change.pointers) > 0
} else := {"/change"}

passed := {
	"message": $"{concat(", ", sort([record.name | some record in _in_time]))} was opened in time.",
	"evidence": {record.pointer | some record in _in_time},
}
