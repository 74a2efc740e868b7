package git_test

import (
	"bytes"
	"context"
	"encoding/json"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/changevouch/changevouch/collectors"
	"github.com/changevouch/changevouch/collectors/git"
	"github.com/changevouch/changevouch/engine"
	"github.com/changevouch/changevouch/schemas"
)

// facts are the events without what the bytes of their payload decide.
func facts(m collectors.Mapping) []engine.Event {
	all := slices.Clone(m.Events)
	for i := range all {
		all[i].Evidence = engine.Evidence{}
	}
	return all
}

func TestMapNeverEmitsSecrets(t *testing.T) {
	planted := 0
	for name, p := range payloads(t) {
		planted += bytes.Count(p.Bytes, []byte("PLANTED"))
		m := git.Map(p)
		var out bytes.Buffer
		if err := collectors.WriteNDJSON(&out, m.Events); err != nil {
			t.Fatal(err)
		}
		for _, f := range m.Faults {
			out.WriteString(f.Error())
		}
		for kind := range m.Ignored {
			out.WriteString(kind)
		}
		if bytes.Contains(out.Bytes(), []byte("PLANTED")) {
			t.Errorf("%s: a planted secret came through", name)
		}
	}
	if planted < 5 {
		t.Fatalf("%d planted secrets, want some", planted)
	}
}

// A field or a word that GitHub invents tomorrow changes nothing.
func TestMapIgnoresNewFields(t *testing.T) {
	at := time.Date(2030, 1, 1, 0, 0, 0, 0, time.UTC)
	for name, p := range payloads(t) {
		var doc any
		dec := json.NewDecoder(bytes.NewReader(collectors.Text(p.Bytes)))
		dec.UseNumber()
		if err := dec.Decode(&doc); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		invent(doc, true)
		b, err := json.Marshal(doc)
		if err != nil {
			t.Fatal(err)
		}
		p.ObservedAt = at
		want := git.Map(p)
		p.Bytes = b
		got := git.Map(p)
		if diff := cmp.Diff(facts(want), facts(got)); diff != "" {
			t.Errorf("%s: new fields change the events:\n%s", name, diff)
		}
		if diff := cmp.Diff(want.Ignored, got.Ignored); diff != "" {
			t.Errorf("%s: new fields change what is ignored:\n%s", name, diff)
		}
	}
}

// open are objects that hold names of somebody's choice: a new one is data.
var open = []string{"permissions", "changes", "rule", "from", "headers", "security_and_analysis"}

func invent(v any, extend bool) {
	switch v := v.(type) {
	case map[string]any:
		for k, member := range v {
			invent(member, !slices.Contains(open, k))
		}
		if extend {
			v["zz_new"] = map[string]any{"list": []any{json.Number("1"), nil, "a_new_word"}}
		}
	case []any:
		for _, member := range v {
			invent(member, true)
		}
	}
}

func TestMapIsPure(t *testing.T) {
	for name, p := range payloads(t) {
		before := slices.Clone(p.Bytes)
		if diff := cmp.Diff(render(t, git.Map(p)), render(t, git.Map(p))); diff != "" {
			t.Errorf("%s: two mappings differ:\n%s", name, diff)
		}
		if !bytes.Equal(before, p.Bytes) {
			t.Errorf("%s: the payload was changed", name)
		}
	}
}

func TestMapSaysHowItWasReceived(t *testing.T) {
	at := time.Date(2026, 3, 2, 18, 0, 0, 0, time.UTC)
	p := collectors.Payload{
		URL: "https://api.github.com/repos/octo/shop/pulls/7/reviews?per_page=100", Trust: engine.TrustAPIRead, ObservedAt: at,
		Bytes: []byte(`[{"id":1,"state":"approved","user":{"login":"bob","id":2},"submitted_at":"2026-03-02T11:00:00Z"}]`),
	}
	m := git.Map(p)
	if len(m.Events) != 2 || len(m.Faults) != 0 {
		t.Fatalf("got %d events and faults %v, want the review and its coverage", len(m.Events), m.Faults)
	}
	want := engine.Evidence{Digest: engine.Digest(p.Bytes), MediaType: "application/json", URL: p.URL, Trust: engine.TrustAPIRead}
	for _, e := range m.Events {
		if e.Evidence != want || !e.ObservedAt.Equal(at) {
			t.Errorf("%s: evidence %+v, observed %v", e.ID, e.Evidence, e.ObservedAt)
		}
	}
}

