package assembly

import (
	"cmp"
	"slices"
	"strings"
	"time"

	"github.com/changevouch/changevouch/engine"
)

// vulnerability is a finding with what leads to its fix.
type vulnerability struct {
	engine.Vulnerability
	repository string
	advisory   string
	dismisser  *engine.Account
}

// vulnerabilities folds the readings of one finding, one for each repository.
func (a *assembler) vulnerabilities(id string) []vulnerability {
	byRepository := map[string]*vulnerability{}
	for _, f := range a.vulnFacts[id] {
		d := f.Data
		v := byRepository[d.Repository]
		if v == nil {
			v = &vulnerability{repository: d.Repository, Vulnerability: engine.Vulnerability{ID: id}}
			byRepository[d.Repository] = v
		}
		v.advisory, v.Package = first(d.Advisory, v.advisory), first(d.Package, v.Package)
		v.FirstDetectedAt = earlier(v.FirstDetectedAt, utc(d.FirstDetectedAt))
		if d.Severity != "" && d.Severity != v.Severity {
			at := ptr(f.OccurredAt)
			if len(v.SeverityHistory) == 0 {
				at = first(utc(d.FirstDetectedAt), at)
			}
			v.SeverityHistory = append(v.SeverityHistory, engine.SeverityChange{At: at, Severity: d.Severity})
			v.Severity = d.Severity
		}
		v.AlertState, v.AlertFixedAt = first(d.State, v.AlertState), utc(d.FixedAt)
		v.DismissedAt, v.DismissedReason, v.dismisser = utc(d.DismissedAt), d.DismissedReason, d.DismissedBy
		v.KEV = first(d.KEV, v.KEV)
		v.ReintroducedAt = later(v.ReintroducedAt, utc(d.ReopenedAt))
	}
	var out []vulnerability
	for _, repository := range sortedKeys(byRepository) {
		v := byRepository[repository]
		if len(v.SeverityHistory) < 2 {
			v.SeverityHistory = nil
		}
		if v.AlertFixedAt != nil && v.AlertFixedAt.After(a.opts.At) {
			v.AlertFixedAt, v.AlertState = nil, "open"
		}
		if v.FirstDetectedAt == nil || !v.FirstDetectedAt.After(a.opts.At) {
			out = append(out, *v)
		}
	}
	return out
}

// findingDossiers is one dossier a vulnerability. It is remediated when the fix
// runs in production: the first deployment of a change that updates the package or
// names the advisory, else the first of the repository after the alert was fixed.
func (a *assembler) findingDossiers(drafts []*draft) []engine.Dossier {
	var out []engine.Dossier
	for _, id := range sortedKeys(a.vulnFacts) {
		found := a.vulnerabilities(id)
		for _, v := range found {
			people := newCast(a.roster)
			v.DismissedBy = people.account(v.dismisser)
			v.RemediatedInProductionAt = a.remediated(v, drafts)
			reach := scope{names: []string{id, v.advisory}, repositories: []string{v.repository}, open: true}
			if v.FirstDetectedAt != nil {
				reach.span(*v.FirstDetectedAt)
			}
			subject := id
			if len(found) > 1 {
				subject = v.repository + ":" + id
			}
			d := a.envelope("finding", subject, people, reach)
			d.Finding = ptr(v.Vulnerability)
			out = append(out, d)
		}
	}
	return out
}

func (a *assembler) remediated(v vulnerability, drafts []*draft) *time.Time {
	if v.AlertFixedAt == nil || v.AlertState != "fixed" {
		return nil
	}
	var at *time.Time
	for _, d := range drafts {
		c := d.change
		if c.Repository != v.repository {
			continue
		}
		updates := slices.ContainsFunc(c.DependencyUpdates, func(u engine.DependencyUpdate) bool { return strings.EqualFold(u.Name, v.Package) })
		names := c.PullRequest != nil && v.advisory != "" && c.PullRequest.BodyAtMerge != nil && strings.Contains(c.PullRequest.BodyAtMerge.Raw, v.advisory)
		merged := c.PullRequest != nil && c.PullRequest.MergedAt != nil && !c.PullRequest.MergedAt.After(v.AlertFixedAt.Add(24*time.Hour))
		if !merged || !(updates || names) {
			continue
		}
		for _, r := range c.Deployments {
			if r.EnvironmentKind == production {
				at = earlier(at, r.LiveAt)
			}
		}
	}
	if at != nil {
		return at
	}
	for _, r := range a.runs {
		if r.kind == production && r.repository == v.repository && r.liveAt != nil && r.startedAt != nil && !r.startedAt.Before(*v.AlertFixedAt) &&
			r.trigger != "rollback" && !r.lived(r.commit) && r.commit != r.previous {
			at = earlier(at, r.liveAt)
		}
	}
	return at
}

