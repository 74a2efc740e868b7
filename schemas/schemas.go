// Package schemas holds the JSON Schemas (2020-12) of every document that
// Changevouch reads or writes, and tells people what is wrong with a document.
//
// Validate checks bytes. Parse and ParseYAML give a Document, whose value can
// be used after its check without reading the bytes again. Nothing here reads
// a file or the network; everything is safe for concurrent use.
package schemas

import (
	"bytes"
	"embed"
	"fmt"
	"io"
	"strconv"
	"strings"
	"sync"
	"time"
	_ "time/tzdata" // time zones do not depend on the machine having them

	"github.com/santhosh-tekuri/jsonschema/v5"
)

// Name names a schema.
type Name string

// The schemas.
const (
	Event     Name = "event"
	Dossier   Name = "dossier"
	Decision  Name = "decision"
	Directory Name = "directory"
	Settings  Name = "settings"
	Releases  Name = "releases"
	Config    Name = "config"
)

// baseURL is the folder of every schema's $id.
const baseURL = "https://changevouch.dev/schemas/"

//go:embed *.json
var files embed.FS

// Names lists every schema, sorted.
func Names() []Name {
	return []Name{Config, Decision, Directory, Dossier, Event, Releases, Settings}
}

// Source returns the text of a schema; the caller may change the copy.
func Source(name Name) ([]byte, error) {
	text, err := files.ReadFile(string(name) + ".json")
	if err != nil {
		return nil, fmt.Errorf("no schema named %q", name)
	}
	return text, nil
}

// Validate reports everything that is wrong with a JSON document: text that is
// not strict JSON (see Parse), and values that the schema forbids. No faults
// means valid. Faults are ordered by place; at most MaxFaults are returned.
func Validate(name Name, doc []byte) []Fault {
	d, faults := Parse(doc)
	if len(faults) > 0 {
		return faults
	}
	return d.Validate(name)
}

// schema is one compiled schema beside its text, which the messages quote.
type schema struct {
	compiled *jsonschema.Schema
	root     any
	raw      map[string]any // by file name: a schema may refer to another
}

// compiled compiles an embedded schema when it is first asked for; the schemas
// are constants, so once is enough for a process.
var compiled = func() map[Name]func() (schema, error) {
	all := map[Name]func() (schema, error){}
	for _, name := range Names() {
		all[name] = sync.OnceValues(func() (schema, error) { return compile(name) })
	}
	return all
}()

// compile compiles one schema. Others that it refers to are loaded on the way.
func compile(name Name) (schema, error) {
	raw := map[string]any{}
	compiler := jsonschema.NewCompiler()
	compiler.Draft = jsonschema.Draft2020
	compiler.AssertFormat = true
	compiler.Formats["date-time"] = isInstant
	compiler.Formats["timezone"] = isTimezone
	compiler.Formats["timespan"] = isTimespan
	compiler.LoadURL = func(url string) (io.ReadCloser, error) {
		file, ok := strings.CutPrefix(url, baseURL)
		text, err := files.ReadFile(file)
		if !ok || err != nil {
			return nil, fmt.Errorf("schema %s is not embedded; nothing else is ever loaded", url)
		}
		doc, faults := Parse(text)
		if len(faults) > 0 {
			return nil, fmt.Errorf("%s: %s", file, faults[0])
		}
		raw[file] = doc.value
		return io.NopCloser(bytes.NewReader(text)), nil
	}
	file := string(name) + ".json"
	s, err := compiler.Compile(baseURL + file)
	if err != nil {
		return schema{}, fmt.Errorf("schema %s: %w", name, err)
	}
	return schema{compiled: s, root: raw[file], raw: raw}, nil
}

// isInstant accepts RFC 3339 with an offset, strictly as Go's time.Time reads
// it, and only years that fit the nanoseconds with which OPA reckons.
func isInstant(v any) bool {
	text, ok := v.(string)
	if !ok {
		return true // another keyword's matter
	}
	var t time.Time
	if err := t.UnmarshalText([]byte(text)); err != nil {
		return false
	}
	year := t.UTC().Year()
	return year > 1677 && year < 2262
}

// isTimezone accepts IANA names. The empty name and "Local" mean the machine's
// own zone to Go, which no document can mean.
func isTimezone(v any) bool {
	name, ok := v.(string)
	if !ok {
		return true
	}
	_, err := time.LoadLocation(name)
	return err == nil && name != "" && name != "Local"
}

func isTimespan(v any) bool {
	text, ok := v.(string)
	if !ok {
		return true
	}
	_, err := ParseTimespan(text)
	return err == nil
}

// ParseTimespan reads a positive length of time as time.ParseDuration does, and days
// of 24 hours before it: 90s, 15m, 2d, 1d12h.
func ParseTimespan(text string) (time.Duration, error) {
	var span time.Duration
	rest := text
	if days, after, ok := strings.Cut(text, "d"); ok {
		n, err := strconv.ParseUint(days, 10, 16)
		if err != nil {
			return 0, notTimespan(text)
		}
		span, rest = time.Duration(n)*24*time.Hour, after
	}
	if rest != "" || span == 0 {
		short, err := time.ParseDuration(rest)
		if err != nil || short < 0 {
			return 0, notTimespan(text)
		}
		span += short
	}
	if span <= 0 {
		return 0, notTimespan(text)
	}
	return span, nil
}

func notTimespan(text string) error {
	return fmt.Errorf("%s is no length of time, such as 90s, 15m, 12h or 2d", describe(text))
}
