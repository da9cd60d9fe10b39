package elsewhere

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/sluice-cd/sluice/reconciler/config"
	"github.com/sluice-cd/sluice/render"
)

// packed is a chart as an archive: files by name.
func packed(t testing.TB, name string, files map[string]string) []byte {
	t.Helper()
	var out bytes.Buffer
	zipped := gzip.NewWriter(&out)
	w := tar.NewWriter(zipped)
	for file, text := range files {
		if err := w.WriteHeader(&tar.Header{Name: name + "/" + file, Mode: 0o644, Size: int64(len(text)), Typeflag: tar.TypeReg}); err != nil {
			t.Fatal(err)
		}
		if _, err := w.Write([]byte(text)); err != nil {
			t.Fatal(err)
		}
	}
	if err := errors.Join(w.Close(), zipped.Close()); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

// chartOf is a chart with one ConfigMap that says its version.
func chartOf(t testing.TB, name, version string) []byte {
	t.Helper()
	return packed(t, name, map[string]string{
		"Chart.yaml":       fmt.Sprintf("apiVersion: v2\nname: %s\nversion: %s\n", name, version),
		"templates/a.yaml": fmt.Sprintf("apiVersion: v1\nkind: ConfigMap\nmetadata: {name: %s}\ndata: {version: %s}\n", name, version),
	})
}

func sumOf(data []byte) string {
	sum := sha256.Sum256(data)
	return hex.EncodeToString(sum[:])
}

const repository = "https://charts.example.com/stable"

// entry locks a chart of the repository.
func entry(name, within, version string, data []byte) config.Locked {
	return config.Locked{
		Repository: repository, Chart: name, Version: within, Resolved: version, URL: repository + "/" + name + "-" + version + ".tgz",
		Digest: "sha256:" + sumOf(data),
	}
}

func lockOf(t testing.TB, entries ...config.Locked) string {
	t.Helper()
	text, err := config.Lock{Charts: entries}.Text()
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func treeOf(t testing.TB, files map[string]string) render.Tree {
	t.Helper()
	dir := t.TempDir()
	for name, text := range files {
		file := filepath.Join(dir, name)
		if err := errors.Join(os.MkdirAll(filepath.Dir(file), 0o755), os.WriteFile(file, []byte(text), 0o644)); err != nil {
			t.Fatal(err)
		}
	}
	tree, err := render.DirTree(dir)
	if err != nil {
		t.Fatal(err)
	}
	return tree
}

// shelf is a Source of what lies on it.
type shelf map[string][]byte

func (s shelf) get(l config.Locked) ([]byte, error) {
	if data, ok := s[l.SHA256()]; ok {
		return data, nil
	}
	return nil, errors.New("it is not on the shelf")
}

func put(all ...[]byte) shelf {
	s := shelf{}
	for _, data := range all {
		s[sumOf(data)] = data
	}
	return s
}

// request renders apps/shop, whose chart is web of the repository.
func request() render.Request {
	return render.Request{
		Dir: "apps/shop", Application: "shop", Environment: "staging", Namespace: "shop",
		Source: render.Source{Helm: &render.Helm{Chart: "web", Repository: repository, Version: "^1.2"}},
	}
}

func renderOver(t testing.TB, tree render.Tree, from Source, req render.Request) (*render.Result, *Tree, error) {
	t.Helper()
	over := Over(tree, from)
	made, err := render.Render(context.Background(), over, req)
	return made, over, err
}

func TestWhatTheLockSaysIsRendered(t *testing.T) {
	old, newer, db := chartOf(t, "web", "1.2.0"), chartOf(t, "web", "1.3.0"), chartOf(t, "db", "4.0.0")
	have := put(old, newer, db)
	then := treeOf(t, map[string]string{"apps/shop/sluice.lock": lockOf(t, entry("web", "^1.2", "1.2.0", old))})
	made, _, err := renderOver(t, then, have.get, request())
	if err != nil {
		t.Fatal(err)
	}
	if got, _, _ := unstructuredString(made, "data", "version"); got != "1.2.0" {
		t.Errorf("rendered version %q", got)
	}
	again, _, err := renderOver(t, then, have.get, request())
	if err != nil || again.Digest != made.Digest || again.Inputs != made.Inputs {
		t.Errorf("twice is not the same: %v", err)
	}
	for name, tc := range map[string]struct {
		lock string
		want bool
	}{
		"the same":                  {lockOf(t, entry("web", "^1.2", "1.2.0", old)), true},
		"another chart beside it":   {lockOf(t, entry("web", "^1.2", "1.2.0", old), entry("db", "^4", "4.0.0", db)), true},
		"a newer version":           {lockOf(t, entry("web", "^1.2", "1.3.0", newer)), false},
		"other bytes, same version": {lockOf(t, entry("web", "^1.2", "1.2.0", newer)), false},
		"no entry":                  {lockOf(t, entry("db", "^4", "4.0.0", db)), false},
		"no YAML":                   {"charts: [", false},
	} {
		now := Over(treeOf(t, map[string]string{"apps/shop/sluice.lock": tc.lock}), nil)
		if got := made.Trace.Holds(now, request()); got != tc.want {
			t.Errorf("with a lock that has %s the trace holds: %v", name, got)
		}
	}
	moved := request()
	moved.Dir = "shop"
	elsewhere, _, err := renderOver(t, treeOf(t, map[string]string{"shop/sluice.lock": lockOf(t, entry("web", "^1.2", "1.2.0", old))}), have.get, moved)
	if err != nil || elsewhere.Inputs != made.Inputs {
		t.Errorf("a folder that moved has other inputs: %v", err)
	}
}

func unstructuredString(made *render.Result, fields ...string) (string, bool, error) {
	at, ok := made.Objects[0].Object[fields[0]].(map[string]any)
	if !ok {
		return "", false, nil
	}
	text, ok := at[fields[1]].(string)
	return text, ok, nil
}

// TestFaultsOfALockEndWithIt: what a render failed for is in its trace, so that the change which mends it is seen.
func TestFaultsOfALockEndWithIt(t *testing.T) {
	web := chartOf(t, "web", "1.2.0")
	good := Over(treeOf(t, map[string]string{"apps/shop/sluice.lock": lockOf(t, entry("web", "^1.2", "1.2.0", web))}), put(web).get)
	for name, tc := range map[string]struct{ files, says string }{
		"Missing": {"", "chart web ^1.2 of https://charts.example.com/stable is not locked: there is no apps/shop/sluice.lock; run `sluice lock`"},
		"Stale":   {lockOf(t, entry("web", "^1.1", "1.2.0", web)), "is not locked: apps/shop/sluice.lock has no such entry; run `sluice lock`"},
		"Broken":  {"charts: [", "apps/shop/sluice.lock: line 1: is not YAML"},
		"Forged":  {strings.Replace(lockOf(t, entry("web", "^1.2", "1.2.0", web)), "resolved: 1.2.0", "resolved: 3.0.0", 1), "charts[0].resolved: must be in the range ^1.2"},
	} {
		t.Run(name, func(t *testing.T) {
			files := map[string]string{"other.txt": ""}
			if tc.files != "" {
				files["apps/shop/sluice.lock"] = tc.files
			}
			tree := treeOf(t, files)
			_, over, err := renderOver(t, tree, put(web).get, request())
			if err == nil || !strings.Contains(err.Error(), tc.says) || len(over.Missing()) > 0 {
				t.Fatalf("got %v", err)
			}
			trace, known := render.TraceOf(err)
			if !known || !trace.Holds(Over(tree, nil), request()) {
				t.Errorf("the failure has no trace that holds")
			}
			if trace.Holds(good, request()) {
				t.Error("the trace of the failure holds where the lock is mended")
			}
		})
	}
}

func TestWhatIsNotFetchedYet(t *testing.T) {
	web := chartOf(t, "web", "1.2.0")
	tree := treeOf(t, map[string]string{"apps/shop/sluice.lock": lockOf(t, entry("web", "^1.2", "1.2.0", web))})
	_, over, err := renderOver(t, tree, put().get, request())
	if missing := over.Missing(); err == nil || len(missing) != 1 || missing[0].Resolved != "1.2.0" {
		t.Fatalf("missing %v: %v", missing, err)
	}
	trace, known := render.TraceOf(err)
	if !known || !trace.Holds(Over(tree, nil), request()) {
		t.Error("what the render wanted is not in its trace")
	}
}

// TestLesson31_NothingIsSmuggledIntoTheReservedFolder: what a repository commits there is never taken for a fetched chart.
func TestLesson31_NothingIsSmuggledIntoTheReservedFolder(t *testing.T) {
	evil := chartOf(t, "web", "1.2.0")
	name := "apps/shop/.sluice/charts/https/charts.example.com/stable/web/^1.2.tgz"
	tree := Over(treeOf(t, map[string]string{name: string(evil)}), put(evil).get)
	if _, err := fs.ReadFile(tree, name); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("read: %v", err)
	}
	if _, err := tree.Object(name); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("object: %v", err)
	}
	if _, err := fs.ReadDir(tree, "apps/shop/.sluice/charts/https"); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("list: %v", err)
	}
	if _, err := render.Render(t.Context(), tree, request()); err == nil || !strings.Contains(err.Error(), "is not locked") {
		t.Errorf("rendered: %v", err)
	}
}

