package iam

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/changevouch/changevouch/collectors"
)

// node is one value of a foreign JSON document. Every step tolerates absence
// and the wrong type: a missing thing is the empty node, and reading it gives
// the zero value. Sources omit, null and retype fields freely.
type node struct{ v any }

// parse reads the first JSON value of b, keeping numbers as they are written.
func parse(b []byte) (node, error) {
	dec := json.NewDecoder(bytes.NewReader(b))
	dec.UseNumber()
	var v any
	if err := dec.Decode(&v); err != nil {
		return node{}, err
	}
	if _, err := dec.Token(); !errors.Is(err, io.EOF) {
		return node{}, errors.New("more than one JSON value")
	}
	return node{v}, nil
}

// get follows a dotted path of object keys.
func (n node) get(path string) node {
	for key := range strings.SplitSeq(path, ".") {
		m, ok := n.v.(map[string]any)
		if !ok {
			return node{}
		}
		n = node{m[key]}
	}
	return n
}

// key reads one key as it stands, dots included.
func (n node) key(name string) node {
	m, _ := n.v.(map[string]any)
	return node{m[name]}
}

func (n node) has(path string) bool { return n.get(path).v != nil }

func (n node) isObject() bool { _, ok := n.v.(map[string]any); return ok }

func (n node) isList() bool { _, ok := n.v.([]any); return ok }

// str is a string, number or boolean as text; what AWS has blanked out reads as absent.
func (n node) str(path string) string {
	if path != "" {
		n = n.get(path)
	}
	switch v := n.v.(type) {
	case string:
		if v == "HIDDEN_DUE_TO_SECURITY_REASONS" {
			return ""
		}
		return strings.TrimSpace(strings.ToValidUTF8(v, "\uFFFD"))
	case json.Number:
		return v.String()
	case bool:
		return strconv.FormatBool(v)
	}
	return ""
}

// first is the first of several paths that holds text.
func (n node) first(paths ...string) string {
	for _, p := range paths {
		if s := n.str(p); s != "" {
			return s
		}
	}
	return ""
}

// list is the elements of an array, or the one value that stands for an array of one.
func (n node) list(path string) []node {
	if path != "" {
		n = n.get(path)
	}
	switch v := n.v.(type) {
	case nil:
		return nil
	case []any:
		out := make([]node, len(v))
		for i := range v {
			out[i] = node{v[i]}
		}
		return out
	}
	return []node{n}
}

// strs is list as text, without the empty ones.
func (n node) strs(path string) []string {
	var out []string
	for _, e := range n.list(path) {
		if s := e.str(""); s != "" {
			out = append(out, s)
		}
	}
	return out
}

// flag is a boolean, also written as text; nil when absent or neither.
func (n node) flag(path string) *bool {
	switch n.str(path) {
	case "true":
		return ptr(true)
	case "false":
		return ptr(false)
	}
	return nil
}

// instant reads an instant as sources spell it.
func (n node) instant(path string) (time.Time, error) {
	s := n.str(path)
	if f, err := strconv.ParseFloat(s, 64); err == nil && f > 1e8 && f < 1e11 {
		return collectors.Instant(time.UnixMicro(int64(f * 1e6))), nil // epoch seconds with a fraction
	}
	return collectors.ParseInstant(s)
}

func ptr[T any](v T) *T { return &v }

// when is instant as a pointer, nil when there is none.
func (n node) when(path string) *time.Time {
	t, err := n.instant(path)
	if err != nil || t.IsZero() {
		return nil
	}
	return &t
}

func sortedKeys(m map[string]any) []string { return slices.Sorted(maps.Keys(m)) }
