# METADATA
# title: Tracked in version control, or in an issue where Git cannot hold it
# description: What runs in production is a commit of the company's repository. Configuration that the platform can express in Git is in Git; what Git cannot hold has an issue from before the change.
# scope: package
# custom:
#   id: CM-4.A.1
#   clause: "4.a-1, 4.a-3"
#   remediation: Bring the change into Git or, where Git cannot hold it, record it in an issue before it is made.
package controls.cm_4_a_1

import data.classification
import data.lib.change
import data.lib.clock
import data.lib.emergency
import data.lib.evidence
import data.lib.image

decisive_at := change.effective_at if {
	change.effective_at
} else := clock.now

# --- Code: the live commit exists in the repository --------------------------

_is_image if input.change.kind == "image_deploy"

_images[index] := deployment if {
	_is_image
	some index, deployment in change.live
}

problems contains {
	"status": "fail",
	"reason": "track.image_no_provenance",
	"message": $"Image {_image_name(deployment)} went live in production without provenance that ties it to a commit.",
	"evidence": {$"/change/deployments/{index}"},
	"remediation": "Build the image in CI from a commit, by digest and with a provenance attestation.",
} if {
	some index, deployment in _images
	not image.proven(deployment)
	not image.unread(deployment)
}

problems contains {
	"status": "unknown",
	"reason": "track.image_no_provenance",
	"message": $"Whether provenance ties image {_image_name(deployment)} to a commit could not be read.",
	"evidence": {$"/change/deployments/{index}"},
	"remediation": "Read repository and attestations completely and evaluate again.",
} if {
	some index, deployment in _images
	image.unread(deployment)
}

problems contains {
	"status": "unknown",
	"reason": "track.no_commit",
	"message": $"Which image went live cannot be told: {evidence.gap("render")}.",
	"evidence": evidence.pointer("render"),
	"remediation": "Read the deployments completely and evaluate again.",
} if {
	_is_image
	count(_images) == 0
	not evidence.complete("render", "deploys")
}

not_applicable := "No image went live yet." if {
	_is_image
	count(_images) == 0
	evidence.complete("render", "deploys")
}

_image_name(deployment) := deployment.image.ref if {
	deployment.image.ref
} else := "of unknown name"

_tracked_in_git contains pointer if {
	change.from_git
	not _is_image
	some field, pointer in {"pull_request": "/change/pull_request", "push": "/change/push"}
	input.change[field]
}

problems contains _untracked if {
	change.from_git
	not _is_image
	count(_tracked_in_git) == 0
}

_untracked := {
	"status": "unknown",
	"reason": "track.no_commit",
	"message": $"Whether the live commit is in the company's repository cannot be told: {evidence.gap(evidence.code)}.",
	"evidence": evidence.pointer(evidence.code),
	"remediation": "Read the repository completely and evaluate again.",
} if {
	not _code_complete
} else := {
	"status": "fail",
	"reason": "track.no_commit",
	"message": $"Commit {concat(", ", sort(_live_commits))} is live in production and in no repository of the company.",
	"evidence": {$"/change/deployments/{index}" | some index, _ in change.live},
	"remediation": "Push the commit to the company's repository and open a pull request for it.",
} if {
	some deployment in change.live
	deployment.on_protected_branch == false
} else := {
	"status": "unknown",
	"reason": "track.no_commit",
	"message": $"Whether commit {concat(", ", sort(_live_commits))} is in the company's repository is not on record.",
	"evidence": {$"/change/deployments/{index}" | some index, _ in change.live},
	"remediation": "Read the branch's commits and evaluate again.",
} if {
	count(change.live) > 0
	not _on_protected_branch
} else := {
	"status": "unknown",
	"reason": "track.no_commit",
	"message": "No commit is on record for the change.",
	"evidence": {"/change/kind"},
	"remediation": "Collect the commit that was deployed and evaluate again.",
} if {
	count(change.live) == 0
}

_on_protected_branch if {
	count(change.live) > 0
	every deployment in change.live {
		deployment.on_protected_branch == true
	}
}

_live_commits contains change.short(object.get(deployment, "commit", "of unknown id")) if some deployment in change.live

_code_complete if {
	every kind in ["commits", "pull_requests", "pushes"] {
		evidence.complete(evidence.code, kind)
	}
}

# --- Platform configuration and access: Git where possible, else an issue -----

_git_expressible if input.change.event.git_expressible == true

problems contains {
	"status": "unknown",
	"reason": "track.dashboard_not_in_git",
	"message": $"Whether the platform can hold in Git what {change.name} set is not on record.",
	"evidence": (change.pointers | {"/change/kind"}),
	"remediation": "Find out whether the blueprint can express the setting, and record it.",
} if {
	input.change.kind == "platform_config"
	not _in_git
	not is_boolean(object.get(input.change, ["event", "git_expressible"], ""))
}

_in_git if input.change.event.blueprint_commit

_in_git if {
	change.gitless
	change.pull_request.merged_at
}

problems contains _not_in_git if {
	change.gitless
	_git_expressible
	not _in_git
}

