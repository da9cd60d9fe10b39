package render

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
)

// refused renders and wants a fault whose text has all of want.
func refused(t *testing.T, dir string, source Source, want ...string) {
	t.Helper()
	_, err := Render(context.Background(), open(t, dir), Request{Application: "shop", Source: source})
	if err == nil {
		t.Fatal("rendered")
	}
	for _, w := range want {
		if !strings.Contains(err.Error(), w) {
			t.Errorf("fault %q does not say %q", err, w)
		}
	}
}

func TestLesson31_SymlinkThatLeavesTheTree(t *testing.T) {
	outside := filepath.Join(t.TempDir(), "secret.yaml")
	if err := os.WriteFile(outside, fmt.Appendf(nil, configMap, "stolen"), 0o600); err != nil {
		t.Fatal(err)
	}
	for name, target := range map[string]string{"Absolute": outside, "Relative": "../../../../../../../../" + outside} {
		t.Run(name, func(t *testing.T) {
			files := map[string]string{
				"plain/link.yaml":              "-> " + target,
				"overlay/kustomization.yaml":   "resources: [link.yaml]\n",
				"overlay/link.yaml":            "-> " + target,
				"values.yaml":                  "-> " + target,
				"chart/Chart.yaml":             chartYAML,
				"linked/Chart.yaml":            chartYAML,
				"linked/templates/stolen.yaml": "-> " + target,
			}
			dir := folder(t, files)
			refused(t, dir, directorySource, "plain/link.yaml", "escapes")
			refused(t, dir, overlaySource, "overlay/kustomization.yaml", "link.yaml", "escapes")
			refused(t, dir, chartSource, "values.yaml", "escapes")
			refused(t, dir, Source{Helm: &Helm{Chart: "linked"}}, "linked/templates/stolen.yaml", "escapes")
		})
	}
}

func TestLesson31_SymlinkInsideTheTree(t *testing.T) {
	dir := folder(t, map[string]string{
		"shared/a.yaml":    fmt.Sprintf(configMap, "shared"),
		"plain/a.yaml":     "-> ../shared/a.yaml",
		"chart/Chart.yaml": chartYAML,
		"chart/templates":  "-> ../shared",
	})
	tree := open(t, dir)
	for name, source := range map[string]Source{"Directory": directorySource, "Helm": {Helm: &Helm{Chart: "chart"}}} {
		t.Run(name, func(t *testing.T) {
			req := Request{Application: "shop", Source: source}
			trace := mustRender(t, tree, req).Trace
			if !trace.Holds(tree, req) {
				t.Fatal("trace does not hold")
			}
			put(t, dir, "shared/a.yaml", fmt.Sprintf(configMap, "edited-"+strings.ToLower(name)))
			if trace.Holds(tree, req) {
				t.Error("trace holds although the link's target was edited")
			}
		})
	}
}

func TestLesson31_SymlinkCircle(t *testing.T) {
	dir := folder(t, map[string]string{
		"chart/Chart.yaml": chartYAML, "chart/loop": "-> ../chart",
		"plain/a.yaml": fmt.Sprintf(configMap, "a"), "plain/loop": "-> ../plain",
	})
	refused(t, dir, Source{Helm: &Helm{Chart: "chart"}}, "chart/loop", "levels")
	refused(t, dir, Source{Directory: &Directory{Path: "plain", Recurse: true}}, "plain/loop", "levels")
}

type entry struct {
	name string
	kind byte
	body []byte
}

