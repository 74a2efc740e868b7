package assembly

import (
	"cmp"
	"slices"
	"strings"
	"time"

	"github.com/changevouch/changevouch/engine"
)

// push is one movement of a branch, told by one or several events.
type push struct {
	engine.PushFact
	at    time.Time
	actor *engine.Account
	merge bool // the platform made it for a merge
}

// landing is one step of a production branch: a merged pull request, or a push.
type landing struct {
	at     time.Time
	place  int // among the commits of one push
	tip    string
	branch string
	pull   *pull
	push   *push
	direct []string // the pushed commits that no merged pull request brought
}

// history is what is known of the production branches of one repository.
type history struct {
	repository string
	branches   []string
	landings   []*landing
	// since is when a commit is first known to be on a production branch: an upper
	// bound, the true moment may be earlier.
	since map[string]time.Time
	first map[string]*landing // that brought it there

	holding map[string][]*landing // by their tips and direct commits
	order   map[*landing]int      // places in landings
	grew    bool                  // there is one branch, and nobody ever took anything from it
}

// settle indexes the landings once they are all there, in their order.
func (h *history) settle() {
	h.holding, h.order, h.grew = map[string][]*landing{}, map[*landing]int{}, len(h.branches) == 1
	for i, l := range h.landings {
		h.order[l] = i
		for _, sha := range compact(append(slices.Clone(l.direct), l.tip)) {
			h.holding[sha] = append(h.holding[sha], l)
		}
		if l.push != nil && l.push.Forced != nil && *l.push.Forced {
			h.grew = false
		}
	}
}

// index is the place of a landing among those of the repository, -1 when it is none
// of them.
func (h *history) index(l *landing) int {
	if i, ours := h.order[l]; ours {
		return i
	}
	return -1
}

const zeroSHA = "0000000000000000000000000000000000000000"

// production reports whether a branch reaches production.
func (h *history) production(branch string) bool {
	return slices.ContainsFunc(h.branches, func(p string) bool { return matches(p, branch) })
}

// readHistory lays out the production branches of every repository.
func (a *assembler) readHistory() map[string]*history {
	out := map[string]*history{}
	see := func(repository string) {
		if repository != "" && out[repository] == nil {
			out[repository] = &history{repository: repository, branches: a.productionBranches(repository), since: map[string]time.Time{}, first: map[string]*landing{}}
		}
	}
	for _, p := range a.pulls {
		see(p.repository)
	}
	for _, p := range a.pushes {
		see(p.Data.Repository)
	}
	for _, c := range a.commits {
		see(c.Data.Repository)
	}
	for _, b := range a.branchHeads {
		see(b.Data.Repository)
	}
	pushes := a.joinPushes()
	a.landings = map[string]*landing{}
	for _, name := range sortedKeys(out) {
		a.layOut(out[name], pushes[name])
	}
	return out
}

// productionBranches are the protected branches of the directory; without an
// entry there, the default branch and those that production services deploy.
func (a *assembler) productionBranches(repository string) []string {
	entry := a.dir.repository(repository)
	names := map[string]bool{}
	for _, b := range entry.ProtectedBranches {
		names[b] = true
	}
	if entry.DefaultBranch != "" {
		names[entry.DefaultBranch] = true
	}
	if len(names) == 0 {
		for _, b := range a.branchHeads {
			if b.Data.Repository == repository && b.Data.DefaultBranch != nil && *b.Data.DefaultBranch {
				names[b.Data.Branch] = true
			}
		}
		for _, p := range a.pushes {
			if p.Data.Repository == repository && p.Data.DefaultBranch != "" {
				names[p.Data.DefaultBranch] = true
			}
		}
		for _, id := range sortedKeys(a.serviceFacts) {
			s := a.serviceFacts[id].Data
			if repositoryName(s.Repository) == repository && s.Branch != "" && a.kindOf(id, "", "", "") == production {
				names[s.Branch] = true
			}
		}
	}
	if len(names) == 0 {
		return []string{"main", "master"}
	}
	return sortedKeys(names)
}

// repositoryName reads owner/name from a URL or a plain name.
func repositoryName(text string) string {
	text = strings.TrimSuffix(strings.TrimSuffix(text, "/"), ".git")
	if at := strings.Index(text, "github.com"); at >= 0 {
		text = strings.TrimLeft(text[at+len("github.com"):], ":/")
	}
	return text
}

