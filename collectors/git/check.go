package git

import (
	"encoding/json"
	"errors"
	"fmt"

	"github.com/changevouch/changevouch/engine"
)

type checkRun struct {
	ID          ident  `json:"id"`
	URL         string `json:"url"`
	HTMLURL     string `json:"html_url"`
	HeadSHA     string `json:"head_sha"`
	Name        string `json:"name"`
	Status      string `json:"status"`
	Conclusion  string `json:"conclusion"`
	StartedAt   when   `json:"started_at"`
	CompletedAt when   `json:"completed_at"`
	App         *struct {
		Slug string `json:"slug"`
	} `json:"app"`
}

// checkRun maps one check run; one that has not ended says nothing yet.
func (m *mapper) checkRun(rt route, raw json.RawMessage) error {
	var c checkRun
	if err := json.Unmarshal(raw, &c); err != nil {
		return err
	}
	if rt.repo == "" {
		rt.repo = repoOf(c.URL)
	}
	if c.Status != "completed" || c.Conclusion == "" {
		m.Ignore("check run not completed")
		return nil
	}
	f := engine.CheckFact{Repository: rt.repo, SHA: sha(c.HeadSHA), Name: c.Name, Conclusion: c.Conclusion,
		StartedAt: c.StartedAt.ptr(), CompletedAt: c.CompletedAt.ptr(), Kind: "check_run", URL: c.HTMLURL}
	if c.App != nil {
		f.App = c.App.Slug
	}
	return m.check("check_run:"+string(c.ID), f)
}

// check records the end of a check. A run may be completed again with another
// conclusion: each end is a fact of its own.
func (m *mapper) check(id string, f engine.CheckFact) error {
	if f.Repository == "" || f.SHA == "" || f.Name == "" {
		return fmt.Errorf("%s: no repository, commit or name", id)
	}
	if f.CompletedAt == nil {
		return fmt.Errorf("%s: completed_at is no instant", id)
	}
	m.snapshot(id, "check.completed", *f.CompletedAt, nil, commitSubject(f.SHA), f)
	return nil
}

type status struct {
	ID        ident  `json:"id"`
	URL       string `json:"url"`
	SHA       string `json:"sha"`
	Context   string `json:"context"`
	State     string `json:"state"`
	TargetURL string `json:"target_url"`
	CreatedAt when   `json:"created_at"`
	Creator   *user  `json:"creator"`
}

// status maps one commit status: anyone with write access can post any context,
// so its creator is kept as app.
func (m *mapper) status(rt route, raw json.RawMessage) error {
	var s status
	if err := json.Unmarshal(raw, &s); err != nil {
		return err
	}
	if at := routeOfURL(s.URL); at.sha != "" && rt.sha == "" {
		rt.sha = at.sha
	}
	if rt.repo == "" {
		rt.repo = repoOf(s.URL)
	}
	if s.SHA != "" {
		rt.sha = sha(s.SHA)
	}
	if s.State == "pending" {
		m.Ignore("status pending")
		return nil
	}
	if s.State == "" {
		return errors.New("status without state")
	}
	f := engine.CheckFact{Repository: rt.repo, SHA: rt.sha, Name: s.Context, Conclusion: s.State,
		CompletedAt: s.CreatedAt.ptr(), Kind: "status", URL: s.TargetURL}
	if s.Creator != nil {
		f.App = s.Creator.Login
	}
	return m.check("status:"+string(s.ID), f)
}

type workflowRun struct {
	ID         ident       `json:"id"`
	Name       string      `json:"name"`
	Path       string      `json:"path"`
	HeadSHA    string      `json:"head_sha"`
	Attempt    int         `json:"run_attempt"`
	Status     string      `json:"status"`
	Conclusion string      `json:"conclusion"`
	StartedAt  when        `json:"run_started_at"`
	CreatedAt  when        `json:"created_at"`
	UpdatedAt  when        `json:"updated_at"`
	HTMLURL    string      `json:"html_url"`
	URL        string      `json:"url"`
	Repository *repository `json:"repository"`
}

// workflowRun maps one attempt of a workflow run. GitHub gives no end of a run;
// updated_at of a completed one is the closest.
func (m *mapper) workflowRun(rt route, raw json.RawMessage) error {
	var w workflowRun
	if err := json.Unmarshal(raw, &w); err != nil {
		return err
	}
	if w.Repository != nil && w.Repository.FullName != "" {
		rt.repo = w.Repository.FullName
	}
	if w.Status != "completed" || w.Conclusion == "" {
		m.Ignore("workflow run not completed")
		return nil
	}
	if w.Name == "" {
		w.Name = w.Path
	}
	if w.StartedAt.IsZero() {
		w.StartedAt = w.CreatedAt
	}
	return m.check(fmt.Sprintf("workflow_run:%s:%d", w.ID, max(w.Attempt, 1)), engine.CheckFact{
		Repository: rt.repo, SHA: sha(w.HeadSHA), Name: w.Name, Conclusion: w.Conclusion,
		StartedAt: w.StartedAt.ptr(), CompletedAt: w.UpdatedAt.ptr(), App: "github-actions", Kind: "workflow_run", URL: w.HTMLURL,
	})
}
