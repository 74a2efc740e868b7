package engine

import "time"

// DossierSchema is the value of Dossier.Schema.
const DossierSchema = "dossier/v1"

// Dossier is everything known about one subject at one moment, self-contained:
// the input of a policy. Its JSON form is schemas/dossier.json. Times are
// instants; an absent fact is an absent key. Exactly one body is set, the one
// named by Subject.Type.
type Dossier struct {
	Schema       string                  `json:"schema"`
	EvaluatedAt  time.Time               `json:"evaluated_at"`
	Subject      Subject                 `json:"subject"`
	Sources      map[string]SourceStatus `json:"sources"`
	People       []Person                `json:"people"`
	Waivers      []Waiver                `json:"waivers,omitempty"`
	Attestations []Attestation           `json:"attestations,omitempty"`
	Change       *Change                 `json:"change,omitempty"`
	Deployment   *DeploymentSubject      `json:"deployment,omitempty"`
	Finding      *Vulnerability          `json:"finding,omitempty"`
	AccessReview *AccessReview           `json:"access_review,omitempty"`
	Alert        *Alert                  `json:"alert,omitempty"`
	PolicyReview *PolicyReview           `json:"policy_review,omitempty"`
	Posture      *Posture                `json:"posture,omitempty"`
	Retention    *Retention              `json:"retention,omitempty"`
	Period       *Period                 `json:"period,omitempty"`
}

// SourceStatus is: How completely a source was read for this subject. missing names the facts that could not be read.
type SourceStatus struct {
	Status  string     `json:"status"`
	Missing []string   `json:"missing,omitempty"`
	Reason  string     `json:"reason,omitempty"`
	From    *time.Time `json:"from,omitempty"`
	To      *time.Time `json:"to,omitempty"`
}

// Person is: One person, bot, agent or system and every account of theirs. authorised empty or absent = never authorised (system actors need none).
type Person struct {
	ID         string              `json:"id"`
	Kind       string              `json:"kind"`
	Accounts   map[string][]string `json:"accounts,omitempty"`
	Roles      []string            `json:"roles,omitempty"`
	Authorised []Authorisation     `json:"authorised,omitempty"`
	Owner      string              `json:"owner,omitempty"`
	Registered *bool               `json:"registered,omitempty"`
	Purpose    string              `json:"purpose,omitempty"`
	Name       string              `json:"name,omitempty"`
	ApprovedBy string              `json:"approved_by,omitempty"`
}

// Authorisation is: A period in which the person may act. systems absent = all systems.
type Authorisation struct {
	From       time.Time  `json:"from"`
	Until      *time.Time `json:"until,omitempty"`
	Systems    []string   `json:"systems,omitempty"`
	ApprovedBy string     `json:"approved_by,omitempty"`
}

// Waiver is: A time-boxed exception: controls.md 1.5.
type Waiver struct {
	ID                  string     `json:"id"`
	Controls            []string   `json:"controls"`
	Subject             string     `json:"subject"`
	Reason              string     `json:"reason,omitempty"`
	CompensatingControl string     `json:"compensating_control,omitempty"`
	RequestedBy         string     `json:"requested_by,omitempty"`
	ApprovedBy          string     `json:"approved_by,omitempty"`
	ApprovedAt          *time.Time `json:"approved_at,omitempty"`
	ExpiresAt           *time.Time `json:"expires_at,omitempty"`
	RevokedAt           *time.Time `json:"revoked_at,omitempty"`
}

// Attestation is: A statement by a named person on what a machine cannot see.
type Attestation struct {
	ID           string           `json:"id"`
	Control      string           `json:"control"`
	Subject      string           `json:"subject,omitempty"`
	Statement    string           `json:"statement,omitempty"`
	MadeBy       string           `json:"made_by,omitempty"`
	Role         string           `json:"role,omitempty"`
	MadeAt       *time.Time       `json:"made_at,omitempty"`
	ValidUntil   *time.Time       `json:"valid_until,omitempty"`
	Evidence     []map[string]any `json:"evidence,omitempty"`
	Independence string           `json:"independence,omitempty"`
	Supersedes   string           `json:"supersedes,omitempty"`
}

