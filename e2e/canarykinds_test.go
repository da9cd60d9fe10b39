package e2e

import (
	"errors"
	"maps"
	"slices"
	"strings"
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/sluice-cd/sluice/e2e/world"
)

const stagingStatefulSet = "deploy/staging/statefulset.yaml"

// database is a StatefulSet beside the shop.
const database = `apiVersion: apps/v1
kind: StatefulSet
metadata:
  name: database
spec:
  serviceName: database
  replicas: 4
  selector: {matchLabels: {app: database}}
  template:
    metadata: {labels: {app: database}, annotations: {}}
    spec:
      securityContext: {runAsNonRoot: true, runAsUser: 101, seccompProfile: {type: RuntimeDefault}}
      containers:
        - name: database
          image: registry.example/database:1
          securityContext: {allowPrivilegeEscalation: false, capabilities: {drop: [ALL]}}
`

// kinds begins a story whose staging environment has a workload of another kind beside the shop, and stages its releases.
func kinds(t *testing.T, name, rollout, file, manifest string) *world.Story {
	t.Helper()
	s := begin(t, name)
	s.Shop(t, "staging")
	s.Repo.Edit(t, "sluice.yaml", "directory: {path: deploy/staging}}\n", rollout)
	s.Repo.Write(t, file, manifest)
	first := s.Repo.Commit(t, "The first release")
	s.Agent.Start(t)
	s.AwaitPhase(t, "staging", first, "Healthy")
	return s
}

// release commits another image of the workload in a file.
func release(t *testing.T, s *world.Story, file, image, next string) string {
	t.Helper()
	s.Repo.Edit(t, file, "image: registry.example/"+image+"\n", "image: registry.example/"+next+"\n")
	return s.Repo.Commit(t, next)
}

// awaitStage waits until Git is told of a release that is not over.
func awaitStage(t *testing.T, s *world.Story, revision string, words ...string) world.Note {
	t.Helper()
	return s.Repo.AwaitNote(t, world.Patience, strings.Join(words, ", "), "staging", func(n world.Note) bool {
		return n.On == revision && !n.Closing() && n.Says(words...)
	})
}

// awaitImages waits until there are so many pods of each image, and no others of the repositories named.
func awaitImages(t *testing.T, pods *world.Pods, want map[string]int) {
	t.Helper()
	world.AwaitPods(t, "the pods", pods, func(images map[string]int) bool {
		for image, n := range images {
			if strings.HasPrefix(image, "registry.example/") && want[strings.TrimPrefix(image, "registry.example/")] != n {
				return false
			}
		}
		for image, n := range want {
			if images["registry.example/"+image] != n {
				return false
			}
		}
		return true
	})
}

