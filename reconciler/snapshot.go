package reconciler

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/Masterminds/semver/v3"

	"github.com/sluice-cd/sluice/gitsource"
	"github.com/sluice-cd/sluice/reconciler/config"
)

// snapshot is what a repository said at one moment. It is never changed after it was made.
type snapshot struct {
	tip  string            // of the polled branch
	refs map[string]string // full name to hash, of all refs that some environment follows
	tree *gitsource.Tree   // at the tip
	apps []discovered
	seen time.Time // when it was read
}

// discovered is an application at the tip, with the faults of its file.
type discovered struct {
	dir    string
	object string // Git object of its file
	app    *config.Application
	faults config.Faults
	// broken: the file says nothing of any environment. app is then what it was before, so that everybody concerned is
	// told; nil where it never was any better.
	broken bool
}

// discover reads the applications at a revision. Files that are the same as in the old snapshot are not read again.
func discover(git *gitsource.Repository, repo config.Repository, revision string, old *snapshot) (*snapshot, error) {
	tree, err := git.Tree(revision)
	if err != nil {
		return nil, err
	}
	dirs, err := config.Discover(tree, repo)
	if err != nil {
		return nil, err
	}
	s := &snapshot{tip: revision, tree: tree}
	for _, dir := range dirs {
		found, ok := old.same(dir, objectAt(tree, dir, config.FileName))
		if !ok {
			found = read(git, tree, dir)
		}
		s.apps = append(s.apps, found)
	}
	return s, nil
}

// same returns what was discovered in a folder, where its file is still this object.
func (s *snapshot) same(dir, object string) (discovered, bool) {
	if s == nil || object == "" {
		return discovered{}, false
	}
	i := slices.IndexFunc(s.apps, func(d discovered) bool { return d.dir == dir && d.object == object })
	if i < 0 {
		return discovered{}, false
	}
	return s.apps[i], true
}

// read reads the application of a folder.
func read(git *gitsource.Repository, tree *gitsource.Tree, dir string) discovered {
	app, faults := config.Load(tree, dir)
	found := discovered{dir: dir, object: objectAt(tree, dir, config.FileName), app: app, faults: faults}
	if found.broken = len(faults) > 0 && speechless(app); !found.broken {
		return found
	}
	seen := found.object
	older(git, tree.Revision(), func(then *gitsource.Tree) bool {
		object := objectAt(then, dir, config.FileName)
		if object == "" || object == seen {
			return object == "" // the file is not older than that
		}
		seen = object
		if before, _ := config.Load(then, dir); !speechless(before) {
			found.app = before
			return true
		}
		return false
	})
	return found
}

// speechless reports whether a file told of no environment at all.
func speechless(app *config.Application) bool { return app == nil || len(app.Environments) == 0 }

// wanted are the refs, beside the polled branch, that environments follow; a name that ends in * is a prefix.
func (s *snapshot) wanted(served func(string) bool) []string {
	var refs []string
	for _, found := range s.apps {
		if found.app == nil {
			continue
		}
		for _, env := range found.app.Environments {
			switch {
			case !served(env.Name):
			case env.Follow.Branch != "":
				refs = append(refs, "refs/heads/"+env.Follow.Branch)
			case env.Follow.Tag != "":
				refs = append(refs, "refs/tags/*")
			}
		}
	}
	slices.Sort(refs)
	return slices.Compact(refs)
}

// follow returns the revision that an environment follows, other than by pin.
// Tags with a path count for the application of that name alone.
func (s *snapshot) follow(f config.Follow, application string) (string, error) {
	switch {
	case f.Branch != "":
		if hash, ok := s.refs["refs/heads/"+f.Branch]; ok {
			return hash, nil
		}
		return "", fmt.Errorf("branch %q is not in the repository", f.Branch)
	case f.Tag != "":
		return s.newestTag(f.Tag, application)
	default:
		return s.tip, nil
	}
}

// newestTag returns the commit of the highest version tag in a range. Tags may begin with v, and in a repository with
// several applications with the name of the one that they are for, as in shop/v1.2.3.
func (s *snapshot) newestTag(allowed, application string) (string, error) {
	constraint, err := semver.NewConstraint(allowed)
	if err != nil {
		return "", fmt.Errorf("tag range %q: %w", allowed, err)
	}
	var newest *semver.Version
	var revision string
	for ref, hash := range s.refs {
		name, isTag := strings.CutPrefix(ref, "refs/tags/")
		if of, number, ok := strings.Cut(name, "/"); ok && of == application {
			name = number
		}
		version, err := semver.NewVersion(name)
		if !isTag || err != nil || !constraint.Check(version) {
			continue
		}
		if newest == nil || version.GreaterThan(newest) || version.Equal(newest) && hash > revision {
			newest, revision = version, hash
		}
	}
	if newest == nil {
		return "", fmt.Errorf("no tag is in the range %q", allowed)
	}
	return revision, nil
}

// refresh asks the repository and returns a new snapshot, or the old one when nothing moved.
func refresh(ctx context.Context, git *gitsource.Repository, repo config.Repository, served func(string) bool, old *snapshot) (*snapshot, error) {
	branch := "refs/heads/" + repo.Branch
	refs := []string{branch}
	if old != nil {
		refs = append(refs, old.wanted(served)...)
	}
	for range 3 { // a new tip may follow more refs than the old one did
		got, err := git.Fetch(ctx, refs...)
		if err != nil {
			return nil, err
		}
		next, err := take(git, repo, got, old)
		if err != nil || next == old {
			return next, err
		}
		more := append([]string{branch}, next.wanted(served)...)
		if !slices.ContainsFunc(more, func(ref string) bool { return !slices.Contains(refs, ref) }) {
			return next, nil
		}
		refs = more
	}
	return nil, fmt.Errorf("poll %s: the refs to follow changed at every fetch", repo.Name)
}

// take makes a snapshot of refs that are fetched, reusing the old one's parts that did not move.
func take(git *gitsource.Repository, repo config.Repository, refs map[string]string, old *snapshot) (*snapshot, error) {
	tip, ok := refs["refs/heads/"+repo.Branch]
	if !ok {
		return nil, fmt.Errorf("poll %s: branch %q is not in the repository: push it, or name another in agent.yaml", repo.Name, repo.Branch)
	}
	if old != nil && old.tip == tip && sameRefs(old.refs, refs) {
		return old, nil
	}
	next := &snapshot{}
	if old != nil && old.tip == tip {
		*next = *old
	} else {
		fresh, err := discover(git, repo, tip, old)
		if err != nil {
			return nil, err
		}
		next = fresh
	}
	next.refs, next.seen = refs, time.Now()
	return next, nil
}

func sameRefs(a, b map[string]string) bool {
	if len(a) != len(b) {
		return false
	}
	for ref, hash := range a {
		if b[ref] != hash {
			return false
		}
	}
	return true
}
