package assembly

import (
	"cmp"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/changevouch/changevouch/engine"
)

// record is one entry of an issue tracker, folded from its snapshots.
type record struct {
	key   string
	names []string // every way to refer to it
	engine.IssueFact
	snapshots []fact[engine.IssueFact]
	comments  []fact[engine.IssueCommentFact]
	author    *engine.Account
	refersTo  mentions
}

// readRecords folds every issue, up to At.
func (a *assembler) readRecords() map[string]*record {
	out := map[string]*record{}
	for _, key := range sortedKeys(a.issueFacts) {
		r := &record{key: key, comments: a.comments[key]}
		for _, f := range a.issueFacts[key] {
			if f.Data.CreatedAt.After(a.opts.At) {
				continue
			}
			if f.OccurredAt.After(a.opts.At) && len(r.snapshots) > 0 {
				break
			}
			r.snapshots = append(r.snapshots, f)
		}
		if len(r.snapshots) > 0 {
			r.fold(a.opts.At)
			out[key] = r
		}
	}
	return out
}

var trackerKey = regexp.MustCompile(`^\W*([A-Z][A-Z0-9]{1,9}-\d+)\b`)

func (r *record) fold(at time.Time) {
	r.IssueFact = r.snapshots[0].Data
	for _, f := range r.snapshots[1:] {
		started, resolved, author, created := r.StartedAt, r.ResolvedAt, r.Author, r.CreatedAt
		kind := r.Kind
		r.IssueFact = f.Data
		r.StartedAt = first(f.Data.StartedAt, started)
		r.ResolvedAt = first(f.Data.ResolvedAt, resolved)
		r.Author = first(author, f.Data.Author)
		if !created.IsZero() && (r.CreatedAt.IsZero() || created.Before(r.CreatedAt)) {
			r.CreatedAt = created
		}
		if f.Data.Kind == "issue" || f.Data.Kind == "" {
			r.Kind = kind
		}
	}
	for _, f := range r.snapshots {
		if f.Type == "incident.resolved" && r.ResolvedAt == nil {
			r.ResolvedAt = ptr(f.OccurredAt)
		}
	}
	if r.ResolvedAt == nil && r.Kind == "incident" {
		r.ResolvedAt = r.ClosedAt
	}
	for _, t := range []**time.Time{&r.ResolvedAt, &r.ClosedAt, &r.CompletedAt} {
		if *t != nil && (*t).After(at) {
			*t = nil
		}
	}
	r.author = r.Author
	if r.author == nil {
		r.author = r.snapshots[0].Actor
	}
	r.names = []string{r.key}
	if r.Number != nil {
		r.names = append(r.names, numbered(r.Repository, *r.Number))
	}
	if m := trackerKey.FindStringSubmatch(r.Title); m != nil {
		r.names = append(r.names, m[1])
	}
	r.names = compact(r.names)
}

// id is the name by which people know the record.
func (r *record) id() string {
	if m := trackerKey.FindStringSubmatch(r.Title); m != nil {
		return m[1]
	}
	return r.key
}

// text is everything the record says.
func (r *record) text() string {
	parts := []string{r.Title, r.Description, r.Subject, r.Rollback}
	for _, name := range sortedKeys(r.Sections) {
		parts = append(parts, r.Sections[name])
	}
	return strings.Join(parts, "\n")
}

// section reads a form field by its heading.
func (r *record) section(names ...string) string {
	for _, name := range names {
		for _, heading := range sortedKeys(r.Sections) {
			slug := strings.NewReplacer(" ", "_", "-", "_").Replace(strings.ToLower(heading))
			if slug == name {
				return r.Sections[heading]
			}
		}
	}
	return ""
}

var (
	crossRef   = regexp.MustCompile(`([\w.-]+/[\w.-]+)#(\d+)`)
	urlRef     = regexp.MustCompile(`github\.com/([\w.-]+/[\w.-]+)/(?:issues|pull)/(\d+)`)
	localRef   = regexp.MustCompile(`(?:^|[\s(\[,;:])#(\d+)\b`)
	keyRef     = regexp.MustCompile(`\b([A-Z][A-Z0-9]{1,9}-\d+)\b`)
	shaRef     = regexp.MustCompile(`\b[0-9a-f]{7,40}\b`)
	advisory   = regexp.MustCompile(`\b(?:GHSA(?:-[0-9a-z]{4}){3}|CVE-\d{4}-\d{4,})\b`)
	platformID = regexp.MustCompile(`\b(?:dep|aud|evt|srv)-[0-9a-z]+\b`)
)

