package render

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/changevouch/changevouch/collectors"
	"github.com/changevouch/changevouch/engine"
)

// overlap is how much is read again: a deploy may queue, build for two hours,
// run its pre-deploy command and start for three quarters of another.
const overlap = 6 * time.Hour

// stretch is how much of a list with explicit times is asked for at once.
const stretch = 30 * 24 * time.Hour

// Live collects one workspace, or one service of it.
type Live struct {
	Client *Client
	// Owner is the workspace, tea-… or usr-…. With a Service it may be empty.
	Owner string
	// Organization, org-…, adds its audit log.
	Organization string
	// Service narrows to one service: what belongs to the workspace, such as its
	// audit log, is then declared unread.
	Service string
}

// Name implements collectors.Collector.
func (l Live) Name() string { return "render/" + cmp.Or(l.Service, l.Owner) }

// permissions is the least that works, fact by fact. Render has no scopes: a key
// has the rights of its person, so the role of that person is what matters.
var permissions = map[string]string{
	"services":        "a key of any member of the workspace",
	"deploys":         "a key of any member of the workspace",
	"events":          "a key of any member of the workspace",
	"jobs":            "a key of any member of the workspace",
	"custom_domains":  "a key of any member of the workspace",
	"environments":    "a key of any member of the workspace",
	"env_groups":      "a key of any member of the workspace (names are read, never values)",
	"datastores":      "a key of any member of the workspace",
	"blueprints":      "a key of any member of the workspace",
	"blueprint_syncs": "a key of any member of the workspace",
	"members":         "a key of a member with the role ADMIN, and a plan with members (Professional or Pro, and higher)",
	"audit_log":       "a key of a member with the role ADMIN (of an organization: an owner), and a plan with audit logs (Organization, Pro, Scale or Enterprise)",
}

// refusal says in words why a fact is missing and what would open it.
func refusal(fact, path string, a *collectors.Answer) string {
	why := map[int]string{
		http.StatusUnauthorized:    "the key is not accepted",
		http.StatusPaymentRequired: "the plan of the workspace does not include it",
		http.StatusForbidden:       "the key's person may not read it",
		http.StatusNotFound:        "not there, or not for this key",
	}[a.Status]
	return fmt.Sprintf("Render answered %d to %s (%s): needs %s", a.Status, path, cmp.Or(why, "refused"), permissions[fact])
}

// memory is the cursor: where the stages stand, and what a later run compares
// with.
type memory struct {
	Course  json.RawMessage `json:"course,omitempty"`
	Refused []string        `json:"refused,omitempty"` // lists that a later run may be allowed to read
	Before  *snapshot       `json:"before,omitempty"`
	Now     *snapshot       `json:"now,omitempty"`
	Known   map[string]mark `json:"known,omitempty"` // changes that events told since Before
}

// Collect implements collectors.Collector.
func (l Live) Collect(ctx context.Context, w collectors.Window, cursor json.RawMessage, commit func(collectors.Batch) error) error {
	t := &tour{Live: l}
	for _, id := range []string{cmp.Or(l.Owner, l.Service), cmp.Or(l.Service, l.Owner), cmp.Or(l.Organization, l.Owner, l.Service)} {
		if !resourceID.MatchString(id) {
			return fmt.Errorf("%q is no id of Render's: copy tea-…, srv-… or org-… from the address of its page in the Dashboard", id)
		}
	}
	if cursor != nil {
		if err := json.Unmarshal(cursor, &t.memory); err != nil {
			return errors.New("the cursor of the run before is of another version of vouch: collect into a new folder")
		}
	}
	t.memory.Refused = slices.DeleteFunc(t.memory.Refused, func(list string) bool {
		_, a, err := l.Client.get(ctx, list, url.Values{"limit": {"1"}}, 1)
		open := err == nil && !a.Refused()
		if open {
			t.memory.Course = nil // read the whole window again: the hole closes
		}
		return open
	})
	if err := t.arrive(ctx, w, commit); err != nil {
		return err
	}
	stages := collectors.Stages{Sources: []string{"render", "iam"}, System: "render:" + l.Owner, Overlap: overlap}
	if l.Service != "" {
		stages.Sources, stages.System, stages.Service = []string{"render"}, "", l.Service
		stages.All = []collectors.Stage{{Name: "snapshot", Read: t.snapshotService}, {Name: "services", Read: t.services}}
	} else {
		stages.All = []collectors.Stage{
			{Name: "snapshot", Read: t.snapshot}, {Name: "audit", Read: t.audit}, {Name: "services", Read: t.services},
			{Name: "blueprints", Read: t.blueprints}, {Name: "differences", Read: t.differences},
		}
	}
	return stages.Collect(ctx, w, t.memory.Course, func(b collectors.Batch) error {
		t.memory.learn(b.Events)
		t.memory.Course = b.Cursor
		cursor, err := json.Marshal(t.memory)
		if err != nil {
			return fmt.Errorf("write the cursor: %w", err)
		}
		b.Cursor = cursor
		return commit(b)
	})
}

