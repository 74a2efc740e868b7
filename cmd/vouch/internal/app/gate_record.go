package app

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"github.com/changevouch/changevouch/engine"
	"github.com/changevouch/changevouch/engine/store"
)

// GateOutcome is the worst of what would be decided. What could not be judged leaves it
// unknown, unless something fails anyway.
func GateOutcome(decisions []engine.Decision, problems []string) string {
	worst := engine.WorstOutcome(decisions)
	if len(problems) > 0 && worst != engine.OutcomeNonCompliant {
		return engine.OutcomeUnknown
	}
	return worst
}

// StateFile is a file in the user's state directory, beside the journal that is there by
// default. The folder is made, for the user alone.
func StateFile(name string) (string, error) {
	address, err := store.DefaultURL()
	if err != nil {
		return "", err
	}
	folder := filepath.Dir(strings.TrimPrefix(address, "sqlite:"))
	if err := os.MkdirAll(folder, 0o700); err != nil {
		return "", fmt.Errorf("state directory: %w", err)
	}
	return filepath.Join(folder, name), nil
}

// AppendFile adds to a file, which is made if it is not there. What write writes at
// once is there as a whole, or an error says that it may not be.
func AppendFile(path string, write func(io.Writer) error) error {
	f, err := os.OpenFile(path, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o644)
	if err != nil {
		return fmt.Errorf("write %s: %w", path, plain(err))
	}
	err = write(f)
	if err = errors.Join(err, f.Close()); err != nil {
		return fmt.Errorf("write %s: %w", path, err)
	}
	return nil
}
