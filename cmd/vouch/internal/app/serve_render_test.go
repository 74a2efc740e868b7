package app_test

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/changevouch/changevouch/cmd/vouch/internal/app"
	"github.com/changevouch/changevouch/engine"
	"github.com/changevouch/changevouch/engine/store"
)

// workspace is a Render of one workspace, tea-1, with one service, srv-1.
type workspace struct {
	*httptest.Server
	t     *testing.T
	clock *clock
	lock  sync.Mutex
	lists map[string][]object
}

const renderKey = "rnd_of-the-test"

func newWorkspace(t *testing.T, c *clock) *workspace {
	w := &workspace{t: t, clock: c, lists: map[string][]object{
		"services": {{"service": object{"id": "srv-1", "name": "api", "ownerId": "tea-1", "type": "web_service", "createdAt": "2026-01-01T00:00:00Z", "updatedAt": "2026-08-02T00:00:00Z",
			"repo": "https://github.com/acme/shop", "branch": "main", "autoDeploy": "yes", "suspended": "not_suspended", "serviceDetails": object{"plan": "standard"}}}},
	}}
	w.Server = httptest.NewServer(w)
	t.Cleanup(w.Close)
	return w
}

func (w *workspace) ServeHTTP(a http.ResponseWriter, r *http.Request) {
	w.lock.Lock()
	defer w.lock.Unlock()
	a.Header().Set("Date", w.clock.now().UTC().Format(http.TimeFormat))
	a.Header().Set("Content-Type", "application/json")
	if r.Header.Get("Authorization") != "Bearer "+renderKey || r.Method != http.MethodGet {
		w.t.Errorf("%s %s as %q", r.Method, r.URL, r.Header.Get("Authorization"))
		a.WriteHeader(http.StatusUnauthorized)
		return
	}
	var answer any = object{"id": "tea-1", "name": "Acme", "email": "ops@acme.example", "type": "team"}
	if path := strings.TrimPrefix(r.URL.Path, "/v1/"); path != "owners/tea-1" {
		answer = append([]object{}, w.lists[path]...)
	}
	if err := json.NewEncoder(a).Encode(answer); err != nil {
		w.t.Error(err)
	}
}

// deploy has a commit go live.
func (w *workspace) deploy(id, commit string, began time.Time) {
	w.lock.Lock()
	defer w.lock.Unlock()
	start, end := began.UTC().Format(time.RFC3339), began.Add(2*time.Minute).UTC().Format(time.RFC3339)
	event := func(kind, at string, details object) object {
		details["deployId"] = id
		return object{"event": object{"id": "evt-" + kind + id, "serviceId": "srv-1", "type": kind, "timestamp": at, "details": details}}
	}
	w.lists["services/srv-1/deploys"] = []object{{"deploy": object{"id": id, "status": "live", "trigger": "new_commit", "commit": object{"id": commit, "message": "Good thing"},
		"createdAt": start, "startedAt": start, "finishedAt": end, "updatedAt": end}}}
	w.lists["services/srv-1/events"] = []object{
		event("deploy_ended", end, object{"deployStatus": "succeeded", "reason": object{}}),
		event("deploy_started", start, object{"trigger": object{"newCommit": commit}}),
	}
}

