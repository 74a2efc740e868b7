package tests.lib_image

import data.lib.image

test_proven[note] if {
	some note, provenance in {
		"word": "slsa:commit:3942be5c",
		"yes": true,
		"commit": {"commit": "3942be5c"},
		"git commit": {"git_commit": "3942be5c"},
		"source commit, verified": {"source_commit": "3942be5c", "verified": true},
		"revision": {"revision": "3942be5c"},
		"sha": {"sha": "3942be5c"},
	}
	image.proven({"image": {"provenance": provenance}})
}

test_not_proven[note] if {
	some note, deployment in {
		"empty word": {"image": {"provenance": ""}},
		"none": {"image": {"provenance": "None"}},
		"unverified": {"image": {"provenance": "unverified"}},
		"no": {"image": {"provenance": false}},
		"nothing said": {"image": {"provenance": {}}},
		"not verified": {"image": {"provenance": {"commit": "3942be5c", "verified": false}}},
		"builder only": {"image": {"provenance": {"builder": "ci"}}},
		"absent": {"image": {"ref": "x:1"}},
		"no image": {"commit": "3942be5c"},
	}
	not image.proven(deployment)
}
