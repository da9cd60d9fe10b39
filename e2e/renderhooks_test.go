package e2e

import (
	"fmt"
	"net/url"
	"slices"
	"strings"
	"testing"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/sluice-cd/sluice/e2e/world"
)

// hookJob is a Job that a chart runs as a hook: its name, its moments, its weight, its delete policies, and what its pods do.
const hookJob = `---
apiVersion: batch/v1
kind: Job
metadata: {name: %s, annotations: {helm.sh/hook: "%s", helm.sh/hook-weight: "%d"%s}}
spec:
  backoffLimit: 0
  template:
    metadata: {annotations: {dev.sluice/fail: "%s"}}
    spec:
      restartPolicy: Never
      serviceAccountName: hooks
      securityContext: {runAsNonRoot: true, seccompProfile: {type: RuntimeDefault}}
      containers:
        - name: %[1]s
          image: registry.example/{{ .Release.Name }}-hooks:1
          envFrom: [{secretRef: {name: hooks}}]
          securityContext: {allowPrivilegeEscalation: false, capabilities: {drop: [ALL]}}
`

// hookGround is what the Jobs need, made by hooks of lower weights. The Secret's value, listening, is what pods say.
const hookGround = `apiVersion: v1
kind: ServiceAccount
metadata: {name: hooks, annotations: {helm.sh/hook: "%[1]s", helm.sh/hook-weight: "-10", helm.sh/hook-delete-policy: "before-hook-creation,hook-succeeded"}}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: Role
metadata: {name: hooks, annotations: {helm.sh/hook: "%[1]s", helm.sh/hook-weight: "-9", helm.sh/hook-delete-policy: "before-hook-creation,hook-succeeded"}}
rules: [{apiGroups: [""], resources: [configmaps], verbs: [get]}]
---
apiVersion: rbac.authorization.k8s.io/v1
kind: RoleBinding
metadata: {name: hooks, annotations: {helm.sh/hook: "%[1]s", helm.sh/hook-weight: "-9", helm.sh/hook-delete-policy: "before-hook-creation,hook-succeeded"}}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: Role, name: hooks}
subjects: [{kind: ServiceAccount, name: hooks, namespace: {{ .Release.Namespace }}}]
---
apiVersion: v1
kind: Secret
metadata: {name: hooks, annotations: {helm.sh/hook: "%[1]s", helm.sh/hook-weight: "-9"}}
data: {word: bGlzdGVuaW5n}
`

const allMoments = "pre-install,pre-upgrade,pre-rollback,post-install,post-upgrade,post-rollback,pre-delete,post-delete,test"

// hookRights lets the shop's account make Roles, which examples/install does not.
const hookRights = `apiVersion: rbac.authorization.k8s.io/v1
kind: Role
metadata: {name: hooks-%[1]s, namespace: %[2]s}
rules: [{apiGroups: [rbac.authorization.k8s.io], resources: [roles, rolebindings], verbs: [get, list, create, patch, delete]}]
---
apiVersion: rbac.authorization.k8s.io/v1
kind: RoleBinding
metadata: {name: hooks-%[1]s, namespace: %[2]s}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: Role, name: hooks-%[1]s}
subjects: [{kind: ServiceAccount, name: shop, namespace: %[3]s}]
`

const (
	chartDeployment = "chart/templates/deployment.yaml"
	chartHooks      = "chart/templates/hooks.yaml"
)

// hooking is a story whose shop is a chart with hooks, and what became of Jobs and Deployment in the order of the API server.
type hooking struct {
	*world.Story
	record func() []world.Moment
}

