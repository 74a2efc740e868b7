package assembly

import (
	"cmp"
	"slices"
	"strings"
	"time"

	"github.com/changevouch/changevouch/engine"
)

// changes builds every change: it creates a draft for whatever could be one, hangs
// the deployments on them, and completes each with records, checks and rules.
func (a *assembler) changes() []*draft {
	b := &builder{assembler: a, byLanding: map[*landing]*draft{}, byPull: map[string]*draft{}, details: map[*draft]detail{}, targets: map[*draft]*draft{}}
	b.fromPulls()
	b.fromPushes()
	b.fromConfig()
	b.fromAccess()
	b.fromRuns()
	for _, d := range b.drafts {
		b.finish(d)
	}
	grants := slices.DeleteFunc(slices.Clone(b.drafts), func(d *draft) bool { return d.change.Kind != "iam_grant" })
	for _, d := range b.drafts {
		b.relatedGrants(d, b.effective(d), grants)
	}
	for _, d := range b.drafts {
		if target := b.targets[d]; target != nil && b.opts.Review != nil {
			d.change.Rollback.TargetReview = b.opts.Review(b.changeDossier(target))
		}
	}
	slices.SortFunc(b.drafts, func(x, y *draft) int {
		return cmp.Or(strings.Compare(x.change.ID, y.change.ID), strings.Compare(x.change.Kind, y.change.Kind))
	})
	return b.drafts
}

type builder struct {
	*assembler
	drafts    []*draft
	byLanding map[*landing]*draft
	byPull    map[string]*draft
	configs   []*draft
	details   map[*draft]detail
	targets   map[*draft]*draft // rollbacks to the change that they return to
}

// detail is what a draft was made from.
type detail struct {
	pull  *pull
	shas  []string // the commits whose messages and records speak of it
	at    time.Time
	group string
	grant *fact[engine.AccessFact]
}

func (b *builder) draft(kind, id string, at time.Time, from detail) *draft {
	d := &draft{change: engine.Change{Kind: kind, ID: id, Deployments: []engine.Deployment{}}, cast: newCast(b.roster)}
	d.scope.span(at)
	from.at = at
	b.details[d] = from
	b.drafts = append(b.drafts, d)
	return d
}

// fromPulls makes a change of every pull request into a production branch that is
// open or merged, and of every one that brought a commit there without being read.
func (b *builder) fromPulls() {
	for _, key := range sortedKeys(b.pulls) {
		p := b.pulls[key]
		h := b.history[p.repository]
		if h == nil || (p.base != "" && !h.production(p.base)) || (p.mergedAt == nil && p.closedAt != nil) {
			continue
		}
		if !p.known && !slices.ContainsFunc(sortedKeys(p.shas), func(sha string) bool { return !h.since[sha].IsZero() }) {
			continue
		}
		b.pullDraft("pull_request", key, p)
		for _, l := range h.holding[p.mergeSHA] {
			if l.pull == p {
				b.byLanding[l] = b.byPull[key]
			}
		}
	}
}

// pullDraft makes a change with the facts of a pull request in it.
func (b *builder) pullDraft(kind, id string, p *pull) *draft {
	at := b.closing(p)
	from := detail{pull: p, shas: p.list.SHAs}
	group := b.mergeGroup(p)
	if group != nil {
		from.group = group.HeadSHA
	}
	d := b.draft(kind, id, at, from)
	if p.createdAt != nil {
		d.scope.span(*p.createdAt)
	}
	d.scope.open = p.mergedAt == nil
	c := &d.change
	c.Repository, c.BaseBranch = p.repository, p.base
	c.PullRequest = b.pullRequest(p, d)
	c.MergeGroup = group
	c.MergedContentSHAs = b.mergedContent(p, from.group)
	if p.known {
		b.changedFiles(p, nil, d)
	}
	b.declare(p, p.list.SHAs, d)
	d.scope.pulls = append(d.scope.pulls, p.key)
	d.scope.repositories = append(d.scope.repositories, p.repository)
	d.scope.shas = append(d.scope.shas, sortedKeys(p.shas)...)
	d.scope.names = append(d.scope.names, p.key)
	if kind == "pull_request" {
		b.byPull[p.key] = d
	}
	return d
}

