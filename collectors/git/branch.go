package git

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"github.com/changevouch/changevouch/engine"
)

// repository maps repos/OWNER/NAME: the default branch.
func (m *mapper) repository(rt route, raw json.RawMessage) error {
	var r repository
	if err := json.Unmarshal(raw, &r); err != nil {
		return err
	}
	if r.FullName == "" || r.DefaultBranch == "" {
		return errors.New("repository without full_name or default_branch")
	}
	m.defaultBranch(r, nil)
	return nil
}

func (m *mapper) defaultBranch(r repository, actor *engine.Account) {
	yes := true
	m.snapshot("default_branch:"+r.FullName, "branch.observed", m.Observed(), actor, branchSubject(r.FullName, r.DefaultBranch),
		engine.BranchHeadFact{Repository: r.FullName, Branch: r.DefaultBranch, DefaultBranch: &yes})
}

// branch maps one branch: its head as read.
func (m *mapper) branch(rt route, raw json.RawMessage) error {
	var b struct {
		Name   string `json:"name"`
		Commit struct {
			SHA string `json:"sha"`
			URL string `json:"url"`
		} `json:"commit"`
		Protected *bool `json:"protected"`
	}
	if err := json.Unmarshal(raw, &b); err != nil {
		return err
	}
	if rt.repo == "" {
		rt.repo = repoOf(b.Commit.URL)
	}
	if rt.repo == "" || b.Name == "" {
		return errors.New("branch without repository or name")
	}
	m.snapshot("branch:"+rt.repo+":"+b.Name, "branch.observed", m.Observed(), nil, branchSubject(rt.repo, b.Name),
		engine.BranchHeadFact{Repository: rt.repo, Branch: b.Name, SHA: sha(b.Commit.SHA), Protected: b.Protected})
	return nil
}

// activity maps one movement of a ref, with the account and the server's time.
func (m *mapper) activity(rt route, raw json.RawMessage) error {
	var a struct {
		ID        ident  `json:"id"`
		Before    string `json:"before"`
		After     string `json:"after"`
		Ref       string `json:"ref"`
		Timestamp when   `json:"timestamp"`
		Kind      string `json:"activity_type"`
		Actor     *user  `json:"actor"`
	}
	if err := json.Unmarshal(raw, &a); err != nil {
		return err
	}
	branch, ok := branchOf(a.Ref)
	if !ok {
		m.Ignore("activity on a tag")
		return nil
	}
	if rt.repo == "" || a.ID == "" || sha(a.After) == "" || a.Timestamp.IsZero() {
		return errors.New("activity without repository, id, after or timestamp: record it at repos/OWNER/NAME/activity.json")
	}
	forced := a.Kind == "force_push"
	m.add("activity:"+string(a.ID), "branch.pushed", a.Timestamp.Time, a.Actor.orGhost(), branchSubject(rt.repo, branch), engine.PushFact{
		Repository: rt.repo, Branch: branch, Before: sha(a.Before), After: sha(a.After), Forced: &forced, Kind: a.Kind,
	})
	return nil
}

type push struct {
	Ref     string       `json:"ref"`
	Before  string       `json:"before"`
	After   string       `json:"after"`
	Forced  *bool        `json:"forced"`
	Created bool         `json:"created"`
	Deleted bool         `json:"deleted"`
	Commits []pushCommit `json:"commits"`
}

type pushCommit struct {
	ID        string    `json:"id"`
	Tree      string    `json:"tree_id"`
	Message   string    `json:"message"`
	Timestamp when      `json:"timestamp"`
	Author    signature `json:"author"`
	Committer signature `json:"committer"`
	Added     []string  `json:"added"`
	Removed   []string  `json:"removed"`
	Modified  []string  `json:"modified"`
}

