# METADATA
# title: Emergency
# description: Whether a declared emergency has a trigger (controls 2.3 step 2). A declaration alone is worth nothing, and overlap in time with an incident is no declaration.
# scope: package
package lib.emergency

import data.lib.change
import data.lib.clock
import data.lib.evidence

declared if change.declared_type == "emergency"

declared if {
	not input.change.declared.type
	some label in change.pull_request.labels
	lower(label) == "emergency"
}

# An incident that was under way and whose record names the commit declares it
# where nobody declared anything else.
declared if {
	not change.declared_type
	some candidate in _naming
	count(_faults(candidate.record)) == 0
	count(_doubts(candidate.record)) == 0
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
trigger := _chosen.record

trigger_pointer := _chosen.pointer

_candidates contains {"record": input.change.emergency_trigger, "pointer": "/change/emergency_trigger", "linked": 0} if {
	input.change.emergency_trigger
}

_candidates contains candidate if some candidate in _naming

_naming contains {"record": incident, "pointer": $"/change/concurrent_incidents/{index}", "linked": 1} if {
	some index, incident in input.change.concurrent_incidents
	_names_commit(incident)
}

# Of several the one that justifies the change best, whatever their order.
_chosen := ranked[0][5] if {
	ranked := sort([[
		count(_faults(candidate.record)), count(_doubts(candidate.record)), candidate.linked,
		object.get(candidate.record, "started_at", ""), object.get(candidate.record, "id", ""), candidate,
	] |
		some candidate in _candidates
	])
}

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

kinds := {"incident", "vulnerability", "misconfiguration", "alert"}

# faults: why the trigger does not justify the change.
faults contains fault if some fault in _faults(trigger)

_faults(record) := {fault |
	some fault in [
		_started_after(record), _resolved_before(record), _recorded_late(record), _no_ground(record),
	]
	fault.reason
}

_started_after(record) := {"reason": "em.trigger_after", "text": $"{_label(record)} started only at {record.started_at}, after the change at {clock.text(decisive)}"} if {
	clock.instant(record.started_at) > decisive + clock.skew
} else := {}

_resolved_before(record) := {"reason": "em.trigger_resolved_before", "text": $"{_label(record)} was resolved at {record.resolved_at}, before the change at {clock.text(decisive)}"} if {
	clock.instant(record.resolved_at) < decisive - clock.skew
} else := {}

_recorded_late(record) := {"reason": "em.recorded_late", "text": $"{_label(record)} was recorded at {record.recorded_at}, later than {clock.text(documentation_due)}"} if {
	clock.instant(record.recorded_at) > documentation_due
} else := {}

_no_ground(record) := {"reason": "em.no_trigger", "text": $"{_label(record)} is a {record.kind}, which is no ground for an emergency"} if {
	record.kind
	not lower(record.kind) in kinds
} else := {}

faults contains {"reason": "em.recorded_late", "text": $"the emergency was declared at {input.change.declared.at}, later than {clock.text(documentation_due)}"} if {
	_declared_at > documentation_due
}

faults contains {"reason": "em.recorded_late", "text": $"the emergency was declared at {input.change.declared.at}, after the change at {clock.text(decisive)}, and not in the record of its trigger"} if {
	_declared_afterwards
	input.change.declared.source
	not _declared_in_record
}

_declared_afterwards if {
	_declared_at > decisive + clock.skew
	_declared_at <= documentation_due
}

_declared_at := clock.instant(input.change.declared.at) if change.declared_type == "emergency"

# Afterwards only the record of the trigger itself declares an emergency.
_declared_in_record if {
	some word in ["incident", "timeline", "alert", "vulnerability", "advisory", "postmortem"]
	contains(lower(input.change.declared.source), word)
}

_declared_in_record if contains(input.change.declared.source, trigger.id)

_declared_in_record if _names_commit(trigger)

# doubts: what would have to be known of the trigger.
doubts contains doubt if some doubt in _doubts(trigger)

doubts contains $"where the emergency was declared at {input.change.declared.at}, after the change, is not on record" if {
	_declared_afterwards
	not input.change.declared.source
	not _declared_in_record
}

doubts contains "when the change took effect is not on record" if {
	trigger
	change.effect_unread
}

_doubts(record) := {$"{_label(record)} has no {field} on record" |
	some field in ["kind", "started_at", "recorded_at"]
	not record[field]
}

_label(record) := object.get(record, "id", "the trigger")

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