// fromPushes makes a change of every push that no pull request explains.
func (b *builder) fromPushes() {
	for _, name := range sortedKeys(b.history) {
		for _, l := range b.history[name].landings {
			if len(l.direct) == 0 {
				continue
			}
			d := b.draft("direct_push", name+"@"+l.tip, l.at, detail{shas: l.direct})
			b.byLanding[l] = d
			c := &d.change
			c.Repository, c.BaseBranch = name, l.branch
			before := l.push.Before
			if before == zeroSHA {
				before = ""
			}
			c.Push = &engine.Push{Actor: d.cast.account(l.push.actor), At: ptr(l.push.at), Before: before, After: l.tip, Forced: l.push.Forced}
			tip := l.direct[len(l.direct)-1]
			c.CommitMessage = b.commits[tip].Data.Message
			c.MergedContentSHAs = b.sameTree(l.tip, l.direct)
			for _, sha := range l.direct {
				b.commit(sha, nil, d) // who wrote it belongs to the people of this change
			}
			b.changedFiles(nil, l.direct, d)
			b.declare(nil, l.direct, d)
			d.scope.repositories = append(d.scope.repositories, name)
			d.scope.shas = append(d.scope.shas, append(slices.Clone(l.direct), l.tip)...)
			d.scope.names = append(d.scope.names, l.tip)
			if len(b.associations[tip]) == 0 && !b.windowCovers("github", l.at) {
				why := "whether a pull request holds commit " + tip + " was not asked"
				if hints := b.commits[tip].Data.Numbers; len(hints) > 0 {
					why = "commit " + tip + " names pull request " + pullKey(name, hints[0]) + ", which was not read"
				}
				d.scope.miss("github", "pull_request", why)
			}
		}
	}
}

// sameTree is a commit and those of the candidates that hold the same tree.
func (a *assembler) sameTree(sha string, candidates []string) []string {
	out := []string{sha}
	tree := a.facts.commits[sha].Data.TreeSHA
	for _, c := range candidates {
		if c != sha && tree != "" && a.facts.commits[c].Data.TreeSHA == tree {
			out = append(out, c)
		}
	}
	return out
}

// authors are the persons who had a hand in a change or its deployment.
func (b *builder) authors(d *draft) map[string]bool {
	c, out := d.change, map[string]bool{}
	add := func(names ...string) {
		for _, name := range names {
			if id := d.cast.person(name); id != "" {
				out[id] = true
			}
		}
	}
	if p := c.PullRequest; p != nil {
		add(p.Author, p.MergedBy, p.EnqueuedBy)
		add(p.AgentOperators...)
		for _, k := range p.Commits {
			add(k.Author, k.Committer)
			add(k.CoAuthors...)
		}
	}
	if c.Push != nil {
		add(c.Push.Actor)
	}
	if c.Event != nil {
		add(c.Event.Actor, c.Event.RequestedBy, c.Event.Beneficiary)
	}
	for _, r := range c.Deployments {
		add(r.User)
	}
	return out
}

// effective is when a change took effect in production, or was merged or made.
func (b *builder) effective(d *draft) time.Time {
	var at *time.Time
	for _, r := range d.change.Deployments {
		if r.EnvironmentKind == production {
			at = earlier(at, r.LiveAt)
		}
	}
	if at != nil && d.change.Event == nil {
		return *at
	}
	return b.details[d].at
}

// finish completes a draft once its deployments are known.
func (b *builder) finish(d *draft) {
	from := b.details[d]
	c := &d.change
	slices.SortStableFunc(c.Deployments, func(x, y engine.Deployment) int {
		return cmp.Or(when(x).Compare(when(y)), strings.Compare(x.ID, y.ID))
	})
	at := b.effective(d)
	d.scope.span(at)
	if c.Repository != "" && (from.pull != nil || c.Push != nil || len(c.MergedContentSHAs) > 0) {
		begin, merge := from.at, from.at
		number := 0
		if from.pull != nil {
			number = from.pull.number
			begin = *first(from.pull.createdAt, &begin)
		}
		branch := first(c.BaseBranch, b.history[c.Repository].mainBranch())
		ours := append(slices.Clone(c.MergedContentSHAs), from.group)
		if from.pull != nil {
			ours = append(ours, from.pull.mergeSHA)
		}
		b.protect(c.Repository, branch, merge, number, compact(ours), begin, d)
		required := b.dir.repository(c.Repository).RequiredChecks
		if len(required) == 0 && c.BranchProtection != nil {
			required = c.BranchProtection.RequiredChecks
		}
		shas := compact(append(slices.Concat(from.shas, c.MergedContentSHAs), from.group))
		if from.pull != nil {
			shas = compact(append(shas, from.pull.head, from.pull.mergeSHA))
		}
		b.addChecks(shas, required, d)
	}
	b.components(d)
	b.link(d, from, at)
	b.procedure(d, from, at)
	if !slices.ContainsFunc(c.Deployments, func(r engine.Deployment) bool { return r.EnvironmentKind == production && r.LiveAt != nil }) && c.Event == nil {
		d.scope.open = true // it may still be deployed
	}
}

