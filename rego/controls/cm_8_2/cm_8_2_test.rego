package tests.cm_8_2

import data.tests.dossier

_id := "CM-8.2"

_period := dossier.subject("period", {"start": "2026-11-01T00:00:00Z", "end": "2026-11-20T00:00:00Z", "gaps": [], "missing_in_ledger": []})

_put(path, value) := dossier.put(_period, concat("", ["/period/", path]), value)

_without(path) := dossier.without(_period, concat("", ["/period/", path]))

_gap := {"source": "render", "start": "2026-11-12T02:00:00Z", "end": "2026-11-12T08:00:00Z"}

_gapped(changes, filled) := json.patch(_period, [
	{"op": "replace", "path": "/period/gaps", "value": [object.union(_gap, changes)]},
	{"op": "add", "path": "/period/backfilled", "value": filled},
])

test_status[note] if {
	some note, case in {
		"reconciled": [_period, "pass", []],
		"no word of gaps": [_without("gaps"), "pass", []],
		"missing in the ledger": [_put("missing_in_ledger", ["dep-9"]), "fail", ["log.missing_in_ledger"]],
		"missing, as a record": [_put("missing_in_ledger", [{"id": "dep-9"}]), "fail", ["log.missing_in_ledger"]],
		"missing, whatever it is": [_put("missing_in_ledger", [{"deploy": 9}]), "fail", ["log.missing_in_ledger"]],
		"not reconciled": [_without("missing_in_ledger"), "unknown", ["log.unreconciled"]],
		"unobserved": [_gapped({}, []), "unknown", ["log.unobserved"]],
		"unobserved, said so": [_gapped({"backfilled": false}, []), "unknown", ["log.unobserved"]],
		"said not to be back-filled": [_gapped({"backfilled": false}, [_gap]), "unknown", ["log.unobserved"]],
		"back-filled": [_gapped({"backfilled": true}, []), "pass", []],
		"back-filled by a window": [_gapped({}, [_gap]), "pass", []],
		"window a second short": [_gapped({}, [object.union(_gap, {"end": "2026-11-12T07:59:59Z"})]), "unknown", ["log.unobserved"]],
		"window a second late": [_gapped({}, [object.union(_gap, {"start": "2026-11-12T02:00:01Z"})]), "unknown", ["log.unobserved"]],
		"window of another source": [_gapped({}, [object.union(_gap, {"source": "github"})]), "unknown", ["log.unobserved"]],
		"gap without bounds": [_put("gaps", [{"source": "render"}]), "unknown", ["log.unobserved"]],
		"gap up to the period": [_gapped({"start": "2026-10-31T00:00:00Z", "end": "2026-11-01T00:00:00Z"}, []), "pass", []],
		"gap into the period": [_gapped({"start": "2026-10-31T00:00:00Z", "end": "2026-11-01T00:00:01Z"}, []), "unknown", ["log.unobserved"]],
		"gap from the end of the period on": [_gapped({"start": "2026-11-20T00:00:00Z", "end": "2026-11-21T00:00:00Z"}, []), "pass", []],
		"gap from a second before its end on": [_gapped({"start": "2026-11-19T23:59:59Z", "end": "2026-11-21T00:00:00Z"}, []), "unknown", ["log.unobserved"]],
		"missing outranks unobserved": [dossier.put(_gapped({}, []), "/period/missing_in_ledger", ["dep-9"]), "fail", ["log.missing_in_ledger"]],
		"deployments unread": [dossier.unread(_period, "render"), "unknown", ["log.unobserved"]],
		"read from too late": [dossier.put(_period, "/sources/render/from", "2026-11-01T00:00:01Z"), "unknown", ["log.unobserved"]],
		"read until too early": [dossier.put(_period, "/sources/render/to", "2026-11-19T23:59:59Z"), "unknown", ["log.unobserved"]],
		"read exactly": [json.patch(_period, [{"op": "add", "path": "/sources/render/from", "value": "2026-11-01T00:00:00Z"}, {"op": "add", "path": "/sources/render/to", "value": "2026-11-20T00:00:00Z"}]), "pass", []],
		"without a beginning": [_without("start"), "unknown", ["log.unbounded"]],
		"without an end": [_without("end"), "unknown", ["log.unbounded"]],
		"not over": [_put("end", "2026-11-20T09:00:01Z"), "pending", ["log.period_open"]],
		"read so far, not over": [dossier.put(_put("end", "2026-11-30T00:00:00Z"), "/sources/render/to", "2026-11-20T08:00:00Z"), "pending", ["log.period_open"]],
		"read from too late, not over": [dossier.put(_put("end", "2026-11-30T00:00:00Z"), "/sources/render/from", "2026-11-01T00:00:01Z"), "unknown", ["log.unobserved"]],
		"just over": [_put("end", "2026-11-20T09:00:00Z"), "pass", []],
		"missing before it is over": [dossier.put(_put("end", "2026-11-30T00:00:00Z"), "/period/missing_in_ledger", ["dep-9"]), "fail", ["log.missing_in_ledger"]],
		"nothing known": [dossier.subject("period", {}), "unknown", ["log.unbounded", "log.unreconciled"]],
	}
	dossier.says(_id, case[0], case[1], case[2])
}

test_names_what_is_missing_once if {
	contains(dossier.finding(_id, _put("missing_in_ledger", ["dep-9", "dep-8", {"id": "dep-9"}])).message, "2 deployment(s) of the period are missing in the ledger: dep-8, dep-9.")
}

test_cannot_be_waived if {
	found := dossier.finding(_id, dossier.waived(_put("missing_in_ledger", ["dep-9"]), _id, {}))
	found.reasons == ["log.missing_in_ledger", "waiver.unwaivable"]
}
