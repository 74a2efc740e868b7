// Package handbook writes a policy's catalogue as Markdown: a page for each
// control, and an index with the trace from the clauses of the written policy to
// controls, rules, tests and frameworks.
//
// The same catalogue and examples give the same bytes.
package handbook

import (
	"cmp"
	"fmt"
	"io/fs"
	"maps"
	"path"
	"slices"
	"strings"

	"github.com/changevouch/changevouch/engine"
	"github.com/changevouch/changevouch/engine/policy"
)

// Page is one file, by its slash-separated name below the folder of the handbook.
type Page struct {
	Name string
	Text []byte
}

// indexName is the page that leads to all others.
const indexName = "catalogue/README.md"

// PageName is where the page of a control is: beside a rule that is in
// controls/<rule>, as the built-in ones are.
func PageName(rule string) string { return "controls/" + rule + "/README.md" }

// Examples are findings that decisions gave. The zero value is ready for use.
type Examples struct {
	found map[key]map[string]group // by reasons
}

type key struct{ control, status string }

// group is the findings that have the same reasons.
type group struct {
	count, reasons int
	shortest       example
}

type example struct{ message, origin string }

// Add takes up the findings of a decision. origin says whence the decision is,
// such as the id of a case.
func (e *Examples) Add(origin string, d engine.Decision) {
	if e.found == nil {
		e.found = map[key]map[string]group{}
	}
	for _, f := range d.Findings {
		at := key{f.Control, f.Status}
		if e.found[at] == nil {
			e.found[at] = map[string]group{}
		}
		reasons := strings.Join(f.Reasons, " ")
		g, known := e.found[at][reasons]
		one := example{f.Message, origin}
		if !known || one.compare(g.shortest) < 0 {
			g.shortest = one
		}
		g.count, g.reasons = g.count+1, len(f.Reasons)
		e.found[at][reasons] = g
	}
}

func (x example) compare(y example) int {
	return cmp.Or(cmp.Compare(len(x.message), len(y.message)), strings.Compare(x.message, y.message), strings.Compare(x.origin, y.origin))
}

// typical is the example to show: the shortest of those with the most frequent
// reasons. It does not depend on the order in which decisions came.
func (e Examples) typical(control, status string) (example, bool) {
	groups := slices.Collect(maps.Values(e.found[key{control, status}]))
	if len(groups) == 0 {
		return example{}, false
	}
	return slices.MinFunc(groups, func(x, y group) int {
		return cmp.Or(cmp.Compare(y.count, x.count), cmp.Compare(x.reasons, y.reasons), x.shortest.compare(y.shortest))
	}).shortest, true
}

// Gaps lists what keeps the handbook from being complete: those of the
// catalogue, and controls of which no example fails.
func Gaps(c *policy.Catalogue, examples Examples) []string {
	gaps := c.Gaps()
	for _, entry := range c.Controls {
		if _, ok := examples.typical(entry.ID, engine.StatusFail); !ok && slices.Contains(entry.Statuses, engine.StatusFail) {
			gaps = append(gaps, fmt.Sprintf("control %s fails in no example", entry.ID))
		}
	}
	return gaps
}

// Pages writes the handbook, the index first. Rules and tests that are files of
// folder, where the pages will be, are linked.
func Pages(c *policy.Catalogue, examples Examples, folder fs.FS) []Page {
	pages := []Page{{Name: indexName, Text: index(c)}}
	parameters := map[string]policy.Parameter{}
	for _, p := range c.Policy.Parameters() {
		parameters[p.Key] = p
	}
	for _, entry := range c.Controls {
		pages = append(pages, Page{Name: PageName(entry.Rule), Text: control(c, entry, parameters, examples, folder)})
	}
	return pages
}

const notice = "<!-- Written by `vouch policy docs` from the rules. Change those, and write it again. -->\n"

