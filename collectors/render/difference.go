package render

import (
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/changevouch/changevouch/collectors"
	"github.com/changevouch/changevouch/engine"
)

// snapshot is what a workspace looked like at an instant: list, id, field. Only
// what Render changes without any record is kept, and nothing secret: of
// commands, which may hold secrets, a digest.
type snapshot struct {
	At    time.Time                    `json:"at"`
	Lists map[string]map[string]fields `json:"lists"`
}

type fields map[string]string

// mark is a change that an event told.
type mark struct {
	At time.Time `json:"at"`
	ID string    `json:"id"`
}

// each calls see with every record of a list answer.
func each(p collectors.Payload, see func(object)) {
	doc, err := parse(p.Bytes)
	if err != nil {
		return
	}
	items, _ := doc.([]any)
	for _, item := range items {
		o, _ := item.(map[string]any)
		if k, body := kindOf(o); k != nil && body != nil {
			see(body)
		}
	}
}

// take adds a page of a list.
func (s *snapshot) take(list string, p collectors.Payload) {
	if s.Lists[list] == nil {
		s.Lists[list] = map[string]fields{}
	}
	s.At = p.ObservedAt
	each(p, func(o object) {
		if id := cmp.Or(o.str("id"), o.str("userId")); id != "" {
			s.Lists[list][id] = essentials(listKind(list), o)
		}
	})
}

// unread forgets a list: what could not be read is not gone.
func (s *snapshot) unread(list string) { delete(s.Lists, list) }

// manages notes which resources a Blueprint manages.
func (s *snapshot) manages(p collectors.Payload) {
	doc, err := parse(p.Bytes)
	o, _ := doc.(map[string]any)
	id := object(o).str("id")
	if err != nil || s.Lists["blueprints"][id] == nil {
		return
	}
	var ids []string
	resources, _ := o["resources"].([]any)
	for _, r := range resources {
		r, _ := r.(map[string]any)
		ids = append(ids, object(r).str("id"))
	}
	slices.Sort(ids)
	s.Lists["blueprints"][id]["resources"] = strings.Join(ids, " ")
}

// ids are those of a list, sorted.
func (s *snapshot) ids(list string) []string {
	if s == nil {
		return nil
	}
	return slices.Sorted(maps.Keys(s.Lists[list]))
}

// services are those whose lists are to be read, sorted by id: not previews,
// which copy another service and are never production.
func (s *snapshot) services() []serviceRow {
	var rows []serviceRow
	for _, id := range s.ids("services") {
		if f := s.Lists["services"][id]; f["preview"] == "" {
			rows = append(rows, serviceRow{id, f["type"]})
		}
	}
	return rows
}

// listKind is the list without the place it hangs below.
func listKind(list string) string {
	name, _, _ := strings.Cut(list, "/")
	return name
}

// essentials are the fields of a record that are compared.
func essentials(list string, o object) fields {
	f := fields{}
	set := func(name, value string) {
		if value != "" {
			f[name] = value
		}
	}
	set("name", o.str("name"))
	set("updated", o.str("updatedAt"))
	switch list {
	case "services":
		serviceEssentials(o, set)
	case "postgres", "key_value":
		set("plan", o.str("plan"))
		set("suspension", o.str("suspended"))
		set("ip_allow_list", allowList(o))
		set("high_availability", o.str("highAvailabilityEnabled"))
		set("environment_membership", o.str("environmentId"))
		set("datastore_version", o.str("version"))
	case "environments":
		set("environment_protection", o.str("protectedStatus"))
		set("network_isolation", o.str("networkIsolationEnabled"))
		set("ip_allow_list", allowList(o))
	case "env_groups":
		var links []string
		list, _ := o["serviceLinks"].([]any)
		for _, l := range list {
			l, _ := l.(map[string]any)
			links = append(links, object(l).str("id"))
		}
		slices.Sort(links)
		set("env_group_links", strings.Join(links, " "))
	case "blueprints":
		set("branch", o.str("branch"))
		set("repository", repository(o.str("repo")))
		set("blueprint_path", o.str("path"))
		set("blueprint_sync_setting", o.str("autoSync"))
	case "members":
		set("email", o.str("email"))
		set("role", o.str("role"))
		set("mfa", o.str("mfaEnabled"))
		set("status", o.str("status"))
	}
	return f
}

