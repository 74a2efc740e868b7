# METADATA
# title: Change records are auditable and retained
# description: Complete change records reach back to the start of the programme or the retention period, whichever is later, and the chain of records is intact.
# scope: package
# custom:
#   id: CM-6.4
#   clause: "6-4"
#   remediation: Export what the sources do not keep, and restore the missing records.
package controls.cm_6_4

import data.lib.clock

decisive_at := clock.now

_retention := input.retention

# Never below twelve months, whatever the setting.
_period := max([data.settings.retention_days, 365]) * clock.day

required_from := max([clock.instant(_retention.program_started_at), clock.now - _period]) if {
	_retention.program_started_at
} else := clock.now - _period

problems contains {
	"status": "fail",
	"reason": "ret.incomplete",
	"message": $"Complete records reach back only to {_retention.oldest_complete_record_at}; they have to reach back to {clock.text(required_from)}.",
	"evidence": {"/retention/oldest_complete_record_at"},
	"remediation": "Restore the missing records from exports or back-ups, and export what the sources do not keep.",
} if {
	_retention.program_started_at
	clock.instant(_retention.oldest_complete_record_at) > required_from
}

problems contains {
	"status": "unknown",
	"reason": "ret.incomplete",
	"message": $"Complete records reach back only to {_retention.oldest_complete_record_at}, and when the programme started is not on record.",
	"evidence": {"/retention/oldest_complete_record_at"},
	"remediation": "Record when the programme started, and evaluate again.",
} if {
	not _retention.program_started_at
	clock.instant(_retention.oldest_complete_record_at) > required_from
}

problems contains {
	"status": "unknown",
	"reason": "ret.incomplete",
	"message": "How far complete records reach back is not on record.",
	"evidence": {"/retention"},
	"remediation": "Determine the oldest complete record and evaluate again.",
} if {
	not _retention.oldest_complete_record_at
}

problems contains {
	"status": "fail",
	"reason": "ret.chain_broken",
	"message": $"The chain of records is {_retention.hash_chain}.",
	"evidence": {"/retention/hash_chain"},
	"remediation": "Find where the chain breaks, and restore the records from a back-up.",
} if {
	_retention.hash_chain
	not lower(_retention.hash_chain) in {"intact", "valid", "verified", "ok", "unverified", "unknown", ""}
}

problems contains {
	"status": "unknown",
	"reason": "ret.chain_broken",
	"message": "Whether the chain of records is intact has not been verified.",
	"evidence": {"/retention"},
	"remediation": "Verify the chain and evaluate again.",
} if {
	lower(object.get(_retention, "hash_chain", "unknown")) in {"unverified", "unknown", ""}
}

passed := {
	"message": $"Complete records reach back to {_retention.oldest_complete_record_at}, and their chain is intact.",
	"evidence": {"/retention"},
}
