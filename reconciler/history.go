package reconciler

import (
	"path"
	"strings"

	"github.com/sluice-cd/sluice/gitsource"
	"github.com/sluice-cd/sluice/reconciler/config"
)

// longestWalk bounds how many commits are looked at on the way back: at some 20 µs each a walk takes 20 ms.
const longestWalk = 1000

// older visits the commits before a revision along first parents, the newest first, until visit has seen enough, a
// commit cannot be read, or longestWalk.
func older(git *gitsource.Repository, revision string, visit func(tree *gitsource.Tree) (enough bool)) {
	for range longestWalk {
		parent, ok, err := git.FirstParent(revision)
		if err != nil || !ok {
			return
		}
		tree, err := git.Tree(parent)
		if err != nil || visit(tree) {
			return
		}
		revision = parent
	}
}

// brought is the commit that brought what is at a revision: the newest on the way back whose first parent was not the
// same. Where known remembers a commit on the way, its answer is taken. It is not whole where longestWalk ended it.
func brought(git *gitsource.Repository, revision string, known func(string) string, same func(*gitsource.Tree) bool) (trigger string, whole bool) {
	if trigger = known(revision); trigger != "" {
		return trigger, true
	}
	trigger = revision
	steps := 0
	older(git, revision, func(tree *gitsource.Tree) bool {
		steps++
		if !same(tree) {
			return true
		}
		trigger = tree.Revision()
		if remembered := known(trigger); remembered != "" {
			trigger = remembered
			return true
		}
		return false
	})
	return trigger, steps < longestWalk
}

// nothingKnown is for walks that remember nothing.
func nothingKnown(string) string { return "" }

// objectAt is the Git object at a path; empty where there is none.
func objectAt(tree *gitsource.Tree, dir, file string) string {
	hash, err := tree.Object(path.Join(dir, file))
	if err != nil {
		return ""
	}
	return hash
}

// filesAt are the Git objects of sluice.yaml in a folder and of an environment's release file, under its present and
// its earlier names.
func filesAt(tree *gitsource.Tree, dir string, names []string) string {
	objects := []string{objectAt(tree, dir, config.FileName)}
	for _, name := range names {
		objects = append(objects, objectAt(tree, dir, config.ReleasePath(name)))
	}
	return strings.Join(objects, " ")
}
