package rollout

import (
	"os"
	"os/exec"
	"strconv"
	"testing"

	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/client-go/tools/clientcmd"

	"github.com/sluice-cd/sluice/policies"
)

func surge(form policies.Form, pods int) policies.Shape {
	return policies.Shape{Form: form, Capacity: policies.Surge, Pods: pods}
}

func replace(form policies.Form, pods int) policies.Shape {
	return policies.Shape{Form: form, Capacity: policies.Replace, Pods: pods}
}

// share is a stage of so many percent of eight pods.
func share(percent int, capacity policies.Capacity) policies.Shape {
	step := policies.CanaryStep{WeightPercent: percent}
	return policies.Shape{Form: policies.Held, Capacity: capacity, Pods: step.Pods(8, capacity)}
}

// story is what is done to a Deployment of eight pods of template a, and what then becomes of it.
type story struct {
	reason string
	tell   func(*held)
}

// tellEach tells each story in a namespace of its own, four at once.
func tellEach(t *testing.T, stories map[string]story) {
	turns := make(chan struct{}, 4)
	for name, s := range stories {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			turns <- struct{}{}
			defer func() { <-turns }()
			t.Log(s.reason)
			s.tell(newHeld(t, control, 8))
		})
	}
}

func TestHeldCanary_Stages(t *testing.T) {
	tellEach(t, map[string]story{
		"Surge1KeepsEightAndAddsOne": {"new pods are never available, so none is removed for them", func(h *held) {
			proven := h.uids("a")
			h.mark()
			h.apply("b", surge(policies.Held, 1))
			h.stays("{A8 B1}")
			h.never(8, 9)
			h.keeps(proven)
		}},
		"Surge25_IsThreeOfEleven": {"a share of all pods, not of the replicas", func(h *held) {
			h.mark()
			h.apply("b", share(25, policies.Surge))
			h.stays("{A8 B3}")
			h.never(8, 11)
		}},
		"Surge50_IsAsManyAgain": {"", func(h *held) {
			h.apply("b", share(50, policies.Surge))
			h.stays("{A8 B8}")
			h.never(8, 16)
		}},
		"Replace2": {"two new pods take the place of two proven ones", func(h *held) {
			h.mark()
			h.apply("b", replace(policies.Held, 2))
			h.stays("{A6 B2}")
			h.never(6, 8)
		}},
		"Replace2_SickProvenPodGoesFirst": {"", func(h *held) {
			h.sicken("a", 3)
			h.apply("b", replace(policies.Held, 2))
			h.stays("{A6(5) B2}")
		}},
		"Surge1_SickProvenPodsStay": {"", func(h *held) {
			h.sicken("a", 3)
			h.apply("b", surge(policies.Held, 1))
			h.stays("{A8(5) B1}")
		}},
		"GreaterNumbersKeepWhatIsThere": {"from stage to stage no pod is restarted", func(h *held) {
			h.mark()
			h.apply("b", surge(policies.Held, 1))
			h.await("{A8 B1}")
			before := h.uids("")
			h.apply("b", surge(policies.Held, 3))
			h.stays("{A8 B3}")
			h.keeps(before)
			h.never(8, 11)
		}},
		"SmallerNumberNeverShrinks": {"only scaling its ReplicaSet does, and nothing corrects that", func(h *held) {
			h.apply("b", surge(policies.Held, 4))
			h.stays("{A8 B4}")
			h.apply("b", surge(policies.Held, 1))
			h.stays("{A8 B4}")
			h.patch("ReplicaSet", h.set("b").Name, `{"spec":{"replicas":1}}`, "scale")
			h.stays("{A8 B1}")
			h.patch("ReplicaSet", h.set("b").Name, `{"spec":{"replicas":3}}`, "scale")
			h.stays("{A8 B3}")
		}},
		"BothNumbersAreSent": {"25% is taken for the one that is missing, and proven pods go", func(h *held) {
			made := surge(policies.Held, 1).Of(h.git("b"))
			unstructured.RemoveNestedField(made.Object, "spec", "strategy", "rollingUpdate", "maxUnavailable")
			h.send(made)
			h.stays("{A6 B3}")
			h.apply("b", surge(policies.Held, 1))
			h.stays("{A6 B3}") // too late
			h.apply("a", surge(policies.Returning, 1))
			h.stays("{A8}")
			h.mark()
			h.apply("b", surge(policies.Held, 1))
			h.stays("{A8 B1}")
			h.never(8, 9)
		}},
		"PausedInGit": {"a paused Deployment would make no pod of the stage", func(h *held) {
			h.spec = "paused: true"
			h.apply("b", replace(policies.Held, 2))
			h.stays("{A6 B2}")
			h.apply("a", replace(policies.Aborting, 2))
			h.stays("{A8}")
		}},
		"SameTemplateHeld_NoNewReplicaSet": {"1000m is 1: the present pods would only become unavailable", func(h *held) {
			h.container["b"] = "resources: {limits: {cpu: '1'}}"
			h.settle("b")
			h.stays("{B8}")
			before, set := h.uids("b"), h.set("b").UID
			h.container["b"] = "resources: {limits: {cpu: 1000m}}"
			h.apply("b", surge(policies.Held, 1))
			h.until("nothing available", func() bool { return h.deployment.Status.AvailableReplicas == 0 })
			h.stays("{B8}")
			h.settle("b")
			h.until("all available", func() bool { return h.deployment.Status.AvailableReplicas == 8 })
			h.stays("{B8}")
			h.keeps(before)
			if h.set("b").UID != set {
				h.t.Error("there is another ReplicaSet")
			}
		}},
	})
}

