# METADATA
# title: Deployer
# description: Who put a change into production (controls A2, 4.1).
# scope: package
package lib.deployer

import data.lib.authorship
import data.lib.change
import data.lib.people
import data.lib.scope

# acts: every act by which the change reached production. With automatic
# deployment it is the merge; a merge queue acts for whoever enqueued.
acts contains {"account": deployment.user, "system": "render", "evidence": $"/change/deployments/{index}"} if {
	change.from_git
	some index in change.first_live
	deployment := change.live[index]
	deployment.user
}

acts contains act if {
	change.from_git
	some index in change.first_live
	deployment := change.live[index]
	not deployment.user
	_follows_merge(deployment)
	act := _merge_act
}

acts contains _merge_act if scope.takes_effect_at_merge

acts contains {"account": input.change.event.actor, "system": authorship.system, "evidence": "/change/event/actor"} if {
	change.gitless
	input.change.event.actor
}

acts contains {"account": input.change.event.actor, "system": object.get(input.change.event, "system", "render"), "evidence": "/change/event/actor"} if {
	change.is_rollback
	input.change.event.actor
}

acts contains {"account": deployment.user, "system": "render", "evidence": $"/change/deployments/{index}"} if {
	change.is_rollback
	some index, deployment in change.production
	deployment.user
}

_on_merge(trigger) if trigger in {"new_commit", "blueprint_sync"}

_follows_merge(deployment) if _on_merge(deployment.trigger)

# A registered hook is the pipeline going on after the merge: whoever merged set
# it going.
_follows_merge(deployment) if {
	deployment.trigger in {"deploy_hook", "api", "rest_api"}
	deployment.hook_registered == true
}

_merge_act := {"account": change.pull_request.enqueued_by, "system": authorship.system, "evidence": "/change/pull_request/enqueued_by"} if {
	change.pull_request.enqueued_by
} else := {"account": change.pull_request.merged_by, "system": authorship.system, "evidence": "/change/pull_request/merged_by"} if {
	change.pull_request.merged_by
	not _is_queue(change.pull_request.merged_by)
} else := {"account": input.change.push.actor, "system": authorship.system, "evidence": "/change/push/actor"} if {
	input.change.push.actor
}

# A merge queue acts for somebody; without the record of whom, nobody is known.
_is_queue(account) if {
	people.is_system(authorship.system, account)
	contains(lower(account), "merge-queue")
}

# people behind the acts; machines act for nobody.
persons contains person.id if {
	some act in acts
	person := person_of(act)
	people.is_human(person)
}

# An agent with the right to deploy acts for its owner (controls 4.4).
persons contains _owner(person) if {
	some act in acts
	person := person_of(act)
	person.kind == "agent"
}

_owner(person) := people.member(person.owner).id if {
	people.member(person.owner)
} else := person.owner

person_of(act) := found if {
	found := people.person(act.system, act.account)
} else := people.member(act.account) if {
	act.system != "github"
	act.system != "git"
}

# Accounts that deployed and that the directory cannot name.
unresolved contains act.account if {
	some act in acts
	not person_of(act)
	not people.is_system(act.system, act.account)
}

unresolved contains act.account if {
	some act in acts
	person_of(act).kind == "agent"
	not person_of(act).owner
}

# Live deployments that say neither who nor what triggered them.
anonymous contains index if {
	change.from_git
	some index in change.first_live
	deployment := change.live[index]
	not deployment.user
	not _explained(deployment)
}

# unrecorded: a change outside Git, or a rollback, that names nobody who made it.
unrecorded if {
	change.gitless
	count(acts) == 0
}

unrecorded if {
	change.is_rollback
	count(acts) == 0
}

# A hook or an API call that is registered is automation; otherwise somebody did
# it and nobody knows who.
_explained(deployment) if {
	_on_merge(deployment.trigger)
	_merge_act
}

_explained(deployment) if {
	deployment.trigger in {"deploy_hook", "api", "rest_api"}
	deployment.hook_registered == true
}

_explained(deployment) if deployment.trigger in change.platform_triggers
