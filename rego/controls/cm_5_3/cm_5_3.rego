# METADATA
# title: The emergency is limited to the immediate issue
# description: The change touched only components that the incident affects, and the retrospective reviewer, or somebody else who may, attests that it was limited.
# scope: package
# custom:
#   id: CM-5.3
#   clause: "5-3"
#   remediation: Split off what does not belong to the incident into a normal change.
package controls.cm_5_3

import data.classification
import data.lib.attestation
import data.lib.change
import data.lib.clock
import data.lib.emergency
import data.lib.evidence
import data.lib.retrospective

decisive_at := emergency.review_due

not_applicable := "The change is no emergency." if classification.type != "emergency"

_touched contains lower(component) if some component in input.change.components

_affected contains lower(component) if some component in emergency.trigger.affected_components

_incident := emergency.trigger.id if {
	emergency.trigger.id
} else := "the incident"

_beyond := _touched - _affected

problems contains {
	"status": "fail",
	"reason": "em.scope_creep",
	"message": $"The emergency touched {concat(", ", sort(_beyond))}, which {_incident} does not affect ({concat(", ", sort(_affected))}).",
	"evidence": {"/change/components", emergency.trigger_pointer},
	"remediation": "Take back what does not belong to the incident, or bring it in as a normal change.",
} if {
	count(_affected) > 0
	count(_beyond) > 0
}

problems contains {
	"status": "fail",
	"reason": "em.scope_creep",
	"message": $"{retrospective.record.reviewer} found that the emergency went beyond the immediate issue.",
	"evidence": {"/change/retrospective_review/limited_to_issue"},
	"remediation": "Take back what does not belong to the incident, or bring it in as a normal change.",
} if {
	_found_beyond
}

_found_beyond if {
	retrospective.done
	retrospective.record.limited_to_issue == false
}

problems contains _unattested if {
	not _attested
	not _found_beyond
}

_attested if count(_attestors) > 0

_attestors[retrospective.record.reviewer] contains "/change/retrospective_review/limited_to_issue" if {
	retrospective.done
	retrospective.record.limited_to_issue == true
}

_attestors[statement.by] contains statement.evidence if {
	some statement in attestation.accepted["CM-5.3"]
	statement.at <= emergency.review_due
}

_unattested := {
	"status": "pending",
	"reason": "em.not_attested",
	"message": $"Nobody has attested yet that the emergency was limited to the immediate issue; due by {clock.text(emergency.review_due)}.",
	"evidence": change.pointers,
	"remediation": "Let the retrospective reviewer say whether the change was limited to the incident.",
	"due_at": emergency.review_due,
} if {
	not clock.passed(emergency.review_due)
} else := {
	"status": "unknown",
	"reason": "em.not_attested",
	"message": $"Whether the emergency was limited cannot be told: {concat("; ", sort({evidence.gap(source) | some source in _unread}))}.",
	"evidence": {pointer | some source in _unread; some pointer in evidence.pointer(source)},
	"remediation": "Read the records completely and evaluate again.",
} if {
	count(_unread) > 0
} else := {
	"status": "fail",
	"reason": "em.not_attested",
	"message": $"By {clock.text(emergency.review_due)} nobody had attested that the emergency was limited to the immediate issue.",
	"evidence": change.pointers,
	"remediation": "Let the retrospective reviewer say whether the change was limited to the incident.",
}

_unread contains source if {
	some source, kind in {"attestations": "validations", "issues": "records"}
	not evidence.complete(source, kind)
}

passed := {
	"message": $"Attested by {concat(", ", sort([name | some name, _ in _attestors]))}: the change was limited to {_incident}.",
	"evidence": {pointer | some pointers in _attestors; some pointer in pointers},
}
