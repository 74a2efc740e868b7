package main_test

import (
	"bytes"
	"encoding/json"
	"flag"
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/changevouch/changevouch/cmd/vouch/internal/app"
	"github.com/changevouch/changevouch/engine"
	"github.com/changevouch/changevouch/engine/policy"
	"github.com/changevouch/changevouch/schemas"
	"github.com/changevouch/changevouch/testdata/acme"
)

var update = flag.Bool("update", false, "rewrite the golden files")

// sample is the recorded sample organisation; its STORY.md tells what happened.
const sample = "../../testdata/acme"

// expectation is what was written by hand of one change. A control that is
// neither in Findings nor in Tolerated must not disturb.
type expectation struct {
	Story          string              `json:"story"`
	Classification string              `json:"classification"`
	Risk           string              `json:"risk"`
	Outcome        string              `json:"outcome"`
	Findings       map[string]string   `json:"findings"`
	Reasons        map[string][]string `json:"reasons"`
	Tolerated      []string            `json:"tolerated"`
	Why            string              `json:"why"`
}

// collectAcme reads every recorded payload of the sample organisation.
func collectAcme(t *testing.T) []engine.Event {
	t.Helper()
	var events []engine.Event
	folders := map[string]string{"git": "github", "render": "render", "iam": "iam"}
	for _, c := range app.Collectors() {
		read, err := c.Read(t.Context(), []string{filepath.Join(sample, folders[c.Name])})
		if err != nil {
			t.Fatal(err)
		}
		for _, fault := range slices.Concat(read.Faults, read.Conflicts) {
			t.Errorf("%s: %v", c.Name, fault)
		}
		events = append(events, read.Events...)
	}
	for _, e := range events {
		text, err := json.Marshal(e)
		if err != nil {
			t.Fatal(err)
		}
		for _, fault := range schemas.Validate(schemas.Event, text) {
			t.Errorf("event %s: %v", e.ID, fault)
		}
	}
	return events
}

