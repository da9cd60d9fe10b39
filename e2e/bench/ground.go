package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/sluice-cd/sluice/e2e/world"
)

const (
	// patience is how long anything may take.
	patience = 5 * time.Minute
	// interval between polls, but for the idle agent.
	interval = "500ms"
	firstTag = "1.0.0"
)

// ground is a cluster, a monorepo and an agent with exactly the rights of examples/install.
type ground struct {
	*bed
	options options
	report  *report
	size    string // part of the figures' names
	story   *world.Story
	lookout *lookout
	audit   *audit

	apps            []application // the agent's
	warm, bare, dry []application // the floors'
	floorKubeconfig string
}

// layGround makes all of it but starts no agent: the repository has its first commit, the namespaces are there.
func layGround(b *bed, r *report, o options, size string, n int) *ground {
	s := b.begin(o, "bench")
	g := &ground{
		bed: b, options: o, report: r, size: size, story: s,
		apps: applications(n, "agent"), bare: applications(n, "bare"), dry: applications(n, "dry"),
		warm:            applications(max(1, n/10), "warm"),
		floorKubeconfig: filepath.Join(s.Dir, "floor.kubeconfig"),
	}
	g.namespaces(slices.Concat(g.warm, g.apps, g.bare, g.dry))
	b.must(os.WriteFile(g.floorKubeconfig, s.Kubeconfig(b, s.Apps, "shop"), 0o600), "write kubeconfig")
	s.Git = world.StartGit(b, s.World.DevGit, filepath.Join(s.Dir, "git"))
	s.Repo = s.Git.NewRepo(b, "monorepo", filepath.Join(s.Dir, "monorepo"))
	for _, app := range g.apps {
		for path, text := range app.files(firstTag) {
			s.Repo.Write(b, path, text)
		}
	}
	s.Repo.Commit(b, "All applications")
	g.prepareAgent()
	ctx, stop := context.WithCancel(b.ctx)
	b.Cleanup(stop) // before the cluster ends
	lookout, err := newLookout(ctx, s.World.Cluster.Admin)
	b.must(err, "watch cluster")
	g.lookout = lookout
	return g
}

func (g *ground) prepareAgent() {
	s := g.story
	s.Agent = s.NewAgent(g, s.Name, s.System, s.Repo)
	repo := &s.Agent.Config.Repositories[0]
	repo.Applications = map[string]any{"path": applicationsGlob}
	repo.Poll = map[string]any{"interval": interval}
	repo.WriteBack = nil // as users have it
	s.Agent.Config.Environments = []map[string]any{{"name": environment}}
	s.Agent.Config.Permissions = []map[string]any{{
		"applications": []string{"*"}, "serviceAccount": s.Apps + "/shop", "namespaces": []string{"agent-*"},
	}}
	g.audit = newAudit(s.Cluster.AuditLog, "system:serviceaccount:"+s.System+":sluice")
}

// namespaces makes those of the applications, with the rights of examples/install for the applications' account, and
// waits until the controllers are done with them.
func (g *ground) namespaces(apps []application) {
	g.Logf("Making %d namespaces", len(apps))
	core := g.story.Cluster.Core
	binding := &rbacv1.RoleBinding{
		ObjectMeta: metav1.ObjectMeta{Name: "sluice-application"},
		RoleRef:    rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: "sluice-application-" + g.story.Name},
		Subjects:   []rbacv1.Subject{{Kind: "ServiceAccount", Namespace: g.story.Apps, Name: "shop"}},
	}
	g.must(inParallel(apps, func(app application) error {
		namespace := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: app.namespace}}
		if _, err := core.CoreV1().Namespaces().Create(g.ctx, namespace, metav1.CreateOptions{}); err != nil {
			return err
		}
		_, err := core.RbacV1().RoleBindings(app.namespace).Create(g.ctx, binding.DeepCopy(), metav1.CreateOptions{})
		return err
	}), "make namespaces")
	world.Await(g, patience, "namespaces have what the controllers put there", func() error {
		return inParallel(apps, func(app application) error {
			_, err := core.CoreV1().ConfigMaps(app.namespace).Get(g.ctx, "kube-root-ca.crt", metav1.GetOptions{})
			if err == nil {
				_, err = core.CoreV1().ServiceAccounts(app.namespace).Get(g.ctx, "default", metav1.GetOptions{})
			}
			if apierrors.IsNotFound(err) {
				return fmt.Errorf("%s is not ready", app.namespace)
			}
			return err
		})
	})
}

// inParallel does something with each entry, 20 at a time, and returns the first fault.
func inParallel[T any](entries []T, do func(T) error) error {
	work := make(chan T)
	faults := make([]error, floorWorkers)
	var running sync.WaitGroup
	for i := range faults {
		running.Go(func() {
			for e := range work {
				if faults[i] == nil {
					faults[i] = do(e)
				}
			}
		})
	}
	for _, e := range entries {
		work <- e
	}
	close(work)
	running.Wait()
	return errors.Join(faults...)
}

// silence is how long an agent must have asked nothing to count as done.
const silence = 2 * time.Second

// usage is what the agent used from a moment until it was done.
type usage struct {
	requests []request
	cpu      time.Duration
	last     time.Time // when the last of the requests came
}

// usage waits until the agent is done, and returns what it used since began, of which cpu is its CPU time then. It
// is done when enough says so and it has asked for nothing but upkeep for a while.
func (g *ground) usage(began time.Time, cpu time.Duration, enough func() error) usage {
	agent := processes(g.story.Agent.PID())
	u := usage{last: began, cpu: agent.cpu() - cpu}
	tick := time.NewTicker(100 * time.Millisecond)
	defer tick.Stop()
	for quiet := time.Now(); ; {
		select {
		case <-g.ctx.Done():
			g.Fatal(g.ctx.Err())
		case <-tick.C:
		}
		news, err := g.audit.next()
		g.must(err, "count requests")
		for _, r := range news {
			if r.Received.Before(began) {
				continue
			}
			u.requests = append(u.requests, r)
			if !r.upkeep() {
				quiet, u.last, u.cpu = time.Now(), r.Received, agent.cpu()-cpu
			}
		}
		if time.Since(quiet) > silence {
			err := enough()
			if err == nil {
				return u
			}
			if time.Since(began) > patience {
				g.Fatalf("the agent is not done: %w\n%s", err, world.Tail(g.story.Agent.Log(g), 20))
			}
			quiet = time.Now()
		}
	}
}

// skip forgets requests up to now and returns the moment and the agent's CPU time.
func (g *ground) skip() (time.Time, time.Duration) {
	_, err := g.audit.next()
	g.must(err, "count requests")
	return time.Now(), processes(g.story.Agent.PID()).cpu()
}

// healthy says whether the agent says that all applications are.
func (g *ground) healthy() error {
	well, err := g.story.Agent.Metric("sluice_environment_healthy")
	if err == nil && int(well) < len(g.apps) {
		err = fmt.Errorf("%v of %d applications are healthy", well, len(g.apps))
	}
	return err
}

func enough() error { return nil }

// setTag changes the image's tag of an application in the clone.
func (g *ground) setTag(app application, tag string) {
	text := []byte(g.story.Repo.Read(g, app.kustomization()))
	at := bytes.LastIndex(text, []byte("newTag: "))
	if at < 0 {
		g.Fatalf("%s has no tag", app.kustomization())
	}
	g.story.Repo.Write(g, app.kustomization(), string(text[:at])+fmt.Sprintf("newTag: %q}\n", tag))
}
