# METADATA
# title: Security-impacting changes receive additional scrutiny
# description: Changes to security configuration, sensitive code, agent tools and guardrails, the control plane or third-party access have two independent approvals or one by a designated security reviewer.
# scope: package
# custom:
#   id: CM-4.B.2
#   clause: "4.b-2"
#   remediation: Have a designated security reviewer, or a second independent person, approve the change.
package controls.cm_4_b_2

import data.classification
import data.lib.change
import data.lib.clock
import data.lib.emergency
import data.lib.evidence
import data.lib.people
import data.lib.retrospective
import data.lib.review
import data.lib.scope

decisive_at := emergency.review_due if {
	classification.type == "emergency"
} else := review.decisive

not_applicable := "The change is not security-impacting." if {
	not scope.security_impacting
	not _files_unread
} else := "A rollback brings back what was reviewed." if {
	change.is_rollback
}

# What files a change touches decides whether it is security-impacting.
_files_unread if {
	change.from_git
	not scope.security_impacting
	not scope.files_known
}

_why := concat(", ", sort({effect | some effect in scope.effect_words} | {kind | some kind in scope.kinds; kind == "security_config"}))

_is_security_reviewer(id) if data.settings.security_reviewer_role in people.record[id].roles

_enough(ids) if count(ids) >= data.settings.security_approvals

_enough(ids) if {
	some id in ids
	_is_security_reviewer(id)
}

# The retrospective review may complete the scrutiny of an emergency.
_reviewers := review.approvers | retrospective.reviewers if {
	classification.type == "emergency"
} else := review.approvers

problems contains {
	"status": "pending",
	"reason": "sec.no_security_reviewer",
	"message": $"The change is security-impacting ({_why}) and still open; it needs a security reviewer or {data.settings.security_approvals} independent approvals before the merge.",
	"evidence": change.pointers,
	"remediation": "Ask a designated security reviewer for a review.",
} if {
	change.is_open
	not _files_unread
	not _enough(review.approvers)
}

problems contains {
	"status": "pending",
	"reason": "sec.no_security_reviewer",
	"message": $"The emergency is security-impacting ({_why}); the retrospective review by {clock.text(emergency.review_due)} has to complete the scrutiny.",
	"evidence": change.pointers,
	"remediation": "Have a designated security reviewer do the retrospective review.",
	"due_at": emergency.review_due,
} if {
	not change.is_open
	not _files_unread
	classification.type == "emergency"
	not _enough(_reviewers)
	not clock.passed(emergency.review_due)
}

problems contains {
	"status": "unknown",
	"reason": "sec.no_security_reviewer",
	"message": $"Whether the change is security-impacting cannot be told: its files were not read completely ({evidence.gap(evidence.code)}).",
	"evidence": evidence.pointer(evidence.code),
	"remediation": "Read the changed files completely and evaluate again.",
} if {
	_files_unread
	not _enough(review.approvers)
}

problems contains {
	"status": "unknown",
	"reason": "rev.incomplete",
	"message": "Whether a retrospective review completed the scrutiny of the security-impacting emergency could not be read.",
	"evidence": (evidence.pointer("attestations") | evidence.pointer("issues")),
	"remediation": "Read the records completely and evaluate again.",
} if {
	_failed
	_retrospective_unread
}

_retrospective_unread if {
	classification.type == "emergency"
	retrospective.unread
}

_failed if {
	not change.is_open
	not _files_unread
	not _enough(_reviewers)
	not _is_pending_emergency
}

_is_pending_emergency if {
	classification.type == "emergency"
	not clock.passed(emergency.review_due)
}

problems contains {
	"status": "unknown",
	"reason": "rev.incomplete",
	"message": $"Whether the security-impacting change had additional scrutiny cannot be told: {doubt.text}.",
	"evidence": change.pointers,
	"remediation": "Read the missing facts and evaluate again.",
} if {
	not change.is_open
	not _files_unread
	not _is_pending_emergency
	some doubt in review.doubts
	_matters(doubt)
}

_matters(doubt) if {
	doubt.about in {"reviews", "approvals"}
	not _enough(_reviewers)
}

# A review that was not read may withdraw an approval, not the retrospective review.
_matters(doubt) if {
	doubt.about == "reviews"
	_enough(_reviewers)
	not _enough(_retrospective)
}

_retrospective := retrospective.reviewers if {
	classification.type == "emergency"
} else := set()

_matters(doubt) if {
	doubt.about == "commits"
	_enough(_reviewers | review.possible_approvers)
}

problems contains {
	"status": "unknown",
	"reason": "rev.incomplete",
	"message": $"Whether the security-impacting change had additional scrutiny cannot be told: the approval of {verdict.label} {verdict.why}.",
	"evidence": {verdict.evidence},
	"remediation": "Read the missing facts and evaluate again.",
} if {
	_failed
	_enough(_reviewers | review.possible_approvers)
	some verdict in review.judged
	verdict.worth == "unclear"
}

_reviews_readable if {
	every doubt in review.doubts {
		not doubt.about in {"reviews", "approvals"}
	}
}

problems contains {
	"status": "fail",
	"reason": _reason,
	"message": $"The change is security-impacting ({_why}) and has {_scrutiny}; it needs a designated security reviewer or {data.settings.security_approvals} independent approvals.",
	"evidence": ({verdict.evidence | some verdict in review.judged} | change.pointers),
	"remediation": "Have a designated security reviewer review the change now and record it; ask for one before the next merge.",
} if {
	_failed
	not _enough(_reviewers | review.possible_approvers)
	_reviews_readable
	not _retrospective_unread
}

_reason := "sec.single_approval" if {
	count(_reviewers) > 0
} else := "sec.no_security_reviewer"

_scrutiny := $"the approval of {concat(", ", sort([id | some id in _reviewers]))} alone" if {
	count(_reviewers) > 0
} else := "no independent approval"

passed := {
	"message": $"{concat(", ", sort([id | some id in _reviewers]))} reviewed the security-impacting change.",
	"evidence": _evidence,
}

_evidence := {verdict.evidence | some verdict in review.judged; verdict.worth == "full"} | {"/change/retrospective_review" | count(_reviewers - review.approvers) > 0}
