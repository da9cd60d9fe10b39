package apply

import (
	"context"
	"maps"
	"reflect"
	"slices"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
)

// ClaimTemplate makes ours what others wrote into the pod template of a workload, as kubectl rollout restart and set env do,
// where it differs from an earlier template: so the next apply takes it out again where the manifest has it not. The template
// itself is not changed, and no pod is touched. Who writes by apply keeps its fields. Nothing to do is no error; an object
// that is not there is [ErrGone].
func (c *Client) ClaimTemplate(ctx context.Context, owner Owner, obj *unstructured.Unstructured, earlier map[string]any) error {
	s, err := c.there(ctx, owner, obj)
	if err != nil {
		return err
	}
	err = c.patched(ctx, s, "its template changes too often to be taken over", func(live *unstructured.Unstructured) ([]operation, error) {
		entries, moved := templateClaimed(live, earlier)
		if !moved {
			return nil, nil
		}
		return []operation{{Op: "replace", Path: "/metadata/managedFields", Value: entries}}, nil
	})
	if err != nil {
		return c.refusal(ctx, s.ID, err)
	}
	return nil
}

// templateClaimed makes a copy of an object's managedFields in which what others updated below spec.template is ours, where
// it differs from an earlier template; false where there is nothing of it.
func templateClaimed(live *unstructured.Unstructured, earlier map[string]any) (entries []any, moved bool) {
	meta, _ := live.Object["metadata"].(map[string]any)
	before, _ := meta["managedFields"].([]any)
	entries, _ = runtime.DeepCopyJSONValue(before).([]any)
	ours := applied(&unstructured.Unstructured{Object: map[string]any{"metadata": map[string]any{"managedFields": entries}}}, Manager)
	mine, _ := ours["f:spec"].(map[string]any)
	mine, _ = mine["f:template"].(map[string]any)
	if mine == nil {
		return nil, false
	}
	now, _, _ := unstructured.NestedMap(live.Object, "spec", "template")
	for _, e := range entries {
		entry, _ := e.(map[string]any)
		theirs, _ := entry["fieldsV1"].(map[string]any)
		sub, _ := entry["subresource"].(string)
		spec, _ := theirs["f:spec"].(map[string]any)
		template, _ := spec["f:template"].(map[string]any)
		if entry["operation"] == "Update" && sub == "" && claimChanged(mine, template, now, earlier) {
			moved = true
		}
	}
	return entries, moved
}

// claimChanged moves fields of another manager to ours where what is live differs from what was earlier.
func claimChanged(ours, theirs map[string]any, live, earlier any) (moved bool) {
	for _, element := range slices.Sorted(maps.Keys(theirs)) {
		child, _ := theirs[element].(map[string]any)
		is, lives := descend(live, element)
		was, had := descend(earlier, element)
		switch {
		case element == "." || !lives || had && len(child) == 0 && reflect.DeepEqual(is, was):
		case had && len(child) > 0:
			mine, there := ours[element].(map[string]any)
			if !there {
				mine = map[string]any{}
			}
			if claimChanged(mine, child, is, was) {
				ours[element], moved = mine, true
			}
		default:
			ours[element], moved = child, true
			delete(theirs, element)
		}
	}
	return moved
}
