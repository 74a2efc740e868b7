# METADATA
# title: Security fixes follow the Vulnerability Management Plan
# description: A change that is labelled or triggered as a security fix names the finding that it answers, with its severity.
# scope: package
# custom:
#   id: CM-6.1
#   clause: "6-1"
#   remediation: Link the finding that the change fixes.
package controls.cm_6_1

import data.lib.change
import data.lib.evidence
import data.lib.review

decisive_at := review.decisive

not_applicable := "The change is no security fix." if not _is_fix

_is_fix if {
	some label in change.pull_request.labels
	lower(label) in {"security-fix", "security fix", "vulnerability", "type:security", "cve"}
}

_is_fix if input.change.emergency_trigger.kind == "vulnerability"

_findings contains {"name": input.change.emergency_trigger.id, "evidence": "/change/emergency_trigger"} if {
	input.change.emergency_trigger.kind == "vulnerability"
	input.change.emergency_trigger.id
	input.change.emergency_trigger.severity
}

_findings contains {"name": name, "evidence": pointer} if {
	some pointer, text in _texts
	some name in regex.find_n(`(?i)\b(CVE-[0-9]{4}-[0-9]{4,}|GHSA(-[0-9a-z]{4}){3})\b`, text, -1)
}

_findings contains {"name": link, "evidence": $"/change/links/{index}"} if {
	some index, link in input.change.links
}

_findings contains {"name": input.change.issue.id, "evidence": "/change/issue"} if {
	input.change.issue.id
}

_texts["/change/pull_request/title"] := change.pull_request.title

_texts["/change/pull_request/body_at_merge/description"] := change.pull_request.body_at_merge.description

_texts["/change/pull_request/body_at_merge/raw"] := change.pull_request.body_at_merge.raw

problems contains _missing if {
	count(_findings) == 0
}

# The finding is known, its severity is not.
_unrated if {
	input.change.emergency_trigger.kind == "vulnerability"
	input.change.emergency_trigger.id
	not input.change.emergency_trigger.severity
}

_missing := {
	"status": "unknown",
	"reason": "vuln.no_finding",
	"message": $"The severity of {input.change.emergency_trigger.id}, which the security fix answers, is not on record.",
	"evidence": {"/change/emergency_trigger"},
	"remediation": "Record the severity of the finding and evaluate again.",
} if {
	_unrated
} else := {
	"status": "pending",
	"reason": "vuln.no_finding",
	"message": "The security fix names no finding yet.",
	"evidence": change.pointers,
	"remediation": "Name the finding (CVE, GHSA or issue) before the merge.",
} if {
	change.is_open
} else := {
	"status": "unknown",
	"reason": "vuln.no_finding",
	"message": $"Whether the security fix answers a finding cannot be told: {concat("; ", sort({evidence.gap(source) | some source in _unread}))}.",
	"evidence": {pointer | some source in _unread; some pointer in evidence.pointer(source)},
	"remediation": "Read the missing facts and evaluate again.",
} if {
	count(_unread) > 0
} else := {
	"status": "fail",
	"reason": "vuln.no_finding",
	"message": "The change is a security fix and names no finding with a severity.",
	"evidence": change.pointers,
	"remediation": "Name the finding (CVE, GHSA or issue) that the change fixes.",
}

_unread contains "scanner" if not evidence.complete("scanner", "vulnerabilities")

_unread contains evidence.code if {
	change.from_git
	not evidence.complete(evidence.code, "description")
}

passed := {
	"message": $"The security fix answers {concat(", ", sort({finding.name | some finding in _findings}))}.",
	"evidence": {finding.evidence | some finding in _findings},
}
