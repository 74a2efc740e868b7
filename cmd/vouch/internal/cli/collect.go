package cli

import (
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/changevouch/changevouch/cmd/vouch/internal/app"
	"github.com/changevouch/changevouch/collectors"
)

func newCollectCommand(sys System) *cobra.Command {
	group := newGroup("collect", "Turn what a source says, live or recorded, into events")
	for _, source := range app.Collectors() {
		group.AddCommand(newCollectSourceCommand(sys, source, liveSources()[source.Name]))
	}
	return group
}

func newCollectSourceCommand(sys System, source app.Collector, live liveFlags) *cobra.Command {
	var from []string
	var out string
	var window windowFlags
	var open liveSystems
	cmd := &cobra.Command{
		Use:   source.Name,
		Short: source.Summary,
		Long: source.Summary + `.

The paths are files and folders of recorded answers and webhook deliveries:
.json, .ndjson, .jsonl, .csv, .json.gz, .csv.gz. Events go to standard output,
one a line; what was left out is counted on standard error. A record that cannot
be read is named there and makes the exit code 1; the other events still come
out.

Live systems are read step by step. With --into the events and how far they reach
are kept in a folder, which assemble reads; a run that was broken off goes on
where it ended. Standard error says which window was read, and what was not seen
and why.`,
		Example: "  vouch collect " + source.Name + " --from recordings/" + source.Name + " -o events.ndjson" + liveExample(source.Name),
		RunE: func(cmd *cobra.Command, args []string) error {
			paths := append(slices.Clone(from), args...)
			switch {
			case len(paths) == 0 && open == nil:
				return errors.New("nothing to read: name files or folders with --from")
			case len(paths) == 0:
				return collectLive(cmd.Context(), sys, window, out, open)
			}
			if names := liveOnly(cmd.Flags()); len(names) > 0 {
				return fmt.Errorf("%s: for live systems, not for recordings; read them in a run of their own", strings.Join(names, ", "))
			}
			var result collectors.Result
			err := writeTo(sys, out, func(w io.Writer) (err error) {
				result, err = source.ReadInto(cmd.Context(), w, paths)
				return err
			})
			if err != nil {
				return err
			}
			return tell(sys, result)
		},
	}
	cmd.Flags().StringSliceVar(&from, "from", nil, "file or folder of recordings; repeatable")
	cmd.Flags().StringVarP(&out, "out", "o", "", "write the events to a file instead of standard output")
	if live != nil {
		window.declare(cmd.Flags())
		open = live(cmd.Flags())
	}
	return cmd
}

// liveOnly lists the flags given that say nothing of recordings.
func liveOnly(flags *pflag.FlagSet) []string {
	var names []string
	flags.Visit(func(f *pflag.Flag) {
		if f.Name != "from" && f.Name != "out" {
			names = append(names, "--"+f.Name)
		}
	})
	return names
}

// liveExample follows the example of a recording.
func liveExample(source string) string {
	examples := map[string][]string{"git": {"--github acme/shop --since 30d --into events", "--repo . --since 30d"}}
	text := ""
	for _, flags := range examples[source] {
		text += "\n  vouch collect " + source + " " + flags
	}
	return text
}

// tell says on standard error what was read, left out and broken.
func tell(sys System, r collectors.Result) error {
	sys.tell("%s from %s", plural(r.Found, "event"), plural(r.Files, "file"))
	if len(r.Ignored) > 0 {
		var parts []string
		for _, kind := range slices.Sorted(maps.Keys(r.Ignored)) {
			parts = append(parts, fmt.Sprintf("%d %s", r.Ignored[kind], kind))
		}
		sys.tell("ignored: %s", strings.Join(parts, ", "))
	}
	for _, c := range r.Conflicts {
		sys.tell("conflict: %v", c)
	}
	for _, f := range r.Faults {
		sys.tell("%v", f)
	}
	switch {
	case len(r.Faults) > 0:
		return fmt.Errorf("%s could not be read; the other events were written", plural(len(r.Faults), "record"))
	case r.Found == 0:
		return fmt.Errorf("the recordings hold no event of this source")
	}
	return nil
}

// writeTo writes to a file, which appears when it is complete, or to standard
// output when path is empty.
func writeTo(sys System, path string, write func(io.Writer) error) error {
	if path == "" {
		return write(sys.Stdout)
	}
	f, err := app.CreateFile(path)
	if err != nil {
		return err
	}
	defer f.Discard()
	if err := write(f); err != nil {
		return err
	}
	return f.Commit()
}