// alert folds the readings of one alert.
func (a *assembler) alert(id string) engine.Alert {
	out := engine.Alert{ID: id}
	for _, f := range a.alertFacts[id] {
		d := f.Data
		out.Severity, out.Title = first(d.Severity, out.Severity), first(d.Title, out.Title)
		out.RaisedAt = earlier(out.RaisedAt, utc(d.StartedAt))
		if out.RaisedAt == nil {
			out.RaisedAt = ptr(f.OccurredAt)
		}
		out.InvestigationStartedAt = earlier(out.InvestigationStartedAt, utc(d.InvestigationStartedAt))
		out.ResolvedAt = first(utc(d.ResolvedAt), out.ResolvedAt)
		if d.State != "" && d.ResolvedAt != nil {
			out.EndState = d.State
		}
	}
	for _, t := range []**time.Time{&out.InvestigationStartedAt, &out.ResolvedAt} {
		if *t != nil && (*t).After(a.opts.At) {
			*t = nil
		}
	}
	if out.ResolvedAt == nil {
		out.EndState = ""
	}
	return out
}

// alertDossiers is one dossier an alert. An incident or issue that names the alert
// is its investigation.
func (a *assembler) alertDossiers() []engine.Dossier {
	var out []engine.Dossier
	for _, id := range sortedKeys(a.alertFacts) {
		x := a.alert(id)
		if x.RaisedAt.After(a.opts.At) {
			continue
		}
		for _, r := range a.recordsOf("incident", "alert", "issue") {
			if strings.Contains(r.text(), id) && !r.CreatedAt.Before(*x.RaisedAt) {
				x.InvestigationStartedAt = earlier(x.InvestigationStartedAt, ptr(r.CreatedAt.UTC()))
			}
		}
		reach := scope{names: []string{id}, open: true}
		reach.span(*x.RaisedAt)
		d := a.envelope("alert", id, newCast(a.roster), reach)
		d.Alert = &x
		out = append(out, d)
	}
	return out
}

// accessReviewDossiers is one dossier for every system whose holders were read or
// whose access was reviewed.
func (a *assembler) accessReviewDossiers() []engine.Dossier {
	holders, reviews := map[string]map[string]fact[engine.HolderFact]{}, map[string]*record{}
	named := map[string]bool{} // system and id of accounts that some list names
	for _, f := range a.holders {
		if h := f.Data.Holder; h.ID != "" && h.Account != h.ID {
			named[f.Data.System+" "+h.ID] = true
		}
	}
	for _, f := range a.holders {
		if h := f.Data.Holder; h.Account == h.ID && named[f.Data.System+" "+h.ID] {
			continue // a list of roles or keys knows the id alone: the same holder
		}
		if holders[f.Data.System] == nil {
			holders[f.Data.System] = map[string]fact[engine.HolderFact]{}
		}
		holders[f.Data.System][strings.ToLower(first(f.Data.Holder.Account, f.Data.Holder.ID))] = f
	}
	for _, r := range a.recordsOf("access_review") {
		system := strings.ToLower(strings.TrimSpace(first(r.section("system"), r.Subject)))
		done := r.completed(func(engine.IssueFact) bool { return false })
		if system == "" || done == nil {
			continue
		}
		if old := reviews[system]; old == nil || done.After(*old.completed(func(engine.IssueFact) bool { return false })) {
			reviews[system] = r
		}
	}
	systems := map[string]bool{}
	for system := range holders {
		systems[system] = system != ""
	}
	for system := range reviews {
		systems[system] = true
	}
	var out []engine.Dossier
	for _, system := range sortedKeys(systems) {
		if systems[system] {
			out = append(out, a.accessReview(system, holders[system], reviews[system]))
		}
	}
	return out
}

