package policy_test

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"io"
	"io/fs"
	"testing"
	"testing/fstest"

	"github.com/changevouch/changevouch/engine/policy"
)

// bundles reads folders to be laid over another.
func bundles(t testing.TB, list ...fs.FS) []policy.Bundle {
	t.Helper()
	var out []policy.Bundle
	for _, fsys := range list {
		b, err := policy.ReadFolder(t.Context(), fsys)
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, b)
	}
	return out
}

// overlay adds a control of one's own beside the tiny bundle's.
func overlay() fstest.MapFS {
	return fstest.MapFS{
		"catalogue/data.yaml": {Data: []byte("controls: {ACME-1: {rule: acme_1, title: Own, clause: own, severity: low, subjects: [alert]}}\n")},
		"acme_1/acme_1.rego":  {Data: []byte("package controls.acme_1\n\nimport data.controls.t_1\n\nstatus := t_1.status\n")},
		"acme_1/x_test.rego":  {Data: []byte("package x_test\n\ntest_x if true\n")},
	}
}

func TestOverlay(t *testing.T) {
	p := mustLoad(t, tiny(), policy.Options{Overlays: bundles(t, overlay())})
	if got := p.Controls()[0].ID; got != "ACME-1" {
		t.Errorf("controls begin with %s", got)
	}
	refused := map[string]struct {
		file, text, want string
	}{
		"same file":       {"controls/t_1/t_1.rego", "package controls.t_1\n", "controls/t_1/t_1.rego: package controls.t_1 is that of another bundle, in controls/t_1/t_1.rego"},
		"other value":     {"settings/data.yaml", "min_approvals: 0\n", "two bundles give data.settings.min_approvals different values"},
		"rule redefined":  {"x.rego", "package controls.t_2\n\nstatus := \"pass\"\n", "x.rego: package controls.t_2 is that of another bundle"},
		"misspelt":        {"x.rego", "package acme\n\nx if input.chnage\n", "input.chnage"},
		"nothing in it":   {"README.md", "x", "neither rego nor data"},
		"id taken":        {"catalogue/acme/data.yaml", "controls: {T-1: {rule: acme_1, title: Own, clause: own, severity: low, subjects: [alert]}}", "data.catalogue.acme.controls[\"T-1\"]: the catalogue has this control already"},
		"rule taken":      {"catalogue/acme/data.yaml", "controls: {ACME-1: {rule: t_1, title: Own, clause: own, severity: low, subjects: [alert]}}", `"T-1" names the same rule "t_1"`},
		"row without use": {"catalogue/acme/data.yaml", "controls: {ACME-1: {rule: acme_1, title: Own, clause: own, severity: low}}", "names no subjects"},
	}
	for name, test := range refused {
		t.Run(name, func(t *testing.T) {
			_, err := policy.Load(t.Context(), tiny(), policy.Options{Overlays: bundles(t, fstest.MapFS{test.file: {Data: []byte(test.text)}})})
			wantError(t, err, test.want)
		})
	}
}

// pack writes a bundle archive as `opa build` does, with leading slashes.
func pack(t testing.TB, files map[string]string, zipped bool) []byte {
	t.Helper()
	var out bytes.Buffer
	var to io.WriteCloser = struct {
		io.Writer
		io.Closer
	}{&out, io.NopCloser(nil)}
	if zipped {
		to = gzip.NewWriter(&out)
	}
	archive := tar.NewWriter(to)
	for name, text := range files {
		header := &tar.Header{Name: name, Mode: 0o600, Size: int64(len(text))}
		if text == "->" {
			header = &tar.Header{Name: name, Typeflag: tar.TypeSymlink, Linkname: "/etc/passwd"}
			text = ""
		}
		if err := archive.WriteHeader(header); err != nil {
			t.Fatal(err)
		}
		if _, err := io.WriteString(archive, text); err != nil {
			t.Fatal(err)
		}
	}
	if err := archive.Close(); err != nil {
		t.Fatal(err)
	}
	if err := to.Close(); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

func loadArchive(t testing.TB, archive []byte) (*policy.Policy, error) {
	t.Helper()
	b, err := policy.ReadArchive(t.Context(), bytes.NewReader(archive))
	if err != nil {
		return nil, err
	}
	return policy.New(t.Context(), b, policy.Options{})
}

func TestReadArchive(t *testing.T) {
	whole := map[string]string{"/README.md": "x"}
	for name, file := range tiny() {
		whole["/"+name] = string(file.Data)
	}
	want := mustLoad(t, tiny(), policy.Options{}).Ref()
	for _, zipped := range []bool{true, false} {
		p, err := loadArchive(t, pack(t, whole, zipped))
		if err != nil {
			t.Fatal(err)
		}
		if p.Ref() != want {
			t.Errorf("archive and folder differ: %+v, %+v", p.Ref(), want)
		}
	}
	packed := pack(t, whole, true)
	for name, test := range map[string]struct {
		archive []byte
		want    string
	}{
		"empty":   {nil, "read bundle archive"},
		"cut off": {packed[:len(packed)/2], "read bundle archive"},
		"climbs":  {pack(t, map[string]string{"../x.rego": "package x"}, true), "not a regular file below the root"},
		"link":    {pack(t, map[string]string{"/x.rego": "->"}, true), "not a regular file below the root"},
		"twice":   {pack(t, map[string]string{"/x.rego": "package x", "./x.rego": "package x"}, false), "appears twice"},
		"huge":    {pack(t, map[string]string{"data.json": string(make([]byte, 17<<20))}, true), "more than"},
		"bomb":    {pack(t, map[string]string{"x.bin": string(make([]byte, 130<<20))}, true), "the archive is larger than"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := loadArchive(t, test.archive)
			wantError(t, err, test.want)
		})
	}
}
