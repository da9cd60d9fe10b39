package reconciler

import (
	"fmt"
	"path"
	"slices"
	"time"

	"github.com/sluice-cd/sluice/gitsource"
	"github.com/sluice-cd/sluice/policies"
	"github.com/sluice-cd/sluice/reconciler/config"
	"github.com/sluice-cd/sluice/reconciler/promote"
)

// The ledger of a repository has what agents and people write about its applications: notes, release files, branches and
// requests. It is the repository itself, or a source of its own that several may share. Whoever asks for any of these asks
// source.ledger and place.ledger, and need not know which of the two it is.

// openLedger opens the repository that agent.yaml names for what is written about another, once for all that share it.
func (a *Agent) openLedger(repo config.Repository, hosts *gitsource.Hosts) (*source, error) {
	l := repo.WriteBack.Ledger
	if i := slices.IndexFunc(a.ledgers, func(s *source) bool { return s.repo.URL == l.URL }); i >= 0 {
		return a.ledgers[i], nil
	}
	as := repo.Ledger()
	for _, r := range a.config.Repositories {
		if r.WriteBack.Ledger != nil && r.WriteBack.Ledger.URL == l.URL { // whoever may commit pins commits them there
			as.WriteBack.Commit = as.WriteBack.Commit || r.WriteBack.Commit
			as.WriteBack.Interval = max(as.WriteBack.Interval, r.WriteBack.Interval)
		}
	}
	src, err := a.openSource(as, hosts)
	if err != nil {
		return nil, err
	}
	src.promote = func() {
		for _, p := range a.promoters {
			if p.source.ledger == src {
				p.poke()
			}
		}
	}
	a.ledgers = append(a.ledgers, src)
	return src, nil
}

// at is what a repository and its ledger say now; false: one of them never answered yet. Without release files nobody knows
// what is pinned, or paused.
func (s *source) at() (place, bool) {
	p := place{source: s, snap: s.now.Load()}
	if p.ledger = p.snap; s.ledger != s {
		p.ledger = s.ledger.now.Load()
	}
	return p, p.snap != nil && p.ledger != nil
}

// tell has the commits of a release say how it is, each at the forge where it is: a pin's trigger is a commit of the ledger.
func (s *source) tell(key Key, phase policies.Phase, release policies.Release, reason string) {
	if s.ledger == s {
		s.statuses.want(key, phase, release, reason)
		return
	}
	for _, revision := range []string{release.Revision, release.Trigger} {
		at := s
		if _, err := s.git.Commit(revision); err != nil {
			at = s.ledger
		}
		at.statuses.want(key, phase, policies.Release{Revision: revision}, reason)
	}
}

// apart reports whether the release files are in another repository than the application.
func (p place) apart() bool { return p.source.ledger != p.source }

// seen is when the newest of it was read.
func (p place) seen() time.Time {
	if p.ledger.seen.After(p.snap.seen) {
		return p.ledger.seen
	}
	return p.snap.seen
}

// tips are those of the polled branches: that of the code, and that of the release files where it is another.
func (p place) tips() string {
	if !p.apart() {
		return p.snap.tip
	}
	return p.snap.tip + " " + p.ledger.tip
}

// releaseDir is the folder that has the release files of an application, at a commit of where they are. Beside a sluice.yaml that
// was moved it is looked for.
func (p place) releaseDir(then *gitsource.Tree, application string) string {
	var was []string
	if p.app != nil {
		was = p.app.Was
	}
	if p.apart() {
		return config.LedgerDir(then, application, was)
	}
	if objectAt(then, p.dir, config.FileName) == "" {
		if moved, err := config.Locate(then, application, p.dir, p.source.repo, was...); err == nil {
			return moved
		}
	}
	return p.dir
}

// files are the Git objects of sluice.yaml and of an environment's release file, under its present and its earlier names.
func (p place) files(names []string) string {
	files := filesAt(p.snap.tree, p.dir, names)
	if p.apart() {
		files += " " + filesAt(p.ledger.tree, p.releaseDir(p.ledger.tree, p.app.Metadata.Name), names)
	}
	return files
}

// folder is the Git object of all that lies where the application is, and its release files.
func (p place) folder() string {
	folder := objectAt(p.snap.tree, p.dir, ".")
	if p.apart() {
		folder += " " + objectAt(p.ledger.tree, p.releaseDir(p.ledger.tree, p.app.Metadata.Name), ".")
	}
	return folder
}

// words are an environment's release file.
func (p place) words(application, environment string, was []string) (config.Release, error) {
	words, _, err := config.LoadRelease(p.ledger.tree, p.releaseDir(p.ledger.tree, application), environment, was)
	if err != nil && p.apart() {
		err = fmt.Errorf("ledger %s: %w", p.source.ledger.git.URL(), err)
	}
	return words, err
}

// misplaced says that a release file is beside sluice.yaml although there is a ledger. It is a fault, since whoever wrote it
// means something by it, to pause for one.
func (p place) misplaced(application, environment string, was []string) error {
	if !p.apart() {
		return nil
	}
	for _, name := range append([]string{environment}, was...) {
		if file := config.ReleasePath(name); objectAt(p.snap.tree, p.dir, file) != "" {
			return fmt.Errorf("%s: release files are not read here: move it to %s", path.Join(p.dir, file), p.releaseFile(application, environment))
		}
	}
	return nil
}

// releaseFile is how people are told of an environment's release file.
func (p place) releaseFile(application, environment string) string {
	file := config.ReleasePath(environment)
	if !p.apart() {
		return file
	}
	return fmt.Sprintf("%s of the ledger %s", path.Join(p.releaseDir(p.ledger.tree, application), file), p.source.ledger.git.URL())
}

// openForges makes the clients of the forges that have requests and checks, once they are needed.
func (p *promoter) openForges() (err error) {
	if p.forge == nil {
		if p.forge, err = p.agent.openForge(p.source.ledger.repo); err != nil {
			return err
		}
	}
	switch {
	case p.source.ledger == p.source:
		p.checks = p.forge
	case p.checks == nil:
		p.checks, err = p.agent.openForge(p.source.repo)
	}
	return err
}

// promoted is where pins are moved; nil: beside the code.
func (p place) promoted(application string) *promote.Ledger {
	if !p.apart() {
		return nil
	}
	of := p.source.ledger
	return &promote.Ledger{Git: of.git, Branch: of.repo.Branch, Tip: p.ledger.tip, Dir: p.releaseDir(p.ledger.tree, application)}
}
