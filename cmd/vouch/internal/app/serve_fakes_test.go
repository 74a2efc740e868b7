package app_test

import (
	"crypto"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"crypto/x509"

	"github.com/changevouch/changevouch/cmd/vouch/internal/app"
)

type object = map[string]any

// hub is a GitHub with one repository, acme/shop. It lets an app or a token read the
// pull requests that it was given, and keeps what is written there: check runs,
// statuses, issues and comments. What else is asked for may not be read.
type hub struct {
	*httptest.Server
	t     *testing.T
	clock *clock
	key   *rsa.PrivateKey // of the app

	lock    sync.Mutex
	pulls   map[int]object
	runs    []object            // check runs
	shown   []object            // statuses, the newest first
	said    map[string][]object // issues and comments, by path
	changes []string            // what was written, METHOD path
	signed  int                 // how often the app asked for a token
}

const hubToken = "ghs_of-the-installation"

func newHub(t *testing.T, c *clock) *hub {
	h := &hub{t: t, clock: c, pulls: map[int]object{}, said: map[string][]object{}}
	h.Server = httptest.NewServer(h)
	t.Cleanup(h.Close)
	return h
}

// app gives the configuration a GitHub App.
func (h *hub) app(config *app.Config) {
	text := appKey(h.t)
	block, _ := pem.Decode([]byte(text))
	key, err := x509.ParsePKCS1PrivateKey(block.Bytes)
	if err != nil {
		h.t.Fatal(err)
	}
	h.key = key
	config.GitHub.URL = h.URL
	config.GitHub.App = app.GitHubAppConfig{ID: "77", PrivateKeyFile: write(h.t, h.t.TempDir(), "app.pem", text)}
}

// token gives the configuration a token.
func (h *hub) token(config *app.Config) {
	config.GitHub.URL = h.URL
	config.GitHub.TokenFile = write(h.t, h.t.TempDir(), "token", hubToken)
}

// pull is a pull request as it is now. Nobody is told of it.
func (h *hub) pull(number int, updated time.Time, title string) object {
	h.t.Helper()
	var d struct {
		Pull object `json:"pull_request"`
	}
	if err := json.Unmarshal([]byte(pullDelivery(number, updated, title)), &d); err != nil {
		h.t.Fatal(err)
	}
	h.lock.Lock()
	defer h.lock.Unlock()
	h.pulls[number] = d.Pull
	return d.Pull
}

// merge has a pull request be merged.
func (h *hub) merge(number int, at time.Time) object {
	h.lock.Lock()
	defer h.lock.Unlock()
	p := maps.Clone(h.pulls[number])
	stamp := at.UTC().Format(time.RFC3339)
	maps.Copy(p, object{"state": "closed", "merged": true, "merged_at": stamp, "closed_at": stamp, "updated_at": stamp,
		"merged_by": object{"login": "alice", "id": 101, "type": "User"}, "merge_commit_sha": p["head"].(object)["sha"]})
	h.pulls[number] = p
	return p
}

// told is the body of a delivery about the repository.
func (h *hub) told(fields object) string {
	maps.Copy(fields, object{"sender": object{"login": "alice", "id": 101, "type": "User"}, "repository": object{"id": 77, "full_name": "acme/shop", "default_branch": "main"}})
	text, err := json.Marshal(fields)
	if err != nil {
		h.t.Fatal(err)
	}
	return string(text)
}

// written is what was written since the first n changes, and what the check runs say now.
func (h *hub) written(n int) (changes []string, runs []object) {
	h.lock.Lock()
	defer h.lock.Unlock()
	for _, run := range h.runs {
		runs = append(runs, maps.Clone(run))
	}
	return slices.Clone(h.changes[min(n, len(h.changes)):]), runs
}

func (h *hub) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	h.lock.Lock()
	defer h.lock.Unlock()
	w.Header().Set("Date", h.clock.now().UTC().Format(http.TimeFormat))
	w.Header().Set("Content-Type", "application/json")
	path := strings.TrimPrefix(r.URL.Path, "/api/v3/")
	status, answer := h.answer(r, path)
	w.WriteHeader(status)
	if err := json.NewEncoder(w).Encode(answer); err != nil {
		h.t.Error(err)
	}
}

