package assembly

import (
	"slices"
	"testing"

	"github.com/changevouch/changevouch/engine"
)

func outsideGit() []engine.Event {
	admin := &engine.AccessFactPermission{ID: "ADMIN", Before: "DEVELOPER", Operation: "change"}
	bob := &engine.AccessFactTarget{Kind: "user", Account: "bob@acme.example"}
	return []engine.Event{
		tell("render:aud-env", "config.changed", "13:00", "bob@acme.example", engine.ConfigFact{
			System: "render", Change: "UpdateEnvVarsEvent", Kind: "env_var", Target: &engine.ConfigFactTarget{Type: "service", ID: "srv-api"}, Keys: []string{"STRIPE_KEY"}, ServiceID: "srv-api", Channel: "dashboard",
			Scopes: []string{"security_config"}, Effects: []string{"secret_rotation"}, GitExpressible: ptr(false)}),
		tell("render:evt-env", "config.changed", "2026-11-10T13:00:02Z", "", engine.ConfigFact{
			System: "render", Change: "env_updated", Kind: "env_var", Target: &engine.ConfigFactTarget{Type: "service", ID: "srv-api"}, ServiceID: "srv-api", Effects: []string{"env_var"}}),
		prod("dep-env", merge, "service_updated", "2026-11-10T13:00:05Z", "2026-11-10T13:01:00Z", "bob@acme.example"),
		tell("github:issue:210", "issue.recorded", "2026-11-09T09:00:00Z", "alice", engine.IssueFact{
			Key: "SEC-210", Kind: "change_request", Title: "Rotate STRIPE_KEY", CreatedAt: at("2026-11-09T09:00:00Z"), Author: who("alice"), Description: "Quarterly rotation of STRIPE_KEY",
			Risk: &engine.RiskText{Availability: "low", Security: "less", Data: "none"}, Rollback: "the old key works for a day"}),
		tell("github:issue_comment:2", "issue.commented", "2026-11-09T12:00:00Z", "carol", engine.IssueCommentFact{Key: "SEC-210", Kind: "approval"}),
		tell("github:issue_comment:3", "issue.commented", "13:05", "bob", engine.IssueCommentFact{Key: "SEC-210", Kind: "validation", Validation: "live_probe", Result: "pass"}),
		tell("render:aud-grant", "access.changed", "14:00", "carol@acme.example", engine.AccessFact{
			Kind: "role_grant", Outcome: "success", System: "render", Change: "ChangeTeamMemberRoleEvent", Target: bob, Permission: admin, Privileged: ptr(true), Request: "ACC-31"}),
		tell("render:aud-denied", "access.changed", "14:01", "alice@acme.example", engine.AccessFact{
			Kind: "role_grant", Outcome: "denied", System: "render", Target: bob, Permission: admin, Privileged: ptr(true)}),
		tell("render:aud-revoke", "access.changed", "18:10", "carol@acme.example", engine.AccessFact{
			Kind: "role_revoke", Outcome: "success", System: "render", Target: bob, Permission: &engine.AccessFactPermission{ID: "DEVELOPER", Before: "ADMIN", Operation: "change"}}),
		tell("github:issue:31", "issue.recorded", "2026-11-10T08:00:00Z", "bob", engine.IssueFact{
			Key: "ACC-31", Kind: "access_request", CreatedAt: at("08:00"), Author: who("bob"), Description: "ADMIN on Render for the new database",
			Sections: map[string]string{"beneficiary": "@Bob", "expires_at": "2026-11-10T18:00:00Z"}}),
		tell("github:issue_comment:4", "issue.commented", "09:00", "carol", engine.IssueCommentFact{Key: "ACC-31", Kind: "approval"}),
		tell("github:audit:app", "access.changed", "15:00", "carol", engine.AccessFact{
			Kind: "app_assignment_add", Outcome: "success", System: "github", Change: "integration_installation.create", Target: &engine.AccessFactTarget{Kind: "app", Name: "deploy-helper"}}),
		tell("github:audit:login", "access.changed", "15:30", "carol", engine.AccessFact{Kind: "sign_in", Outcome: "success", System: "github"}),
	}
}

func TestConfigurationChange(t *testing.T) {
	dossiers, _ := assemble(t, change(), outsideGit(), everything())
	c := theChange(t, dossiers, "render:aud-env")
	same(t, "kind", c.Kind, "platform_config")
	same(t, "two logs, one change", dossiers["change render:evt-env"].Change == nil, true)
	same(t, "effects of both", c.Event.Effects, []string{"env_var", "secret_rotation"})
	same(t, "its deployment", ids(c.Deployments), []string{"dep-env"})
	same(t, "environment", c.Environment, "production")
	same(t, "issue", c.Issue.ID, "SEC-210")
	same(t, "approvals", c.Issue.Approvals, []engine.Approval{{By: "carol", At: on("2026-11-09T12:00:00Z")}})
	same(t, "requested by", c.Event.RequestedBy, "alice")
	same(t, "validations", c.Validations, []engine.Validation{{Kind: "live_probe", At: on("13:05"), Result: "pass", By: "bob"}})
}

func TestGrant(t *testing.T) {
	dossiers, _ := assemble(t, change(), outsideGit(), everything())
	c := theChange(t, dossiers, "render:aud-grant")
	same(t, "kind", c.Kind, "iam_grant")
	same(t, "beneficiary", c.Event.Beneficiary, "bob@acme.example")
	same(t, "requested by", c.Event.RequestedBy, "bob")
	same(t, "elevation", c.Event.Elevation, &engine.Elevation{StartedAt: on("14:00"), ExpiresAt: on("18:00"), RevokedAt: on("18:10")})
	same(t, "issue", c.Issue.ID, "ACC-31")
	same(t, "app", theChange(t, dossiers, "github:audit:app").Kind, "app_install")
	for _, id := range []string{"render:aud-denied", "render:aud-revoke", "github:audit:login"} {
		if _, found := dossiers["change "+id]; found {
			t.Errorf("%s became a change", id)
		}
	}
	var persons []string
	for _, p := range dossiers["change render:aud-grant"].People {
		persons = append(persons, p.ID)
	}
	same(t, "people", persons, []string{"bob", "carol"})
}

// Whoever is granted a right and uses it within the day.
func TestGrantsBeforeADeployment(t *testing.T) {
	used := prod("dep-used", stray, "manual", "16:00", "16:05", "bob@acme.example")
	dossiers, _ := assemble(t, change(), outsideGit(), []engine.Event{used}, everything())
	grants := theChange(t, dossiers, "render:dep-used").RelatedGrants
	same(t, "grants", len(grants), 1)
	same(t, "grant", grants[0]["id"], any("render:aud-grant"))
	same(t, "nobody else's", len(theChange(t, dossiers, "acme/shop#412").RelatedGrants), 0)
}

func TestDirectSQLAndFailedAttempts(t *testing.T) {
	sql := tell("render:sql", "config.changed", "13:00", "bob@acme.example", engine.ConfigFact{System: "postgres", Change: "ALTER TABLE", Channel: "direct_sql"})
	failed := tell("render:failed", "config.changed", "13:00", "bob@acme.example", engine.ConfigFact{System: "render", Change: "DeleteServerEvent", Outcome: "failed"})
	dossiers, _ := assemble(t, []engine.Event{sql, failed}, everything())
	same(t, "kind", theChange(t, dossiers, "render:sql").Kind, "database_change")
	same(t, "changes", len(slices.DeleteFunc(sortedKeys(dossiers), func(k string) bool { return k[:7] != "change " })), 1)
}
