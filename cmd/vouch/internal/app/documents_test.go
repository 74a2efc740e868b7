package app

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/changevouch/changevouch/schemas"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func all(t *testing.T, stdin string, args ...string) []string {
	t.Helper()
	d, err := OpenDocuments(context.Background(), schemas.Dossier, args, strings.NewReader(stdin), time.Time{})
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := d.Close(); err != nil {
			t.Error(err)
		}
	}()
	var first []string
	for pass := range 2 {
		var got []string
		for doc := range d.All(context.Background()) {
			if doc.Err != nil {
				got = append(got, fmt.Sprintf("%s: %v", doc.Origin, doc.Err))
				continue
			}
			got = append(got, fmt.Sprintf("%s:%d %s", doc.Origin, doc.Line, strings.Join(strings.Fields(string(doc.Text)), "")))
		}
		if pass == 1 && !slices.Equal(first, got) {
			t.Errorf("a second reading differs:\n%q\n%q", first, got)
		}
		first = got
	}
	return first
}

func TestStandardInput(t *testing.T) {
	for name, tc := range map[string]struct {
		text string
		want []string
	}{
		"one":                  {`{"a":1}`, []string{`stdin:1 {"a":1}`}},
		"pretty":               {"{\n \"a\": 1\n}\n", []string{`stdin:1 {"a":1}`}},
		"lines":                {"{\"a\":1}\n\n{\"b\":2}\n", []string{`stdin:1 {"a":1}`, `stdin:3 {"b":2}`}},
		"broken second line":   {"{\"a\":1}\n{\"b\":\n{\"c\":3}", []string{`stdin:1 {"a":1}`, `stdin:2 {"b":`, `stdin:3 {"c":3}`}},
		"broken first line":    {"{\"a\":\n{\"b\":2}\n", []string{`stdin:1 {"a":`, `stdin:2 {"b":2}`}},
		"several pretty":       {"{\n\"a\":1\n}\n\n{\n\"b\":2\n}", []string{`stdin:1 {"a":1}`, `stdin:5 {"b":2}`}},
		"broken second pretty": {"{\n\"a\":1\n}\n{\n\"b\":\n}", []string{`stdin:1 {"a":1}`, `stdin:3 {"b":}`}},
		"windows lines":        {"{\"a\":1}\r\n{\"b\":2}\r\n", []string{`stdin:1 {"a":1}`, `stdin:2 {"b":2}`}},
		"empty":                {"", []string{"stdin: no dossier here"}},
		"blank":                {" \n\t\n", []string{"stdin: no dossier here"}},
		"no JSON":              {"hello\nworld", []string{"stdin:1 helloworld"}},
	} {
		t.Run(name, func(t *testing.T) {
			if got := all(t, tc.text, "-"); !slices.Equal(got, tc.want) {
				t.Errorf("got  %q\nwant %q", got, tc.want)
			}
		})
	}
}

// A text without end is refused before it fills the memory.
func TestStandardInputTooLarge(t *testing.T) {
	for name, start := range map[string]string{"one value": "{\n\"a\":\n[", "one line": `{"a":"`} {
		endless := io.MultiReader(strings.NewReader(start), strings.NewReader(strings.Repeat("1,\r ", 10_000)))
		d, err := OpenDocuments(context.Background(), schemas.Dossier, []string{"-"}, endless, time.Time{})
		if err != nil {
			t.Fatal(err)
		}
		d.limit = 20_000
		var got []error
		for doc := range d.All(context.Background()) {
			got = append(got, doc.Err)
		}
		if len(got) != 1 || !errors.Is(got[0], errTooLarge) {
			t.Errorf("%s: %v", name, got)
		}
		d.Close()
	}
}

