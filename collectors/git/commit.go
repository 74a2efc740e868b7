package git

import (
	"encoding/json"
	"errors"
	"fmt"
	"regexp"
	"strings"

	"github.com/changevouch/changevouch/engine"
)

type commit struct {
	SHA     string    `json:"sha"`
	URL     string    `json:"url"`
	Author  *user     `json:"author"`
	Commit  gitCommit `json:"commit"`
	Linked  *user     `json:"committer"`
	Parents []struct {
		SHA string `json:"sha"`
	} `json:"parents"`
	Files []file `json:"files"`
}

type gitCommit struct {
	Author    *signature `json:"author"`
	Committer *signature `json:"committer"`
	Message   string     `json:"message"`
	Tree      struct {
		SHA string `json:"sha"`
	} `json:"tree"`
	Verification *struct {
		Verified bool   `json:"verified"`
		Reason   string `json:"reason"`
	} `json:"verification"`
}

type signature struct {
	Name     string `json:"name"`
	Email    string `json:"email"`
	Date     when   `json:"date"`
	Username string `json:"username"`
}

// facts joins what Git records with the account that GitHub links by e-mail.
func (s *signature) facts(linked *user) engine.SignatureFacts {
	var f engine.SignatureFacts
	if s != nil {
		f = engine.SignatureFacts{Name: s.Name, Email: s.Email, At: s.Date.ptr(), Account: s.Username}
	}
	if linked != nil && linked.Login != "" {
		f.Account = linked.Login
	}
	return f
}

// commit maps one commit of the API; with its files where they are included.
func (m *mapper) commit(rt route, raw json.RawMessage) error {
	var c commit
	if err := json.Unmarshal(raw, &c); err != nil {
		return err
	}
	if rt.repo == "" {
		rt.repo = repoOf(c.URL)
	}
	if err := m.recordCommit(rt.repo, c); err != nil {
		return err
	}
	if c.Files != nil {
		m.commitFiles(rt, c)
	}
	return nil
}

func (m *mapper) recordCommit(repo string, c commit) error {
	f, err := commitFact(repo, c)
	if err != nil {
		return err
	}
	e := engine.Event{ID: fmt.Sprintf("github:commit:%s:%s", repo, f.SHA), Type: "commit.recorded", Subject: commitSubject(f.SHA), Data: engine.Facts(f)}
	if f.Committer != nil && f.Committer.At != nil {
		e.OccurredAt = m.byClient(*f.Committer.At)
	}
	m.Add(e)
	return nil
}

func commitFact(repo string, c commit) (engine.CommitFact, error) {
	f := engine.CommitFact{Repository: repo, SHA: sha(c.SHA), TreeSHA: sha(c.Commit.Tree.SHA), Message: c.Commit.Message,
		Author: c.Commit.Author.facts(c.Author), CoAuthors: coAuthors(c.Commit.Message), Trailers: trailerMap(c.Commit.Message)}
	if repo == "" || f.SHA == "" {
		return f, errors.New("commit without repository or full id")
	}
	if c.Commit.Committer != nil {
		committer := c.Commit.Committer.facts(c.Linked)
		f.Committer = &committer
	}
	for _, p := range c.Parents {
		if s := sha(p.SHA); s != "" {
			f.Parents = append(f.Parents, s)
		}
	}
	if v := c.Commit.Verification; v != nil {
		verified := v.Verified
		f.Verified, f.Verification = &verified, v.Reason
	}
	f.MergeFromBase, f.Conflicts = mergeFromBase(c)
	return f, nil
}

// updateSubject is the subject of GitHub's "Update branch" merge. A merged pull
// request has another and brings foreign content.
var updateSubject = regexp.MustCompile(`^Merge (remote-tracking )?branch '[^']+'( of \S+)?( into \S+)?$`)

// mergeFromBase tells commits of GitHub's "Update branch" button: two parents,
// made and signed by GitHub itself. That its second parent lies on the base
// branch shows only beside the other commits of the pull request: were it not
// there, the commits it brings would be listed with it. Whether conflicts were
// resolved by hand does not show, unless the message says so.
func mergeFromBase(c commit) (merge, conflicts *bool) {
	yes, no := true, false
	if len(c.Parents) != 2 {
		if len(c.Parents) > 0 {
			return &no, nil
		}
		return nil, nil // the parents were not part of the answer
	}
	subject, rest, _ := strings.Cut(c.Commit.Message, "\n")
	if v := c.Commit.Verification; v == nil || c.Commit.Committer == nil {
		return nil, nil
	} else if !v.Verified || !byGitHub(c) || !updateSubject.MatchString(strings.TrimSpace(subject)) {
		return &no, nil
	}
	if strings.Contains(rest, "Conflicts:") {
		return &yes, &yes
	}
	return &yes, nil
}

func byGitHub(c commit) bool {
	if c.Linked != nil && c.Linked.Login != "" {
		return c.Linked.Login == "web-flow"
	}
	return c.Commit.Committer.Name == "GitHub" && c.Commit.Committer.Email == "noreply@github.com"
}

// pullCommitCap and pullFileCap are where GitHub cuts these lists silently.
const (
	pullCommitCap = 250
	pullFileCap   = 3000
	commitFileCap = 300
)

