package assembly

import (
	"slices"
	"testing"

	"github.com/changevouch/changevouch/engine"
)

// prod is one production deployment of api.
func prod(id, commit, trigger, started, live, user string) engine.Event {
	f := engine.DeploymentFact{DeployID: id, ServiceID: "srv-api", Commit: commit, Trigger: trigger, Status: "live", StartedAt: on(started), User: who(user)}
	if live == "" {
		f.Status = "build_failed"
		return tell("render:"+id, "deployment.observed", started, "", f)
	}
	f.FinishedAt = on(live)
	return tell("render:"+id, "deployment.observed", live, "", f)
}

// pushed is a push of one commit by carol.
func pushed(sha, before, when string, forced bool) []engine.Event {
	return []engine.Event{
		tell("github:push:"+sha, "branch.pushed", when, "carol", engine.PushFact{Repository: repo, Branch: "main", Before: before, After: sha, Commits: []string{sha}, Forced: &forced, Kind: "push"}),
		tell("github:commit:"+sha, "commit.recorded", when, "", func() engine.CommitFact {
			c := commitFact(sha, "carol", before)
			c.Message, c.Files = "quick fix", []engine.FileFacts{{Path: "src/paginate.py", Status: "modified"}}
			return c
		}()),
		tell("github:associated:"+sha, "commit.associated", when, "", engine.CommitPullRequestsFact{Repository: repo, SHA: sha, Numbers: []int{}}),
	}
}

func emergency() []engine.Event {
	n := 77
	return slices.Concat(pushed(second, merge, "2026-11-12T02:30:00Z", false), []engine.Event{
		prod("dep-fix", second, "new_commit", "2026-11-12T02:31:00Z", "2026-11-12T02:36:00Z", ""),
		tell("github:issue:77", "incident.detected", "2026-11-12T01:55:00Z", "alice", engine.IssueFact{
			Key: "INC-77", Number: &n, Repository: "acme/ops", Kind: "incident", Title: "Export returns 500", CreatedAt: at("2026-11-12T01:55:00Z"), StartedAt: on("2026-11-12T01:50:00Z"),
			ResolvedAt: on("2026-11-12T03:30:00Z"), Severity: "SEV-2", AffectedComponents: []string{"api"}, Description: "Export fails", Rollback: "revert",
			Risk: &engine.RiskText{Availability: "low", Security: "none", Data: "none"}}),
		tell("github:issue_comment:1", "issue.commented", "2026-11-12T02:41:00Z", "alice", engine.IssueCommentFact{Key: "INC-77", Kind: "declaration", MentionsCommits: []string{second[:8]}}),
		tell("github:issue:78", "issue.recorded", "2026-11-13T10:00:00Z", "bob", engine.IssueFact{
			Key: "acme/ops#78", Kind: "retrospective_review", CreatedAt: at("2026-11-13T10:00:00Z"), MentionsCommits: []string{second}, Decision: "accepted",
			LimitedToIssue: ptr(true), CompletedAt: on("2026-11-13T09:00:00Z"), Reviewer: who("bob")}),
		tell("github:issue:79", "issue.recorded", "2026-11-13T08:00:00Z", "carol", engine.IssueFact{
			Key: "acme/ops#79", Kind: "retrospective_review", CreatedAt: at("2026-11-13T08:00:00Z"), MentionsCommits: []string{second}, Decision: "accepted",
			CompletedAt: on("2026-11-13T08:00:00Z"), Reviewer: who("carol")}),
		tell("github:issue:80", "issue.recorded", "2026-11-14T15:00:00Z", "bob", engine.IssueFact{
			Key: "acme/ops#80", Kind: "post_incident_review", CreatedAt: at("2026-11-14T15:00:00Z"), Title: "Review of INC-77", CompletedAt: on("2026-11-14T15:00:00Z"),
			Sections: map[string]string{"root_cause": "no limit", "actions_taken": "limited", "preventive_controls": "a test"}}),
		tell("github:pull_request:419:updated:1", "change.updated", "2026-11-12T09:00:00Z", "alice", engine.PullRequestFact{
			Repository: repo, Number: 419, Title: "Document " + second[:10], Author: who("alice"), CreatedAt: on("2026-11-12T09:00:00Z"), BaseBranch: "main", State: "open", HeadSHA: stray}),
	})
}

