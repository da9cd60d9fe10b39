package e2e

import (
	"fmt"
	"maps"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/sluice-cd/sluice/e2e/world"
)

// latencyRatio tells what is slow by the proven pods, whatever is slow today.
const latencyRatio = `{name: latency, provider: prometheus, max: 1.5, compare: ratio, interval: 1s, errors: 20,
        query: 'avg(shop_latency_seconds{pod=~"{{.Canary}}"})'}`

// secretWord is a Secret whose value pods say.
const secretWord = "apiVersion: v1\nkind: Secret\nmetadata: {name: word}\nstringData: {word: listening}\n"

// badRelease is a release of one kind of fault. Its image's tag is the environment's name, unless it has one.
type badRelease struct {
	tag, annotations, spec string        // of the Deployment
	analysis               string        // nothing is measured without one
	serves                 world.Service // how its pods do
	says                   []string      // why it is taken back
	words                  bool          // its pods had something to say before
}

// badReleases are all kinds of faults that a stage shows.
func badReleases() map[string]badRelease {
	return map[string]badRelease{
		"crash-loop": {annotations: "dev.sluice/fail: crash-loop", words: true,
			says: []string{"stage 1: ", `container \"web\" ends with exit code 1`}},
		"never-ready": {annotations: "dev.sluice/fail: never-ready", spec: "\n  progressDeadlineSeconds: 5", words: true,
			says: []string{"stage 1: ", "0 of 1 new pods are Ready after 5s", "readiness probe failed"}},
		"image-missing": {tag: "missing",
			says: []string{"stage 1: ", imageName + "missing", "does not exist"}},
		"readiness-lost": {annotations: "dev.sluice/fail: lost, dev.sluice/delay: 2s", words: true,
			says: []string{"stage 1: ", "0 of 1 new pods are Ready after 30s", "readiness probe failed"}},
		"error-rate": {analysis: fmt.Sprintf(errorRate, "failures: 2, errors: 20"), serves: world.Service{Errors: 0.25},
			says: []string{"stage 1: analysis errors: 0.25 is above 0.01, 2 bad of", `"measured":[{"analysis":"errors"`}},
		"latency": {analysis: latencyRatio, serves: world.Service{Latency: 0.5},
			says: []string{"stage 1: analysis latency: ratio 2 (0.5 against 0.25 of the stable pods) is above 1.5"}},
		"no-data": {analysis: fmt.Sprintf(errorRate, "errors: 4"), serves: world.Service{Silent: true},
			says: []string{"inconclusive: stage 1: analysis errors: no data: the query gives no series, 4 samples in a row"}},
	}
}

// badCase is a kind under one onFailure, in an environment of its own.
type badCase struct {
	badRelease
	*world.Story
	kind, onFailure, environment string

	first, bad string
	before     map[string]bool
	pods       *world.Pods
	serving    *world.Serving
	traffic    *world.Traffic
}

// TestCanaryTakesBackEachKindOfBadRelease: whatever is wrong with it, and with what is kept of it, the proven pods serve all
// the while, nobody else does in the end, and the commit says why. All go out at once. How long each took is printed.
func TestCanaryTakesBackEachKindOfBadRelease(t *testing.T) {
	s := begin(t, "canary-bad")
	cases := beginBad(t, s)
	for _, c := range cases {
		c.spoil(t)
	}
	bad := s.Repo.Commit(t, "A bad release of each kind")
	var table strings.Builder
	for _, c := range cases {
		c.bad = bad
		t.Run(c.environment, func(t *testing.T) { fmt.Fprintln(&table, c.isTakenBack(t)) })
	}
	t.Logf("Until only proven pods served:\n%-16s%-10s%12s%15s\n%s", "kind", "onFailure", "since fault", "since decision", table.String())
	t.Run("Lesson16_NoDataIsNoPass", func(t *testing.T) {
		for _, c := range cases {
			for _, n := range s.Repo.MustNotes(t, c.environment) {
				if n.On == bad && n.Says("stage 2 of 2") {
					t.Errorf("%s: its first stage passed: %s", c.environment, n.Text)
				}
			}
		}
	})
	t.Run("Lesson18_NoneIsTriedForEver", func(t *testing.T) {
		s.Agent.AwaitPolls(t)
		for _, c := range cases {
			ended := false
			for _, n := range s.Repo.MustNotes(t, c.environment) {
				if ended && n.On == bad {
					t.Errorf("%s: something became of it again: %s", c.environment, n.Text)
				}
				ended = ended || n.On == bad && n.Phase == "RolledBack"
			}
		}
	})
	t.Run("Lesson09_TheFixIsReleased", func(t *testing.T) {
		s.Repo.Edit(t, "sluice.yaml", "hold: 7d", "hold: 1s")
		for _, c := range cases {
			if c.kind == "image-missing" {
				s.Repo.Edit(t, c.manifest(), imageName+"missing", nextImage)
			}
		}
		fix := s.Repo.Commit(t, "An image that is there")
		for _, c := range cases {
			if c.kind == "image-missing" {
				s.AwaitPhase(t, c.environment, fix, "Healthy")
				s.AwaitGit(t, c.environment)
			}
		}
	})
}

