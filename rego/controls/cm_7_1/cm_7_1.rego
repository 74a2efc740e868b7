# METADATA
# title: Nobody approves and deploys a high-risk change alone
# description: A high-risk change has an independent approval by somebody other than whoever put it into production. In an emergency the retrospective review may provide it.
# scope: package
# custom:
#   id: CM-7.1
#   clause: "7-1"
#   remediation: Let somebody other than the approver deploy, or have a second independent person approve.
package controls.cm_7_1

import data.classification
import data.lib.change
import data.lib.clock
import data.lib.deployer
import data.lib.emergency
import data.lib.evidence
import data.lib.grant
import data.lib.procedure
import data.lib.retrospective
import data.lib.review
import data.lib.scope
import data.risk

decisive_at := change.deploy_started_at if {
	change.deploy_started_at
} else := scope.effective_at if {
	scope.effective_at
} else := clock.now

not_applicable := "The risk is not high." if {
	risk.level != "high"
	not _risk_unread
}

# What files a change touches decides how risky it is.
_risk_unread if {
	risk.level != "high"
	change.from_git
	not scope.files_known
}

_risk_unread if {
	risk.level != "high"
	scope.event_unknown
}

problems contains {
	"status": "unknown",
	"reason": "sod.risk_unknown",
	"message": $"Whether the risk is high cannot be told: the changed files were not read completely ({evidence.gap(evidence.code)}).",
	"evidence": evidence.pointer(evidence.code),
	"remediation": "Read the changed files completely and evaluate again.",
} if {
	_risk_unread
	change.from_git
	not _safe
}

problems contains {
	"status": "unknown",
	"reason": "sod.risk_unknown",
	"message": "Whether the risk is high cannot be told: what was changed is not on record.",
	"evidence": change.pointers,
	"remediation": "Find out what was changed and evaluate again.",
} if {
	_risk_unread
	scope.event_unknown
	not _safe
}

# Somebody else approved, whatever the risk.
_safe if {
	_took_effect
	_enough
	count(review.doubts) == 0
}

_is_emergency if classification.type == "emergency"

# The independent approvers who did not deploy.
_others := _approvers - deployer.persons

_approvers := review.approvers | retrospective.reviewers if {
	_is_emergency
} else := review.approvers

# Whoever nobody can name is at most one of the approvers each.
_strangers := (deployer.unresolved | {$"deployment {index}" | some index in deployer.anonymous}) | _unread

_unread contains "whoever made it" if deployer.unrecorded

_unread contains "whoever deployed it" if {
	change.from_git
	change.effect_unread
	count(change.live) == 0
}

_enough if count(_others) > count(_strangers)

_names(ids) := concat(", ", sort([id | some id in ids]))

_deployers := _names(deployer.persons | deployer.unresolved) if {
	count(deployer.persons | deployer.unresolved) > 0
} else := "nobody on record"

_evidence := ({verdict.evidence | some verdict in review.judged} | {act.evidence | some act in deployer.acts}) | change.pointers

_took_effect if scope.effective_at

# It may have, as far as is known.
_took_effect if change.effect_unread

problems contains {
	"status": "pending",
	"reason": "sod.no_approver",
	"message": "The high-risk change is not in production yet; its approver and its deployer have to be different persons.",
	"evidence": change.pointers,
	"remediation": $"Let somebody other than the sole approver deploy{_so_far}.",
} if {
	not _took_effect
	not _risk_unread
}

_so_far := $" (approved so far by {_names(review.approvers)})" if {
	count(review.approvers) > 0
} else := ""

problems contains {
	"status": "pending",
	"reason": "sod.no_approver",
	"message": $"The high-risk emergency was put into production by {_deployers} alone; an independent retrospective review is due by {clock.text(emergency.review_due)}.",
	"evidence": _evidence,
	"remediation": $"Have somebody other than {_deployers} review the change by {clock.text(emergency.review_due)}.",
	"due_at": emergency.review_due,
} if {
	_took_effect
	not _risk_unread
	_is_emergency
	not _enough
	not clock.passed(emergency.review_due)
}

_final if {
	_took_effect
	not _risk_unread
	not _enough
	not _may_still_pass
}

_may_still_pass if {
	_is_emergency
	not clock.passed(emergency.review_due)
}

