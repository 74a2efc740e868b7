package iam

import "regexp"

// awsRule reads one CloudTrail event name. target and permission are paths in
// requestParameters, or in the whole record when they start with a slash;
// several are tried in order. kind "" means that a function of its own reads it.
type awsRule struct {
	kind       string
	operation  string
	targetKind string
	target     string
	permission string
}

const (
	opAdd    = "add"
	opRemove = "remove"
	opChange = "change"
)

// awsRules maps eventSource (without .amazonaws.com) and eventName, API
// versions stripped, to what they change. Names collide across services, so
// both count. Names: service models of aws-sdk-go-v2; kinds: the access
// vocabulary. An inline policy put on a role is policy_change: it changes what
// everybody who takes that role may do. Creating or deleting a virtual MFA device
// is not listed: alone it protects nobody and takes nothing that was in use.
var awsRules = map[string]awsRule{
	"iam:AttachUserPolicy":  {"role_grant", opAdd, "user", "userName", "policyArn"},
	"iam:AttachRolePolicy":  {"role_grant", opAdd, "role", "roleName", "policyArn"},
	"iam:AttachGroupPolicy": {"role_grant", opAdd, "group", "groupName", "policyArn"},
	"iam:PutUserPolicy":     {"role_grant", opAdd, "user", "userName", "policyName"},
	"iam:PutGroupPolicy":    {"role_grant", opAdd, "group", "groupName", "policyName"},
	"iam:PutRolePolicy":     {"policy_change", opChange, "role", "roleName", "policyName"},
	"iam:DetachUserPolicy":  {"role_revoke", opRemove, "user", "userName", "policyArn"},
	"iam:DetachRolePolicy":  {"role_revoke", opRemove, "role", "roleName", "policyArn"},
	"iam:DetachGroupPolicy": {"role_revoke", opRemove, "group", "groupName", "policyArn"},
	"iam:DeleteUserPolicy":  {"role_revoke", opRemove, "user", "userName", "policyName"},
	"iam:DeleteRolePolicy":  {"role_revoke", opRemove, "role", "roleName", "policyName"},
	"iam:DeleteGroupPolicy": {"role_revoke", opRemove, "group", "groupName", "policyName"},

	"iam:AddUserToGroup":      {"group_membership_add", opAdd, "user", "userName", "groupName"},
	"iam:RemoveUserFromGroup": {"group_membership_remove", opRemove, "user", "userName", "groupName"},

	"iam:CreatePolicy":                  {"policy_change", opAdd, "policy", "/responseElements.policy.arn policyName", "policyName"},
	"iam:CreatePolicyVersion":           {"policy_change", opChange, "policy", "policyArn", "policyArn"},
	"iam:SetDefaultPolicyVersion":       {"policy_change", opChange, "policy", "policyArn", "versionId"},
	"iam:DeletePolicyVersion":           {"policy_change", opChange, "policy", "policyArn", "versionId"},
	"iam:DeletePolicy":                  {"policy_change", opRemove, "policy", "policyArn", "policyArn"},
	"iam:PutUserPermissionsBoundary":    {"policy_change", opAdd, "user", "userName", "permissionsBoundary"},
	"iam:PutRolePermissionsBoundary":    {"policy_change", opAdd, "role", "roleName", "permissionsBoundary"},
	"iam:DeleteUserPermissionsBoundary": {"policy_change", opRemove, "user", "userName", ""},
	"iam:DeleteRolePermissionsBoundary": {"policy_change", opRemove, "role", "roleName", ""},

	"iam:UpdateAssumeRolePolicy":                  {"trust_change", opChange, "role", "roleName", ""},
	"iam:CreateSAMLProvider":                      {"trust_change", opAdd, "identity_provider", "/responseElements.sAMLProviderArn name", ""},
	"iam:UpdateSAMLProvider":                      {"trust_change", opChange, "identity_provider", "sAMLProviderArn", ""},
	"iam:DeleteSAMLProvider":                      {"trust_change", opRemove, "identity_provider", "sAMLProviderArn", ""},
	"iam:CreateOpenIDConnectProvider":             {"trust_change", opAdd, "identity_provider", "/responseElements.openIDConnectProviderArn url", ""},
	"iam:UpdateOpenIDConnectProviderThumbprint":   {"trust_change", opChange, "identity_provider", "openIDConnectProviderArn", ""},
	"iam:AddClientIDToOpenIDConnectProvider":      {"trust_change", opAdd, "identity_provider", "openIDConnectProviderArn", "clientID"},
	"iam:RemoveClientIDFromOpenIDConnectProvider": {"trust_change", opRemove, "identity_provider", "openIDConnectProviderArn", "clientID"},
	"iam:DeleteOpenIDConnectProvider":             {"trust_change", opRemove, "identity_provider", "openIDConnectProviderArn", ""},

	"iam:AddRoleToInstanceProfile":             {"role_grant", opAdd, "instance_profile", "instanceProfileName", "roleName"},
	"iam:RemoveRoleFromInstanceProfile":        {"role_revoke", opRemove, "instance_profile", "instanceProfileName", "roleName"},
	"ec2:AssociateIamInstanceProfile":          {"role_grant", opAdd, "instance", "AssociateIamInstanceProfileRequest.InstanceId", "AssociateIamInstanceProfileRequest.IamInstanceProfile.Name AssociateIamInstanceProfileRequest.IamInstanceProfile.Arn"},
	"ec2:ReplaceIamInstanceProfileAssociation": {"role_grant", opChange, "instance", "ReplaceIamInstanceProfileAssociationRequest.AssociationId", "ReplaceIamInstanceProfileAssociationRequest.IamInstanceProfile.Name ReplaceIamInstanceProfileAssociationRequest.IamInstanceProfile.Arn"},
	"ec2:DisassociateIamInstanceProfile":       {"role_revoke", opRemove, "instance", "DisassociateIamInstanceProfileRequest.AssociationId", ""},

	"iam:CreateUser":              {"account_create", opAdd, "user", "userName", ""},
	"iam:DeleteUser":              {"account_delete", opRemove, "user", "userName", ""},
	"iam:UpdateUser":              {"account_update", opChange, "user", "userName", "newUserName"},
	"iam:CreateRole":              {"role_create", opAdd, "role", "roleName", ""},
	"iam:DeleteRole":              {"role_delete", opRemove, "role", "roleName", ""},
	"iam:UpdateRole":              {"policy_change", opChange, "role", "roleName", ""},
	"iam:CreateServiceLinkedRole": {"role_create", opAdd, "role", "/responseElements.role.roleName aWSServiceName", ""},
	"iam:CreateGroup":             {"group_create", opAdd, "group", "groupName", ""},
	"iam:DeleteGroup":             {"group_delete", opRemove, "group", "groupName", ""},

	"iam:CreateAccessKey":                 {"credential_create", opAdd, "user", "userName", "/responseElements.accessKey.accessKeyId"},
	"iam:CreateLoginProfile":              {"credential_create", opAdd, "user", "userName", "=console password"},
	"iam:UpdateLoginProfile":              {"credential_create", opChange, "user", "userName", "=console password"},
	"iam:UploadSSHPublicKey":              {"credential_create", opAdd, "user", "userName", "/responseElements.sSHPublicKey.sSHPublicKeyId"},
	"iam:UploadSigningCertificate":        {"credential_create", opAdd, "user", "userName", "/responseElements.certificate.certificateId"},
	"iam:CreateServiceSpecificCredential": {"credential_create", opAdd, "user", "userName", "serviceName"},
	"iam:ResetServiceSpecificCredential":  {"credential_create", opChange, "user", "userName", "serviceSpecificCredentialId"},
	"iam:DeleteAccessKey":                 {"credential_revoke", opRemove, "user", "userName", "accessKeyId"},
	"iam:UpdateAccessKey":                 {"credential_revoke", opRemove, "user", "userName", "accessKeyId"},
	"iam:DeleteLoginProfile":              {"credential_revoke", opRemove, "user", "userName", "=console password"},
	"iam:DeleteSSHPublicKey":              {"credential_revoke", opRemove, "user", "userName", "sSHPublicKeyId"},
	"iam:DeleteSigningCertificate":        {"credential_revoke", opRemove, "user", "userName", "certificateId"},
	"iam:DeleteServiceSpecificCredential": {"credential_revoke", opRemove, "user", "userName", "serviceSpecificCredentialId"},
	"iam:UpdateServiceSpecificCredential": {"credential_revoke", opChange, "user", "userName", "serviceSpecificCredentialId"},
	"iam:ChangePassword":                  {"credential_change", opChange, "user", "userName", "=console password"},

	"iam:EnableMFADevice":     {"mfa_enable", opAdd, "user", "userName", "serialNumber"},
	"iam:DeactivateMFADevice": {"mfa_disable", opRemove, "user", "userName", "serialNumber"},
	"iam:ResyncMFADevice":     {"credential_change", opChange, "user", "userName", "serialNumber"},

	"iam:UpdateAccountPasswordPolicy":                   {"policy_change", opChange, "account", "/recipientAccountId", "=password policy"},
	"iam:DeleteAccountPasswordPolicy":                   {"policy_change", opRemove, "account", "/recipientAccountId", "=password policy"},
	"iam:EnableOrganizationsRootSessions":               {"policy_change", opAdd, "account", "/recipientAccountId", "=root sessions"},
	"iam:DisableOrganizationsRootSessions":              {"policy_change", opRemove, "account", "/recipientAccountId", "=root sessions"},
	"iam:EnableOrganizationsRootCredentialsManagement":  {"policy_change", opAdd, "account", "/recipientAccountId", "=root credentials management"},
	"iam:DisableOrganizationsRootCredentialsManagement": {"policy_change", opRemove, "account", "/recipientAccountId", "=root credentials management"},
	"iam:UploadServerCertificate":                       {"certificate_add", opAdd, "certificate", "serverCertificateName", ""},
	"iam:DeleteServerCertificate":                       {"certificate_remove", opRemove, "certificate", "serverCertificateName", ""},
	"iam:UpdateServerCertificate":                       {"certificate_add", opChange, "certificate", "serverCertificateName", ""},

	"sts:AssumeRole":                {targetKind: "role"},
	"sts:AssumeRoleWithSAML":        {targetKind: "role"},
	"sts:AssumeRoleWithWebIdentity": {targetKind: "role"},
	"sts:AssumeRoot":                {targetKind: "account"},
	"sts:GetFederationToken":        {targetKind: "federated_user"},
	"sts:GetSessionToken":           {targetKind: "user"},

	"signin:ConsoleLogin":              {kind: "sign_in", targetKind: "account"},
	"signin:CheckMfa":                  {kind: "sign_in", targetKind: "account"},
	"signin:SwitchRole":                {kind: "role_assumption", targetKind: "account"},
	"signin:UserAuthentication":        {kind: "sign_in", targetKind: "account"},
	"signin:CredentialVerification":    {kind: "sign_in", targetKind: "account"},
	"signin:ExternalIdPDirectoryLogin": {kind: "sign_in", targetKind: "account"},
	"signin:PasswordUpdated":           {"credential_change", opChange, "account", "", "=console password"},
	"signin:PasswordRecoveryRequested": {"credential_change", opChange, "account", "", "=console password"},
	"signin:PasswordRecoveryCompleted": {"credential_change", opChange, "account", "", "=console password"},
	"sso:GetRoleCredentials":           {kind: "role_assumption", targetKind: "permission_set"},
	"sso:Federate":                     {kind: "role_assumption", targetKind: "permission_set"},

	"sso:CreateAccountAssignment":                               {"role_grant", opAdd, "", "principalId", "permissionSetArn"},
	"sso:DeleteAccountAssignment":                               {"role_revoke", opRemove, "", "principalId", "permissionSetArn"},
	"sso:CreateApplicationAssignment":                           {"app_assignment_add", opAdd, "", "principalId", "applicationArn"},
	"sso:DeleteApplicationAssignment":                           {"app_assignment_remove", opRemove, "", "principalId", "applicationArn"},
	"sso:CreatePermissionSet":                                   {"role_create", opAdd, "permission_set", "/responseElements.permissionSet.permissionSetArn name", ""},
	"sso:UpdatePermissionSet":                                   {"policy_change", opChange, "permission_set", "permissionSetArn", ""},
	"sso:DeletePermissionSet":                                   {"role_delete", opRemove, "permission_set", "permissionSetArn", ""},
	"sso:AttachManagedPolicyToPermissionSet":                    {"policy_change", opAdd, "permission_set", "permissionSetArn", "managedPolicyArn"},
	"sso:DetachManagedPolicyFromPermissionSet":                  {"policy_change", opRemove, "permission_set", "permissionSetArn", "managedPolicyArn"},
	"sso:AttachCustomerManagedPolicyReferenceToPermissionSet":   {"policy_change", opAdd, "permission_set", "permissionSetArn", "customerManagedPolicyReference.name"},
	"sso:DetachCustomerManagedPolicyReferenceFromPermissionSet": {"policy_change", opRemove, "permission_set", "permissionSetArn", "customerManagedPolicyReference.name"},
	"sso:PutInlinePolicyToPermissionSet":                        {"policy_change", opChange, "permission_set", "permissionSetArn", "=inline policy"},
	"sso:DeleteInlinePolicyFromPermissionSet":                   {"policy_change", opRemove, "permission_set", "permissionSetArn", "=inline policy"},
	"sso:PutPermissionsBoundaryToPermissionSet":                 {"policy_change", opAdd, "permission_set", "permissionSetArn", "=permissions boundary"},
	"sso:DeletePermissionsBoundaryFromPermissionSet":            {"policy_change", opRemove, "permission_set", "permissionSetArn", "=permissions boundary"},
	"sso:ProvisionPermissionSet":                                {"policy_change", opChange, "permission_set", "permissionSetArn", "=provisioned"},
	"sso:AssociateDirectory":                                    {"trust_change", opAdd, "directory", "directoryId", ""},
	"sso:DisassociateDirectory":                                 {"trust_change", opRemove, "directory", "directoryId", ""},
	"sso:EnableExternalIdPConfigurationForDirectory":            {"trust_change", opAdd, "directory", "directoryId", ""},
	"sso:DisableExternalIdPConfigurationForDirectory":           {"trust_change", opRemove, "directory", "directoryId", ""},
	"sso-directory:EnableExternalIdPConfigurationForDirectory":  {"trust_change", opAdd, "directory", "directoryId", ""},
	"sso-directory:DisableExternalIdPConfigurationForDirectory": {"trust_change", opRemove, "directory", "directoryId", ""},

	"identitystore:CreateGroupMembership": {"group_membership_add", opAdd, "user", "memberId.userId", "groupId"},
	"identitystore:DeleteGroupMembership": {"group_membership_remove", opRemove, "membership", "membershipId", "groupId"},
	"identitystore:CreateUser":            {"account_create", opAdd, "user", "/responseElements.userId userName", ""},
	"identitystore:UpdateUser":            {"account_update", opChange, "user", "userId", ""},
	"identitystore:DeleteUser":            {"account_delete", opRemove, "user", "userId", ""},
	"identitystore:CreateGroup":           {"group_create", opAdd, "group", "/responseElements.groupId displayName", ""},
	"identitystore:DeleteGroup":           {"group_delete", opRemove, "group", "groupId", ""},
	"sso-directory:AddMemberToGroup":      {"group_membership_add", opAdd, "user", "member.memberId", "groupId"},
	"sso-directory:RemoveMemberFromGroup": {"group_membership_remove", opRemove, "user", "member.memberId", "groupId"},
	"sso-directory:CreateUser":            {"account_create", opAdd, "user", "/responseElements.user.userId userName", ""},
	"sso-directory:UpdateUser":            {"account_update", opChange, "user", "userId", ""},
	"sso-directory:DeleteUser":            {"account_delete", opRemove, "user", "userId", ""},
	"sso-directory:DisableUser":           {"account_disable", opRemove, "user", "userId", ""},
	"sso-directory:CreateGroup":           {"group_create", opAdd, "group", "/responseElements.group.groupId", ""},
	"sso-directory:DeleteGroup":           {"group_delete", opRemove, "group", "groupId", ""},

	"organizations:AttachPolicy":                   {"policy_change", opAdd, "organization", "targetId", "policyId"},
	"organizations:DetachPolicy":                   {"policy_change", opRemove, "organization", "targetId", "policyId"},
	"organizations:UpdatePolicy":                   {"policy_change", opChange, "organization", "policyId", "policyId"},
	"organizations:CreatePolicy":                   {"policy_change", opAdd, "organization", "name", "name"},
	"organizations:DeletePolicy":                   {"policy_change", opRemove, "organization", "policyId", "policyId"},
	"organizations:DisablePolicyType":              {"policy_change", opRemove, "organization", "rootId", "policyType"},
	"organizations:PutResourcePolicy":              {"policy_change", opChange, "organization", "", "=resource policy"},
	"organizations:LeaveOrganization":              {"trust_change", opRemove, "organization", "/recipientAccountId", ""},
	"organizations:InviteAccountToOrganization":    {"trust_change", opAdd, "organization", "target.id", ""},
	"organizations:RegisterDelegatedAdministrator": {"role_grant", opAdd, "account", "accountId", "servicePrincipal"},

	"ec2:AuthorizeSecurityGroupIngress": {"network_rule_add", opAdd, "security_group", "groupId groupName", ""},
	"ec2:AuthorizeSecurityGroupEgress":  {"network_rule_add", opAdd, "security_group", "groupId groupName", ""},
	"ec2:RevokeSecurityGroupIngress":    {"network_rule_remove", opRemove, "security_group", "groupId groupName", ""},
	"ec2:RevokeSecurityGroupEgress":     {"network_rule_remove", opRemove, "security_group", "groupId groupName", ""},
	"ec2:ModifySecurityGroupRules":      {"network_rule_change", opChange, "security_group", "ModifySecurityGroupRulesRequest.GroupId", ""},
	"ec2:CreateSecurityGroup":           {"network_rule_change", opAdd, "security_group", "/responseElements.groupId groupName", ""},
	"ec2:DeleteSecurityGroup":           {"network_rule_remove", opRemove, "security_group", "groupId groupName", ""},
	"ec2:CreateNetworkAclEntry":         {"network_rule_add", opAdd, "network_acl", "networkAclId", ""},
	"ec2:ReplaceNetworkAclEntry":        {"network_rule_change", opChange, "network_acl", "networkAclId", ""},
	"ec2:DeleteNetworkAclEntry":         {"network_rule_remove", opRemove, "network_acl", "networkAclId", ""},
	"ec2:ReplaceNetworkAclAssociation":  {"network_rule_change", opChange, "network_acl", "networkAclId", "associationId"},
	"ec2:CreateRoute":                   {"network_rule_add", opAdd, "route_table", "routeTableId", "destinationCidrBlock destinationIpv6CidrBlock"},
	"ec2:ReplaceRoute":                  {"network_rule_change", opChange, "route_table", "routeTableId", "destinationCidrBlock destinationIpv6CidrBlock"},
	"ec2:DeleteRoute":                   {"network_rule_remove", opRemove, "route_table", "routeTableId", "destinationCidrBlock destinationIpv6CidrBlock"},
	"ec2:AttachInternetGateway":         {"network_rule_add", opAdd, "vpc", "vpcId", "internetGatewayId"},
	"ec2:DetachInternetGateway":         {"network_rule_remove", opRemove, "vpc", "vpcId", "internetGatewayId"},
	"ec2:ModifyInstanceAttribute":       {"network_rule_change", opChange, "instance", "instanceId", "groupSet.items"},
	"ec2:DeleteFlowLogs":                {"audit_log_change", opRemove, "flow_log", "DeleteFlowLogsRequest.FlowLogId.content DeleteFlowLogsRequest.FlowLogId", ""},
	"ec2:ModifySnapshotAttribute":       {"policy_change", opChange, "snapshot", "snapshotId", ""},
	"ec2:ModifyImageAttribute":          {"policy_change", opChange, "image", "imageId", ""},
	"rds:ModifyDBSnapshotAttribute":     {"policy_change", opChange, "snapshot", "dBSnapshotIdentifier", ""},

	"acm:RequestCertificate":       {"certificate_add", opAdd, "certificate", "/responseElements.certificateArn domainName", "domainName"},
	"acm:ImportCertificate":        {"certificate_add", opAdd, "certificate", "/responseElements.certificateArn certificateArn", ""},
	"acm:RenewCertificate":         {"certificate_add", opChange, "certificate", "certificateArn", ""},
	"acm:DeleteCertificate":        {"certificate_remove", opRemove, "certificate", "certificateArn", ""},
	"acm:RevokeCertificate":        {"certificate_remove", opRemove, "certificate", "certificateArn", ""},
	"acm:UpdateCertificateOptions": {"tls_policy_change", opChange, "certificate", "certificateArn", ""},

	"elasticloadbalancing:ModifyListener":                    {"tls_policy_change", opChange, "load_balancer_listener", "listenerArn", "sslPolicy protocol"},
	"elasticloadbalancing:AddListenerCertificates":           {"certificate_add", opAdd, "load_balancer_listener", "listenerArn", ""},
	"elasticloadbalancing:RemoveListenerCertificates":        {"certificate_remove", opRemove, "load_balancer_listener", "listenerArn", ""},
	"elasticloadbalancing:SetLoadBalancerPoliciesOfListener": {"tls_policy_change", opChange, "load_balancer", "loadBalancerName", "policyNames"},
	"elasticloadbalancing:SetSecurityGroups":                 {"network_rule_change", opChange, "load_balancer", "loadBalancerArn", "securityGroups"},
	"cloudfront:UpdateDistribution":                          {"tls_policy_change", opChange, "distribution", "id", "distributionConfig.viewerCertificate.minimumProtocolVersion"},

	"s3:PutBucketPolicy":                  {"policy_change", opChange, "bucket", "bucketName", "=bucket policy"},
	"s3:DeleteBucketPolicy":               {"policy_change", opRemove, "bucket", "bucketName", "=bucket policy"},
	"s3:PutBucketAcl":                     {"policy_change", opChange, "bucket", "bucketName", "x-amz-acl"},
	"s3:PutBucketPublicAccessBlock":       {"policy_change", opAdd, "bucket", "bucketName", "=public access block"},
	"s3:DeleteBucketPublicAccessBlock":    {"policy_change", opRemove, "bucket", "bucketName", "=public access block"},
	"s3:PutAccountPublicAccessBlock":      {"policy_change", opAdd, "account", "/recipientAccountId", "=public access block"},
	"s3:DeleteAccountPublicAccessBlock":   {"policy_change", opRemove, "account", "/recipientAccountId", "=public access block"},
	"kms:PutKeyPolicy":                    {"policy_change", opChange, "key", "keyId", "=key policy"},
	"kms:CreateGrant":                     {"role_grant", opAdd, "key", "keyId", "granteePrincipal"},
	"kms:RevokeGrant":                     {"role_revoke", opRemove, "key", "keyId", "grantId"},
	"kms:DisableKey":                      {"key_change", opRemove, "key", "keyId", ""},
	"kms:EnableKey":                       {"key_change", opAdd, "key", "keyId", ""},
	"kms:ScheduleKeyDeletion":             {"key_change", opRemove, "key", "keyId", ""},
	"kms:CancelKeyDeletion":               {"key_change", opAdd, "key", "keyId", ""},
	"lambda:AddPermission":                {"policy_change", opAdd, "function", "functionName", "principal"},
	"lambda:RemovePermission":             {"policy_change", opRemove, "function", "functionName", "statementId"},
	"secretsmanager:GetSecretValue":       {"secret_view", "", "secret", "secretId", ""},
	"secretsmanager:PutResourcePolicy":    {"policy_change", opChange, "secret", "secretId", "=resource policy"},
	"secretsmanager:DeleteResourcePolicy": {"policy_change", opRemove, "secret", "secretId", "=resource policy"},
	"ssm:StartSession":                    {"break_glass_use", "", "instance", "target", "=shell"},
	"ssm:SendCommand":                     {"break_glass_use", "", "instance", "instanceIds", "documentName"},

	"cloudtrail:StopLogging":           {"audit_log_change", opRemove, "trail", "name", "=logging"},
	"cloudtrail:StartLogging":          {"audit_log_change", opAdd, "trail", "name", "=logging"},
	"cloudtrail:CreateTrail":           {"audit_log_change", opAdd, "trail", "name", "=trail"},
	"cloudtrail:UpdateTrail":           {"audit_log_change", opChange, "trail", "name", "=trail"},
	"cloudtrail:DeleteTrail":           {"audit_log_change", opRemove, "trail", "name", "=trail"},
	"cloudtrail:PutEventSelectors":     {"audit_log_change", opChange, "trail", "trailName", "=event selectors"},
	"cloudtrail:DeleteEventDataStore":  {"audit_log_change", opRemove, "trail", "eventDataStore", "=event data store"},
	"guardduty:DeleteDetector":         {"audit_log_change", opRemove, "detector", "detectorId", ""},
	"config:StopConfigurationRecorder": {"audit_log_change", opRemove, "recorder", "configurationRecorderName", ""},
	"securityhub:DisableSecurityHub":   {"audit_log_change", opRemove, "security_hub", "/recipientAccountId", ""},
	"rolesanywhere:CreateTrustAnchor":  {"trust_change", opAdd, "trust_anchor", "name", ""},
	"rolesanywhere:CreateProfile":      {"trust_change", opAdd, "trust_profile", "name", "roleArns"},
}

