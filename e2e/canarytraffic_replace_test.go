package e2e

import (
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/sluice-cd/sluice/e2e/world"
)

// TestCanaryShiftsTrafficInPlace: with capacity: replace the new pods take the places of proven ones, and the weight follows
// their share.
func TestCanaryShiftsTrafficInPlace(t *testing.T) {
	s := begin(t, "route-replace")
	g := routedInPlace(t, s)
	t.Run("TheWeightFollowsTheShare", func(t *testing.T) {
		record, pods := s.Cluster.Record(t, s.Staging, g.kind, "Service", "EndpointSlice", "Pod", "ReplicaSet"), s.Cluster.WatchPods(t, s.Staging)
		s.Repo.Edit(t, stagingDeployment, firstImage, nextImage)
		s.AwaitPhase(t, "staging", s.Repo.Commit(t, "Another image"), "Healthy")
		s.AwaitGit(t, "staging")
		j := judge(record(), g.kind, nextImage)
		j.inOrder(t, "shop:", "shop-stable:100", weighs("10", "90"), weighs("25", "75"), weighs("50", "50"), weighs("75", "25"),
			weighs("100", "0"), "shop-stable:100", "shop:")
		j.neverMoreThan(t, 8)
		j.endpointsFirst(t, map[string]int{"10": 1, "25": 2, "50": 4, "75": 6, "100": 7})
		j.neverWithoutEndpoints(t)
		j.leavesTheLast(t, 8)
		if j.canaryGoes != 0 {
			t.Error("a new pod went")
		}
		if least := pods.LeastReady(); least < 6 {
			t.Errorf("%d pods were Ready at one moment, want 6, as a stage of 2 leaves them", least)
		}
	})
	takesTrafficBackInPlace(t, s, g)
}

// routedInPlace begins a story whose staging environment has 8 pods behind a route, and never more.
func routedInPlace(t *testing.T, s *world.Story) *gateway {
	t.Helper()
	g := routed(t, s, "HTTPRoute", "httpRoute", httpRoute)
	s.Repo.Edit(t, "sluice.yaml", "{steps: [{weight: 10%, hold: 1s}, {weight: 50%}]}",
		"{capacity: replace, steps: [{weight: 10%, hold: 1s}, {weight: 25%}]}")
	s.Repo.Edit(t, stagingDeployment, "replicas: 4", "replicas: 8")
	s.AwaitPhase(t, "staging", s.Repo.Commit(t, "Never more than 8 pods"), "Healthy")
	return g
}

// TestCanaryTrafficInPlaceIsKilledAtAnyInstant: the agent is killed again and again meanwhile. SLUICE_KILLS says how often
// (20), SLUICE_SEED repeats a run.
func TestCanaryTrafficInPlaceIsKilledAtAnyInstant(t *testing.T) {
	s := begin(t, "replace-kill")
	g := routedInPlace(t, s)
	kills, seed := number(t, "SLUICE_KILLS", 20), number(t, "SLUICE_SEED", int(time.Now().UnixNano()%1e9))
	t.Logf("SLUICE_KILLS=%d SLUICE_SEED=%d", kills, seed)
	record, pods := s.Cluster.Record(t, s.Staging, g.kind, "Service", "EndpointSlice", "Pod"), s.Cluster.WatchPods(t, s.Staging)
	releaseUnderKills(t, s, kills, atRandom(t, s, rand.New(rand.NewPCG(uint64(seed), 4))), func(n int, bad bool) (string, string) {
		tag := tagOf(n, bad)
		s.Repo.Write(t, stagingDeployment, replaceImage(s.Repo.Read(t, stagingDeployment), tag))
		return s.Repo.Commit(t, "Release "+tag), tag
	})
	if least := pods.LeastReady(); least < 4 { // the way back may leave half
		t.Errorf("%d pods were Ready at one moment, want 4 throughout", least)
	}
	s.AwaitGit(t, "staging")
	j := judge(record(), g.kind, "")
	j.neverWithoutEndpoints(t)
	t.Logf("the route changed %d times", len(j.routes))
}

// weighs is the route that sends so many of a hundred requests to new and to proven pods, and all testers to new ones.
func weighs(canary, stable string) string {
	return "shop-canary:100 | shop-canary:" + canary + " shop-stable:" + stable
}

