package render

import (
	"encoding/json"
	"os"
	"slices"
	"strings"
	"testing"
	"testing/quick"
	"time"

	"github.com/changevouch/changevouch/collectors"
	"github.com/changevouch/changevouch/engine"
)

// enums are Render's own lists of names; see testdata/README.md.
func enums(t *testing.T) (audit, events []string) {
	t.Helper()
	b, err := os.ReadFile("testdata/enums.json")
	if err != nil {
		t.Fatal(err)
	}
	var doc struct {
		Audit  map[string]any `json:"audit_log_event"`
		Events map[string]any `json:"event_type"`
	}
	if err := json.Unmarshal(b, &doc); err != nil {
		t.Fatal(err)
	}
	return keysOf(doc.Audit), keysOf(doc.Events)
}

func keysOf[T any](m map[string]T) []string {
	out := make([]string, 0, len(m))
	for k := range m {
		out = append(out, k)
	}
	slices.Sort(out)
	return out
}

// TestEveryNameIsDecided: each name that Render documents has a row, no row is
// for a name that nobody knows, and each record with that name does what its row
// says.
func TestEveryNameIsDecided(t *testing.T) {
	audit, events := enums(t)
	if got := keysOf(auditEvents); !slices.Equal(got, audit) {
		t.Errorf("audit names: %v", difference(got, audit))
	}
	if got := keysOf(serviceEvents); !slices.Equal(got, events) {
		t.Errorf("event types: %v", difference(got, events))
	}
	for _, name := range audit {
		check(t, name, auditEvents[name], `{"id":"aud-1","timestamp":"2026-09-01T10:00:00Z","event":"`+name+`","status":"success","actor":{"type":"user","email":"a@example.com","id":"usr-1"},"metadata":{"service":"srv-1"}}`)
	}
	for _, name := range events {
		check(t, name, serviceEvents[name], `{"id":"evt-1","timestamp":"2026-09-01T10:00:00Z","type":"`+name+`","serviceId":"srv-1","details":{"deployId":"dep-1"}}`)
	}
}

func difference(got, want []string) (d []string) {
	for _, n := range got {
		if !slices.Contains(want, n) {
			d = append(d, "+"+n)
		}
	}
	for _, n := range want {
		if !slices.Contains(got, n) {
			d = append(d, "-"+n)
		}
	}
	return d
}

func check(t *testing.T, name string, row meaning, body string) {
	t.Helper()
	m := Map(collectors.Payload{Path: "x.json", Bytes: []byte(body)})
	want := map[form]string{config: "config.changed", access: "access.changed", started: "deployment.started", ended: "deployment.finished"}[row.form]
	switch {
	case len(m.Faults) > 0:
		t.Errorf("%s: %v", name, m.Faults)
	case row.form == ignored && (len(m.Events) > 0 || m.Ignored[name] != 1):
		t.Errorf("%s: events %v, ignored %v; want it ignored", name, m.Events, m.Ignored)
	case row.form == ignored && row.why == "":
		t.Errorf("%s is ignored without a reason", name)
	case row.form != ignored && (len(m.Events) != 1 || m.Events[0].Type != want):
		t.Errorf("%s: events %v, ignored %v; want one %s", name, m.Events, m.Ignored, want)
	case row.form == config && (row.kind == "" || len(row.scopes) == 0):
		t.Errorf("%s has no kind or scope", name)
	}
}

// TestHighRiskNames: the lines of the risk table that name Render records.
func TestHighRiskNames(t *testing.T) {
	for effect, names := range map[string][]string{
		"network":                {"UpdateIPAllowListEvent", "CreatePrivateLinkEvent", "UpdateEnvironmentIsolatedEvent"},
		"environment_protection": {"ChangeEnvironmentProtectionEvent", "MoveEnvironmentResourceEvent"},
		"deletion":               {"DeleteServerEvent", "DeletePostgresEvent", "DeleteRedisEvent", "DeleteCronJobEvent", "DeleteServerDiskEvent", "DeleteEnvironmentEvent", "DeleteProjectEvent", "DeleteWorkspaceEvent"},
		"suspension":             {"SuspendServiceEvent", "SuspendPostgresEvent"},
		"restore":                {"RestoreDiskSnapshotEvent"},
		"third_party_access":     {"GrantOAuthAccessEvent", "CreateWebhookEvent", "CreateOtelIntegrationEvent"},
		"shell":                  {"StartShellEvent"},
	} {
		for _, name := range names {
			if !slices.Contains(auditEvents[name].effects, effect) {
				t.Errorf("%s lacks the effect %s", name, effect)
			}
		}
	}
	for name, row := range auditEvents {
		if strings.HasPrefix(name, "Delete") && row.form == config && (!slices.Contains(row.effects, "deletion") || row.inGit == yes) {
			t.Errorf("%s: a deletion is a deletion and never in Git", name)
		}
	}
}

