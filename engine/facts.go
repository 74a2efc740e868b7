package engine

import "time"

// The types in this file are the shapes of Event.Data, one per group of event
// types; schemas/event.json says which type carries which. Times are UTC.

// PullRequestFact is the data of change.created, change.updated, change.merged, change.abandoned. A pull request as the source showed it at occurred_at: a snapshot, also for change.created, change.updated, change.merged and change.abandoned.
type PullRequestFact struct {
	Repository        string            `json:"repository"`
	Number            int               `json:"number"`
	Title             string            `json:"title,omitempty"`
	Body              string            `json:"body,omitempty"`
	Author            *Account          `json:"author,omitempty"`
	BaseBranch        string            `json:"base_branch,omitempty"`
	BaseSHA           string            `json:"base_sha,omitempty"`
	HeadBranch        string            `json:"head_branch,omitempty"`
	HeadSHA           string            `json:"head_sha,omitempty"`
	Labels            []string          `json:"labels,omitempty"`
	Assignees         []Account         `json:"assignees,omitempty"`
	AssignedBy        *Account          `json:"assigned_by,omitempty"`
	Draft             *bool             `json:"draft,omitempty"`
	State             string            `json:"state,omitempty"`
	CreatedAt         *time.Time        `json:"created_at,omitempty"`
	UpdatedAt         *time.Time        `json:"updated_at,omitempty"`
	ClosedAt          *time.Time        `json:"closed_at,omitempty"`
	MergedAt          *time.Time        `json:"merged_at,omitempty"`
	MergedBy          *Account          `json:"merged_by,omitempty"`
	MergeCommitSHA    string            `json:"merge_commit_sha,omitempty"`
	CommitCount       *int              `json:"commit_count,omitempty"`
	ChangedFiles      *int              `json:"changed_files,omitempty"`
	BodyEditedAt      *time.Time        `json:"body_edited_at,omitempty"`
	Action            string            `json:"action,omitempty"`
	BodyBefore        string            `json:"body_before,omitempty"`
	HeadBefore        string            `json:"head_before,omitempty"`
	ClosingIssues     []string          `json:"closing_issues,omitempty"`
	DependencyUpdates []DependencyFacts `json:"dependency_updates,omitempty"`
}

// ReviewFact is the data of change.reviewed. One review. state keeps the source word in capitals: APPROVED, CHANGES_REQUESTED, COMMENTED, DISMISSED, PENDING. permission is the reviewer's right in the repository, where known.
type ReviewFact struct {
	Repository  string     `json:"repository"`
	Number      int        `json:"number"`
	ReviewID    string     `json:"review_id"`
	State       string     `json:"state"`
	CommitID    string     `json:"commit_id,omitempty"`
	SubmittedAt *time.Time `json:"submitted_at,omitempty"`
	Permission  string     `json:"permission,omitempty"`
	Association string     `json:"association,omitempty"`
	Body        string     `json:"body,omitempty"`
}

// ReviewDismissalFact is the data of change.review_dismissed. A review was dismissed; actor is who dismissed it, occurred_at when.
type ReviewDismissalFact struct {
	Repository     string `json:"repository"`
	Number         int    `json:"number"`
	ReviewID       string `json:"review_id"`
	DismissedState string `json:"dismissed_state,omitempty"`
	Reason         string `json:"reason,omitempty"`
}

// CommitFact is the data of commit.recorded. One commit. author and committer are what Git records plus the linked account, where the source links one; co_authors come from the Co-authored-by trailers. patch_id is git patch-id --stable of the commit, where computed.
type CommitFact struct {
	Repository    string            `json:"repository"`
	SHA           string            `json:"sha"`
	TreeSHA       string            `json:"tree_sha,omitempty"`
	PatchID       string            `json:"patch_id,omitempty"`
	Author        SignatureFacts    `json:"author"`
	Committer     *SignatureFacts   `json:"committer,omitempty"`
	CoAuthors     []SignatureFacts  `json:"co_authors,omitempty"`
	Message       string            `json:"message,omitempty"`
	Parents       []string          `json:"parents,omitempty"`
	Verified      *bool             `json:"verified,omitempty"`
	Verification  string            `json:"verification,omitempty"`
	Signer        string            `json:"signer,omitempty"`
	Files         []FileFacts       `json:"files,omitempty"`
	Numbers       []int             `json:"numbers,omitempty"`
	MergeFromBase *bool             `json:"merge_from_base,omitempty"`
	Conflicts     *bool             `json:"conflicts,omitempty"`
	Trailers      map[string]string `json:"trailers,omitempty"`
}