// apiVersion is the suffix that some services put behind a name:
// AddPermission20150331v2.
var apiVersion = regexp.MustCompile(`\d{8}(v\d+)?$`)

// breakGlass recognises emergency roles and permission sets by name.
var breakGlass = regexp.MustCompile(`(?i)break[-_. ]?glass|emergency|firefighter`)

// privilegedPolicies are the AWS managed policies that give an account away. A
// similar name proves nothing: other policies are judged by their document.
var privilegedPolicies = map[string]bool{
	"arn:aws:iam::aws:policy/AdministratorAccess":        true,
	"arn:aws:iam::aws:policy/IAMFullAccess":              true,
	"arn:aws:iam::aws:policy/PowerUserAccess":            true,
	"arn:aws:iam::aws:policy/AWSOrganizationsFullAccess": true,
}

// escalations are the actions that give their holder more rights than they say.
var escalations = []string{
	"iam:PassRole", "iam:CreatePolicyVersion", "iam:SetDefaultPolicyVersion",
	"iam:AttachUserPolicy", "iam:AttachRolePolicy", "iam:AttachGroupPolicy",
	"iam:PutUserPolicy", "iam:PutRolePolicy", "iam:PutGroupPolicy",
	"iam:AddUserToGroup", "iam:UpdateAssumeRolePolicy", "iam:CreateAccessKey",
	"iam:CreateLoginProfile", "iam:UpdateLoginProfile", "lambda:UpdateFunctionCode",
}
