# METADATA
# title: A standard change is eligible and pre-approved
# description: A change that is declared or treated as standard meets every condition of a registered procedure whose pre-approval is in force, and its risk is low.
# scope: package
# custom:
#   id: CM-3.A
#   clause: "3.a"
#   remediation: Relabel the change as normal and document risk and rollback, or renew the procedure before the next one.
package controls.cm_3_a

import data.classification
import data.lib.change
import data.lib.procedure
import data.risk

decisive_at := procedure.decisive

not_applicable := "The change is neither declared nor treated as standard." if {
	classification.declared != "standard"
	classification.type != "standard"
}

not_applicable := "The change is neither declared nor treated as standard." if {
	not classification.declared
	classification.type != "standard"
}

_remedy := "Relabel the change as normal and document its risk and rollback."

problems contains {
	"status": "fail",
	"reason": obstacle.reason,
	"message": $"Declared standard under {procedure.id}, but {obstacle.text}.",
	"evidence": obstacle.evidence,
	"remediation": _remedy,
} if {
	some obstacle in procedure.obstacles
}

problems contains {
	"status": "unknown",
	"reason": doubt.reason,
	"message": $"Whether procedure {procedure.id} covers the change cannot be told: {doubt.text}.",
	"evidence": doubt.evidence,
	"remediation": "Collect the missing facts and evaluate again.",
} if {
	some doubt in procedure.doubts
}

problems contains {
	"status": "fail",
	"reason": "std.template_expired",
	"message": $"Declared standard, but {procedure.lapse(procedure.decisive)}.",
	"evidence": _procedure_evidence,
	"remediation": $"Renew the pre-approval of {procedure.id}; until then such changes are normal.",
} if {
	procedure.lapse(procedure.decisive)
}

problems contains {
	"status": "fail",
	"reason": "std.risk",
	"message": $"Declared standard, but the risk is {risk.level} ({concat("; ", sort([reason | some reason in risk.reasons]))}).",
	"evidence": change.pointers,
	"remediation": _remedy,
} if {
	_too_risky
}

# Without the fit of the procedure the risk cannot be low; high is too high anyway.
_too_risky if risk.level == "high"

_too_risky if {
	risk.level == "medium"
	procedure.fits
}

_procedure_evidence := {"/change/procedure"} if {
	input.change.procedure
} else := change.pointers

passed := {
	"message": $"Every condition of procedure {procedure.id} holds and the risk is low.",
	"evidence": _procedure_evidence,
}
