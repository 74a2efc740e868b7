package assembly

import (
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/changevouch/changevouch/engine"
)

// platformTriggers start a deployment of the same commit without anybody asking.
var platformTriggers = []string{"deployed_by_render", "service_resumed"}

// fromRuns hangs every deployment on the changes that it newly brings to its
// service, and makes a change of each production deployment that brings something
// no other change explains.
func (b *builder) fromRuns() {
	where := b.landingOf()
	carried, before := map[string]map[*landing]bool{}, map[string]string{}
	runs := slices.Clone(b.runs)
	slices.SortStableFunc(runs, func(x, y *run) int { return x.moment().Compare(y.moment()) })
	for _, r := range runs {
		if r.kind != production || b.mirrored(r) {
			continue
		}
		place := r.provider + " " + first(r.serviceID, r.service, r.repository) + " " + r.env
		if carried[place] == nil {
			carried[place] = map[*landing]bool{}
		}
		on := b.onProductionBranch(r.repository, r.commit, first(r.startedAt, &r.createdAt).UTC())
		b.production(r, on, first(before[place], r.told), where, carried[place])
		if r.liveAt != nil && r.commit != "" && (on == nil || *on) {
			before[place] = r.commit
		}
	}
	for _, d := range b.drafts {
		// Earlier commits of a pull request, too: they show that something else ran there.
		for _, sha := range compact(slices.Concat(d.change.MergedContentSHAs, b.details[d].shas)) {
			for _, r := range b.byCommit[sha] {
				if r.kind != production {
					b.attach(r, d)
				}
			}
		}
	}
}

// mirrored: the platform itself told of the same deployment that GitHub mirrors.
func (b *builder) mirrored(r *run) bool {
	return r.provider == "github" && slices.ContainsFunc(b.byCommit[r.commit], func(o *run) bool { return o.provider != "github" && o.kind == r.kind })
}

// landingOf finds the landing that brought a commit to its branch.
func (b *builder) landingOf() map[string]*landing {
	out := map[string]*landing{}
	for _, name := range sortedKeys(b.history) {
		for _, l := range b.history[name].landings {
			out[l.tip] = first(out[l.tip], l)
			for _, sha := range l.direct {
				out[sha] = first(out[sha], l)
			}
		}
		for _, l := range b.history[name].landings {
			if l.push == nil {
				continue
			}
			for _, sha := range l.push.Commits {
				out[sha] = first(out[sha], l)
			}
		}
	}
	return out
}

// production hangs one production deployment on its changes. before is the commit
// of a production branch that was live last: what a deployment from elsewhere put
// live in between does not count as delivered.
func (b *builder) production(r *run, on *bool, before string, where map[string]*landing, carried map[*landing]bool) {
	outside := on != nil && !*on
	switch {
	case r.trigger == "rollback" || r.rollbackTo != "":
		b.rollback(r, where)
		return
	case slices.Contains(platformTriggers, r.trigger) && (r.previous == "" || r.commit == r.previous):
		b.manualDeploy(r, on)
		return
	case r.commit == "" && r.image != nil:
		b.imageDeploy(r)
		return
	case r.commit != "" && r.commit == r.previous:
		b.redeploy(r, on, where)
		return
	}
	attached := false
	if !outside {
		var brought []*draft
		for _, l := range b.contents(r, before, where, carried) {
			if r.liveAt != nil {
				carried[l] = true
			}
			if d := b.byLanding[l]; d != nil {
				brought = append(brought, d)
			}
		}
		attached = len(brought) > 0
		b.deliver(r, brought, b.byLanding[where[r.commit]])
	}
	switch {
	case attached && (on != nil || where[r.commit] != nil):
	case r.lived(r.commit) && on != nil && *on:
		b.rollback(r, where)
	case r.commit == "" && r.liveAt == nil: // nothing is known of it, and it changed nothing
	default:
		b.manualDeploy(r, on)
	}
}

