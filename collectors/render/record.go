package render

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/changevouch/changevouch/collectors"
)

// object is one JSON object of Render. Reading it tolerates absence and the
// wrong type alike: both are "not said", since Render sends null where its
// schema says object, and adds fields without notice.
type object map[string]any

// parse reads one JSON document, numbers as they are written.
func parse(text []byte) (any, error) {
	dec := json.NewDecoder(bytes.NewReader(text))
	dec.UseNumber()
	var doc any
	if err := dec.Decode(&doc); err != nil {
		return nil, err
	}
	if _, err := dec.Token(); !errors.Is(err, io.EOF) {
		return nil, errors.New("more than one JSON document")
	}
	return doc, nil
}

// str is a text, number or boolean as text, "" when not said.
func (o object) str(key string) string { return text(o[key]) }

func text(v any) string {
	switch v := v.(type) {
	case string:
		return strings.TrimSpace(v)
	case json.Number:
		return v.String()
	case bool:
		return strconv.FormatBool(v)
	}
	return ""
}

func (o object) obj(key string) object {
	v, _ := o[key].(map[string]any)
	return v
}

func (o object) has(key string) bool { return o[key] != nil }

// texts are the non-empty texts of a list.
func (o object) texts(key string) []string {
	list, _ := o[key].([]any)
	var out []string
	for _, v := range list {
		if s := text(v); s != "" {
			out = append(out, s)
		}
	}
	return out
}

// flag is true or false, nil when not said.
func (o object) flag(key string) *bool {
	b, err := strconv.ParseBool(o.str(key))
	if err != nil {
		return nil
	}
	return &b
}

func (o object) count(key string) *int {
	n, err := strconv.Atoi(o.str(key))
	if err != nil {
		return nil
	}
	return &n
}

// at is an instant; zero when not said.
func (o object) at(key string) time.Time {
	t, err := collectors.ParseInstant(o.str(key))
	if err != nil {
		return time.Time{}
	}
	return t
}

// when is at for optional facts.
func (o object) when(key string) *time.Time {
	t := o.at(key)
	if t.IsZero() {
		return nil
	}
	return &t
}

// isSHA tells a full Git object id.
func isSHA(s string) bool {
	if len(s) != 40 && len(s) != 64 {
		return false
	}
	return strings.Trim(s, "0123456789abcdef") == ""
}

// only tells that o has no other fields than these.
func (o object) only(keys ...string) bool {
	for k := range o {
		if !slices.Contains(keys, k) {
			return false
		}
	}
	return true
}
