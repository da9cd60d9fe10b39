package e2e

import (
	"fmt"
	"math/rand/v2"
	"os"
	"slices"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/sluice-cd/sluice/e2e/world"
)

// TestAgentIsKilledAtAnyInstant: the agent is killed again and again while commits arrive. SLUICE_KILLS says how often
// (20), SLUICE_SEED repeats a run.
func TestAgentIsKilledAtAnyInstant(t *testing.T) {
	s := begin(t, "kill")
	kills, seed := number(t, "SLUICE_KILLS", 20), number(t, "SLUICE_SEED", int(time.Now().UnixNano()%1e9))
	t.Logf("SLUICE_KILLS=%d SLUICE_SEED=%d", kills, seed)
	chance := rand.New(rand.NewPCG(uint64(seed), 1))
	first := s.Deploy(t, "staging")
	seen := watchCommits(t, s)
	revisions := map[string]string{"0": first}
	var order []string
	t.Run("CommitsArriveAndTheAgentIsKilled", func(t *testing.T) {
		var pushes sync.WaitGroup
		instants := make([]time.Duration, kills)
		for i := range instants {
			instants[i] = time.Duration(chance.IntN(500)) * time.Millisecond // while it starts
			if i%2 == 1 {
				instants[i] = time.Duration(chance.IntN(2000)) * time.Millisecond // while it works
			}
		}
		commits := kills * 3 / 2
		plan := make([]int, commits)
		for i := range plan {
			plan[i] = chance.IntN(600)
		}
		pushes.Go(func() {
			for i, pause := range plan {
				n := i + 1
				changeSomething(t, s, n)
				revision := s.Repo.Commit(t, fmt.Sprintf("Commit %d", n))
				revisions[strconv.Itoa(n)] = revision
				order = append(order, revision)
				<-time.After(time.Duration(pause) * time.Millisecond) // the world's own pace, not a wait for something
			}
		})
		for _, instant := range instants {
			<-time.After(instant) // the random instant
			s.Agent.Kill9(t)
			s.Agent.Launch(t)
		}
		pushes.Wait()
	})
	if t.Failed() {
		return
	}
	last := order[len(order)-1]
	t.Run("Lesson11_TheEndStateIsExactlyGits", func(t *testing.T) {
		s.AwaitPhase(t, "staging", last, "Healthy")
		s.AwaitGit(t, "staging")
	})
	t.Run("TheNotesAreComplete", func(t *testing.T) {
		applied := seen()
		s.Repo.AwaitNote(t, world.Patience, "every applied release has its end", "staging", func(world.Note) bool {
			return len(unclosed(s.Repo.MustNotes(t, "staging"), applied, revisions)) == 0
		})
		t.Logf("of %d commits %d were applied", len(order), len(applied)-1)
	})
	t.Run("NoLineIsLostOrWrittenTwice", func(t *testing.T) {
		ids, texts := map[string]bool{}, map[int64]string{}
		for _, n := range s.Repo.MustNotes(t, "staging") {
			if ids[n.ID] || texts[n.Seq] != "" {
				t.Errorf("a line is there twice: %s and %s", n.Text, texts[n.Seq])
			}
			ids[n.ID], texts[n.Seq] = true, n.Text
		}
		for seq := int64(1); seq <= int64(len(texts)); seq++ {
			if texts[seq] == "" {
				t.Errorf("line %d of %d is lost", seq, len(texts))
			}
		}
	})
	t.Run("Lesson04_NothingIsLeftOver", func(t *testing.T) {
		for _, o := range s.Cluster.Owned(t, s.Staging, "shop", "staging") {
			if o.GetDeletionTimestamp() != nil {
				t.Errorf("%s %s is still being deleted", o.GetKind(), o.GetName())
			}
		}
		s.AwaitGit(t, "staging")
	})
}

// changeSomething makes commit n: the number goes into the ConfigMap, and a file comes or goes, or pods are replaced.
func changeSomething(t *testing.T, s *world.Story, n int) {
	t.Helper()
	s.Repo.Write(t, "deploy/staging/commit.yaml",
		fmt.Sprintf("apiVersion: v1\nkind: ConfigMap\nmetadata: {name: commit}\ndata: {number: %q}\n", strconv.Itoa(n)))
	extra := fmt.Sprintf("deploy/staging/extra-%d.yaml", n%4)
	switch n % 3 {
	case 0:
		s.Repo.Remove(t, extra)
	case 1:
		s.Repo.Write(t, extra, fmt.Sprintf("apiVersion: v1\nkind: ConfigMap\nmetadata: {name: extra-%d}\ndata: {number: %q}\n", n%4, strconv.Itoa(n)))
	case 2:
		s.Repo.Write(t, stagingDeployment, replaceImage(s.Repo.Read(t, stagingDeployment), fmt.Sprintf("1.30.%d", n)))
	}
}

// watchCommits returns what tells the numbers of the commits that were applied since, in order.
func watchCommits(t *testing.T, s *world.Story) func() []string {
	t.Helper()
	values := s.Cluster.Values(t, world.Ref{Kind: "ConfigMap", Namespace: s.Staging, Name: "commit"}, "data", "number")
	return func() []string {
		applied := []string{"0"}
		for _, n := range values() {
			if n != "" && !slices.Contains(applied, n) {
				applied = append(applied, n)
			}
		}
		return applied
	}
}

// unclosed lists the applied commits whose revision has no closing line.
func unclosed(notes []world.Note, applied []string, revisions map[string]string) []string {
	var out []string
	for _, n := range applied {
		if !slices.ContainsFunc(notes, func(note world.Note) bool { return note.On == revisions[n] && note.Closing() }) {
			out = append(out, n)
		}
	}
	return out
}

func number(t *testing.T, variable string, otherwise int) int {
	t.Helper()
	text := os.Getenv(variable)
	if text == "" {
		return otherwise
	}
	n, err := strconv.Atoi(text)
	if err != nil {
		t.Fatalf("%s: %v", variable, err)
	}
	return n
}
