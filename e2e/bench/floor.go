package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/tools/clientcmd"

	"github.com/sluice-cd/sluice/e2e/world"
)

const (
	floorCommand = "floor" // the benchmark's own program, started again
	floorWorkers = 20
)

// applyFloor is the floor: it applies the objects of a file, as they are, and ends. Its arguments are the kubeconfig,
// the file, and "dryrun" or "bare".
func applyFloor(ctx context.Context, args []string) error {
	config, err := clientcmd.BuildConfigFromFlags("", args[0])
	if err != nil {
		return err
	}
	config.QPS = -1
	client, err := dynamic.NewForConfig(config)
	if err != nil {
		return err
	}
	text, err := os.ReadFile(args[1])
	if err != nil {
		return err
	}
	var objects []*unstructured.Unstructured
	if err := json.Unmarshal(text, &objects); err != nil {
		return err
	}
	work := make(chan *unstructured.Unstructured)
	faults := make([]error, floorWorkers)
	var running sync.WaitGroup
	for i := range faults {
		running.Go(func() {
			for o := range work {
				if faults[i] == nil {
					faults[i] = applyOne(ctx, client, o, args[2] == "dryrun")
				}
			}
		})
	}
	for _, o := range objects {
		work <- o
	}
	close(work)
	running.Wait()
	return errors.Join(faults...)
}

func applyOne(ctx context.Context, client dynamic.Interface, o *unstructured.Unstructured, dryRun bool) error {
	resource, _ := meta.UnsafeGuessKindToResource(o.GroupVersionKind())
	to := client.Resource(resource).Namespace(o.GetNamespace())
	if dryRun {
		only := metav1.ApplyOptions{FieldManager: "floor", DryRun: []string{metav1.DryRunAll}}
		if _, err := to.Apply(ctx, o.GetName(), o, only); err != nil {
			return err
		}
	}
	_, err := to.Apply(ctx, o.GetName(), o, metav1.ApplyOptions{FieldManager: "floor"})
	return err
}

// floors measures both floors with the first image.
func (g *ground) floors() {
	g.floor("warm-up", g.warm, true, firstTag, false)
	for _, f := range []struct {
		name   string
		apps   []application
		dryRun bool
	}{{"bare", g.bare, false}, {"dryrun", g.dry, true}} {
		applied, available, cpu := g.floor(f.name, f.apps, f.dryRun, firstTag, false)
		name := "floor" + g.size + "-" + f.name + "-"
		g.report.add(name+"applied", applied.Seconds(), "s", "")
		g.report.add(name+"available", available.Seconds(), "s", "")
		g.report.add(name+"cpu", cpu.Seconds(), "s", "")
	}
}

// floor runs the floor once over applications. Where they are there already, only the Deployments change.
func (g *ground) floor(name string, apps []application, dryRun bool, tag string, there bool) (applied, available, cpu time.Duration) {
	g.Logf("Floor %s over %d applications", name, len(apps))
	var objects []*unstructured.Unstructured
	var refs []world.Ref
	for _, app := range apps {
		for i, text := range app.manifests() {
			o := world.ParseObjects(g, []byte(strings.ReplaceAll(text, ":TAG", ":"+tag)))[0]
			o.SetNamespace(app.namespace)
			objects = append(objects, o)
			if ref := app.refs()[i]; !there || ref.Kind == "Deployment" {
				refs = append(refs, ref)
			}
		}
	}
	file := filepath.Join(g.story.Dir, "floor.json")
	g.must(os.WriteFile(file, []byte(world.Text(g, objects)), 0o600), "write objects")
	self, err := os.Executable()
	g.must(err, "find own program")
	mode := map[bool]string{true: "dryrun", false: "bare"}[dryRun]
	goal := g.lookout.aim(refs, image+":"+tag)
	cmd := exec.CommandContext(g.ctx, self, floorCommand, g.floorKubeconfig, file, mode)
	cmd.Stderr = os.Stderr
	began := time.Now()
	if err := cmd.Run(); err != nil {
		g.Fatal(fmt.Errorf("run floor: %w", err))
	}
	applied, available = goal.await(g.bed, g.lookout, began, patience)
	return applied, available, cmd.ProcessState.UserTime() + cmd.ProcessState.SystemTime()
}
