package render

// This file is the whole vocabulary: what each Render record means for change
// control. Names are open at Render's side, so what is not listed becomes
// config.changed under its own name without any claim.
//
// Sources: the enums of Render's API clients of August 2026 and the pages
// render.com/docs/audit-logs, /webhooks and /blueprint-spec.

// form is what a record becomes.
type form int

const (
	config  form = iota // config.changed
	access              // access.changed
	started             // deployment.started
	ended               // deployment.finished
	ignored             // counted, no event
)

// inGit says whether a Blueprint (render.yaml) can hold the setting. A Blueprint
// sync never deletes, suspends or restores anything, so those are no. unsaid
// where the Blueprint reference does not settle it or the target decides.
type inGit int

const (
	unsaid inGit = iota
	yes
	no
)

// meaning is one row. kind is our word for what changed (config) or the kind of
// access change. The same change shows in several of Render's logs; those
// records share kind and target, and what undoes it has another kind.
type meaning struct {
	form    form
	kind    string
	scopes  []string
	effects []string
	inGit   inGit

	channel    string // where the record itself settles it
	setting    string // name of the setting, for bounds
	from, to   string // fields of the record with the old and the new value, no secrets
	operation  string // access: add, remove, change
	permission string // access: what was gained, lost or used, where no role says it
	privileged string // access: why it is privileged, if it always is
	causedBy   string // access: the record this one merely completes
	why        string // ignored: why it is no change evidence
}

var (
	infrastructure = []string{"infrastructure"}
	securityInfra  = []string{"infrastructure", "security_config"}
	thirdParty     = []string{"third_party_integration"}
	securityThird  = []string{"security_config", "third_party_integration"}

	deletion        = []string{"deletion"}
	dataLoss        = []string{"deletion", "destructive"}
	suspension      = []string{"suspension"}
	network         = []string{"network"}
	thirdPartyGrant = []string{"third_party_access"}
)

