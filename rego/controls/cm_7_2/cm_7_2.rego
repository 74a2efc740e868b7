# METADATA
# title: Production access is limited to authorised personnel
# description: Whoever receives access is authorised at the time, somebody independent approved the grant before it was made, and an elevation is time-boxed and revoked in time.
# scope: package
# custom:
#   id: CM-7.2
#   clause: "7-2"
#   remediation: Have grants approved by somebody independent before they are made; let elevations expire.
package controls.cm_7_2

import data.classification
import data.lib.authorship
import data.lib.change
import data.lib.clock
import data.lib.emergency
import data.lib.evidence
import data.lib.grant
import data.lib.people
import data.lib.retrospective
import data.lib.review

decisive_at := change.effective_at if {
	change.effective_at
} else := clock.now

_is_grant if input.change.kind == "iam_grant"

_has_grants if count(input.change.related_grants) > 0

not_applicable := "The change grants no access." if {
	not _is_grant
	not _has_grants
	not input.change.event.elevation
}

_parties contains {"field": field, "account": input.change.event[field]} if {
	some field in ["actor", "beneficiary"]
	input.change.event[field]
}

problems contains {
	"status": "fail",
	"reason": "acc.unauthorised",
	"message": $"{people.label(authorship.system, party.account)}, the {party.field} of the grant, was not authorised at {clock.text(decisive_at)}.",
	"evidence": {$"/change/event/{party.field}"},
	"remediation": $"Revoke the access of {party.account}.",
} if {
	some party in _parties
	person := authorship.person_of(party.account)
	people.is_human(person)
	not people.authorised(person, authorship.system, decisive_at)
}

problems contains {
	"status": "fail",
	"reason": "acc.unauthorised",
	"message": $"{people.label(authorship.system, party.account)}, the {party.field} of the grant, is a {person.kind} that is not registered.",
	"evidence": {$"/change/event/{party.field}"},
	"remediation": $"Register {party.account} with owner and purpose, or revoke its access.",
} if {
	some party in _parties
	person := authorship.person_of(party.account)
	person.kind in {"bot", "agent"}
	not person.registered == true
}

# Who gained what from whom, and when: without it nobody can be told to be independent.
problems contains {
	"status": "unknown",
	"reason": "acc.untold",
	"message": $"The record of the grant does not say {concat(", ", sort(_untold))}.",
	"evidence": change.pointers,
	"remediation": "Read the access events completely and evaluate again.",
} if {
	count(_untold) > 0
}

_untold contains "who made it" if {
	_is_grant
	not input.change.event.actor
}

_untold contains "who gains by it" if {
	_is_grant
	not input.change.event.beneficiary
	not input.change.event.target
}

_untold contains "when it was made" if {
	_is_grant
	not input.change.event.at
}

_untold contains "when the elevation began" if {
	_elevation
	not _is_grant
	not _started_at
}

problems contains {
	"status": _unresolved_status(party.account),
	"reason": "acc.unauthorised",
	"message": $"{party.account}, the {party.field} of the grant, belongs to nobody in the directory.",
	"evidence": {$"/change/event/{party.field}"},
	"remediation": $"Link {party.account} to a person, or revoke the access.",
} if {
	some party in _parties
	not authorship.person_of(party.account)
	not people.is_system(authorship.system, party.account)
}

# What is left of a deleted account may have been anybody's.
_unresolved_status(account) := "unknown" if {
	not people.directory_complete
} else := "unknown" if {
	people.is_erased(account)
} else := "fail"

_approvers := review.approvers | retrospective.reviewers if {
	classification.type == "emergency"
} else := review.approvers

problems contains _unapproved if {
	_is_grant
	count(_approvers) == 0
}

_unapproved := {
	"status": "pending",
	"reason": "acc.grant_unapproved",
	"message": "The grant was made in an emergency; its retrospective review is not done yet.",
	"evidence": change.pointers,
	"remediation": "Have somebody independent review the grant.",
	"due_at": emergency.review_due,
} if {
	classification.type == "emergency"
	not retrospective.done
	not clock.passed(emergency.review_due)
} else := {
	"status": "unknown",
	"reason": "acc.grant_unapproved",
	"message": "Whether somebody independent approved the grant cannot be told: approvals could not be read or resolved.",
	"evidence": change.pointers,
	"remediation": "Read the missing facts and evaluate again.",
} if {
	_unclear
} else := {
	"status": "fail",
	"reason": "acc.grant_unapproved",
	"message": $"Nobody independent had approved the grant ({object.get(input.change, ["event", "detail"], change.name)}) before it was made{_at}.",
	"evidence": (change.pointers | {verdict.evidence | some verdict in review.judged}),
	"remediation": "Revoke the grant, or have it approved by somebody who neither asked for it nor gains by it.",
}

