package git

import (
	"encoding/json"
	"errors"
	"fmt"
	"path"
	"slices"
	"strings"
	"time"

	"github.com/changevouch/changevouch/engine"
)

// delivery is the envelope of a webhook: every field may be missing.
type delivery struct {
	event      string
	Action     string     `json:"action"`
	Sender     *user      `json:"sender"`
	Repository repository `json:"repository"`
}

// deliveries are the events that are mapped. The others are counted by name:
// what they say is said better elsewhere (a workflow job is a check run, a
// created branch a push), is about access, or is no change evidence.
func deliveries() map[string]func(*mapper, delivery, json.RawMessage) error {
	return map[string]func(*mapper, delivery, json.RawMessage) error{
		"pull_request":                    (*mapper).pullDelivery,
		"pull_request_review":             (*mapper).reviewDelivery,
		"push":                            (*mapper).push,
		"merge_group":                     (*mapper).mergeGroup,
		"issues":                          (*mapper).issueDelivery,
		"issue_comment":                   (*mapper).commentDelivery,
		"status":                          (*mapper).statusDelivery,
		"deployment":                      (*mapper).deploymentDelivery,
		"deployment_status":               (*mapper).deploymentStatusDelivery,
		"deployment_review":               (*mapper).deploymentReview,
		"member":                          (*mapper).memberDelivery,
		"repository":                      (*mapper).repositoryDelivery,
		"branch_protection_rule":          (*mapper).branchProtectionRule,
		"repository_ruleset":              (*mapper).repositoryRuleset,
		"branch_protection_configuration": (*mapper).protectionSwitched,
		"check_run":                       inner("check_run", (*mapper).checkRun),
		"workflow_run":                    inner("workflow_run", (*mapper).workflowRun),
		"dependabot_alert":                inner("alert", (*mapper).dependabotAlert),
		"code_scanning_alert":             inner("alert", (*mapper).codeScanningAlert),
		"secret_scanning_alert":           inner("alert", (*mapper).secretScanningAlert),
		"repository_vulnerability_alert":  (*mapper).vulnerabilityAlert,
	}
}

// inner maps the object in one field of a delivery as the API's answer.
func inner(field string, f func(*mapper, route, json.RawMessage) error) func(*mapper, delivery, json.RawMessage) error {
	return func(m *mapper, d delivery, raw json.RawMessage) error {
		o, err := fieldOf(raw, field)
		if err != nil {
			return err
		}
		return f(m, route{repo: d.Repository.FullName}, o)
	}
}

func fieldOf(raw json.RawMessage, field string) (json.RawMessage, error) {
	var o map[string]json.RawMessage
	if err := json.Unmarshal(raw, &o); err != nil {
		return nil, err
	}
	if len(o[field]) == 0 || o[field][0] != '{' {
		return nil, fmt.Errorf("delivery without %s", field)
	}
	return o[field], nil
}

// delivery maps one webhook delivery.
func (m *mapper) delivery(event string, raw json.RawMessage) {
	if event == "" {
		event = firstOf(eventName("", raw), "of another system")
	}
	d := delivery{event: event}
	if err := json.Unmarshal(raw, &d); err != nil {
		m.Fault(event, err)
		return
	}
	handle, known := deliveries()[event]
	if !known {
		m.Ignore(strings.TrimSpace("webhook " + event + " " + d.Action))
		return
	}
	if d.Repository.FullName == "" && event != "repository_ruleset" { // an organisation's ruleset has none
		m.Fault(strings.TrimSpace(event+" "+d.Action), errors.New("delivery without repository"))
		return
	}
	if err := handle(m, d, raw); err != nil {
		m.Fault(strings.TrimSpace(event+" "+d.Action), err)
	}
}

// eventNames are GitHub's webhook events, to be recognised as folder names.
var eventNames = strings.Fields(`branch_protection_configuration branch_protection_rule check_run check_suite code_scanning_alert
	commit_comment create custom_property custom_property_values delete dependabot_alert deploy_key deployment
	deployment_protection_rule deployment_review deployment_status discussion discussion_comment fork github_app_authorization
	gollum installation installation_repositories installation_target issue_comment issues label marketplace_purchase member
	membership merge_group meta milestone org_block organization package page_build personal_access_token_request ping project
	project_card project_column projects_v2 projects_v2_item public pull_request pull_request_review pull_request_review_comment
	pull_request_review_thread push registry_package release repository repository_advisory repository_dispatch repository_import
	repository_ruleset repository_vulnerability_alert secret_scanning_alert secret_scanning_alert_location secret_scanning_scan
	security_advisory security_and_analysis sponsorship star status sub_issues team team_add watch workflow_dispatch workflow_job
	workflow_run`)

