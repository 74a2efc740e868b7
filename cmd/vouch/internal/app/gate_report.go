package app

import (
	"context"
	"encoding/json"
	"fmt"
	"net/url"
	"strings"
	"sync"
	"time"

	"github.com/changevouch/changevouch/collectors/git"
	"github.com/changevouch/changevouch/engine"
	"github.com/changevouch/changevouch/engine/report"
)

// checkSummary is how long the summary of a check run may be; GitHub takes 65,535
// characters.
const checkSummary = 60000

// GateReporter shows the decisions on pull requests on GitHub, as the configuration says:
// while one is open what would be decided if it were merged, afterwards what was
// decided. The check run of a commit is brought up to date, never doubled. Safe for
// concurrent use.
type GateReporter struct {
	config    GitHubConfig
	publicURL string
	lookupEnv func(string) (string, bool)
	gate      func(context.Context) (Gate, error)

	lock      sync.Mutex
	reporters map[string]*git.Reporter // by owner: an app is installed there
}

// NewGateReporter prepares to report; it is nil when nothing is to be reported. gate
// opens what answers for open pull requests.
func NewGateReporter(c Config, lookupEnv func(string) (string, bool), gate func(context.Context) (Gate, error)) *GateReporter {
	if c.GitHub.Report != "check_run" && c.GitHub.Report != "status" {
		return nil
	}
	return &GateReporter{config: c.GitHub, publicURL: c.PublicURL, lookupEnv: lookupEnv, gate: gate, reporters: map[string]*git.Reporter{}}
}

// shownFor is how long after a pull request was closed its check is kept up to date.
// Later nobody looks at it: the journal answers.
const shownFor = 90 * 24 * time.Hour

// Report shows the recorded decision on a pull request. One whose head is not on record
// is left alone: there is no commit to show anything on. So is one that was closed
// long before the decision: the first reading of a repository finds years of them.
func (r *GateReporter) Report(ctx context.Context, decision engine.Decision, dossier []byte) error {
	var d struct {
		Change struct {
			Repository  string `json:"repository"`
			PullRequest *struct {
				HeadSHA  string     `json:"head_sha"`
				MergedAt *time.Time `json:"merged_at"`
				ClosedAt *time.Time `json:"closed_at"`
			} `json:"pull_request"`
		} `json:"change"`
	}
	if err := json.Unmarshal(dossier, &d); err != nil {
		return fmt.Errorf("dossier of decision %s: %w", decision.ID, err)
	}
	pr := d.Change.PullRequest
	if pr == nil || pr.HeadSHA == "" || d.Change.Repository == "" {
		return nil
	}
	shown := report.GateReport{
		Mode: r.config.Mode, About: "pull request " + decision.Subject.ID, Outcome: decision.Outcome, Link: r.link(decision.Subject),
		Decisions: []report.Judgement{{Decision: decision, Dossier: dossier}},
	}
	closed := pr.MergedAt
	if closed == nil {
		closed = pr.ClosedAt
	}
	at, err := time.Parse(time.RFC3339Nano, decision.EvaluatedAt)
	if err != nil {
		return fmt.Errorf("decision %s: evaluated_at: %w", decision.ID, err)
	}
	if closed != nil && closed.Add(shownFor).Before(at) {
		return nil
	}
	if closed == nil {
		if err := r.ahead(ctx, engine.GateQuestion{PullRequest: decision.Subject.ID, Head: pr.HeadSHA}, &shown); err != nil {
			return err
		}
	}
	check := git.CheckRun{
		Name: r.config.CheckName, HeadSHA: pr.HeadSHA, Conclusion: shown.Conclusion(), Title: shown.Title(),
		Summary: shown.Markdown(checkSummary), DetailsURL: shown.Link, ExternalID: decision.ID,
	}
	for _, remark := range shown.Remarks() {
		check.Annotations = append(check.Annotations, git.Annotation(remark))
	}
	owner, _, _ := strings.Cut(d.Change.Repository, "/")
	reporter, err := r.connect(owner)
	if err != nil {
		return err
	}
	if r.config.Report == "status" {
		return reporter.WriteStatus(ctx, d.Change.Repository, check)
	}
	return reporter.WriteCheckRun(ctx, d.Change.Repository, check)
}

// ahead replaces what was decided by what would be if the pull request were merged.
func (r *GateReporter) ahead(ctx context.Context, q engine.GateQuestion, shown *report.GateReport) error {
	gate, err := r.gate(ctx)
	if err != nil {
		return err
	}
	judged, problems, err := gate.Judge(ctx, q)
	if err != nil {
		return err
	}
	answer := gate.answer(q, judged, problems)
	shown.Ahead, shown.Decisions, shown.Problems, shown.Outcome = true, nil, problems, answer.Outcome
	for _, j := range judged {
		shown.Decisions = append(shown.Decisions, report.Judgement{Decision: j.Decision, Dossier: j.Dossier})
	}
	return nil
}

// link is where people read more, "" if nowhere.
func (r *GateReporter) link(s engine.Subject) string {
	if r.publicURL == "" {
		return ""
	}
	return strings.TrimSuffix(r.publicURL, "/") + "/v1/subjects/" + url.PathEscape(s.ID) + "?type=" + url.QueryEscape(s.Type)
}

func (r *GateReporter) connect(owner string) (*git.Reporter, error) {
	r.lock.Lock()
	defer r.lock.Unlock()
	owner = strings.ToLower(owner)
	if known := r.reporters[owner]; known != nil {
		return known, nil
	}
	options, err := r.config.options(owner, r.lookupEnv)
	if err != nil {
		return nil, err
	}
	reporter, err := git.ConnectReporter(options)
	if err != nil {
		return nil, fmt.Errorf("github: %w", err)
	}
	r.reporters[owner] = reporter
	return reporter, nil
}
