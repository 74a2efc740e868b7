package tests.cm_6_3

import data.tests.dossier

_id := "CM-6.3"

# live at 11:06:00.
_tls := dossier.put(dossier.normal, "/change/files/0/path", "infra/tls/main.tf")

_network := dossier.put(dossier.normal, "/change/files/0/path", "infra/network/main.tf")

_validated(base, results) := dossier.put(base, "/change/validations", [object.union({"kind": "tls_scan", "at": "2026-11-10T12:00:00Z", "result": "pass", "by": "carol"}, result) | some result in results])

_at(base, now) := dossier.put(base, "/evaluated_at", now)

# The security reviewer, who neither wrote nor deployed the change, states it.
_attested(at) := dossier.put(_tls, "/attestations", [{"id": "att-1", "control": "CM-6.3", "subject": "acme/app#412", "made_by": "carol", "made_at": at}])

test_status[note] if {
	some note, case in {
		"attested at the last second": [_attested("2026-11-11T11:06:00Z"), "pass", []],
		"attested a second late": [_attested("2026-11-11T11:06:01Z"), "fail", ["val.missing"]],
		"attested before": [_attested("2026-11-10T11:04:59Z"), "fail", ["val.missing"]],
		"plain code": [dossier.normal, "not_applicable", []],
		"not validated": [_tls, "fail", ["val.missing"]],
		"network, not validated": [_network, "fail", ["val.missing"]],
		"validated": [_validated(_tls, [{}]), "pass", []],
		"validated in production by name": [_validated(_tls, [{"environment": "Production"}]), "pass", []],
		"validated in staging": [_validated(_tls, [{"environment": "staging"}]), "fail", ["val.missing"]],
		"validated before only": [_validated(_tls, [{"at": "2026-11-10T10:00:00Z"}]), "fail", ["val.missing"]],
		"at the effective second": [_validated(_tls, [{"at": "2026-11-10T11:06:00Z"}]), "pass", []],
		"within the tolerance of clocks": [_validated(_tls, [{"at": "2026-11-10T11:05:00Z"}]), "pass", []],
		"a second before that tolerance": [_validated(_tls, [{"at": "2026-11-10T11:04:59Z"}]), "fail", ["val.missing"]],
		"a second early": [_validated(_tls, [{"at": "2026-11-11T11:05:59Z"}]), "pass", []],
		"at the last second": [_validated(_tls, [{"at": "2026-11-11T11:06:00Z"}]), "pass", []],
		"a second late": [_validated(_tls, [{"at": "2026-11-11T11:06:01Z"}]), "fail", ["val.missing"]],
		"failed": [_validated(_tls, [{"result": "fail"}]), "fail", ["val.failed"]],
		"failed, then passed": [_validated(_tls, [{"result": "fail"}, {"at": "2026-11-10T13:00:00Z"}]), "pass", []],
		"passed, then failed": [_validated(_tls, [{}, {"at": "2026-11-10T13:00:00Z", "result": "fail"}]), "fail", ["val.failed"]],
		"passed and failed in one second": [_validated(_tls, [{}, {"result": "fail"}]), "fail", ["val.failed"]],
		"of this second": [_at(_validated(_tls, [{"at": "2026-11-10T11:30:00Z"}]), "2026-11-10T11:30:00Z"), "pass", []],
		"of the next second": [_at(_validated(_tls, [{"at": "2026-11-10T11:30:01Z"}]), "2026-11-10T11:30:00Z"), "pending", ["val.missing"]],
		"failed at the last second": [_validated(_tls, [{"at": "2026-11-11T11:06:00Z", "result": "fail"}]), "fail", ["val.failed"]],
		"failed, passed too late": [_validated(_tls, [{"result": "fail"}, {"at": "2026-11-12T13:00:00Z"}]), "fail", ["val.failed"]],
		"without a result": [dossier.without(_validated(_tls, [{}]), "/change/validations/0/result"), "fail", ["val.missing"]],
		"without a time": [dossier.without(_validated(_tls, [{}]), "/change/validations/0/at"), "unknown", ["val.missing"]],
		"without a kind": [dossier.without(_validated(_tls, [{}]), "/change/validations/0/kind"), "pass", []],
		"at the deadline": [_at(_tls, "2026-11-11T11:06:00Z"), "pending", ["val.missing"]],
		"a second past the deadline": [_at(_tls, "2026-11-11T11:06:01Z"), "fail", ["val.missing"]],
		"attestations unread": [dossier.unread(_tls, "attestations"), "unknown", ["val.missing"]],
		"validated, though attestations unread": [dossier.unread(_validated(_tls, [{}]), "attestations"), "pass", []],
		"not in effect yet": [dossier.without(_tls, "/change/deployments"), "pending", ["val.missing"]],
		"deployments unread": [dossier.unread(dossier.without(_tls, "/change/deployments"), "render"), "unknown", ["val.missing"]],
		"files unread": [dossier.put(dossier.without(dossier.normal, "/change/files"), "/sources/github", {"status": "incomplete", "missing": ["files"]}), "unknown", ["val.missing"]],
		"files unread, some known": [dossier.put(dossier.normal, "/sources/github", {"status": "incomplete", "missing": ["files"]}), "unknown", ["val.missing"]],
		"files truncated": [dossier.put(dossier.normal, "/change/files_truncated", true), "unknown", ["val.missing"]],
		"grant": [dossier.grant, "pass", []],
		"grant validated before it was made": [dossier.put(dossier.grant, "/change/validations/0/at", "2026-11-11T08:00:00Z"), "fail", ["val.missing"]],
		"grant without a time": [dossier.without(dossier.grant, "/change/event/at"), "unknown", ["val.missing"]],
	}
	dossier.says(_id, case[0], case[1], case[2])
}

test_rollback_brings_back_what_was_validated if {
	dossier.status(_id, dossier.put(_tls, "/change/kind", "platform_rollback")) == "not_applicable"
}

test_deadline_is_named if {
	found := dossier.finding(_id, _at(_tls, "2026-11-10T12:00:00Z"))
	found.due_at == "2026-11-11T11:06:00Z"
}

test_waiver[note] if {
	some note, case in {
		"valid": [{}, "waived"],
		"late": [{"approved_at": "2026-11-11T11:06:01Z"}, "fail"],
		"too long": [{"expires_at": "2027-06-01T00:00:00Z"}, "fail"],
	}
	dossier.status(_id, dossier.waived(_tls, _id, case[0])) == case[1]
}