// TestLesson31_BombsAreRefused: an archive with the right digest is still a stranger's.
func TestLesson31_BombsAreRefused(t *testing.T) {
	for name, tc := range map[string]struct {
		files map[string]string
		says  string
	}{
		"Outside": {map[string]string{"Chart.yaml": "name: web", "../../etc/passwd": "x"}, "leaves the archive"},
		"Bomb":    {map[string]string{"Chart.yaml": "name: web", "zeros": strings.Repeat("\x00", 6<<20)}, "is larger than 5 MiB"},
		"Nothing": {map[string]string{"README.md": "x"}, "Chart.yaml is missing"},
		"Aliases": {map[string]string{"Chart.yaml": "name: web\nversion: 1.2.0\na: &a [x,x,x,x,x,x,x,x,x]\nb: &b [*a,*a,*a,*a,*a,*a,*a,*a,*a]\nc: &c [*b,*b,*b,*b,*b,*b,*b,*b,*b]\n" +
			"d: &d [*c,*c,*c,*c,*c,*c,*c,*c,*c]\ne: &e [*d,*d,*d,*d,*d,*d,*d,*d,*d]\nf: &f [*e,*e,*e,*e,*e,*e,*e,*e,*e]\ng: [*f,*f,*f,*f,*f,*f,*f,*f,*f]\n"}, "alias"},
	} {
		t.Run(name, func(t *testing.T) {
			bad := packed(t, "web", tc.files)
			tree := treeOf(t, map[string]string{"apps/shop/sluice.lock": lockOf(t, entry("web", "^1.2", "1.2.0", bad))})
			if _, _, err := renderOver(t, tree, put(bad).get, request()); err == nil || !strings.Contains(err.Error(), tc.says) {
				t.Errorf("got %v", err)
			}
		})
	}
}

