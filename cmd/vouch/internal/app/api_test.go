package app

import (
	"bytes"
	"context"
	"crypto/rand"
	"database/sql"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/changevouch/changevouch/engine"
	"github.com/changevouch/changevouch/engine/httpapi"
	"github.com/changevouch/changevouch/engine/ledger"
	"github.com/changevouch/changevouch/engine/store"
	"github.com/changevouch/changevouch/schemas"
)

// apiNow is the time of the servers of these tests.
var apiNow = time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)

// scriptBundle is a policy that loads quickly: the commit message of a change is the
// status of its one control.
const scriptBundle = "../../testdata/bundle"

// apiServer is the HTTP API over a real journal and a real policy.
type apiServer struct {
	t      *testing.T
	url    string
	store  *store.Store
	key    *ledger.Key
	tokens map[engine.Role]string
	config httpapi.Config
}

// newAPIServer serves until the test ends. set may change the configuration.
func newAPIServer(t *testing.T, set func(*httpapi.Config)) *apiServer {
	t.Helper()
	a := &apiServer{t: t, tokens: map[engine.Role]string{}}
	var err error
	if a.key, err = ledger.NewKey(rand.Reader, ""); err != nil {
		t.Fatal(err)
	}
	clock := func() time.Time { return apiNow }
	if a.store, err = store.Open(t.Context(), "sqlite:"+filepath.Join(t.TempDir(), "journal.db"), store.Options{Key: a.key, Clock: clock}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { a.store.Close() })
	p, kept, err := packedPolicy(t.Context(), PolicyConfig{Bundles: []string{scriptBundle}}, "test")
	if err != nil {
		t.Fatal(err)
	}
	journal, err := a.store.Journal(t.Context(), engine.Judge{kept})
	if err != nil {
		t.Fatal(err)
	}
	rules := apiRules(p, p, journal)
	for _, role := range httpapi.Roles() {
		a.tokens[role] = a.token(engine.Token{ID: "tok-" + string(role), Name: "a " + string(role), Role: role, CreatedAt: apiNow})
	}
	a.config = httpapi.Config{
		Version: "test", Journal: a.store, Clock: clock,
		Rules: func() httpapi.Rules { return rules },
		AddEvents: func(ctx context.Context, events []engine.Event) (int, error) {
			return a.store.AddEvents(ctx, events, nil)
		},
		AddWaiver:      func(ctx context.Context, w engine.Waiver) error { return a.store.AddWaiver(ctx, w, "") },
		AddAttestation: func(ctx context.Context, w engine.Attestation) error { return a.store.AddAttestation(ctx, w, "") },
		Replay:         apiReplay(a.store, "test"),
		Sources:        func(context.Context) (any, error) { return []Coverage{{Source: "github", Status: "complete"}}, nil },
		Log:            slog.New(slog.NewTextHandler(t.Output(), &slog.HandlerOptions{Level: slog.LevelWarn})),
	}
	if set != nil {
		set(&a.config)
	}
	handler, err := httpapi.New(a.config)
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(handler)
	t.Cleanup(server.Close)
	a.url = server.URL
	return a
}

// token records a token and returns it.
func (a *apiServer) token(kept engine.Token) string {
	a.t.Helper()
	token := httpapi.NewToken()
	kept.Hash = httpapi.TokenHash(token)
	if err := a.store.AddToken(a.t.Context(), kept); err != nil {
		a.t.Fatal(err)
	}
	return token
}

// apiReply is an answer, read.
type apiReply struct {
	*http.Response
	body []byte
}

// send makes a request as somebody with a role; the empty role sends no token. Headers
// are name and value in turn.
func (a *apiServer) send(role engine.Role, method, path, body string, headers ...string) apiReply {
	a.t.Helper()
	r, err := http.NewRequestWithContext(a.t.Context(), method, a.url+path, strings.NewReader(body))
	if err != nil {
		a.t.Fatal(err)
	}
	if role != "" {
		r.Header.Set("Authorization", "Bearer "+a.tokens[role])
	}
	for i := 0; i < len(headers); i += 2 {
		r.Header.Set(headers[i], headers[i+1])
	}
	return a.do(r)
}

func (a *apiServer) do(r *http.Request) apiReply {
	a.t.Helper()
	response, err := http.DefaultClient.Do(r)
	if err != nil {
		a.t.Fatal(err)
	}
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	if err != nil {
		a.t.Fatal(err)
	}
	return apiReply{response, text}
}

// want fails the test unless the answer has a status.
func (r apiReply) want(t *testing.T, status int) apiReply {
	t.Helper()
	if r.StatusCode != status {
		t.Fatalf("%s %s: %d, want %d\n%s", r.Request.Method, r.Request.URL.Path, r.StatusCode, status, r.body)
	}
	if kind := r.Header.Get("Content-Type"); status >= 400 && kind != "application/problem+json" && !strings.HasPrefix(r.Request.URL.Path, "/v1/data") && r.Request.URL.Path != "/health/ready" {
		t.Fatalf("%s %s: an error as %s\n%s", r.Request.Method, r.Request.URL.Path, kind, r.body)
	}
	return r
}

// into decodes an answer.
func (r apiReply) into(t *testing.T, v any) {
	t.Helper()
	if err := json.Unmarshal(r.body, v); err != nil {
		t.Fatalf("%v\n%s", err, r.body)
	}
}

