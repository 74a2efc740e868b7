package tests.cm_6_2

import data.tests.dossier

_id := "CM-6.2"

# _finding: high, first detected on 1 October: due on 31 October 12:00:00.
_finding(fields) := dossier.subject("finding", object.union({"id": "GHSA-1", "package": "urllib3", "severity": "high", "first_detected_at": "2026-10-01T12:00:00Z"}, fields))

_fixed(at) := _finding({"remediated_in_production_at": at})

_open := _finding({})

_at(base, now) := dossier.put(base, "/evaluated_at", now)

_rated(severity, history) := _finding({"severity": severity, "severity_history": history})

_medium := {"at": "2026-10-01T12:00:00Z", "severity": "medium"}

test_status[note] if {
	some note, case in {
		"fixed a second early": [_fixed("2026-10-31T11:59:59Z"), "pass", []],
		"fixed at the last second": [_fixed("2026-10-31T12:00:00Z"), "pass", []],
		"fixed at the last second, written elsewhere": [_fixed("2026-10-31T14:00:00+02:00"), "pass", []],
		"fixed a second late": [_fixed("2026-10-31T12:00:01Z"), "fail", ["sla.late"]],
		"open in time": [_at(_open, "2026-10-31T12:00:00Z"), "pending", ["sla.open"]],
		"open a second too long": [_at(_open, "2026-10-31T12:00:01Z"), "fail", ["sla.overdue"]],
		"fixed tomorrow": [_at(_fixed("2026-10-30T12:00:00Z"), "2026-10-29T12:00:00Z"), "pending", ["sla.open"]],
		"fixed this second": [_at(_fixed("2026-10-30T12:00:00Z"), "2026-10-30T12:00:00Z"), "pass", []],
		"fixed as it was detected": [_fixed("2026-10-01T12:00:00Z"), "pass", []],
		"fixed before it was detected": [_fixed("2026-10-01T11:59:59Z"), "fail", ["sla.overdue"]],
		"rated the same again, with a reason": [_rated("high", [{"at": "2026-10-01T12:00:00Z", "severity": "high"}, {"at": "2026-10-20T12:00:00Z", "severity": "high", "by": "carol", "reason": "Confirmed"}]), "fail", ["sla.overdue"]],
		"alert fixed, production not": [_finding({"alert_state": "fixed", "alert_fixed_at": "2026-10-05T12:00:00Z"}), "fail", ["sla.overdue"]],
		"alert fixed in time, production late": [_finding({"alert_state": "fixed", "alert_fixed_at": "2026-10-05T12:00:00Z", "remediated_in_production_at": "2026-11-01T12:00:00Z"}), "fail", ["sla.late"]],
		"dismissed": [_finding({"alert_state": "dismissed", "dismissed_by": "bob"}), "fail", ["sla.dismissed", "sla.overdue"]],
		"dismissed in time": [_at(_finding({"alert_state": "dismissed"}), "2026-10-20T12:00:00Z"), "pending", ["sla.open"]],
		"dismissed by the source": [_finding({"alert_state": "auto_dismissed"}), "fail", ["sla.dismissed", "sla.overdue"]],
		"dismissed by nobody in particular": [_finding({"alert_state": "dismissed_tolerable"}), "fail", ["sla.dismissed", "sla.overdue"]],
		"dismissed, then fixed": [_finding({"alert_state": "dismissed", "remediated_in_production_at": "2026-10-20T12:00:00Z"}), "pass", []],
		"scanner silent": [dossier.unread(_open, "scanner"), "unknown", ["sla.scanner_silent"]],
		"scanner silent, open in time": [_at(dossier.unread(_open, "scanner"), "2026-10-20T12:00:00Z"), "unknown", ["sla.scanner_silent"]],
		"scanner silent, fixed in time": [dossier.unread(_fixed("2026-10-20T12:00:00Z"), "scanner"), "pass", []],
		"scanner silent, fixed late": [dossier.unread(_fixed("2026-11-20T08:00:00Z"), "scanner"), "fail", ["sla.late"]],
		"never detected": [dossier.without(_open, "/finding/first_detected_at"), "unknown", ["sla.undetected"]],
		"never detected, fixed": [dossier.without(_fixed("2026-10-20T12:00:00Z"), "/finding/first_detected_at"), "unknown", ["sla.undetected"]],
		"nothing known": [dossier.subject("finding", {}), "unknown", ["sla.undetected"]],
		"came back": [_finding({"reintroduced_at": "2026-11-01T12:00:00Z", "remediated_in_production_at": "2026-10-05T12:00:00Z"}), "pending", ["sla.open"]],
		"came back and stayed": [_at(_finding({"reintroduced_at": "2026-11-01T12:00:00Z"}), "2026-12-01T12:00:01Z"), "fail", ["sla.overdue"]],
		"came back and was fixed": [_finding({"reintroduced_at": "2026-11-01T12:00:00Z", "remediated_in_production_at": "2026-11-10T12:00:00Z"}), "pass", []],
		"exploited, at the last second": [_finding({"kev": true, "remediated_in_production_at": "2026-10-15T12:00:00Z"}), "pass", []],
		"exploited, a second late": [_finding({"kev": true, "remediated_in_production_at": "2026-10-15T12:00:01Z"}), "fail", ["sla.late"]],
		"exploited and critical": [_finding({"kev": true, "severity": "critical", "remediated_in_production_at": "2026-10-08T12:00:01Z"}), "fail", ["sla.late"]],
		"exploited and low": [_finding({"kev": true, "severity": "low", "remediated_in_production_at": "2026-10-15T12:00:01Z"}), "fail", ["sla.late"]],
		"raised: fixed before raising plus days": [object.union(_rated("critical", [_medium, {"at": "2026-11-10T12:00:00Z", "severity": "critical"}]), {"finding": {"remediated_in_production_at": "2026-11-17T12:00:00Z"}}), "pass", []],
		"raised: a second later": [object.union(_rated("critical", [_medium, {"at": "2026-11-10T12:00:00Z", "severity": "critical"}]), {"finding": {"remediated_in_production_at": "2026-11-17T12:00:01Z"}}), "fail", ["sla.late"]],
		"raised late: the old deadline stands": [_at(object.union(_rated("critical", [_medium, {"at": "2026-12-28T12:00:00Z", "severity": "critical"}]), {"finding": {"remediated_in_production_at": "2026-12-30T12:00:01Z"}}), "2027-01-01T00:00:00Z"), "fail", ["sla.late"]],
		"lowered with a reason by somebody else": [_rated("low", [{"at": "2026-10-01T12:00:00Z", "severity": "high"}, {"at": "2026-10-20T12:00:00Z", "severity": "low", "by": "carol", "reason": "Not reachable"}]), "pending", ["sla.open"]],
		"lowered without a reason": [_rated("low", [{"at": "2026-10-01T12:00:00Z", "severity": "high"}, {"at": "2026-10-20T12:00:00Z", "severity": "low", "by": "carol"}]), "fail", ["sla.overdue"]],
		"lowered by nobody in particular": [_rated("low", [{"at": "2026-10-01T12:00:00Z", "severity": "high"}, {"at": "2026-10-20T12:00:00Z", "severity": "low", "reason": "Not reachable"}]), "fail", ["sla.overdue"]],
		"lowered at the deadline": [_rated("low", [{"at": "2026-10-01T12:00:00Z", "severity": "high"}, {"at": "2026-10-31T12:00:00Z", "severity": "low", "by": "carol", "reason": "Not reachable"}]), "pending", ["sla.open"]],
		"lowered a second after the deadline": [_rated("low", [{"at": "2026-10-01T12:00:00Z", "severity": "high"}, {"at": "2026-10-31T12:00:01Z", "severity": "low", "by": "carol", "reason": "Not reachable"}]), "fail", ["sla.overdue"]],
		"lowered by the owner": [object.union(_rated("low", [{"at": "2026-10-01T12:00:00Z", "severity": "high"}, {"at": "2026-10-20T12:00:00Z", "severity": "low", "by": "Bob", "reason": "Not reachable"}]), {"finding": {"owner": "bob"}}), "fail", ["sla.overdue"]],
		"lowered by the owner's other account": [object.union(_rated("low", [{"at": "2026-10-01T12:00:00Z", "severity": "high"}, {"at": "2026-10-20T12:00:00Z", "severity": "low", "by": "bob@acme.example", "reason": "Not reachable"}]), {"people": [dossier.bob], "finding": {"owner": "bob"}}), "fail", ["sla.overdue"]],
		"lowered, then raised again": [_rated("critical", [{"at": "2026-10-01T12:00:00Z", "severity": "high"}, {"at": "2026-10-20T12:00:00Z", "severity": "low", "by": "carol", "reason": "Not reachable"}, {"at": "2026-11-01T12:00:00Z", "severity": "critical"}]), "fail", ["sla.overdue"]],
		"lowered twice, each in time": [_rated("low", [{"at": "2026-10-01T12:00:00Z", "severity": "high"}, {"at": "2026-10-20T12:00:00Z", "severity": "medium", "by": "carol", "reason": "x"}, {"at": "2026-11-15T12:00:00Z", "severity": "low", "by": "carol", "reason": "y"}]), "pending", ["sla.open"]],
		"raised, then lowered too late": [_rated("low", [_medium, {"at": "2026-10-10T12:00:00Z", "severity": "critical"}, {"at": "2026-10-18T12:00:00Z", "severity": "low", "by": "carol", "reason": "x"}]), "fail", ["sla.overdue"]],
		"rated out of order": [_rated("critical", [{"at": "2026-11-10T12:00:00Z", "severity": "critical"}, _medium]), "fail", ["sla.overdue"]],
		"rating without a time": [_rated("critical", [_medium, {"severity": "critical"}]), "unknown", ["sla.undated_rating"]],
		"rating without a time, fixed in any time": [object.union(_rated("critical", [_medium, {"severity": "critical"}]), {"finding": {"remediated_in_production_at": "2026-10-08T12:00:00Z"}}), "pass", []],
		"rating without a severity": [_rated("medium", [_medium, {"at": "2026-10-02T12:00:00Z"}]), "unknown", ["sla.undated_rating"]],
		"severity that the history does not end with": [_rated("critical", [_medium]), "unknown", ["sla.undated_rating"]],
		"only a history": [dossier.without(_rated("x", [_medium]), "/finding/severity"), "pending", ["sla.open"]],
		"unrated counts as high": [dossier.without(_fixed("2026-10-31T12:00:01Z"), "/finding/severity"), "fail", ["sla.late"]],
		"a word nobody knows counts as high": [_at(_finding({"severity": "purple"}), "2026-10-31T12:00:01Z"), "fail", ["sla.overdue"]],
		"moderate is medium": [_finding({"severity": "Moderate"}), "pending", ["sla.open"]],
	}
	_says(case[0], case[1], case[2])
}

