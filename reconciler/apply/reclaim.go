package apply

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
)

// Who edits the key of a list item, as the number of a Service's port, replaces the item: ours is gone, and one that
// they own stands in its place. An apply would set ours beside theirs, which leaves both, or is refused where they
// share a name. So what replaced an item of ours is made ours first, and goes with the apply that brings ours back.

// swapped makes a copy of an object's managedFields in which items that replaced ones of Git's are ours, and returns
// their paths, sorted; none: there are no such items. An item of somebody else counts as a replacement where a list
// lacks one that Git has. Controllers that write through a subresource or by apply are left alone.
func swapped(live, wanted *unstructured.Unstructured) (entries []any, paths []string) {
	meta, _ := live.Object["metadata"].(map[string]any)
	before, _ := meta["managedFields"].([]any)
	entries, _ = runtime.DeepCopyJSONValue(before).([]any)
	ours := applied(&unstructured.Unstructured{Object: map[string]any{"metadata": map[string]any{"managedFields": entries}}}, Manager)
	if ours == nil {
		return nil, nil
	}
	for _, e := range entries {
		entry, _ := e.(map[string]any)
		theirs, _ := entry["fieldsV1"].(map[string]any)
		sub, _ := entry["subresource"].(string)
		if entry["operation"] == "Update" && sub == "" && theirs != nil {
			claimItems(&paths, "", theirs, ours, wanted.Object, live.Object)
		}
	}
	slices.Sort(paths)
	return entries, slices.Compact(paths)
}

// claimItems moves items from the fields of another manager to ours.
func claimItems(paths *[]string, path string, theirs, ours map[string]any, wanted, live any) {
	for _, element := range slices.Sorted(maps.Keys(theirs)) {
		child, _ := theirs[element].(map[string]any)
		inWanted, wants := within(wanted, element)
		inLive, lives := descend(live, element)
		switch {
		case !wants && lives && lacks(live, wanted, element):
			ours[element] = child
			delete(theirs, element)
			*paths = append(*paths, path)
		case wants && lives && len(child) > 0:
			mine, there := ours[element].(map[string]any)
			if !there {
				mine = map[string]any{}
			}
			at := path
			if name, isField := strings.CutPrefix(element, "f:"); isField {
				at = join(path, name)
			}
			claimItems(paths, at, child, mine, inWanted, inLive)
			if len(mine) > 0 {
				ours[element] = mine
			}
		}
	}
}

// within is descend for what Git says, where a key that is left to its default may be any.
func within(wanted any, element string) (any, bool) {
	keys, isItem := keysOf(element)
	if !isItem {
		return descend(wanted, element)
	}
	for _, item := range listOf(wanted) {
		if sameKeys(item, keys, keys) {
			return item, true
		}
	}
	return nil, false
}

func keysOf(element string) (keys map[string]any, isItem bool) {
	raw, isItem := strings.CutPrefix(element, "k:")
	return keys, isItem && json.Unmarshal([]byte(raw), &keys) == nil
}

// lacks reports whether a live list lacks an item that Git has, by the keys of a path element.
func lacks(live, wanted any, element string) bool {
	keys, isItem := keysOf(element)
	there := listOf(live)
	return isItem && slices.ContainsFunc(listOf(wanted), func(item any) bool {
		return !slices.ContainsFunc(there, func(other any) bool { return sameKeys(item, other, keys) })
	})
}

// sameKeys reports whether two items have the same keys, of which the first may leave some to their default.
func sameKeys(item, other any, keys map[string]any) bool {
	a, ok := item.(map[string]any)
	b, _ := other.(map[string]any)
	for key := range keys {
		if value, stated := a[key]; stated && !scalarsEqual(value, b[key]) {
			return false
		}
	}
	return ok
}

func listOf(value any) []any {
	list, _ := value.([]any)
	return list
}

// mayReclaim decides whether an object whose dry-run was refused is applied all the same, after the items that are in
// its way were made ours. As no dry-run can show that, the manifest must be one that the API server takes by itself.
func (c *Client) mayReclaim(ctx context.Context, s *step, refused error) bool {
	if !apierrors.IsInvalid(refused) || immutable(refused) {
		return false
	}
	if _, paths := swapped(s.live, s.obj); len(paths) == 0 || c.create(ctx, s.kind, s.ID, s.twin(), Manager, true) != nil {
		return false
	}
	s.takeBack()
	return true
}

// takeBack makes the apply take back what replaced items of ours, if anything did.
func (s *step) takeBack() {
	if _, paths := swapped(s.live, s.obj); len(paths) > 0 {
		s.reclaim, s.write, s.Action = true, true, Configured
		s.Fields = slices.Compact(slices.Sorted(slices.Values(append(s.Fields, paths...))))
	}
}

// reclaimItems makes items that replaced ones of ours ours, in one patch that counts only for the very state that was
// looked at.
func (c *Client) reclaimItems(ctx context.Context, s *step) error {
	tooOften := fmt.Sprintf("it changes too often to take back %v", s.Fields)
	return c.patched(ctx, s, tooOften, func(live *unstructured.Unstructured) ([]operation, error) {
		entries, paths := swapped(live, s.obj)
		if len(paths) == 0 {
			return nil, nil
		}
		return []operation{{Op: "replace", Path: "/metadata/managedFields", Value: entries}}, nil
	})
}
