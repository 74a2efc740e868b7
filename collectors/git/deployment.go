package git

import (
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/changevouch/changevouch/engine"
)

type deployment struct {
	ID         ident  `json:"id"`
	URL        string `json:"url"`
	SHA        string `json:"sha"`
	Ref        string `json:"ref"`
	Env        string `json:"environment"`
	Creator    *user  `json:"creator"`
	CreatedAt  when   `json:"created_at"`
	Production *bool  `json:"production_environment"`
	Transient  *bool  `json:"transient_environment"`
}

// facts leaves out the payload and description of a deployment: free text that
// may hold anything.
func (d deployment) facts(repo string) engine.DeploymentFact {
	f := engine.DeploymentFact{DeployID: string(d.ID), Repository: repo, Environment: d.Env, Commit: sha(d.SHA),
		User: d.Creator.account(), CreatedAt: d.CreatedAt.ptr(), Transient: d.Transient}
	switch {
	case d.Production != nil && *d.Production:
		f.EnvironmentKind = "production"
	case d.Transient != nil && *d.Transient:
		f.EnvironmentKind = "preview"
	}
	if sha(d.Ref) == "" {
		f.Branch = d.Ref
	}
	return f
}

func deploymentSubject(id ident) engine.Subject {
	return engine.Subject{Type: "deployment", ID: string(id)}
}

// deployment maps a request to deploy.
func (m *mapper) deployment(rt route, raw json.RawMessage) error {
	var d deployment
	if err := json.Unmarshal(raw, &d); err != nil {
		return err
	}
	if rt.repo == "" {
		rt.repo = repoOf(d.URL)
	}
	if rt.repo == "" || d.ID == "" || d.CreatedAt.IsZero() {
		return errors.New("deployment without repository, id or created_at")
	}
	f := d.facts(rt.repo)
	m.add("deployment:"+string(d.ID), "deployment.requested", d.CreatedAt.Time, f.User, deploymentSubject(d.ID), f)
	return nil
}

type deploymentStatus struct {
	ID        ident  `json:"id"`
	URL       string `json:"url"`
	DeployURL string `json:"deployment_url"`
	State     string `json:"state"`
	Env       string `json:"environment"`
	Creator   *user  `json:"creator"`
	CreatedAt when   `json:"created_at"`
}

// deploymentStatus maps one status of the API, which names its deployment only
// by address.
func (m *mapper) deploymentStatus(rt route, raw json.RawMessage) error {
	var s deploymentStatus
	if err := json.Unmarshal(raw, &s); err != nil {
		return err
	}
	if at := routeOfURL(s.DeployURL); at.name != "" {
		rt.repo, rt.name = at.repo, at.name
	}
	if rt.name == "" {
		return errors.New("status of an unknown deployment")
	}
	return m.deployed(s, engine.DeploymentFact{DeployID: rt.name, Repository: rt.repo, Environment: s.Env}, "")
}

// deployed records one status of a deployment; f is what is known of it.
func (m *mapper) deployed(s deploymentStatus, f engine.DeploymentFact, suffix string) error {
	if s.ID == "" || s.CreatedAt.IsZero() || s.State == "" || f.DeployID == "" {
		return errors.New("deployment status without id, state or created_at")
	}
	kind := "deployment.observed"
	f.Status = s.State
	switch s.State {
	case "in_progress":
		kind, f.StartedAt = "deployment.started", s.CreatedAt.ptr()
	case "success", "failure", "error":
		kind, f.FinishedAt = "deployment.finished", s.CreatedAt.ptr()
	}
	m.add("deployment_status:"+string(s.ID)+suffix, kind, s.CreatedAt.Time, s.Creator.account(), deploymentSubject(ident(f.DeployID)), f)
	return nil
}

// runApproval maps who approved the waiting deployments of a workflow run. The
// API gives no time.
func (m *mapper) runApproval(rt route, raw json.RawMessage) error {
	var a struct {
		State        string `json:"state"`
		User         *user  `json:"user"`
		Environments []struct {
			Name string `json:"name"`
		} `json:"environments"`
	}
	if err := json.Unmarshal(raw, &a); err != nil {
		return err
	}
	if rt.repo == "" || rt.name == "" {
		return errors.New("approval of an unknown run: record it at repos/OWNER/NAME/actions/runs/ID/approvals.json")
	}
	for _, env := range a.Environments {
		m.approveDeployment(rt.repo, rt.name, env.Name, a.State, "", a.User, m.Observed())
	}
	return nil
}

// approveDeployment records a decision on the jobs of a run that wait for an
// environment. A run is no deployment yet: its id is marked as a run's.
func (m *mapper) approveDeployment(repo, run, env, state, commit string, by *user, at time.Time) {
	id := "actions-run-" + run
	m.snapshot(fmt.Sprintf("run_approval:%s:%s:%s", run, env, state), "deployment.approved", at, by.orGhost(), engine.Subject{Type: "deployment", ID: id},
		engine.DeploymentFact{DeployID: id, Repository: repo, Environment: env, Status: state, Commit: commit, Trigger: "workflow_run", User: by.account()})
}

