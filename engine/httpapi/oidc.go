package httpapi

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/lestrrat-go/httprc/v3"
	"github.com/lestrrat-go/jwx/v3/jwa"
	"github.com/lestrrat-go/jwx/v3/jwk"
	"github.com/lestrrat-go/jwx/v3/jws"
	"github.com/lestrrat-go/jwx/v3/jwt"

	"github.com/changevouch/changevouch/engine"
)

// Issuer is somebody whose JSON Web Tokens count.
type Issuer struct {
	Issuer         string
	Audience       string
	JWKSURL        string
	PrincipalClaim string // empty is sub
	RoleClaim      string // a text or a list of texts
	Roles          map[string]engine.Role
}

// algorithms that a token may be signed with: public keys alone, so that nobody can
// sign with what everybody can read.
var algorithms = []jwa.SignatureAlgorithm{
	jwa.RS256(), jwa.RS384(), jwa.RS512(), jwa.PS256(), jwa.PS384(), jwa.PS512(), jwa.ES256(), jwa.ES384(), jwa.ES512(), jwa.EdDSA(),
}

// refreshFrom is how long after one look for keys the next may come, when a token
// names a key that is not known.
const refreshFrom = time.Minute

// OIDC verifies tokens of its issuers. It is safe for concurrent use.
type OIDC struct {
	issuers map[string]Issuer
	keys    *jwk.Cache
	lock    sync.Mutex
	looked  map[string]time.Time // when keys were last looked for out of turn
}

// NewOIDC begins to fetch the keys of issuers, and keeps them fresh until Close. An
// issuer that cannot be reached is tried again; its tokens are refused meanwhile.
func NewOIDC(ctx context.Context, issuers []Issuer, client *http.Client) (*OIDC, error) {
	keys, err := jwk.NewCache(ctx, httprc.NewClient(httprc.WithHTTPClient(client)))
	if err != nil {
		return nil, fmt.Errorf("keys of issuers: %w", err)
	}
	o := &OIDC{issuers: map[string]Issuer{}, keys: keys, looked: map[string]time.Time{}}
	for _, issuer := range issuers {
		if err := o.add(ctx, issuer); err != nil {
			return nil, errors.Join(fmt.Errorf("issuer %s: %w", issuer.Issuer, err), o.Close(ctx))
		}
	}
	return o, nil
}

func (o *OIDC) add(ctx context.Context, i Issuer) error {
	switch {
	case i.Issuer == "" || i.Audience == "" || i.JWKSURL == "" || i.RoleClaim == "" || len(i.Roles) == 0:
		return errors.New("it takes issuer, audience, jwks_url, role_claim and roles")
	case o.issuers[i.Issuer].Issuer != "":
		return errors.New("it is there twice")
	}
	for value, role := range i.Roles {
		if !slices.Contains(Roles(), role) {
			return fmt.Errorf("%s gives the role %q, which there is not", value, role)
		}
	}
	if i.PrincipalClaim == "" {
		i.PrincipalClaim = "sub"
	}
	o.issuers[i.Issuer] = i
	return o.keys.Register(ctx, i.JWKSURL, jwk.WithWaitReady(false))
}

// Close stops the fetching of keys.
func (o *OIDC) Close(ctx context.Context) error { return o.keys.Shutdown(ctx) }

// verify says whose token it is, at an instant. Every error is a refusal.
func (o *OIDC) verify(ctx context.Context, token string, now time.Time) (Principal, error) {
	message, err := jws.ParseString(token)
	if err != nil || len(message.Signatures()) != 1 {
		return Principal{}, wrongToken
	}
	header := message.Signatures()[0].ProtectedHeaders()
	if alg, ok := header.Algorithm(); !ok || !slices.Contains(algorithms, alg) {
		return Principal{}, refusal("the token is not signed with an algorithm that counts here")
	}
	unproven, err := jwt.ParseInsecure([]byte(token))
	if err != nil {
		return Principal{}, wrongToken
	}
	name, _ := unproven.Issuer()
	issuer, ok := o.issuers[name]
	if !ok {
		return Principal{}, refusal("the token is of an issuer that does not count here")
	}
	kid, _ := header.KeyID()
	set, err := o.keysOf(ctx, issuer, kid, now)
	if err != nil {
		return Principal{}, refusal("the keys of the token's issuer are not to be had now: try again")
	}
	proven, err := jwt.Parse([]byte(token), jwt.WithKeySet(set, jws.WithInferAlgorithmFromKey(true), jws.WithRequireKid(true)),
		jwt.WithIssuer(issuer.Issuer), jwt.WithAudience(issuer.Audience), jwt.WithRequiredClaim("exp"),
		jwt.WithAcceptableSkew(30*time.Second), jwt.WithClock(jwt.ClockFunc(func() time.Time { return now })))
	switch {
	case errors.Is(err, jwt.TokenExpiredError()):
		return Principal{}, expiredToken
	case err != nil:
		return Principal{}, wrongToken
	}
	return issuer.principal(proven)
}

// principal reads name and role out of a proven token.
func (i Issuer) principal(token jwt.Token) (Principal, error) {
	var who string
	if err := token.Get(i.PrincipalClaim, &who); err != nil || who == "" || len(who) > 256 {
		return Principal{}, refusal("the token has no " + i.PrincipalClaim)
	}
	var claim any
	if err := token.Get(i.RoleClaim, &claim); err != nil {
		return Principal{}, refusal("the token has no " + i.RoleClaim + ", which says what one may do")
	}
	var values []string
	switch claim := claim.(type) {
	case string:
		values = strings.Fields(claim)
	case []any:
		for _, one := range claim {
			if text, ok := one.(string); ok {
				values = append(values, text)
			}
		}
	}
	// Where several values give roles, the last in the list of roles counts.
	var best engine.Role
	for _, role := range Roles() {
		for _, value := range values {
			if i.Roles[value] == role {
				best = role
			}
		}
	}
	if best == "" {
		return Principal{}, refusal("nothing in " + i.RoleClaim + " of the token is a role here")
	}
	return Principal{Name: i.Issuer + "#" + who, Role: best}, nil
}

// keysOf returns the keys of an issuer; when a key is not among them, it looks again,
// though not for every token.
func (o *OIDC) keysOf(ctx context.Context, i Issuer, kid string, now time.Time) (jwk.Set, error) {
	set, err := o.keys.Lookup(ctx, i.JWKSURL)
	if err == nil {
		if _, ok := set.LookupKeyID(kid); ok {
			return set, nil
		}
	}
	o.lock.Lock()
	due := now.Sub(o.looked[i.JWKSURL]) >= refreshFrom
	if due {
		o.looked[i.JWKSURL] = now
	}
	o.lock.Unlock()
	if !due {
		return set, err
	}
	return o.keys.Refresh(ctx, i.JWKSURL)
}
