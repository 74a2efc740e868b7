package iam_test

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	sdk "github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/aws/retry"
	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"

	"github.com/changevouch/changevouch/collectors"
	"github.com/changevouch/changevouch/collectors/collectorstest"
	"github.com/changevouch/changevouch/collectors/iam"
	"github.com/changevouch/changevouch/engine"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// planted is a secret in every field of the fake services that may hold one.
const planted = "s3cr3t-VALUE-never-to-be-seen"

var window = collectors.Window{
	Since: time.Date(2026, 8, 20, 0, 0, 0, 0, time.UTC),
	Until: time.Date(2026, 9, 10, 6, 0, 0, 0, time.UTC),
}

type row = map[string]any

var (
	collect = collectorstest.Collect
	facts   = collectorstest.Facts
	windows = collectorstest.Windows
	count   = collectorstest.Count
)

// trouble answers a request in place of the service, or lets it pass.
type trouble func(http.ResponseWriter, *http.Request) bool

// account is a service that behaves like AWS for one account: CloudTrail in its
// JSON 1.1 protocol, IAM and STS in their query protocol.
type account struct {
	lock     sync.Mutex
	now      time.Time
	records  map[string][]row // by region, oldest first
	before   trouble
	requests []string
	page     int
	waiting  int // how often the credential report is still being written
}

func newAccount() *account {
	a := &account{now: window.Until.Add(time.Hour), records: map[string][]row{}, page: 3}
	for i := range 8 {
		at := window.Since.Add(time.Duration(i) * 62 * time.Hour)
		a.add("us-east-1", at, fmt.Sprintf("grant-%d", i), "iam.amazonaws.com", "AttachUserPolicy", row{"userName": "lee", "policyArn": "arn:aws:iam::aws:policy/AdministratorAccess"}, nil)
		a.add("eu-west-1", at.Add(time.Minute), fmt.Sprintf("port-%d", i), "ec2.amazonaws.com", "AuthorizeSecurityGroupIngress",
			row{"groupId": "sg-1", "ipPermissions": row{"items": []row{{"ipProtocol": "tcp", "fromPort": 22, "toPort": 22, "ipRanges": row{"items": []row{{"cidrIp": "0.0.0.0/0"}}}}}}}, nil)
	}
	at := window.Since.Add(100 * time.Hour)
	a.add("us-east-1", at, "assume", "sts.amazonaws.com", "AssumeRole", row{"roleArn": "arn:aws:iam::123456789012:role/break-glass", "roleSessionName": "x"},
		row{"credentials": row{"accessKeyId": "ASIAEXAMPLE", "sessionToken": planted, "secretAccessKey": planted, "expiration": "Aug 24, 2026, 5:00:00 AM"}})
	a.add("us-east-1", at.Add(time.Hour), "key", "iam.amazonaws.com", "CreateAccessKey", row{"userName": "lee"}, row{"accessKey": row{"accessKeyId": "AKIANEW", "secretAccessKey": planted}})
	return a
}

func (a *account) add(region string, at time.Time, id, source, name string, parameters, answer row) {
	a.records[region] = append(a.records[region], row{
		"eventID": id, "eventTime": at.Format(time.RFC3339), "eventSource": source, "eventName": name, "awsRegion": region, "recipientAccountId": "123456789012",
		"readOnly": name == "AssumeRole", "userIdentity": row{"type": "IAMUser", "userName": "dana", "principalId": "AIDADANA", "accountId": "123456789012", "accessKeyId": "AKIADANA"},
		"sourceIPAddress": "203.0.113.7", "requestParameters": parameters, "responseElements": answer,
	})
}

// scope is service and region of a signed request.
func scope(r *http.Request) (service, region string) {
	_, rest, _ := strings.Cut(r.Header.Get("Authorization"), "Credential=")
	parts := strings.Split(rest, "/")
	if len(parts) < 5 {
		return "", ""
	}
	return parts[3], parts[2]
}