// TestCanaryStagesAStatefulSet: its pods are replaced from the last one on, one at a time, and those of a stage stay.
func TestCanaryStagesAStatefulSet(t *testing.T) {
	s := kinds(t, "canary-set", `directory: {path: deploy/staging}}
    rollout: {canary: {steps: [{instances: 1, hold: 2s}, {weight: 50%, approve: true}]}}
`, stagingStatefulSet, database)
	pods := s.Cluster.WatchPods(t, s.Staging)
	ref := world.Ref{Kind: "StatefulSet", Namespace: s.Staging, Name: "database"}
	second := release(t, s, stagingStatefulSet, "database:1", "database:2")
	t.Run("TheFirstStageIsTheLastPod", func(t *testing.T) {
		note := awaitStage(t, s, second, "stage 1 of 2", "1 instance")
		if !note.Says("in place of proven pods", "StatefulSet/"+s.Staging+"/database") {
			t.Errorf("the note does not say that there is no surge: %s", note.Text)
		}
		awaitStage(t, s, second, "stage 2 of 2", "approved")
		awaitImages(t, pods, map[string]int{"database:1": 3, "database:2": 1})
		for _, name := range pods.Named("registry.example/database:2") {
			if name != "database-3" {
				t.Errorf("the new pod is %s", name)
			}
		}
	})
	t.Run("Lesson11_TheAgentIsKilledInAStage", func(t *testing.T) {
		s.Agent.Kill9(t)
		s.Agent.Start(t)
		s.Agent.AwaitPolls(t)
		awaitImages(t, pods, map[string]int{"database:1": 3, "database:2": 1})
	})
	t.Run("Lesson19_ScaledByAnother", func(t *testing.T) {
		if err := s.Cluster.Scale(t.Context(), ref, 6); err != nil {
			t.Fatal(err)
		}
		awaitImages(t, pods, map[string]int{"database:1": 5, "database:2": 1})
		if err := s.Cluster.Scale(t.Context(), ref, 4); err != nil {
			t.Fatal(err)
		}
		awaitImages(t, pods, map[string]int{"database:1": 3, "database:2": 1})
	})
	t.Run("Lesson15_ThePodsOfTheStageStay", func(t *testing.T) {
		staged := pods.Named("registry.example/database:2")
		s.Repo.Write(t, "releases/staging.yaml", "approved: {revision: "+second+", stage: 2}\n")
		s.Repo.Commit(t, "Go on")
		s.AwaitPhase(t, "staging", second, "Healthy")
		awaitImages(t, pods, map[string]int{"database:2": 4})
		live := pods.Live()
		for uid, name := range staged {
			if !live[uid] {
				t.Errorf("%s of the first stage is gone", name)
			}
		}
		s.AwaitGit(t, "staging")
	})
	t.Run("ABadReleaseIsTakenBack", func(t *testing.T) {
		kept := pods.Live()
		bad := release(t, s, stagingStatefulSet, "database:2", "database:missing")
		note := s.AwaitPhase(t, "staging", bad, "RolledBack")
		if !note.Says("stage 1", "database:missing", "does not exist") {
			t.Errorf("the note does not say why: %s", note.Text)
		}
		awaitImages(t, pods, map[string]int{"database:2": 4})
		live, replaced := pods.Live(), 0
		for uid := range kept {
			if !live[uid] {
				replaced++
			}
		}
		if replaced != 1 {
			t.Errorf("%d pods were replaced, want the one of the stage", replaced)
		}
	})
	var third string
	t.Run("Lesson43_ScaledToZeroAndBack", func(t *testing.T) {
		third = release(t, s, stagingStatefulSet, "database:missing", "database:3")
		awaitImages(t, pods, map[string]int{"database:2": 3, "database:3": 1})
		if err := s.Cluster.Scale(t.Context(), ref, 0); err != nil {
			t.Fatal(err)
		}
		awaitStage(t, s, third, "no replicas")
		s.Cluster.AwaitObject(t, world.Patience, "the proven manifest", ref, world.Has("registry.example/database:2", imagePath()...))
		if err := s.Cluster.Scale(t.Context(), ref, 4); err != nil {
			t.Fatal(err)
		}
		awaitImages(t, pods, map[string]int{"database:2": 3, "database:3": 1})
		if most := pods.Most("registry.example/database:3"); most > 1 {
			t.Errorf("there were %d pods of the unproven release", most)
		}
	})
	t.Run("Lesson21_ALostStateBeginsFromTheProvenRelease", func(t *testing.T) {
		s.Agent.Stop(t)
		if err := s.Cluster.Core.CoreV1().Secrets(s.System).Delete(t.Context(), "sluice.shop.staging", metav1.DeleteOptions{}); err != nil {
			t.Fatal(err)
		}
		since := len(s.Repo.MustNotes(t, "staging"))
		s.Agent.Start(t)
		s.Repo.AwaitNote(t, world.Patience, "the stages begin anew", "staging", func(n world.Note) bool {
			return n.On == third && n.Says("stage 1 of 2") && int(n.Seq) > since
		})
		awaitImages(t, pods, map[string]int{"database:2": 3, "database:3": 1})
		if most := pods.Most("registry.example/database:3"); most > 1 {
			t.Errorf("there were %d pods of the unproven release", most)
		}
	})
}

