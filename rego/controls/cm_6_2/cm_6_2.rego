# METADATA
# title: Vulnerabilities are remediated within the SLA
# description: The fix ran in production within the days its severity allows, from first detection. A re-rating upwards gives the new days from then, if that is earlier; one downwards counts only with a reason by somebody else. Closed or dismissed alerts are no remediation.
# scope: package
# custom:
#   id: CM-6.2
#   clause: "6-2"
#   remediation: Bring the fix into production, or have the risk accepted by somebody else before the deadline.
package controls.cm_6_2

import data.lib.clock
import data.lib.evidence
import data.lib.people

_finding := input.finding

_name := concat(" ", [object.get(_finding, "id", "the finding"), $"({_rating})"])

# severity of the finding, as rated last; unrated counts as the setting says.
severity := _rating

_rating := _rated(_finding.severity) if {
	_finding.severity
} else := _ratings[count(_ratings) - 1].severity if {
	count(_ratings) > 0
} else := data.settings.unrated_severity

_rated(word) := lower(word) if {
	data.settings.vuln_sla_days[lower(word)]
} else := "medium" if {
	lower(word) == "moderate"
} else := "low" if {
	lower(word) in {"info", "informational", "none", "negligible"}
} else := data.settings.unrated_severity

_days(word) := data.settings.vuln_sla_days[word] * clock.day

# A finding that came back starts a new clock.
started_at := clock.instant(_finding.reintroduced_at) if {
	_finding.reintroduced_at
} else := clock.instant(_finding.first_detected_at)

# _ratings: severities in order of time, the first at the start of the clock.
_ratings := [rating |
	some entry in sort([[clock.instant(item.at), index] | some index, item in _finding.severity_history])
	item := _finding.severity_history[entry[1]]
	item.severity
	rating := {"at": max([entry[0], started_at]), "severity": _rated(item.severity), "item": item, "index": entry[1]}
]

_first_rating := _ratings[0].severity if {
	count(_ratings) > 0
} else := _rating

# A re-rating downwards counts only with a reason by somebody other than who
# owns the finding's fix, and before the deadline it moves: otherwise the old
# deadline stands.
_relief := max(positions) if {
	positions := {position |
		some position in _reasoned
		_ratings[position].at <= _deadline_before(position)
	}
	count(positions) > 0
}

_reasoned contains position if {
	some position, rating in _ratings
	position > 0
	_days(rating.severity) > _days(_ratings[position - 1].severity)
	rating.item.reason
	rating.item.by
	not _is_owner(rating.item.by)
}

# The deadline that ran until a rating: from the last reasoned relief before it
# on, or from the start.
_deadline_before(position) := min({started_at + _days(_ratings[from].severity)} | raised) if {
	from := max({0} | {earlier | some earlier in _reasoned; earlier < position})
	raised := {moment |
		some index, rating in _ratings
		index > from
		index < position
		moment := rating.at + _days(rating.severity)
	}
}

_is_owner(name) if lower(name) == lower(_finding.owner)

_is_owner(name) if people.member(name).id == people.member(_finding.owner).id

_base := started_at + _days(_ratings[_relief].severity) if {
	_relief
} else := started_at + _days(_first_rating)

_after := _relief if {
	_relief
} else := 0

deadline := min((({_base} | _raised) | _exploited))

_raised contains rating.at + _days(rating.severity) if {
	some position, rating in _ratings
	position > _after
}

_exploited contains started_at + (data.settings.known_exploited_max_days * clock.day) if _finding.kev == true

# What the release in force at the detection allows is what was owed: a later one
# moves no deadline of an open finding.
decisive_at := started_at if {
	started_at
} else := clock.now

# A risk is accepted before the deadline or too late.
waiver_needed_at := deadline

remediated_at := clock.instant(_finding.remediated_in_production_at) if {
	clock.instant(_finding.remediated_in_production_at) <= clock.now
	clock.instant(_finding.remediated_in_production_at) >= started_at
}

# An acceptance has to last as long as the finding is open.
waiver_needed_until := max([deadline, remediated_at]) if {
	remediated_at
} else := max([deadline, clock.now])

