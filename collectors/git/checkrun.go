package git

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/google/go-github/v60/github"
)

// What GitHub takes of one check run
// (https://docs.github.com/en/rest/checks/runs#create-a-check-run).
const (
	maxCheckText   = 65535 // characters of summary and of text
	maxTitle       = 255
	maxAnnotations = 50 // of one request; more are added by further ones
	maxDescription = 140
)

// CheckRun is a verdict on one commit.
type CheckRun struct {
	Name        string
	HeadSHA     string
	Conclusion  string // success, failure, neutral, action_required
	Title       string
	Summary     string // Markdown
	DetailsURL  string
	ExternalID  string
	Annotations []Annotation
}

// Annotation is a remark on a file of the commit.
type Annotation struct {
	Path    string
	Level   string // notice, warning, failure
	Title   string
	Message string
}

// Reporter shows verdicts on GitHub, as check runs or commit statuses. It can do
// nothing else there. Safe for concurrent use.
type Reporter struct {
	github *GitHub
	app    string // id of the app; empty writes as a user
}

var reportPath = regexp.MustCompile(`^/(api/v3/)?repos/[^/]+/[^/]+/(check-runs(/[0-9]+)?|statuses/[0-9a-f]+)$`)

// ConnectReporter prepares to report as an app (check runs and statuses) or with a
// token (statuses). It reaches no network yet.
func ConnectReporter(o Options) (*Reporter, error) {
	g, err := connect(o, func(r *http.Request) bool {
		return r.Method == http.MethodGet || (r.Method == http.MethodPost || r.Method == http.MethodPatch) && reportPath.MatchString(r.URL.Path)
	})
	if err != nil {
		return nil, err
	}
	r := &Reporter{github: g}
	if o.App != nil {
		r.app = o.App.ID
	}
	return r, nil
}

// ErrNotApp says that GitHub takes check runs from apps only.
var ErrNotApp = errors.New("only a GitHub App may write check runs: report a status instead")

// WriteCheckRun shows a verdict as the check run of its name on a commit of a
// repository, "owner/name". One that this app wrote before is brought up to date: a
// commit has one check run of a name, however often it is judged.
func (r *Reporter) WriteCheckRun(ctx context.Context, repository string, c CheckRun) error {
	if r.app == "" {
		return ErrNotApp
	}
	if err := checkTarget(repository, c.HeadSHA); err != nil {
		return err
	}
	id, same, err := r.checkRun(ctx, repository, c)
	if err != nil || same {
		return err
	}
	first := c.Annotations[:min(len(c.Annotations), maxAnnotations)]
	method, path := http.MethodPost, "repos/"+repository+"/check-runs"
	body := checkRunBody(c, first)
	if id != 0 {
		method, path = http.MethodPatch, path+"/"+strconv.FormatInt(id, 10)
		delete(body, "head_sha")
	}
	if id, err = r.write(ctx, method, path, body); err != nil {
		return fmt.Errorf("check run %s on %s@%.12s: %w", c.Name, repository, c.HeadSHA, err)
	}
	for more := range slices.Chunk(c.Annotations[len(first):], maxAnnotations) {
		body := map[string]any{"output": checkRunBody(c, more)["output"]}
		if _, err := r.write(ctx, http.MethodPatch, fmt.Sprintf("repos/%s/check-runs/%d", repository, id), body); err != nil {
			return fmt.Errorf("check run %s on %s@%.12s: annotations: %w", c.Name, repository, c.HeadSHA, err)
		}
	}
	return nil
}

func checkRunBody(c CheckRun, annotations []Annotation) map[string]any {
	output := map[string]any{"title": clipped(c.Title, maxTitle), "summary": clipped(c.Summary, maxCheckText)}
	if len(annotations) > 0 {
		var list []map[string]any
		for _, a := range annotations {
			list = append(list, map[string]any{
				"path": a.Path, "start_line": 1, "end_line": 1, "annotation_level": a.Level,
				"title": clipped(a.Title, maxTitle), "message": clipped(a.Message, maxCheckText),
			})
		}
		output["annotations"] = list
	}
	body := map[string]any{
		"name": c.Name, "head_sha": c.HeadSHA, "status": "completed", "conclusion": c.Conclusion,
		"external_id": c.ExternalID, "output": output,
	}
	if c.DetailsURL != "" {
		body["details_url"] = c.DetailsURL
	}
	return body
}

