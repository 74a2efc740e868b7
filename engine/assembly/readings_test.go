package assembly

import (
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/changevouch/changevouch/engine"
)

// What readings say of a subject does not depend on how few of them are kept.
func TestReadingsJoined(t *testing.T) {
	day := func(n int) *time.Time { return ptr(at("2026-11-01T00:00:00Z").Add(time.Duration(n) * 6 * time.Hour)) }
	rapid.Check(t, func(t *rapid.T) {
		var events []engine.Event
		for i := range rapid.IntRange(0, 14).Draw(t, "readings") {
			c := engine.CoverageFact{
				Source: rapid.SampledFrom([]string{"github", "iam"}).Draw(t, "source"), Status: rapid.SampledFrom([]string{"complete", "incomplete", "unavailable"}).Draw(t, "status"),
				Repository: rapid.SampledFrom([]string{"", repo, "acme/other"}).Draw(t, "repository"), System: rapid.SampledFrom([]string{"", "aws"}).Draw(t, "system"),
			}
			if rapid.Bool().Draw(t, "window") {
				from := rapid.IntRange(0, 8).Draw(t, "from")
				c.From, c.To = day(from), day(from+rapid.IntRange(0, 3).Draw(t, "length"))
			}
			if names := rapid.SliceOfNDistinct(rapid.SampledFrom([]string{"reviews", "files", "access_events"}), 0, 2, rapid.ID).Draw(t, "facts"); c.Status == "complete" {
				c.Facts = names
			} else {
				c.Missing, c.Reason = names, rapid.SampledFrom([]string{"", "no right to read", "timeout"}).Draw(t, "reason")
			}
			e := tell(fmt.Sprintf("coverage:%d", i), "coverage.recorded", "2026-11-10T00:00:00Z", "", c)
			e.ObservedAt = *day(rapid.IntRange(0, 12).Draw(t, "observed"))
			events = append(events, e)
		}
		few := newAssembler(events, Directory{Complete: true}, Options{At: at("2026-11-12T00:00:00Z")})
		all := newAssembler(events, Directory{Complete: true}, Options{At: at("2026-11-12T00:00:00Z")})
		all.stretches, all.answered = all.windows, map[string][]fact[engine.CoverageFact]{}
		for _, f := range all.coverage {
			if !isWindow(f.Data) || f.Data.Repository != "" {
				all.answered[f.Data.Source+" "] = append(all.answered[f.Data.Source+" "], split(f)...)
			}
		}
		for from := range 10 {
			for _, open := range []bool{false, true} {
				s := scope{repositories: []string{repo}, from: *day(from), to: *day(from + rapid.IntRange(0, 2).Draw(t, "lasts")), open: open}
				if diff := cmp.Diff(all.sources(s), few.sources(s)); diff != "" {
					t.Fatalf("from %d, open %v: %s", from, open, diff)
				}
				if got, want := few.windowCovers("iam", s.from), all.windowCovers("iam", s.from); got != want {
					t.Fatalf("iam at %v: covered %v, want %v", s.from, got, want)
				}
			}
		}
	})
}
