package tests.lib_evidence

import data.lib.evidence

_read(entry) := {"sources": {"github": entry}}

test_complete[note] if {
	some note, case in {
		"complete": [{"status": "complete"}, "reviews", true],
		"complete but for this": [{"status": "complete", "missing": ["reviews"]}, "reviews", false],
		"complete but for something else": [{"status": "complete", "missing": ["checks"]}, "reviews", true],
		"incomplete in this": [{"status": "incomplete", "missing": ["reviews"]}, "reviews", false],
		"incomplete in this, in another spelling": [{"status": "incomplete", "missing": ["Pull-Request-Reviews"]}, "reviews", false],
		"incomplete in something else": [{"status": "incomplete", "missing": ["checks"]}, "reviews", true],
		"incomplete in something unnamed": [{"status": "incomplete", "missing": ["weather"]}, "reviews", false],
		"incomplete, nobody says in what": [{"status": "incomplete"}, "reviews", false],
		"incomplete in nothing": [{"status": "incomplete", "missing": []}, "reviews", false],
		"unavailable": [{"status": "unavailable"}, "reviews", false],
		"without a status": [{"missing": ["checks"]}, "reviews", false],
		"pull requests missing": [{"status": "incomplete", "missing": ["pull_request"]}, "pull_requests", false],
	}
	_is_complete(_read(case[0]), case[1]) == case[2]
}

_is_complete(dossier, kind) if {
	evidence.complete("github", kind) with input as dossier
} else := false

test_absent_source_is_not_complete if not _is_complete({"sources": {}}, "reviews")

test_gap[note] if {
	some note, case in {
		"not read": [{"sources": {}}, "github is not a source that was read"],
		"why": [_read({"status": "unavailable", "reason": "503"}), "github is unavailable: 503"],
		"what": [_read({"status": "incomplete", "missing": ["reviews", "checks"]}), "github is incomplete (missing: reviews, checks)"],
		"what and why": [_read({"status": "incomplete", "missing": ["reviews"], "reason": "403"}), "github is incomplete (missing: reviews): 403"],
		"no more than that": [_read({"status": "complete"}), "github is complete"],
		"not even that": [_read({}), "github is of unknown state"],
	}
	gap := evidence.gap("github") with input as case[0]
	gap == case[1]
}

test_pointer if {
	read := evidence.pointer("github") with input as _read({"status": "complete"})
	read == {"/sources/github"}
	unread := evidence.pointer("github") with input as {"sources": {}}
	unread == {"/sources"}
}

test_code[note] if {
	some note, case in {
		"a forge": [{"github": {"status": "complete"}, "git": {"status": "complete"}}, "github"],
		"a clone": [{"git": {"status": "complete"}}, "git"],
		"neither": [{}, "github"],
	}
	code := evidence.code with input as {"sources": case[0]}
	code == case[1]
}
