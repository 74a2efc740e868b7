package assembly

import (
	"slices"
	"strings"
	"testing"

	"github.com/changevouch/changevouch/engine"
)

func TestDescribe(t *testing.T) {
	template := "## Description\n<!-- what -->\n## Risk\n- Availability:\n- Security:\n- Data:\n## Rollback\nDescribe how to roll back.\n"
	for name, c := range map[string]struct {
		body string
		want engine.Documentation
	}{
		"all parts":          {wellDescribed, engine.Documentation{Description: "Cap the page size.", Risk: &engine.RiskText{Availability: "low, read path only", Security: "none", Data: "none"}, Rollback: "Revert the merge commit."}},
		"untouched template": {template, engine.Documentation{}},
		"no headings":        {"Bumps lodash from 4.17.20 to 4.17.21.", engine.Documentation{Description: "Bumps lodash from 4.17.20 to 4.17.21."}},
		"axes as headings":   {"## Risk\n### Availability\nlow\n### Security\nnone\n", engine.Documentation{Risk: &engine.RiskText{Availability: "low", Security: "none"}}},
		"axes as a table":    {"## Risk\n| Axis | Level |\n|---|---|\n| Availability | low |\n| Data | none |\n", engine.Documentation{Risk: &engine.RiskText{Availability: "low", Data: "none"}}},
		"issue form":         {"### Description\n\n_No response_\n\n### Rollback\n\nput it back", engine.Documentation{Rollback: "put it back"}},
		"open comment":       {"## Description\n<!-- never closed\ntext", engine.Documentation{}},
		"bold headings":      {"**Rollback:**\nrevert", engine.Documentation{Rollback: "revert"}},
		"own heading":        {"## Warum\nweil", engine.Documentation{Description: "weil"}},
		"colon in prose":     {"## Description\nSecurity: nothing here is about risk", engine.Documentation{Description: "Security: nothing here is about risk"}},
	} {
		t.Run(name, func(t *testing.T) {
			d := Documentation{Template: template, Headings: map[string][]string{"description": {"Warum"}}}
			got := d.describe(c.body).doc
			same(t, "raw", got.Raw, c.body)
			got.Raw = ""
			same(t, "parts", got, c.want)
		})
	}
}

// A description counts as it was at the merge.
func TestBodyAtMerge(t *testing.T) {
	snapshot := func(when, body string, more func(*engine.PullRequestFact)) engine.Event {
		f := engine.PullRequestFact{Repository: repo, Number: 412, HeadSHA: head, Body: body, BaseBranch: "main"}
		if more != nil {
			more(&f)
		}
		return tell("github:pull_request:412:updated:"+when, "change.updated", when, "alice", f)
	}
	merged := tell("github:pull_request:412:merged", "change.merged", "11:00", "alice", engine.PullRequestFact{Repository: repo, Number: 412, MergedAt: on("11:00")})
	closed := tell("github:pull_request:412:merged", "change.merged", "11:00", "alice", engine.PullRequestFact{Repository: repo, Number: 412, MergedAt: on("11:00"), HeadSHA: head, Body: "at merge"})
	edited := func(when string) func(*engine.PullRequestFact) {
		return func(f *engine.PullRequestFact) { f.BodyEditedAt = on(when) }
	}
	for name, c := range map[string]struct {
		events []engine.Event
		want   string
		doubt  bool
	}{
		"merge delivery":          {[]engine.Event{snapshot("09:00", "before", nil), closed, snapshot("12:00", "after", nil)}, "at merge", false},
		"snapshot before":         {[]engine.Event{snapshot("09:00", "before", nil), merged}, "before", false},
		"same text before, after": {[]engine.Event{snapshot("09:00", "text", nil), merged, snapshot("12:00", "text", nil)}, "text", false},
		"changed, unknown when":   {[]engine.Event{snapshot("09:00", "before", nil), merged, snapshot("12:00", "after", nil)}, "before", true},
		"edited before merge":     {[]engine.Event{snapshot("09:00", "before", nil), merged, snapshot("12:00", "after", edited("10:00"))}, "after", false},
		"edited after merge":      {[]engine.Event{merged, snapshot("12:00", "after", edited("11:30"))}, "after", true},
		"edit told by delivery":   {[]engine.Event{merged, snapshot("12:00", "after", func(f *engine.PullRequestFact) { f.Action, f.BodyBefore = "edited", "replaced" })}, "replaced", false},
		"only after":              {[]engine.Event{merged, snapshot("12:00", "after", nil)}, "after", true},
	} {
		t.Run(name, func(t *testing.T) {
			dossiers, _ := assemble(t, c.events, everything())
			d := dossiers["change acme/shop#412"]
			same(t, "raw", d.Change.PullRequest.BodyAtMerge.Raw, c.want)
			same(t, "doubt", slices.Contains(d.Sources["github"].Missing, "body_history"), c.doubt)
		})
	}
}

