package assembly

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/changevouch/changevouch/engine"
)

// cloneOf tells of a clone: its commits, oldest first, the files of those that
// have any, and its head, read now.
func cloneOf(head string, commits ...engine.CommitFact) []engine.Event {
	local := func(id, kind, when string, data any) engine.Event {
		e := tell("git:"+id, kind, when, "", data)
		e.Provider = cloneProvider
		return e
	}
	var out []engine.Event
	for _, c := range commits {
		when := c.Author.At.Format("2006-01-02T15:04:05Z07:00")
		if len(c.Files) > 0 {
			out = append(out, local("files:"+c.SHA, "change.files_listed", when, engine.FileListFact{Repository: repo, SHA: c.SHA, Files: c.Files, Complete: true}))
			c.Files = nil
		}
		out = append(out, local("commit:"+c.SHA, "commit.recorded", when, c))
	}
	return append(out,
		local("branch:main:"+head, "branch.observed", now, engine.BranchHeadFact{Repository: repo, Branch: "main", SHA: head, DefaultBranch: ptr(true)}),
		local("coverage", "coverage.recorded", now, engine.CoverageFact{
			Source: "git", Status: "incomplete", Repository: repo, From: on("2026-11-10T06:00:00Z"), To: on(now), Missing: []string{"pull_request", "reviews", "checks"}, Reason: "a clone knows none",
		}),
	)
}

// made is a commit of a clone, made at an hour of 10 November, with a file.
func made(sha, when, message, file string, parents ...string) engine.CommitFact {
	c := engine.CommitFact{Repository: repo, SHA: sha, Parents: parents, Message: message, Author: engine.SignatureFacts{Name: "Alice", Email: "alice@acme.example", At: on(when)}}
	c.Committer = ptr(c.Author)
	if file != "" {
		c.Files = []engine.FileFacts{{Path: file, Status: "modified", Additions: ptr(1), Deletions: ptr(0)}}
	}
	return c
}

func paths(d engine.Dossier) []string {
	var out []string
	for _, f := range d.Change.Files {
		out = append(out, f.Path)
	}
	return out
}

func TestCloneAlone(t *testing.T) {
	hinted := made(merge, "11:00", "Merge pull request #412 from acme/cap", "src/a.go", base, head)
	hinted.Numbers = []int{412}
	dossiers, problems := assemble(t, cloneOf(second,
		made(base, "08:00", "Begin", "src/a.go"),
		made(head, "09:00", "Cap pages", "", base),
		hinted,
		made(stray, "07:00", "Backdated", "src/b.go", merge),
		made(second, "12:00", "Describe", "docs/a.md", stray),
	))
	if len(problems) > 0 || len(dossiers) != 4 {
		t.Fatalf("%d dossiers, want one for each commit of the branch's own line; %v", len(dossiers), problems)
	}
	for sha, want := range map[string]struct {
		at, before string
		files      []string
	}{
		base:   {"08:00", "", []string{"src/a.go"}},
		merge:  {"11:00", base, []string{"src/a.go"}},
		stray:  {"11:00", merge, []string{"src/b.go"}}, // not before what it stands on
		second: {"12:00", stray, []string{"docs/a.md"}},
	} {
		d, ok := dossiers["change "+repo+"@"+sha]
		if !ok {
			t.Errorf("no dossier of %s: %v", sha, sortedKeys(dossiers))
			continue
		}
		c := d.Change
		if c.Kind != "direct_push" || c.PullRequest != nil || c.Push.Actor != "" || !c.Push.At.Equal(at(want.at)) || c.Push.Before != want.before || c.BaseBranch != "main" {
			t.Errorf("%s: %s by %q at %v after %q", sha, c.Kind, c.Push.Actor, c.Push.At, c.Push.Before)
		}
		if diff := cmp.Diff(want.files, paths(d)); diff != "" {
			t.Errorf("files of %s (-want +got):\n%s", sha, diff)
		}
		source, forge := d.Sources["git"], d.Sources["github"]
		if source.Status != "incomplete" || !slices.Contains(source.Missing, "reviews") || slices.Contains(source.Missing, "files") || forge.Status != "" {
			t.Errorf("%s: git %+v, github %+v", sha, source, forge)
		}
		if names := strings.Contains(source.Reason, "names pull request "+repo+"#412, which was not read"); names != (sha == merge) {
			t.Errorf("%s: %s", sha, source.Reason)
		}
		if d.Sources["render"].Status != "incomplete" {
			t.Errorf("%s: render %+v", sha, d.Sources["render"])
		}
	}
	if before, _ := assembleAt(t, "2026-11-10T09:30:00Z", cloneOf(second, made(base, "08:00", "Begin", "a"), made(second, "12:00", "Later", "a", base))); len(before) != 1 {
		t.Errorf("at half past nine %d changes had been made, want 1", len(before))
	}
}

// Where the forge was read, a clone beside it changes nothing that the forge
// explains, in whatever order their events come.
func TestCloneBesideForge(t *testing.T) {
	alone, _ := assemble(t, everything(), change())
	capped := made(head, "08:00", "cap pages", "", base)
	capped.Committer = nil // as the forge tells it
	clone := cloneOf(stray,
		made(base, "08:00", "Begin", "src/a.go"), capped,
		made(merge, "11:00", "Merge pull request #412 from acme/cap", "src/paginate.py", base, head),
		made(stray, "12:00", "Straight to main (#412)", "src/b.go", merge),
	)
	events := slices.Concat(everything(), change(), clone)
	random := rand.New(rand.NewPCG(1, 2))
	for range 5 {
		random.Shuffle(len(events), func(i, j int) { events[i], events[j] = events[j], events[i] })
		both, _ := assemble(t, events)
		pull := "change " + repo + "#412"
		want, got := alone[pull], both[pull]
		delete(got.Sources, "git")
		if diff := cmp.Diff(want, got); diff != "" {
			t.Fatalf("the pull request beside a clone (-want +got):\n%s", diff)
		}
		direct, ok := both["change "+repo+"@"+stray]
		if !ok || direct.Change.Kind != "direct_push" {
			t.Fatalf("what the forge does not explain: %v", sortedKeys(both))
		}
		if s := direct.Sources["github"]; s.Status != "complete" {
			t.Errorf("the forge was read, and knows no pull request of it: %+v", s)
		}
	}
}

