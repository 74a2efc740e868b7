package render

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/changevouch/changevouch/engine"
)

// serviceEvent is one event of a service or datastore.
type serviceEvent struct {
	id, name, service string
	at                time.Time
	details           object
}

// eventID: an event never changes, so its id alone names it.
func (e serviceEvent) eventID() string { return "render:" + e.id }

func (m *mapping) serviceEvent(o object) error {
	e := serviceEvent{
		id: o.str("id"), name: o.str("type"), at: o.at("timestamp"), details: o.obj("details"),
		service: cmp.Or(o.str("serviceId"), m.place.service()),
	}
	if e.id == "" || e.name == "" || e.at.IsZero() {
		return errors.New("event without id, type or timestamp")
	}
	row, known := serviceEvents[e.name]
	switch {
	case row.form == started:
		return m.deployStarted(e)
	case row.form == ended:
		return m.deployEnded(e)
	case known && row.form == ignored:
		m.Ignore(e.name)
		return nil
	case sideEffect(e):
		m.Ignore(e.name + " as part of a deploy")
		return nil
	}
	m.configEvent(e, row)
	return nil
}

// sideEffect: rolling back or deploying a chosen commit in the Dashboard turns
// auto-deploy off; that deploy is the change.
func sideEffect(e serviceEvent) bool {
	return e.name == "auto_deploy_disabled" && slices.Contains([]string{"rollback", "manual_deploy"}, e.details.str("reason"))
}

// configEvent maps an event that changed configuration. Events carry no channel.
func (m *mapping) configEvent(e serviceEvent, row meaning) {
	f := row.config(e.name)
	f.Outcome = "success"
	f.ServiceID = e.service
	f.Before, f.After = e.details.value(row.from), e.details.value(row.to)
	f.Target = eventTarget(e)
	actor := firstUser(e.details["user"], e.details.obj("trigger")["user"], e.details["suspendedByUser"], e.details["resumedByUser"])
	if by := e.details.str("actor"); actor == nil && by != "" && by != "user" {
		actor = platform
		f.Detail = "by " + by
	}
	refine(&f)
	m.Add(engine.Event{ID: e.eventID(), Type: "config.changed", OccurredAt: e.at, Actor: actor, Subject: targetSubject(f), Data: engine.Facts(f)})
}

// eventTarget is what an event is about: a disk, else the service itself.
func eventTarget(e serviceEvent) *engine.ConfigFactTarget {
	if id := e.details.str("diskId"); id != "" {
		return &engine.ConfigFactTarget{Type: "disk", ID: id}
	}
	if e.service == "" {
		return nil
	}
	return &engine.ConfigFactTarget{Type: targetType(e.service), ID: e.service}
}

// config starts the fact of a row.
func (row meaning) config(change string) engine.ConfigFact {
	f := engine.ConfigFact{
		System: system, Change: change, Kind: row.kind, Channel: row.channel,
		Scopes: slices.Clone(row.scopes), Effects: slices.Clone(row.effects),
	}
	if row.setting != "" {
		f.Keys = []string{row.setting}
	}
	if row.inGit != unsaid {
		held := row.inGit == yes
		f.GitExpressible = &held
	}
	return f
}

// refine adds what only the record's own values tell.
func refine(f *engine.ConfigFact) {
	if f.Change == "auto_deploy_disabled" {
		f.After = "off"
	}
	off := slices.Contains([]string{"disabled", "false", "off", "no", "unprotected"}, strings.ToLower(f.After))
	switch f.Kind {
	case "high_availability":
		if off {
			f.Effects = append(f.Effects, "ha_off")
		}
	case "auto_deploy":
		// Leaving "after CI checks pass" takes a gate out of the pipeline.
		if strings.EqualFold(f.Before, "checksPass") && f.After != "" && !off {
			f.Effects = append(f.Effects, "control_plane")
		}
	case "ip_allow_list":
		f.GitExpressible = allowListInGit(f.Target)
	case "env_var":
		envKeys(f)
	}
	switch f.Kind {
	case "auto_deploy", "environment_protection", "high_availability", "maintenance_mode", "network_isolation":
		// Off and on again are two changes, however soon.
		if f.After != "" {
			f.Kind += map[bool]string{true: "_off", false: "_on"}[off]
		}
	}
}

// allowListInGit: Blueprints hold the allow lists of datastores, not those of
// workspaces; of services and environments the reference says nothing.
func allowListInGit(target *engine.ConfigFactTarget) *bool {
	held := target != nil && (target.Type == "postgres" || target.Type == "key_value")
	if !held && (target == nil || target.Type != "workspace") {
		return nil
	}
	return &held
}

// value is a setting as text, of an autoscaling configuration its bounds; ""
// where no field is named.
func (o object) value(field string) string {
	if field == "" {
		return ""
	}
	c := o.obj(field)
	if c == nil {
		return o.str(field)
	}
	if c.str("enabled") != "true" {
		return "disabled"
	}
	words := []string{fmt.Sprintf("%s to %s instances", c.str("min"), c.str("max"))}
	for _, criterion := range []string{"cpu", "memory"} {
		if at := c.obj("criteria").obj(criterion); at.str("enabled") == "true" {
			words = append(words, criterion+" "+at.str("percentage")+"%")
		}
	}
	return strings.Join(words, ", ")
}

// platform is Render itself.
var platform = &engine.Account{System: system, Account: "system", Kind: "system"}

// user is a {id, email} of Render, or an e-mail alone; nil when not said.
func user(v any) *engine.Account {
	if email := text(v); email != "" {
		return &engine.Account{System: system, Account: email}
	}
	o, _ := v.(map[string]any)
	email, id := object(o).str("email"), object(o).str("id")
	if email == "" && id == "" {
		return nil
	}
	return &engine.Account{System: system, Account: cmp.Or(email, id), ID: id, Email: email}
}

func firstUser(candidates ...any) *engine.Account {
	for _, c := range candidates {
		if u := user(c); u != nil {
			return u
		}
	}
	return nil
}

// targetType names what an id is by its prefix.
func targetType(id string) string {
	prefix, _, _ := strings.Cut(id, "-")
	if t := map[string]string{
		"srv": "service", "crn": "service", "dpg": "postgres", "red": "key_value", "evm": "environment", "prj": "project",
		"tea": "workspace", "org": "organization", "usr": "user", "exs": "blueprint", "whk": "webhook", "dsk": "disk",
		"evg": "env_group", "cdm": "custom_domain", "job": "job",
	}[prefix]; t != "" {
		return t
	}
	return "resource"
}

// targetSubject is what a config fact is about.
func targetSubject(f engine.ConfigFact) engine.Subject {
	if f.Target != nil && f.Target.ID != "" {
		return engine.Subject{Type: f.Target.Type, ID: f.Target.ID}
	}
	return engine.Subject{Type: "system", ID: system}
}
