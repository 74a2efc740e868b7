# METADATA
# scope: package
# description: The commit message of a change is the status of its one control.
# schemas:
#   - input: schema.dossier
package decision

document := {
	"schema": "decision/v1",
	"subject": input.subject,
	"evaluated_at": input.evaluated_at,
	"outcome": outcomes[status],
	"classification": {"type": "normal", "scopes": [], "reasons": []},
	"risk": {"level": "low", "reasons": []},
	"parties": {"authors": ["alice"]},
	"findings": [{
		"control": "T-1",
		"status": status,
		"severity": "high",
		"title": "Says what the commit message says",
		"clause": "1",
		"message": $"The commit message says {status}; ask {data.settings.reviewer}.",
		"reasons": [$"said.{status}"],
		"evidence": ["/change/commit_message"],
		"remediation": "Write another commit message.",
		"policy_version": "0.0.1",
	}],
	"unevaluated": [{"control": "T-2", "reason": "no_rule"}],
}

# "undefined" is no status: the document is then undefined. "slow" takes longer
# than anybody waits.
status := input.change.commit_message if input.change.commit_message != "slow"

status := "pass" if {
	input.change.commit_message == "slow"
	some x in numbers.range(1, 10000)
	some y in numbers.range(1, 10000)
	x * y == -1
}

outcomes := {
	"pass": "compliant",
	"fail": "non_compliant",
	"pending": "pending",
	"unknown": "unknown",
	"waived": "compliant_with_waiver",
	"not_applicable": "compliant",
}
