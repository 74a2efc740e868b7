package policy

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"runtime"
	"slices"
	"strings"
	"time"

	"github.com/open-policy-agent/opa/v1/ast"
	"github.com/open-policy-agent/opa/v1/cover"
	"github.com/open-policy-agent/opa/v1/storage"
	"github.com/open-policy-agent/opa/v1/tester"
	"github.com/open-policy-agent/opa/v1/topdown"
)

// ErrNoTests is returned when not one test ran: a wrong path or a filter that
// matches nothing must not look like success.
var ErrNoTests = errors.New("no test ran")

// testTimeout bounds one Rego test.
const testTimeout = 30 * time.Second

// TestOptions of Draft.Test.
type TestOptions struct {
	Run      string // regular expression over "data.package.test_name"; empty runs all
	Coverage bool   // measure which lines of the draft the tests reach
}

// TestStatus is how a test ended.
type TestStatus string

// Statuses of a test. Only TestPassed is good: a skipped test proves nothing.
const (
	TestPassed  TestStatus = "pass"
	TestFailed  TestStatus = "fail"
	TestErrored TestStatus = "error"
	TestSkipped TestStatus = "skip"
)

// TestResult is one test, or one case of a test that is a table.
type TestResult struct {
	Package  string        `json:"package"`
	Name     string        `json:"name"`
	Case     string        `json:"case,omitempty"`
	Status   TestStatus    `json:"status"`
	File     string        `json:"file"`
	Line     int           `json:"line"`
	Message  string        `json:"message,omitempty"`
	Output   string        `json:"output,omitempty"` // of print
	Duration time.Duration `json:"duration_ns"`      // of the whole test; cases behind the first carry 0
}

// FullName is "package.name", with the case in brackets.
func (r TestResult) FullName() string {
	name := r.Package + "." + r.Name
	if r.Case != "" {
		name += "[" + r.Case + "]"
	}
	return name
}

// TestReport is the outcome of a run, ordered by name.
type TestReport struct {
	Results  []TestResult `json:"results"`
	Coverage *Coverage    `json:"coverage,omitempty"`
}

// Count returns how many tests ended in a status.
func (r TestReport) Count(status TestStatus) int {
	n := 0
	for _, result := range r.Results {
		if result.Status == status {
			n++
		}
	}
	return n
}

// Passed reports whether tests ran and every one passed.
func (r TestReport) Passed() bool {
	return len(r.Results) > 0 && r.Count(TestPassed) == len(r.Results)
}

// Coverage counts the lines of the draft's rules that tests reached.
type Coverage struct {
	Percent float64        `json:"percent"`
	Files   []FileCoverage `json:"files"` // by name
}

// FileCoverage is the coverage of one file.
type FileCoverage struct {
	File       string  `json:"file"`
	Percent    float64 `json:"percent"`
	Covered    int     `json:"covered"`
	NotCovered []int   `json:"not_covered,omitempty"` // line numbers
}

// Test runs the Rego tests of the sources (rules named test_… in files
// _test.rego), as hermetically and strictly as Evaluate: a built-in error fails
// a test. The tests of the base do not run. When none ran, the error is
// ErrNoTests.
func (d Draft) Test(ctx context.Context, options TestOptions) (TestReport, error) {
	if _, err := regexp.Compile(options.Run); err != nil {
		return TestReport{}, fmt.Errorf("which tests to run: %w", err)
	}
	b, own, err := d.build(ctx)
	if err != nil {
		return TestReport{}, err
	}
	if _, err := b.compile(ctx); err != nil { // every fault, before anything runs
		return TestReport{}, err
	}
	var report TestReport
	coverage := cover.New()
	results, err := b.test(ctx, options, coverage, false)
	if err != nil {
		return TestReport{}, err
	}
	tables := tableTests(b.modules)
	for _, result := range results {
		report.Results = append(report.Results, flatten(result, tables[place(result.Location)])...)
	}
	if len(report.Results) == 0 {
		return TestReport{}, noTests(options)
	}
	if err := b.explain(ctx, report.Results); err != nil {
		return TestReport{}, err
	}
	slices.SortFunc(report.Results, func(x, y TestResult) int { return strings.Compare(x.FullName(), y.FullName()) })
	if options.Coverage {
		report.Coverage = measure(coverage, b.modules, own)
	}
	return report, nil
}

func noTests(options TestOptions) error {
	if options.Run != "" {
		return fmt.Errorf("%w: none matches %q", ErrNoTests, options.Run)
	}
	return fmt.Errorf("%w: there is no rule test_…", ErrNoTests)
}

