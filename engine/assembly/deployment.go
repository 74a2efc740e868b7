package assembly

import (
	"cmp"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/changevouch/changevouch/engine"
)

// Kinds of environment.
const (
	production = "production"
	staging    = "staging"
	preview    = "preview"
)

// run is one deployment, folded from everything told of it.
type run struct {
	key        string // provider:id
	provider   string
	id         string
	serviceID  string
	service    string
	repository string
	branch     string
	component  string
	env, kind  string
	commit     string
	message    string
	trigger    string
	user       *engine.Account
	status     string
	startedAt  *time.Time
	liveAt     *time.Time
	endedAt    *time.Time
	createdAt  time.Time
	rollbackTo string
	image      *engine.ImageFacts
	hook       *bool
	previous   string         // the commit that was live before
	since      map[string]int // commits that were ever live on the service, and since which turn
	turn       int            // its own place among the runs of the service
	told       string         // what the source says was live before
}

var (
	productionName = regexp.MustCompile(`(?i)^(?:.*[^a-z])?(?:prod|production|live)(?:[^a-z].*)?$`)
	stagingName    = regexp.MustCompile(`(?i)^(?:.*[^a-z])?(?:stag(?:e|ing)|test|testing|qa|uat|dev|development|sandbox|pre-?prod(?:uction)?)(?:[^a-z].*)?$`)
	previewName    = regexp.MustCompile(`(?i)^(?:.*[^a-z])?(?:preview|previews|pr[ -]?#?\d+)(?:[^a-z].*)?$`)
)

// kindOf says what an environment is for: the directory decides, then what the
// source says, then the name. "" = nobody knows.
func (a *assembler) kindOf(serviceID, service, env, told string) string {
	observed := a.serviceFacts[serviceID].Data
	entry := a.dir.service(serviceID, first(service, observed.Service))
	if kind := first(entry.EnvironmentKind, told, observed.EnvironmentKind); kind != "" {
		return kind
	}
	if observed.ParentServiceID != "" {
		return preview
	}
	env = first(entry.Environment, env, observed.Environment)
	for _, key := range sortedKeys(a.environments) {
		e := a.environments[key].Data
		inside := (observed.EnvironmentID != "" && e.EnvironmentID == observed.EnvironmentID) || slices.Contains(e.ServiceIDs, serviceID) ||
			(serviceID == "" && env != "" && e.Environment == env)
		if inside {
			env = first(env, e.Environment)
			if e.EnvironmentKind != "" {
				return e.EnvironmentKind
			}
		}
	}
	switch {
	case env == "":
	case previewName.MatchString(env):
		return preview
	case stagingName.MatchString(env):
		return staging
	case productionName.MatchString(env):
		return production
	}
	return ""
}

// readRuns folds every deployment and lines the runs of each service up.
func (a *assembler) readRuns() []*run {
	var out []*run
	byService := map[string][]*run{}
	for _, key := range sortedKeys(a.deployFacts) {
		r := a.foldRun(key, a.deployFacts[key])
		if r == nil {
			continue
		}
		out = append(out, r)
		place := r.provider + " " + first(r.serviceID, r.service, r.repository) + " " + r.env
		byService[place] = append(byService[place], r)
	}
	for _, place := range sortedKeys(byService) {
		lineUp(byService[place])
	}
	slices.SortFunc(out, func(x, y *run) int { return cmp.Or(x.createdAt.Compare(y.createdAt), strings.Compare(x.key, y.key)) })
	return out
}

// statuses by the source's word: live went live, now or once.
var statuses = map[string]string{
	"live": "live", "deactivated": "live", "succeeded": "live", "success": "live",
	"failed": "failed", "failure": "failed", "error": "failed", "canceled": "canceled", "cancelled": "canceled",
}

var progress = []string{"", "created", "queued", "pending", "build_in_progress", "pre_deploy_in_progress", "update_in_progress", "in_progress", "inactive", "failed", "canceled", "live"}

