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

// open prepares the mirror of a repository.
func (a *Agent) open(repo config.Repository, hosts *gitsource.Hosts) (*source, error) {
	conf := gitsource.Config{URL: repo.URL, Dir: filepath.Join(a.config.DataDir, "git", repo.Name), Hosts: hosts}
	if repo.WriteBack.Commit {
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
	src.statuses = newStatuses(a, src)
	if of := accountOf(repo); repo.Forge != nil && a.budgets[of] == nil {
		a.budgets[of] = forge.NewBudget(forge.LimitsOf(forge.Kind(repo.Forge.Kind), 1))
	}
	promoter := a.newPromoter(src)
	src.promote = promoter.poke
	a.promoters = append(a.promoters, promoter)
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

// notes reports whether status is written to the repository.
func (s *source) notes() bool { return s.repo.WriteBack.Notes == nil || *s.repo.WriteBack.Notes }

// write hands lines to the publisher.
func (a *Agent) write(src *source, environment string, lines []record.Line, t *target) {
	if !src.notes() {
		return
	}
	target := record.Target{
		Repository: src.git.URL(), Environment: environment, Notes: pushes{src.git, src.repo.Name, a.metrics},
		MinPush: src.pace.every(),
	}
	a.publisher.Add(target, lines, t.confirm)
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
	ring := record.NewKeyring(s.maker.Signer.Public())
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
