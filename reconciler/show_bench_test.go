package reconciler

import (
	"fmt"
	"log/slog"
	"testing"
	"time"

	"github.com/sluice-cd/sluice/gitsource/gittest"
	"github.com/sluice-cd/sluice/reconciler/apply"
	"github.com/sluice-cd/sluice/reconciler/config"
	"github.com/sluice-cd/sluice/reconciler/rollout"
	"github.com/sluice-cd/sluice/reconciler/view"
)

// large is an agent that shows so many applications in four environments each, and asks nobody.
func large(b *testing.B, applications int) *View {
	b.Helper()
	git := gittest.New(b)
	agentRules, err := config.ParseAgent("agent.yaml", fmt.Appendf(nil, `{apiVersion: sluice.dev/v1alpha1, kind: Agent, metadata: {name: a}, dataDir: %s,
repositories: [{name: mono, url: "%s"}], environments: [{name: dev}, {name: test}, {name: staging}, {name: production}],
windows: [{deny: "0 18 * * 5", for: 62h}]}`, b.TempDir(), git.URL("mono")))
	if err != nil {
		b.Fatal(err)
	}
	agent, err := New(Config{Agent: agentRules, Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		b.Fatal(err)
	}
	v, names := agent.View(), []string{"dev", "test", "staging", "production"}
	agent.catalog.places = map[string][]place{}
	for i := range applications {
		app := &config.Application{Metadata: config.Metadata{Name: fmt.Sprintf("app-%04d", i)}}
		for n, name := range names {
			env := config.Environment{Name: name, Namespace: app.Metadata.Name + "-" + name}
			if n > 0 {
				env.Promotion = &config.Promotion{From: []string{names[n-1]}, By: config.ByMergeRequest}
			}
			app.Environments = append(app.Environments, env)
			key := Key{app.Metadata.Name, name}
			v.put(key, shown{cell: view.Cell{Key: shownKey(key), Phase: "Healthy", Health: view.Well, Objects: 5, At: time.Now()}})
		}
		agent.catalog.places[app.Metadata.Name] = []place{{source: agent.catalog.sources[0], snap: &snapshot{}, discovered: discovered{app: app}}}
	}
	return v
}

// BenchmarkBoard: what a viewer costs while nothing changes, and while everything does.
func BenchmarkBoard(b *testing.B) {
	v := large(b, 1000)
	for name, changing := range map[string]bool{"AtRest": false, "Changed": true} {
		b.Run(name, func(b *testing.B) {
			for b.Loop() {
				if changing {
					v.changes.tell()
				}
				if board, err := v.Board(b.Context()); err != nil || len(board.Cells) != 4000 || len(board.Agent.Windows) == 0 {
					b.Fatalf("%d cells, %v", len(board.Cells), err)
				}
			}
		})
	}
}

// BenchmarkTree: 2000 objects with 5000 pods.
func BenchmarkTree(b *testing.B) {
	var family rollout.Family
	var left shown
	for i := range 2000 {
		entry := apply.Entry{ID: apply.ID{Group: "apps", Kind: "StatefulSet", Namespace: "ns", Name: fmt.Sprint("db-", i)}, UID: fmt.Sprint("uid-", i)}
		left.inventory = append(left.inventory, entry)
		for n := range 5 {
			family.Pods = append(family.Pods, rollout.FamilyPod{
				ID: rollout.ID{Kind: "Pod", Namespace: "ns", Name: fmt.Sprintf("db-%d-%d", i, n)}, UID: fmt.Sprintf("pod-%d-%d", i, n), OwnerUID: entry.UID,
			})
		}
	}
	for b.Loop() {
		t := tree{left: left, byUID: map[string]string{}, hash: map[string]string{}, namespaces: map[string]bool{}}
		t.own(&site{})
		if t.grow(family); len(t.objects) != 12_000 {
			b.Fatalf("%d objects", len(t.objects))
		}
	}
}
