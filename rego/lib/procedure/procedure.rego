# METADATA
# title: Procedure
# description: Registered standard-change procedures - what each allows and whether it was in force (controls 2.3 step 3).
# scope: package
package lib.procedure

import data.lib.change
import data.lib.clock
import data.lib.evidence
import data.lib.scope

# id is the procedure that the change claims or that fits its kind.
id := input.change.procedure.id if {
	input.change.procedure.id
} else := "STD-ROLLBACK" if {
	change.is_rollback
} else := "STD-DEP" if {
	count(input.change.dependency_updates) > 0
} else := "STD-CONFIG"

# obstacles: the conditions of the procedure that the change does not meet.
obstacles contains obstacle if {
	id == "STD-DEP"
	some obstacle in _dependency_obstacles
}

obstacles contains obstacle if {
	id == "STD-CONFIG"
	some obstacle in _config_obstacles
}

obstacles contains obstacle if {
	id == "STD-ROLLBACK"
	some obstacle in _rollback_obstacles
}

obstacles contains {"reason": "std.paths", "text": $"procedure {id} is not one this policy knows", "evidence": ["/change/procedure"]} if {
	not id in {"STD-DEP", "STD-CONFIG", "STD-ROLLBACK"}
}

# doubts: conditions that cannot be told from what was read.
doubts contains doubt if {
	id == "STD-DEP"
	some doubt in _dependency_doubts
}

doubts contains doubt if {
	id == "STD-CONFIG"
	some doubt in _config_doubts
}

doubts contains {"reason": "std.paths", "text": "the list of changed files is not complete", "evidence": evidence.pointer(evidence.code)} if {
	id != "STD-ROLLBACK"
	change.from_git
	not scope.files_known
}

doubts contains {"reason": "std.paths", "text": "no changed file is on record", "evidence": ["/change"]} if {
	change.from_git
	count(object.get(input.change, "files", [])) == 0
}

doubts contains {"reason": "std.bounds", "text": "no changed setting is on record", "evidence": ["/change"]} if {
	id == "STD-CONFIG"
	count(_config_changes) == 0
	count(_config_obstacles) == 0
	count(_config_doubts) == 0
}

# fits: the content meets every condition of the procedure, whether or not the
# pre-approval is in force.
fits if {
	count(obstacles) == 0
	count(doubts) == 0
	_has_content
}

_has_content if change.is_rollback

_has_content if count(input.change.dependency_updates) > 0

_has_content if count(_config_changes) > 0

# STD-DEP: manifests and lockfiles only; patch or minor of a package at 1.0 or
# later; nothing new, nothing sensitive.
_dependency_obstacles contains {"reason": "std.paths", "text": $"{file.path} is no manifest or lockfile", "evidence": [$"/change/files/{index}"]} if {
	some index, file in input.change.files
	not scope.matches(file.path, data.settings.paths.manifests)
}

_dependency_obstacles contains {"reason": "std.major", "text": $"{update.name} goes from {object.get(update, "from", "an unknown version")} to {object.get(update, "to", "an unknown version")}: {_jump(update)}", "evidence": [$"/change/dependency_updates/{index}"]} if {
	some index, update in input.change.dependency_updates
	_jump(update)
}

_dependency_obstacles contains {"reason": "std.new_dependency", "text": $"{update.name} is new, comes from another source or runs a new install script", "evidence": [$"/change/dependency_updates/{index}"]} if {
	some index, update in input.change.dependency_updates
	_is_new(update)
}

_dependency_obstacles contains {"reason": "std.sensitive_key", "text": $"{update.name} is on the list of sensitive packages", "evidence": [$"/change/dependency_updates/{index}"]} if {
	some index, update in input.change.dependency_updates
	some pattern in data.settings.procedures["STD-DEP"].sensitive_packages
	glob.match(pattern, null, lower(update.name))
}

_dependency_doubts contains {"reason": "std.new_dependency", "text": "which packages were updated is not on record", "evidence": ["/change"]} if {
	count(object.get(input.change, "dependency_updates", [])) == 0
}

_dependency_doubts contains {"reason": "std.major", "text": $"the kind of update of {update.name} cannot be told", "evidence": [$"/change/dependency_updates/{index}"]} if {
	some index, update in input.change.dependency_updates
	not _is_new(update)
	not _jump(update)
	not _small(update)
}

_is_new(update) if update.new == true

_is_new(update) if update.source_changed == true

_is_new(update) if update.install_script == true

_is_new(update) if update.update in {"new", "added"}

