# METADATA
# title: The post-incident review states the actions taken
# description: For an emergency that answers an incident, the review within five business days of its resolution states the actions taken.
# scope: package
# custom:
#   id: CM-5.5
#   clause: "5, post-incident review"
#   remediation: Complete the post-incident review.
package controls.cm_5_5

import data.lib.incident

decisive_at := incident.decisive

not_applicable := incident.exemption

problems contains incident.problem("actions_taken", "actions taken")

passed := incident.passed("actions taken")