func TestHeldCanary_WhileItIsHeld(t *testing.T) {
	tellEach(t, map[string]story{
		"AnOldPodIsDeleted_ComesBackOld": {"", func(h *held) {
			h.apply("b", surge(policies.Held, 1))
			h.await("{A8 B1}")
			kept, went := h.uids("b"), h.uids("a")[0]
			h.deletePod(h.pods[went].Name)
			h.until("another pod", func() bool { return h.pods[went] == nil && h.String() == "{A8 B1}" })
			h.stays("{A8 B1}")
			h.keeps(kept)
		}},
		"ANewPodIsDeleted_ComesBackNew": {"", func(h *held) {
			h.apply("b", replace(policies.Held, 2))
			h.await("{A6 B2}")
			kept, went := h.uids("a"), h.uids("b")[0]
			h.deletePod(h.pods[went].Name)
			h.until("another pod", func() bool { return h.pods[went] == nil && h.String() == "{A6 B2}" })
			h.stays("{A6 B2}")
			h.keeps(kept)
		}},
		"UnprovenReplicaSetIsDeleted_ComesBackTheSame": {"", func(h *held) {
			h.apply("b", surge(policies.Held, 1))
			h.stays("{A8 B1}")
			kept, went, old := h.uids("a"), h.set("b"), h.uids("b")[0]
			h.deleteSet(went.Name, metav1.DeletePropagationBackground)
			h.until("another pod", func() bool {
				return h.sets[went.UID] == nil && h.pods[old] == nil && h.String() == "{A8 B1}"
			})
			h.stays("{A8 B1}")
			h.keeps(kept)
			if got := h.set("b").Name; got != went.Name {
				h.t.Errorf("ReplicaSet %s came back as %s", went.Name, got)
			}
		}},
		"ProvenReplicaSetIsDeleted_UnprovenTakesOver": {"the hold protects only what is there", func(h *held) {
			h.apply("b", surge(policies.Held, 1))
			h.stays("{A8 B1}")
			h.deleteSet(h.set("a").Name, metav1.DeletePropagationBackground)
			h.stays("{B8}")
		}},
		"ScaledWhileHeld_Proportional": {"the number stays what it was, and proven pods are missing", func(h *held) {
			h.apply("b", surge(policies.Held, 2))
			h.stays("{A8 B2}")
			h.scale(16)
			h.stays("{A14 B4}")
			h.scale(8)
			h.stays("{A8 B2}")
			h.scale(20)
			h.stays("{A18 B4}")
		}},
		"ScaledByOneApply_WithItsNumber_KeepsTheShare": {"what the number is of and the number go together", func(h *held) {
			h.apply("b", surge(policies.Held, 3))
			h.stays("{A8 B3}")
			h.replicas = 16
			h.apply("b", surge(policies.Held, 6))
			h.stays("{A16 B6}")
		}},
		"ScaledToHalfAndBack_IsNotExact": {"a proven pod is missing, and nothing brings it back", func(h *held) {
			h.apply("b", surge(policies.Held, 1))
			h.stays("{A8 B1}")
			h.scale(4)
			h.await("{A4 B1}")
			h.scale(8)
			h.stays("{A7 B2}")
		}},
		"ScaledToZeroAndBack_UnprovenTakesOver": {"", func(h *held) {
			h.apply("b", surge(policies.Held, 1))
			h.stays("{A8 B1}")
			h.scale(0)
			h.stays("{}")
			h.scale(8)
			h.stays("{B8}")
		}},
		"ReplaceScaledBelowItsNumber_ProvenIsGone": {"without ever reaching no replicas", func(h *held) {
			h.apply("b", replace(policies.Held, 2))
			h.stays("{A6 B2}")
			h.scale(2)
			h.stays("{B2}")
			h.scale(8)
			h.stays("{B8}")
		}},
		"SurgeScaledToOneAndBack": {"", func(h *held) {
			h.apply("b", surge(policies.Held, 1))
			h.stays("{A8 B1}")
			h.scale(1)
			h.stays("{A1 B1}")
			h.scale(8)
			h.stays("{A4 B5}")
		}},
		"DeploymentDeleted_UnprovenTakesOver": {"", func(h *held) {
			h.apply("b", surge(policies.Held, 1))
			h.stays("{A8 B1}")
			h.deleteWorkload(metav1.DeletePropagationBackground)
			h.await("{}")
			h.apply("b", surge(policies.Held, 1))
			h.stays("{B8}")
		}},
		"DeploymentDeletedWithOrphans_IsAdopted": {"", func(h *held) {
			h.apply("b", surge(policies.Held, 1))
			h.stays("{A8 B1}")
			before := h.uids("")
			h.deleteWorkload(metav1.DeletePropagationOrphan)
			h.apply("b", surge(policies.Held, 1))
			h.stays("{A8 B1}")
			h.keeps(before)
		}},
		"HeldOverHeld_A8C1": {"all proven pods being well", func(h *held) {
			h.apply("b", surge(policies.Held, 1))
			h.stays("{A8 B1}")
			h.apply("c", surge(policies.Held, 1))
			h.stays("{A8 C1}")
		}},
		"HeldOverHeld_SickProvenPod_ThreeTemplates": {"so no release is staged over another", func(h *held) {
			h.apply("b", surge(policies.Held, 1))
			h.stays("{A8 B1}")
			h.lateSet("b", "a")
			h.sicken("a", 1)
			h.apply("c", surge(policies.Held, 1))
			h.stays("{A7 B1 C1}")
		}},
	})
}

