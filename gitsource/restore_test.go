package gitsource_test

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/sluice-cd/sluice/gitsource"
	"github.com/sluice-cd/sluice/gitsource/gittest"
)

func TestCommitsOfARange(t *testing.T) {
	srv := gittest.New(t)
	var line []string
	for i := range 4 {
		line = append(line, srv.Commit(t, "shop", gittest.Change{Files: files(1, fmt.Sprint(i)), Message: fmt.Sprintf("Change %d\n\nWhy.\n\nRefs: 1", i)}))
	}
	side := srv.Commit(t, "shop", gittest.Change{Branch: "side", Parent: line[1], Files: map[string]string{"side": "1"}, Message: "Side"})
	srv.Commit(t, "shop", gittest.Change{Branch: "side", Files: map[string]string{"side": "2"}, Message: "Side again"})
	srv.Import(t, "shop", []byte("commit "+main+"\ncommitter M <m@example.org> 1800000000 +0000\ndata 5\nMerge\nfrom "+line[3]+"\nmerge refs/heads/side\nM 644 inline side\ndata 1\n2\n"))
	merge := srv.Git(t, "shop", "rev-parse", main)
	other := srv.Commit(t, "shop", gittest.Change{Branch: "other", Orphan: true, Files: map[string]string{"other": "1"}})
	r := open(t, srv, "shop")
	fetch(t, r, "refs/heads/*")
	for name, in := range map[string]gitsource.Range{
		"All": {To: merge}, "FirstParents": {To: merge, FirstParent: true}, "Since": {From: line[1], To: merge},
		"SinceFirstParents": {From: line[1], To: merge, FirstParent: true}, "SinceSide": {From: side, To: merge},
		"SinceSideFirstParents": {From: side, To: merge, FirstParent: true}, "Nothing": {From: merge, To: line[2]},
		"Same": {From: merge, To: merge}, "Unrelated": {From: other, To: merge}, "Few": {From: line[0], To: merge, Limit: 2},
	} {
		args := []string{"rev-list", in.To}
		if in.From != "" {
			args = append(args, "^"+in.From)
		}
		if in.FirstParent {
			args = append(args, "--first-parent")
		}
		want := strings.Fields(srv.Git(t, "shop", args...))
		commits, n, err := r.Commits(t.Context(), in)
		if err != nil || n != len(want) {
			t.Errorf("%s: %d commits, %v, want %d", name, n, err, len(want))
		}
		if in.Limit > 0 {
			want = want[:in.Limit]
		}
		var got []string
		for _, c := range commits {
			got = append(got, c.Hash)
		}
		if diff := cmp.Diff(want, got, cmpopts.EquateEmpty()); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
	commits, _, err := r.Commits(t.Context(), gitsource.Range{From: line[2], To: line[3]})
	if err != nil || len(commits) != 1 || commits[0].Subject != "Change 3" || commits[0].Body() != "Why.\n\nRefs: 1" || commits[0].Author != "Test" {
		t.Errorf("Commits = %+v, %v", commits, err)
	}
	if _, _, err := r.Commits(t.Context(), gitsource.Range{From: strings.Repeat("1", 40), To: merge}); !errors.Is(err, gitsource.ErrNotFound) {
		t.Errorf("since an unknown commit: %v", err)
	}
}

func TestMergeBase(t *testing.T) {
	srv := gittest.New(t)
	root := srv.Commit(t, "shop", gittest.Change{Files: files(1, "root")})
	commit := func(parents ...string) string {
		args := []string{"commit-tree", "-m", "x" + fmt.Sprint(len(parents))}
		for _, p := range parents {
			args = append(args, "-p", p)
		}
		return srv.Git(t, "shop", append(args, root+"^{tree}")...)
	}
	a, b := srv.Commit(t, "shop", gittest.Change{Branch: "a", Parent: root, Files: files(1, "a")}), srv.Commit(t, "shop", gittest.Change{Branch: "b", Parent: root, Files: files(1, "b")})
	ab := commit(a, b)
	past := srv.Commit(t, "shop", gittest.Change{Branch: "past", Parent: ab, Files: files(1, "past"), Time: time.Unix(1_600_000_000, 0)})
	other := srv.Commit(t, "shop", gittest.Change{Branch: "other", Orphan: true, Files: map[string]string{"other": "1"}})
	cross1, cross2 := commit(a, b), commit(b, a)
	left, right := commit(cross1, cross2), commit(cross2)
	for name, hash := range map[string]string{"ab": ab, "past": past, "left": left, "right": right} {
		srv.Git(t, "shop", "update-ref", "refs/heads/"+name, hash)
	}
	r := open(t, srv, "shop")
	fetch(t, r, "refs/heads/*")
	for name, pair := range map[string][2]string{
		"Parted": {a, b}, "Ancestor": {a, ab}, "Descendant": {ab, root}, "Same": {b, b}, "Past": {past, b}, "PastAndItsParent": {past, ab},
		"Crossed": {left, right},
	} {
		want := srv.Git(t, "shop", "merge-base", pair[0], pair[1])
		if got, err := r.MergeBase(t.Context(), pair[0], pair[1]); err != nil || got != want {
			t.Errorf("%s: %q, %v, want %s", name, got, err, want)
		}
	}
	if got, err := r.MergeBase(t.Context(), other, ab); err != nil || got != "" {
		t.Errorf("nothing in common: %q, %v", got, err)
	}
}

// moved has a former revision and what became of it.
func moved(t *testing.T) (srv *gittest.Server, then, now string) {
	srv = gittest.New(t)
	then = srv.Commit(t, "shop", gittest.Change{
		Files: map[string]string{
			"chart/values.yaml": "1", "chart/templates/a.yaml": "a", "chart/templates/gone.yaml": "g", "base/x": "x", "other/file": "1",
			"file": "f", "folder/in": "i", "v1/kept": "1", "empty": "",
		},
		Programs: map[string]string{"hooks/run": "r"}, Links: map[string]string{"current": "v1", "over/link": "../base"},
		Submodules: map[string]string{"sub": strings.Repeat("2", 40)},
	})
	srv.Commit(t, "shop", gittest.Change{Delete: []string{"chart/templates/gone.yaml", "file", "folder", "sub", "empty", "base"}})
	now = srv.Commit(t, "shop", gittest.Change{
		Files: map[string]string{
			"chart/values.yaml": "2", "chart/templates/new/b.yaml": "b", "other/file": "2", "file/now": "a folder", "folder": "a file",
			"v1/kept": "2", "v2/kept": "2", "hooks/run": "r", "base": "a file",
		},
		Links: map[string]string{"current": "v2"},
	})
	return srv, then, now
}

func TestChangedPaths(t *testing.T) {
	srv, then, now := moved(t)
	r := open(t, srv, "shop")
	fetch(t, r, main)
	want := strings.Split(srv.Git(t, "shop", "diff-tree", "-r", "--no-renames", "--name-only", then, now), "\n")
	slices.Sort(want)
	for _, pair := range [][2]string{{then, now}, {now, then}} {
		got, err := r.ChangedPaths(t.Context(), pair[0], pair[1])
		if diff := cmp.Diff(want, got); err != nil || diff != "" {
			t.Errorf("ChangedPaths: %v (-want +got):\n%s", err, diff)
		}
	}
	if got, err := r.ChangedPaths(t.Context(), now, now); err != nil || len(got) != 0 {
		t.Errorf("a revision and itself: %q, %v", got, err)
	}
}

func TestRestore(t *testing.T) {
	for name, tc := range map[string]struct {
		reason string
		paths  []string
		same   []string // must be as then; "" where the path must be gone too
	}{
		"Folder":         {reason: "what is new in a folder goes, what went comes back", paths: []string{"chart"}, same: []string{"chart"}},
		"FilesOfAChart":  {reason: "and file by file", paths: []string{"chart/values.yaml", "chart/templates/gone.yaml", "chart/templates/new"}, same: []string{"chart"}},
		"FileForFolder":  {reason: "a file where a folder is now", paths: []string{"file"}, same: []string{"file"}},
		"FolderForFile":  {reason: "a folder where a file is now", paths: []string{"folder"}, same: []string{"folder"}},
		"BehindABarrier": {reason: "what a file is in the way of", paths: []string{"folder/in"}, same: []string{"folder"}},
		"Program":        {reason: "the mode alone", paths: []string{"hooks/run"}, same: []string{"hooks"}},
		"Link":           {reason: "a link and what it led to", paths: []string{"current/kept"}, same: []string{"current", "v1"}},
		"LinkBelow":      {reason: "a link to a folder above", paths: []string{"over/link/x"}, same: []string{"over", "base"}},
		"Submodule":      {reason: "the commit of a submodule", paths: []string{"sub"}, same: []string{"sub"}},
		"EmptyFile":      {reason: "no content is not no file", paths: []string{"empty"}, same: []string{"empty"}},
		"NeverThere":     {reason: "what was looked for in vain goes", paths: []string{"v2/kept", "nowhere"}, same: []string{"v2"}},
		"Everything":     {reason: "the whole tree", paths: []string{"."}, same: []string{""}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			srv, then, now := moved(t)
			r := open(t, srv, "shop", writesMain)
			fetch(t, r, main)
			files, err := r.Restore(t.Context(), now, then, tc.paths)
			if err != nil || len(files) == 0 {
				t.Fatalf("%s: Restore = %v, %v", tc.reason, files, err)
			}
			got, err := r.AppendCommit(t.Context(), gitsource.Change{Ref: main, Base: now, Files: files, Message: "Revert"})
			if err != nil || got.Result != gitsource.Pushed {
				t.Fatalf("%s: AppendCommit = %+v, %v", tc.reason, got, err)
			}
			at := func(rev, path string) string {
				if path == "" {
					return srv.Git(t, "shop", "rev-parse", rev+"^{tree}")
				}
				return srv.Git(t, "shop", "ls-tree", rev, path)
			}
			for _, path := range tc.same {
				if was, is := at(then, path), at(got.Commit, path); was != is {
					t.Errorf("%s: %q is\n%s\nand was\n%s", tc.reason, path, is, was)
				}
			}
			if name != "Everything" && at(now, "other") != at(got.Commit, "other") {
				t.Errorf("%s: another path changed", tc.reason)
			}
			fetch(t, r, main)
			if again, err := r.Restore(t.Context(), got.Commit, then, tc.paths); err != nil || len(again) != 0 {
				t.Errorf("%s: restored again: %v, %v", tc.reason, again, err)
			}
		})
	}
}
