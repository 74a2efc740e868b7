# METADATA
# title: The post-incident review states the root cause
# description: For an emergency that answers an incident, the review within five business days of its resolution states the root cause.
# scope: package
# custom:
#   id: CM-5.4
#   clause: "5, post-incident review"
#   remediation: Complete the post-incident review.
package controls.cm_5_4

import data.lib.incident

decisive_at := incident.decisive

not_applicable := incident.exemption

problems contains incident.problem("root_cause", "root cause")

passed := incident.passed("root cause")