// beginBad deploys the shop to an environment for each case.
func beginBad(t *testing.T, s *world.Story) []*badCase {
	t.Helper()
	var cases []*badCase
	var all []*world.Pods
	s.Shop(t, "staging")
	kinds := badReleases()
	for _, kind := range sorted(kinds) {
		for _, onFailure := range []string{"rollback", "hold"} {
			c := &badCase{badRelease: kinds[kind], Story: s, kind: kind, onFailure: onFailure, environment: kind + "-" + onFailure}
			c.deploy(t)
			cases, all = append(cases, c), append(all, s.Cluster.WatchPods(t, s.Namespace(c.environment)))
		}
	}
	traffic := world.StartTraffic(t, all...)
	traffic.Serve(firstImage, world.Service{Latency: 0.25})
	s.Agent.Config.Providers = []map[string]any{{
		"name": "prometheus", "prometheus": map[string]any{"url": s.StartPrometheus(t, traffic).URL}, "timeout": "2s",
	}}
	first := s.Repo.Commit(t, "The first release")
	s.Agent.Start(t)
	for _, c := range cases {
		s.AwaitPhase(t, c.environment, first, "Healthy")
		c.first, c.traffic, c.pods = first, traffic, s.Cluster.WatchPods(t, s.Namespace(c.environment))
		c.serving, c.before = s.Cluster.WatchServing(t, s.Object("Service", c.environment)), c.pods.Live()
		if len(c.before) != 4 {
			t.Fatalf("%s has %d pods, want 4", c.environment, len(c.before))
		}
		world.Await(t, world.Patience, "all pods serve in "+c.environment, c.onlyProvenServe)
	}
	return cases
}

func (c *badCase) manifest() string { return "deploy/" + c.environment + "/deployment.yaml" }

func (c *badCase) image() string {
	if c.tag != "" {
		return imageName + c.tag
	}
	return imageName + c.environment
}

// deploy writes the environment and what it has at first.
func (c *badCase) deploy(t *testing.T) {
	t.Helper()
	folder, hold := "deploy/"+c.environment, "7d"
	if c.analysis != "" {
		hold = "2s" // only what is measured keeps it
	}
	c.NewEnvironment(t, c.environment)
	c.Repo.Copy(t, c.Repo.Dir+"/deploy/staging", folder)
	c.Repo.Edit(t, c.manifest(), "replicas: 2", "replicas: 4")
	c.Repo.Write(t, folder+"/secret.yaml", secretWord)
	rollout := fmt.Sprintf("    rollout:\n      canary: {steps: [{instances: 1, hold: %s}, {weight: 50%%}], onFailure: %s}\n      analysis: [%s]\n",
		hold, c.onFailure, c.analysis)
	c.Repo.Write(t, "sluice.yaml", c.Repo.Read(t, "sluice.yaml")+c.Block(c.environment, "directory: {path: "+folder+"}")+rollout)
}

// spoil writes the bad release.
func (c *badCase) spoil(t *testing.T) {
	t.Helper()
	c.traffic.Serve(c.image(), c.serves)
	c.Repo.Edit(t, c.manifest(), firstImage, c.image())
	c.Repo.Edit(t, c.manifest(), "replicas: 4", "replicas: 4"+c.spec)
	c.Repo.Edit(t, c.manifest(), "    metadata:\n      labels: {app.kubernetes.io/name: shop}",
		"    metadata:\n      annotations: {"+c.annotations+"}\n      labels: {app.kubernetes.io/name: shop}")
}

