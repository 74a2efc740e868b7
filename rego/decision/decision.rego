# METADATA
# title: Decision
# description: The verdict on a dossier, control by control - the one entrypoint. Bundle, settings and input digests are added by whoever evaluates.
# scope: package
package decision

import data.classification
import data.lib.authorship
import data.lib.catalogue
import data.lib.change
import data.lib.clock
import data.lib.deployer
import data.lib.evidence
import data.lib.people
import data.lib.review
import data.lib.waiver
import data.risk

# METADATA
# title: Decision document
# description: decision/v1 without id, policy and input_digest.
# entrypoint: true
document := object.union(
	{
		"schema": "decision/v1",
		"subject": input.subject,
		"evaluated_at": input.evaluated_at,
		"outcome": outcome,
		"classification": _judgement.classification,
		"risk": _judgement.risk,
		"findings": findings,
	},
	_optional,
)

_optional := object.union_n([part |
	some part in [_parties, _observations, _unevaluated, _next]
])

# --- What kind of subject ------------------------------------------------------

# view: the single change under judgement, for subjects of type change.
_judgement := {
	"classification": classification.document,
	"risk": _risk_of(classification.type, risk.document),
} if {
	input.subject.type == "change"
} else := {
	"classification": {"type": _strictest_type, "scopes": sort([kind | some kind in _all_scopes]), "reasons": sort([reason | some reason in _all_reasons])},
	"risk": {"level": _highest_risk, "reasons": sort([reason | some reason in _all_risk_reasons])},
} if {
	input.subject.type == "deployment"
} else := {
	"classification": {"type": "n/a", "scopes": [], "reasons": []},
	"risk": {"level": "n/a", "reasons": []},
}

_risk_of("out_of_scope", _) := {"level": "n/a", "reasons": []}

_risk_of(type, document) := document if type != "out_of_scope"

# --- Findings of one subject ----------------------------------------------------

# rows: the controls of the catalogue that apply to a type of subject. A
# deployment is judged by the changes it carries.
_rows(type) := {id: row |
	some id, row in catalogue.controls
	type in row.subjects
}

_in_scope if input.subject.type != "change"

_in_scope if {
	input.subject.type == "change"
	classification.type != "out_of_scope"
}

# _own: the findings on this input, a single subject: control -> finding.
own[id] := finding if {
	input.subject.type != "deployment"
	_in_scope
	some id, row in _rows(input.subject.type)
	finding := _finding(id, row)
}

_finding(id, row) := _after_waivers(_after_scope(base), row.rule) if {
	base := object.union_n([
		{
			"control": id,
			"severity": _severity(row),
			"title": row.title,
			"clause": row.clause,
			"policy_version": data.catalogue.policy.version,
		},
		object.filter(row, ["aliases"]),
		_decisive(row.rule),
		_verdict(row.rule),
	])
}

# A control may grade its severity by its subject.
_severity(row) := severity if {
	severity := data.controls[row.rule].severity
} else := row.severity

_decisive(rule) := {"decisive_at": clock.text(moment)} if {
	moment := data.controls[rule].decisive_at
} else := {}

# Of a change that may be out of scope nothing is proven to be owed.
_after_scope(base) := object.union(base, {
	"status": "unknown",
	"message": $"{base.message} Whether that was owed cannot be told, since only files that are not deployed changed: {evidence.gap("render")}.",
	"evidence": sort([pointer | some pointer in ({found | some found in base.evidence} | evidence.pointer("render"))]),
	"remediation": "Read the deployments completely and evaluate again.",
}) if {
	_out_of_scope_open
	base.status == "fail"
} else := base

_out_of_scope_open if {
	input.subject.type == "change"
	classification.may_be_out_of_scope
}

_after_waivers(base, _) := base if base.status != "fail"

_after_waivers(base, rule) := waiver.applied(base, _moments(rule)) if base.status == "fail"

# _moments: when a waiver has to be in force, and how long it has to last.
_moments(rule) := {"decisive": decisive, "until": until} if {
	decisive := _decisive_moment(rule)
	until := _until(rule, decisive)
}

_decisive_moment(rule) := moment if {
	moment := data.controls[rule].waiver_needed_at
} else := moment if {
	moment := data.controls[rule].decisive_at
} else := clock.now

_until(rule, decisive) := moment if {
	moment := data.controls[rule].waiver_needed_until
} else := decisive

# _verdict: not applicable before anything else; then the worst problem; then the
# pass. A definite fail outranks an unknown, an unknown outranks pending.
_verdict(rule) := {
	"status": "not_applicable",
	"message": message,
	"reasons": [],
	"evidence": [],
} if {
	message := data.controls[rule].not_applicable
} else := _judged(rule, data.controls[rule].problems)

