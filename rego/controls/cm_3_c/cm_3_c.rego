# METADATA
# title: An emergency is justified
# description: A change declared an emergency answers an incident, vulnerability, misconfiguration or alert that was active when the change took effect and recorded within the documentation window.
# scope: package
# custom:
#   id: CM-3.C
#   clause: "3.c, 3.c-3"
#   remediation: Record the incident that the change answered, with its start, before the window closes.
package controls.cm_3_c

import data.lib.change
import data.lib.clock
import data.lib.emergency
import data.lib.evidence

decisive_at := emergency.documentation_due

not_applicable := "No emergency was declared." if not emergency.declared

problems contains {
	"status": "fail",
	"reason": fault.reason,
	"message": $"The emergency is not justified: {fault.text}.",
	"evidence": _trigger_evidence,
	"remediation": "The change is treated as normal: have it reviewed and documented as such.",
} if {
	some fault in emergency.faults
}

problems contains {
	"status": "unknown",
	"reason": "em.source_missing",
	"message": $"Whether the emergency is justified cannot be told: {doubt}.",
	"evidence": _trigger_evidence,
	"remediation": "Complete the incident record and evaluate again.",
} if {
	some doubt in emergency.doubts
}

problems contains {
	"status": "unknown",
	"reason": "em.source_missing",
	"message": $"No trigger is on record, and the trackers could not be read: {concat("; ", sort(_gaps))}.",
	"evidence": (evidence.pointer("issues") | evidence.pointer("scanner")),
	"remediation": "Read the incident tracker completely and evaluate again.",
} if {
	not emergency.trigger
	not emergency.readable
}

problems contains {
	"status": "pending",
	"reason": "em.no_trigger",
	"message": $"No incident, vulnerability, misconfiguration or alert is on record yet; one has to be by {clock.text(emergency.documentation_due)}.",
	"evidence": _declaration,
	"remediation": $"Record the incident that the change answers by {clock.text(emergency.documentation_due)}.",
	"due_at": emergency.documentation_due,
} if {
	not emergency.trigger
	emergency.readable
	not clock.passed(emergency.documentation_due)
}

problems contains {
	"status": "fail",
	"reason": "em.no_trigger",
	"message": $"Declared an emergency, but by {clock.text(emergency.documentation_due)} no incident, vulnerability, misconfiguration or alert was on record{_overlap}.",
	"evidence": _declaration,
	"remediation": "The change is treated as normal: have it reviewed and documented as such.",
} if {
	not emergency.trigger
	emergency.readable
	clock.passed(emergency.documentation_due)
}

_gaps contains evidence.gap(source) if {
	some source, kind in {"issues": "records", "scanner": "vulnerabilities"}
	not evidence.complete(source, kind)
}

_overlap := "; that an unrelated incident was open at the time is no declaration" if {
	some incident in input.change.concurrent_incidents
	clock.instant(incident.started_at) <= emergency.decisive
	not _over_before(incident)
}

_over_before(incident) if clock.instant(incident.resolved_at) < emergency.decisive

default _overlap := ""

_trigger_evidence := {emergency.trigger_pointer} if {
	emergency.trigger
} else := _declaration

_declaration := {"/change/declared"} if {
	input.change.declared
} else := change.pointers

passed := {
	"message": $"{object.get(emergency.trigger, "id", "The trigger")} began at {emergency.trigger.started_at} and was active when the change took effect at {clock.text(emergency.decisive)}.",
	"evidence": {emergency.trigger_pointer},
}
