package report

import (
	"encoding/json"
	"encoding/xml"
	"fmt"
	"strings"
	"testing"

	"github.com/jstemmer/go-junit-report/v2/junit"
	"github.com/owenrumney/go-sarif/v3/pkg/report/v210/sarif"

	"github.com/changevouch/changevouch/engine"
)

// hostileJudgement says things that would be commands, markup or the end of a field.
func hostileJudgement() Judgement {
	f := finding("CM-1", engine.StatusFail, "x,y:z")
	f.Title = "a::b,c%"
	f.Message = "line\n::error::forged\r\n]]> <x> \x00\x1b[31m\u202e %0A"
	f.Evidence = []string{"/change/files/0/patch"}
	d := decision("acme/shop#1\n::set-output name=a::b", engine.OutcomeNonCompliant, f)
	return Judgement{Decision: d, Dossier: []byte(`{"change":{"files":[{"path":"src/a,b:c%.go"}]}}`)}
}

func TestSARIFIsValid(t *testing.T) {
	for name, judgements := range map[string][]Judgement{"samples": samples(), "hostile": {hostileJudgement()}, "nothing": nil} {
		text := render(t, "sarif", Options{}, judgements)
		log, err := sarif.FromString(text)
		if err != nil {
			t.Fatal(err)
		}
		if err := log.Validate(); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// What is not a pass is never shown as one.
func TestGateFormatsAreNeverTooKind(t *testing.T) {
	d := decision("acme/shop#1", engine.OutcomeUnknown, finding("A", engine.StatusUnknown), finding("B", engine.StatusPending), finding("C", "surprise"), finding("D", engine.StatusFail), finding("E", engine.StatusPass))
	all := []Judgement{{Decision: d}}
	var suites junit.Testsuites
	if err := xml.Unmarshal([]byte(render(t, "junit", Options{}, all)), &suites); err != nil {
		t.Fatal(err)
	}
	if suites.Tests != 5 || suites.Errors != 3 || suites.Failures != 1 || suites.Skipped != 0 {
		t.Errorf("JUnit counts %+v", suites)
	}
	log, err := sarif.FromString(render(t, "sarif", Options{}, all))
	if err != nil {
		t.Fatal(err)
	}
	kinds := map[string]string{}
	for _, r := range log.Runs[0].Results {
		kinds[*r.RuleID] = r.Kind + " " + r.Level
	}
	if want := map[string]string{"A": "open none", "B": "open none", "C": "open none", "D": "fail error"}; !equalMaps(kinds, want) {
		t.Errorf("SARIF %v, want %v", kinds, want)
	}
	text := render(t, "github", Options{}, all)
	for _, want := range []string{"::error title=acme/shop#1%3A D ", "::warning title=acme/shop#1%3A A ", "::warning title=acme/shop#1%3A C ", "::notice title=acme/shop#1%3A B "} {
		if !strings.Contains(text, want) {
			t.Errorf("no %q in\n%s", want, text)
		}
	}
}

func equalMaps(a, b map[string]string) bool {
	x, _ := json.Marshal(a)
	y, _ := json.Marshal(b)
	return string(x) == string(y)
}

func TestUndecidedDossiersAreErrors(t *testing.T) {
	for format, want := range map[string]string{"junit": `<error message="2 dossiers could not be decided"`, "github": "::error title=Changevouch::2 dossiers could not be decided", "sarif": `"executionSuccessful": false`} {
		var out strings.Builder
		r, err := New(format, &out, Options{})
		if err != nil {
			t.Fatal(err)
		}
		if err := r.End(Summary{Undecided: 2}); err != nil || !strings.Contains(out.String(), want) {
			t.Errorf("%s: %v\n%s", format, err, out.String())
		}
	}
}

// Foreign text stays within its field: a line that begins with :: is a command.
func TestWorkflowCommandsAreEscaped(t *testing.T) {
	lines := strings.Split(strings.TrimSpace(render(t, "github", Options{}, []Judgement{hostileJudgement()})), "\n")
	commands := 0
	for _, line := range lines {
		if !strings.HasPrefix(line, "::") {
			continue
		}
		commands++
		if !strings.HasPrefix(line, `::error file=src/a%2Cb%3Ac%25.go,title=acme/shop#1\n%3A%3Aset-output name=a%3A%3Ab%3A CM-1 a%3A%3Ab%2Cc%25::fail: line\n::error::forged`) || !strings.HasSuffix(line, "%250A") || strings.ContainsAny(line, "\x00\x1b\r") {
			t.Errorf("command %q", line)
		}
	}
	if commands != 1 {
		t.Errorf("%d commands in %q", commands, lines)
	}
}

func TestWorkflowKeepsToWhatGitHubShows(t *testing.T) {
	var findings []engine.Finding
	for range 30 {
		findings = append(findings, finding("X", engine.StatusFail))
	}
	text := render(t, "github", Options{}, []Judgement{{Decision: decision("a", engine.OutcomeNonCompliant, findings...)}})
	if n := strings.Count(text, "::error "); n != 10 || !strings.Contains(text, "::21 more of this kind") || strings.Count(text, "\n  error: ") != 21 {
		t.Errorf("%d errors:\n%s", n, text)
	}
}

// A gate that stops nothing does not cry.
func TestWorkflowModes(t *testing.T) {
	all := samples()[1:2]
	for mode, want := range map[string]string{ModeObserve: "0 0 2", ModeWarn: "0 2 0", ModeEnforce: "1 1 0", "": "1 1 0"} {
		text := render(t, "github", Options{Mode: mode}, all)
		if got := fmt.Sprint(strings.Count(text, "::error "), strings.Count(text, "::warning "), strings.Count(text, "::notice ")); got != want {
			t.Errorf("%s: %s errors, warnings, notices, want %s", mode, got, want)
		}
	}
}

// FuzzWorkflow: whatever a finding says is one command, or a part of one.
func FuzzWorkflow(f *testing.F) {
	f.Add("acme/shop#1\n::x::", "t::", "m\r\n::error::y", "do\u2028::z")
	f.Fuzz(func(t *testing.T, subject, title, message, todo string) {
		one := finding("CM-1", engine.StatusFail)
		one.Title, one.Message, one.Remediation = title, message, todo
		text := render(t, "github", Options{}, []Judgement{{Decision: decision(subject, engine.OutcomeNonCompliant, one)}})
		commands := 0
		for _, line := range strings.FieldsFunc(text, func(r rune) bool { return r == '\n' || r == '\r' || r == '\u2028' || r == '\u0085' }) {
			if strings.HasPrefix(strings.TrimSpace(line), "::") {
				commands++
			}
		}
		if commands != 1 {
			t.Errorf("%d commands in %q", commands, text)
		}
	})
}
