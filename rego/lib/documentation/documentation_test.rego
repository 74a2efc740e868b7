package tests.lib_documentation

import data.lib.documentation
import data.tests.dossier

_content(text) := left if {
	left := documentation.content(text)
} else := "nothing"

test_content[note] if {
	some note, case in {
		"a sentence": ["Caps pagination.", "Caps pagination."],
		"a heading": ["## Why", "nothing"],
		"a heading of its own line ending": ["##\r\n", "nothing"],
		"a heading without text": ["##", "nothing"],
		"a hash tag": ["#42 again", "#42 again"],
		"a comment within": ["a <!-- b --> c", "a  c"],
		"a comment over lines": ["<!-- a\nb -->", "nothing"],
		"a label": ["- Availability:", "nothing"],
		"a bold label": ["**Security:**", "nothing"],
		"a label and a word": ["Security: low", "Security: low"],
		"an empty box": ["- [ ] tested", "nothing"],
		"a ticked box": ["- [x] tested", "- [x] tested"],
		"rules of lines": ["---\n***", "nothing"],
		"TODO": ["TODO", "nothing"],
		"a placeholder in stars": ["**N/A**", "nothing"],
		"none is an answer": ["none", "none"],
		"blanks": [" \t\n", "nothing"],
	}
	_content(case[0]) == case[1]
}

test_reasoned[note] if {
	some note, case in {
		"none": ["None.", false],
		"no": ["no", false],
		"why none": ["None: nothing is stored", true],
	}
	_is_reasoned(case[0]) == case[1]
}

_is_reasoned(text) if {
	documentation.reasoned(text)
} else := false

test_records if {
	both := documentation.records with input as dossier.put(dossier.emergency, "/change/issue", dossier.grant.change.issue)
	{record.pointer | some record in both} == {"/change/pull_request/body_at_merge", "/change/issue/body"}
	one := documentation.records with input as dossier.put(dossier.normal, "/change/issue", dossier.grant.change.issue)
	{record.pointer | some record in one} == {"/change/pull_request/body_at_merge"}
}