func beginHooks(t *testing.T, name string, jobs ...string) *hooking {
	t.Helper()
	s := begin(t, name)
	for _, o := range world.ParseObjects(t, fmt.Appendf(nil, hookRights, s.Name, s.Staging, s.Apps)) {
		s.Apply(t, o)
	}
	s.Shop(t, "staging")
	for _, file := range []string{"configmap", "deployment", "service", "serviceaccount"} {
		s.Repo.Write(t, "chart/templates/"+file+".yaml", s.Repo.Read(t, "deploy/staging/"+file+".yaml"))
	}
	s.Repo.Write(t, "chart/Chart.yaml", "apiVersion: v2\nname: shop\nversion: 1.0.0\n")
	s.Repo.Write(t, "chart/templates/ground.yaml", fmt.Sprintf(hookGround, allMoments))
	s.Repo.Write(t, chartHooks, strings.Join(jobs, ""))
	s.Repo.Edit(t, "sluice.yaml", "directory: {path: deploy/staging}", "helm: {chart: chart}")
	return &hooking{s, s.Cluster.Record(t, s.Staging, "Job", "Deployment")}
}

// ran tells what Jobs were made, in order, and when the Deployment changed between them. Made is each Job as it was made.
func (h *hooking) ran(since uint64) (order []string, made []world.Moment) {
	known := map[string]string{}
	for _, m := range h.record() {
		switch key := m.GetKind() + string(m.GetUID()); {
		case m.Gone:
		case m.GetKind() == "Deployment":
			if generation := fmt.Sprint(m.GetGeneration()); known[key] != generation {
				known[key] = generation
				if m.Version > since && (len(order) == 0 || order[len(order)-1] != "shop") {
					order = append(order, "shop")
				}
			}
		case known[key] == "":
			known[key] = "made"
			if m.Version > since {
				order, made = append(order, m.GetName()), append(made, m)
			}
		}
	}
	return order, made
}

func (h *hooking) now() uint64 {
	all := h.record()
	if len(all) == 0 {
		return 0
	}
	return all[len(all)-1].Version
}

// wasRan fails where something else ran, or in another order.
func (h *hooking) wasRan(t *testing.T, since uint64, want ...string) {
	t.Helper()
	if order, _ := h.ran(since); !slices.Equal(order, want) {
		t.Errorf("%v ran, want %v", order, want)
	}
}

// completed fails where a Job was made before the one of lower weight had ended.
func (h *hooking) completed(t *testing.T, first, then string) {
	t.Helper()
	var done uint64
	for _, m := range h.record() {
		if m.GetKind() != "Job" || m.Gone {
			continue
		}
		if m.GetName() == first && world.Field(m.Unstructured, "status", "succeeded") == "1" {
			done = m.Version
		}
		if m.GetName() == then {
			if done == 0 {
				t.Errorf("%s was made before %s had ended", then, first)
			}
			return
		}
	}
	t.Errorf("%s was not made", then)
}