// deliver hangs a deployment on the changes that can reach its service; where none
// can, on the one whose commit it is, so that no deployment goes unaccounted for.
// A deployment that the platform started for a commit shows that the commit passed
// the build filter.
func (b *builder) deliver(r *run, brought []*draft, own *draft) {
	delivered := false
	for _, d := range brought {
		if b.reaches(r, d) || (d == own && r.trigger == "new_commit") {
			b.attach(r, d)
			delivered = true
		}
	}
	if !delivered && len(brought) > 0 {
		b.attach(r, first(own, brought[len(brought)-1]))
	}
}

// reaches reports whether a change can have an effect on the service of a run: one
// of its files passes the paths of the directory or the build filter or lies in the
// folder, by which the platform decides what to build. Where either is unknown, it
// does.
func (b *builder) reaches(r *run, d *draft) bool {
	s := b.serviceFacts[r.serviceID].Data
	paths := first2(b.dir.service(r.serviceID, r.service).Paths, s.Paths)
	if root := strings.Trim(s.RootDir, "/"); len(paths) == 0 && root != "" {
		paths = []string{root}
	}
	truncated := d.change.FilesTruncated != nil && *d.change.FilesTruncated
	if len(paths) == 0 && len(s.IgnoredPaths) == 0 || len(d.change.Files) == 0 || truncated || d.scope.missing["github"]["files"] != "" {
		return true
	}
	matching := func(patterns []string, path string) bool {
		return slices.ContainsFunc(patterns, func(p string) bool { return matchesPath(p, path) })
	}
	return slices.ContainsFunc(d.change.Files, func(f engine.ChangedFile) bool {
		return slices.ContainsFunc([]string{f.Path, f.PreviousPath}, func(path string) bool {
			return path != "" && (len(paths) == 0 || matching(paths, path)) && !matching(s.IgnoredPaths, path)
		})
	})
}

// contents lists the landings that a run newly brings to its service: what lies
// between the commit that was live and its own, told by a comparison, walked along
// parents or, on one branch, counted off by the order of landings.
func (b *builder) contents(r *run, before string, where map[string]*landing, carried map[*landing]bool) []*landing {
	h := b.history[r.repository]
	if h == nil || r.commit == "" {
		return nil
	}
	if shas, ok := b.between(r.repository, before, r.commit); ok {
		found := map[*landing]bool{}
		for sha := range shas {
			for _, l := range h.holding[sha] {
				found[l] = true
			}
		}
		return slices.SortedFunc(maps.Keys(found), func(x, y *landing) int { return h.index(x) - h.index(y) })
	}
	target := where[r.commit]
	if target == nil || (target.pull != nil && target.at.After(r.moment().Add(b.opts.Skew))) {
		return nil
	}
	end := h.index(target)
	start := end
	if last := where[before]; last != nil && last.branch == target.branch {
		start = h.index(last) + 1
	} else if from := b.watchedSince(r); from != nil || before != "" {
		start = 0
		for start < end && from != nil && h.landings[start].at.Before(*from) {
			start++
		}
	}
	var out []*landing
	for i := start; i <= end; i++ {
		if l := h.landings[i]; l.branch == target.branch && (!carried[l] || i == end && !r.lived(r.commit)) {
			out = append(out, l)
		}
	}
	return out
}

// watchedSince is from when on the deployments of a service were read without a
// gap; nil when that is not known.
func (b *builder) watchedSince(r *run) *time.Time {
	var from *time.Time
	for _, f := range b.stretches {
		c := f.Data
		if c.Source == "render" && c.Status == "complete" && c.Service == "" && !c.From.After(r.createdAt) {
			from = earlier(from, utc(c.From))
		}
	}
	return from
}

// rollback makes the change that puts an earlier build back.
func (b *builder) rollback(r *run, where map[string]*landing) {
	d := b.runDraft("platform_rollback", r)
	c := &d.change
	back := &engine.Rollback{At: ptr(r.moment()), ToCommit: r.commit, TargetDeployID: r.rollbackTo}
	target := b.runByID(r.provider, r.rollbackTo)
	if target != nil && r.commit == "" {
		back.ToCommit = target.commit
	}
	switch {
	case target != nil && target.liveAt != nil && target.liveAt.Before(r.moment()), r.lived(back.ToCommit):
		back.PreviouslyLive = ptr(true)
	case target != nil && target.status != "" && rankOf(target.status) >= rankOf("failed") && target.liveAt == nil:
		back.PreviouslyLive = ptr(false)
	}
	if target == nil && back.TargetDeployID == "" {
		for _, o := range b.byCommit[back.ToCommit] {
			if o.liveAt != nil && o.liveAt.Before(r.moment()) && o.service == r.service && o != r {
				back.TargetDeployID = o.id
			}
		}
	}
	if l := where[back.ToCommit]; l != nil && b.byLanding[l] != nil {
		b.targets[d] = b.byLanding[l]
		c.Links = []string{b.byLanding[l].change.ID}
	}
	c.Rollback = back
	c.Event = &engine.PlatformEvent{System: r.provider, Type: "rollback", Actor: d.cast.account(r.user), At: back.At, Scopes: []string{"application"}}
}

