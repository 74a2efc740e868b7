package store

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"io"
	"net"
	"strings"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/stdlib"
)

type postgresDialect struct{}

func (postgresDialect) name() string { return "postgres" }

func (s *Store) openPostgres(address string) error {
	s.dialect = postgresDialect{}
	config, err := pgx.ParseConfig(address)
	if err != nil {
		return err // pgx leaves the password out
	}
	if config.RuntimeParams["application_name"] == "" {
		config.RuntimeParams["application_name"] = "changevouch"
	}
	if config.RuntimeParams["lock_timeout"] == "" {
		config.RuntimeParams["lock_timeout"] = "2000" // milliseconds; then we ask again
	}
	// A commit that is acknowledged before it is on disk would break our promise.
	durable := stdlib.OptionAfterConnect(func(ctx context.Context, conn *pgx.Conn) error {
		_, err := conn.Exec(ctx, "SELECT set_config('synchronous_commit', 'on', false) WHERE current_setting('synchronous_commit') = 'off'")
		return err
	})
	s.read = stdlib.OpenDB(*config, durable)
	s.read.SetMaxOpenConns(8)
	s.read.SetMaxIdleConns(4)
	if s.writes() {
		s.db = stdlib.OpenDB(*config, durable)
		s.db.SetMaxOpenConns(4)
		s.db.SetMaxIdleConns(4)
	}
	return nil
}

// again: https://www.postgresql.org/docs/current/errcodes-appendix.html
func (postgresDialect) again(err error) bool {
	if e, ok := errors.AsType[*pgconn.PgError](err); ok {
		switch e.Code {
		case "40001", "40P01", "55P03", // serialization, deadlock, lock not available
			"57P01", "57P02", "57P03", // shut down, crashed, starting
			"53300": // too many connections
			return true
		}
		return strings.HasPrefix(e.Code, "08")
	}
	var network net.Error
	var connect *pgconn.ConnectError
	return errors.Is(err, driver.ErrBadConn) || errors.Is(err, sql.ErrConnDone) ||
		errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, net.ErrClosed) ||
		errors.As(err, &network) || errors.As(err, &connect) ||
		pgconn.SafeToRetry(err) || strings.HasSuffix(err.Error(), "conn closed")
}

func (d postgresDialect) explain(err error) string {
	if e, ok := errors.AsType[*pgconn.PgError](err); ok {
		switch {
		case e.Code == "55P03":
			return "another process keeps the database locked"
		case e.Code == "53100":
			return "the database server has no space left, nothing was written"
		case e.Code == "25006":
			return "the database is a read-only replica, or set to read-only"
		case e.Code == "3D000":
			return "there is no such database: create it"
		case e.Code == "42501":
			return "the database user lacks a right"
		case strings.HasPrefix(e.Code, "28"):
			return "the database refuses user or password"
		}
	}
	if d.again(err) {
		return "the database server cannot be reached, or ended the connection"
	}
	return ""
}
