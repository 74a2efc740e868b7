package app

import (
	"fmt"
	"strings"
	"time"

	"github.com/changevouch/changevouch/engine/assembly"
)

// parsePeriod reads a reporting period: a year, a month, or FROM/TO, where TO is not
// part of it. Days begin in the time zone of the company.
func parsePeriod(text string, zone *time.Location) (assembly.Span, error) {
	if year, err := time.ParseInLocation("2006", text, zone); err == nil {
		return assembly.Span{From: year, To: year.AddDate(1, 0, 0)}, nil
	}
	if month, err := time.ParseInLocation("2006-01", text, zone); err == nil {
		return assembly.Span{From: month, To: month.AddDate(0, 1, 0)}, nil
	}
	wrong := fmt.Errorf("period %q: write a month (2026-11), a year, or FROM/TO (2026-11-01/2026-12-01, days or RFC 3339, TO not included)", text)
	from, to, ok := strings.Cut(text, "/")
	if !ok {
		return assembly.Span{}, wrong
	}
	var span assembly.Span
	for place, value := range map[*time.Time]string{&span.From: from, &span.To: to} {
		at, err := time.ParseInLocation(time.DateOnly, value, zone)
		if err != nil {
			at, err = time.Parse(time.RFC3339, value)
		}
		if err != nil {
			return assembly.Span{}, wrong
		}
		*place = at
	}
	if !span.From.Before(span.To) {
		return assembly.Span{}, fmt.Errorf("period %q ends before it begins", text)
	}
	return span, nil
}
