package report_test

import (
	"encoding/csv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/changevouch/changevouch/engine"
	"github.com/changevouch/changevouch/engine/report"
)

func TestGrid(t *testing.T) {
	g := report.Grid{
		Headings: []string{"OUTCOME", "DUE AT", "SUBJECT"}, Outcome: 0, Gives: 2,
		Rows: [][]string{
			{"non_compliant", "2026-11-20", "acme/survey#1\x1b[2J with a title that is much longer than the page"},
			{"", "", "b"},
		},
	}
	var out strings.Builder
	if err := g.Write(&out, report.Options{Width: 60}); err != nil {
		t.Fatal(err)
	}
	want := "OUTCOME          DUE AT      SUBJECT\n" +
		"✗ non-compliant  2026-11-20  acme/survey#1\\u001b[2J with a …\n" +
		"                             b\n"
	if diff := cmp.Diff(want, out.String()); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
	out.Reset()
	if err := g.Write(&out, report.Options{Colour: true}); err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(out.String(), "\x1b[31m✗ non-compliant\x1b[0m") {
		t.Errorf("the outcome has no colour: %q", out.String())
	}
}

// TestGridCSV reads back what was written: no cell is a formula.
func TestGridCSV(t *testing.T) {
	hostile := []string{"=cmd|' /C calc'!A0", "+1", "-1+1", "@SUM(A1)", "\t=1", "\r=1", "＝1+1", "a,b", `say "so"`, "two\nlines", ""}
	g := report.Grid{Headings: []string{"DUE AT"}, Outcome: -1, Gives: -1}
	for _, cell := range hostile {
		g.Rows = append(g.Rows, []string{cell})
	}
	var out strings.Builder
	if err := g.CSV(&out); err != nil {
		t.Fatal(err)
	}
	rows, err := csv.NewReader(strings.NewReader(out.String())).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	if rows[0][0] != "due_at" {
		t.Errorf("the heading is %q", rows[0][0])
	}
	for _, row := range rows[1:] {
		if row[0] != "" && strings.ContainsAny(row[0][:1], "=+-@\t\r\n") || strings.HasPrefix(row[0], "＝") {
			t.Errorf("a spreadsheet would run %q", row[0])
		}
	}
}

func TestDifferences(t *testing.T) {
	before := engine.Decision{
		Outcome: "pending", Classification: engine.Classification{Type: "normal"}, Risk: engine.Risk{Level: "low"},
		Findings: []engine.Finding{{Control: "A", Status: "pending", Reasons: []string{"x", "y"}}, {Control: "B", Status: "pass"}, {Control: "C", Status: "pass"}},
	}
	after := engine.Decision{
		Outcome: "non_compliant", Classification: engine.Classification{Type: "normal"}, Risk: engine.Risk{Level: "high"},
		Findings: []engine.Finding{{Control: "A", Status: "fail", Reasons: []string{"y", "z"}}, {Control: "B", Status: "pass"}, {Control: "D", Status: "unknown", Reasons: []string{"q"}}},
	}
	got := report.Differences(before, after)
	want := []report.Difference{
		{What: "outcome", Before: "pending", After: "non_compliant"},
		{What: "risk", Before: "low", After: "high"},
		{What: "A", Before: "pending", After: "fail", ReasonsBefore: []string{"x"}, ReasonsAfter: []string{"z"}},
		{What: "C", Before: "pass"},
		{What: "D", After: "unknown", ReasonsAfter: []string{"q"}},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
	if same := report.Differences(before, before); len(same) > 0 {
		t.Errorf("a decision differs from itself: %v", same)
	}
	var out strings.Builder
	if err := report.WriteDifferences(&out, got, report.Options{}); err != nil {
		t.Fatal(err)
	}
	text := "    outcome: pending → non-compliant\n    risk: low → high\n    A: pending: x → fail: z\n    C: pass → nothing\n    D: nothing → unknown: q\n"
	if diff := cmp.Diff(text, out.String()); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
}
