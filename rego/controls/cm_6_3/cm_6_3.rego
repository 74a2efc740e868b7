# METADATA
# title: TLS, IAM and network changes are validated after deployment
# description: A passing validation is on record from after the change took effect, within the validation window. One from before the deployment does not count.
# scope: package
# custom:
#   id: CM-6.3
#   clause: "6-3"
#   remediation: Validate TLS, access or network in production after the change, and record it.
package controls.cm_6_3

import data.lib.attestation
import data.lib.change
import data.lib.clock
import data.lib.evidence
import data.lib.scope

not_applicable := "The change touches neither TLS nor IAM nor network." if {
	count(scope.validated) == 0
	not _files_unread
} else := "A rollback brings back what was validated." if {
	change.is_rollback
}

# Files that were not read may be those that matter.
_files_unread if input.change.files_truncated == true

_files_unread if {
	change.from_git
	count(object.get(input.change, "files", [])) == 0
	not evidence.complete(evidence.code, "files")
}

_files_unread if {
	change.from_git
	input.sources[evidence.code].status == "incomplete"
	not evidence.complete(evidence.code, "files")
}

due := scope.effective_at + (data.settings.validation_hours * clock.hour)

decisive_at := due if {
	due
} else := clock.now

_kinds := concat(", ", sort([upper(kind) | some kind in scope.validated]))

# Validations of production after the change; those of other environments and
# those from before do not count.
_after[index] := validation if {
	some index, validation in input.change.validations
	clock.instant(validation.at) >= scope.effective_at - clock.skew
	clock.instant(validation.at) <= clock.now
	lower(object.get(validation, "environment", "production")) in {"production", "prod"}
}

_passing contains $"/change/validations/{index}" if {
	some index, validation in _after
	lower(validation.result) in data.settings.checks.passing_results
	clock.instant(validation.at) <= due
}

_passing contains statement.evidence if some statement in _attested

_attested contains statement if {
	some statement in attestation.accepted["CM-6.3"]
	statement.at >= scope.effective_at - clock.skew
	statement.at <= due
}

# Validations that failed without a later one of the same kind that passed.
_failing contains {"evidence": $"/change/validations/{index}", "text": $"{_kind(validation)} of {validation.at} gave {validation.result}"} if {
	some index, validation in _after
	validation.result
	not lower(validation.result) in data.settings.checks.passing_results
	clock.instant(validation.at) <= due
	not _made_good(validation)
}

_made_good(validation) if {
	some pointer in _passing
	some index, other in _after
	pointer == $"/change/validations/{index}"
	_kind(other) == _kind(validation)
	clock.instant(other.at) > clock.instant(validation.at)
}

_kind(validation) := lower(object.get(validation, "kind", "the validation"))

problems contains _missing if {
	count(scope.validated) > 0
	count(_passing) == 0
}

problems contains {
	"status": "unknown",
	"reason": "val.missing",
	"message": "Whether the change touches TLS, IAM or network cannot be told: its files were not read completely.",
	"evidence": change.pointers,
	"remediation": "Read the files of the change and evaluate again.",
} if {
	count(scope.validated) == 0
	_files_unread
}

# What passed before does not outweigh what failed since.
problems contains {
	"status": "fail",
	"reason": "val.failed",
	"message": $"The validation failed: {concat("; ", sort({failure.text | some failure in _failing}))}.",
	"evidence": {failure.evidence | some failure in _failing},
	"remediation": "Fix or take back the change, and validate again.",
} if {
	count(_passing) > 0
	count(_failing) > 0
}

# Validations that passed, nobody knows when.
_undated contains $"/change/validations/{index}" if {
	some index, validation in input.change.validations
	not validation.at
	lower(validation.result) in data.settings.checks.passing_results
}

_missing := {
	"status": "unknown",
	"reason": "val.missing",
	"message": $"When the change took effect is not on record, so that it cannot be told when {_kinds} had to be validated.",
	"evidence": change.pointers,
	"remediation": "Read when the change took effect, and evaluate again.",
} if {
	not scope.effective_at
	change.effect_unread
} else := {
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
	"status": "unknown",
	"reason": "val.missing",
	"message": "When the change was validated is not on record.",
	"evidence": _undated,
	"remediation": "Record when the validation was made and evaluate again.",
} if {
	count(_failing) == 0
	count(_undated) > 0
} else := {
	"status": "fail",
	"reason": "val.failed",
	"message": $"The validation failed: {concat("; ", sort({failure.text | some failure in _failing}))}.",
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
	"message": $"{_kinds} was validated in production in time{_by}.",
	"evidence": _passing,
}

default _by := ""

_by := $" (attested by {concat(", ", sort({statement.by | some statement in _attested}))})" if count(_attested) > 0
