package assembly

import (
	"bytes"
	"encoding/json"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/changevouch/changevouch/engine"
	"github.com/changevouch/changevouch/schemas"
)

func cover(id, when string, f engine.CoverageFact) engine.Event {
	return tell("collector:coverage:"+id, "coverage.recorded", when, "", f)
}

func TestSources(t *testing.T) {
	n := 412
	window := func(id, source, status, from, to string, missing ...string) engine.Event {
		return cover(id, to, engine.CoverageFact{Source: source, Status: status, From: on(from), To: on(to), Missing: missing})
	}
	system := func(id, system, status, from, to string, missing ...string) engine.Event {
		return cover(id, to, engine.CoverageFact{Source: "render", System: system, Status: status, From: on(from), To: on(to), Missing: missing})
	}
	of := func(id, repository, status, from, to string, missing ...string) engine.Event {
		return cover(id, to, engine.CoverageFact{Source: "github", Status: status, Repository: repository, From: on(from), To: on(to), Missing: missing, Reason: map[bool]string{true: "403"}[status != "complete"]})
	}
	answer := func(id, when, status string, facts, missing []string) engine.Event {
		return cover(id, when, engine.CoverageFact{Source: "github", Status: status, Repository: repo, Number: &n, Facts: facts, Missing: missing, Reason: map[bool]string{true: "403"}[status != "complete"]})
	}
	for name, c := range map[string]struct {
		events  []engine.Event
		source  string
		status  string
		missing []string
	}{
		"whole window":                   {read("github"), "github", "complete", nil},
		"nothing recorded":               {nil, "issues", "incomplete", []string{"issues"}},
		"reviews forbidden":              {append(read("github"), answer("a", "12:00", "incomplete", nil, []string{"reviews"})), "github", "incomplete", []string{"reviews"}},
		"forbidden, then read":           {append(read("github"), answer("a", "12:00", "incomplete", nil, []string{"reviews"}), answer("b", "13:00", "complete", []string{"reviews"}, nil)), "github", "complete", nil},
		"every answer, no window":        {[]engine.Event{answer("a", "12:00", "complete", []string{"pull_request", "reviews", "commits", "files", "checks", "rulesets", "timeline", "activity"}, nil)}, "github", "complete", nil},
		"some answers, no window":        {[]engine.Event{answer("a", "12:00", "complete", []string{"pull_request", "commits", "files", "checks", "branch_protection", "timeline", "activity"}, nil)}, "github", "incomplete", []string{"reviews"}},
		"failure nobody names":           {append(read("github"), answer("a", "12:00", "unavailable", nil, nil)), "github", "incomplete", []string{"unnamed"}},
		"unread long before":             {[]engine.Event{of("a", repo, "incomplete", "2026-08-01T00:00:00Z", "2026-11-01T00:00:00Z", "rule_suites"), of("b", repo, "complete", "2026-11-01T00:00:00Z", now)}, "github", "complete", nil},
		"unread in its time":             {[]engine.Event{of("a", repo, "incomplete", "2026-08-01T00:00:00Z", "2026-11-10T12:00:00Z", "rule_suites"), of("b", repo, "complete", "2026-11-10T12:00:00Z", now)}, "github", "incomplete", []string{"rule_suites"}},
		"two windows that touch":         {[]engine.Event{window("a", "render", "complete", "2026-11-10T08:00:00Z", "2026-11-10T10:00:00Z"), window("b", "render", "complete", "2026-11-10T10:00:00Z", "2026-11-10T12:00:00Z")}, "render", "complete", nil},
		"a gap between windows":          {[]engine.Event{window("a", "render", "complete", "2026-11-10T08:00:00Z", "2026-11-10T10:00:00Z"), window("b", "render", "complete", "2026-11-10T10:30:00Z", "2026-11-10T12:00:00Z")}, "render", "incomplete", []string{"audit_log", "deploys", "events"}},
		"a gap read again":               {[]engine.Event{window("a", "render", "unavailable", "2026-11-10T08:00:00Z", "2026-11-10T12:00:00Z"), window("b", "render", "complete", "2026-11-09T00:00:00Z", "2026-11-11T00:00:00Z")}, "render", "complete", nil},
		"no audit log on this plan":      {[]engine.Event{window("a", "render", "incomplete", "2026-11-01T00:00:00Z", now, "audit_log")}, "render", "incomplete", []string{"audit_log"}},
		"two systems, both read":         {[]engine.Event{system("a", "render:tea-1", "complete", "2026-11-01T00:00:00Z", now), system("b", "render:tea-2", "complete", "2026-11-01T00:00:00Z", now)}, "render", "complete", nil},
		"what one saw hides no gap":      {[]engine.Event{system("a", "render:tea-1", "complete", "2026-11-01T00:00:00Z", now), system("b", "render:tea-2", "incomplete", "2026-11-01T00:00:00Z", now, "audit_log")}, "render", "incomplete", []string{"audit_log"}},
		"one system read for too short":  {[]engine.Event{system("a", "render:tea-1", "complete", "2026-11-01T00:00:00Z", now), system("b", "render:tea-2", "complete", "2026-11-01T00:00:00Z", "2026-11-02T00:00:00Z")}, "render", "incomplete", []string{"audit_log", "deploys", "events"}},
		"issues must reach until now":    {[]engine.Event{window("a", "issues", "complete", "2026-11-01T00:00:00Z", "2026-11-15T00:00:00Z")}, "issues", "incomplete", []string{"issues"}},
		"issues read a few hours before": {[]engine.Event{window("a", "issues", "complete", "2026-11-01T00:00:00Z", "2026-11-20T02:00:00Z")}, "issues", "complete", nil},
		"attestations in the tracker":    {[]engine.Event{window("a", "issues", "complete", "2026-11-01T00:00:00Z", now)}, "attestations", "complete", nil},
		"comments of the tracker unread": {[]engine.Event{window("a", "issues", "incomplete", "2026-11-01T00:00:00Z", now, "comments")}, "attestations", "incomplete", []string{"attestations"}},
		"attestations kept elsewhere":    {[]engine.Event{window("a", "issues", "complete", "2026-11-01T00:00:00Z", now), window("b", "attestations", "unavailable", "2026-11-01T00:00:00Z", now)}, "attestations", "incomplete", []string{"attestations"}},
		"iam with a complete directory":  {nil, "iam", "incomplete", []string{"access_events"}},
	} {
		t.Run(name, func(t *testing.T) {
			dossiers, _ := assemble(t, change(), c.events)
			got := dossiers["change acme/shop#412"].Sources[c.source]
			same(t, "status", got.Status, c.status)
			same(t, "missing", got.Missing, c.missing)
			if c.status != "complete" && got.Reason == "" {
				t.Error("no reason given")
			}
		})
	}
}