// apiProblem is what clients read of an error.
type apiProblem struct {
	Status int
	Detail string
	Errors []struct{ Message, Location string }
}

// apiDossier is one that the small policy judges by its commit message.
func apiDossier(id, message string) string {
	return fmt.Sprintf(`{"schema":"dossier/v1","evaluated_at":"2026-11-22T10:00:00Z","subject":{"type":"change","id":%q},"sources":{},"people":[],"change":{"kind":"pull_request","commit_message":%q}}`, id, message)
}

func TestAPIEvaluate(t *testing.T) {
	a := newAPIServer(t, nil)
	r := a.send(engine.RoleSubmitter, "POST", "/v1/evaluate", apiDossier("acme/shop#1", "fail")).want(t, http.StatusOK)
	var d engine.Decision
	r.into(t, &d)
	if d.Outcome != engine.OutcomeNonCompliant || r.Header.Get("Location") != "/v1/decisions/"+d.ID || r.Header.Get("X-Request-Id") == "" {
		t.Fatalf("%v\n%s", r.Header, r.body)
	}
	record, err := a.store.Decision(t.Context(), d.ID)
	if err != nil {
		t.Fatalf("answered before it was recorded: %v", err)
	}
	if !bytes.Equal(record.Bytes, r.body) {
		t.Errorf("answered\n%s\nrecorded\n%s", r.body, record.Bytes)
	}
	// The same again is the same.
	again := a.send(engine.RoleSubmitter, "POST", "/v1/evaluate", apiDossier("acme/shop#1", "fail")).want(t, http.StatusOK)
	if !bytes.Equal(again.body, r.body) {
		t.Errorf("again\n%s", again.body)
	}
	// Without a record there is none.
	r = a.send(engine.RoleSubmitter, "POST", "/v1/evaluate?record=false", apiDossier("acme/shop#2", "pass")).want(t, http.StatusOK)
	r.into(t, &d)
	a.send(engine.RoleViewer, "GET", "/v1/decisions/"+d.ID, "").want(t, http.StatusNotFound)

	actions, err := a.store.Actions(t.Context(), -1, 100)
	if err != nil {
		t.Fatal(err)
	}
	var who []string
	for _, action := range actions {
		who = append(who, action.Method+" "+action.Route+" by "+action.Principal+" on "+action.Target)
	}
	if n := len(slices.DeleteFunc(who, func(s string) bool {
		return s != "POST /v1/evaluate by a submitter on "+record.ID
	})); n != 2 {
		t.Errorf("audit: %v", actions)
	}
}

func TestAPIEvaluateFaults(t *testing.T) {
	a := newAPIServer(t, func(c *httpapi.Config) { c.Limits.BodyBytes = 64 << 10 })
	valid := apiDossier("acme/shop#1", "pass")
	tests := []struct {
		name, body string
		status     int
		location   string // of the first fault
		says       string
	}{
		{"no JSON", `{`, 422, "body", "ends inside"},
		{"nothing", ``, 422, "body", "empty document"},
		{"a misspelt field", strings.Replace(valid, "commit_message", "commit_massage", 1), 422, "body/change/commit_massage", "did you mean"},
		{"a wrong instant", strings.Replace(valid, "2026-11-22T10:00:00Z", "yesterday", 1), 422, "body/evaluated_at", "RFC 3339"},
		{"null", strings.Replace(valid, `"pass"`, `null`, 1), 422, "body/change/commit_message", "null"},
		{"a key twice", strings.Replace(valid, `"kind"`, `"kind":"direct_push","kind"`, 1), 422, "body/change/kind", "twice"},
		{"nested deep", `{"schema":` + strings.Repeat(`[`, 10_000) + strings.Repeat(`]`, 10_000) + `}`, 422, "body/schema", "nested"},
		{"a huge number", strings.Replace(valid, `{"kind"`, `{"files_truncated":1e999999999,"kind"`, 1), 422, "body/change/files_truncated", ""},
		{"two documents", valid + valid, 422, "body", "behind the end"},
		{"large", `"` + strings.Repeat("x", 64<<10) + `"`, 413, "", "65536"},
		{"undefined", apiDossier("acme/shop#1", "undefined"), 500, "", "could not decide"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var p apiProblem
			a.send(engine.RoleSubmitter, "POST", "/v1/evaluate", tt.body).want(t, tt.status).into(t, &p)
			text := p.Detail
			if tt.location != "" {
				if len(p.Errors) == 0 || !strings.HasPrefix(p.Errors[0].Location, tt.location) {
					t.Fatalf("faults %+v, want one at %s", p.Errors, tt.location)
				}
				text += p.Errors[0].Message
			}
			if p.Status != tt.status || !strings.Contains(text, tt.says) {
				t.Errorf("%+v", p)
			}
		})
	}
	a.send(engine.RoleSubmitter, "POST", "/v1/evaluate?recrod=false", valid).want(t, http.StatusUnprocessableEntity)
	a.send(engine.RoleSubmitter, "POST", "/v1/evaluate?record=maybe", valid).want(t, http.StatusUnprocessableEntity)
	list, err := a.store.List(t.Context(), engine.DecisionFilter{}, "", 10)
	if err != nil || len(list.Decisions) != 0 {
		t.Errorf("recorded %v, %v", list, err)
	}
}

