package e2e

import (
	"fmt"
	"strings"
	"testing"

	"github.com/sluice-cd/sluice/e2e/world"
)

// TestRenderHooksOfADeletion: what is to be saved before all goes is saved, or nothing goes; and what comes last comes last.
func TestRenderHooksOfADeletion(t *testing.T) {
	h := beginHooks(t, "hooks-end", fmt.Sprintf(hookJob, "save", "pre-delete", 0, "", "job"), fmt.Sprintf(hookJob, "farewell", "post-delete", 0, "", ""))
	revision := h.Repo.Commit(t, "The shop")
	h.Agent.Start(t)
	h.AwaitPhase(t, "staging", revision, "Healthy")
	shop := h.Object("Deployment", "staging")
	const here, absent = "helm: {chart: chart}}\n", "helm: {chart: chart}}\n    state: absent\n"
	step(t, "Lesson10_AFailedHookStopsIt", func(t *testing.T) {
		h.Repo.Edit(t, "sluice.yaml", here, absent)
		h.Repo.Commit(t, "Staging is not needed")
		told := h.Repo.AwaitNote(t, world.Patience, "the deletion stops", "staging", func(n world.Note) bool { return n.Phase == "Holding" })
		says(t, told, "the deletion of all that the environment owns stopped", "hook Job/"+h.Staging+"/save (pre-delete) failed", "take `state: absent` out")
		h.Agent.AwaitPolls(t)
		h.Agent.Kill9(t)
		h.Agent.Start(t)
		h.Agent.AwaitPolls(t)
		if err := world.Exists(h.Cluster.Get(t, shop)); err != nil {
			t.Error(err)
		}
		h.wasRan(t, 0, "shop", "save")
	})
	step(t, "ItIsMendedAndAskedForAgain", func(t *testing.T) {
		since := h.now()
		h.Repo.Edit(t, "sluice.yaml", absent, here)
		h.Repo.Edit(t, chartHooks, `dev.sluice/fail: "job"`, `dev.sluice/fail: ""`)
		h.AwaitPhase(t, "staging", h.Repo.Commit(t, "What is to be saved can be"), "Healthy")
		h.Repo.Edit(t, "sluice.yaml", here, absent)
		h.Repo.Commit(t, "Staging is not needed, still")
		for _, object := range []string{"Deployment/shop", "Job/save", "Job/farewell", "ServiceAccount/hooks", "Secret/hooks", "Role/hooks"} {
			kind, name, _ := strings.Cut(object, "/")
			h.Cluster.AwaitObject(t, world.Patience, "gone", world.Ref{Kind: kind, Namespace: h.Staging, Name: name}, world.Gone)
		}
		h.wasRan(t, since, "save", "farewell")
		h.gone(t, "shop", "save")
		var left bool
		for _, m := range h.record() {
			left = left || m.GetName() == "shop" && m.Gone
			if m.GetName() == "farewell" && !left {
				t.Error("farewell was made before the Deployment was gone")
				break
			}
		}
	})
}

// hookPod is a Pod that a chart runs as a hook.
const hookPod = `---
apiVersion: v1
kind: Pod
metadata:
  name: prepare
  annotations: {helm.sh/hook: "pre-upgrade", helm.sh/hook-delete-policy: "before-hook-creation,hook-succeeded", dev.sluice/fail: ""}
spec:
  restartPolicy: Never
  securityContext: {runAsNonRoot: true, seccompProfile: {type: RuntimeDefault}}
  containers:
    - {name: prepare, image: registry.example/prepare:1, securityContext: {allowPrivilegeEscalation: false, capabilities: {drop: [ALL]}}}
`

// TestRenderHooksAroundStages: a release with stages begins when the hooks before it are done, and those after it begin when the
// last stage is.
func TestRenderHooksAroundStages(t *testing.T) {
	h := beginHooks(t, "hooks-staged", hookPod, fmt.Sprintf(hookJob, "after", "post-upgrade", 0, "", ""))
	h.Repo.Edit(t, "sluice.yaml", "helm: {chart: chart}}\n", "helm: {chart: chart}}\n    rollout: {canary: {steps: [{instances: 1, hold: 1s}]}}\n")
	record := h.Cluster.Record(t, h.Staging, "Pod", "Job")
	revision := h.Repo.Commit(t, "The shop")
	h.Agent.Start(t)
	h.AwaitPhase(t, "staging", revision, "Healthy")
	pods := h.Cluster.WatchPods(t, h.Staging)
	replicas := pods.Images()[firstImage]
	step(t, "TheyRunAroundIt", func(t *testing.T) {
		h.Repo.Edit(t, chartDeployment, firstImage, nextImage)
		next := h.Repo.Commit(t, "The next image")
		h.AwaitPhase(t, "staging", next, "Healthy")
		if !wasStaged(t, h.Story, "staging", next) {
			t.Error("it went through no stage")
		}
		prepared, running := false, map[string]bool{}
		for _, m := range record() {
			switch {
			case m.GetName() == "prepare":
				prepared = prepared || world.Field(m.Unstructured, "status", "phase") == "Succeeded"
			case m.GetKind() == "Pod" && world.Field(m.Unstructured, "spec", "containers", "0", "image") == nextImage:
				if !prepared {
					t.Fatal("a pod of the release was there before the hook was done")
				}
				if world.Field(m.Unstructured, "status", "phase") == "Running" {
					running[string(m.GetUID())] = true
				}
			case m.GetName() == "after" && len(running) < replicas:
				t.Fatalf("the hook after it began with %d of %d pods of the release", len(running), replicas)
			}
		}
		h.Cluster.AwaitObject(t, world.Patience, "gone", world.Ref{Kind: "Pod", Namespace: h.Staging, Name: "prepare"}, world.Gone)
	})
	step(t, "Lesson10_AFailedPodIsSaidAndNothingIsStaged", func(t *testing.T) {
		const third = imageName + "1.29.5-alpine"
		h.Repo.Edit(t, chartHooks, `dev.sluice/fail: ""}`, `dev.sluice/fail: "job"}`)
		h.Repo.Edit(t, chartDeployment, nextImage, third)
		bad := h.Repo.Commit(t, "What prepares it fails")
		says(t, h.AwaitPhase(t, "staging", bad, "Failed"), "hook Pod/"+h.Staging+"/prepare (pre-upgrade) failed", "exit code 1")
		h.AwaitPhase(t, "staging", bad, "RolledBack")
		if most := pods.Most(third); most > 0 {
			t.Errorf("%d pods of the release were there", most)
		}
		if now := pods.Images()[nextImage]; now != replicas {
			t.Errorf("there are %d pods of the proven release, want %d", now, replicas)
		}
	})
}