func TestHeldCanary_Ends(t *testing.T) {
	tellEach(t, map[string]story{
		"FinishSurge_LeastReady8_UIDsKept": {"Git's own 25%/25% would leave six", func(h *held) {
			h.apply("b", surge(policies.Held, 2))
			h.stays("{A8 B2}")
			h.mark()
			stage := h.uids("b")
			h.apply("b", surge(policies.Finishing, 2))
			h.stays("{B8}")
			h.never(8, 10)
			h.keeps(stage)
			h.settled("b")
		}},
		"FinishReplace_MostPods8": {"Git's own 25%/25% would make ten", func(h *held) {
			h.apply("b", replace(policies.Held, 2))
			h.stays("{A6 B2}")
			h.mark()
			stage := h.uids("b")
			h.apply("b", replace(policies.Finishing, 2))
			h.stays("{B8}")
			h.never(6, 8)
			h.keeps(stage)
			h.settled("b")
		}},
		"Abort_BadCanaryGoes": {"", func(h *held) {
			h.fail["b"] = "never-ready"
			proven := h.uids("a")
			h.mark()
			h.apply("b", surge(policies.Held, 1))
			h.stays("{A8 B1(0)}")
			h.apply("a", surge(policies.Aborting, 1))
			h.stays("{A8}")
			h.never(8, 9)
			h.keeps(proven)
			h.settled("a")
		}},
		"Abort_Replace": {"the stage's own level, and never more pods", func(h *held) {
			h.apply("b", replace(policies.Held, 2))
			h.stays("{A6 B2}")
			h.mark()
			proven := h.uids("a")
			h.apply("a", replace(policies.Aborting, 2))
			h.stays("{A8}")
			h.never(6, 8)
			h.keeps(proven)
			h.settled("a")
		}},
		"AbortWithASickProvenPod_Clears": {"", func(h *held) {
			h.apply("b", surge(policies.Held, 3))
			h.stays("{A8 B3}")
			h.sicken("a", 3)
			h.mark()
			proven := h.uids("a")
			h.apply("a", surge(policies.Aborting, 3))
			h.stays("{A8(5)}")
			h.never(5, 11)
			h.keeps(proven)
			h.settled("a")
		}},
		"Lesson50_AbortWithASickProvenPod_Surge": {"it eats the budget, and no other pod would leave", func(h *held) {
			h.apply("b", surge(policies.Held, 1))
			h.stays("{A8 B1}")
			h.sicken("a", 1)
			proven := h.uids("a")
			h.apply("a", surge(policies.Returning, 1))
			h.stays("{A8(7) B1}") // so it stands still
			h.apply("a", surge(policies.Aborting, 1))
			h.stays("{A8(7)}")
			h.keeps(proven)
		}},
		"Lesson50_AbortWithASickProvenPod_Replace": {"", func(h *held) {
			h.apply("b", replace(policies.Held, 2))
			h.stays("{A6 B2}")
			h.sicken("a", 2)
			h.mark()
			proven := h.uids("a")
			h.apply("a", replace(policies.Returning, 2))
			h.stays("{A6(4) B2}") // so it stands still
			h.apply("a", replace(policies.Aborting, 2))
			h.stays("{A8(6)}")
			h.never(4, 8)
			h.keeps(proven)
		}},
		"AbortInTheMiddleOfAFinish_Returning_KeepsEight": {"", func(h *held) {
			h.halfFinished(18001, "{A8 B2}", "{A4 B6(4)}")
			h.mark()
			proven := h.uids("a")
			h.apply("a", surge(policies.Returning, 2))
			h.stays("{A8}")
			h.never(8, 10)
			h.keeps(proven)
			h.settled("a")
		}},
		"AbortInTheMiddleOfAFinish_Aborting_KeepsOnlyTheProven": {"there is no hold, so that is not its form", func(h *held) {
			h.fail["c"] = "slow, dev.sluice/delay: 2s" // else new pods may be Ready before the others are gone
			h.settle("c")
			h.stays("{C8}")
			h.halfFinished(18002, "{B2 C8}", "{B6(4) C4}")
			h.mark()
			proven := h.uids("c")
			h.apply("c", surge(policies.Aborting, 2))
			h.stays("{C8}")
			h.never(4, 10)
			h.keeps(proven)
			if h.low >= 8 {
				h.t.Errorf("there were always %d Ready pods: the other form is not needed", h.low)
			}
		}},
		"ReturningStandsStill_AbortingClears": {"two sick proven pods are all of the surge", func(h *held) {
			h.halfFinished(18003, "{A8 B2}", "{A4 B6(4)}")
			h.sicken("a", 2)
			proven := h.uids("a")
			h.apply("a", surge(policies.Returning, 2))
			h.stays("{A4(2) B6(4)}")
			h.apply("a", surge(policies.Aborting, 2))
			h.stays("{A8(6)}")
			h.keeps(proven)
		}},
		"ReturnAfterCompletion_SameReplicaSet": {"one wave", func(h *held) {
			set := h.set("a").UID
			h.apply("b", surge(policies.Held, 1))
			h.stays("{A8 B1}")
			h.apply("b", surge(policies.Finishing, 1))
			h.stays("{B8}")
			h.mark()
			h.apply("a", surge(policies.Returning, 1))
			h.stays("{A8}")
			h.never(8, 10)
			if h.set("a").UID != set {
				h.t.Error("there is another ReplicaSet")
			}
		}},
		"PausedBySomebody_Abort": {"paused is always sent", func(h *held) {
			h.apply("b", replace(policies.Held, 2))
			h.stays("{A6 B2}")
			h.patch("Deployment", "web", `{"spec":{"paused":true}}`)
			h.apply("a", replace(policies.Aborting, 2))
			h.stays("{A8}")
		}},
	})
}

