package gitsource_test

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/sluice-cd/sluice/gitsource"
	"github.com/sluice-cd/sluice/gitsource/gittest"
)

const (
	promote = "refs/heads/sluice/promote/shop/production"
	pin     = "releases/production.yaml"
)

// writesMain is for an environment that promotes by commit.
func writesMain(c *gitsource.Config) {
	c.Writes = []string{gitsource.NotesPrefix + "*", gitsource.BranchPrefix + "*", main}
}

// hook puts a script in the place of the server's pre-receive hook. Each line of its input is "old new ref".
func hook(t testing.TB, srv *gittest.Server, script string) {
	t.Helper()
	path := filepath.Join(srv.Path("shop"), "hooks", "pre-receive")
	if err := os.WriteFile(path, []byte("#!/bin/sh\n"+script+"\n"), 0o700); err != nil {
		t.Fatal(err)
	}
}

func changeTo(base, text string) gitsource.Change {
	return gitsource.Change{Ref: main, Base: base, Files: gitsource.Files{pin: {Content: []byte(text)}}, Message: "Release"}
}

func branchOnto(old, onto, text string) gitsource.Branch {
	return gitsource.Branch{
		Ref: promote, Old: old, Onto: onto, Files: gitsource.Files{pin: {Content: []byte(text)}}, Message: "Promote shop",
		Time: time.Unix(1_700_000_000, 0),
	}
}

func TestAppendCommit(t *testing.T) {
	for name, way := range ways {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			srv := gittest.New(t, func(c *gittest.Config) { c.Old = way.old })
			base := srv.Commit(t, "shop", gittest.Change{
				Files: map[string]string{"a/b/gone": "x", "a/kept": "x", "file": "x", "folder/x": "x"}, Programs: map[string]string{"run": "x"},
				Links: map[string]string{"link": "file"},
			})
			other := srv.Commit(t, "shop", gittest.Change{Branch: "other", Parent: base})
			change := []func(*gitsource.Config){writesMain}
			if way.ssh {
				change = append(change, func(c *gitsource.Config) { overSSH(srv, "shop")(c) })
			}
			r := open(t, srv, "shop", change...)
			fetch(t, r, "refs/heads/*")
			got, err := r.AppendCommit(t.Context(), gitsource.Change{
				Ref: main, Base: base, Message: "Move things\n\nWhy.\n\n", Parents: []string{other}, Files: gitsource.Files{
					"a/b/gone": {}, "run": {Content: []byte("y")}, "new/one": {Content: []byte{}}, "program": {Content: []byte("p"), Mode: 0o755},
					"folder": {Content: []byte("now a file")}, "folder/x": {}, "file": {}, "file/below": {Content: []byte("z")},
					"link": {Content: []byte("run"), Mode: fs.ModeSymlink}, "never/was": {},
				},
			})
			if err != nil || got.Result != gitsource.Pushed {
				t.Fatalf("AppendCommit = %+v, %v", got, err)
			}
			want := "120000 link\n100644 a/kept\n100644 file/below\n100644 folder\n100644 new/one\n100755 program\n100755 run"
			list := srv.Git(t, "shop", "ls-tree", "-r", "--format=%(objectmode) %(path)", main)
			if diff := cmp.Diff(strings.Split(want, "\n"), strings.Split(list, "\n"), cmpopts.SortSlices(strings.Compare)); diff != "" {
				t.Errorf("files (-want +got):\n%s", diff)
			}
			if tip := srv.Git(t, "shop", "log", "-1", "--format=%H|%P|%an|%B", main); tip != fmt.Sprintf("%s|%s %s|Sluice|Move things\n\nWhy.\n", got.Commit, base, other) {
				t.Errorf("the commit is %q", tip)
			}
			if text := srv.Git(t, "shop", "show", main+":run"); text != "y" {
				t.Errorf("run = %q", text)
			}
			srv.Git(t, "shop", "fsck", "--strict")
			fetch(t, r, main)
			again, err := r.AppendCommit(t.Context(), gitsource.Change{
				Ref: main, Base: got.Commit, Message: "Again", Files: gitsource.Files{"run": {Content: []byte("y")}, "file/nothing": {}},
			})
			if err != nil || again.Result != gitsource.Unchanged || again.Commit != got.Commit {
				t.Errorf("equal files: %+v, %v", again, err)
			}
		})
	}
}

