# METADATA
# title: Change
# description: Facts of the change under judgement, named once; what it is, when it was merged, when it took effect.
# scope: package
package lib.change

import data.lib.clock
import data.lib.evidence

# Kinds that have no pull request of their own because Git does not hold them.
gitless_kinds := {"platform_config", "iam_grant", "database_change", "app_install"}

gitless if input.change.kind in gitless_kinds

is_rollback if input.change.kind == "platform_rollback"

from_git if {
	not gitless
	not is_rollback
}

pull_request := input.change.pull_request

is_open if {
	input.change.kind == "pull_request"
	pull_request
	not pull_request.merged_at
	not pull_request.closed_at
	not merge_unread
	not applied_at
	not deploying_unmerged
}

# merge_unread: the content entered the branch, at a time that is not on record.
merge_unread if {
	from_git
	pull_request.merged_by
	not pull_request.merged_at
}

merge_unread if {
	from_git
	input.change.push
	not merged_at
}

# The pull request was never merged, yet production was made to run its commits.
deploying_unmerged if {
	pull_request
	not pull_request.merged_at
	not merge_unread
	count(live) > 0
}

default has_pull_request := false

has_pull_request if count(pull_request) > 0

# declared_type is the type that somebody claims: in the record, by a label or by a
# trailer of the commit message, in this order.
declared_type := lower(input.change.declared.type) if {
	input.change.declared.type
} else := _labelled[0] if {
	count(_labelled) > 0
} else := _trailers[0] if {
	count(_trailers) > 0
}

_labelled := [type |
	some type in ["emergency", "normal", "standard"]
	some label in pull_request.labels
	lower(label) == $"change:{type}"
]

_trailers := [type |
	some type in ["emergency", "normal", "standard"]
	regex.match($`(?im)^change-type:[ \t]*{type}[ \t]*$`, replace(input.change.commit_message, "\r", ""))
]

# When the content entered the production branch.
merged_at := clock.instant(pull_request.merged_at) if {
	from_git
	pull_request.merged_at
} else := clock.instant(input.change.push.at) if {
	from_git
	input.change.push.at
}

# is_production: a deployment that serves production. The kind of environment
# decides; where it is not said, the name. What neither calls pre-production counts
# as production.
is_production(deployment) if {
	deployment.environment_kind
	not is_preproduction_name(deployment.environment_kind)
}

is_production(deployment) if {
	not deployment.environment_kind
	deployment.environment
	not is_preproduction_name(deployment.environment)
}

is_production(deployment) if {
	not deployment.environment_kind
	not deployment.environment
}

is_preproduction_name(name) if {
	not regex.match(`(^|[^a-z])prod(uction)?([^a-z]|$)`, replace(replace(lower(name), "pre-prod", "preprod"), "pre_prod", "preprod"))
	regex.match(`(^|[^a-z])(staging|stage|previews?|pre-?prod(uction)?|tests?|testing|dev|development|qa|uat|sandbox|review|ephemeral)([^a-z]|$)`, lower(name))
}

# Deployments to production: index -> deployment.
production[index] := deployment if {
	some index, deployment in input.change.deployments
	is_production(deployment)
}

# Those that went live, whatever replaced them later.
live[index] := deployment if {
	some index, deployment in production
	_went_live(deployment)
}

_went_live(deployment) if deployment.live_at

_went_live(deployment) if lower(deployment.status) in live_statuses

live_statuses := {"live", "deactivated", "success", "succeeded", "active"}

# Those that ended without ever going live.
dead[index] := deployment if {
	some index, deployment in production
	not _went_live(deployment)
	lower(deployment.status) in dead_statuses
}

dead_statuses := {"build_failed", "update_failed", "pre_deploy_failed", "canceled", "cancelled", "failed", "failure", "error"}

# Those that have begun and not ended yet.
underway[index] := deployment if {
	some index, deployment in production
	not _went_live(deployment)
	regex.match(`(in_progress|created|queued|pending|building|updating|deploying|started)`, lower(deployment.status))
}

# Since when a deployment is live, at the earliest.
_live_since(deployment) := clock.instant(deployment.live_at) if {
	deployment.live_at
} else := clock.instant(deployment.started_at)

