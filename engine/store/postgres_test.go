package store_test

import (
	"bytes"
	"context"
	"errors"
	"github.com/changevouch/changevouch/engine"
	"io"
	"net"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/changevouch/changevouch/engine/ledger"
	"github.com/changevouch/changevouch/engine/store"
	"github.com/changevouch/changevouch/engine/store/storetest"
)

// The server says that its disk is full; here a trigger makes it.
func TestPostgresDiskFull(t *testing.T) {
	key := storetest.Key(t)
	s := storetest.Open(t, postgres(t).Fresh(t), store.Options{Key: key})
	exec := func(query string) {
		t.Helper()
		if _, err := s.DB().ExecContext(t.Context(), query); err != nil {
			t.Fatal(err)
		}
	}
	exec(`CREATE FUNCTION disk() RETURNS trigger AS $$ BEGIN
		IF (SELECT count(*) FROM tags) > 100 THEN RAISE EXCEPTION 'could not extend file: No space left on device' USING ERRCODE = '53100'; END IF; RETURN NEW; END $$ LANGUAGE plpgsql`)
	exec("CREATE TRIGGER disk BEFORE INSERT ON subjects FOR EACH ROW EXECUTE FUNCTION disk()")
	recorded, failed, err := fill(t, s, 0)
	if !strings.Contains(err.Error(), "the database server has no space left") || len(recorded) == 0 {
		t.Errorf("after %d: %v", len(recorded), err)
	}
	exec("DROP TRIGGER disk ON subjects")
	intact(t, s, key, recorded, failed)
}

func TestPostgresReadOnly(t *testing.T) {
	key, address := storetest.Key(t), postgres(t).Fresh(t)
	s := storetest.Open(t, address, store.Options{Key: key})
	if _, err := s.DB().ExecContext(t.Context(), "DO $$ BEGIN EXECUTE 'ALTER DATABASE ' || current_database() || ' SET default_transaction_read_only = on'; END $$"); err != nil {
		t.Fatal(err)
	}
	_, err := store.Open(t.Context(), address, store.Options{Key: storetest.Key(t)})
	if err == nil {
		t.Error("opened with another key")
	}
	again := storetest.Open(t, address, store.Options{Key: key})
	if _, err := again.Journal(t.Context(), storetest.Judge()); err == nil || !strings.Contains(err.Error(), "read-only") {
		t.Errorf("%v", err)
	}
	if _, err := again.List(t.Context(), engine.DecisionFilter{}, "", 1); err != nil {
		t.Errorf("reading: %v", err)
	}
}

func TestPostgresAddress(t *testing.T) {
	for address, want := range map[string]string{
		"postgres://u:secret@127.0.0.1:1/x?sslmode=disable":          "cannot be reached",
		"postgres://u@127.0.0.1:1/x?sslmode=disable&password=secret": "cannot be reached",
		"postgres://u:secret@127.0.0.1:nonsense/x":                   "postgres",
	} {
		s, err := store.Open(t.Context(), address, store.Options{Key: storetest.Key(t), Patience: time.Millisecond})
		if err == nil {
			t.Errorf("%s: opened %v", address, s)
		} else if strings.Contains(err.Error(), "secret") || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", address, err)
		}
	}
	if _, err := store.Open(t.Context(), postgres(t).URL("nowhere"), store.Options{Key: storetest.Key(t)}); err == nil || !strings.Contains(err.Error(), "no such database") {
		t.Errorf("%v", err)
	}
}

// The server is stopped, and killed, while several write: nobody notices but for
// the time that it takes.
func TestPostgresRestart(t *testing.T) {
	server, err := storetest.StartServer()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := server.Close(); err != nil {
			t.Error(err)
		}
	})
	key, address := storetest.Key(t), server.Fresh(t)
	s := storetest.Open(t, address, store.Options{Key: key})
	j, err := s.Journal(t.Context(), storetest.Judge())
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	var all sync.WaitGroup
	var written atomic.Int64
	for i := range 3 {
		all.Go(func() {
			for n := 0; ctx.Err() == nil; n++ {
				one := storetest.Judged(storetest.Judge(), 10_000*i+n, 0, 0)
				if err := j.Append(t.Context(), one.Dossier, one.Decision); err != nil {
					t.Errorf("decision %d of writer %d: %v", n, i, err)
					return
				}
				written.Add(1)
			}
		})
	}
	more := func() {
		t.Helper()
		for before := written.Load(); written.Load() < before+20 && !t.Failed(); {
			time.Sleep(time.Millisecond)
		}
	}
	for _, end := range []func() error{server.Stop, server.Kill, server.Stop, server.Kill} {
		more()
		if err := errors.Join(end(), server.Start()); err != nil {
			t.Error(err)
			break
		}
	}
	more()
	cancel()
	all.Wait()
	report, err := s.Verify(t.Context(), store.Verification{Keys: []ledger.PublicKey{key.Public()}})
	if err != nil || !report.Sound() || report.Kinds[ledger.KindDecision] != written.Load() {
		t.Errorf("%d decisions were acknowledged: %+v, %v", written.Load(), report, err)
	}
}

