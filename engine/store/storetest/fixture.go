package storetest

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"time"

	"github.com/changevouch/changevouch/engine"
	"github.com/changevouch/changevouch/schemas"
)

// Epoch is when the stories of the tests begin.
var Epoch = time.Date(2026, 10, 1, 8, 0, 0, 0, time.UTC)

// Judge is a made-up judge of one policy.
func Judge() engine.Judge {
	return engine.Judge{{Version: "1.0.0", BundleDigest: engine.Digest([]byte("bundle")), Bundle: []byte("bundle"), Settings: []byte(`{"min_approvals":1}`)}}
}

var (
	persons  = []string{"mia", "jonas", "ada", "liam", "noor", "sara", "timo", "yuki", "olga", "pete"}
	services = []string{"srv-web", "srv-api", "srv-worker", "srv-cron", "srv-admin"}
	outcomes = []string{
		engine.OutcomeCompliant, engine.OutcomeCompliant, engine.OutcomeCompliant, engine.OutcomeCompliant, engine.OutcomeNonCompliant,
		engine.OutcomeCompliant, engine.OutcomePending, engine.OutcomeCompliantWithWaiver, engine.OutcomeCompliant, engine.OutcomeUnknown,
	}
	statusOf = map[string]string{
		engine.OutcomeCompliant: engine.StatusPass, engine.OutcomeNonCompliant: engine.StatusFail, engine.OutcomePending: engine.StatusPending,
		engine.OutcomeCompliantWithWaiver: engine.StatusWaived, engine.OutcomeUnknown: engine.StatusUnknown,
	}
)

// controls of a made-up decision; the first one bears its outcome.
const controls = 24

// Judged makes the decision on the n-th of a made-up series of pull requests:
// always the same one, of about the size of real ones. An evaluation later than
// the first has another moment; a revision other than 0, other content.
func Judged(judge engine.Judge, n, evaluation, revision int) engine.Judgement {
	repository := fmt.Sprintf("acme/repo%d", n%20)
	id := fmt.Sprintf("%s#%d", repository, n)
	written := Epoch.Add(time.Duration(n) * time.Minute)
	at := written.Add(time.Duration(evaluation) * 24 * time.Hour)
	author, reviewer := persons[n%len(persons)], persons[(n/10+n+1)%len(persons)]
	dossier := map[string]any{
		"schema": engine.DossierSchema, "evaluated_at": at.Format(time.RFC3339), "subject": map[string]any{"type": "change", "id": id},
		"sources": map[string]any{"github": map[string]any{"status": "complete"}, "render": map[string]any{"status": "complete"}},
		"people":  []any{map[string]any{"id": author, "kind": "employee"}, map[string]any{"id": reviewer, "kind": "employee"}},
		"change": map[string]any{
			"kind": "pull_request", "repository": repository, "base_branch": "main",
			"pull_request": map[string]any{
				"number": n, "title": fmt.Sprintf("Speed up the %s, part %d of its renewal", services[n%len(services)], n), "author": author,
				"head_sha": hash("head", n), "merge_commit_sha": hash("merge", n), "commits": []any{
					map[string]any{"sha": hash("head", n), "author": author, "at": written.Add(-time.Hour).Format(time.RFC3339)},
				},
			},
			"files": []any{map[string]any{"path": fmt.Sprintf("internal/part%d/file.go", revision), "status": "modified", "patch": "@@ -1 +1 @@\n-" + hash("old", n) + "\n+" + hash("new", n)}},
			"deployments": []any{map[string]any{
				"id": "dep-" + hash("deploy", n)[:12], "service": services[n%len(services)], "environment_kind": "production", "commit": hash("merge", n), "status": "live",
			}},
		},
	}
	text, err := schemas.Canonical(normal(dossier))
	if err != nil {
		panic(err)
	}
	outcome := outcomes[(n/7+n+max(evaluation, 0))%len(outcomes)]
	d := engine.Decision{
		Schema: engine.DecisionSchema, Subject: engine.Subject{Type: "change", ID: id}, EvaluatedAt: at.Format(time.RFC3339), Outcome: outcome,
		Classification: engine.Classification{Type: []string{"normal", "standard", "emergency"}[n%3], Scopes: []string{"application_code"}, Reasons: []string{"it touches application code"}},
		Risk:           engine.Risk{Level: []string{"low", "medium", "high"}[n/3%3], Reasons: []string{"by its files"}},
		Parties:        &engine.Parties{Authors: []string{author}, Approvers: []string{reviewer}, Deployers: []string{"system"}},
		InputDigest:    engine.Digest(text),
	}
	if outcome == engine.OutcomePending {
		d.NextEvaluationAt = at.Add(72 * time.Hour).Format(time.RFC3339)
	}
	sum := sha256.New()
	sum.Write([]byte(d.InputDigest))
	for _, p := range judge {
		settings := engine.Digest(p.Settings)
		sum.Write([]byte(p.BundleDigest + settings))
		d.Policy = append(d.Policy, engine.PolicyRef{
			Name: "changevouch", Version: p.Version, BundleDigest: p.BundleDigest, SettingsDigest: settings,
			Engine: engine.EngineInfo{Name: "changevouch", Version: "devel", OPAVersion: "1.22.2"},
		})
	}
	d.ID = "dec_" + hex.EncodeToString(sum.Sum(nil))[:32]
	for i := range controls {
		status := engine.StatusPass
		if i == 0 {
			status = statusOf[outcome]
		}
		d.Findings = append(d.Findings, engine.Finding{
			Control: fmt.Sprintf("CM-%d.%d", i/6+1, i%6+1), Status: status, Severity: "medium", Title: "Reviewed by somebody else",
			Clause:  "Changes are approved by a person who had no part in them, before they reach production.",
			Message: fmt.Sprintf("%s approved commit %s of %s, which %s wrote, before it was deployed.", reviewer, hash("head", n)[:12], id, author),
			Reasons: []string{"review.independent"}, Evidence: []string{"/change/pull_request", "/change/files/0/path"}, PolicyVersion: "1.0.0",
		})
	}
	return engine.Judgement{Dossier: text, Decision: d}
}

// Event makes the n-th of a made-up series of events.
func Event(n int) engine.Event {
	kind, source := "change.reviewed", "git"
	if n%5 == 4 {
		kind, source = "coverage.recorded", "render"
	}
	at := Epoch.Add(time.Duration(n) * time.Second)
	return engine.Event{
		Schema: engine.EventSchema, ID: fmt.Sprintf("github:review:%d", n), Source: source, Provider: "github", Type: kind, OccurredAt: at, ObservedAt: at.Add(time.Minute),
		Actor: &engine.Account{System: "github", Account: persons[n%len(persons)]}, Subject: engine.Subject{Type: "pull_request", ID: fmt.Sprintf("acme/shop#%d", n/3)},
		Data:     json.RawMessage(fmt.Sprintf(`{"repository":"acme/shop","number":%d,"state":"approved","body":"<fine> & good"}`, n/3)),
		Evidence: engine.Evidence{Digest: engine.Digest(fmt.Append(nil, n)), MediaType: "application/json", Trust: engine.TrustFile},
	}
}

func hash(what string, n int) string {
	sum := sha256.Sum256(fmt.Appendf(nil, "%s %d", what, n))
	return hex.EncodeToString(sum[:20])
}

// normal turns Go values into those of JSON.
func normal(v map[string]any) any {
	text, err := json.Marshal(v)
	if err != nil {
		panic(err)
	}
	doc, faults := schemas.Parse(text)
	if len(faults) > 0 {
		panic(faults[0].String())
	}
	return doc.Value()
}
