package apply

import (
	"net/http"
	"strings"
	"testing"
)

const statefulSet = `
apiVersion: apps/v1
kind: StatefulSet
metadata: {name: db, namespace: NS, annotations: {sluice.dev/recreate: "RECREATE"}}
spec:
  replicas: 3
  serviceName: db
  selector: {matchLabels: {app: db}}
  template:
    metadata: {labels: {app: db}}
    spec: {containers: [{name: db, image: "db:1"}]}`

func TestLesson01_AnInvalidReplacementLeavesTheLiveObject(t *testing.T) {
	const movable = `{apiVersion: v1, kind: Service, metadata: {name: svc, namespace: NS, annotations: {sluice.dev/recreate: "true"}}, spec: {clusterIP: "10.0.0.IP", type: NodePort, ports: [{port: 80, nodePort: 30080}]}}`
	service := func(ip string) string { return strings.ReplaceAll(movable, "IP\"", ip+"\"") }
	job := func(image string) string {
		return `{apiVersion: batch/v1, kind: Job, metadata: {name: job, namespace: NS, annotations: {sluice.dev/recreate: "true"}}, spec: {template: {spec: {restartPolicy: Never, containers: [{name: a, image: "` + image + `"}]}}}}`
	}
	claim := func(size string) string {
		return `{apiVersion: v1, kind: PersistentVolumeClaim, metadata: {name: data, namespace: NS, annotations: {sluice.dev/recreate: "true"}}, spec: {storageClassName: ` + size + `, accessModes: [ReadWriteOnce], resources: {requests: {storage: 1Gi}}}}`
	}
	recreated := strings.ReplaceAll(statefulSet, "RECREATE", "true")
	cases := map[string]struct {
		reason      string
		first, then string
		want        string // error; empty: it is recreated
	}{
		"Immutable":        {"an immutable field, and a valid replacement", recreated, strings.ReplaceAll(recreated, "serviceName: db", "serviceName: other"), ""},
		"Job":              {"a Job's template is immutable", job("a:1"), job("a:2"), ""},
		"Service":          {"its address and port are taken while it is there", service("200"), service("201"), ""},
		"NotAsked":         {"nobody allowed it", strings.ReplaceAll(statefulSet, "RECREATE", "false"), strings.NewReplacer("RECREATE", "false", "serviceName: db", "serviceName: other").Replace(statefulSet), `(to delete it and create it anew annotate it with sluice.dev/recreate: "true")`},
		"Invalid":          {"a field is invalid, not immutable", recreated, strings.ReplaceAll(recreated, "replicas: 3", "replicas: -3"), "spec.replicas: Invalid value: -3"},
		"BothAtOnce":       {"an immutable field and an invalid one", job("a:1"), strings.ReplaceAll(job("a:2"), "Never", "Always"), "spec.template.spec.restartPolicy: Required value"},
		"InvalidIfCreated": {"the API server looks at the rest only for a new one", recreated, strings.NewReplacer("serviceName: db", "serviceName: other", "name: db, image", "name: DB_, image").Replace(recreated), "spec.template.spec.containers[0].name: Invalid value"},
		"Data":             {"a claim's data could not be had again", claim("fast"), claim("slow"), "(a PersistentVolumeClaim is never recreated)"},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			f := setUp(t)
			first := f.apply(f.request(tc.first))
			id := first.Entries[0].ID
			t.Cleanup(func() { f.delete(id) }) // addresses and ports are the server's
			req := f.request(tc.then)
			req.Inventory = first.Entries
			plan, err := f.client.Plan(f.Context(), req)
			if tc.want != "" {
				if err == nil || !strings.Contains(err.Error(), tc.want) || !Final(err) {
					t.Errorf("%s: error %v; want %s", tc.reason, err, tc.want)
				}
				if got := string(f.live(id).GetUID()); got != first.Entries[0].UID {
					t.Errorf("%s: the live object is not the one from before", tc.reason)
				}
				return
			}
			must(plan, err)(t)
			result := must(f.client.Apply(f.Context(), plan))(t)
			change, entry, live := result.Changes[0], result.Entries[0], f.live(id)
			if change.Action != Configured || !strings.HasPrefix(change.Reason, "recreated: ") || len(change.Fields) == 0 {
				t.Errorf("change %+v", change)
			}
			if entry.UID == first.Entries[0].UID || entry.UID != string(live.GetUID()) || entry.Hash != f.cluster.Hash(live) {
				t.Errorf("entry %+v; want the new object's", entry)
			}
		})
	}
}

