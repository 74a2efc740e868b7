package engine

import "time"

// Delivery is one webhook delivery, as it came and was verified. Source and ID name
// it: the same delivery again is not kept twice.
type Delivery struct {
	Source     string // github or render
	ID         string // X-GitHub-Delivery, webhook-id
	Event      string // X-GitHub-Event; of Render the type of the payload
	ReceivedAt time.Time
	Digest     string // sha256:… of Payload
	Payload    []byte // the exact bytes that were signed
}
