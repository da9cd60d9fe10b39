package e2e

import (
	"fmt"
	"math/rand/v2"
	"testing"
	"time"
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
			image, proven := kind+":1", ""
			tags := releaseUnderKills(t, s, kills, atRandom(t, s, rand.New(rand.NewPCG(uint64(seed), 3))), func(n int, bad bool) (string, string) {
				before := image
				if image = fmt.Sprintf("%s:%d", kind, n); bad {
					image = fmt.Sprintf("%s-does-not-exist:missing-%d", kind, n)
				} else {
					proven = image
				}
				return release(t, s, file, before, image), image
			})
			t.Run("NoStageIsSkippedOrShortened", func(t *testing.T) { stagesInOrder(t, s, tags, quickHolds()) })
			t.Run("OnlyWhatIsProvenRuns", func(t *testing.T) {
				awaitImages(t, pods, map[string]int{proven: all})
				s.AwaitGit(t, "staging")
			})
		})
	}
}
