# METADATA
# title: The policy is reviewed annually
# description: The last review of the policy is recent enough.
# scope: package
# custom:
#   id: CM-9.1
#   clause: "9"
#   remediation: Review the policy, and record reviewer, date and version.
package controls.cm_9_1

import data.lib.clock
import data.lib.evidence

# A date to come is a plan, no review.
_reviewed_at := clock.instant(input.policy_review.last_reviewed_at) if {
	clock.instant(input.policy_review.last_reviewed_at) <= clock.now
}

due := _reviewed_at + (data.settings.policy_review_days * clock.day)

decisive_at := due if {
	clock.passed(due)
} else := clock.now

# A waiver has to last as long as the review is missing.
waiver_needed_until := clock.now

problems contains {
	"status": _never_status,
	"reason": "pol.never",
	"message": "No review of the policy is on record.",
	"evidence": {"/policy_review"},
	"remediation": "Review the policy now, and record reviewer, date and version.",
} if {
	not _reviewed_at
}

_never_status := "unknown" if {
	not evidence.complete("attestations", "validations")
} else := "unknown" if {
	not evidence.complete("issues", "records")
} else := "fail"

problems contains {
	"status": "fail",
	"reason": "pol.overdue",
	"message": $"The policy was last reviewed at {input.policy_review.last_reviewed_at}; the next review was due by {clock.text(due)}.",
	"evidence": {"/policy_review/last_reviewed_at"},
	"remediation": "Review the policy now, and record reviewer, date and version.",
} if {
	clock.passed(due)
}

passed := {
	"message": $"The policy was reviewed at {input.policy_review.last_reviewed_at}; the next review is due by {clock.text(due)}.",
	"evidence": {"/policy_review/last_reviewed_at"},
}
