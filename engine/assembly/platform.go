package assembly

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/changevouch/changevouch/engine"
)

// fromConfig makes a change of every change of platform configuration. The same
// change told by several logs of a platform is one.
func (b *builder) fromConfig() {
	type told struct {
		d  *draft
		at time.Time
	}
	same := map[string]told{}
	for _, f := range b.facts.configs {
		c := f.Data
		if c.Outcome != "" && c.Outcome != "success" || b.caused(c.CausedBy) {
			continue
		}
		key := ""
		if c.Kind != "" && c.Target != nil && c.Target.ID != "" {
			key = strings.Join([]string{f.Provider, c.Kind, c.Target.ID}, " ")
		}
		if before, seen := same[key]; seen && key != "" && f.OccurredAt.Sub(before.at) <= b.opts.Skew {
			b.completeEvent(before.d, f)
			continue
		}
		d := b.configDraft(f)
		if key != "" {
			same[key] = told{d, f.OccurredAt}
		}
	}
}

// caused: the event only completes another one that is in evidence.
func (b *builder) caused(by string) bool { return by != "" && b.eventIDs[by] }

func (b *builder) configDraft(f fact[engine.ConfigFact]) *draft {
	c := f.Data
	kind := "platform_config"
	if c.Channel == "direct_sql" || slices.Contains(c.Effects, "direct_sql") {
		kind = "database_change"
	}
	d := b.draft(kind, f.ID, f.OccurredAt, detail{})
	e := &engine.PlatformEvent{
		System: first(c.System, f.Provider), Type: first(c.Change, c.Kind), Actor: d.cast.account(f.Actor), At: ptr(f.OccurredAt), Detail: c.Detail,
		Scopes: c.Scopes, Effects: c.Effects, GitExpressible: c.GitExpressible, BlueprintCommit: c.BlueprintCommit, Keys: c.Keys,
		RequestedBy: d.cast.account(c.RequestedBy), Beneficiary: d.cast.account(c.Beneficiary),
	}
	if c.Before != "" {
		e.Before = c.Before
	}
	if c.After != "" {
		e.After = c.After
	}
	if c.Target != nil {
		e.Target = first(c.Target.Name, c.Target.ID)
	}
	d.change.Event, d.change.Channel = e, first(c.Channel, "unknown")
	service := first(c.ServiceID, c.Service)
	if service == "" && c.Target != nil {
		if _, known := b.serviceFacts[c.Target.ID]; known {
			service = c.Target.ID
		}
	}
	observed := b.serviceFacts[service].Data
	d.change.Environment = first(b.kindOf(service, c.Service, c.Environment, c.EnvironmentKind), c.Environment, production)
	for _, name := range []string{c.ServiceID, c.Service, service, observed.Service} {
		d.scope.service(name)
	}
	entry := b.dir.service(service, first(c.Service, observed.Service))
	if component := first(entry.Component, entry.Name, observed.Service, c.Service); component != "" {
		d.change.Components = []string{component}
	}
	d.change.Repository = first(entry.Repository, repositoryName(observed.Repository))
	d.scope.names = append(d.scope.names, bareID(f.ID))
	b.configs = append(b.configs, d)
	return d
}

// completeEvent adds what a second log tells of the same change.
func (b *builder) completeEvent(d *draft, f fact[engine.ConfigFact]) {
	e, c := d.change.Event, f.Data
	if e.Actor == "" || (d.cast.person(e.Actor) == "" && f.Actor != nil) {
		e.Actor = first(d.cast.account(f.Actor), e.Actor)
	}
	if e.Before == nil && c.Before != "" {
		e.Before = c.Before
	}
	if e.After == nil && c.After != "" {
		e.After = c.After
	}
	if d.change.Channel == "unknown" && c.Channel != "" {
		d.change.Channel = c.Channel
	}
	e.Detail, e.GitExpressible = first(e.Detail, c.Detail), first(e.GitExpressible, c.GitExpressible)
	e.BlueprintCommit = first(e.BlueprintCommit, c.BlueprintCommit)
	e.Keys, e.Scopes, e.Effects = union(e.Keys, c.Keys), union(e.Scopes, c.Scopes), union(e.Effects, c.Effects)
	d.scope.names = append(d.scope.names, f.ID, bareID(f.ID))
}

func union(a, b []string) []string {
	if out := compact(slices.Concat(a, b)); len(out) > 0 {
		return out
	}
	return nil
}

// bareID is an event id without the provider in front.
func bareID(id string) string {
	_, rest, found := strings.Cut(id, ":")
	if !found {
		return id
	}
	return rest
}

