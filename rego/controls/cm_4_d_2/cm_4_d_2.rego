# METADATA
# title: Production access is restricted and role-based
# description: Production environments are protected, nobody shares an account, and the number of administrators stays within the limit.
# scope: package
# custom:
#   id: CM-4.D.2
#   clause: "4.d-2"
#   remediation: Protect the environment, give everybody an account of their own, and reduce the number of administrators.
package controls.cm_4_d_2

import data.lib.clock
import data.lib.evidence

decisive_at := clock.now

_posture := input.posture

not_applicable := "The environment does not serve production." if {
	_posture.environment
	regex.match(`(staging|preview|preprod|test|dev|qa|sandbox)`, lower(_posture.environment))
}

_admins := max(counts) if {
	counts := {count(_posture.admins)} | {_posture.admin_count}
} else := count(_posture.admins) if {
	_posture.admins
} else := _posture.admin_count

problems contains {
	"status": "fail",
	"reason": "acc.unprotected_env",
	"message": $"Environment {object.get(_posture, "environment", "of production")} of {object.get(_posture, "system", "the platform")} is not protected.",
	"evidence": {"/posture/environment_protected"},
	"remediation": "Mark the environment as protected.",
} if {
	_posture.environment_protected == false
}

problems contains {
	"status": "unknown",
	"reason": "acc.unprotected_env",
	"message": $"Whether the environment is protected is not on record.",
	"evidence": {"/posture"},
	"remediation": "Read the environment's protection and evaluate again.",
} if {
	_posture.environment
	not is_boolean(object.get(_posture, "environment_protected", ""))
}

problems contains {
	"status": "fail",
	"reason": "acc.shared",
	"message": $"Several persons share {concat(", ", sort(_posture.shared_accounts))}.",
	"evidence": {"/posture/shared_accounts"},
	"remediation": "Give everybody an account of their own, and remove the shared one.",
} if {
	count(_posture.shared_accounts) > 0
}

problems contains {
	"status": "fail",
	"reason": "acc.too_many_admins",
	"message": $"{_admins} administrators are more than the limit of {data.settings.max_admins}.",
	"evidence": {"/posture"},
	"remediation": "Reduce the number of administrators.",
} if {
	_admins > data.settings.max_admins
}

problems contains {
	"status": "unknown",
	"reason": "acc.unprotected_env",
	"message": $"Access to production could not be read: {evidence.gap(source)}.",
	"evidence": evidence.pointer(source),
	"remediation": "Read the platform completely and evaluate again.",
} if {
	source := _source
	not evidence.complete(source, "deploys")
}

_source := _posture.system if {
	_posture.system in {"render", "github", "iam", "git"}
} else := "iam"

passed := {
	"message": $"Access to {object.get(_posture, "environment", "production")} is protected and personal.",
	"evidence": {"/posture"},
}
