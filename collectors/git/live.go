package git

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/changevouch/changevouch/collectors"
)

// overlap is how much of the last pass is read again: GitHub's lists lag behind
// its pages by minutes.
const overlap = time.Hour

// Repository collects one repository, "owner/name": configuration, movements of
// branches, pull requests, deployments, issues, comments, security alerts.
func (g *GitHub) Repository(name string) (collectors.Collector, error) {
	owner, repo, ok := strings.Cut(name, "/")
	if !ok || !isName(owner) || !isName(repo) {
		return nil, fmt.Errorf("repository %q: expected OWNER/NAME, such as acme/shop", name)
	}
	return &live{GitHub: g, name: g.host() + "/" + name, repo: name}, nil
}

// isName tells what GitHub takes for the name of an owner or a repository.
func isName(s string) bool {
	return s != "" && s != "." && s != ".." && !strings.ContainsFunc(s, func(r rune) bool {
		return (r < 'a' || r > 'z') && (r < 'A' || r > 'Z') && (r < '0' || r > '9') && !strings.ContainsRune("._-", r)
	})
}

// live reads one repository.
type live struct {
	*GitHub
	name  string
	repo  string // owner/name
	about *aboutRepository
}

// aboutRepository is what the repository says of itself, read once in a collection.
type aboutRepository struct {
	FullName      string `json:"full_name"`
	DefaultBranch string `json:"default_branch"`
	HasIssues     *bool  `json:"has_issues"`
	answer        answer
}

// Name implements collectors.Collector.
func (l *live) Name() string { return l.name }

// Collect implements collectors.Collector.
func (l *live) Collect(ctx context.Context, w collectors.Window, cursor json.RawMessage, commit func(collectors.Batch) error) error {
	if err := l.open(ctx); err != nil {
		return err
	}
	return collectors.Stages{
		Sources: []string{"github", "issues", "scanner"}, Repository: l.about.FullName, Overlap: overlap,
		All: []collectors.Stage{
			{Name: "configuration", Read: l.configuration},
			{Name: "rules", Read: l.ruleHistory},
			{Name: "bypasses", Read: l.bypasses},
			{Name: "activity", Read: l.activityStage},
			{Name: "pulls", Read: l.pulls},
			{Name: "deployments", Read: l.deployments},
			{Name: "issues", Read: l.issues},
			{Name: "comments", Read: l.comments},
			{Name: "alerts", Read: l.alerts},
		},
	}.Collect(ctx, w, cursor, commit)
}

// open reads the repository itself. Without it nothing else can be read, and a
// refusal is no gap but the end.
func (l *live) open(ctx context.Context) error {
	a, err := l.get(ctx, l.path(""))
	if err != nil {
		return err
	}
	if a.refused() {
		return fmt.Errorf("cannot be read (HTTP %d): it does not exist, or not for these credentials. %s", a.status, a.Grant)
	}
	about := aboutRepository{answer: a}
	if err := json.Unmarshal(a.Bytes, &about); err != nil {
		return fmt.Errorf("%s: %w", a.Path, err)
	}
	if about.DefaultBranch == "" || about.FullName == "" {
		return fmt.Errorf("%s: an answer without full_name or default_branch", a.Path)
	}
	// After a renaming the old name leads to the new one.
	l.repo, l.about = about.FullName, &about
	return nil
}

// path is an address below the repository.
func (l *live) path(format string, args ...any) string {
	return strings.TrimSuffix("repos/"+l.repo+"/"+fmt.Sprintf(format, args...), "/")
}

func (l *live) mapper(p collectors.Payload) collectors.Mapping { return l.settings.Map(p) }

// done ends a stage: a position from which nothing is left.
const done = "done"

// configuration reads how the repository is set up now: default branch,
// environments, who may what, protection and rules of the protected branches.
func (l *live) configuration(ctx context.Context, w collectors.Window, position string, commit func(collectors.Step) error) error {
	if position == done {
		return nil
	}
	step := collectors.Step{Position: done, Batch: collectors.Batch{Step: stamp(w.Until)}}
	l.add(&step, l.mapper, l.about.answer)
	for _, list := range []string{"environments?per_page=100", "collaborators?per_page=100"} {
		if err := l.takeAll(ctx, &step, l.mapper, l.path("%s", list)); err != nil {
			return err
		}
	}
	branches, err := l.protectedBranches(ctx, &step)
	if err != nil {
		return err
	}
	for _, b := range branches {
		name := url.PathEscape(b)
		if _, err := l.take(ctx, &step, l.mapper, l.path("branches/%s/protection", name)); err != nil {
			return err
		}
		if err := l.takeAll(ctx, &step, l.mapper, l.path("rules/branches/%s?per_page=100", name)); err != nil {
			return err
		}
	}
	return commit(step)
}

