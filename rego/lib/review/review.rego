# METADATA
# title: Review
# description: Who approved a change independently, when, and on which revision (controls CM-4.B.1, 4.2).
# scope: package
package lib.review

import data.lib.authorship
import data.lib.change
import data.lib.clock
import data.lib.evidence
import data.lib.people

# --- Who approved it --------------------------------------------------------

# An approval counts until the merge; on an open pull request until now.
decisive := change.applied_at if {
	change.gitless
	change.applied_at
} else := change.merged_at if {
	change.merged_at
} else := change.deploy_started_at if {
	change.deploying_unmerged
	change.deploy_started_at
} else := change.first_live_at if {
	change.deploying_unmerged
	change.first_live_at
} else := clock.now

# The words by which sources call what a reviewer said. Comments say nothing.
_state_of := {
	"APPROVED": "APPROVED", "APPROVE": "APPROVED",
	"CHANGES_REQUESTED": "CHANGES_REQUESTED", "REQUEST_CHANGES": "CHANGES_REQUESTED",
	"DISMISSED": "DISMISSED",
}

# opinions: the reviews that say something, index -> review with its state spelt
# as everywhere else.
opinions[index] := object.union(review, {
	"state": object.get(_state_of, upper(object.get(review, "state", "")), "OTHER"),
	"user": object.get(review, "user", "somebody not on record"),
}) if {
	some index, review in change.pull_request.reviews
	not upper(object.get(review, "state", "")) in {"COMMENTED", "COMMENT", "PENDING"}
}

# statements: what reviewers said until the merge.
statements contains statement if {
	some index, review in opinions
	review.state != "OTHER"
	at := clock.instant(review.submitted_at)
	at <= decisive
	statement := {
		"owner": _owner(review.user),
		"account": review.user,
		"state": _state_at_merge(review),
		"at": at,
		"review": review,
		"evidence": $"/change/pull_request/reviews/{index}",
	}
}

# Statements of one person count once, whatever account they came from.
_owner(account) := authorship.person_of(account).id if {
	authorship.person_of(account)
} else := concat(":", ["account", lower(account)])

_state_at_merge(review) := "DISMISSED" if {
	review.state == "DISMISSED"
	not _dismissed_later(review)
} else := "DISMISSED" if {
	clock.instant(review.dismissed_at) <= decisive
} else := "UNCLEAR" if {
	review.state == "DISMISSED"
} else := review.state

_dismissed_later(review) if clock.instant(review.dismissed_at) > decisive

# The latest statement of each person is the one that stands. Within one second
# the objection outweighs the approval.
standing[owner] := statement if {
	some owner in {statement.owner | some statement in statements}
	ranked := sort([[statement.at, _weight[statement.state], statement.account, statement.evidence, statement] |
		some statement in statements
		statement.owner == owner
	])
	statement := ranked[count(ranked) - 1][4]
}

_weight := {"APPROVED": 0, "UNCLEAR": 1, "DISMISSED": 2, "CHANGES_REQUESTED": 3}

# Objections that stood at the merge.
objections[owner] := statement if {
	some owner, statement in standing
	statement.state == "CHANGES_REQUESTED"
	people.is_human(authorship.person_of(statement.account))
}

# An objection of somebody whom nobody can name: perhaps a stranger's, perhaps one
# that the same person withdrew.
_nameless_objections contains statement if {
	some statement in standing
	statement.state == "CHANGES_REQUESTED"
	not authorship.person_of(statement.account)
	_may_be_ours(statement.account)
}

_may_be_ours(_) if not people.directory_complete

_may_be_ours(account) if people.is_shared(authorship.system, account)

_may_be_ours(account) if people.is_erased(account)

# judged: owner -> what an approval is worth.
judged[owner] := verdict if {
	some owner, statement in standing
	statement.state != "CHANGES_REQUESTED"
	not _gitless_verdicts[owner].worth == "full"
	verdict := object.union(_worth(owner, statement), {
		"label": people.label(authorship.system, statement.account),
		"owner": owner,
		"at": statement.at,
		"evidence": statement.evidence,
	})
}