func TestAppendCommitMakesABranch(t *testing.T) {
	srv := gittest.New(t)
	r := open(t, srv, "ledger", writesMain)
	if err := srv.Create("ledger"); err != nil {
		t.Fatal(err)
	}
	got, err := r.AppendCommit(t.Context(), changeTo("", "revision: 1\n"))
	if err != nil || got.Result != gitsource.Pushed {
		t.Fatalf("AppendCommit = %+v, %v", got, err)
	}
	if _, err := r.AppendCommit(t.Context(), changeTo("", "revision: 2\n")); !errors.Is(err, gitsource.ErrRace) {
		t.Errorf("a branch that exists already: %v", err)
	}
	if text := srv.Git(t, "ledger", "show", main+":"+pin); text != "revision: 1" {
		t.Errorf("the file is %q", text)
	}
}

func TestFilesThatCannotBeWritten(t *testing.T) {
	srv := gittest.New(t)
	base := srv.Commit(t, "shop", gittest.Change{Files: map[string]string{"dir/x": "x", "file": "x"}, Links: map[string]string{"link": "dir"}})
	r := open(t, srv, "shop", writesMain)
	fetch(t, r, main)
	for path, reason := range map[string]string{
		"/abs": "absolute", "a/../b": "leaves", ".": "the root", ".git/config": "Git's own", "a/.GIT/hooks": "the same to other systems",
		"dir": "a folder", "file/below": "a file above", "link": "a link", "link/below": "a link above", "a\nb": "a line break",
	} {
		c := changeTo(base, "x")
		c.Files = gitsource.Files{path: {Content: []byte("x")}}
		if got, err := r.AppendCommit(t.Context(), c); err == nil || !strings.Contains(err.Error(), "path") {
			t.Errorf("%q, %s: %+v, %v", path, reason, got, err)
		}
	}
	if n := srv.Requests()[gittest.Push].Requests; n != 0 {
		t.Errorf("%d pushes", n)
	}
}

func TestPublishMovesOneBranch(t *testing.T) {
	srv := gittest.New(t)
	base := srv.Commit(t, "shop", gittest.Change{Files: files(3, "a")})
	r := open(t, srv, "shop")
	fetch(t, r, main)
	published := func(b gitsource.Branch, want gitsource.WriteResult) string {
		t.Helper()
		got, err := r.Publish(t.Context(), b)
		if err != nil || got.Result != want {
			t.Fatalf("Publish = %+v, %v; want %s", got, err, want)
		}
		return got.Commit
	}
	one := published(branchOnto("", base, "revision: 1\n"), gitsource.Pushed)
	srv.ResetRequests()
	if again := published(branchOnto(one, base, "revision: 1\n"), gitsource.Present); again != one || len(srv.Requests()) != 0 {
		t.Errorf("the same again is %s after %s, with %v", again, one, srv.Requests())
	}
	if again := published(branchOnto("", base, "revision: 1\n"), gitsource.Present); again != one {
		t.Errorf("the same by an agent that forgot is %s after %s", again, one)
	}
	tip := srv.Commit(t, "shop", gittest.Change{Files: files(3, "b")})
	fetch(t, r, main)
	two := published(branchOnto(one, tip, "revision: 2\n"), gitsource.Pushed)
	if got := srv.Git(t, "shop", "rev-list", promote, "^"+main); got != two {
		t.Errorf("commits on top of main: %q, want %s", got, two)
	}
	if got := srv.Git(t, "shop", "rev-parse", promote+"^"); got != tip {
		t.Errorf("the branch is on %s, want %s", got, tip)
	}
	srv.Commit(t, "shop", gittest.Change{Branch: "sluice/promote/shop/production", Files: map[string]string{"mine": "x"}, Message: "By a person"})
	if _, err := r.Publish(t.Context(), branchOnto(two, tip, "revision: 3\n")); !errors.Is(err, gitsource.ErrRace) {
		t.Errorf("a foreign commit was overwritten: %v", err)
	}
	if err := r.Remove(t.Context(), gitsource.Removal{Ref: promote, Old: two}); !errors.Is(err, gitsource.ErrRace) {
		t.Errorf("a foreign commit was removed: %v", err)
	}
	if err := r.Remove(t.Context(), gitsource.Removal{Ref: promote, Old: srv.Git(t, "shop", "rev-parse", promote)}); err != nil {
		t.Error(err)
	}
	if err := r.Remove(t.Context(), gitsource.Removal{Ref: promote, Old: two}); err != nil {
		t.Errorf("a branch that is gone: %v", err)
	}
	if refs, err := r.Refs(t.Context(), gitsource.BranchPrefix, gitsource.NotesPrefix); err != nil || len(refs) != 0 {
		t.Errorf("refs = %v, %v", refs, err)
	}
	same := branchOnto("", tip, "")
	same.Files = gitsource.Files{"dir00/file0000.yaml": {Content: []byte("b 0\n")}}
	published(same, gitsource.Unchanged)
}

