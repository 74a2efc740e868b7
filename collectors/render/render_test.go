package render_test

import (
	"bytes"
	"encoding/json"
	"flag"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/changevouch/changevouch/collectors"
	"github.com/changevouch/changevouch/collectors/render"
	"github.com/changevouch/changevouch/engine"
	"github.com/changevouch/changevouch/schemas"
)

var update = flag.Bool("update", false, "rewrite the golden files")

// received is when the recorded answers of these tests were read.
var received = time.Date(2026, 9, 10, 6, 0, 0, 0, time.UTC)

func payloads(t testing.TB) map[string][]byte {
	t.Helper()
	files := map[string][]byte{}
	root := filepath.Join("testdata", "payloads")
	err := filepath.WalkDir(root, func(p string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || filepath.Ext(p) == ".md" {
			return err
		}
		b, err := os.ReadFile(p)
		if err != nil {
			return err
		}
		name, err := filepath.Rel(root, p)
		files[filepath.ToSlash(name)] = b
		return err
	})
	if err != nil || len(files) == 0 {
		t.Fatalf("read %s: %d payloads, %v", root, len(files), err)
	}
	return files
}

// golden is a mapping as the golden files hold it.
type golden struct {
	Events  []engine.Event `json:"events,omitempty"`
	Ignored map[string]int `json:"ignored,omitempty"`
	Faults  []string       `json:"faults,omitempty"`
}

func view(m collectors.Mapping) []byte {
	g := golden{Events: m.Events, Ignored: m.Ignored}
	for _, f := range m.Faults {
		g.Faults = append(g.Faults, f.Error())
	}
	var out bytes.Buffer
	enc := json.NewEncoder(&out)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", " ")
	if err := enc.Encode(g); err != nil {
		panic(err)
	}
	return out.Bytes()
}

