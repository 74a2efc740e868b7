package git_test

import (
	"bytes"
	"net/http"
	"testing"

	"github.com/changevouch/changevouch/collectors/git"
)

// Whatever arrives, a delivery is refused or carries the bytes that were signed.
func FuzzVerifyDelivery(f *testing.F) {
	secret := []byte("secret")
	f.Add("ping", "application/json", []byte(`{"zen":"x"}`), "")
	f.Add("push", "application/x-www-form-urlencoded", []byte("payload=%7B%7D"), "")
	f.Add("push", "", []byte("%zz"), "sha256=00")
	f.Fuzz(func(t *testing.T, event, media string, body []byte, signature string) {
		h := signed(event, body, secret)
		h.Set("Content-Type", media)
		if signature != "" {
			h = http.Header{"X-Github-Event": {event}, "X-Github-Delivery": {"1"}, "X-Hub-Signature-256": {signature}, "Content-Type": {media}}
		}
		d, err := git.VerifyDelivery(h, bytes.NewReader(body), day(1), secret)
		if err == nil && signature != "" && signature != signed(event, body, secret).Get("X-Hub-Signature-256") {
			t.Fatalf("took the signature %q", signature)
		}
		if err == nil {
			git.Map(d.Payload)
		}
	})
}