func TestAPIEvaluateTimeout(t *testing.T) {
	a := newAPIServer(t, func(c *httpapi.Config) { c.Limits.Timeout = 300 * time.Millisecond })
	a.send(engine.RoleSubmitter, "POST", "/v1/evaluate", apiDossier("acme/shop#1", "slow")).want(t, http.StatusGatewayTimeout)
	got := a.send(engine.RoleSubmitter, "POST", "/v1/evaluate/batch", apiDossier("acme/shop#1", "slow")).want(t, http.StatusOK)
	if !bytes.Contains(got.body, []byte(`"status":504`)) {
		t.Errorf("%s", got.body)
	}
	if got := a.send(engine.RoleSubmitter, "POST", "/v1/data/decision/document", `{"input":`+apiDossier("acme/shop#1", "slow")+`}`); got.StatusCode < 500 {
		t.Errorf("%d %s", got.StatusCode, got.body)
	}
}

// TestAPIRecordFails: when the record fails, the decision is withheld.
func TestAPIRecordFails(t *testing.T) {
	a := newAPIServer(t, func(c *httpapi.Config) {
		rules := c.Rules()
		rules.Recorder = fullJournal{}
		c.Rules = func() httpapi.Rules { return rules }
	})
	r := a.send(engine.RoleSubmitter, "POST", "/v1/evaluate", apiDossier("acme/shop#1", "pass")).want(t, http.StatusInternalServerError)
	if bytes.Contains(r.body, []byte("compliant")) || bytes.Contains(r.body, []byte("/secret/disk")) {
		t.Errorf("%s", r.body)
	}
	r = a.send(engine.RoleSubmitter, "POST", "/v1/evaluate/batch", apiDossier("acme/shop#1", "pass")).want(t, http.StatusOK)
	if bytes.Contains(r.body, []byte("compliant")) || !bytes.Contains(r.body, []byte(`"error"`)) {
		t.Errorf("%s", r.body)
	}
}

type fullJournal struct{}

func (fullJournal) AppendAll(context.Context, []engine.Judgement) error {
	return fmt.Errorf("/secret/disk is full")
}

func TestAPIBatch(t *testing.T) {
	a := newAPIServer(t, nil)
	var lines []string
	for i := range 150 {
		lines = append(lines, apiDossier(fmt.Sprintf("acme/shop#%d", i), "pass"))
	}
	lines[70] = `{"schema":"dossier/v1"}`
	lines[71] = apiDossier("acme/shop#71", "undefined")
	lines[72] = "" // an empty line is none
	r := a.send(engine.RoleSubmitter, "POST", "/v1/evaluate/batch", strings.Join(lines, "\n")+"\n").want(t, http.StatusOK)
	if kind := r.Header.Get("Content-Type"); kind != "application/x-ndjson" {
		t.Errorf("as %s", kind)
	}
	var answered []int
	decoder := json.NewDecoder(bytes.NewReader(r.body))
	for decoder.More() {
		var one struct {
			Line     int
			Decision *engine.Decision
			Error    *apiProblem
		}
		if err := decoder.Decode(&one); err != nil {
			t.Fatal(err)
		}
		answered = append(answered, one.Line)
		switch one.Line {
		case 71:
			if one.Error == nil || one.Error.Status != 422 || len(one.Error.Errors) == 0 {
				t.Errorf("line 71: %+v", one)
			}
		case 72:
			if one.Error == nil || one.Error.Status != 500 {
				t.Errorf("line 72: %+v", one)
			}
		default:
			if one.Decision == nil || one.Decision.Subject.ID != fmt.Sprintf("acme/shop#%d", one.Line-1) {
				t.Fatalf("line %d: %+v", one.Line, one)
			}
			if _, err := a.store.Decision(t.Context(), one.Decision.ID); err != nil {
				t.Fatalf("line %d: %v", one.Line, err)
			}
		}
	}
	if len(answered) != 149 || !slices.IsSorted(answered) {
		t.Errorf("answered lines %v", answered)
	}
	a.send(engine.RoleSubmitter, "POST", "/v1/evaluate/batch", "\n\n").want(t, http.StatusUnprocessableEntity)
	a.send(engine.RoleSubmitter, "POST", "/v1/evaluate/batch?records=false", lines[0]).want(t, http.StatusUnprocessableEntity)
	r = a.send(engine.RoleSubmitter, "POST", "/v1/evaluate/batch?record=false", apiDossier("acme/none#1", "pass")).want(t, http.StatusOK)
	if !bytes.Contains(r.body, []byte("acme/none#1")) {
		t.Errorf("%s", r.body)
	}
	a.send(engine.RoleViewer, "GET", "/v1/subjects/acme%2Fnone%231", "").want(t, http.StatusNotFound)
}

// TestAPIAway: that the journal cannot be reached is told apart from a fault of ours.
func TestAPIAway(t *testing.T) {
	var hasty *store.Store
	a := newAPIServer(t, func(c *httpapi.Config) {
		c.AddWaiver = func(ctx context.Context, w engine.Waiver) error { return hasty.AddWaiver(ctx, w, "") }
	})
	var err error
	if hasty, err = store.Open(t.Context(), "sqlite:"+a.store.Place(), store.Options{Key: a.key, Patience: 50 * time.Millisecond}); err != nil {
		t.Fatal(err)
	}
	defer hasty.Close()
	other, err := sql.Open("sqlite", a.store.Place())
	if err != nil {
		t.Fatal(err)
	}
	defer other.Close()
	other.SetMaxOpenConns(1)
	if _, err := other.ExecContext(t.Context(), "BEGIN IMMEDIATE"); err != nil {
		t.Fatal(err)
	}
	var p apiProblem
	a.send(engine.RoleOperator, "POST", "/v1/waivers", `{"id":"w1","controls":["T-1"],"subject":"acme/shop#1"}`).want(t, http.StatusServiceUnavailable).into(t, &p)
	if strings.Contains(p.Detail, "locked") || strings.Contains(p.Detail, a.store.Place()) {
		t.Errorf("%+v", p)
	}
}

