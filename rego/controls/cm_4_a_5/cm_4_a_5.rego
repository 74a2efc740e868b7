# METADATA
# title: The change includes a risk assessment of availability, security and data
# description: The pull request or issue assesses, as of the merge, each of the three axes with a level or a sentence. For a standard change the registered procedure does.
# scope: package
# custom:
#   id: CM-4.A.5
#   clause: "4.a"
#   remediation: Assess availability, security and data in the pull request or issue, before the merge.
package controls.cm_4_a_5

import data.lib.change
import data.lib.documentation
import data.lib.procedure

decisive_at := documentation.decisive

problems contains documentation.problem(
	"doc.risk_axis_missing",
	$"{change.leading_name} has no risk assessment for {concat(", ", sort([axis | some axis in documentation.unassessed]))}.",
	"Assess availability, security and data, each with a level or a sentence, before the merge.",
) if {
	not documentation.procedural
	count(documentation.unassessed) > 0
}

passed := {
	"message": $"Procedure {procedure.id} assesses the risk of a standard change.",
	"evidence": {"/change/kind"},
} if {
	documentation.procedural
} else := {
	"message": "Availability, security and data are assessed.",
	"evidence": {pointer | some pointers in documentation.assessed; some pointer in pointers},
}
