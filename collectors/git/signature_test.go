package git_test

import (
	"bytes"
	"crypto/hmac"
	"crypto/sha1" // #nosec G505 -- to see it refused
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/changevouch/changevouch/collectors/git"
	"github.com/changevouch/changevouch/engine"
)

func signed(event string, body, secret []byte) http.Header {
	mac := hmac.New(sha256.New, secret)
	mac.Write(body)
	return http.Header{
		"X-Github-Event": {event}, "X-Github-Delivery": {"72d3162e-cc78-11e3-81ab-4c9367dc0958"},
		"X-Hub-Signature-256": {"sha256=" + hex.EncodeToString(mac.Sum(nil))}, "Content-Type": {"application/json"},
	}
}

// The vector of GitHub's documentation.
func TestVerifyDeliveryVector(t *testing.T) {
	h := signed("ping", []byte("Hello, World!"), []byte("It's a Secret to Everybody"))
	if want := "sha256=757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17"; h.Get("X-Hub-Signature-256") != want {
		t.Fatalf("signature %s, want %s", h.Get("X-Hub-Signature-256"), want)
	}
	if _, err := git.VerifyDelivery(h, strings.NewReader("Hello, World!"), day(1), []byte("It's a Secret to Everybody")); err != nil {
		t.Error(err)
	}
}

func TestVerifyDelivery(t *testing.T) {
	body, err := os.ReadFile("testdata/fixtures/webhooks/pull_request_review/submitted.payload.json")
	if err != nil {
		t.Fatal(err)
	}
	now, old, foreign := []byte("new secret"), []byte("old secret"), []byte("another")
	weak := hmac.New(sha1.New, now)
	weak.Write(body)
	form := []byte(url.Values{"payload": {string(body)}}.Encode())
	tests := []struct {
		name    string
		header  http.Header
		body    []byte
		secrets [][]byte
		want    error // nil: accepted; errAny: refused for whatever reason
	}{
		{"right", signed("pull_request_review", body, now), body, [][]byte{now}, nil},
		{"older secret", signed("pull_request_review", body, old), body, [][]byte{now, old}, nil},
		{"form", with(signed("pull_request_review", form, now), "Content-Type", "application/x-www-form-urlencoded"), form, [][]byte{now}, nil},
		{"foreign secret", signed("pull_request_review", body, foreign), body, [][]byte{now, old}, git.ErrSignature},
		{"changed by a space", signed("pull_request_review", body, now), append(bytes.Clone(body), ' '), [][]byte{now}, git.ErrSignature},
		{"no secret", signed("pull_request_review", body, nil), body, nil, git.ErrSignature},
		{"empty secret", signed("pull_request_review", body, nil), body, [][]byte{{}}, git.ErrSignature},
		{"SHA-1 alone", with(with(signed("pull_request_review", body, now), "X-Hub-Signature-256", ""), "X-Hub-Signature", "sha1="+hex.EncodeToString(weak.Sum(nil))), body, [][]byte{now}, git.ErrSignature},
		{"half a signature", with(signed("pull_request_review", body, now), "X-Hub-Signature-256", "sha256=7571"), body, [][]byte{now}, git.ErrSignature},
		{"no event", with(signed("", body, now), "X-GitHub-Event", ""), body, [][]byte{now}, errAny},
		{"a path for an event", with(signed("", body, now), "X-GitHub-Event", "../pulls"), body, [][]byte{now}, errAny},
		{"no id", with(signed("ping", body, now), "X-GitHub-Delivery", ""), body, [][]byte{now}, errAny},
	}
	for _, tc := range tests {
		t.Run(tc.name, func(t *testing.T) {
			d, err := git.VerifyDelivery(tc.header, bytes.NewReader(tc.body), day(1), tc.secrets...)
			switch {
			case tc.want == nil && err != nil:
				t.Fatal(err)
			case tc.want != nil && (err == nil || !errors.Is(tc.want, errAny) && !errors.Is(err, tc.want)):
				t.Fatalf("error %v, want %v", err, tc.want)
			case tc.want != nil:
				return
			}
			m := git.Map(d.Payload)
			if len(m.Faults) > 0 || countTypes(m.Events)["change.reviewed"] != 1 {
				t.Fatalf("events %v, faults %v", countTypes(m.Events), m.Faults)
			}
			for _, e := range m.Events {
				if e.Evidence.Trust != engine.TrustWebhookVerified || e.Evidence.Digest != engine.Digest(body) {
					t.Errorf("evidence %+v", e.Evidence)
				}
			}
		})
	}
}

var errAny = errors.New("any")

func with(h http.Header, key, value string) http.Header {
	h = h.Clone()
	h.Set(key, value)
	if value == "" {
		h.Del(key)
	}
	return h
}

func TestVerifyDeliveryBoundsTheBody(t *testing.T) {
	h := signed("push", nil, []byte("secret"))
	_, err := git.VerifyDelivery(h, &endless{}, day(1), []byte("secret"))
	if _, ok := errors.AsType[*http.MaxBytesError](err); !ok {
		t.Errorf("error %v, want *http.MaxBytesError", err)
	}
}

type endless struct{}

func (endless) Read(p []byte) (int, error) { return len(p), nil }

// Every event name that GitHub sends comes to something: events, or a count of
// what was left out, never a broken delivery.
func TestVerifyDeliveryOfEveryEvent(t *testing.T) {
	secret := []byte("secret")
	for name, p := range payloads(t) {
		parts := strings.Split(name, "/")
		if len(parts) < 3 || parts[0] != "webhooks" {
			continue
		}
		d, err := git.VerifyDelivery(signed(parts[len(parts)-2], p.Bytes, secret), bytes.NewReader(p.Bytes), day(1), secret)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		again := git.Map(d.Payload)
		if d.Event != parts[len(parts)-2] || len(again.Events)+len(again.Ignored)+len(again.Faults) == 0 {
			t.Errorf("%s: %s came to nothing", name, d.Event)
		}
	}
}

func ExampleVerifyDelivery() {
	body := []byte(`{"zen":"Design for failure.","hook_id":1,"sender":{"login":"ann"}}`)
	header := signed("ping", body, []byte("secret of the hook"))

	d, err := git.VerifyDelivery(header, bytes.NewReader(body), time.Now(), []byte("next secret"), []byte("secret of the hook"))
	fmt.Println(d.ID, d.Event, err)
	// Output: 72d3162e-cc78-11e3-81ab-4c9367dc0958 ping <nil>
}