// tour is one collection under way.
type tour struct {
	Live
	memory memory
}

type serviceRow struct{ id, kind string }

// arrive checks that the key opens the workspace or service at all. If not, that
// is recorded: nothing was seen, and why.
func (t *tour) arrive(ctx context.Context, w collectors.Window, commit func(collectors.Batch) error) error {
	path := "owners/" + t.Owner
	if t.Service != "" {
		path = "services/" + t.Service
	}
	_, a, err := t.Client.get(ctx, path, nil, 1)
	if err != nil {
		return err
	}
	if !a.Refused() {
		return nil
	}
	reason := refusal("services", path, &a)
	b := collectors.Batch{Step: "unavailable/" + w.Since.Format(time.RFC3339)}
	for _, source := range []string{"render", "iam"} {
		if t.Service != "" && source == "iam" {
			continue
		}
		c := engine.CoverageFact{Source: source, Status: "unavailable", From: &w.Since, To: &w.Until, Reason: reason, Service: t.Service}
		if t.Service == "" {
			c.System = "render:" + t.Owner
		}
		rec := collectors.NewRecorder(collectors.Payload{Bytes: engine.Facts(c), ObservedAt: a.At, Trust: engine.TrustAPIRead}, source, system)
		rec.Cover(c)
		b.Add(rec.Mapping())
	}
	return errors.Join(commit(b), errors.New(reason))
}

// gap is what a refused list leaves: one for each source that needs the fact.
func gap(fact, path string, a *collectors.Answer) []collectors.Gap {
	reason := refusal(fact, path, a)
	switch fact {
	case "services": // without the list, nothing below it can be read
		return []collectors.Gap{{Source: "render", Fact: fact, Reason: reason}, {Source: "render", Fact: "deploys", Reason: reason}, {Source: "render", Fact: "events", Reason: reason}}
	case "members":
		return []collectors.Gap{{Source: "iam", Fact: fact, Reason: reason}}
	case "audit_log":
		return []collectors.Gap{{Source: "render", Fact: fact, Reason: reason}, {Source: "iam", Fact: fact, Reason: reason}}
	}
	return []collectors.Gap{{Source: "render", Fact: fact, Reason: reason}}
}

// listing is one list that is read whole.
type listing struct {
	name, path, fact string
	query            url.Values
}

// snapshot reads what is, and remembers it for the next run to compare with.
// Lists are read whole; the last reading of a day is kept. The position is the
// last list that is done.
func (t *tour) snapshot(ctx context.Context, _ collectors.Window, position string, commit func(collectors.Step) error) error {
	if position == "" || t.memory.Now == nil {
		t.memory.Now, position = &snapshot{Lists: map[string]map[string]fields{}}, ""
	}
	now := t.memory.Now
	owned := func() url.Values { return url.Values{"ownerId": {t.Owner}} }
	plan := []listing{
		{"services", "services", "services", owned()},
		{"projects", "projects", "environments", owned()},
		{"members", "owners/" + t.Owner + "/members", "members", nil},
		{"env_groups", "env-groups", "env_groups", owned()},
		{"postgres", "postgres", "datastores", owned()},
		{"key_value", "key-value", "datastores", owned()},
		{"blueprints", "blueprints", "blueprints", owned()},
	}
	below := len(plan)
	skip := position != ""
	for i := 0; i < len(plan); i++ {
		if i == below-1 { // what hangs below the lists read so far
			for _, id := range now.ids("projects") {
				plan = append(plan, listing{"environments/" + id, "environments", "environments", url.Values{"projectId": {id}}})
			}
			for _, s := range now.services() {
				if s.kind == "web_service" || s.kind == "static_site" { // others have no domains
					plan = append(plan, listing{"custom_domains/" + s.id, "services/" + s.id + "/custom-domains", "custom_domains", nil})
				}
			}
		}
		if skip {
			skip = plan[i].name != position
			continue
		}
		if err := t.read(ctx, now, plan[i], position, commit); err != nil {
			return err
		}
		position = plan[i].name
	}
	return nil
}

