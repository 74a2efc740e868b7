package collectors

import (
	"bytes"
	"strconv"
	"strings"
	"time"

	"github.com/changevouch/changevouch/engine"
)

// Recorder builds the Mapping of one payload: it fills what every event of that
// payload shares and leaves to the mapper what the payload says.
type Recorder struct {
	source, provider string
	observed         time.Time
	stamp            string
	evidence         engine.Evidence
	path             string
	mapping          Mapping
}

// NewRecorder starts the mapping of p. Events get source and provider unless
// they bring their own.
func NewRecorder(p Payload, source, provider string) *Recorder {
	digest := engine.Digest(p.Bytes)
	r := &Recorder{
		source: source, provider: provider, path: p.Path, observed: Instant(p.ObservedAt),
		evidence: engine.Evidence{Digest: digest, MediaType: p.MediaType, URL: p.URL, Trust: p.Trust},
	}
	if r.evidence.MediaType == "" {
		r.evidence.MediaType = "application/json"
	}
	if r.evidence.Trust == "" {
		r.evidence.Trust = engine.TrustFile
	}
	if r.observed.IsZero() {
		r.stamp = strings.TrimPrefix(digest, "sha256:")[:16]
		r.observed = latestInstant(p.Bytes)
	} else {
		r.stamp = r.observed.Format(time.RFC3339)
	}
	return r
}

// Observed is when the payload was received: its ObservedAt, or the latest
// instant it speaks of. Zero if it speaks of none.
func (r *Recorder) Observed() time.Time { return r.observed }

// Stamp ends the id of a snapshot that carries no instant of its own: the
// instant of reading, or where that is unknown the start of the payload's digest.
func (r *Recorder) Stamp() string { return r.stamp }

// Add takes an event of which ID, Type, Subject and Data are set. A zero
// OccurredAt means "as read", that is Observed.
func (r *Recorder) Add(e engine.Event) {
	e.Schema = engine.EventSchema
	if e.Source == "" {
		e.Source = r.source
	}
	if e.Provider == "" {
		e.Provider = r.provider
	}
	e.OccurredAt = Instant(e.OccurredAt)
	if e.OccurredAt.IsZero() {
		e.OccurredAt = r.observed
	}
	e.ObservedAt = r.observed
	if !r.observed.IsZero() && r.observed.Before(e.OccurredAt) {
		e.ObservedAt = e.OccurredAt
	}
	e.Evidence = r.evidence
	r.mapping.Events = append(r.mapping.Events, e)
}

// Cover records what was read or could not be read. c.Source is the dossier's
// name of the source (github, render, iam, issues, scanner, …).
func (r *Recorder) Cover(c engine.CoverageFact) {
	subject := engine.Subject{Type: "source", ID: c.Source}
	switch {
	case c.Source == "issues" && c.Repository != "" && c.Number != nil:
		subject = engine.Subject{Type: "issue", ID: c.Repository + "#" + strconv.Itoa(*c.Number)}
	case c.Repository != "" && c.Number != nil:
		subject = engine.Subject{Type: "pull_request", ID: c.Repository + "#" + strconv.Itoa(*c.Number)}
	case c.SHA != "":
		subject = engine.Subject{Type: "commit", ID: c.SHA}
	case c.Service != "":
		subject = engine.Subject{Type: "service", ID: c.Service}
	case c.Repository != "":
		subject = engine.Subject{Type: "repository", ID: c.Repository}
	}
	data := engine.Facts(c)
	id := strings.TrimPrefix(engine.Digest(data), "sha256:")[:16]
	r.Add(engine.Event{
		ID: r.provider + ":coverage:" + id + ":" + r.stamp, Source: eventSource(c.Source),
		Type: "coverage.recorded", Subject: subject, Data: data,
	})
}

// Ignore counts one record of a kind that is no change evidence.
func (r *Recorder) Ignore(kind string) {
	if r.mapping.Ignored == nil {
		r.mapping.Ignored = map[string]int{}
	}
	r.mapping.Ignored[kind]++
}

// Fault reports one record that could not be read.
func (r *Recorder) Fault(record string, err error) {
	r.mapping.Faults = append(r.mapping.Faults, Fault{Path: r.path, Record: record, Err: err})
}

// Mapping is what was recorded so far.
func (r *Recorder) Mapping() Mapping { return r.mapping }

// eventSource translates the dossier's name of a source to the event's.
func eventSource(name string) string {
	switch name {
	case "render", "iam", "issues", "scanner", "attestations":
		return name
	default:
		return "git"
	}
}

// Text is b without a leading UTF-8 byte order mark, which some exports carry
// and no JSON decoder accepts.
func Text(b []byte) []byte { return bytes.TrimPrefix(b, []byte("\xef\xbb\xbf")) }
