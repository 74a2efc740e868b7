package app

import (
	"compress/gzip"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/changevouch/changevouch/engine"
	"github.com/changevouch/changevouch/engine/httpapi"
)

// TestDecisionLogOfServer: whatever a wired server evaluates reaches the sink in OPA's
// form, with the sink's token.
func TestDecisionLogOfServer(t *testing.T) {
	var lock sync.Mutex
	var got []httpapi.DecisionLogEntry
	sink := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		lock.Lock()
		defer lock.Unlock()
		var list []httpapi.DecisionLogEntry
		z, err := gzip.NewReader(r.Body)
		if err == nil {
			err = json.NewDecoder(z).Decode(&list)
		}
		if err != nil || r.Header.Get("Authorization") != "Bearer sink-secret" {
			t.Errorf("%v, %v", r.Header, err)
		}
		got = append(got, list...)
	}))
	defer sink.Close()
	folder := t.TempDir()
	secret := filepath.Join(folder, "secret")
	if err := os.WriteFile(secret, []byte("sink-secret\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	config := Config{
		Store: "sqlite:" + filepath.Join(folder, "journal.db"), Policy: PolicyFiles{Bundles: []string{scriptBundle}},
		DecisionLog: DecisionLogConfig{URL: sink.URL, TokenFile: secret, BufferDir: filepath.Join(folder, "buffer")},
	}
	server, err := OpenServer(t.Context(), ServerOptions{Config: config, Version: "test", LookupEnv: os.LookupEnv})
	if err != nil {
		t.Fatal(err)
	}
	handler, err := server.Handler(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	web := httptest.NewServer(handler)
	a := &apiServer{t: t, url: web.URL, store: server.store, tokens: map[engine.Role]string{}}
	a.tokens[engine.RoleSubmitter] = a.token(engine.Token{ID: "t", Name: "ci", Role: engine.RoleSubmitter, CreatedAt: time.Now()})
	a.send(engine.RoleSubmitter, "POST", "/v1/evaluate", apiDossier("acme/shop#1", "pass")).want(t, http.StatusOK)
	a.send(engine.RoleSubmitter, "POST", "/v1/evaluate/batch", apiDossier("acme/shop#2", "pass")).want(t, http.StatusOK)
	a.send(engine.RoleSubmitter, "POST", "/v1/evaluate", apiDossier("acme/shop#3", "undefined")).want(t, http.StatusInternalServerError)
	var data struct {
		ID     string `json:"decision_id"`
		Result string
	}
	a.send(engine.RoleSubmitter, "POST", "/v1/data/decision/document/outcome", `{"input":`+apiDossier("acme/shop#4", "fail")+`}`).want(t, http.StatusOK).into(t, &data)
	web.Close()
	if err := server.Close(); err != nil {
		t.Fatal(err)
	}
	if len(got) != 4 {
		t.Fatalf("%d entries: %+v", len(got), got)
	}
	for i, e := range got {
		if e.Labels["engine"] != "changevouch" || e.RequestedBy != "ci" || e.Timestamp.IsZero() || len(e.Bundles) != 1 || len(e.Input) == 0 {
			t.Errorf("%d: %+v", i, e)
		}
	}
	last := got[3]
	if got[2].Error == nil || got[2].Result != nil || last.Path != "decision/document/outcome" || last.DecisionID != data.ID || string(last.Result) != `"non_compliant"` || data.Result != "non_compliant" {
		t.Errorf("%+v, %+v", got[2], last)
	}
	var ids []string
	for _, e := range got[:2] {
		ids = append(ids, e.DecisionID)
	}
	if slices.Contains(ids, "") || ids[0] == ids[1] {
		t.Errorf("%v", ids)
	}
}
