# METADATA
# title: Automated tests passed before deployment
# description: Every required check concluded with success, on the content that was merged, before its deployment to production started. A skipped or neutral check is no success. Changes to AI behaviour need an evaluation run too.
# scope: package
# custom:
#   id: CM-4.C.1
#   clause: "4.c-1, 3.b-2"
#   remediation: Let the tests finish on the merged revision before it is deployed.
package controls.cm_4_c_1

import data.classification
import data.lib.change
import data.lib.clock
import data.lib.emergency
import data.lib.evidence
import data.lib.image
import data.lib.scope

_is_emergency if classification.type == "emergency"

not_applicable := "Git holds nothing of the change that tests could run on." if {
	change.gitless
	not scope.is_ai
}

not_applicable := "The build is one that was tested and ran before." if {
	change.is_rollback
}

not_applicable := "Only files that are not deployed changed." if {
	change.from_git
	scope.only_undeployed
}

# limit: by when the tests have to be done.
limit := emergency.review_due if {
	_is_emergency
} else := change.deploy_started_at + clock.skew if {
	change.deploy_started_at
} else := change.first_live_at + clock.skew if {
	change.first_live_at
} else := scope.effective_at if {
	scope.takes_effect_at_merge
} else := change.applied_at if {
	change.gitless
}

decisive_at := change.deploy_started_at if {
	not _is_emergency
	change.deploy_started_at
} else := limit if {
	limit
} else := clock.now

_waiting if {
	not limit
	not change.effect_unread
}

_waiting if {
	_is_emergency
	not clock.passed(limit)
}

# runs: checks on the content that was merged; index -> check.
_runs[index] := check if {
	change.from_git
	some index, check in input.change.checks
	check.sha in _tested_shas
	not _is_ignored(check.name)
}

_tested_shas := change.content_shas if {
	change.merged_at
} else := change.content_shas | {deployment.commit | some deployment in change.live}

# What we say ourselves is no test, whatever the settings say.
_is_ignored(name) if _named(name, {"changevouch*"})

_is_ignored(name) if _named(name, data.settings.checks.ignored)

_named(name, globs) if {
	some pattern in globs
	glob.match(pattern, null, lower(name))
}

_is_evaluation(name) if _named(name, data.settings.checks.evaluation)

# required: names of the checks that count.
_listed contains name if some name in data.settings.checks.required

_listed contains name if {
	count(data.settings.checks.required) == 0
	some name in input.change.branch_protection.required_checks
	not _is_ignored(name)
}

_listed contains check.name if {
	count(data.settings.checks.required) == 0
	some check in input.change.checks
	check.required == true
	not _is_ignored(check.name)
}

required := _listed if {
	count(_listed) > 0
} else := {check.name | some check in _runs} | _ran_before

# Where nobody lists the checks, one that ran on an earlier revision is owed on the
# final one too.
_ran_before contains check.name if {
	change.from_git
	some check in input.change.checks
	check.sha
	not check.required == false
	not _is_ignored(check.name)
	_over_in_time(check)
}

# best: for each required check the last run that was over in time.
_over_in_time(check) if clock.instant(check.completed_at) <= _bound

_bound := limit if {
	limit
} else := clock.now

_last[name] := index if {
	some name in required
	ranked := sort([[clock.instant(check.completed_at), _weight(check), index] |
		some index, check in _runs
		check.name == name
		check.conclusion
		_over_in_time(check)
	])
	count(ranked) > 0
	index := ranked[count(ranked) - 1][2]
}

# Of two runs that were over in the same second the one that did not succeed counts.
_is_success(check) if lower(check.conclusion) == "success"

_weight(check) := 0 if _is_success(check)

_weight(check) := 1 if not _is_success(check)

_succeeded contains name if {
	some name, index in _last
	lower(_runs[index].conclusion) == "success"
}

_all_succeeded if {
	count(required) > 0
	count(required - _succeeded) == 0
}

# Whether what is missing is final.
_status := "pending" if {
	_waiting
} else := "unknown" if {
	not evidence.complete(evidence.code, "tests")
} else := "unknown" if {
	change.effect_unread
} else := "fail"

# What is not on record of a check may be the success that is missing; and without
# the start of the deployment an earlier success may have been the last.
_status_of(name) := "unknown" if {
	_status == "fail"
	some check in input.change.checks
	check.name == name
	_is_vague(check)
} else := "unknown" if {
	_status == "fail"
	_start_unread
	some check in _runs
	check.name == name
	_is_success(check)
	_over_in_time(check)
} else := _status

