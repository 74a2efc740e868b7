package git_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"os"
	"os/exec"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"

	"github.com/changevouch/changevouch/collectors"
	"github.com/changevouch/changevouch/collectors/git"
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
	f.shop(4)
	f.many()
	quiet, want := collect(t, repository(t, f), march, t.TempDir())
	if n := countTypes(want.Events); n["branch.pushed"] != 126 || n["incident.detected"] != 124 || n["change.created"] != 4 {
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
	for i := range 120 {
		f.addIssue(5000+i, day(2))
		f.push(object{"id": 20000 + i, "before": sum("side", i), "after": sum("side", i+1), "ref": "refs/heads/side", "timestamp": at(day(3)), "activity_type": "push", "actor": person("ann")})
	}
}

// child, in the environment of this test's own program, makes it collect from the
// server at that address into the folder after it, and end.
const child = "VOUCH_TEST_COLLECT"

func TestMain(m *testing.M) {
	if where := os.Getenv(child); where != "" {
		os.Exit(collectAsChild(where))
	}
	goleak.VerifyTestMain(m)
}

func collectAsChild(where string) int {
	address, dir, _ := strings.Cut(where, " ")
	g, err := git.Connect(git.Options{BaseURL: address, Token: fakeToken})
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	c, err := g.Repository("acme/shop")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	folder, err := collectors.OpenFolder(dir)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer folder.Close()
	if _, err := collectors.Run(context.Background(), c, march, folder, nil); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return 0
}

// The same with a process of its own, and a kill that it cannot catch.
func TestLiveSurvivesKilledProcesses(t *testing.T) {
	f := newFake(t)
	f.shop(3)
	_, want := collect(t, repository(t, f), march, t.TempDir())
	requests := len(f.asked)
	dir := t.TempDir()
	random := rand.New(rand.NewPCG(3, 5))
	killed := 0
	for killed < 5 {
		cmd := exec.CommandContext(t.Context(), os.Args[0])
		cmd.Env = append(os.Environ(), child+"="+f.server.URL+" "+dir)
		var said strings.Builder
		cmd.Stderr = &said
		deadly := make(chan struct{}, 1)
		f.lock.Lock()
		last := len(f.asked) + 1 + random.IntN(requests/3)
		f.trouble = func(_ http.ResponseWriter, _ *http.Request, n int) bool {
			if n == last {
				deadly <- struct{}{}
			}
			return false
		}
		f.lock.Unlock()
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		ended := make(chan error, 1)
		go func() { ended <- cmd.Wait() }()
		var err error
		select {
		case <-deadly:
			if err := cmd.Process.Kill(); err != nil && !errors.Is(err, os.ErrProcessDone) {
				t.Fatal(err)
			}
			err = <-ended
			killed++
		case err = <-ended:
		}
		if err == nil {
			compareFolders(t, dir, ndjson(t, want.Events))
			dir = t.TempDir()
			continue
		}
		if _, ok := errors.AsType[*exec.ExitError](err); !ok || said.Len() > 0 {
			t.Fatalf("error %v: %s", err, said.String())
		}
	}
	f.lock.Lock()
	f.trouble = nil
	f.lock.Unlock()
	_, got := collect(t, repository(t, f), march, dir)
	if diff := cmp.Diff(strings.Split(ndjson(t, want.Events), "\n"), strings.Split(ndjson(t, got.Events), "\n")); diff != "" {
		t.Errorf("after %d killed processes it ends in other events:\n%s", killed, diff)
	}
}
