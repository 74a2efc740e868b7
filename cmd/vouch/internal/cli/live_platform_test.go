package cli

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/changevouch/changevouch/engine"
)

// platforms answers as Render does for one workspace on a plan without audit
// log, and as AWS does for one account in which somebody made himself
// administrator.
func platforms(t *testing.T) *httptest.Server {
	t.Helper()
	render := map[string]string{
		"owners/tea-1":               `{"id":"tea-1","name":"Acme","type":"team"}`,
		"services":                   `[{"service":{"id":"srv-1","name":"api","type":"web_service","repo":"https://github.com/acme/shop","branch":"main","autoDeployTrigger":"off","updatedAt":"2026-11-01T00:00:00Z"},"cursor":"c"}]`,
		"owners/tea-1/members":       `[{"userId":"usr-1","name":"Ann","email":"ann@acme.example","status":"active","role":"ADMIN","mfaEnabled":true}]`,
		"services/srv-1/deploys":     `[{"deploy":{"id":"dep-1","status":"live","trigger":"manual","commit":{"id":"97bbba74a7415360fc6ba5d2382598a375080bac"},"createdAt":"2026-11-21T10:00:00Z","finishedAt":"2026-11-21T10:02:00Z","updatedAt":"2026-11-21T10:02:00Z"},"cursor":"c"}]`,
		"services/srv-1/events":      `[{"event":{"id":"evt-1","serviceId":"srv-1","type":"deploy_started","timestamp":"2026-11-21T10:00:00Z","details":{"deployId":"dep-1","trigger":{"manual":true,"user":{"id":"usr-1","email":"ann@acme.example"}}}},"cursor":"c"}]`,
		"owners/tea-1/audit-logs":    "",
		"organizations/x/audit-logs": "",
	}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Date", "Sun, 22 Nov 2026 11:00:00 GMT")
		body, err := io.ReadAll(r.Body)
		if err != nil {
			t.Error(err)
		}
		path, toRender := strings.CutPrefix(r.URL.Path, "/v1/")
		if toRender {
			w.Header().Set("Content-Type", "application/json")
		}
		answer, known := render[path]
		switch {
		case toRender && known && answer == "":
			w.WriteHeader(http.StatusPaymentRequired)
			fmt.Fprint(w, `{"message":"not on this plan"}`)
		case toRender && (!known || r.URL.Query().Has("cursor")):
			fmt.Fprint(w, `[]`)
		case toRender:
			fmt.Fprint(w, answer)
		case strings.Contains(string(body), "Action=GetCallerIdentity"):
			fmt.Fprint(w, `<GetCallerIdentityResponse><GetCallerIdentityResult><Account>123456789012</Account></GetCallerIdentityResult></GetCallerIdentityResponse>`)
		case r.Header.Get("X-Amz-Target") == "CloudTrail_20131101.LookupEvents":
			record, err := json.Marshal(map[string]any{
				"eventID": "e1", "eventTime": "2026-11-21T09:00:00Z", "eventSource": "iam.amazonaws.com", "eventName": "AttachUserPolicy", "recipientAccountId": "123456789012",
				"userIdentity":      map[string]any{"type": "IAMUser", "userName": "ann", "principalId": "AIDA1", "accountId": "123456789012"},
				"requestParameters": map[string]any{"userName": "ann", "policyArn": "arn:aws:iam::aws:policy/AdministratorAccess"},
			})
			if err != nil {
				t.Error(err)
			}
			w.Header().Set("Content-Type", "application/x-amz-json-1.1")
			fmt.Fprintf(w, `{"Events":[{"EventId":"e1","CloudTrailEvent":%q}]}`, record)
		default: // the credential report and the policies are not for this key
			w.WriteHeader(http.StatusForbidden)
			fmt.Fprint(w, `<ErrorResponse><Error><Code>AccessDenied</Code><Message>no</Message></Error></ErrorResponse>`)
		}
	}))
	t.Cleanup(server.Close)
	return server
}