# An approval without a time may have come too late.
judged[owner] := verdict if {
	some owner in {_owner(review.user) | some review in _undated; review.state == "APPROVED"}
	not standing[owner]
	not _gitless_verdicts[owner].worth == "full"
	index := min({index | some index, review in _undated; _owner(review.user) == owner})
	review := _undated[index]
	verdict := object.union(_timeless(owner, review.user), {
		"label": people.label(authorship.system, review.user),
		"owner": owner,
		"at": decisive,
		"evidence": $"/change/pull_request/reviews/{index}",
	})
}

_undated[index] := review if {
	some index, review in opinions
	not review.submitted_at
	review.state != "OTHER"
}

_timeless(owner, account) := _identity_fault(account, decisive) if {
	_identity_fault(account, decisive).reason in {"rev.bot", "actor.unresolved"}
} else := _part_in_it(owner) if {
	_part_in_it(owner)
} else := {"worth": "unclear", "reason": "rev.incomplete", "why": "has no time on record"}

judged[owner] := verdict if {
	some owner, verdict in _gitless_verdicts
	_speaks_for(owner, verdict)
}

# Somebody may have approved request and pull request: what counts, counts.
_speaks_for(_, verdict) if verdict.worth == "full"

_speaks_for(owner, _) if {
	not standing[owner]
	every review in _undated {
		_owner(review.user) != owner
	}
}

_worth(owner, statement) := {"worth": "none", "reason": "rev.dismissed", "why": "was dismissed before the merge"} if {
	statement.state == "DISMISSED"
} else := _identity_fault(statement.account, statement.at) if {
	_identity_fault(statement.account, statement.at)
} else := _part_in_it(owner) if {
	_part_in_it(owner)
} else := {"worth": "none", "reason": "rev.no_permission", "why": $"has only {statement.review.permission} permission"} if {
	not lower(statement.review.permission) in data.settings.review_permissions
} else := {"worth": "none", "reason": "rev.other_context", "why": "was given for the pull request it is a copy of"} if {
	_before_the_copy(statement.at)
} else := {"worth": "none", "reason": "rev.stale", "why": _stale(statement.review)} if {
	_stale(statement.review)
} else := {"worth": "unclear", "reason": "rev.incomplete", "why": "was dismissed after the merge, and what it had said is not on record"} if {
	statement.state == "UNCLEAR"
} else := {"worth": "unclear", "reason": "rev.incomplete", "why": "has no permission on record"} if {
	not statement.review.permission
} else := {"worth": "unclear", "reason": "rev.incomplete", "why": _revision_doubt(statement.review)} if {
	_revision_doubt(statement.review)
} else := {"worth": "unclear", "reason": "rev.incomplete", "why": "comes from whoever merged the base branch, and whether conflicts were resolved is not on record"} if {
	owner in authorship.possible_authors
} else := {"worth": "full"}

# _identity_fault says why an account is no independent, authorised human.
_identity_fault(account, at) := {"worth": "unclear", "reason": "rev.incomplete", "why": "cannot be resolved to a person, because the directory was not read completely"} if {
	not authorship.person_of(account)
	not people.directory_complete
} else := {"worth": "unclear", "reason": "actor.unresolved", "why": "is what is left of a deleted account"} if {
	not authorship.person_of(account)
	people.is_erased(account)
} else := {"worth": "unclear", "reason": "actor.unresolved", "why": "comes from an account that several persons use"} if {
	not authorship.person_of(account)
	people.is_shared(authorship.system, account)
} else := {"worth": "none", "reason": "rev.not_authorised", "why": "is not in the directory"} if {
	not authorship.person_of(account)
} else := {"worth": "none", "reason": "rev.bot", "why": "is no human"} if {
	not people.is_human(authorship.person_of(account))
} else := {"worth": "none", "reason": "rev.not_authorised", "why": $"was not authorised at {clock.text(at)}"} if {
	not people.authorised(authorship.person_of(account), authorship.system, at)
}