func TestReviews(t *testing.T) {
	n := 412
	dismissed := tell("github:review:1", "change.reviewed", "10:30", "bob", engine.ReviewFact{Repository: repo, Number: n, ReviewID: "1", State: "DISMISSED", CommitID: head, SubmittedAt: on("10:30")})
	events := slices.DeleteFunc(change(), func(e engine.Event) bool { return e.ID == "github:review:1" })
	events = append(events, dismissed,
		tell("github:dismissal:1", "change.review_dismissed", "10:45", "carol", engine.ReviewDismissalFact{Repository: repo, Number: n, ReviewID: "1", DismissedState: "approved"}),
		tell("github:permission:1", "permission.observed", "10:00", "", engine.PermissionFact{Repository: repo, Account: *who("BOB"), Permission: "write"}),
		tell("github:permission:2", "permission.observed", "12:00", "", engine.PermissionFact{Repository: repo, Account: *who("bob"), Permission: "read"}),
		tell("github:review:2", "change.reviewed", "10:50", "mallory", engine.ReviewFact{Repository: repo, Number: n, ReviewID: "2", State: "CHANGES_REQUESTED", SubmittedAt: on("10:50")}))
	dossiers, _ := assemble(t, events, everything())
	same(t, "reviews", theChange(t, dossiers, "acme/shop#412").PullRequest.Reviews, []engine.Review{
		{ID: "1", User: "bob", State: "APPROVED", SubmittedAt: on("10:30"), CommitID: head, Permission: "write", DismissedAt: on("10:45"), DismissedBy: "carol"},
		{ID: "2", User: "mallory", State: "CHANGES_REQUESTED", SubmittedAt: on("10:50")},
	})
	for _, p := range dossiers["change acme/shop#412"].People {
		if p.ID == "bob" && !slices.Contains(p.Accounts["github"], "bob") {
			t.Error("the spelling that the dossier uses does not resolve")
		}
	}
}

func TestWhoHadAHandInACommit(t *testing.T) {
	c := commitFact(head, "alice", base)
	c.Author = engine.SignatureFacts{Name: "Alice", Email: "77+alice-home@users.noreply.github.com"}
	c.Committer = &engine.SignatureFacts{Name: "GitHub", Email: "noreply@github.com", Account: "web-flow"}
	c.CoAuthors = []engine.SignatureFacts{
		{Name: "Bob", Email: "BOB@acme.example"}, {Name: "Claude", Email: "noreply@anthropic.com"}, {Name: "Copilot", Email: "198982749+Copilot@users.noreply.github.com"},
		{Name: "Stranger", Email: "stranger@example.org"},
	}
	events := append(change(), tell("github:commit:"+head, "commit.recorded", "09:00", "", c))
	events = slices.DeleteFunc(events, func(e engine.Event) bool {
		return e.ID == "github:commit:"+head && !strings.Contains(string(e.Data), "Stranger")
	})
	dossiers, _ := assemble(t, events, everything())
	got := theChange(t, dossiers, "acme/shop#412").PullRequest.Commits[0]
	same(t, "author", got.Author, "alice-home")
	same(t, "committer", got.Committer, "web-flow")
	same(t, "co-authors", got.CoAuthors, []string{"Bob", "stranger@example.org"})
}

func TestSecondAccountAndForeignSystems(t *testing.T) {
	c := newCast(newRoster(directory(t)))
	same(t, "e-mail anywhere", c.account(&engine.Account{System: "aws", Account: "ALICE@acme.example"}), "ALICE@acme.example")
	same(t, "login of another system", c.account(&engine.Account{System: "aws", Account: "bob"}), "aws:bob")
	same(t, "nobody", c.account(&engine.Account{System: "github", Account: "mallory"}), "mallory")
	same(t, "owner comes along", c.account(&engine.Account{System: "github", Account: "Copilot"}), "Copilot")
	var persons []string
	for _, p := range c.list() {
		persons = append(persons, p.ID)
	}
	same(t, "people", persons, []string{"alice", "carol", "robot"})
}

