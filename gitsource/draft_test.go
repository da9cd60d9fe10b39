package gitsource_test

import (
	"errors"
	"io/fs"
	"strings"
	"testing"

	"github.com/sluice-cd/sluice/gitsource"
	"github.com/sluice-cd/sluice/gitsource/gittest"
)

// TestDraft: what is not pushed can be read as a revision can, and the server knows nothing of it.
func TestDraft(t *testing.T) {
	srv := gittest.New(t)
	base := srv.Commit(t, "shop", gittest.Change{Files: map[string]string{"a": "1", "b/c": "2"}})
	r := open(t, srv, "shop")
	fetch(t, r, main)
	files := gitsource.Files{"a": {Content: []byte("3")}, "b/c": {}}
	draft, err := r.Draft(t.Context(), base, files)
	if err != nil {
		t.Fatal(err)
	}
	if got := content(t, draft, "a"); got != "3" {
		t.Errorf("a is %q", got)
	}
	if _, err := draft.Open("b/c"); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("what was removed: %v", err)
	}
	if paths, err := r.ChangedPaths(t.Context(), base, draft.Revision()); err != nil || strings.Join(paths, " ") != "a b/c" {
		t.Errorf("it changes %v, %v", paths, err)
	}
	if again, err := r.Draft(t.Context(), base, files); err != nil || again.Revision() != draft.Revision() {
		t.Errorf("the same again is %v, %v", again, err)
	}
	if same, err := r.Draft(t.Context(), base, gitsource.Files{"a": {Content: []byte("1")}}); err != nil || same.Revision() != base {
		t.Errorf("without a change it is %v, %v", same, err)
	}
	if known := srv.Git(t, "shop", "cat-file", "--batch-all-objects", "--batch-check"); strings.Contains(known, draft.Revision()) {
		t.Error("the server has it")
	}
	if _, err := r.Draft(t.Context(), base, gitsource.Files{"../a": {Content: []byte("1")}}); err == nil {
		t.Error("a path that leaves the tree was written")
	}
	if _, err := r.Draft(t.Context(), strings.Repeat("1", 40), files); !errors.Is(err, gitsource.ErrNotFound) {
		t.Errorf("on an unknown commit: %v", err)
	}
}