// TestServerHearsOfDeployments merges a pull request and has Render tell of its deployment.
// What the webhook leaves out is read there, and the change is judged with it.
func TestServerHearsOfDeployments(t *testing.T) {
	t.Parallel()
	c := newClock("2026-11-02T09:00:00Z")
	h, w := newHub(t, c), newWorkspace(t, c)
	s := prepared(t, c, func(config *app.Config) {
		dir := t.TempDir()
		config.Policy.Bundles = []string{"../../testdata/titled"}
		config.Render = app.RenderConfig{
			TokenConfig: app.TokenConfig{TokenFile: write(t, dir, "key", renderKey)}, URL: w.URL + "/v1", Owner: "tea-1",
			WebhookSecretFiles: []string{write(t, dir, "render.secret", base64.StdEncoding.EncodeToString([]byte(hookSecret)))},
		}
		config.Directory = write(t, dir, "directory.yaml", "complete: true\npeople:\n  - {id: alice, kind: employee, accounts: {github: [alice]}}\nservices:\n  - {id: srv-1, name: api}\n")
	})
	s.options.Pace.Watch = 100 * time.Millisecond
	s.start()
	h.pull(7, c.now(), "Good thing")
	merged := h.merge(7, c.now())
	commit := merged["merge_commit_sha"].(string)
	s.deliver("d-1", "pull_request", h.told(object{"action": "closed", "number": 7, "pull_request": merged}))
	// The dossier of the newest decision, with the deployments of the change.
	newest := func() (outcome string, deployments []map[string]any) {
		s.journal(func(j *store.Store) {
			list, err := j.History(t.Context(), pullRequest("7"))
			if err != nil {
				return
			}
			text, err := j.Dossier(t.Context(), list[len(list)-1].Dossier)
			if err != nil {
				t.Fatal(err)
			}
			var dossier struct {
				Change struct{ Deployments []map[string]any }
			}
			if err := json.Unmarshal(text, &dossier); err != nil {
				t.Fatal(err)
			}
			outcome, deployments = list[len(list)-1].Outcome, dossier.Change.Deployments
		})
		return outcome, deployments
	}
	eventually(t, "a decision on the merge", func() bool { outcome, _ := newest(); return outcome == engine.OutcomeCompliant })
	// What is done by itself is done some seconds after the start; then nothing reads there
	// unless it is told to.
	eventually(t, "the first reading", func() bool {
		return strings.Contains(s.log.text(), `"msg":"job done","task":"reconcile","subject":"render/tea-1"`)
	})
	s.quiet()
	if _, deployments := newest(); len(deployments) > 0 {
		t.Fatalf("deployed already: %v", deployments)
	}

	c.pass(10 * time.Minute)
	w.deploy("dep-1", commit, c.now().Add(-5*time.Minute))
	body := `{"type":"deploy_ended","timestamp":"2026-11-02T09:07:00Z","data":{"id":"evt-deploy_endeddep-1","serviceId":"srv-1","serviceName":"api","status":"succeeded"}}`
	stamp := fmt.Sprint(c.now().Unix())
	mac := hmac.New(sha256.New, []byte(hookSecret))
	mac.Write([]byte("evt-deploy_endeddep-1." + stamp + "." + body))
	header := http.Header{"Webhook-Id": {"evt-deploy_endeddep-1"}, "Webhook-Timestamp": {stamp}, "Webhook-Signature": {"v1," + base64.StdEncoding.EncodeToString(mac.Sum(nil))}}
	if status, text := s.call(http.MethodPost, "/v1/webhooks/render", header, body); status != http.StatusAccepted {
		t.Fatalf("%d %s", status, text)
	}
	eventually(t, "the deployment in the dossier", func() bool { _, deployments := newest(); return len(deployments) > 0 })
	outcome, deployments := newest()
	if one := deployments[0]; outcome != engine.OutcomeCompliant || one["id"] != "dep-1" || one["commit"] != commit || one["live_at"] != "2026-11-02T09:07:00Z" || one["service"] != "api" {
		t.Errorf("%s: %v", outcome, deployments)
	}
	witnesses := map[string]string{}
	s.journal(func(j *store.Store) {
		for e, err := range j.Events(t.Context(), store.EventFilter{}) {
			if err != nil {
				t.Fatal(err)
			}
			witnesses[e.ID] = e.Type + " " + e.Evidence.Trust
		}
	})
	if got := witnesses["render:evt-deploy_endeddep-1:announced"]; got != "coverage.recorded "+engine.TrustWebhookVerified {
		t.Errorf("the webhook is recorded as %q", got)
	}
	for _, id := range []string{"render:evt-deploy_starteddep-1", "render:evt-deploy_endeddep-1"} {
		if got := witnesses[id]; !strings.HasPrefix(got, "deployment.") || !strings.HasSuffix(got, " "+engine.TrustAPIRead) {
			t.Errorf("%s is recorded as %q", id, got)
		}
	}
}