// A login that was renamed and taken by somebody else still means the old person.
func TestImmutableIDGoesBeforeLogin(t *testing.T) {
	dir := directory(t)
	dir.People[0].Accounts["github"] = []string{"alice", "1001"}
	c := newCast(newRoster(dir))
	same(t, "name", c.account(&engine.Account{System: "github", Account: "Bob", ID: "1001"}), "1001")
	same(t, "person", c.list()[0].ID, "alice")
}

func TestDirectoryRefusesSharedAccounts(t *testing.T) {
	_, err := ParseDirectory([]byte("people:\n  - {id: a, kind: employee, accounts: {github: [x]}}\n  - {id: b, kind: employee, accounts: {github: [X]}, owner: c}\n"))
	if err == nil || !strings.Contains(err.Error(), `github account x belongs to both "a" and "b"`) || !strings.Contains(err.Error(), `owner "c"`) {
		t.Errorf("got %v", err)
	}
	if _, err := ParseDirectory([]byte("people: 3")); err == nil {
		t.Error("a directory without a list of people was accepted")
	}
}

func TestRulesAtTheMerge(t *testing.T) {
	state := func(n int) *engine.ProtectionFacts {
		return &engine.ProtectionFacts{RequiredApprovals: ptr(n), PullRequestRequired: ptr(true), AppliesToAdmins: ptr(true)}
	}
	event := func(id, kind, when string, f engine.ProtectionStateFact) engine.Event {
		f.Repository, f.Branch, f.Kind = repo, "main", "classic"
		return tell("github:protection:"+id, kind, when, "carol", f)
	}
	rest := slices.DeleteFunc(change(), func(e engine.Event) bool { return e.Type == "protection.observed" })
	for name, c := range map[string]struct {
		events  []engine.Event
		want    int
		missing bool
		known   bool
	}{
		"read before":                  {[]engine.Event{event("1", "protection.observed", "10:00", engine.ProtectionStateFact{State: state(2)})}, 2, false, true},
		"lifted and restored":          {[]engine.Event{event("1", "protection.observed", "10:00", engine.ProtectionStateFact{State: state(2)}), event("2", "protection.changed", "10:58", engine.ProtectionStateFact{Action: "deleted", Before: state(2)}), event("3", "protection.changed", "11:02", engine.ProtectionStateFact{Action: "created", After: state(2)})}, 0, false, true},
		"what a later change replaced": {[]engine.Event{event("2", "protection.changed", "12:00", engine.ProtectionStateFact{Action: "edited", Before: state(1), After: state(2)})}, 1, false, true},
		"read later only":              {[]engine.Event{event("1", "protection.observed", "12:00", engine.ProtectionStateFact{State: state(2)})}, 2, true, true},
		"never read":                   {nil, 0, true, false},
	} {
		t.Run(name, func(t *testing.T) {
			dossiers, _ := assemble(t, rest, c.events)
			d := dossiers["change acme/shop#412"]
			same(t, "known", d.Change.BranchProtection != nil, c.known)
			if c.known {
				same(t, "required approvals", *d.Change.BranchProtection.RequiredApprovals, c.want)
			}
			same(t, "missing", strings.Contains(d.Sources["github"].Reason, "the rules of"), c.missing)
		})
	}
	t.Run("a log of the whole time proves a later reading", func(t *testing.T) {
		dossiers, _ := assemble(t, rest, []engine.Event{event("1", "protection.observed", "12:00", engine.ProtectionStateFact{State: state(2)})}, everything())
		same(t, "missing", len(dossiers["change acme/shop#412"].Sources["github"].Missing), 0)
		same(t, "bypassed", theChange(t, dossiers, "acme/shop#412").BranchProtection.Bypassed, ptr(false))
	})
	t.Run("bypass", func(t *testing.T) {
		dossiers, _ := assemble(t, change(), everything(), []engine.Event{tell("github:rule_suite:1", "protection.bypassed", "11:00", "alice", engine.BypassFact{Repository: repo, Branch: "main", After: merge, Result: "bypass"})})
		got := theChange(t, dossiers, "acme/shop#412")
		same(t, "bypassed", got.BranchProtection.Bypassed, ptr(true))
		same(t, "by", got.BranchProtection.BypassActor, "alice")
		same(t, "history", got.ProtectionEvents[0]["type"], any("bypassed"))
	})
}

