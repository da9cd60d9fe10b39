package policies

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/yaml"
)

// trafficOf is the rules for an example of testdata, by its kind of route.
func trafficOf(name string) Traffic {
	t := Traffic{Route: HTTPRoute, Name: "shop", Service: "shop", Namespace: "shop", Header: "X-Canary", Value: "1"}
	if strings.HasPrefix(name, "virtualservice") {
		t.Route = VirtualService
	}
	return t
}

// TestSplitObjects: the route and the Services at each place of a release, word for word.
func TestSplitObjects(t *testing.T) {
	files, err := filepath.Glob("testdata/traffic/*.yaml")
	if err != nil || len(files) == 0 {
		t.Fatalf("no examples: %v", err)
	}
	for _, file := range files {
		name := strings.TrimSuffix(filepath.Base(file), ".yaml")
		t.Run(name, func(t *testing.T) {
			text, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			objects := manifests(t, string(text))
			before, err := yaml.Marshal(objects)
			if err != nil {
				t.Fatal(err)
			}
			if why := trafficOf(name).Splittable(objects); why != "" {
				t.Fatal(why)
			}
			var got strings.Builder
			for _, s := range []Split{{Stable: "s"}, {Stable: "s", Canary: "c"}, {Stable: "s", Canary: "c", Weight: 25}} {
				s.By = trafficOf(name)
				made, err := s.Objects(Held, objects, objects)
				if err != nil {
					t.Fatal(err)
				}
				fmt.Fprintf(&got, "# stable %q, canary %q, weight %d\n", s.Stable, s.Canary, s.Weight)
				for _, o := range made {
					out, err := yaml.Marshal(o.Object)
					if err != nil {
						t.Fatal(err)
					}
					fmt.Fprintf(&got, "---\n%s", out)
				}
			}
			if after, _ := yaml.Marshal(objects); string(after) != string(before) {
				t.Error("the rendered manifests were changed")
			}
			golden := strings.TrimSuffix(file, ".yaml") + ".want"
			if *update {
				if err := os.WriteFile(golden, []byte(got.String()), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(golden)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(string(want), got.String()); diff != "" {
				t.Errorf("objects (-want +got):\n%s", diff)
			}
		})
	}
}

// TestSplitLeavesTheRouteWhole: a whole split sends the very route of Git, and Closing takes the new release's.
func TestSplitLeavesTheRouteWhole(t *testing.T) {
	text, err := os.ReadFile("testdata/traffic/httproute.yaml")
	if err != nil {
		t.Fatal(err)
	}
	proven, next := manifests(t, string(text)), manifests(t, strings.ReplaceAll(string(text), "timeout: 5s", "timeout: 7s"))
	s := Split{By: trafficOf(""), Stable: "s", Canary: "c", Whole: true}
	for form, want := range map[Form]struct {
		route  *unstructured.Unstructured
		stable string
	}{Held: {proven[0], "5s"}, Closing: {next[0], "7s"}} {
		made, err := s.Objects(form, proven, next)
		if err != nil {
			t.Fatal(err)
		}
		if made[2] != want.route {
			t.Errorf("%s: the route is not Git's", form)
		}
		if got := made[0].GetAnnotations()["example.com/timeout"]; got != want.stable {
			t.Errorf("%s: the stable Service is from another release: %s", form, got)
		}
		if got := made[1].GetAnnotations()["example.com/timeout"]; got != "7s" {
			t.Errorf("%s: the canary Service is not the new release's: %s", form, got)
		}
	}
}

func TestSplittable(t *testing.T) {
	const service = "apiVersion: v1\nkind: Service\nmetadata: {name: shop, namespace: shop}\nspec: {selector: {app: shop}}"
	const head = "apiVersion: gateway.networking.k8s.io/v1\nkind: HTTPRoute\nmetadata: {name: shop, namespace: shop}\nspec: {rules: "
	const istio = "apiVersion: networking.istio.io/v1\nkind: VirtualService\nmetadata: {name: shop, namespace: shop}\nspec: {http: "
	for name, c := range map[string]struct {
		objects []string
		want    string
	}{
		"Fine":      {[]string{service, head + "[{backendRefs: [{name: shop}]}]}"}, ""},
		"NoRoute":   {[]string{service}, "there is no HTTPRoute shop"},
		"NoService": {[]string{head + "[]}"}, "there is no Service shop"},
		"GoesElsewhere": {[]string{service, head + "[{backendRefs: [{name: shop, namespace: other}]}]}"},
			"HTTPRoute shop sends nothing to Service shop"},
		"NoSelector": {[]string{strings.Replace(service, "{app: shop}", "{}", 1), head + "[]}"}, "Service shop selects no pods"},
		"NameTaken": {[]string{service, strings.Replace(service, "name: shop", "name: shop-canary", 1), head + "[]}"},
			"a Service shop-canary, which is a name of ours"},
		"virtualservice of a subset": {[]string{service, istio + "[{route: [{destination: {host: shop, subset: v1}}]}]}"},
			`subset "v1" of Service shop cannot be split`},
	} {
		t.Run(name, func(t *testing.T) {
			got := trafficOf(name).Splittable(manifests(t, strings.Join(c.objects, "\n---\n")))
			if (got == "") != (c.want == "") || !strings.Contains(got, c.want) {
				t.Errorf("got %q, want %q", got, c.want)
			}
		})
	}
}

// TestShareKeepsLargeWeights: the Gateway API allows no weight above a million.
func TestShareKeepsLargeWeights(t *testing.T) {
	route := manifests(t, `{apiVersion: gateway.networking.k8s.io/v1, kind: HTTPRoute, metadata: {name: shop, namespace: shop},
  spec: {rules: [{backendRefs: [{name: shop, weight: 1000000}, {name: old, weight: 500000}, {name: rare, weight: 1}]}]}}`)[0]
	made, err := trafficOf("").Share(route, Shares{Split: true, Canary: 50})
	if err != nil {
		t.Fatal(err)
	}
	rules, _, _ := unstructured.NestedSlice(made.Object, "spec", "rules")
	var got []any
	for _, ref := range rules[len(rules)-1].(map[string]any)["backendRefs"].([]any) {
		got = append(got, ref.(map[string]any)["weight"])
	}
	if diff := cmp.Diff([]any{int64(500_000), int64(500_000), int64(500_000), int64(100)}, got); diff != "" {
		t.Errorf("weights (-want +got):\n%s", diff)
	}
}

// TestWeightsWarmUp: in ten steps, each at the time that riseAt tells.
func TestWeightsWarmUp(t *testing.T) {
	s := Split{By: Traffic{Service: "shop", WarmUp: 2*time.Minute + time.Nanosecond}, Warm: start, From: 10}
	var got []int
	now := start
	for range 12 {
		got = append(got, s.risen(50, now))
		next := s.riseAt(now)
		if before := s.risen(50, next.Add(-time.Nanosecond)); before != s.risen(50, now) {
			t.Errorf("%s: it rises to %d before the time", now.Sub(start), before)
		}
		now = next
	}
	if diff := cmp.Diff([]int{11, 14, 18, 22, 26, 30, 34, 38, 42, 46, 50, 50}, got); diff != "" {
		t.Errorf("weights (-want +got):\n%s", diff)
	}
}

func TestPodsOfARoutedStep(t *testing.T) {
	for _, c := range []struct {
		capacity                                 Capacity
		instances, weight, replicas, pods, share int
	}{
		{Surge, 0, 1, 8, 1, 1}, {Surge, 0, 25, 8, 2, 25}, {Surge, 0, 50, 5, 3, 50}, {Surge, 0, 100, 5, 5, 100},
		{Surge, 2, 1, 8, 2, 1}, {Surge, 1, 0, 4, 1, 20}, {Surge, 0, 0, 4, 1, 20}, {Surge, 1, 0, 400, 1, 1},
		{Replace, 0, 1, 8, 1, 1}, {Replace, 0, 25, 8, 2, 25}, {Replace, 0, 50, 5, 2, 50}, {Replace, 0, 100, 5, 4, 100},
		{Replace, 2, 1, 8, 2, 1}, {Replace, 1, 0, 4, 1, 25}, {Replace, 9, 0, 4, 3, 75}, {Replace, 0, 0, 2, 1, 50}, {Replace, 1, 0, 400, 1, 1},
	} {
		step := CanaryStep{Instances: c.instances, WeightPercent: c.weight}
		if pods, share := step.RoutedPods(c.replicas, c.capacity), step.share(c.replicas, c.capacity); pods != c.pods || share != c.share {
			t.Errorf("%s, %s of %d: %d pods for %d%%, want %d for %d%%", c.capacity, step, c.replicas, pods, share, c.pods, c.share)
		}
	}
}
