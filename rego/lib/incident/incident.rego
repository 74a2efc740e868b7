# METADATA
# title: Incident
# description: The post-incident review that an incident-triggered emergency owes (controls CM-5.4 to 5.6, A12).
# scope: package
package lib.incident

import data.classification
import data.lib.clock
import data.lib.documentation
import data.lib.emergency
import data.lib.evidence

exemption := "The change is no emergency." if {
	classification.type != "emergency"
} else := "The trigger is no incident: the retrospective review suffices." if {
	emergency.trigger.kind
	emergency.trigger.kind != "incident"
} else := "No incident is on record yet, see CM-3.C." if {
	not emergency.trigger
}

resolved_at := clock.instant(emergency.trigger.resolved_at)

due := clock.after_business_days(resolved_at, data.settings.post_incident_review_business_days)

decisive := due if {
	due
} else := clock.now

review := input.change.post_incident_review

_completed if clock.instant(review.completed_at) <= clock.now

_pointer := {"/change/post_incident_review"} if {
	review
} else := {emergency.trigger_pointer}

# problem is the finding for one section of the review that is due and not there.
problem(section, label) := {
	"status": "pending",
	"reason": "pir.unresolved",
	"message": $"{_incident} is not resolved; the {label} is due {data.settings.post_incident_review_business_days} business days after it is.",
	"evidence": _pointer,
	"remediation": "Resolve the incident, then complete the post-incident review.",
} if {
	not _stated(section)
	not resolved_at
} else := {
	"status": "pending",
	"reason": "pir.missing",
	"message": $"The post-incident review of {_incident} does not state the {label} yet; due by {clock.text(due)}.",
	"evidence": _pointer,
	"remediation": $"State the {label} in the post-incident review by {clock.text(due)}.",
	"due_at": due,
} if {
	not _stated(section)
	not clock.passed(due)
} else := {
	"status": "unknown",
	"reason": "pir.missing",
	"message": $"Whether the post-incident review states the {label} cannot be told: {evidence.gap("issues")}.",
	"evidence": evidence.pointer("issues"),
	"remediation": "Read the incident tracker completely and evaluate again.",
} if {
	not _stated(section)
	not evidence.complete("issues", "records")
} else := {
	"status": "fail",
	"reason": "pir.missing",
	"message": $"By {clock.text(due)} the post-incident review of {_incident} did not state the {label}.",
	"evidence": _pointer,
	"remediation": $"State the {label} in the post-incident review, and record why it is late.",
} if {
	not _stated(section)
} else := {
	"status": "fail",
	"reason": "pir.late",
	"message": $"The post-incident review of {_incident} was completed at {review.completed_at}, {clock.span(clock.instant(review.completed_at) - due)} after the deadline of {clock.text(due)}.",
	"evidence": _pointer,
	"remediation": "Nothing can make up for the delay; record why the review was late.",
} if {
	clock.instant(review.completed_at) > due
}

_stated(section) if {
	_completed
	documentation.content(review[section])
}

_incident := emergency.trigger.id if {
	emergency.trigger.id
} else := "the incident"

passed(label) := {
	"message": $"The post-incident review of {_incident} states the {label}.",
	"evidence": _pointer,
}
