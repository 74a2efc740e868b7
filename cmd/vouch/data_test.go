package main_test

import (
	"bytes"
	"compress/gzip"
	"context"
	"encoding/json"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/changevouch/changevouch/cmd/vouch/internal/app"
	"github.com/changevouch/changevouch/engine"
	"github.com/changevouch/changevouch/engine/httpapi"
)

// probes are rules that answer in every way in which a rule can.
const probes = `package probe

text := input.change.commit_message

both := 1 if input.change.commit_message == "conflict"

both := 2 if startswith(input.change.commit_message, "con")

# A built-in error is undefined, or an error where the question is strict.
number := to_number(input.change.commit_message)

list := [{"a": 1}, {"a/b": [true, null, "<ü>"]}]

names contains name if {
	some name in ["b", "a"]
	input.change.commit_message != "none"
}

nothing if input.change.commit_message == "something"

double(x) := x * 2
`

// TestDataAPI asks OPA's own server and ours the same questions over one bundle.
func TestDataAPI(t *testing.T) {
	bundle := probeBundle(t)
	opa := stockServer(t, bundle)
	ours, token := ourServer(t, bundle)
	const change = `{"change":{"kind":"pull_request","commit_message":"%"}}`
	input := func(message string) string { return `{"input":` + strings.Replace(change, "%", message, 1) + `}` }
	dossier, err := os.ReadFile("testdata/acme/dossiers/acme_survey_400.json")
	if err != nil {
		t.Fatal(err)
	}
	var packed bytes.Buffer
	z := gzip.NewWriter(&packed)
	io.WriteString(z, input("packed"))
	z.Close()

	type question struct {
		name, method, path, body string
		headers                  map[string]string
	}
	tests := []question{
		{name: "a rule", method: "POST", path: "/probe/text", body: input("hello")},
		{name: "a decision", method: "POST", path: "/decision/document", body: `{"input":` + string(dossier) + `}`},
		{name: "another decision", method: "POST", path: "/decision/document", body: input("fail")},
		{name: "a package", method: "POST", path: "/probe", body: input("hello")},
		{name: "a package of data", method: "GET", path: "/settings"},
		{name: "a value of data", method: "GET", path: "/settings/reviewer"},
		{name: "an element", method: "GET", path: "/probe/list/1"},
		{name: "a field with a slash", method: "GET", path: "/probe/list/1/a%2Fb"},
		{name: "an element of that", method: "GET", path: "/probe/list/1/a%2Fb/2"},
		{name: "beyond the end", method: "GET", path: "/probe/list/9"},
		{name: "a set", method: "POST", path: "/probe/names", body: input("x")},
		{name: "empty set", method: "POST", path: "/probe/names", body: input("none")},
		{name: "undefined rule", method: "POST", path: "/probe/nothing", body: input("x")},
		{name: "undefined path", method: "POST", path: "/no/such/thing", body: input("x")},
		{name: "undefined path by GET", method: "GET", path: "/no/such/thing"},
		{name: "a function", method: "GET", path: "/probe/double"},
		{name: "a slash behind", method: "GET", path: "/settings/"},
		{name: "a quote", method: "GET", path: "/settings/%22x"},
		{name: "conflict", method: "POST", path: "/probe/both", body: input("conflict")},
		{name: "built-in error", method: "POST", path: "/probe/number", body: input("x")},
		{name: "strict built-in error", method: "POST", path: "/probe/number?strict-builtin-errors", body: input("x")},
		{name: "strict without", method: "POST", path: "/probe/number?strict-builtin-errors=true", body: input("12")},
		{name: "no body", method: "POST", path: "/probe/list"},
		{name: "no input", method: "POST", path: "/probe/list", body: `{}`},
		{name: "input null", method: "POST", path: "/probe/list", body: `{"input":null}`},
		{name: "input of another kind", method: "POST", path: "/probe/text", body: `{"input":[1]}`},
		{name: "other members", method: "POST", path: "/probe/text", body: `{"foo":1,` + input("x")[1:]},
		{name: "broken body", method: "POST", path: "/probe/text", body: `{"input":`},
		{name: "text", method: "POST", path: "/probe/text", body: `hello`},
		{name: "two documents", method: "POST", path: "/probe/text", body: input("x") + input("y")},
		{name: "input by GET", method: "GET", path: "/probe/text?input=" + `%7B%22change%22%3A%7B%22commit_message%22%3A%22hi%22%7D%7D`},
		{name: "two documents by GET", method: "GET", path: "/probe/text?input=%7B%7D%201"},
		{name: "a wildcard", method: "GET", path: "/probe/_"},
		{name: "an injected query", method: "GET", path: "/probe/x;y:=1"},
		{name: "broken input by GET", method: "GET", path: "/probe/text?input=%7B"},
		{name: "two inputs by GET", method: "GET", path: "/probe/text?input=1&input=" + `%7B%22change%22%3A%7B%22commit_message%22%3A%22hi%22%7D%7D`},
		{name: "GET without input", method: "GET", path: "/probe/text"},
		{name: "pretty", method: "GET", path: "/probe/list?pretty"},
		{name: "pretty=true", method: "GET", path: "/probe/list?pretty=true"},
		{name: "pretty=false", method: "GET", path: "/probe/list?pretty=false"},
		{name: "metrics", method: "POST", path: "/probe/text?metrics", body: input("x")},
		{name: "instrument", method: "POST", path: "/probe/text?instrument=true", body: input("x")},
		{name: "provenance", method: "POST", path: "/probe/text?provenance", body: input("x")},
		{name: "explain off", method: "POST", path: "/probe/text?explain=off", body: input("x")},
		{name: "unknown parameter", method: "GET", path: "/probe/list?whatever=1"},
		{name: "gzip", method: "POST", path: "/probe/text", body: packed.String(), headers: map[string]string{"Content-Encoding": "gzip"}},
		{name: "YAML", method: "POST", path: "/probe/text", body: "input:\n  change:\n    commit_message: yaml\n", headers: map[string]string{"Content-Type": "application/yaml"}},
		{name: "no content type", method: "POST", path: "/probe/text", body: input("x"), headers: map[string]string{"Content-Type": ""}},
		{name: "numbers", method: "POST", path: "/probe/list", body: `{"input":{"a":1e2,"b":0.1,"c":12345678901234567890}}`},
		{name: "the same key twice", method: "POST", path: "/probe/text", body: `{"input":{"change":{"commit_message":"a","commit_message":"b"}}}`},
	}
	for _, q := range tests {
		t.Run(q.name, func(t *testing.T) {
			theirs := askData(t, bundle, opa, "http://opa", "", q.method, q.path, q.body, q.headers)
			got := askData(t, bundle, http.DefaultClient, ours, token, q.method, q.path, q.body, q.headers)
			if diff := cmp.Diff(theirs, got); diff != "" {
				t.Errorf("(-opa +vouch)\n%s", diff)
			}
		})
	}
}

