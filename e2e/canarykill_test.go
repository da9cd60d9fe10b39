package e2e

import (
	"fmt"
	"math/rand/v2"
	"regexp"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/sluice-cd/sluice/e2e/world"
)

const quick = `directory: {path: deploy/staging}}
    rollout:
      canary:
        steps: [{instances: 1, hold: 1s}, {instances: 2, hold: 500ms}, {weight: 50%}]
`

// TestCanaryIsKilledAtAnyInstant: the agent is killed again and again while releases go through their stages, every third
// of which is bad. SLUICE_KILLS says how often (20), SLUICE_SEED repeats a run.
func TestCanaryIsKilledAtAnyInstant(t *testing.T) {
	s, _ := canary(t, "canary-kill", quick)
	kills, seed := number(t, "SLUICE_KILLS", 20), number(t, "SLUICE_SEED", int(time.Now().UnixNano()%1e9))
	t.Logf("SLUICE_KILLS=%d SLUICE_SEED=%d", kills, seed)
	chance := rand.New(rand.NewPCG(uint64(seed), 2))
	pods := s.Cluster.WatchPods(t, s.Staging)
	tags := releaseWhileKilled(t, s, kills, chance)
	t.Logf("%d releases", len(tags))
	t.Run("NeverFewerReadyPods", func(t *testing.T) {
		if least := pods.LeastReady(); least < 4 {
			t.Errorf("%d pods were Ready at one moment, want 4 throughout", least)
		}
	})
	t.Run("NoStageIsSkippedOrShortened", func(t *testing.T) { stagesInOrder(t, s, tags) })
	t.Run("Lesson11_TheEndStateIsExactlyGits", func(t *testing.T) { s.AwaitGit(t, "staging") })
}

// releaseWhileKilled kills the agent so often at random instants, and meanwhile makes releases, every third of which is
// bad. It returns the tags of their images by revision.
func releaseWhileKilled(t *testing.T, s *world.Story, kills int, chance *rand.Rand) map[string]string {
	t.Helper()
	instants := make([]time.Duration, kills)
	for i := range instants {
		instants[i] = time.Duration(200+chance.IntN(1500)) * time.Millisecond
	}
	var killing sync.WaitGroup
	done := make(chan struct{})
	killing.Go(func() {
		defer close(done)
		for _, instant := range instants {
			<-time.After(instant) // the random instant
			s.Agent.Kill9(t)
			s.Agent.Launch(t)
		}
	})
	tags := map[string]string{}
	last := ""
	for n, more := 0, true; more; n++ {
		select {
		case <-done:
			more = false // one more release, which nobody disturbs
		default:
		}
		tag, want := fmt.Sprintf("1.30.%d", n), "Healthy"
		if n%3 == 1 && more {
			tag, want = fmt.Sprintf("missing@sha256:%064d", n), "RolledBack"
		}
		manifest := s.Repo.Read(t, stagingDeployment)
		s.Repo.Write(t, stagingDeployment, replaceImage(manifest, tag))
		last = s.Repo.Commit(t, "Release "+tag)
		tags[last] = tag
		s.AwaitPhase(t, "staging", last, want)
	}
	killing.Wait()
	return tags
}

var stageOf = regexp.MustCompile(`^stage (\d) of 3`)

// stagesInOrder looks into the notes of each release: its stages one after the other, each held for its time.
func stagesInOrder(t *testing.T, s *world.Story, tags map[string]string) {
	holds := []time.Duration{0, time.Second, 500 * time.Millisecond, 0}
	stage, began := map[string]int{}, map[string]time.Time{}
	for _, n := range s.Repo.MustNotes(t, "staging") {
		m := stageOf.FindStringSubmatch(n.Reason)
		switch {
		case tags[n.On] == "" || n.Phase != "Progressing" && n.Phase != "Promoting":
			continue
		case n.Phase == "Promoting":
			m = []string{"", "4"}
		case m == nil:
			continue
		}
		at, _ := strconv.Atoi(m[1])
		if at != stage[n.On]+1 {
			t.Errorf("%s: stage %d follows stage %d: %s", tags[n.On], at, stage[n.On], n.Text)
		}
		if held := n.At.Sub(began[n.On]); at > 1 && held < holds[at-1] {
			t.Errorf("%s: stage %d was held %v, want %v", tags[n.On], at-1, held, holds[at-1])
		}
		stage[n.On], began[n.On] = at, n.At
	}
	for revision, tag := range tags {
		if want := 4; stage[revision] != want && !regexp.MustCompile("missing").MatchString(tag) {
			t.Errorf("%s ended at stage %d, want %d", tag, stage[revision], want)
		}
	}
}
