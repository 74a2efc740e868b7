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

func fsysList(list ...fs.FS) []fs.FS { return list }

// overlay adds a control of one's own beside the tiny bundle's.
func overlay() fstest.MapFS {
	return fstest.MapFS{
		"catalogue/data.yaml": {Data: []byte("controls: {ACME-1: {rule: acme_1, title: Own, clause: own, severity: low, subjects: [alert]}}\n")},
		"acme_1/acme_1.rego":  {Data: []byte("package controls.acme_1\n\nimport data.controls.t_1\n\nstatus := t_1.status\n")},
		"acme_1/x_test.rego":  {Data: []byte("package x_test\n\ntest_x if true\n")},
	}
}

func TestOverlay(t *testing.T) {
	p := mustLoad(t, tiny(), policy.Options{Overlays: fsysList(overlay())})
	if got := p.Controls()[0].ID; got != "ACME-1" {
		t.Errorf("controls begin with %s", got)
	}
	refused := map[string]struct {
		file, text, want string
	}{
		"same file":         {"controls/t_1/t_1.rego", "package controls.t_1\n", "two bundles hold controls/t_1/t_1.rego"},
		"other value":       {"settings/data.yaml", "min_approvals: 0\n", "two bundles give data.settings.min_approvals different values"},
		"rule redefined":    {"x.rego", "package controls.t_2\n\nstatus := \"pass\"\n", ""},
		"misspelt":          {"x.rego", "package acme\n\nx if input.chnage\n", "input.chnage"},
		"nothing in it":     {"README.md", "x", "neither rego nor data"},
		"default redefined": {"x.rego", "package controls.t_2\n\ndefault status := \"pass\"\n", ""},
	}
	for name, test := range refused {
		t.Run(name, func(t *testing.T) {
			p, err := policy.Load(t.Context(), tiny(), policy.Options{Overlays: fsysList(fstest.MapFS{test.file: {Data: []byte(test.text)}})})
			if test.want == "" { // compiles; two answers are undecided, one is the old answer
				if err != nil {
					t.Fatal(err)
				}
				d, err := p.Evaluate(t.Context(), []byte(dossier))
				if err == nil && d.Findings[1].Status != "not_applicable" {
					t.Errorf("an overlay changed a control: %+v", d.Findings[1])
				}
				return
			}
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

func TestLoadTarball(t *testing.T) {
	whole := map[string]string{"/README.md": "x"}
	for name, file := range tiny() {
		whole["/"+name] = string(file.Data)
	}
	want := mustLoad(t, tiny(), policy.Options{}).Ref()
	for _, zipped := range []bool{true, false} {
		p, err := policy.LoadTarball(t.Context(), bytes.NewReader(pack(t, whole, zipped)), policy.Options{})
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
			_, err := policy.LoadTarball(t.Context(), bytes.NewReader(test.archive), policy.Options{})
			wantError(t, err, test.want)
		})
	}
}
