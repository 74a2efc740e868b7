// Forge is a GitHub of one repository, acme/hello, with one open pull request, to try
// changevouch without an account. It answers what a collector asks, sends signed
// webhooks, takes commit statuses and check runs, and lets a pull request be merged
// when the newest of them is a success.
//
//	go run tools/forge/main.go -secret-file FILE
//	curl -X POST http://127.0.0.1:8421/open      alice opens the pull request
//	curl http://127.0.0.1:8421/merge             may it be merged?
//	curl -X POST http://127.0.0.1:8421/approve   bob approves it
package main

import (
	"bytes"
	"crypto/hmac"
	"crypto/sha1"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"log"
	"net/http"
	"os"
	"os/signal"
	"strings"
	"sync"
	"syscall"
	"time"
)

type object = map[string]any

const (
	repo   = "acme/hello"
	number = 7
)

const body = `## Description
Greet in the language of the visitor.

## Risk
- Availability: low, one more table in memory.
- Security: none, nothing is read from the visitor but the header.
- Data: none.

## Rollback
Revert the merge commit and deploy.
`

// forge is the repository. What is asked for comes from answers; everything is from
// the same hour, which began when the program did.
type forge struct {
	hook    string
	secret  []byte
	began   time.Time
	lock    sync.Mutex
	opened  bool
	reviews []object
	shown   []object // statuses and check runs of the head, the newest first
	sent    int
}

func main() {
	listen := flag.String("listen", "127.0.0.1:8421", "address to listen on")
	hook := flag.String("hook", "http://127.0.0.1:8420/v1/webhooks/github", "where webhooks go")
	secretFile := flag.String("secret-file", "", "file with the secret that signs webhooks")
	flag.Parse()
	secret, err := os.ReadFile(*secretFile)
	if err != nil {
		log.Fatalf("forge: -secret-file: %v", err)
	}
	f := &forge{hook: *hook, secret: bytes.TrimSpace(secret), began: time.Now().UTC().Add(-time.Hour).Truncate(time.Second)}
	server := &http.Server{Addr: *listen, Handler: f.routes(), ReadHeaderTimeout: 5 * time.Second}
	end := make(chan os.Signal, 1)
	signal.Notify(end, os.Interrupt, syscall.SIGTERM)
	go func() {
		<-end
		_ = server.Close()
	}()
	if err := server.ListenAndServe(); !errors.Is(err, http.ErrServerClosed) {
		log.Fatalf("forge: %v", err)
	}
}

func (f *forge) routes() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("POST /open", f.open)
	mux.HandleFunc("POST /approve", f.approve)
	mux.HandleFunc("GET /merge", f.merge)
	mux.HandleFunc("POST /repos/"+repo+"/statuses/{sha}", f.show)
	mux.HandleFunc("POST /repos/"+repo+"/check-runs", f.show)
	mux.HandleFunc("POST /graphql", f.graphql)
	mux.HandleFunc("GET /", f.answer)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		// As on an Enterprise Server.
		r.URL.Path = strings.TrimPrefix(strings.TrimPrefix(r.URL.Path, "/api/v3"), "/api")
		f.lock.Lock()
		defer f.lock.Unlock()
		mux.ServeHTTP(w, r)
	})
}

// open and approve happen, and are told.
func (f *forge) open(w http.ResponseWriter, r *http.Request) {
	f.opened = true
	f.tell(w, r, "pull_request", object{"action": "opened", "number": number, "pull_request": f.pull()})
}

func (f *forge) approve(w http.ResponseWriter, r *http.Request) {
	review := object{"id": 71, "user": person("bob", 2), "state": "APPROVED", "commit_id": head, "submitted_at": stamp(time.Now())}
	f.reviews = []object{review}
	f.tell(w, r, "pull_request_review", object{"action": "submitted", "review": review, "pull_request": f.pull()})
}