// CommitListFact is the data of change.commits_listed. The ordered commits of a pull request. complete=false when the source truncates (GitHub: 250) or further pages follow; page counts from 1 and is absent when the list came whole.
type CommitListFact struct {
	Repository string   `json:"repository"`
	Number     int      `json:"number"`
	HeadSHA    string   `json:"head_sha,omitempty"`
	SHAs       []string `json:"shas"`
	Complete   bool     `json:"complete"`
	Total      *int     `json:"total,omitempty"`
	Page       *int     `json:"page,omitempty"`
}

// FileListFact is the data of change.files_listed. The changed files of a pull request or of one commit range. complete=false when the source truncates (GitHub: 3,000) or further pages follow; page counts from 1 and is absent when the list came whole.
type FileListFact struct {
	Repository        string            `json:"repository"`
	Number            *int              `json:"number,omitempty"`
	SHA               string            `json:"sha,omitempty"`
	Files             []FileFacts       `json:"files"`
	Complete          bool              `json:"complete"`
	Total             *int              `json:"total,omitempty"`
	DependencyUpdates []DependencyFacts `json:"dependency_updates,omitempty"`
	Page              *int              `json:"page,omitempty"`
}

// PushFact is the data of branch.pushed. A branch moved. actor is who pushed; commits are listed oldest first.
type PushFact struct {
	Repository    string   `json:"repository"`
	Branch        string   `json:"branch"`
	Before        string   `json:"before,omitempty"`
	After         string   `json:"after"`
	Forced        *bool    `json:"forced,omitempty"`
	DefaultBranch string   `json:"default_branch,omitempty"`
	Commits       []string `json:"commits,omitempty"`
	Number        *int     `json:"number,omitempty"`
	Kind          string   `json:"kind,omitempty"`
}

// CommitPullRequestsFact is the data of commit.associated. The pull requests a commit belongs to, as the source associates them; empty = the source knows none.
type CommitPullRequestsFact struct {
	Repository string `json:"repository"`
	SHA        string `json:"sha"`
	Numbers    []int  `json:"numbers"`
}

// ComparisonFact is the data of commits.compared. What lies between two commits: the commits reachable from head and not from base, oldest first.
type ComparisonFact struct {
	Repository string   `json:"repository"`
	Base       string   `json:"base"`
	Head       string   `json:"head"`
	SHAs       []string `json:"shas"`
	Complete   bool     `json:"complete"`
	Total      *int     `json:"total,omitempty"`
}

// BranchHeadFact is the data of branch.observed. A branch's head and, where known, whether it is protected.
type BranchHeadFact struct {
	Repository    string `json:"repository"`
	Branch        string `json:"branch"`
	SHA           string `json:"sha,omitempty"`
	Protected     *bool  `json:"protected,omitempty"`
	DefaultBranch *bool  `json:"default_branch,omitempty"`
}

// MergeGroupFact is the data of merge_group.created. A merge-queue group: its head commit carries all the listed pull requests.
type MergeGroupFact struct {
	Repository string `json:"repository"`
	HeadSHA    string `json:"head_sha"`
	BaseSHA    string `json:"base_sha,omitempty"`
	BaseBranch string `json:"base_branch,omitempty"`
	Numbers    []int  `json:"numbers,omitempty"`
}

// MailmapFact is the data of identity.mapped. A name and e-mail of commits that the repository's own .mailmap takes for another. Its committers write it: a hint, no proof.
type MailmapFact struct {
	Repository  string `json:"repository"`
	Name        string `json:"name,omitempty"`
	Email       string `json:"email,omitempty"`
	MappedName  string `json:"mapped_name,omitempty"`
	MappedEmail string `json:"mapped_email,omitempty"`
}

