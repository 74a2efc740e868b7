package git

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/changevouch/changevouch/collectors"
)

// listed is what the list of pull requests says that is needed to order them.
type listed struct {
	Number    int  `json:"number"`
	CreatedAt when `json:"created_at"`
	UpdatedAt when `json:"updated_at"`
}

func (p listed) position() string { return stamp(p.UpdatedAt.Time) + " " + strconv.Itoa(p.Number) }

func compareListed(a, b listed) int {
	return cmp.Or(a.UpdatedAt.Compare(b.UpdatedAt.Time), a.Number-b.Number)
}

// pulls reads every pull request that was updated since the window began, the
// longest untouched first.
func (l *live) pulls(ctx context.Context, w collectors.Window, position string, commit func(collectors.Step) error) error {
	if position == done {
		return nil
	}
	all, refused, err := l.listPulls(ctx, w)
	if err != nil {
		return err
	}
	if refused != nil {
		step := collectors.Step{Position: done, Batch: collectors.Batch{Step: "list"}}
		l.add(&step, l.mapper, *refused)
		return commit(step)
	}
	at, number, _ := strings.Cut(position, " ")
	n, _ := strconv.Atoi(number)
	for i, p := range all {
		if position != "" && cmp.Or(strings.Compare(stamp(p.UpdatedAt.Time), at), p.Number-n) <= 0 {
			continue
		}
		step := collectors.Step{Position: p.position(), Batch: collectors.Batch{
			Step: fmt.Sprintf("%d/%s", p.Number, stamp(p.UpdatedAt.Time)), Done: i + 1, Total: len(all),
		}}
		if err := l.onePull(ctx, &step, p.Number); err != nil {
			return err
		}
		if err := commit(step); err != nil {
			return err
		}
	}
	return nil
}

// sweeps bounds how often the top of the list is read again because it moved.
const sweeps = 5

// listPulls lists newest first, which alone loses nothing while pull requests
// are being updated: what moves, moves to the front, and the front is read again
// until it holds still.
func (l *live) listPulls(ctx context.Context, w collectors.Window) ([]listed, *answer, error) {
	found := map[int]listed{}
	until := w.Since
	for range sweeps {
		var newest time.Time
		pages := 0
		last, err := l.each(ctx, l.path("pulls?state=all&sort=updated&direction=desc&per_page=100"), func(a answer) (bool, error) {
			pages++
			page, err := elements[listed](a, "")
			for _, p := range page {
				if p.Number <= 0 || p.UpdatedAt.IsZero() {
					return false, fmt.Errorf("%s: a pull request without number or updated_at", a.Path)
				}
				if p.UpdatedAt.After(newest) {
					newest = p.UpdatedAt.Time
				}
				if p.UpdatedAt.Before(until) {
					return false, nil
				}
				if !p.CreatedAt.After(w.Until) {
					found[p.Number] = p
				}
			}
			return true, err
		})
		if err != nil {
			return nil, nil, err
		}
		if last.refused() {
			return nil, &last, nil
		}
		if pages == 1 {
			break
		}
		until = newest
	}
	all := make([]listed, 0, len(found))
	for _, p := range found {
		all = append(all, p)
	}
	slices.SortFunc(all, compareListed)
	return all, nil, nil
}

// onePull reads a pull request with all that belongs to it.
func (l *live) onePull(ctx context.Context, step *collectors.Step, number int) error {
	a, err := l.take(ctx, step, l.mapper, l.path("pulls/%d", number))
	if err != nil {
		return err
	}
	for _, list := range []string{"pulls/%d/reviews", "pulls/%d/commits", "pulls/%d/files", "issues/%d/timeline", "issues/%d/events"} {
		if err := l.takeAll(ctx, step, l.mapper, l.path(list+"?per_page=100", number)); err != nil {
			return err
		}
	}
	if a.refused() {
		return nil
	}
	if err := l.history(ctx, step, number); err != nil {
		return err
	}
	var p pull
	if err := json.Unmarshal(a.Bytes, &p); err != nil {
		return fmt.Errorf("%s: %w", a.Path, err)
	}
	if isCommit(p.Head.SHA) {
		if err := l.checks(ctx, step, p.Head.SHA); err != nil {
			return err
		}
	}
	if p.MergedAt.IsZero() || !isCommit(p.MergeSHA) {
		return nil
	}
	if _, err := l.take(ctx, step, l.mapper, l.path("commits/%s", p.MergeSHA)); err != nil {
		return err
	}
	return l.takeAll(ctx, step, l.mapper, l.path("commits/%s/pulls?per_page=100", p.MergeSHA))
}

// historyQuery asks for what REST does not know of a pull request: whether its
// description was edited, the heads before and after a force-push, who enqueued
// it, and the issues that it closes.
const historyQuery = `query($owner:String!,$name:String!,$number:Int!){repository(owner:$owner,name:$name){nameWithOwner pullRequest(number:$number){
number url state isDraft title body author{login __typename} createdAt updatedAt closedAt mergedAt mergedBy{login __typename}
lastEditedAt userContentEdits(first:50){nodes{editedAt editor{login __typename}}}
baseRefName baseRefOid headRefName headRefOid mergeCommit{oid} labels(first:100){nodes{name}}
closingIssuesReferences(first:50){nodes{number repository{nameWithOwner}}}
timelineItems(first:100,itemTypes:[HEAD_REF_FORCE_PUSHED_EVENT,BASE_REF_CHANGED_EVENT,AUTO_MERGE_ENABLED_EVENT,ADDED_TO_MERGE_QUEUE_EVENT]){pageInfo{hasNextPage} nodes{__typename
...on HeadRefForcePushedEvent{createdAt actor{login __typename} beforeCommit{oid} afterCommit{oid}}
...on BaseRefChangedEvent{createdAt actor{login __typename}}
...on AutoMergeEnabledEvent{createdAt enabler{login __typename}}
...on AddedToMergeQueueEvent{createdAt enqueuer{login __typename}}}}}}}`

// history reads what only GraphQL knows. A server that does not answer it leaves
// that unknown, and the rest as it is.
func (l *live) history(ctx context.Context, step *collectors.Step, number int) error {
	owner, name, _ := strings.Cut(l.repo, "/")
	a, err := l.query(ctx, fmt.Sprintf("graphql/%s/%d.json", l.repo, number), historyQuery,
		map[string]any{"owner": owner, "name": name, "number": number})
	if err != nil {
		return err
	}
	if !told(a) {
		step.Add(collectors.Mapping{Ignored: map[string]int{"history of a pull request that GraphQL does not tell": 1}})
		return nil
	}
	l.add(step, l.mapper, a)
	return nil
}

// told reports whether GraphQL answered in full: its errors come with status 200.
func told(a answer) bool {
	var w struct {
		Errors []json.RawMessage `json:"errors"`
	}
	return !a.refused() && json.Unmarshal(a.Bytes, &w) == nil && len(w.Errors) == 0
}
