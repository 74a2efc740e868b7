// Package cli holds the commands of vouch, one file each. A command parses
// flags and calls one function; what it does lives in app and in engine.
package cli

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/changevouch/changevouch/schemas"
)

// Run executes one command line and returns the exit code. The result goes to
// sys.Stdout, everything else to sys.Stderr.
func Run(ctx context.Context, sys System, args []string) int {
	root := newRootCommand(sys)
	root.SetArgs(args)
	root.SetIn(sys.Stdin)
	root.SetOut(sys.Stdout)
	root.SetErr(sys.Stderr)
	err := root.ExecuteContext(ctx)
	var silent exit
	switch {
	case err == nil, errors.As(err, &silent):
	case interrupted(ctx, err):
		sys.tell("vouch: interrupted")
	default:
		sys.tell("vouch: %v", err)
	}
	return exitCode(err)
}

func newRootCommand(sys System) *cobra.Command {
	root := &cobra.Command{
		Use:   "vouch",
		Short: "Judge production changes against your change-management policy",
		Long: `vouch traces every production change back to its evidence and judges it
against a versioned policy: control by control, with reasons and deadlines.

Exit codes: 0 compliant · 1 error, nothing was decided · 2 non-compliant ·
3 something is unknown or still pending. Every flag can be set by a variable:
--allow-pending is VOUCH_ALLOW_PENDING.`,
		SilenceUsage:  true,
		SilenceErrors: true,
		Args:          onlyCommands,
		RunE:          func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
		PersistentPreRunE: func(cmd *cobra.Command, _ []string) error {
			return bindEnv(sys, cmd.Flags())
		},
	}
	root.SetFlagErrorFunc(suggestFlag)
	root.SetHelpCommand(newHelpCommand())
	root.AddCommand(
		newInitCommand(sys),
		newEvalCommand(sys),
		newCollectCommand(sys),
		newAssembleCommand(sys),
		newDecideCommand(sys),
		newGateCommand(sys),
		newServeCommand(sys),
		newJobsCommand(sys),
		newTokenCommand(sys),
		newDecisionsCommand(sys),
		newSubjectsCommand(sys),
		newDeadlinesCommand(sys),
		newLedgerCommand(sys),
		newReleaseCommand(sys),
		newWaiverCommand(sys),
		newAttestationCommand(sys),
		newRetentionCommand(sys),
		newBackupCommand(sys),
		newRestoreCommand(sys),
		newSourcesCommand(sys),
		newDirectoryCommand(sys),
		newConfigCommand(sys),
		newPolicyCommand(sys),
		newDemoCommand(sys),
		newVersionCommand(sys),
	)
	root.InitDefaultCompletionCmd()
	for _, c := range root.Commands() {
		if c.Name() == "completion" {
			asGroup(c)
		}
	}
	return root
}

func newGroup(use, short string, commands ...*cobra.Command) *cobra.Command {
	group := &cobra.Command{Use: use, Short: short}
	group.AddCommand(commands...)
	asGroup(group)
	return group
}

// asGroup makes a command one that only holds others: called alone or with an
// unknown name it is an error, never a silent success.
func asGroup(cmd *cobra.Command) {
	cmd.Args = onlyCommands
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		return fmt.Errorf("%s needs one of: %s", cmd.Name(), strings.Join(names(cmd), ", "))
	}
}

// noArguments is for commands that take flags only.
func noArguments(cmd *cobra.Command, args []string) error {
	if len(args) > 0 {
		return fmt.Errorf("%s takes no arguments, found %q", cmd.CommandPath(), args[0])
	}
	return nil
}

// onlyCommands refuses words that name no command and suggests the nearest.
func onlyCommands(cmd *cobra.Command, args []string) error {
	if len(args) == 0 {
		return nil
	}
	msg := fmt.Sprintf("unknown command %q for %q", args[0], cmd.CommandPath())
	if near := schemas.Nearest(args[0], names(cmd)); near != "" {
		msg += fmt.Sprintf("; did you mean %q?", near)
	}
	return fmt.Errorf("%s\nRun '%s --help' for the list", msg, cmd.CommandPath())
}

func names(cmd *cobra.Command) []string {
	var out []string
	for _, c := range cmd.Commands() {
		if c.IsAvailableCommand() {
			out = append(out, c.Name())
		}
	}
	return out
}

// newHelpCommand replaces cobra's, which answers an unknown topic with success.
func newHelpCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "help [COMMAND]",
		Short: "Help about any command",
		RunE: func(cmd *cobra.Command, args []string) error {
			target, rest, err := cmd.Root().Find(args)
			if err != nil {
				return err
			}
			if len(rest) > 0 {
				return onlyCommands(target, rest)
			}
			return target.Help()
		},
	}
}

// suggestFlag names the flag that an unknown one resembles.
func suggestFlag(cmd *cobra.Command, err error) error {
	// The flags of a misspelt command are unknown too: name the cause.
	if cmd.HasSubCommands() {
		if err := onlyCommands(cmd, cmd.Flags().Args()); err != nil {
			return err
		}
	}
	msg := err.Error()
	if name, ok := strings.CutPrefix(msg, "unknown flag: --"); ok {
		var known []string
		cmd.Flags().VisitAll(func(f *pflag.Flag) { known = append(known, f.Name) })
		if near := schemas.Nearest(name, known); near != "" {
			msg += fmt.Sprintf("; did you mean --%s?", near)
		}
	}
	return fmt.Errorf("%s\nRun '%s --help' for usage", msg, cmd.CommandPath())
}

// bindEnv gives every flag that the command line left open the value of its
// variable: --allow-pending reads VOUCH_ALLOW_PENDING. An empty variable counts
// as not set.
func bindEnv(sys System, flags *pflag.FlagSet) error {
	var faults []error
	flags.VisitAll(func(f *pflag.Flag) {
		if f.Changed || f.Name == "help" {
			return
		}
		name := envName(f.Name)
		value, _ := sys.LookupEnv(name)
		if value == "" {
			return
		}
		if err := flags.Set(f.Name, value); err != nil {
			faults = append(faults, fmt.Errorf("%s=%q: %w", name, value, err))
		}
	})
	return errors.Join(faults...)
}

func envName(flag string) string {
	return "VOUCH_" + strings.ToUpper(strings.ReplaceAll(flag, "-", "_"))
}