// TestPayloads maps every recorded payload: the result is the golden file, and
// every event is one that its schema allows.
func TestPayloads(t *testing.T) {
	for name, b := range payloads(t) {
		t.Run(name, func(t *testing.T) {
			p := collectors.Payload{Path: name, Bytes: b, ObservedAt: received}
			m := render.Map(p)
			for _, e := range m.Events {
				for _, fault := range schemas.Validate(schemas.Event, engine.Facts(e)) {
					t.Errorf("%s is no valid event: %v", e.ID, fault)
				}
			}
			got := view(m)
			if again := view(render.Map(p)); !bytes.Equal(got, again) {
				t.Error("the same payload gave two mappings")
			}
			file := filepath.Join("testdata", "golden", strings.ReplaceAll(name, "/", "--")+".golden")
			if *update {
				if err := os.WriteFile(file, got, 0o644); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(string(want), string(got)); diff != "" {
				t.Errorf("mapping differs from %s (-want +got):\n%s", file, diff)
			}
		})
	}
}

// TestOneFactOneID: nothing that is read in several answers contradicts itself.
func TestOneFactOneID(t *testing.T) {
	facts := map[string]string{}
	for name, b := range payloads(t) {
		if strings.HasPrefix(name, "webhooks/docs-example") || strings.HasPrefix(name, "webhooks/bad-") {
			continue // the page uses one id for two examples; forgeries lie
		}
		path := "v1/services/srv-daaj900jviva8ee69rvg/deploys.json"
		if !strings.Contains(name, "deploy") {
			path = name
		}
		for _, e := range render.Map(collectors.Payload{Path: path, Bytes: b, ObservedAt: received}).Events {
			if strings.Contains(e.ID, ":coverage:") {
				continue
			}
			fact := fmt.Sprintf("%s %v %s %v %s", e.Type, e.OccurredAt, engine.Facts(e.Actor), e.Subject, e.Data)
			if before, seen := facts[e.ID]; seen && before != fact {
				t.Errorf("%s says two things:\n%s\n%s (%s)", e.ID, before, fact, name)
			}
			facts[e.ID] = fact
		}
	}
}

func mapAt(t *testing.T, path, body string) collectors.Mapping {
	t.Helper()
	m := render.Map(collectors.Payload{Path: path, Bytes: []byte(body), ObservedAt: received})
	for _, e := range m.Events {
		if faults := schemas.Validate(schemas.Event, engine.Facts(e)); len(faults) > 0 {
			t.Errorf("%s is no valid event: %v", e.ID, faults)
		}
	}
	return m
}

// ids lists the events of a mapping without coverage.
func ids(m collectors.Mapping) []string {
	var out []string
	for _, e := range m.Events {
		if e.Type != "coverage.recorded" || strings.HasSuffix(e.ID, ":announced") {
			out = append(out, e.Type+" "+e.ID)
		}
	}
	return out
}

func event(t *testing.T, m collectors.Mapping, kind string, data any) engine.Event {
	t.Helper()
	i := slices.IndexFunc(m.Events, func(e engine.Event) bool { return e.Type == kind })
	if i < 0 {
		t.Fatalf("no %s in %v (ignored %v, faults %v)", kind, ids(m), m.Ignored, m.Faults)
	}
	if err := m.Events[i].Decode(data); err != nil {
		t.Fatal(err)
	}
	return m.Events[i]
}

const sha = "97bbba74a7415360fc6ba5d2382598a375080bac"

func TestDeploys(t *testing.T) {
	const live = `{"id":"dep-1","status":%q,"trigger":%q,"commit":{"id":"` + sha + `"},"createdAt":"2026-09-01T10:00:00Z","finishedAt":"2026-09-01T10:02:00Z","updatedAt":"2026-09-05T10:00:00Z"}`
	for name, c := range map[string]struct {
		body  string
		want  []string
		fault string
	}{
		"live": {body: fmt.Sprintf(live, "live", "new_commit"),
			want: []string{"deployment.observed render:deploy:dep-1:live:2026-09-05T10:00:00Z", "service.deployed render:deploy:dep-1:live"}},
		"was live": {body: fmt.Sprintf(live, "deactivated", "new_commit"),
			want: []string{"deployment.observed render:deploy:dep-1:deactivated:2026-09-05T10:00:00Z", "service.deployed render:deploy:dep-1:live"}},
		"rolled back": {body: fmt.Sprintf(live, "live", "rollback"),
			want: []string{"deployment.observed render:deploy:dep-1:live:2026-09-05T10:00:00Z", "service.deployed render:deploy:dep-1:live", "service.rolledback render:deploy:dep-1:rolledback"}},
		"failed rollback": {body: fmt.Sprintf(live, "update_failed", "rollback"),
			want: []string{"deployment.observed render:deploy:dep-1:update_failed:2026-09-05T10:00:00Z"}},
		"status of the future": {body: fmt.Sprintf(live, "half_live", "telepathy"),
			want: []string{"deployment.observed render:deploy:dep-1:half_live:2026-09-05T10:00:00Z"}},
		"was live, nobody knows since when": {body: `{"id":"dep-1","status":"deactivated","finishedAt":null,"updatedAt":"2026-09-05T10:00:00Z"}`,
			want: []string{"deployment.observed render:deploy:dep-1:deactivated:2026-09-05T10:00:00Z"}, fault: "finishedAt"},
		"short commit": {body: `{"id":"dep-1","status":"queued","commit":{"id":"97bbba7"},"updatedAt":"2026-09-05T10:00:00Z"}`,
			want: []string{"deployment.observed render:deploy:dep-1:queued:2026-09-05T10:00:00Z"}, fault: "SHA"},
	} {
		t.Run(name, func(t *testing.T) {
			m := mapAt(t, "v1/services/srv-1/deploys/dep-1.json", c.body)
			if diff := cmp.Diff(c.want, ids(m)); diff != "" {
				t.Error(diff)
			}
			for _, e := range m.Events {
				if e.Type != "deployment.observed" && e.OccurredAt.Format(time.RFC3339) != "2026-09-01T10:02:00Z" {
					t.Errorf("%s went live at %v, not when the deploy finished", e.ID, e.OccurredAt)
				}
				var f engine.DeploymentFact
				if err := e.Decode(&f); err != nil || f.ServiceID != "srv-1" {
					t.Errorf("%s: service %q, %v", e.ID, f.ServiceID, err)
				}
			}
			checkFault(t, m, c.fault)
		})
	}
}

func checkFault(t *testing.T, m collectors.Mapping, want string) {
	t.Helper()
	switch {
	case want == "" && len(m.Faults) > 0:
		t.Errorf("faults %v", m.Faults)
	case want != "" && (len(m.Faults) != 1 || !strings.Contains(m.Faults[0].Error(), want)):
		t.Errorf("faults %v, want one about %s", m.Faults, want)
	}
}

func TestDeployStarted(t *testing.T) {
	dana := &engine.Account{System: "render", Account: "dana@example.com", ID: "usr-1", Email: "dana@example.com"}
	for name, c := range map[string]struct {
		trigger string
		want    engine.DeploymentFact
	}{
		"a person":                 {`{"manual":true,"clearCache":true,"user":{"id":"usr-1","email":"dana@example.com"}}`, engine.DeploymentFact{Trigger: "manual", User: dana, Reason: "build cache cleared"}},
		"a rollback":               {`{"rollback":true,"rollbackTargetDeployId":"dep-0","user":{"id":"usr-1","email":"dana@example.com"}}`, engine.DeploymentFact{Trigger: "rollback", User: dana, RollbackTo: "dep-0"}},
		"a push":                   {`{"newCommit":"` + sha + `"}`, engine.DeploymentFact{Trigger: "new_commit", Commit: sha}},
		"Render":                   {`{"deployedByRender":true}`, engine.DeploymentFact{Trigger: "deployed_by_render"}},
		"hook or API: nobody says": {`{"manual":false}`, engine.DeploymentFact{}},
		"first build":              {`{"firstBuild":true,"manual":false}`, engine.DeploymentFact{Reason: "first build"}},
		"variables":                {`{"envUpdated":true}`, engine.DeploymentFact{Reason: "environment updated"}},
		"a Blueprint sync":         {`{"updatedProperty":"startCommand"}`, engine.DeploymentFact{Reason: "updated property startCommand"}},
		"null":                     {`null`, engine.DeploymentFact{}},
	} {
		t.Run(name, func(t *testing.T) {
			m := mapAt(t, "", `{"id":"evt-1","type":"deploy_started","timestamp":"2026-09-01T10:00:00Z","serviceId":"srv-1","details":{"deployId":"dep-1","trigger":`+c.trigger+`}}`)
			var got engine.DeploymentFact
			e := event(t, m, "deployment.started", &got)
			c.want.DeployID, c.want.ServiceID = "dep-1", "srv-1"
			if diff := cmp.Diff(c.want, got); diff != "" {
				t.Error(diff)
			}
			if diff := cmp.Diff(c.want.User, e.Actor); diff != "" {
				t.Errorf("actor: %s", diff)
			}
		})
	}
}

func audit(name, actor, metadata string) string {
	return `[{"cursor":"c","auditLog":{"id":"aud-1","timestamp":"2026-09-01T10:00:00.123456789Z","event":"` + name + `","status":"success","actor":` + actor + `,"metadata":` + metadata + `}}]`
}

func TestConfigChanges(t *testing.T) {
	const person, key = `{"type":"user","email":"a@example.com","id":"usr-1"}`, `{"type":"rest_api"}`
	yes, no := true, false
	for name, c := range map[string]struct {
		body    string
		channel string
		effects []string
		scopes  []string
		git     *bool
		actor   string
	}{
		"protection off": {audit("ChangeEnvironmentProtectionEvent", person, `{"environment":"evm-1 (Production)","protection":"UNPROTECTED"}`),
			"dashboard", []string{"environment_protection"}, []string{"infrastructure", "security_config"}, &yes, "a@example.com"},
		"shell": {audit("StartShellEvent", person, `{"service":"srv-1"}`), "shell", []string{"shell"}, []string{"infrastructure"}, &no, "a@example.com"},
		"variables by an API key without person": {audit("UpdateEnvVarsEvent", key, `{"service":"srv-1","field":"env_vars"}`),
			"api", []string{"env_var"}, []string{"infrastructure"}, nil, ""},
		"a vendor's key": {audit("UpdateEnvVarsEvent", person, `{"service":"srv-1","environment_variable":"STRIPE_API_KEY"}`),
			"dashboard", []string{"env_var", "secret_rotation"}, []string{"infrastructure", "security_config", "third_party_integration"}, &no, "a@example.com"},
		"a model": {audit("UpdateEnvVarsEvent", person, `{"service":"srv-1","environment_variable":"CHAT_MODEL"}`),
			"dashboard", []string{"env_var", "model_swap"}, []string{"ai_orchestration", "infrastructure"}, &yes, "a@example.com"},
		"a prompt": {audit("UpdateEnvVarsEvent", person, `{"service":"srv-1","environment_variable":"SYSTEM_PROMPT"}`),
			"dashboard", []string{"env_var"}, []string{"ai_orchestration", "infrastructure"}, &yes, "a@example.com"},
		"a vendor's webhook": {audit("CreateEnvVarsEvent", person, `{"service":"srv-1","environment_variable":"ALERT_WEBHOOK_URL"}`),
			"dashboard", []string{"env_var", "secret_rotation"}, []string{"infrastructure", "security_config", "third_party_integration"}, &no, "a@example.com"},
		"a plain variable": {audit("UpdateEnvVarsEvent", person, `{"service":"srv-1","environment_variable":"LOG_LEVEL"}`),
			"dashboard", []string{"env_var"}, []string{"infrastructure"}, &yes, "a@example.com"},
		"allow list of a database": {audit("UpdateIPAllowListEvent", person, `{"postgres":"dpg-1-a (db)"}`), "dashboard", []string{"network"}, []string{"infrastructure", "security_config"}, &yes, "a@example.com"},
		"allow list of a service":  {audit("UpdateIPAllowListEvent", person, `{"service":"srv-1"}`), "dashboard", []string{"network"}, []string{"infrastructure", "security_config"}, nil, "a@example.com"},
		"gate removed":             {audit("UpdateAutoDeployTriggerEvent", person, `{"service":"srv-1","from":"checksPass","to":"commit"}`), "dashboard", []string{"auto_deploy", "control_plane"}, []string{"infrastructure"}, &yes, "a@example.com"},
		"gate closed":              {audit("UpdateAutoDeployTriggerEvent", person, `{"service":"srv-1","from":"checksPass","to":"off"}`), "dashboard", []string{"auto_deploy"}, []string{"infrastructure"}, &yes, "a@example.com"},
		"by Render":                {audit("DeleteServerDiskEvent", `{"type":"system"}`, `{"disk":"dsk-1"}`), "", []string{"deletion", "destructive"}, []string{"infrastructure"}, &no, "system"},
		"unknown name":             {audit("EventOfTheFutureEvent", person, `{"value":"x"}`), "dashboard", nil, nil, nil, "a@example.com"},
		"high availability off":    {`{"id":"evt-1","type":"postgres_ha_status_changed","timestamp":"2026-09-01T10:00:00Z","serviceId":"dpg-1-a","details":{"fromStatus":"enabled","toStatus":"disabled"}}`, "", []string{"database", "ha_off"}, []string{"infrastructure"}, &yes, ""},
		"high availability on":     {`{"id":"evt-1","type":"postgres_ha_status_changed","timestamp":"2026-09-01T10:00:00Z","serviceId":"dpg-1-a","details":{"fromStatus":"disabled","toStatus":"enabled"}}`, "", []string{"database"}, []string{"infrastructure"}, &yes, ""},
		"suspended for billing":    {`{"id":"evt-1","type":"suspender_added","timestamp":"2026-09-01T10:00:00Z","serviceId":"srv-1","details":{"actor":"billing"}}`, "", []string{"suspension"}, []string{"infrastructure"}, &no, "system"},
		"event of the future":      {`{"id":"evt-1","type":"future_type","timestamp":"2026-09-01T10:00:00Z","serviceId":"srv-1","details":{"value":"x"}}`, "", nil, nil, nil, ""},
		"job with psql":            {`{"id":"job-1","serviceId":"srv-1","startCommand":"PGPASSWORD=x /usr/bin/psql -c 'drop table a'","createdAt":"2026-09-01T10:00:00Z","status":"succeeded"}`, "api", []string{"shell", "direct_sql"}, []string{"infrastructure"}, &no, ""},
	} {
		t.Run(name, func(t *testing.T) {
			m := mapAt(t, "", c.body)
			checkFault(t, m, "")
			var f engine.ConfigFact
			e := event(t, m, "config.changed", &f)
			got := struct {
				Channel, Actor  string
				Effects, Scopes []string
				Git             *bool
			}{f.Channel, "", f.Effects, f.Scopes, f.GitExpressible}
			if e.Actor != nil {
				got.Actor = e.Actor.Account
			}
			want := got
			want.Channel, want.Actor, want.Effects, want.Scopes, want.Git = c.channel, c.actor, c.effects, c.scopes, c.git
			if diff := cmp.Diff(want, got); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestAccessChanges(t *testing.T) {
	const dana = `{"type":"user","email":"dana@example.com","id":"usr-1"}`
	yes, no := true, false
	type result struct {
		Kind, Outcome, Target, Role, Before string
		Privileged                          *bool
	}
	for name, c := range map[string]struct {
		body string
		want result
	}{
		"promoted":      {audit("ChangeTeamMemberRoleEvent", dana, `{"user":"lee@example.com","from":"DEVELOPER","to":"ADMIN"}`), result{"role_grant", "success", "lee@example.com", "ADMIN", "DEVELOPER", &yes}},
		"demoted":       {audit("ChangeTeamMemberRoleEvent", dana, `{"user":"lee@example.com","from":"ADMIN","to":"WORKSPACE_VIEWER"}`), result{"role_revoke", "success", "lee@example.com", "WORKSPACE_VIEWER", "ADMIN", &no}},
		"role not told": {audit("ChangeTeamMemberRoleEvent", dana, `{}`), result{Kind: "role_grant", Outcome: "success"}},
		"invited":       {audit("InviteToTeamEvent", dana, `{"email":"new@example.net","role":"DEVELOPER"}`), result{"role_grant", "success", "new@example.net", "DEVELOPER", "", &no}},
		"removed":       {audit("RemoveUserFromTeamEvent", `{"type":"system"}`, `{"user":"usr-9"}`), result{Kind: "role_revoke", Outcome: "success", Target: "usr-9"}},
		"refused":       {strings.Replace(audit("ChangeOrg2FAEnforcementEvent", dana, `{}`), `"success"`, `"error"`, 1), result{Kind: "policy_change", Outcome: "failed", Role: "two-factor enforcement", Privileged: &yes}},
		"secret seen":   {audit("ViewEnvVarValuesEvent", dana, `{"environment_variable":"API_KEY","service":"srv-1"}`), result{Kind: "secret_view", Outcome: "success", Role: "environment variable values", Privileged: &yes}},
	} {
		t.Run(name, func(t *testing.T) {
			m := mapAt(t, "v1/owners/tea-1/audit-logs.json", c.body)
			var f engine.AccessFact
			e := event(t, m, "access.changed", &f)
			got := result{Kind: f.Kind, Outcome: f.Outcome, Privileged: f.Privileged}
			if f.Target != nil {
				got.Target = f.Target.Account
			}
			if f.Permission != nil {
				got.Role, got.Before = f.Permission.ID, f.Permission.Before
			}
			if diff := cmp.Diff(c.want, got); diff != "" || e.Source != "iam" {
				t.Errorf("source %s, %s", e.Source, diff)
			}
		})
	}
}

// TestCoverage: a list answer proves that it was read, an error that it was not.
func TestCoverage(t *testing.T) {
	for name, c := range map[string]struct {
		path, body string
		want       []engine.CoverageFact
		fault      string
	}{
		"an empty list":      {path: "rec/v1/services/srv-1/deploys.page-2.json", body: `[]`, want: []engine.CoverageFact{{Source: "render", Status: "complete", Facts: []string{"deploys"}, Service: "srv-1"}}},
		"an error":           {path: "rec/render/v1/services/srv-1/events.json", body: `{"message":"forbidden"}`, want: []engine.CoverageFact{{Source: "render", Status: "incomplete", Missing: []string{"events"}, Service: "srv-1", Reason: "Render answered: forbidden"}}},
		"an error with code": {path: "v1/owners/tea-1/audit-logs.json", body: `{"id":"req-1","message":"payment required","code":"plan"}`, want: []engine.CoverageFact{{Source: "render", Status: "incomplete", Missing: []string{"audit_log"}, Reason: "Render answered: payment required"}, {Source: "iam", Status: "incomplete", Missing: []string{"audit_log"}, Reason: "Render answered: payment required"}}},
		"members":            {path: "x.json", body: `[{"userId":"usr-1","email":"a@example.com","role":"ADMIN","status":"active","mfaEnabled":true,"name":"A"}]`, want: []engine.CoverageFact{{Source: "iam", Status: "complete", Facts: []string{"members"}}}},
		"events tell their service": {path: "x.json", body: `[{"event":{"id":"evt-1","type":"plan_changed","timestamp":"2026-09-01T10:00:00Z","serviceId":"srv-7","details":{}},"cursor":"c"}]`,
			want: []engine.CoverageFact{{Source: "render", Status: "complete", Facts: []string{"events"}, Service: "srv-7"}}},
		"one broken record": {path: "x.json", body: `[{"deploy":{"id":"dep-1"},"cursor":"a"},{"deploy":{"id":"dep-2","status":"queued"},"cursor":"b"}]`,
			want: []engine.CoverageFact{{Source: "render", Status: "incomplete", Missing: []string{"deploys"}, Reason: "1 of 2 records could not be read"}}, fault: "x.json: record /0 (dep-1)"},
		"one foreign record": {path: "x.json", body: `[null,{"deploy":{"id":"dep-2","status":"queued"},"cursor":"b"}]`,
			want: []engine.CoverageFact{{Source: "render", Status: "incomplete", Missing: []string{"deploys"}, Reason: "1 of 2 records could not be read"}}, fault: "record /0"},
		"a webhook's announcement": {path: "x.json", body: `{"headers":{"Webhook-Id":"evt-1"},"payload":{"type":"deploy_ended","timestamp":"2026-09-01T10:00:00Z","data":{"id":"evt-1","serviceId":"srv-1","status":"succeeded"}}}`,
			want: []engine.CoverageFact{{Source: "render", Status: "incomplete", Missing: []string{"events"}, Service: "srv-1", Reason: "a webhook announced deploy_ended (succeeded); its details were not read: fetch /v1/events/evt-1"}}},
		"somebody else's document":     {path: "x.json", body: `{"hello":"world"}`},
		"somebody else's list":         {path: "x.json", body: `[{"hello":"world"}]`},
		"an error at no API path":      {path: "x.json", body: `{"message":"Not Found"}`},
		"nonsense at an API path":      {path: "v1/services/srv-1.json", body: `{"hello":"world"}`, fault: "no answer that Render's API is known to give"},
		"no JSON":                      {path: "x.json", body: `{"id":`, fault: "read JSON"},
		"a number":                     {path: "x.json", body: `12`, fault: "neither a JSON object nor a list"},
		"a delivery with a false id":   {path: "x.json", body: `{"headers":{"webhook-id":"evt-2"},"payload":{"type":"deploy_ended","timestamp":"2026-09-01T10:00:00Z","data":{"id":"evt-1"}}}`, fault: "evt-2"},
		"a delivery of another system": {path: "x.json", body: `{"headers":{"webhook-id":"msg_1"},"payload":{"test":1}}`},
	} {
		t.Run(name, func(t *testing.T) {
			m := mapAt(t, c.path, c.body)
			var got []engine.CoverageFact
			for _, e := range m.Events {
				if e.Type != "coverage.recorded" {
					continue
				}
				var f engine.CoverageFact
				if err := e.Decode(&f); err != nil {
					t.Fatal(err)
				}
				f.Counts, f.From, f.To = nil, nil, nil
				got = append(got, f)
			}
			if diff := cmp.Diff(c.want, got); diff != "" {
				t.Error(diff)
			}
			checkFault(t, m, c.fault)
			if len(m.Events)+len(m.Faults)+len(m.Ignored) == 0 {
				t.Error("the payload vanished")
			}
		})
	}
}

// TestPages: only the end of a list proves that it was read.
func TestPages(t *testing.T) {
	page := func(n int) []byte {
		var items []string
		for i := range n {
			items = append(items, fmt.Sprintf(`{"cursor":"c","deploy":{"id":"dep-%d","status":"queued"}}`, i))
		}
		return []byte("[" + strings.Join(items, ",") + "]")
	}
	for name, c := range map[string]struct {
		records int
		next    bool
		url     string
		want    string
	}{
		"short":                         {records: 7, want: "complete"},
		"full, goes on":                 {records: 20, next: true},
		"full, ends here":               {records: 20, want: "incomplete"},
		"full by the largest limit":     {records: 100, want: "incomplete"},
		"full by its own limit":         {records: 50, url: "https://api.render.com/v1/services/srv-1/deploys?limit=50", want: "incomplete"},
		"20 of 100 that were asked for": {records: 20, url: "https://api.render.com/v1/services/srv-1/deploys?limit=100", want: "complete"},
	} {
		t.Run(name, func(t *testing.T) {
			m := render.Map(collectors.Payload{Path: "v1/services/srv-1/deploys.json", URL: c.url, Bytes: page(c.records), ObservedAt: received, NextPage: c.next})
			status := ""
			for _, e := range m.Events {
				if e.Type == "coverage.recorded" {
					var f engine.CoverageFact
					if err := e.Decode(&f); err != nil {
						t.Fatal(err)
					}
					status = f.Status
				}
			}
			if status != c.want {
				t.Errorf("coverage %q, want %q", status, c.want)
			}
		})
	}
}

// TestRecordedMonth reads the project's recorded sample: nothing is broken or
// contradicts itself, and every event that a webhook announced was read.
func TestRecordedMonth(t *testing.T) {
	r, err := collectors.Read(t.Context(), []string{"../../testdata/acme/render"}, render.Map)
	if err != nil {
		t.Fatal(err)
	}
	if len(r.Faults)+len(r.Conflicts) > 0 {
		t.Errorf("faults %v, conflicts %v", r.Faults, r.Conflicts)
	}
	known, announced := map[string]bool{}, 0
	for _, e := range r.Events {
		known[e.ID] = true
	}
	for id := range known {
		if base, ok := strings.CutSuffix(id, ":announced"); ok {
			announced++
			if !known[base] {
				t.Errorf("%s was announced and not read", base)
			}
		}
	}
	if announced == 0 || len(r.Events) < 200 {
		t.Errorf("%d events, %d announced", len(r.Events), announced)
	}
}

// TestSameChangeSameKind: what two logs tell of one change shares kind and
// target; what undoes a change never does, however soon it follows.
func TestSameChangeSameKind(t *testing.T) {
	const person = `{"type":"user","email":"a@example.com"}`
	log := func(name, metadata string) string { return audit(name, person, metadata) }
	told := func(name, details string) string {
		return `{"id":"evt-1","type":"` + name + `","timestamp":"2026-09-01T10:00:00Z","serviceId":"srv-1","details":` + details + `}`
	}
	kind := func(body string) string {
		var f engine.ConfigFact
		event(t, mapAt(t, "", body), "config.changed", &f)
		return f.Kind + " " + f.Target.ID
	}
	for _, pair := range [][2]string{
		{log("MaintenanceModeEnabledEvent", `{"service":"srv-1","to":"true"}`), told("maintenance_mode_enabled", `{"enabled":true}`)},
		{log("MaintenanceModeEnabledEvent", `{"service":"srv-1","to":"false"}`), told("maintenance_mode_enabled", `{"enabled":false}`)},
		{log("UpdateAutoDeployTriggerEvent", `{"service":"srv-1 (api)","from":"commit","to":"off"}`), told("auto_deploy_disabled", `{"fromTrigger":"commit","reason":"setting_change"}`)},
		{log("UpdateAutoDeployTriggerEvent", `{"service":"srv-1","to":"commit"}`), told("auto_deploy_enabled", `{"newTrigger":"commit"}`)},
		{log("SuspendServiceEvent", `{"service":"srv-1"}`), told("suspender_added", `{"actor":"user"}`)},
		{told("suspender_added", `{"actor":"user"}`), told("service_suspended", `{}`)},
		{log("ResumeServiceEvent", `{"service":"srv-1"}`), told("service_resumed", `{}`)},
		{log("CreateCustomDomainEvent", `{"service":"srv-1","domain":"a.example.com"}`), `{"id":"cdm-1","name":"a.example.com","createdAt":"2026-09-01T10:00:00Z","server":{"id":"srv-1","name":"api"}}`},
	} {
		if one, other := kind(pair[0]), kind(pair[1]); one != other {
			t.Errorf("%s and %s are the same change: %q, %q", pair[0], pair[1], one, other)
		}
	}
	for _, pair := range [][2]string{
		{log("ChangeEnvironmentProtectionEvent", `{"environment":"evm-1","protection":"UNPROTECTED"}`), log("ChangeEnvironmentProtectionEvent", `{"environment":"evm-1","protection":"PROTECTED"}`)},
		{log("SuspendServiceEvent", `{"service":"srv-1"}`), log("ResumeServiceEvent", `{"service":"srv-1"}`)},
		{told("maintenance_mode_enabled", `{"enabled":true}`), told("maintenance_mode_enabled", `{"enabled":false}`)},
		{log("CreateWebhookEvent", `{"webhook":"whk-1"}`), log("DeleteWebhookEvent", `{"webhook":"whk-1"}`)},
	} {
		if one, other := kind(pair[0]), kind(pair[1]); one == other {
			t.Errorf("%s and %s are two changes of kind %q", pair[0], pair[1], one)
		}
	}
}

// TestInvitation: accepting names the same target as the invitation.
func TestInvitation(t *testing.T) {
	var invited, accepted engine.AccessFact
	event(t, mapAt(t, "", audit("InviteToTeamEvent", `{"type":"user","email":"a@example.com","id":"usr-1"}`, `{"email":"new@example.net","role":"ADMIN"}`)), "access.changed", &invited)
	event(t, mapAt(t, "", audit("AcceptTeamInviteEvent", `{"type":"user","email":"new@example.net","id":"usr-2"}`, `{}`)), "access.changed", &accepted)
	if diff := cmp.Diff(invited.Target, accepted.Target); diff != "" || accepted.CausedBy != invited.Change {
		t.Errorf("caused by %q, %s", accepted.CausedBy, diff)
	}
}
