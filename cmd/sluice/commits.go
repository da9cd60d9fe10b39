package main

import (
	"context"
	"path/filepath"
	"strings"
	"time"

	"github.com/go-git/go-git/v5"
	"github.com/go-git/go-git/v5/plumbing"

	"github.com/sluice-cd/sluice/gitsource"
	"github.com/sluice-cd/sluice/reconciler"
	"github.com/sluice-cd/sluice/reconciler/record"
	"github.com/sluice-cd/sluice/reconciler/view"
)

// commits finds what is written in commits: in the folders that were named, where there are some, and else at the servers, whose
// branches are fetched once and only where they are needed. The notes themselves bring proven releases along. Pins may be
// commits of a ledger.
type commits struct {
	repos   []*gitsource.Repository
	local   []*git.Repository
	fetched map[*gitsource.Repository]bool
}

func openCommits(flags notesFlags, of remotes) *commits {
	c := &commits{repos: []*gitsource.Repository{of.ledger}, fetched: map[*gitsource.Repository]bool{}}
	if of.code != nil && of.code != of.ledger {
		c.repos = append(c.repos, of.code)
	}
	for _, folder := range []string{flags.repository, flags.ledger} {
		abs, err := filepath.Abs(folder)
		if err != nil || folder == "" {
			continue
		}
		if root := repositoryRoot(abs); root != "" {
			// What cannot be opened is asked of the server.
			if local, err := git.PlainOpenWithOptions(root, &git.PlainOpenOptions{EnableDotGitCommonDir: true}); err == nil {
				c.local = append(c.local, local)
			}
		}
	}
	return c
}

// commitWords are what a commit says of itself. Anybody can write what they like into it.
type commitWords struct {
	by, subject string
	at          time.Time // committed, not authored
	merged      *view.Merged
}

// find reads a commit by its full hash; false: nobody has it any more, since a branch was rewritten.
func (c *commits) find(ctx context.Context, revision string) (commitWords, bool, error) {
	for _, local := range c.local {
		if found, err := local.CommitObject(plumbing.NewHash(revision)); err == nil {
			subject, _, _ := strings.Cut(strings.TrimSpace(found.Message), "\n")
			return commitWords{found.Author.Name, subject, found.Committer.When, reconciler.MergedBy(found.Author.Name, found.Message, found.NumParents())}, true, nil
		}
	}
	for _, repo := range c.repos {
		found, err := repo.Commit(revision)
		if err != nil && !c.fetched[repo] && revision != "" {
			if _, err := repo.Fetch(ctx, "refs/heads/*", record.Ref("*")); err != nil {
				return commitWords{}, false, err
			}
			c.fetched[repo] = true
			found, err = repo.Commit(revision)
		}
		if err == nil {
			return commitWords{found.Author, found.Subject, found.Time, reconciler.MergedBy(found.Author, found.Message, len(found.Parents))}, true, nil
		}
	}
	return commitWords{}, false, nil // what is not there is told as not known
}
