package main

import (
	"bufio"
	"bytes"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/changevouch/changevouch/engine"
	"github.com/changevouch/changevouch/engine/store"
	"github.com/changevouch/changevouch/engine/store/storetest"
)

const webhookSecret = "a-secret-of-the-test"

// world is what a server of these tests talks to: a GitHub that takes commit statuses
// and refuses to be read, and somebody who wants to be told of violations.
type world struct {
	t        *testing.T
	dir      string
	github   *httptest.Server
	told     *httptest.Server
	lock     sync.Mutex
	statuses map[string]int // by commit
	notices  map[string]int // by webhook-id
	asked    chan struct{}  // gets something when GitHub is asked first
	open     chan struct{}  // until it is closed, GitHub does not answer about commits
}

var statusPath = regexp.MustCompile(`/commits/([0-9a-f]{40})/statuses$|/statuses/([0-9a-f]{40})$`)

func newWorld(t *testing.T) *world {
	t.Helper()
	w := &world{t: t, dir: t.TempDir(), statuses: map[string]int{}, notices: map[string]int{},
		asked: make(chan struct{}, 1), open: make(chan struct{})}
	w.github = httptest.NewServer(http.HandlerFunc(func(a http.ResponseWriter, r *http.Request) {
		commit := statusPath.FindStringSubmatch(r.URL.Path)
		if commit != nil {
			select {
			case w.asked <- struct{}{}:
			default:
			}
			select {
			case <-w.open:
			case <-r.Context().Done():
				return
			}
		}
		switch {
		case r.Header.Get("Authorization") != "Bearer the-token":
			http.Error(a, `{"message":"Bad credentials"}`, http.StatusUnauthorized)
		case commit == nil:
			http.Error(a, `{"message":"Resource not accessible"}`, http.StatusForbidden)
		case r.Method == http.MethodGet:
			fmt.Fprint(a, "[]")
		default:
			w.lock.Lock()
			w.statuses[commit[2]]++
			w.lock.Unlock()
			a.WriteHeader(http.StatusCreated)
			fmt.Fprint(a, `{"id":1}`)
		}
	}))
	w.told = httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		id := r.Header.Get("webhook-id")
		mac := hmac.New(sha256.New, []byte(webhookSecret))
		fmt.Fprintf(mac, "%s.%s.%s", id, r.Header.Get("webhook-timestamp"), body)
		if want := "v1," + base64.StdEncoding.EncodeToString(mac.Sum(nil)); err != nil || r.Header.Get("webhook-signature") != want {
			t.Errorf("a notice is not signed (%v): %s", err, body)
		}
		w.lock.Lock()
		defer w.lock.Unlock()
		w.notices[id]++
	}))
	t.Cleanup(w.github.Close)
	t.Cleanup(w.told.Close)
	for name, text := range map[string]string{
		"hook.secret": webhookSecret, "render.secret": base64.StdEncoding.EncodeToString([]byte(webhookSecret)), "token": "the-token",
		"directory.yaml": "complete: true\npeople:\n  - id: alice\n    kind: employee\n    accounts: {github: [alice]}\n",
	} {
		if err := os.WriteFile(filepath.Join(w.dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return w
}

// configure writes the configuration of servers on a journal.
func (w *world) configure(address string) string {
	w.t.Helper()
	bundle, err := filepath.Abs("testdata/deadline")
	if err != nil {
		w.t.Fatal(err)
	}
	text := fmt.Sprintf(`store: %q
key: journal.key
listen: 127.0.0.1:0
directory: directory.yaml
policy: {bundles: [%q]}
github:
  url: %q
  token_file: token
  webhook_secret_files: [hook.secret]
  report: status
render: {webhook_secret_files: [render.secret]}
notifications:
  - {name: team, type: webhook, url: %q, secret_file: hook.secret}
`, address, bundle, w.github.URL, w.told.URL)
	path := filepath.Join(w.dir, "changevouch.yaml")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		w.t.Fatal(err)
	}
	return path
}

// process is a running vouch serve.
type process struct {
	cmd *exec.Cmd
	url string
	log *logged
	end chan struct{} // closed when it ended
	err error         // how, after that
}

// logged is what a process wrote so far.
type logged struct {
	lock sync.Mutex
	text strings.Builder
}

func (l *logged) write(line string) {
	l.lock.Lock()
	defer l.lock.Unlock()
	l.text.WriteString(line)
}

func (l *logged) String() string {
	l.lock.Lock()
	defer l.lock.Unlock()
	return l.text.String()
}

func (w *world) serve(program, config string) *process {
	w.t.Helper()
	p := &process{cmd: exec.Command(program, "serve", "--config", config), log: &logged{}, end: make(chan struct{})}
	p.cmd.Env = append(os.Environ(), "VOUCH_BUNDLE=")
	stderr, err := p.cmd.StderrPipe()
	if err != nil {
		w.t.Fatal(err)
	}
	if err := p.cmd.Start(); err != nil {
		w.t.Fatal(err)
	}
	serving := make(chan string, 1)
	go func() {
		for lines := bufio.NewReader(stderr); ; {
			line, err := lines.ReadString('\n')
			p.log.write(line)
			if url, ok := strings.CutPrefix(line, "serving on "); ok {
				serving <- strings.TrimSpace(url)
			}
			if err != nil {
				break
			}
		}
		p.err = p.cmd.Wait()
		close(p.end)
	}()
	w.t.Cleanup(func() {
		p.kill()
		if w.t.Failed() {
			for line := range strings.Lines(p.log.String()) {
				if !strings.Contains(line, `"msg":"request"`) {
					w.t.Log(line)
				}
			}
		}
	})
	select {
	case p.url = <-serving:
	case <-time.After(time.Minute):
		w.t.Fatal("vouch serve does not begin")
	case <-p.end:
		w.t.Fatalf("vouch serve ended: %v\n%s", p.err, p.log)
	}
	return p
}

// kill ends the process as a power cut does.
func (p *process) kill() {
	_ = p.cmd.Process.Kill() // it may have ended
	<-p.end
}

// stop asks the process to end, and returns how it did.
func (p *process) stop() error {
	if err := p.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		return err
	}
	select {
	case <-p.end:
		return p.err
	case <-time.After(time.Minute):
		return errors.New("it did not within a minute")
	}
}

