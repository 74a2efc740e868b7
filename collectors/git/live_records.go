package git

import (
	"context"
	"fmt"
	"maps"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/changevouch/changevouch/collectors"
)

// waiting is how long before the window a deployment may have been asked for and
// still be decided in it: GitHub fails what waits longer for an approval.
const waiting = 30 * 24 * time.Hour

// runAddress finds the workflow run in a status's links.
var runAddress = regexp.MustCompile(`/actions/runs/(\d+)(?:/|$)`)

// deployments reads deployments newest first, each with its statuses, and who
// approved the runs behind them.
func (l *live) deployments(ctx context.Context, w collectors.Window, position string, commit func(collectors.Step) error) error {
	ref, after, _ := strings.Cut(firstOf(position, l.path("deployments?per_page=100")), " ")
	for ; ref != done; after = "" {
		a, err := l.get(ctx, ref)
		if err != nil {
			return err
		}
		list, err := elements[deployment](a, "")
		if err != nil {
			return err
		}
		next := firstOf(a.next, done)
		read := indexOf(list, after)
		for i, d := range list {
			if d.CreatedAt.Before(w.Since.Add(-waiting)) {
				next = done
			} else if i <= read {
				continue
			} else if err := l.oneDeployment(ctx, d, w, ref+" "+d.name(), commit); err != nil {
				return err
			}
		}
		page := collectors.Step{Position: next, Batch: collectors.Batch{Step: pageName(list)}}
		l.addWindow(&page, l.mapper, a)
		if err := commit(page); err != nil {
			return err
		}
		ref = next
	}
	return nil
}

func (d deployment) name() string { return string(d.ID) }

// oneDeployment reads the statuses of a deployment, and the approvals of the runs
// that they name, unless nothing happened to it since the window began. The API
// gives approvals no time: what was seen first must not be replaced by less.
func (l *live) oneDeployment(ctx context.Context, d deployment, w collectors.Window, position string, commit func(collectors.Step) error) error {
	id, err := strconv.ParseInt(string(d.ID), 10, 64)
	if err != nil {
		return fmt.Errorf("deployment id %q is no number", d.ID)
	}
	step := collectors.Step{Position: position}
	last := d.CreatedAt.Time
	runs := map[string]bool{}
	a, err := l.each(ctx, l.path("deployments/%d/statuses?per_page=100", id), func(a answer) (bool, error) {
		l.add(&step, l.mapper, a)
		list, err := elements[struct {
			Log       string `json:"log_url"`
			Target    string `json:"target_url"`
			CreatedAt when   `json:"created_at"`
		}](a, "")
		for _, s := range list {
			if s.CreatedAt.After(last) {
				last = s.CreatedAt.Time
			}
			if m := runAddress.FindStringSubmatch(firstOf(s.Log, s.Target)); m != nil {
				runs[m[1]] = true
			}
		}
		return true, err
	})
	if err != nil || last.Before(w.Since) && !a.refused() {
		return err
	}
	for _, run := range slices.Sorted(maps.Keys(runs)) {
		if _, err := l.take(ctx, &step, l.mapper, l.path("actions/runs/%s/approvals", run)); err != nil {
			return err
		}
	}
	step.Step = d.name() + "/" + stamp(last)
	return commit(step)
}

// issues reads the issues that were updated since the window began.
func (l *live) issues(ctx context.Context, w collectors.Window, position string, commit func(collectors.Step) error) error {
	if l.about.HasIssues != nil && !*l.about.HasIssues {
		return nil
	}
	return l.updated(ctx, w, position, "issues?state=all", commit)
}

// comments reads the comments on issues and pull requests, likewise.
func (l *live) comments(ctx context.Context, w collectors.Window, position string, commit func(collectors.Step) error) error {
	return l.updated(ctx, w, position, "issues/comments?", commit)
}

// updated reads a list that can be asked for what changed since an instant, the
// longest untouched first. It asks anew from the last instant of each page: pages
// by number would shift when a record moves to the end.
func (l *live) updated(ctx context.Context, w collectors.Window, position, list string, commit func(collectors.Step) error) error {
	if position == done {
		return nil
	}
	since, page := stamp(w.Since), 1
	if at, n, ok := strings.Cut(position, " "); ok {
		since = at
		page, _ = strconv.Atoi(n)
	}
	for {
		query := url.Values{"sort": {"updated"}, "direction": {"asc"}, "since": {since}, "per_page": {"100"}, "page": {strconv.Itoa(page)}}
		a, err := l.get(ctx, l.path("%s&%s", list, query.Encode()))
		if err != nil {
			return err
		}
		items, err := elements[struct {
			UpdatedAt when `json:"updated_at"`
		}](a, "")
		if err != nil {
			return err
		}
		step := collectors.Step{Position: done, Batch: collectors.Batch{Step: since + " " + strconv.Itoa(page) + "/" + stamp(w.Until)}}
		if a.next != "" && len(items) > 0 {
			page++
			if at := stamp(items[len(items)-1].UpdatedAt.Time); at > since {
				since, page = at, 1
			}
			step.Position = since + " " + strconv.Itoa(page)
		}
		l.addWindow(&step, l.mapper, a)
		if err := commit(step); err != nil || step.Position == done {
			return err
		}
	}
}

// scanners are the lists of security alerts; a secret itself is never asked for.
var scanners = []string{
	"dependabot/alerts?sort=updated&direction=desc&per_page=100",
	"code-scanning/alerts?sort=updated&direction=desc&per_page=100",
	"secret-scanning/alerts?sort=updated&direction=desc&per_page=100&hide_secret=true",
}

// alerts reads the security alerts that are open, and those that changed since
// the window began. A scanner that is switched off finds nothing; one that may not
// be read is a gap, and so is having none.
func (l *live) alerts(ctx context.Context, w collectors.Window, position string, commit func(collectors.Step) error) error {
	if position == done {
		return nil
	}
	step := collectors.Step{Position: done, Batch: collectors.Batch{Step: stamp(w.Until)}}
	off := 0
	for _, list := range scanners {
		runs := true
		// What is open may be older than the window.
		for _, query := range []string{list + "&state=open", list} {
			_, err := l.each(ctx, l.path("%s", query), func(a answer) (bool, error) {
				if a.refused() && switchedOff(a) {
					runs = false
					return false, nil
				}
				l.addWindow(&step, l.mapper, a)
				page, err := elements[alert](a, "")
				if err != nil || len(page) == 0 || query != list {
					return true, err
				}
				return !page[len(page)-1].changed().Before(w.Since), nil
			})
			if err != nil {
				return err
			}
		}
		if !runs {
			off++
			name, _, _ := strings.Cut(list, "/")
			step.Add(collectors.Mapping{Ignored: map[string]int{name + " is switched off": 1}})
		}
	}
	if off == len(scanners) {
		step.Gaps = append(step.Gaps, collectors.Gap{Source: "scanner", Fact: "vulnerabilities", Reason: "no scanner of GitHub is switched on for the repository"})
	}
	return commit(step)
}

func (a alert) changed() time.Time {
	at := a.CreatedAt
	for _, t := range []when{a.UpdatedAt, a.FixedAt, a.DismissedAt, a.AutoAt, a.ResolvedAt} {
		at = later(at, t)
	}
	return at.Time
}

// switchedOff recognises GitHub's words for a scanner that does not run. Every
// other refusal is a missing permission.
func switchedOff(a answer) bool {
	text := strings.ToLower(string(a.Bytes))
	for _, word := range []string{"disabled", "must be enabled", "not enabled", "no analysis found"} {
		if strings.Contains(text, word) {
			return true
		}
	}
	return false
}
