package cli

import (
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"

	"github.com/changevouch/changevouch/cmd/vouch/internal/app"
	"github.com/changevouch/changevouch/engine/report"
)

// addConfigFlag declares what names a configuration.
func addConfigFlag(cmd *cobra.Command, file *string) {
	cmd.Flags().StringVar(file, "config", "", "configuration, a YAML or JSON file (default: "+app.ConfigFile+" in this folder, if it is there)")
}

// loadConfig reads the configuration of a command. Each of its flags that bears the
// name of a setting (log.level is --log-level) counts more than the file.
func loadConfig(cmd *cobra.Command, sys System, file string) (*app.Config, error) {
	c, err := app.LoadConfig(app.ConfigSource{File: file, Flags: cmd.Flags(), LookupEnv: sys.LookupEnv})
	if err != nil {
		return nil, err
	}
	for _, warning := range c.Warnings {
		sys.tell("warning: %s", warning)
	}
	return c, nil
}

func newConfigCommand(sys System) *cobra.Command {
	return newGroup("config", "Check and show the configuration", newConfigCheckCommand(sys), newConfigShowCommand(sys))
}

func newConfigCheckCommand(sys System) *cobra.Command {
	var file string
	cmd := &cobra.Command{
		Use:   "check [FILE]",
		Short: "List everything that is wrong with a configuration",
		Long: `List everything that is wrong with a configuration, each fault with its place: keys
and values that it cannot have, files that are not there, addresses that nobody may
listen on, settings that need one another. Variables count as they would for the
server: log.level is VOUCH_LOG_LEVEL. Secrets that others can read are warnings.`,
		Example: "  vouch config check\n  vouch config check /etc/changevouch/changevouch.yaml",
		RunE: func(cmd *cobra.Command, args []string) error {
			switch {
			case len(args) > 1:
				return fmt.Errorf("%s takes one file, found %q too", cmd.CommandPath(), args[1])
			case len(args) == 1 && file != "":
				return fmt.Errorf("%s and --config %s: name one file", args[0], file)
			case len(args) == 1:
				file = args[0]
			}
			c, err := loadConfig(cmd, sys, file)
			if err != nil {
				return err
			}
			where := c.File
			if where == "" {
				where = "no file: what the server does without one"
			}
			_, err = fmt.Fprintf(sys.Stdout, "%s: sound\n", report.Printable(where))
			return err
		},
	}
	addConfigFlag(cmd, &file)
	return cmd
}

func newConfigShowCommand(sys System) *cobra.Command {
	var file string
	var outputs []string
	cmd := &cobra.Command{
		Use:   "show",
		Short: "Show every setting that is in force, and where it comes from",
		Long: `Show every setting that is in force, and where it comes from: a flag, a variable, a
line of the file, or the default. Secrets are named by files and variables; what is in
them is not shown.`,
		Args: noArguments,
		RunE: func(cmd *cobra.Command, _ []string) error {
			c, err := loadConfig(cmd, sys, file)
			if err != nil {
				return err
			}
			out, err := openSinks(sys, outputs, valueFormats)
			if err != nil {
				return err
			}
			defer out.discard()
			return out.write(func(w io.Writer, format string) error {
				switch format {
				case "json":
					return writeJSON(w, c.Settings())
				case "yaml":
					return writeYAML(w, c.Settings())
				}
				return settingsGrid(c.Settings()).Write(w, report.Options{Width: sys.width(w), Colour: sys.colour(w)})
			})
		},
	}
	addConfigFlag(cmd, &file)
	addSinkFlag(cmd, &outputs, valueFormats)
	return cmd
}

func settingsGrid(all []app.Setting) report.Grid {
	grid := report.Grid{Headings: []string{"Setting", "Value", "From"}, Outcome: -1, Gives: 1}
	for _, s := range all {
		grid.Rows = append(grid.Rows, []string{s.Path, settingText(s.Value), s.Origin})
	}
	return grid
}

// settingText is a value in one line.
func settingText(value any) string {
	switch v := value.(type) {
	case string:
		return v
	case []any:
		parts := make([]string, len(v))
		for i, one := range v {
			parts[i] = settingText(one)
		}
		return strings.Join(parts, ", ")
	case map[string]any:
		var b strings.Builder
		if err := writeJSON(&b, v); err != nil {
			return fmt.Sprint(v)
		}
		return strings.Join(strings.Fields(b.String()), " ")
	}
	return fmt.Sprint(value)
}
