package reconciler

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/yaml"

	"github.com/sluice-cd/sluice/reconciler/apply"
	"github.com/sluice-cd/sluice/reconciler/config"
)

// TestPreview: what a release would do with one Deployment, and when.
func TestPreview(t *testing.T) {
	object := func(text string) *unstructured.Unstructured {
		o := &unstructured.Unstructured{}
		if err := yaml.Unmarshal([]byte(text), &o.Object); err != nil {
			t.Fatal(err)
		}
		raw, err := o.MarshalJSON()
		if err == nil {
			err = o.UnmarshalJSON(raw) // so that numbers are those of the API
		}
		if err != nil {
			t.Fatal(err)
		}
		return o
	}
	web := func(spec string) *unstructured.Unstructured {
		return object("apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: web, namespace: shop}\nspec: {" + spec + "}")
	}
	id := apply.IDOf(web(""))
	changed := func(fields ...string) *apply.Planned {
		return &apply.Planned{ID: id, Action: apply.Configured, Fields: fields}
	}
	const image = "spec.template.spec.containers[web].image"
	cases := map[string]struct {
		reason, spec, live string
		change             *apply.Planned
		want               string
	}{
		"Template":    {"pods are replaced stage by stage, as many as there are now", "replicas: 8", "replicas: 4", changed("spec.replicas", image), "stages  4"},
		"NoNumber":    {"Git leaves the number to others", "", "replicas: 6", changed(image), "stages  6"},
		"ScaleOnly":   {"no pod is replaced", "replicas: 8", "replicas: 4", changed("spec.replicas"), "at once not staged: only the number of replicas changes, and no pod is replaced"},
		"LabelOnly":   {"nor for a label of it", "", "", changed("metadata.labels.team"), "at once not staged: only labels of it change, and no pod is replaced"},
		"Annotations": {"nor for annotations", "", "", changed("metadata.annotations", "metadata.annotations.a"), "at once not staged: only annotations of it change, and no pod is replaced"},
		"Strategy":    {"nor for how the next ones will be", "", "", changed("spec.strategy"), "at once not staged: its pod template does not change, and no pod is replaced"},
		"New":         {"nothing is to be protected", "", "", &apply.Planned{ID: id, Action: apply.Created}, "at once not staged: it is new, and there is nothing to protect"},
		"Unchanged":   {"nothing is to be said", "", "", &apply.Planned{ID: id, Action: apply.Unchanged}, "at once "},
		"GitSaysNone": {"it is applied as it is", "replicas: 0", "replicas: 4", changed("spec.replicas", image), "at once not staged: Git says that it has no replicas"},
		"ScaledAway":  {"it waits", "replicas: 4", "replicas: 0", changed(image), "stages it has no replicas: the stages begin when it has 0"},
		"Offline":     {"without a cluster its pods may change", "replicas: 8", "", nil, "stages  8"},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			of := PreviewOf{Objects: []*unstructured.Unstructured{web(tc.spec)}}
			of.Rules.Rollout.Canary = &config.Canary{Capacity: config.SurgeCapacity, Steps: []config.CanaryStep{{Weight: 50}}}
			if tc.change != nil {
				of.Changes, of.Live = []apply.Planned{*tc.change}, []*unstructured.Unstructured{web(tc.live)}
			}
			p := of.Preview()
			got := fmt.Sprintf("%s %s", p.Objects[0].When, p.Objects[0].Reason)
			for _, s := range p.Stages {
				got += fmt.Sprintf(" %d", s.Workloads[0].Proven)
				if w := s.Workloads[0]; w.Replicas > 0 && w.New != w.Replicas {
					t.Errorf("half of all with surge are %d new pods, want as many as there are", w.New)
				}
			}
			if diff := cmp.Diff(tc.want, got); diff != "" || p.Compared != (tc.change != nil) {
				t.Errorf("%s (-want +got):\n%s", tc.reason, diff)
			}
		})
	}
	t.Run("WhatPodsNeedGoesFirst", func(t *testing.T) {
		page := object("apiVersion: v1\nkind: ConfigMap\nmetadata: {name: page, namespace: shop}")
		quota := object("apiVersion: policy/v1\nkind: PodDisruptionBudget\nmetadata: {name: web, namespace: shop}")
		of := PreviewOf{Objects: []*unstructured.Unstructured{page, web("replicas: 2"), quota}}
		of.Rules.Rollout.Canary = &config.Canary{Capacity: config.SurgeCapacity, Steps: []config.CanaryStep{{}}}
		moments := func() string {
			var all []string
			for _, o := range of.Preview().Objects {
				all = append(all, string(o.When))
			}
			return strings.Join(all, ", ")
		}
		if got := moments(); got != "before if new, stages, after" {
			t.Errorf("without a cluster: %s", got)
		}
		of.Changes = []apply.Planned{{ID: apply.IDOf(page), Action: apply.Created}, *changed(image), {ID: apply.IDOf(quota), Action: apply.Created}}
		if got := moments(); got != "before, stages, after" {
			t.Errorf("with one: %s", got)
		}
		of.Changes[0].Action = apply.Configured
		if got := moments(); got != "after, stages, after" {
			t.Errorf("what others use already waits: %s", got)
		}
	})
}

