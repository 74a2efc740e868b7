package render_test

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/changevouch/changevouch/engine"
)

// TestDifferences: what changes between two runs without any event is told, once
// and with nobody behind it; what an event told is not told again.
func TestDifferences(t *testing.T) {
	service := func(s *workspace) row { return s.lists["services"][1]["service"].(row) }
	details := func(s *workspace) row { return service(s)["serviceDetails"].(row) }
	one := fmt.Sprintf("srv-%020d", 1)
	audited := func(s *workspace, name string, metadata row) {
		s.lists["owners/tea-1/audit-logs"] = append(s.lists["owners/tea-1/audit-logs"], row{"auditLog": row{
			"id": "aud-new", "timestamp": stamp(s.now.Add(-time.Minute)), "event": name, "status": "success", "actor": row{"type": "user", "email": "dana@acme.example"}, "metadata": metadata}})
	}
	happened := func(s *workspace, kind string, what row) {
		path := "services/" + one + "/events"
		s.lists[path] = append(s.lists[path], row{"event": row{"id": "evt-new", "serviceId": one, "type": kind, "timestamp": stamp(s.now.Add(-time.Minute)), "details": what}})
	}
	for name, c := range map[string]struct {
		change func(*workspace)
		want   []string
	}{
		"nothing":            {func(*workspace) {}, nil},
		"branch":             {func(s *workspace) { service(s)["branch"] = "hotfix" }, []string{"config.changed branch main > hotfix by nobody"}},
		"pre-deploy command": {func(s *workspace) { delete(details(s)["envSpecificDetails"].(row), "preDeployCommand") }, []string{"config.changed pre_deploy_command sha256:4eaebf6ef2f29579 >  by nobody"}},
		"gate opened":        {func(s *workspace) { service(s)["autoDeployTrigger"] = "commit" }, []string{"config.changed auto_deploy_on checksPass > commit by nobody"}},
		"the event tells of it": {func(s *workspace) {
			service(s)["autoDeployTrigger"] = "off"
			happened(s, "auto_deploy_disabled", row{"fromTrigger": "checksPass", "reason": "setting_change"})
		}, nil},
		"the log tells of it": {func(s *workspace) {
			s.lists["environments"][0]["environment"].(row)["protectedStatus"] = "unprotected"
			audited(s, "ChangeEnvironmentProtectionEvent", row{"environment": "evm-1 (Production)", "protection": "UNPROTECTED"})
		}, nil},
		"protection": {func(s *workspace) { s.lists["environments"][0]["environment"].(row)["protectedStatus"] = "unprotected" },
			[]string{"config.changed environment_protection_off protected > unprotected by nobody"}},
		"allow list": {func(s *workspace) { details(s)["ipAllowList"] = []row{{"cidrBlock": "203.0.113.0/24"}} },
			[]string{"config.changed ip_allow_list 0.0.0.0/0 > 203.0.113.0/24 by nobody"}},
		"deleted, with its domain": {func(s *workspace) { s.lists["services"] = s.lists["services"][:1] },
			[]string{"config.changed service_deleted api-1 >  by nobody"}},
		"domain gone": {func(s *workspace) { s.lists["services/"+one+"/custom-domains"] = []row{} },
			[]string{"config.changed custom_domain_deleted shop1.example >  by nobody"}},
		"new service": {func(s *workspace) {
			s.lists["services"] = append(s.lists["services"], row{"service": row{"id": "srv-new", "name": "new", "type": "background_worker", "createdAt": stamp(s.now.Add(-time.Minute))}})
		}, []string{"config.changed service_created  >  by nobody"}},
		"a Blueprint did it": {func(s *workspace) {
			s.lists["services"][0]["service"].(row)["branch"] = "release"
			s.lists["blueprints/exs-1/syncs"] = append(s.lists["blueprints/exs-1/syncs"], row{"sync": row{"id": "exe-2", "commit": row{"id": fmt.Sprintf("%040x", 8)}, "state": "success", "completedAt": stamp(s.now.Add(-time.Minute))}})
		}, []string{"config.changed branch main > release by nobody because of render:sync:exe-2"}},
		"role raised": {func(s *workspace) { s.lists["owners/tea-1/members"][1]["role"] = "ADMIN" },
			[]string{"access.changed role_grant DEVELOPER > ADMIN by nobody"}},
		"role lowered": {func(s *workspace) { s.lists["owners/tea-1/members"][0]["role"] = "DEVELOPER" },
			[]string{"access.changed role_revoke ADMIN > DEVELOPER by nobody"}},
		"role raised, says the log": {func(s *workspace) {
			s.lists["owners/tea-1/members"][1]["role"] = "ADMIN"
			audited(s, "ChangeTeamMemberRoleEvent", row{"user": "devon@acme.example", "from": "DEVELOPER", "to": "ADMIN"})
		}, nil},
		"member left":       {func(s *workspace) { s.lists["owners/tea-1/members"] = s.lists["owners/tea-1/members"][:1] }, []string{"access.changed role_revoke  > DEVELOPER by nobody"}},
		"second factor off": {func(s *workspace) { s.lists["owners/tea-1/members"][1]["mfaEnabled"] = false }, []string{"access.changed mfa_disable  > second factor by nobody"}},
		"members cannot be read any more": {func(s *workspace) {
			s.before = func(w http.ResponseWriter, r *http.Request) bool {
				if strings.HasSuffix(r.URL.Path, "/members") {
					w.WriteHeader(http.StatusForbidden)
					return true
				}
				return false
			}
		}, nil},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newWorkspace()
			dir := t.TempDir()
			l := live(t, s, nil)
			if _, err := collect(t, l, window, dir); err != nil {
				t.Fatal(err)
			}
			first := s.now
			s.now = s.now.Add(time.Hour)
			c.change(s)
			var events []engine.Event
			for range 2 { // the second time nothing is new
				var err error
				w := window
				w.Until = s.now
				if events, err = collect(t, l, w, dir); err != nil {
					t.Fatal(err)
				}
				s.now = s.now.Add(time.Hour)
			}
			var got []string
			for _, e := range events {
				if !strings.HasPrefix(e.ID, "render:difference:") {
					continue
				}
				if e.Actor != nil || !e.OccurredAt.After(first) {
					t.Errorf("%s: actor %v at %s", e.ID, e.Actor, e.OccurredAt)
				}
				var f engine.ConfigFact
				var a engine.AccessFact
				var text string
				if e.Type == "access.changed" {
					if err := e.Decode(&a); err != nil {
						t.Fatal(err)
					}
					text = fmt.Sprintf("%s %s %s > %s by nobody", e.Type, a.Kind, a.Permission.Before, a.Permission.ID)
				} else {
					if err := e.Decode(&f); err != nil {
						t.Fatal(err)
					}
					text = fmt.Sprintf("%s %s %s > %s by nobody", e.Type, f.Kind, f.Before, f.After)
					if f.CausedBy != "" {
						text += " because of " + f.CausedBy
					}
					if !strings.Contains(f.Detail, first.Format(time.RFC3339)) {
						t.Errorf("detail %q names no interval", f.Detail)
					}
				}
				got = append(got, text)
			}
			slices.Sort(got)
			if diff := cmp.Diff(c.want, got); diff != "" {
				t.Error(diff)
			}
		})
	}
}

// TestNothingForgotten: what an earlier reading of the same day told stays, though
// the service no longer tells it.
func TestNothingForgotten(t *testing.T) {
	s := newWorkspace()
	dir := t.TempDir()
	l := live(t, s, nil)
	if _, err := collect(t, l, window, dir); err != nil {
		t.Fatal(err)
	}
	one := fmt.Sprintf("srv-%020d", 1)
	s.lists["services/"+one+"/custom-domains"] = []row{}
	s.lists["env-groups"][0]["updatedAt"] = "2026-09-10T06:30:00Z"
	s.lists["services/"+one+"/events"] = []row{} // as if Render kept no events
	s.now = s.now.Add(time.Hour)
	w := window
	w.Until = s.now
	events, err := collect(t, l, w, dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, id := range []string{"render:custom_domain:cdm-1:created", "render:env_group:evg-1:2026-08-20T00:00:00Z", "render:env_group:evg-1:2026-09-10T06:30:00Z", "render:evt-sdep-1-000"} {
		if !slices.ContainsFunc(events, func(e engine.Event) bool { return e.ID == id }) {
			t.Errorf("%s is forgotten", id)
		}
	}
}
