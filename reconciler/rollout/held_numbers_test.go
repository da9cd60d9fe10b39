package rollout

import (
	"context"
	"fmt"
	"strings"
	"testing"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"

	"github.com/sluice-cd/sluice/policies"
)

// TestHeldCanary_Percentages: how the controller rounds a number that is a share, which is why ours are whole numbers.
func TestHeldCanary_Percentages(t *testing.T) {
	for name, c := range map[string]struct {
		replicas int
		number   string
		want     []string // by percentage, each greater than the last
	}{
		"SurgeOf8":   {8, "maxSurge", []string{"10% {A8 B1}", "12% {A8 B1}", "25% {A8 B2}", "34% {A8 B3}", "50% {A8 B4}", "100% {A8 B8}"}},
		"SurgeOf6":   {6, "maxSurge", []string{"34% {A6 B3}"}},
		"ReplaceOf6": {6, "maxUnavailable", []string{"10% {A5 B1}", "25% {A5 B1}", "50% {A3 B3}"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			h := newHeld(t, control, c.replicas)
			for _, step := range c.want {
				percent, pods, _ := strings.Cut(step, " ")
				h.holds("b", c.number, percent)
				h.stays(pods)
			}
		})
	}
}

// holds keeps a template at one number of the strategy, the other being 0.
func (h *held) holds(template, number string, value any) {
	h.t.Helper()
	made := surge(policies.Held, 1).Of(h.git(template))
	rolling := map[string]any{"maxSurge": int64(0), "maxUnavailable": int64(0)}
	rolling[number] = value
	if err := unstructured.SetNestedMap(made.Object, rolling, "spec", "strategy", "rollingUpdate"); err != nil {
		h.t.Fatal(err)
	}
	h.send(made)
}

func TestHeldCanary_OtherNumbers(t *testing.T) {
	tellEach(t, map[string]story{
		"ScaledWhileHeldAtAShare_FollowsIt": {"", func(h *held) {
			h.holds("b", "maxSurge", "25%")
			h.stays("{A8 B2}")
			h.scale(16)
			h.stays("{A16 B4}")
			h.scale(8)
			h.stays("{A8 B2}")
			h.scale(20)
			h.stays("{A20 B5}")
		}},
		"FinishWithGitsOwnNumbers_Surge_ProvenPodsGoTooEarly": {"a quarter may be missing", func(h *held) {
			h.fail["b"] = "slow, dev.sluice/delay: 2s"
			h.apply("b", surge(policies.Held, 2))
			h.stays("{A8 B2}")
			h.mark()
			h.settle("b")
			h.stays("{B8}")
			if h.low != 6 {
				h.t.Errorf("there were %d Ready pods at least, want 6", h.low)
			}
		}},
		"FinishWithGitsOwnNumbers_Replace_MorePodsThanBefore": {"and a quarter more may be there", func(h *held) {
			h.apply("b", replace(policies.Held, 2))
			h.stays("{A6 B2}")
			h.mark()
			h.settle("b")
			h.stays("{B8}")
			if h.high != 10 {
				h.t.Errorf("%d pods were wanted at most, want 10", h.high)
			}
		}},
		"Lesson50_AbortWithGitsOwnNumbers_StandsStill": {"with three sick pods of eight", func(h *held) {
			h.apply("b", surge(policies.Held, 1))
			h.stays("{A8 B1}")
			h.sicken("a", 3)
			h.settle("a")
			h.stays("{A8(5) B1}")
			h.apply("a", surge(policies.Aborting, 1))
			h.stays("{A8(5)}")
		}},
		"Lesson44_HeldOverAFinish_ThreeTemplates": {"so a third release waits until the second has gone", func(h *held) {
			h.container["b"] = "ports: [{containerPort: 80, hostPort: 18004}]" // one on each of the four nodes
			h.apply("b", surge(policies.Held, 2))
			h.stays("{A8 B2}")
			h.lateSet("b", "a")
			h.apply("b", surge(policies.Finishing, 2))
			h.stays("{A4 B6(4)}")
			h.apply("c", surge(policies.Held, 1))
			h.until("three templates", func() bool {
				_, ready := h.count("c")
				return len(h.uids("a")) > 0 && len(h.uids("b")) > 0 && ready == 1 && h.setsAgree()
			})
			h.stays(h.String())
		}},
		"ReturnToAReplicaSetThatIsGone_TheSameNameAndHash": {"revisionHistoryLimit 0 had removed it", func(h *held) {
			hash := h.set("a").Name
			h.settle("b")
			h.stays("{B8}")
			h.patch("Deployment", "web", `{"spec":{"revisionHistoryLimit":0}}`)
			h.until("no ReplicaSet of a", func() bool { return len(h.sets) == 1 })
			h.mark()
			h.holds("a", "maxSurge", "100%")
			h.stays("{A8 B8}")
			h.never(8, 16)
			if now := h.newest().Name; now != hash {
				h.t.Errorf("ReplicaSet %s is now %s", hash, now)
			}
		}},
	})
}