func TestPushDuringAnIncident(t *testing.T) {
	dossiers, _ := assemble(t, change(), emergency(), everything())
	c := theChange(t, dossiers, "acme/shop@"+second)
	same(t, "kind", c.Kind, "direct_push")
	same(t, "declared", c.Declared, &engine.Declared{Type: "emergency", Source: "incident timeline INC-77", At: on("2026-11-12T02:41:00Z")})
	same(t, "trigger", c.EmergencyTrigger.ID, "INC-77")
	same(t, "trigger resolved", c.EmergencyTrigger.ResolvedAt, on("2026-11-12T03:30:00Z"))
	same(t, "issue", c.Issue.Body.Rollback, "revert")
	same(t, "reviewer who took no part", c.RetrospectiveReview.Reviewer, "bob")
	same(t, "a review is not done before it is recorded", c.RetrospectiveReview.CompletedAt, on("2026-11-13T10:00:00Z"))
	same(t, "post-incident review", c.PostIncidentReview.PreventiveControls, "a test")
	same(t, "documenting pull request", c.DocumentingPullRequest.Number, ptr(419))
	same(t, "push", c.Push, &engine.Push{Actor: "carol", At: on("2026-11-12T02:30:00Z"), Before: merge, After: second, Forced: ptr(false)})
	same(t, "deployment", c.Deployments[0].PreviousLiveCommit, merge)
	same(t, "files", c.Files[0].Path, "src/paginate.py")
}

func TestWhichPushIsDirect(t *testing.T) {
	tip := "6666666666666666666666666666666666666666"
	associate := func(numbers ...int) engine.Event {
		return tell("github:associated:x", "commit.associated", "12:00", "", engine.CommitPullRequestsFact{Repository: repo, SHA: tip, Numbers: append([]int{}, numbers...)})
	}
	push := func(kind, branch string, commits ...string) engine.Event {
		return tell("github:push:x", "branch.pushed", "12:00", "alice", engine.PushFact{Repository: repo, Branch: branch, Before: merge, After: tip, Commits: commits, Kind: kind})
	}
	for name, c := range map[string]struct {
		events []engine.Event
		direct bool
	}{
		"no pull request":              {[]engine.Event{push("push", "main", tip), associate()}, true},
		"merged pull request":          {[]engine.Event{push("push", "main", tip), associate(412)}, false},
		"open pull request":            {[]engine.Event{push("push", "main", tip), associate(419)}, true},
		"unread pull request":          {[]engine.Event{push("push", "main", tip), associate(999)}, false},
		"merge by the platform":        {[]engine.Event{push("pr_merge", "main", tip)}, false},
		"merge queue":                  {[]engine.Event{push("merge_queue_merge", "main", tip)}, false},
		"another branch":               {[]engine.Event{push("push", "feature", tip), associate()}, false},
		"force push":                   {[]engine.Event{push("force_push", "main", tip)}, true},
		"told by delivery and log":     {[]engine.Event{push("push", "main", tip), tell("github:activity:x", "branch.pushed", "12:00", "alice", engine.PushFact{Repository: repo, Branch: "main", Before: merge, After: tip, Kind: "push"})}, true},
		"delivery, and a merge by log": {[]engine.Event{push("push", "main", tip), tell("github:activity:x", "branch.pushed", "12:00", "alice", engine.PushFact{Repository: repo, Branch: "main", Before: merge, After: tip, Kind: "pr_merge"})}, false},
	} {
		t.Run(name, func(t *testing.T) {
			dossiers, _ := assemble(t, change(), emergency(), c.events, everything())
			_, direct := dossiers["change acme/shop@"+tip]
			same(t, "direct push", direct, c.direct)
			if _, merged := dossiers["change acme/shop@"+merge]; merged {
				t.Error("the push of the merge itself became a direct push")
			}
		})
	}
}

