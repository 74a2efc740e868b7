package git

import (
	"encoding/json"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/changevouch/changevouch/engine"
)

type issue struct {
	ID          ident           `json:"id"`
	Number      int             `json:"number"`
	URL         string          `json:"url"`
	RepoURL     string          `json:"repository_url"`
	Title       string          `json:"title"`
	Body        string          `json:"body"`
	User        *user           `json:"user"`
	State       string          `json:"state"`
	StateReason string          `json:"state_reason"`
	Labels      []label         `json:"labels"`
	CreatedAt   when            `json:"created_at"`
	UpdatedAt   when            `json:"updated_at"`
	ClosedAt    when            `json:"closed_at"`
	ClosedBy    *user           `json:"closed_by"`
	PullRequest json.RawMessage `json:"pull_request"`
	Type        *struct {
		Name string `json:"name"`
	} `json:"type"`
}

func (i issue) isPull() bool { return len(i.PullRequest) > 0 && string(i.PullRequest) != "null" }

// issue maps one issue of the API, which lists pull requests as issues, too.
func (m *mapper) issue(rt route, raw json.RawMessage) error {
	return m.issueSeen(rt.repo, nil, raw)
}

// issueSeen records an issue as shown, and for an incident that it began and
// ended.
func (m *mapper) issueSeen(repo string, actor *engine.Account, raw json.RawMessage) error {
	var i issue
	if err := json.Unmarshal(raw, &i); err != nil {
		return err
	}
	if repo == "" {
		repo = repoOf(i.URL, i.RepoURL)
	}
	if i.isPull() {
		m.Ignore("pull request listed as issue")
		return nil
	}
	if repo == "" || i.Number <= 0 || i.CreatedAt.IsZero() {
		return errors.New("issue without repository, number or created_at")
	}
	f := m.settings.Forms.issueFact(repo, i)
	id := "issue:" + string(i.ID)
	if i.ID == "" {
		id = fmt.Sprintf("issue:%s#%d", repo, i.Number)
	}
	subject := issueSubject(repo, i.Number)
	m.snapshotFrom("issues", id+":updated", "issue.recorded", i.UpdatedAt.Time, actor, subject, f)
	if f.Kind != "incident" {
		return nil
	}
	m.snapshotFrom("issues", id+":detected", "incident.detected", i.CreatedAt.Time, f.Author, subject, f)
	if f.ResolvedAt != nil {
		m.snapshotFrom("issues", id+":resolved", "incident.resolved", *f.ResolvedAt, f.ClosedBy, subject, f)
	}
	return nil
}

// issueFact reads the form of an issue. An incident without an answer about its
// end is resolved when it was closed as completed.
func (f Forms) issueFact(repo string, i issue) engine.IssueFact {
	fact := engine.IssueFact{
		Key: repo + "#" + strconv.Itoa(i.Number), Number: &i.Number, Repository: repo, Title: i.Title,
		State: i.State, StateReason: i.StateReason, Author: i.User.orGhost(), Labels: labelNames(i.Labels),
		CreatedAt: i.CreatedAt.Time, UpdatedAt: i.UpdatedAt.ptr(), ClosedAt: i.ClosedAt.ptr(), ClosedBy: i.ClosedBy.account(),
	}
	marks := fact.Labels
	if i.Type != nil {
		marks = append(slices.Clone(marks), i.Type.Name)
	}
	fact.Kind = f.kind(marks)
	s := f.sections(i.Body)
	if len(s) > 0 {
		fact.Sections = s
	}
	fact.Description, fact.Rollback, fact.Severity = s["description"], s["rollback"], s["severity"]
	if risk := (engine.RiskText{Availability: s["risk_availability"], Security: s["risk_security"], Data: s["risk_data"]}); risk != (engine.RiskText{}) {
		fact.Risk = &risk
	}
	fact.StartedAt, fact.ResolvedAt, fact.CompletedAt = formInstant(s["started_at"]), formInstant(s["resolved_at"]), formInstant(s["completed_at"])
	if fact.Kind == "incident" && fact.ResolvedAt == nil && i.State == "closed" && (i.StateReason == "" || i.StateReason == "completed") {
		fact.ResolvedAt = i.ClosedAt.ptr()
	}
	fact.AffectedComponents = items(s["affected_components"])
	fact.Environment, fact.Service, fact.Decision, fact.Subject = s["environment"], s["service"], s["decision"], s["subject"]
	fact.LimitedToIssue, fact.Reviewer = yes(s["limited_to_issue"]), login(s["reviewer"])
	fact.MentionsCommits = mentionedCommits(i.Body)
	fact.MentionsPullRequests, fact.MentionsIssues = mentioned(repo, i.Body, s["pull_request"])
	return fact
}