func archived(t *testing.T, entries ...entry) string {
	t.Helper()
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	w := tar.NewWriter(z)
	for _, e := range entries {
		h := &tar.Header{Name: e.name, Typeflag: e.kind, Size: int64(len(e.body)), Mode: 0o644}
		if e.kind == 0 {
			h.Typeflag = tar.TypeReg
		}
		if e.kind == tar.TypeSymlink {
			h.Linkname = "/etc/passwd"
		}
		if err := w.WriteHeader(h); err != nil {
			t.Fatal(err)
		}
		if _, err := w.Write(e.body); err != nil {
			t.Fatal(err)
		}
	}
	if err := errors.Join(w.Close(), z.Close()); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

func TestLesson31_Archives(t *testing.T) {
	meta := entry{name: "db/Chart.yaml", body: []byte("apiVersion: v2\nname: db\nversion: 0.1.0\n")}
	zeros := func(name string) entry { return entry{name: name, body: make([]byte, 4<<20)} }
	var many []entry
	for i := range 20 {
		many = append(many, zeros(fmt.Sprintf("db/files/%d", i)))
	}
	big := archived(t, append([]entry{meta}, many...)...)
	nested := archived(t, meta)
	for range 12 {
		nested = archived(t, meta, entry{name: "db/charts/db.tgz", body: []byte(nested)})
	}
	half := archived(t, append([]entry{meta}, many[:9]...)...)
	tests := map[string]struct {
		archive string
		want    string
	}{
		"LeavesTheArchive":  {archived(t, meta, entry{name: "db/../../x.yaml"}), `"db/../../x.yaml" leaves the archive`},
		"Absolute":          {archived(t, entry{name: "/db/x.yaml"}), "leaves the archive"},
		"Windows":           {archived(t, entry{name: `db\..\..\x.yaml`}), "leaves the archive"},
		"Drive":             {archived(t, entry{name: `db/c:/x.yaml`}), "leaves the archive"},
		"SymbolicLink":      {archived(t, meta, entry{name: "db/link", kind: tar.TypeSymlink}), "not a plain file"},
		"Bomb":              {big, "larger than 64 MiB"},
		"NestedBomb":        {nested, "nested deeper than 8"},
		"ManySmallerBombs":  {archived(t, meta, entry{name: "db/charts/a.tgz", body: []byte(half)}, entry{name: "db/charts/b.tgz", body: []byte(half)}), "larger than 64 MiB"},
		"OneLargeFile":      {archived(t, meta, entry{name: "db/x", body: make([]byte, 6<<20)}), "larger than 5 MiB"},
		"NotAnArchive":      {"text", "not a chart archive"},
		"TwiceTheSameFile":  {archived(t, meta, meta), "there twice"},
		"OutsideTheFolder":  {archived(t, entry{name: "Chart.yaml"}), "not in the chart's folder"},
		"PointerToLFS":      {"version https://git-lfs.github.com/spec/v1\n", "LFS pointer"},
		"UnparsableInside":  {archived(t, meta, entry{name: "db/values.yaml", body: []byte("a: b\n c: d\n")}), "charts/db"},
		"TemplateFaultThen": {archived(t, meta, entry{name: "db/templates/a.yaml", body: []byte("{{ fail \"no\" }}")}), "no"},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			dir := folder(t, map[string]string{
				"chart/Chart.yaml": chartYAML, "chart/charts/db-0.1.0.tgz": tc.archive,
				"chart/templates/a.yaml": fmt.Sprintf(configMap, "a"),
			})
			refused(t, dir, Source{Helm: &Helm{Chart: "chart"}}, "chart", tc.want)
		})
	}
	t.Run("GoodOne", func(t *testing.T) {
		good := archived(t, meta, entry{name: "db/templates/a.yaml", body: []byte("apiVersion: v1\nkind: ConfigMap\nmetadata: {name: '{{ .Chart.Name }}'}\n")})
		dir := folder(t, map[string]string{"chart/Chart.yaml": chartYAML, "chart/charts/db-0.1.0.tgz": good, "packed.tgz": good})
		for _, chart := range []string{"chart", "packed.tgz"} {
			r := mustRender(t, open(t, dir), Request{Application: "shop", Source: Source{Helm: &Helm{Chart: chart}}})
			if len(r.Objects) != 1 || r.Objects[0].GetName() != "db" {
				t.Errorf("%s: objects %v", chart, r.Objects)
			}
		}
	})
}