// A rebase merge pushes commits under new names.
func TestRebaseMergeIsNoDirectPush(t *testing.T) {
	events := change()
	i := slices.IndexFunc(events, func(e engine.Event) bool { return e.ID == "github:push:1" })
	events[i] = tell("github:push:1", "branch.pushed", "11:00", "alice", engine.PushFact{Repository: repo, Branch: "main", Before: base, After: merge, Commits: []string{merge}, Kind: "push"})
	dossiers, _ := assemble(t, events, everything())
	if len(slices.DeleteFunc(sortedKeys(dossiers), func(k string) bool { return k != "change acme/shop@"+merge })) > 0 {
		t.Error("a merge became a direct push")
	}
}

func TestDeploymentCarriesSeveralChanges(t *testing.T) {
	live := slices.IndexFunc(change(), func(e engine.Event) bool { return e.ID == "render:dep-live" })
	events := slices.Delete(change(), live, live+1)
	dossiers, _ := assemble(t, events, pushed(second, merge, "11:30", false), []engine.Event{
		prod("dep-both", second, "new_commit", "11:31", "11:36", ""),
	}, everything())
	d, ok := dossiers["deployment render:dep-both"]
	if !ok {
		t.Fatalf("no deployment dossier: %v", sortedKeys(dossiers))
	}
	var kinds []string
	for _, c := range d.Deployment.Changes {
		kinds = append(kinds, c.Kind)
	}
	same(t, "changes", kinds, []string{"pull_request", "direct_push"})
	same(t, "both carry it", theChange(t, dossiers, "acme/shop#412").Deployments[1].ID, "dep-both")
}

// By comparison, by parents or by order of landing: what a deployment newly brings.
func TestWhatADeploymentNewlyContains(t *testing.T) {
	noParents := func(events []engine.Event) []engine.Event {
		return slices.DeleteFunc(slices.Clone(events), func(e engine.Event) bool { return e.Type == "commit.recorded" })
	}
	first := []engine.Event{prod("dep-old", base, "new_commit", "2026-11-09T10:00:00Z", "2026-11-09T10:05:00Z", "")}
	later := pushed(second, merge, "12:00", false)
	deploy := []engine.Event{prod("dep-second", second, "manual", "12:01", "12:06", "bob@acme.example")}
	compared := tell("github:compare:1", "commits.compared", "12:10", "", engine.ComparisonFact{Repository: repo, Base: merge, Head: second, SHAs: []string{second}, Complete: true})
	for name, events := range map[string][]engine.Event{
		"comparison": slices.Concat(noParents(change()), first, noParents(later), deploy, []engine.Event{compared}),
		"parents":    slices.Concat(change(), first, later, deploy),
		"landings":   slices.Concat(noParents(change()), first, noParents(later), deploy),
	} {
		t.Run(name, func(t *testing.T) {
			dossiers, _ := assemble(t, events, everything())
			c := theChange(t, dossiers, "acme/shop#412")
			same(t, "runs of the pull request", ids(c.Deployments), []string{"dep-staging", "dep-live"})
			d := theChange(t, dossiers, "acme/shop@"+second)
			same(t, "runs of the push", ids(d.Deployments), []string{"dep-second"})
			same(t, "live before", d.Deployments[0].PreviousLiveCommit, merge)
			same(t, "user", d.Deployments[0].User, "bob@acme.example")
			same(t, "on the branch", d.Deployments[0].OnProtectedBranch, ptr(true))
		})
	}
}

func ids(list []engine.Deployment) []string {
	var out []string
	for _, d := range list {
		out = append(out, d.ID)
	}
	return out
}

func rolledBack() []engine.Event {
	back := prod("dep-back", merge, "rollback", "2026-11-12T14:00:00Z", "2026-11-12T14:01:00Z", "alice@acme.example")
	var f engine.DeploymentFact
	if err := back.Decode(&f); err != nil {
		panic(err)
	}
	f.RollbackTo = "dep-live"
	back.Data = engine.Facts(f)
	return []engine.Event{back}
}

