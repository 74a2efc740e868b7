package iam

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	sdk "github.com/aws/aws-sdk-go-v2/aws"
	awsmiddleware "github.com/aws/aws-sdk-go-v2/aws/middleware"
	"github.com/aws/aws-sdk-go-v2/service/cloudtrail"
	"github.com/aws/aws-sdk-go-v2/service/cloudtrail/types"
	awsiam "github.com/aws/aws-sdk-go-v2/service/iam"
	iamtypes "github.com/aws/aws-sdk-go-v2/service/iam/types"
	"github.com/aws/aws-sdk-go-v2/service/sts"
	"github.com/aws/smithy-go"
	"github.com/aws/smithy-go/middleware"

	"github.com/changevouch/changevouch/collectors"
	"github.com/changevouch/changevouch/engine"
)

const (
	// lookupReach is how far back LookupEvents sees, whatever the trails are.
	lookupReach = 90 * 24 * time.Hour
	// trailLag is how long a record may take to show up.
	trailLag = 15 * time.Minute
	// trailOverlap is read again in the next run, for records later than that.
	trailOverlap = 30 * time.Minute
	// trailStretch is how much is asked for at once.
	trailStretch = 7 * 24 * time.Hour
	// trailPace keeps LookupEvents below its two requests a second and region.
	trailPace = 520 * time.Millisecond
	// quietPages is up to how many pages a region's records are read as they
	// come. Where there are more, most are reads of no interest, and the changes
	// are asked for by name.
	quietPages = 10
)

// globalRegion is where IAM and AWS Organizations are recorded.
const globalRegion = "us-east-1"

// defaultRegions are enabled in every account, and cannot be switched off.
var defaultRegions = []string{
	globalRegion, "ap-northeast-1", "ap-northeast-2", "ap-northeast-3", "ap-south-1", "ap-southeast-1", "ap-southeast-2",
	"ca-central-1", "eu-central-1", "eu-north-1", "eu-west-1", "eu-west-2", "eu-west-3", "sa-east-1",
	"us-east-2", "us-west-1", "us-west-2",
}

// AWS collects one account: management events of CloudTrail through LookupEvents,
// which needs no trail, the credential report and the authorization details.
type AWS struct {
	config  sdk.Config
	account string
	regions []string
	now     time.Time
	sleep   func(context.Context, time.Duration) error
}

// awsPermissions is the least that works, action by action, on Resource *.
var awsPermissions = map[string]string{
	"cloudtrail:LookupEvents":             "the events of access and network",
	"iam:GenerateCredentialReport":        "passwords, keys and second factors of users and root",
	"iam:GetCredentialReport":             "passwords, keys and second factors of users and root",
	"iam:GetAccountAuthorizationDetails":  "who holds which policies",
	"sts:GetCallerIdentity (always free)": "which account this is",
}

// AWSOptions say what is read, and how.
type AWSOptions struct {
	// Regions to read; none means all that every account has. Others, which an
	// account has to enable, count only when named.
	Regions []string
	// Notice is told, in a sentence, of every wait; nil for nobody.
	Notice func(string)
	// Sleep waits between requests; nil is a timer.
	Sleep func(context.Context, time.Duration) error
}

// ConnectAWS finds out which account the credentials open.
func ConnectAWS(ctx context.Context, config sdk.Config, o AWSOptions) (*AWS, error) {
	if len(o.Regions) == 0 {
		o.Regions = slices.Clone(defaultRegions)
	}
	config = patient(config, o.Notice)
	a := &AWS{config: config, regions: slices.Compact(slices.Sorted(slices.Values(o.Regions))), sleep: o.Sleep}
	if a.sleep == nil {
		a.sleep = wait
	}
	out, err := sts.NewFromConfig(config, func(o *sts.Options) { o.Region = cmp.Or(config.Region, globalRegion) }).GetCallerIdentity(ctx, &sts.GetCallerIdentityInput{})
	if err != nil {
		return nil, fmt.Errorf("aws: the credentials open no account: %w", plain(err))
	}
	at, dated := awsmiddleware.GetServerTime(out.ResultMetadata)
	if a.account = sdk.ToString(out.Account); a.account == "" || !dated {
		return nil, errors.New("aws: GetCallerIdentity answered without account or Date: is this the address of AWS?")
	}
	a.now = at.UTC().Truncate(time.Second)
	return a, nil
}

func wait(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-t.C:
		return nil
	}
}

// Name implements collectors.Collector.
func (a *AWS) Name() string { return "aws/" + a.account }

