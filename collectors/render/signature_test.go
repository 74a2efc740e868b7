package render_test

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/changevouch/changevouch/collectors/render"
	"github.com/changevouch/changevouch/engine"
)

// delivery is a recorded webhook delivery with what a verifier must say of it.
type delivery struct {
	Request struct {
		Headers map[string]string `json:"headers"`
		Body    string            `json:"body"`
	} `json:"request"`
	Key    string `json:"test_signing_key_base64"`
	At     int64  `json:"verify_at_unix"`
	Expect string `json:"expect"`
}

func (d delivery) header() http.Header {
	h := http.Header{}
	for k, v := range d.Request.Headers {
		h.Set(k, v)
	}
	return h
}

func deliveries(t testing.TB) map[string]delivery {
	t.Helper()
	out := map[string]delivery{}
	for name, b := range payloads(t) {
		if !strings.HasPrefix(name, "webhooks/") {
			continue
		}
		var d delivery
		if err := json.Unmarshal(b, &d); err != nil {
			t.Fatal(err)
		}
		out[name] = d
	}
	return out
}

const otherKey = "b3RoZXIta2V5LW9mLWEtdGVzdA=="

func TestVerify(t *testing.T) {
	valid, invalid := 0, 0
	for name, d := range deliveries(t) {
		t.Run(name, func(t *testing.T) {
			for _, secrets := range [][]string{{d.Key}, {"whsec_" + d.Key}, {otherKey, d.Key}} {
				hook, err := render.NewWebhook(secrets...)
				if err != nil {
					t.Fatal(err)
				}
				p, id, err := hook.Verify(d.header(), []byte(d.Request.Body), time.Unix(d.At, 0))
				if d.Expect != "valid" {
					if err == nil || id != "" || p.Bytes != nil {
						t.Errorf("accepted, though %s", d.Expect)
					}
					continue
				}
				if err != nil || id != d.Request.Headers["webhook-id"] || p.Trust != engine.TrustWebhookVerified || string(p.Bytes) != d.Request.Body {
					t.Errorf("id %q, trust %q: %v", id, p.Trust, err)
				}
				if m := render.Map(p); len(m.Faults) > 0 {
					t.Errorf("the payload cannot be read: %v", m.Faults)
				}
			}
		})
		if d.Expect == "valid" {
			valid++
		} else {
			invalid++
		}
	}
	if valid < 20 || invalid < 5 {
		t.Errorf("%d valid and %d invalid deliveries", valid, invalid)
	}
}

func TestVerifyEdges(t *testing.T) {
	d := deliveries(t)["webhooks/deploy_started.json"]
	hook, err := render.NewWebhook(d.Key)
	if err != nil {
		t.Fatal(err)
	}
	verify := func(h http.Header, off time.Duration) error {
		sent := mustInt(t, d.Request.Headers["webhook-timestamp"])
		_, _, err := hook.Verify(h, []byte(d.Request.Body), time.Unix(sent, 0).Add(off))
		return err
	}
	for off, ok := range map[time.Duration]bool{
		0: true, 5 * time.Minute: true, -5 * time.Minute: true, 5*time.Minute + time.Second: false, -5*time.Minute - time.Second: false,
	} {
		if err := verify(d.header(), off); (err == nil) != ok {
			t.Errorf("%s after it was sent: %v", off, err)
		}
	}
	for name, change := range map[string]func(http.Header){
		"no id":                  func(h http.Header) { h.Del("webhook-id") },
		"no time":                func(h http.Header) { h.Set("webhook-timestamp", "soon") },
		"time beyond all bounds": func(h http.Header) { h.Set("webhook-timestamp", "-9223372036854775808") },
		"a version of tomorrow": func(h http.Header) {
			h.Set("webhook-signature", strings.ReplaceAll(h.Get("webhook-signature"), "v1,", "v2,"))
		},
	} {
		h := d.header()
		change(h)
		if verify(h, 0) == nil {
			t.Errorf("%s: accepted", name)
		}
	}
	for _, secrets := range [][]string{{}, {""}, {"whsec_"}, {"not base64!"}, {d.Key, ""}} {
		if _, err := render.NewWebhook(secrets...); err == nil || (len(secrets) > 0 && len(secrets[0]) > 8 && strings.Contains(err.Error(), secrets[0])) {
			t.Errorf("secrets of %d: %v", len(secrets), err)
		}
	}
}

func mustInt(t testing.TB, s string) (n int64) {
	t.Helper()
	if _, err := fmt.Sscan(s, &n); err != nil {
		t.Fatal(err)
	}
	return n
}

// FuzzVerify: whatever comes in, nothing panics, and nothing is accepted that
// was not signed with the key.
func FuzzVerify(f *testing.F) {
	for _, d := range deliveries(f) {
		f.Add(d.Request.Headers["webhook-id"], d.Request.Headers["webhook-timestamp"], d.Request.Headers["webhook-signature"], []byte(d.Request.Body), d.At)
	}
	hook, err := render.NewWebhook(base64.StdEncoding.EncodeToString([]byte("a key that signed none of these")))
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, id, stamp, signature string, body []byte, at int64) {
		h := http.Header{"Webhook-Id": {id}, "Webhook-Timestamp": {stamp}, "Webhook-Signature": {signature}}
		if _, _, err := hook.Verify(h, body, time.Unix(at, 0)); err == nil {
			t.Error("accepted what nobody signed")
		}
	})
}

func ExampleWebhook_Verify() {
	hook, err := render.NewWebhook("whsec_cmVuZGVyLWZpeHR1cmUtb25seS1ub3QtYS1zZWNyZXQ=")
	if err != nil {
		fmt.Println(err)
		return
	}
	h := http.Header{}
	h.Set("webhook-id", "evt-dacjosovkh3unl3jjb6g")
	h.Set("webhook-timestamp", "1788427381")
	h.Set("webhook-signature", "v1,mNqpjgdy5yUHKQVbJGlutMyFBatedudZ0/QxkC8ck/8=")
	body := []byte(`{"type":"deploy_ended","timestamp":"2026-09-03T09:22:59.200001Z","data":{"id":"evt-dacjosovkh3unl3jjb6g","serviceId":"srv-daaj900jviva8ee69rvg","serviceName":"payments-api","status":"succeeded"}}`)
	payload, id, err := hook.Verify(h, body, time.Unix(1788427382, 0))
	if err != nil {
		fmt.Println(err)
		return
	}
	for _, e := range render.Map(payload).Events {
		fmt.Println(id, e.Type, e.Evidence.Trust)
	}
	// Output: evt-dacjosovkh3unl3jjb6g coverage.recorded webhook_verified
}
