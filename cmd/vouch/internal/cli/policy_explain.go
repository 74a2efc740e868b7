package cli

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/changevouch/changevouch/cmd/vouch/internal/app"
	"github.com/changevouch/changevouch/engine/policy"
)

func newPolicyExplainCommand(sys System) *cobra.Command {
	var (
		c       app.PolicyConfig
		outputs []string
	)
	cmd := &cobra.Command{
		Use:   "explain CONTROL...",
		Short: "Say what a control checks, and what it can answer",
		Long: `Say what controls check, what they can answer, which settings they read, what to
do, and which tests cover them. CONTROL is an id or an alias, in any case. Settings,
statuses and reasons are read out of the compiled rules: settings are those of the
rules that the control depends on, reasons those of the rules that its problems
come from.`,
		Example: `  vouch policy explain CM-4.B.1
  vouch policy explain cm-3.b.1 --bundle acme -o json`,
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(args) == 0 {
				return errors.New("no control named: give an id, such as CM-4.B.1")
			}
			sinks, err := openSinks(sys, outputs, valueFormats)
			if err != nil {
				return err
			}
			defer sinks.discard()
			catalogue, err := app.OpenCatalogue(cmd.Context(), c)
			if err != nil {
				return err
			}
			var entries []policy.Entry
			for _, arg := range args {
				found, err := catalogue.Find(arg)
				if err != nil {
					return err
				}
				for _, entry := range found {
					if !slices.ContainsFunc(entries, func(e policy.Entry) bool { return e.ID == entry.ID }) {
						entries = append(entries, entry)
					}
				}
			}
			return sinks.write(func(w io.Writer, format string) error {
				switch format {
				case "json":
					return writeJSON(w, entries)
				case "yaml":
					return writeYAML(w, entries)
				}
				return writeEntries(w, catalogue, entries, sys.width(w))
			})
		},
	}
	addBundleFlags(cmd, &c)
	addSinkFlag(cmd, &outputs, valueFormats)
	return cmd
}

func writeEntries(w io.Writer, catalogue *policy.Catalogue, entries []policy.Entry, width int) error {
	values := map[string]policy.Parameter{}
	for _, p := range catalogue.Policy.Parameters() {
		values[p.Key] = p
	}
	var b paragraphs
	for i, e := range entries {
		if i > 0 {
			b.gap()
		}
		b.add(0, e.ID+"  "+e.Title)
		b.labelled(2, "checks", cmp.Or(e.Description, "The rule has no description."))
		b.labelled(2, "clause", e.Clause)
		for _, clause := range catalogue.Clauses {
			if slices.Contains(e.Clauses, clause.ID) {
				b.labelled(2, "", clause.ID+": "+clause.Text)
			}
		}
		if len(e.Aliases) > 0 {
			b.labelled(2, "also", strings.Join(e.Aliases, ", "))
		}
		b.labelled(2, "severity", e.Severity)
		b.labelled(2, "judges", strings.Join(e.Subjects, ", "))
		b.labelled(2, "answers", strings.Join(e.Statuses, ", "))
		label := "settings"
		for _, reading := range e.Settings {
			keys, through := reading.Keys, "through "+reading.Package+": "
			if reading.Package == "controls."+e.Rule {
				keys, through = withValues(keys, values), ""
			}
			b.labelled(2, label, through+strings.Join(keys, ", "))
			label = ""
		}
		label = "reasons"
		for _, reason := range e.Reasons {
			says := ""
			if len(reason.Statuses) > 0 {
				says = " (" + strings.Join(reason.Statuses, ", ") + ")"
			}
			if len(reason.Says) > 0 {
				says += "  " + reason.Says[0]
			}
			b.labelled(2, label, reason.Code+says)
			label = ""
		}
		if e.Remediation != "" {
			b.labelled(2, "to do", e.Remediation)
		}
		label = "frameworks"
		for _, name := range slices.Sorted(maps.Keys(e.Frameworks)) {
			b.labelled(2, label, cmp.Or(catalogue.Frameworks[name], name)+": "+strings.Join(e.Frameworks[name], ", "))
			label = ""
		}
		label = "tests"
		for _, tests := range e.Tests {
			for _, test := range tests.Tests {
				name := tests.Package + "." + test.Name
				if len(test.Cases) > 0 {
					name += fmt.Sprintf(" (%s)", plural(len(test.Cases), "case"))
				}
				b.labelled(2, label, name)
				label = ""
			}
		}
		if len(e.Tests) == 0 {
			b.labelled(2, label, "none")
		}
		b.labelled(2, "file", cmp.Or(e.File, "none"))
	}
	return b.write(w, width)
}

// withValues adds their values to keys; the key of a group has none.
func withValues(keys []string, values map[string]policy.Parameter) []string {
	var out []string
	for _, key := range keys {
		if p, ok := values[key]; ok {
			key += " = " + brief(p.Value)
		}
		out = append(out, key)
	}
	return out
}
