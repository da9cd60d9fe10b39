package e2e

import (
	"fmt"
	"math/rand/v2"
	"regexp"
	"slices"
	"strconv"
	"strings"
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

// moreWorkloads are in the release besides the shop's own Deployment.
const moreWorkloads = 19

// TestCanaryIsKilledAtAnyInstant: the agent is killed again and again while releases of 20 workloads go through their stages,
// every third of which is bad. Every second kill is at a random instant, the others right after the agent said that it begins
// something: each phase of a pass, and each effect before and behind. SLUICE_KILLS says how often (20; from 200 on each of
// those must have been hit), SLUICE_SEED repeats a run.
func TestCanaryIsKilledAtAnyInstant(t *testing.T) {
	s, _ := canary(t, "canary-kill", quick)
	kills, seed := number(t, "SLUICE_KILLS", 20), number(t, "SLUICE_SEED", int(time.Now().UnixNano()%1e9))
	t.Logf("SLUICE_KILLS=%d SLUICE_SEED=%d", kills, seed)
	s.AwaitPhase(t, "staging", manyWorkloads(t, s, "1.30.0"), "Healthy")
	s.Agent.Stop(t)
	s.Agent.Flags = []string{"--log-level", "debug"}
	s.Agent.Start(t)
	pods := s.Cluster.WatchPods(t, s.Staging)
	before := len(pods.Live())
	k := newKiller(seed, boundaries("assess apply prune"))
	tags := releaseUnderKills(t, s, kills, func(n int) { k.kill(t, s, n) }, func(n int, bad bool) (string, string) {
		tag := tagOf(n, bad)
		return manyWorkloads(t, s, tag), tag
	})
	k.judge(t, kills)
	t.Run("NeverFewerReadyPods", func(t *testing.T) {
		if least := pods.LeastReady(); least < before {
			t.Errorf("%d pods were Ready at one moment, want %d throughout", least, before)
		}
	})
	t.Run("NoStageIsSkippedOrShortened", func(t *testing.T) { stagesInOrder(t, s, tags, quickHolds()) })
	t.Run("Lesson11_TheEndStateIsExactlyGits", func(t *testing.T) { s.AwaitGit(t, "staging") })
}

// manyWorkloads commits a release of 20 Deployments and the ConfigMap that they read.
func manyWorkloads(t *testing.T, s *world.Story, tag string) string {
	t.Helper()
	manifest := replaceImage(s.Repo.Read(t, stagingDeployment), tag)
	s.Repo.Write(t, stagingDeployment, manifest)
	smaller := strings.Replace(manifest, "replicas: 4", "replicas: 2", 1)
	var more []string
	for n := range moreWorkloads {
		name := fmt.Sprintf("shop-%02d", n)
		text := strings.ReplaceAll(smaller, "app.kubernetes.io/name: shop", "app.kubernetes.io/name: "+name)
		more = append(more, strings.Replace(text, "  name: shop\n", "  name: "+name+"\n", 1))
	}
	s.Repo.Write(t, "deploy/staging/more.yaml", strings.Join(more, "---\n"))
	page := regexp.MustCompile(`<h1>.*</h1>`).ReplaceAllString(s.Repo.Read(t, "deploy/staging/configmap.yaml"), "<h1>"+tag+"</h1>")
	s.Repo.Write(t, "deploy/staging/configmap.yaml", page)
	return s.Repo.Commit(t, "Release "+tag)
}

// boundaries are what the agent says that it begins, and ends, while releases with these effects go through their stages.
func boundaries(effects string) []string {
	var all []string
	for phase := range strings.FieldsSeq("select render guard observe plan save act record") {
		all = append(all, "Phase began "+phase)
	}
	for effect := range strings.FieldsSeq(effects) {
		all = append(all, "Effect began "+effect, "Effect ended "+effect)
	}
	return all
}

// killer ends the agent and counts what it had said last.
type killer struct {
	chance *rand.Rand
	aims   []string       // whose turn comes, one after the other
	hits   map[string]int // by what the agent had said last
	aimed  map[string]int // by what it had said just before, among much that takes no time
	read   int64          // of the log, up to the last kill
}

func newKiller(seed int, aims []string) *killer {
	return &killer{chance: rand.New(rand.NewPCG(uint64(seed), 2)), aims: aims, hits: map[string]int{}, aimed: map[string]int{}}
}

var saidStep = regexp.MustCompile(`"msg":"((?:Phase|Effect) \w+)".*"step":"(\w+)"`)

// kill ends the agent at a random instant, or as soon as it says that it is at the boundary whose turn it is.
func (k *killer) kill(t *testing.T, s *world.Story, n int) {
	t.Helper()
	deadline := time.NewTimer(time.Duration(200+k.chance.IntN(1500)) * time.Millisecond) // the random instant
	defer deadline.Stop()
	aim := ""
	if n%2 == 1 {
		aim = k.aims[n/2%len(k.aims)]
		deadline.Reset(10 * time.Second)
	}
	_, at := s.Agent.LogSince(t, k.read)
	for waits := true; waits; {
		select {
		case <-deadline.C:
			waits = false
		case <-time.After(200 * time.Microsecond): // the log has no watch
			var fresh string
			fresh, at = s.Agent.LogSince(t, at)
			if aim != "" && slices.Contains(said(fresh), aim) {
				k.aimed[aim]++
				waits = false
			}
		}
	}
	s.Agent.Kill9(t)
	text, end := s.Agent.LogSince(t, k.read)
	k.read = end
	hit := "before a pass"
	if steps := said(text); len(steps) > 0 {
		hit = steps[len(steps)-1]
	}
	k.hits[hit]++
	s.Agent.Launch(t)
}

// said are the boundaries in a part of the log, in order.
func said(log string) []string {
	var steps []string
	for _, m := range saidStep.FindAllStringSubmatch(log, -1) {
		steps = append(steps, m[1]+" "+m[2])
	}
	return steps
}

// judge prints what was hit; from 200 kills on each boundary must have been.
func (k *killer) judge(t *testing.T, kills int) {
	t.Helper()
	t.Logf("Kills by what the agent had said last:\n%s", k.table())
	t.Run("EveryBoundaryWasHit", func(t *testing.T) {
		for _, boundary := range k.aims {
			if kills >= 200 && k.hits[boundary]+k.aimed[boundary] == 0 {
				t.Errorf("no kill hit %q", boundary)
			}
		}
	})
}

func (k *killer) table() string {
	var table strings.Builder
	for _, hit := range sorted(k.hits) {
		fmt.Fprintf(&table, "%6d  %s\n", k.hits[hit], hit)
	}
	for _, aim := range sorted(k.aimed) {
		fmt.Fprintf(&table, "%6d  right after %s\n", k.aimed[aim], aim)
	}
	return table.String()
}

// releaseUnderKills makes one release after the other, every third of which is bad, until the agent was killed so often, and
// one more that nobody disturbs. Release commits one and returns its revision and its tag. It returns the tags by revision.
func releaseUnderKills(
	t *testing.T, s *world.Story, kills int, kill func(n int), release func(n int, bad bool) (revision, tag string),
) map[string]string {
	t.Helper()
	var killing sync.WaitGroup
	done := make(chan struct{})
	killing.Go(func() {
		defer close(done)
		for n := range kills {
			kill(n)
		}
	})
	tags := map[string]string{}
	for n, more := 1, true; more; n++ {
		select {
		case <-done:
			more = false
		default:
		}
		bad, want := n%3 == 1 && more, "Healthy"
		if bad {
			want = "RolledBack"
		}
		revision, tag := release(n, bad)
		tags[revision] = tag
		s.AwaitPhase(t, "staging", revision, want)
	}
	killing.Wait()
	t.Logf("%d releases", len(tags))
	return tags
}

// atRandom kills the agent at a random instant. One life in five lasts until the agent says what it did, for ten seconds at most:
// on a machine that is slow to start it, it would get nowhere, however well it goes on.
func atRandom(t *testing.T, s *world.Story, chance *rand.Rand) func(int) {
	return func(n int) {
		_, born := s.Agent.LogSince(t, 0)
		<-time.After(time.Duration(200+chance.IntN(1500)) * time.Millisecond) // the random instant
		for deadline := time.Now().Add(10 * time.Second); n%5 == 4 && time.Now().Before(deadline); time.Sleep(10 * time.Millisecond) {
			life, _ := s.Agent.LogSince(t, born)
			if _, acts, leads := strings.Cut(life, "Successfully acquired lease"); leads && strings.Count(acts, "\n") > 1 {
				break
			}
		}
		s.Agent.Kill9(t)
		s.Agent.Launch(t)
	}
}

// tagOf is the tag of a release's image, which nobody has where it is bad.
func tagOf(n int, bad bool) string {
	if bad {
		return fmt.Sprintf("missing@sha256:%064d", n)
	}
	return fmt.Sprintf("1.30.%d", n)
}

var stageOf = regexp.MustCompile(`^stage (\d) of (\d):`)

// quickHolds are how long the stages of quick are held.
func quickHolds() []time.Duration { return []time.Duration{time.Second, 500 * time.Millisecond, 0} }

// stagesInOrder looks into the notes of each release: its stages one after the other, each held for its time.
func stagesInOrder(t *testing.T, s *world.Story, tags map[string]string, holds []time.Duration) {
	t.Helper()
	stage, began := map[string]int{}, map[string]time.Time{}
	for _, n := range s.Repo.MustNotes(t, "staging") {
		at, m := len(holds)+1, stageOf.FindStringSubmatch(n.Reason)
		switch {
		case tags[n.On] == "" || n.Phase != "Progressing" && n.Phase != "Promoting":
			continue
		case n.Phase == "Promoting":
		case m == nil:
			continue
		default:
			at, _ = strconv.Atoi(m[1])
			if m[2] != strconv.Itoa(len(holds)) {
				t.Errorf("%s: there are %d stages: %s", tags[n.On], len(holds), n.Text)
			}
		}
		if at != stage[n.On]+1 {
			t.Errorf("%s: stage %d follows stage %d: %s", tags[n.On], at, stage[n.On], n.Text)
		}
		if held := n.At.Sub(began[n.On]); at > 1 && held < holds[at-2] {
			t.Errorf("%s: stage %d was held %v, want %v", tags[n.On], at-1, held, holds[at-2])
		}
		stage[n.On], began[n.On] = at, n.At
	}
	for revision, tag := range tags {
		if want := len(holds) + 1; stage[revision] != want && !strings.Contains(tag, "missing") {
			t.Errorf("%s ended at stage %d, want %d", tag, stage[revision], want)
		}
	}
}