// EnqueueFact is the data of change.enqueued, change.dequeued. A pull request entered or left the merge queue; actor is who did it.
type EnqueueFact struct {
	Repository string `json:"repository"`
	Number     int    `json:"number"`
	HeadSHA    string `json:"head_sha,omitempty"`
}

// OperatorFact is the data of change.operated. A person steered an agent or bot on a pull request: assigned, prompted or requested it.
type OperatorFact struct {
	Repository string   `json:"repository"`
	Number     int      `json:"number"`
	Operator   Account  `json:"operator"`
	Agent      *Account `json:"agent,omitempty"`
	Kind       string   `json:"kind,omitempty"`
}

// TimelineFact is the data of change.noted. Any other pull-request timeline fact that judges nothing by itself (review_requested, head_ref_force_pushed, renamed, labeled …).
type TimelineFact struct {
	Repository string   `json:"repository"`
	Number     int      `json:"number"`
	Kind       string   `json:"kind"`
	HeadBefore string   `json:"head_before,omitempty"`
	HeadAfter  string   `json:"head_after,omitempty"`
	Label      string   `json:"label,omitempty"`
	Subject    *Account `json:"subject,omitempty"`
}

// CheckFact is the data of check.completed. One check run, commit status or workflow run that ended. conclusion: success, failure, neutral, cancelled, skipped, timed_out, action_required, stale, startup_failure, error.
type CheckFact struct {
	Repository  string     `json:"repository"`
	SHA         string     `json:"sha"`
	Name        string     `json:"name"`
	Conclusion  string     `json:"conclusion"`
	StartedAt   *time.Time `json:"started_at,omitempty"`
	CompletedAt *time.Time `json:"completed_at,omitempty"`
	App         string     `json:"app,omitempty"`
	Kind        string     `json:"kind,omitempty"`
	Required    *bool      `json:"required,omitempty"`
	URL         string     `json:"url,omitempty"`
}

// ProtectionStateFact is the data of protection.observed, protection.changed. The rules on a branch as read at occurred_at, or one change of them (action, before, after). bypass facts use protection.bypassed.
type ProtectionStateFact struct {
	Repository string           `json:"repository"`
	Branch     string           `json:"branch,omitempty"`
	Kind       string           `json:"kind,omitempty"`
	Name       string           `json:"name,omitempty"`
	Action     string           `json:"action,omitempty"`
	State      *ProtectionFacts `json:"state,omitempty"`
	Before     *ProtectionFacts `json:"before,omitempty"`
	After      *ProtectionFacts `json:"after,omitempty"`
	Detail     string           `json:"detail,omitempty"`
}

// BypassFact is the data of protection.bypassed. A rule was bypassed for one push or merge; actor bypassed it.
type BypassFact struct {
	Repository string   `json:"repository"`
	Branch     string   `json:"branch,omitempty"`
	Before     string   `json:"before,omitempty"`
	After      string   `json:"after,omitempty"`
	Number     *int     `json:"number,omitempty"`
	Result     string   `json:"result,omitempty"`
	Rules      []string `json:"rules,omitempty"`
}

// PermissionFact is the data of permission.observed. The right of an account in a repository as read at occurred_at: admin, maintain, write, triage, read, none.
type PermissionFact struct {
	Repository string  `json:"repository"`
	Account    Account `json:"account"`
	Permission string  `json:"permission"`
}

