package iam

import (
	"cmp"
	"errors"
	"fmt"
	"regexp"
	"strings"

	"github.com/changevouch/changevouch/engine"
)

// awsLookup maps one item of a LookupEvents answer: the record is a JSON string
// inside, the fields around it are a lossy copy.
func (b *builder) awsLookup(item node) {
	text := item.str("CloudTrailEvent")
	if text == "" {
		b.fault(b.where+"/CloudTrailEvent", errors.New("absent: ask LookupEvents for the full event"))
		return
	}
	rec, err := parse([]byte(text))
	if err != nil {
		b.fault(b.where+"/CloudTrailEvent", fmt.Errorf("not JSON: %w", err))
		return
	}
	b.awsRecord(rec)
}

// awsCall is one CloudTrail record with what is read off it for every kind.
type awsCall struct {
	node
	service string // eventSource without .amazonaws.com
	name    string // eventName without an API version
	account string
	actor   actor
	mfa     *bool
	root    bool
}

// awsRecord maps one CloudTrail record (user guide: CloudTrail record contents).
// Only the id, time, source and name of the event can be relied on.
func (b *builder) awsRecord(rec node) {
	id, source, name := rec.str("eventID"), rec.str("eventSource"), rec.str("eventName")
	if source == "" || name == "" {
		b.fault(b.where, errors.New("no CloudTrail record: eventSource or eventName is absent"))
		return
	}
	if id == "" { // records of the first years
		id = recordDigest(rec)
	}
	at, err := rec.instant("eventTime")
	if err != nil {
		b.fault(b.where, fmt.Errorf("eventTime: %w", err))
		return
	}
	c := awsCall{
		node: rec, service: strings.TrimSuffix(source, ".amazonaws.com"), name: apiVersion.ReplaceAllString(name, ""),
		account: rec.first("recipientAccountId", "userIdentity.accountId"),
	}
	c.identify()
	rule, known := awsRules[c.service+":"+c.name]
	if !known && !c.rootKey() {
		b.rec.Ignore(source + " " + name)
		return
	}
	if rule.kind == "" && c.service == "sts" && c.actor.kind == "service" {
		b.rec.Ignore(source + " " + name + " by a service")
		return
	}
	facts := c.facts(rule)
	changes := make([]change, len(facts))
	for i, f := range facts {
		f.Change = source + ":" + name
		f.Outcome, f.Error = c.outcome()
		f.CredentialID = rec.str("userIdentity.accessKeyId")
		f.SourceIP = rec.str("sourceIPAddress")
		f.TransactionID = rec.str("sharedEventID")
		f.ReadOnly = rec.flag("readOnly")
		f.MFA = c.mfa
		f.CausedBy = c.causedBy()
		if c.root {
			f.Privileged = ptr(true)
			f.PrivilegedWhy = append(f.PrivilegedWhy, "root user")
		}
		changes[i] = change{provider: "aws", id: "aws:cloudtrail:" + id, at: at, actor: c.actor, fact: f}
	}
	b.changed(changes...)
}

// rootKey tells a call of the root user that no sign-in announces, or that
// changes something: the reads of a console session say nothing more.
func (c awsCall) rootKey() bool {
	return c.root && (strings.HasPrefix(c.str("userIdentity.accessKeyId"), "AKIA") || c.str("readOnly") != "true")
}

var deniedCode = regexp.MustCompile(`(?i)(AccessDenied|Unauthorized)`)

// outcome tells whether the call did anything. Services report failure in
// errorCode, sign-ins in an answer of their own.
func (c awsCall) outcome() (outcome, code string) {
	code = c.str("errorCode")
	switch {
	case deniedCode.MatchString(code):
		return "denied", code
	case code != "":
		return "failed", code
	}
	for _, path := range []string{"responseElements." + c.name, "serviceEventDetails." + c.name, "serviceEventDetails.CredentialVerification"} {
		switch c.str(path) {
		case "Failure":
			return "denied", cmp.Or(c.str("errorMessage"), "sign-in refused")
		case "Success":
			return "success", ""
		}
	}
	for _, path := range []string{"accountAssignmentCreationStatus", "accountAssignmentDeletionStatus", "permissionSetProvisioningStatus"} {
		if c.str("responseElements."+path+".status") == "FAILED" {
			return "failed", "FAILED"
		}
	}
	return "success", ""
}