# Approvals that were not read, or that may count.
_approvals_unclear if {
	some doubt in review.doubts
	doubt.about in {"reviews", "approvals"}
}

_approvals_unclear if {
	_is_emergency
	retrospective.unread
}

_approvals_unclear if {
	count((review.approvers | review.possible_approvers) - deployer.persons) > count(_strangers)
}

# Who approved what a rollback returned to is another change's record.
_approvals_unclear if {
	change.is_rollback
	procedure.rollback_review != "bad"
}

problems contains {
	"status": "unknown",
	"reason": "rev.incomplete",
	"message": "Whether somebody other than the deployer approved the high-risk change cannot be told: approvals could not be read or resolved.",
	"evidence": _evidence,
	"remediation": "Read the missing facts and evaluate again.",
} if {
	_final
	_approvals_unclear
}

# Enough approvals may shrink: by authors or objections that were not read. Requests
# that were not read can only add to them, and no review takes back the
# retrospective one.
problems contains {
	"status": "unknown",
	"reason": "rev.incomplete",
	"message": $"Whether the approver of the high-risk change is independent cannot be told: {doubt.text}.",
	"evidence": _evidence,
	"remediation": "Read the missing facts and evaluate again.",
} if {
	_took_effect
	not _risk_unread
	_enough
	some doubt in review.doubts
	_may_shrink(doubt)
}

_may_shrink(doubt) if doubt.about == "commits"

_may_shrink(doubt) if {
	doubt.about == "reviews"
	not _retrospective_enough
}

_retrospective_enough if {
	_is_emergency
	count(retrospective.reviewers - deployer.persons) > count(_strangers)
}

problems contains {
	"status": "unknown",
	"reason": "sod.deployer_unknown",
	"message": $"Whether {_names(_approvers)} approved and deployed alone cannot be told: who deployed is not on record.",
	"evidence": _evidence,
	"remediation": "Register the deploy hook or API principal with its owner, or find out who deployed.",
} if {
	_final
	not _approvals_unclear
	count(_others) > 0
	count(_strangers) > 0
}

problems contains {
	"status": "fail",
	"reason": "sod.sole_approver_deployed",
	"message": $"{_names(_approvers)} approved and deployed the high-risk change; no second person was involved in its release.",
	"evidence": _evidence,
	"remediation": "Have a second independent person review the change now; let somebody else deploy next time.",
} if {
	_final
	not _approvals_unclear
	count(_others) == 0
	count(_approvers) > 0
}

problems contains {
	"status": "fail",
	"reason": _no_approver,
	"message": $"Nobody independent approved the high-risk change that {_deployers} put into production.",
	"evidence": _evidence,
	"remediation": "Have somebody who had no part in the change review it now.",
} if {
	_final
	not _approvals_unclear
	count(_approvers) == 0
}

_no_approver := "sod.self" if {
	some verdict in review.judged
	verdict.reason in {"rev.self", "rev.operator", "rev.coauthor", "rev.committer"}
} else := "sod.no_approver"

# A grant that nobody approved, used for a high-risk change (controls 4.6).
problems contains {
	"status": "fail",
	"reason": "sod.self_granted",
	"message": $"The access used for the high-risk change was granted without independent approval: {fault.text}.",
	"evidence": {fault.evidence},
	"remediation": "Revoke the grant, and have grant and change reviewed by somebody else.",
} if {
	_took_effect
	risk.level == "high"
	some fault in grant.unapproved
}

problems contains {
	"status": "unknown",
	"reason": "sod.self_granted",
	"message": $"Whether the access used for the high-risk change had been approved independently cannot be told: {fault.text}.",
	"evidence": {fault.evidence},
	"remediation": "Read the request behind the grant and evaluate again.",
} if {
	_took_effect
	risk.level == "high"
	some fault in grant.unclear
}

problems contains {
	"status": "unknown",
	"reason": "sod.self_granted",
	"message": $"Whether the access used for the high-risk change was granted with independent approval cannot be told: {fault.text}.",
	"evidence": {fault.evidence},
	"remediation": "Read the request for the access completely and evaluate again.",
} if {
	_took_effect
	some fault in grant.unclear
}

passed := {
	"message": $"{_names(_others)} approved the high-risk change; {_deployers} put it into production.",
	"evidence": _evidence,
} if {
	_enough
	_took_effect
}
