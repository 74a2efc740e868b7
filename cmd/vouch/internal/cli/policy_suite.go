package cli

import (
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"

	"github.com/jstemmer/go-junit-report/v2/junit"
	"github.com/spf13/cobra"

	"github.com/changevouch/changevouch/cmd/vouch/internal/app"
	"github.com/changevouch/changevouch/engine/policy"
)

// testFormats are the ways to show a test run.
var testFormats = []string{"table", "json", "junit"}

func newPolicyTestCommand(sys System) *cobra.Command {
	var (
		c         app.DraftConfig
		options   policy.TestOptions
		outputs   []string
		verbose   bool
		threshold float64
	)
	cmd := &cobra.Command{
		Use:   "test PATH...",
		Short: "Run the tests of policies",
		Long: `Run the tests of policies: rules named test_… in files named …_test.rego, as
strictly as policies are judged with. A rule test_x[case] is a table, reported
case by case.

Exit codes: 0 all passed · 2 a test failed or was skipped, or too few lines are
covered · 1 an error, or no test ran.

` + layering,
		Example: `  vouch policy test rego --coverage --threshold 95
  vouch policy test acme/rego -r 'cm_4_b_1.*stale' -v
  vouch policy test rego -o table -o junit=tests.xml`,
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(args) == 0 {
				return errors.New("no policy named: give the folders that hold the tests")
			}
			if threshold < 0 || threshold > 100 {
				return fmt.Errorf("--threshold %v: it must lie between 0 and 100", threshold)
			}
			options.Coverage = options.Coverage || threshold > 0
			sinks, err := openSinks(sys, outputs, testFormats)
			if err != nil {
				return err
			}
			defer sinks.discard()
			c.Paths = args
			draft, err := app.OpenDraft(cmd.Context(), c)
			if err != nil {
				return err
			}
			report, err := draft.Test(cmd.Context(), options)
			if err != nil {
				return err
			}
			err = sinks.write(func(w io.Writer, format string) error {
				switch format {
				case "json":
					return writeJSON(w, report)
				case "junit":
					return writeJUnit(w, report)
				}
				return writeTests(w, report, verbose, threshold)
			})
			if err != nil {
				return err
			}
			if !report.Passed() || options.Coverage && report.Coverage.Percent < threshold {
				return exit(exitNonCompliant)
			}
			return nil
		},
	}
	addDraftFlags(cmd, &c)
	flags := cmd.Flags()
	flags.StringVarP(&options.Run, "run", "r", "", "run only tests whose name (data.package.test_name) matches this regular expression")
	flags.BoolVarP(&verbose, "verbose", "v", false, "list tests that passed, too")
	flags.BoolVar(&options.Coverage, "coverage", false, "measure the lines that the tests reach")
	flags.Float64Var(&threshold, "threshold", 0, "least coverage in percent")
	addSinkFlag(cmd, &outputs, testFormats)
	return cmd
}

// writeTests lists what did not pass (or, if verbose, everything) and counts.
func writeTests(w io.Writer, report policy.TestReport, verbose bool, threshold float64) error {
	var b strings.Builder
	for _, r := range report.Results {
		if r.Status == policy.TestPassed && !verbose {
			continue
		}
		fmt.Fprintf(&b, "%-5s %s  %s:%d\n", strings.ToUpper(string(r.Status)), r.FullName(), r.File, r.Line)
		for _, text := range []string{r.Message, r.Output} {
			if text = strings.TrimRight(text, "\n"); text != "" {
				b.WriteString("      " + strings.ReplaceAll(text, "\n", "\n      ") + "\n")
			}
		}
	}
	fmt.Fprintf(&b, "%s: %d passed", plural(len(report.Results), "test"), report.Count(policy.TestPassed))
	for _, status := range []policy.TestStatus{policy.TestFailed, policy.TestErrored, policy.TestSkipped} {
		if n := report.Count(status); n > 0 {
			fmt.Fprintf(&b, ", %d %s", n, map[policy.TestStatus]string{policy.TestFailed: "failed", policy.TestErrored: "ended in an error", policy.TestSkipped: "skipped"}[status])
		}
	}
	b.WriteByte('\n')
	if c := report.Coverage; c != nil {
		short := c.Percent < threshold
		for _, f := range c.Files {
			if len(f.NotCovered) > 0 && (short || verbose) {
				fmt.Fprintf(&b, "%6.1f %%  %s: lines %s\n", f.Percent, f.File, ranges(f.NotCovered))
			}
		}
		fmt.Fprintf(&b, "Coverage %.1f %%", c.Percent)
		if short {
			fmt.Fprintf(&b, ", less than %v %%", threshold)
		}
		b.WriteByte('\n')
	}
	_, err := io.WriteString(w, b.String())
	return err
}

// ranges shortens ascending line numbers: 3-5, 9.
func ranges(lines []int) string {
	var parts []string
	for i := 0; i < len(lines); {
		j := i
		for j+1 < len(lines) && lines[j+1] <= lines[j]+1 {
			j++
		}
		part := strconv.Itoa(lines[i])
		if lines[j] > lines[i] {
			part += "-" + strconv.Itoa(lines[j])
		}
		parts = append(parts, part)
		i = j + 1
	}
	return strings.Join(parts, ", ")
}

func writeJUnit(w io.Writer, report policy.TestReport) error {
	var all junit.Testsuites
	for i := 0; i < len(report.Results); {
		suite := junit.Testsuite{Name: report.Results[i].Package}
		total := time.Duration(0)
		for ; i < len(report.Results) && report.Results[i].Package == suite.Name; i++ {
			r := report.Results[i]
			total += r.Duration
			suite.AddTestcase(testcase(r))
		}
		suite.Time = seconds(total)
		all.AddSuite(suite)
	}
	text, err := xml.MarshalIndent(all, "", "  ")
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(w, "%s%s\n", xml.Header, text)
	return err
}

func testcase(r policy.TestResult) junit.Testcase {
	name := strings.TrimPrefix(r.FullName(), r.Package+".")
	out := junit.Testcase{Name: name, Classname: r.Package, Time: seconds(r.Duration)}
	why := &junit.Result{Message: r.Message, Data: fmt.Sprintf("%s:%d\n%s", r.File, r.Line, r.Output)}
	switch r.Status {
	case policy.TestFailed:
		out.Failure = why
	case policy.TestErrored:
		out.Error = why
	case policy.TestSkipped:
		out.Skipped = why
	}
	return out
}

func seconds(d time.Duration) string { return strconv.FormatFloat(d.Seconds(), 'f', 6, 64) }
