package git_test

import (
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/changevouch/changevouch/collectors"
	"github.com/changevouch/changevouch/collectors/git"
)

// The addresses below which servers answer; credentials go nowhere else.
func TestConnectBaseURL(t *testing.T) {
	tests := []struct{ base, name, fault string }{
		{"", "github.com/acme/shop", ""},
		{"https://github.com", "github.com/acme/shop", ""},
		{"https://api.github.com/", "github.com/acme/shop", ""},
		{"https://github.example.com", "github.example.com/acme/shop", ""},
		{"https://github.example.com/api/v3/", "github.example.com/acme/shop", ""},
		{"https://acme.ghe.com", "acme.ghe.com/acme/shop", ""},
		{"https://api.acme.ghe.com", "acme.ghe.com/acme/shop", ""},
		{"http://github.example.com", "", "only https"},
		{"https://user:word@github.example.com", "", "scheme and host only"},
		{"github.example.com", "", "only https"},
		{"https://", "", "scheme and host only"},
		{"https://github.example.com?x=1", "", "scheme and host only"},
	}
	for _, tc := range tests {
		g, err := git.Connect(git.Options{BaseURL: tc.base, Token: fakeToken})
		if tc.fault != "" {
			if err == nil || !strings.Contains(err.Error(), tc.fault) || strings.Contains(err.Error(), "word") {
				t.Errorf("%q: error %v, want %q", tc.base, err, tc.fault)
			}
			continue
		}
		if err != nil {
			t.Errorf("%q: %v", tc.base, err)
			continue
		}
		if c, err := g.Repository("acme/shop"); err != nil || c.Name() != tc.name {
			t.Errorf("%q: collector %v, error %v", tc.base, c, err)
		}
	}
}

// An app signs itself in, and again before its token ends.
func TestConnectApp(t *testing.T) {
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	f := newFake(t)
	f.shop(3)
	now := day(30)
	made := 0
	f.trouble = func(w http.ResponseWriter, r *http.Request, _ int) bool {
		switch path := strings.TrimPrefix(r.URL.Path, "/api/v3/"); {
		case path == "orgs/acme/installation" && made == 0:
			f.answer(w, r, http.StatusNotFound, object{"message": "Not Found", "documentation_url": "x"})
		case path == "orgs/acme/installation", path == "users/acme/installation":
			checkJWT(t, r, key, now)
			f.answer(w, r, http.StatusOK, object{"id": 77})
		case path == "app/installations/77/access_tokens" && r.Method == http.MethodPost:
			checkJWT(t, r, key, now)
			made++
			f.tokens = []string{fmt.Sprint("Bearer ghs_", made)}
			f.answer(w, r, http.StatusCreated, object{"token": fmt.Sprint("ghs_", made), "expires_at": at(now.Add(time.Hour))})
		default:
			now = now.Add(time.Minute)
			return false
		}
		return true
	}
	g, err := git.Connect(git.Options{BaseURL: f.server.URL, Service: impatient(nil),
		App: &git.App{ID: "4711", Key: key, Owner: "acme", Now: func() time.Time { return now }}})
	if err != nil {
		t.Fatal(err)
	}
	c, err := g.Repository("acme/shop")
	if err != nil {
		t.Fatal(err)
	}
	if s, _ := collect(t, c, march, t.TempDir()); coverageOf(t, s, "github").Status != "complete" {
		t.Errorf("coverage %+v", s.Coverage)
	}
	if made < 2 {
		t.Errorf("made %d tokens over hours, want one an hour", made)
	}
}

// checkJWT checks what GitHub checks: the signature, who, and for how long.
func checkJWT(t *testing.T, r *http.Request, key *rsa.PrivateKey, now time.Time) {
	t.Helper()
	parts := strings.Split(strings.TrimPrefix(r.Header.Get("Authorization"), "Bearer "), ".")
	if len(parts) != 3 {
		t.Errorf("authorised with %d parts, want a JWT", len(parts))
		return
	}
	signature, err := base64.RawURLEncoding.DecodeString(parts[2])
	if err != nil {
		t.Error(err)
	}
	digest := sha256.Sum256([]byte(parts[0] + "." + parts[1]))
	if err := rsa.VerifyPKCS1v15(&key.PublicKey, crypto.SHA256, digest[:], signature); err != nil {
		t.Error(err)
	}
	raw, err := base64.RawURLEncoding.DecodeString(parts[1])
	if err != nil {
		t.Error(err)
	}
	var claims struct {
		Issued, Expires int64
		Issuer          string
	}
	var o map[string]any
	if err := json.Unmarshal(raw, &o); err != nil {
		t.Error(err)
	}
	claims.Issuer, _ = o["iss"].(string)
	issued, _ := o["iat"].(float64)
	ends, _ := o["exp"].(float64)
	if claims.Issuer != "4711" || int64(issued) != now.Add(-time.Minute).Unix() || ends-issued > 600 || ends <= float64(now.Unix()) {
		t.Errorf("claims %v at %d", o, now.Unix())
	}
}

