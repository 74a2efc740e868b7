package storetest

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io"
	"net/url"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	_ "github.com/jackc/pgx/v5/stdlib" // the driver pgx
)

// Server is a PostgreSQL server in a temporary folder, reached by a socket there.
// It ends with the process that started it, however that ends.
type Server struct {
	folder  string
	bin     string
	asUser  *syscall.Credential
	process *exec.Cmd
	stdin   io.Closer
	count   atomic.Int64
}

// StartServer makes and starts a server. The error names the command that
// installs what is missing.
func StartServer() (*Server, error) {
	s := &Server{}
	var err error
	if s.bin, err = serverFolder(); err != nil {
		return nil, err
	}
	if s.folder, err = os.MkdirTemp("", "vouch-pg-"); err != nil {
		return nil, err
	}
	if err := s.initialise(); err != nil {
		return nil, errors.Join(err, os.RemoveAll(s.folder))
	}
	if err := s.Start(); err != nil {
		return nil, errors.Join(err, os.RemoveAll(s.folder))
	}
	return s, nil
}

// serverFolder finds the programs of a server: Debian keeps them out of PATH.
func serverFolder() (string, error) {
	if path, err := exec.LookPath("initdb"); err == nil {
		return filepath.Dir(path), nil
	}
	found, _ := filepath.Glob("/usr/lib/postgresql/*/bin/initdb")
	if len(found) == 0 {
		return "", errors.New("no PostgreSQL server to test with; to install one, run tools/postgres in the project's folder, or: sudo apt-get update && sudo apt-get install -y postgresql")
	}
	return filepath.Dir(found[len(found)-1]), nil
}

// initialise runs initdb, which refuses to run as root.
func (s *Server) initialise() error {
	if os.Getuid() == 0 {
		owner, err := user.Lookup("postgres")
		if err != nil {
			return fmt.Errorf("root cannot run a PostgreSQL server, and there is no user postgres to run it: %w", err)
		}
		uid, _ := strconv.ParseUint(owner.Uid, 10, 32)
		gid, _ := strconv.ParseUint(owner.Gid, 10, 32)
		s.asUser = &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}
		if err := os.Chown(s.folder, int(uid), int(gid)); err != nil {
			return err
		}
	}
	init := exec.Command(filepath.Join(s.bin, "initdb"), "-D", filepath.Join(s.folder, "data"), "-U", "vouch", "-A", "trust", "-E", "UTF8", "--no-locale", "--no-sync") //nolint:noctx // ends by itself
	init.SysProcAttr, init.Dir = &syscall.SysProcAttr{Credential: s.asUser}, s.folder
	if out, err := init.CombinedOutput(); err != nil {
		return fmt.Errorf("initdb: %w\n%s", err, out)
	}
	return nil
}

