package policy

import (
	"archive/tar"
	"bytes"
	"context"
	"errors"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strconv"
)

// Pack writes a bundle and its overlays as one tar archive: all that judges, under
// the names by which the bundle digest knows it (those of the n-th overlay begin
// with "+n/"). The same files give the same bytes. A bundle without overlays is an
// archive that any OPA loads.
func Pack(bundles ...Bundle) ([]byte, error) {
	var b bytes.Buffer
	archive := tar.NewWriter(&b)
	for n, layer := range bundles {
		files := layer.files.withoutTests()
		for _, name := range slices.Sorted(maps.Keys(files)) {
			packed := name
			switch {
			case n > 0:
				packed = fmt.Sprintf("+%d/%s", n, name)
			case overlaid.MatchString(name):
				return nil, fmt.Errorf("pack bundle: %s: a folder of this name stands for an overlay", name)
			}
			header := &tar.Header{Name: packed, Mode: 0o644, Size: int64(len(files[name])), Format: tar.FormatPAX}
			if err := archive.WriteHeader(header); err != nil {
				return nil, fmt.Errorf("pack bundle: %s: %w", name, err)
			}
			if _, err := archive.Write(files[name]); err != nil {
				return nil, fmt.Errorf("pack bundle: %s: %w", name, err)
			}
		}
	}
	if err := archive.Close(); err != nil {
		return nil, fmt.Errorf("pack bundle: %w", err)
	}
	return b.Bytes(), nil
}

var overlaid = regexp.MustCompile(`^\+([1-9][0-9]{0,3})/(.+)$`)

// Unpack undoes Pack: the bundle comes first, then its overlays.
func Unpack(ctx context.Context, archive []byte) ([]Bundle, error) {
	files, err := untar(ctx, bytes.NewReader(archive), func(string) bool { return true })
	if err != nil {
		return nil, fmt.Errorf("unpack bundle: %w", err)
	}
	layers := map[int]fileset{}
	for packed, content := range files {
		n, name := 0, packed
		if m := overlaid.FindStringSubmatch(packed); m != nil {
			n, _ = strconv.Atoi(m[1]) // up to four digits
			name = m[2]
		}
		if layers[n] == nil {
			layers[n] = fileset{}
		}
		layers[n][name] = content
	}
	bundles := make([]Bundle, len(layers))
	for n := range bundles {
		if layers[n] == nil {
			return nil, errors.New("unpack bundle: a layer is missing")
		}
		bundles[n] = Bundle{layers[n]}
	}
	if len(bundles) == 0 {
		return nil, errors.New("unpack bundle: it is empty")
	}
	return bundles, nil
}
