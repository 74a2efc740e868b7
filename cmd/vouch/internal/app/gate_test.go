package app_test

import (
	"context"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/changevouch/changevouch/cmd/vouch/internal/app"
	"github.com/changevouch/changevouch/engine"
)

const acmeRoot = "../../../../testdata/acme"

// acmeGate asks about the sample company as it was on record at an instant, with more
// events.
func acmeGate(t *testing.T, more ...engine.Event) app.Gate {
	t.Helper()
	g, err := acmeRecord()
	if err != nil {
		t.Fatal(err)
	}
	g.Events = slices.Concat(g.Events, more)
	return g
}

var acmeRecord = sync.OnceValues(func() (app.Gate, error) {
	ctx := context.Background()
	dir, err := app.ReadDirectory(filepath.Join(acmeRoot, "directory.yaml"))
	if err != nil {
		return app.Gate{}, err
	}
	g := app.Gate{Directory: dir, At: time.Date(2026, 11, 20, 9, 0, 0, 0, time.UTC)}
	for _, source := range app.Collectors() {
		folder := map[string]string{"git": "github"}[source.Name]
		if folder == "" {
			folder = source.Name
		}
		result, err := source.Read(ctx, []string{filepath.Join(acmeRoot, folder)})
		if err != nil {
			return app.Gate{}, err
		}
		g.Events = append(g.Events, result.Events...)
	}
	g.Policy, err = app.OpenGatePolicy(ctx, app.PolicyConfig{}, "test")
	return g, err
})

// reviewOf440 approves the open pull request of the sample company.
func reviewOf440(account, commit string) engine.Event {
	at := time.Date(2026, 11, 20, 8, 0, 0, 0, time.UTC)
	data := engine.Facts(engine.ReviewFact{Repository: "acme/survey", Number: 440, ReviewID: "9" + account, State: "APPROVED", CommitID: commit, SubmittedAt: &at, Permission: "write"})
	return engine.Event{
		Schema: engine.EventSchema, ID: "github:review:9" + account, Source: "git", Provider: "github", Type: "change.reviewed", OccurredAt: at, ObservedAt: at,
		Actor: &engine.Account{System: "github", Account: account}, Subject: engine.Subject{Type: "pull_request", ID: "acme/survey#440"},
		Data: data, Evidence: engine.Evidence{Digest: engine.Digest(data), MediaType: "application/json", Trust: engine.TrustWebhookVerified},
	}
}

const (
	head440 = "e794582ac919e93b617c7321f9be861ffe6af7cf"
	liveWeb = "b6205498a9348ad4aa3bba18d83d8f0ea848b639" // what the service web runs
	web     = "srv-5gmll8ls8fq9c5jiivvn"
)

func statusesOf(a engine.GateAnswer) string {
	var out []string
	for _, d := range a.Decisions {
		for _, f := range d.Findings {
			if f.Status != engine.StatusPass && f.Status != engine.StatusNotApplicable {
				out = append(out, f.Control+" "+f.Status)
			}
		}
	}
	slices.Sort(out)
	return strings.Join(slices.Compact(out), ", ")
}

func TestGateOfPullRequest(t *testing.T) {
	afterwards := "CM-4.C.1 pending, CM-4.C.2 pending" // tests and staging are owed before production
	for _, test := range []struct {
		name    string
		review  []engine.Event
		outcome string
		open    string
	}{
		{"nobody approved", nil, engine.OutcomeNonCompliant, "CM-4.B.1 fail, " + afterwards},
		{"somebody else approved the head", []engine.Event{reviewOf440("bob-acme", head440)}, engine.OutcomePending, afterwards},
		{"the author approved", []engine.Event{reviewOf440("alice-acme", head440)}, engine.OutcomeNonCompliant, "CM-4.B.1 fail, " + afterwards},
		{"an older commit was approved", []engine.Event{reviewOf440("bob-acme", "0e25a71bb111a48e5aad958cdd469035174a278e")}, engine.OutcomeNonCompliant, "CM-4.B.1 fail, " + afterwards},
	} {
		t.Run(test.name, func(t *testing.T) {
			a, err := acmeGate(t, test.review...).Ask(t.Context(), engine.GateQuestion{PullRequest: "acme/survey#440"})
			if err != nil || len(a.Problems) > 0 {
				t.Fatal(err, a.Problems)
			}
			if a.Outcome != test.outcome || statusesOf(a) != test.open || len(a.Decisions) != 1 || a.Decisions[0].Subject.ID != "acme/survey#440" {
				t.Errorf("%s: %s", a.Outcome, statusesOf(a))
			}
		})
	}
}

