# METADATA
# title: Security and configuration changes are validated
# description: Security-impacting changes, platform configuration and access changes have a passing targeted check or recorded validation within the validation window. For sensitive code a named security check on the merged revision is enough.
# scope: package
# custom:
#   id: CM-4.C.3
#   clause: "4.c-3"
#   remediation: Run the targeted check, or record a validation, within the window.
package controls.cm_4_c_3

import data.lib.attestation
import data.lib.change
import data.lib.clock
import data.lib.evidence
import data.lib.scope

not_applicable := "The change is neither security-impacting nor configuration." if {
	not scope.security_impacting
	not change.gitless
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

# Named checks that count: for TLS, IAM and network only those aimed at them; for
# other security-impacting content the security and evaluation checks.
_globs := {pattern |
	some kind in scope.validated
	some pattern in data.settings.checks[kind]
} if {
	count(scope.validated) > 0
} else := {pattern | some pattern in data.settings.checks.security} | {pattern | some pattern in data.settings.checks.evaluation}

_checks[index] := check if {
	some index, check in input.change.checks
	check.sha in change.content_shas
	some pattern in _globs
	glob.match(pattern, null, lower(check.name))
}

_passing contains $"/change/checks/{index}" if {
	some index, check in _checks
	lower(check.conclusion) == "success"
	_in_window(check.completed_at)
}

_passing contains $"/change/validations/{index}" if {
	some index, validation in input.change.validations
	lower(validation.result) in data.settings.checks.passing_results
	_in_window(validation.at)
}

_passing contains statement.evidence if some statement in _attested

_attested contains statement if {
	some statement in attestation.accepted["CM-4.C.3"]
	_in_window(clock.text(statement.at))
}

_failing contains {"evidence": $"/change/checks/{index}", "text": $"check {check.name} ended with {check.conclusion} at {check.completed_at}"} if {
	some index, check in _checks
	not lower(check.conclusion) in {"success", "skipped", "neutral"}
	_in_window(check.completed_at)
}

_failing contains failure if some failure in _failed_validations

# Validations that failed without a later one of the same kind that passed.
_failed_validations contains {"evidence": $"/change/validations/{index}", "text": $"validation {_kind(validation)} of {validation.at} gave {validation.result}"} if {
	some index, validation in input.change.validations
	validation.result
	not lower(validation.result) in data.settings.checks.passing_results
	_in_window(validation.at)
	not _made_good(validation)
}

_made_good(validation) if {
	some other in input.change.validations
	_kind(other) == _kind(validation)
	lower(other.result) in data.settings.checks.passing_results
	_in_window(other.at)
	clock.instant(other.at) > clock.instant(validation.at)
}

_kind(validation) := lower(object.get(validation, "kind", "without a kind"))

_in_window(at) if {
	clock.instant(at) <= due
	clock.instant(at) <= clock.now
}

_in_window(at) if {
	not due
	clock.instant(at) <= clock.now
}

_remedy := $"Run the targeted check or record a validation by {clock.text(due)}." if {
	due
} else := "Run the targeted check or record a validation once the change is in effect."

problems contains _missing if {
	not _unclear_scope
	count(_passing) == 0
}

_unclear_scope if {
	not scope.security_impacting
	not change.gitless
}

problems contains {
	"status": "unknown",
	"reason": "val.missing",
	"message": $"Whether the change is one that has to be validated cannot be told: its files were not read completely.",
	"evidence": change.pointers,
	"remediation": "Read the files of the change and evaluate again.",
} if {
	_unclear_scope
	_files_unread
}

# What passed before does not outweigh what failed since.
problems contains {
	"status": "fail",
	"reason": "val.failed",
	"message": $"The validation failed: {concat("; ", sort({failure.text | some failure in _failed_validations}))}.",
	"evidence": {failure.evidence | some failure in _failed_validations},
	"remediation": "Fix or take back the change, and validate again.",
} if {
	not _unclear_scope
	count(_passing) > 0
	count(_failed_validations) > 0
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
	"message": "When the change took effect is not on record, so that it cannot be told when it had to be validated.",
	"evidence": change.pointers,
	"remediation": "Read when the change took effect, and evaluate again.",
} if {
	not scope.effective_at
	change.effect_unread
} else := object.union(
	{
		"status": "pending",
		"reason": "val.missing",
		"message": "The change is not validated yet.",
		"evidence": change.pointers,
		"remediation": _remedy,
	},
	_deadline,
) if {
	not _is_over
} else := {
	"status": "unknown",
	"reason": "val.missing",
	"message": $"Whether the change was validated cannot be told: {concat("; ", sort(_gaps))}.",
	"evidence": {pointer | some source in _unread; some pointer in evidence.pointer(source)},
	"remediation": "Read the missing facts and evaluate again.",
} if {
	count(_unread) > 0
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
	"message": $"Nothing validated the change by {clock.text(due)}.",
	"evidence": change.pointers,
	"remediation": "Validate the change now and record it; next time within the window.",
}

_is_over if clock.passed(due)

_deadline := {"due_at": due} if {
	due
} else := {}

_unread contains "attestations" if not evidence.complete("attestations", "validations")

_unread contains evidence.code if {
	change.from_git
	not evidence.complete(evidence.code, "tests")
}

_gaps contains evidence.gap(source) if some source in _unread

passed := {
	"message": $"The change was validated by a targeted check or validation{_by}.",
	"evidence": _passing,
}

default _by := ""

_by := $" (attested by {concat(", ", sort({statement.by | some statement in _attested}))})" if count(_attested) > 0