// TestCanaryNeedsTheRightToDeletePods: it is asked for before anything is sent.
func TestCanaryNeedsTheRightToDeletePods(t *testing.T) {
	s := kinds(t, "canary-right", `directory: {path: deploy/staging}}
    rollout: {canary: {steps: [{instances: 1}]}}
`, stagingStatefulSet, database)
	pods := s.Cluster.WatchPods(t, s.Staging)
	before := pods.Live()
	role := s.Cluster.Must(t, world.Ref{Kind: "ClusterRole", Name: "sluice-application-" + s.Name})
	rules, _, _ := unstructured.NestedSlice(role.Object, "rules")
	whole := role.DeepCopy()
	rules = slices.DeleteFunc(rules, func(rule any) bool { return strings.Contains(world.Text(t, rule), `"pods"`) })
	if err := unstructured.SetNestedSlice(role.Object, rules, "rules"); err != nil {
		t.Fatal(err)
	}
	roles := s.Cluster.Resource("ClusterRole", "")
	role, err := roles.Update(t.Context(), role, metav1.UpdateOptions{})
	if err != nil {
		t.Fatal(err)
	}
	second := release(t, s, stagingStatefulSet, "database:1", "database:2")
	t.Run("WithoutItTheReleaseIsRefused", func(t *testing.T) {
		note := s.AwaitPhase(t, "staging", second, "Failed")
		if !note.Says("StatefulSet/"+s.Staging+"/database", "the right to delete its pods") {
			t.Errorf("the note does not say what is missing: %s", note.Text)
		}
		if live := pods.Live(); !maps.Equal(before, live) {
			t.Errorf("the pods were %v and are %v", before, live)
		}
	})
	t.Run("WithItTheStagesBegin", func(t *testing.T) {
		whole.SetResourceVersion(role.GetResourceVersion())
		if _, err := roles.Update(t.Context(), whole, metav1.UpdateOptions{}); err != nil {
			t.Fatal(err)
		}
		s.AwaitPhase(t, "staging", second, "Healthy")
	})
}

// TestLesson51_AStatefulSetWithASickPod: the canary does not begin, says why, begins when the pod is well, and where one
// becomes sick in a stage the way back is open.
func TestLesson51_AStatefulSetWithASickPod(t *testing.T) {
	s := kinds(t, "lesson51", `directory: {path: deploy/staging}}
    rollout: {canary: {steps: [{instances: 2, hold: 7d}]}}
`, stagingStatefulSet, database)
	pods := s.Cluster.WatchPods(t, s.Staging)
	sicken(t, s, pods, "database-1")
	second := release(t, s, stagingStatefulSet, "database:1", "database:2")
	t.Run("ItDoesNotBeginAndSaysWhy", func(t *testing.T) {
		note := awaitStage(t, s, second, "1 of its 4 proven pods are not Ready")
		if note.Phase != "Holding" {
			t.Errorf("it is %s", note.Phase)
		}
		awaitImages(t, pods, map[string]int{"database:1": 4})
	})
	t.Run("ItBeginsWhenThePodIsWell", func(t *testing.T) {
		renew(t, s, pods, "database-1")
		awaitStage(t, s, second, "stage 1 of 1")
		awaitImages(t, pods, map[string]int{"database:1": 2, "database:2": 2})
	})
	t.Run("AnAbortWorksWithASickPod", func(t *testing.T) {
		sicken(t, s, pods, "database-0")
		s.Repo.Run(t, "revert", "--no-edit", "HEAD")
		s.Repo.Push(t)
		world.AwaitPods(t, "no unproven pod", pods, func(images map[string]int) bool { return images["registry.example/database:2"] == 0 })
		s.AwaitPhase(t, "staging", second, "Superseded")
		renew(t, s, pods, "database-0")
		awaitImages(t, pods, map[string]int{"database:1": 4})
		s.AwaitPhase(t, "staging", s.Repo.Head(t), "Healthy")
	})
}

// sicken makes a pod not Ready, for good.
func sicken(t *testing.T, s *world.Story, pods *world.Pods, name string) {
	t.Helper()
	edit(t, s, world.Ref{Kind: "Pod", Namespace: s.Staging, Name: name}, `{"metadata":{"annotations":{"dev.sluice/fail":"lost","dev.sluice/delay":"1ms"}}}`)
	world.Await(t, world.Patience, name+" is not Ready", func() error {
		if _, ready := pods.Pod(name); ready {
			return errors.New("it is Ready")
		}
		return nil
	})
}

// renew deletes a pod, whose controller makes another.
func renew(t *testing.T, s *world.Story, pods *world.Pods, name string) {
	t.Helper()
	uid, _ := pods.Pod(name)
	s.Cluster.DeletePod(t, s.Staging, pods, uid)
}