func TestConnectRefusesTwoIdentities(t *testing.T) {
	if _, err := git.Connect(git.Options{Token: fakeToken, App: &git.App{}}); err == nil {
		t.Error("took a token and an app")
	}
}

func TestParseKey(t *testing.T) {
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	eight, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	for _, block := range []pem.Block{{Type: "RSA PRIVATE KEY", Bytes: x509.MarshalPKCS1PrivateKey(key)}, {Type: "PRIVATE KEY", Bytes: eight}} {
		if got, err := git.ParseKey(pem.EncodeToMemory(&block)); err != nil || !got.Equal(key) {
			t.Errorf("%s: %v", block.Type, err)
		}
	}
	for _, text := range []string{"", "secret words", "-----BEGIN RSA PRIVATE KEY-----\nAAAA\n-----END RSA PRIVATE KEY-----\n"} {
		if _, err := git.ParseKey([]byte(text)); err == nil || strings.Contains(err.Error(), "words") {
			t.Errorf("%q: error %v", text, err)
		}
	}
}

// After a renaming the old name still leads to the repository.
func TestLiveFollowsRenaming(t *testing.T) {
	f := newFake(t)
	f.shop(1)
	f.trouble = func(w http.ResponseWriter, r *http.Request, _ int) bool {
		if r.URL.Path != "/api/v3/repos/acme/old-name" {
			return false
		}
		http.Redirect(w, r, "/api/v3/"+shop, http.StatusMovedPermanently)
		return true
	}
	c, err := f.connect(t, nil).Repository("acme/old-name")
	if err != nil {
		t.Fatal(err)
	}
	if s, _ := collect(t, c, march, t.TempDir()); coverageOf(t, s, "github").Repository != "acme/shop" {
		t.Errorf("coverage %+v", s.Coverage)
	}
}

// A next page that lies elsewhere is not followed.
func TestLiveStaysOnItsServer(t *testing.T) {
	f := newFake(t)
	f.shop(1)
	f.trouble = func(w http.ResponseWriter, r *http.Request, _ int) bool {
		if strings.HasSuffix(r.URL.Path, "/reviews") {
			w.Header().Set("Link", `<https://evil.example/repos/acme/shop/pulls?page=2>; rel="next"`)
		}
		return false
	}
	folder, err := collectors.OpenFolder(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	defer folder.Close()
	if _, err := collectors.Run(t.Context(), repository(t, f), march, folder, nil); err == nil || !strings.Contains(err.Error(), "lies elsewhere") {
		t.Errorf("error %v", err)
	}
}

func TestLiveOrganization(t *testing.T) {
	f := newFake(t)
	f.shop(1)
	g := f.connect(t, nil)
	var paths []string
	mapper := func(p collectors.Payload) collectors.Mapping {
		paths = append(paths, p.Path)
		r := collectors.NewRecorder(p, "iam", "github")
		r.Ignore("page")
		return r.Mapping()
	}
	c, err := g.Organization("acme", mapper)
	if err != nil {
		t.Fatal(err)
	}
	folder, err := collectors.OpenFolder(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	defer folder.Close()
	f.refuse["orgs/acme/invitations"] = refusal{403, "Resource not accessible by integration", "members=read"}
	s, err := collectors.Run(t.Context(), c, march, folder, nil)
	if err != nil {
		t.Fatal(err)
	}
	want := []string{"orgs/acme/members.role-admin.json", "orgs/acme/members.role-member.json", "orgs/acme/members.filter-2fa_disabled.json",
		"orgs/acme/outside_collaborators.json", "orgs/acme/installations.json", "orgs/acme/audit-log.json", "orgs/acme/audit-log.json"}
	if !slices.Equal(paths, want) {
		t.Errorf("read %v, want %v", paths, want)
	}
	one := coverageOf(t, s, "iam")
	if one.Status != "incomplete" || !slices.Equal(one.Missing, []string{"members"}) || !strings.Contains(one.Reason, "Grant members: read") {
		t.Errorf("coverage %+v", one)
	}
	names, err := g.Repositories(t.Context(), "acme")
	if err != nil || !slices.Equal(names, []string{"acme/shop"}) {
		t.Errorf("repositories %v, error %v", names, err)
	}
	if _, err := g.Repositories(t.Context(), "nobody"); err == nil || !strings.Contains(err.Error(), "cannot be read") {
		t.Errorf("error %v", err)
	}
}
