package git

import (
	"net/http"
	"strings"
	"testing"
)

// TestRestrained: each client makes the requests that it is for, and no others.
func TestRestrained(t *testing.T) {
	for name, connect := range map[string]func() (*GitHub, error){
		"collector": func() (*GitHub, error) { return Connect(Options{Token: "t", BaseURL: "http://127.0.0.1:1"}) },
		"reporter": func() (*GitHub, error) {
			r, err := ConnectReporter(Options{Token: "t", BaseURL: "http://127.0.0.1:1"})
			if err != nil {
				return nil, err
			}
			return r.github, nil
		},
	} {
		g, err := connect()
		if err != nil {
			t.Fatal(err)
		}
		guard, ok := g.api.Client().Transport.(restrained)
		if !ok {
			t.Fatalf("%s: transport %T", name, g.api.Client().Transport)
		}
		for request, allowed := range map[string]string{
			"GET /api/v3/repos/a/b":                                "collector reporter",
			"POST /api/graphql":                                    "collector",
			"POST /api/v3/repos/a/b/check-runs":                    "reporter",
			"PATCH /api/v3/repos/a/b/check-runs/1":                 "reporter",
			"POST /repos/a/b/statuses/" + strings.Repeat("0", 40):  "reporter",
			"PUT /api/v3/repos/a/b/pulls/1/merge":                  "",
			"POST /api/v3/repos/a/b/check-runs/1/rerequest":        "",
			"POST /api/v3/repos/a/b/issues":                        "",
			"DELETE /api/v3/repos/a/b/check-runs/1":                "",
			"POST /api/v3/repos/a/b/pulls/1/reviews/../check-runs": "",
		} {
			method, path, _ := strings.Cut(request, " ")
			r, err := http.NewRequestWithContext(t.Context(), method, "http://127.0.0.1:1"+path, nil)
			if err != nil {
				t.Fatal(err)
			}
			if got, want := guard.allowed(r), strings.Contains(allowed, name); got != want {
				t.Errorf("%s: %s is allowed: %v", name, request, got)
			}
		}
	}
}
