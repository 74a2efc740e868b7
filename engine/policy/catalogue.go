package policy

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/changevouch/changevouch/engine"
	"github.com/changevouch/changevouch/schemas"
)

// Catalogue is what people read about a policy. Whatever the rules say
// themselves is derived from them as they are compiled, so that it cannot be out
// of date.
type Catalogue struct {
	Clauses    []Clause          // of the written policy, by id
	Controls   []Entry           // by id
	Frameworks map[string]string // their names in full, by the key that controls use
	Policy     *Policy

	unanchored []string // controls that cite no clause although their part of the catalogue lists clauses
}

// Clause is one demand of the written policy (data.catalogue.clauses, and
// data.catalogue.<part>.clauses of bundles laid beside).
type Clause struct {
	ID       string   `json:"id"`
	Text     string   `json:"text"`
	Controls []string `json:"controls,omitempty"`
}

// Entry is all that is known of a control.
type Entry struct {
	Control
	Clauses     []string      `json:"clauses,omitempty"` // those that Clause names and the catalogue has
	Remediation string        `json:"remediation,omitempty"`
	Statuses    []string      `json:"statuses"` // those that the rule can give
	Reasons     []Reason      `json:"reasons"`  // by code
	Settings    []Reading     `json:"settings,omitempty"`
	Tests       []TestPackage `json:"tests,omitempty"`
}

// Reason is a code that a control can give. Statuses and Says are empty where
// the rule puts them together only when it judges; in Says, … stands for what is
// filled in then.
type Reason struct {
	Code     string   `json:"code"`
	Statuses []string `json:"statuses,omitempty"`
	Says     []string `json:"says,omitempty"`
}

// Reading is the settings that a control reads in one package: its own, which
// comes first, or one that it draws on.
type Reading struct {
	Package string   `json:"package"` // such as lib.review
	Keys    []string `json:"keys"`    // dotted; a group's name where it is read as a whole
}

// TestPackage is a package of tests for a control: tests.<rule>, or
// controls.<rule>_test.
type TestPackage struct {
	Package string     `json:"package"`
	File    string     `json:"file"`
	Tests   []TestRule `json:"tests"`
}

// TestRule is a test; a table has the names of its cases, where the rule writes
// them out.
type TestRule struct {
	Name  string   `json:"name"`
	Cases []string `json:"cases,omitempty"`
}

// ReadCatalogue reads bundles with their tests, each laid over those before it.
// The errors are those of New.
func ReadCatalogue(ctx context.Context, bundles []Bundle, settings []byte) (*Catalogue, error) {
	var sources []source
	for _, b := range bundles {
		sources = append(sources, source{files: b.files})
	}
	b, err := build(sources, settings)
	if err != nil {
		return nil, err
	}
	p, err := b.policy(ctx, Options{})
	if err != nil {
		return nil, err
	}
	c := &Catalogue{Policy: p, Frameworks: map[string]string{}}
	names, _ := lookup(b.data, []string{"catalogue", "frameworks"}).(map[string]any)
	for key, name := range names {
		c.Frameworks[key], _ = name.(string)
	}
	clauses, err := readClauses(b.data)
	if err != nil {
		return nil, err
	}
	unwaivable, _ := b.settings["unwaivable_controls"].([]any)
	from := newDerivation(b)
	for _, control := range p.controls {
		entry := Entry{Control: control, Reasons: from.reasons(control.Rule), Settings: from.settings(control.Rule), Tests: from.tests(control.Rule)}
		entry.Remediation, _ = control.Custom["remediation"].(string)
		entry.Statuses = from.statuses(control.Rule, !slices.Contains(unwaivable, any(control.ID)))
		for _, id := range cited(control.Clause) {
			if clause := clauses[id]; clause != nil {
				clause.Controls = append(clause.Controls, control.ID)
				entry.Clauses = append(entry.Clauses, id)
			}
		}
		if len(entry.Clauses) == 0 && listsClauses(b.data, control.ID) {
			c.unanchored = append(c.unanchored, control.ID)
		}
		c.Controls = append(c.Controls, entry)
	}
	for _, id := range slices.Sorted(maps.Keys(clauses)) {
		c.Clauses = append(c.Clauses, *clauses[id])
	}
	return c, nil
}

func readClauses(data map[string]any) (map[string]*Clause, error) {
	clauses := map[string]*Clause{}
	for _, at := range catalogueParts(data) {
		texts, _ := lookup(data, append(at, "clauses")).(map[string]any)
		for _, id := range slices.Sorted(maps.Keys(texts)) {
			text, ok := texts[id].(string)
			switch {
			case !ok || text == "":
				return nil, fmt.Errorf("data.%s.clauses[%q]: a clause is a text", strings.Join(at, "."), id)
			case clauses[id] != nil:
				return nil, fmt.Errorf("data.%s.clauses[%q]: the catalogue has this clause already", strings.Join(at, "."), id)
			}
			clauses[id] = &Clause{ID: id, Text: text}
		}
	}
	return clauses, nil
}

// listsClauses reports whether the part of the catalogue that has the control
// lists clauses too: then the control answers one of them. A company's controls
// may answer to something that is not written there.
func listsClauses(data map[string]any, control string) bool {
	for _, at := range catalogueParts(data) {
		if lookup(data, append(slices.Clone(at), "controls", control)) != nil {
			clauses, _ := lookup(data, append(slices.Clone(at), "clauses")).(map[string]any)
			return len(clauses) > 0
		}
	}
	return false
}

// cited parts what a row says of its clauses: ids and remarks, with commas.
func cited(clause string) []string {
	parts := strings.Split(clause, ",")
	for i, part := range parts {
		parts[i] = strings.TrimSpace(part)
	}
	return parts
}

// Find returns the controls that an id or alias names, in any case. More than
// one control can answer an alias. The error names the nearest id there is.
func (c *Catalogue) Find(name string) ([]Entry, error) {
	var found []Entry
	var known []string
	for _, entry := range c.Controls {
		names := append([]string{entry.ID}, entry.Aliases...)
		if slices.ContainsFunc(names, func(other string) bool { return strings.EqualFold(name, other) }) {
			found = append(found, entry)
		}
		known = append(known, names...)
	}
	if len(found) > 0 {
		return found, nil
	}
	message := fmt.Sprintf("no control %q in the catalogue", name)
	if near := schemas.Nearest(strings.ToUpper(name), known); near != "" {
		message += fmt.Sprintf(", did you mean %s?", near)
	}
	return nil, fmt.Errorf("%s", message)
}

// Gaps lists what the catalogue lacks: clauses that no control answers, and
// controls that answer no clause or have no test.
func (c *Catalogue) Gaps() []string {
	var gaps []string
	for _, clause := range c.Clauses {
		if len(clause.Controls) == 0 {
			gaps = append(gaps, fmt.Sprintf("clause %s has no control: %s", clause.ID, clause.Text))
		}
	}
	for _, entry := range c.Controls {
		if slices.Contains(c.unanchored, entry.ID) {
			gaps = append(gaps, fmt.Sprintf("control %s: its clause %q is not among those of the catalogue", entry.ID, entry.Clause))
		}
		if len(entry.Tests) == 0 {
			gaps = append(gaps, fmt.Sprintf("control %s has no test: none is in package tests.%s or controls.%s_test", entry.ID, entry.Rule, entry.Rule))
		}
	}
	return gaps
}

// statusOrder is that of the contract.
var statusOrder = []string{
	engine.StatusPass, engine.StatusFail, engine.StatusPending,
	engine.StatusUnknown, engine.StatusNotApplicable, engine.StatusWaived,
}