// Declared is: What somebody claims; never trusted downwards.
type Declared struct {
	Type   string     `json:"type,omitempty"`
	Risk   string     `json:"risk,omitempty"`
	Source string     `json:"source,omitempty"`
	At     *time.Time `json:"at,omitempty"`
}

// RiskText mirrors its namesake in schemas.
type RiskText struct {
	Availability string `json:"availability,omitempty"`
	Security     string `json:"security,omitempty"`
	Data         string `json:"data,omitempty"`
}

// Documentation is: The documentation as of the merge. raw is the text as written.
// The text was read, so an empty description is the fact that there is none.
type Documentation struct {
	Description string    `json:"description"`
	Risk        *RiskText `json:"risk,omitempty"`
	Rollback    string    `json:"rollback,omitempty"`
	Raw         string    `json:"raw,omitempty"`
}

// Commit mirrors its namesake in schemas.
type Commit struct {
	SHA           string     `json:"sha"`
	Author        string     `json:"author,omitempty"`
	Committer     string     `json:"committer,omitempty"`
	CoAuthors     []string   `json:"co_authors,omitempty"`
	At            *time.Time `json:"at,omitempty"`
	MergeFromBase *bool      `json:"merge_from_base,omitempty"`
	Conflicts     *bool      `json:"conflicts,omitempty"`
	Message       string     `json:"message,omitempty"`
	Additions     *int       `json:"additions,omitempty"`
	Deletions     *int       `json:"deletions,omitempty"`
	Parents       []string   `json:"parents,omitempty"`
}

// Review mirrors its namesake in schemas.
type Review struct {
	User        string     `json:"user"`
	State       string     `json:"state"`
	SubmittedAt *time.Time `json:"submitted_at,omitempty"`
	CommitID    string     `json:"commit_id,omitempty"`
	Permission  string     `json:"permission,omitempty"`
	DismissedAt *time.Time `json:"dismissed_at,omitempty"`
	DismissedBy string     `json:"dismissed_by,omitempty"`
	ID          string     `json:"id,omitempty"`
}

// PullRequest mirrors its namesake in schemas.
type PullRequest struct {
	Number              *int             `json:"number,omitempty"`
	Title               string           `json:"title,omitempty"`
	Author              string           `json:"author,omitempty"`
	CreatedAt           *time.Time       `json:"created_at,omitempty"`
	HeadSHA             string           `json:"head_sha,omitempty"`
	Labels              []string         `json:"labels,omitempty"`
	BodyAtMerge         *Documentation   `json:"body_at_merge,omitempty"`
	BodyEditedAt        *time.Time       `json:"body_edited_at,omitempty"`
	Commits             []Commit         `json:"commits,omitempty"`
	CommitCount         *int             `json:"commit_count,omitempty"`
	Reviews             []Review         `json:"reviews,omitempty"`
	MergedAt            *time.Time       `json:"merged_at,omitempty"`
	MergedBy            string           `json:"merged_by,omitempty"`
	MergeCommitSHA      string           `json:"merge_commit_sha,omitempty"`
	ClosedAt            *time.Time       `json:"closed_at,omitempty"`
	Draft               *bool            `json:"draft,omitempty"`
	EnqueuedBy          string           `json:"enqueued_by,omitempty"`
	PatchEquivalentSHAs []string         `json:"patch_equivalent_shas,omitempty"`
	ForcePush           any              `json:"force_push,omitempty"`
	AgentOperators      []string         `json:"agent_operators,omitempty"`
	OperatorEvents      []map[string]any `json:"operator_events,omitempty"`
	AssignedBy          string           `json:"assigned_by,omitempty"`
	Reverts             any              `json:"reverts,omitempty"`
	CherryPickOf        any              `json:"cherry_pick_of,omitempty"`
	LastPushedAt        *time.Time       `json:"last_pushed_at,omitempty"`
}