func TestStandingSubjects(t *testing.T) {
	events := []engine.Event{
		tell("scan:1", "vulnerability.observed", "2026-10-01T12:00:00Z", "", engine.VulnerabilityFact{FindingID: "GHSA-1", Repository: repo, Package: "lodash", Severity: "medium", State: "open", FirstDetectedAt: on("2026-10-01T12:00:00Z")}),
		tell("scan:2", "vulnerability.observed", "2026-11-10T11:02:00Z", "", engine.VulnerabilityFact{FindingID: "GHSA-1", Repository: repo, Package: "lodash", Severity: "high", State: "fixed", FirstDetectedAt: on("2026-10-01T12:00:00Z"), FixedAt: on("2026-11-10T11:00:00Z")}),
		tell("alert:1", "alert.observed", "2026-11-10T08:00:00Z", "", engine.AlertFact{AlertID: "A-1", Severity: "high", StartedAt: on("08:00")}),
		tell("holder:1", "access.observed", "12:00", "", engine.HolderFact{System: "render", Holder: *who("alice@acme.example"), Permission: "ADMIN"}),
		tell("holder:2", "access.observed", "12:00", "", engine.HolderFact{System: "render", Holder: *who("bob@acme.example"), Permission: "DEVELOPER"}),
		tell("github:issue:90", "issue.recorded", "12:00", "carol", engine.IssueFact{Key: "acme/ops#90", Kind: "access_review", CreatedAt: at("08:00"), CompletedAt: on("09:00"), Reviewer: who("carol"),
			Sections: map[string]string{"system": "Render", "entries": "| holder | decision |\n|---|---|\n| alice@acme.example | keep |\n| dave@acme.example | remove |\n"}}),
		tell("github:issue:91", "issue.recorded", "12:00", "carol", engine.IssueFact{Key: "acme/ops#91", Kind: "policy_review", CreatedAt: at("08:00"), CompletedAt: on("09:00"), Reviewer: who("carol")}),
		tell("env:1", "environment.observed", "12:00", "", engine.EnvironmentFact{EnvironmentID: "evm-1", Environment: "production", Protected: ptr(false)}),
		tell("service:1", "service.observed", "12:00", "", engine.ServiceFact{ServiceID: "srv-api", Service: "api", HealthCheck: "/health"}),
	}
	dossiers, _ := assemble(t, change(), events, everything())
	finding := dossiers["finding GHSA-1"].Finding
	same(t, "severity", finding.Severity, "high")
	same(t, "re-rated", len(finding.SeverityHistory), 2)
	same(t, "remediated", finding.RemediatedInProductionAt, on("11:06"))
	same(t, "alert", dossiers["alert A-1"].Alert.RaisedAt, on("08:00"))
	review := dossiers["access_review render"].AccessReview
	same(t, "completed", review.LastCompletedAt, on("09:00"))
	same(t, "entries", review.Entries, []engine.ReviewEntry{{Holder: "alice@acme.example", Reviewer: "carol", Decision: "keep"}, {Holder: "dave@acme.example", Reviewer: "carol", Decision: "remove", RemovedAt: on("12:00")}})
	same(t, "unreviewed", review.UnreviewedHolders, []string{"bob@acme.example"})
	same(t, "policy", dossiers["policy_review change-management-policy"].PolicyReview.Reviewer, "carol")
	same(t, "environment", dossiers["posture render:evm-1"].Posture.EnvironmentProtected, ptr(false))
	same(t, "health check", dossiers["posture render:srv-api"].Posture.Monitoring["health_check"], any(true))
}

