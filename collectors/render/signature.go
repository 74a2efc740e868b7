package render

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/changevouch/changevouch/collectors"
	"github.com/changevouch/changevouch/engine"
)

// tolerance is how far the time of a delivery may be from ours: an older one may
// be a replay, a later one has a wrong clock.
const tolerance = 5 * time.Minute

// Webhook checks the deliveries of Render's webhooks, which follow the Standard
// Webhooks specification. Safe for concurrent use.
type Webhook struct {
	keys [][]byte
}

// NewWebhook takes the signing secrets of the webhooks that deliver to one
// address: two while one of them is being replaced, since Render cannot change a
// secret in place. A secret is base64, with whsec_ in front or without.
func NewWebhook(secrets ...string) (Webhook, error) {
	var w Webhook
	for i, secret := range secrets {
		key, err := base64.StdEncoding.DecodeString(strings.TrimPrefix(strings.TrimSpace(secret), "whsec_"))
		if err != nil || len(key) == 0 {
			return Webhook{}, fmt.Errorf("webhook secret %d is no base64: copy it whole from Render's webhook page", i+1)
		}
		w.keys = append(w.keys, key)
	}
	if len(w.keys) == 0 {
		return Webhook{}, errors.New("no webhook secret: nothing could be verified")
	}
	return w, nil
}

// Verify checks one delivery, received at that instant: its headers and its body
// exactly as it came. It returns the body as a payload for Map, and the id that a
// repeated delivery has again; within the five minutes for which a delivery is
// accepted, whoever receives deliveries must take each id once.
func (w Webhook) Verify(h http.Header, body []byte, at time.Time) (collectors.Payload, string, error) {
	id, stamp, signatures := h.Get("webhook-id"), h.Get("webhook-timestamp"), h.Get("webhook-signature")
	if id == "" || stamp == "" || signatures == "" {
		return collectors.Payload{}, "", errors.New("webhook: the headers webhook-id, webhook-timestamp and webhook-signature must all be there")
	}
	sent, err := strconv.ParseInt(stamp, 10, 64)
	if err != nil {
		return collectors.Payload{}, "", errors.New("webhook: webhook-timestamp is no Unix time")
	}
	if off := at.Unix() - sent; off > int64(tolerance/time.Second) || off < -int64(tolerance/time.Second) {
		return collectors.Payload{}, "", fmt.Errorf("webhook: sent more than %s before or after now: a replay, or a wrong clock", tolerance)
	}
	if !w.signed(id+"."+stamp+".", body, signatures) {
		return collectors.Payload{}, "", errors.New("webhook: no signature fits: the secret is another one, or the body was changed on its way")
	}
	if doc, err := parse(body); err == nil {
		o, _ := doc.(map[string]any)
		if event := object(o).obj("data").str("id"); event != "" && strings.HasPrefix(event, "evt-") && event != id {
			return collectors.Payload{}, "", errors.New("webhook: webhook-id is not the event that the body announces")
		}
	}
	return collectors.Payload{
		Path: "webhooks/" + id + ".json", Bytes: body, ObservedAt: at, MediaType: "application/json", Trust: engine.TrustWebhookVerified,
	}, id, nil
}

// signed tells whether one of the space-separated signatures is that of one of
// the keys. Versions other than v1 are none that we know.
func (w Webhook) signed(prefix string, body []byte, signatures string) bool {
	for _, key := range w.keys {
		mac := hmac.New(sha256.New, key)
		mac.Write([]byte(prefix))
		mac.Write(body)
		want := []byte("v1," + base64.StdEncoding.EncodeToString(mac.Sum(nil)))
		for signature := range strings.FieldsSeq(signatures) {
			if hmac.Equal([]byte(signature), want) {
				return true
			}
		}
	}
	return false
}