_part_in_it(owner) := {"worth": "none", "reason": reason, "why": _part[reason]} if {
	reason := [reason |
		some reason in ["rev.self", "rev.operator", "rev.coauthor", "rev.committer"]
		reason in authorship.authors[owner]
	][0]
}

_part := {
	"rev.self": "wrote, requested or gains by the change",
	"rev.operator": "steered the agent that wrote it",
	"rev.coauthor": "co-authored it",
	"rev.committer": "committed it",
}

# Approvals are specific to a branch (controls A20): one that was given before the
# copy was opened is the original's.
_before_the_copy(at) if {
	change.pull_request.cherry_pick_of
	at < clock.instant(change.pull_request.created_at)
}

# An approval holds for the merged revision: the final head, a commit after which
# only update merges came, or one whose patch is proven identical.
_stale(review) := $"approved {change.short(review.commit_id)}, not what was merged" if {
	review.commit_id
	not _covers_head(review.commit_id)
	not _may_cover_head(review.commit_id)
}

_revision_doubt(review) := "names no commit" if {
	not review.commit_id
} else := $"approved {change.short(review.commit_id)}; whether later merges from the base resolved conflicts is not on record" if {
	not _covers_head(review.commit_id)
	_may_cover_head(review.commit_id)
}

_covers_head(sha) if sha == change.pull_request.head_sha

_covers_head(sha) if sha in change.pull_request.patch_equivalent_shas

_covers_head(sha) if {
	_is_listed(sha)
	_commits_whole
	every commit in object.get(_later, sha, set()) {
		authorship.is_update_merge(commit)
	}
}

_may_cover_head(_) if not change.pull_request.head_sha

_may_cover_head(sha) if {
	_is_listed(sha)
	every commit in object.get(_later, sha, set()) {
		authorship.may_be_update_merge(commit)
	}
}

# What came between the approved commit and the head was not read.
_may_cover_head(sha) if {
	not _is_listed(sha)
	not _commits_read
}

_is_listed(sha) if {
	some commit in change.pull_request.commits
	commit.sha == sha
}

_commits_read if {
	evidence.complete(evidence.code, "commits")
	count(change.pull_request.commits) > 0
	not _list_short
	not _list_cut
}

# The list reaches up to the head.
_commits_whole if {
	_parents_known
	_is_listed(change.pull_request.head_sha)
}

_commits_whole if {
	commits := change.pull_request.commits
	commits[count(commits) - 1].sha == change.pull_request.head_sha
}

# _later: sha -> the commits that came after it: by parentage where every commit
# names its parents, else by their order in the list; the head came last.
_later[commit.sha] contains other if {
	some commit in change.pull_request.commits
	_parents_known
	some other in change.pull_request.commits
	not other.sha in graph.reachable(_parents, {commit.sha})
}

_later[commit.sha] contains other if {
	some index, commit in change.pull_request.commits
	not _parents_known
	some later, other in change.pull_request.commits
	later > index
	other.sha != commit.sha
}

_later[commit.sha] contains head if {
	some commit in change.pull_request.commits
	some head in change.pull_request.commits
	head.sha == change.pull_request.head_sha
	head.sha != commit.sha
}

_parents_known if {
	every commit in change.pull_request.commits {
		count(commit.parents) > 0
	}
}

_parents[commit.sha] := commit.parents if some commit in change.pull_request.commits

_list_short if change.pull_request.commit_count > count(change.pull_request.commits)

# GitHub cuts the list of a pull request's commits.
_list_cut if {
	not change.pull_request.commit_count
	count(change.pull_request.commits) >= 250
}

