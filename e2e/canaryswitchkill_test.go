package e2e

import (
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/sluice-cd/sluice/e2e/world"
)

const switched = `directory: {path: deploy/staging}}
    rollout: {blueGreen: {service: shop, hold: 1s, approve: true, keepPrevious: 1s, drain: 1s}}
`

// TestCanarySwitchKilledAtAnyInstant: the agent is killed again and again while a Service is switched from release to release.
// Some fail while they are checked, and some are replaced by a newer one as soon as the Service selects them. SLUICE_KILLS
// says how often (20; from 200 on each boundary must have been hit), SLUICE_SEED repeats a run.
func TestCanarySwitchKilledAtAnyInstant(t *testing.T) {
	s, _ := canary(t, "switch-kill", switched)
	kills, seed := number(t, "SLUICE_KILLS", 20), number(t, "SLUICE_SEED", int(time.Now().UnixNano()%1e9))
	t.Logf("SLUICE_KILLS=%d SLUICE_SEED=%d", kills, seed)
	s.Agent.Stop(t)
	s.Agent.Flags = []string{"--log-level", "debug"}
	s.Agent.Start(t)
	pods := s.Cluster.WatchPods(t, s.Staging)
	record := s.Cluster.Record(t, s.Staging, "Service", "Pod")
	w := &switches{allowed: map[string]time.Time{firstImage: {}}, cut: map[string]string{}}
	k := newKiller(seed, boundaries("assess apply unsplit"))
	tags := releaseUnderKills(t, s, kills, func(n int) { k.kill(t, s, n) }, func(n int, bad bool) (string, string) {
		if n%3 == 2 {
			w.cutShort(t, s, tagOf(n, false)+"-cut")
		}
		return w.release(t, s, tagOf(n, bad), bad), tagOf(n, bad)
	})
	k.judge(t, kills)
	t.Run("NeverFewerReadyPods", func(t *testing.T) {
		if least := pods.LeastReady(); least < 4 {
			t.Errorf("%d pods were Ready at one moment, want 4 throughout", least)
		}
	})
	t.Run("NoStageIsSkippedOrShortened", func(t *testing.T) {
		stagesInOrder(t, s, tags, []time.Duration{time.Second, time.Second})
		ends := map[string]string{}
		for _, n := range s.Repo.MustNotes(t, "staging") {
			if n.Closing() && w.cut[n.On] != "" {
				ends[w.cut[n.On]] += n.Phase
			}
		}
		t.Logf("replaced when they were switched to: %v", ends)
		for _, tag := range w.cut {
			if ends[tag] != "Superseded" && ends[tag] != "Healthy" {
				t.Errorf("%s ended as %q", tag, ends[tag])
			}
		}
	})
	t.Run("Lesson11_TheServiceIsGitsAgain", func(t *testing.T) { s.AwaitGit(t, "staging") })
	t.Run("UsersMeetNoPodBeforeAPersonSaysSo", func(t *testing.T) { w.judge(t, record()) })
}

// switches are releases whose Service waits for a person's word.
type switches struct {
	allowed map[string]time.Time // since when users may meet an image
	cut     map[string]string    // tags of releases that a newer one replaced on purpose, by revision
}

// release commits one, and lets it be switched to when it asks for that.
func (w *switches) release(t *testing.T, s *world.Story, tag string, bad bool) string {
	t.Helper()
	s.Repo.Write(t, stagingDeployment, replaceImage(s.Repo.Read(t, stagingDeployment), tag))
	revision := s.Repo.Commit(t, "Release "+tag)
	if bad {
		return revision
	}
	s.Repo.AwaitNote(t, world.Patience, "it waits for a person", "staging", func(n world.Note) bool {
		return n.On == revision && n.Phase == "Holding" && n.Says("stage 2 of 2", "approved")
	})
	w.allowed[imageName+tag] = time.Now()
	s.Repo.Write(t, "releases/staging.yaml", "approved: {revision: "+revision+", stage: 2}\n")
	s.Repo.Commit(t, "Switch")
	return revision
}

// cutShort makes a release that is to be replaced while the proven pods are kept.
func (w *switches) cutShort(t *testing.T, s *world.Story, tag string) {
	t.Helper()
	revision := w.release(t, s, tag, false)
	w.cut[revision] = tag
	awaitStage(t, s, revision, "stage 2 of 2: ")
}

// judge goes through every state of Service and pods: what the Service selects is an image that users may meet.
func (w *switches) judge(t *testing.T, moments []world.Moment) {
	t.Helper()
	selected, live := "", map[string]world.Moment{}
	var narrowed []string
	for _, m := range moments {
		switch uid := string(m.GetUID()); {
		case m.GetKind() == "Service" && m.GetName() == "shop":
			if hash := world.Field(m.Unstructured, "spec", "selector", "pod-template-hash"); hash != selected {
				selected, narrowed = hash, append(narrowed, hash)
			}
		case m.GetKind() != "Pod":
			continue
		case m.Gone || m.GetDeletionTimestamp() != nil:
			delete(live, uid)
		default:
			live[uid] = m
		}
		for _, name := range slices.Sorted(maps.Keys(live)) {
			pod := live[name]
			image := world.Field(pod.Unstructured, "spec", "containers", "0", "image")
			since, may := w.allowed[image]
			if meets := selected == "" || selected == pod.GetLabels()["pod-template-hash"]; meets && (!may || m.Seen.Before(since)) {
				t.Fatalf("the Service selects %q and so %s of %s, which nobody has allowed yet", selected, pod.GetName(), image)
			}
		}
	}
	if len(narrowed) == 0 || narrowed[len(narrowed)-1] != "" {
		t.Errorf("the Service selected %q, and at last not all pods", narrowed)
	}
	t.Logf("the Service selected %s", strings.Join(narrowed, " → "))
}
