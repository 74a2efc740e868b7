package assembly

import (
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/changevouch/changevouch/engine"
)

// pullCommits lists the commits of a pull request with everybody who had a hand
// in them, and says where the list or a commit was not read.
func (a *assembler) pullCommits(p *pull, d *draft) []engine.Commit {
	if !p.listed {
		d.scope.miss("github", "commits", "the commits of "+p.key+" were not listed")
		return nil
	}
	if !p.list.Complete || (p.count != nil && *p.count > len(p.list.SHAs)) {
		d.scope.miss("github", "commits", "the commit list of "+p.key+" is cut short")
	}
	out := []engine.Commit{}
	for _, sha := range p.list.SHAs {
		out = append(out, a.commit(sha, p, d))
	}
	return out
}

// commit describes one commit; p is the pull request it came with, or nil.
func (a *assembler) commit(sha string, p *pull, d *draft) engine.Commit {
	out := engine.Commit{SHA: sha}
	f, recorded := a.facts.commits[sha]
	if !recorded {
		d.scope.miss("github", "commits", "commit "+sha+" was not read")
		return out
	}
	c := f.Data
	out.Author, out.Committer = d.cast.signature(&c.Author), d.cast.signature(c.Committer)
	out.CoAuthors = []string{}
	for _, s := range c.CoAuthors {
		if a.roster.isTool(s.Email) {
			continue
		}
		if name := d.cast.signature(&s); name != "" && !slices.Contains(out.CoAuthors, name) {
			out.CoAuthors = append(out.CoAuthors, name)
		}
	}
	out.Message, out.Parents, out.Conflicts = c.Message, c.Parents, c.Conflicts
	out.At = utc(c.Author.At)
	if c.Committer != nil {
		out.At = first(utc(c.Committer.At), out.At)
	}
	out.MergeFromBase = c.MergeFromBase
	if out.MergeFromBase == nil && p != nil && a.isBaseMerge(c, p) {
		out.MergeFromBase = ptr(true)
	}
	if out.Conflicts == nil && out.MergeFromBase != nil && *out.MergeFromBase && p != nil && a.apart(c, p) {
		out.Conflicts = ptr(false)
	}
	for _, file := range c.Files {
		if file.Additions != nil {
			out.Additions = ptr(*file.Additions + deref(out.Additions))
		}
		if file.Deletions != nil {
			out.Deletions = ptr(*file.Deletions + deref(out.Deletions))
		}
	}
	return out
}

func deref(n *int) int {
	if n == nil {
		return 0
	}
	return *n
}

// isBaseMerge: two parents, the first inside the pull request, the second on the
// base branch.
func (a *assembler) isBaseMerge(c engine.CommitFact, p *pull) bool {
	h := a.history[p.repository]
	if h == nil || len(c.Parents) != 2 || !p.shas[c.Parents[0]] {
		return false
	}
	_, onBase := h.since[c.Parents[1]]
	return onBase && h.production(p.base) && !slices.Contains(p.list.SHAs, c.Parents[1])
}

// apart proves that a merge from the base, made and signed by GitHub itself, added
// nothing: GitHub lets people resolve conflicts and nothing else, and what it
// brought from the base and what the pull request changes are different files.
func (a *assembler) apart(c engine.CommitFact, p *pull) bool {
	signed := c.Verified != nil && *c.Verified && c.Committer != nil && strings.EqualFold(c.Committer.Email, "noreply@github.com")
	if len(c.Parents) != 2 || !signed {
		return false
	}
	own, ok := wholeFileList(a.fileLists[p.key])
	brought, known := a.between(p.repository, c.Parents[0], c.Parents[1])
	if !ok || !own.Complete || !known {
		return false
	}
	touched := map[string]bool{}
	for sha := range brought {
		key := sha
		if l := a.landings[sha]; l != nil && l.pull != nil {
			key = l.pull.key
		}
		list, ok := wholeFileList(a.fileLists[key])
		if !ok || !list.Complete {
			return false
		}
		for _, f := range list.Files {
			touched[f.Path], touched[f.PreviousPath] = true, true
		}
	}
	delete(touched, "")
	return !slices.ContainsFunc(own.Files, func(f engine.FileFacts) bool { return touched[f.Path] || touched[f.PreviousPath] })
}

