package assembly

import (
	"cmp"
	"slices"
	"strings"
	"time"

	"github.com/changevouch/changevouch/engine"
)

// pull is one pull request, folded from its snapshots.
type pull struct {
	key        string
	repository string
	number     int
	known      bool // a snapshot of it was seen
	snapshots  []fact[engine.PullRequestFact]
	title      string
	author     *engine.Account
	createdAt  *time.Time
	closedAt   *time.Time
	mergedAt   *time.Time
	mergedBy   *engine.Account
	mergeSHA   string
	head       string
	base       string
	draft      *bool
	assignedBy *engine.Account
	list       engine.CommitListFact // the commits that counted
	listed     bool
	count      *int
	updates    []engine.DependencyFacts
	shas       map[string]bool // every commit that ever belonged to it, and the merge commit
}

// readPulls folds every pull request that any event names.
func (a *assembler) readPulls() map[string]*pull {
	out := map[string]*pull{}
	see := func(repository string, number int) *pull {
		key := numbered(repository, number)
		if key == "" {
			return nil
		}
		if out[key] == nil {
			out[key] = &pull{key: key, repository: repository, number: number, shas: map[string]bool{}}
		}
		return out[key]
	}
	for _, facts := range a.pullFacts {
		see(facts[0].Data.Repository, facts[0].Data.Number)
	}
	for _, facts := range a.reviewFacts {
		see(facts[0].Data.Repository, facts[0].Data.Number)
	}
	for _, facts := range a.commitLists {
		see(facts[0].Data.Repository, facts[0].Data.Number)
	}
	for sha, facts := range a.associations {
		for _, f := range facts {
			for _, n := range f.Data.Numbers {
				if p := see(f.Data.Repository, n); p != nil {
					p.shas[sha] = true
				}
			}
		}
	}
	for key, p := range out {
		p.fold(a.pullFacts[key], a.opts.At)
		p.foldCommits(a.commitLists[key])
	}
	return out
}

// fold reads the snapshots up to an instant; where only later ones exist, the
// first of them, without what happened after the instant.
func (p *pull) fold(snapshots []fact[engine.PullRequestFact], at time.Time) {
	until := slices.IndexFunc(snapshots, func(f fact[engine.PullRequestFact]) bool { return f.OccurredAt.After(at) })
	if until >= 0 {
		snapshots = snapshots[:max(until, min(1, len(snapshots)))]
	}
	p.snapshots, p.known = snapshots, len(snapshots) > 0
	for _, f := range snapshots {
		d := f.Data
		p.title, p.base = first(d.Title, p.title), first(d.BaseBranch, p.base)
		if p.author == nil {
			p.author = d.Author
		}
		if d.AssignedBy != nil {
			p.assignedBy = d.AssignedBy
		}
		p.createdAt = earlier(p.createdAt, utc(d.CreatedAt))
		if d.Draft != nil {
			p.draft = d.Draft
		}
		p.updates = longer(p.updates, d.DependencyUpdates)
		if d.CommitCount != nil {
			p.count = d.CommitCount
		}
		if d.HeadSHA != "" {
			p.head = d.HeadSHA
			p.shas[d.HeadSHA] = true
		}
		if d.HeadBefore != "" {
			p.shas[d.HeadBefore] = true
		}
		if f.Type == "change.abandoned" || d.ClosedAt != nil {
			p.closedAt = first(utc(d.ClosedAt), ptr(f.OccurredAt))
		} else if d.State == "open" {
			p.closedAt = nil
		}
		p.foldMerge(f, at)
	}
	if p.mergedAt == nil {
		p.mergedBy, p.mergeSHA = nil, ""
	}
	if p.closedAt != nil && p.closedAt.After(at) {
		p.closedAt = nil
	}
	if p.mergeSHA != "" {
		p.shas[p.mergeSHA] = true
	}
}

func (p *pull) foldMerge(f fact[engine.PullRequestFact], at time.Time) {
	merged := utc(f.Data.MergedAt)
	if merged == nil && f.Type == "change.merged" {
		merged = ptr(f.OccurredAt)
	}
	if merged == nil || merged.After(at) {
		return
	}
	p.mergedAt = earlier(p.mergedAt, merged)
	p.mergeSHA = first(f.Data.MergeCommitSHA, p.mergeSHA)
	if f.Data.MergedBy != nil {
		p.mergedBy = f.Data.MergedBy
	} else if p.mergedBy == nil && f.Type == "change.merged" {
		p.mergedBy = f.Actor
	}
}

