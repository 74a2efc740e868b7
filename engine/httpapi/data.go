package httpapi

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"github.com/changevouch/changevouch/schemas"
)

// Data answers any document under data of a policy, as OPA's Data API does
// (https://www.openpolicyagent.org/docs/rest-api#data-api).
type Data interface {
	// Query evaluates the document at a path, slash-separated and escaped as in a URL;
	// nil as input is none. The result is nil where it is undefined. The error is a
	// *DataError, or that of the context.
	Query(ctx context.Context, q DataQuery) (DataAnswer, error)
}

// DataQuery is a question to Data.
type DataQuery struct {
	Path       string
	Input      []byte
	Strict     bool // errors of built-ins are errors
	Instrument bool
}

// DataAnswer is what was found.
type DataAnswer struct {
	Result  json.RawMessage
	Metrics map[string]any
}

// DataError is an error in OPA's form. Code is OPA's: invalid_parameter is the
// client's fault, internal_error is not.
type DataError struct {
	Code    string            `json:"code"`
	Message string            `json:"message"`
	Errors  []json.RawMessage `json:"errors,omitempty"`
}

func (e *DataError) Error() string { return e.Code + ": " + e.Message }

const invalidParameter = "invalid_parameter"

func (s *server) data() {
	for _, method := range []string{http.MethodGet, http.MethodPost} {
		for _, path := range []string{"/v1/data", "/v1/data/{path}"} {
			op := operation("", method, path, "Ask the policy for a document, as OPA's Data API does")
			op.OperationID = strings.ToLower(method) + "-data"
			if path != "/v1/data" {
				op.OperationID += "-path"
				op.Parameters = []*huma.Param{{Name: "path", In: "path", Required: true, Schema: &huma.Schema{Type: huma.TypeString}, Description: "elements of the path, with slashes"}}
			}
			op.Description = "Nothing is recorded. What is undefined is 200 without result, and errors are {code, message, errors}: here alone the API is OPA's."
			for _, name := range []string{"pretty", "metrics", "instrument", "provenance", "strict-builtin-errors"} {
				op.Parameters = append(op.Parameters, &huma.Param{Name: name, In: "query", Schema: &huma.Schema{Type: huma.TypeBoolean}})
			}
			if method == http.MethodGet {
				op.Parameters = append(op.Parameters, &huma.Param{Name: "input", In: "query", Schema: &huma.Schema{Type: huma.TypeString}, Description: "the input document, JSON"})
			}
			op.Responses = answers("answer", "application/json", "{result}, and what was asked for besides")
			op.Responses["default"] = answers("error", "application/json", "{code, message, errors}")["200"]
			s.mux.HandleFunc(method+" "+strings.Replace(path, "}", "...}", 1), s.ask)
			s.api.OpenAPI().AddOperation(&op)
			if method == http.MethodPost {
				s.takes(op, "application/json", "{input}", false)
			}
		}
	}
}

// dataResponse is the answer, in OPA's order.
type dataResponse struct {
	DecisionID string          `json:"decision_id,omitempty"`
	Provenance *provenance     `json:"provenance,omitempty"`
	Metrics    map[string]any  `json:"metrics,omitempty"`
	Result     json.RawMessage `json:"result,omitempty"`
	Warning    *dataWarning    `json:"warning,omitempty"`
}

type provenance struct {
	Version   string                       `json:"version"`
	Commit    string                       `json:"build_commit"`
	Timestamp string                       `json:"build_timestamp"`
	Hostname  string                       `json:"build_hostname"`
	Bundles   map[string]DecisionLogBundle `json:"bundles"`
}

type dataWarning struct {
	Code    string `json:"code"`
	Message string `json:"message"`
}

// ask answers a question of OPA's Data API.
func (s *server) ask(w http.ResponseWriter, r *http.Request) {
	rules := s.Rules()
	if rules.Data == nil {
		failData(w, http.StatusNotImplemented, &DataError{Code: "internal_error", Message: "this server answers no data"})
		return
	}
	began := time.Now()
	query := r.URL.Query()
	input, err := readDataInput(r, query)
	if err != nil {
		failData(w, http.StatusBadRequest, &DataError{Code: invalidParameter, Message: err.Error()})
		return
	}
	for _, mode := range query["explain"] {
		switch mode {
		case "notes", "fails", "full", "debug":
			failData(w, http.StatusBadRequest, &DataError{Code: invalidParameter, Message: "explain is not answered here: GET /v1/decisions/{id}/explain explains a decision, opa eval --explain a rule"})
			return
		}
	}
	path := strings.TrimPrefix(strings.TrimPrefix(r.URL.EscapedPath(), "/v1/data"), "/")
	instrument := flagOf(query, "instrument")
	answer, err := rules.Data.Query(r.Context(), DataQuery{Path: path, Input: input, Strict: flagOf(query, "strict-builtin-errors"), Instrument: instrument})
	s.logData(r.Context(), rules, path, input, answer, err, time.Since(began))
	if err != nil {
		s.failedData(w, r, err)
		return
	}
	out := dataResponse{Result: answer.Result}
	if s.DecisionLog != nil {
		out.DecisionID = requestID(r.Context())
	}
	if flagOf(query, "metrics") || instrument {
		out.Metrics = answer.Metrics
	}
	if flagOf(query, "provenance") {
		out.Provenance = &provenance{Version: rules.Engine, Bundles: map[string]DecisionLogBundle{rules.Name: {Revision: rules.Revision}}}
	}
	if r.Method == http.MethodPost && input == nil {
		out.Warning = &dataWarning{Code: "api_usage_warning", Message: "'input' key missing from the request"}
	}
	w.Header().Set("Content-Type", "application/json")
	encoder := json.NewEncoder(w)
	if flagOf(query, "pretty") {
		encoder.SetIndent("", "  ")
	}
	_ = encoder.Encode(out) // the client may be gone
}

