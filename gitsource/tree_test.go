package gitsource_test

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/google/go-cmp/cmp"

	"github.com/sluice-cd/sluice/gitsource"
	"github.com/sluice-cd/sluice/gitsource/gittest"
)

const pointer = "version https://git-lfs.github.com/spec/v1\noid sha256:4d7a214614ab2935c943f9e0ff69d22eadbb8f32b1258daaa5e2ca24d17e2393\nsize 12345\n"

func TestTreeIsAFileSystem(t *testing.T) {
	srv := gittest.New(t)
	tip := srv.Commit(t, "shop", gittest.Change{
		Files:    map[string]string{"sluice.yaml": "a", "deploy/base/kustomization.yaml": "b", "deploy/empty.yaml": ""},
		Programs: map[string]string{"bin/run": "#!/bin/sh\n"},
	})
	r := open(t, srv, "shop")
	fetch(t, r, main)
	tr := tree(t, r, tip)
	if err := fstest.TestFS(tr, "sluice.yaml", "deploy/base/kustomization.yaml", "deploy/empty.yaml", "bin/run"); err != nil {
		t.Error(err)
	}
	info, err := tr.Stat("bin/run")
	if err != nil || info.Mode() != 0o755 || info.Size() != 10 {
		t.Errorf("Stat = %v, %v", info, err)
	}
	if tr.Revision() != tip {
		t.Errorf("Revision = %q, want %q", tr.Revision(), tip)
	}
}

func TestLesson31_SymbolicLinks(t *testing.T) {
	srv := gittest.New(t)
	tip := srv.Commit(t, "shop", gittest.Change{
		Files: map[string]string{"base/values.yaml": "values", "deep/down/here/file": "deep"},
		Links: map[string]string{
			"deploy/values.yaml":    "../base/values.yaml",
			"deploy/base":           "../base",
			"deploy/chain":          "base/values.yaml",
			"deploy/through":        "down/../../../base/values.yaml",
			"deploy/down":           "../deep/down/here",
			"deploy/dangling":       "nowhere",
			"deploy/loop":           "loop",
			"deploy/out":            "../../etc/passwd",
			"deploy/absolute":       "/etc/passwd",
			"deploy/sneaky":         "top/../base",
			"deploy/top":            "..",
			"out-and-in-by-name":    "../shop/base/values.yaml",
			"deploy/behind-a-link":  "down/../../../../etc/passwd",
			"deploy/file-as-folder": "../base/values.yaml/x",
		},
		Submodules: map[string]string{"vendor/lib": strings.Repeat("1", 40)},
	})
	r := open(t, srv, "shop")
	fetch(t, r, main)
	tr := tree(t, r, tip)
	cases := map[string]struct {
		reason string
		path   string
		want   string
		err    error
		names  string
	}{
		"ToAFile":       {reason: "a link inside is followed", path: "deploy/values.yaml", want: "values"},
		"ToAFolder":     {reason: "as part of a path too", path: "deploy/base/values.yaml", want: "values"},
		"Chain":         {reason: "link after link", path: "deploy/chain", want: "values"},
		"ThroughALink":  {reason: "'..' goes up from where a link really leads", path: "deploy/through", want: "values"},
		"Dangling":      {reason: "a link to nothing is nothing", path: "deploy/dangling", err: fs.ErrNotExist},
		"FileAsFolder":  {reason: "there is nothing below a file", path: "deploy/file-as-folder", err: fs.ErrNotExist},
		"Out":           {reason: "a link that leaves is named", path: "deploy/out", err: gitsource.ErrOutside, names: `"deploy/out" -> "../../etc/passwd"`},
		"Absolute":      {reason: "an absolute link leaves", path: "deploy/absolute", err: gitsource.ErrOutside, names: `"deploy/absolute"`},
		"Sneaky":        {reason: "'..' behind a link to the root leaves", path: "deploy/sneaky", err: gitsource.ErrOutside},
		"OutAndIn":      {reason: "leaving to come back by the folder's name is leaving", path: "out-and-in-by-name", err: gitsource.ErrOutside},
		"BehindALink":   {reason: "three folders deep, four up", path: "deploy/behind-a-link", err: gitsource.ErrOutside, names: `"deploy/down"`},
		"Submodule":     {reason: "a submodule is said to be one", path: "vendor/lib", err: gitsource.ErrSubmodule, names: "vendor/lib"},
		"InSubmodule":   {reason: "also where something in it is wanted", path: "vendor/lib/x.yaml", err: gitsource.ErrSubmodule, names: "vendor/lib"},
		"DotDotInAPath": {reason: "fs.FS knows no '..'", path: "deploy/../base/values.yaml", err: fs.ErrInvalid},
		"AbsolutePath":  {reason: "nor absolute paths", path: "/base/values.yaml", err: fs.ErrInvalid},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			b, err := tr.ReadFile(tc.path)
			if !errors.Is(err, tc.err) || err != nil && !strings.Contains(err.Error(), tc.names) {
				t.Fatalf("%s: got %v, want %v that names %s", tc.reason, err, tc.err, tc.names)
			}
			if string(b) != tc.want {
				t.Errorf("%s: got %q, want %q", tc.reason, b, tc.want)
			}
			object, errObject := tr.Object(tc.path)
			if !errors.Is(errObject, tc.err) || err == nil && object != mustObject(t, tr, "base/values.yaml") {
				t.Errorf("%s: Object = %q, %v", tc.reason, object, errObject)
			}
		})
	}
	if _, err := tr.ReadFile("deploy/loop"); err == nil || !strings.Contains(err.Error(), "too many symbolic links") {
		t.Errorf("a link to itself: %v", err)
	}
	entries, err := tr.ReadDir("deploy/base")
	if err != nil || len(entries) != 1 || entries[0].Name() != "values.yaml" {
		t.Errorf("ReadDir through a link = %v, %v", entries, err)
	}
	if target, err := tr.ReadLink("deploy/absolute"); err != nil || target != "/etc/passwd" {
		t.Errorf("ReadLink = %q, %v", target, err)
	}
	if info, err := tr.Lstat("deploy/base"); err != nil || info.Mode().Type() != fs.ModeSymlink {
		t.Errorf("Lstat = %v, %v", info, err)
	}
}

