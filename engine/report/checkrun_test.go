package report

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/changevouch/changevouch/engine"
)

func TestGateReport(t *testing.T) {
	const link = "https://vouch.example.com/v1/subjects/x"
	all := samples()
	pending, failed := all[2], all[1]
	unknown := Judgement{Decision: decision("acme/shop#9", engine.OutcomeUnknown, finding("CM-4.B.1", engine.StatusUnknown))}
	tests := []struct {
		name       string
		report     GateReport
		opens      bool
		conclusion string
		title      string
	}{
		{"compliant", GateReport{Mode: ModeEnforce, Outcome: engine.OutcomeCompliant, Decisions: all[:1]}, true, "success", "compliant"},
		{"compliant if it went ahead", GateReport{Mode: ModeEnforce, Ahead: true, Outcome: engine.OutcomeCompliant, Decisions: all[:1]}, true, "success", "may go ahead: compliant"},
		{"owes something later", GateReport{Mode: ModeEnforce, Ahead: true, Outcome: engine.OutcomePending, Decisions: []Judgement{pending}}, true, "success", "may go ahead, and owes something afterwards"},
		{"happened, and owes something", GateReport{Mode: ModeEnforce, Outcome: engine.OutcomePending, Decisions: []Judgement{pending}}, true, "neutral", "pending"},
		{"fails", GateReport{Mode: ModeEnforce, Outcome: engine.OutcomeNonCompliant, Decisions: []Judgement{failed}, Link: link}, false, "failure", "non-compliant: CM-4.B.1, CM-4.C.1"},
		{"fails, warned", GateReport{Mode: ModeWarn, Outcome: engine.OutcomeNonCompliant, Decisions: []Judgement{failed}}, true, "neutral", "non-compliant: CM-4.B.1, CM-4.C.1 (warn only, nothing is stopped)"},
		{"fails, observed", GateReport{Mode: ModeObserve, Outcome: engine.OutcomeNonCompliant, Decisions: []Judgement{failed}}, true, "neutral", "non-compliant: CM-4.B.1, CM-4.C.1 (observe only, nothing is stopped)"},
		{"unknown", GateReport{Mode: ModeEnforce, Outcome: engine.OutcomeUnknown, Decisions: []Judgement{unknown}, Link: link}, false, "action_required", "unknown: CM-4.B.1"},
		{"unknown, with nowhere to act", GateReport{Mode: ModeEnforce, Outcome: engine.OutcomeUnknown, Decisions: []Judgement{unknown}}, false, "failure", "unknown: CM-4.B.1"},
		{"not judged", GateReport{Mode: ModeEnforce, Outcome: engine.OutcomeUnknown, Problems: []string{"x"}}, false, "failure", "unknown: could not be judged"},
		{"part of it not judged", GateReport{Mode: ModeEnforce, Outcome: engine.OutcomeCompliant, Problems: []string{"x"}, Decisions: all[:1]}, false, "failure", "compliant: could not be judged"},
		{"an outcome from the future", GateReport{Mode: ModeEnforce, Outcome: "splendid"}, false, "failure", "splendid"},
		{"no outcome", GateReport{Mode: ModeEnforce}, false, "failure", "missing"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			if got := test.report.Opens(); got != test.opens {
				t.Errorf("opens %v", got)
			}
			if got := test.report.Conclusion(); got != test.conclusion {
				t.Errorf("conclusion %s, want %s", got, test.conclusion)
			}
			if got := test.report.Title(); got != test.title {
				t.Errorf("title %q, want %q", got, test.title)
			}
		})
	}
}

func TestGateReportMarkdown(t *testing.T) {
	g := GateReport{Mode: ModeEnforce, Ahead: true, About: "pull request acme/shop#412", Outcome: engine.OutcomeNonCompliant, Decisions: samples()[1:2], Link: "https://vouch.example.com/x"}
	got := g.Markdown(60000)
	file := filepath.Join("testdata", "gate.md")
	if *update {
		if err := os.WriteFile(file, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if got != string(want) {
		t.Errorf("differs from %s (go test -update shows how):\n%s", file, got)
	}
}

func TestGateReportKeepsToItsLimit(t *testing.T) {
	var findings []engine.Finding
	for range 500 {
		f := finding("CM-1", engine.StatusFail)
		f.Message = strings.Repeat("€|", 700)
		findings = append(findings, f)
	}
	g := GateReport{Mode: ModeEnforce, Outcome: engine.OutcomeNonCompliant, Decisions: []Judgement{{Decision: decision("a", engine.OutcomeNonCompliant, findings...)}}, Link: "https://x"}
	text := g.Markdown(60000)
	if len(text) > 60000 || !strings.Contains(text, " findings more: see the decision.") || !strings.Contains(text, "[All decisions on it](<https://x>)") {
		t.Errorf("%d bytes, ends %q", len(text), text[len(text)-300:])
	}
}

func TestGateReportRemarks(t *testing.T) {
	j := hostileJudgement()
	g := GateReport{Mode: ModeEnforce, Decisions: []Judgement{j, samples()[1]}}
	if got := g.Remarks(); len(got) != 1 || got[0].Path != "src/a,b:c%.go" || got[0].Level != "failure" || strings.Contains(got[0].Message, "\n") {
		t.Errorf("remarks %+v", got)
	}
	g.Mode = ModeObserve
	if got := g.Remarks(); got[0].Level != "notice" {
		t.Errorf("observed: %+v", got)
	}
}
