package cli

import (
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/changevouch/changevouch/cmd/vouch/internal/app"
	"github.com/changevouch/changevouch/engine/report"
)

// addOutputFlag declares -o/--output FORMAT[=PATH].
func addOutputFlag(cmd *cobra.Command, outputs *[]string) {
	usage := "how to show the result, FORMAT[=PATH]; repeatable (" + strings.Join(report.Formats(), ", ") + ")"
	cmd.Flags().StringSliceVarP(outputs, "output", "o", []string{"table"}, usage)
	complete := func(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) {
		return report.Formats(), cobra.ShellCompDirectiveNoFileComp
	}
	if err := cmd.RegisterFlagCompletionFunc("output", complete); err != nil {
		panic(err) // the flag was declared above
	}
}

// outputs shows one stream of judgements in several formats at once.
type outputs struct {
	renderers []report.Renderer
	files     []*app.File
	summary   report.Summary
	silent    bool // nothing goes to standard output
}

// openOutputs prepares every output, so that a path that cannot be written is
// known before anything is decided. Files appear on commit.
func openOutputs(sys System, specs []string, noColour, explain bool) (*outputs, error) {
	return openOutputsWith(sys, specs, noColour, report.Options{Explain: explain})
}

// openOutputsWith is openOutputs with more options; colour and width are found here.
func openOutputsWith(sys System, specs []string, noColour bool, base report.Options) (*outputs, error) {
	o := &outputs{}
	taken := ""
	var faults []error
	for _, spec := range specs {
		format, path, toFile := strings.Cut(strings.TrimSpace(spec), "=")
		if !slices.Contains(report.Formats(), format) {
			_, err := report.New(format, io.Discard, report.Options{})
			faults = append(faults, err)
			continue
		}
		opt := base
		opt.Width = plainWidth
		var w io.Writer
		switch {
		case toFile && path == "":
			faults = append(faults, fmt.Errorf("output %q names no file after the =", spec))
			continue
		case toFile:
			f, err := app.CreateFile(path)
			if err != nil {
				faults = append(faults, err)
				continue
			}
			o.files = append(o.files, f)
			w = f
		case taken != "":
			faults = append(faults, fmt.Errorf("outputs %s and %s both want standard output: give one of them a file, %s=PATH", taken, format, format))
			continue
		default:
			taken, w = format, sys.Stdout
			opt.Colour, opt.Width = sys.colour(w) && !noColour, sys.width(w)
		}
		r, err := report.New(format, w, opt)
		if err != nil {
			faults = append(faults, err)
			continue
		}
		o.renderers = append(o.renderers, r)
	}
	if len(faults) > 0 {
		o.discard()
		return nil, errors.Join(faults...)
	}
	o.silent = taken == ""
	return o, nil
}

func (o *outputs) add(j report.Judgement) error {
	o.summary.Add(j.Decision)
	for _, r := range o.renderers {
		if err := r.Add(j); err != nil {
			return fmt.Errorf("write the result: %w", err)
		}
	}
	return nil
}

// end completes every output. When some dossier could not be decided the files
// are left as they were: an incomplete list must not pass for a complete one.
func (o *outputs) end() error {
	for _, r := range o.renderers {
		if err := r.End(o.summary); err != nil {
			return fmt.Errorf("write the result: %w", err)
		}
	}
	if o.summary.Undecided > 0 {
		return nil
	}
	for _, f := range o.files {
		if err := f.Commit(); err != nil {
			return err
		}
	}
	return nil
}

// discard drops files that were not completed.
func (o *outputs) discard() {
	for _, f := range o.files {
		f.Discard()
	}
}
