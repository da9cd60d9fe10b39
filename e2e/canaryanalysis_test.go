package e2e

import (
	"fmt"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/sluice-cd/sluice/e2e/world"
)

// measured is a canary with two short stages, of which something is measured; %s is the list of analyses.
const measured = `directory: {path: deploy/staging}}
    rollout:
      canary:
        steps: [{instances: 1, hold: 2s}, {weight: 50%%}]
      analysis: [%s]
`

// errorRate is the share of the new pods' requests that fail; %s are more keys.
const errorRate = `{name: errors, provider: prometheus, max: 1%%, interval: 1s, %s,
        query: 'sum(rate(shop_requests_total{code="500",pod=~"{{.Canary}}"}[3s])) / sum(rate(shop_requests_total{pod=~"{{.Canary}}"}[3s]))'}`

// measuring begins a story whose staging environment has 4 pods, and a Prometheus that knows how they serve.
type measuring struct {
	*world.Story
	first      string
	pods       *world.Pods
	before     map[string]bool
	traffic    *world.Traffic
	prometheus *world.Prometheus
}

func beginMeasured(t *testing.T, name, analyses string) *measuring {
	t.Helper()
	s := begin(t, name)
	m := &measuring{Story: s, pods: s.Cluster.WatchPods(t, s.Staging)}
	m.traffic = world.StartTraffic(t, m.pods)
	m.prometheus = s.StartPrometheus(t, m.traffic)
	s.Agent.Config.Providers = []map[string]any{{
		"name": "prometheus", "prometheus": map[string]any{"url": m.prometheus.URL}, "applications": []string{"shop"}, "timeout": "2s",
	}}
	m.deploy(t, analyses)
	return m
}

// deploy releases the shop for the first time.
func (m *measuring) deploy(t *testing.T, analyses string) {
	t.Helper()
	m.Shop(t, "staging")
	m.Repo.Edit(t, "sluice.yaml", "directory: {path: deploy/staging}}\n", fmt.Sprintf(measured, analyses))
	m.Repo.Edit(t, stagingDeployment, "replicas: 2", "replicas: 4")
	m.first = m.Repo.Commit(t, "The first release")
	m.Agent.Start(t)
	m.AwaitPhase(t, "staging", m.first, "Healthy")
	m.before = m.pods.Live()
}

// release commits another image.
func (m *measuring) release(t *testing.T) string {
	t.Helper()
	m.Repo.Edit(t, stagingDeployment, firstImage, nextImage)
	return m.Repo.Commit(t, "Another image")
}

// untouched fails where a proven pod is gone, or another one is there.
func (m *measuring) untouched(t *testing.T) {
	t.Helper()
	live := m.pods.Live()
	for uid := range m.before {
		if !live[uid] {
			t.Errorf("proven pod %s is gone", uid)
		}
	}
	if least := m.pods.LeastReady(); len(live) != len(m.before) || len(m.before) != 4 {
		t.Errorf("%d pods are there, of which at least %d were Ready; want 4", len(live), least)
	}
}

// says fails where a line does not say what a person needs.
func says(t *testing.T, n world.Note, words ...string) {
	t.Helper()
	if !n.Says(words...) {
		t.Errorf("the note does not say %q: %s", words, n.Text)
	}
}

// TestCanaryIsMeasuredAndGood: each stage has its samples, and its line says what they were.
func TestCanaryIsMeasuredAndGood(t *testing.T) {
	m := beginMeasured(t, "measured-good", fmt.Sprintf(errorRate, "samples: 3, errors: 20"))
	revision := m.release(t)
	says(t, m.AwaitPhase(t, "staging", revision, "Healthy"), `"analysis":"errors"`, `"good":3`)
	told := m.Repo.AwaitNote(t, world.Patience, "the second stage", "staging", func(n world.Note) bool {
		return n.On == revision && n.Says("stage 2 of 2")
	})
	says(t, told, `"analysis":"errors"`, `"good":3`, `"last":"0"`)
	m.AwaitGit(t, "staging")
}

