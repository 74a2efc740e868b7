# METADATA
# title: Emergency
# description: Whether a declared emergency has a trigger (controls 2.3 step 2). A declaration alone is worth nothing, and overlap in time with an incident is no declaration.
# scope: package
package lib.emergency

import data.lib.change
import data.lib.clock
import data.lib.evidence

declared if lower(input.change.declared.type) == "emergency"

declared if {
	not input.change.declared.type
	some label in change.pull_request.labels
	lower(label) in {"change:emergency", "emergency"}
}

# When the change acted: in production or, before that, at the merge.
decisive := change.effective_at if {
	change.effective_at
} else := change.merged_at if {
	change.merged_at
} else := clock.now

window := data.settings.emergency_documentation_hours * clock.hour

# Until when trigger and documentation may be recorded.
documentation_due := decisive + window

# The incident, vulnerability, misconfiguration or alert that the change answers:
# the one linked to it, or one whose record names its commit.
trigger := input.change.emergency_trigger if {
	input.change.emergency_trigger
} else := input.change.concurrent_incidents[_first_named]

_first_named := min([index | some index, incident in input.change.concurrent_incidents; _names_commit(incident)])

_names_commit(incident) if incident.mentions_commit == true

_names_commit(incident) if {
	is_string(incident.mentions_commit)
	_is_ours(incident.mentions_commit)
}

_names_commit(incident) if {
	is_array(incident.mentions_commit)
	some sha in incident.mentions_commit
	_is_ours(sha)
}

_is_ours(sha) if {
	count(sha) >= 7
	some ours in change.content_shas
	startswith(ours, lower(sha))
}

trigger_pointer := "/change/emergency_trigger" if {
	input.change.emergency_trigger
} else := $"/change/concurrent_incidents/{_first_named}"

kinds := {"incident", "vulnerability", "misconfiguration", "alert"}

# faults: why the trigger does not justify the change.
faults contains {"reason": "em.trigger_after", "text": $"{_label} started only at {trigger.started_at}, after the change at {clock.text(decisive)}"} if {
	clock.instant(trigger.started_at) > decisive + clock.skew
}

faults contains {"reason": "em.trigger_resolved_before", "text": $"{_label} was resolved at {trigger.resolved_at}, before the change at {clock.text(decisive)}"} if {
	clock.instant(trigger.resolved_at) < decisive - clock.skew
}

faults contains {"reason": "em.recorded_late", "text": $"{_label} was recorded at {trigger.recorded_at}, later than {clock.text(documentation_due)}"} if {
	clock.instant(trigger.recorded_at) > documentation_due
}

faults contains {"reason": "em.no_trigger", "text": $"{_label} is a {trigger.kind}, which is no ground for an emergency"} if {
	trigger.kind
	not trigger.kind in kinds
}

faults contains {"reason": "em.recorded_late", "text": $"the emergency was declared at {input.change.declared.at}, later than {clock.text(documentation_due)}"} if {
	clock.instant(input.change.declared.at) > documentation_due
}

# doubts: what would have to be known of the trigger.
doubts contains $"{_label} has no {field} on record" if {
	trigger
	some field in ["started_at", "recorded_at"]
	not trigger[field]
}

_label := trigger.id if {
	trigger.id
} else := "the trigger"

# status of CM-3.C, undefined where no emergency was declared.
status := "fail" if {
	declared
	count(faults) > 0
} else := "unknown" if {
	declared
	count(doubts) > 0
} else := "pass" if {
	declared
	trigger
} else := "unknown" if {
	declared
	not readable
} else := "pending" if {
	declared
	not clock.passed(documentation_due)
} else := "fail" if {
	declared
}

# The trackers in which a trigger would be found were read.
readable if {
	evidence.complete("issues", "records")
	evidence.complete("scanner", "vulnerabilities")
}

# accepted: the change is treated as an emergency.
accepted if status in {"pass", "pending", "unknown"}

# The review afterwards (controls 5-2).
review_due := clock.after_business_days(decisive, data.settings.emergency_review_business_days)
