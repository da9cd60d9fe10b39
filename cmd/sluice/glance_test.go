package main

import (
	"bytes"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/sluice-cd/sluice/policies"
	"github.com/sluice-cd/sluice/reconciler"
)

// podOf is a pod of a workload's template; why is the reason that its container waits for, empty: it is Ready.
func podOf(kind, owner, label, hash, name, why string) *corev1.Pod {
	yes := true
	pod := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{
		Namespace: "shop", Name: name, Labels: map[string]string{label: hash},
		OwnerReferences: []metav1.OwnerReference{{Kind: kind, Name: owner, Controller: &yes}},
	}, Status: corev1.PodStatus{Phase: corev1.PodRunning}}
	if why == "" {
		pod.Status.Conditions = []corev1.PodCondition{{Type: corev1.PodReady, Status: corev1.ConditionTrue}}
	} else {
		pod.Status.ContainerStatuses = []corev1.ContainerStatus{{State: corev1.ContainerState{Waiting: &corev1.ContainerStateWaiting{Reason: why}}}}
	}
	return pod
}

func TestGlance(t *testing.T) {
	now := time.Date(2026, 11, 21, 12, 0, 0, 0, time.UTC)
	const deployment = "Deployment/shop/web"
	of := func(hash, name, why string) *corev1.Pod {
		return podOf("ReplicaSet", "web-"+hash, "pod-template-hash", hash, name, why)
	}
	going := of("new", "going", "")
	going.DeletionTimestamp = &metav1.Time{Time: now}
	pods := map[string]*corev1.Pod{
		"1": of("old", "one", ""), "2": of("old", "two", "Error"), "3": of("new", "three", "CrashLoopBackOff"), "4": of("new", "four", ""),
		"5": going, "6": podOf("ReplicaSet", "other-old", "pod-template-hash", "old", "six", ""), "7": {ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: "bare"}},
		"8": podOf("StatefulSet", "web", "controller-revision-hash", "old", "web-0", ""),
	}
	saved := func(change func(*policies.State)) reconciler.Saved {
		s := policies.State{Phase: policies.Progressing, Reason: "stage 1 of 2: \x1b[2J2 instances", Applied: true,
			Release: policies.Release{Revision: "4f1c0c2e5d5f4c1c"}, Proven: policies.Release{Revision: "b0b0b0b0b0b0"},
			Staging: policies.Staging{Form: policies.Held, Stage: 1, Staged: []policies.Staged{{Name: deployment, Proven: "old", Replicas: 2, Pods: 2}}}}
		change(&s)
		return reconciler.Saved{Key: reconciler.Key{Application: "shop", Environment: "production"}, State: s, Stages: 2, Due: now.Add(90 * time.Second)}
	}
	cases := map[string]struct {
		reason string
		change func(*policies.State)
		want   string // the line
	}{
		"Starting": {"pods of others, going ones and bare ones do not count", func(*policies.State) {},
			"shop/production Progressing 4f1c0c2, stage 1 of 2; Deployment/shop/web: 1 of 2 new Ready (2 wanted), 1 of 2 proven Ready; " +
				"waits for all new pods of the stage to be Ready; stage 1 of 2:  [2J2 instances"},
		"Held": {"its time runs", func(s *policies.State) { s.Reached, s.Reason = now, "" },
			"shop/production Progressing 4f1c0c2, stage 1 of 2; Deployment/shop/web: 1 of 2 new Ready (2 wanted), 1 of 2 proven Ready; waits for the time of the stage"},
		"Measured": {"what the analyses came to", func(s *policies.State) {
			s.Reached, s.Reason, s.Staged = now, "", nil
			s.Measured = []policies.Tally{{Analysis: "errors", Taken: 3, Good: 2, Bad: 1, Says: "0.03 is above 0.01"}}
		}, "shop/production Progressing 4f1c0c2, stage 1 of 2; errors: 2 of 3 samples are good, 1 bad; the last one: 0.03 is above 0.01; waits for the time of the stage"},
		"StatefulSet": {"whose pods it owns itself", func(s *policies.State) { s.Staged[0].Name, s.Reason = "StatefulSet/shop/web", "" },
			"shop/production Progressing 4f1c0c2, stage 1 of 2; StatefulSet/shop/web: 0 of 0 new Ready (2 wanted), 1 of 1 proven Ready; waits for all new pods of the stage to be Ready"},
		"Approval": {"a person", func(s *policies.State) { s.Phase, s.Reached, s.Staged, s.Reason = policies.Holding, now, nil, "" },
			"shop/production Holding 4f1c0c2, stage 1 of 2; waits for a person: sluice approve shop production"},
		"Finishing": {"after the last one", func(s *policies.State) {
			s.Phase, s.Form, s.Stage, s.Staged, s.Reason = policies.Promoting, policies.Finishing, 3, nil, ""
		}, "shop/production Promoting 4f1c0c2, after the last stage; waits for the last proven pods to be replaced"},
		"Back": {"on the way back it is in no stage", func(s *policies.State) {
			s.Phase, s.Form, s.Back, s.Staged, s.Reason = policies.Failed, policies.Aborting, true, nil, "bad"
		}, "shop/production Failed 4f1c0c2; waits for the pods that are not proven to go; bad"},
		"Rest": {"nothing is waited for", func(s *policies.State) { s.Phase, s.Staging, s.Reason = policies.Healthy, policies.Staging{}, "" }, "shop/production Healthy 4f1c0c2"},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			if diff := cmp.Diff(tc.want, glanceAt(saved(tc.change), pods).line()); diff != "" {
				t.Errorf("%s (-want +got):\n%s", tc.reason, diff)
			}
		})
	}
	t.Run("OnATerminal", func(t *testing.T) {
		var out bytes.Buffer
		s := &screen{out: &out, live: true}
		if err := s.draw(glanceAt(saved(func(s *policies.State) { s.Reason = "" }), pods), now); err != nil {
			t.Fatal(err)
		}
		want := "\x1b[H\x1b[Jshop/production Progressing 4f1c0c2, stage 1 of 2\n  proven   b0b0b0b\n" +
			"  Deployment/shop/web: 1 of 2 new Ready (2 wanted), 1 of 2 proven Ready\n    three: CrashLoopBackOff\n" +
			"  waits for all new pods of the stage to be Ready\n  1m30s left, until " + now.Add(90*time.Second).Local().Format(time.DateTime) + "\n"
		if diff := cmp.Diff(want, out.String()); diff != "" {
			t.Errorf("(-want +got):\n%s", diff)
		}
	})
	t.Run("ALineOnlyWhereItDiffers", func(t *testing.T) {
		var out bytes.Buffer
		s := &screen{out: &out, json: true}
		for _, phase := range []policies.Phase{policies.Healthy, policies.Healthy, policies.Failed} {
			if err := s.draw(glance{Application: "shop", Environment: "e", Phase: phase}, now); err != nil {
				t.Fatal(err)
			}
		}
		want := `{"application":"shop","environment":"e","phase":"Healthy"}` + "\n" + `{"application":"shop","environment":"e","phase":"Failed"}` + "\n"
		if diff := cmp.Diff(want, out.String()); diff != "" {
			t.Errorf("(-want +got):\n%s", diff)
		}
	})
}
