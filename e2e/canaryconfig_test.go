package e2e

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/types"

	"github.com/sluice-cd/sluice/e2e/world"
)

const (
	stagingPage = "deploy/staging/configmap.yaml"
	rolling     = "directory: {path: deploy/staging}}\n"
)

// pageOf is the name of the ConfigMap that the shop's template reads.
func pageOf(t *testing.T, s *world.Story) string {
	t.Helper()
	volumes, _, _ := unstructured.NestedSlice(s.Cluster.Must(t, s.Object("Deployment", "staging")).Object, "spec", "template", "spec", "volumes")
	for _, v := range volumes {
		volume, _ := v.(map[string]any)
		if name, ok, _ := unstructured.NestedString(volume, "configMap", "name"); ok {
			return name
		}
	}
	t.Fatalf("no volume of a ConfigMap: %v", volumes)
	return ""
}

// versions are the names of the page's versions that are there.
func versions(t *testing.T, s *world.Story) (names []string) {
	t.Helper()
	list, err := s.Cluster.Core.CoreV1().ConfigMaps(s.Staging).List(t.Context(), metav1.ListOptions{LabelSelector: "sluice.dev/version-of=shop"})
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range list.Items {
		names = append(names, c.Name)
	}
	return names
}

// stay wants that all these pods are there.
func stay(t *testing.T, pods *world.Pods, before map[string]bool) {
	t.Helper()
	live := pods.Live()
	for uid := range before {
		if !live[uid] {
			t.Errorf("pod %s was replaced for nothing", uid)
		}
	}
}

// TestCanaryKeepsPlainNames: pods that run already when an environment asks for a canary are not restarted for the names of
// what they read, until they or that really change.
func TestCanaryKeepsPlainNames(t *testing.T) {
	s, _ := canary(t, "canary-plain", rolling)
	pods := s.Cluster.WatchPods(t, s.Staging)
	before := pods.Live()
	plain := func(t *testing.T, revision string) {
		t.Helper()
		stay(t, pods, before)
		if page, there := pageOf(t, s), versions(t, s); page != "shop" || len(there) > 0 {
			t.Errorf("the template reads %s, and there are the versions %v", page, there)
		}
		for _, n := range s.Repo.MustNotes(t, "staging") {
			if n.On == revision && n.Says("stage 1") && n.Phase == "Progressing" {
				t.Errorf("it was staged: %s", n.Text)
			}
		}
	}
	s.Repo.Edit(t, "sluice.yaml", rolling, staged)
	t.Run("MorePods", func(t *testing.T) {
		s.Repo.Edit(t, stagingDeployment, "replicas: 4", "replicas: 5")
		plan(t, s, kubeconfigOf(t, s), 3, "no stages", "not staged: only the number of replicas changes")
		revision := s.Repo.Commit(t, "A canary, and one pod more")
		s.AwaitPhase(t, "staging", revision, "Healthy")
		plain(t, revision)
		if n := len(pods.Live()); n != 5 {
			t.Errorf("there are %d pods, want 5", n)
		}
		before = pods.Live()
	})
	t.Run("AnotherObjectOfTheApplication", func(t *testing.T) {
		s.Repo.Edit(t, "deploy/staging/service.yaml", "port: 80,", "port: 8000,")
		s.Repo.Edit(t, stagingPage, "labels: {", "labels: {page: welcome, ")
		revision := s.Repo.Commit(t, "Another port, and a label of the page")
		s.AwaitPhase(t, "staging", revision, "Healthy")
		plain(t, revision)
	})
	t.Run("TheAgentLosesItsState", func(t *testing.T) {
		s.Agent.Stop(t)
		if err := s.Cluster.Core.CoreV1().Secrets(s.System).Delete(t.Context(), "sluice.shop.staging", metav1.DeleteOptions{}); err != nil {
			t.Fatal(err)
		}
		since := len(s.Repo.MustNotes(t, "staging"))
		s.Agent.Start(t)
		s.Repo.AwaitNote(t, world.Patience, "healthy again", "staging", func(n world.Note) bool {
			return n.Phase == "Healthy" && int(n.Seq) > since
		})
		stay(t, pods, before)
		if page := pageOf(t, s); page != "shop" {
			t.Errorf("the template reads %s", page)
		}
	})
	t.Run("ABadReleaseGoesBackToPlainNames", func(t *testing.T) {
		s.Repo.Edit(t, stagingDeployment, firstImage, imageName+"missing")
		s.AwaitPhase(t, "staging", s.Repo.Commit(t, "An image that nobody has"), "RolledBack")
		stay(t, pods, before)
		if page := pageOf(t, s); page != "shop" {
			t.Errorf("the proven template reads %s", page)
		}
		s.Repo.Run(t, "revert", "--no-edit", "HEAD")
		s.Repo.Push(t)
		s.AwaitPhase(t, "staging", s.Repo.Head(t), "Healthy")
		stay(t, pods, before)
	})
	t.Run("AnotherPageIsReadByNewPodsAlone", func(t *testing.T) {
		s.Repo.Edit(t, stagingPage, "Welcome to the shop", "Welcome back")
		revision := s.Repo.Commit(t, "Another page")
		s.Repo.AwaitNote(t, world.Patience, "the first stage", "staging", func(n world.Note) bool {
			return n.On == revision && n.Says("stage 1 of 2")
		})
		s.AwaitPhase(t, "staging", revision, "Healthy")
		if page := pageOf(t, s); !strings.HasPrefix(page, "shop-") {
			t.Errorf("the template reads %s", page)
		}
		s.AwaitGit(t, "staging")
	})
	t.Run("AndTheVersionStays", func(t *testing.T) {
		before, page := pods.Live(), pageOf(t, s)
		s.Repo.Edit(t, stagingDeployment, "replicas: 5", "replicas: 6")
		s.AwaitPhase(t, "staging", s.Repo.Commit(t, "Another pod more"), "Healthy")
		stay(t, pods, before)
		if now := pageOf(t, s); now != page {
			t.Errorf("the template reads %s, before %s", now, page)
		}
		before = pods.Live()
		s.Repo.Edit(t, "sluice.yaml", staged, rolling)
		s.Repo.Edit(t, stagingDeployment, "replicas: 6", "replicas: 7")
		s.AwaitPhase(t, "staging", s.Repo.Commit(t, "No canary any more"), "Healthy")
		stay(t, pods, before)
		if now := pageOf(t, s); now != page {
			t.Errorf("without a canary the template reads %s, before %s", now, page)
		}
	})
}

