package tests.cm_4_a_4

import data.tests.dossier

_id := "CM-4.A.4"

_body := "/change/pull_request/body_at_merge/description"

test_pass if dossier.status(_id, dossier.normal) == "pass"

test_status[note] if {
	some note, case in {
		"no description": [[{"op": "remove", "path": _body}], "fail"],
		"only a comment": [[{"op": "replace", "path": _body, "value": "<!-- why -->"}], "fail"],
		"only a heading": [[{"op": "replace", "path": _body, "value": "## Description\n"}], "fail"],
		"a placeholder": [[{"op": "replace", "path": _body, "value": " TBD. "}], "fail"],
		"unreadable": [[{"op": "remove", "path": _body}, {"op": "add", "path": "/sources/github", "value": {"status": "incomplete", "missing": ["body_history"]}}], "unknown"],
	}
	dossier.status(_id, dossier.patched(dossier.normal, case[0])) == case[1]
}
