package app

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/changevouch/changevouch/collectors/git"
	"github.com/changevouch/changevouch/engine/notify"
)

// githubNotices sends notices as issues of a repository, and those about a pull request
// as comments there. Its text carries the id of the notice, by which one that arrived
// already is found again.
type githubNotices struct {
	notifier   *git.Notifier
	repository string // of issues; empty sends those about pull requests alone
}

func openGitHubNotices(c GitHubConfig, repository string, lookupEnv func(string) (string, bool)) (notify.Sender, error) {
	owner := repository
	if owner == "" && len(c.Repositories) > 0 {
		owner = c.Repositories[0]
	}
	if owner == "" {
		owner = c.Organization
	}
	owner, _, _ = strings.Cut(owner, "/")
	options, err := c.options(owner, lookupEnv)
	if err != nil {
		return nil, err
	}
	notifier, err := git.ConnectNotifier(options)
	if err != nil {
		return nil, err
	}
	return githubNotices{notifier, repository}, nil
}

// Send implements notify.Sender.
func (g githubNotices) Send(ctx context.Context, n notify.Notice) error {
	notice := git.Notice{Title: n.Title, Body: notify.Markdown(n), Mark: "notice " + n.ID}
	if isPullRequest(n.Subject) {
		repository, text, _ := strings.Cut(n.Subject.ID, "#")
		number, err := strconv.Atoi(text)
		if err != nil {
			return err
		}
		return g.notifier.Comment(ctx, repository, number, notice)
	}
	if g.repository == "" {
		return errors.New("the notification names no repository to open an issue in")
	}
	return g.notifier.Open(ctx, g.repository, notice)
}

// options connect to GitHub as the configuration says. An app acts where an owner has
// installed it.
func (c GitHubConfig) options(owner string, lookupEnv func(string) (string, bool)) (git.Options, error) {
	o := git.Options{BaseURL: c.URL}
	if c.App.ID != "" {
		text, err := readSecret(c.App.PrivateKeyFile)
		if err != nil {
			return o, fmt.Errorf("key of GitHub App %s: %w", c.App.ID, err)
		}
		key, err := git.ParseKey([]byte(text))
		if err != nil {
			return o, fmt.Errorf("key of GitHub App %s: %w", c.App.ID, err)
		}
		o.App = &git.App{ID: c.App.ID, Key: key, Owner: owner, Installation: c.App.InstallationID, Now: time.Now}
		return o, nil
	}
	var err error
	if o.Token, err = c.Secret(lookupEnv); err == nil && o.Token == "" {
		err = errors.New("no credentials for GitHub: github.app, github.token_file or github.token_env names them")
	}
	return o, err
}
