# METADATA
# title: Attestation
# description: What a named person stated about something that no machine can see, where that person may (controls 1.6).
# scope: package
package lib.attestation

import data.lib.authorship
import data.lib.clock
import data.lib.deployer
import data.lib.people
import data.lib.subject

# accepted: control -> attestations of this subject that count: made by a human who
# held an allowed role, was authorised then and neither wrote nor deployed the
# change; still valid; not replaced by a later one.
accepted[control] contains {"by": person.id, "at": made_at, "evidence": $"/attestations/{index}"} if {
	some index, attestation in input.attestations
	control := attestation.control
	subject.covered(attestation.subject)
	person := people.member(attestation.made_by)
	people.is_human(person)
	made_at := clock.instant(attestation.made_at)
	made_at <= clock.now
	people.engaged(person, made_at)
	_holds_role(person, attestation)
	_independent(person)
	_valid(attestation)
	not _superseded(attestation)
}

_holds_role(person, attestation) if {
	some role in data.settings.attestation_roles[attestation.control]
	role in person.roles
	object.get(attestation, "role", role) == role
}

# An account that nobody is known for may be the attesting person's own.
_independent(person) if {
	not authorship.authors[person.id]
	not person.id in deployer.persons
	_parties_known
}

_parties_known if people.directory_complete

_parties_known if count(authorship.unresolved_authors | deployer.unresolved) == 0

_valid(attestation) if not attestation.valid_until

_valid(attestation) if clock.instant(attestation.valid_until) >= clock.now

# Whoever replaces an attestation takes it back, accepted or not.
_superseded(attestation) if {
	some later in input.attestations
	later.supersedes == attestation.id
}
