package httpapi

import (
	"bytes"
	"encoding/json"
	"errors"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/changevouch/changevouch/engine"
	"github.com/changevouch/changevouch/schemas"
)

// readEvents reads one event, a list, or one a line. The error is an
// *engine.InputError whose pointers begin with the number of the event, where there
// are several. What says that it is of a moment behind latest has not happened.
func readEvents(body []byte, latest time.Time) ([]engine.Event, error) {
	texts, many := eventTexts(body)
	var events []engine.Event
	var faults []schemas.Fault
	for i, text := range texts {
		found := schemas.Validate(schemas.Event, text)
		var e engine.Event
		if len(found) == 0 {
			if err := json.Unmarshal(text, &e); err != nil {
				found = []schemas.Fault{{Message: err.Error()}}
			}
		}
		if len(found) == 0 {
			found = unfit(e, latest)
		}
		for _, f := range found {
			if many {
				f.Pointer, f.Line, f.Column = "/"+strconv.Itoa(i)+f.Pointer, 0, 0
			}
			faults = append(faults, f)
		}
		if len(faults) >= schemas.MaxFaults {
			break
		}
		events = append(events, e)
	}
	if len(faults) == 0 && len(events) == 0 {
		faults = []schemas.Fault{{Message: "there is no event"}}
	}
	if len(faults) > 0 {
		return nil, &engine.InputError{Faults: faults}
	}
	return events, nil
}

// unfit says why nobody may hand in an event that has the right form.
func unfit(e engine.Event, latest time.Time) (found []schemas.Fault) {
	if e.Evidence.Trust == engine.TrustWebhookVerified {
		found = append(found, schemas.Fault{Pointer: "/evidence/trust", Message: "only a delivery that this server verified itself is webhook_verified"})
	}
	for pointer, at := range map[string]time.Time{"/occurred_at": e.OccurredAt, "/observed_at": e.ObservedAt} {
		if at.After(latest) {
			found = append(found, schemas.Fault{Pointer: pointer, Message: at.Format(time.RFC3339) + " is still to come: an event has happened"})
		}
	}
	for pointer, text := range map[string]string{"/id": e.ID, "/source": e.Source, "/type": e.Type, "/subject/type": e.Subject.Type, "/subject/id": e.Subject.ID} {
		if strings.Contains(text, "\x00") {
			found = append(found, schemas.Fault{Pointer: pointer, Message: "a NUL character, which no database keeps"})
		}
	}
	slices.SortFunc(found, func(a, b schemas.Fault) int { return strings.Compare(a.Pointer, b.Pointer) })
	return found
}

// eventTexts takes a body apart. What is no JSON is left to the validation.
func eventTexts(body []byte) (texts []json.RawMessage, many bool) {
	body = bytes.TrimSpace(body)
	if len(body) > 0 && body[0] == '[' {
		if err := json.Unmarshal(body, &texts); err == nil {
			return texts, true
		}
		return []json.RawMessage{body}, false
	}
	lines := bytes.Split(body, []byte("\n"))
	if len(lines) == 1 || errors.Join(lineErrors(lines)...) != nil {
		return []json.RawMessage{body}, false // one document, on as many lines as it likes
	}
	for _, line := range lines {
		if line = bytes.TrimSpace(line); len(line) > 0 {
			texts = append(texts, line)
		}
	}
	return texts, true
}

// lineErrors says which lines do not begin like a document of their own.
func lineErrors(lines [][]byte) []error {
	var errs []error
	for _, line := range lines {
		line = bytes.TrimSpace(line)
		if len(line) > 0 && (line[0] != '{' || line[len(line)-1] != '}') {
			errs = append(errs, errors.New("part of a document"))
			break
		}
	}
	return errs
}