// TestCanaryIsMeasuredByNobody: the provider is down. That is said, bounded, and over when it is back.
func TestCanaryIsMeasuredByNobody(t *testing.T) {
	m := beginMeasured(t, "measured-down", fmt.Sprintf(errorRate, "errors: 500"))
	m.prometheus.Stop(t)
	revision := m.release(t)
	t.Run("Lesson10_ItIsSaid", func(t *testing.T) {
		m.Agent.AwaitLog(t, "Analysis has no value", "errors", "no answer: connect: connection refused")
	})
	t.Run("Lesson10_ItGoesOnWhenItIsBack", func(t *testing.T) {
		m.prometheus.Start(t)
		m.AwaitPhase(t, "staging", revision, "Healthy")
	})
	t.Run("Lesson10_ItIsBounded", func(t *testing.T) {
		m.before = m.pods.Live()
		m.prometheus.Stop(t)
		m.Repo.Edit(t, "sluice.yaml", "errors: 500", "errors: 3")
		m.Repo.Edit(t, stagingDeployment, nextImage, imageName+"1.29.5-alpine")
		last := m.Repo.Commit(t, "A third image, and less patience")
		note := m.AwaitPhase(t, "staging", last, "RolledBack")
		says(t, note, "inconclusive: stage 1: analysis errors: no answer: connect: connection refused, 3 samples in a row")
		m.untouched(t)
	})
}

// TestCanaryIsMeasuredByItself: an address of the application's own says whether it is well; the credentials for it are
// shown to nobody else.
func TestCanaryIsMeasuredByItself(t *testing.T) {
	const health = `{name: api, provider: shop-api, path: "/health?deep=1", jsonPath: "{.ok}", equals: "true", interval: 1s}`
	const token = "a-token-that-nobody-may-see"
	var well atomic.Bool
	well.Store(true)
	var refused atomic.Int64
	address := world.StartWeb(t, func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Authorization") != "Bearer "+token || r.URL.Path != "/api/health" || r.URL.RawQuery != "deep=1" {
			refused.Add(1)
			w.WriteHeader(http.StatusUnauthorized)
			return
		}
		fmt.Fprintf(w, `{"ok": %v, "token": %q}`, well.Load(), token)
	})
	s := begin(t, "measured-web")
	m := &measuring{Story: s, pods: s.Cluster.WatchPods(t, s.Staging)}
	s.Agent.Config.Providers = []map[string]any{{
		"name": "shop-api", "web": map[string]any{"url": address + "/api"}, "credentials": map[string]any{"secret": "shop-api"},
	}}
	secret := &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Name: "shop-api", Namespace: s.System}, StringData: map[string]string{"token": token}}
	if _, err := s.Cluster.Core.CoreV1().Secrets(s.System).Create(t.Context(), secret, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	m.deploy(t, health)
	good := m.release(t)
	says(t, m.AwaitPhase(t, "staging", good, "Healthy"), `"analysis":"api"`, `"good":3`)
	m.before = m.pods.Live()
	well.Store(false)
	m.Repo.Edit(t, stagingDeployment, nextImage, imageName+"1.29.5-alpine")
	bad := m.Repo.Commit(t, "A third image")
	says(t, m.AwaitPhase(t, "staging", bad, "RolledBack"), `analysis api: \"false\" is not \"true\", 2 bad of 2 samples`)
	m.untouched(t)
	t.Run("Lesson36_NobodySeesTheToken", func(t *testing.T) {
		m.Repo.Edit(t, "sluice.yaml", "{.ok}", "{.token}")
		m.Repo.Edit(t, stagingDeployment, imageName+"1.29.5-alpine", imageName+"1.29.6-alpine")
		curious := m.Repo.Commit(t, "Somebody wants to see it")
		says(t, m.AwaitPhase(t, "staging", curious, "RolledBack"), "analysis api", "<secret>")
		for _, n := range m.Repo.MustNotes(t, "staging") {
			if strings.Contains(n.Text, token) {
				t.Errorf("a note shows the token: %s", n.Text)
			}
		}
		if strings.Contains(m.Agent.Log(t), token) {
			t.Error("the log shows the token")
		}
	})
	if n := refused.Load(); n > 0 {
		t.Errorf("%d requests were without the token, or for something else", n)
	}
}

const smokeTest = `apiVersion: batch/v1
kind: Job
metadata: {name: smoke, annotations: {sluice.dev/analysis: smoke}}
spec:
  backoffLimit: 0
  activeDeadlineSeconds: 60
  template:
    metadata: {annotations: {dev.sluice/fail: ""}}
    spec:
      restartPolicy: Never
      securityContext: {runAsNonRoot: true, seccompProfile: {type: RuntimeDefault}}
      containers:
        - name: smoke
          image: registry.example/smoke:1
          securityContext: {allowPrivilegeEscalation: false, capabilities: {drop: [ALL]}}
`