// TestAPIAhead: nothing of a moment still to come is recorded, since it would stay the
// latest until then; and an older view is a conflict of its own, not of its neighbours.
func TestAPIAhead(t *testing.T) {
	a := newAPIServer(t, nil)
	at := func(id string, ahead time.Duration) string {
		return strings.Replace(apiDossier(id, "pass"), "2026-11-22T10:00:00Z", apiNow.Add(ahead).Format(time.RFC3339), 1)
	}
	var p apiProblem
	a.send(engine.RoleSubmitter, "POST", "/v1/evaluate", at("acme/shop#1", time.Hour)).want(t, http.StatusUnprocessableEntity).into(t, &p)
	if len(p.Errors) != 1 || p.Errors[0].Location != "body/evaluated_at" {
		t.Errorf("%+v", p)
	}
	a.send(engine.RoleSubmitter, "POST", "/v1/evaluate?record=false", at("acme/shop#1", time.Hour)).want(t, http.StatusOK)
	a.send(engine.RoleSubmitter, "POST", "/v1/evaluate", at("acme/shop#1", time.Minute)).want(t, http.StatusOK)
	a.send(engine.RoleSubmitter, "POST", "/v1/evaluate", at("acme/shop#1", -time.Hour)).want(t, http.StatusConflict)
	a.send(engine.RoleSubmitter, "POST", "/v1/evaluate", strings.Replace(at("acme/NUL#1", 0), "NUL", `\u0000`, 1)).want(t, http.StatusUnprocessableEntity)

	r := a.send(engine.RoleSubmitter, "POST", "/v1/evaluate/batch", strings.Join([]string{
		at("acme/shop#2", 0), at("acme/shop#1", -time.Hour), at("acme/shop#3", time.Hour), at("acme/shop#4", 0),
	}, "\n")).want(t, http.StatusOK)
	got := []int{}
	for line := range bytes.Lines(r.body) {
		var one struct {
			Decision *engine.Decision
			Error    apiProblem
		}
		if err := json.Unmarshal(line, &one); err != nil {
			t.Fatal(err)
		}
		got = append(got, one.Error.Status)
		if one.Decision == nil {
			continue
		}
		if _, err := a.store.Decision(t.Context(), one.Decision.ID); err != nil {
			t.Error(err)
		}
	}
	if !slices.Equal(got, []int{0, http.StatusConflict, http.StatusUnprocessableEntity, 0}) {
		t.Errorf("lines answered %v\n%s", got, r.body)
	}
	for _, path := range []string{"/v1/subjects/%FF", "/v1/decisions/%FF", "/v1/data/%FF"} {
		a.send(engine.RoleAdmin, "GET", path, "").want(t, http.StatusBadRequest)
	}
	cursor := base64.RawURLEncoding.EncodeToString([]byte(`{"type":"\u0000"}`))
	a.send(engine.RoleAdmin, "GET", "/v1/subjects?cursor="+cursor, "").want(t, http.StatusUnprocessableEntity)
}

// TestAPIBatchStreams: a line is answered before the next is sent.
func TestAPIBatchStreams(t *testing.T) {
	a := newAPIServer(t, nil)
	in, out := io.Pipe()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, a.url+"/v1/evaluate/batch", in)
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Authorization", "Bearer "+a.tokens[engine.RoleSubmitter])
	r.Header.Set("Accept-Encoding", "identity")
	go func() { io.WriteString(out, apiDossier("acme/shop#0", "pass")+"\n") }()
	response, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	decoder := json.NewDecoder(response.Body)
	for i := range 5 {
		var one struct{ Line int }
		if err := decoder.Decode(&one); err != nil || one.Line != i+1 {
			t.Fatalf("line %d: %v, %v", i+1, one, err)
		}
		if i < 4 {
			io.WriteString(out, apiDossier(fmt.Sprintf("acme/shop#%d", i+1), "pass")+"\n")
		}
	}
	out.Close()
	if _, err := decoder.Token(); err != io.EOF {
		t.Errorf("after the end: %v", err)
	}
}

