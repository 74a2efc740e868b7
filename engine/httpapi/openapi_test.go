package httpapi

import (
	"flag"
	"net/http"
	"os"
	"strings"
	"testing"

	"github.com/danielgtaylor/huma/v2"
	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"
)

var update = flag.Bool("update", false, "write openapi.yaml anew")

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// TestOpenAPI holds openapi.yaml to what is served: go test ./engine/httpapi -update.
func TestOpenAPI(t *testing.T) {
	text, err := OpenAPI("devel")
	if err != nil {
		t.Fatal(err)
	}
	const file = "openapi.yaml"
	if *update {
		if err := os.WriteFile(file, text, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	kept, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(strings.Split(string(kept), "\n"), strings.Split(string(text), "\n")); diff != "" {
		t.Errorf("%s is out of date (-file +served); -update writes it\n%s", file, diff)
	}
	again, err := OpenAPI("devel")
	if err != nil || string(again) != string(text) {
		t.Errorf("the document is another each time: %v", err)
	}
}

// TestAccessIsComplete: a route without a row and a row without a route are errors.
func TestAccessIsComplete(t *testing.T) {
	s, err := newServer(Config{Rules: func() Rules { return Rules{} }})
	if err != nil {
		t.Fatal(err)
	}
	s.plain(operation("new", "GET", "/v1/new", "A new route"), func(http.ResponseWriter, *http.Request) {})
	if err := s.complete(); err == nil || !strings.Contains(err.Error(), "GET /v1/new is in no row") {
		t.Errorf("a route without a row: %v", err)
	}
	delete(s.api.OpenAPI().Paths, "/v1/new")
	delete(s.api.OpenAPI().Paths, "/v1/controls")
	if err := s.complete(); err == nil || !strings.Contains(err.Error(), "GET /v1/controls, which is no route") {
		t.Errorf("a row without a route: %v", err)
	}
}

// TestOpenAPIAnswers: what is served as JSON is described as JSON, in each form that it
// can have.
func TestOpenAPIAnswers(t *testing.T) {
	s, err := newServer(Config{Rules: func() Rules { return Rules{} }})
	if err != nil {
		t.Fatal(err)
	}
	for path, item := range s.api.OpenAPI().Paths {
		for _, op := range []*huma.Operation{item.Get, item.Post} {
			if op == nil {
				continue
			}
			if op.Responses["default"] == nil {
				t.Errorf("%s %s describes no error", op.Method, path)
			}
			for status, response := range op.Responses {
				if said := response.Content["application/json"]; said != nil && said.Schema.ContentEncoding != "" {
					t.Errorf("%s %s answers %s with %s, not with JSON", op.Method, path, status, said.Schema.ContentEncoding)
				}
			}
		}
	}
	if policy := s.schemas().Map()["Decision"].Properties["policy"]; len(policy.OneOf) != 2 {
		t.Errorf("policy is %+v; it is one reference or a list", policy)
	}
}
