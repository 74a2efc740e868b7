# METADATA
# title: Peer review prior to merge
# description: Before the merge, enough independent, authorised persons with permission approved the revision that was merged, and no objection stood.
# scope: package
# custom:
#   id: CM-4.B.1
#   clause: "4.b-1, 3.b-1"
#   remediation: Have somebody who had no part in the change approve its final revision before the merge.
package controls.cm_4_b_1

import data.classification
import data.lib.authorship
import data.lib.change
import data.lib.clock
import data.lib.emergency
import data.lib.evidence
import data.lib.image
import data.lib.people
import data.lib.procedure
import data.lib.review

decisive_at := review.decisive

required := data.settings.min_approvals

not_applicable := "An emergency is reviewed afterwards (CM-5.2)." if {
	classification.type == "emergency"
	emergency.status == "pass"
} else := "The pre-approval of the procedure stands for the review, by the setting standard_peer_review." if {
	classification.type == "standard"
	data.settings.standard_peer_review == "template"
}

# While it is open whether there is an emergency, it is open whether the review
# was due.
problems contains {
	"status": emergency.status,
	"reason": "rev.none",
	"message": "Whether the review could wait depends on the emergency's trigger, see CM-3.C.",
	"evidence": change.pointers,
	"remediation": "Record the trigger of the emergency.",
} if {
	classification.type == "emergency"
	emergency.status in {"pending", "unknown"}
}

_judged if {
	not change.is_open
	not change.is_rollback
	classification.type != "emergency"
}

problems contains {
	"status": "pending",
	"reason": "rev.none",
	"message": $"{change.leading_name} is open: {_so_far}.",
	"evidence": change.pointers,
	"remediation": _ask,
} if {
	change.is_open
	classification.type != "emergency"
}

_so_far := $"approved so far by {review.names(_full)}; judged at the merge" if {
	count(_full) > 0
} else := "nobody independent has approved it yet"

_full := [verdict | some verdict in review.judged; verdict.worth == "full"]

_excluded := sort([id | some id, _ in authorship.authors])

_ask := $"Have {_persons} (not {concat(", ", _excluded)}) approve the final revision." if {
	count(_excluded) > 0
} else := $"Have {_persons} approve the final revision."

_persons := "one independent person" if {
	required == 1
} else := $"{required} independent persons"

# --- Production runs what was never merged ------------------------------------

_version(deployment) := change.version(deployment) if {
	change.version(deployment)
} else := "a build without a commit"

problems contains {
	"status": "fail",
	"reason": "rev.unmerged",
	"message": $"Production was made to run {_version(change.live[index])}, which was never merged; nothing reviewed it.",
	"evidence": {$"/change/deployments/{index}"},
	"remediation": "Take the commit out of production, or have its pull request reviewed and merged.",
} if {
	_judged
	change.from_git
	not _was_merged
	some index in change.first_live
	_reviews_read
}

# The review of what was merged later says nothing of what ran before.
problems contains {
	"status": "fail",
	"reason": "rev.unmerged",
	"message": $"Production was made to run {_version(change.live[index])} before it was merged.",
	"evidence": {$"/change/deployments/{index}"},
	"remediation": "Let production run merged commits only.",
} if {
	_judged
	change.from_git
	some index, deployment in change.live
	deployment.commit in _own_commits
	clock.instant(deployment.live_at) < change.merged_at - clock.skew
}

_own_commits := change.content_shas | {commit.sha | some commit in change.pull_request.commits}

problems contains {
	"status": "fail",
	"reason": "rev.other_context",
	"message": $"Production runs an image that was built from {change.short(sha)}, not from what was reviewed and merged.",
	"evidence": {$"/change/deployments/{index}/image"},
	"remediation": "Deploy an image that was built from the merged commit.",
} if {
	_judged
	some index, sha in image.foreign
}

problems contains {
	"status": "unknown",
	"reason": "rev.incomplete",
	"message": $"Whether what production runs was reviewed cannot be told: {evidence.gap(evidence.code)}.",
	"evidence": evidence.pointer(evidence.code),
	"remediation": "Read the repository completely and evaluate again.",
} if {
	_judged
	change.from_git
	not _was_merged
	count(change.first_live) > 0
	not _reviews_read
}

_reviews_read if {
	evidence.complete(evidence.code, "reviews")
	evidence.complete(evidence.code, "pull_requests")
}

_was_merged if change.merged_at

_was_merged if change.merge_unread

# Neither open nor merged nor deployed, as far as is known.
problems contains {
	"status": "pending",
	"reason": "rev.unmerged",
	"message": $"{change.leading_name} was not merged and is not live.",
	"evidence": change.pointers,
	"remediation": _ask,
} if {
	_judged
	change.from_git
	not _was_merged
	count(change.first_live) == 0
	evidence.complete("render", "deploys")
}

problems contains {
	"status": "unknown",
	"reason": "rev.incomplete",
	"message": $"{change.leading_name} was not merged, and whether it is live cannot be told: {evidence.gap("render")}.",
	"evidence": evidence.pointer("render"),
	"remediation": "Read the deployments completely and evaluate again.",
} if {
	_judged
	change.from_git
	not _was_merged
	count(change.first_live) == 0
	not evidence.complete("render", "deploys")
}

# --- Merged: enough approvals, no objection ------------------------------------

_merged if {
	_judged
	change.from_git
	_was_merged
}

_merged if {
	_judged
	change.gitless
}

