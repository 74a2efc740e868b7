package httpapi

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/changevouch/changevouch/engine"
	"github.com/changevouch/changevouch/engine/ledger"
)

// FuzzReadEvents: whatever a body is, it is events or faults with a place, never both.
func FuzzReadEvents(f *testing.F) {
	for _, seed := range []string{``, `[]`, `[{}]`, `{"schema":"event/v1"}`, "{}\n{}", "{\n}", `[[`, "\x00", `{"a":` + strings.Repeat("[", 100)} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		events, err := readEvents(body, time.Now())
		input, faulty := errors.AsType[*engine.InputError](err)
		if err != nil && (!faulty || len(input.Faults) == 0 || events != nil) || err == nil && len(events) == 0 {
			t.Errorf("%d events, %v", len(events), err)
		}
	})
}

func TestBounded(t *testing.T) {
	for text, good := range map[string]bool{
		strings.Repeat("[", 1000) + strings.Repeat("]", 1000):    true,
		strings.Repeat("[", 1001) + strings.Repeat("]", 1001):    false,
		`{"a":` + strings.Repeat(`{"a":`, 1000) + `1`:            false,
		`"` + strings.Repeat("[", 2000) + `\"["`:                 true,
		`[1e308,-1.5E-300,0.25]`:                                 true,
		`[1e1000]`:                                               false,
		`[1E+99999]`:                                             false,
		strings.Repeat("9", 400):                                 true,
		strings.Repeat("9", 401):                                 false,
		`["1e99999",` + strings.Repeat("9,", 1000) + `"e12345"]`: true,
	} {
		if err := bounded([]byte(text)); (err == nil) != good {
			t.Errorf("%.40s: %v", text, err)
		}
	}
}

// FuzzBounded: what is let through has bounded depth, and numbers that a float64
// nearly holds.
func FuzzBounded(f *testing.F) {
	for _, seed := range []string{`{"a":[1,2e3,-4.5E-67]}`, `"\"[[["`, `1e1000`, strings.Repeat("[", 1001), `{"a":"1e999999"}`, strings.Repeat("9", 401)} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		if bounded(text) != nil || !json.Valid(text) {
			return
		}
		decoder := json.NewDecoder(strings.NewReader(string(text)))
		decoder.UseNumber()
		depth := 0
		for {
			token, err := decoder.Token()
			if err != nil {
				return
			}
			switch token := token.(type) {
			case json.Delim:
				if strings.ContainsRune("[{", rune(token)) {
					depth++
				} else {
					depth--
				}
				if depth > mostNested {
					t.Fatalf("nested %d deep", depth)
				}
			case json.Number:
				_, exponent, _ := strings.Cut(strings.ToLower(token.String()), "e")
				if len(strings.TrimLeft(exponent, "+-")) > 3 || len(token) > 2*mostDigits {
					t.Fatalf("the number %.50s", token)
				}
			}
		}
	})
}

// FuzzParseTile: what is taken is a path that ledger.TilePath writes.
func FuzzParseTile(f *testing.F) {
	f.Add("0", "000")
	f.Add("1", "x001/234.p/7")
	f.Fuzz(func(t *testing.T, level, path string) {
		if l, n, w, ok := parseTile(level, path); ok && ledger.TilePath(l, n, w) != "tile/"+level+"/"+path {
			t.Errorf("%s/%s is %d, %d, %d", level, path, l, n, w)
		}
	})
}

// FuzzClean: a path that is let through has no element that a file system or another
// server would take for something else.
func FuzzClean(f *testing.F) {
	for _, seed := range []string{"/v1/decisions", "/v1/../x", "//", "/a/./b", "/..", "/a\\..\\b", "/a/"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, path string) {
		if !clean(path) {
			return
		}
		for _, bad := range []string{"//", "/../", "/./", "\x00", "\\", "\n"} {
			if strings.Contains(path+"/", bad) && !strings.HasSuffix(path, "/") {
				t.Errorf("%q has %q", path, bad)
			}
		}
	})
}