// mentions is what a text refers to: issues and pull requests by key, tracker
// keys, advisories, platform ids and commits.
type mentions struct {
	keys map[string]bool
	shas []string
}

// readMentions reads the references of a text; #n means repository#n.
func readMentions(text, repository string) mentions {
	m := mentions{keys: map[string]bool{}}
	for _, ref := range []*regexp.Regexp{crossRef, urlRef} {
		for _, found := range ref.FindAllStringSubmatch(text, -1) {
			m.keys[found[1]+"#"+found[2]] = true
		}
	}
	for _, found := range localRef.FindAllStringSubmatch(text, -1) {
		if repository != "" {
			m.keys[repository+"#"+found[1]] = true
		}
	}
	for _, ref := range []*regexp.Regexp{keyRef, advisory, platformID} {
		for _, found := range ref.FindAllString(text, -1) {
			m.keys[found] = true
		}
	}
	m.shas = shaRef.FindAllString(text, -1)
	return m
}

func (m mentions) any(names []string) bool {
	return slices.ContainsFunc(names, func(n string) bool { return n != "" && m.keys[n] })
}

// commit reports whether one of the commits is meant: by at least seven digits.
func (m mentions) commit(shas []string) bool { return sharesCommit(m.shas, shas) }

func sharesCommit(named, shas []string) bool {
	return slices.ContainsFunc(named, func(n string) bool {
		return len(n) >= 7 && slices.ContainsFunc(shas, func(sha string) bool { return strings.HasPrefix(sha, strings.ToLower(n)) })
	})
}

// speaksOf reports whether a record names the change: its pull request, one of its
// commits, its deployments or its id.
func (r *record) speaksOf(d *draft, from detail) bool {
	if r.Subject != "" && (slices.Contains(d.scope.names, r.Subject) || r.Subject == d.change.ID) {
		return true
	}
	if p := from.pull; p != nil && (r.Repository == "" || r.Repository == p.repository) && slices.Contains(r.MentionsPullRequests, p.number) {
		return true
	}
	return r.refersTo.any(append(slices.Clone(d.scope.names), d.change.ID)) || r.refersTo.commit(d.scope.shas) || sharesCommit(r.MentionsCommits, d.scope.shas)
}

// asOf is the record as it stood at an instant: the last snapshot before, else
// the first.
func (r *record) asOf(at time.Time) engine.IssueFact {
	out := r.snapshots[0].Data
	for _, f := range r.snapshots {
		if first(utc(f.Data.UpdatedAt), ptr(f.OccurredAt)).After(at) {
			break
		}
		out = f.Data
	}
	return out
}

// completed is when the record's work was done: what it says, but never before
// the record existed; else when it was closed; else when it first said enough.
func (r *record) completed(enough func(engine.IssueFact) bool) *time.Time {
	if r.CompletedAt != nil {
		return later(utc(r.CompletedAt), ptr(r.CreatedAt.UTC()))
	}
	if r.ClosedAt != nil {
		return utc(r.ClosedAt)
	}
	for _, f := range r.snapshots {
		if enough(f.Data) {
			return first(utc(f.Data.UpdatedAt), ptr(f.Data.CreatedAt.UTC()))
		}
	}
	return nil
}

// issue is a record as the issue of a change: its text as it stood at an instant,
// and the approvals given on it that were not taken back.
func (a *assembler) issue(r *record, until time.Time, people *cast) *engine.Issue {
	then := r.asOf(until)
	out := &engine.Issue{
		ID: r.id(), CreatedAt: ptr(r.CreatedAt.UTC()), Author: people.account(r.author),
		Body: &engine.Documentation{Description: then.Description, Risk: then.Risk, Rollback: then.Rollback},
	}
	byPerson := map[string]int{}
	for _, f := range r.comments {
		if f.OccurredAt.After(a.opts.At) {
			continue
		}
		by := people.account(first(f.Data.Author, f.Actor))
		if by == "" {
			continue
		}
		i, before := byPerson[by]
		switch {
		case f.Data.Kind == "approval" && !before:
			byPerson[by] = len(out.Approvals)
			out.Approvals = append(out.Approvals, engine.Approval{By: by, At: ptr(f.OccurredAt)})
		case f.Data.Kind == "rejection" && before:
			out.Approvals[i].By = ""
			delete(byPerson, by)
		}
	}
	out.Approvals = slices.DeleteFunc(out.Approvals, func(x engine.Approval) bool { return x.By == "" })
	return out
}

