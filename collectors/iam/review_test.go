package iam_test

import (
	"strings"
	"testing"
	"time"

	"github.com/changevouch/changevouch/collectors"
	"github.com/changevouch/changevouch/collectors/iam"
	"github.com/changevouch/changevouch/engine"
)

func TestAccessReviewExport(t *testing.T) {
	const header = "review_id,review_name,period_start,system,account,reviewer_email,decision,decision_at\n"
	for name, c := range map[string]struct {
		rows      string
		completed string
		faults    int
	}{
		"all decided": {"R,Q1,2026-01-01,AWS,a@acme.example,r@acme.example,keep,2026-03-01T10:00:00Z\nR,Q1,2026-01-01,aws,b,r@acme.example,REMOVE,2026-03-02T10:00:00Z\n", "2026-03-02T10:00:00Z", 0},
		"one waits":   {"R,Q1,2026-01-01,aws,a,r,keep,2026-03-01T10:00:00Z\nR,Q1,2026-01-01,aws,b,,,\n", "", 0},
		"no response": {"R,Q1,2026-01-01,aws,a,r,keep,2026-03-01T10:00:00Z\nR,Q1,2026-01-01,aws,b,r,no_response,2026-03-01T10:00:00Z\n", "", 0},
		"no instant":  {"R,Q1,2026-01-01,aws,a,r,keep,soon\n", "", 0},
		"no account":  {"R,Q1,2026-01-01,aws,,r,keep,2026-03-01T10:00:00Z\nR,Q1,2026-01-01,aws,a,r,keep,2026-03-01T10:00:00Z\n", "2026-03-01T10:00:00Z", 1},
		"no date":     {"R,Q1,,aws,a,r,keep,2026-03-01T10:00:00Z\n", "", 1},
	} {
		t.Run(name, func(t *testing.T) {
			m := iam.Map(collectors.Payload{Path: "review.csv", Bytes: []byte(header + c.rows)})
			if len(m.Faults) != c.faults {
				t.Errorf("faults %v", m.Faults)
			}
			if len(m.Events) == 0 {
				if c.completed != "" {
					t.Error("no record")
				}
				return
			}
			var f engine.IssueFact
			if err := m.Events[0].Decode(&f); err != nil || f.Kind != "access_review" || f.Sections["system"] != "aws" {
				t.Fatalf("%s, %v", m.Events[0].Data, err)
			}
			valid(t, m.Events[0])
			completed := ""
			if f.CompletedAt != nil {
				completed = f.CompletedAt.Format(time.RFC3339)
			}
			if completed != c.completed {
				t.Errorf("completed %q, want %q", completed, c.completed)
			}
			if strings.Contains(f.Sections["entries"], "| b |") && c.completed == "" {
				t.Errorf("an account without a decision counts as reviewed: %s", f.Sections["entries"])
			}
		})
	}
}
