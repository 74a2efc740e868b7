package render

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"strings"

	"github.com/changevouch/changevouch/engine"
)

// Planned finds the deploy of a commit that is in its pre-deploy command: Render tells
// that command which service and commit it is for, but not which deploy, what triggered
// it or who. One deploy of a service runs at a time. What Render does not say, or does
// not let this key read, stays empty.
func (c *Client) Planned(ctx context.Context, service, commit string) (engine.PlannedDeployment, error) {
	p := engine.PlannedDeployment{System: system, Service: service, Commit: strings.ToLower(commit)}
	var deploy object
	err := c.items(ctx, "services/"+service+"/deploys", url.Values{"status": {"pre_deploy_in_progress"}, "limit": {"1"}}, func(item object) {
		if one := item.obj("deploy"); deploy == nil && strings.EqualFold(one.obj("commit").str("id"), commit) {
			deploy = one
		}
	})
	if err != nil {
		return p, err
	}
	if deploy == nil {
		return p, fmt.Errorf("render: no deploy of %.12s to %s is in its pre-deploy command", commit, service)
	}
	p.ID, p.Trigger = deploy.str("id"), deploy.str("trigger")
	err = c.items(ctx, "services/"+service+"/events", url.Values{"type": {"deploy_started"}, "limit": {"20"}}, func(item object) {
		details := item.obj("event").obj("details")
		if details.str("deployId") != p.ID {
			return
		}
		if who := user(details.obj("trigger")["user"]); who != nil && p.User == "" {
			p.User = who.Account
		}
	})
	return p, err
}

// items hands over the elements of one page of a list.
func (c *Client) items(ctx context.Context, path string, query url.Values, take func(object)) error {
	_, a, err := c.get(ctx, path, query, 1)
	if err != nil {
		return err
	}
	if a.Refused() {
		return fmt.Errorf("render: %s answered HTTP %d: does the key belong to a member of this workspace?", path, a.Status)
	}
	doc, err := parse(a.Body)
	if err != nil {
		return fmt.Errorf("render: %s: %w", path, err)
	}
	list, ok := doc.([]any)
	if !ok {
		return errors.New("render: " + path + " answered no list")
	}
	for _, one := range list {
		if item, ok := one.(map[string]any); ok {
			take(item)
		}
	}
	return nil
}
