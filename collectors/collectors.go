// Package collectors holds what every collector shares: the raw payload, the
// shape of a mapping, and reading recorded payloads from files.
//
// A mapping is pure: the same bytes give the same events, wherever and whenever
// they are read.
package collectors

import (
	"fmt"
	"time"

	"github.com/changevouch/changevouch/engine"
)

// Payload is one raw document exactly as it was received. Path says where, for
// messages and for sources whose file layout carries meaning; it never reaches
// an event. NextPage tells that the following page of the same list was received
// too, LastPage that the source said that none follows; otherwise a full page may
// be that of a cut list. ObservedAt is when it was received; zero means unknown,
// and the mapping then uses the latest instant that the document itself speaks
// of, since nothing can be read before it happened.
// Grant says, of an answer that refuses, which permission would open it.
type Payload struct {
	Path       string
	Bytes      []byte
	ObservedAt time.Time
	MediaType  string
	Trust      string
	URL        string
	NextPage   bool
	LastPage   bool
	Grant      string
}

// Mapping is what one payload says. Ignored counts, by name, kinds that are no
// change evidence. A record that cannot be read becomes a Fault; the others
// still come out.
type Mapping struct {
	Events  []engine.Event
	Ignored map[string]int
	Faults  []Fault
}

// Mapper turns raw bytes into events. It never panics, reads no clock and
// reaches no network.
type Mapper func(Payload) Mapping

// Fault is one record that could not be read. Record locates it inside the
// file: a JSON pointer, an index or an id.
type Fault struct {
	Path   string
	Record string
	Err    error
}

// Error names file and record.
func (f Fault) Error() string {
	if f.Record == "" {
		return fmt.Sprintf("%s: %v", f.Path, f.Err)
	}
	return fmt.Sprintf("%s: record %s: %v", f.Path, f.Record, f.Err)
}

// Unwrap returns the cause.
func (f Fault) Unwrap() error { return f.Err }
