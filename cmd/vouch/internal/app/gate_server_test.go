package app_test

import (
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/changevouch/changevouch/cmd/vouch/internal/app"
	"github.com/changevouch/changevouch/engine"
	"github.com/changevouch/changevouch/engine/httpapi"
	"github.com/changevouch/changevouch/engine/store"
)

// configured is the address of the server of a configuration file at an instant, and its
// journal to write to. Both are closed with the test.
func configured(t *testing.T, file string, at time.Time) (url string, journal *store.Store) {
	t.Helper()
	config, err := app.LoadConfig(app.ConfigSource{File: file, LookupEnv: lookup(nil)})
	if err != nil {
		t.Fatal(err)
	}
	server, err := app.OpenServer(t.Context(), app.ServerOptions{Config: *config, Version: "test", LookupEnv: lookup(nil), Clock: func() time.Time { return at }})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = server.Close() })
	if journal, err = config.Journal().Write(t.Context()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = journal.Close() })
	handler, err := server.Handler(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	site := httptest.NewServer(handler)
	t.Cleanup(site.Close)
	return site.URL, journal
}

// A gate asks a server that has the sample company's journal. The answer is that of a
// gate that decides by itself, and asking is an entry of the log.
func TestGateAsksAServer(t *testing.T) {
	folder := t.TempDir()
	directory, err := filepath.Abs(filepath.Join(acmeRoot, "directory.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(folder, "changevouch.yaml")
	if err := os.WriteFile(file, []byte("store: sqlite:journal.db\ndirectory: "+directory+"\nlimits: {evaluate_timeout: 2m}\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	ctx := t.Context()
	at := acmeGate(t).At
	url, journal := configured(t, file, at)
	if _, err := journal.AddEvents(ctx, acmeGate(t).Events, nil); err != nil {
		t.Fatal(err)
	}
	tokens := map[engine.Role]string{}
	for _, role := range []engine.Role{engine.RoleSubmitter, engine.RoleViewer} {
		tokens[role] = httpapi.NewToken()
		if err := journal.AddToken(ctx, engine.Token{ID: string(role), Name: "ci", Role: role, Hash: httpapi.TokenHash(tokens[role]), CreatedAt: at}); err != nil {
			t.Fatal(err)
		}
	}
	ask := func(role engine.Role, q engine.GateQuestion) (engine.GateAnswer, error) {
		client, err := app.NewGateClient(url, tokens[role])
		if err != nil {
			t.Fatal(err)
		}
		return client.Ask(ctx, q)
	}

	question := engine.GateQuestion{PullRequest: "acme/survey#440"}
	answer, err := ask(engine.RoleSubmitter, question)
	if err != nil || answer.Outcome != engine.OutcomeNonCompliant || !strings.HasPrefix(statusesOf(answer), "CM-4.B.1 fail") {
		t.Fatalf("%+v, %v", answer, err)
	}
	alone, err := acmeGate(t).Ask(ctx, question)
	if err != nil || alone.Decisions[0].ID != answer.Decisions[0].ID {
		t.Errorf("decided here it is %s, there %s (%v)", alone.Decisions[0].ID, answer.Decisions[0].ID, err)
	}
	if _, err := journal.Decision(ctx, answer.Decisions[0].ID); err == nil {
		t.Error("what did not happen is recorded as a decision")
	}
	actions, err := journal.Actions(ctx, -1, 100)
	if err != nil {
		t.Fatal(err)
	}
	last := actions[len(actions)-1]
	if last.Route != "/v1/gate" || last.Principal != "ci" || last.Target != "pull request acme/survey#440: non_compliant" {
		t.Errorf("entry of the log: %+v", last)
	}

	if answer, err = ask(engine.RoleSubmitter, engine.GateQuestion{Deployment: &engine.PlannedDeployment{System: "render", Service: web, Commit: liveWeb, Trigger: "new_commit"}}); err != nil || answer.Outcome != engine.OutcomeCompliant {
		t.Errorf("deployment: %+v, %v", answer.Outcome, err)
	}
	if _, err = ask(engine.RoleSubmitter, engine.GateQuestion{PullRequest: "nonsense"}); err == nil || !strings.Contains(err.Error(), "is no pull request") {
		t.Errorf("nonsense: %v", err)
	}
	// Who asks need not be somebody who may hand in an approval.
	if answer, err = ask(engine.RoleViewer, question); err != nil || answer.Outcome != engine.OutcomeNonCompliant {
		t.Errorf("a viewer: %+v, %v", answer.Outcome, err)
	}
}

// Where nothing can be judged, that is the answer: no failure of the server, which some
// gates let through.
func TestGateAsksAboutNothing(t *testing.T) {
	folder, at, ctx := t.TempDir(), acmeGate(t).At, t.Context()
	for name, text := range map[string]string{
		"changevouch.yaml": "store: sqlite:journal.db\ndirectory: directory.yaml\n",
		"directory.yaml":   "people: [{id: alice, kind: employee, accounts: {github: [alice]}}]\n",
	} {
		if err := os.WriteFile(filepath.Join(folder, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	url, journal := configured(t, filepath.Join(folder, "changevouch.yaml"), at)
	token := httpapi.NewToken()
	if err := journal.AddToken(ctx, engine.Token{ID: "one", Name: "ci", Role: engine.RoleViewer, Hash: httpapi.TokenHash(token), CreatedAt: at}); err != nil {
		t.Fatal(err)
	}
	closed := engine.Event{
		Schema: engine.EventSchema, ID: "github:pull_request:1:updated", Source: "git", Provider: "github", Type: "change.updated", OccurredAt: at, ObservedAt: at,
		Subject:  engine.Subject{Type: "pull_request", ID: "acme/shop#1"},
		Data:     engine.Facts(engine.PullRequestFact{Repository: "acme/shop", Number: 1, HeadSHA: liveWeb, BaseBranch: "main", State: "closed", ClosedAt: &at}),
		Evidence: engine.Evidence{Digest: engine.Digest(nil), MediaType: "application/json", Trust: engine.TrustFile},
	}
	if _, err := journal.AddEvents(ctx, []engine.Event{closed}, nil); err != nil {
		t.Fatal(err)
	}
	client, err := app.NewGateClient(url, token)
	if err != nil {
		t.Fatal(err)
	}
	answer, err := client.Ask(ctx, engine.GateQuestion{PullRequest: "acme/shop#1"})
	if err != nil || answer.Outcome != engine.OutcomeUnknown || len(answer.Problems) != 1 {
		t.Errorf("%s, %v, %v", answer.Outcome, answer.Problems, err)
	}
}