// dataAnswer is what two servers must have in common.
type dataAnswer struct {
	Status  int
	Kind    string
	Lines   bool // laid out on several lines
	Body    any
	Metrics []string // names of timers that both have
}

func askData(t *testing.T, bundle string, client *http.Client, server, token, method, path, body string, headers map[string]string) dataAnswer {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), method, server+"/v1/data"+path, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Content-Type", "application/json")
	for name, value := range headers {
		r.Header.Set(name, value)
	}
	if token != "" {
		r.Header.Set("Authorization", "Bearer "+token)
	}
	response, err := client.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	out := dataAnswer{Status: response.StatusCode, Kind: response.Header.Get("Content-Type"), Lines: bytes.Count(text, []byte("\n")) > 1}
	text = bytes.ReplaceAll(text, []byte(bundle+"/"), nil) // OPA names files by their whole path
	var object map[string]any
	if err := json.Unmarshal(text, &object); err != nil {
		t.Fatalf("%v\n%s", err, text)
	}
	if metrics, ok := object["metrics"].(map[string]any); ok {
		for _, name := range []string{"timer_server_handler_ns", "timer_rego_input_parse_ns", "timer_rego_query_eval_ns", "counter_server_query_cache_hit"} {
			if _, ok := metrics[name].(float64); ok {
				out.Metrics = append(out.Metrics, name)
			}
		}
		delete(object, "metrics")
	}
	if p, ok := object["provenance"].(map[string]any); ok { // the two are different builds, and name the bundle by its folder and by its name
		var names []string
		for name := range p {
			names = append(names, name)
		}
		slices.Sort(names)
		object["provenance"] = []any{names, p["version"]}
	}
	delete(object, "decision_id") // another each time
	out.Body = object
	return out
}

