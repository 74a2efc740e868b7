package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/changevouch/changevouch/cmd/vouch/internal/app"
	"github.com/changevouch/changevouch/engine/report"
	"github.com/changevouch/changevouch/schemas"
)

func newDirectoryCommand(sys System) *cobra.Command {
	return newGroup("directory", "Look after the directory of people and services", newDirectoryCheckCommand(sys))
}

type rollFlags struct {
	policy  app.PolicyConfig
	events  []string
	outputs []string
	strict  bool
}

func newDirectoryCheckCommand(sys System) *cobra.Command {
	var f rollFlags
	cmd := &cobra.Command{
		Use:   "check DIRECTORY [--events FILE|DIR|-]...",
		Short: "Find conflicts in a directory, and accounts that belong to nobody in it",
		Long: `Find conflicts in a directory: an account or an e-mail that is two persons', an
entry listed twice, owners and approvers who are not there, periods that overlap,
roles that the policy spells differently.

With events, every account in them is looked up as assemble does it: by its
immutable id, then by its name, then by its e-mail. What belongs to nobody is
listed with how often and where it acted, who it may be, and a line to paste below
people; of when somebody was authorised only you know.

Exit codes: 0 no conflict · 1 a conflict or, with --strict, an account that belongs
to nobody.`,
		Example: `  vouch directory check directory.yaml
  vouch directory check directory.yaml --events events.ndjson --strict
  vouch directory check directory.yaml --events events/ -o json`,
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(args) != 1 {
				return errors.New("give one directory, such as directory.yaml")
			}
			return checkDirectory(cmd.Context(), sys, args[0], f)
		},
	}
	flags := cmd.Flags()
	flags.StringSliceVar(&f.events, "events", nil, "file or folder of events, or - for standard input; repeatable")
	flags.BoolVar(&f.strict, "strict", false, "exit 1 although the only thing wrong is an account that belongs to nobody")
	addSinkFlag(cmd, &f.outputs, valueFormats)
	addBundleFlags(cmd, &f.policy)
	return cmd
}

func checkDirectory(ctx context.Context, sys System, path string, f rollFlags) error {
	sinks, err := openSinks(sys, f.outputs, valueFormats)
	if err != nil {
		return err
	}
	defer sinks.discard()
	policy, err := app.OpenPolicy(ctx, f.policy, sys.Version)
	if err != nil {
		return err
	}
	call, err := app.OpenRollCall(path, policy)
	if err != nil {
		return err
	}
	if len(f.events) > 0 {
		err := readEvents(ctx, sys, f.events, "checked", call.Events)
		if err != nil {
			return err
		}
	}
	roll := call.Roll()
	err = sinks.write(func(w io.Writer, format string) error {
		switch format {
		case "json":
			return writeJSON(w, roll)
		case "yaml":
			return writeYAML(w, roll)
		}
		return writeRoll(w, path, roll, sys.width(w))
	})
	switch {
	case err != nil:
		return err
	case len(roll.Conflicts) > 0:
		return fmt.Errorf("%s in %s", plural(len(roll.Conflicts), "conflict"), path)
	case f.strict && len(roll.Unlinked) > 0:
		return fmt.Errorf("%s in the events without a person in %s", plural(len(roll.Unlinked), "account"), path)
	}
	return nil
}

// readEvents hands over events from files, folders and standard input. With any
// fault nothing counts; each is named.
func readEvents(ctx context.Context, sys System, paths []string, verb string, read func(context.Context, *app.Documents, func(string)) error) error {
	docs, err := app.OpenDocuments(ctx, schemas.Event, paths, sys.Stdin, time.Time{})
	if err != nil {
		return err
	}
	defer docs.Close()
	faults := 0
	err = read(ctx, docs, func(fault string) {
		faults++
		sys.tell("%s", fault)
	})
	if errors.Is(err, app.ErrFaults) {
		return fmt.Errorf("%s in the events: nothing was %s", plural(faults, "fault"), verb)
	}
	return err
}

func writeRoll(w io.Writer, path string, r app.Roll, width int) error {
	var b paragraphs
	b.add(0, fmt.Sprintf("%s: %s, %s", path, counted(r.People, "person", "people"), plural(r.Accounts, "account")))
	if len(r.Conflicts) > 0 {
		b.gap()
		b.add(0, "Conflicts")
		for _, c := range r.Conflicts {
			b.labelled(2, c.Kind, c.Message)
		}
	}
	if err := b.write(w, width); err != nil {
		return err
	}
	switch {
	case r.Events == 0:
		return nil
	case len(r.Unlinked) == 0:
		_, err := fmt.Fprintf(w, "\nEvery account in %s belongs to somebody.\n", plural(r.Events, "event"))
		return err
	}
	if _, err := fmt.Fprintf(w, "\nAccounts in %s that belong to nobody\n", plural(r.Events, "event")); err != nil {
		return err
	}
	for _, u := range r.Unlinked {
		if err := writeUnlinked(w, u, width); err != nil {
			return err
		}
	}
	return nil
}

// shownPlaces is how many places of an account the table shows; JSON has them all.
const shownPlaces = 3

func writeUnlinked(w io.Writer, u app.Unlinked, width int) error {
	var b paragraphs
	title := u.System + " " + u.Account
	if u.Name != "" {
		title += " (" + u.Name + ")"
	}
	b.gap()
	b.add(2, fmt.Sprintf("%s: %s, %s to %s", title, plural(u.Events, "event"), u.First.Format(time.DateOnly), u.Last.Format(time.DateOnly)))
	var where []string
	for _, p := range u.Where[:min(len(u.Where), shownPlaces)] {
		where = append(where, fmt.Sprintf("%s of %s (%d, such as %s)", p.Part, p.Type, p.Events, p.Example))
	}
	if more := len(u.Where) - shownPlaces; more > 0 {
		where = append(where, fmt.Sprintf("%d more", more))
	}
	b.labelled(4, "where", strings.Join(where, "; "))
	if u.Hint != "" {
		b.labelled(4, "hint", u.Hint)
	}
	if err := b.write(w, width); err != nil {
		return err
	}
	// Not wrapped: it is to be pasted.
	_, err := fmt.Fprintf(w, "    %s\n", report.Printable(u.Line))
	return err
}

func counted(n int, one, many string) string {
	if n == 1 {
		return "1 " + one
	}
	return fmt.Sprintf("%d %s", n, many)
}
