# METADATA
# title: Infrastructure is changed through platform-native controls
# description: Infrastructure and configuration change through blueprint, dashboard, API or an infrastructure provider, never through a shell, SSH or SQL on production.
# scope: package
# custom:
#   id: CM-4.D.3
#   clause: "4.d-3"
#   remediation: Make the change through the platform's own controls.
package controls.cm_4_d_3

import data.lib.change
import data.lib.clock

decisive_at := change.effective_at if {
	change.effective_at
} else := clock.now

_native := {"blueprint", "dashboard", "api", "terraform", "provider", "iac"}

_foreign := {"shell", "ssh", "direct_sql", "sql", "psql", "console_sql"}

_channel := lower(input.change.channel) if {
	input.change.channel
} else := "direct_sql" if {
	input.change.kind == "database_change"
}

not_applicable := "The change is not made on the platform itself." if {
	not change.gitless
	not _channel
}

# A shell session alone is no change.
_only_session if {
	contains(lower(input.change.event.type), "startshell")
	count(object.get(input.change.event, "effects", [])) == 0
	not input.change.event.detail
}

problems contains {
	"status": "fail",
	"reason": "infra.not_native",
	"message": $"{object.get(input.change, ["event", "actor"], "Somebody")} changed production through {_channel}.",
	"evidence": {_pointer},
	"remediation": "Bring the change into Git or make it through the platform's own controls; review what was done by hand.",
} if {
	_channel in _foreign
	not _only_session
}

problems contains {
	"status": "unknown",
	"reason": "infra.channel_unknown",
	"message": "Through which channel the change was made is not on record.",
	"evidence": {_pointer},
	"remediation": "Read the platform's audit log and evaluate again.",
} if {
	not _channel in _foreign
	not _channel in _native
	_channel
}

problems contains {
	"status": "unknown",
	"reason": "infra.channel_unknown",
	"message": "Through which channel the change was made is not on record.",
	"evidence": {_pointer},
	"remediation": "Read the platform's audit log and evaluate again.",
} if {
	change.gitless
	not _channel
	input.change.kind == "platform_config"
}

_pointer := "/change/channel" if {
	input.change.channel
} else := "/change/kind"

observations contains {
	"reason": "infra.shell_session",
	"message": $"{object.get(input.change, ["event", "actor"], "Somebody")} opened a shell on production; a session alone is no change, but a ticket is expected.",
	"evidence": {"/change/event"},
} if {
	contains(lower(input.change.event.type), "startshell")
}

passed := {
	"message": $"The change was made through {_channel}.",
	"evidence": {_pointer},
} if {
	_channel
} else := {
	"message": "The change was made through the identity system.",
	"evidence": {_pointer},
}
