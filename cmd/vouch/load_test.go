package main

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	vegeta "github.com/tsenart/vegeta/v12/lib"

	"github.com/changevouch/changevouch/engine"
	"github.com/changevouch/changevouch/engine/ledger"
	"github.com/changevouch/changevouch/engine/store"
	"github.com/changevouch/changevouch/engine/store/storetest"
)

// BenchmarkServe loads the running program over loopback. LOAD_SECONDS is how long each
// attack lasts (5), LOAD_DECISIONS how many decisions the lists are asked of (100000).
// Attacks last as long as they last: run it with -benchtime 1x.
func BenchmarkServe(b *testing.B) {
	program := built(b)
	b.Run("sqlite", func(b *testing.B) {
		s := attacked(b, program, "sqlite:"+filepath.Join(b.TempDir(), "journal.db"))
		b.Run("evaluate", func(b *testing.B) { s.attack(b, s.evaluations("")) })
		b.Run("webhooks", func(b *testing.B) { s.attack(b, s.deliveries()) })
	})
	b.Run("postgres", func(b *testing.B) {
		database, err := storetest.StartServer()
		if err != nil {
			b.Fatal(err)
		}
		b.Cleanup(func() { _ = database.Stop() }) // it ends with this process at the latest
		s := attacked(b, program, database.Fresh(b))
		b.Run("evaluate", func(b *testing.B) { s.attack(b, s.evaluations("")) })
		b.Run("webhooks", func(b *testing.B) { s.attack(b, s.deliveries()) })
	})
	b.Run("unrecorded", func(b *testing.B) {
		ours := attacked(b, program, "sqlite:"+filepath.Join(b.TempDir(), "journal.db"))
		theirs := stockServer(b)
		var vouch, opa float64
		// In turns, so that what else the machine does is shared.
		for range 3 {
			b.Run("vouch", func(b *testing.B) { vouch += ours.attack(b, ours.evaluations("?record=false")) })
			b.Run("opa", func(b *testing.B) { opa += theirs.attack(b, theirs.questions()) })
		}
		if opa > 0 {
			fmt.Printf("evaluate?record=false: %.2f times the requests per second of opa run --server\n", vouch/opa)
		}
	})
	b.Run("lists", func(b *testing.B) {
		address := "sqlite:" + filepath.Join(b.TempDir(), "journal.db")
		key := filled(b, address, number("LOAD_DECISIONS", 100_000))
		s := attacked(b, program, address, "--key", key)
		for _, query := range []string{"", "?outcome=non_compliant", "?person=mia&outcome=compliant", "?text=renewal", "?latest=true"} {
			b.Run("decisions"+query, func(b *testing.B) { s.attack(b, s.get("/v1/decisions"+query)) })
		}
	})
}

func number(variable string, standard int) int {
	if n, err := strconv.Atoi(os.Getenv(variable)); err == nil {
		return n
	}
	return standard
}

// target is a server under load.
type target struct {
	url, token string
	pid        int
	dossiers   [][]byte
	count      atomic.Int64
}

// attacked starts vouch serve with the built-in policy.
func attacked(b *testing.B, program, address string, extra ...string) *target {
	b.Helper()
	dir := b.TempDir()
	key := filepath.Join(dir, "journal.key")
	if len(extra) == 2 {
		key = extra[1]
	}
	secret := filepath.Join(dir, "hook.secret")
	config := filepath.Join(dir, "changevouch.yaml")
	text := fmt.Sprintf("store: %q\nkey: %q\nlisten: 127.0.0.1:0\ngithub: {webhook_secret_files: [hook.secret]}\nlimits: {requests_per_minute: 100000000, concurrent: 64}\nlog: {level: error}\n", address, key)
	for path, text := range map[string]string{secret: webhookSecret, config: text} {
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			b.Fatal(err)
		}
	}
	serve := exec.Command(program, "serve", "--config", config)
	s := &target{url: begin(b, serve, "serving on ")}
	s.pid = serve.Process.Pid
	create := exec.Command(program, "token", "create", "--name", "load", "--role", "admin", "--store", address, "--key", key)
	token, err := create.Output()
	if err != nil {
		b.Fatal(err)
	}
	s.token = strings.TrimSpace(string(token))
	s.read(b)
	return s
}

// stockServer starts the server of the OPA that is linked, on the built-in policy.
func stockServer(b *testing.B) *target {
	b.Helper()
	opa := filepath.Join(b.TempDir(), "opa")
	if out, err := exec.Command("go", "build", "-o", opa, "github.com/open-policy-agent/opa").CombinedOutput(); err != nil {
		b.Fatalf("go build opa: %v\n%s", err, out)
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		b.Fatal(err)
	}
	address := listener.Addr().String()
	if err := listener.Close(); err != nil {
		b.Fatal(err)
	}
	serve := exec.Command(opa, "run", "--server", "--addr", address, "--log-level", "error", "--disable-telemetry", "--bundle", "../../rego")
	begin(b, serve, "")
	s := &target{url: "http://" + address, pid: serve.Process.Pid}
	for range 600 {
		if resp, err := http.Get(s.url + "/health?bundles"); err == nil {
			_ = resp.Body.Close()
			if resp.StatusCode == http.StatusOK {
				s.read(b)
				return s
			}
		}
		time.Sleep(100 * time.Millisecond)
	}
	b.Fatal("opa run --server does not begin")
	return nil
}

// begin starts a server, ends it with the benchmark, and returns what follows a word in
// what it writes.
func begin(b *testing.B, cmd *exec.Cmd, word string) string {
	b.Helper()
	stderr, err := cmd.StderrPipe()
	if err != nil {
		b.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { _ = cmd.Process.Kill(); _ = cmd.Wait() })
	lines := bufio.NewReader(stderr)
	for word != "" {
		line, err := lines.ReadString('\n')
		if err != nil {
			b.Fatalf("%s ended: %s", cmd.Path, line)
		}
		if url, ok := strings.CutPrefix(line, word); ok {
			go drain(lines)
			return strings.TrimSpace(url)
		}
	}
	go drain(lines)
	return ""
}

