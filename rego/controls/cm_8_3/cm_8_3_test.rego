package tests.cm_8_3

import data.tests.dossier

_id := "CM-8.3"

_alert(fields) := dossier.subject("alert", object.union({"id": "al-1", "severity": "high", "raised_at": "2026-11-16T08:00:00Z"}, fields))

_began(at) := _alert({"investigation_started_at": at, "resolved_at": "2026-11-19T08:00:00Z"})

_at(base, now) := dossier.put(base, "/evaluated_at", now)

_unrated(at) := dossier.without(_began(at), "/alert/severity")

test_status[note] if {
	some note, case in {
		"in time, to the second": [_began("2026-11-17T08:00:00Z"), "pass", []],
		"a second early": [_began("2026-11-17T07:59:59Z"), "pass", []],
		"a second late": [_began("2026-11-17T08:00:01Z"), "fail", ["al.late"]],
		"unrated, within a day": [_unrated("2026-11-17T08:00:00Z"), "pass", []],
		"unrated, within three business days": [_unrated("2026-11-19T08:00:00Z"), "unknown", ["al.unrated"]],
		"unrated, later than any": [_unrated("2026-11-19T08:00:01Z"), "fail", ["al.late"]],
		"not investigated": [_alert({}), "fail", ["al.not_investigated"]],
		"at the deadline": [_at(_alert({}), "2026-11-17T08:00:00Z"), "pending", ["al.not_investigated"]],
		"a second past it": [_at(_alert({}), "2026-11-17T08:00:01Z"), "fail", ["al.not_investigated"]],
		"planned": [_at(_began("2026-11-16T12:00:00Z"), "2026-11-16T11:00:00Z"), "pending", ["al.not_investigated"]],
		"begun this second": [_at(_alert({"investigation_started_at": "2026-11-16T12:00:00Z"}), "2026-11-16T12:00:00Z"), "pending", ["al.unresolved"]],
		"ended this second": [_alert({"investigation_started_at": "2026-11-16T12:00:00Z", "resolved_at": "2026-11-20T09:00:00Z"}), "pass", []],
		"under way": [_alert({"investigation_started_at": "2026-11-16T12:00:00Z"}), "pending", ["al.unresolved"]],
		"ended tomorrow": [_alert({"investigation_started_at": "2026-11-16T12:00:00Z", "resolved_at": "2026-11-21T12:00:00Z"}), "pending", ["al.unresolved"]],
		"ended in a word": [_alert({"investigation_started_at": "2026-11-16T12:00:00Z", "end_state": "false positive"}), "pass", []],
		"ended without an investigation": [_alert({"resolved_at": "2026-11-16T09:00:00Z"}), "fail", ["al.not_investigated"]],
		"late and under way": [_alert({"investigation_started_at": "2026-11-18T12:00:00Z"}), "fail", ["al.late"]],
		"tracker unread": [dossier.unread(_alert({}), "issues"), "unknown", ["al.not_investigated"]],
		"late, though unread": [dossier.unread(_began("2026-11-17T08:00:01Z"), "issues"), "fail", ["al.late"]],
		"no time": [dossier.without(_began("2026-11-17T08:00:00Z"), "/alert/raised_at"), "unknown", ["al.undated"]],
		"no severity counts as high": [dossier.without(_alert({}), "/alert/severity"), "fail", ["al.not_investigated"]],
		"critical": [_alert({"severity": "CRITICAL"}), "fail", ["al.not_investigated"]],
		"medium: three business days": [_began_medium("2026-11-19T08:00:00Z"), "pass", []],
		"medium: a second late": [_began_medium("2026-11-19T08:00:01Z"), "fail", ["al.late"]],
		"no id": [dossier.without(_alert({}), "/alert/id"), "fail", ["al.not_investigated"]],
		"nothing known": [dossier.subject("alert", {}), "unknown", ["al.undated"]],
	}
	dossier.says(_id, case[0], case[1], case[2])
}

_began_medium(at) := _alert({"severity": "Medium", "investigation_started_at": at, "end_state": "fixed"})

test_due[note] if {
	some note, case in {
		"high over the weekend": ["high", "2026-11-13T20:00:00Z", "2026-11-14T20:00:00Z"],
		"low over the weekend": ["low", "2026-11-13T20:00:00Z", "2026-11-18T20:00:00Z"],
		"low on a Saturday": ["low", "2026-11-14T20:00:00Z", "2026-11-19T00:00:00Z"],
		"warning": ["warning", "2026-11-16T08:00:00Z", "2026-11-19T08:00:00Z"],
		"SEV-1": ["SEV-1", "2026-11-16T08:00:00Z", "2026-11-17T08:00:00Z"],
	}
	found := dossier.finding(_id, _at(_alert({"severity": case[0], "raised_at": case[1]}), case[1]))
	found.due_at == case[2]
}

test_waiver[note] if {
	some note, case in {
		"valid": [{"approved_at": "2026-11-17T08:00:00Z"}, "waived"],
		"a second late": [{"approved_at": "2026-11-17T08:00:01Z"}, "fail"],
		"by alert": [{"subject": "al-1"}, "waived"],
	}
	dossier.status(_id, dossier.waived(_alert({}), _id, case[0])) == case[1]
}