func (a *assembler) accessReview(system string, holders map[string]fact[engine.HolderFact], r *record) engine.Dossier {
	people := newCast(a.roster)
	body := &engine.AccessReview{System: system}
	reach := scope{open: true, services: []string{system}}
	reviewed := map[string]bool{}
	if r != nil {
		body.LastCompletedAt = r.completed(func(engine.IssueFact) bool { return false })
		reviewer := people.account(first(r.Reviewer, r.author))
		for _, row := range tableRows(r.section("entries", "accounts", "holders", "reviewed_accounts", "decisions")) {
			entry := engine.ReviewEntry{Holder: strings.TrimPrefix(row[0], "@"), Reviewer: reviewer}
			if len(row) > 2 {
				entry.Reviewer = first(people.member(row[1]), reviewer)
			}
			if len(row) > 1 {
				entry.Decision = row[len(row)-1]
			}
			key := a.holderKey(engine.Account{System: system, Account: entry.Holder})
			reviewed[key] = true
			if body.LastCompletedAt != nil {
				entry.RemovedAt = a.goneSince(key, holders, *body.LastCompletedAt)
			}
			people.account(&engine.Account{System: system, Account: entry.Holder})
			body.Entries = append(body.Entries, entry)
		}
		reach.names = r.names
		if body.LastCompletedAt != nil {
			reach.span(*body.LastCompletedAt)
		}
	}
	for _, key := range sortedKeys(holders) {
		h := holders[key].Data
		if h.Active != nil && !*h.Active {
			continue
		}
		name := people.account(&h.Holder)
		if !reviewed[a.holderKey(h.Holder)] && name != "" {
			body.UnreviewedHolders = append(body.UnreviewedHolders, name)
		}
	}
	d := a.envelope("access_review", system, people, reach)
	d.AccessReview = body
	return d
}

// goneSince is when the holders were read, after a review, and one of them was no
// longer there: by then the access was removed.
func (a *assembler) goneSince(key string, holders map[string]fact[engine.HolderFact], review time.Time) *time.Time {
	var read *time.Time
	for _, f := range holders {
		if (f.Data.Active == nil || *f.Data.Active) && a.holderKey(f.Data.Holder) == key {
			return nil
		}
		if at := f.OccurredAt; !at.Before(review) && (read == nil || at.After(*read)) {
			read = &at
		}
	}
	return read
}

// holderKey is the person behind an account, else the account.
func (a *assembler) holderKey(account engine.Account) string {
	if id := first(a.roster.find(account), a.roster.named(account.Account)); id != "" {
		return "person " + id
	}
	return strings.ToLower(first(account.Account, account.ID))
}

// tableRows reads the rows of a Markdown table, or "name: decision" list items.
func tableRows(text string) [][]string {
	var out [][]string
	for line := range strings.Lines(text) {
		line = strings.TrimSpace(line)
		if line == "" || rule.MatchString(line) {
			continue
		}
		var cells []string
		if strings.HasPrefix(line, "|") {
			cells = strings.Split(strings.Trim(line, "|"), "|")
		} else {
			cells = strings.SplitN(strings.TrimLeft(line, "-*+ "), ":", 2)
		}
		for i := range cells {
			cells[i] = strings.Trim(strings.TrimSpace(cells[i]), "`")
		}
		if cells[0] != "" && !slices.Contains([]string{"holder", "account", "person"}, strings.ToLower(cells[0])) {
			out = append(out, cells)
		}
	}
	return out
}