preproduction[index] := deployment if {
	some index, deployment in input.change.deployments
	not is_production(deployment)
}

# Platform-initiated: the same commit again, without anybody asking.
platform_triggers := {"deployed_by_render", "service_resumed"}

# The first live deployments decide: one per service, by when it started.
first_live := {index |
	some index, deployment in live
	not _earlier_exists(index, deployment)
}

_earlier_exists(index, deployment) if {
	some other, candidate in live
	other != index
	_service(candidate) == _service(deployment)
	[_since(candidate), other] < [_since(deployment), index]
}

_service(deployment) := object.get(deployment, "service", "")

# A deployment without any time may have been the first.
_since(deployment) := _live_since(deployment) if {
	_live_since(deployment)
} else := 0

# When the first deployment to production started; undefined where a first live
# deployment does not say so.
deploy_started_at := min(starts) if {
	starts := {clock.instant(live[index].started_at) | some index in first_live}
	count(first_live) > 0
	every index in first_live {
		live[index].started_at
	}
}

first_live_at := min({_live_since(deployment) | some deployment in live})

# When a change outside Git was applied.
applied_at := clock.instant(input.change.event.at) if gitless

applied_at := clock.instant(input.change.rollback.at) if {
	is_rollback
	input.change.rollback.at
	not first_live_at
}

# The first moment at which the change took effect in production (controls 1.3).
effective_at := applied_at if {
	gitless
} else := first_live_at if {
	first_live_at
} else := applied_at

# effect_unread: the change took effect, or may have, at a time that is not on
# record. What happened outside Git has happened.
effect_unread if {
	gitless
	not effective_at
}

effect_unread if {
	not gitless
	not is_open
	not effective_at
	not evidence.complete("render", "deploys")
}

effect_unread if {
	count(live) > 0
	not effective_at
}

effect_unread if {
	is_rollback
	not effective_at
}

# Where the dossier tells what was done.
pointers contains $"/change/{part}" if {
	some part in ["pull_request", "push", "event", "rollback"]
	input.change[part]
}

# Commits and their short form, for messages.
short(sha) := substring(sha, 0, 8)

# name is how a finding speaks of the change.
name := $"pull request #{pull_request.number}" if {
	pull_request.number
} else := $"the push of {short(input.change.push.after)}" if {
	input.change.push.after
} else := $"{input.change.event.type} at {object.get(input.change.event, "at", "an unknown time")}" if {
	input.change.event.type
} else := $"the rollback to {short(input.change.rollback.to_commit)}" if {
	input.change.rollback.to_commit
} else := $"the deployment of {version(input.change.deployments[0])} to {input.change.deployments[0].service}" if {
	version(input.change.deployments[0])
	input.change.deployments[0].service
} else := object.get(input, ["change", "kind"], "the change")

# leading_name is name at the beginning of a sentence.
leading_name := $"{upper(substring(name, 0, 1))}{substring(name, 1, -1)}" if {
	some article in ["pull request ", "the "]
	startswith(name, article)
} else := name

# version is what a deployment runs, in words.
version(deployment) := short(deployment.commit) if {
	deployment.commit
} else := $"image {deployment.image.ref}" if {
	deployment.image.ref
}

# The commits that hold what was merged: a test of one is a test of all. The
# dossier says which trees are the same; without it head and merge commit count.
content_shas := listed if {
	listed := {sha | some sha in input.change.merged_content_shas}
	count(listed) > 0
} else := _head_shas

_head_shas contains pull_request.head_sha

_head_shas contains pull_request.merge_commit_sha

_head_shas contains input.change.merge_group.head_sha

_head_shas contains input.change.push.after

# Events of the last minutes may still be on their way: what seems to be missing
# may only be late (controls 1.4).
in_flight if clock.now <= max(_moments) + clock.settling

_moments contains clock.instant(input.change.push.at)

_moments contains clock.instant(pull_request.merged_at)

_moments contains clock.instant(input.change.event.at)

_moments contains clock.instant(deployment.live_at) if some deployment in live

settled_at := max(_moments) + clock.settling