// sortRecords files records by kind and reads once what each refers to.
func (a *assembler) sortRecords() {
	a.byKind = map[string][]*record{}
	for _, key := range sortedKeys(a.records) {
		r := a.records[key]
		r.refersTo = readMentions(r.text()+"\n "+strings.Join(r.MentionsIssues, "\n "), r.Repository)
		a.byKind[r.Kind] = append(a.byKind[r.Kind], r)
	}
	for _, records := range a.byKind {
		slices.SortStableFunc(records, byAge)
	}
	a.said = map[string]mentions{}
	for _, key := range sortedKeys(a.comments) {
		for _, f := range a.comments[key] {
			if f.Data.Kind == "validation" {
				a.validating = append(a.validating, f)
			}
			if f.Data.Kind == "declaration" || f.Data.Kind == "validation" {
				a.said[f.ID] = readMentions(f.Data.Body+"\n "+f.Data.Subject, f.Data.Repository)
			}
		}
	}
}

func byAge(x, y *record) int {
	return cmp.Or(x.CreatedAt.Compare(y.CreatedAt), strings.Compare(x.key, y.key))
}

// recordsOf lists the records of some kinds, oldest first.
func (a *assembler) recordsOf(kinds ...string) []*record {
	all := strings.Join(kinds, " ")
	if out, sorted := a.byKind[all]; sorted || len(kinds) == 1 {
		return out
	}
	var out []*record
	for _, kind := range kinds {
		out = append(out, a.byKind[kind]...)
	}
	slices.SortStableFunc(out, byAge)
	a.byKind[all] = out
	return out
}

// waivers are those of the directory and those recorded as issues, which somebody
// must have approved there.
func (a *assembler) waivers() []engine.Waiver {
	var out []engine.Waiver
	for _, w := range a.dir.Waivers {
		if w.ApprovedAt == nil || !w.ApprovedAt.After(a.opts.At) {
			out = append(out, w)
		}
	}
	for _, r := range a.recordsOf("waiver") {
		w := engine.Waiver{
			ID: r.id(), Subject: first(r.Subject, strings.TrimSpace(r.section("subject", "change"))), Reason: first(r.section("reason"), r.Description),
			Controls: strings.FieldsFunc(r.section("controls", "control"), func(c rune) bool { return strings.ContainsRune(", \n\t`", c) }), CompensatingControl: r.section("compensating_control"),
			RequestedBy: accountName(r.author), RevokedAt: utc(r.ClosedAt),
		}
		if expires := parseInstant(r.section("expires_at", "valid_until")); expires != nil {
			w.ExpiresAt = expires
			if w.RevokedAt != nil && !w.RevokedAt.Before(*expires) {
				w.RevokedAt = nil
			}
		}
		for _, f := range r.comments {
			if f.Data.Kind == "approval" && w.ApprovedAt == nil {
				w.ApprovedBy, w.ApprovedAt = accountName(first(f.Data.Author, f.Actor)), ptr(f.OccurredAt)
			}
		}
		if w.Subject != "" && len(w.Controls) > 0 {
			out = append(out, w)
		}
	}
	return out
}

func accountName(a *engine.Account) string {
	if a == nil {
		return ""
	}
	return first(a.Account, a.Email, a.ID)
}

func parseInstant(text string) *time.Time {
	text = strings.TrimSpace(text)
	for _, layout := range []string{time.RFC3339, "2006-01-02 15:04 UTC", "2006-01-02T15:04Z", "2006-01-02 15:04Z07:00", "2006-01-02"} {
		if t, err := time.Parse(layout, text); err == nil && t.Year() > 1700 && t.Year() < 2200 {
			return ptr(t.UTC())
		}
	}
	return nil
}