problems contains {
	"status": "unknown",
	"reason": "sla.undetected",
	"message": $"When {_name} was first detected is not on record.",
	"evidence": {"/finding"},
	"remediation": "Read the finding completely and evaluate again.",
} if {
	not started_at
}

problems contains {
	"status": "fail",
	"reason": "sla.late",
	"message": $"{_name} was fixed in production at {_finding.remediated_in_production_at}, {clock.span(remediated_at - deadline)} after the deadline of {clock.text(deadline)}.",
	"evidence": {"/finding/remediated_in_production_at", _start_pointer},
	"remediation": "Nothing can make up for the delay; record why the fix was late.",
} if {
	remediated_at > deadline
}

# Ratings of which it is not known when they came: a severity that the history
# does not end with, or an entry without a time or severity.
_is_undated if {
	some item in _finding.severity_history
	not _is_dated(item)
}

_is_undated if {
	count(_ratings) > 0
	_ratings[count(_ratings) - 1].severity != _rated(_finding.severity)
}

_is_dated(item) if {
	item.at
	item.severity
}

_strictest := min({moment |
	some word in _words
	moment := started_at + _days(_rated(word))
})

_words contains _finding.severity

_words contains item.severity if some item in _finding.severity_history

# A rating that says no severity may have been any.
_words contains "critical" if {
	some item in _finding.severity_history
	not item.severity
}

_settled_at := remediated_at if {
	remediated_at
} else := clock.now

problems contains {
	"status": "unknown",
	"reason": "sla.undated_rating",
	"message": $"When {_name} was rated as it is is not on record, and its deadline depends on it.",
	"evidence": {"/finding"},
	"remediation": "Read the history of the severity completely and evaluate again.",
} if {
	_is_undated
	_settled_at > _strictest
}

_is_open if {
	started_at
	not remediated_at
}

problems contains {
	"status": "unknown",
	"reason": "sla.scanner_silent",
	"message": $"Whether {_name} is still open cannot be told: {evidence.gap("scanner")}.",
	"evidence": evidence.pointer("scanner"),
	"remediation": "Read the scanner completely and evaluate again.",
} if {
	_is_open
	not evidence.complete("scanner", "vulnerabilities")
}

problems contains {
	"status": "pending",
	"reason": "sla.open",
	"message": $"{_name} is open; its fix is due in production by {clock.text(deadline)}{_note}.",
	"evidence": {_start_pointer},
	"remediation": $"Bring the fix into production by {clock.text(deadline)}.",
	"due_at": deadline,
} if {
	_is_open
	evidence.complete("scanner", "vulnerabilities")
	not clock.passed(deadline)
}

problems contains {
	"status": "fail",
	"reason": "sla.overdue",
	"message": $"{_name} is open, {clock.span(clock.now - deadline)} after the deadline of {clock.text(deadline)}{_note}.",
	"evidence": {_start_pointer},
	"remediation": "Bring the fix into production now; record why it is late.",
} if {
	_is_open
	evidence.complete("scanner", "vulnerabilities")
	clock.passed(deadline)
}

problems contains {
	"status": "fail",
	"reason": "sla.dismissed",
	"message": $"The alert of {_name} was dismissed by {object.get(_finding, "dismissed_by", "somebody")}; without an accepted risk the finding stays open.",
	"evidence": {"/finding"},
	"remediation": "Have the risk accepted by somebody else for a limited time, or fix it.",
} if {
	_is_open
	evidence.complete("scanner", "vulnerabilities")
	_is_dismissed
	clock.passed(deadline)
}

_is_dismissed if _finding.dismissed_by

_is_dismissed if startswith(lower(_finding.alert_state), "dismissed")

_is_dismissed if lower(_finding.alert_state) == "auto_dismissed"

_note := "; the alert is dismissed, which is no remediation" if {
	_is_dismissed
} else := "; the alert is fixed, but the fix does not run in production" if {
	lower(_finding.alert_state) == "fixed"
} else := ""

_start_pointer := "/finding/reintroduced_at" if {
	_finding.reintroduced_at
} else := "/finding/first_detected_at"

passed := {
	"message": $"{_name} was fixed in production at {_finding.remediated_in_production_at}, before the deadline of {clock.text(deadline)}.",
	"evidence": {"/finding/remediated_in_production_at", _start_pointer},
} if {
	remediated_at <= deadline
}
