package cli

import (
	"context"
	"log/slog"
	"net"
	"os"
	"os/signal"
	"syscall"

	"github.com/spf13/cobra"

	"github.com/changevouch/changevouch/cmd/vouch/internal/app"
)

func newServeCommand(sys System) *cobra.Command {
	var file string
	cmd := &cobra.Command{
		Use:   "serve",
		Short: "Serve decisions: HTTP API, webhooks, background work",
		Long: `Serve decisions over HTTP, take webhooks, read sources, judge what changed and what is
due, and tell people. Everything accepted is on disk before it is answered; what was
not finished when the server ended is done by the next one. Several servers on one
PostgreSQL share the work.

The configuration file says what is read and who is told; without one the server
answers from the journal and judges what is handed in. It listens on this machine only,
unless there is a certificate (tls) or a proxy in front (--behind-proxy). Requests need
a token: see vouch token create. A hang-up signal has policy files and directory read
again; releases of the journal come into force by themselves.`,
		Example: `  vouch serve
  vouch serve --config /etc/changevouch/changevouch.yaml
  vouch decide --sample && vouch serve`,
		Args: noArguments,
		RunE: func(cmd *cobra.Command, _ []string) error {
			config, err := loadConfig(cmd, sys, file)
			if err != nil {
				return err
			}
			return serve(cmd.Context(), sys, *config)
		},
	}
	flags := cmd.Flags()
	addConfigFlag(cmd, &file)
	flags.String("store", "", "journal, sqlite:PATH or postgres://USER@HOST/DATABASE (default: journal.db in your state directory)")
	flags.String("key", "", "file with the key that signs the journal; made when there is no journal yet (default: beside it, PATH.key)")
	flags.String("listen", "", "address to listen on (default: 127.0.0.1:8420)")
	flags.Bool("behind-proxy", false, "a proxy in front speaks TLS: any address may be listened on without")
	flags.String("metrics-listen", "", "address on which /metrics is served (default: none)")
	flags.String("directory", "", "people, services and waivers, YAML or JSON")
	flags.StringSlice("policy-bundles", nil, "policy bundles, folders or tarballs (default: the built-in policy); repeatable")
	flags.String("policy-settings", "", "settings over the bundle's own, YAML or JSON")
	flags.String("log-format", "", "json or text (default: json)")
	flags.String("log-level", "", "debug, info, warn or error (default: info)")
	return cmd
}

func serve(ctx context.Context, sys System, config app.Config) error {
	server, err := app.OpenServer(ctx, app.ServerOptions{
		Config: config, Version: sys.Version, LookupEnv: sys.LookupEnv, Log: serverLog(sys, config.Log), Clock: sys.Now,
	})
	if err != nil {
		return err
	}
	defer server.Close()
	hangup := make(chan os.Signal, 1)
	signal.Notify(hangup, syscall.SIGHUP)
	defer signal.Stop(hangup)
	ended := make(chan struct{})
	defer close(ended)
	go func() {
		for {
			select {
			case <-hangup:
				server.Reload()
			case <-ended:
				return
			}
		}
	}()
	scheme := "http"
	if config.TLS.CertificateFile != "" {
		scheme = "https"
	}
	return server.Serve(ctx, func(api, metrics net.Addr) {
		sys.tell("serving on %s://%s", scheme, api)
		if metrics != nil {
			sys.tell("metrics on http://%s/metrics", metrics)
		}
	})
}

// serverLog writes one record a line to standard error.
func serverLog(sys System, c app.LogConfig) *slog.Logger {
	level := slog.LevelInfo
	if err := level.UnmarshalText([]byte(c.Level)); err != nil {
		level = slog.LevelInfo
	}
	options := &slog.HandlerOptions{Level: level}
	if c.Format == "text" {
		return slog.New(slog.NewTextHandler(sys.Stderr, options))
	}
	return slog.New(slog.NewJSONHandler(sys.Stderr, options))
}