// What is on record of one head says nothing about another that was pushed since.
func TestGateOfAnotherHead(t *testing.T) {
	gate := acmeGate(t, reviewOf440("bob-acme", head440))
	for head, outcome := range map[string]string{"": engine.OutcomePending, head440: engine.OutcomePending, strings.Repeat("a", 40): engine.OutcomeUnknown} {
		a, err := gate.Ask(t.Context(), engine.GateQuestion{PullRequest: "acme/survey#440", Head: head})
		if err != nil || a.Outcome != outcome || (len(a.Problems) > 0) != (outcome == engine.OutcomeUnknown) {
			t.Errorf("head %q: %s, %v, %v", head, a.Outcome, a.Problems, err)
		}
	}
	if _, err := gate.Ask(t.Context(), engine.GateQuestion{PullRequest: "acme/survey#440", Head: "main"}); err == nil {
		t.Error("a branch was taken for a commit")
	}
}

// GitHub counts in seconds: a head that was pushed in the second of the state before is
// the one that is asked about, in whatever order the two were recorded.
func TestGateOfTwoHeadsInASecond(t *testing.T) {
	at := time.Date(2026, 11, 20, 8, 30, 0, 0, time.UTC)
	state := func(head string, seen time.Time) engine.Event {
		data := engine.Facts(engine.PullRequestFact{Repository: "acme/survey", Number: 440, Title: "Two heads", State: "open", BaseBranch: "main", HeadSHA: head, CreatedAt: &at, UpdatedAt: &at})
		return engine.Event{
			Schema: engine.EventSchema, ID: "github:pull_request:440:updated:" + head, Source: "git", Provider: "github", Type: "change.updated", OccurredAt: at, ObservedAt: seen,
			Subject: engine.Subject{Type: "pull_request", ID: "acme/survey#440"}, Data: data,
			Evidence: engine.Evidence{Digest: engine.Digest(data), MediaType: "application/json", Trust: engine.TrustWebhookVerified},
		}
	}
	pushed := strings.Repeat("b", 40)
	before, after := state(head440, at.Add(time.Second)), state(pushed, at.Add(2*time.Second))
	for _, order := range [][]engine.Event{{before, after}, {after, before}} {
		a, err := acmeGate(t, order...).Ask(t.Context(), engine.GateQuestion{PullRequest: "acme/survey#440", Head: pushed})
		if err != nil || len(a.Problems) > 0 {
			t.Errorf("%v, %v", a.Problems, err)
		}
	}
}

// Of a pull request that was closed and opened again within a second nobody knows what it
// is: whatever is taken for newer, nothing goes through that a merge would need.
func TestGateOfClosedPullRequest(t *testing.T) {
	at := time.Date(2026, 11, 20, 8, 30, 0, 0, time.UTC)
	state := func(state string, seen time.Time) engine.Event {
		f := engine.PullRequestFact{Repository: "acme/survey", Number: 440, Title: "Open or closed", State: state, BaseBranch: "main", HeadSHA: head440, CreatedAt: &at, UpdatedAt: &at}
		kind := "change.updated"
		if state == "closed" {
			f.ClosedAt, kind = &at, "change.abandoned"
		}
		data := engine.Facts(f)
		return engine.Event{
			Schema: engine.EventSchema, ID: "github:pull_request:440:" + state, Source: "git", Provider: "github", Type: kind, OccurredAt: at, ObservedAt: seen,
			Subject: engine.Subject{Type: "pull_request", ID: "acme/survey#440"}, Data: data,
			Evidence: engine.Evidence{Digest: engine.Digest(data), MediaType: "application/json", Trust: engine.TrustWebhookVerified},
		}
	}
	for name, events := range map[string][]engine.Event{
		"closed":               {state("closed", at)},
		"closed last":          {state("open", at.Add(time.Second)), state("closed", at.Add(2*time.Second))},
		"opened last":          {state("closed", at.Add(time.Second)), state("open", at.Add(2*time.Second))},
		"both at once":         {state("closed", at), state("open", at)},
		"both, the other way":  {state("open", at), state("closed", at)},
		"closed, written late": {state("open", at.Add(2*time.Second)), state("closed", at.Add(time.Second))},
	} {
		a, err := acmeGate(t, events...).Ask(t.Context(), engine.GateQuestion{PullRequest: "acme/survey#440", Head: head440})
		if err != nil || a.Outcome != engine.OutcomeUnknown && a.Outcome != engine.OutcomeNonCompliant {
			t.Errorf("%s: %s %v, %v", name, a.Outcome, a.Problems, err)
		}
	}
}

func TestGateOfWhatHappenedAlready(t *testing.T) {
	a, err := acmeGate(t).Ask(t.Context(), engine.GateQuestion{PullRequest: "acme/survey#405"})
	if err != nil || a.Outcome != engine.OutcomeNonCompliant || len(a.Decisions) != 1 {
		t.Errorf("%+v, %v", a.Outcome, err)
	}
}

