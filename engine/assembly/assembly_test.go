package assembly

import (
	"bytes"
	"encoding/json"
	"flag"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/changevouch/changevouch/engine"
	"github.com/changevouch/changevouch/schemas"
)

var update = flag.Bool("update", false, "write the golden files")

const (
	repo   = "acme/shop"
	base   = "1111111111111111111111111111111111111111"
	head   = "2222222222222222222222222222222222222222"
	merge  = "3333333333333333333333333333333333333333"
	stray  = "4444444444444444444444444444444444444444"
	second = "5555555555555555555555555555555555555555"
	now    = "2026-11-20T09:00:00Z"
)

// at reads an instant; a time alone is on 10 November 2026.
func at(s string) time.Time {
	if len(s) == 5 {
		s = "2026-11-10T" + s + ":00Z"
	}
	t, err := time.Parse(time.RFC3339, s)
	if err != nil {
		panic(err)
	}
	return t.UTC()
}

func on(s string) *time.Time { return ptr(at(s)) }

func who(login string) *engine.Account {
	if login == "" {
		return nil
	}
	system := "github"
	if strings.Contains(login, "@") {
		system = "render"
	}
	return &engine.Account{System: system, Account: login}
}

var sourceOf = map[string]string{
	"access": "iam", "alert": "scanner", "incident": "issues", "issue": "issues", "vulnerability": "scanner", "validation": "attestations",
	"config": "render", "deployment": "render", "service": "render", "environment": "render",
}

// tell writes one event; data is one of the …Fact types.
func tell(id, kind, when, actor string, data any) engine.Event {
	noun, _, _ := strings.Cut(kind, ".")
	source := first(sourceOf[noun], "git")
	provider := map[string]string{"render": "render", "iam": "render"}[source]
	return engine.Event{
		Schema: engine.EventSchema, ID: id, Source: source, Provider: first(provider, "github"), Type: kind,
		OccurredAt: at(when), ObservedAt: at(when), Actor: who(actor), Subject: engine.Subject{Type: noun, ID: id},
		Data:     engine.Facts(data),
		Evidence: engine.Evidence{Digest: engine.Digest([]byte(id)), MediaType: "application/json", Trust: engine.TrustAPIRead},
	}
}

// read tells that every source was read from September until now.
func read(sources ...string) []engine.Event {
	var out []engine.Event
	for _, s := range sources {
		out = append(out, tell("collector:coverage:"+s, "coverage.recorded", now, "", engine.CoverageFact{
			Source: s, Status: "complete", From: on("2026-09-01T00:00:00Z"), To: on(now),
		}))
	}
	return out
}

func everything() []engine.Event { return read(sourceNames...) }

const wellDescribed = `## Description
Cap the page size. <!-- what and why -->
## Risk
- Availability: low, read path only
- Security: none
- Data: none
## Rollback
Revert the merge commit.
`

func commitFact(sha, login string, parents ...string) engine.CommitFact {
	return engine.CommitFact{
		Repository: repo, SHA: sha, Parents: parents, Message: "cap pages",
		Author: engine.SignatureFacts{Name: login, Email: login + "@acme.example", Account: login, At: on("08:00")},
	}
}