// TestPreviewRouted: where a route shares traffic out, a stage has the pods for its weight and no more, and names what is
// measured in it.
func TestPreviewRouted(t *testing.T) {
	var objects []*unstructured.Unstructured
	for _, text := range []string{
		`{apiVersion: apps/v1, kind: Deployment, metadata: {name: web, namespace: shop}, spec: {replicas: 8, selector: {matchLabels: {app: web}}, template: {metadata: {labels: {app: web}}}}}`,
		`{apiVersion: v1, kind: Service, metadata: {name: web, namespace: shop}, spec: {selector: {app: web}, ports: [{port: 80}]}}`,
		`{apiVersion: gateway.networking.k8s.io/v1, kind: HTTPRoute, metadata: {name: web, namespace: shop}, spec: {rules: [{backendRefs: [{name: web, port: 80}]}]}}`,
	} {
		raw, err := yaml.YAMLToJSON([]byte(text))
		if err != nil {
			t.Fatal(err)
		}
		o := &unstructured.Unstructured{}
		if err := o.UnmarshalJSON(raw); err != nil {
			t.Fatal(err)
		}
		objects = append(objects, o)
	}
	of := PreviewOf{Objects: objects, Rules: config.Environment{Namespace: "shop", Rollout: config.Rollout{
		Canary:   &config.Canary{Capacity: config.SurgeCapacity, Steps: []config.CanaryStep{{Weight: 50, Analysis: []string{"errors"}}}},
		Traffic:  &config.Traffic{HTTPRoute: "web", Service: "web"},
		Analysis: []config.Analysis{{Name: "errors"}, {Name: "later"}},
	}}}
	want := []PreviewStage{{
		Stage: 1, Step: "50%", Analysis: []string{"errors", "later"},
		Workloads: []PreviewWorkload{{Object: "Deployment/shop/web", Replicas: 8, New: 4, Proven: 8, Routed: true}},
	}}
	if got := of.Preview(); got.Refused != "" || !cmp.Equal(want, got.Stages) {
		t.Errorf("refused %q; stages -want +got\n%s", got.Refused, cmp.Diff(want, got.Stages))
	}
	of.Rules.Rollout.Traffic.Service = "other"
	if got := of.Preview(); !strings.Contains(got.Refused, "other") {
		t.Errorf("a Service that is not there is not refused: %q", got.Refused)
	}
}

// TestPreviewInPlace: only the cluster knows how many pods a DaemonSet has.
func TestPreviewInPlace(t *testing.T) {
	daemon := func(status map[string]any) *unstructured.Unstructured {
		return &unstructured.Unstructured{Object: map[string]any{
			"apiVersion": "apps/v1", "kind": "DaemonSet", "metadata": map[string]any{"name": "logs", "namespace": "shop"},
			"spec": map[string]any{}, "status": status,
		}}
	}
	of := PreviewOf{Objects: []*unstructured.Unstructured{daemon(nil)}}
	of.Rules.Rollout.Canary = &config.Canary{Capacity: config.SurgeCapacity, Steps: []config.CanaryStep{{Weight: 50}}}
	want := PreviewWorkload{Object: "DaemonSet/shop/logs", InPlace: true}
	if diff := cmp.Diff(want, of.Preview().Stages[0].Workloads[0]); diff != "" {
		t.Errorf("without a cluster: -want +got\n%s", diff)
	}
	of.Changes = []apply.Planned{{ID: apply.IDOf(of.Objects[0]), Action: apply.Configured, Fields: []string{"spec.template.spec.containers[logs].image"}}}
	of.Live = []*unstructured.Unstructured{daemon(map[string]any{"desiredNumberScheduled": int64(5)})}
	want.Replicas, want.New, want.Proven = 5, 2, 3
	if diff := cmp.Diff(want, of.Preview().Stages[0].Workloads[0]); diff != "" {
		t.Errorf("with one: -want +got\n%s", diff)
	}
}
