package store

import "database/sql"

// DB is the connection that writes, for tests that set limits on it.
func (s *Store) DB() *sql.DB { return s.db }
