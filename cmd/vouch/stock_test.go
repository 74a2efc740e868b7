package main_test

import (
	"bytes"
	"encoding/json"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/changevouch/changevouch/engine"
)

// stockOPA: the opa command of the very version in go.mod says of every case what
// vouch says, but for the envelope. Where a case has settings of its own they are
// part of the bundle folder; a history of releases no single bundle can hold. One
// of each kind is also asked of opa eval.
func (b *caseBook) stockOPA(t *testing.T) {
	root, err := filepath.Abs("../..")
	if err != nil {
		t.Fatal(err)
	}
	opa := filepath.Join(root, ".cache", "bin", "opa") // linked once and kept
	if out, err := exec.CommandContext(t.Context(), "go", "build", "-o", opa, "github.com/open-policy-agent/opa").CombinedOutput(); err != nil {
		t.Fatalf("build opa: %v\n%s", err, out)
	}
	groups := map[string][]judgedCase{}
	for _, c := range b.all {
		if c.Releases == nil {
			groups[c.policyKey()] = append(groups[c.policyKey()], c)
		}
	}
	asked := map[string]bool{}
	for _, key := range slices.Sorted(maps.Keys(groups)) {
		group := groups[key]
		var settings []byte
		if group[0].Settings != nil {
			settings = b.policies[key].(interface{ Settings() []byte }).Settings()
		}
		bundle := bundleWith(t, filepath.Join(root, "rego"), settings)
		documents := execOPA(t, opa, bundle, group)
		for _, c := range group {
			if diff := cmp.Diff(documents[c.ID], withoutEnvelope(t, b.verdict(t, c))); diff != "" {
				t.Errorf("%s: opa exec differs (-opa +vouch)\n%s", c.ID, diff)
			}
			kind := b.verdict(t, c).Subject.Type
			if asked[kind] || settings != nil {
				continue
			}
			asked[kind] = true // a process each
			if diff := cmp.Diff(evalOPA(t, opa, bundle, c), withoutEnvelope(t, b.verdict(t, c))); diff != "" {
				t.Errorf("%s: opa eval differs (-opa +vouch)\n%s", c.ID, diff)
			}
		}
	}
}

// execOPA judges cases in one process: id -> document.
func execOPA(t *testing.T, opa, bundle string, cases []judgedCase) map[string]any {
	t.Helper()
	dir := t.TempDir()
	args := []string{"exec", "--bundle", bundle, "--decision", "decision/document", "--log-level", "error"}
	for _, c := range cases {
		file := filepath.Join(dir, c.ID+".json")
		if err := os.WriteFile(file, c.Dossier, 0o600); err != nil {
			t.Fatal(err)
		}
		args = append(args, file)
	}
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
		documents[strings.TrimSuffix(filepath.Base(r.Path), ".json")] = r.Result
	}
	if len(documents) != len(cases) {
		t.Fatalf("opa exec judged %d of %d", len(documents), len(cases))
	}
	return documents
}

// evalOPA judges one case as a person at a terminal would.
func evalOPA(t *testing.T, opa, bundle string, c judgedCase) any {
	t.Helper()
	eval := exec.CommandContext(t.Context(), opa, "eval", "--strict-builtin-errors", "-b", bundle, "-I", "-f", "raw", "data.decision.document")
	eval.Stdin = bytes.NewReader(c.Dossier)
	out, err := eval.Output()
	if err != nil {
		t.Fatalf("opa eval: %v\n%s", err, out)
	}
	var document any
	if err := json.Unmarshal(out, &document); err != nil {
		t.Fatalf("opa eval: %v\n%s", err, out)
	}
	return document
}

// bundleWith is a copy of a bundle folder without its tests and, unless they are
// nil, with other settings.
func bundleWith(t *testing.T, bundle string, settings []byte) string {
	t.Helper()
	dir := t.TempDir()
	if err := os.CopyFS(dir, os.DirFS(bundle)); err != nil {
		t.Fatal(err)
	}
	err := filepath.WalkDir(dir, func(path string, _ os.DirEntry, err error) error {
		if err != nil || !strings.HasSuffix(path, "_test.rego") {
			return err
		}
		return os.Remove(path)
	})
	if err != nil {
		t.Fatal(err)
	}
	if settings == nil {
		return dir
	}
	if err := os.WriteFile(filepath.Join(dir, "settings", "data.yaml"), settings, 0o600); err != nil { // JSON is YAML
		t.Fatal(err)
	}
	return dir
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
			t.Errorf("the envelope lacks %s", field)
		}
		delete(document, field)
	}
	return document
}
