package render

import (
	"bytes"
	"cmp"
	"encoding/csv"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/changevouch/changevouch/collectors"
	"github.com/changevouch/changevouch/engine"
)

// entry is one record of the audit log. actorType is user, rest_api or system;
// the CSV export does not say it.
type entry struct {
	id, name, status string
	at               time.Time
	actor            *engine.Account
	actorType        string
	metadata         object
}

func (m *mapping) auditLog(o object) error {
	a := entry{id: o.str("id"), name: o.str("event"), at: o.at("timestamp"), status: o.str("status"), metadata: o.obj("metadata")}
	if a.id == "" || a.name == "" || a.at.IsZero() {
		return errors.New("audit log entry without id, event or timestamp")
	}
	a.id = "render:" + a.id
	actor := o.obj("actor")
	a.actorType = actor.str("type")
	// An API key shows its owner, if anybody: rest_api alone is nobody.
	if a.actor = user(map[string]any(actor)); a.actor == nil && a.actorType == "system" {
		a.actor = platform
	}
	m.audit(a)
	return nil
}

func (m *mapping) audit(a entry) {
	row := auditEvents[a.name]
	switch row.form {
	case ignored:
		m.Ignore(a.name)
	case access:
		m.auditAccess(a, row)
	default:
		m.auditConfig(a, row)
	}
}

// outcome: an audit entry with status error changed nothing.
func (a entry) outcome() string {
	switch a.status {
	case "success":
		return "success"
	case "error":
		return "failed"
	default:
		return "unknown"
	}
}

func (m *mapping) auditConfig(a entry, row meaning) {
	f := row.config(a.name)
	f.Outcome = a.outcome()
	if f.Channel == "" {
		f.Channel = map[string]string{"user": "dashboard", "rest_api": "api"}[a.actorType]
	}
	f.Target = auditTarget(a.metadata)
	if service := reference(a.metadata.str("service")); service.ID != "" {
		f.ServiceID, f.Service = service.ID, service.Name
	}
	if environment := reference(a.metadata.str("environment")); environment.ID != "" {
		f.Environment = cmp.Or(environment.Name, environment.ID)
	}
	f.Before, f.After = a.metadata.value(row.from), a.metadata.value(row.to)
	if f.Kind == "env_var" {
		f.Keys = keyNames(a.metadata)
	}
	refine(&f)
	if f.Target == nil && m.place.id != "" {
		f.Target = &engine.ConfigFactTarget{Type: targetType(m.place.id), ID: m.place.id}
	}
	m.Add(engine.Event{ID: a.id, Type: "config.changed", OccurredAt: a.at, Actor: a.actor, Subject: targetSubject(f), Data: engine.Facts(f)})
}

// resource is "id" or "id (name)", the two forms of a reference in metadata.
var resource = regexp.MustCompile(`^([a-z]{3}-[0-9A-Za-z-]+)(?: \((.*)\))?$`)

func reference(s string) engine.ConfigFactTarget {
	parts := resource.FindStringSubmatch(s)
	if parts == nil {
		return engine.ConfigFactTarget{}
	}
	return engine.ConfigFactTarget{Type: targetType(parts[1]), ID: parts[1], Name: parts[2]}
}

// auditTarget is the narrowest resource that metadata refers to.
func auditTarget(metadata object) *engine.ConfigFactTarget {
	for _, key := range []string{
		"webhook", "blueprint", "disk", "env_group", "environment_group", "postgres", "redis", "key_value",
		"service", "cron_job", "server", "environment", "project", "workspace", "team", "organization",
	} {
		if t := reference(metadata.str(key)); t.ID != "" {
			return &t
		}
	}
	return nil
}

// auditAccess maps changes of who may do what. Which user and which role is not
// documented; the names tried here are those seen. What stays open is left out.
func (m *mapping) auditAccess(a entry, row meaning) {
	f := engine.AccessFact{
		Kind: row.kind, Outcome: a.outcome(), System: system, Change: a.name, CausedBy: row.causedBy,
		SourceIP: a.metadata.str("source_ip"), Confidence: confidence(a.actor),
	}
	switch a.actorType {
	case "user":
		f.Via = "dashboard"
	case "rest_api":
		f.Via = "api_key"
	case "system":
		f.ActorKind = "service"
	}
	f.Permission = &engine.AccessFactPermission{ID: row.permission, Operation: row.operation}
	if row.privileged != "" {
		f.Privileged, f.PrivilegedWhy = new(true), []string{row.privileged}
	}
	switch row.kind {
	case "role_grant", "role_revoke":
		m.roleChange(a, &f)
	case "secret_view":
		f.ReadOnly = new(true)
		if t := auditTarget(a.metadata); t != nil {
			f.Target = &engine.AccessFactTarget{Kind: t.Type, ID: t.ID, Name: t.Name}
		}
		f.Permission.Scope = strings.Join(keyNames(a.metadata), ", ")
	}
	if *f.Permission == (engine.AccessFactPermission{}) {
		f.Permission = nil
	}
	subject := engine.Subject{Type: "system", ID: system}
	switch {
	case f.Target != nil && cmp.Or(f.Target.ID, f.Target.Account) != "":
		subject = engine.Subject{Type: f.Target.Kind, ID: cmp.Or(f.Target.ID, f.Target.Account)}
		if f.Target.Kind == "user" {
			subject.Type = "account"
		}
	case m.place.id != "":
		subject = engine.Subject{Type: targetType(m.place.id), ID: m.place.id}
	}
	m.Add(engine.Event{ID: a.id, Source: "iam", Type: "access.changed", OccurredAt: a.at, Actor: a.actor, Subject: subject, Data: engine.Facts(f)})
}