// Push mirrors its namesake in schemas.
type Push struct {
	Actor  string     `json:"actor,omitempty"`
	At     *time.Time `json:"at,omitempty"`
	Before string     `json:"before,omitempty"`
	After  string     `json:"after,omitempty"`
	Forced *bool      `json:"forced,omitempty"`
}

// ChangedFile is: effects are facts an analyser already knows; the policy adds those it infers.
type ChangedFile struct {
	Path         string   `json:"path"`
	PreviousPath string   `json:"previous_path,omitempty"`
	Status       string   `json:"status,omitempty"`
	Additions    *int     `json:"additions,omitempty"`
	Deletions    *int     `json:"deletions,omitempty"`
	Patch        string   `json:"patch,omitempty"`
	Effects      []string `json:"effects,omitempty"`
}

// DependencyUpdate mirrors its namesake in schemas.
type DependencyUpdate struct {
	Name          string `json:"name"`
	From          string `json:"from,omitempty"`
	To            string `json:"to,omitempty"`
	Update        string `json:"update,omitempty"`
	New           *bool  `json:"new,omitempty"`
	SourceChanged *bool  `json:"source_changed,omitempty"`
	InstallScript *bool  `json:"install_script,omitempty"`
}

// Check mirrors its namesake in schemas.
type Check struct {
	Name        string     `json:"name"`
	SHA         string     `json:"sha,omitempty"`
	Conclusion  string     `json:"conclusion,omitempty"`
	CompletedAt *time.Time `json:"completed_at,omitempty"`
	StartedAt   *time.Time `json:"started_at,omitempty"`
	Required    *bool      `json:"required,omitempty"`
}

// BranchProtection is: The rules in force at the merge.
type BranchProtection struct {
	PullRequestRequired     *bool    `json:"pull_request_required,omitempty"`
	RequiredApprovals       *int     `json:"required_approvals,omitempty"`
	DismissStaleReviews     *bool    `json:"dismiss_stale_reviews,omitempty"`
	AppliesToAdmins         *bool    `json:"applies_to_admins,omitempty"`
	Bypassed                *bool    `json:"bypassed,omitempty"`
	BypassActor             string   `json:"bypass_actor,omitempty"`
	RequireLastPushApproval *bool    `json:"require_last_push_approval,omitempty"`
	RequiredChecks          []string `json:"required_checks,omitempty"`
	AllowForcePushes        *bool    `json:"allow_force_pushes,omitempty"`
}

// MergeGroup mirrors its namesake in schemas.
type MergeGroup struct {
	HeadSHA string `json:"head_sha,omitempty"`
	PRs     []any  `json:"prs,omitempty"`
}

// Image mirrors its namesake in schemas.
type Image struct {
	Ref        string `json:"ref,omitempty"`
	Digest     string `json:"digest,omitempty"`
	Provenance any    `json:"provenance,omitempty"`
}

// Deployment mirrors its namesake in schemas.
type Deployment struct {
	ID                 string     `json:"id,omitempty"`
	Service            string     `json:"service,omitempty"`
	Environment        string     `json:"environment,omitempty"`
	EnvironmentKind    string     `json:"environment_kind,omitempty"`
	Commit             string     `json:"commit,omitempty"`
	Trigger            string     `json:"trigger,omitempty"`
	User               string     `json:"user,omitempty"`
	Status             string     `json:"status,omitempty"`
	StartedAt          *time.Time `json:"started_at,omitempty"`
	LiveAt             *time.Time `json:"live_at,omitempty"`
	OnProtectedBranch  *bool      `json:"on_protected_branch,omitempty"`
	PreviousLiveCommit string     `json:"previous_live_commit,omitempty"`
	Image              *Image     `json:"image,omitempty"`
	HookRegistered     *bool      `json:"hook_registered,omitempty"`
}

// Elevation mirrors its namesake in schemas.
type Elevation struct {
	ExpiresAt *time.Time `json:"expires_at,omitempty"`
	RevokedAt *time.Time `json:"revoked_at,omitempty"`
	StartedAt *time.Time `json:"started_at,omitempty"`
}

