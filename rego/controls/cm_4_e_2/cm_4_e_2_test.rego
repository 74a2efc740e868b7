package tests.cm_4_e_2

import data.tests.dossier

_id := "CM-4.E.2"

_digest := "sha256:4f5e6d7c8b9a4f5e6d7c8b9a4f5e6d7c8b9a4f5e6d7c8b9a4f5e6d7c8b9a4f5e"

_image(image) := json.patch(dossier.normal, [
	{"op": "remove", "path": "/change/deployments/0/commit"},
	{"op": "add", "path": "/change/deployments/0/image", "value": image},
])

test_status[note] if {
	some note, case in {
		"commit": [dossier.normal, "pass", []],
		"digest": [_image({"ref": "registry.example/app:1", "digest": _digest}), "pass", []],
		"digest in the reference": [_image({"ref": concat("@", ["registry.example/app", _digest])}), "pass", []],
		"tag that moves": [_image({"ref": "registry.example/app:latest"}), "fail", ["ver.mutable_image"]],
		"tag that moves, commit known": [dossier.put(_image({"ref": "registry.example/app:latest"}), "/change/deployments/0/commit", dossier.merge), "fail", ["ver.mutable_image"]],
		"image of which nothing is known": [_image({}), "unknown", ["ver.no_version"]],
		"neither commit nor image": [dossier.without(dossier.normal, "/change/deployments/0/commit"), "unknown", ["ver.no_version"]],
		"one of two services by tag": [dossier.put(dossier.normal, "/change/deployments/-", {"id": "dep-2", "service": "worker", "environment_kind": "production", "live_at": "2026-11-10T11:07:00Z", "image": {"ref": "x:1"}}), "fail", ["ver.mutable_image"]],
		"nothing deployed": [dossier.without(dossier.normal, "/change/deployments"), "not_applicable", []],
		"deployments unread": [dossier.unread(dossier.without(dossier.normal, "/change/deployments"), "render"), "unknown", ["ver.no_version"]],
		"proven, though unread": [dossier.unread(_image({"ref": "x:1"}), "render"), "fail", ["ver.mutable_image"]],
		"grant": [dossier.grant, "not_applicable", []],
		"grant without a time": [dossier.without(dossier.grant, "/change/event/at"), "not_applicable", []],
		"grant beside a deployment": [dossier.put(dossier.grant, "/change/deployments", [{"id": "dep-1", "environment_kind": "production", "live_at": "2026-11-11T09:00:00Z"}]), "not_applicable", []],
	}
	dossier.says(_id, case[0], case[1], case[2])
}

test_names_every_version if {
	found := dossier.finding(_id, _image({"ref": "x:1", "digest": _digest}))
	contains(found.message, _digest)
	found.evidence == ["/change/deployments/0"]
}

test_waiver if dossier.status(_id, dossier.waived(_image({"ref": "x:1"}), _id, {})) == "waived"
