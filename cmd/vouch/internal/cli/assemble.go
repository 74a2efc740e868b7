package cli

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"github.com/changevouch/changevouch/cmd/vouch/internal/app"
	"github.com/changevouch/changevouch/schemas"
)

type assembleFlags struct {
	policy    app.PolicyConfig
	events    []string
	directory string
	at        string
	out       string
	periods   []string
}

const periodHelp = "reporting period, such as 2026-11, 2026 or 2026-10-01/2027-01-01: say how completely it was observed; repeatable"

func newAssembleCommand(sys System) *cobra.Command {
	var f assembleFlags
	cmd := &cobra.Command{
		Use:   "assemble --events FILE|- --directory FILE",
		Short: "Turn events into dossiers",
		Long: `Turn events into dossiers: one for each change, deployment, vulnerability, access
review and so on that the events speak of, with every account resolved to a
person through the directory. Dossiers go to standard output, one a line, or to
a new folder.`,
		Example: `  vouch assemble --events events.ndjson --directory directory.yaml --out dossiers
  vouch collect git --from recordings | vouch assemble --events - --directory directory.yaml`,
		Args: noArguments,
		RunE: func(cmd *cobra.Command, _ []string) error { return assemble(cmd.Context(), sys, f) },
	}
	flags := cmd.Flags()
	flags.StringSliceVar(&f.events, "events", nil, "file or folder of events, or - for standard input; repeatable")
	flags.StringVar(&f.directory, "directory", "", "people, services and waivers, YAML or JSON")
	flags.StringVar(&f.at, "at", "", "instant (RFC 3339) at which the dossiers are to be judged (default: now)")
	flags.StringVar(&f.out, "out", "", "write one file a dossier into this new folder")
	flags.StringSliceVar(&f.periods, "period", nil, periodHelp)
	addBundleFlags(cmd, &f.policy)
	return cmd
}

func assemble(ctx context.Context, sys System, f assembleFlags) error {
	if f.directory == "" {
		return errors.New("no directory named: --directory FILE says who the people are")
	}
	at, err := instant("at", f.at)
	if err != nil {
		return err
	}
	if at.IsZero() {
		at = sys.Now().UTC()
	}
	if len(f.events) == 0 {
		return errors.New("no events named: give --events FILE, or - for standard input")
	}
	docs, err := app.OpenDocuments(ctx, schemas.Event, f.events, sys.Stdin, time.Time{})
	if err != nil {
		return err
	}
	defer docs.Close()
	dir, err := app.ReadDirectory(f.directory)
	if err != nil {
		return err
	}
	policy, err := app.OpenPolicy(ctx, f.policy, sys.Version)
	if err != nil {
		return err
	}
	faults := 0
	events, err := app.ReadEvents(ctx, docs, func(fault string) {
		faults++
		sys.tell("%s", fault)
	})
	switch {
	case errors.Is(err, app.ErrFaults):
		return fmt.Errorf("%s in the events: nothing was assembled", plural(faults, "fault"))
	case err != nil:
		return err
	}
	dossiers, problems, err := app.Assemble(ctx, events, dir, policy, at, f.periods...)
	for _, p := range problems {
		sys.tell("look at %v", p)
	}
	if err != nil {
		return err
	}
	if f.out != "" {
		err = app.SaveDossiers(ctx, f.out, dossiers)
	} else {
		w := bufio.NewWriter(sys.Stdout)
		err = errors.Join(app.WriteDossiers(w, dossiers), w.Flush())
	}
	if err != nil {
		return err
	}
	sys.tell("%s from %s", plural(len(dossiers), "dossier"), plural(len(events), "event"))
	return nil
}
