package app

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/changevouch/changevouch/collectors"
)

// TestLiveCredentials: credentials come from a file or from variables, travel to
// https or to this machine only, and their absence says what to do.
func TestLiveCredentials(t *testing.T) {
	file := filepath.Join(t.TempDir(), "token")
	if err := os.WriteFile(file, []byte("a-token\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		open  func(Surroundings) ([]collectors.Collector, error)
		env   map[string]string
		names string
		err   string
	}{
		"Render by variable":        {renderOf(Render{Owners: []string{"tea-1"}, Services: []string{"srv-1"}}), map[string]string{"RENDER_API_KEY": "k"}, "render/tea-1 render/srv-1", ""},
		"Render by file":            {renderOf(Render{Owners: []string{"tea-1"}, TokenFile: file}), nil, "render/tea-1", ""},
		"Render without a key":      {renderOf(Render{Owners: []string{"tea-1"}}), nil, "", "VOUCH_RENDER_API_KEY"},
		"Render in the clear":       {renderOf(Render{Owners: []string{"tea-1"}, BaseURL: "http://render.example/v1"}), map[string]string{"RENDER_API_KEY": "k"}, "", "https"},
		"Render on this machine":    {renderOf(Render{Owners: []string{"tea-1"}, BaseURL: "http://127.0.0.1:1/v1"}), map[string]string{"RENDER_API_KEY": "k"}, "render/tea-1", ""},
		"credentials in an address": {renderOf(Render{Owners: []string{"tea-1"}, BaseURL: "https://me:secret@render.example"}), map[string]string{"RENDER_API_KEY": "k"}, "", "address"},
		"an organisation alone":     {renderOf(Render{Organization: "org-1"}), nil, "", "--owner"},
		"nothing of Render":         {renderOf(Render{}), nil, "", ""},
		"Okta":                      {access(Access{Okta: []string{"https://acme.okta.com"}}), map[string]string{"VOUCH_OKTA_TOKEN": "k"}, "okta/acme.okta.com", ""},
		"Okta without a token":      {access(Access{Okta: []string{"https://acme.okta.com"}}), nil, "", "VOUCH_OKTA_TOKEN"},
		"a region without AWS":      {access(Access{Regions: []string{"eu-west-1"}}), nil, "", "--aws"},
	} {
		t.Run(name, func(t *testing.T) {
			all, err := c.open(Surroundings{LookupEnv: func(name string) (string, bool) { v, ok := c.env[name]; return v, ok }})
			var names []string
			for _, one := range all {
				names = append(names, one.Name())
			}
			if strings.Join(names, " ") != c.names {
				t.Errorf("collectors %v, want %s", names, c.names)
			}
			switch {
			case c.err == "" && err != nil, c.err != "" && (err == nil || !strings.Contains(err.Error(), c.err)):
				t.Errorf("error %v, want %q", err, c.err)
			case err != nil && strings.Contains(err.Error(), "secret@") && c.err != "address":
				t.Errorf("a secret in %v", err)
			}
		})
	}
}

func renderOf(r Render) func(Surroundings) ([]collectors.Collector, error) { return r.Collectors }

func access(a Access) func(Surroundings) ([]collectors.Collector, error) {
	return func(s Surroundings) ([]collectors.Collector, error) { return a.Collectors(context.Background(), s) }
}

// TestLiveAWS goes from the usual credentials to an account, over HTTP.
func TestLiveAWS(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil || !strings.Contains(string(body), "Action=GetCallerIdentity") {
			http.Error(w, "no", http.StatusBadRequest)
			return
		}
		_, _ = fmt.Fprint(w, `<GetCallerIdentityResponse><GetCallerIdentityResult><Account>123456789012</Account></GetCallerIdentityResult></GetCallerIdentityResponse>`)
	}))
	defer server.Close()
	for name, value := range map[string]string{
		"AWS_ACCESS_KEY_ID": "AKIATEST", "AWS_SECRET_ACCESS_KEY": "a-key-of-the-test", "AWS_ENDPOINT_URL": server.URL, "AWS_REGION": "eu-west-1",
		"AWS_EC2_METADATA_DISABLED": "true", "AWS_CONFIG_FILE": filepath.Join(t.TempDir(), "none"), "AWS_SHARED_CREDENTIALS_FILE": filepath.Join(t.TempDir(), "none"), "AWS_PROFILE": "",
	} {
		t.Setenv(name, value)
	}
	all, err := Access{AWS: true}.Collectors(t.Context(), Surroundings{})
	if err != nil || len(all) != 1 || all[0].Name() != "aws/123456789012" {
		t.Errorf("%v, %v", all, err)
	}
}

// TestLiveGoesOn: a collector that fails keeps the others from nothing.
func TestLiveGoesOn(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusUnauthorized) }))
	defer server.Close()
	r := Render{Owners: []string{"tea-1", "tea-2"}, BaseURL: server.URL}
	all, err := r.Collectors(Surroundings{LookupEnv: func(string) (string, bool) { return "k", true }})
	if err != nil {
		t.Fatal(err)
	}
	until := time.Date(2026, 9, 10, 6, 0, 0, 0, time.UTC)
	l := Live{Window: collectors.Window{Since: until.Add(-time.Hour), Until: until}, Folder: t.TempDir()}
	summaries, err := l.Collect(t.Context(), all, func(string, collectors.Batch) {})
	if err == nil || errors.Is(err, context.Canceled) || len(summaries) != 2 {
		t.Fatalf("%d summaries, %v", len(summaries), err)
	}
	for _, s := range summaries {
		if len(s.Coverage) != 2 || s.Coverage[0].Status != "unavailable" || !strings.Contains(s.Coverage[0].Reason, "not accepted") {
			t.Errorf("%s says of its sources %+v", s.Name, s.Coverage)
		}
	}
}