// read reads one list whole into the snapshot. Of lists that tell lasting events
// too, every other reading is kept: the step is named by what was read.
func (t *tour) read(ctx context.Context, now *snapshot, l listing, position string, commit func(collectors.Step) error) error {
	var read []collectors.Mapping
	day, what := "", sha256.New()
	refused, err := t.Client.list(ctx, l.path, l.query, pageSize, func(p collectors.Payload) error {
		day = p.ObservedAt.Format(time.DateOnly)
		what.Write(p.Bytes)
		now.take(l.name, p)
		read = append(read, Map(p))
		return nil
	})
	if err != nil {
		return err
	}
	if refused != nil {
		day = refused.At.Format(time.DateOnly) + "/refused"
	}
	name := l.name + "/" + day
	if kind := listKind(l.name); refused == nil && (kind == "env_groups" || kind == "custom_domains") {
		name = l.name + "/" + hex.EncodeToString(what.Sum(nil)[:8])
	}
	parts := collectors.NewParts(name, position, commit)
	for _, m := range read {
		if err := parts.Take(m); err != nil {
			return err
		}
	}
	if l.name == "env_groups" && len(now.Lists[l.name]) >= pageSize {
		cut := collectors.Gap{Source: "render", Fact: l.fact, Reason: fmt.Sprintf("Render lists %d environment groups and no more: those beyond were not seen", pageSize)}
		if err := parts.Take(collectors.Mapping{}, cut); err != nil {
			return err
		}
	}
	if refused != nil {
		now.unread(l.name)
		if err := parts.Take(collectors.Mapping{}, gap(l.fact, l.path, refused)...); err != nil {
			return err
		}
	}
	if l.name == "blueprints" { // the list does not say what they manage
		for _, id := range now.ids("blueprints") {
			p, a, err := t.Client.get(ctx, "blueprints/"+id, nil, 1)
			if err != nil {
				return err
			}
			if !a.Refused() {
				now.manages(p)
			}
		}
	}
	return parts.End(l.name)
}

// snapshotService reads one service; everything of its workspace stays unread. That
// never makes a window complete: a change of variables, of their groups or of the
// protection shows in the audit log alone.
func (t *tour) snapshotService(ctx context.Context, _ collectors.Window, _ string, commit func(collectors.Step) error) error {
	p, a, err := t.Client.get(ctx, "services/"+t.Service, nil, 1)
	if err != nil {
		return err
	}
	if a.Refused() {
		return errors.New(refusal("services", "services/"+t.Service, &a))
	}
	parts := collectors.NewParts("services/"+p.ObservedAt.Format(time.DateOnly), "", commit)
	alone := collectors.Gap{Source: "render", Fact: "audit_log", Reason: "only " + t.Service + " was read: who changed what about it stands in the audit log of its workspace, which was not read"}
	if err := parts.Take(Map(p), alone); err != nil {
		return err
	}
	return parts.End("")
}

// audit reads the audit logs, oldest first. The position is the log and the
// instant up to which it was read.
func (t *tour) audit(ctx context.Context, w collectors.Window, position string, commit func(collectors.Step) error) error {
	logs := []string{"owners/" + t.Owner}
	if t.Organization != "" {
		logs = append(logs, "organizations/"+t.Organization)
	}
	done, reached, _ := strings.Cut(position, " ")
	for i, log := range logs {
		if at := slices.Index(logs, done); i < at {
			continue
		}
		from := w.Since
		if log == done {
			at, err := time.Parse(time.RFC3339Nano, reached)
			if err != nil {
				return fmt.Errorf("the cursor names no instant: %q", reached)
			}
			from = at
		}
		for from.Before(w.Until) {
			to := from.Add(stretch)
			if to.After(w.Until) {
				to = w.Until
			}
			parts := collectors.NewParts(log+"/"+named(from, to), position, commit)
			refused, err := t.Client.list(ctx, log+"/audit-logs", between(from, to, url.Values{"direction": {"forward"}}), auditPageSize, func(p collectors.Payload) error {
				return parts.TakeWindow(Map(p), "audit_log", "render", "iam")
			})
			if err != nil {
				return err
			}
			if refused != nil {
				to = w.Until
				if list := log + "/audit-logs"; !slices.Contains(t.memory.Refused, list) {
					t.memory.Refused = append(t.memory.Refused, list)
				}
				if err := parts.Take(collectors.Mapping{}, gap("audit_log", log+"/audit-logs", refused)...); err != nil {
					return err
				}
			}
			position = log + " " + to.Format(time.RFC3339Nano)
			if err := parts.End(position); err != nil {
				return err
			}
			from = to
		}
	}
	return nil
}

// named names a step by its window: a later run with another one may find less,
// and must not replace it.
func named(from, to time.Time) string {
	return from.UTC().Format(time.RFC3339Nano) + "/" + to.UTC().Format(time.RFC3339Nano)
}

// between adds the explicit times, without which Render tells the last hour only.
func between(from, to time.Time, query url.Values) url.Values {
	query.Set("startTime", from.UTC().Format(time.RFC3339Nano))
	query.Set("endTime", to.UTC().Format(time.RFC3339Nano))
	return query
}

