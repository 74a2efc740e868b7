package tests.cm_8_1

import data.tests.dossier

_id := "CM-8.1"

_service := dossier.subject("posture", {
	"system": "render", "service": "api", "environment": "production",
	"monitoring": {"health_check": "/healthz", "error_tracking": true, "alert_route": "pagerduty"},
})

_put(path, value) := dossier.put(_service, concat("", ["/posture/", path]), value)

_without(path) := dossier.without(_service, concat("", ["/posture/", path]))

test_status[note] if {
	some note, case in {
		"everything": [_service, "pass", []],
		"no environment": [_without("environment"), "pass", []],
		"no health check": [_put("monitoring/health_check", false), "fail", ["mon.missing"]],
		"empty alert route": [_put("monitoring/alert_route", ""), "fail", ["mon.missing"]],
		"error tracking: none": [_put("monitoring/error_tracking", "none"), "fail", ["mon.missing"]],
		"no alert route listed": [_put("monitoring/alert_route", []), "fail", ["mon.missing"]],
		"error tracking off": [_put("monitoring/error_tracking", "Off"), "fail", ["mon.missing"]],
		"alert routes": [_put("monitoring/alert_route", ["pagerduty"]), "pass", []],
		"alert route not on record": [_without("monitoring/alert_route"), "unknown", ["mon.missing"]],
		"monitoring not on record": [_without("monitoring"), "unknown", ["mon.missing"]],
		"one missing, one not on record": [dossier.without(_put("monitoring/health_check", false), "/posture/monitoring/alert_route"), "fail", ["mon.missing"]],
		"staging": [_put("environment", "staging"), "not_applicable", []],
		"production, latest": [_put("environment", "production-latest"), "pass", []],
		"no service": [_without("service"), "not_applicable", []],
		"nothing known": [dossier.subject("posture", {}), "not_applicable", []],
	}
	dossier.says(_id, case[0], case[1], case[2])
}

test_names_what_is_missing if {
	found := dossier.finding(_id, _put("monitoring", {"health_check": false, "error_tracking": false, "alert_route": true}))
	contains(found.message, "has no error tracking, health check.")
}

test_waiver[note] if {
	some note, case in {
		"valid": [{}, "waived"],
		"expired": [{"expires_at": "2026-11-20T08:59:59Z"}, "fail"],
	}
	dossier.status(_id, dossier.waived(_put("monitoring/health_check", false), _id, case[0])) == case[1]
}
