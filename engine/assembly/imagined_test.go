package assembly

import (
	"strings"
	"testing"

	"github.com/changevouch/changevouch/engine"
)

// Nobody has read what has not happened: of an imagined merge it is enough that the
// source was read up to a day before, and of a real one it is not.
func TestImagined(t *testing.T) {
	const tomorrow = "2026-11-21T08:00:00Z"
	merged := tell("github:pull_request:1:merged", "change.merged", tomorrow, "alice", engine.PullRequestFact{
		Repository: repo, Number: 500, Title: "Imagined", Author: who("alice"), CreatedAt: on("2026-11-20T08:00:00Z"), MergedAt: on(tomorrow), MergedBy: who("alice"), BaseBranch: "main",
		HeadSHA: stray, MergeCommitSHA: stray, State: "closed", Body: wellDescribed})
	for _, imagined := range []bool{true, false} {
		dossiers, _ := Assemble(append(everything(), merged), directory(t), Options{At: at(tomorrow), Imagined: imagined})
		if len(dossiers) != 1 {
			t.Fatalf("%d dossiers", len(dossiers))
		}
		same(t, "read far enough", !strings.Contains(dossiers[0].Sources["github"].Reason, "not read for all of"), imagined)
	}
}
