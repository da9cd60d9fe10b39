package e2e

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/sluice-cd/sluice/e2e/world"
)

// TestRenderCacheOutlivesARestart: an agent that is started again over the same data renders nothing, unless somebody has
// touched what it had kept.
func TestRenderCacheOutlivesARestart(t *testing.T) {
	s := begin(t, "rendercache")
	s.Agent.Config.Repositories[0].Applications = map[string]any{"path": "*"}
	names := []string{"left", "middle", "right"}
	for _, name := range names {
		putApplication(t, s, name, chartOf("first "+name))
	}
	first := s.Repo.Commit(t, "Three applications")
	s.Agent.Start(t)
	for _, name := range names {
		awaitPhaseOf(t, s, name, first, "Healthy")
	}
	renders := func(t *testing.T, hit string) float64 {
		t.Helper()
		n, err := s.Agent.Metric("sluice_renders_total", `hit="`+hit+`"`)
		if err != nil {
			t.Fatal(err)
		}
		return n
	}
	if n := renders(t, "false"); n != 3 {
		t.Errorf("the first process rendered %v times", n)
	}
	// again starts the agent anew and waits until it has looked at everything.
	again := func(t *testing.T) {
		t.Helper()
		s.Agent.Stop(t)
		s.Agent.Start(t)
		world.Await(t, world.Patience, "each application was looked at", func() error {
			n, err := s.Agent.Metric("sluice_renders_total")
			if err == nil && n < 3 {
				err = fmt.Errorf("%v looks", n)
			}
			return err
		})
		s.Agent.AwaitPolls(t)
	}
	t.Run("NothingIsRenderedAfterARestart", func(t *testing.T) {
		again(t)
		if n := renders(t, "false"); n != 0 {
			t.Errorf("%v renders", n)
		}
	})
	t.Run("ACommitRendersWhatItTouches", func(t *testing.T) {
		s.Repo.Write(t, "left/chart/templates/a.yaml", renderedMap("{{ .Release.Name }}", "second"))
		second := s.Repo.Commit(t, "One of them")
		awaitPhaseOf(t, s, "left", second, "Healthy")
		if n := renders(t, "false"); n != 1 {
			t.Errorf("%v renders", n)
		}
	})
	t.Run("NothingIsRenderedWhenTheOldOneComesBack", func(t *testing.T) {
		s.Repo.Write(t, "left/chart/templates/a.yaml", renderedMap("{{ .Release.Name }}", "first left"))
		s.Repo.Commit(t, "As it was")
		world.Await(t, world.Patience, "the old text is back", func() error {
			o := s.Cluster.Get(t, world.Ref{Kind: "ConfigMap", Namespace: s.Staging, Name: "left"})
			if o == nil || world.Field(o, "data", "text") != "first left" {
				return errors.New("it is not")
			}
			return nil
		})
		if n := renders(t, "false"); n != 1 {
			t.Errorf("%v renders", n)
		}
	})
	t.Run("WhatWasTamperedWithIsRenderedAgain", func(t *testing.T) {
		s.Agent.Stop(t)
		kept, err := filepath.Glob(filepath.Join(s.Agent.Config.DataDir, "renders", "*.render"))
		if err != nil || len(kept) != 4 {
			t.Fatalf("kept: %v, %v", kept, err)
		}
		for i, name := range kept {
			data, err := os.ReadFile(name)
			if err != nil {
				t.Fatal(err)
			}
			if i%2 == 0 {
				data[len(data)-1] ^= 1
			} else {
				data = data[:len(data)/2]
			}
			if err := os.WriteFile(name, data, 0o600); err != nil {
				t.Fatal(err)
			}
		}
		s.Agent.Start(t)
		world.Await(t, world.Patience, "all are rendered again", func() error {
			well, err := s.Agent.Metric("sluice_environment_healthy")
			if err == nil && well < 3 {
				err = fmt.Errorf("%v are well", well)
			}
			return err
		})
		if n := renders(t, "false"); n != 3 {
			t.Errorf("%v renders", n)
		}
		for _, name := range names {
			o := s.Cluster.Must(t, world.Ref{Kind: "ConfigMap", Namespace: s.Staging, Name: name})
			if text := world.Field(o, "data", "text"); !strings.HasPrefix(text, "first") {
				t.Errorf("%s has %q", name, text)
			}
		}
	})
	t.Run("NothingIsRenderedOnceItIsGoodAgain", func(t *testing.T) {
		again(t)
		if n := renders(t, "false"); n != 0 {
			t.Errorf("%v renders", n)
		}
	})
}
