package app_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/changevouch/changevouch/cmd/vouch/internal/app"
	"github.com/changevouch/changevouch/engine"
	"github.com/changevouch/changevouch/engine/store"
)

// quiet waits until nothing is left to do: no delivery to record, no entry to follow and
// no job. Each of them ends only when what comes of it is there.
func (s *served) quiet() {
	s.t.Helper()
	db := s.raw()
	still := 0
	eventually(s.t, "an end of the work", func() bool {
		still++
		if db.number("SELECT count(*) FROM deliveries WHERE processed_at IS NULL")+
			db.number("SELECT count(*) FROM river_job WHERE state NOT IN ('completed', 'cancelled', 'discarded')")+
			db.number("SELECT size - json_extract(CAST(cursor AS TEXT), '$.index') FROM ledger, cursors WHERE name = 'server/followed'") > 0 {
			still = 0
		}
		return still > 2
	})
}

// TestServerShowsChecks has a pull request delivered, retitled and asked about again. What
// it shows on GitHub is brought up to date with each, and never for its own sake.
func TestServerShowsChecks(t *testing.T) {
	t.Parallel()
	c := newClock("2026-11-02T09:00:00Z")
	h := newHub(t, c)
	s := prepared(t, c, func(config *app.Config) {
		h.app(config)
		config.PublicURL = "https://vouch.example.com"
		config.Policy.Bundles = []string{"../../testdata/titled"}
		config.GitHub.Report, config.GitHub.CheckName, config.GitHub.Mode = "check_run", "changevouch", "enforce"
	})
	s.options.Pace.Watch = 100 * time.Millisecond
	s.start()
	last := func() engine.Decision {
		t.Helper()
		var d engine.Decision
		s.journal(func(j *store.Store) {
			list, err := j.History(t.Context(), pullRequest("7"))
			if err == nil {
				d, err = list[len(list)-1].Decode()
			}
			if err != nil {
				t.Fatal(err)
			}
		})
		return d
	}
	shows := func(conclusion, title string, changes ...string) object {
		t.Helper()
		s.quiet()
		done, runs := h.written(0)
		if len(runs) != 1 || !slices.Equal(done, changes) {
			t.Fatalf("written %v, want %v", done, changes)
		}
		run := runs[0]
		output := run["output"].(object)
		if run["conclusion"] != conclusion || output["title"] != title || run["status"] != "completed" || run["name"] != "changevouch" || run["head_sha"] != fmt.Sprintf("%040x", 0xabc007) ||
			run["details_url"] != "https://vouch.example.com/v1/subjects/acme%2Fshop%237?type=change" || !strings.Contains(output["summary"].(string), "Judged as if pull request acme/shop\\#7 went ahead now") {
			t.Errorf("want %s, %s: %v", conclusion, title, run)
		}
		return run
	}
	s.deliver("d-1", "pull_request", pullDelivery(7, c.now(), "Good thing"))
	if run := shows("success", "may go ahead: compliant", "POST check-runs"); run["external_id"] != last().ID {
		t.Errorf("it is about decision %v, want %s", run["external_id"], last().ID)
	}
	c.pass(time.Minute)
	s.deliver("d-2", "pull_request", pullDelivery(7, c.now(), "Bad thing"))
	run := shows("failure", "non-compliant: T-1", "POST check-runs", "PATCH check-runs/1")
	if summary := run["output"].(object)["summary"].(string); !strings.Contains(summary, "Give it another title.") {
		t.Errorf("summary: %s", summary)
	}

	// GitHub tells of what was written there.
	for i := range 2 {
		c.pass(time.Minute)
		s.deliver(fmt.Sprint("d-told-", i), "check_run", h.told(object{"action": "completed", "check_run": run}))
		run = shows("failure", "non-compliant: T-1", "POST check-runs", "PATCH check-runs/1")
	}

	c.pass(time.Minute)
	again := object{"pull_requests": []object{{"number": 7}}, "external_id": run["external_id"], "head_sha": run["head_sha"], "name": "changevouch", "status": "completed"}
	s.deliver("d-again", "check_run", h.told(object{"action": "rerequested", "check_run": again}))
	shows("failure", "non-compliant: T-1", "POST check-runs", "PATCH check-runs/1", "PATCH check-runs/1")

	c.pass(time.Minute)
	again["pull_requests"] = []object{} // as where the head is in a fork
	s.deliver("d-fork", "check_run", h.told(object{"action": "rerequested", "check_run": again}))
	shows("failure", "non-compliant: T-1", "POST check-runs", "PATCH check-runs/1", "PATCH check-runs/1", "PATCH check-runs/1")
	if h.signed != 1 {
		t.Errorf("the app asked for %d tokens, want one", h.signed)
	}

	t.Run("gate", func(t *testing.T) { testGateQuestions(t, s) })
}

