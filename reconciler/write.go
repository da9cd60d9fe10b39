package reconciler

import (
	"context"
	"errors"
	"path/filepath"

	"github.com/sluice-cd/sluice/gitsource"
	"github.com/sluice-cd/sluice/gitsource/forge"
	"github.com/sluice-cd/sluice/reconciler/config"
	"github.com/sluice-cd/sluice/reconciler/record"
)

// open prepares a repository with applications, and its ledger.
func (a *Agent) open(repo config.Repository, hosts *gitsource.Hosts) (*source, error) {
	src, err := a.openSource(repo, hosts)
	if err != nil {
		return nil, err
	}
	if repo.WriteBack.Ledger != nil {
		if src.ledger, err = a.openLedger(repo, hosts); err != nil {
			return nil, err
		}
	}
	promoter := a.newPromoter(src)
	src.promote = promoter.poke
	a.promoters = append(a.promoters, promoter)
	return src, nil
}

// openSource prepares the mirror of a repository. One that has its ledger elsewhere is never written to.
func (a *Agent) openSource(repo config.Repository, hosts *gitsource.Hosts) (*source, error) {
	conf := gitsource.Config{URL: repo.URL, Dir: filepath.Join(a.config.DataDir, "git", repo.Name), Hosts: hosts}
	switch {
	case repo.WriteBack.Ledger != nil:
		conf.Writes = []string{}
	case repo.WriteBack.Commit:
		conf.Writes = []string{gitsource.NotesPrefix + "*", gitsource.BranchPrefix + "*", "refs/heads/" + repo.Branch}
	}
	secrets := a.credentials(repo)
	if secrets != nil {
		conf.Credentials = secrets.get
	}
	beat := newPace(a.now, repo.WriteBack.Interval.Std())
	if repo.CountsPushes() {
		conf.Pace = beat.wait
	}
	git, err := gitsource.Open(conf)
	if err != nil {
		return nil, err
	}
	src := newSource(repo, git, a.log)
	src.credentials, src.pace = secrets, beat
	src.served, src.changed, src.tidy, src.metrics = a.serves, a.changed, a.notes.sweep, a.metrics
	src.statuses, src.contact.changed = newStatuses(a, src), a.view.changes.note
	if of := accountOf(repo); repo.Forge != nil && a.budgets[of] == nil {
		a.budgets[of] = forge.NewBudget(forge.LimitsOf(forge.Kind(repo.Forge.Kind), 1))
	}
	return src, nil
}

// publishing is how status is written.
func (a *Agent) publishing() record.Config {
	return record.Config{
		Log: a.log,
		// A push waits for its turn at a forge that counts them; how long a server may be silent is for gitsource to say.
		Timeout: longestWait,
		ReadOnly: func(err error) bool {
			return errors.Is(err, gitsource.ErrReadOnly)
		},
		OnReadOnly: func(repository string, err error) {
			a.log.Warn("Status is not written to Git: the credentials may only read", "repository", repository, "err", err)
		},
	}
}

// notes reports whether status is written to the repository's ledger.
func (s *source) notes() bool { return s.repo.WriteBack.Notes == nil || *s.repo.WriteBack.Notes }

// write hands lines to the publisher.
func (a *Agent) write(src *source, environment string, lines []record.Line, t *target) {
	if src.notes() {
		a.publisher.Add(a.noteTarget(src, environment), lines, t.confirm)
	}
}

// noteTarget is where the lines about the applications of a repository go.
func (a *Agent) noteTarget(src *source, environment string) record.Target {
	ledger := src.ledger
	return record.Target{
		Repository: ledger.git.URL(), Environment: environment, Notes: pushes{ledger.git, ledger.repo.Name, a.metrics},
		MinPush: ledger.pace.every(),
	}
}

// pushes counts the pushes of a repository.
type pushes struct {
	*gitsource.Repository
	name    string
	metrics *metrics
}

// AppendNotes implements record.Notes.
func (p pushes) AppendNotes(ctx context.Context, ref string, add map[string][]string, keep []string) (string, error) {
	commit, err := p.Repository.AppendNotes(ctx, ref, add, keep)
	p.metrics.asked(p.name, gitPush, err)
	return commit, err
}

// keyring is whose lines count: the agent's own key, and those that agent.yaml lists.
func (a *Agent) keyring(s *site) record.Keyring {
	return a.listed(record.NewKeyring(s.maker.Signer.Public()))
}

// listed adds to a keyring the keys that agent.yaml lists.
func (a *Agent) listed(ring record.Keyring) record.Keyring {
	for _, listed := range a.config.Keys {
		key, err := record.ParsePublicKey(listed.Key)
		if err != nil {
			continue // validated when agent.yaml was read
		}
		if more, err := ring.With(key, listed.Environments...); err == nil {
			ring = more
		}
	}
	return ring
}
