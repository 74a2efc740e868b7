package assembly

import (
	"cmp"
	"slices"
	"strings"
	"time"

	"github.com/changevouch/changevouch/engine"
)

// link ties records to a change: the issue in whose name it was made, the trigger
// of an emergency, reviews and validations afterwards.
func (b *builder) link(d *draft, from detail, at time.Time) {
	said := b.refersTo(d, from)
	b.requested(d, from, said, at)
	trigger := b.emergency(d, from, said, at)
	b.reviewed(d, from, trigger)
	b.documented(d, from)
	b.validated(d, from)
	if d.change.Declared != nil && d.change.Declared.Type == "emergency" && trigger == nil {
		d.scope.open = true
	}
}

// refersTo is what the change itself refers to.
func (b *builder) refersTo(d *draft, from detail) mentions {
	parts := []string{d.change.CommitMessage}
	for _, sha := range from.shas {
		parts = append(parts, b.commits[sha].Data.Message)
	}
	if p := from.pull; p != nil {
		parts = append(parts, p.title, b.documentation(p))
		for _, f := range p.snapshots {
			for _, key := range f.Data.ClosingIssues {
				parts = append(parts, " "+key)
			}
		}
	}
	if e := d.change.Event; e != nil {
		parts = append(parts, e.Detail)
	}
	if from.grant != nil {
		parts = append(parts, " "+from.grant.Data.Request)
	}
	return readMentions(strings.Join(parts, "\n"), d.change.Repository)
}

// requests are the kinds of records that can stand behind a change.
var requests = []string{"change_request", "access_request", "issue"}

// requested finds the issue in whose name a change was made. For what Git cannot
// hold, a request that fits without being named counts too: same beneficiary or
// same service or key, opened in the month before and not closed before.
func (b *builder) requested(d *draft, from detail, said mentions, at time.Time) {
	var named, fitting *record
	for _, r := range b.recordsOf(requests...) {
		switch {
		case said.any(r.names) || (d.change.Event != nil && r.speaksOf(d, from)):
			if named == nil || (named.Kind == "issue" && r.Kind != "issue") {
				named = r
			}
		case d.change.Event != nil && r.Kind != "issue" && b.fits(r, d, at):
			fitting = r // the latest one
		}
	}
	r := first(named, fitting)
	if r == nil || (from.pull != nil && r.Kind == "issue" && len(b.issue(r, at, newCast(b.roster)).Approvals) == 0) {
		return
	}
	d.change.Issue = b.issue(r, at, d.cast)
	d.scope.names = append(d.scope.names, r.names...)
	e := d.change.Event
	if e == nil {
		return
	}
	if e.RequestedBy == "" {
		e.RequestedBy = first(b.member(r.section("requested_by", "requester"), d), d.change.Issue.Author)
	}
	if expires := parseInstant(r.section("expires_at", "expiry", "until")); expires != nil && from.grant != nil {
		if e.Elevation == nil {
			e.Elevation = &engine.Elevation{StartedAt: e.At}
		}
		e.Elevation.ExpiresAt = earlier(e.Elevation.ExpiresAt, expires)
	}
}

// member is the account that a form field names, as the dossier writes it.
func (b *builder) member(field string, d *draft) string {
	words := strings.Fields(field)
	if len(words) == 0 {
		return ""
	}
	name := strings.Trim(words[0], "@,;.")
	if b.roster.named(name) == "" {
		return ""
	}
	return d.cast.member(name)
}

func (b *builder) fits(r *record, d *draft, at time.Time) bool {
	e := d.change.Event
	if r.CreatedAt.After(at) || r.CreatedAt.Before(at.AddDate(0, 0, -31)) || (r.ClosedAt != nil && r.ClosedAt.Before(at)) {
		return false
	}
	text := r.text()
	if r.Kind == "access_request" {
		wanted := b.member(r.section("beneficiary", "who", "account"), d)
		return wanted != "" && d.cast.person(wanted) != "" && d.cast.person(wanted) == d.cast.person(e.Beneficiary) &&
			(e.System == "" || strings.Contains(strings.ToLower(text), strings.ToLower(e.System)))
	}
	for _, key := range e.Keys {
		if key != "" && strings.Contains(text, key) {
			return true
		}
	}
	service := first(r.Service, r.section("service"))
	return service != "" && slices.Contains(d.scope.services, service) && len(e.Keys) == 0
}

