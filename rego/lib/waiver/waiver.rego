# METADATA
# title: Waiver
# description: A time-boxed exception approved by somebody else beforehand turns a fail into waived; it never hides it (controls 1.5).
# scope: package
package lib.waiver

import data.lib.authorship
import data.lib.catalogue
import data.lib.clock
import data.lib.deployer
import data.lib.people
import data.lib.review
import data.lib.subject

# moments: decisive, when a waiver has to be in force, and until, how long it has
# to last.
#
# applied is the finding after waivers: a fail with a valid waiver is waived; an
# invalid one is named.
applied(finding, _) := finding if finding.status != "fail"

applied(finding, moments) := object.union(finding, {
	"status": "waived",
	"message": concat(" ", [finding.message, $"Waived by {_label(chosen)}: approved by {chosen.approved_by} until {chosen.expires_at} ({object.get(chosen, "reason", "no reason given")})."]),
	"evidence": sort([pointer | some pointer in ({pointer | some pointer in finding.evidence} | {$"/waivers/{index}"})]),
	"waiver": object.union(
		{"id": _label(chosen), "approved_by": chosen.approved_by, "expires_at": chosen.expires_at},
		object.filter(chosen, ["reason"]),
	),
}) if {
	finding.status == "fail"
	index := min(_valid(finding, moments))
	chosen := input.waivers[index]
}

applied(finding, moments) := object.union(finding, {
	"status": _status(faults),
	"message": concat(" ", array.concat([finding.message], sort({fault.text | some fault in faults}))),
	"reasons": sort([reason | some reason in ({reason | some reason in finding.reasons} | {_reason(finding.control, fault) | some fault in faults})]),
	"evidence": sort([pointer | some pointer in ({pointer | some pointer in finding.evidence} | {fault.evidence | some fault in faults})]),
}) if {
	finding.status == "fail"
	count(_valid(finding, moments)) == 0
	faults := {fault |
		some index, waiver in input.waivers
		_concerns(waiver, finding.control)
		fault := _fault(index, waiver, finding.control, moments)
	}
}

# A waiver of somebody who may yet turn out to be authorised leaves it open.
_status(faults) := "unknown" if {
	some fault in faults
	fault.kind == "unresolved"
} else := "fail"

_label(waiver) := object.get(waiver, "id", "without an id")

_name(waiver) := concat(" ", ["Waiver", _label(waiver)])

_reason(control, fault) := concat("", ["sla.waiver_", fault.kind]) if {
	control == "CM-6.2"
	fault.kind in {"expired", "self", "late"}
} else := concat(".", ["waiver", fault.kind])

_valid(finding, moments) := {index |
	some index, waiver in input.waivers
	_concerns(waiver, finding.control)
	not _fault(index, waiver, finding.control, moments)
}

_concerns(waiver, control) if {
	control in _controls(waiver)
	subject.covered(waiver.subject)
}

# An alias in a waiver means the control behind it.
_controls(waiver) := {id | some id in waiver.controls} | {id |
	some id, row in catalogue.controls
	some alias in row.aliases
	alias in waiver.controls
}

# _fault says why a waiver does not count.
_fault(index, waiver, control, moments) := {"kind": "unwaivable", "text": $"{_name(waiver)} does not count: {control} cannot be waived.", "evidence": $"/waivers/{index}"} if {
	control in data.settings.unwaivable_controls
} else := {"kind": "incomplete", "text": $"{_name(waiver)} does not count: it has no {concat(", ", sort(absent))}.", "evidence": $"/waivers/{index}"} if {
	absent := {field | some field in ["approved_at", "approved_by", "expires_at"]; not waiver[field]}
	count(absent) > 0
} else := _time_fault(index, waiver) if {
	_time_fault(index, waiver)
} else := _person_fault(index, waiver) if {
	_person_fault(index, waiver).kind != "unresolved"
} else := _moment_fault(index, waiver, moments) if {
	_moment_fault(index, waiver, moments)
} else := _person_fault(index, waiver) if {
	_person_fault(index, waiver)
}

_moment_fault(index, waiver, moments) := {"kind": "late", "text": $"{_name(waiver)} does not count: it was approved only at {waiver.approved_at}, after {clock.text(moments.decisive)}. It is on record as accepted afterwards.", "evidence": $"/waivers/{index}"} if {
	clock.instant(waiver.approved_at) > moments.decisive
} else := {"kind": "expired", "text": $"{_name(waiver)} does not count: it expired at {waiver.expires_at}, before {clock.text(moments.until)}.", "evidence": $"/waivers/{index}"} if {
	clock.instant(waiver.expires_at) < moments.until
} else := {"kind": "revoked", "text": $"{_name(waiver)} does not count: it was revoked at {waiver.revoked_at}.", "evidence": $"/waivers/{index}"} if {
	clock.instant(waiver.revoked_at) <= moments.until
}

_time_fault(index, waiver) := {"kind": "too_long", "text": $"{_name(waiver)} does not count: it lasts longer than {data.settings.waiver_max_days} days.", "evidence": $"/waivers/{index}"} if {
	clock.instant(waiver.expires_at) - clock.instant(waiver.approved_at) > data.settings.waiver_max_days * clock.day
}

_person_fault(index, waiver) := {"kind": "self", "text": $"{_name(waiver)} does not count: {waiver.approved_by} approved their own request.", "evidence": $"/waivers/{index}"} if {
	_same(waiver.approved_by, waiver.requested_by)
} else := {"kind": "unresolved", "text": $"Whether {_name(waiver)} counts cannot be told: who {waiver.approved_by} is was not read.", "evidence": $"/waivers/{index}"} if {
	not _is_authorised(waiver)
	not people.member(waiver.approved_by)
	not people.directory_complete
} else := {"kind": "unauthorised", "text": $"{_name(waiver)} does not count: {waiver.approved_by} is not an authorised person in the directory.", "evidence": $"/waivers/{index}"} if {
	not _is_authorised(waiver)
} else := {"kind": "self", "text": $"{_name(waiver)} does not count: {waiver.approved_by} took part in the change.", "evidence": $"/waivers/{index}"} if {
	people.member(waiver.approved_by).id in _participants
} else := {"kind": "incomplete", "text": $"{_name(waiver)} does not count: nobody is on record who requested it.", "evidence": $"/waivers/{index}"} if {
	not waiver.requested_by
}

_same(left, right) if lower(left) == lower(right)

_same(left, right) if people.member(left).id == people.member(right).id

# A dossier without people names persons, not accounts: there is nothing to
# resolve them by.
_is_authorised(_) if count(input.people) == 0

_is_authorised(waiver) if {
	person := people.member(waiver.approved_by)
	people.is_human(person)
	people.engaged(person, clock.instant(waiver.approved_at))
}

# Whoever wrote, requested, reviewed, merged, applied or deployed the change, or
# reviewed it afterwards, took part in it.
_participants contains id if some id, _ in authorship.authors

_participants contains owner if some owner, _ in review.standing

_participants contains owner if some owner, _ in review.judged

_participants contains id if some id in deployer.persons

_participants contains people.person(authorship.system, account).id if some account in _acting_accounts

_participants contains people.member(name).id if some name in _named

_acting_accounts contains input.change.pull_request.merged_by

_acting_accounts contains input.change.pull_request.enqueued_by

_acting_accounts contains input.change.event.actor

_named contains input.change.event.actor

_named contains approval.by if some approval in input.change.issue.approvals

_named contains input.change.retrospective_review.reviewer

_named contains input.finding.owner

_named contains input.finding.dismissed_by
