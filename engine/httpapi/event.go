package httpapi

import (
	"bytes"
	"encoding/json"
	"errors"
	"strconv"

	"github.com/changevouch/changevouch/engine"
	"github.com/changevouch/changevouch/schemas"
)

// readEvents reads one event, a list, or one a line. The error is an
// *engine.InputError whose pointers begin with the number of the event, where there
// are several.
func readEvents(body []byte) ([]engine.Event, error) {
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
		if len(found) == 0 && e.Evidence.Trust == engine.TrustWebhookVerified {
			found = []schemas.Fault{{Pointer: "/evidence/trust", Message: "only a delivery that this server verified itself is webhook_verified"}}
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
