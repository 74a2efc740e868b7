package tests.lib_people

import data.lib.clock
import data.lib.people
import data.tests.dossier

_people := {"people": [
	{"id": "alice", "kind": "employee", "accounts": {"github": ["Alice"], "render": ["alice@acme.example"], "git": ["alice@home.example"]}, "authorised": [{"from": "2026-01-01T00:00:00Z", "until": "2026-06-30T00:00:00Z"}]},
	{"id": "alice", "kind": "employee", "accounts": {"github": ["Alice"]}, "roles": ["engineer"], "authorised": [{"from": "2026-09-01T00:00:00Z", "systems": ["github"]}]},
	{"id": "bob", "kind": "contractor", "accounts": {"github": ["bob"], "render": ["usr-77", "ops@acme.example"]}, "authorised": [{"from": "2026-01-01T00:00:00Z", "systems": []}]},
	{"id": "erin", "kind": "employee", "accounts": {"render": ["ops@acme.example"], "git": ["bob"]}, "authorised": [{"from": "2026-01-01T00:00:00Z", "systems": ["all"]}]},
	{"id": "acme-deployer", "kind": "system", "accounts": {"render": ["deployer"]}},
	{"id": "pilot", "kind": "agent", "accounts": {"github": ["pilot[bot]"]}, "owner": "bob"},
]}

test_person[note] if {
	some note, case in {
		"a login": ["github", "alice", "alice"],
		"a login in capitals": ["github", "ALICE", "alice"],
		"an address of another system": ["github", "alice@acme.example", "alice"],
		"an address in a trailer": ["github", "Alice A. <ALICE@home.example>", "alice"],
		"the address GitHub lends": ["github", "42+Alice@users.noreply.github.com", "alice"],
		"the older address GitHub lends": ["git", "alice@users.noreply.github.com", "alice"],
		"a login seen from a clone": ["git", "alice", "alice"],
		"a login elsewhere": ["render", "alice", "alice"],
		"an id": ["render", "acme-deployer", "acme-deployer"],
		"the id that is left of a user": ["render", "Deleted User ID#usr-77", "bob"],
		"an address of two": ["render", "ops@acme.example", "nobody"],
		"an id is no login": ["github", "erin", "nobody"],
		"a stranger": ["github", "zoe", "nobody"],
		"a stranger's address": ["github", "zoe@else.example", "nobody"],
		"somebody else's address at GitHub": ["github", "7+zoe@users.noreply.github.com", "nobody"],
	}
	object.get(_found(case[0], case[1]), "id", "nobody") == case[2]
}

_found(system, account) := found if {
	found := people.person(system, account) with input as _people
} else := {}

test_shared if {
	people.is_shared("render", "OPS@acme.example") with input as _people
	not people.is_shared("render", "usr-77") with input as _people
	label := people.label("render", "ops@acme.example") with input as _people
	label == "ops@acme.example (shared by bob, erin)"
}

# What Git says of a name is self-asserted: it makes nobody of GitHub somebody else.
test_git_names_are_no_logins if {
	_found("github", "bob").id == "bob"
	_found("git", "bob").id == "erin"
}

test_member[note] if {
	some note, case in {
		"by id": ["alice", "alice"],
		"by login": ["Alice", "alice"],
		"by address": ["alice@acme.example", "alice"],
		"an address of two": ["ops@acme.example", "nobody"],
		"nobody": ["zoe", "nobody"],
		"the id of one, the account of another": ["bob", "nobody"],
	}
	object.get(_member(case[0]), "id", "nobody") == case[1]
}

_member(name) := found if {
	found := people.member(name) with input as _people
} else := {}

test_listed_twice if {
	record := people.record.alice with input as _people
	count(record.authorised) == 2
	record.roles == ["engineer"]
}

test_authorised[note] if {
	some note, case in {
		"at its first instant": ["alice", "render", "2026-01-01T00:00:00Z", true],
		"a second before": ["alice", "render", "2025-12-31T23:59:59Z", false],
		"at its last instant": ["alice", "render", "2026-06-30T00:00:00Z", true],
		"a second after": ["alice", "render", "2026-06-30T00:00:01Z", false],
		"between periods": ["alice", "github", "2026-08-01T00:00:00Z", false],
		"in the second period": ["alice", "github", "2026-09-01T00:00:00Z", true],
		"in the second period, a clone of it": ["alice", "git", "2026-09-01T00:00:00Z", true],
		"in the second period, elsewhere": ["alice", "render", "2026-09-01T00:00:00Z", false],
		"for no system in particular": ["bob", "render", "2026-09-01T00:00:00Z", true],
		"for all systems": ["erin", "render", "2026-09-01T00:00:00Z", true],
		"never": ["pilot", "github", "2026-09-01T00:00:00Z", false],
	}
	_is_authorised(case[0], case[1], case[2]) == case[3]
}

_is_authorised(id, system, at) if {
	record := people.record[id] with input as _people
	people.authorised(record, system, clock.instant(at))
} else := false

test_system[note] if {
	some note, case in {
		"as the settings list it": ["github", "Web-Flow", true],
		"as the directory lists it": ["render", "deployer", true],
		"an agent": ["github", "pilot[bot]", false],
		"a person": ["github", "alice", false],
		"nobody": ["github", "zoe", false],
	}
	_is_system(case[0], case[1]) == case[2]
}

_is_system(system, account) if {
	people.is_system(system, account) with input as _people
} else := false

# The directory decides also where the settings say otherwise.
test_the_directory_outranks_the_settings if {
	not people.is_system("github", "web-flow") with input as {"people": [{"id": "w", "kind": "employee", "accounts": {"github": ["web-flow"]}}]}
}

test_tool[note] if {
	some note, case in {
		"an address": ["NoReply@anthropic.com", true],
		"a trailer": ["Claude <noreply@anthropic.com>", true],
		"a person": ["alice@acme.example", false],
	}
	_is_tool(case[0]) == case[1]
}

_is_tool(account) if {
	people.is_tool(account)
} else := false

test_label[note] if {
	some note, case in {
		"the person": ["github", "alice", "alice"],
		"the person behind an address": ["render", "usr-77", "bob (usr-77)"],
		"nobody": ["github", "zoe", "zoe (not in the directory)"],
	}
	label := people.label(case[0], case[1]) with input as _people
	label == case[2]
}

test_erased if {
	every account in ["ghost", "Deleted User ID#usr-9", "deleted user"] {
		people.is_erased(account)
	}
	not people.is_erased("ghostwriter")
}

test_directory if {
	people.directory_complete with input as dossier.normal
	not people.directory_complete with input as dossier.unread(dossier.normal, "iam")
	not people.directory_complete with input as dossier.put(dossier.normal, "/sources/iam", {"status": "incomplete", "missing": ["members"]})
	people.directory_complete with input as dossier.put(dossier.normal, "/sources/iam", {"status": "incomplete", "missing": ["cloudtrail"]})
}
