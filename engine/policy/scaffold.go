package policy

import (
	"bytes"
	"cmp"
	_ "embed"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"regexp"
	"slices"
	"strings"
	"text/template"

	"go.yaml.in/yaml/v3"
)

// NewControl describes a control of one's own that is to be begun.
type NewControl struct {
	ID       string // such as ACME-1; what is before the first dash is the company's own
	Title    string
	Clause   string // what it answers; empty is the id
	Severity string // empty is medium
}

// File is a file of policy, by its slash-separated name in the bundle.
type File struct {
	Name string
	Text []byte
}

//go:embed scaffold/rule.rego.tmpl
var ruleTemplate string

//go:embed scaffold/test.rego.tmpl
var testTemplate string

var (
	controlID  = regexp.MustCompile(`^[A-Za-z][A-Za-z0-9]*([-.][A-Za-z0-9]+)+$`)
	severities = []string{"critical", "high", "medium", "low"}
	separators = strings.NewReplacer("-", "_", ".", "_")
)

// Prefix is what the ids of a company begin with: ACME of ACME-1.
func (n NewControl) Prefix() string {
	return n.ID[:max(0, strings.IndexAny(n.ID, "-."))]
}

// rule is the name of the control's package.
func (n NewControl) rule() string { return strings.ToLower(separators.Replace(n.ID)) }

// Scaffold begins a control in a folder, which becomes a bundle of one's own if
// it is none: the rule and a test that pass as they are, a catalogue row, and a
// manifest, so that any OPA can load the folder beside the built-in bundle. It
// returns the files to write; nothing that is there is lost.
func (n NewControl) Scaffold(folder fs.FS) ([]File, error) {
	n.Clause, n.Severity = cmp.Or(n.Clause, n.ID), cmp.Or(n.Severity, "medium")
	part := strings.ToLower(n.Prefix())
	switch {
	case !controlID.MatchString(n.ID):
		return nil, fmt.Errorf("%q is no id of a control, such as ACME-1: letters and digits, parted by dashes or dots", n.ID)
	case slices.Contains(reservedParts, part):
		return nil, fmt.Errorf("the prefix %s is a word of the catalogue: take another", n.Prefix())
	case strings.TrimSpace(n.Title) == "" || strings.ContainsAny(n.Title, "\r\n"):
		return nil, errors.New("a control needs a title, in one line")
	case !slices.Contains(severities, n.Severity):
		return nil, fmt.Errorf("severity %q: it is one of %s", n.Severity, strings.Join(severities, ", "))
	}
	base := "controls/" + n.rule() + "/" + n.rule()
	files := []File{{Name: base + ".rego"}, {Name: base + "_test.rego"}}
	for i, text := range []string{ruleTemplate, testTemplate} {
		if _, err := fs.Stat(folder, files[i].Name); err == nil {
			return nil, fmt.Errorf("%s is there already", files[i].Name)
		}
		var err error
		if files[i].Text, err = n.fill(text); err != nil {
			return nil, err
		}
		if files[i].Text, err = Format(files[i].Name, files[i].Text); err != nil {
			return nil, err
		}
	}
	for _, add := range []func(fs.FS, string) (File, error){n.row, n.manifest} {
		file, err := add(folder, part)
		if err != nil {
			return nil, err
		}
		files = append(files, file)
	}
	return files, nil
}

func (n NewControl) fill(text string) ([]byte, error) {
	parsed, err := template.New("control").Funcs(template.FuncMap{"quote": quote}).Parse(text)
	if err != nil {
		return nil, fmt.Errorf("template: %w", err)
	}
	var b bytes.Buffer
	err = parsed.Execute(&b, map[string]string{
		"ID": n.ID, "Title": n.Title, "Clause": n.Clause, "Rule": n.rule(), "Label": strings.ToLower(n.ID),
		"Description": n.Title + ": say here what the control checks.",
		"Remediation": "Say here what to do when the control is not met.",
	})
	return b.Bytes(), err
}

// quote writes a text so that YAML reads it as that text.
func quote(text string) (string, error) {
	var b bytes.Buffer
	encoder := json.NewEncoder(&b)
	encoder.SetEscapeHTML(false)
	err := encoder.Encode(text)
	return strings.TrimSpace(b.String()), err
}

// row adds the control to the company's part of the catalogue.
func (n NewControl) row(folder fs.FS, part string) (File, error) {
	file := File{Name: "catalogue/" + part + "/data.yaml"}
	before, err := readOr(folder, file.Name, "# The controls of this bundle: one row, one rule.\ncontrols:\n")
	if err != nil {
		return file, err
	}
	title, err := quote(n.Title)
	if err != nil {
		return file, err
	}
	clause, err := quote(n.Clause)
	if err != nil {
		return file, err
	}
	row := fmt.Sprintf("  %s:\n    rule: %s\n    title: %s\n    clause: %s\n    severity: %s\n    subjects: [change]\n", n.ID, n.rule(), title, clause, n.Severity)
	text := strings.TrimRight(string(before), "\n") + "\n" + row
	var after struct {
		Controls map[string]any `yaml:"controls"`
	}
	if err := yaml.Unmarshal([]byte(text), &after); err != nil || after.Controls[n.ID] == nil {
		return file, fmt.Errorf("%s: the row cannot be added at its end, where the list of controls should be, or %s is there already; the row is\n%s", file.Name, n.ID, row)
	}
	file.Text = []byte(text)
	return file, nil
}

// manifest makes the folder the owner of what it holds.
func (n NewControl) manifest(folder fs.FS, part string) (File, error) {
	file := File{Name: ".manifest"}
	before, err := readOr(folder, file.Name, "{}")
	if err != nil {
		return file, err
	}
	var m struct {
		Revision    string         `json:"revision,omitempty"`
		RegoVersion int            `json:"rego_version"`
		Roots       []string       `json:"roots"`
		Metadata    map[string]any `json:"metadata,omitempty"`
	}
	decoder := json.NewDecoder(bytes.NewReader(before))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(&m); err != nil {
		return file, fmt.Errorf(".manifest: %w", err)
	}
	if slices.Contains(m.Roots, "decision") {
		return file, errors.New(".manifest: this is a whole policy; a control of one's own begins in a folder of its own")
	}
	m.RegoVersion = 1
	for _, root := range []string{"catalogue/" + part, "controls/" + n.rule(), "controls/" + n.rule() + "_test", "settings/" + part} {
		if !slices.Contains(m.Roots, root) {
			m.Roots = append(m.Roots, root)
		}
	}
	slices.Sort(m.Roots)
	text, err := json.MarshalIndent(m, "", "  ")
	file.Text = append(text, '\n')
	return file, err
}

func readOr(folder fs.FS, name, otherwise string) ([]byte, error) {
	text, err := fs.ReadFile(folder, name)
	if errors.Is(err, fs.ErrNotExist) {
		return []byte(otherwise), nil
	}
	return text, err
}
