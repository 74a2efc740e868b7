# METADATA
# title: The post-incident review states preventive controls
# description: For an emergency that answers an incident, the review within five business days of its resolution states preventive controls.
# scope: package
# custom:
#   id: CM-5.6
#   clause: "5, post-incident review"
#   remediation: Complete the post-incident review.
package controls.cm_5_6

import data.lib.incident

decisive_at := incident.decisive

not_applicable := incident.exemption

problems contains incident.problem("preventive_controls", "preventive controls")

passed := incident.passed("preventive controls")
