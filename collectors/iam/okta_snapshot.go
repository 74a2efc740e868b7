package iam

import (
	"cmp"
	"errors"
	"fmt"
	"regexp"
	"strings"

	"github.com/changevouch/changevouch/engine"
)

// oktaUsers maps GET /api/v1/users, and the same list below a group: its members.
func (b *builder) oktaUsers(items []node) {
	group := oktaPathOwner(b.path, "groups", "users")
	for i, n := range items {
		b.where = fmt.Sprintf("/%d", i)
		login := n.str("profile.login")
		if login == "" {
			b.fault(b.where, errors.New("no user: profile.login is absent"))
			continue
		}
		status := n.str("status")
		f := engine.HolderFact{
			System: "okta", Permission: strings.ToLower(status), Active: ptr(oktaActive(status)),
			Holder: engine.Account{System: "okta", Account: login, ID: n.str("id"), Email: strings.ToLower(n.str("profile.email"))},
		}
		if group != "" {
			b.oktaMember(group, f)
			continue
		}
		f.CreatedAt, f.LastUsedAt = n.when("created"), n.when("lastLogin")
		b.holds("user", n.str("id"), f)
	}
	if group != "" {
		b.covered("permissions", "")
		return
	}
	b.covered("members", "")
}

// oktaActive tells the states of a user in which he may sign in.
func oktaActive(status string) bool {
	return status != "DEPROVISIONED" && status != "SUSPENDED" && status != "STAGED"
}

// oktaMember is one member of a group. Its name may say that it administers; what
// else it opens, no list says.
func (b *builder) oktaMember(group string, f engine.HolderFact) {
	f.Permission, f.Scope = "group "+cmp.Or(b.name, group), "group "+group
	if adminName.MatchString(b.name) {
		f.Privileged, f.PrivilegedWhy = ptr(true), []string{f.Permission}
	}
	b.holds("member", group+"/"+f.Holder.ID, f)
}

var oktaUserPath = regexp.MustCompile(`/users/([0-9A-Za-z]+)`)

// oktaOwner is the user that a role, factor or app assignment belongs to: the
// body names him in a link only.
func oktaOwner(n node) string {
	for _, link := range []string{"_links.assignee.href", "_links.user.href", "_links.self.href"} {
		if m := oktaUserPath.FindStringSubmatch(n.str(link)); m != nil {
			return m[1]
		}
	}
	return ""
}

// oktaPathOwner is the user, group or application below which the API path has a
// list.
func oktaPathOwner(path, kind, list string) string {
	if _, rest, ok := strings.Cut(path, "/"+kind+"/"); ok {
		if id, name, ok := strings.Cut(rest, "/"); ok && strings.HasPrefix(name, list) {
			return id
		}
	}
	return ""
}

// oktaRoles maps the admin roles of a user.
func (b *builder) oktaRoles(items []node) {
	for i, n := range items {
		b.where = fmt.Sprintf("/%d", i)
		owner := cmp.Or(oktaOwner(n), oktaPathOwner(b.path, "users", "roles"))
		if owner == "" {
			b.fault(b.where, errors.New("the role's assignee is not named: _links.assignee.href is absent"))
			continue
		}
		role := n.str("type")
		f := engine.HolderFact{
			System: "okta", Holder: engine.Account{System: "okta", Account: owner, ID: owner}, Permission: role,
			Scope: n.str("resource-set"), Active: ptr(n.str("status") == "ACTIVE"), CreatedAt: n.when("created"),
		}
		f.Privileged = ptr(oktaAdmin.MatchString(role) && !oktaReadOnly.MatchString(role))
		if *f.Privileged {
			f.PrivilegedWhy = []string{n.first("label", "type")}
		}
		b.holds("role", n.str("id"), f)
	}
	b.covered("permissions", "")
}

// oktaTokens maps API tokens: each carries all rights of its owner.
func (b *builder) oktaTokens(items []node) {
	for i, n := range items {
		b.where = fmt.Sprintf("/%d", i)
		owner := n.str("userId")
		if owner == "" {
			b.fault(b.where, errors.New("no token: userId is absent"))
			continue
		}
		b.holds("token", n.str("id"), engine.HolderFact{
			System: "okta", Holder: engine.Account{System: "okta", Account: owner, ID: owner},
			Permission: "api token", KeyIDs: n.strs("id"), CreatedAt: n.when("created"), LastUsedAt: n.when("lastUpdated"),
		})
	}
	b.covered("credentials", "")
}

// oktaFactors maps the second factors of one user to one holder.
func (b *builder) oktaFactors(items []node) {
	owner, active := "", false
	for _, n := range items {
		owner = cmp.Or(owner, oktaOwner(n))
		// A security question is no second factor worth the name.
		active = active || n.str("status") == "ACTIVE" && n.str("factorType") != "question"
	}
	if owner == "" {
		b.fault("", errors.New("the factors' user is not named: _links.user.href is absent"))
		return
	}
	b.holds("factors", owner, engine.HolderFact{
		System: "okta", Holder: engine.Account{System: "okta", Account: owner, ID: owner}, MFA: ptr(active),
	})
	b.covered("credentials", "")
}

// oktaAppUsers maps who may use an application. Without the embedded user only his
// id is known: the name that the application knows him by is not his login.
func (b *builder) oktaAppUsers(items []node) {
	for i, n := range items {
		b.where = fmt.Sprintf("/%d", i)
		id := n.str("id")
		if id == "" {
			b.fault(b.where, errors.New("no user of an application: id is absent"))
			continue
		}
		switch n.str("status") {
		case "DEPROVISIONED", "SUSPENDED", "REVOKED", "UNASSIGNED":
			b.rec.Ignore("okta ended app assignment")
			continue
		}
		user := n.get("_embedded.user")
		app := cmp.Or(lastPart(n.str("_links.app.href")), oktaPathOwner(b.path, "apps", "users"))
		f := engine.HolderFact{
			System: "okta", Permission: "app assignment", Scope: strings.TrimSpace("app " + cmp.Or(b.name, app)), CreatedAt: n.when("created"),
			Holder: engine.Account{System: "okta", Account: cmp.Or(user.str("profile.login"), id), ID: id, Email: strings.ToLower(user.str("profile.email"))},
		}
		if status := user.str("status"); status != "" {
			f.Active = ptr(oktaActive(status))
		}
		if n.str("scope") == "GROUP" {
			f.Permission = "app assignment through a group"
		}
		b.holds("app_user", app+"/"+id, f)
	}
	b.covered("permissions", "")
}
