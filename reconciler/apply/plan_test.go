package apply

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestLesson13_AllFaultsAtOnce(t *testing.T) {
	f := setUp(t)
	_, err := f.client.Plan(f.Context(), f.request(
		configMap,
		strings.ReplaceAll(deployment, "replicas: 2", "replicas: -1"),
		strings.NewReplacer("name: web, namespace", "name: typo, namespace", "resources:", "resource:").Replace(deployment),
		`{apiVersion: shop.example/v1, kind: Cart, metadata: {name: cart, namespace: NS}}`,
		`{apiVersion: v1, kind: ConfigMap, metadata: {name: nowhere, namespace: NS-missing}}`,
		`{apiVersion: v1, kind: ConfigMap, metadata: {name: homeless}}`,
		`{apiVersion: v1, kind: ConfigMap, metadata: {name: twice, namespace: NS}}`,
		`{apiVersion: v1, kind: ConfigMap, metadata: {name: twice, namespace: NS}}`,
		`{apiVersion: v1, kind: ConfigMap, metadata: {name: numbers, namespace: NS}, data: {a: 1}}`,
		`{apiVersion: v1, kind: ConfigMap, metadata: {generateName: x-, namespace: NS}}`,
	))
	var got Errors
	if !errors.As(err, &got) {
		t.Fatalf("error %v; want Errors", err)
	}
	want := Errors{
		{ID: ID{Group: "shop.example", Kind: "Cart", Namespace: f.ns, Name: "cart"}, Reason: "no such kind: apiVersion shop.example/v1, kind Cart; is the CRD missing?"},
		{ID: ID{Kind: "ConfigMap", Name: "homeless"}, Reason: "metadata.namespace is required"},
		{ID: f.id("ConfigMap", ""), Reason: "apiVersion, kind and metadata.name are required"},
		{ID: f.id("ConfigMap", "numbers"), Fields: []string{"data.a"}, Reason: "data.a: expected string", Code: 500},
		{ID: f.id("ConfigMap", "twice"), Reason: "it is there twice in the release"},
		{ID: ID{Kind: "ConfigMap", Namespace: f.ns + "-missing", Name: "nowhere"}, Reason: `namespaces "` + f.ns + `-missing" not found`, Code: 404},
		{ID: f.id("Deployment", "typo"), Fields: []string{`spec.template.spec.containers[name="web"].resource`}, Reason: `unknown field spec.template.spec.containers[name="web"].resource`, Code: 500},
		{ID: f.id("Deployment", "web"), Fields: []string{"spec.replicas"}, Reason: "spec.replicas: Invalid value: -1: must be greater than or equal to 0", Code: 422},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("-want +got\n%s", diff)
	}
	if !Final(err) {
		t.Error("the faults are not final")
	}
	if f.exists(f.id("ConfigMap", "config")) {
		t.Error("something was written")
	}
}

const definition = `
apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: {name: carts.NS.example}
spec:
  group: NS.example
  scope: SCOPE
  names: {kind: Cart, plural: carts, singular: cart, listKind: CartList}
  versions:
  - name: v1
    served: true
    storage: true
    schema:
      openAPIV3Schema: {type: object, properties: {spec: {type: object, properties: {size: {type: integer}}}}}`

