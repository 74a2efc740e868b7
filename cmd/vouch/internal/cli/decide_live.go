package cli

import (
	"context"
	"errors"
	"fmt"

	"github.com/spf13/pflag"

	"github.com/changevouch/changevouch/cmd/vouch/internal/app"
	"github.com/changevouch/changevouch/collectors"
	"github.com/changevouch/changevouch/engine/store"
)

// prefixed declares the flags by which one source names live systems, with its name in
// front, since several sources share names such as --token-file. They see the --since
// of the command.
func prefixed(flags *pflag.FlagSet, source string, declare liveFlags) liveSystems {
	own := pflag.NewFlagSet(source, pflag.ContinueOnError)
	open := declare(own)
	own.VisitAll(func(f *pflag.Flag) {
		f.Name = source + "-" + f.Name
		f.Usage = source + ": " + f.Usage
		flags.AddFlag(f)
	})
	own.AddFlag(flags.Lookup("since"))
	return func(ctx context.Context, s app.Surroundings) ([]collectors.Collector, error) {
		s.Prefix = source + "-"
		return open(ctx, s)
	}
}

// collect reads the live systems that the command line names, into the journal.
func (f *decideFlags) collect(ctx context.Context, sys System, s *store.Store) error {
	began := sys.Now().UTC()
	window, err := f.window.window(began)
	if err != nil {
		return err
	}
	line := startFollowing(sys)
	defer line.end()
	var all []collectors.Collector
	for _, source := range app.Collectors() {
		found, err := f.live[source.Name](ctx, app.Surroundings{LookupEnv: sys.LookupEnv, Notice: line.println, Now: began})
		if err != nil {
			return fmt.Errorf("%s: %w", source.Name, err)
		}
		all = append(all, found...)
	}
	if len(all) == 0 {
		return nil
	}
	if f.sample {
		return errors.New("--sample brings its own recordings: leave live systems out")
	}
	live := app.Live{Window: window, Spool: app.Spool(s)}
	summaries, err := live.Collect(ctx, all, line.step)
	line.end()
	broken := 0
	for _, summary := range summaries {
		tellSummary(sys, summary, false)
		broken += summary.Broken
	}
	if err != nil {
		return fmt.Errorf("%w\nWhat was read is recorded, nothing was decided: run the same command again to go on", err)
	}
	if broken > 0 {
		return fmt.Errorf("%s could not be read; the other events are recorded, nothing was decided", plural(broken, "record"))
	}
	return nil
}
