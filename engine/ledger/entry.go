package ledger

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"
	"unicode/utf8"
)

// Kinds of entries, and what their body is.
const (
	KindEvents      = "events"      // event/v1 documents, one a line
	KindDecision    = "decision"    // a decision/v1 document
	KindBundle      = "bundle"      // the bytes of a policy bundle
	KindSettings    = "settings"    // canonical JSON of effective settings
	KindJudge       = "judge"       // which bundles and settings judge together
	KindRelease     = "release"     // a policy version and from when it is in force
	KindWaiver      = "waiver"      // a waiver, as a dossier has it
	KindAttestation = "attestation" // an attestation, as a dossier has it
	KindRetention   = "retention"   // which bodies were removed, and why
	KindKey         = "key"         // the public keys before and after a rotation
	KindAction      = "action"      // what somebody changed through the API
)

// Entry is one record of the log. RecordedAt is in UTC, to the microsecond.
type Entry struct {
	Kind       string    // what Body is
	Ref        string    // its id among its kind
	RecordedAt time.Time // when it was written
	Supersedes string    // the ref of the entry that this one takes the place of, if any
	Judge      string    // of a decision: the ref of the judge entry
	Body       []byte
}

const entryFormat = "changevouch/v1"

type header struct {
	Entry      string `json:"entry"`
	Kind       string `json:"kind"`
	Ref        string `json:"ref"`
	RecordedAt string `json:"recorded_at"`
	Supersedes string `json:"supersedes,omitempty"`
	Judge      string `json:"judge,omitempty"`
}

const instant = "2006-01-02T15:04:05.000000Z"

// maxRef bounds the texts of a header.
const maxRef = 4096

// Leaf returns the exact bytes that the log commits to. The error says what
// cannot stand in a header.
func (e Entry) Leaf() ([]byte, error) {
	for _, text := range []string{e.Kind, e.Ref, e.Supersedes, e.Judge} {
		if !utf8.ValidString(text) || len(text) > maxRef || strings.ContainsRune(text, 0) {
			return nil, fmt.Errorf("ledger: %.60q cannot name an entry: it must be UTF-8 without NUL, at most %d bytes", text, maxRef)
		}
	}
	if e.Kind == "" || e.Ref == "" {
		return nil, errors.New("ledger: an entry needs a kind and a ref")
	}
	at := e.RecordedAt.UTC()
	if y := at.Year(); y < 1 || y > 9999 {
		return nil, fmt.Errorf("ledger: an entry cannot be recorded in the year %d", y)
	}
	var b bytes.Buffer
	b.Grow(len(e.Body) + 256)
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	err := enc.Encode(header{entryFormat, e.Kind, e.Ref, at.Format(instant), e.Supersedes, e.Judge})
	if err != nil {
		return nil, fmt.Errorf("ledger: write header: %w", err)
	}
	b.Write(e.Body)
	return b.Bytes(), nil
}

// ParseLeaf reads a leaf. It takes only what Leaf writes, so an entry has one
// form. Body shares the bytes of leaf.
func ParseLeaf(leaf []byte) (Entry, error) {
	line, body, found := bytes.Cut(leaf, []byte("\n"))
	if !found {
		return Entry{}, errors.New("ledger: the leaf has no header line")
	}
	var h header
	if err := json.Unmarshal(line, &h); err != nil {
		return Entry{}, fmt.Errorf("ledger: header of the leaf: %w", err)
	}
	if h.Entry != entryFormat {
		return Entry{}, fmt.Errorf("ledger: the leaf is of format %q, not %q", h.Entry, entryFormat)
	}
	at, err := time.Parse(instant, h.RecordedAt)
	if err != nil {
		return Entry{}, fmt.Errorf("ledger: recorded_at of the leaf: %w", err)
	}
	e := Entry{Kind: h.Kind, Ref: h.Ref, RecordedAt: at, Supersedes: h.Supersedes, Judge: h.Judge, Body: body}
	again, err := e.Leaf()
	if err != nil {
		return Entry{}, err
	}
	if !bytes.Equal(again, leaf) {
		return Entry{}, errors.New("ledger: the header of the leaf is not written as the format asks")
	}
	return e, nil
}