// Start starts the server after a Stop or a Kill, and waits until it answers.
func (s *Server) Start() error {
	// The shell lives as long as its standard input, which ends with us.
	const watch = `"$@" & pid=$!; cat >/dev/null; kill -INT $pid 2>/dev/null; wait $pid`
	s.process = exec.Command("/bin/sh", "-c", watch, "sh", //nolint:noctx // ends with its standard input
		filepath.Join(s.bin, "postgres"), "-D", filepath.Join(s.folder, "data"), "-k", s.folder,
		"-c", "listen_addresses=", "-c", "fsync=off", "-c", "max_connections=200", "-c", "shared_buffers=64MB", "-c", "autovacuum=off")
	s.process.SysProcAttr, s.process.Dir = &syscall.SysProcAttr{Credential: s.asUser}, s.folder
	log, err := os.OpenFile(filepath.Join(s.folder, "log"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	defer log.Close()
	s.process.Stdout, s.process.Stderr = log, log
	if s.stdin, err = s.process.StdinPipe(); err != nil {
		return err
	}
	if err := s.process.Start(); err != nil {
		return err
	}
	db, err := sql.Open("pgx", s.URL("postgres"))
	if err != nil {
		return err
	}
	defer db.Close()
	for range 600 {
		if err = db.PingContext(context.Background()); err == nil {
			return nil
		}
		time.Sleep(20 * time.Millisecond)
	}
	text, _ := os.ReadFile(filepath.Join(s.folder, "log"))
	return fmt.Errorf("the PostgreSQL server does not answer: %w\n%s", err, text)
}

// Stop ends the server and its sessions, as an administrator does in a hurry.
func (s *Server) Stop() error {
	err := s.stdin.Close()
	_ = s.process.Wait() // says only that it was told to end
	return err
}

// Kill ends the server without any preparation, as if its machine had failed.
func (s *Server) Kill() error {
	text, err := os.ReadFile(filepath.Join(s.folder, "data", "postmaster.pid"))
	if err != nil {
		return err
	}
	first, _, _ := strings.Cut(string(text), "\n")
	pid, err := strconv.Atoi(first)
	if err != nil {
		return err
	}
	if err := syscall.Kill(pid, syscall.SIGQUIT); err != nil { // immediate shutdown
		return err
	}
	return s.Stop()
}

// Close stops the server and removes its folder.
func (s *Server) Close() error {
	return errors.Join(s.Stop(), os.RemoveAll(s.folder))
}

// Socket is where the server listens.
func (s *Server) Socket() string { return filepath.Join(s.folder, ".s.PGSQL.5432") }

// URL is the address of a database of the server.
func (s *Server) URL(database string) string {
	return "postgres://vouch@/" + database + "?host=" + url.QueryEscape(s.folder)
}

// Fresh makes an empty database and returns its address.
func (s *Server) Fresh(t testing.TB) string { return s.create(t, "") }

// Copy makes a copy of a database that nobody uses.
func (s *Server) Copy(t testing.TB, address string) string {
	u, err := url.Parse(address)
	if err != nil {
		t.Fatal(err)
	}
	return s.create(t, " TEMPLATE "+u.Path[1:])
}

// Lasting is Fresh, for as long as the server runs.
func (s *Server) Lasting(t testing.TB) string {
	t.Helper()
	name := fmt.Sprintf("lasting%d", s.count.Add(1))
	db, err := sql.Open("pgx", s.URL("postgres"))
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	if _, err := db.ExecContext(context.Background(), "CREATE DATABASE "+name); err != nil {
		t.Fatal(err)
	}
	return s.URL(name)
}

func (s *Server) create(t testing.TB, template string) string {
	t.Helper()
	name := fmt.Sprintf("t%d", s.count.Add(1))
	db, err := sql.Open("pgx", s.URL("postgres"))
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	if _, err := db.ExecContext(t.Context(), "CREATE DATABASE "+name+template); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		db, err := sql.Open("pgx", s.URL("postgres"))
		if err != nil {
			t.Error(err)
			return
		}
		defer db.Close()
		if _, err := db.ExecContext(context.Background(), "DROP DATABASE "+name+" WITH (FORCE)"); err != nil {
			t.Errorf("remove database: %v", err)
		}
	})
	return s.URL(name)
}

// Files are SQLite databases, each in a folder of its test.
type Files struct{}

// Fresh names a file that does not exist yet.
func (Files) Fresh(t testing.TB) string {
	return "sqlite:" + filepath.Join(t.TempDir(), "journal.db")
}

// Copy copies a file; SQLite leaves no other when the last connection ends.
func (f Files) Copy(t testing.TB, address string) string {
	content, err := os.ReadFile(strings.TrimPrefix(address, "sqlite:"))
	if err != nil {
		t.Fatal(err)
	}
	to := f.Fresh(t)
	if err := os.WriteFile(strings.TrimPrefix(to, "sqlite:"), content, 0o600); err != nil {
		t.Fatal(err)
	}
	return to
}
