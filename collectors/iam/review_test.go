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

// TestEntraReview: decisions of Microsoft Graph become a review, which is complete
// when each account was decided.
func TestEntraReview(t *testing.T) {
	const instance = `,"instance":{"startDateTime":"2026-02-01T00:00:00Z","definition":{"displayName":"Admins, Q1"}}`
	item := func(decision, at, who, more string) string {
		return `{"id":"d-` + who + `","accessReviewId":"r-1","decision":"` + decision + `","reviewedDateTime":` + at + `,"applyResult":"New","justification":"a secret | reason",
			"reviewedBy":{"id":"1","displayName":"Rea Viewer","userPrincipalName":"rea@acme.example"},"principal":{"id":"2","displayName":"X","userPrincipalName":"` + who + `"}` + more + `}`
	}
	const first, second = `"2026-03-01T10:00:00Z"`, `"2026-03-02T10:00:00.1234567Z"`
	for name, c := range map[string]struct {
		body      string
		path      string
		completed string
		created   string
		faults    int
	}{
		"all decided":        {body: item("Approve", first, "a@acme.example", "") + "," + item("Deny", second, "b@acme.example", ""), completed: "2026-03-02T10:00:00Z", created: "2026-03-01T10:00:00Z"},
		"began earlier":      {body: item("Approve", first, "a@acme.example", instance), completed: "2026-03-01T10:00:00Z", created: "2026-02-01T00:00:00Z"},
		"one waits":          {body: item("Approve", first, "a@acme.example", "") + "," + item("NotReviewed", "null", "b@acme.example", ""), created: "2026-03-01T10:00:00Z"},
		"one does not know":  {body: item("Approve", first, "a@acme.example", "") + "," + item("DontKnow", second, "b@acme.example", ""), created: "2026-03-01T10:00:00Z"},
		"nobody decided":     {body: item("NotReviewed", "null", "b@acme.example", instance), created: "2026-02-01T00:00:00Z"},
		"nothing dated":      {body: item("NotReviewed", "null", "b@acme.example", ""), faults: 1},
		"nobody was decided": {body: `{"id":"d","accessReviewId":"r-1","decision":"Approve","reviewedDateTime":` + first + `}`, faults: 1},
		"one page of more":   {body: item("Approve", first, "a@acme.example", ""), path: "decisions.page-2.json", faults: 1},
	} {
		t.Run(name, func(t *testing.T) {
			for _, body := range []string{"[" + c.body + "]", `{"@odata.context":"…/decisions","value":[` + c.body + `]}`} {
				m := iam.Map(collectors.Payload{Path: c.path, Bytes: []byte(body)})
				if len(m.Faults) != c.faults || len(m.Events) != min(1, len(c.created)) {
					t.Fatalf("%d events, faults %v", len(m.Events), m.Faults)
				}
				if len(m.Events) == 0 {
					continue
				}
				var f engine.IssueFact
				if err := m.Events[0].Decode(&f); err != nil || f.Kind != "access_review" || f.Sections["system"] != "entra" || f.Key != "r-1/entra" {
					t.Fatalf("%s, %v", m.Events[0].Data, err)
				}
				valid(t, m.Events[0])
				completed := ""
				if f.CompletedAt != nil {
					completed = f.CompletedAt.Format("2006-01-02T15:04:05Z07:00")
				}
				if completed != c.completed || f.CreatedAt.Format(time.RFC3339) != c.created {
					t.Errorf("created %s, completed %q, want %s and %q", f.CreatedAt, completed, c.created, c.completed)
				}
				if rows := f.Sections["entries"]; name == "all decided" && (!strings.Contains(rows, "| a@acme.example | rea@acme.example | keep |") || !strings.Contains(rows, "| b@acme.example | rea@acme.example | remove |")) || strings.Contains(rows, "secret") {
					t.Errorf("entries %s", rows)
				}
			}
		})
	}
	m := iam.Map(collectors.Payload{Bytes: []byte(`{"@odata.nextLink":"x","value":[` + item("Approve", first, "a", "") + `]}`)})
	if len(m.Events) != 0 || len(m.Faults) != 1 {
		t.Errorf("a page of more counts as the whole: %v", m)
	}
}
