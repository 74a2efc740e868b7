package notify_test

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/changevouch/changevouch/engine"
	"github.com/changevouch/changevouch/engine/notify"
)

var notice = notify.Notice{
	ID: "vouch-1", Kind: "violation", At: time.Date(2026, 11, 2, 9, 0, 0, 0, time.UTC), Decision: "dec_1", Outcome: "non_compliant",
	Subject: engine.Subject{Type: "change", ID: "acme/shop#1"}, Title: "Violation: change acme/shop#1 <!channel>", Link: "https://vouch.example.com/v1/decisions/dec_1",
	Findings: []engine.Finding{{Control: "CM-1", Title: "Is reviewed", Message: "@everyone <b>nobody</b> & [x](y)", DueAt: "2026-12-01T00:00:00Z", Remediation: "Ask `ann`."}},
}

func now() time.Time { return notice.At }

// secretPath is a part of an address that must not come out.
const secretPath = "/services/T0/B0/the-secret"

func TestWebhook(t *testing.T) {
	var got notify.Notice
	var header http.Header
	server := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		header = r.Header
		if err := json.NewDecoder(r.Body).Decode(&got); err != nil {
			t.Error(err)
		}
	}))
	defer server.Close()
	// The same key twice: as base64 behind whsec_, and as it is.
	w, err := notify.NewWebhook(server.URL, "whsec_dGhlIGtleQ==", "changevouch/test", now)
	if err != nil {
		t.Fatal(err)
	}
	if err := w.Send(t.Context(), notice); err != nil {
		t.Fatal(err)
	}
	if got.ID != notice.ID || got.Findings[0].Control != "CM-1" {
		t.Errorf("got %+v", got)
	}
	raw, err := notify.NewWebhook(server.URL, "the key", "changevouch/test", now)
	if err != nil {
		t.Fatal(err)
	}
	signed := header.Get("webhook-signature")
	if err := raw.Send(t.Context(), notice); err != nil {
		t.Fatal(err)
	}
	if signed == "" || header.Get("webhook-signature") != signed || header.Get("webhook-timestamp") != "1793610000" || header.Get("User-Agent") != "changevouch/test" {
		t.Errorf("header %v, signed before %s", header, signed)
	}
}

func TestSlack(t *testing.T) {
	var body string
	server := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		text, err := io.ReadAll(r.Body)
		if err != nil {
			t.Error(err)
		}
		body = string(text)
	}))
	defer server.Close()
	s, err := notify.NewSlack(server.URL, "changevouch/test")
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Send(t.Context(), notice); err != nil {
		t.Fatal(err)
	}
	var message struct{ Text string }
	if err := json.Unmarshal([]byte(body), &message); err != nil {
		t.Fatal(err)
	}
	want := "<https://vouch.example.com/v1/decisions/dec_1|Violation: change acme/shop#1 &lt;!channel&gt;>\n" +
		"• CM-1 Is reviewed: @everyone &lt;b&gt;nobody&lt;/b&gt; &amp; [x](y) Due 2026-12-01T00:00:00Z.\n  Ask `ann`."
	if message.Text != want {
		t.Errorf("got\n%s\nwant\n%s", message.Text, want)
	}
}

func TestMarkdown(t *testing.T) {
	text := notify.Markdown(notice)
	for _, foreign := range []string{"@everyone", "<b>", "[x]", "`"} {
		if strings.Contains(text, foreign) {
			t.Errorf("%s means something in\n%s", foreign, text)
		}
	}
	if !strings.Contains(text, "<!-- notice vouch-1 -->") || !strings.Contains(text, "**CM-1**") {
		t.Errorf("got\n%s", text)
	}
}

// TestFailures sees that no error holds the address, and which of them leave open
// whether the notice arrived.
func TestFailures(t *testing.T) {
	wait := make(chan struct{})
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Query().Get("do") {
		case "refuse":
			w.WriteHeader(http.StatusForbidden)
		case "redirect":
			http.Redirect(w, r, "/elsewhere", http.StatusTemporaryRedirect)
		case "hang":
			select {
			case <-wait:
			case <-r.Context().Done():
			}
		case "break":
			panic(http.ErrAbortHandler)
		}
	}))
	defer server.Close()
	defer close(wait)
	gone := httptest.NewServer(http.NotFoundHandler())
	gone.Close()
	for _, tt := range []struct {
		address   string
		want      string
		uncertain bool
	}{
		{server.URL + secretPath + "?do=refuse", "the receiver answered 403", false},
		{server.URL + secretPath + "?do=redirect", "the receiver answered 307", false},
		{server.URL + secretPath + "?do=hang", "no answer in time", true},
		{server.URL + secretPath + "?do=break", "EOF", true},
		{gone.URL + secretPath, "the receiver cannot be reached", false},
	} {
		s, err := notify.NewSlack(tt.address, "changevouch/test")
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithTimeout(t.Context(), 500*time.Millisecond)
		err = s.Send(ctx, notice)
		cancel()
		if err == nil || !strings.Contains(err.Error(), tt.want) || errors.Is(err, notify.ErrUncertain) != tt.uncertain {
			t.Errorf("%s: %v, want %s", tt.address, err, tt.want)
		}
		if err != nil && (strings.Contains(err.Error(), "the-secret") || strings.Contains(err.Error(), "127.0.0.1")) {
			t.Errorf("the address stands in %v", err)
		}
	}
}

func TestAddresses(t *testing.T) {
	for address, fine := range map[string]bool{
		"https://hooks.example.com/x": true, "http://127.0.0.1:9/x": true, "http://localhost:9": true,
		"http://hooks.example.com/x": false, "hooks.example.com": false, "ftp://hooks.example.com": false, "http://127.evil.example.com": false, "": false,
	} {
		if _, err := notify.NewSlack(address, "x"); (err == nil) != fine {
			t.Errorf("%q: %v", address, err)
		}
		if _, err := notify.NewWebhook(address, "secret", "x", now); (err == nil) != fine {
			t.Errorf("%q: %v", address, err)
		}
	}
	for _, secret := range []string{"", "whsec_", "whsec_!"} {
		if _, err := notify.NewWebhook("https://hooks.example.com", secret, "x", now); err == nil {
			t.Errorf("the secret %q was taken", secret)
		}
	}
}