// push maps the delivery of a push. Its sender is authenticated, its pusher and
// the commits' names are not.
func (m *mapper) push(d delivery, raw json.RawMessage) error {
	var p push
	if err := json.Unmarshal(raw, &p); err != nil {
		return err
	}
	branch, ok := branchOf(p.Ref)
	if !ok {
		m.Ignore("push of a tag")
		return nil
	}
	repo := d.Repository.FullName
	f := engine.PushFact{Repository: repo, Branch: branch, Before: sha(p.Before), After: sha(p.After), Forced: p.Forced,
		DefaultBranch: d.Repository.DefaultBranch, Kind: "push"}
	switch {
	case p.Deleted:
		f.Kind = "branch_deletion"
	case p.Created:
		f.Kind = "branch_creation"
	case p.Forced != nil && *p.Forced:
		f.Kind = "force_push"
	}
	if repo == "" || f.After == "" {
		return errors.New("push without repository or after")
	}
	for i, c := range p.Commits {
		if sha(c.ID) == "" {
			m.Fault("commits/"+record(i), errors.New("commit without full id"))
			continue
		}
		f.Commits = append(f.Commits, sha(c.ID))
		m.pushedCommit(repo, c)
	}
	m.snapshot(fmt.Sprintf("push:%s:%s", repo, branch), "branch.pushed", d.Repository.PushedAt.Time, d.Sender.account(), branchSubject(repo, branch), f)
	return nil
}

// pushedCommit records what a push says of a commit: less than the API does, so
// it is a fact of its own.
func (m *mapper) pushedCommit(repo string, c pushCommit) {
	committer := c.Committer.facts(nil)
	author := c.Author.facts(nil)
	author.At, committer.At = nil, c.Timestamp.ptr()
	id := sha(c.ID)
	m.add("commit:"+repo+":"+id+":pushed", "commit.recorded", m.byClient(c.Timestamp.Time), nil, commitSubject(id), engine.CommitFact{
		Repository: repo, SHA: id, TreeSHA: sha(c.Tree), Author: author, Committer: &committer, Message: c.Message,
		CoAuthors: coAuthors(c.Message), Trailers: trailerMap(c.Message),
	})
	list := engine.FileListFact{Repository: repo, SHA: id, Files: []engine.FileFacts{}, Complete: true}
	for _, group := range []struct {
		status string
		paths  []string
	}{{"added", c.Added}, {"removed", c.Removed}, {"modified", c.Modified}} {
		for _, p := range group.paths {
			if p != "" {
				list.Files = append(list.Files, engine.FileFacts{Path: p, Status: group.status})
			}
		}
	}
	m.listFiles(list, &signature{Date: c.Timestamp})
}

// mergeGroup maps a merge-queue group. Its branch names one pull request; the
// others in it show only in the commits.
func (m *mapper) mergeGroup(d delivery, raw json.RawMessage) error {
	var g struct {
		Group struct {
			HeadSHA string `json:"head_sha"`
			HeadRef string `json:"head_ref"`
			BaseSHA string `json:"base_sha"`
			BaseRef string `json:"base_ref"`
		} `json:"merge_group"`
	}
	if err := json.Unmarshal(raw, &g); err != nil {
		return err
	}
	head, base := sha(g.Group.HeadSHA), strings.TrimPrefix(g.Group.BaseRef, "refs/heads/")
	if d.Repository.FullName == "" || head == "" {
		return errors.New("merge group without repository or head_sha")
	}
	if d.Action != "checks_requested" {
		m.Ignore("merge_group " + d.Action)
		return nil
	}
	f := engine.MergeGroupFact{Repository: d.Repository.FullName, HeadSHA: head, BaseSHA: sha(g.Group.BaseSHA), BaseBranch: base}
	if n := queuedNumber(g.Group.HeadRef); n > 0 {
		f.Numbers = []int{n}
	}
	m.snapshot("merge_group:"+f.Repository+":"+head, "merge_group.created", m.Observed(), d.Sender.account(), commitSubject(head), f)
	return nil
}

// queuedNumber reads the number in gh-readonly-queue/BASE/pr-N-SHA.
func queuedNumber(ref string) int {
	_, last, ok := strings.Cut(ref, "gh-readonly-queue/")
	i := strings.LastIndex(last, "/pr-")
	if !ok || i < 0 {
		return 0
	}
	var n int
	if _, err := fmt.Sscanf(last[i:], "/pr-%d-", &n); err != nil {
		return 0
	}
	return n
}
