# METADATA
# title: People
# description: Accounts become persons before anyone is counted (controls 4.3, 4.4). Logins and e-mails compare without case.
# scope: package
package lib.people

import data.lib.clock
import data.lib.evidence

# by_account: system -> account in lower case -> ids of the persons who own it.
by_account[system][account] contains person.id if {
	some person in input.people
	some system, accounts in person.accounts
	some written in accounts
	account := lower(written)
}

# record: what the directory says of a person. Somebody listed twice, say with two
# periods of engagement, is one person.
record[id] := found if {
	some id, entries in _entries
	ranked := sort([entry | some entry in entries])
	found := object.union(ranked[0], {
		"authorised": [period | some entry in ranked; some period in entry.authorised],
		"roles": [role | some entry in ranked; some role in entry.roles],
	})
}

_entries[person.id] contains person if some person in input.people

_anywhere[account] contains id if {
	some system
	some account, ids in by_account[system]
	some id in ids
}

# matches: the ids of everybody whom an account may name. A login belongs to its
# system alone; an e-mail address names the same person everywhere.
matches(system, account) := found if {
	found := by_account[system][lower(account)]
} else := found if {
	found := _anywhere[_address(account)]
} else := found if {
	found := _anywhere[_erased_id(account)]
} else := found if {
	found := by_account.github[_login(account)]
} else := found if {
	system == "git"
	found := by_account.github[lower(account)]
} else := found if {
	not system in _code_systems
	found := _anywhere[lower(account)]
} else := {account} if {
	not system in _code_systems
	record[account]
} else := set()

# _address is the e-mail address that an account is or, in "Name <address>", has.
_address(account) := lower(regex.find_all_string_submatch_n(`<([^<>]+@[^<>]+)>`, account, 1)[0][1]) if {
	contains(account, "<")
} else := lower(account) if {
	contains(account, "@")
}

# _erased_id is the id that the source keeps of a deleted user: the directory may
# still know whose it was.
_erased_id(account) := lower(trim_space(regex.find_all_string_submatch_n(`(?i)^deleted user(?: id)?\s*#(.+)$`, account, 1)[0][1]))

# _login is the login inside the address that GitHub lends those who hide theirs.
_login(account) := regex.find_all_string_submatch_n(`^(?:[0-9]+\+)?([^@+]+)@users\.noreply\.github\.com$`, _address(account), 1)[0][1]

_code_systems := {"github", "git"}

# person is who an account names, where exactly one person is named.
person(system, account) := found if {
	ids := matches(system, account)
	count(ids) == 1
	some id in ids
	found := record[id]
}

# is_shared: several persons use the account. Who of them acted cannot be told.
is_shared(system, account) if count(matches(system, account)) > 1

resolved(system, account) if person(system, account).id

# member is the person whom a record names by id or by any account.
member(name) := found if {
	found := record[name]
	count({name} | object.get(_anywhere, lower(name), set())) == 1
} else := person("directory", name)

humans := {"employee", "contractor"}

is_human(person) if person.kind in humans

is_machine(person) if person.kind in {"bot", "agent", "system"}

# system_account: an account of a platform itself. The directory decides where it
# lists the account.
is_system(system, account) if person(system, account).kind == "system"

is_system(system, account) if {
	count(matches(system, account)) == 0
	lower(account) in data.settings.system_accounts
}

# is_tool: a tool named in a trailer, not a person (controls 4.4).
is_tool(account) if lower(account) in data.settings.tool_accounts

is_tool(account) if _address(account) in data.settings.tool_accounts

# authorised: the person may act in the system at that instant (controls 1.3, A14).
authorised(person, system, at) if {
	some period in person.authorised
	clock.instant(period.from) <= at
	_not_ended(period, at)
	_covers(period, system)
}

# engaged: the person may act somewhere at that instant, whatever the system.
engaged(person, at) if {
	some period in person.authorised
	clock.instant(period.from) <= at
	_not_ended(period, at)
}

_not_ended(period, _) if not period.until

_not_ended(period, at) if at <= clock.instant(period.until)

_covers(period, _) if not period.systems

_covers(period, system) if system in period.systems

_covers(period, "git") if "github" in period.systems

_covers(period, _) if count(period.systems) == 0

_covers(period, _) if "all" in period.systems

# The accounts that no longer name anybody at the source: what is left of a
# deleted user. Who it was cannot be told.
is_erased(account) if startswith(lower(account), "deleted user")

is_erased(account) if lower(account) == "ghost"

directory_complete if evidence.complete("iam", "directory")

# label is how a finding names an account: the person, with the account where it differs.
label(system, account) := account if {
	found := person(system, account)
	lower(found.id) == lower(account)
} else := $"{person(system, account).id} ({account})" if {
	resolved(system, account)
} else := $"{account} (shared by {concat(", ", sort(matches(system, account)))})" if {
	is_shared(system, account)
} else := $"{account} (not in the directory)"
