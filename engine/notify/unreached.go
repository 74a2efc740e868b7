package notify

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"net"
)

// unreached reports whether an error came before anything could be sent.
func unreached(err error) bool {
	var op *net.OpError
	var dns *net.DNSError
	var certificate *tls.CertificateVerificationError
	var authority x509.UnknownAuthorityError
	return errors.As(err, &op) && op.Op == "dial" || errors.As(err, &dns) || errors.As(err, &certificate) || errors.As(err, &authority)
}

// withoutAddress is an error in words that name no host.
func withoutAddress(err error) error {
	var op *net.OpError
	var dns *net.DNSError
	switch {
	case errors.Is(err, context.DeadlineExceeded) || isTimeout(err):
		return errors.New("no answer in time")
	case errors.As(err, &dns):
		return errors.New("its name cannot be resolved")
	case errors.As(err, &op):
		return op.Err
	}
	return err
}

func isTimeout(err error) bool {
	var timeout net.Error
	return errors.As(err, &timeout) && timeout.Timeout()
}
