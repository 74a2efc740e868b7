package render

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/changevouch/changevouch/engine"
)

// deploy maps a Deploy: a snapshot as of updatedAt and, if its build ever went
// live, that fact. Who triggered it is only in the event deploy_started.
//
// live and deactivated (live, replaced later) went live when the deploy
// finished: updatedAt moves on when a deploy is replaced, finishedAt does not.
func (m *mapping) deploy(o object) error {
	id, status := o.str("id"), o.str("status")
	if id == "" || status == "" {
		return errors.New("deploy without id or status")
	}
	f := engine.DeploymentFact{
		DeployID: id, ServiceID: m.place.service(), Status: status, Trigger: o.str("trigger"),
		CreatedAt: o.when("createdAt"), StartedAt: o.when("startedAt"), FinishedAt: o.when("finishedAt"),
	}
	if image := o.obj("image"); image != nil {
		f.Image = &engine.ImageFacts{Ref: image.str("ref"), Digest: image.str("sha")}
	}
	var err error
	if commit := o.obj("commit"); commit != nil {
		if sha := strings.ToLower(commit.str("id")); isSHA(sha) {
			f.Commit, f.CommitMessage = sha, commit.str("message")
		} else {
			err = errors.New("commit.id is no full commit SHA")
		}
	}
	subject := engine.Subject{Type: "deployment", ID: id}
	seen := o.at("updatedAt")
	stamp := m.Stamp()
	if !seen.IsZero() {
		stamp = seen.Format(time.RFC3339Nano)
	}
	m.Add(engine.Event{
		ID: "render:deploy:" + id + ":" + status + ":" + stamp, Type: "deployment.observed",
		OccurredAt: seen, Subject: subject, Data: engine.Facts(f),
	})
	if status != "live" && status != "deactivated" {
		return err
	}
	live := o.at("finishedAt")
	if live.IsZero() && status == "live" {
		live = seen
	}
	if live.IsZero() {
		return errors.Join(err, fmt.Errorf("deploy was live, but finishedAt does not say since when"))
	}
	f.Status = "live"
	m.Add(engine.Event{ID: "render:deploy:" + id + ":live", Type: "service.deployed", OccurredAt: live, Subject: subject, Data: engine.Facts(f)})
	if f.Trigger == "rollback" {
		m.Add(engine.Event{ID: "render:deploy:" + id + ":rolledback", Type: "service.rolledback", OccurredAt: live, Subject: subject, Data: engine.Facts(f)})
	}
	return err
}

// deployStarted maps deploy_started, the only record that names the person.
// trigger is said where a flag settles it; the Deploy knows the rest (API, hook,
// Blueprint and first build have no flag of their own).
func (m *mapping) deployStarted(e serviceEvent) error {
	id := e.details.str("deployId")
	if id == "" {
		return errors.New("deploy_started without details.deployId")
	}
	trigger := e.details.obj("trigger")
	f := engine.DeploymentFact{
		DeployID: id, ServiceID: e.service, User: user(trigger["user"]), RollbackTo: trigger.str("rollbackTargetDeployId"),
	}
	var reasons []string
	say := func(flag, reason string) bool {
		on := trigger.str(flag) == "true"
		if on && reason != "" {
			reasons = append(reasons, reason)
		}
		return on
	}
	switch {
	case say("rollback", ""):
		f.Trigger = "rollback"
	case say("deployedByRender", ""):
		f.Trigger = "deployed_by_render"
	case say("manual", ""):
		f.Trigger = "manual"
	case trigger.str("newCommit") != "":
		f.Trigger = "new_commit"
	}
	if sha := strings.ToLower(trigger.str("newCommit")); isSHA(sha) {
		f.Commit = sha
	}
	say("firstBuild", "first build")
	say("envUpdated", "environment updated")
	say("clearCache", "build cache cleared")
	if p := trigger.str("updatedProperty"); p != "" {
		reasons = append(reasons, "updated property "+p)
	}
	f.Reason = strings.Join(reasons, "; ")
	m.Add(engine.Event{
		ID: e.eventID(), Type: "deployment.started", OccurredAt: e.at, Actor: f.User,
		Subject: engine.Subject{Type: "deployment", ID: id}, Data: engine.Facts(f),
	})
	return nil
}

// deployEnded maps deploy_ended. Of the deprecated integer status only 2 is
// known to mean succeeded.
func (m *mapping) deployEnded(e serviceEvent) error {
	id := e.details.str("deployId")
	if id == "" {
		return errors.New("deploy_ended without details.deployId")
	}
	f := engine.DeploymentFact{DeployID: id, ServiceID: e.service, Status: e.details.str("deployStatus"), Reason: reason(e.details.obj("reason"))}
	if f.Status == "" && e.details.str("status") == "2" {
		f.Status = "succeeded"
	}
	m.Add(engine.Event{
		ID: e.eventID(), Type: "deployment.finished", OccurredAt: e.at,
		Subject: engine.Subject{Type: "deployment", ID: id}, Data: engine.Facts(f),
	})
	return nil
}

// reason says in words why a deploy ended other than well.
func reason(o object) string {
	var words []string
	add := func(format, value string) {
		if value != "" && value != "false" {
			words = append(words, fmt.Sprintf(format, value))
		}
	}
	add("build %s failed", o.obj("buildFailed").str("id"))
	add("superseded by build %s", o.obj("newBuild").str("id"))
	add("superseded by deploy %s", o.obj("newDeploy").str("id"))
	failure := o.obj("failure")
	add("exit code %s", failure.str("nonZeroExit"))
	add("out of memory at %s", failure.obj("oomKilled").str("memoryLimit"))
	add("timed out after %s s", failure.str("timedOutSeconds"))
	if failure.str("evicted") == "true" {
		words = append(words, "evicted")
	}
	if failure.str("earlyExit") == "true" {
		words = append(words, "exited early")
	}
	if failure.has("unhealthy") {
		words = append(words, "unhealthy")
	}
	return strings.Join(words, "; ")
}
