package httpapi

import (
	"strings"
	"testing"
)

// TestListen: tokens never cross a network readable.
func TestListen(t *testing.T) {
	for _, test := range []struct {
		name  string
		how   Listening
		fault string
	}{
		{"this machine", Listening{Address: "127.0.0.1:0"}, ""},
		{"by name", Listening{Address: "localhost:0"}, ""},
		{"everywhere", Listening{Address: "0.0.0.0:0"}, "--behind-proxy"},
		{"everywhere, short", Listening{Address: ":0"}, "--behind-proxy"},
		{"everywhere, version 6", Listening{Address: "[::]:0"}, "--behind-proxy"},
		{"elsewhere", Listening{Address: "192.0.2.1:0"}, "--behind-proxy"},
		{"a name that may be anywhere", Listening{Address: "localhost.example.com:0"}, "--behind-proxy"},
		{"behind a proxy", Listening{Address: "0.0.0.0:0", BehindProxy: true}, ""},
		{"a certificate without key", Listening{Address: "127.0.0.1:0", Certificate: "tls.crt"}, "TLS takes both"},
		{"a key without certificate", Listening{Address: "127.0.0.1:0", Key: "tls.key", BehindProxy: true}, "TLS takes both"},
		{"no certificate there", Listening{Address: "0.0.0.0:0", Certificate: "nowhere.crt", Key: "nowhere.key"}, "TLS: open nowhere.crt"},
		{"no port", Listening{Address: "127.0.0.1"}, "it is host:port"},
	} {
		listener, err := Listen(t.Context(), test.how)
		if err == nil {
			_ = listener.Close()
		}
		if (err == nil) != (test.fault == "") || err != nil && !strings.Contains(err.Error(), test.fault) {
			t.Errorf("%s: %v, want %q", test.name, err, test.fault)
		}
	}
}
