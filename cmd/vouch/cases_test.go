package main_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/changevouch/changevouch/cmd/vouch/internal/app"
	"github.com/changevouch/changevouch/engine"
	"github.com/changevouch/changevouch/schemas"
)

// judgedCase is a dossier with the verdict that people expect of the policy.
type judgedCase struct {
	ID       string          `json:"id"`
	Story    string          `json:"story"`
	Settings json.RawMessage `json:"settings"`
	Releases json.RawMessage `json:"releases"`
	Dossier  json.RawMessage `json:"dossier"`
	Expect   struct {
		Classification string `json:"classification"`
		Risk           string `json:"risk"`
		Outcome        string `json:"outcome"`
		Findings       []struct {
			Control string `json:"control"`
			Status  string `json:"status"`
		} `json:"findings"`
		Tolerated []string `json:"tolerated"`
	} `json:"expect"`
	Why string `json:"why"`
}

// TestCases judges every case as vouch eval does. A control that a case neither
// lists nor tolerates must not disturb.
func TestCases(t *testing.T) {
	files, err := filepath.Glob(filepath.Join("..", "..", "testdata", "cases", "*.json"))
	if err != nil || len(files) < 2 {
		t.Fatalf("%d files of cases: %v", len(files), err)
	}
	judges := map[string]engine.Policy{}
	seen := map[string]bool{}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".json"), func(t *testing.T) {
			var cases []judgedCase
			readJSON(t, file, &cases)
			if len(cases) == 0 {
				t.Fatal("no cases")
			}
			for _, c := range cases {
				if seen[c.ID] {
					t.Errorf("%s: two cases with this id", c.ID)
				}
				seen[c.ID] = true
				key := string(c.Settings) + "\n" + string(c.Releases)
				if judges[key] == nil {
					judges[key] = c.judge(t)
				}
				if wrong := c.wrong(t, judges[key]); len(wrong) > 0 {
					t.Errorf("%s: %s\n  why: %s\n  %s", c.ID, c.Story, c.Why, strings.Join(wrong, "\n  "))
				}
			}
		})
	}
}

// judge opens what the case is judged by.
func (c judgedCase) judge(t *testing.T) engine.Policy {
	t.Helper()
	dir := t.TempDir()
	var config app.PolicyConfig
	var releases string
	for name, document := range map[string]struct {
		text json.RawMessage
		path *string
	}{"settings.json": {c.Settings, &config.Settings}, "releases.json": {c.Releases, &releases}} {
		if document.text == nil {
			continue
		}
		*document.path = filepath.Join(dir, name)
		if err := os.WriteFile(*document.path, document.text, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	judge, err := app.OpenJudge(t.Context(), config, releases, "test")
	if err != nil {
		t.Fatalf("%s: %v", c.ID, err)
	}
	return judge
}

// wrong lists where the verdict is not the expected one.
func (c judgedCase) wrong(t *testing.T, judge engine.Policy) []string {
	t.Helper()
	var dossier bytes.Buffer
	if err := json.Compact(&dossier, c.Dossier); err != nil {
		return []string{err.Error()}
	}
	if faults := schemas.Validate(schemas.Dossier, dossier.Bytes()); len(faults) > 0 {
		return []string{fmt.Sprint(faults)}
	}
	decision, err := judge.Evaluate(t.Context(), dossier.Bytes())
	if err != nil {
		return []string{err.Error()}
	}
	want := expectation{
		Classification: c.Expect.Classification,
		Risk:           c.Expect.Risk,
		Outcome:        c.Expect.Outcome,
		Findings:       map[string]string{},
		Tolerated:      c.Expect.Tolerated,
	}
	for _, f := range c.Expect.Findings {
		want.Findings[f.Control] = f.Status
	}
	return want.compare(decision)
}
