# METADATA
# title: Versioned deployments allow reversion
# description: What runs in production is an immutable commit or digest, so that an earlier build can be brought back.
# scope: package
# custom:
#   id: CM-4.E.2
#   clause: "4.e-2"
#   remediation: Deploy commits, or images by digest.
package controls.cm_4_e_2

import data.lib.change
import data.lib.clock

decisive_at := change.effective_at if {
	change.effective_at
} else := clock.now

not_applicable := "Nothing was deployed." if {
	count(change.live) == 0
	not change.effect_unread
} else := "The change is not a deployment." if {
	change.gitless
	count(change.live) == 0
}

not_applicable := "The change is not a deployment." if {
	change.gitless
	count(change.live) > 0
}

problems contains {
	"status": "fail",
	"reason": "ver.mutable_image",
	"message": $"Image {object.get(deployment, ["image", "ref"], "of unknown name")} was deployed by a tag that can move, without a digest.",
	"evidence": {$"/change/deployments/{index}/image"},
	"remediation": "Deploy the image by its digest.",
} if {
	some index, deployment in change.live
	deployment.image.ref
	not _digest(deployment)
}

problems contains {
	"status": "unknown",
	"reason": "ver.no_version",
	"message": "Whether anything went live, and which version, is not on record.",
	"evidence": {"/change/kind"},
	"remediation": "Read the deployments completely and evaluate again.",
} if {
	count(change.live) == 0
	change.effect_unread
}

problems contains {
	"status": "unknown",
	"reason": "ver.no_version",
	"message": "Which commit or image went live is not on record.",
	"evidence": {$"/change/deployments/{index}"},
	"remediation": "Read the deployment completely and evaluate again.",
} if {
	some index, deployment in change.live
	_is_nameless(deployment)
}

_is_nameless(deployment) if {
	not deployment.image
	not deployment.commit
}

_is_nameless(deployment) if {
	deployment.image
	not deployment.image.ref
	not deployment.image.digest
}

_digest(deployment) := deployment.image.digest if {
	deployment.image.digest
} else := deployment.image.ref if {
	contains(deployment.image.ref, "@sha256:")
}

passed := {
	"message": $"The live version is immutable: {concat(", ", sort({_version(deployment) | some deployment in change.live}))}.",
	"evidence": {$"/change/deployments/{index}" | some index, _ in change.live},
}

_version(deployment) := change.short(deployment.commit) if {
	deployment.commit
} else := _digest(deployment)
