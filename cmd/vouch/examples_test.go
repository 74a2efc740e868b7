package main

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"

	"go.yaml.in/yaml/v3"
)

const examples = "../../.examples/"

func readYAML(t *testing.T, path string, into any) {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := yaml.Unmarshal(text, into); err != nil {
		t.Fatalf("%s: %v", path, err)
	}
}

// gateServer answers gates: of pull requests with one outcome, of deployments with
// another. It makes tokens for jobs of GitHub Actions, too.
type gateServer struct {
	*httptest.Server
	lock  sync.Mutex
	asked []string // bodies of questions
}

func newGateServer(t *testing.T, outcome string) *gateServer {
	g := &gateServer{}
	g.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			t.Error(err)
		}
		switch {
		case r.URL.Path == "/token" && r.URL.Query().Get("audience") == "vouch & co" && r.URL.Query().Get("api-version") == "2" && r.Header.Get("Authorization") == "bearer request-token":
			fmt.Fprint(w, `{"count":1,"value":"the-token"}`)
		case r.URL.Path == "/v1/gate" && r.Header.Get("Authorization") == "Bearer the-token":
			g.lock.Lock()
			g.asked = append(g.asked, string(body))
			g.lock.Unlock()
			fmt.Fprintf(w, `{"at":"2026-11-20T09:00:00Z","about":"x","outcome":%[1]q,"decisions":[{"subject":{"type":"change","id":"acme/shop#7"},"outcome":%[1]q,
				"findings":[{"control":"CM-4.B.1","status":"fail","title":"Peer review","message":"Nobody approved."}]}]}`, outcome)
		default:
			w.WriteHeader(http.StatusUnauthorized)
		}
	}))
	t.Cleanup(g.Close)
	return g
}

// action is what the reusable action consists of.
type action struct {
	Inputs map[string]struct {
		Description string
		Default     string
		Required    bool
	}
	Outputs map[string]struct{ Value string }
	Runs    struct {
		Using string
		Steps []struct {
			ID, If, Uses, Shell, Run string
			Env                      map[string]string
		}
	}
}

var (
	pinned     = regexp.MustCompile(`^[a-z-]+/[a-z-]+@[0-9a-f]{40}$`)
	expression = regexp.MustCompile(`\$\{\{ *([a-z._-]+) *\}\}`)
)

