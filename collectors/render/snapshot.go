package render

import (
	"cmp"
	"errors"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/changevouch/changevouch/engine"
)

// snapshotID names what is read again and again: by its updatedAt, or by the
// instant of reading where the record has none.
func (m *mapping) snapshotID(noun, id string, updated time.Time) string {
	if updated.IsZero() {
		return "render:" + noun + ":" + id + ":" + m.Stamp()
	}
	return "render:" + noun + ":" + id + ":" + updated.Format(time.RFC3339Nano)
}

func (m *mapping) service(o object) error {
	id := o.str("id")
	if id == "" {
		return errors.New("service without id")
	}
	details := o.obj("serviceDetails")
	f := engine.ServiceFact{
		ServiceID: id, Service: o.str("name"), Kind: o.str("type"), Repository: repository(o.str("repo")), Branch: o.str("branch"),
		AutoDeploy: cmp.Or(o.str("autoDeployTrigger"), o.str("autoDeploy")), EnvironmentID: o.str("environmentId"),
		Suspended: suspended(o), RootDir: o.str("rootDir"), Paths: o.obj("buildFilter").texts("paths"),
		IgnoredPaths: o.obj("buildFilter").texts("ignoredPaths"), HealthCheck: details.str("healthCheckPath"),
		PullRequestPreviews: previews(details), ParentServiceID: details.obj("parentServer").str("id"),
		Region: details.str("region"), Plan: details.str("plan"), Instances: details.count("numInstances"),
	}
	if ref := o.str("imagePath"); ref != "" {
		f.Image = &engine.ImageFacts{Ref: ref}
	}
	if f.ParentServiceID != "" {
		f.EnvironmentKind = "preview"
	}
	m.observedService(f, o.at("updatedAt"))
	return nil
}

// datastore maps Postgres and Key Value instances, which Render's logs name
// like services.
func (m *mapping) datastore(o object) error {
	id := o.str("id")
	if id == "" {
		return errors.New("datastore without id")
	}
	m.observedService(engine.ServiceFact{
		ServiceID: id, Service: o.str("name"), Kind: targetType(id), EnvironmentID: o.str("environmentId"),
		Suspended: suspended(o), Region: o.str("region"), Plan: o.str("plan"),
	}, o.at("updatedAt"))
	return nil
}

func (m *mapping) observedService(f engine.ServiceFact, updated time.Time) {
	m.Add(engine.Event{
		ID: m.snapshotID("service", f.ServiceID, updated), Type: "service.observed", OccurredAt: updated,
		Subject: engine.Subject{Type: "service", ID: f.ServiceID}, Data: engine.Facts(f),
	})
}

func suspended(o object) *bool {
	switch o.str("suspended") {
	case "suspended":
		return new(true)
	case "not_suspended":
		return new(false)
	}
	return nil
}

// previews: pullRequestPreviewsEnabled is the older spelling of previews.generation.
func previews(details object) *bool {
	switch cmp.Or(details.obj("previews").str("generation"), details.str("pullRequestPreviewsEnabled")) {
	case "automatic", "manual", "yes":
		return new(true)
	case "off", "no":
		return new(false)
	}
	return nil
}

// repository is owner/name for GitHub, where Git facts come from, and host/path
// for other hosts.
func repository(link string) string {
	u, err := url.Parse(link)
	if err != nil || u.Host == "" {
		return ""
	}
	path := strings.TrimSuffix(strings.Trim(u.Path, "/"), ".git")
	if host := strings.ToLower(u.Hostname()); host != "github.com" && host != "www.github.com" {
		return host + "/" + path
	}
	return path
}

// environment maps an environment as read: Render gives it no instant. Its name
// has no meaning to Render, so its kind is not concluded from it.
func (m *mapping) environment(o object) error {
	id, name := o.str("id"), o.str("name")
	if id == "" || name == "" {
		return errors.New("environment without id or name")
	}
	f := engine.EnvironmentFact{EnvironmentID: id, Environment: name, Project: o.str("projectId")}
	switch o.str("protectedStatus") {
	case "protected":
		f.Protected = new(true)
	case "unprotected":
		f.Protected = new(false)
	}
	for _, list := range []string{"serviceIds", "databasesIds", "redisIds"} {
		f.ServiceIDs = append(f.ServiceIDs, o.texts(list)...)
	}
	m.Add(engine.Event{
		ID: m.snapshotID("environment", id, time.Time{}), Type: "environment.observed",
		Subject: engine.Subject{Type: "environment", ID: id}, Data: engine.Facts(f),
	})
	return nil
}

func (m *mapping) member(o object) error {
	id, email, role := o.str("userId"), o.str("email"), o.str("role")
	if id == "" || role == "" {
		return errors.New("member without userId or role")
	}
	f := engine.HolderFact{
		System: system, Holder: engine.Account{System: system, Account: cmp.Or(email, id), ID: id, Email: email},
		Permission: role, Privileged: new(isAdmin(role)), MFA: o.flag("mfaEnabled"), Scope: m.place.id,
	}
	if isAdmin(role) {
		f.PrivilegedWhy = []string{"role " + role}
	}
	switch o.str("status") {
	case "active":
		f.Active = new(true)
	case "inactive":
		f.Active = new(false)
	}
	m.Add(engine.Event{
		ID: m.snapshotID("member", id, time.Time{}), Source: "iam", Type: "access.observed",
		Subject: engine.Subject{Type: "account", ID: id}, Data: engine.Facts(f),
	})
	return nil
}

