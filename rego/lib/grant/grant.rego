# METADATA
# title: Grant
# description: Grants that were used for a change, and whether somebody independent had approved them (controls 4.6).
# scope: package
package lib.grant

import data.lib.clock
import data.lib.people

# unapproved: related grants without an independent approval before them.
unapproved contains {"text": $"{_holder(grant)} at {object.get(grant, "at", "an unknown time")}", "evidence": $"/change/related_grants/{index}"} if {
	some index, grant in input.change.related_grants
	not _approved(grant)
}

_holder(grant) := grant.beneficiary if {
	grant.beneficiary
} else := grant.to if {
	grant.to
} else := object.get(grant, "actor", "a grant")

_approved(grant) if {
	some approval in _approvals(grant)
	person := people.member(approval.by)
	people.is_human(person)
	not person.id in _parties(grant)
	_in_time(approval, grant)
	_engaged(person, grant)
}

_approvals(grant) := {{"by": grant.approved_by, "at": object.get(grant, "approved_at", null)} | is_string(grant.approved_by)} | {{"by": approval.by, "at": object.get(approval, "at", null)} | some approval in grant.approvals}

_in_time(approval, _) if approval.at == null

_in_time(approval, grant) if clock.instant(approval.at) <= clock.instant(grant.at) + clock.skew

_engaged(person, grant) if people.engaged(person, clock.instant(grant.at))

_engaged(_, grant) if not grant.at

# Whoever asked for, gains by or made the grant.
_parties(grant) := {people.member(grant[field]).id |
	some field in ["actor", "beneficiary", "granted_by", "granter", "requested_by", "to"]
	is_string(grant[field])
}