func TestAPIDecisions(t *testing.T) {
	a := newAPIServer(t, nil)
	var d engine.Decision
	var text []byte
	for i, message := range []string{"pass", "fail", "pending", "unknown", "waived"} {
		r := a.send(engine.RoleSubmitter, "POST", "/v1/evaluate", apiDossier(fmt.Sprintf("acme/shop#%d", i), message)).want(t, http.StatusOK)
		r.into(t, &d)
		text = r.body
	}
	path := "/v1/decisions/" + d.ID

	r := a.send(engine.RoleViewer, "GET", path, "").want(t, http.StatusOK)
	tag := r.Header.Get("ETag")
	if !bytes.Equal(r.body, text) || tag == "" {
		t.Errorf("%v\n%s", r.Header, r.body)
	}
	for _, known := range []string{tag, `"other", W/` + strings.TrimPrefix(tag, "W/"), "*"} {
		if r := a.send(engine.RoleViewer, "GET", path, "", "If-None-Match", known); r.StatusCode != http.StatusNotModified || len(r.body) > 0 || r.Header.Get("ETag") == "" {
			t.Errorf("If-None-Match: %s: %d %s", known, r.StatusCode, r.body)
		}
	}
	a.send(engine.RoleViewer, "GET", path, "", "If-None-Match", `"other"`).want(t, http.StatusOK)
	a.send(engine.RoleViewer, "GET", "/v1/decisions/dec_none", "").want(t, http.StatusNotFound)
	if r := a.send(engine.RoleViewer, "HEAD", path, ""); r.StatusCode != http.StatusOK || len(r.body) > 0 || r.Header.Get("ETag") == "" {
		t.Errorf("HEAD: %d, %v", r.StatusCode, r.Header)
	}

	r = a.send(engine.RoleAuditor, "GET", path+"/dossier", "").want(t, http.StatusOK)
	if engine.Digest(r.body) != d.InputDigest || r.Header.Get("ETag") == "" {
		t.Errorf("the dossier is not what was judged: %s", r.body)
	}
	r = a.send(engine.RoleAuditor, "GET", path+"/proof", "").want(t, http.StatusOK)
	proven, err := ledger.Check(r.body, a.key.Public())
	if err != nil || proven.Entry == nil || !bytes.Equal(proven.Entry.Body, text) {
		t.Errorf("proof: %v, %+v", err, proven)
	}
	var again httpapi.Replayed
	a.send(engine.RoleAuditor, "POST", path+"/replay", "").want(t, http.StatusOK).into(t, &again)
	if !again.Same || again.Again.ID != d.ID {
		t.Errorf("replayed: %+v", again)
	}
	a.send(engine.RoleAuditor, "POST", "/v1/decisions/dec_none/replay", "").want(t, http.StatusNotFound)

	var why struct {
		Superseded bool
		Findings   []struct {
			Control string
			Facts   []struct{ Pointer, Fact string }
		}
	}
	a.send(engine.RoleViewer, "GET", path+"/explain", "").want(t, http.StatusOK).into(t, &why)
	if why.Superseded || len(why.Findings) != 1 || len(why.Findings[0].Facts) != 1 || !strings.Contains(why.Findings[0].Facts[0].Fact, "waived") {
		t.Errorf("explained: %+v", why)
	}
	if r := a.send(engine.RoleViewer, "GET", path+"/explain?format=markdown", "").want(t, http.StatusOK); !strings.HasPrefix(r.Header.Get("Content-Type"), "text/markdown") || !bytes.Contains(r.body, []byte("T-1")) {
		t.Errorf("%v\n%s", r.Header, r.body)
	}
	a.send(engine.RoleViewer, "GET", path+"/explain?format=html", "").want(t, http.StatusUnprocessableEntity)
}

func TestAPIDecisionList(t *testing.T) {
	a := newAPIServer(t, nil)
	for i := range 25 {
		message := []string{"pass", "fail", "pending"}[i%3]
		a.send(engine.RoleSubmitter, "POST", "/v1/evaluate", apiDossier(fmt.Sprintf("acme/shop#%d", i), message)).want(t, http.StatusOK)
	}
	type list struct {
		Decisions []engine.DecisionSummary
		Next      string
	}
	read := func(query string) list {
		var l list
		a.send(engine.RoleViewer, "GET", "/v1/decisions?"+query, "").want(t, http.StatusOK).into(t, &l)
		return l
	}
	var seen []string
	for cursor, pages := "", 0; pages == 0 || cursor != ""; pages++ {
		l := read("limit=7&cursor=" + cursor)
		for _, d := range l.Decisions {
			seen = append(seen, d.ID)
		}
		cursor = l.Next
	}
	var want []string
	whole, err := a.store.List(t.Context(), engine.DecisionFilter{}, "", 100)
	if err != nil {
		t.Fatal(err)
	}
	for _, d := range whole.Decisions {
		want = append(want, d.ID)
	}
	if diff := cmp.Diff(want, seen); diff != "" || len(seen) != 25 {
		t.Errorf("pages (-journal +API)\n%s", diff)
	}
	for query, n := range map[string]int{
		"outcome=non_compliant":                     8,
		"outcome=non_compliant&outcome=pending":     16,
		"control=T-1&status=pending":                8,
		"control=T-9":                               0,
		"status=fail":                               8,
		"class=normal&risk=low&type=change":         25,
		"class=emergency":                           0,
		"person=alice":                              25,
		"person=nobody":                             0,
		"repository=acme/none":                      0,
		"service=srv-none":                          0,
		"since=2026-11-22T10:00:00Z":                25,
		"until=2026-11-22T10:00:00Z":                0,
		"since=2026-11-22T10:00:00.5Z":              0,
		"text=acme&latest=true":                     25,
		"text=nothing+of+it":                        0,
		"since=2026-11-22T11:00:00%2B01:00&limit=3": 3,
	} {
		if l := read(query); len(l.Decisions) != n || l.Decisions == nil {
			t.Errorf("%s: %d, want %d", query, len(l.Decisions), n)
		}
	}
	for query, location := range map[string]string{
		"outcome=non-compliant": "query.outcome", "limit=0": "query.limit", "limit=x": "query.limit", "since=yesterday": "query.since",
		"outcom=pass": "query.outcom", "status=failed": "query.status", "latest=perhaps": "query.latest",
		"since=2026-11-23T00:00:00Z&until=2026-11-22T00:00:00Z": "query.since", "text=" + strings.Repeat("x", 600): "query.text",
	} {
		var p apiProblem
		a.send(engine.RoleViewer, "GET", "/v1/decisions?"+query, "").want(t, http.StatusUnprocessableEntity).into(t, &p)
		if len(p.Errors) == 0 || !strings.HasPrefix(p.Errors[0].Location, location) {
			t.Errorf("%s: %+v", query, p)
		}
	}
	for _, path := range []string{"/v1/decisions", "/v1/subjects", "/v1/deadlines"} {
		for _, cursor := range []string{"';DROP", "bm9uZQ", "e30x"} {
			a.send(engine.RoleViewer, "GET", path+"?cursor="+cursor, "").want(t, http.StatusUnprocessableEntity)
		}
	}
	a.send(engine.RoleViewer, "GET", "/v1/decisions?text=%2C%2C", "").want(t, http.StatusUnprocessableEntity)
}