// shapes tell a bare delivery's event by its fields, the telling ones first.
var shapes = []struct {
	event  string
	fields []string
}{
	{"pull_request_review_thread", []string{"pull_request", "thread"}},
	{"pull_request_review", []string{"pull_request", "review"}},
	{"pull_request_review_comment", []string{"pull_request", "comment"}},
	{"pull_request", []string{"pull_request", "action"}},
	{"issue_comment", []string{"issue", "comment"}},
	{"issues", []string{"issue", "action"}},
	{"deployment_status", []string{"deployment_status", "deployment"}},
	{"deployment_review", []string{"workflow_run", "requestor"}},
	{"deployment_review", []string{"workflow_run", "approver"}},
	{"deployment", []string{"deployment"}},
	{"merge_group", []string{"merge_group"}},
	{"check_run", []string{"check_run", "action"}},
	{"check_suite", []string{"check_suite", "action"}},
	{"workflow_job", []string{"workflow_job"}},
	{"workflow_run", []string{"workflow_run", "action"}},
	{"repository_ruleset", []string{"repository_ruleset"}},
	{"branch_protection_rule", []string{"rule", "action"}},
	{"push", []string{"ref", "before", "after"}},
	{"status", []string{"state", "context", "sha"}},
	{"member", []string{"member", "repository", "action"}},
	{"meta", []string{"hook", "hook_id", "action"}},
	{"ping", []string{"zen", "hook"}},
	{"release", []string{"release", "action"}},
	{"security_advisory", []string{"security_advisory", "action"}},
}

// eventName names the event of a bare delivery: by the folder it lies in, else
// by its shape. "" means that it is none.
func eventName(file string, raw json.RawMessage) string {
	var o map[string]json.RawMessage
	if json.Unmarshal(raw, &o) != nil {
		return ""
	}
	_, sent := o["sender"]
	if folder := path.Base(path.Dir(file)); sent && slices.Contains(eventNames, folder) {
		return folder
	}
	if !sent && len(o["security_advisory"]) == 0 {
		return ""
	}
	for _, s := range shapes {
		if !slices.ContainsFunc(s.fields, func(f string) bool { return len(o[f]) == 0 }) {
			return s.event
		}
	}
	var alert struct {
		Advisory   json.RawMessage `json:"security_advisory"`
		SecretType json.RawMessage `json:"secret_type"`
		Rule       json.RawMessage `json:"rule"`
		Package    json.RawMessage `json:"affected_package_name"`
	}
	if json.Unmarshal(o["alert"], &alert) == nil {
		switch {
		case alert.Advisory != nil:
			return "dependabot_alert"
		case alert.SecretType != nil:
			return "secret_scanning_alert"
		case alert.Rule != nil:
			return "code_scanning_alert"
		case alert.Package != nil:
			return "repository_vulnerability_alert"
		}
	}
	var changes struct {
		From map[string]json.RawMessage `json:"from"`
	}
	if json.Unmarshal(o["changes"], &changes) == nil && changes.From["security_and_analysis"] != nil {
		return "security_and_analysis"
	}
	return "unknown"
}

// feedEvent maps an entry of the events feed. The feed has gaps and proves
// nothing by its silence, but a pull request in it is one.
func (m *mapper) feedEvent(kind string, payload json.RawMessage) {
	if kind != "PullRequestEvent" {
		m.Ignore("events feed " + kind)
		return
	}
	raw, err := fieldOf(payload, "pull_request")
	if err == nil {
		err = m.pull(route{}, raw)
	}
	if err != nil {
		m.Fault(kind, err)
	}
}

