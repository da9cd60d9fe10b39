package e2e

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/sluice-cd/sluice/e2e/world"
)

const routedCanary = `directory: {path: deploy/staging}}
    rollout:
      canary: {steps: [{weight: 10%%, hold: 1s}, {weight: 50%%}]}
      traffic: {%s: shop, service: shop, drain: 1s, testers: {header: X-Canary, value: "1"}}
`

const httpRoute = `apiVersion: gateway.networking.k8s.io/v1
kind: HTTPRoute
metadata: {name: shop}
spec:
  parentRefs: [{name: public, namespace: gateways}]
  rules: [{backendRefs: [{name: shop, port: 80}]}]
`

const virtualService = `apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: shop}
spec:
  hosts: [shop.example.com]
  http: [{route: [{destination: {host: shop}}]}]
`

// TestCanaryShiftsTraffic: a Gateway API route shares the traffic out, and the test plays the Gateway's controller.
func TestCanaryShiftsTraffic(t *testing.T) {
	shiftsTraffic(t, "canary-route", "HTTPRoute", "httpRoute", httpRoute)
}

// TestCanaryShiftsTrafficOfIstio: the same with a VirtualService. Istio says nothing of it unless it is asked to, so there
// is no controller to play.
func TestCanaryShiftsTrafficOfIstio(t *testing.T) {
	shiftsTraffic(t, "canary-istio", "VirtualService", "virtualService", virtualService)
}

// routed begins a story whose staging environment has 4 pods behind a route, which shares the traffic of a release out.
func routed(t *testing.T, s *world.Story, kind, field, route string) *gateway {
	t.Helper()
	s.DefineRoutes(t)
	s.Shop(t, "staging")
	s.Repo.Edit(t, "sluice.yaml", "directory: {path: deploy/staging}}\n", fmt.Sprintf(routedCanary, field))
	s.Repo.Edit(t, stagingDeployment, "replicas: 2", "replicas: 4")
	s.Repo.Write(t, "deploy/staging/route.yaml", route)
	first := s.Repo.Commit(t, "The first release")
	g := playGateway(t, s, kind)
	s.Agent.Start(t)
	s.AwaitPhase(t, "staging", first, "Healthy")
	return g
}

func shiftsTraffic(t *testing.T, name, kind, field, route string) {
	s := begin(t, name)
	g := routed(t, s, kind, field, route)
	record := s.Cluster.Record(t, s.Staging, kind, "Service", "EndpointSlice", "Pod", "Deployment")
	if kind == "HTTPRoute" {
		g.refuse(t, func(weights string) bool { return weights == "shop-stable:100" })
	}
	s.Repo.Edit(t, stagingDeployment, firstImage, nextImage)
	revision := s.Repo.Commit(t, "Another image")
	if kind == "HTTPRoute" {
		waitsForTheGateway(t, s, g, revision)
	}
	s.AwaitPhase(t, "staging", revision, "Healthy")
	t.Run("AtRestTheRouteAndTheServicesAreGits", func(t *testing.T) { s.AwaitGit(t, "staging") })
	t.Run("EachStepHasItsPlace", func(t *testing.T) {
		j := judge(record(), kind, nextImage)
		j.inOrder(t, "shop:", "shop-stable:100", "shop-canary:100 | shop-canary:10 shop-stable:90",
			"shop-canary:100 | shop-canary:50 shop-stable:50", "shop-canary:100 | shop-canary:100 shop-stable:0",
			"shop-stable:100", "shop:")
		j.neverWithoutEndpoints(t)
		j.neverTakesPodsWithWeight(t)
		if at := j.provenGoes; at <= j.last("shop-canary:100 shop-stable:0") {
			t.Errorf("a proven pod went at %d, before the new ones had all traffic at %d", at, j.last("shop-canary:100 shop-stable:0"))
		}
		if j.canaryGoes != 0 {
			t.Error("a new pod went")
		}
		if whole := j.last("shop:"); j.serviceGoes <= whole {
			t.Errorf("a Service went at %d, before the route was Git's at %d", j.serviceGoes, whole)
		}
	})
	takesTrafficBack(t, s, g, kind)
}

// waitsForTheGateway: nothing begins that the Gateway has not accepted the route for.
func waitsForTheGateway(t *testing.T, s *world.Story, g *gateway, revision string) {
	t.Run("TheProvenPodsGetAllTrafficBeforeThereAreOthers", func(t *testing.T) {
		g.await(t, "shop-stable:100")
		s.Agent.AwaitPolls(t)
		if err := world.Has(firstImage, imagePath()...)(s.Cluster.Get(t, s.Object("Deployment", "staging"))); err != nil {
			t.Errorf("nobody accepted the route, and the new release began: %v", err)
		}
	})
	t.Run("TheClockOfAStageBeginsWhenTheRouteIsAccepted", func(t *testing.T) {
		g.refuse(t, func(weights string) bool { return strings.Contains(weights, "shop-canary:10 ") })
		g.await(t, "shop-canary:100 | shop-canary:10 shop-stable:90")
		for range 3 {
			s.Agent.AwaitPolls(t)
		}
		for _, n := range s.Repo.MustNotes(t, "staging") {
			if n.On == revision && n.Says("stage 2 of 2") {
				t.Errorf("nobody accepted the weight of stage 1, and stage 2 began: %s", n.Text)
			}
		}
		accepted := time.Now()
		g.refuse(t, func(string) bool { return false })
		second := s.Repo.AwaitNote(t, world.Patience, "the second stage", "staging", func(n world.Note) bool {
			return n.On == revision && n.Says("stage 2 of 2", "50%")
		})
		if held := second.At.Sub(accepted); held < time.Second {
			t.Errorf("the first stage was held %v after its weight was accepted, want 1s", held)
		}
	})
}

