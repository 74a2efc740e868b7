package git

import (
	"context"
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"sync"
	"time"

	"github.com/google/go-github/v60/github"

	"github.com/changevouch/changevouch/collectors"
)

// App is a GitHub App, installed with the owner of what is read.
type App struct {
	ID    string // app id or client id
	Key   *rsa.PrivateKey
	Owner string // organisation or user
	// Installation with the owner; 0 has GitHub asked for it.
	Installation int64
	Now          func() time.Time // the clock
}

// ParseKey reads the private key file of a GitHub App: PEM, PKCS #1 or #8.
func ParseKey(text []byte) (*rsa.PrivateKey, error) {
	block, _ := pem.Decode(text)
	if block == nil {
		return nil, errors.New("no PEM block: give the private key file that GitHub made for the app")
	}
	if key, err := x509.ParsePKCS1PrivateKey(block.Bytes); err == nil {
		return key, nil
	}
	key, err := x509.ParsePKCS8PrivateKey(block.Bytes)
	if err != nil {
		return nil, errors.New("no RSA private key: give the private key file that GitHub made for the app")
	}
	if rsaKey, ok := key.(*rsa.PrivateKey); ok {
		return rsaKey, nil
	}
	return nil, errors.New("the key is no RSA key, and GitHub Apps have no others")
}

// earlier is how long before its end an installation token is replaced.
const earlier = 5 * time.Minute

// authorize signs requests with the installation's token, and gets one when
// there is none or it is about to end. Safe for concurrent use.
func (a *App) authorize(s collectors.Service) func(*http.Request) error {
	now, base := a.Now, s.Base
	s.Authorize = func(r *http.Request) error {
		signed, err := a.jwt(now())
		if err != nil {
			return err
		}
		return bearer(signed)(r)
	}
	api := github.NewClient(collectors.NewClient(s))
	api.BaseURL, api.UserAgent = base, "changevouch"
	var lock sync.Mutex
	var token string
	var ends time.Time
	return func(r *http.Request) error {
		lock.Lock()
		defer lock.Unlock()
		if token == "" || !now().Before(ends.Add(-earlier)) {
			// Its own time: the attempt that asks for it may be short of it.
			ctx, cancel := context.WithTimeout(context.WithoutCancel(r.Context()), time.Minute)
			defer cancel()
			t, err := a.installationToken(ctx, api)
			if err != nil {
				return err
			}
			token, ends = t.GetToken(), t.GetExpiresAt().Time
		}
		return bearer(token)(r)
	}
}

func (a *App) installationToken(ctx context.Context, api *github.Client) (*github.InstallationToken, error) {
	if a.Installation != 0 {
		return a.tokenOf(ctx, api, a.Installation)
	}
	found, _, err := api.Apps.FindOrganizationInstallation(ctx, url.PathEscape(a.Owner))
	if refusal, ok := errors.AsType[*github.ErrorResponse](err); ok && refusal.Response.StatusCode == http.StatusNotFound {
		found, _, err = api.Apps.FindUserInstallation(ctx, url.PathEscape(a.Owner))
	}
	if err != nil {
		return nil, fmt.Errorf("GitHub App %s: find its installation with %s: %w", a.ID, a.Owner, err)
	}
	return a.tokenOf(ctx, api, found.GetID())
}

func (a *App) tokenOf(ctx context.Context, api *github.Client, installation int64) (*github.InstallationToken, error) {
	token, _, err := api.Apps.CreateInstallationToken(ctx, installation, nil)
	if err != nil {
		return nil, fmt.Errorf("GitHub App %s: token of its installation with %s: %w", a.ID, a.Owner, err)
	}
	return token, nil
}

// jwt is the app's own token (RFC 7519, RS256). It begins a minute ago, since
// clocks differ, and lives less than the ten minutes that GitHub allows.
func (a *App) jwt(now time.Time) (string, error) {
	claims, err := json.Marshal(map[string]any{
		"iat": now.Add(-time.Minute).Unix(), "exp": now.Add(8 * time.Minute).Unix(), "iss": a.ID,
	})
	if err != nil {
		return "", fmt.Errorf("sign as GitHub App %s: %w", a.ID, err)
	}
	enc := base64.RawURLEncoding
	input := enc.EncodeToString([]byte(`{"alg":"RS256","typ":"JWT"}`)) + "." + enc.EncodeToString(claims)
	sum := sha256.Sum256([]byte(input))
	signature, err := rsa.SignPKCS1v15(rand.Reader, a.Key, crypto.SHA256, sum[:])
	if err != nil {
		return "", fmt.Errorf("sign as GitHub App %s: %w", a.ID, err)
	}
	return input + "." + enc.EncodeToString(signature), nil
}
