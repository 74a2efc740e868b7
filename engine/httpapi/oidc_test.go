package httpapi

import (
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"encoding/base64"
	"encoding/json"
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/lestrrat-go/jwx/v3/jwa"
	"github.com/lestrrat-go/jwx/v3/jwk"
	"github.com/lestrrat-go/jwx/v3/jws"
	"github.com/lestrrat-go/jwx/v3/jwt"

	"github.com/changevouch/changevouch/engine"
)

// issuer is an OIDC provider: its keys, and what it signs.
type issuer struct {
	t     *testing.T
	url   string
	lock  sync.Mutex
	keys  jwk.Set
	asked int
	down  bool
}

func newIssuer(t *testing.T) *issuer {
	i := &issuer{t: t, keys: jwk.NewSet()}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		i.lock.Lock()
		defer i.lock.Unlock()
		i.asked++
		if i.down {
			w.WriteHeader(http.StatusBadGateway)
			return
		}
		_ = json.NewEncoder(w).Encode(i.keys)
	}))
	t.Cleanup(server.Close)
	i.url = server.URL
	return i
}

func (i *issuer) times() int {
	i.lock.Lock()
	defer i.lock.Unlock()
	return i.asked
}

// publish adds a key under an id, without saying its algorithm, as some issuers do.
func (i *issuer) publish(id string, public crypto.PublicKey) {
	i.t.Helper()
	key, err := jwk.Import(public)
	if err == nil {
		err = key.Set(jwk.KeyIDKey, id)
	}
	i.lock.Lock()
	defer i.lock.Unlock()
	if err == nil {
		err = i.keys.AddKey(key)
	}
	if err != nil {
		i.t.Fatal(err)
	}
}

func (i *issuer) sign(alg jwa.SignatureAlgorithm, id string, key any, claims map[string]any) string {
	i.t.Helper()
	token := jwt.New()
	for name, value := range claims {
		if err := token.Set(name, value); err != nil {
			i.t.Fatal(err)
		}
	}
	header := jws.NewHeaders()
	if err := header.Set(jws.KeyIDKey, id); err != nil {
		i.t.Fatal(err)
	}
	signed, err := jwt.Sign(token, jwt.WithKey(alg, key, jws.WithProtectedHeaders(header)))
	if err != nil {
		i.t.Fatal(err)
	}
	return string(signed)
}

