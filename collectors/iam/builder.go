package iam

import (
	"cmp"
	"errors"
	"fmt"
	"net/netip"
	"strings"
	"time"

	"github.com/changevouch/changevouch/collectors"
	"github.com/changevouch/changevouch/engine"
)

// builder gathers what one payload says. where locates the record at hand, name
// is how the group or application is called of which the payload is a list.
type builder struct {
	rec    *collectors.Recorder
	path   string
	name   string
	where  string
	seen   map[string]bool
	broken int
}

// actor is who acted, as the record names it. confidence says how the account
// was found: immutable_id, source_identity, verified_email, session_name,
// correlated or none; via names the vehicle (role, token, service account).
// kind is human only where the source says so.
type actor struct {
	account    *engine.Account
	kind       string
	confidence string
	via        string
}

// change is one change of access before it becomes an event. A subject that is
// left empty becomes the account that gains or loses.
type change struct {
	provider string
	id       string
	at       time.Time
	actor    actor
	subject  engine.Subject
	fact     engine.AccessFact
}

func (b *builder) fault(record string, err error) {
	b.broken++
	b.rec.Fault(record, err)
}

// incomplete is the fault of a record without what identifies or dates it.
func incomplete(what string, err error) error {
	if err == nil {
		return errors.New(what)
	}
	return fmt.Errorf("%s: %w", what, err)
}

// add keeps the first event of an id: some sources write a record twice into
// one page.
func (b *builder) add(e engine.Event) {
	if !b.seen[e.ID] {
		b.seen[e.ID] = true
		b.rec.Add(e)
	}
}

// changed adds the changes of one record: one event each, numbered behind the
// id when there are several.
func (b *builder) changed(changes ...change) {
	for i, c := range changes {
		id := c.id
		if len(changes) > 1 {
			id = fmt.Sprintf("%s#%d", c.id, i)
		}
		f := c.fact
		f.System = cmp.Or(f.System, c.provider)
		f.ActorKind, f.Confidence, f.Via = cmp.Or(c.actor.kind, "unknown"), cmp.Or(c.actor.confidence, "none"), c.actor.via
		if _, err := netip.ParseAddr(f.SourceIP); err != nil {
			f.SourceIP = "" // a service's name, "private", or nothing
		}
		if f.Permission != nil && *f.Permission == (engine.AccessFactPermission{}) {
			f.Permission = nil
		}
		if f.Target != nil && *f.Target == (engine.AccessFactTarget{}) {
			f.Target = nil
		}
		who := c.actor.account
		if who != nil && who.Kind == "" {
			named := *who
			named.Kind = f.ActorKind
			who = &named
		}
		b.add(engine.Event{
			ID: id, Provider: c.provider, Type: "access.changed", OccurredAt: c.at,
			Actor: who, Subject: subjectOf(c), Data: engine.Facts(f),
		})
	}
}

// subjectOf is what a change is about.
func subjectOf(c change) engine.Subject {
	if c.subject.ID != "" {
		return c.subject
	}
	if t := c.fact.Target; t != nil {
		if id := cmp.Or(t.Account, t.ID, t.Name); id != "" {
			return engine.Subject{Type: "account", ID: id}
		}
	}
	return engine.Subject{Type: "account", ID: "unknown"}
}

// holds adds one line of a snapshot. name is unique within system and noun; the
// instant of reading stands in the id, since the same account may hold other
// rights tomorrow.
func (b *builder) holds(noun, name string, f engine.HolderFact) {
	b.add(engine.Event{
		ID: strings.Join([]string{f.System, noun, name, b.rec.Stamp()}, ":"), Provider: f.System,
		Type: "access.observed", Subject: engine.Subject{Type: "account", ID: f.Holder.Account}, Data: engine.Facts(f),
	})
}

// covered records that a list was read, even an empty one.
func (b *builder) covered(fact, repository string) {
	b.rec.Cover(engine.CoverageFact{Source: "iam", Status: "complete", Facts: []string{fact}, Repository: repository})
}

// unread records that a fact could not be read, or not all of it: unknown, never empty.
func (b *builder) unread(fact, repository, reason string) {
	b.rec.Cover(engine.CoverageFact{
		Source: "iam", Status: "incomplete", Missing: []string{fact}, Reason: reason, Repository: repository,
	})
}
