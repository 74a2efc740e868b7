package app_test

import (
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"errors"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/spf13/pflag"

	"github.com/changevouch/changevouch/cmd/vouch/internal/app"
	"github.com/changevouch/changevouch/schemas"
)

// loadConfig writes files into a folder (changevouch.yaml among them) and loads the
// configuration there. Faults come back without the name of the folder.
func loadConfig(t *testing.T, files, env map[string]string, flags *pflag.FlagSet) (c *app.Config, faults []string, folder string) {
	t.Helper()
	folder = t.TempDir()
	for name, text := range files {
		if err := os.WriteFile(filepath.Join(folder, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	c, err := app.LoadConfig(app.ConfigSource{
		File: filepath.Join(folder, "changevouch.yaml"), Flags: flags,
		LookupEnv: func(name string) (string, bool) { v, ok := env[name]; return v, ok },
	})
	var wrong *app.ConfigError
	switch {
	case errors.As(err, &wrong):
		for _, f := range wrong.Faults {
			faults = append(faults, strings.ReplaceAll(f, folder+"/", ""))
		}
	case err != nil:
		t.Fatal(err)
	}
	return c, faults, folder
}

func appKey(t *testing.T) string {
	t.Helper()
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	return string(pem.EncodeToMemory(&pem.Block{Type: "RSA PRIVATE KEY", Bytes: x509.MarshalPKCS1PrivateKey(key)}))
}

func TestConfigWhole(t *testing.T) {
	text := `
store: sqlite:state.db
key: state.key
listen: 127.0.0.1:9000
public_url: https://vouch.example.com/base
behind_proxy: true
metrics: {listen: "127.0.0.1:9001"}
policy: {bundles: [own], settings: settings.yaml, releases: journal}
directory: people.yaml
github:
  app: {id: "123", installation_id: 9, private_key_file: app.pem}
  repositories: [acme/shop]
  organization: acme
  webhook_secret_files: [one, two]
  report: check_run
  mode: warn
render: {token_env: RENDER_KEY, owner: tea-1, services: [srv-1], webhook_secret_files: [one]}
iam: {aws: {}, okta: {url: "https://acme.okta.com", token_file: one}}
poll: {every: 1d12h}
oidc: [{issuer: "https://token.actions.githubusercontent.com", audience: vouch, role_claim: repository, roles: {acme/shop: submitter}}]
notifications:
  - {name: team, type: webhook, url: "https://hooks.example.com/x", secret_file: one, on: [violation]}
  - {name: chat, type: slack, url_file: two, deadline_within: 2d}
  - {name: tickets, type: github, repository: acme/shop}
decision_log: {url: "https://logs.example.com", token_file: one, buffer_dir: buffer}
limits: {body_bytes: 1000, evaluate_timeout: 3s}
retention: {every: 24h}
log: {format: text, level: debug}
`
	c, faults, folder := loadConfig(t, map[string]string{
		"changevouch.yaml": text, "own": "", "settings.yaml": "", "people.yaml": "", "app.pem": appKey(t), "one": "1\n", "two": "https://hooks.slack.com/2\n",
	}, map[string]string{"RENDER_KEY": "k"}, nil)
	if len(faults) > 0 {
		t.Fatal(strings.Join(faults, "\n"))
	}
	in := func(name string) string { return filepath.Join(folder, name) }
	span := func(d time.Duration) app.Duration { return app.Duration{Duration: d} }
	want := app.Config{
		File: in("changevouch.yaml"), Store: "sqlite:" + in("state.db"), Key: in("state.key"), Listen: "127.0.0.1:9000",
		PublicURL: "https://vouch.example.com/base", BehindProxy: true, Metrics: app.MetricsConfig{Listen: "127.0.0.1:9001"},
		Policy: app.PolicyFiles{Bundles: []string{in("own")}, Settings: in("settings.yaml"), Releases: app.ReleasesInJournal}, Directory: in("people.yaml"),
		GitHub: app.GitHubConfig{
			App:          app.GitHubAppConfig{ID: "123", InstallationID: 9, PrivateKeyFile: in("app.pem")},
			Repositories: []string{"acme/shop"}, Organization: "acme", WebhookSecretFiles: []string{in("one"), in("two")},
			Report: "check_run", CheckName: "changevouch", Mode: "warn",
		},
		Render: app.RenderConfig{TokenConfig: app.TokenConfig{TokenEnv: "RENDER_KEY"}, Owner: "tea-1", Services: []string{"srv-1"}, WebhookSecretFiles: []string{in("one")}},
		IAM:    app.IAMConfig{AWS: &app.AWSConfig{}, Okta: &app.OktaConfig{URL: "https://acme.okta.com", TokenConfig: app.TokenConfig{TokenFile: in("one")}}},
		Poll:   app.PollConfig{Every: span(36 * time.Hour)},
		OIDC: []app.OIDCConfig{{Issuer: "https://token.actions.githubusercontent.com", Audience: "vouch", PrincipalClaim: "sub", RoleClaim: "repository",
			Roles: map[string]string{"acme/shop": "submitter"}}},
		Notifications: []app.NotificationConfig{
			{Name: "team", Type: "webhook", URL: "https://hooks.example.com/x", SecretFile: in("one"), On: []string{"violation"}, DeadlineWithin: span(24 * time.Hour)},
			{Name: "chat", Type: "slack", URLFile: in("two"), On: []string{"violation", "deadline"}, DeadlineWithin: span(48 * time.Hour)},
			{Name: "tickets", Type: "github", Repository: "acme/shop", On: []string{"violation", "deadline"}, DeadlineWithin: span(24 * time.Hour)},
		},
		DecisionLog: app.DecisionLogConfig{URL: "https://logs.example.com", TokenFile: in("one"), BufferDir: in("buffer")},
		Limits:      app.LimitsConfig{BodyBytes: 1000, RequestsPerMinute: 600, Concurrent: 256, EvaluateTimeout: span(3 * time.Second)},
		Retention:   app.RetentionConfig{Every: span(24 * time.Hour)}, Log: app.LogConfig{Format: "text", Level: "debug"},
	}
	if diff := cmp.Diff(want, *c, cmp.FilterPath(func(p cmp.Path) bool { return p.Last().String() == ".settings" }, cmp.Ignore())); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
	key, err := c.Render.Secret(func(string) (string, bool) { return "k", true })
	if err != nil || key != "k" {
		t.Errorf("secret %q, %v", key, err)
	}
	if address, err := c.Notifications[1].Address(); err != nil || address != "https://hooks.slack.com/2" {
		t.Errorf("address %q, %v", address, err)
	}
}

func TestConfigFaults(t *testing.T) {
	tests := []struct {
		name, text string
		env        map[string]string
		want       []string
	}{
		{name: "schema and beyond it, all at once, in the order of the file",
			text: "listen: 0.0.0.0:80\npublik_url: x\ngithub: {tokenfile: x, report: check_run, repositories: [acme]}\nlog: {level: inf}\npoll: {every: 5}\ntls: {key_file: nowhere}\n",
			want: []string{
				"changevouch.yaml:1:1: /listen: 0.0.0.0:80 can be reached from elsewhere: give the server a certificate (tls), or say that a proxy in front has one (behind_proxy: true)",
				"changevouch.yaml:2:1: /publik_url: unknown field, did you mean public_url?",
				"changevouch.yaml:3:10: /github/tokenfile: unknown field, did you mean token_file?",
				"changevouch.yaml:3:24: /github/report: only a GitHub App may write check runs: configure github.app, or report by status",
				`changevouch.yaml:3:58: /github/repositories/0: "acme" does not match ^[A-Za-z0-9._-]+/[A-Za-z0-9._-]+$`,
				`changevouch.yaml:4:7: /log/level: "inf" is none of debug, info, warn, error, did you mean info?`,
				"changevouch.yaml:5:8: /poll/every: a text is expected, found the number 5",
				"changevouch.yaml:6:1: /tls: certificate_file is missing",
				"changevouch.yaml:6:7: /tls/key_file: there is no file nowhere",
			}},
		{name: "a value in place of a secret's name", text: "github: {token: ghp_1}\n",
			want: []string{"changevouch.yaml:1:10: /github/token: unknown field"}},
		{name: "secret variable", text: "render: {token_env: NOT_SET, owner: x}\n",
			want: []string{"changevouch.yaml:1:10: /render/token_env: the variable NOT_SET is not set"}},
		{name: "two tokens", text: "render: {token_env: A, token_file: changevouch.yaml}\n", env: map[string]string{"A": "x"},
			want: []string{"changevouch.yaml:1:10: /render/token_env: token_file and token_env: name one of them"}},
		{name: "app and token", text: "github: {app: {id: '1', private_key_file: changevouch.yaml}, token_env: A}\n", env: map[string]string{"A": "x"},
			want: []string{
				"changevouch.yaml:1:10: /github/app: an app and a token: name one of them",
				"changevouch.yaml:1:25: /github/app/private_key_file: changevouch.yaml: no PEM block: give the private key file that GitHub made for the app",
			}},
		{name: "password in the file", text: "store: postgres://u:hunter2@db/vouch\n",
			want: []string{"changevouch.yaml:1:1: /store: a password stands in this file: leave it out, and set PGPASSWORD or PGPASSFILE, or the whole address as VOUCH_STORE"}},
		{name: "no such journal", text: "store: mysql://db\n",
			want: []string{`changevouch.yaml:1:1: /store: "mysql://db" is no journal: sqlite:PATH or postgres://USER@HOST/DATABASE is expected`}},
		{name: "addresses", text: "listen: '8420'\nmetrics: {listen: 'example.com:1'}\npublic_url: ftp://x\ngithub: {url: 'http://ghe.example.com'}\n",
			want: []string{
				`changevouch.yaml:1:1: /listen: "8420" is no address to listen on: HOST:PORT is expected, such as 127.0.0.1:8420`,
				`changevouch.yaml:2:11: /metrics/listen: host "example.com": an IP address of this machine is expected, or localhost`,
				`changevouch.yaml:3:1: /public_url: "ftp://x" is no address for a browser, such as https://vouch.example.com`,
				`changevouch.yaml:4:10: /github/url: http://ghe.example.com: credentials go to https addresses only`,
			}},
		{name: "metrics on the server's own address", text: "metrics: {listen: '127.0.0.1:8420'}\n",
			want: []string{"changevouch.yaml:1:11: /metrics/listen: 127.0.0.1:8420 is the address of the server itself: metrics have their own"}},
		{name: "no certificate", text: "listen: ':8420'\ntls: {certificate_file: changevouch.yaml, key_file: changevouch.yaml}\n",
			want: []string{"changevouch.yaml:2:1: /tls: certificate changevouch.yaml and key changevouch.yaml: tls: failed to find any PEM data in certificate input"}},
		{name: "notifications", text: `notifications:
  - {name: a, type: github}
  - {name: a, type: slack, url: "https://hooks.slack.com/1"}
  - {name: b, type: webhook, url: "https://x"}
  - {name: c, type: slack, repository: a/b}
  - {name: d, type: mail}
`, want: []string{
			"changevouch.yaml:2:5: /notifications/0: repository is missing (type is github)",
			`changevouch.yaml:3:6: /notifications/1/name: two notifications are called "a"`,
			"changevouch.yaml:3:28: /notifications/1/url: the address of a Slack webhook is a secret: write it into a file and name that as url_file",
			"changevouch.yaml:4:5: /notifications/2: secret_file is missing: a webhook is signed (type is webhook)",
			"changevouch.yaml:5:5: /notifications/3: url_file is missing (type is slack)",
			"changevouch.yaml:5:28: /notifications/3/repository: means nothing here (type is slack)",
			`changevouch.yaml:6:15: /notifications/4/type: "mail" is none of webhook, slack, github`,
		}},
		{name: "role", text: "oidc: [{issuer: 'https://i', audience: a, role_claim: r, roles: {x: root}}]\n",
			want: []string{`changevouch.yaml:1:66: /oidc/0/roles/x: "root" is none of viewer, auditor, submitter, operator, admin`}},
		{name: "variables", text: "listen: 127.0.0.1:1\n",
			env: map[string]string{"VOUCH_LISTEN": "0.0.0.0:1", "VOUCH_LIMITS_CONCURRENT": "many", "VOUCH_OIDC": "x", "VOUCH_LOG_FORMAT": "xml", "VOUCH_BEHIND_PROXY": "perhaps"},
			want: []string{
				`VOUCH_BEHIND_PROXY: true or false is expected, found "perhaps"`,
				`VOUCH_LIMITS_CONCURRENT: a whole number is expected, found "many"`,
				"VOUCH_OIDC: oidc is a list of objects: it can be set in the file only",
				`VOUCH_LOG_FORMAT: "xml" is none of json, text`,
				"VOUCH_LISTEN: 0.0.0.0:1 can be reached from elsewhere: give the server a certificate (tls), or say that a proxy in front has one (behind_proxy: true)",
			}},
		{name: "no YAML", text: "a: [\n", want: []string{"changevouch.yaml:1:1: no valid YAML: did not find expected node content"}},
		{name: "no object", text: "- a\n", want: []string{"changevouch.yaml:1:1: an object is expected, found a list"}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			_, faults, _ := loadConfig(t, map[string]string{"changevouch.yaml": test.text}, test.env, nil)
			for i := range faults {
				faults[i] = strings.TrimPrefix(faults[i], "/")
			}
			if diff := cmp.Diff(test.want, faults); diff != "" {
				t.Errorf("(-want +got)\n%s", diff)
			}
		})
	}
}

func TestConfigPrecedence(t *testing.T) {
	flags := pflag.NewFlagSet("serve", pflag.ContinueOnError)
	flags.String("listen", "", "")
	flags.String("log-level", "", "")
	flags.StringSlice("github-repositories", nil, "")
	flags.Bool("behind-proxy", false, "")
	if err := flags.Parse([]string{"--listen", "127.0.0.1:3", "--github-repositories", "a/b,c/d", "--behind-proxy"}); err != nil {
		t.Fatal(err)
	}
	if err := flags.Set("log-level", "warn"); err != nil { // as the command line does for VOUCH_LOG_LEVEL
		t.Fatal(err)
	}
	c, faults, folder := loadConfig(t,
		map[string]string{"changevouch.yaml": "listen: 127.0.0.1:1\nlog: {level: error}\npublic_url: http://file\ndirectory: changevouch.yaml\n"},
		map[string]string{"VOUCH_LISTEN": "127.0.0.1:2", "VOUCH_LOG_LEVEL": "warn", "VOUCH_STORE": "postgres://u:pw@db/x?password=p2", "VOUCH_GITHUB_CHECK_NAME": "", "VOUCH_POLL_EVERY": "1h"}, flags)
	if len(faults) > 0 {
		t.Fatal(faults)
	}
	got := map[string]app.Setting{}
	for _, s := range c.Settings() {
		s.Origin = strings.ReplaceAll(s.Origin, folder+"/", "")
		got[s.Path] = s
	}
	for _, want := range []app.Setting{
		{Path: "listen", Value: "127.0.0.1:3", Origin: "--listen"},
		{Path: "log.level", Value: "warn", Origin: "VOUCH_LOG_LEVEL"},
		{Path: "public_url", Value: "http://file", Origin: "changevouch.yaml:3"},
		{Path: "directory", Value: filepath.Join(folder, "changevouch.yaml"), Origin: "changevouch.yaml:4"},
		{Path: "store", Value: "postgres://u:xxxxx@db/x?password=xxxxx", Origin: "VOUCH_STORE"},
		{Path: "github.check_name", Value: "changevouch", Origin: "default"},
		{Path: "github.repositories", Value: []any{"a/b", "c/d"}, Origin: "--github-repositories"},
		{Path: "behind_proxy", Value: true, Origin: "--behind-proxy"},
		{Path: "poll.every", Value: "1h", Origin: "VOUCH_POLL_EVERY"},
	} {
		if diff := cmp.Diff(want, got[want.Path]); diff != "" {
			t.Errorf("%s (-want +got)\n%s", want.Path, diff)
		}
	}
	if c.Listen != "127.0.0.1:3" || !c.BehindProxy || c.Store != "postgres://u:pw@db/x?password=p2" || len(c.GitHub.Repositories) != 2 {
		t.Errorf("config %+v", c)
	}
}

func TestConfigWithoutFile(t *testing.T) {
	t.Chdir(t.TempDir())
	none := func(string) (string, bool) { return "", false }
	c, err := app.LoadConfig(app.ConfigSource{LookupEnv: none})
	if err != nil || c.Listen != "127.0.0.1:8420" || c.File != "" {
		t.Fatalf("config %+v, %v", c, err)
	}
	if _, err := app.LoadConfig(app.ConfigSource{File: "other.yaml", LookupEnv: none}); err == nil || !errors.Is(err, os.ErrNotExist) {
		t.Errorf("a file that is named and not there: %v", err)
	}
	if err := os.WriteFile(app.ConfigFile, []byte("log: {level: debug}\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if c, err := app.LoadConfig(app.ConfigSource{LookupEnv: none}); err != nil || c.Log.Level != "debug" || c.File != app.ConfigFile {
		t.Errorf("the file of this folder: %+v, %v", c, err)
	}
}

func TestConfigWarnsOfReadableSecrets(t *testing.T) {
	folder := t.TempDir()
	for name, mode := range map[string]os.FileMode{"mine": 0o600, "group": 0o640, "all": 0o644} {
		if err := os.WriteFile(filepath.Join(folder, name), []byte("s3cret"), mode); err != nil {
			t.Fatal(err)
		}
		if err := os.Chmod(filepath.Join(folder, name), mode); err != nil {
			t.Fatal(err)
		}
	}
	file := filepath.Join(folder, "c.yaml")
	if err := os.WriteFile(file, []byte("github: {webhook_secret_files: [mine, group]}\nrender: {token_file: all}\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	c, err := app.LoadConfig(app.ConfigSource{File: file, LookupEnv: func(string) (string, bool) { return "", false }})
	if err != nil {
		t.Fatal(err)
	}
	all := strings.Join(c.Warnings, "\n")
	if len(c.Warnings) != 2 || !strings.Contains(all, "group holds a secret, and its group may") || !strings.Contains(all, "all holds a secret, and everybody") || strings.Contains(all, "s3cret") {
		t.Errorf("warnings:\n%s", all)
	}
}

// TestConfigHoldsTheSchema: what the schema allows and Config does not have would be
// read and ignored.
func TestConfigHoldsTheSchema(t *testing.T) {
	var walk func(path string, node map[string]any, typ reflect.Type)
	walk = func(path string, node map[string]any, typ reflect.Type) {
		for typ.Kind() == reflect.Pointer || typ.Kind() == reflect.Slice {
			typ = typ.Elem()
		}
		if items, ok := node["items"].(map[string]any); ok {
			node = items
		}
		properties, _ := node["properties"].(map[string]any)
		for name, below := range properties {
			found := false
			for _, f := range reflect.VisibleFields(typ) {
				if tag := f.Tag.Get("json"); tag == name {
					found = true
					walk(path+"."+name, below.(map[string]any), f.Type)
				}
			}
			if !found {
				t.Errorf("%s.%s has no field", path, name)
			}
		}
	}
	walk("config", readSchema(t, "config"), reflect.TypeFor[app.Config]())
}

func readSchema(t *testing.T, name schemas.Name) map[string]any {
	t.Helper()
	text, err := schemas.Source(name)
	if err != nil {
		t.Fatal(err)
	}
	var root map[string]any
	if err := json.Unmarshal(text, &root); err != nil {
		t.Fatal(err)
	}
	return root
}

// FuzzLoadConfig: whatever a file says is a configuration or a list of faults.
func FuzzLoadConfig(f *testing.F) {
	f.Add("listen: 127.0.0.1:1\n")
	f.Add("github: {app: {id: '1'}, repositories: [a/b, a/b]}\nnotifications: [{type: slack}]\n")
	f.Add("oidc: [{roles: {'a.b': viewer}}]\n'a.b': 1\ntls: []\niam: {aws: {}}\n")
	path := filepath.Join(f.TempDir(), "c.yaml")
	f.Fuzz(func(t *testing.T, text string) {
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		c, err := app.LoadConfig(app.ConfigSource{File: path, LookupEnv: lookup(nil)})
		var wrong *app.ConfigError
		if (c == nil) == (err == nil) || err != nil && (!errors.As(err, &wrong) || len(wrong.Faults) == 0) {
			t.Errorf("%v, %v", c, err)
		}
	})
}
