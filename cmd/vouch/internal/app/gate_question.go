package app

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"regexp"
	"strings"

	"github.com/changevouch/changevouch/collectors"
	"github.com/changevouch/changevouch/collectors/render"
	"github.com/changevouch/changevouch/engine"
)

// ErrPreview says that a deployment is one of a preview, which no gate is about.
var ErrPreview = errors.New("this is a preview of a pull request, not production")

var (
	pullRef  = regexp.MustCompile(`^refs/pull/([0-9]+)/`)
	queueRef = regexp.MustCompile(`^refs/heads/gh-readonly-queue/.+/pr-([0-9]+)-[0-9a-f]+$`)
	prNumber = regexp.MustCompile(`^#?([1-9][0-9]*)$`)
)

// PullRequestQuestion asks about a pull request: OWNER/NAME#NUMBER, or a number in the
// repository that GITHUB_REPOSITORY names. Without either it is the one that the GitHub
// Actions workflow runs for.
func PullRequestQuestion(said string, lookupEnv func(string) (string, bool)) (engine.GateQuestion, error) {
	env := func(name string) string { v, _ := lookupEnv(name); return v }
	repository := env("GITHUB_REPOSITORY")
	id := said
	switch found := prNumber.FindStringSubmatch(said); {
	case found != nil && repository == "":
		return engine.GateQuestion{}, fmt.Errorf("pull request %s of which repository? Say OWNER/NAME#%s", said, found[1])
	case found != nil:
		id = repository + "#" + found[1]
	case said == "":
		n, head, err := workflowPullRequest(env)
		if err != nil {
			return engine.GateQuestion{}, err
		}
		q := engine.GateQuestion{PullRequest: repository + "#" + n, Head: head}
		return q, q.Check()
	}
	q := engine.GateQuestion{PullRequest: id}
	// Also of a pull request that is named, a workflow knows for which commit it runs.
	if n, head, err := workflowPullRequest(env); err == nil && strings.EqualFold(repository+"#"+n, id) {
		q.Head = head
	}
	return q, q.Check()
}

// workflowPullRequest is the number of the pull request that a workflow runs for, and its
// head where that is told: from the event that started it or, in a merge queue, from
// the name of the branch.
func workflowPullRequest(env func(string) string) (number, head string, err error) {
	if path := env("GITHUB_EVENT_PATH"); path != "" {
		text, err := readFile(path)
		if err != nil {
			return "", "", fmt.Errorf("GITHUB_EVENT_PATH: %w", err)
		}
		var event struct {
			Number      json.Number `json:"number"`
			PullRequest struct {
				Number json.Number `json:"number"`
				Head   struct {
					SHA string `json:"sha"`
				} `json:"head"`
			} `json:"pull_request"`
		}
		if err := json.Unmarshal(text, &event); err != nil {
			return "", "", fmt.Errorf("GITHUB_EVENT_PATH: %s: %w", path, err)
		}
		for _, n := range []json.Number{event.PullRequest.Number, event.Number} {
			if prNumber.MatchString(n.String()) {
				return n.String(), event.PullRequest.Head.SHA, nil
			}
		}
	}
	for _, form := range []*regexp.Regexp{pullRef, queueRef} {
		if found := form.FindStringSubmatch(env("GITHUB_REF")); found != nil {
			return found[1], "", nil
		}
	}
	return "", "", errors.New("which pull request? This is no workflow of one: say --pull-request OWNER/NAME#NUMBER")
}

// RenderQuestion asks about the deployment whose pre-deploy command this is, by the
// variables that Render sets. A preview is ErrPreview.
func RenderQuestion(lookupEnv func(string) (string, bool)) (engine.GateQuestion, error) {
	env := func(name string) string { v, _ := lookupEnv(name); return v }
	if env("IS_PULL_REQUEST") == "true" {
		return engine.GateQuestion{}, ErrPreview
	}
	var missing []string
	for _, name := range []string{"RENDER_SERVICE_ID", "RENDER_GIT_COMMIT"} {
		if env(name) == "" {
			missing = append(missing, name)
		}
	}
	if len(missing) > 0 {
		return engine.GateQuestion{}, fmt.Errorf("%s not set: --render is for the pre-deploy command of a service that Render builds from Git", strings.Join(missing, ", "))
	}
	q := engine.GateQuestion{Deployment: &engine.PlannedDeployment{
		System: "render", Service: env("RENDER_SERVICE_ID"), Commit: strings.ToLower(env("RENDER_GIT_COMMIT")),
		Repository: env("RENDER_GIT_REPO_SLUG"), Branch: env("RENDER_GIT_BRANCH"),
	}}
	return q, q.Check()
}

// RenderKey is the API key of a file or of VOUCH_RENDER_API_KEY or RENDER_API_KEY; empty
// when there is none.
func RenderKey(file string, lookupEnv func(string) (string, bool)) (string, error) {
	return token(Surroundings{LookupEnv: lookupEnv}, file, "VOUCH_RENDER_API_KEY", "RENDER_API_KEY")
}

// FindDeploy asks Render which deploy a question is about, what triggered it and who. A
// question that names its deploy, and one for which there is no key, stay as they are:
// what is not known is then judged as such. address is that of the API, empty for
// Render's own.
func FindDeploy(ctx context.Context, q engine.GateQuestion, key, address string, notice func(string)) (engine.GateQuestion, error) {
	if q.Deployment == nil || q.Deployment.ID != "" || key == "" {
		return q, nil
	}
	service := collectors.Service{Notice: notice}
	if address != "" {
		var err error
		if service.Base, err = baseURL(address); err != nil {
			return q, err
		}
	}
	client, err := render.NewClient(key, service)
	if err != nil {
		return q, err
	}
	found, err := client.Planned(ctx, q.Deployment.Service, q.Deployment.Commit)
	if err != nil {
		return q, err
	}
	found.Repository, found.Branch = q.Deployment.Repository, q.Deployment.Branch
	return engine.GateQuestion{Deployment: &found}, nil
}