# Approvals that came after the merge.
late contains {"label": people.label(authorship.system, review.user), "at": review.submitted_at, "evidence": $"/change/pull_request/reviews/{index}"} if {
	some index, review in opinions
	review.state == "APPROVED"
	clock.instant(review.submitted_at) > decisive
}

late contains {"label": people.label(authorship.system, approval.by), "at": approval.at, "evidence": $"/change/issue/approvals/{index}"} if {
	change.gitless
	some index, approval in input.change.issue.approvals
	clock.instant(approval.at) > decisive + clock.skew
}

# Outside Git the approval is given on the issue or request before the change.
_gitless_verdicts[owner] := verdict if {
	change.gitless
	some owner in {_member_owner(approval.by) | some approval in input.change.issue.approvals}
	ranked := sort([[clock.instant(approval.at), index, approval] |
		some index, approval in input.change.issue.approvals
		_member_owner(approval.by) == owner
		clock.instant(approval.at) <= decisive + clock.skew
	])
	first := ranked[0]
	verdict := object.union(_gitless_worth(owner, first[2].by, first[0]), {
		"label": people.label(authorship.system, first[2].by),
		"owner": owner,
		"at": first[0],
		"evidence": $"/change/issue/approvals/{first[1]}",
	})
}

# An approval without a time may have come too late.
_gitless_verdicts[owner] := verdict if {
	change.gitless
	some owner in {_member_owner(approval.by) | some approval in input.change.issue.approvals; not approval.at}
	every approval in input.change.issue.approvals {
		_other_or_undated(approval, owner)
	}
	index := min({index | some index, approval in input.change.issue.approvals; _member_owner(approval.by) == owner})
	approval := input.change.issue.approvals[index]
	verdict := object.union(_undated_worth(owner), {
		"label": people.label(authorship.system, approval.by),
		"owner": owner,
		"at": decisive,
		"evidence": $"/change/issue/approvals/{index}",
	})
}

_other_or_undated(approval, owner) if _member_owner(approval.by) != owner

_other_or_undated(approval, _) if not approval.at

_undated_worth(owner) := _part_in_it(owner) if {
	_part_in_it(owner)
} else := {"worth": "unclear", "reason": "rev.incomplete", "why": "has no time on record"}

_member_owner(name) := people.member(name).id if {
	people.member(name)
} else := concat(":", ["account", lower(name)])

_gitless_worth(owner, name, at) := {"worth": "unclear", "reason": "rev.incomplete", "why": "cannot be resolved to a person, because the directory was not read completely"} if {
	not people.member(name)
	not people.directory_complete
} else := {"worth": "unclear", "reason": "actor.unresolved", "why": "comes from an account that several persons use"} if {
	not people.member(name)
	people.is_shared("directory", name)
} else := {"worth": "none", "reason": "rev.not_authorised", "why": "is not in the directory"} if {
	not people.member(name)
} else := {"worth": "none", "reason": "rev.bot", "why": "is no human"} if {
	not people.is_human(people.member(name))
} else := {"worth": "none", "reason": "rev.not_authorised", "why": $"was not authorised at {clock.text(at)}"} if {
	not people.engaged(people.member(name), at)
} else := _part_in_it(owner) if {
	_part_in_it(owner)
} else := {"worth": "full"}

# approvers: the persons whose independent approval counts.
approvers := {owner | some owner, verdict in judged; verdict.worth == "full"}

possible_approvers := {owner | some owner, verdict in judged; verdict.worth == "unclear"}

# --- What is not known ------------------------------------------------------

# doubts: facts that could change the verdict and were not read. reviews: an
# approval or an objection may be missing; approvals: there may be more of them;
# commits: an approval may turn out to be an author's, or to have come too late.
doubts contains {"reason": "rev.incomplete", "text": $"the reviews could not be read: {evidence.gap(evidence.code)}", "about": "reviews"} if {
	change.from_git
	not evidence.complete(evidence.code, "reviews")
}