// services reads deploys, events and one-off jobs, service by service in the
// order of their ids. The position is the last one that is done.
func (t *tour) services(ctx context.Context, w collectors.Window, position string, commit func(collectors.Step) error) error {
	all := []serviceRow{{id: t.Service}}
	if t.Service == "" {
		all = t.memory.Now.services()
	}
	for i, s := range all {
		if s.id <= position {
			continue
		}
		step := func(one collectors.Step) error {
			one.Done, one.Total = i+1, len(all)
			return commit(one)
		}
		if err := t.service(ctx, s.id, w, collectors.NewParts(s.id+"/"+named(w.Since, w.Until), position, step)); err != nil {
			return err
		}
		position = s.id
	}
	return nil
}

func (t *tour) service(ctx context.Context, id string, w collectors.Window, parts *collectors.Parts) error {
	lost := reach{}
	read := func(fact, list string, query url.Values) error {
		path := "services/" + id + "/" + list
		refused, err := t.Client.list(ctx, path, query, pageSize, func(p collectors.Payload) error {
			m := Map(p)
			lost.take(m.Events, w)
			return parts.TakeWindow(m, fact, "render")
		})
		if err != nil || refused == nil {
			return err
		}
		return parts.Take(collectors.Mapping{}, gap(fact, path, refused)...)
	}
	for from := w.Since; from.Before(w.Until); from = from.Add(stretch) {
		to := from.Add(stretch)
		if to.After(w.Until) {
			to = w.Until
		}
		if err := read("events", "events", between(from, to, url.Values{})); err != nil {
			return err
		}
	}
	// What was last touched in the window, not what was created in it: a deploy of
	// before may have ended since.
	if err := read("deploys", "deploys", url.Values{"updatedAfter": {w.Since.Format(time.RFC3339Nano)}}); err != nil {
		return err
	}
	if err := read("jobs", "jobs", url.Values{"createdAfter": {w.Since.Format(time.RFC3339Nano)}, "createdBefore": {w.Until.Format(time.RFC3339Nano)}}); err != nil {
		return err
	}
	if why := lost.gap(id); why != "" {
		if err := parts.Take(collectors.Mapping{}, collectors.Gap{Source: "render", Fact: "events", Reason: why}); err != nil {
			return err
		}
	}
	return parts.End(id)
}

// reach notices that the events of a service do not go back as far as its
// deploys: how long Render keeps events is not documented. Events come first.
type reach struct {
	oldest time.Time // deploy_started
	lost   int       // deploys well before that
	last   time.Time // of them
}

func (r *reach) take(events []engine.Event, w collectors.Window) {
	for _, e := range events {
		var f engine.DeploymentFact
		switch e.Type {
		case "deployment.started":
			if r.oldest.IsZero() || e.OccurredAt.Before(r.oldest) {
				r.oldest = e.OccurredAt
			}
		case "deployment.observed":
			if e.Decode(&f) != nil || f.CreatedAt == nil || f.CreatedAt.Before(w.Since) || f.CreatedAt.After(w.Until.Add(-settling)) ||
				slices.Contains([]string{"created", "queued", "canceled"}, f.Status) {
				continue
			}
			if r.oldest.IsZero() || f.CreatedAt.Add(overlap).Before(r.oldest) {
				r.lost++
				if f.CreatedAt.After(r.last) {
					r.last = *f.CreatedAt
				}
			}
		}
	}
}

func (r *reach) gap(service string) string {
	if r.lost == 0 {
		return ""
	}
	return fmt.Sprintf("%d deploys of %s, the last of %s, have no deploy_started event: Render no longer tells who started them", r.lost, service, r.last.UTC().Format(time.RFC3339))
}

// blueprints reads the syncs of each Blueprint, to the end: they cannot be asked
// for by time.
func (t *tour) blueprints(ctx context.Context, w collectors.Window, position string, commit func(collectors.Step) error) error {
	for _, id := range t.memory.Now.ids("blueprints") {
		if id <= position {
			continue
		}
		path := "blueprints/" + id + "/syncs"
		parts := collectors.NewParts(id+"/"+named(w.Since, w.Until), position, commit)
		refused, err := t.Client.list(ctx, path, nil, pageSize, func(p collectors.Payload) error {
			return parts.TakeWindow(Map(p), "blueprint_syncs", "render")
		})
		if err != nil {
			return err
		}
		if refused != nil {
			if err := parts.Take(collectors.Mapping{}, gap("blueprint_syncs", path, refused)...); err != nil {
				return err
			}
		}
		if err := parts.End(id); err != nil {
			return err
		}
		position = id
	}
	return nil
}
