package app_test

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/changevouch/changevouch/cmd/vouch/internal/app"
)

// channel is what takes messages as Slack does. It refuses the first.
type channel struct {
	*httptest.Server
	lock  sync.Mutex
	tries int
	texts []string
}

func newChannel(t *testing.T) *channel {
	c := &channel{}
	c.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var message map[string]string
		body, err := io.ReadAll(r.Body)
		if err == nil {
			err = json.Unmarshal(body, &message)
		}
		if err != nil || len(message) != 1 || r.Header.Get("Content-Type") != "application/json" {
			t.Errorf("message %s: %v", body, err)
		}
		c.lock.Lock()
		defer c.lock.Unlock()
		if c.tries++; c.tries == 1 {
			w.WriteHeader(http.StatusBadGateway)
			return
		}
		c.texts = append(c.texts, message["text"])
	}))
	t.Cleanup(c.Close)
	return c
}

func (c *channel) got() []string {
	c.lock.Lock()
	defer c.lock.Unlock()
	return append([]string{}, c.texts...)
}

// posted are the bodies of issues and comments.
func (h *hub) posted(path string) (out []string) {
	h.lock.Lock()
	defer h.lock.Unlock()
	for _, one := range h.said[path] {
		out = append(out, fmt.Sprint(one["title"], one["body"]))
	}
	return out
}

// TestServerTellsOfEachChange has a change fail, fail in the same way, pass and fail
// again, and a finding come due: whoever is to be told hears of each once, however
// slow the others are, and nobody waits for them.
func TestServerTellsOfEachChange(t *testing.T) {
	t.Parallel()
	c := newClock("2026-11-02T09:00:00Z")
	h := newHub(t, c)
	signed, slack := newReceiver(t, 0), newChannel(t)
	answers := make(chan struct{})
	slow := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		select {
		case <-answers:
			signed.Config.Handler.ServeHTTP(w, r)
		case <-r.Context().Done():
		}
	}))
	t.Cleanup(slow.Close)
	s := prepared(t, c, func(config *app.Config) {
		h.token(config)
		config.Policy.Bundles = []string{"../../testdata/titled"}
		config.Notifications = []app.NotificationConfig{
			{Name: "the team", Type: "webhook", URL: slow.URL, SecretFile: config.GitHub.WebhookSecretFiles[0]},
			{Name: "chat", Type: "slack", URLFile: write(t, t.TempDir(), "slack", slack.URL)},
			{Name: "there", Type: "github", Repository: "acme/shop"},
		}
	})
	s.options.Pace.Watch = 100 * time.Millisecond
	s.start()
	const comments = "issues/7/comments"

	s.handIn(7, c.now(), "fail")
	eventually(t, "a comment", func() bool { return len(h.posted(comments)) == 1 })
	if text := h.posted(comments)[0]; !strings.Contains(text, "Violation: change acme/shop#7") || !strings.Contains(text, "- **T-1** Says what it is called: It is fail. Give it another title.") {
		t.Errorf("comment: %s", text)
	}
	s.deliver("d-8", "pull_request", pullDelivery(8, c.now(), "Eight"))
	eventually(t, "a decision on something else", func() bool { return len(s.history(pullRequest("8"))) > 0 })
	eventually(t, "the message that was refused", func() bool { return len(slack.got()) == 1 })
	if text := slack.got()[0]; text != "Violation: change acme/shop#7\n• T-1 Says what it is called: It is fail.\n  Give it another title." {
		t.Errorf("message: %q", text)
	}
	if n := signed.got(); len(n) != 0 {
		t.Fatalf("the webhook is to be slow, and has %v", n)
	}
	close(answers)
	eventually(t, "the slow one", func() bool { return len(signed.got()) == 1 })

	for _, says := range []string{"fail", "pass", "fail"} {
		c.pass(time.Minute)
		s.handIn(7, c.now(), says)
	}
	all := func(changes, findings int) func() bool {
		return func() bool {
			return len(signed.got()) >= changes+findings && len(slack.got()) >= changes+findings && len(h.posted(comments)) >= changes && len(h.posted("issues")) >= findings
		}
	}
	eventually(t, "word of the second violation", all(2, 0))

	finding := func() {
		s.evaluate(fmt.Sprintf(`{"schema":"dossier/v1","evaluated_at":%q,"subject":{"type":"finding","id":"acme/shop:CVE-1"},"sources":{},"people":[],
			"finding":{"id":"CVE-1","package":"left-pad","severity":"high","first_detected_at":"2026-11-01T09:00:00Z"}}`, c.now().Format(time.RFC3339)))
	}
	finding() // due on the first of December
	c.pass(28*24*time.Hour + 12*time.Hour)
	eventually(t, "word of the deadline", all(2, 1))
	finding()
	c.pass(time.Minute)
	finding()
	s.handIn(9, c.now(), "fail")
	eventually(t, "word of the last violation", func() bool {
		return len(signed.got()) > 3 && len(slack.got()) > 3 && len(h.posted("issues/9/comments")) > 0
	})
	kinds := map[string]int{}
	for _, n := range signed.got() {
		kinds[n.Kind+" "+n.Subject.ID]++
	}
	if want := "map[deadline acme/shop:CVE-1:1 violation acme/shop#7:2 violation acme/shop#9:1]"; fmt.Sprint(kinds) != want {
		t.Errorf("the webhook was told %v, want %s", kinds, want)
	}
	if len(slack.got()) != 4 || len(h.posted(comments)) != 2 || len(h.posted("issues")) != 1 || !strings.Contains(h.posted("issues")[0], "Due 2026-12-01T09:00:00Z: finding acme/shop:CVE-1") {
		t.Errorf("messages %q, comments %q, issues %q", slack.got(), h.posted(comments), h.posted("issues"))
	}
}