// Whatever the events, nothing panics, every dossier is valid and the order of
// events does not matter.
func TestAnyEvents(t *testing.T) {
	dir := directory(t)
	shas := []string{base, head, merge, stray, second, ""}
	rapid.Check(t, func(t *rapid.T) {
		events := rapid.SliceOfN(rapid.Custom(func(t *rapid.T) engine.Event { return anyEvent(t, shas) }), 0, 40).Draw(t, "events")
		dossiers, _ := Assemble(events, dir, Options{At: at("15:00")})
		for _, d := range dossiers {
			if faults := schemas.Validate(schemas.Dossier, engine.Facts(d)); len(faults) > 0 {
				t.Fatalf("dossier %s: %v", d.Subject.ID, faults)
			}
		}
		slices.Reverse(events)
		again, _ := Assemble(events, dir, Options{At: at("15:00")})
		if !bytes.Equal(engine.Facts(dossiers), engine.Facts(again)) {
			t.Fatal("the order of events matters")
		}
	})
}

func anyEvent(t *rapid.T, shas []string) engine.Event {
	sha := func() string { return rapid.SampledFrom(shas).Draw(t, "sha") }
	when := at("08:00").Add(time.Duration(rapid.IntRange(0, 480).Draw(t, "minute")) * time.Minute)
	moment := when.Format(time.RFC3339)
	number := rapid.IntRange(1, 3).Draw(t, "number")
	login := rapid.SampledFrom([]string{"alice", "bob", "mallory", "Copilot", ""}).Draw(t, "login")
	kind := rapid.SampledFrom([]string{"change.created", "change.updated", "change.merged", "change.reviewed", "change.commits_listed", "commit.recorded", "commit.associated", "branch.pushed",
		"deployment.observed", "service.rolledback", "config.changed", "access.changed", "incident.detected", "issue.recorded", "issue.commented", "coverage.recorded", "protection.changed",
		"commits.compared", "check.completed", "vulnerability.observed", "merge_group.created", "change.noted"}).Draw(t, "type")
	var data any
	switch kind {
	case "change.created", "change.updated", "change.merged":
		f := engine.PullRequestFact{Repository: repo, Number: number, Author: who(login), BaseBranch: rapid.SampledFrom([]string{"main", "dev", ""}).Draw(t, "base"), HeadSHA: sha(), Body: wellDescribed}
		if kind == "change.merged" {
			f.MergedAt, f.MergeCommitSHA = &when, sha()
		}
		data = f
	case "change.reviewed":
		data = engine.ReviewFact{Repository: repo, Number: number, ReviewID: login, State: "APPROVED", CommitID: sha()}
	case "change.commits_listed":
		data = engine.CommitListFact{Repository: repo, Number: number, SHAs: slices.DeleteFunc([]string{sha(), sha()}, func(s string) bool { return s == "" }), Complete: true}
	case "commit.recorded":
		data = commitFact(rapid.SampledFrom(shas[:5]).Draw(t, "own"), login, slices.DeleteFunc([]string{sha(), sha()}, func(s string) bool { return s == "" })...)
	case "commit.associated":
		data = engine.CommitPullRequestsFact{Repository: repo, SHA: sha(), Numbers: []int{number}}
	case "branch.pushed":
		data = engine.PushFact{Repository: repo, Branch: "main", Before: sha(), After: sha(), Commits: []string{sha()}, Forced: ptr(number == 1)}
	case "deployment.observed", "service.rolledback":
		data = engine.DeploymentFact{DeployID: "dep-" + string(rune('a'+number)), ServiceID: rapid.SampledFrom([]string{"srv-api", "srv-stg", ""}).Draw(t, "service"), Commit: sha(), Trigger: rapid.SampledFrom([]string{"manual", "new_commit", "rollback", "deployed_by_render"}).Draw(t, "trigger"), Status: "live", FinishedAt: &when}
	case "config.changed":
		data = engine.ConfigFact{System: "render", Change: "UpdateEnvVarsEvent", ServiceID: "srv-api", Keys: []string{"KEY"}}
	case "access.changed":
		data = engine.AccessFact{Kind: rapid.SampledFrom([]string{"role_grant", "role_revoke", "account_delete", "tls_policy_change"}).Draw(t, "kind"), Outcome: "success", Target: &engine.AccessFactTarget{Account: login}}
	case "incident.detected", "issue.recorded":
		data = engine.IssueFact{Key: "INC-" + string(rune('0'+number)), Kind: rapid.SampledFrom([]string{"incident", "change_request", "access_request", "retrospective_review", "post_incident_review", "access_review", "policy_review", "waiver"}).Draw(t, "kind"), CreatedAt: when, MentionsCommits: []string{sha()}, MentionsPullRequests: []int{number}, Sections: map[string]string{"system": "render", "beneficiary": login}}
	case "issue.commented":
		data = engine.IssueCommentFact{Key: "INC-" + string(rune('0'+number)), Kind: rapid.SampledFrom([]string{"approval", "rejection", "declaration", "validation"}).Draw(t, "kind"), Body: sha()}
	case "coverage.recorded":
		data = engine.CoverageFact{Source: rapid.SampledFrom(sourceNames).Draw(t, "source"), Status: rapid.SampledFrom([]string{"complete", "incomplete", "unavailable"}).Draw(t, "status"), From: on("08:00"), To: &when}
	case "protection.changed":
		data = engine.ProtectionStateFact{Repository: repo, Branch: "main", Action: "edited", After: &engine.ProtectionFacts{RequiredApprovals: &number}}
	case "commits.compared":
		data = engine.ComparisonFact{Repository: repo, Base: sha(), Head: sha(), SHAs: []string{sha()}, Complete: true}
	case "check.completed":
		data = engine.CheckFact{Repository: repo, SHA: sha(), Name: "ci/test", Conclusion: "success"}
	case "vulnerability.observed":
		data = engine.VulnerabilityFact{FindingID: "GHSA-1", Repository: repo, State: "open", Severity: rapid.SampledFrom([]string{"low", "high"}).Draw(t, "severity")}
	case "merge_group.created":
		data = engine.MergeGroupFact{Repository: repo, HeadSHA: sha(), Numbers: []int{number}}
	default:
		data = engine.TimelineFact{Repository: repo, Number: number, Kind: "labeled", Label: "change:emergency"}
	}
	id := kind + rapid.StringMatching("[a-c]").Draw(t, "id") + moment
	return tell(id, kind, moment, login, data)
}

