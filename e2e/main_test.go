package e2e

import (
	"context"
	"flag"
	"fmt"
	"maps"
	"os"
	"regexp"
	"slices"
	"testing"

	"github.com/sluice-cd/sluice/e2e/world"
)

// shared is set by TestMain, before any story begins.
var shared *world.World

func TestMain(m *testing.M) { os.Exit(run(m)) }

func run(m *testing.M) int {
	flag.Parse()
	w, err := world.Open(context.Background())
	if err != nil {
		fmt.Fprintf(os.Stderr, "Error: %v\n", err)
		return 1
	}
	defer func() {
		if err := w.Close(); err != nil {
			fmt.Fprintf(os.Stderr, "Error: %v\n", err)
		}
	}()
	shared = w
	return m.Run()
}

// begin makes a story that runs beside the others.
func begin(t *testing.T, name string, applications ...string) *world.Story {
	t.Helper()
	t.Parallel()
	return world.NewStory(t, shared, name, applications...)
}

// Where the shop's manifests lie, and what stories change in them.
const (
	stagingDeployment    = "deploy/staging/deployment.yaml"
	productionDeployment = "deploy/production/deployment.yaml"
	imageName            = "nginxinc/nginx-unprivileged:"
	firstImage           = imageName + "1.29.3-alpine"
	nextImage            = imageName + "1.29.4-alpine"
)

// imagePath is where a Deployment has its first container's image.
func imagePath() []string {
	return []string{"spec", "template", "spec", "containers", "0", "image"}
}

// healthy is a match for the notes on a revision.
func healthy(revision string) func(world.Note) bool {
	return func(n world.Note) bool { return n.On == revision && n.Phase == "Healthy" }
}

// noNotes fails when a revision has a note.
func noNotes(t *testing.T, s *world.Story, env, revision string) {
	t.Helper()
	for _, n := range s.Repo.MustNotes(t, env) {
		if n.On == revision {
			t.Errorf("%s has a note on %s, of which nothing is news for it: %s", env, revision, n.Text)
		}
	}
}

// replaceImage puts another tag behind the shop's image in a manifest.
func replaceImage(manifest, tag string) string {
	return regexp.MustCompile(regexp.QuoteMeta(imageName)+`\S+`).ReplaceAllString(manifest, imageName+tag)
}

// sorted is the keys of a table in order: stories are told in the same order each time.
func sorted[V any](table map[string]V) []string {
	return slices.Sorted(maps.Keys(table))
}
