package policy

import (
	"context"
	"fmt"
	"io/fs"
	"maps"
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
	Base     []fs.FS // not used when a source has package decision itself: it is a whole bundle
	Settings []byte
}

// CheckError lists what Check found.
type CheckError struct {
	Problems []string
}

func (e *CheckError) Error() string {
	return strings.Join(e.Problems, "\n")
}

// Check reports what keeps the draft from being loaded (see Load), and
// controls whose METADATA is missing or disagrees with the catalogue.
func (d Draft) Check(ctx context.Context) error {
	built, own, err := d.build(ctx)
	if err != nil {
		return err
	}
	p, err := built.policy(ctx, Options{})
	if err != nil {
		return err
	}
	var problems []string
	packages := controlPackages(built.modules)
	for _, control := range p.controls {
		if module := packages[control.Rule]; module != nil && own[module.Package.Location.File] {
			problems = append(problems, metadataProblems(control, module)...)
		}
	}
	if len(problems) > 0 {
		return &CheckError{Problems: problems}
	}
	return nil
}

// metadataProblems compares a control package with its catalogue row. Prose in
// METADATA is what people read about a control, so it must be there.
func metadataProblems(control Control, module *ast.Module) []string {
	where := fmt.Sprintf("%s:%d: control %s", module.Package.Location.File, module.Package.Location.Row, control.ID)
	meta := packageMetadata(module)
	if meta == nil {
		return []string{where + " has no METADATA above its package: give it title, description and custom.id"}
	}
	var problems []string
	if meta.Title == "" {
		problems = append(problems, where+" has no title in its METADATA")
	}
	if meta.Description == "" {
		problems = append(problems, where+" has no description in its METADATA")
	}
	if id := meta.Custom["id"]; id != control.ID {
		problems = append(problems, fmt.Sprintf("%s has custom.id %v in its METADATA", where, id))
	}
	if clause, ok := meta.Custom["clause"]; ok && clause != control.Clause {
		problems = append(problems, fmt.Sprintf("%s has clause %q in its METADATA, %q in the catalogue", where, clause, control.Clause))
	}
	return problems
}

// build reads and parses the draft with its tests. own holds the names of the
// modules that come from the sources.
func (d Draft) build(ctx context.Context) (b *built, own map[string]bool, err error) {
	var drafts []source
	for _, s := range d.Sources {
		files, err := s.read(ctx)
		if err != nil {
			return nil, nil, err
		}
		drafts = append(drafts, source{files: files, prefix: s.Name})
	}
	own = map[string]bool{}
	whole := false
	for _, s := range drafts {
		parsed, err := parse(s.files, s.prefix)
		if err != nil {
			return nil, nil, err
		}
		for name, module := range parsed.modules {
			own[name] = true
			whole = whole || module.Package.Path.Equal(ast.MustParseRef("data.decision"))
		}
	}
	if len(own) == 0 {
		return nil, nil, fmt.Errorf("no rego in %s", d.names())
	}
	sources := drafts
	if !whole {
		sources = nil
		for _, base := range d.Base {
			files, err := readFolder(ctx, base, false)
			if err != nil {
				return nil, nil, err
			}
			sources = append(sources, source{files: files})
		}
		sources = append(sources, drafts...)
	}
	b, err = build(sources, d.Settings)
	return b, own, err
}

func (d Draft) names() string {
	var names []string
	for _, s := range d.Sources {
		names = append(names, strings.TrimSuffix(s.Name+"/"+s.Only, "/"))
	}
	return strings.Join(names, ", ")
}

func (s Source) read(ctx context.Context) (fileset, error) {
	files, err := readFolder(ctx, s.FS, true)
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
