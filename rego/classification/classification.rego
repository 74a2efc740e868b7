# METADATA
# title: Classification
# description: The type of a change is inferred; a declaration can only make its treatment stricter (controls 2.3).
# scope: package
package classification

import data.lib.change
import data.lib.clock
import data.lib.emergency
import data.lib.evidence
import data.lib.procedure
import data.lib.scope
import data.risk

document := object.union(
	{
		"type": type,
		"scopes": sort([kind | some kind in _scopes]),
		"reasons": sort([reason | some reason in reasons]),
	},
	object.union(_declared, _provisional),
)

_scopes := scope.kinds if {
	type != "out_of_scope"
} else := set()

default _declared := {}

_declared := {"declared": declared} if declared

default _provisional := {}

_provisional := {"provisional": true} if {
	type == "emergency"
	emergency.status != "pass"
}

declared := change.declared_type

type := "out_of_scope" if {
	count(out_of_scope) > 0
} else := "emergency" if {
	emergency.accepted
} else := "standard" if {
	standard
} else := "normal"

# standard: every condition of a registered procedure in force holds and the risk
# is low. What was declared normal stays normal.
standard if {
	not _declared_otherwise
	procedure.fits
	not procedure.lapse(procedure.decisive)
	risk.level == "low"
}

# may_be_standard: nothing speaks against the procedure that a change claims, or a
# rollback follows, but not every fact that it asks for was read.
may_be_standard if {
	type == "normal"
	_claims_procedure
	count(procedure.obstacles) == 0
	count(procedure.doubts) > 0
	not procedure.lapse(procedure.decisive)
	risk.level != "high"
}

_claims_procedure if declared == "standard"

_claims_procedure if {
	change.is_rollback
	not _declared_otherwise
}

_declared_otherwise if declared in {"normal", "emergency"}

_claims_more if declared in {"standard", "emergency"}

reasons := out_of_scope if {
	type == "out_of_scope"
} else := _reasons

_reasons contains $"declared an emergency; trigger: {emergency.status}" if emergency.declared

_reasons contains $"meets procedure {procedure.id}" if type == "standard"

_reasons contains $"declared standard, but {obstacle.text}" if {
	declared == "standard"
	type != "standard"
	some obstacle in procedure.obstacles
}

_reasons contains $"declared standard, but {doubt.text}" if {
	declared == "standard"
	type != "standard"
	some doubt in procedure.doubts
}

_reasons contains $"declared standard, but {lapse}" if {
	declared == "standard"
	type != "standard"
	lapse := procedure.lapse(procedure.decisive)
}

_reasons contains $"declared standard, but the risk is {risk.level}" if {
	declared == "standard"
	risk.level != "low"
}

_reasons contains "neither standard nor an emergency" if {
	type == "normal"
	not _claims_more
}

# may_be_out_of_scope: only files that are not deployed changed, and whether
# something was deployed all the same was not read.
may_be_out_of_scope if {
	type != "out_of_scope"
	change.from_git
	change.merged_at
	scope.only_undeployed
	not _has_risk_line
	count(change.production) == 0
	not _deploys_known
}

# out_of_scope: the reasons why the change had no effect on production. What
# Render did is known only where it was read completely.
out_of_scope contains "only preview or staging environments were deployed" if {
	_deploys_known
	not change.gitless
	not change.is_open
	not change.merge_unread
	not _in_effect_by_merge
	count(change.preproduction) > 0
	count(change.production) == 0
	_left_undeployed
}

out_of_scope contains "no deployment to production went live" if {
	_deploys_known
	not change.is_open
	not change.gitless
	not _in_effect_by_merge
	count(change.production) > 0
	count(change.dead) == count(change.production)
}

out_of_scope contains "only files that are not deployed changed, and nothing was deployed" if {
	_deploys_known
	change.from_git
	scope.only_undeployed
	not _has_risk_line
	count(change.production) == 0
}

out_of_scope contains "the pull request was closed without a merge and never deployed" if {
	_deploys_known
	change.pull_request.closed_at
	not change.pull_request.merged_at
	count(change.live) == 0
}

out_of_scope contains "the platform deployed the same commit again by itself" if {
	input.change.kind in {"manual_deploy", "image_deploy"}
	count(change.production) > 0
	every deployment in change.production {
		deployment.trigger in change.platform_triggers
		_same_commit(deployment)
	}
}

out_of_scope contains $"environment {input.change.environment} does not serve production" if {
	change.gitless
	input.change.environment
	change.is_preproduction_name(input.change.environment)
}

out_of_scope contains "the platform scaled by itself" if {
	change.gitless
	regex.match(`^autoscaling_(started|ended)$`, lower(input.change.event.type))
}

out_of_scope contains "a shell session alone is no change" if {
	change.gitless
	contains(lower(input.change.event.type), "startshell")
	count(object.get(input.change.event, "effects", [])) == 0
	not input.change.event.detail
}

_same_commit(deployment) if {
	deployment.trigger == "deployed_by_render"
	not deployment.previous_live_commit
}

_same_commit(deployment) if deployment.previous_live_commit == deployment.commit

_has_risk_line if count(scope.lines) > 0

# What rules the repository is in force from the merge on, deployed or not.
_in_effect_by_merge if {
	change.merged_at
	"H6" in scope.lines
}

_deploys_known if evidence.complete("render", "deploys")

# A merged change may still be on its way: not before the settling window is over
# is it known to have stopped short of production.
_left_undeployed if not change.merged_at

_left_undeployed if clock.now > change.merged_at + clock.settling
