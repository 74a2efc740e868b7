package httpapi

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"time"
)

// Listening says where to listen.
type Listening struct {
	Address     string // host:port; empty is 127.0.0.1:8420
	Certificate string // PEM files; both or neither
	Key         string
	BehindProxy bool // whoever stands in front speaks TLS
}

// DefaultAddress is where a server listens when nobody says otherwise.
const DefaultAddress = "127.0.0.1:8420"

// Listen opens the listener. An address that others can reach is refused, unless they
// come through TLS or a proxy that speaks it: tokens would cross the network readable.
func Listen(ctx context.Context, l Listening) (net.Listener, error) {
	if l.Address == "" {
		l.Address = DefaultAddress
	}
	if (l.Certificate == "") != (l.Key == "") {
		return nil, errors.New("TLS takes both, a certificate and its key")
	}
	host, _, err := net.SplitHostPort(l.Address)
	if err != nil {
		return nil, fmt.Errorf("listen on %q: %w (it is host:port, such as %s)", l.Address, err, DefaultAddress)
	}
	if l.Certificate == "" && !l.BehindProxy && !loopback(host) {
		return nil, fmt.Errorf("listen on %s: others can reach this address, and tokens would cross the network readable. Give a certificate, or say that a proxy in front speaks TLS (--behind-proxy)", l.Address)
	}
	var config *tls.Config
	if l.Certificate != "" {
		certificate, err := tls.LoadX509KeyPair(l.Certificate, l.Key)
		if err != nil {
			return nil, fmt.Errorf("TLS: %w", err)
		}
		config = &tls.Config{Certificates: []tls.Certificate{certificate}, MinVersion: tls.VersionTLS12, NextProtos: []string{"h2", "http/1.1"}}
	}
	var by net.ListenConfig
	listener, err := by.Listen(ctx, "tcp", l.Address)
	if err != nil {
		return nil, fmt.Errorf("listen on %s: %w", l.Address, err)
	}
	if config != nil {
		listener = tls.NewListener(listener, config)
	}
	return listener, nil
}

// loopback reports whether only this machine can reach a host. A name other than
// localhost may be anywhere.
func loopback(host string) bool {
	if host == "localhost" {
		return true
	}
	ip := net.ParseIP(host)
	return ip != nil && ip.IsLoopback()
}

// Serving bounds connections. A zero field is its default.
type Serving struct {
	Header time.Duration // in which a request's header must come; 10 s
	Idle   time.Duration // for which a connection may wait for the next request; 2 min
	Answer time.Duration // from the header's end to the end of the answer, streams aside; 2 min
	Grace  time.Duration // in which accepted requests must end when the server stops; 30 s
	Log    *slog.Logger
}

// maxHeader bounds a request's header.
const maxHeader = 32 << 10

// Serve answers on a listener until the context ends, then takes nothing new and
// finishes what was accepted. Its error is nil when all of it could be finished.
func Serve(ctx context.Context, listener net.Listener, handler http.Handler, how Serving) error {
	for _, field := range []struct {
		value    *time.Duration
		standard time.Duration
	}{{&how.Header, 10 * time.Second}, {&how.Idle, 2 * time.Minute}, {&how.Answer, 2 * time.Minute}, {&how.Grace, 30 * time.Second}} {
		if *field.value <= 0 {
			*field.value = field.standard
		}
	}
	if how.Log == nil {
		how.Log = slog.New(slog.DiscardHandler)
	}
	server := &http.Server{
		Handler: handler, ReadHeaderTimeout: how.Header, ReadTimeout: how.Answer, WriteTimeout: how.Answer, IdleTimeout: how.Idle,
		MaxHeaderBytes: maxHeader, ErrorLog: slog.NewLogLogger(how.Log.Handler(), slog.LevelDebug),
		// What was accepted is finished, also when the context ends meanwhile.
		BaseContext: func(net.Listener) context.Context { return context.WithoutCancel(ctx) },
	}
	failed := make(chan error, 1)
	go func() { failed <- server.Serve(listener) }()
	select {
	case err := <-failed:
		return fmt.Errorf("serve: %w", err)
	case <-ctx.Done():
	}
	grace, cancel := context.WithTimeout(context.WithoutCancel(ctx), how.Grace)
	defer cancel()
	err := server.Shutdown(grace)
	if err != nil {
		err = errors.Join(fmt.Errorf("some requests did not end within %s: %w", how.Grace, err), server.Close())
	}
	if served := <-failed; !errors.Is(served, http.ErrServerClosed) {
		err = errors.Join(err, served)
	}
	return err
}
