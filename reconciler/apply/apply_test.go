package apply

import (
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

const webhook = `
apiVersion: admissionregistration.k8s.io/v1
kind: ValidatingWebhookConfiguration
metadata: {name: NS}
webhooks: []`

const secret = `
apiVersion: v1
kind: Secret
metadata: {name: password, namespace: NS}
stringData: {password: hunter2}
data: {user: YWRtaW4=}`

func TestApply_CreatesThenLeavesAlone(t *testing.T) {
	f := setUp(t)
	docs := []string{webhook, deployment, secret, configMap, `{apiVersion: v1, kind: ServiceAccount, metadata: {name: web, namespace: NS}}`}
	f.wire.took()
	plan := f.plan(f.request(docs...))
	for _, line := range f.wire.took() {
		if !strings.HasPrefix(line, "dry PATCH") {
			t.Errorf("a plan of new objects made the request %q; want one dry-run each", line)
		}
	}
	result := must(f.client.Apply(f.Context(), plan))(t)
	for what, got := range map[string]map[string]Action{"plan": planned(plan), "result": actions(result.Changes)} {
		want := map[string]Action{
			"ValidatingWebhookConfiguration/" + f.ns: Created, "Deployment/web": Created, "Secret/password": Created,
			"ConfigMap/config": Created, "ServiceAccount/web": Created,
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s: -want +got\n%s", what, diff)
		}
	}
	place := map[string]int{}
	for i, line := range f.wire.took() {
		place[line[strings.LastIndex(line[:strings.LastIndex(line, "/")], "/")+1:]] = i
	}
	inOrder := []string{"serviceaccounts/web", "deployments/web", "validatingwebhookconfigurations/" + f.ns}
	if !slices.IsSortedFunc(inOrder, func(a, b string) int { return place[a] - place[b] }) || place["configmaps/config"] > place["deployments/web"] {
		t.Errorf("order of requests: %v; want what pods need, pods, webhooks", place)
	}
	for _, e := range result.Entries {
		if e.UID == "" || e.Hash == "" || e.Manifest == "" || e.Version == "" {
			t.Errorf("entry %+v is not complete", e)
		}
	}
	live := f.live(f.id("Deployment", "web"))
	want := map[string]string{LabelApplication: "shop", LabelEnvironment: "staging", LabelAgent: "test"}
	if diff := cmp.Diff(want, live.GetLabels()); diff != "" {
		t.Errorf("labels: -want +got\n%s", diff)
	}
	if diff := cmp.Diff(map[string]any{"app": "web"}, nested(live, "spec", "template", "metadata", "labels")); diff != "" {
		t.Errorf("labels of the pod template: -want +got\n%s", diff)
	}

	f.wire.took()
	second := f.again(result, docs...)
	if got := f.wire.took(); len(got) > 0 {
		t.Errorf("an apply with nothing to do made requests: %v", got)
	}
	if diff := cmp.Diff(result.Entries, second.Entries); diff != "" {
		t.Errorf("entries changed: %s", diff)
	}
	req := f.request(docs...)
	req.Inventory, req.Verify = result.Entries, true
	third := f.apply(req)
	for _, line := range f.wire.took() {
		if !strings.HasPrefix(line, "dry ") && !strings.HasPrefix(line, "GET ") {
			t.Errorf("verifying what is as it should be made the request %q", line)
		}
	}
	if diff := cmp.Diff(result.Entries, third.Entries); diff != "" {
		t.Errorf("entries changed: %s", diff)
	}
	for _, c := range third.Changes {
		if c.Action != Unchanged {
			t.Errorf("%+v; want unchanged", c)
		}
	}
}

func TestApply_ConfiguresAndNamesFields(t *testing.T) {
	f := setUp(t)
	first := f.apply(f.request(deployment, configMap))
	second := f.again(first, strings.ReplaceAll(deployment, "shop:1", "shop:2"), strings.ReplaceAll(configMap, `, b: "2"`, ""))
	want := []Change{
		{ID: f.id("ConfigMap", "config"), Action: Configured, Fields: []string{"data.b"}},
		{ID: f.id("Deployment", "web"), Action: Configured, Fields: []string{"spec.template.spec.containers[web].image"}},
	}
	if diff := cmp.Diff(want, second.Changes); diff != "" {
		t.Errorf("-want +got\n%s", diff)
	}
}

func TestApply_EqualManifestsOfAnotherFormChangeNothing(t *testing.T) {
	f := setUp(t)
	first := f.apply(f.request(deployment))
	second := f.again(first, strings.ReplaceAll(deployment, "1000m", `"1"`))
	if got := actions(second.Changes)["Deployment/web"]; got != Unchanged {
		t.Errorf("1000m that became 1 is %s; want unchanged", got)
	}
}

func TestApply_TakesFieldsBackFromOthers(t *testing.T) {
	f := setUp(t)
	first := f.apply(f.request(configMap))
	f.edit(f.id("ConfigMap", "config"), "kubectl-edit", `{data: {a: "9", mine: "yes"}}`)
	req := f.request(configMap)
	req.Inventory, req.Drifted = first.Entries, map[ID]string{f.id("ConfigMap", "config"): "changed"}
	plan := f.plan(req)
	if diff := cmp.Diff([]string{"data.a (kubectl-edit)"}, plan.Changes[0].Forced); diff != "" {
		t.Errorf("forced: -want +got\n%s", diff)
	}
	must(f.client.Apply(f.Context(), plan))(t)
	want := map[string]any{"a": "1", "b": "2", "mine": "yes"}
	if diff := cmp.Diff(want, nested(f.live(f.id("ConfigMap", "config")), "data")); diff != "" {
		t.Errorf("data: -want +got\n%s", diff)
	}
}

func TestApply_ManifestCopiedFromALiveObject(t *testing.T) {
	f := setUp(t)
	f.apply(f.request(`
apiVersion: v1
kind: ConfigMap
metadata: {name: copied, namespace: NS, creationTimestamp: null, resourceVersion: "1", uid: abc, generation: 4, managedFields: [{manager: x}]}
data: {a: "1"}
status: {phase: Old}`))
	if !f.exists(f.id("ConfigMap", "copied")) {
		t.Error("it is not there")
	}
}

func TestApply_ObjectMadeAnewBetweenPlanAndApply(t *testing.T) {
	f := setUp(t)
	first := f.apply(f.request(configMap))
	req := f.request(strings.ReplaceAll(configMap, "2", "3"))
	req.Inventory = first.Entries
	plan := f.plan(req)
	id := f.id("ConfigMap", "config")
	f.delete(id)
	f.put(configMap)
	result, err := f.client.Apply(f.Context(), plan)
	if err == nil || Final(err) {
		t.Fatalf("error %v; want one that passes", err)
	}
	if got := nested(f.live(id), "data", "b"); got != "2" {
		t.Errorf("somebody else's object was written to: %v", got)
	}
	if e, _ := result.Entries.Find(id); e.Hash != "" || e.Manifest != "" || e.UID == "" {
		t.Errorf("entry %+v; want the UID alone", e)
	}
}

func TestLesson04_FailureInTheMiddleLeavesNothingUntracked(t *testing.T) {
	f := setUp(t)
	other := strings.ReplaceAll(configMap, "config,", "other,")
	f.wire.answers(func(r *http.Request) (*http.Response, error) {
		if isWrite(r) && strings.HasSuffix(r.URL.Path, "/configmaps/other") {
			return nil, http.ErrHandlerTimeout
		}
		return nil, nil
	})
	req := f.request(other, configMap, deployment, webhook)
	plan := f.plan(req)
	saved := f.cluster.Before(f.owner, req.Objects, nil)
	result, err := f.client.Apply(f.Context(), plan)
	if err == nil || Final(err) || !strings.Contains(err.Error(), "ConfigMap/"+f.ns+"/other") {
		t.Fatalf("error %v; want a passing one of ConfigMap other", err)
	}
	if diff := cmp.Diff(map[string]Action{"ConfigMap/config": Created}, actions(result.Changes)); diff != "" {
		t.Errorf("changes: -want +got\n%s", diff)
	}
	if f.exists(f.id("Deployment", "web")) {
		t.Error("a later class was begun")
	}
	saved = Union(result.Entries, saved)
	if len(saved) != 4 {
		t.Errorf("saved %d entries; want all 4: %+v", len(saved), saved)
	}
	if e, _ := saved.Find(f.id("ConfigMap", "config")); e.UID == "" || e.Hash == "" {
		t.Errorf("what was done is not recorded: %+v", e)
	}
	f.wire.answers(nil)
	next := f.again(&Result{Entries: saved}, other, deployment)
	stale := Stale(Union(next.Entries, saved), next.Entries)
	changes := must(f.client.Prune(f.Context(), f.owner, stale, PruneOptions{}))(t)
	want := map[string]Action{"ConfigMap/config": Deleted, "ValidatingWebhookConfiguration/" + f.ns: Deleted}
	if diff := cmp.Diff(want, actions(changes)); diff != "" {
		t.Errorf("pruned: -want +got\n%s", diff)
	}
	if f.exists(f.id("ConfigMap", "config")) || !f.exists(f.id("ConfigMap", "other")) || !f.exists(f.id("Deployment", "web")) {
		t.Error("the cluster has not what the last release says")
	}
}
