package engine

import (
	"fmt"
	"regexp"
	"slices"
	"time"
)

// GateQuestion asks whether something may go ahead now: the merge of a pull request, or
// a deployment that is built and not live yet. Exactly one of the two is set.
type GateQuestion struct {
	PullRequest string             `json:"pull_request,omitempty"` // OWNER/NAME#NUMBER
	Head        string             `json:"head,omitempty"`         // of the pull request, as whoever asks knows it; empty: as it is on record
	Deployment  *PlannedDeployment `json:"deployment,omitempty"`
}

// PlannedDeployment is a deployment that would go live. What is not known is empty.
type PlannedDeployment struct {
	System     string `json:"system"`            // render
	ID         string `json:"id,omitempty"`      // dep-…
	Service    string `json:"service,omitempty"` // srv-…
	Commit     string `json:"commit,omitempty"`  // full id
	Repository string `json:"repository,omitempty"`
	Branch     string `json:"branch,omitempty"`
	Trigger    string `json:"trigger,omitempty"`
	User       string `json:"user,omitempty"` // account in System
}

var (
	pullRequestID = regexp.MustCompile(`^[A-Za-z0-9._-]+/[A-Za-z0-9._-]+#[1-9][0-9]{0,9}$`)
	commitID      = regexp.MustCompile(`^([0-9a-f]{40}|[0-9a-f]{64})$`)
)

// QuestionError says what is wrong with a question, and where: Pointer is a JSON pointer.
type QuestionError struct {
	Pointer string
	Reason  string
}

func (e *QuestionError) Error() string { return e.Reason }

// Check says what is wrong with a question; the error is a *QuestionError.
func (q GateQuestion) Check() error {
	wrong := func(pointer, format string, args ...any) error {
		return &QuestionError{Pointer: pointer, Reason: fmt.Sprintf(format, args...)}
	}
	switch d := q.Deployment; {
	case (q.PullRequest == "") == (d == nil):
		return wrong("", "a gate is asked about one pull request or one deployment")
	case d == nil && !pullRequestID.MatchString(q.PullRequest):
		return wrong("/pull_request", "%.80q is no pull request, such as acme/shop#412", q.PullRequest)
	case q.Head != "" && (d != nil || !commitID.MatchString(q.Head)):
		return wrong("/head", "head %.80q: the full id of the commit at the head of a pull request is expected", q.Head)
	case d == nil:
		return nil
	case d.System != "render":
		return wrong("/deployment/system", "system %.80q: deployments of render can be asked about", d.System)
	case d.Service == "":
		return wrong("/deployment/service", "the deployment names no service")
	case !commitID.MatchString(d.Commit):
		return wrong("/deployment/commit", "commit %.80q: the full id of a commit is expected", d.Commit)
	}
	return nil
}

// About names what a question is about.
func (q GateQuestion) About() string {
	if d := q.Deployment; d != nil {
		return fmt.Sprintf("deployment of %.12s to %s", d.Commit, d.Service)
	}
	return "pull request " + q.PullRequest
}

// GateAnswer is what would be decided of each subject concerned if it went ahead now.
// These decisions are not recorded, and nothing has happened yet: their dossiers say
// what would.
type GateAnswer struct {
	At        time.Time  `json:"at"`
	About     string     `json:"about"`
	Outcome   string     `json:"outcome"` // the worst of them; unknown when there is none
	Decisions []Decision `json:"decisions"`
	// Problems say what could not be judged.
	Problems []string `json:"problems,omitempty"`
}

// outcomesByWeight are outcomes, the worst first.
var outcomesByWeight = []string{OutcomeNonCompliant, OutcomeUnknown, OutcomePending, OutcomeCompliantWithWaiver, OutcomeCompliant, OutcomeOutOfScope}

// WorstOutcome of several decisions. Of none it is unknown, and so is an outcome that
// nobody has heard of.
func WorstOutcome(decisions []Decision) string {
	worst := ""
	for _, d := range decisions {
		outcome := d.Outcome
		if !slices.Contains(outcomesByWeight, outcome) {
			outcome = OutcomeUnknown
		}
		if worst == "" || slices.Index(outcomesByWeight, outcome) < slices.Index(outcomesByWeight, worst) {
			worst = outcome
		}
	}
	if worst == "" {
		return OutcomeUnknown
	}
	return worst
}
