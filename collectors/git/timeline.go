package git

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/changevouch/changevouch/engine"
)

// notable are the timeline events that are kept as they are: they judge nothing
// by themselves, but say when a head or base moved and who set a label.
var notable = map[string]bool{
	"assigned": true, "unassigned": true, "automatic_base_change_failed": true, "automatic_base_change_succeeded": true,
	"auto_merge_enabled": true, "auto_merge_disabled": true, "auto_squash_enabled": true, "auto_rebase_enabled": true,
	"base_ref_changed": true, "base_ref_force_pushed": true, "closed": true, "converted_to_draft": true, "convert_to_draft": true,
	"copilot_work_started": true, "copilot_work_finished": true, "head_ref_deleted": true, "head_ref_force_pushed": true,
	"head_ref_restored": true, "labeled": true, "unlabeled": true, "ready_for_review": true, "renamed": true, "reopened": true,
	"review_requested": true, "review_request_removed": true, "synchronize": true, "body_edited": true, "edited": true,
}

type timelineEvent struct {
	ID        ident  `json:"id"`
	URL       string `json:"url"`
	Event     string `json:"event"`
	Actor     *user  `json:"actor"`
	CreatedAt when   `json:"created_at"`
	CommitID  string `json:"commit_id"`
	Label     *label `json:"label"`
	Assignee  *user  `json:"assignee"`
	Assigner  *user  `json:"assigner"`
	Reviewer  *user  `json:"requested_reviewer"`
	Requester *user  `json:"review_requester"`
	Dismissed *struct {
		State   string `json:"state"`
		ID      ident  `json:"review_id"`
		Message string `json:"dismissal_message"`
	} `json:"dismissed_review"`
	Issue *struct {
		Number int `json:"number"`
	} `json:"issue"`
}

// timelineEvent maps one element of an issue's or pull request's events or
// timeline; both have numbers of one series.
func (m *mapper) timelineEvent(rt route, raw json.RawMessage) error {
	var e timelineEvent
	if err := json.Unmarshal(raw, &e); err != nil {
		return err
	}
	if rt.repo == "" {
		rt.repo = repoOf(e.URL)
	}
	if rt.number == 0 && e.Issue != nil {
		rt.number = e.Issue.Number
	}
	if rt.repo == "" || rt.number <= 0 {
		return errors.New("event of an unknown issue: record it at repos/OWNER/NAME/issues/N/timeline.json")
	}
	switch e.Event {
	case "reviewed":
		return m.review(rt, raw)
	case "commented":
		return m.comment(rt, raw)
	case "":
		return errors.New("event without a name")
	}
	id, subject := "issue_event:"+string(e.ID), pullSubject(rt.repo, rt.number)
	actor := e.Actor.account()
	if e.ID == "" || e.CreatedAt.IsZero() {
		m.Ignore("timeline " + e.Event)
		return nil
	}
	switch e.Event {
	case "review_dismissed":
		if e.Dismissed == nil || e.Dismissed.ID == "" {
			return fmt.Errorf("event %s: review_dismissed without its review", e.ID)
		}
		m.add(id, "change.review_dismissed", e.CreatedAt.Time, e.Actor.orGhost(), subject, engine.ReviewDismissalFact{
			Repository: rt.repo, Number: rt.number, ReviewID: string(e.Dismissed.ID),
			DismissedState: strings.ToUpper(e.Dismissed.State), Reason: e.Dismissed.Message,
		})
	case "added_to_merge_queue":
		m.add(id, "change.enqueued", e.CreatedAt.Time, actor, subject, engine.EnqueueFact{Repository: rt.repo, Number: rt.number})
	case "removed_from_merge_queue":
		m.add(id, "change.dequeued", e.CreatedAt.Time, actor, subject, engine.EnqueueFact{Repository: rt.repo, Number: rt.number})
	case "merged":
		m.add(id, "change.merged", e.CreatedAt.Time, actor, subject, engine.PullRequestFact{
			Repository: rt.repo, Number: rt.number, MergedAt: e.CreatedAt.ptr(), MergedBy: actor})
	case "referenced":
		if commit := sha(e.CommitID); commit != "" {
			m.mentionedIn(rt, e.ID, e.CreatedAt.Time, actor, commit)
		}
	default:
		if !notable[e.Event] {
			m.Ignore("timeline " + e.Event)
			return nil
		}
		m.note(id, rt, e)
	}
	return nil
}

// note keeps a timeline event, and who steered an agent by it.
func (m *mapper) note(id string, rt route, e timelineEvent) {
	f := engine.TimelineFact{Repository: rt.repo, Number: rt.number, Kind: e.Event}
	actor := e.Actor
	switch {
	case e.Label != nil:
		f.Label = e.Label.Name
	case e.Assignee != nil:
		f.Subject = e.Assignee.account()
		if e.Assigner != nil {
			actor = e.Assigner
		}
	case e.Reviewer != nil:
		f.Subject = e.Reviewer.account()
		if e.Requester != nil {
			actor = e.Requester
		}
	}
	if e.Event == "head_ref_force_pushed" {
		f.HeadAfter = sha(e.CommitID)
	}
	who := actor.account()
	m.add(id, "change.noted", e.CreatedAt.Time, who, pullSubject(rt.repo, rt.number), f)
	m.steered(id, rt, e.Event, e.CreatedAt.Time, who, f.Subject)
}

// steered records the operator behind an event that set an agent to work.
func (m *mapper) steered(id string, rt route, event string, at time.Time, who, agent *engine.Account) {
	if who == nil || m.isAgent(who) {
		return
	}
	switch {
	case event == "assigned" && m.isAgent(agent):
		m.operated(id+":operator", at, rt.repo, rt.number, *who, agent, "assigned")
	case event == "copilot_work_started":
		m.operated(id+":operator", at, rt.repo, rt.number, *who, nil, event)
	}
}
