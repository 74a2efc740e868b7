package collectors

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"
)

// Answer is what a service gave to one GET.
type Answer struct {
	Status int
	Header http.Header
	Body   []byte
	At     time.Time // by the server's clock
	URL    string
}

// Ask gets one JSON answer. A refusal (401, 402, 403, 404, 406, 410) is an
// answer: the caller knows what it means; anything else but 200 is an error. It
// names the path and the status, never the query or the body.
func Ask(ctx context.Context, client *http.Client, url string) (Answer, error) {
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return Answer{}, fmt.Errorf("ask: %w", err)
	}
	r.Header.Set("Accept", "application/json")
	resp, err := client.Do(r)
	if err != nil {
		return Answer{}, err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(io.LimitReader(resp.Body, maxAnswer+1))
	if err != nil {
		return Answer{}, fmt.Errorf("read %s: %w", r.URL.Path, err)
	}
	if len(body) > maxAnswer {
		return Answer{}, fmt.Errorf("read %s: an answer larger than %d MiB", r.URL.Path, maxAnswer>>20)
	}
	a := Answer{Status: resp.StatusCode, Header: resp.Header, Body: body, At: ServerTime(resp), URL: url}
	if a.Status != http.StatusOK && !a.Refused() {
		return a, fmt.Errorf("%s%s answered %s", r.URL.Host, r.URL.Path, resp.Status)
	}
	if media := resp.Header.Get("Content-Type"); !a.Refused() && media != "" && !strings.Contains(media, "json") {
		return a, fmt.Errorf("%s%s answered %s instead of JSON: is this the address of the API?", r.URL.Host, r.URL.Path, media)
	}
	return a, nil
}

// Refused tells that the service answers, but not this: no right, no plan, or
// nothing there.
func (a Answer) Refused() bool {
	switch a.Status {
	case http.StatusUnauthorized, http.StatusPaymentRequired, http.StatusForbidden, http.StatusNotFound, http.StatusNotAcceptable, http.StatusGone:
		return true
	}
	return false
}