_at := $" at {clock.text(change.effective_at)}" if {
	change.effective_at
} else := ""

_unclear if count(review.possible_approvers) > 0

_unclear if {
	some doubt in review.doubts
	doubt.about in {"approvals", "reviews"}
}

problems contains {
	"status": "unknown",
	"reason": "acc.grant_unapproved",
	"message": $"Whether a grant in the chain had an independent approval cannot be told: {fault.text}.",
	"evidence": {fault.evidence},
	"remediation": "Read the request for the access completely and evaluate again.",
} if {
	some fault in grant.unclear
}

problems contains {
	"status": "fail",
	"reason": "acc.grant_unapproved",
	"message": $"A grant in the chain had no independent approval: {fault.text}.",
	"evidence": {fault.evidence},
	"remediation": "Revoke the grant, and have it reviewed with the change it was used for.",
} if {
	some fault in grant.unapproved
}

# --- Elevations ---------------------------------------------------------------

_elevation := input.change.event.elevation

_started_at := clock.instant(_elevation.started_at) if {
	_elevation.started_at
} else := change.effective_at

_expires_at := clock.instant(_elevation.expires_at)

revocation_due := _expires_at + (data.settings.elevation_revocation_grace_minutes * clock.minute)

problems contains {
	"status": "fail",
	"reason": "acc.elevation_too_long",
	"message": $"The elevation lasts {clock.span(_expires_at - _started_at)}, longer than the {data.settings.elevation_max_hours} hours allowed.",
	"evidence": {"/change/event/elevation"},
	"remediation": "Grant elevations for the shortest realistic time.",
} if {
	_expires_at - _started_at > data.settings.elevation_max_hours * clock.hour
}

# Revoked without ever having had an end of its own.
problems contains {
	"status": "fail",
	"reason": "acc.elevation_too_long",
	"message": $"The elevation lasted {clock.span(_revoked_at - _started_at)}, longer than the {data.settings.elevation_max_hours} hours allowed.",
	"evidence": {"/change/event/elevation"},
	"remediation": "Grant elevations for the shortest realistic time.",
} if {
	not _elevation.expires_at
	_revoked_at - _started_at > data.settings.elevation_max_hours * clock.hour
}

_revoked_at := clock.instant(_elevation.revoked_at)

problems contains {
	"status": "fail",
	"reason": "acc.elevation_too_long",
	"message": "The elevation has no end.",
	"evidence": {"/change/event/elevation"},
	"remediation": "Grant elevations with an end, for the shortest realistic time.",
} if {
	_elevation
	not _elevation.expires_at
	not _elevation.revoked_at
}

problems contains {
	"status": "fail",
	"reason": "acc.elevation_expired",
	"message": $"The elevation ended at {_elevation.expires_at} and was revoked only at {_elevation.revoked_at}, after {clock.text(revocation_due)}.",
	"evidence": {"/change/event/elevation"},
	"remediation": "Let elevations be revoked automatically.",
} if {
	clock.instant(_elevation.revoked_at) > revocation_due
}

problems contains _unrevoked if {
	_expires_at
	not _elevation.revoked_at
}

_unrevoked := {
	"status": "pending",
	"reason": "acc.elevation_expired",
	"message": $"The elevation is still in force; it is to be revoked by {clock.text(revocation_due)}.",
	"evidence": {"/change/event/elevation"},
	"remediation": $"Revoke the elevation by {clock.text(revocation_due)}.",
	"due_at": revocation_due,
} if {
	not clock.passed(revocation_due)
} else := {
	"status": "unknown",
	"reason": "acc.elevation_expired",
	"message": $"Whether the elevation was revoked cannot be told: {evidence.gap("iam")}.",
	"evidence": evidence.pointer("iam"),
	"remediation": "Read the access events completely and evaluate again.",
} if {
	not evidence.complete("iam", "access_events")
} else := {
	"status": "fail",
	"reason": "acc.elevation_expired",
	"message": $"The elevation ended at {_elevation.expires_at} and has not been revoked.",
	"evidence": {"/change/event/elevation"},
	"remediation": "Revoke the access now.",
}

passed := {
	"message": $"The grant was approved by {concat(", ", sort([id | some id in _approvers]))} and everybody involved was authorised.",
	"evidence": (change.pointers | {verdict.evidence | some verdict in review.judged}),
} if {
	_is_grant
} else := {
	"message": "Every grant used for the change had an independent approval.",
	"evidence": ({$"/change/related_grants/{index}" | some index, _ in input.change.related_grants} | {"/change/kind"}),
}
