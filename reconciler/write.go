package reconciler

import (
	"context"
	"errors"
	"path/filepath"

	"github.com/sluice-cd/sluice/gitsource"
	"github.com/sluice-cd/sluice/reconciler/config"
	"github.com/sluice-cd/sluice/reconciler/record"
)

// open prepares the mirror of a repository.
func (a *Agent) open(repo config.Repository, hosts *gitsource.Hosts) (*source, error) {
	conf := gitsource.Config{URL: repo.URL, Dir: filepath.Join(a.config.DataDir, "git", repo.Name), Hosts: hosts}
	secrets := a.credentials(repo)
	if secrets != nil {
		conf.Credentials = secrets.get
	}
	git, err := gitsource.Open(conf)
	if err != nil {
		return nil, err
	}
	src := newSource(repo, git, a.log)
	src.credentials = secrets
	src.served, src.changed, src.metrics = a.serves, a.changed, a.metrics
	return src, nil
}

func (a *Agent) newPublisher() *record.Publisher {
	return record.New(record.Config{
		Log: a.log,
		ReadOnly: func(err error) bool {
			return errors.Is(err, gitsource.ErrReadOnly)
		},
		OnReadOnly: func(repository string, err error) {
			a.log.Warn("Status is not written to Git: the credentials may only read", "repository", repository, "err", err)
		},
	})
}

// write hands lines to the publisher.
func (a *Agent) write(src *source, k Key, lines []record.Line, t *target) {
	if back := src.repo.WriteBack; back.Notes != nil && !*back.Notes {
		return
	}
	target := record.Target{
		Repository: src.git.URL(), Environment: k.Environment, Notes: src.git, MinPush: src.repo.WriteBack.Interval.Std(),
	}
	a.publisher.Add(target, lines, t.confirm)
}

// notes reads what Git says of an environment.
func (a *Agent) notes(ctx context.Context, src *source, environment string) ([]record.ParsedLine, error) {
	ref := record.Ref(environment)
	refs, err := src.git.Fetch(ctx, ref)
	if err != nil {
		return nil, err
	}
	if _, ok := refs[ref]; !ok {
		return nil, nil
	}
	notes, err := src.git.ReadNotes(ctx, ref)
	if err != nil {
		return nil, err
	}
	return record.ParseNotes(notes), nil
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