// joinPushes merges what several events tell of one push: the webhook, the
// activity list and rule suites each know a part.
func (a *assembler) joinPushes() map[string][]*push {
	byKey, out := map[string]*push{}, map[string][]*push{}
	for _, f := range a.pushes {
		d := f.Data
		if d.Repository == "" || d.After == "" || d.After == zeroSHA {
			continue
		}
		key := d.Repository + " " + d.Branch + " " + d.After + " " + d.Before
		p := byKey[key]
		if p == nil {
			p = &push{PushFact: d, at: f.OccurredAt}
			byKey[key] = p
			out[d.Repository] = append(out[d.Repository], p)
		}
		if p.actor == nil {
			p.actor = f.Actor
		}
		if p.Forced == nil || (d.Forced != nil && *d.Forced) {
			p.Forced = d.Forced
		}
		if d.Kind == "force_push" {
			p.Forced = ptr(true)
		}
		p.Commits, p.Kind = longer(p.Commits, d.Commits), first(p.Kind, d.Kind)
		p.Number = first(p.Number, d.Number)
		p.merge = p.merge || d.Kind == "pr_merge" || d.Kind == "merge_queue_merge"
	}
	return out
}

// layOut puts merges and pushes of one repository in order, finds out which
// pushes nobody's pull request explains, and marks what is on the branch.
func (a *assembler) layOut(h *history, pushes []*push) {
	byTip := map[string]*landing{}
	add := func(l *landing) {
		if byTip[l.tip] == nil {
			byTip[l.tip] = l
			h.landings = append(h.landings, l)
			a.landings[l.tip] = l
		}
	}
	merged := map[string]*pull{} // by any commit
	for _, key := range sortedKeys(a.pulls) {
		p := a.pulls[key]
		if p.repository != h.repository || p.mergedAt == nil || !h.production(p.base) {
			continue
		}
		for sha := range p.shas {
			merged[sha] = p
		}
		if p.mergeSHA != "" {
			add(&landing{at: *p.mergedAt, tip: p.mergeSHA, branch: p.base, pull: p})
		}
	}
	for _, p := range pushes {
		if !h.production(p.Branch) {
			continue
		}
		for i, sha := range p.Commits {
			if l := byTip[sha]; l != nil && l.pull != nil {
				l.push, l.place, l.at = p, i, earliest(l.at, p.at)
			}
		}
		if l := byTip[p.After]; l != nil {
			l.push, l.place, l.at = p, len(p.Commits), earliest(l.at, p.at)
		}
		if direct := a.unexplained(p, byTip, merged); len(direct) > 0 {
			l := &landing{at: p.at, place: len(p.Commits), tip: p.After, branch: p.Branch, push: p, direct: direct}
			if byTip[p.After] != nil { // a push that also carried a merge
				h.landings = append(h.landings, l)
			} else {
				add(l)
			}
		}
	}
	for _, l := range a.cloned(h, pushes, merged, byTip) {
		add(l)
	}
	slices.SortStableFunc(h.landings, func(x, y *landing) int {
		return cmp.Or(x.at.Compare(y.at), x.place-y.place, strings.Compare(x.tip, y.tip), len(x.direct)-len(y.direct))
	})
	h.settle()
	a.mark(h)
}

func earliest(a, b time.Time) time.Time {
	if b.Before(a) {
		return b
	}
	return a
}

// unexplained lists the commits of a push that no merged pull request brought. A
// merge that the platform made brings no others.
func (a *assembler) unexplained(p *push, byTip map[string]*landing, merged map[string]*pull) []string {
	if p.merge || p.Number != nil {
		return nil
	}
	if p.Forced != nil && *p.Forced { // history was rewritten, whatever it now holds
		return []string{p.After}
	}
	var out []string
	commits := p.Commits
	if !slices.Contains(commits, p.After) {
		commits = append(slices.Clone(commits), p.After)
	}
	for _, sha := range commits {
		if merged[sha] == nil && !a.associated(p.Repository, sha) {
			out = append(out, sha)
		}
	}
	if tip := byTip[p.After]; tip != nil && tip.pull != nil && rebased(tip.pull, p.Commits, out) {
		return nil
	}
	return out
}

// rebased: the push brings the commits of a pull request anew, all but the last
// under names that no other record knows.
func rebased(p *pull, pushed, unknown []string) bool {
	return len(unknown) == len(pushed)-1 && (p.count == nil || *p.count == len(pushed)) && (!p.listed || len(p.list.SHAs) == len(pushed))
}

