package policy

import (
	"cmp"
	"maps"
	"regexp"
	"slices"
	"strings"

	"github.com/open-policy-agent/opa/v1/ast"

	"github.com/changevouch/changevouch/engine"
)

// derivation reads out of compiled rules what people want to know of them.
//
// Rules are followed along the compiler's graph, rule by rule, so a control has
// the settings of what it depends on and not of all that it imports.
type derivation struct {
	compiler *ast.Compiler
	modules  map[string]*ast.Module // as they were written
	written  map[string][]Reason    // by package: what stands beside each literal code
}

func newDerivation(b *built) *derivation {
	d := &derivation{compiler: b.compiled, modules: b.modules, written: map[string][]Reason{}}
	for _, name := range slices.Sorted(maps.Keys(b.modules)) {
		if !isTest(name) {
			pkg := packageName(b.modules[name])
			d.written[pkg] = append(d.written[pkg], writtenReasons(b.modules[name])...)
		}
	}
	return d
}

func packageName(m *ast.Module) string { return strings.TrimPrefix(m.Package.Path.String(), "data.") }

// rules are those of a control's own package.
func (d *derivation) rules(control string) []*ast.Rule {
	var out []*ast.Rule
	for _, name := range slices.Sorted(maps.Keys(d.compiler.Modules)) {
		if m := d.compiler.Modules[name]; !isTest(name) && packageName(m) == "controls."+control {
			out = append(out, m.Rules...)
		}
	}
	return out
}

// reach lists the rules and all that they depend on, as far as follow allows.
func (d *derivation) reach(rules []*ast.Rule, follow func(*ast.Rule) bool) []*ast.Rule {
	seen := map[*ast.Rule]bool{}
	todo := slices.Clone(rules)
	for len(todo) > 0 {
		rule := todo[0]
		todo = todo[1:]
		if seen[rule] {
			continue
		}
		seen[rule] = true
		for next := range d.compiler.Graph.Dependencies(rule) {
			if other, ok := next.(*ast.Rule); ok && follow(other) {
				todo = append(todo, other)
			}
		}
	}
	return slices.SortedFunc(maps.Keys(seen), func(a, b *ast.Rule) int {
		return cmp.Or(strings.Compare(a.Location.File, b.Location.File), a.Location.Row-b.Location.Row, a.Location.Col-b.Location.Col)
	})
}

// settings are the parameters that a control reads.
func (d *derivation) settings(control string) []Reading {
	root := ast.MustParseRef("data.settings")
	keys := map[string]map[string]bool{}
	for _, rule := range d.reach(d.rules(control), func(*ast.Rule) bool { return true }) {
		pkg := packageName(rule.Module)
		ast.WalkRefs(rule, func(ref ast.Ref) bool {
			if ref.HasPrefix(root) && len(ref) > len(root) {
				if keys[pkg] == nil {
					keys[pkg] = map[string]bool{}
				}
				keys[pkg][dotted(ref[len(root):])] = true
			}
			return false
		})
	}
	var out []Reading
	for _, pkg := range slices.Sorted(maps.Keys(keys)) {
		out = append(out, Reading{Package: pkg, Keys: slices.Sorted(maps.Keys(keys[pkg]))})
	}
	own := "controls." + control
	slices.SortStableFunc(out, func(a, b Reading) int {
		switch {
		case a.Package == b.Package:
			return 0
		case a.Package == own:
			return -1
		case b.Package == own:
			return 1
		}
		return 0
	})
	return out
}

// dotted joins the keys of a reference up to the first that is computed.
func dotted(ref ast.Ref) string {
	var keys []string
	for _, term := range ref {
		key, ok := term.Value.(ast.String)
		if !ok {
			break
		}
		keys = append(keys, string(key))
	}
	return strings.Join(keys, ".")
}

// code is what a reason looks like.
var code = regexp.MustCompile(`^[a-z][a-z0-9_]*\.[a-z][a-z0-9_]*$`)

// sources are the rules whose literals can become the reason or the status of a
// problem: those of the control's own package and, where a problem takes its
// reason from elsewhere, the rules that it takes it from, within their package.
func (d *derivation) sources(control string) []*ast.Rule {
	own := d.rules(control)
	out := slices.Clone(own)
	for _, rule := range own {
		for _, ref := range borrowed(rule) {
			for _, lender := range d.compiler.GetRules(ref) {
				if packageName(lender.Module) == "controls."+control {
					continue
				}
				out = append(out, d.reach([]*ast.Rule{lender}, func(other *ast.Rule) bool {
					return packageName(other.Module) == packageName(lender.Module)
				})...)
			}
		}
	}
	return out
}

// borrowed lists what a rule binds to variables whose reason it passes on, or
// which are problems themselves.
func borrowed(rule *ast.Rule) []ast.Ref {
	lent := ast.NewVarSet()
	ast.WalkRefs(rule, func(ref ast.Ref) bool {
		if from, ok := ref[0].Value.(ast.Var); ok && ref[len(ref)-1].Equal(ast.StringTerm("reason")) {
			lent.Add(from)
		}
		return false
	})
	if rule.Head.Ref()[0].Equal(ast.VarTerm("problems")) {
		if whole, ok := rule.Head.Key.Value.(ast.Var); ok {
			lent.Add(whole)
		}
	}
	var refs []ast.Ref
	ast.WalkExprs(rule, func(expr *ast.Expr) bool {
		binds := false
		ast.WalkVars(expr, func(v ast.Var) bool {
			binds = binds || lent.Contains(v)
			return binds
		})
		if binds {
			ast.WalkRefs(expr, func(ref ast.Ref) bool {
				if ref.HasPrefix(ast.DefaultRootRef) {
					refs = append(refs, ref.ConstantPrefix())
				}
				return false
			})
		}
		return false
	})
	return refs
}

