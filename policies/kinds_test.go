package policies

import (
	"fmt"
	"strings"
	"testing"
	"time"
	"unicode"

	"github.com/google/go-cmp/cmp"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/yaml"
)

// each reads the pods of a StatefulSet or DaemonSet, in order: a is proven, p is proven and was made anew since, n is new; a
// capital letter is not Ready, a dot is missing, and a + before it is one more than there are to be. New pods were made from
// the last one on. A StatefulSet keeps as many proven ones as it was told last.
func each(said string, staged, changed []Staged) Workload {
	w := Workload{Seen: true, Ordered: len(changed) > 0 && changed[0].kind() == statefulSetKind}
	said, more, _ := strings.Cut(said, "+")
	w.Replicas = len(said)
	for i, letter := range said + more {
		if letter == '.' {
			w.Proven.Want++
			continue
		}
		p := Pod{Name: fmt.Sprint("web-", i), Ordinal: i, Ready: unicode.IsLower(letter), New: unicode.ToLower(letter) == 'n', Born: start}
		of := &w.Proven
		switch unicode.ToLower(letter) {
		case 'n':
			of, p.Born = &w.New, start.Add(time.Duration(100-i)*time.Second)
		case 'p':
			p.Born = start.Add(time.Hour)
		}
		of.Want, of.There = of.Want+1, of.There+1
		if p.Ready {
			of.Ready++
		}
		w.Each = append(w.Each, p)
	}
	if w.Ordered && len(staged) > 0 {
		w.Proven.Want = staged[0].Replicas - staged[0].Pods
		w.New.Want = w.Replicas - w.Proven.Want
	}
	return w
}

func manifestOf(t *testing.T, text string) *unstructured.Unstructured {
	t.Helper()
	raw, err := yaml.YAMLToJSON([]byte(text))
	if err != nil {
		t.Fatal(err)
	}
	o := &unstructured.Unstructured{}
	if err := o.UnmarshalJSON(raw); err != nil {
		t.Fatal(err)
	}
	return o
}

func TestShapeOfOtherKinds(t *testing.T) {
	const set, daemon = "{apiVersion: apps/v1, kind: StatefulSet, metadata: {name: db}, spec: {%s}}", "{apiVersion: apps/v1, kind: DaemonSet, metadata: {name: db}, spec: {%s}}"
	at := func(form Form, replicas, pods int) Shape {
		return Shape{Form: form, Capacity: Replace, Pods: pods, Replicas: replicas}
	}
	for name, tc := range map[string]struct {
		reason, kind, spec string
		shape              Shape
		want               string
	}{
		"Held":              {"the last two are new", set, "replicas: 6", at(Held, 6, 2), "replicas: 6, updateStrategy: {type: RollingUpdate, rollingUpdate: {partition: 4}}"},
		"HeldGitScales":     {"the partition is of the live number, and so both go", set, "replicas: 9", at(Held, 6, 2), "replicas: 6, updateStrategy: {type: RollingUpdate, rollingUpdate: {partition: 4}}"},
		"HeldNoNumber":      {"it is somebody else's", set, "serviceName: db", at(Held, 6, 1), "serviceName: db, updateStrategy: {type: RollingUpdate, rollingUpdate: {partition: 5}}"},
		"HeldOfNone":        {"no partition is below 0", set, "replicas: 1", at(Held, 0, 1), "replicas: 0, updateStrategy: {type: RollingUpdate, rollingUpdate: {partition: 0}}"},
		"KeepsTheRest":      {"what else Git says of the strategy", set, "updateStrategy: {rollingUpdate: {maxUnavailable: 2}}", at(Held, 6, 1), "updateStrategy: {type: RollingUpdate, rollingUpdate: {maxUnavailable: 2, partition: 5}}"},
		"Finishing":         {"Git's number, and no partition", set, "replicas: 9", at(Finishing, 6, 2), "replicas: 9, updateStrategy: {type: RollingUpdate, rollingUpdate: {partition: 0}}"},
		"Aborting":          {"", set, "replicas: 6", at(Aborting, 6, 2), "replicas: 6, updateStrategy: {type: RollingUpdate, rollingUpdate: {partition: 0}}"},
		"Settled":           {"as it was rendered", set, "replicas: 6", at(Settled, 6, 2), "replicas: 6"},
		"DaemonSetHeld":     {"its controller replaces none", daemon, "updateStrategy: {rollingUpdate: {maxUnavailable: 2}}", at(Held, 4, 1), "updateStrategy: {type: OnDelete}"},
		"DaemonSetAborting": {"", daemon, "minReadySeconds: 5", at(Aborting, 4, 1), "minReadySeconds: 5, updateStrategy: {type: OnDelete}"},
		"DaemonSetSettled":  {"", daemon, "minReadySeconds: 5", at(Settled, 4, 1), "minReadySeconds: 5"},
	} {
		t.Run(name, func(t *testing.T) {
			from := manifestOf(t, fmt.Sprintf(tc.kind, tc.spec))
			before := from.DeepCopy()
			got := tc.shape.Of(from)
			if diff := cmp.Diff(manifestOf(t, fmt.Sprintf(tc.kind, tc.want)).Object, got.Object); diff != "" {
				t.Errorf("%s: -want +got\n%s", tc.reason, diff)
			}
			if diff := cmp.Diff(before.Object, from.Object); diff != "" {
				t.Errorf("the manifest itself was changed: -before +after\n%s", diff)
			}
		})
	}
}

func TestStageableOtherKinds(t *testing.T) {
	for name, tc := range map[string]struct {
		kind, spec string
		replicas   int
		want       string
	}{
		"StatefulSet":          {"StatefulSet", "updateStrategy: {type: RollingUpdate}", 2, ""},
		"StatefulSetOfOne":     {"StatefulSet", "", 1, "its only one would be the first to go"},
		"StatefulSetOnDelete":  {"StatefulSet", "updateStrategy: {type: OnDelete}", 3, "leaves it to people"},
		"StatefulSetPartition": {"StatefulSet", "updateStrategy: {rollingUpdate: {partition: 2}}", 3, "its own partition"},
		"DaemonSet":            {"DaemonSet", "", 4, ""},
		"DaemonSetOfOne":       {"DaemonSet", "", 1, "its only node"},
		"DaemonSetOnDelete":    {"DaemonSet", "updateStrategy: {type: OnDelete}", 4, "leaves it to people"},
	} {
		t.Run(name, func(t *testing.T) {
			o := manifestOf(t, fmt.Sprintf("{apiVersion: apps/v1, kind: %s, metadata: {name: db}, spec: {%s}}", tc.kind, tc.spec))
			got := Stageable(o, tc.replicas, Surge)
			if tc.want == "" && got != "" || !strings.Contains(got, tc.want) {
				t.Errorf("got %q, want %q", got, tc.want)
			}
		})
	}
}
