# METADATA
# title: Clock
# description: Instants, deadlines and business days. Instants are nanoseconds since 1970 UTC; all deadlines are inclusive.
# scope: package
package lib.clock

second := 1000000000

minute := 60 * second

hour := 60 * minute

day := 24 * hour

# The only now a rule may know.
now := instant(input.evaluated_at)

# instant reads an RFC 3339 text with any offset.
instant(text) := time.parse_rfc3339_ns(text)

# text writes an instant as RFC 3339 in UTC.
text(ns) := time.format([ns, "UTC", "2006-01-02T15:04:05.999999999Z07:00"])

# reached: the deadline has passed. At the deadline itself it has not.
passed(deadline) if now > deadline

skew := data.settings.clock_skew_seconds * second

settling := data.settings.settling_minutes * minute

# after_business_days is the instant n business days after start in the
# company's time zone, at the same local time of day. A start on a day off counts
# from 00:00 of the next business day.
after_business_days(start, n) := instant_of(wall) if {
	zone := data.settings.business_timezone
	days := _business_days_from(_local_day(start, zone), n)
	time_of_day := _time_of_day(start, zone, days[0])
	wall := days[n] + time_of_day
}

# _business_days_from lists n+1 business days, as midnights of the local
# calendar, beginning with the first that is not before from.
_business_days_from(from, n) := array.slice(candidates, 0, n + 1) if {
	horizon := ((2 * n) + count(data.settings.holidays)) + 10
	candidates := [midnight |
		some offset in numbers.range(0, horizon)
		midnight := from + (offset * day)
		_is_business_day(midnight)
	]
}

_is_business_day(midnight) if {
	not time.weekday(midnight) in {"Saturday", "Sunday"}
	not time.format([midnight, "UTC", "2006-01-02"]) in data.settings.holidays
}

# The local calendar day of an instant, as midnight of that date.
_local_day(ns, zone) := time.parse_ns("2006-01-02", time.format([ns, zone, "2006-01-02"]))

_time_of_day(ns, zone, first) := _wall(ns, zone) - first if first == _local_day(ns, zone)

_time_of_day(ns, zone, first) := 0 if first != _local_day(ns, zone)

# _wall reads the local date and time of an instant as if it were UTC.
_wall(ns, zone) := time.parse_rfc3339_ns(concat("", [
	time.format([ns, zone, "2006-01-02T15:04:05.999999999"]),
	"Z",
]))

# instant_of is the instant at which clocks in the company's zone show wall. When
# clocks go back and show it twice, the later one; when they go forward and skip
# it, as much later as was skipped.
instant_of(wall) := max(shown) if {
	shown := {candidate |
		some candidate in _candidates(wall)
		_wall(candidate, data.settings.business_timezone) == wall
	}
	count(shown) > 0
} else := max(_candidates(wall))

_candidates(wall) := {candidate |
	some side in [wall - day, wall + day]
	candidate := wall - (_wall(side, data.settings.business_timezone) - side)
}

# How late an instant is, for people: "2 d 3 h", "59 min", "1 s".
span(ns) := sprintf("%d d %d h", [floor(ns / day), floor((ns % day) / hour)]) if ns >= day

span(ns) := sprintf("%d h %d min", [floor(ns / hour), floor((ns % hour) / minute)]) if {
	ns >= hour
	ns < day
}

span(ns) := sprintf("%d min", [floor(ns / minute)]) if {
	ns >= minute
	ns < hour
}

span(ns) := sprintf("%d s", [ceil(ns / second)]) if ns < minute
