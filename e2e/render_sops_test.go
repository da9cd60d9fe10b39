package e2e

import (
	"bytes"
	"compress/gzip"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/sluice-cd/sluice/e2e/world"
)

const (
	sopsFiles    = "../reconciler/sops/testdata/" // made by the sops program
	sealedSecret = "deploy/staging/sealed.yaml"
	firstValue   = "correct-horse-battery"
	rotatedValue = "rotated-lemon-zebra"
)

// TestRenderDecryptsSecrets: a Secret that is encrypted in Git is decrypted in the cluster, and nowhere else.
func TestRenderDecryptsSecrets(t *testing.T) {
	s := begin(t, "render-sops")
	s.Shop(t, "staging")
	s.Repo.Edit(t, "sluice.yaml", "directory: {path: deploy/staging}}\n", oneStage)
	s.Repo.Edit(t, stagingDeployment, "          ports:", "          envFrom: [{secretRef: {name: shop}}]\n          ports:")
	s.Repo.Write(t, sealedSecret, string(readFile(t, sopsFiles+"secret.age.yaml")))
	first := s.Repo.Commit(t, "With an encrypted Secret")
	s.Agent.Start(t)
	t.Run("WithoutKeysItIsRefusedByItsFile", func(t *testing.T) {
		note := s.AwaitPhase(t, "staging", first, "Blocked")
		if !note.Says(sealedSecret, "agent.yaml gives this application no keys") {
			t.Errorf("the note does not say why: %s", note.Text)
		}
	})
	t.Run("WithTheWrongKeyItSaysForWhomItIs", func(t *testing.T) {
		s.Agent.Stop(t)
		s.Agent.Config.Permissions[0]["decryption"] = map[string]any{"secret": "sops"}
		s.Secret(t, s.System, "sops", map[string]string{"age.agekey": string(readFile(t, sopsFiles+"other.agekey"))})
		s.Agent.Start(t)
		s.Agent.AwaitLog(t, sealedSecret, "it is encrypted for age1", "none of the agent's keys")
	})
	t.Run("TheRightKeyIsTakenWithoutARestart", func(t *testing.T) {
		s.Secret(t, s.System, "sops", map[string]string{"age.agekey": string(readFile(t, sopsFiles+"age.agekey"))})
		s.AwaitPhase(t, "staging", first, "Healthy")
		awaitValue(t, s, firstValue)
	})
	t.Run("ThereIsNoDriftInIt", func(t *testing.T) {
		before := s.Cluster.Must(t, sealed(s)).GetResourceVersion()
		if stdout, stderr, code := s.CLI(t, s.Repo.Dir, "reconcile", "shop", "staging", "--verify", "-n", s.System,
			"--kubeconfig", filepath.Join(s.Agent.Dir, "kubeconfig")); code != 0 {
			t.Fatalf("reconcile: %s%s", stdout, stderr)
		}
		s.Agent.AwaitPolls(t)
		if after := s.Cluster.Must(t, sealed(s)).GetResourceVersion(); after != before {
			t.Errorf("it was written again: %s, then %s", before, after)
		}
	})
	t.Run("WhatAPersonChangedComesBack", func(t *testing.T) {
		o := s.Cluster.Must(t, sealed(s))
		if err := unstructured.SetNestedField(o.Object, base64.StdEncoding.EncodeToString([]byte("by hand")), "data", "password"); err != nil {
			t.Fatal(err)
		}
		if _, err := s.Cluster.Resource("Secret", s.Staging).Update(t.Context(), o, metav1.UpdateOptions{}); err != nil {
			t.Fatal(err)
		}
		awaitValue(t, s, firstValue)
	})
	t.Run("AnotherValueInGitArrives", func(t *testing.T) {
		s.Repo.Write(t, sealedSecret, string(readFile(t, sopsFiles+"rotated.age.yaml")))
		kubeconfig := kubeconfigOf(t, s)
		for _, command := range []string{"diff", "plan"} { // nobody but the agent has the key, so that they cannot tell, and say so
			out, said, _ := s.CLI(t, s.Repo.Dir, command, "shop", "staging", "--kubeconfig", kubeconfig, "-n", s.System)
			if want := "Secret/" + s.Staging + "/shop: its values are encrypted: whether they change, only the agent can tell"; !strings.Contains(out, want) {
				t.Errorf("sluice %s does not say %q: %s%s", command, want, out, said)
			}
		}
		s.AwaitPhase(t, "staging", s.Repo.Commit(t, "Another password"), "Healthy")
		awaitValue(t, s, rotatedValue)
	})
	t.Run("StagedPodsReadAVersionThatIsDecryptedToo", func(t *testing.T) {
		reads := s.Cluster.Must(t, s.Object("Deployment", "staging"))
		name := world.Field(reads, "spec", "template", "spec", "containers", "0", "envFrom", "0", "secretRef", "name")
		version := s.Cluster.Must(t, world.Ref{Kind: "Secret", Namespace: s.Staging, Name: name})
		got, err := base64.StdEncoding.DecodeString(world.Field(version, "data", "password"))
		if name == "shop" || err != nil || string(got) != rotatedValue {
			t.Errorf("pods read %q, which has another value (%v)", name, err)
		}
	})
	t.Run("AnAgentThatIsStartedAgainLeavesItAlone", func(t *testing.T) {
		before := s.Cluster.Must(t, sealed(s)).GetResourceVersion()
		s.Agent.Kill9(t)
		s.Agent.Start(t)
		s.Agent.AwaitPolls(t)
		if after := s.Cluster.Must(t, sealed(s)).GetResourceVersion(); after != before {
			t.Error("it was written again")
		}
	})
	t.Run("AKeyOfPGPOpensItToo", func(t *testing.T) {
		s.Secret(t, s.System, "sops", map[string]string{"sops.asc": string(readFile(t, sopsFiles+"sops.asc"))})
		s.Repo.Write(t, sealedSecret, string(readFile(t, sopsFiles+"secret.pgp.yaml")))
		s.AwaitPhase(t, "staging", s.Repo.Commit(t, "Encrypted for PGP"), "Healthy")
		awaitValue(t, s, firstValue)
	})
	t.Run("NothingDecryptedIsAnywhereElse", func(t *testing.T) { nowhereElse(t, s) })
}

