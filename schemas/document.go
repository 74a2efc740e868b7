package schemas

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"unicode/utf16"
	"unicode/utf8"
)

// Limits of a document. They keep foreign bytes from costing more than they
// are worth; no honest document comes near them.
const (
	MaxBytes  = 64 << 20
	MaxDepth  = 64
	MaxFaults = 100
)

// Document is one parsed JSON or YAML text. It is immutable.
type Document struct {
	text  []byte
	value any
	marks map[string]int // pointer -> offset; nil until a fault needs a place
}

// Value returns the parsed value, made of map[string]any, []any, string,
// json.Number and bool. It is shared: do not change it.
func (d *Document) Value() any { return d.value }

// Position is where the value at a pointer stands in the text; 0 where there is none.
func (d *Document) Position(pointer string) (line, column int) {
	marked := d.place([]Fault{{Pointer: pointer}})
	return marked[0].Line, marked[0].Column
}

// Parse reads strict JSON: UTF-8, one value, no duplicate keys, no lone
// surrogates, nothing behind the value, no more than MaxBytes and MaxDepth,
// and no null (an absent fact is an absent key).
func Parse(text []byte) (*Document, []Fault) {
	p := parser{text: text}
	return p.document()
}

// Validate reports what the schema forbids in the document.
func (d *Document) Validate(name Name) []Fault {
	load, ok := compiled[name]
	if !ok {
		return []Fault{{Message: fmt.Sprintf("no schema named %q", name)}}
	}
	s, err := load()
	if err != nil { // the embedded schemas are wrong: a broken build
		return []Fault{{Message: err.Error()}}
	}
	err = s.compiled.Validate(d.value)
	if err == nil {
		return nil
	}
	return d.place(s.explain(d.value, err))
}

// place fills in line and column and puts the faults in order.
func (d *Document) place(faults []Fault) []Fault {
	marks := d.marks
	if marks == nil {
		p := parser{text: d.text, marks: map[string]int{}}
		p.document()
		marks = p.marks
	}
	for i := range faults {
		f := &faults[i]
		if at, ok := marks[f.Pointer]; ok && f.Line == 0 {
			f.Line, f.Column = position(d.text, at)
		}
	}
	slices.SortStableFunc(faults, func(a, b Fault) int {
		return cmpFirst(a.Line-b.Line, a.Column-b.Column, strings.Compare(a.Pointer, b.Pointer), strings.Compare(a.Message, b.Message))
	})
	faults = slices.CompactFunc(faults, func(a, b Fault) bool { return a == b })
	return faults[:min(len(faults), MaxFaults)]
}

func cmpFirst(orders ...int) int {
	for _, o := range orders {
		if o != 0 {
			return o
		}
	}
	return 0
}

// position turns an offset into a line and a column, both from 1; the column
// counts characters.
func position(text []byte, at int) (line, column int) {
	at = min(at, len(text))
	before := text[:at]
	start := bytes.LastIndexByte(before, '\n') + 1
	return bytes.Count(before, []byte{'\n'}) + 1, utf8.RuneCount(before[start:]) + 1
}

// parser is a strict JSON reader. encoding/json keeps the last of duplicate
// keys, mends bad UTF-8 and lone surrogates, and forgets places; a document
// that is hashed and judged must not be read so kindly.
type parser struct {
	text   []byte
	at     int
	path   []step
	faults []Fault
	marks  map[string]int // filled when not nil
}

// step is a key, or an index when key is nil.
type step struct {
	key   *string
	index int
}

// errStop ends a parse that cannot go on; the fault is recorded already.
var errStop = errors.New("stop")

func (p *parser) document() (*Document, []Fault) {
	if len(p.text) > MaxBytes {
		return nil, []Fault{{Message: fmt.Sprintf("document of %d bytes; the limit is %d", len(p.text), MaxBytes)}}
	}
	if bytes.HasPrefix(p.text, []byte("\xef\xbb\xbf")) {
		p.at = 3
	}
	p.space()
	if p.at == len(p.text) {
		p.fault(p.at, "empty document")
		return nil, p.faults
	}
	value, err := p.value()
	if err == nil {
		p.space()
		if p.at < len(p.text) {
			p.path = nil
			p.fault(p.at, "something stands behind the end of the document: one JSON value is expected")
		}
	}
	if len(p.faults) > 0 {
		return nil, p.faults[:min(len(p.faults), MaxFaults)]
	}
	return &Document{text: p.text, value: value}, nil
}

