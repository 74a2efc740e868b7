package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/pflag"

	"github.com/changevouch/changevouch/cmd/vouch/internal/app"
	"github.com/changevouch/changevouch/collectors"
	"github.com/changevouch/changevouch/engine"
)

// liveFlags declares the flags by which a command line names live systems of one
// kind. The function it returns gives their collectors, none when no flag did.
type liveFlags func(*pflag.FlagSet) liveSystems

// liveSystems opens them. Its errors name flags and variables.
type liveSystems func(context.Context, app.Surroundings) ([]collectors.Collector, error)

// liveSources are the commands below collect that read live systems.
func liveSources() map[string]liveFlags {
	return map[string]liveFlags{"git": both(gitFlags, cloneFlags), "render": renderFlags, "iam": iamFlags}
}

// both lets one command line name live systems of two kinds.
func both(a, b liveFlags) liveFlags {
	return func(flags *pflag.FlagSet) liveSystems {
		openA, openB := a(flags), b(flags)
		return func(ctx context.Context, s app.Surroundings) ([]collectors.Collector, error) {
			all, err := openA(ctx, s)
			if err != nil {
				return nil, err
			}
			more, err := openB(ctx, s)
			return append(all, more...), err
		}
	}
}

// windowFlags are shared by all of them.
type windowFlags struct {
	since, until, into string
	dryRun             bool
}

func (f *windowFlags) declare(flags *pflag.FlagSet) {
	flags.StringVar(&f.since, "since", "90d", "read live from this instant on: RFC 3339, or so long ago, such as 30d or 12h")
	flags.StringVar(&f.until, "until", "", "read live up to this instant (default: now)")
	flags.StringVar(&f.into, "into", "", "keep live events and how far they reach in this folder; the next run goes on from there")
	flags.BoolVar(&f.dryRun, "dry-run", false, "read live, and say what would be kept, but keep nothing")
}

func (f *windowFlags) window(now time.Time) (collectors.Window, error) {
	since, err := moment("since", f.since, now)
	if err != nil {
		return collectors.Window{}, err
	}
	until, err := moment("until", f.until, now)
	if err != nil {
		return collectors.Window{}, err
	}
	return collectors.Window{Since: since, Until: until}, nil
}

// moment reads an instant, or how long ago one was; nothing is now.
func moment(flag, value string, now time.Time) (time.Time, error) {
	ago, err := time.ParseDuration(value)
	if days, ok := strings.CutSuffix(value, "d"); ok {
		var n int
		n, err = strconv.Atoi(days)
		ago = time.Duration(n) * 24 * time.Hour
	}
	switch at, instantErr := time.Parse(time.RFC3339, value); {
	case value == "":
		return now.UTC(), nil
	case instantErr == nil:
		return at.UTC(), nil
	case err == nil && ago >= 0 && ago < 100*366*24*time.Hour:
		return now.UTC().Add(-ago), nil
	}
	return time.Time{}, fmt.Errorf("--%s %q is neither an RFC 3339 instant, such as 2026-11-02T09:30:00Z, nor a duration, such as 30d or 12h", flag, value)
}

// collectLive reads live systems and tells what was seen and what was not.
func collectLive(ctx context.Context, sys System, f windowFlags, out string, open liveSystems) error {
	if f.into != "" && out != "" {
		return errors.New("events go into the folder of --into or into the file of --out, not both")
	}
	began := sys.Now().UTC()
	window, err := f.window(began)
	if err != nil {
		return err
	}
	line := startFollowing(sys)
	defer line.end()
	all, err := open(ctx, app.Surroundings{LookupEnv: sys.LookupEnv, Notice: line.println, Now: began})
	if err != nil {
		return err
	}
	if len(all) == 0 {
		return errors.New("nothing to read: name files or folders with --from, or a live system; --help lists the flags")
	}
	var summaries []collectors.Summary
	collect := func(w io.Writer) (err error) {
		live := app.Live{Window: window, Folder: f.into, Out: w, DryRun: f.dryRun}
		summaries, err = live.Collect(ctx, all, line.step)
		return err
	}
	if f.into != "" || f.dryRun {
		err = collect(nil)
	} else {
		err = writeTo(sys, out, collect)
	}
	line.end()
	broken := 0
	for _, s := range summaries {
		tellSummary(sys, s, f.dryRun)
		broken += s.Broken
	}
	switch {
	case err != nil && f.into != "" && !f.dryRun:
		return fmt.Errorf("%w\nWhat was read is kept: run the same command again to go on", err)
	case err != nil:
		return err
	case broken > 0:
		return fmt.Errorf("%s could not be read; the other events were kept", plural(broken, "record"))
	}
	return nil
}

func tellSummary(sys System, s collectors.Summary, dryRun bool) {
	would := ""
	if dryRun {
		would = ", none kept"
	}
	sys.tell("%s: %s in %s%s", s.Name, plural(s.Events, "event"), plural(s.Steps, "step"), would)
	for _, c := range s.Coverage {
		sys.tell("  %s %s, %s to %s%s", c.Source, c.Status, c.From.Format(time.RFC3339), c.To.Format(time.RFC3339), reasonOf(c))
	}
	if len(s.Ignored) > 0 {
		var parts []string
		for _, kind := range slices.Sorted(maps.Keys(s.Ignored)) {
			parts = append(parts, fmt.Sprintf("%d %s", s.Ignored[kind], kind))
		}
		sys.tell("  ignored: %s", strings.Join(parts, ", "))
	}
	for _, c := range s.Conflicts {
		sys.tell("  conflict: %v", c)
	}
	for _, f := range s.Faults {
		sys.tell("  %v", f)
	}
}

func reasonOf(c engine.CoverageFact) string {
	if c.Reason == "" {
		return ""
	}
	return "\n    " + strings.ReplaceAll(c.Reason, "; ", "\n    ")
}
