// Package engine holds the words of Changevouch: events, dossiers, decisions,
// findings and releases, the interfaces between them, and the verb that judges
// and records a dossier.
//
// Start with Engine.Decide. Everything here is plain data, safe to copy and to
// share between goroutines as long as nobody changes it.
package engine

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"time"
)

// EventSchema is the value of Event.Schema.
const EventSchema = "event/v1"

// How a fact reached us, from most to least trustworthy.
const (
	TrustWebhookVerified = "webhook_verified"
	TrustAPIRead         = "api_read"
	TrustFile            = "file"
	TrustDeclared        = "declared"
)

// Event is one normalised fact that a source reported: immutable, identified
// by ID, in no particular order. Its JSON form is schemas/event.json; Data is
// one of the …Fact types, chosen by Type.
type Event struct {
	Schema     string          `json:"schema"`
	ID         string          `json:"id"`
	Source     string          `json:"source"`
	Provider   string          `json:"provider"`
	Type       string          `json:"type"`
	OccurredAt time.Time       `json:"occurred_at"`
	ObservedAt time.Time       `json:"observed_at"`
	Actor      *Account        `json:"actor,omitempty"`
	Subject    Subject         `json:"subject"`
	Data       json.RawMessage `json:"data"`
	Evidence   Evidence        `json:"evidence"`
}

// Account is an account as a source names it; not yet a person. System is the
// system it belongs to (github, render, aws, …), ID its immutable id there.
type Account struct {
	System  string `json:"system"`
	Account string `json:"account"`
	ID      string `json:"id,omitempty"`
	Kind    string `json:"kind,omitempty"`
	Email   string `json:"email,omitempty"`
}

// Subject names what an event or a dossier is about.
type Subject struct {
	Type string `json:"type"`
	ID   string `json:"id"`
}

// Evidence says where a fact was read. Digest is the SHA-256 of the raw bytes
// received, as "sha256:<hex>".
type Evidence struct {
	Digest    string `json:"digest"`
	MediaType string `json:"media_type"`
	URL       string `json:"url,omitempty"`
	Trust     string `json:"trust"`
}

// Digest returns "sha256:<hex>" of b.
func Digest(b []byte) string {
	sum := sha256.Sum256(b)
	return "sha256:" + hex.EncodeToString(sum[:])
}

// Facts encodes v, one of the …Fact types, as Event.Data.
func Facts(v any) json.RawMessage {
	var buf bytes.Buffer
	enc := json.NewEncoder(&buf)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(v); err != nil {
		// Fact types hold strings, numbers and times only: they always encode.
		panic(fmt.Sprintf("encode %T: %v", v, err))
	}
	return bytes.TrimRight(buf.Bytes(), "\n")
}

// Decode reads e.Data into v, one of the …Fact types.
func (e Event) Decode(v any) error {
	if err := json.Unmarshal(e.Data, v); err != nil {
		return fmt.Errorf("event %s: data of %s: %w", e.ID, e.Type, err)
	}
	return nil
}