func (p *parser) pointer() string {
	var b strings.Builder
	for _, s := range p.path {
		b.WriteByte('/')
		if s.key == nil {
			b.WriteString(strconv.Itoa(s.index))
		} else {
			b.WriteString(escape(*s.key))
		}
	}
	return b.String()
}

// escape writes one reference token of a JSON pointer (RFC 6901).
func escape(token string) string {
	return strings.ReplaceAll(strings.ReplaceAll(token, "~", "~0"), "/", "~1")
}

func (p *parser) fault(at int, format string, args ...any) {
	line, column := position(p.text, at)
	p.faults = append(p.faults, Fault{Pointer: p.pointer(), Message: fmt.Sprintf(format, args...), Line: line, Column: column})
}

func (p *parser) stop(at int, format string, args ...any) error {
	p.fault(at, format, args...)
	return errStop
}

func (p *parser) space() {
	for p.at < len(p.text) {
		switch p.text[p.at] {
		case ' ', '\t', '\n', '\r':
			p.at++
		default:
			return
		}
	}
}

func (p *parser) value() (any, error) {
	p.space()
	if p.marks != nil {
		p.marks[p.pointer()] = p.at
	}
	if len(p.path) > MaxDepth {
		return nil, p.stop(p.at, "nested more than %d deep", MaxDepth)
	}
	if len(p.faults) >= MaxFaults {
		return nil, errStop
	}
	if p.at == len(p.text) {
		return nil, p.stop(p.at, "the document ends where a value is expected")
	}
	switch c := p.text[p.at]; {
	case c == '{':
		return p.object()
	case c == '[':
		return p.array()
	case c == '"':
		return p.str()
	case c == '-' || c >= '0' && c <= '9':
		return p.number()
	case p.word("true"):
		return true, nil
	case p.word("false"):
		return false, nil
	case p.word("null"):
		p.fault(p.at-4, "null is not allowed: an absent fact is an absent key, so leave it out")
		return nil, nil
	}
	return nil, p.stop(p.at, "a JSON value is expected, found %q", p.here())
}

// here is the character at the current place.
func (p *parser) here() string {
	_, size := utf8.DecodeRune(p.text[p.at:])
	return string(p.text[p.at : p.at+size])
}

func (p *parser) word(w string) bool {
	if !bytes.HasPrefix(p.text[p.at:], []byte(w)) {
		return false
	}
	p.at += len(w)
	return true
}

func (p *parser) object() (any, error) {
	object := map[string]any{}
	p.at++ // {
	for first := true; ; first = false {
		p.space()
		if p.at == len(p.text) {
			return nil, p.stop(p.at, "the document ends inside an object")
		}
		if p.text[p.at] == '}' && first {
			p.at++
			return object, nil
		}
		if p.text[p.at] != '"' {
			return nil, p.stop(p.at, "a key in double quotes is expected, found %q", p.here())
		}
		keyAt := p.at
		key, err := p.str()
		if err != nil {
			return nil, err
		}
		p.space()
		p.path = append(p.path, step{key: &key})
		if p.at == len(p.text) || p.text[p.at] != ':' {
			return nil, p.stop(p.at, "a colon is expected behind the key")
		}
		p.at++
		if _, twice := object[key]; twice {
			p.fault(keyAt, "the key appears twice in one object")
		}
		v, err := p.value()
		if err != nil {
			return nil, err
		}
		object[key] = v
		if p.marks != nil { // people look for the key
			p.marks[p.pointer()] = keyAt
		}
		p.path = p.path[:len(p.path)-1]
		if done, err := p.next('}'); err != nil {
			return nil, err
		} else if done {
			return object, nil
		}
	}
}

func (p *parser) array() (any, error) {
	array := []any{}
	p.at++ // [
	p.space()
	if p.at < len(p.text) && p.text[p.at] == ']' {
		p.at++
		return array, nil
	}
	for {
		p.path = append(p.path, step{index: len(array)})
		v, err := p.value()
		if err != nil {
			return nil, err
		}
		array = append(array, v)
		p.path = p.path[:len(p.path)-1]
		if done, err := p.next(']'); err != nil {
			return nil, err
		} else if done {
			return array, nil
		}
	}
}