// mentionedCommits are the full commit ids in a text, sorted.
func mentionedCommits(text string) []string {
	found := fullSHA.FindAllString(strings.ToLower(content(text)), -1)
	slices.Sort(found)
	return slices.Compact(found)
}

// mentioned are the pull requests of repo that a text names by address or in its
// own section, and the issues or pull requests it names as #N, sorted.
func mentioned(repo, body, pulls string) (numbers []int, issues []string) {
	body = content(body)
	own := map[string]bool{}
	for _, match := range pullAddress.FindAllStringSubmatch(body, -1) {
		if n, err := strconv.Atoi(match[2]); err == nil && strings.EqualFold(match[1], repo) {
			numbers = append(numbers, n)
		}
	}
	for _, one := range items(pulls) {
		one = strings.TrimPrefix(strings.TrimPrefix(one, repo), "#")
		if n, err := strconv.Atoi(one); err == nil && n > 0 {
			numbers = append(numbers, n)
			own[repo+"#"+strconv.Itoa(n)] = true
		}
	}
	for _, match := range slices.Concat(reference.FindAllStringSubmatch(body, -1), issueAddress.FindAllStringSubmatch(body, -1)) {
		if match[1] == "" {
			match[1] = repo
		}
		if key := match[1] + "#" + match[2]; !own[key] {
			issues = append(issues, key)
		}
	}
	slices.Sort(numbers)
	slices.Sort(issues)
	return slices.Compact(numbers), slices.Compact(issues)
}

type issueComment struct {
	ID        ident  `json:"id"`
	URL       string `json:"url"`
	HTMLURL   string `json:"html_url"`
	IssueURL  string `json:"issue_url"`
	User      *user  `json:"user"`
	Body      string `json:"body"`
	CreatedAt when   `json:"created_at"`
	UpdatedAt when   `json:"updated_at"`
}

// comment maps one comment of the API.
func (m *mapper) comment(rt route, raw json.RawMessage) error {
	var c issueComment
	if err := json.Unmarshal(raw, &c); err != nil {
		return err
	}
	if at := routeOfURL(c.IssueURL); at.number > 0 {
		rt.repo, rt.number = at.repo, at.number
	}
	return m.commented(rt, c)
}

// command is the first line of a comment that decides something.
var command = regexp.MustCompile(`^/(approve|reject|validated|declare)\b[ \t]*(\S*)[ \t]*(\S*)`)

// commented records a comment that counts: /approve, /reject, /validated KIND
// pass|fail, /declare TYPE, or one that names commits. An edited comment counts
// from its edit: what it said before does not show.
func (m *mapper) commented(rt route, c issueComment) error {
	if rt.repo == "" || rt.number <= 0 || c.ID == "" || c.CreatedAt.IsZero() {
		return errors.New("comment without issue, id or created_at: record it at repos/OWNER/NAME/issues/N/comments.json")
	}
	text := content(c.Body)
	f := engine.IssueCommentFact{
		Key: rt.repo + "#" + strconv.Itoa(rt.number), Repository: rt.repo, Number: &rt.number, Kind: "comment", Body: c.Body,
		CommentID: string(c.ID), Author: c.User.orGhost(), MentionsCommits: mentionedCommits(c.Body),
	}
	if match := command.FindStringSubmatch(text); match != nil {
		switch match[1] {
		case "approve":
			f.Kind = "approval"
		case "reject":
			f.Kind = "rejection"
		case "validated":
			results := map[string]string{"pass": "pass", "passed": "pass", "fail": "fail", "failed": "fail"}
			if f.Validation, f.Result = match[2], results[strings.ToLower(match[3])]; f.Validation != "" && f.Result != "" {
				f.Kind = "validation"
			} else {
				f.Validation, f.Result = "", ""
			}
		case "declare":
			if f.Result = match[2]; f.Result != "" {
				f.Kind = "declaration"
			}
		}
	}
	if f.Kind == "comment" && len(f.MentionsCommits) == 0 {
		m.Ignore("comment")
		return nil
	}
	subject := issueSubject(rt.repo, rt.number)
	if strings.Contains(c.HTMLURL, "/pull/") {
		subject = pullSubject(rt.repo, rt.number)
	}
	m.snapshotFrom("issues", "comment:"+string(c.ID), "issue.commented", later(c.CreatedAt, c.UpdatedAt).Time, f.Author, subject, f)
	return nil
}

// mentionedIn records that a commit was named on an issue's timeline.
func (m *mapper) mentionedIn(rt route, id ident, at time.Time, actor *engine.Account, commit string) {
	m.snapshotFrom("issues", "issue_event:"+string(id), "issue.commented", at, actor, issueSubject(rt.repo, rt.number), engine.IssueCommentFact{
		Key: rt.repo + "#" + strconv.Itoa(rt.number), Repository: rt.repo, Number: &rt.number, Kind: "comment",
		MentionsCommits: []string{commit}, Author: actor,
	})
}