// emergency finds what the change answers to, if it was declared one: the incident,
// finding or alert that it names or that names it, else an open incident of the
// same component. What merely happened at the same time is concurrent.
func (b *builder) emergency(d *draft, from detail, said mentions, at time.Time) *record {
	c := &d.change
	var named, naming, matching *record
	var around []*record
	for _, r := range b.recordsOf("incident") {
		started := first(utc(r.StartedAt), ptr(r.CreatedAt.UTC()))
		overlaps := !started.After(at.Add(b.opts.Skew)) && (r.ResolvedAt == nil || !r.ResolvedAt.Before(at.Add(-b.opts.Skew)))
		switch {
		case said.any(r.names):
			named = first(named, r)
		case r.speaksOf(d, from) || b.namedInComments(r, d):
			naming = first(naming, r)
		case overlaps && shares(r.AffectedComponents, c.Components):
			matching = first(matching, r)
		}
		if overlaps {
			around = append(around, r)
		}
	}
	b.declaredByIncident(d, from, first(named, naming))
	declared := c.Declared != nil && c.Declared.Type == "emergency"
	var trigger *record
	if declared {
		trigger = first(named, naming, matching)
	}
	for _, r := range around {
		if r != trigger {
			c.ConcurrentIncidents = append(c.ConcurrentIncidents, b.trigger(r, d))
		}
	}
	switch {
	case trigger != nil:
		c.EmergencyTrigger = ptr(b.trigger(trigger, d))
		if c.Issue == nil {
			documentation := b.issue(trigger, at.Add(b.opts.Documentation), d.cast)
			if body := documentation.Body; body.Description != "" || body.Risk != nil || body.Rollback != "" {
				c.Issue = documentation
			}
		}
		d.scope.names = append(d.scope.names, trigger.names...)
	case declared:
		c.EmergencyTrigger = b.otherTrigger(said)
	}
	return trigger
}

func shares(a, b []string) bool {
	return slices.ContainsFunc(a, func(x string) bool {
		return slices.ContainsFunc(b, func(y string) bool { return strings.EqualFold(strings.TrimSpace(x), y) })
	})
}

// trigger shows an incident as a dossier does. An incident that does not say when
// it started had started when it was recorded.
func (b *builder) trigger(r *record, d *draft) engine.EmergencyTrigger {
	out := engine.EmergencyTrigger{
		ID: r.id(), Kind: "incident", Severity: r.Severity, StartedAt: first(utc(r.StartedAt), ptr(r.CreatedAt.UTC())),
		RecordedAt: ptr(r.CreatedAt.UTC()), ResolvedAt: utc(r.ResolvedAt), AffectedComponents: slices.Clone(r.AffectedComponents), Title: r.Title,
	}
	var ours []string
	for _, sha := range d.scope.shas {
		if sharesCommit(r.MentionsCommits, []string{sha}) {
			ours = append(ours, sha)
		}
	}
	if ours = compact(ours); len(ours) > 0 {
		out.MentionsCommit = ours
	}
	return out
}

// otherTrigger is the vulnerability or alert that the change names.
func (b *builder) otherTrigger(said mentions) *engine.EmergencyTrigger {
	for _, id := range sortedKeys(b.vulnFacts) {
		for _, v := range b.vulnerabilities(id) {
			if said.keys[id] || (v.advisory != "" && said.keys[v.advisory]) {
				return &engine.EmergencyTrigger{
					ID: id, Kind: "vulnerability", Severity: v.Severity, StartedAt: v.FirstDetectedAt, RecordedAt: v.FirstDetectedAt,
					ResolvedAt: v.RemediatedInProductionAt, Title: v.Package,
				}
			}
		}
	}
	for _, id := range sortedKeys(b.alertFacts) {
		if x := b.alert(id); said.keys[id] {
			return &engine.EmergencyTrigger{ID: id, Kind: "alert", Severity: x.Severity, StartedAt: x.RaisedAt, RecordedAt: x.RaisedAt, ResolvedAt: x.ResolvedAt, Title: x.Title}
		}
	}
	return nil
}