// isTakenBack is the end of a case, and its line of the table.
func (c *badCase) isTakenBack(t *testing.T) string {
	t.Helper()
	note := c.AwaitPhase(t, c.environment, c.bad, "RolledBack")
	says(t, note, append(c.says, "; back to "+c.first[:7])...)
	world.Await(t, world.Patience, "only proven pods serve", c.onlyProvenServe)
	failed := c.AwaitPhase(t, c.environment, c.bad, "Failed")
	if c.words {
		says(t, failed, `"pods":[{"pod":"`+c.Namespace(c.environment)+`/shop-`, `"lastLines":["starting","<secret> on :8080","ready"]`)
	}
	for _, n := range c.Repo.MustNotes(t, c.environment) {
		if n.Says("listening") {
			t.Errorf("a note shows a secret: %s", n.Text)
		}
	}
	if least := c.pods.LeastReadyOf(firstImage); least < 4 {
		t.Errorf("%d proven pods were Ready at one moment, want 4 throughout", least)
	}
	left := c.kept(t, note)
	maps.Copy(left, c.before)
	world.Await(t, world.Patience, "the same proven pods, what is kept, and no others", func() error {
		if live := c.pods.Live(); !maps.Equal(live, left) {
			return fmt.Errorf("the pods are %v, want %v", live, left)
		}
		return nil
	})
	return c.took(t, failed)
}

// onlyProvenServe says who else is behind the Service, or that a proven pod is not.
func (c *badCase) onlyProvenServe() error {
	if now := c.serving.Now(); !maps.Equal(now, c.before) {
		return fmt.Errorf("behind the Service are %v, want %v", now, c.before)
	}
	return nil
}

// kept are the pods of the release that are there for a look, by UID, marked as ours and of no use to anybody else.
func (c *badCase) kept(t *testing.T, note world.Note) map[string]bool {
	t.Helper()
	list, err := c.Cluster.Core.CoreV1().Pods(c.Namespace(c.environment)).List(t.Context(), metav1.ListOptions{
		LabelSelector: "sluice.dev/kept-application=shop,sluice.dev/kept-environment=" + c.environment,
	})
	if err != nil {
		t.Fatal(err)
	}
	kept := map[string]bool{}
	for _, pod := range list.Items {
		kept[string(pod.UID)] = true
		if image := pod.Spec.Containers[0].Image; image != c.image() {
			t.Errorf("pod %s of image %s is kept", pod.Name, image)
		}
		isForALook(t, pod, c.bad, note)
	}
	if wants := c.onFailure == "hold"; wants != (len(kept) > 0) || len(kept) > 2 {
		t.Errorf("%d pods are kept", len(kept))
	}
	return kept
}

// isForALook fails where something may select a pod that was kept, or nobody knows whose it is and how long it stays.
func isForALook(t *testing.T, pod corev1.Pod, of string, note world.Note) {
	t.Helper()
	if len(pod.Labels) != 3 || pod.Labels["sluice.dev/kept-of"] != of || metav1.GetControllerOf(&pod) != nil {
		t.Errorf("the pod has the labels %v and the controller %v", pod.Labels, metav1.GetControllerOf(&pod))
	}
	until, err := time.Parse(time.RFC3339, pod.Annotations["sluice.dev/kept-until"])
	if err != nil || until.Before(time.Now()) || pod.Annotations["cluster-autoscaler.kubernetes.io/safe-to-evict"] != "true" {
		t.Errorf("the pod has the annotations %v", pod.Annotations)
	}
	says(t, note, "kept for a look until", pod.Name)
}

// took is how long it took until only proven pods were behind the Service: since a watch, or a scrape, showed the fault, and
// since the agent decided. Nothing, where no pod of the release ever was behind it.
func (c *badCase) took(t *testing.T, failed world.Note) string {
	t.Helper()
	fault := c.pods.Unready(c.before)
	if c.analysis != "" {
		fault = c.traffic.Told(c.image())
	}
	only := c.serving.Only(c.before)
	if fault.IsZero() || only.IsZero() {
		t.Errorf("the fault was seen at %v, and only proven pods served from %v on", fault, only)
	}
	ms := func(since time.Time) time.Duration { return max(0, only.Sub(since)).Round(time.Millisecond) }
	return fmt.Sprintf("%-16s%-10s%12v%15v", c.kind, c.onFailure, ms(fault), ms(failed.At))
}
