// Command vouch judges changes against the change-management policy.
package main

import (
	"context"
	"os"
	"os/signal"
	"syscall"

	"github.com/changevouch/changevouch/cmd/vouch/internal/cli"
)

func main() {
	os.Exit(run())
}

// run is the whole program behind the process: it returns the exit code.
func run() int {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	return cli.Run(ctx, cli.OS(), os.Args[1:])
}