// foldRun merges the events of one deployment. Its status is live once it ever
// went live: what replaced it later changes nothing about when it took effect.
func (a *assembler) foldRun(key string, facts []fact[engine.DeploymentFact]) *run {
	r := &run{key: key, provider: facts[0].Provider, id: facts[0].Data.DeployID, createdAt: facts[0].OccurredAt}
	told := ""
	for _, f := range facts {
		d := f.Data
		r.serviceID, r.service = first(r.serviceID, d.ServiceID), first(r.service, d.Service)
		r.repository, r.branch = first(r.repository, repositoryName(d.Repository)), first(r.branch, d.Branch)
		r.env, told = first(d.Environment, r.env), first(d.EnvironmentKind, told)
		r.commit, r.message = first(d.Commit, r.commit), first(d.CommitMessage, r.message)
		if d.Trigger != "" && (r.trigger == "" || r.trigger == "other" || f.Type == "deployment.observed") {
			r.trigger = d.Trigger
		}
		if f.Type == "service.rolledback" {
			r.trigger = "rollback"
		}
		if d.User != nil {
			r.user = d.User
		}
		if d.Image != nil {
			r.image = d.Image
		}
		r.hook, r.rollbackTo, r.told = first(d.HookRegistered, r.hook), first(d.RollbackTo, r.rollbackTo), first(d.PreviousCommit, r.told)
		if d.CreatedAt != nil {
			r.createdAt = earliest(r.createdAt, d.CreatedAt.UTC())
		}
		if d.StartedAt != nil {
			r.createdAt = earliest(r.createdAt, d.StartedAt.UTC())
		}
		r.startedAt = earlier(r.startedAt, utc(d.StartedAt))
		if f.Type == "deployment.started" && d.StartedAt == nil {
			r.startedAt = earlier(r.startedAt, ptr(f.OccurredAt))
		}
		r.foldStatus(f)
	}
	if r.createdAt.After(a.opts.At) {
		return nil
	}
	r.settle(a.opts.At)
	a.place(r, told)
	return r
}

func (r *run) foldStatus(f fact[engine.DeploymentFact]) {
	word := strings.ToLower(f.Data.Status)
	status := first(statuses[word], word)
	if strings.HasSuffix(word, "_failed") {
		status = "failed"
	}
	if f.Type == "service.deployed" || f.Type == "service.rolledback" {
		status = "live"
	}
	var at *time.Time
	if status == "live" {
		at = utc(f.Data.FinishedAt)
		if at == nil && (f.Type == "service.deployed" || f.Type == "service.rolledback" || f.Type == "deployment.finished" || word == "success") {
			at = ptr(f.OccurredAt)
		}
		r.liveAt = earlier(r.liveAt, at)
	} else if status == "failed" || status == "canceled" {
		r.endedAt = earlier(r.endedAt, first(utc(f.Data.FinishedAt), ptr(f.OccurredAt)))
	}
	if rankOf(status) >= rankOf(r.status) {
		if status == "failed" && strings.HasSuffix(word, "_failed") || r.status == "" || statusOf(r.status) != status {
			r.status = first(map[bool]string{true: word}[status == "failed"], status)
		}
	}
}

// statusOf folds the several words for failure.
func statusOf(status string) string {
	if strings.HasSuffix(status, "_failed") || statuses[status] == "failed" {
		return "failed"
	}
	return status
}

func rankOf(status string) int {
	if i := slices.Index(progress, statusOf(status)); i >= 0 {
		return i
	}
	return 1
}

// settle takes back what had not happened yet.
func (r *run) settle(at time.Time) {
	if r.startedAt != nil && r.startedAt.After(at) {
		r.startedAt = nil
	}
	if r.liveAt != nil && r.liveAt.After(at) || r.liveAt == nil && r.endedAt != nil && r.endedAt.After(at) {
		r.liveAt, r.endedAt, r.status = nil, nil, "in_progress"
	}
	if r.startedAt == nil && r.liveAt != nil && r.createdAt.Before(*r.liveAt) {
		r.startedAt = ptr(r.createdAt)
	}
}

