package main_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

const module = "github.com/changevouch/changevouch"

// goPackage is what the import rules need of `go list -json`.
type goPackage struct {
	ImportPath   string
	Imports      []string
	TestImports  []string
	XTestImports []string
}

// importRule says which imports break it, and why it is there. Paths of the
// module are relative to it, all others are complete.
type importRule struct {
	reason string
	broken func(from, to string, inTest bool) bool
}

var importRules = []importRule{
	{
		reason: "the ledger, the schemas and the policies are the ground: usable, and verifiable, alone",
		broken: func(from, to string, _ bool) bool { return isGround(from) && isOurs(to) },
	},
	{
		reason: "package engine holds the words that everybody speaks: it stands on engine/ledger and schemas only",
		broken: func(from, to string, _ bool) bool {
			return from == "engine" && isOurs(to) && to != "engine/ledger" && to != "schemas"
		},
	},
	{
		reason: "the parts of the engine meet in cmd, not in each other; only pages, answers and jobs may render a report, and tests may start a database",
		broken: func(from, to string, inTest bool) bool {
			if !within(from, "engine") || !within(to, "engine") || isGround(from) || isGround(to) || inTest && to == "engine/store/storetest" {
				return false
			}
			sibling := from != "engine" && to != "engine" && part(from) != part(to)
			renders := slices.Contains([]string{"httpapi", "dashboard", "jobs"}, part(from)) && to == "engine/report"
			return sibling && !renders
		},
	},
	{
		reason: "the engine judges facts: it must not know where they came from",
		broken: func(from, to string, _ bool) bool { return within(from, "engine") && within(to, "collectors") },
	},
	{
		reason: "the engine receives its policies as an fs.FS, so that any bundle can take the place of ours (tests may use ours)",
		broken: func(from, to string, inTest bool) bool { return within(from, "engine") && to == "rego" && !inTest },
	},
	{
		reason: "collectors only report facts, in the words of package engine; their parent and their tests check them against schemas",
		broken: func(from, to string, inTest bool) bool {
			if !within(from, "collectors") || !isOurs(to) || within(to, "collectors") {
				return false
			}
			checks := to == "schemas" && (from == "collectors" || inTest)
			return to != "engine" && !checks
		},
	},
	{
		reason: "collectors are siblings, not relatives: what two of them share belongs to their parent, of tests to collectorstest",
		broken: func(from, to string, inTest bool) bool {
			if inTest && to == "collectors/collectorstest" {
				return false
			}
			return within(from, "collectors") && within(to, "collectors") && to != "collectors" && part(from) != part(to)
		},
	},
	{
		reason: "cmd wires the parts together: nothing imports it",
		broken: func(from, to string, _ bool) bool { return within(to, "cmd") && !within(from, "cmd") },
	},
	{
		reason: "engine/policy is the only importer of OPA: its capabilities and settings are fixed in one place",
		broken: func(from, to string, _ bool) bool {
			return within(to, "github.com/open-policy-agent") && !within(from, "engine/policy")
		},
	},
}

func isGround(p string) bool { return p == "engine/ledger" || p == "schemas" || p == "rego" }

func isOurs(p string) bool {
	return slices.ContainsFunc([]string{"cmd", "engine", "collectors", "rego", "schemas"},
		func(room string) bool { return within(p, room) })
}

// within reports whether p is the folder or lies in it.
func within(p, folder string) bool { return p == folder || strings.HasPrefix(p, folder+"/") }

// part is the second element of a path: "store" of "engine/store/storetest".
func part(p string) string {
	_, rest, _ := strings.Cut(p, "/")
	name, _, _ := strings.Cut(rest, "/")
	return name
}

// importFaults names each import that breaks a rule, and the rule's reason.
func importFaults(packages []goPackage) []string {
	var faults []string
	for _, p := range packages {
		from := inModule(p.ImportPath)
		check := func(imports []string, inTest bool) {
			for _, i := range imports {
				to := inModule(i)
				for _, rule := range importRules {
					if from != to && rule.broken(from, to, inTest) {
						faults = append(faults, fmt.Sprintf("%s imports %s: %s", from, to, rule.reason))
					}
				}
			}
		}
		check(p.Imports, false)
		check(p.TestImports, true)
		check(p.XTestImports, true)
		if drawer(path.Base(from)) {
			faults = append(faults, from+": name the noun; a package named like this becomes a drawer")
		}
	}
	return faults
}