func TestAPISubjects(t *testing.T) {
	a := newAPIServer(t, nil)
	for _, message := range []string{"pending", "fail", "pass"} {
		later := strings.Replace(apiDossier("acme/shop#1", message), "T10:", "T1"+map[string]string{"pending": "0", "fail": "1", "pass": "2"}[message]+":", 1)
		a.send(engine.RoleSubmitter, "POST", "/v1/evaluate", later).want(t, http.StatusOK)
	}
	a.send(engine.RoleSubmitter, "POST", "/v1/evaluate", apiDossier("acme/shop#2", "pass")).want(t, http.StatusOK)
	for _, path := range []string{"/v1/subjects/acme%2Fshop%231", "/v1/subjects/acme/shop%231", "/v1/subjects/acme%2Fshop%231?type=change"} {
		var s struct {
			Subject engine.Subject
			History []struct {
				engine.DecisionSummary
				Changed []struct{ What, Before, After string }
			}
		}
		a.send(engine.RoleViewer, "GET", path, "").want(t, http.StatusOK).into(t, &s)
		if s.Subject.ID != "acme/shop#1" || len(s.History) != 3 || s.History[0].Outcome != "pending" || !s.History[2].Latest || len(s.History[1].Changed) == 0 || s.History[0].Changed == nil {
			t.Errorf("%s: %+v", path, s)
		}
	}
	for _, path := range []string{"/v1/subjects/acme%2Fshop", "/v1/subjects/", "/v1/subjects/acme%2Fshop%231?type=finding"} {
		a.send(engine.RoleViewer, "GET", path, "").want(t, http.StatusNotFound)
	}
	var first, second struct {
		Decisions []engine.DecisionSummary
		Next      string
	}
	a.send(engine.RoleViewer, "GET", "/v1/subjects?limit=1", "").want(t, http.StatusOK).into(t, &first)
	a.send(engine.RoleViewer, "GET", "/v1/subjects?limit=1&cursor="+first.Next, "").want(t, http.StatusOK).into(t, &second)
	if len(first.Decisions) != 1 || first.Decisions[0].Subject.ID != "acme/shop#1" || len(second.Decisions) != 1 || second.Decisions[0].Subject.ID != "acme/shop#2" || second.Next != "" {
		t.Errorf("%+v, %+v", first, second)
	}
}

func TestAPIDeadlines(t *testing.T) {
	a := newAPIServer(t, nil)
	p, kept, err := packedPolicy(t.Context(), PolicyConfig{Bundles: []string{"../../testdata/deadline"}}, "test")
	if err != nil {
		t.Fatal(err)
	}
	journal, err := a.store.Journal(t.Context(), engine.Judge{kept})
	if err != nil {
		t.Fatal(err)
	}
	for i := range 5 {
		d := fmt.Sprintf(`{"schema":"dossier/v1","evaluated_at":"2026-11-22T10:00:00Z","subject":{"type":"finding","id":"V-%d"},"sources":{},"people":[],"finding":{"id":"V-%d","package":"x","severity":"high","first_detected_at":"2026-11-2%dT10:00:00Z"}}`, i, i, i%3)
		if _, err := (engine.Engine{Policy: p, Journal: journal}).Decide(t.Context(), []byte(d)); err != nil {
			t.Fatal(err)
		}
	}
	want, err := a.store.Deadlines(t.Context(), engine.SubjectFilter{}, nil, 10)
	if err != nil || len(want) != 5 {
		t.Fatalf("%v, %v", want, err)
	}
	var seen []string
	for cursor, pages := "", 0; pages == 0 || cursor != ""; pages++ {
		var l struct {
			Decisions []engine.DecisionSummary
			Next      string
		}
		a.send(engine.RoleViewer, "GET", "/v1/deadlines?limit=2&cursor="+cursor, "").want(t, http.StatusOK).into(t, &l)
		for _, d := range l.Decisions {
			seen = append(seen, d.Subject.ID)
		}
		cursor = l.Next
	}
	for i, d := range want {
		if seen[i] != d.Subject.ID {
			t.Errorf("pages %v", seen)
		}
	}
}