// DeploymentFact is the data of deployment.started, deployment.finished, deployment.observed, deployment.requested, deployment.approved, service.deployed, service.rolledback. One deploy. For render deploy_id is dep-…; for GitHub deployments it is the deployment id. status keeps the source word. user is who triggered it.
type DeploymentFact struct {
	DeployID        string      `json:"deploy_id"`
	ServiceID       string      `json:"service_id,omitempty"`
	Service         string      `json:"service,omitempty"`
	Repository      string      `json:"repository,omitempty"`
	Environment     string      `json:"environment,omitempty"`
	EnvironmentKind string      `json:"environment_kind,omitempty"`
	Status          string      `json:"status,omitempty"`
	Trigger         string      `json:"trigger,omitempty"`
	User            *Account    `json:"user,omitempty"`
	Commit          string      `json:"commit,omitempty"`
	CommitMessage   string      `json:"commit_message,omitempty"`
	Branch          string      `json:"branch,omitempty"`
	Image           *ImageFacts `json:"image,omitempty"`
	CreatedAt       *time.Time  `json:"created_at,omitempty"`
	StartedAt       *time.Time  `json:"started_at,omitempty"`
	FinishedAt      *time.Time  `json:"finished_at,omitempty"`
	RollbackTo      string      `json:"rollback_to,omitempty"`
	PreviousCommit  string      `json:"previous_commit,omitempty"`
	HookRegistered  *bool       `json:"hook_registered,omitempty"`
	Transient       *bool       `json:"transient,omitempty"`
	URL             string      `json:"url,omitempty"`
	Reason          string      `json:"reason,omitempty"`
}

// ServiceFact is the data of service.observed. A service as read at occurred_at.
type ServiceFact struct {
	ServiceID           string      `json:"service_id"`
	Service             string      `json:"service,omitempty"`
	Kind                string      `json:"kind,omitempty"`
	Repository          string      `json:"repository,omitempty"`
	Branch              string      `json:"branch,omitempty"`
	AutoDeploy          string      `json:"auto_deploy,omitempty"`
	EnvironmentID       string      `json:"environment_id,omitempty"`
	Environment         string      `json:"environment,omitempty"`
	EnvironmentKind     string      `json:"environment_kind,omitempty"`
	Project             string      `json:"project,omitempty"`
	Suspended           *bool       `json:"suspended,omitempty"`
	Image               *ImageFacts `json:"image,omitempty"`
	RootDir             string      `json:"root_dir,omitempty"`
	IgnoredPaths        []string    `json:"ignored_paths,omitempty"`
	Paths               []string    `json:"paths,omitempty"`
	HealthCheck         string      `json:"health_check,omitempty"`
	PullRequestPreviews *bool       `json:"pull_request_previews,omitempty"`
	ParentServiceID     string      `json:"parent_service_id,omitempty"`
	Region              string      `json:"region,omitempty"`
	Plan                string      `json:"plan,omitempty"`
	Instances           *int        `json:"instances,omitempty"`
}

// EnvironmentFact is the data of environment.observed. A deployment environment as read at occurred_at.
type EnvironmentFact struct {
	EnvironmentID     string   `json:"environment_id,omitempty"`
	Environment       string   `json:"environment"`
	EnvironmentKind   string   `json:"environment_kind,omitempty"`
	Project           string   `json:"project,omitempty"`
	Protected         *bool    `json:"protected,omitempty"`
	ServiceIDs        []string `json:"service_ids,omitempty"`
	Reviewers         []string `json:"reviewers,omitempty"`
	PreventSelfReview *bool    `json:"prevent_self_review,omitempty"`
}

// ConfigFact is the data of config.changed. A change of platform configuration. keys are names, never values; before and after only for settings that are no secret (plan, instance count, CIDR …). change is the source's own word for it. kind is our word for what changed: records of one change in several logs of a platform share kind and target. git_expressible: the platform can hold this setting in Git.
type ConfigFact struct {
	System          string            `json:"system"`
	Change          string            `json:"change"`
	Kind            string            `json:"kind,omitempty"`
	Outcome         string            `json:"outcome,omitempty"`
	Target          *ConfigFactTarget `json:"target,omitempty"`
	Channel         string            `json:"channel,omitempty"`
	Detail          string            `json:"detail,omitempty"`
	Keys            []string          `json:"keys,omitempty"`
	Before          string            `json:"before,omitempty"`
	After           string            `json:"after,omitempty"`
	Environment     string            `json:"environment,omitempty"`
	EnvironmentKind string            `json:"environment_kind,omitempty"`
	Service         string            `json:"service,omitempty"`
	ServiceID       string            `json:"service_id,omitempty"`
	GitExpressible  *bool             `json:"git_expressible,omitempty"`
	BlueprintCommit string            `json:"blueprint_commit,omitempty"`
	Scopes          []string          `json:"scopes,omitempty"`
	Effects         []string          `json:"effects,omitempty"`
	RequestedBy     *Account          `json:"requested_by,omitempty"`
	Beneficiary     *Account          `json:"beneficiary,omitempty"`
	CausedBy        string            `json:"caused_by,omitempty"`
}

