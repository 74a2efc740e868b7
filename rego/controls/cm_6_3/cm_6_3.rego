# METADATA
# title: TLS, IAM and network changes are validated after deployment
# description: A passing validation is on record from after the change took effect, within the validation window. One from before the deployment does not count.
# scope: package
# custom:
#   id: CM-6.3
#   clause: "6-3"
#   remediation: Validate TLS, access or network in production after the change, and record it.
package controls.cm_6_3

import data.lib.change
import data.lib.clock
import data.lib.evidence
import data.lib.scope

not_applicable := "The change touches neither TLS nor IAM nor network." if {
	count(scope.validated) == 0
} else := "A rollback brings back what was validated." if {
	change.is_rollback
}

due := change.effective_at + (data.settings.validation_hours * clock.hour)

decisive_at := due if {
	due
} else := clock.now

_kinds := concat(", ", sort([upper(kind) | some kind in scope.validated]))

# Validations of production after the change; those of other environments and
# those from before do not count.
_after[index] := validation if {
	some index, validation in input.change.validations
	clock.instant(validation.at) >= change.effective_at - clock.skew
	clock.instant(validation.at) <= clock.now
	lower(object.get(validation, "environment", "production")) in {"production", "prod"}
}

_passing contains $"/change/validations/{index}" if {
	some index, validation in _after
	lower(validation.result) in data.settings.checks.passing_results
	clock.instant(validation.at) <= due
}

_failing contains {"evidence": $"/change/validations/{index}", "text": $"{object.get(validation, "kind", "the validation")} of {validation.at} gave {validation.result}"} if {
	some index, validation in _after
	not lower(validation.result) in data.settings.checks.passing_results
	clock.instant(validation.at) <= due
}

problems contains problem if {
	count(_passing) == 0
	problem := _missing
}

_missing := {
	"status": "pending",
	"reason": "val.missing",
	"message": $"The change touches {_kinds} and has not taken effect yet; it is to be validated afterwards.",
	"evidence": change.pointers,
	"remediation": "Validate the change in production once it has taken effect.",
} if {
	not due
} else := {
	"status": "pending",
	"reason": "val.missing",
	"message": $"The change touches {_kinds} and has not been validated in production yet; due by {clock.text(due)}.",
	"evidence": change.pointers,
	"remediation": $"Validate the change in production by {clock.text(due)}.",
	"due_at": due,
} if {
	not clock.passed(due)
} else := {
	"status": "unknown",
	"reason": "val.missing",
	"message": $"Whether the change was validated cannot be told: {evidence.gap("attestations")}.",
	"evidence": evidence.pointer("attestations"),
	"remediation": "Read the validations completely and evaluate again.",
} if {
	not evidence.complete("attestations", "validations")
} else := {
	"status": "fail",
	"reason": "val.failed",
	"message": $"The validation failed: {concat("; ", sort([failure.text | some failure in _failing]))}.",
	"evidence": {failure.evidence | some failure in _failing},
	"remediation": "Fix or take back the change, and validate again.",
} if {
	count(_failing) > 0
} else := {
	"status": "fail",
	"reason": "val.missing",
	"message": $"The change touches {_kinds}, and nothing validated it in production by {clock.text(due)}.",
	"evidence": change.pointers,
	"remediation": "Validate the change now and record it; next time within the window.",
}

passed := {
	"message": $"{_kinds} was validated in production in time.",
	"evidence": _passing,
}
