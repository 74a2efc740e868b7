package tests.lib_clock

import data.lib.clock

_after(start, n, zone, holidays) := clock.text(due) if {
	due := clock.after_business_days(clock.instant(start), n) with data.settings.business_timezone as zone
		with data.settings.holidays as holidays
}

# Tables of start, business days, zone, holidays and the instant they lead to.
test_business_days[note] if {
	some note, case in {
		"within a week": ["2026-11-10T11:06:00Z", 3, "UTC", [], "2026-11-13T11:06:00Z"],
		"none": ["2026-11-10T11:06:00Z", 0, "UTC", [], "2026-11-10T11:06:00Z"],
		"over a weekend": ["2026-11-12T11:06:00Z", 3, "UTC", [], "2026-11-17T11:06:00Z"],
		"from a Friday": ["2026-11-13T23:59:59Z", 1, "UTC", [], "2026-11-16T23:59:59Z"],
		"from a Saturday": ["2026-11-14T11:06:00Z", 3, "UTC", [], "2026-11-19T00:00:00Z"],
		"from a Sunday, none": ["2026-11-15T11:06:00Z", 0, "UTC", [], "2026-11-16T00:00:00Z"],
		"over a holiday": ["2026-12-23T09:00:00Z", 3, "UTC", ["2026-12-25"], "2026-12-29T09:00:00Z"],
		"from a holiday": ["2026-12-25T09:00:00Z", 1, "UTC", ["2026-12-25"], "2026-12-29T00:00:00Z"],
		"holiday on a weekend counts once": ["2026-11-13T09:00:00Z", 1, "UTC", ["2026-11-14"], "2026-11-16T09:00:00Z"],
		"a week of holidays": ["2026-12-23T09:00:00Z", 1, "UTC", ["2026-12-24", "2026-12-25", "2026-12-28", "2026-12-29", "2026-12-30", "2026-12-31", "2027-01-01"], "2027-01-04T09:00:00Z"],
		"sub-second": ["2026-11-10T11:06:00.123456789Z", 1, "UTC", [], "2026-11-11T11:06:00.123456789Z"],
		"Friday here, Saturday in UTC": ["2026-11-14T02:00:00Z", 1, "America/New_York", [], "2026-11-17T02:00:00Z"],
		"Saturday here, Friday in UTC": ["2026-11-13T20:00:00Z", 1, "Asia/Tokyo", [], "2026-11-16T15:00:00Z"],
		"clocks go back, Berlin": ["2026-10-23T15:30:00Z", 3, "Europe/Berlin", [], "2026-10-28T16:30:00Z"],
		"clocks go forward, Berlin": ["2026-03-27T16:30:00Z", 1, "Europe/Berlin", [], "2026-03-30T15:30:00Z"],
		"clocks go back, New York": ["2026-10-30T16:00:00Z", 1, "America/New_York", [], "2026-11-02T17:00:00Z"],
		"clocks go forward, New York": ["2026-03-06T17:00:00Z", 1, "America/New_York", [], "2026-03-09T16:00:00Z"],
		"from a Sunday that clocks change": ["2026-10-25T00:30:00Z", 1, "Europe/Berlin", [], "2026-10-26T23:00:00Z"],
		"southern summer, Sydney": ["2026-10-01T23:00:00Z", 1, "Australia/Sydney", [], "2026-10-04T22:00:00Z"],
		"half hours, Kolkata": ["2026-11-13T18:29:59Z", 1, "Asia/Kolkata", [], "2026-11-16T18:29:59Z"],
		"half hours, first second of Saturday": ["2026-11-13T18:30:00Z", 1, "Asia/Kolkata", [], "2026-11-16T18:30:00Z"],
		"offset in the text": ["2026-11-10T13:06:00+02:00", 1, "UTC", [], "2026-11-11T11:06:00Z"],
		"over new year": ["2026-12-31T12:00:00Z", 1, "UTC", ["2027-01-01"], "2027-01-04T12:00:00Z"],
		"many": ["2026-11-02T09:00:00Z", 40, "UTC", [], "2026-12-28T09:00:00Z"],
	}
	_after(case[0], case[1], case[2], case[3]) == case[4]
}

# What clocks show twice is the later; what they skip is as much later.
test_wall[note] if {
	some note, case in {
		"shown twice": ["2026-10-25T02:30:00Z", "Europe/Berlin", "2026-10-25T01:30:00Z"],
		"skipped": ["2026-03-29T02:30:00Z", "Europe/Berlin", "2026-03-29T01:30:00Z"],
		"just before the gap": ["2026-03-29T01:59:59Z", "Europe/Berlin", "2026-03-29T00:59:59Z"],
		"just after the gap": ["2026-03-29T03:00:00Z", "Europe/Berlin", "2026-03-29T01:00:00Z"],
		"midnight skipped, Cairo": ["2026-04-24T00:00:00Z", "Africa/Cairo", "2026-04-23T22:00:00Z"],
		"plain": ["2026-11-10T11:06:00Z", "Europe/Berlin", "2026-11-10T10:06:00Z"],
	}
	found := clock.instant_of(clock.instant(case[0])) with data.settings.business_timezone as case[1]
	clock.text(found) == case[2]
}

test_instants_compare_by_offset if {
	clock.instant("2026-11-10T12:00:00+02:00") == clock.instant("2026-11-10T10:00:00Z")
	clock.instant("2026-11-10T09:30:00-02:00") > clock.instant("2026-11-10T10:59:59Z")
}

test_deadlines_are_inclusive[note] if {
	some note, case in {
		"a second early": ["2026-11-10T10:59:59Z", false],
		"at the second": ["2026-11-10T11:00:00Z", false],
		"a nanosecond later": ["2026-11-10T11:00:00.000000001Z", true],
		"a second later": ["2026-11-10T11:00:01Z", true],
	}
	_passed(case[0]) == case[1]
}

default _passed(_) := false

_passed(moment) if {
	clock.passed(clock.instant("2026-11-10T11:00:00Z")) with input.evaluated_at as moment
}

test_span[note] if {
	some note, case in {
		"0 s": 0,
		"1 s": clock.second,
		"2 s": clock.second + 1,
		"59 min": 59 * clock.minute,
		"1 min": 119 * clock.second,
		"60 s": clock.minute - 1,
		"1 h 0 min": clock.hour,
		"2 h 0 min": 2 * clock.hour,
		"23 h 59 min": clock.day - clock.second,
		"1 d 0 h": clock.day,
		"2 d 3 h": (2 * clock.day) + (3 * clock.hour),
	}
	clock.span(case) == note
}

test_span_of_a_minute if clock.span(clock.minute) == "1 min"