// foldCommits picks the commit list that belongs to the head.
func (p *pull) foldCommits(lists []fact[engine.CommitListFact]) {
	for _, d := range wholeCommitLists(lists) {
		for _, sha := range d.SHAs {
			p.shas[sha] = true
		}
		ends := func(l engine.CommitListFact) bool {
			return p.head != "" && (l.HeadSHA == p.head || (len(l.SHAs) > 0 && l.SHAs[len(l.SHAs)-1] == p.head))
		}
		if !p.listed || ends(d) || !ends(p.list) {
			p.list, p.listed = d, true
		}
		if d.Total != nil {
			p.count = d.Total
		}
	}
}

// closing is the moment at which a pull request's state counts: its merge, or now.
func (a *assembler) closing(p *pull) time.Time {
	if p.mergedAt != nil {
		return *p.mergedAt
	}
	return a.opts.At
}

// pullRequest builds the dossier's view of a pull request and says what of it
// could not be read.
func (a *assembler) pullRequest(p *pull, d *draft) *engine.PullRequest {
	out := &engine.PullRequest{
		Number: ptr(p.number), Title: p.title, Author: d.cast.account(p.author), CreatedAt: p.createdAt,
		HeadSHA: p.head, MergedAt: p.mergedAt, MergedBy: d.cast.account(p.mergedBy), MergeCommitSHA: p.mergeSHA,
		ClosedAt: p.closedAt, Draft: p.draft, AssignedBy: d.cast.account(p.assignedBy), CommitCount: p.count,
		Labels: a.labels(p), Reviews: a.reviews(p, d), EnqueuedBy: d.cast.account(a.enqueuer(p)),
		PatchEquivalentSHAs: nil, LastPushedAt: a.lastPush(p),
	}
	if p.mergedAt != nil {
		out.ClosedAt = nil
	}
	if !p.known {
		d.scope.miss("github", "pull_request", p.key+" itself was not read")
		return out
	}
	a.body(p, out, d)
	out.Commits = a.pullCommits(p, d)
	out.PatchEquivalentSHAs = a.patchEquivalent(p)
	a.operated(p, out, d)
	if text := p.title + "\n" + a.documentation(p); text != "\n" {
		out.Reverts, out.CherryPickOf = references(text, a.messages(p))
	}
	if pushes := a.forcePushes(p, d); len(pushes) > 0 {
		out.ForcePush = pushes
	}
	return out
}

// labels are those in force when the pull request was merged: the nearest
// snapshot, with the labelling in between replayed or taken back.
func (a *assembler) labels(p *pull) []string {
	at := a.closing(p)
	base := -1
	for i, f := range p.snapshots {
		if !complete(f) {
			continue
		}
		if base < 0 || !f.OccurredAt.After(at) {
			base = i
		}
	}
	set := map[string]bool{}
	from := time.Time{}
	if base >= 0 {
		from = p.snapshots[base].OccurredAt
		for _, label := range p.snapshots[base].Data.Labels {
			set[label] = true
		}
	}
	notes := a.notes[p.key]
	for _, n := range notes {
		if n.OccurredAt.After(from) && !n.OccurredAt.After(at) {
			set[n.Data.Label] = n.Data.Kind == "labeled" || (set[n.Data.Label] && n.Data.Kind != "unlabeled")
		}
	}
	for _, n := range slices.Backward(notes) {
		if n.OccurredAt.After(at) && !n.OccurredAt.After(from) {
			set[n.Data.Label] = n.Data.Kind == "unlabeled" || (set[n.Data.Label] && n.Data.Kind != "labeled")
		}
	}
	var out []string
	for _, label := range sortedKeys(set) {
		if set[label] && label != "" {
			out = append(out, label)
		}
	}
	return out
}

// complete: the event shows the whole pull request, not only that it was opened,
// merged or closed.
func complete(f fact[engine.PullRequestFact]) bool {
	return f.Type == "change.updated" || f.Data.Action == "closed" || f.Data.Body != "" || len(f.Data.Labels) > 0
}

// enqueuer is who put the pull request into the merge queue for the merge.
func (a *assembler) enqueuer(p *pull) *engine.Account {
	var out *engine.Account
	for _, f := range a.enqueues[p.key] {
		switch {
		case f.OccurredAt.After(a.closing(p)):
		case f.Type == "change.enqueued":
			out = f.Actor
		case p.mergedAt == nil:
			out = nil
		}
	}
	return out
}

// lastPush is when the merged content last moved, by the server's clock.
func (a *assembler) lastPush(p *pull) *time.Time {
	var out *time.Time
	branch := ""
	for _, f := range p.snapshots {
		branch = first(f.Data.HeadBranch, branch)
		if f.Data.Action == "synchronize" && !f.OccurredAt.After(a.closing(p)) {
			out = later(out, ptr(f.OccurredAt))
		}
	}
	for _, n := range a.notes[p.key] {
		if n.Data.Kind == "head_ref_force_pushed" && !n.OccurredAt.After(a.closing(p)) {
			out = later(out, ptr(n.OccurredAt))
		}
	}
	for _, f := range a.pushesTo[p.head] {
		if f.Data.Repository == p.repository && branch != "" && f.Data.Branch == branch && !f.OccurredAt.After(a.closing(p)) {
			out = later(out, ptr(f.OccurredAt))
		}
	}
	return out
}

