package app

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/knadh/koanf/providers/confmap"
	"github.com/knadh/koanf/v2"
	"github.com/spf13/pflag"

	"github.com/changevouch/changevouch/schemas"
)

// ConfigFile is read where no other is named, if it is there.
const ConfigFile = "changevouch.yaml"

// ConfigSource is where configuration comes from. A flag counts more than a variable,
// a variable more than the file, the file more than a default. The setting log.level
// is VOUCH_LOG_LEVEL as a variable and --log-level as a flag; settings within lists of
// objects are in the file only.
type ConfigSource struct {
	File      string         // empty is ConfigFile, which may be missing
	Flags     *pflag.FlagSet // those with the name of a setting count, if they were given
	LookupEnv func(string) (string, bool)
}

// ConfigError is everything that is wrong with a configuration.
type ConfigError struct{ Faults []string }

func (e *ConfigError) Error() string { return strings.Join(e.Faults, "\n") }

// LoadConfig reads and checks a configuration. Its error is a *ConfigError when it
// could be read and is wrong; it lists every fault.
func LoadConfig(s ConfigSource) (*Config, error) {
	all, err := configSettings()
	if err != nil {
		return nil, err
	}
	l := configLoad{source: s, settings: all, origin: map[string]string{}, koanf: koanf.New(".")}
	if err := l.read(); err != nil {
		return nil, err
	}
	c, err := l.merged()
	if err != nil {
		return nil, err
	}
	l.check(c)
	if len(l.faults) > 0 {
		return nil, &ConfigError{Faults: l.sorted()}
	}
	c.Warnings = l.warnings
	return c, nil
}

// configLoad is one reading of a configuration.
type configLoad struct {
	source   ConfigSource
	settings []setting
	path     string            // of the file; empty is none
	document *schemas.Document // of the file
	origin   map[string]string // of settings, by their path
	koanf    *koanf.Koanf
	root     any // all values together
	faults   []configFault
	warnings []string
}

type configFault struct {
	line, column int // 0 where it is not in the file
	text         string
}

// sorted puts faults in the order of the file, those from elsewhere last.
func (l *configLoad) sorted() []string {
	slices.SortStableFunc(l.faults, func(a, b configFault) int {
		if (a.line == 0) != (b.line == 0) {
			return b.line - a.line
		}
		return (a.line-b.line)*10000 + a.column - b.column
	})
	var out []string
	for _, f := range l.faults {
		if !slices.Contains(out, f.text) {
			out = append(out, f.text)
		}
	}
	return out
}

// fault notes what is wrong with the value at a pointer, and where it comes from.
func (l *configLoad) fault(pointer, format string, args ...any) {
	text := fmt.Sprintf(format, args...)
	if from := l.origin[l.settingAt(pointer)]; from != "" && from != originFile {
		l.faults = append(l.faults, configFault{text: from + ": " + text})
		return
	}
	f := schemas.Fault{Pointer: pointer, Message: text}
	for at := pointer; f.Line == 0 && l.document != nil; at = at[:strings.LastIndexByte(at, '/')] {
		f.Line, f.Column = l.document.Position(at)
		if at == "" {
			break
		}
	}
	l.faults = append(l.faults, configFault{line: f.Line, column: f.Column, text: l.place(f)})
}

func (l *configLoad) place(f schemas.Fault) string {
	switch {
	case l.path == "":
		return f.String()
	case f.Line > 0:
		return l.path + ":" + f.String()
	}
	return l.path + ": " + f.String()
}

// settingAt is the path of the setting in which a pointer points.
func (l *configLoad) settingAt(pointer string) string {
	path := strings.ReplaceAll(strings.TrimPrefix(pointer, "/"), "/", ".")
	for _, s := range l.settings {
		if path == s.path || strings.HasPrefix(path, s.path+".") {
			return s.path
		}
	}
	return path
}

// read puts the layers over one another: defaults, file, variables, flags.
func (l *configLoad) read() error {
	defaults := map[string]any{}
	for _, s := range l.settings {
		if s.standard != nil {
			defaults[s.path], l.origin[s.path] = s.standard, originDefault
		}
	}
	if err := l.layer(defaults); err != nil {
		return err
	}
	if err := l.readFile(); err != nil {
		return err
	}
	if err := l.layer(l.variables()); err != nil {
		return err
	}
	return l.layer(l.flags())
}

func (l *configLoad) layer(values map[string]any) error {
	if err := l.koanf.Load(confmap.Provider(values, "."), nil); err != nil {
		return fmt.Errorf("configuration: %w", err)
	}
	return nil
}

func (l *configLoad) readFile() error {
	path := l.source.File
	if path == "" {
		path = ConfigFile
	}
	text, err := readFile(path)
	if l.source.File == "" && errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("configuration: %w", err)
	}
	l.path = path
	doc, faults := schemas.ParseYAML(text)
	if doc != nil {
		l.document = doc
		faults = doc.Validate(schemas.Config)
	}
	for _, f := range faults {
		l.faults = append(l.faults, configFault{line: f.Line, column: f.Column, text: l.place(f)})
	}
	if doc == nil {
		return &ConfigError{Faults: l.sorted()}
	}
	values, ok := sound(doc.Value(), "", faults).(map[string]any)
	if !ok {
		return &ConfigError{Faults: l.sorted()}
	}
	for _, s := range l.settings {
		if value, ok := at(values, s.path); ok {
			l.origin[s.path] = originFile
			set(values, s.path, relativeTo(filepath.Dir(path), value, s.node))
		}
	}
	return l.layer(values)
}