// control writes the page of one control.
func control(c *policy.Catalogue, entry policy.Entry, parameters map[string]policy.Parameter, examples Examples, folder fs.FS) []byte {
	d := &document{}
	d.line("# %s: %s", escape(entry.ID), escape(entry.Title))
	d.line("")
	d.text(notice)
	d.line("")
	d.line("%s", cmp.Or(escape(entry.Description), "No description."))
	d.line("")
	rows := [][]string{
		{"clause", escape(entry.Clause)},
		{"severity", entry.Severity},
		{"judges", escape(strings.Join(entry.Subjects, ", "))},
	}
	if len(entry.Aliases) > 0 {
		rows = append(rows, []string{"also answers", escape(strings.Join(entry.Aliases, ", "))})
	}
	rows = append(rows, []string{"rule", link(folder, entry.File, entry.Rule) + ", package " + code("controls."+entry.Rule)})
	d.table([]string{"", ""}, rows)

	if len(entry.Clauses) > 0 {
		d.heading("What the policy demands")
		for _, clause := range c.Clauses {
			if slices.Contains(entry.Clauses, clause.ID) {
				d.line("- **%s** %s", escape(clause.ID), escape(clause.Text))
			}
		}
	}
	if entry.Remediation != "" {
		d.heading("What to do")
		d.line("%s", escape(entry.Remediation))
	}

	d.heading("Statuses")
	rows = nil
	for _, status := range statuses(entry, examples) {
		row := []string{code(status), "no example", ""}
		if x, ok := examples.typical(entry.ID, status); ok {
			row[1], row[2] = escape(x.message), escape(x.origin)
		}
		rows = append(rows, row)
	}
	d.table([]string{"status", "an example of its message", "from"}, rows)

	if len(entry.Reasons) > 0 {
		d.heading("Reasons")
		d.line("Codes in the rules that this control's problems come from; … stands for what is filled in. A finding can")
		d.line("also name why a waiver does not count (`waiver.…`).")
		d.line("")
		rows = nil
		for _, reason := range entry.Reasons {
			rows = append(rows, []string{code(reason.Code), strings.Join(reason.Statuses, ", "), escape(strings.Join(reason.Says, " · "))})
		}
		d.table([]string{"code", "status", "says"}, rows)
	}

	if len(entry.Settings) > 0 {
		d.heading("Settings")
		writeSettings(d, entry, parameters)
	}
	if len(entry.Frameworks) > 0 {
		d.heading("Frameworks")
		rows = nil
		for _, name := range slices.Sorted(maps.Keys(entry.Frameworks)) {
			rows = append(rows, []string{escape(cmp.Or(c.Frameworks[name], name)), escape(strings.Join(entry.Frameworks[name], ", "))})
		}
		d.table([]string{"framework", "supports"}, rows)
	}

	d.heading("Tests")
	if len(entry.Tests) == 0 {
		d.line("No test.")
	}
	for _, tests := range entry.Tests {
		d.line("%s, package %s:", link(folder, tests.File, entry.Rule), code(tests.Package))
		d.line("")
		for _, test := range tests.Tests {
			d.line("- %s%s", code(test.Name), cases(test.Cases))
		}
	}
	return d.bytes()
}

// statuses are those that the rule can give, and any that an example has
// nevertheless.
func statuses(entry policy.Entry, examples Examples) []string {
	var out []string
	for _, status := range []string{
		engine.StatusPass, engine.StatusFail, engine.StatusPending,
		engine.StatusUnknown, engine.StatusNotApplicable, engine.StatusWaived,
	} {
		if _, seen := examples.typical(entry.ID, status); seen || slices.Contains(entry.Statuses, status) {
			out = append(out, status)
		}
	}
	return out
}

// writeSettings shows the parameters that the control reads itself, and names
// those of the packages that it draws on.
func writeSettings(d *document, entry policy.Entry, parameters map[string]policy.Parameter) {
	var others []string
	for _, reading := range entry.Settings {
		if reading.Package != "controls."+entry.Rule {
			var keys []string
			for _, k := range reading.Keys {
				keys = append(keys, code(k))
			}
			others = append(others, fmt.Sprintf("- %s: %s", code(reading.Package), strings.Join(keys, ", ")))
			continue
		}
		var rows [][]string
		for _, p := range parametersOf(reading.Keys, parameters) {
			rows = append(rows, parameterRow(p))
		}
		d.table([]string{"parameter", "value", "unit", "what it says"}, rows)
	}
	if len(others) > 0 {
		if len(others) < len(entry.Settings) {
			d.line("")
		}
		d.line("Read by what it draws on; the [catalogue](../../%s#settings) has their values:", indexName)
		d.line("")
		for _, line := range others {
			d.line("%s", line)
		}
	}
}

