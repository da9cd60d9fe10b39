package rollout

import (
	"context"
	"fmt"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	appsv1 "k8s.io/api/apps/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/sluice-cd/sluice/policies"
)

// daemon is a form of a DaemonSet.
func daemon(form policies.Form) policies.Shape {
	return policies.Shape{Form: form, Capacity: policies.Replace}
}

// onNodes labels nodes of the cluster for the DaemonSet of the test alone.
func (h *held) onNodes(labelled bool, nodes ...int) {
	h.t.Helper()
	value := "null"
	if labelled {
		value = `"yes"`
	}
	ctx := context.WithoutCancel(h.t.Context()) // what was labelled is to be found without when the test is over
	list, err := h.kube.core.Nodes().List(ctx, metav1.ListOptions{})
	if err != nil {
		h.t.Fatal(err)
	}
	for _, n := range nodes {
		body := fmt.Sprintf(`{"metadata":{"labels":{"held/%s":%s}}}`, h.namespace, value)
		_, err := h.kube.core.Nodes().Patch(ctx, list.Items[n].Name, types.MergePatchType, []byte(body), metav1.PatchOptions{})
		if err != nil {
			h.t.Fatal(err)
		}
	}
}

// renewOne deletes a pod of a template, and returns when there is another in its place.
func (h *held) renewOne(template, want string) {
	h.t.Helper()
	went := h.uids(template)[0]
	h.deletePod(h.pods[went].Name)
	h.until("another pod", func() bool { return h.pods[went] == nil && h.String() == want })
	h.stays(want)
}

// hashes are those of the pods' templates.
func (h *held) hashes() map[string]bool {
	found := map[string]bool{}
	for _, uid := range h.uids("") {
		found[h.pods[uid].Labels[appsv1.ControllerRevisionHashLabelKey]] = true
	}
	return found
}

func TestHeldDaemonSet(t *testing.T) {
	for name, s := range map[string]story{
		"MinReadySecondsDoesNotHoldIt": {"four of four are replaced", func(h *held) {
			h.spec = "minReadySeconds: 2000000000"
			h.settle("b")
			h.stays("{B4}")
		}},
		"OnDeleteHolds": {"what is deleted comes back new", func(h *held) {
			proven := h.uids("a")
			h.apply("b", daemon(policies.Held))
			h.stays("{A4}")
			h.keeps(proven)
			h.renewOne("a", "{A3 B1}")
			first := h.uids("b")
			h.renewOne("a", "{A2 B2}")
			h.keeps(first)
			h.never(3, 4)
		}},
		"FinishAndSettle_NoPodIsMadeAnew": {"", func(h *held) {
			h.apply("b", daemon(policies.Held))
			h.renewOne("a", "{A3 B1}")
			h.apply("b", daemon(policies.Finishing))
			h.renewOne("a", "{A2 B2}")
			h.renewOne("a", "{A1 B3}")
			h.renewOne("a", "{B4}")
			h.rests("b")
		}},
		"ANewNodeGetsTheNewTemplate": {"nothing can hold it", func(h *held) {
			h.apply("b", daemon(policies.Held))
			h.renewOne("a", "{A3 B1}")
			h.onNodes(false, 3)
			h.until("three pods", func() bool { return len(h.uids("")) == 3 })
			others := h.uids("")
			h.onNodes(true, 3)
			h.until("four pods", func() bool { return len(h.uids("")) == 4 })
			for _, uid := range h.uids("") {
				if !slices.Contains(others, uid) && letter(h.pods[uid].Spec) != "b" {
					h.t.Errorf("the pod on the new node is proven: %s", h)
				}
			}
		}},
		"GoingBackUnderOnDeleteLeavesTheNewPods": {"until they are deleted", func(h *held) {
			h.apply("b", daemon(policies.Held))
			h.renewOne("a", "{A3 B1}")
			proven := h.uids("a")
			h.apply("a", daemon(policies.Aborting))
			h.stays("{A3 B1}")
			h.renewOne("b", "{A4}")
			h.keeps(proven)
			h.rests("a")
		}},
		"BackToATemplate_TheSameHash": {"its number is another", func(h *held) {
			before := h.hashes()
			h.apply("b", daemon(policies.Held))
			h.renewOne("a", "{A3 B1}")
			h.apply("a", daemon(policies.Aborting))
			h.renewOne("b", "{A4}")
			if diff := cmp.Diff(before, h.hashes()); diff != "" {
				h.t.Errorf("hashes of templates: -before +after\n%s", diff)
			}
		}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Log(s.reason)
			s.tell(newHeldOf(t, control, daemonSets, 4, "", func(h *held) {
				h.podSpec = fmt.Sprintf("nodeSelector: {held/%s: 'yes'}", h.namespace)
				h.onNodes(true, 0, 1, 2, 3)
				t.Cleanup(func() { h.onNodes(false, 0, 1, 2, 3) })
			}))
		})
	}
}