// TestRenderRunsHooks: hooks run around a release, in the order of their weights, with rights and a Secret of their own, once for
// each release, whatever happens to the agent; and nothing of them is left when the environment is removed.
func TestRenderRunsHooks(t *testing.T) {
	const succeeded = `, helm.sh/hook-delete-policy: "hook-succeeded"`
	h := beginHooks(t, "hooks",
		fmt.Sprintf(hookJob, "second", "pre-install,pre-upgrade", 2, succeeded, ""),
		fmt.Sprintf(hookJob, "first", "pre-install,pre-upgrade", 1, "", ""),
		fmt.Sprintf(hookJob, "after", "post-install,post-upgrade", 0, "", ""),
		fmt.Sprintf(hookJob, "back", "pre-rollback,post-rollback", 0, "", ""),
		fmt.Sprintf(hookJob, "farewell", "pre-delete", 0, "", ""),
		fmt.Sprintf(hookJob, "smoke", "test", 0, "", ""),
	)
	gone := func(kind, name string) {
		t.Helper()
		h.Cluster.AwaitObject(t, world.Patience, "gone", world.Ref{Kind: kind, Namespace: h.Staging, Name: name}, world.Gone)
	}
	revision := h.Repo.Commit(t, "The shop")
	h.Agent.Start(t)
	step(t, "Installation", func(t *testing.T) {
		h.AwaitPhase(t, "staging", revision, "Healthy")
		h.wasRan(t, 0, "first", "second", "shop", "after")
		h.completed(t, "first", "second")
		h.completed(t, "second", "after")
		gone("Job", "second")
		gone("ServiceAccount", "hooks")
		gone("RoleBinding", "hooks")
		for _, left := range []world.Ref{{Kind: "Job", Namespace: h.Staging, Name: "first"}, {Kind: "Secret", Namespace: h.Staging, Name: "hooks"}} {
			o := h.Cluster.Must(t, left)
			if o.GetLabels()["sluice.dev/application"] != "shop" || o.GetAnnotations()["sluice.dev/hook-run"] == "" {
				t.Errorf("%s has the labels %v and the annotations %v", left, o.GetLabels(), o.GetAnnotations())
			}
		}
	})
	step(t, "OnceForEachRelease", func(t *testing.T) {
		since := h.now()
		h.Repo.Write(t, "README.md", "Another commit.\n")
		h.Repo.Commit(t, "What changes nothing")
		h.CLI(t, h.Repo.Dir, "reconcile", "shop", "staging", "--verify")
		h.Agent.AwaitPolls(t)
		h.Agent.Stop(t)
		h.Agent.Start(t)
		h.Agent.AwaitPolls(t)
		h.wasRan(t, since)
	})
	var change string
	step(t, "Lesson11_UpgradeWhileTheAgentIsKilled", func(t *testing.T) {
		since := h.now()
		h.Repo.Edit(t, chartDeployment, firstImage, nextImage)
		change = h.Repo.Commit(t, "The next image")
		for _, job := range []string{"first", "second", "after"} {
			world.Await(t, world.Patience, job+" runs", func() error {
				if order, _ := h.ran(since); !slices.Contains(order, job) {
					return fmt.Errorf("%v ran", order)
				}
				return nil
			})
			h.Agent.Kill9(t)
			h.Agent.Start(t)
		}
		h.AwaitPhase(t, "staging", change, "Healthy")
		h.wasRan(t, since, "first", "second", "shop", "after")
	})
	step(t, "RollBack", func(t *testing.T) {
		since := h.now()
		revert := h.Repo.Revert(t, change)
		h.AwaitPhase(t, "staging", revert, "Healthy")
		h.wasRan(t, since, "back", "shop", "back")
	})
	step(t, "TestsWhereTheyAreAskedFor", func(t *testing.T) {
		since := h.now()
		h.Repo.Edit(t, "sluice.yaml", "helm: {chart: chart}}\n", "helm: {chart: chart}}\n    rollout: {tests: true}\n")
		h.Repo.Edit(t, chartDeployment, firstImage, imageName+"1.29.5-alpine")
		h.AwaitPhase(t, "staging", h.Repo.Commit(t, "A third image, tested"), "Healthy")
		h.wasRan(t, since, "first", "second", "shop", "after", "smoke")
	})
	step(t, "AHookAloneIsARelease", func(t *testing.T) {
		since := h.now()
		h.Repo.Edit(t, chartHooks, "-hooks:1", "-hooks:2")
		out, said, code := h.CLI(t, h.Repo.Dir, "diff", "staging")
		if want := "~ Job/" + h.Staging + "/first: a hook, pre-install, pre-upgrade\n"; code != 3 || !strings.Contains(out, want) || strings.Contains(out, "smoke") {
			t.Errorf("sluice diff ended with %d and lacks %q: %s%s", code, want, out, said)
		}
		h.AwaitPhase(t, "staging", h.Repo.Commit(t, "Another hook"), "Healthy")
		h.wasRan(t, since, "first", "second", "after", "smoke")
	})
	step(t, "Removal", func(t *testing.T) {
		since := h.now()
		h.Repo.Edit(t, "sluice.yaml", "    rollout: {tests: true}\n", "    rollout: {tests: true}\n    state: absent\n")
		h.Repo.Commit(t, "Staging is not needed")
		gone("Deployment", "shop")
		for _, job := range []string{"first", "after", "back", "smoke", "farewell"} {
			gone("Job", job)
		}
		gone("Secret", "hooks")
		gone("Role", "hooks")
		h.wasRan(t, since, "farewell")
		h.gone(t, "shop", "farewell")
	})
}

