package httpapi

import (
	"slices"

	"github.com/changevouch/changevouch/engine"
)

// grant is a set of roles.
type grant uint8

const (
	viewer grant = 1 << iota
	auditor
	submitter
	operator
	admin
	anybody // without a token: the handler asks for its own proof, or gives nothing away
)

// readers may see decisions; members may see whatever anyone with a role may.
const (
	readers = viewer | auditor | operator | admin
	members = readers | submitter
)

// access says who may do what. Whatever is not here is nobody's: New refuses a route
// without a row, and the guard a request without a route. Patterns are those of the
// OpenAPI document.
var access = map[string]grant{
	"POST /v1/evaluate":               submitter | operator | admin,
	"POST /v1/evaluate/batch":         submitter | operator | admin,
	"POST /v1/events":                 submitter | operator | admin,
	"POST /v1/gate":                   members, // also who may only read: a pipeline must not be able to hand in what opens its gate
	"GET /v1/data":                    submitter | auditor | operator | admin,
	"POST /v1/data":                   submitter | auditor | operator | admin,
	"GET /v1/data/{path}":             submitter | auditor | operator | admin,
	"POST /v1/data/{path}":            submitter | auditor | operator | admin,
	"GET /v1/decisions":               readers,
	"GET /v1/decisions/{id}":          members,
	"GET /v1/decisions/{id}/explain":  members,
	"GET /v1/decisions/{id}/dossier":  auditor | admin,
	"GET /v1/decisions/{id}/proof":    auditor | admin,
	"POST /v1/decisions/{id}/replay":  auditor | admin,
	"GET /v1/subjects":                readers,
	"GET /v1/subjects/{id}":           members,
	"GET /v1/deadlines":               readers,
	"GET /v1/controls":                members,
	"GET /v1/releases":                readers,
	"GET /v1/releases/{version}":      readers,
	"GET /v1/sources":                 auditor | operator | admin,
	"GET /v1/waivers":                 auditor | operator | admin,
	"POST /v1/waivers":                operator | admin,
	"GET /v1/attestations":            auditor | operator | admin,
	"POST /v1/attestations":           operator | admin,
	"GET /v1/ledger/checkpoint":       readers,
	"GET /v1/ledger/tile/{level}/{n}": auditor | admin,
	"GET /openapi.json":               members,
	"GET /openapi.yaml":               members,
	"POST /v1/webhooks/github":        anybody, // signed by GitHub
	"POST /v1/webhooks/render":        anybody, // signed by Render
	"GET /health/live":                anybody,
	"GET /health/ready":               anybody,
}

// roles names the bits of a grant.
var roles = []struct {
	bit  grant
	role engine.Role
}{
	{viewer, engine.RoleViewer}, {auditor, engine.RoleAuditor}, {submitter, engine.RoleSubmitter},
	{operator, engine.RoleOperator}, {admin, engine.RoleAdmin},
}

// Roles are the roles that there are.
func Roles() []engine.Role {
	var all []engine.Role
	for _, r := range roles {
		all = append(all, r.role)
	}
	return all
}

func (g grant) includes(role engine.Role) bool {
	return slices.Contains(g.names(), role)
}

func (g grant) names() []engine.Role {
	names := []engine.Role{}
	for _, r := range roles {
		if g&r.bit != 0 {
			names = append(names, r.role)
		}
	}
	return names
}