// TestCanaryTakesAPageBack: a page that only the pods of a stage read goes with them, and those that ran read what they did.
func TestCanaryTakesAPageBack(t *testing.T) {
	s, _ := canary(t, "canary-page", strings.Replace(oneStage, "hold: 3s", "hold: 7d", 1))
	pods := s.Cluster.WatchPods(t, s.Staging)
	before, page := pods.Live(), pageOf(t, s)
	s.Repo.Edit(t, stagingPage, "Welcome to the shop", "Welcome back")
	revision := s.Repo.Commit(t, "Another page")
	s.Repo.AwaitNote(t, world.Patience, "the first stage", "staging", func(n world.Note) bool {
		return n.On == revision && n.Says("stage 1 of 1")
	})
	world.AwaitPods(t, "one pod more", pods, func(images map[string]int) bool { return images[firstImage] == 5 })
	if now := pageOf(t, s); now == page {
		t.Errorf("the template reads %s still", now)
	}
	t.Run("Lesson20_GoingBackRestoresIt", func(t *testing.T) {
		s.AwaitPhase(t, "staging", s.Repo.Revert(t, revision), "Healthy")
		stay(t, pods, before)
		if now := pageOf(t, s); now != page || len(pods.Live()) != 4 {
			t.Errorf("%d pods, and the template reads %s, want 4 and %s", len(pods.Live()), now, page)
		}
		s.AwaitGit(t, "staging")
		if there := versions(t, s); !slices.Equal(there, []string{page}) {
			t.Errorf("there are the versions %v, want %s alone", there, page)
		}
	})
}

