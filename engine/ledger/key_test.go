package ledger_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/changevouch/changevouch/engine/ledger"
)

// chance is no chance at all, so that keys of tests and vectors stay the same.
type chance byte

func (c chance) Read(p []byte) (int, error) {
	copy(p, bytes.Repeat([]byte{byte(c)}, len(p)))
	return len(p), nil
}

func testKey(t testing.TB) *ledger.Key {
	t.Helper()
	key, err := ledger.NewKey(chance(7), "example.com/journal")
	if err != nil {
		t.Fatal(err)
	}
	return key
}

// encode writes what rapid and testing may both want written.
func encode(t interface{ Fatal(...any) }, v any) []byte {
	text, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return text
}

func TestOpenKey(t *testing.T) {
	path := filepath.Join(t.TempDir(), "state", "key")
	keys := make([]*ledger.Key, 8)
	var all sync.WaitGroup
	for i := range keys {
		all.Go(func() {
			key, err := ledger.OpenKey(path)
			if err != nil {
				t.Error(err)
			}
			keys[i] = key
		})
	}
	all.Wait()
	if t.Failed() {
		t.FailNow()
	}
	for _, key := range keys {
		if key.Public().String() != keys[0].Public().String() {
			t.Error("processes that begin at once have different keys")
		}
	}
	info, err := os.Stat(path)
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("mode %v, %v", info.Mode(), err)
	}
	if entries, err := os.ReadDir(filepath.Dir(path)); err != nil || len(entries) != 1 {
		t.Errorf("left behind: %v, %v", entries, err)
	}
	if err := keys[0].Save(path); !errors.Is(err, os.ErrExist) {
		t.Errorf("saved over a key: %v", err)
	}
	if err := os.Chmod(path, 0o640); err != nil {
		t.Fatal(err)
	}
	if _, err := ledger.OpenKey(path); err == nil || !strings.Contains(err.Error(), "chmod 600") {
		t.Errorf("a key that others can read: %v", err)
	}
	content, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for name, damaged := range map[string]string{
		"empty": "", "half": string(content[:20]), "no public half": strings.SplitAfter(string(content), "\n")[0],
		"of two keys": strings.SplitAfter(string(content), "\n")[0] + testKey(t).Public().String(),
	} {
		if err := os.WriteFile(path, []byte(damaged), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := os.Chmod(path, 0o600); err != nil {
			t.Fatal(err)
		}
		_, err := ledger.OpenKey(path)
		if err == nil {
			t.Errorf("%s: taken", name)
		} else if strings.Contains(err.Error(), "PRIVATE") {
			t.Errorf("%s: the error tells the secret: %v", name, err)
		}
	}
}

func TestPublicKeys(t *testing.T) {
	a := testKey(t).Public()
	keys, err := ledger.ParsePublicKeys([]byte("# ours\n\n " + a.String() + " \n"))
	if err != nil || len(keys) != 1 || keys[0].String() != a.String() || keys[0].Name() != "example.com/journal" {
		t.Errorf("%v, %v", keys, err)
	}
	for _, bad := range []string{"", "# nothing\n", "x", a.String() + "x"} {
		if _, err := ledger.ParsePublicKeys([]byte(bad)); err == nil {
			t.Errorf("%q: taken", bad)
		}
	}
}

func TestCheckpoint(t *testing.T) {
	key := testKey(t)
	next, err := ledger.NewKey(chance(8), key.Name())
	if err != nil {
		t.Fatal(err)
	}
	stranger, err := ledger.NewKey(chance(9), "example.com/other")
	if err != nil {
		t.Fatal(err)
	}
	c := newLog(3).head(key.Name())
	signed, err := c.Sign(key)
	if err != nil {
		t.Fatal(err)
	}
	both, err := c.Sign(key, next)
	if err != nil {
		t.Fatal(err)
	}
	for name, one := range map[string]struct {
		note []byte
		keys []ledger.PublicKey
		err  error
	}{
		"its key":           {signed, []ledger.PublicKey{key.Public()}, nil},
		"one of several":    {signed, []ledger.PublicKey{stranger.Public(), next.Public(), key.Public()}, nil},
		"a key twice":       {signed, []ledger.PublicKey{key.Public(), key.Public()}, nil},
		"rotation, old key": {both, []ledger.PublicKey{key.Public()}, nil},
		"rotation, new key": {both, []ledger.PublicKey{next.Public()}, nil},
		"another key":       {signed, []ledger.PublicKey{next.Public()}, ledger.ErrUntrusted},
		"no key":            {signed, nil, ledger.ErrUntrusted},
		"the zero key":      {signed, []ledger.PublicKey{{}}, ledger.ErrUntrusted},
	} {
		got, err := ledger.OpenCheckpoint(one.note, one.keys...)
		if !errors.Is(err, one.err) || err == nil && got != c {
			t.Errorf("%s: %+v, %v", name, got, err)
		}
	}
	for i := range signed {
		changed := bytes.Clone(signed)
		changed[i] ^= 1
		if got, err := ledger.OpenCheckpoint(changed, key.Public()); err == nil {
			t.Fatalf("byte %d changed, and read as %+v", i, got)
		}
	}
	if _, err := c.Sign(stranger); err == nil {
		t.Error("signed with the key of another log")
	}
	if _, err := c.Sign(); err == nil {
		t.Error("signed with no key")
	}
}
