# METADATA
# title: Scope
# description: What a change touches - scope kinds and effects, inferred from paths, patches and events (controls 2.4, 2.5). The tables are settings.
# scope: package
package lib.scope

import data.lib.change
import data.lib.evidence

# matches: some glob of the list matches the path, without case. A leading slash
# anchors at the root; otherwise any folder may come before.
matches(path, globs) if {
	rooted := concat("", ["/", lower(path)])
	some pattern in globs
	glob.match(_anchored(pattern), ["/"], rooted)
}

_anchored(pattern) := pattern if {
	startswith(pattern, "/")
} else := concat("", ["**/", pattern])

# Files that production runs, serves or is built from. Prompts and agent files
# come first: prompts/x.md is no documentation.
deployable[index] := file if {
	some index, file in input.change.files
	some path in _paths(file)
	_is_deployable(path)
}

# _paths: where the file is and, when it was moved, where it was.
_paths(file) := {object.get(file, "path", "a file of unknown path")} | {path | path := file.previous_path}

# files_known: every changed file is on record. The forge cuts long lists.
files_known if {
	evidence.complete(evidence.code, "files")
	not input.change.files_truncated == true
	not _files_absent
	count(object.get(input.change, "files", [])) < _list_limit
}

_list_limit := 3000

# A pull request or push changes files: that none is on record is a gap.
_files_absent if {
	input.change.kind in {"pull_request", "direct_push"}
	count(object.get(input.change, "files", [])) == 0
}

_is_deployable(path) if not matches(path, data.settings.paths.not_deployed)

_is_deployable(path) if {
	_is_agent_behaviour(path)
}

# What rules the repository does so from any folder: docs/CODEOWNERS is one.
_is_deployable(path) if {
	some row in data.settings.effects
	row.effect == "control_plane"
	matches(path, row.paths)
}

_is_agent_behaviour(path) if {
	matches(path, data.settings.scopes.ai_orchestration)
	not matches(path, data.settings.developer_agent_files)
	not matches(path, _test_files)
}

_test_files := ["tests/**", "**/__tests__/**", "*_test.go", "*_test.py", "test_*.py", "*.test.ts", "*.test.js", "*.spec.ts", "*.spec.js"]

# event_unknown: a change outside Git of which nobody knows what it changed.
event_unknown if {
	input.change.kind == "platform_config"
	count(effects) == 0
	count(object.get(input.change, ["event", "scopes"], [])) == 0
	not input.change.event.type
	not input.change.event.detail
}

# Only files that never reach production changed, and that is known.
only_undeployed if {
	files_known
	count(input.change.files) > 0
	count(deployable) == 0
}

only_static if {
	files_known
	count(deployable) > 0
	every file in deployable {
		every path in _paths(file) {
			matches(path, data.settings.paths.static)
			not _is_agent_behaviour(path)
		}
	}
}

# Scope kinds of a file: every one that matches.
_file_scopes[index] := found if {
	some index, file in deployable
	found := {kind |
		some path in _paths(file)
		some kind, globs in data.settings.scopes
		_has_scope(kind, path, globs)
	}
}

_has_scope(kind, path, globs) if {
	kind != "ai_orchestration"
	matches(path, globs)
}

_has_scope("ai_orchestration", path, _) if _is_agent_behaviour(path)

kinds contains kind if {
	some found in _file_scopes
	some kind in found
}

kinds contains "application" if {
	some found in _file_scopes
	count(found) == 0
}

kinds contains "application" if {
	not change.gitless
	count(object.get(input.change, "files", [])) == 0
	count(object.get(input.change, ["event", "scopes"], [])) == 0
}

kinds contains kind if {
	some word in input.change.event.scopes
	some kind, pattern in _scope_words
	regex.match(pattern, lower(word))
}

# A tool, model or guardrail of an agent is AI behaviour, wherever it is kept.
kinds contains "ai_orchestration" if "H5" in lines

kinds contains "ai_orchestration" if has_effect(`^ai_`)

kinds contains kind if {
	some row in _event_rows
	some kind in row.scopes
}

kinds contains "security_config" if input.change.kind == "iam_grant"

kinds contains "third_party_integration" if input.change.kind == "app_install"

kinds contains "infrastructure" if input.change.kind == "database_change"

# New packages from a new vendor reach third parties.
kinds contains "third_party_integration" if {
	some update in input.change.dependency_updates
	update.new == true
}

# The words by which a source may call a scope kind.
_scope_words := {
	"security_config": `(security|^iam$|^tls$|^network$|^access)`,
	"ai_orchestration": `^(ai|llm|agent|prompt)`,
	"infrastructure": `^(infra|cloud)`,
	"third_party_integration": `(third|integration|vendor)`,
	"application": `^app`,
}

# effects: what the change does, each with the pointer that shows it.
effects contains {"effect": effect, "evidence": $"/change/files/{index}"} if {
	some index, file in input.change.files
	some effect in file.effects
}

effects contains {"effect": row.effect, "evidence": $"/change/files/{index}"} if {
	some index, file in deployable
	some row in data.settings.effects
	_row_matches(row, file)
}

# A file moved out of a watched folder touched that folder.
effects contains {"effect": row.effect, "evidence": $"/change/files/{index}"} if {
	some index, file in deployable
	file.previous_path
	some row in data.settings.effects
	_row_matches(row, object.union(file, {"path": file.previous_path, "status": "removed"}))
}