problems contains {
	"status": "fail",
	"reason": "rev.changes_requested_open",
	"message": $"{people.label(authorship.system, statement.account)} requested changes at {statement.review.submitted_at}, and the objection stood at the merge.",
	"evidence": {statement.evidence},
	"remediation": "Resolve the objection with whoever raised it, and have the change reviewed again.",
} if {
	_merged
	some statement in review.objections
	evidence.complete(evidence.code, "reviews")
}

problems contains {
	"status": "unknown",
	"reason": doubt.reason,
	"message": $"Whether the change was reviewed cannot be told: {doubt.text}.",
	"evidence": _doubt_evidence(doubt),
	"remediation": "Read the missing facts and evaluate again.",
} if {
	_merged
	some doubt in review.doubts
	_matters(doubt)
}

# Missing reviews may always change the verdict. Missing requests can only add
# approvals: with enough of them it stands. Missing commits can only take approvals
# away: with too few of them it stands.
_matters(doubt) if doubt.about == "reviews"

_matters(doubt) if {
	doubt.about == "approvals"
	count(review.approvers) < required
}

_matters(doubt) if {
	doubt.about == "commits"
	count(review.approvers) + count(review.possible_approvers) >= required
}

_doubt_evidence(doubt) := evidence.pointer(evidence.code) if {
	doubt.about == "reviews"
	change.from_git
} else := evidence.pointer("issues") if {
	doubt.about == "approvals"
} else := change.pointers

problems contains {
	"status": "unknown",
	"reason": verdict.reason,
	"message": $"The approval of {verdict.label} cannot be counted or refused: it {verdict.why}.",
	"evidence": {verdict.evidence},
	"remediation": "Read the missing facts and evaluate again.",
} if {
	_merged
	not _reviews_missing
	count(review.approvers) < required
	some verdict in review.judged
	verdict.worth == "unclear"
	count(review.approvers) + count(review.possible_approvers) >= required
}

_too_few if {
	_merged
	count(review.approvers) + count(review.possible_approvers) < required
	not _reviews_missing
	not _may_be_late
}

_reviews_missing if {
	some doubt in review.doubts
	doubt.about in {"reviews", "approvals"}
}

# A push whose pull request may still be on its way.
_may_be_late if {
	change.from_git
	not change.has_pull_request
	change.in_flight
}

problems contains {
	"status": "pending",
	"reason": "rev.none",
	"message": $"No pull request is on record for {change.name}; it may still be on its way until {clock.text(change.settled_at)}.",
	"evidence": change.pointers,
	"remediation": "Wait until the source has settled.",
	"due_at": change.settled_at,
} if {
	_merged
	_may_be_late
}

problems contains {
	"status": "fail",
	"reason": verdict.reason,
	"message": $"The approval of {verdict.label} does not count: {verdict.label} {verdict.why}.",
	"evidence": {verdict.evidence},
	"remediation": _ask,
} if {
	_too_few
	some verdict in review.judged
	verdict.worth == "none"
	verdict.reason != "rev.stale"
}

problems contains {
	"status": "fail",
	"reason": "rev.stale",
	"message": $"The approval of {verdict.label} does not count: it {verdict.why}.",
	"evidence": {verdict.evidence},
	"remediation": _ask,
} if {
	_too_few
	some verdict in review.judged
	verdict.reason == "rev.stale"
}

problems contains {
	"status": "fail",
	"reason": "rev.after_merge",
	"message": $"{approval.label} approved only at {approval.at}, after the change.",
	"evidence": {approval.evidence},
	"remediation": _ask,
} if {
	_too_few
	some approval in review.late
}

problems contains {
	"status": "fail",
	"reason": "rev.none",
	"message": $"{change.leading_name} took effect with {count(review.approvers)} of {required} independent approvals{_by}.",
	"evidence": change.pointers,
	"remediation": _ask,
} if {
	_too_few
}

_by := $" ({review.names(_full)})" if count(_full) > 0

default _by := ""

# --- Rollback: the review of what it returned to --------------------------------

problems contains {
	"status": "fail",
	"reason": "rev.other_context",
	"message": $"The rollback returned to {change.short(object.get(input.change.rollback, "to_commit", "a commit"))}, whose change was {input.change.rollback.target_review}.",
	"evidence": {"/change/rollback"},
	"remediation": "Return to a build whose change was reviewed, or have that change reviewed.",
} if {
	change.is_rollback
	classification.type != "emergency"
	procedure.rollback_review == "bad"
}

problems contains {
	"status": "fail",
	"reason": "rev.other_context",
	"message": "The rollback went to a build that had never been live.",
	"evidence": {"/change/rollback"},
	"remediation": "Return to a build that was live, or deploy through the pipeline.",
} if {
	change.is_rollback
	classification.type != "emergency"
	input.change.rollback.previously_live == false
}

problems contains {
	"status": "unknown",
	"reason": "rev.incomplete",
	"message": "How the change behind the rollback's build was reviewed is not on record.",
	"evidence": (change.pointers | {"/change/kind"}),
	"remediation": "Evaluate the change that the build came from, and record its outcome.",
} if {
	change.is_rollback
	classification.type != "emergency"
	procedure.rollback_review == "unknown"
}

passed := {
	"message": "The build that the rollback returned to came from a reviewed change.",
	"evidence": {"/change/rollback"},
} if {
	change.is_rollback
} else := {
	"message": $"{review.names(_full)} approved {_what}, independently and in time.",
	"evidence": {verdict.evidence | some verdict in _full},
} if {
	count(review.approvers) >= required
}

_what := change.short(change.pull_request.head_sha) if {
	change.pull_request.head_sha
} else := "the request"
