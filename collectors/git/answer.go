package git

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"github.com/changevouch/changevouch/collectors"
	"github.com/changevouch/changevouch/engine"
)

// answerKind says how a REST answer of one kind is read.
type answerKind struct {
	source string // the dossier's source and fact that reading it proves
	fact   string
	field  string // the field that holds the list, where the answer is an object
	single bool   // one object proves the fact, too
	// each maps one element; whole maps all elements of a list that only
	// together are a fact, and says why the list is cut where it is.
	each  func(*mapper, route, json.RawMessage) error
	whole func(*mapper, route, []json.RawMessage, extent) (cut string, err error)
}

// extent is how much of a list was received.
type extent struct {
	complete bool   // this page ends the list
	cut      string // why it is known to lack records, "" if it is not
	page     int    // 0 where the list came whole
	total    *int
}

func answerKinds() map[string]answerKind {
	return map[string]answerKind{
		"repository":            {each: (*mapper).repository},
		"pull":                  {source: "github", fact: "pull_request", single: true, each: (*mapper).pull},
		"review":                {source: "github", fact: "reviews", each: (*mapper).review},
		"pull commit":           {source: "github", fact: "commits", whole: (*mapper).pullCommits},
		"pull file":             {source: "github", fact: "files", whole: (*mapper).pullFiles},
		"commit":                {each: (*mapper).commit},
		"commit pull":           {whole: (*mapper).commitPulls},
		"check run":             {source: "github", fact: "checks", field: "check_runs", each: (*mapper).checkRun},
		"combined status":       {source: "github", fact: "statuses", field: "statuses", each: (*mapper).status},
		"status":                {source: "github", fact: "statuses", each: (*mapper).status},
		"workflow run":          {field: "workflow_runs", each: (*mapper).workflowRun},
		"comparison":            {each: (*mapper).comparison},
		"branch":                {each: (*mapper).branch},
		"protection":            {source: "github", fact: "branch_protection", single: true, each: (*mapper).protection},
		"branch rule":           {source: "github", fact: "rulesets", whole: (*mapper).branchRules},
		"ruleset":               {each: (*mapper).ruleset},
		"ruleset version":       {each: (*mapper).rulesetVersion},
		"rule suite":            {source: "github", fact: "rule_suites", each: (*mapper).ruleSuite},
		"activity":              {source: "github", fact: "activity", each: (*mapper).activity},
		"timeline event":        {source: "github", fact: "timeline", each: (*mapper).timelineEvent},
		"deployment":            {source: "github", fact: "deployments", each: (*mapper).deployment},
		"deployment status":     {each: (*mapper).deploymentStatus},
		"run approval":          {each: (*mapper).runApproval},
		"environment":           {source: "github", fact: "environments", field: "environments", each: (*mapper).environment},
		"collaborator":          {source: "github", fact: "permissions", single: true, each: (*mapper).collaborator},
		"issue":                 {source: "issues", fact: "issues", each: (*mapper).issue},
		"comment":               {source: "issues", fact: "comments", each: (*mapper).comment},
		"dependabot alert":      {source: "scanner", fact: "vulnerabilities", each: (*mapper).dependabotAlert},
		"code-scanning alert":   {source: "scanner", fact: "vulnerabilities", each: (*mapper).codeScanningAlert},
		"secret-scanning alert": {source: "scanner", fact: "vulnerabilities", each: (*mapper).secretScanningAlert},
	}
}

// answer maps a REST answer, one object or a list.
func (m *mapper) answer(rt route, raw json.RawMessage) {
	kind, known := answerKinds()[rt.kind]
	if !known {
		m.Ignore(rt.kind)
		return
	}
	elements, isList, total, err := elementsOf(raw, kind.field)
	if err != nil {
		m.Fault("", err)
		return
	}
	if !isList {
		if err := kind.one(m, rt, raw); err != nil {
			m.Fault("", err)
		} else if kind.single && kind.fact != "" {
			m.cover(kind, rt, nil, extent{complete: true})
		}
		return
	}
	x := extentOf(rt, m.payload, len(elements), total)
	faults := len(m.Mapping().Faults)
	if kind.each != nil {
		for i, e := range elements {
			if err := kind.each(m, rt, e); err != nil {
				m.Fault(record(i), err)
			}
		}
	} else if cut, err := kind.whole(m, rt, elements, x); err != nil {
		m.Fault("", err)
	} else if cut != "" {
		x.cut = cut
	}
	if len(m.Mapping().Faults) > faults {
		x.cut = "records of the list could not be read"
	}
	if kind.fact != "" {
		m.cover(kind, rt, elements, x)
	}
}

func (k answerKind) one(m *mapper, rt route, raw json.RawMessage) error {
	if k.each != nil {
		return k.each(m, rt, raw)
	}
	return errors.New("an object where a list was expected")
}

