package e2e

import (
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"
	"time"

	"github.com/sluice-cd/sluice/e2e/world"
)

// TestCanaryOfOtherKindsIsKilledAtAnyInstant: as TestCanaryIsKilledAtAnyInstant, where the agent itself deletes pods.
func TestCanaryOfOtherKindsIsKilledAtAnyInstant(t *testing.T) {
	manifests := map[string]string{"database": database, "collector": collector}
	files := map[string]string{"database": stagingStatefulSet, "collector": stagingDaemonSet}
	for _, kind := range sorted(manifests) {
		t.Run(kind, func(t *testing.T) {
			file := files[kind]
			s := kinds(t, "kill-"+kind, quick, file, manifests[kind])
			kills, seed := number(t, "SLUICE_KILLS", 20)/2, number(t, "SLUICE_SEED", int(time.Now().UnixNano()%1e9))
			t.Logf("SLUICE_KILLS=%d SLUICE_SEED=%d", 2*kills, seed)
			pods := s.Cluster.WatchPods(t, s.Staging)
			all := len(pods.Named("registry.example/" + kind + ":1"))
			tags, proven := releaseUnderKills(t, s, file, kind, kills, rand.New(rand.NewPCG(uint64(seed), 3)))
			t.Run("NoStageIsSkippedOrShortened", func(t *testing.T) { stagesInOrder(t, s, tags) })
			t.Run("OnlyWhatIsProvenRuns", func(t *testing.T) {
				awaitImages(t, pods, map[string]int{proven: all})
				s.AwaitGit(t, "staging")
			})
		})
	}
}

// releaseUnderKills releases one image after the other, every third of which is bad, until the agent was killed so often,
// and once more. It returns the images by revision, and the one that runs in the end.
func releaseUnderKills(t *testing.T, s *world.Story, file, name string, kills int, chance *rand.Rand) (tags map[string]string, proven string) {
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
	tags = map[string]string{}
	image := name + ":1"
	for n, more := 2, true; more; n++ {
		select {
		case <-done:
			more = false // one more release, which nobody disturbs
		default:
		}
		next, want := fmt.Sprintf("%s:%d", name, n), "Healthy"
		if n%3 == 1 && more {
			next, want = fmt.Sprintf("%s-does-not-exist:missing-%d", name, n), "RolledBack"
		}
		revision := release(t, s, file, image, next)
		tags[revision] = next
		s.AwaitPhase(t, "staging", revision, want)
		if image = next; want == "Healthy" {
			proven = next
		}
	}
	killing.Wait()
	t.Logf("%d releases", len(tags))
	return tags, proven
}
