package assembly

import (
	"slices"
	"strings"
	"time"

	"github.com/changevouch/changevouch/engine"
)

// cloneProvider is the provider of what was read from a clone.
const cloneProvider = "git"

// cloned lays out what a clone shows of the production branches: every commit of a
// branch's own line that no pull request and no push explains landed there by
// itself, with the commits it brought. Who brought it and how, no clone knows.
func (a *assembler) cloned(h *history, pushes []*push, merged map[string]*pull, known map[string]*landing) []*landing {
	told := a.told(h, pushes)
	reached := map[string]bool{}
	var out []*landing
	for _, b := range a.branchHeads {
		if b.Provider != cloneProvider || b.Data.Repository != h.repository || !h.production(b.Data.Branch) {
			continue
		}
		var line []string
		for sha := b.Data.SHA; a.cloneCommits[sha] && !reached[sha]; {
			line = append(line, sha)
			parents := a.commits[sha].Data.Parents
			if len(parents) == 0 {
				break
			}
			sha = parents[0]
		}
		var at time.Time
		for _, tip := range slices.Backward(line) {
			c := a.commits[tip]
			brought := a.brought(tip, reached)
			if c.OccurredAt.After(at) {
				at = c.OccurredAt // what lies below came no later, whatever its date
			}
			if at.After(a.opts.At) || known[tip] != nil || merged[tip] != nil || told[tip] || a.associated(h.repository, tip) {
				continue
			}
			p := &push{PushFact: engine.PushFact{Repository: h.repository, Branch: b.Data.Branch, After: tip}, at: at}
			if len(c.Data.Parents) > 0 {
				p.Before = c.Data.Parents[0]
			}
			out = append(out, &landing{at: at, place: len(out), tip: tip, branch: p.Branch, push: p, direct: brought})
		}
	}
	return out
}

// brought lists the commits of a clone that a commit brings to its branch, itself
// last, and notes that they are there.
func (a *assembler) brought(tip string, reached map[string]bool) []string {
	var out []string
	queue := []string{tip}
	for len(queue) > 0 {
		sha := queue[0]
		queue = queue[1:]
		if reached[sha] || !a.cloneCommits[sha] {
			continue
		}
		reached[sha] = true
		out = append(out, sha)
		queue = append(queue, a.commits[sha].Data.Parents...)
	}
	slices.Reverse(out)
	return out
}

// told are the commits of which pushes tell, also where a push names only where
// the branch was and where it came to, and those that a pull request brought by
// rebasing.
func (a *assembler) told(h *history, pushes []*push) map[string]bool {
	out := map[string]bool{}
	for _, p := range pushes {
		if !h.production(p.Branch) {
			continue
		}
		for _, sha := range p.Commits {
			out[sha] = true
		}
		if p.Before == "" || p.Before == zeroSHA {
			continue
		}
		line := a.line(p.After, func(sha string, _ int) bool { return sha != p.Before && a.cloneCommits[sha] })
		if n := len(line); n > 0 && slices.Contains(a.commits[line[n-1]].Data.Parents, p.Before) {
			for _, sha := range line {
				out[sha] = true
			}
		}
	}
	for _, key := range sortedKeys(a.pulls) {
		p := a.pulls[key]
		n := len(p.list.SHAs)
		if p.repository != h.repository || p.mergeSHA == "" || n < 2 || len(a.commits[p.mergeSHA].Data.Parents) != 1 {
			continue
		}
		line := a.line(p.mergeSHA, func(sha string, i int) bool {
			return i < n && strings.TrimSpace(a.commits[sha].Data.Message) == strings.TrimSpace(a.commits[p.list.SHAs[n-1-i]].Data.Message)
		})
		if len(line) == n {
			for _, sha := range line {
				out[sha] = true
			}
		}
	}
	return out
}

// line walks from a commit along first parents as long as they are wanted.
func (a *assembler) line(sha string, wanted func(sha string, i int) bool) []string {
	var out []string
	for seen := map[string]bool{}; !seen[sha] && wanted(sha, len(out)); {
		seen[sha] = true
		out = append(out, sha)
		parents := a.commits[sha].Data.Parents
		if len(parents) == 0 {
			break
		}
		sha = parents[0]
	}
	return out
}

// ownLine leaves out the commits that a merge among them brought: the files of the
// merge hold theirs. Where parents are not known it leaves out nothing.
func (a *assembler) ownLine(shas []string) []string {
	if len(shas) == 0 {
		return nil
	}
	line := a.line(shas[len(shas)-1], func(sha string, _ int) bool { return slices.Contains(shas, sha) })
	merges := slices.ContainsFunc(line, func(sha string) bool { return len(a.commits[sha].Data.Parents) > 1 })
	listed := !slices.ContainsFunc(line, func(sha string) bool { return len(a.fileLists[sha]) == 0 })
	if !merges || !listed {
		return shas
	}
	slices.Reverse(line)
	return line
}

// code is the source that tells of the code of a subject: a clone where nobody
// read the forge.
func (a *assembler) code(s scope) string {
	told := func(source string) bool {
		read := a.readOf[source]
		return len(s.repositories) > 0 && (read[""] || slices.ContainsFunc(s.repositories, func(name string) bool { return read[name] }))
	}
	if told("git") && !told("github") {
		return "git"
	}
	return "github"
}
