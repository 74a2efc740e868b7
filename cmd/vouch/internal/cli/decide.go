package cli

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/spf13/cobra"

	"github.com/changevouch/changevouch/cmd/vouch/internal/app"
	"github.com/changevouch/changevouch/engine"
	"github.com/changevouch/changevouch/engine/assembly"
	"github.com/changevouch/changevouch/engine/report"
	"github.com/changevouch/changevouch/engine/store"
)

type decideFlags struct {
	evalFlags
	journal    app.JournalConfig
	events     []string
	recordings map[string]*[]string // paths by source
	live       map[string]liveSystems
	window     windowFlags
	directory  string
	sample     bool
	periods    []string
}

func newDecideCommand(sys System) *cobra.Command {
	f := decideFlags{recordings: map[string]*[]string{}, live: map[string]liveSystems{}}
	cmd := &cobra.Command{
		Use:   "decide --directory FILE [--events PATH] [--git PATH] [--render PATH] [--iam PATH]",
		Short: "Collect, assemble, judge and record in one step",
		Long: `Record what sources said, judge what follows from all that the journal holds, and
record the decisions. Only what changed is judged again: dossiers with another
content, a deadline that passed, or another policy. The result shows what was
decided; a decision is shown when its record is durable.

Live systems are named by the flags of vouch collect, with the name of the source in
front: --git-github is --github of vouch collect git. How far they were read is kept
in the journal, so that the next run goes on from there.

Without new events the journal's own are judged: run it so for deadlines. The exit
code tells of all subjects as they stand, judged this time or before. The journal
judges by its releases (vouch release); while it has none, by the built-in policy
or by --bundle and --settings.`,
		Example: `  vouch decide --sample
  vouch decide --events events.ndjson --directory directory.yaml
  vouch decide --git recordings/github --render recordings/render --directory directory.yaml
  vouch decide --git-github acme/shop --render-owner tea-acme --directory directory.yaml
  vouch decide --directory directory.yaml --store sqlite:/srv/vouch/journal.db`,
		Args: noArguments,
		RunE: func(cmd *cobra.Command, _ []string) error { return decide(cmd.Context(), sys, f) },
	}
	flags := cmd.Flags()
	addJournalFlags(cmd, &f.journal)
	flags.StringSliceVar(&f.events, "events", nil, "file or folder of events, or - for standard input; repeatable")
	flags.StringVar(&f.window.since, "since", "90d", "read live from this instant on: RFC 3339, or so long ago, such as 30d or 12h")
	flags.StringVar(&f.window.until, "until", "", "read live up to this instant (default: now)")
	for _, source := range app.Collectors() {
		f.live[source.Name] = prefixed(flags, source.Name, liveSources()[source.Name])
		var paths []string
		f.recordings[source.Name] = &paths
		flags.StringSliceVar(&paths, source.Name, nil, "file or folder of recordings for vouch collect "+source.Name+"; repeatable")
	}
	flags.StringVar(&f.directory, "directory", "", "people, services and waivers, YAML or JSON")
	flags.StringSliceVar(&f.periods, "period", nil, periodHelp)
	flags.BoolVar(&f.sample, "sample", false, "take the recorded month of an invented company, as vouch demo does")
	flags.StringVar(&f.at, "at", "", "instant (RFC 3339) at which to judge (default: now)")
	f.declare(cmd)
	return cmd
}

