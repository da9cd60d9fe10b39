package config

import (
	"cmp"
	"errors"
	"io/fs"
	"net/url"
	"path"
	"regexp"
	"slices"
	"strings"

	"github.com/Masterminds/semver/v3"
	"sigs.k8s.io/yaml"

	"github.com/sluice-cd/sluice/render"
)

// Lock is sluice.lock beside sluice.yaml: which archive each chart from elsewhere is. `sluice lock` writes it, people commit
// it, and nothing else of a chart is ever deployed. The zero value has none.
type Lock struct {
	// APIVersion is sluice.dev/v1alpha1.
	APIVersion string `json:"apiVersion"`
	// Kind is Lock.
	Kind string `json:"kind"`
	// Charts are those that sources of sluice.yaml, their kustomizations and dependencies of their charts ask for, in the order of
	// repository, chart and version.
	Charts []Locked `json:"charts"`
}

// KindLock is the kind of sluice.lock.
const KindLock = "Lock"

// Locked is a chart from elsewhere and what it resolved to.
type Locked struct {
	// Repository, Chart and Version are as source.helm, helmCharts of a kustomization or a dependency in a Chart.yaml has them.
	Repository string `json:"repository"`
	Chart      string `json:"chart"`
	Version    string `json:"version"`
	// Resolved is the version that it is.
	Resolved string `json:"resolved"`
	// URL is where the archive is: https:// or http://, or oci://host/path of the registry, where it is known by its digest.
	URL string `json:"url"`
	// Digest of the archive is sha256: and 64 hexadecimal digits.
	Digest string `json:"digest"`
}

// Asks is what was asked for.
func (l Locked) Asks() render.Elsewhere {
	return render.Elsewhere{Repository: l.Repository, Name: l.Chart, Version: l.Version}
}

// SHA256 of the archive, in hex.
func (l Locked) SHA256() string { return strings.TrimPrefix(l.Digest, "sha256:") }

// For is the entry of a chart; false where there is none.
func (l Lock) For(e render.Elsewhere) (Locked, bool) {
	i := slices.IndexFunc(l.Charts, func(at Locked) bool { return at.Asks() == e })
	if i < 0 {
		return Locked{}, false
	}
	return l.Charts[i], true
}

// lockHead begins the file.
const lockHead = `# Which archive each chart from elsewhere is. Written by "sluice lock"; commit it, and change it with "sluice lock --upgrade".
`

// Text is the file as it is written: the same for the same charts.
func (l Lock) Text() ([]byte, error) {
	l.APIVersion, l.Kind, l.Charts = APIVersion, KindLock, slices.Clone(l.Charts)
	slices.SortFunc(l.Charts, func(a, b Locked) int {
		return cmp.Or(cmp.Compare(a.Repository, b.Repository), cmp.Compare(a.Chart, b.Chart), cmp.Compare(a.Version, b.Version))
	})
	text, err := yaml.Marshal(l)
	return append([]byte(lockHead), text...), err
}

// ParseLock reads sluice.lock. The error is Faults.
func ParseLock(name string, data []byte) (Lock, error) {
	d := read(name, data)
	var l Lock
	d.decode(&l)
	if d.content() {
		d.oneOf("apiVersion", l.APIVersion, APIVersion)
		d.oneOf("kind", l.Kind, KindLock)
		checkLocked(d, l.Charts)
	}
	if err := d.faults.sorted().Err(); err != nil {
		return Lock{}, err
	}
	return l, nil
}

// LoadLock reads the sluice.lock of a folder of a tree. Where there is none it is the zero value. The error is Faults.
func LoadLock(tree fs.FS, dir string) (Lock, error) {
	name := path.Join(dir, render.LockFile)
	data, err := readTree(tree, name)
	if errors.Is(err, fs.ErrNotExist) {
		return Lock{}, nil
	}
	if err != nil {
		return Lock{}, Faults{unreadFile(name, err)}
	}
	return ParseLock(name, data)
}

var sha256Digest = regexp.MustCompile(`^sha256:[0-9a-f]{64}$`)

func checkLocked(d *document, charts []Locked) {
	seen := map[render.Elsewhere]bool{}
	for i, l := range charts {
		at := d.item("charts", i)
		if field, why := l.Asks().Check(); why != "" {
			d.reject(at+"."+field, "%s", why)
			continue
		}
		if seen[l.Asks()] {
			d.reject(at, "is there twice: %s", l.Asks())
		}
		seen[l.Asks()] = true
		if v, err := semver.NewVersion(l.Resolved); err != nil {
			d.reject(at+".resolved", "must be a version %s", got(l.Resolved))
		} else if c, err := semver.NewConstraint(l.Version); err != nil || !c.Check(v) && l.Version != l.Resolved {
			d.reject(at+".resolved", "must be in the range %s %s: run `sluice lock`", l.Version, got(l.Resolved))
		}
		if !sha256Digest.MatchString(l.Digest) {
			d.reject(at+".digest", "must be sha256: and 64 hexadecimal digits")
		}
		checkArchiveURL(d, at+".url", l.URL)
	}
}

// checkArchiveURL demands an address that reads the same to everybody: what it may begin with decides whether it is asked.
func checkArchiveURL(d *document, at, value string) {
	u, err := url.Parse(value)
	switch {
	case err != nil, hasControl(value), u.Scheme != "https" && u.Scheme != "http" && u.Scheme != "oci", u.Hostname() == "", u.Opaque != "":
		d.reject(at, "must be https://, http:// or oci://, with a host")
	case u.User != nil:
		d.reject(at, "must not name a user, password or token")
	case u.Fragment != "" || u.Scheme == "oci" && (u.RawQuery != "" || u.ForceQuery):
		d.reject(at, "must not have a query or fragment")
	case !plainPath(u):
		d.reject(at, "must have a plain path, without . or .. or empty parts")
	}
}

// plainPath reports whether nobody can read the path of a URL in another way.
func plainPath(u *url.URL) bool {
	lower := strings.ToLower(u.EscapedPath())
	return (u.Path == "" || path.Clean(u.Path) == strings.TrimSuffix(u.Path, "/") || u.Path == "/") &&
		!strings.Contains(lower, "%2f") && !strings.Contains(lower, "%2e") && !strings.Contains(u.Path, `\`)
}