func TestLesson31_BasesThatMultiply(t *testing.T) {
	files := map[string]string{"base/kustomization.yaml": "resources: [a.yaml]\n", "base/a.yaml": fmt.Sprintf(configMap, "a")}
	files["baseb/kustomization.yaml"] = "namePrefix: b-\nresources: [../base]\n"
	for level := range 16 {
		for _, side := range []string{"", "b"} {
			under := fmt.Sprintf("../%d", level-1)
			if level == 0 {
				under = "../../base"
			}
			files[fmt.Sprintf("levels/%d%s/kustomization.yaml", level, side)] =
				fmt.Sprintf("namePrefix: x%s-\nresources: [%s, %sb]\n", side, under, under)
		}
	}
	refused(t, folder(t, files), Source{Kustomize: &Kustomize{Path: "levels/15"}}, "multiply to more than")
}

func TestLesson31_LargeFile(t *testing.T) {
	dir := folder(t, map[string]string{"plain/a.yaml": strings.Repeat("# x\n", 2<<20)})
	refused(t, dir, directorySource, "plain/a.yaml", "larger than 5 MiB")
}

func TestLesson33_NothingIsFetched(t *testing.T) {
	var asked atomic.Int32
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		asked.Add(1)
		fmt.Fprintf(w, configMap, "fetched")
	}))
	defer server.Close()
	url := server.URL + "/a.yaml"
	for name, lines := range map[string]string{
		"Resource":     "resources: [%q]",
		"Base":         "bases: [%q]",
		"Component":    "components: [%q]",
		"CRD":          "crds: [%q]",
		"Configration": "configurations: [%q]",
		"Patch":        "patches: [{path: %q, target: {kind: ConfigMap}}]",
		"Strategic":    "patchesStrategicMerge: [%q]",
		"JSONPatch":    "patchesJson6902: [{path: %q, target: {version: v1, kind: ConfigMap, name: a}}]",
		"Replacement":  "replacements: [{path: %q}]",
		"File":         "configMapGenerator: [{name: x, files: [%q]}]",
		"KeyedFile":    "secretGenerator: [{name: x, files: [\"a=\"%q]}]",
		"Env":          "configMapGenerator: [{name: x, env: %q}]",
		"Envs":         "secretGenerator: [{name: x, envs: [%q]}]",
		"OpenAPI":      "openapi: {path: %q}",
		"Transformer":  "transformers: [%q]",
		"Generator":    "generators: [%q]",
		"Validator":    "validators: [%q]",
		"OtherCase":    "Resources: [%q]",
		"PluginPath":   "transformers: ['{apiVersion: builtin, kind: PatchTransformer, metadata: {name: x}, path: %q}']",
		"PluginPaths":  "transformers: ['{apiVersion: builtin, kind: PatchStrategicMergeTransformer, metadata: {name: x}, PATHS: [%q]}']",
		"PluginFiles":  "generators: ['{apiVersion: builtin, kind: ConfigMapGenerator, metadata: {name: x}, name: x, Files: [%q]}']",
		"PluginAdd":    "transformers: ['{apiVersion: builtin, kind: ValueAddTransformer, metadata: {name: x}, targetFilePath: %q}']",
		"PluginList":   "transformers: ['{apiVersion: v1, kind: List, items: [{apiVersion: builtin, kind: PatchTransformer, metadata: {name: x}, path: %q}]}']",
		"PluginRepl":   "transformers: ['{apiVersion: builtin, kind: ReplacementTransformer, metadata: {name: x}, replacements: [{path: %q}]}']",
	} {
		t.Run(name, func(t *testing.T) {
			line := strings.ReplaceAll(fmt.Sprintf(lines, url), `"a="`+fmt.Sprintf("%q", url), fmt.Sprintf("%q", "a="+url))
			resources := "resources: [a.yaml]\n"
			if strings.Contains(strings.ToLower(line), "resources") {
				resources = ""
			}
			refused(t, folder(t, map[string]string{
				"overlay/kustomization.yaml": resources + line + "\n", "overlay/a.yaml": fmt.Sprintf(configMap, "a"),
			}), overlaySource, "overlay/kustomization.yaml", "is remote")
		})
	}
	t.Run("Schema", func(t *testing.T) {
		refused(t, folder(t, map[string]string{
			"chart/Chart.yaml": chartYAML, "chart/templates/a.yaml": fmt.Sprintf(configMap, "a"),
			"chart/values.schema.json": fmt.Sprintf(`{"allOf": [{"$ref": %q}]}`, url),
		}), Source{Helm: &Helm{Chart: "chart"}}, "leaves the chart")
	})
	if n := asked.Load(); n != 0 {
		t.Errorf("the server was asked %d times", n)
	}
}

