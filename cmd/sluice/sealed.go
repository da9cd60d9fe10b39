package main

import (
	"maps"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/sluice-cd/sluice/reconciler/apply"
)

// unknownValue stands for one that only the agent can decrypt: "encrypted", in base64.
const unknownValue = "ZW5jcnlwdGVk"

// asIfUnchanged opens encrypted Secrets without a key, for a comparison: entries that are there have the values that they have
// in the cluster, new ones some value. So a plan tells which entries come and go, and not whether values change.
func asIfUnchanged(live []*unstructured.Unstructured) func(*unstructured.Unstructured) (*unstructured.Unstructured, error) {
	return func(o *unstructured.Unstructured) (*unstructured.Unstructured, error) {
		var has map[string]any
		if i := slices.IndexFunc(live, func(l *unstructured.Unstructured) bool { return apply.IDOf(l) == apply.IDOf(o) }); i >= 0 {
			has, _ = live[i].Object["data"].(map[string]any)
		}
		made := o.DeepCopy()
		data := map[string]any{}
		for _, field := range []string{"data", "stringData"} {
			entries, _ := made.Object[field].(map[string]any)
			_, lines := entries["sops_mac"] // a file of lines: what SOPS wrote of itself are entries too
			for key := range maps.Keys(entries) {
				if lines && strings.HasPrefix(key, "sops_") {
					continue
				}
				if data[key] = has[key]; data[key] == nil {
					data[key] = unknownValue
				}
			}
			delete(made.Object, field)
		}
		made.Object["data"] = data
		delete(made.Object, "sops")
		return made, nil
	}
}