_not_in_git := {
	"status": "unknown",
	"reason": "track.dashboard_not_in_git",
	"message": $"Whether Git holds what {change.name} set cannot be told: {evidence.gap(evidence.code)}.",
	"evidence": evidence.pointer(evidence.code),
	"remediation": "Read the repository completely and evaluate again.",
} if {
	not _code_complete
} else := {
	"status": "fail",
	"reason": "track.dashboard_not_in_git",
	"message": $"{change.leading_name} was made by {object.get(input.change.event, "actor", "an unknown actor")} outside Git, although the platform can hold it in Git.",
	"evidence": {"/change/event"},
	"remediation": "Put the setting into the blueprint and let it be applied from there.",
}

problems contains _no_issue if {
	change.gitless
	not _git_expressible
	not _in_git
}

_no_issue := _no_request if {
	_no_request
} else := {
	"status": "unknown",
	"reason": "track.no_issue",
	"message": $"When issue {_issue} was opened is not on record.",
	"evidence": {"/change/issue"},
	"remediation": "Read the issue completely and evaluate again.",
} if {
	not input.change.issue.created_at
} else := {
	"status": "unknown",
	"reason": "track.no_issue",
	"message": $"When the change took effect is not on record, so whether issue {_issue} came first cannot be told.",
	"evidence": {"/change/issue"},
	"remediation": "Find out when the change was made and evaluate again.",
} if {
	change.effect_unread
} else := {
	"status": "fail",
	"reason": "track.no_issue",
	"message": $"Issue {_issue} was opened at {input.change.issue.created_at}, after {clock.text(_issue_due)}.",
	"evidence": {"/change/issue"},
	"remediation": "Open the issue before the change is made.",
} if {
	clock.instant(input.change.issue.created_at) > _issue_due
}

_issue := object.get(input.change.issue, "id", "of unknown id")

_no_request := {
	"status": "pending",
	"reason": "track.no_issue",
	"message": $"{change.leading_name} has no issue yet; in an emergency one may follow until {clock.text(_issue_due)}.",
	"evidence": change.pointers,
	"remediation": $"Record the change in an issue by {clock.text(_issue_due)}.",
	"due_at": _issue_due,
} if {
	not input.change.issue
	classification.type == "emergency"
	not clock.passed(_issue_due)
} else := {
	"status": "unknown",
	"reason": "track.no_issue",
	"message": $"Whether an issue stands behind {change.name} cannot be told: {evidence.gap("issues")}.",
	"evidence": evidence.pointer("issues"),
	"remediation": "Read the issue tracker completely and evaluate again.",
} if {
	not input.change.issue
	not evidence.complete("issues", "records")
} else := {
	"status": "fail",
	"reason": "track.no_issue",
	"message": $"{change.leading_name} was made without an issue or request, and Git cannot hold it.",
	"evidence": change.pointers,
	"remediation": "Record what was changed and why in an issue, and have it reviewed; next time before the change.",
} if {
	not input.change.issue
}

_issue_due := emergency.documentation_due if {
	classification.type == "emergency"
} else := change.effective_at + clock.skew

# --- Rollback: the build came from a commit -----------------------------------

problems contains {
	"status": "unknown",
	"reason": "track.no_commit",
	"message": "The commit that the rollback returned to is not on record.",
	"evidence": (change.pointers | {"/change/kind"}),
	"remediation": "Read the deployment's commit and evaluate again.",
} if {
	change.is_rollback
	not input.change.rollback.to_commit
	not _rolled_to
}

_rolled_to if {
	some deployment in change.live
	deployment.commit
}

problems contains {
	"status": "fail",
	"reason": "track.no_commit",
	"message": $"The rollback returned to {concat(", ", sort(_live_commits))}, which is not on the protected branch.",
	"evidence": {$"/change/deployments/{index}" | some index, deployment in change.live; deployment.on_protected_branch == false},
	"remediation": "Return to a build of the protected branch.",
} if {
	change.is_rollback
	some deployment in change.live
	deployment.on_protected_branch == false
}

passed := {
	"message": "Every image that went live has provenance that ties it to a commit.",
	"evidence": {$"/change/deployments/{index}" | some index, _ in _images},
} if {
	count(_images) > 0
} else := {
	"message": $"{change.leading_name}: the change is a commit of {object.get(input.change, "repository", "the company's repository")}.",
	"evidence": _tracked_in_git,
} if {
	count(_tracked_in_git) > 0
} else := {
	"message": $"Commit {concat(", ", sort(_live_commits))} is on the protected branch.",
	"evidence": {$"/change/deployments/{index}" | some index, _ in change.live},
} if {
	not change.gitless
	_on_protected_branch
} else := {
	"message": $"Git holds the setting: commit {change.short(input.change.event.blueprint_commit)}.",
	"evidence": {"/change/event/blueprint_commit"},
} if {
	input.change.event.blueprint_commit
} else := {
	"message": $"Git cannot hold the change; issue {_issue} of {input.change.issue.created_at} does.",
	"evidence": {"/change/issue"},
} if {
	input.change.issue
} else := {
	"message": $"The rollback returned to commit {change.short(input.change.rollback.to_commit)}.",
	"evidence": {"/change/rollback"},
} if {
	input.change.rollback.to_commit
} else := {
	"message": $"The rollback returned to commit {concat(", ", sort(_live_commits))}.",
	"evidence": {$"/change/deployments/{index}" | some index, _ in change.live},
} if {
	_rolled_to
}
