package git

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/changevouch/changevouch/engine"
)

type pull struct {
	ID        ident   `json:"id"`
	Number    int     `json:"number"`
	State     string  `json:"state"`
	Title     string  `json:"title"`
	Body      *string `json:"body"`
	User      *user   `json:"user"`
	Draft     *bool   `json:"draft"`
	Labels    []label `json:"labels"`
	Assignees []user  `json:"assignees"`
	CreatedAt when    `json:"created_at"`
	UpdatedAt when    `json:"updated_at"`
	ClosedAt  when    `json:"closed_at"`
	MergedAt  when    `json:"merged_at"`
	Merged    *bool   `json:"merged"`
	MergedBy  *user   `json:"merged_by"`
	MergeSHA  string  `json:"merge_commit_sha"`
	URL       string  `json:"url"`
	Commits   *int    `json:"commits"`
	Changed   *int    `json:"changed_files"`
	Head      ref     `json:"head"`
	Base      ref     `json:"base"`
}

type ref struct {
	Ref  string      `json:"ref"`
	SHA  string      `json:"sha"`
	Repo *repository `json:"repo"`
}

// pullView is how a pull request was seen.
type pullView struct {
	repo   string
	action string // of a delivery
	actor  *engine.Account
	full   bool // has merged_by and counts, unlike list items
	closed bool // the delivery of its closing: the state at the merge
	// what a delivery adds
	bodyBefore *string
	headBefore string
	assignedBy *engine.Account
}

// pull maps one pull request of the API.
func (m *mapper) pull(rt route, raw json.RawMessage) error {
	var full struct {
		Merged *bool `json:"merged"`
	}
	if err := json.Unmarshal(raw, &full); err != nil {
		return err
	}
	return m.pullRequest(raw, pullView{repo: rt.repo, full: full.Merged != nil})
}

// pullRequest records a pull request: that it was created, what it is now and
// how it ended.
func (m *mapper) pullRequest(raw json.RawMessage, v pullView) error {
	var p pull
	if err := json.Unmarshal(raw, &p); err != nil {
		return err
	}
	if v.repo == "" && p.Base.Repo != nil {
		v.repo = p.Base.Repo.FullName
	}
	if v.repo == "" {
		v.repo = repoOf(p.URL)
	}
	if v.repo == "" || p.Number <= 0 {
		return errors.New("pull request without repository or number")
	}
	if p.CreatedAt.IsZero() {
		return fmt.Errorf("pull request %s#%d: created_at is no instant", v.repo, p.Number)
	}
	id := "pull_request:" + string(p.ID)
	if p.ID == "" {
		id = fmt.Sprintf("pull_request:%s#%d", v.repo, p.Number)
	}
	subject := pullSubject(v.repo, p.Number)
	author := p.User.orGhost()
	m.add(id+":created", "change.created", p.CreatedAt.Time, author, subject, engine.PullRequestFact{
		Repository: v.repo, Number: p.Number, Author: author, CreatedAt: p.CreatedAt.ptr(),
	})
	now := m.pullState(p, v)
	m.snapshot(id+":updated", "change.updated", p.UpdatedAt.Time, v.actor, subject, now)
	m.pullEnd(id, p, v, now)
	if m.isAgent(author) {
		for i := range p.Assignees {
			if a := p.Assignees[i].account(); a != nil && !m.isAgent(a) {
				m.operated(id+":operator:"+firstOf(a.ID, a.Account), p.CreatedAt.Time, v.repo, p.Number, *a, author, "assignee")
			}
		}
	}
	return nil
}

// pullState is the pull request as shown.
func (m *mapper) pullState(p pull, v pullView) engine.PullRequestFact {
	f := engine.PullRequestFact{
		Repository: v.repo, Number: p.Number, Title: p.Title, Author: p.User.orGhost(),
		BaseBranch: p.Base.Ref, BaseSHA: sha(p.Base.SHA), HeadBranch: p.Head.Ref, HeadSHA: sha(p.Head.SHA),
		Labels: labelNames(p.Labels), Draft: p.Draft, State: p.State,
		CreatedAt: p.CreatedAt.ptr(), UpdatedAt: p.UpdatedAt.ptr(), ClosedAt: p.ClosedAt.ptr(), MergedAt: p.MergedAt.ptr(),
		MergedBy: p.MergedBy.account(), CommitCount: p.Commits, ChangedFiles: p.Changed,
		Action: v.action, HeadBefore: v.headBefore, AssignedBy: v.assignedBy,
	}
	if p.Body != nil {
		f.Body = *p.Body
	}
	if v.bodyBefore != nil {
		f.BodyBefore, f.BodyEditedAt = *v.bodyBefore, p.UpdatedAt.ptr()
	}
	for i := range p.Assignees {
		if a := p.Assignees[i].account(); a != nil {
			f.Assignees = append(f.Assignees, *a)
		}
	}
	if !p.MergedAt.IsZero() {
		// Before the merge it is GitHub's throw-away test merge.
		f.MergeCommitSHA = sha(p.MergeSHA)
	}
	f.DependencyUpdates = announcedUpdates(p.User, p.Title, f.Body)
	return f
}

