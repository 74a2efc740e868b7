package policy_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"testing"

	"github.com/changevouch/changevouch/engine/policy"
	"github.com/changevouch/changevouch/schemas"
)

const builtIn = "../../rego"

// dossierFiles are samples of every subject type.
func dossierFiles(t testing.TB) []string {
	t.Helper()
	files, err := filepath.Glob("testdata/dossiers/*.json")
	if err != nil || len(files) == 0 {
		t.Fatalf("no dossiers: %v", err)
	}
	return files
}

func builtInPolicy(t testing.TB) *policy.Policy {
	t.Helper()
	p, err := policy.Load(t.Context(), os.DirFS(builtIn), policy.Options{})
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// TestBuiltInDecisions holds whole decisions of the built-in bundle to their
// schema.
func TestBuiltInDecisions(t *testing.T) {
	p := builtInPolicy(t)
	for _, file := range dossierFiles(t) {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		d, err := p.Evaluate(t.Context(), text)
		if err != nil {
			t.Errorf("%s: %v", file, err)
			continue
		}
		out, err := json.Marshal(d)
		if err != nil {
			t.Fatal(err)
		}
		for _, fault := range schemas.Validate(schemas.Decision, out) {
			t.Errorf("%s: %s", file, fault)
		}
	}
}

// TestBuiltInSettings holds the defaults to the schema of settings: every key
// is described there.
func TestBuiltInSettings(t *testing.T) {
	for _, fault := range schemas.Validate(schemas.Settings, builtInPolicy(t).Settings()) {
		t.Error(fault)
	}
}