// grants are the kinds of access changes that give somebody more; revocations
// take it back; settings change how access works. Everything else (sign-ins,
// views, assumed roles) is a signal and no change.
var (
	grants = []string{
		"role_grant", "group_membership_add", "policy_change", "trust_change", "role_create", "app_assignment_add",
		"account_create", "credential_create", "mfa_disable", "break_glass_use", "root_use",
	}
	revocations = []string{
		"role_revoke", "group_membership_remove", "app_assignment_remove", "account_disable", "account_delete", "credential_revoke", "role_delete",
	}
	settings = map[string]string{
		"network_rule_add": "network", "network_rule_remove": "network", "network_rule_change": "network", "tls_policy_change": "tls",
		"certificate_add": "tls", "certificate_remove": "tls", "audit_log_change": "audit_log", "key_change": "crypto", "config_change": "",
	}
)

// fromAccess makes a change of every successful grant that is privileged or
// touches production, and of every change of a security setting.
func (b *builder) fromAccess() {
	for i := range b.accesses {
		f := b.accesses[i]
		x := f.Data
		if x.Outcome != "success" || b.caused(x.CausedBy) || b.follows(f) {
			continue
		}
		kind := b.kindOf("", "", x.Environment, "")
		if kind == staging || kind == preview {
			continue
		}
		effect, setting := settings[x.Kind]
		switch {
		case setting:
			b.accessDraft("platform_config", f, effect, kind)
		case !slices.Contains(grants, x.Kind):
		case b.isApp(f):
			b.accessDraft("app_install", f, "third_party_access", kind)
		case x.Privileged == nil || *x.Privileged || kind == production:
			b.accessDraft("iam_grant", f, "iam", kind)
		}
	}
}

// follows: the record completes another one of the same target, which it names by
// the source's own word (an accepted invitation).
func (b *builder) follows(f fact[engine.AccessFact]) bool {
	return f.Data.CausedBy != "" && slices.ContainsFunc(b.accesses, func(o fact[engine.AccessFact]) bool {
		return o.Data.Change == f.Data.CausedBy && o.ID != f.ID && !o.OccurredAt.After(f.OccurredAt) && f.OccurredAt.Sub(o.OccurredAt) < 31*24*time.Hour && target(o) == target(f)
	})
}

func target(f fact[engine.AccessFact]) string {
	if f.Data.Target == nil {
		return ""
	}
	return strings.ToLower(first(f.Data.Target.ID, f.Data.Target.Account, f.Data.Target.Name))
}

func (b *builder) isApp(f fact[engine.AccessFact]) bool {
	word := strings.ToLower(f.Data.Change)
	if strings.Contains(word, "oauth") || strings.Contains(word, "integration_installation") || strings.HasPrefix(word, "installation") {
		return true
	}
	return f.Data.Target != nil && slices.Contains([]string{"app", "oauth_app", "integration", "github_app", "application"}, f.Data.Target.Kind)
}

func (b *builder) accessDraft(kind string, f fact[engine.AccessFact], effect, environment string) {
	x := f.Data
	d := b.draft(kind, f.ID, f.OccurredAt, detail{grant: &f})
	system := first(x.System, f.Provider)
	e := &engine.PlatformEvent{
		System: system, Type: first(x.Change, x.Kind), Actor: d.cast.account(f.Actor), At: ptr(f.OccurredAt), GitExpressible: ptr(false),
		RequestedBy: d.cast.account(x.RequestedBy), Scopes: []string{"security_config"}, Detail: grantText(x),
	}
	if effect != "" {
		e.Effects = []string{effect}
	}
	if kind == "app_install" {
		e.Scopes = append(e.Scopes, "third_party_integration")
	}
	if t := x.Target; t != nil {
		e.Target = first(t.Name, t.Account, t.ID)
		if account := (engine.Account{System: system, Account: t.Account, ID: t.ID}); kind == "iam_grant" && (t.Account != "" || b.roster.find(account) != "") {
			e.Beneficiary = d.cast.account(&account)
		}
	}
	if x.Permission != nil && x.Permission.Before != "" {
		e.Before = x.Permission.Before
	}
	if x.Permission != nil && x.Permission.ID != "" {
		e.After = x.Permission.ID
	}
	if kind == "iam_grant" {
		e.Elevation = b.elevation(f)
	}
	d.change.Event, d.change.Environment = e, first(environment, production)
	// What a platform's own log records went through the platform.
	d.change.Channel = "api"
	if slices.Contains([]string{"console", "dashboard", "web", "ui"}, x.Via) {
		d.change.Channel = "dashboard"
	}
	d.scope.names = append(d.scope.names, compact([]string{bareID(f.ID), x.Request})...)
	d.scope.service(system)
}

