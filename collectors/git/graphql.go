package git

import (
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/changevouch/changevouch/engine"
)

// graphql tells GraphQL answers about a pull request by their shape.
func graphql(data json.RawMessage) bool {
	var d struct {
		Repository map[string]json.RawMessage `json:"repository"`
		Node       map[string]json.RawMessage `json:"node"`
	}
	return json.Unmarshal(data, &d) == nil && (d.Repository["pullRequest"] != nil || d.Node["mergedAt"] != nil)
}

type pageInfo struct {
	More bool `json:"hasNextPage"`
}

type oid struct {
	OID string `json:"oid"`
}

// graphPull is a pull request in GraphQL, which alone knows edits of the body,
// the enqueuer and the heads before and after a force-push.
type graphPull struct {
	ID         ident           `json:"fullDatabaseId"`
	OldID      ident           `json:"databaseId"`
	Number     int             `json:"number"`
	URL        string          `json:"url"`
	State      string          `json:"state"`
	Draft      *bool           `json:"isDraft"`
	Title      string          `json:"title"`
	Body       string          `json:"body"`
	Author     *user           `json:"author"`
	CreatedAt  when            `json:"createdAt"`
	UpdatedAt  when            `json:"updatedAt"`
	ClosedAt   when            `json:"closedAt"`
	MergedAt   when            `json:"mergedAt"`
	MergedBy   *user           `json:"mergedBy"`
	EditedAt   when            `json:"-"`
	Edited     json.RawMessage `json:"lastEditedAt"`
	Base       string          `json:"baseRefName"`
	BaseOID    string          `json:"baseRefOid"`
	Head       string          `json:"headRefName"`
	HeadOID    string          `json:"headRefOid"`
	Merge      *oid            `json:"mergeCommit"`
	Repository struct {
		Name string `json:"nameWithOwner"`
	} `json:"baseRepository"`
	Labels struct {
		Nodes []label `json:"nodes"`
	} `json:"labels"`
	Edits struct {
		Nodes []struct {
			At     when  `json:"editedAt"`
			Editor *user `json:"editor"`
		} `json:"nodes"`
	} `json:"userContentEdits"`
	Closing struct {
		Nodes []struct {
			Number     int `json:"number"`
			Repository struct {
				Name string `json:"nameWithOwner"`
			} `json:"repository"`
		} `json:"nodes"`
	} `json:"closingIssuesReferences"`
	Queue *struct {
		Enqueuer *user `json:"enqueuer"`
		At       when  `json:"enqueuedAt"`
		Head     *oid  `json:"headCommit"`
	} `json:"mergeQueueEntry"`
	Reviews *struct {
		Page  pageInfo      `json:"pageInfo"`
		Nodes []graphReview `json:"nodes"`
	} `json:"reviews"`
	Commits *struct {
		Total *int     `json:"totalCount"`
		Page  pageInfo `json:"pageInfo"`
		Nodes []struct {
			Commit graphCommit `json:"commit"`
		} `json:"nodes"`
	} `json:"commits"`
	Timeline *struct {
		Page  pageInfo        `json:"pageInfo"`
		Nodes []graphTimeline `json:"nodes"`
	} `json:"timelineItems"`
}

type graphReview struct {
	ID     ident  `json:"databaseId"`
	FullID ident  `json:"fullDatabaseId"`
	State  string `json:"state"`
	At     when   `json:"submittedAt"`
	Author *user  `json:"author"`
	Body   string `json:"body"`
	Push   *bool  `json:"authorCanPushToRepository"`
	Commit *oid   `json:"commit"`
}

type graphCommit struct {
	OID     string `json:"oid"`
	Message string `json:"message"`
	At      when   `json:"committedDate"`
	Authors struct {
		Nodes []graphPerson `json:"nodes"`
	} `json:"authors"`
	Committer *graphPerson `json:"committer"`
	Signature *struct {
		Valid  *bool  `json:"isValid"`
		State  string `json:"state"`
		Signer *user  `json:"signer"`
	} `json:"signature"`
	Parents struct {
		Nodes []oid `json:"nodes"`
	} `json:"parents"`
}

type graphPerson struct {
	Name  string `json:"name"`
	Email string `json:"email"`
	User  *user  `json:"user"`
}

func (p graphPerson) facts() engine.SignatureFacts {
	f := engine.SignatureFacts{Name: p.Name, Email: p.Email}
	if p.User != nil {
		f.Account = p.User.Login
	}
	return f
}

