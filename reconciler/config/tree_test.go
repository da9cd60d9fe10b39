package config_test

import (
	"errors"
	"fmt"
	"io/fs"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/google/go-cmp/cmp"

	"github.com/sluice-cd/sluice/reconciler/config"
)

// tree is files by path; a path that ends in / is a folder, a content "!" a file that cannot be opened.
func tree(files map[string]string) fs.FS {
	t := brokenFS{MapFS: fstest.MapFS{}, broken: map[string]bool{}}
	for name, content := range files {
		if folder, found := strings.CutSuffix(name, "/"); found {
			t.MapFS[folder] = &fstest.MapFile{Mode: fs.ModeDir | 0o755}
			continue
		}
		t.broken[name] = content == "!"
		t.MapFS[name] = &fstest.MapFile{Data: []byte(content), Mode: 0o644}
	}
	return t
}

// brokenFS has files that cannot be opened, as a link that leaves the tree is one.
type brokenFS struct {
	fstest.MapFS
	broken map[string]bool
}

func (b brokenFS) Open(name string) (fs.File, error) {
	if b.broken[name] {
		return nil, &fs.PathError{Op: "open", Path: name, Err: errors.New("the link leaves the tree")}
	}
	return b.MapFS.Open(name)
}

func (b brokenFS) Stat(name string) (fs.FileInfo, error) {
	f, err := b.Open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return f.Stat()
}

func app(name string) string {
	return "apiVersion: sluice.dev/v1alpha1\nkind: Application\nmetadata: {name: " + name + "}\nenvironments:\n" + block("production", "")
}

func monorepo(glob string) config.Repository {
	return config.Repository{Applications: &config.Discovery{Path: glob}}
}

func TestDiscover(t *testing.T) {
	files := map[string]string{
		"sluice.yaml": "", "apps/shop/sluice.yaml": "", "apps/web/sluice.yaml": "!", "apps/empty/": "", "apps/README": "",
		"apps/.hidden/sluice.yaml": "", "apps/deep/er/sluice.yaml": "", "apps/folder/sluice.yaml/x": "", "teams/a/shop/sluice.yaml": "",
		"teams/b/shop/sluice.yaml": "", "teams/b/other/x": "", "teams/c": "", "releases/x.yaml": "",
	}
	cases := map[string]struct {
		reason string
		repo   config.Repository
		want   []string
	}{
		"Root":     {"a single path", config.Repository{Path: "."}, []string{"."}},
		"Path":     {"a folder", config.Repository{Path: "apps/shop"}, []string{"apps/shop"}},
		"None":     {"no application is no error", config.Repository{Path: "apps"}, nil},
		"Absent":   {"nor is no folder", config.Repository{Path: "nowhere/at/all"}, nil},
		"Glob":     {"each folder with a file of the name, readable or not, hidden ones aside", monorepo("apps/*"), []string{"apps/folder", "apps/shop", "apps/web"}},
		"Hidden":   {"hidden folders where they are spelt out", monorepo("apps/.h*"), []string{"apps/.hidden"}},
		"Middle":   {"a * in the middle", monorepo("teams/*/shop"), []string{"teams/a/shop", "teams/b/shop"}},
		"Two":      {"a * stands for one folder", monorepo("*/*"), []string{"apps/folder", "apps/shop", "apps/web"}},
		"Three":    {"several *", monorepo("*/*/*"), []string{"apps/deep/er", "teams/a/shop", "teams/b/shop"}},
		"Partial":  {"a part of a name", monorepo("apps/sh?p"), []string{"apps/shop"}},
		"Literal":  {"a glob without *", monorepo("apps/shop"), []string{"apps/shop"}},
		"NoMatch":  {"nothing matches", monorepo("x*/*"), nil},
		"Nowhere":  {"below what is not there", monorepo("nowhere/*"), nil},
		"BelowOne": {"below what is a file", monorepo("apps/README/*"), nil},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			got, err := config.Discover(tree(files), c.repo)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(c.want, got); diff != "" {
				t.Errorf("%s (-want +got):\n%s", c.reason, diff)
			}
		})
	}
	many := map[string]string{}
	for i := range 10_001 {
		many[fmt.Sprintf("apps/%d/", i)] = ""
	}
	if _, err := config.Discover(tree(many), monorepo("apps/*")); err == nil || err.Error() != `discover applications in "apps/*": more than 10000 folders match` {
		t.Errorf("too many folders: %v", err)
	}
}

