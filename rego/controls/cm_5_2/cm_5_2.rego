# METADATA
# title: The emergency is reviewed after implementation
# description: An independent person who neither wrote nor deployed the change reviewed it, with a decision, within the review window in business days.
# scope: package
# custom:
#   id: CM-5.2
#   clause: "5-2, 3.c-2"
#   remediation: Have somebody who neither wrote nor deployed the change review it before the deadline.
package controls.cm_5_2

import data.classification
import data.lib.authorship
import data.lib.change
import data.lib.clock
import data.lib.deployer
import data.lib.emergency
import data.lib.evidence
import data.lib.people
import data.lib.retrospective
import data.lib.review

decisive_at := emergency.review_due

not_applicable := "The change is no emergency." if classification.type != "emergency"

_remedy := $"Have somebody other than {concat(", ", sort([id | some id in _involved]))} review the change by {clock.text(emergency.review_due)}."

_involved := {id | some id, _ in authorship.authors} | deployer.persons

_pointer := {"/change/retrospective_review"} if {
	retrospective.record
} else := change.pointers

problems contains _missing if {
	not retrospective.done
}

_missing := {
	"status": "pending",
	"reason": "retro.missing",
	"message": $"The emergency has not been reviewed yet; the review is due by {clock.text(emergency.review_due)}.",
	"evidence": _pointer,
	"remediation": _remedy,
	"due_at": emergency.review_due,
} if {
	not clock.passed(emergency.review_due)
} else := {
	"status": "unknown",
	"reason": "retro.missing",
	"message": $"Whether the emergency was reviewed cannot be told: {concat("; ", sort({evidence.gap(source) | some source, kind in {"attestations": "validations", "issues": "records"}; not evidence.complete(source, kind)}))}.",
	"evidence": (evidence.pointer("attestations") | evidence.pointer("issues")),
	"remediation": "Read the records completely and evaluate again.",
} if {
	not _readable
} else := {
	"status": "fail",
	"reason": "retro.missing",
	"message": $"The emergency was not reviewed by {clock.text(emergency.review_due)}.",
	"evidence": _pointer,
	"remediation": "Have the change reviewed now, and record why it is late.",
}

_readable if {
	evidence.complete("attestations", "validations")
	evidence.complete("issues", "records")
}

_reviewer := object.get(retrospective.record, "reviewer", "Somebody")

problems contains {
	"status": "fail",
	"reason": "retro.late",
	"message": $"{_reviewer} reviewed the emergency at {retrospective.record.completed_at}, {clock.span(retrospective.late_by)} after the deadline of {clock.text(emergency.review_due)}.",
	"evidence": {"/change/retrospective_review"},
	"remediation": "Nothing can make up for the delay; record why the review was late.",
} if {
	retrospective.done
	retrospective.late_by
}

# What came before the change is no review after it.
problems contains _early if {
	retrospective.done
	retrospective.completed_at < emergency.decisive - clock.skew
}

_early := {
	"status": "pending",
	"reason": "retro.missing",
	"message": $"The review of {retrospective.record.completed_at} came before the change took effect at {clock.text(emergency.decisive)}; a review afterwards is due by {clock.text(emergency.review_due)}.",
	"evidence": {"/change/retrospective_review"},
	"remediation": _remedy,
	"due_at": emergency.review_due,
} if {
	not clock.passed(emergency.review_due)
} else := {
	"status": "fail",
	"reason": "retro.missing",
	"message": $"The review of {retrospective.record.completed_at} came before the change took effect at {clock.text(emergency.decisive)}; nobody reviewed it afterwards by {clock.text(emergency.review_due)}.",
	"evidence": {"/change/retrospective_review"},
	"remediation": "Have the change reviewed now, and record why it is late.",
}

problems contains object.union(_dependence_due, {
	"status": _dependence_status,
	"reason": "retro.not_independent",
	"message": $"The retrospective review does not count: {retrospective.dependence}.",
	"evidence": {"/change/retrospective_review"},
	"remediation": _remedy,
}) if {
	retrospective.done
	retrospective.record.reviewer
	retrospective.dependence
}

problems contains _anonymous if {
	retrospective.done
	not retrospective.record.reviewer
}

_anonymous := {
	"status": "pending",
	"reason": "retro.not_independent",
	"message": $"The retrospective review names no reviewer; a review by somebody independent is due by {clock.text(emergency.review_due)}.",
	"evidence": {"/change/retrospective_review"},
	"remediation": _remedy,
	"due_at": emergency.review_due,
} if {
	not clock.passed(emergency.review_due)
} else := {
	"status": "unknown",
	"reason": "retro.not_independent",
	"message": "The retrospective review names no reviewer, and the records were not read completely.",
	"evidence": {"/change/retrospective_review"},
	"remediation": "Read the records completely and evaluate again.",
} if {
	not _readable
} else := {
	"status": "fail",
	"reason": "retro.not_independent",
	"message": "The retrospective review names no reviewer: that somebody independent made it is not on record.",
	"evidence": {"/change/retrospective_review"},
	"remediation": "Record who reviewed the change.",
}

_dependence_status := "unknown" if {
	not retrospective.person
	not people.directory_complete
} else := "pending" if {
	not clock.passed(emergency.review_due)
} else := "fail"

_dependence_due := {"due_at": emergency.review_due} if {
	_dependence_status == "pending"
} else := {}

# Nobody can tell whether the reviewer had a part in it.
problems contains {
	"status": "unknown",
	"reason": "retro.not_independent",
	"message": $"Whether {retrospective.record.reviewer} is independent cannot be told: {doubt}.",
	"evidence": {"/change/retrospective_review"},
	"remediation": "Read the missing facts and evaluate again.",
} if {
	retrospective.done
	not retrospective.dependence
	some doubt in _doubts
}

_doubts contains doubt.text if {
	some doubt in review.doubts
	doubt.about == "commits"
}

_doubts contains "who deployed the change is not on record" if count(deployer.anonymous) > 0

_doubts contains "who made the change is not on record" if {
	not change.from_git
	count(deployer.acts) == 0
}

_doubts contains $"who is behind {account}, which deployed the change, is not known" if {
	some account in deployer.unresolved
	not people.directory_complete
}

_doubts contains $"{account}, which deployed the change, is what is left of a deleted account" if {
	some account in deployer.unresolved
	people.directory_complete
	people.is_erased(account)
}

passed := {
	"message": $"{retrospective.record.reviewer} reviewed the emergency at {retrospective.record.completed_at} ({retrospective.record.decision}), before {clock.text(emergency.review_due)}.",
	"evidence": {"/change/retrospective_review"},
}
