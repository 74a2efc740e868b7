package tests.cm_7_3

import data.tests.dossier

_id := "CM-7.3"

# Evaluated on 20 November 2026 at 09:00; 90 days before is 22 August.
_review := dossier.subject("access_review", {
	"system": "render",
	"last_completed_at": "2026-08-22T09:00:00Z",
	"entries": [{"holder": "alice", "reviewer": "carol"}, {"holder": "carol", "reviewer": "erin"}],
})

_put(path, value) := dossier.put(_review, concat("", ["/access_review/", path]), value)

_without(path) := dossier.without(_review, concat("", ["/access_review/", path]))

_people(review) := object.union(review, {"people": [dossier.alice, dossier.bob, dossier.carol, dossier.erin]})

_decided(fields) := _put("entries/0", object.union({"holder": "alice", "reviewer": "carol", "decision": "Remove"}, fields))

test_status[note] if {
	some note, case in {
		"ninety days to the second": [_review, "pass", []],
		"a second more": [_put("last_completed_at", "2026-08-22T08:59:59Z"), "fail", ["ar.overdue"]],
		"91 days": [_put("last_completed_at", "2026-08-21T09:00:00Z"), "fail", ["ar.overdue"]],
		"89 days": [_put("last_completed_at", "2026-08-23T09:00:00Z"), "pass", []],
		"never": [_without("last_completed_at"), "fail", ["ar.never"]],
		"completed this second": [_put("last_completed_at", "2026-11-20T09:00:00Z"), "pass", []],
		"planned": [_put("last_completed_at", "2026-11-20T09:00:01Z"), "fail", ["ar.never"]],
		"never, records unread": [dossier.unread(_without("last_completed_at"), "issues"), "unknown", ["ar.never"]],
		"never, attestations unread": [dossier.unread(_without("last_completed_at"), "attestations"), "unknown", ["ar.never"]],
		"own access": [_put("entries/0", {"holder": "alice", "reviewer": "alice"}), "fail", ["ar.self"]],
		"own access in other letters": [_put("entries/0", {"holder": "alice", "reviewer": "Alice"}), "fail", ["ar.self"]],
		"own access from another account": [_people(_put("entries/0", {"holder": "alice@acme.example", "reviewer": "alice"})), "fail", ["ar.self"]],
		"two persons": [_people(_review), "pass", []],
		"holder left out": [_put("unreviewed_holders", ["frank"]), "fail", ["ar.incomplete"]],
		"nobody left out": [_put("unreviewed_holders", []), "pass", []],
		"reviewed by nobody": [dossier.without(_review, "/access_review/entries/0/reviewer"), "fail", ["ar.incomplete"]],
		"reviewed by nobody, records unread": [dossier.unread(dossier.without(_review, "/access_review/entries/0/reviewer"), "issues"), "unknown", ["ar.incomplete"]],
		"whose access is not on record": [dossier.without(_review, "/access_review/entries/0/holder"), "unknown", ["ar.incomplete"]],
		"an empty entry": [_put("entries/0", {}), "fail", ["ar.incomplete"]],
		"removal carried out": [_decided({"removed_at": "2026-08-22T10:00:00Z"}), "pass", []],
		"removal carried out this second": [_decided({"removed_at": "2026-11-20T09:00:00Z"}), "pass", []],
		"removal to come": [_decided({"removed_at": "2026-11-20T09:00:01Z"}), "fail", ["ar.incomplete"]],
		"removal not on record": [_decided({}), "fail", ["ar.incomplete"]],
		"removal not on record, access events unread": [dossier.put(_decided({}), "/sources/iam", {"status": "incomplete", "missing": ["cloudtrail"]}), "unknown", ["ar.incomplete"]],
		"kept": [_decided({"decision": "keep"}), "pass", []],
		"removed": [_decided({"decision": "removed"}), "pass", []],
		"no entries": [_put("entries", []), "fail", ["ar.incomplete"]],
		"entries not on record": [_without("entries"), "fail", ["ar.incomplete"]],
		"entries unread": [dossier.unread(_without("entries"), "attestations"), "unknown", ["ar.incomplete"]],
		"members unread": [dossier.unread(_review, "iam"), "unknown", ["ar.incomplete"]],
		"overdue, though members unread": [dossier.unread(_put("last_completed_at", "2026-08-21T09:00:00Z"), "iam"), "fail", ["ar.overdue"]],
		"everything wrong": [
			json.patch(_review, [
				{"op": "replace", "path": "/access_review/last_completed_at", "value": "2026-01-01T00:00:00Z"},
				{"op": "replace", "path": "/access_review/entries/1/reviewer", "value": "carol"},
				{"op": "add", "path": "/access_review/unreviewed_holders", "value": ["frank"]},
			]),
			"fail", ["ar.incomplete", "ar.overdue", "ar.self"],
		],
		"no system": [_without("system"), "pass", []],
		"nothing known": [dossier.subject("access_review", {}), "fail", ["ar.never"]],
	}
	dossier.says(_id, case[0], case[1], case[2])
}

test_says_when_the_next_is_due if {
	contains(dossier.finding(_id, _review).message, "the next review is due by 2026-11-20T09:00:00Z")
}

_overdue := _people(_put("last_completed_at", "2026-08-01T09:00:00Z"))

# A waiver of an overdue review has to be in force when it is due, and still be now.
test_waiver[note] if {
	some note, case in {
		"valid": [{"requested_by": "alice", "approved_by": "bob", "approved_at": "2026-10-30T09:00:00Z", "expires_at": "2027-01-20T00:00:00Z"}, "waived"],
		"by a reviewer of the last review": [{"requested_by": "alice", "approved_by": "erin", "approved_at": "2026-10-30T09:00:00Z", "expires_at": "2027-01-20T00:00:00Z"}, "waived"],
		"a second late": [{"approved_by": "bob", "approved_at": "2026-10-30T09:00:01Z", "expires_at": "2027-01-20T00:00:00Z"}, "fail"],
		"lasted a month": [{"approved_by": "bob", "approved_at": "2026-10-30T09:00:00Z", "expires_at": "2026-11-19T00:00:00Z"}, "fail"],
	}
	dossier.status(_id, dossier.waived(_overdue, _id, case[0])) == case[1]
}

test_waiver_of_what_was_left_out if {
	dossier.status(_id, dossier.waived(_people(_put("unreviewed_holders", ["frank"])), _id, {"requested_by": "alice", "approved_by": "bob"})) == "waived"
}
