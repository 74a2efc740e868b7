package store_test

import (
	"fmt"
	"os"
	"sync"
	"testing"

	"github.com/changevouch/changevouch/engine/store/storetest"
)

// server is started by the first test that needs it.
var server struct {
	sync.Mutex
	*storetest.Server
}

func TestMain(m *testing.M) {
	code := storetest.Main(m)
	if err := closeLarge(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		code = 1
	}
	if server.Server != nil {
		if err := server.Close(); err != nil {
			fmt.Fprintln(os.Stderr, err)
			code = 1
		}
	}
	os.Exit(code)
}

func postgres(t testing.TB) *storetest.Server {
	t.Helper()
	server.Lock()
	defer server.Unlock()
	if server.Server == nil {
		started, err := storetest.StartServer()
		if err != nil {
			t.Fatal(err)
		}
		server.Server = started
	}
	return server.Server
}

func TestSQLite(t *testing.T) { storetest.Run(t, storetest.Files{}, postgres(t)) }

func TestPostgres(t *testing.T) { storetest.Run(t, postgres(t), storetest.Files{}) }