// testGateQuestions asks a server that knows pull request 7, which is bad.
func testGateQuestions(t *testing.T, s *served) {
	s.deliver("d-good", "pull_request", pullDelivery(6, s.options.Clock(), "Good thing"))
	eventually(t, "another pull request", func() bool { return len(s.history(pullRequest("6"))) > 0 })
	actions := func() (out []engine.Action) {
		s.journal(func(j *store.Store) {
			var err error
			if out, err = j.Actions(t.Context(), -1, 1000); err != nil {
				t.Fatal(err)
			}
		})
		return out
	}
	head := fmt.Sprintf("%040x", 0xabc007)
	for _, test := range []struct {
		name, body string
		status     int
		want       string // the outcome, or where the fault is
		says       string
	}{
		{"good", `{"pull_request":"acme/shop#6"}`, 200, "compliant", `"control":"T-1"`},
		{"bad", `{"pull_request":"acme/shop#7"}`, 200, "non_compliant", `"Give it another title."`},
		{"bad, of that head", `{"pull_request":"acme/shop#7","head":"` + head + `"}`, 200, "non_compliant", ``},
		{"of another head", `{"pull_request":"acme/shop#6","head":"` + head + `"}`, 200, "unknown", `is on record as its head`},
		{"not on record", `{"pull_request":"acme/shop#99"}`, 200, "unknown", `"problems":["pull request acme/shop#99 is not on record yet`},
		{"nothing", ``, 422, "body", ""},
		{"no JSON", `{`, 422, "body", ""},
		{"a list", `[]`, 422, "body", "a array, expected an object"},
		{"no question", `{}`, 422, "body", "one pull request or one deployment"},
		{"two questions", `{"pull_request":"acme/shop#7","deployment":{"system":"render"}}`, 422, "body", "one pull request or one deployment"},
		{"a number", `{"pull_request":7}`, 422, "body/pull_request", "a number, expected text"},
		{"no pull request", `{"pull_request":"acme/shop"}`, 422, "body/pull_request", "is no pull request"},
		{"a misspelt field", `{"pull_requests":"acme/shop#7"}`, 422, "body", `unknown field`},
		{"a short head", `{"pull_request":"acme/shop#7","head":"abc"}`, 422, "body/head", "full id"},
		{"a system unheard of", `{"deployment":{"system":"heroku","service":"x","commit":"` + head + `"}}`, 422, "body/deployment/system", "heroku"},
		{"a text for a deployment", `{"deployment":"x"}`, 422, "body/deployment", "a string, expected an object"},
		{"no service", `{"deployment":{"system":"render","commit":"` + head + `"}}`, 422, "body/deployment/service", "names no service"},
		{"a number for a commit", `{"deployment":{"system":"render","service":"x","commit":1}}`, 422, "body/deployment/commit", "expected text"},
		{"a branch for a commit", `{"deployment":{"system":"render","service":"x","commit":"main"}}`, 422, "body/deployment/commit", "full id"},
	} {
		before := len(actions())
		status, text := s.call(http.MethodPost, "/v1/gate", http.Header{"Content-Type": {"application/json"}}, test.body)
		if status != test.status || !strings.Contains(text, test.says) {
			t.Errorf("%s: %d %s", test.name, status, text)
			continue
		}
		if status != http.StatusOK {
			var problem struct {
				Errors []struct{ Location string }
			}
			if err := json.Unmarshal([]byte(text), &problem); err != nil || len(problem.Errors) != 1 || problem.Errors[0].Location != test.want {
				t.Errorf("%s: the fault is not at %s: %s", test.name, test.want, text)
			}
			continue
		}
		var answer engine.GateAnswer
		if err := json.Unmarshal([]byte(text), &answer); err != nil || answer.Outcome != test.want {
			t.Errorf("%s: %s", test.name, text)
		}
		list := actions()
		if one := list[len(list)-1]; len(list) != before+1 || one.Route != "/v1/gate" || one.Principal != "test" || one.Status != http.StatusOK || one.Target != answer.About+": "+answer.Outcome {
			t.Errorf("%s: recorded %d actions, the last %+v", test.name, len(list)-before, one)
		}
	}
	if status, text := s.call(http.MethodGet, "/v1/gate", nil, ""); status != http.StatusMethodNotAllowed {
		t.Errorf("GET: %d %s", status, text)
	}
	for _, number := range []string{"6", "7"} {
		if history := s.history(pullRequest(number)); slices.Contains(history, "non_compliant") || slices.Contains(history, "compliant") {
			t.Errorf("what did not happen is recorded: %v", history)
		}
	}
}

// TestServerShowsStatuses is the same where there is a token only.
func TestServerShowsStatuses(t *testing.T) {
	t.Parallel()
	c := newClock("2026-11-02T09:00:00Z")
	h := newHub(t, c)
	s := prepared(t, c, func(config *app.Config) {
		h.token(config)
		config.Policy.Bundles = []string{"../../testdata/titled"}
		config.GitHub.Report, config.GitHub.CheckName, config.GitHub.Mode = "status", "changevouch", "enforce"
	})
	s.options.Pace.Watch = 100 * time.Millisecond
	s.start()
	sha := fmt.Sprintf("%040x", 0xabc007)
	want := []string{}
	for i, one := range []struct{ title, state, description string }{
		{"Good thing", "success", "may go ahead: compliant"}, {"Bad thing", "failure", "non-compliant: T-1"}, {"Good thing", "success", "may go ahead: compliant"}, {"Good again", "", ""},
	} {
		c.pass(time.Minute)
		s.deliver(fmt.Sprint("d-", i), "pull_request", pullDelivery(7, c.now(), one.title))
		s.quiet()
		done, _ := h.written(0)
		if one.state != "" { // the same again is not written
			want = append(want, "POST statuses/"+sha)
		}
		if !slices.Equal(done, want) {
			t.Fatalf("%s: written %v, want %v", one.title, done, want)
		}
		if shown := h.shown[0]; one.state != "" && (shown["state"] != one.state || shown["description"] != one.description || shown["context"] != "changevouch") {
			t.Errorf("%s: %v", one.title, shown)
		}
		if i > 0 {
			continue
		}
		told := object{"context": "changevouch", "sha": sha, "state": h.shown[0]["state"], "id": i + 1, "created_at": h.shown[0]["created_at"]}
		s.deliver(fmt.Sprint("d-told-", i), "status", h.told(told))
		s.quiet()
		if done, _ := h.written(0); !slices.Equal(done, want) {
			t.Errorf("%s: its own status made it write %v", one.title, done[len(want):])
		}
	}
}
