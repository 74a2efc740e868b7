package engine

import (
	"bytes"
	"encoding/json"
	"fmt"
	"time"
)

// Record returns the bytes in which a decision is recorded, and compared when it
// is made again: JSON in the order of the fields, without spaces, no character
// escaped that need not be.
func (d Decision) Record() ([]byte, error) { return record(d, "decision "+d.ID) }

// Record returns the bytes in which an event is recorded, written as those of a
// decision.
func (e Event) Record() ([]byte, error) { return record(e, "event "+e.ID) }

func record(v any, what string) ([]byte, error) {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(v); err != nil {
		return nil, fmt.Errorf("write %s: %w", what, err)
	}
	return bytes.TrimSuffix(b.Bytes(), []byte("\n")), nil
}

// Judge is all that judged a decision, so that it can be made again: one policy,
// or every release of a history.
type Judge []JudgePolicy

// JudgePolicy is one policy of a judge. Version and EffectiveFrom are those of the
// release; a policy that is no release has no EffectiveFrom. Bundle is the bundle
// as bytes, in the form that the keeper of the policy chose; BundleDigest is what
// decisions name. Settings are the effective settings as canonical JSON.
type JudgePolicy struct {
	Version       string
	EffectiveFrom time.Time
	BundleDigest  string
	Bundle        []byte
	Settings      []byte
}