func when(r engine.Deployment) time.Time {
	if t := first(r.StartedAt, r.LiveAt); t != nil {
		return *t
	}
	return time.Time{}
}

func (h *history) mainBranch() string {
	if h == nil || len(h.branches) == 0 {
		return ""
	}
	return h.branches[0]
}

// compact sorts and drops duplicates and empty names.
func compact(names []string) []string {
	names = slices.DeleteFunc(slices.Clone(names), func(s string) bool { return s == "" })
	slices.Sort(names)
	return slices.Compact(names)
}

// components are the deployed ones; where the directory ties paths to services,
// only those whose paths the change touches.
func (b *builder) components(d *draft) {
	c := &d.change
	touched := map[string]bool{}
	mapped := false
	for _, s := range b.dir.Services {
		if len(s.Paths) == 0 || (s.Repository != "" && s.Repository != c.Repository) {
			continue
		}
		mapped = true
		for _, f := range c.Files {
			if slices.ContainsFunc(s.Paths, func(p string) bool { return matchesPath(p, f.Path) || matchesPath(p, f.PreviousPath) }) {
				touched[first(s.Component, s.Name, s.ID)] = true
			}
		}
	}
	if mapped && len(touched) > 0 && len(c.Files) > 0 {
		c.Components = sortedKeys(touched)
		return
	}
	slices.Sort(c.Components)
}

// matchesPath reports whether a path lies under a folder or matches a pattern, in
// which * stands for any run of characters.
func matchesPath(pattern, path string) bool {
	if path == "" {
		return false
	}
	pattern = strings.ReplaceAll(pattern, "**", "*")
	return matches(pattern, path) || strings.HasPrefix(path, strings.TrimSuffix(pattern, "/")+"/")
}

// manifests are the files that a dependency update touches.
var manifests = []string{
	"package.json", "package-lock.json", "npm-shrinkwrap.json", "yarn.lock", "pnpm-lock.yaml", "go.mod", "go.sum", "requirements*.txt",
	"poetry.lock", "pyproject.toml", "uv.lock", "Pipfile", "Pipfile.lock", "Gemfile", "Gemfile.lock", "Cargo.toml", "Cargo.lock", "composer.json", "composer.lock",
}

// procedure attaches the registered procedure that the change names, declares or,
// as a pure dependency update or a rollback, would fall under; of several versions
// the one in force.
func (b *builder) procedure(d *draft, from detail, at time.Time) {
	c := &d.change
	text := c.CommitMessage
	if from.pull != nil {
		text = strings.Join(append([]string{from.pull.title, b.documentation(from.pull), b.messages(from.pull)}, b.labels(from.pull)...), "\n")
	}
	if c.Event != nil {
		text += "\n" + c.Event.Detail
	}
	want := ""
	for _, p := range b.dir.Procedures {
		if p.ID != "" && strings.Contains(text, p.ID) && len(p.ID) > len(want) {
			want = p.ID
		}
	}
	declared := c.Declared != nil && c.Declared.Type == "standard"
	dependency := len(c.DependencyUpdates) > 0 && !slices.ContainsFunc(c.Files, func(f engine.ChangedFile) bool {
		base := f.Path[strings.LastIndex(f.Path, "/")+1:]
		return !slices.ContainsFunc(manifests, func(m string) bool { return matches(m, base) })
	})
	switch {
	case want != "":
	case c.Kind == "platform_rollback":
		want = "STD-ROLLBACK"
	case dependency || (declared && len(c.DependencyUpdates) > 0):
		want = "STD-DEP"
	case declared && c.Kind == "platform_config":
		want = "STD-CONFIG"
	case declared:
		want = "STD-DEP"
	default:
		return
	}
	var found *engine.Procedure
	for _, p := range b.dir.Procedures {
		if p.ID != want || (found != nil && p.ApprovedAt != nil && p.ApprovedAt.After(at)) {
			continue
		}
		if found == nil || found.ApprovedAt == nil || found.ApprovedAt.After(at) || (p.ApprovedAt != nil && p.ApprovedAt.After(*found.ApprovedAt)) {
			found = ptr(p)
		}
	}
	if found != nil {
		d.cast.member(found.ApprovedBy)
		c.Procedure = found
	}
}
