package tests.cm_4_c_3

import data.tests.dossier

_id := "CM-4.C.3"

# sensitive touches authentication, tls the certificates; both live at 11:06:00.
_sensitive := dossier.put(dossier.normal, "/change/files/0/path", "src/auth/login.py")

_tls := dossier.put(dossier.normal, "/change/files/0/path", "infra/tls/main.tf")

_config := json.patch(dossier.grant, [
	{"op": "replace", "path": "/change/kind", "value": "platform_config"},
	{"op": "replace", "path": "/change/event/type", "value": "UpdateEnvVarsEvent"},
	{"op": "replace", "path": "/change/event/effects", "value": []},
	{"op": "replace", "path": "/change/event/scopes", "value": ["infrastructure"]},
])

_checked(base, check) := dossier.put(base, "/change/checks/1", object.union({"name": "ci/sast", "sha": dossier.head, "conclusion": "success", "completed_at": "2026-11-10T09:50:00Z"}, check))

_validated(base, results) := dossier.put(base, "/change/validations", [object.union({"kind": "tls_scan", "at": "2026-11-10T12:00:00Z", "result": "pass", "by": "carol"}, result) | some result in results])

_at(base, now) := dossier.put(base, "/evaluated_at", now)

# The security reviewer, who neither wrote nor deployed the change, states it.
_attested(at) := dossier.put(_sensitive, "/attestations", [{"id": "att-1", "control": "CM-4.C.3", "subject": "acme/app#412", "made_by": "carol", "made_at": at}])