// pullCommits maps the commits of a pull request, oldest first.
func (m *mapper) pullCommits(rt route, elements []json.RawMessage, x extent) (string, error) {
	if rt.repo == "" || rt.number <= 0 {
		return "", errors.New("commits of an unknown pull request: record them at repos/OWNER/NAME/pulls/N/commits.json")
	}
	list := engine.CommitListFact{Repository: rt.repo, Number: rt.number, SHAs: []string{}, Complete: x.complete}
	for i, raw := range elements {
		var c commit
		err := json.Unmarshal(raw, &c)
		if err == nil {
			err = m.recordCommit(rt.repo, c)
		}
		if err != nil {
			m.Fault(record(i), err)
			list.Complete = false
			continue
		}
		list.SHAs = append(list.SHAs, sha(c.SHA))
	}
	cut := ""
	if reaches(pullCommitCap, rt, len(elements)) {
		list.Complete, cut = false, "GitHub lists at most 250 commits of a pull request"
	}
	if x.page > 0 {
		list.Page = &x.page
	}
	if n := len(list.SHAs); n > 0 && list.Complete {
		list.HeadSHA = list.SHAs[n-1]
	}
	m.snapshot(fmt.Sprintf("commits:%s#%d", rt.repo, rt.number), "change.commits_listed", m.Observed(), nil, pullSubject(rt.repo, rt.number), list)
	return cut, nil
}

// reaches tells whether n records on this page bring the list to the limit at
// which GitHub cuts it; where the size of the earlier pages is unknown it is one
// of the two usual ones.
func reaches(limit int, rt route, n int) bool {
	if n >= limit {
		return true
	}
	sizes := []int{30, 100}
	if rt.perPage > 0 {
		sizes = []int{rt.perPage}
	}
	for _, size := range sizes {
		if rt.page > 1 && n <= size && (rt.page-1)*size+n == limit {
			return true
		}
	}
	return false
}

// commitPulls maps the pull requests that GitHub associates with a commit.
func (m *mapper) commitPulls(rt route, elements []json.RawMessage, _ extent) (string, error) {
	if rt.repo == "" || rt.sha == "" {
		return "", errors.New("pull requests of an unknown commit: record them at repos/OWNER/NAME/commits/SHA/pulls.json")
	}
	f := engine.CommitPullRequestsFact{Repository: rt.repo, SHA: rt.sha, Numbers: []int{}}
	for i, raw := range elements {
		var p pull
		if err := json.Unmarshal(raw, &p); err != nil {
			m.Fault(record(i), err)
			continue
		}
		// A fork's pull request merged in the fork proves nothing here.
		if p.Base.Repo != nil && !strings.EqualFold(p.Base.Repo.FullName, rt.repo) {
			m.Ignore("pull request of another repository")
			continue
		}
		if err := m.pullRequest(raw, pullView{repo: rt.repo}); err != nil {
			m.Fault(record(i), err)
			continue
		}
		f.Numbers = append(f.Numbers, p.Number)
	}
	m.snapshot("commit_pulls:"+rt.repo+":"+rt.sha, "commit.associated", m.Observed(), nil, commitSubject(rt.sha), f)
	return "", nil
}

type comparison struct {
	URL     string            `json:"url"`
	Status  string            `json:"status"`
	Total   *int              `json:"total_commits"`
	Base    *commit           `json:"base_commit"`
	Commits []json.RawMessage `json:"commits"`
}

// comparison maps compare/BASE...HEAD.
func (m *mapper) comparison(rt route, raw json.RawMessage) error {
	var c comparison
	if err := json.Unmarshal(raw, &c); err != nil {
		return err
	}
	if rt.name == "" || rt.repo == "" {
		rt = routeOfURL(c.URL)
	}
	from, to, _ := strings.Cut(rt.name, "...")
	f := engine.ComparisonFact{Repository: rt.repo, Base: sha(from), Head: sha(to), SHAs: []string{}, Total: c.Total}
	for i, raw := range c.Commits {
		var one commit
		err := json.Unmarshal(raw, &one)
		if err == nil {
			err = m.recordCommit(rt.repo, one)
		}
		if err != nil {
			m.Fault("commits/"+record(i), err)
			continue
		}
		f.SHAs = append(f.SHAs, sha(one.SHA))
	}
	f.Complete = c.Total != nil && len(f.SHAs) == *c.Total
	if f.Base == "" && c.Base != nil {
		f.Base = sha(c.Base.SHA)
	}
	if f.Head == "" && len(f.SHAs) > 0 && f.Complete {
		f.Head = f.SHAs[len(f.SHAs)-1]
	}
	if f.Head == "" && c.Status == "identical" {
		f.Head = f.Base
	}
	if f.Repository == "" || f.Base == "" || f.Head == "" {
		return errors.New("comparison of unknown commits: record it at repos/OWNER/NAME/compare/BASE...HEAD.json with full ids")
	}
	m.snapshot("comparison:"+rt.repo+":"+f.Base+"..."+f.Head, "commits.compared", m.Observed(), nil, commitSubject(f.Head), f)
	return nil
}
