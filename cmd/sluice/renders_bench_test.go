package main

import (
	"fmt"
	"os"
	"path/filepath"
	"runtime/debug"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"helm.sh/helm/v3/pkg/chart/loader"
	"helm.sh/helm/v3/pkg/chartutil"
	"helm.sh/helm/v3/pkg/engine"
	"sigs.k8s.io/kustomize/api/krusty"
	"sigs.k8s.io/kustomize/kyaml/filesys"

	"github.com/sluice-cd/sluice/gitsource"
	"github.com/sluice-cd/sluice/gitsource/gittest"
	"github.com/sluice-cd/sluice/render"
	"github.com/sluice-cd/sluice/render/worker"
)

// These are the figures of rendering that `make bench` tells: see e2e/bench/renders.go.

// monorepoSize is how many applications the monorepo has, half of them charts and half overlays.
const monorepoSize = 500

// objectsText is what each application has, five objects; the charts fill in their values.
const objectsText = `apiVersion: v1
kind: ServiceAccount
metadata: {name: NAME, labels: {app: NAME}}
---
apiVersion: v1
kind: ConfigMap
metadata: {name: NAME, labels: {app: NAME}}
data: {LEVEL: LEVEL, settings.yaml: "cache: {size: 128}"}
---
apiVersion: v1
kind: Service
metadata: {name: NAME, labels: {app: NAME}}
spec: {selector: {app: NAME}, ports: [{name: http, port: 80, targetPort: http}]}
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: NAME, labels: {app: NAME}}
spec:
  replicas: 2
  selector: {matchLabels: {app: NAME}}
  template:
    metadata: {labels: {app: NAME}}
    spec:
      containers:
        - {name: web, image: "registry.example.com/web:1", ports: [{name: http, containerPort: 8080}], envFrom: [{configMapRef: {name: NAME}}]}
---
apiVersion: policy/v1
kind: PodDisruptionBudget
metadata: {name: NAME, labels: {app: NAME}}
spec: {maxUnavailable: 1, selector: {matchLabels: {app: NAME}}}
`

func monorepo() map[string]string {
	files := map[string]string{}
	for i := range monorepoSize {
		dir := applicationDir(i)
		for n, text := range strings.Split(objectsText, "---\n") {
			text = strings.ReplaceAll(text, "LEVEL: LEVEL", "LEVEL: info")
			if i%2 == 0 {
				text = strings.ReplaceAll(strings.ReplaceAll(text, "info", "{{ .Values.level }}"), "NAME", `{{ include "name" . }}`)
				files[fmt.Sprintf("%s/chart/templates/%d.yaml", dir, n)] = text
				continue
			}
			files[fmt.Sprintf("%s/base/%d.yaml", dir, n)] = strings.ReplaceAll(text, "NAME", fmt.Sprintf("app-%d", i))
		}
		if i%2 == 0 {
			files[dir+"/chart/Chart.yaml"] = "apiVersion: v2\nname: web\nversion: 1.0.0\n"
			files[dir+"/chart/values.yaml"] = "level: info\n"
			files[dir+"/chart/templates/_helpers.tpl"] = `{{ define "name" }}{{ printf "%s-%s" .Release.Name .Chart.Name | trunc 63 | trimSuffix "-" }}{{ end }}`
		} else {
			files[dir+"/base/kustomization.yaml"] = "resources: [0.yaml, 1.yaml, 2.yaml, 3.yaml, 4.yaml]\n"
			files[dir+"/overlay/kustomization.yaml"] = "resources: [../base]\nnamePrefix: x-\nimages: [{name: registry.example.com/web, newTag: \"2\"}]\n"
		}
	}
	return files
}

func applicationDir(i int) string { return fmt.Sprintf("apps/app-%03d", i) }

func monorepoRequest(i int) render.Request {
	req := render.Request{Dir: applicationDir(i), Application: fmt.Sprintf("app-%d", i), Namespace: fmt.Sprintf("app-%d", i)}
	if i%2 == 0 {
		req.Source.Helm = &render.Helm{Chart: "chart"}
	} else {
		req.Source.Kustomize = &render.Kustomize{Path: "overlay"}
	}
	return req
}