test_status[note] if {
	some note, case in {
		"attested at the last second": [_attested("2026-11-11T11:06:00Z"), "pass", []],
		"attested a second late": [_attested("2026-11-11T11:06:01Z"), "fail", ["val.missing"]],
		"plain code": [dossier.normal, "not_applicable", []],
		"sensitive code without a security check": [_sensitive, "fail", ["val.missing"]],
		"named security check": [_checked(_sensitive, {}), "pass", []],
		"evaluation counts for sensitive content": [_checked(_sensitive, {"name": "AI-Eval"}), "pass", []],
		"check on the merge commit": [_checked(_sensitive, {"sha": dossier.merge}), "pass", []],
		"check on another revision": [_checked(_sensitive, {"sha": dossier.other}), "fail", ["val.missing"]],
		"check without a revision": [dossier.without(_checked(_sensitive, {}), "/change/checks/1/sha"), "fail", ["val.missing"]],
		"check without a time": [dossier.without(_checked(_sensitive, {}), "/change/checks/1/completed_at"), "fail", ["val.missing"]],
		"check without a conclusion": [dossier.without(_checked(_sensitive, {}), "/change/checks/1/conclusion"), "fail", ["val.missing"]],
		"check without a name": [dossier.without(_checked(_sensitive, {}), "/change/checks/1/name"), "fail", ["val.missing"]],
		"check failed": [_checked(_sensitive, {"conclusion": "failure"}), "fail", ["val.failed"]],
		"check skipped": [_checked(_sensitive, {"conclusion": "skipped"}), "fail", ["val.missing"]],
		"check neutral": [_checked(_sensitive, {"conclusion": "neutral"}), "fail", ["val.missing"]],
		"check of another name": [_checked(_sensitive, {"name": "ci/lint"}), "fail", ["val.missing"]],
		"security check does not scan TLS": [_checked(_tls, {}), "fail", ["val.missing"]],
		"TLS check": [_checked(_tls, {"name": "tls-scan"}), "pass", []],
		"recorded validation": [_validated(_tls, [{}]), "pass", []],
		"validation before the deployment": [_validated(_tls, [{"at": "2026-11-10T10:00:00Z"}]), "pass", []],
		"validation a second early": [_validated(_tls, [{"at": "2026-11-11T11:05:59Z"}]), "pass", []],
		"validation at the last second": [_validated(_tls, [{"at": "2026-11-11T11:06:00Z"}]), "pass", []],
		"validation a second late": [_validated(_tls, [{"at": "2026-11-11T11:06:01Z"}]), "fail", ["val.missing"]],
		"validation failed": [_validated(_tls, [{"result": "fail"}]), "fail", ["val.failed"]],
		"validation failed, then passed": [_validated(_tls, [{"result": "fail"}, {"at": "2026-11-10T13:00:00Z"}]), "pass", []],
		"validation passed, then failed": [_validated(_tls, [{}, {"at": "2026-11-10T13:00:00Z", "result": "fail"}]), "fail", ["val.failed"]],
		"validation passed and failed in one second": [_validated(_tls, [{}, {"result": "fail"}]), "fail", ["val.failed"]],
		"validation of this second": [_at(_validated(_tls, [{"at": "2026-11-10T11:30:00Z"}]), "2026-11-10T11:30:00Z"), "pass", []],
		"check of this second, not deployed yet": [_at(dossier.without(_checked(_sensitive, {"completed_at": "2026-11-10T11:30:00Z"}), "/change/deployments"), "2026-11-10T11:30:00Z"), "pass", []],
		"check of the next second, not deployed yet": [_at(dossier.without(_checked(_sensitive, {"completed_at": "2026-11-10T11:30:01Z"}), "/change/deployments"), "2026-11-10T11:30:00Z"), "pending", ["val.missing"]],
		"another kind failed": [_validated(_tls, [{}, {"kind": "cipher_scan", "result": "failed"}]), "fail", ["val.failed"]],
		"validation without a result": [dossier.without(_validated(_tls, [{}]), "/change/validations/0/result"), "fail", ["val.missing"]],
		"validation without a time": [dossier.without(_validated(_tls, [{}]), "/change/validations/0/at"), "unknown", ["val.missing"]],
		"validation of tomorrow": [_at(_validated(_tls, [{"at": "2026-11-10T12:00:00Z"}]), "2026-11-10T11:30:00Z"), "pending", ["val.missing"]],
		"at the deadline": [_at(_tls, "2026-11-11T11:06:00Z"), "pending", ["val.missing"]],
		"a second past the deadline": [_at(_tls, "2026-11-11T11:06:01Z"), "fail", ["val.missing"]],
		"failed, but still time": [_at(_validated(_tls, [{"result": "fail"}]), "2026-11-10T15:00:00Z"), "pending", ["val.missing"]],
		"attestations unread": [dossier.unread(_tls, "attestations"), "unknown", ["val.missing"]],
		"attestations unread, validated all the same": [dossier.unread(_validated(_tls, [{}]), "attestations"), "pass", []],
		"checks unread": [dossier.put(_tls, "/sources/github", {"status": "incomplete", "missing": ["check_runs"]}), "unknown", ["val.missing"]],
		"not deployed yet": [dossier.without(_tls, "/change/deployments"), "pending", ["val.missing"]],
		"checked, not deployed yet": [dossier.without(_checked(_sensitive, {}), "/change/deployments"), "pass", []],
		"check failed, not deployed yet": [dossier.without(_checked(_sensitive, {"conclusion": "failure"}), "/change/deployments"), "pending", ["val.missing"]],
		"some files unread": [dossier.put(dossier.normal, "/sources/github", {"status": "incomplete", "missing": ["patches"]}), "unknown", ["val.missing"]],
		"deployment unread": [dossier.unread(dossier.without(_tls, "/change/deployments"), "render"), "unknown", ["val.missing"]],
		"files unread": [dossier.put(dossier.without(dossier.normal, "/change/files"), "/sources/github", {"status": "incomplete", "missing": ["files"]}), "unknown", ["val.missing"]],
		"files truncated": [dossier.put(dossier.normal, "/change/files_truncated", true), "unknown", ["val.missing"]],
		"files truncated, what is known is validated": [_validated(dossier.put(_tls, "/change/files_truncated", true), [{}]), "pass", []],
		"platform configuration": [_config, "pass", []],
		"platform configuration, not validated": [dossier.without(_config, "/change/validations"), "fail", ["val.missing"]],
		"platform configuration without a time": [dossier.without(dossier.without(_config, "/change/validations"), "/change/event/at"), "unknown", ["val.missing"]],
		"grant": [dossier.grant, "pass", []],
		"grant, not validated": [dossier.put(dossier.grant, "/change/validations", []), "fail", ["val.missing"]],
	}
	dossier.says(_id, case[0], case[1], case[2])
}

test_rollback_brings_back_what_was_validated if {
	rollback := json.patch(_tls, [{"op": "replace", "path": "/change/kind", "value": "platform_rollback"}])
	dossier.status(_id, rollback) == "not_applicable"
}

test_deadline_is_named if {
	found := dossier.finding(_id, _at(_tls, "2026-11-10T12:00:00Z"))
	found.due_at == "2026-11-11T11:06:00Z"
	found.decisive_at == "2026-11-11T11:06:00Z"
}

test_waiver[note] if {
	some note, case in {
		"valid": [{}, "waived"],
		"late": [{"approved_at": "2026-11-11T11:06:01Z"}, "fail"],
		"expired": [{"expires_at": "2026-11-11T11:05:59Z"}, "fail"],
	}
	dossier.status(_id, dossier.waived(_tls, _id, case[0])) == case[1]
}