// literals are the texts that appear in rules.
func literals(rules []*ast.Rule) map[string]bool {
	out := map[string]bool{}
	for _, rule := range rules {
		ast.WalkTerms(rule, func(term *ast.Term) bool {
			if text, ok := term.Value.(ast.String); ok {
				out[string(text)] = true
			}
			return false
		})
	}
	return out
}

// reasons are the codes that a control can give.
func (d *derivation) reasons(control string) []Reason {
	sources := d.sources(control)
	codes := map[string]*Reason{}
	for text := range literals(sources) {
		if code.MatchString(text) {
			codes[text] = &Reason{Code: text}
		}
	}
	seen := map[string]bool{}
	for _, rule := range sources {
		pkg := packageName(rule.Module)
		if seen[pkg] {
			continue
		}
		seen[pkg] = true
		for _, written := range d.written[pkg] {
			if reason := codes[written.Code]; reason != nil {
				reason.Statuses = union(reason.Statuses, written.Statuses)
				reason.Says = union(reason.Says, written.Says)
			}
		}
	}
	var out []Reason
	for _, name := range slices.Sorted(maps.Keys(codes)) {
		slices.SortFunc(codes[name].Statuses, byStatus)
		out = append(out, *codes[name])
	}
	return out
}

func union(a, b []string) []string {
	for _, text := range b {
		if !slices.Contains(a, text) {
			a = append(a, text)
		}
	}
	return a
}

func byStatus(a, b string) int { return slices.Index(statusOrder, a) - slices.Index(statusOrder, b) }

// statuses are those that a control can give. A rule without a verdict is
// unknown, so unknown is always among them.
func (d *derivation) statuses(control string, waivable bool) []string {
	found := map[string]bool{engine.StatusUnknown: true}
	for text := range literals(d.sources(control)) {
		if text == engine.StatusFail || text == engine.StatusPending {
			found[text] = true
		}
	}
	for _, rule := range d.rules(control) {
		switch rule.Head.Ref()[0].Value.String() {
		case "passed":
			found[engine.StatusPass] = true
		case "not_applicable":
			found[engine.StatusNotApplicable] = true
		}
	}
	found[engine.StatusWaived] = found[engine.StatusFail] && waivable
	return slices.DeleteFunc(slices.Clone(statusOrder), func(status string) bool { return !found[status] })
}

// writtenReasons finds objects with a literal reason, and what they say.
func writtenReasons(module *ast.Module) []Reason {
	var out []Reason
	ast.WalkTerms(module, func(term *ast.Term) bool {
		object, ok := term.Value.(ast.Object)
		if !ok {
			return false
		}
		text := func(key string) string {
			if value := object.Get(ast.StringTerm(key)); value != nil {
				return sentence(value)
			}
			return ""
		}
		reason := Reason{Code: text("reason")}
		if !code.MatchString(reason.Code) {
			return false
		}
		if status := text("status"); slices.Contains(statusOrder, status) {
			reason.Statuses = []string{status}
		}
		if says := cmp.Or(text("message"), text("text"), text("why")); says != "" {
			reason.Says = []string{says}
		}
		out = append(out, reason)
		return false
	})
	return out
}

// sentence is a literal text, or a template with … for what it fills in; empty
// for anything else.
func sentence(term *ast.Term) string {
	switch value := term.Value.(type) {
	case ast.String:
		return string(value)
	case *ast.TemplateString:
		var b strings.Builder
		for _, part := range value.Parts {
			text, ok := part.(*ast.Term)
			if !ok {
				b.WriteString("…")
				continue
			}
			if literal, ok := text.Value.(ast.String); ok {
				b.WriteString(string(literal))
			} else {
				b.WriteString("…")
			}
		}
		return b.String()
	}
	return ""
}

// tests are the packages that test a control, by the name of the package.
func (d *derivation) tests(control string) []TestPackage {
	var out []TestPackage
	for _, name := range slices.Sorted(maps.Keys(d.modules)) {
		module := d.modules[name]
		pkg := packageName(module)
		if !isTest(name) || pkg != "tests."+control && pkg != "controls."+control+"_test" {
			continue
		}
		tests := TestPackage{Package: pkg, File: name}
		for _, rule := range module.Rules {
			title := rule.Head.Ref()[0].Value.String()
			if !strings.HasPrefix(title, "test_") {
				continue
			}
			i := slices.IndexFunc(tests.Tests, func(t TestRule) bool { return t.Name == title })
			if i < 0 {
				i = len(tests.Tests)
				tests.Tests = append(tests.Tests, TestRule{Name: title})
			}
			tests.Tests[i].Cases = append(tests.Tests[i].Cases, tableCases(rule)...)
		}
		if len(tests.Tests) > 0 {
			out = append(out, tests)
		}
	}
	return out
}

// tableCases are the keys of the object that a table test_x[name] goes over, in
// `some name, case in {…}`.
func tableCases(rule *ast.Rule) []string {
	if rule.Head.DocKind() != ast.PartialObjectDoc || rule.Head.Key == nil && len(rule.Head.Reference) < 2 {
		return nil
	}
	var names []string
	ast.WalkTerms(rule.Body, func(term *ast.Term) bool {
		call, ok := term.Value.(ast.Call)
		if !ok || len(call) != 4 || call[0].String() != ast.MemberWithKey.Name {
			return names != nil
		}
		key := rule.Head.Reference[len(rule.Head.Reference)-1]
		table, ok := call[3].Value.(ast.Object)
		if !ok || !call[1].Equal(key) {
			return false
		}
		for _, entry := range table.Keys() {
			if name, ok := entry.Value.(ast.String); ok {
				names = append(names, string(name))
			}
		}
		return true
	})
	slices.Sort(names)
	return names
}