// lateSet makes the ReplicaSet of one template anew until it is younger than that of another by the clock of the API
// server, which knows seconds. The controller takes from the oldest first, and of two of the same second from either.
func (h *held) lateSet(young, old string) {
	h.t.Helper()
	for h.set(young).CreationTimestamp.Equal(&h.set(old).CreationTimestamp) {
		was, went := h.String(), h.set(young).UID
		pods := h.uids(young)
		h.deleteSet(h.set(young).Name, metav1.DeletePropagationBackground)
		h.until("another ReplicaSet", func() bool {
			return h.sets[went] == nil && h.String() == was && !cmp.Equal(pods, h.uids(young))
		})
		h.stays(was)
	}
}

// settled says that the manifest as it was rendered restarts nothing.
func (h *held) settled(template string) {
	h.t.Helper()
	before, set, now := h.uids(""), h.set(template).UID, h.String()
	h.settle(template)
	h.stays(now)
	h.keeps(before)
	if h.set(template).UID != set {
		h.t.Error("there is another ReplicaSet")
	}
	if got := h.deployment.Spec.MinReadySeconds; got != 0 {
		h.t.Errorf("minReadySeconds is %d", got)
	}
}

// halfFinished holds b and lets it finish until it can go no further: a port of the node lets one of its pods run on
// each of the four nodes.
func (h *held) halfFinished(port int, stage, half string) {
	h.t.Helper()
	h.container["b"] = "ports: [{containerPort: 80, hostPort: " + strconv.Itoa(port) + "}]"
	h.apply("b", surge(policies.Held, 2))
	h.stays(stage)
	h.apply("b", surge(policies.Finishing, 2))
	h.stays(half)
}

// TestHeldCanary_KilledControllerManager has a control plane of its own, as the others need theirs.
func TestHeldCanary_KilledControllerManager(t *testing.T) {
	dir := t.TempDir()
	run := func(args ...string) []byte {
		t.Helper()
		command := exec.Command(devcluster, append(args, "--dir", dir)...)
		command.Stderr = os.Stderr
		out, err := command.Output()
		if err != nil {
			t.Fatalf("devcluster %v: %v", args, err)
		}
		return out
	}
	defer run("down")
	config, err := clientcmd.BuildConfigFromFlags("", lastLine(run("up")))
	if err != nil {
		t.Fatal(err)
	}
	config.QPS = -1
	h := newHeld(t, config, 8)
	h.apply("b", surge(policies.Held, 1))
	h.stays("{A8 B1}")
	before := h.uids("")
	h.mark()
	run("stop", "--component", "kube-controller-manager")
	run("start", "--component", "kube-controller-manager")
	h.stays("{A8 B1}")
	h.never(9, 9)
	if diff := cmp.Diff(before, h.uids("")); diff != "" {
		t.Errorf("pods: -before +after\n%s", diff)
	}
}
