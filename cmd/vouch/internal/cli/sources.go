package cli

import (
	"context"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/changevouch/changevouch/cmd/vouch/internal/app"
	"github.com/changevouch/changevouch/engine/store"
)

func newSourcesCommand(sys System) *cobra.Command {
	var from, outputs []string
	var journal app.JournalConfig
	cmd := &cobra.Command{
		Use:   "sources [--from FILE|DIR|-...]",
		Short: "Show how completely each source was read",
		Long: `Show how completely each source was read, by what collectors recorded of it in
their events: which times were read and which lie between, how much was found, and
which facts could not be seen, why, and what to grant. Whatever is missing here is
unknown to the policy, for every change that it concerns. Without --from the events
are those of the journal.`,
		Example: `  vouch sources
  vouch sources --from events/
  vouch collect git --repo . | vouch sources --from - -o json`,
		RunE: func(cmd *cobra.Command, args []string) error {
			paths := append(slices.Clone(from), args...)
			sinks, err := openSinks(sys, outputs, valueFormats)
			if err != nil {
				return err
			}
			defer sinks.discard()
			var sources []app.Coverage
			if len(paths) == 0 {
				err = reading(cmd.Context(), journal, func(s *store.Store) (err error) {
					if sources, err = app.JournalSources(cmd.Context(), s); err == nil && len(sources) == 0 {
						return fmt.Errorf("no event of the journal %s says what was read: name others with --from", s.Place())
					}
					return err
				})
			} else {
				err = readEvents(cmd.Context(), sys, paths, "shown", func(ctx context.Context, docs *app.Documents, fault func(string)) (err error) {
					sources, err = app.ReadSources(ctx, docs, fault)
					return err
				})
			}
			if err != nil {
				return err
			}
			return sinks.write(func(w io.Writer, format string) error {
				switch format {
				case "json":
					return writeJSON(w, sources)
				case "yaml":
					return writeYAML(w, sources)
				}
				return writeSources(w, sources, sys.width(w))
			})
		},
	}
	cmd.Flags().StringSliceVar(&from, "from", nil, "file or folder of events, or - for standard input; repeatable")
	addStoreFlag(cmd, &journal)
	addSinkFlag(cmd, &outputs, valueFormats)
	return cmd
}

func writeSources(w io.Writer, sources []app.Coverage, width int) error {
	var b paragraphs
	for i, s := range sources {
		if i > 0 {
			b.gap()
		}
		name := []string{s.Source}
		for _, part := range []string{s.System, s.Repository, s.Service} {
			if part != "" {
				name = append(name, part)
			}
		}
		b.add(0, strings.Join(name, " ")+": "+s.Status)
		for _, r := range s.Windows {
			b.labelled(2, "read", between(r.From, r.To)+found(r))
		}
		for _, g := range s.Gaps {
			reason := g.Reason
			if reason == "" {
				reason = "nobody read it"
			}
			b.labelled(2, "gap", between(g.From, g.To)+": "+reason)
		}
		if n := s.Answers; n.Read+n.Unread > 0 {
			b.labelled(2, "answers", fmt.Sprintf("%d read, %d not", n.Read, n.Unread))
		}
		for _, m := range byReason(s.Missing) {
			b.labelled(2, "missing", m)
		}
	}
	return b.write(w, width)
}

func between(from, to time.Time) string {
	return from.Format(time.RFC3339) + " to " + to.Format(time.RFC3339)
}

// found says how much a stretch held.
func found(s app.Stretch) string {
	parts := []string{plural(s.Runs, "run")}
	for _, n := range []struct {
		count int
		text  string
	}{{s.Records, plural(s.Records, "record")}, {s.Events, plural(s.Events, "event")}, {s.Broken, plural(s.Broken, "record") + " broken"}} {
		if n.count > 0 {
			parts = append(parts, n.text)
		}
	}
	return " (" + strings.Join(parts, ", ") + ")"
}

// byReason names the facts that are missing for the same reason together.
func byReason(missing []app.Unseen) []string {
	type group struct {
		facts []string
		rest  string
	}
	var groups []group
	for _, m := range missing {
		rest := ""
		switch {
		case m.About > 1:
			rest = fmt.Sprintf(" of %d, such as %s", m.About, m.Example)
		case m.About == 1:
			rest = " of " + m.Example
		case m.From != nil && m.To != nil:
			rest = ", " + between(*m.From, *m.To)
		}
		if m.Reason != "" {
			rest += ": " + m.Reason
		}
		i := slices.IndexFunc(groups, func(g group) bool { return g.rest == rest })
		if i < 0 {
			i = len(groups)
			groups = append(groups, group{rest: rest})
		}
		groups[i].facts = append(groups[i].facts, m.Fact)
	}
	var out []string
	for _, g := range groups {
		out = append(out, strings.Join(g.facts, ", ")+g.rest)
	}
	return out
}
