package config

import (
	"errors"
	"fmt"
	"io/fs"
	"path"
	"slices"
	"strings"
)

// maxFolders bounds what a glob may look at: more folders than any monorepo has applications.
const maxFolders = 10_000

// Discover lists the folders of a tree that have a sluice.yaml, sorted: the repository's single path, or those
// that its glob matches. None is no error. A * stands for one folder name or a part of it; names that begin
// with a dot must be spelt out, and symbolic links are not followed by a *, or an application would be found
// twice. A folder whose file cannot be read is listed: Load says what is wrong with it, and the others go on.
func Discover(tree fs.FS, repo Repository) ([]string, error) {
	if repo.Applications == nil {
		dir := path.Clean(repo.Path)
		if !hasApplication(tree, dir) {
			return nil, nil
		}
		return []string{dir}, nil
	}
	folders, looked := []string{"."}, 0
	for part := range strings.SplitSeq(path.Clean(repo.Applications.Path), "/") {
		var next []string
		for _, folder := range folders {
			inner, err := descend(tree, folder, part)
			if err != nil {
				return nil, fmt.Errorf("discover applications in %q: %w", repo.Applications.Path, err)
			}
			if looked += len(inner); looked > maxFolders {
				return nil, fmt.Errorf("discover applications in %q: more than %d folders match", repo.Applications.Path, maxFolders)
			}
			next = append(next, inner...)
		}
		folders = next
	}
	folders = slices.DeleteFunc(folders, func(dir string) bool { return !hasApplication(tree, dir) })
	slices.Sort(folders)
	return folders, nil
}

// descend are the folders in a folder that a part of a glob matches.
func descend(tree fs.FS, folder, part string) ([]string, error) {
	if !strings.ContainsAny(part, `*?[\`) {
		return []string{path.Join(folder, part)}, nil
	}
	entries, err := fs.ReadDir(tree, folder)
	if errors.Is(err, fs.ErrNotExist) || notFolder(tree, folder) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	var inner []string
	for _, e := range entries {
		hidden := strings.HasPrefix(e.Name(), ".") && !strings.HasPrefix(part, ".")
		if e.IsDir() && !hidden && Match([]string{part}, e.Name()) {
			inner = append(inner, path.Join(folder, e.Name()))
		}
	}
	return inner, nil
}

func notFolder(tree fs.FS, name string) bool {
	info, err := fs.Stat(tree, name)
	return err == nil && !info.IsDir()
}

// hasApplication reports whether a folder has a sluice.yaml, be it one that cannot be read.
func hasApplication(tree fs.FS, dir string) bool {
	if !fs.ValidPath(dir) {
		return false
	}
	_, err := fs.Stat(tree, path.Join(dir, FileName))
	return err == nil || !errors.Is(err, fs.ErrNotExist)
}

// ErrNoApplication says that no folder has an application of that name.
var ErrNoApplication = errors.New("there is no application")

// Locate is the folder of an application at a revision: the present folder if the application is there, else
// the one among those that Discover finds. It is found by its name, else by the first of its earlier names
// that is there; of the files nothing else is read. One that is nowhere is ErrNoApplication; one that is in
// two folders is an error that names them.
func Locate(tree fs.FS, app, dir string, repo Repository, was ...string) (string, error) {
	names := append([]string{app}, was...)
	if fs.ValidPath(dir) && slices.Contains(names, nameIs(tree, dir)) {
		return dir, nil
	}
	folders, err := Discover(tree, repo)
	if err != nil {
		return "", err
	}
	byName := map[string][]string{}
	for _, folder := range folders {
		name := nameIs(tree, folder)
		byName[name] = append(byName[name], folder)
	}
	for _, name := range names {
		switch found := byName[name]; len(found) {
		case 0:
		case 1:
			return found[0], nil
		default:
			return "", fmt.Errorf("application %q is in more than one folder: %s", name, strings.Join(found, ", "))
		}
	}
	return "", fmt.Errorf("%w %q", ErrNoApplication, app)
}

// nameIs is the name of the application in a folder, "" if it has none that can be read.
func nameIs(tree fs.FS, dir string) string {
	data, err := readTree(tree, path.Join(dir, FileName))
	if err != nil {
		return ""
	}
	return nameOf(data)
}