// sound is a value without what is wrong in it, so that the rest can be checked too.
func sound(value any, pointer string, faults []schemas.Fault) any {
	wrong := func(at string) bool {
		return slices.ContainsFunc(faults, func(f schemas.Fault) bool { return f.Pointer == at && f.Keyword != "required" })
	}
	if pointer != "" && wrong(pointer) {
		return nil
	}
	switch v := value.(type) {
	case map[string]any:
		out := map[string]any{}
		for key, sub := range v {
			escaped := strings.ReplaceAll(strings.ReplaceAll(key, "~", "~0"), "/", "~1")
			if kept := sound(sub, pointer+"/"+escaped, faults); kept != nil {
				out[key] = kept
			}
		}
		return out
	case []any:
		out := make([]any, 0, len(v))
		for i, sub := range v {
			kept := sound(sub, pointer+"/"+strconv.Itoa(i), faults)
			if kept == nil {
				return nil // places in it would shift
			}
			out = append(out, kept)
		}
		return out
	}
	return value
}

// variables are the settings that the environment makes.
func (l *configLoad) variables() map[string]any {
	values := map[string]any{}
	for _, s := range l.settings {
		text, _ := l.source.LookupEnv(s.variable())
		if text == "" {
			continue
		}
		l.take(values, s, s.variable(), text)
	}
	return values
}

// flags are the settings that the command line makes. A flag that was set from its
// variable is that variable.
func (l *configLoad) flags() map[string]any {
	values := map[string]any{}
	if l.source.Flags == nil {
		return values
	}
	for _, s := range l.settings {
		f := l.source.Flags.Lookup(s.flag())
		if f == nil || !f.Changed {
			continue
		}
		text := f.Value.String()
		if list, ok := f.Value.(pflag.SliceValue); ok {
			text = strings.Join(list.GetSlice(), ",")
		}
		if variable, _ := l.source.LookupEnv(s.variable()); variable != text {
			l.take(values, s, "--"+f.Name, text)
		}
	}
	return values
}

// take reads the text of one setting.
func (l *configLoad) take(values map[string]any, s setting, from, text string) {
	value, err := s.parse(text)
	if err != nil {
		l.faults = append(l.faults, configFault{text: fmt.Sprintf("%s: %v", from, err)})
		return
	}
	values[s.path], l.origin[s.path] = value, from
}

// merged checks all layers together and decodes them.
func (l *configLoad) merged() (*Config, error) {
	text, err := json.Marshal(l.koanf.Raw())
	if err != nil {
		return nil, fmt.Errorf("configuration: %w", err)
	}
	doc, faults := schemas.Parse(text)
	if doc == nil {
		return nil, fmt.Errorf("configuration: %v", faults)
	}
	faults = doc.Validate(schemas.Config)
	for _, f := range faults {
		if from := l.origin[l.settingAt(f.Pointer)]; from != originFile {
			l.fault(f.Pointer, "%s", f.Message)
		} else if f.Keyword == "required" && l.document == nil {
			l.fault(f.Pointer, "%s", f.Message)
		}
	}
	l.root = sound(doc.Value(), "", faults)
	if text, err = json.Marshal(l.root); err != nil {
		return nil, fmt.Errorf("configuration: %w", err)
	}
	c := &Config{File: l.path}
	if err := json.Unmarshal(text, c); err != nil {
		return nil, fmt.Errorf("configuration: %w", err)
	}
	for i := range c.OIDC {
		if c.OIDC[i].PrincipalClaim == "" {
			c.OIDC[i].PrincipalClaim = "sub"
		}
	}
	for i := range c.Notifications {
		n := &c.Notifications[i]
		if len(n.On) == 0 {
			n.On = []string{"violation", "deadline"}
		}
		if n.DeadlineWithin.Duration == 0 {
			n.DeadlineWithin = Duration{day}
		}
	}
	c.settings = l.shown()
	return c, nil
}

// at finds a value by the path of its setting.
func at(values map[string]any, path string) (any, bool) {
	key, rest, more := strings.Cut(path, ".")
	value, ok := values[key]
	if !more || !ok {
		return value, ok
	}
	below, ok := value.(map[string]any)
	if !ok {
		return nil, false
	}
	return at(below, rest)
}

func set(values map[string]any, path string, value any) {
	key, rest, more := strings.Cut(path, ".")
	if !more {
		values[key] = value
		return
	}
	if below, ok := values[key].(map[string]any); ok {
		set(below, rest, value)
	}
}

// relativeTo makes the paths in a value those that a program in another folder would
// use.
func relativeTo(folder string, value any, node map[string]any) any {
	switch v := value.(type) {
	case string:
		unit, _ := node["unit"].(string)
		switch prefix, path, isSQLite := strings.Cut(v, ":"); {
		case unit == unitJournal && isSQLite && prefix == "sqlite" && !filepath.IsAbs(path):
			return "sqlite:" + filepath.Join(folder, path)
		case unit == "" || unit == unitJournal || unit == unitReleases && v == ReleasesInJournal || filepath.IsAbs(v):
			return v
		}
		return filepath.Join(folder, v)
	case []any:
		items, _ := node["items"].(map[string]any)
		out := make([]any, len(v))
		for i, one := range v {
			out[i] = relativeTo(folder, one, items)
		}
		return out
	case map[string]any:
		properties, _ := node["properties"].(map[string]any)
		out := maps.Clone(v)
		for key, one := range v {
			below, _ := properties[key].(map[string]any)
			out[key] = relativeTo(folder, one, below)
		}
		return out
	}
	return value
}