type graphTimeline struct {
	Kind     string `json:"__typename"`
	At       when   `json:"createdAt"`
	Actor    *user  `json:"actor"`
	Enqueuer *user  `json:"enqueuer"`
	Enabler  *user  `json:"enabler"`
	Before   *oid   `json:"beforeCommit"`
	After    *oid   `json:"afterCommit"`
	State    string `json:"previousReviewState"`
	Message  string `json:"dismissalMessage"`
	Label    *label `json:"label"`
	Assignee *user  `json:"assignee"`
	Review   *struct {
		ID     ident `json:"databaseId"`
		FullID ident `json:"fullDatabaseId"`
	} `json:"review"`
}

// graphql maps a GraphQL answer about one pull request. Errors come with status
// 200 and partial data: any makes the answer incomplete.
func (m *mapper) graphql(rt route, raw json.RawMessage) {
	var w struct {
		Data struct {
			Repository *struct {
				Name string          `json:"nameWithOwner"`
				Pull json.RawMessage `json:"pullRequest"`
			} `json:"repository"`
			Node json.RawMessage `json:"node"`
		} `json:"data"`
		Errors []struct {
			Message string `json:"message"`
		} `json:"errors"`
	}
	if err := json.Unmarshal(raw, &w); err != nil {
		m.Fault("", err)
		return
	}
	repo, pullRaw := graphRepo(rt.name), w.Data.Node
	if r := w.Data.Repository; r != nil {
		repo, pullRaw = firstOf(r.Name, repo), r.Pull
	}
	var p graphPull
	var err error
	switch {
	case len(pullRaw) == 0 || pullRaw[0] != '{':
		if len(w.Errors) == 0 {
			err = errors.New("answer without a pull request")
		}
	default:
		if err = json.Unmarshal(pullRaw, &p); err == nil {
			err = p.EditedAt.UnmarshalJSON(p.Edited)
		}
		if err == nil {
			repo = firstOf(repo, p.Repository.Name, graphRepo(strings.TrimPrefix(p.URL, "https://github.com/")))
			err = m.graphPull(repo, p)
		}
	}
	if err != nil {
		m.Fault("pullRequest", err)
	}
	for i, e := range w.Errors {
		c := engine.CoverageFact{Source: "github", Status: "incomplete", Missing: []string{"pull_request"}, Repository: repo,
			Reason: "GitHub answered: " + clip(e.Message)}
		if p.Number > 0 {
			c.Number = &p.Number
		}
		if i == 0 {
			m.Cover(c)
		}
	}
}

// graphRepo reads owner/name at the start of a path.
func graphRepo(s string) string {
	parts := strings.Split(s, "/")
	if len(parts) < 3 || parts[0] == "" || parts[1] == "" {
		return ""
	}
	return parts[0] + "/" + parts[1]
}

func (m *mapper) graphPull(repo string, p graphPull) error {
	if repo == "" || p.Number <= 0 || p.CreatedAt.IsZero() {
		return errors.New("pull request without repository, number or createdAt: ask for them, or record the answer at graphql/OWNER/NAME/N.json")
	}
	id := "graphql_pull_request:" + string(p.ID)
	if p.ID == "" {
		id = fmt.Sprintf("graphql_pull_request:%s#%d", repo, p.Number)
	}
	subject := pullSubject(repo, p.Number)
	author := p.Author.orGhost()
	f := engine.PullRequestFact{Repository: repo, Number: p.Number, Title: p.Title, Body: p.Body, Author: author,
		BaseBranch: p.Base, BaseSHA: sha(p.BaseOID), HeadBranch: p.Head, HeadSHA: sha(p.HeadOID), Labels: labelNames(p.Labels.Nodes), Draft: p.Draft,
		State: strings.ToLower(p.State), CreatedAt: p.CreatedAt.ptr(), UpdatedAt: p.UpdatedAt.ptr(), ClosedAt: p.ClosedAt.ptr(), MergedAt: p.MergedAt.ptr(),
		MergedBy: p.MergedBy.account(), BodyEditedAt: p.EditedAt.ptr()}
	if p.Merge != nil {
		f.MergeCommitSHA = sha(p.Merge.OID)
	}
	for _, n := range p.Closing.Nodes {
		f.ClosingIssues = append(f.ClosingIssues, firstOf(n.Repository.Name, repo)+"#"+strconv.Itoa(n.Number))
	}
	for _, e := range p.Edits.Nodes {
		if !e.At.IsZero() {
			m.snapshot(id+":body_edited", "change.noted", e.At.Time, e.Editor.account(), subject,
				engine.TimelineFact{Repository: repo, Number: p.Number, Kind: "body_edited"})
		}
	}
	m.snapshot(id+":updated", "change.updated", p.UpdatedAt.Time, nil, subject, f)
	if f.MergedAt != nil {
		m.add(id+":merged", "change.merged", *f.MergedAt, f.MergedBy, subject, engine.PullRequestFact{Repository: repo, Number: p.Number,
			Author: author, CreatedAt: f.CreatedAt, BaseBranch: p.Base, HeadSHA: f.HeadSHA, MergedAt: f.MergedAt, MergedBy: f.MergedBy, MergeCommitSHA: f.MergeCommitSHA})
	}
	if q := p.Queue; q != nil && !q.At.IsZero() {
		e := engine.EnqueueFact{Repository: repo, Number: p.Number}
		if q.Head != nil {
			e.HeadSHA = sha(q.Head.OID)
		}
		m.snapshot(id+":enqueued", "change.enqueued", q.At.Time, q.Enqueuer.account(), subject, e)
	}
	m.graphLists(id, repo, p)
	if string(p.Edited) == "null" {
		// Asked for, and there is no edit: the description is as it was written.
		m.cover(answerKind{source: "github", fact: "body_history"}, route{repo: repo, number: p.Number}, nil, extent{complete: true})
	}
	return nil
}

