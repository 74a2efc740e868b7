# METADATA
# title: Evidence
# description: What was read completely. Absence proves something only where the source was read completely (controls 1.4).
# scope: package
package lib.evidence

# The facts a source may report as missing, under the name a rule asks for.
facts := {
	"reviews": {"review", "reviews", "pull_request_reviews"},
	"commits": {"commit", "commits", "commit_list", "co_authors"},
	"pull_requests": {"pull_request", "pull_requests"},
	"files": {"file", "files", "diff", "patch", "patches"},
	"tests": {"check", "checks", "check_runs", "status", "statuses", "commit_statuses", "workflow_runs", "check_suites"},
	"description": {"pull_request", "pull_requests", "body", "body_history", "description", "pull_request_body"},
	"protection": {"branch_protection", "protection", "protections", "protection_events", "rulesets", "ruleset", "rule_suites", "audit_log", "audit_logs", "bypass"},
	"timeline": {"timeline", "events", "operators", "labels", "merge_queue", "dismissals"},
	"pushes": {"activity", "push", "pushes", "branches", "direct_pushes"},
	"permissions": {"permission", "permissions", "collaborators"},
	"deploys": {"deploy", "deploys", "deployment", "deployments", "services", "environments", "staging"},
	"deploy_events": {"events", "deploy_events", "deploy_started", "users", "triggers"},
	"config_events": {"audit_log", "audit_logs", "config", "config_events", "env_vars", "events"},
	"records": {"issue", "issues", "incident", "incidents", "approvals", "comments", "requests", "tickets", "post_incident_reviews", "retrospective_reviews", "alerts"},
	"directory": {"directory", "people", "members", "roster", "identities", "identity", "accounts", "hris", "idp", "users"},
	"access_events": {"cloudtrail", "audit_log", "audit_logs", "credentials", "access", "grants", "access_events", "elevations"},
	"validations": {"validation", "validations", "attestations", "attestation"},
	"vulnerabilities": {"vulnerabilities", "vulnerability", "alerts", "findings", "scans"},
}

# The source that holds code evidence: a plain clone where there is no forge.
code := "git" if {
	not input.sources.github
	input.sources.git
} else := "github"

# complete: every fact of this kind was read from the source. A missing fact
# that this policy cannot name may be any of them.
complete(source, kind) if {
	_says_enough(source)
	every name in _missing(source) {
		_known(name)
		not name in facts[kind]
	}
}

_says_enough(source) if input.sources[source].status == "complete"

_says_enough(source) if {
	input.sources[source].status == "incomplete"
	count(_missing(source)) > 0
}

_missing(source) := {lower(replace(name, "-", "_")) | some name in input.sources[source].missing}

_known(name) if {
	some kind
	name in facts[kind]
}

# gap says in words what could not be read.
gap(source) := $"{source} is not a source that was read" if not input.sources[source]

gap(source) := concat("", [source, " is ", object.get(entry, "status", "of unknown state"), _names(entry), _why(entry)]) if {
	entry := input.sources[source]
}

_names(entry) := $" (missing: {concat(", ", entry.missing)})" if count(entry.missing) > 0

default _names(_) := ""

_why(entry) := $": {entry.reason}" if entry.reason

default _why(_) := ""

# pointer to the source's completeness record.
pointer(source) := {$"/sources/{source}"} if input.sources[source]

pointer(source) := {"/sources"} if not input.sources[source]
