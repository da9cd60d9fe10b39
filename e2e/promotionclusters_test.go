package e2e

import (
	"path/filepath"
	"strings"
	"testing"

	authv1 "k8s.io/api/authentication/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/tools/clientcmd"

	"github.com/sluice-cd/sluice/e2e/world"
)

// TestPromotionBetweenClusters: staging and production have a cluster each, an agent each, and credentials of their own, there
// and at the forge. A release goes from one to the other by nothing but Git.
func TestPromotionBetweenClusters(t *testing.T) {
	production := begin(t, "clusters")
	p := production.AtForge(t)
	staging := production.InAnotherCluster(t)
	production.Shop(t)
	repo := production.Repo
	repo.Edit(t, "sluice.yaml", "directory: {path: deploy/production}}\n", promoted)
	first := repo.Commit(t, "The shop")
	staging.Agent.Config.Environments = []map[string]any{{"name": "staging"}}
	staging.Agent.Start(t)
	production.Agent.Config.Environments = []map[string]any{{"name": "production"}}
	production.Agent.Config.Keys = []map[string]any{{"environments": []string{"staging"}, "key": staging.PublicKey(t, staging.Agent)}}
	production.Agent.Start(t)
	t.Run("NeitherAgentGetsIntoTheOthersCluster", func(t *testing.T) {
		refusedBy(t, production, staging)
		refusedBy(t, staging, production)
	})
	merge := func(t *testing.T, what string, match func(world.MergeRequest) bool) world.MergeRequest {
		t.Helper()
		request := p.AwaitMergeRequest(t, what, match)
		p.Merge(t, request.Number, world.Merge)
		repo.Run(t, "pull", "-q", "origin", "main")
		return request
	}
	t.Run("ProvenInOneItIsAskedForInTheOther", func(t *testing.T) {
		staging.AwaitPhase(t, "staging", first, "Healthy")
		staging.AwaitGit(t, "staging")
		absent(t, production, "staging")
		request := merge(t, "the first release", proposes(first))
		if !strings.Contains(request.Body, "Healthy in staging since") {
			t.Errorf("the request does not say where it is proven: %s", request.Body)
		}
		production.AwaitPhase(t, "production", first, "Healthy")
		production.AwaitGit(t, "production")
		absent(t, staging, "production")
		p.AwaitStatus(t, first, "sluice/shop/staging", "success")
		p.AwaitStatus(t, first, "sluice/shop/production", "success")
	})
	pods := production.Cluster.WatchPods(t, production.Production)
	proven := pods.Live()
	t.Run("ABadOneIsTakenBackAndItsPinTooByARequest", func(t *testing.T) {
		repo.Edit(t, productionDeployment, "    metadata:\n      labels: {app.kubernetes.io/name: shop}",
			"    metadata:\n      annotations: {dev.sluice/fail: crash-loop}\n      labels: {app.kubernetes.io/name: shop}")
		bad := repo.Commit(t, "A release that crashes in production")
		merge(t, "the bad release", proposes(bad))
		production.AwaitPhase(t, "production", bad, "RolledBack")
		p.AwaitStatus(t, bad, "sluice/shop/production", "failure")
		merge(t, "the way back", func(m world.MergeRequest) bool {
			return m.State == "open" && m.Head.Ref == "sluice/revert/shop/production"
		})
		pinned(t, production, first)
		production.Agent.AwaitPolls(t)
		for uid := range proven {
			if !pods.Live()[uid] {
				t.Errorf("proven pod %s is gone", uid)
			}
		}
	})
	var second string
	t.Run("TheFixGoesThroughTheStages", func(t *testing.T) {
		repo.Edit(t, productionDeployment, "      annotations: {dev.sluice/fail: crash-loop}\n", "")
		repo.Edit(t, productionDeployment, firstImage, nextImage)
		second = repo.Commit(t, "Another image, which starts")
		merge(t, "the fix", proposes(second))
		production.AwaitPhase(t, "production", second, "Healthy")
		production.AwaitGit(t, "production")
		if !wasStaged(t, production, "production", second) {
			t.Error("it went through no stage")
		}
	})
	t.Run("APinMovedBackStays", func(t *testing.T) {
		repo.Edit(t, "releases/production.yaml", second, first)
		repo.Commit(t, "Back to the first")
		world.AwaitPods(t, "the first pods alone", pods, func(images map[string]int) bool { return len(images) == 1 && images[firstImage] > 0 })
		production.Repo.AwaitNote(t, world.Patience, "rolled back", "production", func(n world.Note) bool {
			return n.Phase == "Healthy" && n.Says("rolled back from "+second[:7]+" to "+first[:7])
		})
		staging.Agent.AwaitPolls(t)
		production.Agent.AwaitPolls(t)
		production.Agent.AwaitPolls(t)
		if open := p.MergeRequests(t, "open"); len(open) != 0 {
			t.Errorf("what was left is asked for again: %v", open)
		}
		repo.Run(t, "pull", "-q", "origin", "main")
		pinned(t, production, first)
	})
	t.Run("AChangeOfProductionsValuesAloneIsPromoted", func(t *testing.T) {
		repo.Edit(t, productionDeployment, nextImage, imageName+"1.31.0-alpine")
		third := repo.Commit(t, "A third image, in production alone")
		merge(t, "the third", proposes(third))
		production.AwaitPhase(t, "production", third, "Healthy")
		production.AwaitGit(t, "production")
	})
}

// pinned fails when the pin of production is another.
func pinned(t *testing.T, s *world.Story, revision string) {
	t.Helper()
	if pin := s.Repo.Read(t, "releases/production.yaml"); !strings.Contains(pin, revision) {
		t.Errorf("the pin is %q, want %s", pin, revision)
	}
}

// absent fails when the shop of an environment is in the story's cluster.
func absent(t *testing.T, s *world.Story, environment string) {
	t.Helper()
	list, err := s.Cluster.Core.AppsV1().Deployments(s.Namespace(environment)).List(t.Context(), metav1.ListOptions{})
	if err != nil {
		t.Fatal(err)
	}
	for _, d := range list.Items {
		t.Errorf("Deployment %s/%s is there", d.Namespace, d.Name)
	}
}

// refusedBy fails when the API server of one story's cluster knows what the agent of the other shows it.
func refusedBy(t *testing.T, there, other *world.Story) {
	t.Helper()
	config, err := clientcmd.BuildConfigFromFlags("", filepath.Join(other.Agent.Dir, "kubeconfig"))
	if err != nil {
		t.Fatal(err)
	}
	config.Host, config.CAData = there.Cluster.Admin.Host, there.Cluster.Admin.CAData
	client, err := kubernetes.NewForConfig(config)
	if err != nil {
		t.Fatal(err)
	}
	_, err = client.AuthenticationV1().SelfSubjectReviews().Create(t.Context(), &authv1.SelfSubjectReview{}, metav1.CreateOptions{})
	if !apierrors.IsUnauthorized(err) {
		t.Errorf("the API server answers %v, want that it does not know who asks", err)
	}
}