// elementsOf returns the elements of a list answer.
func elementsOf(raw json.RawMessage, field string) (elements []json.RawMessage, isList bool, total *int, err error) {
	if raw[0] == '[' {
		err = json.Unmarshal(raw, &elements)
		return elements, true, nil, err
	}
	if field == "" {
		return nil, false, nil, nil
	}
	var o map[string]json.RawMessage
	if err := json.Unmarshal(raw, &o); err != nil {
		return nil, false, nil, err
	}
	list, ok := o[field]
	if !ok {
		return nil, false, nil, nil
	}
	if err := json.Unmarshal(list, &elements); err != nil {
		return nil, true, nil, fmt.Errorf("%s: %w", field, err)
	}
	var n int
	if json.Unmarshal(o["total_count"], &n) == nil {
		total = &n
	}
	return elements, true, total, nil
}

// extentOf judges whether a page ends its list. GitHub's pages hold 30 records
// unless asked otherwise, at most 100; a page of exactly that size without a
// following one may have been cut.
func extentOf(rt route, p collectors.Payload, n int, total *int) extent {
	x := extent{total: total}
	full := n == 30 || n == 100
	switch {
	case rt.perPage > 0:
		full = n >= rt.perPage
	case total != nil && rt.page <= 1:
		full = n < *total
	}
	if p.LastPage || total != nil && rt.page <= 1 && n >= *total {
		full = false
	}
	if rt.page > 1 || p.NextPage {
		x.page = max(rt.page, 1)
	}
	x.complete = !full && !p.NextPage
	if full && !p.NextPage {
		x.cut = "the list may be cut: the page is full and no further one was recorded"
	}
	return x
}

// cover records that a list was read, or that it was cut.
func (m *mapper) cover(kind answerKind, rt route, elements []json.RawMessage, x extent) {
	if !x.complete && x.cut == "" {
		return // a middle page proves nothing by itself
	}
	c := engine.CoverageFact{Source: kind.source, Status: "complete", Facts: []string{kind.fact}, Repository: rt.repo, SHA: rt.sha}
	if rt.number > 0 && kind.source != "scanner" {
		c.Number = &rt.number
	}
	if c.Repository == "" || c.SHA == "" {
		for _, e := range elements {
			about := aboutOf(e)
			if c.Repository == "" {
				c.Repository = about.repo
			}
			if rt.kind == "check run" && c.SHA == "" {
				c.SHA = about.sha
			}
		}
	}
	if x.cut != "" {
		c.Status, c.Facts, c.Missing, c.Reason = "incomplete", nil, []string{kind.fact}, x.cut
	}
	m.Cover(c)
}

// about is what one element says of its own place.
type about struct{ repo, sha string }

func aboutOf(raw json.RawMessage) about {
	var e struct {
		URL     string `json:"url"`
		Pull    string `json:"pull_request_url"`
		Issue   string `json:"issue_url"`
		Repo    string `json:"repository_url"`
		HeadSHA string `json:"head_sha"`
	}
	// An element of another shape says nothing of its place.
	_ = json.Unmarshal(raw, &e)
	return about{repo: repoOf(e.URL, e.Pull, e.Issue, e.Repo), sha: sha(e.HeadSHA)}
}

// unread records that an answer was an error: the fact could not be read.
func (m *mapper) unread(rt route, message string) {
	if rt.kind == "protection" && strings.EqualFold(message, "Branch not protected") {
		m.unprotected(rt)
		return
	}
	kind, known := answerKinds()[rt.kind]
	if rt.kind == "graphql" {
		kind, known = answerKind{source: "github", fact: "pull_request"}, true
	}
	if rt.kind == "repository" || rt.kind == "ruleset" {
		kind = answerKind{source: "github", fact: map[string]string{"repository": "pull_request", "ruleset": "rulesets"}[rt.kind]}
	}
	if !known {
		m.Fault("", fmt.Errorf("an error answer (%s), and the path does not tell of what", clip(message)))
		return
	}
	if kind.fact == "" {
		kind.source, kind.fact = "github", strings.ReplaceAll(rt.kind, " ", "_")
	}
	c := engine.CoverageFact{Source: kind.source, Status: "incomplete", Missing: []string{kind.fact},
		Reason: "GitHub answered: " + clip(message), Repository: rt.repo, SHA: rt.sha}
	if m.payload.Grant != "" {
		c.Reason += ". " + m.payload.Grant
	}
	if rt.number > 0 && kind.source != "scanner" {
		c.Number = &rt.number
	}
	m.Cover(c)
}

// clip bounds a message of the source.
func clip(s string) string {
	if r := []rune(s); len(r) > 200 {
		return string(r[:200]) + "…"
	}
	return s
}
