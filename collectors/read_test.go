package collectors_test

import (
	"bytes"
	"compress/gzip"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/changevouch/changevouch/collectors"
	"github.com/changevouch/changevouch/engine"
)

// record is the toy source of these tests.
type record struct {
	ID    string `json:"id"`
	At    string `json:"at,omitempty"`
	State string `json:"state"`
	Trust string `json:"trust,omitempty"`
}

func toy(p collectors.Payload) collectors.Mapping {
	var one record
	if err := json.Unmarshal(collectors.Text(p.Bytes), &one); err != nil {
		return collectors.Mapping{Faults: []collectors.Fault{{Path: p.Path, Err: err}}}
	}
	if one.Trust != "" {
		p.Trust = one.Trust
	}
	r := collectors.NewRecorder(p, "git", "toy")
	switch one.State {
	case "noise":
		r.Ignore("noise")
	case "broken":
		r.Fault(one.ID, errors.New("broken"))
	default:
		e := engine.Event{ID: "toy:" + one.ID, Type: "permission.observed",
			Subject: engine.Subject{Type: "account", ID: one.ID},
			Data:    engine.Facts(map[string]any{"repository": "a/b", "account": map[string]any{"system": "toy", "account": one.ID}, "permission": one.State})}
		if one.At != "" {
			e.OccurredAt, _ = collectors.ParseInstant(one.At)
		}
		r.Add(e)
	}
	return r.Mapping()
}

