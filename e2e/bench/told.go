package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"path"
	"strings"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/sluice-cd/sluice/e2e/world"
)

// toldFigures are of one change of a base that many applications share, in a repository at a real forge.
func toldFigures() []string {
	return names("agent-told", "applied", "time", "cpu", "memory", "forge-requests", "forge-writes", "git-requests", "pushes", "lines",
		"cold-time", "cold-pushes", "cold-forge-writes")
}

// shared is a repository at a forge with many applications of two environments each, and an agent for each environment that
// knows nothing of the other.
type shared struct {
	*bed
	report       *report
	story        *world.Story
	project      *world.Project
	agents       map[string]*world.Agent // by environment
	applications int
}

const sharedBase = "base/configmap.yaml"

// measureTold changes what all applications stand on, once, and looks at what it takes until Git and the forge were told of each.
func measureTold(b *bed, r *report, o options) {
	s := &shared{bed: b, report: r, applications: 10 * o.applications, agents: map[string]*world.Agent{}}
	s.lay(o)
	b.Logf("Two agents, cold, %d applications", s.applications)
	cold := s.release(func() {
		for _, agent := range s.agents {
			agent.Launch(b)
		}
	}, s.story.Repo.Head(b), "one")
	r.add("agent-told-cold-time", cold.told.Seconds(), "s", "")
	r.add("agent-told-cold-pushes", cold.pushes, "pushes", "")
	r.add("agent-told-cold-forge-writes", cold.writes, "requests", "")
	b.Logf("One change of the base")
	s.story.Repo.Edit(b, sharedBase, "one", "two")
	revision := s.story.Repo.CommitOnly(b, "The base")
	warm := s.release(func() { s.story.Repo.Push(b) }, revision, "two")
	r.add("agent-told-applied", warm.applied.Seconds(), "s", "")
	r.add("agent-told-time", warm.told.Seconds(), "s", "agent-told-applied")
	r.add("agent-told-cpu", warm.cpu.Seconds(), "s", "")
	r.add("agent-told-memory", warm.memory, "MiB", "")
	r.add("agent-told-forge-requests", warm.api, "requests", "")
	r.add("agent-told-forge-writes", warm.writes, "requests", "")
	r.add("agent-told-git-requests", warm.git, "requests", "")
	r.add("agent-told-pushes", warm.pushes, "pushes", "")
	r.add("agent-told-lines", float64(2*s.applications), "lines", "")
}

// lay makes cluster, forge, repository and agents.
func (s *shared) lay(o options) {
	s.story = s.begin(o, "told")
	st := s.story
	s.project = st.AtForge(s)
	shareBase(s, st, s.applications)
	st.Repo.Commit(s, "All applications")
	other := st.NewRival(s, "other")
	st.KnowsForge(s, other)
	s.agents["production"], s.agents["staging"] = st.Agent, other
	for environment, agent := range s.agents {
		repo := &agent.Config.Repositories[0]
		repo.Applications = map[string]any{"path": applicationsGlob}
		repo.Poll = map[string]any{"interval": interval}
		repo.WriteBack = nil // as users have it
		agent.Config.Environments = []map[string]any{{"name": environment}}
	}
}

// shareBase writes applications that stand on one base, each with two environments.
func shareBase(b testing.TB, st *world.Story, applications int) {
	st.Repo.Write(b, sharedBase, "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: settings}\ndata: {value: one}\n")
	st.Repo.Write(b, "base/kustomization.yaml", "apiVersion: kustomize.config.k8s.io/v1beta1\nkind: Kustomization\nresources: [configmap.yaml]\n")
	for i := range applications {
		name := fmt.Sprintf("app-%04d", i)
		dir := path.Join("apps", name)
		st.Repo.Write(b, path.Join(dir, "sluice.yaml"), fmt.Sprintf("apiVersion: sluice.dev/v1alpha1\nkind: Application\nmetadata: {name: %s}\nenvironments:\n"+
			"  - {name: staging, namespace: %s, source: {kustomize: {path: deploy}}}\n  - {name: production, namespace: %s, source: {kustomize: {path: deploy}}}\n",
			name, st.Staging, st.Production))
		st.Repo.Write(b, path.Join(dir, "deploy/kustomization.yaml"), fmt.Sprintf(
			"apiVersion: kustomize.config.k8s.io/v1beta1\nkind: Kustomization\nnamePrefix: %s-\nresources: [../../../base]\n", name))
	}
}

