package cli

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"go.yaml.in/yaml/v3"

	"github.com/changevouch/changevouch/cmd/vouch/internal/app"
)

// sinks are the places to which one result is written, -o FORMAT[=PATH].
type sinks []sink

type sink struct {
	format string
	w      io.Writer
	file   *app.File // nil for standard output
}

// valueFormats are the ways to show a value that is no list of decisions.
var valueFormats = []string{"table", "json", "yaml"}

// addSinkFlag declares -o/--output for some formats.
func addSinkFlag(cmd *cobra.Command, outputs *[]string, formats []string) {
	cmd.Flags().StringSliceVarP(outputs, "output", "o", []string{"table"}, "how to show the result, FORMAT[=PATH]; repeatable ("+strings.Join(formats, ", ")+")")
}

func openSinks(sys System, specs, formats []string) (sinks, error) {
	var out sinks
	for _, spec := range specs {
		format, path, toFile := strings.Cut(spec, "=")
		o := sink{format: format, w: sys.Stdout}
		switch {
		case !slices.Contains(formats, format):
			out.discard()
			return nil, fmt.Errorf("unknown output %q: it is one of %s", format, strings.Join(formats, ", "))
		case toFile:
			f, err := app.CreateFile(path)
			if err != nil {
				out.discard()
				return nil, err
			}
			o.w, o.file = f, f
		case slices.ContainsFunc(out, func(other sink) bool { return other.file == nil }):
			out.discard()
			return nil, fmt.Errorf("two outputs want standard output: give one of them a file, %s=PATH", format)
		}
		out = append(out, o)
	}
	return out, nil
}

// write shows the result at every place.
func (s sinks) write(show func(w io.Writer, format string) error) error {
	for _, o := range s {
		if err := show(o.w, o.format); err != nil {
			return fmt.Errorf("write the result: %w", err)
		}
		if o.file != nil {
			if err := o.file.Commit(); err != nil {
				return err
			}
		}
	}
	return nil
}

func (s sinks) discard() {
	for _, o := range s {
		if o.file != nil {
			o.file.Discard()
		}
	}
}

// writeJSON and writeYAML show a value, its keys in the same order.
func writeJSON(w io.Writer, v any) error {
	encoder := json.NewEncoder(w)
	encoder.SetEscapeHTML(false)
	encoder.SetIndent("", "  ")
	return encoder.Encode(v)
}

func writeYAML(w io.Writer, v any) error {
	var text bytes.Buffer
	if err := writeJSON(&text, v); err != nil {
		return err
	}
	var node yaml.Node // JSON is YAML
	if err := yaml.Unmarshal(text.Bytes(), &node); err != nil {
		return err
	}
	plainStyle(&node)
	encoder := yaml.NewEncoder(w)
	encoder.SetIndent(2)
	if err := encoder.Encode(&node); err != nil {
		return err
	}
	return encoder.Close()
}

// plainStyle takes JSON's quotes and braces away.
func plainStyle(node *yaml.Node) {
	node.Style = 0
	for _, part := range node.Content {
		plainStyle(part)
	}
}