func write(t testing.TB, dir, name, text string) string {
	t.Helper()
	p := filepath.Join(dir, name)
	if err := os.MkdirAll(filepath.Dir(p), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(p, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return p
}

func gzipped(t testing.TB, text string) string {
	t.Helper()
	var buf bytes.Buffer
	z := gzip.NewWriter(&buf)
	if _, err := z.Write([]byte(text)); err != nil {
		t.Fatal(err)
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	return buf.String()
}

func TestReadFolder(t *testing.T) {
	dir := t.TempDir()
	write(t, dir, "b/two.json", `{"id":"two","at":"2026-03-02T00:00:00Z","state":"read"}`)
	write(t, dir, "a.ndjson", "{\"id\":\"one\",\"at\":\"2026-03-01T00:00:00.1234567Z\",\"state\":\"write\"}\n\n{\"id\":\"x\",\"state\":\"broken\"}\nnot json\n")
	write(t, dir, "c.json.gz", gzipped(t, `{"id":"three","state":"admin"}`))
	write(t, dir, "bom.json", "\xef\xbb\xbf"+`{"id":"bom","at":"2026-03-02T00:00:00Z","state":"read"}`)
	write(t, dir, "noise.jsonl", `{"id":"n","state":"noise"}`)
	write(t, dir, "coverage.json", `[{"source":"github","status":"complete","from":"2026-03-01T00:00:00Z","to":"2026-03-31T00:00:00Z"},{"source":"nowhere","status":"complete"}]`)
	write(t, dir, "README.md", "words")
	write(t, dir, "empty.json", " ")
	got, err := collectors.Read(t.Context(), []string{dir}, toy)
	if err != nil {
		t.Fatal(err)
	}
	var ids []string
	for _, e := range got.Events {
		ids = append(ids, e.OccurredAt.Format(time.RFC3339Nano)+" "+e.ID[:strings.IndexByte(e.ID+":", ':')]+" "+e.Subject.ID)
	}
	// "three" speaks of no instant: it was recorded with the rest.
	if diff := cmp.Diff([]string{
		"2026-03-01T00:00:00.123456Z toy one", "2026-03-02T00:00:00Z toy bom", "2026-03-02T00:00:00Z toy two",
		"2026-03-31T00:00:00Z collector github", "2026-03-31T00:00:00Z toy three",
	}, ids); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff(map[string]int{"noise": 1, "file *.md": 1}, got.Ignored); diff != "" {
		t.Error(diff)
	}
	var faults []string
	for _, f := range got.Faults {
		rel, _ := filepath.Rel(dir, f.Path)
		f.Path = rel
		faults = append(faults, f.Error())
	}
	if diff := cmp.Diff([]string{
		"a.ndjson: record line 3 x: broken",
		"a.ndjson: record line 4: invalid character 'o' in literal null (expecting 'u')",
		`coverage.json: record 1: source "nowhere" is none of github, git, render, iam, issues, attestations, scanner`,
		"empty.json: empty file: a recorded answer has a body",
	}, faults); diff != "" {
		t.Error(diff)
	}
	if got.Files != 7 {
		t.Errorf("read %d files, want 7", got.Files)
	}
}

// A table reaches its mapper as it is, compressed or not.
func TestReadTables(t *testing.T) {
	dir := t.TempDir()
	write(t, dir, "a/report.csv", "user,admin\nann,true\n")
	write(t, dir, "b/report.csv.gz", gzipped(t, "user,admin\nbob,false\n"))
	seen := map[string]string{}
	got, err := collectors.Read(t.Context(), []string{dir}, func(p collectors.Payload) collectors.Mapping {
		seen[filepath.Base(p.Path)+" "+p.MediaType] = string(p.Bytes)
		return collectors.Mapping{}
	})
	if err != nil || got.Files != 2 || len(got.Faults) > 0 {
		t.Fatalf("%d files, faults %v, error %v", got.Files, got.Faults, err)
	}
	want := map[string]string{"report.csv text/csv": "user,admin\nann,true\n", "report.csv.gz text/csv": "user,admin\nbob,false\n"}
	if diff := cmp.Diff(want, seen); diff != "" {
		t.Error(diff)
	}
}

func TestReadRefusesInvalidEvents(t *testing.T) {
	dir := t.TempDir()
	write(t, dir, "a.json", `{"id":"a","at":"2026-03-02T00:00:00Z","state":""}`)
	write(t, dir, "b.json", `{"id":"b","at":"2026-03-02T00:00:00Z","state":"read"}`)
	got, err := collectors.Read(t.Context(), []string{dir}, toy)
	if err != nil {
		t.Fatal(err)
	}
	if len(got.Events) != 1 || got.Events[0].ID != "toy:b" {
		t.Errorf("events %v, want b alone", got.Events)
	}
	if len(got.Faults) != 1 || !strings.Contains(got.Faults[0].Error(), "/data/permission") {
		t.Errorf("faults %v, want one naming /data/permission", got.Faults)
	}
}

func TestReadWithoutAnyInstant(t *testing.T) {
	file := write(t, t.TempDir(), "a.json", `{"id":"a","state":"read"}`)
	got, err := collectors.Read(t.Context(), []string{file}, toy)
	if err != nil {
		t.Fatal(err)
	}
	if len(got.Events) != 0 || len(got.Faults) != 1 || !strings.Contains(got.Faults[0].Error(), "no instant") {
		t.Errorf("got %v, %v; want one fault for the undated record", got.Events, got.Faults)
	}
}

func TestReadErrors(t *testing.T) {
	dir := t.TempDir()
	text := write(t, dir, "words.txt", "x")
	tests := []struct{ name, path, want string }{
		{"missing", filepath.Join(dir, "nothing"), "nothing"},
		{"other kind", text, "words.txt is no .json"},
		{"empty folder", dir, "no recorded payload"},
	}
	for _, tc := range tests {
		t.Run(tc.name, func(t *testing.T) {
			if _, err := collectors.Read(t.Context(), []string{tc.path}, toy); err == nil || !strings.Contains(err.Error(), tc.want) {
				t.Errorf("error %v, want one with %q", err, tc.want)
			}
		})
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := collectors.Read(ctx, []string{write(t, dir, "a.json", "{}")}, toy); !errors.Is(err, context.Canceled) {
		t.Errorf("error %v, want the context's", err)
	}
}

func TestReadStaysInside(t *testing.T) {
	base := t.TempDir()
	dir := filepath.Join(base, "in")
	write(t, base, "out.json", `{"id":"secret","at":"2026-03-02T00:00:00Z","state":"read"}`)
	write(t, dir, "a.json", `{"id":"a","at":"2026-03-02T00:00:00Z","state":"read"}`)
	for link, target := range map[string]string{"escape.json": "../out.json", "same.json": "a.json", "dangling.json": "gone.json", "loop.json": "."} {
		if err := os.Symlink(target, filepath.Join(dir, link)); err != nil {
			t.Fatal(err)
		}
	}
	got, err := collectors.Read(t.Context(), []string{dir}, toy)
	if err != nil {
		t.Fatal(err)
	}
	if len(got.Events) != 1 || got.Events[0].ID != "toy:a" {
		t.Errorf("events %v, want a alone", got.Events)
	}
	if len(got.Faults) != 3 {
		t.Errorf("faults %v, want the three links that lead to no file inside", got.Faults)
	}
}

func TestReadBoundsCompressedFiles(t *testing.T) {
	file := write(t, t.TempDir(), "bomb.json.gz", gzipped(t, strings.Repeat(" ", collectors.MaxFileSize+1)))
	got, err := collectors.Read(t.Context(), []string{file}, toy)
	if err != nil {
		t.Fatal(err)
	}
	if len(got.Faults) != 1 || !strings.Contains(got.Faults[0].Error(), "larger than 64 MiB") {
		t.Errorf("faults %v, want one about the size", got.Faults)
	}
}

func TestReadPrefersTheBetterWitness(t *testing.T) {
	versions := []string{
		`{"id":"a","at":"2026-03-02T00:00:00Z","state":"read","trust":"file"}`,
		`{"id":"a","at":"2026-03-02T00:00:00Z","state":"write","trust":"webhook_verified"}`,
		`{"id":"a","at":"2026-03-02T00:00:00Z","state":"admin","trust":"api_read"}`,
	}
	for i := range versions {
		dir := t.TempDir()
		for j := range versions {
			write(t, dir, fmt.Sprintf("%d.json", j), versions[(i+j)%len(versions)])
		}
		got, err := collectors.Read(t.Context(), []string{dir}, toy)
		if err != nil {
			t.Fatal(err)
		}
		if len(got.Events) != 1 || !strings.Contains(string(got.Events[0].Data), `"write"`) {
			t.Errorf("kept %s, want the verified delivery", got.Events[0].Data)
		}
		if len(got.Conflicts) != 2 {
			t.Errorf("conflicts %v, want the two other versions", got.Conflicts)
		}
	}
}

// Order and repetition of files never matter.
func TestReadIsAFunctionOfTheSet(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		records := rapid.SliceOfN(rapid.Custom(func(rt *rapid.T) record {
			return record{
				ID:    rapid.StringMatching(`[a-d]`).Draw(rt, "id"),
				At:    rapid.SampledFrom([]string{"", "2026-03-01T00:00:00Z", "2026-03-02T00:00:00Z"}).Draw(rt, "at"),
				State: rapid.SampledFrom([]string{"read", "write", "noise", "broken", ""}).Draw(rt, "state"),
				Trust: rapid.SampledFrom([]string{"", "webhook_verified", "api_read"}).Draw(rt, "trust"),
			}
		}), 1, 8).Draw(rt, "records")
		lines := make([]string, len(records))
		for i, one := range records {
			b, err := json.Marshal(one)
			if err != nil {
				rt.Fatal(err)
			}
			lines[i] = string(b)
		}
		again := append(rapid.Permutation(lines).Draw(rt, "order"), rapid.SampledFrom(lines).Draw(rt, "again"))
		first, second := readLines(rt, t.TempDir(), lines), readLines(rt, t.TempDir(), again)
		if !bytes.Equal(first, second) {
			rt.Fatalf("order or repetition matters:\n%s\n%s", first, second)
		}
	})
}

// How much is held in memory never matters, and nothing is left on the disk.
func TestReadWithinMemory(t *testing.T) {
	tmp := t.TempDir()
	t.Setenv("TMPDIR", tmp)
	dir := t.TempDir()
	var lines []string
	for i := range 80 {
		lines = append(lines, fmt.Sprintf(`{"id":"%d","at":"2026-03-%02dT00:00:00Z","state":"read","trust":"api_read"}`, i%60, 1+i*7%28))
	}
	lines = append(lines, `{"id":"undated","state":"read"}`, `{"id":"7","at":"2026-03-01T00:00:00Z","state":"write","trust":"file"}`, `{"state":"broken"}`)
	write(t, dir, "a.ndjson", strings.Join(lines, "\n"))
	write(t, dir, "b.ndjson", strings.Join(lines[30:], "\n"))
	want, err := collectors.Read(t.Context(), []string{dir}, toy)
	if err != nil {
		t.Fatal(err)
	}
	if want.Found != 61 || len(want.Conflicts) == 0 || len(want.Faults) == 0 {
		t.Fatalf("%d events, %d conflicts, %d faults", want.Found, len(want.Conflicts), len(want.Faults))
	}
	for _, size := range []int{1, 5_000, 50_000} {
		got, err := collectors.ReadWithin(t.Context(), []string{dir}, toy, size)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(asText(want), asText(got)); diff != "" {
			t.Errorf("with %d bytes (-all in memory +some):\n%s", size, diff)
		}
	}
	var out bytes.Buffer
	got, err := collectors.ReadInto(t.Context(), &out, []string{dir}, toy)
	if err != nil || got.Found != want.Found || out.String() != ndjson(t, want.Events) {
		t.Errorf("written are %d events, %v", got.Found, err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	if _, err := collectors.ReadWithin(ctx, []string{dir}, func(p collectors.Payload) collectors.Mapping { cancel(); return toy(p) }, 1); !errors.Is(err, context.Canceled) {
		t.Errorf("error %v", err)
	}
	if left, err := os.ReadDir(tmp); err != nil || len(left) > 0 {
		t.Errorf("left behind: %v, %v", left, err)
	}
}

func ndjson(t *testing.T, events []engine.Event) string {
	t.Helper()
	var b strings.Builder
	if err := collectors.WriteNDJSON(&b, events); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

// asText is a result in a form that can be compared.
func asText(r collectors.Result) []string {
	out := []string{fmt.Sprint(r.Found, r.Files, r.Ignored, r.Faults, r.Conflicts)}
	for _, e := range r.Events {
		out = append(out, string(engine.Facts(e)))
	}
	return out
}

func readLines(rt *rapid.T, dir string, lines []string) []byte {
	file := filepath.Join(dir, "a.ndjson")
	if err := os.WriteFile(file, []byte(strings.Join(lines, "\n")), 0o600); err != nil {
		rt.Fatal(err)
	}
	got, err := collectors.Read(context.Background(), []string{file}, toy)
	if err != nil {
		rt.Fatal(err)
	}
	var buf bytes.Buffer
	if err := collectors.WriteNDJSON(&buf, got.Events); err != nil {
		rt.Fatal(err)
	}
	return buf.Bytes()
}

func TestParseInstant(t *testing.T) {
	tests := []struct{ text, want string }{
		{"2026-03-04T15:00:00Z", "2026-03-04T15:00:00Z"},
		{"2026-03-04T15:00:00.123456789+02:00", "2026-03-04T13:00:00.123456Z"},
		{"2018-04-25 20:42:10", "2018-04-25T20:42:10Z"},
		{"2020-09-23 15:34:20 UTC", "2020-09-23T15:34:20Z"},
		{"1557933657", "2019-05-15T15:20:57Z"},
		{"1557933657123", "2019-05-15T15:20:57.123Z"},
		{"", ""}, {"soon", ""}, {"0001-01-01T00:00:00Z", ""}, {"9999-01-01T00:00:00Z", ""}, {"42", ""},
	}
	for _, tc := range tests {
		got, err := collectors.ParseInstant(tc.text)
		if (err != nil) != (tc.want == "") || err == nil && got.Format(time.RFC3339Nano) != tc.want {
			t.Errorf("ParseInstant(%q) = %v, %v, want %q", tc.text, got, err, tc.want)
		}
	}
}

func FuzzRead(f *testing.F) {
	f.Add([]byte(`{"id":"a","at":"2026-03-02T00:00:00Z","state":"read"}`), "a.json")
	f.Add([]byte(`[{"source":"github","status":"complete"}]`), "coverage.json")
	f.Add([]byte("{}\n{\"id\":\"x\",\"state\":\"noise\"}"), "a.jsonl")
	f.Add([]byte(gzipped(f, `{}`)), "a.json.gz")
	f.Fuzz(func(t *testing.T, b []byte, name string) {
		for _, end := range []string{".json.gz", ".jsonl", ".json"} {
			if strings.HasSuffix(name, end) {
				name = "a" + end
			}
		}
		if name != "a.json.gz" && name != "a.jsonl" && name != "coverage.json" {
			name = "a.json"
		}
		got, err := collectors.Read(t.Context(), []string{write(t, t.TempDir(), name, string(b))}, toy)
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range got.Events {
			if e.OccurredAt.IsZero() || e.ID == "" {
				t.Errorf("event without instant or id: %+v", e)
			}
		}
	})
}
