package main

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
)

// TestSealedLinesAreNoEntries: what SOPS writes of itself into a file of lines is not among the Secret's entries once it is
// decrypted, so a comparison does not want to add it.
func TestSealedLinesAreNoEntries(t *testing.T) {
	secret := func(data map[string]any) *unstructured.Unstructured {
		return &unstructured.Unstructured{Object: map[string]any{
			"apiVersion": "v1", "kind": "Secret", "metadata": map[string]any{"name": "a", "namespace": "shop"}, "data": data,
		}}
	}
	live := secret(map[string]any{"token": "bGl2ZQ=="})
	got, err := asIfUnchanged([]*unstructured.Unstructured{live})(secret(map[string]any{
		"token": "RU5D", "sops_mac": "bWFj", "sops_age__list_0__map_enc": "ZW5j", "sops_version": "My4xMQ==",
	}))
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(live.Object, got.Object); diff != "" {
		t.Errorf("it differs from the live one:\n%s", diff)
	}
	got, err = asIfUnchanged([]*unstructured.Unstructured{live})(secret(map[string]any{"token": "RU5D", "sops_note": "b3du"}))
	if err != nil {
		t.Fatal(err)
	}
	if data, _, _ := unstructured.NestedMap(got.Object, "data"); data["sops_note"] == nil {
		t.Errorf("an entry of the user's own is gone: %v", data)
	}
}
