package render

import (
	"errors"
	"fmt"
	"strings"

	"github.com/changevouch/changevouch/engine"
)

// isDelivery tells a recorded webhook delivery, {headers, payload} or
// {request: {headers, body}}, and the bare payload {type, timestamp, data}.
func isDelivery(o object) bool {
	headers, _ := envelope(o)
	return header(headers, "webhook-id") != "" || isNotice(o)
}

func envelope(o object) (headers object, body any) {
	if request := o.obj("request"); request != nil {
		o = request
	}
	if o.has("payload") {
		return o.obj("headers"), o["payload"]
	}
	return o.obj("headers"), o["body"]
}

// isNotice: the payload names an event and says hardly more.
func isNotice(o object) bool {
	return o.str("type") != "" && o.has("timestamp") && strings.HasPrefix(o.obj("data").str("id"), "evt-")
}

// header reads a header whatever its case; recorders write lists too.
func header(headers object, name string) string {
	for k, v := range headers {
		if !strings.EqualFold(k, name) {
			continue
		}
		if list, ok := v.([]any); ok && len(list) > 0 {
			v = list[0]
		}
		return text(v)
	}
	return ""
}

// delivery maps a webhook delivery. Signatures are checked where a delivery
// comes in; here only webhook-id must name the event, as Render documents.
func (m *mapping) delivery(o object) {
	body := o
	if !isNotice(o) {
		headers, raw := envelope(o)
		if s, ok := raw.(string); ok {
			doc, err := parse([]byte(s))
			if err != nil {
				m.Fault("request.body", fmt.Errorf("read JSON: %w", err))
				return
			}
			raw = doc
		}
		body, _ = raw.(map[string]any)
		if id := header(headers, "webhook-id"); isNotice(body) && id != body.obj("data").str("id") {
			m.Fault(id, fmt.Errorf("webhook-id is not the announced event %s", body.obj("data").str("id")))
			return
		}
	}
	if k, event := kindOf(body); k == kindEvent {
		if err := m.serviceEvent(event); err != nil {
			m.Fault(event.str("id"), err)
		}
		return
	}
	if !isNotice(body) {
		m.Ignore("webhook delivery of another kind")
		return
	}
	if err := m.notice(body); err != nil {
		m.Fault(body.obj("data").str("id"), err)
	}
}

// notice maps a webhook payload. It is thin by design: no details, no person, no
// deploy id. So it is no change yet but the proof that one exists whose details
// must be read from GET /v1/events/{id}. Until the event render:<id> is known,
// the platform's record of that service is incomplete at that instant; from then
// on this notice says nothing more.
func (m *mapping) notice(o object) error {
	data := o.obj("data")
	id, name, at := data.str("id"), o.str("type"), o.at("timestamp")
	if at.IsZero() {
		return errors.New("webhook payload without timestamp")
	}
	if row, known := serviceEvents[name]; known && row.form == ignored {
		m.Ignore(name)
		return nil
	}
	what := name
	if status := data.str("status"); status != "" {
		what += " (" + status + ")"
	}
	c := engine.CoverageFact{
		Source: "render", Status: "incomplete", From: &at, To: &at, Missing: []string{"events"}, Service: data.str("serviceId"),
		Reason: fmt.Sprintf("a webhook announced %s; its details were not read: fetch /v1/events/%s", what, id),
	}
	m.Add(engine.Event{
		ID: "render:" + id + ":announced", Type: "coverage.recorded", OccurredAt: at,
		Subject: engine.Subject{Type: "event", ID: id}, Data: engine.Facts(c),
	})
	return nil
}
