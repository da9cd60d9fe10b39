package render

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// TestHooksInTheirOrder: by weight, then by kind as Helm installs them, then by name; tests apart.
func TestHooksInTheirOrder(t *testing.T) {
	var templates strings.Builder
	for _, h := range []struct{ kind, name, events, weight string }{
		{"Job", "b", "pre-install, pre-upgrade", "1"},
		{"Job", "a", "pre-install,test", "1"},
		{"ServiceAccount", "z", "pre-install", "1"},
		{"Secret", "s", "pre-install", "-5"},
		{"Thing", "x", "pre-install", "-5"},
		{"Pod", "smoke", "test-success", "0"},
		{"Pod", "never", "test-failure", "0"},
	} {
		fmt.Fprintf(&templates, "---\napiVersion: v1\nkind: %s\nmetadata: {name: %s, annotations: {helm.sh/hook: %q, helm.sh/hook-weight: %q}}\n",
			h.kind, h.name, h.events, h.weight)
	}
	dir := t.TempDir()
	for name, text := range map[string]string{
		"Chart.yaml":           "apiVersion: v2\nname: shop\nversion: 1.0.0\n",
		"templates/all.yaml":   templates.String(),
		"templates/thing.yaml": "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: kept}\n",
	} {
		file := filepath.Join(dir, "chart", name)
		if err := os.MkdirAll(filepath.Dir(file), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	tree, err := DirTree(dir)
	if err != nil {
		t.Fatal(err)
	}
	r, err := Render(t.Context(), tree, Request{Application: "shop", Source: Source{Helm: &Helm{Chart: "chart"}}})
	if err != nil {
		t.Fatal(err)
	}
	got := func(hooks []Hook) (all []string) {
		for _, h := range hooks {
			all = append(all, fmt.Sprint(h.Object.GetKind(), "/", h.Object.GetName(), " ", h.Events, " ", h.Weight))
		}
		return all
	}
	want := []string{
		"Secret/s [pre-install] -5", "Thing/x [pre-install] -5", "ServiceAccount/z [pre-install] 1", "Job/a [pre-install test] 1",
		"Job/b [pre-install pre-upgrade] 1",
	}
	if diff := cmp.Diff(want, got(r.Hooks)); diff != "" {
		t.Errorf("hooks (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]string{"Pod/smoke [test] 0"}, got(r.Tests)); diff != "" {
		t.Errorf("tests (-want +got):\n%s", diff)
	}
}