// test runs OPA's test runner over the modules.
func (b *built) test(ctx context.Context, options TestOptions, coverage *cover.Cover, trace bool) (results []*tester.Result, err error) {
	err = storage.Txn(ctx, b.store, storage.TransactionParams{}, func(txn storage.Transaction) error {
		compiler, err := b.compiler(ctx, txn)
		if err != nil {
			return err
		}
		runner := tester.NewRunner().
			SetCompiler(compiler.WithEnablePrintStatements(true)).
			SetStore(b.store).
			SetModules(b.modules).
			CapturePrintOutput(true).
			RaiseBuiltinErrors(true).
			SetTimeout(testTimeout).
			SetParallel(runtime.GOMAXPROCS(0)).
			Filter(options.Run)
		switch {
		case trace:
			runner.EnableTracing(true)
		case options.Coverage:
			runner.SetCoverageQueryTracer(coverage)
		}
		stream, err := runner.RunTests(ctx, txn)
		if err != nil {
			return fmt.Errorf("run tests: %w", err)
		}
		for result := range stream {
			results = append(results, result)
		}
		return ctx.Err()
	})
	return results, err
}

// tableTests finds the rules that are tables of cases, test_x[case], by place.
func tableTests(modules map[string]*ast.Module) map[string]bool {
	out := map[string]bool{}
	for _, module := range modules {
		for _, rule := range module.Rules {
			if rule.Head.DocKind() == ast.PartialObjectDoc {
				out[place(rule.Location)] = true
			}
		}
	}
	return out
}

func place(l *ast.Location) string { return fmt.Sprintf("%s:%d", l.File, l.Row) }

// flatten gives one result for a plain test and one for each case of a table.
func flatten(r *tester.Result, table bool) []TestResult {
	base := TestResult{
		Package: r.Package, Name: r.Name, Status: TestPassed,
		File: r.Location.File, Line: r.Location.Row, Output: string(r.Output), Duration: r.Duration,
	}
	switch {
	case r.Skip:
		base.Status, base.Message = TestSkipped, "the name begins with todo_"
	case r.Error != nil:
		base.Status, base.Message = TestErrored, r.Error.Error()
	case len(r.SubResults) > 0:
		return cases(base, r.SubResults)
	case table:
		base.Status, base.Message = TestFailed, "the table has no cases"
	case r.Fail:
		base.Status = TestFailed
	}
	return []TestResult{base}
}

// cases lists the innermost entries of a table.
func cases(base TestResult, table tester.SubResultMap) []TestResult {
	var out []TestResult
	for path, entry := range table.Iter {
		if len(entry.SubResults) > 0 {
			continue
		}
		one := base
		one.Case = strings.Join(path, "/")
		if entry.Fail {
			one.Status = TestFailed
		}
		out = append(out, one)
		base.Duration, base.Output = 0, ""
	}
	return out
}

// maxExplained bounds the failures that are run again to say where they failed.
const maxExplained = 20

// explain runs failed plain tests once more, traced, and names the expression
// that did not hold.
func (b *built) explain(ctx context.Context, results []TestResult) error {
	var patterns []string
	failed := map[string]*TestResult{}
	for i := range results {
		r := &results[i]
		if r.Status == TestFailed && r.Case == "" && r.Message == "" && len(patterns) < maxExplained {
			failed[r.FullName()] = r
			patterns = append(patterns, "^"+regexp.QuoteMeta(strings.TrimRight(r.FullName(), "#0123456789"))+"$")
		}
	}
	if len(patterns) == 0 {
		return nil
	}
	traced, err := b.test(ctx, TestOptions{Run: strings.Join(patterns, "|")}, nil, true)
	if err != nil {
		return err
	}
	for _, result := range traced {
		r := failed[result.Package+"."+result.Name]
		if r == nil {
			continue
		}
		for _, event := range result.Trace {
			if expr, ok := event.Node.(*ast.Expr); ok && event.Op == topdown.FailOp && expr.Location != nil && expr.Location.File == r.File {
				r.Message = fmt.Sprintf("line %d does not hold: %s", expr.Location.Row, firstLine(string(expr.Location.Text)))
			}
		}
	}
	return nil
}

func firstLine(text string) string {
	line, _, more := strings.Cut(strings.TrimSpace(text), "\n")
	if more {
		line += " …"
	}
	return line
}

// measure reports coverage of the draft's own files, tests left out.
func measure(coverage *cover.Cover, modules map[string]*ast.Module, own map[string]bool) *Coverage {
	rules := map[string]*ast.Module{}
	for name, module := range modules {
		if own[name] && !isTest(name) {
			rules[name] = module
		}
	}
	out := &Coverage{}
	covered, lines := 0, 0
	for name, file := range coverage.Report(rules).Files {
		if rules[name] == nil { // a test, or the base
			continue
		}
		one := FileCoverage{File: name, Percent: file.Coverage, Covered: file.CoveredLines}
		for _, r := range file.NotCovered {
			for row := r.Start.Row; row <= r.End.Row; row++ {
				one.NotCovered = append(one.NotCovered, row)
			}
		}
		covered += file.CoveredLines
		lines += file.CoveredLines + file.NotCoveredLines
		out.Files = append(out.Files, one)
	}
	if lines > 0 {
		out.Percent = 100 * float64(covered) / float64(lines)
	}
	slices.SortFunc(out.Files, func(x, y FileCoverage) int { return strings.Compare(x.File, y.File) })
	return out
}