func TestRollback(t *testing.T) {
	events := slices.Concat(change(), emergency(), rolledBack(), everything())
	dossiers, _ := assemble(t, events)
	c := theChange(t, dossiers, "render:dep-back")
	same(t, "kind", c.Kind, "platform_rollback")
	same(t, "rollback", c.Rollback, &engine.Rollback{At: on("2026-11-12T14:01:00Z"), ToCommit: merge, TargetDeployID: "dep-live", PreviouslyLive: ptr(true)})
	same(t, "what it returns to", c.Links, []string{"acme/shop#412"})
	same(t, "the pull request is not deployed again by it", ids(theChange(t, dossiers, "acme/shop#412").Deployments), []string{"dep-staging", "dep-live"})

	judge := func(d engine.Dossier) string {
		same(t, "judged", d.Subject.ID, "acme/shop#412")
		return ReviewOutcome(engine.Decision{Findings: []engine.Finding{{Control: "CM-4.B.1", Status: "pass"}, {Control: "CM-5.2", Status: "fail"}}})
	}
	known, _ := Assemble(events, directory(t), Options{At: at(now), Review: judge})
	i := slices.IndexFunc(known, func(d engine.Dossier) bool { return d.Subject.ID == "render:dep-back" })
	same(t, "review of the target", known[i].Change.Rollback.TargetReview, "compliant")
}

func TestDeploymentsWithoutAChange(t *testing.T) {
	image := tell("render:dep-image", "deployment.observed", "15:00", "", engine.DeploymentFact{
		DeployID: "dep-image", Service: "reports", Environment: "production", Trigger: "manual", Status: "live", FinishedAt: on("15:00"), Image: &engine.ImageFacts{Ref: "ghcr.io/acme/reports:latest"}})
	open := tell("github:pull_request:420:updated:1", "change.updated", "12:00", "alice", engine.PullRequestFact{
		Repository: repo, Number: 420, Title: "Unfinished", Author: who("alice"), CreatedAt: on("12:00"), BaseBranch: "main", HeadSHA: stray, State: "open", Body: wellDescribed})
	for name, c := range map[string]struct {
		events []engine.Event
		id     string
		check  func(*testing.T, engine.Change)
	}{
		"head of an open pull request": {[]engine.Event{open, prod("dep-x", stray, "manual", "16:00", "16:05", "alice@acme.example")}, "render:dep-x", func(t *testing.T, c engine.Change) {
			same(t, "kind", c.Kind, "manual_deploy")
			same(t, "pull request", c.PullRequest.Number, ptr(420))
			same(t, "on the branch", c.Deployments[0].OnProtectedBranch, ptr(false))
		}},
		"failed build": {[]engine.Event{open, prod("dep-x", stray, "manual", "16:00", "", "alice@acme.example")}, "render:dep-x", func(t *testing.T, c engine.Change) {
			same(t, "status", c.Deployments[0].Status, "build_failed")
			same(t, "never live", c.Deployments[0].LiveAt == nil, true)
		}},
		"unknown commit": {[]engine.Event{prod("dep-x", stray, "api", "16:00", "16:05", "")}, "render:dep-x", func(t *testing.T, c engine.Change) {
			same(t, "kind", c.Kind, "manual_deploy")
			same(t, "on the branch", c.Deployments[0].OnProtectedBranch == nil, true)
		}},
		"image": {[]engine.Event{image}, "render:dep-image", func(t *testing.T, c engine.Change) {
			same(t, "kind", c.Kind, "image_deploy")
			same(t, "image", c.Deployments[0].Image.Ref, "ghcr.io/acme/reports:latest")
		}},
		"platform maintenance": {[]engine.Event{prod("dep-x", merge, "deployed_by_render", "16:00", "16:05", "")}, "render:dep-x", func(t *testing.T, c engine.Change) {
			same(t, "trigger", c.Deployments[0].Trigger, "deployed_by_render")
		}},
		"an earlier build by hand": {slices.Concat(emergency(), []engine.Event{prod("dep-x", merge, "manual", "2026-11-13T16:00:00Z", "2026-11-13T16:05:00Z", "alice@acme.example")}), "render:dep-x", func(t *testing.T, c engine.Change) {
			same(t, "kind", c.Kind, "platform_rollback")
			same(t, "target", c.Rollback.TargetDeployID, "dep-live")
		}},
	} {
		t.Run(name, func(t *testing.T) {
			dossiers, _ := assemble(t, change(), c.events, everything())
			c.check(t, theChange(t, dossiers, c.id))
		})
	}
}