// merge says what the merge box of the pull request would.
func (f *forge) merge(w http.ResponseWriter, _ *http.Request) {
	if len(f.shown) == 0 {
		fmt.Fprintf(w, "%s#%d waits for its status\n", repo, number)
		return
	}
	word, last := "blocked", f.shown[0]
	if last["state"] == "success" || last["conclusion"] == "success" {
		word = "may be merged"
	}
	fmt.Fprintf(w, "%s#%d %s\n%v: %v\n", repo, number, word, last["context"], last["description"])
}

// tell sends a webhook, signed as GitHub signs.
func (f *forge) tell(w http.ResponseWriter, r *http.Request, event string, payload object) {
	payload["repository"], payload["sender"] = repository(), person("alice", 1)
	text, err := json.Marshal(payload)
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	mac := hmac.New(sha256.New, f.secret)
	mac.Write(text)
	f.sent++
	hook, err := http.NewRequestWithContext(r.Context(), http.MethodPost, f.hook, bytes.NewReader(text))
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	for name, value := range map[string]string{
		"Content-Type": "application/json", "X-GitHub-Event": event, "X-GitHub-Delivery": fmt.Sprintf("%s-%d", f.began.Format("20060102150405"), f.sent),
		"X-Hub-Signature-256": "sha256=" + hex.EncodeToString(mac.Sum(nil)),
	} {
		hook.Header.Set(name, value)
	}
	answer, err := http.DefaultClient.Do(hook)
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadGateway)
		return
	}
	defer answer.Body.Close()
	fmt.Fprintf(w, "%s told: %s\n", event, answer.Status)
}

// show takes a commit status or a check run.
func (f *forge) show(w http.ResponseWriter, r *http.Request) {
	var o object
	if err := json.NewDecoder(http.MaxBytesReader(w, r.Body, 1<<20)).Decode(&o); err != nil {
		http.Error(w, `{"message":"Problems parsing JSON"}`, http.StatusBadRequest)
		return
	}
	o["id"], o["created_at"], o["updated_at"] = len(f.shown)+1, stamp(time.Now()), stamp(time.Now())
	f.shown = append([]object{o}, f.shown...)
	write(w, http.StatusCreated, o)
}

// answer is what GitHub says of the repository: one page of each list.
func (f *forge) answer(w http.ResponseWriter, r *http.Request) {
	path, ok := strings.CutPrefix(r.URL.Path, "/repos/"+repo)
	if v, known := f.answers()[strings.TrimPrefix(path, "/")]; ok && known {
		write(w, http.StatusOK, v)
		return
	}
	write(w, http.StatusNotFound, object{"message": "Not Found", "status": "404"})
}

func (f *forge) answers() map[string]any {
	none := []object{}
	protection := object{"required_pull_request_reviews": object{"required_approving_review_count": 1, "dismiss_stale_reviews": true}, "enforce_admins": object{"enabled": true},
		"required_status_checks": object{"strict": true, "contexts": []string{"test"}}}
	test := object{"id": 1, "name": "test", "head_sha": head, "status": "completed", "conclusion": "success", "started_at": stamp(f.began.Add(10 * time.Minute)), "completed_at": stamp(f.began.Add(12 * time.Minute))}
	all := map[string]any{
		"": repository(), "branches": []object{{"name": "main", "protected": true}}, "branches/main": object{"name": "main", "protected": true, "commit": object{"sha": base}},
		"branches/main/protection": protection, "rules/branches/main": none, "rulesets": none, "rulesets/rule-suites": none,
		"environments": object{"total_count": 0, "environments": none}, "deployments": none, "activity": none, "issues": none, "issues/comments": none,
		"code-scanning/alerts": none, "dependabot/alerts": none, "secret-scanning/alerts": none, "pulls": none,
		"collaborators":                   []object{object{"role_name": "write", "login": "alice", "id": 1, "type": "User"}, object{"role_name": "write", "login": "bob", "id": 2, "type": "User"}},
		"collaborators/alice/permission":  object{"permission": "write", "role_name": "write", "user": person("alice", 1)},
		"collaborators/bob/permission":    object{"permission": "write", "role_name": "write", "user": person("bob", 2)},
		"commits/" + head:                 commit(f.began),
		"commits/" + head + "/check-runs": object{"total_count": 1, "check_runs": []object{test}},
		"commits/" + head + "/statuses":   f.shown, "commits/" + head + "/pulls": none,
	}
	if f.shown == nil {
		all["commits/"+head+"/statuses"] = none
	}
	if f.opened {
		pull := fmt.Sprintf("pulls/%d", number)
		all["pulls"], all[pull] = []object{f.pull()}, f.pull()
		all["commits/"+head+"/pulls"] = []object{f.pull()}
		all[pull+"/reviews"] = append(none, f.reviews...)
		all[pull+"/commits"] = []object{commit(f.began)}
		all[pull+"/files"] = []object{{"filename": "greeting.go", "status": "modified", "additions": 1, "deletions": 1, "patch": "@@ -1 +1 @@\n-hello\n+hello, visitor"}}
		all[pull+"/comments"], all[fmt.Sprintf("issues/%d/comments", number)] = none, none
		all[fmt.Sprintf("issues/%d/timeline", number)], all[fmt.Sprintf("issues/%d/events", number)] = none, none
	}
	return all
}