// TestPlantedSecretsStayOut plants values beside and inside every object of
// every payload, wherever Render puts values, and looks for them in the output.
func TestPlantedSecretsStayOut(t *testing.T) {
	const secret = "PLANTED-s3cr3t"
	fields := []string{
		"value", "secret", "content", "password", "connectionString", "internalConnectionString", "externalConnectionString",
		"psqlCommand", "deployHook", "deployHookUrl", "startCommand", "buildCommand", "dockerCommand", "preDeployCommand",
		"oldValue", "newValue", "old_value", "new_value", "environment_variable_value", "env_vars", "environment_variables", "keys", "responseBody", "token", "",
	}
	var plant func(v any) any
	plant = func(v any) any {
		switch v := v.(type) {
		case []any:
			for i := range v {
				v[i] = plant(v[i])
			}
		case map[string]any:
			for k := range v {
				v[k] = plant(v[k])
			}
			_, wrapped := v["cursor"]
			if notice := len(v) == 3 && v["data"] != nil; wrapped && len(v) == 2 || notice {
				return v // list items and envelopes have no other fields
			}
			for _, f := range fields {
				if old, said := v[f]; !said || f == "value" || f == "content" || f == "secret" || f == "startCommand" {
					if _, list := old.([]any); !list {
						v[f] = "KEY=" + secret
					}
				}
			}
			if name, _ := v["event"].(string); strings.Contains(name, "EnvVars") {
				metadata, _ := v["metadata"].(map[string]any)
				metadata["from"], metadata["to"], metadata["environment_variable"] = secret+" a", secret+" b", "KEY="+secret
			}
		}
		return v
	}
	events := 0
	for name, b := range recorded(t) {
		if strings.HasSuffix(name, ".csv") {
			b = []byte(strings.ReplaceAll(string(b), `"{""`, `"{""value"":""`+secret+`"",""`))
		} else {
			doc, err := parse(b)
			if err != nil {
				t.Fatal(err)
			}
			b = engine.Facts(plant(doc))
		}
		if !strings.Contains(string(b), secret) && len(b) > 2 {
			t.Errorf("%s: nothing planted", name)
		}
		m := Map(collectors.Payload{Path: "v1/services/srv-1/" + name, Bytes: b})
		events += len(m.Events)
		if out := string(engine.Facts(m.Events)); strings.Contains(out, secret) || strings.Contains(out, "KEY=") {
			t.Errorf("%s: a value reached an event: %s", name, out)
		}
		for _, f := range m.Faults {
			if strings.Contains(f.Error(), secret) {
				t.Errorf("%s: a value reached a fault: %v", name, f)
			}
		}
	}
	if events < 100 {
		t.Errorf("only %d events: planting broke the payloads", events)
	}
}

func recorded(t testing.TB) map[string][]byte {
	t.Helper()
	files := map[string][]byte{}
	for _, dir := range []string{"api", "api/recorded", "export", "webhooks"} {
		entries, err := os.ReadDir("testdata/payloads/" + dir)
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range entries {
			if e.IsDir() || strings.HasSuffix(e.Name(), ".md") {
				continue
			}
			b, err := os.ReadFile("testdata/payloads/" + dir + "/" + e.Name())
			if err != nil {
				t.Fatal(err)
			}
			files[dir+"/"+e.Name()] = b
		}
	}
	return files
}

func TestKeyNames(t *testing.T) {
	got := keyNames(object{"environment_variable": "B, A A", "keys": []any{"C", "D=x", json.Number("1")}, "env_vars": "E=secret", "value": "F"})
	if want := []string{"A", "B", "C"}; !slices.Equal(got, want) {
		t.Errorf("key names %v, want %v", got, want)
	}
}

func TestPlaces(t *testing.T) {
	for path, want := range map[string]place{
		"rec/render/v1/services/srv-x/deploys.page-2.json":       {root: "services", id: "srv-x", list: "deploys"},
		"/home/me/services/rec/v1/services/crn-x/events.json.gz": {root: "services", id: "crn-x", list: "events"},
		"owners/tea-1/members.json":                              {root: "owners", id: "tea-1", list: "members"},
		"v1/services.json":                                       {root: "services"},
		"services/api/handler.json":                              {},
		"x.json":                                                 {},
		"/v1/services/srv-x/deploys/dep-1":                       {root: "services", id: "srv-x", list: "deploys", item: "dep-1"},
	} {
		if got := parsePlace(path); got != want {
			t.Errorf("%s is %+v, want %+v", path, got, want)
		}
	}
	p := collectors.Payload{Path: "x.json", URL: "https://api.render.com/v1/services/srv-9/deploys?limit=100"}
	if got := locate(p); got.service() != "srv-9" || got.fact() != "deploys" {
		t.Errorf("URL gives %+v", got)
	}
}

// TestTimes: whatever Render writes, an event's instants are UTC and encode.
func TestTimes(t *testing.T) {
	if err := quick.Check(func(sec int64, offset int16) bool {
		at := time.Unix(sec%1e12, 0).In(time.FixedZone("", int(offset)))
		o := object{"t": at.Format(time.RFC3339)}
		return len(engine.Facts(engine.DeploymentFact{DeployID: "d", CreatedAt: o.when("t")})) > 0
	}, nil); err != nil {
		t.Error(err)
	}
}