// associated reports whether the source ties the commit to a pull request that is
// merged, or of which nothing else is known.
func (a *assembler) associated(repository, sha string) bool {
	for _, f := range a.associations[sha] {
		for _, n := range f.Data.Numbers {
			p := a.pulls[numbered(repository, n)]
			if p != nil && (p.mergedAt != nil || !p.known) {
				return true
			}
		}
	}
	return false
}

// mark walks from every tip to its ancestors, earliest landing first, so that
// each commit gets the first moment at which it is known to be on the branch.
func (a *assembler) mark(h *history) {
	for _, l := range h.landings {
		a.reach(h, l.tip, l.at, l)
		if l.push != nil {
			for _, sha := range l.push.Commits {
				a.reach(h, sha, l.at, l)
			}
			if l.push.Before != "" && l.push.Before != zeroSHA {
				a.reach(h, l.push.Before, l.at, l)
			}
		}
	}
	for _, b := range a.branchHeads {
		if b.Data.Repository == h.repository && b.Data.SHA != "" && h.production(b.Data.Branch) {
			a.reach(h, b.Data.SHA, b.OccurredAt, nil)
		}
	}
}

func (a *assembler) reach(h *history, sha string, at time.Time, by *landing) {
	queue := []string{sha}
	for len(queue) > 0 {
		sha, queue = queue[0], queue[1:]
		if _, seen := h.since[sha]; seen {
			continue
		}
		h.since[sha], h.first[sha] = at, by
		queue = append(queue, a.commits[sha].Data.Parents...)
	}
}

// onProductionBranch tells whether a commit was on a production branch at an
// instant; nil when that is not known. It was not when it belongs to a pull request
// that was merged later or never, or when a comparison with a later head of the
// branch shows it outside.
func (a *assembler) onProductionBranch(repository, sha string, at time.Time) *bool {
	h := a.history[repository]
	if h == nil || sha == "" {
		return nil
	}
	since, known := h.since[sha]
	if known && !since.After(at.Add(a.opts.Skew)) {
		return ptr(true)
	}
	for _, p := range a.pullsOf(sha) {
		if p.repository == repository && (p.mergedAt == nil || p.mergedAt.After(at.Add(a.opts.Skew))) {
			return ptr(false)
		}
	}
	if known {
		return ptr(true)
	}
	for _, c := range a.comparisons[sha] {
		if base, ok := h.since[c.Data.Base]; ok && !base.Before(at) && slices.Contains(c.Data.SHAs, sha) {
			return ptr(false)
		}
	}
	return nil
}

// pullsOf lists the pull requests that hold a commit, by key.
func (a *assembler) pullsOf(sha string) []*pull { return a.pullsBySHA[sha] }

// between lists what lies in head and not in base: told by a comparison, or
// walked along recorded parents. ok is false when neither gives all of it.
func (a *assembler) between(repository, base, head string) (shas map[string]bool, ok bool) {
	for _, c := range a.comparisons[head] {
		if c.Data.Base == base && c.Data.Complete {
			shas = map[string]bool{head: true}
			for _, sha := range c.Data.SHAs {
				shas[sha] = true
			}
			if len(c.Data.SHAs) == 0 {
				delete(shas, head)
			}
			return shas, true
		}
	}
	if base == "" {
		return nil, false
	}
	outside := a.beneath(repository, base)
	if outside == nil {
		return a.walk(base, head)
	}
	shas = map[string]bool{}
	queue := []string{head}
	for len(queue) > 0 {
		sha := queue[0]
		queue = queue[1:]
		if outside(sha) || shas[sha] {
			continue
		}
		shas[sha] = true
		c, recorded := a.commits[sha]
		if !recorded || len(c.Data.Parents) == 0 {
			return nil, false
		}
		queue = append(queue, c.Data.Parents...)
	}
	return shas, true
}

// beneath tells what lies in a commit of a branch that only ever grew: whatever landed
// before it or with it. It is nil for any other commit.
func (a *assembler) beneath(repository, base string) func(string) bool {
	h, l := a.history[repository], a.landings[base]
	if h == nil || !h.grew || l == nil {
		return nil
	}
	until := h.since[base]
	return func(sha string) bool {
		since, known := h.since[sha]
		return sha == base || known && since.Before(until) || known && since.Equal(until) && h.first[sha] == l
	}
}