// graphLists maps reviews, commits and timeline, each with its own coverage.
func (m *mapper) graphLists(id, repo string, p graphPull) {
	rt := route{repo: repo, number: p.Number, kind: "graphql"}
	covered := func(fact string, page pageInfo, faults int) {
		x := extent{complete: !page.More}
		if page.More && !m.payload.NextPage {
			x.cut = "the list goes on, and no further page was recorded"
		}
		if len(m.Mapping().Faults) > faults {
			x.cut = "records of the list could not be read"
		}
		m.cover(answerKind{source: "github", fact: fact}, rt, nil, x)
	}
	if p.Reviews != nil {
		faults := len(m.Mapping().Faults)
		for i, r := range p.Reviews.Nodes {
			if err := m.graphReview(rt, r); err != nil {
				m.Fault("pullRequest/reviews/"+record(i), err)
			}
		}
		covered("reviews", p.Reviews.Page, faults)
	}
	if p.Commits != nil {
		faults := len(m.Mapping().Faults)
		list := engine.CommitListFact{Repository: repo, Number: p.Number, SHAs: []string{}, Total: p.Commits.Total,
			Complete: !p.Commits.Page.More && (p.Commits.Total == nil || *p.Commits.Total == len(p.Commits.Nodes))}
		for i, n := range p.Commits.Nodes {
			if sha(n.Commit.OID) == "" {
				m.Fault("pullRequest/commits/"+record(i), errors.New("commit without full id"))
				list.Complete = false
				continue
			}
			list.SHAs = append(list.SHAs, sha(n.Commit.OID))
			m.graphCommit(repo, n.Commit)
		}
		if list.Complete {
			list.HeadSHA = sha(p.HeadOID)
		}
		m.snapshot(fmt.Sprintf("commits:%s#%d", repo, p.Number), "change.commits_listed", m.Observed(), nil, pullSubject(repo, p.Number), list)
		covered("commits", p.Commits.Page, faults)
	}
	if p.Timeline != nil {
		faults := len(m.Mapping().Faults)
		for _, e := range p.Timeline.Nodes {
			m.graphTimeline(id, rt, e)
		}
		covered("timeline", p.Timeline.Page, faults)
	}
}

// graphReview keeps what REST does not know: whether the reviewer may push. It
// is the right as of now.
func (m *mapper) graphReview(rt route, r graphReview) error {
	id := firstOf(string(r.FullID), string(r.ID))
	state := strings.ToUpper(r.State)
	if state == "PENDING" {
		m.Ignore("review not submitted")
		return nil
	}
	if id == "" || state == "" || r.At.IsZero() {
		return errors.New("review without id, state or submittedAt")
	}
	f := engine.ReviewFact{Repository: rt.repo, Number: rt.number, ReviewID: id, State: state, SubmittedAt: r.At.ptr(), Body: r.Body}
	if r.Commit != nil {
		f.CommitID = sha(r.Commit.OID)
	}
	if r.Push != nil {
		f.Permission = "read"
		if *r.Push {
			f.Permission = "write"
		}
	}
	m.snapshot("graphql_review:"+id, "change.reviewed", r.At.Time, r.Author.orGhost(), pullSubject(rt.repo, rt.number), f)
	return nil
}

