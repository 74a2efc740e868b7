package app_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"testing"
	"time"

	"github.com/changevouch/changevouch/cmd/vouch/internal/app"
	"github.com/changevouch/changevouch/engine"
	"github.com/changevouch/changevouch/engine/assembly"
	"github.com/changevouch/changevouch/engine/ledger"
	"github.com/changevouch/changevouch/engine/report"
	"github.com/changevouch/changevouch/engine/store"
)

// shipped are n pull requests that alice wrote, bob approved and Render deployed, nine
// events each.
func shipped(n int) []engine.Event {
	const repo = "acme/shop"
	var events []engine.Event
	start := time.Date(2026, 9, 1, 0, 0, 0, 0, time.UTC)
	before := fmt.Sprintf("%039db", 0)
	for i := 1; i <= n; i++ {
		at := func(minutes int) *time.Time {
			t := start.Add(time.Duration(i*10+minutes) * time.Minute)
			return &t
		}
		tell := func(what, kind, source, provider, account string, minutes int, fact any) {
			data, id := engine.Facts(fact), fmt.Sprintf("%s:%s:%d", provider, what, i)
			e := engine.Event{
				Schema: engine.EventSchema, ID: id, Source: source, Provider: provider, Type: kind, OccurredAt: *at(minutes), ObservedAt: *at(minutes),
				Subject: engine.Subject{Type: what, ID: id}, Data: data,
				Evidence: engine.Evidence{Digest: engine.Digest(data), MediaType: "application/json", Trust: engine.TrustAPIRead},
			}
			if account != "" {
				e.Actor = &engine.Account{System: provider, Account: account}
			}
			events = append(events, e)
		}
		alice := &engine.Account{System: "github", Account: "alice"}
		signed := &engine.SignatureFacts{Account: "alice", At: at(0)}
		head, merge := fmt.Sprintf("%039da", i), fmt.Sprintf("%039db", i)
		body := "## Description\nMakes the list of orders load in half the time.\n\n## Risk\nLow: only reads.\n\n## Rollback\nRevert the commit.\n"
		tell("pull_request", "change.merged", "git", "github", "alice", 5, engine.PullRequestFact{Repository: repo, Number: i, Title: fmt.Sprintf("Speed up list %d", i), Body: body, Author: alice, BaseBranch: "main", HeadSHA: head, MergedAt: at(5), MergedBy: alice, MergeCommitSHA: merge, State: "closed"})
		tell("commits", "change.commits_listed", "git", "github", "", 1, engine.CommitListFact{Repository: repo, Number: i, HeadSHA: head, SHAs: []string{head}, Complete: true})
		tell("head", "commit.recorded", "git", "github", "", 0, engine.CommitFact{Repository: repo, SHA: head, Parents: []string{before}, Author: *signed, Committer: signed, Message: "Speed up"})
		tell("merge", "commit.recorded", "git", "github", "", 5, engine.CommitFact{Repository: repo, SHA: merge, Parents: []string{before, head}, Author: *signed, Committer: signed, Message: "Merge"})
		tell("review", "change.reviewed", "git", "github", "bob", 3, engine.ReviewFact{Repository: repo, Number: i, ReviewID: strconv.Itoa(i), State: "APPROVED", CommitID: head, SubmittedAt: at(3), Permission: "write"})
		tell("check", "check.completed", "git", "github", "", 2, engine.CheckFact{Repository: repo, SHA: head, Name: "ci/test", Conclusion: "success", CompletedAt: at(2)})
		tell("push", "branch.pushed", "git", "github", "alice", 5, engine.PushFact{Repository: repo, Branch: "main", Before: before, After: merge, Commits: []string{head, merge}})
		tell("deploy", "service.deployed", "render", "render", "", 8, engine.DeploymentFact{DeployID: fmt.Sprintf("dep-%d", i), ServiceID: "srv-shop", Repository: repo, Commit: merge, Branch: "main", Trigger: "new_commit", Status: "live", CreatedAt: at(6), StartedAt: at(6), FinishedAt: at(8)})
		number := i
		tell("read", "coverage.recorded", "git", "github", "", 9, engine.CoverageFact{Source: "github", Status: "complete", Repository: repo, Number: &number, Facts: []string{"reviews", "commits", "files"}})
		before = merge
	}
	return events
}

// BenchmarkJudgeAgain judges a journal of BENCH_PULLS pull requests (1000) that were all
// judged before, with one new review each time: as a server does when a webhook came.
func BenchmarkJudgeAgain(b *testing.B) {
	ctx := b.Context()
	pulls := 1000
	if n, err := strconv.Atoi(os.Getenv("BENCH_PULLS")); err == nil {
		pulls = n
	}
	key, err := ledger.OpenKey(filepath.Join(b.TempDir(), "journal.key"))
	if err != nil {
		b.Fatal(err)
	}
	now := time.Date(2026, 11, 20, 9, 0, 0, 0, time.UTC)
	s, err := store.Open(ctx, "sqlite:"+filepath.Join(b.TempDir(), "journal.db"), store.Options{Key: key})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { _ = s.Close() })
	if _, err := s.AddEvents(ctx, shipped(pulls), nil); err != nil {
		b.Fatal(err)
	}
	// What matters here is how a decision is found to stand, not how it is made.
	policy, err := app.OpenStandingPolicy(ctx, s, app.PolicyConfig{Bundles: []string{"../../testdata/deadline"}}, now, "test")
	if err != nil {
		b.Fatal(err)
	}
	people := []engine.Person{{ID: "alice", Kind: "employee"}, {ID: "bob", Kind: "employee"}}
	decide := app.Decide{Record: app.NewRecord(s), Policy: policy, Directory: assembly.Directory{People: people, Complete: true}, At: now}
	run := func() app.Decided {
		done, err := decide.Run(ctx, app.Deciding{Judged: func(report.Judgement) error { return nil }, Undecided: func(err error) { b.Fatal(err) }, Problem: func(assembly.Problem) {}})
		if err != nil {
			b.Fatal(err)
		}
		return done
	}
	if done := run(); done.Judged < pulls {
		b.Fatal(done)
	}
	n := 0
	for b.Loop() {
		b.StopTimer()
		n++
		e := shipped(1)[4]
		e.ID = fmt.Sprintf("github:review:again:%d", n)
		if _, err := s.AddEvents(ctx, []engine.Event{e}, nil); err != nil {
			b.Fatal(err)
		}
		b.StartTimer()
		run()
	}
}
