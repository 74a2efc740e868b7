//go:build live

package app

import (
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/changevouch/changevouch/collectors"
)

// TestRealSources reads a week of the accounts that the environment names, twice:
// every answer is understood, what cannot be read is named with the permission that
// would open it, the second reading loses nothing and no secret becomes an event.
func TestRealSources(t *testing.T) {
	now := time.Now().UTC()
	around := Surroundings{LookupEnv: os.LookupEnv, Notice: func(s string) { t.Log(s) }, Now: now}
	list := func(name string) []string {
		return strings.FieldsFunc(os.Getenv(name), func(r rune) bool { return r == ',' || r == ' ' })
	}
	github := GitHub{Repositories: list("VOUCH_LIVE_GITHUB"), Organizations: list("VOUCH_LIVE_GITHUB_ORG"), BaseURL: os.Getenv("VOUCH_LIVE_GITHUB_URL")}
	render := Render{Owners: list("VOUCH_LIVE_RENDER"), Organization: os.Getenv("VOUCH_LIVE_RENDER_ORG"), BaseURL: os.Getenv("VOUCH_LIVE_RENDER_URL")}
	access := Access{AWS: os.Getenv("VOUCH_LIVE_AWS") != "", Regions: list("VOUCH_LIVE_AWS"), Okta: list("VOUCH_LIVE_OKTA")}
	var all []collectors.Collector
	for _, open := range []func() ([]collectors.Collector, error){
		func() ([]collectors.Collector, error) { return github.Collectors(t.Context(), around) },
		func() ([]collectors.Collector, error) { return render.Collectors(around) },
		func() ([]collectors.Collector, error) { return access.Collectors(t.Context(), around) },
	} {
		some, err := open()
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, some...)
	}
	if len(all) == 0 {
		t.Fatal("no account is named: set VOUCH_LIVE_GITHUB, VOUCH_LIVE_GITHUB_ORG, VOUCH_LIVE_RENDER, VOUCH_LIVE_AWS or VOUCH_LIVE_OKTA")
	}
	var secrets []string
	for _, name := range []string{"VOUCH_GITHUB_TOKEN", "GITHUB_TOKEN", "VOUCH_RENDER_API_KEY", "RENDER_API_KEY", "VOUCH_OKTA_TOKEN", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"} {
		if secret := os.Getenv(name); secret != "" {
			secrets = append(secrets, secret)
		}
	}
	for _, c := range all {
		t.Run(c.Name(), func(t *testing.T) {
			live := Live{Window: collectors.Window{Since: now.AddDate(0, 0, -7), Until: now}, Folder: t.TempDir()}
			first := reading(t, live, c)
			if len(first) == 0 {
				t.Error("a week without any event")
			}
			live.Window.Until = time.Now().UTC()
			again := reading(t, live, c)
			for line := range first {
				if !again[line] {
					t.Errorf("the second reading lost %.200s", line)
				}
			}
			for line := range again {
				for _, secret := range secrets {
					if strings.Contains(line, secret) {
						t.Error("a secret came into an event")
					}
				}
			}
		})
	}
}

// reading collects once, and returns the lines of the folder.
func reading(t *testing.T, live Live, c collectors.Collector) map[string]bool {
	t.Helper()
	summaries, err := live.Collect(t.Context(), []collectors.Collector{c}, func(string, collectors.Batch) {})
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range summaries {
		if len(s.Coverage) == 0 {
			t.Error("nothing says what was read")
		}
		for _, f := range s.Faults {
			t.Errorf("an answer is not understood: %v", f)
		}
		for _, cover := range s.Coverage {
			t.Logf("%s %s %v: %s", cover.Source, cover.Status, cover.Missing, cover.Reason)
		}
	}
	lines := map[string]bool{}
	err = filepath.WalkDir(live.Folder, func(path string, _ fs.DirEntry, err error) error {
		if err != nil || filepath.Ext(path) != ".ndjson" {
			return err
		}
		text, err := os.ReadFile(path)
		for line := range strings.Lines(string(text)) {
			lines[line] = true
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return lines
}
