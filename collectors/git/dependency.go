package git

import (
	"path"
	"regexp"
	"strconv"
	"strings"

	"github.com/changevouch/changevouch/engine"
)

// bump is the title of a pull request for one package; updates are the lines in
// the body of one for a group.
var (
	bump    = regexp.MustCompile(`(?i)^(?:[a-z]+(?:\([^)]*\))?!?: )?bump (\S+) from (\S+) to (\S+)(?: in \S+)?$`)
	updates = regexp.MustCompile("(?m)^Updates `([^`]+)` from (\\S+) to (\\S+)\\s*$")
)

// announcedUpdates reads the dependency updates that Dependabot announces in its
// own pull requests. Others' words for it prove nothing and give none.
func announcedUpdates(author *user, title, body string) []engine.DependencyFacts {
	if author == nil || author.Login != "dependabot[bot]" || author.Type != "Bot" {
		return nil
	}
	var found []engine.DependencyFacts
	if match := bump.FindStringSubmatch(strings.TrimSpace(title)); match != nil {
		return append(found, dependency(match[1], match[2], match[3], ""))
	}
	for _, match := range updates.FindAllStringSubmatch(strings.ReplaceAll(body, "\r", ""), -1) {
		found = append(found, dependency(match[1], match[2], match[3], ""))
	}
	return found
}

func dependency(name, from, to, ecosystem string) engine.DependencyFacts {
	return engine.DependencyFacts{Name: name, From: from, To: to, Update: updateKind(from, to), Ecosystem: ecosystem}
}

// manifest knows how one kind of package manifest names a package and version
// on a line.
type manifest struct {
	ecosystem string
	line      *regexp.Regexp // 1 name, 2 version
}

func manifestOf(file string) (manifest, bool) {
	base := path.Base(file)
	switch {
	case base == "package.json":
		return manifest{"npm", regexp.MustCompile(`^\s*"((?:@[\w.-]+/)?[\w.-]+)":\s*"[~^]?v?(\d+\.\d+\.\d+[\w.+-]*)",?\s*$`)}, true
	case base == "go.mod":
		return manifest{"go", regexp.MustCompile(`^\s*(?:require\s+)?([\w.-]+\.[\w-]+/\S+)\s+(v\d+\.\d+\.\d+\S*)(?:\s*//.*)?$`)}, true
	case strings.HasPrefix(base, "requirements") && strings.HasSuffix(base, ".txt"):
		return manifest{"pip", regexp.MustCompile(`^([A-Za-z0-9._-]+(?:\[[^\]]*\])?)==(\d[\w.+-]*)\s*(?:#.*)?$`)}, true
	case base == "Cargo.toml":
		return manifest{"cargo", regexp.MustCompile(`^([A-Za-z0-9_-]+)\s*=\s*"[~^=]?(\d+\.\d+\.\d+[\w.+-]*)"\s*$`)}, true
	}
	return manifest{}, false
}

// lockfiles follow from their manifests and name no updates of their own.
var lockfiles = map[string]bool{"package-lock.json": true, "yarn.lock": true, "pnpm-lock.yaml": true, "go.sum": true, "Cargo.lock": true}

// patchedUpdates reads the dependency updates of a change from the patches of
// its manifests. It is all or nothing: if any changed line is something else
// than one package's new version, the change is more than updates and none are
// named.
func patchedUpdates(files []engine.FileFacts) []engine.DependencyFacts {
	var found []engine.DependencyFacts
	for _, f := range files {
		if lockfiles[path.Base(f.Path)] {
			continue
		}
		kind, ok := manifestOf(f.Path)
		if !ok || f.Status != "modified" || f.Patch == "" {
			return nil
		}
		one, ok := kind.updates(f)
		if !ok {
			return nil
		}
		found = append(found, one...)
	}
	return found
}

func (k manifest) updates(f engine.FileFacts) ([]engine.DependencyFacts, bool) {
	removed := map[string]string{}
	var order []string
	added := map[string]string{}
	plus, minus := 0, 0
	for line := range strings.SplitSeq(f.Patch, "\n") {
		if line == "" || line[0] != '+' && line[0] != '-' {
			continue
		}
		match := k.line.FindStringSubmatch(strings.TrimRight(line[1:], "\r"))
		if match == nil {
			return nil, false
		}
		side := added
		if line[0] == '-' {
			side = removed
			minus++
		} else {
			plus++
			order = append(order, match[1])
		}
		if _, twice := side[match[1]]; twice {
			return nil, false
		}
		side[match[1]] = match[2]
	}
	// A patch may be cut: the counts tell.
	if len(added) == 0 || len(added) != len(removed) || f.Additions != nil && *f.Additions != plus || f.Deletions != nil && *f.Deletions != minus {
		return nil, false
	}
	var found []engine.DependencyFacts
	for _, name := range order {
		from, ok := removed[name]
		if !ok {
			return nil, false
		}
		found = append(found, dependency(name, from, added[name], k.ecosystem))
	}
	return found, true
}

var version = regexp.MustCompile(`^v?(\d{1,9})\.(\d{1,9})(?:\.(\d{1,9}))?$`)

// updateKind classifies an upgrade as patch, minor or major (semver.org); ""
// for pre-releases, downgrades and versions of another form.
func updateKind(from, to string) string {
	a, b := version.FindStringSubmatch(from), version.FindStringSubmatch(to)
	if a == nil || b == nil {
		return ""
	}
	for i, kind := range []string{"major", "minor", "patch"} {
		x, _ := strconv.Atoi(a[i+1])
		y, _ := strconv.Atoi(b[i+1])
		if y > x {
			return kind
		}
		if y < x {
			return ""
		}
	}
	return ""
}