// ConfigFactTarget mirrors its namesake in schemas.
type ConfigFactTarget struct {
	Type string `json:"type,omitempty"`
	ID   string `json:"id,omitempty"`
	Name string `json:"name,omitempty"`
}

// AccessFact is the data of access.changed. A change of access, one per grant: reference of kinds is the vocabulary of the access schema (role_grant, role_revoke, …). Only outcome success changed anything.
type AccessFact struct {
	Kind          string                `json:"kind"`
	Outcome       string                `json:"outcome"`
	System        string                `json:"system,omitempty"`
	Change        string                `json:"change,omitempty"`
	Target        *AccessFactTarget     `json:"target,omitempty"`
	Permission    *AccessFactPermission `json:"permission,omitempty"`
	Privileged    *bool                 `json:"privileged,omitempty"`
	PrivilegedWhy []string              `json:"privileged_why,omitempty"`
	CausedBy      string                `json:"caused_by,omitempty"`
	ActorKind     string                `json:"actor_kind,omitempty"`
	Confidence    string                `json:"confidence,omitempty"`
	Via           string                `json:"via,omitempty"`
	CredentialID  string                `json:"credential_id,omitempty"`
	IssuedID      string                `json:"issued_id,omitempty"`
	MFA           *bool                 `json:"mfa,omitempty"`
	SourceIP      string                `json:"source_ip,omitempty"`
	TransactionID string                `json:"transaction_id,omitempty"`
	ExpiresAt     *time.Time            `json:"expires_at,omitempty"`
	RequestedBy   *Account              `json:"requested_by,omitempty"`
	Request       string                `json:"request,omitempty"`
	Error         string                `json:"error,omitempty"`
	Environment   string                `json:"environment,omitempty"`
	ReadOnly      *bool                 `json:"read_only,omitempty"`
}

// AccessFactTarget mirrors its namesake in schemas.
type AccessFactTarget struct {
	Kind    string `json:"kind,omitempty"`
	Account string `json:"account,omitempty"`
	ID      string `json:"id,omitempty"`
	Name    string `json:"name,omitempty"`
}

// AccessFactPermission mirrors its namesake in schemas.
type AccessFactPermission struct {
	ID        string `json:"id,omitempty"`
	Operation string `json:"operation,omitempty"`
	Scope     string `json:"scope,omitempty"`
	Condition string `json:"condition,omitempty"`
	Before    string `json:"before,omitempty"`
}

// HolderFact is the data of access.observed. What one account may do, as read at occurred_at: one member, collaborator, IAM user or credential.
type HolderFact struct {
	System        string     `json:"system"`
	Holder        Account    `json:"holder"`
	Permission    string     `json:"permission,omitempty"`
	Permissions   []string   `json:"permissions,omitempty"`
	Privileged    *bool      `json:"privileged,omitempty"`
	PrivilegedWhy []string   `json:"privileged_why,omitempty"`
	MFA           *bool      `json:"mfa,omitempty"`
	Active        *bool      `json:"active,omitempty"`
	Shared        *bool      `json:"shared,omitempty"`
	LastUsedAt    *time.Time `json:"last_used_at,omitempty"`
	CreatedAt     *time.Time `json:"created_at,omitempty"`
	KeyIDs        []string   `json:"key_ids,omitempty"`
	Scope         string     `json:"scope,omitempty"`
}