// Collect implements collectors.Collector.
func (a *AWS) Collect(ctx context.Context, w collectors.Window, cursor json.RawMessage, commit func(collectors.Batch) error) error {
	if settled := a.now.Add(-trailLag); w.Until.After(settled) {
		w.Until = settled // later records may still be on their way
	}
	if floor := a.now.Add(-lookupReach); w.Since.Before(floor) {
		if cursor == nil {
			if err := a.outOfReach(collectors.Window{Since: w.Since, Until: floor}, commit); err != nil {
				return err
			}
		}
		w.Since = floor
	}
	if !w.Until.After(w.Since) {
		return fmt.Errorf("aws: nothing to read between %s and %s: CloudTrail shows records after %s and for %d days",
			w.Since.Format(time.RFC3339), w.Until.Format(time.RFC3339), trailLag, lookupReach/(24*time.Hour))
	}
	stages := collectors.Stages{
		Sources: []string{"iam"}, System: a.system(), Overlap: trailOverlap,
		All: []collectors.Stage{{Name: "holders", Read: a.holders}, {Name: "cloudtrail", Read: a.trail}},
	}
	return stages.Collect(ctx, w, cursor, commit)
}

func (a *AWS) system() string { return "aws:" + a.account }

// outOfReach records the part of the window that LookupEvents no longer shows.
func (a *AWS) outOfReach(w collectors.Window, commit func(collectors.Batch) error) error {
	return commit(statement("aws", "reach", a.now, engine.CoverageFact{
		Source: "iam", System: a.system(), Status: "incomplete", From: &w.Since, To: &w.Until, Missing: []string{"access_events"},
		Reason: "LookupEvents shows 90 days: for what was before, read the files of a trail (vouch collect iam --from)",
	}))
}

// statement is a batch that says what was seen, and what was not.
func statement(provider, step string, at time.Time, c engine.CoverageFact) collectors.Batch {
	rec := collectors.NewRecorder(collectors.Payload{Bytes: engine.Facts(c), ObservedAt: at, Trust: engine.TrustAPIRead}, "iam", provider)
	rec.Cover(c)
	b := collectors.Batch{Step: step}
	b.Add(rec.Mapping())
	return b
}

// payload is an answer in the form in which the AWS command line prints it.
func (a *AWS) payload(name string, v any, at time.Time) (collectors.Payload, error) {
	b, err := json.Marshal(v)
	if err != nil {
		return collectors.Payload{}, fmt.Errorf("aws: %s: %w", name, err)
	}
	return collectors.Payload{Path: "aws/" + a.account + "/" + name, Bytes: b, ObservedAt: at, MediaType: "application/json", Trust: engine.TrustAPIRead}, nil
}

// serverTime is when an answer was given, by the clock of AWS.
func (a *AWS) serverTime(m middleware.Metadata) time.Time {
	if at, ok := awsmiddleware.GetServerTime(m); ok {
		return at.UTC().Truncate(time.Second)
	}
	return a.now
}

// plain is an error of AWS without the request's particulars.
func plain(err error) error {
	if e, ok := errors.AsType[smithy.APIError](err); ok {
		return fmt.Errorf("%s: %s", e.ErrorCode(), e.ErrorMessage())
	}
	return err
}

// refusedCode tells errors that a permission, or an enabled region, would cure.
func refusedCode(err error) (string, bool) {
	e, ok := errors.AsType[smithy.APIError](err)
	if !ok {
		return "", false
	}
	switch code := e.ErrorCode(); code {
	case "AccessDenied", "AccessDeniedException", "UnauthorizedOperation", "UnrecognizedClientException", "InvalidClientTokenId", "OptInRequired", "SubscriptionRequiredException":
		return code, true
	}
	return "", false
}

// awsGap says which actions would open a fact.
func awsGap(fact, what, code string, actions ...string) collectors.Gap {
	var needs []string
	for _, action := range actions {
		needs = append(needs, action+" ("+awsPermissions[action]+")")
	}
	return collectors.Gap{Source: "iam", Fact: fact, Reason: fmt.Sprintf("AWS answered %s to %s: allow %s", code, what, strings.Join(needs, ", "))}
}

// holders reads who holds what: the credential report and the authorization
// details. The position is the last one that is done; the last of a day is kept.
func (a *AWS) holders(ctx context.Context, _ collectors.Window, position string, commit func(collectors.Step) error) error {
	for _, one := range []struct {
		name string
		read func(context.Context, *collectors.Parts) error
	}{{"authorization-details", a.authorizationDetails}, {"credential-report", a.credentialReport}} {
		if one.name <= position {
			continue
		}
		parts := collectors.NewParts(one.name+"/"+a.now.Format(time.DateOnly), position, commit)
		if err := one.read(ctx, parts); err != nil {
			return err
		}
		if err := parts.End(one.name); err != nil {
			return err
		}
		position = one.name
	}
	return nil
}

