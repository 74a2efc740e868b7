package assembly

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/changevouch/changevouch/engine"
	"github.com/changevouch/changevouch/schemas"
)

// Directory is what an organisation knows about itself and no source can tell.
// Its form is schemas/directory.json.
type Directory struct {
	Schema           string               `json:"schema,omitempty"`
	People           []engine.Person      `json:"people"`
	Complete         bool                 `json:"complete,omitempty"`
	Services         []Service            `json:"services,omitempty"`
	Procedures       []engine.Procedure   `json:"procedures,omitempty"`
	Repositories     []Repository         `json:"repositories,omitempty"`
	Waivers          []engine.Waiver      `json:"waivers,omitempty"`
	Attestations     []engine.Attestation `json:"attestations,omitempty"`
	ProgramStartedAt *time.Time           `json:"program_started_at,omitempty"`
	Documentation    Documentation        `json:"documentation,omitzero"`
	ToolTrailers     []string             `json:"tool_trailers,omitempty"`
	Policy           *engine.PolicyReview `json:"policy,omitempty"`
}

// Service overrides and completes what the platform reports of a service.
type Service struct {
	ID              string   `json:"id"`
	Name            string   `json:"name,omitempty"`
	Repository      string   `json:"repository,omitempty"`
	Branch          string   `json:"branch,omitempty"`
	Environment     string   `json:"environment,omitempty"`
	EnvironmentKind string   `json:"environment_kind,omitempty"`
	Component       string   `json:"component,omitempty"`
	Paths           []string `json:"paths,omitempty"`
	DeployHooks     []string `json:"deploy_hooks,omitempty"`
	ErrorTracking   string   `json:"error_tracking,omitempty"`
	AlertRoute      string   `json:"alert_route,omitempty"`
}

// Repository names the branches that reach production and the checks they require.
type Repository struct {
	Name              string   `json:"name"`
	DefaultBranch     string   `json:"default_branch,omitempty"`
	ProtectedBranches []string `json:"protected_branches,omitempty"`
	RequiredChecks    []string `json:"required_checks,omitempty"`
}

// Documentation says how pull requests are described: the headings of each part,
// in addition to the usual ones, and the template whose lines are no content.
type Documentation struct {
	Headings map[string][]string `json:"headings,omitempty"`
	Template string              `json:"template,omitempty"`
}

// ParseDirectory reads a directory from YAML or JSON and checks it: its schema,
// and that no account belongs to two persons. The error names every place.
func ParseDirectory(text []byte) (Directory, error) {
	dir, err := DecodeDirectory(text)
	if err != nil {
		return dir, err
	}
	return dir, dir.check()
}

// DecodeDirectory reads a directory and checks its schema alone, for those who list
// all that is wrong with it.
func DecodeDirectory(text []byte) (Directory, error) {
	doc, faults := schemas.ParseYAML(text)
	if len(faults) == 0 {
		faults = doc.Validate(schemas.Directory)
	}
	if len(faults) > 0 {
		errs := make([]error, len(faults))
		for i, f := range faults {
			errs[i] = errors.New(f.String())
		}
		return Directory{}, fmt.Errorf("directory: %w", errors.Join(errs...))
	}
	raw, err := json.Marshal(doc.Value())
	if err != nil {
		return Directory{}, fmt.Errorf("directory: %w", err)
	}
	var dir Directory
	if err := json.Unmarshal(raw, &dir); err != nil {
		return Directory{}, fmt.Errorf("directory: %w", err)
	}
	return dir, nil
}

// Resolver tells who is behind accounts, as dossiers see it.
type Resolver struct{ roster roster }

// Resolver resolves by this directory.
func (d Directory) Resolver() Resolver { return Resolver{newRoster(d)} }

// Person is the id of the person behind an account: by its immutable id, then by
// its name, then by its e-mail. Platforms are found, too. "" is nobody.
func (r Resolver) Person(a engine.Account) string { return r.roster.find(a) }

// Named is the id of the person whom a record names by id or by any account.
func (r Resolver) Named(name string) string { return r.roster.named(name) }

// Tool reports whether an e-mail is one under which tools sign: it is nobody's.
func (r Resolver) Tool(mail string) bool { return r.roster.isTool(mail) }

// check refuses a directory in which an account or an id names two persons: it
// could launder an approval of one's own work.
func (d Directory) check() error {
	var errs []error
	owners, ids := map[string]string{}, map[string]bool{}
	for _, p := range d.People {
		if ids[p.ID] {
			errs = append(errs, fmt.Errorf("directory: person %q is listed twice: merge the entries", p.ID))
		}
		ids[p.ID] = true
		for _, system := range sortedKeys(p.Accounts) {
			for _, account := range p.Accounts[system] {
				key := system + " account " + strings.ToLower(account)
				if other, taken := owners[key]; taken && other != p.ID {
					errs = append(errs, fmt.Errorf("directory: %s belongs to both %q and %q: an account is one person's; list a shared one as its own entry", key, other, p.ID))
				}
				owners[key] = p.ID
			}
		}
	}
	for _, p := range d.People {
		if p.Owner != "" && !ids[p.Owner] {
			errs = append(errs, fmt.Errorf("directory: the owner %q of %q is no person of this directory", p.Owner, p.ID))
		}
	}
	return errors.Join(errs...)
}

// service finds a service's entry by platform id or by name.
func (d Directory) service(id, name string) Service {
	for _, s := range d.Services {
		if s.ID == id && id != "" {
			return s
		}
	}
	for _, s := range d.Services {
		if name != "" && (s.Name == name || s.ID == name) {
			return s
		}
	}
	return Service{}
}

func (d Directory) repository(name string) Repository {
	for _, r := range d.Repositories {
		if strings.EqualFold(r.Name, name) {
			return r
		}
	}
	return Repository{}
}
