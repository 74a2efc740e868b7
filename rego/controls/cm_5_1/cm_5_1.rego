# METADATA
# title: The emergency is logged and traceable
# description: Who changed what and when is on record, and the record leads to the trigger, within the documentation window.
# scope: package
# custom:
#   id: CM-5.1
#   clause: "5-1"
#   remediation: Record actor, time and commit of the emergency change, and link the incident.
package controls.cm_5_1

import data.classification
import data.lib.authorship
import data.lib.change
import data.lib.clock
import data.lib.emergency
import data.lib.evidence

decisive_at := emergency.documentation_due

not_applicable := "The change is no emergency." if classification.type != "emergency"

_facts["who made the change"] if count(authorship.contributions) > 0

_facts["when it was made"] if change.effective_at

_facts["when it was made"] if change.merged_at

_facts["which commit or event it was"] if count(change.content_shas) > 0

_facts["which commit or event it was"] if input.change.event.type

_facts["which incident it answers"] if emergency.trigger

_gaps contains fact if {
	some fact in ["who made the change", "when it was made", "which commit or event it was", "which incident it answers"]
	not _facts[fact]
}

problems contains _missing if {
	count(_gaps) > 0
}

_missing := {
	"status": "pending",
	"reason": "em.not_traceable",
	"message": $"The record of the emergency does not say yet {concat(", ", sort(_gaps))}; due by {clock.text(emergency.documentation_due)}.",
	"evidence": _evidence,
	"remediation": $"Record {concat(", ", sort(_gaps))} by {clock.text(emergency.documentation_due)}.",
	"due_at": emergency.documentation_due,
} if {
	not clock.passed(emergency.documentation_due)
} else := {
	"status": "unknown",
	"reason": "em.not_traceable",
	"message": $"Whether the emergency is on record cannot be told: {concat("; ", sort({evidence.gap(source) | some source in _unread}))}.",
	"evidence": {pointer | some source in _unread; some pointer in evidence.pointer(source)},
	"remediation": "Read the incident tracker completely and evaluate again.",
} if {
	not emergency.readable
} else := {
	"status": "fail",
	"reason": "em.not_traceable",
	"message": $"The record of the emergency does not say {concat(", ", sort(_gaps))}.",
	"evidence": _evidence,
	"remediation": "Complete the record of the emergency.",
}

_unread contains source if {
	some source, kind in {"issues": "records", "scanner": "vulnerabilities"}
	not evidence.complete(source, kind)
}

_evidence := change.pointers if {
	count(change.pointers) > 0
} else := {"/change/kind"}

passed := {
	"message": $"{change.leading_name} is on record and leads to {object.get(emergency.trigger, "id", "its trigger")}.",
	"evidence": (change.pointers | {emergency.trigger_pointer}),
}