// policyReviewDossiers is the one dossier about the policy itself, where the
// directory or the tracker records a review of it.
func (a *assembler) policyReviewDossiers() []engine.Dossier {
	records := a.recordsOf("policy_review")
	if a.dir.Policy == nil && len(records) == 0 {
		return nil
	}
	people, body := newCast(a.roster), engine.PolicyReview{}
	if a.dir.Policy != nil {
		body = clone(*a.dir.Policy)
		if body.LastReviewedAt != nil && body.LastReviewedAt.After(a.opts.At) {
			body.LastReviewedAt = nil
		}
	}
	var reviews []time.Time
	if body.LastReviewedAt != nil {
		reviews = append(reviews, *body.LastReviewedAt)
	}
	for _, r := range records {
		at := r.completed(func(engine.IssueFact) bool { return false })
		if at != nil {
			reviews = append(reviews, *at)
		}
		if at != nil && (body.LastReviewedAt == nil || at.After(*body.LastReviewedAt)) {
			body.LastReviewedAt, body.Reviewer = at, people.account(first(r.Reviewer, r.author))
			body.Version = first(r.section("version"), body.Version)
		}
	}
	body.SignificantChanges = slices.DeleteFunc(body.SignificantChanges, func(c engine.SignificantChange) bool { return c.At != nil && c.At.After(a.opts.At) })
	for i, c := range body.SignificantChanges {
		if c.ReviewedAt == nil && c.At != nil {
			body.SignificantChanges[i].ReviewedAt = firstSince(reviews, *c.At)
		}
	}
	people.member(body.Reviewer)
	d := a.envelope("policy_review", "change-management-policy", people, scope{open: true})
	d.PolicyReview = &body
	return []engine.Dossier{d}
}

// firstSince is the earliest of the instants that is not before at.
func firstSince(instants []time.Time, at time.Time) *time.Time {
	var found *time.Time
	for _, t := range instants {
		if !t.Before(at) && (found == nil || t.Before(*found)) {
			found = ptr(t)
		}
	}
	return found
}

// postureDossiers is one dossier for every production environment and for every
// production service that was read.
func (a *assembler) postureDossiers() []engine.Dossier {
	var out []engine.Dossier
	for _, key := range sortedKeys(a.environments) {
		f := a.environments[key]
		e := f.Data
		kind := first(e.EnvironmentKind, a.kindOf("", "", e.Environment, ""))
		if f.Provider == "github" || (kind != production && kind != "") {
			continue
		}
		people := newCast(a.roster)
		body := &engine.Posture{System: f.Provider, Environment: e.Environment, EnvironmentProtected: e.Protected}
		a.administrators(body, people)
		d := a.envelope("posture", f.Provider+":"+first(e.EnvironmentID, e.Environment), people, scope{open: true, names: []string{e.Environment}})
		d.Posture = body
		out = append(out, d)
	}
	for _, id := range sortedKeys(a.serviceFacts) {
		f := a.serviceFacts[id]
		s := f.Data
		if a.kindOf(id, s.Service, s.Environment, s.EnvironmentKind) != production {
			continue
		}
		entry := a.dir.service(id, s.Service)
		body := &engine.Posture{System: f.Provider, Service: first(entry.Name, s.Service, id), Environment: first(entry.Environment, s.Environment), Monitoring: map[string]any{
			"health_check": s.HealthCheck != "", "error_tracking": entry.ErrorTracking != "", "alert_route": entry.AlertRoute != "",
		}}
		d := a.envelope("posture", f.Provider+":"+id, newCast(a.roster), scope{open: true, services: []string{id}, names: []string{s.Service}})
		d.Posture = body
		out = append(out, d)
	}
	return out
}

// administrators fills in who administers a system, and which accounts are shared.
func (a *assembler) administrators(body *engine.Posture, people *cast) {
	last := map[string]engine.HolderFact{}
	for _, f := range a.holders {
		if f.Data.System == body.System {
			last[strings.ToLower(first(f.Data.Holder.Account, f.Data.Holder.ID))] = f.Data
		}
	}
	for _, key := range sortedKeys(last) {
		h := last[key]
		if h.Active != nil && !*h.Active {
			continue
		}
		if h.Shared != nil && *h.Shared {
			body.SharedAccounts = append(body.SharedAccounts, people.account(&h.Holder))
		}
		if strings.EqualFold(h.Permission, "admin") || (h.Privileged != nil && *h.Privileged) {
			body.Admins = append(body.Admins, people.account(&h.Holder))
		}
	}
	if len(last) > 0 {
		body.AdminCount = ptr(len(body.Admins))
	}
	slices.SortFunc(body.Admins, cmp.Compare)
}