func TestGateOfDeployment(t *testing.T) {
	gate := acmeGate(t)
	for _, test := range []struct {
		name    string
		planned engine.PlannedDeployment
		outcome string
		open    string
		problem string
	}{
		{name: "what runs already", planned: engine.PlannedDeployment{Service: web, Commit: liveWeb, Trigger: "new_commit"}, outcome: engine.OutcomeCompliant},
		{name: "what was never merged", planned: engine.PlannedDeployment{Service: web, Commit: head440, Trigger: "new_commit", ID: "dep-new"},
			outcome: engine.OutcomeNonCompliant, open: "CM-2.6 unknown, CM-4.B.1 fail, CM-4.C.1 fail, CM-4.C.2 fail, CM-4.D.1 fail"},
		{name: "nobody knows what started it", planned: engine.PlannedDeployment{Service: web, Commit: liveWeb}, outcome: engine.OutcomeUnknown, open: "CM-4.D.1 unknown"},
		{name: "a commit that nobody has read", planned: engine.PlannedDeployment{Service: web, Commit: strings.Repeat("1", 40), Trigger: "new_commit"}, outcome: engine.OutcomeUnknown},
	} {
		t.Run(test.name, func(t *testing.T) {
			test.planned.System = "render"
			a, err := gate.Ask(t.Context(), engine.GateQuestion{Deployment: &test.planned})
			if err != nil {
				t.Fatal(err)
			}
			if a.Outcome != test.outcome || test.open != "" && statusesOf(a) != test.open {
				t.Errorf("%s: %s; %v", a.Outcome, statusesOf(a), a.Problems)
			}
		})
	}
}

// A gate that cannot judge does not open.
func TestGateWithoutAnswer(t *testing.T) {
	gate := acmeGate(t)
	a, err := gate.Ask(t.Context(), engine.GateQuestion{PullRequest: "acme/survey#999"})
	if err != nil || a.Outcome != engine.OutcomeUnknown || len(a.Problems) != 1 || !strings.Contains(a.Problems[0], "acme/survey#999 is not on record yet") {
		t.Errorf("%+v, %v", a, err)
	}
	for _, q := range []engine.GateQuestion{
		{}, {PullRequest: "x"}, {PullRequest: "a/b#0"}, {PullRequest: "a/b#1", Deployment: &engine.PlannedDeployment{}},
		{Deployment: &engine.PlannedDeployment{System: "heroku", Service: "s", Commit: liveWeb}},
		{Deployment: &engine.PlannedDeployment{System: "render", Commit: liveWeb}},
		{Deployment: &engine.PlannedDeployment{System: "render", Service: web, Commit: "main"}},
	} {
		if _, err := gate.Ask(t.Context(), q); err == nil {
			t.Errorf("%s was answered", fmt.Sprint(q))
		}
	}
}

// What could not be judged is never made up for by what could.
func TestGateOutcome(t *testing.T) {
	fine, failed := engine.Decision{Outcome: engine.OutcomeCompliant}, engine.Decision{Outcome: engine.OutcomeNonCompliant}
	for _, test := range []struct {
		decisions []engine.Decision
		problems  []string
		want      string
	}{
		{nil, nil, engine.OutcomeUnknown},
		{[]engine.Decision{fine}, nil, engine.OutcomeCompliant},
		{[]engine.Decision{fine}, []string{"x"}, engine.OutcomeUnknown},
		{[]engine.Decision{fine, failed}, []string{"x"}, engine.OutcomeNonCompliant},
		{[]engine.Decision{{Outcome: "splendid"}, fine}, nil, engine.OutcomeUnknown},
	} {
		if got := app.GateOutcome(test.decisions, test.problems); got != test.want {
			t.Errorf("%v, %v: %s, want %s", test.decisions, test.problems, got, test.want)
		}
	}
}

// A deployment that comes long after the last reading concerns what it brings, and
// nothing else.
func TestGateLongAfterTheLastReading(t *testing.T) {
	g := acmeGate(t)
	g.At = g.At.Add(60 * time.Hour)
	for commit, subjects := range map[string]int{liveWeb: 1, head440: 1} {
		a, err := g.Ask(t.Context(), engine.GateQuestion{Deployment: &engine.PlannedDeployment{System: "render", Service: web, Commit: commit, Trigger: "new_commit"}})
		if err != nil {
			t.Fatal(err)
		}
		if len(a.Decisions) != subjects {
			t.Errorf("%s concerns %d subjects, want %d: %s, %s", commit, len(a.Decisions), subjects, a.Outcome, statusesOf(a))
		}
	}
}