func (a *account) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	a.lock.Lock()
	defer a.lock.Unlock()
	service, region := scope(r)
	body, err := io.ReadAll(r.Body)
	if err != nil || service == "" || r.Method != http.MethodPost || !strings.HasPrefix(r.Header.Get("Authorization"), "AWS4-HMAC-SHA256 ") {
		http.Error(w, "test: not a signed request", http.StatusBadRequest)
		return
	}
	target, action := r.Header.Get("X-Amz-Target"), ""
	if target == "" {
		if err := r.ParseForm(); err == nil {
			action = formValue(string(body), "Action")
		}
	}
	a.requests = append(a.requests, strings.TrimSpace(service+" "+region+" "+target+action+" "+formValue(string(body), "Version")+jsonAsked(target, body)))
	w.Header().Set("Date", a.now.Format(http.TimeFormat))
	if a.before != nil && a.before(w, r) {
		return
	}
	switch {
	case target == "CloudTrail_20131101.LookupEvents":
		a.lookup(w, region, body)
	case action == "GetCallerIdentity":
		xml(w, action, `<Account>123456789012</Account><Arn>arn:aws:iam::123456789012:user/collector</Arn><UserId>AIDACOLLECTOR</UserId>`)
	case action == "GenerateCredentialReport":
		a.waiting--
		xml(w, action, map[bool]string{true: "<State>INPROGRESS</State>", false: "<State>COMPLETE</State>"}[a.waiting > 0])
	case action == "GetCredentialReport":
		xml(w, action, `<Content>`+report+`</Content><ReportFormat>text/csv</ReportFormat><GeneratedTime>2026-09-10T04:00:00Z</GeneratedTime>`)
	case action == "GetAccountAuthorizationDetails" && formValue(string(body), "Marker") == "":
		xml(w, action, `<IsTruncated>true</IsTruncated><Marker>m1</Marker><UserDetailList><member><UserName>lee</UserName><UserId>AIDALEE</UserId><Arn>arn:aws:iam::123456789012:user/lee</Arn><Path>/</Path><CreateDate>2026-01-01T00:00:00Z</CreateDate><GroupList><member>admins</member></GroupList></member></UserDetailList>`)
	case action == "GetAccountAuthorizationDetails":
		xml(w, action, `<IsTruncated>false</IsTruncated><GroupDetailList><member><GroupName>admins</GroupName><GroupId>AGPA1</GroupId><Arn>arn:aws:iam::123456789012:group/admins</Arn><AttachedManagedPolicies><member><PolicyName>AdministratorAccess</PolicyName><PolicyArn>arn:aws:iam::aws:policy/AdministratorAccess</PolicyArn></member></AttachedManagedPolicies></member></GroupDetailList>`)
	default:
		http.Error(w, "test: unknown call "+target+action, http.StatusBadRequest)
	}
}

// report is a credential report, base64.
const report = "dXNlcixhcm4sdXNlcl9jcmVhdGlvbl90aW1lLHBhc3N3b3JkX2VuYWJsZWQsbWZhX2FjdGl2ZQpsZWUsYXJuOmF3czppYW06OjEyMzQ1Njc4OTAxMjp1c2VyL2xlZSwyMDI2LTAxLTAxVDAwOjAwOjAwWix0cnVlLGZhbHNlCjxyb290X2FjY291bnQ+LGFybjphd3M6aWFtOjoxMjM0NTY3ODkwMTI6cm9vdCwyMDI2LTAxLTAxVDAwOjAwOjAwWixub3Rfc3VwcG9ydGVkLHRydWUK"

func formValue(body, key string) string {
	for pair := range strings.SplitSeq(body, "&") {
		if v, ok := strings.CutPrefix(pair, key+"="); ok {
			return v
		}
	}
	return ""
}

// jsonAsked are the members of a LookupEvents request, without the instants.
func jsonAsked(target string, body []byte) string {
	if target == "" {
		return ""
	}
	var in row
	if json.Unmarshal(body, &in) != nil {
		return "no JSON"
	}
	delete(in, "NextToken")
	in["StartTime"], in["EndTime"] = "…", "…"
	b, err := json.Marshal(in)
	if err != nil {
		return err.Error()
	}
	return string(b)
}

func xml(w http.ResponseWriter, action, result string) {
	w.Header().Set("Content-Type", "text/xml")
	_, _ = fmt.Fprintf(w, `<%[1]sResponse><%[1]sResult>%[2]s</%[1]sResult><ResponseMetadata><RequestId>1</RequestId></ResponseMetadata></%[1]sResponse>`, action, result)
}