// TestCanaryIsMeasuredByAJob: it runs in each stage, is no part of the release, and goes when it ended.
func TestCanaryIsMeasuredByAJob(t *testing.T) {
	s := begin(t, "measured-job")
	m := &measuring{Story: s, pods: s.Cluster.WatchPods(t, s.Production)} // pods of Jobs are none of the release
	jobs := s.Cluster.WatchJobs(t, s.Staging)
	s.Repo.Write(t, "deploy/staging/smoke.yaml", smokeTest)
	s.Repo.Write(t, "deploy/staging/secret.yaml", secretWord)
	m.deploy(t, `{name: smoke, job: smoke}`)
	if ran := jobs.Ran(); len(ran) > 0 {
		t.Errorf("Jobs ran with the first release, which has no stages: %v", ran)
	}
	good := m.release(t)
	says(t, m.AwaitPhase(t, "staging", good, "Healthy"), `"analysis":"smoke"`, `"good":1`, "the Job succeeded")
	ran := jobs.Ran()
	if len(ran) != 2 {
		t.Errorf("the Jobs %v ran, want one for each of two stages", ran)
	}
	for name, labels := range ran {
		if labels["sluice.dev/application"] != "shop" || labels["sluice.dev/environment"] != "staging" || !strings.HasPrefix(name, "smoke-") {
			t.Errorf("Job %s has the labels %v", name, labels)
		}
	}
	m.Repo.Edit(t, "deploy/staging/smoke.yaml", `dev.sluice/fail: ""`, "dev.sluice/fail: job")
	m.Repo.Edit(t, stagingDeployment, nextImage, imageName+"1.29.5-alpine")
	bad := m.Repo.Commit(t, "A third image, which the smoke test does not like")
	says(t, m.AwaitPhase(t, "staging", bad, "RolledBack"), "stage 1: analysis smoke: the Job failed: BackoffLimitExceeded", "1 bad of 1 sample")
	failed := m.AwaitPhase(t, "staging", bad, "Failed")
	says(t, failed, `"pods":[{"pod":"`+s.Staging+`/smoke-`, `container \"smoke\" ends with exit code 1`, `"lastLines":["starting","<secret> on :8080","ready"]`)
	if failed.Says("listening") {
		t.Errorf("the note shows a secret: %s", failed.Text)
	}
	const fourth, fifth = imageName + "1.29.6-alpine", imageName + "1.29.7-alpine"
	t.Run("Lesson11_AKilledAgentFindsItsJob", func(t *testing.T) {
		before := len(jobs.Ran())
		m.Repo.Edit(t, "deploy/staging/smoke.yaml", "dev.sluice/fail: job", "dev.sluice/fail: never-ready")
		m.Repo.Edit(t, stagingDeployment, imageName+"1.29.5-alpine", fourth)
		m.Repo.Commit(t, "A smoke test that hangs")
		world.Await(t, world.Patience, "a Job runs", func() error {
			if len(jobs.Left()) != 1 {
				return fmt.Errorf("there are %v", jobs.Left())
			}
			return nil
		})
		m.Agent.Kill9(t)
		m.Agent.Start(t)
		m.Agent.AwaitLog(t, "Job of an analysis was found again")
		if n := len(jobs.Ran()) - before; n != 1 {
			t.Errorf("%d Jobs ran, want the one", n)
		}
	})
	t.Run("Lesson10_AHangingJobIsBounded", func(t *testing.T) {
		m.Repo.Edit(t, "deploy/staging/smoke.yaml", "activeDeadlineSeconds: 60", "activeDeadlineSeconds: 2")
		m.Repo.Edit(t, stagingDeployment, fourth, fifth)
		hanging := m.Repo.Commit(t, "A smoke test that hangs for two seconds, in place of the one that still does")
		says(t, m.AwaitPhase(t, "staging", hanging, "RolledBack"), "the Job failed: DeadlineExceeded")
	})
	t.Run("NoneIsLeft", func(t *testing.T) {
		world.Await(t, world.Patience, "no Job is left", func() error {
			if left := jobs.Left(); len(left) > 0 {
				return fmt.Errorf("there are %v", left)
			}
			return nil
		})
	})
}