func (a *AWS) iam() *awsiam.Client {
	return awsiam.NewFromConfig(a.config, func(o *awsiam.Options) { o.Region = cmp.Or(a.config.Region, globalRegion) })
}

// credentialReport asks for a report and waits until AWS has written it.
func (a *AWS) credentialReport(ctx context.Context, parts *collectors.Parts) error {
	client := a.iam()
	refused := func(err error) error {
		if code, ok := refusedCode(err); ok {
			return parts.Take(collectors.Mapping{}, awsGap("credentials", "the credential report", code, "iam:GenerateCredentialReport", "iam:GetCredentialReport"))
		}
		return fmt.Errorf("aws: credential report: %w", plain(err))
	}
	for range 60 {
		state, err := client.GenerateCredentialReport(ctx, &awsiam.GenerateCredentialReportInput{})
		if err != nil {
			return refused(err)
		}
		if state.State == iamtypes.ReportStateTypeComplete {
			break
		}
		if err := a.sleep(ctx, 2*time.Second); err != nil {
			return err
		}
	}
	out, err := client.GetCredentialReport(ctx, &awsiam.GetCredentialReportInput{})
	if err != nil {
		return refused(err)
	}
	m := Map(collectors.Payload{
		Path: "aws/" + a.account + "/credential-report.csv", Bytes: out.Content, ObservedAt: a.serverTime(out.ResultMetadata), MediaType: "text/csv", Trust: engine.TrustAPIRead,
	})
	for i := range m.Events { // a report is up to four hours old
		if e := &m.Events[i]; e.Type == "access.observed" && out.GeneratedTime != nil {
			e.OccurredAt = out.GeneratedTime.UTC()
		}
	}
	return parts.Take(m)
}

// authorizationDetails reads all pages into one document: users refer to groups
// and policies that may stand on another page. IAM's quotas bound its size.
func (a *AWS) authorizationDetails(ctx context.Context, parts *collectors.Parts) error {
	var all struct {
		UserDetailList  []iamtypes.UserDetail
		GroupDetailList []iamtypes.GroupDetail
		RoleDetailList  []iamtypes.RoleDetail
		Policies        []iamtypes.ManagedPolicyDetail
	}
	var at time.Time
	pages := awsiam.NewGetAccountAuthorizationDetailsPaginator(a.iam(), &awsiam.GetAccountAuthorizationDetailsInput{})
	for pages.HasMorePages() {
		out, err := pages.NextPage(ctx)
		if code, ok := refusedCode(err); ok {
			return parts.Take(collectors.Mapping{}, awsGap("credentials", "the authorization details", code, "iam:GetAccountAuthorizationDetails"))
		}
		if err != nil {
			return fmt.Errorf("aws: authorization details: %w", plain(err))
		}
		at = a.serverTime(out.ResultMetadata)
		all.UserDetailList = append(all.UserDetailList, out.UserDetailList...)
		all.GroupDetailList = append(all.GroupDetailList, out.GroupDetailList...)
		all.RoleDetailList = append(all.RoleDetailList, out.RoleDetailList...)
		all.Policies = append(all.Policies, out.Policies...)
	}
	p, err := a.payload("account-authorization-details.json", all, at)
	if err != nil {
		return err
	}
	return parts.Take(Map(p))
}

// trail reads the records of every region, stretch by stretch from the oldest
// on. The position is the stretch and the last region done in it.
func (a *AWS) trail(ctx context.Context, w collectors.Window, position string, commit func(collectors.Step) error) error {
	begun, last, _ := strings.Cut(position, " ")
	from := w.Since
	if begun != "" {
		at, err := time.Parse(time.RFC3339Nano, begun)
		if err != nil {
			return fmt.Errorf("the cursor names no instant: %q", begun)
		}
		from = at
	}
	clients := map[string]*lookup{}
	for ; from.Before(w.Until); from, last = from.Add(trailStretch), "" {
		to := from.Add(trailStretch)
		if to.After(w.Until) {
			to = w.Until
		}
		for _, region := range a.regions {
			if region <= last {
				continue
			}
			if clients[region] == nil {
				clients[region] = &lookup{AWS: a, region: region, client: cloudtrail.NewFromConfig(a.config, func(o *cloudtrail.Options) { o.Region = region })}
			}
			stamp := from.UTC().Format(time.RFC3339Nano)
			// Named by its whole window: a later run with another one may find less,
			// and must not replace it.
			parts := collectors.NewParts(region+"/"+stamp+"/"+to.UTC().Format(time.RFC3339Nano), position, commit)
			if err := clients[region].read(ctx, collectors.Window{Since: from, Until: to}, parts); err != nil {
				return err
			}
			position = stamp + " " + region
			if err := parts.End(position); err != nil {
				return err
			}
		}
	}
	return a.scope(commit, position)
}