_is_vague(check) if {
	not check.conclusion
	check.completed_at
	_may_be_ours(check)
}

_is_vague(check) if {
	_is_success(check)
	some field in ["sha", "completed_at"]
	not check[field]
	_may_be_ours(check)
}

_may_be_ours(check) if not check.sha

_may_be_ours(check) if check.sha in _tested_shas

_start_unread if {
	not _is_emergency
	change.from_git
	count(change.live) > 0
	not change.deploy_started_at
}

_due := {"due_at": limit} if {
	_is_emergency
	_status == "pending"
} else := {}

_shas := concat(", ", sort({change.short(sha) | some sha in _tested_shas})) if {
	count(_tested_shas) > 0
} else := "what was deployed: no commit is known of it"

# faults: why a required check does not count.
_faults[name] := {"reason": "test.failed", "text": $"{name} ended with {_runs[_last[name]].conclusion} at {_runs[_last[name]].completed_at}", "evidence": {$"/change/checks/{_last[name]}"}} if {
	some name in required
	not lower(_runs[_last[name]].conclusion) in {"success", "skipped", "neutral"}
}

_faults[name] := {"reason": "test.skipped", "text": $"{name} was {lower(_runs[_last[name]].conclusion)}, which is no success", "evidence": {$"/change/checks/{_last[name]}"}} if {
	some name in required
	lower(_runs[_last[name]].conclusion) in {"skipped", "neutral"}
}

_faults[name] := {"reason": "test.after_deploy", "text": $"{name} was over only at {min(_later(name))}, after the deployment started at {clock.text(_started)}", "evidence": {$"/change/checks/{index}" | some index, check in _runs; check.name == name}} if {
	some name in required
	not _last[name]
	count(_later(name)) > 0
}

_faults[name] := {"reason": "test.other_revision", "text": $"{name} ran on {concat(", ", sort(_elsewhere(name)))}, not on {_shas}", "evidence": {$"/change/checks/{index}" | some index, check in input.change.checks; check.name == name}} if {
	some name in required
	not _last[name]
	count(_later(name)) == 0
	count(_elsewhere(name)) > 0
}

_faults[name] := {"reason": "test.missing", "text": $"{name} has no result on {_shas}", "evidence": change.pointers} if {
	some name in required
	not _last[name]
	count(_later(name)) == 0
	count(_elsewhere(name)) == 0
}

_started := change.deploy_started_at if {
	change.deploy_started_at
} else := _bound

_later(name) := {check.completed_at |
	some check in _runs
	check.name == name
	not _over_in_time(check)
	check.completed_at
}

_elsewhere(name) := {change.short(check.sha) |
	some check in input.change.checks
	check.name == name
	not check.sha in _tested_shas
}

problems contains object.union(
	{
		"status": _status_of(name),
		"reason": fault.reason,
		"message": $"The tests do not cover what was deployed: {fault.text}.",
		"evidence": fault.evidence,
		"remediation": "Run the tests on the merged revision; let deployments wait for them.",
	},
	_due,
) if {
	change.from_git
	not change.is_rollback
	some name, fault in _faults
}

problems contains object.union(
	{
		"status": _status_of_nothing,
		"reason": _nothing_ran.reason,
		"message": _nothing_ran.message,
		"evidence": _nothing_ran.evidence,
		"remediation": "Run the tests on the merged revision; let deployments wait for them.",
	},
	_due,
) if {
	change.from_git
	not change.is_rollback
	count(required) == 0
}

_status_of_nothing := "unknown" if {
	_status == "fail"
	some check in input.change.checks
	_is_vague(check)
} else := _status

_nothing_ran := {
	"reason": "test.other_revision",
	"message": $"Tests ran on {concat(", ", sort({change.short(object.get(check, "sha", "an unknown commit")) | some check in input.change.checks}))}, but not on {_shas}.",
	"evidence": {$"/change/checks/{index}" | some index, _ in input.change.checks},
} if {
	count(input.change.checks) > 0
} else := {
	"reason": "test.missing",
	"message": $"No test has a result on {_shas}.",
	"evidence": change.pointers,
}

problems contains {
	"status": "fail",
	"reason": "test.other_revision",
	"message": $"Production runs an image that was built from {change.short(sha)}, and the tests ran on what was merged.",
	"evidence": {$"/change/deployments/{index}/image"},
	"remediation": "Deploy an image that was built from the tested commit.",
} if {
	not _is_emergency
	some index, sha in image.foreign
}