func (b *builder) namedInComments(r *record, d *draft) bool {
	return slices.ContainsFunc(r.comments, func(f fact[engine.IssueCommentFact]) bool {
		return f.Data.Kind == "declaration" && b.commentNames(f, d)
	})
}

// commentNames reports whether a comment speaks of the change.
func (b *builder) commentNames(f fact[engine.IssueCommentFact], d *draft) bool {
	m := b.said[f.ID]
	return slices.Contains(d.scope.names, f.Data.Subject) || f.Data.Subject == d.change.ID || sharesCommit(f.Data.MentionsCommits, d.scope.shas) ||
		m.any(append(slices.Clone(d.scope.names), d.change.ID)) || m.commit(d.scope.shas)
}

// declaredByIncident: where the change itself declares nothing, the incident's
// timeline may call it the emergency fix, in a comment or in its form.
func (b *builder) declaredByIncident(d *draft, from detail, r *record) {
	if r == nil || (d.change.Declared != nil && d.change.Declared.Type != "") {
		return
	}
	var at *time.Time
	for _, f := range r.comments {
		if f.Data.Kind == "declaration" && b.commentNames(f, d) {
			at = earlier(at, ptr(f.OccurredAt))
		}
	}
	if at == nil {
		for _, f := range r.snapshots {
			one := record{IssueFact: f.Data}
			m := readMentions(one.section("commits", "commit", "emergency_fix")+"\n "+one.section("pull_request", "pull_requests"), r.Repository)
			if m.commit(d.scope.shas) || (from.pull != nil && m.keys[from.pull.key]) {
				at = first(utc(f.Data.UpdatedAt), ptr(f.Data.CreatedAt.UTC()))
				break
			}
		}
	}
	if at == nil {
		return
	}
	if d.change.Declared == nil {
		d.change.Declared = &engine.Declared{}
	}
	d.change.Declared.Type, d.change.Declared.Source, d.change.Declared.At = "emergency", "incident timeline "+r.id(), at
}

// reviewed attaches the retrospective review of the change and the post-incident
// review of its trigger. Of several retrospective reviews the first by somebody
// who took no part counts.
func (b *builder) reviewed(d *draft, from detail, trigger *record) {
	c := &d.change
	took := b.authors(d)
	var chosen *engine.RetrospectiveReview
	independent := false
	for _, r := range b.recordsOf("retrospective_review") {
		about := r.speaksOf(d, from) || (trigger != nil && r.refersTo.any(trigger.names))
		if !about {
			continue
		}
		reviewer := d.cast.account(first(r.Reviewer, r.author))
		review := &engine.RetrospectiveReview{
			Reviewer: reviewer, Decision: first(r.Decision, r.section("decision")), LimitedToIssue: r.LimitedToIssue,
			CompletedAt: r.completed(func(f engine.IssueFact) bool { return f.Decision != "" }),
		}
		other := !took[d.cast.person(reviewer)]
		better := chosen == nil || (other && !independent) ||
			(other == independent && review.CompletedAt != nil && (chosen.CompletedAt == nil || review.CompletedAt.Before(*chosen.CompletedAt)))
		if better {
			chosen, independent = review, other
		}
	}
	c.RetrospectiveReview = chosen
	if trigger != nil {
		c.PostIncidentReview = b.postIncident(trigger)
	}
}

// postIncident is the review of an incident: a record of its own, or the sections
// of the incident itself.
func (b *builder) postIncident(incident *record) *engine.PostIncidentReview {
	sections := func(r *record) engine.PostIncidentReview {
		return engine.PostIncidentReview{
			RootCause: r.section("root_cause"), ActionsTaken: r.section("actions_taken", "actions"),
			PreventiveControls: r.section("preventive_controls", "prevention", "preventive_actions"),
		}
	}
	written := func(f engine.IssueFact) bool {
		return sections(&record{IssueFact: f}) != (engine.PostIncidentReview{})
	}
	var reviews []*record
	for _, r := range b.recordsOf("post_incident_review") {
		if slices.Contains(incident.names, r.Subject) || r.refersTo.any(incident.names) {
			reviews = append(reviews, r)
		}
	}
	if len(reviews) == 0 {
		out := sections(incident)
		if out == (engine.PostIncidentReview{}) {
			return nil
		}
		for _, f := range incident.snapshots {
			if written(f.Data) && out.CompletedAt == nil {
				out.CompletedAt = first(utc(f.Data.UpdatedAt), ptr(f.Data.CreatedAt.UTC()))
			}
		}
		return &out
	}
	slices.SortStableFunc(reviews, func(x, y *record) int {
		filled := func(r *record) int {
			s := sections(r)
			return len(compact([]string{s.RootCause, s.ActionsTaken, s.PreventiveControls}))
		}
		return cmp.Compare(filled(y), filled(x))
	})
	out := sections(reviews[0])
	out.CompletedAt = reviews[0].completed(written)
	return &out
}