// checkRun finds the check run that this app wrote, 0 for none, and tells whether it
// says the same already.
func (r *Reporter) checkRun(ctx context.Context, repository string, c CheckRun) (id int64, same bool, err error) {
	ref := fmt.Sprintf("repos/%s/commits/%s/check-runs?check_name=%s&filter=latest&per_page=100", repository, c.HeadSHA, url.QueryEscape(c.Name))
	a, err := r.github.get(ctx, ref)
	if err != nil {
		return 0, false, err
	}
	if a.refused() {
		return 0, false, refusedBy(a)
	}
	runs, err := elements[struct {
		ID         int64  `json:"id"`
		Name       string `json:"name"`
		Status     string `json:"status"`
		Conclusion string `json:"conclusion"`
		ExternalID string `json:"external_id"`
		DetailsURL string `json:"details_url"`
		Output     struct {
			Title   string `json:"title"`
			Summary string `json:"summary"`
		} `json:"output"`
		App struct {
			ID       int64  `json:"id"`
			ClientID string `json:"client_id"`
		} `json:"app"`
	}](a, "check_runs")
	if err != nil {
		return 0, false, err
	}
	for _, run := range runs {
		ours := strconv.FormatInt(run.App.ID, 10) == r.app || run.App.ClientID == r.app
		if run.Name != c.Name || !ours || run.ID < id {
			continue
		}
		id = run.ID
		same = run.Status == "completed" && run.Conclusion == c.Conclusion && run.ExternalID == c.ExternalID && (c.DetailsURL == "" || run.DetailsURL == c.DetailsURL) &&
			run.Output.Title == clipped(c.Title, maxTitle) && run.Output.Summary == clipped(c.Summary, maxCheckText)
	}
	return id, same, nil
}

// write sends one change and returns the id of what it changed.
func (r *Reporter) write(ctx context.Context, method, path string, body map[string]any) (int64, error) {
	req, err := r.github.api.NewRequest(method, path, body)
	if err != nil {
		return 0, fmt.Errorf("address %s: %w", path, err)
	}
	a, err := r.github.ask(ctx, req, path, path)
	if err != nil {
		return 0, err
	}
	if a.refused() {
		return 0, refusedBy(a)
	}
	var made struct {
		ID int64 `json:"id"`
	}
	if err := json.Unmarshal(a.Bytes, &made); err != nil {
		return 0, fmt.Errorf("%s: %w", path, err)
	}
	return made.ID, nil
}

func refusedBy(a answer) error {
	var o github.ErrorResponse
	_ = json.Unmarshal(a.Bytes, &o) // a refusal without a message has its status
	said := fmt.Sprintf("GitHub refuses (HTTP %d): %s", a.status, o.Message)
	if a.Grant != "" {
		said += ". " + a.Grant
	}
	return errors.New(said)
}

func checkTarget(repository, sha string) error {
	owner, name, ok := strings.Cut(repository, "/")
	if !ok || !isName(owner) || !isName(name) {
		return fmt.Errorf("repository %q: expected OWNER/NAME, such as acme/shop", repository)
	}
	if !isCommit(sha) {
		return fmt.Errorf("commit %.80q of %s is no full commit id", sha, repository)
	}
	return nil
}

// clipped cuts a text to what GitHub takes. Both its limit in characters and one in
// bytes are kept, since its documents do not say which it counts.
func clipped(text string, limit int) string {
	if len(text) <= limit {
		return text
	}
	cut := limit - len("…")
	for cut > 0 && !utf8.RuneStart(text[cut]) {
		cut--
	}
	return text[:cut] + "…"
}
