package iam_test

import (
	"encoding/json"
	"os"
	"strings"
	"testing"

	"github.com/changevouch/changevouch/collectors/iam"
	"github.com/changevouch/changevouch/engine"
)

// scenario maps and links everything the invented company's systems recorded.
func scenario(t *testing.T) []engine.Event {
	t.Helper()
	var all []engine.Event
	for _, name := range recorded(t) {
		if !strings.HasPrefix(name, "linked-scenario/") {
			continue
		}
		m := iam.Map(payload(t, name))
		for _, f := range m.Faults {
			t.Error(f)
		}
		all = append(all, m.Events...)
	}
	return iam.Link(all)
}

// linkTable reads who is who: every account name and id to an e-mail address.
func linkTable(t *testing.T) map[string]string {
	t.Helper()
	b, err := os.ReadFile("testdata/payloads/linked-scenario/identities.json")
	if err != nil {
		t.Fatal(err)
	}
	var table struct{ People []map[string]any }
	if err := json.Unmarshal(b, &table); err != nil {
		t.Fatal(err)
	}
	people := map[string]string{"sam.okafor": "sam.okafor@northwind.example"} // the source identity of the break-glass role
	for _, p := range table.People {
		email := p["email"].(string)
		for key, v := range p {
			if s, ok := v.(string); ok && key != "name" && key != "title" {
				people[s] = email
			}
		}
	}
	return people
}

func access(t *testing.T, e engine.Event) engine.AccessFact {
	t.Helper()
	var f engine.AccessFact
	if err := e.Decode(&f); err != nil {
		t.Fatal(err)
	}
	return f
}

// TestScenario checks every row of the table in SCENARIO.md: kind, actor,
// target, outcome and whether it is privileged.
func TestScenario(t *testing.T) {
	text, err := os.ReadFile("testdata/payloads/linked-scenario/SCENARIO.md")
	if err != nil {
		t.Fatal(err)
	}
	people := linkTable(t)
	events := scenario(t)
	rows := 0
	for line := range strings.Lines(string(text)) {
		if !strings.HasPrefix(line, "| ") || strings.HasPrefix(line, "| source") {
			continue
		}
		cells := strings.Split(strings.Trim(strings.TrimSpace(line), "|"), "|")
		for i := range cells {
			cells[i] = strings.Trim(strings.TrimSpace(cells[i]), "`")
		}
		id, kinds, who, target, outcome, privileged := cells[1], strings.Split(cells[2], "+"), cells[3], cells[4], cells[6], cells[7]
		rows++
		t.Run(id, func(t *testing.T) {
			var found []engine.Event
			for _, e := range events {
				if e.Type == "access.changed" && strings.Contains(e.ID, id) {
					found = append(found, e)
				}
			}
			if cells[0] == "render" && kinds[0] != "role_grant" {
				if len(found) != 0 {
					t.Fatalf("%s is the render collector's, yet gave %+v", kinds[0], found)
				}
				return
			}
			if len(found) != len(kinds) {
				t.Fatalf("%d events, want %d", len(found), len(kinds))
			}
			for i, e := range found {
				f := access(t, e)
				if want := strings.Replace(kinds[i], "not_a_change", "role_assumption", 1); f.Kind != want {
					t.Errorf("kind %s, want %s", f.Kind, want)
				}
				checkActor(t, people, e, f, who)
				checkOutcome(t, f, outcome)
				if email, known := people[target]; known {
					if got := cmpPerson(people, f.Target.Account, f.Target.ID); got != email {
						t.Errorf("target %+v is %q, want %s", *f.Target, got, email)
					}
				}
				switch got := f.Privileged; {
				case privileged == "True" && (got == nil || !*got):
					t.Errorf("not privileged")
				case privileged == "False" && got != nil && *got && len(kinds) == 1: // of several, the row judges the grant
					t.Errorf("privileged: %v", f.PrivilegedWhy)
				case strings.HasPrefix(privileged, "depends") && got != nil:
					t.Errorf("privileged is %v, must stay open", *got)
				}
			}
		})
	}
	if rows != 53 {
		t.Errorf("%d rows in the table", rows)
	}
}

func cmpPerson(people map[string]string, names ...string) string {
	for _, n := range names {
		if p := people[n]; p != "" {
			return p
		}
	}
	return ""
}

func checkActor(t *testing.T, people map[string]string, e engine.Event, f engine.AccessFact, who string) {
	t.Helper()
	switch {
	case who == "system":
		if f.ActorKind != "service" {
			t.Errorf("actor kind %s, want service", f.ActorKind)
		}
	case who == "root":
		if f.ActorKind != "root" {
			t.Errorf("actor kind %s, want root", f.ActorKind)
		}
	case who == "support@okta.com":
		if f.ActorKind != "vendor_support" {
			t.Errorf("actor kind %s, want vendor_support", f.ActorKind)
		}
	case strings.HasPrefix(who, "ci:"):
		if f.ActorKind != "workload" || e.Actor == nil || e.Actor.Account != strings.TrimPrefix(who, "ci:") {
			t.Errorf("actor %+v (%s), want workload %s", e.Actor, f.ActorKind, who)
		}
	default:
		if e.Actor == nil {
			t.Fatalf("no actor, want %s", who)
		}
		if got := cmpPerson(people, e.Actor.Account, e.Actor.ID, e.Actor.Email); got != who {
			t.Errorf("actor %+v is %q, want %s", *e.Actor, got, who)
		}
	}
}

func checkOutcome(t *testing.T, f engine.AccessFact, want string) {
	t.Helper()
	switch want {
	case "APPROVE", "REVOKE", "NORESPONSE":
		if !strings.HasPrefix(f.Permission.ID, want+" ") {
			t.Errorf("decision %q, want %s", f.Permission.ID, want)
		}
		want = "success"
	}
	if f.Outcome != want {
		t.Errorf("outcome %s, want %s", f.Outcome, want)
	}
}