// assembleAcme builds the dossiers of the sample organisation as JSON by subject.
func assembleAcme(t *testing.T, events []engine.Event, rules *policy.Policy) map[string][]byte {
	t.Helper()
	dir, err := app.ReadDirectory(filepath.Join(sample, "directory.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	at, err := time.Parse(time.RFC3339, acme.At)
	if err != nil {
		t.Fatal(err)
	}
	dossiers, problems, err := app.Assemble(t.Context(), events, dir, rules, at)
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range problems {
		t.Errorf("assembly: %v", p)
	}
	out := map[string][]byte{}
	for _, d := range dossiers {
		key := d.Subject.ID
		if d.Subject.Type != "change" {
			key = d.Subject.Type + " " + key
		}
		if out[key] != nil {
			t.Errorf("two dossiers for %s", key)
		}
		out[key] = encode(t, d)
	}
	return out
}

func encode(t *testing.T, d engine.Dossier) []byte {
	t.Helper()
	var buf bytes.Buffer
	enc := json.NewEncoder(&buf)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", "  ")
	if err := enc.Encode(d); err != nil {
		t.Fatal(err)
	}
	return buf.Bytes()
}

func loadRules(t *testing.T) *policy.Policy {
	t.Helper()
	rules, err := app.OpenPolicy(t.Context(), app.PolicyConfig{}, "test")
	if err != nil {
		t.Fatal(err)
	}
	return rules
}

// TestAcme runs the whole line over the sample organisation, from raw payloads
// to decisions, and compares with what people expect of the policy.
func TestAcme(t *testing.T) {
	events := collectAcme(t)
	rules := loadRules(t)
	dossiers := assembleAcme(t, events, rules)
	decisions := judgeAcme(t, rules, dossiers)

	t.Run("expected", func(t *testing.T) {
		var expected map[string]expectation
		readJSON(t, filepath.Join(sample, "expected.json"), &expected)
		for _, subject := range slices.Sorted(maps.Keys(expected)) {
			decision, ok := decisions[subject]
			if !ok {
				t.Errorf("%s: no dossier\n  story: %s", subject, expected[subject].Story)
				continue
			}
			if wrong := expected[subject].compare(decision); len(wrong) > 0 {
				t.Errorf("%s is not as expected\n  story: %s\n  why:   %s\n  %s", subject, expected[subject].Story, expected[subject].Why, strings.Join(wrong, "\n  "))
			}
		}
		for subject := range decisions {
			if _, known := expected[subject]; !known && !strings.Contains(subject, " ") {
				t.Errorf("%s: a change that nobody expects (%s)", subject, decisions[subject].Outcome)
			}
		}
	})

	t.Run("golden", func(t *testing.T) {
		if *update {
			if err := os.RemoveAll(filepath.Join("testdata", "acme")); err != nil {
				t.Fatal(err)
			}
		}
		var page bytes.Buffer
		for _, subject := range slices.Sorted(maps.Keys(decisions)) {
			writeDecision(&page, subject, decisions[subject])
		}
		golden(t, filepath.Join("testdata", "acme", "decisions.txt"), page.Bytes())
		for subject, text := range dossiers {
			golden(t, filepath.Join("testdata", "acme", "dossiers", fileName(subject)+".json"), text)
		}
		files, err := os.ReadDir(filepath.Join("testdata", "acme", "dossiers"))
		if err != nil {
			t.Fatal(err)
		}
		if len(files) != len(dossiers) {
			t.Errorf("%d golden dossiers for %d subjects: remove those of subjects that are gone", len(files), len(dossiers))
		}
	})
}

// TestAcmeOrder shuffles and doubles the events: the dossiers stay the same.
func TestAcmeOrder(t *testing.T) {
	events := collectAcme(t)
	rules := loadRules(t)
	want := assembleAcme(t, events, rules)
	random := rand.New(rand.NewPCG(20, 11))
	for range 3 {
		mixed := slices.Concat(events, events[:len(events)/2])
		random.Shuffle(len(mixed), func(i, j int) { mixed[i], mixed[j] = mixed[j], mixed[i] })
		got := assembleAcme(t, mixed, rules)
		for _, subject := range slices.Sorted(maps.Keys(want)) {
			if diff := cmp.Diff(string(want[subject]), string(got[subject])); diff != "" {
				t.Fatalf("%s depends on the order of events (-sorted +shuffled)\n%s", subject, diff)
			}
		}
	}
}

func judgeAcme(t *testing.T, rules engine.Policy, dossiers map[string][]byte) map[string]engine.Decision {
	t.Helper()
	out := map[string]engine.Decision{}
	for _, subject := range slices.Sorted(maps.Keys(dossiers)) {
		decision, err := rules.Evaluate(t.Context(), dossiers[subject])
		if err != nil {
			t.Errorf("%s: %v", subject, err)
			continue
		}
		out[subject] = decision
	}
	return out
}

// compare lists where a decision is not what was expected.
func (e expectation) compare(d engine.Decision) []string {
	var wrong []string
	differs := func(what, want, got string) {
		if want != got {
			wrong = append(wrong, fmt.Sprintf("%s: want %s, got %s", what, want, got))
		}
	}
	differs("outcome", e.Outcome, d.Outcome)
	differs("class", e.Classification, d.Classification.Type)
	differs("risk", e.Risk, d.Risk.Level)
	found := map[string]engine.Finding{}
	for _, f := range d.Findings {
		found[f.Control] = f
		if f.Message == "" || strings.Contains(f.Message, "<undefined>") {
			wrong = append(wrong, fmt.Sprintf("%s says nothing: %q", f.Control, f.Message))
		}
		_, listed := e.Findings[f.Control]
		calm := f.Status == engine.StatusPass || f.Status == engine.StatusNotApplicable
		if !listed && !calm && !slices.Contains(e.Tolerated, f.Control) {
			wrong = append(wrong, fmt.Sprintf("%s: not expected to be %s %v: %s", f.Control, f.Status, f.Reasons, f.Message))
		}
	}
	for _, control := range slices.Sorted(maps.Keys(e.Findings)) {
		f, ok := found[control]
		if !ok && e.Findings[control] == engine.StatusNotApplicable {
			continue
		}
		if f.Status != e.Findings[control] {
			wrong = append(wrong, fmt.Sprintf("%s: want %s, got %s %v: %s", control, e.Findings[control], f.Status, f.Reasons, f.Message))
		}
		for _, reason := range e.Reasons[control] {
			if !slices.Contains(f.Reasons, reason) {
				wrong = append(wrong, fmt.Sprintf("%s: want reason %s, got %v", control, reason, f.Reasons))
			}
		}
	}
	return wrong
}

// writeDecision writes what people read of a decision; digests change with every
// edit of a rule and are left out.
func writeDecision(w *bytes.Buffer, subject string, d engine.Decision) {
	fmt.Fprintf(w, "%s: %s\n  class %s, risk %s", subject, d.Outcome, d.Classification.Type, d.Risk.Level)
	if d.NextEvaluationAt != "" {
		fmt.Fprintf(w, ", again at %s", d.NextEvaluationAt)
	}
	fmt.Fprintln(w)
	for _, f := range d.Findings {
		fmt.Fprintf(w, "  %-10s %s %s %s\n", f.Control, f.Status, strings.Join(f.Reasons, " "), f.Message)
	}
	fmt.Fprintln(w)
}

// golden compares with a file, or writes it with -update.
func golden(t *testing.T, path string, got []byte) {
	t.Helper()
	if *update {
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, got, 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Errorf("%v (write it with -update)", err)
		return
	}
	if diff := cmp.Diff(string(want), string(got)); diff != "" {
		t.Errorf("%s changed (-golden +now); -update if that is right\n%s", path, diff)
	}
}

func fileName(subject string) string {
	return strings.Map(func(r rune) rune {
		if strings.ContainsRune(`/#@: *|`, r) {
			return '_'
		}
		return r
	}, subject)
}

func readJSON(t *testing.T, path string, v any) {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(text, v); err != nil {
		t.Fatalf("%s: %v", path, err)
	}
}
