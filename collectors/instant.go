package collectors

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"time"
)

// Instants outside this range are no instants of a change: zero dates, and what
// the JSON form of a time cannot hold.
var (
	oldest = time.Date(1971, 1, 1, 0, 0, 0, 0, time.UTC)
	newest = time.Date(2200, 1, 1, 0, 0, 0, 0, time.UTC)
)

// Instant is t as events hold it: UTC, microseconds. A time outside 1971…2200 is
// none and gives the zero time.
func Instant(t time.Time) time.Time {
	if t.Before(oldest) || t.After(newest) {
		return time.Time{}
	}
	return t.UTC().Truncate(time.Microsecond)
}

// layouts are the spellings of an instant found in payloads; the last ones carry
// no zone and mean UTC.
var layouts = []string{
	time.RFC3339Nano, "2006-01-02T15:04:05Z0700", "2006-01-02 15:04:05 -0700", "2006-01-02 15:04:05 UTC",
	"2006-01-02T15:04:05.999999999", "2006-01-02 15:04:05.999999999",
}

// ParseInstant reads an RFC 3339 instant, the close relatives that sources
// really send, or Unix seconds or milliseconds.
func ParseInstant(s string) (time.Time, error) {
	s = strings.TrimSpace(s)
	for _, layout := range layouts {
		if t, err := time.Parse(layout, s); err == nil {
			if t = Instant(t); t.IsZero() {
				break
			}
			return t, nil
		}
	}
	if n, err := strconv.ParseInt(s, 10, 64); err == nil {
		if t := unix(n); !t.IsZero() {
			return t, nil
		}
	}
	return time.Time{}, fmt.Errorf("%q is no instant: expected RFC 3339, such as 2026-03-04T15:00:00Z", s)
}

// unix reads seconds or milliseconds since 1970; small numbers are no instants.
func unix(n int64) time.Time {
	switch {
	case n > 1e11:
		return Instant(time.UnixMilli(n))
	case n > 1e8:
		return Instant(time.Unix(n, 0))
	default:
		return time.Time{}
	}
}

// latestInstant returns the latest instant that a JSON document speaks of, zero
// if none. It leaves out what lies in the future by nature (due, expiry) and the
// dates of Git commits, which are whatever the client wrote.
func latestInstant(b []byte) time.Time {
	dec := json.NewDecoder(bytes.NewReader(Text(b)))
	dec.UseNumber()
	var doc any
	if err := dec.Decode(&doc); err != nil {
		return time.Time{}
	}
	return latest("", doc)
}

func latest(key string, v any) time.Time {
	var found time.Time
	take := func(t time.Time) {
		if t.After(found) {
			found = t
		}
	}
	switch v := v.(type) {
	case map[string]any:
		_, commit := v["tree_id"]
		for k, member := range v {
			if commit && k == "timestamp" {
				continue
			}
			take(latest(k, member))
		}
	case []any:
		for _, member := range v {
			take(latest(key, member))
		}
	case string:
		if len(v) < 19 || len(v) > 40 || speaksOfFuture(key) {
			break
		}
		if t, err := ParseInstant(v); err == nil {
			take(t)
		}
	case json.Number:
		if n, err := v.Int64(); err == nil && strings.HasSuffix(key, "_at") && !speaksOfFuture(key) {
			take(unix(n))
		}
	}
	return found
}

func speaksOfFuture(key string) bool {
	key = strings.ToLower(key)
	switch key {
	case "date", "authoreddate", "authored_date", "committeddate", "committed_date":
		return true // client clocks of Git
	}
	for _, word := range []string{"expir", "due", "until", "not_after", "notafter", "next", "valid_to", "end_time", "scheduled"} {
		if strings.Contains(key, word) {
			return true
		}
	}
	return false
}
