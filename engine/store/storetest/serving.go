package storetest

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/changevouch/changevouch/engine"
	"github.com/changevouch/changevouch/engine/ledger"
	"github.com/changevouch/changevouch/engine/store"
)

// Delivery makes the n-th of a made-up series of webhook deliveries.
func Delivery(n int) engine.Delivery {
	payload := fmt.Appendf(nil, `{"action":"submitted","number":%d,"body":"%s"}`, n, strings.Repeat("fine ", 40))
	return engine.Delivery{
		Source: "github", ID: fmt.Sprintf("72d3162e-cc78-11e3-81ab-%012d", n), Event: "pull_request_review",
		ReceivedAt: Epoch.Add(time.Duration(n) * time.Second), Digest: engine.Digest(payload), Payload: payload,
	}
}

// Token makes the n-th of a made-up series of tokens.
func Token(n int) engine.Token {
	expires := Epoch.Add(90 * 24 * time.Hour)
	return engine.Token{
		ID: fmt.Sprintf("tok_%d", n), Name: fmt.Sprintf("pipeline %d", n), Role: engine.RoleSubmitter,
		Hash: engine.Digest(fmt.Appendf(nil, "secret %d", n)), CreatedAt: Epoch.Add(time.Duration(n) * time.Second), ExpiresAt: &expires,
	}
}

// keep records what a server keeps beside the log; kept makes sure that a journal
// has it.
func keep(t *testing.T, s *store.Store) {
	t.Helper()
	ctx := t.Context()
	for n := range 4 {
		if _, err := s.AddDelivery(ctx, Delivery(n)); err != nil {
			t.Fatal(err)
		}
	}
	_, claimed := s.ClaimNotice(ctx, "violation dec_1")
	for _, err := range []error{
		s.FinishDelivery(ctx, "github", Delivery(1).ID, "line 1: no JSON"), s.FinishDelivery(ctx, "github", Delivery(3).ID, ""),
		s.AddToken(ctx, Token(1)), s.AddToken(ctx, Token(2)), s.RevokeToken(ctx, "tok_2", Epoch.Add(time.Hour)), claimed,
		s.AddAction(ctx, engine.Action{At: Epoch, Principal: "mia", Role: engine.RoleOperator, Method: "POST", Route: "/v1/waivers", Target: "w1", Request: "req-1", Status: 201}),
	} {
		if err != nil {
			t.Fatal(err)
		}
	}
}

func kept(t *testing.T, s *store.Store) {
	t.Helper()
	ctx := t.Context()
	list, err := s.PendingDeliveries(ctx, 10)
	if diff := cmp.Diff([]engine.Delivery{Delivery(0), Delivery(2)}, list); err != nil || diff != "" {
		t.Errorf("pending deliveries: %v %s", err, diff)
	}
	if added, err := s.AddDelivery(ctx, Delivery(1)); err != nil || added {
		t.Errorf("a delivery with a fault is taken again: %v, %v", added, err)
	}
	revoked := Token(2)
	at := Epoch.Add(time.Hour)
	revoked.RevokedAt = &at
	tokens, err := s.Tokens(ctx)
	if diff := cmp.Diff([]engine.Token{Token(1), revoked}, tokens); err != nil || diff != "" {
		t.Errorf("tokens: %v %s", err, diff)
	}
	if first, err := s.ClaimNotice(ctx, "violation dec_1"); err != nil || first {
		t.Errorf("notice: %v, %v", first, err)
	}
	actions, err := s.Actions(ctx, -1, 10)
	if err != nil || len(actions) != 4 || actions[3].Principal != "mia" || actions[3].Request != "req-1" {
		t.Errorf("actions: %+v, %v", actions, err)
	}
}