// bare renders the application by nothing but the two libraries.
func bare(b *testing.B, root string, i int) {
	b.Helper()
	dir := filepath.Join(root, applicationDir(i))
	if i%2 == 1 {
		built, err := krusty.MakeKustomizer(krusty.MakeDefaultOptions()).Run(filesys.MakeFsOnDisk(), filepath.Join(dir, "overlay"))
		if err != nil {
			b.Fatal(err)
		}
		if _, err := built.AsYaml(); err != nil {
			b.Fatal(err)
		}
		return
	}
	chart, err := loader.LoadDir(filepath.Join(dir, "chart"))
	if err != nil {
		b.Fatal(err)
	}
	values := map[string]any{}
	if err := chartutil.ProcessDependenciesWithMerge(chart, values); err != nil {
		b.Fatal(err)
	}
	given, err := chartutil.ToRenderValues(chart, values, chartutil.ReleaseOptions{Name: fmt.Sprintf("app-%d", i), Namespace: "default", IsInstall: true, Revision: 1}, nil)
	if err != nil {
		b.Fatal(err)
	}
	if _, err := engine.Render(chart, given); err != nil {
		b.Fatal(err)
	}
}

// BenchmarkRenderMonorepo compares a first render of all applications with the bare libraries, three times in turns, and tells
// what the decision costs that a commit concerns one of them alone.
func BenchmarkRenderMonorepo(b *testing.B) {
	root := b.TempDir()
	for name, text := range monorepo() {
		at := filepath.Join(root, name)
		if err := os.MkdirAll(filepath.Dir(at), 0o755); err != nil {
			b.Fatal(err)
		}
		if err := os.WriteFile(at, []byte(text), 0o644); err != nil {
			b.Fatal(err)
		}
	}
	srv := gittest.New(b)
	git, err := gitsource.Open(gitsource.Config{
		URL: srv.URL("monorepo"), Dir: b.TempDir(), Credentials: func() (gitsource.Credentials, error) {
			return gitsource.Credentials{Username: "agent", Password: gitsource.NewSecret(gittest.Password)}, nil
		},
	})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { _ = git.Close() })
	commit := func(files map[string]string) *gitsource.Tree {
		revision := srv.Commit(b, "monorepo", gittest.Change{Files: files})
		if _, err := git.Fetch(b.Context(), "refs/heads/main"); err != nil {
			b.Fatal(err)
		}
		tree, err := git.Tree(revision)
		if err != nil {
			b.Fatal(err)
		}
		return tree
	}
	tree := commit(monorepo())
	for b.Loop() {
		var alone, all, ratios, work []float64
		var traces []render.Trace
		for range 3 {
			began, used := time.Now(), usedCPU(b)
			for i := range monorepoSize {
				bare(b, root, i)
			}
			alone = append(alone, time.Since(began).Seconds())
			bareUsed := usedCPU(b) - used
			began, used = time.Now(), usedCPU(b)
			traces = renderAll(b, tree)
			all = append(all, time.Since(began).Seconds())
			work = append(work, (usedCPU(b)-used).Seconds()/bareUsed.Seconds())
			ratios = append(ratios, all[len(all)-1]/alone[len(alone)-1])
		}
		b.ReportMetric(median(alone), "bare-s")
		b.ReportMetric(median(all), "cold-s")
		b.ReportMetric(median(ratios), "ratio")
		b.ReportMetric(median(work), "cpu-ratio") // on two processors that nobody else wants, half of it is the ratio

		next := commit(map[string]string{applicationDir(6) + "/chart/values.yaml": "level: debug\n"})
		began, renders := usedCPU(b), 0
		for i, trace := range traces {
			if !trace.Holds(next, monorepoRequest(i)) {
				renders++
			}
		}
		b.ReportMetric((usedCPU(b) - began).Seconds(), "decision-s")
		b.ReportMetric(float64(renders), "renders")
	}
}

