# METADATA
# title: Access is reviewed periodically
# description: The last completed review of the system is recent enough, covered every holder, nobody confirmed their own access, and what it decided to remove was removed.
# scope: package
# custom:
#   id: CM-7.3
#   clause: "7-3"
#   remediation: Review the access of every holder, by somebody other than the holder.
package controls.cm_7_3

import data.lib.clock
import data.lib.evidence
import data.lib.people

_review := input.access_review

# A date to come is a plan, no review.
_completed_at := clock.instant(_review.last_completed_at) if {
	clock.instant(_review.last_completed_at) <= clock.now
}

due := _completed_at + (data.settings.access_review_days * clock.day)

decisive_at := due if {
	clock.passed(due)
} else := clock.now

# A waiver has to last as long as the review is missing.
waiver_needed_until := clock.now

_system := object.get(_review, "system", input.subject.id)

problems contains {
	"status": _absence,
	"reason": "ar.never",
	"message": $"No completed review of the access to {_system} is on record.",
	"evidence": {"/access_review"},
	"remediation": "Review the access of every holder now.",
} if {
	not _completed_at
}

# What is not on record is not there only where the records were read.
_absence := "unknown" if {
	not evidence.complete("issues", "records")
} else := "unknown" if {
	not evidence.complete("attestations", "validations")
} else := "fail"

problems contains {
	"status": "fail",
	"reason": "ar.overdue",
	"message": $"The access to {_system} was last reviewed at {_review.last_completed_at}; the next review was due by {clock.text(due)}.",
	"evidence": {"/access_review/last_completed_at"},
	"remediation": "Review the access of every holder now.",
} if {
	clock.passed(due)
}

problems contains {
	"status": "fail",
	"reason": "ar.self",
	"message": $"{entry.holder} confirmed their own access to {_system}.",
	"evidence": {$"/access_review/entries/{index}"},
	"remediation": $"Have somebody else review the access of {entry.holder}.",
} if {
	some index, entry in _review.entries
	_identity(entry.holder) == _identity(entry.reviewer)
}

_identity(name) := people.member(name).id if {
	people.member(name)
} else := lower(name)

problems contains {
	"status": "fail",
	"reason": "ar.incomplete",
	"message": $"The review of {_system} left out {concat(", ", sort({holder | some holder in _review.unreviewed_holders}))}.",
	"evidence": {"/access_review/unreviewed_holders"},
	"remediation": "Review the access of every holder.",
} if {
	count(_review.unreviewed_holders) > 0
}

problems contains {
	"status": _absence,
	"reason": "ar.incomplete",
	"message": $"Nobody is on record who reviewed the access of {object.get(entry, "holder", "a holder without a name")} to {_system}.",
	"evidence": {$"/access_review/entries/{index}"},
	"remediation": "Have the access reviewed, and record by whom.",
} if {
	some index, entry in _review.entries
	not entry.reviewer
}

problems contains {
	"status": "unknown",
	"reason": "ar.incomplete",
	"message": $"Whose access {entry.reviewer} reviewed is not on record.",
	"evidence": {$"/access_review/entries/{index}"},
	"remediation": "Record the holder of the access.",
} if {
	some index, entry in _review.entries
	entry.reviewer
	not entry.holder
}

# A removal that was decided has to be carried out.
problems contains {
	"status": _unexecuted,
	"reason": "ar.incomplete",
	"message": $"The review decided to remove the access of {object.get(entry, "holder", "a holder without a name")} to {_system}, and no removal is on record.",
	"evidence": {$"/access_review/entries/{index}"},
	"remediation": "Remove the access, and record when.",
} if {
	some index, entry in _review.entries
	regex.match(`^(remove|revoke|delete|disable|deactivate|withdraw|terminate)( |$)`, lower(entry.decision))
	not _removed(entry)
}

_removed(entry) if clock.instant(entry.removed_at) <= clock.now

_unexecuted := "fail" if {
	evidence.complete("iam", "access_events")
} else := "unknown"

problems contains {
	"status": _absence,
	"reason": "ar.incomplete",
	"message": $"The review of {_system} names no holder.",
	"evidence": {"/access_review"},
	"remediation": "Review the access of every holder.",
} if {
	_completed_at
	count(object.get(_review, "entries", [])) == 0
}

problems contains {
	"status": "unknown",
	"reason": "ar.incomplete",
	"message": $"Whether the review covered every holder cannot be told: {evidence.gap("iam")}.",
	"evidence": evidence.pointer("iam"),
	"remediation": "Read the members of the system completely and evaluate again.",
} if {
	_completed_at
	not evidence.complete("iam", "directory")
}

passed := {
	"message": $"The access to {_system} was reviewed at {_review.last_completed_at}; the next review is due by {clock.text(due)}.",
	"evidence": {"/access_review"},
}
