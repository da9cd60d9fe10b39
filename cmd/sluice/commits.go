package main

import (
	"context"
	"path/filepath"
	"strings"
	"time"

	"github.com/go-git/go-git/v5"
	"github.com/go-git/go-git/v5/plumbing"

	"github.com/sluice-cd/sluice/gitsource"
	"github.com/sluice-cd/sluice/reconciler/record"
)

// commits finds what is written in commits: in the folder that was named, where there is one, and else at the server, whose
// branches are fetched once and only where they are needed. The notes themselves bring proven releases along.
type commits struct {
	repo    *gitsource.Repository
	local   *git.Repository // nil: there is none
	fetched bool
}

func openCommits(flags notesFlags, repo *gitsource.Repository) *commits {
	c := &commits{repo: repo}
	abs, err := filepath.Abs(flags.repository)
	if err != nil {
		return c
	}
	if root := repositoryRoot(abs); root != "" {
		// What cannot be opened is asked of the server.
		c.local, _ = git.PlainOpenWithOptions(root, &git.PlainOpenOptions{EnableDotGitCommonDir: true}) //nolint:errcheck // see above
	}
	return c
}

// commitWords are what a commit says of itself. Anybody can write what they like into it.
type commitWords struct {
	by, subject string
	at          time.Time // committed, not authored
}

// find reads a commit by its full hash; false: nobody has it any more, since a branch was rewritten.
func (c *commits) find(ctx context.Context, revision string) (commitWords, bool, error) {
	if c.local != nil {
		if found, err := c.local.CommitObject(plumbing.NewHash(revision)); err == nil {
			subject, _, _ := strings.Cut(strings.TrimSpace(found.Message), "\n")
			return commitWords{found.Author.Name, subject, found.Committer.When}, true, nil
		}
	}
	found, err := c.repo.Commit(revision)
	if err != nil && !c.fetched && revision != "" {
		if _, err := c.repo.Fetch(ctx, "refs/heads/*", record.Ref("*")); err != nil {
			return commitWords{}, false, err
		}
		c.fetched = true
		found, err = c.repo.Commit(revision)
	}
	if err != nil {
		return commitWords{}, false, nil //nolint:nilerr // what is not there is told as not known
	}
	return commitWords{found.Author, found.Subject, found.Time}, true, nil
}
