package assembly

import (
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/changevouch/changevouch/engine"
)

// fact is an event with its data read.
type fact[T any] struct {
	engine.Event
	Data T
}

// facts is the evidence by what it is about. Every list is in order of time, then
// id. Pull requests and issues go by "owner/repo#number", commits by sha.
type facts struct {
	pullFacts     map[string][]fact[engine.PullRequestFact]
	reviewFacts   map[string][]fact[engine.ReviewFact]
	dismissals    map[string][]fact[engine.ReviewDismissalFact]
	commitLists   map[string][]fact[engine.CommitListFact]
	fileLists     map[string][]fact[engine.FileListFact]
	enqueues      map[string][]fact[engine.EnqueueFact]
	operators     map[string][]fact[engine.OperatorFact]
	notes         map[string][]fact[engine.TimelineFact]
	commits       map[string]fact[engine.CommitFact]
	associations  map[string][]fact[engine.CommitPullRequestsFact]
	comparisons   map[string][]fact[engine.ComparisonFact]
	checks        map[string][]fact[engine.CheckFact]
	pushes        []fact[engine.PushFact]
	branchHeads   []fact[engine.BranchHeadFact]
	groups        []fact[engine.MergeGroupFact]
	protections   map[string][]fact[engine.ProtectionStateFact]
	bypasses      map[string][]fact[engine.BypassFact]
	permissions   map[string][]fact[engine.PermissionFact]
	deployFacts   map[string][]fact[engine.DeploymentFact]
	serviceFacts  map[string]fact[engine.ServiceFact]
	environments  map[string]fact[engine.EnvironmentFact]
	configs       []fact[engine.ConfigFact]
	accesses      []fact[engine.AccessFact]
	holders       []fact[engine.HolderFact]
	issueFacts    map[string][]fact[engine.IssueFact]
	comments      map[string][]fact[engine.IssueCommentFact]
	vulnFacts     map[string][]fact[engine.VulnerabilityFact]
	validations   []fact[engine.ValidationFact]
	alertFacts    map[string][]fact[engine.AlertFact]
	coverage      []fact[engine.CoverageFact]
	eventIDs      map[string]bool
	commitsByTree map[string][]string
	cloneCommits  map[string]bool // those that a clone holds
}

// pullKey names a pull request or a numbered issue.
func pullKey(repository string, number int) string {
	return repository + "#" + strconv.Itoa(number)
}

// readings are the events that say what was read, not what happened: a reading
// made after evaluated_at may still speak of what was before it.
var readings = map[string]bool{
	"access.observed": true, "branch.observed": true, "change.commits_listed": true, "change.files_listed": true,
	"commit.associated": true, "commits.compared": true, "coverage.recorded": true, "environment.observed": true,
	"permission.observed": true, "protection.observed": true, "service.observed": true, "change.updated": true,
	"deployment.observed": true, "commit.recorded": true, "issue.recorded": true, "vulnerability.observed": true,
	"alert.observed": true, "incident.detected": true,
}

// index keeps one version of every event and files it by subject.
func (a *assembler) index(events []engine.Event) *facts {
	f := &facts{
		pullFacts: map[string][]fact[engine.PullRequestFact]{}, reviewFacts: map[string][]fact[engine.ReviewFact]{},
		dismissals: map[string][]fact[engine.ReviewDismissalFact]{}, commitLists: map[string][]fact[engine.CommitListFact]{},
		fileLists: map[string][]fact[engine.FileListFact]{}, enqueues: map[string][]fact[engine.EnqueueFact]{},
		operators: map[string][]fact[engine.OperatorFact]{}, notes: map[string][]fact[engine.TimelineFact]{},
		commits: map[string]fact[engine.CommitFact]{}, associations: map[string][]fact[engine.CommitPullRequestsFact]{},
		comparisons: map[string][]fact[engine.ComparisonFact]{}, checks: map[string][]fact[engine.CheckFact]{},
		protections: map[string][]fact[engine.ProtectionStateFact]{}, bypasses: map[string][]fact[engine.BypassFact]{},
		permissions: map[string][]fact[engine.PermissionFact]{}, deployFacts: map[string][]fact[engine.DeploymentFact]{},
		serviceFacts: map[string]fact[engine.ServiceFact]{}, environments: map[string]fact[engine.EnvironmentFact]{},
		issueFacts: map[string][]fact[engine.IssueFact]{}, comments: map[string][]fact[engine.IssueCommentFact]{},
		vulnFacts: map[string][]fact[engine.VulnerabilityFact]{}, alertFacts: map[string][]fact[engine.AlertFact]{},
		eventIDs: map[string]bool{}, commitsByTree: map[string][]string{}, cloneCommits: map[string]bool{},
	}
	for _, e := range a.distinct(events) {
		f.eventIDs[e.ID] = true
		if err := f.file(e); err != nil {
			a.problem(e.ID, err.Error())
		}
	}
	for _, sha := range sortedKeys(f.commits) {
		if c := f.commits[sha].Data; c.TreeSHA != "" {
			f.commitsByTree[c.TreeSHA] = append(f.commitsByTree[c.TreeSHA], sha)
		}
	}
	return f
}

