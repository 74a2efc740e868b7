# METADATA
# title: Grant
# description: Grants that were used for a change, and whether somebody independent had approved them (controls 4.6).
# scope: package
package lib.grant

import data.lib.change
import data.lib.clock
import data.lib.evidence
import data.lib.people

# unapproved: related grants that nobody independent had approved before.
unapproved contains _fault(index, grant) if {
	some index, grant in _chain
	not _approved(grant)
	not _unclear(grant)
}

# unclear: related grants of which that cannot be told.
unclear contains _fault(index, grant) if {
	some index, grant in _chain
	not _approved(grant)
	_unclear(grant)
}

# _chain: the grants that may have been given for this change; one from long before
# was not. A grant or a change without a time may.
_chain[index] := grant if {
	some index, grant in input.change.related_grants
	not _long_before(grant)
}

_long_before(grant) if _granted_at(grant) < min(_uses) - (data.settings.sequence_window_hours * clock.hour)

# A grant may serve the merge or the deployment.
_uses contains change.merged_at

_uses contains change.deploy_started_at

_uses contains change.effective_at

_fault(index, grant) := {"text": $"{_holder(grant)} at {_when(grant)}", "evidence": $"/change/related_grants/{index}"}

_holder(grant) := _text(grant, _gainers)[0] if {
	count(_text(grant, _gainers)) > 0
} else := _text(grant, _makers)[0] if {
	count(_text(grant, _makers)) > 0
} else := "a grant"

# The names under which sources say who gains by a grant, who asked for it, who
# made it and when.
_gainers := ["beneficiary", "granted_to", "to", "holder"]

_askers := ["requested_by", "requester"]

_makers := ["actor", "granted_by", "granter"]

_times := ["at", "granted_at", "started_at", "created_at"]

# _text: what the grant, or the event that made it, says under these names.
_text(grant, names) := [record[name] |
	some record in [grant, object.get(grant, "event", {})]
	some name in names
	is_string(record[name])
]

_when(grant) := _text(grant, _times)[0] if {
	count(_text(grant, _times)) > 0
} else := "an unknown time"

_granted_at(grant) := clock.instant(_text(grant, _times)[0])

_approved(grant) if {
	_parties_known(grant)
	some approval in _approvals(grant)
	_independent(approval, grant)
	clock.instant(approval.at) <= _granted_at(grant) + clock.skew
	people.engaged(people.member(approval.by), _granted_at(grant))
}

# An approval stands in the grant itself or in the request behind it.
_approvals(grant) := {_approval(grant.approved_by, object.get(grant, "approved_at", null)) | is_string(grant.approved_by)} | {_approval(approval.by, object.get(approval, "at", null)) |
	some record in [grant, object.get(grant, "issue", {}), object.get(grant, "request", {})]
	some approval in record.approvals
}

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
	not _granted_at(grant)
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

_named_parties(grant) := {name | some name in _text(grant, array.concat(_gainers, array.concat(_askers, _makers)))}

# Whoever asked for, gains by or made the grant.
_parties(grant) := {people.member(name).id | some name in _named_parties(grant)}

# The parties are known where the grant names any, and each is a person or, where
# the directory was read completely, nobody's second account.
_parties_known(grant) if {
	count(_named_parties(grant)) > 0
	people.directory_complete
}

_parties_known(grant) if {
	count(_named_parties(grant)) > 0
	every name in _named_parties(grant) {
		people.member(name)
	}
}