// readDataInput finds the input document; nil is none.
func readDataInput(r *http.Request, query url.Values) ([]byte, error) {
	if r.Method != http.MethodPost {
		given := query["input"]
		if len(given) == 0 {
			return nil, nil
		}
		var input json.RawMessage
		decoder := json.NewDecoder(strings.NewReader(given[len(given)-1]))
		err := decoder.Decode(&input)
		if behind, _ := decoder.Token(); err == nil && behind != nil {
			err = fmt.Errorf("error: invalid character '%v' after top-level value", behind)
		}
		if err != nil {
			return nil, fmt.Errorf("parameter contains malformed input document: %w", err)
		}
		return input, bounded(input)
	}
	body := callOf(r.Context()).body
	if strings.Contains(r.Header.Get("Content-Type"), "yaml") && len(body) > 0 {
		doc, faults := schemas.ParseYAML(body)
		if len(faults) > 0 {
			return nil, fmt.Errorf("body contains malformed input document: %s", faults[0])
		}
		body = doc.Canonical()
	}
	if err := bounded(body); err != nil {
		return nil, err
	}
	var request struct {
		Input *json.RawMessage `json:"input"`
	}
	err := json.NewDecoder(bytes.NewReader(body)).Decode(&request)
	if err != nil && !errors.Is(err, io.EOF) {
		return nil, fmt.Errorf("body contains malformed input document: %w", err)
	}
	if request.Input == nil {
		return nil, nil
	}
	return *request.Input, nil
}

// Bounds of an input that need not be a dossier.
const (
	mostNested = 1000
	mostDigits = 400
)

// bounded refuses JSON that costs more than it is worth: nested very deep, or with
// numbers that no computer wants to write out.
func bounded(text []byte) error {
	depth, digits, exponent := 0, 0, false
	inText := false
	for i := 0; i < len(text); i++ {
		c := text[i]
		switch {
		case inText:
			switch c {
			case '\\':
				i++
			case '"':
				inText = false
			}
			continue
		case c == '"':
			inText = true
		case c == '{' || c == '[':
			if depth++; depth > mostNested {
				return fmt.Errorf("input is nested more than %d deep", mostNested)
			}
		case c == '}' || c == ']':
			depth--
		case c >= '0' && c <= '9':
			digits++
			if digits > mostDigits || exponent && digits > 3 {
				return errors.New("input has a number that is too large")
			}
			continue
		case c == '.' || c == '+' || c == '-':
			continue
		case (c == 'e' || c == 'E') && digits > 0:
			digits, exponent = 0, true
			continue
		}
		digits, exponent = 0, false
	}
	return nil
}

// flagOf reads a parameter as OPA does: present without a value is true.
func flagOf(query url.Values, name string) bool {
	given, ok := query[name]
	if !ok {
		return false
	}
	if len(given) == 1 && given[0] == "" {
		return true
	}
	for _, value := range given {
		if strings.EqualFold(value, "true") {
			return true
		}
	}
	return false
}

func (s *server) failedData(w http.ResponseWriter, r *http.Request, err error) {
	var known *DataError
	switch {
	case errors.As(err, &known) && known.Code == invalidParameter:
		failData(w, http.StatusBadRequest, known)
	case errors.As(err, &known):
		failData(w, http.StatusInternalServerError, known)
	default:
		p := s.problem(r.Context(), err)
		failData(w, p.Status, &DataError{Code: "internal_error", Message: p.Detail})
	}
}

// failData answers with an error in OPA's form.
func failData(w http.ResponseWriter, status int, e *DataError) {
	text, err := json.MarshalIndent(e, "", "  ")
	if err != nil { // Errors are JSON already
		text = []byte(`{"code": "internal_error", "message": "the error cannot be written"}`)
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_, _ = w.Write(append(text, '\n')) // the client may be gone
}

// dataCode is OPA's word for a status.
func dataCode(status int) string {
	switch {
	case status == http.StatusUnauthorized, status == http.StatusForbidden:
		return "unauthorized"
	case status == http.StatusNotFound:
		return "resource_not_found"
	case status < http.StatusInternalServerError:
		return invalidParameter
	}
	return "internal_error"
}

// logData tells the decision log of a question.
func (s *server) logData(ctx context.Context, rules Rules, path string, input json.RawMessage, answer DataAnswer, err error, took time.Duration) {
	if s.DecisionLog == nil {
		return
	}
	e := s.entry(ctx, rules, requestID(ctx), path, input)
	e.Result = answer.Result
	e.Metrics = map[string]any{"timer_server_handler_ns": took.Nanoseconds()}
	if err != nil {
		e.Error = &DecisionLogError{Code: "internal_error", Message: err.Error()}
	}
	s.DecisionLog(e)
}
