# METADATA
# title: The change includes a description
# description: The pull request or issue says, as of the merge, what is changed and why, in more than the words of its template.
# scope: package
# custom:
#   id: CM-4.A.4
#   clause: "4.a"
#   remediation: Say in the pull request or issue what is changed and why, before the merge.
package controls.cm_4_a_4

import data.lib.change
import data.lib.documentation

decisive_at := documentation.decisive

not_applicable := "The registered rollback procedure describes the change." if {
	change.is_rollback
	documentation.procedural
}

problems contains documentation.problem(
	"doc.empty",
	$"{change.leading_name} has no description.",
	"Say in the pull request or issue what is changed and why, before the merge.",
) if {
	count(documentation.described) == 0
}

passed := {
	"message": $"{change.leading_name} is described.",
	"evidence": documentation.described,
}
