package policy

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"path"
	"reflect"
	"regexp"
	"slices"
	"strings"

	"github.com/open-policy-agent/opa/v1/ast"
	"github.com/open-policy-agent/opa/v1/bundle"
	"github.com/open-policy-agent/opa/v1/loader/filter"
)

// Limits of a bundle, against archives made to exhaust memory.
const (
	maxBundleFiles = 10_000
	maxFileBytes   = 16 << 20
	maxBundleBytes = 64 << 20
)

// Bundle is the files of one policy bundle in memory. It is immutable.
type Bundle struct {
	files fileset
}

// ReadFolder reads a bundle from a folder, such as os.DirFS("rego").
func ReadFolder(ctx context.Context, fsys fs.FS) (Bundle, error) {
	files, err := readFolder(ctx, fsys)
	return Bundle{files}, err
}

// ReadArchive reads a bundle from an archive as `opa build` writes it (tar or
// tar.gz). It does not check signatures.
func ReadArchive(ctx context.Context, r io.Reader) (Bundle, error) {
	files, err := untar(ctx, r, isPolicyFile)
	if err != nil {
		return Bundle{}, fmt.Errorf("read bundle archive: %w", err)
	}
	return Bundle{files}, nil
}

// Whole reports whether the bundle can judge by itself: it has the package
// decision. One that is not whole is laid over another, see Options.Overlays.
func (b Bundle) Whole() bool {
	for name, content := range b.files {
		if strings.HasSuffix(name, ".rego") && !isTest(name) && decisionPackage.Match(content) {
			return true
		}
	}
	return false
}

var decisionPackage = regexp.MustCompile(`(?m)^package[ \t]+decision[ \t]*(#.*)?\r?$`)

// fileset is the files of one bundle folder by slash-separated name: rego,
// data and manifest. What is hashed is what is compiled.
type fileset map[string][]byte

func isTest(name string) bool { return strings.HasSuffix(name, "_test.rego") }

// withoutTests leaves out what never judges.
func (f fileset) withoutTests() fileset {
	out := maps.Clone(f)
	maps.DeleteFunc(out, func(name string, _ []byte) bool { return isTest(name) })
	return out
}

// isPolicyFile tells the files that OPA reads from a bundle.
func isPolicyFile(name string) bool {
	switch base := path.Base(name); {
	case strings.HasSuffix(base, ".rego"):
		return true
	case base == "data.json", base == "data.yaml", base == "data.yml":
		return true
	}
	return name == ".manifest"
}

func (f fileset) add(name string, content []byte) error {
	total := len(content)
	for _, other := range f {
		total += len(other)
	}
	switch {
	case len(content) > maxFileBytes:
		return fmt.Errorf("%s: more than %d bytes", name, maxFileBytes)
	case total > maxBundleBytes:
		return fmt.Errorf("more than %d bytes of policy", maxBundleBytes)
	case len(f) >= maxBundleFiles:
		return fmt.Errorf("more than %d files", maxBundleFiles)
	}
	if _, twice := f[name]; twice {
		return fmt.Errorf("%s: the file appears twice", name)
	}
	f[name] = content
	return nil
}

// readFolder collects a bundle from a folder. Hidden folders are not policy;
// a link in the place of a policy file is refused, because its content may
// change without the folder.
func readFolder(ctx context.Context, fsys fs.FS) (fileset, error) {
	files := fileset{}
	err := fs.WalkDir(fsys, ".", func(name string, entry fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case ctx.Err() != nil:
			return ctx.Err()
		case entry.IsDir() && name != "." && strings.HasPrefix(path.Base(name), "."):
			return fs.SkipDir
		case entry.IsDir() || !isPolicyFile(name):
			return nil
		case !entry.Type().IsRegular():
			return fmt.Errorf("%s: not a regular file", name)
		}
		file, err := fsys.Open(name)
		if err != nil {
			return err
		}
		defer file.Close()
		content, err := io.ReadAll(io.LimitReader(file, maxFileBytes+1))
		if err != nil {
			return err
		}
		return files.add(name, content)
	})
	if err != nil {
		return nil, fmt.Errorf("read bundle: %w", err)
	}
	return files, nil
}

// untar collects those files of a tar archive, gzipped or not, that are wanted.
func untar(ctx context.Context, r io.Reader, wanted func(name string) bool) (fileset, error) {
	// Other entries are skipped, but not without end.
	packed := limited(ctx, r)
	head := make([]byte, 2)
	n, err := io.ReadFull(packed, head)
	if err != nil && !errors.Is(err, io.ErrUnexpectedEOF) {
		return nil, err
	}
	stream := io.MultiReader(bytes.NewReader(head[:n]), packed)
	if bytes.Equal(head, []byte{0x1f, 0x8b}) {
		unzipped, err := gzip.NewReader(stream)
		if err != nil {
			return nil, err
		}
		stream = limited(ctx, unzipped)
	}
	files := fileset{}
	archive := tar.NewReader(stream)
	for {
		header, err := archive.Next()
		if errors.Is(err, io.EOF) {
			return files, nil
		}
		if err != nil {
			return nil, err
		}
		name := strings.TrimPrefix(strings.TrimPrefix(header.Name, "./"), "/")
		if header.Typeflag == tar.TypeDir || !wanted(name) {
			continue
		}
		if header.Typeflag != tar.TypeReg || !fs.ValidPath(name) {
			return nil, fmt.Errorf("%q: not a regular file below the root", header.Name)
		}
		content, err := io.ReadAll(io.LimitReader(archive, maxFileBytes+1))
		if err != nil {
			return nil, err
		}
		if err := files.add(name, content); err != nil {
			return nil, err
		}
	}
}