func (h *hub) answer(r *http.Request, path string) (int, any) {
	credentials := strings.TrimPrefix(r.Header.Get("Authorization"), "Bearer ")
	if path == "orgs/acme/installation" || path == "app/installations/4/access_tokens" {
		if err := h.ours(credentials); err != nil {
			h.t.Errorf("%s: %v", path, err)
			return http.StatusUnauthorized, object{"message": "Bad credentials"}
		}
		if path == "orgs/acme/installation" {
			return http.StatusOK, object{"id": 4}
		}
		h.signed++
		return http.StatusCreated, object{"token": hubToken, "expires_at": time.Now().Add(time.Hour).UTC().Format(time.RFC3339)}
	}
	if credentials != hubToken {
		h.t.Errorf("%s %s as %q", r.Method, path, credentials)
		return http.StatusUnauthorized, object{"message": "Bad credentials"}
	}
	below := strings.TrimPrefix(path, "repos/acme/shop/")
	if r.Method != http.MethodGet && below != path {
		return h.write(r, below)
	}
	if path == "repos/acme/shop" {
		return http.StatusOK, object{"id": 77, "full_name": "acme/shop", "default_branch": "main", "has_issues": false}
	}
	if below == "pulls" {
		return http.StatusOK, slices.SortedFunc(maps.Values(h.pulls), func(a, b object) int {
			return strings.Compare(b["updated_at"].(string), a["updated_at"].(string))
		})
	}
	for number, pull := range h.pulls {
		if below == fmt.Sprintf("pulls/%d", number) {
			return http.StatusOK, pull
		}
	}
	switch {
	case strings.HasSuffix(below, "/check-runs"):
		return http.StatusOK, object{"total_count": len(h.runs), "check_runs": append([]object{}, h.runs...)}
	case strings.HasSuffix(below, "/statuses"):
		return http.StatusOK, append([]object{}, h.shown...)
	case strings.HasPrefix(below, "issues") && !strings.HasSuffix(below, "/timeline") && !strings.HasSuffix(below, "/events"):
		return http.StatusOK, append([]object{}, h.said[below]...)
	}
	return http.StatusForbidden, object{"message": "Resource not accessible by integration"}
}

func (h *hub) write(r *http.Request, below string) (int, any) {
	text, err := io.ReadAll(r.Body)
	var sent object
	if err == nil {
		err = json.Unmarshal(text, &sent)
	}
	if err != nil {
		h.t.Errorf("%s: %v", below, err)
		return http.StatusBadRequest, object{}
	}
	h.changes = append(h.changes, r.Method+" "+below)
	now := h.clock.now().UTC().Format(time.RFC3339)
	switch {
	case below == "check-runs":
		maps.Copy(sent, object{"id": len(h.runs) + 1, "app": object{"id": 77, "slug": "changevouch"}, "completed_at": now, "url": "https://api.github.com/repos/acme/shop/check-runs/1"})
		h.runs = append(h.runs, sent)
	case strings.HasPrefix(below, "check-runs/"):
		run := h.runs[len(h.runs)-1]
		maps.Copy(run, sent)
		run["completed_at"] = now
		return http.StatusOK, run
	case strings.HasPrefix(below, "statuses/"):
		maps.Copy(sent, object{"id": len(h.shown) + 1, "created_at": now, "updated_at": now})
		h.shown = append([]object{sent}, h.shown...)
	default:
		h.said[below] = append(h.said[below], sent)
	}
	return http.StatusCreated, sent
}

// ours checks that a token was signed by the app (RFC 7519, RS256).
func (h *hub) ours(token string) error {
	parts := strings.Split(token, ".")
	if h.key == nil || len(parts) != 3 {
		return errors.New("no token of an app")
	}
	signature, err := base64.RawURLEncoding.DecodeString(parts[2])
	if err != nil {
		return err
	}
	sum := sha256.Sum256([]byte(parts[0] + "." + parts[1]))
	if err := rsa.VerifyPKCS1v15(&h.key.PublicKey, crypto.SHA256, sum[:], signature); err != nil {
		return err
	}
	text, err := base64.RawURLEncoding.DecodeString(parts[1])
	if err == nil && !strings.Contains(string(text), `"iss":"77"`) {
		err = fmt.Errorf("claims %s", text)
	}
	return err
}
