package e2e

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/sluice-cd/sluice/e2e/world"
)

// shownCell is an environment in /api/v1/board, as far as the story reads it.
type shownCell struct {
	Application, Environment, Phase, Reason, Health, Stale string
	Place                                                  int
	Release                                                struct{ Revision, Subject, Version string }
	Proven                                                 *struct{ Revision string }
	Behind                                                 *struct {
		Of      string
		Commits int
	}
	Requests []struct {
		Kind, Revision, Reason string
		Due                    bool
	}
	Canary *struct {
		Stage, Stages, Approve int
		Waits                  string
		Plan                   []struct{ Text string }
		Workloads              []struct{ Want, New, NewReady, Proven, ProvenReady int }
	}
	NotWell []struct{ Object, Reason string }
	Help    *struct{ What, Command string }
}

// board is /api/v1/board as a viewer gets it.
func board(a *world.Agent) (text string, cells map[string]shownCell, err error) {
	client := http.Client{Timeout: 10 * time.Second}
	answer, err := client.Get(fmt.Sprintf("http://%s/api/v1/board", a.Config.Dashboard["listen"]))
	if err != nil {
		return "", nil, err
	}
	defer answer.Body.Close() //nolint:errcheck // it was only read
	raw, err := io.ReadAll(answer.Body)
	if err != nil {
		return "", nil, err
	}
	var all struct{ Cells []shownCell }
	if answer.StatusCode != http.StatusOK {
		return "", nil, fmt.Errorf("%s: %s", answer.Status, raw)
	}
	if err := json.Unmarshal(raw, &all); err != nil {
		return "", nil, err
	}
	cells = map[string]shownCell{}
	for _, c := range all.Cells {
		cells[c.Environment] = c
	}
	return string(raw), cells, nil
}

// TestDashboardTellsTheTruth: what the agent shows, through a canary, a promotion and a failure, is what is there.
func TestDashboardTellsTheTruth(t *testing.T) {
	s := begin(t, "dashboard-truth")
	s.Shop(t)
	s.Repo.Edit(t, "sluice.yaml", "directory: {path: deploy/staging}}\n", `directory: {path: deploy/staging}}
    rollout: {canary: {steps: [{instances: 1, hold: 1s}, {weight: 50%, approve: true}]}}
`)
	s.Repo.Edit(t, "sluice.yaml", "directory: {path: deploy/production}}\n", `directory: {path: deploy/production}}
    follow: pin
    promotion: {from: staging, by: manual, when: {healthyFor: 1s}}
`)
	s.Repo.Edit(t, stagingDeployment, "replicas: 2", "replicas: 4")
	s.Repo.Write(t, "deploy/staging/secret.yaml", secretWord)
	first := s.Repo.Commit(t, "The first release")
	s.Agent.Start(t)
	shown := ""
	shows := func(what, environment string, probe func(shownCell) bool) (found shownCell) {
		t.Helper()
		world.Await(t, world.Patience, what, func() error {
			text, cells, err := board(s.Agent)
			if err != nil {
				return err
			}
			shown += text
			if found = cells[environment]; !probe(found) {
				return fmt.Errorf("it is %+v", found)
			}
			return nil
		})
		return found
	}
	well := func(revision string) func(shownCell) bool {
		return func(c shownCell) bool {
			return c.Phase == "Healthy" && c.Release.Revision == revision && c.Health == "Current" && c.Reason == "" && c.Canary == nil && c.Stale == ""
		}
	}
	shows("the first release is well", "staging", well(first))
	asked := shows("production is asked for", "production", func(c shownCell) bool { return len(c.Requests) == 1 && c.Requests[0].Due })
	if asked.Place != 1 || asked.Requests[0].Revision != first || asked.Help == nil || asked.Help.Command != "sluice promote shop production --push" {
		t.Errorf("production is %+v", asked)
	}
	s.Repo.Write(t, "releases/production.yaml", "revision: "+first+"\n")
	s.Repo.Commit(t, "Promote the first release")
	shows("production has it", "production", well(first))

	s.Repo.Edit(t, stagingDeployment, firstImage, nextImage)
	s.Repo.Edit(t, productionDeployment, firstImage, nextImage)
	second := s.Repo.Commit(t, "Another image")
	held := shows("the canary waits for a person", "staging", func(c shownCell) bool { return c.Canary != nil && c.Canary.Approve == 2 })
	t.Run("TheCanary", func(t *testing.T) {
		c := held.Canary
		if held.Phase != "Holding" || held.Release.Subject != "Another image" || held.Proven == nil || held.Proven.Revision != first || c.Stage != 1 || c.Stages != 2 {
			t.Errorf("it is %+v, %+v", held, c)
		}
		if len(c.Plan) != 2 || c.Plan[0].Text != "1 instance for 1s" || c.Plan[1].Text != "50% once approved" {
			t.Errorf("the plan is %+v", c.Plan)
		}
		if len(c.Workloads) != 1 || c.Workloads[0].NewReady != 1 || c.Workloads[0].Want != 1 || c.Workloads[0].ProvenReady != 4 {
			t.Errorf("the pods are %+v", c.Workloads)
		}
		if len(held.NotWell) > 0 {
			t.Errorf("a workload that is as its stage has it is called %+v", held.NotWell)
		}
		if held.Help == nil || held.Help.Command != "sluice approve shop staging" {
			t.Errorf("a person is told %+v", held.Help)
		}
	})
	s.AwaitPhase(t, "staging", second, "Holding")
	if out, said, code := s.CLI(t, s.Repo.Dir, "approve", "shop", "staging"); code != 0 {
		t.Fatalf("approve ended with %d: %s%s", code, out, said)
	}
	s.Repo.Push(t)
	shows("the second release is well", "staging", well(second))
	behind := shows("production is behind", "production", func(c shownCell) bool { return c.Behind != nil && c.Behind.Commits > 0 }).Behind
	if behind.Of != "staging" || behind.Commits != 1 {
		t.Errorf("production is behind by %+v", behind)
	}

	s.Repo.Edit(t, stagingDeployment, nextImage, "registry.example.com/shop:missing")
	third := s.Repo.Commit(t, "An image that is not there")
	failed := shows("the third release failed and was taken back", "staging", func(c shownCell) bool { return c.Phase == "RolledBack" && c.Canary == nil })
	if failed.Release.Revision != third || failed.Proven == nil || failed.Proven.Revision != second || failed.Reason == "" || failed.Help == nil {
		t.Errorf("failed it is %+v", failed)
	}
	for _, secret := range []string{"listening", s.Repo.Password} {
		if strings.Contains(shown, secret) {
			t.Errorf("%q is shown", secret)
		}
	}
}
