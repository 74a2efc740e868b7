// Package report renders decisions for people and programs: a table, an
// explanation control by control, JSON, YAML, Markdown, SARIF, JUnit XML, annotations
// of GitHub Actions.
//
// A Renderer takes decisions one at a time, in the order they are to appear,
// and keeps no more of them than one page; SARIF and JUnit, which count at their
// beginning, keep their findings. It shows only what a decision says:
// a control that has no rule, is pending or unknown never looks like a pass.
package report

import (
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/changevouch/changevouch/engine"
)

// Judgement is a decision and the dossier it was made on, as JSON. The dossier
// may be absent; evidence is then shown as pointers alone.
type Judgement struct {
	Decision engine.Decision
	Dossier  []byte
}

// Renderer writes a stream of judgements. Call Add for each, then End exactly
// once. A Renderer is for one goroutine; an error from it means that the
// output is incomplete.
type Renderer interface {
	Add(Judgement) error
	End(Summary) error
}

// Options fit the output to its reader. The zero value is plain text without a
// limit on its width.
type Options struct {
	Explain bool // every control with its evidence, instead of one row a decision
	Colour  bool // escape sequences allowed
	Width   int  // columns to fill; 0 = as wide as needed
	// Mode of the gate whose answer it is; annotations of one that stops nothing are no
	// errors. Empty is no gate.
	Mode string
}

// Formats names what New accepts.
func Formats() []string {
	return []string{"table", "json", "ndjson", "yaml", "markdown", "sarif", "junit", "github"}
}

// New returns the renderer for a format. An unknown format is an error that
// lists the known ones.
func New(format string, w io.Writer, opt Options) (Renderer, error) {
	switch format {
	case "table":
		if opt.Explain {
			return &explanation{page: page{w: w, opt: opt}}, nil
		}
		return &table{page: page{w: w, opt: opt}}, nil
	case "json":
		return &jsonArray{w: w}, nil
	case "ndjson":
		return &jsonLines{w: w}, nil
	case "yaml":
		return &yamlList{w: w}, nil
	case "markdown":
		return &markdown{w: w, opt: opt}, nil
	case "sarif":
		return newSARIF(w), nil
	case "junit":
		return &junitSuites{w: w}, nil
	case "github":
		return &workflow{w: w, mode: opt.Mode, told: map[string]int{}}, nil
	}
	return nil, fmt.Errorf("unknown output format %q: use one of %s", format, strings.Join(Formats(), ", "))
}

// Summary counts decisions by outcome. Undecided counts dossiers on which the
// policy gave no decision.
type Summary struct {
	Outcomes  map[string]int
	Undecided int
}

// Add counts one decision.
func (s *Summary) Add(d engine.Decision) {
	if s.Outcomes == nil {
		s.Outcomes = map[string]int{}
	}
	s.Outcomes[d.Outcome]++
}

// Total is the number of decisions, undecided dossiers not included.
func (s Summary) Total() int {
	n := 0
	for _, k := range s.Outcomes {
		n += k
	}
	return n
}

// String is one line: "5 decisions: 1 non-compliant, 1 pending, 3 compliant".
func (s Summary) String() string {
	var parts []string
	for _, k := range s.counts() {
		parts = append(parts, fmt.Sprintf("%d %s", k.n, label(k.outcome)))
	}
	line := plural(s.Total(), "decision")
	if len(parts) > 0 {
		line += ": " + strings.Join(parts, ", ")
	}
	if s.Undecided > 0 {
		line += fmt.Sprintf("; %s could not be decided", plural(s.Undecided, "dossier"))
	}
	return line
}

type count struct {
	outcome string
	n       int
}

// counts lists the outcomes that occurred, worst first; a name we do not know
// comes before all others, so that it is never overlooked.
func (s Summary) counts() []count {
	var out []count
	for outcome, n := range s.Outcomes {
		out = append(out, count{outcome, n})
	}
	slices.SortFunc(out, func(a, b count) int {
		if d := slices.Index(outcomesWorstFirst, a.outcome) - slices.Index(outcomesWorstFirst, b.outcome); d != 0 {
			return d
		}
		return strings.Compare(a.outcome, b.outcome)
	})
	return out
}

var outcomesWorstFirst = []string{
	engine.OutcomeNonCompliant, engine.OutcomeUnknown, engine.OutcomePending,
	engine.OutcomeCompliantWithWaiver, engine.OutcomeCompliant, engine.OutcomeOutOfScope,
}

var statusesWorstFirst = []string{
	engine.StatusFail, engine.StatusUnknown, engine.StatusPending,
	engine.StatusWaived, engine.StatusPass, engine.StatusNotApplicable,
}

// label is an outcome or status in words.
func label(token string) string {
	switch token {
	case engine.OutcomeNonCompliant:
		return "non-compliant"
	case "":
		return "missing"
	default:
		return Printable(strings.ReplaceAll(token, "_", " "))
	}
}

// symbol is an outcome or status in one column. Anything unheard of is as
// doubtful as unknown.
func symbol(token string) string {
	switch token {
	case engine.OutcomeCompliant, engine.StatusPass:
		return "✓"
	case engine.OutcomeNonCompliant, engine.StatusFail:
		return "✗"
	case engine.OutcomePending:
		return "…"
	case engine.OutcomeCompliantWithWaiver, engine.StatusWaived:
		return "~"
	case engine.OutcomeOutOfScope, engine.StatusNotApplicable:
		return "-"
	default:
		return "?"
	}
}

// byWeight returns the findings worst first, otherwise in the decision's order.
func byWeight(findings []engine.Finding) []engine.Finding {
	sorted := slices.Clone(findings)
	slices.SortStableFunc(sorted, func(a, b engine.Finding) int {
		return slices.Index(statusesWorstFirst, a.Status) - slices.Index(statusesWorstFirst, b.Status)
	})
	return sorted
}

// open reports whether a finding keeps its subject from being plainly
// compliant: failed, unknown, pending, waived, or something unheard of.
func open(f engine.Finding) bool {
	return f.Status != engine.StatusPass && f.Status != engine.StatusNotApplicable
}

func plural(n int, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return fmt.Sprintf("%d %ss", n, noun)
}
