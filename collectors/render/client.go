package render

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"strings"

	"github.com/changevouch/changevouch/collectors"
	"github.com/changevouch/changevouch/engine"
)

// api is where Render answers.
const api = "https://api.render.com/v1"

// Client asks Render's REST API. It asks for nothing that holds a secret: never
// for environment variables, secret files, connection information or webhooks.
type Client struct {
	http *http.Client
	base *url.URL
}

// NewClient makes a client with an API key. Service says how to reach the API;
// its Base is Render's own where it is nil, its Authorize is set here.
//
// A key belongs to a person and carries all of that person's rights; Render has
// no narrower keys. See permissions for whose key is enough.
func NewClient(key string, s collectors.Service) (*Client, error) {
	if s.Base == nil {
		base, err := url.Parse(api)
		if err != nil {
			return nil, fmt.Errorf("render: %w", err)
		}
		s.Base = base
	}
	if key = strings.TrimSpace(key); key == "" || strings.ContainsAny(key, " \t\r\n") {
		return nil, errors.New("render: no API key: set VOUCH_RENDER_API_KEY or RENDER_API_KEY")
	}
	s.Authorize = func(r *http.Request) error {
		r.Header.Set("Authorization", "Bearer "+key)
		return nil
	}
	return &Client{http: collectors.NewClient(s), base: s.Base}, nil
}

// Sizes of a page: as large as Render gives.
const (
	pageSize      = 100
	auditPageSize = 1000
)

// list reads a list to its end, page by page, newest or oldest first as asked.
// Only an empty page is the end: a short one may be the server's idea of a page.
// It returns the refusal where Render does not give the list.
func (c *Client) list(ctx context.Context, path string, query url.Values, size int, take func(collectors.Payload) error) (refused *collectors.Answer, err error) {
	if query == nil {
		query = url.Values{}
	}
	query.Set("limit", strconv.Itoa(size))
	asked := map[string]bool{}
	for page := 1; ; page++ {
		p, a, err := c.get(ctx, path, query, page)
		if err != nil {
			return nil, err
		}
		if a.Refused() {
			return &a, nil
		}
		var items []struct {
			Cursor string `json:"cursor"`
		}
		if err := json.Unmarshal(a.Body, &items); err != nil {
			return nil, fmt.Errorf("render: %s answered no list", path)
		}
		var cursor string
		if len(items) > 0 { // without cursors the list comes in one piece
			cursor = items[len(items)-1].Cursor
		}
		if p.NextPage = cursor != ""; asked[cursor] {
			return nil, fmt.Errorf("render: the pages of %s go round in circles", path)
		}
		asked[cursor] = p.NextPage
		if err := take(p); err != nil {
			return nil, err
		}
		if !p.NextPage {
			return nil, nil
		}
		query.Set("cursor", cursor)
	}
}

// get asks once. The payload has the path under which such an answer is recorded.
func (c *Client) get(ctx context.Context, path string, query url.Values, page int) (collectors.Payload, collectors.Answer, error) {
	if strings.Contains(path, "..") || strings.ContainsAny(path, "?#%\\ ") {
		return collectors.Payload{}, collectors.Answer{}, fmt.Errorf("render: %q holds no id of Render's", path)
	}
	at := c.base.JoinPath(path)
	at.RawQuery = query.Encode()
	a, err := collectors.Ask(ctx, c.http, at.String())
	if err != nil {
		return collectors.Payload{}, a, fmt.Errorf("render: %w", err)
	}
	name := "v1/" + path
	if page > 1 {
		name += ".page-" + strconv.Itoa(page)
	}
	return collectors.Payload{
		Path: name + ".json", Bytes: a.Body, ObservedAt: a.At, MediaType: "application/json", Trust: engine.TrustAPIRead, URL: a.URL,
	}, a, nil
}
