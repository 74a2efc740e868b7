package render_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"github.com/changevouch/changevouch/collectors"
	"github.com/changevouch/changevouch/collectors/render"
	"github.com/changevouch/changevouch/engine"
)

func TestPlanned(t *testing.T) {
	const commit = "b6205498a9348ad4aa3bba18d83d8f0ea848b639"
	deploys := `[{"cursor":"x","deploy":{"id":"dep-1","commit":{"id":"` + commit + `"},"status":"pre_deploy_in_progress","trigger":"manual"}}]`
	events := `[{"cursor":"y","event":{"type":"deploy_started","details":{"deployId":"dep-0","trigger":{"user":{"email":"eve@acme.example"}}}}},
	  {"cursor":"z","event":{"type":"deploy_started","details":{"deployId":"dep-1","trigger":{"manual":true,"user":{"id":"usr-1","email":"bob@acme.example"}}}}}]`
	for _, test := range []struct {
		name, deploys, events string
		want                  engine.PlannedDeployment
		fault                 string
	}{
		{"found", deploys, events, engine.PlannedDeployment{System: "render", ID: "dep-1", Service: "srv-1", Commit: commit, Trigger: "manual", User: "bob@acme.example"}, ""},
		{"nobody pressed a button", strings.ReplaceAll(deploys, "manual", "new_commit"), `[]`, engine.PlannedDeployment{System: "render", ID: "dep-1", Service: "srv-1", Commit: commit, Trigger: "new_commit"}, ""},
		{"another commit", strings.ReplaceAll(deploys, "b62", "c62"), events, engine.PlannedDeployment{}, "no deploy of b6205498a934 to srv-1 is in its pre-deploy command"},
		{"an image", `[{"deploy":{"id":"dep-1","commit":null,"image":{"ref":"x"}}}]`, events, engine.PlannedDeployment{}, "no deploy of"},
		{"no list", `{}`, events, engine.PlannedDeployment{}, "answered no list"},
		{"not for this key", "", events, engine.PlannedDeployment{}, "HTTP 404"},
	} {
		t.Run(test.name, func(t *testing.T) {
			server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				w.Header().Set("Content-Type", "application/json")
				switch {
				case r.Header.Get("Authorization") != "Bearer "+apiKey || test.deploys == "":
					w.WriteHeader(http.StatusNotFound)
					fmt.Fprint(w, `{"message":"not found"}`)
				case r.URL.RequestURI() == "/services/srv-1/deploys?limit=1&status=pre_deploy_in_progress":
					fmt.Fprint(w, test.deploys)
				case r.URL.RequestURI() == "/services/srv-1/events?limit=20&type=deploy_started":
					fmt.Fprint(w, test.events)
				default:
					t.Errorf("asked for %s", r.URL)
				}
			}))
			defer server.Close()
			base, err := url.Parse(server.URL)
			if err != nil {
				t.Fatal(err)
			}
			transport := &http.Transport{}
			defer transport.CloseIdleConnections()
			client, err := render.NewClient(apiKey, collectors.Service{Base: base, Transport: transport})
			if err != nil {
				t.Fatal(err)
			}
			got, err := client.Planned(t.Context(), "srv-1", commit)
			switch {
			case test.fault != "" && (err == nil || !strings.Contains(err.Error(), test.fault)):
				t.Errorf("error %v, want %q", err, test.fault)
			case test.fault == "" && (err != nil || got != test.want):
				t.Errorf("%+v, %v", got, err)
			}
		})
	}
}
