package main_test

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

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

// TestCases judges every case as vouch eval does, and holds what is true of all.
func TestCases(t *testing.T) {
	files, err := filepath.Glob(filepath.Join("..", "..", "testdata", "cases", "*.json"))
	if err != nil || len(files) < 2 {
		t.Fatalf("%d files of cases: %v", len(files), err)
	}
	book := &caseBook{policies: map[string]engine.Policy{}, verdicts: map[string]engine.Decision{}}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".json"), func(t *testing.T) { book.read(t, file) })
	}
	t.Run("golden", book.goldenDecisions)
	t.Run("stock opa", book.stockOPA)
	// Every check judges a dossier: a few, always the same, so that a change is at
	// fault when one fails, not chance; -rapid.checks asks for more, drawn anew.
	if checks := flag.Lookup("rapid.checks"); checks.Value.String() == checks.DefValue {
		if err := errors.Join(checks.Value.Set("25"), flag.Set("rapid.seed", "1")); err != nil {
			t.Fatal(err)
		}
	}
	t.Run("order and duplicates", book.orderAndDuplicates)
	t.Run("whole weeks", book.wholeWeeks)
	t.Run("removal never helps", book.removalNeverHelps)
	t.Run("lower claims never help", book.lowerClaimsNeverHelp)
	t.Run("strangers change nothing", book.strangersChangeNothing)
}

// caseBook judges cases, each of them once as it stands.
type caseBook struct {
	all      []judgedCase
	policies map[string]engine.Policy
	verdicts map[string]engine.Decision
}

// read judges the cases of a file. A control that a case neither lists nor
// tolerates must not disturb.
func (b *caseBook) read(t *testing.T, file string) {
	var cases []judgedCase
	readJSON(t, file, &cases)
	if len(cases) == 0 {
		t.Fatal("no cases")
	}
	for _, c := range cases {
		if slices.ContainsFunc(b.all, func(other judgedCase) bool { return other.ID == c.ID }) {
			t.Errorf("%s: two cases with this id", c.ID)
		}
		b.all = append(b.all, c)
		if b.policies[c.policyKey()] == nil {
			b.policies[c.policyKey()] = c.judge(t)
		}
		if faults := schemas.Validate(schemas.Dossier, c.Dossier); len(faults) > 0 {
			t.Fatalf("%s: %v", c.ID, faults)
		}
		if wrong := c.wrong(b.verdict(t, c)); len(wrong) > 0 {
			t.Errorf("%s: %s\n  why: %s\n  %s", c.ID, c.Story, c.Why, strings.Join(wrong, "\n  "))
		}
	}
}

// policyKey tells which cases are judged by the same policy.
func (c judgedCase) policyKey() string { return string(c.Settings) + "\n" + string(c.Releases) }

func (b *caseBook) draw(t *rapid.T) judgedCase {
	return b.all[rapid.IntRange(0, len(b.all)-1).Draw(t, "case")]
}

func (c judgedCase) document() document {
	var d document
	if err := json.Unmarshal(c.Dossier, &d); err != nil {
		panic(c.ID + ": " + err.Error()) // TestCases validates them
	}
	return d
}

func (b *caseBook) verdict(t rapid.TB, c judgedCase) engine.Decision {
	t.Helper()
	if d, ok := b.verdicts[c.ID]; ok {
		return d
	}
	d := b.judge(t, c, c.document())
	b.verdicts[c.ID] = d
	return d
}

func (b *caseBook) judge(t rapid.TB, c judgedCase, dossier document) engine.Decision {
	t.Helper()
	text, err := json.Marshal(dossier)
	if err != nil {
		t.Fatalf("%s: %v", c.ID, err)
	}
	d, err := b.policies[c.policyKey()].Evaluate(context.Background(), text)
	if err != nil {
		t.Fatalf("%s: %v", c.ID, err)
	}
	return d
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
func (c judgedCase) wrong(decision engine.Decision) []string {
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
