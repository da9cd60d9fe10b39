package charts

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"strings"

	"github.com/Masterminds/semver/v3"
	"sigs.k8s.io/yaml"
)

// Version is one of those that a repository has of a chart.
type Version struct {
	Version string

	url    string
	tag    string // in a registry
	digest string // that an index claims, in hex; empty: it claims none
}

// Archive is a packed chart that was taken in.
type Archive struct {
	URL    string // where it is, as Fetch wants it
	SHA256 string // in hex
	Data   []byte
}

// Versions lists what a repository, oci:// or one with an index, has of a chart. Those that were withdrawn are left out.
func (s *Server) Versions(ctx context.Context, repository, chart string) ([]Version, error) {
	at, err := s.open(repository)
	if err != nil {
		return nil, err
	}
	defer at.close()
	var all []Version
	if strings.HasPrefix(repository, "oci://") {
		all, err = at.tags(ctx, repository+"/"+chart)
	} else {
		all, err = at.index(ctx, repository, chart)
	}
	if err != nil {
		return nil, fmt.Errorf("ask %s for versions of %s: %w", shown(repository), chart, err)
	}
	return all, nil
}

// index reads index.yaml. Helm's own reader writes to the log of the process and wants a file.
func (at *session) index(ctx context.Context, repository, chart string) ([]Version, error) {
	base, err := url.Parse(repository + "/")
	if err != nil {
		return nil, plain(err)
	}
	data, err := at.get(ctx, base.JoinPath("index.yaml").String(), maxIndex)
	if err != nil {
		return nil, err
	}
	var index struct {
		Entries map[string][]*struct {
			Version string   `json:"version"`
			URLs    []string `json:"urls"`
			Digest  string   `json:"digest"`
			Removed bool     `json:"removed"`
		} `json:"entries"`
	}
	if err := yaml.Unmarshal(data, &index); err != nil {
		return nil, errors.New("index.yaml is not the index of a chart repository")
	}
	entries, ok := index.Entries[chart]
	if !ok {
		return nil, fmt.Errorf("%w: the index has no such chart", ErrNotFound)
	}
	var all []Version
	for _, e := range entries {
		if e == nil || e.Removed || len(e.URLs) == 0 {
			continue
		}
		archive, err := base.Parse(e.URLs[0]) // relative ones start at the repository
		if err != nil {
			continue
		}
		all = append(all, Version{Version: e.Version, url: archive.String(), digest: strings.TrimPrefix(e.Digest, "sha256:")})
	}
	return all, nil
}

// Pick is the newest version in a range, or the one that is named exactly; false where there is none. Versions before a
// release (1.2.0-rc.1) count only for a range that names one.
func Pick(all []Version, within string) (Version, bool) {
	limit, err := semver.NewConstraint(within)
	var best Version
	var newest *semver.Version
	for _, v := range all {
		if v.Version == within {
			return v, true
		}
		at, wrong := semver.NewVersion(v.Version)
		if wrong == nil && err == nil && limit.Check(at) && (newest == nil || at.GreaterThan(newest)) {
			best, newest = v, at
		}
	}
	return best, newest != nil
}

// Fits reports whether a version is in a range.
func Fits(version, within string) bool {
	_, ok := Pick([]Version{{Version: version}}, within)
	return ok
}

// Take gets the archive of a version that Versions gave. Where an index names another server (Version.At), it is asked without
// the credentials of this one.
func (s *Server) Take(ctx context.Context, v Version) (Archive, error) {
	out := Archive{URL: v.url, SHA256: v.digest}
	at, err := s.open(v.url)
	if err != nil {
		return out, err
	}
	defer at.close()
	fault := func(err error) (Archive, error) {
		return out, fmt.Errorf("fetch %s %s: %w", shown(v.url), v.Version, err)
	}
	if v.tag != "" {
		if out.SHA256, err = at.layer(ctx, v.url, v.tag); err != nil {
			return fault(err)
		}
		if out.Data, err = at.blob(ctx, v.url, out.SHA256); err != nil {
			return fault(err)
		}
	} else if out.Data, err = at.get(ctx, v.url, MaxArchive); err != nil {
		return fault(err)
	}
	if got := sumOf(out.Data); out.SHA256 != "" && got != out.SHA256 {
		return fault(fmt.Errorf("%w: its digest is sha256:%s, the repository says sha256:%s", ErrOther, got, out.SHA256))
	}
	out.SHA256 = sumOf(out.Data)
	return out, nil
}

// At is the address of the archive.
func (v Version) At() string { return v.url }