// distinct keeps one version of each event, the most trustworthy, then the
// earliest observed, then the smallest as text, and puts them in order. Versions
// that tell different facts are a problem. Happenings after At are left out.
func (a *assembler) distinct(events []engine.Event) []engine.Event {
	type version struct {
		event engine.Event
		text  []byte
	}
	byID := map[string]version{}
	for _, e := range events {
		if e.OccurredAt.After(a.opts.At) && !readings[e.Type] {
			continue
		}
		e.OccurredAt, e.ObservedAt = e.OccurredAt.UTC(), e.ObservedAt.UTC()
		if err := readable(e); err != nil {
			a.problem(e.ID, err.Error())
			continue
		}
		v := version{event: e, text: engine.Facts(e)}
		other, twice := byID[e.ID]
		if twice && !bytes.Equal(bare(e), bare(other.event)) {
			a.problem(e.ID, "two events with this id tell different facts: the most trustworthy is used")
		}
		if !twice || cmp.Or(trustRank(e)-trustRank(other.event), e.ObservedAt.Compare(other.event.ObservedAt), bytes.Compare(v.text, other.text)) < 0 {
			byID[e.ID] = v
		}
	}
	out := make([]engine.Event, 0, len(byID))
	for _, v := range byID {
		out = append(out, v.event)
	}
	slices.SortFunc(out, func(x, y engine.Event) int {
		return cmp.Or(x.OccurredAt.Compare(y.OccurredAt), strings.Compare(x.ID, y.ID))
	})
	return out
}

// readable refuses what could not be written again: data that is no JSON object,
// years that RFC 3339 has no digits for.
func readable(e engine.Event) error {
	if text := bytes.TrimSpace(e.Data); len(text) == 0 || text[0] != '{' || !json.Valid(text) {
		return errors.New("the data is no JSON object: the event is left out")
	}
	for _, t := range []time.Time{e.OccurredAt, e.ObservedAt} {
		if t.Year() < 1678 || t.Year() > 2261 {
			return fmt.Errorf("the year %d is out of range: the event is left out", t.Year())
		}
	}
	return nil
}

func trustRank(e engine.Event) int {
	order := []string{engine.TrustWebhookVerified, engine.TrustAPIRead, engine.TrustFile, engine.TrustDeclared}
	if i := slices.Index(order, e.Evidence.Trust); i >= 0 {
		return i
	}
	return len(order)
}

// bare is an event without how it was received.
func bare(e engine.Event) []byte {
	e.ObservedAt, e.Evidence = time.Time{}, engine.Evidence{}
	return engine.Facts(e)
}

// file puts one event where it belongs. Types that no dossier uses are ignored.
func (f *facts) file(e engine.Event) error {
	switch e.Type {
	case "change.created", "change.updated", "change.merged", "change.abandoned":
		return keep(f.pullFacts, e, func(d engine.PullRequestFact) string { return numbered(d.Repository, d.Number) })
	case "change.reviewed":
		return keep(f.reviewFacts, e, func(d engine.ReviewFact) string { return numbered(d.Repository, d.Number) })
	case "change.review_dismissed":
		return keep(f.dismissals, e, func(d engine.ReviewDismissalFact) string { return numbered(d.Repository, d.Number) })
	case "change.commits_listed":
		return keep(f.commitLists, e, func(d engine.CommitListFact) string { return numbered(d.Repository, d.Number) })
	case "change.files_listed":
		return keep(f.fileLists, e, func(d engine.FileListFact) string {
			if d.Number != nil {
				return numbered(d.Repository, *d.Number)
			}
			return d.SHA
		})
	case "change.enqueued", "change.dequeued":
		return keep(f.enqueues, e, func(d engine.EnqueueFact) string { return numbered(d.Repository, d.Number) })
	case "change.operated":
		return keep(f.operators, e, func(d engine.OperatorFact) string { return numbered(d.Repository, d.Number) })
	case "change.noted":
		return keep(f.notes, e, func(d engine.TimelineFact) string { return numbered(d.Repository, d.Number) })
	case "commit.recorded":
		return f.fileCommit(e)
	case "commit.associated":
		return keep(f.associations, e, func(d engine.CommitPullRequestsFact) string { return d.SHA })
	case "commits.compared":
		return keep(f.comparisons, e, func(d engine.ComparisonFact) string { return d.Head })
	case "check.completed":
		return keep(f.checks, e, func(d engine.CheckFact) string { return d.SHA })
	case "protection.observed", "protection.changed":
		return keep(f.protections, e, func(d engine.ProtectionStateFact) string { return d.Repository })
	case "protection.bypassed":
		return keep(f.bypasses, e, func(d engine.BypassFact) string { return d.Repository })
	case "permission.observed":
		return keep(f.permissions, e, func(d engine.PermissionFact) string { return permissionKey(d.Repository, d.Account) })
	case "vulnerability.observed":
		return keep(f.vulnFacts, e, func(d engine.VulnerabilityFact) string { return d.FindingID })
	case "alert.observed":
		return keep(f.alertFacts, e, func(d engine.AlertFact) string { return d.AlertID })
	case "incident.detected", "incident.resolved", "issue.recorded":
		return keep(f.issueFacts, e, func(d engine.IssueFact) string { return issueKey(d.Key, d.Repository, d.Number) })
	case "issue.commented":
		return keep(f.comments, e, func(d engine.IssueCommentFact) string { return issueKey(d.Key, d.Repository, d.Number) })
	}
	return f.fileOther(e)
}

