package app

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"

	"github.com/changevouch/changevouch/engine"
)

// ErrUnreachable says that a server gave no answer: it could not be reached, was too
// busy, or took too long. One that refuses a question did answer.
var ErrUnreachable = errors.New("the server gives no answer")

// GateClient asks a server.
type GateClient struct {
	url    *url.URL
	token  string
	client *http.Client
}

// NewGateClient prepares to ask; it reaches no network yet. The token goes to https
// only, or to this machine.
func NewGateClient(server, token string) (*GateClient, error) {
	base, err := baseURL(server)
	if err != nil {
		return nil, fmt.Errorf("server: %w", err)
	}
	if token == "" {
		return nil, errors.New("no token for the server: name a file with --token-file, or set VOUCH_TOKEN (vouch token create --role viewer makes one)")
	}
	// What a redirect would do with the token is nobody's guess.
	client := &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	return &GateClient{url: base.JoinPath("v1/gate"), token: token, client: client}, nil
}

// maxGateAnswer is how large an answer may be.
const maxGateAnswer = 64 << 20

// Ask asks once, for as long as ctx allows. Errors that are ErrUnreachable may be gone
// the next time.
func (c *GateClient) Ask(ctx context.Context, q engine.GateQuestion) (engine.GateAnswer, error) {
	var answer engine.GateAnswer
	body, err := json.Marshal(q)
	if err != nil {
		return answer, err
	}
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, c.url.String(), bytes.NewReader(body))
	if err != nil {
		return answer, err
	}
	r.Header.Set("Authorization", "Bearer "+c.token)
	r.Header.Set("Content-Type", "application/json")
	r.Header.Set("User-Agent", "changevouch")
	resp, err := c.client.Do(r)
	if err != nil {
		return answer, c.unreachable(err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(io.LimitReader(resp.Body, maxGateAnswer+1))
	switch {
	case err != nil:
		return answer, c.unreachable(err)
	case len(text) > maxGateAnswer:
		return answer, fmt.Errorf("%s: the answer is larger than %d MiB", c.url.Host, maxGateAnswer>>20)
	case resp.StatusCode >= 500 && resp.StatusCode != http.StatusNotImplemented || resp.StatusCode == http.StatusTooManyRequests:
		return answer, fmt.Errorf("%w: %s answered %s%s", ErrUnreachable, c.url.Host, resp.Status, detail(text))
	case resp.StatusCode != http.StatusOK:
		return answer, fmt.Errorf("%s refused: %s%s", c.url.Host, resp.Status, detail(text))
	}
	if err := json.Unmarshal(text, &answer); err != nil {
		return answer, fmt.Errorf("%s: no answer of a gate: %w", c.url.Host, err)
	}
	// Nobody has to believe the sum: it follows from its parts.
	if worst := GateOutcome(answer.Decisions, answer.Problems); worst != answer.Outcome {
		return answer, fmt.Errorf("%s: the answer says %s, its decisions say %s", c.url.Host, answer.Outcome, worst)
	}
	return answer, nil
}

func (c *GateClient) unreachable(err error) error {
	if failed, ok := errors.AsType[*url.Error](err); ok {
		err = failed.Err // it names the address, which may hold more than the host
	}
	return fmt.Errorf("%w: %s: %w", ErrUnreachable, c.url.Host, err)
}

// detail is the reason that a problem document (RFC 9457) gives.
func detail(text []byte) string {
	var problem struct {
		Detail string `json:"detail"`
	}
	if json.Unmarshal(text, &problem) != nil || problem.Detail == "" {
		return ""
	}
	return ": " + problem.Detail
}
