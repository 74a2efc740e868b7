package policy_test

import (
	"bytes"
	"testing"
	"testing/fstest"

	"github.com/changevouch/changevouch/engine/policy"
)

// TestPack packs policies and loads what was packed: the digest is the same, and
// so are the bytes when it is packed again.
func TestPack(t *testing.T) {
	managed := overlay()
	managed[".manifest"] = &fstest.MapFile{Data: []byte(`{"roots": ["catalogue", "controls/acme_1", "x_test"]}`)}
	for name, layers := range map[string][]policy.Bundle{
		"alone":        bundles(t, tiny()),
		"with overlay": bundles(t, tiny(), overlay()),
		"managed":      bundles(t, tiny(), managed),
	} {
		t.Run(name, func(t *testing.T) {
			packed, err := policy.Pack(layers...)
			if err != nil {
				t.Fatal(err)
			}
			unpacked, err := policy.Unpack(t.Context(), packed)
			if err != nil {
				t.Fatal(err)
			}
			again, err := policy.Pack(unpacked...)
			if err != nil {
				t.Fatal(err)
			}
			if !bytes.Equal(packed, again) {
				t.Error("packed again it is another archive")
			}
			want, err := policy.New(t.Context(), layers[0], policy.Options{Overlays: layers[1:]})
			if err != nil {
				t.Fatal(err)
			}
			got, err := policy.New(t.Context(), unpacked[0], policy.Options{Overlays: unpacked[1:]})
			if err != nil {
				t.Fatal(err)
			}
			if got.Ref() != want.Ref() {
				t.Errorf("unpacked it is %+v, packed was %+v", got.Ref(), want.Ref())
			}
		})
	}
}

func TestPackRefuses(t *testing.T) {
	_, err := policy.Pack(bundles(t, fstest.MapFS{"+1/x.rego": {Data: []byte("package x\n")}})...)
	wantError(t, err, "+1/x.rego: a folder of this name stands for an overlay")
	gap, err := policy.Pack(bundles(t, tiny())...)
	if err != nil {
		t.Fatal(err)
	}
	for name, archive := range map[string][]byte{
		"unpack bundle":      []byte("this is no archive, whatever its length is, and it never was one"),
		"it is empty":        make([]byte, 1024),
		"unexpected EOF":     gap[:520],
		"a layer is missing": pack(t, map[string]string{"x.rego": "package x\n", "+2/y.rego": "package y\n"}, false),
	} {
		_, err := policy.Unpack(t.Context(), archive)
		wantError(t, err, name)
	}
}