func inModule(importPath string) string { return strings.TrimPrefix(importPath, module+"/") }

func drawer(name string) bool {
	return slices.Contains([]string{"base", "common", "helper", "helpers", "misc", "shared", "util", "utils"}, name)
}

func TestImports(t *testing.T) {
	for _, fault := range importFaults(listPackages(t, repository(t))) {
		t.Error(fault)
	}
}

// listPackages returns all packages of the module.
func listPackages(t *testing.T, root string) []goPackage {
	t.Helper()
	list := exec.CommandContext(t.Context(), "go", "list", "-json=ImportPath,Imports,TestImports,XTestImports", "./...")
	list.Dir = root
	var stderr bytes.Buffer
	list.Stderr = &stderr
	out, err := list.Output()
	if err != nil {
		t.Fatalf("go list ./...: %v\n%s", err, &stderr)
	}
	var packages []goPackage
	for dec := json.NewDecoder(bytes.NewReader(out)); ; {
		var p goPackage
		if err := dec.Decode(&p); errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			t.Fatalf("answer of go list: %v", err)
		}
		packages = append(packages, p)
	}
	if len(packages) == 0 {
		t.Fatal("go list found no package")
	}
	return packages
}

// TestImportRules sees every rule fail, and its neighbours pass.
func TestImportRules(t *testing.T) {
	tests := []struct {
		from, to string
		inTest   bool
		fault    string // part of the reason; empty = allowed
	}{
		{from: "engine/ledger", to: "engine", fault: "the ground"},
		{from: "schemas", to: "engine/ledger", fault: "the ground"},
		{from: "rego", to: "schemas", fault: "the ground"},
		{from: "rego", to: "embed"},
		{from: "engine", to: "engine/policy", fault: "stands on"},
		{from: "engine", to: "schemas"},
		{from: "engine", to: "engine/ledger"},
		{from: "engine/store", to: "engine/policy", fault: "meet in cmd"},
		{from: "engine/store/storetest", to: "engine/report", fault: "meet in cmd"},
		{from: "engine/policy", to: "engine/report", fault: "meet in cmd"},
		{from: "engine/store", to: "engine/ledger"},
		{from: "engine/store", to: "engine/store/storetest", inTest: true},
		{from: "engine/jobs", to: "engine/store/storetest", inTest: true},
		{from: "engine/jobs", to: "engine/store/storetest", fault: "meet in cmd"},
		{from: "engine/jobs", to: "engine/report"},
		{from: "engine/policy", to: "engine"},
		{from: "engine/policy", to: "schemas"},
		{from: "engine/httpapi", to: "engine/report"},
		{from: "engine/httpapi", to: "engine/store", fault: "meet in cmd"},
		{from: "engine/assembly", to: "collectors/git", fault: "where they came from"},
		{from: "engine/policy", to: "rego", fault: "fs.FS"},
		{from: "engine/policy", to: "rego", inTest: true},
		{from: "collectors/git", to: "engine/assembly", fault: "only report facts"},
		{from: "collectors/git", to: "schemas", fault: "only report facts"},
		{from: "collectors/git", to: "schemas", inTest: true},
		{from: "collectors/git", to: "collectors/render", fault: "siblings"},
		{from: "collectors", to: "collectors/git", fault: "siblings"},
		{from: "collectors/git", to: "collectors/collectorstest", inTest: true},
		{from: "collectors/git", to: "collectors/collectorstest", fault: "siblings"},
		{from: "collectors", to: "schemas"},
		{from: "collectors/git", to: "collectors"},
		{from: "collectors/git", to: "engine"},
		{from: "engine/jobs", to: "cmd/vouch/internal/app", fault: "nothing imports it"},
		{from: "cmd/vouch", to: "cmd/vouch/internal/cli"},
		{from: "cmd/vouch/internal/app", to: "engine/store"},
		{from: "cmd/vouch/internal/cli", to: "github.com/open-policy-agent/opa/v1/rego", fault: "only importer of OPA"},
		{from: "engine/policy", to: "github.com/open-policy-agent/opa/v1/rego"},
		{from: "engine/common", to: "fmt", fault: "name the noun"},
	}
	reached := make(map[string]bool)
	for _, tt := range tests {
		p := goPackage{ImportPath: module + "/" + tt.from}
		to := tt.to
		if isOurs(to) {
			to = module + "/" + to
		}
		if tt.inTest {
			p.XTestImports = []string{to}
		} else {
			p.Imports = []string{to}
		}
		faults := importFaults([]goPackage{p})
		switch {
		case tt.fault == "" && len(faults) > 0:
			t.Errorf("%s may import %s, but: %q", tt.from, tt.to, faults)
		case tt.fault != "" && !slices.ContainsFunc(faults, func(f string) bool { return strings.Contains(f, tt.fault) }):
			t.Errorf("%s imports %s: got faults %q, want one about %q", tt.from, tt.to, faults, tt.fault)
		}
		for _, f := range faults {
			_, reason, _ := strings.Cut(f, ": ")
			reached[reason] = true
		}
	}
	for _, rule := range importRules {
		if !reached[rule.reason] {
			t.Errorf("no example breaks the rule %q", rule.reason)
		}
	}
}

