package tests.lib_subject

import data.lib.subject
import data.tests.dossier

test_covered[note] if {
	some note, case in {
		"the subject": [dossier.normal, "acme/app#412", true],
		"a pattern": [dossier.normal, "acme/app#*", true],
		"the number of the pull request": [dossier.put(dossier.normal, "/subject/id", "c-1"), "acme/app#412", true],
		"its beginning": [dossier.normal, "acme/app#41", false],
		"another": [dossier.normal, "acme/app#413", false],
		"a finding": [{"subject": {"id": "s"}, "finding": {"id": "GHSA-1"}}, "GHSA-1", true],
		"an alert": [{"subject": {"id": "s"}, "alert": {"id": "AL-1"}}, "AL-1", true],
		"the deployment of the change": [{"subject": {"id": "dep-1/0"}, "deployment": {"id": "dep-1"}}, "dep-1", true],
	}
	_covered(case[0], case[1]) == case[2]
}

_covered(given, pattern) if {
	subject.covered(pattern) with input as given
} else := false
