package kustomize

import (
	"bytes"
	"context"
	"encoding/json"
	"os"
	"path"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	"sigs.k8s.io/kustomize/api/krusty"
	"sigs.k8s.io/kustomize/api/types"
	"sigs.k8s.io/kustomize/kyaml/filesys"

	"github.com/sluice-cd/sluice/render/manifest"
)

// TestSameAsKustomize holds the objects against a build of the library itself from disk.
func TestSameAsKustomize(t *testing.T) {
	for name, dir := range map[string]string{
		"kustomize": "apps/shop/deploy/overlays/staging", "kustomize-origin-asked": ".", "kustomize-fields": "overlay",
	} {
		t.Run(name, func(t *testing.T) {
			input := path.Join("../testdata", name, "input")
			objects, err := Build(context.Background(), Input{Tree: os.DirFS(input), Dir: dir})
			if err != nil {
				t.Fatal(err)
			}
			options := krusty.MakeDefaultOptions()
			options.LoadRestrictions = types.LoadRestrictionsNone
			built, err := krusty.MakeKustomizer(options).Run(filesys.MakeFsOnDisk(), path.Join(input, dir))
			if err != nil {
				t.Fatal(err)
			}
			text, err := built.AsYaml()
			if err != nil {
				t.Fatal(err)
			}
			// The program knows its version by how it was built, the library in a test does not.
			text = bytes.ReplaceAll(text, []byte("kustomize-(devel)"), []byte(managedBy))
			theirs, err := manifest.Parse("all.yaml", text, manifest.Strict)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(canonical(t, theirs), canonical(t, objects)); diff != "" {
				t.Errorf("(-kustomize +ours):\n%s", diff)
			}
		})
	}
}

func canonical(t *testing.T, objects []manifest.Object) []string {
	t.Helper()
	var all []string
	for _, o := range objects {
		raw, err := json.Marshal(o.Object)
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, string(raw))
	}
	slices.Sort(all)
	return all
}

func TestRemote(t *testing.T) {
	tests := map[string]struct {
		reason string
		refs   []string
		want   bool
	}{
		"Paths": {"what people write for files", []string{"a.yaml", "../base", "./x", "a/b c.yaml", "dir/", "v1.2/base", "git/repo", "gh.yaml"}, false},
		"URLs": {"any scheme", []string{"http://example.org/a", "HTTPS://example.org/a", "file:///etc/passwd", "ssh://git@example.org/x",
			"git::https://example.org/x", "oci://example.org/x", "s3::x"}, true},
		"Git": {"as git writes them, and as the library guesses", []string{"git@example.org:a/b", "user@host:x", "host:x", "github.com/a/b",
			"GitHub.com/a/b", "github.com:a/b", "example.org/a/b?ref=main", "org@host/a/b"}, true},
		"Inline": {"a document that begins like a repository goes to git as well", []string{"git@example.org:a/b: x\nkind: A\n", "https://x\na: b"}, true},
		"YAML":   {"a document", []string{"apiVersion: builtin\nkind: A\n", "- op: add\n  value: https://example.org\n"}, false},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			for _, ref := range tc.refs {
				if got := remote(ref); got != tc.want {
					t.Errorf("remote(%q) = %v: %s", ref, got, tc.reason)
				}
			}
		})
	}
}

func TestFileSystemIsReadOnly(t *testing.T) {
	disk := &fileSystem{ctx: context.Background(), tree: os.DirFS(t.TempDir())}
	_, created := disk.Create("/a")
	_, opened := disk.Open("/a")
	for what, err := range map[string]error{
		"create": created, "open": opened, "mkdir": disk.Mkdir("/a"), "mkdirall": disk.MkdirAll("/a"),
		"remove": disk.RemoveAll("/"), "write": disk.WriteFile("/a", nil),
	} {
		if err == nil {
			t.Errorf("%s is allowed", what)
		}
	}
}

func TestBuildEndsWithItsContext(t *testing.T) {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	_, err := Build(ctx, Input{Tree: os.DirFS("../testdata/kustomize/input"), Dir: "base"})
	if diff := cmp.Diff(context.Canceled.Error(), err.Error()); diff != "" {
		t.Error(diff)
	}
}
