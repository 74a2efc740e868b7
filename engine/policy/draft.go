package policy

import (
	"context"
	"fmt"
	"io/fs"
	"maps"
	"path"
	"regexp"
	"slices"
	"strings"

	"github.com/open-policy-agent/opa/v1/ast"
)

// Source is a folder of policy that somebody is writing.
type Source struct {
	Name string // goes before file names in messages, such as "rego"
	FS   fs.FS
	Only string // read this one file; empty means all
}

// Draft is policy in the making: one source or several, laid over a base so
// that they can import its packages. Nothing of a draft runs unless all of it
// compiles as strictly as Load demands, tests included.
type Draft struct {
	Sources  []Source
	Base     []Bundle // not used when a source is a whole bundle itself
	Settings []byte
}

// CheckError lists what Check found.
type CheckError struct {
	Problems []string
}

func (e *CheckError) Error() string {
	return strings.Join(e.Problems, "\n")
}

// Check reports what keeps the draft from being loaded (see Load), controls
// whose METADATA is missing or disagrees with the catalogue, and ids that stand
// for two controls.
func (d Draft) Check(ctx context.Context) error {
	built, own, err := d.build(ctx)
	if err != nil {
		return err
	}
	p, err := built.policy(ctx, Options{})
	if err != nil {
		return err
	}
	problems := idProblems(p.controls)
	packages := controlPackages(built.modules)
	for _, control := range p.controls {
		switch module := packages[control.Rule]; {
		case module == nil:
			problems = append(problems, fmt.Sprintf("control %s: there is no package controls.%s: nothing would judge it", control.ID, control.Rule))
		case own[module.Package.Location.File]:
			problems = append(problems, metadataProblems(control, module)...)
		}
	}
	if len(problems) > 0 {
		return &CheckError{Problems: problems}
	}
	return nil
}

// idProblems finds ids that people would take for one another. Two controls may
// share an alias: together they answer it.
func idProblems(controls []Control) []string {
	var problems []string
	ids := map[string]string{}
	for _, control := range controls {
		if other, twice := ids[strings.ToUpper(control.ID)]; twice {
			problems = append(problems, fmt.Sprintf("control %s: the id differs from %s in case alone", control.ID, other))
		}
		ids[strings.ToUpper(control.ID)] = control.ID
	}
	for _, control := range controls {
		for _, alias := range control.Aliases {
			if other, taken := ids[strings.ToUpper(alias)]; taken {
				problems = append(problems, fmt.Sprintf("control %s: its alias %s is the id of control %s", control.ID, alias, other))
			}
		}
	}
	return problems
}

// metadataProblems compares a control package with its catalogue row. Prose in
// METADATA is what people read about a control, so it must be there.
func metadataProblems(control Control, module *ast.Module) []string {
	where := fmt.Sprintf("%s:%d: control %s", module.Package.Location.File, module.Package.Location.Row, control.ID)
	meta := packageMetadata(module)
	if meta == nil {
		return []string{where + " has no METADATA above its package: give it title, description, custom.id, custom.clause and custom.remediation"}
	}
	var problems []string
	for _, field := range []struct {
		name  string
		value any
		row   string // what the catalogue says; empty when it says nothing
	}{
		{"title", meta.Title, control.Title},
		{"description", meta.Description, ""},
		{"custom.id", meta.Custom["id"], control.ID},
		{"custom.clause", meta.Custom["clause"], control.Clause},
		{"custom.remediation", meta.Custom["remediation"], ""},
	} {
		text, _ := field.value.(string)
		switch {
		case field.value == nil || field.value == "":
			problems = append(problems, fmt.Sprintf("%s has no %s in its METADATA", where, field.name))
		case text == "":
			problems = append(problems, fmt.Sprintf("%s has %s %v in its METADATA, which is no text: put it in quotes", where, field.name, field.value))
		case field.row != "" && text != field.row:
			problems = append(problems, fmt.Sprintf("%s has %s %q in its METADATA, %q in the catalogue", where, field.name, text, field.row))
		}
	}
	return problems
}

// build reads and parses the draft with its tests. own holds the names of the
// modules that come from the sources.
func (d Draft) build(ctx context.Context) (b *built, own map[string]bool, err error) {
	var drafts, base []source
	own = map[string]bool{}
	whole := false
	for _, s := range d.Sources {
		files, err := s.read(ctx)
		if err != nil {
			return nil, nil, err
		}
		drafts = append(drafts, source{files: files, prefix: s.Name, draft: true})
		whole = whole || Bundle{files}.Whole()
		for name := range files {
			if strings.HasSuffix(name, ".rego") {
				own[path.Join(s.Name, name)] = true
			}
		}
	}
	if len(own) == 0 {
		return nil, nil, fmt.Errorf("no rego in %s", d.names())
	}
	if !whole {
		for _, b := range d.Base {
			base = append(base, source{files: b.files.withoutRuns()})
		}
	}
	b, err = build(append(base, drafts...), d.Settings)
	return b, own, err
}

// withoutRuns leaves out tests, but keeps what tests share: the tests of a base
// do not run, those of a draft may start from its dossiers.
func (f fileset) withoutRuns() fileset {
	out := maps.Clone(f)
	maps.DeleteFunc(out, func(name string, content []byte) bool { return isTest(name) && testRule.Match(content) })
	return out
}

var testRule = regexp.MustCompile(`(?m)^(todo_)?test_`)

func (d Draft) names() string {
	var names []string
	for _, s := range d.Sources {
		names = append(names, strings.TrimSuffix(s.Name+"/"+s.Only, "/"))
	}
	return strings.Join(names, ", ")
}

func (s Source) read(ctx context.Context) (fileset, error) {
	files, err := readFolder(ctx, s.FS)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", s.Name, err)
	}
	if s.Only == "" {
		return files, nil
	}
	content, ok := files[s.Only]
	if !ok {
		return nil, fmt.Errorf("%s/%s: neither rego nor data; it has %s", s.Name, s.Only, strings.Join(slices.Sorted(maps.Keys(files)), ", "))
	}
	return fileset{s.Only: content}, nil
}