func TestMapPages(t *testing.T) {
	list := func(n int) []byte {
		return []byte("[" + strings.TrimSuffix(strings.Repeat(`{"filename":"a","status":"added"},`, n), ",") + "]")
	}
	const whole, cut, none = "complete", "incomplete", ""
	tests := []struct {
		name string
		p    collectors.Payload
		want string
		page int // of the list, 0 if it came whole
	}{
		{"short", collectors.Payload{Path: "repos/o/r/pulls/1/files.json", Bytes: list(29)}, whole, 0},
		{"as long as a page", collectors.Payload{Path: "repos/o/r/pulls/1/files.json", Bytes: list(30)}, cut, 0},
		{"first of several", collectors.Payload{Path: "repos/o/r/pulls/1/files.json", Bytes: list(100), NextPage: true}, none, 1},
		{"last of several", collectors.Payload{Path: "repos/o/r/pulls/1/files.page-2.json", Bytes: list(7)}, whole, 2},
		{"empty last", collectors.Payload{Path: "repos/o/r/pulls/1/files.page-2.json", Bytes: list(0)}, whole, 2},
		{"asked for more", collectors.Payload{URL: "https://api.github.com/repos/o/r/pulls/1/files?per_page=100", Bytes: list(30)}, whole, 0},
		{"asked for fewer", collectors.Payload{URL: "https://api.github.com/repos/o/r/pulls/1/files?per_page=10", Bytes: list(10)}, cut, 0},
		{"where GitHub cuts", collectors.Payload{URL: "https://api.github.com/repos/o/r/pulls/1/files?per_page=100&page=30", Bytes: list(100)}, cut, 30},
	}
	for _, tc := range tests {
		t.Run(tc.name, func(t *testing.T) {
			status, page, complete := none, 0, false
			for _, e := range git.Map(tc.p).Events {
				switch e.Type {
				case "coverage.recorded":
					var c engine.CoverageFact
					decode(t, e, &c)
					status = c.Status
				case "change.files_listed":
					var f engine.FileListFact
					decode(t, e, &f)
					complete = f.Complete
					if f.Page != nil {
						page = *f.Page
					}
				}
			}
			if status != tc.want || page != tc.page || complete != (tc.want == whole) {
				t.Errorf("coverage %q, page %d, complete %v; want %q, %d", status, page, complete, tc.want, tc.page)
			}
		})
	}
}

func decode(t *testing.T, e engine.Event, v any) {
	t.Helper()
	if err := e.Decode(v); err != nil {
		t.Fatal(err)
	}
}

// A page that lies beside the next one is not taken for a cut list.
func TestReadJoinsPages(t *testing.T) {
	got, err := collectors.Read(t.Context(), []string{"testdata/fixtures/rest/repos/octo/shop/pulls/12", "testdata/fixtures/rest/repos/octo/shop/pulls/12.json"}, git.Map)
	if err != nil {
		t.Fatal(err)
	}
	var statuses []string
	for _, e := range got.Events {
		var c engine.CoverageFact
		if decode(t, e, &c); e.Type == "coverage.recorded" && slices.Contains(c.Facts, "files") {
			statuses = append(statuses, c.Status)
		}
	}
	if diff := cmp.Diff([]string{"complete"}, statuses); diff != "" {
		t.Error(diff)
	}
}

func TestMapUnknowns(t *testing.T) {
	tests := []struct {
		name, path, body string
		ignored, fault   string
	}{
		{"no JSON", "a.json", `{"a":`, "", "no JSON"},
		{"a word", "a.json", `"hello"`, "", "neither an object nor a list"},
		{"some object", "a.json", `{"a":1}`, "unknown object", ""},
		{"some list", "a.json", `[{"a":1}]`, "unknown list", ""},
		{"empty list of what", "a.json", `[]`, "unknown list", ""},
		{"error of what", "a.json", `{"message":"Bad credentials","status":"401"}`, "", "the path does not tell of what"},
		{"another system's delivery", "a.json", `{"headers":{"webhook-id":"1"},"payload":{"type":"deploy_ended"}}`, "webhook of another system", ""},
		{"object where a list was", "repos/o/r/pulls/1/files.json", `{"filename":"a"}`, "", "a list was expected"},
		{"list with a broken record", "repos/o/r/pulls/1/files.json", `[7]`, "", "cannot unmarshal"},
	}
	for _, tc := range tests {
		t.Run(tc.name, func(t *testing.T) {
			m := git.Map(collectors.Payload{Path: tc.path, Bytes: []byte(tc.body)})
			if got := strings.Join(slices.Sorted(maps.Keys(m.Ignored)), ", "); got != tc.ignored {
				t.Errorf("ignored %q, want %q", got, tc.ignored)
			}
			if tc.fault == "" && len(m.Faults) > 0 || tc.fault != "" && (len(m.Faults) != 1 || !strings.Contains(m.Faults[0].Error(), tc.fault)) {
				t.Errorf("faults %v, want %q", m.Faults, tc.fault)
			}
			if tc.fault != "" && m.Faults[0].Path != tc.path {
				t.Errorf("fault names %q, want %q", m.Faults[0].Path, tc.path)
			}
		})
	}
}