func TestRedeployOfTheSameCommitIsNoNewChange(t *testing.T) {
	dossiers, _ := assemble(t, change(), []engine.Event{prod("dep-again", merge, "manual", "16:00", "16:05", "bob@acme.example")}, everything())
	if _, found := dossiers["change render:dep-again"]; found {
		t.Error("a redeploy became a change")
	}
	same(t, "runs", ids(theChange(t, dossiers, "acme/shop#412").Deployments), []string{"dep-staging", "dep-live", "dep-again"})
}

func TestUnclassifiedEnvironmentCountsAsProduction(t *testing.T) {
	odd := tell("render:dep-odd", "deployment.observed", "16:00", "", engine.DeploymentFact{DeployID: "dep-odd", Service: "zebra", Environment: "blue", Commit: stray, Status: "live", FinishedAt: on("16:00")})
	dossiers, problems := assemble(t, []engine.Event{odd})
	same(t, "kind", theChange(t, dossiers, "render:dep-odd").Deployments[0].EnvironmentKind, "production")
	same(t, "problems", len(problems), 1)
}

func TestEnvironmentKindByName(t *testing.T) {
	a := newAssembler(nil, Directory{}, Options{At: at(now)})
	for name, want := range map[string]string{
		"production": production, "Prod": production, "eu-prod": production, "live": production, "staging": staging, "pre-production": staging,
		"dev": staging, "preview": preview, "pr-12": preview, "products": "", "blue": "", "": "",
	} {
		same(t, name, a.kindOf("", "", name, ""), want)
	}
}

// One repository, several services: a deployment concerns the changes that can
// reach its service.
func TestBuildFilterDecidesWhomADeploymentConcerns(t *testing.T) {
	service := func(f engine.ServiceFact) engine.Event {
		f.ServiceID = "srv-api"
		return tell("render:service:srv-api", "service.observed", "12:00", "", f)
	}
	later := pushed(second, merge, "11:30", false)
	live := slices.IndexFunc(change(), func(e engine.Event) bool { return e.ID == "render:dep-live" })
	rest := slices.Delete(change(), live, live+1)
	for name, c := range map[string]struct {
		service engine.ServiceFact
		trigger string
		pull    bool
		push    bool
	}{
		"no filter":                   {engine.ServiceFact{}, "manual", true, true},
		"filter that both pass":       {engine.ServiceFact{Paths: []string{"src/**"}}, "manual", true, true},
		"filter that neither passes":  {engine.ServiceFact{Paths: []string{"web/**"}}, "manual", false, true},
		"the platform says it passed": {engine.ServiceFact{IgnoredPaths: []string{"src/**"}}, "new_commit", false, true},
		"folder":                      {engine.ServiceFact{RootDir: "src"}, "manual", true, true},
		"folder of another part":      {engine.ServiceFact{RootDir: "/web/"}, "manual", false, true},
	} {
		t.Run(name, func(t *testing.T) {
			dossiers, _ := assemble(t, rest, later, []engine.Event{service(c.service), prod("dep-both", second, c.trigger, "11:31", "11:36", "")}, everything())
			same(t, "pull request", slices.Contains(ids(theChange(t, dossiers, "acme/shop#412").Deployments), "dep-both"), c.pull)
			same(t, "push", slices.Contains(ids(theChange(t, dossiers, "acme/shop@"+second).Deployments), "dep-both"), c.push)
		})
	}
}
