package iam

import (
	"cmp"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/changevouch/changevouch/engine"
)

// renderRoleEvents are the audit entries of Render about members and roles, with
// the entry that each completes. They have the ids and the facts that the render
// collector gives them, so that it does not matter which of the two reads a
// recording. Everything else of Render is that collector's alone.
var renderRoleEvents = map[string]struct{ kind, operation, completes string }{
	"InviteToTeamEvent":         {"role_grant", opAdd, ""},
	"AcceptTeamInviteEvent":     {"role_grant", opAdd, "InviteToTeamEvent"},
	"RemoveUserFromTeamEvent":   {"role_revoke", opRemove, ""},
	"ChangeTeamMemberRoleEvent": {"role_grant", opChange, ""},
	"InviteToOrgEvent":          {"role_grant", opAdd, ""},
	"AcceptOrgInviteEvent":      {"role_grant", opAdd, "InviteToOrgEvent"},
	"AddOrgMemberEvent":         {"role_grant", opAdd, ""},
	"RemoveOrgMemberEvent":      {"role_revoke", opRemove, ""},
	"JoinTeamEvent":             {"role_grant", opAdd, ""},
	"ChangeOrgRoleEvent":        {"role_grant", opChange, ""},
}

// renderRoles by what they allow, weakest first.
var renderRoles = []string{"WORKSPACE_BILLING", "WORKSPACE_VIEWER", "WORKSPACE_CONTRIBUTOR", "DEVELOPER", "ADMIN"}

var (
	renderOwner     = regexp.MustCompile(`(?:^|/)(?:owners|organizations)/([a-z]{3}-[0-9A-Za-z-]+)/`)
	renderReference = regexp.MustCompile(`^([a-z]{3}-[0-9A-Za-z-]+)(?: \((.*)\))?$`)
)

// renderPlace is the workspace or organisation that the API path names.
func renderPlace(path string) string {
	if m := renderOwner.FindStringSubmatch(path); m != nil {
		return m[1]
	}
	return ""
}

// renderAudit maps one entry of a Render audit log. Whose role changed stands in
// metadata under keys that Render does not document: where they are absent, the
// target is unknown and the members snapshot tells.
func (b *builder) renderAudit(item node) {
	rec := item.get("auditLog")
	id, name := rec.str("id"), rec.str("event")
	at, err := rec.instant("timestamp")
	if id == "" || name == "" || err != nil {
		b.fault(b.where, incomplete("no audit entry: id, event or timestamp is absent", err))
		return
	}
	row, known := renderRoleEvents[name]
	if !known {
		b.rec.Ignore("render " + name + " (the render collector reads it)")
		return
	}
	meta := rec.get("metadata")
	who := renderUser(rec.get("actor"))
	f := engine.AccessFact{
		Kind: row.kind, Outcome: renderOutcome(rec.str("status")), System: "render", Change: name,
		CausedBy: row.completes, SourceIP: meta.str("source_ip"), Confidence: "none",
		Permission: &engine.AccessFactPermission{
			ID: meta.first("role", "to", "new_role"), Before: meta.first("from", "old_role"), Operation: row.operation,
			Scope: cmp.Or(renderID(meta.str("workspace")), renderPlace(b.path)),
		},
	}
	switch {
	case who == nil:
	case who.ID != "":
		f.Confidence = "immutable_id"
	default:
		f.Confidence = "verified_email"
	}
	switch rec.str("actor.type") {
	case "user":
		f.Via = "dashboard"
	case "rest_api": // shows the key's owner, if anybody
		f.Via = "api_key"
	case "system":
		f.ActorKind = "service"
		if who == nil {
			who = &engine.Account{System: "render", Account: "system", Kind: "system"}
		}
	}
	f.Target = renderTarget(meta)
	if f.Target == nil && (row.completes != "" || name == "JoinTeamEvent") && who != nil {
		f.Target = &engine.AccessFactTarget{Kind: "user", Account: who.Account, ID: who.ID}
	}
	if role := f.Permission.ID; role != "" {
		f.Privileged, f.PrivilegedWhy = renderAdmin(role)
	}
	if before, after := slices.Index(renderRoles, f.Permission.Before), slices.Index(renderRoles, f.Permission.ID); row.kind == "role_grant" && before > after && after >= 0 {
		f.Kind = "role_revoke"
	}
	subject := engine.Subject{Type: "system", ID: "render"}
	if f.Target != nil {
		subject = engine.Subject{Type: "account", ID: cmp.Or(f.Target.ID, f.Target.Account)}
	} else if place := renderPlace(b.path); place != "" {
		subject = engine.Subject{Type: map[bool]string{true: "organization", false: "workspace"}[strings.HasPrefix(place, "org-")], ID: place}
	}
	b.add(engine.Event{ID: "render:" + id, Provider: "render", Type: "access.changed", OccurredAt: at, Actor: who, Subject: subject, Data: engine.Facts(f)})
}

func renderOutcome(status string) string {
	switch status {
	case "success":
		return "success"
	case "error":
		return "failed"
	}
	return "unknown"
}

// renderUser is a {id, email}, or an e-mail address alone; nil when not said.
func renderUser(n node) *engine.Account {
	if email := n.str(""); email != "" {
		return &engine.Account{System: "render", Account: email}
	}
	email, id := n.str("email"), n.str("id")
	if email == "" && id == "" {
		return nil
	}
	return &engine.Account{System: "render", Account: cmp.Or(email, id), ID: id, Email: email}
}

func renderTarget(meta node) *engine.AccessFactTarget {
	for _, key := range []string{"user", "email", "member", "user_email", "user_id"} {
		u := renderUser(meta.get(key))
		if u == nil {
			continue
		}
		t := &engine.AccessFactTarget{Kind: "user", Account: u.Account, ID: u.ID}
		if m := renderReference.FindStringSubmatch(u.Account); m != nil {
			t.Account, t.ID = cmp.Or(m[2], m[1]), m[1]
		}
		return t
	}
	return nil
}

func renderID(reference string) string {
	if m := renderReference.FindStringSubmatch(reference); m != nil {
		return m[1]
	}
	return ""
}

func renderAdmin(role string) (*bool, []string) {
	if role == "ADMIN" || strings.HasSuffix(role, "OWNER") {
		return ptr(true), []string{"role " + role}
	}
	return ptr(false), nil
}

// renderMembers maps GET /owners/{ownerId}/members.
func (b *builder) renderMembers(items []node) {
	for i, n := range items {
		b.where = fmt.Sprintf("/%d", i)
		id, email, role := n.str("userId"), n.str("email"), n.str("role")
		if id == "" || role == "" {
			b.fault(b.where, errors.New("no member: userId or role is absent"))
			continue
		}
		f := engine.HolderFact{
			System: "render", Holder: engine.Account{System: "render", Account: cmp.Or(email, id), ID: id, Email: email},
			Permission: role, MFA: n.flag("mfaEnabled"), Scope: renderPlace(b.path),
		}
		f.Privileged, f.PrivilegedWhy = renderAdmin(role)
		switch n.str("status") {
		case "active":
			f.Active = ptr(true)
		case "inactive":
			f.Active = ptr(false)
		}
		b.add(engine.Event{
			ID: "render:member:" + id + ":" + b.rec.Stamp(), Provider: "render", Type: "access.observed",
			Subject: engine.Subject{Type: "account", ID: id}, Data: engine.Facts(f),
		})
	}
	b.covered("members", "")
}