func (m *mapper) pullDelivery(d delivery, raw json.RawMessage) error {
	var w struct {
		Pull    json.RawMessage `json:"pull_request"`
		Before  string          `json:"before"`
		After   string          `json:"after"`
		Label   *label          `json:"label"`
		Who     *user           `json:"assignee"`
		Asked   *user           `json:"requested_reviewer"`
		Changes struct {
			Body *struct {
				From *string `json:"from"`
			} `json:"body"`
			Title *struct{} `json:"title"`
			Base  *struct{} `json:"base"`
		} `json:"changes"`
	}
	if err := json.Unmarshal(raw, &w); err != nil {
		return err
	}
	if len(w.Pull) == 0 {
		return errors.New("delivery without pull_request")
	}
	var p pull
	if err := json.Unmarshal(w.Pull, &p); err != nil {
		return err
	}
	sender := d.Sender.account()
	v := pullView{repo: d.Repository.FullName, action: d.Action, actor: sender, full: p.Merged != nil, closed: d.Action == "closed"}
	rt := route{repo: d.Repository.FullName, number: p.Number}
	e := timelineEvent{Event: d.Action, Actor: d.Sender, CreatedAt: p.UpdatedAt, Label: w.Label, Assignee: w.Who, Reviewer: w.Asked}
	head := p.Head.SHA
	switch d.Action {
	case "edited":
		switch {
		case w.Changes.Base != nil:
			e.Event = "base_ref_changed"
		case w.Changes.Body != nil:
			e.Event, v.bodyBefore = "body_edited", w.Changes.Body.From
			if v.bodyBefore == nil {
				v.bodyBefore = new(string)
			}
		case w.Changes.Title != nil:
			e.Event = "renamed"
		}
	case "synchronize":
		v.headBefore, head = sha(w.Before), firstOf(sha(w.After), p.Head.SHA)
	case "assigned":
		v.assignedBy = sender
	}
	if err := m.pullRequest(w.Pull, v); err != nil {
		return err
	}
	subject := pullSubject(rt.repo, rt.number)
	id := "pull_request:" + string(p.ID)
	switch {
	case d.Action == "enqueued" || d.Action == "dequeued":
		m.snapshot(id, "change."+d.Action, p.UpdatedAt.Time, sender, subject,
			engine.EnqueueFact{Repository: rt.repo, Number: rt.number, HeadSHA: sha(head)})
	case notable[e.Event]:
		f := engine.TimelineFact{Repository: rt.repo, Number: rt.number, Kind: e.Event, HeadBefore: v.headBefore}
		if d.Action == "synchronize" {
			f.HeadAfter = sha(head)
		}
		if e.Label != nil {
			f.Label = e.Label.Name
		}
		if f.Subject = e.Assignee.account(); f.Subject == nil {
			f.Subject = e.Reviewer.account()
		}
		m.snapshot(id+":"+e.Event, "change.noted", p.UpdatedAt.Time, sender, subject, f)
		m.steered(fmt.Sprintf("%s:%s:%s", id, e.Event, p.UpdatedAt.Format(time.RFC3339)), rt, e.Event, p.UpdatedAt.Time, sender, f.Subject)
	}
	return nil
}

func (m *mapper) reviewDelivery(d delivery, raw json.RawMessage) error {
	var w struct {
		Pull   json.RawMessage `json:"pull_request"`
		Review review          `json:"review"`
	}
	if err := json.Unmarshal(raw, &w); err != nil {
		return err
	}
	var p pull
	if err := json.Unmarshal(w.Pull, &p); err != nil {
		return err
	}
	rt := route{repo: d.Repository.FullName, number: p.Number}
	suffix := ""
	switch d.Action {
	case "submitted":
		if w.Review.CommitID == "" {
			w.Review.CommitID = p.Head.SHA // old deliveries; it is the head that was reviewed
		}
	case "edited":
		suffix = ":edited:" + m.Stamp()
	}
	if err := m.reviewed(rt, w.Review, suffix); err != nil {
		return err
	}
	if d.Action == "dismissed" {
		at := w.Review.UpdatedAt
		if at.IsZero() {
			at = p.UpdatedAt
		}
		m.snapshot("review:"+string(w.Review.ID)+":dismissal", "change.review_dismissed", at.Time, d.Sender.orGhost(), pullSubject(rt.repo, rt.number),
			engine.ReviewDismissalFact{Repository: rt.repo, Number: rt.number, ReviewID: string(w.Review.ID)})
	}
	// The head at the moment of the review.
	return m.pullRequest(w.Pull, pullView{repo: rt.repo, action: "review_" + d.Action, actor: d.Sender.account()})
}

func (m *mapper) issueDelivery(d delivery, raw json.RawMessage) error {
	i, err := fieldOf(raw, "issue")
	if err != nil {
		return err
	}
	if d.Action == "deleted" || d.Action == "transferred" {
		m.Ignore("webhook issues " + d.Action)
		return nil
	}
	if err := m.issueSeen(d.Repository.FullName, d.Sender.account(), i); err != nil {
		return err
	}
	var w struct {
		Issue    issue `json:"issue"`
		Assignee *user `json:"assignee"`
	}
	if err := json.Unmarshal(raw, &w); err != nil {
		return err
	}
	// An agent that is set to an issue opens the pull request by itself.
	rt := route{repo: d.Repository.FullName, number: w.Issue.Number}
	id := fmt.Sprintf("issue:%s:%s:%s", w.Issue.ID, d.Action, w.Issue.UpdatedAt.Format(time.RFC3339))
	m.steered(id, rt, d.Action, w.Issue.UpdatedAt.Time, d.Sender.account(), w.Assignee.account())
	return nil
}