func TestChecksOfOneCommit(t *testing.T) {
	check := func(id, when, conclusion string) engine.Event {
		return tell("github:check:"+id, "check.completed", when, "", engine.CheckFact{Repository: repo, SHA: head, Name: "ci/test", Conclusion: conclusion, CompletedAt: on(when)})
	}
	for name, c := range map[string]struct {
		events []engine.Event
		want   string
	}{
		"failed, then run again before the deploy": {[]engine.Event{check("2", "10:00", "failure"), check("3", "10:10", "success")}, "success"},
		"run again after the deploy":               {[]engine.Event{check("2", "10:00", "failure"), check("3", "11:30", "success")}, "failure"},
	} {
		t.Run(name, func(t *testing.T) {
			dossiers, _ := assemble(t, change(), c.events, everything())
			got := theChange(t, dossiers, "acme/shop#412").Checks
			same(t, "checks", len(got), 1)
			same(t, "conclusion", got[0].Conclusion, c.want)
			same(t, "required", got[0].Required, ptr(true))
		})
	}
}

func TestContentWithAnotherTreeIsNotTheSame(t *testing.T) {
	withTree := func(sha, tree string, parents ...string) engine.Event {
		c := commitFact(sha, "alice", parents...)
		c.TreeSHA = tree
		return tell("github:commit:tree:"+sha, "commit.recorded", "12:00", "", c)
	}
	for name, c := range map[string]struct {
		tree string
		want []string
	}{"same tree": {strings.Repeat("a", 40), []string{head, merge}}, "another tree": {strings.Repeat("b", 40), []string{merge}}} {
		t.Run(name, func(t *testing.T) {
			dossiers, _ := assemble(t, change(), []engine.Event{withTree(head, c.tree, base), withTree(merge, strings.Repeat("a", 40), base, head)}, everything())
			same(t, "content", theChange(t, dossiers, "acme/shop#412").MergedContentSHAs, c.want)
		})
	}
}

func TestDeclaration(t *testing.T) {
	labelled := func(kind, when, label string) engine.Event {
		return tell("github:note:"+kind+when, "change.noted", when, "carol", engine.TimelineFact{Repository: repo, Number: 412, Kind: kind, Label: label})
	}
	merged := func(labels ...string) engine.Event {
		return tell("github:pull_request:412:merged", "change.merged", "11:00", "alice", engine.PullRequestFact{
			Repository: repo, Number: 412, Author: who("alice"), CreatedAt: on("09:00"), BaseBranch: "main", HeadSHA: head, Body: wellDescribed, Labels: labels, MergedAt: on("11:00"), MergeCommitSHA: merge})
	}
	rest := slices.DeleteFunc(change(), func(e engine.Event) bool { return e.ID == "github:pull_request:412:merged" })
	for name, c := range map[string]struct {
		events     []engine.Event
		kind, risk string
	}{
		"label":                    {[]engine.Event{merged("change:emergency", "risk:high")}, "emergency", "high"},
		"contradiction":            {[]engine.Event{merged("change:standard", "change:emergency")}, "normal", ""},
		"label put on after merge": {[]engine.Event{merged("bug"), labelled("labeled", "11:30", "change:standard")}, "", ""},
		"label taken off later":    {[]engine.Event{merged("change:standard"), labelled("unlabeled", "11:30", "change:standard")}, "standard", ""},
	} {
		t.Run(name, func(t *testing.T) {
			dossiers, _ := assemble(t, rest, c.events, everything())
			got := theChange(t, dossiers, "acme/shop#412").Declared
			if got == nil {
				got = &engine.Declared{}
			}
			same(t, "type", got.Type, c.kind)
			same(t, "risk", got.Risk, c.risk)
		})
	}
}

