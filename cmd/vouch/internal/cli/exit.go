package cli

import (
	"context"
	"errors"
	"fmt"
)

// Exit codes: see "Command line" in DESIGN.md.
const (
	exitOK           = 0 // compliant, waivers included
	exitError        = 1 // an error: nothing was decided
	exitNonCompliant = 2 // something is non-compliant, or a test failed
	exitOpen         = 3 // nothing is non-compliant, something is unknown or pending
)

// exit is an outcome that the printed result already explains: the process
// ends with the code and says no more.
type exit int

func (e exit) Error() string { return fmt.Sprintf("exit code %d", int(e)) }

// exitCode maps what a command returned to the code of the process.
func exitCode(err error) int {
	var e exit
	switch {
	case err == nil:
		return exitOK
	case errors.As(err, &e):
		return int(e)
	default:
		return exitError
	}
}

// interrupted reports whether err only says that the user stopped the command.
func interrupted(ctx context.Context, err error) bool {
	return ctx.Err() != nil && errors.Is(err, context.Canceled)
}