func serviceEssentials(o object, set func(name, value string)) {
	d := o.obj("serviceDetails")
	commands := d.obj("envSpecificDetails")
	if d.obj("parentServer") != nil {
		set("preview", "true")
	}
	set("type", o.str("type"))
	set("created", o.str("createdAt"))
	set("repository", repository(o.str("repo")))
	set("branch", o.str("branch"))
	set("root_dir", o.str("rootDir"))
	set("build_filter", strings.Join(append(o.obj("buildFilter").texts("paths"), prefixed("!", o.obj("buildFilter").texts("ignoredPaths"))...), " "))
	set("image", o.str("imagePath"))
	set("registry_credential", o.obj("registryCredential").str("id"))
	set("auto_deploy", cmp.Or(o.str("autoDeployTrigger"), o.str("autoDeploy")))
	set("suspension", o.str("suspended"))
	set("environment_membership", o.str("environmentId"))
	set("notify_on_fail", o.str("notifyOnFail"))
	for _, name := range []string{"buildCommand", "startCommand", "preDeployCommand", "dockerCommand"} {
		set(snake(name), digest(cmp.Or(commands.str(name), d.str(name))))
	}
	set("dockerfile", strings.TrimSpace(commands.str("dockerfilePath")+" "+commands.str("dockerContext")))
	set("health_check", d.str("healthCheckPath"))
	set("ip_allow_list", allowList(d))
	set("maintenance_mode", d.obj("maintenanceMode").str("enabled"))
	set("plan", d.str("plan"))
	set("instance_count", d.str("numInstances"))
	set("autoscaling", d.value("autoscaling"))
	set("schedule", d.str("schedule"))
	set("subdomain_policy", d.str("renderSubdomainPolicy"))
	set("previews", cmp.Or(d.obj("previews").str("generation"), d.str("pullRequestPreviewsEnabled")))
	set("disk", d.obj("disk").str("id"))
}

// allowList is the allowed ranges; "none" where nothing is allowed, "" where
// nothing is said.
func allowList(o object) string {
	list, said := o["ipAllowList"].([]any)
	if !said {
		return ""
	}
	var ranges []string
	for _, r := range list {
		r, _ := r.(map[string]any)
		ranges = append(ranges, object(r).str("cidrBlock"))
	}
	slices.Sort(ranges)
	return cmp.Or(strings.Join(ranges, " "), "none")
}

func prefixed(prefix string, words []string) []string {
	for i := range words {
		words[i] = prefix + words[i]
	}
	return words
}

func snake(camel string) string {
	var b strings.Builder
	for _, r := range camel {
		if r >= 'A' && r <= 'Z' {
			b.WriteByte('_')
			r += 'a' - 'A'
		}
		b.WriteRune(r)
	}
	return b.String()
}

func digest(s string) string {
	if s == "" {
		return ""
	}
	sum := sha256.Sum256([]byte(s))
	return "sha256:" + hex.EncodeToString(sum[:8])
}

// settings are the fields whose change is a change of configuration. The kinds
// are those of the events that tell the same where Render has one.
var settings = map[string]meaning{
	"name":                   {kind: "service_name", scopes: infrastructure, inGit: no},
	"repository":             {kind: "repository", scopes: infrastructure, effects: []string{"control_plane"}, inGit: yes, setting: "repository"},
	"branch":                 {kind: "branch", scopes: infrastructure, inGit: yes, setting: "branch"},
	"root_dir":               {kind: "root_dir", scopes: infrastructure, inGit: yes, setting: "root_dir"},
	"build_filter":           {kind: "build_filter", scopes: infrastructure, inGit: yes, setting: "build_filter"},
	"image":                  {kind: "image", scopes: infrastructure, inGit: yes, setting: "image"},
	"registry_credential":    {kind: "registry_credential", scopes: securityInfra, inGit: yes, setting: "registry_credential"},
	"auto_deploy":            {kind: "auto_deploy", scopes: infrastructure, effects: []string{"auto_deploy"}, inGit: yes, setting: "auto_deploy_trigger"},
	"suspension":             {kind: "suspension", scopes: infrastructure, effects: suspension, inGit: no},
	"environment_membership": {kind: "environment_membership", scopes: securityInfra, effects: []string{"environment_protection"}, inGit: yes},
	"notify_on_fail":         {kind: "notify_on_fail", scopes: infrastructure, inGit: no, setting: "notify_on_fail"},
	"build_command":          {kind: "build_command", scopes: infrastructure, inGit: yes, setting: "build_command"},
	"start_command":          {kind: "start_command", scopes: infrastructure, inGit: yes, setting: "start_command"},
	"docker_command":         {kind: "start_command", scopes: infrastructure, inGit: yes, setting: "docker_command"},
	"pre_deploy_command":     {kind: "pre_deploy_command", scopes: infrastructure, effects: []string{"control_plane"}, inGit: yes, setting: "pre_deploy_command"}, // a gate may stand in it
	"dockerfile":             {kind: "dockerfile", scopes: infrastructure, inGit: yes, setting: "dockerfile"},
	"health_check":           {kind: "health_check", scopes: infrastructure, inGit: yes, setting: "health_check"},
	"ip_allow_list":          {kind: "ip_allow_list", scopes: securityInfra, effects: network},
	"maintenance_mode":       {kind: "maintenance_mode", scopes: infrastructure},
	"plan":                   {kind: "plan", scopes: infrastructure, effects: []string{"plan"}, inGit: yes, setting: "plan"},
	"instance_count":         {kind: "instance_count", scopes: infrastructure, effects: []string{"scaling"}, inGit: yes, setting: "instance_count"},
	"autoscaling":            {kind: "autoscaling", scopes: infrastructure, effects: []string{"scaling"}, inGit: yes, setting: "autoscaling"},
	"schedule":               {kind: "schedule", scopes: infrastructure, inGit: yes, setting: "schedule"},
	"subdomain_policy":       {kind: "subdomain_policy", scopes: securityInfra, effects: []string{"domain"}, inGit: yes, setting: "subdomain_policy"},
	"previews":               {kind: "previews", scopes: infrastructure, inGit: yes, setting: "previews"},
	"disk":                   {kind: "disk_updated", scopes: infrastructure, effects: []string{"disk"}, inGit: yes},
	"high_availability":      {kind: "high_availability", scopes: infrastructure, effects: []string{"database"}, inGit: yes, setting: "high_availability"},
	"datastore_version":      {kind: "datastore_version", scopes: infrastructure, effects: []string{"database"}, setting: "postgres_version"},
	"environment_protection": {kind: "environment_protection", scopes: securityInfra, effects: []string{"environment_protection"}, inGit: yes, setting: "environment_protection"},
	"network_isolation":      {kind: "network_isolation", scopes: securityInfra, effects: network, inGit: yes, setting: "network_isolation"},
	"env_group_links":        {kind: "env_group_links", scopes: infrastructure, effects: []string{"env_var"}, inGit: yes},
	"blueprint_path":         {kind: "blueprint", scopes: infrastructure, inGit: no},
	"blueprint_sync_setting": {kind: "blueprint", scopes: infrastructure, inGit: no, setting: "auto_sync"},
}