// drain reads what nobody wants to know, so that its writer can go on.
func drain(r io.Reader) { _, _ = io.Copy(io.Discard, r) }

// read takes the dossiers of the sample company's changes.
func (s *target) read(b *testing.B) {
	b.Helper()
	paths, err := filepath.Glob("testdata/acme/dossiers/acme_survey_4*.json")
	if err != nil || len(paths) == 0 {
		b.Fatal("no dossiers", err)
	}
	for _, path := range paths {
		text, err := os.ReadFile(path)
		if err != nil {
			b.Fatal(err)
		}
		var small bytes.Buffer
		if err := json.Compact(&small, text); err != nil {
			b.Fatal(err)
		}
		s.dossiers = append(s.dossiers, small.Bytes())
	}
}

func (s *target) header() http.Header {
	return http.Header{"Authorization": {"Bearer " + s.token}, "Content-Type": {"application/json"}}
}

// evaluations hand in dossiers, each about a subject of its own.
func (s *target) evaluations(query string) vegeta.Targeter {
	return func(t *vegeta.Target) error {
		n := s.count.Add(1)
		body := s.dossiers[int(n)%len(s.dossiers)]
		if query == "" {
			body = bytes.Replace(body, []byte(`"acme/survey#4`), fmt.Appendf(nil, `"acme/survey#%d4`, n), 1)
		}
		*t = vegeta.Target{Method: http.MethodPost, URL: s.url + "/v1/evaluate" + query, Body: body, Header: s.header()}
		return nil
	}
}

// questions ask OPA for the decisions that evaluations get.
func (s *target) questions() vegeta.Targeter {
	return func(t *vegeta.Target) error {
		body := s.dossiers[int(s.count.Add(1))%len(s.dossiers)]
		body = append(append([]byte(`{"input":`), body...), '}')
		*t = vegeta.Target{Method: http.MethodPost, URL: s.url + "/v1/data/decision/document", Body: body, Header: s.header()}
		return nil
	}
}

func (s *target) deliveries() vegeta.Targeter {
	return func(t *vegeta.Target) error {
		n := int(s.count.Add(1))
		body, header := delivery(n)
		*t = vegeta.Target{Method: http.MethodPost, URL: s.url + "/v1/webhooks/github", Body: []byte(body), Header: header}
		return nil
	}
}

func (s *target) get(path string) vegeta.Targeter {
	return vegeta.NewStaticTargeter(vegeta.Target{Method: http.MethodGet, URL: s.url + path, Header: s.header()})
}

// attack asks as fast as eight clients can, and returns the requests per second.
func (s *target) attack(b *testing.B, ask vegeta.Targeter) float64 {
	b.Helper()
	const clients = 8
	attacker := vegeta.NewAttacker(vegeta.Workers(clients), vegeta.MaxWorkers(clients), vegeta.Timeout(30*time.Second))
	lasts := time.Duration(number("LOAD_SECONDS", 5)) * time.Second
	var m vegeta.Metrics
	var memory []float64 // at the begin and after each tenth
	began := time.Now()
	for r := range attacker.Attack(ask, vegeta.Rate{}, lasts, "") {
		if time.Since(began) >= lasts*time.Duration(len(memory))/10 {
			memory = append(memory, s.memory())
		}
		m.Add(r)
	}
	m.Close()
	if m.Success < 1 {
		b.Fatalf("of %d requests %.1f%% went well: %v %v", m.Requests, 100*m.Success, m.StatusCodes, m.Errors)
	}
	b.ReportMetric(m.Throughput, "requests/s")
	b.ReportMetric(float64(m.Latencies.P50.Microseconds())/1000, "p50-ms")
	b.ReportMetric(float64(m.Latencies.P99.Microseconds())/1000, "p99-ms")
	b.ReportMetric(slices.Max(memory[:len(memory)/2+1]), "MB-first-half")
	b.ReportMetric(slices.Max(memory[len(memory)/2:]), "MB-second-half")
	return m.Throughput
}

// memory is what the process holds, in megabytes; 0 where that cannot be told.
func (s *target) memory() float64 {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", s.pid))
	if err != nil {
		return 0
	}
	for line := range strings.Lines(string(text)) {
		if rest, ok := strings.CutPrefix(line, "VmRSS:"); ok {
			kilobytes, _ := strconv.Atoi(strings.Fields(rest)[0])
			return float64(kilobytes) / 1024
		}
	}
	return 0
}

// filled makes a journal of made-up decisions and returns the path of its key.
func filled(b *testing.B, address string, decisions int) string {
	b.Helper()
	path := filepath.Join(b.TempDir(), "journal.key")
	key, err := ledger.OpenKey(path)
	if err != nil {
		b.Fatal(err)
	}
	s, err := store.Open(b.Context(), address, store.Options{Key: key})
	if err != nil {
		b.Fatal(err)
	}
	judge := storetest.Judge()
	journal, err := s.Journal(b.Context(), judge)
	if err != nil {
		b.Fatal(err)
	}
	const step = 500
	for from := 0; from < decisions; from += step {
		var batch []engine.Judgement
		for n := from; n < min(from+step, decisions); n++ {
			batch = append(batch, storetest.Judged(judge, n, 0, 0))
		}
		if err := journal.AppendAll(b.Context(), batch); err != nil {
			b.Fatal(err)
		}
	}
	if err := s.Close(); err != nil {
		b.Fatal(err)
	}
	return path
}
