package app

import (
	"bytes"
	"context"
	"embed"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/changevouch/changevouch/engine/policy"
)

//go:embed initial
var initial embed.FS

// FormLabels are the labels that the issue forms set and by which the collectors
// know what an issue records. GitHub sets only labels that exist.
func FormLabels() []string {
	return []string{"change request", "incident", "retrospective review", "post-incident review", "access request", "access review"}
}

// Starter is a file with which a repository begins.
type Starter struct {
	Path string // in the repository, with slashes
	Text []byte
}

// Starters are the template of pull requests, the issue forms, the directory and
// the settings, in the order in which people meet them. The collectors and the
// policy read what people write into them.
func Starters(ctx context.Context) ([]Starter, error) {
	places := []struct{ name, path string }{
		{"pull_request_template.md", ".github/pull_request_template.md"},
		{"change-request.yml", ".github/ISSUE_TEMPLATE/change-request.yml"},
		{"incident.yml", ".github/ISSUE_TEMPLATE/incident.yml"},
		{"emergency-review.yml", ".github/ISSUE_TEMPLATE/emergency-review.yml"},
		{"post-incident-review.yml", ".github/ISSUE_TEMPLATE/post-incident-review.yml"},
		{"access-request.yml", ".github/ISSUE_TEMPLATE/access-request.yml"},
		{"access-review.yml", ".github/ISSUE_TEMPLATE/access-review.yml"},
		{"directory.yaml", "directory.yaml"},
	}
	var out []Starter
	for _, p := range places {
		text, err := initial.ReadFile("initial/" + p.name)
		if err != nil {
			return nil, fmt.Errorf("starter %s: %w", p.path, err)
		}
		out = append(out, Starter{Path: p.path, Text: text})
	}
	settings, err := settingsStarter(ctx)
	if err != nil {
		return nil, err
	}
	return append(out, Starter{Path: "settings.yaml", Text: settings}), nil
}

// Initialise writes starters into a folder, which is created. Nothing that exists
// is touched: it is returned as kept. Where something exists nothing is written,
// unless the rest is wanted.
func Initialise(folder string, starters []Starter, rest bool) (written, kept []string, err error) {
	if err := os.MkdirAll(folder, 0o755); err != nil {
		return nil, nil, fmt.Errorf("create folder: %w", err)
	}
	root, err := os.OpenRoot(folder)
	if err != nil {
		return nil, nil, fmt.Errorf("open folder: %w", err)
	}
	defer root.Close()
	var missing []Starter
	for _, s := range starters {
		existing, err := existing(root.FS(), s.Path)
		switch {
		case err != nil:
			return nil, nil, fmt.Errorf("folder %s: %w", folder, err)
		case existing != "":
			kept = append(kept, filepath.Join(folder, filepath.FromSlash(existing)))
		default:
			missing = append(missing, s)
		}
	}
	if len(kept) > 0 && !rest {
		return nil, kept, nil
	}
	for _, s := range missing {
		if err := create(root, s); err != nil {
			return written, kept, fmt.Errorf("folder %s: %w", folder, err)
		}
		written = append(written, filepath.Join(folder, filepath.FromSlash(s.Path)))
	}
	return written, kept, nil
}

// existing finds what stands in the place of a starter, "" if nothing does. GitHub
// takes a template of pull requests under three folders, written in any case, and
// a form of issues with either ending.
func existing(files fs.FS, name string) (string, error) {
	places := []string{name}
	if path.Base(name) == "pull_request_template.md" {
		for _, folder := range []string{".", "docs"} {
			places = append(places, path.Join(folder, path.Base(name)))
		}
	}
	for _, place := range places {
		entries, err := fs.ReadDir(files, path.Dir(place))
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return "", err
		}
		for _, e := range entries {
			if strings.EqualFold(stem(e.Name()), stem(path.Base(place))) && !(e.IsDir() && path.Ext(e.Name()) == "") {
				return path.Join(path.Dir(place), e.Name()), nil
			}
		}
	}
	return "", nil
}

// stem is a name without its ending, where that says nothing.
func stem(name string) string {
	for _, end := range []string{".yml", ".yaml", ".md"} {
		if s, ok := strings.CutSuffix(name, end); ok {
			return s
		}
	}
	return name
}

