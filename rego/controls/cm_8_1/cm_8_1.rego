# METADATA
# title: Production is monitored continuously
# description: The production service has a health check, error tracking and a route for its alerts.
# scope: package
# custom:
#   id: CM-8.1
#   clause: "8-1"
#   remediation: Set up the missing health check, error tracking or alert route.
package controls.cm_8_1

import data.lib.change
import data.lib.clock

decisive_at := clock.now

_posture := input.posture

not_applicable := "The subject is no service." if not _posture.service

not_applicable := "The service does not serve production." if {
	_posture.service
	_posture.environment
	change.is_preproduction_name(_posture.environment)
}

_parts := {"health_check": "health check", "error_tracking": "error tracking", "alert_route": "alert route"}

_absent contains label if {
	some part, label in _parts
	_is_nothing(_posture.monitoring[part])
}

_is_nothing(value) if value in {false, 0, "", [], {}}

_is_nothing(value) if {
	is_string(value)
	lower(value) in {"none", "off", "disabled", "missing", "absent", "no", "false"}
}

_untold contains label if {
	some part, label in _parts
	object.get(_posture, ["monitoring", part], "untold") == "untold"
}

problems contains {
	"status": "fail",
	"reason": "mon.missing",
	"message": $"Service {_posture.service} has no {concat(", ", sort(_absent))}.",
	"evidence": {"/posture/monitoring"},
	"remediation": "Set up what is missing.",
} if {
	count(_absent) > 0
}

problems contains {
	"status": "unknown",
	"reason": "mon.missing",
	"message": $"Whether service {_posture.service} has {concat(", ", sort(_untold))} is not on record.",
	"evidence": {"/posture"},
	"remediation": "Collect the monitoring of the service and evaluate again.",
} if {
	count(_untold) > 0
}

passed := {
	"message": $"Service {_posture.service} has a health check, error tracking and an alert route.",
	"evidence": {"/posture/monitoring"},
}
