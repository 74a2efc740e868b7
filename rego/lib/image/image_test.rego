package tests.lib_image

import data.lib.image
import data.tests.dossier

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

# The merged pull request, deployed as an image with this provenance.
_deployed(provenance) := json.patch(dossier.normal, [
	{"op": "remove", "path": "/change/deployments/0/on_protected_branch"},
	{"op": "add", "path": "/change/deployments/0/image", "value": {"ref": "ghcr.io/acme/api:1.4", "provenance": provenance}},
])

test_foreign[note] if {
	some note, case in {
		"from the merge commit": [_deployed(dossier.merge), {}],
		"from the head": [_deployed({"commit": upper(dossier.head)}), {}],
		"from the merge commit, by a builder of another": [_deployed({"builder": {"sha": dossier.other}, "materials": [{"digest": {"sha1": dossier.merge}}]}), {}],
		"from another commit": [_deployed(dossier.other), {0: dossier.other}],
		"from another commit of the protected branch": [dossier.put(_deployed(dossier.other), "/change/deployments/0/on_protected_branch", true), {}],
		"from no commit that it names": [_deployed("verified"), {}],
		"not an image": [dossier.normal, {}],
	}
	foreign := image.foreign with input as case[0]
	foreign == case[1]
}
