package tests.cm_3_c

import data.tests.dossier

_id := "CM-3.C"

_emergency := dossier.emergency

_trigger(field, value) := dossier.put(_emergency, $"/change/emergency_trigger/{field}", value)

_untriggered := dossier.without(_emergency, "/change/emergency_trigger")

_at(base, now) := dossier.put(base, "/evaluated_at", now)

_incident := object.union(_emergency.change.emergency_trigger, {"mentions_commit": dossier.merge})

_named(base, incidents) := dossier.put(base, "/change/concurrent_incidents", incidents)

_undeclared(base) := json.patch(base, [
	{"op": "replace", "path": "/change/declared", "value": {}},
	{"op": "replace", "path": "/change/pull_request/labels", "value": []},
])

_declared(at, source) := dossier.put(_emergency, "/change/declared", {"type": "emergency", "at": at, "source": source})

# live at 11:06:00 on the 10th: documented by 11:06:00 on the 11th.
test_status[note] if {
	some note, case in {
		"not declared": [dossier.normal, "not_applicable", []],
		"not declared, in the middle of an incident": [_named(dossier.normal, [_incident]), "not_applicable", []],
		"declared by label": [dossier.put(_undeclared(_emergency), "/change/pull_request/labels", ["Change:Emergency"]), "pass", []],
		"declared by the incident's record": [_named(_undeclared(_untriggered), [_incident]), "pass", []],
		"an incident that the commit caused declares nothing": [_named(_undeclared(_untriggered), [object.union(_incident, {"started_at": "2026-11-10T11:30:00Z"})]), "not_applicable", []],
		"an incident during an undeclared change": [_named(_undeclared(_untriggered), [object.remove(_incident, ["mentions_commit"])]), "not_applicable", []],
		"an incident": [_emergency, "pass", []],
		"a vulnerability": [_trigger("kind", "vulnerability"), "pass", []],
		"a misconfiguration": [_trigger("kind", "misconfiguration"), "pass", []],
		"an alert": [_trigger("kind", "Alert"), "pass", []],
		"a wish": [_trigger("kind", "feature_request"), "fail", ["em.no_trigger"]],
		"of no known kind": [dossier.without(_emergency, "/change/emergency_trigger/kind"), "unknown", ["em.source_missing"]],
		"still unresolved": [dossier.without(_emergency, "/change/emergency_trigger/resolved_at"), "pass", []],
		"resolved at the change": [_trigger("resolved_at", "2026-11-10T11:06:00Z"), "pass", []],
		"resolved within the skew": [_trigger("resolved_at", "2026-11-10T11:05:00Z"), "pass", []],
		"resolved a second earlier": [_trigger("resolved_at", "2026-11-10T11:04:59Z"), "fail", ["em.trigger_resolved_before"]],
		"started at the change": [_trigger("started_at", "2026-11-10T11:06:00Z"), "pass", []],
		"started within the skew": [_trigger("started_at", "2026-11-10T11:07:00Z"), "pass", []],
		"started a second later": [_trigger("started_at", "2026-11-10T11:07:01Z"), "fail", ["em.trigger_after"]],
		"recorded at the end of the window": [_trigger("recorded_at", "2026-11-11T11:06:00Z"), "pass", []],
		"recorded there, written elsewhere": [_trigger("recorded_at", "2026-11-11T12:06:00+01:00"), "pass", []],
		"recorded a second later": [_trigger("recorded_at", "2026-11-11T11:06:01Z"), "fail", ["em.recorded_late"]],
		"late and after the change": [dossier.put(_trigger("recorded_at", "2026-11-12T00:00:00Z"), "/change/emergency_trigger/started_at", "2026-11-11T23:00:00Z"), "fail", ["em.recorded_late", "em.trigger_after"]],
		"started at no known time": [dossier.without(_emergency, "/change/emergency_trigger/started_at"), "unknown", ["em.source_missing"]],
		"recorded at no known time": [dossier.without(_emergency, "/change/emergency_trigger/recorded_at"), "unknown", ["em.source_missing"]],
		"recorded at no known time, but resolved before": [dossier.without(_trigger("resolved_at", "2026-11-10T09:00:00Z"), "/change/emergency_trigger/recorded_at"), "fail", ["em.trigger_resolved_before"]],
		"declared in the incident at the end of the window": [_declared("2026-11-11T11:06:00Z", "incident timeline"), "pass", []],
		"declared in the incident a second later": [_declared("2026-11-11T11:06:01Z", "incident timeline"), "fail", ["em.recorded_late"]],
		"declared in the record of its trigger": [_declared("2026-11-10T18:00:00Z", "INC-77"), "pass", []],
		"declared by a label before": [_declared("2026-11-10T11:07:00Z", "label"), "pass", []],
		"declared by a label afterwards": [_declared("2026-11-10T11:07:01Z", "label"), "fail", ["em.recorded_late"]],
		"declared afterwards, nobody knows where": [dossier.put(_emergency, "/change/declared/at", "2026-11-10T11:07:01Z"), "unknown", ["em.source_missing"]],
		"declared by a label afterwards, and the trigger names the commit": [dossier.put(_declared("2026-11-10T18:00:00Z", "label"), "/change/emergency_trigger/mentions_commit", dossier.merge), "pass", []],
		"declared by a trailer": [dossier.put(_undeclared(_emergency), "/change/commit_message", "Add the index again\r\n\r\nChange-Type: Emergency\r\n"), "pass", []],
		"another trailer": [dossier.put(_undeclared(_emergency), "/change/commit_message", "Add the index\n\nChange-Type: emergency or not\n"), "not_applicable", []],
		"a label against the trailer": [dossier.put(dossier.put(_undeclared(_emergency), "/change/commit_message", "x\n\nChange-Type: emergency"), "/change/pull_request/labels", ["change:normal"]), "not_applicable", []],
		"no trigger": [_untriggered, "fail", ["em.no_trigger"]],
		"no trigger, window open": [_at(_untriggered, "2026-11-11T11:06:00Z"), "pending", ["em.no_trigger"]],
		"no trigger, a second later": [_at(_untriggered, "2026-11-11T11:06:01Z"), "fail", ["em.no_trigger"]],
		"no trigger, tracker unread": [dossier.unread(_untriggered, "issues"), "unknown", ["em.source_missing"]],
		"no trigger, tracker unread, window open": [_at(dossier.unread(_untriggered, "issues"), "2026-11-11T11:00:00Z"), "unknown", ["em.source_missing"]],
		"no trigger, scanner unread": [dossier.unread(_untriggered, "scanner"), "unknown", ["em.source_missing"]],
		"a trigger, though the tracker is down now": [dossier.unread(_emergency, "issues"), "pass", []],
		"an unrelated incident": [_named(_untriggered, [object.union(_incident, {"mentions_commit": false})]), "fail", ["em.no_trigger"]],
		"an incident of another commit": [_named(_untriggered, [object.union(_incident, {"mentions_commit": dossier.other})]), "fail", ["em.no_trigger"]],
		"an incident that names the commit": [_named(_untriggered, [_incident]), "pass", []],
		"an incident that names it in short": [_named(_untriggered, [object.union(_incident, {"mentions_commit": "3942BE5"})]), "pass", []],
		"an incident that names it too shortly": [_named(_untriggered, [object.union(_incident, {"mentions_commit": "3942be"})]), "fail", ["em.no_trigger"]],
		"an incident that names several": [_named(_untriggered, [object.union(_incident, {"mentions_commit": [dossier.other, dossier.merge]})]), "pass", []],
		"an incident said to name it": [_named(_untriggered, [object.union(_incident, {"mentions_commit": true})]), "pass", []],
		"a closed trigger and one that names the commit": [_named(_trigger("resolved_at", "2026-11-10T09:00:00Z"), [_incident]), "pass", []],
		"live at no known time": [json.patch(_emergency, [{"op": "remove", "path": "/change/deployments/0/live_at"}, {"op": "remove", "path": "/change/deployments/0/started_at"}]), "unknown", ["em.source_missing"]],
		"not live yet": [dossier.without(_emergency, "/change/deployments"), "pass", []],
		"a push": [
			json.patch(dossier.push, [
				{"op": "add", "path": "/change/declared", "value": {"type": "emergency", "source": "incident timeline INC-77", "at": "2026-11-10T11:10:00Z"}},
				{"op": "add", "path": "/change/emergency_trigger", "value": _emergency.change.emergency_trigger},
			]),
			"pass", [],
		],
		"waived": [dossier.waived(_untriggered, _id, {}), "waived", ["em.no_trigger"]],
	}
	dossier.says(_id, case[0], case[1], case[2])
}

test_order_does_not_matter if {
	incidents := [_incident, object.union(_incident, {"id": "INC-78", "resolved_at": "2026-11-10T09:00:00Z"}), object.union(_incident, {"id": "INC-79", "mentions_commit": false})]
	every turned in [array.reverse(incidents), array.concat(incidents, incidents)] {
		dossier.finding(_id, _named(_untriggered, incidents)).message == dossier.finding(_id, _named(_untriggered, turned)).message
	}
}

test_due if {
	dossier.finding(_id, _at(_untriggered, "2026-11-11T09:00:00Z")).due_at == "2026-11-11T11:06:00Z"
}

test_names_the_gap if {
	contains(dossier.finding(_id, dossier.unread(_untriggered, "issues")).message, "issues is unavailable: 503")
}

test_unrelated_overlap_is_named if {
	contains(dossier.finding(_id, _named(_untriggered, [object.remove(_incident, ["mentions_commit"])])).message, "unrelated incident")
}
