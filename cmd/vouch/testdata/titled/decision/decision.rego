# METADATA
# scope: package
# description: |
#   A pull request that is open is pending; once it is merged, its title is good or bad.
#   Anything handed in is what its commit message says, and a finding is pending until a
#   month after it was detected.
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
	"findings": [object.union(
		{
			"control": "T-1",
			"status": status,
			"severity": "high",
			"title": "Says what it is called",
			"clause": "1",
			"message": $"It is {status}.",
			"reasons": [$"title.{status}"],
			"evidence": ["/subject"],
			"decisive_at": input.evaluated_at,
			"remediation": "Give it another title.",
			"policy_version": "0.0.1",
		},
		due_at,
	)],
}

due := time.add_date(time.parse_rfc3339_ns(input.finding.first_detected_at), 0, 1, 0)

default status := "not_applicable"

status := "pending" if {
	input.change.pull_request.number
	not merged
}

status := "pass" if {
	merged
	startswith(input.change.pull_request.title, "Good")
}

status := "fail" if {
	merged
	not startswith(input.change.pull_request.title, "Good")
}

status := input.change.commit_message if not input.change.pull_request

status := "pending" if time.parse_rfc3339_ns(input.evaluated_at) <= due

status := "fail" if time.parse_rfc3339_ns(input.evaluated_at) > due

merged if input.change.pull_request.merged_at

default next := {}

next := {"next_evaluation_at": time.format(due)} if {
	status == "pending"
	input.finding
}

default due_at := {}

due_at := {"due_at": time.format(due)} if {
	status == "pending"
	input.finding
}

outcomes := {
	"pass": "compliant",
	"fail": "non_compliant",
	"pending": "pending",
	"unknown": "unknown",
	"not_applicable": "out_of_scope",
}
