# METADATA
# title: Deployment activity is logged
# description: Every deployment of the period is in the ledger. A window that nobody observed and that was not back-filled leaves it open.
# scope: package
# custom:
#   id: CM-8.2
#   clause: "8-2"
#   remediation: Back-fill the gap, and find out about deployments that are missing in the ledger.
package controls.cm_8_2

import data.lib.clock
import data.lib.evidence

decisive_at := clock.instant(input.period.end) if {
	input.period.end
} else := clock.now

problems contains {
	"status": "fail",
	"reason": "log.missing_in_ledger",
	"message": $"{count(_missing)} deployment(s) of the period are missing in the ledger: {concat(", ", sort([name | some name in _missing]))}.",
	"evidence": {"/period/missing_in_ledger"},
	"remediation": "Find out why the deployments are missing, and record them.",
} if {
	count(input.period.missing_in_ledger) > 0
}

_missing := {_name(item) | some item in input.period.missing_in_ledger}

_name(item) := item if {
	is_string(item)
} else := item.id if {
	is_string(item.id)
} else := json.marshal(item)

problems contains {
	"status": "unknown",
	"reason": "log.unobserved",
	"message": $"Nobody observed {object.get(gap, "source", "the source")} from {object.get(gap, "start", "an unknown time")} to {object.get(gap, "end", "an unknown time")}, and the gap was not back-filled.",
	"evidence": {$"/period/gaps/{index}"},
	"remediation": "Back-fill the gap from the source, or record that it cannot be.",
} if {
	some index, gap in input.period.gaps
	not _backfilled(gap)
	not _outside(gap)
}

# A gap that ended before the period or began after it.
_outside(gap) if clock.instant(gap.end) <= clock.instant(input.period.start)

_outside(gap) if clock.instant(gap.start) >= clock.instant(input.period.end)

_backfilled(gap) if gap.backfilled == true

_backfilled(gap) if {
	not gap.backfilled == false
	some item in input.period.backfilled
	item.source == gap.source
	clock.instant(item.start) <= clock.instant(gap.start)
	clock.instant(item.end) >= clock.instant(gap.end)
}

problems contains {
	"status": "unknown",
	"reason": "log.unobserved",
	"message": $"The deployments of the period could not be read completely: {evidence.gap("render")}.",
	"evidence": evidence.pointer("render"),
	"remediation": "Read the deployments completely and evaluate again.",
} if {
	not evidence.complete("render", "deploys")
}

problems contains {
	"status": "unknown",
	"reason": "log.unreconciled",
	"message": "The deployments of the period have not been reconciled with the ledger.",
	"evidence": {"/period"},
	"remediation": "Reconcile the period and evaluate again.",
} if {
	not is_array(object.get(input.period, "missing_in_ledger", ""))
}

problems contains {
	"status": "unknown",
	"reason": "log.unbounded",
	"message": $"Where the period begins or ends is not on record: it has no {concat(", ", sort(_unbounded))}.",
	"evidence": {"/period"},
	"remediation": "Say from when to when the period runs, and evaluate again.",
} if {
	count(_unbounded) > 0
}

_unbounded contains field if {
	some field in ["start", "end"]
	not input.period[field]
}

# What was read has to span the period, where the source says what was read.
problems contains {
	"status": "unknown",
	"reason": "log.unobserved",
	"message": $"The deployments were read from {object.get(_read, "from", "the beginning")} to {object.get(_read, "to", "the evaluation")}, which is not the whole period.",
	"evidence": {"/sources/render"},
	"remediation": "Read the deployments of the whole period and evaluate again.",
} if {
	_falls_short
}

_read := input.sources.render

_falls_short if clock.instant(_read.from) > clock.instant(input.period.start)

# Nobody can have read what lies ahead: a period that runs on is pending.
_falls_short if {
	clock.instant(_read.to) < clock.instant(input.period.end)
	clock.instant(input.period.end) <= clock.now
}

problems contains {
	"status": "pending",
	"reason": "log.period_open",
	"message": $"The period ends at {input.period.end}.",
	"evidence": {"/period/end"},
	"remediation": "Evaluate again when the period is over.",
	"due_at": clock.instant(input.period.end),
} if {
	clock.now < clock.instant(input.period.end)
}

passed := {
	"message": $"Every deployment from {input.period.start} to {input.period.end} is in the ledger, and every window was observed.",
	"evidence": {"/period"},
}
