# METADATA
# title: Authorship
# description: Who wrote a change - authors, committers, co-authors, requesters and the operators of agents (controls 4.1 to 4.4).
# scope: package
package lib.authorship

import data.lib.change
import data.lib.evidence
import data.lib.people

# Commits that carry authored content. Update-branch merges without conflicts,
# made by the code host itself, bring nothing of their own, and whoever clicked the
# button wrote nothing. A merge made elsewhere may hold anything.
content_commits[index] := commit if {
	some index, commit in change.pull_request.commits
	not may_be_update_merge(commit)
}

# Whether somebody resolved conflicts in them, or who made them, is not on record.
_unclear_merges contains commit if {
	some commit in change.pull_request.commits
	may_be_update_merge(commit)
	not is_update_merge(commit)
}

is_update_merge(commit) if {
	commit.merge_from_base == true
	commit.conflicts == false
	_made_by_host(commit)
}

may_be_update_merge(commit) if {
	commit.merge_from_base == true
	not commit.conflicts == true
	_may_be_made_by_host(commit)
}

_may_be_made_by_host(commit) if not commit.committer

_may_be_made_by_host(commit) if _made_by_host(commit)

_made_by_host(commit) if people.is_system(system, commit.committer)

_made_by_host(commit) if people.is_tool(commit.committer)

# contributions: every account that had a part in the content, with the reason
# for which it could not approve.
contributions contains {"account": change.pull_request.author, "reason": "rev.self", "evidence": "/change/pull_request/author"} if {
	change.pull_request.author
}

contributions contains {"account": commit.author, "reason": "rev.self", "evidence": $"/change/pull_request/commits/{index}"} if {
	some index, commit in content_commits
	commit.author
}

contributions contains {"account": commit.committer, "reason": "rev.committer", "evidence": $"/change/pull_request/commits/{index}"} if {
	some index, commit in content_commits
	commit.committer
	not people.is_system(system, commit.committer)
}

contributions contains {"account": account, "reason": "rev.coauthor", "evidence": $"/change/pull_request/commits/{index}"} if {
	some index, commit in content_commits
	some account in commit.co_authors
}

contributions contains {"account": account, "reason": "rev.operator", "evidence": $"/change/pull_request/agent_operators/{index}"} if {
	some index, account in change.pull_request.agent_operators
}

contributions contains {"account": account, "reason": "rev.operator", "evidence": $"/change/pull_request/operator_events/{index}"} if {
	some name in _operator_names
	[index, account] := name
}

# _operator_names: whom the events of an agent's operation name, under whatever
# field: index -> accounts.
_operator_names contains [index, account] if {
	some index, event in change.pull_request.operator_events
	walk(event, [path, account])
	is_string(account)
	_names_operator(path[count(path) - 1], account)
}

_names_operator(field, _) if field in {"operator", "actor", "user", "by"}

_names_operator(_, account) if people.is_human(person_of(account))

unnamed_operations contains index if {
	some index, _ in change.pull_request.operator_events
	every name in _operator_names {
		name[0] != index
	}
}

contributions contains {"account": change.pull_request.assigned_by, "reason": "rev.operator", "evidence": "/change/pull_request/assigned_by"} if {
	change.pull_request.assigned_by
	count(agents) > 0
}

contributions contains {"account": input.change.push.actor, "reason": "rev.self", "evidence": "/change/push/actor"} if {
	input.change.push.actor
}

# Where Git holds nothing: who asked for it and who gains by it.
contributions contains {"account": input.change.event[field], "reason": "rev.self", "evidence": $"/change/event/{field}"} if {
	some field in ["requested_by", "beneficiary"]
	input.change.event[field]
}

contributions contains {"account": input.change.issue.author, "reason": "rev.self", "evidence": "/change/issue/author"} if {
	change.gitless
	input.change.issue.author
}

contributions contains {"account": input.change.event.actor, "reason": "rev.self", "evidence": "/change/event/actor"} if {
	input.change.event.actor
	not input.change.event.requested_by
}

# Accounts that name tools count for nobody.
_counted contains contribution if {
	some contribution in contributions
	not people.is_tool(contribution.account)
	not people.is_system(system, contribution.account)
}

# system is where the accounts of a change belong.
system := input.change.event.system if {
	change.gitless
	input.change.event.system
} else := evidence.code

# person_of names the person behind an account of the change. A request outside
# Git may name the person instead of an account.
person_of(account) := found if {
	found := people.person(system, account)
} else := people.member(account) if {
	change.gitless
}

# Who wrote it: person -> the strongest reason why that person is not independent.
authors[id] contains contribution.reason if {
	some contribution in _counted
	id := person_of(contribution.account).id
}

# possible_authors: persons who are authors if a merge turns out to hold content.
possible_authors contains person_of(commit[field]).id if {
	some commit in _unclear_merges
	some field in ["author", "committer"]
}

# Contributors whom the directory cannot name.
unresolved_authors contains contribution.account if {
	some contribution in _counted
	not person_of(contribution.account)
}

# Agents among the authors; each acts for a person who must be known.
agents contains id if {
	some id, _ in _machine_authors
	people.record[id].kind == "agent"
}

_machine_authors[id] contains account if {
	some account in _authoring_accounts
	found := person_of(account)
	people.is_machine(found)
	id := found.id
}

_authoring_accounts contains change.pull_request.author

_authoring_accounts contains commit.author if some commit in content_commits

_authoring_accounts contains input.change.push.actor

# The persons who steered an agent.
operators contains person_of(contribution.account).id if {
	some contribution in contributions
	contribution.reason == "rev.operator"
	people.is_human(person_of(contribution.account))
}

# Another person who authored commits on an agent's pull request does not tell
# who steered the agent.
operator_unknown if {
	count(agents) > 0
	count(operators) == 0
}