// change is a pull request by alice, approved by bob, merged by alice at 11:00
// and live on api at 11:06, after a staging run.
func change() []engine.Event {
	n := 412
	return []engine.Event{
		tell("github:pull_request:412:created", "change.created", "09:00", "alice", engine.PullRequestFact{
			Repository: repo, Number: n, Author: who("alice"), CreatedAt: on("09:00"), BaseBranch: "main"}),
		tell("github:pull_request:412:updated:1", "change.updated", "09:30", "alice", engine.PullRequestFact{
			Repository: repo, Number: n, Title: "Cap pages", Author: who("alice"), CreatedAt: on("09:00"), BaseBranch: "main", HeadBranch: "cap", HeadSHA: head,
			Body: wellDescribed, Labels: []string{"change:normal"}, State: "open", CommitCount: ptr(1)}),
		tell("github:pull_request:412:merged", "change.merged", "11:00", "alice", engine.PullRequestFact{
			Repository: repo, Number: n, Title: "Cap pages", Author: who("alice"), CreatedAt: on("09:00"), BaseBranch: "main", HeadSHA: head, Body: wellDescribed,
			Labels: []string{"change:normal"}, MergedAt: on("11:00"), MergedBy: who("alice"), MergeCommitSHA: merge, State: "closed"}),
		tell("github:commits:412", "change.commits_listed", "09:30", "", engine.CommitListFact{Repository: repo, Number: n, HeadSHA: head, SHAs: []string{head}, Complete: true}),
		tell("github:commit:"+head, "commit.recorded", "09:00", "", commitFact(head, "alice", base)),
		tell("github:commit:"+merge, "commit.recorded", "11:00", "", commitFact(merge, "alice", base, head)),
		tell("github:files:412", "change.files_listed", "09:30", "", engine.FileListFact{Repository: repo, Number: &n, Complete: true, Files: []engine.FileFacts{
			{Path: "src/paginate.py", Status: "modified", Additions: ptr(18), Deletions: ptr(6)}}}),
		tell("github:review:1", "change.reviewed", "10:30", "bob", engine.ReviewFact{
			Repository: repo, Number: n, ReviewID: "1", State: "approved", CommitID: head, SubmittedAt: on("10:30"), Permission: "write"}),
		tell("github:check:1", "check.completed", "09:40", "", engine.CheckFact{Repository: repo, SHA: head, Name: "ci/test", Conclusion: "success", CompletedAt: on("09:40")}),
		tell("github:protection:1", "protection.observed", "2026-11-01T00:00:00Z", "", engine.ProtectionStateFact{
			Repository: repo, Branch: "main", Kind: "classic", State: &engine.ProtectionFacts{PullRequestRequired: ptr(true), RequiredApprovals: ptr(1), DismissStaleReviews: ptr(true), AppliesToAdmins: ptr(true)}}),
		tell("github:push:1", "branch.pushed", "11:00", "alice", engine.PushFact{Repository: repo, Branch: "main", Before: base, After: merge, Commits: []string{head, merge}, DefaultBranch: "main", Kind: "push"}),
		tell("render:dep-staging", "deployment.observed", "10:00", "", engine.DeploymentFact{
			DeployID: "dep-staging", ServiceID: "srv-stg", Service: "api-staging", Environment: "staging", Commit: head, Status: "live", Trigger: "new_commit", StartedAt: on("09:55"), FinishedAt: on("10:00")}),
		tell("render:dep-live", "deployment.observed", "11:06", "", engine.DeploymentFact{
			DeployID: "dep-live", ServiceID: "srv-api", Service: "api", Environment: "production", Commit: merge, Status: "live", Trigger: "new_commit", StartedAt: on("11:01"), FinishedAt: on("11:06")}),
	}
}

const people = `
complete: true
people:
  - {id: alice, kind: employee, accounts: {github: [alice, alice-home], render: [alice@acme.example]}, authorised: [{from: 2025-01-01T00:00:00Z}]}
  - {id: bob, kind: employee, accounts: {github: [Bob], render: [bob@acme.example]}, authorised: [{from: 2025-01-01T00:00:00Z}]}
  - {id: carol, kind: employee, roles: [security-reviewer], accounts: {github: [carol], render: [carol@acme.example]}, authorised: [{from: 2025-01-01T00:00:00Z}]}
  - {id: robot, kind: agent, owner: carol, registered: true, accounts: {github: [Copilot]}}
services:
  - {id: srv-api, name: api, repository: acme/shop, environment: production, environment_kind: production}
  - {id: srv-stg, name: api-staging, repository: acme/shop, environment: staging, environment_kind: staging}
repositories:
  - {name: acme/shop, default_branch: main, protected_branches: [main], required_checks: [ci/test]}
procedures:
  - {id: STD-DEP, scope: patch and minor, approved_by: carol, approved_at: 2025-10-01T00:00:00Z, approved_until: 2026-10-01T00:00:00Z}
  - {id: STD-DEP, scope: patch only, approved_by: carol, approved_at: 2026-10-02T00:00:00Z, approved_until: 2027-10-01T00:00:00Z}
waivers:
  - {id: WV-1, controls: [CM-4.C.2], subject: "acme/shop#4*", requested_by: alice, approved_by: carol, approved_at: 2026-11-09T00:00:00Z, expires_at: 2026-11-16T00:00:00Z}
`

func directory(t testing.TB) Directory {
	t.Helper()
	dir, err := ParseDirectory([]byte(people))
	if err != nil {
		t.Fatal(err)
	}
	return dir
}

// assemble assembles and checks every dossier against its schema.
func assemble(t testing.TB, events ...[]engine.Event) (map[string]engine.Dossier, []Problem) {
	t.Helper()
	return assembleAt(t, now, events...)
}

func assembleAt(t testing.TB, when string, events ...[]engine.Event) (map[string]engine.Dossier, []Problem) {
	t.Helper()
	for _, e := range slices.Concat(events...) {
		if faults := schemas.Validate(schemas.Event, engine.Facts(e)); len(faults) > 0 {
			t.Fatalf("the test tells an invalid event %s: %v", e.ID, faults)
		}
	}
	dossiers, problems := Assemble(slices.Concat(events...), directory(t), Options{At: at(when)})
	out := map[string]engine.Dossier{}
	for _, d := range dossiers {
		if faults := schemas.Validate(schemas.Dossier, engine.Facts(d)); len(faults) > 0 {
			t.Errorf("dossier %s %s: %v", d.Subject.Type, d.Subject.ID, faults)
		}
		key := d.Subject.Type + " " + d.Subject.ID
		if _, twice := out[key]; twice {
			t.Errorf("two dossiers of %s", key)
		}
		out[key] = d
	}
	return out, problems
}