// proxy stands between a client and a server, and cuts connections at commits.
type proxy struct {
	listener net.Listener
	socket   string
	before   atomic.Int64 // cut that many before the server hears of them
	after    atomic.Int64 // cut that many before the client hears of them
	cuts     atomic.Int64
}

func newProxy(t *testing.T, socket string) *proxy {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	p := &proxy{listener: listener, socket: socket}
	t.Cleanup(func() { listener.Close() })
	go func() {
		for {
			client, err := listener.Accept()
			if err != nil {
				return
			}
			go p.serve(client)
		}
	}()
	return p
}

func (p *proxy) serve(client net.Conn) {
	defer client.Close()
	server, err := net.Dial("unix", p.socket)
	if err != nil {
		return
	}
	defer server.Close()
	var deaf atomic.Bool // the client hears nothing any more
	go func() {
		defer client.Close()
		buffer := make([]byte, 1<<16)
		for {
			n, err := server.Read(buffer)
			if err != nil {
				return
			}
			if deaf.Load() {
				return // the server has committed, and says so to nobody
			}
			if _, err := client.Write(buffer[:n]); err != nil {
				return
			}
		}
	}()
	buffer := make([]byte, 1<<16)
	for {
		n, err := client.Read(buffer)
		if err != nil {
			return
		}
		if bytes.Contains(bytes.ToLower(buffer[:n]), []byte("commit\x00")) {
			if p.before.Add(-1) >= 0 {
				p.cuts.Add(1)
				return
			}
			if p.after.Add(-1) >= 0 {
				p.cuts.Add(1)
				deaf.Store(true)
				if _, err := server.Write(buffer[:n]); err == nil {
					time.Sleep(20 * time.Millisecond) // the server works
				}
				return
			}
		}
		if _, err := io.Copy(server, bytes.NewReader(buffer[:n])); err != nil {
			return
		}
	}
}

func TestPostgresConnectionCutInCommit(t *testing.T) {
	for name, cut := range map[string]func(p *proxy, n int64){
		"before the server commits":  func(p *proxy, n int64) { p.before.Store(n) },
		"after the server committed": func(p *proxy, n int64) { p.after.Store(n) },
	} {
		t.Run(name, func(t *testing.T) {
			server := postgres(t)
			direct, err := url.Parse(server.Fresh(t))
			if err != nil {
				t.Fatal(err)
			}
			p := newProxy(t, server.Socket())
			key := storetest.Key(t)
			address := "postgres://vouch@" + p.listener.Addr().String() + direct.Path + "?sslmode=disable"
			s := storetest.Open(t, address, store.Options{Key: key})
			j, err := s.Journal(t.Context(), storetest.Judge())
			if err != nil {
				t.Fatal(err)
			}
			add := func(s *store.Store, n int) error {
				one := storetest.Judged(storetest.Judge(), n, 0, 0)
				return j.Append(t.Context(), one.Dossier, one.Decision)
			}
			// Cut several times, it is tried again, and recorded once.
			for n := range 5 {
				cut(p, int64(n%3))
				if err := add(s, n); err != nil {
					t.Errorf("decision %d: %v", n, err)
				}
			}
			if p.cuts.Load() != 4 {
				t.Errorf("%d connections were cut, not 4", p.cuts.Load())
			}
			// Whoever has no patience is told, and may ask again.
			hasty := storetest.Open(t, address, store.Options{Key: key, Patience: time.Nanosecond})
			if j, err = hasty.Journal(t.Context(), storetest.Judge()); err != nil {
				t.Fatal(err)
			}
			cut(p, 1)
			if err := add(hasty, 5); err == nil || !strings.Contains(err.Error(), "ended the connection") {
				t.Errorf("cut, and not told: %v", err)
			}
			if err := add(hasty, 5); err != nil {
				t.Errorf("asked again: %v", err)
			}
			report, err := s.Verify(t.Context(), store.Verification{Keys: []ledger.PublicKey{key.Public()}})
			if err != nil || !report.Sound() || report.Kinds[ledger.KindDecision] != 6 {
				t.Errorf("%+v, %v", report, err)
			}
		})
	}
}
