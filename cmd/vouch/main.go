// Command vouch judges production changes against a change-management policy.
package main

import (
	"context"
	"os"
	"os/signal"
	"syscall"

	"github.com/changevouch/changevouch/cmd/vouch/internal/cli"
)

// version is set by the build (-ldflags "-X main.version=v1.2.3").
var version = "devel"

func main() { os.Exit(run()) }

// run is the whole program; it returns the exit code.
func run() int {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	context.AfterFunc(ctx, stop) // a second signal ends the process at once
	return cli.Run(ctx, cli.OS(version), os.Args[1:])
}