func TestPlan_DefinitionsFirst(t *testing.T) {
	f := setUp(t)
	docs := []string{
		strings.ReplaceAll(definition, "SCOPE", "Namespaced"),
		`{apiVersion: v1, kind: Namespace, metadata: {name: NS-new}}`,
		`{apiVersion: NS.example/v1, kind: Cart, metadata: {name: cart, namespace: NS}, spec: {size: 3}}`,
		`{apiVersion: v1, kind: ConfigMap, metadata: {name: inside, namespace: NS-new}}`,
		configMap,
	}
	plan := f.plan(f.request(docs...))
	var later []string
	for _, p := range plan.Changes {
		if p.Later {
			later = append(later, p.ID.Name)
		}
	}
	slices.Sort(later)
	if diff := cmp.Diff([]string{"cart", "inside"}, later); diff != "" || !plan.Definitions {
		t.Fatalf("definitions %v, later: -want +got\n%s", plan.Definitions, diff)
	}
	first := must(f.client.Apply(f.Context(), plan))(t)
	want := map[string]Action{"CustomResourceDefinition/carts." + f.ns + ".example": Created, "Namespace/" + f.ns + "-new": Created}
	if diff := cmp.Diff(want, actions(first.Changes)); diff != "" {
		t.Errorf("first: -want +got\n%s", diff)
	}
	if len(first.Entries) != len(docs) {
		t.Errorf("%d entries; want all %d", len(first.Entries), len(docs))
	}
	f.served(ID{Kind: "CustomResourceDefinition", Group: "apiextensions.k8s.io", Name: "carts." + f.ns + ".example"})

	req := f.request(docs...)
	req.Inventory = first.Entries
	plan = f.planned(req)
	second := must(f.client.Apply(f.Context(), plan))(t)
	want = map[string]Action{
		"CustomResourceDefinition/carts." + f.ns + ".example": Unchanged, "Namespace/" + f.ns + "-new": Unchanged,
		"Cart/cart": Created, "ConfigMap/inside": Created, "ConfigMap/config": Created,
	}
	if diff := cmp.Diff(want, actions(second.Changes)); diff != "" {
		t.Errorf("second: -want +got\n%s", diff)
	}

	// A definition that changes comes before the objects that need the change.
	grown := append([]string{strings.ReplaceAll(docs[0], "size: {type: integer}", "size: {type: integer}, colour: {type: string}")}, docs[1:]...)
	grown[2] = strings.ReplaceAll(grown[2], "size: 3", "size: 3, colour: red")
	req = f.request(grown...)
	req.Inventory = second.Entries
	if plan = f.plan(req); !plan.Definitions {
		t.Error("a changed definition does not come first")
	}

	// Definitions and namespaces are never pruned unasked.
	changes := must(f.client.Prune(f.Context(), f.owner, second.Entries, PruneOptions{}))(t)
	want = map[string]Action{
		"CustomResourceDefinition/carts." + f.ns + ".example": Skipped, "Namespace/" + f.ns + "-new": Skipped,
		"Cart/cart": Deleted, "ConfigMap/inside": Deleted, "ConfigMap/config": Deleted,
	}
	if diff := cmp.Diff(want, actions(changes)); diff != "" {
		t.Errorf("pruned: -want +got\n%s", diff)
	}
	changes = must(f.client.Prune(f.Context(), f.owner, second.Entries, PruneOptions{Allow: []string{"CustomResourceDefinition"}}))(t)
	if got := actions(changes)["CustomResourceDefinition/carts."+f.ns+".example"]; got != Deleted {
		t.Errorf("an allowed definition is %s; want deleted", got)
	}
}

func TestPlan_NamespaceOnAClusterWideKind(t *testing.T) {
	f := setUp(t)
	f.put(strings.ReplaceAll(definition, "SCOPE", "Cluster"))
	f.served(ID{Kind: "CustomResourceDefinition", Group: "apiextensions.k8s.io", Name: "carts." + f.ns + ".example"})
	req := f.request(`{apiVersion: NS.example/v1, kind: Cart, metadata: {name: cart, namespace: NS}, spec: {size: 3}}`)
	result := must(f.client.Apply(f.Context(), f.planned(req)))(t)
	id := ID{Group: f.ns + ".example", Kind: "Cart", Name: "cart"}
	if got := result.Entries[0].ID; got != id {
		t.Errorf("entry of %+v; want %+v", got, id)
	}
	if got := IDOf(f.cluster.Scoped(req.Objects)[0]); got != id {
		t.Errorf("scoped %+v; want %+v", got, id)
	}
	if got := req.Objects[0].GetNamespace(); got != f.ns {
		t.Errorf("the manifest given was changed: namespace %q", got)
	}
}

func TestPlan_Clashes(t *testing.T) {
	cases := map[string]struct {
		reason string
		owner  Owner
		agent  string
		want   string
	}{
		"Own":         {"what we own is ours", Owner{Application: "shop", Environment: "staging"}, "test", ""},
		"Application": {"two applications must not fight over one object", Owner{Application: "blog", Environment: "staging"}, "test", `it belongs to application "shop", environment "staging"; this is application "blog", environment "staging"`},
		"Environment": {"nor two environments", Owner{Application: "shop", Environment: "qa"}, "test", `it belongs to application "shop", environment "staging"; this is application "shop", environment "qa"`},
		"Renamed":     {"was: hands objects over", Owner{Application: "store", Environment: "staging", Was: []Owner{{Application: "shop", Environment: "staging"}}}, "test", ""},
		"Agent":       {"two agents serve one environment by mistake", Owner{Application: "shop", Environment: "staging"}, "other", `it belongs to agent "test" and this is agent "other": two agents serve application "shop", environment "staging"`},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			f := setUp(t)
			f.apply(f.request(configMap))
			client := f.agent(tc.agent).As(f.ns + "/deployer")
			for _, adopt := range []bool{false, true} {
				plan, err := client.Plan(f.Context(), Request{Owner: tc.owner, Objects: f.manifests(configMap), Adopt: adopt})
				if tc.want == "" {
					must(plan, err)(t)
					must(client.Apply(f.Context(), plan))(t)
					if got := f.live(f.id("ConfigMap", "config")).GetLabels()[LabelApplication]; got != tc.owner.Application {
						t.Errorf("%s: it belongs to %q", tc.reason, got)
					}
					continue
				}
				if want := "ConfigMap/" + f.ns + "/config: " + tc.want; err == nil || err.Error() != want {
					t.Errorf("%s: error %v; want %s", tc.reason, err, want)
				}
			}
		})
	}
}

