package e2e

import (
	"encoding/base64"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/sluice-cd/sluice/e2e/world"
)

// TestPromotionIsToldByGit: what the command line tells of releases that really happened, from notes that an agent really
// signed, and what it shows of the cluster that really runs.
func TestPromotionIsToldByGit(t *testing.T) {
	s := begin(t, "promotion-told")
	first := s.Deploy(t, "staging")
	s.Repo.Edit(t, stagingDeployment, firstImage, nextImage)
	change := s.Repo.Commit(t, "The next image")
	s.AwaitPhase(t, "staging", change, "Healthy")
	revert := s.Repo.Revert(t, change)
	s.AwaitPhase(t, "staging", revert, "Healthy")
	keys := filepath.Join(t.TempDir(), "keys")
	public := world.Field(s.Cluster.Get(t, world.Ref{Kind: "Secret", Namespace: s.System, Name: "sluice-agent-" + s.Agent.Config.Metadata["name"] + "-key"}), "data", "public")
	decoded, err := base64.StdEncoding.DecodeString(public)
	if err != nil {
		t.Fatalf("the public key %q: %v", public, err)
	}
	(&world.Repo{Dir: filepath.Dir(keys)}).Write(t, "keys", string(decoded)+"\n")
	tells := func(t *testing.T, status int, command []string, patterns ...string) {
		t.Helper()
		out, said, code := s.CLI(t, s.Repo.Dir, command...)
		if code != status {
			t.Errorf("%v ended with %d, want %d: %s%s", command, code, status, out, said)
		}
		for _, pattern := range patterns {
			if !regexp.MustCompile("(?m)" + pattern).MatchString(out) {
				t.Errorf("%v does not say %q:\n%s", command, pattern, out)
			}
		}
	}
	t.Run("HistoryHasEachReleaseWithItsAuthor", func(t *testing.T) {
		author := regexp.QuoteMeta(strings.TrimSpace(s.Repo.Run(t, "log", "-1", "--format=%an")))
		tells(t, 0, []string{"history", "shop", "staging", "--keys", keys},
			"^"+revert[:7]+" .*"+revert[:7]+" .*"+author+" +verified .*Healthy", "^"+change[:7]+" ", "^"+first[:7]+" ")
	})
	t.Run("EveryLineVerifies", func(t *testing.T) {
		tells(t, 0, []string{"verify", "--keys", keys}, "^shop +staging .* 1 to ", `^Lines: (\d+), verified: `)
	})
	t.Run("ARevertSaysThatTheChangeFailed", func(t *testing.T) {
		tells(t, 0, []string{"metrics", "--keys", keys, "--at", time.Now().Add(time.Hour).UTC().Format(time.RFC3339)},
			`^shop +staging +2 .* 50% \(1 of 2\) `)
	})
	t.Run("NothingIsBehind", func(t *testing.T) {
		tells(t, 0, []string{"status", "--keys", keys}, "^shop +staging +Healthy +"+revert[:7]+" +0 of main .* verified")
	})
	kubeconfig := kubeconfigOf(t, s)
	live := []string{"diff", "shop", "staging", "--kubeconfig", kubeconfig, "-n", s.System}
	t.Run("TheClusterIsWhatGitSays", func(t *testing.T) {
		tells(t, 0, live, "^shop: staging in the cluster → staging in the working folder$", "^No object differs; the same: [1-9]")
	})
	t.Run("WhatWouldChangeThereHasItsValues", func(t *testing.T) {
		mayReadState(t, s)
		before := s.Cluster.Get(t, s.Object("Deployment", "staging")).GetResourceVersion()
		s.Repo.Edit(t, stagingDeployment, firstImage, nextImage)
		s.Repo.Remove(t, "deploy/staging/poddisruptionbudget.yaml")
		tells(t, 3, live, "^Pods are replaced: 1$", "^~ Deployment/"+s.Staging+"/shop$",
			regexp.QuoteMeta("spec.template.spec.containers[web].image: "+firstImage+" → "+nextImage)+"$",
			"^Deleted: 1\n- PodDisruptionBudget/"+s.Staging+"/shop$")
		tells(t, 3, append(live, "--markdown"), "^-    .*image: "+regexp.QuoteMeta(firstImage)+"$", `^\+    .*image: `+regexp.QuoteMeta(nextImage)+"$")
		s.Repo.Run(t, "checkout", "-q", ".")
		if after := s.Cluster.Get(t, s.Object("Deployment", "staging")).GetResourceVersion(); after != before {
			t.Errorf("the Deployment was written: version %s, was %s", after, before)
		}
	})
	t.Run("Lesson42_AForgedLineIsShownAsWhatItIs", func(t *testing.T) {
		s.Repo.OnServer(t, "-c", "user.name=Thief", "-c", "user.email=thief@example.com", "notes", "--ref=sluice/staging", "append", "-m",
			`{"v":1,"id":"0","seq":99,"application":"shop","environment":"staging","phase":"Failed","revision":"`+revert+
				`","at":"2026-11-21T14:00:00Z","key":"0123456789abcdef","sig":"x"}`, revert)
		tells(t, 3, []string{"verify", "--keys", keys}, "^  staging +"+revert[:7]+" +shop staging Failed .* unknown key ", "unknown key: 1")
		tells(t, 0, []string{"status", "--keys", keys}, "^shop +staging +Healthy ")
		tells(t, 0, []string{"history", "shop", "staging", "--keys", keys}, "^These lines decide nothing:$", "^"+revert[:7]+" .* Healthy ")
	})
}
