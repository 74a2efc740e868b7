package collectors

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"path"
	"slices"
	"strconv"
	"strings"

	"github.com/changevouch/changevouch/engine"
)

// coverageFile names the statement of the windows that a collector run covered.
const coverageFile = "coverage.json"

func isCoverage(p string) bool { return strings.TrimSuffix(path.Base(p), ".gz") == coverageFile }

// mapCoverage reads coverage.json: one object or a list of {source, status, from,
// to, missing?, facts?, reason?}.
func mapCoverage(p Payload) Mapping {
	var entries []json.RawMessage
	text := bytes.TrimSpace(Text(p.Bytes))
	if len(text) > 0 && text[0] == '[' {
		if err := json.Unmarshal(text, &entries); err != nil {
			return Mapping{Faults: []Fault{{Path: p.Path, Err: err}}}
		}
	} else {
		entries = []json.RawMessage{text}
	}
	r := NewRecorder(p, "git", "collector")
	for i, raw := range entries {
		if err := coverEntry(r, raw); err != nil {
			r.Fault(strconv.Itoa(i), err)
		}
	}
	return r.Mapping()
}

func coverEntry(r *Recorder, raw []byte) error {
	var c engine.CoverageFact
	if err := json.Unmarshal(raw, &c); err != nil {
		return fmt.Errorf("read coverage: %w", err)
	}
	known := []string{"github", "git", "render", "iam", "issues", "attestations", "scanner"}
	if !slices.Contains(known, c.Source) {
		return fmt.Errorf("source %q is none of %s", c.Source, strings.Join(known, ", "))
	}
	if !slices.Contains([]string{"complete", "incomplete", "unavailable"}, c.Status) {
		return fmt.Errorf("status %q is none of complete, incomplete, unavailable", c.Status)
	}
	if c.From != nil {
		*c.From = Instant(*c.From)
	}
	if c.To != nil {
		*c.To = Instant(*c.To)
	}
	if c.From != nil && c.To != nil && c.To.Before(*c.From) {
		return errors.New("the window ends before it starts")
	}
	data := engine.Facts(c)
	e := engine.Event{
		ID:     "collector:coverage:" + strings.TrimPrefix(engine.Digest(data), "sha256:")[:16],
		Source: eventSource(c.Source), Type: "coverage.recorded",
		Subject: engine.Subject{Type: "source", ID: c.Source}, Data: data,
	}
	if c.To != nil {
		e.OccurredAt = *c.To
	}
	r.Add(e)
	return nil
}
