package apply

import (
	"context"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/rest"

	"github.com/google/go-cmp/cmp"
)

func TestCluster_WhatItServes(t *testing.T) {
	f := setUp(t)
	names := f.cluster.APIVersions()
	for _, want := range []string{"v1", "v1/Pod", "apps/v1", "apps/v1/Deployment", "policy/v1/PodDisruptionBudget"} {
		if !slices.Contains(names, want) {
			t.Errorf("it serves no %s", want)
		}
	}
	if !strings.HasPrefix(f.cluster.Version(), "v1.") {
		t.Errorf("version %q", f.cluster.Version())
	}
	cases := map[schema.GroupVersionKind][2]bool{
		{Version: "v1", Kind: "Pod"}:                       {true, true},
		{Version: "v1", Kind: "Namespace"}:                 {true, false},
		{Group: "apps", Version: "v2", Kind: "Deployment"}: {false, false},
	}
	for gvk, want := range cases {
		namespaced, err := f.cluster.Namespaced(gvk)
		if got := [2]bool{f.cluster.Kind(gvk), namespaced}; got != want || (err == nil) != want[0] {
			t.Errorf("%v: known and namespaced %v, error %v; want %v", gvk, got, err, want)
		}
	}
	uid := must(f.cluster.UID(f.Context()))(t)
	if want := string(f.live(ID{Kind: "Namespace", Name: "kube-system"}).GetUID()); uid != want {
		t.Errorf("UID %s; want %s", uid, want)
	}
	f.wire.took()
	must(f.cluster.UID(f.Context()))(t)
	if got := f.wire.took(); len(got) > 0 {
		t.Errorf("the UID was asked for again: %v", got)
	}
}

func TestCluster_EnsureNamespace(t *testing.T) {
	f := setUp(t)
	name, labels := f.ns+"-made", map[string]string{"team": "a"}
	for i, want := range []bool{true, false} {
		if got := must(f.cluster.EnsureNamespace(f.Context(), name, labels))(t); got != want {
			t.Errorf("call %d created %v; want %v", i, got, want)
		}
	}
	if got := f.live(ID{Kind: "Namespace", Name: name}).GetLabels()["team"]; got != "a" {
		t.Errorf("label %q", got)
	}
}

func TestCluster_ClientsAreTheServiceAccount(t *testing.T) {
	f := setUp(t)
	if first, second := f.cluster.As("a/b"), f.cluster.As("a/b"); first != second {
		t.Error("a client is made anew for each call")
	}
	var user string
	f.wire.answers(func(r *http.Request) (*http.Response, error) {
		user = r.Header.Get("Impersonate-User")
		return nil, nil
	})
	f.plan(f.request(configMap))
	if want := "system:serviceaccount:" + f.ns + ":deployer"; user != want {
		t.Errorf("impersonated %q; want %q", user, want)
	}

	// The API server says who somebody is who acts by the configuration for watches.
	watcher := must(dynamic.NewForConfig(f.cluster.Impersonated(f.ns + "/deployer")))(t)
	review := f.manifests(`{apiVersion: authentication.k8s.io/v1, kind: SelfSubjectReview}`)[0]
	in := watcher.Resource(resourceOf(review.GroupVersionKind()))
	answer := must(in.Create(f.Context(), review, metav1.CreateOptions{}))(t)
	groups := []any{"system:serviceaccounts", "system:serviceaccounts:" + f.ns, "system:authenticated"}
	if diff := cmp.Diff(map[string]any{"username": user, "groups": groups}, nested(answer, "status", "userInfo")); diff != "" {
		t.Errorf("-want +got\n%s", diff)
	}
	if f.cluster.Impersonated("deployer") != nil {
		t.Error("a service account without namespace has a configuration")
	}
}

func TestCluster_AgentThatMayNotImpersonate(t *testing.T) {
	f := setUp(t)
	f.put(`{apiVersion: v1, kind: ServiceAccount, metadata: {name: agent, namespace: NS}}`)
	request := f.manifests(`{apiVersion: authentication.k8s.io/v1, kind: TokenRequest, metadata: {name: agent}, spec: {}}`)[0]
	accounts := f.resource(f.id("ServiceAccount", "agent"), "v1")
	token := must(accounts.Create(f.Context(), request, metav1.CreateOptions{}, "token"))(t)
	config := rest.AnonymousClientConfig(server)
	config.BearerToken, _ = nested(token, "status", "token").(string)
	cluster := must(New(f.Context(), Config{REST: config, Agent: "weak"}))(t)
	cases := map[*Client]string{
		cluster.As(f.ns + "/deployer"): `the agent may not impersonate service account "` + f.ns + `/deployer"`,
		cluster.Self():                 "the agent may not get configmaps in namespace " + f.ns,
	}
	for client, want := range cases {
		_, err := client.Get(f.Context(), f.id("ConfigMap", "config"), "")
		if want = "ConfigMap/" + f.ns + "/config: " + want; err == nil || err.Error() != want {
			t.Errorf("error %v; want %s", err, want)
		}
	}
}