func decide(ctx context.Context, sys System, f decideFlags) error {
	at, err := instant("at", f.at)
	if err != nil {
		return err
	}
	if f.sample {
		work, err := os.MkdirTemp("", "vouch-sample-*")
		if err != nil {
			return fmt.Errorf("sample: %w", err)
		}
		defer os.RemoveAll(work)
		if at, err = f.takeSample(work, at); err != nil {
			return err
		}
	}
	if at.IsZero() {
		at = sys.Now()
	}
	if now := sys.Now(); at.After(now) {
		sys.tell("--at %s is still to come: until then nothing takes the place of what is decided now", at.UTC().Format(time.RFC3339))
	}
	if f.directory == "" {
		return errors.New("no directory named: --directory FILE says who the people are (--sample brings one)")
	}
	dir, err := app.ReadDirectory(f.directory)
	if err != nil {
		return err
	}
	events, err := f.newEvents(ctx, sys)
	if err != nil {
		return err
	}
	return writing(ctx, f.journal, func(s *store.Store) error {
		policy, err := app.OpenStandingPolicy(ctx, s, f.policy, at, sys.Version)
		if err != nil {
			return err
		}
		added, err := s.AddEvents(ctx, events, nil)
		if err != nil {
			return err
		}
		if len(events) > 0 {
			sys.tell("%s recorded, %d known already", plural(added, "event"), len(events)-added)
		}
		if err := f.collect(ctx, sys, s); err != nil {
			return err
		}
		return f.run(ctx, sys, app.Decide{Record: app.NewRecord(s), Policy: policy, Directory: dir, At: at.UTC(), Periods: f.periods})
	})
}

// takeSample names the sample's recordings, directory and instant where the command
// line names none.
func (f *decideFlags) takeSample(work string, at time.Time) (time.Time, error) {
	if f.directory != "" || len(f.events) > 0 {
		return at, errors.New("--sample brings its own events and directory: leave --events and --directory out")
	}
	sample, err := app.OpenSample(filepath.Join(work, "acme"))
	if err != nil {
		return at, err
	}
	f.directory = sample.Directory()
	for name, paths := range f.recordings {
		if len(*paths) > 0 {
			return at, fmt.Errorf("--sample brings its own recordings: leave --%s out", name)
		}
		*paths = []string{sample.Recordings(name)}
	}
	if at.IsZero() {
		at = sample.At
	}
	return at, nil
}

// newEvents reads and checks all that the command line names; with a fault nothing is
// recorded.
func (f *decideFlags) newEvents(ctx context.Context, sys System) ([]engine.Event, error) {
	var events []engine.Event
	if len(f.events) > 0 {
		err := readEvents(ctx, sys, f.events, "decided", func(ctx context.Context, docs *app.Documents, fault func(string)) (err error) {
			events, err = app.ReadEvents(ctx, docs, fault)
			return err
		})
		if err != nil {
			return nil, err
		}
	}
	for _, source := range app.Collectors() {
		paths := *f.recordings[source.Name]
		if len(paths) == 0 {
			continue
		}
		result, err := source.Read(ctx, paths)
		if err != nil {
			return nil, err
		}
		for _, c := range result.Conflicts {
			sys.tell("conflict: %v", c)
		}
		for _, fault := range result.Faults {
			sys.tell("%v", fault)
		}
		switch {
		case len(result.Faults) > 0:
			return nil, fmt.Errorf("%s of %s could not be read: nothing was recorded", plural(len(result.Faults), "record"), source.Name)
		case len(result.Events) == 0:
			return nil, fmt.Errorf("the recordings named by --%s hold no event of this source", source.Name)
		}
		events = append(events, result.Events...)
	}
	return events, nil
}

// run judges and shows what was decided.
func (f *decideFlags) run(ctx context.Context, sys System, d app.Decide) error {
	out, err := openOutputs(sys, f.outputs, f.noColour, f.explain)
	if err != nil {
		return err
	}
	defer out.discard()
	judging := startProgress(sys, "judged", isTerminal(sys.Stdout))
	defer judging.end()
	done, err := d.Run(ctx, app.Deciding{
		Judged: func(j report.Judgement) error {
			judging.step()
			return out.add(j)
		},
		Undecided: func(err error) {
			out.summary.Undecided++
			judging.println(err.Error())
		},
		Problem: func(p assembly.Problem) { judging.println(fmt.Sprintf("look at %v", p)) },
	})
	judging.end()
	if err != nil {
		return err
	}
	if err := out.end(); err != nil {
		return err
	}
	if done.Later > 0 {
		sys.tell("%s left alone: the journal holds decisions of a later moment, which an older view does not replace (vouch eval --at says what it would have been)", plural(done.Later, "subject"))
	}
	sys.tell("%d decided, %d unchanged; as it stands, %v", done.Judged, done.Unchanged, done.Standing)
	return f.verdict(done.Standing)
}