// renderAll renders all of it from nothing, processes that are started and ended included.
func renderAll(b *testing.B, tree render.Tree) []render.Trace {
	b.Helper()
	pool, err := worker.New(worker.Config{Ahead: true}) // as an agent does
	if err != nil {
		b.Fatal(err)
	}
	defer pool.Close()
	traces := make([]render.Trace, monorepoSize)
	var working sync.WaitGroup
	next := make(chan int)
	for range 16 { // as many as an agent makes passes at once
		working.Go(func() {
			for i := range next {
				made, err := pool.Render(b.Context(), tree, monorepoRequest(i))
				if err != nil {
					b.Error(err)
					continue
				}
				traces[i] = made.Trace
			}
		})
	}
	for i := range monorepoSize {
		next <- i
	}
	close(next)
	working.Wait()
	return traces
}

func median(all []float64) float64 {
	slices.Sort(all)
	return all[len(all)/2]
}

// usedCPU is what this process and its children that have ended have used.
func usedCPU(b *testing.B) time.Duration {
	b.Helper()
	var all time.Duration
	for _, who := range []int{syscall.RUSAGE_SELF, syscall.RUSAGE_CHILDREN} {
		var used syscall.Rusage
		if err := syscall.Getrusage(who, &used); err != nil {
			b.Fatal(err)
		}
		all += time.Duration(used.Utime.Nano() + used.Stime.Nano())
	}
	return all
}

// BenchmarkRenderMemory is what this process grows by while a worker makes 100 MB, which is refused, and 50 MB, which is kept.
func BenchmarkRenderMemory(b *testing.B) {
	dir := b.TempDir()
	write := func(objects int) {
		files := map[string]string{"Chart.yaml": "apiVersion: v2\nname: web\nversion: 1.0.0\n"}
		for i := range objects {
			files[fmt.Sprintf("templates/%d.yaml", i)] = fmt.Sprintf(
				"apiVersion: v1\nkind: ConfigMap\nmetadata: {name: c-%d}\ndata: {a: \"{{ repeat 1000000 \"x\" }}\"}\n", i)
		}
		if err := os.RemoveAll(filepath.Join(dir, "chart")); err != nil {
			b.Fatal(err)
		}
		for name, text := range files {
			at := filepath.Join(dir, "chart", name)
			if err := os.MkdirAll(filepath.Dir(at), 0o755); err != nil {
				b.Fatal(err)
			}
			if err := os.WriteFile(at, []byte(text), 0o644); err != nil {
				b.Fatal(err)
			}
		}
	}
	tree, err := render.DirTree(dir)
	if err != nil {
		b.Fatal(err)
	}
	pool, err := worker.New(worker.Config{Memory: 2 << 30})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(pool.Close)
	req := render.Request{Application: "web", Source: render.Source{Helm: &render.Helm{Chart: "chart"}}}
	for b.Loop() {
		for objects, unit := range map[int]string{100: "refused-MiB", 50: "kept-MiB"} {
			write(objects)
			debug.FreeOSMemory()
			before, most, stop, stopped := residentMemory(b), int64(0), make(chan struct{}), make(chan struct{})
			go func() {
				defer close(stopped)
				for {
					select {
					case <-stop:
						return
					case <-time.After(2 * time.Millisecond):
						most = max(most, residentMemory(b))
					}
				}
			}()
			made, err := pool.Render(b.Context(), tree, req)
			close(stop)
			<-stopped
			if (err == nil) != (objects == 50) {
				b.Fatalf("%d objects of 1 MB: %v", objects, err)
			}
			b.ReportMetric(max(0, float64(most-before))/(1<<20), unit)
			if made != nil && len(made.Objects) != objects {
				b.Fatalf("%d objects", len(made.Objects))
			}
		}
	}
}

func residentMemory(b *testing.B) int64 {
	b.Helper()
	text, err := os.ReadFile("/proc/self/statm")
	if err != nil {
		b.Error(err)
	}
	var size, resident int64
	if _, err := fmt.Sscan(string(text), &size, &resident); err != nil {
		b.Error(err)
	}
	return resident * int64(os.Getpagesize())
}