func TestProcedureInForce(t *testing.T) {
	n := 412
	events := append(slices.DeleteFunc(change(), func(e engine.Event) bool { return e.ID == "github:files:412" }),
		tell("github:files:412", "change.files_listed", "09:30", "", engine.FileListFact{Repository: repo, Number: &n, Complete: true, Files: []engine.FileFacts{{Path: "web/package-lock.json", Status: "modified"}},
			DependencyUpdates: []engine.DependencyFacts{{Name: "lodash", From: "4.17.20", To: "4.17.21", Update: "patch"}}}))
	dossiers, _ := assemble(t, events, everything())
	d := dossiers["change acme/shop#412"]
	same(t, "scope", d.Change.Procedure.Scope, "patch only")
	if !slices.ContainsFunc(d.People, func(p engine.Person) bool { return p.ID == "carol" }) {
		t.Error("who approved the procedure is missing from the people")
	}
	same(t, "waiver by pattern", d.Waivers[0].ID, "WV-1")
}

func TestTruncatedListsAreMissing(t *testing.T) {
	n := 412
	events := append(slices.DeleteFunc(change(), func(e engine.Event) bool { return e.ID == "github:files:412" || e.ID == "github:commits:412" }),
		tell("github:commits:412", "change.commits_listed", "09:30", "", engine.CommitListFact{Repository: repo, Number: n, HeadSHA: head, SHAs: []string{head}, Complete: true, Total: ptr(300)}),
		tell("github:files:412", "change.files_listed", "09:30", "", engine.FileListFact{Repository: repo, Number: &n, Complete: false, Files: []engine.FileFacts{{Path: "a", Status: "modified"}}}))
	dossiers, _ := assemble(t, events, everything())
	d := dossiers["change acme/shop#412"]
	same(t, "missing", d.Sources["github"].Missing, []string{"commits", "files"})
	same(t, "truncated", d.Change.FilesTruncated, ptr(true))
}

func TestPagesOfOneList(t *testing.T) {
	page := func(n int, complete bool, shas ...string) engine.Event {
		return tell("github:commits:412:"+string(rune('0'+n)), "change.commits_listed", "09:30", "", engine.CommitListFact{Repository: repo, Number: 412, SHAs: shas, Complete: complete, Page: &n})
	}
	rest := slices.DeleteFunc(change(), func(e engine.Event) bool { return e.ID == "github:commits:412" })
	for name, c := range map[string]struct {
		pages   []engine.Event
		count   int
		missing bool
	}{
		"all":           {[]engine.Event{page(2, true, head), page(1, false, merge)}, 2, false},
		"last missing":  {[]engine.Event{page(1, false, head)}, 1, true},
		"first missing": {[]engine.Event{page(2, true, head)}, 0, true},
	} {
		t.Run(name, func(t *testing.T) {
			dossiers, _ := assemble(t, rest, c.pages, everything())
			d := dossiers["change acme/shop#412"]
			same(t, "commits", len(d.Change.PullRequest.Commits), c.count)
			same(t, "missing", slices.Contains(d.Sources["github"].Missing, "commits"), c.missing)
		})
	}
}

func TestAgentAndItsOperator(t *testing.T) {
	operated := tell("github:operated:1", "change.operated", "08:55", "alice", engine.OperatorFact{Repository: repo, Number: 412, Operator: *who("alice"), Agent: who("Copilot"), Kind: "assigned"})
	dossiers, _ := assemble(t, change(), []engine.Event{operated}, everything())
	d := dossiers["change acme/shop#412"]
	same(t, "operators", d.Change.PullRequest.AgentOperators, []string{"alice"})
	same(t, "owner of the agent", slices.ContainsFunc(d.People, func(p engine.Person) bool { return p.ID == "carol" }), true)
}

func FuzzDescribe(f *testing.F) {
	f.Add(wellDescribed, "")
	f.Add("### Risk\n| Availability | low |\n|---|---|\n**Data:** none", "## Risk\n- Availability:")
	f.Fuzz(func(t *testing.T, body, template string) {
		got := Documentation{Template: template}.describe(body).doc
		if got.Raw != body {
			t.Error("the text as written was changed")
		}
		if body == "" && (got.Description != "" || got.Risk != nil || got.Rollback != "") {
			t.Error("an empty text says something")
		}
	})
}

func FuzzParseDirectory(f *testing.F) {
	f.Add([]byte(people))
	f.Add([]byte(`{"people":[]}`))
	f.Fuzz(func(t *testing.T, text []byte) {
		dir, err := ParseDirectory(text)
		if err != nil {
			return
		}
		newRoster(dir)
		if _, err := ParseDirectory(engine.Facts(dir)); err != nil {
			t.Errorf("what was read cannot be read again: %v", err)
		}
	})
}
