package engine

import "time"

// Role is what a principal may do on a server.
type Role string

// The roles. What each may do is one table in package httpapi.
const (
	RoleViewer    Role = "viewer"    // reads decisions
	RoleAuditor   Role = "auditor"   // reads everything, proofs and dossiers too, and replays
	RoleSubmitter Role = "submitter" // hands in events and dossiers to be judged
	RoleOperator  Role = "operator"  // adds waivers, attestations and releases
	RoleAdmin     Role = "admin"     // everything
)

// Token is a bearer token as it is kept: its hash, never itself.
type Token struct {
	ID        string     `json:"id"`
	Name      string     `json:"name"` // of the principal, as audit entries show it
	Role      Role       `json:"role"`
	Hash      string     `json:"-"` // sha256:… of the token
	CreatedAt time.Time  `json:"created_at"`
	ExpiresAt *time.Time `json:"expires_at,omitempty"`
	RevokedAt *time.Time `json:"revoked_at,omitempty"`
}

// Action is a change that a principal made through the API, for the log.
type Action struct {
	At        time.Time `json:"at"`
	Principal string    `json:"principal"`
	Role      Role      `json:"role"`
	Method    string    `json:"method"`
	Route     string    `json:"route"`            // the pattern, as in the OpenAPI document
	Target    string    `json:"target,omitempty"` // the id of what was made or changed
	Request   string    `json:"request_id"`
	Status    int       `json:"status"`
	Index     int64     `json:"-"` // its number in the log, once it is there
}