# Checks that nobody lists may be missing from what was read.
problems contains object.union(
	{
		"status": _unseen_status,
		"reason": "test.missing",
		"message": $"Whether every check passed cannot be told: {evidence.gap(evidence.code)}.",
		"evidence": evidence.pointer(evidence.code),
		"remediation": "Grant the collector the right to read checks and statuses, and evaluate again.",
	},
	_due,
) if {
	change.from_git
	not change.is_rollback
	_all_succeeded
	count(_listed) == 0
	not evidence.complete(evidence.code, "tests")
}

_unseen_status := "pending" if {
	_waiting
} else := "unknown"

# A deployment whose start is not on record: the tests may have ended after it.
problems contains {
	"status": "unknown",
	"reason": "test.after_deploy",
	"message": "When the deployment to production started is not on record, so whether the tests came first cannot be told.",
	"evidence": {$"/change/deployments/{index}" | some index in change.first_live},
	"remediation": "Read the deployment completely and evaluate again.",
} if {
	_start_unread
	_all_succeeded
}

# Deployments that were not read: one may have started before the tests ended.
problems contains {
	"status": "unknown",
	"reason": "test.after_deploy",
	"message": $"Whether the tests came before the deployment cannot be told: {evidence.gap("render")}.",
	"evidence": evidence.pointer("render"),
	"remediation": "Read the deployments completely and evaluate again.",
} if {
	change.from_git
	not _is_emergency
	not scope.takes_effect_at_merge
	change.effect_unread
	_all_succeeded
	not _before_merge
}

# What was over before the merge came before any deployment of what was merged.
_before_merge if {
	every name in required {
		clock.instant(_runs[_last[name]].completed_at) <= change.merged_at
	}
}

# --- AI behaviour: an evaluation run on the same content -----------------------

_evaluated contains $"/change/checks/{index}" if {
	some index, check in _runs
	_is_evaluation(check.name)
	lower(check.conclusion) == "success"
	_over_in_time(check)
}

_evaluated contains $"/change/validations/{index}" if {
	change.gitless
	not change.effect_unread
	some index, validation in input.change.validations
	_is_evaluation_run(validation)
	clock.instant(validation.at) <= _bound
}

problems contains object.union(
	{
		"status": _evaluation_status,
		"reason": "eval.missing",
		"message": $"The change alters AI behaviour, and no evaluation run succeeded on {_content} in time.",
		"evidence": _ai_evidence,
		"remediation": "Run the evaluation suite on the merged revision before it is deployed.",
	},
	_due,
) if {
	scope.is_ai
	not change.is_rollback
	count(_evaluated) == 0
}

# What files a change touches decides whether it alters AI behaviour.
problems contains object.union(
	{
		"status": _unseen_status,
		"reason": "eval.missing",
		"message": $"Whether the change alters AI behaviour, and needs an evaluation run, cannot be told: its files were not read completely ({evidence.gap(evidence.code)}).",
		"evidence": evidence.pointer(evidence.code),
		"remediation": "Read the changed files completely and evaluate again.",
	},
	_due,
) if {
	change.from_git
	not scope.is_ai
	not scope.files_known
	count(_evaluated) == 0
}

_content := _shas if {
	change.from_git
} else := "the new setting"

_evaluation_status := "unknown" if {
	change.gitless
	not evidence.complete("attestations", "validations")
} else := "unknown" if {
	change.gitless
	change.effect_unread
} else := "unknown" if {
	change.gitless
	some validation in input.change.validations
	_is_evaluation_run(validation)
	not validation.at
} else := "fail" if {
	change.gitless
} else := "unknown" if {
	_status == "fail"
	some check in input.change.checks
	_is_evaluation(check.name)
	_is_vague(check)
} else := _status

_is_evaluation_run(validation) if {
	regex.match(`eval|red.?team|guardrail`, lower(object.get(validation, "kind", "")))
	lower(validation.result) in data.settings.checks.passing_results
}

_ai_evidence := {$"/change/files/{index}" |
	some index, file in scope.deployable
	scope.matches(file.path, data.settings.scopes.ai_orchestration)
} | change.pointers

passed := {
	"message": $"{concat(", ", sort([name | some name in _succeeded]))} succeeded on {_shas} in time.",
	"evidence": {$"/change/checks/{index}" | some index in _last},
} if {
	change.from_git
} else := {
	"message": "An evaluation run succeeded before the setting took effect.",
	"evidence": _evaluated,
} if {
	change.gitless
}