// TestCanaryAdoptsPlainNames: an environment that stages its releases takes over what another tool made, and restarts no pod.
func TestCanaryAdoptsPlainNames(t *testing.T) {
	s := begin(t, "canary-adopt")
	s.Shop(t, "staging")
	for _, o := range s.Rendered(t, s.Repo.Dir, "staging") {
		o.SetNamespace(s.Staging)
		o.SetLabels(without(o.GetLabels()))
		o.SetAnnotations(without(o.GetAnnotations()))
		s.ApplyAs(t, "kubectl", o)
	}
	s.Cluster.AwaitObject(t, world.Patience, "available", s.Object("Deployment", "staging"), world.Has(2, "status", "availableReplicas"))
	pods := s.Cluster.WatchPods(t, s.Staging)
	before := pods.Live()
	s.Repo.Edit(t, "sluice.yaml", rolling, "directory: {path: deploy/staging}}\n    adopt: true"+strings.TrimPrefix(staged, "directory: {path: deploy/staging}}"))
	s.Agent.Start(t)
	s.AwaitPhase(t, "staging", s.Repo.Commit(t, "Taken over"), "Healthy")
	stay(t, pods, before)
	if live := s.Cluster.Must(t, s.Object("Deployment", "staging")); live.GetLabels()["sluice.dev/agent"] != s.Name || pageOf(t, s) != "shop" {
		t.Errorf("the Deployment was not adopted as it is: labels %v, it reads %s", live.GetLabels(), pageOf(t, s))
	}
	s.Repo.Edit(t, stagingPage, "Welcome to the shop", "Welcome back")
	revision := s.Repo.Commit(t, "Another page")
	s.AwaitPhase(t, "staging", revision, "Healthy")
	if page := pageOf(t, s); !strings.HasPrefix(page, "shop-") {
		t.Errorf("the template reads %s", page)
	}
}

// TestCanaryKeepsWhatPodsRead: an old version stays as long as a pod reads it, whosever that pod is by now, and goes after it.
func TestCanaryKeepsWhatPodsRead(t *testing.T) {
	s, _ := canary(t, "canary-read", staged)
	first := pageOf(t, s)
	pods, err := s.Cluster.Core.CoreV1().Pods(s.Staging).List(t.Context(), metav1.ListOptions{})
	if err != nil || len(pods.Items) == 0 {
		t.Fatalf("no pods: %v", err)
	}
	kept := pods.Items[0].Name
	if _, err := s.Cluster.Core.CoreV1().Pods(s.Staging).Patch(t.Context(), kept, types.MergePatchType,
		[]byte(`{"metadata":{"labels":null}}`), metav1.PatchOptions{}); err != nil {
		t.Fatal(err)
	}
	release := func(t *testing.T, from, to string) string {
		t.Helper()
		s.Repo.Edit(t, stagingPage, from, to)
		s.AwaitPhase(t, "staging", s.Repo.Commit(t, to), "Healthy")
		return pageOf(t, s)
	}
	has := func(t *testing.T, what string, want ...string) {
		t.Helper()
		slices.Sort(want)
		world.Await(t, world.Patience, what, func() error {
			there := versions(t, s)
			if slices.Sort(there); !slices.Equal(there, want) {
				return fmt.Errorf("there are the versions %v, want %v", there, want)
			}
			return nil
		})
	}
	second := release(t, "Welcome to the shop", "Welcome back")
	t.Run("ThatOfThePodStays", func(t *testing.T) { has(t, "two versions", first, second) })
	third := release(t, "Welcome back", "Welcome once more")
	t.Run("ThatOfNobodyGoes", func(t *testing.T) { has(t, "that of the kept pod and the new one", first, third) })
	t.Run("Lesson11_AnAgentThatBeginsAnewKeepsItToo", func(t *testing.T) {
		s.Agent.Kill9(t)
		s.Agent.Start(t)
		s.Agent.AwaitPolls(t)
		has(t, "that of the kept pod and the new one", first, third)
	})
	t.Run("ItGoesAfterThePod", func(t *testing.T) {
		if err := s.Cluster.Core.CoreV1().Pods(s.Staging).Delete(t.Context(), kept, metav1.DeleteOptions{}); err != nil {
			t.Fatal(err)
		}
		has(t, "the new one alone", third)
		s.AwaitGit(t, "staging")
	})
}