// gone fails where the Deployment went before a Job had ended.
func (h *hooking) gone(t *testing.T, deployment, job string) {
	t.Helper()
	done := false
	for _, m := range h.record() {
		done = done || m.GetName() == job && world.Field(m.Unstructured, "status", "succeeded") == "1"
		if m.GetName() == deployment && m.Gone && !done {
			t.Errorf("%s went before %s had ended", deployment, job)
		}
	}
}

// step is a part of a story that the next ones build on.
func step(t *testing.T, name string, part func(*testing.T)) {
	t.Helper()
	if !t.Run(name, part) {
		t.FailNow()
	}
}

// image is the one that the Deployment asks for.
func image(o *unstructured.Unstructured) string { return world.Field(o, imagePath()...) }

// TestRenderStopsAtAFailedHook: nothing of the release is applied, the note says why, and the fix goes out.
func TestRenderStopsAtAFailedHook(t *testing.T) {
	h := beginHooks(t, "hooks-bad", fmt.Sprintf(hookJob, "migrate", "pre-install,pre-upgrade", 0, "", ""),
		fmt.Sprintf(hookJob, "after", "post-upgrade", 0, "", ""))
	revision := h.Repo.Commit(t, "The shop")
	h.Agent.Start(t)
	h.AwaitPhase(t, "staging", revision, "Healthy")
	shop := h.Object("Deployment", "staging")
	pre, post := `name: migrate, annotations: {helm.sh/hook: "pre-install,pre-upgrade"`, `name: after, annotations: {helm.sh/hook: "post-upgrade"`
	becomes := func(t *testing.T, job, from, to string) {
		t.Helper()
		text := h.Repo.Read(t, chartHooks)
		at := strings.Index(text, job)
		h.Repo.Write(t, chartHooks, text[:at]+strings.Replace(text[at:], `dev.sluice/fail: "`+from+`"`, `dev.sluice/fail: "`+to+`"`, 1))
	}
	untouched := func(t *testing.T, since uint64) {
		t.Helper()
		if order, _ := h.ran(since); slices.Contains(order, "shop") || image(h.Cluster.Must(t, shop)) != firstImage {
			t.Errorf("something of the release was applied: %v", order)
		}
	}
	step(t, "Lesson10_AFailingHookIsSaid", func(t *testing.T) {
		since := h.now()
		becomes(t, pre, "", "job")
		h.Repo.Edit(t, chartDeployment, firstImage, nextImage)
		bad := h.Repo.Commit(t, "A migration that fails")
		failed := h.AwaitPhase(t, "staging", bad, "Failed")
		says(t, failed, "hook Job/"+h.Staging+"/migrate (pre-upgrade) failed: BackoffLimitExceeded",
			`container \"migrate\" ends with exit code 1`, `"lastLines":["starting","<secret> on :8080","ready"]`)
		if failed.Says("listening") {
			t.Errorf("the note shows a secret: %s", failed.Text)
		}
		h.AwaitPhase(t, "staging", bad, "RolledBack")
		untouched(t, since)
		h.Repo.Write(t, "README.md", "Another commit.\n")
		h.Repo.Commit(t, "What changes nothing")
		h.Agent.AwaitPolls(t)
		h.wasRan(t, since, "migrate")
	})
	step(t, "Lesson18_ByAPersonsWordItRunsAgain", func(t *testing.T) {
		since := h.now()
		h.Repo.Write(t, "releases/staging.yaml", "retry: 1\n")
		again := h.Repo.Commit(t, "Try it again")
		h.AwaitPhase(t, "staging", again, "RolledBack")
		h.wasRan(t, since, "migrate")
		untouched(t, since)
	})
	step(t, "Lesson10_AHangingHookIsBounded", func(t *testing.T) {
		since := h.now()
		becomes(t, pre, "job", "never-ready")
		h.Repo.Edit(t, "sluice.yaml", "helm: {chart: chart}}\n", "helm: {chart: chart}}\n    rollout: {hookTimeout: 3s}\n")
		hanging := h.Repo.Commit(t, "A migration that hangs")
		says(t, h.AwaitPhase(t, "staging", hanging, "Failed"), "hook Job/"+h.Staging+"/migrate (pre-upgrade) did not end within 3s", `"lastLines":["starting"`)
		untouched(t, since)
	})
	step(t, "Lesson09_TheFixGoesOutWhileAHookHangs", func(t *testing.T) {
		h.Repo.Edit(t, "sluice.yaml", "hookTimeout: 3s", "hookTimeout: 10m")
		h.Repo.Edit(t, chartHooks, "-hooks:1", "-hooks:2")
		h.Repo.Commit(t, "Another migration that hangs, for long")
		since := h.now()
		world.Await(t, world.Patience, "it runs", func() error {
			if order, _ := h.ran(since); len(order) == 0 {
				return fmt.Errorf("nothing runs")
			}
			return nil
		})
		stdout, _, _ := h.CLI(t, h.Repo.Dir, "status", "shop", "staging")
		t.Logf("status: %s", stdout)
		board, job := h.Agent.Config.Dashboard["listen"].(string), "Job/"+h.Staging+"/migrate"
		world.AwaitPage(t, board, "/api/v1/applications/shop/staging/objects", `"id":"`+job+`"`, `"hook":"pre-upgrade"`, `"parent":"`+job+`"`)
		world.AwaitPage(t, board, "/a/shop/staging/objects?object="+url.QueryEscape(job), "restartPolicy", "pre-upgrade")
		becomes(t, pre, "never-ready", "")
		fix := h.Repo.Commit(t, "A migration that works")
		h.AwaitPhase(t, "staging", fix, "Healthy")
		if image(h.Cluster.Must(t, shop)) != nextImage {
			t.Error("the fix is not there")
		}
	})
	step(t, "WhatAHookMayNotTouchIsRefused", func(t *testing.T) {
		since := h.now()
		h.Repo.Write(t, "chart/templates/forbidden.yaml", "apiVersion: v1\nkind: ConfigMap\n"+
			"metadata: {name: stolen, namespace: kube-system, annotations: {helm.sh/hook: pre-upgrade}}\n")
		refused := h.AwaitPhase(t, "staging", h.Repo.Commit(t, "A hook elsewhere"), "Blocked")
		says(t, refused, "ConfigMap kube-system/stolen", "reserved")
		h.wasRan(t, since)
		h.Repo.Remove(t, "chart/templates/forbidden.yaml")
		h.Repo.Commit(t, "Without it")
	})
	step(t, "AFailedLastHookTakesTheReleaseBack", func(t *testing.T) {
		h.Repo.Edit(t, "sluice.yaml", "rollout: {hookTimeout: 10m}", "rollout: {strategy: direct}")
		becomes(t, post, "", "job")
		h.Repo.Edit(t, chartDeployment, nextImage, imageName+"1.29.5-alpine")
		bad := h.Repo.Commit(t, "What comes after fails")
		says(t, h.AwaitPhase(t, "staging", bad, "Failed"), "hook Job/"+h.Staging+"/after (post-upgrade) failed")
		h.AwaitPhase(t, "staging", bad, "RolledBack")
		h.Cluster.AwaitObject(t, world.Patience, "the image", shop, world.Has(nextImage, imagePath()...))
	})
}
