package policies

import (
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
)

// two workloads, of which api reads a Secret beside the ConfigMap of both.
func two(t *testing.T) []*unstructured.Unstructured {
	t.Helper()
	api := swap(web, "name: web", "name: api", "[{configMapRef: {name: settings}}]",
		"[{configMapRef: {name: settings}}, {secretRef: {name: keys}}]")
	return manifests(t, settings+next+keys+next+web+next+api)
}

func TestNamed(t *testing.T) {
	const plainWeb, plainAPI = "Deployment/shop/web", "Deployment/shop/api"
	cases := map[string]struct {
		reason string
		plain  []string
		want   []string
	}{
		"None": {"both read versions", nil, []string{
			"ConfigMap settings", "ConfigMap " + settingsVersion, "Secret keys", "Secret " + keysVersion,
			"Deployment web <- " + settingsVersion, "Deployment api <- " + settingsVersion + " <- " + keysVersion,
		}},
		"One": {"a version that the other one reads stays", []string{plainWeb}, []string{
			"ConfigMap settings", "ConfigMap " + settingsVersion, "Secret keys", "Secret " + keysVersion,
			"Deployment web <- settings", "Deployment api <- " + settingsVersion + " <- " + keysVersion,
		}},
		"Other": {"a version that nobody reads is not made", []string{plainAPI}, []string{
			"ConfigMap settings", "ConfigMap " + settingsVersion, "Secret keys",
			"Deployment web <- " + settingsVersion, "Deployment api <- settings <- keys",
		}},
		"Both": {"as it was rendered", []string{plainAPI, plainWeb}, []string{
			"ConfigMap settings", "Secret keys", "Deployment web <- settings", "Deployment api <- settings <- keys",
		}},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			given := two(t)
			got := Named(given, true, c.plain)
			if diff := cmp.Diff(c.want, told(got)); diff != "" {
				t.Errorf("%s (-want +got):\n%s", c.reason, diff)
			}
			if diff := cmp.Diff(two(t), given); diff != "" {
				t.Errorf("what was given is written to (-want +got):\n%s", diff)
			}
			for other := range cases { // whatever names it has, the same comes of it
				from := Named(two(t), true, cases[other].plain)
				if diff := cmp.Diff(got, Named(from, true, c.plain)); diff != "" {
					t.Errorf("from %s (-want +got):\n%s", other, diff)
				}
			}
			if diff := cmp.Diff(given, Named(given, false, c.plain)); diff != "" {
				t.Errorf("without versions (-want +got):\n%s", diff)
			}
		})
	}
}

func TestKeepPlain(t *testing.T) {
	const plainWeb, plainAPI = "Deployment/shop/web", "Deployment/shop/api"
	all := func(*unstructured.Unstructured) bool { return true }
	cases := map[string]struct {
		reason  string
		proven  func([]*unstructured.Unstructured) []*unstructured.Unstructured
		changed []string
		want    []string
	}{
		"Nothing":       {"neither changes", nil, nil, []string{plainAPI, plainWeb}},
		"Template":      {"one template changes", nil, []string{"Deployment web"}, []string{plainAPI}},
		"OwnSecret":     {"what one of them reads changes", nil, []string{"Secret keys"}, []string{plainWeb}},
		"SharedContent": {"what both read changes", nil, []string{"ConfigMap settings"}, nil},
		"ReadVersions": {"the proven ones read versions", func(o []*unstructured.Unstructured) []*unstructured.Unstructured {
			return Versioned(o, nil)
		}, nil, nil},
		"OneReadsVersions": {"one of the proven ones reads versions", func(o []*unstructured.Unstructured) []*unstructured.Unstructured {
			return Named(o, true, []string{plainWeb})
		}, nil, []string{plainWeb}},
		"New": {"one is new", func(o []*unstructured.Unstructured) []*unstructured.Unstructured { return o[:3] }, nil, []string{plainWeb}},
		"ElsewhereBefore": {"the proven one read an object that is not of the release", func(o []*unstructured.Unstructured) []*unstructured.Unstructured {
			return o[2:]
		}, nil, []string{plainAPI, plainWeb}},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			var proven []*unstructured.Unstructured
			if c.proven != nil {
				proven = c.proven(two(t))
			}
			for _, given := range [][]*unstructured.Unstructured{two(t), Versioned(two(t), nil), Versioned(two(t), all)} {
				got := KeepPlain(PlainReaders(given, proven), func(o *unstructured.Unstructured) bool {
					return slices.Contains(c.changed, o.GetKind()+" "+o.GetName())
				})
				if diff := cmp.Diff(c.want, got); diff != "" {
					t.Errorf("%s (-want +got):\n%s", c.reason, diff)
				}
			}
		})
	}
	fixed := manifests(t, swap(settings, "metadata:", "immutable: true\nmetadata:")+next+web)
	if readers := PlainReaders(fixed, nil); len(readers) > 0 {
		t.Errorf("a workload that reads nothing that could have versions has no names to keep: %v", readers)
	}
}
