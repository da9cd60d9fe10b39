package policies

import (
	"fmt"
	"testing"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
)

func TestStillRead(t *testing.T) {
	const version = "settings-0123456789"
	pod := func(more, status string) string {
		return fmt.Sprintf("apiVersion: v1\nkind: Pod\nmetadata: {name: p, namespace: shop%s}\nspec: {containers: [{name: c, "+
			"envFrom: [{configMapRef: {name: %s}}]}]}\nstatus: {%s}\n", more, version, status)
	}
	cases := map[string]struct {
		reason string
		pods   string
		want   bool
	}{
		"Running":      {"its container may start again", pod("", "phase: Running"), true},
		"Pending":      {"its container is to start", pod("", "phase: Pending"), true},
		"Terminating":  {"until it has ended", pod(", deletionTimestamp: 2026-03-01T08:00:00Z", "phase: Running"), true},
		"NobodysOwn":   {"a pod that is kept has no labels and no owner", pod("", ""), true},
		"Succeeded":    {"it never starts again", pod("", "phase: Succeeded"), false},
		"Failed":       {"it never starts again", pod("", "phase: Failed"), false},
		"OtherVersion": {"it reads another one", swap(pod("", "phase: Running"), version, "settings-1123456789"), false},
		"OtherPlace":   {"names are of a namespace", swap(pod("", "phase: Running"), "namespace: shop", "namespace: bank"), false},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			if got := StillRead(manifests(t, c.pods))("ConfigMap", "shop", version); got != c.want {
				t.Errorf("it is read: %t; %s", got, c.reason)
			}
		})
	}
	if StillRead(manifests(t, pod("", "phase: Running")))("Secret", "shop", version) {
		t.Error("a Secret is taken for the ConfigMap of its name")
	}
	for path, kind := range places() {
		reads := thing("v1", "Pod", "shop", "p")
		reads.Object["spec"] = at(path, version)
		if !StillRead([]*unstructured.Unstructured{reads})(kind, "shop", version) {
			t.Errorf("a pod that reads a %s by %s does not count", kind, path)
		}
	}
}

func TestIsVersion(t *testing.T) {
	made := Versioned(manifests(t, settings+next+keys+next+swap(web, "[{configMapRef: {name: settings}}]",
		"[{configMapRef: {name: settings}}, {secretRef: {name: keys}}]")), nil)
	if len(made) != 5 {
		t.Fatalf("no versions: %q", told(made))
	}
	for i, o := range made {
		if got, want := IsVersion(o.GetKind(), o.GetName()), i == 1 || i == 3; got != want {
			t.Errorf("%s %s is a version: %t, want %t", o.GetKind(), o.GetName(), got, want)
		}
	}
	for _, name := range []string{"", "a", "-0123456789", "0123456789", "settings-012345678", "settings-012345678g"} {
		if IsVersion("ConfigMap", name) {
			t.Errorf("%q is taken for a version", name)
		}
	}
}

func TestNamesOfAReleaseThatIsNotStaged(t *testing.T) {
	before := State{Staging: Staging{Versioned: true, Plain: []string{"Deployment/shop/web"}}}
	if got := before.names(Plan{}); !got.Versioned || len(got.Plain) != 1 {
		t.Errorf("where the rules stage nothing any more the names are others: %+v", got)
	}
	if got := before.names(Plan{Canary: &Canary{}}); !got.Versioned || got.Plain != nil {
		t.Errorf("where they stage, who keeps plain names is found out anew: %+v", got)
	}
}
