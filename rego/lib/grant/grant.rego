# METADATA
# title: Grant
# description: Grants that were used for a change, and whether somebody independent had approved them (controls 4.6).
# scope: package
package lib.grant

import data.lib.clock
import data.lib.evidence
import data.lib.people

# unapproved: related grants that nobody independent had approved before.
unapproved contains _fault(index, grant) if {
	some index, grant in input.change.related_grants
	not _approved(grant)
	not _unclear(grant)
}

# unclear: related grants of which that cannot be told.
unclear contains _fault(index, grant) if {
	some index, grant in input.change.related_grants
	not _approved(grant)
	_unclear(grant)
}

_fault(index, grant) := {"text": $"{_holder(grant)} at {object.get(grant, "at", "an unknown time")}", "evidence": $"/change/related_grants/{index}"}

_holder(grant) := grant.beneficiary if {
	grant.beneficiary
} else := grant.to if {
	grant.to
} else := object.get(grant, "actor", "a grant")

_approved(grant) if {
	_parties_known(grant)
	some approval in _approvals(grant)
	_independent(approval, grant)
	clock.instant(approval.at) <= clock.instant(grant.at) + clock.skew
	people.engaged(people.member(approval.by), clock.instant(grant.at))
}

_approvals(grant) := {_approval(grant.approved_by, object.get(grant, "approved_at", null)) | is_string(grant.approved_by)} | {_approval(approval.by, object.get(approval, "at", null)) | some approval in grant.approvals}

_approval(by, at) := {"by": by} if {
	at == null
} else := {"by": by, "at": at}

_independent(approval, grant) if {
	person := people.member(approval.by)
	people.is_human(person)
	not person.id in _parties(grant)
}

# _unclear: the request was not read, an approval or the grant has no time, or an
# account cannot be told from the approver's.
_unclear(_) if not evidence.complete("issues", "records")

_unclear(grant) if {
	some approval in _approvals(grant)
	_independent(approval, grant)
	not approval.at
}

_unclear(grant) if {
	some approval in _approvals(grant)
	_independent(approval, grant)
	not grant.at
}

_unclear(grant) if {
	some approval in _approvals(grant)
	not people.member(approval.by)
	not people.directory_complete
}

_unclear(grant) if {
	some approval in _approvals(grant)
	_independent(approval, grant)
	not _parties_known(grant)
}

_named_parties(grant) := {grant[field] |
	some field in ["actor", "beneficiary", "granted_by", "granter", "requested_by", "to"]
	is_string(grant[field])
}

# Whoever asked for, gains by or made the grant.
_parties(grant) := {people.member(name).id | some name in _named_parties(grant)}

# An account that nobody in the complete directory has is nobody's second account.
_parties_known(_) if people.directory_complete

_parties_known(grant) if {
	every name in _named_parties(grant) {
		people.member(name)
	}
}
