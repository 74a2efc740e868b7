package iam

import (
	"fmt"
	"regexp"
	"strings"

	"github.com/changevouch/changevouch/engine"
)

// githubHolder is a GitHub account in a snapshot.
func githubHolder(n node) engine.Account {
	a := engine.Account{System: "github", Account: n.str("login"), ID: n.first("id", "databaseId")}
	switch n.str("type") {
	case "Bot":
		a.Kind = "workload"
	}
	return a
}

var orgPath = regexp.MustCompile(`(?:^|/)orgs/([^/]+)/(.+)$`)

// githubAccounts maps a bare list of accounts: organisation members, outside
// collaborators or the collaborators of a repository. The body does not say
// which; the API path does, and role_name where it is there.
func (b *builder) githubAccounts(items []node) {
	repo, scope, permission, noun, fact := "", "", "", "member", "members"
	if m := repoPath.FindStringSubmatch(b.path); m != nil {
		repo = m[1]
	}
	if m := orgPath.FindStringSubmatch(b.path); m != nil {
		scope = "organisation " + m[1]
		rest := strings.ToLower(m[2])
		switch {
		case strings.HasPrefix(rest, "outside_collaborators"):
			noun, permission = "outside_collaborator", "outside_collaborator"
		case strings.Contains(rest, "2fa_disabled"):
			noun = "member_without_two_factor"
		case strings.Contains(rest, "role=admin") || strings.Contains(rest, "role-admin"):
			permission = "admin"
		case strings.Contains(rest, "role=member") || strings.Contains(rest, "role-member"):
			permission = "member"
		}
	}
	if items[0].has("role_name") || items[0].has("permissions") {
		noun, fact = "collaborator", "permissions"
		if repo != "" {
			scope = "repository " + repo
		}
	}
	for i, n := range items {
		b.where = fmt.Sprintf("/%d", i)
		if n.str("login") == "" {
			b.fault(b.where, fmt.Errorf("no account: login is absent"))
			continue
		}
		f := engine.HolderFact{System: "github", Holder: githubHolder(n), Permission: permission, Scope: scope}
		if role := n.first("role_name", "role"); role != "" {
			f.Permission = role
		}
		if noun == "member_without_two_factor" {
			f.MFA = ptr(false)
		}
		githubPrivilege(&f, noun == "collaborator")
		b.holds(noun, scope+"/"+f.Holder.Account, f)
	}
	b.covered(fact, repo)
}

func githubPrivilege(f *engine.HolderFact, repository bool) {
	switch {
	case f.Permission == "":
	case !repository && f.Permission == "admin":
		f.Privileged, f.PrivilegedWhy = ptr(true), []string{"organisation owner"}
	case repository && (f.Permission == "admin" || f.Permission == "maintain"):
		f.Privileged, f.PrivilegedWhy = ptr(true), []string{f.Permission + " on a repository"}
	case !repository && f.Permission == "outside_collaborator":
	default:
		f.Privileged = ptr(false)
	}
}

// githubMembers maps a bundle of an organisation's people: members with role,
// outsideCollaborators and those without a second factor.
func (b *builder) githubMembers(doc node) {
	scope := "organisation " + doc.str("org")
	without := map[string]bool{}
	for _, n := range doc.list("twoFactorDisabled") {
		without[n.first("login", "")] = true
	}
	for i, n := range doc.list("members") {
		b.where = fmt.Sprintf("/members/%d", i)
		f := engine.HolderFact{System: "github", Holder: githubHolder(n), Permission: n.str("role"), Scope: scope}
		if doc.get("twoFactorDisabled").isList() {
			f.MFA = ptr(!without[f.Holder.Account])
		}
		githubPrivilege(&f, false)
		b.githubHolds("member", scope, f)
	}
	for i, n := range doc.list("outsideCollaborators") {
		b.where = fmt.Sprintf("/outsideCollaborators/%d", i)
		f := engine.HolderFact{System: "github", Holder: githubHolder(n), Permission: "outside_collaborator", Scope: scope}
		if doc.get("twoFactorDisabled").isList() {
			f.MFA = ptr(!without[f.Holder.Account])
		}
		b.githubHolds("outside_collaborator", scope, f)
	}
	b.covered("members", "")
}