// lookup answers as LookupEvents does: newest first, pages of at most 50.
func (a *account) lookup(w http.ResponseWriter, region string, body []byte) {
	var in struct {
		StartTime, EndTime float64
		MaxResults         int
		NextToken          string
		LookupAttributes   []struct{ AttributeKey, AttributeValue string }
	}
	if err := json.Unmarshal(body, &in); err != nil || in.MaxResults > 50 || len(in.LookupAttributes) > 1 {
		w.WriteHeader(http.StatusBadRequest)
		_, _ = io.WriteString(w, `{"__type":"InvalidLookupAttributesException"}`)
		return
	}
	var fit []row
	for _, rec := range slices.Backward(a.records[region]) {
		at, err := time.Parse(time.RFC3339, fmt.Sprint(rec["eventTime"]))
		if err != nil || at.Before(time.Unix(int64(in.StartTime), 0)) || at.After(time.Unix(int64(in.EndTime), 0)) || at.Before(a.now.Add(-90*24*time.Hour)) {
			continue
		}
		if len(in.LookupAttributes) > 0 {
			about := in.LookupAttributes[0]
			if v := map[string]any{"EventName": rec["eventName"], "EventSource": rec["eventSource"], "Username": rec["userIdentity"].(row)["userName"]}[about.AttributeKey]; v != about.AttributeValue {
				continue
			}
		}
		fit = append(fit, rec)
	}
	from := 0
	if in.NextToken != "" {
		if _, err := fmt.Sscan(in.NextToken, &from); err != nil {
			w.WriteHeader(http.StatusBadRequest)
			_, _ = io.WriteString(w, `{"__type":"InvalidNextTokenException"}`)
			return
		}
	}
	to := min(from+min(a.page, in.MaxResults), len(fit))
	out := row{"Events": []row{}}
	for _, rec := range fit[from:to] {
		text, err := json.Marshal(rec)
		if err != nil {
			panic(err)
		}
		at, _ := time.Parse(time.RFC3339, fmt.Sprint(rec["eventTime"]))
		out["Events"] = append(out["Events"].([]row), row{"EventId": rec["eventID"], "EventName": rec["eventName"], "EventTime": at.Unix(), "CloudTrailEvent": string(text)})
	}
	if to < len(fit) {
		out["NextToken"] = fmt.Sprint(to)
	}
	w.Header().Set("Content-Type", "application/x-amz-json-1.1")
	if err := json.NewEncoder(w).Encode(out); err != nil {
		panic(err)
	}
}

