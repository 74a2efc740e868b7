package git

import (
	"encoding/json"
	"net/url"
	"path"
	"slices"
	"strconv"
	"strings"

	"github.com/changevouch/changevouch/collectors"
)

// route says what an API path is about. kind is the noun of one element, also
// for lists of it; fields that the path does not tell are zero.
type route struct {
	kind    string
	repo    string // owner/name
	number  int    // pull request, issue, alert
	sha     string
	name    string // branch, environment, login, base...head, run id
	page    int    // 1 for the first page
	perPage int    // 0 where unknown
}

// routeOf reads the route of a payload from its address, else from its file path.
func routeOf(p collectors.Payload) route {
	if rt := routeOfURL(p.URL); rt.kind != "" {
		return rt
	}
	return routeOfPath(p.Path)
}

// routeOfURL reads an API address such as https://api.github.com/repos/o/r/pulls/7.
func routeOfURL(address string) route {
	if address == "" {
		return route{}
	}
	u, err := url.Parse(address)
	if err != nil {
		return route{}
	}
	rt := routeOfSegments(segments(u.EscapedPath()))
	if rt.kind == "" {
		return rt
	}
	q := u.Query()
	rt.page, rt.perPage = 1, 30 // GitHub's defaults
	if n, err := strconv.Atoi(q.Get("page")); err == nil && n > 0 {
		rt.page = n
	}
	if n, err := strconv.Atoi(q.Get("per_page")); err == nil && n > 0 {
		rt.perPage = min(n, 100)
	}
	return rt
}

// routeOfPath reads a recorded answer's file path: the API path plus .json,
// below any folder.
func routeOfPath(p string) route {
	dir, base := path.Split(p)
	base = strings.TrimSuffix(base, ".gz")
	for _, end := range []string{".json", ".ndjson", ".jsonl"} {
		base = strings.TrimSuffix(base, end)
	}
	page := 1
	if i := strings.LastIndex(base, ".page-"); i > 0 {
		if n, err := strconv.Atoi(base[i+len(".page-"):]); err == nil && n > 0 {
			base, page = base[:i], n
		}
	}
	rt := routeOfSegments(segments(dir + base))
	rt.page = page
	return rt
}

func segments(p string) []string {
	var all []string
	for s := range strings.SplitSeq(p, "/") {
		if s == "" {
			continue
		}
		if plain, err := url.PathUnescape(s); err == nil {
			s = plain
		}
		all = append(all, s)
	}
	return all
}

// routeOfSegments looks for repos/OWNER/NAME/… or orgs/ORG/… from the right, so
// that a folder named repos further up does no harm.
func routeOfSegments(s []string) route {
	for i, word := range slices.Backward(s) {
		switch {
		case word == "graphql":
			return route{kind: "graphql", name: strings.Join(s[i+1:], "/")}
		case word == "orgs" && i+2 < len(s):
			if rt := orgRoute(s[i+2:]); rt.kind != "" {
				return rt
			}
		case word == "repos" && i+2 < len(s):
			rt := repoRoute(s[i+3:])
			if rt.kind != "" {
				rt.repo = s[i+1] + "/" + s[i+2]
				return rt
			}
		}
	}
	return route{}
}

func orgRoute(s []string) route {
	if len(s) >= 2 && s[1] == "alerts" {
		return repoRoute(s)
	}
	if len(s) >= 1 && s[0] == "rulesets" {
		return repoRoute(s)
	}
	return route{}
}

