package app

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/changevouch/changevouch/collectors"
	"github.com/changevouch/changevouch/collectors/iam"
	"github.com/changevouch/changevouch/engine"
	"github.com/changevouch/changevouch/engine/assembly"
)

// TestAccessReview goes from the answers of an identity provider and an exported
// review to the subject that the policy judges: who was reviewed by whom, and
// who holds access and was not.
func TestAccessReview(t *testing.T) {
	dir := t.TempDir()
	for name, text := range map[string]string{
		"okta/api/v1/users.json": `[
			{"id":"00u1","status":"ACTIVE","profile":{"login":"ann@acme.example","email":"ann@acme.example"},"lastLogin":"2026-03-01T00:00:00.000Z"},
			{"id":"00u2","status":"ACTIVE","profile":{"login":"bo@acme.example","email":"bo@acme.example"},"lastLogin":"2026-03-01T00:00:00.000Z"},
			{"id":"00u3","status":"SUSPENDED","profile":{"login":"cy@acme.example","email":"cy@acme.example"},"lastLogin":"2026-03-01T00:00:00.000Z"}]`,
		"okta/api/v1/users/00u2/roles.json":   `[{"id":"ra1","label":"Super Administrator","type":"SUPER_ADMIN","status":"ACTIVE","created":"2026-01-01T00:00:00.000Z","assignmentType":"USER"}]`,
		"okta/api/v1/users/00u2/factors.json": `[]`,
		"reviews/okta.csv": "review_id,review_name,population_as_of,system,account,reviewer_email,decision,decision_at\n" +
			"R-1,Quarterly review,2026-03-02T08:00:00Z,okta,ann@acme.example,bo@acme.example,keep,2026-03-03T09:00:00Z\n",
	} {
		file := filepath.Join(dir, filepath.FromSlash(name))
		if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	read, err := collectors.Read(t.Context(), []string{dir}, iam.Map)
	if err != nil || len(read.Faults) > 0 {
		t.Fatal(read.Faults, err)
	}
	at := time.Date(2026, 3, 10, 0, 0, 0, 0, time.UTC)
	dossiers, problems := assembly.Assemble(iam.Link(read.Events), assembly.Directory{}, assembly.Options{At: at})
	if len(problems) > 0 {
		t.Error(problems)
	}
	var got *engine.AccessReview
	for _, d := range dossiers {
		if d.Subject.Type == "access_review" && d.AccessReview.System == "okta" {
			got = d.AccessReview
		}
	}
	completed := time.Date(2026, 3, 3, 9, 0, 0, 0, time.UTC)
	want := &engine.AccessReview{
		System: "okta", LastCompletedAt: &completed,
		Entries:           []engine.ReviewEntry{{Holder: "ann@acme.example", Reviewer: "bo@acme.example", Decision: "keep"}},
		UnreviewedHolders: []string{"bo@acme.example"},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("access review differs (-want +got):\n%s", diff)
	}
}