// deliver hands pull request number in as GitHub does; it reports whether it was taken.
func (p *process) deliver(number int) bool {
	body, header := delivery(number)
	return p.post("/v1/webhooks/github", body, header) == http.StatusAccepted
}

// delivery is a signed delivery about a pull request.
func delivery(number int) (string, http.Header) {
	body := fmt.Sprintf(`{"action":"opened","number":%[1]d,"sender":{"login":"alice","id":101,"type":"User"},
		"repository":{"id":77,"full_name":"acme/shop","default_branch":"main"},
		"pull_request":{"id":%[1]d001,"number":%[1]d,"url":"https://api.github.com/repos/acme/shop/pulls/%[1]d","state":"open","title":"Change","body":"It.",
		"user":{"login":"alice","id":101,"type":"User"},"created_at":"2026-11-01T10:00:00Z","updated_at":"2026-11-01T10:00:00Z",
		"head":{"ref":"feature","sha":%[2]q},"base":{"ref":"main","sha":%[2]q,"repo":{"id":77,"full_name":"acme/shop","default_branch":"main"}}}}`,
		number, headOf(number))
	mac := hmac.New(sha256.New, []byte(webhookSecret))
	mac.Write([]byte(body))
	return body, http.Header{"Content-Type": {"application/json"}, "X-Github-Delivery": {fmt.Sprint("d-", number)},
		"X-Github-Event": {"pull_request"}, "X-Hub-Signature-256": {"sha256=" + hex.EncodeToString(mac.Sum(nil))}}
}