// parametersOf resolves keys; the key of a group stands for all in it.
func parametersOf(keys []string, parameters map[string]policy.Parameter) []policy.Parameter {
	var out []policy.Parameter
	for _, name := range slices.Sorted(maps.Keys(parameters)) {
		if slices.ContainsFunc(keys, func(k string) bool {
			return k == "" || name == k || strings.HasPrefix(name, k+".") || strings.HasPrefix(k, name+".")
		}) {
			out = append(out, parameters[name])
		}
	}
	return out
}

func parameterRow(p policy.Parameter) []string {
	return []string{code(p.Key), policyValue(p.Value), escape(p.Unit), escape(p.Description)}
}

// index writes the list of controls, the trace and the settings.
func index(c *policy.Catalogue) []byte {
	ref := c.Policy.Ref()
	d := &document{}
	d.line("# %s %s", escape(ref.Name), escape(ref.Version))
	d.line("")
	d.text(notice)
	d.line("")
	d.line("%d controls. A page for each says what it checks, what it can answer, and what to do.", len(c.Controls))
	d.heading("Controls")
	var rows [][]string
	for _, e := range c.Controls {
		rows = append(rows, []string{linkPage(e), escape(e.Title), escape(e.Clause), e.Severity, escape(strings.Join(e.Subjects, ", "))})
	}
	d.table([]string{"control", "title", "clause", "severity", "judges"}, rows)

	d.heading("From clause to evidence")
	d.line("What the written policy demands, in short, and what answers it.")
	d.line("")
	byID := map[string]policy.Entry{}
	for _, e := range c.Controls {
		byID[e.ID] = e
	}
	rows = nil
	for _, clause := range c.Clauses {
		first := []string{escape(clause.ID), escape(clause.Text)}
		if len(clause.Controls) == 0 {
			rows = append(rows, append(first, "no control", "", "", ""))
		}
		for _, id := range clause.Controls {
			e := byID[id]
			rows = append(rows, append(first, linkPage(e), code("controls."+e.Rule), countTests(e), escape(frameworks(c, e))))
			first = []string{"", ""}
		}
	}
	d.table([]string{"clause", "demand", "control", "rule", "tests", "frameworks"}, rows)

	d.heading("Settings")
	d.line("`vouch policy settings` shows them as they are with your settings.")
	d.line("")
	rows = nil
	for _, p := range c.Policy.Parameters() {
		rows = append(rows, parameterRow(p))
	}
	d.table([]string{"parameter", "value", "unit", "what it says"}, rows)
	return d.bytes()
}

func linkPage(e policy.Entry) string {
	return fmt.Sprintf("[%s](../%s)", escape(e.ID), PageName(e.Rule))
}

func countTests(e policy.Entry) string {
	n := 0
	var packages []string
	for _, tests := range e.Tests {
		if !slices.Contains(packages, code(tests.Package)) {
			packages = append(packages, code(tests.Package))
		}
		for _, test := range tests.Tests {
			n += max(1, len(test.Cases))
		}
	}
	if n == 0 {
		return "no test"
	}
	return fmt.Sprintf("%s, %d", strings.Join(packages, ", "), n)
}

func frameworks(c *policy.Catalogue, e policy.Entry) string {
	var parts []string
	for _, name := range slices.Sorted(maps.Keys(e.Frameworks)) {
		parts = append(parts, cmp.Or(c.Frameworks[name], name)+": "+strings.Join(e.Frameworks[name], ", "))
	}
	return strings.Join(parts, "; ")
}

func cases(names []string) string {
	if len(names) == 0 {
		return ""
	}
	return ": " + escape(strings.Join(names, "; "))
}

// link leads to a file of policy where it is beside the page.
func link(folder fs.FS, file, rule string) string {
	if file == "" {
		return "none"
	}
	if path.Dir(file) == path.Dir(PageName(rule)) {
		if _, err := fs.Stat(folder, file); err == nil {
			return fmt.Sprintf("[%s](%s)", path.Base(file), path.Base(file))
		}
	}
	return code(file)
}
