package render

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/changevouch/changevouch/collectors"
	"github.com/changevouch/changevouch/engine"
)

// differences tells what changed since the run before and no event explains:
// nobody knows who did it, and the instant lies somewhere between two readings.
// The step is named by the first of them, so that it replaces itself.
func (t *tour) differences(_ context.Context, _ collectors.Window, _ string, commit func(collectors.Step) error) error {
	m := &t.memory
	if m.Now == nil {
		return nil
	}
	step := collectors.Step{Batch: collectors.Batch{Step: "first"}}
	if m.Before != nil {
		step.Batch.Step = m.Before.At.Format(time.RFC3339)
		c := comparison{before: m.Before, now: m.Now, known: m.Known, owner: t.Owner}
		c.Recorder = collectors.NewRecorder(collectors.Payload{Path: "differences", Bytes: engine.Facts(m.Now), ObservedAt: m.Now.At, Trust: engine.TrustAPIRead}, system, system)
		for _, list := range slices.Sorted(maps.Keys(m.Now.Lists)) {
			if before, read := m.Before.Lists[list]; read {
				c.list(list, before, m.Now.Lists[list])
			}
		}
		step.Add(c.Mapping())
		for list, before := range m.Before.Lists { // not read this time: still to be compared
			if _, read := m.Now.Lists[list]; !read && c.stillThere(list) {
				m.Now.Lists[list] = before
			}
		}
	}
	m.Before, m.Now, m.Known = m.Now, nil, nil
	return commit(step)
}

// stillThere: the lists below a service end with it.
func (c comparison) stillThere(list string) bool {
	_, id, below := strings.Cut(list, "/")
	services, read := c.now.Lists["services"]
	return !below || !read || services[id] != nil
}

func (c comparison) list(list string, before, now map[string]fields) {
	kind := listKind(list)
	for _, id := range slices.Sorted(maps.Keys(now)) {
		switch old, known := before[id]; {
		case kind == "members":
			c.member(id, old, now[id])
		case !known:
			c.appearance(kind, list, id, appearances[kind].came, "", now[id])
		default:
			for _, name := range slices.Sorted(maps.Keys(settings)) {
				if old[name] != now[id][name] {
					c.setting(kind, id, name, old[name], now[id])
				}
			}
		}
	}
	for _, id := range slices.Sorted(maps.Keys(before)) {
		if _, there := now[id]; there {
			continue
		}
		if kind == "members" {
			c.member(id, before[id], nil)
			continue
		}
		c.appearance(kind, list, id, appearances[kind].went, before[id]["name"], before[id])
	}
}

// setting tells that a field has another value.
func (c comparison) setting(kind, id, name, before string, now fields) {
	row := settings[name]
	if kind != "services" && name == "name" || now["preview"] != "" {
		return
	}
	f := row.config("snapshot:" + name)
	f.Before, f.After = before, now[name]
	f.Target = &engine.ConfigFactTarget{Type: targetType(id), ID: id, Name: now["name"]}
	if f.Kind == "suspension" && now[name] == "not_suspended" {
		f.Kind, f.Effects = "resumption", nil
	}
	refine(&f)
	c.tell(id, name, f, now)
}

// appearance tells that a record came or went.
func (c comparison) appearance(kind, list, id string, row meaning, before string, o fields) {
	if row.kind == "" || o["preview"] != "" {
		return
	}
	f := row.config("snapshot:" + row.kind)
	f.Before = before
	f.Target = &engine.ConfigFactTarget{Type: targetType(id), ID: id, Name: o["name"]}
	if kind == "custom_domains" { // as the audit log names it
		_, service, _ := strings.Cut(list, "/")
		f.Target = &engine.ConfigFactTarget{Type: targetType(service), ID: service}
		if c.told(service, f.Kind) || c.told(o["name"], f.Kind) {
			return
		}
	}
	c.tell(id, row.kind, f, o)
}

func (c comparison) told(id, kind string) bool {
	_, told := c.known[id+" "+kind]
	return told && id != ""
}