// appearances say what it means that a record came or went. Environment groups
// and domains tell their own creation.
var appearances = map[string]struct{ came, went meaning }{
	"services":       {meaning{kind: "service_created", scopes: infrastructure, inGit: yes}, meaning{kind: "service_deleted", scopes: infrastructure, effects: deletion, inGit: no}},
	"postgres":       {meaning{kind: "datastore_created", scopes: infrastructure, inGit: yes}, meaning{kind: "datastore_deleted", scopes: infrastructure, effects: dataLoss, inGit: no}},
	"key_value":      {meaning{kind: "datastore_created", scopes: infrastructure, inGit: yes}, meaning{kind: "datastore_deleted", scopes: infrastructure, effects: dataLoss, inGit: no}},
	"environments":   {meaning{kind: "environment_created", scopes: infrastructure, inGit: yes}, meaning{kind: "environment_deleted", scopes: securityInfra, effects: []string{"deletion", "environment_protection"}, inGit: no}},
	"env_groups":     {meaning{}, meaning{kind: "env_group_deleted", scopes: infrastructure, effects: []string{"deletion", "env_var"}, inGit: no}},
	"blueprints":     {meaning{kind: "blueprint", scopes: infrastructure, inGit: no}, meaning{kind: "blueprint_deleted", scopes: infrastructure, effects: deletion, inGit: no}},
	"custom_domains": {meaning{}, meaning{kind: "custom_domain_deleted", scopes: infrastructure, effects: []string{"deletion", "domain"}, inGit: no}},
}

// learn remembers which changes events told, so that the comparison does not
// tell them again.
func (m *memory) learn(events []engine.Event) {
	if m.Before == nil {
		return // nothing will be compared
	}
	if m.Known == nil {
		m.Known = map[string]mark{}
	}
	tell := func(e engine.Event, words ...string) {
		key := strings.Join(words, " ")
		if old, told := m.Known[key]; !told || e.OccurredAt.After(old.At) {
			m.Known[key] = mark{e.OccurredAt, e.ID}
		}
	}
	for _, e := range events {
		if e.OccurredAt.Before(m.Before.At.Add(-settling)) {
			continue
		}
		switch e.Type {
		case "config.changed":
			var f engine.ConfigFact
			if e.Decode(&f) != nil || f.Outcome != "success" || strings.HasPrefix(e.ID, differencePrefix) {
				continue
			}
			for _, id := range []string{e.Subject.ID, f.ServiceID} {
				tell(e, id, f.Kind)
			}
			if f.Kind == "custom_domain_deleted" { // told of the service
				tell(e, f.Before, f.Kind)
			}
		case "access.changed":
			var f engine.AccessFact
			if e.Decode(&f) != nil || f.Outcome != "success" || strings.HasPrefix(e.ID, differencePrefix) {
				continue
			}
			if f.Target == nil {
				tell(e, "somebody", f.Kind)
				continue
			}
			tell(e, f.Target.ID, "role")
			tell(e, strings.ToLower(f.Target.Account), "role")
		case "deployment.started":
			var f engine.DeploymentFact
			if e.Decode(&f) == nil && (f.Trigger == "rollback" || f.Trigger == "manual") {
				tell(e, f.ServiceID, "auto_deploy_off") // what such a deploy does by itself
			}
		}
	}
}

// settling is how far the instants of an event and of a reading may lie apart
// and still be one moment.
const settling = 5 * time.Minute

const differencePrefix = "render:difference:"

// comparison is the work of comparing two snapshots.
type comparison struct {
	*collectors.Recorder
	before, now *snapshot
	known       map[string]mark
	owner       string
}
