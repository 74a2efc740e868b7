# METADATA
# title: Risk
# description: The level that counts is the higher of inferred and declared (controls 2.4).
# scope: package
package risk

import data.lib.change
import data.lib.procedure
import data.lib.scope

document := object.union(
	{"level": level, "reasons": sort([reason | some reason in reasons])},
	_declared,
)

default _declared := {}

_declared := {"declared": declared} if declared

_rank := {"low": 0, "medium": 1, "high": 2}

# declared: the highest level that anybody claims, by field or by label.
declared := [level | some level in ["high", "medium", "low"]; level in _claims][0]

_claims contains _level_of[lower(input.change.declared.risk)]

_claims contains _level_of[word] if {
	some label in change.pull_request.labels
	word := regex.find_all_string_submatch_n(`^risk[:/ _-]\s*([a-z]+)$`, lower(label), 1)[0][1]
}

_level_of := {"low": "low", "medium": "medium", "moderate": "medium", "high": "high", "critical": "high"}

inferred := "high" if {
	count(scope.lines) > 0
} else := "low" if {
	procedure.fits
} else := "low" if {
	change.from_git
	scope.only_static
} else := "low" if {
	change.from_git
	scope.only_undeployed
} else := "medium"

level := declared if {
	_rank[declared] > _rank[inferred]
} else := inferred

reasons contains $"{found.line}: {found.effect}" if some found in scope.risk_lines

reasons contains "H8: declared high" if declared == "high"

reasons contains $"declared {declared}" if {
	declared in {"medium", "low"}
}

reasons contains $"meets the conditions of {procedure.id}" if {
	inferred == "low"
	procedure.fits
}

reasons contains "only static files changed" if {
	inferred == "low"
	not procedure.fits
	scope.only_static
}

reasons contains "only files that are not deployed changed" if {
	inferred == "low"
	not procedure.fits
	scope.only_undeployed
}

reasons contains "production code or configuration" if {
	inferred == "medium"
}
