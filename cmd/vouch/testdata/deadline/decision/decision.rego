# METADATA
# scope: package
# description: A finding is pending until its deadline, then it fails; of everything else nothing is known.
# schemas:
#   - input: schema.dossier
package decision

document := object.union(verdict, next)

verdict := {
	"schema": "decision/v1",
	"subject": input.subject,
	"evaluated_at": input.evaluated_at,
	"outcome": outcomes[status],
	"classification": {"type": "n/a", "scopes": [], "reasons": []},
	"risk": {"level": "n/a", "reasons": []},
	"findings": [{
		"control": "T-1",
		"status": status,
		"severity": "high",
		"title": "Is fixed in time",
		"clause": "1",
		"message": $"It is {status}.",
		"reasons": [$"time.{status}"],
		"evidence": ["/evaluated_at"],
		"decisive_at": decisive,
		"policy_version": "0.0.1",
	}],
}

decisive := object.get(input, ["finding", "first_detected_at"], input.evaluated_at)

due := time.add_date(time.parse_rfc3339_ns(input.finding.first_detected_at), 0, 0, data.settings.vuln_sla_days.high)

default status := "unknown"

status := "pending" if time.parse_rfc3339_ns(input.evaluated_at) <= due

status := "fail" if time.parse_rfc3339_ns(input.evaluated_at) > due

default next := {}

next := {"next_evaluation_at": time.format(due)} if status == "pending"

outcomes := {"pending": "pending", "fail": "non_compliant", "unknown": "unknown"}