// roles by what they allow, weakest first.
var roles = []string{"WORKSPACE_BILLING", "WORKSPACE_VIEWER", "WORKSPACE_CONTRIBUTOR", "DEVELOPER", "ADMIN"}

// roleChange fills who gained or lost which role. A change to a weaker role is
// a revocation.
func (m *mapping) roleChange(a entry, f *engine.AccessFact) {
	target := firstUser(a.metadata["user"], a.metadata["email"], a.metadata["member"], a.metadata["user_email"], a.metadata["user_id"])
	if target == nil && (f.CausedBy != "" || a.name == "JoinTeamEvent") {
		target = a.actor // one accepts and joins for oneself
	}
	if target != nil {
		f.Target = &engine.AccessFactTarget{Kind: "user", Account: target.Account, ID: target.ID}
		if f.CausedBy != "" && target.Email != "" {
			f.Target.ID = "" // an invitation knows the e-mail alone
		}
		if ref := reference(target.Account); ref.ID != "" {
			f.Target.Account, f.Target.ID = cmp.Or(ref.Name, ref.ID), ref.ID
		}
	}
	f.Permission.ID = cmp.Or(a.metadata.str("role"), a.metadata.str("to"), a.metadata.str("new_role"))
	f.Permission.Before = cmp.Or(a.metadata.str("from"), a.metadata.str("old_role"))
	f.Permission.Scope = cmp.Or(reference(a.metadata.str("workspace")).ID, m.place.id)
	if role := f.Permission.ID; role != "" {
		f.Privileged = new(isAdmin(role))
		if isAdmin(role) {
			f.PrivilegedWhy = []string{"role " + role}
		}
	}
	before, after := slices.Index(roles, f.Permission.Before), slices.Index(roles, f.Permission.ID)
	if f.Kind == "role_grant" && before > after && after >= 0 {
		f.Kind = "role_revoke"
	}
}

func isAdmin(role string) bool { return role == "ADMIN" || strings.HasSuffix(role, "OWNER") }

// confidence says how surely an account was found, in the words of the access vocabulary.
func confidence(a *engine.Account) string {
	switch {
	case a == nil || a == platform:
		return "none"
	case a.ID != "":
		return "immutable_id"
	default:
		return "verified_email"
	}
}

// auditHeader starts the CSV export of the Dashboard.
const auditHeader = "timestamp,actor,event,status,metadata"

func isAuditCSV(text []byte) bool { return bytes.HasPrefix(text, []byte(auditHeader)) }

// mapAuditCSV maps the CSV export. It has no ids, so an entry is named by the
// hash of what it says, and no actor types, so the channel stays open. Do not
// load it beside the API's audit log of the same days: ids differ.
func mapAuditCSV(p collectors.Payload, text []byte) collectors.Mapping {
	if p.MediaType == "" || p.MediaType == "application/json" {
		p.MediaType = "text/csv"
	}
	rows, faults := readCSV(p.Path, text)
	if p.ObservedAt.IsZero() {
		for _, r := range rows {
			if r.at.After(p.ObservedAt) {
				p.ObservedAt = r.at
			}
		}
	}
	m := newMapping(p)
	m.limit = len(rows) + len(faults) + 1 // an export has no pages
	for _, r := range rows {
		m.audit(r)
	}
	m.covered("audit_log", "", len(rows)+len(faults), len(faults))
	out := m.Mapping()
	out.Faults = append(out.Faults, faults...)
	return out
}

func readCSV(path string, text []byte) (rows []entry, faults []collectors.Fault) {
	r := csv.NewReader(bytes.NewReader(text))
	r.FieldsPerRecord = -1
	for n := 0; ; n++ {
		fields, err := r.Read()
		if errors.Is(err, io.EOF) {
			return rows, faults
		}
		if n == 0 && err == nil {
			continue
		}
		line := 0
		if broken, ok := errors.AsType[*csv.ParseError](err); ok {
			line = broken.StartLine
		}
		if err == nil {
			line, _ = r.FieldPos(0)
			var row entry
			if row, err = csvEntry(fields); err == nil {
				rows = append(rows, row)
				continue
			}
		}
		faults = append(faults, collectors.Fault{Path: path, Record: fmt.Sprintf("line %d", line), Err: err})
	}
}

// csvEntry reads timestamp, actor (an e-mail or "Deleted User ID#…"), event,
// status and metadata (a JSON object).
func csvEntry(fields []string) (entry, error) {
	if len(fields) != 5 {
		return entry{}, fmt.Errorf("%d fields instead of the 5 of an audit log export", len(fields))
	}
	for i := range fields {
		fields[i] = strings.ToValidUTF8(strings.TrimSpace(fields[i]), "\uFFFD")
	}
	a := entry{name: fields[2], status: fields[3]}
	a.at = object{"timestamp": fields[0]}.at("timestamp")
	if a.name == "" || a.at.IsZero() {
		return entry{}, errors.New("audit log entry without event or timestamp")
	}
	if fields[4] != "" {
		doc, err := parse([]byte(fields[4]))
		o, ok := doc.(map[string]any)
		if err != nil || !ok {
			return entry{}, errors.New("metadata is no JSON object")
		}
		a.metadata = o
	}
	if a.actor = user(fields[1]); a.actor != nil {
		if _, id, ok := strings.Cut(fields[1], "Deleted User ID#"); ok {
			a.actor.ID = id
		} else if strings.Contains(fields[1], "@") {
			a.actor.Email = fields[1]
		}
	}
	canonical, err := json.Marshal([]any{a.at, fields[1], a.name, a.status, a.metadata})
	if err != nil {
		return entry{}, fmt.Errorf("name the entry: %w", err)
	}
	a.id = "render:audit:" + strings.TrimPrefix(engine.Digest(canonical), "sha256:")[:20]
	return a, nil
}