func create(root *os.Root, s Starter) error {
	name := filepath.FromSlash(s.Path)
	if err := root.MkdirAll(filepath.Dir(name), 0o755); err != nil {
		return plain(err)
	}
	f, err := root.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o644)
	if err != nil {
		return fmt.Errorf("%s: %w", s.Path, plain(err))
	}
	_, err = f.Write(s.Text)
	if err = errors.Join(err, f.Close()); err != nil {
		return fmt.Errorf("%s: %w", s.Path, err)
	}
	return nil
}

const settingsHead = `# Parameters of the policy. Every value below is the default and commented out:
# take the "# " away from the lines that you want to change, group and all, and
# leave the rest. Check the file with: vouch policy settings --settings settings.yaml
`

// settingsStarter lists every parameter of the built-in policy as it is.
func settingsStarter(ctx context.Context) ([]byte, error) {
	p, err := OpenPolicy(ctx, PolicyConfig{}, "")
	if err != nil {
		return nil, err
	}
	b := bytes.NewBufferString(settingsHead)
	group := ""
	for _, parameter := range p.Parameters() {
		if err := writeParameter(b, parameter, &group); err != nil {
			return nil, fmt.Errorf("setting %s: %w", parameter.Key, err)
		}
	}
	return b.Bytes(), nil
}

// writeParameter writes one parameter below the groups that it belongs to; group
// is that of the parameter before.
func writeParameter(b *bytes.Buffer, p policy.Parameter, group *string) error {
	names := strings.Split(p.Key, ".")
	groups, name := names[:len(names)-1], names[len(names)-1]
	before := strings.Split(*group, ".")
	b.WriteString("\n")
	common := 0
	for common < len(groups) && common < len(before) && groups[common] == before[common] {
		common++
	}
	for i := common; i < len(groups); i++ {
		fmt.Fprintf(b, "# %s%s:\n", strings.Repeat("  ", i), groups[i])
	}
	*group = strings.Join(groups, ".")
	indent := strings.Repeat("  ", len(groups))
	for _, line := range explain(p) {
		fmt.Fprintf(b, "## %s%s\n", indent, line)
	}
	text, err := yamlValue(name, p.Value)
	if err != nil {
		return err
	}
	for line := range strings.Lines(text) {
		fmt.Fprintf(b, "# %s%s", indent, line)
	}
	return nil
}

// explain says what a parameter means, in its unit.
func explain(p policy.Parameter) []string {
	text := p.Description
	if p.Unit != "" {
		text += " [" + p.Unit + "]"
	}
	var lines []string
	line := ""
	for word := range strings.FieldsSeq(text) {
		if line != "" && len(line)+1+len(word) > 100 {
			lines, line = append(lines, line), ""
		}
		line = strings.TrimSpace(line + " " + word)
	}
	if line != "" {
		lines = append(lines, line)
	}
	return lines
}

// yamlValue is a parameter as YAML: a list of plain values in one line, as the
// defaults are written.
func yamlValue(name string, value any) (string, error) {
	text, err := json.Marshal(map[string]any{name: value})
	if err != nil {
		return "", err
	}
	var node yaml.Node // JSON is YAML
	if err := yaml.Unmarshal(text, &node); err != nil {
		return "", err
	}
	flow(&node)
	var b strings.Builder
	e := yaml.NewEncoder(&b)
	e.SetIndent(2)
	if err := errors.Join(e.Encode(&node), e.Close()); err != nil {
		return "", err
	}
	return b.String(), nil
}

// flow writes what holds nothing but plain values in one line, and the rest in
// lines of its own.
func flow(node *yaml.Node) {
	node.Style = 0
	plain := !slices.ContainsFunc(node.Content, func(n *yaml.Node) bool { return n.Kind != yaml.ScalarNode })
	if plain && (node.Kind == yaml.SequenceNode || node.Kind == yaml.MappingNode && len(node.Content) != 2) {
		node.Style = yaml.FlowStyle
	}
	for _, part := range node.Content {
		flow(part)
	}
}