func TestStandardInputIsInterruptible(t *testing.T) {
	dir := t.TempDir()
	t.Setenv("TMPDIR", dir)
	r, w := io.Pipe()
	defer w.Close()
	ctx, cancel := context.WithCancel(context.Background())
	time.AfterFunc(20*time.Millisecond, cancel)
	_, err := OpenDocuments(ctx, schemas.Dossier, []string{"-"}, r, time.Time{})
	left, _ := os.ReadDir(dir)
	if !errors.Is(err, context.Canceled) || len(left) > 0 {
		t.Errorf("error %v, left behind %v", err, left)
	}
}

func TestFilesAndFolders(t *testing.T) {
	t.Chdir(t.TempDir())
	for path, text := range map[string]string{
		"d/b.json": `{"b":1}`, "d/a.json": `{"a":1}`, "d/sub/c.ndjson": "{\"c\":1}\n{\"c\":2}\n",
		"d/.git/x.json": `{}`, "d/.hidden.json": `{}`, "d/notes.txt": "no", "empty/notes.txt": "no", "blank.ndjson": "\n",
	} {
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	got := all(t, `{"s":1}`, "d/b.json", "-", "d", "empty", "missing.json", "blank.ndjson")
	want := []string{
		`d/b.json:1 {"b":1}`, `stdin:1 {"s":1}`,
		`d/a.json:1 {"a":1}`, `d/b.json:1 {"b":1}`, `d/sub/c.ndjson:1 {"c":1}`, `d/sub/c.ndjson:2 {"c":2}`,
		"empty: no dossier here", "missing.json: no such file or directory", "blank.ndjson: no dossier here",
	}
	if !slices.Equal(got, want) {
		t.Errorf("got  %q\nwant %q", got, want)
	}
}

func TestOpenDocumentsRefuses(t *testing.T) {
	for _, args := range [][]string{nil, {"-", "-"}} {
		if d, err := OpenDocuments(context.Background(), schemas.Dossier, args, strings.NewReader("{}"), time.Time{}); err == nil {
			d.Close()
			t.Errorf("%q is accepted", args)
		}
	}
}

func TestEvaluationInstant(t *testing.T) {
	at := time.Date(2026, 1, 2, 3, 4, 5, 0, time.FixedZone("", 3600))
	for text, want := range map[string]string{
		`{}`:                     `{"evaluated_at":"2026-01-02T02:04:05Z"}`,
		` {"a":1}`:               ` {"evaluated_at":"2026-01-02T02:04:05Z","a":1}`,
		`{"evaluated_at":"x"}`:   `{"evaluated_at":"x"}`,
		`{"Evaluated_At":"x"}`:   `{"evaluated_at":"2026-01-02T02:04:05Z","Evaluated_At":"x"}`,
		`{"a":{"evaluated_at":1`: `{"a":{"evaluated_at":1`,
		`[]`:                     `[]`,
	} {
		if got := string(withInstant([]byte(text), at)); got != want {
			t.Errorf("%s: %s, want %s", text, got, want)
		}
	}
	if got := string(withInstant([]byte(`{}`), time.Time{})); got != "{}" {
		t.Errorf("no instant asked for: %s", got)
	}
}

func TestOrderedKeepsOrderAndBounds(t *testing.T) {
	const workers, n = 3, 500
	var ahead, most atomic.Int64
	numbers := func(yield func(int) bool) {
		for i := range n {
			most.Store(max(most.Load(), ahead.Add(1)))
			if !yield(i) {
				return
			}
		}
	}
	next := 0
	err := ordered(context.Background(), numbers, workers, func(_ context.Context, i int) int {
		time.Sleep(time.Duration(i%3) * 100 * time.Microsecond)
		return i * i
	}, func(r int) error {
		ahead.Add(-1)
		if r != next*next {
			t.Fatalf("result %d is %d", next, r)
		}
		next++
		return nil
	})
	if err != nil || next != n {
		t.Fatalf("%d results, error %v", next, err)
	}
	if limit := int64(window*workers + 2); most.Load() > limit {
		t.Errorf("%d items were held at once, the limit is %d", most.Load(), limit)
	}
}

func TestOrderedStops(t *testing.T) {
	endless := func(yield func(int) bool) {
		i := 0
		for yield(i) {
			i++
		}
	}
	same := func(_ context.Context, i int) int { return i }
	enough := errors.New("enough")
	err := ordered(context.Background(), endless, 4, same, func(i int) error {
		if i == 10 {
			return enough
		}
		return nil
	})
	if !errors.Is(err, enough) {
		t.Errorf("an error of emit becomes %v", err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	err = ordered(ctx, endless, 4, same, func(i int) error {
		if i == 10 {
			cancel()
		}
		return nil
	})
	if !errors.Is(err, context.Canceled) {
		t.Errorf("the end of the context becomes %v", err)
	}
}

func TestFileAppearsWhole(t *testing.T) {
	t.Chdir(t.TempDir())
	if err := os.WriteFile("out", []byte("before"), 0o600); err != nil {
		t.Fatal(err)
	}
	read := func() string {
		b, err := os.ReadFile("out")
		if err != nil {
			t.Fatal(err)
		}
		return string(b)
	}
	for _, commit := range []bool{false, true} {
		f, err := CreateFile("out")
		if err != nil {
			t.Fatal(err)
		}
		fmt.Fprint(f, "after")
		if got := read(); got != "before" {
			t.Errorf("an unfinished file reads %q", got)
		}
		if commit {
			if err := f.Commit(); err != nil {
				t.Fatal(err)
			}
		}
		f.Discard()
	}
	info, err := os.Stat("out")
	if err != nil {
		t.Fatal(err)
	}
	if read() != "after" || info.Mode().Perm() != 0o600 {
		t.Errorf("committed file reads %q, mode %v", read(), info.Mode())
	}
	left, _ := filepath.Glob(".*")
	if len(left) > 0 {
		t.Errorf("left behind: %q", left)
	}
	for _, path := range []string{"no/such/folder", "."} {
		if f, err := CreateFile(path); err == nil {
			f.Discard()
			t.Errorf("%s can be created", path)
		}
	}
	f, err := CreateFile(os.DevNull)
	if err != nil {
		t.Fatal(err)
	}
	fmt.Fprint(f, "x")
	if err := f.Commit(); err != nil {
		t.Error(err)
	}
}

func TestPlace(t *testing.T) {
	for _, tc := range []struct {
		line  int
		fault schemas.Fault
		want  string
	}{
		{1, schemas.Fault{Pointer: "/a", Message: "m", Line: 3, Column: 4}, "f:3:4: /a: m"},
		{7, schemas.Fault{Message: "m", Line: 1, Column: 4}, "f:7:4: m"},
		{7, schemas.Fault{Message: "m"}, "f:7: m"},
		{1, schemas.Fault{Message: "m"}, "f: m"},
	} {
		if got := (Document{Origin: "f", Line: tc.line}).place(tc.fault); got != tc.want {
			t.Errorf("%+v on line %d: %s, want %s", tc.fault, tc.line, got, tc.want)
		}
	}
}

func FuzzStream(f *testing.F) {
	f.Add("{\"a\":1}\n{\"b\":\n")
	f.Add("{\n}\n{\n}[")
	f.Fuzz(func(t *testing.T, text string) {
		d, err := OpenDocuments(context.Background(), schemas.Dossier, []string{"-"}, strings.NewReader(text), time.Time{})
		if err != nil {
			t.Fatal(err)
		}
		defer d.Close()
		n := 0
		for doc := range d.All(context.Background()) {
			n++
			if doc.Err == nil && (doc.Line < 1 || doc.Line > 1+strings.Count(text, "\n")) {
				t.Errorf("line %d of %q", doc.Line, text)
			}
		}
		if n == 0 {
			t.Error("standard input gave neither a dossier nor an error")
		}
	})
}