func (b *builder) runByID(provider, id string) *run {
	i := slices.IndexFunc(b.runs, func(r *run) bool { return id != "" && r.provider == provider && r.id == id })
	if i < 0 {
		return nil
	}
	return b.runs[i]
}

// runDraft makes a change of a deployment itself.
func (b *builder) runDraft(kind string, r *run) *draft {
	d := b.draft(kind, r.key, r.moment(), detail{shas: compact([]string{r.commit})})
	d.change.Repository = r.repository
	d.change.CommitMessage = first(b.commits[r.commit].Data.Message, r.message)
	b.settleRun(d, r)
	return d
}

func (b *builder) settleRun(d *draft, r *run) {
	d.scope.names = append(d.scope.names, r.id)
	if r.repository != "" {
		d.scope.repositories = compact(append(d.scope.repositories, r.repository))
	}
	d.scope.shas = compact(append(d.scope.shas, r.commit))
	b.attach(r, d)
}

func (b *builder) imageDeploy(r *run) {
	d := b.runDraft("image_deploy", r)
	if l := b.landings[r.image.Provenance]; l != nil && b.byLanding[l] != nil {
		d.change.Links = []string{b.byLanding[l].change.ID}
	}
}

// manualDeploy makes a change of a deployment whose commit no merged change
// brought. Where an open pull request holds the commit, its facts as of then are
// part of the change.
func (b *builder) manualDeploy(r *run, onBranch *bool) {
	var d *draft
	for _, p := range b.pullsOf(r.commit) {
		if p.known && p.repository == first(r.repository, p.repository) && (onBranch == nil || !*onBranch) {
			then := *p
			if p.mergedAt != nil && p.mergedAt.After(r.moment()) {
				then.mergedAt, then.mergedBy, then.mergeSHA = nil, nil, ""
			}
			if then.mergedAt == nil {
				then.closedAt = nil
			}
			d = b.pullDraft("manual_deploy", r.key, &then)
			d.change.MergedContentSHAs = b.sameTree(r.commit, sortedKeys(p.shas))
			b.settleRun(d, r)
			break
		}
	}
	if d == nil {
		d = b.runDraft("manual_deploy", r)
		d.change.BaseBranch = r.branch
		if r.commit != "" {
			d.change.MergedContentSHAs = []string{r.commit}
			b.commit(r.commit, nil, d)
			b.changedFiles(nil, []string{r.commit}, d)
			b.declare(nil, []string{r.commit}, d)
		}
	}
	if onBranch != nil && *onBranch {
		d.scope.miss("github", "pull_request", "how commit "+r.commit+" came to the branch was before the evidence begins")
	}
}

// redeploy hangs a deployment of the commit that is live already on the
// configuration change that caused it, else on the change that brought the commit;
// without either it is a deployment nobody accounts for.
func (b *builder) redeploy(r *run, on *bool, where map[string]*landing) {
	var cause *draft
	for _, d := range b.configs {
		e := d.change.Event
		same := slices.Contains(d.scope.services, r.serviceID) || slices.Contains(d.scope.services, r.service)
		if same && !e.At.Before(r.createdAt.Add(-10*time.Minute)) && !e.At.After(r.createdAt.Add(2*b.opts.Skew)) {
			cause = d
		}
	}
	if cause == nil {
		if l := where[r.commit]; l != nil {
			cause = b.byLanding[l]
		}
	}
	if cause == nil {
		b.manualDeploy(r, on)
		return
	}
	b.attach(r, cause)
}
