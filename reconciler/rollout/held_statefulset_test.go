package rollout

import (
	"fmt"
	"testing"

	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/sluice-cd/sluice/policies"
)

// ordered holds a StatefulSet of so many replicas at so many new pods.
func ordered(form policies.Form, replicas, pods int) policies.Shape {
	return policies.Shape{Form: form, Capacity: policies.Replace, Pods: pods, Replicas: replicas}
}

// ordinals says of which template each pod is, in order, as "aaab"; a pod that is not there is a dot, one that is not Ready
// has a capital letter.
func (h *held) ordinals() string {
	said := []byte(fmt.Sprintf("%.*s", h.replicas, "................"))
	for _, uid := range h.uids("") {
		p := h.pods[uid]
		at := ordinalOf(p.Name)
		for len(said) <= at {
			said = append(said, '.')
		}
		if said[at] = letter(p.Spec)[0]; !isReady(p) {
			said[at] -= 'a' - 'A'
		}
	}
	return string(said)
}

// are says that the pods are these, in order, and stay so. A StatefulSet's controller may delete a pod once more that has
// just been made anew: by its name, from an older sight of it. Then it decides again.
func (h *held) are(want string) {
	h.t.Helper()
	for range 5 {
		h.until(want, func() bool { return h.ordinals() == want })
		before := h.uids("")
		h.decide(want)
		if got := h.ordinals(); got == want && cmp.Equal(before, h.uids("")) {
			return
		}
	}
	h.t.Fatalf("the pods are %s, want %s", h.ordinals(), want)
}

// sick makes the pod of an ordinal not Ready, for good, and returns when the controller knows.
func (h *held) sick(ordinal int) {
	h.t.Helper()
	name := fmt.Sprintf("web-%d", ordinal)
	h.patch("Pod", name, `{"metadata":{"annotations":{"dev.sluice/fail":"lost","dev.sluice/delay":"1ms"}}}`)
	h.until(name+" is not Ready", func() bool {
		for _, uid := range h.uids("") {
			if h.pods[uid].Name == name {
				return !isReady(h.pods[uid])
			}
		}
		return false
	})
	h.decide(name + " being sick")
}

// tellOrdered tells each story of a StatefulSet of six pods of template a, which are made in order, or in parallel.
func tellOrdered(t *testing.T, spec string, stories map[string]story) {
	turns := make(chan struct{}, 4)
	for name, s := range stories {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			turns <- struct{}{}
			defer func() { <-turns }()
			t.Log(s.reason)
			s.tell(newHeldOf(t, control, statefulSets, 6, spec))
		})
	}
}

