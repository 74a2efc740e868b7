package git_test

import (
	"context"
	"errors"
	"math/rand/v2"
	"net/http"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/changevouch/changevouch/collectors"
)

var errKilled = errors.New("killed")

// dying is a folder that dies at one commit: before anything is kept, or after
// the events and before the cursor, as a process may.
type dying struct {
	*collectors.Folder
	left   int
	middle bool
}

func (d *dying) Commit(ctx context.Context, name string, b collectors.Batch) error {
	if d.left--; d.left >= 0 {
		return d.Folder.Commit(ctx, name, b)
	}
	if d.middle {
		b.Cursor = nil
		if err := d.Folder.Commit(ctx, name, b); err != nil {
			return err
		}
	}
	return errKilled
}

// A collection that is killed again and again, at commits and in the midst of
// requests, ends in the same events, byte for byte, as one that nobody disturbed.
func TestLiveSurvivesKills(t *testing.T) {
	f := newFake(t)
	f.shop(7)
	f.many()
	quiet, want := collect(t, repository(t, f), march, t.TempDir())
	if n := countTypes(want.Events); n["branch.pushed"] != 239 || n["incident.detected"] != 237 || n["change.created"] != 7 {
		t.Fatalf("undisturbed it finds %v", n)
	}
	requests := len(f.asked)
	random := rand.New(rand.NewPCG(7, 11))
	dir := t.TempDir()
	kills := 0
	for attempt := 0; kills < 50 && attempt < 500; attempt++ {
		folder, err := collectors.OpenFolder(dir)
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		spool := &dying{Folder: folder, left: quiet.Steps, middle: attempt%2 == 0}
		f.lock.Lock()
		dead := len(f.asked) + requests
		if attempt%3 == 0 {
			dead = len(f.asked) + 1 + random.IntN(30)
		} else {
			spool.left = random.IntN(3)
		}
		f.trouble = func(_ http.ResponseWriter, _ *http.Request, n int) bool {
			if n >= dead {
				cancel()
			}
			return false
		}
		f.lock.Unlock()
		_, err = collectors.Run(ctx, repository(t, f), march, spool, nil)
		cancel()
		if closed := folder.Close(); closed != nil {
			t.Fatal(closed)
		}
		if err == nil { // it came through: begin anew
			compareFolders(t, dir, ndjson(t, want.Events))
			dir = t.TempDir()
			continue
		}
		if !errors.Is(err, errKilled) && !errors.Is(err, context.Canceled) {
			t.Fatal(err)
		}
		kills++
	}
	if kills < 50 {
		t.Fatalf("killed %d times, want 50", kills)
	}
	f.lock.Lock()
	f.trouble = nil
	f.lock.Unlock()
	_, got := collect(t, repository(t, f), march, dir)
	if diff := cmp.Diff(strings.Split(ndjson(t, want.Events), "\n"), strings.Split(ndjson(t, got.Events), "\n")); diff != "" {
		t.Errorf("killed %d times, it ends in other events:\n%s", kills, diff)
	}
}

func compareFolders(t *testing.T, dir, want string) {
	t.Helper()
	got, err := collectors.ReadEvents(t.Context(), dir)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(strings.Split(want, "\n"), strings.Split(ndjson(t, got.Events), "\n")); diff != "" {
		t.Fatalf("after kills it ends in other events:\n%s", diff)
	}
}

// many adds issues and movements that fill more than a page.
func (f *fake) many() {
	for i := range 230 {
		f.addIssue(5000+i, day(2))
		f.push(object{"id": 20000 + i, "before": sum("side", i), "after": sum("side", i+1), "ref": "refs/heads/side", "timestamp": at(day(3)), "activity_type": "push", "actor": person("ann")})
	}
}
