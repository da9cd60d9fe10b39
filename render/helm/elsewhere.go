package helm

import (
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"path"
	"regexp"
	"strings"

	"github.com/Masterminds/semver/v3"

	"helm.sh/helm/v3/pkg/chart"

	"github.com/sluice-cd/sluice/render/manifest"
)

// Elsewhere is a chart that is not in the tree: Name in a Repository, an OCI registry (oci://host/path) or a chart
// repository with an index (https://host/path), at a Version.
type Elsewhere struct {
	Repository string `json:"repository"`
	Name       string `json:"chart"`
	Version    string `json:"version"` // an exact version, or a range of them
}

// Bounds of a reference. The path of its file is made of all three.
const (
	maxRepository = 500
	maxVersion    = 100
)

var (
	chartName = regexp.MustCompile(`^[a-zA-Z0-9]([a-zA-Z0-9._-]{0,98}[a-zA-Z0-9])?$`)
	hostName  = regexp.MustCompile(`^[a-zA-Z0-9]([a-zA-Z0-9.-]*[a-zA-Z0-9])?(:[0-9]{1,5})?$`)
	urlPart   = regexp.MustCompile(`^[a-zA-Z0-9._~-]+$`)
)

// Check says what is wrong with a reference: the field (repository, chart or version) and why; two empty strings where
// nothing is.
func (e Elsewhere) Check() (field, why string) {
	if why := checkRepository(e.Repository); why != "" {
		return "repository", why
	}
	if !chartName.MatchString(e.Name) || strings.Contains(e.Name, "..") {
		return "chart", "must be the chart's name in its repository: letters, digits, '-', '_' and '.'"
	}
	if why := CheckVersion(e.Version); why != "" {
		return "version", why
	}
	return "", ""
}

func checkRepository(repository string) string {
	u, err := url.Parse(repository)
	switch {
	case len(repository) > maxRepository, err != nil:
		return "must be https://, http:// or oci://, with a host"
	case u.Scheme != "https" && u.Scheme != "http" && u.Scheme != "oci", u.Opaque != "", !hostName.MatchString(u.Host):
		return "must be https://, http:// or oci://, with a host"
	case u.User != nil:
		return "must not name a user, password or token: those belong to charts in agent.yaml"
	case u.RawQuery != "", u.ForceQuery, u.Fragment != "":
		return "must not have a query or fragment"
	}
	for part := range strings.SplitSeq(strings.Trim(u.EscapedPath(), "/"), "/") {
		if u.Path != "" && u.Path != "/" && (!urlPart.MatchString(part) || part == "." || part == "..") {
			return "must have a plain path: letters, digits, '-', '_', '.' and '~' between single slashes"
		}
	}
	return ""
}

// CheckVersion says what is wrong with a version or range, nothing where it is one.
func CheckVersion(version string) string {
	const must = "must be a version such as 1.2.3, or a range such as ^1.2, ~1.2.3, 1.x or \">=1.2 <2\""
	if version == "" {
		return "is required: " + strings.TrimPrefix(must, "must be ")
	}
	if len(version) > maxVersion || strings.ContainsAny(version, "/\\\x00\n\t") || version != strings.TrimSpace(version) {
		return must
	}
	if _, err := semver.NewConstraint(version); err != nil {
		return must
	}
	return ""
}

// File is where the chart lies, seen from the folder of all that was fetched: a packed chart. The tree that is given to
// Render serves it, with the archive's digest as its object.
func (e Elsewhere) File() string {
	scheme, rest, _ := strings.Cut(e.Repository, "://")
	return path.Join(scheme, rest, e.Name, e.Version+".tgz")
}

// String reads web ^1.2 of https://charts.example.com.
func (e Elsewhere) String() string {
	return fmt.Sprintf("%s %s of %s", e.Name, e.Version, e.Repository)
}

// Elsewheres lists the charts that the chart at a path of the tree depends on and that are not in the tree. Nothing of
// them is read: what they depend on is packed into them.
func Elsewheres(tree fs.FS, at string) ([]Elsewhere, error) {
	var found []Elsewhere
	files, err := collect(tree, at)
	if err != nil {
		return nil, err
	}
	return found, files.complete(tree, func(e Elsewhere) ([]byte, string, error) {
		found = append(found, e)
		return nil, "", nil
	})
}

// supply gives the packed chart, and the path that faults are to name. No bytes and no error: it is left out.
type supply func(Elsewhere) ([]byte, string, error)

// fetched supplies what the tree serves below a folder.
func fetched(tree fs.FS, folder string) supply {
	return func(e Elsewhere) ([]byte, string, error) {
		at := path.Join(folder, e.File())
		data, err := ReadElsewhere(tree, folder, e)
		return data, at, err
	}
}

