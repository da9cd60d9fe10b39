package promote

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/sluice-cd/sluice/reconciler/config"
	"github.com/sluice-cd/sluice/reconciler/elsewhere"
	"github.com/sluice-cd/sluice/render"
)

// TestALockIsRestoredForItsCharts: a chart from elsewhere is no file that could be written back; what says which it is, is.
func TestALockIsRestoredForItsCharts(t *testing.T) {
	var packed bytes.Buffer
	zipped := gzip.NewWriter(&packed)
	w := tar.NewWriter(zipped)
	for name, text := range map[string]string{
		"web/Chart.yaml": "apiVersion: v2\nname: web\nversion: 1.2.0\n", "web/templates/a.yaml": "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: web}\n",
	} {
		if err := w.WriteHeader(&tar.Header{Name: name, Mode: 0o644, Size: int64(len(text)), Typeflag: tar.TypeReg}); err != nil {
			t.Fatal(err)
		}
		if _, err := w.Write([]byte(text)); err != nil {
			t.Fatal(err)
		}
	}
	if err := errors.Join(w.Close(), zipped.Close()); err != nil {
		t.Fatal(err)
	}
	sum := sha256.Sum256(packed.Bytes())
	lock, err := config.Lock{Charts: []config.Locked{{
		Repository: "oci://registry.example.com/charts", Chart: "web", Version: "^1.2", Resolved: "1.2.0", URL: "oci://registry.example.com/charts/web",
		Digest: "sha256:" + hex.EncodeToString(sum[:]),
	}}}.Text()
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	for name, text := range map[string]string{"apps/shop/sluice.lock": string(lock), "apps/shop/values.yaml": "a: b\n"} {
		file := filepath.Join(dir, name)
		if err := errors.Join(os.MkdirAll(filepath.Dir(file), 0o755), os.WriteFile(file, []byte(text), 0o644)); err != nil {
			t.Fatal(err)
		}
	}
	tree, err := render.DirTree(dir)
	if err != nil {
		t.Fatal(err)
	}
	over := elsewhere.Over(tree, func(config.Locked) ([]byte, error) { return packed.Bytes(), nil })
	made, err := render.Render(t.Context(), over, render.Request{
		Dir: "apps/shop", Application: "shop", Environment: "staging", Namespace: "shop",
		Source: render.Source{Helm: &render.Helm{Chart: "web", Repository: "oci://registry.example.com/charts", Version: "^1.2", Values: []string{"values.yaml"}}},
	})
	if err != nil {
		t.Fatal(err)
	}
	files := written(made.Trace)
	slices.Sort(files)
	if want := []string{"apps/shop/sluice.lock", "apps/shop/values.yaml"}; !slices.Equal(files, want) {
		t.Errorf("files are %q, want %q", files, want)
	}
}