// TestDependencies: those of a chart of the tree, from elsewhere and of the tree, are locked together.
func TestDependencies(t *testing.T) {
	cache := chartOf(t, "cache", "2.5.0")
	files := map[string]string{
		"apps/shop/chart/Chart.yaml": "apiVersion: v2\nname: shop\nversion: 1.0.0\ndependencies:\n" +
			"- {name: cache, version: ^2, repository: \"" + repository + "\"}\n- {name: cache, alias: second, version: ^2, repository: \"" + repository + "/\"}\n" +
			"- {name: local, version: 1.x, repository: \"file://../local\"}\n",
		"apps/shop/chart/templates/a.yaml": "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: shop}\n",
		"apps/shop/local/Chart.yaml":       "apiVersion: v2\nname: local\nversion: 1.0.0\ndependencies:\n- {name: db, version: 4.0.0, repository: \"oci://registry.example.com/charts\"}\n",
	}
	req := request()
	req.Source.Helm = &render.Helm{Chart: "chart"}
	needs, err := req.Source.Elsewheres(t.Context(), treeOf(t, files), "apps/shop")
	if err != nil {
		t.Fatal(err)
	}
	if got := fmt.Sprint(needs); got != "[cache ^2 of https://charts.example.com/stable db 4.0.0 of oci://registry.example.com/charts]" {
		t.Errorf("needs %s", got)
	}
	db := packed(t, "db", map[string]string{"Chart.yaml": "apiVersion: v2\nname: db\nversion: 4.0.0\n", "templates/a.yaml": "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: db}\n"})
	files["apps/shop/sluice.lock"] = lockOf(t, entry("cache", "^2", "2.5.0", cache), config.Locked{
		Repository: "oci://registry.example.com/charts", Chart: "db", Version: "4.0.0", Resolved: "4.0.0", URL: "oci://registry.example.com/charts/db",
		Digest: "sha256:" + sumOf(db),
	})
	tree := treeOf(t, files)
	_, over, err := renderOver(t, tree, put().get, req)
	if err == nil || len(over.Missing()) != 2 {
		t.Errorf("missing at once: %v, %v", over.Missing(), err)
	}
	_, _, err = renderOver(t, tree, put(cache, db).get, req)
	if err == nil || !strings.Contains(err.Error(), "cache") { // both aliases make the same object
		t.Fatalf("two of one name: %v", err)
	}
	files["apps/shop/chart/Chart.yaml"] = strings.Replace(files["apps/shop/chart/Chart.yaml"], "alias: second, ", "alias: second, condition: second.enabled, ", 1)
	files["apps/shop/chart/values.yaml"] = "second: {enabled: false}\n"
	made, _, err := renderOver(t, treeOf(t, files), put(cache, db).get, req)
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, o := range made.Objects {
		names = append(names, o.GetName())
	}
	if got := strings.Join(names, " "); got != "cache db shop" {
		t.Errorf("rendered %s", got)
	}
}