// commentDelivery leaves out comments that somebody else than their author
// edited: they are nobody's word.
func (m *mapper) commentDelivery(d delivery, raw json.RawMessage) error {
	var w struct {
		Issue   issue        `json:"issue"`
		Comment issueComment `json:"comment"`
	}
	if err := json.Unmarshal(raw, &w); err != nil {
		return err
	}
	author, sender := w.Comment.User.orGhost(), d.Sender.orGhost()
	if d.Action == "deleted" || d.Action == "edited" && author.ID != sender.ID {
		m.Ignore("webhook issue_comment " + d.Action)
		return nil
	}
	return m.commented(route{repo: d.Repository.FullName, number: w.Issue.Number}, w.Comment)
}

func (m *mapper) statusDelivery(d delivery, raw json.RawMessage) error {
	var o map[string]json.RawMessage
	if err := json.Unmarshal(raw, &o); err != nil {
		return err
	}
	o["creator"] = o["sender"]
	delete(o, "url")
	as, err := json.Marshal(o)
	if err != nil {
		return err
	}
	return m.status(route{repo: d.Repository.FullName}, as)
}

// runActor is who started or restarted the workflow run behind a deployment;
// the deployment itself names only the app that ran it.
type runActor struct {
	Run *struct {
		Actor     *user `json:"actor"`
		Triggerer *user `json:"triggering_actor"`
	} `json:"workflow_run"`
	Deployment       deployment       `json:"deployment"`
	DeploymentStatus deploymentStatus `json:"deployment_status"`
}

func (r runActor) facts(repo string) engine.DeploymentFact {
	f := r.Deployment.facts(repo)
	if r.Run != nil {
		f.Trigger = "workflow_run"
		if a := r.Run.Triggerer.account(); a != nil {
			f.User = a
		} else if a := r.Run.Actor.account(); a != nil {
			f.User = a
		}
	}
	return f
}

func (m *mapper) deploymentDelivery(d delivery, raw json.RawMessage) error {
	var w runActor
	if err := json.Unmarshal(raw, &w); err != nil {
		return err
	}
	if d.Repository.FullName == "" || w.Deployment.ID == "" || w.Deployment.CreatedAt.IsZero() {
		return errors.New("deployment without repository, id or created_at")
	}
	m.add("deployment:"+string(w.Deployment.ID)+":delivered", "deployment.requested", w.Deployment.CreatedAt.Time,
		w.Deployment.Creator.account(), deploymentSubject(w.Deployment.ID), w.facts(d.Repository.FullName))
	return nil
}

func (m *mapper) deploymentStatusDelivery(d delivery, raw json.RawMessage) error {
	var w runActor
	if err := json.Unmarshal(raw, &w); err != nil {
		return err
	}
	return m.deployed(w.DeploymentStatus, w.facts(d.Repository.FullName), ":delivered")
}

// memberDelivery keeps the right that somebody got in a repository, because it
// decides whether their review counts. The grant itself is a matter of access.
func (m *mapper) memberDelivery(d delivery, raw json.RawMessage) error {
	type change struct {
		To string `json:"to"`
	}
	var w struct {
		Member  *user `json:"member"`
		Changes struct {
			Permission change `json:"permission"`
			Role       change `json:"role_name"`
		} `json:"changes"`
	}
	if err := json.Unmarshal(raw, &w); err != nil {
		return err
	}
	role := w.Changes.Role.To
	if d.Action == "removed" {
		role = "none"
	}
	if role == "" && w.Changes.Permission.To == "" {
		m.Ignore("webhook member " + d.Action)
		return nil
	}
	return m.permission(d.Repository.FullName, w.Member, role, w.Changes.Permission.To)
}

func (m *mapper) repositoryDelivery(d delivery, raw json.RawMessage) error {
	var w struct {
		Changes struct {
			Branch json.RawMessage `json:"default_branch"`
		} `json:"changes"`
	}
	if err := json.Unmarshal(raw, &w); err != nil {
		return err
	}
	if d.Action != "edited" || w.Changes.Branch == nil || d.Repository.DefaultBranch == "" {
		m.Ignore("webhook repository " + d.Action)
		return nil
	}
	m.defaultBranch(d.Repository, d.Sender.account())
	return nil
}