// TestAction runs the step of the reusable action that asks, as a runner would: its
// inputs are variables, its outputs a file.
func TestAction(t *testing.T) {
	t.Parallel()
	var a action
	readYAML(t, "../../.github/actions/gate/action.yml", &a)
	if a.Runs.Using != "composite" || len(a.Runs.Steps) != 3 {
		t.Fatalf("action %+v", a.Runs)
	}
	for _, step := range a.Runs.Steps {
		if step.Uses != "" && !pinned.MatchString(step.Uses) {
			t.Errorf("%s is not pinned to a commit", step.Uses)
		}
		if step.Run != "" && (step.Shell != "bash" || strings.Contains(step.Run, "${{") || !strings.HasPrefix(step.Run, "set -euo pipefail\n")) {
			t.Errorf("step %q: an input would be part of its script, or an error go unseen", step.ID)
		}
		for _, value := range step.Env {
			for _, name := range expression.FindAllStringSubmatch(value, -1) {
				if input, ok := strings.CutPrefix(name[1], "inputs."); ok {
					if _, known := a.Inputs[input]; !known {
						t.Errorf("no input %s", input)
					}
				}
			}
		}
	}
	gate := a.Runs.Steps[2]
	for name, out := range a.Outputs {
		if out.Value != "${{ steps."+gate.ID+".outputs."+name+" }}" {
			t.Errorf("output %s is %s", name, out.Value)
		}
	}

	program := built(t)
	run := func(t *testing.T, dir string, inputs map[string]string, more ...string) (string, int) {
		t.Helper()
		script := filepath.Join(dir, "step.sh")
		if err := os.WriteFile(script, []byte(gate.Run), 0o600); err != nil {
			t.Fatal(err)
		}
		event := filepath.Join(dir, "event.json")
		if err := os.WriteFile(event, []byte(`{"number":7,"pull_request":{"number":7}}`), 0o600); err != nil {
			t.Fatal(err)
		}
		// As a runner calls bash: https://docs.github.com/actions/reference/workflow-syntax
		cmd := exec.CommandContext(t.Context(), "bash", "--noprofile", "--norc", "-e", "-o", "pipefail", script)
		cmd.Dir = dir
		cmd.Env = append([]string{
			"PATH=" + os.Getenv("PATH"), "HOME=" + dir, "GITHUB_ACTIONS=true", "GITHUB_REPOSITORY=acme/shop", "GITHUB_EVENT_PATH=" + event,
			"GITHUB_STEP_SUMMARY=" + filepath.Join(dir, "summary.md"), "GITHUB_OUTPUT=" + filepath.Join(dir, "output"), "RUNNER_TEMP=" + dir,
		}, more...)
		for name, value := range gate.Env {
			cmd.Env = append(cmd.Env, name+"="+expression.ReplaceAllStringFunc(value, func(e string) string {
				input := strings.TrimPrefix(expression.FindStringSubmatch(e)[1], "inputs.")
				if given, ok := inputs[input]; ok {
					return given
				}
				return a.Inputs[input].Default
			}))
		}
		out, err := cmd.CombinedOutput()
		if err != nil && cmd.ProcessState == nil {
			t.Fatal(err)
		}
		return string(out), cmd.ProcessState.ExitCode()
	}

	t.Run("stops", func(t *testing.T) {
		server, dir := newGateServer(t, "non_compliant"), t.TempDir()
		out, code := run(t, dir, map[string]string{"vouch": program, "server": server.URL, "token": "the-token", "sarif": "gate.sarif", "junit": "gate.xml"})
		if code != 2 || !strings.Contains(out, "::error title=acme/shop#7%3A CM-4.B.1 Peer review::fail: Nobody approved.") {
			t.Errorf("exit code %d:\n%s", code, out)
		}
		if len(server.asked) != 1 || server.asked[0] != `{"pull_request":"acme/shop#7"}` {
			t.Errorf("asked %q", server.asked)
		}
		for name, want := range map[string]string{"summary.md": "stopped", "output": "outcome=non_compliant\nopens=false\n", "gate.sarif": `"ruleId": "CM-4.B.1"`, "gate.xml": "<failure"} {
			if text, err := os.ReadFile(filepath.Join(dir, name)); err != nil || !strings.Contains(string(text), want) {
				t.Errorf("%s: %v\n%s", name, err, text)
			}
		}
	})
	t.Run("lets through with a token that GitHub makes", func(t *testing.T) {
		server, dir := newGateServer(t, "compliant"), t.TempDir()
		out, code := run(t, dir, map[string]string{"vouch": program, "server": server.URL, "audience": "vouch & co"},
			"ACTIONS_ID_TOKEN_REQUEST_URL="+server.URL+"/token?api-version=2", "ACTIONS_ID_TOKEN_REQUEST_TOKEN=request-token")
		if code != 0 || !strings.Contains(out, "::add-mask::the-token\n") || strings.Count(out, "the-token") != 1 {
			t.Errorf("exit code %d:\n%s", code, out)
		}
	})
	t.Run("no permission to have a token made", func(t *testing.T) {
		out, code := run(t, t.TempDir(), map[string]string{"vouch": program, "server": "http://127.0.0.1:1", "audience": "vouch"})
		if code != 1 || !strings.Contains(out, "::error title=Changevouch::GitHub makes no token for this job") {
			t.Errorf("exit code %d:\n%s", code, out)
		}
	})
	t.Run("an input is no command", func(t *testing.T) {
		dir := t.TempDir()
		out, code := run(t, dir, map[string]string{"vouch": program, "server": "http://127.0.0.1:1", "token": "t", "pull-request": `$(touch stolen); touch stolen`, "wait": "0s"})
		if _, err := os.Stat(filepath.Join(dir, "stolen")); err == nil || code != 1 {
			t.Errorf("exit code %d:\n%s", code, out)
		}
	})
}

// TestRenderExample runs the pre-deploy command of the Blueprint: what comes behind the
// gate runs only if the gate opens.
func TestRenderExample(t *testing.T) {
	t.Parallel()
	var blueprint struct {
		Services []struct {
			Type             string
			PreDeployCommand string `yaml:"preDeployCommand"`
			EnvVars          []struct {
				Key, Value string
				Sync       *bool
			} `yaml:"envVars"`
		}
	}
	readYAML(t, examples+"render.yaml", &blueprint)
	service := blueprint.Services[0]
	env := map[string]string{}
	for _, v := range service.EnvVars {
		if v.Key == "VOUCH_TOKEN" && (v.Value != "" || v.Sync == nil || *v.Sync) {
			t.Error("the token stands in the file")
		}
		env[v.Key] = v.Value
	}
	program := built(t)
	for outcome, want := range map[string]int{"compliant": 0, "non_compliant": 2, "unknown": 3} {
		server, dir := newGateServer(t, outcome), t.TempDir()
		if err := os.WriteFile(filepath.Join(dir, "npm"), []byte("#!/bin/sh\necho \"$@\" >migrated\n"), 0o700); err != nil {
			t.Fatal(err)
		}
		command := strings.ReplaceAll(service.PreDeployCommand, "--wait 5m", "--wait 0s")
		cmd := exec.CommandContext(t.Context(), "sh", "-c", command)
		cmd.Dir = dir
		cmd.Env = []string{"PATH=" + dir + ":" + filepath.Dir(program) + ":" + os.Getenv("PATH"), "HOME=" + dir, "RENDER=true", "IS_PULL_REQUEST=false",
			"RENDER_SERVICE_ID=srv-1", "RENDER_GIT_COMMIT=" + strings.Repeat("ab", 20), "RENDER_GIT_REPO_SLUG=acme/shop", "RENDER_GIT_BRANCH=main"}
		env["VOUCH_SERVER"], env["VOUCH_TOKEN"] = server.URL, "the-token"
		for key, value := range env {
			cmd.Env = append(cmd.Env, key+"="+value)
		}
		out, err := cmd.CombinedOutput()
		if cmd.ProcessState == nil {
			t.Fatal(err)
		}
		migrated, err := os.ReadFile(filepath.Join(dir, "migrated"))
		if code := cmd.ProcessState.ExitCode(); code != want || (err == nil) != (want == 0) || want == 0 && string(migrated) != "run migrate\n" {
			t.Errorf("%s: exit code %d, %v\n%s", outcome, code, err, out)
		}
		var question map[string]map[string]string
		if len(server.asked) != 1 || json.Unmarshal([]byte(server.asked[0]), &question) != nil || question["deployment"]["service"] != "srv-1" || question["deployment"]["repository"] != "acme/shop" {
			t.Errorf("asked %q", server.asked)
		}
	}
}

