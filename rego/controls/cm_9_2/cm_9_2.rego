# METADATA
# title: The policy is reviewed upon significant change
# description: Each registered significant change is followed by a review of the policy within the days the setting allows.
# scope: package
# custom:
#   id: CM-9.2
#   clause: "9-1, 9-2, 9-3"
#   remediation: Review the policy with regard to the significant change.
package controls.cm_9_2

import data.lib.clock
import data.lib.evidence

decisive_at := clock.now

_changes := object.get(input.policy_review, "significant_changes", [])

not_applicable := "No significant change is registered." if count(_changes) == 0

_due(significant) := clock.instant(significant.at) + (data.settings.policy_review_after_change_days * clock.day)

_review_at(significant) := clock.instant(significant.reviewed_at) if {
	_names_review(significant)
} else := clock.instant(input.policy_review.last_reviewed_at) if {
	clock.instant(input.policy_review.last_reviewed_at) >= clock.instant(significant.at)
	clock.instant(input.policy_review.last_reviewed_at) <= clock.now
}

# A review before the change, or one to come, is not the review that follows it.
_names_review(significant) if {
	clock.instant(significant.reviewed_at) >= clock.instant(significant.at)
	clock.instant(significant.reviewed_at) <= clock.now
}

problems contains {
	"status": "unknown",
	"reason": "pol.undated",
	"message": "When a significant change happened is not on record.",
	"evidence": {$"/policy_review/significant_changes/{index}"},
	"remediation": "Record the date of the significant change.",
} if {
	some index, significant in _changes
	not significant.at
}

problems contains {
	"status": "pending",
	"reason": "pol.not_reviewed",
	"message": $"After {_label(significant)} of {significant.at} the policy is to be reviewed by {clock.text(_due(significant))}.",
	"evidence": {$"/policy_review/significant_changes/{index}"},
	"remediation": $"Review the policy by {clock.text(_due(significant))}.",
	"due_at": _due(significant),
} if {
	some index, significant in _changes
	clock.instant(significant.at) <= clock.now
	not _review_at(significant)
	not clock.passed(_due(significant))
}

problems contains {
	"status": _absence,
	"reason": "pol.not_reviewed",
	"message": $"After {_label(significant)} of {significant.at} the policy was not reviewed by {clock.text(_due(significant))}.",
	"evidence": {$"/policy_review/significant_changes/{index}"},
	"remediation": "Review the policy now.",
} if {
	some index, significant in _changes
	not _review_at(significant)
	clock.passed(_due(significant))
}

problems contains {
	"status": "fail",
	"reason": "pol.late",
	"message": $"After {_label(significant)} of {significant.at} the policy was reviewed only at {significant.reviewed_at}, after {clock.text(_due(significant))}.",
	"evidence": {$"/policy_review/significant_changes/{index}"},
	"remediation": "Nothing can make up for the delay; record why the review was late.",
} if {
	some index, significant in _changes
	_names_review(significant)
	_review_at(significant) > _due(significant)
}

# What is not on record is not there only where the records were read.
_absence := "unknown" if {
	not evidence.complete("attestations", "validations")
} else := "unknown" if {
	not evidence.complete("issues", "records")
} else := "fail"

# The last review came too late, and where the records were read completely no
# earlier one is on record.
problems contains {
	"status": _absence,
	"reason": "pol.late",
	"message": $"No review of the policy within {data.settings.policy_review_after_change_days} days of {_label(significant)} of {significant.at} is on record; the last one, of {input.policy_review.last_reviewed_at}, came later.",
	"evidence": {$"/policy_review/significant_changes/{index}"},
	"remediation": "Record the review that followed the significant change.",
} if {
	some index, significant in _changes
	not _names_review(significant)
	_review_at(significant) > _due(significant)
}

_label(significant) := significant.kind if {
	significant.kind
} else := "a significant change"

passed := {
	"message": "Every significant change was followed by a review of the policy in time.",
	"evidence": {$"/policy_review/significant_changes/{index}" | some index, _ in _changes},
}