func (f *facts) fileOther(e engine.Event) error {
	switch e.Type {
	case "deployment.requested", "deployment.started", "deployment.finished", "deployment.observed",
		"deployment.approved", "service.deployed", "service.rolledback":
		return keep(f.deployFacts, e, func(d engine.DeploymentFact) string {
			if d.DeployID == "" {
				return ""
			}
			return e.Provider + ":" + d.DeployID
		})
	case "branch.pushed":
		return list(&f.pushes, e)
	case "branch.observed":
		return list(&f.branchHeads, e)
	case "merge_group.created":
		return list(&f.groups, e)
	case "config.changed":
		return list(&f.configs, e)
	case "access.changed":
		return list(&f.accesses, e)
	case "access.observed":
		return list(&f.holders, e)
	case "validation.recorded":
		return list(&f.validations, e)
	case "coverage.recorded":
		return list(&f.coverage, e)
	case "service.observed":
		return newest(f.serviceFacts, e, func(d engine.ServiceFact) string { return d.ServiceID })
	case "environment.observed":
		return newest(f.environments, e, func(d engine.EnvironmentFact) string {
			return e.Provider + ":" + first(d.EnvironmentID, d.Environment)
		})
	}
	return nil
}

// fileCommit completes one commit from every event about it: a list of commits
// has no files, a webhook has no tree.
func (f *facts) fileCommit(e engine.Event) error {
	var d engine.CommitFact
	if err := e.Decode(&d); err != nil {
		return err
	}
	if d.SHA == "" {
		return fmt.Errorf("%s: names no commit", e.Type)
	}
	if e.Provider == cloneProvider {
		f.cloneCommits[d.SHA] = true
	}
	old, known := f.commits[d.SHA]
	if !known {
		f.commits[d.SHA] = fact[engine.CommitFact]{Event: e, Data: d}
		return nil
	}
	m := old.Data
	m.TreeSHA, m.PatchID = first(m.TreeSHA, d.TreeSHA), first(m.PatchID, d.PatchID)
	m.Message, m.Repository = first(m.Message, d.Message), first(m.Repository, d.Repository)
	if m.Author.Account == "" && (d.Author.Account != "" || m.Author.Email == "") {
		m.Author = d.Author
	}
	if m.Committer == nil || (m.Committer.Account == "" && d.Committer != nil && d.Committer.Account != "") {
		m.Committer = d.Committer
	}
	m.CoAuthors, m.Parents, m.Files = longer(m.CoAuthors, d.CoAuthors), longer(m.Parents, d.Parents), longer(m.Files, d.Files)
	m.MergeFromBase, m.Conflicts = first(m.MergeFromBase, d.MergeFromBase), first(m.Conflicts, d.Conflicts)
	m.Verified, m.Verification, m.Signer = first(m.Verified, d.Verified), first(d.Verification, m.Verification), first(m.Signer, d.Signer)
	if m.Numbers == nil {
		m.Numbers = d.Numbers
	}
	if m.Trailers == nil {
		m.Trailers = d.Trailers
	}
	f.commits[d.SHA] = fact[engine.CommitFact]{Event: old.Event, Data: m}
	return nil
}

func longer[T any](a, b []T) []T {
	if len(b) > len(a) {
		return b
	}
	return a
}

func numbered(repository string, number int) string {
	if repository == "" || number <= 0 {
		return ""
	}
	return pullKey(repository, number)
}

// issueKey is the tracker's key, or owner/repo#number where it has none.
func issueKey(key, repository string, number *int) string {
	if key == "" && number != nil {
		return numbered(repository, *number)
	}
	return key
}

func permissionKey(repository string, account engine.Account) string {
	return repository + " " + strings.ToLower(account.Account)
}

func keep[T any](into map[string][]fact[T], e engine.Event, key func(T) string) error {
	var d T
	if err := e.Decode(&d); err != nil {
		return err
	}
	k := key(d)
	if k == "" {
		return fmt.Errorf("%s: says not what it is about", e.Type)
	}
	into[k] = append(into[k], fact[T]{Event: e, Data: d})
	return nil
}

func list[T any](into *[]fact[T], e engine.Event) error {
	var d T
	if err := e.Decode(&d); err != nil {
		return err
	}
	*into = append(*into, fact[T]{Event: e, Data: d})
	return nil
}

// newest keeps the last reading of each.
func newest[T any](into map[string]fact[T], e engine.Event, key func(T) string) error {
	var d T
	if err := e.Decode(&d); err != nil {
		return err
	}
	if k := key(d); k != "" {
		into[k] = fact[T]{Event: e, Data: d}
	}
	return nil
}
