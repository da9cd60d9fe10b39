package reconciler

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"sync"
	"testing"

	"github.com/sluice-cd/sluice/gitsource/gittest"
	"github.com/sluice-cd/sluice/policies"
	"github.com/sluice-cd/sluice/reconciler/apply"
	"github.com/sluice-cd/sluice/reconciler/config"
	"github.com/sluice-cd/sluice/reconciler/record"
	"github.com/sluice-cd/sluice/render"
)

// bed is an agent's view of a real Git server, whose passes end before anything is done: no goroutine of the agent runs.
type bed struct {
	*testing.T
	git   *gittest.Server
	agent *Agent
	site  *site
}

// rules is an agent.yaml for these repositories of a server.
func rules(t *testing.T, git *gittest.Server, stateNamespace, more string, repositories ...string) *config.Agent {
	t.Helper()
	dir := t.TempDir()
	for name, value := range map[string]string{"username": "agent", "password": gittest.Password} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(value), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	text := fmt.Sprintf(`
apiVersion: sluice.dev/v1alpha1
kind: Agent
metadata: {name: %[1]s}
stateNamespace: %[1]s
dataDir: %[2]s
listen: none
environments: [{name: staging}, {name: production}]
permissions: [{applications: ['*'], serviceAccount: %[1]s/deployer, namespaces: ['%[1]s-*'], kinds: {deny: [Pod]}}]
%[3]s
repositories:
`, stateNamespace, t.TempDir(), more)
	for _, name := range repositories {
		text += fmt.Sprintf("- {name: %s, url: '%s', applications: {path: '*'}, poll: {interval: 200ms}, credentials: {directory: %s}}\n",
			name, git.URL(name), dir)
	}
	agent, err := config.ParseAgent("agent.yaml", []byte(text))
	if err != nil {
		t.Fatal(err)
	}
	return agent
}

// cluster is the API server as the site of all beds sees it.
var cluster = sync.OnceValues(func() (*apply.Cluster, error) {
	return apply.New(context.Background(), apply.Config{REST: server, Agent: "bed"})
})

func newBed(t *testing.T, repositories ...string) *bed {
	t.Helper()
	if len(repositories) == 0 {
		repositories = []string{"shop"}
	}
	b := &bed{T: t, git: gittest.New(t)}
	b.begin(rules(t, b.git, "bed", "", repositories...))
	return b
}

// begin makes the agent of these rules.
func (b *bed) begin(rules *config.Agent) {
	b.Helper()
	t := b.T
	var err error
	b.agent, err = New(Config{Agent: rules, Identity: "bed", Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	b.site = newSite(b.agent, config.ClusterRef{})
	if b.site.apply, err = cluster(); err != nil {
		t.Fatal(err)
	}
	signer, err := record.NewKey()
	if err != nil {
		t.Fatal(err)
	}
	b.site.maker = record.Maker{Signer: signer}
	b.site.shape = render.Capabilities{KubeVersion: "v1.36.3"}
}

// commit makes a commit in the first repository, and lets the agent see it.
func (b *bed) commit(change gittest.Change) string {
	b.Helper()
	revision := b.git.Commit(b.T, "shop", change)
	b.poll()
	return revision
}

// files makes a commit with these files.
func (b *bed) files(files map[string]string) string {
	b.Helper()
	return b.commit(gittest.Change{Files: files})
}

func (b *bed) poll() {
	b.Helper()
	for _, src := range b.agent.polled() {
		if err := src.poll(b.Context()); err != nil {
			b.Fatal(err)
		}
	}
}

// look makes the first phases of a pass over a key, up to the guard.
func (b *bed) look(k Key) *Pass {
	b.Helper()
	t := b.agent.target(k)
	t.loaded = true
	p := &Pass{Key: k, agent: b.agent, target: t, site: b.site, log: b.agent.log}
	for _, ph := range []func() Outcome{
		func() Outcome { return choose(b.Context(), p) },
		func() Outcome { return rendered(b.Context(), p) },
		func() Outcome { return guard(b.Context(), p) },
	} {
		if out := ph(); out.Verdict != Next {
			b.Fatalf("the pass over %s ended: %+v", k, out)
		}
	}
	return p
}

// became notes what a pass found as the state, in a phase, as the next passes would have done.
func (b *bed) became(p *Pass, phase policies.Phase) {
	saved := &p.target.held.saved
	saved.State.Refused = p.Wanted.Refused
	if p.Wanted.Release != (policies.Release{}) {
		saved.State.Release, saved.State.Phase = p.Wanted.Release, phase
	}
}

// awake reports whether a key would be woken by what Git says now.
func (b *bed) awake(k Key) bool {
	b.Helper()
	found, err := b.agent.catalog.find(k.Application)
	t := b.agent.target(k)
	t.mu.Lock()
	defer t.mu.Unlock()
	return err != nil || !t.basis.stands(found)
}

// application is a sluice.yaml with the environment staging; more are further lines of it.
func application(name, more string) string {
	return fmt.Sprintf("apiVersion: sluice.dev/v1alpha1\nkind: Application\nmetadata: {name: %s}\nenvironments:\n"+
		"- {name: staging, namespace: bed-staging, source: {directory: {path: deploy}}%s}\n", name, more)
}

// configMap is a manifest.
func configMap(name, value string) string {
	return fmt.Sprintf("apiVersion: v1\nkind: ConfigMap\nmetadata: {name: %s}\ndata: {value: %q}\n", name, value)
}