func TestAPIRecords(t *testing.T) {
	a := newAPIServer(t, nil)
	const waiver = `{"id":"W-1","controls":["CM-4.B.1"],"subject":"acme/shop#1","reason":"a pilot","requested_by":"alice","approved_by":"bob","approved_at":"2026-11-22T12:00:00Z","expires_at":"2026-12-22T12:00:00Z"}`
	a.send(engine.RoleOperator, "POST", "/v1/waivers", waiver).want(t, http.StatusCreated)
	var waivers struct{ Waivers []engine.Waiver }
	a.send(engine.RoleAuditor, "GET", "/v1/waivers", "").want(t, http.StatusOK).into(t, &waivers)
	if len(waivers.Waivers) != 1 || waivers.Waivers[0].ID != "W-1" {
		t.Errorf("%+v", waivers)
	}
	for body, location := range map[string]string{
		strings.Replace(waiver, `"reason"`, `"reson"`, 1):                 "body/reson",
		strings.Replace(waiver, `"W-1"`, `1`, 1):                          "body/id",
		strings.Replace(waiver, `"2026-12-22T12:00:00Z"`, `"soon"`, 1):    "body/expires_at",
		strings.Replace(waiver, `"id":"W-1",`, ``, 1):                     "body",
		strings.Replace(waiver, `"id":"W-1"`, `"id":"W-1","id":"W-2"`, 1): "body/id",
		`[]`:                                  "body",
		`{"id":"x"}],"attestations":[{"a":1}`: "body",
	} {
		var p apiProblem
		a.send(engine.RoleOperator, "POST", "/v1/waivers", body).want(t, http.StatusUnprocessableEntity).into(t, &p)
		if len(p.Errors) == 0 || !strings.HasPrefix(p.Errors[0].Location, location) {
			t.Errorf("%s: %+v", body, p)
		}
	}
	const attestation = `{"id":"A-1","control":"CM-5.3","subject":"acme/shop#1","statement":"limited to the issue","made_by":"bob","role":"security-reviewer","made_at":"2026-11-22T12:00:00Z"}`
	a.send(engine.RoleOperator, "POST", "/v1/attestations", attestation).want(t, http.StatusCreated)
	var attestations struct{ Attestations []engine.Attestation }
	a.send(engine.RoleAuditor, "GET", "/v1/attestations", "").want(t, http.StatusOK).into(t, &attestations)
	if len(attestations.Attestations) != 1 || attestations.Attestations[0].ID != "A-1" {
		t.Errorf("%+v", attestations)
	}
	actions, err := a.store.Actions(t.Context(), -1, 100)
	if err != nil {
		t.Fatal(err)
	}
	got := map[string]string{}
	for _, action := range actions {
		got[action.Route] = action.Target
	}
	if got["/v1/waivers"] != "W-1" || got["/v1/attestations"] != "A-1" {
		t.Errorf("audit: %+v", actions)
	}
	// Rules that the body's schema does not know are the adapter's.
	b := newAPIServer(t, func(c *httpapi.Config) {
		c.AddWaiver = func(context.Context, engine.Waiver) error {
			return &engine.InputError{Faults: []schemas.Fault{{Pointer: "/approved_by", Message: "bob took part"}}}
		}
	})
	var p apiProblem
	b.send(engine.RoleOperator, "POST", "/v1/waivers", waiver).want(t, http.StatusUnprocessableEntity).into(t, &p)
	if len(p.Errors) != 1 || p.Errors[0].Location != "body/approved_by" {
		t.Errorf("%+v", p)
	}
}

func TestAPIEvents(t *testing.T) {
	a := newAPIServer(t, nil)
	event := func(id string) string {
		return fmt.Sprintf(`{"schema":"event/v1","id":%q,"source":"git","provider":"github","type":"coverage.recorded","occurred_at":"2026-11-22T10:00:00Z","observed_at":"2026-11-22T10:00:00Z","subject":{"type":"source","id":"github"},"data":{"source":"github","status":"complete","facts":["reviews"]},"evidence":{"digest":"sha256:%064d","media_type":"application/json","trust":"api_read"}}`, id, 0)
	}
	post := func(body string, status int) (r struct{ Received, New int }) {
		t.Helper()
		a.send(engine.RoleSubmitter, "POST", "/v1/events", body).want(t, status).into(t, &r)
		return r
	}
	if r := post(event("x:1"), 200); r.Received != 1 || r.New != 1 {
		t.Errorf("one: %+v", r)
	}
	if r := post("["+event("x:1")+","+event("x:2")+"]", 200); r.Received != 2 || r.New != 1 {
		t.Errorf("a list: %+v", r)
	}
	if r := post(event("x:3")+"\n"+event("x:4")+"\n\n", 200); r.Received != 2 || r.New != 2 {
		t.Errorf("lines: %+v", r)
	}
	var pretty bytes.Buffer
	if err := json.Indent(&pretty, []byte(event("x:5")), "", "  "); err != nil {
		t.Fatal(err)
	}
	if r := post(pretty.String(), 200); r.New != 1 {
		t.Errorf("on many lines: %+v", r)
	}
	for name, tt := range map[string]struct{ body, location string }{
		"nothing":       {"", "body"},
		"an empty list": {"[]", "body"},
		"one is wrong":  {"[" + event("y:1") + "," + strings.Replace(event("y:2"), "api_read", "my_word", 1) + "]", "body/1/evidence/trust"},
		"forged trust":  {strings.Replace(event("y:3"), "api_read", "webhook_verified", 1), "body/evidence/trust"},
		"a day ahead":   {strings.Replace(event("y:5"), `"occurred_at":"2026-11-22`, `"occurred_at":"2026-11-24`, 1), "body/occurred_at"},
		"read ahead":    {strings.Replace(event("y:6"), `"observed_at":"2026-11-22`, `"observed_at":"2026-11-24`, 1), "body/observed_at"},
		"a NUL":         {strings.Replace(event("y:7"), "y:7", `y\u0000`, 1), "body/id"},
		"a broken line": {event("y:4") + "\n{\"schema\":}\n", "body/1"},
	} {
		var p apiProblem
		a.send(engine.RoleSubmitter, "POST", "/v1/events", tt.body).want(t, http.StatusUnprocessableEntity).into(t, &p)
		if len(p.Errors) == 0 || !strings.HasPrefix(p.Errors[0].Location, tt.location) {
			t.Errorf("%s: %+v", name, p)
		}
	}
	n := 0
	for _, err := range a.store.Events(t.Context(), store.EventFilter{}) {
		if err != nil {
			t.Fatal(err)
		}
		n++
	}
	if n != 5 {
		t.Errorf("%d events are recorded, want 5: a batch is all or nothing", n)
	}
}

