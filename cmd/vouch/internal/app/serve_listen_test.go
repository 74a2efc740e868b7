package app_test

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"io"
	"math/big"
	"net"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/changevouch/changevouch/cmd/vouch/internal/app"
	"github.com/changevouch/changevouch/engine/store"
)

// certificate makes one for this machine, and returns its files and who trusts it.
func certificate(t *testing.T) (app.TLSConfig, *x509.CertPool) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	form := x509.Certificate{SerialNumber: big.NewInt(1), IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour)}
	made, err := x509.CreateCertificate(rand.Reader, &form, &form, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	private, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	dir, pool := t.TempDir(), x509.NewCertPool()
	text := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: made})
	pool.AppendCertsFromPEM(text)
	return app.TLSConfig{
		CertificateFile: write(t, dir, "tls.crt", string(text)),
		KeyFile:         write(t, dir, "tls.key", string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: private}))),
	}, pool
}

// TestServerListens serves over TLS, on an address that others could reach, and metrics on
// another. What they say is held to what was done.
func TestServerListens(t *testing.T) {
	t.Parallel()
	c := newClock("2026-11-02T09:00:00Z")
	h := newHub(t, c)
	files, pool := certificate(t)
	s := prepared(t, c, func(config *app.Config) {
		h.token(config)
		config.GitHub.Repositories = []string{"acme/shop"}
		config.Policy.Bundles = []string{"../../testdata/titled"}
		config.Listen, config.TLS, config.Metrics.Listen = "0.0.0.0:0", files, "127.0.0.1:0"
	})
	s.options.Pace.Watch = 100 * time.Millisecond
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	server, err := app.OpenServer(ctx, s.options)
	if err != nil {
		t.Fatal(err)
	}
	defer server.Close()
	s.grant()
	type addresses struct{ api, metrics net.Addr }
	listening, ended := make(chan addresses, 1), make(chan error, 1)
	go func() {
		ended <- server.Serve(ctx, func(api, metrics net.Addr) { listening <- addresses{api, metrics} })
	}()
	var at addresses
	select {
	case at = <-listening:
	case err := <-ended:
		t.Fatal(err)
	}
	client := &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: pool}}}
	defer client.CloseIdleConnections()
	_, port, _ := net.SplitHostPort(at.api.String())
	api := "https://127.0.0.1:" + port
	ask := func(method, address string, header http.Header, body string) (int, string) {
		t.Helper()
		r, err := http.NewRequestWithContext(ctx, method, address, strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		r.Header = header
		resp, err := client.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		text, err := io.ReadAll(resp.Body)
		if err != nil {
			t.Fatal(err)
		}
		return resp.StatusCode, string(text)
	}
	if resp, err := http.Get("http://127.0.0.1:" + port + "/health/live"); err == nil {
		if resp.Body.Close(); resp.StatusCode == http.StatusOK {
			t.Error("it answers without TLS")
		}
	}
	if _, err := tls.Dial("tcp", "127.0.0.1:"+port, &tls.Config{RootCAs: pool, MinVersion: tls.VersionTLS10, MaxVersion: tls.VersionTLS11}); err == nil {
		t.Error("it speaks TLS 1.1")
	}

	// Deliveries are durable when they are answered.
	var took []time.Duration
	db := s.raw()
	for i := range 5 {
		id, body := fmt.Sprint("d-", i), pullDelivery(i+1, c.now(), "One")
		began := time.Now()
		status, text := ask(http.MethodPost, api+"/v1/webhooks/github", gitHubHeader(id, "pull_request", body), body)
		took = append(took, time.Since(began))
		if n := db.number("SELECT count(*) FROM deliveries WHERE id = $1", id); status != http.StatusAccepted || n != 1 {
			t.Fatalf("%d %s; %d deliveries are kept", status, text, n)
		}
	}
	slices.Sort(took)
	if took[2] > 5*time.Second {
		t.Errorf("a webhook was answered after %v", took)
	}

	evaluate := func(dossier string) {
		t.Helper()
		if status, text := ask(http.MethodPost, api+"/v1/evaluate", http.Header{"Authorization": {"Bearer " + testToken}, "Content-Type": {"application/json"}}, dossier); status != http.StatusOK {
			t.Fatalf("%d %s", status, text)
		}
	}
	for number, says := range []string{"fail", "pass", "pass", "unknown"} {
		evaluate(fmt.Sprintf(`{"schema":"dossier/v1","evaluated_at":"2026-11-02T09:00:00Z","subject":{"type":"change","id":"acme/shop#1%d"},"sources":{},"people":[],
			"change":{"kind":"pull_request","commit_message":%q}}`, number, says))
	}
	for number, first := range []string{"2026-11-01T09:00:00Z", "2026-10-02T11:00:00Z", "2026-10-02T12:00:00Z"} {
		evaluate(fmt.Sprintf(`{"schema":"dossier/v1","evaluated_at":"2026-11-02T09:00:00Z","subject":{"type":"finding","id":"acme/shop:CVE-%d"},"sources":{},"people":[],
			"finding":{"id":"CVE-%[1]d","package":"left-pad","severity":"high","first_detected_at":%q}}`, number, first))
	}
	eventually(t, "a decision on each", func() bool { return len(s.history(pullRequest("5"))) > 0 })
	eventually(t, "the source read", func() bool { return strings.Contains(s.log.text(), `"msg":"job done","task":"reconcile","subject":"1`) })
	s.quiet()
	c.pass(90 * time.Minute)

	status, text := ask(http.MethodGet, "http://"+at.metrics.String()+"/metrics", http.Header{}, "")
	if status != http.StatusOK {
		t.Fatalf("%d %s", status, text)
	}
	var size int64
	s.journal(func(j *store.Store) {
		head, _, err := j.Head(ctx)
		if err != nil {
			t.Fatal(err)
		}
		size = head.Size
	})
	pending := db.number("SELECT count(*) FROM decisions WHERE outcome = 'pending'")
	if pending < 8 {
		t.Errorf("%d decisions on five pull requests and three findings", pending)
	}
	for _, want := range []string{
		`changevouch_decisions_total{outcome="non_compliant"} 1`,
		`changevouch_decisions_total{outcome="compliant"} 2`,
		`changevouch_decisions_total{outcome="unknown"} 1`,
		fmt.Sprintf(`changevouch_decisions_total{outcome="pending"} %d`, pending),
		`changevouch_deadlines{due="passed"} 0`,
		`changevouch_deadlines{due="within a day"} 2`,
		`changevouch_deadlines{due="later"} 1`,
		fmt.Sprintf("changevouch_ledger_entries %d", size),
		`changevouch_source_age_seconds{source="` + strings.TrimPrefix(h.URL, "http://") + `/acme/shop"} 5400`,
		`changevouch_http_requests_total{route="POST /v1/evaluate",status="200"} 7`,
		`changevouch_jobs{state="dead"} 0`,
	} {
		if !strings.Contains(text, want+"\n") {
			name, _, _ := strings.Cut(want, "{")
			t.Errorf("no %s among", want)
			for line := range strings.Lines(text) {
				if strings.HasPrefix(line, name) {
					t.Error(strings.TrimSpace(line))
				}
			}
		}
	}
	for _, address := range []string{api + "/metrics", "http://" + at.metrics.String() + "/v1/decisions"} {
		if status, _ := ask(http.MethodGet, address, http.Header{"Authorization": {"Bearer " + testToken}}, ""); status != http.StatusNotFound {
			t.Errorf("%s answers %d", address, status)
		}
	}
	client.CloseIdleConnections()
	stop()
	if err := <-ended; err != nil {
		t.Errorf("the server ended: %v", err)
	}
}