func TestPlan_LabelsTakenOffAreOnlyDrift(t *testing.T) {
	f := setUp(t)
	id := f.id("ConfigMap", "config")
	first := f.apply(f.request(configMap))
	f.edit(id, "kubectl-label", `{metadata: {labels: {sluice.dev/application: null, sluice.dev/environment: null}}}`)
	req := f.request(configMap)
	if _, err := f.client.Plan(f.Context(), req); err == nil {
		t.Error("an object without labels that is in no inventory is taken for ours")
	}
	req.Inventory, req.Drifted = first.Entries, map[ID]string{id: "changed"}
	f.apply(req)
	if got := f.live(id).GetLabels()[LabelApplication]; got != "shop" {
		t.Errorf("application label %q", got)
	}
}

func TestPlan_BeingDeleted(t *testing.T) {
	f := setUp(t)
	id := f.id("ConfigMap", "config")
	f.apply(f.request(strings.ReplaceAll(configMap, "namespace: NS", "namespace: NS, finalizers: [shop.example/wait]")))
	f.delete(id)
	_, err := f.client.Plan(f.Context(), f.request(configMap))
	if want := id.String() + ": it is being deleted; it waits for finalizers shop.example/wait"; err == nil || err.Error() != want || Final(err) {
		t.Errorf("error %v; want %s, to be tried again", err, want)
	}
	f.edit(id, "test", `{metadata: {finalizers: null}}`)
}

func TestPlan_Forbidden(t *testing.T) {
	f := setUp(t)
	weak := f.cluster.As(f.ns + "/weak")
	_, err := weak.Plan(f.Context(), f.request(deployment, secret))
	want := `Deployment/NS/web: service account "NS/weak" may not patch deployments.apps in namespace NS
Secret/NS/password: service account "NS/weak" may not patch secrets in namespace NS`
	if got := strings.ReplaceAll(err.Error(), f.ns, "NS"); got != want {
		t.Errorf("error\n%s\nwant\n%s", got, want)
	}
	_, err = f.cluster.As("deployer").Plan(f.Context(), f.request(configMap))
	if !errors.Is(err, ErrServiceAccount) || !Final(err) {
		t.Errorf("a service account without namespace: %v; want %v", err, ErrServiceAccount)
	}
}

func TestPlan_AValueThatDoesNotFitIsNamed(t *testing.T) {
	cases := map[string]struct {
		reason, doc, want string
		not               string
	}{
		"Quantity": {"the API server says no field", strings.ReplaceAll(deployment, "cpu: 1000m", "cpu: twenty, memory: 1 GB"),
			"Deployment/NS/web: spec.template.spec.containers[web].resources.requests.cpu: quantities must match", ""},
		"Both": {"each of them is named", strings.ReplaceAll(deployment, "cpu: 1000m", "cpu: twenty, memory: 1 GB"),
			"spec.template.spec.containers[web].resources.requests.memory: quantities must match", ""},
		"Secret": {"without the value", `{apiVersion: v1, kind: Secret, metadata: {name: s, namespace: NS}, data: {a: "hunter2!"}}`, "Secret/NS/s: data", "hunter2"},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			f := setUp(t)
			_, err := f.client.Plan(f.Context(), f.request(tc.doc))
			if err == nil || !strings.Contains(err.Error(), strings.ReplaceAll(tc.want, "NS", f.ns)) {
				t.Errorf("%s: error %v; want %s", tc.reason, err, tc.want)
			}
			if err != nil && tc.not != "" && strings.Contains(err.Error(), tc.not) {
				t.Errorf("%s: it shows the value: %v", tc.reason, err)
			}
		})
	}
}