// What a kustomization asks for is not fetched, but what the lock says; and nobody runs a program.
func TestLesson33_NoChartOfAKustomizationIsFetched(t *testing.T) {
	var asked atomic.Int32
	server := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { asked.Add(1) }))
	defer server.Close()
	for name, tc := range map[string]struct{ entry, want string }{
		"Repository": {fmt.Sprintf("helmCharts: [{name: web, version: 1.0.0, repo: %q}]", server.URL), "helmCharts[0]: chart web 1.0.0 of http://127.0.0.1"},
		"Old":        {fmt.Sprintf("helmChartInflationGenerator: [{chartName: web, chartVersion: 1.0.0, chartRepoUrl: %q}]", server.URL), "is not locked: there is no sluice.lock; run `sluice lock`"},
		"NoVersion":  {fmt.Sprintf("helmCharts: [{name: web, repo: %q}]", server.URL), "version is required"},
		"NoAddress":  {"helmCharts: [{name: web, version: 1.0.0, repo: 'ftp://charts.example.com'}]", "repo must be https://"},
		"Password":   {"helmCharts: [{name: web, version: 1.0.0, repo: 'https://me:secret@charts.example.com'}]", "repo must not name a user"},
		"Generator": {fmt.Sprintf("generators: ['{apiVersion: builtin, kind: HelmChartInflationGenerator, metadata: {name: x}, name: web, version: 1.0.0, repo: %q}']", server.URL),
			"is not locked"},
		"Flag":         {"helmCharts: [{name: --post-renderer=/bin/sh}]", "begin with a dash"},
		"ReleaseFlag":  {"helmCharts: [{name: web, releaseName: --debug}]", "begin with a dash"},
		"NameTemplate": {"helmCharts: [{name: web, nameTemplate: '{{randAlpha 5}}'}]", "another name at each render"},
		"Values":       {fmt.Sprintf("helmGlobals: {chartHome: .}\nhelmCharts: [{name: there, valuesFile: %q}]", server.URL), "is remote"},
	} {
		t.Run(name, func(t *testing.T) {
			refused(t, folder(t, map[string]string{
				"overlay/kustomization.yaml": tc.entry + "\n", "overlay/there/Chart.yaml": chartYAML,
			}), overlaySource, "overlay/kustomization.yaml", tc.want)
		})
	}
	if n := asked.Load(); n != 0 {
		t.Errorf("the server was asked %d times", n)
	}
}