_judged(rule, problems) := {
	"status": "pass",
	"message": passed.message,
	"reasons": [],
	"evidence": sort([pointer | some pointer in passed.evidence]),
} if {
	count(problems) == 0
	passed := data.controls[rule].passed
} else := _problem_verdict(worst, problems) if {
	worst := _worst({problem.status | some problem in problems})
} else := {
	"status": "unknown",
	"message": "The rule of this control comes to no verdict on these facts.",
	"reasons": ["rule.no_verdict"],
	"evidence": [_body],
	"remediation": "Complete the dossier and evaluate again; if it is complete, report the rule.",
}

# Where the dossier tells of its subject.
_body := $"/{input.subject.type}" if {
	input[input.subject.type]
} else := "/subject"

_worst(statuses) := "fail" if {
	"fail" in statuses
} else := "unknown" if {
	"unknown" in statuses
} else := "pending" if {
	"pending" in statuses
}

_problem_verdict(worst, problems) := object.union(
	{
		"status": worst,
		"message": concat(" ", _unique([problem.message | some problem in ordered])),
		"reasons": sort([reason | some reason in {problem.reason | some problem in relevant}]),
		"evidence": _evidence(relevant),
	},
	object.union(_remediation(ordered), _due(relevant)),
) if {
	relevant := {problem | some problem in problems; problem.status == worst}
	ordered := [entry[2] | some entry in sort([[problem.reason, problem.message, problem] | some problem in relevant])]
}

# Where a problem points at nothing, what is missing is missing in the body.
_evidence(relevant) := sort([pointer | some pointer in pointers]) if {
	pointers := {pointer | some problem in relevant; some pointer in problem.evidence}
	count(pointers) > 0
} else := [_body]

# _unique keeps the first of equal sentences.
_unique(sentences) := [sentence |
	some index, sentence in sentences
	not sentence in array.slice(sentences, 0, index)
]

_remediation(ordered) := {"remediation": concat(" ", sentences)} if {
	sentences := _unique([problem.remediation | some problem in ordered; problem.remediation])
	count(sentences) > 0
} else := {}

_due(relevant) := {"due_at": clock.text(min(dues))} if {
	dues := {problem.due_at | some problem in relevant; problem.due_at}
	count(dues) > 0
} else := {}

# --- Deployments: every change that the deployment carries -----------------------

# parts: for each change of a deployment its own judgement.
_parts[index] := part if {
	input.subject.type == "deployment"
	some index, body in input.deployment.changes
	view := object.union(
		object.remove(input, ["deployment"]),
		{
			"subject": {"type": "change", "id": sprintf("%s/%d", [input.subject.id, index])},
			"deployment": {"id": input.subject.id},
			"change": body,
		},
	)
	part := {
		"findings": own,
		"classification": classification.document,
		"risk": risk.document,
		"parties": _change_parties,
		"observations": _own_observations,
	} with input as view
}

_carried[index] := part if {
	some index, part in _parts
	part.classification.type != "out_of_scope"
}

# _combined: for each control the worst finding of any change.
_combined[id] := finding if {
	some id in {id | some part in _carried; some id, _ in part.findings}
	statuses := {part.findings[id].status | some part in _carried}
	status := _worst_finding(statuses)
	chosen := {index: part.findings[id] | some index, part in _carried; part.findings[id].status == status}
	indexes := sort([index | some index, _ in chosen])
	first := chosen[indexes[0]]
	remedies := _unique([chosen[index].remediation | some index in indexes])
	finding := object.union(first, object.union(
		{
			"message": concat(" ", [_located(index, chosen[index].message) | some index in indexes]),
			"reasons": sort([reason | some reason in {reason | some found in chosen; some reason in found.reasons}]),
			"evidence": sort([pointer | some pointer in {_rebased(index, pointer) | some index, found in chosen; some pointer in found.evidence}]),
		},
		object.union(_earliest(chosen), _remedies(remedies)),
	))
}

_remedies(remedies) := {"remediation": concat(" ", remedies)} if {
	count(remedies) > 0
} else := {}

# A deployment whose changes are not on record says nothing of any of them.
_combined[id] := finding if {
	input.subject.type == "deployment"
	count(input.deployment.changes) == 0
	some id, row in _rows("change")
	finding := object.union(
		{
			"control": id,
			"severity": row.severity,
			"title": row.title,
			"clause": row.clause,
			"policy_version": data.catalogue.policy.version,
			"status": "unknown",
			"message": "Which changes the deployment carries is not on record.",
			"reasons": ["dep.no_changes"],
			"evidence": ["/deployment"],
			"remediation": "Find the commits between the previous and the new live commit, and evaluate again.",
		},
		object.filter(row, ["aliases"]),
	)
}

_earliest(chosen) := {"due_at": clock.text(min(dues))} if {
	dues := {clock.instant(found.due_at) | some found in chosen; found.due_at}
	count(dues) > 0
} else := {}

_located(_, message) := message if count(_parts) == 1

_located(index, message) := $"Change {index + 1}: {message}" if count(_parts) > 1

_rebased(index, pointer) := $"/deployment/changes/{index}{substring(pointer, 7, -1)}" if startswith(pointer, "/change")

