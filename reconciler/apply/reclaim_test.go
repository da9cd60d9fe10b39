package apply

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
)

const web = `{apiVersion: v1, kind: Service, metadata: {name: web, namespace: NS}, spec: {clusterIP: None, selector: {app: web}, ports: [{name: http, port: 80}]}}`

// TestSwappedItems: who edits the key of a list item puts an item of their own in place of ours.
func TestSwappedItems(t *testing.T) {
	container := []string{"spec", "template", "spec", "containers"}
	cases := map[string]struct {
		reason     string
		doc, later string // what Git says then; empty: the same
		manager    string
		patch      string
		apply      string // by server-side apply instead
		list       []string
		key        string
		want       []any
		fields     []string // that are reported; nil: it is no drift
	}{
		"Port":     {"the API server refuses ours beside theirs, as both have one name", web, "", "kubectl-edit", `[{"op":"replace","path":"/spec/ports/0/port","value":81}]`, "", []string{"spec", "ports"}, "port", []any{int64(80)}, []string{"spec.ports"}},
		"Released": {"and so would the next release be", web, strings.ReplaceAll(web, "port: 80", "port: 82"), "kubectl-edit", `[{"op":"replace","path":"/spec/ports/0/port","value":81}]`, "", []string{"spec", "ports"}, "port", []any{int64(82)}, []string{"spec.ports"}},
		"Container": {"a container under another name would run beside ours for ever", deployment, "", "kubectl-edit", `[{"op":"replace","path":"/spec/template/spec/containers/0/name","value":"other"}]`, "", container, "name", []any{"web"},
			[]string{"spec.template.spec.containers[web]"}},
		"Sidecar": {"one that was added is somebody else's business", deployment, "", "injector", `[{"op":"add","path":"/spec/template/spec/containers/-","value":{"name":"proxy","image":"proxy:1"}}]`, "", container, "name", []any{"web", "proxy"}, nil},
		"Applied": {"and one that another tool applies is never taken", web, "", "other", "", strings.ReplaceAll(web, "{name: http, port: 80}", "{name: extra, port: 90}"),
			[]string{"spec", "ports"}, "port", []any{int64(80), int64(90)}, nil},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			f := setUp(t)
			id := IDOf(f.manifests(tc.doc)[0])
			first := f.apply(f.request(tc.doc))
			if tc.apply != "" {
				f.applyAs(tc.manager, tc.apply)
			} else {
				f.patchJSON(id, tc.manager, tc.patch)
			}
			if same := f.cluster.Hash(f.live(id)) == first.Entries[0].Hash; same != (tc.fields == nil) {
				t.Errorf("%s: the hash is the same: %v", tc.reason, same)
			}
			if diff := cmp.Diff(tc.fields, must(f.client.Drift(f.Context(), f.owner, f.manifests(tc.doc)[0], first.Entries[0]))(t)); diff != "" {
				t.Errorf("%s: fields -want +got\n%s", tc.reason, diff)
			}
			doc := tc.doc
			if tc.later != "" {
				doc = tc.later
			}
			req := f.request(doc)
			req.Inventory = first.Entries
			if tc.later == "" && tc.fields != nil {
				req.Drifted = map[ID]string{id: "changed"}
			}
			result := f.apply(req)
			if got := items(f.live(id), tc.key, tc.list...); !cmp.Equal(tc.want, got) {
				t.Errorf("%s: %v; want %v", tc.reason, got, tc.want)
			}
			f.wire.took()
			f.again(result, doc)
			if got := f.wire.took(); len(got) > 0 {
				t.Errorf("%s: it is not at rest: %v", tc.reason, got)
			}
		})
	}
}

func items(obj *unstructured.Unstructured, key string, path ...string) (found []any) {
	list, _ := nested(obj, path...).([]any)
	for _, item := range list {
		found = append(found, item.(map[string]any)[key])
	}
	return found
}

// TestSwappedItems_ARefusedReleaseTouchesNothing: what is in the way is made ours only for a manifest that the API server
// takes.
func TestSwappedItems_ARefusedReleaseTouchesNothing(t *testing.T) {
	f := setUp(t)
	first := f.apply(f.request(web))
	id := first.Entries[0].ID
	f.patchJSON(id, "kubectl-edit", `[{"op":"replace","path":"/spec/ports/0/port","value":81}]`)
	before := f.live(id)
	req := f.request(strings.ReplaceAll(web, "port: 80", "port: 82, targetPort: Not_A_Name"))
	req.Inventory = first.Entries
	if _, err := f.client.Plan(f.Context(), req); err == nil || !strings.Contains(err.Error(), "targetPort") {
		t.Errorf("error %v; want one about targetPort", err)
	}
	if diff := cmp.Diff(before, f.live(id)); diff != "" {
		t.Errorf("it was touched: %s", diff)
	}
}
