package schemas

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/santhosh-tekuri/jsonschema/v5"
)

// Fault is one thing that is wrong with a document.
type Fault struct {
	// Pointer is the JSON pointer (RFC 6901) of the value; "" is the document.
	Pointer string `json:"pointer"`
	// Message says what is wrong and, where it can, what would be right.
	Message string `json:"message"`
	// Line and Column count from 1 in the source text; 0 means not known.
	Line   int `json:"line,omitempty"`
	Column int `json:"column,omitempty"`
	// Keyword is the schema keyword that refused the value; empty for text
	// that is no strict JSON.
	Keyword string `json:"keyword,omitempty"`
}

// String is "line:column: pointer: message", each part where it is known.
func (f Fault) String() string {
	var parts []string
	if f.Line > 0 {
		parts = append(parts, fmt.Sprintf("%d:%d", f.Line, f.Column))
	}
	if f.Pointer != "" {
		parts = append(parts, f.Pointer)
	}
	return strings.Join(append(parts, f.Message), ": ")
}

// explain turns the library's tree of errors into one fault for each leaf.
func (s schema) explain(value any, err error) []Fault {
	var top *jsonschema.ValidationError
	if !errors.As(err, &top) {
		return []Fault{{Message: err.Error()}}
	}
	var faults []Fault
	var walk func(*jsonschema.ValidationError)
	walk = func(e *jsonschema.ValidationError) {
		if len(e.Causes) == 0 {
			faults = append(faults, s.leaf(value, e)...)
			return
		}
		if k := last(e.KeywordLocation); k == "anyOf" || k == "oneOf" {
			if best := nearestForm(e); best != nil {
				walk(best)
				return
			}
		}
		for _, cause := range e.Causes {
			walk(cause)
		}
	}
	walk(top)
	return faults
}

// nearestForm picks, among the forms that a value may take, the one form whose
// type the value has: its faults are the ones a person can act on.
func nearestForm(e *jsonschema.ValidationError) *jsonschema.ValidationError {
	var fits []*jsonschema.ValidationError
	for _, form := range e.Causes {
		if !wrongType(form, e.InstanceLocation) {
			fits = append(fits, form)
		}
	}
	if len(fits) == 1 {
		return fits[0]
	}
	return nil
}

func wrongType(e *jsonschema.ValidationError, at string) bool {
	if len(e.Causes) == 0 {
		return last(e.KeywordLocation) == "type" && e.InstanceLocation == at
	}
	return slices.ContainsFunc(e.Causes, func(c *jsonschema.ValidationError) bool { return wrongType(c, at) })
}

// leaf explains one refusal, quoting the schema's own words.
func (s schema) leaf(document any, e *jsonschema.ValidationError) []Fault {
	at := unescapeURL(e.InstanceLocation)
	instance, _ := resolve(document, at)
	keyword, owner, words := s.at(e.AbsoluteKeywordLocation)
	if !s.applies(document, e) {
		return nil
	}
	fault := func(pointer, format string, args ...any) Fault {
		return Fault{Pointer: pointer, Keyword: keyword, Message: fmt.Sprintf(format, args...)}
	}
	switch keyword {
	case "additionalProperties", "unevaluatedProperties":
		known, _ := owner["properties"].(map[string]any)
		object, _ := instance.(map[string]any)
		names := slices.Sorted(maps.Keys(known))
		var faults []Fault
		for _, key := range slices.Sorted(maps.Keys(object)) {
			if _, ok := known[key]; !ok {
				faults = append(faults, fault(at+"/"+escape(key), "unknown field%s", hint(key, names)))
			}
		}
		return faults
	case "required":
		var faults []Fault
		object, _ := instance.(map[string]any)
		for _, key := range texts(words) {
			if _, ok := object[key]; !ok {
				faults = append(faults, fault(at, "%s is missing%s", key, s.because(e)))
			}
		}
		return faults
	case "type":
		return []Fault{fault(at, "%s is expected, found %s", typeNames(words), describe(instance))}
	case "enum":
		found := describe(instance)
		text, _ := instance.(string)
		return []Fault{fault(at, "%s is none of %s%s", found, strings.Join(texts(words), ", "), hint(text, texts(words)))}
	case "const":
		return []Fault{fault(at, "%s is expected, found %s", describe(words), describe(instance))}
	case "format":
		if words == "date-time" {
			return []Fault{fault(at, "%s is no RFC 3339 instant with an offset, such as 2026-11-02T09:30:00Z", describe(instance))}
		}
		if words == "timespan" {
			return []Fault{fault(at, "%s is no length of time, such as 90s, 15m, 12h or 2d", describe(instance))}
		}
		return []Fault{fault(at, "%s is no valid %v", describe(instance), words)}
	case "minLength":
		return []Fault{fault(at, "the text is empty: leave the key out when the fact is not known")}
	case "pattern":
		return []Fault{fault(at, "%s does not match %v", describe(instance), words)}
	case "minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "minItems", "maxItems", "uniqueItems", "maxLength", "minProperties":
		return []Fault{fault(at, "%s", limit(keyword, words, instance))}
	case "": // a schema that is just false
		return []Fault{fault(at, "not allowed here%s", s.because(e))}
	}
	return []Fault{fault(at, "%s", e.Message)}
}