// What a pull request brought by rebasing, and what a push tells without naming
// every commit, is explained.
func TestCloneExplained(t *testing.T) {
	n := 412
	sha := func(i int) string { return fmt.Sprintf("%040d", i) }
	pull := []engine.Event{
		tell("github:pull_request:412:merged", "change.merged", "11:00", "alice", engine.PullRequestFact{Repository: repo, Number: n, Author: who("alice"), CreatedAt: on("09:00"), BaseBranch: "main",
			HeadSHA: sha(12), Body: wellDescribed, MergedAt: on("11:00"), MergedBy: who("alice"), MergeCommitSHA: sha(2)}),
		tell("github:commits:412", "change.commits_listed", "09:30", "", engine.CommitListFact{Repository: repo, Number: n, HeadSHA: sha(12), SHAs: []string{sha(11), sha(12)}, Complete: true}),
		tell("github:commit:11", "commit.recorded", "09:00", "", engine.CommitFact{Repository: repo, SHA: sha(11), Parents: []string{base}, Message: "one", Author: engine.SignatureFacts{Account: "alice"}}),
		tell("github:commit:12", "commit.recorded", "09:00", "", engine.CommitFact{Repository: repo, SHA: sha(12), Parents: []string{sha(11)}, Message: "two", Author: engine.SignatureFacts{Account: "alice"}}),
	}
	push := tell("github:activity:1", "branch.pushed", "12:00", "bob", engine.PushFact{Repository: repo, Branch: "main", Before: sha(2), After: sha(4), Kind: "push"})
	clone := cloneOf(sha(5),
		made(base, "08:00", "Begin", "a"),
		made(sha(1), "11:00", "one\n", "a", base),
		made(sha(2), "11:00", "two\n", "a", sha(1)),
		made(sha(3), "11:30", "three", "a", sha(2)),
		made(sha(4), "11:40", "four", "a", sha(3)),
		made(sha(5), "12:30", "five", "a", sha(4)),
	)
	both, _ := assemble(t, everything(), pull, []engine.Event{push}, clone)
	var got []string
	for _, key := range sortedKeys(both) {
		if both[key].Change != nil {
			got = append(got, strings.TrimPrefix(key, "change "))
		}
	}
	want := []string{repo + "#412", repo + "@" + sha(4), repo + "@" + sha(5), repo + "@" + base}
	slices.Sort(want)
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("changes (-want +got):\n%s", diff)
	}
}

// The files of a push are those of all of its commits; those that a merge brings
// stand in the list of the merge.
func TestPushedFiles(t *testing.T) {
	files := func(sha string, paths ...string) engine.Event {
		l := engine.FileListFact{Repository: repo, SHA: sha, Complete: true}
		for _, p := range paths {
			l.Files = append(l.Files, engine.FileFacts{Path: p, Status: "modified", Additions: ptr(1)})
		}
		return tell("github:files:"+sha, "change.files_listed", "11:00", "", l)
	}
	commit := func(sha string, parents ...string) engine.Event {
		return tell("github:commit:"+sha, "commit.recorded", "11:00", "", commitFact(sha, "alice", parents...))
	}
	push := func(shas ...string) engine.Event {
		return tell("github:push:1", "branch.pushed", "11:00", "alice", engine.PushFact{Repository: repo, Branch: "main", Before: base, After: shas[len(shas)-1], Commits: shas, DefaultBranch: "main"})
	}
	for name, test := range map[string]struct {
		events  []engine.Event
		want    []string
		missing bool
	}{
		"two commits":       {[]engine.Event{push(head, stray), commit(head, base), commit(stray, head), files(head, "infra/iam/a.tf"), files(stray, "README.md")}, []string{"infra/iam/a.tf", "README.md"}, false},
		"one is not listed": {[]engine.Event{push(head, stray), commit(head, base), commit(stray, head), files(stray, "README.md")}, []string{"README.md"}, true},
		"a merge":           {[]engine.Event{push(head, merge), commit(head, second), commit(merge, base, head), files(head, "a"), files(merge, "a", "b")}, []string{"a", "b"}, false},
		"a merge unlisted":  {[]engine.Event{push(head, merge), commit(head, second), commit(merge, base, head), files(head, "a")}, []string{"a"}, true},
	} {
		dossiers, _ := assemble(t, everything(), test.events)
		for key, d := range dossiers {
			if d.Change == nil {
				continue
			}
			if diff := cmp.Diff(test.want, paths(d)); diff != "" {
				t.Errorf("%s: files of %s (-want +got):\n%s", name, key, diff)
			}
			for _, f := range d.Change.Files {
				if *f.Additions != 1 {
					t.Errorf("%s: %s was counted twice", name, f.Path)
				}
			}
			if missing := slices.Contains(d.Sources["github"].Missing, "files"); missing != test.missing {
				t.Errorf("%s: files missing: %v", name, missing)
			}
		}
	}
}
