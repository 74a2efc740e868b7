package policy

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/changevouch/changevouch/schemas"
)

// Parameter is one setting with its effective value.
type Parameter struct {
	Key         string `json:"key"` // dotted, such as vuln_sla_days.high
	Value       any    `json:"value"`
	Default     any    `json:"default,omitempty"` // of the bundle, where the settings changed it
	Changed     bool   `json:"changed"`           // the settings give a value, be it the default's
	Unit        string `json:"unit,omitempty"`
	Description string `json:"description,omitempty"`
}

// Parameters lists the effective settings by key. Unit and description are
// those of schemas/settings.json; a parameter of one's own bundle has neither.
func (p *Policy) Parameters() []Parameter {
	return parameters(p.defaults, p.settings, p.given)
}

func parameters(defaults, effective, given map[string]any) []Parameter {
	schema, _ := settingsSchema() // it parsed when the package was tested
	var out []Parameter
	var walk func(path []string, values, schema map[string]any)
	walk = func(path []string, values, schema map[string]any) {
		for _, name := range slices.Sorted(maps.Keys(values)) {
			at := append(slices.Clone(path), name)
			known, _ := lookup(schema, []string{"properties", name}).(map[string]any)
			group, isGroup := values[name].(map[string]any)
			if _, open := known["additionalProperties"].(map[string]any); isGroup && !open && len(group) > 0 {
				walk(at, group, known)
				continue
			}
			parameter := Parameter{Key: strings.Join(at, "."), Value: values[name], Changed: lookup(given, at) != nil}
			if parameter.Changed {
				parameter.Default = lookup(defaults, at)
			}
			parameter.Unit, _ = known["unit"].(string)
			parameter.Description, _ = known["description"].(string)
			out = append(out, parameter)
		}
	}
	walk(nil, effective, schema)
	return out
}

func settingsSchema() (map[string]any, error) {
	text, err := schemas.Source(schemas.Settings)
	if err != nil {
		return nil, err
	}
	doc, faults := schemas.Parse(text)
	if len(faults) > 0 {
		return nil, fmt.Errorf("schema of settings: %s", faults[0])
	}
	schema, _ := doc.Value().(map[string]any)
	return schema, nil
}