// customDomain maps the creation of a domain: workspaces without audit log have
// no other record of it.
func (m *mapping) customDomain(o object) error {
	id, name, created := o.str("id"), o.str("name"), o.at("createdAt")
	if id == "" || name == "" || created.IsZero() {
		return errors.New("custom domain without id, name or createdAt")
	}
	f := auditEvents["CreateCustomDomainEvent"].config("custom_domain_created")
	f.Outcome, f.After = "success", name
	f.ServiceID = cmp.Or(o.obj("server").str("id"), m.place.service())
	f.Service = o.obj("server").str("name")
	f.Target = &engine.ConfigFactTarget{Type: "custom_domain", ID: id, Name: name}
	if f.ServiceID != "" { // as the audit log names it
		f.Target = &engine.ConfigFactTarget{Type: targetType(f.ServiceID), ID: f.ServiceID, Name: f.Service}
	}
	m.Add(engine.Event{
		ID: "render:custom_domain:" + id + ":created", Type: "config.changed", OccurredAt: created,
		Subject: targetSubject(f), Data: engine.Facts(f),
	})
	return nil
}

// envGroup maps the latest edit of an environment group: the audit log knows
// only its deletion. Which variables were edited is not said.
func (m *mapping) envGroup(o object) error {
	id, updated := o.str("id"), o.at("updatedAt")
	if id == "" || updated.IsZero() {
		return errors.New("environment group without id or updatedAt")
	}
	change := "env_group_updated"
	if updated.Equal(o.at("createdAt")) {
		change = "env_group_created"
	}
	f := meaning{kind: change, scopes: infrastructure, effects: []string{"env_var"}}.config(change)
	f.Outcome = "success"
	f.Target = &engine.ConfigFactTarget{Type: "env_group", ID: id, Name: o.str("name")}
	m.Add(engine.Event{
		ID: m.snapshotID("env_group", id, updated), Type: "config.changed", OccurredAt: updated,
		Subject: targetSubject(f), Data: engine.Facts(f),
	})
	return nil
}

// blueprintSync maps a finished sync: configuration that came from Git.
func (m *mapping) blueprintSync(o object) error {
	id, state := o.str("id"), o.str("state")
	if id == "" || state == "" {
		return errors.New("blueprint sync without id or state")
	}
	outcome := map[string]string{"success": "success", "error": "failed"}[state]
	if outcome == "" {
		m.Ignore("blueprint sync " + state)
		return nil
	}
	at := o.at("completedAt")
	if at.IsZero() {
		return errors.New("finished Blueprint sync without completedAt")
	}
	f := meaning{kind: "blueprint_sync", scopes: infrastructure, inGit: yes, channel: "blueprint"}.config("blueprint_sync")
	f.Outcome = outcome
	if sha := strings.ToLower(o.obj("commit").str("id")); isSHA(sha) {
		f.BlueprintCommit = sha
	}
	if m.place.root == "blueprints" && m.place.id != "" {
		f.Target = &engine.ConfigFactTarget{Type: "blueprint", ID: m.place.id}
	}
	m.Add(engine.Event{ID: "render:sync:" + id, Type: "config.changed", OccurredAt: at, Subject: targetSubject(f), Data: engine.Facts(f)})
	return nil
}

// sqlClients are programs that talk to a database directly.
var sqlClients = []string{"psql", "pg_restore", "mysql", "mariadb", "sqlite3", "mongosh", "redis-cli"}

// job maps a one-off job: a command somebody ran in production; Render does not
// say who. The command may hold secrets, so only what it does is kept.
func (m *mapping) job(o object) error {
	id, created := o.str("id"), o.at("createdAt")
	if id == "" || created.IsZero() {
		return errors.New("job without id or createdAt")
	}
	f := meaning{kind: "job", scopes: infrastructure, effects: []string{"shell"}, inGit: no, channel: "api"}.config("job_created")
	f.Outcome = "success"
	f.ServiceID = cmp.Or(o.str("serviceId"), m.place.service())
	f.Target = &engine.ConfigFactTarget{Type: "job", ID: id}
	f.Detail = "one-off command"
	if runsSQL(o.str("startCommand")) {
		f.Effects = append(f.Effects, "direct_sql")
		f.Detail = "one-off command with a database client"
	}
	m.Add(engine.Event{
		ID: "render:job:" + id + ":created", Type: "config.changed", OccurredAt: created,
		Subject: targetSubject(f), Data: engine.Facts(f),
	})
	return nil
}

func runsSQL(command string) bool {
	for _, word := range strings.FieldsFunc(command, func(r rune) bool { return strings.ContainsRune(" \t;|&'\"()", r) }) {
		program := word[strings.LastIndex(word, "/")+1:]
		if slices.Contains(sqlClients, program) {
			return true
		}
	}
	return false
}