// PlatformEvent is: A change made outside Git.
type PlatformEvent struct {
	System          string     `json:"system,omitempty"`
	Type            string     `json:"type,omitempty"`
	Actor           string     `json:"actor,omitempty"`
	RequestedBy     string     `json:"requested_by,omitempty"`
	Beneficiary     string     `json:"beneficiary,omitempty"`
	At              *time.Time `json:"at,omitempty"`
	Detail          string     `json:"detail,omitempty"`
	Scopes          []string   `json:"scopes,omitempty"`
	Effects         []string   `json:"effects,omitempty"`
	GitExpressible  *bool      `json:"git_expressible,omitempty"`
	BlueprintCommit string     `json:"blueprint_commit,omitempty"`
	Elevation       *Elevation `json:"elevation,omitempty"`
	Keys            []string   `json:"keys,omitempty"`
	Before          any        `json:"before,omitempty"`
	After           any        `json:"after,omitempty"`
	Target          string     `json:"target,omitempty"`
}

// Approval mirrors its namesake in schemas.
type Approval struct {
	By string     `json:"by"`
	At *time.Time `json:"at,omitempty"`
}

// Issue mirrors its namesake in schemas.
type Issue struct {
	ID        string         `json:"id"`
	CreatedAt *time.Time     `json:"created_at,omitempty"`
	Body      *Documentation `json:"body,omitempty"`
	Approvals []Approval     `json:"approvals,omitempty"`
	Author    string         `json:"author,omitempty"`
}

// EmergencyTrigger is: An incident, vulnerability, misconfiguration or alert.
type EmergencyTrigger struct {
	ID                 string     `json:"id,omitempty"`
	Kind               string     `json:"kind,omitempty"`
	Severity           string     `json:"severity,omitempty"`
	StartedAt          *time.Time `json:"started_at,omitempty"`
	RecordedAt         *time.Time `json:"recorded_at,omitempty"`
	ResolvedAt         *time.Time `json:"resolved_at,omitempty"`
	AffectedComponents []string   `json:"affected_components,omitempty"`
	Title              string     `json:"title,omitempty"`
	MentionsCommit     any        `json:"mentions_commit,omitempty"`
}

// RetrospectiveReview mirrors its namesake in schemas.
type RetrospectiveReview struct {
	Reviewer       string     `json:"reviewer,omitempty"`
	CompletedAt    *time.Time `json:"completed_at,omitempty"`
	Decision       string     `json:"decision,omitempty"`
	LimitedToIssue *bool      `json:"limited_to_issue,omitempty"`
}

// DocumentingPullRequest mirrors its namesake in schemas.
type DocumentingPullRequest struct {
	Number    *int       `json:"number,omitempty"`
	CreatedAt *time.Time `json:"created_at,omitempty"`
	Purpose   string     `json:"purpose,omitempty"`
}

// PostIncidentReview mirrors its namesake in schemas.
type PostIncidentReview struct {
	CompletedAt        *time.Time `json:"completed_at,omitempty"`
	RootCause          string     `json:"root_cause,omitempty"`
	ActionsTaken       string     `json:"actions_taken,omitempty"`
	PreventiveControls string     `json:"preventive_controls,omitempty"`
}

// Procedure mirrors its namesake in schemas.
type Procedure struct {
	ID            string     `json:"id,omitempty"`
	Scope         string     `json:"scope,omitempty"`
	ApprovedBy    string     `json:"approved_by,omitempty"`
	ApprovedAt    *time.Time `json:"approved_at,omitempty"`
	ApprovedUntil *time.Time `json:"approved_until,omitempty"`
}

// Validation mirrors its namesake in schemas.
type Validation struct {
	Kind        string     `json:"kind,omitempty"`
	At          *time.Time `json:"at,omitempty"`
	Result      string     `json:"result,omitempty"`
	By          string     `json:"by,omitempty"`
	Environment string     `json:"environment,omitempty"`
}