# A lockfile that takes a package from another host than before, and a manifest
# that gains a script to run at installation.
_dependency_obstacles contains {"reason": "std.new_dependency", "text": $"{file.path} takes packages from {concat(", ", sort(hosts))}", "evidence": [$"/change/files/{index}"]} if {
	some index, file in input.change.files
	hosts := _hosts(file, "+") - _hosts(file, "-")
	count(hosts) > 0
}

_dependency_obstacles contains {"reason": "std.new_dependency", "text": $"{file.path} gains an installation script", "evidence": [$"/change/files/{index}"]} if {
	some index, file in input.change.files
	some line in split(file.patch, "\n")
	regex.match(`^\+\s*"((pre|post)?install|prepare|hasInstallScript)"\s*:`, line)
}

_hosts(file, sign) := {found[1] |
	some line in split(object.get(file, "patch", ""), "\n")
	startswith(line, sign)
	some found in regex.find_all_string_submatch_n(`(?i)resolved"?:?\s+"?[a-z+]+://([^/"\s]+)`, line, -1)
}

_version(text) := parts if {
	found := regex.find_all_string_submatch_n(`^[^0-9]*([0-9]+)\.([0-9]+)`, text, 1)
	parts := [to_number(found[0][1]), to_number(found[0][2])]
} else := [to_number(found[0][1]), 0] if {
	found := regex.find_all_string_submatch_n(`^[^0-9]*([0-9]+)$`, text, 1)
}

# _jump says why an update is more than a patch or minor of a stable package.
_jump(update) := "a major version" if {
	update.update == "major"
} else := "a major version" if {
	_version(update.from)[0] != _version(update.to)[0]
} else := "a version before 1.0, which promises nothing" if {
	_version(update.from)[0] == 0
} else := "a version before 1.0, which promises nothing" if {
	not update.from
	_version(update.to)[0] == 0
} else := "not a patch or minor version" if {
	update.update
	not update.update in {"patch", "minor"}
	not _is_new(update)
}

_small(update) if {
	update.update in {"patch", "minor"}
	_version(update.from)
	_version(update.to)
}

_small(update) if {
	not update.update
	_version(update.from)[0] == _version(update.to)[0]
}

# STD-CONFIG: allow-listed keys within their bounds.
_config_changes contains {"index": index, "key": pair.key, "value": pair.value, "sign": pair.sign} if {
	some index, file in input.change.files
	some pair in _pairs(file)
}

_config_changes contains {"index": -1, "key": key, "value": object.get(input.change.event, "after", ""), "sign": "+"} if {
	some key in scope.event_keys
}

# What an event set is told by its description, where that is nothing but
# "numInstances 2 -> 4".
_config_changes contains {"index": -1, "key": lower(replace(found[1], " ", "_")), "value": found[3], "sign": "+"} if {
	not change.from_git
	some found in regex.find_all_string_submatch_n(`^\s*([A-Za-z_][\w.-]*(?: [A-Za-z]\w*)?)\s*[:=]?\s+(?:from )?([\w.]+)\s*(?:->|→|to)\s*([\w.]+)\s*$`, object.get(input.change, ["event", "detail"], ""), -1)
}

_pairs(file) := {pair |
	some line in scope.patch_lines(file)
	_is_change(line)
	found := regex.find_all_string_submatch_n(`^([+-])[\s-]*["']?([A-Za-z_][\w.-]*)["']?\s*[:=]\s*["']?([^"'#,]*?)["']?,?\s*(#.*)?$`, line, 1)
	pair := {"sign": found[0][1], "key": lower(found[0][2]), "value": trim_space(found[0][3])}
}

_is_change(line) if {
	regex.match(`^[+-]`, line)
	not regex.match(`^(\+\+\+|---)( |$)`, line)
	not regex.match(`^[+-]\s*(#|//|$)`, line)
}

_config_obstacles contains {"reason": "std.paths", "text": $"{file.path} is no configuration file", "evidence": [$"/change/files/{index}"]} if {
	some index, file in input.change.files
	not scope.matches(file.path, data.settings.procedures["STD-CONFIG"].paths)
}

_config_obstacles contains {"reason": "std.sensitive_key", "text": $"{entry.key} is a security, AI or vendor setting", "evidence": _config_pointer(entry)} if {
	some entry in _config_changes
	regex.match(data.settings.procedures["STD-CONFIG"].sensitive_keys, entry.key)
}

_config_obstacles contains {"reason": "std.bounds", "text": $"{entry.key} is not on the list of keys the procedure covers", "evidence": _config_pointer(entry)} if {
	some entry in _config_changes
	not data.settings.procedures["STD-CONFIG"].keys[lower(entry.key)]
	not regex.match(data.settings.procedures["STD-CONFIG"].sensitive_keys, entry.key)
}