func FuzzAssemble(f *testing.F) {
	for _, e := range slices.Concat(change(), emergency(), outsideGit(), rolledBack()) {
		f.Add([]byte(engine.Facts([]engine.Event{e})))
	}
	f.Add([]byte(engine.Facts(slices.Concat(change(), emergency(), outsideGit(), rolledBack(), everything()))))
	f.Add([]byte(`[{"id":"x","type":"change.merged","data":null},{"id":"y","type":"deployment.observed","occurred_at":"0001-01-01T00:00:00Z","data":{"deploy_id":"d"}}]`))
	dir := directory(f)
	f.Fuzz(func(t *testing.T, text []byte) {
		var events []engine.Event
		if json.Unmarshal(text, &events) != nil {
			return
		}
		dossiers, _ := Assemble(events, dir, Options{At: at(now)})
		for _, d := range dossiers {
			engine.Facts(d) // what was assembled can be written
		}
	})
}

// A dossier of which nothing is new says the same tomorrow.
func TestSourcesDoNotSayWhenSomebodyLooked(t *testing.T) {
	read := tell("coverage:1", "coverage.recorded", "2026-11-10T00:00:00Z", "", engine.CoverageFact{
		Source: "github", Status: "complete", Repository: repo, From: on("2026-11-01T00:00:00Z"), To: on("2026-11-09T00:00:00Z"),
	})
	for _, s := range []scope{
		{repositories: []string{repo}, from: at("2026-10-01T00:00:00Z"), to: at("2026-10-02T00:00:00Z")},
		{repositories: []string{repo}, from: at("2026-10-01T00:00:00Z"), to: at("2026-10-02T00:00:00Z"), open: true},
		{repositories: []string{repo}},
	} {
		today := newAssembler([]engine.Event{read}, Directory{}, Options{At: at("2026-11-12T00:00:00Z")}).sources(s)
		tomorrow := newAssembler([]engine.Event{read}, Directory{}, Options{At: at("2026-11-13T00:00:00Z")}).sources(s)
		if today["github"].Reason == "" {
			t.Errorf("%+v: nothing is missing", s)
		}
		same(t, "sources", tomorrow, today)
	}
}