func limit(keyword string, words, instance any) string {
	switch keyword {
	case "minimum":
		return fmt.Sprintf("%s is less than %v", describe(instance), words)
	case "maximum":
		return fmt.Sprintf("%s is more than %v", describe(instance), words)
	case "exclusiveMinimum":
		return fmt.Sprintf("%s is not more than %v", describe(instance), words)
	case "exclusiveMaximum":
		return fmt.Sprintf("%s is not less than %v", describe(instance), words)
	case "uniqueItems":
		return "an entry appears twice"
	case "maxLength":
		return fmt.Sprintf("the text has more than %v characters", words)
	case "minItems", "minProperties":
		return fmt.Sprintf("fewer than %v entries", words)
	default:
		return fmt.Sprintf("more than %v entries", words)
	}
}

// at finds a keyword in the text of the schemas: its name, the schema that
// holds it, and its value. The name is empty when the place is a schema.
func (s schema) at(location string) (keyword string, owner map[string]any, words any) {
	file, fragment, _ := strings.Cut(location, "#")
	pointer := unescapeURL(fragment)
	root := s.raw[strings.TrimPrefix(file, baseURL)]
	words, ok := resolve(root, pointer)
	if b, isBool := words.(bool); ok && isBool && !b && last(pointer) != "additionalProperties" {
		return "", nil, words
	}
	parent, _ := resolve(root, pointer[:max(0, strings.LastIndexByte(pointer, '/'))])
	owner, _ = parent.(map[string]any)
	return last(pointer), owner, words
}

// condition returns the if of the if/then that led to a keyword. Our schemas
// branch at their root only.
func (s schema) condition(e *jsonschema.ValidationError) (words any, ok bool) {
	before, _, ok := strings.Cut(unescapeURL(e.KeywordLocation), "/then/")
	if !ok {
		return nil, false
	}
	return resolve(s.root, before+"/if")
}

// applies is false for a fault of an if/then whose discriminator is itself
// missing or wrong: that is the fault to show, not its nine consequences.
func (s schema) applies(document any, e *jsonschema.ValidationError) bool {
	words, ok := s.condition(e)
	if !ok {
		return true
	}
	for pointer, want := range constants(words, "") {
		if got, found := resolve(document, pointer); !found || got != want {
			return false
		}
	}
	return true
}

// because names the discriminator of an if/then: " (subject.type is change)".
func (s schema) because(e *jsonschema.ValidationError) string {
	words, ok := s.condition(e)
	if !ok {
		return ""
	}
	for pointer, want := range constants(words, "") {
		return fmt.Sprintf(" (%s is %v)", strings.ReplaceAll(strings.TrimPrefix(pointer, "/"), "/", "."), want)
	}
	return ""
}

