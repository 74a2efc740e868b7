package tests.lib_grant

import data.lib.grant
import data.tests.dossier

# _used: carol's role, given by alice an hour before the change, with an approval by erin.
_approval := {"by": "erin", "at": "2026-11-10T09:30:00Z"}

_grant := {"actor": "alice@acme.example", "beneficiary": "carol", "at": "2026-11-10T10:00:00Z", "approvals": [_approval]}

_used(changes) := dossier.put(dossier.normal, "/change/related_grants", [object.union(_grant, changes)])

_faults(base) := {"unapproved": {fault.evidence | some fault in unapproved}, "unclear": {fault.evidence | some fault in unclear}} if {
	unapproved := grant.unapproved with input as base
	unclear := grant.unclear with input as base
}

_first := {"/change/related_grants/0"}

_clean := {"unapproved": set(), "unclear": set()}

_unapproved := {"unapproved": _first, "unclear": set()}

_unclear := {"unapproved": set(), "unclear": _first}

test_grants[note] if {
	some note, case in {
		"no grant": [dossier.normal, _clean],
		"approved": [_used({}), _clean],
		"approved in the old words": [_used({"approvals": [], "approved_by": "erin", "approved_at": "2026-11-10T09:30:00Z"}), _clean],
		"approved by bob too": [_used({"approvals": [{"by": "carol", "at": "2026-11-10T09:30:00Z"}, _approval]}), _clean],
		"not approved": [_used({"approvals": []}), _unapproved],
		"no word of approvals": [dossier.without(_used({}), "/change/related_grants/0/approvals"), _unapproved],
		"approved by the beneficiary": [_used({"approvals": [{"by": "carol", "at": "2026-11-10T09:30:00Z"}]}), _unapproved],
		"approved by the beneficiary's other account": [_used({"approvals": [{"by": "carol@acme.example", "at": "2026-11-10T09:30:00Z"}]}), _unapproved],
		"approved by the granter": [_used({"approvals": [{"by": "alice", "at": "2026-11-10T09:30:00Z"}]}), _unapproved],
		"approved by who asked": [_used({"requested_by": "erin"}), _unapproved],
		"approved at the grant, within the tolerance": [_used({"approvals": [{"by": "erin", "at": "2026-11-10T10:01:00Z"}]}), _clean],
		"approved a second after the tolerance": [_used({"approvals": [{"by": "erin", "at": "2026-11-10T10:01:01Z"}]}), _unapproved],
		"approved by a stranger": [_used({"approvals": [{"by": "zoe", "at": "2026-11-10T09:30:00Z"}]}), _unapproved],
		"approved by a stranger, directory unread": [dossier.unread(_used({"approvals": [{"by": "zoe", "at": "2026-11-10T09:30:00Z"}]}), "iam"), _unclear],
		"approved by a bot": [dossier.put(_used({}), "/people/3/kind", "bot"), _unapproved],
		"approved by somebody who had left": [dossier.put(_used({}), "/people/3/authorised", [{"from": "2024-01-01T00:00:00Z", "until": "2026-11-10T09:59:59Z"}]), _unapproved],
		"approved at an unknown time": [_used({"approvals": [{"by": "erin"}]}), _unclear],
		"made at an unknown time": [dossier.without(_used({}), "/change/related_grants/0/at"), _unclear],
		"not approved, made at an unknown time": [dossier.without(_used({"approvals": []}), "/change/related_grants/0/at"), _unapproved],
		"request unread": [dossier.unread(_used({"approvals": []}), "issues"), _unclear],
		"approved, though the request is unread": [dossier.unread(_used({}), "issues"), _clean],
		"not approved, at the edge of the window before the merge": [_used({"approvals": [], "at": "2026-11-09T11:00:00Z"}), _unapproved],
		"not approved, a second longer before": [_used({"approvals": [], "at": "2026-11-09T10:59:59Z"}), _clean],
		"names nobody": [dossier.put(dossier.normal, "/change/related_grants", [{"at": "2026-11-10T10:00:00Z", "approvals": [_approval]}]), _unclear],
		"in other words": [dossier.put(dossier.normal, "/change/related_grants", [{"granted_by": "alice", "granted_to": "carol", "granted_at": "2026-11-10T10:00:00Z", "request": {"approvals": [_approval]}}]), _clean],
		"in other words, approved by who gains": [dossier.put(dossier.normal, "/change/related_grants", [{"granted_by": "alice", "granted_to": "erin", "granted_at": "2026-11-10T10:00:00Z", "issue": {"approvals": [_approval]}}]), _unapproved],
		"as an event": [dossier.put(dossier.normal, "/change/related_grants", [{"event": {"actor": "alice@acme.example", "beneficiary": "carol", "at": "2026-11-10T10:00:00Z"}, "issue": {"approvals": [_approval]}}]), _clean],
		"to an account nobody has": [_used({"beneficiary": "zoe"}), _clean],
		"to an account, directory unread": [dossier.unread(_used({"beneficiary": "zoe"}), "iam"), _unclear],
		"directory unread, everybody known": [dossier.unread(_used({}), "iam"), _clean],
	}
	_faults(case[0]) == case[1]
}

test_names_holder_and_time[note] if {
	some note, base in {
		"carol at 2026-11-10T10:00:00Z": _used({"approvals": []}),
		"dave at 2026-11-10T10:00:00Z": dossier.without(_used({"approvals": [], "to": "dave"}), "/change/related_grants/0/beneficiary"),
		"alice@acme.example at 2026-11-10T10:00:00Z": dossier.without(_used({"approvals": []}), "/change/related_grants/0/beneficiary"),
		"a grant at an unknown time": dossier.put(dossier.normal, "/change/related_grants", [{}]),
	}
	faults := grant.unapproved with input as base
	some fault in faults
	fault.text == note
}