# A finding rated wrongly or without a start still says what is missing.
_says(base, status, reasons) if dossier.says(_id, base, status, reasons)

test_days[note] if {
	some note, case in {
		"critical": "2026-10-08T12:00:00Z",
		"high": "2026-10-31T12:00:00Z",
		"medium": "2026-12-30T12:00:00Z",
		"low": "2027-03-30T12:00:00Z",
	}
	found := dossier.finding(_id, _at(_finding({"severity": upper(note)}), "2026-10-02T00:00:00Z"))
	found.due_at == case
	found.severity == note
	found.decisive_at == "2026-10-01T12:00:00Z"
}

test_severity_of_the_finding_is_that_of_the_control if {
	dossier.finding(_id, dossier.without(_open, "/finding/severity")).severity == "high"
	dossier.finding(_id, dossier.without(_rated("x", [_medium]), "/finding/severity")).severity == "medium"
}

test_says_by_how_much if {
	contains(dossier.finding(_id, _fixed("2026-11-02T15:00:00Z")).message, "2 d 3 h after the deadline of 2026-10-31T12:00:00Z")
	contains(dossier.finding(_id, _finding({"alert_state": "fixed"})).message, "the fix does not run in production")
	contains(dossier.finding(_id, _at(_finding({"alert_state": "dismissed"}), "2026-10-20T12:00:00Z")).message, "which is no remediation")
}