// graphql tells of the pull request what REST does not.
func (f *forge) graphql(w http.ResponseWriter, _ *http.Request) {
	p := f.pull()
	none := object{"nodes": []object{}, "pageInfo": object{"hasNextPage": false}}
	write(w, http.StatusOK, object{"data": object{"repository": object{"nameWithOwner": repo, "pullRequest": object{
		"number": number, "state": "OPEN", "title": p["title"], "body": p["body"], "author": object{"login": "alice", "__typename": "User"}, "createdAt": p["created_at"],
		"updatedAt": p["updated_at"], "baseRefName": "main", "headRefName": "greeting", "userContentEdits": none, "closingIssuesReferences": none, "timelineItems": none,
	}}}})
}

var head, base = sum("greeting"), sum("main")

func (f *forge) pull() object {
	updated := f.began.Add(20 * time.Minute)
	if len(f.reviews) > 0 {
		updated = time.Now()
	}
	return object{"id": 700, "number": number, "state": "open", "title": "Greet visitors in their language", "body": body, "user": person("alice", 1), "draft": false,
		"created_at": stamp(f.began.Add(5 * time.Minute)), "updated_at": stamp(updated), "merged": false, "merged_at": nil, "closed_at": nil, "labels": []object{}, "commits": 1, "changed_files": 1,
		"head": object{"ref": "greeting", "sha": head, "repo": repository()}, "base": object{"ref": "main", "sha": base, "repo": repository()},
		"url": fmt.Sprintf("https://api.github.com/repos/%s/pulls/%d", repo, number)}
}

func commit(at time.Time) object {
	who := object{"name": "Alice", "email": "alice@acme.example", "date": stamp(at)}
	return object{"sha": head, "url": "https://api.github.com/repos/" + repo + "/commits/" + head, "author": person("alice", 1), "committer": person("alice", 1),
		"commit": object{"message": "Greet visitors in their language", "author": who, "committer": who, "tree": object{"sha": sum("tree")}}, "parents": []object{{"sha": base}}}
}

func repository() object {
	return object{"id": 1, "full_name": repo, "name": "hello", "owner": object{"login": "acme", "id": 9, "type": "Organization"}, "default_branch": "main", "has_issues": true,
		"url": "https://api.github.com/repos/" + repo}
}

func person(login string, id int) object {
	return object{"login": login, "id": id, "type": "User"}
}

func stamp(t time.Time) string { return t.UTC().Format(time.RFC3339) }

func sum(text string) string { return fmt.Sprintf("%x", sha1.Sum([]byte(text))) }

func write(w http.ResponseWriter, status int, v any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	if err := json.NewEncoder(w).Encode(v); err != nil {
		log.Printf("forge: %v", err)
	}
}
