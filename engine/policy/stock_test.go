package policy_test

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/changevouch/changevouch/engine"
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

// TestStockOPA: the opa command of the very version in go.mod, given the bundle
// folder and a dossier, says what Evaluate says, but for the envelope.
func TestStockOPA(t *testing.T) {
	root, err := filepath.Abs("../..")
	if err != nil {
		t.Fatal(err)
	}
	opa := filepath.Join(root, ".cache", "bin", "opa") // linked once and kept
	build := exec.CommandContext(t.Context(), "go", "build", "-o", opa, "github.com/open-policy-agent/opa")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("build opa: %v\n%s", err, out)
	}
	p := builtInPolicy(t)
	asked := map[string]bool{}
	files := dossierFiles(t)
	for file, stock := range execOPA(t, opa, files) {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		d, err := p.Evaluate(t.Context(), text)
		if err != nil {
			t.Errorf("%s: %v", file, err)
			continue
		}
		if diff := cmp.Diff(stock, withoutEnvelope(t, d)); diff != "" {
			t.Errorf("%s: opa exec differs (-opa +vouch)\n%s", file, diff)
		}
		if kind := d.Subject.Type + d.Outcome; !asked[kind] { // one process each
			asked[kind] = true
			if diff := cmp.Diff(evalOPA(t, opa, file), withoutEnvelope(t, d)); diff != "" {
				t.Errorf("%s: opa eval differs (-opa +vouch)\n%s", file, diff)
			}
		}
	}
}

// execOPA judges all files in one process.
func execOPA(t *testing.T, opa string, files []string) map[string]any {
	t.Helper()
	args := append([]string{"exec", "--bundle", builtIn, "--decision", "decision/document", "--log-level", "error"}, files...)
	out, err := exec.CommandContext(t.Context(), opa, args...).Output()
	if err != nil {
		t.Fatalf("opa exec: %v\n%s", err, out)
	}
	var answer struct {
		Result []struct {
			Path   string
			Result any
			Error  any
		}
	}
	if err := json.Unmarshal(out, &answer); err != nil {
		t.Fatal(err)
	}
	documents := map[string]any{}
	for _, r := range answer.Result {
		if r.Error != nil {
			t.Errorf("opa exec: %s: %v", r.Path, r.Error)
		}
		documents[strings.TrimPrefix(r.Path, "/")] = r.Result
	}
	if len(documents) != len(files) {
		t.Fatalf("opa exec judged %d of %d", len(documents), len(files))
	}
	return documents
}

func evalOPA(t *testing.T, opa, file string) any {
	t.Helper()
	out, err := exec.CommandContext(t.Context(), opa, "eval", "--strict-builtin-errors", "-b", builtIn, "-i", file, "-f", "raw", "data.decision.document").Output()
	if err != nil {
		t.Fatalf("opa eval: %v\n%s", err, out)
	}
	var document any
	if err := json.Unmarshal(out, &document); err != nil {
		t.Fatalf("opa eval: %v\n%s", err, out)
	}
	return document
}

func withoutEnvelope(t *testing.T, d engine.Decision) any {
	t.Helper()
	text, err := json.Marshal(d)
	if err != nil {
		t.Fatal(err)
	}
	var document map[string]any
	if err := json.Unmarshal(text, &document); err != nil {
		t.Fatal(err)
	}
	for _, field := range []string{"id", "policy", "input_digest"} {
		if document[field] == nil {
			t.Error(fmt.Errorf("the envelope lacks %s", field))
		}
		delete(document, field)
	}
	return document
}