// IssueFact is the data of incident.detected, incident.resolved, issue.recorded. A record in an issue tracker: an incident, request, retrospective or post-incident review, waiver, access review or plain issue, as read at occurred_at. sections are the parsed form headings (slug: text), without template comments.
type IssueFact struct {
	Key                  string            `json:"key"`
	Number               *int              `json:"number,omitempty"`
	Repository           string            `json:"repository,omitempty"`
	Kind                 string            `json:"kind"`
	Title                string            `json:"title,omitempty"`
	State                string            `json:"state,omitempty"`
	StateReason          string            `json:"state_reason,omitempty"`
	Author               *Account          `json:"author,omitempty"`
	Labels               []string          `json:"labels,omitempty"`
	CreatedAt            time.Time         `json:"created_at"`
	UpdatedAt            *time.Time        `json:"updated_at,omitempty"`
	ClosedAt             *time.Time        `json:"closed_at,omitempty"`
	ClosedBy             *Account          `json:"closed_by,omitempty"`
	Description          string            `json:"description,omitempty"`
	Risk                 *RiskText         `json:"risk,omitempty"`
	Rollback             string            `json:"rollback,omitempty"`
	Severity             string            `json:"severity,omitempty"`
	StartedAt            *time.Time        `json:"started_at,omitempty"`
	ResolvedAt           *time.Time        `json:"resolved_at,omitempty"`
	AffectedComponents   []string          `json:"affected_components,omitempty"`
	MentionsCommits      []string          `json:"mentions_commits,omitempty"`
	MentionsPullRequests []int             `json:"mentions_pull_requests,omitempty"`
	MentionsIssues       []string          `json:"mentions_issues,omitempty"`
	Sections             map[string]string `json:"sections,omitempty"`
	Environment          string            `json:"environment,omitempty"`
	Service              string            `json:"service,omitempty"`
	Decision             string            `json:"decision,omitempty"`
	LimitedToIssue       *bool             `json:"limited_to_issue,omitempty"`
	Subject              string            `json:"subject,omitempty"`
	Reviewer             *Account          `json:"reviewer,omitempty"`
	CompletedAt          *time.Time        `json:"completed_at,omitempty"`
}

// IssueCommentFact is the data of issue.commented. A comment or label on a record that counts: an approval (/approve), a validation, a declaration.
type IssueCommentFact struct {
	Key             string   `json:"key"`
	Repository      string   `json:"repository,omitempty"`
	Number          *int     `json:"number,omitempty"`
	Kind            string   `json:"kind"`
	Body            string   `json:"body,omitempty"`
	CommentID       string   `json:"comment_id,omitempty"`
	Subject         string   `json:"subject,omitempty"`
	Result          string   `json:"result,omitempty"`
	Validation      string   `json:"validation,omitempty"`
	MentionsCommits []string `json:"mentions_commits,omitempty"`
	Author          *Account `json:"author,omitempty"`
}

// VulnerabilityFact is the data of vulnerability.observed. A vulnerability alert as read at occurred_at.
type VulnerabilityFact struct {
	FindingID       string     `json:"finding_id"`
	Repository      string     `json:"repository,omitempty"`
	Package         string     `json:"package,omitempty"`
	Advisory        string     `json:"advisory,omitempty"`
	Severity        string     `json:"severity,omitempty"`
	CVSS            *float64   `json:"cvss,omitempty"`
	State           string     `json:"state"`
	FirstDetectedAt *time.Time `json:"first_detected_at,omitempty"`
	FixedAt         *time.Time `json:"fixed_at,omitempty"`
	DismissedAt     *time.Time `json:"dismissed_at,omitempty"`
	DismissedBy     *Account   `json:"dismissed_by,omitempty"`
	DismissedReason string     `json:"dismissed_reason,omitempty"`
	ReopenedAt      *time.Time `json:"reopened_at,omitempty"`
	Environment     string     `json:"environment,omitempty"`
	Manifest        string     `json:"manifest,omitempty"`
	KEV             *bool      `json:"kev,omitempty"`
	Tool            string     `json:"tool,omitempty"`
}

