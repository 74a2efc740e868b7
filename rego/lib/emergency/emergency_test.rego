package tests.lib_emergency

import data.lib.clock
import data.lib.emergency
import data.tests.dossier

test_status[note] if {
	some note, case in {
		"triggered": [dossier.emergency, "pass"],
		"not declared": [dossier.normal, "none"],
		"no trigger": [dossier.without(dossier.emergency, "/change/emergency_trigger"), "fail"],
		"tracker unread": [dossier.unread(dossier.without(dossier.emergency, "/change/emergency_trigger"), "issues"), "unknown"],
	}
	_status(case[0]) == case[1]
}

_status(given) := status if {
	status := emergency.status with input as given
} else := "none"

test_moments if {
	documented := emergency.documentation_due with input as dossier.emergency
	clock.text(documented) == "2026-11-11T11:06:00Z"
	reviewed := emergency.review_due with input as dossier.emergency
	clock.text(reviewed) == "2026-11-13T11:06:00Z"
	merged := emergency.decisive with input as dossier.without(dossier.emergency, "/change/deployments")
	clock.text(merged) == "2026-11-10T11:00:00Z"
}

test_trigger_pointer if {
	linked := emergency.trigger_pointer with input as dossier.emergency
	linked == "/change/emergency_trigger"
	incident := object.union(dossier.emergency.change.emergency_trigger, {"mentions_commit": dossier.merge})
	named := emergency.trigger_pointer with input as dossier.put(dossier.without(dossier.emergency, "/change/emergency_trigger"), "/change/concurrent_incidents", [object.remove(incident, ["mentions_commit"]), incident])
	named == "/change/concurrent_incidents/1"
}