// grantText says in words who got what.
func grantText(x engine.AccessFact) string {
	parts := []string{x.Kind}
	if x.Target != nil {
		parts = append(parts, first(x.Target.Account, x.Target.Name, x.Target.ID))
	}
	if p := x.Permission; p != nil {
		if p.Before != "" {
			parts = append(parts, p.Before, "->")
		}
		parts = append(parts, p.ID)
		if p.Scope != "" {
			parts = append(parts, "on", p.Scope)
		}
	}
	parts = append(parts, x.PrivilegedWhy...)
	return strings.Join(slices.DeleteFunc(parts, func(s string) bool { return s == "" }), " ")
}

// elevation pairs a grant with its end: the expiry built into it, and the first
// later record that takes the same permission of the same target back.
func (b *builder) elevation(f fact[engine.AccessFact]) *engine.Elevation {
	out := engine.Elevation{ExpiresAt: utc(f.Data.ExpiresAt)}
	for _, o := range b.accesses {
		if o.Data.Outcome != "success" || !o.OccurredAt.After(f.OccurredAt) || o.Provider != f.Provider || !sameTarget(f.Data.Target, o.Data.Target) {
			continue
		}
		if takesBack(o.Data, f.Data) {
			out.RevokedAt = ptr(o.OccurredAt)
			break
		}
	}
	if out.ExpiresAt == nil && out.RevokedAt == nil {
		return nil
	}
	out.StartedAt = ptr(f.OccurredAt)
	return &out
}

func sameTarget(a, b *engine.AccessFactTarget) bool {
	if a == nil || b == nil {
		return false
	}
	return (a.ID != "" && a.ID == b.ID) || (a.Account != "" && strings.EqualFold(a.Account, b.Account))
}

// takesBack reports whether a later record ends what a grant gave.
func takesBack(later, grant engine.AccessFact) bool {
	var gave, takes engine.AccessFactPermission
	if grant.Permission != nil {
		gave = *grant.Permission
	}
	if later.Permission != nil {
		takes = *later.Permission
	}
	switch later.Kind {
	case "account_disable", "account_delete":
		return true
	case "role_grant", "policy_change":
		return gave.ID != "" && takes.Before == gave.ID && takes.ID != gave.ID
	}
	if !slices.Contains(revocations, later.Kind) {
		return false
	}
	if grant.Kind == "credential_create" {
		return later.Kind == "credential_revoke" && (grant.CredentialID == "" || grant.CredentialID == later.CredentialID)
	}
	return gave.ID == "" || takes.ID == gave.ID || takes.Before == gave.ID
}

// relatedGrants lists the privileged grants that anybody behind a change gave or
// received in the window before it took effect: who lends himself a right, uses it and
// gives it back (controls.md 4.6).
func (b *builder) relatedGrants(d *draft, at time.Time, grants []*draft) {
	if len(grants) == 0 {
		return
	}
	took := b.authors(d)
	for _, o := range grants {
		if o == d || o.change.Event.At.After(at) || o.change.Event.At.Before(at.Add(-b.opts.Sequence)) {
			continue
		}
		e := o.change.Event
		actor, beneficiary := o.cast.person(e.Actor), o.cast.person(e.Beneficiary)
		if !took[actor] && !took[beneficiary] {
			continue
		}
		d.cast.join(o.cast)
		grant := map[string]any{"id": o.change.ID, "at": *e.At}
		for key, value := range map[string]string{"actor": e.Actor, "beneficiary": e.Beneficiary, "system": e.System, "detail": e.Detail, "type": e.Type} {
			if value != "" {
				grant[key] = value
			}
		}
		if e.Elevation != nil && e.Elevation.RevokedAt != nil {
			grant["revoked_at"] = *e.Elevation.RevokedAt
		}
		var approvals []engine.Approval
		if o.change.Issue != nil {
			approvals = o.change.Issue.Approvals
		}
		grant["approvals"] = append([]engine.Approval{}, approvals...)
		d.change.RelatedGrants = append(d.change.RelatedGrants, grant)
	}
	slices.SortStableFunc(d.change.RelatedGrants, func(x, y map[string]any) int {
		return cmp.Compare(fmt.Sprint(x["id"]), fmt.Sprint(y["id"]))
	})
}
