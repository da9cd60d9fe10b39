package e2e

import (
	"errors"
	"strings"
	"testing"

	"github.com/sluice-cd/sluice/e2e/world"
)

// TestPromotionHasNoForge: at a plain Git server a branch is all that is pushed; a person merges it by git.
func TestPromotionHasNoForge(t *testing.T) {
	s, first := atServer(t, "promotion-plain", promoted)
	s.Agent.Start(t)
	branch := func(t *testing.T, what string, match func(at string) error) string {
		t.Helper()
		var at string
		world.Await(t, world.Patience, what, func() (err error) {
			if at, err = s.Repo.Ref("refs/heads/" + proposal); err != nil {
				return err
			}
			return match(at)
		})
		return at
	}
	there := func(at string) error {
		if at == "" {
			return errors.New("it is not there")
		}
		return nil
	}
	merge := func(t *testing.T, revision string) {
		t.Helper()
		s.Repo.Run(t, "fetch", "-q", "origin")
		s.Repo.Run(t, "merge", "-q", "--no-edit", "origin/"+proposal)
		if pin := s.Repo.Read(t, "releases/production.yaml"); !strings.Contains(pin, "revision: "+revision) {
			t.Errorf("merged, it pins %q, want %s", pin, revision)
		}
		s.Repo.Push(t)
		s.AwaitPhase(t, "production", revision, "Healthy")
	}
	t.Run("TheBranchIsPushedAndNothingElse", func(t *testing.T) {
		at := branch(t, "the branch", there)
		if changed := s.Repo.Run(t, "--git-dir", s.Repo.Local, "diff", "--name-only", first, at); changed != "releases/production.yaml" {
			t.Errorf("the branch changes %q", changed)
		}
		if main, err := s.Repo.Ref("refs/heads/main"); err != nil || main != first {
			t.Errorf("main is at %s: %v", main, err)
		}
		s.Agent.AwaitPolls(t)
		for ref := range strings.FieldsSeq(s.Repo.OnServer(t, "for-each-ref", "--format=%(refname)")) {
			if ref != "refs/heads/main" && ref != "refs/heads/"+proposal && !strings.HasPrefix(ref, "refs/notes/sluice/") {
				t.Errorf("the server has %s", ref)
			}
		}
	})
	gone := func(at string) error {
		if at != "" {
			return errors.New("it is at " + at)
		}
		return nil
	}
	t.Run("MergedByHandItIsReleasedAndTheBranchGoes", func(t *testing.T) {
		merge(t, first)
		branch(t, "the branch is gone", gone)
	})
	t.Run("ABranchThatSomebodyDeletesComesBack", func(t *testing.T) {
		s.Repo.Edit(t, productionDeployment, firstImage, nextImage)
		second := s.Repo.Commit(t, "Another image")
		branch(t, "the branch", there)
		s.Repo.Run(t, "push", "-q", "origin", ":"+proposal)
		s.Repo.Write(t, "README", "A word to the reader\n")
		s.Repo.Commit(t, "An unrelated commit")
		branch(t, "the branch again", there) // on top of main, or of what main was when it was looked for
		merge(t, second)
	})
	t.Run("WhatSomebodyCommitsThereStaysUntilItIsMerged", func(t *testing.T) {
		s.Repo.Edit(t, productionDeployment, nextImage, imageName+"1.31.0")
		third := s.Repo.Commit(t, "A third image")
		branch(t, "the branch", there)
		s.Repo.Run(t, "fetch", "-q", "origin", proposal)
		s.Repo.Run(t, "checkout", "-q", "--detach", "FETCH_HEAD")
		s.Repo.Write(t, "README", "By hand\n")
		foreign := s.Repo.CommitOnly(t, "By hand")
		s.Repo.Run(t, "push", "-q", "origin", "HEAD:refs/heads/"+proposal)
		s.Repo.Run(t, "checkout", "-q", "main")
		s.Repo.Edit(t, productionDeployment, imageName+"1.31.0", imageName+"1.31.1")
		fourth := s.Repo.Commit(t, "A fourth image")
		s.Agent.AwaitLog(t, "Promotion was looked at", fourth[:7]+" is newer")
		s.Agent.AwaitPolls(t)
		if at := branch(t, "the branch", there); at != foreign {
			t.Errorf("the branch is at %s, somebody put it at %s", at, foreign)
		}
		merge(t, third)
		branch(t, "the branch asks for the fourth", func(at string) error {
			if at == "" || at == foreign || !strings.Contains(s.Repo.OnServer(t, "show", at+":releases/production.yaml"), fourth) {
				return errors.New("it is at " + at)
			}
			return nil
		})
	})
}
