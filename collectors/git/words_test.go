package git

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/changevouch/changevouch/engine"
)

func TestCoAuthors(t *testing.T) {
	carol := engine.SignatureFacts{Name: "Carol", Email: "carol@example.com"}
	bob := engine.SignatureFacts{Name: "Bob", Email: "102+bob@users.noreply.github.com", Account: "bob"}
	tests := []struct {
		name, message string
		want          []engine.SignatureFacts
	}{
		{"none", "Subject\n\nBody.", nil},
		{"one", "Subject\n\nBody.\n\nCo-authored-by: Carol <carol@example.com>\n", []engine.SignatureFacts{carol}},
		{"any case, two", "Subject\n\nco-Authored-BY: Carol <carol@example.com>\nCO-AUTHORED-BY: Bob <102+bob@users.noreply.github.com>", []engine.SignatureFacts{carol, bob}},
		{"said twice", "S\n\nCo-authored-by: Carol <carol@example.com>\nCo-authored-by: Carol <carol@example.com>", []engine.SignatureFacts{carol}},
		{"unfolded", "S\n\nCo-authored-by: Carol\n <carol@example.com>", []engine.SignatureFacts{carol}},
		{"windows lines", "S\r\n\r\nCo-authored-by: Carol <carol@example.com>\r\n", []engine.SignatureFacts{carol}},
		{"beside other trailers", "S\n\nSigned-off-by: A <a@b>\nCo-authored-by: Carol <carol@example.com>", []engine.SignatureFacts{carol}},
		{"in a paragraph of prose, as squashes leave it", "S (#7)\n\n* first\n\nCo-authored-by: Carol <carol@example.com>\n\n* second", []engine.SignatureFacts{carol}},
		{"the subject is no trailer", "Co-authored-by: Carol <carol@example.com>", nil},
		{"without address", "S\n\nCo-authored-by: Carol", []engine.SignatureFacts{{Name: "Carol"}}},
		{"empty", "S\n\nCo-authored-by:", nil},
		{"bot", "S\n\nCo-authored-by: dependabot[bot] <49699333+dependabot[bot]@users.noreply.github.com>",
			[]engine.SignatureFacts{{Name: "dependabot[bot]", Email: "49699333+dependabot[bot]@users.noreply.github.com", Account: "dependabot[bot]"}}},
	}
	for _, tc := range tests {
		t.Run(tc.name, func(t *testing.T) {
			if diff := cmp.Diff(tc.want, coAuthors(tc.message)); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestTrailerMap(t *testing.T) {
	tests := []struct {
		name, message string
		want          map[string]string
	}{
		{"block", "S\n\nBody: not one\n\nChange-Type: standard\nRisk: low\n  on all axes", map[string]string{"change-type": "standard", "risk": "low on all axes"}},
		{"several of one key", "S\n\nReviewed-by: A\nreviewed-by: B", map[string]string{"reviewed-by": "A\nB"}},
		{"a blank line ends the block", "S\n\nChange-Type: standard\n\nThe end.", nil},
		{"prose beside it", "S\n\nSee: this\nand more prose\nand more", nil},
		{"prose beside a line that Git writes", "S\n\nSome prose\nSigned-off-by: A <a@b>", map[string]string{"signed-off-by": "A <a@b>"}},
		{"cherry-pick line", "S\n\nA: b\n(cherry picked from commit 0123)", map[string]string{"a": "b"}},
		{"subject only", "Change-Type: standard", nil},
		{"empty", "", nil},
	}
	for _, tc := range tests {
		t.Run(tc.name, func(t *testing.T) {
			if diff := cmp.Diff(tc.want, trailerMap(tc.message)); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestMergeFromBase(t *testing.T) {
	web := &user{Login: "web-flow"}
	update := func(change func(*commit)) commit {
		c := commit{Linked: web}
		c.Commit.Message = "Merge branch 'main' into cap"
		c.Commit.Committer = &signature{Name: "GitHub", Email: "noreply@github.com"}
		c.Commit.Verification = &struct {
			Verified bool   `json:"verified"`
			Reason   string `json:"reason"`
		}{true, "valid"}
		c.Parents = make([]struct {
			SHA string `json:"sha"`
		}, 2)
		change(&c)
		return c
	}
	yes, no := new(true), new(false)
	tests := []struct {
		name             string
		change           func(*commit)
		merge, conflicts *bool
	}{
		{"update branch", func(*commit) {}, yes, nil},
		{"of a fork's base", func(c *commit) { c.Commit.Message = "Merge branch 'octo:main' into main" }, yes, nil},
		{"conflicts told", func(c *commit) { c.Commit.Message += "\n\n# Conflicts:\n#\tapi.go" }, yes, yes},
		{"account not linked", func(c *commit) { c.Linked = nil }, yes, nil},
		{"merged pull request", func(c *commit) { c.Commit.Message = "Merge pull request #3 from eve/evil" }, no, nil},
		{"other words", func(c *commit) { c.Commit.Message = "Update" }, no, nil},
		{"unsigned", func(c *commit) { c.Commit.Verification.Verified = false }, no, nil},
		{"made elsewhere", func(c *commit) { c.Linked = &user{Login: "alice"} }, no, nil},
		{"committer named GitHub, linked to nobody, of another address", func(c *commit) { c.Linked, c.Commit.Committer.Email = nil, "a@b" }, no, nil},
		{"one parent", func(c *commit) { c.Parents = c.Parents[:1] }, no, nil},
		{"three parents", func(c *commit) { c.Parents = append(c.Parents, c.Parents[0]) }, no, nil},
		{"parents not told", func(c *commit) { c.Parents = nil }, nil, nil},
		{"signature not told", func(c *commit) { c.Commit.Verification = nil }, nil, nil},
	}
	for _, tc := range tests {
		t.Run(tc.name, func(t *testing.T) {
			merge, conflicts := mergeFromBase(update(tc.change))
			if diff := cmp.Diff([]*bool{tc.merge, tc.conflicts}, []*bool{merge, conflicts}); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestSections(t *testing.T) {
	tests := []struct {
		name, body string
		want       map[string]string
	}{
		{"nothing", "", map[string]string{}},
		{"untouched template", "<!-- Describe it\n### Risk\n-->\n### Description\n<!-- what -->\n### Rollback\n_No response_\n", map[string]string{}},
		{"comment never closed", "### Description\n<!-- what\n### Rollback\nnothing", map[string]string{}},
		{"answers", "### Description\r\n\r\nCap it\r\n\r\n### Rollback plan\r\nRevert.", map[string]string{"description": "Cap it", "rollback": "Revert."}},
		{"words before the first heading", "Cap it\n## Rollback ##\nRevert", map[string]string{"description": "Cap it", "rollback": "Revert"}},
		{"code is no heading", "### Description\n```sh\n# rm -rf\n```\n~~~\n## x\n~~~", map[string]string{"description": "```sh\n# rm -rf\n```\n~~~\n## x\n~~~"}},
		{"risk by axis", "### Risk\n- **Availability**: none\n* Security – low\n- Data:\n", map[string]string{"risk": "- **Availability**: none\n* Security – low\n- Data:", "risk_availability": "none", "risk_security": "low"}},
		{"risk headings", "### Risk (Availability)\nnone\n### Security risk\nlow\n### Data\nnone", map[string]string{"risk_availability": "none", "risk_security": "low", "risk_data": "none"}},
		{"own headings", "### Blast Radius!\nsmall", map[string]string{"blast_radius": "small"}},
		{"same heading twice", "### Commits\na\n### Commit\nb", map[string]string{"commits": "a\n\nb"}},
		{"not a heading", "####### seven\n#tag", map[string]string{"description": "####### seven\n#tag"}},
	}
	for _, tc := range tests {
		t.Run(tc.name, func(t *testing.T) {
			if diff := cmp.Diff(tc.want, DefaultForms().sections(tc.body)); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestKind(t *testing.T) {
	forms := DefaultForms()
	forms.Kinds["grease"] = "maintenance"
	tests := []struct {
		labels []string
		want   string
	}{
		{nil, "issue"},
		{[]string{"bug"}, "issue"},
		{[]string{"Incident"}, "incident"},
		{[]string{"incident", "post-incident-review"}, "post_incident_review"},
		{[]string{"type: change-request"}, "change_request"},
		{[]string{"kind/waiver"}, "waiver"},
		{[]string{"grease"}, "maintenance"},
	}
	for _, tc := range tests {
		if got := forms.kind(tc.labels); got != tc.want {
			t.Errorf("kind(%q) = %q, want %q", tc.labels, got, tc.want)
		}
	}
}

func TestAnswers(t *testing.T) {
	at := time.Date(2026, 3, 2, 1, 50, 0, 0, time.UTC)
	for text, want := range map[string]*time.Time{
		"2026-03-02T01:50:00Z": &at, "2026-03-02 01:50 UTC": &at, "`2026-03-02T03:50+02:00`": &at, "2026-03-02 02:50 +01:00": &at,
		"2026-03-02 01:50": nil, "2026-03-02 01:50 CET": nil, "last night": nil, "": nil,
	} {
		if diff := cmp.Diff(want, formInstant(text)); diff != "" {
			t.Errorf("%q: %s", text, diff)
		}
	}
	if diff := cmp.Diff([]string{"api", "web app", "db"}, items("- [x] api\n- [ ] mail\n* web app, `db`\n")); diff != "" {
		t.Error(diff)
	}
	for text, want := range map[string]*bool{"Yes, only that": new(true), "- [X] limited": new(true), "- [ ] limited": new(false), "no": new(false), "perhaps": nil, "": nil} {
		if diff := cmp.Diff(want, yes(text)); diff != "" {
			t.Errorf("%q: %s", text, diff)
		}
	}
	for text, want := range map[string]*engine.Account{
		"@carol": {System: "github", Account: "carol"}, " carol ": {System: "github", Account: "carol"},
		"c@example.com": {System: "email", Account: "c@example.com", Email: "c@example.com"}, "two people": nil, "octo/team": nil, "": nil,
	} {
		if diff := cmp.Diff(want, login(text)); diff != "" {
			t.Errorf("%q: %s", text, diff)
		}
	}
}

func TestMentioned(t *testing.T) {
	body := "### Pull request\n#7, 8\n### Notes\nsee #12, octo/infra#3 (octo/shop#4) https://github.com/octo/shop/pull/9 https://github.com/octo/other/pull/1 https://github.com/octo/shop/issues/5 foo#bar x#1"
	pulls, issues := mentioned("octo/shop", body, "#7, 8")
	if diff := cmp.Diff([]int{7, 8, 9}, pulls); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff([]string{"octo/infra#3", "octo/shop#12", "octo/shop#4", "octo/shop#5"}, issues); diff != "" {
		t.Error(diff)
	}
}

func TestUpdateKind(t *testing.T) {
	for versions, want := range map[[2]string]string{
		{"1.2.3", "1.2.4"}: "patch", {"v1.2.3", "v1.3.0"}: "minor", {"1.2.3", "2.0.0"}: "major", {"0.1.0", "0.2.0"}: "minor", {"4.1", "4.2"}: "minor", {"4.1", "4.1.1"}: "patch",
		{"1.2.3", "1.2.2"}: "", {"1.2.3", "1.2.3"}: "", {"1.2.3", "1.2.4-rc.1"}: "", {"1", "2"}: "", {"abc123", "def456"}: "", {"", ""}: "",
	} {
		if got := updateKind(versions[0], versions[1]); got != want {
			t.Errorf("updateKind(%q) = %q, want %q", versions, got, want)
		}
	}
}

func TestAnnouncedUpdates(t *testing.T) {
	bot := &user{Login: "dependabot[bot]", Type: "Bot"}
	one := []engine.DependencyFacts{{Name: "@types/node", From: "20.1.0", To: "20.1.1", Update: "patch"}}
	tests := []struct {
		name  string
		by    *user
		title string
		want  []engine.DependencyFacts
	}{
		{"plain", bot, "Bump @types/node from 20.1.0 to 20.1.1", one},
		{"with prefix and folder", bot, "chore(deps): bump @types/node from 20.1.0 to 20.1.1 in /web", one},
		{"said by a person", &user{Login: "alice", Type: "User"}, "Bump @types/node from 20.1.0 to 20.1.1", nil},
		{"by a person named like it", &user{Login: "dependabot[bot]", Type: "User"}, "Bump @types/node from 20.1.0 to 20.1.1", nil},
		{"other title", bot, "Bump things", nil},
		{"nobody", nil, "Bump x from 1.0.0 to 1.0.1", nil},
	}
	for _, tc := range tests {
		t.Run(tc.name, func(t *testing.T) {
			if diff := cmp.Diff(tc.want, announcedUpdates(tc.by, tc.title, "")); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestPatchedUpdates(t *testing.T) {
	npm := func(patch string, plus, minus int) engine.FileFacts {
		return engine.FileFacts{Path: "web/package.json", Status: "modified", Patch: patch, Additions: &plus, Deletions: &minus}
	}
	const bumped = "@@ -1 +1 @@\n-    \"ws\": \"^8.1.0\",\n+    \"ws\": \"^8.2.0\","
	lock := engine.FileFacts{Path: "web/package-lock.json", Status: "modified"}
	ws := []engine.DependencyFacts{{Name: "ws", From: "8.1.0", To: "8.2.0", Update: "minor", Ecosystem: "npm"}}
	tests := []struct {
		name  string
		files []engine.FileFacts
		want  []engine.DependencyFacts
	}{
		{"update", []engine.FileFacts{npm(bumped, 1, 1), lock}, ws},
		{"patch is cut", []engine.FileFacts{npm(bumped, 2, 2)}, nil},
		{"new package", []engine.FileFacts{npm("@@\n+    \"evil\": \"1.0.0\",", 1, 0)}, nil},
		{"other line", []engine.FileFacts{npm(bumped+"\n+    \"postinstall\": \"sh x\"", 2, 1)}, nil},
		{"range", []engine.FileFacts{npm("@@\n-  \"ws\": \">=8\"\n+  \"ws\": \">=9\"", 1, 1)}, nil},
		{"other file", []engine.FileFacts{npm(bumped, 1, 1), {Path: "main.go", Status: "modified", Patch: "+x"}}, nil},
		{"lockfile alone", []engine.FileFacts{lock}, nil},
		{"other package in its place", []engine.FileFacts{npm("@@\n-  \"ws\": \"8.1.0\"\n+  \"vs\": \"8.1.1\"", 1, 1)}, nil},
		{"go", []engine.FileFacts{{Path: "go.mod", Status: "modified", Patch: "@@\n-\tgolang.org/x/net v0.1.0 // indirect\n+\tgolang.org/x/net v0.1.1 // indirect"}},
			[]engine.DependencyFacts{{Name: "golang.org/x/net", From: "v0.1.0", To: "v0.1.1", Update: "patch", Ecosystem: "go"}}},
		{"pip", []engine.FileFacts{{Path: "requirements-dev.txt", Status: "modified", Patch: "@@\n-requests==2.1.0\n+requests==3.0.0"}},
			[]engine.DependencyFacts{{Name: "requests", From: "2.1.0", To: "3.0.0", Update: "major", Ecosystem: "pip"}}},
	}
	for _, tc := range tests {
		t.Run(tc.name, func(t *testing.T) {
			if diff := cmp.Diff(tc.want, patchedUpdates(tc.files)); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestRoutes(t *testing.T) {
	const id = "0123456789012345678901234567890123456789"
	tests := []struct {
		path string
		want route
	}{
		{"any/github/repos/octo/shop/pulls/7/reviews.json", route{kind: "review", repo: "octo/shop", number: 7, page: 1}},
		{"repos/octo/shop/pulls/7/reviews.page-3.json.gz", route{kind: "review", repo: "octo/shop", number: 7, page: 3}},
		{"home/repos/x/repos/octo/shop/commits/" + id + "/check-runs.json", route{kind: "check run", repo: "octo/shop", sha: id, name: id, page: 1}},
		{"repos/octo/repos/pulls.json", route{kind: "pull", repo: "octo/repos", page: 1}},
		{"repos/octo/shop/branches/release%2F1/protection.json", route{kind: "protection", repo: "octo/shop", name: "release/1", page: 1}},
		{"repos/octo/shop/branches/feat/x.json", route{kind: "branch", repo: "octo/shop", name: "feat/x", page: 1}},
		{"repos/octo/shop/issues/7/timeline.json", route{kind: "timeline event", repo: "octo/shop", number: 7, page: 1}},
		{"repos/octo/shop/somewhere/new.json", route{page: 1}},
		{"orgs/octo/dependabot/alerts.json", route{kind: "dependabot alert", page: 1}},
		{"https://api.github.com/repos/octo/shop/pulls/7/files?per_page=100&page=2", route{kind: "pull file", repo: "octo/shop", number: 7, page: 2, perPage: 100}},
		{"https://github.example/api/v3/repos/octo/shop/pulls", route{kind: "pull", repo: "octo/shop", page: 1, perPage: 30}},
	}
	for _, tc := range tests {
		t.Run(tc.path, func(t *testing.T) {
			got := routeOfPath(tc.path)
			if len(tc.path) > 8 && tc.path[:8] == "https://" {
				got = routeOfURL(tc.path)
			}
			if diff := cmp.Diff(tc.want, got, cmp.AllowUnexported(route{})); diff != "" {
				t.Error(diff)
			}
		})
	}
}
