# METADATA
# title: Image
# description: What ties a container image to a commit of the company (controls CM-4.A.1, CM-4.D.1).
# scope: package
package lib.image

import data.lib.change
import data.lib.evidence

# proven: provenance names the commit that the image was built from.
proven(deployment) if {
	is_string(deployment.image.provenance)
	not lower(deployment.image.provenance) in {"", "none", "missing", "unverified", "false", "absent", "unknown"}
}

proven(deployment) if deployment.image.provenance == true

# The commit stands in the provenance itself or, in an in-toto statement, at the
# source among what the build resolved.
proven(deployment) if {
	is_object(deployment.image.provenance)
	not deployment.image.provenance.verified == false
	some path, value
	walk(deployment.image.provenance, [path, value])
	path[count(path) - 1] in {"commit", "gitCommit", "git_commit", "revision", "sha", "sha1", "source_commit"}
	is_string(value)
	value != ""
}

# foreign: index -> commit of the live images that were built from something else
# than what was merged. A commit of the protected branch may hold the change too.
foreign[index] := named[0] if {
	change.merged_at
	some index, deployment in change.live
	not deployment.on_protected_branch == true
	named := [lower(value) |
		walk(deployment.image.provenance, [_, value])
		is_string(value)
		regex.match(`^[0-9a-fA-F]{40}$`, value)
	]
	count(named) > 0
	count({sha | some sha in change.content_shas} & {sha | some sha in named}) == 0
}

# unread: no provenance is on record where one may be that was not read.
unread(deployment) if {
	object.get(deployment, ["image", "provenance"], "absent") == "absent"
	not _sources_complete
}

_sources_complete if {
	evidence.complete(evidence.code, "commits")
	evidence.complete("attestations", "validations")
}
