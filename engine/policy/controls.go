package policy

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/open-policy-agent/opa/v1/ast"
)

// Control is one row of the catalogue together with the METADATA of the package
// that implements it. Rows are data.catalogue.controls and, of bundles laid
// beside, data.catalogue.<name of theirs>.controls.
type Control struct {
	ID         string              `json:"id"`
	Rule       string              `json:"rule"` // package data.controls.<rule>; empty when nothing implements it
	Title      string              `json:"title"`
	Clause     string              `json:"clause"`
	Severity   string              `json:"severity"`
	Subjects   []string            `json:"subjects"`
	Aliases    []string            `json:"aliases,omitempty"`
	Frameworks map[string][]string `json:"frameworks,omitempty"`

	// From METADATA; empty when the package has none.
	Description string         `json:"description,omitempty"`
	Custom      map[string]any `json:"custom,omitempty"`
	File        string         `json:"file,omitempty"`
}

// readControls reads the catalogue, sorted by id, and joins it with the
// packages. A control package without a row would never be asked, so
// it is an error.
func readControls(data map[string]any, modules map[string]*ast.Module) ([]Control, error) {
	packages := controlPackages(modules)
	controls := map[string]Control{}
	rules := map[string]string{}
	for _, at := range catalogueParts(data) {
		rows, _ := lookup(data, append(at, "controls")).(map[string]any)
		for _, id := range slices.Sorted(maps.Keys(rows)) {
			where := fmt.Sprintf("data.%s.controls[%q]", strings.Join(at, "."), id)
			control, err := readControl(rows[id])
			if err != nil {
				return nil, fmt.Errorf("%s%w", where, err)
			}
			control.ID = id
			other, twice := rules[control.Rule]
			_, again := controls[id]
			switch {
			case again:
				return nil, fmt.Errorf("%s: the catalogue has this control already: take an id of your own", where)
			case twice && control.Rule != "":
				return nil, fmt.Errorf("%s: %q names the same rule %q", where, other, control.Rule)
			}
			rules[control.Rule] = id
			if module := packages[control.Rule]; module != nil {
				control.describe(module)
			}
			controls[id] = control
		}
	}
	if len(controls) == 0 {
		return nil, errors.New("the bundle has no controls: data.catalogue.controls is empty")
	}
	for _, rule := range slices.Sorted(maps.Keys(packages)) {
		if _, ok := rules[rule]; !ok {
			return nil, fmt.Errorf("%s: package controls.%s has no row in data.catalogue.controls: nothing would ask it", packages[rule].Package.Location.File, rule)
		}
	}
	var list []Control
	for _, id := range slices.Sorted(maps.Keys(controls)) {
		list = append(list, controls[id])
	}
	return list, nil
}

// catalogueParts lists where controls and clauses are: in the catalogue itself
// and in the parts that bundles beside it own.
func catalogueParts(data map[string]any) [][]string {
	parts := [][]string{{"catalogue"}}
	catalogue, _ := data["catalogue"].(map[string]any)
	for _, name := range slices.Sorted(maps.Keys(catalogue)) {
		if !slices.Contains(reservedParts, name) {
			parts = append(parts, []string{"catalogue", name})
		}
	}
	return parts
}

// reservedParts are the catalogue's own; no bundle beside it may be named so.
var reservedParts = []string{"clauses", "controls", "frameworks", "policy"}

func readControl(row any) (Control, error) {
	var control Control
	text, err := json.Marshal(row)
	if err == nil {
		err = json.Unmarshal(text, &control)
	}
	switch {
	case err != nil:
		return control, fmt.Errorf(": %w", err)
	case control.Title == "", control.Clause == "", control.Severity == "":
		return control, errors.New(" needs title, clause and severity")
	case len(control.Subjects) == 0:
		return control, errors.New(" names no subjects: it would apply to nothing")
	}
	return control, nil
}

// controlPackages finds one module of each package data.controls.<rule>.
func controlPackages(modules map[string]*ast.Module) map[string]*ast.Module {
	out := map[string]*ast.Module{}
	for _, name := range slices.Sorted(maps.Keys(modules)) {
		module := modules[name]
		path := module.Package.Path
		if len(path) < 3 || !path.HasPrefix(ast.MustParseRef("data.controls")) {
			continue
		}
		rule, ok := path[2].Value.(ast.String)
		if !ok || isTest(name) {
			continue
		}
		if first := out[string(rule)]; first == nil || len(first.Annotations) == 0 {
			out[string(rule)] = module
		}
	}
	return out
}

func (c *Control) describe(module *ast.Module) {
	c.File = module.Package.Location.File
	if a := packageMetadata(module); a != nil {
		c.Description, c.Custom = a.Description, a.Custom
	}
}

// packageMetadata is the METADATA above a package, nil when there is none.
func packageMetadata(module *ast.Module) *ast.Annotations {
	for _, a := range module.Annotations {
		if a.Scope == "package" || a.Scope == "subpackages" {
			return a
		}
	}
	return nil
}
