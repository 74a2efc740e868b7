package cli

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/changevouch/changevouch/cmd/vouch/internal/app"
	"github.com/changevouch/changevouch/engine"
	"github.com/changevouch/changevouch/engine/store"
	"github.com/changevouch/changevouch/schemas"
)

// statementFlags are those of commands that add waivers or attestations.
type statementFlags struct {
	journal   app.JournalConfig
	policy    app.PolicyConfig
	directory string
	file      string
	by        string
}

func (f *statementFlags) declare(cmd *cobra.Command, what string) {
	flags := cmd.Flags()
	flags.StringVar(&f.file, "file", "", "read "+what+" from this file, YAML or JSON: one or a list, in place of the other flags")
	flags.StringVar(&f.directory, "directory", "", "people, YAML or JSON: without it only names are compared")
	flags.StringVar(&f.by, "by", "", "who adds it (default: the user of this system)")
	addBundleFlags(cmd, &f.policy)
	addJournalFlags(cmd, &f.journal)
}

// own refuses flags that describe a statement beside a file that does.
func (f *statementFlags) own(flags *pflag.FlagSet, names ...string) error {
	for _, name := range names {
		if f.file != "" && flags.Changed(name) {
			return fmt.Errorf("--file says it all: leave --%s out", name)
		}
	}
	return nil
}

// add opens the journal, and lets it check and record statements.
func (f *statementFlags) add(ctx context.Context, sys System, do func(app.Statements) error) error {
	if f.by == "" {
		var err error
		if f.by, err = currentUser(); err != nil {
			return err
		}
	}
	return writing(ctx, f.journal, func(s *store.Store) error {
		statements, err := app.OpenStatements(ctx, s, f.policy, f.directory, sys.Now().UTC(), sys.Version)
		if err != nil {
			return err
		}
		if f.directory == "" {
			sys.tell("no --directory: whether the people named exist and may do this was not looked up")
		}
		return do(statements)
	})
}

// checkAll checks every statement before one is recorded. What is wrong is named by
// flag or, in a file, by JSON pointer.
func checkAll[T any](sys System, f statementFlags, noun string, list []T, id func(T) string, check func(T) ([]schemas.Fault, error)) error {
	broken := 0
	for _, one := range list {
		faults, err := check(one)
		if err != nil {
			return err
		}
		for _, fault := range faults {
			if field, _, _ := strings.Cut(strings.TrimPrefix(fault.Pointer, "/"), "/"); f.file == "" {
				field = strings.Replace(field, "controls", "control", 1)
				fault.Pointer = "--" + strings.ReplaceAll(field, "_", "-")
			}
			sys.tell("%s %s: %s", noun, id(one), fault)
		}
		if len(faults) > 0 {
			broken++
		}
	}
	switch {
	case len(list) == 0:
		return fmt.Errorf("the file has no %s", noun)
	case broken > 0:
		return fmt.Errorf("%s would never count: nothing was recorded", plural(broken, noun))
	}
	return nil
}

// badFile names the file beside what is wrong with it.
func badFile(sys System, path string, err error) error {
	wrong, ok := errors.AsType[*engine.InputError](err)
	if !ok {
		return err
	}
	for _, fault := range wrong.Faults {
		sys.tell("%s: %s", path, fault)
	}
	return fmt.Errorf("%s in %s: nothing was recorded", plural(len(wrong.Faults), "fault"), path)
}

// nameOf makes an id of what a statement says, for those who give it none.
func nameOf(prefix string, at time.Time, parts ...string) string {
	return prefix + at.UTC().Format("20060102") + "-" + strings.TrimPrefix(engine.Digest([]byte(strings.Join(append(parts, at.UTC().Format(time.RFC3339)), "\x00"))), "sha256:")[:6]
}

// later reads an instant, or how long after another one it is.
func later(flag, value string, from time.Time) (*time.Time, error) {
	if value == "" {
		return nil, nil
	}
	if span, err := schemas.ParseTimespan(value); err == nil {
		at := from.Add(span)
		return &at, nil
	}
	at, err := time.Parse(time.RFC3339, value)
	if err != nil {
		return nil, fmt.Errorf("--%s %q is neither an RFC 3339 instant, such as 2026-11-02T09:30:00Z, nor a time span, such as 30d", flag, value)
	}
	at = at.UTC()
	return &at, nil
}

// atOr is an instant or, where none is given, now to the second.
func atOr(flag, value string, now time.Time) (*time.Time, error) {
	at, err := instant(flag, value)
	if at.IsZero() {
		at = now.Truncate(time.Second)
	}
	at = at.UTC()
	return &at, err
}
