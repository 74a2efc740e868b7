package git_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/changevouch/changevouch/collectors/git"
)

// TestNotifier writes notices as an issue and as a comment, and none of them twice.
func TestNotifier(t *testing.T) {
	written := map[string][]map[string]any{}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		path := strings.TrimPrefix(r.URL.Path, "/api/v3")
		switch {
		case r.Header.Get("Authorization") != "Bearer the-token":
			http.Error(w, `{"message":"Bad credentials"}`, http.StatusUnauthorized)
		case strings.HasPrefix(path, "/repos/acme/closed/"):
			http.Error(w, `{"message":"Issues are disabled for this repo"}`, http.StatusGone)
		case r.Method == http.MethodGet:
			list := written[path]
			if list == nil {
				list = []map[string]any{}
			}
			if err := json.NewEncoder(w).Encode(list); err != nil {
				t.Error(err)
			}
		default:
			var body map[string]any
			if err := json.NewDecoder(r.Body).Decode(&body); err != nil {
				t.Error(err)
			}
			written[path] = append(written[path], body)
			w.WriteHeader(http.StatusCreated)
			fmt.Fprint(w, `{"id":1}`)
		}
	}))
	defer server.Close()
	n, err := git.ConnectNotifier(git.Options{BaseURL: server.URL, Token: "the-token", Service: impatient(nil)})
	if err != nil {
		t.Fatal(err)
	}
	for _, mark := range []string{"notice vouch-1", "notice vouch-1", "notice vouch-2"} {
		notice := git.Notice{Title: "Violation", Body: "It fails.\n<!-- " + mark + " -->", Mark: mark}
		if err := n.Open(t.Context(), "acme/shop", notice); err != nil {
			t.Fatal(err)
		}
		if err := n.Comment(t.Context(), "acme/shop", 412, notice); err != nil {
			t.Fatal(err)
		}
	}
	issues, comments := written["/repos/acme/shop/issues"], written["/repos/acme/shop/issues/412/comments"]
	if len(issues) != 2 || len(comments) != 2 || issues[0]["title"] != "Violation" || !strings.HasPrefix(fmt.Sprint(comments[0]["body"]), "**Violation**\n\nIt fails.") {
		t.Errorf("issues %v, comments %v", issues, comments)
	}
	for repository, want := range map[string]string{"acme/closed": "Issues are disabled", "acme": "expected OWNER/NAME", "acme/..": "expected OWNER/NAME"} {
		if err := n.Open(t.Context(), repository, git.Notice{Title: "x", Mark: "y"}); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %s", repository, err, want)
		}
	}
}
