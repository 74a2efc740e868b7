package app

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.yaml.in/yaml/v3"

	"github.com/changevouch/changevouch/engine"
	"github.com/changevouch/changevouch/engine/assembly"
)

func starters(t *testing.T) map[string]string {
	t.Helper()
	list, err := Starters(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	out := map[string]string{}
	for _, s := range list {
		out[s.Path] = string(s.Text)
	}
	return out
}

// As it is, the settings starter changes nothing; with every value taken in, it is
// the defaults again. So it cannot go stale.
func TestSettingsStarter(t *testing.T) {
	text := starters(t)["settings.yaml"]
	path := filepath.Join(t.TempDir(), "settings.yaml")
	open := func(text string) []string {
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		p, err := OpenPolicy(t.Context(), PolicyConfig{Settings: path}, "")
		if err != nil {
			t.Fatal(err)
		}
		var out []string
		for _, parameter := range p.Parameters() {
			out = append(out, fmt.Sprintf("%s %v %v", parameter.Key, parameter.Changed, string(engine.Facts(parameter.Value))))
		}
		return out
	}
	untouched := open(text)
	builtIn, err := OpenPolicy(t.Context(), PolicyConfig{}, "")
	if err != nil {
		t.Fatal(err)
	}
	if len(untouched) != len(builtIn.Parameters()) || slices.ContainsFunc(untouched, func(s string) bool { return strings.Contains(s, " true ") }) {
		t.Errorf("the starter changes something: %s", strings.Join(untouched, "\n"))
	}
	taken := strings.Join(open(regexp.MustCompile(`(?m)^# `).ReplaceAllString(strings.TrimPrefix(text, settingsHead), "")), "\n")
	if want := strings.ReplaceAll(strings.Join(untouched, "\n"), " false ", " true "); taken != want {
		t.Errorf("with every value taken in (-want +got):\n%s", cmp.Diff(want, taken))
	}
	for _, parameter := range builtIn.Parameters() {
		for _, line := range explain(parameter) {
			if line == "" || !strings.Contains(text, line) {
				t.Errorf("%s is not explained: %q", parameter.Key, line)
			}
		}
	}
}

// The directory starter is a directory, and so it is with its examples taken in.
func TestDirectoryStarter(t *testing.T) {
	text := starters(t)["directory.yaml"]
	dir, err := assembly.ParseDirectory([]byte(text))
	if err != nil || len(dir.People) != 0 || dir.Complete {
		t.Errorf("the starter: %v, %+v", err, dir)
	}
	examples := regexp.MustCompile(`(?m)^([a-z]+): \[\]\n#`).ReplaceAllString(text, "$1:\n#")
	examples = regexp.MustCompile(`(?m)^#(  ( |-))`).ReplaceAllString(examples, "$1")
	examples = regexp.MustCompile(`(?m)^# (program_started_at|policy|  [a-z_]+):`).ReplaceAllString(examples, "$1:")
	dir, err = assembly.ParseDirectory([]byte(examples))
	if err != nil {
		t.Fatalf("with its examples: %v\n%s", err, examples)
	}
	if len(dir.People) != 2 || len(dir.Repositories) != 1 || len(dir.Services) != 1 || len(dir.Procedures) != 1 || dir.Policy == nil || dir.ProgramStartedAt == nil {
		t.Errorf("with its examples: %+v", dir)
	}
}

// form is an issue form of GitHub.
type form struct {
	Name, Description, Title string
	Labels                   []string
	Body                     []struct {
		Type       string
		ID         string
		Attributes struct {
			Label, Description, Placeholder, Value string
			Options                                []string
			Multiple                               bool
		}
		Validations struct{ Required bool }
	}
}

func readForm(t *testing.T, name string) form {
	t.Helper()
	var f form
	decoder := yaml.NewDecoder(strings.NewReader(starters(t)[".github/ISSUE_TEMPLATE/"+name+".yml"]))
	decoder.KnownFields(true)
	if err := decoder.Decode(&f); err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	if len(f.Labels) != 1 || !slices.Contains(FormLabels(), f.Labels[0]) {
		t.Errorf("%s: labels %v; people are told to create %v", name, f.Labels, FormLabels())
	}
	if f.Name == "" || f.Description == "" || len(f.Labels) == 0 {
		t.Errorf("%s: a form needs a name and a description, and ours a label", name)
	}
	return f
}

// render is the body that GitHub makes of answers: a heading and a paragraph for
// each question. Every answer must be to a question of the form.
func (f form) render(t *testing.T, answers map[string]string) string {
	t.Helper()
	var b strings.Builder
	asked := map[string]bool{}
	for _, e := range f.Body {
		if e.Type == "markdown" {
			continue
		}
		label := e.Attributes.Label
		answer := answers[label]
		asked[label] = true
		if e.ID == "" || label == "" {
			t.Errorf("%s: a question without id or label", f.Name)
		}
		if e.Type == "dropdown" && answer != "" && !slices.Contains(e.Attributes.Options, answer) {
			t.Errorf("%s: %q is no option of %s", f.Name, answer, label)
		}
		if answer == "" {
			if e.Validations.Required {
				t.Errorf("%s: %s is required", f.Name, label)
			}
			answer = "_No response_"
		}
		b.WriteString("### " + label + "\n\n" + answer + "\n\n")
	}
	for label := range answers {
		if !asked[label] {
			t.Errorf("%s: there is no question %q", f.Name, label)
		}
	}
	return strings.TrimSuffix(b.String(), "\n")
}

// issue is GitHub's answer about an issue that was made with a form.
func (f form) issue(t *testing.T, number int, created, closed string, answers map[string]string) map[string]any {
	labels := []map[string]any{}
	for _, label := range f.Labels {
		labels = append(labels, map[string]any{"name": label})
	}
	out := map[string]any{
		"id": 1000 + number, "number": number, "url": fmt.Sprintf("https://api.github.com/repos/acme/shop/issues/%d", number),
		"repository_url": "https://api.github.com/repos/acme/shop", "title": f.Title + "one", "body": f.render(t, answers),
		"user": map[string]any{"login": "bob-acme", "id": 2, "type": "User"}, "labels": labels,
		"created_at": created, "updated_at": created, "state": "open",
	}
	if closed != "" {
		out["state"], out["state_reason"], out["closed_at"], out["updated_at"] = "closed", "completed", closed, closed
	}
	return out
}

var mergeSHA = fmt.Sprintf("%040d", 412)

// Every section of every form arrives in a dossier, as GitHub renders it.
func TestFormsArrive(t *testing.T) {
	recordings := t.TempDir()
	record := func(path string, v any) {
		t.Helper()
		text, err := json.Marshal(v)
		if err != nil {
			t.Fatal(err)
		}
		full := filepath.Join(recordings, path)
		if err := os.MkdirAll(filepath.Dir(full), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(full, text, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	risks := func(m map[string]string) map[string]string {
		m["Risk (Availability)"], m["Risk (Security)"], m["Risk (Data)"] = "low", "none: no new input", "medium, rows are rewritten"
		m["Rollback"] = "Put the old value back.\n\nIt takes a minute."
		return m
	}
	incident := risks(map[string]string{
		"Description": "The shop is down.\n\n- everywhere", "Severity": "critical", "Affected components": "api, worker",
		"Started at": "2026-11-10T08:30Z", "Resolved at": "2026-11-10T12:00Z", "Commits": "The fix is " + mergeSHA + ".", "Pull request": "#412",
	})
	review := map[string]string{
		"Incident": "#77", "Root cause": "A pool was too small.", "Actions taken": "It was made larger.", "Preventive controls": "An alert on the pool.",
		"Completed at": "2026-11-12T10:00Z",
	}
	retrospective := map[string]string{
		"Commits": mergeSHA, "Pull request": "#412", "Reviewer": "@carol-acme", "Decision": "approved", "Limited to the issue": "yes", "Completed at": "2026-11-11T15:00Z",
	}
	change := risks(map[string]string{
		"Description": "More connections.", "Service": "api", "Settings": "POOL_SIZE", "Environment": "production", "Requested by": "@alice-acme",
	})
	access := risks(map[string]string{
		"Beneficiary": "@alice-acme", "Requested by": "@alice-acme", "System": "github", "Permission": "admin", "Description": "To rotate keys.", "Expires at": "2026-11-10T20:00Z",
	})
	accessReview := map[string]string{
		"System": "github", "Reviewer": "@carol-acme", "Completed at": "2026-11-12T16:00Z",
		"Entries": "| Account | Reviewer | Decision |\n| --- | --- | --- |\n| @alice-acme | carol | keep |\n| @carol-acme | bob | remove |",
	}
	record("repos/acme/shop/issues.json", []any{
		readForm(t, "incident").issue(t, 77, "2026-11-10T08:40:00Z", "", incident),
		readForm(t, "post-incident-review").issue(t, 78, "2026-11-12T09:00:00Z", "", review),
		readForm(t, "emergency-review").issue(t, 79, "2026-11-11T14:00:00Z", "", retrospective),
		readForm(t, "change-request").issue(t, 80, "2026-11-10T09:00:00Z", "", change),
		readForm(t, "access-request").issue(t, 81, "2026-11-10T09:00:00Z", "", access),
		readForm(t, "access-review").issue(t, 82, "2026-11-12T09:00:00Z", "", accessReview),
	})
	body := starters(t)[".github/pull_request_template.md"]
	for _, fill := range [][2]string{
		{"## Description\n", "## Description\n\nMore connections, for #77.\n"}, {"- [ ] emergency", "- [x] emergency"}, {"- Availability:", "- Availability: low"},
		{"- Security:", "- Security: none"}, {"- Data:", "- Data: low"}, {"## Rollback\n", "## Rollback\n\nRevert it.\n"},
	} {
		if !strings.Contains(body, fill[0]) {
			t.Fatalf("the template has no %q", fill[0])
		}
		body = strings.Replace(body, fill[0], fill[1], 1)
	}
	for number, text := range map[int]string{412: body, 413: starters(t)[".github/pull_request_template.md"]} {
		record(fmt.Sprintf("repos/acme/shop/pulls/%d.json", number), map[string]any{
			"id": number, "number": number, "url": fmt.Sprintf("https://api.github.com/repos/acme/shop/pulls/%d", number), "title": "Enlarge the pool", "body": strings.ReplaceAll(text, "\n", "\r\n"),
			"state": "closed", "user": map[string]any{"login": "alice-acme", "id": 1, "type": "User"}, "labels": []any{},
			"created_at": "2026-11-10T09:00:00Z", "updated_at": "2026-11-10T09:30:00Z", "merged_at": "2026-11-10T09:30:00Z", "closed_at": "2026-11-10T09:30:00Z",
			"merge_commit_sha": fmt.Sprintf("%040d", number), "merged": true, "merged_by": map[string]any{"login": "alice-acme", "id": 1, "type": "User"},
			"head": map[string]any{"sha": fmt.Sprintf("%039d1", number), "ref": "pool"},
			"base": map[string]any{"sha": "cccccccccccccccccccccccccccccccccccccccc", "ref": "main", "repo": map[string]any{"full_name": "acme/shop", "default_branch": "main"}},
		})
	}
	git := Collectors()[slices.IndexFunc(Collectors(), func(c Collector) bool { return c.Name == "git" })]
	read, err := git.Read(t.Context(), []string{recordings})
	if err != nil || len(read.Faults) > 0 {
		t.Fatal(err, read.Faults)
	}
	at := func(s string) *time.Time {
		when, err := time.Parse(time.RFC3339, s)
		if err != nil {
			t.Fatal(err)
		}
		return &when
	}
	events := append(read.Events, happening("config.changed", "render", "api", engine.ConfigFact{
		System: "render", Change: "UpdateEnvVars", Outcome: "success", Service: "api", Environment: "production", Keys: []string{"POOL_SIZE"},
	}), happening("access.changed", "github", "alice-acme", engine.AccessFact{
		Kind: "role_grant", Outcome: "success", System: "github", Target: &engine.AccessFactTarget{Kind: "user", Account: "alice-acme"}, Permission: &engine.AccessFactPermission{ID: "admin"},
	}), happening("access.observed", "github", "alice-acme", engine.HolderFact{System: "github", Holder: engine.Account{System: "github", Account: "alice-acme"}}))
	people := assembly.Directory{}
	for _, name := range []string{"alice", "bob", "carol"} {
		people.People = append(people.People, engine.Person{ID: name, Kind: "employee", Accounts: map[string][]string{"github": {name + "-acme"}}})
	}
	p, err := OpenPolicy(t.Context(), PolicyConfig{}, "")
	if err != nil {
		t.Fatal(err)
	}
	dossiers, problems, err := Assemble(t.Context(), events, people, p, *at("2026-11-20T09:00:00Z"))
	if err != nil || len(problems) > 0 {
		t.Fatal(err, problems)
	}
	bySubject := map[string]engine.Dossier{}
	var empty *engine.Documentation
	for _, d := range dossiers {
		key := d.Subject.Type
		if d.Change != nil {
			key = d.Change.Kind
		}
		if d.Subject.ID == "acme/shop#413" {
			empty = d.Change.PullRequest.BodyAtMerge
			continue
		}
		bySubject[key] = d
	}
	if want := (&engine.Documentation{Raw: empty.Raw}); !cmp.Equal(want, empty) {
		t.Errorf("an untouched template says something: %+v", empty)
	}
	pull, config, grant, checked := bySubject["pull_request"].Change, bySubject["platform_config"].Change, bySubject["iam_grant"].Change, bySubject["access_review"].AccessReview
	if pull == nil || config == nil || grant == nil || checked == nil {
		t.Fatalf("dossiers are missing: %v", slices.Collect(func(yield func(string) bool) {
			for key := range bySubject {
				yield(key)
			}
		}))
	}
	risk := &engine.RiskText{Availability: "low", Security: "none: no new input", Data: "medium, rows are rewritten"}
	rollback := "Put the old value back.\n\nIt takes a minute."
	yes := true
	same := func(what string, want, got any) {
		t.Helper()
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", what, diff)
		}
	}
	same("the description of the pull request", &engine.Documentation{
		Description: "More connections, for #77.", Risk: &engine.RiskText{Availability: "low", Security: "none", Data: "low"}, Rollback: "Revert it.", Raw: strings.ReplaceAll(body, "\n", "\r\n"),
	}, pull.PullRequest.BodyAtMerge)
	same("what the pull request declares", &engine.Declared{Type: "emergency", Source: "pull request"}, pull.Declared)
	same("the incident", &engine.EmergencyTrigger{
		ID: "acme/shop#77", Kind: "incident", Severity: "critical", StartedAt: at("2026-11-10T08:30:00Z"), RecordedAt: at("2026-11-10T08:40:00Z"),
		ResolvedAt: at("2026-11-10T12:00:00Z"), AffectedComponents: []string{"api", "worker"}, Title: "Incident: one", MentionsCommit: []string{mergeSHA},
	}, pull.EmergencyTrigger)
	same("the text of the incident", &engine.Documentation{Description: "The shop is down.\n\n- everywhere", Risk: risk, Rollback: rollback}, pull.Issue.Body)
	same("the post-incident review", &engine.PostIncidentReview{
		CompletedAt: at("2026-11-12T10:00:00Z"), RootCause: "A pool was too small.", ActionsTaken: "It was made larger.", PreventiveControls: "An alert on the pool.",
	}, pull.PostIncidentReview)
	same("the emergency review", &engine.RetrospectiveReview{
		Reviewer: "carol-acme", CompletedAt: at("2026-11-11T15:00:00Z"), Decision: "approved", LimitedToIssue: &yes,
	}, pull.RetrospectiveReview)
	same("the change request", &engine.Documentation{Description: "More connections.", Risk: risk, Rollback: rollback}, config.Issue.Body)
	same("who requested the change", "alice-acme", config.Event.RequestedBy)
	same("the access request", &engine.Documentation{Description: "To rotate keys.", Risk: risk, Rollback: rollback}, grant.Issue.Body)
	same("who requested access", "alice-acme", grant.Event.RequestedBy)
	same("when access ends", at("2026-11-10T20:00:00Z"), grant.Event.Elevation.ExpiresAt)
	same("the access review", &engine.AccessReview{
		System: "github", LastCompletedAt: at("2026-11-12T16:00:00Z"),
		Entries: []engine.ReviewEntry{{Holder: "alice-acme", Reviewer: "carol", Decision: "keep"}, {Holder: "carol-acme", Reviewer: "bob", Decision: "remove"}},
	}, checked)
}

// happening is an event of 10 November 2026, 10:00.
func happening(kind, provider, id string, data any) engine.Event {
	at := time.Date(2026, 11, 10, 10, 0, 0, 0, time.UTC)
	source := "iam"
	if provider == "render" {
		source = "render"
	}
	return engine.Event{
		Schema: engine.EventSchema, ID: provider + ":" + kind + ":" + id, Source: source, Provider: provider, Type: kind, OccurredAt: at, ObservedAt: at,
		Actor: &engine.Account{System: provider, Account: "bob-acme"}, Subject: engine.Subject{Type: "service", ID: id}, Data: engine.Facts(data),
		Evidence: engine.Evidence{Digest: engine.Digest([]byte(id)), MediaType: "application/json", Trust: engine.TrustFile},
	}
}

// A template that nobody filled in says nothing.
func TestTemplateIsNoContent(t *testing.T) {
	for name := range starters(t) {
		name, form := strings.CutPrefix(name, ".github/ISSUE_TEMPLATE/")
		if !form {
			continue
		}
		f := readForm(t, strings.TrimSuffix(name, ".yml"))
		for i := range f.Body {
			f.Body[i].Validations.Required = false
		}
		for line := range strings.SplitSeq(f.render(t, nil), "\n") {
			if line != "" && !strings.HasPrefix(line, "### ") && line != "_No response_" {
				t.Errorf("%s says %q by itself", name, line)
			}
		}
	}
}