_accepted(base, changes) := dossier.put(base, "/waivers", [dossier.waiver(_id, "GHSA-1", object.union({"approved_by": "carol", "approved_at": "2026-10-25T10:00:00Z", "expires_at": "2026-12-15T00:00:00Z"}, changes))])

# The risk may be accepted before the deadline, by somebody else, for a while.
test_acceptance[note] if {
	some note, case in {
		"valid": [_accepted(_open, {}), "waived", ["sla.overdue"]],
		"at the last second": [_accepted(_open, {"approved_at": "2026-10-31T12:00:00Z"}), "waived", ["sla.overdue"]],
		"a second late": [_accepted(_open, {"approved_at": "2026-10-31T12:00:01Z"}), "fail", ["sla.overdue", "sla.waiver_late"]],
		"lasts until now": [_accepted(_open, {"expires_at": "2026-11-20T09:00:00Z"}), "waived", ["sla.overdue"]],
		"ran out a second ago": [_accepted(_open, {"expires_at": "2026-11-20T08:59:59Z"}), "fail", ["sla.overdue", "sla.waiver_expired"]],
		"by who asked": [_accepted(_open, {"approved_by": "alice"}), "fail", ["sla.overdue", "sla.waiver_self"]],
		"by the owner": [_accepted(object.union(_open, {"people": [dossier.alice, dossier.carol], "finding": {"owner": "carol"}}), {}), "fail", ["sla.overdue", "sla.waiver_self"]],
		"too long": [_accepted(_open, {"expires_at": "2027-01-23T10:00:01Z"}), "fail", ["sla.overdue", "waiver.too_long"]],
		"revoked": [_accepted(_open, {"revoked_at": "2026-11-10T00:00:00Z"}), "fail", ["sla.overdue", "waiver.revoked"]],
		"dismissed with it": [_accepted(_finding({"alert_state": "dismissed", "dismissed_by": "bob"}), {}), "waived", ["sla.dismissed", "sla.overdue"]],
		"fixed while it lasted": [_accepted(_fixed("2026-11-10T12:00:00Z"), {"expires_at": "2026-11-10T12:00:00Z"}), "waived", ["sla.late"]],
		"fixed after it ran out": [_accepted(_fixed("2026-11-10T12:00:01Z"), {"expires_at": "2026-11-10T12:00:00Z"}), "fail", ["sla.late", "sla.waiver_expired"]],
		"still in time": [_accepted(_at(_open, "2026-10-30T00:00:00Z"), {}), "pending", ["sla.open"]],
		"of another finding": [_accepted(_open, {"subject": "GHSA-2"}), "fail", ["sla.overdue"]],
		"by pattern": [_accepted(_open, {"subject": "GHSA-*"}), "waived", ["sla.overdue"]],
		"by the subject's id": [_accepted(_open, {"subject": "finding-1"}), "waived", ["sla.overdue"]],
	}
	dossier.says(_id, case[0], case[1], case[2])
}

test_open_findings_are_looked_at_again if {
	document := data.decision.document with input as _at(_open, "2026-10-20T12:00:00Z")
	document.outcome == "pending"
	document.next_evaluation_at == "2026-10-31T12:00:01Z"
}
