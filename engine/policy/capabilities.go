package policy

import (
	"fmt"
	"slices"

	"github.com/open-policy-agent/opa/v1/ast"

	"github.com/changevouch/changevouch/schemas"
)

// unrepeatable are built-ins that answer from outside the dossier. OPA marks
// more of them as nondeterministic; those named here stay forbidden whatever a
// later OPA says of them.
var unrepeatable = []string{"http.send", "net.lookup_ip_addr", "opa.runtime", "rand.intn", "time.now_ns", "uuid.rfc4122"}

// capabilities is what a policy may use: everything of this OPA but the
// built-ins whose answer could differ next time, and no network for schemas.
func capabilities() *ast.Capabilities {
	all := ast.CapabilitiesForThisVersion()
	all.Builtins = slices.DeleteFunc(slices.Clone(all.Builtins), func(b *ast.Builtin) bool {
		return b.IsNondeterministic() || slices.Contains(unrepeatable, b.Name)
	})
	all.AllowNet = []string{}
	return all
}

// inputTypes gives the type checker the shape of a dossier, for every rule: a
// misspelt field is then a compile error. Modules may also name the schemas in
// annotations, as schema.dossier and so on.
func inputTypes() (*ast.SchemaSet, error) {
	set := ast.NewSchemaSet()
	for _, name := range schemas.Names() {
		text, err := schemas.Source(name)
		if err != nil {
			return nil, err
		}
		doc, faults := schemas.Parse(text)
		if len(faults) > 0 {
			return nil, fmt.Errorf("schema %s: %s", name, faults[0])
		}
		root, _ := doc.Value().(map[string]any)
		shape := typeShape(root, root, 0)
		set.Put(ast.MustParseRef("schema."+string(name)), shape)
		if name == schemas.Dossier {
			set.Put(ast.SchemaRootRef, shape)
		}
	}
	return set, nil
}

// typeShape reduces a schema to what OPA's type builder understands: types,
// fields and entries, with every reference written out. An object that allows
// other fields, and whatever is not understood, becomes "anything".
func typeShape(root, node map[string]any, depth int) map[string]any {
	anything := map[string]any{}
	if depth > schemas.MaxDepth {
		return anything
	}
	if ref, ok := node["$ref"].(string); ok {
		target, ok := definition(root, ref)
		if !ok {
			return anything
		}
		return typeShape(root, target, depth+1)
	}
	kind, _ := node["type"].(string)
	switch kind {
	case "object":
		fields, _ := node["properties"].(map[string]any)
		if len(fields) == 0 || node["additionalProperties"] != false {
			return map[string]any{"type": "object"}
		}
		shaped := map[string]any{}
		for name, field := range fields {
			sub, _ := field.(map[string]any)
			shaped[name] = typeShape(root, sub, depth+1)
		}
		return map[string]any{"type": "object", "properties": shaped}
	case "array":
		if items, ok := node["items"].(map[string]any); ok {
			return map[string]any{"type": "array", "items": typeShape(root, items, depth+1)}
		}
		return map[string]any{"type": "array"}
	case "string", "boolean", "integer", "number":
		return map[string]any{"type": kind}
	}
	if _, ok := node["const"].(string); ok {
		return map[string]any{"type": "string"}
	}
	if values, ok := node["enum"].([]any); ok && !slices.ContainsFunc(values, notText) {
		return map[string]any{"type": "string"}
	}
	return anything
}

func notText(v any) bool {
	_, ok := v.(string)
	return !ok
}

// definition finds "#/$defs/name".
func definition(root map[string]any, ref string) (map[string]any, bool) {
	const prefix = "#/$defs/"
	if len(ref) <= len(prefix) || ref[:len(prefix)] != prefix {
		return nil, false
	}
	defs, _ := root["$defs"].(map[string]any)
	target, ok := defs[ref[len(prefix):]].(map[string]any)
	return target, ok
}
