package helm

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"errors"
	"io"
	"io/fs"
	"path"
	"strings"

	"github.com/sluice-cd/sluice/render/manifest"
)

const maxNesting = 8 // archives in archives

// unpack adds a packed chart under prefix. Helm would unpack each archive within a limit of its own, so that archives
// in archives multiply; here the whole chart shares one budget. Only plain files below one top folder are taken.
func (b *bundle) unpack(prefix, at string, data []byte, nesting int) error {
	if nesting > maxNesting {
		return manifest.Faultf(at, "archives nested deeper than %d", maxNesting)
	}
	if err := manifest.Check(at, data); err != nil {
		return err
	}
	zipped, err := gzip.NewReader(bytes.NewReader(data))
	if err != nil {
		return manifest.Faultf(at, "not a chart archive: %w", err)
	}
	// A little above what may be kept, so that headers and padding count too.
	unzipped := &budget{from: zipped, left: maxChartBytes + maxChartBytes/8}
	tr := tar.NewReader(unzipped)
	for {
		header, err := tr.Next()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return manifest.Faultf(at, "read archive: %w", err)
		}
		if err := b.entry(tr, header, prefix, at, nesting); err != nil {
			return err
		}
	}
}

func (b *bundle) entry(tr *tar.Reader, header *tar.Header, prefix, at string, nesting int) error {
	switch header.Typeflag {
	case tar.TypeDir, tar.TypeXGlobalHeader, tar.TypeXHeader:
		return nil
	case tar.TypeReg:
	default:
		return manifest.Faultf(at, "archive entry %q is not a plain file", header.Name)
	}
	name := strings.ReplaceAll(header.Name, `\`, "/")
	if !fs.ValidPath(path.Clean(name)) || strings.Contains("/"+name+"/", "/../") || strings.Contains(name, ":") {
		return manifest.Faultf(at, "archive entry %q leaves the archive", header.Name)
	}
	_, inner, ok := strings.Cut(path.Clean(name), "/")
	if !ok {
		return manifest.Faultf(at, "archive entry %q is not in the chart's folder", header.Name)
	}
	if header.Size > manifest.MaxFile {
		return manifest.Faultf(at, "archive entry %q is larger than %d MiB", header.Name, manifest.MaxFile>>20)
	}
	data, err := io.ReadAll(tr)
	if err != nil {
		return manifest.Faultf(at, "read archive entry %q: %w", header.Name, err)
	}
	if archive(inner) {
		return b.unpack(prefix+strings.TrimSuffix(inner, ".tgz")+"~/", at+"/"+inner, data, nesting+1)
	}
	return b.add(prefix+inner, at+"/"+inner, data)
}

var errBomb = errors.New("archive unpacks to more than a chart may hold")

// budget is a reader that fails, rather than ends, when too much was read.
type budget struct {
	from io.Reader
	left int64
}

func (r *budget) Read(p []byte) (int, error) {
	if r.left <= 0 {
		return 0, errBomb
	}
	if int64(len(p)) > r.left {
		p = p[:r.left]
	}
	n, err := r.from.Read(p)
	r.left -= int64(n)
	return n, err
}
