# METADATA
# title: Documentation
# description: What the record of a change says, and whether that is more than its template (controls CM-4.A.4 to 4.A.6).
# scope: package
package lib.documentation

import data.classification
import data.lib.change
import data.lib.clock
import data.lib.emergency
import data.lib.evidence
import data.lib.procedure

# The records that may carry the documentation: the pull request as of the merge;
# where Git cannot hold the change, and in an emergency, the issue.
records contains {"pointer": "/change/pull_request/body_at_merge", "body": _sections(change.pull_request.body_at_merge), "raw": _is_raw(change.pull_request.body_at_merge)} if {
	change.pull_request.body_at_merge
}

records contains {"pointer": "/change/issue/body", "body": _sections(input.change.issue.body), "raw": _is_raw(input.change.issue.body)} if {
	_issue_counts
	input.change.issue.body
	_issue_in_time
}

# _sections reads from the raw text what no collector has taken apart.
_sections(body) := body if {
	_is_raw(body) == false
} else := object.union(body, {
	"risk": {axis: text | some axis in axes; text := _stated(axis, body.raw)},
	"rollback": concat("\n", _below("rollback", body.raw)),
})

default _is_raw(_) := false

_is_raw(body) if {
	body.raw
	count({"description", "risk", "rollback"} & object.keys(body)) == 0
}

# The text behind "- **Security**:", whatever the bullet and the dash.
_stated(label, raw) := regex.find_all_string_submatch_n($`(?i)\b{label}\b[*_]*[ \t]*[:–-][*_ \t]*([^;/|\n]*\S)`, _visible(raw), 1)[0][1]

# What stands below the headings with this word, each up to the next heading.
_below(word, raw) := [concat("\n", array.slice(lines, 1, count(lines))) |
	some section in regex.split(`(?m)^[ \t]*#{1,6}[ \t]+`, _visible(raw))
	lines := split(section, "\n")
	contains(lower(lines[0]), word)
]

_issue_counts if not change.from_git

_issue_counts if classification.type == "emergency"

_issue_in_time if {
	classification.type == "emergency"
	clock.instant(input.change.issue.created_at) <= emergency.documentation_due
}

_issue_in_time if {
	classification.type != "emergency"
	not change.effect_unread
	clock.instant(input.change.issue.created_at) <= decisive + clock.skew
}

# time_unread: a record is there, but whether it was in time cannot be told.
time_unread if {
	_issue_counts
	input.change.issue.body
	not input.change.issue.created_at
}

time_unread if {
	not change.from_git
	input.change.issue.body
	change.effect_unread
}

# Documentation of a normal change is judged at the merge or application.
decisive := change.merged_at if {
	change.from_git
	change.merged_at
} else := change.effective_at if {
	change.effective_at
} else := clock.now

_visible(text) := regex.replace(replace(text, "\r", ""), `(?s)<!--.*?(-->|$)`, "")

# content: what is left of a text without template headings, comments and placeholders.
content(text) := left if {
	left := _stripped(text)
	left != ""
	not lower(trim(left, " .!_*`-\t\r\n")) in data.settings.placeholders
	trim(left, " .!_*`-#[]()x\t\r\n") != ""
}

_stripped(text) := trim_space(no_labels) if {
	no_headings := regex.replace(_visible(text), `(?m)^[ \t]*#{1,6}([ \t].*)?$`, "")

	# A box that nobody ticked says nothing.
	no_boxes := regex.replace(no_headings, `(?m)^[ \t>]*[*+-] \[ \].*$`, "")

	# "- Availability:" with nothing behind it is a heading, too.
	no_labels := regex.replace(no_boxes, `(?m)^[ \t>*+-]*[A-Za-z][A-Za-z ()/&]{0,40}[*_]*:[*_]*[ \t]*$`, "")
}

# reasoned: content that is more than "none", for what a level cannot answer.
reasoned(text) if {
	content(text)
	not lower(trim(content(text), " .!_*`-\t\r\n")) in {"none", "no"}
}

untouched if {
	count(records) > 0
	every record in records {
		record.body.raw
		not content(record.body.raw)
	}
}

# described: pointers of the records that hold a description.
described contains $"{record.pointer}/description" if {
	some record in records
	reasoned(record.body.description)
}

described contains $"{record.pointer}/raw" if {
	some record in records
	not record.body.description
	reasoned(record.body.raw)
}

axes := {"availability", "security", "data"}

# assessed: axis -> pointers of the records that assess it.
assessed[axis] contains _place(record, $"risk/{axis}") if {
	some record in records
	some axis in axes
	content(record.body.risk[axis])
}

_place(record, section) := $"{record.pointer}/{section}" if {
	record.raw == false
} else := $"{record.pointer}/raw"

unassessed := axes - {axis | some axis, _ in assessed}

reversible contains _place(record, "rollback") if {
	some record in records
	reasoned(record.body.rollback)
}

# The rollback text names what to do: more than a few words.
rollback_names_procedure if {
	some record in records
	text := content(record.body.rollback)
	count(regex.find_n(`\S+`, text, -1)) >= 3
}

# procedural: a registered procedure supplies risk and rollback.
procedural if classification.type == "standard"

# Where the documentation is missing: what that means at this moment.
status := "pending" if {
	change.is_open
} else := "pending" if {
	classification.type == "emergency"
	not clock.passed(emergency.documentation_due)
} else := "pending" if {
	change.from_git
	not change.has_pull_request
	change.in_flight
} else := "unknown" if {
	classification.may_be_standard
} else := "unknown" if {
	not readable
} else := "unknown" if {
	time_unread
} else := "fail"

readable if {
	change.from_git
	classification.type != "emergency"
	evidence.complete(evidence.code, "description")
}

readable if {
	change.from_git
	classification.type == "emergency"
	evidence.complete(evidence.code, "description")
	evidence.complete("issues", "records")
}

readable if {
	not change.from_git
	evidence.complete("issues", "records")
}

due := {"due_at": emergency.documentation_due} if {
	classification.type == "emergency"
	status == "pending"
} else := {"due_at": change.settled_at} if {
	status == "pending"
	not change.is_open
} else := {}

# When the text was last edited, where that was after the merge.
edited_later := change.pull_request.body_edited_at if {
	clock.instant(change.pull_request.body_edited_at) > change.merged_at
}

# What only the procedure of a standard change could supply, if it is one.
_open_question := $" {change.leading_name} would not need it under procedure {procedure.id}, and whether that covers it cannot be told." if {
	status == "unknown"
	classification.may_be_standard
} else := ""

# problem is the finding for a missing part of the documentation.
problem(reason, text, remedy) := object.union(
	{
		"status": status,
		"reason": _reason(reason),
		"message": concat("", [text, _open_question, _edited]),
		"evidence": _evidence,
		"remediation": remedy,
	},
	due,
)

_reason(reason) := "doc.added_after_merge" if {
	status == "fail"
	edited_later
} else := "doc.template_untouched" if {
	untouched
} else := reason

default _edited := ""

_edited := $" The text was edited at {edited_later}, after the merge; that does not count." if {
	status == "fail"
	edited_later
}

_evidence := {record.pointer | some record in records} if {
	count(records) > 0
} else := change.pointers