func TestCluster_KindThatIsGone(t *testing.T) {
	f := setUp(t)
	crd := ID{Kind: "CustomResourceDefinition", Group: "apiextensions.k8s.io", Name: "carts." + f.ns + ".example"}
	req := f.request(strings.ReplaceAll(definition, "SCOPE", "Namespaced"), `{apiVersion: NS.example/v1, kind: Cart, metadata: {name: cart, namespace: NS}}`)
	must(f.client.Apply(f.Context(), f.plan(req)))(t)
	f.served(crd)
	second := must(f.client.Apply(f.Context(), f.planned(req)))(t)
	f.delete(crd)
	var err error
	alone := Request{Owner: f.owner, Objects: req.Objects[1:], Inventory: second.Entries, Verify: true}
	for f.Context().Err() == nil && !Final(err) { // it goes on being served for a moment
		_, err = f.client.Plan(f.Context(), alone)
	}
	if err == nil || !strings.Contains(err.Error(), "no such kind: apiVersion "+f.ns+".example/v1, kind Cart; is the CRD missing?") {
		t.Errorf("error %v", err)
	}
	entry, _ := second.Entries.Find(ID{Group: f.ns + ".example", Kind: "Cart", Namespace: f.ns, Name: "cart"})
	changes := must(f.client.Prune(f.Context(), f.owner, Inventory{entry}, PruneOptions{}))(t)
	if changes[0].Action != Deleted {
		t.Errorf("%+v; want deleted", changes[0])
	}
}

func TestCluster_NeverMoreRequestsThanAllowed(t *testing.T) {
	f := setUp(t)
	f.cluster.slots = make(chan struct{}, 3)
	var docs []string
	for _, name := range strings.Split("abcdefghijklmnop", "") {
		docs = append(docs, `{apiVersion: v1, kind: ConfigMap, metadata: {name: c-`+name+`, namespace: NS}}`)
	}
	flight := make(chan struct{}, 3)
	f.wire.answers(func(r *http.Request) (*http.Response, error) {
		select {
		case flight <- struct{}{}:
			<-flight
		default:
			t.Error("a fourth request was in flight")
		}
		return nil, nil
	})
	f.apply(f.request(docs...))
}

func TestFinal(t *testing.T) {
	cases := map[string]struct {
		reason string
		answer func(r *http.Request) (*http.Response, error)
		final  bool
		want   string
	}{
		"TooMany": {"overload passes", func(r *http.Request) (*http.Response, error) {
			return refuse(r, 429, "TooManyRequests", "refused"), nil
		}, false, "refused"},
		"Server": {"a fault of the server passes", func(r *http.Request) (*http.Response, error) {
			return refuse(r, 503, "ServiceUnavailable", "refused"), nil
		}, false, "refused"},
		"Unreachable": {"so does one of the network", func(*http.Request) (*http.Response, error) { return nil, http.ErrServerClosed }, false, "Server closed"},
		"Slow": {"and no answer in time", func(r *http.Request) (*http.Response, error) {
			<-r.Context().Done()
			return nil, r.Context().Err()
		}, false, "the API server did not answer within 50ms"},
		"Webhook": {"a webhook's word is final", func(r *http.Request) (*http.Response, error) { return refuse(r, 400, "BadRequest", "refused"), nil }, true, "refused"},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			f := setUp(t)
			if name == "Slow" {
				f.cluster.timeout = 50 * time.Millisecond
			}
			f.wire.answers(tc.answer)
			_, err := f.client.Plan(context.Background(), f.request(configMap))
			if err == nil || Final(err) != tc.final || !strings.Contains(err.Error(), tc.want) {
				t.Errorf("%s: error %v, final %v; want %s", tc.reason, err, Final(err), tc.want)
			}
		})
	}
}

func TestUnion(t *testing.T) {
	id := func(name string) ID { return ID{Kind: "ConfigMap", Namespace: "a", Name: name} }
	full := Entry{ID: id("a"), Version: "v1", UID: "1", Hash: "h", Manifest: "m"}
	cases := map[string]struct {
		reason             string
		newer, older, want Inventory
	}{
		"Sorted":  {"both, sorted", Inventory{{ID: id("c")}, {ID: id("a")}}, Inventory{{ID: id("b")}}, Inventory{{ID: id("a")}, {ID: id("b")}, {ID: id("c")}}},
		"Newer":   {"the newer one stands", Inventory{full}, Inventory{{ID: id("a"), UID: "0", Hash: "old"}}, Inventory{full}},
		"Pending": {"but a UID is never lost", Inventory{{ID: id("a"), Version: "v1"}}, Inventory{full}, Inventory{{ID: id("a"), Version: "v1", UID: "1"}}},
		"Empty":   {"nothing and nothing", nil, nil, Inventory{}},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			if diff := cmp.Diff(tc.want, Union(tc.newer, tc.older)); diff != "" {
				t.Errorf("%s: -want +got\n%s", tc.reason, diff)
			}
		})
	}
}

func TestBefore(t *testing.T) {
	f := setUp(t)
	old := `{apiVersion: v1, kind: ConfigMap, metadata: {name: old, namespace: NS}}`
	first := f.apply(f.request(configMap, deployment, old))
	f.wire.took()
	got := f.cluster.Before(f.owner, f.manifests(configMap, strings.ReplaceAll(deployment, "shop:1", "shop:2"), secret), first.Entries)
	want := Inventory{first.Entries[0], first.Entries[1], first.Entries[2], {ID: f.id("Secret", "password"), Version: "v1"}}
	want[2].Hash, want[2].Manifest = "", ""
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("-want +got\n%s", diff)
	}
	if asked := f.wire.took(); len(asked) > 0 {
		t.Errorf("it made requests: %v", asked)
	}
}