// next reads a comma or the end of an object or array.
func (p *parser) next(end byte) (bool, error) {
	p.space()
	if p.at == len(p.text) {
		return false, p.stop(p.at, "the document ends before %q", string(end))
	}
	switch p.text[p.at] {
	case end:
		p.at++
		return true, nil
	case ',':
		p.at++
		return false, nil
	}
	return false, p.stop(p.at, "a comma or %q is expected, found %q", string(end), p.here())
}

func (p *parser) number() (any, error) {
	start := p.at
	for p.at < len(p.text) && strings.IndexByte("+-.0123456789eE", p.text[p.at]) >= 0 {
		p.at++
	}
	text := p.text[start:p.at]
	if !json.Valid(text) {
		return nil, p.stop(start, "%.40q is no JSON number", text)
	}
	// Beyond these, arithmetic on the number could cost any amount of memory.
	exponent := ""
	if e := bytes.IndexAny(text, "eE"); e >= 0 {
		exponent = strings.TrimLeft(string(text[e+1:]), "+-0")
	}
	f, err := strconv.ParseFloat(string(text), 64)
	if err != nil || len(text) > 64 || len(exponent) > 3 {
		return nil, p.stop(start, "the number %.40q is out of range", text)
	}
	if math.Abs(f) >= 1<<53 && !bytes.ContainsAny(text, ".eE") && strconv.FormatFloat(f, 'f', -1, 64) != string(text) {
		return nil, p.stop(start, "the number %.40q has more digits than JSON readers keep: write it as a text", text)
	}
	if f == 0 && text[0] == '-' {
		return json.Number("0"), nil
	}
	return json.Number(text), nil
}

func (p *parser) str() (string, error) {
	start := p.at
	p.at++ // "
	for i := p.at; i < len(p.text); i++ {
		switch c := p.text[i]; {
		case c == '"':
			text := p.text[p.at:i]
			p.at = i + 1
			if !utf8.Valid(text) {
				return "", p.stop(start, "the string is not valid UTF-8")
			}
			return string(text), nil
		case c == '\\':
			return p.escaped(start, i)
		case c < ' ':
			return "", p.stop(i, "a control character inside a string must be escaped")
		}
	}
	return "", p.stop(start, "the string has no end")
}

// escaped goes on with a string from its first backslash.
func (p *parser) escaped(start, i int) (string, error) {
	out := append([]byte(nil), p.text[p.at:i]...)
	for i < len(p.text) {
		c := p.text[i]
		switch {
		case c == '"':
			p.at = i + 1
			if !utf8.Valid(out) {
				return "", p.stop(start, "the string is not valid UTF-8")
			}
			return string(out), nil
		case c < ' ':
			return "", p.stop(i, "a control character inside a string must be escaped")
		case c != '\\':
			out = append(out, c)
			i++
			continue
		}
		if i+1 == len(p.text) {
			break
		}
		if j := strings.IndexByte(`"\/bfnrt`, p.text[i+1]); j >= 0 {
			out = append(out, "\"\\/\b\f\n\r\t"[j])
			i += 2
			continue
		}
		r, size := p.unicode(i)
		if size == 0 {
			return "", p.stop(i, "no valid escape in a string")
		}
		out = utf8.AppendRune(out, r)
		i += size
	}
	return "", p.stop(start, "the string has no end")
}

// unicode reads \uXXXX or a surrogate pair of them at i; size 0 means neither.
func (p *parser) unicode(i int) (r rune, size int) {
	hex := func(at int) (rune, bool) {
		if at+6 > len(p.text) || p.text[at] != '\\' || p.text[at+1] != 'u' {
			return 0, false
		}
		n, err := strconv.ParseUint(string(p.text[at+2:at+6]), 16, 16)
		return rune(n), err == nil
	}
	r, ok := hex(i)
	if !ok {
		return 0, 0
	}
	if !utf16.IsSurrogate(r) {
		return r, 6
	}
	low, ok := hex(i + 6)
	if r = utf16.DecodeRune(r, low); !ok || r == utf8.RuneError {
		return 0, 0
	}
	return r, 12
}
