package app

import (
	"encoding/json"
	"fmt"
	"maps"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/changevouch/changevouch/schemas"
)

const day = 24 * time.Hour

// Where a setting comes from, if not from a variable or a flag.
const (
	originDefault = "default"
	originFile    = "file"
)

// The kinds of paths that the schema knows as units of its texts.
const (
	unitFile         = "file"
	unitSecretFile   = "secret file"
	unitFileOrFolder = "file or folder"
	unitReleases     = "releases" // a file, or ReleasesInJournal
	unitJournal      = "journal"  // sqlite:PATH or an address
)

// Setting is one effective setting of a configuration.
type Setting struct {
	Path   string `json:"path"`
	Value  any    `json:"value"`  // passwords are taken out
	Origin string `json:"origin"` // default, FILE:LINE, the variable or the flag
}

// Settings lists every effective setting, sorted by path.
func (c *Config) Settings() []Setting { return slices.Clone(c.settings) }

// setting is what the schema says of one: a scalar, a list, or an object that may be
// there without any setting in it.
type setting struct {
	path     string // joined by dots
	node     map[string]any
	standard any // what holds where nobody says; nil for nothing
}

func (s setting) variable() string {
	return "VOUCH_" + strings.ToUpper(strings.ReplaceAll(s.path, ".", "_"))
}

func (s setting) flag() string {
	return strings.NewReplacer(".", "-", "_", "-").Replace(s.path)
}

// configSettings lists the settings of the schema, in its order of names.
func configSettings() ([]setting, error) {
	text, err := schemas.Source(schemas.Config)
	if err != nil {
		return nil, fmt.Errorf("configuration: %w", err)
	}
	var root map[string]any
	if err := json.Unmarshal(text, &root); err != nil {
		return nil, fmt.Errorf("configuration: schema: %w", err)
	}
	var all []setting
	var walk func(path string, node map[string]any)
	walk = func(path string, node map[string]any) {
		properties, ok := node["properties"].(map[string]any)
		if !ok {
			all = append(all, setting{path: path, node: node, standard: node["default"]})
			return
		}
		for _, name := range slices.Sorted(maps.Keys(properties)) {
			below, _ := properties[name].(map[string]any)
			walk(strings.TrimPrefix(path+"."+name, "."), below)
		}
	}
	walk("", root)
	return all, nil
}

// parse reads a setting out of a variable or a flag.
func (s setting) parse(text string) (any, error) {
	switch s.node["type"] {
	case "boolean":
		b, err := strconv.ParseBool(text)
		if err != nil {
			return nil, fmt.Errorf("true or false is expected, found %q", text)
		}
		return b, nil
	case "integer":
		n, err := strconv.ParseInt(text, 10, 64)
		if err != nil {
			return nil, fmt.Errorf("a whole number is expected, found %q", text)
		}
		return n, nil
	case "array":
		items, _ := s.node["items"].(map[string]any)
		if items["properties"] != nil {
			return nil, fmt.Errorf("%s is a list of objects: it can be set in the file only", s.path)
		}
		list := []any{}
		for part := range strings.SplitSeq(text, ",") {
			if part = strings.TrimSpace(part); part != "" {
				list = append(list, part)
			}
		}
		return list, nil
	}
	return text, nil
}

// shown lists what holds, for people.
func (l *configLoad) shown() []Setting {
	values, _ := l.root.(map[string]any)
	var out []Setting
	for _, s := range l.settings {
		value, ok := at(values, s.path)
		if !ok {
			continue
		}
		from := l.origin[s.path]
		if from == originFile {
			from = l.path
			if line, _ := l.document.Position("/" + strings.ReplaceAll(s.path, ".", "/")); line > 0 {
				from = fmt.Sprintf("%s:%d", l.path, line)
			}
		}
		out = append(out, Setting{Path: s.path, Value: withoutPassword(value), Origin: from})
	}
	return out
}

// withoutPassword takes passwords out of addresses.
func withoutPassword(value any) any {
	switch v := value.(type) {
	case string:
		if u, err := url.Parse(v); err == nil && u.Host != "" {
			if query := u.Query(); query.Has("password") {
				query.Set("password", "xxxxx")
				u.RawQuery = query.Encode()
			}
			return u.Redacted()
		}
	case []any:
		out := make([]any, len(v))
		for i, one := range v {
			out[i] = withoutPassword(one)
		}
		return out
	case map[string]any:
		out := map[string]any{}
		for key, one := range v {
			out[key] = withoutPassword(one)
		}
		return out
	}
	return value
}