// pullEnd records the merge or the closing. The three views of a merge carry
// different facts, all fixed by it, and therefore have ids of their own.
func (m *mapper) pullEnd(id string, p pull, v pullView, now engine.PullRequestFact) {
	subject := pullSubject(v.repo, p.Number)
	switch {
	case !p.MergedAt.IsZero():
		f := engine.PullRequestFact{
			Repository: v.repo, Number: p.Number, Author: now.Author, CreatedAt: now.CreatedAt, BaseBranch: now.BaseBranch,
			HeadSHA: now.HeadSHA, MergedAt: now.MergedAt, MergedBy: now.MergedBy, MergeCommitSHA: now.MergeCommitSHA,
		}
		switch {
		case v.closed:
			f.Title, f.Body, f.Labels, f.CommitCount, f.Action = now.Title, now.Body, now.Labels, now.CommitCount, v.action
			id += ":merged:delivered"
		case v.full:
			id += ":merged"
		default:
			id += ":merged:listed"
		}
		m.add(id, "change.merged", p.MergedAt.Time, now.MergedBy, subject, f)
	case strings.EqualFold(p.State, "closed") && !p.ClosedAt.IsZero():
		actor := (*engine.Account)(nil)
		if v.closed {
			actor = v.actor
		}
		m.add(id+":abandoned:"+stage(p.ClosedAt.Time, v.closed), "change.abandoned", p.ClosedAt.Time, actor, subject, engine.PullRequestFact{
			Repository: v.repo, Number: p.Number, Author: now.Author, CreatedAt: now.CreatedAt, ClosedAt: now.ClosedAt, State: "closed",
		})
	}
}

// stage ends the id of a fact that a delivery tells with its actor and the API
// without.
func stage(at time.Time, delivered bool) string {
	s := at.Format(time.RFC3339)
	if delivered {
		s += ":delivered"
	}
	return s
}

// isAgent tells coding agents among the accounts.
func (m *mapper) isAgent(a *engine.Account) bool {
	if a == nil {
		return false
	}
	for _, login := range m.settings.Agents {
		if strings.EqualFold(login, a.Account) {
			return true
		}
	}
	return a.ID == "198982749" // Copilot, whatever it is called
}

// operated records that a person steers an agent on a pull request.
func (m *mapper) operated(id string, at time.Time, repo string, number int, operator engine.Account, agent *engine.Account, kind string) {
	m.add(id, "change.operated", at, &operator, pullSubject(repo, number),
		engine.OperatorFact{Repository: repo, Number: number, Operator: operator, Agent: agent, Kind: kind})
}

type review struct {
	ID          ident  `json:"id"`
	User        *user  `json:"user"`
	Body        string `json:"body"`
	State       string `json:"state"`
	CommitID    string `json:"commit_id"`
	SubmittedAt when   `json:"submitted_at"`
	UpdatedAt   when   `json:"updated_at"`
	Association string `json:"author_association"`
	PullURL     string `json:"pull_request_url"`
}

// review maps one review of the API.
func (m *mapper) review(rt route, raw json.RawMessage) error {
	var r review
	if err := json.Unmarshal(raw, &r); err != nil {
		return err
	}
	if pr := routeOfURL(r.PullURL); rt.number == 0 && pr.number > 0 {
		rt.repo, rt.number = pr.repo, pr.number
	}
	return m.reviewed(rt, r, "")
}

// reviewed records one review. A dismissed one is shown in place of what it had
// been, so it is another fact than the review that was submitted.
func (m *mapper) reviewed(rt route, r review, suffix string) error {
	if rt.repo == "" || rt.number <= 0 || r.ID == "" {
		return errors.New("review without id or pull request: record it at repos/OWNER/NAME/pulls/N/reviews.json")
	}
	state := strings.ToUpper(r.State)
	if state == "PENDING" {
		m.Ignore("review not submitted")
		return nil
	}
	if r.SubmittedAt.IsZero() || state == "" {
		return fmt.Errorf("review %s has no state or submitted_at", r.ID)
	}
	if state == "DISMISSED" {
		suffix += ":dismissed"
	}
	m.add("review:"+string(r.ID)+suffix, "change.reviewed", r.SubmittedAt.Time, r.User.orGhost(), pullSubject(rt.repo, rt.number), engine.ReviewFact{
		Repository: rt.repo, Number: rt.number, ReviewID: string(r.ID), State: state, CommitID: sha(r.CommitID),
		SubmittedAt: r.SubmittedAt.ptr(), Association: r.Association, Body: r.Body,
	})
	return nil
}
