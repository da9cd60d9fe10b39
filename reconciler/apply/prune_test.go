package apply

import (
	"errors"
	"net/http"
	"strings"
	"testing"

	"k8s.io/apimachinery/pkg/types"

	"github.com/google/go-cmp/cmp"
)

func TestLesson07_WhatSomebodyElseOwnsIsNeverDeleted(t *testing.T) {
	label := func(key, value string) func(*fixture) {
		return func(f *fixture) {
			f.edit(f.id("ConfigMap", "config"), "test", `{metadata: {labels: {"`+key+`": `+value+`}}}`)
		}
	}
	shop := Owner{Application: "shop", Environment: "staging"}
	cases := map[string]struct {
		reason string
		owner  Owner
		change func(*fixture)
		want   Change
		there  bool
	}{
		"Ours":        {"nothing happened to it", shop, func(*fixture) {}, Change{Action: Deleted}, false},
		"Renamed":     {"it still bears the former name", Owner{Application: "store", Environment: "staging", Was: []Owner{shop}}, func(*fixture) {}, Change{Action: Deleted}, false},
		"Application": {"another application took it", shop, label(LabelApplication, "blog"), Change{Action: Skipped, Reason: `kept: it belongs to application "blog", environment "staging"; this is application "shop", environment "staging"`}, true},
		"Agent":       {"another agent took it", shop, label(LabelAgent, "other"), Change{Action: Skipped, Reason: `kept: it belongs to agent "other" and this is agent "test": two agents serve application "shop", environment "staging"`}, true},
		"Unlabelled": {"somebody took the labels off", shop, func(f *fixture) {
			label(LabelApplication, "null")(f)
			label(LabelEnvironment, "null")(f)
		}, Change{Action: Skipped, Reason: "kept: somebody took the labels off it that make it ours"}, true},
		"UID": {"it was made anew, with our labels copied", shop, func(f *fixture) {
			live := f.live(f.id("ConfigMap", "config"))
			f.delete(IDOf(live))
			live.SetResourceVersion("")
			live.SetUID("")
			f.putObject(live)
		}, Change{Action: Skipped, Reason: "kept: it is not the object that we made, but another of the same name"}, true},
		"Annotated": {"its owner wants to keep it", shop, func(f *fixture) {
			f.edit(f.id("ConfigMap", "config"), "test", `{metadata: {annotations: {sluice.dev/prune: disabled}}}`)
		}, Change{Action: Skipped, Reason: "kept: annotated sluice.dev/prune: disabled"}, true},
		"Gone": {"somebody deleted it", shop, func(f *fixture) { f.delete(f.id("ConfigMap", "config")) }, Change{Action: Deleted}, false},
		"Going": {"it waits for a finalizer", shop, func(f *fixture) {
			f.edit(f.id("ConfigMap", "config"), "test", `{metadata: {finalizers: [shop.example/wait]}}`)
			f.delete(f.id("ConfigMap", "config"))
		}, Change{Action: Deleted, Reason: "it is being deleted"}, true},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			f := setUp(t)
			first := f.apply(f.request(configMap))
			tc.change(f)
			changes := must(f.client.Prune(f.Context(), tc.owner, first.Entries, PruneOptions{}))(t)
			tc.want.ID = f.id("ConfigMap", "config")
			if diff := cmp.Diff([]Change{tc.want}, changes); diff != "" {
				t.Errorf("%s: -want +got\n%s", tc.reason, diff)
			}
			if got := f.exists(tc.want.ID); got != tc.there {
				t.Errorf("%s: it is there: %v; want %v", tc.reason, got, tc.there)
			}
		})
	}
}

func TestPrune_KindsThatAreKept(t *testing.T) {
	f := setUp(t)
	claim := `{apiVersion: v1, kind: PersistentVolumeClaim, metadata: {name: data, namespace: NS}, spec: {accessModes: [ReadWriteOnce], resources: {requests: {storage: 1Gi}}}}`
	first := f.apply(f.request(claim))
	kept := must(f.client.Prune(f.Context(), f.owner, first.Entries, PruneOptions{}))(t)
	if kept[0].Action != Skipped || !f.exists(kept[0].ID) {
		t.Errorf("%+v; want skipped", kept[0])
	}
	gone := must(f.client.Prune(f.Context(), f.owner, first.Entries, PruneOptions{Allow: []string{"PersistentVolumeClaim"}}))(t)
	if gone[0].Action != Deleted {
		t.Errorf("%+v; want deleted", gone[0])
	}
}