func mustObject(t testing.TB, tr *gitsource.Tree, name string) string {
	t.Helper()
	h, err := tr.Object(name)
	if err != nil {
		t.Fatal(err)
	}
	return h
}

func TestObjectsAreGits(t *testing.T) {
	srv := gittest.New(t)
	first := srv.Commit(t, "shop", gittest.Change{Files: files(60, "text")})
	second := srv.Commit(t, "shop", gittest.Change{Files: map[string]string{"dir01/file0001.yaml": "changed"}})
	r := open(t, srv, "shop")
	fetch(t, r, main)
	old, now := tree(t, r, first), tree(t, r, second)
	for _, path := range []string{"dir00", "dir01", "dir01/file0001.yaml", "dir02/file0002.yaml"} {
		if got, want := mustObject(t, now, path), srv.Git(t, "shop", "rev-parse", second+":"+path); got != want {
			t.Errorf("Object(%q) = %q, git says %q", path, got, want)
		}
		changed := strings.HasPrefix(path, "dir01")
		if (mustObject(t, now, path) != mustObject(t, old, path)) != changed {
			t.Errorf("Object(%q): changed is not %v", path, changed)
		}
	}
	if got, want := mustObject(t, now, "."), srv.Git(t, "shop", "rev-parse", second+"^{tree}"); got != want {
		t.Errorf("Object(.) = %q, git says %q", got, want)
	}
	if _, err := now.Object("dir01/none"); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("Object of nothing: %v", err)
	}
	for _, bad := range []string{"", "main", "HEAD", first[:12], strings.ToUpper(first), strings.Repeat("0", 40)} {
		if _, err := r.Tree(bad); err == nil {
			t.Errorf("Tree(%q): no error", bad)
		}
	}
	if _, err := r.Tree(mustObject(t, now, ".")); !errors.Is(err, gitsource.ErrNotFound) {
		t.Errorf("Tree of something that is no commit: %v", err)
	}
}

func TestLargeFilesAreStreamed(t *testing.T) {
	srv := gittest.New(t)
	big := strings.Repeat("0123456789abcdef", 1<<16)
	first := srv.Commit(t, "shop", gittest.Change{Files: map[string]string{"big.bin": big, "x": "y"}})
	second := srv.Commit(t, "shop", gittest.Change{Files: map[string]string{"big.bin": big + "more"}})
	for name, limit := range map[string]int64{"Streamed": 1000, "Whole": 1 << 30} {
		t.Run(name, func(t *testing.T) {
			r := open(t, srv, "shop", func(c *gitsource.Config) { c.LargeObject = limit })
			fetch(t, r, main)
			for revision, want := range map[string]string{first: big, second: big + "more"} {
				f, err := tree(t, r, revision).Open("big.bin")
				if err != nil {
					t.Fatal(err)
				}
				got, err := io.ReadAll(f)
				if err != nil || string(got) != want {
					t.Errorf("read %d of %d bytes: %v", len(got), len(want), err)
				}
				if err := f.Close(); err != nil {
					t.Error(err)
				}
				if info, err := f.Stat(); err != nil || info.Size() != int64(len(want)) {
					t.Errorf("Stat = %v, %v", info, err)
				}
			}
		})
	}
}