// TestAPILedger: checkpoint and tiles are the mirror that an export writes.
func TestAPILedger(t *testing.T) {
	a := newAPIServer(t, nil)
	for i := range 300 {
		if err := a.store.AddAction(t.Context(), engine.Action{At: apiNow, Principal: "x", Method: "POST", Route: "/", Request: fmt.Sprint(i)}); err != nil {
			t.Fatal(err)
		}
	}
	files := 0
	err := a.store.Export(t.Context(), func(path string, content []byte) error {
		files++
		r := a.send(engine.RoleAuditor, "GET", "/v1/ledger/"+path, "").want(t, http.StatusOK)
		if !bytes.Equal(r.body, content) || r.Header.Get("ETag") == "" {
			t.Errorf("%s differs", path)
		}
		return nil
	})
	if err != nil || files < 4 {
		t.Fatalf("%d files, %v", files, err)
	}
	for _, path := range []string{"0/001", "0/002.p/1", "0/1", "0/000.p/0", "0/000.p/256", "0/000.p/1x", "x/000", "9/000", "0/x001/000", "-1/000", "0/%2e%2e", "0/99999999999999999999", "2/000.p/1", "0/001.p/255"} {
		if r := a.send(engine.RoleAuditor, "GET", "/v1/ledger/tile/"+path, ""); r.StatusCode != http.StatusNotFound && r.StatusCode != http.StatusBadRequest {
			t.Errorf("%s: %d", path, r.StatusCode)
		}
	}
}

func TestAPICatalogue(t *testing.T) {
	a := newAPIServer(t, nil)
	var c struct{ Controls []httpapi.Control }
	a.send(engine.RoleViewer, "GET", "/v1/controls", "").want(t, http.StatusOK).into(t, &c)
	if len(c.Controls) == 0 || c.Controls[0].ID != "T-1" {
		t.Errorf("%+v", c)
	}
	var r struct{ Releases []struct{ Version string } }
	a.send(engine.RoleViewer, "GET", "/v1/releases", "").want(t, http.StatusOK).into(t, &r)
	if len(r.Releases) != 0 {
		t.Errorf("%+v", r)
	}
	_, kept, err := packedPolicy(t.Context(), PolicyConfig{Bundles: []string{scriptBundle}}, "test")
	if err != nil {
		t.Fatal(err)
	}
	kept.Version, kept.EffectiveFrom = "2026.1", apiNow
	if _, err := a.store.AddRelease(t.Context(), kept, "mia"); err != nil {
		t.Fatal(err)
	}
	one := a.send(engine.RoleViewer, "GET", "/v1/releases/2026.1", "").want(t, http.StatusOK)
	if r := a.send(engine.RoleViewer, "GET", "/v1/releases/2026.1", "", "If-None-Match", one.Header.Get("ETag")); r.StatusCode != http.StatusNotModified {
		t.Errorf("%d", r.StatusCode)
	}
	a.send(engine.RoleViewer, "GET", "/v1/releases/2027.1", "").want(t, http.StatusNotFound)
	if r := a.send(engine.RoleAuditor, "GET", "/v1/sources", "").want(t, http.StatusOK); !bytes.Contains(r.body, []byte(`"source":"github"`)) {
		t.Errorf("%s", r.body)
	}
	if r := a.send(engine.RoleViewer, "GET", "/openapi.yaml", "").want(t, http.StatusOK); !bytes.Contains(r.body, []byte("openapi: 3.1.0")) {
		t.Errorf("%.200s", r.body)
	}
}

func TestAPIHealth(t *testing.T) {
	var failing error
	a := newAPIServer(t, func(c *httpapi.Config) {
		c.Ready = map[string]func(context.Context) error{"journal": func(context.Context) error { return nil }, "jobs": func(context.Context) error { return failing }}
	})
	a.send("", "GET", "/health/live", "").want(t, http.StatusOK)
	a.send("", "GET", "/health/ready", "").want(t, http.StatusOK)
	failing = fmt.Errorf("password=hunter2")
	r := a.send("", "GET", "/health/ready", "").want(t, http.StatusServiceUnavailable)
	if string(r.body) != `{"not_ready":["jobs"],"status":"not ready"}`+"\n" {
		t.Errorf("%s", r.body)
	}
}