doubts contains {"reason": "rev.incomplete", "text": $"the commits could not be read: {evidence.gap(evidence.code)}", "about": "commits"} if {
	change.from_git
	not evidence.complete(evidence.code, "commits")
}

doubts contains {"reason": "rev.incomplete", "text": $"whether there is a pull request could not be read: {evidence.gap(evidence.code)}", "about": "reviews"} if {
	change.from_git
	not change.has_pull_request
	not evidence.complete(evidence.code, "pull_requests")
}

doubts contains {"reason": "rev.incomplete", "text": $"when {review.user} {_said[review.state]} is not on record", "about": "reviews"} if {
	some review in _undated
	review.state in {"CHANGES_REQUESTED", "DISMISSED"}
}

doubts contains {"reason": "rev.incomplete", "text": $"what {review.user} said in the review is not on record", "about": "reviews"} if {
	some review in opinions
	review.state == "OTHER"
}

doubts contains {"reason": "rev.incomplete", "text": $"{statement.account}'s review was dismissed after the merge, and whether it had been an objection is not on record", "about": "reviews"} if {
	some statement in standing
	statement.state == "UNCLEAR"
}

doubts contains {"reason": "rev.incomplete", "text": $"{people.label(authorship.system, statement.account)} requested changes, and who that is cannot be told", "about": "reviews"} if {
	some statement in _nameless_objections
}

doubts contains {"reason": "rev.incomplete", "text": "when the change was applied or merged is not on record", "about": "commits"} if {
	_moment_unread
}

doubts contains {"reason": "rev.incomplete", "text": "the forge cuts its list at 250 commits", "about": "commits"} if _list_cut

doubts contains {"reason": "rev.incomplete", "text": $"the pull request has {change.pull_request.commit_count} commits and only {count(change.pull_request.commits)} were read", "about": "commits"} if {
	change.pull_request.commit_count > count(change.pull_request.commits)
}

doubts contains {"reason": "rev.incomplete", "text": "no commit of the pull request is on record", "about": "commits"} if {
	change.has_pull_request
	count(object.get(change.pull_request, "commits", [])) == 0
}

doubts contains {"reason": "rev.incomplete", "text": $"who wrote commit {change.short(object.get(commit, "sha", "without a name"))} is not on record", "about": "commits"} if {
	some commit in authorship.content_commits
	not commit.author
}

doubts contains {"reason": "rev.incomplete", "text": "who opened the pull request is not on record", "about": "commits"} if {
	change.has_pull_request
	not change.pull_request.author
}

doubts contains {"reason": "rev.incomplete", "text": $"who stands behind {concat(", ", sort([account | some account in authorship.unresolved_authors]))} cannot be told, because the directory was not read completely", "about": "commits"} if {
	count(authorship.unresolved_authors) > 0
	not people.directory_complete
}

doubts contains {"reason": "rev.incomplete", "text": $"which person {account} is cannot be told", "about": "commits"} if {
	people.directory_complete
	some account in authorship.unresolved_authors
	_may_be_ours(account)
}

doubts contains {"reason": "rev.operator", "text": $"nobody is on record who steered {concat(", ", sort([agent | some agent in authorship.agents]))}", "about": "commits"} if authorship.operator_unknown

doubts contains {"reason": "rev.operator", "text": "an event of the agent's operation does not say who steered it", "about": "commits"} if count(authorship.unnamed_operations) > 0

doubts contains {"reason": "rev.incomplete", "text": $"the request could not be read: {evidence.gap("issues")}", "about": "approvals"} if {
	change.gitless
	not evidence.complete("issues", "records")
}

_moment_unread if {
	change.gitless
	not change.applied_at
}

_moment_unread if change.merge_unread

_moment_unread if {
	change.deploying_unmerged
	not change.first_live_at
}

_said := {"CHANGES_REQUESTED": "requested changes", "DISMISSED": "was dismissed"}

# names lists labels for a sentence.
names(verdicts) := concat(", ", sort({verdict.label | some verdict in verdicts}))