// connect starts the fake account and gives a collector of two of its regions.
func connect(t testing.TB, a http.Handler) *iam.AWS {
	t.Helper()
	server := httptest.NewServer(a)
	t.Cleanup(server.Close)
	c, err := iam.ConnectAWS(t.Context(), configuration(t, server.URL), iam.AWSOptions{
		Regions: []string{"us-east-1", "eu-west-1"}, Sleep: func(ctx context.Context, _ time.Duration) error { return ctx.Err() },
	})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func configuration(t testing.TB, endpoint string) sdk.Config {
	transport := &http.Transport{}
	t.Cleanup(transport.CloseIdleConnections)
	return sdk.Config{
		Region: "eu-west-1", BaseEndpoint: &endpoint, HTTPClient: &http.Client{Transport: transport},
		Credentials: sdk.CredentialsProviderFunc(func(context.Context) (sdk.Credentials, error) {
			return sdk.Credentials{AccessKeyID: "AKIACOLLECTOR", SecretAccessKey: "a-key-of-the-test"}, nil
		}),
		Retryer: func() sdk.Retryer {
			return retry.NewStandard(func(o *retry.StandardOptions) {
				o.MaxAttempts, o.RateLimiter = 6, unlimited{}
				o.Backoff = retry.BackoffDelayerFunc(func(int, error) (time.Duration, error) { return 0, nil })
			})
		},
	}
}

type unlimited struct{}

func (unlimited) GetToken(context.Context, uint) (func() error, error) {
	return func() error { return nil }, nil
}
func (unlimited) AddTokens(uint) error { return nil }

func TestAWS(t *testing.T) {
	a := newAccount()
	a.waiting = 3
	events, err := collect(t, connect(t, a), window, t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	if count(events, "access.changed") != 18 || count(events, "access.observed") != 3 {
		t.Errorf("%d changes, %d holders", count(events, "access.changed"), count(events, "access.observed"))
	}
	c := windows(t, events)
	if len(c) != 1 || c[0].Status != "complete" || c[0].System != "aws:123456789012" || !c[0].From.Equal(window.Since) || !c[0].To.Equal(window.Until) {
		t.Errorf("coverage %s", engine.Facts(c))
	}
	for _, e := range events {
		var f engine.HolderFact
		if e.ID == "aws:user:AIDALEE:"+a.now.Format(time.RFC3339) && (e.Decode(&f) != nil || f.Privileged == nil || !*f.Privileged) {
			t.Errorf("the group on the second page is not seen: %s", e.Data)
		}
		if strings.HasPrefix(e.ID, "aws:credential:") && e.OccurredAt.Format(time.RFC3339) != "2026-09-10T04:00:00Z" {
			t.Errorf("a report of 04:00 speaks of %s", e.OccurredAt)
		}
	}
}

// TestAWSContract pins services, regions, actions, versions and members.
func TestAWSContract(t *testing.T) {
	a := newAccount()
	a.page = 50
	short := window
	short.Since = window.Until.Add(-24 * time.Hour)
	if _, err := collect(t, connect(t, a), short, t.TempDir()); err != nil {
		t.Fatal(err)
	}
	want := []string{
		"sts eu-west-1 GetCallerIdentity 2011-06-15",
		"iam eu-west-1 GetAccountAuthorizationDetails 2010-05-08",
		"iam eu-west-1 GetAccountAuthorizationDetails 2010-05-08",
		"iam eu-west-1 GenerateCredentialReport 2010-05-08",
		"iam eu-west-1 GetCredentialReport 2010-05-08",
		`cloudtrail eu-west-1 CloudTrail_20131101.LookupEvents {"EndTime":"…","MaxResults":50,"StartTime":"…"}`,
		`cloudtrail us-east-1 CloudTrail_20131101.LookupEvents {"EndTime":"…","MaxResults":50,"StartTime":"…"}`,
	}
	if diff := cmp.Diff(want, a.requests); diff != "" {
		t.Errorf("requests differ (-want +got):\n%s", diff)
	}
}

// TestBusyRegion: where most records are reads, the changes are asked for by
// name, and none is lost.
func TestBusyRegion(t *testing.T) {
	a := newAccount()
	want, err := collect(t, connect(t, a), window, t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	busy := newAccount()
	for i := range 2000 {
		busy.add("eu-west-1", window.Since.Add(time.Duration(i)*10*time.Minute), fmt.Sprintf("read-%d", i), "ec2.amazonaws.com", "DescribeInstances", nil, nil)
	}
	busy.page = 50
	slices.SortStableFunc(busy.records["eu-west-1"], func(x, y row) int { return strings.Compare(fmt.Sprint(x["eventTime"]), fmt.Sprint(y["eventTime"])) })
	got, err := collect(t, connect(t, busy), window, t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	changes := func(events []engine.Event) []string {
		return facts(slices.DeleteFunc(slices.Clone(events), func(e engine.Event) bool { return e.Type != "access.changed" }))
	}
	if diff := cmp.Diff(changes(want), changes(got)); diff != "" {
		t.Error(diff)
	}
	named, iamElsewhere := 0, 0
	for _, r := range busy.requests {
		if strings.Contains(r, "LookupAttributes") {
			named++
			if strings.Contains(r, `"AttachUserPolicy"`) && strings.Contains(r, "eu-west-1") {
				iamElsewhere++
			}
		}
	}
	if named < 100 || iamElsewhere > 0 {
		t.Errorf("%d questions by name, %d of them for IAM outside us-east-1", named, iamElsewhere)
	}
}

func refuseAWS(code string, when func(service, region string) bool) trouble {
	return func(w http.ResponseWriter, r *http.Request) bool {
		service, region := scope(r)
		if !when(service, region) {
			return false
		}
		if service == "cloudtrail" {
			w.Header().Set("Content-Type", "application/x-amz-json-1.1")
			w.WriteHeader(http.StatusBadRequest)
			_, _ = fmt.Fprintf(w, `{"__type":%q,"Message":"no"}`, code)
			return true
		}
		w.WriteHeader(http.StatusForbidden)
		_, _ = fmt.Fprintf(w, `<ErrorResponse><Error><Type>Sender</Type><Code>%s</Code><Message>no</Message></Error></ErrorResponse>`, code)
		return true
	}
}

func TestAWSRefusals(t *testing.T) {
	for name, c := range map[string]struct {
		before  trouble
		missing []string
		words   []string
	}{
		"LookupEvents": {refuseAWS("AccessDeniedException", func(s, _ string) bool { return s == "cloudtrail" }), []string{"access_events"}, []string{"cloudtrail:LookupEvents"}},
		"a region":     {refuseAWS("UnrecognizedClientException", func(s, r string) bool { return s == "cloudtrail" && r == "eu-west-1" }), []string{"access_events"}, []string{"eu-west-1"}},
		"two regions, each its own way": {func(w http.ResponseWriter, r *http.Request) bool {
			codes := map[string]string{"eu-west-1": "UnrecognizedClientException", "us-east-1": "AccessDeniedException"}
			_, region := scope(r)
			return refuseAWS(codes[region], func(s, _ string) bool { return s == "cloudtrail" })(w, r)
		}, []string{"access_events"}, []string{"UnrecognizedClientException to LookupEvents in eu-west-1", "AccessDeniedException to LookupEvents in us-east-1"}},
		"IAM": {refuseAWS("AccessDenied", func(s, _ string) bool { return s == "iam" }), []string{"credentials"}, []string{"iam:GetAccountAuthorizationDetails"}},
	} {
		t.Run(name, func(t *testing.T) {
			a := newAccount()
			collector := connect(t, a)
			a.before = c.before
			events, err := collect(t, collector, window, t.TempDir())
			if err != nil {
				t.Fatal(err)
			}
			got := windows(t, events)
			if len(got) != 1 || got[0].Status != "incomplete" || !slices.Equal(got[0].Missing, c.missing) {
				t.Fatalf("coverage %s", engine.Facts(got))
			}
			for _, word := range c.words {
				if !strings.Contains(got[0].Reason, word) {
					t.Errorf("reason %q does not say %q", got[0].Reason, word)
				}
			}
		})
	}
	a := newAccount()
	a.before = refuseAWS("InvalidClientTokenId", func(s, _ string) bool { return s == "sts" })
	server := httptest.NewServer(a)
	defer server.Close()
	if _, err := iam.ConnectAWS(t.Context(), configuration(t, server.URL), iam.AWSOptions{}); err == nil || !strings.Contains(err.Error(), "credentials") {
		t.Errorf("credentials that open nothing: %v", err)
	}
}

// TestReach: what lies beyond 90 days is a gap of its own, not of the rest.
func TestReach(t *testing.T) {
	a := newAccount()
	w := window
	w.Since = a.now.Add(-100 * 24 * time.Hour)
	events, err := collect(t, connect(t, a), w, t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	c := windows(t, events)
	floor := a.now.Add(-90 * 24 * time.Hour)
	if len(c) != 2 || c[0].Status != "incomplete" || !c[0].To.Equal(floor) || !strings.Contains(c[0].Reason, "--from") || c[1].Status != "complete" || !c[1].From.Equal(floor) {
		t.Errorf("coverage %s", engine.Facts(c))
	}
}

// TestLag: nothing is claimed of the last quarter of an hour, and records that
// arrive late come with the next run.
func TestLag(t *testing.T) {
	a := newAccount()
	w := window
	w.Until = a.now.Add(24 * time.Hour) // a clock that is a day ahead
	dir := t.TempDir()
	events, err := collect(t, connect(t, a), w, dir)
	if err != nil {
		t.Fatal(err)
	}
	if c := windows(t, events); len(c) != 1 || !c[0].To.Equal(a.now.Add(-15*time.Minute)) {
		t.Errorf("coverage %s at %s", engine.Facts(c), a.now)
	}
	a.add("us-east-1", a.now.Add(-20*time.Minute), "late", "iam.amazonaws.com", "CreateUser", row{"userName": "new"}, nil)
	a.now = a.now.Add(time.Hour)
	if events, err = collect(t, connect(t, a), w, dir); err != nil || count(events, "access.changed") != 19 {
		t.Errorf("%d changes, %v", count(events, "access.changed"), err)
	}
}

// TestAWSKilled: wherever runs are broken off, in the end nothing is lost and
// nothing doubled.
func TestAWSKilled(t *testing.T) {
	a := newAccount()
	want, err := collect(t, connect(t, a), window, t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	requests := len(a.requests)
	collectorstest.Survives(t, window, requests, facts(want), func(t *testing.T, request func()) (collectors.Collector, func([]engine.Event) []string) {
		a := newAccount()
		c := connect(t, a)
		a.before = func(http.ResponseWriter, *http.Request) bool { request(); return false }
		return c, facts
	})
}

func TestAWSTrouble(t *testing.T) {
	want, err := collect(t, connect(t, newAccount()), window, t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	for name, trouble := range map[string]trouble{
		"throttled": func(w http.ResponseWriter, _ *http.Request) bool {
			w.Header().Set("Content-Type", "application/x-amz-json-1.1")
			w.WriteHeader(http.StatusBadRequest)
			_, _ = io.WriteString(w, `{"__type":"ThrottlingException","message":"Rate exceeded"}`)
			return true
		},
		"503": func(w http.ResponseWriter, _ *http.Request) bool {
			w.WriteHeader(http.StatusServiceUnavailable)
			return true
		},
		"cut": func(http.ResponseWriter, *http.Request) bool { panic(http.ErrAbortHandler) },
		"cut midway": func(w http.ResponseWriter, _ *http.Request) bool {
			w.Header().Set("Content-Length", "100")
			_, _ = io.WriteString(w, `{"Events":[`)
			w.(http.Flusher).Flush()
			panic(http.ErrAbortHandler)
		},
	} {
		t.Run(name, func(t *testing.T) {
			a := newAccount()
			c := connect(t, a)
			n := 0
			a.before = func(w http.ResponseWriter, r *http.Request) bool {
				if service, _ := scope(r); service != "cloudtrail" {
					return false
				}
				n++
				return n%3 == 0 && trouble(w, r)
			}
			events, err := collect(t, c, window, t.TempDir())
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(facts(want), facts(events)); diff != "" {
				t.Error(diff)
			}
		})
	}
}

// secret fails if a planted secret is in a text or below a folder.
func secret(t *testing.T, dir string, texts ...string) {
	t.Helper()
	texts = append(texts, collectorstest.Files(t, dir)...)
	if len(texts) < 4 {
		t.Fatal("too little was written")
	}
	for _, text := range texts {
		if strings.Contains(text, planted) {
			t.Errorf("a secret came out: %.200s", text)
		}
	}
}

func TestAWSSecrets(t *testing.T) {
	a := newAccount()
	dir := t.TempDir()
	if _, err := collect(t, connect(t, a), window, dir); err != nil {
		t.Fatal(err)
	}
	c := connect(t, a)
	a.before = refuseAWS("InternalFailure", func(s, _ string) bool { return s == "cloudtrail" })
	_, err := collect(t, c, window, t.TempDir())
	if err == nil {
		t.Fatal("no error")
	}
	secret(t, dir, err.Error())
}

func BenchmarkCloudTrail(b *testing.B) {
	text, err := os.ReadFile(filepath.Join(payloads, "aws-cloudtrail", "lookup-events", "page-1.json"))
	if err != nil {
		b.Fatal(err)
	}
	p := collectors.Payload{Path: "lookup-events.json", Bytes: text, ObservedAt: window.Until}
	n := 0
	for b.Loop() {
		m := iam.Map(p)
		n += len(m.Events)
		for _, ignored := range m.Ignored {
			n += ignored
		}
	}
	b.ReportMetric(float64(n)/b.Elapsed().Seconds(), "records/s")
}
