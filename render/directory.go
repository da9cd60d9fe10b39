package render

import (
	"errors"
	"io/fs"
	"path"
	"strings"

	"github.com/sluice-cd/sluice/render/manifest"
)

const (
	maxFolders = 64     // levels of folders below one another
	maxFiles   = 10_000 // manifests in one source
)

// directory reads a folder of manifests, in the order of their names.
type directory struct {
	tree    fs.FS
	own     string // the application's folder, whose sluice.yaml and releases are not manifests
	recurse bool
	files   int
	objects []manifest.Object
}

func (d *directory) read(dir string, depth int) error {
	if depth > maxFolders {
		return manifest.Faultf(dir, "folders nested deeper than %d levels", maxFolders)
	}
	entries, err := fs.ReadDir(d.tree, dir)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return manifest.Faultf(dir, "no such folder")
	case err != nil:
		return &Error{Path: dir, Err: err}
	}
	for _, entry := range entries {
		name := path.Join(dir, entry.Name())
		if strings.HasPrefix(entry.Name(), ".") || d.isOwn(dir, entry.Name()) {
			continue
		}
		folder := entry.IsDir()
		if entry.Type()&fs.ModeSymlink != 0 && (d.recurse || isManifest(name)) {
			info, err := fs.Stat(d.tree, name)
			if err != nil {
				return &Error{Path: name, Err: err}
			}
			folder = info.IsDir()
		}
		if err := d.visit(name, folder, depth); err != nil {
			return err
		}
	}
	return nil
}

func (d *directory) isOwn(dir, name string) bool {
	return dir == d.own && (name == "sluice.yaml" || name == "releases")
}

func isManifest(name string) bool {
	switch path.Ext(name) {
	case ".yaml", ".yml", ".json":
		return true
	}
	return false
}

func (d *directory) visit(name string, folder bool, depth int) error {
	if folder {
		if d.recurse {
			return d.read(name, depth+1)
		}
		return nil
	}
	if !isManifest(name) {
		return nil
	}
	if d.files++; d.files > maxFiles {
		return manifest.Faultf(path.Dir(name), "more than %d manifests", maxFiles)
	}
	data, err := fs.ReadFile(d.tree, name)
	if err != nil {
		return &Error{Path: name, Err: err}
	}
	objects, err := manifest.Parse(name, data, manifest.Strict)
	if err != nil {
		return err
	}
	for _, o := range objects {
		if strings.HasPrefix(o.GetAPIVersion(), "kustomize.config.k8s.io/") {
			return manifest.Faultf(name, "is a kustomization; use `kustomize:` as the source")
		}
	}
	d.objects = append(d.objects, objects...)
	if len(d.objects) > manifest.MaxObjects {
		return manifest.Faultf(path.Dir(name), "more than %d objects", manifest.MaxObjects)
	}
	return nil
}
