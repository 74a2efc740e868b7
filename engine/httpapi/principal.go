package httpapi

import (
	"context"
	"crypto/rand"
	"crypto/subtle"
	"encoding/base64"
	"errors"
	"fmt"
	"net/http"
	"strings"

	"github.com/changevouch/changevouch/engine"
)

// Principal is who makes a request.
type Principal struct {
	Name string // as audit entries show it
	Role engine.Role
}

// tokenPrefix lets people and secret scanners see what a token is of.
const tokenPrefix = "vouch_"

// NewToken makes a bearer token: 256 bits of chance. It is shown once; what is kept is
// TokenHash of it.
func NewToken() string {
	b := make([]byte, 32)
	_, _ = rand.Read(b) // never fails, see crypto/rand
	return tokenPrefix + base64.RawURLEncoding.EncodeToString(b)
}

// TokenHash is the hash under which a token is kept. A token has too many bits to be
// guessed, so a slow hash would protect nothing.
func TokenHash(token string) string { return engine.Digest([]byte(token)) }

// refusal is why somebody is not let in. It may be told: it says nothing of other
// tokens.
type refusal string

func (r refusal) Error() string { return string(r) }

const (
	noToken      refusal = "this takes a token: Authorization: Bearer …"
	wrongToken   refusal = "the token is not valid"
	expiredToken refusal = "the token has expired"
	revokedToken refusal = "the token was revoked"
)

// authenticate says who makes a request; the error is a refusal, or that of the journal.
func (s *server) authenticate(r *http.Request) (Principal, error) {
	given := r.Header.Values("Authorization")
	if len(given) == 0 {
		return Principal{}, noToken
	}
	scheme, token, _ := strings.Cut(given[0], " ")
	token = strings.TrimSpace(token)
	switch {
	case len(given) > 1 || !strings.EqualFold(scheme, "Bearer") || token == "" || len(token) > 16<<10:
		return Principal{}, noToken
	case strings.HasPrefix(token, tokenPrefix):
		return s.holder(r.Context(), token)
	case s.OIDC != nil:
		return s.OIDC.verify(r.Context(), token, s.Clock())
	}
	return Principal{}, wrongToken
}

// holder finds whose token it is.
func (s *server) holder(ctx context.Context, token string) (Principal, error) {
	hash := TokenHash(token)
	kept, err := s.Journal.TokenByHash(ctx, hash)
	switch {
	case errors.Is(err, engine.ErrNotFound):
		return Principal{}, wrongToken
	case err != nil:
		return Principal{}, fmt.Errorf("look the token up: %w", err)
	case subtle.ConstantTimeCompare([]byte(kept.Hash), []byte(hash)) != 1:
		return Principal{}, wrongToken
	case kept.RevokedAt != nil:
		return Principal{}, revokedToken
	case kept.ExpiresAt != nil && !s.Clock().Before(*kept.ExpiresAt):
		return Principal{}, expiredToken
	}
	return Principal{Name: kept.Name, Role: kept.Role}, nil
}