// probeBundle is the small policy with the probes beside it.
func probeBundle(t *testing.T) string {
	t.Helper()
	folder := t.TempDir()
	if err := os.CopyFS(folder, os.DirFS("testdata/bundle")); err != nil {
		t.Fatal(err)
	}
	manifest, err := os.ReadFile(filepath.Join(folder, ".manifest"))
	if err != nil {
		t.Fatal(err)
	}
	manifest = bytes.Replace(manifest, []byte(`"roots": [`), []byte(`"roots": ["probe", `), 1)
	if err := os.WriteFile(filepath.Join(folder, ".manifest"), manifest, 0o644); err != nil {
		t.Fatal(err)
	}
	if err := os.Mkdir(filepath.Join(folder, "probe"), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(folder, "probe", "probe.rego"), []byte(probes), 0o644); err != nil {
		t.Fatal(err)
	}
	return folder
}

// stockServer runs opa run --server on a socket; the client reaches nothing else.
func stockServer(t *testing.T, bundle string) *http.Client {
	t.Helper()
	root, err := filepath.Abs("../..")
	if err != nil {
		t.Fatal(err)
	}
	opa := filepath.Join(root, ".cache", "bin", "opa") // linked once and kept
	if out, err := exec.CommandContext(t.Context(), "go", "build", "-o", opa, "github.com/open-policy-agent/opa").CombinedOutput(); err != nil {
		t.Fatalf("build opa: %v\n%s", err, out)
	}
	folder, err := os.MkdirTemp("", "opa") //nolint:usetesting // a socket's path must be short
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(folder) })
	socket := filepath.Join(folder, "s")
	ctx, stop := context.WithCancel(t.Context())
	server := exec.CommandContext(ctx, opa, "run", "--server", "--addr", "unix://"+socket, "--bundle", bundle, "--log-level", "error", "--disable-telemetry")
	var log bytes.Buffer
	server.Stdout, server.Stderr = &log, &log
	if err := server.Start(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan struct{})
	go func() { _ = server.Wait(); close(ended) }()
	t.Cleanup(func() { stop(); <-ended })
	transport := &http.Transport{DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return (&net.Dialer{}).DialContext(ctx, "unix", socket)
	}}
	t.Cleanup(transport.CloseIdleConnections)
	client := &http.Client{Transport: transport}
	for limit := time.After(30 * time.Second); ; {
		r, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://opa/health?bundles", nil)
		if err != nil {
			t.Fatal(err)
		}
		response, err := client.Do(r)
		if err == nil {
			response.Body.Close()
			if response.StatusCode == http.StatusOK {
				return client
			}
		}
		select {
		case <-ended:
			t.Fatalf("opa run ended\n%s", log.String())
		case <-limit:
			t.Fatal("opa run does not answer")
		case <-time.After(20 * time.Millisecond):
		}
	}
}

// ourServer is the wired server, and a token for it.
func ourServer(t *testing.T, bundle string) (url, token string) {
	t.Helper()
	config := app.Config{Store: "sqlite:" + filepath.Join(t.TempDir(), "journal.db"), Policy: app.PolicyFiles{Bundles: []string{bundle}}}
	journal, err := config.Journal().Write(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	token = httpapi.NewToken()
	err = journal.AddToken(t.Context(), engine.Token{ID: "tok", Name: "opa", Role: engine.RoleSubmitter, Hash: httpapi.TokenHash(token), CreatedAt: time.Now()})
	if err != nil {
		t.Fatal(err)
	}
	if err := journal.Close(); err != nil {
		t.Fatal(err)
	}
	server, err := app.OpenServer(t.Context(), app.ServerOptions{Config: config, Version: "test", LookupEnv: os.LookupEnv})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { server.Close() })
	handler, err := server.Handler(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	http := httptest.NewServer(handler)
	t.Cleanup(http.Close)
	return http.URL, token
}