// repoRoute reads what follows repos/OWNER/NAME/.
func repoRoute(s []string) route {
	at := func(i int) string {
		if i < len(s) {
			return s[i]
		}
		return ""
	}
	number, _ := strconv.Atoi(at(1))
	switch at(0) {
	case "":
		return route{kind: "repository"}
	case "pulls":
		if at(1) == "" || number > 0 && at(2) == "" {
			return route{kind: "pull", number: number}
		}
		kinds := map[string]string{"reviews": "review", "commits": "pull commit", "files": "pull file",
			"comments": "review comment", "requested_reviewers": "requested reviewers", "merge": "merge state"}
		if number > 0 {
			return route{kind: kinds[at(2)], number: number}
		}
		if at(1) == "comments" {
			return route{kind: "review comment"}
		}
	case "commits":
		if len(s) == 1 {
			return route{kind: "commit"}
		}
		kinds := map[string]string{"pulls": "commit pull", "check-runs": "check run", "check-suites": "check suite",
			"status": "combined status", "statuses": "status", "comments": "commit comment", "branches-where-head": "branch"}
		if kind := kinds[at(len(s)-1)]; kind != "" && len(s) > 2 {
			return route{kind: kind, sha: sha(at(1)), name: strings.Join(s[1:len(s)-1], "/")}
		}
		return route{kind: "commit", sha: sha(at(1)), name: strings.Join(s[1:], "/")}
	case "git":
		if at(1) == "commits" {
			return route{kind: "commit", sha: sha(at(2))}
		}
	case "check-runs":
		return route{kind: "check run"}
	case "check-suites":
		return route{kind: "check suite"}
	case "statuses":
		return route{kind: "status", sha: sha(at(1))}
	case "compare":
		return route{kind: "comparison", name: strings.Join(s[1:], "/")}
	case "actions":
		if at(1) != "runs" {
			return route{}
		}
		kinds := map[string]string{"": "workflow run", "approvals": "run approval", "pending_deployments": "pending deployment", "jobs": "workflow job", "attempts": "workflow run"}
		return route{kind: kinds[at(3)], name: at(2)}
	case "branches":
		if i := slices.Index(s, "protection"); i > 1 {
			if i == len(s)-1 {
				return route{kind: "protection", name: strings.Join(s[1:i], "/")}
			}
			return route{kind: "protection detail", name: strings.Join(s[1:i], "/")}
		}
		return route{kind: "branch", name: strings.Join(s[1:], "/")}
	case "rules":
		if at(1) == "branches" && len(s) > 2 {
			return route{kind: "branch rule", name: strings.Join(s[2:], "/")}
		}
	case "rulesets":
		switch {
		case at(1) == "rule-suites":
			return route{kind: "rule suite"}
		case at(2) == "history":
			return route{kind: "ruleset version", name: at(1)}
		}
		return route{kind: "ruleset", name: at(1)}
	case "activity":
		return route{kind: "activity"}
	case "issues":
		if at(1) == "comments" {
			return route{kind: "comment"}
		}
		if at(1) == "events" {
			return route{kind: "timeline event"}
		}
		kinds := map[string]string{"": "issue", "timeline": "timeline event", "events": "timeline event", "comments": "comment"}
		if at(1) == "" || number > 0 {
			return route{kind: kinds[at(2)], number: number}
		}
	case "deployments":
		if at(2) == "statuses" {
			return route{kind: "deployment status", name: at(1)}
		}
		return route{kind: "deployment", name: at(1)}
	case "environments":
		return route{kind: "environment", name: strings.Join(s[1:], "/")}
	case "collaborators":
		return route{kind: "collaborator", name: at(1)}
	case "dependabot", "code-scanning", "secret-scanning":
		if at(1) == "alerts" && at(3) == "" {
			n, _ := strconv.Atoi(at(2))
			return route{kind: at(0) + " alert", number: n}
		}
	case "vulnerability-alerts":
		return route{kind: "dependabot alert"}
	case "hooks":
		if at(2) == "deliveries" {
			return route{kind: "hook delivery"}
		}
	}
	return route{}
}

// routeOfElement finds the route of a list from the addresses in one element.
func routeOfElement(raw json.RawMessage) route {
	var e struct {
		URL            string          `json:"url"`
		PullRequestURL string          `json:"pull_request_url"`
		SubmittedAt    json.RawMessage `json:"submitted_at"`
	}
	if json.Unmarshal(raw, &e) != nil {
		return route{}
	}
	rt := routeOfURL(e.URL)
	if e.PullRequestURL != "" && e.SubmittedAt != nil {
		rt = routeOfURL(e.PullRequestURL)
		rt.kind = "review"
	}
	// The address is one element's; of the list nothing is known.
	rt.page, rt.perPage = 0, 0
	if rt.kind != "review" {
		rt.number, rt.sha = 0, ""
	}
	return rt
}

// enclosed finds the route of an answer that holds its list in a field.
func enclosed(raw json.RawMessage) route {
	var o map[string]json.RawMessage
	if json.Unmarshal(raw, &o) != nil {
		return route{}
	}
	for _, field := range []string{"check_runs", "workflow_runs"} {
		var elements []json.RawMessage
		if o[field] == nil || json.Unmarshal(o[field], &elements) != nil || len(elements) == 0 {
			continue
		}
		return routeOfElement(elements[0])
	}
	var review struct {
		PullRequestURL string `json:"pull_request_url"`
		SubmittedAt    when   `json:"submitted_at"`
	}
	if json.Unmarshal(raw, &review) == nil && review.PullRequestURL != "" && !review.SubmittedAt.IsZero() {
		return routeOfElement(raw)
	}
	return route{}
}

// repoOf returns the owner/name in the first API address that has one.
func repoOf(addresses ...string) string {
	for _, address := range addresses {
		u, err := url.Parse(address)
		if err != nil {
			continue
		}
		s := segments(u.EscapedPath())
		if i := slices.Index(s, "repos"); i >= 0 && i+2 < len(s) {
			return s[i+1] + "/" + s[i+2]
		}
	}
	return ""
}