func TestPrune_SomebodyWritesMeanwhile(t *testing.T) {
	f := setUp(t)
	id := f.id("ConfigMap", "config")
	first := f.apply(f.request(configMap))
	takes := 0
	f.wire.answers(func(r *http.Request) (*http.Response, error) {
		if r.Method != http.MethodDelete {
			return nil, nil
		}
		if takes++; takes == 1 {
			f.edit(id, "test", `{data: {busy: "yes"}}`)
		} else {
			f.edit(id, "test", `{metadata: {labels: {sluice.dev/application: blog}}}`)
		}
		return nil, nil
	})
	changes := must(f.client.Prune(f.Context(), f.owner, first.Entries, PruneOptions{}))(t)
	if takes != 2 || changes[0].Action != Skipped || !f.exists(id) {
		t.Errorf("after %d tries %+v; it was given to another application in between, and must stay", takes, changes[0])
	}
}

func TestPrune_InReverse(t *testing.T) {
	f := setUp(t)
	first := f.apply(f.request(webhook, deployment, configMap))
	f.wire.took()
	must(f.client.Prune(f.Context(), f.owner, first.Entries, PruneOptions{}))(t)
	var order []string
	for _, line := range f.wire.took() {
		if strings.HasPrefix(line, http.MethodDelete) {
			order = append(order, line[strings.LastIndex(line, "/")+1:])
		}
	}
	if diff := cmp.Diff([]string{f.ns, "web", "config"}, order); diff != "" {
		t.Errorf("-want +got\n%s", diff)
	}
}

func TestPrune_OneRefusalDoesNotHideWhatWasDone(t *testing.T) {
	f := setUp(t)
	first := f.apply(f.request(configMap, secret))
	f.forbid("/secrets/password")
	changes, err := f.client.Prune(f.Context(), f.owner, first.Entries, PruneOptions{})
	var errs Errors
	if !errors.As(err, &errs) || len(errs) != 1 || errs[0].ID.Kind != "Secret" {
		t.Errorf("error %v; want one of the Secret", err)
	}
	if diff := cmp.Diff(map[string]Action{"ConfigMap/config": Deleted}, actions(changes)); diff != "" {
		t.Errorf("-want +got\n%s", diff)
	}
}

func TestPrune_ObjectThatMovedToAnotherGroupIsNotStale(t *testing.T) {
	moved := Entry{ID: ID{Group: "networking.k8s.io", Kind: "Ingress", Namespace: "a", Name: "web"}, UID: "1"}
	before := moved
	before.Group = "extensions"
	other := Entry{ID: ID{Kind: "ConfigMap", Namespace: "a", Name: "old"}, UID: "2"}
	never := Entry{ID: ID{Kind: "ConfigMap", Namespace: "a", Name: "never"}}
	want := Inventory{other, never}
	if diff := cmp.Diff(want, Stale(Inventory{before, other, never}, Inventory{moved, {ID: ID{Kind: "Secret", Name: "new"}}})); diff != "" {
		t.Errorf("-want +got\n%s", diff)
	}
}

func TestReserved(t *testing.T) {
	f := setUp(t)
	f.cluster.reserved = []string{f.ns}
	_, err := f.client.Plan(f.Context(), f.request(configMap, `{apiVersion: v1, kind: Namespace, metadata: {name: NS}}`))
	want := `ConfigMap/NS/config: namespace "NS" is reserved
Namespace/NS: namespace "NS" is reserved`
	if err == nil || strings.ReplaceAll(err.Error(), f.ns, "NS") != want {
		t.Errorf("error %v; want\n%s", err, want)
	}
	entry := Entry{ID: f.id("ConfigMap", "kube-root-ca.crt"), Version: "v1", UID: string(types.UID("1"))}
	if changes := must(f.client.Prune(f.Context(), f.owner, Inventory{entry}, PruneOptions{}))(t); changes[0].Action != Skipped {
		t.Errorf("%+v; want skipped", changes[0])
	}
	if _, err := f.cluster.EnsureNamespace(f.Context(), f.ns, nil); !errors.Is(err, ErrReserved) || !Final(err) {
		t.Errorf("create a reserved namespace: %v", err)
	}
}