// Rollback mirrors its namesake in schemas.
type Rollback struct {
	At                    *time.Time `json:"at,omitempty"`
	ToCommit              string     `json:"to_commit,omitempty"`
	TargetDeployID        string     `json:"target_deploy_id,omitempty"`
	PreviouslyLive        *bool      `json:"previously_live,omitempty"`
	TargetReview          string     `json:"target_review,omitempty"`
	IrreversibleMigration *bool      `json:"irreversible_migration,omitempty"`
}

// Change is: One change: controls.md 1.1.
type Change struct {
	Kind                   string                  `json:"kind"`
	ID                     string                  `json:"id,omitempty"`
	Declared               *Declared               `json:"declared,omitempty"`
	Repository             string                  `json:"repository,omitempty"`
	BaseBranch             string                  `json:"base_branch,omitempty"`
	CommitMessage          string                  `json:"commit_message,omitempty"`
	Channel                string                  `json:"channel,omitempty"`
	Environment            string                  `json:"environment,omitempty"`
	PullRequest            *PullRequest            `json:"pull_request,omitempty"`
	MergedContentSHAs      []string                `json:"merged_content_shas,omitempty"`
	Push                   *Push                   `json:"push,omitempty"`
	Files                  []ChangedFile           `json:"files,omitempty"`
	FilesTruncated         *bool                   `json:"files_truncated,omitempty"`
	DependencyUpdates      []DependencyUpdate      `json:"dependency_updates,omitempty"`
	Checks                 []Check                 `json:"checks,omitempty"`
	BranchProtection       *BranchProtection       `json:"branch_protection,omitempty"`
	ProtectionEvents       []map[string]any        `json:"protection_events,omitempty"`
	MergeGroup             *MergeGroup             `json:"merge_group,omitempty"`
	Deployments            []Deployment            `json:"deployments,omitempty"`
	Event                  *PlatformEvent          `json:"event,omitempty"`
	Issue                  *Issue                  `json:"issue,omitempty"`
	EmergencyTrigger       *EmergencyTrigger       `json:"emergency_trigger,omitempty"`
	ConcurrentIncidents    []EmergencyTrigger      `json:"concurrent_incidents,omitempty"`
	RetrospectiveReview    *RetrospectiveReview    `json:"retrospective_review,omitempty"`
	DocumentingPullRequest *DocumentingPullRequest `json:"documenting_pull_request,omitempty"`
	PostIncidentReview     *PostIncidentReview     `json:"post_incident_review,omitempty"`
	Procedure              *Procedure              `json:"procedure,omitempty"`
	Validations            []Validation            `json:"validations,omitempty"`
	Components             []string                `json:"components,omitempty"`
	RelatedGrants          []map[string]any        `json:"related_grants,omitempty"`
	Rollback               *Rollback               `json:"rollback,omitempty"`
	Links                  []string                `json:"links,omitempty"`
}

// DeploymentSubject is: All changes between the previous and the new live commit.
type DeploymentSubject struct {
	Changes            []Change   `json:"changes"`
	ID                 string     `json:"id,omitempty"`
	Service            string     `json:"service,omitempty"`
	Commit             string     `json:"commit,omitempty"`
	PreviousLiveCommit string     `json:"previous_live_commit,omitempty"`
	LiveAt             *time.Time `json:"live_at,omitempty"`
}

// Vulnerability is: A vulnerability.
type Vulnerability struct {
	ID                       string           `json:"id,omitempty"`
	Package                  string           `json:"package,omitempty"`
	Severity                 string           `json:"severity,omitempty"`
	FirstDetectedAt          *time.Time       `json:"first_detected_at,omitempty"`
	SeverityHistory          []SeverityChange `json:"severity_history,omitempty"`
	RemediatedInProductionAt *time.Time       `json:"remediated_in_production_at,omitempty"`
	AlertState               string           `json:"alert_state,omitempty"`
	AlertFixedAt             *time.Time       `json:"alert_fixed_at,omitempty"`
	DismissedBy              string           `json:"dismissed_by,omitempty"`
	DismissedReason          string           `json:"dismissed_reason,omitempty"`
	DismissedAt              *time.Time       `json:"dismissed_at,omitempty"`
	KEV                      *bool            `json:"kev,omitempty"`
	Owner                    string           `json:"owner,omitempty"`
	ReintroducedAt           *time.Time       `json:"reintroduced_at,omitempty"`
}