// TestChartsOfKustomizations: those of a base, of a generator and of a chart's dependencies are locked, and are fetched as any other;
// values are laid over those of the packed chart as kustomize does it.
func TestChartsOfKustomizations(t *testing.T) {
	values := map[string]string{
		"values.yaml":      "level: info\nextra: {a: 1, b: 2}\n",
		"templates/a.yaml": "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: {{ .Chart.Name }}}\ndata: {all: {{ .Values | toJson | quote }}}\n",
	}
	named := func(name, version string) []byte {
		files := maps.Clone(values)
		files["Chart.yaml"] = fmt.Sprintf("apiVersion: v2\nname: %s\nversion: %s\n", name, version)
		return packed(t, name, files)
	}
	web, cache, db, queue := named("web", "1.2.0"), named("cache", "2.5.0"), named("db", "4.0.0"), named("queue", "1.0.0")
	files := map[string]string{
		"apps/shop/overlay/kustomization.yaml":         "resources: [../base]\nnamePrefix: x-\ngenerators: [chart.yaml, plugins]\n",
		"apps/shop/overlay/plugins/kustomization.yaml": "resources: [queue.yaml]\npatches: [{target: {kind: HelmChartInflationGenerator}, patch: '[{\"op\": \"add\", \"path\": \"/releaseName\", \"value\": \"queue\"}]'}]\n",
		"apps/shop/overlay/plugins/queue.yaml":         "apiVersion: builtin\nkind: HelmChartInflationGenerator\nmetadata: {name: q}\nname: queue\nversion: 1.x\nrepo: " + repository + "\n",
		"apps/shop/overlay/chart.yaml": "apiVersion: builtin\nkind: HelmChartInflationGenerator\nmetadata: {name: c}\nname: cache\nversion: ^2\nrepo: " + repository +
			"/\nvaluesInline: {level: debug}\nvaluesMerge: replace\n",
		"apps/shop/base/kustomization.yaml": "helmCharts:\n- {name: web, version: 1.2.0, repo: \"" + repository + "\", valuesInline: {extra: {b: null, c: 3}}}\n" +
			"- {name: local}\n",
		"apps/shop/base/charts/local/Chart.yaml": "apiVersion: v2\nname: local\nversion: 1.0.0\ndependencies:\n- {name: db, version: 4.x, repository: \"" + repository + "\"}\n",
	}
	req := request()
	req.Source = render.Source{Kustomize: &render.Kustomize{Path: "overlay"}}
	needs, err := req.Source.Elsewheres(t.Context(), treeOf(t, files), "apps/shop")
	if err != nil {
		t.Fatal(err)
	}
	if got := fmt.Sprint(needs); got != fmt.Sprintf("[web 1.2.0 of %[1]s db 4.x of %[1]s cache ^2 of %[1]s queue 1.x of %[1]s]", repository) {
		t.Errorf("needs %s", got)
	}
	_, _, err = renderOver(t, treeOf(t, files), put(web, cache, db).get, req)
	if err == nil || !strings.Contains(err.Error(), "apps/shop/base/kustomization.yaml: helmCharts[0]: chart web 1.2.0") || !strings.Contains(err.Error(), "is not locked") {
		t.Errorf("without a lock: %v", err)
	}
	files["apps/shop/sluice.lock"] = lockOf(t, entry("web", "1.2.0", "1.2.0", web), entry("cache", "^2", "2.5.0", cache), entry("db", "4.x", "4.0.0", db), entry("queue", "1.x", "1.0.0", queue))
	_, over, err := renderOver(t, treeOf(t, files), put(cache).get, req)
	if err == nil || len(over.Missing()) != 2 || over.Missing()[0].Chart != "web" || over.Missing()[1].Chart != "db" {
		t.Errorf("not fetched yet: %v, %v", over.Missing(), err)
	}
	made, _, err := renderOver(t, treeOf(t, files), put(web, cache, db, queue).get, req)
	if err != nil {
		t.Fatal(err)
	}
	got := map[string]any{}
	for _, o := range made.Objects {
		got[o.GetName()], _, _ = unstructured.NestedString(o.Object, "data", "all")
	}
	want := map[string]any{ // the null removes b from what helm is given, and so not from the chart's own
		"x-web": `{"extra":{"a":1,"b":2,"c":3},"level":"info"}`, "x-cache": `{"extra":{"a":1,"b":2},"level":"debug"}`, "x-queue": `{"extra":{"a":1,"b":2},"level":"info"}`, "x-db": `{"extra":{"a":1,"b":2},"global":{},"level":"info"}`,
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("rendered (-want +got):\n%s", diff)
	}
}