func testDeliveries(t *testing.T, d Database) {
	ctx := t.Context()
	address, key := d.Fresh(t), Key(t)
	at := &clock{Epoch.Add(time.Hour)}
	s := Open(t, address, store.Options{Key: key, Clock: at.read})
	// The last one received comes first, and all come from several at once, twice.
	var all sync.WaitGroup
	var added atomic.Int64
	for range 4 {
		all.Go(func() {
			for n := 9; n >= 0; n-- {
				isNew, err := s.AddDelivery(ctx, Delivery(n))
				if err != nil {
					t.Error(err)
				}
				if isNew {
					added.Add(1)
				}
			}
		})
	}
	all.Wait()
	other := Delivery(0)
	other.Source, other.ReceivedAt = "render", Epoch.Add(time.Minute)
	if isNew, err := s.AddDelivery(ctx, other); err != nil || !isNew || added.Load() != 10 {
		t.Errorf("%v, %v, %d were new", isNew, err, added.Load())
	}
	list, err := s.PendingDeliveries(ctx, 3)
	if diff := cmp.Diff([]engine.Delivery{Delivery(0), Delivery(1), Delivery(2)}, list); err != nil || diff != "" {
		t.Errorf("pending: %v %s", err, diff)
	}
	for _, one := range []engine.Delivery{Delivery(0), Delivery(1), Delivery(1)} {
		if err := s.FinishDelivery(ctx, one.Source, one.ID, "bad\x00 \xff"); err != nil {
			t.Error(err)
		}
	}
	if err := s.FinishDelivery(ctx, "github", "nobody's", ""); !errors.Is(err, engine.ErrNotFound) {
		t.Errorf("finished what never came: %v", err)
	}
	if list, err = s.PendingDeliveries(ctx, 100); err != nil || len(list) != 9 || list[0].ID != Delivery(2).ID || cmp.Diff(other, list[8]) != "" {
		t.Errorf("pending: %v, %v", list, err)
	}
	if _, ok := d.(*Server); ok {
		testDeliveryBesideWriters(t, address, key)
		if err := s.FinishDelivery(ctx, "github", Delivery(60).ID, ""); err != nil {
			t.Error(err)
		}
	}
	for name, wrong := range map[string]func(*engine.Delivery){
		"payload": func(d *engine.Delivery) { d.Payload = []byte("{}") }, "id": func(d *engine.Delivery) { d.ID = "" },
		"NUL": func(d *engine.Delivery) { d.Event = "a\x00" }, "length": func(d *engine.Delivery) { d.ID = strings.Repeat("x", 5000) },
		"time": func(d *engine.Delivery) { d.ReceivedAt = time.Time{} }, "source": func(d *engine.Delivery) { d.Source = "" },
	} {
		one := Delivery(50)
		if wrong(&one); second(s.AddDelivery(ctx, one)) == nil {
			t.Errorf("kept a delivery with a wrong %s", name)
		}
	}
	if err := second(reading(t, address).AddDelivery(ctx, Delivery(51))); !errors.Is(err, store.ErrKey) {
		t.Errorf("kept without a key: %v", err)
	}
	// The log knows nothing of them; a payload that was changed is not handed over.
	if head, _, err := s.Head(ctx); err != nil || head.Size != 0 {
		t.Errorf("%+v, %v", head, err)
	}
	vandal{t, raw(t, address)}.exec("UPDATE payloads SET body = $1", pack(t, []byte("{}")))
	if _, err := s.PendingDeliveries(ctx, 1); err == nil || !strings.Contains(err.Error(), Delivery(2).ID) {
		t.Errorf("a payload that was changed: %v", err)
	}
}

