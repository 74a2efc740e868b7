package cli

import (
	"encoding/json"
	"io"
	"time"

	"github.com/changevouch/changevouch/cmd/vouch/internal/app"
)

// gateLine is what is kept of one use of a gate.
type gateLine struct {
	At        time.Time `json:"at"`
	About     string    `json:"about"`
	Mode      string    `json:"mode"`
	Server    string    `json:"server,omitempty"`
	Outcome   string    `json:"outcome,omitempty"`
	Decisions []string  `json:"decisions,omitempty"`
	Problems  []string  `json:"problems,omitempty"`
	Error     string    `json:"error,omitempty"`    // why there is no answer
	OnError   string    `json:"on_error,omitempty"` // what counted then
	Opens     bool      `json:"opens"`
	Exit      int       `json:"exit"`
}

func (l gateLine) outcome() string {
	if l.Error != "" {
		return "error"
	}
	return l.Outcome
}

// gateRecord is where lines are kept.
type gateRecord struct {
	path   string
	chosen bool // by the command line: a line that cannot be written there is an error
	sys    System
}

// openRecord finds the file and makes sure that a line can be added.
func (f gateFlags) openRecord(sys System) (gateRecord, error) {
	r := gateRecord{path: f.record, chosen: f.record != "", sys: sys}
	if !r.chosen {
		path, err := app.StateFile("gates.ndjson")
		if err != nil {
			sys.tell("warning: no record is kept on this machine: %v", err)
			return r, nil
		}
		r.path = path
	}
	err := app.AppendFile(r.path, func(io.Writer) error { return nil })
	return r, r.weigh(err)
}

func (r *gateRecord) weigh(err error) error {
	if err == nil || r.chosen {
		return err
	}
	// A gate in a place where nothing can be written is a gate nevertheless.
	r.sys.tell("warning: no record is kept on this machine: %v", err)
	r.path = ""
	return nil
}

func (r *gateRecord) add(line gateLine) error {
	if r.path == "" {
		return nil
	}
	text, err := json.Marshal(line)
	if err != nil {
		return err
	}
	return r.weigh(app.AppendFile(r.path, func(w io.Writer) error {
		_, err := w.Write(append(text, '\n'))
		return err
	}))
}
