# METADATA
# title: Actors are employees or authorised contractors
# description: Everybody who wrote, reviewed, merged, deployed, requested or applied the change was an employee or an authorised contractor at that moment; bots and agents are registered.
# scope: package
# custom:
#   id: CM-2.6
#   clause: "2, last sentence"
#   remediation: Add the person, with the period of the engagement, to the directory; register bots and agents with their owner.
package controls.cm_2_6

import data.lib.authorship
import data.lib.change
import data.lib.clock
import data.lib.deployer
import data.lib.evidence
import data.lib.people
import data.lib.review

decisive_at := review.decisive

# Everything somebody did, with account, system, time and where it stands.
acts contains {"account": contribution.account, "system": authorship.system, "at": _written_at, "did": "contributed to", "evidence": contribution.evidence} if {
	some contribution in authorship.contributions
	contribution.evidence != "/change/event/beneficiary"
	not people.is_tool(contribution.account)
}

acts contains {"account": entry.user, "system": authorship.system, "at": _at(entry, "submitted_at"), "did": "reviewed", "evidence": $"/change/pull_request/reviews/{index}"} if {
	some index, entry in review.opinions
	entry.state != "DISMISSED"
}

acts contains {"account": change.pull_request.merged_by, "system": authorship.system, "at": review.decisive, "did": "merged", "evidence": "/change/pull_request/merged_by"} if {
	change.pull_request.merged_by
}

acts contains {"account": change.pull_request.enqueued_by, "system": authorship.system, "at": review.decisive, "did": "enqueued", "evidence": "/change/pull_request/enqueued_by"} if {
	change.pull_request.enqueued_by
}

acts contains {"account": approval.by, "system": "directory", "at": _at(approval, "at"), "did": "approved", "evidence": $"/change/issue/approvals/{index}"} if {
	some index, approval in input.change.issue.approvals
}

acts contains {"account": act.account, "system": act.system, "at": _deployed_at, "did": "deployed", "evidence": act.evidence} if {
	some act in deployer.acts
}

acts contains {"account": input.change.event.actor, "system": authorship.system, "at": _at(input.change.event, "at"), "did": "applied", "evidence": "/change/event/actor"} if {
	input.change.event.actor
}

# When somebody acted; where that is not on record, when the change was decided.
_at(record, field) := clock.instant(record[field]) if {
	record[field]
} else := review.decisive

_written_at := clock.instant(change.pull_request.created_at) if {
	change.pull_request.created_at
} else := review.decisive

_deployed_at := change.deploy_started_at if {
	change.deploy_started_at
} else := change.effective_at if {
	change.effective_at
} else := review.decisive

_person(act) := found if {
	found := people.person(act.system, act.account)
} else := people.member(act.account) if {
	not act.system in {"github", "git"}
}

problems contains problem if {
	some act in acts
	not _person(act)
	not people.is_system(act.system, act.account)
	problem := _unresolved(act)
}

_unresolved(act) := {
	"status": "unknown",
	"reason": "actor.unresolved",
	"message": $"{act.account} {act.did} the change, and who that is cannot be told: {evidence.gap("iam")}.",
	"evidence": ({act.evidence} | evidence.pointer("iam")),
	"remediation": "Read the directory completely and evaluate again.",
} if {
	not people.directory_complete
} else := {
	"status": "unknown",
	"reason": "actor.unresolved",
	"message": $"{act.account}, who {act.did} the change, is what the source keeps of a deleted account.",
	"evidence": {act.evidence},
	"remediation": "Link the deleted account's id to its person in the directory.",
} if {
	people.is_erased(act.account)
} else := {
	"status": "unknown",
	"reason": "actor.unresolved",
	"message": $"{people.label(act.system, act.account)} {act.did} the change, and which of them cannot be told.",
	"evidence": {act.evidence},
	"remediation": "Give every person an account of their own.",
} if {
	people.is_shared(act.system, act.account)
} else := {
	"status": "fail",
	"reason": "actor.unresolved",
	"message": $"{act.account} {act.did} the change and belongs to nobody in the directory.",
	"evidence": {act.evidence},
	"remediation": $"Link {act.account} to a person or a registered bot in the directory, or revoke its access.",
}

problems contains {
	"status": "fail",
	"reason": "actor.not_authorised_at_time",
	"message": $"{people.label(act.system, act.account)} {act.did} the change at {clock.text(act.at)}, outside every period of authorisation{_periods(person)}.",
	"evidence": {act.evidence},
	"remediation": $"Record the period for which {person.id} is engaged, if there is one; otherwise revoke the access and have the change reviewed again.",
} if {
	some act in acts
	person := _person(act)
	people.is_human(person)
	not _authorised(person, act)
}

_authorised(person, act) if people.authorised(person, act.system, act.at)

_authorised(person, act) if {
	act.system == "directory"
	people.engaged(person, act.at)
}

_periods(person) := $" ({concat(", ", sort(periods))})" if {
	periods := {$"{object.get(period, "from", "an unknown day")} to {object.get(period, "until", "now")}" | some period in person.authorised}
	count(periods) > 0
}

default _periods(_) := ""

problems contains {
	"status": "fail",
	"reason": "bot.unregistered",
	"message": $"{act.account} {act.did} the change and is a {person.kind} that nobody has registered.",
	"evidence": {act.evidence},
	"remediation": $"Register {person.id} with an owner and a purpose, or remove its write access.",
} if {
	some act in acts
	person := _person(act)
	person.kind in {"bot", "agent"}
	not person.registered == true
}

problems contains {
	"status": "unknown",
	"reason": "actor.missing",
	"message": "Nobody is on record who triggered the deployment.",
	"evidence": {$"/change/deployments/{index}"},
	"remediation": "Register the deploy hook or API principal with its owner.",
} if {
	some index in deployer.anonymous
}

problems contains {
	"status": "unknown",
	"reason": "actor.missing",
	"message": $"Nobody is on record who {deed} the change.",
	"evidence": change.pointers,
	"remediation": "Find out who made the change, and record it.",
} if {
	some deed in _anonymous_deeds
}

# What an image holds that came without a pull request, CM-4.A.1 asks.
_anonymous_deeds contains "wrote" if {
	not change.gitless
	not change.is_rollback
	not _is_bare_image
	count(authorship.contributions) == 0
}

_anonymous_deeds contains "wrote a commit of" if {
	some commit in authorship.content_commits
	not commit.author
}

_anonymous_deeds contains "opened the pull request of" if {
	change.has_pull_request
	not change.pull_request.author
}

_is_bare_image if {
	input.change.kind == "image_deploy"
	not change.has_pull_request
}

_anonymous_deeds contains "merged" if {
	change.pull_request.merged_at
	not change.pull_request.merged_by
	not change.pull_request.enqueued_by
}

_anonymous_deeds contains "made" if deployer.unrecorded

problems contains {
	"status": "unknown",
	"reason": "actor.missing",
	"message": $"Who {deed} the change could not be read: {evidence.gap(evidence.code)}.",
	"evidence": evidence.pointer(evidence.code),
	"remediation": "Grant the collector the missing permission and evaluate again.",
} if {
	change.from_git
	change.pull_request
	some deed, kind in {"reviewed": "reviews", "wrote": "commits"}
	not evidence.complete(evidence.code, kind)
}

passed := {
	"message": $"{concat(", ", sort(labels))}: known and authorised when they acted.",
	"evidence": {act.evidence | some act in acts},
} if {
	labels := {people.label(act.system, act.account) | some act in acts}
	count(labels) > 0
} else := {
	"message": "No person acted: the platform did.",
	"evidence": change.pointers,
}