func TestLesson31_NamesThatLeaveTheTree(t *testing.T) {
	const outside = "../../outside"
	for name, tc := range map[string]struct {
		kustomization string
		substitute    *Substitute
		want          string
	}{
		"ChartHome":        {"helmGlobals: {chartHome: ../..}\nhelmCharts: [{name: outside}]", nil, "leaves the repository"},
		"AbsoluteHome":     {"helmGlobals: {chartHome: /etc}\nhelmCharts: [{name: outside}]", nil, "is an absolute path"},
		"Chart":            {"helmCharts: [{name: ../../../outside}]", nil, "leaves the repository"},
		"ValuesFile":       {"helmGlobals: {chartHome: .}\nhelmCharts: [{name: there, valuesFile: " + outside + "}]", nil, "leaves the repository"},
		"MoreValues":       {"helmGlobals: {chartHome: .}\nhelmCharts: [{name: there, additionalValuesFiles: [/etc/passwd]}]", nil, "is an absolute path"},
		"FolderOfPlugins":  {"resources: [a.yaml]\ntransformers: [" + outside + "]", nil, "leaves the repository"},
		"Substitute":       {"resources: [a.yaml]", &Substitute{From: []string{"../outside.env"}}, "leaves the repository"},
		"SubstituteBySign": {"resources: [a.yaml]", &Substitute{From: []string{"link.env"}}, "escapes"},
	} {
		t.Run(name, func(t *testing.T) {
			dir := folder(t, map[string]string{
				"overlay/kustomization.yaml": tc.kustomization + "\n", "overlay/there/Chart.yaml": chartYAML,
				"overlay/a.yaml": fmt.Sprintf(configMap, "a"), "link.env": "-> /etc/passwd",
			})
			refused(t, dir, Source{Kustomize: &Kustomize{Path: "overlay"}, Substitute: tc.substitute}, tc.want)
		})
	}
}

func TestLesson02_ASourceThatBecameEmptyIsNotHiddenByAnother(t *testing.T) {
	dir := folder(t, map[string]string{"plain/a.yaml": fmt.Sprintf(configMap, "a"), "empty/a.yaml": "# all of it is gone\n"})
	refused(t, dir, Source{All: []Source{directorySource, {Directory: &Directory{Path: "empty"}}}}, "empty", "renders to nothing")
}

func TestLesson02_WhatGoesMissingIsAnError(t *testing.T) {
	good := fmt.Sprintf(configMap, "a")
	for name, broken := range map[string]string{
		"Typo":        "apiVersion: v1\nkindd: ConfigMap\nmetadata: {name: b}\n",
		"Unparsable":  "apiVersion: v1\n kind: ConfigMap\n",
		"Text":        "oops\n",
		"EmptyObject": "{}\n",
		"Number":      "1\n",
	} {
		t.Run(name, func(t *testing.T) {
			refused(t, folder(t, map[string]string{"plain/a.yaml": good, "plain/b.yaml": broken}), directorySource, "plain/b.yaml", "line ")
			refused(t, folder(t, map[string]string{
				"overlay/kustomization.yaml": "resources: [a.yaml, b.yaml]\n", "overlay/a.yaml": good, "overlay/b.yaml": broken,
			}), overlaySource, "overlay/b.yaml")
			refused(t, folder(t, map[string]string{
				"chart/Chart.yaml": chartYAML, "chart/templates/a.yaml": good, "chart/templates/b.yaml": broken,
			}), Source{Helm: &Helm{Chart: "chart"}}, "chart/templates/b.yaml")
		})
	}
}

// slowTree waits in every look at the tree until it is let go.
type slowTree struct {
	Tree
	entered, release chan struct{}
}

func (s slowTree) Stat(name string) (fs.FileInfo, error) {
	s.entered <- struct{}{}
	<-s.release
	return fs.Stat(s.Tree, name)
}

func (s slowTree) ReadDir(name string) ([]fs.DirEntry, error) {
	_, err := s.Stat(name)
	if err != nil {
		return nil, err
	}
	return fs.ReadDir(s.Tree, name)
}

func TestLesson12_ARenderThatHangsEndsWithItsContext(t *testing.T) {
	slow := slowTree{open(t, folder(t, everything())), make(chan struct{}, 100), make(chan struct{})}
	defer close(slow.release)
	for _, source := range []Source{directorySource, chartSource, overlaySource} {
		ctx, cancel := context.WithCancelCause(context.Background())
		done := make(chan error)
		go func() {
			_, err := Render(ctx, slow, Request{Application: "shop", Source: source})
			done <- err
		}()
		if source.Kustomize == nil { // a kustomization begins with the file, not with a look
			<-slow.entered
		}
		because := errors.New("took too long")
		cancel(because)
		if err := <-done; !errors.Is(err, because) {
			t.Errorf("error is %v", err)
		}
	}
}