effects contains {"effect": effect, "evidence": "/change/event"} if {
	some effect in input.change.event.effects
}

effects contains {"effect": effect, "evidence": "/change/event"} if {
	some row in _event_rows
	some effect in row.effects
}

effects contains {"effect": "iam", "evidence": "/change/kind"} if input.change.kind == "iam_grant"

effects contains {"effect": "third_party_access", "evidence": "/change/kind"} if input.change.kind == "app_install"

effects contains {"effect": "direct_sql", "evidence": "/change/kind"} if input.change.kind == "database_change"

effects contains {"effect": "direct_sql", "evidence": "/change/channel"} if input.change.channel == "direct_sql"

_row_matches(row, file) if {
	matches(file.path, row.paths)
	_status_holds(row, file)
	_lines_hold(row, file)
}

_status_holds(row, _) if not row.statuses

_status_holds(row, file) if file.status in row.statuses

_lines_hold(row, _) if {
	not row.added
	not row.removed
	not row.changed
}

_lines_hold(row, file) if {
	some line in _lines(file, "+")
	regex.match(row.added, line)
}

_lines_hold(row, file) if {
	some line in _lines(file, "-")
	regex.match(row.removed, line)
}

_lines_hold(row, file) if {
	some sign in ["+", "-"]
	some line in _lines(file, sign)
	regex.match(row.changed, line)
}

# _lines are the lines a patch adds or removes, without sign, headers and comments.
_lines(file, sign) := [substring(line, 1, -1) |
	some line in patch_lines(file)
	startswith(line, sign)
	not startswith(line, concat("", [sign, sign, sign]))
	not regex.match(`^.\s*(--|#|//)`, line)
]

# patch_lines: the lines of a file's patch. The value that a blueprint keeps on a
# line of its own, below its key, is put behind the key.
patch_lines(file) := [_with_key(lines, index) |
	lines := split(file.patch, "\n")
	some index, _ in lines
]

_with_key(lines, index) := $"{substring(lines[index], 0, 1)}{key}{substring(value[0], 5, -1)}" if {
	value := regex.find_n(`\bvalue\s*:.*$`, lines[index], 1)
	regex.match(`^[+-]\s*(-\s+)?value\s*:`, lines[index])
	keys := [found[0][1] |
		some other in numbers.range(max({0, index - 6}), index - 1)
		found := regex.find_all_string_submatch_n(`^[ +-]?\s*(?:-\s+)?key\s*:\s*["']?([A-Za-z_][\w.-]*)`, lines[other], 1)
	]
	key := keys[count(keys) - 1]
} else := lines[index]

_event_rows contains row if {
	some row in data.settings.events
	glob.match(row.name, null, lower(input.change.event.type))
	_keys_hold(row)
}

_keys_hold(row) if not row.keys

_keys_hold(row) if {
	some key in event_keys
	regex.match(row.keys, upper(key))
}

# The keys an event touched: as listed or, for environment variables, as its
# description names them.
event_keys contains key if some key in input.change.event.keys

event_keys contains key if {
	contains(lower(input.change.event.type), "envvar")
	some key in regex.find_n(`\b[A-Z][A-Z0-9]*(_[A-Z0-9]+)+\b`, input.change.event.detail, -1)
}

effect_words := {entry.effect | some entry in effects}

# has_effect: some effect matches the pattern.
has_effect(pattern) if {
	some word in effect_words
	regex.match(pattern, word)
}

# Lines of the risk table that hold, each with effect and evidence.
risk_lines contains {"line": line, "effect": entry.effect, "evidence": entry.evidence} if {
	some line, pattern in data.settings.risk.high
	some entry in effects
	regex.match(pattern, entry.effect)
}

lines := {found.line | some found in risk_lines}

# Security-impacting changes need more than one ordinary approval (controls A5,
# CM-4.B.2): security configuration, sensitive code, agent tools and guardrails,
# the control plane, third parties with write access.
security_impacting if "security_config" in kinds

security_impacting if count(lines & {"H1", "H2", "H6"}) > 0

# Of third parties those with write access: what only receives data changes nothing.
security_impacting if {
	some found in risk_lines
	found.line == "H7"
	not regex.match(`(^|_)data(_|$)`, found.effect)
}

security_impacting if {
	some found in risk_lines
	found.line == "H5"
	regex.match(`(tool|guardrail|autonom|side_effect)`, found.effect)
}

# Kinds of TLS, IAM and network effect the change has.
validated contains kind if {
	some kind, pattern in data.settings.validated_effects
	has_effect(pattern)
}

is_ai if "ai_orchestration" in kinds

# takes_effect_at_merge: nothing of the change is deployed; it rules the repository
# from the merge on.
takes_effect_at_merge if {
	change.merged_at
	count(change.production) == 0
	only_control_plane
}

# effective_at: when the change took effect, in production or with the merge.
effective_at := change.effective_at if {
	change.effective_at
} else := change.merged_at if {
	takes_effect_at_merge
}

# Only the control plane of the repository changed: nothing that a deployment
# carries.
only_control_plane if {
	files_known
	count(deployable) > 0
	every file in deployable {
		some row in data.settings.effects
		row.effect == "control_plane"
		every path in _paths(file) {
			matches(path, row.paths)
		}
	}
}