// readFunc is an io.Reader.
type readFunc func([]byte) (int, error)

func (f readFunc) Read(p []byte) (int, error) { return f(p) }

// limited stops reading at a number of bytes or when ctx ends.
func limited(ctx context.Context, r io.Reader) io.Reader {
	left := int64(2 * maxBundleBytes)
	return readFunc(func(p []byte) (int, error) {
		if err := ctx.Err(); err != nil {
			return 0, err
		}
		if left <= 0 {
			return 0, fmt.Errorf("the archive is larger than %d bytes", 2*maxBundleBytes)
		}
		n, err := r.Read(p[:min(int64(len(p)), left)])
		left -= int64(n)
		return n, err
	})
}

// digest names the content of a bundle: the SHA-256 of what `sha256sum` prints
// for its files in the order of their names. The files of the n-th overlay are
// named "+n/…".
func digest(layers []fileset) string {
	sum := sha256.New()
	for n, files := range layers {
		for _, name := range slices.Sorted(maps.Keys(files)) {
			shown := name
			if n > 0 {
				shown = fmt.Sprintf("+%d/%s", n, name)
			}
			if isTest(name) {
				continue
			}
			fmt.Fprintf(sum, "%x  %s\n", sha256.Sum256(files[name]), shown)
		}
	}
	return "sha256:" + hex.EncodeToString(sum.Sum(nil))
}

// layer is one parsed bundle.
type layer struct {
	manifest bundle.Manifest
	data     map[string]any
	modules  map[string]*ast.Module // by file name
	draft    bool                   // takes the place of packages below it
}

// parse reads a file set as OPA does, with metadata.
func parse(files fileset, prefix string) (layer, error) {
	reader := bundle.NewCustomReader(&memory{files: files, names: slices.Sorted(maps.Keys(files))}).
		WithProcessAnnotations(true).
		WithCapabilities(capabilities()).
		WithRegoVersion(ast.RegoV1).
		WithSkipBundleVerification(true).
		WithBaseDir(prefix)
	read, err := reader.Read()
	if err != nil {
		return layer{}, fmt.Errorf("parse bundle: %w", err)
	}
	out := layer{manifest: read.Manifest, data: read.Data, modules: map[string]*ast.Module{}}
	for _, m := range read.Modules {
		out.modules[m.Path] = m.Parsed
	}
	return out, nil
}

// join lays overlays over the first layer: their modules come beside, their
// data is merged key by key. Two values for one key are an error; parameters
// are changed by settings, not by overlays. A package belongs to one layer, so
// that no overlay bends the rules of another; only a draft replaces packages.
func join(layers []layer) (layer, error) {
	out := layers[0]
	owned := packages(out.modules)
	for _, over := range layers[1:] {
		brought := packages(over.modules)
		for _, pkg := range slices.Sorted(maps.Keys(brought)) {
			switch {
			case over.draft:
				for _, below := range owned[pkg] {
					delete(out.modules, below)
				}
				delete(owned, pkg)
			case owned[pkg] != nil && !isTest(brought[pkg][0]):
				return layer{}, fmt.Errorf("%s: package %s is that of another bundle, in %s: take a name of its own", brought[pkg][0], strings.TrimPrefix(pkg, "data."), owned[pkg][0])
			}
			for _, name := range brought[pkg] {
				if _, twice := out.modules[name]; twice {
					return layer{}, fmt.Errorf("two bundles hold %s", name)
				}
				out.modules[name] = over.modules[name]
			}
		}
		if !over.draft {
			maps.Copy(owned, brought)
		}
		merged, err := joinData("data", out.data, over.data)
		if err != nil {
			return layer{}, err
		}
		out.data = merged
	}
	return out, nil
}

// packages lists the files of each package, in order.
func packages(modules map[string]*ast.Module) map[string][]string {
	out := map[string][]string{}
	for _, name := range slices.Sorted(maps.Keys(modules)) {
		pkg := modules[name].Package.Path.String()
		out[pkg] = append(out[pkg], name)
	}
	return out
}

func joinData(at string, a, b map[string]any) (map[string]any, error) {
	out := maps.Clone(a)
	for _, key := range slices.Sorted(maps.Keys(b)) {
		old, exists := out[key]
		if !exists {
			out[key] = b[key]
			continue
		}
		x, okX := old.(map[string]any)
		y, okY := b[key].(map[string]any)
		switch {
		case okX && okY:
			merged, err := joinData(at+"."+key, x, y)
			if err != nil {
				return nil, err
			}
			out[key] = merged
		case !reflect.DeepEqual(old, b[key]):
			return nil, fmt.Errorf("two bundles give %s.%s different values", at, key)
		}
	}
	return out, nil
}

// memory hands a file set to OPA's bundle reader.
type memory struct {
	files fileset
	names []string
}

func (m *memory) NextFile() (*bundle.Descriptor, error) {
	if len(m.names) == 0 {
		return nil, io.EOF
	}
	name := m.names[0]
	m.names = m.names[1:]
	return bundle.NewDescriptor(name, name, bytes.NewReader(m.files[name])), nil
}

func (m *memory) WithFilter(filter.LoaderFilter) bundle.DirectoryLoader         { return m }
func (m *memory) WithPathFormat(bundle.PathFormat) bundle.DirectoryLoader       { return m }
func (m *memory) WithSizeLimitBytes(int64) bundle.DirectoryLoader               { return m }
func (m *memory) WithFollowSymlinks(followSymlinks bool) bundle.DirectoryLoader { return m }