// A delivery that comes in while somebody writes to the log for long, which only
// SQLite makes it wait for.
func testDeliveryBesideWriters(t *testing.T, address string, key *ledger.Key) {
	t.Helper()
	s := Open(t, address, store.Options{Key: key, Patience: time.Millisecond})
	conn, err := raw(t, address).Conn(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if _, err := conn.ExecContext(context.Background(), "BEGIN; SELECT * FROM ledger FOR UPDATE"); err != nil {
		t.Fatal(err)
	}
	if added, err := s.AddDelivery(t.Context(), Delivery(60)); err != nil || !added {
		t.Errorf("%v, %v", added, err)
	}
	if _, err := conn.ExecContext(context.Background(), "ROLLBACK"); err != nil {
		t.Error(err)
	}
}

func testTokens(t *testing.T, d Database) {
	ctx := t.Context()
	key := Key(t)
	s := Open(t, d.Fresh(t), store.Options{Key: key})
	if err := errors.Join(s.AddToken(ctx, Token(2)), s.AddToken(ctx, Token(1))); err != nil {
		t.Fatal(err)
	}
	sameID, sameHash, noHash, noRole := Token(3), Token(3), Token(3), Token(3)
	sameID.ID, sameHash.Hash, noHash.Hash, noRole.Role = "tok_1", Token(1).Hash, "secret", ""
	for _, wrong := range []engine.Token{sameID, sameHash} {
		if err := s.AddToken(ctx, wrong); !errors.Is(err, engine.ErrConflict) {
			t.Errorf("%+v: %v", wrong, err)
		}
	}
	for _, wrong := range []engine.Token{noHash, noRole, {}} {
		if err := s.AddToken(ctx, wrong); err == nil {
			t.Errorf("took %+v", wrong)
		}
	}
	found, err := s.TokenByHash(ctx, Token(2).Hash)
	if diff := cmp.Diff(Token(2), found); err != nil || diff != "" {
		t.Errorf("%v %s", err, diff)
	}
	if _, err := s.TokenByHash(ctx, Token(3).Hash); !errors.Is(err, engine.ErrNotFound) {
		t.Errorf("an unknown token: %v", err)
	}
	at := Epoch.Add(time.Hour)
	for _, moment := range []time.Time{at, at.Add(time.Hour)} {
		if err := s.RevokeToken(ctx, "tok_2", moment); err != nil {
			t.Error(err)
		}
	}
	if err := s.RevokeToken(ctx, "tok_9", at); !errors.Is(err, engine.ErrNotFound) {
		t.Errorf("revoked an unknown token: %v", err)
	}
	revoked := Token(2)
	revoked.RevokedAt = &at
	list, err := s.Tokens(ctx)
	if diff := cmp.Diff([]engine.Token{Token(1), revoked}, list); err != nil || diff != "" {
		t.Errorf("%v %s", err, diff)
	}
	// The log says what was done, and knows no hash.
	actions, err := s.Actions(ctx, -1, 0)
	if err != nil || len(actions) != 3 || actions[2].Method != "REVOKE" || actions[2].Target != "tok_2 (pipeline 2, submitter)" || actions[0].Principal != key.Name() {
		t.Errorf("%+v, %v", actions, err)
	}
	if entry, err := s.Entry(ctx, 0); err != nil || strings.Contains(string(entry.Body), Token(2).Hash) {
		t.Errorf("%s, %v", entry.Body, err)
	}
}

func testActions(t *testing.T, d Database) {
	ctx := t.Context()
	address, key := d.Fresh(t), Key(t)
	s := Open(t, address, store.Options{Key: key})
	var want []engine.Action
	for n := range 5 {
		a := engine.Action{
			At: Epoch.Add(time.Duration(n) * time.Second), Principal: "mia", Role: engine.RoleOperator, Method: "POST", Route: "/v1/waivers",
			Target: fmt.Sprintf("w<%d>", n), Request: "req", Status: 201,
		}
		if err := s.AddAction(ctx, a); err != nil {
			t.Fatal(err)
		}
		if _, err := s.AddEvents(ctx, []engine.Event{Event(n)}, nil); err != nil {
			t.Fatal(err)
		}
		a.Index = int64(2 * n)
		want = append(want, a)
	}
	first, err := s.Actions(ctx, -1, 2)
	if diff := cmp.Diff(want[:2], first); err != nil || diff != "" {
		t.Errorf("%v %s", err, diff)
	}
	rest, err := s.Actions(ctx, first[1].Index, 10)
	if diff := cmp.Diff(want[2:], rest); err != nil || diff != "" {
		t.Errorf("%v %s", err, diff)
	}
	if err := s.AddAction(ctx, engine.Action{At: Epoch}); err == nil {
		t.Error("recorded an action of which nobody knows what it was")
	}
	how := store.Verification{Keys: []ledger.PublicKey{key.Public()}}
	if report, err := s.Verify(ctx, how); err != nil || !report.Sound() || report.Kinds[ledger.KindAction] != 5 {
		t.Errorf("%+v, %v", report, err)
	}
	vandal{t, raw(t, address)}.rewrite(4, "mia", "eve", false)
	report, err := s.Verify(ctx, how)
	if err != nil {
		t.Fatal(err)
	}
	expect(t, report, "entries", "action req", 4, "its content is not what its hash says")
}

func testNotices(t *testing.T, d Database) {
	ctx := t.Context()
	s := Open(t, d.Fresh(t), store.Options{})
	claim := func() (winners int64) {
		var all sync.WaitGroup
		var n atomic.Int64
		for range 4 {
			all.Go(func() {
				first, err := s.ClaimNotice(ctx, "deadline acme/shop#1")
				if err != nil {
					t.Error(err)
				}
				if first {
					n.Add(1)
				}
			})
		}
		all.Wait()
		return n.Load()
	}
	if n := claim(); n != 1 {
		t.Errorf("%d claimed it first", n)
	}
	if n := claim(); n != 0 {
		t.Errorf("%d claimed it again", n)
	}
	if err := s.ReleaseNotice(ctx, "deadline acme/shop#1"); err != nil {
		t.Error(err)
	}
	if n := claim(); n != 1 {
		t.Errorf("%d claimed it once it was released", n)
	}
	if _, err := s.ClaimNotice(ctx, ""); err == nil {
		t.Error("claimed nothing")
	}
}

// testRetainMeanwhile removes old deliveries while others of the same payload come
// in: none of these may lose it.
func testRetainMeanwhile(t *testing.T, d Database) {
	ctx := t.Context()
	address, key := d.Fresh(t), Key(t)
	s, other := Open(t, address, store.Options{Key: key}), Open(t, address, store.Options{Key: key})
	if _, ok := d.(*Server); ok {
		// Commits that take long leave the other time to look.
		for _, query := range []string{
			"CREATE FUNCTION slow() RETURNS trigger AS $$ BEGIN PERFORM pg_sleep(0.01); RETURN NULL; END $$ LANGUAGE plpgsql",
			"CREATE CONSTRAINT TRIGGER slow AFTER INSERT ON deliveries DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION slow()",
		} {
			if _, err := raw(t, address).ExecContext(ctx, query); err != nil {
				t.Fatal(err)
			}
		}
	}
	var all sync.WaitGroup
	var stop atomic.Bool
	all.Go(func() {
		for !stop.Load() {
			if _, err := other.Retain(ctx, time.Now().Add(-time.Microsecond), time.Microsecond, false); err != nil {
				t.Error(err)
				return
			}
		}
	})
	for n := range 40 {
		one := Delivery(0)
		one.ID = fmt.Sprint(n)
		if added, err := s.AddDelivery(ctx, one); err != nil || !added {
			t.Errorf("%v, %v", added, err)
		}
		if list, err := s.PendingDeliveries(ctx, 10); err != nil || len(list) != 1 || cmp.Diff(one, list[0]) != "" {
			t.Errorf("delivery %d: %+v, %v", n, list, err)
		}
		if err := s.FinishDelivery(ctx, one.Source, one.ID, ""); err != nil {
			t.Error(err)
		}
	}
	stop.Store(true)
	all.Wait()
}