func (a *assembler) forcePushes(p *pull, d *draft) []map[string]any {
	var out []map[string]any
	for _, n := range a.notes[p.key] {
		if n.Data.Kind != "head_ref_force_pushed" {
			continue
		}
		entry := map[string]any{"at": n.OccurredAt}
		for key, value := range map[string]string{"actor": d.cast.account(n.Actor), "before": n.Data.HeadBefore, "after": n.Data.HeadAfter} {
			if value != "" {
				entry[key] = value
			}
		}
		out = append(out, entry)
	}
	return out
}

// operated names the persons who steered an agent on the pull request.
func (a *assembler) operated(p *pull, out *engine.PullRequest, d *draft) {
	for _, f := range a.operators[p.key] {
		name := d.cast.account(&f.Data.Operator)
		if name == "" {
			continue
		}
		if !slices.Contains(out.AgentOperators, name) {
			out.AgentOperators = append(out.AgentOperators, name)
		}
		entry := map[string]any{"operator": name, "at": f.OccurredAt}
		if f.Data.Kind != "" {
			entry["kind"] = f.Data.Kind
		}
		if agent := d.cast.account(f.Data.Agent); agent != "" {
			entry["agent"] = agent
		}
		out.OperatorEvents = append(out.OperatorEvents, entry)
	}
	slices.Sort(out.AgentOperators)
}

// reviews lists every review as its source states it: a dismissed one with the
// state it had and the moment it lost it.
func (a *assembler) reviews(p *pull, d *draft) []engine.Review {
	out := []engine.Review{}
	byID := map[string]int{}
	for _, f := range a.reviewFacts[p.key] {
		state := strings.ToUpper(f.Data.State)
		if state == "PENDING" || state == "" || f.OccurredAt.After(a.opts.At) {
			continue
		}
		if i, seen := byID[f.Data.ReviewID]; seen && f.Data.ReviewID != "" {
			if out[i].State == "DISMISSED" {
				out[i].State = state
			}
			out[i].CommitID, out[i].Permission = first(out[i].CommitID, f.Data.CommitID), first(out[i].Permission, f.Data.Permission)
			continue
		}
		byID[f.Data.ReviewID] = len(out)
		at := first(utc(f.Data.SubmittedAt), ptr(f.OccurredAt))
		out = append(out, engine.Review{
			ID: f.Data.ReviewID, User: first(d.cast.account(f.Actor), "unknown"), State: state, SubmittedAt: at, CommitID: f.Data.CommitID,
			Permission: first(f.Data.Permission, a.permission(p.repository, f.Actor, *at)),
		})
	}
	for _, f := range a.dismissals[p.key] {
		i, seen := byID[f.Data.ReviewID]
		if !seen || f.Data.ReviewID == "" || out[i].DismissedAt != nil {
			continue
		}
		if was := strings.ToUpper(f.Data.DismissedState); out[i].State == "DISMISSED" && was != "" {
			out[i].State = was
		}
		out[i].DismissedAt, out[i].DismissedBy = ptr(f.OccurredAt), d.cast.account(f.Actor)
	}
	slices.SortStableFunc(out, func(x, y engine.Review) int {
		return cmp.Or(x.SubmittedAt.Compare(*y.SubmittedAt), strings.Compare(x.ID, y.ID), strings.Compare(x.User, y.User))
	})
	return out
}

// permission is the right that the reviewer had: the last reading before the
// review, else the first after it, unless access changed in between.
func (a *assembler) permission(repository string, account *engine.Account, at time.Time) string {
	if account == nil {
		return ""
	}
	out := ""
	for _, f := range a.permissions[permissionKey(repository, *account)] {
		if f.OccurredAt.After(at) {
			if out != "" || a.accessMoved(*account, at, f.OccurredAt) {
				break
			}
			return f.Data.Permission
		}
		out = f.Data.Permission
	}
	return out
}

func (a *assembler) accessMoved(account engine.Account, from, to time.Time) bool {
	return slices.ContainsFunc(a.accesses, func(f fact[engine.AccessFact]) bool {
		return f.Data.Target != nil && strings.EqualFold(f.Data.Target.Account, account.Account) && f.Data.Outcome == "success" &&
			first(f.Data.System, f.Provider) == account.System && f.OccurredAt.After(from) && !f.OccurredAt.After(to)
	})
}
