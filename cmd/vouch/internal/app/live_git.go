package app

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/changevouch/changevouch/collectors"
	"github.com/changevouch/changevouch/collectors/git"
	"github.com/changevouch/changevouch/collectors/iam"
)

// GitHub names what is read from a GitHub server, and as whom: a token from the
// file or from VOUCH_GITHUB_TOKEN or GITHUB_TOKEN, or an app.
type GitHub struct {
	Repositories  []string // OWNER/NAME
	Organizations []string // all their repositories, members and audit log
	BaseURL       string
	TokenFile     string
	AppID, AppKey string // the key is a file
}

// Collectors gives one collector for each repository and organisation.
func (g GitHub) Collectors(ctx context.Context, s Surroundings) ([]collectors.Collector, error) {
	if (g.AppID == "") != (g.AppKey == "") {
		return nil, errors.New("a GitHub App needs both its id and its private key file")
	}
	var all []collectors.Collector
	servers, seen := map[string]*git.GitHub{}, map[string]bool{}
	connect := func(owner string) (*git.GitHub, error) {
		owner = strings.ToLower(owner)
		if servers[owner] != nil {
			return servers[owner], nil
		}
		server, err := g.connect(s, owner)
		servers[owner] = server
		return server, err
	}
	repository := func(server *git.GitHub, name string) error {
		if seen[strings.ToLower(name)] {
			return nil
		}
		seen[strings.ToLower(name)] = true
		c, err := server.Repository(name)
		all = append(all, c)
		return err
	}
	for _, name := range g.Repositories {
		owner, _, _ := strings.Cut(name, "/")
		server, err := connect(owner)
		if err == nil {
			err = repository(server, name)
		}
		if err != nil {
			return nil, err
		}
	}
	for _, org := range g.Organizations {
		server, err := connect(org)
		if err != nil {
			return nil, err
		}
		c, err := server.Organization(org, iam.Map)
		if err != nil {
			return nil, err
		}
		names, err := server.Repositories(ctx, org)
		if err != nil {
			return nil, err
		}
		for _, name := range names {
			if err := repository(server, name); err != nil {
				return nil, err
			}
		}
		all = append(all, c)
	}
	return all, nil
}

// connect opens the server for what one owner has: an app is installed there.
func (g GitHub) connect(s Surroundings, owner string) (*git.GitHub, error) {
	o := git.Options{BaseURL: g.BaseURL, Service: collectors.Service{Notice: s.Notice}}
	if g.AppID != "" {
		text, err := readSecret(g.AppKey)
		if err != nil {
			return nil, fmt.Errorf("key of GitHub App %s: %w", g.AppID, err)
		}
		key, err := git.ParseKey([]byte(text))
		if err != nil {
			return nil, fmt.Errorf("key of GitHub App %s: %s: %w", g.AppID, g.AppKey, err)
		}
		o.App = &git.App{ID: g.AppID, Key: key, Owner: owner, Now: time.Now}
		return git.Connect(o)
	}
	secret, err := token(s, g.TokenFile, "VOUCH_GITHUB_TOKEN", "GITHUB_TOKEN")
	if err != nil {
		return nil, err
	}
	if secret == "" {
		return nil, fmt.Errorf("no credentials for GitHub: set VOUCH_GITHUB_TOKEN, or name a file with %s, or an app with %s and %s", s.flag("token-file"), s.flag("app-id"), s.flag("app-key"))
	}
	o.Token = secret
	return git.Connect(o)
}