func sealed(s *world.Story) world.Ref {
	return world.Ref{Kind: "Secret", Namespace: s.Staging, Name: "shop"}
}

func awaitValue(t *testing.T, s *world.Story, want string) {
	t.Helper()
	s.Cluster.AwaitObject(t, world.Patience, "the Secret has the value", sealed(s), func(o *unstructured.Unstructured) error {
		if o == nil {
			return errors.New("it is not there")
		}
		got, err := base64.StdEncoding.DecodeString(world.Field(o, "data", "password"))
		if err != nil || string(got) != want {
			return fmt.Errorf("it has another: %w", err)
		}
		return nil
	})
}

// nowhereElse looks for the values in all that an agent writes or shows.
func nowhereElse(t *testing.T, s *world.Story) {
	seen := map[string]string{"the log": s.Agent.Log(t)}
	if metrics, err := s.Agent.Get("/metrics"); err == nil {
		seen["the metrics"] = metrics
	}
	for _, n := range s.Repo.MustNotes(t, "staging") {
		seen["the notes"] += n.Text
	}
	seen["the events"] = strings.Join(append(s.Events(t, s.Staging), s.Events(t, s.System)...), "\n")
	stdout, stderr, code := s.CLI(t, s.Repo.Dir, "render", "staging")
	if code != 0 || !strings.Contains(stdout, "ENC[AES256_GCM") {
		t.Errorf("render: %s%s", stdout, stderr)
	}
	seen["render"] = stdout + stderr
	stdout, stderr, _ = s.CLI(t, s.Repo.Dir, "diff", "shop", "staging", "--against", "HEAD~1")
	seen["diff"] = stdout + stderr
	state, err := s.Cluster.Core.CoreV1().Secrets(s.System).List(t.Context(), metav1.ListOptions{})
	if err != nil {
		t.Fatal(err)
	}
	for _, secret := range state.Items {
		if secret.Name != "sops" {
			seen["the state "+secret.Name] = unpacked(t, secret)
		}
	}
	at := "http://" + s.Agent.Config.Dashboard["listen"].(string)
	for path, text := range crawl(t, at, "/", "/agent", "/a/shop/staging/objects", "/feed.atom") {
		seen["the dashboard at "+path] = text
	}
	for what, text := range seen {
		for _, value := range []string{firstValue, rotatedValue, "hidden-token-0407", "AGE-SECRET-KEY"} {
			if strings.Contains(text, value) || strings.Contains(text, base64.StdEncoding.EncodeToString([]byte(value))) {
				t.Errorf("%s shows %q", what, value)
			}
		}
	}
	t.Logf("%d places were looked through", len(seen))
}

// unpacked is what a Secret of the agent holds, decompressed where it is compressed.
func unpacked(t *testing.T, secret corev1.Secret) string {
	t.Helper()
	var all strings.Builder
	for _, data := range secret.Data {
		zip, err := gzip.NewReader(bytes.NewReader(data))
		if err != nil {
			all.Write(data)
			continue
		}
		plain, err := io.ReadAll(zip)
		if err != nil {
			t.Fatal(err)
		}
		all.Write(plain)
	}
	return all.String()
}

func readFile(t *testing.T, name string) []byte {
	t.Helper()
	data, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	return data
}