// telling is what one release of all applications took, of both agents and both environments.
type telling struct {
	applied, told            time.Duration
	cpu                      time.Duration
	memory                   float64
	api, writes, git, pushes float64
}

// release begins something, and waits until all objects have the value and all of it is told.
func (s *shared) release(begin func(), revision, value string) (out telling) {
	gate := s.project.Gate
	count := func() telling {
		api := gate.Requests("", "/api/")
		all := len(gate.Requests(""))
		reads := 0
		for _, r := range api {
			if r.Method == http.MethodGet {
				reads++
			}
		}
		return telling{
			api: float64(len(api)), writes: float64(len(api) - reads), git: float64(all - len(api)),
			pushes: float64(len(gate.Requests(http.MethodPost, "/git-receive-pack"))),
		}
	}
	used := func() (cpu time.Duration, memory float64) {
		for _, agent := range s.agents {
			group := processes(agent.PID())
			m, err := group.memory()
			s.must(err, "measure memory")
			cpu, memory = cpu+group.cpu(), memory+m
		}
		return cpu, memory
	}
	before, cpu := count(), time.Duration(0)
	if s.running() {
		cpu, _ = used()
	}
	begin()
	began := time.Now()
	s.await(s.story, "objects", func() error { return hasValue(s.ctx, s.story, s.applications, value) })
	out.applied = time.Since(began)
	s.await(s.story, "notes and statuses", func() error { return s.isTold(revision) })
	out.told = time.Since(began)
	after, total := count(), time.Duration(0)
	total, out.memory = used()
	out.cpu = total - cpu
	out.api, out.writes, out.git, out.pushes = after.api-before.api, after.writes-before.writes, after.git-before.git, after.pushes-before.pushes
	return out
}

// running reports whether the agents were launched.
func (s *shared) running() bool {
	_, err := s.story.Agent.Get("/healthz")
	return err == nil
}

// hasValue looks at all objects of both environments, by one list each.
func hasValue(ctx context.Context, st *world.Story, applications int, value string) error {
	for _, namespace := range []string{st.Staging, st.Production} {
		list, err := st.Cluster.Core.CoreV1().ConfigMaps(namespace).List(ctx, metav1.ListOptions{})
		if err != nil {
			return err
		}
		n := 0
		for _, o := range list.Items {
			if o.Data["value"] == value {
				n++
			}
		}
		if n < applications {
			return fmt.Errorf("%d of %d in %s", n, applications, namespace)
		}
	}
	return nil
}

// isTold says whether each application has its line, and the commit its status, for each environment.
func (s *shared) isTold(revision string) error {
	for environment := range s.agents {
		if err := hasLines(s.story, environment, revision, s.applications); err != nil {
			return err
		}
	}
	for environment := range s.agents {
		status := s.project.Statuses(s, revision)["sluice/"+environment]
		if status.State != "success" || !strings.HasPrefix(status.Description, fmt.Sprintf("%d of %d ", s.applications, s.applications)) {
			return errors.New("the status of " + environment + " is " + status.State + ": " + status.Description)
		}
	}
	return nil
}

// hasLines says whether Git was told that so many applications are well at a revision.
func hasLines(st *world.Story, environment, revision string, applications int) error {
	note, err := st.Repo.Try("--git-dir", st.Repo.Local, "notes", "--ref=sluice/"+environment, "show", revision)
	if err != nil {
		return err
	}
	if n := strings.Count(note, `"phase":"Healthy"`); n < applications {
		return fmt.Errorf("%d of %d lines in %s", n, applications, environment)
	}
	return nil
}