_config_obstacles contains {"reason": "std.bounds", "text": $"{entry.key} = {entry.value} is outside the bounds of the procedure", "evidence": _config_pointer(entry)} if {
	some entry in _config_changes
	entry.sign == "+"
	bounds := data.settings.procedures["STD-CONFIG"].keys[lower(entry.key)]
	not _within(entry.value, bounds)
}

_config_obstacles contains {"reason": "std.bounds", "text": "a changed line sets no single key", "evidence": [$"/change/files/{index}"]} if {
	some index, file in input.change.files
	scope.matches(file.path, data.settings.procedures["STD-CONFIG"].paths)
	changed := [line | some line in split(file.patch, "\n"); _is_change(line)]
	keyed := [line |
		some line in changed
		regex.match(`^([+-])[\s-]*["']?([A-Za-z_][\w.-]*)["']?\s*[:=]\s*["']?([^"'#,]*?)["']?,?\s*(#.*)?$`, line)
	]
	count(keyed) < count(changed)
}

_config_doubts contains {"reason": "std.bounds", "text": $"what changed in {file.path} is not on record", "evidence": [$"/change/files/{index}"]} if {
	some index, file in input.change.files
	not file.patch
}

_config_pointer(entry) := [$"/change/files/{entry.index}"] if entry.index >= 0

_config_pointer(entry) := ["/change/event"] if entry.index < 0

_within(value, bounds) if value in bounds.values

_within(value, bounds) if {
	is_string(value)
	lower(value) in bounds.values
}

_within(value, bounds) if {
	number := _number(value)
	number >= bounds.min
	number <= bounds.max
}

_number(value) := value if is_number(value)

_number(value) := to_number(value) if {
	is_string(value)
	regex.match(`^-?[0-9]+(\.[0-9]+)?$`, value)
}

# STD-ROLLBACK: back to a build that was live and whose change had a compliant review.
_rollback_obstacles contains {"reason": "std.paths", "text": "the change is no platform rollback", "evidence": ["/change/kind"]} if {
	not change.is_rollback
}

_rollback_obstacles contains {"reason": "std.paths", "text": "the build had never been live", "evidence": ["/change/rollback"]} if {
	change.is_rollback
	input.change.rollback.previously_live == false
}

_rollback_obstacles contains {"reason": "std.risk", "text": $"the review of the change that the build came from was {input.change.rollback.target_review}", "evidence": ["/change/rollback"]} if {
	change.is_rollback
	rollback_review == "bad"
}

_rollback_obstacles contains {"reason": "std.risk", "text": "an irreversible migration lies in between", "evidence": ["/change/rollback"]} if {
	input.change.rollback.irreversible_migration == true
}

doubts contains {"reason": "std.paths", "text": "whether the build had been live before is not on record", "evidence": ["/change"]} if {
	id == "STD-ROLLBACK"
	change.is_rollback
	not is_boolean(object.get(input.change, ["rollback", "previously_live"], ""))
}

doubts contains {"reason": "std.risk", "text": "how the change behind the build was reviewed is not on record", "evidence": ["/change"]} if {
	id == "STD-ROLLBACK"
	rollback_review == "unknown"
}

# rollback_review is how the review of the target's own change ended.
rollback_review := "good" if {
	lower(input.change.rollback.target_review) in {"compliant", "compliant_with_waiver", "pass", "passed", "approved", "reviewed"}
} else := "bad" if {
	regex.match(`^(non|not|un|no$|none|never|fail|missing|reject|bad)`, lower(input.change.rollback.target_review))
	not startswith(lower(input.change.rollback.target_review), "unknown")
} else := "unknown"

# lapse says why the pre-approval was not in force at that instant. A rollback
# needs no registration: policy 4.e provides for it.
lapse(at) := $"procedure {id} is not registered" if {
	not change.is_rollback
	not input.change.procedure
} else := $"procedure {id} has no pre-approval on record" if {
	input.change.procedure
	not _approval_complete
} else := $"procedure {id} was approved only at {input.change.procedure.approved_at}" if {
	clock.instant(input.change.procedure.approved_at) > at
} else := $"the pre-approval of procedure {id} lapsed at {clock.text(approved_until)}" if {
	at > approved_until
}

_approval_complete if {
	input.change.procedure.approved_by
	input.change.procedure.approved_at
}

# A pre-approval is valid for twelve months at most, whatever end it has.
approved_until := min(_ends)

_ends contains clock.instant(input.change.procedure.approved_until)

_ends contains clock.instant(input.change.procedure.approved_at) + (data.settings.procedure_max_days * clock.day)

# When the procedure has to be in force: when the change was applied.
decisive := change.merged_at if {
	change.from_git
	change.merged_at
} else := change.effective_at if {
	change.effective_at
} else := clock.now