func TestLocate(t *testing.T) {
	files := map[string]string{
		"apps/shop/sluice.yaml": app("shop"), "apps/web/sluice.yaml": strings.Replace(app("web"), "Application", "Unknown", 1) + "x: [1]\n",
		"apps/broken/sluice.yaml": "{{{", "apps/twin/sluice.yaml": app("twin"), "apps/twin2/sluice.yaml": app("twin"), "apps/link/sluice.yaml": "!",
	}
	cases := map[string]struct {
		reason   string
		app, dir string
		was      []string
		want     string
		err      string
	}{
		"Present":   {"where it is today", "shop", "apps/shop", nil, "apps/shop", ""},
		"Moved":     {"where it was then, whatever else is in its file", "web", "services/web", nil, "apps/web", ""},
		"Taken":     {"its present folder was another's", "web", "apps/shop", nil, "apps/web", ""},
		"Renamed":   {"by an earlier name", "store", "apps/store", []string{"boutique", "shop"}, "apps/shop", ""},
		"InPlace":   {"by an earlier name where it is today", "store", "apps/shop", []string{"shop"}, "apps/shop", ""},
		"Nowhere":   {"not there at all", "store", "apps/store", nil, "", `there is no application "store"`},
		"Ambiguous": {"in two folders", "twin", "apps/x", nil, "", `application "twin" is in more than one folder: apps/twin, apps/twin2`},
		"Resolved":  {"in two folders, one of them the present one", "twin", "apps/twin2", nil, "apps/twin2", ""},
		"NoFolder":  {"no present folder", "shop", "", nil, "apps/shop", ""},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			got, err := config.Locate(tree(files), c.app, c.dir, monorepo("apps/*"), c.was...)
			if got != c.want || errorText(err) != c.err {
				t.Errorf("%s: got %q, %v", c.reason, got, err)
			}
		})
	}
	if _, err := config.Locate(tree(files), "store", ".", monorepo("apps/*")); !errors.Is(err, config.ErrNoApplication) {
		t.Errorf("not ErrNoApplication: %v", err)
	}
}

func TestLoad(t *testing.T) {
	files := tree(map[string]string{
		"a/sluice.yaml": app("shop"), "link/sluice.yaml": "!", "folder/sluice.yaml/x": "", "large/sluice.yaml": strings.Repeat("#", 1<<20+7),
	})
	got, faults := config.Load(files, "a")
	if faults.Err() != nil || got.Metadata.Name != "shop" || got.Environments[0].State != config.Present {
		t.Fatalf("load: %+v, %v", got, faults)
	}
	for dir, want := range map[string]string{
		"link":   "link/sluice.yaml: cannot be read: the link leaves the tree",
		"none":   "none/sluice.yaml: cannot be read: file does not exist",
		"folder": "folder/sluice.yaml: cannot be read: is not a file",
		"large":  "large/sluice.yaml: is larger than 1 MiB",
	} {
		got, faults := config.Load(files, dir)
		if got != nil || !strings.HasPrefix(errorText(faults.For("any").Err()), want) {
			t.Errorf("%s: got %+v, %v", dir, got, faults)
		}
		if _, err := config.LoadSource(files, dir, "production"); !strings.HasPrefix(errorText(err), want) {
			t.Errorf("source of %s: %v", dir, err)
		}
	}
	if _, faults := config.Load(files, "none"); !errors.Is(faults.Err(), fs.ErrNotExist) {
		t.Error("a file that is not there is not fs.ErrNotExist")
	}
	if source, err := config.LoadSource(files, "a", "production"); err != nil || source.Kustomize.Path != "x" {
		t.Errorf("source: %+v, %v", source, err)
	}
}

func TestLoadRelease(t *testing.T) {
	files := tree(map[string]string{
		"a/releases/production.yaml": "paused: true\n", "a/releases/old.yaml": "retry: 7\n", "a/releases/older.yaml": "retry: 8\n",
		"a/releases/bad.yaml": "revision: main\n", "a/releases/link.yaml": "!", "a/releases/empty.yaml": "",
	})
	cases := map[string]struct {
		reason      string
		environment string
		was         []string
		want        config.Release
		path        string
		err         string
	}{
		"Present": {"its own file", "production", []string{"old"}, config.Release{Paused: true}, "a/releases/production.yaml", ""},
		"Missing": {"none is the zero value", "staging", nil, config.Release{}, "", ""},
		"Was":     {"the first of the earlier names that is there", "staging", []string{"x", "old", "older"}, config.Release{Retry: 7}, "a/releases/old.yaml", ""},
		"Empty":   {"an empty file counts as there", "empty", []string{"old"}, config.Release{}, "a/releases/empty.yaml", ""},
		"Bad":     {"a bad file is not passed over", "bad", []string{"old"}, config.Release{}, "a/releases/bad.yaml", `a/releases/bad.yaml: line 1: revision: must be a full commit hash, 40 (SHA-256: 64) lower case hexadecimal digits (got "main")`},
		"Link":    {"nor is one that cannot be read", "link", []string{"old"}, config.Release{}, "a/releases/link.yaml", "a/releases/link.yaml: cannot be read: the link leaves the tree"},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			got, path, err := config.LoadRelease(files, "a", c.environment, c.was)
			if diff := cmp.Diff(c.want, got); diff != "" || path != c.path || errorText(err) != c.err {
				t.Errorf("%s: %s %q %v", c.reason, diff, path, err)
			}
		})
	}
}
