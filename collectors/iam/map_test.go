package iam_test

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"flag"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/changevouch/changevouch/collectors"
	"github.com/changevouch/changevouch/collectors/iam"
	"github.com/changevouch/changevouch/engine"
	"github.com/changevouch/changevouch/schemas"
)

var update = flag.Bool("update", false, "write the golden files anew")

const payloads = "testdata/payloads"

// payload reads a recorded file as the reader would.
func payload(t *testing.T, name string) collectors.Payload {
	t.Helper()
	b, err := os.ReadFile(filepath.Join(payloads, filepath.FromSlash(name)))
	if err != nil {
		t.Fatal(err)
	}
	if strings.HasSuffix(name, ".gz") {
		z, err := gzip.NewReader(bytes.NewReader(b))
		if err != nil {
			t.Fatal(err)
		}
		if b, err = io.ReadAll(z); err != nil {
			t.Fatal(err)
		}
	}
	return collectors.Payload{Path: name, Bytes: b}
}

// recorded lists every payload; the scenario's tables of people and tickets are none.
func recorded(t *testing.T) []string {
	t.Helper()
	var names []string
	err := filepath.WalkDir(payloads, func(p string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		switch base := filepath.Base(p); {
		case base == "identities.json", base == "changes.json":
		case strings.HasSuffix(base, ".json"), strings.HasSuffix(base, ".json.gz"), strings.HasSuffix(base, ".csv"):
			rel, err := filepath.Rel(payloads, p)
			if err != nil {
				return err
			}
			names = append(names, filepath.ToSlash(rel))
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if len(names) < 60 {
		t.Fatalf("only %d payloads found", len(names))
	}
	return names
}

// valid checks an event against its schema. Events of payloads that speak of no
// instant get theirs from the reading, so the test dates them.
func valid(t *testing.T, e engine.Event) {
	t.Helper()
	reading := time.Date(2026, 3, 20, 6, 0, 0, 0, time.UTC)
	if e.OccurredAt.IsZero() {
		e.OccurredAt = reading
	}
	if e.ObservedAt.IsZero() {
		e.ObservedAt = reading
	}
	for _, f := range schemas.Validate(schemas.Event, engine.Facts(e)) {
		t.Errorf("%s: %v", e.ID, f)
	}
}

func TestGolden(t *testing.T) {
	for _, name := range recorded(t) {
		t.Run(name, func(t *testing.T) {
			m := iam.Map(payload(t, name))
			var got bytes.Buffer
			for _, e := range m.Events {
				valid(t, e)
				line, err := json.MarshalIndent(struct {
					ID       string          `json:"id"`
					Provider string          `json:"provider"`
					Type     string          `json:"type"`
					At       string          `json:"at"`
					Actor    *engine.Account `json:"actor,omitempty"`
					Subject  engine.Subject  `json:"subject"`
					Data     json.RawMessage `json:"data"`
				}{e.ID, e.Provider, e.Type, e.OccurredAt.Format("2006-01-02T15:04:05.999999Z"), e.Actor, e.Subject, e.Data}, "", " ")
				if err != nil {
					t.Fatal(err)
				}
				got.Write(append(line, '\n'))
			}
			for _, f := range m.Faults {
				got.WriteString("fault: " + f.Error() + "\n")
			}
			ignored, err := json.MarshalIndent(m.Ignored, "", " ")
			if err != nil {
				t.Fatal(err)
			}
			got.WriteString("ignored: " + string(ignored) + "\n")
			golden := filepath.Join("testdata", "golden", filepath.FromSlash(name)+".txt")
			if *update {
				if err := os.MkdirAll(filepath.Dir(golden), 0o755); err != nil {
					t.Fatal(err)
				}
				if err := os.WriteFile(golden, got.Bytes(), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(golden)
			if err != nil {
				t.Fatal(err)
			}
			if !bytes.Equal(want, got.Bytes()) {
				t.Errorf("differs from %s; look at the change and run with -update", golden)
			}
		})
	}
}