// TestServerExamples holds the examples of a server to the program: the configuration is
// sound where its files are, and the files around it name what there is.
func TestServerExamples(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	text, err := os.ReadFile(examples + "changevouch.yaml")
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Mkdir(filepath.Join(dir, "secrets"), 0o700); err != nil {
		t.Fatal(err)
	}
	for name, content := range map[string]string{
		"changevouch.yaml": string(text), "directory.yaml": "people: []\n", "secrets/github-token": "1", "secrets/github-webhook": "2", "secrets/render-key": "3", "secrets/render-webhook": "4",
	} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	check := exec.CommandContext(t.Context(), built(t), "config", "check", filepath.Join(dir, "changevouch.yaml"))
	check.Env = []string{"HOME=" + dir, "VOUCH_STORE=postgres://changevouch@db:5432/changevouch"}
	if out, err := check.CombinedOutput(); err != nil || !strings.HasSuffix(string(out), "changevouch.yaml: sound\n") {
		t.Errorf("%v\n%s", err, out)
	}

	var compose struct {
		Services map[string]struct {
			Image       string
			Environment map[string]string
			Command     []string
			Ports       []string
			Secrets     []string
			ReadOnly    bool     `yaml:"read_only"`
			CapDrop     []string `yaml:"cap_drop"`
			Volumes     []string
		}
		Secrets map[string]any
		Volumes map[string]any
	}
	readYAML(t, examples+"compose.yaml", &compose)
	server := compose.Services["vouch"]
	if !slices.Equal(server.Command, []string{"serve"}) || !server.ReadOnly || !slices.Equal(server.CapDrop, []string{"ALL"}) || !slices.Equal(server.Ports, []string{"127.0.0.1:8420:8420"}) {
		t.Errorf("compose: %+v", server)
	}
	for name, s := range compose.Services {
		if name != "vouch" && !regexp.MustCompile(`^[a-z]+:[0-9]+\.[0-9]+`).MatchString(s.Image) {
			t.Errorf("compose: the image %s has no version", s.Image)
		}
		for _, secret := range s.Secrets {
			if compose.Secrets[secret] == nil {
				t.Errorf("compose: no secret %s", secret)
			}
		}
		for variable, value := range s.Environment {
			if strings.Contains(variable, "PASSWORD") && !strings.HasSuffix(variable, "_FILE") || strings.Contains(value, ":secret@") {
				t.Errorf("compose: %s holds a secret", variable)
			}
		}
	}
}

// TestImage holds the Dockerfile to go.mod and to what an image of ours is: one program,
// nobody's user, nothing that moves.
func TestImage(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile("../../Dockerfile")
	if err != nil {
		t.Fatal(err)
	}
	module, err := os.ReadFile("../../go.mod")
	if err != nil {
		t.Fatal(err)
	}
	goVersion := regexp.MustCompile(`(?m)^go (\S+)$`).FindStringSubmatch(string(module))[1]
	for _, want := range []string{"FROM golang:" + goVersion + "-", "\nFROM scratch\n", "CGO_ENABLED=0 go build -trimpath", "\nUSER 65532:65532\n", `ENTRYPOINT ["/vouch"]`} {
		if !strings.Contains(string(text), want) {
			t.Errorf("the Dockerfile has no %q", want)
		}
	}
	if strings.Contains(string(text), ":latest") {
		t.Error("the Dockerfile builds on what moves")
	}
	// The program runs where there is nothing else: it needs no library of the system.
	kind, err := exec.CommandContext(t.Context(), "go", "version", "-m", built(t)).CombinedOutput()
	if err != nil || !strings.Contains(string(kind), "CGO_ENABLED=0") {
		t.Errorf("%v\n%s", err, kind)
	}
}
