package reconciler

import (
	"cmp"

	"github.com/sluice-cd/sluice/gitsource"
	"github.com/sluice-cd/sluice/reconciler/view"
)

// mostCommits bounds those that are remembered, some 200 bytes each.
const mostCommits = 20_000

// commit reads a commit of a repository or of its ledger; false: neither mirror has it.
func (v *View) commit(src *source, revision string) (CommitWords, bool) {
	v.mu.Lock()
	known, ok := v.commits[revision]
	v.mu.Unlock()
	if ok || revision == "" {
		return known, ok
	}
	found, err := src.git.Commit(revision)
	if err != nil && src.ledger != src {
		found, err = src.ledger.git.Commit(revision)
	}
	if err != nil {
		return CommitWords{}, false
	}
	words := commitWordsOf(found)
	v.mu.Lock()
	defer v.mu.Unlock()
	if len(v.commits) >= mostCommits {
		clear(v.commits)
	}
	v.commits[revision] = words
	return words, true
}

func commitWordsOf(c gitsource.Commit) CommitWords {
	return CommitWords{oneLine(c.Author), oneLine(c.Subject), c.Time, MergedBy(c.Author, c.Message, len(c.Parents))}
}

// tellCommit adds to a release what its trigger says.
func (v *View) tellCommit(src *source, r *view.Release) {
	if words, ok := v.commit(src, cmp.Or(r.Trigger, r.Revision)); ok {
		r.Author, r.Subject = words.Author, words.Subject
	}
}