// tell adds a change of configuration that no event told.
func (c comparison) tell(id, name string, f engine.ConfigFact, o fields) {
	if c.told(id, f.Kind) {
		return
	}
	f.Outcome = "success"
	if f.Target.Type == "service" {
		f.ServiceID, f.Service = f.Target.ID, f.Target.Name
	}
	f.Detail = fmt.Sprintf("found by comparison: changed between %s and %s; Render records nobody for it",
		c.before.At.Format(time.RFC3339), c.now.At.Format(time.RFC3339))
	if sync := c.sync(id); sync != "" {
		f.CausedBy, f.Channel = sync, "blueprint"
	}
	c.Add(engine.Event{
		ID: c.id(id, name), Type: "config.changed", OccurredAt: c.at(o), Subject: targetSubject(f), Data: engine.Facts(f),
	})
}

// sync is the Blueprint sync since the reading before that may have changed a
// resource which its Blueprint manages.
func (c comparison) sync(id string) string {
	for _, blueprint := range c.now.ids("blueprints") {
		if slices.Contains(strings.Fields(c.now.Lists["blueprints"][blueprint]["resources"]), id) {
			if m, synced := c.known[blueprint+" blueprint_sync"]; synced {
				return m.ID
			}
		}
	}
	return ""
}

func (c comparison) id(id, name string) string {
	return differencePrefix + id + ":" + name + ":" + c.before.At.UTC().Format(time.RFC3339)
}

// at is when the record was last touched, where that lies between the readings.
func (c comparison) at(o fields) time.Time {
	for _, name := range []string{"updated", "created"} {
		if t, err := collectors.ParseInstant(o[name]); err == nil && t.After(c.before.At) && !t.After(c.now.At) {
			return t
		}
	}
	return c.now.At
}

// member tells what changed about a member: old or now is nil for one who came
// or left.
func (c comparison) member(id string, old, now fields) {
	who := cmp.Or(now["email"], old["email"])
	told := c.told(id, "role") || c.told(strings.ToLower(who), "role")
	add := func(kind, name string, p engine.AccessFactPermission) {
		if c.told("somebody", kind) {
			return // the log tells such a change, but not whose
		}
		f := engine.AccessFact{
			Kind: kind, Outcome: "success", System: system, Change: "snapshot:" + name, ActorKind: "unknown", Confidence: "none",
			Target: &engine.AccessFactTarget{Kind: "user", Account: cmp.Or(who, id), ID: id}, Permission: &p,
			Privileged: new(isAdmin(p.ID) || isAdmin(p.Before)),
		}
		f.Permission.Scope = c.owner
		if *f.Privileged {
			f.PrivilegedWhy = []string{"role ADMIN"}
		}
		c.Add(engine.Event{ID: c.id(id, name), Source: "iam", Type: "access.changed", Subject: engine.Subject{Type: "account", ID: id}, Data: engine.Facts(f)})
	}
	switch was, is := old["role"], now["role"]; {
	case old == nil && !told:
		add("role_grant", "role", engine.AccessFactPermission{ID: is, Operation: "add"})
	case now == nil && !told:
		add("role_revoke", "role", engine.AccessFactPermission{ID: was, Operation: "remove"})
	case old != nil && now != nil && was != is && !told:
		kind := "role_grant"
		if slices.Index(roles, is) >= 0 && slices.Index(roles, was) > slices.Index(roles, is) {
			kind = "role_revoke"
		}
		add(kind, "role", engine.AccessFactPermission{ID: is, Before: was, Operation: "change"})
	}
	if old == nil || now == nil {
		return
	}
	switch {
	case old["mfa"] == "true" && now["mfa"] == "false":
		add("mfa_disable", "mfa", engine.AccessFactPermission{ID: "second factor", Operation: "remove"})
	case old["mfa"] == "false" && now["mfa"] == "true":
		add("mfa_enable", "mfa", engine.AccessFactPermission{ID: "second factor", Operation: "add"})
	}
}
