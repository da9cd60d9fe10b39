package config

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path"

	"github.com/sluice-cd/sluice/render"
)

// Load reads, defaults and validates the sluice.yaml of a folder of a tree. The application is nil only if
// the file could not be read at all; Faults.For tells which faults concern an environment.
func Load(tree fs.FS, dir string) (*Application, Faults) {
	name := path.Join(dir, FileName)
	data, err := readTree(tree, name)
	if err != nil {
		return nil, Faults{unreadFile(name, err)}
	}
	return ParseApplication(name, data)
}

// LoadSource is ParseSource of the sluice.yaml of a folder of a tree, at a pinned revision.
func LoadSource(tree fs.FS, dir, environment string, was ...string) (render.Source, error) {
	name := path.Join(dir, FileName)
	data, err := readTree(tree, name)
	if err != nil {
		return render.Source{}, Faults{unreadFile(name, err)}
	}
	return ParseSource(name, data, environment, was...)
}

// LoadRelease reads an environment's release file beside the sluice.yaml of a folder, or, where there is none,
// the first that is there of its earlier names. It returns the path of the file that was read, "" and the zero
// value where there is none at all. The error is Faults.
func LoadRelease(tree fs.FS, dir, environment string, was []string) (Release, string, error) {
	for _, name := range append([]string{environment}, was...) {
		file := path.Join(dir, ReleasePath(name))
		data, err := readTree(tree, file)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return Release{}, file, Faults{unreadFile(file, err)}
		}
		release, err := ParseRelease(file, data)
		return release, file, err
	}
	return Release{}, "", nil
}

// unreadFile is the fault of a file that could not be read.
func unreadFile(name string, err error) Fault {
	var at *fs.PathError
	message := err.Error()
	if errors.As(err, &at) && at.Path == name {
		message = at.Err.Error() // the fault names the file already
	}
	return Fault{File: name, Message: "cannot be read: " + message, cause: err}
}

// readTree reads a file of a tree, one byte more than is allowed at most: the parser then refuses it.
func readTree(tree fs.FS, name string) (_ []byte, err error) {
	f, err := tree.Open(name)
	if err != nil {
		return nil, err
	}
	defer func() {
		if errClose := f.Close(); err == nil {
			err = errClose
		}
	}()
	info, err := f.Stat()
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() {
		return nil, fmt.Errorf("is not a file")
	}
	return io.ReadAll(io.LimitReader(f, maxFile+1))
}