func TestRecreate_KeepsReplicasThatGitHasNot(t *testing.T) {
	f := setUp(t)
	id := f.id("StatefulSet", "db")
	none := strings.NewReplacer("RECREATE", "true", "  replicas: 3\n", "").Replace(statefulSet)
	first := f.apply(f.request(none))
	f.edit(id, "kube-controller-manager", `{spec: {replicas: 4}}`, "scale")
	f.again(first, strings.ReplaceAll(none, "serviceName: db", "serviceName: other"))
	live := f.live(id)
	if n, _ := replicasOf(live); n != 4 {
		t.Errorf("replicas %d; want 4", n)
	}
	if owners := scalingOf(live, false); owners != (scaling{handed: true}) {
		t.Errorf("owners of the number: %+v; want only %s", owners, ScaleManager)
	}
}

func TestRecreate_WaitsForFinalizers(t *testing.T) {
	f := setUp(t)
	id := f.id("StatefulSet", "db")
	doc := strings.NewReplacer("RECREATE", "true", "namespace: NS,", "namespace: NS, finalizers: [shop.example/wait],").Replace(statefulSet)
	first := f.apply(f.request(doc))
	req := f.request(strings.ReplaceAll(doc, "serviceName: db", "serviceName: other"))
	req.Inventory = first.Entries
	_, err := f.client.Apply(f.Context(), f.plan(req))
	if err == nil || Final(err) || !strings.Contains(err.Error(), "waits for finalizers shop.example/wait") {
		t.Errorf("error %v; want that it waits for its finalizers, to be tried again", err)
	}
	f.edit(id, "test", `{metadata: {finalizers: null}}`)
	f.apply(req)
	if got := nested(f.live(id), "spec", "serviceName"); got != "other" {
		t.Errorf("serviceName %v", got)
	}
}

func TestRecreate_IsNotCutShort(t *testing.T) {
	f := setUp(t)
	doc := strings.ReplaceAll(statefulSet, "RECREATE", "true")
	first := f.apply(f.request(doc))
	req := f.request(strings.ReplaceAll(doc, "serviceName: db", "serviceName: other"))
	req.Inventory = first.Entries
	plan := f.plan(req)
	ctx, cancel := f.cancelAt(func(r *http.Request) bool { return r.Method == http.MethodDelete })
	defer cancel()
	result, _ := f.client.Apply(ctx, plan)
	if !f.exists(f.id("StatefulSet", "db")) || len(result.Changes) != 1 {
		t.Errorf("the old one is gone and no new one is there: %+v", result.Changes)
	}
}

func TestLesson01_ARuleAboutChangesIsNoImmutableField(t *testing.T) {
	f := setUp(t)
	f.put(strings.NewReplacer("SCOPE", "Namespaced", "size: {type: integer}",
		`size: {type: integer, x-kubernetes-validations: [{rule: "self >= oldSelf", message: "must not shrink"}]}`).Replace(definition))
	f.served(ID{Kind: "CustomResourceDefinition", Group: "apiextensions.k8s.io", Name: "carts." + f.ns + ".example"})
	cart := `{apiVersion: NS.example/v1, kind: Cart, metadata: {name: cart, namespace: NS, annotations: {sluice.dev/recreate: "true"}}, spec: {size: 3}}`
	first := must(f.client.Apply(f.Context(), f.planned(f.request(cart))))(t)
	req := f.request(strings.ReplaceAll(cart, "size: 3", "size: 2"))
	req.Inventory = first.Entries
	plan, err := f.client.Plan(f.Context(), req)
	if err == nil || !strings.Contains(err.Error(), "must not shrink") || !Final(err) {
		t.Errorf("plan %+v, error %v; want that it must not shrink", plan, err)
	}
}