// constants lists the consts that an if demands, by instance pointer. Our
// schemas branch on constants at the root of a document only.
func constants(words any, at string) map[string]any {
	out := map[string]any{}
	node, _ := words.(map[string]any)
	if c, ok := node["const"]; ok {
		out[at] = c
	}
	properties, _ := node["properties"].(map[string]any)
	for key, sub := range properties {
		maps.Copy(out, constants(sub, at+"/"+escape(key)))
	}
	return out
}

func last(pointer string) string {
	return pointer[strings.LastIndexByte(pointer, '/')+1:]
}

func unescapeURL(pointer string) string {
	if out, err := url.PathUnescape(pointer); err == nil {
		return out
	}
	return pointer
}

// resolve follows a JSON pointer.
func resolve(v any, pointer string) (any, bool) {
	if pointer == "" {
		return v, true
	}
	for token := range strings.SplitSeq(pointer[1:], "/") {
		token = strings.ReplaceAll(strings.ReplaceAll(token, "~1", "/"), "~0", "~")
		switch node := v.(type) {
		case map[string]any:
			sub, ok := node[token]
			if !ok {
				return nil, false
			}
			v = sub
		case []any:
			i, err := strconv.Atoi(token)
			if err != nil || i < 0 || i >= len(node) || strconv.Itoa(i) != token {
				return nil, false
			}
			v = node[i]
		default:
			return nil, false
		}
	}
	return v, true
}

func texts(words any) []string {
	list, _ := words.([]any)
	out := make([]string, len(list))
	for i, w := range list {
		out[i] = fmt.Sprint(w)
	}
	return out
}

func typeNames(words any) string {
	names := texts(words)
	if one, ok := words.(string); ok {
		names = []string{one}
	}
	article := map[string]string{"object": "an object", "array": "a list", "string": "a text", "number": "a number", "integer": "a whole number", "boolean": "true or false"}
	for i, n := range names {
		if a := article[n]; a != "" {
			names[i] = a
		}
	}
	return strings.Join(names, " or ")
}

// describe shows a value in a message, never more than a glimpse of it.
func describe(v any) string {
	switch v := v.(type) {
	case map[string]any:
		return "an object"
	case []any:
		return "a list"
	case string:
		if len([]rune(v)) > 60 {
			v = string([]rune(v)[:60]) + "…"
		}
		return strconv.Quote(v)
	case json.Number:
		return "the number " + v.String()
	default:
		return fmt.Sprint(v)
	}
}

func hint(word string, known []string) string {
	if near := Nearest(word, known); near != "" {
		return ", did you mean " + near + "?"
	}
	return ""
}

// Nearest returns the known word that a person most probably meant, or "" when
// none is near: at most a third of the letters differ.
func Nearest(word string, known []string) string {
	best, distance := "", max(1, len([]rune(word))/3)+1
	for _, k := range known {
		if d := edits([]rune(strings.ToLower(word)), []rune(strings.ToLower(k))); d < distance {
			best, distance = k, d
		}
	}
	if word == "" {
		return ""
	}
	return best
}

// edits is the number of letters to insert, drop, change or swap with their
// neighbour (optimal string alignment).
func edits(a, b []rune) int {
	if len(a) > 64 || len(b) > 64 {
		return 64
	}
	rows := make([][]int, len(a)+1)
	for i := range rows {
		rows[i] = make([]int, len(b)+1)
		rows[i][0] = i
	}
	for j := range rows[0] {
		rows[0][j] = j
	}
	for i := 1; i <= len(a); i++ {
		for j := 1; j <= len(b); j++ {
			cost := 1
			if a[i-1] == b[j-1] {
				cost = 0
			}
			rows[i][j] = min(rows[i-1][j]+1, rows[i][j-1]+1, rows[i-1][j-1]+cost)
			if i > 1 && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1] {
				rows[i][j] = min(rows[i][j], rows[i-2][j-2]+1)
			}
		}
	}
	return rows[len(a)][len(b)]
}