// ReadElsewhere reads a packed chart that the tree serves below a folder of fetched ones, .sluice/charts beside
// sluice.yaml. Where the lock does not have it, the error says so without a place: the caller knows who asks.
func ReadElsewhere(tree fs.FS, folder string, e Elsewhere) ([]byte, error) {
	data, err := fs.ReadFile(tree, path.Join(folder, e.File()))
	if err == nil {
		return data, nil
	}
	lock := path.Join(folder, "../..", LockFile)
	_, lockErr := fs.ReadFile(tree, lock) // so that a render which failed is tried again when the file changes
	switch {
	case !errors.Is(err, fs.ErrNotExist):
		return nil, err
	case errors.Is(lockErr, fs.ErrNotExist):
		return nil, fmt.Errorf("chart %s is not locked: there is no %s; run `sluice lock` and commit the file", e, lock)
	}
	return nil, fmt.Errorf("chart %s is not locked: %s has no such entry; run `sluice lock` and commit the file", e, lock)
}

// LockFile is the name of the file beside sluice.yaml that says what charts from elsewhere resolved to.
const LockFile = "sluice.lock"

// maxLocal bounds charts of the tree in charts of the tree.
const maxLocal = 8

// complete adds the dependencies that are not in the charts folder: those of the tree (file://) and those from elsewhere.
func (b *bundle) complete(tree fs.FS, from supply) error {
	return b.completeBelow(tree, b.root, "", from, 0)
}

// completeBelow does so for the chart whose folder in the tree is at and whose files have the prefix.
func (b *bundle) completeBelow(tree fs.FS, at, prefix string, from supply, depth int) error {
	if depth > maxLocal {
		return manifest.Faultf(at, "charts depend on each other deeper than %d levels", maxLocal)
	}
	wanted, file, err := b.absent(prefix)
	if err != nil {
		return err
	}
	var faults error
	added := map[Elsewhere]bool{}
	for i, dep := range wanted {
		if dep == nil || dep.Repository == "" || added[elsewhere(dep)] {
			continue
		}
		added[elsewhere(dep)] = true
		fault := func(err error) error {
			return &manifest.Error{Path: path.Join(at, file), Field: fmt.Sprintf("dependencies[%s]", dep.Name), Err: err}
		}
		under := fmt.Sprintf("%scharts/%s-%d~/", prefix, path.Base(path.Clean(dep.Name)), i)
		if local, ok := strings.CutPrefix(dep.Repository, "file://"); ok {
			err = b.addLocal(tree, at, local, dep, under, from, depth)
		} else {
			err = b.addElsewhere(dep, under, from)
		}
		var placed *manifest.Error
		if err != nil && !errors.As(err, &placed) {
			err = fault(err)
		}
		if err != nil && faults == nil {
			faults = err // the others are asked for all the same: what is to be fetched is fetched together
		}
	}
	return faults
}

func elsewhere(dep *chart.Dependency) Elsewhere {
	return Elsewhere{Repository: strings.TrimSuffix(dep.Repository, "/"), Name: dep.Name, Version: dep.Version}
}

func (b *bundle) addElsewhere(dep *chart.Dependency, under string, from supply) error {
	if strings.HasPrefix(dep.Repository, "@") || strings.HasPrefix(dep.Repository, "alias:") {
		return fmt.Errorf("repository %q is a name that only one machine knows; write its address, or commit the chart into charts/", dep.Repository)
	}
	e := elsewhere(dep)
	if field, why := e.Check(); why != "" {
		return fmt.Errorf("%s %s", field, why)
	}
	data, at, err := from(e)
	if err != nil || data == nil {
		return err
	}
	return b.unpack(under, at, data, 0)
}

// addLocal adds a chart of the tree, with what it depends on itself.
func (b *bundle) addLocal(tree fs.FS, at, local string, dep *chart.Dependency, under string, from supply, depth int) error {
	to := path.Join(at, local)
	if path.IsAbs(local) || !fs.ValidPath(to) {
		return fmt.Errorf("repository %q leaves the repository of the application", dep.Repository)
	}
	sub, err := collect(tree, to)
	if err != nil {
		return err
	}
	meta, _, err := sub.about("")
	if err != nil {
		return err
	}
	if meta.Name != dep.Name {
		return fmt.Errorf("the chart in %s is %q", to, meta.Name)
	}
	if !fits(dep.Version, meta.Version) {
		return fmt.Errorf("the chart in %s has version %s, which is not %s", to, meta.Version, dep.Version)
	}
	for _, name := range sub.names {
		if err := b.add(under+name, path.Join(to, name), sub.data[name]); err != nil {
			return err
		}
	}
	return b.completeBelow(tree, to, under, from, depth+1)
}

// fits reports whether a version is in a range; any is where none is given.
func fits(within, version string) bool {
	v, err := semver.NewVersion(version)
	if err != nil || within == "" {
		return within == ""
	}
	c, err := semver.NewConstraint(within)
	return err == nil && c.Check(v)
}

// About is the name and the version that a packed chart says of itself.
func About(data []byte) (name, version string, err error) {
	b := &bundle{root: "archive", data: map[string][]byte{}}
	if err := b.unpack("", b.root, data, 0); err != nil {
		return "", "", err
	}
	if err := b.check(); err != nil {
		return "", "", err
	}
	meta, _, err := b.about("")
	return meta.Name, meta.Version, err
}