// theChange is the dossier of a change, which must be there.
func theChange(t testing.TB, dossiers map[string]engine.Dossier, id string) engine.Change {
	t.Helper()
	d, ok := dossiers["change "+id]
	if !ok {
		t.Fatalf("no change %s; there are %v", id, sortedKeys(dossiers))
	}
	return *d.Change
}

func same(t testing.TB, what string, got, want any) {
	t.Helper()
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("%s (-want +got):\n%s", what, diff)
	}
}

func TestGoldenDossier(t *testing.T) {
	dossiers, problems := assemble(t, change(), everything())
	if len(problems) > 0 {
		t.Errorf("problems: %v", problems)
	}
	got, err := json.MarshalIndent(dossiers["change acme/shop#412"], "", "  ")
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join("testdata", "pull_request.golden.json")
	if *update {
		if err := os.WriteFile(path, append(got, '\n'), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	same(t, path, string(got)+"\n", string(want))
}

// Any order, any duplicates and any re-delivery give the same bytes.
func TestOrderAndDuplicatesNeverMatter(t *testing.T) {
	events := slices.Concat(change(), everything(), emergency(), outsideGit(), rolledBack())
	dir := directory(t)
	want, wantProblems := Assemble(events, dir, Options{At: at(now)})
	rapid.Check(t, func(t *rapid.T) {
		shuffled := rapid.Permutation(events).Draw(t, "order")
		for _, i := range rapid.SliceOfN(rapid.IntRange(0, len(events)-1), 0, 20).Draw(t, "again") {
			copied := events[i]
			copied.ObservedAt = copied.ObservedAt.Add(time.Duration(rapid.IntRange(0, 3600).Draw(t, "later")) * time.Second)
			copied.Evidence.Digest = engine.Digest([]byte{byte(i)})
			copied.Evidence.Trust = engine.TrustFile
			shuffled = slices.Insert(shuffled, rapid.IntRange(0, len(shuffled)).Draw(t, "place"), copied)
		}
		got, problems := Assemble(shuffled, dir, Options{At: at(now)})
		if !bytes.Equal(engine.Facts(got), engine.Facts(want)) {
			t.Fatalf("another result:\n%s", cmp.Diff(want, got))
		}
		if !slices.Equal(problems, wantProblems) {
			t.Fatalf("other problems: %v, want %v", problems, wantProblems)
		}
	})
}

func TestConflictingVersionsAreAProblem(t *testing.T) {
	forged := tell("github:review:1", "change.reviewed", "10:30", "bob", engine.ReviewFact{Repository: repo, Number: 412, ReviewID: "1", State: "commented", SubmittedAt: on("10:30")})
	forged.Evidence.Trust = engine.TrustDeclared
	dossiers, problems := assemble(t, change(), everything(), []engine.Event{forged})
	if len(problems) != 1 || problems[0].Subject != "github:review:1" {
		t.Errorf("problems %v, want one about github:review:1", problems)
	}
	same(t, "state", theChange(t, dossiers, "acme/shop#412").PullRequest.Reviews[0].State, "APPROVED")
}

func TestWhatHappenedAfterAtIsLeftOut(t *testing.T) {
	for _, c := range []struct {
		when                  string
		reviews, deployments  int
		merged, live, nothing bool
	}{
		{when: "2026-11-10T08:00:00Z", nothing: true},
		{when: "2026-11-10T09:35:00Z"},
		{when: "2026-11-10T10:45:00Z", reviews: 1, deployments: 1},
		{when: "2026-11-10T11:03:00Z", reviews: 1, deployments: 2, merged: true},
		{when: "2026-11-10T11:06:00Z", reviews: 1, deployments: 2, merged: true, live: true},
	} {
		t.Run(c.when, func(t *testing.T) {
			dossiers, _ := assembleAt(t, c.when, change())
			if c.nothing {
				return
			}
			got := theChange(t, dossiers, "acme/shop#412")
			same(t, "reviews", len(got.PullRequest.Reviews), c.reviews)
			same(t, "deployments", len(got.Deployments), c.deployments)
			same(t, "merged", got.PullRequest.MergedAt != nil, c.merged)
			same(t, "live", slices.ContainsFunc(got.Deployments, func(d engine.Deployment) bool {
				return d.EnvironmentKind == production && d.LiveAt != nil
			}), c.live)
		})
	}
}