func headOf(number int) string { return fmt.Sprintf("%040x", 0xabc000+number) }

func (p *process) post(path, body string, header http.Header) int {
	r, err := http.NewRequest(http.MethodPost, p.url+path, strings.NewReader(body))
	if err != nil {
		return 0
	}
	r.Header = header
	r.Header.Set("Content-Type", "application/json")
	client := http.Client{Timeout: 30 * time.Second}
	resp, err := client.Do(r)
	if err != nil {
		return 0
	}
	defer resp.Body.Close()
	_, _ = io.Copy(io.Discard, resp.Body)
	return resp.StatusCode
}

// decided counts the pull requests of the journal that there is a decision on.
func decided(t *testing.T, address string) int {
	t.Helper()
	s, err := store.Open(t.Context(), address, store.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	list, err := s.Subjects(t.Context(), engine.SubjectFilter{Type: "change"}, engine.Subject{}, 1000)
	if err != nil {
		t.Fatal(err)
	}
	return len(list)
}

func within(t *testing.T, limit time.Duration, what string, holds func() bool) {
	t.Helper()
	began := time.Now()
	defer func() { t.Logf("%s: %s", what, time.Since(began).Round(time.Millisecond)) }()
	for end := time.Now().Add(limit); !holds(); time.Sleep(50 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("waited %s in vain: %s", limit, what)
		}
	}
}

func (w *world) reported() int {
	w.lock.Lock()
	defer w.lock.Unlock()
	return len(w.statuses)
}

// overdueFinding is a dossier of a vulnerability that was to be fixed long ago.
func overdueFinding(id string) string {
	return fmt.Sprintf(`{"schema":"dossier/v1","evaluated_at":"2026-11-02T09:00:00Z","subject":{"type":"finding","id":%[1]q},"sources":{},"people":[],
		"finding":{"id":%[1]q,"package":"left-pad","severity":"high","first_detected_at":"2026-01-01T09:00:00Z"}}`, id)
}

// TestServe runs the program: GitHub and Render deliver, one server is killed in the
// middle and the next goes on. Whatever was accepted is decided and shown on GitHub,
// and everybody is told once.
func TestServe(t *testing.T) {
	t.Parallel()
	program := built(t)
	w := newWorld(t)
	address := "sqlite:" + filepath.Join(w.dir, "journal.db")
	config := w.configure(address)
	first := w.serve(program, config)
	const number = 40
	for i := range number / 2 {
		if !first.deliver(i + 1) {
			t.Fatalf("delivery %d was refused", i+1)
		}
	}
	select {
	case <-w.asked: // a report is under way, and will not end
	case <-time.After(time.Minute):
		t.Fatal("no report was begun")
	}
	accepted := make(chan bool, number)
	var group sync.WaitGroup
	for worker := range 4 {
		group.Go(func() {
			for i := number/2 + worker; i < number; i += 4 {
				accepted <- first.deliver(i + 1)
			}
		})
	}
	for range number / 4 {
		<-accepted
	}
	first.kill()
	group.Wait()
	close(w.open)
	second := w.serve(program, config)
	for i := range number { // as GitHub delivers again what was not answered
		if !second.deliver(i + 1) {
			t.Fatalf("delivery %d was refused", i+1)
		}
	}
	within(t, 2*time.Minute, "a decision on every pull request", func() bool { return decided(t, address) == number })
	within(t, 2*time.Minute, "a status on every pull request", func() bool { return w.reported() == number })

	token := strings.TrimSpace(vouch(t, program, "token", "create", "--name", "test", "--role", "submitter", "--store", address, "--key", filepath.Join(w.dir, "journal.key")))
	bearer := http.Header{"Authorization": {"Bearer " + token}}
	if status := second.post("/v1/evaluate", overdueFinding("acme/shop:CVE-1"), bearer); status != http.StatusOK {
		t.Fatalf("evaluate: %d", status)
	}
	notice := `{"type":"deploy_ended","timestamp":"2026-11-01T10:00:00Z","data":{"id":"evt-1","serviceId":"srv-1","serviceName":"api","status":"succeeded"}}`
	stamp := fmt.Sprint(time.Now().Unix())
	mac := hmac.New(sha256.New, []byte(webhookSecret))
	fmt.Fprintf(mac, "evt-1.%s.%s", stamp, notice)
	if status := second.post("/v1/webhooks/render", notice, http.Header{
		"Webhook-Id": {"evt-1"}, "Webhook-Timestamp": {stamp}, "Webhook-Signature": {"v1," + base64.StdEncoding.EncodeToString(mac.Sum(nil))},
	}); status != http.StatusAccepted {
		t.Errorf("delivery of Render: %d", status)
	}
	within(t, 2*time.Minute, "a notice", func() bool {
		w.lock.Lock()
		defer w.lock.Unlock()
		return len(w.notices) == 1
	})
	if err := second.stop(); err != nil {
		t.Errorf("vouch serve, asked to end: %v", err)
	}
	w.check(program, address, second)
}