// documented finds the pull request that was opened afterwards to document a
// change made without one: it names the commit.
func (b *builder) documented(d *draft, from detail) {
	if from.pull != nil || d.change.Event != nil || len(d.scope.shas) == 0 {
		return
	}
	var found *pull
	for _, key := range sortedKeys(b.pulls) {
		p := b.pulls[key]
		if p.repository != d.change.Repository || p.createdAt == nil || p.createdAt.Before(from.at) || p.createdAt.After(b.opts.At) {
			continue
		}
		text := p.title
		for _, f := range p.snapshots {
			text += "\n" + f.Data.Body
		}
		if !readMentions(text, p.repository).commit(d.scope.shas) {
			continue
		}
		if found == nil || p.createdAt.Before(*found.createdAt) {
			found = p
		}
	}
	if found != nil {
		d.change.DocumentingPullRequest = &engine.DocumentingPullRequest{Number: ptr(found.number), CreatedAt: found.createdAt, Purpose: found.title}
	}
}

// validated collects the validations that name the change, were noted on its pull
// request or issue, or name its service while the change was the last one live.
func (b *builder) validated(d *draft, from detail) {
	c := &d.change
	add := func(v engine.Validation) {
		if v.At != nil && !v.At.After(b.opts.At) && !slices.ContainsFunc(c.Validations, func(have engine.Validation) bool {
			return have.At.Equal(*v.At) && have.Kind == v.Kind && have.Result == v.Result && have.By == v.By
		}) {
			c.Validations = append(c.Validations, v)
		}
	}
	own := map[string]bool{}
	if from.pull != nil {
		own[from.pull.key] = true
	}
	if c.Issue != nil {
		for _, r := range b.recordsOf(requests...) {
			if r.id() == c.Issue.ID {
				own[r.key] = true
			}
		}
	}
	for _, f := range b.validating {
		if own[issueKey(f.Data.Key, f.Data.Repository, f.Data.Number)] || b.commentNames(f, d) {
			add(engine.Validation{Kind: first(f.Data.Validation, "validation"), At: ptr(f.OccurredAt), Result: f.Data.Result, By: d.cast.account(first(f.Data.Author, f.Actor))})
		}
	}
	for _, f := range b.validations {
		v := f.Data
		ours := v.Change != "" && (v.Change == c.ID || slices.Contains(d.scope.names, v.Change)) || v.Commit != "" && sharesCommit([]string{v.Commit}, d.scope.shas) ||
			v.Change == "" && v.Commit == "" && b.lastLive(v.Service, f.OccurredAt, d)
		if ours {
			add(engine.Validation{Kind: v.Kind, At: ptr(f.OccurredAt), Result: v.Result, By: d.cast.account(f.Actor), Environment: v.Environment})
		}
	}
	slices.SortStableFunc(c.Validations, func(x, y engine.Validation) int {
		return cmp.Or(x.At.Compare(*y.At), strings.Compare(x.Kind, y.Kind), strings.Compare(x.By, y.By))
	})
}

// lastLive: the change's deployment is the last that went live on the service
// before the instant.
func (b *builder) lastLive(service string, at time.Time, d *draft) bool {
	var last *run
	for _, r := range b.runs {
		if service != "" && (r.service == service || r.serviceID == service) && r.kind == production && r.liveAt != nil && !r.liveAt.After(at) && (last == nil || r.liveAt.After(*last.liveAt)) {
			last = r
		}
	}
	return last != nil && slices.Contains(d.scope.runs, last.key)
}