// auditEvents: the audit log of a workspace or organisation.
var auditEvents = map[string]meaning{
	// Services
	"CreateServerEvent":                  {kind: "service_created", scopes: infrastructure, inGit: yes},
	"DeleteServerEvent":                  {kind: "service_deleted", scopes: infrastructure, effects: deletion, inGit: no},
	"CreateCronJobEvent":                 {kind: "service_created", scopes: infrastructure, inGit: yes},
	"DeleteCronJobEvent":                 {kind: "service_deleted", scopes: infrastructure, effects: deletion, inGit: no},
	"SuspendServiceEvent":                {kind: "suspension", scopes: infrastructure, effects: suspension, inGit: no},
	"ResumeServiceEvent":                 {kind: "resumption", scopes: infrastructure, inGit: no},
	"UpdateServiceNameEvent":             {kind: "service_name", scopes: infrastructure, inGit: no, from: "from", to: "to"},
	"MaintenanceModeEnabledEvent":        {kind: "maintenance_mode", scopes: infrastructure, to: "to"},
	"MaintenanceModeURIUpdatedEvent":     {kind: "maintenance_page", scopes: infrastructure},
	"UpdateAutoDeployEvent":              {kind: "auto_deploy", scopes: infrastructure, effects: []string{"auto_deploy"}, inGit: yes, setting: "auto_deploy", from: "from", to: "to"},
	"UpdateAutoDeployTriggerEvent":       {kind: "auto_deploy", scopes: infrastructure, effects: []string{"auto_deploy"}, inGit: yes, setting: "auto_deploy_trigger", from: "from", to: "to"},
	"ChangeWorkspaceDeployHandlingEvent": {kind: "deploy_handling", scopes: infrastructure, inGit: no},
	"CreateArtifactSourceEvent":          {kind: "artifact_source_created", scopes: infrastructure},
	"ApplyBlueprintEvent":                {kind: "blueprint", scopes: infrastructure, inGit: no}, // creates the link to render.yaml; syncs are not logged
	"StartShellEvent":                    {kind: "shell", scopes: infrastructure, effects: []string{"shell"}, inGit: no, channel: "shell"},
	"EndShellEvent":                      {form: ignored, why: "the end of the session that StartShellEvent opened"},

	// Domains and network
	"CreateCustomDomainEvent":        {kind: "custom_domain_created", scopes: infrastructure, effects: []string{"domain"}, inGit: yes, to: "domain"},
	"DeleteCustomDomainEvent":        {kind: "custom_domain_deleted", scopes: infrastructure, effects: []string{"deletion", "domain"}, inGit: no, from: "domain"},
	"UpdateIPAllowListEvent":         {kind: "ip_allow_list", scopes: securityInfra, effects: network}, // in Git only for datastores: see allowListInGit
	"CreatePrivateLinkEvent":         {kind: "private_link_created", scopes: securityInfra, effects: network, inGit: no},
	"DeletePrivateLinkEvent":         {kind: "private_link_deleted", scopes: securityInfra, effects: []string{"deletion", "network"}, inGit: no},
	"UpdateEnvironmentIsolatedEvent": {kind: "network_isolation", scopes: securityInfra, effects: network, inGit: yes, setting: "network_isolation", from: "from", to: "to"},

	// Variables and secrets; keys refine them: see envKeys
	"CreateEnvVarsEvent": {kind: "env_var", scopes: infrastructure, effects: []string{"env_var"}},
	"UpdateEnvVarsEvent": {kind: "env_var", scopes: infrastructure, effects: []string{"env_var"}},
	"DeleteEnvVarsEvent": {kind: "env_var", scopes: infrastructure, effects: []string{"deletion", "env_var"}},
	"DeleteEnvGroupEvent": {kind: "env_group_deleted", scopes: infrastructure, effects: []string{"deletion", "env_var"},
		inGit: no},

	// Data
	"CreatePostgresEvent":          {kind: "datastore_created", scopes: infrastructure, inGit: yes},
	"DeletePostgresEvent":          {kind: "datastore_deleted", scopes: infrastructure, effects: dataLoss, inGit: no},
	"SuspendPostgresEvent":         {kind: "suspension", scopes: infrastructure, effects: suspension, inGit: no},
	"ResumePostgresEvent":          {kind: "resumption", scopes: infrastructure, inGit: no},
	"CreateRedisEvent":             {kind: "datastore_created", scopes: infrastructure, inGit: yes},
	"DeleteRedisEvent":             {kind: "datastore_deleted", scopes: infrastructure, effects: dataLoss, inGit: no},
	"EnableRedisInternalAuthEvent": {kind: "datastore_authentication", scopes: securityInfra, effects: []string{"iam"}},
	"CreateServerDiskEvent":        {kind: "disk_created", scopes: infrastructure, inGit: yes},
	"DeleteServerDiskEvent":        {kind: "disk_deleted", scopes: infrastructure, effects: dataLoss, inGit: no},
	"RestoreDiskSnapshotEvent":     {kind: "disk_restore", scopes: infrastructure, effects: []string{"destructive", "restore"}, inGit: no},

	// Projects, environments, workspaces
	"CreateProjectEvent":     {kind: "project_created", scopes: infrastructure, inGit: yes},
	"DeleteProjectEvent":     {kind: "project_deleted", scopes: infrastructure, effects: deletion, inGit: no},
	"CreateEnvironmentEvent": {kind: "environment_created", scopes: infrastructure, inGit: yes},
	"DeleteEnvironmentEvent": {kind: "environment_deleted", scopes: securityInfra, effects: []string{"deletion", "environment_protection"}, inGit: no},
	"MoveEnvironmentResourceEvent": {kind: "environment_membership", scopes: securityInfra, effects: []string{"environment_protection"},
		inGit: yes, from: "from", to: "to"},
	"ChangeEnvironmentProtectionEvent": {kind: "environment_protection", scopes: securityInfra, effects: []string{"environment_protection"},
		inGit: yes, setting: "environment_protection", to: "protection"},
	"ChangeOrgNameEvent":   {kind: "organization_name", scopes: infrastructure, inGit: no},
	"CreateWorkspaceEvent": {kind: "workspace_created", scopes: infrastructure, inGit: no},
	"DeleteWorkspaceEvent": {kind: "workspace_deleted", scopes: infrastructure, effects: dataLoss, inGit: no},

	// Integrations
	"CreateWebhookEvent":         {kind: "webhook_created", scopes: thirdParty, effects: thirdPartyGrant, inGit: no},
	"UpdateWebhookEvent":         {kind: "webhook_updated", scopes: thirdParty, effects: thirdPartyGrant, inGit: no},
	"DeleteWebhookEvent":         {kind: "webhook_deleted", scopes: thirdParty, effects: deletion, inGit: no},
	"CreateOtelIntegrationEvent": {kind: "otel_integration_created", scopes: thirdParty, effects: thirdPartyGrant, inGit: no},
	"UpdateOtelIntegrationEvent": {kind: "otel_integration_updated", scopes: thirdParty, effects: thirdPartyGrant, inGit: no},
	"DeleteOtelIntegrationEvent": {kind: "otel_integration_deleted", scopes: thirdParty, effects: deletion, inGit: no},
	"GrantOAuthAccessEvent":      {kind: "oauth_access_granted", scopes: securityThird, effects: thirdPartyGrant, inGit: no},
	"RevokeOAuthAccessEvent":     {kind: "oauth_access_revoked", scopes: securityThird, inGit: no},

	// Members and roles. The invitation is the decision; accepting only completes it.
	"InviteToTeamEvent":         {form: access, kind: "role_grant", operation: "add"},
	"AcceptTeamInviteEvent":     {form: access, kind: "role_grant", operation: "add", causedBy: "InviteToTeamEvent"},
	"RemoveUserFromTeamEvent":   {form: access, kind: "role_revoke", operation: "remove"},
	"ChangeTeamMemberRoleEvent": {form: access, kind: "role_grant", operation: "change"},
	"InviteToOrgEvent":          {form: access, kind: "role_grant", operation: "add"},
	"AcceptOrgInviteEvent":      {form: access, kind: "role_grant", operation: "add", causedBy: "InviteToOrgEvent"},
	"AddOrgMemberEvent":         {form: access, kind: "role_grant", operation: "add"},
	"RemoveOrgMemberEvent":      {form: access, kind: "role_revoke", operation: "remove"},
	"JoinTeamEvent":             {form: access, kind: "role_grant", operation: "add"},
	"ChangeOrgRoleEvent":        {form: access, kind: "role_grant", operation: "change"},

	// How everybody signs in
	"ChangeTeam2FAEnforcementEvent": {form: access, kind: "policy_change", operation: "change", permission: "two-factor enforcement", privileged: signInPolicy},
	"ChangeOrg2FAEnforcementEvent":  {form: access, kind: "policy_change", operation: "change", permission: "two-factor enforcement", privileged: signInPolicy},
	"ChangeTeamAllowedLoginMethodsEvent": {form: access, kind: "policy_change", operation: "change", permission: "allowed login methods",
		privileged: signInPolicy},
	"ChangeOrgAllowedLoginMethodsEvent": {form: access, kind: "policy_change", operation: "change", permission: "allowed login methods",
		privileged: signInPolicy},
	"ChangeWorkspacePrivacyEvent":    {form: access, kind: "policy_change", operation: "change", permission: "who may join the workspace"},
	"CreateSSOConnectionEvent":       {form: access, kind: "trust_change", operation: "add", permission: "SSO connection", privileged: signInPolicy},
	"UpdateSSOConnectionEvent":       {form: access, kind: "trust_change", operation: "change", permission: "SSO connection", privileged: signInPolicy},
	"DeleteSSOConnectionEvent":       {form: access, kind: "trust_change", operation: "remove", permission: "SSO connection", privileged: signInPolicy},
	"CreateOrgDomainEvent":           {form: access, kind: "trust_change", operation: "add", permission: "organization domain"},
	"VerifyOrgDomainEvent":           {form: access, kind: "trust_change", operation: "add", permission: "organization domain", privileged: signInPolicy},
	"DeleteOrgDomainEvent":           {form: access, kind: "trust_change", operation: "remove", permission: "organization domain", privileged: signInPolicy},
	"ProvisionOrganizationSCIMToken": {form: access, kind: "credential_create", operation: "add", permission: "SCIM token", privileged: "creates and removes members"},
	"RevokeOrganizationSCIMToken":    {form: access, kind: "credential_revoke", operation: "remove", permission: "SCIM token", privileged: "creates and removes members"},

	// Privileged use: nothing changes, but somebody has seen secrets or data
	"ViewEnvVarValuesEvent":       {form: access, kind: "secret_view", permission: "environment variable values", privileged: "reads secrets in plain text"},
	"ViewConnectionInfoEvent":     {form: access, kind: "secret_view", permission: "datastore connection info", privileged: "reads a datastore password"},
	"DownloadDatabaseBackupEvent": {form: access, kind: "secret_view", permission: "database backup", privileged: "takes all data out"},

	"LoginEvent":            {form: ignored, why: "a sign-in changes nothing"},
	"LogoutEvent":           {form: ignored, why: "a sign-out changes nothing"},
	"DocumentDownloadEvent": {form: ignored, why: "paperwork"},
	"SignNDAEvent":          {form: ignored, why: "paperwork"},
}

