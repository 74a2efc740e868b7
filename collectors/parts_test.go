package collectors_test

import (
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/changevouch/changevouch/collectors"
	"github.com/changevouch/changevouch/engine"
)

// TestParts: a long step is committed in parts, of which only the last moves on.
func TestParts(t *testing.T) {
	var got []string
	parts := collectors.NewParts("srv-1", "before", func(s collectors.Step) error {
		got = append(got, fmt.Sprintf("%s at %q with %d events, %d gaps", s.Batch.Step, s.Position, len(s.Events), len(s.Gaps)))
		return nil
	})
	read := collectors.Mapping{
		Events: []engine.Event{{Type: "coverage.recorded", Subject: engine.Subject{Type: "service"}}, {Type: "coverage.recorded", Subject: engine.Subject{Type: "event"}}},
		Faults: []collectors.Fault{{Path: "x", Err: errors.New("no id")}},
	}
	if err := parts.TakeWindow(read, "events", "render", "iam"); err != nil {
		t.Fatal(err)
	}
	for range 45 {
		if err := parts.Take(collectors.Mapping{Events: make([]engine.Event, 100)}); err != nil {
			t.Fatal(err)
		}
	}
	if err := parts.End("after"); err != nil {
		t.Fatal(err)
	}
	want := []string{
		`srv-1 at "before" with 2001 events, 2 gaps`, // of the coverage only what an event announced
		`srv-1/part-2 at "before" with 2000 events, 0 gaps`,
		`srv-1/part-3 at "after" with 500 events, 0 gaps`,
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func TestAsk(t *testing.T) {
	for name, c := range map[string]struct {
		status  int
		media   string
		refused bool
		err     string
	}{
		"an answer":      {200, "application/json; charset=utf-8", false, ""},
		"no media type":  {200, "-", false, ""},
		"a login page":   {200, "text/html", false, "instead of JSON"},
		"no right":       {403, "text/html", true, ""},
		"not there":      {404, "application/json", true, ""},
		"not understood": {400, "application/json", false, "answered 400"},
	} {
		t.Run(name, func(t *testing.T) {
			server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				if r.Header.Get("Accept") != "application/json" {
					t.Error("does not ask for JSON")
				}
				w.Header()["Content-Type"] = nil
				if c.media != "-" {
					w.Header().Set("Content-Type", c.media)
				}
				w.WriteHeader(c.status)
				fmt.Fprint(w, `"a secret"`)
			}))
			defer server.Close()
			a, err := collectors.Ask(t.Context(), server.Client(), server.URL+"/list?secret=1")
			if a.Refused() != c.refused || a.Status != c.status {
				t.Errorf("status %d, refused %v", a.Status, a.Refused())
			}
			switch {
			case (err == nil) != (c.err == ""), err != nil && !strings.Contains(err.Error(), c.err):
				t.Errorf("error %v, want %q", err, c.err)
			case err != nil && strings.Contains(err.Error(), "secret"):
				t.Errorf("the error tells secrets: %v", err)
			}
		})
	}
}