// takesTrafficBack: a pod of the first stage that is Ready no longer, and a newer release that meets a stage.
func takesTrafficBack(t *testing.T, s *world.Story, g *gateway, kind string) {
	thirdImage := imageName + "1.29.5-alpine"
	for name, c := range map[string]struct{ annotation, phase string }{
		"ABadReleaseLosesItsTrafficBeforeItsPods":   {"dev.sluice/fail: lost, dev.sluice/delay: 3s", "RolledBack"},
		"ARevertedReleaseLosesItsTrafficBeforeThem": {"example.com/any: thing", "Superseded"},
	} {
		t.Run(name, func(t *testing.T) {
			before := s.Repo.Head(t)
			record := s.Cluster.Record(t, s.Staging, kind, "Service", "EndpointSlice", "Pod", "Deployment")
			s.Repo.Edit(t, "sluice.yaml", "hold: 1s", "hold: 7d")
			s.Repo.Edit(t, stagingDeployment, nextImage, thirdImage)
			s.Repo.Edit(t, stagingDeployment, "    metadata:\n      labels: {app.kubernetes.io/name: shop}",
				"    metadata:\n      annotations: {"+c.annotation+"}\n      labels: {app.kubernetes.io/name: shop}")
			revision := s.Repo.Commit(t, name)
			g.await(t, "shop-canary:100 | shop-canary:10 shop-stable:90")
			if c.phase == "Superseded" {
				s.Repo.Run(t, "revert", "--no-edit", before+"..HEAD")
				s.Repo.Push(t)
			}
			s.AwaitPhase(t, "staging", revision, c.phase)
			if c.phase == "RolledBack" {
				s.Repo.Run(t, "revert", "--no-edit", before+"..HEAD")
				s.Repo.Push(t)
			}
			s.AwaitPhase(t, "staging", s.Repo.Head(t), "Healthy")
			s.AwaitGit(t, "staging")
			j := judge(record(), kind, thirdImage)
			j.inOrder(t, "shop:", "shop-stable:100", "shop-canary:100 | shop-canary:10 shop-stable:90", "shop-stable:100", "shop:")
			j.neverWithoutEndpointsAtFirst(t)
			j.neverTakesPodsWithWeight(t)
			away := j.last("shop-stable:100")
			if j.canaryGoes <= away {
				t.Errorf("a new pod went at %d, before the route stopped sending to it at %d", j.canaryGoes, away)
			}
			if took := j.canaryWent.Sub(g.at("shop-stable:100")); kind == "HTTPRoute" && took < time.Second {
				t.Errorf("a new pod went %v after its traffic, want 1s", took)
			}
			if j.provenGoes != 0 {
				t.Error("a proven pod went")
			}
		})
	}
}

// TestCanaryTrafficIsKilledAtAnyInstant: the agent is killed again and again while a route shares traffic out. SLUICE_KILLS
// says how often (20), SLUICE_SEED repeats a run.
func TestCanaryTrafficIsKilledAtAnyInstant(t *testing.T) {
	s := begin(t, "traffic-kill")
	g := routed(t, s, "HTTPRoute", "httpRoute", httpRoute)
	kills, seed := number(t, "SLUICE_KILLS", 20), number(t, "SLUICE_SEED", int(time.Now().UnixNano()%1e9))
	t.Logf("SLUICE_KILLS=%d SLUICE_SEED=%d", kills, seed)
	pods := s.Cluster.WatchPods(t, s.Staging)
	record := s.Cluster.Record(t, s.Staging, g.kind, "Service", "EndpointSlice", "Pod")
	releaseUnderKills(t, s, kills, atRandom(t, s, rand.New(rand.NewPCG(uint64(seed), 3))), func(n int, bad bool) (string, string) {
		tag := tagOf(n, bad)
		s.Repo.Write(t, stagingDeployment, replaceImage(s.Repo.Read(t, stagingDeployment), tag))
		return s.Repo.Commit(t, "Release "+tag), tag
	})
	if least := pods.LeastReady(); least < 4 {
		t.Errorf("%d pods were Ready at one moment, want 4 throughout", least)
	}
	s.AwaitGit(t, "staging")
	j := judge(record(), g.kind, "")
	j.neverWithoutEndpoints(t)
	j.neverTakesPodsWithWeight(t)
	t.Logf("the route changed %d times", len(j.routes))
}