func TestOIDC(t *testing.T) {
	now := time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)
	good, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	other, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	rsaKey, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	i := newIssuer(t)
	i.publish("k1", good.Public())
	i.publish("k2", rsaKey.Public())

	client := &http.Client{Timeout: 10 * time.Second, Transport: &http.Transport{}}
	defer client.CloseIdleConnections()
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	o, err := NewOIDC(ctx, []Issuer{{Issuer: "https://id.example", Audience: "changevouch", JWKSURL: i.url, RoleClaim: "groups",
		Roles: map[string]engine.Role{"devs": engine.RoleViewer, "ops": engine.RoleOperator}}}, client)
	if err != nil {
		t.Fatal(err)
	}
	defer o.Close(context.WithoutCancel(ctx))

	claims := func(change map[string]any) map[string]any {
		c := map[string]any{"iss": "https://id.example", "aud": []string{"changevouch", "other"}, "sub": "mia", "exp": now.Add(time.Hour), "iat": now, "groups": []string{"everybody", "ops", "devs"}}
		for name, value := range change {
			if c[name] = value; value == nil {
				delete(c, name)
			}
		}
		return c
	}
	es := func(change map[string]any) string { return i.sign(jwa.ES256(), "k1", good, claims(change)) }
	confused := func() string { // signed with the public key as a shared secret
		public, err := jwk.Import(good.Public())
		if err != nil {
			t.Fatal(err)
		}
		text, err := json.Marshal(public)
		if err != nil {
			t.Fatal(err)
		}
		return i.sign(jwa.HS256(), "k1", text, claims(nil))
	}
	payload := strings.Split(es(nil), ".")
	tests := []struct {
		name, token string
		want        Principal
		refusal     string
	}{
		{"good", es(nil), Principal{"https://id.example#mia", engine.RoleOperator}, ""},
		{"another algorithm", i.sign(jwa.RS256(), "k2", rsaKey, claims(nil)), Principal{"https://id.example#mia", engine.RoleOperator}, ""},
		{"role as a text", es(map[string]any{"groups": "x devs"}), Principal{"https://id.example#mia", engine.RoleViewer}, ""},
		{"a little late", es(map[string]any{"exp": now.Add(-20 * time.Second)}), Principal{"https://id.example#mia", engine.RoleOperator}, ""},
		{"expired", es(map[string]any{"exp": now.Add(-time.Minute)}), Principal{}, "expired"},
		{"without end", es(map[string]any{"exp": nil}), Principal{}, "not valid"},
		{"not yet", es(map[string]any{"nbf": now.Add(time.Hour)}), Principal{}, "not valid"},
		{"another audience", es(map[string]any{"aud": "other"}), Principal{}, "not valid"},
		{"no audience", es(map[string]any{"aud": nil}), Principal{}, "not valid"},
		{"another issuer", es(map[string]any{"iss": "https://evil.example"}), Principal{}, "issuer"},
		{"no issuer", es(map[string]any{"iss": nil}), Principal{}, "issuer"},
		{"nobody", es(map[string]any{"sub": nil}), Principal{}, "no sub"},
		{"no role claim", es(map[string]any{"groups": nil}), Principal{}, "no groups"},
		{"no role", es(map[string]any{"groups": []string{"everybody"}}), Principal{}, "is a role"},
		{"roles of another kind", es(map[string]any{"groups": 7}), Principal{}, "is a role"},
		{"another key", i.sign(jwa.ES256(), "k1", other, claims(nil)), Principal{}, "not valid"},
		{"the key of another algorithm", i.sign(jwa.RS256(), "k1", rsaKey, claims(nil)), Principal{}, "not valid"},
		{"shared secret", confused(), Principal{}, "algorithm"},
		{"unsigned", base64.RawURLEncoding.EncodeToString([]byte(`{"alg":"none"}`)) + "." + payload[1] + ".", Principal{}, ""},
		{"changed", payload[0] + "." + strings.Split(es(map[string]any{"sub": "eve"}), ".")[1] + "." + payload[2], Principal{}, "not valid"},
		{"cut", payload[0] + "." + payload[1], Principal{}, "not valid"},
		{"text", "hello", Principal{}, "not valid"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, err := o.verify(t.Context(), tt.token, now)
			if tt.want.Name != "" {
				if err != nil || got != tt.want {
					t.Fatalf("%+v, %v", got, err)
				}
				return
			}
			refused, ok := errors.AsType[refusal](err)
			if !ok || !strings.Contains(refused.Error(), tt.refusal) || got != (Principal{}) {
				t.Errorf("%+v, %v", got, err)
			}
		})
	}

	// A new key is found, but not looked for by every token that names one.
	asked := i.times()
	i.publish("k3", other.Public())
	later := now.Add(2 * time.Minute)
	if _, err := o.verify(t.Context(), i.sign(jwa.ES256(), "k3", other, claims(nil)), later); err != nil {
		t.Errorf("a new key: %v", err)
	}
	for range 5 {
		if _, err := o.verify(t.Context(), i.sign(jwa.ES256(), "k4", good, claims(nil)), later); err == nil {
			t.Error("a key that there is not")
		}
	}
	if more := i.times() - asked; more < 1 || more > 2 { // the first look may be under way still
		t.Errorf("asked %d times for keys", more)
	}
	// While the issuer is away the keys that are known go on.
	i.lock.Lock()
	i.down = true
	i.lock.Unlock()
	if _, err := o.verify(t.Context(), es(nil), later.Add(time.Hour/2)); err != nil {
		t.Errorf("the issuer is away: %v", err)
	}
}

func TestOIDCConfig(t *testing.T) {
	whole := Issuer{Issuer: "https://id.example", Audience: "a", JWKSURL: "http://127.0.0.1:1/", RoleClaim: "r", Roles: map[string]engine.Role{"x": engine.RoleViewer}}
	wrong := whole
	wrong.Roles = map[string]engine.Role{"x": "owner"}
	for _, list := range [][]Issuer{{{Issuer: "https://id.example"}}, {wrong}, {whole, whole}} {
		if _, err := NewOIDC(t.Context(), list, &http.Client{Timeout: time.Second}); err == nil {
			t.Errorf("%+v is taken", list)
		}
	}
}
