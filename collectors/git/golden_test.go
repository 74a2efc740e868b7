package git_test

import (
	"bytes"
	"flag"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/changevouch/changevouch/collectors"
	"github.com/changevouch/changevouch/collectors/git"
	"github.com/changevouch/changevouch/engine"
	"github.com/changevouch/changevouch/schemas"
)

var update = flag.Bool("update", false, "write the golden files anew")

// render is a mapping as the golden files hold it: its events, then what was
// ignored and what is broken.
func render(t testing.TB, m collectors.Mapping) string {
	t.Helper()
	var buf bytes.Buffer
	for _, e := range m.Events {
		if e.ObservedAt.IsZero() { // no instant in the payload: the reading gives it one
			e.OccurredAt, e.ObservedAt = time.Unix(1e9, 0).UTC(), time.Unix(1e9, 0).UTC()
		}
		if faults := schemas.Validate(schemas.Event, engine.Facts(e)); len(faults) > 0 {
			t.Errorf("%s is no valid event: %v", e.ID, faults)
		}
	}
	if err := collectors.WriteNDJSON(&buf, m.Events); err != nil {
		t.Fatal(err)
	}
	for _, kind := range slices.Sorted(maps.Keys(m.Ignored)) {
		fmt.Fprintf(&buf, "# ignored %d × %s\n", m.Ignored[kind], kind)
	}
	for _, f := range m.Faults {
		f.Path = filepath.Base(f.Path)
		fmt.Fprintf(&buf, "# fault %v\n", f)
	}
	return buf.String()
}

// payloads are the recorded payloads below testdata/fixtures.
func payloads(t testing.TB) map[string]collectors.Payload {
	t.Helper()
	root := os.DirFS("testdata/fixtures")
	all := map[string]collectors.Payload{}
	err := fs.WalkDir(root, ".", func(name string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || !strings.HasSuffix(name, ".json") {
			return err
		}
		b, err := fs.ReadFile(root, name)
		all[name] = collectors.Payload{Path: name, Bytes: b, Trust: engine.TrustFile}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	if len(all) < 100 {
		t.Fatalf("%d payloads, want the whole collection", len(all))
	}
	return all
}

func TestMapGolden(t *testing.T) {
	for name, p := range payloads(t) {
		t.Run(name, func(t *testing.T) {
			golden := filepath.Join("testdata", "golden", strings.TrimSuffix(name, ".json")+".golden")
			got := render(t, git.Map(p))
			if *update {
				if err := os.MkdirAll(filepath.Dir(golden), 0o755); err != nil {
					t.Fatal(err)
				}
				if err := os.WriteFile(golden, []byte(got), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(golden)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(string(want), got); diff != "" {
				t.Errorf("mapping changed (-update accepts it):\n%s", diff)
			}
			if got == "" {
				t.Error("neither mapped nor ignored")
			}
		})
	}
}
