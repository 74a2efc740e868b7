# METADATA
# title: Staging or controlled pre-production came first
# description: The content of a normal change that is deployed from Git was live in staging or a preview environment before its deployment to production started.
# scope: package
# custom:
#   id: CM-4.C.2
#   clause: "4.c-2"
#   remediation: Deploy the merged revision to staging or a preview environment first.
package controls.cm_4_c_2

import data.classification
import data.lib.change
import data.lib.clock
import data.lib.evidence
import data.lib.scope

not_applicable := "Only normal changes have to pass through staging." if {
	classification.type != "normal"
} else := "The change is not deployed from Git." if {
	not change.from_git
} else := "An image from a registry is not deployed from Git." if {
	input.change.kind == "image_deploy"
} else := "Only files that are not deployed changed." if {
	scope.only_undeployed
} else := "Only the control plane of the repository changed: nothing is deployed." if {
	scope.only_control_plane
	count(change.production) == 0
}

limit := change.deploy_started_at if {
	change.deploy_started_at
} else := change.first_live_at

decisive_at := limit if {
	limit
} else := clock.now

_contents := change.content_shas | {deployment.commit | some deployment in change.live; not change.merged_at}

_staged[index] := deployment if {
	some index, deployment in change.preproduction
	deployment.commit in _contents
	deployment.live_at
}

# Live in staging at a time, or with a commit, that is not on record; or live in
# production since nobody knows when.
_perhaps_staged[index] := deployment if {
	some index, deployment in change.preproduction
	deployment.commit in _contents
	not deployment.live_at
	lower(deployment.status) in change.live_statuses
}

_perhaps_staged[index] := deployment if {
	some index, deployment in change.preproduction
	not deployment.commit
	deployment.live_at
}

_perhaps_staged[index] := deployment if {
	some index, deployment in _staged
	not limit
	change.effect_unread
}

_in_time contains index if {
	some index, deployment in _staged
	limit
	clock.instant(deployment.live_at) <= limit
}

# Without a deployment to production, or before the content could be deployed.
_in_time contains index if {
	some index, _ in _staged
	not limit
	not change.effect_unread
}

_in_time contains index if {
	some index, deployment in _staged
	not limit
	clock.instant(deployment.live_at) <= change.merged_at
}

_remedy := "Deploy the merged revision to staging or a preview environment before production."

problems contains _missing if {
	count(_in_time) == 0
}

_missing := {
	"status": "pending",
	"reason": "stg.missing",
	"message": $"{change.leading_name} has not been live in staging or a preview environment yet.",
	"evidence": change.pointers,
	"remediation": _remedy,
} if {
	count(change.live) == 0
	not change.effect_unread
} else := {
	"status": "unknown",
	"reason": "stg.missing",
	"message": $"Whether the content was live in staging first cannot be told: {evidence.gap("render")}.",
	"evidence": evidence.pointer("render"),
	"remediation": "Read the deployments completely and evaluate again.",
} if {
	not evidence.complete("render", "deploys")
} else := {
	"status": "unknown",
	"reason": "stg.late",
	"message": "Staging ran the content, and whether before production is not on record.",
	"evidence": {$"/change/deployments/{index}" | some index, _ in _perhaps_staged},
	"remediation": "Read the deployments completely and evaluate again.",
} if {
	count(_perhaps_staged) > 0
} else := {
	"status": "pending",
	"reason": "stg.missing",
	"message": $"Which content {change.name} brought is known at {clock.text(change.settled_at)}, when its pull request can no longer be on its way.",
	"evidence": change.pointers,
	"remediation": "Wait until the source has settled.",
	"due_at": change.settled_at,
} if {
	not change.has_pull_request
	change.in_flight
} else := {
	"status": "fail",
	"reason": "stg.late",
	"message": $"The content was live in staging only at {min([deployment.live_at | some deployment in _staged])}, after the deployment to production at {clock.text(limit)}.",
	"evidence": {$"/change/deployments/{index}" | some index, _ in _staged},
	"remediation": _remedy,
} if {
	count(_staged) > 0
} else := {
	"status": "fail",
	"reason": "stg.other_revision",
	"message": $"Before production, staging ran {concat(", ", sort({change.short(staged.commit) | some staged in change.preproduction}))}, not the content of {change.name}.",
	"evidence": {$"/change/deployments/{index}" | some index, _ in change.preproduction},
	"remediation": _remedy,
} if {
	some deployment in change.preproduction
	deployment.commit
	deployment.live_at
} else := {
	"status": "fail",
	"reason": "stg.missing",
	"message": $"{change.leading_name} went to production at {clock.text(limit)} without having been live in staging or a preview environment.",
	"evidence": {$"/change/deployments/{index}" | some index in change.first_live},
	"remediation": _remedy,
}

# Staging came before the deployment was live; whether before it started is not
# on record.
problems contains {
	"status": "unknown",
	"reason": "stg.late",
	"message": "When the deployment to production started is not on record, so whether staging came first cannot be told.",
	"evidence": {$"/change/deployments/{index}" | some index in change.first_live},
	"remediation": "Read the deployment completely and evaluate again.",
} if {
	count(_in_time) > 0
	count(change.live) > 0
	not change.deploy_started_at
}

passed := {
	"message": $"The content was live in {concat(", ", sort({object.get(_staged[index], "environment", "pre-production") | some index in _in_time}))} before production.",
	"evidence": {$"/change/deployments/{index}" | some index in _in_time},
}