// TestPlatformsLive goes from Render and CloudTrail over HTTP to decisions: the
// deployment and the grant are there, with who did it, and judged; what could not
// be read is named in each dossier.
func TestPlatformsLive(t *testing.T) {
	server := platforms(t)
	none := filepath.Join(t.TempDir(), "none")
	for name, value := range map[string]string{
		"AWS_ACCESS_KEY_ID": "AKIATEST", "AWS_SECRET_ACCESS_KEY": "a-key-of-the-test", "AWS_ENDPOINT_URL": server.URL, "AWS_REGION": "us-east-1",
		"AWS_EC2_METADATA_DISABLED": "true", "AWS_CONFIG_FILE": none, "AWS_SHARED_CREDENTIALS_FILE": none, "AWS_PROFILE": "",
	} {
		t.Setenv(name, value)
	}
	dir := t.TempDir()
	directory := filepath.Join(dir, "directory.yaml")
	if err := os.WriteFile(directory, []byte("complete: true\npeople:\n  - id: ann\n    kind: employee\n    accounts: {render: [ann@acme.example], iam: [ann], github: [ann]}\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	want := 0
	vouch := func(args ...string) (string, string) {
		t.Helper()
		var out, told bytes.Buffer
		sys := System{
			Stdin: strings.NewReader(""), Stdout: &out, Stderr: &told, Version: "test",
			Now: func() time.Time { return time.Date(2026, 11, 22, 11, 0, 0, 0, time.UTC) },
			LookupEnv: func(name string) (string, bool) {
				v := map[string]string{"VOUCH_RENDER_API_KEY": "the-secret-key"}[name]
				return v, v != ""
			},
		}
		if code := Run(t.Context(), sys, args); code != want {
			t.Fatalf("vouch %s: exit code %d:\n%s", strings.Join(args, " "), code, told.String())
		}
		if text := out.String() + told.String(); strings.Contains(text, "the-secret-key") || strings.Contains(text, "a-key-of-the-test") {
			t.Errorf("a credential came out:\n%s", text)
		}
		return out.String(), told.String()
	}
	events := filepath.Join(dir, "events")
	_, told := vouch("collect", "render", "--owner", "tea-1", "--base-url", server.URL+"/v1", "--into", events, "--since", "30d")
	if !strings.Contains(told, "render incomplete") || !strings.Contains(told, "402") || !strings.Contains(told, "role ADMIN") {
		t.Errorf("the missing audit log is not told:\n%s", told)
	}
	_, told = vouch("collect", "iam", "--aws", "--region", "us-east-1", "--into", events, "--since", "30d")
	if !strings.Contains(told, "iam incomplete") || !strings.Contains(told, "iam:GetAccountAuthorizationDetails") {
		t.Errorf("the missing permissions are not told:\n%s", told)
	}
	dossiers, _ := vouch("assemble", "--events", events, "--directory", directory, "--at", "2026-11-22T11:00:00Z")
	seen := map[string]bool{}
	for line := range strings.Lines(dossiers) {
		var d engine.Dossier
		if err := json.Unmarshal([]byte(line), &d); err != nil {
			t.Fatal(err)
		}
		seen[d.Subject.Type+" "+d.Subject.ID] = true
		if d.Subject.Type != "change" && d.Subject.Type != "deployment" {
			continue
		}
		for source, fact := range map[string]string{"render": "audit_log", "iam": "credentials"} {
			if s := d.Sources[source]; s.Status != "incomplete" || !slices.Contains(s.Missing, fact) || s.Reason == "" {
				t.Errorf("%s: source %s is %s, missing %v", d.Subject.ID, source, s.Status, s.Missing)
			}
		}
		if d.Subject.Type == "change" && d.Change.Kind == "iam_grant" && (d.Change.Event.Actor != "ann" || d.Change.Event.Beneficiary != "ann") {
			t.Errorf("the grant is by %q for %q", d.Change.Event.Actor, d.Change.Event.Beneficiary)
		}
	}
	for _, subject := range []string{"change render:dep-1", "change aws:cloudtrail:e1", "access_review render"} {
		if !seen[subject] {
			t.Errorf("no dossier of %s among %v", subject, seen)
		}
	}
	file := filepath.Join(dir, "dossiers.ndjson")
	if err := os.WriteFile(file, []byte(dossiers), 0o600); err != nil {
		t.Fatal(err)
	}
	want = 2
	decisions, _ := vouch("eval", file, "-o", "ndjson")
	for line := range strings.Lines(decisions) {
		var d engine.Decision
		if err := json.Unmarshal([]byte(line), &d); err != nil {
			t.Fatal(err)
		}
		// Nobody approved either; that no audit log was read excuses neither.
		if d.Subject.Type == "change" && d.Outcome != "non_compliant" {
			t.Errorf("%s is %s", d.Subject.ID, d.Outcome)
		}
	}
}