// ValidationFact is the data of validation.recorded. A validation after a change.
type ValidationFact struct {
	Kind        string `json:"kind"`
	Result      string `json:"result"`
	Change      string `json:"change,omitempty"`
	Commit      string `json:"commit,omitempty"`
	Environment string `json:"environment,omitempty"`
	Service     string `json:"service,omitempty"`
}

// AlertFact is the data of alert.observed. An operational or security alert.
type AlertFact struct {
	AlertID                string     `json:"alert_id"`
	Severity               string     `json:"severity,omitempty"`
	State                  string     `json:"state,omitempty"`
	Title                  string     `json:"title,omitempty"`
	Service                string     `json:"service,omitempty"`
	Environment            string     `json:"environment,omitempty"`
	StartedAt              *time.Time `json:"started_at,omitempty"`
	InvestigationStartedAt *time.Time `json:"investigation_started_at,omitempty"`
	ResolvedAt             *time.Time `json:"resolved_at,omitempty"`
}

// CoverageFact is the data of coverage.recorded. What one collector run read: the window, counts and what it could not see. dossier sources are computed from these. system names one of several systems that feed a source, such as aws:123456789012: the source is covered when each of them is.
type CoverageFact struct {
	Source     string              `json:"source"`
	System     string              `json:"system,omitempty"`
	Status     string              `json:"status"`
	From       *time.Time          `json:"from,omitempty"`
	To         *time.Time          `json:"to,omitempty"`
	Facts      []string            `json:"facts,omitempty"`
	Missing    []string            `json:"missing,omitempty"`
	Reason     string              `json:"reason,omitempty"`
	Counts     *CoverageFactCounts `json:"counts,omitempty"`
	Repository string              `json:"repository,omitempty"`
	Number     *int                `json:"number,omitempty"`
	SHA        string              `json:"sha,omitempty"`
	Service    string              `json:"service,omitempty"`
}

// CoverageFactCounts mirrors its namesake in schemas.
type CoverageFactCounts struct {
	Events  *int `json:"events,omitempty"`
	Records *int `json:"records,omitempty"`
	Broken  *int `json:"broken,omitempty"`
}

// FileFacts is part of other facts.
type FileFacts struct {
	Path         string `json:"path"`
	PreviousPath string `json:"previous_path,omitempty"`
	Status       string `json:"status"`
	Additions    *int   `json:"additions,omitempty"`
	Deletions    *int   `json:"deletions,omitempty"`
	Patch        string `json:"patch,omitempty"`
}

// SignatureFacts is part of other facts.
type SignatureFacts struct {
	Name    string     `json:"name,omitempty"`
	Email   string     `json:"email,omitempty"`
	Account string     `json:"account,omitempty"`
	At      *time.Time `json:"at,omitempty"`
}

// DependencyFacts is part of other facts.
type DependencyFacts struct {
	Name      string `json:"name"`
	From      string `json:"from,omitempty"`
	To        string `json:"to,omitempty"`
	Update    string `json:"update,omitempty"`
	Ecosystem string `json:"ecosystem,omitempty"`
}

// ProtectionFacts is part of other facts.
type ProtectionFacts struct {
	PullRequestRequired     *bool    `json:"pull_request_required,omitempty"`
	RequiredApprovals       *int     `json:"required_approvals,omitempty"`
	DismissStaleReviews     *bool    `json:"dismiss_stale_reviews,omitempty"`
	AppliesToAdmins         *bool    `json:"applies_to_admins,omitempty"`
	RequireLastPushApproval *bool    `json:"require_last_push_approval,omitempty"`
	CodeOwnerReviews        *bool    `json:"code_owner_reviews,omitempty"`
	RequiredChecks          []string `json:"required_checks,omitempty"`
	AllowForcePushes        *bool    `json:"allow_force_pushes,omitempty"`
	AllowDeletions          *bool    `json:"allow_deletions,omitempty"`
	BypassActors            []string `json:"bypass_actors,omitempty"`
}

// ImageFacts is part of other facts.
type ImageFacts struct {
	Ref        string `json:"ref,omitempty"`
	Digest     string `json:"digest,omitempty"`
	Provenance string `json:"provenance,omitempty"`
}