// check looks at what is left: everybody was told once, no job is dead (one that was
// taken over may still wait for its turn), and nothing
// secret stands in a log.
func (w *world) check(program, address string, servers ...*process) {
	w.t.Helper()
	w.lock.Lock()
	defer w.lock.Unlock()
	for id, n := range w.notices {
		if n != 1 {
			w.t.Errorf("notice %s was sent %d times", id, n)
		}
	}
	var dead []json.RawMessage
	if err := json.Unmarshal([]byte(vouch(w.t, program, "jobs", "list", "--state", "dead", "-o", "json", "--store", address)), &dead); err != nil || len(dead) > 0 {
		w.t.Errorf("jobs that failed (%v): %s", err, dead)
	}
	for _, p := range servers {
		for _, secret := range []string{webhookSecret, "the-token", "Bearer"} {
			if strings.Contains(p.log.String(), secret) {
				w.t.Errorf("%q stands in the log", secret)
			}
		}
	}
}

// vouch runs one command and returns what it writes.
func vouch(t *testing.T, program string, args ...string) string {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), program, args...)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("vouch %s: %v\n%s", strings.Join(args, " "), err, &stderr)
	}
	return string(out)
}

// TestServeReplicas runs two servers on one PostgreSQL and kills one in the middle.
func TestServeReplicas(t *testing.T) {
	t.Parallel()
	program := built(t)
	database, err := storetest.StartServer()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = database.Stop() }) // it ends with this process at the latest
	w := newWorld(t)
	address := database.Fresh(t)
	config := w.configure(address)
	close(w.open)
	one := w.serve(program, config)
	two := w.serve(program, config)
	const number = 40
	for i := range number {
		server := one
		if i%2 == 1 {
			server = two
		}
		if !server.deliver(i + 1) {
			t.Fatalf("delivery %d was refused", i+1)
		}
		if i == number/2 {
			two.kill()
			two = one
		}
	}
	within(t, 2*time.Minute, "a decision on every pull request", func() bool { return decided(t, address) == number })
	within(t, 2*time.Minute, "a status on every pull request", func() bool { return w.reported() == number })
	token := strings.TrimSpace(vouch(t, program, "token", "create", "--name", "test", "--role", "submitter", "--store", address, "--key", filepath.Join(w.dir, "journal.key")))
	for i := range 10 {
		if status := one.post("/v1/evaluate", overdueFinding(fmt.Sprint("acme/shop:CVE-", i)), http.Header{"Authorization": {"Bearer " + token}}); status != http.StatusOK {
			t.Fatalf("evaluate: %d", status)
		}
	}
	within(t, 2*time.Minute, "ten notices", func() bool {
		w.lock.Lock()
		defer w.lock.Unlock()
		return len(w.notices) == 10
	})
	if err := one.stop(); err != nil {
		t.Errorf("vouch serve, asked to end: %v", err)
	}
	w.check(program, address, one)
}