func TestHeldStatefulSet_OrderedReady(t *testing.T) {
	tellOrdered(t, "", map[string]story{
		"PartitionHoldsExactlyThem": {"and no pod of a stage is made anew in the next one, or in the finish", func(h *held) {
			proven := h.uids("")
			h.apply("b", ordered(policies.Held, 6, 1))
			h.are("aaaaab")
			first := h.uids("b")
			h.never(5, 6)
			h.apply("b", ordered(policies.Held, 6, 3))
			h.are("aaabbb")
			h.keeps(first)
			h.never(5, 6) // one after the other
			h.apply("b", ordered(policies.Finishing, 6, 3))
			h.are("bbbbbb")
			h.keeps(first)
			h.rests("b")
			if kept := h.uids(""); cmp.Equal(proven, kept) {
				h.t.Error("no pod was replaced")
			}
		}},
		"HeldIsCurrentToKstatus": {"so that its own health says nothing of the stage", func(h *held) {
			h.apply("b", ordered(policies.Held, 6, 1))
			h.are("aaaaab")
			live, err := h.kube.dynamic.Resource(plural(statefulSets)).Namespace(h.namespace).Get(h.t.Context(), "web", metav1.GetOptions{})
			if err != nil {
				h.t.Fatal(err)
			}
			if status, why := health(live); status != Current {
				h.t.Errorf("it is %s: %s", status, why)
			}
		}},
		"ADeletedProvenPodComesBackProven": {"a new one new", func(h *held) {
			h.apply("b", ordered(policies.Held, 6, 2))
			h.are("aaaabb")
			for _, name := range []string{"web-1", "web-5"} {
				h.renew(name)
				h.are("aaaabb")
			}
		}},
		"ScaledFrom6To8UnderPartition5_BothNewOnesAreUnproven": {"the partition is what it was", func(h *held) {
			h.apply("b", ordered(policies.Held, 6, 1))
			h.are("aaaaab")
			h.scale(8)
			h.are("aaaaabbb")
			h.apply("b", ordered(policies.Held, 8, 1))
			h.are("aaaaabbb") // too late: nothing corrects it
			h.deletePod("web-6")
			h.are("aaaaabab") // but this
			h.deletePod("web-5")
			h.are("aaaaaaab")
		}},
		"ReplicasAndPartitionInOneApply_OneIsUnproven": {"", func(h *held) {
			h.apply("b", ordered(policies.Held, 6, 1))
			h.are("aaaaab")
			h.replicas = 8
			h.apply("b", ordered(policies.Held, 8, 1))
			h.are("aaaaabab")
		}},
		"Lesson43_ScaledToZeroAndBack_AllAreUnproven": {"the partition is ignored", func(h *held) {
			h.apply("b", ordered(policies.Held, 6, 1))
			h.are("aaaaab")
			h.scale(0)
			h.stays("{}")
			h.scale(6)
			h.are("bbbbbb")
		}},
		"Lesson43_DeletedAndAppliedHeld_AllAreUnproven": {"", func(h *held) {
			h.apply("b", ordered(policies.Held, 6, 1))
			h.are("aaaaab")
			h.deleteWorkload(metav1.DeletePropagationForeground)
			h.until("no pods", func() bool { return len(h.uids("")) == 0 })
			h.apply("b", ordered(policies.Held, 6, 1))
			h.are("bbbbbb")
		}},
		"ABadPodBlocksItsOwnRepair": {"until it is deleted", func(h *held) {
			h.fail["b"] = "never-ready"
			h.apply("b", ordered(policies.Held, 6, 1))
			h.are("aaaaaB")
			h.apply("a", ordered(policies.Aborting, 6, 1))
			h.are("aaaaaB") // it stands still
			h.deletePod("web-5")
			h.are("aaaaaa")
			h.rests("a")
		}},
		"Lesson51_ASickProvenPodBlocksTheHold": {"", func(h *held) {
			h.sick(2)
			h.apply("b", ordered(policies.Held, 6, 1))
			h.are("aaAaaa")
		}},
		"Lesson51_ASickProvenPodBlocksTheAbort": {"even that of a new pod that is well", func(h *held) {
			h.apply("b", ordered(policies.Held, 6, 2))
			h.are("aaaabb")
			h.sick(2)
			h.apply("a", ordered(policies.Aborting, 6, 2))
			h.are("aaAabb") // it stands still
			h.deletePod("web-5")
			h.are("aaAab.") // and makes none either
			h.deletePod("web-4")
			h.are("aaAa..")
			h.deletePod("web-2")
			h.are("aaaaaa")
		}},
		"AbortKeepsWhatIsProven": {"", func(h *held) {
			h.apply("b", ordered(policies.Held, 6, 2))
			h.are("aaaabb")
			proven := h.uids("a")
			h.mark()
			h.apply("a", ordered(policies.Aborting, 6, 2))
			h.are("aaaaaa")
			h.never(5, 6)
			h.keeps(proven)
			h.rests("a")
		}},
	})
}

func TestHeldStatefulSet_Parallel(t *testing.T) {
	tellOrdered(t, "podManagementPolicy: Parallel", map[string]story{
		"ABadPodIsRepaired": {"", func(h *held) {
			h.fail["b"] = "never-ready"
			h.apply("b", ordered(policies.Held, 6, 1))
			h.are("aaaaaB")
			h.apply("a", ordered(policies.Aborting, 6, 1))
			h.are("aaaaaa")
		}},
		"ASickProvenPodBlocksNothing": {"", func(h *held) {
			h.sick(2)
			h.apply("b", ordered(policies.Held, 6, 1))
			h.are("aaAaab")
			h.apply("a", ordered(policies.Aborting, 6, 1))
			h.are("aaAaaa")
		}},
		"AStageGoesOnePodAfterTheOther": {"in parallel are only the making and the ending", func(h *held) {
			h.apply("b", ordered(policies.Held, 6, 3))
			h.are("aaabbb")
			h.never(5, 6)
		}},
	})
}

func TestHeldStatefulSet_MaxUnavailableIsDropped(t *testing.T) {
	h := newHeldOf(t, control, statefulSets, 6, "updateStrategy: {rollingUpdate: {maxUnavailable: 3}}")
	live, err := h.kube.dynamic.Resource(plural(statefulSets)).Namespace(h.namespace).Get(t.Context(), "web", metav1.GetOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if got, there, _ := unstructured.NestedFieldNoCopy(live.Object, "spec", "updateStrategy", "rollingUpdate", "maxUnavailable"); there {
		t.Errorf("it is %v", got)
	}
}

// renew deletes a pod, and returns when there is another one of its name.
func (h *held) renew(name string) {
	h.t.Helper()
	before := h.uids("")
	h.deletePod(name)
	h.until("another "+name, func() bool { return len(h.uids("")) == len(before) && !cmp.Equal(before, h.uids("")) })
}

// rests says that the manifest as it was rendered restarts nothing.
func (h *held) rests(template string) {
	h.t.Helper()
	before, now := h.uids(""), h.String()
	h.settle(template)
	h.stays(now)
	h.keeps(before)
}
