package policy

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/open-policy-agent/opa/v1/ast"
)

// Control is one row of the catalogue (data.catalogue.controls) together with
// the METADATA of the package that implements it.
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
	rows, _ := lookup(data, []string{"catalogue", "controls"}).(map[string]any)
	if len(rows) == 0 {
		return nil, fmt.Errorf("the bundle has no controls: data.catalogue.controls is empty")
	}
	packages := controlPackages(modules)
	var controls []Control
	rules := map[string]string{}
	for _, id := range slices.Sorted(maps.Keys(rows)) {
		text, err := json.Marshal(rows[id])
		if err != nil {
			return nil, fmt.Errorf("data.catalogue.controls[%q]: %w", id, err)
		}
		control := Control{ID: id}
		if err := json.Unmarshal(text, &control); err != nil {
			return nil, fmt.Errorf("data.catalogue.controls[%q]: %w", id, err)
		}
		control.ID = id
		switch other, twice := rules[control.Rule]; {
		case control.Title == "", control.Clause == "", control.Severity == "":
			return nil, fmt.Errorf("data.catalogue.controls[%q] needs title, clause and severity", id)
		case len(control.Subjects) == 0:
			return nil, fmt.Errorf("data.catalogue.controls[%q] names no subjects: it would apply to nothing", id)
		case twice && control.Rule != "":
			return nil, fmt.Errorf("data.catalogue.controls: %q and %q name one rule %q", other, id, control.Rule)
		}
		rules[control.Rule] = id
		if module := packages[control.Rule]; module != nil {
			control.describe(module)
		}
		controls = append(controls, control)
	}
	for _, rule := range slices.Sorted(maps.Keys(packages)) {
		if _, ok := rules[rule]; !ok {
			return nil, fmt.Errorf("%s: package data.controls.%s has no row in data.catalogue.controls: nothing would ask it", packages[rule].Package.Location.File, rule)
		}
	}
	return controls, nil
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
		if !ok || strings.HasSuffix(name, "_test.rego") {
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
