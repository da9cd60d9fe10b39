package render

import (
	"io/fs"
	"strconv"

	"github.com/sluice-cd/sluice/render/manifest"
)

// Tree is the files of one revision. Symbolic links are followed inside the tree and refused where they leave it. It may
// be used concurrently.
type Tree interface {
	fs.FS
	// Object returns the Git hash of the blob or tree at path, symbolic links resolved; fs.ErrNotExist where nothing is.
	// "." is the root.
	Object(path string) (string, error)
}

// Error is a fault that names the file: use errors.As to reach it.
type Error = manifest.Error

type quotedError struct{ value, text string }

func (q quotedError) Error() string { return strconv.Quote(q.value) + " " + q.text }
