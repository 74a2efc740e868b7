package app

import (
	"fmt"
	"net"
	"net/url"

	"github.com/changevouch/changevouch/collectors"
	"github.com/changevouch/changevouch/collectors/render"
)

// Render names what is read from Render, with an API key from the file or from
// VOUCH_RENDER_API_KEY or RENDER_API_KEY.
type Render struct {
	Owners       []string // workspaces, tea-… or usr-…
	Organization string   // org-…: its audit log goes with the first workspace
	Services     []string // srv-…, each alone
	BaseURL      string
	TokenFile    string
}

// Collectors gives one collector for each workspace and each service.
func (r Render) Collectors(s Surroundings) ([]collectors.Collector, error) {
	if len(r.Owners)+len(r.Services) == 0 {
		if r.Organization != "" {
			return nil, fmt.Errorf("%s adds an audit log to a workspace: name the workspace with %s", s.flag("organization"), s.flag("owner"))
		}
		return nil, nil
	}
	service := collectors.Service{Notice: s.Notice}
	if r.BaseURL != "" {
		base, err := baseURL(r.BaseURL)
		if err != nil {
			return nil, err
		}
		service.Base = base
	}
	key, err := token(s, r.TokenFile, "VOUCH_RENDER_API_KEY", "RENDER_API_KEY")
	if err != nil {
		return nil, err
	}
	if key == "" {
		return nil, fmt.Errorf("no credentials for Render: set VOUCH_RENDER_API_KEY, or name a file with %s", s.flag("token-file"))
	}
	client, err := render.NewClient(key, service)
	if err != nil {
		return nil, err
	}
	var all []collectors.Collector
	for i, owner := range r.Owners {
		live := render.Live{Client: client, Owner: owner}
		if i == 0 {
			live.Organization = r.Organization
		}
		all = append(all, live)
	}
	for _, id := range r.Services {
		all = append(all, render.Live{Client: client, Service: id})
	}
	return all, nil
}

// baseURL reads the address of an API. Credentials travel to it, so it is https,
// except on this very machine.
func baseURL(text string) (*url.URL, error) {
	u, err := url.Parse(text)
	if err != nil || u.Host == "" || u.User != nil || u.RawQuery != "" {
		return nil, fmt.Errorf("%q is no address of an API, such as https://api.example.com", text)
	}
	ip := net.ParseIP(u.Hostname())
	here := u.Hostname() == "localhost" || ip != nil && ip.IsLoopback()
	if u.Scheme != "https" && (u.Scheme != "http" || !here) {
		return nil, fmt.Errorf("%s: credentials go to https addresses only", text)
	}
	return u, nil
}
