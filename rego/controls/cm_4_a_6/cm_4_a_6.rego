# METADATA
# title: The change includes rollback considerations
# description: The pull request or issue says, as of the merge, how the change is taken back. A high-risk change or irreversible migration names the procedure. For a standard change the registered procedure does.
# scope: package
# custom:
#   id: CM-4.A.6
#   clause: "4.a, 4.e-1"
#   remediation: Say in the pull request or issue how the change is taken back, before the merge.
package controls.cm_4_a_6

import data.lib.change
import data.lib.documentation
import data.lib.procedure
import data.risk

decisive_at := documentation.decisive

problems contains documentation.problem(
	"doc.rollback_missing",
	$"{change.leading_name} does not say how it is taken back.",
	"Say how the change is taken back, or why it cannot be, before the merge.",
) if {
	not documentation.procedural
	count(documentation.reversible) == 0
}

problems contains documentation.problem(
	"doc.rollback_missing",
	$"{change.leading_name} is high risk, and its rollback text names no procedure.",
	"Name the steps that take the change back: what is run, by whom, what happens to the data.",
) if {
	not documentation.procedural
	count(documentation.reversible) > 0
	risk.level == "high"
	not documentation.rollback_names_procedure
}

passed := {
	"message": $"Procedure {procedure.id} says how a standard change is taken back.",
	"evidence": {"/change/kind"},
} if {
	documentation.procedural
} else := {
	"message": $"{change.leading_name} says how it is taken back.",
	"evidence": documentation.reversible,
}