// SeverityChange mirrors its namesake in schemas.
type SeverityChange struct {
	At       *time.Time `json:"at,omitempty"`
	Severity string     `json:"severity,omitempty"`
	By       string     `json:"by,omitempty"`
	Reason   string     `json:"reason,omitempty"`
}

// AccessReview mirrors its namesake in schemas.
type AccessReview struct {
	System            string        `json:"system,omitempty"`
	LastCompletedAt   *time.Time    `json:"last_completed_at,omitempty"`
	Entries           []ReviewEntry `json:"entries,omitempty"`
	UnreviewedHolders []string      `json:"unreviewed_holders,omitempty"`
}

// ReviewEntry mirrors its namesake in schemas.
type ReviewEntry struct {
	Holder    string     `json:"holder,omitempty"`
	Reviewer  string     `json:"reviewer,omitempty"`
	Decision  string     `json:"decision,omitempty"`
	At        *time.Time `json:"at,omitempty"`
	RemovedAt *time.Time `json:"removed_at,omitempty"`
}

// Alert mirrors its namesake in schemas.
type Alert struct {
	ID                     string     `json:"id,omitempty"`
	Severity               string     `json:"severity,omitempty"`
	RaisedAt               *time.Time `json:"raised_at,omitempty"`
	InvestigationStartedAt *time.Time `json:"investigation_started_at,omitempty"`
	ResolvedAt             *time.Time `json:"resolved_at,omitempty"`
	EndState               string     `json:"end_state,omitempty"`
	Title                  string     `json:"title,omitempty"`
}

// SignificantChange mirrors its namesake in schemas.
type SignificantChange struct {
	Kind       string     `json:"kind,omitempty"`
	At         *time.Time `json:"at,omitempty"`
	Detail     string     `json:"detail,omitempty"`
	ReviewedAt *time.Time `json:"reviewed_at,omitempty"`
}

// PolicyReview mirrors its namesake in schemas.
type PolicyReview struct {
	LastReviewedAt     *time.Time          `json:"last_reviewed_at,omitempty"`
	SignificantChanges []SignificantChange `json:"significant_changes,omitempty"`
	Reviewer           string              `json:"reviewer,omitempty"`
	Version            string              `json:"version,omitempty"`
	Hash               string              `json:"hash,omitempty"`
}

// Posture mirrors its namesake in schemas.
type Posture struct {
	System               string         `json:"system,omitempty"`
	Service              string         `json:"service,omitempty"`
	Environment          string         `json:"environment,omitempty"`
	EnvironmentProtected *bool          `json:"environment_protected,omitempty"`
	SharedAccounts       []string       `json:"shared_accounts,omitempty"`
	Admins               []string       `json:"admins,omitempty"`
	AdminCount           *int           `json:"admin_count,omitempty"`
	Monitoring           map[string]any `json:"monitoring,omitempty"`
}

// Retention mirrors its namesake in schemas.
type Retention struct {
	ProgramStartedAt       *time.Time `json:"program_started_at,omitempty"`
	OldestCompleteRecordAt *time.Time `json:"oldest_complete_record_at,omitempty"`
	HashChain              string     `json:"hash_chain,omitempty"`
}

// Gap mirrors its namesake in schemas.
type Gap struct {
	Source     string     `json:"source,omitempty"`
	Start      *time.Time `json:"start,omitempty"`
	End        *time.Time `json:"end,omitempty"`
	Backfilled *bool      `json:"backfilled,omitempty"`
	Reason     string     `json:"reason,omitempty"`
}

// Period mirrors its namesake in schemas.
type Period struct {
	Start           *time.Time `json:"start,omitempty"`
	End             *time.Time `json:"end,omitempty"`
	Gaps            []Gap      `json:"gaps,omitempty"`
	Backfilled      []any      `json:"backfilled,omitempty"`
	MissingInLedger []any      `json:"missing_in_ledger,omitzero"` // nil: not reconciled
}
