package tests.lib_attestation

import data.lib.attestation
import data.tests.dossier

# Alice wrote and deployed the change; carol is a security reviewer.
_statement := {
	"id": "att-1", "control": "CM-6.3", "subject": "acme/app#412", "statement": "TLS 1.3 is served.",
	"made_by": "carol", "role": "security-reviewer", "made_at": "2026-11-10T12:00:00Z",
}

_made(changes) := dossier.put(dossier.normal, "/attestations", [object.union(_statement, changes)])

_accepted(base) := {statement.evidence | some statement in found} if {
	found := attestation.accepted["CM-6.3"] with input as base
} else := set()

_first := {"/attestations/0"}

test_accepted[note] if {
	some note, case in {
		"none": [dossier.normal, set()],
		"by a security reviewer": [_made({}), _first],
		"without a role of its own": [dossier.without(_made({}), "/attestations/0/role"), _first],
		"by the account of a security reviewer": [_made({"made_by": "carol@acme.example"}), _first],
		"of a pattern": [_made({"subject": "acme/app#*"}), _first],
		"of something else": [_made({"subject": "acme/app#4"}), set()],
		"of another control": [_made({"control": "CM-5.3"}), set()],
		"of a control that nobody may attest": [_made({"control": "CM-4.B.1"}), set()],
		"in another role": [_made({"role": "engineer"}), set()],
		"by somebody without the role": [_made({"made_by": "bob"}), set()],
		"by a stranger": [_made({"made_by": "zoe"}), set()],
		"by nobody": [dossier.without(_made({}), "/attestations/0/made_by"), set()],
		"by an author": [dossier.put(_made({}), "/change/pull_request/author", "carol"), set()],
		"by the deployer": [dossier.put(_made({}), "/change/pull_request/merged_by", "carol"), set()],
		"by a bot": [dossier.put(_made({}), "/people/2/kind", "bot"), set()],
		"by somebody who had left": [dossier.put(_made({}), "/people/2/authorised", [{"from": "2024-01-01T00:00:00Z", "until": "2026-11-10T11:59:59Z"}]), set()],
		"next to an unknown author": [dossier.put(_made({}), "/change/pull_request/commits/0/co_authors", ["zoe"]), _first],
		"next to an unknown author, directory unread": [dossier.unread(dossier.put(_made({}), "/change/pull_request/commits/0/co_authors", ["zoe"]), "iam"), set()],
		"at no known time": [dossier.without(_made({}), "/attestations/0/made_at"), set()],
		"now": [_made({"made_at": "2026-11-20T09:00:00Z"}), _first],
		"in the future": [_made({"made_at": "2026-11-20T09:00:01Z"}), set()],
		"valid until now": [_made({"valid_until": "2026-11-20T09:00:00Z"}), _first],
		"valid until a second ago": [_made({"valid_until": "2026-11-20T08:59:59Z"}), set()],
		"replaced": [dossier.put(dossier.normal, "/attestations", [_statement, object.union(_statement, {"id": "att-2", "made_by": "zoe", "supersedes": "att-1"})]), set()],
		"replacing": [dossier.put(dossier.normal, "/attestations", [object.union(_statement, {"supersedes": "att-0"})]), _first],
	}
	_accepted(case[0]) == case[1]
}
