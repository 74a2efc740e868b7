package app

import (
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.yaml.in/yaml/v3"

	"github.com/changevouch/changevouch/engine"
	"github.com/changevouch/changevouch/engine/assembly"
	"github.com/changevouch/changevouch/engine/policy"
	"github.com/changevouch/changevouch/schemas"
)

// write puts a text into a new file and returns its path.
func write(t *testing.T, name, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// eventsFile writes valid events, one a line.
func eventsFile(t *testing.T, events ...engine.Event) *Documents {
	t.Helper()
	var lines []string
	for _, e := range events {
		for _, fault := range schemas.Validate(schemas.Event, engine.Facts(e)) {
			t.Fatalf("the test tells an invalid event %s: %v", e.ID, fault)
		}
		lines = append(lines, string(engine.Facts(e)))
	}
	docs, err := OpenDocuments(t.Context(), schemas.Event, []string{write(t, "events.ndjson", strings.Join(lines, "\n")+"\n")}, strings.NewReader(""), time.Time{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { docs.Close() })
	return docs
}

func builtIn(t *testing.T) *policy.Policy {
	t.Helper()
	p, err := OpenPolicy(t.Context(), PolicyConfig{}, "")
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func roll(t *testing.T, p *policy.Policy, directory string, events ...engine.Event) Roll {
	t.Helper()
	c, err := OpenRollCall(write(t, "directory.yaml", directory), p)
	if err != nil {
		t.Fatal(err)
	}
	if len(events) > 0 {
		if err := c.Events(t.Context(), eventsFile(t, events...), func(fault string) { t.Error(fault) }); err != nil {
			t.Fatal(err)
		}
	}
	return c.Roll()
}

func TestConflicts(t *testing.T) {
	p := builtIn(t)
	const alice, bob = "people:\n  - {id: alice, kind: employee, ", "  - {id: bob, kind: employee, "
	for name, test := range map[string]struct {
		directory string
		want      []string
	}{
		"none":              {alice + "accounts: {github: [alice], git: [a@x.example]}, roles: [security-reviewer, engineer]}\n" + bob + "accounts: {github: [bob]}}\n", nil},
		"one account":       {alice + "accounts: {github: [Shared]}}\n" + bob + "accounts: {github: [shared]}}\n", []string{"account: github account shared belongs to alice and bob: an account is one person's; list a shared one as an entry of its own"}},
		"one id":            {alice + "accounts: {github: [alice, \"7\"]}}\n" + bob + "accounts: {github: [bob, \"7\"]}}\n", []string{"account: github account 7 belongs to alice and bob: an account is one person's; list a shared one as an entry of its own"}},
		"one name twice":    {alice + "accounts: {github: [x]}}\n" + bob + "accounts: {iam: [x]}}\n", nil},
		"one e-mail":        {alice + "accounts: {git: [team@x.example]}}\n" + bob + "accounts: {iam: [Team@x.example]}}\n", []string{"email: team@x.example belongs to alice and bob: an e-mail names one person in every system, so this one names nobody"}},
		"one e-mail, there": {alice + "accounts: {git: [team@x.example]}}\n" + bob + "accounts: {git: [team@x.example]}}\n", []string{"account: git account team@x.example belongs to alice and bob: an account is one person's; list a shared one as an entry of its own"}},
		"listed twice":      {alice + "name: A}\n" + alice[len("people:\n"):] + "name: B}\n", []string{"person: alice is listed 2 times: merge the entries"}},
		"an unknown owner":  {alice + "owner: eve}\n", []string{"owner: eve, the owner of alice, is no person of this directory"}},
		"its own owner":     {"people:\n  - {id: bot, kind: bot, owner: bot}\n", []string{"owner: bot answers for itself: name a person as its owner"}},
		"unknown approvers": {alice + "approved_by: eve, authorised: [{from: 2026-01-01T00:00:00Z, approved_by: mallory}]}\nprocedures:\n  - {id: STD-DEP, scope: x, approved_at: 2026-01-01T00:00:00Z, approved_by: oscar}\npolicy: {reviewer: trent}\nwaivers:\n  - {id: W-1, controls: [CM-4.C.2], subject: x, requested_by: alice, approved_by: peggy}\n", []string{
			"approver: eve, who approved alice, is no person of this directory", "approver: mallory, who authorised alice, is no person of this directory",
			"approver: oscar, who approved procedure STD-DEP, is no person of this directory", "approver: peggy, who approved waiver W-1, is no person of this directory",
			"approver: trent, who reviewed the policy, is no person of this directory",
		}},
		"an approver by account": {alice + "accounts: {git: [a@x.example]}}\n" + bob + "approved_by: a@x.example}\n", nil},
		"authorised by oneself":  {alice + "authorised: [{from: 2026-01-01T00:00:00Z, approved_by: alice}]}\n", []string{"approver: alice authorised themselves"}},
		"a period that ends before": {alice + "authorised: [{from: 2026-02-01T00:00:00Z, until: 2026-01-01T00:00:00Z}]}\n", []string{
			"validity: alice is authorised until 2026-01-01T00:00:00Z, which is before 2026-02-01T00:00:00Z"}},
		"periods that overlap": {alice + "authorised: [{from: 2026-01-01T00:00:00Z, until: 2026-03-01T00:00:00Z}, {from: 2026-02-01T00:00:00Z, systems: [github]}]}\n", []string{
			"validity: alice is authorised twice at once, from 2026-01-01T00:00:00Z and from 2026-02-01T00:00:00Z: which one ends it cannot be told"}},
		"periods that follow":          {alice + "authorised: [{from: 2026-01-01T00:00:00Z, until: 2026-02-01T00:00:00Z}, {from: 2026-02-01T00:00:00Z}]}\n", nil},
		"periods of different systems": {alice + "authorised: [{from: 2026-01-01T00:00:00Z, systems: [render]}, {from: 2026-02-01T00:00:00Z, systems: [github]}]}\n", nil},
		"a role in another spelling":   {alice + "roles: [Security Reviewer]}\n", []string{"role: alice has the role Security Reviewer, which the policy does not know: did you mean security-reviewer?"}},
		"a role of the organisation's": {alice + "roles: [security-engineer]}\n", nil},
	} {
		var got []string
		for _, c := range roll(t, p, test.directory).Conflicts {
			got = append(got, c.Kind+": "+c.Message)
		}
		if diff := cmp.Diff(test.want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
}

const sevenSHA = "7777777777777777777777777777777777777777"

// gitEvent is an event of provider git about data.
func gitEvent(id, kind string, actor *engine.Account, data any) engine.Event {
	e := happening(kind, "git", id, data)
	e.Source, e.Actor, e.Subject = "git", actor, engine.Subject{Type: "commit", ID: id}
	return e
}

func TestUnlinked(t *testing.T) {
	const directory = `people:
  - {id: alice, kind: employee, name: Alice Almeida, accounts: {github: [alice, "1"], git: [alice@acme.example]}}
  - {id: bob, kind: employee, accounts: {github: [bob], okta: [bob@acme.example]}}
`
	github := func(login, id string) *engine.Account {
		return &engine.Account{System: "github", Account: login, ID: id}
	}
	commit := engine.CommitFact{
		Repository: "acme/shop", SHA: sevenSHA, Author: engine.SignatureFacts{Name: "alice almeida", Email: "alice@home.example"},
		Committer: &engine.SignatureFacts{Name: "GitHub", Email: "noreply@github.com"},
		CoAuthors: []engine.SignatureFacts{{Name: "Carol", Email: "7+carol@users.noreply.github.com"}, {Name: "Claude", Email: "noreply@anthropic.com"}},
	}
	r := roll(t, builtIn(t), directory,
		gitEvent(sevenSHA, "commit.recorded", nil, commit),
		gitEvent("m", "identity.mapped", nil, engine.MailmapFact{Repository: "acme/shop", Email: "dora@home.example", MappedEmail: "Alice@acme.example"}),
		gitEvent("push:1", "branch.pushed", github("dora", "4"), engine.PushFact{Repository: "acme/shop", Branch: "main", After: sevenSHA}),
		gitEvent("push:2", "branch.pushed", github("dora", ""), engine.PushFact{Repository: "acme/shop", Branch: "main", After: sevenSHA}),
		gitEvent("push:3", "branch.pushed", github("renamed", "1"), engine.PushFact{Repository: "acme/shop", Branch: "main", After: sevenSHA}),
		gitEvent("push:4", "branch.pushed", github("bob", "1"), engine.PushFact{Repository: "acme/shop", Branch: "main", After: sevenSHA}),
		gitEvent("push:5", "branch.pushed", &engine.Account{System: "github", Account: "nobody-else", Email: "bob@acme.example"}, engine.PushFact{Repository: "acme/shop", Branch: "main", After: sevenSHA}),
		gitEvent("push:6", "branch.pushed", github("ghost", "10137"), engine.PushFact{Repository: "acme/shop", Branch: "main", After: sevenSHA}),
		gitEvent("push:7", "branch.pushed", &engine.Account{System: "github", Account: "renovate[bot]", Kind: "bot"}, engine.PushFact{Repository: "acme/shop", Branch: "main", After: sevenSHA}),
		gitEvent("second", "commit.recorded", nil, engine.CommitFact{Repository: "acme/shop", SHA: sevenSHA, Author: engine.SignatureFacts{Email: "dora@home.example"}}),
		happening("access.changed", "aws", "grant", engine.AccessFact{Kind: "role_grant", Outcome: "success", Target: &engine.AccessFactTarget{Kind: "user", Account: "deploy"}}),
		happening("access.changed", "aws", "role", engine.AccessFact{Kind: "role_grant", Outcome: "success", Target: &engine.AccessFactTarget{Kind: "role", Account: "admins"}}),
	)
	type row struct {
		System, Account string
		Events          int
		Hint, Line      string
	}
	var got []row
	for _, u := range r.Unlinked {
		got = append(got, row{u.System, u.Account, u.Events, u.Hint, u.Line})
	}
	want := []row{
		{"aws", "bob-acme", 2, "", "- {id: bob-acme, kind: employee, accounts: {iam: [bob-acme]}}"},
		{"github", "dora", 2, "", `- {id: dora, kind: employee, accounts: {github: [dora, "4"]}}`},
		{"aws", "deploy", 1, "", "- {id: deploy, kind: employee, accounts: {iam: [deploy]}}"},
		{"git", "7+carol@users.noreply.github.com", 1, "", `- {id: carol, kind: employee, accounts: {github: [carol, "7"]}}`},
		{"git", "alice@home.example", 1, "it goes by the name alice almeida, like alice", "- {id: alice, kind: employee, accounts: {git: [alice@home.example]}}"},
		{"git", "dora@home.example", 1, "the mailmap of acme/shop takes it for Alice@acme.example, who is alice", "- {id: dora, kind: employee, accounts: {git: [dora@home.example]}}"},
		{"github", "ghost", 1, "GitHub's stand-in for accounts that were deleted: whose it was cannot be told", `- {id: ghost, kind: employee, accounts: {github: [ghost, "10137"]}}`},
		{"github", "renovate[bot]", 1, "", `- {id: renovate, kind: bot, accounts: {github: ["renovate[bot]"]}}`},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("unlinked (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]Place{{Type: "branch.pushed", Part: "actor", Events: 2, Example: "push:1"}}, r.Unlinked[1].Where); diff != "" {
		t.Errorf("where dora acted (-want +got):\n%s", diff)
	}
	if len(r.Conflicts) != 1 || r.Conflicts[0].Message != "github account bob is alice by its id 1 and bob by its name: correct the directory" {
		t.Errorf("conflicts: %+v", r.Conflicts)
	}
	// A line can be pasted, and then its account belongs to somebody.
	for _, u := range r.Unlinked {
		if u.Account == "alice@home.example" {
			continue // its id is taken
		}
		pasted := directory + "  " + u.Line + "\n"
		if _, err := assembly.ParseDirectory([]byte(pasted)); err != nil {
			t.Errorf("%s: %v", u.Line, err)
		}
		var entries []engine.Person
		var raw []any
		if err := yaml.Unmarshal([]byte(u.Line), &raw); err != nil {
			t.Errorf("%s: %v", u.Line, err)
		}
		text, err := json.Marshal(raw)
		if err != nil || json.Unmarshal(text, &entries) != nil || len(entries) != 1 {
			t.Errorf("%s: %v", u.Line, err)
			continue
		}
		resolver := assembly.Directory{People: entries}.Resolver()
		if resolver.Person(engine.Account{System: u.System, Account: u.Account, ID: u.ID}) == "" {
			t.Errorf("with %s %s %s is still nobody's", u.Line, u.System, u.Account)
		}
	}
}

// What the company in the test data knows of itself has no conflict.
func TestRollOfTheSample(t *testing.T) {
	text, err := os.ReadFile("../../../../testdata/acme/directory.yaml")
	if err != nil {
		t.Fatal(err)
	}
	if r := roll(t, builtIn(t), string(text)); len(r.Conflicts) > 0 || r.People != 8 {
		t.Errorf("%+v", r)
	}
}

func TestQuote(t *testing.T) {
	for _, s := range []string{"alice", "a-b_c.d", "alice@acme.example", "7", "1.5", "true", "no", "@x", "a: b", "[bot]", "x#y", "", "ä", "-", "null", "0x1F", "1e3", "a\nb", `"`} {
		var back []any
		if err := yaml.Unmarshal([]byte("["+quote(s)+"]"), &back); err != nil || !slices.Equal(back, []any{s}) {
			t.Errorf("%q is written as %s and read as %v (%v)", s, quote(s), back, err)
		}
	}
}
