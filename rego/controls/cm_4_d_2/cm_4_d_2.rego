# METADATA
# title: Production access is restricted and role-based
# description: Production environments are protected, nobody shares an account, and the number of administrators stays within the limit.
# scope: package
# custom:
#   id: CM-4.D.2
#   clause: "4.d-2"
#   remediation: Protect the environment, give everybody an account of their own, and reduce the number of administrators.
package controls.cm_4_d_2

import data.lib.change
import data.lib.clock
import data.lib.evidence

decisive_at := clock.now

_posture := input.posture

not_applicable := "The environment does not serve production." if {
	_posture.environment
	change.is_preproduction_name(_posture.environment)
} else := "The subject is a service; access is judged at its environment." if {
	_posture.service
	not _speaks_of_access
}

# What has an environment has a protection; a system as a whole may have none.
_owes_protection if _posture.environment

_owes_protection if not _speaks_of_access

_speaks_of_access if {
	some field in ["environment_protected", "shared_accounts", "admins", "admin_count"]
	not object.get(_posture, field, "untold") == "untold"
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
	"message": "Whether the environment is protected is not on record.",
	"evidence": {"/posture"},
	"remediation": "Read the environment's protection and evaluate again.",
} if {
	_owes_protection
	not is_boolean(object.get(_posture, "environment_protected", ""))
}

problems contains {
	"status": "fail",
	"reason": "acc.shared",
	"message": $"Several persons share {concat(", ", sort({account | some account in _posture.shared_accounts}))}.",
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

observations contains {
	"reason": "acc.untold",
	"message": $"Not on record, and so not judged: {concat(", ", sort(_untold))}.",
	"evidence": {"/posture"},
} if {
	count(_untold) > 0
}

_untold contains "shared accounts" if not _posture.shared_accounts

_untold contains "the number of administrators" if {
	not _posture.admins
	not is_number(object.get(_posture, "admin_count", "untold"))
}

passed := {
	"message": $"Access to {object.get(_posture, "environment", "production")} is protected and personal.",
	"evidence": {"/posture"},
}