// messages are the commit messages of a pull request.
func (a *assembler) messages(p *pull) string {
	var out []string
	for _, sha := range p.list.SHAs {
		out = append(out, a.facts.commits[sha].Data.Message)
	}
	return strings.Join(out, "\n")
}

// patchEquivalent lists earlier revisions whose patches are the merged ones: the
// same series of patch ids above the base branch, without a merge that resolved
// conflicts.
func (a *assembler) patchEquivalent(p *pull) []string {
	head := p.head
	want := a.patches(p, head)
	if len(want) == 0 {
		return nil
	}
	var out []string
	for _, sha := range sortedKeys(p.shas) {
		if sha == head || sha == p.mergeSHA {
			continue
		}
		if got := a.patches(p, sha); slices.Equal(got, want) {
			out = append(out, sha)
		}
	}
	return out
}

// patches is the series of patch ids from the base branch to a commit, oldest
// first; nil when a part of it is not known.
func (a *assembler) patches(p *pull, sha string) []string {
	h := a.history[p.repository]
	var out []string
	for range 1000 {
		c, recorded := a.facts.commits[sha]
		if !recorded || h == nil || len(c.Data.Parents) == 0 {
			return nil
		}
		d := c.Data
		if len(d.Parents) > 1 {
			clean := d.Conflicts != nil && !*d.Conflicts
			if !clean || !(d.MergeFromBase != nil && *d.MergeFromBase || a.isBaseMerge(d, p)) {
				return nil
			}
		} else if d.PatchID == "" {
			return nil
		} else {
			out = append(out, d.PatchID)
		}
		sha = d.Parents[0]
		if since, onBase := h.since[sha]; onBase && (p.mergedAt == nil || since.Before(*p.mergedAt)) && !slices.Contains(p.list.SHAs, sha) {
			slices.Reverse(out)
			return out
		}
	}
	return nil
}

// mergedContent lists the commits that hold what was merged: head, merge-group
// commit and merge commit. One whose tree is known to differ from the merged tree
// is left out.
func (a *assembler) mergedContent(p *pull, group string) []string {
	reference := first(p.mergeSHA, group, p.head)
	tree := a.facts.commits[reference].Data.TreeSHA
	var out []string
	add := func(sha string) {
		other := a.facts.commits[sha].Data.TreeSHA
		differs := tree != "" && other != "" && tree != other
		if sha != "" && !differs && !slices.Contains(out, sha) {
			out = append(out, sha)
		}
	}
	add(p.head)
	add(group)
	add(p.mergeSHA)
	if tree != "" {
		for _, sha := range a.commitsByTree[tree] {
			if p.shas[sha] {
				add(sha)
			}
		}
	}
	return out
}

// mergeGroup is the merge-queue group through which a pull request was merged.
func (a *assembler) mergeGroup(p *pull) *engine.MergeGroup {
	var out *engine.MergeGroup
	for _, f := range a.groups {
		d := f.Data
		if d.Repository != p.repository || f.OccurredAt.After(a.closing(p)) {
			continue
		}
		if !slices.Contains(d.Numbers, p.number) && (p.mergeSHA == "" || d.HeadSHA != p.mergeSHA) {
			continue
		}
		out = &engine.MergeGroup{HeadSHA: d.HeadSHA}
		for _, n := range d.Numbers {
			out.PRs = append(out.PRs, n)
		}
	}
	return out
}

// changedFiles lists the files of a pull request, or of pushed commits. What pushed
// commits update counts only where each of them does nothing else.
func (a *assembler) changedFiles(p *pull, shas []string, d *draft) {
	if p != nil {
		l, listed := wholeFileList(a.fileLists[p.key])
		if !listed {
			d.scope.miss("github", "files", "the files of "+p.key+" were not listed")
			return
		}
		a.addList(p.key, l, d)
		a.addUpdates(first2(l.DependencyUpdates, p.updates), d)
		return
	}
	line := a.ownLine(shas)
	if len(line) == 0 {
		d.scope.miss("github", "files", "the files of an unknown commit were not read")
	}
	var updates []engine.DependencyFacts
	only := true
	for _, sha := range line {
		l, listed := wholeFileList(a.fileLists[sha])
		if !listed {
			l.Files, l.Complete = a.facts.commits[sha].Data.Files, true
		}
		if len(l.Files) == 0 && !listed {
			d.scope.miss("github", "files", "the files of "+sha+" were not read")
		}
		a.addList(sha, l, d)
		updates = append(updates, l.DependencyUpdates...)
		only = only && len(l.DependencyUpdates) > 0
	}
	if only {
		a.addUpdates(updates, d)
	}
}

