package promote

import (
	"path"

	"github.com/sluice-cd/sluice/gitsource"
	"github.com/sluice-cd/sluice/reconciler/config"
)

// Ledger is the repository that has an environment's release file, and so the branch and the request that ask for another pin. The
// code is read elsewhere, and never written to.
type Ledger struct {
	Git    *gitsource.Repository
	Branch string // that requests are merged into
	Tip    string // of it
	Dir    string // the application's folder at the tip, with releases/ in it
}

// ledger is where a subject's pin is moved.
func (k *Keeper) ledger(s Subject) Ledger {
	if s.Ledger != nil {
		return *s.Ledger
	}
	return Ledger{Git: k.Git, Branch: s.Repository.Branch, Tip: s.Tip, Dir: s.Dir}
}

// file is the path of the release file.
func (s Subject) file() string {
	dir := s.Dir
	if s.Ledger != nil {
		dir = s.Ledger.Dir
	}
	return path.Join(dir, config.ReleasePath(s.Environment))
}

// dirAt is the folder that has the release files at an earlier commit, wherever the application lay then.
func (s Subject) dirAt(tree *gitsource.Tree) (string, error) {
	if s.Ledger != nil {
		return config.LedgerDir(tree, s.Application, s.Rules.Was), nil
	}
	return config.Locate(tree, s.Application, s.Dir, s.Repository, s.Rules.Was...)
}
