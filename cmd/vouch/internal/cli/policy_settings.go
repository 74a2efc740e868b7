package cli

import (
	"encoding/json"
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"github.com/changevouch/changevouch/cmd/vouch/internal/app"
	"github.com/changevouch/changevouch/engine/policy"
)

// setting is a parameter and where its value comes from.
type setting struct {
	policy.Parameter
	Origin string `json:"origin"`
}

func newPolicySettingsCommand(sys System) *cobra.Command {
	var (
		c       app.PolicyConfig
		outputs []string
	)
	cmd := &cobra.Command{
		Use:   "settings",
		Short: "Show the parameters of a policy, and where each value comes from",
		Long: `Show every parameter of a policy with its effective value, its unit, what it
means, and whether it is the bundle's or the settings file's. Long lists are
counted; -o yaml shows them.`,
		Example: `  vouch policy settings
  vouch policy settings --settings settings.yaml -o yaml`,
		Args: noArguments,
		RunE: func(cmd *cobra.Command, _ []string) error {
			sinks, err := openSinks(sys, outputs, valueFormats)
			if err != nil {
				return err
			}
			defer sinks.discard()
			p, err := app.OpenPolicy(cmd.Context(), c, sys.Version)
			if err != nil {
				return err
			}
			ref := p.Ref()
			var list []setting
			for _, parameter := range p.Parameters() {
				s := setting{parameter, fmt.Sprintf("default of %s %s", ref.Name, ref.Version)}
				if parameter.Changed {
					s.Origin = c.Settings
				}
				list = append(list, s)
			}
			return sinks.write(func(w io.Writer, format string) error {
				switch format {
				case "json":
					return writeJSON(w, list)
				case "yaml":
					return writeYAML(w, list)
				}
				return writeSettings(w, list, sys.width(w))
			})
		},
	}
	addBundleFlags(cmd, &c)
	addSinkFlag(cmd, &outputs, valueFormats)
	return cmd
}

func writeSettings(w io.Writer, list []setting, width int) error {
	var b paragraphs
	for _, s := range list {
		origin := s.Origin
		if s.Changed && s.Default != nil {
			origin += ", default " + brief(s.Default)
		}
		b.add(0, s.Key+" = "+brief(s.Value))
		if s.Description != "" {
			b.add(4, s.Description)
		}
		if s.Unit != "" {
			b.labelled(4, "unit", s.Unit)
		}
		b.labelled(4, "from", origin)
	}
	return b.write(w, width)
}

// brief shows a value in a line; a long list is counted.
func brief(v any) string {
	text, err := json.Marshal(v)
	if err != nil { // a parameter came out of JSON
		return fmt.Sprint(v)
	}
	if len(text) <= 160 {
		return string(text)
	}
	switch value := v.(type) {
	case []any:
		return fmt.Sprintf("[%d entries]", len(value))
	case map[string]any:
		return fmt.Sprintf("{%d entries}", len(value))
	}
	return string(text)
}