// TestHeldCanary_WhatOthersSee: what a held Deployment says of itself, and what is reckoned from its pods.
func TestHeldCanary_WhatOthersSee(t *testing.T) {
	tellEach(t, map[string]story{
		"NeverCurrent_AndNotAvailableForASickProvenPod": {"so its own conditions are not the health of a stage", func(h *held) {
			h.apply("b", surge(policies.Held, 1))
			h.stays("{A8 B1}")
			if status, why := health(h.live()); status != InProgress {
				h.t.Errorf("it is %s: %s", status, why)
			}
			h.sicken("a", 1)
			h.until("Available=False", func() bool { return h.condition(appsv1.DeploymentAvailable) == corev1.ConditionFalse })
		}},
		"TheGreatestDeadlineRemovesTheCondition": {"one less keeps it", func(h *held) {
			made := surge(policies.Held, 1).Of(h.git("b"))
			if err := unstructured.SetNestedField(made.Object, int64(2147483646), "spec", "progressDeadlineSeconds"); err != nil {
				h.t.Fatal(err)
			}
			h.send(made)
			h.stays("{A8 B1}")
			if h.condition(appsv1.DeploymentProgressing) == "" {
				h.t.Error("there is no condition Progressing")
			}
			h.apply("b", surge(policies.Held, 1))
			h.stays("{A8 B1}")
			h.until("no condition Progressing", func() bool { return h.condition(appsv1.DeploymentProgressing) == "" })
		}},
		"ADeadlineThatIsNotGreaterIsRefused": {"", func(h *held) {
			body := `{"spec":{"minReadySeconds":2000000000,"progressDeadlineSeconds":2000000000}}`
			_, err := h.kube.apps.Deployments(h.namespace).Patch(h.t.Context(), "web", types.MergePatchType, []byte(body), metav1.PatchOptions{})
			if err == nil || !strings.Contains(err.Error(), "must be greater than minReadySeconds") {
				h.t.Errorf("the error is %v", err)
			}
		}},
		"NoReplicaSetCanBeMade_OnlyAnEventSaysSo": {"", func(h *held) {
			h.create(quotas, "{apiVersion: v1, kind: ResourceQuota, metadata: {name: one}, spec: {hard: {count/replicasets.apps: '1'}}}")
			h.awaitOther(quotas, "a quota that counts", func(o *unstructured.Unstructured) bool {
				used, _, _ := unstructured.NestedString(o.Object, "status", "used", "count/replicasets.apps")
				return used == "1"
			})
			h.apply("b", surge(policies.Held, 1))
			h.awaitOther(events, "the Event", func(o *unstructured.Unstructured) bool {
				message, _, _ := unstructured.NestedString(o.Object, "message")
				return o.Object["reason"] == "ReplicaSetCreateError" && strings.Contains(message, "quota")
			})
			for _, c := range h.live().Object["status"].(map[string]any)["conditions"].([]any) {
				if strings.Contains(fmt.Sprint(c), "quota") {
					h.t.Errorf("a condition says so too: %v", c)
				}
			}
		}},
		"ABudgetCountsReadyPods_AHoldChangesNothing": {"minReadySeconds is nothing to it", func(h *held) {
			h.create(budgets, "{apiVersion: policy/v1, kind: PodDisruptionBudget, metadata: {name: web}, "+
				"spec: {minAvailable: 7, selector: {matchLabels: {app: web}}}}")
			h.allows(8, 1)
			h.apply("b", replace(policies.Held, 2))
			h.stays("{A6 B2}")
			h.allows(8, 1)
			h.apply("a", replace(policies.Aborting, 2))
			h.stays("{A8}")
			h.apply("b", surge(policies.Held, 1))
			h.stays("{A8 B1}")
			h.allows(9, 2)
		}},
	})
}

// condition is the status of the Deployment's condition; empty where it has none.
func (h *held) condition(of appsv1.DeploymentConditionType) corev1.ConditionStatus {
	for _, c := range h.deployment.Status.Conditions {
		if c.Type == of {
			return c.Status
		}
	}
	return ""
}

// live is the workload as it is now.
func (h *held) live() *unstructured.Unstructured {
	h.t.Helper()
	live, err := h.kube.dynamic.Resource(plural(h.kind)).Namespace(h.namespace).Get(h.t.Context(), "web", metav1.GetOptions{})
	if err != nil {
		h.t.Fatal(err)
	}
	return live
}

// Kinds that are there beside the workload.
var (
	quotas  = schema.GroupVersionResource{Version: "v1", Resource: "resourcequotas"}
	events  = schema.GroupVersionResource{Version: "v1", Resource: "events"}
	budgets = schema.GroupVersionResource{Group: "policy", Version: "v1", Resource: "poddisruptionbudgets"}
)

func (h *held) create(kind schema.GroupVersionResource, manifest string) {
	h.t.Helper()
	_, err := h.kube.dynamic.Resource(kind).Namespace(h.namespace).Create(h.t.Context(), parse(h.t, manifest), metav1.CreateOptions{})
	if err != nil {
		h.t.Fatal(err)
	}
}

// awaitOther waits until an object of a kind is as wanted.
func (h *held) awaitOther(kind schema.GroupVersionResource, what string, done func(*unstructured.Unstructured) bool) {
	h.t.Helper()
	ctx, cancel := context.WithTimeout(h.t.Context(), patience)
	defer cancel()
	seen, err := h.kube.dynamic.Resource(kind).Namespace(h.namespace).Watch(ctx, metav1.ListOptions{})
	if err != nil {
		h.t.Fatal(err)
	}
	defer seen.Stop()
	for event := range seen.ResultChan() {
		if o, ok := event.Object.(*unstructured.Unstructured); ok && done(o) {
			return
		}
	}
	h.t.Fatalf("not seen: %s; there is %s", what, h)
}

// allows waits until the budget counts so many healthy pods, and lets so many go.
func (h *held) allows(healthy, disruptions int64) {
	h.t.Helper()
	h.awaitOther(budgets, fmt.Sprintf("a budget of %d", healthy), func(o *unstructured.Unstructured) bool {
		counted, _, _ := unstructured.NestedInt64(o.Object, "status", "currentHealthy")
		lets, _, _ := unstructured.NestedInt64(o.Object, "status", "disruptionsAllowed")
		return counted == healthy && lets == disruptions
	})
}
