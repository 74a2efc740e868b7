package assembly

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/changevouch/changevouch/engine"
)

// year is n pull requests with their commits, reviews, checks, deployments, records
// and answers.
func year(n int) []engine.Event {
	events := everything()
	before := base
	for i := range n {
		number := 1000 + i
		headSHA, mergeSHA := fmt.Sprintf("%039dA", i), fmt.Sprintf("%039dB", i)
		when := func(minutes int) string {
			return at("2026-09-02T00:00:00Z").Add(time.Duration(i*20+minutes) * time.Minute).Format(time.RFC3339)
		}
		id := func(noun string) string { return fmt.Sprintf("github:%s:%d", noun, number) }
		events = append(events,
			tell(id("pull_request"), "change.merged", when(10), "alice", engine.PullRequestFact{Repository: repo, Number: number, Title: "Fix", Author: who("alice"), BaseBranch: "main", HeadSHA: headSHA, Body: wellDescribed, MergedAt: on(when(10)), MergeCommitSHA: mergeSHA}),
			tell(id("commits"), "change.commits_listed", when(1), "", engine.CommitListFact{Repository: repo, Number: number, HeadSHA: headSHA, SHAs: []string{headSHA}, Complete: true}),
			tell("github:commit:"+headSHA, "commit.recorded", when(0), "", commitFact(headSHA, "alice", before)),
			tell("github:commit:"+mergeSHA, "commit.recorded", when(10), "", commitFact(mergeSHA, "alice", before, headSHA)),
			tell(id("review"), "change.reviewed", when(5), "bob", engine.ReviewFact{Repository: repo, Number: number, ReviewID: id("r"), State: "APPROVED", CommitID: headSHA}),
			tell(id("check"), "check.completed", when(4), "", engine.CheckFact{Repository: repo, SHA: headSHA, Name: "ci/test", Conclusion: "success"}),
			tell(id("push"), "branch.pushed", when(10), "alice", engine.PushFact{Repository: repo, Branch: "main", Before: before, After: mergeSHA, Commits: []string{headSHA, mergeSHA}}),
			prod(fmt.Sprintf("dep-%d", i), mergeSHA, "new_commit", when(11), when(15), ""),
			tell(id("reviews_read"), "coverage.recorded", when(16), "", engine.CoverageFact{Source: "github", Status: "complete", Repository: repo, Number: &number, Facts: []string{"reviews", "commits", "files"}}),
		)
		if i%4 == 0 {
			events = append(events,
				tell(id("issue"), "issue.recorded", when(0), "alice", engine.IssueFact{Key: fmt.Sprintf("OPS-%d", i), Kind: "change_request", CreatedAt: at(when(0)), Description: "please fix " + id("x")}),
				tell(id("comment"), "issue.commented", when(1), "carol", engine.IssueCommentFact{Key: fmt.Sprintf("OPS-%d", i), Kind: "approval", Body: "/approve"}))
		}
		before = mergeSHA
	}
	return events
}

// BenchmarkAssemble assembles a thousand and four thousand pull requests: the time of
// each should be the same. On two branches nothing says in which order commits came
// but their parents.
func BenchmarkAssemble(b *testing.B) {
	two := directory(b)
	two.Repositories = slices.Clone(two.Repositories)
	for i := range two.Repositories {
		two.Repositories[i].ProtectedBranches = []string{"main", "release"}
	}
	for _, pulls := range []int{1000, 4000} {
		events := year(pulls)
		for i, dir := range []Directory{directory(b), two} {
			b.Run(fmt.Sprintf("%d/branches=%d", pulls, i+1), func(b *testing.B) {
				b.ReportAllocs()
				for b.Loop() {
					if dossiers, _ := Assemble(events, dir, Options{At: at(now)}); len(dossiers) < pulls {
						b.Fatalf("%d dossiers", len(dossiers))
					}
				}
				b.ReportMetric(float64(b.Elapsed().Microseconds())/float64(b.N*pulls), "µs/pull")
			})
		}
	}
}