// protectedBranches are the default branch and every other that is protected.
func (l *live) protectedBranches(ctx context.Context, step *collectors.Step) ([]string, error) {
	names := []string{l.about.DefaultBranch}
	if _, err := l.take(ctx, step, l.mapper, l.path("branches/%s", url.PathEscape(l.about.DefaultBranch))); err != nil {
		return nil, err
	}
	_, err := l.each(ctx, l.path("branches?protected=true&per_page=100"), func(a answer) (bool, error) {
		list, err := elements[struct {
			Name string `json:"name"`
		}](a, "")
		for _, b := range list {
			if b.Name != "" && !slices.Contains(names, b.Name) {
				names = append(names, b.Name)
			}
		}
		return true, err
	})
	return names, err
}

// ruleHistory reads the rulesets, and how each was in the window: the version
// before it and all since.
func (l *live) ruleHistory(ctx context.Context, w collectors.Window, position string, commit func(collectors.Step) error) error {
	if position == done {
		return nil
	}
	step := collectors.Step{Position: done, Batch: collectors.Batch{Step: stamp(w.Until)}}
	_, err := l.each(ctx, l.path("rulesets?includes_parents=true&per_page=100"), func(a answer) (bool, error) {
		if a.refused() {
			l.add(&step, l.mapper, a)
		}
		list, err := elements[struct {
			ID     int64  `json:"id"`
			Target string `json:"target"`
		}](a, "")
		for _, r := range list {
			if err != nil || r.Target != "" && r.Target != "branch" {
				continue
			}
			if _, err = l.take(ctx, &step, l.mapper, l.path("rulesets/%d?includes_parents=true", r.ID)); err == nil {
				err = l.versions(ctx, &step, r.ID, w.Since)
			}
		}
		return true, err
	})
	if err != nil {
		return err
	}
	return commit(step)
}

// versions reads the earlier states of a ruleset, newest first. Whoever may not
// see them sees the present state, which tells since when it holds.
func (l *live) versions(ctx context.Context, step *collectors.Step, id int64, since time.Time) error {
	_, err := l.each(ctx, l.path("rulesets/%d/history?per_page=100", id), func(a answer) (bool, error) {
		if a.refused() {
			step.Add(collectors.Mapping{Ignored: map[string]int{"ruleset history that may not be read": 1}})
			return false, nil
		}
		list, err := elements[struct {
			ID        int64 `json:"version_id"`
			UpdatedAt when  `json:"updated_at"`
		}](a, "")
		if err != nil {
			return false, err
		}
		for _, v := range list {
			if _, err := l.take(ctx, step, l.mapper, l.path("rulesets/%d/history/%d", id, v.ID)); err != nil {
				return false, err
			}
			if v.UpdatedAt.Before(since) {
				return false, nil
			}
		}
		return true, nil
	})
	return err
}

// suitesKept is how long GitHub keeps rule suites.
const suitesKept = 30 * 24 * time.Hour

// bypasses reads the pushes and merges that went past the rules. GitHub keeps a
// month of them.
func (l *live) bypasses(ctx context.Context, w collectors.Window, position string, commit func(collectors.Step) error) error {
	if position == done {
		return nil
	}
	step := collectors.Step{Position: done, Batch: collectors.Batch{Step: stamp(w.Until)}}
	last, err := l.each(ctx, l.path("rulesets/rule-suites?rule_suite_result=bypass&time_period=month&per_page=100"), func(a answer) (bool, error) {
		if a.refused() {
			l.add(&step, l.mapper, a)
		}
		list, err := elements[struct {
			ID       int64 `json:"id"`
			PushedAt when  `json:"pushed_at"`
		}](a, "")
		for _, suite := range list {
			if err == nil && !suite.PushedAt.Before(w.Since) {
				_, err = l.take(ctx, &step, l.mapper, l.path("rulesets/rule-suites/%d", suite.ID))
			}
		}
		return true, err
	})
	if err != nil {
		return err
	}
	if kept := last.ObservedAt.Add(-suitesKept); !last.refused() && kept.After(w.Since) {
		step.Gaps = append(step.Gaps, collectors.Gap{Source: "github", Fact: "rule_suites", Until: kept,
			Reason: "GitHub keeps rule suites for a month: collect at least weekly"})
	}
	return commit(step)
}

