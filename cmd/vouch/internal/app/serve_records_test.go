package app_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"net/http"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/changevouch/changevouch/cmd/vouch/internal/app"
	"github.com/changevouch/changevouch/engine"
	"github.com/changevouch/changevouch/engine/store"
)

// TestServerTakesRecords hands in what collectors and people elsewhere know: events, a
// waiver and an attestation. Each is judged without being asked for.
func TestServerTakesRecords(t *testing.T) {
	t.Parallel()
	c := newClock("2026-11-20T09:00:00Z")
	s := prepared(t, c, func(config *app.Config) {
		directory, err := filepath.Abs(filepath.Join(acmeRoot, "directory.yaml"))
		if err != nil {
			t.Fatal(err)
		}
		config.Directory, config.GitHub.WebhookSecretFiles = directory, nil
		config.Policy.Bundles = []string{"../../testdata/titled"}
	})
	s.options.Pace.Watch = 100 * time.Millisecond
	s.start()
	if status, text := s.call(http.MethodGet, "/health/ready", nil, ""); status != http.StatusOK {
		t.Errorf("%d %s", status, text)
	}
	var lines bytes.Buffer
	out := json.NewEncoder(&lines)
	for _, e := range acmeGate(t).Events {
		// A server takes nobody's word that a signature was checked.
		if bytes.Contains(e.Data, []byte(`"number":440,`)) && strings.HasPrefix(e.Type, "change.") && e.Evidence.Trust != engine.TrustWebhookVerified {
			if err := out.Encode(e); err != nil {
				t.Fatal(err)
			}
		}
	}
	if status, text := s.call(http.MethodPost, "/v1/events", http.Header{"Content-Type": {"application/x-ndjson"}}, lines.String()); status != http.StatusOK {
		t.Fatalf("%d %s", status, text)
	}
	subject := engine.Subject{Type: "change", ID: "acme/survey#440"}
	dossier := func() (text string) {
		s.journal(func(j *store.Store) {
			if list, err := j.History(t.Context(), subject); err == nil {
				found, err := j.Dossier(t.Context(), list[len(list)-1].Dossier)
				if err != nil {
					t.Fatal(err)
				}
				text = string(found)
			}
		})
		return text
	}
	eventually(t, "a decision on what was handed in", func() bool { return strings.Contains(dossier(), "Let teams share studies") })

	const waiver = `{"id":"W-1","controls":["T-1"],"subject":"acme/survey#440","reason":"A pilot with one team.","requested_by":"alice","approved_by":"erin","approved_at":"2026-11-19T12:00:00Z","expires_at":"2026-12-01T12:00:00Z"}`
	const attestation = `{"id":"A-1","control":"T-1","subject":"acme/survey#440","statement":"The title was read aloud.","made_by":"carol","role":"security-reviewer","made_at":"2026-11-19T12:00:00Z"}`
	for _, test := range []struct{ path, body, wrong, with, at, in string }{
		{"/v1/waivers", waiver, "T-1", "T-99", "body/controls/0", `"W-1"`},
		{"/v1/attestations", attestation, "T-1", "T-99", "body/control", `"A-1"`},
	} {
		status, text := s.call(http.MethodPost, test.path, http.Header{"Content-Type": {"application/json"}}, strings.Replace(test.body, test.wrong, test.with, 1))
		if status != http.StatusUnprocessableEntity || !strings.Contains(text, `"location":"`+test.at+`"`) {
			t.Errorf("%s of a control that nobody knows: %d %s", test.path, status, text)
		}
		if strings.Contains(dossier(), test.in) {
			t.Fatalf("%s is known already", test.in)
		}
		if status, text := s.call(http.MethodPost, test.path, http.Header{"Content-Type": {"application/json"}}, test.body); status != http.StatusCreated {
			t.Fatalf("%s: %d %s", test.path, status, text)
		}
		eventually(t, test.in+" in the dossier", func() bool { return strings.Contains(dossier(), test.in) })
	}

	if err := errors.Join(s.server.Stop(t.Context()), s.server.Close()); err != nil {
		t.Fatal(err)
	}
	if status, text := s.call(http.MethodGet, "/health/ready", nil, ""); status != http.StatusServiceUnavailable || !strings.Contains(text, `"not_ready":["background work","journal"]`) {
		t.Errorf("without its journal: %d %s", status, text)
	}
	if status, _ := s.call(http.MethodGet, "/health/live", nil, ""); status != http.StatusOK {
		t.Errorf("without its journal it lives no more: %d", status)
	}
	s.http.Close()
	s.server = nil
}