// place finds service, repository, branch and environment. An environment that
// nobody classifies counts as production, so that no change escapes.
func (a *assembler) place(r *run, told string) {
	observed := a.serviceFacts[r.serviceID].Data
	entry := a.dir.service(r.serviceID, first(r.service, observed.Service))
	r.service = first(entry.Name, r.service, observed.Service, r.serviceID)
	r.repository = first(entry.Repository, r.repository, repositoryName(observed.Repository), a.commits[r.commit].Data.Repository)
	r.branch = first(r.branch, entry.Branch, observed.Branch)
	r.component = first(entry.Component, r.service)
	r.kind = a.kindOf(r.serviceID, r.service, r.env, told)
	r.env = first(entry.Environment, r.env, observed.Environment)
	if r.kind == "" {
		r.kind = production
		a.problem(first(r.serviceID, r.service, r.key), "nobody says whether its environment is production, staging or preview: it counts as production; set environment_kind in the directory")
	}
	r.env = first(r.env, r.kind)
	if r.hook == nil && r.trigger == "deploy_hook" && entry.ID != "" {
		if len(entry.DeployHooks) > 0 {
			r.hook = ptr(true)
		} else if a.dir.Complete {
			r.hook = ptr(false)
		}
	}
}

// moment is when a run took effect, or would have.
func (r *run) moment() time.Time {
	if r.liveAt != nil {
		return *r.liveAt
	}
	if r.startedAt != nil {
		return *r.startedAt
	}
	return r.createdAt
}

// lineUp gives every run of one service the commit that was live before it.
func lineUp(runs []*run) {
	slices.SortFunc(runs, func(x, y *run) int { return cmp.Or(x.moment().Compare(y.moment()), strings.Compare(x.key, y.key)) })
	live, since := "", map[string]int{}
	for i, r := range runs {
		r.previous = first(live, r.told)
		r.turn, r.since = i, since
		if r.liveAt != nil && r.commit != "" {
			live = r.commit
			if _, before := since[r.commit]; !before {
				since[r.commit] = i
			}
		}
	}
}

// lived reports whether a commit was live where a run took place, before it.
func (r *run) lived(sha string) bool {
	turn, ever := r.since[sha]
	return ever && turn < r.turn
}

// deployment is a run as a dossier shows it.
func (a *assembler) deployment(r *run, d *draft) engine.Deployment {
	out := engine.Deployment{
		ID: r.id, Service: r.service, Environment: r.env, EnvironmentKind: r.kind, Commit: r.commit, Trigger: r.trigger,
		User: d.cast.account(r.user), Status: r.status, StartedAt: r.startedAt, LiveAt: r.liveAt, HookRegistered: r.hook,
		PreviousLiveCommit: r.previous,
	}
	if r.kind == production {
		out.OnProtectedBranch = a.onProductionBranch(r.repository, r.commit, first(r.startedAt, &r.createdAt).UTC())
	}
	if r.image != nil {
		out.Image = &engine.Image{Ref: r.image.Ref, Digest: r.image.Digest}
		if r.image.Provenance != "" {
			out.Image.Provenance = r.image.Provenance
		}
	}
	return out
}

// attach adds a run to a change.
func (a *assembler) attach(r *run, d *draft) {
	if slices.Contains(d.scope.seen, r.key) {
		return
	}
	d.scope.seen = append(d.scope.seen, r.key)
	d.change.Deployments = append(d.change.Deployments, a.deployment(r, d))
	d.scope.service(first(r.serviceID, r.service))
	if r.kind == production {
		d.scope.runs = append(d.scope.runs, r.key)
		d.scope.span(r.moment())
		if r.startedAt != nil {
			d.scope.span(*r.startedAt)
		}
		if !slices.Contains(d.change.Components, r.component) && r.component != "" {
			d.change.Components = append(d.change.Components, r.component)
		}
	}
}