// scope says what LookupEvents shows at all.
func (a *AWS) scope(commit func(collectors.Step) error, position string) error {
	b := statement("aws", "scope", a.now, engine.CoverageFact{
		Source: "iam", System: a.system(), Status: "complete", Facts: []string{"cloudtrail"},
		Reason: "management events of " + strings.Join(a.regions, ", ") + "; data events are not in LookupEvents, other regions count only when named",
	})
	return commit(collectors.Step{Batch: b, Position: position})
}

// lookup asks one region.
type lookup struct {
	*AWS
	region string
	client *cloudtrail.Client
	asked  bool
}

// read reads a stretch: as it comes where that is little, by name where it is not.
func (l *lookup) read(ctx context.Context, w collectors.Window, parts *collectors.Parts) error {
	whole, err := l.ask(ctx, w, nil, quietPages, parts)
	if code, ok := refusedCode(err); ok {
		return parts.Take(collectors.Mapping{}, awsGap("access_events", "LookupEvents in "+l.region, code, "cloudtrail:LookupEvents"))
	}
	if err != nil || whole {
		return err
	}
	for _, q := range queries(l.region != globalRegion && slices.Contains(l.regions, globalRegion)) {
		if _, err := l.ask(ctx, w, &q, 0, parts); err != nil {
			return err
		}
	}
	return nil
}

// ask reads the pages of one question, at most so many (0: all), and tells
// whether that was the end.
func (l *lookup) ask(ctx context.Context, w collectors.Window, about *types.LookupAttribute, atMost int, parts *collectors.Parts) (whole bool, err error) {
	in := &cloudtrail.LookupEventsInput{StartTime: &w.Since, EndTime: &w.Until, MaxResults: sdk.Int32(50)}
	if about != nil {
		in.LookupAttributes = []types.LookupAttribute{*about}
	}
	tokens := map[string]bool{}
	for page := 1; ; page++ {
		if l.asked {
			if err := l.sleep(ctx, trailPace); err != nil {
				return false, err
			}
		}
		l.asked = true
		out, err := l.client.LookupEvents(ctx, in)
		if err != nil {
			if _, refused := refusedCode(err); refused && ctx.Err() == nil {
				return false, err
			}
			return false, fmt.Errorf("aws: LookupEvents in %s: %w", l.region, plain(err))
		}
		p, err := l.payload(l.region+"/lookup-events.json", records(out.Events), l.serverTime(out.ResultMetadata))
		if err != nil {
			return false, err
		}
		p.NextPage = out.NextToken != nil
		if err := parts.TakeWindow(Map(p), "access_events", "iam"); err != nil {
			return false, err
		}
		token := sdk.ToString(out.NextToken)
		switch {
		case token == "":
			return true, nil
		case tokens[token]:
			return false, fmt.Errorf("aws: the pages of LookupEvents in %s go round in circles", l.region)
		case page == atMost:
			return false, nil
		}
		tokens[token] = true
		in.NextToken = &token
	}
}

// records keeps of each answer what the mapping reads: the record itself.
func records(events []types.Event) map[string]any {
	list := make([]map[string]any, len(events))
	for i, e := range events {
		list[i] = map[string]any{"EventId": e.EventId, "CloudTrailEvent": e.CloudTrailEvent}
	}
	return map[string]any{"Events": list}
}

// queries are the questions that together find every record which the mapping
// reads: by event name, since a question takes one attribute only and most
// records of a service are reads; by source for lambda, whose names carry a
// version; and whatever root does. Where the global region is read too, what is
// recorded there alone is not asked for elsewhere.
func queries(elsewhere bool) []types.LookupAttribute {
	names := map[string]bool{}
	for rule := range awsRules {
		service, name, _ := strings.Cut(rule, ":")
		if service == "lambda" || elsewhere && (service == "iam" || service == "organizations" || service == "cloudfront") {
			continue
		}
		names[name] = true
	}
	out := []types.LookupAttribute{
		{AttributeKey: types.LookupAttributeKeyUsername, AttributeValue: sdk.String("root")},
		{AttributeKey: types.LookupAttributeKeyEventSource, AttributeValue: sdk.String("lambda.amazonaws.com")},
	}
	for _, name := range slices.Sorted(maps.Keys(names)) {
		out = append(out, types.LookupAttribute{AttributeKey: types.LookupAttributeKeyEventName, AttributeValue: sdk.String(name)})
	}
	return out
}