const signInPolicy = "decides how every member signs in"

// serviceEvents: the events of services and datastores, as listed, fetched or
// announced by a webhook.
var serviceEvents = map[string]meaning{
	"deploy_started": {form: started},
	"deploy_ended":   {form: ended},

	// Steps inside a deploy
	"build_started":               {form: ignored, why: "a step of the deploy"},
	"build_ended":                 {form: ignored, why: "a step of the deploy"},
	"pre_deploy_started":          {form: ignored, why: "a step of the deploy"},
	"pre_deploy_ended":            {form: ignored, why: "a step of the deploy"},
	"initial_deploy_hook_started": {form: ignored, why: "a step of a preview's first deploy"},
	"initial_deploy_hook_ended":   {form: ignored, why: "a step of a preview's first deploy"},
	"image_pull_failed":           {form: ignored, why: "nothing went live"},
	"artifact_fetch_failed":       {form: ignored, why: "nothing went live"},
	"commit_ignored":              {form: ignored, why: "nothing was deployed"},
	"pipeline_minutes_exhausted":  {form: ignored, why: "nothing was deployed"},

	// What is deployed, and when
	"auto_deploy_enabled": {kind: "auto_deploy", scopes: infrastructure, effects: []string{"auto_deploy"}, inGit: yes,
		setting: "auto_deploy_trigger", to: "newTrigger"},
	"auto_deploy_disabled": {kind: "auto_deploy", scopes: infrastructure, effects: []string{"auto_deploy"}, inGit: yes,
		setting: "auto_deploy_trigger", from: "fromTrigger"}, // side effect of a rollback or manual deploy: see sideEffect
	"branch_deleted":          {kind: "branch", scopes: infrastructure, inGit: yes, setting: "branch", from: "deletedBranch", to: "newBranch"},
	"artifact_source_changed": {kind: "artifact_source_changed", scopes: infrastructure, from: "fromArtifactSourceId", to: "toArtifactSourceId"},

	// Size and reach
	"plan_changed":                 {kind: "plan", scopes: infrastructure, effects: []string{"plan"}, inGit: yes, setting: "plan", from: "from", to: "to"},
	"instance_count_changed":       {kind: "instance_count", scopes: infrastructure, effects: []string{"scaling"}, inGit: yes, setting: "instance_count", from: "fromInstances", to: "toInstances"},
	"autoscaling_config_changed":   {kind: "autoscaling", scopes: infrastructure, effects: []string{"scaling"}, inGit: yes, setting: "autoscaling", from: "fromConfig", to: "toConfig"},
	"autoscaling_started":          {form: ignored, why: "the platform scales within the configured bounds"},
	"autoscaling_ended":            {form: ignored, why: "the platform scales within the configured bounds"},
	"disk_created":                 {kind: "disk_created", scopes: infrastructure, effects: []string{"disk"}, inGit: yes, to: "sizeGB"},
	"disk_updated":                 {kind: "disk_updated", scopes: infrastructure, effects: []string{"disk"}, inGit: yes, from: "fromSizeGB", to: "toSizeGB"},
	"disk_deleted":                 {kind: "disk_deleted", scopes: infrastructure, effects: dataLoss, inGit: no},
	"edge_cache_enabled":           {kind: "edge_cache_enabled", scopes: infrastructure},
	"edge_cache_disabled":          {kind: "edge_cache_disabled", scopes: infrastructure},
	"edge_cache_purged":            {form: ignored, why: "configuration stays as it is"},
	"maintenance_mode_enabled":     {kind: "maintenance_mode", scopes: infrastructure, to: "enabled"}, // also sent when it is switched off
	"maintenance_mode_uri_updated": {kind: "maintenance_page", scopes: infrastructure},

	// On and off
	"suspender_added":   {kind: "suspension", scopes: infrastructure, effects: suspension, inGit: no},
	"suspender_removed": {kind: "resumption", scopes: infrastructure, inGit: no},
	"service_suspended": {kind: "suspension", scopes: infrastructure, effects: suspension, inGit: no},
	"service_resumed":   {kind: "resumption", scopes: infrastructure, inGit: no},
	"server_restarted":  {form: ignored, why: "same build, same configuration"},

	// Health and Render's own work
	"server_failed":                      {form: ignored, why: "health, no change"},
	"server_available":                   {form: ignored, why: "health, no change"},
	"server_hardware_failure":            {form: ignored, why: "health, no change"},
	"maintenance_started":                {form: ignored, why: "Render's own maintenance"},
	"maintenance_ended":                  {form: ignored, why: "Render's own maintenance"},
	"zero_downtime_redeploy_started":     {form: ignored, why: "Render moves the same build"},
	"zero_downtime_redeploy_ended":       {form: ignored, why: "Render moves the same build"},
	"cron_job_run_started":               {form: ignored, why: "a run, no change"},
	"cron_job_run_ended":                 {form: ignored, why: "a run, no change"},
	"job_run_ended":                      {form: ignored, why: "the job itself is in the list of jobs"},
	"key_value_available":                {form: ignored, why: "health, no change"},
	"key_value_unhealthy":                {form: ignored, why: "health, no change"},
	"postgres_available":                 {form: ignored, why: "health, no change"},
	"postgres_unavailable":               {form: ignored, why: "health, no change"},
	"postgres_backup_started":            {form: ignored, why: "routine backup"},
	"postgres_backup_completed":          {form: ignored, why: "routine backup"},
	"postgres_backup_failed":             {form: ignored, why: "routine backup"},
	"postgres_pitr_checkpoint_started":   {form: ignored, why: "routine backup"},
	"postgres_pitr_checkpoint_completed": {form: ignored, why: "routine backup"},
	"postgres_pitr_checkpoint_failed":    {form: ignored, why: "routine backup"},
	"postgres_wal_archive_failed":        {form: ignored, why: "routine backup"},
	"postgres_read_replica_stale":        {form: ignored, why: "health, no change"},
	"postgres_cluster_leader_changed":    {form: ignored, why: "failover by the platform"},
	"postgres_restarted":                 {form: ignored, why: "same configuration"},

	// Datastores
	"postgres_created":                          {kind: "datastore_created", scopes: infrastructure, effects: []string{"database"}, inGit: yes},
	"postgres_disk_size_changed":                {kind: "datastore_disk", scopes: infrastructure, effects: []string{"database"}, inGit: yes, setting: "disk_size", from: "fromDiskSize", to: "toDiskSize"},
	"postgres_disk_autoscaling_enabled_changed": {kind: "datastore_disk", scopes: infrastructure, effects: []string{"database"}, inGit: yes},
	"postgres_ha_status_changed": {kind: "high_availability", scopes: infrastructure, effects: []string{"database"}, inGit: yes,
		setting: "high_availability", from: "fromStatus", to: "toStatus"}, // ha_off: see refine
	"postgres_read_replicas_changed":           {kind: "read_replicas", scopes: infrastructure, effects: []string{"database"}, inGit: yes},
	"postgres_connection_pool_changed":         {kind: "connection_pool", scopes: infrastructure, effects: []string{"database"}, from: "from", to: "to"},
	"postgres_connection_pool_enabled_changed": {kind: "connection_pool", scopes: infrastructure, effects: []string{"database"}, to: "enabled"},
	"postgres_upgrade_started": {kind: "datastore_version", scopes: infrastructure, effects: []string{"database"},
		setting: "postgres_version", from: "fromVersion", to: "toVersion"},
	"postgres_upgrade_succeeded":   {form: ignored, why: "the end of postgres_upgrade_started"},
	"postgres_upgrade_failed":      {form: ignored, why: "the end of postgres_upgrade_started"},
	"postgres_restore_succeeded":   {kind: "datastore_restore", scopes: infrastructure, effects: []string{"database", "restore"}, inGit: no},
	"postgres_restore_failed":      {form: ignored, why: "nothing was restored"},
	"postgres_credentials_created": {kind: "datastore_credential_created", scopes: securityInfra, effects: []string{"iam", "secret_rotation"}, inGit: no},
	"postgres_credentials_deleted": {kind: "datastore_credential_deleted", scopes: securityInfra, effects: []string{"iam", "secret_rotation"}, inGit: no},
	"key_value_config_restart":     {kind: "datastore_config", scopes: infrastructure, effects: []string{"database"}, inGit: yes},
}
