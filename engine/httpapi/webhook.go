package httpapi

import (
	"errors"
	"io"
	"net/http"
	"strings"
	"time"

	"github.com/changevouch/changevouch/engine"
)

// Webhook verifies one delivery over its raw bytes, in constant time, with every
// secret that is valid now, and within the source's replay window. It fills ID and
// Event, and Payload where that is not the body as it came (a form). Its error is told
// to the sender: it says what did not fit and never what would have.
type Webhook func(h http.Header, body []byte, at time.Time) (engine.Delivery, error)

func (s *server) webhooks() {
	for _, source := range []string{"github", "render"} {
		op := operation("webhook-"+source, http.MethodPost, "/v1/webhooks/"+source, "Take a delivery, signed with the webhook's secret")
		op.Description = "It is kept before it is answered, and worked on afterwards. The same delivery again is answered the same and changes nothing."
		op.Responses = answers("accepted", "application/json", "{id}")
		op.Responses["202"] = op.Responses["200"]
		delete(op.Responses, "200")
		s.plain(op, func(w http.ResponseWriter, r *http.Request) { s.deliver(w, r, source) })
		s.takes(op, "application/json", "the delivery, exactly as it was signed", true)
	}
}

func (s *server) deliver(w http.ResponseWriter, r *http.Request, source string) {
	verify := s.Webhooks[source]
	if verify == nil {
		fail(w, problemOf(http.StatusNotFound, "no webhook of "+source+" is set up here"))
		return
	}
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, s.Limits.DeliveryBytes))
	if err != nil {
		s.unreadable(w, r, err)
		return
	}
	_ = http.NewResponseController(w).SetReadDeadline(time.Time{}) // where there is a connection
	at := s.Clock().UTC()
	d, err := verify(r.Header, body, at)
	if err != nil {
		s.Log.WarnContext(r.Context(), "delivery refused", "request_id", requestID(r.Context()), "source", source, "error", err.Error())
		fail(w, problemOf(http.StatusUnauthorized, err.Error()))
		return
	}
	d.Source, d.ReceivedAt = source, at
	if d.Payload == nil {
		d.Payload = body
	}
	d.Digest = engine.Digest(d.Payload)
	added, err := s.Journal.AddDelivery(r.Context(), d)
	if err != nil && !errors.Is(err, engine.ErrConflict) {
		fail(w, s.problem(r.Context(), err))
		return
	}
	if err != nil { // another body under the same id: a forgery would have to know the secret
		fail(w, problemOf(http.StatusConflict, "another delivery has this id"))
		return
	}
	if added && s.Delivered != nil {
		if err := s.Delivered(r.Context()); err != nil {
			s.Log.WarnContext(r.Context(), "delivery waits for the next look", "request_id", requestID(r.Context()), "error", err.Error())
		}
	}
	callOf(r.Context()).target = d.ID
	respond(w, http.StatusAccepted, map[string]string{"id": strings.ToValidUTF8(d.ID, "")})
}
