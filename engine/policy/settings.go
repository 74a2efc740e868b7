package policy

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/changevouch/changevouch/schemas"
)

// SettingsError lists what is wrong with a settings file.
type SettingsError struct {
	Faults []schemas.Fault
}

func (e *SettingsError) Error() string {
	text := "invalid settings"
	for _, fault := range e.Faults {
		text += "\n  " + fault.String()
	}
	return text
}

// applySettings merges settings (YAML or JSON) over the defaults: objects key
// by key, everything else replaced. A key is known when the schema or the
// defaults have it; an own bundle may bring parameters of its own. A file that
// holds comments only changes nothing.
func applySettings(defaults map[string]any, text []byte) (effective, given map[string]any, err error) {
	if commentsOnly(string(text)) {
		return defaults, nil, nil
	}
	doc, faults := schemas.ParseYAML(text)
	if len(faults) > 0 {
		return nil, nil, &SettingsError{Faults: faults}
	}
	for _, fault := range doc.Validate(schemas.Settings) {
		if fault.Keyword != "additionalProperties" {
			faults = append(faults, fault)
			continue
		}
		parent, key := split(fault.Pointer)
		siblings, _ := lookup(defaults, parent).(map[string]any)
		if _, known := siblings[key]; known {
			faults = append(faults, mismatches(fault, lookup(doc.Value(), append(parent, key)), siblings[key])...)
			continue
		}
		if !strings.Contains(fault.Message, "did you mean") {
			if near := schemas.Nearest(key, slices.Sorted(maps.Keys(siblings))); near != "" {
				fault.Message += ", did you mean " + near + "?"
			}
		}
		faults = append(faults, fault)
	}
	if len(faults) > 0 {
		return nil, nil, &SettingsError{Faults: faults}
	}
	given, _ = doc.Value().(map[string]any)
	return merge(defaults, given), given, nil
}

func commentsOnly(text string) bool {
	for line := range strings.Lines(text) {
		if line = strings.TrimSpace(line); line != "" && line[0] != '#' {
			return false
		}
	}
	return true
}

// mismatches compares a parameter that only the defaults know with its default:
// the same kind of value, and no keys that the default lacks unless it is an
// open (empty) object.
func mismatches(at schemas.Fault, given, standard any) []schemas.Fault {
	at.Keyword = "default"
	if kind(given) != kind(standard) {
		at.Message = fmt.Sprintf("%s is expected, as in the default; found %s", kind(standard), kind(given))
		return []schemas.Fault{at}
	}
	fields, _ := given.(map[string]any)
	known, _ := standard.(map[string]any)
	if len(known) == 0 {
		return nil
	}
	var faults []schemas.Fault
	for _, key := range slices.Sorted(maps.Keys(fields)) {
		sub := at
		sub.Pointer += "/" + strings.NewReplacer("~", "~0", "/", "~1").Replace(key)
		if _, ok := known[key]; ok {
			faults = append(faults, mismatches(sub, fields[key], known[key])...)
			continue
		}
		sub.Message = "unknown field"
		if near := schemas.Nearest(key, slices.Sorted(maps.Keys(known))); near != "" {
			sub.Message += ", did you mean " + near + "?"
		}
		faults = append(faults, sub)
	}
	return faults
}

func kind(v any) string {
	switch v.(type) {
	case map[string]any:
		return "an object"
	case []any:
		return "a list"
	case string:
		return "a text"
	case bool:
		return "true or false"
	case json.Number, float64, int:
		return "a number"
	}
	return "nothing"
}

// merge lays over upon base without changing either.
func merge(base, over map[string]any) map[string]any {
	out := maps.Clone(base)
	if out == nil {
		out = map[string]any{}
	}
	for key, value := range over {
		x, okX := out[key].(map[string]any)
		y, okY := value.(map[string]any)
		if okX && okY {
			value = merge(x, y)
		}
		out[key] = value
	}
	return out
}

// split parts a JSON pointer into the keys of the parent and the last key.
func split(pointer string) (parent []string, key string) {
	tokens := strings.Split(strings.TrimPrefix(pointer, "/"), "/")
	for i, t := range tokens {
		tokens[i] = strings.ReplaceAll(strings.ReplaceAll(t, "~1", "/"), "~0", "~")
	}
	return tokens[:len(tokens)-1], tokens[len(tokens)-1]
}

func lookup(v any, keys []string) any {
	for _, key := range keys {
		object, ok := v.(map[string]any)
		if !ok {
			return nil
		}
		v = object[key]
	}
	return v
}