func TestOnlyListedBranchesAreWritten(t *testing.T) {
	srv := gittest.New(t)
	base := srv.Commit(t, "shop", gittest.Change{Files: files(1, "x")})
	r := open(t, srv, "shop")
	fetch(t, r, main)
	none := open(t, srv, "shop", func(c *gitsource.Config) { c.Writes = []string{} })
	srv.ResetRequests()
	to := func(ref string) gitsource.Change { c := changeTo(base, "x"); c.Ref = ref; return c }
	at := func(ref string) gitsource.Branch { b := branchOnto("", base, "x"); b.Ref = ref; return b }
	for name, move := range map[string]gitsource.Move{
		"polled": to(main), "tag": to("refs/tags/sluice/x"), "notes": to("refs/notes/sluice/x"), "above": to("refs/heads/sluice"),
		"up": to("refs/heads/sluice/../main"), "forced": at(main), "removed": gitsource.Removal{Ref: main, Old: base},
	} {
		if _, err := r.Push(t.Context(), gitsource.Push{Moves: []gitsource.Move{at(promote), move}}); !errors.Is(err, gitsource.ErrForbiddenRef) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := none.Publish(t.Context(), at(promote)); !errors.Is(err, gitsource.ErrForbiddenRef) {
		t.Errorf("nothing may be written: %v", err)
	}
	if _, err := none.AppendNotes(t.Context(), notes, map[string][]string{base: {"x"}}, nil); !errors.Is(err, gitsource.ErrForbiddenRef) {
		t.Errorf("no notes may be written: %v", err)
	}
	if len(srv.Requests()) != 0 {
		t.Errorf("the server was asked: %v", srv.Requests())
	}
}

func TestLesson24_CommitsRace(t *testing.T) {
	srv := gittest.New(t)
	base := srv.Commit(t, "shop", gittest.Change{Files: files(1, "x")})
	const agents = 5
	results := make([]error, agents)
	var all sync.WaitGroup
	for i := range agents {
		r := open(t, srv, "shop", writesMain)
		fetch(t, r, main)
		all.Go(func() {
			_, results[i] = r.AppendCommit(t.Context(), changeTo(base, fmt.Sprintf("agent %d\n", i)))
		})
	}
	all.Wait()
	won := 0
	for _, err := range results {
		if err == nil {
			won++
		} else if !errors.Is(err, gitsource.ErrRace) || !strings.Contains(err.Error(), "was to be at "+base) {
			t.Error(err)
		}
	}
	if n := srv.Git(t, "shop", "rev-list", "--count", main); won != 1 || n != "2" {
		t.Errorf("%d of %d won; %s commits", won, agents, n)
	}
}

// TestPublishSendsLittle guards against walking, sending or asking for the history.
func TestPublishSendsLittle(t *testing.T) {
	srv := gittest.New(t)
	base := srv.Commit(t, "shop", gittest.Change{Files: files(2000, "text")})
	srv.AddRefs(t, "shop", pulls(2000, base))
	r := open(t, srv, "shop")
	fetch(t, r, main)
	first, err := r.Publish(t.Context(), branchOnto("", base, "1"))
	if err != nil {
		t.Fatal(err)
	}
	srv.ResetRequests()
	if _, err := r.Publish(t.Context(), branchOnto(first.Commit, base, "2")); err != nil {
		t.Fatal(err)
	}
	got := srv.Requests()
	if diff := cmp.Diff(map[string]gittest.Count{gittest.Push: {Requests: 1}}, got, ignoreBytes); diff != "" {
		t.Errorf("requests of one branch (-want +got):\n%s", diff)
	}
	if got[gittest.Push].In > 2000 || got[gittest.Push].Out > 500 {
		t.Errorf("one branch cost %+v", got)
	}
}
