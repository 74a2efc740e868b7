package tests.cm_4_d_3

import data.tests.dossier

_id := "CM-4.D.3"

_config := json.patch(dossier.grant, [
	{"op": "replace", "path": "/change/kind", "value": "platform_config"},
	{"op": "replace", "path": "/change/event/type", "value": "UpdateEnvVarsEvent"},
])

_through(channel) := dossier.put(_config, "/change/channel", channel)

test_status[note] if {
	some note, case in {
		"code": [dossier.normal, "not_applicable", []],
		"blueprint": [_through("blueprint"), "pass", []],
		"dashboard": [_through("Dashboard"), "pass", []],
		"API": [_through("api"), "pass", []],
		"infrastructure provider": [_through("terraform"), "pass", []],
		"shell": [_through("shell"), "fail", ["infra.not_native"]],
		"SSH": [_through("SSH"), "fail", ["infra.not_native"]],
		"SQL": [_through("direct_sql"), "fail", ["infra.not_native"]],
		"shell without an actor": [dossier.without(_through("shell"), "/change/event/actor"), "fail", ["infra.not_native"]],
		"shell on a deployment": [dossier.put(dossier.push, "/change/channel", "shell"), "fail", ["infra.not_native"]],
		"unknown": [_through("unknown"), "unknown", ["infra.channel_unknown"]],
		"a word nobody knows": [_through("pigeon"), "unknown", ["infra.channel_unknown"]],
		"not on record": [dossier.without(_config, "/change/channel"), "unknown", ["infra.channel_unknown"]],
		"grant through the identity system": [dossier.without(dossier.grant, "/change/channel"), "pass", []],
		"database without a channel": [dossier.without(dossier.put(_config, "/change/kind", "database_change"), "/change/channel"), "fail", ["infra.not_native"]],
		"database through the dashboard": [dossier.put(_config, "/change/kind", "database_change"), "pass", []],
		"shell session with effects": [json.patch(_through("shell"), [{"op": "replace", "path": "/change/event/type", "value": "StartShellEvent"}]), "fail", ["infra.not_native"]],
	}
	dossier.says(_id, case[0], case[1], case[2])
}

_session := json.patch(_through("shell"), [
	{"op": "replace", "path": "/change/event/type", "value": "StartShellEvent"},
	{"op": "remove", "path": "/change/event/effects"},
	{"op": "remove", "path": "/change/event/detail"},
])

test_a_session_alone_is_no_change if {
	problems := data.controls.cm_4_d_3.problems with input as _session
	count(problems) == 0
}

test_a_session_is_noted if {
	notes := data.controls.cm_4_d_3.observations with input as _session
	some note in notes
	note.reason == "infra.shell_session"
	contains(note.message, "alice@acme.example")
}

test_waiver if {
	dossier.status(_id, dossier.waived(_through("shell"), _id, {"requested_by": "bob"})) == "waived"
	dossier.status(_id, dossier.waived(_through("shell"), _id, {"requested_by": "bob", "approved_at": "2026-11-11T09:00:01Z"})) == "fail"
}
