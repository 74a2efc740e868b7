package git

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"time"

	"github.com/changevouch/changevouch/collectors"
	"github.com/changevouch/changevouch/engine"
)

// MaxDelivery is the size of the largest webhook delivery that GitHub sends.
const MaxDelivery = 25 << 20

// ErrSignature says that a delivery was signed with none of the secrets.
var ErrSignature = errors.New("the signature is wrong")

// Delivery is a webhook delivery that GitHub signed. ID is the same when it is
// delivered again: the first one counts.
type Delivery struct {
	ID      string
	Event   string
	Payload collectors.Payload
}

var (
	eventPattern    = regexp.MustCompile(`^[a-z0-9_]{1,64}$`)
	deliveryPattern = regexp.MustCompile(`^[0-9A-Za-z-]{1,64}$`)
)

// VerifyDelivery reads a delivery that was received at an instant and checks its
// HMAC-SHA-256 (X-Hub-Signature-256) over the raw bytes. Any one of the secrets
// will do, so that they can be rotated. The older SHA-1 signature counts for
// nothing, and neither does an empty secret. A body that is too large gives
// *http.MaxBytesError, a wrong signature ErrSignature.
func VerifyDelivery(h http.Header, body io.Reader, at time.Time, secrets ...[]byte) (Delivery, error) {
	d := Delivery{ID: h.Get("X-GitHub-Delivery"), Event: h.Get("X-GitHub-Event")}
	if !deliveryPattern.MatchString(d.ID) || !eventPattern.MatchString(d.Event) {
		return Delivery{}, errors.New("no delivery of GitHub: X-GitHub-Delivery or X-GitHub-Event is absent or malformed")
	}
	raw, err := io.ReadAll(http.MaxBytesReader(nil, io.NopCloser(body), MaxDelivery))
	if err != nil {
		return Delivery{}, fmt.Errorf("delivery %s: %w", d.ID, err)
	}
	if err := verify(h.Get("X-Hub-Signature-256"), raw, secrets); err != nil {
		return Delivery{}, fmt.Errorf("delivery %s: %w", d.ID, err)
	}
	text := raw
	if strings.HasPrefix(h.Get("Content-Type"), "application/x-www-form-urlencoded") {
		form, err := url.ParseQuery(string(raw))
		if err != nil || form.Get("payload") == "" {
			return Delivery{}, fmt.Errorf("delivery %s: a form without payload", d.ID)
		}
		text = []byte(form.Get("payload"))
	}
	d.Payload = collectors.Payload{Path: d.Event + "/" + d.ID + ".json", Bytes: text, ObservedAt: at,
		MediaType: "application/json", Trust: engine.TrustWebhookVerified}
	return d, nil
}

// verify compares in constant time, and with every secret.
func verify(signature string, raw []byte, secrets [][]byte) error {
	digits, ok := strings.CutPrefix(signature, "sha256=")
	given, err := hex.DecodeString(digits)
	if !ok || err != nil || len(given) != sha256.Size {
		return fmt.Errorf("%w: X-Hub-Signature-256 is absent or malformed", ErrSignature)
	}
	right := false
	for _, secret := range secrets {
		if len(secret) == 0 {
			continue
		}
		mac := hmac.New(sha256.New, secret)
		mac.Write(raw)
		right = hmac.Equal(mac.Sum(nil), given) || right
	}
	if !right {
		return ErrSignature
	}
	return nil
}
