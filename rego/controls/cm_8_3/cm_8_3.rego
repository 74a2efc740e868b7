# METADATA
# title: Alerts trigger investigation and remediation
# description: The investigation of an alert began within the time its severity allows, and the alert has reached an end.
# scope: package
# custom:
#   id: CM-8.3
#   clause: "8-3"
#   remediation: Investigate the alert and record how it ended.
package controls.cm_8_3

import data.lib.clock
import data.lib.evidence

_alert := input.alert

_raised_at := clock.instant(_alert.raised_at)

_is_urgent if not lower(object.get(_alert, "severity", "high")) in {"medium", "moderate", "low", "info", "informational", "warning", "sev-3", "sev-4", "sev-5"}

due := _raised_at + (data.settings.alert_investigation_hours * clock.hour) if {
	_is_urgent
} else := clock.after_business_days(_raised_at, data.settings.alert_investigation_business_days)

decisive_at := due if {
	due
} else := clock.now

_investigated_at := clock.instant(_alert.investigation_started_at) if {
	clock.instant(_alert.investigation_started_at) <= clock.now
}

_name := object.get(_alert, "id", input.subject.id)

problems contains {
	"status": "unknown",
	"reason": "al.undated",
	"message": $"When alert {_name} was raised is not on record.",
	"evidence": {"/alert"},
	"remediation": "Read the alert completely and evaluate again.",
} if {
	not _raised_at
}

# Without a severity the longer time may have been the right one.
_longer := clock.after_business_days(_raised_at, data.settings.alert_investigation_business_days)

_may_be_in_time if {
	not _alert.severity
	_investigated_at <= _longer
}

problems contains {
	"status": "unknown",
	"reason": "al.unrated",
	"message": $"Whether the investigation of alert {_name} began in time cannot be told: the alert has no severity.",
	"evidence": {"/alert"},
	"remediation": "Rate the alert and evaluate again.",
} if {
	_investigated_at > due
	_may_be_in_time
}

problems contains {
	"status": "fail",
	"reason": "al.late",
	"message": $"The investigation of alert {_name} began at {_alert.investigation_started_at}, {clock.span(_investigated_at - due)} after the deadline of {clock.text(due)}.",
	"evidence": {"/alert/investigation_started_at"},
	"remediation": "Nothing can make up for the delay; record why the investigation was late.",
} if {
	_investigated_at > due
	not _may_be_in_time
}

problems contains _missing if {
	_raised_at
	not _investigated_at
}

_missing := {
	"status": "pending",
	"reason": "al.not_investigated",
	"message": $"Alert {_name} has not been investigated yet; due by {clock.text(due)}.",
	"evidence": {"/alert"},
	"remediation": $"Begin the investigation by {clock.text(due)}.",
	"due_at": due,
} if {
	not clock.passed(due)
} else := {
	"status": "unknown",
	"reason": "al.not_investigated",
	"message": $"Whether alert {_name} was investigated cannot be told: {evidence.gap("issues")}.",
	"evidence": evidence.pointer("issues"),
	"remediation": "Read the issue tracker completely and evaluate again.",
} if {
	not evidence.complete("issues", "records")
} else := {
	"status": "fail",
	"reason": "al.not_investigated",
	"message": $"Nobody had begun to investigate alert {_name} of {_alert.raised_at} by {clock.text(due)}.",
	"evidence": {"/alert/raised_at"},
	"remediation": "Investigate the alert now, and record how it ended.",
}

problems contains {
	"status": "pending",
	"reason": "al.unresolved",
	"message": $"The investigation of alert {_name} is under way; the alert has no end state yet.",
	"evidence": {"/alert"},
	"remediation": "Bring the alert to an end and record it.",
} if {
	_investigated_at
	not _ended
}

_ended if clock.instant(_alert.resolved_at) <= clock.now

_ended if _alert.end_state

passed := {
	"message": $"The investigation of alert {_name} began at {_alert.investigation_started_at}, before {clock.text(due)}, and the alert has an end.",
	"evidence": {"/alert"},
}