// reservedRole is the role that Identity Center keeps for a permission set.
var reservedRole = regexp.MustCompile(`^AWSReservedSSO_(.+)_[0-9A-Za-z]{16}$`)

// causedBy marks what Identity Center did by itself in consequence of an
// assignment: which one, the record does not say (see Link).
func (c awsCall) causedBy() string {
	if c.service != "iam" || !c.bySSO() {
		return ""
	}
	role := c.str("requestParameters.roleName")
	if m := reservedRole.FindStringSubmatch(role); m != nil {
		return ssoCause(c.account, m[1])
	}
	return ssoCause(c.account, "")
}

func (c awsCall) bySSO() bool { return c.str("userIdentity.invokedBy") == "sso.amazonaws.com" }

// ssoCausePrefix begins the mark of Identity Center's own work: account and
// permission set follow, until Link knows the act behind it.
const ssoCausePrefix = "aws:sso:"

func ssoCause(account, set string) string { return ssoCausePrefix + account + ":" + set }

var emailLike = regexp.MustCompile(`^[^@\s/]+@[^@\s/]+\.[^@\s/]+$`)

// identify reads userIdentity (user guide: CloudTrail userIdentity element).
func (c *awsCall) identify() {
	id := c.get("userIdentity")
	invokedBy := id.str("invokedBy")
	mfa := id.flag("sessionContext.attributes.mfaAuthenticated")
	c.mfa = mfa
	switch kind := id.str("type"); kind {
	case "Root":
		c.actor = actor{account: aws(cmp.Or(id.str("arn"), "arn:aws:iam::"+c.account+":root"), ""), kind: "root", confidence: "none"}
		if invokedBy != "" && invokedBy != "signin.amazonaws.com" {
			c.actor.kind, c.actor.via = "service", invokedBy
			break
		}
		c.root = true
	case "IAMUser":
		c.actor = actor{account: aws(id.first("userName", "arn"), id.str("principalId")), confidence: "immutable_id"}
		if c.actor.account == nil { // a sign-in with a wrong user name: people type passwords there
			c.actor.confidence = "none"
		}
	case "AssumedRole":
		c.session(id)
	case "Role":
		c.actor = actor{account: aws(id.first("arn", "principalId"), id.str("principalId")), kind: "workload", confidence: "immutable_id"}
	case "FederatedUser":
		issuer := id.get("sessionContext.sessionIssuer")
		c.actor = actor{account: aws(issuer.first("userName", "arn"), issuer.str("principalId")), confidence: "immutable_id", via: id.str("arn")}
		if issuer.str("type") == "Root" {
			c.actor.kind, c.root = "root", true
		}
	case "SAMLUser":
		name := id.first("userName", "principalId")
		c.actor = actor{account: person(aws(name, "")), kind: "human", confidence: "session_name", via: id.str("identityProvider")}
		c.mfa = nil
	case "WebIdentityUser":
		c.actor = actor{account: aws(id.first("userName", "principalId"), ""), kind: "workload", confidence: "immutable_id", via: id.str("identityProvider")}
		c.mfa = nil
	case "IdentityCenterUser":
		c.actor = c.identityCenterUser(id)
		c.mfa = nil
	case "AWSService":
		c.actor = actor{account: aws(invokedBy, ""), kind: "service", confidence: "immutable_id"}
	case "AWSAccount":
		c.actor = actor{account: aws(id.first("principalId", "accountId"), id.str("principalId")), via: "account " + id.str("accountId")}
	case "":
		if invokedBy != "" {
			c.actor = actor{account: aws(invokedBy, ""), kind: "service", confidence: "immutable_id"}
			break
		}
		fallthrough
	default: // Directory, Unknown (Identity Center before July 2025), SAML and newer kinds
		if id.has("onBehalfOf.userId") {
			c.actor = c.identityCenterUser(id)
			break
		}
		c.actor = actor{account: aws(id.first("userName", "arn", "principalId", "accountId"), id.str("principalId"))}
	}
	if c.actor.via == "" {
		c.actor.via = invokedBy
	}
}