// topLevel is the house of DESIGN.md; dot-files and dot-folders come besides.
var topLevel = []string{
	"CHANGELOG.md", "CONTRIBUTING.md", "DESIGN.md", "Dockerfile", "LICENSE", "Makefile", "README.md", "SECURITY.md",
	"cmd", "collectors", "engine", "go.mod", "go.sum", "rego", "schemas", "testdata", "tools",
}

func TestTopLevel(t *testing.T) {
	for _, name := range tracked(t, repository(t)) {
		name, _, _ := strings.Cut(name, "/")
		if !strings.HasPrefix(name, ".") && !slices.Contains(topLevel, name) {
			t.Errorf("%s has no place at the top; the house is in DESIGN.md", name)
		}
	}
}

// tracked lists the files of the project below root: those of git, or all of
// them where the project was unpacked from an archive.
func tracked(t *testing.T, root string) []string {
	t.Helper()
	ls := exec.CommandContext(t.Context(), "git", "-C", root, "ls-files", "-z")
	if out, err := ls.Output(); err == nil {
		return strings.Split(strings.TrimSuffix(string(out), "\x00"), "\x00")
	}
	var names []string
	err := walk(root, func(name string) { names = append(names, name) })
	if err != nil {
		t.Fatal(err)
	}
	return names
}

// repository returns the top of the project. It also reads every folder below:
// go test reuses an old result only if what the test itself has read is the
// same, and what these tests check is read by other programs.
func repository(t *testing.T) string {
	t.Helper()
	root, err := filepath.Abs(filepath.Join("..", ".."))
	if err != nil {
		t.Fatal(err)
	}
	if err := walk(root, func(string) {}); err != nil {
		t.Fatal(err)
	}
	return root
}

// walk visits the files below root, build output and git's own left out.
func walk(root string, visit func(name string)) error {
	return fs.WalkDir(os.DirFS(root), ".", func(name string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case d.IsDir() && slices.Contains([]string{".git", ".cache", "bin"}, name):
			return fs.SkipDir
		case !d.IsDir():
			visit(name)
		}
		return nil
	})
}

// TestDependencies wants a reason in DESIGN.md for each module that our packages
// import, and for no other.
func TestDependencies(t *testing.T) {
	root := repository(t)
	edit := exec.CommandContext(t.Context(), "go", "mod", "edit", "-json")
	edit.Dir = root
	out, err := edit.Output()
	if err != nil {
		t.Fatalf("go mod edit -json: %v", err)
	}
	var mod struct{ Require []struct{ Path string } }
	if err := json.Unmarshal(out, &mod); err != nil {
		t.Fatalf("answer of go mod edit: %v", err)
	}
	imported := make(map[string]bool)
	for _, p := range listPackages(t, root) {
		for _, i := range slices.Concat(p.Imports, p.TestImports, p.XTestImports) {
			for _, m := range mod.Require {
				if within(i, m.Path) {
					imported[m.Path] = true
				}
			}
		}
	}

	design, err := os.ReadFile(filepath.Join(root, "DESIGN.md"))
	if err != nil {
		t.Fatal(err)
	}
	_, section, _ := strings.Cut(string(design), "\n## Direct dependencies\n")
	explained := make(map[string]bool)
	for _, row := range regexp.MustCompile("(?m)^\\| `([^`]+)` \\|").FindAllStringSubmatch(section, -1) {
		explained[row[1]] = true
	}
	for m := range imported {
		if !explained[m] {
			t.Errorf("DESIGN.md does not say why %s is a dependency", m)
		}
	}
	for m := range explained {
		if !imported[m] {
			t.Errorf("DESIGN.md has a reason for %s, but nothing imports it", m)
		}
	}
}