func TestIsLFSPointer(t *testing.T) {
	cases := map[string]struct {
		content string
		want    bool
	}{
		"Pointer":     {pointer, true},
		"YAML":        {"version: 1\n", false},
		"Empty":       {"", false},
		"OnlyTheHead": {"version https://git-lfs.github.com/spec/v1\n", false},
		"TooLong":     {pointer + strings.Repeat("x", 1024), false},
	}
	for name, tc := range cases {
		if got := gitsource.IsLFSPointer([]byte(tc.content)); got != tc.want {
			t.Errorf("%s: IsLFSPointer = %v", name, got)
		}
	}
}

func TestHistory(t *testing.T) {
	srv := gittest.New(t)
	var main5 []string
	for i := range 5 {
		main5 = append(main5, srv.Commit(t, "shop", gittest.Change{Files: files(1, fmt.Sprint(i)), Message: fmt.Sprintf("Change %d\n\nWhy.", i)}))
	}
	side := srv.Commit(t, "shop", gittest.Change{Branch: "side", Parent: main5[2], Files: map[string]string{"side": "1"}})
	other := srv.Commit(t, "shop", gittest.Change{Branch: "other", Orphan: true, Files: map[string]string{"other": "1"}})
	merge := srv.Git(t, "shop", "commit-tree", "-p", main5[4], "-p", side, "-m", "merge", main5[4]+"^{tree}")
	srv.Git(t, "shop", "update-ref", main, merge)
	// A commit from the future below one of the past: clocks are no help.
	future := srv.Git(t, "shop", "commit-tree", "-p", side, "-m", "future", side+"^{tree}")
	srv.Git(t, "shop", "update-ref", "refs/heads/future", future)
	r := open(t, srv, "shop")
	fetch(t, r, "refs/heads/*")

	cases := map[string]struct {
		ancestor, of string
		want         bool
	}{
		"Itself":         {main5[1], main5[1], true},
		"Parent":         {main5[3], main5[4], true},
		"Root":           {main5[0], merge, true},
		"Reverse":        {main5[4], main5[0], false},
		"ThroughAMerge":  {side, merge, true},
		"SideBranch":     {side, main5[4], false},
		"MainFromSide":   {main5[3], side, false},
		"OtherHistory":   {other, merge, false},
		"OfOtherHistory": {main5[0], other, false},
		"FromTheFuture":  {side, future, true},
		"NotTheFuture":   {future, merge, false},
	}
	for name, tc := range cases {
		if got, err := r.IsAncestor(t.Context(), tc.ancestor, tc.of); err != nil || got != tc.want {
			t.Errorf("%s: IsAncestor = %v, %v", name, got, err)
		}
	}
	if _, err := r.IsAncestor(t.Context(), strings.Repeat("1", 40), merge); !errors.Is(err, gitsource.ErrNotFound) {
		t.Errorf("IsAncestor of an unknown commit: %v", err)
	}
	if p, ok, err := r.FirstParent(merge); p != main5[4] || !ok || err != nil {
		t.Errorf("FirstParent = %q, %v, %v", p, ok, err)
	}
	if p, ok, err := r.FirstParent(main5[0]); p != "" || ok || err != nil {
		t.Errorf("FirstParent of the root = %q, %v, %v", p, ok, err)
	}
	c, err := r.Commit(main5[3])
	if err != nil {
		t.Fatal(err)
	}
	want := gitsource.Commit{
		Hash: main5[3], Tree: srv.Git(t, "shop", "rev-parse", main5[3]+"^{tree}"), Parents: []string{main5[2]},
		Author: "Test", Email: "test@example.org", Subject: "Change 3", Message: "Change 3\n\nWhy.", Time: c.Time,
	}
	if diff := cmp.Diff(want, c); diff != "" || c.Time.Unix() != 1_700_000_000+60*4 {
		t.Errorf("Commit at %s (-want +got):\n%s", c.Time, diff)
	}
}

// BenchmarkObject is what each of hundreds of applications costs after a push that touched others.
func BenchmarkObject(b *testing.B) {
	srv := gittest.New(b)
	tip := srv.Commit(b, "shop", gittest.Change{Files: files(2000, "text")})
	r := open(b, srv, "shop")
	fetch(b, r, main)
	tr := tree(b, r, tip)
	for b.Loop() {
		if _, err := tr.Object("dir05/file0005.yaml"); err != nil {
			b.Fatal(err)
		}
	}
}