func (b *builder) githubHolds(noun, scope string, f engine.HolderFact) {
	if f.Holder.Account == "" {
		b.fault(b.where, fmt.Errorf("no account: login is absent"))
		return
	}
	b.holds(noun, scope+"/"+f.Holder.Account, f)
}

// githubGraph maps the GraphQL answer about an organisation's members and roles.
func (b *builder) githubGraph(org node) {
	scope := strings.TrimSpace("organisation " + org.str("login"))
	for i, e := range org.list("membersWithRole.edges") {
		b.where = fmt.Sprintf("/data/organization/membersWithRole/edges/%d", i)
		f := engine.HolderFact{
			System: "github", Holder: githubHolder(e.get("node")), Scope: scope,
			Permission: strings.ToLower(e.str("role")), MFA: e.flag("hasTwoFactorEnabled"),
		}
		githubPrivilege(&f, false)
		b.githubHolds("member", scope, f)
	}
	if org.has("membersWithRole") {
		b.covered("members", "")
	}
	if n := len(org.list("samlIdentityProvider.externalIdentities.edges")); n > 0 {
		b.rec.Ignore("github identity links") // who is who is the directory's to say
	}
	if !org.has("membersWithRole") && !org.has("samlIdentityProvider") {
		b.rec.Ignore("github organization answer")
	}
}

// githubInvitations maps who has been asked in and has not come yet.
func (b *builder) githubInvitations(items []node) {
	scope := ""
	if m := orgPath.FindStringSubmatch(b.path); m != nil {
		scope = "organisation " + m[1]
	}
	for i, n := range items {
		b.where = fmt.Sprintf("/%d", i)
		f := engine.HolderFact{
			System: "github", Scope: scope, Permission: n.str("role"), Active: ptr(false), CreatedAt: n.when("created_at"),
			Holder: engine.Account{System: "github", Account: n.first("login", "email"), Email: strings.ToLower(n.str("email"))},
		}
		if f.Permission == "admin" {
			githubPrivilege(&f, false)
		}
		b.githubHolds("invitation", scope+"/"+n.str("id"), f)
	}
	b.covered("members", "")
}

// githubInstallations maps GET /orgs/{org}/installations.
func (b *builder) githubInstallations(doc node) { b.githubInstallationList(doc.list("installations")) }

func (b *builder) githubInstallationList(items []node) {
	for i, n := range items {
		b.where = fmt.Sprintf("/installations/%d", i)
		f := installation(n)
		if f.Holder.Account == "" {
			b.fault(b.where, fmt.Errorf("no installation: app_slug and id are absent"))
			continue
		}
		b.holds("installation", n.str("id"), f)
	}
	b.covered("permissions", "")
}

// installation is what a GitHub App may do in an organisation.
func installation(n node) engine.HolderFact {
	f := engine.HolderFact{
		System: "github", Scope: strings.TrimSpace("organisation " + n.str("account.login")), Permission: n.str("repository_selection"),
		Holder:    engine.Account{System: "github", Account: n.first("app_slug", "app_id", "id"), ID: n.str("app_id"), Kind: "workload"},
		CreatedAt: n.when("created_at"), Active: ptr(!n.has("suspended_at")),
	}
	names, _ := n.get("permissions").v.(map[string]any)
	for _, name := range sortedKeys(names) {
		level := node{names[name]}.str("")
		f.Permissions = append(f.Permissions, name+":"+level)
		if level == "write" && (name == "administration" || name == "members" || name == "contents" && f.Permission == "all") {
			f.PrivilegedWhy = append(f.PrivilegedWhy, name+" write")
		}
	}
	f.Privileged = ptr(len(f.PrivilegedWhy) > 0)
	return f
}