// session finds who stands behind a role session: the first sign that holds.
func (c *awsCall) session(id node) {
	arn := id.str("arn")
	role, name := id.str("sessionContext.sessionIssuer.userName"), ""
	if _, rest, ok := strings.Cut(arn, ":assumed-role/"); ok {
		parts := strings.SplitN(rest, "/", 2)
		role = cmp.Or(role, parts[0])
		if len(parts) == 2 {
			name = parts[1]
		}
	}
	principal := id.str("principalId")
	if _, after, ok := strings.Cut(principal, ":"); ok {
		name = cmp.Or(name, after)
	}
	if c.mfa != nil && !*c.mfa {
		c.mfa = nil // speaks of AWS MFA only: says nothing about federated sessions
	}
	source := id.str("sessionContext.sourceIdentity")
	via := ""
	if role != "" {
		via = "role " + role
	}
	switch set := reservedRole.FindStringSubmatch(role); {
	case id.has("onBehalfOf.userId"):
		c.actor = c.identityCenterUser(id)
		c.actor.via = via
		if set != nil && emailLike.MatchString(name) {
			c.actor.account = person(aws(name, c.actor.account.ID))
		}
	case source != "":
		c.actor = actor{account: person(aws(source, "")), kind: "unknown", confidence: "source_identity", via: via}
	case set != nil && name != "":
		c.actor = actor{account: person(aws(name, "")), kind: "human", confidence: "session_name", via: via}
	case strings.HasPrefix(role, "AWSServiceRoleFor"):
		c.actor = actor{account: aws(role, principal), kind: "service", confidence: "immutable_id", via: id.str("invokedBy")}
	case strings.HasPrefix(name, "i-"), id.has("sessionContext.ec2RoleDelivery"), id.has("inScopeOf"), id.has("sessionContext.webIdFederationData.federatedProvider"):
		c.actor = actor{account: aws(role+"/"+name, principal), kind: "workload", confidence: "none", via: via}
	case emailLike.MatchString(name):
		// Set by the identity provider of a SAML login, but by anybody in a plain
		// AssumeRole: the account is named, the kind stays open.
		c.actor = actor{account: aws(name, ""), kind: "unknown", confidence: "session_name", via: via}
	default:
		c.actor = actor{account: aws(cmp.Or(strings.Trim(role+"/"+name, "/"), arn), principal), confidence: "none", via: via}
	}
}

func (c *awsCall) identityCenterUser(id node) actor {
	user := id.str("onBehalfOf.userId")
	name := cmp.Or(c.str("additionalEventData.UserName"), id.str("userName"), user)
	a := person(aws(name, user))
	return actor{account: a, kind: "human", confidence: "immutable_id", via: id.str("onBehalfOf.identityStoreArn")}
}

// aws is an account of the system aws, nil without a name.
func aws(name, id string) *engine.Account { return account("aws", name, id) }

func account(system, name, id string) *engine.Account {
	if name = cmp.Or(name, id); name == "" {
		return nil
	}
	return &engine.Account{System: system, Account: name, ID: id}
}

// person adds the e-mail address where the account name is one that an identity
// provider set.
func person(a *engine.Account) *engine.Account {
	if a != nil && emailLike.MatchString(a.Account) {
		a.Email = strings.ToLower(a.Account)
	}
	return a
}
