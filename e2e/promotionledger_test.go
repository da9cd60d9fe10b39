package e2e

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/sluice-cd/sluice/e2e/world"
)

// keepsLedger has an agent write what it has to say into another repository at the forge, by credentials of that one alone.
func keepsLedger(t *testing.T, s *world.Story, a *world.Agent, ledger *world.Project) {
	t.Helper()
	s.Credentials(t, a.Config.StateNamespace, "git-ledger", ledger.Repo.User, ledger.Repo.Password)
	s.Secret(t, a.Config.StateNamespace, "forge-ledger", map[string]string{"token": ledger.Agent.Token})
	a.Config.Repositories[0].WriteBack["ledger"] = map[string]any{
		"url": ledger.Repo.URL, "poll": map[string]any{"interval": "300ms"}, "credentials": map[string]any{"secret": "git-ledger"},
		"forge": map[string]any{"kind": "gitea", "token": map[string]any{"secret": "forge-ledger"}},
	}
}

// TestPromotionKeepsItsLedgerElsewhere: agents that may only read the code write notes, pins and requests into another
// repository. All of promotion and roll-back happens there, and the code never sees a push, nor the try of one.
func TestPromotionKeepsItsLedgerElsewhere(t *testing.T) {
	s := begin(t, "ledger")
	code := s.AtForge(t)
	code.Let(t, code.Agent, "read")
	ledger := s.Forge(t).NewProject(t, s.Name+"-books", "ledger", filepath.Join(s.Dir, "ledger"))
	s.Shop(t)
	s.Repo.Edit(t, "sluice.yaml", "directory: {path: deploy/production}}\n", strings.Replace(promoted, "hold: 1s", "hold: 8s", 1))
	first := s.Repo.Commit(t, "The shop")
	staging := s.NewRival(t, "other")
	s.KnowsForge(t, staging)
	keepsLedger(t, s, staging, ledger)
	staging.Config.Environments = []map[string]any{{"name": "staging"}}
	staging.Start(t)
	keepsLedger(t, s, s.Agent, ledger)
	s.Agent.Config.Environments = []map[string]any{{"name": "production"}}
	s.Agent.Config.Keys = []map[string]any{{"environments": []string{"staging"}, "key": s.PublicKey(t, staging)}}
	s.Agent.Start(t)
	phase := func(t *testing.T, environment, revision, phase string, after int64) world.Note {
		t.Helper()
		return ledger.Repo.AwaitNote(t, world.Patience, phase+" on "+revision, environment, func(n world.Note) bool {
			return n.On == revision && n.Phase == phase && n.Seq > after
		})
	}
	release := func(t *testing.T, from, to string) string {
		t.Helper()
		s.Repo.Edit(t, stagingDeployment, from, to)
		s.Repo.Edit(t, productionDeployment, from, to)
		return s.Repo.Commit(t, "Image "+to)
	}
	t.Run("StagingSaysThereThatItIsHealthy", func(t *testing.T) { phase(t, "staging", first, "Healthy", 0) })
	t.Run("TheRequestIsThereWithItsEvidence", func(t *testing.T) {
		request := ledger.AwaitMergeRequest(t, "the first release", func(m world.MergeRequest) bool {
			return proposes(first)(m) && strings.Contains(m.Body, "stayed so for 1s")
		})
		for _, words := range []string{"The code is " + code.Gate.URL, "Healthy in staging since", "The shop"} {
			if !strings.Contains(request.Body, words) {
				t.Errorf("the request does not say %q: %s", words, request.Body)
			}
		}
		ledger.AwaitStatus(t, request.Head.SHA, "sluice/promotable/shop/production", "success")
		if changed := ledger.Repo.OnServer(t, "diff", "--name-only", "main", request.Head.SHA); changed != "shop/releases/production.yaml" {
			t.Errorf("the branch changes %q", changed)
		}
		pinned := ledger.Merge(t, request.Number, world.Merge)
		if n := phase(t, "production", first, "Healthy", 0); n.Trigger != pinned {
			t.Errorf("it was brought by %s, and merged as %s", n.Trigger, pinned)
		}
		ledger.AwaitStatus(t, pinned, "sluice/shop/production", "success")
	})
	deployment := s.Object("Deployment", "production")
	pods := s.Cluster.WatchPods(t, s.Production)
	second := release(t, firstImage, nextImage)
	t.Run("Lesson11_KilledInTheMiddleItGoesOnByTheLedger", func(t *testing.T) {
		phase(t, "staging", second, "Healthy", 0)
		ledger.Merge(t, ledger.AwaitMergeRequest(t, "the second release", proposes(second)).Number, world.Squash)
		world.AwaitPods(t, "one new pod", pods, func(images map[string]int) bool { return images[nextImage] == 1 })
		s.Agent.Kill9(t)
		s.Agent.Start(t)
		phase(t, "production", second, "Healthy", 0)
		s.Cluster.AwaitObject(t, world.Patience, "the image", deployment, world.Has(nextImage, imagePath()...))
	})
	t.Run("Lesson21_ALostStateIsRebuiltFromTheLedger", func(t *testing.T) {
		s.Agent.Stop(t)
		before, since := pods.Live(), lastSeq(t, ledger.Repo, "production")
		if err := s.Cluster.Core.CoreV1().Secrets(s.System).Delete(t.Context(), "sluice.shop.production", metav1.DeleteOptions{}); err != nil {
			t.Fatal(err)
		}
		s.Agent.Start(t)
		phase(t, "production", second, "Healthy", since)
		for uid := range before {
			if !pods.Live()[uid] {
				t.Errorf("pod %s is gone", uid)
			}
		}
	})
	t.Run("APersonRollsBackInACloneOfTheLedger", func(t *testing.T) {
		ledger.Repo.Run(t, "pull", "-q", "origin", "main")
		since := lastSeq(t, ledger.Repo, "production")
		out, said, exit := s.CLI(t, s.Repo.Dir, "rollback", "shop", "production", "--ledger", ledger.Repo.Dir, "--push")
		if exit != 0 || !strings.Contains(out, "+revision: "+first) {
			t.Fatalf("%d: %s%s", exit, out, said)
		}
		phase(t, "production", second, "RolledBack", since)
		if n := phase(t, "production", first, "Healthy", since); n.Says(`"stage"`) {
			t.Errorf("it took stages, so nobody knew that it was proven: %s", n.Text)
		}
		s.Agent.AwaitPolls(t)
		if open := ledger.MergeRequests(t, "open"); len(open) != 0 {
			t.Errorf("what was left is asked for again: %v", open)
		}
	})
	third := ""
	t.Run("Lesson27_WithoutTheLedgerTheCodeIsReleasedAndToldLater", func(t *testing.T) {
		ledger.Gate.Close()
		s.Repo.Edit(t, stagingDeployment, nextImage, imageName+"1.31.0")
		third = s.Repo.Commit(t, "Staging alone")
		s.Cluster.AwaitObject(t, world.Patience, "the image in staging", s.Object("Deployment", "staging"), world.Has(imageName+"1.31.0", imagePath()...))
		s.Cluster.AwaitObject(t, world.Patience, "production as it was", deployment, world.Has(firstImage, imagePath()...))
		ledger.Gate.Open(t)
		phase(t, "staging", third, "Healthy", 0)
	})
	t.Run("AReleaseFileBesideTheCodeIsRefused", func(t *testing.T) {
		s.Repo.Write(t, "releases/production.yaml", "paused: true\n")
		misplaced := s.Repo.Commit(t, "Pause it, in the wrong place")
		ledger.Repo.AwaitNote(t, world.Patience, "the refusal", "production", func(n world.Note) bool {
			return n.On == misplaced && n.Phase == "Blocked" && n.Says("releases/production.yaml: release files are not read here: move it to shop/releases/production.yaml of the ledger")
		})
		s.Repo.Remove(t, "releases")
		s.Repo.Commit(t, "Take it away")
	})
	t.Run("TheCommandLineReadsIt", func(t *testing.T) {
		keys := filepath.Join(s.Dir, "keys")
		if err := os.WriteFile(keys, []byte(s.PublicKey(t, staging)+"\n"+s.PublicKey(t, s.Agent)+"\n"), 0o600); err != nil {
			t.Fatal(err)
		}
		for command, words := range map[string]string{"verify": "unknown", "status": third[:7], "history": second[:7], "metrics": "production"} {
			args := []string{command, "--ledger", ledger.Repo.Dir, "--keys", keys}
			if command == "history" {
				args = append(args, "shop", "production")
			}
			out, said, exit := s.CLI(t, s.Repo.Dir, args...)
			if exit != 0 || strings.Contains(out, words) == (command == "verify") {
				t.Errorf("%s: %d: %s%s", command, exit, out, said)
			}
		}
	})
	t.Run("TheCodeWasOnlyRead", func(t *testing.T) {
		s.Agent.Stop(t)
		staging.Stop(t)
		if refs := s.Repo.OnServer(t, "for-each-ref", "--format=%(refname)"); refs != "refs/heads/main" {
			t.Errorf("the code has %s", refs)
		}
		pushes := append(code.Gate.Requests("", "git-receive-pack"), code.Gate.Requests("", "/pulls")...)
		reads, written := code.Gate.Requests("POST", "git-upload-pack"), ledger.Gate.Requests("POST", "git-receive-pack")
		if len(pushes) != 0 || len(reads) == 0 || len(written) == 0 {
			t.Errorf("%d tries to write to the code: %v; %d reads of it, and %d pushes to the ledger", len(pushes), pushes, len(reads), len(written))
		}
		for _, a := range []*world.Agent{s.Agent, staging} {
			// The ledger's forge may be away for a moment, which is another matter.
			if err := saidOnce(a.Log(t), "Commit status was not set", "not allowed (403)"); err != nil {
				t.Error(err)
			}
		}
	})
}

// lastSeq is the sequence of the newest line of an environment.
func lastSeq(t *testing.T, of *world.Repo, environment string) int64 {
	t.Helper()
	notes := of.MustNotes(t, environment)
	return notes[len(notes)-1].Seq
}

// saidOnce judges that each process of an agent said something once at the most, for a reason, and one of them did.
func saidOnce(log, words, why string) error {
	said := 0
	for line := range strings.Lines(log) {
		if strings.Contains(line, words) && strings.Contains(line, why) {
			said++
		}
	}
	starts := strings.Count(log, "Agent started")
	if said == 0 || said > starts {
		return errors.New(words + ": an agent that may set none said so too often, or never")
	}
	return nil
}