func TestMapUsesTheSettings(t *testing.T) {
	s := git.DefaultSettings()
	s.Agents = []string{"robo"}
	s.Forms.Headings["was ist passiert"] = "description"
	m := s.Map(collectors.Payload{Path: "repos/o/r/issues/1.json", Bytes: []byte(
		`{"number":1,"id":5,"created_at":"2026-03-02T11:00:00Z","body":"### Was ist passiert?\nNichts."}`)})
	var f engine.IssueFact
	decode(t, m.Events[0], &f)
	if f.Description != "Nichts." {
		t.Errorf("description %q", f.Description)
	}
	m = s.Map(collectors.Payload{Path: "repos/o/r/pulls/1.json", Bytes: []byte(
		`{"number":1,"id":5,"created_at":"2026-03-02T11:00:00Z","user":{"login":"Robo","id":7},"assignees":[{"login":"bob","id":8}]}`)})
	if !slices.ContainsFunc(m.Events, func(e engine.Event) bool { return e.Type == "change.operated" && e.Actor.Account == "bob" }) {
		t.Error("the assignee of the organisation's own agent is no operator")
	}
}

// Order and repetition of recorded payloads never matter, and every event that a
// reading gives is valid.
func TestReadIsAFunctionOfTheSet(t *testing.T) {
	all := payloads(t)
	names := slices.Sorted(maps.Keys(all))
	rapid.Check(t, func(rt *rapid.T) {
		picked := rapid.SliceOfNDistinct(rapid.SampledFrom(names), 1, 12, rapid.ID[string]).Draw(rt, "payloads")
		again := append(rapid.Permutation(picked).Draw(rt, "order"), rapid.SampledFrom(picked).Draw(rt, "again"))
		first, second := read(rt, t.TempDir(), all, picked), read(rt, t.TempDir(), all, again)
		if !bytes.Equal(first, second) {
			rt.Fatalf("order or repetition matters:\n%s\n%s", first, second)
		}
	})
}

// read records the payloads as lines of one file, as an export would, so that
// only their order differs.
func read(rt *rapid.T, dir string, all map[string]collectors.Payload, names []string) []byte {
	var lines bytes.Buffer
	for _, name := range names {
		if err := json.Compact(&lines, collectors.Text(all[name].Bytes)); err != nil {
			rt.Fatal(err)
		}
		lines.WriteByte('\n')
	}
	file := filepath.Join(dir, "payloads.ndjson")
	if err := os.WriteFile(file, lines.Bytes(), 0o600); err != nil {
		rt.Fatal(err)
	}
	got, err := collectors.Read(context.Background(), []string{file}, git.Map)
	if err != nil {
		rt.Fatal(err)
	}
	var out bytes.Buffer
	if err := collectors.WriteNDJSON(&out, got.Events); err != nil {
		rt.Fatal(err)
	}
	return out.Bytes()
}

func FuzzMap(f *testing.F) {
	for name, p := range payloads(f) {
		if len(p.Bytes) < 20_000 {
			f.Add(name, p.Bytes)
		}
	}
	f.Fuzz(func(t *testing.T, path string, b []byte) {
		p := collectors.Payload{Path: path, Bytes: b, ObservedAt: time.Date(2026, 3, 2, 0, 0, 0, 0, time.UTC)}
		m := git.Map(p)
		if diff := cmp.Diff(m.Events, git.Map(p).Events); diff != "" {
			t.Errorf("two mappings differ:\n%s", diff)
		}
		for _, e := range m.Events {
			if faults := schemas.Validate(schemas.Event, engine.Facts(e)); len(faults) > 0 {
				t.Errorf("invalid event %s: %v", engine.Facts(e), faults)
			}
		}
	})
}
