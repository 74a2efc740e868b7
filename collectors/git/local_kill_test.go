package git

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/changevouch/changevouch/collectors"
)

var errKilled = errors.New("killed")

// history makes a repository of n commits at once.
func history(t testing.TB, n int) string {
	t.Helper()
	w := newWorkshop(t, "shop")
	var b strings.Builder
	for i := range n {
		text := fmt.Sprintf("commit %d", i)
		at := w.at.Add(time.Duration(i) * time.Minute).Unix()
		fmt.Fprintf(&b, "commit refs/heads/main\ncommitter Alice <alice@acme.example> %d +0000\ndata %d\n%s\nM 644 inline file-%d\ndata %d\n%s\n\n", at, len(text), text, i%7, len(text), text)
	}
	w.run(b.String(), "fast-import", "--quiet")
	return w.dir
}

// A reading of a clone that is killed again and again ends in the same events as
// one that nobody disturbed: between two commits of a step, in the midst of one, and
// after the events and before the cursor.
func TestLocalSurvivesKills(t *testing.T) {
	repository := history(t, batchSize+20)
	read := func(ctx context.Context, dir string, deadly func(step int, b collectors.Batch, keep func(collectors.Batch) error) error) error {
		folder, err := collectors.OpenFolder(dir)
		if err != nil {
			t.Fatal(err)
		}
		defer folder.Close()
		l, err := OpenLocal(t.Context(), repository, LocalOptions{At: until, Whole: true})
		if err != nil {
			t.Fatal(err)
		}
		cursor, err := folder.Cursor(t.Context(), l.Name())
		if err != nil {
			t.Fatal(err)
		}
		step := 0
		return l.Collect(ctx, collectors.Window{Until: until}, cursor, func(b collectors.Batch) error {
			step++
			return deadly(step, b, func(b collectors.Batch) error { return folder.Commit(ctx, l.Name(), b) })
		})
	}
	quiet, steps := t.TempDir(), 0
	began := time.Now()
	err := read(t.Context(), quiet, func(step int, b collectors.Batch, keep func(collectors.Batch) error) error {
		steps = step
		return keep(b)
	})
	took := time.Since(began)
	want := spooled(t, quiet)
	if err != nil || steps != 3 || len(want) < 2*(batchSize+20) {
		t.Fatalf("undisturbed: %d steps, %d events, %v", steps, len(want), err)
	}
	random := rand.New(rand.NewPCG(5, 9))
	dir := t.TempDir()
	kills := 0
	for kill := 0; kills < 50 && kill < 500; kill++ {
		ctx, cancel := context.WithCancelCause(t.Context())
		last := steps + 1
		if kill%2 == 0 {
			last = 1 + random.IntN(steps)
		} else {
			time.AfterFunc(time.Duration(random.Int64N(int64(took))), func() { cancel(errKilled) })
		}
		err := read(ctx, dir, func(step int, b collectors.Batch, keep func(collectors.Batch) error) error {
			if step < last {
				return keep(b)
			}
			if kill%4 == 0 {
				b.Cursor = nil
				if err := keep(b); err != nil {
					return err
				}
			}
			return errKilled
		})
		cancel(nil)
		if err == nil { // it came through: begin anew
			if diff := cmp.Diff(want, spooled(t, dir)); diff != "" {
				t.Fatalf("killed %d times (-undisturbed +killed):\n%s", kills, diff)
			}
			dir = t.TempDir()
			continue
		}
		kills++
		if !errors.Is(err, errKilled) && !errors.Is(err, context.Canceled) {
			t.Fatal(err)
		}
	}
	if kills < 50 {
		t.Fatalf("killed %d times, want 50", kills)
	}
	if err := read(t.Context(), dir, func(_ int, b collectors.Batch, keep func(collectors.Batch) error) error { return keep(b) }); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, spooled(t, dir)); diff != "" {
		t.Errorf("(-undisturbed +killed):\n%s", diff)
	}
}

// spooled are the events of a folder, each once.
func spooled(t *testing.T, dir string) []string {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(dir, "*", "*.ndjson"))
	if err != nil {
		t.Fatal(err)
	}
	all := map[string]bool{}
	for _, file := range files {
		b, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for line := range strings.Lines(string(b)) {
			all[line] = true
		}
	}
	return slices.Sorted(maps.Keys(all))
}
