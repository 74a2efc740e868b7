package tests.lib_authorship

import data.lib.authorship
import data.tests.dossier

_pull := "/change/pull_request"

_agent(base) := json.patch(base, [
	{"op": "add", "path": "/people/-", "value": {"id": "pilot", "kind": "agent", "owner": "carol", "registered": true, "accounts": {"github": ["pilot[bot]"]}}},
	{"op": "replace", "path": $"{_pull}/author", "value": "pilot[bot]"},
])

_operated(events) := dossier.put(_agent(dossier.normal), $"{_pull}/operator_events", events)

test_authors[note] if {
	some note, case in {
		"author and committer": [dossier.normal, {"alice": {"rev.self", "rev.committer"}}],
		"co-author": [dossier.put(dossier.normal, $"{_pull}/commits/0/co_authors", ["Bob <7+bob@users.noreply.github.com>"]), {"alice": {"rev.self", "rev.committer"}, "bob": {"rev.coauthor"}}],
		"whoever updated the branch": [dossier.put(dossier.normal, $"{_pull}/commits/-", {"sha": "c2", "author": "bob", "committer": "web-flow", "merge_from_base": true, "conflicts": false}), {"alice": {"rev.self", "rev.committer"}}],
		"whoever resolved conflicts": [dossier.put(dossier.normal, $"{_pull}/commits/-", {"sha": "c2", "author": "bob", "merge_from_base": true, "conflicts": true}), {"alice": {"rev.self", "rev.committer"}, "bob": {"rev.self"}}],
		"who pushed": [dossier.push, {"carol": {"rev.self"}}],
		"who asked and who gains": [dossier.grant, {"bob": {"rev.self"}}],
		"who made it, if nobody asked": [dossier.without(dossier.without(dossier.grant, "/change/event/requested_by"), "/change/event/beneficiary"), {"alice": {"rev.self"}}],
		"operator of an agent": [_operated([{"operator": "erin"}]), {"pilot": {"rev.self"}, "alice": {"rev.self", "rev.committer"}, "erin": {"rev.operator"}}],
		"operator under another name": [_operated([{"prompted": {"by": "erin"}}]), {"pilot": {"rev.self"}, "alice": {"rev.self", "rev.committer"}, "erin": {"rev.operator"}}],
	}
	authors := authorship.authors with input as case[0]
	authors == case[1]
}

test_operator[note] if {
	some note, case in {
		"no agent": [dossier.normal, "not needed"],
		"unknown": [_agent(dossier.normal), "unknown"],
		"known": [dossier.put(_agent(dossier.normal), $"{_pull}/agent_operators", ["alice"]), "not needed"],
		"known from the assignment": [dossier.put(_agent(dossier.normal), $"{_pull}/assigned_by", "alice"), "not needed"],
		"a stranger": [dossier.put(_agent(dossier.normal), $"{_pull}/agent_operators", ["zoe"]), "unknown"],
		"another agent": [dossier.put(_agent(dossier.normal), $"{_pull}/agent_operators", ["pilot[bot]"]), "unknown"],
	}
	_operator(case[0]) == case[1]
}

_operator(given) := "unknown" if {
	authorship.operator_unknown with input as given
} else := "not needed"

test_unnamed_operations if {
	unnamed := authorship.unnamed_operations with input as _operated([{"operator": "erin"}, {"kind": "prompt"}])
	unnamed == {1}
}

test_possible_authors if {
	possible := authorship.possible_authors with input as dossier.put(dossier.normal, $"{_pull}/commits/-", {"sha": "c2", "author": "bob", "committer": "web-flow", "merge_from_base": true})
	possible == {"bob"}
	none := authorship.possible_authors with input as dossier.normal
	none == set()
}

test_unresolved_authors if {
	strangers := authorship.unresolved_authors with input as dossier.put(dossier.normal, $"{_pull}/commits/0/co_authors", ["zoe@else.example", "Claude <noreply@anthropic.com>"])
	strangers == {"zoe@else.example"}
}

test_system[note] if {
	some note, case in {
		"a forge": [dossier.normal, "github"],
		"a platform": [dossier.grant, "render"],
		"a platform without a name": [dossier.without(dossier.grant, "/change/event/system"), "github"],
	}
	system := authorship.system with input as case[0]
	system == case[1]
}