// addList adds the files of one list to the change.
func (a *assembler) addList(key string, l engine.FileListFact, d *draft) {
	a.addFiles(l.Files, d)
	if !l.Complete || (l.Total != nil && *l.Total > len(l.Files)) {
		d.change.FilesTruncated = ptr(true)
		d.scope.miss("github", "files", "the file list of "+key+" is cut short")
	}
}

func (a *assembler) addUpdates(updates []engine.DependencyFacts, d *draft) {
	for _, u := range updates {
		update := engine.DependencyUpdate{Name: u.Name, From: u.From, To: u.To, Update: u.Update}
		if u.From == "" && u.To != "" {
			update.New = ptr(true)
		}
		d.change.DependencyUpdates = append(d.change.DependencyUpdates, update)
	}
}

// addFiles adds files to the change, one entry a path.
func (a *assembler) addFiles(files []engine.FileFacts, d *draft) {
	for _, f := range files {
		i := slices.IndexFunc(d.change.Files, func(have engine.ChangedFile) bool { return have.Path == f.Path })
		if i < 0 {
			d.change.Files = append(d.change.Files, engine.ChangedFile{
				Path: f.Path, PreviousPath: f.PreviousPath, Status: f.Status,
				Additions: f.Additions, Deletions: f.Deletions, Patch: f.Patch,
			})
			continue
		}
		have := &d.change.Files[i]
		have.Additions, have.Deletions = ptr(deref(have.Additions)+deref(f.Additions)), ptr(deref(have.Deletions)+deref(f.Deletions))
		if f.Patch != "" {
			have.Patch = strings.TrimPrefix(have.Patch+"\n"+f.Patch, "\n")
		}
	}
}

// addChecks lists the checks of the given commits: of the runs of one check on
// one commit the last that ended before the first production deploy started, else
// the first that ended after it.
func (a *assembler) addChecks(shas []string, required []string, d *draft) {
	deadline := a.opts.At
	for _, run := range d.change.Deployments {
		if run.EnvironmentKind == production && run.LiveAt != nil && run.StartedAt != nil {
			deadline = earliest(deadline, *run.StartedAt)
		}
	}
	counted := map[string]engine.Check{}
	for _, sha := range shas {
		for _, f := range a.facts.checks[sha] {
			c := engine.Check{Name: f.Data.Name, SHA: sha, Conclusion: strings.ToLower(f.Data.Conclusion), CompletedAt: first(utc(f.Data.CompletedAt), ptr(f.OccurredAt)), StartedAt: utc(f.Data.StartedAt), Required: f.Data.Required}
			if len(required) > 0 {
				c.Required = ptr(slices.Contains(required, c.Name))
			}
			key := sha + " " + c.Name
			have, seen := counted[key]
			if !seen || betterRun(c, have, deadline) {
				counted[key] = c
			}
		}
	}
	d.change.Checks = []engine.Check{}
	for _, key := range sortedKeys(counted) {
		d.change.Checks = append(d.change.Checks, counted[key])
	}
}

func betterRun(c, have engine.Check, deadline time.Time) bool {
	inTime, hadTime := !c.CompletedAt.After(deadline), !have.CompletedAt.After(deadline)
	if inTime != hadTime {
		return inTime
	}
	if inTime {
		return !c.CompletedAt.Before(*have.CompletedAt)
	}
	return c.CompletedAt.Before(*have.CompletedAt)
}

var (
	revertOf = regexp.MustCompile(`(?i)this reverts commit ([0-9a-f]{7,40})|\breverts ([\w.-]+/[\w.-]+#\d+|#\d+)`)
	pickOf   = regexp.MustCompile(`(?i)cherry[ -]picked from (?:commit )?([0-9a-f]{7,40}|[\w.-]+/[\w.-]+#\d+|#\d+)`)
)

// references names what a change says it reverts or was picked from.
func references(texts ...string) (reverts, pick any) {
	text := strings.Join(texts, "\n")
	if m := revertOf.FindStringSubmatch(text); m != nil {
		reverts = first(m[1], m[2])
	}
	if m := pickOf.FindStringSubmatch(text); m != nil {
		pick = m[1]
	}
	return reverts, pick
}
