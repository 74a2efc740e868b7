package httpapi

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"

	"github.com/danielgtaylor/huma/v2"

	"github.com/changevouch/changevouch/engine"
	"github.com/changevouch/changevouch/schemas"
)

// problem is an error as a client sees it (RFC 9457). What is not the client's to know
// goes to the log.
func (s *server) problem(ctx context.Context, err error) *huma.ErrorModel {
	var known *huma.ErrorModel
	var input *engine.InputError
	var large *http.MaxBytesError
	switch {
	case errors.As(err, &known):
		return known
	case errors.As(err, &input):
		return faulty("the document is not what its schema asks for", input.Faults)
	case errors.As(err, &large):
		return problemOf(http.StatusRequestEntityTooLarge, fmt.Sprintf("the limit is %d bytes", large.Limit))
	case errors.Is(err, engine.ErrQuestion):
		return problemOf(http.StatusUnprocessableEntity, err.Error())
	case errors.Is(err, engine.ErrNotFound):
		return problemOf(http.StatusNotFound, err.Error())
	case errors.Is(err, engine.ErrRemoved):
		return problemOf(http.StatusGone, err.Error())
	case errors.Is(err, engine.ErrConflict), errors.Is(err, engine.ErrPast), errors.Is(err, engine.ErrSuperseded):
		return problemOf(http.StatusConflict, err.Error())
	case errors.Is(err, context.DeadlineExceeded):
		return problemOf(http.StatusGatewayTimeout, "it took too long: nothing was decided")
	case errors.Is(err, engine.ErrUndecided):
		return problemOf(http.StatusInternalServerError, err.Error())
	}
	status, detail := http.StatusInternalServerError, "the log has the reason, under this request id"
	if errors.Is(err, engine.ErrAway) {
		status, detail = http.StatusServiceUnavailable, "the journal cannot be reached: try again"
	}
	if ctx.Err() == nil {
		s.Log.ErrorContext(ctx, "request failed", "request_id", requestID(ctx), "error", err.Error())
	}
	return problemOf(status, detail)
}

func problemOf(status int, detail string) *huma.ErrorModel {
	return &huma.ErrorModel{Status: status, Title: http.StatusText(status), Detail: detail}
}

// faulty names each fault with its place: body and the JSON pointer behind it.
func faulty(detail string, faults []schemas.Fault) *huma.ErrorModel {
	p := problemOf(http.StatusUnprocessableEntity, detail)
	for _, f := range faults {
		message := f.Message
		if f.Line > 0 {
			message = fmt.Sprintf("%s (line %d, column %d)", message, f.Line, f.Column)
		}
		p.Errors = append(p.Errors, &huma.ErrorDetail{Message: message, Location: "body" + f.Pointer})
	}
	return p
}

// fail answers with a problem. Nothing may have been written before.
func fail(w http.ResponseWriter, p *huma.ErrorModel) {
	if a, ok := w.(*answer); ok && a.opa {
		failData(w, p.Status, &DataError{Code: dataCode(p.Status), Message: p.Detail})
		return
	}
	h := w.Header()
	for _, name := range []string{"ETag", "Cache-Control", "Content-Length"} {
		h.Del(name)
	}
	h.Set("Cache-Control", "no-store")
	h.Set("Content-Type", "application/problem+json")
	w.WriteHeader(p.Status)
	_ = json.NewEncoder(w).Encode(p) // the client may be gone
}

// respond answers with JSON.
func respond(w http.ResponseWriter, status int, v any) {
	text, err := json.Marshal(v)
	if err != nil {
		fail(w, problemOf(http.StatusInternalServerError, "the answer cannot be written"))
		return
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_, _ = w.Write(append(text, '\n')) // the client may be gone
}