_rebased(_, pointer) := pointer if not startswith(pointer, "/change")

_worst_finding(statuses) := [status |
	some status in ["fail", "unknown", "pending", "waived", "pass", "not_applicable"]
	status in statuses
][0]

_strictest_type := [type |
	some type in ["normal", "emergency", "standard", "out_of_scope"]
	some part in _parts
	part.classification.type == type
][0] if {
	count(_parts) > 0
} else := "n/a"

_all_scopes := {kind | some part in _carried; some kind in part.classification.scopes}

_all_reasons := {_located(index, reason) | some index, part in _parts; some reason in part.classification.reasons}

_highest_risk := [level |
	some level in ["high", "medium", "low"]
	some part in _carried
	part.risk.level == level
][0] if {
	count(_carried) > 0
} else := "n/a"

_all_risk_reasons := {_located(index, reason) | some index, part in _carried; some reason in part.risk.reasons}

# --- The document -----------------------------------------------------------------

_by_control := own if {
	input.subject.type != "deployment"
} else := _combined

findings := [_by_control[id] | some id in sort([id | some id, _ in _by_control])]

outcome := "out_of_scope" if {
	_judgement.classification.type == "out_of_scope"
} else := _worst_outcome

_worst_outcome := [entry[1] |
	some entry in [
		["fail", "non_compliant"],
		["unknown", "unknown"],
		["pending", "pending"],
		["waived", "compliant_with_waiver"],
		["pass", "compliant"],
		["not_applicable", "out_of_scope"],
	]
	entry[0] in {finding.status | some finding in findings}
][0] if {
	count(findings) > 0
} else := "unknown"

# Controls of the catalogue that have no rule in this bundle: nothing is said of them.
_unevaluated := {"unevaluated": sort([entry | some entry in missing])} if {
	missing := {{"control": id, "reason": "this bundle has no rule for the control"} |
		outcome != "out_of_scope"
		some id, row in _rows(_judged_type)
		not data.controls[row.rule].problems
	}
	count(missing) > 0
} else := {}

_judged_type := "change" if {
	input.subject.type == "deployment"
} else := input.subject.type

# The earliest moment at which a pending finding changes by itself: just after
# its deadline, because deadlines are inclusive.
_next := {"next_evaluation_at": clock.text(min(moments) + clock.second)} if {
	moments := {clock.instant(finding.due_at) |
		some finding in findings
		finding.status == "pending"
		finding.due_at
	}
	count(moments) > 0
} else := {}

# --- Observations: worth knowing, never part of the outcome ------------------------

_own_observations contains object.union(note, {"evidence": sort([pointer | some pointer in note.evidence]), "control": id}) if {
	_in_scope
	some id, row in _rows(input.subject.type)
	some note in data.controls[row.rule].observations
}

_own_observations contains {
	"control": "CM-4.A.3",
	"reason": "issue.not_linked",
	"message": "No issue is linked; for emergencies, access, secrets, security fixes and high risk one is expected.",
	"evidence": ["/change/kind"],
} if {
	input.subject.type == "change"
	_in_scope
	_issue_expected
	not input.change.issue
	not input.change.emergency_trigger
}

_issue_expected if classification.type == "emergency"

_issue_expected if risk.level == "high"

_issue_expected if change.gitless

_own_observations contains {
	"reason": "ai.assisted",
	"message": "A commit names an AI tool as co-author: the change is AI-assisted.",
	"evidence": ["/change/pull_request/commits"],
} if {
	some commit in change.pull_request.commits
	some account in commit.co_authors
	people.is_tool(account)
}

# Equal notes are one, with the evidence of all.
_observations := {"observations": sort([note | some note in distinct])} if {
	notes := _own_observations | {object.union(note, {"evidence": [_rebased(index, pointer) | some pointer in note.evidence]}) |
		some index, part in _carried
		some note in part.observations
	}
	distinct := {object.union(what, {"evidence": sort(pointers)}) |
		some what in {object.remove(note, ["evidence"]) | some note in notes}
		pointers := {pointer | some note in notes; object.remove(note, ["evidence"]) == what; some pointer in note.evidence}
	}
	count(distinct) > 0
} else := {}

# --- Parties ------------------------------------------------------------------------

default _change_parties := {}

_change_parties := parties if {
	input.change
	parties := {role: names |
		some role, ids in {
			"authors": ({id | some id, _ in authorship.authors} | authorship.unresolved_authors),
			"approvers": review.approvers,
			"deployers": (deployer.persons | deployer.unresolved),
		}
		count(ids) > 0
		names := sort([id | some id in ids])
	}
}

_parties := {"parties": _change_parties} if {
	input.subject.type == "change"
	count(_change_parties) > 0
} else := {"parties": combined} if {
	combined := {role: sort([name | some name in names]) |
		some role in ["authors", "approvers", "deployers"]
		names := {name | some part in _parts; some name in part.parties[role]}
		count(names) > 0
	}
	count(combined) > 0
} else := {}