// deploymentReview maps a delivery about waiting deployments; only a decision
// is an approval.
func (m *mapper) deploymentReview(d delivery, raw json.RawMessage) error {
	var w struct {
		Since    when   `json:"since"`
		Env      string `json:"environment"`
		Approver *user  `json:"approver"`
		Run      struct {
			ID      ident  `json:"id"`
			HeadSHA string `json:"head_sha"`
		} `json:"workflow_run"`
		Job *struct {
			Env string `json:"environment"`
		} `json:"workflow_job_run"`
		Jobs []struct {
			Env string `json:"environment"`
		} `json:"workflow_job_runs"`
	}
	if err := json.Unmarshal(raw, &w); err != nil {
		return err
	}
	if d.Action != "approved" && d.Action != "rejected" {
		m.Ignore("deployment_review " + d.Action)
		return nil
	}
	if d.Repository.FullName == "" || w.Run.ID == "" {
		return errors.New("deployment review without repository or run")
	}
	by := w.Approver
	if by == nil {
		by = d.Sender
	}
	at := w.Since.Time
	if at.IsZero() {
		at = m.Observed()
	}
	envs := map[string]bool{}
	names := []string{w.Env}
	if w.Job != nil {
		names = append(names, w.Job.Env)
	}
	for _, j := range w.Jobs {
		names = append(names, j.Env)
	}
	for _, env := range names {
		if env != "" && !envs[env] {
			envs[env] = true
			m.approveDeployment(d.Repository.FullName, string(w.Run.ID), env, d.Action, sha(w.Run.HeadSHA), by, at)
		}
	}
	if len(envs) == 0 {
		return errors.New("deployment review without environment")
	}
	return nil
}

// environment maps one deployment environment as configured now.
func (m *mapper) environment(rt route, raw json.RawMessage) error {
	var e struct {
		ID    ident  `json:"id"`
		Name  string `json:"name"`
		URL   string `json:"url"`
		Rules *[]struct {
			Type      string `json:"type"`
			Prevent   *bool  `json:"prevent_self_review"`
			Reviewers []struct {
				Type     string `json:"type"`
				Reviewer struct {
					Login string `json:"login"`
					Slug  string `json:"slug"`
				} `json:"reviewer"`
			} `json:"reviewers"`
		} `json:"protection_rules"`
		UpdatedAt when `json:"updated_at"`
	}
	if err := json.Unmarshal(raw, &e); err != nil {
		return err
	}
	if rt.repo == "" {
		rt.repo = repoOf(e.URL)
	}
	if e.Name == "" || rt.repo == "" {
		return errors.New("environment without name or repository")
	}
	f := engine.EnvironmentFact{EnvironmentID: string(e.ID), Environment: e.Name, Project: rt.repo}
	if e.Rules != nil {
		protected := len(*e.Rules) > 0
		f.Protected = &protected
		for _, r := range *e.Rules {
			if r.Prevent != nil {
				f.PreventSelfReview = r.Prevent
			}
			for _, who := range r.Reviewers {
				if who.Reviewer.Slug != "" {
					f.Reviewers = append(f.Reviewers, "team:"+who.Reviewer.Slug)
				} else if who.Reviewer.Login != "" {
					f.Reviewers = append(f.Reviewers, who.Reviewer.Login)
				}
			}
		}
	}
	m.snapshot("environment:"+rt.repo+":"+e.Name, "environment.observed", e.UpdatedAt.Time, nil, engine.Subject{Type: "environment", ID: rt.repo + ":" + e.Name}, f)
	return nil
}

// collaborator maps the right of an account in a repository as read: an item of
// the list of collaborators, or collaborators/LOGIN/permission.
func (m *mapper) collaborator(rt route, raw json.RawMessage) error {
	var c struct {
		user
		Permission  string          `json:"permission"`
		Permissions map[string]bool `json:"permissions"`
		User        *user           `json:"user"`
	}
	if err := json.Unmarshal(raw, &c); err != nil {
		return err
	}
	// A role of the organisation's own has one of GitHub's below it.
	for _, right := range []string{"pull", "triage", "push", "maintain", "admin"} {
		if c.Permissions[right] && c.User == nil {
			c.Permission = right
		}
	}
	who := &c.user
	if c.User != nil {
		c.User.RoleName = firstOf(c.RoleName, c.User.RoleName)
		who = c.User
	}
	return m.permission(rt.repo, who, who.RoleName, c.Permission)
}

func firstOf(all ...string) string {
	for _, s := range all {
		if s != "" {
			return s
		}
	}
	return ""
}

// permission records the finer role where it is one of GitHub's own, else the
// coarse permission, which counts maintain as write and triage as read.
func (m *mapper) permission(repo string, who *user, role, coarse string) error {
	account := who.account()
	known := map[string]string{"admin": "admin", "maintain": "maintain", "write": "write", "push": "write",
		"triage": "triage", "read": "read", "pull": "read", "none": "none"}
	right := firstOf(known[role], known[coarse])
	if repo == "" || account == nil || right == "" {
		return errors.New("permission without repository, account or a known right: record it at repos/OWNER/NAME/collaborators/LOGIN/permission.json")
	}
	m.snapshot("permission:"+repo+":"+account.Account, "permission.observed", m.Observed(), nil, engine.Subject{Type: "account", ID: account.Account},
		engine.PermissionFact{Repository: repo, Account: *account, Permission: right})
	return nil
}
