# METADATA
# title: Deployed through the CI/CD pipeline
# description: What went live in production was a commit of the protected branch, or an image with provenance, by a known trigger. A person pressing deploy on such a commit still runs the pipeline.
# scope: package
# custom:
#   id: CM-4.D.1
#   clause: "4.d-1, 3.b-3"
#   remediation: Deploy commits of the protected branch through the pipeline.
package controls.cm_4_d_1

import data.lib.change
import data.lib.clock
import data.lib.evidence
import data.lib.image

decisive_at := change.deploy_started_at if {
	change.deploy_started_at
} else := change.effective_at if {
	change.effective_at
} else := clock.now

not_applicable := "The change is not deployed from Git." if {
	change.gitless
} else := "Nothing was deployed to production yet." if {
	count(change.live) == 0
	count(change.underway) == 0
	evidence.complete("render", "deploys")
}

problems contains {
	"status": "pending",
	"reason": "dep.underway",
	"message": "A deployment to production is under way.",
	"evidence": {$"/change/deployments/{index}" | some index, _ in change.underway},
	"remediation": "Wait until the deployment has ended.",
} if {
	count(change.live) == 0
	count(change.underway) > 0
}

# Triggers the platform explains by itself.
_known := {"new_commit", "blueprint_sync", "manual", "rollback", "service_updated", "service_resumed", "deployed_by_render", "image_push"}

_principals := {"api", "rest_api", "deploy_hook"}

problems contains {
	"status": "fail",
	"reason": "dep.off_branch",
	"message": $"{_who(deployment)} deployed {change.short(object.get(deployment, "commit", "a commit"))} to production at {_time(deployment)}, which is not on the protected branch.",
	"evidence": {$"/change/deployments/{index}"},
	"remediation": "Merge the commit through a pull request, and deploy from the protected branch.",
} if {
	some index, deployment in change.live
	not _is_image(deployment)
	deployment.on_protected_branch == false
}

problems contains {
	"status": "unknown",
	"reason": "dep.off_branch",
	"message": $"Whether {change.short(object.get(deployment, "commit", "the live commit"))} is on the protected branch is not on record.",
	"evidence": {$"/change/deployments/{index}"},
	"remediation": "Read the branch's commits and evaluate again.",
} if {
	some index, deployment in change.live
	not _is_image(deployment)
	not is_boolean(object.get(deployment, "on_protected_branch", ""))
	not _is_rollback(deployment)
}

problems contains {
	"status": "fail",
	"reason": "dep.no_provenance",
	"message": $"Image {object.get(deployment, ["image", "ref"], "of unknown name")} went live without provenance from the pipeline.",
	"evidence": {$"/change/deployments/{index}"},
	"remediation": "Build the image in CI, and deploy it by digest with its provenance.",
} if {
	some index, deployment in change.live
	_is_image(deployment)
	not image.proven(deployment)
	not image.unread(deployment)
}

problems contains {
	"status": "unknown",
	"reason": "dep.no_provenance",
	"message": $"Whether image {object.get(deployment, ["image", "ref"], "of unknown name")} came from the pipeline could not be read.",
	"evidence": {$"/change/deployments/{index}"},
	"remediation": "Read repository and attestations completely and evaluate again.",
} if {
	some index, deployment in change.live
	_is_image(deployment)
	image.unread(deployment)
}

problems contains {
	"status": "unknown",
	"reason": "dep.unknown_trigger",
	"message": $"What triggered the deployment at {_time(deployment)} is not known ({object.get(deployment, "trigger", "no trigger on record")}).",
	"evidence": {$"/change/deployments/{index}"},
	"remediation": "Register the deploy hook or API principal with its owner, or find out who deployed.",
} if {
	some index, deployment in change.live
	not _is_explained(deployment)
}

problems contains {
	"status": "unknown",
	"reason": "dep.unknown_trigger",
	"message": $"The deployments could not be read: {evidence.gap("render")}.",
	"evidence": evidence.pointer("render"),
	"remediation": "Read the deployments completely and evaluate again.",
} if {
	not evidence.complete("render", "deploys")
}

_time(deployment) := deployment.started_at if {
	deployment.started_at
} else := object.get(deployment, "live_at", "an unknown time")

_is_explained(deployment) if deployment.trigger in _known

_is_explained(deployment) if {
	deployment.trigger in _principals
	deployment.hook_registered == true
}

_is_explained(deployment) if {
	deployment.trigger in {"api", "rest_api"}
	deployment.user
}

_is_rollback(deployment) if deployment.trigger == "rollback"

_is_image(deployment) if {
	input.change.kind == "image_deploy"
	deployment
}

_is_image(deployment) if {
	deployment.image
	not deployment.commit
}

_who(deployment) := deployment.user if {
	deployment.user
} else := $"Trigger {object.get(deployment, "trigger", "unknown")}"

observations contains {
	"reason": "dep.manual",
	"message": $"{deployment.user} pressed deploy for {change.short(object.get(deployment, "commit", "a commit"))}; the commit is on the protected branch.",
	"evidence": {$"/change/deployments/{index}"},
} if {
	some index, deployment in change.live
	deployment.trigger == "manual"
	deployment.on_protected_branch == true
	deployment.user
}

passed := {
	"message": $"The pipeline deployed {concat(", ", sort({_what(deployment) | some deployment in change.live}))} ({concat(", ", sort({object.get(deployment, "trigger", "") | some deployment in change.live}))}).",
	"evidence": {$"/change/deployments/{index}" | some index, _ in change.live},
}

_what(deployment) := change.short(deployment.commit) if {
	deployment.commit
} else := object.get(deployment, ["image", "ref"], "the build")