// activityStage reads how branches moved, newest first, and for the default
// branch which commits and pull requests that brought.
func (l *live) activityStage(ctx context.Context, w collectors.Window, position string, commit func(collectors.Step) error) error {
	first := l.path("activity?per_page=100")
	ref, after, _ := strings.Cut(firstOf(position, first), " ")
	for ; ref != done; after = "" {
		a, err := l.get(ctx, ref)
		if err != nil {
			return err
		}
		if a.refused() && ref != first {
			ref = first // GitHub has forgotten the place
			continue
		}
		moves, err := elements[movement](a, "")
		if err != nil {
			return err
		}
		next := firstOf(a.next, done)
		read := indexOf(moves, after)
		for i, m := range moves {
			if m.Timestamp.Before(w.Since) {
				next = done
			} else if i <= read {
				continue
			} else if branch, _ := branchOf(m.Ref); branch == l.about.DefaultBranch && isCommit(m.After) {
				if err := l.movement(ctx, m, ref+" "+m.name(), commit); err != nil {
					return err
				}
			}
		}
		page := collectors.Step{Position: next, Batch: collectors.Batch{Step: pageName(moves)}}
		l.addWindow(&page, l.mapper, a)
		if err := commit(page); err != nil {
			return err
		}
		ref = next
	}
	return nil
}

type movement struct {
	ID        ident  `json:"id"`
	Before    string `json:"before"`
	After     string `json:"after"`
	Ref       string `json:"ref"`
	Timestamp when   `json:"timestamp"`
	Kind      string `json:"activity_type"`
}

func (m movement) name() string { return string(m.ID) }

// indexOf finds the record after which a page goes on, -1 for the whole of it.
func indexOf[T interface{ name() string }](page []T, name string) int {
	return slices.IndexFunc(page, func(one T) bool { return one.name() == name })
}

// pageName is the same for the same page, wherever it stands in the list.
func pageName[T interface{ name() string }](page []T) string {
	if len(page) == 0 {
		return "page/none"
	}
	return "page/" + page[0].name() + "-" + page[len(page)-1].name()
}

// movement reads what a movement of the default branch brought. Pushes are asked
// about commit by commit: none of them need have a pull request.
func (l *live) movement(ctx context.Context, m movement, position string, commit func(collectors.Step) error) error {
	step := collectors.Step{Position: position, Batch: collectors.Batch{Step: m.name()}}
	commits := []string{m.After}
	if isCommit(m.Before) {
		a, err := l.take(ctx, &step, l.mapper, l.path("compare/%s...%s", m.Before, m.After))
		if err != nil {
			return err
		}
		if push := m.Kind == "push" || m.Kind == "force_push"; push && !a.refused() {
			list, err := elements[struct {
				SHA string `json:"sha"`
			}](a, "commits")
			if err != nil {
				return err
			}
			for _, c := range list {
				if isCommit(c.SHA) && !slices.Contains(commits, c.SHA) {
					commits = append(commits, c.SHA)
				}
			}
		}
	}
	for _, c := range commits {
		if err := l.takeAll(ctx, &step, l.mapper, l.path("commits/%s/pulls?per_page=100", c)); err != nil {
			return err
		}
	}
	if err := l.checks(ctx, &step, m.After); err != nil {
		return err
	}
	return commit(step)
}

// isCommit tells full ids from the zeros of a branch that began or ended.
func isCommit(s string) bool { return sha(s) != "" && strings.Trim(s, "0") != "" }

// checks reads the check runs and statuses of a commit.
func (l *live) checks(ctx context.Context, step *collectors.Step, sha string) error {
	return errors.Join(
		l.takeAll(ctx, step, l.mapper, l.path("commits/%s/check-runs?filter=all&per_page=100", sha)),
		l.takeAll(ctx, step, l.mapper, l.path("commits/%s/statuses?per_page=100", sha)),
	)
}