// takesTrafficBackInPlace: in a stage the proven pods that are left bear everything, at once; where most of them are gone
// Git's route shares it among all there are.
func takesTrafficBackInPlace(t *testing.T, s *world.Story, g *gateway) {
	thirdImage := imageName + "1.29.5-alpine"
	for name, c := range map[string]struct {
		stands string // the weights that nobody accepts, so that a newer release meets them
		routes []string
		least  int
		drains bool
	}{
		"InAStageTheyBearItAll": {weighs("25", "75"), []string{"shop:", "shop-stable:100", weighs("10", "90"), weighs("25", "75"),
			"shop-stable:100", "shop:"}, 6, true},
		"WhereMostAreGoneAllBearIt": {weighs("75", "25"), []string{"shop:", "shop-stable:100", weighs("10", "90"), weighs("25", "75"),
			weighs("50", "50"), weighs("75", "25"), "shop:"}, 4, false},
	} {
		t.Run(name, func(t *testing.T) {
			record, pods := s.Cluster.Record(t, s.Staging, g.kind, "Service", "EndpointSlice", "Pod", "ReplicaSet"), s.Cluster.WatchPods(t, s.Staging)
			g.refuse(t, func(weights string) bool { return weights == c.stands })
			s.Repo.Edit(t, stagingDeployment, nextImage, thirdImage)
			revision := s.Repo.Commit(t, name)
			g.await(t, c.stands)
			s.Agent.AwaitPolls(t)
			j := judge(record(), g.kind, thirdImage)
			j.neverMoreThan(t, 8)
			s.Repo.Run(t, "revert", "--no-edit", "HEAD")
			s.Repo.Push(t)
			s.AwaitPhase(t, "staging", revision, "Superseded")
			s.AwaitPhase(t, "staging", s.Repo.Head(t), "Healthy")
			s.AwaitGit(t, "staging")
			j = judge(record(), g.kind, thirdImage)
			j.inOrder(t, c.routes...)
			j.neverWithoutEndpointsAtFirst(t)
			if away := j.routes[len(c.routes)-2].version; c.drains && j.canaryGoes <= away {
				t.Errorf("a new pod went at %d, before the route stopped sending to it at %d", j.canaryGoes, away)
			}
			if least := pods.LeastReady(); least < c.least {
				t.Errorf("%d pods were Ready at one moment, want %d", least, c.least)
			}
		})
	}
}

// neverMoreThan: never more pods are asked for, by the ReplicaSets together. The pods that are not being deleted are counted
// too, at each change of one: Kubernetes' controller counts what it asked for, so that a new pod may be made a moment before
// the proven one is deleted that it takes the place of. One over is told, and no more than one may be.
func (j *judgement) neverMoreThan(t *testing.T, replicas int) {
	t.Helper()
	live, asked, over := map[string]bool{}, map[string]int64{}, false
	for _, m := range j.moments {
		switch {
		case m.GetKind() == "ReplicaSet":
			n, _, _ := unstructured.NestedInt64(m.Object, "spec", "replicas")
			if delete(asked, m.GetName()); !m.Gone {
				asked[m.GetName()] = n
			}
		case m.GetKind() != "Pod":
			continue
		default:
			if delete(live, m.GetName()); !m.Gone && m.GetDeletionTimestamp() == nil {
				live[m.GetName()] = true
			}
		}
		sum := int64(0)
		for _, n := range asked {
			sum += n
		}
		if sum > int64(replicas) || len(live) > replicas+1 {
			t.Errorf("at %d %d pods are asked for, and %d are not being deleted, want %d at most", m.Version, sum, len(live), replicas)
			return
		}
		if len(live) > replicas && !over {
			over = true
			t.Logf("at %d there were %d pods that were not being deleted", m.Version, len(live))
		}
	}
}

// endpointsFirst: when new pods get a weight, their Service has so many Ready endpoints.
func (j *judgement) endpointsFirst(t *testing.T, want map[string]int) {
	t.Helper()
	ready, weights := 0, ""
	for _, m := range j.moments {
		switch m.GetKind() {
		case "EndpointSlice":
			if m.GetLabels()["kubernetes.io/service-name"] == "shop-canary" {
				ready = readyIn(m)
			}
		case j.kind:
			now := weightsOf(m.Unstructured)
			if now == weights {
				continue
			}
			weights = now
			for weight, n := range want {
				if strings.Contains(now, "shop-canary:"+weight+" shop-stable:") && ready < n {
					t.Errorf("at %d the route sends to %q, and shop-canary has %d Ready endpoints, want %d", m.Version, now, ready, n)
				}
			}
		}
	}
}

// leavesTheLast: one proven pod of so many is there until the route sends it nothing more.
func (j *judgement) leavesTheLast(t *testing.T, replicas int) {
	t.Helper()
	went, all := map[string]bool{}, j.last("shop-canary:100 shop-stable:0")
	for _, m := range j.moments {
		if m.GetKind() != "Pod" || m.GetDeletionTimestamp() == nil || world.Field(m.Unstructured, "spec", "containers", "0", "image") == j.image {
			continue
		}
		if went[m.GetName()] = true; len(went) == replicas && m.Version <= all {
			t.Errorf("the last proven pod went at %d, before the new ones had all traffic at %d", m.Version, all)
		}
	}
	if len(went) != replicas {
		t.Errorf("%d proven pods went, want %d", len(went), replicas)
	}
}
