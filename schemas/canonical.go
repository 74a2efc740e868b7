package schemas

import (
	"encoding/json"
	"fmt"
	"maps"
	"math"
	"slices"
	"strings"
	"unicode/utf16"
	"unicode/utf8"
)

// Canonical writes the canonical JSON of the document (RFC 8785), the bytes
// over which digests are taken: layout, key order and spelling of numbers and
// texts no longer matter.
func (d *Document) Canonical() []byte {
	text, err := Canonical(d.value)
	if err != nil { // Parse admits only what can be written
		panic("schemas: " + err.Error())
	}
	return text
}

// Canonical writes a JSON value (RFC 8785). It takes what Document.Value and
// encoding/json give: maps, slices, strings, bools, nil, json.Number, float64
// and int. A number beyond float64, a text that is not UTF-8 and any other
// type are errors.
func Canonical(v any) ([]byte, error) {
	return appendCanonical(nil, v)
}

func appendCanonical(out []byte, v any) ([]byte, error) {
	switch v := v.(type) {
	case nil:
		return append(out, "null"...), nil
	case bool:
		return fmt.Append(out, v), nil
	case string:
		return appendText(out, v)
	case int:
		return appendNumber(out, float64(v))
	case float64:
		return appendNumber(out, v)
	case json.Number:
		f, err := v.Float64()
		if err != nil {
			return nil, fmt.Errorf("canonical JSON: number %.40q: %w", v, err)
		}
		return appendNumber(out, f)
	case []any:
		out = append(out, '[')
		for i, item := range v {
			if i > 0 {
				out = append(out, ',')
			}
			var err error
			if out, err = appendCanonical(out, item); err != nil {
				return nil, err
			}
		}
		return append(out, ']'), nil
	case map[string]any:
		out = append(out, '{')
		for i, key := range slices.SortedFunc(maps.Keys(v), compareUTF16) {
			if i > 0 {
				out = append(out, ',')
			}
			var err error
			if out, err = appendText(out, key); err != nil {
				return nil, err
			}
			if out, err = appendCanonical(append(out, ':'), v[key]); err != nil {
				return nil, err
			}
		}
		return append(out, '}'), nil
	}
	return nil, fmt.Errorf("canonical JSON: %T is no JSON value", v)
}

// compareUTF16 orders keys by UTF-16 code units (RFC 8785, 3.2.3). UTF-8 order
// differs where surrogates meet the characters behind them.
func compareUTF16(a, b string) int {
	for a != "" && b != "" {
		ra, na := utf8.DecodeRuneInString(a)
		rb, nb := utf8.DecodeRuneInString(b)
		if ra != rb {
			return slices.Compare(utf16.AppendRune(nil, ra), utf16.AppendRune(nil, rb))
		}
		a, b = a[na:], b[nb:]
	}
	return len(a) - len(b)
}

// appendNumber writes a number as ECMAScript does (RFC 8785, 3.2.2.3);
// encoding/json follows the same rules but for the sign of zero.
func appendNumber(out []byte, f float64) ([]byte, error) {
	if math.IsNaN(f) || math.IsInf(f, 0) {
		return nil, fmt.Errorf("canonical JSON: %v is no JSON number", f)
	}
	if f == 0 {
		return append(out, '0'), nil
	}
	text, err := json.Marshal(f)
	return append(out, text...), err
}

// appendText writes a text with the fewest escapes (RFC 8785, 3.2.2.2).
func appendText(out []byte, text string) ([]byte, error) {
	if !utf8.ValidString(text) {
		return nil, fmt.Errorf("canonical JSON: %.40q is not UTF-8", text)
	}
	out = append(out, '"')
	start := 0
	for i := range len(text) {
		c := text[i]
		if c >= ' ' && c != '"' && c != '\\' {
			continue
		}
		out = append(out, text[start:i]...)
		start = i + 1
		if short := strings.IndexByte("\b\t\n\f\r\"\\", c); short >= 0 {
			out = append(out, '\\', `btnfr"\`[short])
		} else {
			out = fmt.Appendf(out, `\u%04x`, c)
		}
	}
	return append(append(out, text[start:]...), '"'), nil
}
