package render

import (
	"net/url"
	"regexp"
	"slices"
	"strings"

	"github.com/changevouch/changevouch/collectors"
)

// place is where an answer was read below https://api.render.com/v1: root is
// the collection (services), id one of its members (srv-…), list what hangs
// below that member (deploys). Empty parts were not in the path.
type place struct{ root, id, list, item string }

var (
	apiRoots = []string{
		"blueprints", "custom-domains", "disks", "env-groups", "environments", "events", "key-value", "organizations",
		"owners", "postgres", "projects", "redis", "registrycredentials", "services", "users", "webhooks",
	}
	resourceID = regexp.MustCompile(`^[a-z]{3}-[0-9A-Za-z-]+$`)
	pageSuffix = regexp.MustCompile(`\.page-[0-9]+$`)
)

// locate finds the API path of a payload: in its URL, or in its recorded path,
// where it follows a folder v1 or starts with a collection and an id in it.
func locate(p collectors.Payload) place {
	if u, err := url.Parse(p.URL); err == nil && u.Path != "" {
		if at := parsePlace(u.Path); at != (place{}) {
			return at
		}
	}
	return parsePlace(p.Path)
}

func parsePlace(path string) place {
	for _, end := range []string{".gz", ".json", ".ndjson", ".jsonl", ".csv"} {
		path = strings.TrimSuffix(path, end)
	}
	parts := strings.Split(pageSuffix.ReplaceAllString(path, ""), "/")
	part := func(i int) string {
		if i < len(parts) {
			return parts[i]
		}
		return ""
	}
	for i, name := range slices.Backward(parts) {
		if !slices.Contains(apiRoots, name) {
			continue
		}
		if (i > 0 && parts[i-1] == "v1") || resourceID.MatchString(part(i+1)) {
			return place{root: name, id: part(i + 1), list: part(i + 2), item: part(i + 3)}
		}
	}
	return place{}
}

// service is the service an answer is about, "" if it is about none or several.
func (at place) service() string {
	if at.root == "services" || at.root == "postgres" || at.root == "key-value" || at.root == "redis" {
		return at.id
	}
	return ""
}

// fact is the name under which coverage records what this place tells, "" for
// places that no judgement needs.
func (at place) fact() string {
	switch {
	case at.root == "webhooks" && at.list != "":
		return "webhook_deliveries"
	case at.list != "":
		return factNames[at.list]
	}
	return factNames[at.root]
}

// factNames: coverage words by collection.
var factNames = map[string]string{
	"audit-logs":     "audit_log",
	"blueprints":     "blueprints",
	"custom-domains": "custom_domains",
	"deploys":        "deploys",
	"disks":          "disks",
	"env-groups":     "env_groups",
	"env-vars":       "env_vars",
	"environments":   "environments",
	"events":         "events",
	"jobs":           "jobs",
	"key-value":      "datastores",
	"members":        "members",
	"postgres":       "datastores",
	"projects":       "projects",
	"redis":          "datastores",
	"secret-files":   "secret_files",
	"services":       "services",
	"syncs":          "blueprint_syncs",
	"webhooks":       "webhooks",
}