// graphCommit records a commit; its first author is Git's, the others are the
// co-authors with the accounts that GitHub links to their e-mails.
func (m *mapper) graphCommit(repo string, c graphCommit) {
	id := sha(c.OID)
	f := engine.CommitFact{Repository: repo, SHA: id, Message: c.Message, Trailers: trailerMap(c.Message)}
	for i, person := range c.Authors.Nodes {
		if i == 0 {
			f.Author = person.facts()
			continue
		}
		f.CoAuthors = append(f.CoAuthors, person.facts())
	}
	committer := engine.SignatureFacts{At: c.At.ptr()}
	if c.Committer != nil {
		committer = c.Committer.facts()
		committer.At = c.At.ptr()
	}
	f.Committer = &committer
	for _, p := range c.Parents.Nodes {
		if s := sha(p.OID); s != "" {
			f.Parents = append(f.Parents, s)
		}
	}
	if s := c.Signature; s != nil {
		f.Verified, f.Verification = s.Valid, strings.ToLower(s.State)
		if s.Signer != nil {
			f.Signer = s.Signer.Login
		}
	}
	m.snapshot("graphql_commit:"+repo+":"+id, "commit.recorded", c.At.Time, nil, commitSubject(id), f)
}

// graphNames are REST's names of GraphQL's timeline items.
var graphNames = map[string]string{
	"HeadRefForcePushedEvent": "head_ref_force_pushed", "BaseRefForcePushedEvent": "base_ref_force_pushed",
	"BaseRefChangedEvent": "base_ref_changed", "AutomaticBaseChangeSucceededEvent": "automatic_base_change_succeeded",
	"AutoMergeEnabledEvent": "auto_merge_enabled", "ReadyForReviewEvent": "ready_for_review", "ConvertToDraftEvent": "convert_to_draft",
	"LabeledEvent": "labeled", "UnlabeledEvent": "unlabeled", "AssignedEvent": "assigned", "UnassignedEvent": "unassigned",
}

func (m *mapper) graphTimeline(id string, rt route, e graphTimeline) {
	if e.At.IsZero() {
		m.Fault("pullRequest/timelineItems", fmt.Errorf("%s without createdAt", e.Kind))
		return
	}
	subject := pullSubject(rt.repo, rt.number)
	actor := e.Actor.account()
	switch e.Kind {
	case "ReviewDismissedEvent":
		if e.Review == nil {
			m.Fault("pullRequest/timelineItems", errors.New("ReviewDismissedEvent without its review"))
			return
		}
		review := firstOf(string(e.Review.FullID), string(e.Review.ID))
		m.snapshot("graphql_review:"+review+":dismissal", "change.review_dismissed", e.At.Time, e.Actor.orGhost(), subject, engine.ReviewDismissalFact{
			Repository: rt.repo, Number: rt.number, ReviewID: review, DismissedState: strings.ToUpper(e.State), Reason: e.Message})
	case "AddedToMergeQueueEvent":
		if a := e.Enqueuer.account(); a != nil {
			actor = a
		}
		m.snapshot(id+":enqueued", "change.enqueued", e.At.Time, actor, subject, engine.EnqueueFact{Repository: rt.repo, Number: rt.number})
	case "RemovedFromMergeQueueEvent":
		m.snapshot(id+":dequeued", "change.dequeued", e.At.Time, actor, subject, engine.EnqueueFact{Repository: rt.repo, Number: rt.number})
	default:
		kind, known := graphNames[e.Kind]
		if !known {
			m.Ignore("timeline " + e.Kind)
			return
		}
		if a := e.Enabler.account(); a != nil {
			actor = a
		}
		f := engine.TimelineFact{Repository: rt.repo, Number: rt.number, Kind: kind, Subject: e.Assignee.account()}
		if e.Before != nil {
			f.HeadBefore = sha(e.Before.OID)
		}
		if e.After != nil {
			f.HeadAfter = sha(e.After.OID)
		}
		if e.Label != nil {
			f.Label = e.Label.Name
		}
		m.snapshot(id+":"+kind, "change.noted", e.At.Time, actor, subject, f)
		m.steered(id+":"+kind+":"+e.At.Format(time.RFC3339), rt, kind, e.At.Time, actor, f.Subject)
	}
}
